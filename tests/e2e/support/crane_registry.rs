//! A registry that deletes tags: the one in `crane`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// The registry in `crane`, a process of its own with all in memory. Unlike `docker-registry` it deletes a tag without its digest.
pub struct CraneRegistry {
    child: Child,
    address: String,
}

impl CraneRegistry {
    /// Starts one.
    pub fn start() -> Self {
        let mut child = Command::new("crane")
            .args(["registry", "serve", "--address", "127.0.0.1:0"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("run `crane`: {error}; `scripts/engine install` installs it"));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let port = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("serving on port ")?.1.trim().to_owned()))
            .expect("the registry ended before it listened");
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            address: format!("localhost:{port}"),
        }
    }

    /// `localhost:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for CraneRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
