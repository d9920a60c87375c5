//! What a validation looks at: the family as it would be released, on one platform, under a name that no registry has.

use crate::config::Family;
use crate::domain::{ImageId, Platform, Repository};

/// A family cut down to what a validation builds and tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validation {
    /// The family to plan and run.
    pub family: Family,
    /// Images that are not for this platform.
    pub left_out: Vec<ImageId>,
}

/// The host of every image name of a validation: RFC 6761, section 6.4, keeps it from ever being resolved, so that nothing can be pushed.
const NOWHERE: &str = "splitbase.invalid";

/// Cuts `family` down to `platforms` (several only where they were asked for), and has every image tested on them, whichever ones `[smoke]`
/// names. `None` if no variant is left.
#[must_use]
pub fn validation(family: &Family, platforms: &[Platform]) -> Option<Validation> {
    let mut family = family.clone();
    let wanted = |there: &[Platform]| -> Vec<Platform> {
        there
            .iter()
            .filter(|platform| platforms.contains(platform))
            .cloned()
            .collect()
    };
    let (mut kept, mut left_out) = (Vec::new(), Vec::new());
    for mut image in std::mem::take(&mut family.images) {
        image.repository = None;
        image.platforms = wanted(&image.platforms);
        if image.platforms.is_empty() {
            left_out.push(image.id);
            continue;
        }
        if let Some(smoke) = &mut image.smoke {
            smoke.platforms.clone_from(&image.platforms);
        }
        kept.push(image);
    }
    let with_base = kept.iter().any(|image| image.id == ImageId::Base);
    // A variant cannot be built for a platform that its base is not for.
    kept.retain(|image| {
        let stays = image.base_arg.is_none() || with_base || family.base_image.is_some();
        if !stays {
            left_out.push(image.id.clone());
        }
        stays
    });
    if !kept.iter().any(|image| image.id != ImageId::Base) {
        return None;
    }
    family.platforms = wanted(&family.platforms);
    family.images = kept;
    family.repository = nowhere(&family)?;
    family.work_repository = None;
    Some(Validation { family, left_out })
}

/// The family on top of a base that stands somewhere (`REPOSITORY@DIGEST`), instead of its own.
#[must_use]
pub fn on_base(family: &Family, base: String) -> Family {
    let mut family = family.clone();
    family.images.retain(|image| image.id != ImageId::Base);
    family.base_image = Some(base);
    family
}

/// The path of an image name that a validation made up; `None` for any other repository.
#[must_use]
pub fn validated(repository: &Repository) -> Option<&str> {
    (repository.host() == NOWHERE).then(|| repository.path())
}

fn nowhere(family: &Family) -> Option<Repository> {
    format!("{NOWHERE}/{}", family.repository.path()).parse().ok()
}
