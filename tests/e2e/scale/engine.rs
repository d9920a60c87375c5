//! A `docker` for scale alone: a few lines of bash that ask this process, which answers as an engine would and pushes to a [`Store`].

use super::gauge::Gauge;
use super::store::Store;
use serde_json::json;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

const INSPECT: &str = "Name:          default
Driver:        docker

Nodes:
Name:             default
Endpoint:         default
Status:           running
BuildKit version: v0.25.0
Platforms:        linux/amd64
Labels:
 org.mobyproject.buildkit.worker.containerd.namespace: moby
 org.mobyproject.buildkit.worker.snapshotter:          overlayfs
";

/// What such an engine is asked.
pub struct Engine {
    store: Arc<Store>,
    /// Builds in progress.
    pub builds: Gauge,
    /// Builds wait until so many are in progress, so that the most of them is known to have been reached.
    wanted: usize,
    /// Until when they wait after that, so that one too many shows itself.
    until: OnceLock<Instant>,
}

/// See [`Engine::until`]: time for a program that does not keep to the bound to start more.
const LONGER: Duration = Duration::from_millis(700);

impl Engine {
    /// Starts one and writes its `docker` into `bin`.
    pub fn start(bin: &Path, store: &Arc<Store>, wanted: usize) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = format!(
            "#!/bin/bash\nexec 3<>/dev/tcp/127.0.0.1/{port} || exit 125\n{{ echo $#; printf '%s\\0' \"$@\"; }} >&3\n\
             mapfile -t -u 3 lines\n((${{#lines[@]}} < 2)) || printf '%s\\n' \"${{lines[@]:1}}\"\nexit \"${{lines[0]:-125}}\"\n"
        );
        std::fs::create_dir_all(bin).unwrap();
        std::fs::write(bin.join("docker"), script).unwrap();
        crate::support::program("chmod", &["+x", bin.join("docker").to_str().unwrap()]);
        let engine = Arc::new(Self {
            store: Arc::clone(store),
            builds: Gauge::default(),
            wanted,
            until: OnceLock::new(),
        });
        let shared = Arc::clone(&engine);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let engine = Arc::clone(&shared);
                std::thread::spawn(move || engine.answer(client));
            }
        });
        engine
    }

    fn answer(&self, mut client: TcpStream) {
        let mut reader = BufReader::new(client.try_clone().unwrap());
        let mut count = String::new();
        if reader.read_line(&mut count).is_err() {
            return;
        }
        let mut args = Vec::new();
        for _ in 0..count.trim().parse().unwrap_or(0) {
            let mut arg = Vec::new();
            let _ = reader.read_until(0, &mut arg);
            arg.pop();
            args.push(String::from_utf8(arg).unwrap());
        }
        let words: Vec<&str> = args.iter().map(String::as_str).collect();
        let (code, text) = match words.as_slice() {
            ["buildx", "inspect", ..] => (0, INSPECT.to_owned()),
            ["buildx", "build", rest @ ..] => {
                let _counted = self.builds.enter();
                self.gather();
                self.build(rest);
                (0, String::new())
            }
            ["info", ..] => (0, "engine 28.5.2\nbuildx 0.29.1\n".to_owned()),
            // Nothing is ever there before a test, and nothing is left by one.
            ["image", "inspect", ..] => (1, String::new()),
            _ => (0, String::new()),
        };
        // A client that was ended has nothing to be told.
        let _ = client.write_all(format!("{code}\n{text}").as_bytes());
    }

    fn gather(&self) {
        // The base is built alone: all others wait for it.
        if self.builds.all() == 1 {
            return;
        }
        let give_up = Instant::now() + Duration::from_secs(20);
        while self.builds.most() < self.wanted && Instant::now() < give_up {
            std::thread::sleep(Duration::from_millis(1));
        }
        let until = *self.until.get_or_init(|| Instant::now() + LONGER);
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
    }

    /// Pushes an image of its own for each build, as `BuildKit` does without attestations.
    fn build(&self, args: &[&str]) {
        let after = |flag: &str| {
            args.iter()
                .skip_while(|arg| **arg != flag)
                .nth(1)
                .copied()
                .unwrap()
        };
        let tag = after("--output")
            .split(',')
            .find_map(|part| part.strip_prefix("name="));
        let tag = tag.and_then(|name| name.rsplit_once(':')).unwrap().1;
        let annotations: serde_json::Map<_, _> = args
            .iter()
            .filter_map(|arg| arg.strip_prefix("manifest:")?.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.into()))
            .collect();
        let config = json!({"architecture": "amd64", "os": "linux", "config": {"Labels": {"tag": tag}},
            "rootfs": {"type": "layers", "diff_ids": []}});
        let config = config.to_string().into_bytes();
        let size = config.len();
        let digest = self.store.blob(config);
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({"schemaVersion": 2, "mediaType": kind,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": size},
            "layers": [], "annotations": annotations});
        let digest = self.store.tag(tag, kind, manifest.to_string().into_bytes());
        std::fs::write(
            after("--metadata-file"),
            json!({"containerimage.digest": digest}).to_string(),
        )
        .unwrap();
    }
}
