//! Builds the HTTP client: TLS by rustls with the system's certificates, proxies from the environment, bounded times.

use crate::environment::Environment;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How long a request may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// To connect, TLS included.
    pub connect: Duration,
    /// Without a byte from the server.
    pub idle: Duration,
    /// The whole of it.
    pub whole: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            whole: Duration::from_secs(60),
        }
    }
}

/// Hosts that no proxy is ever asked for.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

/// Whether requests to `address` need no TLS at all: neither its server nor a proxy wants it. Reading the system's certificates takes longer
/// than most answers.
pub(super) fn is_plain(environment: &Environment, address: &Url) -> bool {
    address.scheme() == "http" && proxies(environment).is_ok_and(|proxies| proxies.is_empty())
}

/// A client that never follows redirects by itself: who follows one must decide anew which credentials go along. A `plain` one trusts no
/// certificate, and is for plain HTTP only.
///
/// # Errors
/// The text says which proxy, or what of TLS, could not be used.
pub(super) fn build(
    environment: &Environment,
    patience: Patience,
    plain: bool,
) -> Result<reqwest::Client, String> {
    // Another part of the program may have been first; any provider will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("splitbase/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(patience.connect)
        .read_timeout(patience.idle)
        .timeout(patience.whole)
        .no_proxy();
    for proxy in proxies(environment)? {
        builder = builder.proxy(proxy);
    }
    if plain
        && let Some(provider) = rustls::crypto::CryptoProvider::get_default()
        && let Ok(config) = rustls::ClientConfig::builder_with_provider(Arc::clone(provider))
            .with_safe_default_protocol_versions()
    {
        let nobody = config.with_root_certificates(rustls::RootCertStore::empty());
        builder = builder.tls_backend_preconfigured(nobody.with_no_client_auth());
    }
    builder
        .build()
        .map_err(|error| format!("set up the HTTP client: {}", super::fetch::chain(&error)))
}

fn proxies(environment: &Environment) -> Result<Vec<reqwest::Proxy>, String> {
    let variable = |lower: &str| {
        let upper = lower.to_ascii_uppercase();
        let value = environment.get(lower).or_else(|| environment.get(&upper));
        value.map(|value| (upper.clone(), value.to_owned()))
    };
    let all = || variable("all_proxy");
    let except =
        variable("no_proxy").map_or_else(|| LOOPBACK.to_owned(), |(_, hosts)| format!("{hosts},{LOOPBACK}"));
    let mut proxies = Vec::new();
    for (scheme, found) in [
        ("http", variable("http_proxy").or_else(all)),
        ("https", variable("https_proxy").or_else(all)),
    ] {
        let Some((name, address)) = found else { continue };
        let proxy = if scheme == "http" {
            reqwest::Proxy::http(address)
        } else {
            reqwest::Proxy::https(address)
        };
        // The address may hold a password: it is not shown.
        let proxy = proxy.map_err(|_| format!("use the proxy of {name}: it is not a URL"))?;
        proxies.push(proxy.no_proxy(reqwest::NoProxy::from_string(&except)));
    }
    Ok(proxies)
}
