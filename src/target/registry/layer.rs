//! The uncompressed size of a layer: streamed through a decoder that counts. Nothing is kept, and memory stays small.

use super::Registry;
use super::auth::Access;
use super::exchange::Request;
use super::failure::{Operation, clean};
use crate::domain::Repository;
use crate::target::measure::{Compression, Pieces, count};
use crate::target::{TargetError, oci};
use reqwest::Method;
use tokio::sync::mpsc;

/// Pieces of a body that may wait for the decoder.
const QUEUE: usize = 16;

impl Registry {
    pub(super) async fn measure(
        &self,
        repository: &Repository,
        layer: &oci::Descriptor,
    ) -> Result<u64, TargetError> {
        let operation = Operation::read(repository, format_args!("layer `{}`", layer.digest));
        let compression = Compression::of(&layer.media_type).ok_or_else(|| {
            operation.permanent(format!(
                "how `{}` is compressed is not known",
                clean(&layer.media_type, 100)
            ))
        })?;
        let request = Request {
            weight: layer.size,
            ..Request::new(
                Method::GET,
                repository,
                Access::Pull,
                format!("blobs/{}", layer.digest),
            )
        };
        self.retrying(|| async {
            let mut answer = self.checked(&operation, &request).await?;
            let (sender, receiver) = mpsc::channel(QUEUE);
            let counting = tokio::task::spawn_blocking(move || count(Pieces::new(receiver), compression));
            let mut received: u64 = 0;
            while let Some(chunk) = answer.chunk(&operation).await? {
                received += chunk.len() as u64;
                if received > layer.size {
                    return Err(operation.permanent(format!(
                        "it is longer than the {} bytes of its descriptor",
                        layer.size
                    )));
                }
                if sender.send(chunk).await.is_err() {
                    // The decoder gave up: what it says comes below.
                    break;
                }
            }
            drop(sender);
            match counting.await {
                Ok(Ok(counted)) if counted.digest == layer.digest => Ok(counted.uncompressed),
                Ok(Ok(counted)) => {
                    Err(operation.permanent(format!("the body has the digest {}", counted.digest)))
                }
                Ok(Err(error)) => Err(operation.permanent(format!(
                    "cannot be decompressed: {}",
                    clean(&error.to_string(), 200)
                ))),
                Err(_) => Err(operation.permanent("the decoder was stopped")),
            }
        })
        .await
    }
}
