//! Builds on a real engine. They fail where there is none.

use super::{
    BuildFailure, BuildOptions, BuildUpdate, BuilderError, Built, FailedRun, Limits, Retry, build, inspect,
};
use crate::config::{Secret, SecretSource};
use crate::domain::ExitCode;
use crate::environment::Environment;
use crate::facts::ImageStore;
use crate::failure::{FailureClass, FailureKind};
use crate::plan::{BaseUse, BuildStep};
use crate::testing::{
    Fault, FaultyRegistry, TestRegistry, build_step, busybox, classic_host, witness, write,
};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// A context and a step that pushes to a repository of its own.
struct Bench {
    dir: tempfile::TempDir,
    step: BuildStep,
    classic: bool,
    without_cache_from: bool,
    limits: Limits,
    environment: Environment,
    base: Option<String>,
    cancel: CancellationToken,
    told: Vec<String>,
}

impl Bench {
    /// What `Dockerfile` says, on top of a busybox; its bytes are like no other test's.
    fn new(registry: &str, dockerfile: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let context = dir.path().join("context");
        let unique = dir.path().file_name().unwrap().to_str().unwrap();
        write(&context.join("unique"), unique, false);
        busybox(&context, "amd64");
        let text = format!("FROM scratch\nCOPY unique /unique\nCOPY busybox /bin/busybox\n{dockerfile}\n");
        write(&context.join("Dockerfile"), text, false);
        let mut step = build_step(&format!("{registry}/build/tiny"));
        step.context = "context".into();
        step.dockerfile = "context/Dockerfile".into();
        step.timeout = Some(crate::domain::Duration::from_secs(60));
        Self {
            dir,
            step,
            classic: false,
            without_cache_from: false,
            limits: Limits::default(),
            environment: Environment::default(),
            base: None,
            cancel: CancellationToken::new(),
            told: Vec::new(),
        }
    }

    fn classic(mut self) -> Self {
        self.classic = true;
        self.environment = Environment::of([("DOCKER_HOST", classic_host())]);
        self
    }

    async fn run(&mut self) -> Result<Built, BuildFailure> {
        let options = BuildOptions {
            layout: None,
            root: self.dir.path(),
            builder: None,
            attests: !self.classic,
            exports_cache: !self.classic,
            without_cache_from: self.without_cache_from,
            no_cache: false,
            environment: &self.environment,
            limits: self.limits,
        };
        let told = &mut self.told;
        let start = Instant::now();
        let result = build(
            &self.step,
            self.base.as_deref(),
            &options,
            &self.cancel,
            |update| {
                told.push(match update {
                    BuildUpdate::Line(line) => format!("line {line}"),
                    BuildUpdate::Warning(text) => format!("warning {text}"),
                    BuildUpdate::Stage { stage, .. } => format!("stage {stage}"),
                });
            },
        )
        .await;
        println!("{:?}: {result:?}", start.elapsed());
        result
    }

    fn reference(&self) -> String {
        self.step.repository.with_tag(&self.step.staging)
    }

    /// Processes that name this repository in their command line.
    fn children(&self) -> Vec<String> {
        witness("ps", &["-eo", "pid,args"], &[])
            .lines()
            .filter(|line| line.contains(&self.reference()) && line.contains("buildx"))
            .map(str::to_owned)
            .collect()
    }
}

fn crane(args: &[&str]) -> String {
    witness("crane", args, &[]).trim().to_owned()
}

#[tokio::test]
async fn e2e_a_build_is_pushed_and_then_cached() {
    let registry = TestRegistry::start();
    let mut bench = Bench::new(registry.address(), "RUN [\"/bin/busybox\", \"echo\", \"hello\"]");
    bench.step.labels = [("l".to_owned(), "v".to_owned())].into();
    bench.step.annotations = [("a".to_owned(), "v".to_owned())].into();
    bench.step.shm_size = Some("64m".to_owned());
    let built = bench.run().await.unwrap();
    assert_eq!((built.cached, built.run), (0, 3), "{built:?}");
    assert!(bench.told.contains(&"line hello".to_owned()), "{:?}", bench.told);
    assert_eq!(crane(&["digest", &bench.reference()]), built.wrapper.to_string());
    let child = crane(&["digest", "--platform", "linux/amd64", &bench.reference()]);
    assert_eq!(child, built.manifest.unwrap().to_string());
    let manifest = crane(&[
        "manifest",
        &bench.step.repository.with_digest(&built.manifest.unwrap()),
    ]);
    assert!(
        manifest.contains("application/vnd.oci.image.manifest.v1+json"),
        "{manifest}"
    );
    assert!(manifest.contains("\"a\": \"v\""), "{manifest}");

    let again = bench.run().await.unwrap();
    assert_eq!((again.cached, again.run), (3, 0), "{again:?}");
    assert_eq!(again.manifest, built.manifest);
}

#[tokio::test]
async fn e2e_a_build_on_the_classic_image_store() {
    let registry = TestRegistry::start();
    let mut bench = Bench::new(registry.address(), "RUN [\"/bin/busybox\", \"echo\", \"hello\"]").classic();
    bench.step.sbom = crate::config::Sbom::On;
    bench.step.annotations = [("a".to_owned(), "v".to_owned())].into();
    bench.step.cache_to = Some(format!("type=registry,ref={}/c:c", registry.address()));
    let built = bench.run().await.unwrap();
    assert_eq!((built.cached, built.run), (0, 3), "{built:?}");
    assert_eq!(crane(&["digest", &bench.reference()]), built.wrapper.to_string());
}

#[tokio::test]
async fn e2e_a_variant_is_built_from_its_base_by_digest() {
    let registry = TestRegistry::start();
    for classic in [false, true] {
        let mut base = Bench::new(registry.address(), "ENV X=1");
        let mut bench = Bench::new(registry.address(), "");
        if classic {
            (base, bench) = (base.classic(), bench.classic());
        }
        let built = base.run().await.unwrap();
        let digest = built.manifest.unwrap_or(built.wrapper);
        let dockerfile = "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY unique /variant\n";
        write(&bench.dir.path().join("context/Dockerfile"), dockerfile, false);
        bench.step.base = Some(BaseUse {
            repository: None,
            arg: "BASE_IMAGE".to_owned(),
            digest: None,
        });
        bench.step.staging = "variant".parse().unwrap();
        bench.base = Some(base.step.repository.with_digest(&digest));
        bench.run().await.unwrap();
        let told = if classic {
            crane(&["config", &bench.reference()])
        } else {
            crane(&["manifest", "--platform", "linux/amd64", &bench.reference()])
        };
        assert!(told.contains("org.opencontainers.image.base.digest"), "{told}");
        assert!(told.contains(&digest.to_string()), "{told}");
    }
}

#[tokio::test]
async fn e2e_a_failing_run_says_command_code_and_output() {
    let registry = TestRegistry::start();
    let run = "RUN [\"/bin/busybox\", \"sh\", \"-c\", \"echo why; exit 7\"]";
    for mut bench in [
        Bench::new(registry.address(), run),
        Bench::new(registry.address(), run).classic(),
    ] {
        let failure = bench.run().await.unwrap_err();
        let Some(FailedRun { command, exit_code }) = &failure.run else {
            panic!("{failure:?}");
        };
        assert!(command.contains("echo why; exit 7"), "{command}");
        assert_eq!((*exit_code, failure.retry), (Some(7), Retry::Never));
        assert_eq!(failure.output, ["why"]);
    }
}

#[tokio::test]
async fn e2e_a_missing_source_is_named() {
    let registry = TestRegistry::start();
    let mut bench = Bench::new(registry.address(), "COPY not/there /");
    let failure = bench.run().await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.retry),
        (FailureKind::MissingSource, Retry::Never)
    );
    assert!(
        failure
            .reason
            .contains("there is no `not/there` in the build context"),
        "{failure:?}"
    );
}

#[tokio::test]
async fn e2e_what_is_wrong_with_the_dockerfile_is_said() {
    let registry = TestRegistry::start();
    for (dockerfile, class) in [
        (
            "RUNN x".to_owned(),
            (FailureKind::Frontend, FailureClass::Permanent),
        ),
        (
            format!("FROM {}/none:1", registry.address()),
            (FailureKind::Base, FailureClass::Permanent),
        ),
        (
            "FROM localhost:1/none:1".to_owned(),
            (FailureKind::Base, FailureClass::Transient),
        ),
    ] {
        let failure = Bench::new(registry.address(), &dockerfile)
            .run()
            .await
            .unwrap_err();
        assert_eq!(failure.what(), class, "{failure:?}");
    }
    let mut bench = Bench::new(registry.address(), "");
    bench.step.dockerfile = "none".into();
    assert_eq!(
        bench.run().await.unwrap_err().what(),
        (FailureKind::Frontend, FailureClass::Permanent)
    );
    bench.step.dockerfile = "context/Dockerfile".into();
    bench.step.target = Some("none".to_owned());
    assert_eq!(
        bench.run().await.unwrap_err().what(),
        (FailureKind::Frontend, FailureClass::Permanent)
    );
}

#[tokio::test]
async fn e2e_a_push_to_a_closed_port_may_pass() {
    for mut bench in [
        Bench::new("localhost:1", ""),
        Bench::new("localhost:1", "").classic(),
    ] {
        let failure = bench.run().await.unwrap_err();
        assert_eq!(
            (failure.kind, failure.retry),
            (FailureKind::Push, Retry::Transient)
        );
        assert_eq!(failure.exit_code(), ExitCode::PushFailed);
    }
}

async fn push_answered_with(status: u16, classic: bool) -> BuildFailure {
    let registry = TestRegistry::start();
    let proxy = FaultyRegistry::start(&registry, move |method, path| {
        let hit = method == "PUT" && path.contains("/manifests/");
        if hit { Fault::Status(status) } else { Fault::None }
    })
    .await;
    let mut bench = Bench::new(proxy.address(), "");
    if classic {
        bench = bench.classic();
    }
    bench.run().await.unwrap_err()
}

#[tokio::test]
async fn e2e_pushes_that_are_refused_are_not_tried_again() {
    for status in [400, 401, 403, 404, 413] {
        let failure = push_answered_with(status, false).await;
        assert_eq!(
            failure.what(),
            (FailureKind::Push, FailureClass::Permanent),
            "{status}: {failure:?}"
        );
        assert_eq!(failure.retry, Retry::Never);
    }
    let failure = push_answered_with(403, true).await;
    assert_eq!(
        failure.what(),
        (FailureKind::Push, FailureClass::Permanent),
        "{failure:?}"
    );
}

#[tokio::test]
async fn e2e_a_push_that_is_told_to_slow_down_may_pass() {
    let failure = push_answered_with(429, false).await;
    assert_eq!(
        failure.what(),
        (FailureKind::Push, FailureClass::Transient),
        "{failure:?}"
    );
}

#[tokio::test]
async fn e2e_a_push_that_meets_a_server_error_may_pass() {
    let failure = push_answered_with(500, false).await;
    assert_eq!(
        failure.what(),
        (FailureKind::Push, FailureClass::Transient),
        "{failure:?}"
    );
}

#[tokio::test]
async fn e2e_a_push_that_stalls_is_ended() {
    let registry = TestRegistry::start();
    let proxy = FaultyRegistry::start(&registry, |method, path| {
        let hit = method == "PUT" && path.contains("/manifests/");
        if hit { Fault::Hang } else { Fault::None }
    })
    .await;
    let mut bench = Bench::new(proxy.address(), "");
    bench.limits.push_manifest = Duration::from_secs(2);
    let start = Instant::now();
    let failure = bench.run().await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.retry),
        (FailureKind::Push, Retry::Transient)
    );
    assert!(start.elapsed() < Duration::from_secs(15));
    assert_eq!(bench.children(), [""; 0]);
}

#[tokio::test]
async fn e2e_a_push_of_layers_that_stalls_is_ended() {
    let registry = TestRegistry::start();
    let proxy = FaultyRegistry::start(&registry, |method, path| {
        let hit = matches!(method, "PUT" | "PATCH") && path.contains("/uploads/");
        if hit { Fault::Hang } else { Fault::None }
    })
    .await;
    for mut bench in [
        Bench::new(proxy.address(), ""),
        Bench::new(proxy.address(), "").classic(),
    ] {
        bench.limits.push_layers = Duration::from_secs(2);
        let failure = bench.run().await.unwrap_err();
        assert_eq!(
            failure.what(),
            (FailureKind::Push, FailureClass::Transient),
            "{failure:?}"
        );
        assert!(failure.reason.contains("nothing moved"), "{failure:?}");
    }
}

#[tokio::test]
async fn e2e_a_cache_export_that_fails_is_only_a_warning() {
    let registry = TestRegistry::start();
    let proxy = FaultyRegistry::start(&registry, |method, _| {
        if method == "GET" {
            Fault::None
        } else {
            Fault::Status(400)
        }
    })
    .await;
    let mut bench = Bench::new(registry.address(), "");
    bench.step.cache_to = Some(format!("type=registry,ref={}/cache:c,mode=max", proxy.address()));
    let built = bench.run().await.unwrap();
    assert!(
        built
            .warnings
            .iter()
            .any(|text| text.contains("exporting cache to registry failed")),
        "{built:?}"
    );
    assert!(
        bench
            .told
            .iter()
            .any(|told| told.starts_with("warning exporting cache"))
    );
}

#[tokio::test]
async fn e2e_a_cache_export_that_stalls_is_given_up() {
    let registry = TestRegistry::start();
    let proxy = FaultyRegistry::start(&registry, |method, _| {
        if matches!(method, "PUT" | "POST" | "PATCH") {
            Fault::Hang
        } else {
            Fault::None
        }
    })
    .await;
    let mut bench = Bench::new(registry.address(), "");
    bench.step.cache_to = Some(format!("type=registry,ref={}/cache:c,mode=max", proxy.address()));
    bench.limits.cache_export = Duration::from_secs(2);
    let start = Instant::now();
    let built = bench.run().await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(15));
    assert!(
        built.warnings.iter().any(|text| text.contains("given up")),
        "{built:?}"
    );
    assert_eq!(crane(&["digest", &bench.reference()]), built.wrapper.to_string());
    assert_eq!(bench.children(), [""; 0]);
}

/// Takes what a `RUN` with this word in it made out of the engine's own build cache.
fn forget(word: &str) {
    let usage = witness("docker", &["buildx", "du", "--verbose"], &[]);
    let ids: Vec<&str> = usage
        .split("\n\n")
        .filter(|record| record.contains(word))
        .filter_map(|record| record.lines().find_map(|line| line.strip_prefix("ID:")))
        .map(str::trim)
        .collect();
    assert!(!ids.is_empty(), "{usage}");
    // A record goes only after its children: twice, in whichever order they are listed.
    for id in ids.iter().chain(&ids) {
        witness(
            "docker",
            &["buildx", "prune", "--force", "--filter", &format!("id={id}")],
            &[],
        );
    }
}

#[tokio::test]
async fn e2e_a_broken_layer_of_the_cache_is_built_without_it() {
    let registry = TestRegistry::start();
    let reference = format!("{}/cache:c", registry.address());
    let word = tempfile::tempdir()
        .unwrap()
        .path()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let run = |what: &str| format!("RUN [\"/bin/busybox\", \"sh\", \"-c\", \"{what} >> /layer # {word}\"]\n");
    let mut bench = Bench::new(
        registry.address(),
        &format!("{}ARG X=1\n{}", run("echo layer"), run("echo $X")),
    );
    bench.step.cache_to = Some(format!("type=registry,ref={reference},mode=max"));
    bench.run().await.unwrap();
    bench.step.cache_to = None;
    // The engine forgets what it ran; in the registry, the layers go and the manifest of the cache stays.
    witness("docker", &["image", "rm", &bench.reference()], &[]);
    forget(&word);
    let usage = witness("docker", &["buildx", "du", "--verbose"], &[]);
    assert!(!usage.contains(&word), "{usage}");
    // containerd collects the bytes a moment later.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let manifest: serde_json::Value = serde_json::from_str(&crane(&["manifest", &reference])).unwrap();
    for layer in manifest["layers"].as_array().unwrap() {
        let hex = layer["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
        let blobs = registry.data().join("docker/registry/v2/blobs/sha256");
        std::fs::remove_dir_all(blobs.join(&hex[..2]).join(hex)).unwrap();
    }
    bench.step.cache_from = vec![format!("type=registry,ref={reference}")];
    bench.step.args = [("X".to_owned(), "2".to_owned())].into();
    let failure = bench.run().await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.retry),
        (FailureKind::CacheBroken, Retry::WithoutCacheFrom),
        "{failure:?}"
    );
    bench.without_cache_from = true;
    bench.run().await.unwrap();
}

#[tokio::test]
async fn e2e_an_interrupt_ends_within_seconds_and_leaves_no_child() {
    let registry = TestRegistry::start();
    let mut bench = Bench::new(
        registry.address(),
        "RUN [\"/bin/busybox\", \"sh\", \"-c\", \"echo begun; sleep 1000\"]",
    );
    let cancel = bench.cancel.clone();
    let (result, asked) = tokio::join!(bench.run(), async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        cancel.cancel();
        Instant::now()
    });
    let failure = result.unwrap_err();
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    assert_eq!(
        failure.what(),
        (FailureKind::Cancelled, FailureClass::Permanent),
        "{failure:?}"
    );
    assert_eq!(failure.exit_code(), ExitCode::Interrupted);
    assert!(bench.told.contains(&"line begun".to_owned()), "{:?}", bench.told);
    assert_eq!(bench.children(), [""; 0]);
}

#[tokio::test]
async fn e2e_a_build_that_takes_too_long_is_ended() {
    let registry = TestRegistry::start();
    let mut bench = Bench::new(registry.address(), "RUN [\"/bin/busybox\", \"sleep\", \"1000\"]");
    bench.step.timeout = Some(crate::domain::Duration::from_secs(10));
    let failure = bench.run().await.unwrap_err();
    assert_eq!(failure.what(), (FailureKind::TimedOut, FailureClass::Permanent));
    assert!(failure.reason.contains("sleep"), "{failure:?}");
}

#[tokio::test]
async fn e2e_secrets_reach_the_run_and_never_the_output() {
    let registry = TestRegistry::start();
    let run =
        "RUN --mount=type=secret,id=token,required=true [\"/bin/busybox\", \"cat\", \"/run/secrets/token\"]";
    let mut bench = Bench::new(registry.address(), run);
    bench.step.secrets = vec![Secret {
        id: "token".to_owned(),
        source: SecretSource::Env("SPLITBASE_TEST_TOKEN".to_owned()),
        optional: false,
    }];
    let failure = bench.run().await.unwrap_err();
    assert_eq!(
        failure.what(),
        (FailureKind::MissingSecret, FailureClass::Permanent)
    );
    assert!(failure.reason.contains("`token`"), "{failure:?}");

    bench.environment = Environment::of([("SPLITBASE_TEST_TOKEN", "hunter22hunter22\n")]);
    bench.run().await.unwrap();
    assert!(bench.told.contains(&"line ***".to_owned()), "{:?}", bench.told);
    assert!(!format!("{:?}", bench.told).contains("hunter22"));
}

#[tokio::test]
async fn e2e_a_base_of_another_platform_is_refused() {
    let registry = TestRegistry::start();
    let mut base = Bench::new(registry.address(), "");
    let digest = base.run().await.unwrap().manifest.unwrap();
    let mut bench = Bench::new(registry.address(), "");
    let from = format!("FROM {}\n", base.step.repository.with_digest(&digest));
    write(&bench.dir.path().join("context/Dockerfile"), from, false);
    bench.step.platform = "linux/arm64".parse().unwrap();
    let failure = bench.run().await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.retry),
        (FailureKind::Base, Retry::Never),
        "{failure:?}"
    );
    assert!(failure.reason.contains("linux/arm64"), "{failure:?}");
}

#[tokio::test]
async fn e2e_builders_are_told_apart() {
    let cancel = CancellationToken::new();
    let ask = async |variables: &[(&str, &str)], builder: Option<&str>| {
        inspect(builder, &Environment::of(variables.iter().copied()), &cancel).await
    };
    let here = ask(&[], None).await.unwrap();
    assert_eq!(
        (here.driver.as_str(), here.store),
        ("docker", ImageStore::Containerd)
    );
    assert!(
        here.platforms.contains(&"linux/amd64".parse().unwrap()),
        "{here:?}"
    );
    let classic = ask(&[("DOCKER_HOST", &classic_host())], None).await.unwrap();
    assert_eq!(classic.store, ImageStore::Classic);

    let none = ask(&[], Some("no-such-builder")).await.unwrap_err();
    assert!(matches!(none, BuilderError::NoBuilder { .. }), "{none}");
    let dead = ask(&[("DOCKER_HOST", "tcp://127.0.0.1:1")], None)
        .await
        .unwrap_err();
    assert!(matches!(dead, BuilderError::Engine { .. }), "{dead}");
    let dead = ask(&[("DOCKER_HOST", "unix:///nonexistent.sock")], None)
        .await
        .unwrap_err();
    assert!(matches!(dead, BuilderError::Engine { .. }), "{dead}");
    // The program is looked for on the child's own path.
    let docker = ask(&[("PATH", "/nonexistent")], None).await.unwrap_err();
    assert!(matches!(docker, BuilderError::NoDocker), "{docker}");
    assert!(!docker.hints().is_empty());
}
