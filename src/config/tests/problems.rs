//! One test for each kind of problem, as people see it.

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
fn wrong_types() {
    let tables = r#"[build]
args = { A = 3.10, B = [], "C-D" = 1, E = 0x10, F = 1979-05-27 }
sbom = "yes"
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

    error: `[build] sbom` is a string, where `true` or `false` is needed
     --> dir/variants.toml:4:8
      |
    4 | sbom = "yes"
      |        ^^^^^

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
     --> dir/variants.toml
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
fn strange_tables() {
    let tables = "[x]";
    insta::assert_snapshot!(report(tables), @"
    error: `[x]` is not a known key
     --> dir/variants.toml:2:2
      |
    2 | [x]
      |  ^
      = hint: known here: `schema`, `family`, `base`, `versions`, `build`, `cache`, `variant`, `variants`, `smoke`, `release`, `retry`

    1 problem in dir/variants.toml
    ");
}

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
      = hint: known here: `schema`, `family`, `base`, `versions`, `build`, `cache`, `variant`, `variants`, `smoke`, `release`, `retry`

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
fn secrets_in_arguments() {
    let tables = r#"[build.args]
NPM_TOKEN = "hunter2"
GREETING = "{hello}"
[variants.full]
args = { db-password = "hunter3{", Y = "{nope}" }
[versions]
API_KEY = { value = "hunter4" }"#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[build.args] NPM_TOKEN` looks like a secret, and build arguments can be read in the image
     --> dir/variants.toml:3:1
      |
    3 | NPM_TOKEN = *********
      | ^^^^^^^^^
      = hint: use `[build] secrets = [{ id = "npm-token", env = "NPM_TOKEN" }]` and `RUN --mount=type=secret,…`

    error: `[build.args] GREETING`: `{hello}` is not a placeholder that is known here
     --> dir/variants.toml:4:13
      |
    4 | GREETING = "{hello}"
      |             ^^^^^^^
      = hint: known here: `{variant}`, `{image}`, `{family}`, `{versions.NAME}`; a literal brace is written `{{`

    error: `[variants.full.args] db-password` looks like a secret, and build arguments can be read in the image
     --> dir/variants.toml:6:10
      |
    6 | args = { db-password = **************************
      |          ^^^^^^^^^^^
      = hint: use `[build] secrets = [{ id = "db-password", env = "DB_PASSWORD" }]` and `RUN --mount=type=secret,…`

    error: `[variants.full.args] Y`: `{nope}` is not a placeholder that is known here
     --> dir/variants.toml:6:41
      |
    6 | args = { db-password = **************************
      |                                         ^^^^^^
      = hint: known here: `{variant}`, `{image}`, `{family}`, `{versions.NAME}`; a literal brace is written `{{`

    error: `[versions] API_KEY` looks like a secret, and build arguments can be read in the image
     --> dir/variants.toml:8:1
      |
    8 | API_KEY = *********************
      | ^^^^^^^
      = hint: use `[build] secrets = [{ id = "api-key", env = "API_KEY" }]` and `RUN --mount=type=secret,…`

    5 problems in dir/variants.toml
    "#);
}

#[test]
fn odd_secrets() {
    let tables = r#"[build]
secrets = [{ id = "a" }, { id = "b", env = "B", file = "b" }, { id = "b", env = "B" }, { id = "x,y", env = "X" }]"#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[build] secrets`: a secret needs `env` or `file`
     --> dir/variants.toml:3:12
      |
    3 | secrets = [{ id = "a" }, { id = "b", env = "B", file = "b" }, { id = "b", env = "B" }, { id = "x,y", env = "X" }]
      |            ^^^^^^^^^^^^

    error: `[build] secrets`: a secret has `env` or `file`, not both
     --> dir/variants.toml:3:26
      |
    3 | secrets = [{ id = "a" }, { id = "b", env = "B", file = "b" }, { id = "b", env = "B" }, { id = "x,y", env = "X" }]
      |                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = hint: keep one of them

    error: `[build] secrets`: there are two secrets `b`
     --> dir/variants.toml:3:70
      |
    3 | secrets = [{ id = "a" }, { id = "b", env = "B", file = "b" }, { id = "b", env = "B" }, { id = "x,y", env = "X" }]
      |                                                                      ^^^
      = hint: keep one of them

    error: `[build] secrets`: `x,y` is not the id of a secret
     --> dir/variants.toml:3:95
      |
    3 | secrets = [{ id = "a" }, { id = "b", env = "B", file = "b" }, { id = "b", env = "B" }, { id = "x,y", env = "X" }]
      |                                                                                               ^^^^^

    4 problems in dir/variants.toml
    "#);
}

#[test]
fn flags_that_splitbase_sets() {
    let tables = r#"[build]
flags = ["--ulimit", "nofile=1", "--tag=x", "-t", "y", ".", "--no-cache"]"#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[build] flags`: splitbase sets `--tag` itself
     --> dir/variants.toml:3:34
      |
    3 | flags = ["--ulimit", "nofile=1", "--tag=x", "-t", "y", ".", "--no-cache"]
      |                                  ^^^^^^^^^
      = hint: use `tags` and `aliases`

    error: `[build] flags`: splitbase sets `-t` itself
     --> dir/variants.toml:3:45
      |
    3 | flags = ["--ulimit", "nofile=1", "--tag=x", "-t", "y", ".", "--no-cache"]
      |                                             ^^^^
      = hint: use `tags` and `aliases`

    error: `[build] flags`: `.` is neither a flag nor the value of one
     --> dir/variants.toml:3:56
      |
    3 | flags = ["--ulimit", "nofile=1", "--tag=x", "-t", "y", ".", "--no-cache"]
      |                                                        ^^^
      = hint: every flag and its value is one string each

    error: `[build] flags`: splitbase sets `--no-cache` itself
     --> dir/variants.toml:3:61
      |
    3 | flags = ["--ulimit", "nofile=1", "--tag=x", "-t", "y", ".", "--no-cache"]
      |                                                             ^^^^^^^^^^^^
      = hint: use the flag `--rebuild`

    4 problems in dir/variants.toml
    "#);
}

#[test]
fn arguments_that_splitbase_sets() {
    let tables = r#"[versions]
NODE = { value = "22" }
[variants.full]
versions = ["NODE", "NODE", "NOED"]
args = { BASE_IMAGE = "debian", NODE = "20" }"#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[variants.full] versions`: `NODE` is listed twice
     --> dir/variants.toml:5:21
      |
    5 | versions = ["NODE", "NODE", "NOED"]
      |                     ^^^^^^
      = hint: keep one of them

    error: `[variants.full] versions`: there is no `NOED` in `[versions]`
     --> dir/variants.toml:5:29
      |
    5 | versions = ["NODE", "NODE", "NOED"]
      |                             ^^^^^^
      = hint: did you mean `NODE`?

    error: `BASE_IMAGE` is the argument that gets the base image
     --> dir/variants.toml:6:10
      |
    6 | args = { BASE_IMAGE = "debian", NODE = "20" }
      |          ^^^^^^^^^^
      = hint: leave it out, or set `base-arg` to another name

    error: `NODE` gets its value from `[versions]` and cannot be set here too
     --> dir/variants.toml:6:33
      |
    6 | args = { BASE_IMAGE = "debian", NODE = "20" }
      |                                 ^^^^
      = hint: keep one of them

    4 problems in dir/variants.toml
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
fn a_version_that_nothing_uses() {
    let tables = r#"[versions]
NODE = { value = "22" }"#;
    insta::assert_snapshot!(report(tables), @r#"
    warning: no image uses `NODE` of `[versions]`
     --> dir/variants.toml:3:1
      |
    3 | NODE = { value = "22" }
      | ^^^^
      = hint: list it in an image's `versions`, or leave it out

    1 warning in dir/variants.toml
    "#);
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

#[test]
fn concat_needs_inputs() {
    let tables = r#"[base]
hash = "concat""#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[base] hash`: `concat` needs `inputs`
     --> dir/variants.toml:3:8
      |
    3 | hash = "concat"
      |        ^^^^^^^^
      = hint: list them in the order in which they are hashed; the Dockerfile goes before them

    1 problem in dir/variants.toml
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
fn cache_that_is_overwritten() {
    let tables = r#"[cache]
to = "type=local,dest=/cache/{image}""#;
    insta::assert_snapshot!(report(tables), @r#"
    warning: `[cache] to`: without `{arch}` builds overwrite each other's cache
     --> dir/variants.toml:3:6
      |
    3 | to = "type=local,dest=/cache/{image}"
      |      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = hint: put `{image}` and `{arch}` into it

    1 warning in dir/variants.toml
    "#);
}

#[test]
fn a_smoke_test_without_command() {
    let tables = r#"[smoke]
timeout = "5m""#;
    insta::assert_snapshot!(report(tables), @r#"
    error: the smoke test has no `command`
     --> dir/variants.toml:3:11
      |
    3 | timeout = "5m"
      |           ^^^^
      = hint: add `command` to `[smoke]`

    1 problem in dir/variants.toml
    "#);
}

#[test]
fn a_smoke_test_that_is_no_input() {
    let tables = r#"[smoke]
command = ["./scripts/smoke.sh"]
inputs = ["script"]"#;
    insta::assert_snapshot!(report(tables), @r#"
    warning: `[smoke] command`: `scripts/smoke.sh` is not among the test's `inputs`
     --> dir/variants.toml:3:12
      |
    3 | command = ["./scripts/smoke.sh"]
      |            ^^^^^^^^^^^^^^^^^^^^
      = hint: add `inputs = ["scripts/smoke.sh"]`, so that a change of it tests again

    1 warning in dir/variants.toml
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
