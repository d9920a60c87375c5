//! Verdicts, and the programs under the emulators that they are for.

use super::check::{Check, Diagnosis, Kind, Status};
use super::disk::{self, Place};
use super::emulation::{self, Outcome};
use super::engine;
use super::program::program;
use super::registry::{self, Facts};
use super::{builder, clock};
use crate::buildx::BuilderError;
use crate::credentials::CredentialSource;
use crate::domain::Platform;
use crate::engine::{Answer, Client, Free, Info, Plugin};
use crate::facts::{BuilderFacts, ImageStore};
use crate::target::registry::Reached;
use crate::target::{FailureClass, TargetError};
use std::path::PathBuf;

fn platform(text: &str) -> Platform {
    text.parse().unwrap()
}

#[track_caller]
fn bad(check: &Check, status: Status, message: &str, mend: &str) {
    assert_eq!(check.status, status, "{check:?}");
    assert!(check.message.contains(message), "{check:?}");
    let said = check.mend.as_deref().unwrap_or_default();
    assert!(said.contains(mend) && !said.is_empty(), "{check:?}");
}

fn info() -> Info {
    Info {
        server_version: Some("28.5.2+dfsg4".to_owned()),
        architecture: Some("x86_64".to_owned()),
        driver_status: Some(vec![(
            "driver-type".to_owned(),
            "io.containerd.snapshotter.v1".to_owned(),
        )]),
        client: Some(Client {
            plugins: Some(vec![Plugin {
                name: "buildx".to_owned(),
                version: Some("v0.29.1".to_owned()),
                err: None,
            }]),
            ..Client::default()
        }),
        ..Info::default()
    }
}

fn told(change: impl FnOnce(&mut Info)) -> Answer {
    let mut info = info();
    change(&mut info);
    Answer::Told(Box::new(info), "Cannot connect to the Docker daemon".to_owned())
}

#[test]
fn engines_and_what_is_wrong_with_them() {
    let good = engine::judge(&told(|_| ()), None);
    assert_eq!((good.status, good.mend.as_deref()), (Status::Ok, None));
    assert!(good.message.contains("28.5.2+dfsg4, containerd"), "{good:?}");
    let classic = engine::judge(&told(|info| info.driver_status = None), None);
    assert!(classic.message.contains("classic image store"), "{classic:?}");
    let old = told(|info| info.server_version = Some("20.10.24".to_owned()));
    bad(&engine::judge(&old, None), Status::Warning, "20.10.24", "update");
    let down = told(|info| info.server_version = None);
    bad(
        &engine::judge(&down, None),
        Status::Error,
        "Cannot connect",
        "start it",
    );
    bad(
        &engine::judge(&down, Some("tcp://h:1")),
        Status::Error,
        "Cannot connect",
        "DOCKER_HOST (tcp://h:1)",
    );
    bad(
        &engine::judge(&Answer::NoDocker, None),
        Status::Error,
        "no program",
        "install",
    );
    bad(
        &engine::judge(&Answer::TimedOut, None),
        Status::Error,
        "within 20 s",
        "start it",
    );
    // Keys may be null.
    let nothing: Info =
        serde_json::from_str(r#"{"ServerVersion":null,"ClientInfo":{"Plugins":null}}"#).unwrap();
    let nothing = Answer::Told(Box::new(nothing), "x".to_owned());
    assert_eq!(engine::judge(&nothing, None).status, Status::Error);
    bad(
        &engine::judge_buildx(&nothing),
        Status::Error,
        "no such plugin",
        "install",
    );
}

#[test]
fn plugins_and_what_is_wrong_with_them() {
    let version = |version: &str| {
        let answer = told(|info| {
            let client = info.client.as_mut().unwrap();
            client.plugins.as_mut().unwrap()[0].version = Some(version.to_owned());
        });
        engine::judge_buildx(&answer)
    };
    assert_eq!(version("v0.29.1").status, Status::Ok);
    assert_eq!(version("0.20.0").status, Status::Ok);
    assert_eq!(version("1.0.0").status, Status::Ok);
    bad(&version("v0.19.3"), Status::Warning, "0.19.3", "update");
    bad(&version("v0.12.1"), Status::Error, "rawjson", "install");
    assert_eq!(version("github.com/docker/buildx").status, Status::Warning);
    let broken = told(|info| {
        let client = info.client.as_mut().unwrap();
        client.plugins.as_mut().unwrap()[0].err = Some("exec format error".into());
    });
    bad(
        &engine::judge_buildx(&broken),
        Status::Error,
        "cannot be used",
        "install",
    );
}

#[test]
fn builders_and_what_they_cannot_do() {
    let facts = |store, platforms: &[&str]| {
        Ok(BuilderFacts {
            name: "default".to_owned(),
            driver: "docker".to_owned(),
            store,
            buildkit: String::new(),
            buildx: String::new(),
            engine: String::new(),
            platforms: platforms.iter().map(|text| platform(text)).collect(),
        })
    };
    let good = builder::judge(&facts(
        ImageStore::Containerd,
        &["linux/amd64", "linux/amd64/v2", "linux/arm64"],
    ));
    assert_eq!(good.status, Status::Ok);
    assert!(
        good.message.ends_with("builds for linux/amd64, linux/arm64"),
        "{good:?}"
    );
    let classic = builder::judge(&facts(ImageStore::Classic, &["linux/amd64"]));
    bad(
        &classic,
        Status::Warning,
        "no attestations",
        "containerd-snapshotter",
    );
    bad(
        &builder::judge(&facts(ImageStore::None, &[])),
        Status::Warning,
        "not started",
        "--bootstrap",
    );
    let none = Err(BuilderError::NoBuilder {
        name: "big".to_owned(),
    });
    bad(&builder::judge(&none), Status::Error, "big", "docker buildx ls");
}

#[test]
fn platforms_run_or_say_how_they_would() {
    let judge = |text: &str, listed, machine: Option<&str>, outcome| {
        let facts = emulation::Facts {
            platform: platform(text),
            listed,
            machine: machine.map(str::to_owned),
            outcome,
        };
        emulation::judge(Kind::Platform, &facts)
    };
    for (text, machine, how) in [
        ("linux/amd64", Some("x86_64"), "runs natively"),
        ("linux/amd64/v3", Some("x86_64"), "runs natively"),
        ("linux/arm64", Some("aarch64"), "runs natively"),
        ("linux/arm64", Some("x86_64"), "runs, emulated"),
        ("linux/arm64", None, "runs"),
    ] {
        let check = judge(text, Some(true), machine, Outcome::Ran);
        assert_eq!(
            (check.status, check.message.as_str()),
            (Status::Ok, how),
            "{text}"
        );
        assert_eq!(check.subject.as_deref(), Some(text));
    }
    assert_eq!(judge("linux/s390x", None, None, Outcome::Ran).status, Status::Ok);
    // `plan` refuses what the builder does not list.
    let unlisted = judge("linux/s390x", Some(false), Some("x86_64"), Outcome::Ran);
    bad(&unlisted, Status::Error, "does not list it", "restart");
    let foreign = judge("linux/s390x", Some(false), Some("x86_64"), Outcome::NotEmulated);
    bad(&foreign, Status::Error, "not emulated", "--install s390x");
    let failed = judge(
        "linux/arm64",
        Some(true),
        None,
        Outcome::Failed("no bridge".to_owned()),
    );
    bad(&failed, Status::Error, "no bridge", "RUN");
    bad(
        &judge("linux/arm64", None, None, Outcome::TimedOut),
        Status::Error,
        "120 s",
        "stuck",
    );
    assert_eq!(
        judge("linux/sparc", Some(true), None, Outcome::NoProgram).status,
        Status::Warning
    );
    assert_eq!(
        judge("linux/sparc", Some(false), None, Outcome::NoProgram).status,
        Status::Error
    );
}

#[test]
fn disks_are_told_once_and_measured_by_what_is_on_them() {
    let place = |what, enough, id, bytes| Place {
        what,
        path: PathBuf::from(format!("/{what}")),
        enough,
        why: "it fills",
        free: Ok(Free {
            id,
            bytes,
            total: 100_000_000_000,
            files: Some(1_000_000),
        }),
    };
    let (mb, gb) = (1_000_000, 1_000_000_000);
    let one = disk::judge(&[
        place("sources", mb, 1, 5 * gb),
        place("engine", 10 * gb, 1, 5 * gb),
    ]);
    assert_eq!(one.len(), 1);
    bad(
        &one[0],
        Status::Warning,
        "5GB free in `/sources` (sources), `/engine` (engine): less than 10GB, and it fills",
        "--reclaim",
    );
    let two = disk::judge(&[
        place("sources", mb, 1, 5 * gb),
        place("engine", 10 * gb, 2, 50 * gb),
    ]);
    assert_eq!(
        two.iter().map(|check| check.status).collect::<Vec<_>>(),
        [Status::Ok, Status::Ok]
    );
    bad(
        &disk::judge(&[place("sources", mb, 1, 50 * mb)])[0],
        Status::Error,
        "50MB",
        "--reclaim",
    );
    let mut full = place("engine", gb, 1, 50 * gb);
    full.free = Ok(Free {
        id: 1,
        bytes: 50 * gb,
        total: 100 * gb,
        files: Some(12),
    });
    bad(
        &disk::judge(&[full.clone()])[0],
        Status::Warning,
        "12 more files",
        "--reclaim",
    );
    full.free = Ok(Free {
        id: 1,
        bytes: 50 * gb,
        total: 100 * gb,
        files: None,
    });
    assert_eq!(disk::judge(&[full.clone()])[0].status, Status::Ok);
    full.free = Err("no such file".to_owned());
    assert_eq!(disk::judge(&[full])[0].status, Status::Warning);
}

#[test]
fn clocks_may_differ_by_five_minutes() {
    assert_eq!(clock::judge(Some(-300)).status, Status::Ok);
    bad(
        &clock::judge(Some(301)),
        Status::Warning,
        "301 s behind",
        "timedatectl",
    );
    bad(
        &clock::judge(Some(-3600)),
        Status::Warning,
        "3600 s ahead of",
        "timedatectl",
    );
    assert_eq!(clock::judge(None).status, Status::Warning);
}

fn refused(status: u16) -> TargetError {
    TargetError {
        attempted: "ask".to_owned(),
        reason: "no".to_owned(),
        status: Some(status),
        codes: Vec::new(),
        class: FailureClass::Permanent,
        retry_after: None,
        hints: vec!["a hint".to_owned()],
        write: false,
    }
}

#[test]
fn registries_and_who_may_push_there() {
    let facts = |source, readable, pushed| Facts {
        repository: "docker.io/acme/devbox".parse().unwrap(),
        source: Some(source),
        reached: Ok(Reached {
            readable,
            ahead: None,
        }),
        pushed: Some(pushed),
    };
    let file = || CredentialSource::File(PathBuf::from("/home/a/.docker/config.json"));
    let new = facts(file(), Err(refused(401)), Ok(()));
    assert_eq!(registry::judge(&new).status, Status::Ok, "not there yet");
    assert_eq!(registry::judge_push(&new).status, Status::Ok);
    let wrong = facts(file(), Err(refused(401)), Err(refused(401)));
    bad(&registry::judge(&wrong), Status::Error, "no", "a hint");
    bad(
        &registry::judge_push(&wrong),
        Status::Error,
        "no",
        "from `/home/a/.docker/config.json` are refused",
    );
    let reader = facts(file(), Ok(true), Err(refused(403)));
    assert_eq!(registry::judge(&reader).status, Status::Ok);
    bad(
        &registry::judge_push(&reader),
        Status::Error,
        "no",
        "may not push",
    );
    let nobody = facts(CredentialSource::Nowhere, Ok(true), Err(refused(401)));
    bad(
        &registry::judge_push(&nobody),
        Status::Error,
        "no",
        "docker login docker.io",
    );
    let mirror = facts(file(), Ok(true), Err(refused(405)));
    bad(&registry::judge_push(&mirror), Status::Error, "no", "read-only");
    bad(
        &registry::judge_push(&facts(file(), Ok(true), Err(refused(503)))),
        Status::Error,
        "no",
        "a hint",
    );
    let down = Facts {
        reached: Err(refused(503)),
        pushed: None,
        ..facts(file(), Ok(true), Ok(()))
    };
    bad(&registry::judge(&down), Status::Error, "no", "a hint");
    assert_eq!(registry::judge_push(&down).status, Status::Warning);
}

#[test]
fn a_diagnosis_is_as_bad_as_its_worst_check() {
    let ok = || Check::ok(Kind::Disk, "x");
    let of = |checks| Diagnosis::new(checks).worst();
    assert_eq!(of(vec![]), Status::Ok);
    assert_eq!(of(vec![ok(), Check::warning(Kind::Disk, "x")]), Status::Warning);
    assert_eq!(
        of(vec![
            Check::error(Kind::Disk, "x"),
            Check::warning(Kind::Disk, "x"),
            ok()
        ]),
        Status::Error
    );
}

/// Each program under QEMU's emulator of its architecture, which is also what runs it in containers.
#[test]
fn e2e_doctor_programs_end_well_under_qemu() {
    let folder = tempfile::tempdir().unwrap();
    for (text, qemu) in [
        ("linux/amd64", "x86_64"),
        ("linux/arm64", "aarch64"),
        ("linux/arm/v7", "arm"),
        ("linux/arm/v6", "arm"),
        ("linux/386", "i386"),
        ("linux/riscv64", "riscv64"),
        ("linux/ppc64le", "ppc64le"),
        ("linux/s390x", "s390x"),
        ("linux/loong64", "loongarch64"),
        ("linux/mips64le", "mips64el"),
    ] {
        let bytes = program(&platform(text)).unwrap();
        let path = folder.path().join(qemu);
        crate::testing::write(&path, &bytes, true);
        let script = format!(
            "qemu-{qemu}-static '{0}' 2>&1; echo \"exit code $?\"; qemu-{qemu}-static -strace '{0}' 2>&1",
            path.display()
        );
        let said = crate::testing::witness("sh", &["-c", &script], &[]);
        assert!(
            said.starts_with("exit code 0\n"),
            "{text}: {said} (package qemu-user-static)"
        );
        assert!(said.contains("exit(0)"), "{text}: {said}");
    }
    assert_eq!(program(&platform("linux/sparc64")), None);
}
