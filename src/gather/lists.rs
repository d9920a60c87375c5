//! The published lists of inputs: what changed since the image that an alias points at.

use crate::config::{Family, VersionSource};
use crate::domain::{Digest, Identity, IdentityTags, ImageId, PublicTag};
use crate::facts::Facts;
use crate::inputs::{Change, InputList, LIST_LIMIT, LIST_TYPE, Subject, ValueKind, changes};
use crate::plan::{Options, publish::Names};
use crate::record::Record;
use crate::target::images::{contents, required};
use crate::target::{Presence, Reference, Target, TargetError, artifact};
use crate::versions;
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// Lists that were read, or are being read.
type Read = Mutex<BTreeMap<(ImageId, Identity), Arc<OnceCell<Found>>>>;
type Found = Result<Option<Arc<InputList>>, TargetError>;

/// The lists that a family has published. Each is read once, and only when it is asked for.
pub(super) struct Lists<'a, T> {
    target: &'a T,
    family: &'a Family,
    read: Read,
}

impl<'a, T: Target> Lists<'a, T> {
    pub(super) const fn new(target: &'a T, family: &'a Family) -> Self {
        Self {
            target,
            family,
            read: Mutex::new(BTreeMap::new()),
        }
    }

    /// The list of `image` under `identity`; `None` where it was not published.
    async fn of(&self, image: &ImageId, identity: Identity) -> Found {
        let cell = {
            let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            read.entry((image.clone(), identity)).or_default().clone()
        };
        let list = cell.get_or_init(|| async {
            let found = read_list(self.target, self.family, image, identity).await?;
            Ok(found.map(Arc::new))
        });
        list.await.clone()
    }

    /// What changed of an image, and of the base that it stands on, from the identity `before` to the list that it has `now`. `None` where the
    /// list of `before` was not published.
    pub(super) async fn changes(
        &self,
        before: Identity,
        now: &InputList,
        base: Option<&InputList>,
    ) -> Result<Option<Vec<Change>>, TargetError> {
        let Some(before) = self.of(&now.image, before).await? else {
            return Ok(None);
        };
        let sources = sources(self.family);
        let mut found = changes(&before, now, &sources);
        let on_base = |change: &&mut Change| change.kind == Subject::Value(ValueKind::Base);
        if let (Some(change), Some(then), Some(base)) = (found.iter_mut().find(on_base), before.base(), base)
            && let Some(then) = self.of(&ImageId::Base, then).await?
        {
            change.because = changes(&then, base, &sources);
        }
        Ok(Some(found))
    }
}

async fn read_list<T: Target>(
    target: &T,
    family: &Family,
    image: &ImageId,
    identity: Identity,
) -> Result<Option<InputList>, TargetError> {
    let (repository, tag) = (family.work(), IdentityTags::new(image, &identity).inputs());
    let raw = match target.manifest(repository, &Reference::from(&tag)).await {
        Presence::Present(raw) => raw,
        Presence::Absent => return Ok(None),
        Presence::Unknown(error) => return Err(error),
    };
    let what = format!("the list of inputs `{tag}`");
    let bytes = artifact::document(target, repository, &raw, LIST_TYPE, LIST_LIMIT, &what).await?;
    InputList::read(&bytes, image, &identity)
        .map(Some)
        .map_err(|error| artifact::failure(format!("read {what} of `{repository}`"), error.to_string()))
}

/// What each version is one of: the package, the repository. A command or a value has no name but its argument's.
fn sources(family: &Family) -> BTreeMap<String, String> {
    let named = family.versions.iter().filter_map(|(name, source)| {
        let of = match source {
            VersionSource::Npm { package, .. } => package.clone(),
            VersionSource::Git { .. } => {
                let text = versions::source_text(source);
                let url = text.strip_prefix("git:")?.rsplit_once('#')?.0;
                url.to_owned()
            }
            VersionSource::Command { .. } | VersionSource::Value { .. } => return None,
        };
        Some((name.clone(), of))
    });
    named.collect()
}

/// The identity of what an alias points at: as the newest record knows it, or else as it says of itself. `None` where neither does.
pub(super) async fn identity_under<T: Target>(
    target: &T,
    family: &Family,
    newest: Option<&Record>,
    (alias, image): (&PublicTag, &ImageId),
    digest: Digest,
) -> Result<Option<Identity>, TargetError> {
    let known = newest.into_iter().flat_map(|newest| &newest.images);
    let known = known
        .filter(|known| known.image == *image)
        .find(|known| known.digest == Some(digest));
    if let Some(known) = known {
        return Ok(Some(known.identity));
    }
    let repository = alias.repository(&family.repository);
    let raw = required(target, repository, digest).await?;
    Ok(contents(target, repository, &raw, false).await?.identity)
}

/// Fills in what changed of those images that are not there and have an alias that stands. Nothing is asked for the others; what cannot be
/// found out is a warning, for the plan needs none of it.
pub(super) async fn fill<T: Target>(
    family: &Family,
    facts: &mut Facts,
    options: &Options,
    names: &Names,
    target: &T,
) {
    let lists = Lists::new(target, family);
    let hash = |id: &ImageId| family.image(id).map(|image| image.hash).unwrap_or_default();
    let base = facts.images.iter().find(|fact| fact.image == ImageId::Base);
    let base = base.map(|fact| fact.list(hash(&fact.image)));
    let chosen = |id: &ImageId| match (&options.variants, id) {
        (Some(wanted), ImageId::Variant(name)) => wanted.contains(name),
        _ => true,
    };
    let found = facts.images.iter().map(|fact| {
        let (lists, base, newest) = (&lists, base.as_ref(), facts.newest.as_ref());
        let stands = fact.index.is_some() || !fact.platforms.is_empty();
        let mut aliases = names.aliases.iter().filter(|(_, image)| *image == fact.image);
        let alias = aliases
            .find_map(|(alias, _)| Some((alias, *facts.tags.get(alias)?)))
            .filter(|_| !stands && chosen(&fact.image));
        async move {
            let Some((alias, digest)) = alias else {
                return Ok(Vec::new());
            };
            let under = (alias, &fact.image);
            let before = match identity_under(target, family, newest, under, digest).await? {
                Some(before) if before != fact.identity => before,
                _ => return Ok(Vec::new()),
            };
            let now = fact.list(hash(&fact.image));
            let found = lists.changes(before, &now, base).await?;
            Ok::<_, TargetError>(found.unwrap_or_default())
        }
    });
    let found = join_all(found).await;
    for (fact, found) in facts.images.iter_mut().zip(found) {
        match found {
            Ok(changes) => fact.changes = changes,
            Err(error) => {
                let image = &fact.image;
                facts
                    .warnings
                    .push(format!("what changed of {image} is not known: {error}"));
            }
        }
    }
}
