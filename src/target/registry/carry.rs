//! The pieces of which carrying a release elsewhere is made: blobs as they come, manifests by digest, and what refers to a digest.

use super::Registry;
use super::auth::Access;
use super::exchange::{Place, Request};
use super::failure::Operation;
use super::pipe::Pipe;
use super::push::{is_page, is_taken, location, proven};
use crate::domain::{Digest, Repository};
use crate::target::oci::{self, Descriptor};
use crate::target::transfer::{ByteStream, How};
use crate::target::{RawManifest, TargetError};
use reqwest::Method;
use serde_json::Value;

/// Longest list of referrers that is read, in bytes: as any other manifest (distribution specification, "Pushing manifests").
const REFERRERS_LIMIT: usize = 4 * 1024 * 1024;

/// The descriptors in a page of referrers.
pub(super) fn descriptors_in(page: &[u8]) -> Option<Vec<Value>> {
    let mut list: Value = serde_json::from_slice(page).ok()?;
    match list.get_mut("manifests")?.take() {
        Value::Array(descriptors) => Some(descriptors),
        _ => None,
    }
}

impl Registry {
    /// The bytes of a blob as they come; whoever takes them sees to their digest. One attempt.
    pub(in crate::target) async fn open_blob(
        &self,
        repository: &Repository,
        blob: &Descriptor,
    ) -> Result<ByteStream, TargetError> {
        let operation = Operation::read(repository, format_args!("blob `{}`", blob.digest));
        let get = Request {
            weight: blob.size,
            ..Request::new(
                Method::GET,
                repository,
                Access::Pull,
                format!("blobs/{}", blob.digest),
            )
        };
        Ok(self.checked(&operation, &get).await?.stream())
    }

    /// Brings a blob into a repository, unless it is there: mounted from `from`, a repository of the same registry, or else read by `open`. The
    /// registry proves its digest. Each try reads it anew, and first asks whether the one before has come through after all.
    pub(in crate::target) async fn carry_blob<F>(
        &self,
        to: &Repository,
        blob: &Descriptor,
        from: Option<&Repository>,
        open: impl Fn() -> F + Send + Sync,
    ) -> Result<How, TargetError>
    where
        F: Future<Output = Result<ByteStream, TargetError>> + Send,
    {
        let operation = &Operation::write(to, format_args!("blob `{}`", blob.digest));
        let open = &open;
        self.retrying(|| async move {
            let head = Request::new(Method::HEAD, to, Access::Push, format!("blobs/{}", blob.digest));
            match self.checked(operation, &head).await {
                Ok(answer) if !is_page(&answer) => return Ok(How::There),
                // The upload will tell.
                Ok(_) => {}
                Err(error) if error.status == Some(404) => {}
                Err(error) => return Err(error),
            }
            let upload = match from {
                Some(from) => match self.mount(operation, from, to, blob).await? {
                    None => return Ok(How::Mounted),
                    Some(upload) => upload,
                },
                None => location(operation, &self.open_upload(operation, to).await?)?,
            };
            let body = open().await?;
            let mut url = upload;
            url.query_pairs_mut()
                .append_pair("digest", &blob.digest.to_string());
            let pipe = Pipe::new(body, blob.size);
            let put = Request {
                place: Place::Url(url),
                content_type: Some("application/octet-stream".to_owned()),
                piped: Some(&pipe),
                ..Request::new(Method::PUT, to, Access::Push, "")
            };
            let answer = self.checked(operation, &put).await?;
            is_taken(operation, &answer, blob.digest)?;
            Ok(How::Copied)
        })
        .await
    }

    /// Does `attempt` as often as the retry policy allows.
    pub(in crate::target) async fn trying<T: Send, F: Future<Output = Result<T, TargetError>> + Send>(
        &self,
        attempt: impl Fn() -> F + Send + Sync,
    ) -> Result<T, TargetError> {
        self.retrying(attempt).await
    }

    /// Puts a manifest by its digest. Whether the registry took note of its `subject` by itself (distribution specification 1.1, "Pushing
    /// Manifests with Subject").
    pub(in crate::target) async fn put_by_digest(
        &self,
        repository: &Repository,
        manifest: &RawManifest,
    ) -> Result<bool, TargetError> {
        let operation = Operation::write(repository, format_args!("`{}`", manifest.digest));
        proven(&operation, manifest)?;
        let path = format!("manifests/{}", manifest.digest);
        let request = Request {
            content_type: Some(manifest.media_type.clone()),
            body: Some(manifest.bytes.clone()),
            ..Request::new(Method::PUT, repository, Access::Push, path)
        };
        self.retrying(|| async {
            let answer = self.checked(&operation, &request).await?;
            is_taken(&operation, &answer, manifest.digest)?;
            Ok(answer.header("oci-subject").is_some())
        })
        .await
    }

    /// The descriptors of all that names `digest` as its subject; `None` where the registry keeps no such lists.
    pub(in crate::target) async fn referrers(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<Vec<Value>>, TargetError> {
        let operation = Operation::read(repository, format_args!("the referrers of `{digest}`"));
        let first = Request {
            accept: Some(oci::INDEX),
            ..Request::new(
                Method::GET,
                repository,
                Access::Pull,
                format!("referrers/{digest}"),
            )
        };
        let mut found = Vec::new();
        let read = self.pages(&operation, first, REFERRERS_LIMIT, |page| {
            let page = descriptors_in(page);
            found.extend(page.ok_or_else(|| operation.permanent("it is no list of descriptors"))?);
            Ok(())
        });
        match read.await {
            Ok(()) => Ok(Some(found)),
            // It has no such list: what refers to a digest then stands under a tag.
            Err(error) if found.is_empty() && matches!(error.status, Some(400 | 404 | 405 | 501)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
