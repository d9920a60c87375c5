use super::*;
use crate::config::{Build, HashFormat, Refresh, Sbom, Secret, SecretSource, Smoke, Template, Upstream};
use crate::domain::{Duration, ImageId, Platform};

/// What is changed, and how.
type Change<T> = (&'static str, fn(&mut T));

fn image() -> Image {
    Image {
        id: ImageId::Base,
        repository: None,
        dockerfile: "Dockerfile".into(),
        context: ".".into(),
        base_arg: None,
        inputs: None,
        hash: HashFormat::Tree,
        extra: Vec::new(),
        versions: vec!["TOOL_VERSION".to_owned()],
        upstream: Upstream::Pin,
        refresh: Refresh::Never,
        salt: String::new(),
        publish_inputs: true,
        build: Build::default(),
        platforms: vec![Platform::native()],
        tags: Vec::new(),
        aliases: Vec::new(),
        smoke: None,
    }
}

/// Owned values to resolve an image with.
#[derive(Clone, Default)]
struct Known {
    args: IndexMap<String, String>,
    labels: IndexMap<String, String>,
    extra: Vec<String>,
    versions: BTreeMap<String, String>,
    upstream: BTreeMap<String, String>,
    base: Option<Identity>,
    base_image: Option<Digest>,
    period: Option<Period>,
}

impl Known {
    fn new() -> Self {
        let mut known = Self::default();
        known.versions.insert("TOOL_VERSION".into(), "1.0.0".into());
        known
    }

    fn values(&self, image: &Image) -> Vec<NamedValue> {
        self.try_values(image).unwrap()
    }

    fn try_values(&self, image: &Image) -> Result<Vec<NamedValue>, Unresolved> {
        let resolved = Resolved {
            args: &self.args,
            labels: &self.labels,
            extra: &self.extra,
            versions: &self.versions,
            upstream: &self.upstream,
            base_image: self.base_image.as_ref(),
            base: self.base.as_ref(),
            period: self.period,
        };
        values_of(image, &resolved)
    }
}

#[test]
fn every_build_option_counts() {
    let changes: [Change<Image>; 14] = [
        ("base-arg", |image| image.base_arg = Some("BASE_IMAGE".into())),
        ("salt", |image| image.salt = "1".into()),
        ("target", |image| image.build.target = Some("x".into())),
        ("network", |image| image.build.network = Some("host".into())),
        ("shm-size", |image| image.build.shm_size = Some("1g".into())),
        ("folder", |image| {
            image
                .build
                .contexts
                .insert("assets".into(), BuildContext::Folder("assets".into()));
        }),
        ("image", |image| {
            image
                .build
                .contexts
                .insert("assets".into(), BuildContext::Image("x".into()));
        }),
        ("secret", |image| {
            image.build.secrets.push(Secret {
                id: "npmrc".into(),
                source: SecretSource::Env("X".into()),
                optional: false,
            });
        }),
        ("ssh", |image| image.build.ssh.push("default".into())),
        ("provenance", |image| image.build.provenance = Provenance::Max),
        ("sbom", |image| image.build.sbom = Sbom::On),
        ("scanner", |image| {
            image.build.sbom = Sbom::Scanner("a.b/scanner:1".into());
        }),
        ("flag", |image| {
            image.build.flags = vec!["--ulimit".into(), "nofile=1".into()];
        }),
        ("flag order", |image| {
            image.build.flags = vec!["nofile=1".into(), "--ulimit".into()];
        }),
    ];
    let known = Known::new();
    let mut seen = vec![known.values(&image())];
    for (what, change) in changes {
        let mut image = image();
        change(&mut image);
        let values = known.values(&image);
        assert!(!seen.contains(&values), "{what}");
        seen.push(values);
    }
}

#[test]
fn every_resolved_value_counts() {
    let changes: [Change<Known>; 11] = [
        ("arg", |known| drop(known.args.insert("A".into(), "1".into()))),
        ("arg value", |known| {
            drop(known.args.insert("A".into(), "2".into()));
        }),
        ("label", |known| drop(known.labels.insert("A".into(), "1".into()))),
        ("extra", |known| known.extra = vec!["a".into(), "b".into()]),
        ("version", |known| {
            drop(known.versions.insert("TOOL_VERSION".into(), "1.0.1".into()));
        }),
        ("upstream", |known| {
            drop(known.upstream.insert("debian".into(), "sha256:1".into()));
        }),
        ("base", |known| known.base = Some(Identity::from_bytes([1; 32]))),
        ("base-image", |known| known.base_image = Some(Digest::of(b"1"))),
        ("week", |known| known.period = "2026-W47".parse().ok()),
        ("next week", |known| known.period = "2026-W48".parse().ok()),
        ("month", |known| known.period = "2026-11".parse().ok()),
    ];
    let image = image();
    let mut seen = vec![Known::new().values(&image)];
    for (what, change) in changes {
        let mut known = Known::new();
        change(&mut known);
        let values = known.values(&image);
        assert!(!seen.contains(&values), "{what}");
        seen.push(values);
    }
}

#[test]
fn what_does_not_reach_the_image_does_not_count() {
    let known = Known::new();
    let mut other = image();
    other.platforms = Vec::new();
    other.tags = vec![Template::literal("x")];
    other.aliases = vec![Template::literal("latest")];
    other.build.timeout = Some(Duration::from_secs(1));
    other.upstream = Upstream::Float;
    other.smoke = Some(Smoke {
        command: vec![Template::literal("true")],
        inputs: Vec::new(),
        platforms: Vec::new(),
        env: IndexMap::new(),
        timeout: Duration::from_secs(1),
        max_size: None,
    });
    assert_eq!(known.values(&other), known.values(&image()));
    let secret = |name: &str| Secret {
        id: "npmrc".into(),
        source: SecretSource::Env(name.into()),
        optional: false,
    };
    let with_secret = |name: &str| {
        let mut image = image();
        image.build.secrets.push(secret(name));
        known.values(&image)
    };
    assert_eq!(with_secret("HERE"), with_secret("THERE"));
}

#[test]
fn order_of_arguments_and_versions_of_others_do_not_count() {
    let mut known = Known::new();
    known
        .args
        .extend([("A".into(), "1".into()), ("B".into(), "2".into())]);
    let mut other = known.clone();
    other.args.reverse();
    other.versions.insert("OTHER".into(), "9".into());
    assert_eq!(known.values(&image()), other.values(&image()));
}

#[test]
fn an_unknown_version_is_no_identity() {
    let known = Known::default();
    let error = known.try_values(&image()).unwrap_err();
    assert_eq!(error.names, ["TOOL_VERSION"]);
    assert_eq!(error.to_string(), "no version is known for `TOOL_VERSION`");
}
