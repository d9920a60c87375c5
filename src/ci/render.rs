//! The text of the workflows. They call splitbase and hold no logic: what differs from run to run comes as variables, never as a word in a
//! script, where whoever starts the job could write commands. No step needs more than `sh`, git, docker and splitbase, so none
//! is an action that would want Node.js.

use super::{Forge, Settings};
use crate::config::{Family, SecretSource};
use crate::domain::Repository;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Registers QEMU for other architectures with the engine's kernel.
const BINFMT: &str = "docker.io/tonistiigi/binfmt:qemu-v10.2.3@sha256:400a4873b838d1b89194d982c45e5fb3cda4593fbfd7e08a02e76b03b21166f0";

const CHECK_OUT: &str = r#"      - name: Check out
        env:
          GIT_TOKEN: ${{ github.token }}
        run: |
          git init --quiet
          git -c 'credential.helper=!echo username=x-access-token; echo "password=$GIT_TOKEN"; :' \
            fetch --quiet --no-tags --depth=1 "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY" "$GITHUB_SHA"
          git checkout --quiet --force --detach FETCH_HEAD
          git clean --quiet -ffdx
"#;

/// Releases a family: a tag was pushed, or somebody asks for it.
pub(super) fn release(family: &Family, forge: Forge, settings: &Settings) -> String {
    let Login {
        username,
        password,
        packages,
    } = login(&family.repository, forge);
    let mut text = head(family, settings, "release");
    text.push_str(
        r#"on:
  push:
    tags: ["v*"]
  workflow_dispatch:
    inputs:
      version:
        description: The version to release, for example v1.2.3
        type: string
        required: true
      promote_latest:
        description: Move the aliases (latest and the like) to this release
        type: boolean
        default: true

permissions: {}

# One release of this family at a time; one that has begun goes on to its end.
"#,
    );
    let _ = write!(
        text,
        "concurrency:\n  group: release-{}\n  cancel-in-progress: false\n\n",
        family.name
    );
    job(&mut text, family, settings, "release", packages);
    text.push_str(CHECK_OUT);
    install(&mut text, settings);
    emulate(&mut text, family, settings);
    text.push_str("      - name: Release\n        env:\n");
    text.push_str(
        "          # Empty when a tag was pushed: the tag is the version then.\n          \
         SPLITBASE_VERSION: ${{ inputs.version }}\n          \
         # As text, because some forges hand over a boolean and some its name.\n          \
         SPLITBASE_NO_PROMOTE: ${{ format('{0}', inputs.promote_latest) == 'false' }}\n",
    );
    if let (Some(username), Some(password)) = (username, password) {
        let _ = write!(
            text,
            "          SPLITBASE_USERNAME: ${{{{ {username} }}}}\n          SPLITBASE_PASSWORD: ${{{{ {password} }}}}\n"
        );
    }
    secrets(&mut text, family);
    text.push_str("        run: splitbase release\n");
    text
}

/// Builds and tests what a pull request would change. It writes to no registry and needs no credentials.
pub(super) fn validate(family: &Family, forge: Forge, settings: &Settings) -> String {
    let mut text = head(family, settings, "validate");
    text.push_str(
        r"on:
  pull_request:

permissions: {}

# Only the newest state of a pull request is of interest.
concurrency:
",
    );
    let _ = write!(
        text,
        "  group: validate-{}-${{{{ github.ref }}}}\n  cancel-in-progress: true\n\n",
        family.name
    );
    job(&mut text, family, settings, "validate", false);
    text.push_str(CHECK_OUT);
    install(&mut text, settings);
    if forge == Forge::Github && settings.runner.starts_with("ubuntu-") {
        text.push_str(
            "      # The engine of GitHub's own runners keeps images in the classic store, and cannot export them into a folder.\n      \
             - name: Make a builder\n        run: docker buildx create --driver docker-container --use\n",
        );
    }
    text.push_str("      - name: Validate\n");
    let mut env = String::new();
    secrets(&mut env, family);
    if !env.is_empty() {
        let _ = write!(text, "        env:\n{env}");
    }
    text.push_str("        run: splitbase validate\n");
    text
}

/// Settings and name.
fn head(family: &Family, settings: &Settings, verb: &str) -> String {
    format!("{}\nname: {verb} {}\n\n", settings.line(), family.name)
}

/// The job up to its steps.
fn job(text: &mut String, family: &Family, settings: &Settings, id: &str, packages: bool) {
    let _ = write!(
        text,
        "jobs:\n  {id}:\n    name: {id} {}\n    runs-on: {}\n",
        family.name, settings.runner
    );
    if let Some(container) = &settings.container {
        let _ = write!(
            text,
            "    # It has git, docker with buildx, and splitbase; runners give it the engine's socket.\n    container: {container}\n"
        );
    } else if settings.action.is_none() {
        text.push_str("    # The runner has git, docker with buildx, and splitbase.\n");
    }
    text.push_str("    permissions:\n      contents: read\n");
    if packages {
        text.push_str("      packages: write # the images\n");
    }
    text.push_str("    env:\n");
    if settings.file != "variants.toml" {
        let _ = writeln!(text, "      SPLITBASE_FILE: {}", settings.file);
    }
    text.push_str(
        "      # The work folder may belong to another user than the one who runs in the container.\n      \
         GIT_CONFIG_COUNT: \"1\"\n      GIT_CONFIG_KEY_0: safe.directory\n      GIT_CONFIG_VALUE_0: \"*\"\n    steps:\n",
    );
}

fn install(text: &mut String, settings: &Settings) {
    if let Some(action) = &settings.action {
        // GitHub has a newer way to say it, which no other forge understands.
        let ignore = if action.starts_with("./") {
            " # zizmor: ignore[self-repository]"
        } else {
            ""
        };
        let _ = write!(
            text,
            "      - name: Get splitbase\n        uses: {action}{ignore}\n"
        );
    }
}

/// Emulation for the platforms that the runner is not.
fn emulate(text: &mut String, family: &Family, settings: &Settings) {
    let arm = settings
        .runner
        .split(|char: char| !char.is_ascii_alphanumeric())
        .any(|word| matches!(word, "arm" | "arm64" | "aarch64"));
    // A processor of 64 bits runs programs for 32 as they are; not every arm64 does.
    let native: &[&str] = if arm { &["arm64"] } else { &["amd64", "386"] };
    let foreign: BTreeSet<&str> = family
        .images
        .iter()
        .flat_map(|image| &image.platforms)
        .map(crate::domain::Platform::architecture)
        .filter(|architecture| !native.contains(architecture))
        .collect();
    if !foreign.is_empty() {
        let foreign = foreign.into_iter().collect::<Vec<_>>().join(",");
        let _ = write!(
            text,
            "      - name: Emulate other platforms\n        \
             run: docker run --rm --privileged {BINFMT} --install {foreign}\n"
        );
    }
}

/// Secrets of builds that come from variables, from the forge's secrets of the same names.
fn secrets(text: &mut String, family: &Family) {
    let secrets = family.images.iter().flat_map(|image| &image.build.secrets);
    let variables: BTreeSet<&String> = secrets
        .filter_map(|secret| match &secret.source {
            SecretSource::Env(variable) => Some(variable),
            SecretSource::File(_) => None,
        })
        .filter(|variable| is_identifier(variable))
        .collect();
    for variable in variables {
        let _ = writeln!(text, "          {variable}: ${{{{ secrets.{variable} }}}}");
    }
}

/// What forges take as the name of a secret.
fn is_identifier(name: &str) -> bool {
    name.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_')
        && name
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || char == '_')
        && !name.to_ascii_uppercase().starts_with("GITHUB_")
}

/// The expressions of the credentials for the family's registry, and whether the job's own token is what gets in.
struct Login {
    username: Option<&'static str>,
    password: Option<&'static str>,
    packages: bool,
}

fn login(repository: &Repository, forge: Forge) -> Login {
    let host = repository.host();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let (username, password) = match (name, forge) {
        ("localhost" | "127.0.0.1" | "[::1]", _) => (None, None),
        ("ghcr.io", Forge::Github) => (Some("github.actor"), Some("github.token")),
        ("docker.io", _) => (
            Some("secrets.DOCKERHUB_USERNAME"),
            Some("secrets.DOCKERHUB_TOKEN"),
        ),
        _ => (Some("secrets.REGISTRY_USERNAME"), Some("secrets.REGISTRY_TOKEN")),
    };
    Login {
        username,
        password,
        packages: password == Some("github.token"),
    }
}
