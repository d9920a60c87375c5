//! Build options and smoke tests that cannot be meant so.

use super::report;

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
