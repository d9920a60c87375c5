//! Building a platform image: attempts, then adoption under the identity tag.

use super::super::effects::{Again, BuildAttempt, Built, Effects};
use super::super::failure::StepFailure;
use super::super::run::{Done, Run, Teller};
use crate::domain::{Digest, ExitCode, ImageId};
use crate::facts::PlatformImage;
use crate::plan::BuildStep;
use crate::record::RecordSteps;
use crate::target::images::{Contents, contents, layers, required};
use crate::target::{FailureClass, Presence, RawManifest, Reference, Target};
use std::time::Instant;

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
    let (used, adopted) = adopt(run, step, &raw, ours, base).await?;
    let digest = used.digest();
    // For the record only: a size that cannot be read is not known.
    let layers = layers(target, &step.repository, digest).await.ok();
    run.state.lock().known.entry(digest).or_default().size =
        layers.map(|layers| layers.iter().map(|layer| layer.size).sum());
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
        let Some(pause) = pause else {
            let passes = matches!(failure.again, Again::Transient | Again::Push);
            let mut failure = StepFailure::from(failure);
            if passes {
                failure =
                    failure.hint("run this again later: what was built is kept, and is not built again");
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
    let (seen, theirs) = standing(run, step, &ours, base).await?;
    if let Some(theirs) = theirs {
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
            return match standing(run, step, &ours, base).await?.1 {
                Some(theirs) => Ok((theirs, true)),
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
        return Ok((ours, false));
    }
    // What is there now is what the other one uses.
    match standing(run, step, &ours, base).await?.1 {
        Some(theirs) => {
            let adopted = theirs.digest() != ours.digest();
            Ok((theirs, adopted))
        }
        None => Ok((ours, false)),
    }
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
    let wanted = |theirs: &&PlatformImage| {
        let same = theirs.digest() == ours.digest();
        same || step.replaces != Some(theirs.digest()) && theirs.base == base
    };
    let image = there.platforms.get(&step.platform).filter(wanted).cloned();
    Ok((Some(there.digest), image))
}
