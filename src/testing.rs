//! What tests of several modules share: build steps, and parts of the real world that a test has for itself.

pub(crate) mod faults;
pub(crate) mod given;
pub(crate) mod memory;
pub(crate) mod recorded;
pub(crate) mod tls;

use crate::config::{Provenance, Sbom};
use crate::domain::{IdentityTags, ImageId, Platform};
use crate::plan::{BuildStep, SmokeStep};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

/// A build step of the base for `linux/amd64`, without options.
pub(crate) fn build_step(repository: &str) -> BuildStep {
    let identity = "0123456789ab".repeat(6)[..64].parse().unwrap();
    let platform: Platform = "linux/amd64".parse().unwrap();
    let tags = IdentityTags::new(&ImageId::Base, &identity);
    BuildStep {
        image: ImageId::Base,
        identity,
        repository: repository.parse().unwrap(),
        staging: tags.staging(&platform),
        tag: tags.platform(&platform),
        platform,
        replaces: None,
        dockerfile: "Dockerfile".into(),
        context: ".".into(),
        args: [].into(),
        base: None,
        target: None,
        network: None,
        shm_size: None,
        contexts: [].into(),
        secrets: vec![],
        ssh: vec![],
        labels: [].into(),
        annotations: [].into(),
        provenance: Provenance::Min,
        sbom: Sbom::Off,
        flags: vec![],
        no_cache: false,
        pull: false,
        cache_from: vec![],
        cache_to: None,
        timeout: None,
    }
}

/// A smoke test of the base for `linux/amd64`: `./smoke.sh`, half a minute at most.
pub(crate) fn smoke_step(repository: &str) -> SmokeStep {
    let build = build_step(repository);
    SmokeStep {
        image: build.image,
        platform: build.platform,
        repository: build.repository,
        digest: None,
        receipt: "base-0123456789ab-amd64-ok-0123456789ab".parse().unwrap(),
        command: vec!["./smoke.sh".to_owned()],
        env: [].into(),
        env_open: std::collections::BTreeMap::new(),
        timeout: crate::domain::Duration::from_secs(30),
        max_size: None,
    }
}

/// A variable of the process.
#[expect(
    clippy::disallowed_methods,
    reason = "tests are told by variables where the engine is"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Writes a file, and the folders above it.
#[expect(clippy::disallowed_methods, reason = "tests make their own files")]
pub(crate) fn write(path: &Path, text: impl AsRef<[u8]>, executable: bool) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    let mode = if executable { 0o755 } else { 0o644 };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Reads a file.
#[expect(clippy::disallowed_methods, reason = "tests read what was written")]
pub(crate) fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
}

/// The bytes of all files of a folder, in the order of their names.
#[expect(clippy::disallowed_methods, reason = "tests read what was written")]
pub(crate) fn read_all(folder: &Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort_unstable();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Runs a program to its end and returns what it prints, both streams.
#[expect(
    clippy::disallowed_methods,
    reason = "witnesses are not run through what is tested"
)]
pub(crate) fn witness(program: &str, args: &[&str], env: &[(&str, &str)]) -> String {
    let output = std::process::Command::new(program)
        .args(args)
        .envs(env.iter().copied())
        .output()
        .unwrap_or_else(|error| panic!("run `{program}`: {error}"));
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A registry of its own, on a port of its own; it ends with the test.
pub(crate) struct TestRegistry {
    child: std::process::Child,
    dir: tempfile::TempDir,
    address: String,
}

impl TestRegistry {
    /// Starts one: `SPLITBASE_TEST_REGISTRY_BIN`, or `docker-registry` on the path.
    #[expect(clippy::disallowed_methods, reason = "not one of the program's own children")]
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().display();
        let config = dir.path().join("config.yml");
        let text = format!(
            "version: 0.1\nlog:\n  level: info\n  formatter: text\n  accesslog:\n    disabled: false\nstorage:\n  filesystem:\n    \
             rootdirectory: {root}/data\n  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:0\n"
        );
        write(&config, text, false);
        let log = std::fs::File::create(dir.path().join("access.log")).unwrap();
        let program = variable("SPLITBASE_TEST_REGISTRY_BIN").unwrap_or_else(|| "docker-registry".to_owned());
        let mut child = std::process::Command::new(&program)
            .arg("serve")
            .arg(&config)
            .stdout(log)
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("run `{program}`: {error}; `scripts/engine install` installs it"));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, rest) = line.split_once("listening on ")?;
                let end = rest.find([' ', '"', ',']).unwrap_or(rest.len());
                Some(rest[..end].to_owned())
            })
            .expect("the registry ended before it listened");
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            dir,
            address: address.replace("127.0.0.1", "localhost"),
        }
    }

    /// `localhost:PORT`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Where its blobs are.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }
}

impl Drop for TestRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Copies the busybox of `architecture` into `dir` as `busybox`.
pub(crate) fn busybox(dir: &Path, architecture: &str) {
    let from =
        variable("SPLITBASE_TEST_BUSYBOX_DIR").unwrap_or_else(|| "/var/tmp/splitbase-engine/busybox".into());
    let from = Path::new(&from).join(format!("busybox-{architecture}"));
    std::fs::copy(&from, dir.join("busybox")).unwrap_or_else(|error| {
        panic!(
            "copy `{}`: {error}; `scripts/engine install` gets it",
            from.display()
        )
    });
}

/// The socket of the engine with the classic image store.
pub(crate) fn classic_host() -> String {
    variable("SPLITBASE_TEST_CLASSIC_HOST")
        .unwrap_or_else(|| "unix:///var/tmp/splitbase-engine/classic/docker.sock".to_owned())
}

/// What a [`FaultyRegistry`] does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Hands it on.
    None,
    /// Answers with this status.
    Status(u16),
    /// Never answers.
    Hang,
}

/// A proxy before a registry, which fails where a test wants it to.
pub(crate) struct FaultyRegistry {
    address: String,
    server: tokio::task::JoinHandle<()>,
}

impl FaultyRegistry {
    /// Starts one; `fault` is asked with method and path of each request.
    pub(crate) async fn start(
        registry: &TestRegistry,
        fault: impl Fn(&str, &str) -> Fault + Send + Sync + 'static,
    ) -> Self {
        // The client insists on one, though nothing here speaks TLS.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        let upstream = registry.address().replace("localhost", "127.0.0.1");
        let fault = std::sync::Arc::new(fault);
        let handler = move |request: axum::extract::Request| {
            let (client, upstream, fault) = (client.clone(), upstream.clone(), fault.clone());
            async move {
                let (parts, body) = request.into_parts();
                match fault(parts.method.as_str(), parts.uri.path()) {
                    Fault::None => {}
                    Fault::Status(status) => {
                        let mut response = axum::response::Response::default();
                        *response.status_mut() = axum::http::StatusCode::from_u16(status).unwrap();
                        return response;
                    }
                    Fault::Hang => std::future::pending::<()>().await,
                }
                let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
                let sent = client
                    .request(parts.method, format!("http://{upstream}{}", parts.uri))
                    .headers(parts.headers)
                    .body(body)
                    .send()
                    .await
                    .unwrap();
                let (status, headers) = (sent.status(), sent.headers().clone());
                let mut response =
                    axum::response::Response::new(axum::body::Body::from(sent.bytes().await.unwrap()));
                *response.status_mut() = status;
                *response.headers_mut() = headers;
                response
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("localhost:{}", listener.local_addr().unwrap().port());
        let router = axum::Router::new().fallback(handler);
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, server }
    }

    /// `localhost:PORT`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for FaultyRegistry {
    fn drop(&mut self) {
        self.server.abort();
    }
}
