//! What is wrong with a file as a document: its keys and the kinds of its values.

use super::{file, parsed, report};

#[test]
fn all_at_once_in_the_order_of_the_file() {
    let tables = r#"[family]
nmae = "devbox"
repository = "Acme/devbox"
platforms = ["amd64", 5, "linux/arm64"]
versioning = "semver-leter"
[base]
inputs = "rootfs"
[variant]
tags = ["{version}-{varient}"]
[variants.omos]
aliases = ["base-0123456789ab"]"#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[family] name` is missing
     --> dir/variants.toml:2:2
      |
    2 | [family]
      |  ^^^^^^

    error: `[family] nmae` is not a known key
     --> dir/variants.toml:3:1
      |
    3 | nmae = "devbox"
      | ^^^^
      = hint: did you mean `name`?

    error: `[family] repository`: `Acme/devbox` is not a repository
     --> dir/variants.toml:4:14
      |
    4 | repository = "Acme/devbox"
      |              ^^^^^^^^^^^^^
      = hint: write `[HOST[:PORT]/]PATH` in lower case and without a tag, for example `docker.io/acme/devbox`

    error: `[family] platforms`: `amd64` is not a platform
     --> dir/variants.toml:5:14
      |
    5 | platforms = ["amd64", 5, "linux/arm64"]
      |              ^^^^^^^
      = hint: write `linux/ARCH` or `linux/ARCH/VARIANT`, for example `linux/arm64`

    error: an item of `[family] platforms` is an integer, where a string is needed
     --> dir/variants.toml:5:23
      |
    5 | platforms = ["amd64", 5, "linux/arm64"]
      |                       ^

    error: `[family] versioning`: `semver-leter` is not a known word
     --> dir/variants.toml:6:14
      |
    6 | versioning = "semver-leter"
      |              ^^^^^^^^^^^^^^
      = hint: did you mean `semver-letter`?

    error: `[base] inputs` is a string, where an array is needed
     --> dir/variants.toml:8:10
      |
    8 | inputs = "rootfs"
      |          ^^^^^^^^
      = hint: write `inputs = ["rootfs"]`

    error: `[variant] tags`: `{varient}` is not a placeholder that is known here
      --> dir/variants.toml:10:20
       |
    10 | tags = ["{version}-{varient}"]
       |                    ^^^^^^^^^
       = hint: did you mean `variant`?

    error: `[variants.omos] aliases`: `base-0123456789ab` has the form of a machine tag
      --> dir/variants.toml:12:12
       |
    12 | aliases = ["base-0123456789ab"]
       |            ^^^^^^^^^^^^^^^^^^^
       = hint: rename it: `base-<12 hex>`, `variant-…-<12 hex>`, `cache-…` and `_release…` are splitbase's own

    9 problems in dir/variants.toml
    "#);
}

#[test]
fn not_toml() {
    let tables = r#"[family
name = "x""#;
    insta::assert_snapshot!(report(tables), @"
    error: not TOML: unclosed table, expected `]`
     --> dir/variants.toml:2:8
      |
    2 | [family
      |        ^

    1 problem in dir/variants.toml
    ");
}

#[test]
fn not_toml_hides_secrets() {
    let tables = r#"[build.args]
NPM_TOKEN = "hunter2"#;
    insta::assert_snapshot!(report(tables), @r#"
    error: not TOML: invalid basic string, expected `"`
     --> dir/variants.toml:3:21
      |
    3 | NPM_TOKEN = ********
      |                     ^

    1 problem in dir/variants.toml
    "#);
}

#[test]
fn a_key_written_twice() {
    let tables = "[build]\nsbom = true\nsbom = false";
    insta::assert_snapshot!(report(tables), @"
    error: not TOML: duplicate key
     --> dir/variants.toml:4:1
      |
    4 | sbom = false
      | ^^^^

    1 problem in dir/variants.toml
    ");
}

#[test]
fn unknown_keys() {
    let tables = r#"[build]
platform = "linux/amd64"
arg = {}
[variants.full.smok]
[buidl]"#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[build] platform` is not a known key
     --> dir/variants.toml:3:1
      |
    3 | platform = "linux/amd64"
      | ^^^^^^^^
      = hint: known here: `args`, `target`, `network`, `shm-size`, `contexts`, `secrets`, `ssh`, `labels`, `provenance`, `sbom`, `flags`, `timeout`

    error: `[build] arg` is not a known key
     --> dir/variants.toml:4:1
      |
    4 | arg = {}
      | ^^^
      = hint: did you mean `args`?

    error: `[variants.full] smok` is not a known key
     --> dir/variants.toml:5:16
      |
    5 | [variants.full.smok]
      |                ^^^^
      = hint: did you mean `smoke`?

    error: `[buidl]` is not a known key
     --> dir/variants.toml:6:2
      |
    6 | [buidl]
      |  ^^^^^
      = hint: did you mean `build`?

    4 problems in dir/variants.toml
    "#);
}

#[test]
fn strange_tables() {
    let tables = "[x]";
    insta::assert_snapshot!(report(tables), @"
    error: `[x]` is not a known key
     --> dir/variants.toml:2:2
      |
    2 | [x]
      |  ^
      = hint: known here: `schema`, `family`, `base`, `versions`, `build`, `cache`, `variant`, `variants`, `smoke`, `release`, `retry`, `describe`, `prune`, `sign`

    1 problem in dir/variants.toml
    ");
}

#[test]
fn wrong_types() {
    let tables = r#"[build]
args = { A = 3.10, B = [], "C-D" = 1, E = 0x10, F = 1979-05-27 }
sbom = 1
ssh = "default"
labels = 1
timeout = 5
flags = [1]
[retry]
attempts = -1
build = 99999999999
[variants]
full = "x""#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[build.args] A` is a number with a fraction, where a string, a boolean or a whole number is needed
     --> dir/variants.toml:3:14
      |
    3 | args = { A = 3.10, B = [], "C-D" = 1, E = 0x10, F = 1979-05-27 }
      |              ^^^^
      = hint: put it in quotes, so that it arrives as it is written

    error: `[build.args] B` is an array, where a string, a boolean or a whole number is needed
     --> dir/variants.toml:3:24
      |
    3 | args = { A = 3.10, B = [], "C-D" = 1, E = 0x10, F = 1979-05-27 }
      |                        ^^

    error: `[build.args] C-D`: no build argument can have this name
     --> dir/variants.toml:3:28
      |
    3 | args = { A = 3.10, B = [], "C-D" = 1, E = 0x10, F = 1979-05-27 }
      |                            ^^^^^
      = hint: names are letters, digits and `_`, the first no digit

    error: `[build.args] E` is an integer, where a decimal number is needed
     --> dir/variants.toml:3:43
      |
    3 | args = { A = 3.10, B = [], "C-D" = 1, E = 0x10, F = 1979-05-27 }
      |                                           ^^^^
      = hint: write it in decimal, or in quotes

    error: `[build.args] F` is a date or time, where a string, a boolean or a whole number is needed
     --> dir/variants.toml:3:53
      |
    3 | args = { A = 3.10, B = [], "C-D" = 1, E = 0x10, F = 1979-05-27 }
      |                                                     ^^^^^^^^^^
      = hint: put it in quotes, so that it arrives as it is written

    error: `[build] sbom` is an integer, where `true`, `false` or an image is needed
     --> dir/variants.toml:4:8
      |
    4 | sbom = 1
      |        ^

    error: `[build] ssh` is a string, where an array is needed
     --> dir/variants.toml:5:7
      |
    5 | ssh = "default"
      |       ^^^^^^^^^
      = hint: write `ssh = ["default"]`

    error: `[build] labels` is an integer, where a table is needed
     --> dir/variants.toml:6:10
      |
    6 | labels = 1
      |          ^

    error: `[build] timeout` is an integer, where a string is needed
     --> dir/variants.toml:7:11
      |
    7 | timeout = 5
      |           ^

    error: an item of `[build] flags` is an integer, where a string is needed
     --> dir/variants.toml:8:10
      |
    8 | flags = [1]
      |          ^

    error: `[retry] attempts` is out of range
      --> dir/variants.toml:10:12
       |
    10 | attempts = -1
       |            ^^
       = hint: 0 to 4294967295

    error: `[retry] build` is out of range
      --> dir/variants.toml:11:9
       |
    11 | build = 99999999999
       |         ^^^^^^^^^^^
       = hint: 0 to 4294967295

    error: `[variants] full` is a string, where a table is needed
      --> dir/variants.toml:13:8
       |
    13 | full = "x"
       |        ^^^

    13 problems in dir/variants.toml
    "#);
}

#[test]
fn missing_keys() {
    let tables = r#"[family]
[versions]
X = { command = ["x"] }
Y = {}
[base]
versions = ["X", "Y"]
[build]
secrets = [{ env = "A" }]"#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[family] repository` is missing
     --> dir/variants.toml:2:1
      |
    2 | [family]
      | ^^^^^^^^
      = hint: add it, or give `--repository` or `SPLITBASE_REPOSITORY`

    error: `[family] name` is missing
     --> dir/variants.toml:2:2
      |
    2 | [family]
      |  ^^^^^^

    error: `[versions.X] pattern` is missing
     --> dir/variants.toml:4:1
      |
    4 | X = { command = ["x"] }
      | ^

    error: `[versions] Y` has no source
     --> dir/variants.toml:5:1
      |
    5 | Y = {}
      | ^
      = hint: supported are `npm`, `git`, `command` and `value`

    error: `[build.secrets] id` is missing
     --> dir/variants.toml:9:12
      |
    9 | secrets = [{ env = "A" }]
      |            ^^^^^^^^^^^^^

    5 problems in dir/variants.toml
    "#);
}

#[test]
fn wide_text_and_tabs() {
    let tables = r#"[family]
name	= "漢字" # é
repository = "acme/devbox""#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[family] name`: `漢字` is not the name of a family
     --> dir/variants.toml:3:8
      |
    3 | name    = "漢字" # é
      |           ^^^^^^
      = hint: write 1 to 64 characters of `a-z 0-9 . _ -`, the first a letter or digit

    1 problem in dir/variants.toml
    "#);
}

#[test]
fn as_json() {
    let errors = parsed(&file("[buidl]")).unwrap_err();
    insta::assert_snapshot!(serde_json::to_string_pretty(&errors).unwrap(), @r#"
    {
      "file": "dir/variants.toml",
      "problems": [
        {
          "file": "dir/variants.toml",
          "place": {
            "line": 2,
            "column": 2,
            "length": 5,
            "text": "[buidl]"
          },
          "severity": "error",
          "message": "`[buidl]` is not a known key",
          "hint": "did you mean `build`?"
        }
      ]
    }
    "#);
}
