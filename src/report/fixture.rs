//! A made-up family, and a run of it, for the tests of this module.

use crate::config::{Provenance, Retry};
use crate::domain::{Digest, Identity, IdentityTags, ImageId, Platform};
use crate::execute::{
    Event, Failure, ImageOutcome, ImageReport, PlatformReport, Report, RunOutcome, SmokeOutcome, StepOutcome,
};
use crate::plan::{
    Action, AliasStep, AssembleStep, BuildStep, Plan, PlanImage, PlanPlatform, PresenceWord, RecordStep,
    SCHEMA, SmokeStep, Step, StepId, TagStep,
};
use crate::record::RecordState;
use crate::versions::Resolved;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Noon, always.
pub(super) fn clock() -> jiff::Timestamp {
    "2026-11-20T12:00:01.25Z".parse().unwrap()
}

/// Something to write to and look into.
#[derive(Clone, Default)]
pub(super) struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    pub(super) fn writer(&self) -> Box<dyn Write + Send> {
        Box::new(self.clone())
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The rendered text as it looks without styles.
pub(super) fn bare(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

pub(super) fn image(name: &str) -> ImageId {
    name.parse().unwrap()
}

pub(super) fn platform(name: &str) -> Platform {
    name.parse().unwrap()
}

pub(super) fn tag<T: std::str::FromStr<Err: std::fmt::Debug>>(name: &str) -> T {
    name.parse().unwrap()
}

pub(super) fn digest(byte: u8) -> Digest {
    Digest::from_bytes([byte; 32])
}

pub(super) fn identity(byte: u8) -> Identity {
    Identity::from_bytes([byte; 32])
}

pub(super) fn build(name: &str, on: &str) -> StepId {
    StepId::build(&image(name), &platform(on))
}

pub(super) fn smoke(name: &str, on: &str) -> StepId {
    StepId::smoke(&image(name), &platform(on))
}

pub(super) fn started(step: StepId, why: &str) -> Event {
    Event::Started {
        step,
        why: why.to_owned(),
    }
}

pub(super) fn progress(step: StepId, stage: &str, cached: u32, run: u32) -> Event {
    Event::Progress {
        step,
        stage: stage.to_owned(),
        cached,
        run,
    }
}

pub(super) fn output(step: StepId, line: &str) -> Event {
    Event::Output {
        step,
        line: line.to_owned(),
    }
}

pub(super) fn warning(message: &str) -> Event {
    Event::Warning {
        step: None,
        message: message.to_owned(),
    }
}

pub(super) fn finished(
    step: StepId,
    outcome: StepOutcome,
    message: &str,
    milliseconds: u64,
    counts: (u32, u32),
) -> Event {
    Event::Finished {
        step,
        outcome,
        message: message.to_owned(),
        took: Duration::from_millis(milliseconds),
        cached: counts.0,
        run: counts.1,
    }
}

/// A run in which a variant's build fails, in the order in which it happened.
pub(super) fn run() -> Vec<Event> {
    let (base, base_arm) = (build("base", "linux/amd64"), build("base", "linux/arm64"));
    let omos = build("variant/omos", "linux/amd64");
    let plan = plan();
    vec![
        Event::Planned {
            steps: plan.steps.len(),
            plan: Arc::new(plan),
        },
        started(base.clone(), "absent"),
        started(base_arm.clone(), "absent"),
        progress(base.clone(), "[1/3] FROM debian:13", 1, 0),
        progress(base_arm.clone(), "[1/3] FROM debian:13", 0, 0),
        progress(base.clone(), "[2/3] RUN apt-get update", 2, 0),
        output(base.clone(), "\x1b[32mGet:1\x1b[0m http://deb.example.org"),
        output(base.clone(), "::set-output name=x::y ##[add-mask]z"),
        progress(base.clone(), "[1/3] FROM debian:13", 2, 1),
        Event::Retry {
            step: Some(base.clone()),
            attempted: "push `base-aaaaaaaaaaaa-amd64-staging`".to_owned(),
            attempt: 1,
            of: 3,
            reason: "503 service unavailable".to_owned(),
            pause: Duration::from_secs(15),
        },
        finished(base, StepOutcome::Done, "", 3_210, (2, 5)),
        Event::Warning {
            step: Some(base_arm.clone()),
            message: "build cache was not exported: 100% full, retry later".to_owned(),
        },
        started(omos.clone(), "a build argument changed"),
        finished(
            base_arm,
            StepOutcome::Adopted,
            "somebody else was first",
            65_000,
            (0, 7),
        ),
        output(omos.clone(), "npm error 404"),
        finished(
            omos,
            StepOutcome::Failed,
            "`RUN npm ci` ended with 1",
            12_300,
            (1, 1),
        ),
        finished(
            smoke("variant/omos", "linux/amd64"),
            StepOutcome::Skipped,
            "build/variant/omos/linux-amd64 failed",
            0,
            (0, 0),
        ),
        finished(
            StepId::tag(&tag("v1.2.3-omos")),
            StepOutcome::Skipped,
            "",
            0,
            (0, 0),
        ),
        started(build("variant/omos", "linux/arm64"), "absent"),
        Event::Interrupting {
            running: vec![build("variant/omos", "linux/arm64")],
        },
        finished(
            build("variant/omos", "linux/arm64"),
            StepOutcome::Interrupted,
            "",
            500,
            (0, 0),
        ),
    ]
}

fn build_step(name: &str, on: &str, byte: u8) -> BuildStep {
    let (image, platform, identity) = (image(name), platform(on), identity(byte));
    let tags = IdentityTags::new(&image, &identity);
    BuildStep {
        staging: tags.staging(&platform),
        tag: tags.platform(&platform),
        image,
        platform,
        identity,
        repository: "acme/devbox".parse().unwrap(),
        replaces: None,
        dockerfile: "Dockerfile".into(),
        context: ".".into(),
        args: BTreeMap::new(),
        base: None,
        target: None,
        network: None,
        shm_size: None,
        contexts: BTreeMap::new(),
        secrets: Vec::new(),
        ssh: Vec::new(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        provenance: Provenance::Min,
        sbom: crate::config::Sbom::Off,
        flags: Vec::new(),
        no_cache: false,
        pull: false,
        cache_from: Vec::new(),
        cache_to: None,
        timeout: None,
    }
}

fn plan_image(name: &str, byte: u8, presence: [PresenceWord; 2], why: &str) -> PlanImage {
    let image = image(name);
    let identity = identity(byte);
    let whole = match presence {
        [first, second] if first == second => first,
        _ => PresenceWord::Incomplete,
    };
    let platforms = ["linux/amd64", "linux/arm64"]
        .into_iter()
        .zip(presence)
        .map(|(name, presence)| PlanPlatform {
            platform: platform(name),
            presence,
            digest: (presence == PresenceWord::Present).then(|| digest(byte)),
            found: None,
            tested: true,
            receipt: None,
        })
        .collect();
    PlanImage {
        tag: IdentityTags::new(&image, &identity).index(),
        image,
        identity,
        presence: whole,
        digest: (whole == PresenceWord::Present).then(|| digest(byte)),
        why: why.to_owned(),
        inputs: None,
        platforms,
        tags: Vec::new(),
        aliases: Vec::new(),
    }
}

fn step(id: StepId, why: &str, action: Action) -> Step {
    Step {
        id,
        needs: Vec::new(),
        why: why.to_owned(),
        action,
    }
}

/// A build step of a plan.
pub(super) fn build_of(name: &str, on: &str, byte: u8, why: &str) -> Step {
    step(
        build(name, on),
        why,
        Action::Build(Box::new(build_step(name, on, byte))),
    )
}

/// A plan with a step of each kind.
pub(super) fn plan() -> Plan {
    let repository: crate::domain::Repository = "acme/devbox".parse().unwrap();
    let (omos, arm) = (image("variant/omos"), platform("linux/arm64"));
    let steps = vec![
        step(
            StepId::record(RecordState::Planned),
            "all pins are written down first",
            Action::Record(RecordStep {
                state: RecordState::Planned,
            }),
        ),
        build_of(
            "variant/omos",
            "linux/arm64",
            0xbb,
            "not in `docker.io/acme/devbox`",
        ),
        step(
            StepId::smoke(&omos, &arm),
            "has no receipt of today's test",
            Action::Smoke(SmokeStep {
                image: omos.clone(),
                platform: arm.clone(),
                repository: repository.clone(),
                digest: None,
                receipt: tag("variant-omos-bbbbbbbbbbbb-arm64-ok-cccccccccccc"),
                command: vec!["scripts/smoke-test.sh".to_owned()],
                env: BTreeMap::new(),
                env_open: std::collections::BTreeMap::new(),
                timeout: crate::domain::Duration::from_secs(600),
                max_size: None,
            }),
        ),
        step(
            StepId::assemble(&omos),
            "linux/arm64 is new",
            Action::Assemble(AssembleStep {
                image: omos.clone(),
                identity: identity(0xbb),
                repository: repository.clone(),
                tag: tag("variant-omos-bbbbbbbbbbbb"),
                platforms: vec![arm],
                extends: None,
            }),
        ),
        step(
            StepId::tag(&tag("v1.2.3-omos")),
            "not there yet",
            Action::Tag(TagStep {
                image: omos.clone(),
                repository: repository.clone(),
                source: None,
                tag: tag("v1.2.3-omos"),
                replaces: None,
            }),
        ),
        step(
            StepId::alias(&tag("latest-omos")),
            "points at v1.2.2",
            Action::Alias(AliasStep {
                image: omos,
                repository: repository.clone(),
                source: None,
                alias: tag("latest-omos"),
                from: None,
            }),
        ),
    ];
    let resolved = |version: &str, source: &str| Resolved {
        version: version.to_owned(),
        source: source.to_owned(),
        warnings: Vec::new(),
    };
    Plan {
        schema: SCHEMA,
        work_repository: None,
        mirrors: Vec::new(),
        mark: crate::domain::Mark::default(),
        version: Some("v1.2.3".parse().unwrap()),
        family: "devbox".to_owned(),
        repository,
        target: crate::domain::TargetRef::Registry,
        versions: BTreeMap::from([
            (
                "PI_VERSION".to_owned(),
                resolved("1.5.2", "npm:@earendil-works/pi-coding-agent"),
            ),
            ("NODE_MAJOR".to_owned(), resolved("22", "value")),
        ]),
        upstream: BTreeMap::from([("debian:13".to_owned(), digest(0xdd))]),
        period: "2026-W47".parse().ok(),
        fresh: BTreeMap::new(),
        images: vec![
            plan_image(
                "base",
                0xaa,
                [PresenceWord::Present; 2],
                "reused: its identity is in the registry",
            ),
            plan_image(
                "variant/omos",
                0xbb,
                [PresenceWord::Present, PresenceWord::Absent],
                "completed: linux/arm64 is absent",
            ),
        ],
        steps,
        warnings: vec!["the builder keeps no attestations".to_owned()],
        retry: Retry {
            attempts: 3,
            delays: Vec::new(),
            ..Retry::default()
        },
        builder: Some("multi".to_owned()),
        attests: true,
        record: None,
        newest: None,
        points: BTreeMap::new(),
    }
}

fn platform_report(
    on: &str,
    byte: u8,
    outcome: ImageOutcome,
    smoke: SmokeOutcome,
    seconds: f64,
) -> PlatformReport {
    PlatformReport {
        platform: platform(on),
        digest: (outcome != ImageOutcome::Failed).then(|| digest(byte)),
        outcome,
        smoke,
        seconds,
    }
}

/// The report of a release that went well.
pub(super) fn done() -> Report {
    use ImageOutcome::{Built, Completed, Reused};
    use SmokeOutcome::{NotTested, Passed, PassedBefore};
    Report {
        schema: 1,
        version: Some("v1.2.3".parse().unwrap()),
        repository: "acme/devbox".parse().unwrap(),
        target: crate::domain::TargetRef::Registry,
        outcome: RunOutcome::Done,
        exit_code: 0,
        images: vec![
            ImageReport {
                image: image("base"),
                digest: Some(digest(0xa0)),
                outcome: Reused,
                tags: Vec::new(),
                aliases: vec![tag("base-latest")],
                platforms: vec![
                    platform_report("linux/amd64", 0xa1, Reused, NotTested, 0.0),
                    platform_report("linux/arm64", 0xa2, Reused, NotTested, 0.0),
                ],
            },
            ImageReport {
                image: image("variant/omos"),
                digest: Some(digest(0xb0)),
                outcome: Completed,
                tags: vec![tag("v1.2.3-omos")],
                aliases: vec![tag("latest-omos")],
                platforms: vec![
                    platform_report("linux/amd64", 0xb1, Reused, PassedBefore, 0.0),
                    platform_report("linux/arm64", 0xb2, Built, Passed, 72.31),
                ],
            },
        ],
        failures: Vec::new(),
        warnings: vec!["build/base/linux-arm64: build cache was not exported".to_owned()],
        seconds: 75.2,
    }
}

/// The report of a release that failed.
pub(super) fn failed() -> Report {
    let mut report = done();
    report.outcome = RunOutcome::Failed;
    report.exit_code = 3;
    report.warnings.clear();
    let omos = &mut report.images[1];
    omos.outcome = ImageOutcome::Failed;
    omos.digest = None;
    omos.tags.clear();
    omos.aliases.clear();
    omos.platforms[1].smoke = SmokeOutcome::Failed;
    report.images[0].aliases.clear();
    report.failures = vec![Failure {
        step: smoke("variant/omos", "linux/arm64"),
        message: "`scripts/smoke-test.sh --variant omos` ended with 1".to_owned(),
        output: vec!["ok: node\x1b[0m".to_owned(), "::error::not ok: omos".to_owned()],
        hints: vec![
            "the whole output is in `smoke-omos.log`".to_owned(),
            "look inside: `docker run -it --rm --platform linux/arm64 docker.io/acme/devbox@sha256:…`"
                .to_owned(),
        ],
        exit_code: crate::domain::ExitCode::SmokeFailed,
    }];
    report
}
