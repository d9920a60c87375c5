//! One build on a real engine, with every line that buildx says.

use super::engine::Engine;
use crate::buildx::command::{BuildIo, command};
use crate::plan::BuildStep;
use crate::process::{self, Command, Ended};
use crate::testing::recorded::Recorded;
use crate::testing::{build_step, busybox, write};
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The repository as records have it.
pub(super) const REPOSITORY: &str = "registry.test:5000/build/tiny";

/// Something that is done to a build that runs.
type Action = Box<dyn Fn() + Send + Sync>;

/// A context, and a step that builds it.
pub(super) struct Scene {
    dir: tempfile::TempDir,
    pub(super) step: BuildStep,
    /// Variables of buildx.
    pub(super) env: Vec<(&'static str, String)>,
    pub(super) builder: Option<&'static str>,
    /// Whether another user than root asks.
    pub(super) as_nobody: bool,
    /// Once a line has this in it, that is done; and a while later, it is ended if that is given.
    pub(super) when: Option<(&'static str, Action)>,
    pub(super) ended_after: Option<Duration>,
    /// Texts of this run, and what stands for them.
    pub(super) own: Vec<(String, &'static str)>,
}

impl Scene {
    /// What `Dockerfile` says, pushed to this host. The context has a file that is like no other test's.
    pub(super) fn new(host: &str, dockerfile: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let context = dir.path().join("context");
        let unique = dir.path().file_name().unwrap().to_str().unwrap().to_owned();
        write(&context.join("unique"), &unique, false);
        write(&context.join("Dockerfile"), dockerfile, false);
        let mut step = build_step(&format!("{host}/build/tiny"));
        step.context = "context".into();
        step.dockerfile = "context/Dockerfile".into();
        let mut scene = Self {
            own: vec![
                (dir.path().to_str().unwrap().to_owned(), "/family"),
                (unique, "unique"),
            ],
            dir,
            step,
            env: Vec::new(),
            builder: None,
            as_nobody: false,
            when: None,
            ended_after: None,
        };
        scene.names(host, "registry.test:5000");
        scene
    }

    /// The same, with a busybox in the image, and these instructions after it.
    pub(super) fn with_busybox(host: &str, instructions: &str) -> Self {
        let scene = Self::new(
            host,
            &format!("FROM scratch\nCOPY unique /unique\nCOPY busybox /bin/busybox\n{instructions}\n"),
        );
        busybox(&scene.context(), "amd64");
        scene
    }

    /// Its engine is this one, which has no networks.
    pub(super) fn builds_on(&mut self, engine: &Engine) {
        self.step.network = Some("none".to_owned());
        self.env = vec![("DOCKER_HOST", engine.host())];
        self.own
            .push((engine.folder().display().to_string(), "/run/engine"));
    }

    /// From now on the image goes to this host.
    pub(super) fn pushes_to(&mut self, host: &str) {
        self.step.repository = build_step(&format!("{host}/build/tiny")).repository;
        self.names(host, "registry.test:5000");
    }

    pub(super) fn context(&self) -> std::path::PathBuf {
        self.dir.path().join("context")
    }

    pub(super) fn unique(&self) -> String {
        self.dir.path().file_name().unwrap().to_str().unwrap().to_owned()
    }

    /// This host, and its port on every address, is called by another name.
    pub(super) fn names(&mut self, host: &str, name: &'static str) {
        self.own.push((host.to_owned(), name));
        if let Some((_, port)) = host.rsplit_once(':') {
            for address in ["127.0.0.1", "[::1]", "0.0.0.0"] {
                self.own.push((format!("{address}:{port}"), "192.0.2.1:5000"));
            }
        }
    }

    fn command(&self) -> Command {
        let metadata = self.dir.path().join("metadata.json");
        let io = BuildIo {
            root: self.dir.path(),
            builder: self.builder,
            metadata_file: &metadata,
            attests: true,
            exports_cache: true,
            without_cache_from: false,
            no_cache: false,
            secrets: &[],
            layout: None,
        };
        let mut command = command(&self.step, None, &io);
        for (name, value) in &self.env {
            command = command.env(name, value);
        }
        if self.as_nobody {
            opened(self.dir.path());
            let home = self.dir.path().display().to_string();
            let args = std::mem::take(&mut command.args);
            command.program = "setpriv".into();
            command = command
                .args(["--reuid=65534", "--regid=65534", "--clear-groups", "docker"])
                .args(args)
                .env("HOME", &home)
                .env("DOCKER_CONFIG", &home)
                .env("BUILDX_CONFIG", &home);
        }
        command
    }

    /// Builds, and returns what was said.
    pub(super) async fn run(&self, about: &str) -> Recorded {
        let cancel = CancellationToken::new();
        let mut lines = Vec::new();
        let mut done = false;
        let (stop, after) = (cancel.clone(), self.ended_after);
        let ended = process::run(
            &self.command(),
            Some(Duration::from_secs(120)),
            &cancel,
            |_, line| {
                lines.push(line.to_owned());
                if let Some((_, action)) = self.when.as_ref().filter(|(needle, _)| line.contains(needle))
                    && !done
                {
                    done = true;
                    action();
                    if let Some(after) = after {
                        let stop = stop.clone();
                        tokio::spawn(async move {
                            tokio::time::sleep(after).await;
                            stop.cancel();
                        });
                    }
                }
            },
        )
        .await
        .unwrap();
        let exit = match ended {
            Ended::Exited(code) => Some(code),
            _ => None,
        };
        Recorded::of(about, exit, lines).normalized(&self.own)
    }
}

/// Lets everybody read and write there.
#[expect(clippy::disallowed_methods, reason = "not one of the program's own children")]
fn opened(folder: &Path) {
    let status = std::process::Command::new("chmod")
        .args(["-R", "a+rwX"])
        .arg(folder)
        .status();
    assert!(status.unwrap().success());
}
