//! The tables of images and their builds.

use super::RawSmoke;
use super::table::table;
use super::values::{Argument, InnerPath, RootPath};
use crate::config::document::{Map, Placed};
use crate::config::{HashFormat, Provenance, Refresh, Sbom, Template, Upstream};
use crate::domain::{Duration, Platform};

table! {
    /// The image that every variant is built on.
    RawBase {
        /// An image from elsewhere as the base: `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`, pinned to its digest at plan time. It is neither built nor tested nor tagged, and only `image` may stand in the table then.
        "image" image: String,
        /// The Dockerfile, relative to this file; always an input. Default: `Dockerfile.base`.
        "dockerfile" dockerfile: RootPath,
        /// The build context, relative to this file. Default: `.`.
        "context" context: RootPath,
        /// Files and folders of the context that the image is made of. Default: the whole context less `.dockerignore`.
        "inputs" inputs: Vec<Placed<InnerPath>>,
        /// How the identity is computed. Default: `tree`.
        "hash" hash: HashFormat,
        /// Further values that count in the identity and reach nothing else; `{versions.NAME}` is filled in.
        "extra" extra: Vec<Placed<Template>>,
        /// Names in `[versions]` that the build gets as arguments.
        "versions" versions: Vec<Placed<String>>,
        /// `pin`: the digest of `FROM` counts in the identity and is what is built; `float`: whatever its tag points at. Default: `pin`.
        "upstream" upstream: Upstream,
        /// How often the base is built anew though nothing else changed: `never`, `weekly` or `monthly`, in UTC. A new period is a new input, and is built without cache. Default: `never`.
        "refresh" refresh: Refresh,
        /// Changing it changes the identity, and builds without cache.
        "salt" salt: String,
        /// Whether the list of what counted in its identity is kept in the registry, for `explain`. Default: that of `[release]`.
        "publish-inputs" publish_inputs: bool,
        /// Platforms. Default: those of the family.
        "platforms" platforms: Vec<Placed<Platform>>,
        /// Tags that move at the end of a release. Default: `["base-latest"]`.
        "aliases" aliases: Vec<Placed<Template>>,
        /// Build arguments; short for `[base.build] args`.
        "args" args: Map<Argument>,
        /// Build options on top of `[build]`.
        "build" build: RawBuild,
    }
    later {
        "repository": "leave it out; its aliases go to `[family] repository`",
    }
}

table! {
    /// A variant, or the defaults of every variant.
    RawVariant {
        /// Where its release tags and aliases go, on the same registry as the family. `{env.NAME}` is filled in. Not used with `--repository`. Default: the family's.
        "repository" repository: String,
        /// The Dockerfile, relative to this file; always an input. Default: `Dockerfile.variant`.
        "dockerfile" dockerfile: RootPath,
        /// The build context, relative to this file. Default: `.`.
        "context" context: RootPath,
        /// The build argument that gets the base image by digest. Default: `BASE_IMAGE`.
        "base-arg" base_arg: String,
        /// Files and folders of the context that the image is made of. Default: the whole context less `.dockerignore`.
        "inputs" inputs: Vec<Placed<InnerPath>>,
        /// Further values that count in the identity and reach nothing else; `{versions.NAME}` is filled in.
        "extra" extra: Vec<Placed<Template>>,
        /// Names in `[versions]` that the build gets as arguments.
        "versions" versions: Vec<Placed<String>>,
        /// `pin`: the digest of `FROM` images outside the family counts in the identity; `float`: whatever their tag points at. Default: `pin`.
        "upstream" upstream: Upstream,
        /// Changing it changes the identity, and builds without cache.
        "salt" salt: String,
        /// Whether the list of what counted in its identity is kept in the registry, for `explain`. Default: that of `[release]`.
        "publish-inputs" publish_inputs: bool,
        /// Platforms. Default: those of the family.
        "platforms" platforms: Vec<Placed<Platform>>,
        /// Release tags, written once. Default: `["{version}-{variant}"]`.
        "tags" tags: Vec<Placed<Template>>,
        /// Tags that move at the end of a release. Default: `["latest-{variant}"]`.
        "aliases" aliases: Vec<Placed<Template>>,
        /// Build arguments; short for `build.args`.
        "args" args: Map<Argument>,
        /// Build options on top of `[build]`.
        "build" build: RawBuild,
        /// The smoke test; overrides `[smoke]` key by key.
        "smoke" smoke: RawSmoke,
    }
    later {
        "mirrors": "leave it out; `[family] mirrors` get the whole family",
    }
}

table! {
    /// Build options. All of it counts in the identity, but the values of secrets and ssh.
    RawBuild {
        /// Build arguments. Booleans become `true` and `false`.
        "args" args: Map<Argument>,
        /// The stage to build. Default: the last one.
        "target" target: String,
        /// Network of `RUN`: `default`, `none` or `host`. Default: `default`.
        "network" network: String,
        /// Size of `/dev/shm` in `RUN`, for example `1g`. Default: the builder's.
        "shm-size" shm_size: String,
        /// Named build contexts: a folder relative to this file, or `docker-image://IMAGE`. `{env.NAME}` is filled in.
        "contexts" contexts: Map<String>,
        /// Secrets for `RUN --mount=type=secret`.
        "secrets" secrets: Vec<Placed<RawSecret>>,
        /// SSH agents for `RUN --mount=type=ssh`: `default`, `ID` or `ID=SOCKET`.
        "ssh" ssh: Vec<Placed<String>>,
        /// Labels of the image.
        "labels" labels: Map<Template>,
        /// Provenance attestation: `off`, `min` or `max`. Default: `min`.
        "provenance" provenance: Provenance,
        /// Whether an SBOM is attested; an image with tag or digest is the scanner that makes it, instead of BuildKit's own. Default: `false`.
        "sbom" sbom: Sbom,
        /// Any other flags of `docker buildx build`, as they are; those that splitbase sets itself are refused.
        "flags" flags: Vec<Placed<String>>,
        /// Longest time that one build may take; `0s` for no limit. Default: `90m`.
        "timeout" timeout: Duration,
    }
}

table! {
    /// A secret: where its value is found, never the value. One of `env` and `file`.
    RawSecret {
        /// The id that the Dockerfile names.
        "id" id: String,
        /// The environment variable that holds it.
        "env" env: String,
        /// The file that holds it. `{env.NAME}` is filled in.
        "file" file: String,
        /// Whether the build goes on without it. Default: `false`.
        "optional" optional: bool,
    }
    needs ["id"]
}
