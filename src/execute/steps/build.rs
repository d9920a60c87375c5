//! Building a platform image: attempts, then adoption under the identity tag.

use super::super::effects::{Again, BuildAttempt, Built, Effects};
use super::super::failure::StepFailure;
use super::super::run::{Done, Run, Teller};
use crate::config::Sbom;
use crate::domain::{ByteSize, Digest, ExitCode, ImageId};
use crate::facts::PlatformImage;
use crate::plan::{BuildStep, PlanError};
use crate::record::RecordSteps;
use crate::target::images::{Contents, contents, layers as manifest_layers, required};
use crate::target::oci::{self, Descriptor};
use crate::target::{FailureClass, Presence, RawManifest, Reference, Target};
use std::time::Instant;

/// What the types of SBOMs begin with: SPDX and `CycloneDX`.
const SBOMS: [&str; 2] = ["https://spdx.dev/Document", "https://cyclonedx.org/bom"];

/// Builds, pushes and adopts the platform image of `step`.
pub(in super::super) async fn build<E: Effects>(
    run: &Run<E>,
    step: &BuildStep,
    teller: &Teller<E>,
) -> Result<Done, StepFailure> {
    let base = base(run, step)?;
    let reference = base.map(|digest| step.base_repository().with_digest(&digest));
    unchanged(run, &step.image, "before").await?;
    let built = attempts(run, step, reference, teller).await?;
    for warning in &built.warnings {
        teller.warn(warning.clone());
    }
    unchanged(run, &step.image, "during").await?;
    let target = run.effects.target();
    let raw = required(target, &step.repository, built.pushed).await?;
    let pushed = contents(target, &step.repository, &raw, base.is_some()).await?;
    let ours = checked(step, &pushed, base)?;
    has_sbom(run, step, &ours).await?;
    let (used, adopted) = adopt(run, step, &raw, ours, base).await?;
    let digest = used.digest();
    // For the record only: a size that cannot be read is not known.
    let layers = manifest_layers(target, &step.repository, digest).await.ok();
    run.state.lock().known.entry(digest).or_default().size =
        layers.map(|layers| layers.iter().map(|layer| layer.size).sum::<ByteSize>().0);
    if !adopted {
        run.state.lock().known.entry(digest).or_default().steps = Some(RecordSteps {
            cached: built.cached,
            run: built.run,
        });
    }
    run.state
        .lock()
        .platforms
        .insert((step.image.clone(), step.platform.clone()), used);
    let message = if adopted {
        format!("{digest} (another builder was first)")
    } else {
        digest.to_string()
    };
    Ok(Done {
        message,
        adopted,
        cached: built.cached,
        run: built.run,
    })
}

/// The platform digest of the base, for variants.
fn base<E: Effects>(run: &Run<E>, step: &BuildStep) -> Result<Option<Digest>, StepFailure> {
    let Some(base) = &step.base else { return Ok(None) };
    let known = base.digest.or_else(|| {
        run.state
            .platform(&ImageId::Base, &step.platform)
            .map(|image| image.digest())
    });
    known.map(Some).ok_or_else(|| {
        StepFailure::new(
            ExitCode::Failed,
            format!(
                "build {}: the base for {} is not known",
                step.image, step.platform
            ),
        )
    })
}

/// Inputs that change while they are built would put another image under their identity.
async fn unchanged<E: Effects>(run: &Run<E>, image: &ImageId, when: &str) -> Result<(), StepFailure> {
    match run.effects.changed_inputs(image).await {
        Ok(changed) if changed.is_empty() => Ok(()),
        Ok(changed) => {
            let message = format!(
                "the inputs of {image} changed {when} the build: {}",
                changed.join(", ")
            );
            Err(StepFailure::new(ExitCode::Failed, message).hint("let the sources rest, and run this again"))
        }
        Err(reason) => {
            let message = format!("hash the inputs of {image} again {when} the build: {reason}");
            Err(StepFailure::new(ExitCode::Usage, message))
        }
    }
}

/// Makes attempts until one is good or no further one can help.
async fn attempts<E: Effects>(
    run: &Run<E>,
    step: &BuildStep,
    base: Option<String>,
    teller: &Teller<E>,
) -> Result<Built, StepFailure> {
    let mut attempt = BuildAttempt {
        step,
        base,
        without_cache_from: step.cache_from.is_empty(),
        no_cache: step.no_cache,
    };
    let attempted = format!("build {} for {}", step.image, step.platform);
    let (mut tries, mut runs) = (1, 0);
    loop {
        let failure = match run
            .effects
            .build(attempt.clone(), &run.cancel, &|told| teller.tell(told))
            .await
        {
            Ok(built) => return Ok(built),
            Err(_) if run.cancel.is_cancelled() => return Err(StepFailure::interrupted()),
            Err(failure) => failure,
        };
        // What is pushed again is what was just built: a cache from elsewhere is of no use for that, and may be what was not wanted.
        attempt.without_cache_from |= attempt.no_cache && failure.again == Again::Push;
        let pause = match failure.again {
            Again::Transient | Again::Push => run.retry.pause_after(tries),
            Again::WithoutCacheFrom if !attempt.without_cache_from => {
                attempt.without_cache_from = true;
                Some(std::time::Duration::ZERO)
            }
            Again::FailedRun if runs < run.retry.build => {
                runs += 1;
                Some(
                    run.retry
                        .delays
                        .first()
                        .map_or(std::time::Duration::ZERO, |delay| delay.0),
                )
            }
            Again::WithoutCacheFrom | Again::FailedRun | Again::Never => None,
        };
        let pause = pause.map(|pause| run.effects.varied(pause));
        let spent = pause.is_some_and(|pause| !pause.is_zero() && !run.effects.may_pause(pause));
        let Some(pause) = pause.filter(|_| !spent) else {
            let passes = matches!(failure.again, Again::Transient | Again::Push);
            let mut failure = StepFailure::from(failure);
            if passes {
                failure =
                    failure.hint("run this again later: what was built is kept, and is not built again");
            }
            if spent {
                failure =
                    failure.hint("it is not tried again: the pauses of a run are bounded (`[retry] budget`)");
            }
            if tries > 1 {
                failure.message = format!("{}, {tries} attempts", failure.message);
            }
            return Err(failure);
        };
        teller.retry(
            attempted.clone(),
            tries,
            run.retry.attempts,
            failure.reason.clone(),
            pause,
        );
        // What was built is in the cache now, and is to be pushed, not built again. Before that the cache holds what is not wanted.
        attempt.no_cache &= failure.again != Again::Push;
        tokio::select! {
            () = run.effects.pause(pause) => {}
            () = run.cancel.cancelled() => return Err(StepFailure::interrupted()),
        }
        tries += 1;
    }
}

/// The one platform image that was asked for: buildx exits 0 for a base of the wrong platform.
fn checked(step: &BuildStep, pushed: &Contents, base: Option<Digest>) -> Result<PlatformImage, StepFailure> {
    let of = format!("build {} for {}", step.image, step.platform);
    let Some(image) = pushed.platforms.get(&step.platform) else {
        let got: Vec<_> = pushed.platforms.keys().map(ToString::to_string).collect();
        let message = format!(
            "{of}: what was pushed is for {}",
            if got.is_empty() {
                "no platform".into()
            } else {
                got.join(", ")
            }
        );
        return Err(StepFailure::new(ExitCode::Failed, message)
            .hint("does a `FROM --platform=…` in the Dockerfile say otherwise?"));
    };
    if base.is_some() && image.base != base {
        let message =
            format!("{of}: the image does not carry the annotation of the base that it was built on");
        return Err(StepFailure::new(ExitCode::Failed, message));
    }
    Ok(image.clone())
}

/// An SBOM that was asked for must be there: `BuildKit` is content with a scanner that writes nothing.
async fn has_sbom<E: Effects>(
    run: &Run<E>,
    step: &BuildStep,
    image: &PlatformImage,
) -> Result<(), StepFailure> {
    if step.sbom == Sbom::Off || !run.plan.attests {
        return Ok(());
    }
    let mut layers = Vec::new();
    if let Some(attestation) = &image.attestation {
        layers = manifest_layers(run.effects.target(), &step.repository, attestation.digest).await?;
    }
    let is_sbom = |layer: &Descriptor| {
        let predicate = layer.annotations.get(oci::PREDICATE_TYPE);
        predicate.is_some_and(|predicate| SBOMS.iter().any(|kind| predicate.starts_with(kind)))
    };
    if layers.iter().any(is_sbom) {
        return Ok(());
    }
    let message = format!(
        "build {} for {}: the image has no SBOM: its scanner wrote none",
        step.image, step.platform
    );
    Err(StepFailure::new(ExitCode::Failed, message).hint(
        "a scanner writes `*.spdx.json` into `$BUILDKIT_SCAN_DESTINATION`; `sbom = false` does without",
    ))
}

/// Puts what was pushed under the identity tag, or takes what another builder put there first.
///
/// Registries cannot compare and swap (a layout can, and then the rest of this finds nothing). Two builders that both found nothing would both write, so each looks again once the other, if there is
/// one, has had as long as it took itself: what stands then is used by both.
async fn adopt<E: Effects>(
    run: &Run<E>,
    step: &BuildStep,
    raw: &RawManifest,
    ours: PlatformImage,
    base: Option<Digest>,
) -> Result<(PlatformImage, bool), StepFailure> {
    let target = run.effects.target();
    let began = Instant::now();
    let uses = |digest: Digest| {
        run.state.lock().tagged.insert(step.tag.clone(), digest);
    };
    let (seen, theirs) = standing(run, step, &ours, base).await?;
    if let Some(theirs) = theirs {
        seen.map(uses);
        let adopted = theirs.digest() != ours.digest();
        return Ok((theirs, adopted));
    }
    match target
        .put_manifest_if(&step.repository, &step.tag, raw, seen)
        .await
    {
        Ok(()) => {}
        Err(error) if error.class == FailureClass::Conflict => {
            // The other one looked before ours was there, and wrote after it.
            let (seen, theirs) = standing(run, step, &ours, base).await?;
            return match theirs {
                Some(theirs) => {
                    seen.map(uses);
                    Ok((theirs, true))
                }
                None => Err(error.into()),
            };
        }
        Err(error) => return Err(error.into()),
    }
    run.effects.pause(began.elapsed()).await;
    let now = target
        .resolve(&step.repository, &Reference::from(&step.tag))
        .await;
    if matches!(now, Presence::Present(digest) if digest == raw.digest) {
        uses(raw.digest);
        return Ok((ours, false));
    }
    // What is there now is what the other one uses.
    let (seen, theirs) = standing(run, step, &ours, base).await?;
    let Some(theirs) = theirs else {
        uses(raw.digest);
        return Ok((ours, false));
    };
    seen.map(uses);
    let adopted = theirs.digest() != ours.digest();
    Ok((theirs, adopted))
}

/// What stands under the identity tag, and the platform image in it, if it is what the step wants.
async fn standing<E: Effects>(
    run: &Run<E>,
    step: &BuildStep,
    ours: &PlatformImage,
    base: Option<Digest>,
) -> Result<(Option<Digest>, Option<PlatformImage>), StepFailure> {
    let target = run.effects.target();
    let there = match target
        .manifest(&step.repository, &Reference::from(&step.tag))
        .await
    {
        Presence::Absent => return Ok((None, None)),
        Presence::Unknown(error) => return Err(error.into()),
        Presence::Present(there) => contents(target, &step.repository, &there, base.is_some()).await?,
    };
    let Some(theirs) = there.platforms.get(&step.platform) else {
        return Ok((Some(there.digest), None));
    };
    let same = theirs.digest() == ours.digest();
    let replaced = step.replaces == Some(theirs.digest());
    if !same && !replaced {
        let found = there
            .identity_of(target, &step.repository, &step.platform)
            .await?;
        if found != Some(step.identity) {
            return Err(PlanError::Collision {
                tag: step.tag.clone(),
                image: step.image.clone(),
                identity: step.identity,
                found,
            }
            .into());
        }
    }
    let wanted = same || !replaced && theirs.base == base;
    Ok((Some(there.digest), wanted.then(|| theirs.clone())))
}
