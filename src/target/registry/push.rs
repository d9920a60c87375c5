//! Writing: tags, small blobs, and finding out whether writing is allowed.

use super::Registry;
use super::auth::Access;
use super::exchange::{Answer, Place, Request};
use super::failure::Operation;
use crate::domain::{Digest, Repository, Tag};
use crate::target::{FailureClass, RawManifest, Reference, TargetError};
use bytes::Bytes;
use reqwest::{Method, Url};
use std::time::Duration;
use tokio::time::Instant;

/// First pause while a written tag does not read as what was written; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long to wait where what is read is neither what was written nor what stood there before: a stale read is hardly that.
const FOREIGN: Duration = Duration::from_secs(2);

/// What stood under a tag before it was written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Before {
    /// This, or nothing.
    Was(Option<Digest>),
    /// Nobody looked.
    Unknown,
}

impl Registry {
    /// PUT, then HEAD until the tag reads as what was written: a read straight after a write may give the old value or a 500. `before` is what stood there,
    /// where that is known.
    pub(super) async fn write_tag(
        &self,
        repository: &Repository,
        tag: &Tag,
        manifest: &RawManifest,
        before: Before,
    ) -> Result<(), TargetError> {
        let operation = Operation::write(repository, format_args!("`{tag}`"));
        proven(&operation, manifest)?;
        let request = Request {
            content_type: Some(manifest.media_type.clone()),
            body: Some(manifest.bytes.clone()),
            ..Request::new(Method::PUT, repository, Access::Push, format!("manifests/{tag}"))
        };
        self.retrying(|| async {
            let answer = self.checked(&operation, &request).await?;
            is_taken(&operation, &answer, manifest.digest)
        })
        .await?;
        self.read_back(repository, tag, manifest.digest, before).await
    }

    async fn read_back(
        &self,
        repository: &Repository,
        tag: &Tag,
        written: Digest,
        before: Before,
    ) -> Result<(), TargetError> {
        let operation = Operation::on(repository, format!("read back `{tag}` of `{repository}`"), true);
        let reference = Reference::from(tag);
        let began = Instant::now();
        let mut deadline = began + self.0.options.read_back;
        let mut pause = FIRST_PAUSE;
        let mut reads = 0;
        loop {
            reads += 1;
            let read = match self.head_once(&operation, repository, &reference).await {
                Ok(Some(digest)) => Ok(digest),
                Ok(None) => self
                    .get_once(&operation, repository, &reference)
                    .await
                    .map(|manifest| manifest.digest),
                Err(error) => Err(error),
            };
            let failed = match read {
                Ok(digest) if digest == written => return Ok(()),
                Ok(digest) => {
                    if matches!(before, Before::Was(seen) if seen != Some(digest)) {
                        deadline = deadline.min(began + FOREIGN);
                    }
                    let (why, hint) = if matches!(before, Before::Was(Some(seen)) if seen == digest) {
                        let why = format!("{digest} is still read, which stood there before");
                        (
                            why,
                            "does a cache before the registry answer? Then wait until it has forgotten, and run this again",
                        )
                    } else {
                        let why = format!("{digest} is there: somebody else writes this tag too");
                        (
                            why,
                            "see who else releases into this repository; then run this again",
                        )
                    };
                    TargetError {
                        hints: vec![hint.to_owned()],
                        ..operation.error(
                            FailureClass::Conflict,
                            format!("{written} was written, and {why}"),
                        )
                    }
                }
                Err(error) if error.class != FailureClass::Transient && error.status != Some(404) => {
                    return Err(self.redact(error));
                }
                Err(error) => self.redact(error),
            };
            // A read that got no answer may have taken all of the time, and says nothing: it is tried as often as any other.
            let again = failed.class == FailureClass::Transient && reads < self.0.retry.attempts;
            if Instant::now() + pause > deadline && !again {
                return Err(failed);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// HEAD, and when it is not there POST and PUT. Every retry begins anew: a broken upload cannot be trusted.
    pub(super) async fn upload(&self, repository: &Repository, bytes: Bytes) -> Result<Digest, TargetError> {
        let digest = Digest::of(&bytes);
        let operation = Operation::write(repository, format_args!("blob `{digest}`"));
        self.retrying(|| self.upload_once(&operation, repository, &digest, &bytes))
            .await?;
        Ok(digest)
    }

    async fn upload_once(
        &self,
        operation: &Operation,
        repository: &Repository,
        digest: &Digest,
        bytes: &Bytes,
    ) -> Result<(), TargetError> {
        let head = Request::new(Method::HEAD, repository, Access::Push, format!("blobs/{digest}"));
        match self.checked(operation, &head).await {
            Ok(answer) if !is_page(&answer) => return Ok(()),
            Err(error) if error.class == FailureClass::Transient => return Err(error),
            // Not there, or not to be seen: the upload will tell.
            _ => {}
        }
        let opened = self.open_upload(operation, repository).await?;
        let mut url = location(operation, &opened)?;
        drop(opened);
        url.query_pairs_mut().append_pair("digest", &digest.to_string());
        let put = Request {
            place: Place::Url(url),
            content_type: Some("application/octet-stream".to_owned()),
            body: Some(bytes.clone()),
            ..Request::new(Method::PUT, repository, Access::Push, "")
        };
        let answer = self.checked(operation, &put).await?;
        is_taken(operation, &answer, *digest)
    }

    pub(super) async fn open_upload(
        &self,
        operation: &Operation,
        repository: &Repository,
    ) -> Result<Answer, TargetError> {
        let post = Request::new(Method::POST, repository, Access::Push, "blobs/uploads/");
        self.checked(operation, &post).await
    }

    /// Not every registry can cancel; an upload that is left open goes away by itself.
    pub(super) async fn cancel_upload(&self, operation: &Operation, repository: &Repository, url: Url) {
        let delete = Request {
            place: Place::Url(url),
            ..Request::new(Method::DELETE, repository, Access::Push, "")
        };
        let _ = self.checked(operation, &delete).await;
    }

    /// Whether an upload can be opened.
    pub(super) async fn probe_push(&self, repository: &Repository) -> Result<bool, TargetError> {
        match self.open_and_cancel(repository).await {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.status, Some(401 | 403 | 404)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Opens an upload and cancels it.
    pub(super) async fn open_and_cancel(&self, repository: &Repository) -> Result<(), TargetError> {
        let attempted = format!("ask whether this account may push to `{repository}`");
        let operation = Operation::on(repository, attempted, false);
        let url = self
            .retrying(|| async {
                let answer = self.open_upload(&operation, repository).await?;
                if answer.status != reqwest::StatusCode::ACCEPTED {
                    return Err(operation.permanent(format!("answered {} instead of 202", answer.status)));
                }
                location(&operation, &answer)
            })
            .await?;
        self.cancel_upload(&operation, repository, url).await;
        Ok(())
    }
}

/// Whether this is the page of somebody before the registry: no registry answers anything but errors with one.
pub(super) fn is_page(answer: &Answer) -> bool {
    let kind = answer.header("content-type").unwrap_or_default();
    kind.starts_with("text/html")
}

/// Whether a PUT or a mount did what its status says: some that stand before a registry answer everything with 200 and a page. The digest that a registry
/// names in its answer, where it names one (some name the tag), is that of the bytes that it got: a tag lets it take any, and with some a digest in the path does too.
pub(super) fn is_taken(operation: &Operation, answer: &Answer, sent: Digest) -> Result<(), TargetError> {
    if is_page(answer) {
        let reason = format!("{} with a page, which no registry answers to this", answer.status);
        return Err(TargetError {
            hints: vec!["see what answers there: is this a registry, or a page before it?".to_owned()],
            ..operation.permanent(reason)
        });
    }
    let got = answer
        .header("docker-content-digest")
        .and_then(|digest| digest.parse::<Digest>().ok());
    match got {
        Some(got) if got != sent => Err(operation.error(
            FailureClass::Transient,
            format!("{sent} was sent, and the registry says that it got {got}: the bytes changed on the way"),
        )),
        _ => Ok(()),
    }
}

/// Some registries take other bytes under a digest than those that have it.
pub(super) fn proven(operation: &Operation, manifest: &RawManifest) -> Result<(), TargetError> {
    if Digest::of(&manifest.bytes) == manifest.digest {
        return Ok(());
    }
    Err(operation.permanent("the manifest's bytes do not have its digest"))
}

/// Where an upload goes on: may be relative, and its query belongs to it.
pub(super) fn location(operation: &Operation, answer: &Answer) -> Result<Url, TargetError> {
    let url = answer
        .header("location")
        .and_then(|location| answer.url.join(location).ok())
        .ok_or_else(|| {
            operation.permanent("the registry opened an upload without saying where (`Location`)")
        })?;
    let downgraded = answer.url.scheme() == "https" && url.scheme() != "https";
    if downgraded || !matches!(url.scheme(), "http" | "https") {
        return Err(operation.permanent("the registry sends the upload to a URL without TLS"));
    }
    Ok(url)
}
