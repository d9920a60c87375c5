//! The sources of a family: inputs, Dockerfiles, smoke scripts, the commit that they are at.

use super::{DockerfileProblem, GatherError};
use crate::config::{BuildContext, Family, Image};
use crate::domain::{Digest, ImageId, InvalidText, Repository, Tag};
use crate::environment::Environment;
use crate::inputs::dockerfile::{Checks, Dockerfile, Reference as External, Role, Scope, check, references};
use crate::inputs::{self, Collected, InputEntry, InputError, Request};
use crate::process::{self, Command, Ended};
use crate::target::Reference;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What was read of a family's sources.
#[derive(Debug, Default)]
pub struct Sources {
    /// The inputs of each image.
    pub collected: BTreeMap<ImageId, Collected>,
    /// The files of each image's smoke test.
    pub smoke: BTreeMap<ImageId, Vec<InputEntry>>,
    /// Images outside the family that each image's Dockerfile and contexts name, as written there.
    pub upstream: BTreeMap<ImageId, Vec<String>>,
    /// Those of them that are read for the platforms that are built, and not for the machine that builds.
    pub bases: BTreeMap<ImageId, Vec<String>>,
    /// What does not fit in the Dockerfiles.
    pub problems: Vec<DockerfileProblem>,
}

/// Reads the sources of all images of the family, each on a thread of its own.
///
/// # Errors
/// Something is missing, or cannot be read.
pub async fn collect(family: &Family) -> Result<Sources, GatherError> {
    let shared = Arc::new(family.clone());
    let tasks: Vec<_> = family
        .images
        .iter()
        .map(|image| {
            let (family, image) = (shared.clone(), image.clone());
            tokio::task::spawn_blocking(move || collect_one(&family, &image))
        })
        .collect();
    let mut sources = Sources::default();
    for (task, image) in tasks.into_iter().zip(&family.images) {
        let one = task
            .await
            .map_err(|error| GatherError::Worker(error.to_string()))??;
        sources.collected.insert(image.id.clone(), one.collected);
        sources.upstream.insert(image.id.clone(), one.upstream);
        sources.bases.insert(image.id.clone(), one.bases);
        sources.problems.extend(one.problems);
        if let Some(smoke) = one.smoke {
            sources.smoke.insert(image.id.clone(), smoke);
        }
    }
    // Images of one Dockerfile share its problems.
    sources.problems.sort();
    sources.problems.dedup();
    Ok(sources)
}

struct One {
    collected: Collected,
    smoke: Option<Vec<InputEntry>>,
    upstream: Vec<String>,
    bases: Vec<String>,
    problems: Vec<DockerfileProblem>,
}

fn collect_one(family: &Family, image: &Image) -> Result<One, GatherError> {
    let failed = |error| GatherError::Input(image.id.clone(), error);
    let request = Request::new(&family.root, image);
    let collected = inputs::collect(&request).map_err(failed)?;
    let smoke = match &image.smoke {
        Some(smoke) => Some(inputs::collect_files(&family.root, &smoke.inputs).map_err(failed)?),
        None => None,
    };
    let (external, problems) = dockerfile(family, image, &request)?;
    let mut bases: Vec<String> = external
        .iter()
        .filter(|reference| reference.role == Role::From && !reference.other_platform)
        .map(|reference| reference.image.clone())
        .collect();
    bases.dedup();
    let mut upstream: Vec<String> = external.into_iter().map(|reference| reference.image).collect();
    upstream.extend(image.build.contexts.values().filter_map(|context| match context {
        BuildContext::Image(reference) => Some(reference.clone()),
        BuildContext::Folder(_) => None,
    }));
    upstream.sort();
    upstream.dedup();
    Ok(One {
        collected,
        smoke,
        upstream,
        bases,
        problems,
    })
}

/// What the Dockerfile of `image` builds on from outside, and what is wrong with it.
#[expect(clippy::disallowed_methods, reason = "the Dockerfile is an input, and small")]
fn dockerfile(
    family: &Family,
    image: &Image,
    request: &Request<'_>,
) -> Result<(Vec<External>, Vec<DockerfileProblem>), GatherError> {
    let failed = |error| GatherError::Input(image.id.clone(), error);
    let path = family.root.join(&image.dockerfile);
    let text = std::fs::read(&path).map_err(|error| {
        failed(InputError::Read {
            path: path.clone().into(),
            source: error,
        })
    })?;
    let file = Dockerfile::parse(&String::from_utf8_lossy(&text));
    // What a version will be is not known yet, and no base is chosen by one.
    let args: BTreeMap<String, String> = image
        .build
        .args
        .iter()
        .filter_map(|(name, template)| Some((name.clone(), template.render(|_| None).ok()?)))
        .collect();
    let contexts: Vec<&str> = image.build.contexts.keys().map(String::as_str).collect();
    let scope = Scope {
        args: Some(&args),
        platforms: &image.platforms,
        contexts: &contexts,
        base_arg: image.base_arg.as_deref(),
    };
    let paths = inputs::context_paths(request).map_err(failed)?;
    let checks = Checks {
        name: &image.dockerfile,
        file: &file,
        scope,
        versions: &image.versions,
        inputs: image.inputs.as_deref(),
        paths: &paths,
    };
    let problems = check(&checks).into_iter();
    let problems = problems.map(|problem| DockerfileProblem {
        message: problem.to_string(),
        hint: problem.hint,
    });
    let external = references(&file, &scope).external.into_iter();
    let external = external.filter(|reference| !reference.is_pinned());
    Ok((external.collect(), problems.collect()))
}

/// Refuses sources that do not fit: Dockerfiles at odds with the configuration, junk that would reach a build.
///
/// # Errors
/// They do not fit.
pub(super) fn refuse_unfit(family: &Family, sources: &Sources) -> Result<(), GatherError> {
    if !sources.problems.is_empty() {
        return Err(GatherError::Dockerfile(sources.problems.clone()));
    }
    for image in &family.images {
        if let Some(collected) = sources.collected.get(&image.id)
            && !collected.junk.is_empty()
        {
            return Err(GatherError::Junk {
                image: image.id.clone(),
                junk: collected.junk.clone(),
            });
        }
    }
    Ok(())
}

/// The commit that the sources are at, with `-dirty` behind it when tracked files differ from it; `None` outside a git work tree.
pub(super) async fn revision(
    family: &Family,
    environment: &Environment,
    cancel: &CancellationToken,
) -> Option<String> {
    let root = environment.directory().join(&family.root);
    if !root.ancestors().any(|folder| folder.join(".git").exists()) {
        return None;
    }
    let command = Command::new("git")
        .args(["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"])
        .env("GIT_OPTIONAL_LOCKS", "0")
        .dir(root);
    let output = process::output(&command, Some(Duration::from_secs(30)), cancel)
        .await
        .ok()?;
    let revision = output.stdout.trim();
    (output.ended == Ended::Exited(0) && !revision.is_empty()).then(|| revision.to_owned())
}

/// An image reference as Dockerfiles write it: `debian:bookworm-slim`, `docker-image://ghcr.io/acme/tool@sha256:…`. Without tag and digest it is `latest`.
///
/// # Errors
/// It is not one.
pub fn parse_reference(text: &str) -> Result<(Repository, Reference), InvalidText> {
    let text = text.strip_prefix("docker-image://").unwrap_or(text);
    if let Some((name, digest)) = text.split_once('@') {
        let digest: Digest = digest.parse()?;
        let name = untagged(name).0;
        return Ok((name.parse()?, Reference::Digest(digest)));
    }
    let (name, tag) = untagged(text);
    let tag: Tag = tag.unwrap_or("latest").parse()?;
    Ok((name.parse()?, Reference::Tag(tag)))
}

/// Splits the tag off: a colon after the last slash is one, before it is a port.
fn untagged(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let digest = Digest::of(b"");
        for (text, repository, at) in [
            (
                "debian:bookworm-slim",
                "docker.io/library/debian",
                "bookworm-slim".to_owned(),
            ),
            (
                "localhost:5000/acme/x",
                "localhost:5000/acme/x",
                "latest".to_owned(),
            ),
            ("docker-image://a.b/c:1", "a.b/c", "1".to_owned()),
            (&format!("a.b:1/c:2@{digest}"), "a.b:1/c", digest.to_string()),
        ] {
            let (name, reference) = parse_reference(text).unwrap();
            assert_eq!(
                (name.to_string().as_str(), reference.to_string()),
                (repository, at)
            );
        }
        for text in ["Debian", "a@sha256:1", "", "a:b c"] {
            assert!(parse_reference(text).is_err(), "{text}");
        }
    }
}
