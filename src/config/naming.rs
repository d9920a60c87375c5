//! The tags of a release: their templates filled in for one image and version.

use super::{Family, Image, Template};
use crate::domain::{ImageId, InvalidText, Tag, Version, Versioning};

/// Why a template does not make a tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// A placeholder that tags do not know, or that this version leaves empty.
    #[error("`{{{placeholder}}}` has no value in the tag `{template}`")]
    NoValue {
        /// The placeholder's name.
        placeholder: String,
        /// The template.
        template: String,
    },
    /// The text is not a tag.
    #[error(transparent)]
    Grammar(#[from] InvalidText),
    /// The tag has the form of those that splitbase makes for itself.
    #[error("`{0}` has the form of a machine tag")]
    MachineForm(Tag),
}

/// The placeholders of tags and aliases.
pub(super) const TAG_PLACEHOLDERS: [&str; 7] =
    ["version", "variant", "image", "major", "minor", "patch", "family"];

/// A tag template filled in.
///
/// # Errors
/// A placeholder has no value, or the text is no tag or has the form of a machine tag.
pub fn render_tag(
    template: &Template,
    family: &str,
    image: &ImageId,
    version: &Version,
    versioning: Versioning,
) -> Result<Tag, TagError> {
    let parsed = versioning.parse(version).ok();
    let number = |index| Some(parsed.as_ref()?.number(index)?.to_string());
    let text = template
        .render(|name| match name {
            "version" => Some(version.to_string()),
            "variant" => Some(image.name().to_owned()),
            "image" => Some(image.dashed()),
            "family" => Some(family.to_owned()),
            "major" => number(0),
            "minor" => number(1),
            "patch" => number(2),
            _ => None,
        })
        .map_err(|placeholder| TagError::NoValue {
            placeholder,
            template: template.to_string(),
        })?;
    let tag: Tag = text.parse()?;
    if tag.has_machine_form() {
        return Err(TagError::MachineForm(tag));
    }
    Ok(tag)
}

impl Family {
    /// The release tags of one of its images, in the order of the file.
    ///
    /// # Errors
    /// As [`render_tag`]; what the file alone shows was refused at load, what depends on the version is seen here.
    pub fn tags(&self, image: &Image, version: &Version) -> Result<Vec<Tag>, TagError> {
        self.rendered(&image.tags, image, version)
    }

    /// The aliases of one of its images, in the order of the file.
    ///
    /// # Errors
    /// As [`render_tag`].
    pub fn aliases(&self, image: &Image, version: &Version) -> Result<Vec<Tag>, TagError> {
        self.rendered(&image.aliases, image, version)
    }

    fn rendered(
        &self,
        templates: &[Template],
        image: &Image,
        version: &Version,
    ) -> Result<Vec<Tag>, TagError> {
        templates
            .iter()
            .map(|template| render_tag(template, &self.name, &image.id, version, self.versioning))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str, version: &str, versioning: Versioning) -> Result<String, TagError> {
        let (template, image) = (Template::parse(text).unwrap(), "variant/omos".parse().unwrap());
        render_tag(&template, "devbox", &image, &version.parse().unwrap(), versioning)
            .map(|tag| tag.to_string())
    }

    #[test]
    fn filled_in() {
        let text = "{version}-{variant}-{image}-{major}.{minor}.{patch}-{family}";
        assert_eq!(
            rendered(text, "v1.2.3b", Versioning::SemverLetter).unwrap(),
            "v1.2.3b-omos-variant-omos-1.2.3-devbox"
        );
    }

    #[test]
    fn what_has_no_value_is_an_error() {
        let error = rendered("{patch}", "2026.11", Versioning::Calver).unwrap_err();
        assert_eq!(error.to_string(), "`{patch}` has no value in the tag `{patch}`");
        assert!(rendered("{major}", "v1", Versioning::None).is_err());
        assert!(rendered("{env.X}", "v1.2.3", Versioning::Semver).is_err());
    }

    #[test]
    fn a_version_cannot_make_a_machine_tag() {
        let error = rendered("base-{version}", "0123456789ab", Versioning::None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`base-0123456789ab` has the form of a machine tag"
        );
    }
}
