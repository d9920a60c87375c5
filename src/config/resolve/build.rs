//! Build options: `[build]`, and the tables that add to it.

use super::cache::is_reference;
use super::placeholders::Scope;
use super::{Resolver, last};
use crate::config::document::{Field, Map, Placed, Span};
use crate::config::raw::{Argument, RawBuild, RawSecret};
use crate::config::{Build, BuildContext, Secret, SecretSource};
use crate::domain::Duration;
use indexmap::IndexMap;

const TIMEOUT: Duration = Duration::from_secs(90 * 60);

/// One table that adds to the options: a `build` table, and the `args` that stand beside it for short.
pub(super) struct Layer<'r> {
    pub(super) build: Option<&'r RawBuild>,
    pub(super) args: Option<&'r Map<Argument>>,
}

/// The names of the arguments that splitbase sets for an image.
pub(super) struct OwnArguments<'a> {
    pub(super) base: Option<&'a str>,
    pub(super) versions: &'a [String],
}

impl Resolver<'_, '_> {
    /// The options of one image: maps are merged key by key, lists are joined, single values replace what was before.
    pub(super) fn build(&mut self, layers: &[Layer<'_>], own: &OwnArguments<'_>) -> Build {
        let mut build = Build::default();
        for layer in layers {
            let tables = layer.build.and_then(|build| build.args.value());
            for args in tables.into_iter().chain(layer.args) {
                self.add_args(&mut build.args, args, own);
            }
            let Some(raw) = layer.build else { continue };
            self.add_labels(&mut build.labels, raw);
            self.add_contexts(&mut build.contexts, raw);
            self.add_secrets(&mut build.secrets, raw);
            for ssh in raw.ssh.value().into_iter().flatten() {
                self.add_ssh(&mut build.ssh, ssh);
            }
            let flags = raw.flags.value().map_or(&[][..], Vec::as_slice);
            build.flags.extend(self.check_flags(flags));
            self.check_single_values(raw);
        }
        let raws = || layers.iter().filter_map(|layer| layer.build);
        let text = |field: fn(&RawBuild) -> &Field<String>, usual: &str| {
            last(raws().map(field))
                .map(|text| text.value.clone())
                .filter(|text| !text.is_empty() && text != usual)
        };
        build.target = text(|raw| &raw.target, "");
        // The default spelled out is the same build, so it is the same identity.
        build.network = text(|raw| &raw.network, "default");
        build.shm_size = text(|raw| &raw.shm_size, "");
        build.provenance = last(raws().map(|raw| &raw.provenance)).map_or_else(Default::default, |p| p.value);
        build.sbom =
            last(raws().map(|raw| &raw.sbom)).map_or_else(Default::default, |sbom| sbom.value.clone());
        let timeout = last(raws().map(|raw| &raw.timeout)).map_or(TIMEOUT, |timeout| timeout.value);
        build.timeout = (!timeout.0.is_zero()).then_some(timeout);
        build
    }

    fn add_args(
        &mut self,
        merged: &mut IndexMap<String, crate::config::Template>,
        args: &Map<Argument>,
        own: &OwnArguments<'_>,
    ) {
        for entry in &args.0 {
            if own.base == Some(entry.name.as_str()) {
                let message = format!("`{}` is the argument that gets the base image", entry.name);
                self.error(
                    &entry.key,
                    message,
                    "leave it out, or set `base-arg` to another name".to_owned(),
                );
            } else if own.versions.contains(&entry.name) {
                let message = format!(
                    "`{}` gets its value from `[versions]` and cannot be set here too",
                    entry.name
                );
                self.error(&entry.key, message, "keep one of them".to_owned());
            }
            let Some(argument) = entry.value.given() else {
                continue;
            };
            let template = Placed {
                value: argument.value.0.clone(),
                span: argument.span.clone(),
                label: argument.label.clone(),
            };
            self.check_placeholders(&template, Scope::Argument);
            merged.insert(entry.name.clone(), template.value);
        }
    }

    fn add_labels(&mut self, merged: &mut IndexMap<String, crate::config::Template>, raw: &RawBuild) {
        for entry in raw.labels.value().map_or(&[][..], |labels| &labels.0) {
            self.check_key(&entry.name, &entry.key, "label");
            if let Some(label) = entry.value.given() {
                self.check_placeholders(label, Scope::Argument);
                merged.insert(entry.name.clone(), label.value.clone());
            }
        }
    }

    fn add_contexts(&mut self, merged: &mut IndexMap<String, BuildContext>, raw: &RawBuild) {
        for entry in raw.contexts.value().map_or(&[][..], |contexts| &contexts.0) {
            self.check_key(&entry.name, &entry.key, "build context");
            let Some(place) = entry.value.given() else {
                continue;
            };
            let Some(text) = self.fill_in_all(place) else {
                continue;
            };
            let context = match text.split_once("://") {
                // From here on it is a reference as any other: only the build's own command line has the scheme.
                Some(("docker-image", image)) if !image.is_empty() && !image.contains("://") => {
                    BuildContext::Image(image.to_owned())
                }
                None if !text.is_empty() => BuildContext::Folder(text.into()),
                _ => {
                    let message = format!("{} is neither a folder nor an image", place.label);
                    let hint =
                        "write a folder, or `docker-image://IMAGE`; others are not supported yet".to_owned();
                    self.error(&place.span, message, hint);
                    continue;
                }
            };
            merged.insert(entry.name.clone(), context);
        }
    }

    fn add_secrets(&mut self, merged: &mut Vec<Secret>, raw: &RawBuild) {
        let mut ids: Vec<&str> = Vec::new();
        for placed in raw.secrets.value().into_iter().flatten() {
            let Some(id) = placed.value.id.given() else {
                continue;
            };
            if id.value.is_empty() || id.value.contains([',', '=']) {
                let message = format!("{}: `{}` is not the id of a secret", placed.label, id.value);
                self.error(&id.span, message, None);
            }
            if ids.contains(&id.value.as_str()) {
                let message = format!("{}: there are two secrets `{}`", placed.label, id.value);
                self.error(&id.span, message, "keep one of them".to_owned());
            }
            ids.push(&id.value);
            let Some(source) = self.secret_source(placed) else {
                continue;
            };
            let secret = Secret {
                id: id.value.clone(),
                source,
                optional: placed.value.optional.value().copied().unwrap_or(false),
            };
            match merged.iter_mut().find(|known| known.id == secret.id) {
                Some(known) => *known = secret,
                None => merged.push(secret),
            }
        }
    }

    fn secret_source(&mut self, placed: &Placed<RawSecret>) -> Option<SecretSource> {
        let RawSecret { env, file, .. } = &placed.value;
        match (env, file) {
            (Field::Absent, Field::Absent) => {
                let message = format!("{}: a secret needs `env` or `file`", placed.label);
                self.error(&placed.span, message, None);
                None
            }
            (Field::Absent, file) => {
                let file = file.given()?;
                let path = self
                    .fill_in(file)
                    .unwrap_or_else(|_not_set| Some(String::new()))?;
                Some(SecretSource::File(path))
            }
            (env, Field::Absent) => env.value().cloned().map(SecretSource::Env),
            _ => {
                let message = format!("{}: a secret has `env` or `file`, not both", placed.label);
                self.error(&placed.span, message, "keep one of them".to_owned());
                None
            }
        }
    }

    fn add_ssh(&mut self, merged: &mut Vec<String>, ssh: &Placed<String>) {
        if ssh.value.is_empty() {
            let hint = "write `default`, `ID` or `ID=SOCKET`".to_owned();
            self.error(&ssh.span, format!("{}: an agent has no name", ssh.label), hint);
        } else if !merged.contains(&ssh.value) {
            merged.push(ssh.value.clone());
        }
    }

    fn check_key(&mut self, name: &str, key: &Span, what: &str) {
        if name.is_empty() || name.contains('=') || name.contains(char::is_whitespace) {
            let hint = "names are not empty, and hold no `=` and no white space".to_owned();
            self.error(key, format!("`{name}` is not the name of a {what}"), hint);
        }
    }

    fn check_single_values(&mut self, raw: &RawBuild) {
        let network = raw.network.given();
        if let Some(network) =
            network.filter(|text| !matches!(&*text.value, "" | "default" | "none" | "host"))
        {
            let message = format!(
                "{}: `{}` is not a network of builds",
                network.label, network.value
            );
            self.error(
                &network.span,
                message,
                "known here: `default`, `none`, `host`".to_owned(),
            );
        }
        let size = raw.shm_size.given();
        if let Some(size) = size.filter(|size| !size.value.is_empty() && !is_docker_size(&size.value)) {
            let message = format!("{}: `{}` is not a size", size.label, size.value);
            self.error(
                &size.span,
                message,
                "write a whole number and `b`, `k`, `m` or `g`, for example `1g`".to_owned(),
            );
        }
        if let Some(sbom) = raw.sbom.given()
            && let Some(scanner) = sbom.value.scanner()
            && !(is_reference(scanner) && names_one(scanner))
        {
            let message = format!("{}: `{scanner}` is no image with a tag or a digest", sbom.label);
            let hint =
                "write `true`, `false`, or the image of a scanner: `[HOST[:PORT]/]PATH:TAG`".to_owned();
            self.error(&sbom.span, message, hint);
        }
        let target = raw.target.given();
        if let Some(target) = target.filter(|target| target.value.contains(char::is_whitespace)) {
            let message = format!("{}: `{}` is not the name of a stage", target.label, target.value);
            self.error(&target.span, message, None);
        }
    }
}

/// Whether an image reference has a tag or a digest: `yes` is a name that an image can have.
fn names_one(reference: &str) -> bool {
    let (_, name) = reference.rsplit_once('/').unwrap_or(("", reference));
    name.contains([':', '@'])
}

/// A size as docker takes it: `67108864`, `64m`, `1g`, `1gb`, `1GiB`.
fn is_docker_size(text: &str) -> bool {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = text.len() - unit.len();
    let unit = unit.to_ascii_lowercase();
    let unit = unit
        .strip_suffix("ib")
        .or(unit.strip_suffix('b'))
        .unwrap_or(&unit);
    digits > 0 && digits < 16 && matches!(unit, "" | "k" | "m" | "g" | "t")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_docker() {
        for text in ["67108864", "64m", "1g", "1gb", "1GiB", "512K", "5b"] {
            assert!(is_docker_size(text), "{text}");
        }
        for text in ["", "g", "1.5g", "1x", "1 g", "-1g"] {
            assert!(!is_docker_size(text), "{text}");
        }
    }
}
