//! Smoke tests on a real engine. They fail where there is none.

use super::{Held, SmokeFailure, SmokeFailureKind, SmokeOptions, SmokePassed, run};
use crate::domain::{Digest, ExitCode};
use crate::environment::Environment;
use crate::plan::SmokeStep;
use crate::testing::{TestRegistry, busybox, classic_host, read, smoke_step, witness, write};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

struct Bench {
    _registry: TestRegistry,
    dir: tempfile::TempDir,
    step: SmokeStep,
    digest: Digest,
    host: Option<String>,
}

impl Bench {
    /// A tiny image in a registry of its own, and a script that tests it.
    fn new(architecture: &str, script: &str) -> Self {
        let registry = TestRegistry::start();
        let dir = tempfile::tempdir().unwrap();
        busybox(dir.path(), architecture);
        let unique = registry.address();
        write(
            &dir.path().join("Dockerfile"),
            format!("FROM scratch\nCOPY busybox /bin/busybox\nLABEL test={unique}\n"),
            false,
        );
        let repository = format!("{unique}/smoke/tiny");
        let output = format!("type=image,name={repository}:t,push=true,oci-mediatypes=true");
        let platform = format!("linux/{architecture}");
        let context = dir.path().to_str().unwrap();
        #[rustfmt::skip]
        let said = witness("docker", &["buildx", "build", "--provenance=mode=min", "--platform", &platform, "--output", &output, context], &[]);
        let pushed = format!("{repository}:t");
        let digest = witness("crane", &["digest", "--platform", &platform, &pushed], &[]);
        let digest = digest
            .trim()
            .parse()
            .unwrap_or_else(|_| panic!("{digest}: {said}"));
        let mut step = smoke_step(&repository);
        step.platform = platform.parse().unwrap();
        step.env = [("EXPECTED_X".to_owned(), "7".to_owned())].into();
        write(
            &dir.path().join("smoke.sh"),
            format!("#!/bin/sh\nset -e\n{script}\n"),
            true,
        );
        Self {
            _registry: registry,
            dir,
            step,
            digest,
            host: None,
        }
    }

    fn image(&self) -> String {
        self.step.repository.with_digest(&self.digest)
    }

    fn docker(&self, args: &[&str]) -> String {
        let host = self.host.as_deref();
        let env: Vec<(&str, &str)> = host.iter().map(|host| ("DOCKER_HOST", *host)).collect();
        witness("docker", args, &env)
    }

    /// Containers of the image, one name each.
    fn containers(&self) -> Vec<String> {
        let image = self.image();
        self.docker(&["ps", "-a", "--no-trunc", "--format", "{{.Names}} {{.Image}}"])
            .lines()
            .filter_map(|line| line.strip_suffix(&format!(" {image}")))
            .map(str::to_owned)
            .collect()
    }

    async fn run(
        &self,
        cancel: &CancellationToken,
        on_line: impl FnMut(&str) + Send,
    ) -> Result<SmokePassed, SmokeFailure> {
        let environment = Environment::of(self.host.as_deref().map(|host| ("DOCKER_HOST", host)));
        let held = Held::default();
        let options = SmokeOptions {
            root: self.dir.path(),
            environment: &environment,
            held: &held,
            logs: Some(self.dir.path()),
            load: None,
        };
        let tested = run(&self.step, self.digest, &options, cancel, on_line).await;
        held.remove(&environment, cancel).await;
        tested
    }

    async fn fails(&self) -> SmokeFailure {
        self.run(&CancellationToken::new(), |_| {}).await.unwrap_err()
    }
}

const TELLS: &str = r#"echo "$SPLITBASE_VARIANT $SPLITBASE_PLATFORM $EXPECTED_X"
docker run --rm "$SPLITBASE_IMAGE" /bin/busybox echo inside"#;

async fn passes(host: Option<String>) {
    let mut bench = Bench::new("amd64", TELLS);
    bench.host = host;
    let mut lines = Vec::new();
    let passed = bench
        .run(&CancellationToken::new(), |line| lines.push(line.to_owned()))
        .await
        .unwrap();
    assert!(lines.contains(&"base linux/amd64 7".to_owned()), "{lines:?}");
    assert!(lines.contains(&"inside".to_owned()), "{lines:?}");
    assert_eq!((passed.left, bench.containers().len()), (0, 0));
    let record = bench.docker(&["image", "inspect", "--format", "{{.Id}}", &bench.image()]);
    assert!(
        record.to_lowercase().contains("no such image"),
        "the image record is left: {record}"
    );
    let logs = witness("ls", &[bench.dir.path().to_str().unwrap()], &[]);
    assert!(!logs.contains(".log"), "{logs}");
}

#[tokio::test]
async fn e2e_a_good_test_leaves_nothing() {
    passes(None).await;
}

#[tokio::test]
async fn e2e_a_good_test_on_the_classic_image_store() {
    passes(Some(classic_host())).await;
}

#[tokio::test]
async fn e2e_a_failing_test_shows_its_end_and_keeps_its_log() {
    let bench = Bench::new(
        "amd64",
        "seq 1 100; docker run -d \"$SPLITBASE_IMAGE\" /bin/busybox sleep 1000; exit 9",
    );
    let failure = bench.fails().await;
    assert_eq!(failure.kind, SmokeFailureKind::Failed(9));
    assert_eq!(failure.exit_code(), ExitCode::SmokeFailed);
    assert_eq!(failure.output.len(), 20);
    assert!(read(failure.log.as_ref().unwrap()).starts_with("1\n2\n3\n"));
    assert_eq!(
        failure.look_inside,
        format!("docker run -it --rm --platform linux/amd64 {}", bench.image())
    );
    assert_eq!(bench.containers(), [""; 0]);
}

#[tokio::test]
async fn e2e_what_a_good_test_left_is_removed_and_nothing_else() {
    let bench = Bench::new(
        "amd64",
        "docker run -d \"$SPLITBASE_IMAGE\" /bin/busybox sleep 1000",
    );
    let name = format!("keep-{}", bench.step.repository.host().replace(':', "-"));
    bench.docker(&[
        "run",
        "-d",
        "--name",
        &name,
        &bench.image(),
        "/bin/busybox",
        "sleep",
        "1000",
    ]);
    assert_eq!(bench.containers(), [name.as_str()]);
    let passed = bench.run(&CancellationToken::new(), |_| {}).await.unwrap();
    assert_eq!(passed.left, 1);
    assert_eq!(
        bench.containers(),
        [name.as_str()],
        "a container from before the test"
    );
    bench.docker(&["rm", "-f", &name]);
    bench.docker(&["image", "rm", &bench.image()]);
}

async fn ended_early(script: &str, cancelled: bool) {
    let mut bench = Bench::new("amd64", script);
    if !cancelled {
        bench.step.timeout = crate::domain::Duration::from_secs(3);
    }
    let cancel = CancellationToken::new();
    let start = Instant::now();
    let stop = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(bench.containers().len(), 1, "the container runs");
        if cancelled {
            cancel.cancel();
        }
    };
    let (result, ()) = tokio::join!(bench.run(&cancel, |_| {}), stop);
    let failure = result.unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(12), "{:?}", start.elapsed());
    if cancelled {
        assert_eq!(failure.kind, SmokeFailureKind::Interrupted);
    } else {
        assert!(
            matches!(failure.kind, SmokeFailureKind::TimedOut(_)),
            "{failure:?}"
        );
    }
    assert_eq!(bench.containers(), [""; 0], "{failure:?}");
}

// PID 1 in a container ignores TERM and INT.
const FOREGROUND: &str = "docker run --rm \"$SPLITBASE_IMAGE\" /bin/busybox sleep 1000";
const BACKGROUND: &str = "docker run -d \"$SPLITBASE_IMAGE\" /bin/busybox sleep 1000; sleep 1000";

#[tokio::test]
async fn e2e_a_time_out_removes_a_container_in_the_foreground() {
    ended_early(FOREGROUND, false).await;
}

#[tokio::test]
async fn e2e_a_time_out_removes_a_container_in_the_background() {
    ended_early(BACKGROUND, false).await;
}

#[tokio::test]
async fn e2e_an_interrupt_removes_a_container_in_the_foreground() {
    ended_early(FOREGROUND, true).await;
}

#[tokio::test]
async fn e2e_an_interrupt_removes_a_container_in_the_background() {
    ended_early(BACKGROUND, true).await;
}

#[tokio::test]
async fn e2e_an_image_for_another_platform_is_no_failed_test() {
    let script = "docker run --rm --platform linux/arm64 \"$SPLITBASE_IMAGE\" /bin/busybox true";
    for host in [None, Some(classic_host())] {
        let mut bench = Bench::new("amd64", script);
        bench.host = host;
        bench.step.platform = "linux/arm64".parse().unwrap();
        let failure = bench.fails().await;
        assert_eq!(failure.kind, SmokeFailureKind::CouldNotRun, "{failure:?}");
        assert_eq!(failure.exit_code(), ExitCode::Failed);
    }
}

#[tokio::test]
async fn e2e_the_other_platform_runs_emulated() {
    let script = "docker run --rm --platform \"$SPLITBASE_PLATFORM\" \"$SPLITBASE_IMAGE\" /bin/busybox uname -m | grep aarch64";
    let bench = Bench::new("arm64", script);
    bench.run(&CancellationToken::new(), |_| {}).await.unwrap();
}

#[tokio::test]
async fn e2e_a_missing_image_could_not_run() {
    let mut bench = Bench::new("amd64", FOREGROUND);
    bench.digest = Digest::of(b"nothing");
    let failure = bench.fails().await;
    assert_eq!(failure.kind, SmokeFailureKind::CouldNotRun, "{failure:?}");
}

#[tokio::test]
async fn e2e_two_tests_of_the_same_image_do_not_remove_each_others_containers() {
    let script = "docker run --rm \"$SPLITBASE_IMAGE\" /bin/busybox sleep 2";
    let bench = Bench::new("amd64", script);
    let cancel = CancellationToken::new();
    let (a, b) = tokio::join!(bench.run(&cancel, |_| {}), async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        bench.run(&cancel, |_| {}).await
    });
    a.unwrap();
    b.unwrap();
}
