//! Which placeholders may stand where, and the ones that are filled in at load.

use super::Resolver;
use crate::config::Template;
use crate::config::document::{Placed, did_you_mean};
use crate::config::naming::TAG_PLACEHOLDERS;

/// A kind of text with placeholders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Tags and aliases.
    Tag,
    /// Build arguments and labels.
    Argument,
    /// The smoke test's command.
    SmokeCommand,
    /// The smoke test's environment.
    SmokeEnvironment,
    /// `[cache] to`.
    CacheTo,
    /// `extra`.
    Extra,
    /// `repository`, contexts, secret files.
    Place,
}

impl Scope {
    const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Tag => &TAG_PLACEHOLDERS,
            Self::Argument => &["variant", "image", "family"],
            Self::SmokeCommand | Self::SmokeEnvironment => {
                &["variant", "image", "platform", "arch", "version"]
            }
            Self::CacheTo => &["image", "arch"],
            Self::Extra | Self::Place => &[],
        }
    }

    const fn knows_versions(self) -> bool {
        matches!(
            self,
            Self::Argument | Self::SmokeCommand | Self::SmokeEnvironment | Self::Extra
        )
    }

    const fn knows_environment(self) -> bool {
        matches!(self, Self::SmokeEnvironment | Self::Place)
    }

    fn known(self) -> String {
        let mut known: Vec<_> = self.words().iter().map(|word| format!("`{{{word}}}`")).collect();
        known.extend(self.knows_versions().then(|| "`{versions.NAME}`".to_owned()));
        known.extend(self.knows_environment().then(|| "`{env.NAME}`".to_owned()));
        format!(
            "known here: {}; a literal brace is written `{{{{`",
            known.join(", ")
        )
    }
}

impl Resolver<'_, '_> {
    /// Notes every placeholder of a text that cannot stand there; true when there is none.
    pub(super) fn check_placeholders(&mut self, text: &Placed<Template>, scope: Scope) -> bool {
        let mut good = true;
        for name in text.value.placeholders() {
            if let Some((message, hint)) = self.refuse_placeholder(name, scope) {
                let (written, source) = (format!("{{{name}}}"), text.value.to_string());
                let offset = source.find(&written).unwrap_or(0);
                let span = self.reader.within(&text.span, &source, offset, written.len());
                self.error(&span, format!("{}: {message}", text.label), hint);
                good = false;
            }
        }
        good
    }

    fn refuse_placeholder(&mut self, name: &str, scope: Scope) -> Option<(String, String)> {
        if let Some(version) = name.strip_prefix("versions.").filter(|_| scope.knows_versions()) {
            return self.refer_to_version(version);
        }
        if name.starts_with("env.") {
            let hint = "`{env.*}` is for secrets, contexts, the smoke test's `env` and `repository`";
            return (!scope.knows_environment())
                .then(|| (format!("`{{{name}}}` cannot stand here"), hint.to_owned()));
        }
        if scope.words().contains(&name) {
            return None;
        }
        if scope == Scope::Argument && matches!(name, "version" | "revision") {
            if self.stamp_version {
                return None;
            }
            let message = format!("`{{{name}}}` would change the image with every release");
            let hint = "leave it out, or set `[release] stamp-version = true`";
            return Some((message, hint.to_owned()));
        }
        let hint = did_you_mean(name, scope.words().iter().copied()).unwrap_or_else(|| scope.known());
        Some((
            format!("`{{{name}}}` is not a placeholder that is known here"),
            hint,
        ))
    }

    /// Text with its `{env.*}` filled in. What is wrong with it is noted; `Err` names a variable that is not set.
    pub(super) fn fill_in(&mut self, text: &Placed<String>) -> Result<Option<String>, String> {
        let template = match Template::parse(&text.value) {
            Ok(template) => template,
            Err(error) => {
                let span = self
                    .reader
                    .within(&text.span, &text.value, error.offset, error.length);
                self.error(&span, format!("{}: {}", text.label, error.message), None);
                return Ok(None);
            }
        };
        let placed = Placed {
            value: template,
            span: text.span.clone(),
            label: text.label.clone(),
        };
        if !self.check_placeholders(&placed, Scope::Place) {
            return Ok(None);
        }
        let environment = self.environment;
        let lookup = |name: &str| environment.get(name.strip_prefix("env.")?).map(str::to_owned);
        match placed.value.render(lookup) {
            Ok(text) => Ok(Some(text)),
            Err(name) => Err(name.trim_start_matches("env.").to_owned()),
        }
    }

    /// As [`Self::fill_in`], where a variable that is not set is a problem.
    pub(super) fn fill_in_all(&mut self, text: &Placed<String>) -> Option<String> {
        match self.fill_in(text) {
            Ok(text) => text,
            Err(variable) => {
                let written = format!("{{env.{variable}}}");
                let offset = text.value.find(&written).unwrap_or(0);
                let span = self.reader.within(&text.span, &text.value, offset, written.len());
                let message = format!("{}: the variable `{variable}` is not set", text.label);
                self.error(
                    &span,
                    message,
                    "set it, or write the value into the file".to_owned(),
                );
                None
            }
        }
    }
}
