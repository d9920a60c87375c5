//! The command line.

use crate::domain::{Destination, ImageId, Platform, Repository, VariantName, Version};
use crate::init::BaseImage;
use crate::plan::Rebuild;
use crate::report::{ColorMode, ProgressMode};
use camino::Utf8PathBuf;
use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::civil::Date;

/// Releases families of container images: builds what is missing, tests what it publishes, moves tags last.
#[derive(Debug, Parser)]
#[command(
    name = "splitbase",
    version,
    max_term_width = 100,
    disable_help_subcommand = true
)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 smoke test failed, 4 something to do \
    (plan --exit-code), 5 registry or version source not readable, 6 push failed, 7 refused, 8 cut off while publishing, \
    130 interrupted"
)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The family's file, where none is named.
pub const FILE: &str = "variants.toml";

/// Flags of every command.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(next_help_heading = "Flags of every command")]
pub struct Global {
    /// The family's file
    #[arg(
        short,
        long,
        global = true,
        env = "SPLITBASE_FILE",
        default_value = FILE,
        value_name = "PATH"
    )]
    pub file: Utf8PathBuf,
    /// Where everything goes, instead of what the file says
    #[arg(long, global = true, env = "SPLITBASE_REPOSITORY", value_name = "REPOSITORY")]
    pub repository: Option<Repository>,
    /// A folder in OCI image layout to release into, instead of the registry: oci:DIR
    #[arg(long, global = true, env = "SPLITBASE_TO", value_name = "TARGET")]
    pub to: Option<Destination>,
    /// Only this variant (and the base); may be given more than once
    #[arg(
        long = "variant",
        alias = "variants",
        global = true,
        env = "SPLITBASE_VARIANTS",
        value_delimiter = ',',
        value_name = "NAME"
    )]
    pub variants: Vec<VariantName>,
    /// Only this platform; may be given more than once
    #[arg(
        long = "platform",
        alias = "platforms",
        global = true,
        env = "SPLITBASE_PLATFORMS",
        value_delimiter = ',',
        value_name = "PLATFORM"
    )]
    pub platforms: Vec<Platform>,
    /// The buildx builder
    #[arg(long, global = true, env = "SPLITBASE_BUILDER", value_name = "NAME")]
    pub builder: Option<String>,
    /// Sets a version of [versions]; may be given more than once
    #[arg(long = "set", global = true, env = "SPLITBASE_SET", value_delimiter = ',', value_parser = set, value_name = "NAME=VERSION")]
    pub sets: Vec<(String, String)>,
    /// Every version must stand in variants.lock
    #[arg(long, global = true, env = "SPLITBASE_LOCKED")]
    pub locked: bool,
    /// The day whose refresh period counts, instead of the clock's: YYYY-MM-DD, in UTC
    #[arg(long, global = true, env = "SPLITBASE_TODAY", value_name = "DATE")]
    pub today: Option<Date>,
    /// Reads every file that counts, also those that were hashed before (builds: see --rebuild)
    #[arg(long, global = true, env = "SPLITBASE_NO_CACHE")]
    pub no_cache: bool,
    /// How results are written to standard output
    #[arg(short, long, global = true, env = "SPLITBASE_OUTPUT", value_enum, default_value_t = OutputFormat::Human)]
    pub output: OutputFormat,
    /// How progress is shown on standard error
    #[arg(long, global = true, env = "SPLITBASE_PROGRESS", value_enum, default_value_t = ProgressMode::Auto)]
    pub progress: ProgressMode,
    /// Writes all events to this file too, as JSON lines
    #[arg(long, global = true, env = "SPLITBASE_LOG_FILE", value_name = "PATH")]
    pub log_file: Option<Utf8PathBuf>,
    /// When to use colour
    #[arg(long, global = true, env = "SPLITBASE_COLOR", value_enum, default_value_t = ColorMode::Auto)]
    pub color: ColorMode,
    /// Says more
    #[arg(
        short,
        long,
        global = true,
        env = "SPLITBASE_VERBOSE",
        conflicts_with = "quiet"
    )]
    pub verbose: bool,
    /// Says only what failed
    #[arg(short, long, global = true, env = "SPLITBASE_QUIET")]
    pub quiet: bool,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people
    Human,
    /// For programs; versioned
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what a release would do, and why
    Plan(PlanArgs),
    /// Build, test, tag, and move aliases
    Release(ReleaseArgs),
    /// Build and test on one platform, publish nothing: for pull requests
    Validate(ValidateArgs),
    /// Move the aliases to a release that stands
    Promote(PromoteArgs),
    /// Finish a release that was cut off, or take it back
    Recover(RecoverArgs),
    /// Move the aliases back to what a release replaced
    Rollback(RollbackArgs),
    /// Show what the tags point at, and what a release now would do
    Status(StatusArgs),
    /// Show the releases so far, or the record of one
    History(HistoryArgs),
    /// Look whether all that a release consists of is there
    Verify(VerifyArgs),
    /// Delete machine tags and records that nothing needs any more
    Prune(PruneArgs),
    /// Show identities and what counts in them
    Hash(HashArgs),
    /// Show what changed of each image since what its alias points at
    Explain(ExplainArgs),
    /// Only build what is missing
    Build(BuildArgs),
    /// Only test what is built
    Smoke(SmokeArgs),
    /// Show what floating versions resolve to
    Resolve(ResolveArgs),
    /// Check engine, builder, emulation, registry, disk, clock and version sources
    Doctor(DoctorArgs),
    /// Write a family to start from
    Init(InitArgs),
    /// Write the workflows of Gitea and GitHub that release the family
    Ci(CiArgs),
    /// Make the repository's page
    Describe(DescribeArgs),
    /// Print the JSON schema of variants.toml
    Schema,
    /// Print the script that completes commands and flags in a shell
    Completions(CompletionsArgs),
}

/// What is odd and no error.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Strictness {
    /// What a Dockerfile fetches that may be another version tomorrow is an error
    #[arg(long, env = "SPLITBASE_STRICT")]
    pub strict: bool,
}

/// What a release may be told.
#[derive(Debug, Clone, Default, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Wishes {
    /// Write release tags, leave aliases alone
    #[arg(long, env = "SPLITBASE_NO_PROMOTE")]
    pub no_promote: bool,
    /// Build this anew although it is there: IMAGE or IMAGE/PLATFORM
    #[arg(
        long = "rebuild",
        env = "SPLITBASE_REBUILD",
        value_delimiter = ',',
        value_name = "IMAGE"
    )]
    pub rebuild: Vec<Rebuild>,
    /// Resolve floating versions anew, although this release has pinned them
    #[arg(long, env = "SPLITBASE_RE_RESOLVE")]
    pub re_resolve: bool,
    /// Overwrite release tags that hold something else, set aside a release that is unfinished, and go on
    /// with this one although it may be on its way elsewhere
    #[arg(long, env = "SPLITBASE_FORCE")]
    pub force: bool,
    /// Take over aliases of which no record knows the release
    #[arg(long, env = "SPLITBASE_ADOPT")]
    pub adopt: bool,
    /// Move aliases to this release although they stand for a newer one
    #[arg(long, env = "SPLITBASE_ALLOW_OLDER")]
    pub allow_older: bool,
}

/// `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The release; falls back to the pushed tag in CI
    #[arg(env = "SPLITBASE_VERSION")]
    pub version: Option<Version>,
    /// What the release may be told
    #[command(flatten)]
    pub wishes: Wishes,
    /// Write nothing anywhere, and show the exact docker buildx commands
    #[arg(long, env = "SPLITBASE_DRY_RUN")]
    pub dry_run: bool,
    /// What is no error otherwise
    #[command(flatten)]
    pub strictness: Strictness,
    /// Exit with 4 when there is something to do
    #[arg(long, env = "SPLITBASE_EXIT_CODE")]
    pub exit_code: bool,
    /// Save the plan for `release --plan`
    #[arg(long, env = "SPLITBASE_SAVE", value_name = "PATH", conflicts_with = "dry_run")]
    pub save: Option<Utf8PathBuf>,
    /// Save what the plan was made from
    #[arg(
        long,
        env = "SPLITBASE_SAVE_FACTS",
        value_name = "PATH",
        conflicts_with = "dry_run"
    )]
    pub save_facts: Option<Utf8PathBuf>,
    /// Plan from saved facts (`-`: standard input) and from nothing else
    #[arg(long, env = "SPLITBASE_FACTS", value_name = "PATH", conflicts_with_all = ["save_facts", "version"])]
    pub facts: Option<Utf8PathBuf>,
}

/// `release`.
#[derive(Debug, Args)]
pub struct ReleaseArgs {
    /// The release; falls back to the pushed tag in CI
    #[arg(env = "SPLITBASE_VERSION")]
    pub version: Option<Version>,
    /// What the release may be told
    #[command(flatten)]
    pub wishes: Wishes,
    /// Run this saved plan; refused where sources or registry differ from it
    #[arg(long, env = "SPLITBASE_PLAN", value_name = "PATH")]
    pub plan: Option<Utf8PathBuf>,
    /// Release although tracked files differ from the commit
    #[arg(long, env = "SPLITBASE_ALLOW_DIRTY")]
    pub allow_dirty: bool,
    /// Show the plan and stop
    #[arg(long, env = "SPLITBASE_DRY_RUN")]
    pub dry_run: bool,
    /// What is no error otherwise
    #[command(flatten)]
    pub strictness: Strictness,
    /// How it runs
    #[command(flatten)]
    pub running: Running,
}

/// Builds at once, when nothing else is said: see `docs/decisions/parallel-builds.md`.
pub const PARALLEL: u16 = 8;

/// How a plan runs.
#[derive(Debug, Clone, Copy, Args)]
pub struct Running {
    /// How many builds run at once, and half as many tests beside them
    #[arg(long, env = "SPLITBASE_PARALLEL", default_value_t = PARALLEL, value_parser = clap::value_parser!(u16).range(1..), value_name = "N")]
    pub parallel: u16,
    /// Stop everything at the first failure
    #[arg(long, env = "SPLITBASE_FAIL_FAST")]
    pub fail_fast: bool,
    /// Leave the images of tests in the engine
    #[arg(long, env = "SPLITBASE_KEEP_IMAGES")]
    pub keep_images: bool,
}

/// `validate`.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// What is no error otherwise
    #[command(flatten)]
    pub strictness: Strictness,
    /// How it runs
    #[command(flatten)]
    pub running: Running,
}

/// `promote`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct PromoteArgs {
    /// The release
    pub version: Version,
    /// Copy the release there, and move the aliases there: REPOSITORY or oci:DIR. --to REPOSITORY is the same
    #[arg(long, env = "SPLITBASE_INTO", value_name = "DESTINATION")]
    pub into: Option<Destination>,
    /// Take over aliases of which no record knows the release
    #[arg(long, env = "SPLITBASE_ADOPT")]
    pub adopt: bool,
    /// Move aliases although they stand for a newer release
    #[arg(long, env = "SPLITBASE_ALLOW_OLDER")]
    pub allow_older: bool,
    /// Go on although another release is unfinished, or this one may be on its way elsewhere
    #[arg(long, env = "SPLITBASE_FORCE")]
    pub force: bool,
    /// Do it without asking
    #[arg(short, long, env = "SPLITBASE_YES")]
    pub yes: bool,
}

/// `recover`.
#[derive(Debug, Args)]
pub struct RecoverArgs {
    /// The release; falls back to the newest
    pub version: Option<Version>,
    /// Take it back: aliases to where they were, and its release tags away where the registry deletes tags
    #[arg(long, env = "SPLITBASE_UNDO")]
    pub undo: bool,
    /// Go on although it may be on its way elsewhere
    #[arg(long, env = "SPLITBASE_FORCE")]
    pub force: bool,
    /// Do it without asking
    #[arg(short, long, env = "SPLITBASE_YES")]
    pub yes: bool,
}

/// `rollback`.
#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// The release whose aliases go back; falls back to the newest
    pub version: Option<Version>,
    /// Go on although another release is unfinished
    #[arg(long, env = "SPLITBASE_FORCE")]
    pub force: bool,
    /// Do it without asking
    #[arg(short, long, env = "SPLITBASE_YES")]
    pub yes: bool,
}

/// `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Show the releases so far too
    #[arg(long, env = "SPLITBASE_ALL")]
    pub all: bool,
}

/// `history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// The release; without it all of them are listed
    pub version: Option<Version>,
}

/// `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The release; falls back to the newest that is finished
    pub version: Option<Version>,
    /// Read every byte and compare its digest, not only whether it is there
    #[arg(long, env = "SPLITBASE_DEEP")]
    pub deep: bool,
}

/// `prune`.
#[derive(Debug, Args)]
pub struct PruneArgs {
    /// Do it; without this flag it is only shown
    #[arg(short, long, env = "SPLITBASE_YES")]
    pub yes: bool,
    /// Only show it
    #[arg(long, env = "SPLITBASE_DRY_RUN")]
    pub dry_run: bool,
}

/// `hash`.
#[derive(Debug, Args)]
pub struct HashArgs {
    /// Show every input
    #[arg(long, env = "SPLITBASE_EXPLAIN")]
    pub explain: bool,
    /// Ask version sources and registries for what is left open
    #[arg(long, env = "SPLITBASE_RESOLVE")]
    pub resolve: bool,
    /// What is no error otherwise
    #[command(flatten)]
    pub strictness: Strictness,
}

/// `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Only this image: base or variant/NAME
    pub image: Option<ImageId>,
}

/// `build`.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// Build this anew although it is there: IMAGE or IMAGE/PLATFORM
    #[arg(
        long = "rebuild",
        env = "SPLITBASE_REBUILD",
        value_delimiter = ',',
        value_name = "IMAGE"
    )]
    pub rebuild: Vec<Rebuild>,
    /// What is no error otherwise
    #[command(flatten)]
    pub strictness: Strictness,
    /// How it runs
    #[command(flatten)]
    pub running: Running,
}

/// `smoke`.
#[derive(Debug, Args)]
pub struct SmokeArgs {
    /// Test again what has passed before
    #[arg(long, env = "SPLITBASE_AGAIN")]
    pub again: bool,
    /// How it runs
    #[command(flatten)]
    pub running: Running,
}

/// `resolve`.
#[derive(Debug, Args)]
pub struct ResolveArgs {
    /// Write variants.lock
    #[arg(long, env = "SPLITBASE_WRITE")]
    pub write: bool,
}

/// `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Show what splitbase and its builds have left on this machine, and remove it where that is agreed to
    #[arg(long, env = "SPLITBASE_RECLAIM")]
    pub reclaim: bool,
    /// Remove it without asking
    #[arg(short, long, env = "SPLITBASE_YES")]
    pub yes: bool,
}

/// `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The folder
    #[arg(default_value = ".")]
    pub dir: Utf8PathBuf,
    /// The family's name; falls back to that of the folder
    #[arg(long, env = "SPLITBASE_NAME", value_name = "NAME")]
    pub name: Option<VariantName>,
    /// What the base is built from
    #[arg(long, alias = "from", env = "SPLITBASE_BASE_IMAGE", value_name = "IMAGE")]
    pub base_image: Option<BaseImage>,
}

/// `ci`.
#[derive(Debug, Args)]
pub struct CiArgs {
    /// Of which forge; without it, of those that have some already, or else of both
    #[arg(long, env = "SPLITBASE_FORGE", value_enum)]
    pub forge: Option<ForgeChoice>,
    /// Write nothing; show what differs, and exit with 1 where something does
    #[arg(long, env = "SPLITBASE_CHECK")]
    pub check: bool,
    /// Overwrite workflows that were changed by hand, or come from elsewhere
    #[arg(long, env = "SPLITBASE_FORCE", conflicts_with = "check")]
    pub force: bool,
    /// The label of the runner [default: ubuntu-latest]
    #[arg(long, env = "SPLITBASE_RUNNER", value_name = "LABEL")]
    pub runner: Option<String>,
    /// The image that jobs run in: it has git, docker with buildx, and splitbase
    #[arg(long, env = "SPLITBASE_CONTAINER", value_name = "IMAGE")]
    pub container: Option<String>,
    /// The action that installs splitbase: OWNER/REPOSITORY@COMMIT, or ./
    #[arg(long, env = "SPLITBASE_ACTION", value_name = "ACTION")]
    pub action: Option<String>,
}

/// Whose workflows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ForgeChoice {
    /// .gitea/workflows
    Gitea,
    /// .github/workflows
    Github,
    /// One of each
    Both,
}

/// `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: CompletionShell,
}

/// Shells that can be completed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompletionShell {
    /// source <(splitbase completions bash)
    Bash,
    /// splitbase completions zsh >"${fpath[1]}/_splitbase"
    Zsh,
    /// splitbase completions fish | source
    Fish,
}

/// `describe`.
#[derive(Debug, Args)]
pub struct DescribeArgs {
    /// The release that it shows; falls back to the newest
    pub version: Option<Version>,
    /// Write nothing, ask nobody; exit with 1 when the page is not what its template makes
    #[arg(long, env = "SPLITBASE_CHECK", conflicts_with_all = ["push", "version"])]
    pub check: bool,
    /// Push the page to Docker Hub too
    #[arg(long, env = "SPLITBASE_PUSH")]
    pub push: bool,
}

fn set(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, version)) if !name.is_empty() && !version.is_empty() => {
            Ok((name.to_owned(), version.to_owned()))
        }
        _ => Err("expected NAME=VERSION".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_has_a_variable() {
        let command = Cli::command();
        for command in std::iter::once(&command).chain(command.get_subcommands()) {
            for arg in command.get_arguments().filter(|arg| arg.get_long().is_some()) {
                let variable = arg.get_env().and_then(|name| name.to_str());
                let known = variable.is_some_and(|name| name.starts_with("SPLITBASE_"));
                assert!(
                    known || matches!(arg.get_id().as_str(), "help" | "version"),
                    "{arg:?}"
                );
            }
        }
    }
}
