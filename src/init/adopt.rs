//! What can be read from Dockerfiles that are there already. Pure: it gets their texts.

use crate::domain::VariantName;
use crate::inputs::dockerfile::{Dockerfile, Instruction, floats};

/// What two Dockerfiles tell of the family that they are of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// What the base copies; `None` when that does not follow from the text, so that the whole context counts.
    pub base_inputs: Option<Vec<String>>,
    /// What the variants copy.
    pub variant_inputs: Option<Vec<String>>,
    /// The build argument that the variants are built `FROM`.
    pub base_arg: String,
    /// Build arguments `INSTALL_…` of the variants that are true or false, with their defaults.
    pub switches: Vec<(String, bool)>,
    /// Build arguments whose default means something else tomorrow, with that default.
    pub floating: Vec<(String, String)>,
    /// Whether the smoke test is told the variant by `--variant`.
    pub smoke_takes_variant: bool,
}

impl Adopted {
    /// Reads both Dockerfiles, and the smoke test where there is one.
    #[must_use]
    pub fn read(base: &str, variant: &str, smoke: Option<&str>) -> Self {
        let (base, variant) = (Dockerfile::parse(base), Dockerfile::parse(variant));
        let base_arg = base_arg(&variant).unwrap_or_else(|| "BASE_IMAGE".to_owned());
        let switches = arguments(&variant)
            .filter(|(name, _)| name.starts_with("INSTALL_"))
            .filter_map(|(name, default)| Some((name, default?.parse().ok()?)));
        let mut floating: Vec<(String, String)> = arguments(&base)
            .chain(arguments(&variant))
            .filter_map(|(name, default)| Some((name, default?)))
            .filter(|(name, default)| *name != base_arg && floats(default))
            .collect();
        floating.sort();
        floating.dedup();
        Self {
            switches: switches.collect(),
            floating,
            base_inputs: sources(&base),
            variant_inputs: sources(&variant),
            smoke_takes_variant: smoke.is_some_and(|text| text.contains("--variant")),
            base_arg,
        }
    }

    /// Variants that the switches suggest: `base` with none on, and one for each that is off by default.
    #[must_use]
    pub fn variants(&self) -> Vec<VariantName> {
        let off = self.switches.iter().filter(|(_, default)| !default);
        let names = std::iter::once("base".to_owned()).chain(off.map(|(name, _)| word(name)));
        names.filter_map(|name| name.parse().ok()).collect()
    }

    /// Whether a variant has what a switch brings, judging by its name: `omos-with-pi` has `INSTALL_OMOS` and `INSTALL_PI`.
    #[must_use]
    pub fn has(&self, variant: &VariantName, switch: &str) -> bool {
        let (name, word) = (format!("-{variant}-"), format!("-{}-", word(switch)));
        name.contains(&word)
    }
}

/// `INSTALL_FOO_BAR` as a name: `foo-bar`.
fn word(switch: &str) -> String {
    switch
        .trim_start_matches("INSTALL_")
        .to_ascii_lowercase()
        .replace('_', "-")
}

/// The build arguments of a Dockerfile, each once, with their defaults.
fn arguments(file: &Dockerfile) -> impl Iterator<Item = (String, Option<String>)> {
    let mut seen = std::collections::BTreeSet::new();
    let all: Vec<_> = file
        .instructions
        .iter()
        .filter(|instruction| instruction.keyword == "ARG")
        .flat_map(Instruction::words)
        .map(|word| match word.split_once('=') {
            Some((name, default)) => (
                name.to_owned(),
                Some(default.trim_matches(['"', '\'']).to_owned()),
            ),
            None => (word, None),
        })
        .filter(|(name, _)| seen.insert(name.clone()))
        .collect();
    all.into_iter()
}

/// The argument of the first `FROM` that is nothing but an argument.
fn base_arg(file: &Dockerfile) -> Option<String> {
    file.instructions
        .iter()
        .filter(|instruction| instruction.keyword == "FROM")
        .find_map(|instruction| {
            let image = instruction.words().into_iter().next()?;
            let name = image.strip_prefix('$')?;
            let name = name
                .strip_prefix('{')
                .and_then(|name| name.strip_suffix('}'))
                .unwrap_or(name);
            let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            plain.then(|| name.to_owned())
        })
}

/// What is copied from the context.
fn sources(file: &Dockerfile) -> Option<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    for instruction in &file.instructions {
        match instruction.keyword.as_str() {
            "COPY" | "ADD" if instruction.flag("from").is_none() => {}
            // A bind mount shows the whole context.
            "RUN"
                if instruction
                    .flags
                    .iter()
                    .any(|(name, value)| name == "mount" && value.contains("type=bind")) =>
            {
                return None;
            }
            _ => continue,
        }
        if !instruction.heredocs.is_empty() {
            continue;
        }
        let words = instruction.words();
        let (_, sources) = words.split_last()?;
        for source in sources {
            if source.contains("://") || source.starts_with("git@") {
                continue;
            }
            let path = source.trim_start_matches("./").trim_matches('/');
            let unclear = path.is_empty()
                || path == "."
                || path.contains(['$', '*', '?', '[', '"', '\\'])
                || path.contains("..");
            if unclear {
                return None;
            }
            if !found.iter().any(|known| known == path) {
                found.push(path.to_owned());
            }
        }
    }
    Some(found)
}
