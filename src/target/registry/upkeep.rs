//! Looking after a repository: its tags page by page, whether what it holds is whole, and deletions.

use super::Registry;
use super::auth::Access;
use super::exchange::{Place, Request};
use super::failure::Operation;
use super::http::same_origin;
use super::retry::http_date;
use crate::domain::{Digest, Repository, Tag};
use crate::target::oci::{self, Descriptor};
use crate::target::upkeep::{Deletes, Found, Upkeep};
use crate::target::{FailureClass, Presence, RawManifest, Reference, Target as _, TargetError};
use reqwest::{Method, Url};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// Longest page of tags that is read, in bytes.
const PAGE_LIMIT: usize = 16 * 1024 * 1024;
/// Most pages of tags: a registry that sends the same page again and again must not keep us for ever.
const MOST_PAGES: usize = 10_000;
/// Longest manifest that is read, in bytes.
const MANIFEST_LIMIT: usize = 4 * 1024 * 1024;
/// A tag that nobody has: asking for its deletion tells whether tags can be deleted.
const NOBODYS: &str = "_release-splitbase-asks-whether-tags-can-be-deleted";
/// Codes of an answer that says: tags can be deleted, and this one is not there.
const NOT_THERE: [&str; 4] = ["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND", "TAG_UNKNOWN"];

#[derive(Deserialize)]
struct Page {
    /// `null` where there is none, on some registries.
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl Upkeep for Registry {
    async fn all_tags(&self, repository: &Repository) -> Result<Vec<Tag>, TargetError> {
        let operation = Operation::read(repository, "the tags");
        let mut place = Place::Path("tags/list".to_owned());
        let mut tags = std::collections::BTreeSet::new();
        for _ in 0..MOST_PAGES {
            let (page, next) = self
                .retrying(|| self.page(&operation, repository, place.clone()))
                .await?;
            // What is no tag by the specification cannot be asked for either.
            tags.extend(page.iter().filter_map(|tag| tag.parse::<Tag>().ok()));
            match next {
                Some(next) => place = Place::Url(next),
                None => return Ok(tags.into_iter().collect()),
            }
        }
        Err(operation.permanent(format!("they do not end after {MOST_PAGES} pages")))
    }

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
            // The one place that tells absence from everything else.
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
            bounded: false,
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

    async fn now(&self, repository: &Repository) -> Result<Option<jiff::Timestamp>, TargetError> {
        let operation = Operation::read(repository, "the tags");
        let request = Request::new(Method::GET, repository, Access::Pull, "tags/list");
        self.retrying(|| async {
            let answer = self.exchange(&operation, &request).await?;
            Ok(answer.header("date").and_then(http_date))
        })
        .await
    }

    async fn deletes(&self, repository: &Repository) -> Result<Deletes, TargetError> {
        let operation = Operation::on(
            repository,
            format!("ask whether `{repository}` lets tags be deleted"),
            true,
        );
        let request = Request::new(
            Method::DELETE,
            repository,
            Access::Delete,
            format!("manifests/{NOBODYS}"),
        );
        let asked = self
            .retrying(|| async { self.checked(&operation, &request).await.map(drop) })
            .await;
        match asked {
            Ok(()) => Ok(Deletes::Tags),
            Err(error) if error.class == FailureClass::Transient => Err(error),
            Err(error)
                if error.status == Some(404)
                    && error.codes.iter().any(|code| NOT_THERE.contains(&code.as_str())) =>
            {
                Ok(Deletes::Tags)
            }
            Err(_) => Ok(Deletes::Digests),
        }
    }

    async fn remove(&self, repository: &Repository, tag: &Tag) -> Result<(), TargetError> {
        self.delete(repository, &tag.to_string()).await
    }

    async fn remove_digest(&self, repository: &Repository, digest: Digest) -> Result<(), TargetError> {
        self.delete(repository, &digest.to_string()).await
    }

    async fn sweep(&self) -> Result<u64, TargetError> {
        // A registry collects its garbage itself.
        Ok(0)
    }
}

impl Registry {
    async fn page(
        &self,
        operation: &Operation,
        repository: &Repository,
        place: Place,
    ) -> Result<(Vec<String>, Option<Url>), TargetError> {
        let request = Request {
            place,
            ..Request::new(Method::GET, repository, Access::Pull, "")
        };
        let answer = match self.checked(operation, &request).await {
            Ok(answer) => answer,
            Err(error) if is_absent(&error) => return Ok((Vec::new(), None)),
            Err(error) => return Err(error),
        };
        let next = answer
            .header("link")
            .and_then(next_page)
            .map(|link| {
                let url = answer.url.join(link).ok();
                // A page elsewhere would get our token.
                url.filter(|url| same_origin(url, &answer.url)).ok_or_else(|| {
                    operation.permanent(format!("the next page is at `{link}`, which is elsewhere"))
                })
            })
            .transpose()?;
        let body = answer.body(operation, PAGE_LIMIT).await?;
        let page: Page = serde_json::from_slice(&body)
            .map_err(|error| operation.permanent(format!("the answer is no list of tags: {error}")))?;
        Ok((page.tags.unwrap_or_default(), next))
    }

    async fn delete(&self, repository: &Repository, reference: &str) -> Result<(), TargetError> {
        let operation = Operation::on(
            repository,
            format!("delete `{reference}` of `{repository}`"),
            true,
        );
        let request = Request::new(
            Method::DELETE,
            repository,
            Access::Delete,
            format!("manifests/{reference}"),
        );
        let deleted = self
            .retrying(|| async { self.checked(&operation, &request).await.map(drop) })
            .await;
        match deleted {
            Err(error) if is_absent(&error) => Ok(()),
            Err(mut error) if matches!(error.status, Some(405)) => {
                error.hints = vec![format!(
                    "{} does not let anybody delete: its own tools or its administrator may",
                    repository.host()
                )];
                Err(error)
            }
            deleted => deleted,
        }
    }
}

fn is_absent(error: &TargetError) -> bool {
    error.status == Some(404) && error.codes.iter().any(|code| NOT_THERE.contains(&code.as_str()))
}

/// The target of `rel="next"` in a `Link` header (RFC 8288); some registries leave out the quotes.
pub(super) fn next_page(link: &str) -> Option<&str> {
    let (target, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
    let next = rest.split(';').any(|parameter| {
        let Some((name, value)) = parameter.trim().split_once('=') else {
            return false;
        };
        let value = value
            .split(',')
            .next()
            .unwrap_or_default()
            .trim()
            .trim_matches('"');
        name.trim().eq_ignore_ascii_case("rel") && value.eq_ignore_ascii_case("next")
    });
    next.then_some(target)
}

#[cfg(test)]
mod tests {
    use super::next_page;

    #[test]
    fn links_to_the_next_page() {
        for (link, target) in [
            (
                "</v2/a/tags/list?last=x&n=50>; rel=\"next\"",
                Some("/v2/a/tags/list?last=x&n=50"),
            ),
            ("<tags/list?last=x>;rel=next", Some("tags/list?last=x")),
            ("</x>; title=\"a\"; rel=next", Some("/x")),
            ("</x>; rel=\"prev\"", None),
            ("/x; rel=next", None),
            ("", None),
        ] {
            assert_eq!(next_page(link), target, "{link}");
        }
    }
}
