//! An engine of a test's own, which can be killed and filled: its data lies in a small file system in memory.
//!
//! It has a bridge of its own, too. With `--bridge=none` an engine removes `docker0`, which belongs to another one.

use super::witness::{program, try_program};
use rustix::process::{Pid, Signal, kill_process};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// An engine of a test's own. It ends with the test.
pub struct Engine {
    folder: tempfile::TempDir,
    bridge: String,
    daemon: Option<Child>,
}

impl Engine {
    /// Starts one with a disk of this many megabytes (of 1024 × 1024 bytes).
    pub fn start(megabytes: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let mut engine = Self {
            folder,
            bridge: bridge(),
            daemon: None,
        };
        program(
            "mount",
            &[
                "-t",
                "tmpfs",
                "-o",
                &format!("size={megabytes}m"),
                "tmpfs",
                data.to_str().unwrap(),
            ],
        );
        engine.up();
        engine
    }

    /// Where its images lie: all of its disk.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// For `DOCKER_HOST`.
    pub fn host(&self) -> String {
        format!("unix://{}", self.folder.path().join("docker.sock").display())
    }

    /// Starts it, also again, and waits until it answers.
    pub fn up(&mut self) {
        let at = |name: &str| self.folder.path().join(name);
        let log = std::fs::File::create(at("log")).unwrap();
        let daemon = Command::new("dockerd")
            .args(["--host", &self.host()])
            .arg("--data-root")
            .arg(self.data())
            .arg("--exec-root")
            .arg(at("exec"))
            .arg("--pidfile")
            .arg(at("pid"))
            .args(["--bridge", &self.bridge])
            .args(["--iptables=false", "--ip6tables=false", "--ip-masq=false"])
            .args(["--feature", "containerd-snapshotter=true"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("run dockerd: {error}; `scripts/engine install` installs it"));
        self.daemon = Some(daemon);
        let until = Instant::now() + Duration::from_secs(60);
        while self.docker(&["version"]).is_err() {
            let ended = self.daemon.as_mut().unwrap().try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < until,
                "the engine does not answer: {ended:?}\n{}",
                std::fs::read_to_string(at("log")).unwrap()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Kills it outright, as a machine out of memory does.
    pub fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill().unwrap();
            daemon.wait().unwrap();
        }
    }

    /// What `docker` prints of it.
    pub fn docker(&self, args: &[&str]) -> Result<String, String> {
        let host = self.host();
        let args: Vec<_> = ["--host", &host].iter().chain(args).copied().collect();
        try_program("docker", &args).map(|bytes| String::from_utf8(bytes).unwrap())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.kill();
        let folder = self.folder.path().to_str().unwrap().to_owned();
        // What it started, by its folder in their command lines: containerd, and the shims of containers.
        for id in with_text("cmdline", &folder) {
            let _ = kill_process(Pid::from_raw(id).unwrap(), Signal::KILL);
        }
        for mount in mounts(&folder).iter().rev() {
            let _ = try_program("umount", &["--lazy", mount]);
        }
        let _ = try_program("ip", &["link", "delete", &self.bridge]);
    }
}

/// Makes a bridge with addresses that nobody has.
fn bridge() -> String {
    let word = super::unique();
    let first = u8::from_str_radix(&word[..2], 16).unwrap();
    for number in (0..240_u8).map(|step| first.wrapping_add(step) % 240) {
        let network = format!("172.31.{number}.0/24");
        if program("ip", &["-4", "-oneline", "address", "show", "to", &network]).is_empty() {
            let name = format!("sb{}", &word[..10]);
            program("ip", &["link", "add", &name, "type", "bridge"]);
            let address = format!("172.31.{number}.1/24");
            program("ip", &["address", "add", &address, "dev", &name]);
            program("ip", &["link", "set", &name, "up"]);
            return name;
        }
    }
    panic!("all of 172.31.0.0/16 is in use");
}

/// Processes of this machine in whose `cmdline` or `environ` this text stands; never this one.
pub fn with_text(file: &str, text: &str) -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").unwrap().map(Result::unwrap);
    let id = |path: &Path| path.file_name()?.to_str()?.parse::<i32>().ok();
    let own = i32::try_from(std::process::id()).unwrap();
    entries
        .filter_map(|entry| Some((id(&entry.path())?, std::fs::read(entry.path().join(file)).ok()?)))
        .filter(|(id, bytes)| *id != own && String::from_utf8_lossy(bytes).contains(text))
        .map(|(id, _)| id)
        .collect()
}

/// Mounts below a folder, in the order in which they were made.
fn mounts(folder: &str) -> Vec<String> {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let at = |line: &str| line.split(' ').nth(4).map(str::to_owned);
    table
        .lines()
        .filter_map(at)
        .filter(|path| path.starts_with(folder))
        .collect()
}
