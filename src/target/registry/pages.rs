//! Lists that come page by page: tags and referrers. Each page names the next one in `Link` (RFC 8288), read generously: several links
//! in one header or several headers, other parameters, values without quotes, addresses that are relative.

use super::Registry;
use super::exchange::{Answer, Place, Request};
use super::failure::{Operation, clean};
use super::http::same_origin;
use crate::target::TargetError;
use bytes::Bytes;
use reqwest::Url;

/// Most pages: a registry that sends pages without end must not keep us for ever.
const MOST_PAGES: usize = 10_000;
/// Longest list, all its pages together, in bytes.
const LIST_LIMIT: usize = 64 * 1024 * 1024;

impl Registry {
    /// Reads a list, from the page that `first` asks for to its end. `take` gets each page; one page has at most `limit` bytes.
    ///
    /// # Errors
    /// A page could not be read, after its retries; or the next one is on another server, which would get our token.
    pub(super) async fn pages(
        &self,
        operation: &Operation,
        first: Request<'_>,
        limit: usize,
        mut take: impl FnMut(&Bytes) -> Result<(), TargetError> + Send,
    ) -> Result<(), TargetError> {
        let mut request = first;
        let mut read = 0;
        for _ in 0..MOST_PAGES {
            let (page, next) = self
                .retrying(|| async {
                    let answer = self.checked(operation, &request).await?;
                    let next = next_page(operation, &answer)?;
                    Ok((answer.body(operation, limit).await?, next))
                })
                .await?;
            read += page.len();
            if read > LIST_LIMIT {
                return Err(operation.permanent(format!("the list is longer than {LIST_LIMIT} bytes")));
            }
            take(&page)?;
            match next {
                Some(next) => request.place = Place::Url(next),
                None => return Ok(()),
            }
        }
        Err(operation.permanent(format!("the list does not end after {MOST_PAGES} pages")))
    }
}

/// Where the page after this one is; `None` where this is the last.
fn next_page(operation: &Operation, answer: &Answer) -> Result<Option<Url>, TargetError> {
    let values = answer.headers.get_all("link");
    let Some(link) = values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .find_map(next)
    else {
        return Ok(None);
    };
    let shown = clean(link, 200);
    match answer.url.join(link) {
        Ok(url) if !same_origin(&url, &answer.url) => {
            Err(operation.permanent(format!("the next page is at `{shown}`, which is elsewhere")))
        }
        Ok(url) if url == answer.url => {
            Err(operation.permanent(format!("the page after `{shown}` is that page again")))
        }
        Ok(url) => Ok(Some(url)),
        Err(_) => Err(operation.permanent(format!("the next page is at `{shown}`, which is no address"))),
    }
}

/// The first target in a `Link` header whose relation is `next`.
pub(super) fn next(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some((_, opened)) = rest.split_once('<') {
        let (target, after) = opened.split_once('>')?;
        let mut is_next = false;
        rest = after;
        while let Some(parameter) = rest.trim_start().strip_prefix(';') {
            let (name, value, after) = parse(parameter);
            rest = after;
            is_next |= name.eq_ignore_ascii_case("rel")
                && value
                    .split_whitespace()
                    .any(|relation| relation.eq_ignore_ascii_case("next"));
        }
        if is_next {
            return Some(target);
        }
    }
    None
}

/// `NAME=VALUE` at the beginning of a text, quoted or not, and what comes after it.
fn parse(text: &str) -> (&str, &str, &str) {
    let end = text.find([';', ',', '=']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let Some(value) = rest.strip_prefix('=').map(str::trim_start) else {
        return (name.trim(), "", rest);
    };
    if let Some(quoted) = value.strip_prefix('"') {
        let (value, rest) = quoted.split_once('"').unwrap_or((quoted, ""));
        return (name.trim(), value, rest);
    }
    let end = value.find([';', ',']).unwrap_or(value.len());
    let (value, rest) = value.split_at(end);
    (name.trim(), value.trim(), rest)
}

#[cfg(test)]
mod tests {
    use super::next;

    #[test]
    fn registry_links_to_the_next_page() {
        let hub = "</v2/a/tags/list?last=x&n=50>; rel=\"next\"";
        for (header, target) in [
            (hub, Some("/v2/a/tags/list?last=x&n=50")),
            ("<tags/list?last=x>;rel=next", Some("tags/list?last=x")),
            ("<https://r.example/x>; REL=NEXT", Some("https://r.example/x")),
            ("</x>; title=\"a; rel=prev, <b>\"; rel=next", Some("/x")),
            ("</x>; rel = \"prev next\"", Some("/x")),
            ("</x>; rel=next; title=b", Some("/x")),
            ("</a>; rel=prev, </b?x=1,2>; rel=next", Some("/b?x=1,2")),
            (
                "</a>; rel=\"first\", </b>; rel=\"next\", </c>; rel=\"last\"",
                Some("/b"),
            ),
            ("</a>, </b>; rel=next", Some("/b")),
            ("</x>; rel=\"prev\"", None),
            ("</x>; title=next", None),
            ("</x?rel=next>; rel=nextone", None),
            ("/x; rel=next", None),
            ("</x; rel=next", None),
            ("</x>; rel=\"next", Some("/x")),
            ("<<<>>>;;;===\"\"", None),
            ("", None),
        ] {
            assert_eq!(next(header), target, "{header}");
        }
    }
}
