//! Who is asking: credentials, and tokens by repository and what is to be done to it.
//!
//! How a host wants it is learnt from its first challenge and remembered. There is no ping of `/v2/`: some registries answer 200 there
//! although every repository needs credentials.

use super::challenge::Challenge;
use super::failure::{Operation, clean};
use super::http::{Http, is_loopback, same_origin};
use crate::credentials::{Credential, CredentialSource, Credentials, Secret};
use crate::environment::Redactor;
use crate::pace::Counts;
use crate::target::TargetError;
use base64::Engine as _;
use reqwest::Url;
use reqwest::header::HeaderValue;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Access {
    Pull,
    Push,
    Delete,
}

/// Longest answer of a token server that is read, in bytes.
const TOKEN_LIMIT: usize = 1024 * 1024;
/// Validity of a token that does not say (distribution's token authentication specification: `expires_in` defaults to 60 s).
const DEFAULT_VALIDITY: Duration = Duration::from_secs(60);

#[derive(Debug, Clone)]
enum Scheme {
    Basic,
    Bearer { realm: Url, service: Option<String> },
}

#[derive(Debug, Clone)]
struct Token {
    value: Secret,
    expires: Instant,
}

/// One place for one token. Whoever fetches it holds the lock, so that all others wait for that one fetch.
type Slot = Arc<tokio::sync::Mutex<Option<Token>>>;

/// What a token must be good for.
enum Scope {
    /// A token that is there is good for it.
    Held(Slot, Secret),
    /// One for these scopes, joined by spaces.
    Wanted(String),
}

/// What goes into the `Authorization` header of one request.
pub(super) struct Authorization {
    pub(super) header: HeaderValue,
    token: Option<(Slot, Secret)>,
}

impl Authorization {
    /// Whether asking the token server once more can make a difference.
    pub(super) const fn is_token(&self) -> bool {
        self.token.is_some()
    }
}

pub(super) struct Auth {
    credentials: Credentials,
    timeout: Duration,
    schemes: Mutex<HashMap<String, Scheme>>,
    /// Hosts that have accepted our credentials in this run, themselves or through their token servers.
    accepted: Mutex<HashSet<String>>,
    found: Mutex<HashMap<String, Arc<tokio::sync::OnceCell<Option<Credential>>>>>,
    tokens: Mutex<HashMap<(String, String), Slot>>,
    secrets: Mutex<Vec<Secret>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Auth {
    pub(super) fn new(credentials: Credentials, timeout: Duration) -> Self {
        Self {
            credentials,
            timeout,
            schemes: Mutex::default(),
            accepted: Mutex::default(),
            found: Mutex::default(),
            tokens: Mutex::default(),
            secrets: Mutex::default(),
        }
    }

    /// Remembers how `host` wants to be asked: by token if it offers that. False when it offers nothing that is known here.
    ///
    /// # Errors
    /// The token server is one that credentials must not be sent to.
    pub(super) fn learn(
        &self,
        http: &Http,
        operation: &Operation,
        asked: &Url,
        challenges: &[Challenge],
    ) -> Result<bool, TargetError> {
        let bearer = challenges.iter().find_map(|challenge| match challenge {
            Challenge::Bearer { realm, service } => Some((realm, service)),
            Challenge::Basic => None,
        });
        let scheme = match bearer {
            Some((realm, service)) => Scheme::Bearer {
                realm: token_server(http, operation, asked, realm)?,
                service: service.clone(),
            },
            None if challenges.contains(&Challenge::Basic) => Scheme::Basic,
            None => return Ok(false),
        };
        locked(&self.schemes).insert(operation.host.clone(), scheme);
        Ok(true)
    }

    /// What to send with a request to this repository, as far as is known: nothing before the first challenge.
    pub(super) async fn authorization(
        &self,
        http: &Http,
        operation: &Operation,
        path: &str,
        access: Access,
        mounted_from: Option<&str>,
    ) -> Result<Option<Authorization>, TargetError> {
        let scheme = locked(&self.schemes).get(&operation.host).cloned();
        match scheme {
            None => Ok(None),
            Some(Scheme::Basic) => match self.credential(operation).await? {
                Some(Credential::Password { username, password }) => Ok(Some(Authorization {
                    header: basic(operation, &username, &password)?,
                    token: None,
                })),
                Some(Credential::IdentityToken(_)) => {
                    let mut error = operation
                        .permanent("the registry wants a password, and the login holds an identity token");
                    error.hints = vec![format!(
                        "`docker login {}` with a user name and a password",
                        operation.host
                    )];
                    Err(error)
                }
                None => Ok(None),
            },
            Some(Scheme::Bearer { realm, service }) => {
                let scope = self.scope(operation, path, access, mounted_from);
                let (slot, token) = match scope {
                    Scope::Held(slot, token) => (slot, token),
                    Scope::Wanted(scope) => {
                        self.token(http, operation, &realm, service.as_deref(), scope)
                            .await?
                    }
                };
                let header = header(operation, &format!("Bearer {}", token.expose()))?;
                Ok(Some(Authorization {
                    header,
                    token: Some((slot, token)),
                }))
            }
        }
    }

    /// Throws away a token that the registry did not accept, unless somebody has fetched another one since.
    pub(super) async fn reject(&self, authorization: &Authorization) {
        if let Some((slot, rejected)) = &authorization.token {
            let mut current = slot.lock().await;
            if current.as_ref().is_some_and(|token| token.value == *rejected) {
                *current = None;
            }
        }
    }

    /// This host has accepted our credentials.
    pub(super) fn accept(&self, host: &str) {
        let mut accepted = locked(&self.accepted);
        if !accepted.contains(host) {
            accepted.insert(host.to_owned());
        }
    }

    /// Whether a denial may pass: the same credentials were accepted before.
    pub(super) fn has_accepted(&self, host: &str) -> bool {
        locked(&self.accepted).contains(host)
    }

    /// A hint to log in that also says where the credential that did not do came from.
    pub(super) fn variables_instead(&self, hint: &str) -> Option<String> {
        let (host, account) = hint.strip_prefix("`docker login ")?.split_once("` with ")?;
        match self.credentials.used(host)? {
            CredentialSource::Variables => Some(format!(
                "set `SPLITBASE_USERNAME` and `SPLITBASE_PASSWORD` to {account}"
            )),
            source => Some(format!("{hint}; credentials used: {source}")),
        }
    }

    /// Takes out of a message whatever secret a server may have put into it, in whatever form; `None` where there is none.
    pub(super) fn redact(&self, text: &str) -> Option<String> {
        let secrets = locked(&self.secrets).clone();
        let redactor = Redactor::new(secrets.iter().map(|secret| secret.expose().to_owned()));
        let redacted = redactor.masked(text.to_owned());
        (redacted != text).then_some(redacted)
    }

    fn keep_secret(&self, secret: &Secret) {
        let mut secrets = locked(&self.secrets);
        if !secrets.contains(secret) {
            secrets.push(secret.clone());
            self.credentials.hide(secret);
        }
    }

    async fn credential(&self, operation: &Operation) -> Result<Option<Credential>, TargetError> {
        let cell = Arc::clone(locked(&self.found).entry(operation.host.clone()).or_default());
        let credential = cell
            .get_or_try_init(|| self.credentials.for_host(&operation.host))
            .await
            .map_err(|failed| {
                let mut error = operation.permanent(failed.to_string());
                error.hints = vec![failed.hint];
                error
            })?;
        if let Some(credential) = credential {
            self.keep_secret(credential.secret());
        }
        Ok(credential.clone())
    }

    fn slot(&self, host: &str, scope: String) -> Slot {
        Arc::clone(locked(&self.tokens).entry((host.to_owned(), scope)).or_default())
    }

    /// What a token must be good for: where one is there that is good for more, that one.
    fn scope(&self, operation: &Operation, path: &str, access: Access, mounted_from: Option<&str>) -> Scope {
        let push = format!("repository:{path}:pull,push");
        match (access, mounted_from) {
            (Access::Delete, _) => Scope::Wanted(format!("{push},delete")),
            (Access::Push, None) => Scope::Wanted(push),
            (Access::Push, Some(from)) => Scope::Wanted(format!("{push} repository:{from}:pull")),
            (Access::Pull, _) => {
                // A token to push is one to pull as well: use it where it is there.
                let known = locked(&self.tokens).get(&(operation.host.clone(), push)).cloned();
                if let Some(slot) = known {
                    let value = slot.try_lock().ok().and_then(|token| valid(token.as_ref()));
                    if let Some(value) = value {
                        return Scope::Held(slot, value);
                    }
                }
                Scope::Wanted(format!("repository:{path}:pull"))
            }
        }
    }

    async fn token(
        &self,
        http: &Http,
        operation: &Operation,
        realm: &Url,
        service: Option<&str>,
        scope: String,
    ) -> Result<(Slot, Secret), TargetError> {
        let slot = self.slot(&operation.host, scope.clone());
        let mut current = slot.lock().await;
        if let Some(value) = valid(current.as_ref()) {
            drop(current);
            return Ok((slot, value));
        }
        let token = match self.fetch(http, operation, realm, service, &scope).await {
            // What it was asked with was good before: whatever it looks that up in may have failed.
            Err(error) if error.status == Some(401) && self.has_accepted(&operation.host) => {
                self.fetch(http, operation, realm, service, &scope).await?
            }
            fetched => fetched?,
        };
        self.accept(&operation.host);
        let value = token.value.clone();
        self.keep_secret(&value);
        *current = Some(token);
        drop(current);
        Ok((slot, value))
    }

    /// Asks the token server (distribution's `docs/spec/auth`, "token" and "oauth").
    async fn fetch(
        &self,
        http: &Http,
        operation: &Operation,
        realm: &Url,
        service: Option<&str>,
        scope: &str,
    ) -> Result<Token, TargetError> {
        let server = format!("token server `{}`", realm.host_str().unwrap_or_default());
        let client = http
            .client(realm, false)
            .map_err(|error| operation.transport(&error))?;
        let credential = self.credential(operation).await?;
        let service = service.map(|service| ("service", service));
        let mut request = if let Some(Credential::IdentityToken(token)) = &credential {
            let form = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("scope", scope)
                .extend_pairs(service)
                .append_pair("grant_type", "refresh_token")
                .append_pair("client_id", "splitbase")
                .append_pair("refresh_token", token.expose())
                .finish();
            client
                .post(realm.clone())
                .header("Content-Type", "application/x-www-form-urlencoded")
                .body(form)
        } else {
            let mut url = realm.clone();
            // Several scopes are one field each here; in the form they are one field with spaces.
            let scopes = scope.split(' ').map(|scope| ("scope", scope));
            url.query_pairs_mut().extend_pairs(scopes.chain(service));
            client.get(url)
        };
        if let Some(Credential::Password { username, password }) = &credential {
            request = request.header("Authorization", basic(operation, username, password)?);
        }
        let _permit = http.enter(operation, realm, Counts::AsAny).await?;
        let asked = Instant::now();
        let failed = |error: reqwest::Error| {
            let mut error = operation.transport(&error.without_url());
            error.reason = format!("{server}: {}", error.reason);
            error
        };
        let mut response = request.timeout(self.timeout).send().await.map_err(failed)?;
        http.heard(realm, &response);
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > TOKEN_LIMIT {
                return Err(operation.permanent(format!("{server}: its answer is longer than 1 MiB")));
            }
            body.extend_from_slice(&chunk);
        }
        if !status.is_success() {
            return Err(operation.status(Some(&server), status, &headers, &body));
        }
        let (value, validity) = token_in(&body)
            .ok_or_else(|| operation.permanent(format!("{server}: its answer is no token")))?;
        Ok(Token {
            value: Secret::new(value),
            expires: asked + validity,
        })
    }
}

/// The token in the answer of a token server, and how long it is used.
pub(super) fn token_in(body: &[u8]) -> Option<(String, Duration)> {
    let answer: TokenAnswer = serde_json::from_slice(body).ok()?;
    let value = answer.token.or(answer.access_token);
    let validity = answer.expires_in.map_or(DEFAULT_VALIDITY, Duration::from_secs);
    // A little less than promised: the token must still be good when it arrives.
    let validity = validity.saturating_sub((validity / 10).min(Duration::from_secs(10)));
    let validity = validity.min(Duration::from_secs(24 * 3600));
    Some((value.filter(|token| !token.is_empty())?, validity))
}

#[derive(serde::Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

fn valid(token: Option<&Token>) -> Option<Secret> {
    token
        .filter(|token| Instant::now() < token.expires)
        .map(|token| token.value.clone())
}

fn basic(operation: &Operation, username: &str, password: &Secret) -> Result<HeaderValue, TargetError> {
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{username}:{}", password.expose()));
    header(operation, &format!("Basic {pair}"))
}

fn header(operation: &Operation, text: &str) -> Result<HeaderValue, TargetError> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| operation.permanent("the token or password holds characters that cannot be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The URL of the token server: a realm may be a path on the registry. A registry that is asked with TLS cannot send credentials
/// elsewhere without.
fn token_server(http: &Http, operation: &Operation, asked: &Url, realm: &str) -> Result<Url, TargetError> {
    let shown = clean(realm, 200);
    let mut url = asked
        .join(realm)
        .map_err(|_| operation.permanent(format!("the registry's token server `{shown}` is no URL")))?;
    url.set_fragment(None);
    let same_host = url.host_str() == asked.host_str();
    if asked.scheme() == "https" && url.scheme() == "http" && same_host && url.port().is_none() {
        // A registry behind a proxy that ends TLS often does not know of it.
        let _ = url.set_scheme("https");
    }
    let downgraded = asked.scheme() == "https" && url.scheme() != "https";
    let inward = is_loopback(&url) && !is_loopback(asked) && !same_origin(&url, asked);
    if downgraded || inward || !http.may_carry_credentials(&url) {
        return Err(operation.permanent(format!(
            "the registry names a token server that credentials cannot be sent to safely: `{shown}`"
        )));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::registry::Options;

    #[test]
    fn registry_token_servers_are_only_trusted_with_tls() {
        let repository = "registry.example/acme/devbox".parse().unwrap();
        let operation = Operation::read(&repository, "`v1`");
        let http = Http::new(Options::default());
        let resolve = |asked: &str, realm: &str| {
            token_server(&http, &operation, &asked.parse().unwrap(), realm)
                .map(|url| url.to_string())
                .map_err(|error| error.reason)
        };
        let remote = "https://registry.example/v2/acme/devbox/manifests/v1";
        for (asked, realm, expected) in [
            (
                remote,
                "https://auth.example/token?x=1",
                "https://auth.example/token?x=1",
            ),
            (remote, "/v2/auth", "https://registry.example/v2/auth"),
            (
                remote,
                "http://registry.example/token",
                "https://registry.example/token",
            ),
            (
                "http://localhost:5000/v2/a",
                "http://localhost:5001/t",
                "http://localhost:5001/t",
            ),
            (
                "http://localhost:5000/v2/a",
                "https://auth.example/t",
                "https://auth.example/t",
            ),
        ] {
            assert_eq!(resolve(asked, realm).as_deref(), Ok(expected), "{realm}");
        }
        for (asked, realm) in [
            (remote, "http://auth.example/token?secret=1"),
            (remote, "http://registry.example:8080/token"),
            (remote, "http://localhost/token"),
            (remote, "https://127.0.0.1/token"),
            (remote, "ftp://auth.example/token"),
            ("http://localhost:5000/v2/a", "http://auth.example/t"),
        ] {
            let reason = resolve(asked, realm).unwrap_err();
            assert!(!reason.contains("secret"), "{reason}");
        }
    }
}
