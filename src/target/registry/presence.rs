//! What is there, and what is proven not to be (design, guarantee 3).
//!
//! Absent is only: HEAD answers 404, and GET answers 404 with a code that says so, to a request that accepts all four types; or 401 or 403,
//! twice, on a repository in which this account can open an upload, for some registries answer so for what is not there. All else is
//! unknown.

use super::Registry;
use super::auth::Access;
use super::exchange::Request;
use super::failure::Operation;
use crate::domain::{Digest, Repository};
use crate::target::{Presence, RawManifest, Reference, TargetError, oci};
use reqwest::Method;

/// Longest manifest that is read, in bytes: what registries must at least take (distribution specification, "Pushing manifests").
const MANIFEST_LIMIT: usize = 4 * 1024 * 1024;
/// Codes that mean absence, in the answer to a manifest's GET (distribution specification, "Error codes"; `NOT_FOUND` is Harbor's).
const ABSENT_CODES: [&str; 3] = ["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"];

/// Why something was not found.
enum Missing {
    Proven,
    Unknown(TargetError),
}

impl<T> From<Result<T, Missing>> for Presence<T> {
    fn from(found: Result<T, Missing>) -> Self {
        match found {
            Ok(value) => Self::Present(value),
            Err(Missing::Proven) => Self::Absent,
            Err(Missing::Unknown(error)) => Self::Unknown(error),
        }
    }
}

impl Registry {
    pub(super) async fn find_digest(
        &self,
        repository: &Repository,
        reference: &Reference,
    ) -> Presence<Digest> {
        let found = match self.head(repository, reference).await {
            Ok(Some(digest)) => Ok(digest),
            // The header is missing, or holds something else, such as the tag: the body tells.
            Ok(None) => self
                .get(repository, reference)
                .await
                .map(|manifest| manifest.digest)
                .map_err(Missing::Unknown),
            Err(error) => self
                .confirm(repository, reference, error)
                .await
                .map(|found| found.digest()),
        };
        found.into()
    }

    pub(super) async fn find_manifest(
        &self,
        repository: &Repository,
        reference: &Reference,
    ) -> Presence<RawManifest> {
        self.search(repository, reference).await.into()
    }

    async fn search(&self, repository: &Repository, reference: &Reference) -> Result<RawManifest, Missing> {
        let digest = match reference {
            Reference::Digest(digest) => Some(*digest),
            // The GET of a tag may come from a cache; HEAD does not, and what is read by digest cannot be stale.
            Reference::Tag(_) => match self.head(repository, reference).await {
                Ok(digest) => digest,
                Err(error) => match self.confirm(repository, reference, error).await? {
                    Found::Manifest(manifest) => return Ok(manifest),
                    Found::Digest(digest) => Some(digest),
                },
            },
        };
        let Some(digest) = digest else {
            return self.get(repository, reference).await.map_err(Missing::Unknown);
        };
        match self.get(repository, &Reference::Digest(digest)).await {
            Ok(manifest) => Ok(manifest),
            // The tag was there a moment ago, so this says nothing of the tag: it may have moved.
            Err(error) if matches!(reference, Reference::Tag(_)) && error.status == Some(404) => {
                self.get(repository, reference).await.map_err(Missing::Unknown)
            }
            Err(error) => match self.judge(repository, reference, error).await? {
                Found::Manifest(manifest) => Ok(manifest),
                Found::Digest(_) => self.get(repository, reference).await.map_err(Missing::Unknown),
            },
        }
    }

    /// What the failure of a HEAD means. A 404 is confirmed by GET, whose body says what it is that is not there.
    async fn confirm(
        &self,
        repository: &Repository,
        reference: &Reference,
        error: TargetError,
    ) -> Result<Found, Missing> {
        if error.status == Some(404) {
            return match self.get(repository, reference).await {
                Ok(manifest) => Ok(Found::Manifest(manifest)),
                Err(error) => self.judge(repository, reference, error).await,
            };
        }
        self.judge(repository, reference, error).await
    }

    /// What the failure of a GET means.
    async fn judge(
        &self,
        repository: &Repository,
        reference: &Reference,
        mut error: TargetError,
    ) -> Result<Found, Missing> {
        match error.status {
            Some(404)
                if error
                    .codes
                    .iter()
                    .any(|code| ABSENT_CODES.contains(&code.as_str())) =>
            {
                Err(Missing::Proven)
            }
            Some(404) => {
                error.hints.push(
                    "a 404 without a code that is known is no proof of absence: is this a registry?"
                        .to_owned(),
                );
                Err(Missing::Unknown(error))
            }
            Some(401 | 403) => self.denied(repository, reference, error).await,
            _ => Err(Missing::Unknown(error)),
        }
    }

    /// Denied: because nothing is there, or because this account may not see it? Who may push may see.
    async fn denied(
        &self,
        repository: &Repository,
        reference: &Reference,
        mut error: TargetError,
    ) -> Result<Found, Missing> {
        match self.may_push(repository).await {
            Ok(true) => {}
            Ok(false) => return Err(Missing::Unknown(error)),
            Err(probe) => {
                error.hints.push(format!(
                    "whether this account may push is not known either: {}",
                    probe.reason
                ));
                return Err(Missing::Unknown(error));
            }
        }
        // The denial may have been a hiccup of the registry's login: only one that stands, now with a token to push, counts.
        match self.head(repository, reference).await {
            Ok(Some(digest)) => Ok(Found::Digest(digest)),
            Ok(None) => self
                .get(repository, reference)
                .await
                .map(Found::Manifest)
                .map_err(Missing::Unknown),
            Err(again) if matches!(again.status, Some(401 | 403)) => Err(Missing::Proven),
            Err(again) if again.status == Some(404) => match self.get(repository, reference).await {
                Ok(manifest) => Ok(Found::Manifest(manifest)),
                Err(error)
                    if matches!(error.status, Some(401 | 403))
                        || error
                            .codes
                            .iter()
                            .any(|code| ABSENT_CODES.contains(&code.as_str())) =>
                {
                    Err(Missing::Proven)
                }
                Err(error) => Err(Missing::Unknown(error)),
            },
            Err(again) => Err(Missing::Unknown(again)),
        }
    }

    /// The digest in the answer to a HEAD; `None` when the answer has none that is valid.
    async fn head(
        &self,
        repository: &Repository,
        reference: &Reference,
    ) -> Result<Option<Digest>, TargetError> {
        let operation = Operation::read(repository, named(reference));
        self.retrying(|| self.head_once(&operation, repository, reference))
            .await
    }

    pub(super) async fn head_once(
        &self,
        operation: &Operation,
        repository: &Repository,
        reference: &Reference,
    ) -> Result<Option<Digest>, TargetError> {
        let request = request(Method::HEAD, repository, reference);
        let answer = self.checked(operation, &request).await?;
        let stated = answer
            .header("docker-content-digest")
            .and_then(|digest| digest.parse::<Digest>().ok());
        match (reference, stated) {
            (Reference::Digest(asked), Some(stated)) if *asked != stated => {
                Err(operation.permanent(format!("the registry answers with another digest: {stated}")))
            }
            (_, stated) => Ok(stated),
        }
    }

    async fn get(&self, repository: &Repository, reference: &Reference) -> Result<RawManifest, TargetError> {
        let operation = Operation::read(repository, named(reference));
        self.retrying(|| self.get_once(&operation, repository, reference))
            .await
    }

    pub(super) async fn get_once(
        &self,
        operation: &Operation,
        repository: &Repository,
        reference: &Reference,
    ) -> Result<RawManifest, TargetError> {
        let request = request(Method::GET, repository, reference);
        let answer = self.checked(operation, &request).await?;
        let stated = answer
            .header("docker-content-digest")
            .and_then(|digest| digest.parse::<Digest>().ok());
        let body = answer.body(operation, MANIFEST_LIMIT).await?;
        let expected = match reference {
            Reference::Digest(digest) => Some(*digest),
            Reference::Tag(_) => stated,
        };
        let digest = Digest::of(&body);
        if let Some(expected) = expected.filter(|expected| *expected != digest) {
            return Err(operation.permanent(format!(
                "the body has the digest {digest}, and not {expected} as it must"
            )));
        }
        RawManifest::new(body).map_err(|error| TargetError {
            hints: vec!["see what answers there: is this a registry, or a page before it?".to_owned()],
            ..operation.permanent(error.to_string())
        })
    }
}

enum Found {
    Digest(Digest),
    Manifest(RawManifest),
}

impl Found {
    fn digest(&self) -> Digest {
        match self {
            Self::Digest(digest) => *digest,
            Self::Manifest(manifest) => manifest.digest,
        }
    }
}

fn named(reference: &Reference) -> String {
    format!("`{reference}`")
}

/// What is read by tag is wanted as it is now: some registries have a cache before them that keeps the answer to a GET for minutes, and where a HEAD names
/// no digest nothing but that GET tells what a tag points at.
fn request<'a>(method: Method, repository: &'a Repository, reference: &Reference) -> Request<'a> {
    Request {
        accept: Some(oci::ACCEPT),
        fresh: matches!(reference, Reference::Tag(_)),
        ..Request::new(method, repository, Access::Pull, format!("manifests/{reference}"))
    }
}
