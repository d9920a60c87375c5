//! The family as a whole.

use super::image::Around;
use super::{Resolver, last};
use crate::config::document::{Field, Reader};
use crate::config::raw::RawFile;
use crate::config::{Family, Image, Overrides};
use crate::domain::{Platform, Repository, VariantName};
use crate::environment::Environment;
use camino::{Utf8Path, Utf8PathBuf};

/// Turns the file as it is written into a family. What is wrong with it is noted; then, and only then, the result may be `None`.
pub(in crate::config) fn family(
    raw: &RawFile,
    file: &Utf8Path,
    environment: &Environment,
    overrides: &Overrides,
    reader: &mut Reader<'_>,
) -> Option<Family> {
    let release = raw.release.value();
    let mut resolver = Resolver {
        raw,
        file,
        environment,
        overrides,
        reader,
        versioning: raw
            .family
            .value()
            .and_then(|family| family.versioning.value())
            .copied()
            .unwrap_or_default(),
        stamp_version: release
            .and_then(|release| release.stamp_version.value())
            .copied()
            .unwrap_or(false),
        used_versions: std::collections::BTreeSet::new(),
    };
    resolver.check_schema();
    resolver.check_name();
    let repository = resolver.repository();
    let work_repository = resolver.work_repository(repository.as_ref());
    let mirrors = resolver.mirrors(repository.as_ref());
    let platforms = resolver.family_platforms();
    let images = resolver.images(&platforms, repository.as_ref());
    let base_image = resolver.base_image();
    let versions = resolver.version_sources();
    let (cache, release, retry) = (resolver.cache(), resolver.release(), resolver.retry());
    let describe = resolver.describe();
    let prune = resolver.prune();
    let sign = resolver.sign();
    resolver.warn_of_unused_versions();
    Some(Family {
        file: file.to_owned(),
        root: root(file),
        name: resolver.family_name(),
        repository: repository?,
        work_repository,
        mirrors,
        base_image,
        platforms: overrides.platforms.clone().unwrap_or(platforms),
        versioning: resolver.versioning,
        images,
        versions,
        cache,
        release,
        retry,
        describe,
        prune,
        sign,
    })
}

/// The folder that a file is in.
fn root(file: &Utf8Path) -> Utf8PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_str().is_empty() => folder.to_owned(),
        _ => Utf8PathBuf::from("."),
    }
}

impl Resolver<'_, '_> {
    fn check_schema(&mut self) {
        if let Some(schema) = self.raw.schema.given().filter(|schema| schema.value != 1) {
            let message = format!(
                "`schema = {}` is not known to this version of splitbase",
                schema.value
            );
            self.error(
                &schema.span,
                message,
                "write `schema = 1`, or take a newer splitbase".to_owned(),
            );
        }
    }

    fn check_name(&mut self) {
        let name = self.raw.family.value().and_then(|family| family.name.given());
        if let Some(name) = name.filter(|name| name.value.parse::<VariantName>().is_err()) {
            let message = format!("{}: `{}` is not the name of a family", name.label, name.value);
            let hint = "write 1 to 64 characters of `a-z 0-9 . _ -`, the first a letter or digit".to_owned();
            self.error(&name.span, message, hint);
        }
    }

    fn family_platforms(&mut self) -> Vec<Platform> {
        let list = self
            .raw
            .family
            .value()
            .and_then(|family| family.platforms.given());
        match list {
            Some(list) => self.platform_list(list),
            None => "linux/amd64".parse().into_iter().collect(),
        }
    }

    fn images(&mut self, platforms: &[Platform], repository: Option<&Repository>) -> Vec<Image> {
        let (mut images, mut claims) = (Vec::new(), Vec::new());
        // What a base from elsewhere is there for is only known once it is read.
        let mut base_platforms = None;
        if let Some(base) = self.raw.base.given().filter(|base| base.value.image.is_absent()) {
            let (image, all) = self.base(&base.value, &base.span, platforms, &mut claims);
            images.push(image);
            base_platforms = Some(all);
        }
        let around = Around {
            platforms,
            base: base_platforms.as_deref(),
            repository,
        };
        if let Some(variants) = self.raw.variants.given() {
            if variants.value.0.is_empty() {
                let hint = "add a table like `[variants.full]`; it may be empty".to_owned();
                self.error(&variants.span, "the family has no variant".to_owned(), hint);
            }
            for entry in &variants.value.0 {
                let Some(raw) = entry.value.given() else { continue };
                match entry.name.parse::<VariantName>() {
                    Ok(name) => images.push(self.variant(name, &raw.value, &entry.key, &around, &mut claims)),
                    Err(error) => {
                        let message = format!("`{}` is not a variant name", error.text);
                        let hint = "write 1 to 64 characters of `a-z 0-9 . _ -`, the first a letter or digit";
                        self.error(&entry.key, message, hint.to_owned());
                        // What else is wrong with it is said all the same; its tags are nobody's.
                        if let Ok(name) = "unnamed".parse() {
                            let (raw, key) = (&raw.value, &entry.key);
                            self.variant(name, raw, key, &around, &mut Vec::new());
                        }
                    }
                }
            }
        }
        self.check_claims(&claims);
        self.check_smoke_platforms(&images);
        images
    }

    /// Notes platforms of `[smoke]` that no image is built for.
    fn check_smoke_platforms(&mut self, images: &[Image]) {
        if self.overrides.platforms.is_some() || images.is_empty() {
            return;
        }
        let shared = [
            Some(&self.raw.smoke),
            self.raw.variant.value().map(|variant| &variant.smoke),
        ];
        let shared = shared.into_iter().flatten().filter_map(Field::value);
        let platforms = last(shared.map(|smoke| &smoke.platforms));
        for platform in platforms.into_iter().flat_map(|platforms| &platforms.value) {
            if !images
                .iter()
                .any(|image| image.platforms.contains(&platform.value))
            {
                let message = format!("{}: no image is built for `{}`", platform.label, platform.value);
                self.error(
                    &platform.span,
                    message,
                    "add it to `[family] platforms`, or leave it out".to_owned(),
                );
            }
        }
    }
}
