//! One HTTP request: redirects by hand so that credentials stay where they belong, bounded answers, errors that say whether to try again.

use super::client::{self, Patience};
use super::error::Failure;
use super::redact;
use crate::environment::Environment;
use crate::failure::{Place, Symptom, Trouble};
use crate::pace::{Counts, Pace, retry_after};
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use std::sync::{Arc, OnceLock};
use url::Url;

/// The largest document that is read.
const LARGEST: u64 = 64 * 1024 * 1024;
/// How many redirects are followed.
const REDIRECTS: usize = 5;

type Client = Arc<OnceLock<Result<reqwest::Client, String>>>;

/// The HTTP client of the version sources. It is set up when it is first used; clones share it.
#[derive(Clone)]
pub struct Http {
    environment: Environment,
    client: Client,
    /// For plain HTTP: it has no certificates to read.
    plain: Client,
    largest: u64,
    patience: Patience,
    pace: Pace,
}

impl Http {
    /// A client that takes its proxies and certificates from `environment`.
    #[must_use]
    pub fn new(environment: &Environment) -> Self {
        Self {
            environment: environment.clone(),
            client: Client::default(),
            plain: Client::default(),
            largest: LARGEST,
            patience: Patience::default(),
            pace: Pace::default(),
        }
    }

    /// The same, but no document may be larger than this many bytes.
    #[must_use]
    pub fn with_largest(mut self, bytes: u64) -> Self {
        self.largest = bytes;
        self
    }

    /// The same, with other limits of time.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// The same, with the manners of a run.
    #[must_use]
    pub fn with_pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// What all requests of the run share.
    pub(super) const fn pace(&self) -> &Pace {
        &self.pace
    }

    fn client(&self, address: &Url) -> Result<&reqwest::Client, Failure> {
        let plain = client::is_plain(&self.environment, address);
        let client = if plain { &self.plain } else { &self.client };
        client
            .get_or_init(|| client::build(&self.environment, self.patience, plain))
            .as_ref()
            .map_err(|reason| Failure::permanent(reason.clone()))
    }

    /// Sends a request and follows its redirects. `authorization` is asked for each address anew.
    pub(super) async fn send(
        &self,
        place: Place,
        method: &Method,
        address: &Url,
        headers: &HeaderMap,
        authorization: impl Fn(&Url) -> Option<HeaderValue>,
    ) -> Result<reqwest::Response, Failure> {
        let mut address = address.clone();
        for _ in 0..=REDIRECTS {
            let mut request = self
                .client(&address)?
                .request(method.clone(), address.clone())
                .headers(headers.clone());
            if let Some(value) = authorization(&address) {
                request = request.header(header::AUTHORIZATION, value);
            }
            self.pace
                .ready(&address, Counts::AsAny)
                .await
                .map_err(Failure::permanent)?;
            let sent = request.send().await;
            let response = sent.map_err(|error| describe(place, &error, &address))?;
            let (status, answered) = (response.status().as_u16(), response.headers());
            self.pace.heard(&address, status, answered);
            let Some(next) = redirect(place, &response, &address)? else {
                return Ok(response);
            };
            address = next;
        }
        let reason = format!(
            "{} redirects more than {REDIRECTS} times",
            redact::address(&address)
        );
        Err(Failure::at(place, Trouble::Redirect, reason))
    }

    /// Reads a whole answer, as long as it stays within bounds.
    pub(super) async fn body(
        &self,
        place: Place,
        mut response: reqwest::Response,
    ) -> Result<Vec<u8>, Failure> {
        let address = response.url().clone();
        let too_large = || {
            let reason = format!(
                "the answer of {} is larger than {} bytes",
                redact::address(&address),
                self.largest
            );
            Failure::at(place, Trouble::TooLarge, reason)
        };
        if response
            .content_length()
            .is_some_and(|length| length > self.largest)
        {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| describe(place, &error, &address))?
        {
            if (body.len() + chunk.len()) as u64 > self.largest {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// Where a redirect leads; `None` when the answer is none.
fn redirect(place: Place, response: &reqwest::Response, from: &Url) -> Result<Option<Url>, Failure> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let refused = |why: &str| {
        let reason = format!("{} redirects {why}", redact::address(from));
        Err(Failure::at(place, Trouble::Redirect, reason))
    };
    let location = response
        .headers()
        .get(header::LOCATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| from.join(value).ok());
    match location {
        None => refused("to no address"),
        Some(to) if !matches!(to.scheme(), "http" | "https") => refused("away from HTTP"),
        Some(to) if from.scheme() == "https" && to.scheme() == "http" => {
            refused("from https to http, which is not followed")
        }
        Some(to) => Ok(Some(to)),
    }
}

/// The failure that a status stands for. `what` says what it means: "the package document was refused".
pub(super) fn refused(place: Place, what: &str, response: &reqwest::Response) -> Failure {
    let status = response.status();
    let symptom = Symptom {
        status: Some(status.as_u16()),
        ..Symptom::at(place)
    };
    let reason = format!(
        "{what}: {} answered {}",
        redact::address(response.url()),
        status_text(status)
    );
    let mut failure = Failure::of(&symptom, reason);
    failure.retry_after = retry_after(response.headers());
    failure
}

/// A status for messages: its number and its name.
pub(super) fn status_text(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(name) => format!("{} {name}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

fn describe(place: Place, error: &reqwest::Error, address: &Url) -> Failure {
    let trouble = Trouble::of(error);
    let address = redact::address(address);
    let reason = match trouble {
        Trouble::Unreached => format!("connect to {address}: timed out"),
        Trouble::TimedOut => format!("wait for {address}: timed out"),
        _ => format!("ask {address}: {}", chain(error)),
    };
    Failure::at(place, trouble, reason)
}

/// An error and what is behind it, without the address, which may hold credentials.
pub(super) fn chain(error: &reqwest::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        let text = redact::foreign(&cause.to_string(), 200);
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        next = cause.source();
    }
    if parts.is_empty() {
        let kind = if error.is_body() || error.is_decode() {
            "the answer was cut off"
        } else {
            "the request failed"
        };
        parts.push(kind.to_owned());
    }
    parts.join(": ")
}
