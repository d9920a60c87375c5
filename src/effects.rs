//! The executor's effects for real: buildx, smoke tests, the registry, the clock.

use crate::buildx::{self, BuildFailure, BuildOptions, BuildUpdate, LayoutIo, Limits, Retry as BuildRetry};
use crate::config::Family;
use crate::describe::{DescribeError, Page};
use crate::digest_cache::DigestCache;
use crate::domain::{Digest, ExitCode, ImageId};
use crate::engine::{Doing, Room, Unexplained};
use crate::environment::Environment;
use crate::execute::{Again, AttemptFailure, BuildAttempt, Built, Effects, TestFailure, Told};
use crate::failure::FailureKind;
use crate::holder;
use crate::inputs::{self, InputEntry, Request};
use crate::pace::Pace;
use crate::plan::{SignStep, SmokeStep};
use crate::record::{Holder, Record};
use crate::sign::{Cosign, SignError};
use crate::smoke::{self, Held, Loading, SmokeFailure, SmokeFailureKind, SmokeOptions};
use crate::target::layout::Archive;
use crate::target::registry::Observer;
use crate::target::transfer::{self, Root};
use crate::target::{Place, Target as _, TargetError};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// The executor's effects for real.
pub struct Real {
    /// Where the release goes.
    pub target: Place,
    /// The family, for hashing its inputs again.
    pub family: Arc<Family>,
    /// The files of each image as they were when the plan was made.
    pub files: BTreeMap<ImageId, Vec<InputEntry>>,
    /// Where those files' digests may have come from.
    pub digests: Arc<DigestCache>,
    /// The lists of inputs of those images that are built or completed, as they are published.
    pub lists: BTreeMap<ImageId, Bytes>,
    /// The family's root, absolute.
    pub root: PathBuf,
    /// The builder that was asked for.
    pub builder: Option<String>,
    /// Whether the builder keeps attestations and annotations, and can export cache.
    pub attests: bool,
    /// The environment that children get.
    pub environment: Environment,
    /// Images that stay in the engine until the last test.
    pub held: Held,
    /// The room that the run has, for what fails.
    pub room: Room,
    /// The repository's page, where the family has one.
    pub page: Option<Page>,
    /// What the pauses of the run are taken from.
    pub pace: Pace,
}

impl Effects for Real {
    type Target = Place;

    fn target(&self) -> &Place {
        &self.target
    }

    async fn build(
        &self,
        attempt: BuildAttempt<'_>,
        cancel: &CancellationToken,
        tell: &(dyn Fn(Told) + Send + Sync),
    ) -> Result<Built, AttemptFailure> {
        let layout = self.target.folder();
        // A private folder for what is exported; its base is linked in.
        let stage = match layout {
            Some(layout) => {
                // A base from elsewhere stays in its registry.
                let own = attempt
                    .step
                    .base
                    .as_ref()
                    .is_some_and(|base| base.repository.is_none());
                let base = attempt.base.as_deref().filter(|_| own);
                let base = base.and_then(|base| base.split_once('@')?.1.parse().ok());
                Some((layout, layout.stage(base).await?))
            }
            None => None,
        };
        let began = Instant::now();
        let export = stage.as_ref().map(|(_, stage)| stage.path());
        let options = BuildOptions {
            layout: layout.zip(export.as_deref()).map(|(layout, export)| LayoutIo {
                root: layout.root(),
                export,
            }),
            root: &self.root,
            builder: self.builder.as_deref(),
            attests: self.attests,
            exports_cache: self.attests,
            without_cache_from: attempt.without_cache_from,
            no_cache: attempt.no_cache,
            environment: &self.environment,
            limits: Limits::default(),
        };
        let mut step = attempt.step.clone();
        step.no_cache = attempt.no_cache;
        let built = buildx::build(
            &step,
            attempt.base.as_deref(),
            &options,
            cancel,
            |update| match update {
                BuildUpdate::Stage { stage, cached, run } => tell(Told::Progress {
                    stage: stage.to_owned(),
                    cached,
                    run,
                }),
                BuildUpdate::Line(line) => tell(Told::Line(line.to_owned())),
                BuildUpdate::Warning(_) => {}
            },
        )
        .await;
        match built {
            Ok(mut built) => {
                // A default would be the wrong base: that there is none is as it should be.
                built
                    .warnings
                    .retain(|warning| step.base.is_none() || !warning.starts_with("InvalidDefaultArgInFrom"));
                let buildx::Built {
                    wrapper,
                    cached,
                    run,
                    warnings,
                    ..
                } = built;
                if let Some((layout, stage)) = stage {
                    layout
                        .take_in(stage, wrapper, &step.repository, &step.staging)
                        .await?;
                }
                Ok(Built {
                    pushed: wrapper,
                    cached,
                    run,
                    warnings,
                })
            }
            Err(failure) => Err(self.explained(failure, began, cancel).await),
        }
    }

    async fn smoke(
        &self,
        step: &SmokeStep,
        digest: Digest,
        cancel: &CancellationToken,
        tell: &(dyn Fn(Told) + Send + Sync),
    ) -> Result<(), TestFailure> {
        let loading = match self.target.folder() {
            Some(layout) => Some(loading(layout.archive(digest).await?)),
            None => None,
        };
        let options = SmokeOptions {
            root: &self.root,
            environment: &self.environment,
            held: &self.held,
            logs: None,
            load: loading.as_ref(),
        };
        let mut filled = step.clone();
        for (name, template) in &step.env_open {
            let value = template.render(|name| {
                self.environment
                    .get(name.strip_prefix("env.")?)
                    .map(str::to_owned)
            });
            let value = value.map_err(|missing| TestFailure {
                reason: format!("the variable `{missing}` that `{name}` of the smoke test needs is not set"),
                output: Vec::new(),
                hints: vec!["set it, or take it out of `smoke.env`".to_owned()],
                exit_code: ExitCode::Usage,
            })?;
            filled.env.insert(name.clone(), value);
        }
        let began = Instant::now();
        let tested = smoke::run(&filled, digest, &options, cancel, |line| {
            tell(Told::Line(line.to_owned()));
        })
        .await;
        match tested {
            Ok(_) => Ok(()),
            Err(failure) => Err(self.why_it_did_not_pass(failure, began, cancel).await),
        }
    }

    async fn changed_inputs(&self, image: &ImageId) -> Result<Vec<String>, String> {
        let (family, id) = (self.family.clone(), image.clone());
        let before = self.files.get(image).cloned().unwrap_or_default();
        let digests = self.digests.clone();
        let hashed = tokio::task::spawn_blocking(move || {
            let image = family
                .image(&id)
                .ok_or_else(|| format!("there is no {id} in the family"))?;
            let request = Request::new(&family.root, image);
            // All files are read: a digest that was wrong in the cache ends here, and is forgotten.
            let differences = inputs::fingerprint(&request, &before).map_err(|error| error.to_string())?;
            if !differences.is_empty() {
                digests.forget();
            }
            Ok::<_, String>(differences)
        });
        let differences = hashed.await.map_err(|error| error.to_string())??;
        let with = |word: &'static str, paths: Vec<String>| {
            paths.into_iter().map(move |path| format!("`{path}` {word}"))
        };
        Ok(with("changed", differences.changed)
            .chain(with("is new", differences.added))
            .chain(with("is gone", differences.removed))
            .collect())
    }

    fn input_list(&self, image: &ImageId) -> Option<Bytes> {
        self.lists.get(image).cloned()
    }

    async fn sign(
        &self,
        step: &SignStep,
        digest: Digest,
        cancel: &CancellationToken,
    ) -> Result<String, TestFailure> {
        let settings = self.family.sign.as_ref().ok_or_else(|| TestFailure {
            reason: format!("sign {}: the family has no `[sign]`", step.image),
            output: Vec::new(),
            hints: vec!["make a new plan with `splitbase plan --save`".to_owned()],
            exit_code: ExitCode::Refused,
        })?;
        let repository = &step.repository;
        if let Some(source) = &step.source {
            // A signature is kept beside what it signs, and no tag has brought that there yet.
            let root = Root {
                repository: source.clone(),
                digest,
            };
            transfer::carry(&self.target, &[root], &self.target, repository).await?;
        }
        let cosign = Cosign {
            sign: settings,
            root: &self.root,
            environment: &self.environment,
        };
        let signed = match cosign.verify(repository, &digest, cancel).await {
            Some(verified) => verified.is_ok(),
            None => transfer::is_signed(&self.target, repository, digest).await?,
        };
        if signed {
            return Ok(format!("{digest} was signed before"));
        }
        cosign.sign(repository, &digest, cancel).await?;
        Ok(digest.to_string())
    }

    async fn describe(
        &self,
        record: &Record,
        observer: &Observer,
    ) -> Result<(String, Vec<String>), (String, Vec<String>)> {
        let told = |error: DescribeError| (error.message, error.hints);
        let page = self.page.as_ref().ok_or_else(|| {
            let message = "make the page: the family has no `[describe]`".to_owned();
            (message, Vec::new())
        })?;
        let (mut described, text) = page
            .write(&self.target, Some(record.clone()))
            .await
            .map_err(told)?;
        page.push(&text, &mut described, observer).await.map_err(told)?;
        Ok((described.message, described.warnings))
    }

    fn may_pause(&self, time: Duration) -> bool {
        self.pace.spend(time)
    }

    fn varied(&self, time: Duration) -> Duration {
        self.pace.varied(time)
    }

    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn now(&self) -> jiff::Timestamp {
        self.target.time(self.family.work())
    }

    fn holder(&self) -> Option<Holder> {
        holder::own()
    }
}

impl Real {
    /// A failed build with its cause: an engine that has gone and a full disk have many texts, and most name something else.
    async fn explained(
        &self,
        failure: BuildFailure,
        began: Instant,
        cancel: &CancellationToken,
    ) -> AttemptFailure {
        let again = match (failure.retry, failure.kind) {
            (BuildRetry::Transient, FailureKind::Push) => Again::Push,
            (BuildRetry::Transient, _) => Again::Transient,
            (BuildRetry::WithoutCacheFrom, _) => Again::WithoutCacheFrom,
            (BuildRetry::Never, FailureKind::RunFailed) => Again::FailedRun,
            (BuildRetry::Never, _) => Again::Never,
        };
        // An interrupt that nobody sent to this program: it was the engine that ended the build.
        let interrupted = failure.kind == FailureKind::Cancelled;
        let exit_code = if interrupted {
            ExitCode::Failed
        } else {
            failure.exit_code()
        };
        let told = AttemptFailure {
            again,
            exit_code,
            reason: failure.reason,
            output: failure.output,
            hints: failure.hints,
        };
        let of_sources = matches!(failure.kind, FailureKind::Frontend | FailureKind::MissingSecret);
        if of_sources || cancel.is_cancelled() {
            return told;
        }
        let cause = Unexplained {
            doing: Doing::Building,
            began,
            reason: told.reason,
            hints: told.hints,
            says_full: failure.kind == FailureKind::DiskFull,
        };
        let cause = cause.explain(&self.room, &self.environment, cancel).await;
        AttemptFailure {
            again: if cause.gone { Again::Never } else { told.again },
            exit_code: if cause.gone {
                ExitCode::Failed
            } else {
                told.exit_code
            },
            reason: cause.reason,
            output: told.output,
            hints: cause.hints,
        }
    }

    /// The same of a test: one that an engine left alone says nothing of its image.
    async fn why_it_did_not_pass(
        &self,
        failure: SmokeFailure,
        began: Instant,
        cancel: &CancellationToken,
    ) -> TestFailure {
        let mut exit_code = failure.exit_code();
        let (mut reason, mut hints) = (failure.reason, failure.hints);
        let mut gone = false;
        if failure.kind != SmokeFailureKind::BadCommand && !cancel.is_cancelled() {
            let says_full = failure.output.iter().chain([&reason]).any(|line| is_full(line));
            let cause = Unexplained {
                doing: Doing::Testing,
                began,
                reason,
                hints,
                says_full,
            };
            let cause = cause.explain(&self.room, &self.environment, cancel).await;
            (reason, hints, gone) = (cause.reason, cause.hints, cause.gone);
        }
        if gone {
            exit_code = ExitCode::Failed;
        }
        hints.extend(
            failure
                .log
                .map(|log| format!("the whole output is in `{}`", log.display())),
        );
        if !failure.look_inside.is_empty() && !gone {
            hints.push(format!("to look inside: `{}`", failure.look_inside));
        }
        TestFailure {
            reason,
            output: failure.output,
            hints,
            exit_code,
        }
    }
}

fn is_full(line: &str) -> bool {
    let line = line.to_lowercase();
    ["no space left on device", "disk quota exceeded"]
        .iter()
        .any(|text| line.contains(text))
}

fn loading(archive: Archive) -> Loading {
    Loading {
        config: archive.config(),
        archive: Arc::new(move |name, to| archive.write(name, to)),
    }
}

impl From<TargetError> for AttemptFailure {
    fn from(error: TargetError) -> Self {
        Self {
            reason: error.to_string(),
            output: Vec::new(),
            exit_code: error.exit_code(),
            hints: error.hints,
            again: Again::Never,
        }
    }
}

impl From<SignError> for TestFailure {
    fn from(error: SignError) -> Self {
        Self {
            reason: error.message,
            output: error.output,
            hints: error.hints,
            exit_code: if error.interrupted {
                ExitCode::Interrupted
            } else {
                ExitCode::Failed
            },
        }
    }
}

impl From<TargetError> for TestFailure {
    fn from(error: TargetError) -> Self {
        Self {
            reason: error.to_string(),
            output: Vec::new(),
            exit_code: error.exit_code(),
            hints: error.hints,
        }
    }
}
