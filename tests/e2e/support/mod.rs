//! What the tests share: a family, a registry and a program of their own, and witnesses that know nothing of splitbase.

mod crane_registry;
mod docker_log;
mod engine;
mod expression;
mod family;
pub mod faults;
mod git;
mod hub;
mod job;
mod layout;
mod npm;
pub mod proxy;
mod registry;
mod splitbase;
mod upstream;
mod wire;
mod witness;

pub use crane_registry::CraneRegistry;
pub use engine::{Engine, with_text};
pub use expression::{Known, Value};
pub use family::Family;
pub use git::Git;
pub use hub::Hub;
pub use job::{Job, commit_all, env, parse};
pub use layout::Layout;
pub use npm::Npm;
pub use registry::{Registry, Request};
pub use splitbase::{Run, Running, Splitbase};
pub use upstream::Upstream;
pub use witness::{Index, crane, docker, imagetools, program, sha256, skopeo, try_program};

use std::path::PathBuf;

/// The native platform of the machines that this runs on, and the one that is emulated there.
pub const AMD64: &str = "linux/amd64";
pub const ARM64: &str = "linux/arm64";

/// A variable of the process; `None` when it is empty.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where the busybox binaries of both architectures lie.
pub fn busybox() -> PathBuf {
    let folder = variable("SPLITBASE_TEST_BUSYBOX_DIR")
        .unwrap_or_else(|| "/var/tmp/splitbase-engine/busybox".to_owned());
    folder.into()
}

/// The socket of the engine with the classic image store.
pub fn classic_host() -> String {
    variable("SPLITBASE_TEST_CLASSIC_HOST")
        .unwrap_or_else(|| "unix:///var/tmp/splitbase-engine/classic/docker.sock".to_owned())
}

/// A word that no other test has.
pub fn unique() -> String {
    let uuid = std::fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap();
    uuid.trim().replace('-', "")[..16].to_owned()
}

/// A port that nobody listens on.
pub fn closed_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
