//! All records of a repository.

use super::probe;
use crate::config::Family;
use crate::domain::{Mark, Repository, Tag};
use crate::record::Record;
use crate::target::TargetError;
use crate::target::upkeep::Upkeep;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

/// Records that are read at the same time.
const AT_ONCE: usize = 16;

/// A record where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The tag.
    pub tag: Tag,
    /// What it holds.
    pub record: Record,
}

impl Recorded {
    /// Whether this is the tag of one release. The others are `_release` and `_release.NAME`, which hold the newest once more.
    #[must_use]
    pub fn is_own(&self) -> bool {
        let version = &self.record.version;
        [Mark::default(), Mark::of(&self.record.family)]
            .iter()
            .any(|mark| mark.record(version) == self.tag)
    }
}

/// All records among `tags` of a repository, of all families in it, those of the newest releases too.
///
/// # Errors
/// One of them could not be read, or is none that this version understands.
pub async fn all_records<T: Upkeep>(
    target: &T,
    repository: &Repository,
    tags: &[Tag],
) -> Result<Vec<Recorded>, TargetError> {
    let of_records = tags.iter().filter(|tag| tag.is_record()).cloned();
    let read = stream::iter(of_records).map(|tag| async move {
        let record = probe::record(target, repository, &tag).await?;
        // What is gone since the tags were listed is no record any more.
        Ok::<_, TargetError>(record.map(|record| Recorded { tag, record }))
    });
    let found: Vec<Option<Recorded>> = read.buffered(AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// The records of the family's releases, the newest first.
///
/// # Errors
/// The tags or a record could not be read.
pub async fn history<T: Upkeep>(target: &T, family: &Family) -> Result<Vec<Record>, TargetError> {
    let repository = family.work();
    let tags = target.tags(repository).await?;
    let all = all_records(target, repository, &tags).await?;
    let own = all
        .into_iter()
        .filter(|recorded| recorded.record.family == family.name && recorded.is_own());
    let mut records: Vec<Record> = own.map(|recorded| recorded.record).collect();
    newest_first(&mut records);
    Ok(records)
}

/// By when they were begun, the newest first; of those that began in the same second, the one that was written last.
pub fn newest_first(records: &mut [Record]) {
    records.sort_by(|left, right| {
        (right.started, right.updated, right.version.as_str()).cmp(&(
            left.started,
            left.updated,
            left.version.as_str(),
        ))
    });
}
