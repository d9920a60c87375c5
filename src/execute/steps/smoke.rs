//! Testing a platform image, and writing the receipt.

use super::super::effects::Effects;
use super::super::failure::StepFailure;
use super::super::run::{Done, Run, Teller};
use crate::domain::{ByteSize, Digest, ExitCode};
use crate::plan::SmokeStep;
use crate::target::Target;
use crate::target::images::{layers, required};

/// Tests the platform image of `step` by digest; a receipt is written when it passes.
pub(in super::super) async fn smoke<E: Effects>(
    run: &Run<E>,
    step: &SmokeStep,
    teller: &Teller<E>,
) -> Result<Done, StepFailure> {
    let known = step.digest.or_else(|| {
        run.state
            .platform(&step.image, &step.platform)
            .map(|image| image.digest())
    });
    let digest = known.ok_or_else(|| {
        StepFailure::new(
            ExitCode::Failed,
            format!(
                "test {} for {}: its digest is not known",
                step.image, step.platform
            ),
        )
    })?;
    if let Some(most) = step.max_size {
        check_size(run, step, digest, most).await?;
    }
    let tested = run
        .effects
        .smoke(step, digest, &run.cancel, &|told| teller.tell(told))
        .await;
    if run.cancel.is_cancelled() {
        return Err(StepFailure::interrupted());
    }
    tested?;
    let target = run.effects.target();
    let manifest = required(target, &step.repository, digest).await?;
    target
        .put_manifest(&step.repository, &step.receipt, &manifest)
        .await?;
    Ok(Done::of(digest.to_string()))
}

/// The engine's own figure is the compressed size; what counts is what the layers unpack to.
async fn check_size<E: Effects>(
    run: &Run<E>,
    step: &SmokeStep,
    digest: Digest,
    most: ByteSize,
) -> Result<(), StepFailure> {
    let target = run.effects.target();
    let layers = layers(target, &step.repository, digest).await?;
    let sizes = layers
        .iter()
        .map(|layer| target.uncompressed_size(&step.repository, layer));
    let sizes = futures_util::future::try_join_all(sizes).await?;
    let sum = sizes.iter().copied().sum::<ByteSize>();
    {
        let mut inner = run.state.lock();
        let known = inner.known.entry(digest).or_default();
        known.uncompressed = Some(sum.0);
        known.size = Some(layers.iter().map(|layer| layer.size).sum::<ByteSize>().0);
    }
    if sum <= most {
        return Ok(());
    }
    let message = format!(
        "{} for {} unpacks to {sum}, and `max-size` is {most}",
        step.image, step.platform
    );
    let mut failure = StepFailure::new(ExitCode::SmokeFailed, message);
    failure.output = layers
        .iter()
        .zip(&sizes)
        .map(|(layer, size)| format!("layer {}: {}", layer.digest, ByteSize(*size)))
        .collect();
    Err(failure.hint("make the image smaller, or raise `max-size` of its smoke test"))
}
