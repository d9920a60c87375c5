//! A registry of a test's own.

use super::{Index, variable};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

/// A request that the registry has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// With its query.
    pub path: String,
    pub status: u16,
    /// The user agent.
    pub agent: String,
}

impl Request {
    /// Whether it could change something.
    pub fn writes(&self) -> bool {
        !matches!(self.method.as_str(), "GET" | "HEAD")
    }
}

/// A registry of a test's own: a process on a port of its own, its data in a temporary folder. It ends with the test.
pub struct Registry {
    child: Child,
    folder: tempfile::TempDir,
    address: String,
    read: Mutex<usize>,
}

/// A folder for what one holds: where `SPLITBASE_TEST_REGISTRIES` says, which may be in memory.
fn folder() -> tempfile::TempDir {
    let place = variable("SPLITBASE_TEST_REGISTRIES").map_or_else(std::env::temp_dir, Into::into);
    tempfile::tempdir_in(place).unwrap()
}

impl Registry {
    /// Starts one: `SPLITBASE_TEST_REGISTRY_BIN`, or `docker-registry` on the path.
    pub fn start() -> Self {
        Self::configured(folder(), "")
    }

    /// One that wants a name and a password: lines of an htpasswd file.
    pub fn with_passwords(lines: &str) -> Self {
        let folder = folder();
        let path = folder.path().join("htpasswd");
        std::fs::write(&path, lines).unwrap();
        let auth = format!(
            "auth:\n  htpasswd:\n    realm: test\n    path: {}\n",
            path.display()
        );
        Self::configured(folder, &auth)
    }

    /// One that begins with a copy of what this one holds, which must not be written to meanwhile.
    pub fn copy(&self) -> Self {
        let folder = folder();
        let data = self.folder.path().join("data");
        if data.exists() {
            super::program(
                "cp",
                &["-a", data.to_str().unwrap(), folder.path().to_str().unwrap()],
            );
        }
        Self::configured(folder, "")
    }

    /// Ends it; what it holds can still be looked at, and copied.
    pub fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn configured(folder: tempfile::TempDir, auth: &str) -> Self {
        let root = folder.path().display();
        let config = folder.path().join("config.yml");
        let text = format!(
            "version: 0.1\nlog:\n  level: info\n  formatter: text\n  accesslog:\n    disabled: false\nstorage:\n  filesystem:\n    \
             rootdirectory: {root}/data\n  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:0\n{auth}"
        );
        std::fs::write(&config, text).unwrap();
        let log = std::fs::File::create(folder.path().join("access.log")).unwrap();
        let program = variable("SPLITBASE_TEST_REGISTRY_BIN").unwrap_or_else(|| "docker-registry".to_owned());
        let mut child = Command::new(&program)
            .arg("serve")
            .arg(&config)
            .stdout(log)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("run `{program}`: {error}; `scripts/engine install` installs it"));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let port = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, rest) = line.split_once("listening on 127.0.0.1:")?;
                let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                Some(rest[..end].to_owned())
            })
            .expect("the registry ended before it listened");
        // A pipe that nobody reads would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            folder,
            address: format!("localhost:{port}"),
            read: Mutex::new(0),
        }
    }

    /// `localhost:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What was asked since this was called last, in the order in which it was answered.
    pub fn requests(&self) -> Vec<Request> {
        let log = std::fs::read_to_string(self.folder.path().join("access.log")).unwrap();
        let mut read = self.read.lock().unwrap();
        let new = log[*read..].lines().filter_map(request).collect();
        *read = log.len();
        new
    }

    /// The requests since the last look that could change something.
    pub fn writes(&self) -> Vec<Request> {
        self.requests().into_iter().filter(Request::writes).collect()
    }

    /// The file in which it writes down what it was asked.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("access.log")
    }

    fn storage(&self) -> PathBuf {
        self.folder.path().join("data/docker/registry/v2")
    }

    /// Where the tags of a repository lie in the registry's storage.
    pub fn tag_folder(&self, repository: &str) -> PathBuf {
        self.storage()
            .join("repositories")
            .join(repository)
            .join("_manifests/tags")
    }

    /// All tags of a repository and what they point at, as they lie in the registry's storage. Empty where there is no repository.
    pub fn tags(&self, repository: &str) -> BTreeMap<String, String> {
        let Ok(entries) = std::fs::read_dir(self.tag_folder(repository)) else {
            return BTreeMap::new();
        };
        let tag = |entry: std::fs::DirEntry| {
            let digest = std::fs::read_to_string(entry.path().join("current/link")).ok()?;
            Some((entry.file_name().into_string().unwrap(), digest))
        };
        entries.filter_map(|entry| tag(entry.unwrap())).collect()
    }

    /// A blob or manifest, as it lies in the registry's storage.
    pub fn blob(&self, digest: &str) -> Vec<u8> {
        let hex = digest.strip_prefix("sha256:").unwrap();
        let path = self
            .storage()
            .join(format!("blobs/sha256/{}/{hex}/data", &hex[..2]));
        std::fs::read(&path).unwrap_or_else(|error| panic!("read `{digest}` of the registry: {error}"))
    }

    /// Loses a blob: its manifests still name it.
    pub fn lose(&self, digest: &str) {
        let hex = digest.strip_prefix("sha256:").unwrap();
        let _ = std::fs::remove_dir_all(self.storage().join(format!("blobs/sha256/{}/{hex}", &hex[..2])));
    }

    /// Changes a byte of a blob: its name no longer is its digest.
    pub fn spoil(&self, digest: &str) {
        let hex = digest.strip_prefix("sha256:").unwrap();
        let path = self
            .storage()
            .join(format!("blobs/sha256/{}/{hex}/data", &hex[..2]));
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }

    /// A manifest, index or config.
    pub fn json(&self, digest: &str) -> Value {
        serde_json::from_slice(&self.blob(digest)).unwrap()
    }

    /// An index, taken apart.
    pub fn index(&self, digest: &str) -> Index {
        Index::of(&self.json(digest))
    }

    /// The config of a platform image.
    pub fn config(&self, platform_digest: &str) -> Value {
        self.json(self.json(platform_digest)["config"]["digest"].as_str().unwrap())
    }

    /// Every blob, layers unpacked.
    pub fn blobs(&self) -> Vec<Vec<u8>> {
        let mut blobs = Vec::new();
        let mut folders = vec![self.storage().join("blobs")];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else {
                continue;
            };
            for entry in entries.map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                    continue;
                }
                let bytes = std::fs::read(entry.path()).unwrap();
                let mut unpacked = Vec::new();
                let gzip = flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut unpacked);
                blobs.push(if gzip.is_ok() { unpacked } else { bytes });
            }
        }
        blobs
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.end();
    }
}

/// `127.0.0.1 - - [date] "GET /v2/ HTTP/1.1" 200 2 "" "agent"`
fn request(line: &str) -> Option<Request> {
    let mut parts = line.split('"');
    let mut words = parts.nth(1)?.split(' ');
    let status = parts.next()?.split_whitespace().next()?.parse().ok()?;
    Some(Request {
        method: words.next()?.to_owned(),
        path: words.next()?.to_owned(),
        status,
        agent: parts.nth(2).unwrap_or_default().to_owned(),
    })
}
