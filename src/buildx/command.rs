//! The `docker buildx build` line of a build step: a pure function.

use super::secrets::{ResolvedSecret, ResolvedSource};
use crate::config::{Provenance, Sbom};
use crate::plan::BuildStep;
use crate::process::Command;
use camino::Utf8Path;
use std::path::Path;

const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";
const BASE_NAME: &str = "org.opencontainers.image.base.name";

/// Where a build into an OCI layout reads and writes.
#[derive(Debug, Clone, Copy)]
pub struct LayoutIo<'a> {
    /// The layout that holds the base: an absolute path without `:` and `@`.
    pub root: &'a Path,
    /// The folder that the image is exported to.
    pub export: &'a Path,
}

/// What a build needs beyond its step: of this machine and of this attempt.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent facts, each named where it is given"
)]
pub struct BuildIo<'a> {
    /// The family's root: the command runs in it, and paths are relative to it.
    pub root: &'a Path,
    /// The builder; buildx' current one when `None`.
    pub builder: Option<&'a str>,
    /// Where buildx writes its metadata.
    pub metadata_file: &'a Path,
    /// Whether the builder's images carry attestations and annotations ([`crate::facts::BuilderFacts::attests`]).
    pub attests: bool,
    /// Whether build cache can be exported to a registry ([`crate::facts::BuilderFacts::exports_cache`]).
    pub exports_cache: bool,
    /// Whether `--cache-from` is left out, because a layer of it is broken.
    pub without_cache_from: bool,
    /// Whether nothing comes from the cache, whatever the step says.
    pub no_cache: bool,
    /// The secrets that are there.
    pub secrets: &'a [ResolvedSecret],
    /// Where the image goes instead of the step's repository.
    pub layout: Option<LayoutIo<'a>>,
}

/// The command that builds one platform image, and pushes it to its staging tag or exports it into a folder.
///
/// `base` is the base's platform image as `REPOSITORY@DIGEST`; without it, the digest that the plan knew is taken. No value of a secret is
/// part of it. In a layout the base is a named context that takes the place of `REPOSITORY@DIGEST`, for whatever the Dockerfile does with its
/// build argument; a digest that the layout does not hold fails the build. A builder of the classic image store drops or refuses annotations, attestations, registry cache export and OCI media types:
/// for it they are left out, and the base's digest becomes a label.
#[must_use]
pub fn command(step: &BuildStep, base: Option<&str>, io: &BuildIo<'_>) -> Command {
    let planned = step
        .base
        .as_ref()
        .and_then(|base| base.digest)
        .map(|digest| step.base_repository().with_digest(&digest));
    let base = base.map(str::to_owned).or(planned);

    let mut line = Line(vec!["buildx".to_owned(), "build".to_owned()]);
    if let Some(builder) = io.builder {
        line.flag("--builder", builder);
    }
    line.flag("--platform", step.platform.to_string());
    line.flag("--file", file(&step.dockerfile));

    let mut args = step.args.clone();
    if let (Some(used), Some(base)) = (&step.base, &base) {
        args.insert(used.arg.clone(), base.clone());
    }
    line.pairs("--build-arg", "", &args);
    for (name, context) in &step.contexts {
        let context = if context.contains("://") {
            context.clone()
        } else {
            folder(Utf8Path::new(context))
        };
        line.flag("--build-context", format!("{name}={context}"));
    }

    if let (Some(layout), Some(base), Some((_, digest))) = (
        &io.layout,
        // A base from elsewhere is in its registry.
        base.as_deref()
            .filter(|_| step.base.as_ref().is_some_and(|base| base.repository.is_none())),
        base.as_deref().and_then(|base| base.split_once('@')),
    ) {
        let root = layout.root.display();
        line.flag("--build-context", format!("{base}=oci-layout://{root}@{digest}"));
    }

    let mut labels = step.labels.clone();
    let mut annotations = step.annotations.clone();
    if !io.attests {
        // Annotations are lost there.
        labels.extend(annotations.clone());
    }
    if step.base.is_some()
        && let Some((name, digest)) = base.as_deref().and_then(|base| base.split_once('@'))
    {
        let of_base = if io.attests { &mut annotations } else { &mut labels };
        of_base.insert(BASE_DIGEST.to_owned(), digest.to_owned());
        of_base.insert(BASE_NAME.to_owned(), name.to_owned());
    }
    line.pairs("--label", "", &labels);
    if io.attests {
        line.pairs("--annotation", "manifest:", &annotations);
    }

    for secret in io.secrets {
        let id = csv(format!("id={}", secret.id));
        let source = match &secret.source {
            ResolvedSource::Env(name) => csv(format!("env={name}")),
            ResolvedSource::File(path) => csv(format!("src={}", path.display())),
        };
        line.flag("--secret", format!("{id},{source}"));
    }
    for agent in &step.ssh {
        line.flag("--ssh", agent);
    }
    for (flag, value) in [
        ("--target", &step.target),
        ("--network", &step.network),
        ("--shm-size", &step.shm_size),
    ] {
        if let Some(value) = value {
            line.flag(flag, value);
        }
    }

    if io.attests {
        line.one(match step.provenance {
            Provenance::Off => "--provenance=false",
            Provenance::Min => "--provenance=mode=min",
            Provenance::Max => "--provenance=mode=max",
        });
        match &step.sbom {
            Sbom::Off => {}
            Sbom::On => line.one("--sbom=true"),
            Sbom::Scanner(image) => line.one(&format!("--attest=type=sbom,generator={image}")),
        }
    }

    let no_cache = step.no_cache || io.no_cache;
    if !io.without_cache_from && !no_cache {
        for from in &step.cache_from {
            line.flag("--cache-from", from);
        }
    }
    if let Some(to) = &step.cache_to
        && (io.exports_cache || is_inline(to))
    {
        line.flag("--cache-to", ignoring_errors(to));
    }
    if no_cache {
        line.one("--no-cache");
    }
    if step.pull {
        line.one("--pull");
    }

    // Without a name attestations would have no subject, in a layout too.
    let name = step.repository.with_tag(&step.staging);
    let mut output = match &io.layout {
        None => format!("type=image,name={name},push=true"),
        Some(layout) => {
            let folder = csv(format!("dest={}", layout.export.display()));
            format!("type=oci,name={name},tar=false,{folder},oci-mediatypes=true")
        }
    };
    if io.attests && io.layout.is_none() {
        // With `store=false` the engine keeps no image of its own: two builds on one engine cannot stand in each other's way for its name,
        // and nothing is unpacked that no test has asked for. The classic store has no such option.
        output.push_str(",oci-mediatypes=true,store=false");
    }
    line.flag("--output", output);
    line.0.extend(step.flags.iter().cloned());

    let Line(args) = line;
    Command::new("docker")
        .args(args)
        .arg("--metadata-file")
        .arg(io.metadata_file)
        .arg("--progress=rawjson")
        .arg(folder(&step.context))
        // The metadata file would hold every build argument.
        .env("BUILDX_METADATA_PROVENANCE", "disabled")
        .dir(io.root)
}

/// The command as one line for a POSIX shell, to be run in the command's folder: what `--dry-run` shows.
#[must_use]
pub fn shell_line(command: &Command) -> String {
    let quoted = |text: &std::ffi::OsStr| {
        let text = text.to_string_lossy();
        // Only a NUL byte cannot be quoted, and no argument can hold one.
        shlex::try_quote(&text).map_or_else(|_| text.replace('\0', ""), std::borrow::Cow::into_owned)
    };
    let mut words = Vec::new();
    for (name, value) in &command.env {
        if let Some(value) = value {
            words.push(format!("{}={}", name.to_string_lossy(), quoted(value)));
        }
    }
    words.push(quoted(&command.program));
    words.extend(command.args.iter().map(|arg| quoted(arg)));
    words.join(" ")
}

struct Line(Vec<String>);

impl Line {
    fn one(&mut self, arg: &str) {
        self.0.push(arg.to_owned());
    }

    fn flag(&mut self, flag: &str, value: impl Into<String>) {
        self.0.push(flag.to_owned());
        self.0.push(value.into());
    }

    fn pairs(&mut self, flag: &str, prefix: &str, pairs: &std::collections::BTreeMap<String, String>) {
        for (key, value) in pairs {
            self.flag(flag, format!("{prefix}{key}={value}"));
        }
    }
}

/// A folder as buildx takes it: with `./` it can be neither a flag, nor standard input, nor a remote (`github.com/…`).
fn folder(path: &Utf8Path) -> String {
    let text = path.as_str();
    if text.is_empty() || text == "." {
        ".".to_owned()
    } else if path.is_absolute() || text.starts_with("./") || text.starts_with("../") {
        text.to_owned()
    } else {
        format!("./{text}")
    }
}

/// The Dockerfile; `-` would be standard input.
fn file(path: &Utf8Path) -> String {
    let text = path.as_str();
    if text.starts_with('-') {
        format!("./{text}")
    } else {
        text.to_owned()
    }
}

/// One field of a comma-separated value, as Go's `encoding/csv` reads it.
fn csv(field: String) -> String {
    if field.contains([',', '"', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field
    }
}

fn is_inline(cache_to: &str) -> bool {
    cache_to.split(',').any(|field| field == "type=inline")
}

/// A cache export must never fail a release.
fn ignoring_errors(cache_to: &str) -> String {
    if is_inline(cache_to)
        || cache_to
            .split(',')
            .any(|field| field.starts_with("ignore-error="))
    {
        cache_to.to_owned()
    } else if cache_to.contains('=') {
        format!("{cache_to},ignore-error=true")
    } else {
        // The short form that is only a reference.
        format!("type=registry,ref={cache_to},ignore-error=true")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::BaseUse;
    use crate::testing::build_step;

    fn io(secrets: &[ResolvedSecret]) -> BuildIo<'_> {
        BuildIo {
            root: Path::new("/family"),
            builder: None,
            metadata_file: Path::new("/tmp/m.json"),
            attests: true,
            exports_cache: true,
            without_cache_from: false,
            no_cache: false,
            secrets,
            layout: None,
        }
    }

    fn words(command: &Command) -> Vec<String> {
        command
            .args
            .iter()
            .map(|arg| arg.to_str().unwrap().to_owned())
            .collect()
    }

    const BASE: &str =
        "localhost:5000/acme/tiny@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    /// A step with every option.
    fn full() -> BuildStep {
        let mut step = build_step("localhost:5000/acme/tiny");
        step.args = [("Z", "1"), ("A", "two words")]
            .map(|(k, v)| (k.into(), v.into()))
            .into();
        step.base = Some(BaseUse {
            repository: None,
            arg: "BASE_IMAGE".into(),
            digest: None,
        });
        step.contexts = [("assets", "assets"), ("img", "docker-image://x@sha256:00")]
            .map(|(k, v)| (k.into(), v.into()))
            .into();
        step.labels = [("l".into(), "v".into())].into();
        step.annotations = [("a".into(), "v".into())].into();
        step.ssh = vec!["default".into()];
        step.target = Some("final".into());
        step.network = Some("none".into());
        step.shm_size = Some("1g".into());
        step.sbom = Sbom::On;
        step.cache_from = vec!["type=registry,ref=r:c".into()];
        step.cache_to = Some("type=registry,ref=r:c,mode=max".into());
        step.flags = vec!["--add-host=a:1.2.3.4".into()];
        step
    }

    #[test]
    fn everything_on_the_containerd_store() {
        let secrets = [
            ResolvedSecret {
                id: "npmrc".into(),
                source: ResolvedSource::Env("NPM_TOKEN".into()),
            },
            ResolvedSecret {
                id: "ca".into(),
                source: ResolvedSource::File("/etc/a,b.pem".into()),
            },
        ];
        let mut io = io(&secrets);
        io.builder = Some("big");
        let command = command(&full(), Some(BASE), &io);
        let name = BASE.split_once('@').unwrap();
        #[rustfmt::skip]
        assert_eq!(words(&command), [
            "buildx", "build", "--builder", "big", "--platform", "linux/amd64", "--file", "Dockerfile",
            "--build-arg", "A=two words", "--build-arg", &format!("BASE_IMAGE={BASE}"), "--build-arg", "Z=1",
            "--build-context", "assets=./assets", "--build-context", "img=docker-image://x@sha256:00",
            "--label", "l=v",
            "--annotation", "manifest:a=v",
            "--annotation", &format!("manifest:org.opencontainers.image.base.digest={}", name.1),
            "--annotation", &format!("manifest:org.opencontainers.image.base.name={}", name.0),
            "--secret", "id=npmrc,env=NPM_TOKEN", "--secret", "id=ca,\"src=/etc/a,b.pem\"",
            "--ssh", "default", "--target", "final", "--network", "none", "--shm-size", "1g",
            "--provenance=mode=min", "--sbom=true",
            "--cache-from", "type=registry,ref=r:c",
            "--cache-to", "type=registry,ref=r:c,mode=max,ignore-error=true",
            "--output", "type=image,name=localhost:5000/acme/tiny:base-0123456789ab-amd64-staging,push=true,oci-mediatypes=true,store=false",
            "--add-host=a:1.2.3.4",
            "--metadata-file", "/tmp/m.json", "--progress=rawjson", ".",
        ]);
        assert_eq!(command.dir.as_deref(), Some(Path::new("/family")));
        assert!(
            shell_line(&command)
                .starts_with("BUILDX_METADATA_PROVENANCE=disabled docker buildx build --builder big "),
            "{}",
            shell_line(&command)
        );
        assert!(shell_line(&command).contains(" --build-arg 'A=two words' "));
    }

    #[test]
    fn a_layout_takes_the_place_of_the_registry() {
        let mut io = io(&[]);
        io.layout = Some(LayoutIo {
            root: Path::new("/out/a b"),
            export: Path::new("/out/a, b/.splitbase/build-1/image"),
        });
        let words = words(&command(&full(), Some(BASE), &io));
        let digest = BASE.split_once('@').unwrap().1;
        assert!(
            words.contains(&format!("{BASE}=oci-layout:///out/a b@{digest}")),
            "{words:?}"
        );
        assert!(words.contains(&format!("BASE_IMAGE={BASE}")));
        let output = "type=oci,name=localhost:5000/acme/tiny:base-0123456789ab-amd64-staging,tar=false,\"dest=/out/a, b/.splitbase/build-1/image\",\
            oci-mediatypes=true";
        assert!(
            words.windows(2).any(|pair| pair == ["--output", output]),
            "{words:?}"
        );
        let mut base = full();
        base.base = None;
        let words = self::words(&command(&base, None, &io));
        assert!(
            !words.iter().any(|word| word.contains("oci-layout:")),
            "{words:?}"
        );
    }

    #[test]
    fn what_the_classic_store_cannot_is_left_out() {
        let mut io = io(&[]);
        (io.attests, io.exports_cache) = (false, false);
        let words = words(&command(&full(), Some(BASE), &io));
        for absent in ["--annotation", "--provenance", "--sbom", "--cache-to"] {
            assert!(!words.iter().any(|word| word.starts_with(absent)), "{absent}");
        }
        assert!(words.contains(&format!("{BASE_DIGEST}={}", BASE.split_once('@').unwrap().1)));
        assert!(words.contains(&"a=v".to_owned()), "the identity: {words:?}");
        assert!(words.iter().any(|word| word.ends_with(",push=true")), "{words:?}");
    }

    #[test]
    fn a_scanner_is_named() {
        let mut step = full();
        step.sbom = Sbom::Scanner("a.b/scanner:1@sha256:00".into());
        let words = words(&command(&step, Some(BASE), &io(&[])));
        assert!(words.contains(&"--attest=type=sbom,generator=a.b/scanner:1@sha256:00".to_owned()));
        assert!(!words.iter().any(|word| word.starts_with("--sbom")), "{words:?}");
    }

    #[test]
    fn cache_can_be_left_out() {
        let mut io = io(&[]);
        io.without_cache_from = true;
        assert!(!words(&command(&full(), Some(BASE), &io)).contains(&"--cache-from".to_owned()));
        io.without_cache_from = false;
        io.no_cache = true;
        let words = words(&command(&full(), Some(BASE), &io));
        assert!(!words.contains(&"--cache-from".to_owned()));
        assert!(words.contains(&"--no-cache".to_owned()));
    }

    #[test]
    fn nothing_is_taken_for_a_flag_or_a_remote() {
        let mut step = full();
        step.context = "github.com/acme".into();
        step.dockerfile = "-".into();
        let words = words(&command(&step, None, &io(&[])));
        assert_eq!(words.last().unwrap(), "./github.com/acme");
        assert!(words.windows(2).any(|pair| pair == ["--file", "./-"]));
        assert!(!words.iter().any(|word| word.starts_with("BASE_IMAGE=")));
    }

    #[test]
    fn a_base_that_the_plan_knew_is_used() {
        let mut step = full();
        step.base.as_mut().unwrap().digest = Some(crate::domain::Digest::of(b""));
        let words = words(&command(&step, None, &io(&[])));
        assert!(words.contains(&format!("BASE_IMAGE={BASE}")));
    }

    #[test]
    fn cache_exports_never_fail_a_build() {
        for (given, used) in [
            ("type=inline", "type=inline"),
            ("acme/x:c", "type=registry,ref=acme/x:c,ignore-error=true"),
            ("type=gha", "type=gha,ignore-error=true"),
            ("type=gha,ignore-error=true", "type=gha,ignore-error=true"),
        ] {
            assert_eq!(ignoring_errors(given), used);
        }
    }
}
