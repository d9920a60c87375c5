//! Whether what people pull bears the signature that the family asks for.

use super::check::{Finding, Kind, Verified};
use crate::config::Family;
use crate::domain::{Digest, Repository};
use crate::record::{Record, RecordImage};
use crate::sign::Cosign;
use crate::target::{Place, transfer};
use futures_util::stream::{self, StreamExt as _};
use tokio_util::sync::CancellationToken;

/// Programs of cosign at the same time.
const AT_ONCE: usize = 4;

/// Adds to `verified` what is said of the signature of each image of the release. Each is looked for in the repository that users pull the image
/// from, where [`crate::plan::SignStep`] put it.
pub async fn verify_signatures(
    place: &Place,
    cosign: Cosign<'_>,
    family: &Family,
    record: &Record,
    verified: &mut Verified,
    cancel: &CancellationToken,
) {
    let signed = record.images.iter().filter_map(|image| {
        let tag = image.tags.iter().chain(&image.aliases).next()?;
        Some((image, tag.repository(&family.repository).clone(), image.digest?))
    });
    let look = |(image, repository, digest)| async move {
        look(place, cosign, image, &repository, digest, cancel).await
    };
    let found: Vec<Option<Finding>> = stream::iter(signed)
        .map(look)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    verified.checked.signatures = found.len();
    verified.findings.extend(found.into_iter().flatten());
    verified.findings.sort();
}

async fn look(
    place: &Place,
    cosign: Cosign<'_>,
    image: &RecordImage,
    repository: &Repository,
    digest: Digest,
    cancel: &CancellationToken,
) -> Option<Finding> {
    let finding = |kind, detail| {
        Some(Finding {
            image: image.image.clone(),
            what: format!("signature of {digest}"),
            kind,
            detail,
        })
    };
    match transfer::is_signed(place, repository, digest).await {
        Err(error) => return finding(Kind::Unknown, error.to_string()),
        Ok(false) => return finding(Kind::Missing, format!("nothing in `{repository}` signs it")),
        Ok(true) => {}
    }
    match cosign.verify(repository, &digest, cancel).await {
        None | Some(Ok(())) => None,
        Some(Err(error)) if error.interrupted => finding(Kind::Unknown, "interrupted".to_owned()),
        // There is one, and cosign could be run: what it says is told as it is.
        Some(Err(error)) => {
            let said = error
                .output
                .iter()
                .map(|line| line.trim())
                .rfind(|line| !line.is_empty());
            let said = said.map_or_else(String::new, |line| format!(": {line}"));
            finding(Kind::Damaged, format!("`cosign verify` does not take it{said}"))
        }
    }
}
