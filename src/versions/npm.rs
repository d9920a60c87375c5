//! npm packages: the registry is asked over HTTP, and so is the archive, before the version is believed.

use super::error::Failure;
use super::package::{Package, Picked};
use super::{Context, Found, fetch, redact};
use crate::failure::{Place, Trouble};
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use url::Url;

/// The abbreviated document where the registry has one.
const ACCEPT: &str = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8";
/// The host that archives of mirrored packages still name.
const PUBLIC_HOST: &str = "registry.npmjs.org";

/// Makes one attempt to find the version of a package.
pub(super) async fn find(package: &str, range: &str, context: &Context) -> Result<Found, Failure> {
    check_name(package)?;
    let registry = context
        .npm()?
        .registry(package)
        .map_err(|reason| Failure::permanent(reason).usage())?;
    let document = document(package, &registry, context).await?;
    let picked = document.pick(range)?;
    let tarball = tarball_address(&picked, &registry)?;
    tarball_is_there(range, &picked, &tarball, &registry, context).await?;
    let warnings = picked
        .release
        .deprecated()
        .map(|text| {
            format!(
                "{package}@{} is deprecated: {}",
                picked.version,
                redact::foreign(&context.environment.redactor().masked(text.to_owned()), 500)
            )
        })
        .into_iter()
        .collect();
    Ok(Found {
        version: picked.version.to_owned(),
        warnings,
    })
}

fn check_name(package: &str) -> Result<(), Failure> {
    let part = |text: &str| {
        !text.is_empty()
            && !text.starts_with(['.', '_', '-'])
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._~!'()*".contains(&byte))
    };
    let valid = match package.strip_prefix('@') {
        Some(scoped) => scoped
            .split_once('/')
            .is_some_and(|(scope, name)| part(scope) && part(name)),
        None => part(package),
    };
    if valid && package.len() <= 214 {
        Ok(())
    } else {
        Err(Failure::permanent(format!(
            "`{}` is not the name of an npm package",
            redact::foreign(package, 60)
        ))
        .usage())
    }
}

/// The credentials for an address. Those that are meant for https never go over http.
pub(super) fn authorization(context: &Context, registry: &Url, address: &Url) -> Option<HeaderValue> {
    if address.scheme() == "http" && registry.scheme() == "https" {
        return None;
    }
    context.npm().ok()?.authorization(address)
}

async fn document(package: &str, registry: &Url, context: &Context) -> Result<Package, Failure> {
    let address = registry
        .join(&package.replace('/', "%2f"))
        .map_err(|error| Failure::permanent(format!("build the address of the package: {error}")))?;
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static(ACCEPT));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let response = context
        .http
        .send(Place::NpmDocument, &Method::GET, &address, &headers, |address| {
            authorization(context, registry, address)
        })
        .await?;
    let status = response.status();
    if status != StatusCode::OK {
        return Err(refused_document(&response, &address, context));
    }
    let place = redact::address(response.url());
    let kind = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .map_or_else(|| "no content type".to_owned(), |kind| redact::foreign(kind, 60));
    let body = context.http.body(Place::NpmDocument, response).await?;
    serde_json::from_slice(&body).map_err(|error| {
        let reason =
            format!("{place} answered with something else than a package document ({kind}): {error}");
        let trouble = if error.is_eof() && !body.is_empty() {
            Trouble::Ended
        } else {
            Trouble::Garbled
        };
        Failure::at(Place::NpmDocument, trouble, reason)
    })
}

fn refused_document(response: &reqwest::Response, address: &Url, context: &Context) -> Failure {
    let what = match response.status() {
        StatusCode::NOT_FOUND => "there is no such package",
        _ => "the package document was refused",
    };
    let failure = fetch::refused(Place::NpmDocument, what, response);
    with_credential_hints(failure, response.status(), address, context)
}

fn with_credential_hints(
    mut failure: Failure,
    status: StatusCode,
    address: &Url,
    context: &Context,
) -> Failure {
    let Ok(settings) = context.npm() else {
        return failure;
    };
    if !matches!(status.as_u16(), 401 | 403 | 404) {
        return failure;
    }
    if let Some(why) = settings.withheld(address) {
        failure = failure.hint(why);
    } else if settings.has_unbound_credentials() && settings.authorization(address).is_none() {
        failure = failure.hint(
            "credentials in .npmrc count only when they are bound to a host: `//HOST/PATH/:_authToken=…`",
        );
    } else if status != StatusCode::NOT_FOUND && settings.authorization(address).is_none() {
        failure = failure.hint(format!(
            "no credentials are set for it: add `//{}/:_authToken=${{VARIABLE}}` to .npmrc",
            address.host_str().unwrap_or("HOST")
        ));
    }
    failure
}

/// Where the archive is, as npm sees it: what a mirror lists under the public host lies on the mirror.
fn tarball_address(picked: &Picked<'_>, registry: &Url) -> Result<Url, Failure> {
    let text = picked.release.tarball().ok_or_else(|| {
        let reason = format!("version {} is listed without an archive", picked.version);
        Failure::at(Place::NpmDocument, Trouble::Garbled, reason)
    })?;
    let mut address = registry
        .join(text)
        .ok()
        .filter(|address| matches!(address.scheme(), "http" | "https"))
        .ok_or_else(|| {
            let reason = format!(
                "version {} is listed with an archive that has no address: `{}`",
                picked.version,
                redact::foreign(text, 100)
            );
            Failure::at(Place::NpmDocument, Trouble::Garbled, reason)
        })?;
    if address.host_str() == Some(PUBLIC_HOST) && registry.host_str() != Some(PUBLIC_HOST) {
        let path = address.path().to_owned();
        let query = address.query().map(str::to_owned);
        address = registry.clone();
        if path.starts_with(registry.path()) {
            address.set_path(&path);
        } else {
            address.set_path(&format!("{}{}", registry.path(), path.trim_start_matches('/')));
        }
        address.set_query(query.as_deref());
    }
    Ok(address)
}

/// Asks for the archive without reading it.
async fn tarball_is_there(
    range: &str,
    picked: &Picked<'_>,
    tarball: &Url,
    registry: &Url,
    context: &Context,
) -> Result<(), Failure> {
    let authorization = |address: &Url| authorization(context, registry, address);
    let mut response = context
        .http
        .send(
            Place::NpmTarball,
            &Method::HEAD,
            tarball,
            &HeaderMap::new(),
            authorization,
        )
        .await?;
    // Some servers do not allow HEAD, or have signed their links for GET alone.
    if matches!(response.status().as_u16(), 400 | 403 | 405 | 501) {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_static("bytes=0-0"));
        response = context
            .http
            .send(Place::NpmTarball, &Method::GET, tarball, &headers, authorization)
            .await?;
    }
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    if matches!(status.as_u16(), 404 | 410) {
        let what = if picked.by_tag {
            format!("the dist-tag `{range}` has moved on to {}", picked.version)
        } else {
            format!("version {} is listed", picked.version)
        };
        let what = format!("{what}, but its tarball is not there yet");
        return Err(fetch::refused(Place::NpmTarball, &what, &response));
    }
    let what = format!("the tarball of {} was refused", picked.version);
    let failure = fetch::refused(Place::NpmTarball, &what, &response);
    Err(with_credential_hints(failure, status, tarball, context))
}
