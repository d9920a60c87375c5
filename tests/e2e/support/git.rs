//! A server of one git repository over HTTP: git's own `http-backend`, with a few lines of HTTP before it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

/// A repository `tool.git` with a branch `main`; it is served until the process of the test ends.
pub struct Git {
    address: String,
    folder: Arc<tempfile::TempDir>,
}

impl Git {
    /// Starts one with a first commit.
    pub fn start() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        git(
            folder.path(),
            &["init", "--quiet", "--bare", "--initial-branch=main", "tool.git"],
        );
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("localhost:{}", listener.local_addr().unwrap().port());
        let root: Arc<Path> = folder.path().into();
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { break };
                let root = root.clone();
                thread::spawn(move || serve(client, &root));
            }
        });
        let server = Self { address, folder };
        server.commit("first");
        server
    }

    /// `localhost:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A new commit on `main`; its id.
    pub fn commit(&self, message: &str) -> String {
        let bare = self.folder.path().join("tool.git");
        let tree = git(&bare, &["mktree"]);
        let commit = git(&bare, &["commit-tree", "-m", message, &tree]);
        git(&bare, &["update-ref", "refs/heads/main", &commit]);
        commit
    }

    /// A configuration that has git ask at `address` for what is at `https://git.example/`.
    pub fn seen_at(&self, address: &str) -> PathBuf {
        let path = self.folder.path().join(format!("config-{}", super::unique()));
        let text = format!("[url \"http://{address}/\"]\n\tinsteadOf = https://git.example/\n");
        fs::write(&path, text).unwrap();
        path
    }
}

fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=test", "-c", "user.email=test@example.org"])
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// One request for each connection, and one child for each request.
fn serve(mut client: TcpStream, root: &Path) {
    let mut bytes = Vec::new();
    let end = loop {
        let mut piece = [0; 4096];
        let Ok(got @ 1..) = client.read(&mut piece) else {
            return;
        };
        bytes.extend_from_slice(&piece[..got]);
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let header = |name: &str| super::wire::header(&head, name).unwrap_or_default().to_owned();
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let length = header("content-length").parse().unwrap_or(0);
    let mut body = bytes[end..].to_vec();
    while body.len() < length {
        let mut piece = [0; 4096];
        let Ok(got @ 1..) = client.read(&mut piece) else {
            return;
        };
        body.extend_from_slice(&piece[..got]);
    }
    let child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", length.to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = child.unwrap();
    let _ = child.stdin.take().unwrap().write_all(&body);
    let output = child.wait_with_output().unwrap().stdout;
    let Some(at) = output.windows(4).position(|window| window == b"\r\n\r\n") else {
        return;
    };
    let (said, body) = (
        String::from_utf8_lossy(&output[..at]).into_owned(),
        &output[at + 4..],
    );
    let status = said.lines().find_map(|line| line.strip_prefix("Status: "));
    let _ = write!(
        client,
        "HTTP/1.1 {}\r\n{said}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        status.unwrap_or("200 OK"),
        body.len()
    );
    let _ = client.write_all(body);
}
