//! The HTTP clients, and which protocol a host speaks.

use super::Options;
use super::failure::Operation;
use crate::pace::Counts;
use crate::target::{FailureClass, TargetError};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use std::collections::{BTreeSet, HashSet};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Clients by the use that is made of them: reading the system's certificates takes long enough to wait until they are needed.
pub(super) struct Http {
    options: Options,
    /// Requests that may be under way at the same time.
    permits: Arc<Semaphore>,
    /// Those that give up when no byte comes for a while.
    usual: Clients,
    /// Those that wait: the answer to a long upload only comes at its end.
    patient: Clients,
    /// Loopback hosts that turned out to speak TLS.
    tls: Mutex<HashSet<String>>,
    /// Loopback hosts that turned out to speak plain HTTP.
    known_plain: Mutex<HashSet<String>>,
    /// Hosts that were said to speak plain HTTP.
    plain: BTreeSet<String>,
}

#[derive(Default)]
struct Clients {
    /// Plain HTTP to loopback hosts: no certificates, no proxy.
    loopback: OnceLock<Client>,
    /// TLS to loopback hosts: no proxy.
    loopback_tls: OnceLock<Client>,
    /// All other hosts, through the proxy that the environment names.
    remote: OnceLock<Client>,
}

impl Http {
    pub(super) fn new(options: Options) -> Self {
        let plain = options
            .plain_http
            .iter()
            .map(|host| host.to_lowercase())
            .collect();
        Self {
            permits: Arc::new(Semaphore::new(options.parallel.max(1))),
            options,
            usual: Clients::default(),
            patient: Clients::default(),
            tls: Mutex::default(),
            known_plain: Mutex::default(),
            plain,
        }
    }

    /// `https://HOST/v2/PATH/` of a repository, or what it is for this host.
    pub(super) fn base(&self, host: &str, path: &str) -> Result<Url, url::ParseError> {
        let server = match host {
            "docker.io" => "registry-1.docker.io",
            host => host,
        };
        let scheme = if self.is_plain(host) { "http" } else { "https" };
        Url::parse(&format!("{scheme}://{server}/v2/{path}/"))
    }

    /// Waits until a request to this URL may be sent: not while its host wants to be left alone, not more often than it may be, and not beside
    /// too many others. The request is under way as long as the permit is held.
    pub(super) async fn enter(
        &self,
        operation: &Operation,
        url: &Url,
        counts: Counts,
    ) -> Result<OwnedSemaphorePermit, TargetError> {
        loop {
            self.ready(operation, url, counts).await?;
            let permit = Arc::clone(&self.permits).acquire_owned().await;
            let permit = permit.map_err(|_| operation.permanent("the client is closed"))?;
            // It may have been told while this one stood in the queue.
            if self.options.pace.held(url, counts).is_none() {
                return Ok(permit);
            }
        }
    }

    /// As [`Http::enter`], for a request that goes on elsewhere, and is under way already.
    pub(super) async fn ready(
        &self,
        operation: &Operation,
        url: &Url,
        counts: Counts,
    ) -> Result<(), TargetError> {
        let ready = self.options.pace.ready(url, counts).await;
        ready.map_err(|reason| TargetError {
            status: Some(429),
            ..operation.error(FailureClass::Permanent, reason)
        })
    }

    /// Takes down what an answer tells of limits.
    pub(super) fn heard(&self, url: &Url, response: &reqwest::Response) {
        let (status, headers) = (response.status().as_u16(), response.headers());
        self.options.pace.heard(url, status, headers);
    }

    /// Whether requests to this host go without TLS.
    pub(super) fn is_plain(&self, host: &str) -> bool {
        let host = host.to_lowercase();
        let tls = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        (is_loopback_host(&host) || self.plain.contains(&host)) && !tls.contains(&host)
    }

    /// From now on this host is spoken to with TLS.
    pub(super) fn speaks_tls(&self, host: &str) {
        let mut tls = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        tls.insert(host.to_lowercase());
    }

    /// Whether it is still open which protocol this host speaks.
    pub(super) fn may_want_tls(&self, host: &str) -> bool {
        let known = self.known_plain.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_plain(host) && is_loopback_host(host) && !known.contains(host)
    }

    /// This host answered plain HTTP.
    pub(super) fn speaks_plain(&self, host: &str) {
        let mut known = self.known_plain.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(host) {
            known.insert(host.to_owned());
        }
    }

    /// Whether credentials may be sent to this URL: with TLS, or to a host that is known to be spoken to without.
    pub(super) fn may_carry_credentials(&self, url: &Url) -> bool {
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let host = url.host_str().unwrap_or_default();
        match url.scheme() {
            "https" => true,
            "http" => is_loopback(url) || self.plain.contains(&format!("{host}{port}")),
            _ => false,
        }
    }

    /// The client for this URL.
    pub(super) fn client(&self, url: &Url, patient: bool) -> Result<Client, reqwest::Error> {
        let clients = if patient { &self.patient } else { &self.usual };
        let cell = match (is_loopback(url), url.scheme()) {
            (true, "http") => &clients.loopback,
            (true, _) => &clients.loopback_tls,
            (false, _) => &clients.remote,
        };
        if let Some(client) = cell.get() {
            return Ok(client.clone());
        }
        // Without a provider of its own reqwest takes the one of the process; another one that is there already serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .user_agent(concat!("splitbase/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(self.options.connect_timeout);
        if !patient {
            builder = builder.read_timeout(self.options.idle_timeout);
        }
        if is_loopback(url) {
            builder = builder.no_proxy();
            if url.scheme() == "http"
                && let Some(provider) = rustls::crypto::CryptoProvider::get_default()
                && let Ok(config) = rustls::ClientConfig::builder_with_provider(Arc::clone(provider))
                    .with_safe_default_protocol_versions()
            {
                let nobody = config.with_root_certificates(rustls::RootCertStore::empty());
                builder = builder.tls_backend_preconfigured(nobody.with_no_client_auth());
            }
        }
        let client = builder.build()?;
        Ok(cell.get_or_init(|| client).clone())
    }
}

/// Whether this `HOST[:PORT]` is the machine itself: `localhost`, `127.*`, `[::1]`.
fn is_loopback_host(host: &str) -> bool {
    Url::parse(&format!("http://{host}/")).is_ok_and(|url| is_loopback(&url))
}

/// Whether this URL leads to the machine itself.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => Ipv4Addr::is_loopback(&address),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether both URLs lead to the same server: scheme, host and port.
pub(super) fn same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host_str() == other.host_str()
        && one.port_or_known_default() == other.port_or_known_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registry_hosts_and_their_protocols() {
        let http = Http::new(Options {
            plain_http: vec!["registry.lan:5000".to_owned()],
            ..Options::default()
        });
        for (host, base) in [
            ("docker.io", "https://registry-1.docker.io/v2/a/b/"),
            ("ghcr.io", "https://ghcr.io/v2/a/b/"),
            ("localhost:5000", "http://localhost:5000/v2/a/b/"),
            ("127.1.2.3", "http://127.1.2.3/v2/a/b/"),
            ("[::1]:5000", "http://[::1]:5000/v2/a/b/"),
            ("registry.lan:5000", "http://registry.lan:5000/v2/a/b/"),
            ("registry.lan", "https://registry.lan/v2/a/b/"),
            ("127.example.org", "https://127.example.org/v2/a/b/"),
            ("localhost.example.org", "https://localhost.example.org/v2/a/b/"),
        ] {
            assert_eq!(http.base(host, "a/b").unwrap().as_str(), base);
        }
        http.speaks_tls("localhost:5000");
        assert_eq!(
            http.base("localhost:5000", "a/b").unwrap().as_str(),
            "https://localhost:5000/v2/a/b/"
        );
        for (url, may) in [
            ("https://auth.example/token", true),
            ("http://auth.example/token", false),
            ("http://localhost:1/token", true),
            ("http://registry.lan:5000/token", true),
            ("ftp://auth.example/", false),
        ] {
            assert_eq!(http.may_carry_credentials(&url.parse().unwrap()), may, "{url}");
        }
    }

    #[test]
    fn registry_clients_can_be_made() {
        let http = Http::new(Options::default());
        for url in ["http://localhost:1", "https://localhost:1", "https://docker.io"] {
            assert!(http.client(&url.parse().unwrap(), false).is_ok(), "{url}");
        }
    }
}
