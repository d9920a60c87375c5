//! The text of the files. Pure.

use super::adopt::Adopted;
use super::{BASE, FAMILY, IGNORE, MOTD, SMOKE, VARIANT};
use crate::domain::{Platform, Repository, VariantName};
use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

/// What a base is built from: `NAME[:TAG][@DIGEST]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseImage(String);

impl Default for BaseImage {
    fn default() -> Self {
        Self("debian:trixie-slim".to_owned())
    }
}

impl fmt::Display for BaseImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for BaseImage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = |c: char| c.is_ascii_alphanumeric() || "._-/:@[]".contains(c);
        if !text.is_empty() && !text.starts_with('-') && text.chars().all(known) {
            Ok(Self(text.to_owned()))
        } else {
            Err("expected an image, for example debian:trixie-slim".to_owned())
        }
    }
}

/// What the files are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// The family's name.
    pub name: VariantName,
    /// Where all its tags go.
    pub repository: Repository,
    /// Its platforms.
    pub platforms: Vec<Platform>,
    /// Its variants. The one called `base`, else the first, has the plain tags: `v1.2.3`, `latest`.
    pub variants: Vec<VariantName>,
    /// What the base is built from.
    pub base_image: BaseImage,
}

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Relative to the family's folder.
    pub path: &'static str,
    /// What is in it.
    pub text: String,
    /// Whether it is a program.
    pub executable: bool,
}

impl NewFile {
    fn new(path: &'static str, text: impl Into<String>) -> Self {
        Self {
            path,
            text: text.into(),
            executable: false,
        }
    }

    fn program(path: &'static str, text: impl Into<String>) -> Self {
        Self {
            executable: true,
            ..Self::new(path, text)
        }
    }
}

impl Answers {
    /// The variant with the plain tags.
    fn plain(&self) -> Option<&VariantName> {
        let base = self.variants.iter().find(|variant| variant.as_str() == "base");
        base.or(self.variants.first())
    }

    /// The variants that have something of their own.
    fn parts(&self) -> impl Iterator<Item = &VariantName> {
        let plain = self.plain();
        self.variants
            .iter()
            .filter(move |variant| Some(*variant) != plain)
    }

    /// Fills in what all texts may name.
    fn fill(&self, text: &str) -> String {
        let platforms: Vec<String> = self
            .platforms
            .iter()
            .map(|platform| format!("\"{platform}\""))
            .collect();
        text.replace("@NAME@", self.name.as_str())
            .replace("@REPOSITORY@", &self.repository.to_string())
            .replace("@PLATFORMS@", &platforms.join(", "))
            .replace("@BASE_IMAGE@", &self.base_image.to_string())
    }

    /// `[variant] args` and the tables of the variants, with these switches on in these variants.
    fn tables(
        &self,
        switches: &[(String, bool)],
        on: impl Fn(&VariantName, &str) -> bool,
    ) -> (String, String) {
        let defaults: Vec<String> = switches
            .iter()
            .map(|(name, default)| format!("{name} = {default}"))
            .collect();
        let defaults = if defaults.is_empty() {
            String::new()
        } else {
            format!("args       = {{ {} }}\n", defaults.join(", "))
        };
        let mut tables = String::new();
        for variant in &self.variants {
            let _ = writeln!(tables, "[variants.{}]", key(variant.as_str()));
            if Some(variant) == self.plain() {
                tables.push_str("tags    = [\"{version}\"]\naliases = [\"latest\"]\n");
            }
            let args: Vec<String> = switches
                .iter()
                .filter(|(name, default)| !default && on(variant, name))
                .map(|(name, _)| format!("{name} = true"))
                .collect();
            if !args.is_empty() {
                let _ = writeln!(tables, "args = {{ {} }}", args.join(", "));
            }
            tables.push('\n');
        }
        (defaults, tables.trim_end().to_owned() + "\n")
    }
}

/// A bare key, or a quoted one where it holds a dot.
fn key(name: &str) -> String {
    if name.contains('.') {
        format!("\"{name}\"")
    } else {
        name.to_owned()
    }
}

/// The build argument that switches a variant's part on: `INSTALL_WITH_PI`.
fn switch(variant: &str) -> String {
    let word = variant.to_ascii_uppercase();
    let word: String = word
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    format!("INSTALL_{word}")
}

/// A whole family.
#[must_use]
pub fn files(answers: &Answers) -> Vec<NewFile> {
    let mut switches: Vec<(String, bool)> = Vec::new();
    let mut owners: Vec<&VariantName> = Vec::new();
    let (mut blocks, mut parts) = (String::new(), String::new());
    for part in answers.parts() {
        let mut name = switch(part.as_str());
        // `a-b` and `a.b` would share one.
        while switches.iter().any(|(known, _)| *known == name) {
            name.push_str("_2");
        }
        let _ = write!(parts, " {part}");
        let _ = write!(
            blocks,
            "\n# What the variant {part} has more than the base.\nARG {name}=false\nRUN if [ \"${name}\" = true ]; then \\\n      \
             mkdir -p /opt/{part} && echo yes > /opt/{part}/installed; \\\n    fi\n"
        );
        switches.push((name, false));
        owners.push(part);
    }
    let (defaults, variants) = answers.tables(&switches, |variant, name| {
        let at = switches.iter().position(|(known, _)| known == name);
        at.and_then(|at| owners.get(at)) == Some(&variant)
    });
    let family = include_str!("family/variants.toml")
        .replace("@DEFAULTS@\n", &(defaults + "\n"))
        .replace("@VARIANTS@", &variants);
    let ignore = format!(
        "{}{}",
        include_str!("family/dockerignore"),
        include_str!("family/junk")
    );
    vec![
        NewFile::new(MOTD, answers.fill(include_str!("family/motd"))),
        NewFile::new(IGNORE, ignore),
        NewFile::new(BASE, answers.fill(include_str!("family/Dockerfile.base"))),
        NewFile::new(
            VARIANT,
            include_str!("family/Dockerfile.variant").replace("@BLOCKS@\n", &blocks),
        ),
        NewFile::program(
            SMOKE,
            include_str!("family/smoke-test.sh").replace("@PARTS@", &parts),
        ),
        NewFile::new(FAMILY, answers.fill(&family)),
    ]
}

/// What is missing beside Dockerfiles that are there already.
#[must_use]
pub fn files_beside(answers: &Answers, adopted: &Adopted) -> Vec<NewFile> {
    let (defaults, variants) = answers.tables(&adopted.switches, |variant, name| adopted.has(variant, name));
    let inputs = |inputs: Option<&[String]>| {
        inputs.map_or_else(String::new, |inputs| {
            let inputs: Vec<String> = inputs.iter().map(|input| format!("\"{input}\"")).collect();
            format!("inputs     = [{}]\n", inputs.join(", "))
        })
    };
    let mut versions = String::new();
    if !adopted.floating.is_empty() {
        versions.push_str(
            "\n# These build arguments float. Say where each comes from, and list it in `versions` of the image that uses it.\n# [versions]\n",
        );
        for (name, default) in &adopted.floating {
            let source = if name.ends_with("_REF") {
                format!("{{ git = \"https://…\", ref = \"{default}\" }}")
            } else {
                "{ npm = \"…\" }".to_owned()
            };
            let _ = writeln!(versions, "# {name} = {source}");
        }
    }
    let smoke = if adopted.smoke_takes_variant {
        ", \"--variant\", \"{variant}\""
    } else {
        ""
    };
    let family = include_str!("family/adopted.toml")
        .replace("@BASE_INPUTS@", &inputs(adopted.base_inputs.as_deref()))
        .replace("@VARIANT_INPUTS@", &inputs(adopted.variant_inputs.as_deref()))
        .replace("@BASE_ARG@", &adopted.base_arg)
        .replace("@VERSIONS@", &versions)
        .replace("@SMOKE_ARGS@", smoke)
        .replace("@DEFAULTS@\n", &(defaults + "\n"))
        .replace("@VARIANTS@", &variants);
    vec![
        NewFile::new(IGNORE, format!(".git\n{}", include_str!("family/junk"))),
        NewFile::program(SMOKE, include_str!("family/smoke-adopted.sh")),
        NewFile::new(FAMILY, answers.fill(&family)),
    ]
}
