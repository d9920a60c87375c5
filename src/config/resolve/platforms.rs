//! Platforms: of the family, of an image, and of what the command line leaves of them.

use super::Resolver;
use crate::config::document::{Field, Placed};
use crate::domain::{ImageId, Platform};

impl Resolver<'_, '_> {
    /// A list of platforms without repetitions, which must not be empty.
    pub(super) fn platform_list(&mut self, list: &Placed<Vec<Placed<Platform>>>) -> Vec<Platform> {
        let mut kept: Vec<Platform> = Vec::new();
        for platform in &list.value {
            if kept.contains(&platform.value) {
                let message = format!("{}: `{}` is listed twice", platform.label, platform.value);
                self.error(&platform.span, message, "keep one of them".to_owned());
            } else {
                kept.push(platform.value.clone());
            }
        }
        if list.value.is_empty() {
            let hint = "name at least one, for example `linux/amd64`".to_owned();
            self.error(&list.span, format!("{} names no platform", list.label), hint);
        }
        kept
    }

    /// The platforms of an image, before the command line's choice: its own, or those of the family.
    pub(super) fn platforms_of_image(
        &mut self,
        own: Option<&Placed<Vec<Placed<Platform>>>>,
        family: &[Platform],
    ) -> Vec<Platform> {
        own.map_or_else(|| family.to_vec(), |own| self.platform_list(own))
    }

    /// What the command line leaves of an image's platforms.
    pub(super) fn chosen_platforms(
        &mut self,
        image: &ImageId,
        platforms: Vec<Platform>,
        has_own: bool,
    ) -> Vec<Platform> {
        let Some(chosen) = &self.overrides.platforms else {
            return platforms;
        };
        if !has_own {
            return chosen.clone();
        }
        let left: Vec<_> = platforms
            .iter()
            .filter(|platform| chosen.contains(platform))
            .cloned()
            .collect();
        if left.is_empty() && !platforms.is_empty() {
            let list = |platforms: &[Platform]| {
                platforms
                    .iter()
                    .map(Platform::to_string)
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            let message = format!("`--platform {}` leaves nothing of `{image}`", list(chosen));
            let hint = format!("it is built for {} only", list(&platforms));
            self.reader.error_outside(message, Some(hint));
        }
        left
    }

    /// Notes platforms of a variant that the base is not built for.
    pub(super) fn check_base_platforms(
        &mut self,
        own: Option<&Placed<Vec<Placed<Platform>>>>,
        image: &ImageId,
        platforms: &[Platform],
        base: &[Platform],
    ) {
        let Some(missing) = platforms.iter().find(|platform| !base.contains(platform)) else {
            return;
        };
        let message = format!("`{image}` is built for `{missing}`, but the base is not");
        let hint = "add it to the base's platforms, or leave it out of the variant's".to_owned();
        let place = own
            .into_iter()
            .flat_map(|own| &own.value)
            .find(|platform| platform.value == *missing)
            .map(|platform| platform.span.clone());
        let base = self.raw.base.value().and_then(|base| match &base.platforms {
            Field::Given(platforms) => Some(platforms.span.clone()),
            Field::Absent | Field::Bad => None,
        });
        if let Some(span) = place.or(base) {
            self.error(&span, message, hint);
        }
    }
}
