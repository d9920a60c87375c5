//! Bringing an image from one repository to another of the same registry: blobs are mounted, manifests are put byte for byte.

use super::auth::Access;
use super::exchange::{Place, Request};
use super::failure::Operation;
use super::pipe::Pipe;
use super::push::{is_page, is_taken, location, proven};
use super::{Registry, once};
use crate::domain::Repository;
use crate::target::images::required;
use crate::target::oci::{self, Descriptor, ImageManifest, Index};
use crate::target::{FailureClass, Presence, RawManifest, Reference, TargetError};
use reqwest::{Method, StatusCode, Url};
use std::collections::BTreeMap;

/// Blobs that are copied at the same time, where the registry does not mount. Mounting has no limit of its own.
pub(super) const COPIES: usize = 4;

/// What a manifest refers to, and what that refers to in turn.
#[derive(Default)]
struct Content {
    /// Children before the indexes that name them.
    manifests: Vec<RawManifest>,
    /// Each once.
    blobs: BTreeMap<crate::domain::Digest, Descriptor>,
}

impl Registry {
    /// Brings what `manifest` refers to from one repository to the other.
    pub(super) async fn copy(
        &self,
        from: &Repository,
        to: &Repository,
        manifest: &RawManifest,
    ) -> Result<(), TargetError> {
        // A registry takes a manifest only once all that it refers to is there.
        let there = self.find_digest(to, &Reference::from(manifest.digest)).await;
        if matches!(there, Presence::Present(_)) {
            return Ok(());
        }
        let mut content = Content::default();
        self.content(from, manifest, &mut content).await?;
        let blobs = content
            .blobs
            .values()
            .map(|blob| self.bring_blob_once(from, to, blob));
        futures_util::future::try_join_all(blobs).await?;
        for manifest in &content.manifests {
            let operation = Operation::write(to, format_args!("`{}`", manifest.digest));
            proven(&operation, manifest)?;
            let request = Request {
                content_type: Some(manifest.media_type.clone()),
                body: Some(manifest.bytes.clone()),
                ..Request::new(
                    Method::PUT,
                    to,
                    Access::Push,
                    format!("manifests/{}", manifest.digest),
                )
            };
            self.retrying(|| async {
                let answer = self.checked(&operation, &request).await?;
                is_taken(&operation, &answer, manifest.digest)
            })
            .await?;
        }
        Ok(())
    }

    async fn content(
        &self,
        from: &Repository,
        manifest: &RawManifest,
        content: &mut Content,
    ) -> Result<(), TargetError> {
        let operation = Operation::read(from, format_args!("`{}`", manifest.digest));
        let unreadable = |error: serde_json::Error| operation.permanent(format!("not a manifest: {error}"));
        if !oci::is_index(&manifest.media_type) {
            let image: ImageManifest = serde_json::from_slice(&manifest.bytes).map_err(unreadable)?;
            let blobs = std::iter::once(image.config).chain(image.layers);
            content.blobs.extend(blobs.map(|blob| (blob.digest, blob)));
            return Ok(());
        }
        let index: Index = serde_json::from_slice(&manifest.bytes).map_err(unreadable)?;
        let children = index
            .manifests
            .iter()
            .map(|child| required(self, from, child.digest));
        for child in futures_util::future::try_join_all(children).await? {
            Box::pin(self.content(from, &child, content)).await?;
            content.manifests.push(child);
        }
        Ok(())
    }

    /// Images of one base share its layers: whoever needs one that is on its way waits for it.
    async fn bring_blob_once(
        &self,
        from: &Repository,
        to: &Repository,
        blob: &Descriptor,
    ) -> Result<(), TargetError> {
        let operation = Operation::write(to, format_args!("blob `{}`", blob.digest));
        once(&self.0.brought, (to.clone(), blob.digest))
            .get_or_try_init(|| self.retrying(|| self.bring_blob(&operation, from, to, blob)))
            .await
            .copied()
    }

    /// Mounts a blob, or copies it where the registry would rather have it uploaded.
    async fn bring_blob(
        &self,
        operation: &Operation,
        from: &Repository,
        to: &Repository,
        blob: &Descriptor,
    ) -> Result<(), TargetError> {
        let Some(upload) = self.mount(operation, from, to, blob).await? else {
            return Ok(());
        };
        let head = Request::new(Method::HEAD, to, Access::Push, format!("blobs/{}", blob.digest));
        if self
            .checked(operation, &head)
            .await
            .is_ok_and(|there| !is_page(&there))
        {
            self.cancel_upload(operation, to, upload).await;
            return Ok(());
        }
        let _permit = self
            .0
            .copies
            .acquire()
            .await
            .map_err(|_| operation.permanent("the client is closed"))?;
        let read = Operation::read(from, format_args!("blob `{}`", blob.digest));
        let get = Request {
            weight: blob.size,
            ..Request::new(Method::GET, from, Access::Pull, format!("blobs/{}", blob.digest))
        };
        let pipe = Pipe::new(self.checked(&read, &get).await?.stream(), blob.size);
        let mut url = upload;
        url.query_pairs_mut()
            .append_pair("digest", &blob.digest.to_string());
        let put = Request {
            place: Place::Url(url),
            content_type: Some("application/octet-stream".to_owned()),
            piped: Some(&pipe),
            ..Request::new(Method::PUT, to, Access::Push, "")
        };
        let answer = self.checked(operation, &put).await?;
        is_taken(operation, &answer, blob.digest)
    }

    /// Asks the registry to take a blob over from the other repository; where it does not, it opens an upload instead, and says where.
    pub(super) async fn mount(
        &self,
        operation: &Operation,
        from: &Repository,
        to: &Repository,
        blob: &Descriptor,
    ) -> Result<Option<Url>, TargetError> {
        let query = format!("blobs/uploads/?mount={}&from={}", blob.digest, from.path());
        let post = Request {
            mounted_from: Some(from.path()),
            ..Request::new(Method::POST, to, Access::Push, query)
        };
        match self.checked(operation, &post).await {
            Ok(answer) if answer.status == StatusCode::CREATED => {
                is_taken(operation, &answer, blob.digest).map(|()| None)
            }
            Ok(answer) => location(operation, &answer).map(Some),
            Err(error) if error.class == FailureClass::Transient => Err(error),
            // It knows no mounting, or not across these two: whether it lets us upload is another question.
            Err(_) => {
                let opened = self.open_upload(operation, to).await?;
                location(operation, &opened).map(Some)
            }
        }
    }
}
