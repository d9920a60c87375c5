//! The container of a job, as a runner makes it: git, docker with buildx, splitbase, a shell, and the engine's socket. Nothing else is in
//! it: no Node.js, no bash, no curl, no certificates.

use super::expression::Known;
use super::{busybox, docker, program, unique};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use yaml_rust2::{Yaml, YamlLoader};

/// Where the job works. It belongs to another user, as it does on real runners.
const WORKSPACE: &str = "/workspace/acme/tiny";

/// A running container. It and its image go with the test.
pub struct Job {
    name: String,
}

impl Job {
    /// Starts one that can clone `repository` from `file:///forge/acme/tiny`.
    pub fn start(repository: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fill(folder.path());
        let job = Self {
            name: format!("splitbase-e2e-job-{}", unique()),
        };
        let context = folder.path().to_str().unwrap();
        docker(&[
            "build",
            "--quiet",
            "--provenance=false",
            "--tag",
            &job.name,
            context,
        ]);
        let mount = format!("{}:/clone:ro", repository.display());
        docker(&[
            "run",
            "--detach",
            "--init",
            "--network",
            "host",
            "--name",
            &job.name,
            "--volume",
            "/var/run/docker.sock:/var/run/docker.sock",
            "--volume",
            &mount,
            &job.name,
            "sleep",
            "900",
        ]);
        job.sh("mkdir -p /runner /workspace/acme/tiny && chown 1001:1001 /workspace/acme/tiny");
        job.push();
        job
    }

    /// Gives the forge what the repository has now. A forge's copy belongs to whom the forge runs as, not to whom the test does.
    pub fn push(&self) {
        self.sh(
            "rm -rf /forge && mkdir -p /forge/acme && cp -R /clone /forge/acme/tiny && chown -R 0:0 /forge",
        );
    }

    /// What a command in the container prints; it must be good.
    pub fn sh(&self, script: &str) -> String {
        docker(&["exec", &self.name, "sh", "-ec", script])
    }

    /// Runs the steps of a workflow's only job, in order, each with the variables that it would have; what they print. `known` is what its
    /// expressions may ask for, `event` what the forge sets.
    ///
    /// # Panics
    /// A step fails, is no command, or has an expression that cannot be evaluated.
    pub fn run(&self, workflow: &str, known: &Known, event: &[(&str, &str)]) -> String {
        let document = parse(workflow);
        let jobs = document["jobs"].as_hash().unwrap();
        assert_eq!(jobs.len(), 1);
        let job = jobs.front().unwrap().1;
        let mut output = String::new();
        for step in job["steps"].as_vec().unwrap() {
            let name = step["name"].as_str().unwrap();
            let run = step["run"]
                .as_str()
                .unwrap_or_else(|| panic!("`{name}` needs more than a shell: {step:?}"));
            assert!(!run.contains("${{"), "`{name}` has an expression in its script");
            // Need images from outside. Of emulation, `scripts/engine up` has done the same to this machine already; a builder of its own is for
            // engines that cannot export, which this one can.
            if run.contains("--privileged") || run == "docker buildx create --driver docker-container --use" {
                continue;
            }
            let mut command = Command::new("docker");
            command.args(["exec", "--workdir", WORKSPACE]);
            let forge = [
                ("CI", "true"),
                ("GITHUB_ACTIONS", "true"),
                ("GITHUB_SERVER_URL", "file:///forge"),
                ("GITHUB_REPOSITORY", "acme/tiny"),
                ("GITHUB_WORKSPACE", WORKSPACE),
                ("GITHUB_OUTPUT", "/runner/output"),
                ("GITHUB_STEP_SUMMARY", "/runner/summary"),
            ];
            for (name, value) in forge.iter().chain(event) {
                command.args(["--env", &format!("{name}={value}")]);
            }
            for (name, value) in env(job).into_iter().chain(env(step)) {
                command.args(["--env", &format!("{name}={}", known.value(&value))]);
            }
            command.args([&self.name, "sh", "-e", "-c", run]);
            let done = command.output().unwrap();
            let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
            assert!(done.status.success(), "`{name}`: {}\n{text}", done.status);
            output.push_str(&text);
        }
        output
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        for args in [["rm", "--force", "--volumes"], ["image", "rm", "--force"]] {
            let _ = Command::new("docker").args(args).arg(&self.name).output();
        }
    }
}

/// A workflow as a document.
pub fn parse(workflow: &str) -> Yaml {
    let mut documents =
        YamlLoader::load_from_str(workflow).unwrap_or_else(|error| panic!("{error}\n{workflow}"));
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

/// The variables that a job or a step sets, as they are written.
pub fn env(of: &Yaml) -> Vec<(String, String)> {
    let Some(table) = of["env"].as_hash() else {
        return Vec::new();
    };
    let text = |value: &Yaml| value.as_str().unwrap_or_else(|| panic!("{value:?}")).to_owned();
    table
        .iter()
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

/// The image: programs of this machine with the libraries that they name, on an empty root.
fn fill(folder: &Path) {
    let root = folder.join("root");
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => panic!("no busybox for {other}"),
    };
    let find = |name: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .map(|folder| folder.join(name))
            .find(|program| program.is_file())
            .unwrap_or_else(|| panic!("`{name}` is not on the path"))
    };
    let buildx = [
        "/usr/libexec/docker",
        "/usr/lib/docker",
        "/usr/local/lib/docker",
        "/usr/local/libexec/docker",
    ]
    .map(|folder| Path::new(folder).join("cli-plugins/docker-buildx"))
    .into_iter()
    .find(|plugin| plugin.is_file())
    .expect("the buildx plugin is in none of docker's folders for plugins");
    let programs = [
        (busybox().join(format!("busybox-{architecture}")), "bin/busybox"),
        (find("git"), "usr/bin/git"),
        (find("git"), "usr/bin/git-upload-pack"),
        (find("docker"), "usr/bin/docker"),
        (buildx, "usr/libexec/docker/cli-plugins/docker-buildx"),
        (
            PathBuf::from(env!("CARGO_BIN_EXE_splitbase")),
            "usr/bin/splitbase",
        ),
    ];
    let copy = |from: &Path, to: &str| {
        let to = root.join(to.trim_start_matches('/'));
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(from, to).unwrap_or_else(|error| panic!("copy `{}`: {error}", from.display()));
    };
    let mut libraries = BTreeSet::new();
    for (from, to) in &programs {
        copy(from, to);
        // A static program has none, and `ldd` says so by failing.
        let ldd = Command::new("ldd").arg(from).output().unwrap();
        let text = String::from_utf8_lossy(&ldd.stdout).into_owned();
        let paths = text.split_whitespace().filter(|word| word.starts_with('/'));
        libraries.extend(paths.map(|path| path.trim_end_matches(':').to_owned()));
    }
    libraries.retain(|path| Path::new(path).is_file() && path.contains(".so"));
    for library in &libraries {
        copy(Path::new(library), library);
    }
    std::fs::create_dir_all(root.join("tmp")).unwrap();
    std::fs::write(
        folder.join("Dockerfile"),
        "FROM scratch\nCOPY root/ /\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\nENV PATH=/usr/bin:/bin\n",
    )
    .unwrap();
}

/// Makes a folder a repository with one commit of all that is in it; its id.
pub fn commit_all(folder: &Path) -> String {
    let git = |args: &[&str]| {
        let identity = [
            "-c",
            "user.name=test",
            "-c",
            "user.email=test@localhost",
            "-C",
            folder.to_str().unwrap(),
        ];
        let args: Vec<&str> = identity.iter().chain(args).copied().collect();
        String::from_utf8(program("git", &args))
            .unwrap()
            .trim()
            .to_owned()
    };
    git(&["init", "--quiet"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message", "state"]);
    git(&["rev-parse", "HEAD"])
}
