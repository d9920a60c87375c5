//! `[base] image`: a base from elsewhere, of which nothing is built.

use super::Resolver;
use super::cache::is_reference;
use crate::config::document::Span;

impl Resolver<'_, '_> {
    /// The reference of a base from elsewhere. Every other key of its table would say how it is built, tested or tagged.
    pub(super) fn base_image(&mut self) -> Option<String> {
        let raw = self.raw.base.value()?;
        let image = raw.image.given()?;
        let others: [(&str, Option<&Span>); 13] = [
            ("dockerfile", raw.dockerfile.span()),
            ("context", raw.context.span()),
            ("inputs", raw.inputs.span()),
            ("hash", raw.hash.span()),
            ("extra", raw.extra.span()),
            ("versions", raw.versions.span()),
            ("upstream", raw.upstream.span()),
            ("refresh", raw.refresh.span()),
            ("salt", raw.salt.span()),
            ("platforms", raw.platforms.span()),
            ("aliases", raw.aliases.span()),
            ("args", raw.args.span()),
            ("build", raw.build.span()),
        ];
        for (key, span) in others {
            if let Some(span) = span {
                let message = format!("`[base] {key}` and `image` exclude each other");
                let hint = if key == "dockerfile" {
                    "keep `image` for a base from elsewhere, `dockerfile` for one that is built here"
                } else {
                    "leave it out: a base from elsewhere is taken as it is"
                };
                self.error(span, message, hint.to_owned());
            }
        }
        if !is_reference(&image.value) {
            let message = format!("{}: `{}` is not an image reference", image.label, image.value);
            let hint = "write `[HOST[:PORT]/]PATH:TAG`, for example `docker.io/acme/devbox:base-latest`";
            self.error(&image.span, message, hint.to_owned());
            return None;
        }
        Some(image.value.clone())
    }
}
