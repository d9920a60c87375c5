//! The world that the executor is run in: a family, a target in memory, builds and tests that go as a test wants.

use crate::domain::{Digest, ExitCode, ImageId, Mark, PublicTag, Tag};
use crate::execute::{
    Account, Again, AttemptFailure, BuildAttempt, Built, Effects, Event, Report, Settings, Sink, StepOutcome,
    TestFailure, Told, execute,
};
use crate::gather::{self, current_tags, probe_image};
use crate::plan::{BuildStep, Plan, SmokeStep, StepId};
use crate::record::{Holder, Record, RecordState};
use crate::target::oci::{self, Descriptor, DescriptorPlatform, ImageManifest, Index};
use crate::target::{RawManifest, Target as _};
use crate::testing::given::Given;
use crate::testing::memory::{Content, Memory};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How an attempt at a build or a test goes. What is not said goes well.
#[derive(Debug, Clone, Copy)]
pub(super) enum Goes {
    Well,
    /// It fails, and may be made again.
    Fails(Again),
    /// What is pushed is for another platform.
    WrongPlatform,
    /// It waits until it is interrupted.
    Hangs,
    Panics,
}

/// An attempt that was made: of which step, without cache, without `--cache-from`, on which base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) step: String,
    pub(super) no_cache: bool,
    pub(super) without_cache_from: bool,
    pub(super) base: Option<String>,
}

type Changes = VecDeque<Result<Vec<String>, String>>;

/// Effects that are made up.
#[derive(Default)]
pub(super) struct Fake {
    pub(super) target: Memory,
    pub(super) script: Mutex<BTreeMap<String, VecDeque<Goes>>>,
    pub(super) changes: Mutex<BTreeMap<String, Changes>>,
    pub(super) attempts: Mutex<Vec<Attempt>>,
    pub(super) smokes: Mutex<Vec<(String, Digest)>>,
    /// The records that pages were made from.
    pub(super) described: Mutex<Vec<Record>>,
    /// Whether all pauses that the run may make are spent.
    pub(super) impatient: std::sync::atomic::AtomicBool,
    pub(super) pauses: Mutex<Vec<Duration>>,
    /// What is added to a pause before another attempt.
    pub(super) jitter: Mutex<Duration>,
    /// Builds and tests that run now, and the most that ever did.
    pub(super) load: Mutex<(usize, usize)>,
    /// The lists of inputs that are to be published.
    pub(super) lists: Mutex<BTreeMap<ImageId, bytes::Bytes>>,
    /// What happens while the first signature is made.
    pub(super) signing: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    /// Makes the builds of another run other ones.
    pub(super) nonce: Mutex<u32>,
}

/// The bytes of a platform image with its config, as a build pushes them.
pub(super) fn image(
    content: &mut Content,
    step: &BuildStep,
    base: Option<&Digest>,
    nonce: u32,
) -> RawManifest {
    let (os, architecture) = (step.platform.os(), step.platform.architecture());
    let config = serde_json::json!({"os": os, "architecture": architecture, "variant": step.platform.variant().unwrap_or_default()});
    let config = serde_json::to_vec(&config).unwrap();
    let of = |media_type: &str, bytes: &[u8]| Descriptor {
        media_type: media_type.to_owned(),
        digest: Digest::of(bytes),
        size: bytes.len() as u64,
        platform: None,
        annotations: BTreeMap::new(),
    };
    let layer = format!("{} {} {nonce}", step.image, step.identity);
    let mut annotations = step.annotations.clone();
    if let Some(base) = base {
        annotations.insert(oci::BASE_DIGEST.to_owned(), base.to_string());
    }
    let manifest = ImageManifest {
        schema_version: 2,
        media_type: oci::MANIFEST.to_owned(),
        artifact_type: None,
        config: of("application/vnd.oci.image.config.v1+json", &config),
        layers: vec![of("application/vnd.oci.image.layer.v1.tar", layer.as_bytes())],
        annotations,
    };
    content.blobs.insert(Digest::of(&config), config.into());
    let raw = RawManifest::new(serde_json::to_vec(&manifest).unwrap()).unwrap();
    content.manifests.insert(raw.digest, raw.clone());
    raw
}

/// The wrapper that buildx pushes around it: the image and its attestation.
pub(super) fn wrapper(content: &mut Content, step: &BuildStep, image: &RawManifest) -> RawManifest {
    let platform = |os: &str, architecture: &str, variant: Option<&str>| {
        Some(DescriptorPlatform {
            architecture: architecture.to_owned(),
            os: os.to_owned(),
            variant: variant.map(str::to_owned),
        })
    };
    let own = &step.platform;
    let child = Descriptor {
        media_type: image.media_type.clone(),
        digest: image.digest,
        size: image.bytes.len() as u64,
        platform: platform(own.os(), own.architecture(), own.variant()),
        annotations: BTreeMap::new(),
    };
    let attested = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[],"of":"{}"}}"#,
        oci::INDEX,
        image.digest
    );
    let attested = RawManifest::new(attested).unwrap();
    content.manifests.insert(attested.digest, attested.clone());
    let attestation = Descriptor {
        digest: attested.digest,
        platform: platform("unknown", "unknown", None),
        annotations: BTreeMap::from([
            (oci::ATTESTS.to_owned(), image.digest.to_string()),
            (
                oci::ATTESTATION_TYPE.to_owned(),
                "attestation-manifest".to_owned(),
            ),
        ]),
        ..child.clone()
    };
    let index = Index {
        schema_version: 2,
        media_type: oci::INDEX.to_owned(),
        manifests: vec![child, attestation],
        annotations: BTreeMap::new(),
    };
    let raw = RawManifest::new(serde_json::to_vec(&index).unwrap()).unwrap();
    content.manifests.insert(raw.digest, raw.clone());
    raw
}

impl Fake {
    fn next(&self, step: &str) -> Goes {
        let mut script = self.script.lock().unwrap();
        script
            .get_mut(step)
            .and_then(VecDeque::pop_front)
            .unwrap_or(Goes::Well)
    }

    async fn under_load<R>(&self, work: impl Future<Output = R>) -> R {
        {
            let mut load = self.load.lock().unwrap();
            load.0 += 1;
            load.1 = load.1.max(load.0);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        let result = work.await;
        self.load.lock().unwrap().0 -= 1;
        result
    }
}

fn attempt_failure(again: Again) -> AttemptFailure {
    AttemptFailure {
        reason: format!("{again:?}"),
        output: vec!["the end of the output".to_owned()],
        hints: Vec::new(),
        again,
        exit_code: if again == Again::Push {
            ExitCode::PushFailed
        } else {
            ExitCode::Failed
        },
    }
}

impl Effects for Fake {
    type Target = Memory;

    fn target(&self) -> &Memory {
        &self.target
    }

    async fn build(
        &self,
        attempt: BuildAttempt<'_>,
        cancel: &CancellationToken,
        tell: &(dyn Fn(Told) + Send + Sync),
    ) -> Result<Built, AttemptFailure> {
        let step = attempt.step;
        let id = StepId::build(&step.image, &step.platform).to_string();
        self.attempts.lock().unwrap().push(Attempt {
            step: id.clone(),
            no_cache: attempt.no_cache,
            without_cache_from: attempt.without_cache_from,
            base: attempt.base.clone(),
        });
        tell(Told::Line("building".to_owned()));
        let goes = self.next(&id);
        self.under_load(async {
            let mut step = step.clone();
            match goes {
                Goes::Fails(again) => return Err(attempt_failure(again)),
                Goes::Panics => panic!("a build panics"),
                Goes::Hangs => {
                    cancel.cancelled().await;
                    return Err(attempt_failure(Again::Never));
                }
                Goes::WrongPlatform => step.platform = "linux/riscv64".parse().unwrap(),
                Goes::Well => {}
            }
            let base = attempt
                .base
                .map(|base| base.split_once('@').unwrap().1.parse().unwrap());
            let nonce = *self.nonce.lock().unwrap();
            let pushed = self.target.with(|content| {
                let image = image(content, &step, base.as_ref(), nonce);
                let wrapper = wrapper(content, &step, &image);
                content.put(&step.staging, &wrapper);
                wrapper.digest
            });
            Ok(Built {
                pushed,
                cached: 1,
                run: 2,
                warnings: Vec::new(),
            })
        })
        .await
    }

    async fn smoke(
        &self,
        step: &SmokeStep,
        digest: Digest,
        cancel: &CancellationToken,
        _: &(dyn Fn(Told) + Send + Sync),
    ) -> Result<(), TestFailure> {
        let id = StepId::smoke(&step.image, &step.platform).to_string();
        self.smokes.lock().unwrap().push((id.clone(), digest));
        let goes = self.next(&id);
        self.under_load(async {
            match goes {
                Goes::Well => Ok(()),
                Goes::Hangs => {
                    cancel.cancelled().await;
                    Ok(())
                }
                _ => Err(TestFailure {
                    reason: "exit code 1".to_owned(),
                    output: Vec::new(),
                    hints: Vec::new(),
                    exit_code: ExitCode::SmokeFailed,
                }),
            }
        })
        .await
    }

    fn input_list(&self, image: &ImageId) -> Option<bytes::Bytes> {
        self.lists.lock().unwrap().get(image).cloned()
    }

    async fn changed_inputs(&self, image: &ImageId) -> Result<Vec<String>, String> {
        let mut changes = self.changes.lock().unwrap();
        let next = changes.get_mut(&image.to_string()).and_then(VecDeque::pop_front);
        next.unwrap_or_else(|| Ok(Vec::new()))
    }

    async fn sign(
        &self,
        step: &crate::plan::SignStep,
        digest: Digest,
        _: &CancellationToken,
    ) -> Result<String, TestFailure> {
        let id = StepId::sign(&step.image).to_string();
        if let Some(meanwhile) = self.signing.lock().unwrap().take() {
            meanwhile();
        }
        match self.next(&id) {
            Goes::Well => Ok(digest.to_string()),
            _ => Err(TestFailure {
                reason: "cosign ended with 1".to_owned(),
                output: Vec::new(),
                hints: Vec::new(),
                exit_code: ExitCode::Failed,
            }),
        }
    }

    async fn describe(
        &self,
        record: &Record,
        _: &crate::target::registry::Observer,
    ) -> Result<(String, Vec<String>), (String, Vec<String>)> {
        self.described.lock().unwrap().push(record.clone());
        match self.next("describe/page") {
            Goes::Well => Ok(("described".to_owned(), vec!["it was cut".to_owned()])),
            Goes::Hangs => std::future::pending().await,
            Goes::Panics => panic!("a page panics"),
            _ => Err(("no page".to_owned(), vec!["mend it".to_owned()])),
        }
    }

    fn may_pause(&self, _: Duration) -> bool {
        !self.impatient.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn varied(&self, time: Duration) -> Duration {
        time + *self.jitter.lock().unwrap()
    }

    async fn pause(&self, time: Duration) {
        // Those of the adoption last as long as its own requests took: next to nothing here.
        if time.is_zero() || time > Duration::from_millis(900) {
            self.pauses.lock().unwrap().push(time);
        }
        tokio::time::sleep(time).await;
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_second(1_700_000_000).unwrap()
    }

    fn holder(&self) -> Option<Holder> {
        Some(Holder {
            boot: "boot".to_owned(),
            process: 1,
            started: 1,
        })
    }
}

/// Keeps every event.
#[derive(Default)]
pub(super) struct Events(pub(super) Mutex<Vec<Event>>);

impl Sink for Events {
    fn event(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

/// What is run, and where.
pub(super) struct World {
    pub(super) given: Given,
    pub(super) fake: Arc<Fake>,
    pub(super) events: Arc<Events>,
    pub(super) cancel: CancellationToken,
    pub(super) settings: Settings,
    pub(super) account: Account,
}

impl World {
    pub(super) fn new(text: &str) -> Self {
        Self {
            given: Given::new(text),
            fake: Arc::default(),
            events: Arc::default(),
            cancel: CancellationToken::new(),
            settings: Settings {
                parallel: 4,
                fail_fast: false,
                keep_images: false,
            },
            account: Account::default(),
        }
    }

    /// Says how the attempts at a step go.
    pub(super) fn script(&self, step: &str, goes: &[Goes]) {
        let goes = goes.iter().copied().collect();
        self.fake.script.lock().unwrap().insert(step.to_owned(), goes);
    }

    /// Says what changed in the inputs of an image, before each build and after it.
    pub(super) fn changes(&self, image: &str, changes: &[&[&str]]) {
        let words = |paths: &&[&str]| Ok(paths.iter().map(|path| (*path).to_owned()).collect());
        let changes = changes.iter().map(words).collect();
        self.fake
            .changes
            .lock()
            .unwrap()
            .insert(image.to_owned(), changes);
    }

    /// Looks at the target again.
    pub(super) async fn look(&mut self) {
        let repository = self.given.family.repository.clone();
        let target = &self.fake.target;
        for fact in &mut self.given.facts.images {
            let image = self.given.family.image(&fact.image).unwrap();
            probe_image(target, &repository, image, fact).await.unwrap();
        }
        let all: Vec<Tag> = target.with(|content| content.tags.keys().cloned().collect());
        let all = all
            .into_iter()
            .filter(|tag| !tag.has_machine_form())
            .map(PublicTag::from);
        self.given.facts.tags = current_tags(target, &repository, all).await.unwrap();
        let version = self.given.options.version.clone().unwrap();
        let own = gather::record_at(target, &repository, &Mark::default().record(&version))
            .await
            .unwrap();
        let newest = gather::record_at(target, &repository, &Mark::default().newest_record())
            .await
            .unwrap();
        self.given.facts.record = own;
        self.given.facts.newest = newest;
        self.given.facts.newest_digest = target.tag("_release");
    }

    /// Runs a plan.
    pub(super) async fn run(&self, plan: Plan) -> Report {
        let (fake, events) = (self.fake.clone(), self.events.clone());
        let cancel = self.cancel.clone();
        execute(
            Arc::new(plan),
            fake,
            self.settings,
            events,
            cancel,
            self.account.clone(),
        )
        .await
    }

    /// Looks, plans and runs.
    pub(super) async fn release(&mut self) -> Report {
        self.look().await;
        self.run(self.given.plan()).await
    }

    /// The record of the release.
    pub(super) async fn record(&self) -> Record {
        let tag = Mark::default().record(self.given.options.version.as_ref().unwrap());
        let repository = &self.given.family.repository;
        let record = gather::record_at(&self.fake.target, repository, &tag).await;
        record.unwrap().expect("a record")
    }

    /// The states that the record was written in, in order.
    pub(super) async fn states(&self) -> Vec<RecordState> {
        self.records().await.iter().map(|record| record.state).collect()
    }

    /// The record as it was written last.
    pub(super) async fn last_record(&self) -> Record {
        self.records().await.pop().unwrap()
    }

    async fn records(&self) -> Vec<Record> {
        let written = self.fake.target.with(|content| content.writes.clone());
        let mut records = Vec::new();
        for line in written.iter().filter(|line| line.starts_with("_release-")) {
            let digest: Digest = line.split_once(' ').unwrap().1.parse().unwrap();
            let raw = self
                .fake
                .target
                .with(|content| content.manifests[&digest].clone());
            let manifest: ImageManifest = serde_json::from_slice(&raw.bytes).unwrap();
            let layer = manifest.layers[0].digest;
            let bytes = self
                .fake
                .target
                .blob(&self.given.family.repository, &layer, 1 << 20)
                .await
                .unwrap();
            records.push(serde_json::from_slice(&bytes).unwrap());
        }
        records
    }

    /// The attempts at a step.
    pub(super) fn attempts(&self, step: &str) -> Vec<Attempt> {
        let attempts = self.fake.attempts.lock().unwrap();
        attempts
            .iter()
            .filter(|attempt| attempt.step == step)
            .cloned()
            .collect()
    }

    /// The release tags and aliases that were written, in order.
    pub(super) fn published(&self) -> Vec<String> {
        let written = self.fake.target.written();
        let machine = |text: &str| text.parse::<Tag>().unwrap().has_machine_form();
        written.into_iter().filter(|tag| !machine(tag)).collect()
    }

    /// How each step ended.
    pub(super) fn outcome(&self, id: &str) -> StepOutcome {
        let events = self.events.0.lock().unwrap();
        let ended = events.iter().find_map(|event| match event {
            Event::Finished { step, outcome, .. } if step.as_str() == id => Some(outcome.clone()),
            _ => None,
        });
        ended.unwrap_or_else(|| panic!("{id} did not end"))
    }
}

/// What failed, as people read it.
pub(super) fn messages(report: &Report) -> String {
    let failures = report.failures.iter();
    failures
        .map(|failure| failure.message.clone())
        .collect::<Vec<_>>()
        .join("\n")
}
