//! The base and the variants.

use super::build::{Layer, OwnArguments};
use super::placeholders::Scope;
use super::tags::{Claim, Kind};
use super::{Resolver, last};
use crate::config::document::{Field, Placed, Span};
use crate::config::raw::{InnerPath, RawBase, RawVariant, is_argument_name};
use crate::config::{HashFormat, Image, Refresh, Template};
use crate::domain::{ImageId, Platform, Repository, VariantName};
use camino::Utf8PathBuf;

/// What a variant has around it.
pub(super) struct Around<'a> {
    /// The family's platforms.
    pub(super) platforms: &'a [Platform],
    /// Those of the base that the family builds.
    pub(super) base: Option<&'a [Platform]>,
    /// The family's repository, where it is one.
    pub(super) repository: Option<&'a Repository>,
}

impl Resolver<'_, '_> {
    /// The base image, and its platforms before the command line's choice.
    pub(super) fn base(
        &mut self,
        raw: &RawBase,
        span: &Span,
        family: &[Platform],
        claims: &mut Vec<Claim>,
    ) -> (Image, Vec<Platform>) {
        let id = ImageId::Base;
        let versions = self.versions_of_image(raw.versions.given());
        let own = OwnArguments {
            base: None,
            versions: &versions,
        };
        let layers = [
            Layer {
                build: self.raw.build.value(),
                args: None,
            },
            Layer {
                build: raw.build.value(),
                args: raw.args.value(),
            },
        ];
        let build = self.build(&layers, &own);
        let hash = raw.hash.value().copied().unwrap_or_default();
        if let Some(hash) = raw
            .hash
            .given()
            .filter(|hash| hash.value == HashFormat::Concat && raw.inputs.is_absent())
        {
            let hint =
                "list them in the order in which they are hashed; the Dockerfile goes before them".to_owned();
            self.error(
                &hash.span,
                format!("{}: `concat` needs `inputs`", hash.label),
                hint,
            );
        }
        let all = self.platforms_of_image(raw.platforms.given(), family);
        let platforms = self.chosen_platforms(&id, all.clone(), raw.platforms.given().is_some());
        let aliases = or_default(raw.aliases.given(), &raw.aliases, "base-latest", span, "`[base]`");
        let image = Image {
            dockerfile: raw
                .dockerfile
                .value()
                .map_or_else(|| "Dockerfile.base".into(), |path| path.0.clone()),
            context: raw
                .context
                .value()
                .map_or_else(|| ".".into(), |path| path.0.clone()),
            base_arg: None,
            inputs: inputs(raw.inputs.given()),
            hash,
            extra: self.extra(raw.extra.given()),
            versions,
            upstream: raw.upstream.value().copied().unwrap_or_default(),
            refresh: raw.refresh.value().copied().unwrap_or_default(),
            salt: raw.salt.value().cloned().unwrap_or_default(),
            publish_inputs: self.publish_inputs([&raw.publish_inputs]),
            build,
            platforms,
            tags: Vec::new(),
            aliases: self.tags(&id, None, Kind::Alias, &aliases, claims),
            smoke: None,
            repository: None,
            id,
        };
        (image, all)
    }

    /// A variant: `[variants.NAME]` over `[variant]`.
    pub(super) fn variant(
        &mut self,
        name: VariantName,
        raw: &RawVariant,
        key: &Span,
        around: &Around<'_>,
        claims: &mut Vec<Claim>,
    ) -> Image {
        let label = format!("`[variants.{name}]`");
        let id = ImageId::Variant(name);
        let nothing = RawVariant::default();
        let defaults = self.raw.variant.value().unwrap_or(&nothing);
        let raws = [defaults, raw];
        let versions = self.versions_of_image(last(raws.map(|raw| &raw.versions)));
        let base_arg = last(raws.map(|raw| &raw.base_arg));
        let has_base = !self.raw.base.is_absent();
        if let Some(given) = base_arg.filter(|_| !has_base) {
            let message = format!("{}: the family has no base", given.label);
            let hint = "leave it out, or add a `[base]` table with its `dockerfile` or `image`";
            self.error(&given.span, message, hint.to_owned());
        }
        if let Some(name) = base_arg.filter(|name| !is_argument_name(&name.value)) {
            let message = format!(
                "{}: no build argument can have the name `{}`",
                name.label, name.value
            );
            self.error(
                &name.span,
                message,
                "names are letters, digits and `_`, the first no digit".to_owned(),
            );
        }
        let base_arg = base_arg.map_or_else(|| "BASE_IMAGE".to_owned(), |name| name.value.clone());
        let base_arg = has_base.then_some(base_arg);
        if let Some(base_arg) = base_arg.as_ref().filter(|arg| versions.contains(arg)) {
            let message = format!("{label}: `{base_arg}` is the argument that gets the base image");
            self.error(
                key,
                message,
                "rename the version, or set `base-arg` to another name".to_owned(),
            );
        }
        let own = OwnArguments {
            base: base_arg.as_deref(),
            versions: &versions,
        };
        let layers = [
            Layer {
                build: self.raw.build.value(),
                args: None,
            },
            Layer {
                build: defaults.build.value(),
                args: defaults.args.value(),
            },
            Layer {
                build: raw.build.value(),
                args: raw.args.value(),
            },
        ];
        let build = self.build(&layers, &own);
        let own_platforms = last(raws.map(|raw| &raw.platforms));
        let all = self.platforms_of_image(own_platforms, around.platforms);
        if let Some(base) = around.base {
            self.check_base_platforms(own_platforms, &id, &all, base);
        }
        let smoke_layers: Vec<_> = [self.raw.smoke.value(), defaults.smoke.value(), raw.smoke.value()]
            .into_iter()
            .flatten()
            .collect();
        let platforms = self.chosen_platforms(&id, all.clone(), own_platforms.is_some());
        self.check_own_smoke_platforms(raw.smoke.value(), &all);
        let smoke = self.smoke(&smoke_layers, &platforms);
        let field = last(raws.map(|raw| &raw.tags));
        let tags = or_default(field, &raw.tags, "{version}-{variant}", key, &label);
        let field = last(raws.map(|raw| &raw.aliases));
        let aliases = or_default(field, &raw.aliases, "latest-{variant}", key, &label);
        let repository = last(raws.map(|raw| &raw.repository));
        let repository = repository.and_then(|given| self.other_repository(given, around.repository));
        let dockerfile = last(raws.map(|raw| &raw.dockerfile));
        let context = last(raws.map(|raw| &raw.context));
        Image {
            dockerfile: dockerfile.map_or_else(|| "Dockerfile.variant".into(), |path| path.value.0.clone()),
            context: context.map_or_else(|| ".".into(), |path| path.value.0.clone()),
            base_arg,
            inputs: inputs(last(raws.map(|raw| &raw.inputs))),
            hash: HashFormat::Tree,
            extra: self.extra(last(raws.map(|raw| &raw.extra))),
            versions,
            upstream: last(raws.map(|raw| &raw.upstream))
                .map_or_else(Default::default, |upstream| upstream.value),
            refresh: Refresh::Never,
            salt: last(raws.map(|raw| &raw.salt)).map_or_else(String::new, |salt| salt.value.clone()),
            publish_inputs: self.publish_inputs(raws.map(|raw| &raw.publish_inputs)),
            build,
            platforms,
            tags: self.tags(&id, repository.as_ref(), Kind::Release, &tags, claims),
            aliases: self.tags(&id, repository.as_ref(), Kind::Alias, &aliases, claims),
            smoke,
            repository,
            id,
        }
    }

    /// What the image says, or else what `[release]` says of all.
    fn publish_inputs<'f>(&'f self, own: impl IntoIterator<Item = &'f Field<bool>>) -> bool {
        let all = self.raw.release.value().map(|release| &release.publish_inputs);
        last(all.into_iter().chain(own)).is_none_or(|publish| publish.value)
    }

    fn extra(&mut self, extra: Option<&Placed<Vec<Placed<Template>>>>) -> Vec<Template> {
        let extra = extra.into_iter().flat_map(|extra| &extra.value);
        extra
            .map(|value| {
                self.check_placeholders(value, Scope::Extra);
                value.value.clone()
            })
            .collect()
    }
}

fn inputs(paths: Option<&Placed<Vec<Placed<InnerPath>>>>) -> Option<Vec<Utf8PathBuf>> {
    paths.map(|paths| paths.value.iter().map(|path| path.value.0.clone()).collect())
}

/// The templates of a list, or the one that stands for a list that is not there.
fn or_default(
    given: Option<&Placed<Vec<Placed<Template>>>>,
    own: &Field<Vec<Placed<Template>>>,
    default: &str,
    span: &Span,
    label: &str,
) -> Vec<Placed<Template>> {
    match (given, own) {
        (Some(given), _) => given.value.clone(),
        (None, Field::Bad) => Vec::new(),
        (None, _) => Template::parse(default)
            .into_iter()
            .map(|value| Placed {
                value,
                span: span.clone(),
                label: label.into(),
            })
            .collect(),
    }
}
