//! A build step: everything that one `docker buildx build` needs.

use super::images::{Decision, ImageState};
use super::render::Scope;
use super::{Action, BaseUse, BuildStep, Options, PlanError, Step};
use crate::config::{BuildContext, CacheTo, Family, Image, Sbom, Upstream};
use crate::domain::{IdentityTags, Mark, Platform, Repository};
use crate::facts::{Facts, PlatformImage};
use crate::target::oci;
use std::collections::BTreeMap;

/// The build of `image` for `platform`.
pub(super) fn build_step(
    family: &Family,
    image: &Image,
    platform: &Platform,
    state: &ImageState<'_>,
    base: Option<&Decision<'_>>,
    facts: &Facts,
    options: &Options,
) -> Result<BuildStep, PlanError> {
    let builder = facts
        .builder
        .as_ref()
        .ok_or_else(|| PlanError::MissingFact("the builder".to_owned()))?;
    if !builder.platforms.contains(platform) {
        return Err(PlanError::NoEmulation {
            builder: builder.name.clone(),
            platform: platform.clone(),
            can: builder
                .platforms
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", "),
        });
    }
    if !options.target.is_registry() && !builder.exports_layouts() {
        return Err(PlanError::NoLayout {
            builder: builder.name.clone(),
            target: options.target.clone(),
        });
    }
    let decision = state.platforms.get(platform);
    let tags = IdentityTags::new(&image.id, &state.fact.identity);
    let (args, labels) = values(family, image, facts, options)?;
    let build = &image.build;
    Ok(BuildStep {
        image: image.id.clone(),
        platform: platform.clone(),
        identity: state.fact.identity,
        repository: family.work().clone(),
        staging: tags.staging(platform),
        tag: tags.platform(platform),
        replaces: decision
            .and_then(|decision| decision.found)
            .map(PlatformImage::digest),
        dockerfile: image.dockerfile.clone(),
        context: image.context.clone(),
        args,
        base: match &image.base_arg {
            Some(arg) => Some(base_use(family, image, platform, arg, base, facts)?),
            None => None,
        },
        target: build.target.clone(),
        network: build.network.clone(),
        shm_size: build.shm_size.clone(),
        contexts: contexts(image, facts)?,
        secrets: build.secrets.clone(),
        ssh: build.ssh.clone(),
        labels,
        annotations: BTreeMap::from([(oci::IDENTITY.to_owned(), state.fact.identity.to_string())]),
        provenance: build.provenance,
        sbom: sbom(image, facts)?,
        flags: build.flags.clone(),
        no_cache: decision.is_some_and(|decision| decision.no_cache),
        pull: image.upstream == Upstream::Float,
        cache_from: cache_from(family, image, platform, &facts.mark, builder.exports_cache())
            .into_iter()
            .filter(|from| options.target.is_registry() || !in_registry(from))
            .collect(),
        cache_to: cache_to(family, image, platform, &facts.mark)
            .filter(|_| builder.exports_cache())
            .filter(|to| options.target.is_registry() || !in_registry(to)),
        timeout: build.timeout,
    })
}

/// The base that a variant is built on.
fn base_use(
    family: &Family,
    image: &Image,
    platform: &Platform,
    arg: &str,
    base: Option<&Decision<'_>>,
    facts: &Facts,
) -> Result<BaseUse, PlanError> {
    let arg = arg.to_owned();
    let Some(reference) = &family.base_image else {
        return Ok(BaseUse {
            arg,
            repository: None,
            digest: base.and_then(Decision::used).map(PlatformImage::digest),
        });
    };
    let missing = || PlanError::MissingFact(format!("the base of {} for {platform}", image.id));
    let digest = facts.base_platform(platform).ok_or_else(missing)?;
    Ok(BaseUse {
        arg,
        repository: Some(Repository::of_reference(reference).ok_or_else(missing)?),
        digest: Some(digest),
    })
}

type Values = BTreeMap<String, String>;

/// Build arguments (those of the file, then resolved versions) and labels.
pub(crate) fn values(
    family: &Family,
    image: &Image,
    facts: &Facts,
    options: &Options,
) -> Result<(Values, Values), PlanError> {
    let scope = Scope {
        family,
        image,
        version: options.version.as_ref(),
        revision: facts.revision.as_deref(),
        platform: None,
        versions: &facts.versions,
    };
    let mut args = Values::new();
    for (name, value) in arguments(&scope) {
        args.insert(name.to_owned(), value?);
    }
    let mut labels = Values::new();
    for (name, template) in &image.build.labels {
        let label = scope.render(template).map_err(|name| no_value(&name, image))?;
        labels.insert(name.clone(), label);
    }
    Ok((args, labels))
}

/// The build arguments of an image, and the value of each as far as it is known: those of the file, then resolved versions.
pub(crate) fn arguments<'a>(
    scope: &'a Scope<'_>,
) -> impl Iterator<Item = (&'a str, Result<String, PlanError>)> {
    let Scope { image, versions, .. } = *scope;
    let own = image.build.args.iter().map(move |(name, template)| {
        let value = scope.render(template);
        (name.as_str(), value.map_err(|name| no_value(&name, image)))
    });
    let resolved = image.versions.iter().map(move |name| {
        let version = versions.get(name).map(|resolved| resolved.version.clone());
        let missing = || PlanError::MissingFact(format!("the version `{name}`"));
        (name.as_str(), version.ok_or_else(missing))
    });
    own.chain(resolved)
}

fn no_value(placeholder: &str, image: &Image) -> PlanError {
    PlanError::MissingFact(format!("a value for `{{{placeholder}}}` of {}", image.id))
}

/// What says that a build context is an image.
const IMAGE: &str = "docker-image://";

/// A reference with the digest that it is pinned to.
fn pinned(reference: &str, facts: &Facts) -> Option<String> {
    let digest = facts.upstream.get(reference)?;
    // A reference may hold a tag and a digest; what counts is its name and the digest that was resolved.
    let name = reference.split('@').next().unwrap_or(reference);
    Some(format!("{name}@{digest}"))
}

fn no_digest(reference: &str) -> PlanError {
    PlanError::MissingFact(format!("the digest of `{reference}`"))
}

/// What makes the SBOM: the image that scans is one from outside as any other.
fn sbom(image: &Image, facts: &Facts) -> Result<Sbom, PlanError> {
    Ok(match &image.build.sbom {
        Sbom::Scanner(reference) if image.upstream == Upstream::Pin => {
            Sbom::Scanner(pinned(reference, facts).ok_or_else(|| no_digest(reference))?)
        }
        sbom => sbom.clone(),
    })
}

/// Named build contexts: those of the file, and the pinned upstream images of the Dockerfile.
fn contexts(image: &Image, facts: &Facts) -> Result<Values, PlanError> {
    let mut contexts = Values::new();
    let pinned = |reference: &str| Some(format!("{IMAGE}{}", pinned(reference, facts)?));
    let fact = facts.images.iter().find(|fact| fact.image == image.id);
    for reference in fact.map(|fact| fact.upstream.as_slice()).unwrap_or_default() {
        if let Some(context) = pinned(reference) {
            contexts.insert(reference.clone(), context);
        }
    }
    for (name, context) in &image.build.contexts {
        let value = match context {
            BuildContext::Folder(path) => path.to_string(),
            BuildContext::Image(reference) if image.upstream == Upstream::Float => {
                format!("{IMAGE}{reference}")
            }
            BuildContext::Image(reference) => pinned(reference).ok_or_else(|| no_digest(reference))?,
        };
        contexts.insert(name.clone(), value);
    }
    Ok(contexts)
}

/// splitbase's own cache reference for a platform image: one each, because writers of a shared one overwrite each other.
fn own_cache(family: &Family, image: &Image, platform: &Platform, mark: &Mark) -> String {
    family.work().with_tag(&mark.cache(&image.id, platform))
}

/// Whether a cache is in a registry: a release into a layout needs none.
fn in_registry(cache: &str) -> bool {
    let kind = cache.split(',').find_map(|field| field.strip_prefix("type="));
    kind.is_none_or(|kind| kind == "registry")
}

/// What a release into a layout does without, if it builds anything.
pub(super) fn left_out(family: &Family, options: &Options, steps: &[Step]) -> Option<String> {
    let builds = steps.iter().any(|step| matches!(step.action, Action::Build(_)));
    if options.target.is_registry() || !builds {
        return None;
    }
    let to = match &family.cache.to {
        CacheTo::None => false,
        CacheTo::Registry => true,
        CacheTo::Custom(template) => in_registry(&template.to_string()),
    };
    let from = family.cache.from.iter().any(|from| in_registry(from));
    (to || from).then(|| {
        "no build cache in a registry is read or written: a release into a layout asks no registry for it"
            .to_owned()
    })
}

fn cache_from(family: &Family, image: &Image, platform: &Platform, mark: &Mark, own: bool) -> Vec<String> {
    let mut from = Vec::new();
    if own && family.cache.to == CacheTo::Registry {
        from.push(format!(
            "type=registry,ref={}",
            own_cache(family, image, platform, mark)
        ));
    }
    from.extend(family.cache.from.iter().map(|reference| {
        if reference.contains('=') {
            reference.clone()
        } else {
            format!("type=registry,ref={reference}")
        }
    }));
    from
}

fn cache_to(family: &Family, image: &Image, platform: &Platform, mark: &Mark) -> Option<String> {
    let value = match &family.cache.to {
        CacheTo::None => return None,
        CacheTo::Registry => format!(
            "type=registry,ref={},mode=max",
            own_cache(family, image, platform, mark)
        ),
        CacheTo::Custom(template) => template
            .render(|name| match name {
                "image" => Some(image.id.dashed()),
                "arch" => Some(platform.tag_suffix()),
                _ => None,
            })
            .ok()?,
    };
    // A cache that cannot be written must never fail a release.
    Some(if value.contains("ignore-error=") {
        value
    } else {
        format!("{value},ignore-error=true")
    })
}
