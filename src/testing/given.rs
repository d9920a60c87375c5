//! Families and facts that are made up: what planner and executor are given in tests.

use crate::config::{self, Family, Overrides};
use crate::domain::{Digest, Identity, IdentityTags, ImageId, Platform, SmokeIdentity, Tag};
use crate::environment::Environment;
use crate::facts::{BuilderFacts, Facts, ImageFacts, ImageStore, IndexFact, PlatformFact, PlatformImage};
use crate::plan::{Options, Plan, PlanError, plan};
use crate::record::{AliasPoint, Record, RecordState};
use crate::target::oci::{self, Descriptor, DescriptorPlatform};
use std::collections::BTreeMap;

/// A family of two variants for two platforms, all of them tested.
pub(crate) const DEVBOX: &str = r#"
schema = 1
[family]
name = "devbox"
repository = "registry.example.org/acme/devbox"
platforms = ["linux/amd64", "linux/arm64"]
versioning = "semver-letter"
[base]
dockerfile = "Dockerfile.base"
aliases = ["base-latest"]
[variant]
dockerfile = "Dockerfile.variant"
tags = ["{version}-{variant}"]
aliases = ["latest-{variant}"]
[variants.core]
tags = ["{version}"]
aliases = ["latest"]
[variants.omos]
[smoke]
command = ["./smoke.sh", "{variant}"]
[retry]
attempts = 3
delays = ["15s", "30s"]
"#;

/// The same with a page.
pub(crate) const DESCRIBED: &str = r#"
schema = 1
[family]
name = "devbox"
repository = "registry.example.org/acme/devbox"
platforms = ["linux/amd64", "linux/arm64"]
versioning = "semver-letter"
[base]
dockerfile = "Dockerfile.base"
aliases = ["base-latest"]
[variant]
dockerfile = "Dockerfile.variant"
tags = ["{version}-{variant}"]
aliases = ["latest-{variant}"]
[variants.core]
tags = ["{version}"]
aliases = ["latest", "{major}.{minor}"]
[variants.omos]
[smoke]
command = ["./smoke.sh", "{variant}"]
[describe]
template = "HUB_TEMPLATE.md"
output = "DOCKER_HUB.md"
"#;

/// A family without tests and aliases, for one platform.
pub(crate) const SMALL: &str = r#"
schema = 1
[family]
name = "small"
repository = "registry.example.org/acme/small"
platforms = ["linux/amd64"]
[base]
dockerfile = "Dockerfile"
aliases = []
[variant]
tags = ["{version}-{variant}"]
aliases = []
[variants.only]
dockerfile = "Dockerfile.only"
"#;

/// What a planner is given.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) family: Family,
    pub(crate) facts: Facts,
    pub(crate) options: Options,
}

/// The family of this file.
pub(crate) fn family(text: &str) -> Family {
    let loaded = config::parse(
        text,
        "variants.toml".into(),
        &Environment::default(),
        &Overrides::default(),
    );
    loaded.unwrap_or_else(|errors| panic!("{errors}")).family
}

/// The image of this name.
pub(crate) fn id(text: &str) -> ImageId {
    text.parse().unwrap()
}

/// A digest that is a function of a text.
pub(crate) fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

/// An identity that is a function of a text.
pub(crate) fn identity(text: &str) -> Identity {
    Identity::from_bytes(*digest(text).as_bytes())
}

/// A platform image that is a function of its name and its base.
pub(crate) fn platform_image(name: &str, platform: &Platform, base: Option<Digest>) -> PlatformImage {
    let shown = base.map_or_else(String::new, |base| base.to_string());
    let manifest = Descriptor {
        media_type: oci::MANIFEST.to_owned(),
        digest: digest(&format!("{name} {platform} {shown}")),
        size: 500,
        platform: Some(DescriptorPlatform {
            architecture: platform.architecture().to_owned(),
            os: platform.os().to_owned(),
            variant: platform.variant().map(str::to_owned),
        }),
        annotations: BTreeMap::new(),
    };
    PlatformImage {
        manifest,
        attestation: None,
        base,
    }
}

impl Given {
    /// A release of `v1.0.0` into a repository in which there is nothing.
    pub(crate) fn new(text: &str) -> Self {
        let family = family(text);
        let fact = |image: &config::Image| ImageFacts {
            image: image.id.clone(),
            identity: identity(&image.id.to_string()),
            files: Vec::new(),
            dockerfile: String::new(),
            values: Vec::new(),
            changes: Vec::new(),
            upstream: Vec::new(),
            smoke: image
                .smoke
                .as_ref()
                .map(|_| SmokeIdentity(identity("today's test"))),
            index: None,
            platforms: BTreeMap::new(),
            receipts: BTreeMap::new(),
        };
        let facts = Facts {
            images: family.images.iter().map(fact).collect(),
            builder: Some(BuilderFacts {
                engine: "28.5.0".to_owned(),
                name: "default".to_owned(),
                driver: "docker".to_owned(),
                store: ImageStore::Containerd,
                buildkit: "v0.25.0".to_owned(),
                buildx: "v0.29.0".to_owned(),
                platforms: ["linux/amd64", "linux/arm64", "linux/arm/v7"]
                    .map(|text| text.parse().unwrap())
                    .to_vec(),
            }),
            ..Facts::default()
        };
        let options = Options {
            version: Some("v1.0.0".parse().unwrap()),
            ..Options::default()
        };
        Self {
            family,
            facts,
            options,
        }
    }

    /// The same for another release.
    pub(crate) fn version(mut self, version: &str) -> Self {
        self.options.version = Some(version.parse().unwrap());
        self
    }

    pub(crate) fn fact(&mut self, image: &str) -> &mut ImageFacts {
        let id = id(image);
        self.facts
            .images
            .iter_mut()
            .find(|fact| fact.image == id)
            .unwrap()
    }

    /// The platform image that stands for `image` once it is built on what is there of its base.
    pub(crate) fn image_of(&self, image: &str, platform: &Platform) -> PlatformImage {
        let on_base = self.family.image(&id(image)).unwrap().base_arg.is_some();
        let fact = |image: &ImageId| self.facts.images.iter().find(|fact| fact.image == *image);
        let base = on_base
            .then(|| {
                Some(
                    fact(&ImageId::Base)?
                        .platform(platform)
                        .map_or_else(|| digest("some base"), PlatformImage::digest),
                )
            })
            .flatten();
        let identity = fact(&id(image)).unwrap().identity;
        platform_image(&format!("{image} {identity}"), platform, base)
    }

    /// A platform image stands under its platform identity tag, tested where it is to be.
    pub(crate) fn with_platform(mut self, image: &str, platform: &str) -> Self {
        let platform: Platform = platform.parse().unwrap();
        let made = self.image_of(image, &platform);
        let smoke = self.family.image(&id(image)).unwrap().smoke.is_some();
        let fact = self.fact(image);
        if smoke {
            fact.receipts.insert(platform.clone(), made.digest());
        }
        let tagged = digest(&format!("wrapper of {}", made.digest()));
        let identity = Some(fact.identity);
        let made = PlatformFact {
            tagged,
            identity,
            image: made,
        };
        fact.platforms.insert(platform, made);
        self
    }

    /// All of an image stands: platform images, receipts, index.
    pub(crate) fn with_image(mut self, image: &str) -> Self {
        let platforms = self.family.image(&id(image)).unwrap().platforms.clone();
        for platform in &platforms {
            self = self.with_platform(image, &platform.to_string());
        }
        let fact = self.fact(image);
        let children: BTreeMap<_, _> = std::mem::take(&mut fact.platforms)
            .into_iter()
            .map(|(platform, fact)| (platform, fact.image))
            .collect();
        let all: Vec<String> = children
            .values()
            .map(|child| child.digest().to_string())
            .collect();
        fact.index = Some(IndexFact {
            digest: digest(&format!("index of {}", all.join(" "))),
            identity: Some(fact.identity),
            platforms: children,
        });
        self
    }

    /// All images stand.
    pub(crate) fn with_all(mut self) -> Self {
        for image in self.family.images.clone() {
            self = self.with_image(&image.id.to_string());
        }
        self
    }

    /// The digest of an image's index.
    pub(crate) fn index(&mut self, image: &str) -> Digest {
        self.fact(image).index.as_ref().unwrap().digest
    }

    /// Something stands under a tag.
    pub(crate) fn with_tag(mut self, tag: &str, digest: Digest) -> Self {
        self.facts.tags.insert(tag.parse().unwrap(), digest);
        self
    }

    /// All images, tags and aliases stand, and the record says so: what is left after the release went well.
    pub(crate) fn done(self) -> Self {
        let mut given = self.with_all();
        let plan = given.plan();
        given.finish(&plan, RecordState::Done);
        given
    }

    /// What is left after `plan`, all of whose images stand, came as far as `state`.
    pub(crate) fn finish(&mut self, plan: &Plan, state: RecordState) {
        let mut record = plan.record.clone().unwrap();
        record.state = state;
        record.points.extend(plan.points.clone());
        for image in &plan.images {
            let digest = image.digest.unwrap();
            self.facts
                .tags
                .extend(image.tags.iter().map(|tag| (tag.clone(), digest)));
        }
        if state == RecordState::Done {
            for step in &plan.steps {
                if let crate::plan::Action::Alias(step) = &step.action {
                    let image = plan.images.iter().find(|image| image.image == step.image);
                    let digest = image.unwrap().digest.unwrap();
                    self.facts.tags.insert(step.alias.clone(), digest);
                    let version = record.version.clone();
                    record
                        .points
                        .insert(step.alias.clone(), AliasPoint { digest, version });
                }
            }
        }
        self.facts.newest = Some(record.clone());
        self.facts.record = Some(record);
    }

    /// The same sources a version later: the record of that version is not there yet.
    pub(crate) fn next(mut self, version: &str) -> Self {
        self.facts.record = None;
        self.facts
            .tags
            .retain(|tag, _| !tag.tag().as_str().starts_with("v1."));
        self.version(version)
    }

    /// The inputs of an image, and so of all that is built on it, changed.
    pub(crate) fn changed(mut self, image: &str) -> Self {
        let all = image == "base";
        for fact in &mut self.facts.images {
            if fact.image == id(image) || all {
                fact.identity = identity(&format!("{} changed", fact.image));
                fact.index = None;
                fact.platforms.clear();
                fact.receipts.clear();
            }
        }
        self
    }

    /// The newest record, to be changed.
    pub(crate) fn newest(&mut self) -> &mut Record {
        self.facts.newest.as_mut().unwrap()
    }

    pub(crate) fn try_plan(&self) -> Result<Plan, PlanError> {
        plan(&self.family, &self.facts, &self.options)
    }

    pub(crate) fn plan(&self) -> Plan {
        self.try_plan().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Why there is no plan: exit code and message.
    pub(crate) fn refused(&self) -> String {
        match self.try_plan() {
            Ok(plan) => panic!("planned:\n{}", compact(&plan)),
            Err(error) => format!("{} {error}", error.exit_code().code()),
        }
    }

    /// The receipt of an image's platform.
    pub(crate) fn receipt(&self, image: &str, platform: &str) -> Tag {
        let fact = self
            .facts
            .images
            .iter()
            .find(|fact| fact.image == id(image))
            .unwrap();
        IdentityTags::new(&id(image), &fact.identity)
            .receipt(&platform.parse().unwrap(), &fact.smoke.unwrap())
    }
}

/// The steps of a plan, one a line: id, and what it needs.
pub(crate) fn compact(plan: &Plan) -> String {
    let lines = plan.steps.iter().map(|step| {
        let needs: Vec<_> = step.needs.iter().map(ToString::to_string).collect();
        match needs.as_slice() {
            [] => step.id.to_string(),
            needs => format!("{} <- {}", step.id, needs.join(" ")),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The ids of a plan's steps.
pub(crate) fn ids(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| step.id.to_string()).collect()
}
