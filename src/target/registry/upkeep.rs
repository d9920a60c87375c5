//! Looking after a repository: whether what it holds is whole, and deletions.

use super::Registry;
use super::auth::Access;
use super::delete::is_absent;
use super::exchange::Request;
use super::failure::Operation;
use crate::domain::{Digest, Repository, Tag};
use crate::target::oci::{self, Descriptor};
use crate::target::upkeep::{Deletes, Found, Upkeep};
use crate::target::{FailureClass, Presence, RawManifest, Reference, Target as _, TargetError};
use reqwest::Method;
use sha2::{Digest as _, Sha256};

/// Longest manifest that is read, in bytes.
const MANIFEST_LIMIT: usize = 4 * 1024 * 1024;
/// A tag that nobody has: asking for its deletion tells whether tags can be deleted.
const NOBODYS: &str = "_release-splitbase-asks-whether-tags-can-be-deleted";

impl Upkeep for Registry {
    async fn pointed(&self, repository: &Repository, tag: &Tag) -> Found<Digest> {
        match self.resolve(repository, &Reference::from(tag)).await {
            Presence::Present(digest) => Found::Whole(digest),
            Presence::Absent => Found::Missing,
            Presence::Unknown(error) => Found::Unknown(error),
        }
    }

    async fn stored(&self, repository: &Repository, digest: Digest) -> Found<RawManifest> {
        let operation = Operation::read(repository, format_args!("`{digest}`"));
        let request = Request {
            accept: Some(oci::ACCEPT),
            ..Request::new(
                Method::GET,
                repository,
                Access::Pull,
                format!("manifests/{digest}"),
            )
        };
        let read = self.retrying(|| async {
            let answer = self.checked(&operation, &request).await?;
            answer.body(&operation, MANIFEST_LIMIT).await
        });
        match read.await {
            Ok(bytes) => {
                let found = Digest::of(&bytes);
                if found != digest {
                    return Found::Damaged(format!("its bytes have the digest {found}"));
                }
                match RawManifest::new(bytes) {
                    Ok(raw) => Found::Whole(raw),
                    Err(error) => Found::Damaged(error.to_string()),
                }
            }
            // What presence is made of tells absence from denial; all else is known well enough, and was tried often enough.
            Err(error) if !matches!(error.status, Some(401 | 403 | 404)) => Found::Unknown(error),
            Err(_) => match self.manifest(repository, &Reference::Digest(digest)).await {
                Presence::Present(raw) => Found::Whole(raw),
                Presence::Absent => Found::Missing,
                Presence::Unknown(error) => Found::Unknown(error),
            },
        }
    }

    async fn has_blob(&self, repository: &Repository, blob: &Descriptor) -> Found<()> {
        let operation = Operation::read(repository, format_args!("blob `{}`", blob.digest));
        let request = Request::new(
            Method::HEAD,
            repository,
            Access::Pull,
            format!("blobs/{}", blob.digest),
        );
        let asked = self.retrying(|| async {
            let answer = self.checked(&operation, &request).await?;
            Ok(answer
                .header("content-length")
                .and_then(|size| size.parse::<u64>().ok()))
        });
        match asked.await {
            Ok(Some(size)) if size != blob.size => {
                Found::Damaged(format!("it has {size} bytes, and must have {}", blob.size))
            }
            Ok(_) => Found::Whole(()),
            // The answer to a HEAD has no body, and so no code: where the repository can be read, a blob that is not found is not there.
            Err(error) if error.status == Some(404) => Found::Missing,
            Err(error) => Found::Unknown(error),
        }
    }

    async fn read_through(&self, repository: &Repository, blob: &Descriptor) -> Found<()> {
        let operation = Operation::read(repository, format_args!("blob `{}`", blob.digest));
        let request = Request {
            weight: blob.size,
            ..Request::new(
                Method::GET,
                repository,
                Access::Pull,
                format!("blobs/{}", blob.digest),
            )
        };
        let read = self.retrying(|| async {
            let mut answer = self.checked(&operation, &request).await?;
            let (mut hash, mut size) = (Sha256::new(), 0_u64);
            while let Some(chunk) = answer.chunk(&operation).await? {
                hash.update(&chunk);
                size += chunk.len() as u64;
                if size > blob.size {
                    break;
                }
            }
            Ok((Digest::from_bytes(hash.finalize().into()), size))
        });
        match read.await {
            Ok((_, size)) if size != blob.size => {
                let shown = if size > blob.size { "more" } else { "fewer" };
                Found::Damaged(format!(
                    "it has {shown} bytes than the {} that it must have",
                    blob.size
                ))
            }
            Ok((digest, _)) if digest != blob.digest => {
                Found::Damaged(format!("its bytes have the digest {digest}"))
            }
            Ok(_) => Found::Whole(()),
            Err(error) if error.status == Some(404) => Found::Missing,
            Err(error) => Found::Unknown(error),
        }
    }

    async fn deletes(&self, repository: &Repository) -> Result<Deletes, TargetError> {
        let operation = Operation::on(
            repository,
            format!("ask whether `{repository}` lets tags be deleted"),
            true,
        );
        let asked = self
            .delete_at(&operation, repository, format!("manifests/{NOBODYS}"))
            .await;
        match asked {
            Ok(()) => Ok(Deletes::Tags),
            Err(error) if error.class == FailureClass::Transient => Err(error),
            Err(error) if is_absent(&error) => Ok(Deletes::Tags),
            Err(_) => Ok(Deletes::Digests),
        }
    }

    async fn remove(&self, repository: &Repository, tag: &Tag) -> Result<(), TargetError> {
        self.delete(repository, tag).await
    }

    async fn remove_digest(&self, repository: &Repository, digest: Digest) -> Result<(), TargetError> {
        self.delete(repository, digest).await
    }

    async fn sweep(&self) -> Result<u64, TargetError> {
        // A registry collects its garbage itself.
        Ok(0)
    }
}
