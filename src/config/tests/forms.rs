//! Texts that do not have the form of what they stand for.

use super::report;

#[test]
fn bad_names() {
    let tables = r#"[family]
name = "Dev Box"
repository = "acme/devbox"
[variants."Ful l"]
[variant]
base-arg = "BASE-IMAGE""#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[family] name`: `Dev Box` is not the name of a family
     --> dir/variants.toml:3:8
      |
    3 | name = "Dev Box"
      |        ^^^^^^^^^
      = hint: write 1 to 64 characters of `a-z 0-9 . _ -`, the first a letter or digit

    error: `Ful l` is not a variant name
     --> dir/variants.toml:5:11
      |
    5 | [variants."Ful l"]
      |           ^^^^^^^
      = hint: write 1 to 64 characters of `a-z 0-9 . _ -`, the first a letter or digit

    error: `[variant] base-arg`: no build argument can have the name `BASE-IMAGE`
     --> dir/variants.toml:7:12
      |
    7 | base-arg = "BASE-IMAGE"
      |            ^^^^^^^^^^^^
      = hint: names are letters, digits and `_`, the first no digit

    3 problems in dir/variants.toml
    "#);
}

#[test]
fn bad_quantities() {
    let tables = r#"[build]
timeout = "90"
shm-size = "1 gig"
network = "hots"
[smoke]
command = ["true"]
max-size = "2.5"
timeout = "0s"
[retry]
attempts = 0
delays = ["15 s"]"#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[build] timeout`: `90` is not a time
     --> dir/variants.toml:3:11
      |
    3 | timeout = "90"
      |           ^^^^
      = hint: write whole numbers with `ms s m h d`, for example `90s` or `1h30m`

    error: `[build] shm-size`: `1 gig` is not a size
     --> dir/variants.toml:4:12
      |
    4 | shm-size = "1 gig"
      |            ^^^^^^^
      = hint: write a whole number and `b`, `k`, `m` or `g`, for example `1g`

    error: `[build] network`: `hots` is not a network of builds
     --> dir/variants.toml:5:11
      |
    5 | network = "hots"
      |           ^^^^^^
      = hint: known here: `default`, `none`, `host`

    error: `[smoke] max-size`: `2.5` is not a size
     --> dir/variants.toml:8:12
      |
    8 | max-size = "2.5"
      |            ^^^^^
      = hint: write a number and one of `B kB KB MB GB TB KiB MiB GiB TiB`, for example `2.5GB`

    error: `[smoke] timeout`: no test ends in no time
     --> dir/variants.toml:9:11
      |
    9 | timeout = "0s"
      |           ^^^^

    error: `[retry] attempts` is less than 1
      --> dir/variants.toml:11:12
       |
    11 | attempts = 0
       |            ^
       = hint: 1 is a single attempt

    error: `[retry] delays`: `15 s` is not a time
      --> dir/variants.toml:12:11
       |
    12 | delays = ["15 s"]
       |           ^^^^^^
       = hint: write whole numbers with `ms s m h d`, for example `90s` or `1h30m`

    7 problems in dir/variants.toml
    "#);
}

#[test]
fn bad_paths() {
    let tables = r#"[base]
dockerfile = "/Dockerfile"
context = ""
inputs = ["../up", "a/../../b"]"#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[base] dockerfile`: `/Dockerfile` is absolute
     --> dir/variants.toml:3:14
      |
    3 | dockerfile = "/Dockerfile"
      |              ^^^^^^^^^^^^^
      = hint: write a path relative to this file's folder

    error: `[base] context` is empty
     --> dir/variants.toml:4:11
      |
    4 | context = ""
      |           ^^
      = hint: write a path relative to this file's folder

    error: `[base] inputs`: `../up` may lead out of the build context
     --> dir/variants.toml:5:11
      |
    5 | inputs = ["../up", "a/../../b"]
      |           ^^^^^^^
      = hint: name a path inside the context, or set `context` to a folder further up

    error: `[base] inputs`: `a/../../b` may lead out of the build context
     --> dir/variants.toml:5:20
      |
    5 | inputs = ["../up", "a/../../b"]
      |                    ^^^^^^^^^^^
      = hint: name a path inside the context, or set `context` to a folder further up

    4 problems in dir/variants.toml
    "#);
}

#[test]
fn bad_platforms() {
    let tables = r#"[family]
name = "devbox"
repository = "acme/devbox"
platforms = ["linux/arm64", "linux/arm64/v8"]
[variants.full]
platforms = ["linux/amd64", "linux/arm64"]
smoke = { command = ["true"], platforms = ["linux/s390x"] }
[variants.none]
platforms = []
[smoke]
platforms = ["linux/riscv64"]"#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[family] platforms`: `linux/arm64` is listed twice
     --> dir/variants.toml:5:29
      |
    5 | platforms = ["linux/arm64", "linux/arm64/v8"]
      |                             ^^^^^^^^^^^^^^^^
      = hint: keep one of them

    error: `variant/full` is built for `linux/amd64`, but the base is not
     --> dir/variants.toml:7:14
      |
    7 | platforms = ["linux/amd64", "linux/arm64"]
      |              ^^^^^^^^^^^^^
      = hint: add it to the base's platforms, or leave it out of the variant's

    error: `[variants.full.smoke] platforms`: the image is not built for `linux/s390x`
     --> dir/variants.toml:8:44
      |
    8 | smoke = { command = ["true"], platforms = ["linux/s390x"] }
      |                                            ^^^^^^^^^^^^^
      = hint: add it to the image's `platforms`, or leave it out

    error: `[variants.none] platforms` names no platform
      --> dir/variants.toml:10:13
       |
    10 | platforms = []
       |             ^^
       = hint: name at least one, for example `linux/amd64`

    error: the smoke test has no `command`
      --> dir/variants.toml:12:13
       |
    12 | platforms = ["linux/riscv64"]
       |             ^^^^^^^^^^^^^^^^^
       = hint: add `command` to `[smoke]`

    error: `[smoke] platforms`: no image is built for `linux/riscv64`
      --> dir/variants.toml:12:14
       |
    12 | platforms = ["linux/riscv64"]
       |              ^^^^^^^^^^^^^^^
       = hint: add it to `[family] platforms`, or leave it out

    6 problems in dir/variants.toml
    "#);
}

#[test]
fn odd_versions() {
    let tables = r#"[versions]
A = { npm = "a", git = "b" }
B = { npm = "a b" }
C = "22"
D = { git = "https://me:hunter2@example.org/x", ref = "-x" }
E = { command = [], pattern = "x" }
F = { value = "" }
G = { valeu = "1" }
[base]
versions = ["A", "B", "C", "D", "E", "F", "G"]"#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[versions] A` has several sources: `npm`, `git`
     --> dir/variants.toml:3:1
      |
    3 | A = { npm = "a", git = "b" }
      | ^
      = hint: keep one of them

    error: `[versions.B] npm`: `a b` is not the name of an npm package
     --> dir/variants.toml:4:13
      |
    4 | B = { npm = "a b" }
      |             ^^^^^
      = hint: write `name` or `@scope/name`, without a version

    error: `[versions] C` is a string, where a table with `npm`, `git`, `command` or `value` is needed
     --> dir/variants.toml:5:5
      |
    5 | C = "22"
      |     ^^^^
      = hint: write `C = { value = "…" }` for a fixed value

    error: `[versions.D] git` holds a password
     --> dir/variants.toml:6:13
      |
    6 | D = { git = **********************************, ref = "-x" }
      |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = hint: leave it out, and let git's credential helper or ssh give it

    error: `[versions.D] ref`: `-x` is not a branch, tag or ref
     --> dir/variants.toml:6:55
      |
    6 | D = { git = **********************************, ref = "-x" }
      |                                                       ^^^^

    error: `[versions.E] command` is empty
     --> dir/variants.toml:7:17
      |
    7 | E = { command = [], pattern = "x" }
      |                 ^^
      = hint: write the program and its arguments, one string each

    error: `[versions.F] value` is empty
     --> dir/variants.toml:8:15
      |
    8 | F = { value = "" }
      |               ^^

    error: `[versions] G` has no source
     --> dir/variants.toml:9:1
      |
    9 | G = { valeu = "1" }
      | ^
      = hint: did you mean `value`?

    8 problems in dir/variants.toml
    "#);
}

#[test]
fn odd_cache() {
    let tables = r#"[cache]
from = ["Acme/x", "type=gha", "acme/x:y"]
to = "regsitry""#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[cache] from`: `Acme/x` is not an image reference
     --> dir/variants.toml:3:9
      |
    3 | from = ["Acme/x", "type=gha", "acme/x:y"]
      |         ^^^^^^^^
      = hint: write `[HOST[:PORT]/]PATH:TAG`, or a whole `--cache-from` value like `type=…`

    error: `[cache] to`: `regsitry` is not a place for build cache
     --> dir/variants.toml:4:6
      |
    4 | to = "regsitry"
      |      ^^^^^^^^^^
      = hint: write `registry`, `none`, or a whole `--cache-to` value like `type=…`

    2 problems in dir/variants.toml
    "#);
}

#[test]
fn a_context_with_two_schemes() {
    let tables = "[build]\ncontexts = { a = \"docker-image://docker-image://x\" }";
    let report = report(tables);
    assert!(
        report.contains("`[build.contexts] a` is neither a folder nor an image"),
        "{report}"
    );
}

#[test]
fn odd_contexts() {
    let tables = r#"[build]
contexts = { a = "https://example.org/x", b = "docker-image://", "c d" = "x", e = "" }
labels = { "a b" = "x" }"#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[build.contexts] a` is neither a folder nor an image
     --> dir/variants.toml:3:18
      |
    3 | contexts = { a = "https://example.org/x", b = "docker-image://", "c d" = "x", e = "" }
      |                  ^^^^^^^^^^^^^^^^^^^^^^^
      = hint: write a folder, or `docker-image://IMAGE`; others are not supported yet

    error: `[build.contexts] b` is neither a folder nor an image
     --> dir/variants.toml:3:47
      |
    3 | contexts = { a = "https://example.org/x", b = "docker-image://", "c d" = "x", e = "" }
      |                                               ^^^^^^^^^^^^^^^^^
      = hint: write a folder, or `docker-image://IMAGE`; others are not supported yet

    error: `c d` is not the name of a build context
     --> dir/variants.toml:3:66
      |
    3 | contexts = { a = "https://example.org/x", b = "docker-image://", "c d" = "x", e = "" }
      |                                                                  ^^^^^
      = hint: names are not empty, and hold no `=` and no white space

    error: `[build.contexts] e` is neither a folder nor an image
     --> dir/variants.toml:3:83
      |
    3 | contexts = { a = "https://example.org/x", b = "docker-image://", "c d" = "x", e = "" }
      |                                                                                   ^^
      = hint: write a folder, or `docker-image://IMAGE`; others are not supported yet

    error: `a b` is not the name of a label
     --> dir/variants.toml:4:12
      |
    4 | labels = { "a b" = "x" }
      |            ^^^^^
      = hint: names are not empty, and hold no `=` and no white space

    5 problems in dir/variants.toml
    "#);
}
