//! What copying a release needs: what there is of it where it is, and what stands where it goes.

use super::all::{alive, recent};
use super::records::{Records, records};
use super::{GatherError, probe};
use crate::config::Family;
use crate::domain::{Digest, IdentityTags, Repository, Tag};
use crate::facts::Facts;
use crate::record::{Record, RecordImage};
use crate::target::images::{PlatformImage, contents};
use crate::target::transfer::Root;
use crate::target::{FailureClass, Presence, Reference, Target, TargetError};
use futures_util::future::try_join_all;

/// What a release is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parcel {
    /// What is copied.
    pub roots: Vec<Root>,
    /// The machine tags that go with it.
    pub tags: Vec<(Tag, Digest)>,
}

/// What the release of `record` is made of: the index of every image, and the machine tags that let a later run find what is built and tested.
///
/// # Errors
/// The registry could not be read, an index is not there, or a release tag is not where the record says.
pub async fn parcel<T: Target>(family: &Family, record: &Record, target: &T) -> Result<Parcel, GatherError> {
    let images = record.images.iter().map(|image| of_image(family, image, target));
    let mut parcel = Parcel::default();
    for (roots, tags) in try_join_all(images).await? {
        parcel.roots.extend(roots);
        parcel.tags.extend(tags);
    }
    Ok(parcel)
}

type Pieces = (Vec<Root>, Vec<(Tag, Digest)>);

async fn of_image<T: Target>(
    family: &Family,
    image: &RecordImage,
    target: &T,
) -> Result<Pieces, TargetError> {
    let work = family.work();
    let Some(digest) = image.digest else {
        return Ok(Pieces::default());
    };
    let tags = IdentityTags::new(&image.image, &image.identity);
    let root = Root {
        repository: place_of(family, image, digest, target).await?,
        digest,
    };
    let (mut roots, mut named) = (vec![root], vec![(tags.index(), digest)]);
    let mut add = |tag: Tag, digest: Digest| {
        roots.push(Root {
            repository: work.clone(),
            digest,
        });
        named.push((tag, digest));
    };
    for platform in &image.platforms {
        let tag = tags.platform(&platform.platform);
        // It may hold another image by now (`--rebuild`).
        if let Some(wrapper) = probe::current(target, work, &tag).await?
            && let Presence::Present(raw) = target.manifest(work, &Reference::Digest(wrapper)).await
        {
            let inside = contents(target, work, &raw, false).await?.platforms;
            let inside = inside.get(&platform.platform).map(PlatformImage::digest);
            if inside == Some(platform.digest) {
                add(tag, wrapper);
            }
        }
        if let Some(receipt) = &platform.receipt
            && probe::current(target, work, receipt).await? == Some(platform.digest)
        {
            add(receipt.clone(), platform.digest);
        }
    }
    // The list of its inputs, where one is kept beside it.
    if let Ok(inputs) = format!("{}-inputs", tags.index()).parse::<Tag>()
        && let Some(list) = probe::current(target, work, &inputs).await?
    {
        add(inputs, list);
    }
    Ok((roots, named))
}

/// Where the index of an image is: where users pull it, because that is where it is signed, or else with the machine tags.
async fn place_of<T: Target>(
    family: &Family,
    image: &RecordImage,
    digest: Digest,
    target: &T,
) -> Result<Repository, TargetError> {
    for tag in &image.tags {
        let repository = tag.repository(&family.repository);
        let there = probe::current(target, repository, tag.tag()).await?;
        if there != Some(digest) {
            let shown = there.map_or_else(|| "nothing".to_owned(), |there| there.to_string());
            return Err(TargetError {
                attempted: format!("read `{tag}` of `{repository}`"),
                reason: format!("{shown} is there, and the record of the release says {digest}"),
                status: None,
                codes: Vec::new(),
                class: FailureClass::Conflict,
                retry_after: None,
                hints: vec!["see who wrote the tag: what is copied must be what was released".to_owned()],
                write: false,
            });
        }
    }
    let public = image.tags.iter().chain(&image.aliases).next();
    let public = public.map(|tag| tag.repository(&family.repository));
    for repository in public.into_iter().chain([family.work()]) {
        match target.resolve(repository, &Reference::Digest(digest)).await {
            Presence::Present(_) => return Ok(repository.clone()),
            Presence::Absent => {}
            Presence::Unknown(error) => return Err(error),
        }
    }
    Ok(family.work().clone())
}

/// What stands where the release of `record` goes, whose tags are named as they are there.
///
/// # Errors
/// The registry could not be read.
pub async fn gather_copy<T: Target>(
    family: &Family,
    record: &Record,
    target: &T,
) -> Result<Facts, GatherError> {
    let Records {
        own,
        newest,
        newest_digest,
        mark,
        ..
    } = records(target, family, Some(&record.version)).await?;
    let of_own = own.as_ref().map(|own| own.images.as_slice()).unwrap_or_default();
    let tags = record
        .images
        .iter()
        .chain(of_own)
        .flat_map(|image| image.tags.iter().chain(&image.aliases))
        .cloned();
    let tags = probe::current_tags(target, &family.repository, tags).await?;
    let (alive, other_alive) = (alive(own.as_ref()), alive(newest.as_ref()));
    let recent = recent(own.as_ref(), target.time(family.work()));
    let aliases = record.images.iter().flat_map(|image| {
        let aliases = image.aliases.iter();
        aliases.map(|alias| (alias.clone(), image.image.clone()))
    });
    let aliases: Vec<_> = aliases.collect();
    let mut facts = Facts {
        tags,
        mark,
        record: own,
        alive,
        other_alive,
        recent,
        newest,
        newest_digest,
        ..Facts::default()
    };
    facts.named = Box::pin(super::recovery::named(target, family, &facts, &aliases)).await?;
    Ok(facts)
}
