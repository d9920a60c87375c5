//! The program itself.

use super::classic_host;
use super::docker_log::{self, Buildx};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How the program is called: in a family's folder, with plain progress, and with nothing of the environment that would change what it
/// does.
#[derive(Debug, Clone)]
pub struct Splitbase {
    folder: PathBuf,
    environment: BTreeMap<String, OsString>,
    input: Option<PathBuf>,
}

/// A call that has ended.
#[derive(Debug)]
pub struct Run {
    /// The exit code; 128 and more for signals, as a shell says it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    /// The lines of `--log-file`.
    pub events: Vec<Value>,
    /// The command lines of all its `docker` children.
    pub docker: Vec<String>,
    pub took: Duration,
}

/// A call that runs.
pub struct Running {
    child: Child,
    files: tempfile::TempDir,
    began: Instant,
}

impl Splitbase {
    /// In this folder.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            environment: BTreeMap::new(),
            input: None,
        }
    }

    /// With this variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    /// On the engine with the classic image store.
    #[must_use]
    pub fn classic(self) -> Self {
        self.env("DOCKER_HOST", classic_host())
    }

    /// With this file as standard input.
    #[must_use]
    pub fn input(mut self, path: &Path) -> Self {
        self.input = Some(path.to_owned());
        self
    }

    /// Starts it. What it is told by signals while it runs goes all the way that it goes for people.
    pub fn start(&self, args: &[&str]) -> Running {
        self.started(args, Buildx::ByDocker)
    }

    fn started(&self, args: &[&str], buildx: Buildx) -> Running {
        let files = tempfile::tempdir().unwrap();
        let file = |name: &str| std::fs::File::create(files.path().join(name)).unwrap();
        let bin = docker_log::install(files.path(), &files.path().join("docker"), buildx);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&path))).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_splitbase"));
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            let ours = ["SPLITBASE_", "GITHUB_", "GITEA_", "RUNNER_"]
                .iter()
                .any(|start| name.starts_with(start));
            if ours
                || matches!(
                    name.as_str(),
                    "CI" | "BUILDX_BUILDER" | "NPM_CONFIG_REGISTRY" | "npm_config_registry" | "DOCKER_HOST"
                )
            {
                command.env_remove(name);
            }
        }
        // Another builder than the engine's own, of the driver `docker-container` for instance, may be tried.
        if let Some(builder) = super::variable("SPLITBASE_TEST_BUILDER") {
            command.env("BUILDX_BUILDER", builder);
        }
        // Two look at the same terminal otherwise.
        command
            .args(args)
            .current_dir(&self.folder)
            .env("PATH", path)
            .env("SPLITBASE_PROGRESS", "plain")
            // Digests of files that are gone when the test is are not put beside those of the person who runs it.
            .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
            .env("SPLITBASE_LOG_FILE", files.path().join("events"))
            .envs(&self.environment)
            .stdin(
                self.input
                    .as_ref()
                    .map_or_else(Stdio::null, |input| std::fs::File::open(input).unwrap().into()),
            )
            .stdout(file("stdout"))
            .stderr(file("stderr"));
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("run splitbase: {error}"));
        Running {
            child,
            files,
            began: Instant::now(),
        }
    }

    /// Runs it to its end.
    pub fn run(&self, args: &[&str]) -> Run {
        let own_plugins = self.environment.contains_key("DOCKER_CONFIG");
        let buildx = if own_plugins {
            Buildx::ByDocker
        } else {
            Buildx::Itself
        };
        self.started(args, buildx).wait()
    }

    /// Runs it to its end, which must be good.
    pub fn ok(&self, args: &[&str]) -> Run {
        self.run(args).expect(0)
    }

    /// Runs it with `-o json` to a good end; the document that it prints.
    pub fn json(&self, args: &[&str]) -> Value {
        let args: Vec<_> = args.iter().copied().chain(["-o", "json"]).collect();
        self.ok(&args).json()
    }
}

impl Running {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    fn text(&self, name: &str) -> String {
        let bytes = std::fs::read(self.files.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The events so far.
    pub fn events(&self) -> Vec<Value> {
        let text = self.text("events");
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        text[..whole]
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in the log file: {line}"))
            })
            .collect()
    }

    /// Waits until an event fulfils this; fails after a minute, and when the program ends before.
    pub fn wait_for(&mut self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(event) = self.events().into_iter().find(|event| is(event)) {
                return event;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < until,
                "waited in vain for {what}: {ended:?}\n{}{}",
                self.text("stdout"),
                self.text("stderr")
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until a step has started.
    pub fn wait_for_start(&mut self, step: &str) -> Value {
        self.wait_for(&format!("the start of {step}"), |event| {
            event["event"] == "started" && event["step"] == step
        })
    }

    /// Sends a signal to the program, and to nothing else.
    pub fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Run {
        use std::os::unix::process::ExitStatusExt as _;
        let status = self.child.wait().unwrap();
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap());
        Run {
            code,
            stdout: self.text("stdout"),
            stderr: self.text("stderr"),
            events: self.events(),
            docker: self.text("docker").lines().map(str::to_owned).collect(),
            took: self.began.elapsed(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Run {
    /// Itself, if it ended with this exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "exit code after {:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.took, self.stdout, self.stderr
        );
        self
    }

    /// Fails where standard error does not hold this text.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(
            self.stderr.contains(text),
            "standard error does not say `{text}`:\n{}",
            self.stderr
        );
        self
    }

    /// Fails where standard output does not hold this text.
    #[track_caller]
    pub fn shows(&self, text: &str) -> &Self {
        assert!(
            self.stdout.contains(text),
            "standard output does not show `{text}`:\n{}",
            self.stdout
        );
        self
    }

    /// The document on standard output.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in standard output:\n{}", self.stdout))
    }

    /// The command lines of its builds.
    pub fn builds(&self) -> Vec<&str> {
        self.docker
            .iter()
            .map(String::as_str)
            .filter(|line| line.starts_with("buildx build"))
            .collect()
    }

    /// The ids of the steps that were started, sorted.
    pub fn steps(&self) -> Vec<&str> {
        let started = self.events.iter().filter(|event| event["event"] == "started");
        let mut steps: Vec<_> = started.filter_map(|event| event["step"].as_str()).collect();
        steps.sort_unstable();
        steps
    }

    /// Those of its steps whose id begins so.
    pub fn steps_of(&self, start: &str) -> Vec<&str> {
        self.steps()
            .into_iter()
            .filter(|step| step.starts_with(start))
            .collect()
    }

    /// Where in the event stream a step started or finished.
    #[track_caller]
    pub fn at(&self, kind: &str, step: &str) -> usize {
        self.events
            .iter()
            .position(|event| event["event"] == kind && event["step"] == step)
            .unwrap_or_else(|| panic!("{step} was never {kind}: {:?}", self.steps()))
    }
}
