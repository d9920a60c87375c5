//! Engines that go away: the real one behind a socket that is cut, and one of the recorder's own that is killed or full.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// Its network. One such engine runs at a time.
const BRIDGE: &str = "sbrecord0";

/// A socket before the engine's, which can be cut.
pub(super) struct Line {
    folder: tempfile::TempDir,
    streams: Arc<Mutex<Vec<UnixStream>>>,
}

impl Line {
    /// Starts one.
    pub(super) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("docker.sock")).unwrap();
        let streams: Arc<Mutex<Vec<UnixStream>>> = Arc::default();
        let kept = Arc::clone(&streams);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, UnixStream::connect("/var/run/docker.sock")) else {
                    break;
                };
                let copies = [&client, &server].map(|stream| stream.try_clone().unwrap());
                kept.lock().unwrap().extend(copies);
                copy(client.try_clone().unwrap(), server.try_clone().unwrap());
                copy(server, client);
            }
        });
        Self { folder, streams }
    }

    /// `unix://…`.
    pub(super) fn host(&self) -> String {
        format!("unix://{}", self.folder.path().join("docker.sock").display())
    }

    /// What cuts it.
    pub(super) fn scissors(&self) -> impl Fn() + Send + Sync + use<> {
        let streams = Arc::clone(&self.streams);
        let socket = self.folder.path().join("docker.sock");
        move || {
            // As when an engine dies: what is open ends, and nobody listens any more.
            let _ = std::fs::remove_file(&socket);
            for stream in streams.lock().unwrap().drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }
}

fn copy(mut from: UnixStream, mut to: UnixStream) {
    std::thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(got @ 1..) = from.read(&mut buffer) {
            if to.write_all(&buffer[..got]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}

/// An engine of the recorder's own, without networks, its data on a small disk. It needs root.
pub(super) struct Engine {
    folder: PathBuf,
    dockerd: Child,
    _held: tempfile::TempDir,
}

impl Engine {
    /// Starts one whose disk has this size (`96m`).
    #[expect(clippy::disallowed_methods, reason = "not one of the program's own children")]
    pub(super) fn start(size: &str) -> Self {
        let held = tempfile::tempdir().unwrap();
        let folder = held.path().to_owned();
        let data = folder.join("data");
        std::fs::create_dir(&data).unwrap();
        let options = format!("size={size}");
        run(
            "mount",
            &["-t", "tmpfs", "-o", &options, "tmpfs", data.to_str().unwrap()],
        );
        std::fs::write(folder.join("daemon.json"), "{}").unwrap();
        // One of its own: with `--bridge=none` an engine removes `docker0`, which belongs to another one.
        run("ip", &["link", "add", BRIDGE, "type", "bridge"]);
        run("ip", &["address", "add", "172.30.251.1/24", "dev", BRIDGE]);
        run("ip", &["link", "set", BRIDGE, "up"]);
        let flag = |name: &str, file: &str| format!("--{name}={}", folder.join(file).display());
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let dockerd = Command::new("dockerd")
            .args([
                flag("config-file", "daemon.json"),
                flag("data-root", "data"),
                flag("exec-root", "exec"),
                flag("pidfile", "pid"),
                format!("--host=unix://{}", folder.join("docker.sock").display()),
            ])
            .args([
                "--bridge",
                BRIDGE,
                "--iptables=false",
                "--ip6tables=false",
                "--ip-masq=false",
            ])
            .args(["--feature", "containerd-snapshotter=true"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let engine = Self {
            folder,
            dockerd,
            _held: held,
        };
        for _ in 0..300 {
            let answer = Command::new("docker")
                .args(["--host", &engine.host(), "version"])
                .output();
            if answer.unwrap().status.success() {
                return engine;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("the engine did not start");
    }

    /// `unix://…`.
    pub(super) fn host(&self) -> String {
        format!("unix://{}", self.folder.join("docker.sock").display())
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The files of all blobs go; its databases still name them.
    #[expect(clippy::disallowed_methods, reason = "the engine's own folder")]
    pub(super) fn loses_its_blobs(&self) {
        let store = "data/containerd/daemon/io.containerd.content.v1.content/blobs/sha256";
        for blob in std::fs::read_dir(self.folder.join(store)).unwrap() {
            std::fs::remove_file(blob.unwrap().path()).unwrap();
        }
    }

    pub(super) fn docker(&self, args: &[&str]) {
        let host = self.host();
        run("docker", &[&["--host", &host][..], args].concat());
    }

    /// What kills it.
    pub(super) fn killer(&self) -> impl Fn() + Send + Sync + use<> {
        let pid = self.dockerd.id().to_string();
        move || run("kill", &["-KILL", &pid])
    }
}

impl Drop for Engine {
    #[expect(clippy::disallowed_methods, reason = "the process id of a child's child")]
    fn drop(&mut self) {
        let _ = self.dockerd.kill();
        let _ = self.dockerd.wait();
        // Its own containerd outlives it.
        if let Ok(pid) = std::fs::read_to_string(self.folder.join("exec/containerd/containerd.pid")) {
            let _ = Command::new("kill").args(["-KILL", pid.trim()]).status();
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
        let _ = Command::new("umount")
            .args(["--lazy"])
            .arg(self.folder.join("data"))
            .status();
        let _ = Command::new("ip").args(["link", "delete", BRIDGE]).status();
    }
}

#[expect(clippy::disallowed_methods, reason = "not one of the program's own children")]
fn run(program: &str, args: &[&str]) {
    let status = Command::new(program).args(args).status();
    assert!(status.is_ok_and(|status| status.success()), "{program} {args:?}");
}
