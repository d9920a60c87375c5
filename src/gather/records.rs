//! Finding the records of a family among those of others.

use super::{GatherError, probe};
use crate::config::Family;
use crate::domain::{Digest, Mark, Repository, Version};
use crate::record::Record;
use crate::target::{FailureClass, Target, TargetError};

/// The records of a family.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// Of the version that was asked for.
    pub(super) own: Option<Record>,
    /// The newest.
    pub(super) newest: Option<Record>,
    /// The digest of the artifact that the newest is.
    pub(super) newest_digest: Option<Digest>,
    /// What their tags carry.
    pub(super) mark: Mark,
    /// Whose records were there first.
    pub(super) first: Option<String>,
}

/// The records of `version` and of the newest release.
///
/// The first family in a repository has the tags without a mark. Whoever finds those of another family there keeps its own beside them.
pub(super) async fn records<T: Target>(
    target: &T,
    family: &Family,
    version: Option<&Version>,
) -> Result<Records, GatherError> {
    let repository = family.work();
    let plain = at(target, repository, version, Mark::default()).await?;
    let first = [&plain.newest, &plain.own].into_iter().flatten().next();
    match first.map(|record| record.family.clone()) {
        Some(first) if first == family.name => Ok(plain),
        Some(first) => {
            let marked = at(target, repository, version, Mark::of(&family.name)).await?;
            ours(family, &marked)?;
            Ok(Records {
                first: Some(first),
                ..marked
            })
        }
        // Its own records are never lost sight of, though those that were there first are gone.
        None => {
            let marked = at(target, repository, version, Mark::of(&family.name)).await?;
            ours(family, &marked)?;
            Ok(if marked.newest.is_some() { marked } else { plain })
        }
    }
}

/// The record of a release, or of the newest; `None` where there is none.
///
/// # Errors
/// It could not be read, or is another family's.
pub async fn record<T: Target>(
    target: &T,
    family: &Family,
    version: Option<&Version>,
) -> Result<Option<Record>, GatherError> {
    let records = records(target, family, version).await?;
    Ok(match version {
        Some(_) => records.own,
        None => records.newest,
    })
}

async fn at<T: Target>(
    target: &T,
    repository: &Repository,
    version: Option<&Version>,
    mark: Mark,
) -> Result<Records, GatherError> {
    let newest = mark.newest_record();
    let own = async {
        match version.map(|version| mark.record(version)) {
            Some(tag) => probe::record(target, repository, &tag).await,
            None => Ok(None),
        }
    };
    let (own, newest) = tokio::try_join!(own, probe::record_and_digest(target, repository, &newest))?;
    let (newest, newest_digest) = newest.unzip();
    Ok(Records {
        own,
        newest,
        newest_digest,
        mark,
        first: None,
    })
}

/// Two families of different names can only have the same mark where the name of one is the hash of the other's.
fn ours(family: &Family, records: &Records) -> Result<(), TargetError> {
    let foreign = [&records.newest, &records.own]
        .into_iter()
        .flatten()
        .find(|record| record.family != family.name);
    foreign.map_or(Ok(()), |record| {
        Err(TargetError {
            attempted: format!(
                "read the records of family `{}` in `{}`",
                family.name,
                family.work()
            ),
            reason: format!(
                "`{}` holds those of family `{}`",
                records.mark.newest_record(),
                record.family
            ),
            status: None,
            codes: Vec::new(),
            class: FailureClass::Permanent,
            retry_after: None,
            hints: vec!["give one of the families a `work-repository` of its own".to_owned()],
            write: false,
        })
    })
}
