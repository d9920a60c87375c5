//! The pieces of which carrying a release into or out of a layout is made.

use super::fault::Fault;
use super::{Layout, open};
use crate::target::measure::Pieces;
use crate::target::oci::Descriptor;
use crate::target::transfer::{ByteStream, How};
use crate::target::{FailureClass, RawManifest, TargetError};
use bytes::Bytes;
use futures_util::StreamExt as _;
use std::io::Read as _;
use tokio::sync::mpsc;

/// Size of the pieces in which a blob is read, in bytes.
const PIECE: usize = 256 * 1024;
/// Pieces of a blob that may wait for whoever takes them.
const QUEUE: usize = 4;

impl Layout {
    /// The bytes of a blob, read as they are taken; whoever takes them sees to their digest.
    pub(in crate::target) async fn open_blob(&self, blob: &Descriptor) -> Result<ByteStream, TargetError> {
        let attempted = self.on(false, &blob.digest.to_string());
        let digest = blob.digest;
        let opened = self.blocking(attempted, false, move |store| {
            let path = store.blob_path(digest);
            open(&path).map_err(|error| Fault::io(&path, &error))
        });
        let mut file = opened.await?;
        let (sender, receiver) = mpsc::channel::<std::io::Result<Bytes>>(QUEUE);
        tokio::task::spawn_blocking(move || {
            loop {
                let mut piece = vec![0; PIECE];
                let read = match file.read(&mut piece) {
                    Ok(0) => break,
                    Ok(length) => {
                        piece.truncate(length);
                        Ok(Bytes::from(piece))
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let failed = read.is_err();
                if sender.blocking_send(read).is_err() || failed {
                    break;
                }
            }
        });
        let pieces = futures_util::stream::unfold(receiver, |mut receiver| async move {
            Some((receiver.recv().await?, receiver))
        });
        Ok(pieces.boxed())
    }

    /// Whether a blob is there.
    pub(in crate::target) async fn holds_blob(&self, blob: &Descriptor) -> Result<bool, TargetError> {
        let attempted = self.on(false, &blob.digest.to_string());
        let blob = blob.clone();
        self.blocking(attempted, false, move |store| store.has(&blob))
            .await
    }

    /// Stores a blob, once its size and digest are proven.
    pub(in crate::target) async fn take_blob(
        &self,
        blob: &Descriptor,
        mut pieces: ByteStream,
    ) -> Result<How, TargetError> {
        let attempted = self.on(true, &blob.digest.to_string());
        let (sender, receiver) = mpsc::channel(QUEUE);
        let wanted = blob.clone();
        let writing = self.blocking(attempted.clone(), true, move |store| {
            store.receive(&wanted, Pieces::new(receiver))
        });
        let feeding = async move {
            while let Some(piece) = pieces.next().await {
                if sender.send(piece?).await.is_err() {
                    // The writer gave up: what it says comes below.
                    break;
                }
            }
            Ok::<(), std::io::Error>(())
        };
        let (fed, written) = tokio::join!(feeding, writing);
        // A source that broke off is another matter than one that is damaged: the next try may get all of it.
        fed.map_err(|error| TargetError {
            attempted,
            reason: error.to_string(),
            status: None,
            codes: Vec::new(),
            class: FailureClass::Transient,
            retry_after: None,
            hints: Vec::new(),
            write: false,
        })?;
        written.map(|()| How::Copied)
    }

    /// Stores a manifest without a tag.
    pub(in crate::target) async fn put_by_digest(&self, manifest: &RawManifest) -> Result<(), TargetError> {
        let attempted = self.on(true, &manifest.digest.to_string());
        let bytes = manifest.bytes.clone();
        self.blocking(attempted, true, move |store| {
            let held = store.hold()?;
            store.put_blob(&held, &bytes).map(drop)
        })
        .await
    }
}
