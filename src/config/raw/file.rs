//! The file as a whole, and its small tables.

use super::table::table;
use super::values::{Prereleases, Promote, RootPath};
use super::{RawBase, RawBuild, RawVariant, RawVersion};
use crate::config::Template;
use crate::config::document::{Map, Placed};
use crate::domain::{ByteSize, Duration, Platform, TagPattern, Versioning};

table! {
    /// A family of container images, for splitbase.
    RawFile {
        /// Version of this format: 1.
        "schema" schema: u32,
        /// What the family is called and where it goes.
        "family" family: RawFamily,
        /// The image that every variant is built on. Left out, the variants are built on what their Dockerfiles say.
        "base" base: RawBase,
        /// Build arguments whose value comes from somewhere: the argument's name and its source.
        "versions" versions: Map<RawVersion>,
        /// Build options of every image; `[base.build]`, `[variant.build]` and `[variants.NAME.build]` add to them.
        "build" build: RawBuild,
        /// Build cache.
        "cache" cache: RawCache,
        /// Defaults of every variant.
        "variant" variant: RawVariant,
        /// The variants, by name: 1 to 64 characters of `a-z 0-9 . _ -`, the first a letter or digit.
        "variants" variants: Map<RawVariant>,
        /// The smoke test of every variant; `[variants.NAME.smoke]` overrides it key by key.
        "smoke" smoke: RawSmoke,
        /// How a release ends.
        "release" release: RawRelease,
        /// What is tried again, and how often.
        "retry" retry: RawRetry,
        /// The page of the repository on Docker Hub.
        "describe" describe: RawDescribe,
        /// What `prune` keeps.
        "prune" prune: RawPrune,
        /// Signing what is published, with the program cosign.
        "sign" sign: RawSign,
    }
    needs ["schema", "family", "variants"]
    later {
        "mirrors": "write `mirrors` into `[family]`: a list of repositories",
    }
}

table! {
    /// What the family is called and where it goes.
    RawFamily {
        /// The family's name: 1 to 64 characters of `a-z 0-9 . _ -`, the first a letter or digit.
        "name" name: String,
        /// Where the family goes: `[HOST[:PORT]/]PATH`, without a tag. `{env.NAME}` is filled in. `--repository` and `SPLITBASE_REPOSITORY` override it.
        "repository" repository: String,
        /// Where machine tags go instead: identity tags, receipts, records, caches. On the same registry as `repository`. `{env.NAME}` is filled in. Not used with `--repository`. Default: `repository`.
        "work-repository" work_repository: String,
        /// Repositories that every release is copied to once it is done, on any registry. `{env.NAME}` is filled in. Not used with `--repository` or `--to`. Default: none.
        "mirrors" mirrors: Vec<Placed<String>>,
        /// Platforms of every image that does not name its own. Default: `["linux/amd64"]`.
        "platforms" platforms: Vec<Placed<Platform>>,
        /// How versions are written, and so how they are ordered. Default: `semver`.
        "versioning" versioning: Versioning,
    }
    needs ["name"]
}

table! {
    /// Build cache.
    RawCache {
        /// References to read, on top of splitbase's own. Default: none.
        "from" from: Vec<Placed<String>>,
        /// Where to write: `registry`, `none`, or any `--cache-to` value with `{image}` and `{arch}`. Default: `registry`.
        "to" to: Template,
    }
}

table! {
    /// A smoke test.
    RawSmoke {
        /// Program and arguments. A program with a slash is relative to this file.
        "command" command: Vec<Placed<Template>>,
        /// Files and folders, relative to this file: a change tests again, but does not rebuild. Default: none.
        "inputs" inputs: Vec<Placed<RootPath>>,
        /// Platforms to test. Default: all that the image is built for.
        "platforms" platforms: Vec<Placed<Platform>>,
        /// Environment of the command. `{env.NAME}` is filled in when the test runs.
        "env" env: Map<Template>,
        /// Longest time that one test may take. Default: `10m`.
        "timeout" timeout: Duration,
        /// Greatest sum of the uncompressed layers. Default: no limit.
        "max-size" max_size: ByteSize,
    }
    later {
        "max-growth": "leave it out; `max-size` limits the image",
    }
}

table! {
    /// How a release ends.
    RawRelease {
        /// Whether a release moves the aliases. Default: `auto`.
        "promote" promote: Promote,
        /// What a pre-release does to the aliases. Default: `no-aliases`.
        "prereleases" prereleases: Prereleases,
        /// Whether `{version}` and `{revision}` may be written into images, which then change with every release. Default: `false`.
        "stamp-version" stamp_version: bool,
        /// Whether the list of what counted in the identity of an image (paths, values, digests) is kept in the registry, for `explain`. Default: `true`.
        "publish-inputs" publish_inputs: bool,
    }
}

table! {
    /// What is tried again, and how often.
    RawRetry {
        /// Attempts in all, at least 1. Default: 3.
        "attempts" attempts: u32,
        /// The pause after the first attempt, the second, …; the last one repeats. Default: `["15s", "30s"]`.
        "delays" delays: Vec<Placed<Duration>>,
        /// How often a build whose `RUN` failed is run again. Default: 0.
        "build" build: u32,
        /// All pauses of a run together; those at the same time count once. Then nothing is tried again. Default: `15m`.
        "budget" budget: Duration,
    }
}

table! {
    /// What `prune` keeps. What is named in any way by what is kept is kept too.
    RawPrune {
        /// How many of the newest releases, at least 1. Default: 10.
        "keep-releases" keep_releases: u32,
        /// Releases and machine tags that are younger than this. Default: `30d`.
        "keep-younger-than" keep_younger_than: Duration,
        /// Tags that match one of these: `*` is any characters, `?` is one. Default: none.
        "keep" keep: Vec<Placed<TagPattern>>,
    }
}

table! {
    /// Signing what is published, with the program cosign.
    RawSign {
        /// Arguments of `cosign sign`. splitbase adds `--yes` and, at the end, the digest of the index of each image. cosign runs in the folder of this file, with the environment of splitbase: name keys by file, `env://NAME` or KMS, never their password.
        "cosign" cosign: Vec<Placed<String>>,
        /// Arguments of `cosign verify`, before the digest. What they accept is not signed again. Default: whatever bears a signature counts as signed.
        "verify" verify: Vec<Placed<String>>,
    }
    needs ["cosign"]
}

table! {
    /// The page of the repository on Docker Hub.
    RawDescribe {
        /// What the page is made from: Markdown with placeholders such as `{splitbase.versions}`, in a file relative to this one.
        "template" template: RootPath,
        /// Where the page is written, relative to this file. Kept with the sources; `describe --check` compares it.
        "output" output: RootPath,
        /// The short description, at most 100 bytes. Default: left as it is.
        "short" short: String,
    }
    needs ["template", "output"]
}
