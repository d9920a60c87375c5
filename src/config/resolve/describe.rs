//! `[describe]`: the page of the repository.

use super::Resolver;
use crate::config::Describe;

impl Resolver<'_, '_> {
    pub(super) fn describe(&mut self) -> Option<Describe> {
        let raw = self.raw.describe.value()?;
        let (template, output) = (raw.template.given()?, raw.output.given()?);
        let same = |path: &camino::Utf8Path| *path == output.value.0;
        if same(&template.value.0) || self.file.file_name().is_some_and(|file| same(file.into())) {
            let message = format!(
                "{}: `{}` would be overwritten by the page",
                output.label, output.value.0
            );
            self.error(&output.span, message, "name another file".to_owned());
        }
        if let Some(short) = raw
            .short
            .given()
            .filter(|short| short.value.contains(char::is_control))
        {
            let message = format!("{}: it must be one line", short.label);
            self.error(&short.span, message, "take out line breaks and tabs".to_owned());
        }
        Some(Describe {
            template: template.value.0.clone(),
            output: output.value.0.clone(),
            short: raw.short.value().cloned(),
        })
    }
}
