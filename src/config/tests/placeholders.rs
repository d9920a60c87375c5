//! Problems of placeholders and tags.

use super::report;

#[test]
fn machine_tags() {
    let tables = r#"[variant]
tags = ["base-0123456789ab-{version}", "cache-{version}"]
aliases = ["variant-{variant}-0123456789ab", "_release"]
[variants.omos]"#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[variant] tags`: `base-0123456789ab-{version}` has the form of a machine tag
     --> dir/variants.toml:3:9
      |
    3 | tags = ["base-0123456789ab-{version}", "cache-{version}"]
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = hint: rename it: `base-<12 hex>`, `variant-…-<12 hex>`, `cache-…` and `_release…` are splitbase's own

    error: `[variant] tags`: `cache-{version}` has the form of a machine tag
     --> dir/variants.toml:3:40
      |
    3 | tags = ["base-0123456789ab-{version}", "cache-{version}"]
      |                                        ^^^^^^^^^^^^^^^^^
      = hint: rename it: `base-<12 hex>`, `variant-…-<12 hex>`, `cache-…` and `_release…` are splitbase's own

    error: `[variant] aliases`: `variant-{variant}-0123456789ab` has the form of a machine tag
     --> dir/variants.toml:4:12
      |
    4 | aliases = ["variant-{variant}-0123456789ab", "_release"]
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = hint: rename it: `base-<12 hex>`, `variant-…-<12 hex>`, `cache-…` and `_release…` are splitbase's own

    error: `[variant] aliases`: `_release` has the form of a machine tag
     --> dir/variants.toml:4:46
      |
    4 | aliases = ["variant-{variant}-0123456789ab", "_release"]
      |                                              ^^^^^^^^^^
      = hint: rename it: `base-<12 hex>`, `variant-…-<12 hex>`, `cache-…` and `_release…` are splitbase's own

    4 problems in dir/variants.toml
    "#);
}

#[test]
fn tags_that_are_none() {
    let tables = r#"[variants.omos]
tags = ["{version}/x", "-{version}", "{version}{{", "{version"]"#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[variants.omos] tags`: `{version}/x` does not make a tag: `v7919.7927.7933/x`
     --> dir/variants.toml:3:9
      |
    3 | tags = ["{version}/x", "-{version}", "{version}{{", "{version"]
      |         ^^^^^^^^^^^^^
      = hint: a tag is 1 to 128 characters of `A-Z a-z 0-9 _ . -`, the first a letter, digit or `_`

    error: `[variants.omos] tags`: `-{version}` does not make a tag: `-v7919.7927.7933`
     --> dir/variants.toml:3:24
      |
    3 | tags = ["{version}/x", "-{version}", "{version}{{", "{version"]
      |                        ^^^^^^^^^^^^
      = hint: a tag is 1 to 128 characters of `A-Z a-z 0-9 _ . -`, the first a letter, digit or `_`

    error: `[variants.omos] tags`: `{version}{{` does not make a tag: `v7919.7927.7933{`
     --> dir/variants.toml:3:38
      |
    3 | tags = ["{version}/x", "-{version}", "{version}{{", "{version"]
      |                                      ^^^^^^^^^^^^^
      = hint: a tag is 1 to 128 characters of `A-Z a-z 0-9 _ . -`, the first a letter, digit or `_`

    error: `[variants.omos] tags`: `{` is not closed; a literal brace is written `{{`
     --> dir/variants.toml:3:54
      |
    3 | tags = ["{version}/x", "-{version}", "{version}{{", "{version"]
      |                                                      ^

    4 problems in dir/variants.toml
    "#);
}

#[test]
fn a_release_tag_without_version() {
    let tables = r#"[variants.omos]
tags = ["stable"]"#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[variants.omos] tags`: `stable` is the same for every version
     --> dir/variants.toml:3:9
      |
    3 | tags = ["stable"]
      |         ^^^^^^^^
      = hint: release tags are written once: put `{version}` into it, or list it under `aliases`

    1 problem in dir/variants.toml
    "#);
}

#[test]
fn the_same_tag_twice() {
    let tables = r#"[variants.a]
tags = ["{version}"]
aliases = ["latest", "latest"]
[variants.b]
tags = ["{version}", "v{major}.{minor}.{patch}{version}"]
aliases = ["latest"]
[base]
aliases = ["latest"]"#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[variants.a] aliases`: `latest` of `variant/a` is also an alias of `base`: `latest`
     --> dir/variants.toml:4:12
      |
    4 | aliases = ["latest", "latest"]
      |            ^^^^^^^^
      = hint: a tag points at one image only: rename one of them

    error: `[variants.a] aliases`: `latest` of `variant/a` is also an alias of `base`: `latest`
     --> dir/variants.toml:4:22
      |
    4 | aliases = ["latest", "latest"]
      |                      ^^^^^^^^
      = hint: a tag points at one image only: rename one of them

    error: `[variants.b] tags`: `{version}` of `variant/b` is also a release tag of `variant/a`: `{version}`
     --> dir/variants.toml:6:9
      |
    6 | tags = ["{version}", "v{major}.{minor}.{patch}{version}"]
      |         ^^^^^^^^^^^
      = hint: a tag points at one image only: rename one of them

    error: `[variants.b] aliases`: `latest` of `variant/b` is also an alias of `base`: `latest`
     --> dir/variants.toml:7:12
      |
    7 | aliases = ["latest"]
      |            ^^^^^^^^
      = hint: a tag points at one image only: rename one of them

    4 problems in dir/variants.toml
    "#);
}

#[test]
fn one_tag_listed_twice() {
    let tables = "[variants.a]\naliases = [\"latest-a\", \"latest-{variant}\"]";
    insta::assert_snapshot!(report(tables), @r#"
    error: `[variants.a] aliases`: `latest-{variant}` is listed twice for `variant/a`
     --> dir/variants.toml:3:24
      |
    3 | aliases = ["latest-a", "latest-{variant}"]
      |                        ^^^^^^^^^^^^^^^^^^
      = hint: keep one of them

    1 problem in dir/variants.toml
    "#);
}

#[test]
fn an_alias_that_is_a_release_tag() {
    let tables = r#"[variants.a]
tags = ["{version}"]
aliases = ["{major}.{minor}.{patch}"]"#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[variants.a] aliases`: `{major}.{minor}.{patch}` of `variant/a` is also a release tag of `variant/a`: `{version}`
     --> dir/variants.toml:4:12
      |
    4 | aliases = ["{major}.{minor}.{patch}"]
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^
      = hint: a tag points at one image only: rename one of them

    1 problem in dir/variants.toml
    "#);
}

#[test]
fn defaults_that_meet() {
    let tables = r#"[variants.a]
[variants.b]
tags = ["{version}-a"]"#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[variants.b] tags`: `{version}-a` of `variant/b` is also a release tag of `variant/a`: `{version}-{variant}`
     --> dir/variants.toml:4:9
      |
    4 | tags = ["{version}-a"]
      |         ^^^^^^^^^^^^^
      = hint: a tag points at one image only: rename one of them

    1 problem in dir/variants.toml
    "#);
}

#[test]
fn numbers_without_versioning() {
    let tables = r#"[family]
name = "devbox"
repository = "acme/devbox"
versioning = "none"
[variants.a]
aliases = ["{major}"]"#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[variants.a] aliases`: `versioning = "none"` has no `{major}`
     --> dir/variants.toml:7:12
      |
    7 | aliases = ["{major}"]
      |            ^^^^^^^^^
      = hint: set `[family] versioning`

    1 problem in dir/variants.toml
    "#);
}

#[test]
fn unknown_placeholders() {
    let tables = r#"[variants.a]
tags = ["{version}-{varaint}"]
[build]
args = { A = "{platform}" }
labels = { b = "{versions.NODE} {versions.NDOE}" }
[base]
extra = ["{image}", "{versions.NODE}"]
[versions]
NODE = { value = "22" }
[smoke]
command = ["x", "{family}"]
[cache]
to = "type=local,dest={variant}-{image}-{arch}""#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[variants.a] tags`: `{varaint}` is not a placeholder that is known here
     --> dir/variants.toml:3:20
      |
    3 | tags = ["{version}-{varaint}"]
      |                    ^^^^^^^^^
      = hint: did you mean `variant`?

    error: `[build.args] A`: `{platform}` is not a placeholder that is known here
     --> dir/variants.toml:5:15
      |
    5 | args = { A = "{platform}" }
      |               ^^^^^^^^^^
      = hint: known here: `{variant}`, `{image}`, `{family}`, `{versions.NAME}`; a literal brace is written `{{`

    error: `[build.labels] b`: there is no `NDOE` in `[versions]`
     --> dir/variants.toml:6:33
      |
    6 | labels = { b = "{versions.NODE} {versions.NDOE}" }
      |                                 ^^^^^^^^^^^^^^^
      = hint: did you mean `NODE`?

    error: `[base] extra`: `{image}` is not a placeholder that is known here
     --> dir/variants.toml:8:11
      |
    8 | extra = ["{image}", "{versions.NODE}"]
      |           ^^^^^^^
      = hint: known here: `{versions.NAME}`; a literal brace is written `{{`

    error: `[smoke] command`: `{family}` is not a placeholder that is known here
      --> dir/variants.toml:12:18
       |
    12 | command = ["x", "{family}"]
       |                  ^^^^^^^^
       = hint: known here: `{variant}`, `{image}`, `{platform}`, `{arch}`, `{version}`, `{versions.NAME}`; a literal brace is written `{{`

    error: `[cache] to`: `{variant}` is not a placeholder that is known here
      --> dir/variants.toml:14:23
       |
    14 | to = "type=local,dest={variant}-{image}-{arch}"
       |                       ^^^^^^^^^
       = hint: known here: `{image}`, `{arch}`; a literal brace is written `{{`

    6 problems in dir/variants.toml
    "#);
}

#[test]
fn the_version_stays_out_of_images() {
    let tables = r#"[build]
args = { A = "{version}" }
labels = { "org.opencontainers.image.revision" = "{revision}" }"#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[build.args] A`: `{version}` would change the image with every release
     --> dir/variants.toml:3:15
      |
    3 | args = { A = "{version}" }
      |               ^^^^^^^^^
      = hint: leave it out, or set `[release] stamp-version = true`

    error: `[build.labels] "org.opencontainers.image.revision"`: `{revision}` would change the image with every release
     --> dir/variants.toml:4:51
      |
    4 | labels = { "org.opencontainers.image.revision" = "{revision}" }
      |                                                   ^^^^^^^^^^
      = hint: leave it out, or set `[release] stamp-version = true`

    2 problems in dir/variants.toml
    "#);
}

#[test]
fn unless_it_is_stamped() {
    let tables = r#"[build]
args = { A = "{version}" }
labels = { "org.opencontainers.image.revision" = "{revision}" }
[release]
stamp-version = true"#;
    insta::assert_snapshot!(report(tables), @"nothing");
}

#[test]
fn variables_in_the_wrong_place() {
    let tables = r#"[build]
args = { A = "{env.HOME}" }
[variant]
tags = ["{version}-{env.USER}"]
[smoke]
command = ["{env.HOME}/x"]
env = { A = "{env.HOME}" }"#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[build.args] A`: `{env.HOME}` cannot stand here
     --> dir/variants.toml:3:15
      |
    3 | args = { A = "{env.HOME}" }
      |               ^^^^^^^^^^
      = hint: `{env.*}` is for secrets, contexts, the smoke test's `env` and `repository`

    error: `[variant] tags`: `{env.USER}` cannot stand here
     --> dir/variants.toml:5:20
      |
    5 | tags = ["{version}-{env.USER}"]
      |                    ^^^^^^^^^^
      = hint: `{env.*}` is for secrets, contexts, the smoke test's `env` and `repository`

    error: `[smoke] command`: `{env.HOME}` cannot stand here
     --> dir/variants.toml:7:13
      |
    7 | command = ["{env.HOME}/x"]
      |             ^^^^^^^^^^
      = hint: `{env.*}` is for secrets, contexts, the smoke test's `env` and `repository`

    3 problems in dir/variants.toml
    "#);
}

#[test]
fn variables_that_are_not_set() {
    let tables = r#"[family]
name = "devbox"
repository = "{env.NOWHERE}/devbox"
[build]
contexts = { a = "x/{env.EMPTY}" }"#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[family] repository`: the variable `NOWHERE` is not set
     --> dir/variants.toml:4:15
      |
    4 | repository = "{env.NOWHERE}/devbox"
      |               ^^^^^^^^^^^^^
      = hint: set it, or write the value into the file

    error: `[build.contexts] a`: the variable `EMPTY` is not set
     --> dir/variants.toml:6:21
      |
    6 | contexts = { a = "x/{env.EMPTY}" }
      |                     ^^^^^^^^^^^
      = hint: set it, or write the value into the file

    2 problems in dir/variants.toml
    "#);
}

#[test]
fn a_repository_that_is_none_when_filled_in() {
    let tables = r#"[family]
name = "devbox"
repository = "{env.REGISTRY}/Devbox""#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[family] repository`: `{env.REGISTRY}/Devbox`, with its variables filled in, is not a repository
     --> dir/variants.toml:4:14
      |
    4 | repository = "{env.REGISTRY}/Devbox"
      |              ^^^^^^^^^^^^^^^^^^^^^^^
      = hint: write `[HOST[:PORT]/]PATH` in lower case and without a tag, for example `docker.io/acme/devbox`

    1 problem in dir/variants.toml
    "#);
}

#[test]
fn braces() {
    let tables = r#"[build]
args = { A = "{", B = "}", C = "a{b c}", D = """
{x}""", E = "\u00e9{y}" }"#;
    insta::assert_snapshot!(report(tables), @r#"
    error: `[build.args] A`: `{` is not closed; a literal brace is written `{{`
     --> dir/variants.toml:3:15
      |
    3 | args = { A = "{", B = "}", C = "a{b c}", D = """
      |               ^

    error: `[build.args] B`: `}` without `{` before it; a literal brace is written `}}`
     --> dir/variants.toml:3:24
      |
    3 | args = { A = "{", B = "}", C = "a{b c}", D = """
      |                        ^

    error: `[build.args] C`: `{b c}` is not a placeholder: `{name}` or `{table.key}`
     --> dir/variants.toml:3:34
      |
    3 | args = { A = "{", B = "}", C = "a{b c}", D = """
      |                                  ^^^^^

    error: `[build.args] D`: `{x}` is not a placeholder that is known here
     --> dir/variants.toml:4:1
      |
    4 | {x}""", E = "\u00e9{y}" }
      | ^^^
      = hint: known here: `{variant}`, `{image}`, `{family}`, `{versions.NAME}`; a literal brace is written `{{`

    error: `[build.args] E`: `{y}` is not a placeholder that is known here
     --> dir/variants.toml:4:13
      |
    4 | {x}""", E = "\u00e9{y}" }
      |             ^^^^^^^^^^^
      = hint: known here: `{variant}`, `{image}`, `{family}`, `{versions.NAME}`; a literal brace is written `{{`

    5 problems in dir/variants.toml
    "#);
}
