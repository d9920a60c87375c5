//! What a good file says.

use super::{DESIGN, environment, example, family, file, parsed, report};
use crate::config::{
    BuildContext, CacheTo, HashFormat, Overrides, Provenance, Refresh, Sbom, Secret, SecretSource, Template,
    Upstream, VersionSource, load, parse,
};
use crate::domain::{ByteSize, Duration, ExitCode, ImageId, Platform, Versioning};
use crate::environment::Environment;

fn variant(name: &str) -> ImageId {
    ImageId::Variant(name.parse().unwrap())
}

fn texts(templates: &[Template]) -> Vec<String> {
    templates.iter().map(Template::to_string).collect()
}

#[test]
fn the_design_is_refused_for_what_comes_later_and_nothing_else() {
    let errors = parsed(DESIGN).unwrap_err();
    let messages: Vec<_> = errors
        .problems
        .iter()
        .map(|problem| problem.message.as_str())
        .collect();
    insta::assert_snapshot!(messages.join("\n"), @"
    no image uses `PI_VERSION` of `[versions]`
    `[versions.OMOS_VERSION] min-age` is not supported yet
    no image uses `TOOL_VERSION` of `[versions]`
    no image uses `NODE_MAJOR` of `[versions]`
    `[smoke] max-growth` is not supported yet
    ");
}

#[test]
fn the_example_loads() {
    let loaded = parsed(&example()).unwrap_or_else(|errors| panic!("{errors}"));
    let warnings: Vec<_> = loaded
        .warnings
        .iter()
        .map(|problem| problem.message.as_str())
        .collect();
    insta::assert_snapshot!(warnings.join("\n"), @"
    no image uses `PI_VERSION` of `[versions]`
    no image uses `TOOL_VERSION` of `[versions]`
    no image uses `NODE_MAJOR` of `[versions]`
    ");
    let family = loaded.family;
    assert_eq!(family.root, "dir");
    assert_eq!(family.repository.to_string(), "docker.io/acme/devbox");
    assert_eq!(family.versioning, Versioning::SemverLetter);
    let base = family.base().unwrap();
    assert_eq!(
        (base.dockerfile.as_str(), base.context.as_str()),
        ("Dockerfile.base", ".")
    );
    assert_eq!(
        base.inputs.as_deref().unwrap(),
        ["rootfs", "entrypoint.sh", "entrypoint-user.sh"]
    );
    assert_eq!(
        (base.versions.as_slice(), base.base_arg.as_deref()),
        (&["TOOLKIT_REF".to_owned()][..], None)
    );
    assert_eq!(texts(&base.aliases), ["base-latest"]);
    assert_eq!(base.refresh, Refresh::Monthly);
    assert_eq!(base.build.timeout, Some(Duration::from_secs(90 * 60)));
    assert_eq!(base.build.shm_size.as_deref(), Some("1g"));
    assert_eq!(
        (base.build.network.as_deref(), base.build.target.as_deref()),
        (None, None)
    );
    assert_eq!(
        base.build.contexts["assets"],
        BuildContext::Folder("assets".into())
    );
    let ca = Secret {
        id: "ca".to_owned(),
        source: SecretSource::File(String::new()),
        optional: true,
    };
    assert_eq!(base.build.secrets[1], ca);
    let omos = family.image(&variant("omos")).unwrap();
    assert_eq!(omos.base_arg.as_deref(), Some("BASE_IMAGE"));
    let args: Vec<_> = omos
        .build
        .args
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(
        args,
        [
            "USER_NAME=developer",
            "INSTALL_OPENCODE=true",
            "INSTALL_OMOS=true",
            "INSTALL_PI=false"
        ]
    );
    assert_eq!(
        (texts(&omos.tags), texts(&omos.aliases)),
        (
            vec!["{version}-{variant}".to_owned()],
            vec!["latest-{variant}".to_owned()]
        )
    );
    let smoke = omos.smoke.as_ref().unwrap();
    assert_eq!(smoke.max_size, Some(ByteSize(3_000_000_000)));
    assert_eq!(
        texts(&smoke.command),
        ["scripts/smoke-test.sh", "--variant", "{variant}"]
    );
    assert_eq!(smoke.timeout, Duration::from_secs(600));
    let plain = family.image(&variant("base")).unwrap();
    assert_eq!(
        plain.smoke.as_ref().unwrap().max_size,
        Some(ByteSize(2_500_000_000))
    );
    assert_eq!(texts(&plain.aliases), ["latest", "{major}.{minor}"]);
    let version = "v1.14.20b".parse().unwrap();
    let tags = |image| -> Vec<_> {
        family
            .aliases(image, &version)
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect()
    };
    assert_eq!(tags(plain), ["latest", "1.14"]);
    assert_eq!(family.tags(omos, &version).unwrap()[0].as_str(), "v1.14.20b-omos");
    assert_eq!(
        family.versions["OMOS_VERSION"],
        VersionSource::Npm {
            package: "oh-my-opencode-slim".to_owned(),
            range: "^2".to_owned()
        }
    );
    assert_eq!(family.cache.to, CacheTo::Registry);
}

#[test]
fn defaults() {
    let family = family("");
    assert_eq!(family.platforms, ["linux/amd64".parse::<Platform>().unwrap()]);
    assert_eq!(family.versioning, Versioning::Semver);
    assert_eq!(family.repository.to_string(), "docker.io/acme/devbox");
    let base = family.base().unwrap();
    assert_eq!(
        (base.inputs.as_ref(), base.hash, base.upstream),
        (None, HashFormat::Tree, Upstream::Pin)
    );
    assert_eq!(
        (base.build.provenance, &base.build.sbom),
        (Provenance::Min, &Sbom::Off)
    );
    assert_eq!(base.refresh, Refresh::Never);
    assert_eq!(texts(&base.aliases), ["base-latest"]);
    assert_eq!(base.smoke, None);
    let full = family.image(&variant("full")).unwrap();
    assert_eq!(full.dockerfile, "Dockerfile.variant");
    assert_eq!(
        (texts(&full.tags), texts(&full.aliases)),
        (
            vec!["{version}-{variant}".to_owned()],
            vec!["latest-{variant}".to_owned()]
        )
    );
    assert_eq!((full.smoke.as_ref(), full.inputs.as_ref()), (None, None));
    assert_eq!((family.retry.attempts, family.retry.build), (3, 0));
    assert_eq!(
        family.retry.delays,
        [Duration::from_secs(15), Duration::from_secs(30)]
    );
    assert!(
        family.release.promote && !family.release.prereleases_take_aliases && !family.release.stamp_version
    );
    assert_eq!(
        (family.cache.from.as_slice(), &family.cache.to),
        (&[][..], &CacheTo::Registry)
    );
}

#[test]
fn who_says_whether_lists_of_inputs_are_published() {
    let publish = |text: &str| -> Vec<bool> {
        let family = family(text);
        family.images.iter().map(|image| image.publish_inputs).collect()
    };
    assert_eq!(
        publish("[base]\n[variants.a]\n[variants.b]\n"),
        [true, true, true]
    );
    let text =
        "[release]\npublish-inputs = false\n[base]\n[variants.a]\npublish-inputs = true\n[variants.b]\n";
    assert_eq!(publish(text), [false, true, false]);
    let text = "[base]\npublish-inputs = false\n[variant]\npublish-inputs = false\n[variants.a]\n[variants.b]\npublish-inputs = true\n";
    assert_eq!(publish(text), [false, false, true]);
}

#[test]
fn tables_add_to_each_other() {
    let family = family(
        r#"
        [build]
        args = { A = "all", B = "all", C = 3 }
        labels = { x = "1", y = "1" }
        flags = ["--ulimit", "nofile=1"]
        secrets = [{ id = "one", env = "ONE" }]
        network = "none"
        timeout = "0s"
        [base.build]
        args = { B = "base" }
        network = "default"
        [variant]
        args = { B = "variant" }
        build.flags = ["--add-host=a:1"]
        inputs = ["common"]
        platforms = ["linux/amd64"]
        [variants.full]
        args = { C = true }
        inputs = ["./own//", "own/./x"]
        build = { labels = { y = "2" }, args = { A = "full" }, secrets = [{ id = "one", file = "f" }] }
        smoke = { command = ["true"], env = { X = "2" } }
        [variants.other]
        [smoke]
        command = ["false"]
        env = { X = "1", Y = "1" }
        timeout = "1m"
        "#,
    );
    let args = |image: &ImageId| {
        let build = &family.image(image).unwrap().build;
        build
            .args
            .values()
            .map(Template::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(args(&ImageId::Base), "all base 3");
    assert_eq!(args(&variant("full")), "full variant true");
    assert_eq!(args(&variant("other")), "all variant 3");
    let full = family.image(&variant("full")).unwrap();
    assert_eq!(full.inputs.as_deref().unwrap(), ["own", "own/x"]);
    assert_eq!(full.build.labels["y"].to_string(), "2");
    assert_eq!(full.build.flags, ["--ulimit", "nofile=1", "--add-host=a:1"]);
    assert_eq!(full.build.secrets.len(), 1);
    assert_eq!(full.build.secrets[0].source, SecretSource::File("f".to_owned()));
    assert_eq!(
        (full.build.network.as_deref(), full.build.timeout),
        (Some("none"), None)
    );
    assert_eq!(family.base().unwrap().build.network, None);
    let smoke = full.smoke.as_ref().unwrap();
    assert_eq!(
        (texts(&smoke.command), smoke.timeout),
        (vec!["true".to_owned()], Duration::from_secs(60))
    );
    let env: Vec<_> = smoke
        .env
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(env, ["X=2", "Y=1"]);
    assert_eq!(
        family
            .image(&variant("other"))
            .unwrap()
            .inputs
            .as_deref()
            .unwrap(),
        ["common"]
    );
}

#[test]
fn flag_before_variable_before_file() {
    let text = file("");
    let set = Environment::of([("SPLITBASE_REPOSITORY", "acme/variable")]);
    let flag = Overrides {
        repository: Some("acme/flag".parse().unwrap()),
        platforms: None,
    };
    let repository = |environment, overrides: &Overrides| {
        let loaded = parse(&text, "variants.toml".into(), environment, overrides).unwrap();
        loaded.family.repository.path().to_owned()
    };
    assert_eq!(repository(&set, &flag), "acme/flag");
    assert_eq!(repository(&set, &Overrides::default()), "acme/variable");
    assert_eq!(repository(&environment(), &Overrides::default()), "acme/devbox");
}

#[test]
fn platforms_of_the_command_line() {
    let text = file(
        r#"
        [family]
        name = "devbox"
        repository = "acme/devbox"
        platforms = ["linux/amd64", "linux/arm64"]
        [variants.full]
        [variants.arm]
        platforms = ["linux/arm64"]
        [smoke]
        command = ["true"]
        platforms = ["linux/amd64"]
        "#,
    );
    let with = |platform: &str| {
        let overrides = Overrides {
            repository: None,
            platforms: Some(vec![platform.parse().unwrap()]),
        };
        parse(&text, "variants.toml".into(), &environment(), &overrides)
    };
    let family = with("linux/arm64").unwrap().family;
    assert!(
        family
            .images
            .iter()
            .all(|image| image.platforms == family.platforms)
    );
    assert_eq!(
        family
            .image(&variant("full"))
            .unwrap()
            .smoke
            .as_ref()
            .unwrap()
            .platforms,
        []
    );
    insta::assert_snapshot!(with("linux/amd64").unwrap_err(), @"
    error: `--platform linux/amd64` leaves nothing of `variant/arm`
     --> variants.toml
      = hint: it is built for linux/arm64 only

    1 problem in variants.toml
    ");
    let whole = parsed(&text).unwrap().family;
    assert_eq!(
        whole
            .image(&variant("full"))
            .unwrap()
            .smoke
            .as_ref()
            .unwrap()
            .platforms,
        ["linux/amd64".parse().unwrap()]
    );
}

#[test]
fn variables_are_filled_in_at_load() {
    let family = family(
        r#"
        [family]
        name = "devbox"
        repository = "{env.REGISTRY}/acme/devbox"
        [build]
        contexts = { here = "x/{env.REGISTRY}", image = "docker-image://{env.REGISTRY}/a:1" }
        secrets = [{ id = "a", file = "{env.REGISTRY}.pem" }, { id = "b", file = "{env.EMPTY}.pem" }]
        "#,
    );
    assert_eq!(family.repository.to_string(), "registry.example.org/acme/devbox");
    let build = &family.base().unwrap().build;
    assert_eq!(
        build.contexts["here"],
        BuildContext::Folder("x/registry.example.org".into())
    );
    assert_eq!(
        build.contexts["image"],
        BuildContext::Image("registry.example.org/a:1".to_owned())
    );
    assert_eq!(
        build.secrets[0].source,
        SecretSource::File("registry.example.org.pem".to_owned())
    );
    assert_eq!(build.secrets[1].source, SecretSource::File(String::new()));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "makes the files that it reads")]
fn files_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = camino::Utf8Path::from_path(folder.path())
        .unwrap()
        .join("variants.toml");
    let error = || {
        let errors = load(&path, &environment(), &Overrides::default()).unwrap_err();
        assert_eq!(errors.exit_code(), ExitCode::Usage);
        errors.to_string().replace(path.as_str(), "variants.toml")
    };
    insta::assert_snapshot!(error(), @"
    error: reading `variants.toml`: no such file or directory
     --> variants.toml
      = hint: name the file with `--file`

    1 problem in variants.toml
    ");
    std::fs::write(&path, b"schema = 1\nname = \"\xff\"\n").unwrap();
    insta::assert_snapshot!(error(), @"
    error: `variants.toml` is not UTF-8 in line 2
     --> variants.toml
      = hint: save it as UTF-8

    1 problem in variants.toml
    ");
    std::fs::write(&path, file("")).unwrap();
    let loaded = load(&path, &environment(), &Overrides::default()).unwrap();
    assert_eq!(loaded.family.root, folder.path().to_str().unwrap());
}

#[test]
fn the_page_is_read() {
    let describe = family(
        "[describe]\ntemplate = \"./docs/HUB.md\"\noutput = \"HUB.md\"\nshort = \"A box, {braces} and all\"",
    )
    .describe;
    let describe = describe.unwrap();
    assert_eq!(
        (describe.template.as_str(), describe.output.as_str()),
        ("docs/HUB.md", "HUB.md")
    );
    assert_eq!(describe.short.as_deref(), Some("A box, {braces} and all"));
    assert_eq!(family("").describe, None);
}

#[test]
fn a_page_that_cannot_be() {
    insta::assert_snapshot!(report("[describe]\ntemplate = \"HUB.md\"\noutput = \"./HUB.md\"\nshort = \"two\\nlines\"\nlong = 1"), @r#"
    error: `[describe] output`: `HUB.md` would be overwritten by the page
     --> dir/variants.toml:4:10
      |
    4 | output = "./HUB.md"
      |          ^^^^^^^^^^
      = hint: name another file

    error: `[describe] short`: it must be one line
     --> dir/variants.toml:5:9
      |
    5 | short = "two\nlines"
      |         ^^^^^^^^^^^^
      = hint: take out line breaks and tabs

    error: `[describe] long` is not a known key
     --> dir/variants.toml:6:1
      |
    6 | long = 1
      | ^^^^
      = hint: known here: `template`, `output`, `short`

    3 problems in dir/variants.toml
    "#);
    insta::assert_snapshot!(report("[describe]\ntemplate = \"/HUB.md\"\noutput = \"variants.toml\""), @r#"
    error: `[describe] template`: `/HUB.md` is absolute
     --> dir/variants.toml:3:12
      |
    3 | template = "/HUB.md"
      |            ^^^^^^^^^
      = hint: write a path relative to this file's folder

    1 problem in dir/variants.toml
    "#);
    insta::assert_snapshot!(report("[describe]\ntemplate = \"HUB.md\"\noutput = \"variants.toml\""), @r#"
    error: `[describe] output`: `variants.toml` would be overwritten by the page
     --> dir/variants.toml:4:10
      |
    4 | output = "variants.toml"
      |          ^^^^^^^^^^^^^^^
      = hint: name another file

    1 problem in dir/variants.toml
    "#);
    insta::assert_snapshot!(report("[describe]\ntemplate = 1"), @r#"
    error: `[describe] output` is missing
     --> dir/variants.toml:2:2
      |
    2 | [describe]
      |  ^^^^^^^^

    error: `[describe] template` is an integer, where a string is needed
     --> dir/variants.toml:3:12
      |
    3 | template = 1
      |            ^

    2 problems in dir/variants.toml
    "#);
}
