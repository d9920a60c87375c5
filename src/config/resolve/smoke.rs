//! The smoke test of a variant: `[smoke]`, and the tables that override it key by key.

use super::placeholders::Scope;
use super::{Resolver, last};
use crate::config::document::Placed;
use crate::config::raw::RawSmoke;
use crate::config::{Smoke, Template};
use crate::domain::{Duration, Platform};
use camino::Utf8PathBuf;
use indexmap::IndexMap;

const TIMEOUT: Duration = Duration::from_secs(10 * 60);

impl Resolver<'_, '_> {
    /// The smoke test of a variant that is built for `platforms`.
    pub(super) fn smoke(&mut self, layers: &[&RawSmoke], platforms: &[Platform]) -> Option<Smoke> {
        for layer in layers {
            self.check_smoke(layer);
        }
        let Some(command) = last(layers.iter().map(|layer| &layer.command)) else {
            self.missing_command(layers);
            return None;
        };
        let inputs = last(layers.iter().map(|layer| &layer.inputs));
        let inputs: Vec<_> = inputs
            .into_iter()
            .flat_map(|inputs| &inputs.value)
            .map(|path| path.value.0.clone())
            .collect();
        self.check_command(command, &inputs);
        let mut env = IndexMap::new();
        for entry in layers
            .iter()
            .filter_map(|layer| layer.env.value())
            .flat_map(|env| &env.0)
        {
            if let Some(value) = entry.value.value() {
                env.insert(entry.name.clone(), value.clone());
            }
        }
        Some(Smoke {
            command: command.value.iter().map(|word| word.value.clone()).collect(),
            inputs,
            platforms: smoke_platforms(layers, platforms),
            env,
            timeout: last(layers.iter().map(|layer| &layer.timeout)).map_or(TIMEOUT, |timeout| timeout.value),
            max_size: last(layers.iter().map(|layer| &layer.max_size)).map(|size| size.value),
        })
    }

    /// Notes platforms in a variant's own test table that the variant is not built for.
    pub(super) fn check_own_smoke_platforms(&mut self, own: Option<&RawSmoke>, platforms: &[Platform]) {
        if let Some(wanted) = own.and_then(|own| own.platforms.given()) {
            for platform in wanted
                .value
                .iter()
                .filter(|wanted| !platforms.contains(&wanted.value))
            {
                let message = format!(
                    "{}: the image is not built for `{}`",
                    platform.label, platform.value
                );
                self.error(
                    &platform.span,
                    message,
                    "add it to the image's `platforms`, or leave it out".to_owned(),
                );
            }
        }
    }

    fn check_smoke(&mut self, raw: &RawSmoke) {
        for word in raw.command.value().into_iter().flatten() {
            self.check_placeholders(word, Scope::SmokeCommand);
        }
        for entry in raw.env.value().map_or(&[][..], |env| &env.0) {
            if entry.name.is_empty() || entry.name.contains(['=', '\0']) {
                self.error(
                    &entry.key,
                    format!("`{}` is not the name of a variable", entry.name),
                    None,
                );
            }
            if let Some(value) = entry.value.given() {
                self.check_placeholders(value, Scope::SmokeEnvironment);
            }
        }
        if let Some(timeout) = raw.timeout.given().filter(|timeout| timeout.value.0.is_zero()) {
            self.error(
                &timeout.span,
                format!("{}: no test ends in no time", timeout.label),
                None,
            );
        }
    }

    fn check_command(&mut self, command: &Placed<Vec<Placed<Template>>>, inputs: &[Utf8PathBuf]) {
        let Some(program) = command.value.first() else {
            let hint = "write the program and its arguments, one string each".to_owned();
            self.error(&command.span, format!("{} is empty", command.label), hint);
            return;
        };
        let text = program.value.to_string();
        let path: Utf8PathBuf = text.trim_start_matches("./").into();
        let own = text.contains('/') && !text.starts_with('/') && !text.contains('{');
        if own && !inputs.iter().any(|input| input == "." || path.starts_with(input)) {
            let message = format!("{}: `{path}` is not among the test's `inputs`", program.label);
            let hint = format!(
                "add `inputs = [{:?}]`, so that a change of it tests again",
                path.as_str()
            );
            self.reader.warning(&program.span, message, Some(hint));
        }
    }

    /// Notes tables that make a smoke test without saying what it runs.
    fn missing_command(&mut self, layers: &[&RawSmoke]) {
        if layers.iter().any(|layer| !layer.command.is_absent()) {
            return;
        }
        let span = layers.iter().find_map(|raw| {
            (raw.max_size.span())
                .or_else(|| raw.timeout.span())
                .or_else(|| raw.inputs.span())
                .or_else(|| raw.platforms.span())
                .or_else(|| raw.env.span())
        });
        if let Some(span) = span {
            let hint = "add `command` to `[smoke]`".to_owned();
            self.error(span, "the smoke test has no `command`".to_owned(), hint);
        }
    }
}

fn smoke_platforms(layers: &[&RawSmoke], platforms: &[Platform]) -> Vec<Platform> {
    let wanted = last(layers.iter().map(|layer| &layer.platforms));
    let tested = |platform: &&Platform| {
        wanted.is_none_or(|wanted| wanted.value.iter().any(|wanted| wanted.value == **platform))
    };
    platforms.iter().filter(tested).cloned().collect()
}
