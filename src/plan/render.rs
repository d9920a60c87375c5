//! Placeholders of templates, filled in from what a plan knows.

use crate::config::{Family, Image, Template};
use crate::domain::{Platform, Version};
use crate::versions::Resolved;
use std::collections::BTreeMap;

/// What placeholders may stand for.
pub(crate) struct Scope<'a> {
    pub(crate) family: &'a Family,
    pub(crate) image: &'a Image,
    pub(crate) version: Option<&'a Version>,
    pub(crate) revision: Option<&'a str>,
    pub(crate) platform: Option<&'a Platform>,
    pub(crate) versions: &'a BTreeMap<String, Resolved>,
}

impl Scope<'_> {
    /// Fills in `template`; the name of the placeholder that cannot be filled in otherwise.
    pub(crate) fn render(&self, template: &Template) -> Result<String, String> {
        template.render(|name| self.lookup(name))
    }

    /// What a placeholder stands for.
    pub(crate) fn lookup(&self, name: &str) -> Option<String> {
        let parsed = || self.family.versioning.parse(self.version?).ok();
        let number = |index| parsed()?.number(index).map(|number: u64| number.to_string());
        match name {
            "family" => Some(self.family.name.clone()),
            "image" => Some(self.image.id.to_string()),
            "variant" => Some(self.image.id.name().to_owned()),
            "version" => self.version.map(ToString::to_string),
            "revision" => self.revision.map(str::to_owned),
            "major" => number(0),
            "minor" => number(1),
            "patch" => number(2),
            "platform" => self.platform.map(ToString::to_string),
            "arch" => self.platform.map(Platform::tag_suffix),
            _ => self
                .versions
                .get(name.strip_prefix("versions.")?)
                .map(|resolved| resolved.version.clone()),
        }
    }
}
