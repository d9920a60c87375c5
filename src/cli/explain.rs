//! `explain`: what changed of each image since what its alias points at, and so why a release would build it.

use super::args::ExplainArgs;
use super::failure::Failure;
use super::session::Session;
use crate::config::Family;
use crate::domain::{Digest, ExitCode, Identity, IdentityTags, ImageId, PublicTag, Repository, Tag};
use crate::domain::{TargetRef, Version};
use crate::gather::{self, Against, Explained, Verdict};
use crate::inputs::Change;
use crate::report::{self, Explanation, Finding};
use serde::Serialize;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    repository: &'a Repository,
    target: TargetRef,
    images: Vec<ImageDocument<'a>>,
}

#[derive(Serialize)]
struct ImageDocument<'a> {
    image: &'a ImageId,
    identity: Option<Identity>,
    tag: Option<Tag>,
    state: &'static str,
    unresolved: &'a [String],
    against: Option<AgainstDocument<'a>>,
    changes: &'a [Change],
}

#[derive(Serialize)]
struct AgainstDocument<'a> {
    alias: &'a PublicTag,
    digest: Digest,
    version: Option<&'a Version>,
    identity: Option<Identity>,
}

pub(super) async fn run(session: &Session, args: ExplainArgs) -> Result<ExitCode, Failure> {
    let family = session.family()?;
    if let Some(image) = &args.image {
        known(&family, image)?;
    }
    let pins = session.pins(&family, false)?;
    let target = session.target(&family, &session.asked_target())?;
    let world = session.world(&family, &target);
    let chosen = &session.global.variants;
    let wanted = |image: &ImageId| match (&args.image, image) {
        (Some(wanted), _) => wanted == image,
        (None, ImageId::Variant(name)) => chosen.is_empty() || chosen.contains(name),
        (None, ImageId::Base) => true,
    };
    let (explained, warnings) = gather::explain(&family, &pins, wanted, &world).await?;
    for warning in &warnings {
        session.warn(warning);
    }
    if session.is_json() {
        session.json(&Document {
            schema: 1,
            repository: &family.repository,
            target: session.asked_target(),
            images: explained.iter().map(document).collect(),
        })?;
    } else {
        let shown: Vec<_> = explained.iter().map(explanation).collect();
        session.stdout.write(&report::explanation(&shown));
    }
    Ok(ExitCode::Done)
}

fn known(family: &Family, image: &ImageId) -> Result<(), Failure> {
    if family.image(image).is_some() {
        return Ok(());
    }
    let all: Vec<_> = family.images.iter().map(|image| image.id.to_string()).collect();
    let message = format!(
        "there is no image `{image}` in this family; there are: {}",
        all.join(", ")
    );
    Err(Failure::new(ExitCode::Usage, message))
}

fn tag(explained: &Explained) -> Option<Tag> {
    let identity = explained.identity.as_ref()?;
    Some(IdentityTags::new(&explained.image, identity).index())
}

fn document(explained: &Explained) -> ImageDocument<'_> {
    let (state, unresolved, changes): (_, &[String], &[Change]) = match &explained.verdict {
        Verdict::Open(unresolved) => ("open", unresolved, &[]),
        Verdict::New => ("new", &[], &[]),
        Verdict::Unmarked => ("unmarked", &[], &[]),
        Verdict::Unchanged => ("unchanged", &[], &[]),
        Verdict::Unpublished => ("unpublished", &[], &[]),
        Verdict::Changed(changes) => ("changed", &[], changes),
    };
    ImageDocument {
        image: &explained.image,
        identity: explained.identity,
        tag: tag(explained),
        state,
        unresolved,
        against: explained.against.as_ref().map(|against| AgainstDocument {
            alias: &against.alias,
            digest: against.digest,
            version: against.version.as_ref(),
            identity: against.identity,
        }),
        changes,
    }
}

fn explanation(explained: &Explained) -> Explanation {
    let since = explained.against.as_ref().map(since).unwrap_or_default();
    let before = explained.against.as_ref().and_then(|against| against.identity);
    let before = before.map(|before| IdentityTags::new(&explained.image, &before));
    let finding = match &explained.verdict {
        Verdict::Open(unresolved) => Finding::Unknown(format!("open: {}", unresolved.join(", "))),
        Verdict::New => Finding::Different("new: no alias of it stands".to_owned()),
        Verdict::Unmarked => Finding::Unknown(format!(
            "not known: {since} does not say of which identity it is, and no record knows it"
        )),
        Verdict::Unchanged => Finding::Same(format!("unchanged since {since}")),
        Verdict::Unpublished => {
            let missing = before.map_or_else(String::new, |tags| format!(" `{}`", tags.inputs()));
            Finding::Unknown(format!(
                "changed since {since}, and what is not known: the list{missing} was not published"
            ))
        }
        Verdict::Changed(changes) if changes.is_empty() => Finding::Unknown(format!(
            "changed since {since}, and the lists do not show what: a `concat` hash sees files that `.dockerignore` keeps out"
        )),
        Verdict::Changed(_) => Finding::Different(format!("changed since {since}")),
    };
    Explanation {
        image: explained.image.clone(),
        tag: tag(explained),
        finding,
        changes: match &explained.verdict {
            Verdict::Changed(changes) => changes.iter().flat_map(|change| rows(change, "")).collect(),
            _ => Vec::new(),
        },
    }
}

/// `latest-omos`, v1.2.3
fn since(against: &Against) -> String {
    let alias = &against.alias;
    match &against.version {
        Some(version) => format!("`{alias}`, {version}"),
        None => format!("`{alias}`"),
    }
}

/// A change, or what is behind it.
fn rows(change: &Change, before: &str) -> Vec<(String, String)> {
    let subject = format!("{before}{}", change.subject());
    if change.because.is_empty() {
        return vec![(subject, change.account())];
    }
    let before = format!("{subject}: ");
    change
        .because
        .iter()
        .flat_map(|change| rows(change, &before))
        .collect()
}
