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
     --> dir/variants.toml:1:1
      |
    1 |
      | ^
      = hint: add a table `[family]`

    error: `schema` is missing
     --> dir/variants.toml:1:1
      |
    1 |
      | ^
      = hint: begin the file with `schema = 1`

    error: `variants` is missing
     --> dir/variants.toml:1:1
      |
    1 |
      | ^
      = hint: add a table for each: `[variants.NAME]`

    3 problems in dir/variants.toml
    ");
}

#[test]
fn later_keys() {
    let tables = r#"[family]
name = "devbox"
repository = "acme/devbox"
[base]
repository = "acme/base"
versions = ["A", "B"]
[versions]
A = { github = "a/b" }
B = { npm = "b", min-age = "24h" }
[variants.full]
mirrors = ["docker.io/acme/full"]
smoke = { command = ["true"], max-growth = "10%" }
[mirrors]"#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[base] repository` is not supported yet
     --> dir/variants.toml:6:1
      |
    6 | repository = "acme/base"
      | ^^^^^^^^^^
      = hint: leave it out; its aliases go to `[family] repository`

    error: `[versions] A`: source `github` is not supported yet
     --> dir/variants.toml:9:7
      |
    9 | A = { github = "a/b" }
      |       ^^^^^^
      = hint: supported are `npm`, `git`, `command` and `value`

    error: `[versions.B] min-age` is not supported yet
      --> dir/variants.toml:10:18
       |
    10 | B = { npm = "b", min-age = "24h" }
       |                  ^^^^^^^
       = hint: leave it out; name an exact version in `range` to hold one back

    error: `[variants.full] mirrors` is not supported yet
      --> dir/variants.toml:12:1
       |
    12 | mirrors = ["docker.io/acme/full"]
       | ^^^^^^^
       = hint: leave it out; `[family] mirrors` get the whole family

    error: `[variants.full.smoke] max-growth` is not supported yet
      --> dir/variants.toml:13:31
       |
    13 | smoke = { command = ["true"], max-growth = "10%" }
       |                               ^^^^^^^^^^
       = hint: leave it out; `max-size` limits the image

    error: `[mirrors]` is not supported yet
      --> dir/variants.toml:14:2
       |
    14 | [mirrors]
       |  ^^^^^^^
       = hint: write `mirrors` into `[family]`: a list of repositories

    6 problems in dir/variants.toml
    "#);
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
