//! Writing the index of an image: a function of its platform images and its identity alone, so that two writers write the same bytes.

use super::super::effects::Effects;
use super::super::failure::StepFailure;
use super::super::run::{Done, Run};
use crate::domain::{Digest, ExitCode, Platform};
use crate::facts::PlatformImage;
use crate::plan::{AssembleStep, PlanError};
use crate::target::images::{contents, required};
use crate::target::oci::{self, Descriptor, Index};
use crate::target::{Presence, RawManifest, Reference, Target};
use std::collections::BTreeMap;

/// Writes the index of `step` from the platform images that are used.
pub(in super::super) async fn assemble<E: Effects>(
    run: &Run<E>,
    step: &AssembleStep,
) -> Result<Done, StepFailure> {
    let target = run.effects.target();
    // Another runner may have written the index for its platforms since the plan was made: it is only ever extended.
    let there = match target
        .resolve(&step.repository, &Reference::from(&step.tag))
        .await
    {
        Presence::Present(digest) => Some(digest),
        Presence::Absent => step.extends,
        Presence::Unknown(error) => return Err(error.into()),
    };
    let mut children = match there {
        Some(digest) => {
            let raw = required(target, &step.repository, digest).await?;
            let there = contents(target, &step.repository, &raw, false).await?;
            match (there.identity, step.extends == Some(digest)) {
                (Some(found), _) if found == step.identity => there.platforms,
                // The plan has looked at it, and knows that it is of the time before splitbase.
                (None, true) => there.platforms,
                // It is of another identity, and all of it is built anew.
                (Some(_), true) => BTreeMap::new(),
                (found, false) => {
                    return Err(PlanError::Collision {
                        tag: step.tag.clone(),
                        image: step.image.clone(),
                        identity: step.identity,
                        found,
                    }
                    .into());
                }
            }
        }
        None => BTreeMap::new(),
    };
    for platform in &step.platforms {
        let image = run.state.platform(&step.image, platform).ok_or_else(|| {
            StepFailure::new(
                ExitCode::Failed,
                format!("assemble {}: its image for {platform} is not known", step.image),
            )
        })?;
        children.insert(platform.clone(), image);
    }
    let raw = index(step, &children)?;
    target.put_manifest(&step.repository, &step.tag, &raw).await?;
    let digest = raw.digest;
    let mut state = run.state.lock();
    state.indexes.insert(step.image.clone(), digest);
    state.bytes.insert(digest, raw);
    Ok(Done::of(digest.to_string()))
}

fn index(
    step: &AssembleStep,
    children: &BTreeMap<Platform, PlatformImage>,
) -> Result<RawManifest, StepFailure> {
    let images = children.iter().map(|(platform, image)| {
        let mut annotations = image.manifest.annotations.clone();
        if let Some(base) = image.base {
            // Said here too, so that a plan need not read each child to know it.
            annotations.insert(oci::BASE_DIGEST.to_owned(), base.to_string());
        }
        let platform = oci::DescriptorPlatform {
            architecture: platform.architecture().to_owned(),
            os: platform.os().to_owned(),
            variant: platform.variant().map(str::to_owned),
        };
        Descriptor {
            platform: Some(platform),
            annotations,
            ..image.manifest.clone()
        }
    });
    let attestations = children.values().filter_map(|image| image.attestation.clone());
    let index = Index {
        schema_version: 2,
        media_type: oci::INDEX.to_owned(),
        manifests: images.chain(attestations).collect(),
        annotations: BTreeMap::from([(oci::IDENTITY.to_owned(), step.identity.to_string())]),
    };
    let bytes = serde_json::to_vec(&index)
        .map_err(|error| StepFailure::new(ExitCode::Failed, format!("assemble {}: {error}", step.image)))?;
    Ok(RawManifest {
        digest: Digest::of(&bytes),
        media_type: oci::INDEX.to_owned(),
        bytes: bytes.into(),
    })
}
