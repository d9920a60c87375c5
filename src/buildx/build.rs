//! One attempt at building a platform image, and pushing or exporting it.

use super::agents;
use super::classify::{Evidence, classify};
use super::command::{BuildIo, LayoutIo, command};
use super::failure::BuildFailure;
use super::progress::{BuildUpdate, Phase, Progress, StepRun};
use super::secrets;
use crate::domain::Digest;
use crate::environment::{Child, Environment};
use crate::failure::{Place, Symptom, Trouble};
use crate::inputs::Dockerignore;
use crate::plan::BuildStep;
use crate::process::{self, Ended};
use std::convert::Infallible;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What the frontend says when it builds on an image of another platform; it then ends well.
const WRONG_PLATFORM: &str = "InvalidBaseImagePlatform";

/// How long a build may be silent while it pushes, before it is ended.
///
/// `BuildKit` waits for ever, and says nothing while it pushes a layer, however long that takes and however well it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// While layers are pushed. A large layer on a slow line is silent for as long as it takes.
    pub push_layers: Duration,
    /// While the manifest is pushed.
    pub push_manifest: Duration,
    /// While cache is exported, after the image is pushed: the build is then good without.
    pub cache_export: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            push_layers: Duration::from_secs(30 * 60),
            push_manifest: Duration::from_secs(5 * 60),
            cache_export: Duration::from_secs(60),
        }
    }
}

/// What an attempt needs beyond its step.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent facts, each named where it is given"
)]
pub struct BuildOptions<'a> {
    /// The family's root.
    pub root: &'a Path,
    /// The builder; buildx' current one when `None`.
    pub builder: Option<&'a str>,
    /// Whether the builder's images carry attestations and annotations.
    pub attests: bool,
    /// Whether build cache can be exported to a registry.
    pub exports_cache: bool,
    /// Whether `--cache-from` is left out: after [`super::Retry::WithoutCacheFrom`].
    pub without_cache_from: bool,
    /// Whether nothing comes from the cache, whatever the step says.
    pub no_cache: bool,
    /// The environment that buildx gets, and that secrets come from.
    pub environment: &'a Environment,
    /// How long it may be silent.
    pub limits: Limits,
    /// Where the image goes instead of the step's repository.
    pub layout: Option<LayoutIo<'a>>,
}

/// A build that was pushed to its staging tag.
#[derive(Debug, Clone, PartialEq)]
pub struct Built {
    /// What the staging tag got: the index that buildx wraps around image and attestation, or the bare image manifest.
    pub wrapper: Digest,
    /// The image manifest, where the engine told it. Of no more worth than a hint: the registry has the last word.
    pub manifest: Option<Digest>,
    /// Steps of the Dockerfile that came from the cache.
    pub cached: u32,
    /// Steps of the Dockerfile that ran.
    pub run: u32,
    /// The steps of the Dockerfile.
    pub steps: Vec<StepRun>,
    /// What is odd, but no error: a cache export that failed, what the frontend complains of.
    pub warnings: Vec<String>,
}

/// Why this module ended the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stalled {
    Push(Duration),
    Cache(Duration),
}

struct State<F> {
    progress: Progress,
    tell: F,
    /// Phase and activity when they last changed, and when that was.
    seen: (Phase, u64, Instant),
    stalled: Option<Stalled>,
}

/// Builds and pushes a platform image: one attempt.
///
/// `base` is the base's platform image as `REPOSITORY@DIGEST`, for variants.
///
/// # Errors
/// What went wrong, and whether another attempt can succeed.
pub async fn build(
    step: &BuildStep,
    base: Option<&str>,
    options: &BuildOptions<'_>,
    cancel: &CancellationToken,
    on_progress: impl FnMut(BuildUpdate<'_>) + Send,
) -> Result<Built, BuildFailure> {
    let secrets = secrets::resolve(&step.secrets, options.root, options.environment).map_err(|error| {
        let mut failure = troubled(Place::Buildx, Trouble::Absent, error.to_string());
        failure.hints.clone_from(&error.hints);
        failure
    })?;
    agents::agents_are_there(&step.ssh, options.root, options.environment).map_err(|error| {
        let mut failure = troubled(Place::Buildx, Trouble::Absent, error.to_string());
        failure.hints.clone_from(&error.hints);
        failure
    })?;
    // It goes when this function ends, with the metadata in it.
    let folder = tempfile::Builder::new()
        .prefix("splitbase-build-")
        .tempdir()
        .map_err(|error| said(format!("make a temporary folder: {error}")))?;
    let metadata_file = folder.path().join("metadata.json");
    let io = BuildIo {
        root: options.root,
        builder: options.builder,
        metadata_file: &metadata_file,
        attests: options.attests,
        exports_cache: options.exports_cache,
        without_cache_from: options.without_cache_from,
        no_cache: options.no_cache,
        secrets: &secrets,
        layout: options.layout,
    };
    let own = secrets::variables(&secrets);
    let command = command(step, base, &io).within(&options.environment.for_child(Child::Build(&own)));

    let redactor = secrets::redactor(&secrets, options.root, options.environment);
    let state = Mutex::new(State {
        progress: Progress::new(redactor),
        tell: on_progress,
        seen: (Phase::Building, 0, Instant::now()),
        stalled: None,
    });
    let stop = cancel.child_token();
    let running = process::run(&command, step.timeout.map(|limit| limit.0), &stop, |_, line| {
        let state = &mut *lock(&state);
        state.progress.feed(line, &mut state.tell);
        let (phase, activity) = (state.progress.phase(), state.progress.activity());
        if (phase, activity) != (state.seen.0, state.seen.1) {
            state.seen = (phase, activity, Instant::now());
        }
    });
    let ended = tokio::select! {
        ended = running => ended,
        never = watch(&state, options.limits, &stop) => match never {},
    };
    let state = state.into_inner().unwrap_or_else(PoisonError::into_inner);
    let ended = ended.map_err(|error| troubled(Place::Buildx, Trouble::NoProgram, error.to_string()))?;
    outcome(
        step,
        options,
        ended,
        cancel,
        state.progress,
        state.stalled,
        &metadata_file,
    )
    .await
}

/// What came of it.
async fn outcome(
    step: &BuildStep,
    options: &BuildOptions<'_>,
    ended: Ended,
    cancel: &CancellationToken,
    progress: Progress,
    stalled: Option<Stalled>,
    metadata_file: &Path,
) -> Result<Built, BuildFailure> {
    let good_without_cache = |progress: &Progress, why: String| {
        let wrapper = progress.wrapper().filter(|_| progress.pushed())?;
        let mut built = built(progress, wrapper);
        built.warnings.push(why);
        Some(built)
    };
    match (ended, stalled) {
        (Ended::Exited(0), _) => {
            if let Some(warning) = progress
                .warnings()
                .iter()
                .find(|text| text.starts_with(WRONG_PLATFORM))
            {
                let symptom = Symptom {
                    text: warning,
                    ..Symptom::at(Place::Base)
                };
                return Err(BuildFailure::of(&symptom, warning.clone()));
            }
            let wrapper = from_metadata(metadata_file)
                .await
                .or_else(|| progress.wrapper())
                .ok_or_else(|| {
                    said("buildx ended well, but told no digest of what it pushed").with_output_of(&progress)
                })?;
            Ok(built(&progress, wrapper))
        }
        (_, _) if cancel.is_cancelled() => Err(interrupted()),
        (_, Some(Stalled::Cache(limit))) => {
            let limit = crate::domain::Duration(limit);
            let why =
                format!("the build cache was not exported: nothing moved for {limit}, so it was given up");
            good_without_cache(&progress, why.clone()).ok_or_else(|| said(why).with_output_of(&progress))
        }
        (_, Some(Stalled::Push(limit))) => {
            let limit = crate::domain::Duration(limit);
            let reference = step.repository.with_tag(&step.staging);
            let reason = format!("push `{reference}`: nothing moved for {limit}");
            Err(troubled(Place::Push, Trouble::TimedOut, reason).with_output_of(&progress))
        }
        (Ended::TimedOut, None) => {
            let limit = step.timeout.unwrap_or(crate::domain::Duration::from_secs(0));
            let why = format!("the build cache was not exported: the build's {limit} were over");
            good_without_cache(&progress, why).ok_or_else(|| {
                let stage = progress.last_stage().unwrap_or("its start");
                let reason = format!("the build took longer than {limit}; it was at `{stage}`");
                troubled(Place::Step, Trouble::TimedOut, reason).with_output_of(&progress)
            })
        }
        (Ended::Cancelled, None) => Err(interrupted()),
        (Ended::Exited(_) | Ended::Signalled(_), None) => {
            let exit_code = match ended {
                Ended::Exited(code) => Some(code),
                _ => None,
            };
            Err(classify(&Evidence {
                step,
                progress: &progress,
                exit_code,
                had_cache_from: !step.cache_from.is_empty() && !options.without_cache_from,
                in_context: &|path| in_context(step, options.root, path),
            }))
        }
    }
}

/// What this program saw itself.
fn troubled(place: Place, trouble: Trouble, reason: String) -> BuildFailure {
    let symptom = Symptom {
        trouble: Some(trouble),
        ..Symptom::at(place)
    };
    BuildFailure::of(&symptom, reason)
}

/// What only words say.
fn said(reason: impl Into<String>) -> BuildFailure {
    let reason = reason.into();
    let symptom = Symptom {
        text: &reason,
        ..Symptom::at(Place::Buildx)
    };
    BuildFailure::of(&symptom, reason.clone())
}

fn interrupted() -> BuildFailure {
    troubled(
        Place::Buildx,
        Trouble::Interrupted,
        "the build was interrupted".to_owned(),
    )
}

fn built(progress: &Progress, wrapper: Digest) -> Built {
    let (cached, run) = progress.counts();
    Built {
        wrapper,
        manifest: progress.manifest(),
        cached,
        run,
        steps: progress.steps(),
        warnings: progress.warnings().to_vec(),
    }
}

/// Ends the child when it stalls.
async fn watch<F: FnMut(BuildUpdate<'_>)>(
    state: &Mutex<State<F>>,
    limits: Limits,
    stop: &CancellationToken,
) -> Infallible {
    loop {
        let wait = {
            let state = &mut *lock(state);
            let (phase, _, since) = state.seen;
            let (limit, stalled) = match phase {
                Phase::Building => (None, Stalled::Push(Duration::ZERO)),
                Phase::PushingLayers => (Some(limits.push_layers), Stalled::Push(limits.push_layers)),
                Phase::PushingManifest => (Some(limits.push_manifest), Stalled::Push(limits.push_manifest)),
                Phase::Pushed => (Some(limits.cache_export), Stalled::Cache(limits.cache_export)),
            };
            match limit.map(|limit| limit.saturating_sub(since.elapsed())) {
                Some(Duration::ZERO) => {
                    state.stalled = Some(stalled);
                    stop.cancel();
                    None
                }
                left => Some(left.unwrap_or(Duration::MAX).min(Duration::from_secs(1))),
            }
        };
        match wait {
            Some(wait) => tokio::time::sleep(wait).await,
            None => std::future::pending().await,
        }
    }
}

/// A panic in a callback must not hide the build's own failure.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn from_metadata(path: &Path) -> Option<Digest> {
    digest_in(&tokio::fs::read(path).await.ok()?)
}

/// What a metadata file says of what was pushed.
pub(super) fn digest_in(metadata: &[u8]) -> Option<Digest> {
    let value: serde_json::Value = serde_json::from_slice(metadata).ok()?;
    value.get("containerimage.digest")?.as_str()?.parse().ok()
}

/// Whether the path is in the build context and no ignore file keeps it out; `None` where an ignore file cannot be read.
#[expect(
    clippy::disallowed_methods,
    reason = "looks at the context of a build that failed"
)]
fn in_context(step: &BuildStep, root: &Path, path: &str) -> Option<bool> {
    let context = root.join(&step.context);
    if context.join(path).symlink_metadata().is_err() {
        return Some(false);
    }
    // As the frontend: the Dockerfile's own ignore file, where there is one, stands in for the context's.
    let mut own = root.join(&step.dockerfile).into_os_string();
    own.push(".dockerignore");
    for file in [std::path::PathBuf::from(own), context.join(".dockerignore")] {
        match std::fs::read(&file) {
            Ok(text) => {
                let ignores = Dockerignore::parse(text).ok()?;
                // What is in a folder that is let through may still be kept out: the folder itself is then there all the same.
                return Some(!ignores.ignores(path.trim_end_matches('/')));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(_) => return None,
        }
    }
    Some(true)
}
