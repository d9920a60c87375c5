//! Looking after a layout. Whether it is whole is asked piece by piece here, where every other read asks for all of it at once.

use super::fault::Fault;
use super::{Layout, open};
use crate::domain::{Digest, Repository, Tag};
use crate::target::oci::Descriptor;
use crate::target::upkeep::{Deletes, Found, Upkeep};
use crate::target::{RawManifest, TargetError};
use sha2::{Digest as _, Sha256};
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _};

/// Largest manifest or index that is read, in bytes.
const MANIFEST_LIMIT: u64 = 4 * 1024 * 1024;

impl Layout {
    async fn piece<R: Send + 'static>(
        &self,
        what: String,
        look: impl FnOnce(&super::store::Store) -> Result<Found<R>, Fault> + Send + 'static,
    ) -> Found<R> {
        let attempted = self.on(false, &what);
        self.blocking(attempted, false, look)
            .await
            .unwrap_or_else(Found::Unknown)
    }
}

impl Upkeep for Layout {
    async fn pointed(&self, _: &Repository, tag: &Tag) -> Found<Digest> {
        let name = tag.to_string();
        self.piece(name.clone(), move |store| {
            let Some(index) = store.index()? else {
                return Ok(Found::Missing);
            };
            Ok(match index.find(&name) {
                Ok(Some(entry)) => Found::Whole(entry.digest),
                Ok(None) => Found::Missing,
                Err(reason) => Found::Damaged(reason),
            })
        })
        .await
    }

    async fn stored(&self, _: &Repository, digest: Digest) -> Found<RawManifest> {
        self.piece(digest.to_string(), move |store| {
            let path = store.blob_path(digest);
            let mut bytes = Vec::new();
            let read = open(&path).and_then(|file| file.take(MANIFEST_LIMIT + 1).read_to_end(&mut bytes));
            match read {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Missing),
                Err(error) => return Err(Fault::io(&path, &error)),
                Ok(_) => {}
            }
            let found = Digest::of(&bytes);
            if found != digest {
                return Ok(Found::Damaged(format!("its bytes have the digest {found}")));
            }
            Ok(match RawManifest::new(bytes) {
                Ok(raw) => Found::Whole(raw),
                Err(error) => Found::Damaged(error.to_string()),
            })
        })
        .await
    }

    async fn has_blob(&self, _: &Repository, blob: &Descriptor) -> Found<()> {
        let blob = blob.clone();
        self.piece(format!("blob {}", blob.digest), move |store| {
            let path = store.blob_path(blob.digest);
            match open(&path).and_then(|file| file.metadata()) {
                Ok(metadata) if metadata.len() == blob.size => Ok(Found::Whole(())),
                Ok(metadata) => Ok(Found::Damaged(format!(
                    "it has {} bytes, and must have {}",
                    metadata.len(),
                    blob.size
                ))),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(Found::Missing),
                Err(error) => Err(Fault::io(&path, &error)),
            }
        })
        .await
    }

    async fn read_through(&self, repository: &Repository, blob: &Descriptor) -> Found<()> {
        match self.has_blob(repository, blob).await {
            Found::Whole(()) => {}
            other => return other,
        }
        let blob = blob.clone();
        self.piece(format!("blob {}", blob.digest), move |store| {
            let path = store.blob_path(blob.digest);
            let file = open(&path).map_err(|error| Fault::io(&path, &error))?;
            let mut file = BufReader::with_capacity(256 * 1024, file);
            let mut hash = Sha256::new();
            loop {
                let read = match file.fill_buf() {
                    Ok([]) => break,
                    Ok(piece) => {
                        hash.update(piece);
                        piece.len()
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => return Err(Fault::io(&path, &error)),
                };
                file.consume(read);
            }
            let found = Digest::from_bytes(hash.finalize().into());
            if found == blob.digest {
                Ok(Found::Whole(()))
            } else {
                Ok(Found::Damaged(format!("its bytes have the digest {found}")))
            }
        })
        .await
    }

    async fn deletes(&self, _: &Repository) -> Result<Deletes, TargetError> {
        Ok(Deletes::Tags)
    }

    async fn remove(&self, _: &Repository, tag: &Tag) -> Result<(), TargetError> {
        let attempted = format!("delete `{tag}` of `{}`", self.shown);
        let tag = tag.to_string();
        self.blocking(attempted, true, move |store| {
            store.take_out(|name, _| name == tag)
        })
        .await
    }

    async fn remove_digest(&self, _: &Repository, digest: Digest) -> Result<(), TargetError> {
        let attempted = format!("delete `{digest}` of `{}`", self.shown);
        self.blocking(attempted, true, move |store| store.take_out(|_, at| at == digest))
            .await
    }

    async fn sweep(&self) -> Result<u64, TargetError> {
        let attempted = format!("remove what nothing names from `{}`", self.shown);
        self.blocking(attempted, true, super::store::Store::sweep_blobs)
            .await
    }
}
