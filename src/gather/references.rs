//! Images outside the family that Dockerfiles and contexts name, read with the values that the builds get.
//!
//! A build argument may be a version that is still being asked for. What it names is then not known yet, and never its default: that would pin one
//! image, and build on another.

use super::DockerfileProblem;
use super::sources::Sources;
use crate::config::{BuildContext, Family, HashFormat, Image};
use crate::domain::{ImageId, Version};
use crate::inputs::dockerfile::{
    Checks, Context, Problem, Role, Scope, Variables, check, floating, references,
};
use crate::plan::{arguments, render};
use crate::versions::Resolved;
use std::collections::{BTreeMap, BTreeSet};

/// What build arguments are made of, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) versions: &'a BTreeMap<String, Resolved>,
    /// Of the release, and of the sources: only with `stamp-version` do builds get them.
    pub(super) version: Option<&'a Version>,
    pub(super) revision: Option<&'a str>,
}

/// What the images of a family name from outside of it.
#[derive(Debug, Default)]
pub(super) struct References {
    /// By image: what its Dockerfile and contexts name, sorted.
    pub(super) upstream: BTreeMap<ImageId, Vec<String>>,
    /// Those of them that are read for the platforms that are built, and not for the machine that builds.
    pub(super) bases: BTreeMap<ImageId, Vec<String>>,
    /// References that wait for a value, as the Dockerfile writes them.
    pub(super) open: BTreeMap<ImageId, Vec<String>>,
    /// What does not fit in the Dockerfiles, of images that wait for nothing.
    problems: BTreeSet<DockerfileProblem>,
    /// What floats in them.
    pub(super) floats: BTreeSet<Problem>,
    /// What of them cannot be known.
    pub(super) warnings: BTreeSet<String>,
    waiting: BTreeSet<ImageId>,
}

impl References {
    /// Reads the Dockerfiles of all images.
    pub(super) fn read(family: &Family, sources: &Sources, known: &Known<'_>) -> Self {
        let mut found = Self::default();
        if let Some(reference) = &family.base_image {
            found.upstream.insert(ImageId::Base, vec![reference.clone()]);
        }
        for image in &family.images {
            found.read_one(family, image, sources, known);
        }
        found
    }

    /// Reads those again that waited, with what is known now.
    pub(super) fn read_waiting(&mut self, family: &Family, sources: &Sources, known: &Known<'_>) {
        let waited = std::mem::take(&mut self.waiting);
        for image in family.images.iter().filter(|image| waited.contains(&image.id)) {
            self.read_one(family, image, sources, known);
        }
    }

    /// What does not fit; images of one Dockerfile share it.
    pub(super) fn problems(&self) -> Vec<DockerfileProblem> {
        self.problems.iter().cloned().collect()
    }

    fn read_one(&mut self, family: &Family, image: &Image, sources: &Sources, known: &Known<'_>) {
        let Some(read) = sources.dockerfiles.get(&image.id) else {
            return;
        };
        let (args, open) = args(family, image, known);
        let contexts: Vec<&str> = image.build.contexts.keys().map(String::as_str).collect();
        let scope = Scope {
            args: Some(&args),
            open: &open,
            platforms: &image.platforms,
            contexts: &contexts,
            base_arg: image.base_arg.as_deref(),
            triggers: &read.triggers,
            target: image.build.target.as_deref(),
        };
        self.warnings.extend(unclear(image, &read.unclear));
        // What cannot be known has the whole context count.
        let inputs = image.inputs.as_deref().filter(|_| read.unclear.is_empty());
        let base = family.image(&ImageId::Base);
        let checks = Checks {
            name: &image.dockerfile,
            file: &read.file,
            base: base.map(|base| base.dockerfile.as_path()),
            scope,
            versions: &image.versions,
            inputs,
            context: Context {
                paths: &read.context.paths,
                links: Some(&read.context.links),
            },
        };
        self.floats.extend(floating(&checks));
        if open.is_empty() {
            let problems = check(&checks).into_iter();
            self.problems.extend(problems.map(|problem| DockerfileProblem {
                message: problem.to_string(),
                hint: problem.hint,
            }));
        } else {
            self.waiting.insert(image.id.clone());
        }
        let found = references(&read.file, &scope);
        let external = || found.external.iter().filter(|reference| !reference.is_pinned());
        let bases: BTreeSet<String> = external()
            .filter(|reference| reference.role == Role::From && !reference.other_platform)
            .map(|reference| reference.image.clone())
            .collect();
        let in_contexts = image.build.contexts.values().filter_map(|context| match context {
            BuildContext::Image(reference) => Some(reference.clone()),
            BuildContext::Folder(_) => None,
        });
        let upstream: BTreeSet<String> = external()
            .map(|reference| reference.image.clone())
            .chain(in_contexts)
            .chain(image.build.sbom.scanner().map(str::to_owned))
            .collect();
        let id = &image.id;
        self.bases.insert(id.clone(), bases.into_iter().collect());
        self.upstream.insert(id.clone(), upstream.into_iter().collect());
        self.open.insert(id.clone(), found.open.into_iter().collect());
    }
}

/// What of an image's Dockerfile cannot be known, and what follows from that.
fn unclear(image: &Image, found: &[(usize, String)]) -> impl Iterator<Item = String> {
    let follows = match (&image.inputs, image.hash) {
        (_, HashFormat::Concat) => "`hash = \"concat\"` does not see what it may take from the context",
        (Some(_), _) => "so the whole context counts as input, whatever `inputs` says",
        (None, _) => "and the whole context counts as input anyway",
    };
    let file = &image.dockerfile;
    found
        .iter()
        .map(move |(line, what)| format!("{file}:{line}: there is {what}: {follows}"))
}

/// The arguments that a build of this image gets, and the names of those whose values are not known yet.
fn args(family: &Family, image: &Image, known: &Known<'_>) -> (Variables, Vec<String>) {
    let scope = render::Scope {
        family,
        image,
        version: known.version,
        revision: known.revision,
        platform: None,
        versions: known.versions,
    };
    let (mut args, mut open) = (Variables::new(), Vec::new());
    for (name, value) in arguments(&scope) {
        match value {
            Ok(value) => drop(args.insert(name.to_owned(), value)),
            Err(_) => open.push(name.to_owned()),
        }
    }
    (args, open)
}
