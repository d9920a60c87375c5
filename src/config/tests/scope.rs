//! What a file must say, and what it cannot say yet.

use super::{file, parsed, report};

#[test]
fn unknown_schema() {
    let errors = parsed(&file("").replace("schema = 1", "schema = 2")).unwrap_err();
    insta::assert_snapshot!(errors, @"
    error: `schema = 2` is not known to this version of splitbase
     --> dir/variants.toml:1:10
      |
    1 | schema = 2
      |          ^
      = hint: write `schema = 1`, or take a newer splitbase

    1 problem in dir/variants.toml
    ");
}

#[test]
fn an_empty_file() {
    insta::assert_snapshot!(parsed("").unwrap_err(), @"
    error: `family` is missing
     --> dir/variants.toml

    error: `schema` is missing
     --> dir/variants.toml

    error: `variants` is missing
     --> dir/variants.toml

    error: a family without `[base]` is not supported yet
     --> dir/variants.toml
      = hint: add a `[base]` table with its `dockerfile`

    4 problems in dir/variants.toml
    ");
}

#[test]
fn later_keys() {
    let tables = r#"[family]
name = "devbox"
repository = "acme/devbox"
work-repository = "acme/work"
[base]
image = "docker.io/other/devbox"
refresh = "weekly"
versions = ["A", "B"]
[versions]
A = { github = "a/b" }
B = { npm = "b", min-age = "24h" }
[variants.full]
repository = "acme/full"
smoke = { command = ["true"], max-growth = "10%" }
[sign]
[prune]
[mirrors]"#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[family] work-repository` is not supported yet
     --> dir/variants.toml:5:1
      |
    5 | work-repository = "acme/work"
      | ^^^^^^^^^^^^^^^
      = hint: leave it out; machine tags go to `repository`

    error: `[base] image` is not supported yet
     --> dir/variants.toml:7:1
      |
    7 | image = "docker.io/other/devbox"
      | ^^^^^
      = hint: leave it out, and build the base from a `dockerfile`

    error: `[base] refresh`: `weekly` is not supported yet
     --> dir/variants.toml:8:11
      |
    8 | refresh = "weekly"
      |           ^^^^^^^^
      = hint: known here: `never`

    error: `[versions] A`: source `github` is not supported yet
      --> dir/variants.toml:11:7
       |
    11 | A = { github = "a/b" }
       |       ^^^^^^
       = hint: supported are `npm`, `git`, `command` and `value`

    error: `[versions.B] min-age` is not supported yet
      --> dir/variants.toml:12:18
       |
    12 | B = { npm = "b", min-age = "24h" }
       |                  ^^^^^^^
       = hint: leave it out; name an exact version in `range` to hold one back

    error: `[variants.full] repository` is not supported yet
      --> dir/variants.toml:14:1
       |
    14 | repository = "acme/full"
       | ^^^^^^^^^^
       = hint: leave it out; every tag goes to `[family] repository`

    error: `[variants.full.smoke] max-growth` is not supported yet
      --> dir/variants.toml:15:31
       |
    15 | smoke = { command = ["true"], max-growth = "10%" }
       |                               ^^^^^^^^^^
       = hint: leave it out; `max-size` limits the image

    error: `[sign]` is not supported yet
      --> dir/variants.toml:16:2
       |
    16 | [sign]
       |  ^^^^
       = hint: leave it out; sign the digests that a release reports

    error: `[prune]` is not supported yet
      --> dir/variants.toml:17:2
       |
    17 | [prune]
       |  ^^^^^
       = hint: leave it out; nothing is deleted yet

    error: `[mirrors]` is not supported yet
      --> dir/variants.toml:18:2
       |
    18 | [mirrors]
       |  ^^^^^^^
       = hint: leave it out; copy the tags after a release

    10 problems in dir/variants.toml
    "#);
}

#[test]
fn no_base() {
    let tables = "[baseless]";
    insta::assert_snapshot!(report(tables), @"
    error: a family without `[base]` is not supported yet
     --> dir/variants.toml
      = hint: add a `[base]` table with its `dockerfile`

    error: `[baseless]` is not a known key
     --> dir/variants.toml:2:2
      |
    2 | [baseless]
      |  ^^^^^^^^
      = hint: known here: `schema`, `family`, `base`, `versions`, `build`, `cache`, `variant`, `variants`, `smoke`, `release`, `retry`, `describe`

    2 problems in dir/variants.toml
    ");
}

#[test]
fn no_variants() {
    let tables = "[variants]";
    insta::assert_snapshot!(report(tables), @"
    error: the family has no variant
     --> dir/variants.toml:2:1
      |
    2 | [variants]
      | ^^^^^^^^^^
      = hint: add a table like `[variants.full]`; it may be empty

    1 problem in dir/variants.toml
    ");
}
