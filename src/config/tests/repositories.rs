//! Where a family goes, and what it stands on.

use super::{environment, family, file, parsed, report};
use crate::config::{Loaded, Overrides, parse};

const FAMILY: &str = r#"[family]
name = "devbox"
repository = "localhost:5000/acme/devbox"
"#;

/// The file with another repository on the command line.
fn sent_elsewhere(tables: &str, repository: &str) -> Loaded {
    let overrides = Overrides {
        repository: Some(repository.parse().unwrap()),
        ..Overrides::default()
    };
    let loaded = parse(&file(tables), "variants.toml".into(), &environment(), &overrides);
    loaded.unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn a_base_from_elsewhere_is_no_image_of_the_family() {
    let family = family("[base]\nimage = \"docker.io/other/devbox:base-latest\"");
    assert_eq!(
        family.base_image.as_deref(),
        Some("docker.io/other/devbox:base-latest")
    );
    assert_eq!(family.images.len(), 1);
    assert_eq!(family.images[0].base_arg.as_deref(), Some("BASE_IMAGE"));
}

#[test]
fn a_family_without_a_base_hands_none_over() {
    let text = "schema = 1\n[family]\nname = \"a\"\nrepository = \"acme/a\"\n[variants.full]\n";
    let family = parsed(text).unwrap_or_else(|errors| panic!("{errors}")).family;
    assert_eq!((family.base(), &family.base_image), (None, &None));
    assert_eq!(family.images[0].base_arg, None);
}

#[test]
fn a_base_is_from_elsewhere_or_built() {
    let tables = r#"[base]
image = "docker.io/other/devbox:base-latest"
dockerfile = "Dockerfile.base"
context = "."
inputs = []
hash = "tree"
extra = []
versions = []
upstream = "pin"
refresh = "never"
salt = "1"
platforms = ["linux/amd64"]
aliases = ["base-latest"]
args = { A = 1 }
build = { target = "x" }"#;
    let shown = report(tables);
    for key in [
        "context",
        "inputs",
        "hash",
        "extra",
        "versions",
        "upstream",
        "refresh",
        "salt",
        "platforms",
        "aliases",
        "args",
        "build",
    ] {
        let message = format!("error: `[base] {key}` and `image` exclude each other");
        assert!(shown.contains(&message), "{key}:\n{shown}");
    }
    assert!(shown.ends_with("13 problems in dir/variants.toml"), "{shown}");
    let tables = "[base]\nimage = \"other/devbox:base-latest\"\ndockerfile = \"Dockerfile.base\"";
    insta::assert_snapshot!(report(tables), @r#"
    error: `[base] dockerfile` and `image` exclude each other
     --> dir/variants.toml:4:14
      |
    4 | dockerfile = "Dockerfile.base"
      |              ^^^^^^^^^^^^^^^^^
      = hint: keep `image` for a base from elsewhere, `dockerfile` for one that is built here

    1 problem in dir/variants.toml
    "#);
}

#[test]
fn bad_references_of_a_base() {
    for reference in [
        "",
        "Other/devbox",
        "other/devbox:",
        "other/devbox@sha256:1",
        "docker-image://other/devbox",
    ] {
        let shown = report(&format!("[base]\nimage = \"{reference}\""));
        assert!(
            shown.contains("is not an image reference"),
            "`{reference}`:\n{shown}"
        );
    }
    insta::assert_snapshot!(report("[base]\nimage = \"{env.REGISTRY}/devbox:base-latest\""), @r#"
    error: `[base] image`: `{env.REGISTRY}/devbox:base-latest` is not an image reference
     --> dir/variants.toml:3:9
      |
    3 | image = "{env.REGISTRY}/devbox:base-latest"
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = hint: write `[HOST[:PORT]/]PATH:TAG`, for example `docker.io/acme/devbox:base-latest`

    1 problem in dir/variants.toml
    "#);
    insta::assert_snapshot!(report("[base]\nimage = 1"), @"
    error: `[base] image` is an integer, where a string is needed
     --> dir/variants.toml:3:9
      |
    3 | image = 1
      |         ^

    1 problem in dir/variants.toml
    ");
}

#[test]
fn a_base_argument_needs_a_base() {
    let text =
        "schema = 1\n[family]\nname = \"a\"\nrepository = \"acme/a\"\n[variants.full]\nbase-arg = \"FROM\"\n";
    insta::assert_snapshot!(parsed(text).unwrap_err(), @r#"
    error: `[variants.full] base-arg`: the family has no base
     --> dir/variants.toml:6:12
      |
    6 | base-arg = "FROM"
      |            ^^^^^^
      = hint: leave it out, or add a `[base]` table with its `dockerfile` or `image`

    1 problem in dir/variants.toml
    "#);
}

#[test]
fn machine_tags_go_to_a_repository_of_their_own() {
    let family = family(&format!("{FAMILY}work-repository = \"localhost:5000/acme/work\""));
    assert_eq!(family.work().to_string(), "localhost:5000/acme/work");
    assert_eq!(family.repository.to_string(), "localhost:5000/acme/devbox");
    let same = self::family(&format!(
        "{FAMILY}work-repository = \"localhost:5000/acme/devbox\""
    ));
    assert_eq!(same.work_repository, None);
    assert_eq!(same.work(), &same.repository);
}

#[test]
fn variants_go_to_repositories_of_their_own() {
    let family = family(&format!(
        "{}\n[variants.full]\nrepository = \"{{env.REGISTRY}}/acme/full\"\n[variants.slim]\n",
        FAMILY.replace("localhost:5000", "registry.example.org")
    ));
    let shown: Vec<_> = family
        .images
        .iter()
        .map(|image| {
            let tag = family.public_tag(image, "v1".parse().unwrap());
            format!("{} {} {tag}", image.id, family.repository_of(image))
        })
        .collect();
    assert_eq!(
        shown,
        [
            "base registry.example.org/acme/devbox v1",
            "variant/full registry.example.org/acme/full registry.example.org/acme/full:v1",
            "variant/slim registry.example.org/acme/devbox v1",
        ]
    );
}

#[test]
fn the_same_tags_in_two_repositories_are_not_the_same() {
    let tables = |repository: &str| {
        format!(
            "{FAMILY}\n[variants.full]\ntags = [\"{{version}}\"]\naliases = [\"latest\"]\n\
             [variants.slim]\nrepository = \"{repository}\"\ntags = [\"{{version}}\"]\naliases = [\"latest\"]\n"
        )
    };
    family(&tables("localhost:5000/acme/slim"));
    // The family's own by another way is one and the same.
    let shown = report(&tables("localhost:5000/acme/devbox"));
    assert!(
        shown.contains("`{version}` of `variant/slim` is also a release tag of `variant/full`"),
        "{shown}"
    );
}

#[test]
fn other_registries_are_refused() {
    let tables = format!(
        "{FAMILY}work-repository = \"docker.io/acme/work\"\n[variants.full]\nrepository = \"localhost:5001/acme/full\""
    );
    insta::assert_snapshot!(report(&tables), @r#"
    error: `[family] work-repository`: `docker.io/acme/work` is on another registry than `localhost:5000/acme/devbox`
     --> dir/variants.toml:5:19
      |
    5 | work-repository = "docker.io/acme/work"
      |                   ^^^^^^^^^^^^^^^^^^^^^
      = hint: name a repository on `localhost:5000`

    error: `[variants.full] repository`: `localhost:5001/acme/full` is on another registry than `localhost:5000/acme/devbox`
     --> dir/variants.toml:7:14
      |
    7 | repository = "localhost:5001/acme/full"
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^
      = hint: name a repository on `localhost:5000`

    2 problems in dir/variants.toml
    "#);
}

#[test]
fn bad_repositories() {
    let tables = format!(
        "{FAMILY}work-repository = \"localhost:5000/acme/work:latest\"\n[variants.full]\nrepository = \"{{env.NOBODY}}/{{variant}}\"\n\
         [variants.slim]\nrepository = \"{{env.NOBODY}}/x\"\n[variants.odd]\nrepository = []"
    );
    insta::assert_snapshot!(report(&tables), @r#"
    error: `[family] work-repository`: `localhost:5000/acme/work:latest` is not a repository
     --> dir/variants.toml:5:19
      |
    5 | work-repository = "localhost:5000/acme/work:latest"
      |                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = hint: write `[HOST[:PORT]/]PATH` in lower case and without a tag, for example `docker.io/acme/devbox`

    error: `[variants.full] repository`: `{variant}` is not a placeholder that is known here
     --> dir/variants.toml:7:28
      |
    7 | repository = "{env.NOBODY}/{variant}"
      |                            ^^^^^^^^^
      = hint: known here: `{env.NAME}`; a literal brace is written `{{`

    error: `[variants.slim] repository`: the variable `NOBODY` is not set
     --> dir/variants.toml:9:15
      |
    9 | repository = "{env.NOBODY}/x"
      |               ^^^^^^^^^^^^
      = hint: set it, or write the value into the file

    error: `[variants.odd] repository` is an array, where a string is needed
      --> dir/variants.toml:11:14
       |
    11 | repository = []
       |              ^^

    4 problems in dir/variants.toml
    "#);
}

#[test]
fn who_sends_a_family_elsewhere_sends_all_of_it() {
    let tables = format!(
        "{FAMILY}work-repository = \"localhost:5000/acme/work\"\n[variants.full]\nrepository = \"localhost:5000/acme/full\""
    );
    let loaded = sent_elsewhere(&tables, "localhost:6000/try");
    let family = &loaded.family;
    for image in &family.images {
        assert_eq!(family.repository_of(image).to_string(), "localhost:6000/try");
    }
    assert_eq!(family.work().to_string(), "localhost:6000/try");
    let warnings: Vec<_> = loaded
        .warnings
        .iter()
        .map(|warning| warning.message.as_str())
        .collect();
    insta::assert_snapshot!(warnings.join("\n"), @"
    `[family] work-repository` is not used: `--repository` sends every tag to its repository
    `[variants.full] repository` is not used: `--repository` sends every tag to its repository
    ");
}
