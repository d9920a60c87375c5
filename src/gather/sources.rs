//! The sources of a family: inputs, Dockerfiles, smoke scripts, the commit that they are at.

use super::{DockerfileProblem, GatherError};
use crate::config::{Family, Image};
use crate::digest_cache::DigestCache;
use crate::domain::{Digest, ImageId, InvalidText, Repository, Tag};
use crate::environment::{Child, Environment};
use crate::inputs::dockerfile::{Dockerfile, Instruction, needs_paths, triggers, unclear};
use crate::inputs::{self, Collected, InputEntry, InputError, Listing, Request};
use crate::process::{self, Command, Ended};
use crate::target::Reference;
use camino::{Utf8Path, Utf8PathBuf};
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
    /// Each image's Dockerfile.
    pub dockerfiles: BTreeMap<ImageId, Arc<ReadDockerfile>>,
}

/// A Dockerfile that was read.
#[derive(Debug)]
pub struct ReadDockerfile {
    /// What it says.
    pub file: Dockerfile,
    /// What it can take from its context; empty where it takes none, or all.
    pub context: Listing,
    /// What of it cannot be known, with its lines: all of the context counts then.
    pub unclear: Vec<(usize, String)>,
    /// What the family's base has those do that are built on it.
    pub triggers: Vec<Instruction>,
}

/// Reads the sources of all images of the family, on threads of their own. Images with the same inputs share one reading of them. What is hashed is kept in
/// `digests`.
///
/// # Errors
/// Something is missing, or cannot be read.
pub async fn collect(family: &Family, digests: &Arc<DigestCache>) -> Result<Sources, GatherError> {
    let shared = Arc::new(family.clone());
    let mut groups: BTreeMap<Group<'_>, Vec<usize>> = BTreeMap::new();
    for (at, image) in family.images.iter().enumerate() {
        groups.entry(group(family, image)).or_default().push(at);
    }
    // In the order of the family, so that of several errors always the same one is told.
    let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
    groups.sort_unstable();
    let tasks: Vec<_> = groups
        .into_iter()
        .map(|group| {
            let (family, digests) = (shared.clone(), digests.clone());
            tokio::task::spawn_blocking(move || collect_group(&family, &group, &digests))
        })
        .collect();
    let mut sources = Sources::default();
    for task in tasks {
        let found = task
            .await
            .map_err(|error| GatherError::Worker(error.to_string()))??;
        for (id, one) in found {
            sources.collected.insert(id.clone(), one.collected);
            sources.dockerfiles.insert(id.clone(), one.dockerfile);
            if let Some(smoke) = one.smoke {
                sources.smoke.insert(id, smoke);
            }
        }
    }
    let digests = digests.clone();
    tokio::task::spawn_blocking(move || digests.save())
        .await
        .map_err(|error| GatherError::Worker(error.to_string()))?;
    Ok(sources)
}

/// All that says which files an image is made and tested of.
type Group<'a> = (
    &'a Utf8Path,
    &'a Utf8Path,
    Option<&'a [Utf8PathBuf]>,
    Vec<(&'a str, &'a Utf8Path)>,
    Option<&'a [Utf8PathBuf]>,
    Vec<(usize, String)>,
);

fn group<'a>(family: &'a Family, image: &'a Image) -> Group<'a> {
    let request = Request::new(&family.root, image);
    let smoke = image.smoke.as_ref().map(|smoke| smoke.inputs.as_slice());
    let unclear = request.unclear();
    (
        request.context,
        request.dockerfile,
        request.inputs,
        request.contexts,
        smoke,
        unclear,
    )
}

struct One {
    collected: Collected,
    smoke: Option<Vec<InputEntry>>,
    dockerfile: Arc<ReadDockerfile>,
}

/// Reads the sources of images that are made of the same files, at these places in the family.
fn collect_group(
    family: &Family,
    group: &[usize],
    digests: &DigestCache,
) -> Result<Vec<(ImageId, One)>, GatherError> {
    let mut images = group.iter().filter_map(|at| family.images.get(*at)).peekable();
    let Some(first) = images.peek() else {
        return Ok(Vec::new());
    };
    let failed = |error| GatherError::Input(first.id.clone(), error);
    let request = Request::new(&family.root, first);
    let collected = inputs::collect_with(&request, digests).map_err(failed)?;
    let smoke = match &first.smoke {
        Some(smoke) => Some(inputs::collect_files(&family.root, &smoke.inputs).map_err(failed)?),
        None => None,
    };
    let file = Dockerfile::parse(&dockerfile_text(&request).map_err(failed)?);
    let triggers = triggers_of_base(family);
    let context = if !triggers.is_empty() || needs_paths(&file, request.inputs) {
        inputs::context_listing(&request).map_err(failed)?
    } else {
        Listing::default()
    };
    let dockerfile = Arc::new(ReadDockerfile {
        unclear: unclear(&file, &request.given),
        file,
        context,
        triggers,
    });
    let read = images.map(|image| {
        let one = One {
            collected: collected.clone(),
            smoke: smoke.clone(),
            dockerfile: dockerfile.clone(),
        };
        (image.id.clone(), one)
    });
    Ok(read.collect())
}

/// The `ONBUILD` instructions of the family's base. One that cannot be read is told with the base itself.
fn triggers_of_base(family: &Family) -> Vec<Instruction> {
    let base = family.images.iter().find(|image| image.id == ImageId::Base);
    let read = base.and_then(|base| {
        let text = dockerfile_text(&Request::new(&family.root, base)).ok()?;
        let target = base.build.target.as_deref();
        Some(triggers(&Dockerfile::parse(&text), target))
    });
    read.unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "the Dockerfile is an input, and small")]
fn dockerfile_text(request: &Request<'_>) -> Result<String, InputError> {
    let path = request.root.join(request.dockerfile);
    match std::fs::read(&path) {
        Ok(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
        Err(source) => Err(InputError::Read {
            path: path.into(),
            source,
        }),
    }
}

/// Refuses sources that do not fit: Dockerfiles at odds with the configuration, junk that would reach a build.
///
/// # Errors
/// They do not fit.
pub(super) fn refuse_unfit(
    family: &Family,
    sources: &Sources,
    problems: &[DockerfileProblem],
) -> Result<(), GatherError> {
    if !problems.is_empty() {
        return Err(GatherError::Dockerfile(problems.to_vec()));
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
        .within(&environment.for_child(Child::Local))
        .dir(root);
    let output = process::output(&command, Some(Duration::from_secs(30)), cancel)
        .await
        .ok()?;
    let revision = output.stdout.trim();
    (output.ended == Ended::Exited(0) && !revision.is_empty()).then(|| revision.to_owned())
}

/// An image reference as Dockerfiles write it: `debian:bookworm-slim`, `ghcr.io/acme/tool@sha256:…`. Without tag and digest it is `latest`.
///
/// # Errors
/// It is not one.
pub fn parse_reference(text: &str) -> Result<(Repository, Reference), InvalidText> {
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
            (&format!("a.b:1/c:2@{digest}"), "a.b:1/c", digest.to_string()),
        ] {
            let (name, reference) = parse_reference(text).unwrap();
            assert_eq!(
                (name.to_string().as_str(), reference.to_string()),
                (repository, at)
            );
        }
        for text in ["Debian", "a@sha256:1", "", "a:b c", "docker-image://a.b/c:1"] {
            assert!(parse_reference(text).is_err(), "{text}");
        }
    }
}
