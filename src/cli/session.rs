//! What all commands share: the family, the registry, the streams, the interrupt.

mod run;

use super::args::{Global, OutputFormat, Strictness};
use super::failure::{Failure, Message};
use crate::clock;
use crate::config::{self, Family, Overrides};
use crate::credentials::Credentials;
use crate::describe::Page;
use crate::digest_cache::DigestCache;
use crate::domain::{Destination, ExitCode, Repository, TargetRef, Version};
use crate::engine::Answer;
use crate::environment::Environment;
use crate::execute::{Account, Event, Interrupt, Report, Sink};
use crate::facts::BuilderFacts;
use crate::gather::{Pins, World};
use crate::inputs::dockerfile::Problem;
use crate::inputs::{self, Request};
use crate::pace::Pace;
use crate::plan::{Options, Plan};
use crate::report::{self, JsonLines, Output, Reporter, Settings, Tee, Verbosity};
use crate::target::Place;
use crate::target::layout::Layout;
use crate::target::registry::{self, Observer, Registry, RetryNotice};
use crate::versions::{self, Lock};
use camino::{Utf8Path, Utf8PathBuf};
use std::collections::HashMap;
use std::io::{BufWriter, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

/// Retries for one reason that come closer together than this are told once.
const SAME_MOMENT: Duration = Duration::from_secs(1);

/// What all commands share.
pub(super) struct Session {
    pub(super) global: Global,
    pub(super) environment: Environment,
    children: Environment,
    pub(super) stdout: Output,
    pub(super) stderr: Output,
    pub(super) cancel: CancellationToken,
    interrupt: Interrupt,
    account: Account,
    /// Whether a document was written to standard output.
    shown: AtomicBool,
    inspected: OnceCell<BuilderFacts>,
    pub(super) engine: OnceCell<Answer>,
    digests: Arc<DigestCache>,
    reporter: Arc<dyn Reporter>,
    pace: OnceLock<Pace>,
    /// The host of the family's own registry, as its file or `--repository` names it: what `SPLITBASE_USERNAME` and `_PASSWORD` are for, whatever
    /// a command calls images meanwhile.
    home: OnceLock<String>,
}

impl Session {
    pub(super) fn new(
        global: Global,
        environment: Environment,
        interrupt: Interrupt,
        account: Account,
    ) -> Result<Self, Failure> {
        let stdout = Output::stdout(&environment, global.color);
        let stderr = Output::stderr(&environment, global.color);
        let verbosity = match (global.quiet, global.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        };
        let terminal = std::io::stderr().is_terminal();
        let settings = Settings {
            verbosity,
            color: global.color,
            terminal,
            clock: clock::now_exactly,
        };
        let mut reporters = vec![report::reporter(global.progress, &environment, &settings)];
        if let Some(path) = &global.log_file {
            reporters.push(Arc::new(JsonLines::log_file(
                Box::new(create(path)?),
                clock::now_exactly,
            )));
        }
        let reporter: Arc<dyn Reporter> = Arc::new(Tee::new(reporters));
        Ok(Self {
            digests: Arc::new(if global.no_cache {
                DigestCache::default()
            } else {
                DigestCache::of(&environment)
            }),
            global,
            children: environment.for_children(),
            environment,
            stdout,
            stderr,
            cancel: interrupt.token().clone(),
            interrupt,
            account,
            shown: AtomicBool::new(false),
            inspected: OnceCell::new(),
            engine: OnceCell::new(),
            reporter,
            pace: OnceLock::new(),
            home: OnceLock::new(),
        })
    }

    /// From now on nothing is written, not even to the user's cache.
    pub(super) fn writes_nothing(&self) {
        self.digests.only_read();
    }

    /// Reads the family's file; warnings are told.
    pub(super) fn family(&self) -> Result<Family, Failure> {
        Ok(self.load()?)
    }

    /// As [`Session::family`], with what is wrong as data.
    pub(super) fn load(&self) -> Result<Family, config::ConfigErrors> {
        let platforms = (!self.global.platforms.is_empty()).then(|| self.global.platforms.clone());
        let overrides = Overrides {
            repository: self.global.repository.clone(),
            platforms,
        };
        let loaded = config::load(&self.global.file, &self.environment, &overrides)?;
        self.environment.learn_secrets(loaded.family.secret_variables());
        self.home
            .get_or_init(|| loaded.family.repository.host().to_owned());
        if !self.global.quiet && !loaded.warnings.is_empty() {
            self.stderr
                .write(&config::render_all(&loaded.warnings, self.stderr.color()));
        }
        Ok(loaded.family)
    }

    /// With `--strict`, what floats in Dockerfiles is an error.
    pub(super) fn refuse_floats(strictness: Strictness, floats: &[Problem]) -> Result<(), Failure> {
        if !strictness.strict || floats.is_empty() {
            return Ok(());
        }
        let message = |problem: &Problem| Message::Plain(problem.to_string(), vec![problem.hint.clone()]);
        Err(Failure {
            exit_code: ExitCode::Usage,
            messages: floats.iter().map(message).collect(),
        })
    }

    /// `--to`, where it names a target.
    pub(super) fn target_given(&self) -> Option<&TargetRef> {
        match &self.global.to {
            Some(Destination::Target(target)) => Some(target),
            // Only `promote` takes a repository here, and has taken it out by now.
            Some(Destination::Repository(_)) | None => None,
        }
    }

    /// The family as it is with `--repository`: all of it in that one repository.
    pub(super) fn family_in(&self, repository: &Repository) -> Result<Family, Failure> {
        let overrides = Overrides {
            repository: Some(repository.clone()),
            platforms: None,
        };
        Ok(config::load(&self.global.file, &self.environment, &overrides)?.family)
    }

    /// The target that was asked for.
    pub(super) fn asked_target(&self) -> TargetRef {
        self.target_given().cloned().unwrap_or_default()
    }

    /// The target of this name; makes no folder yet.
    pub(super) fn target(&self, family: &Family, target: &TargetRef) -> Result<Place, Failure> {
        let registry = self.registry(family, registry::Options::default());
        self.target_of(registry, family, family.repositories(), target)
    }

    /// The same, where a layout stands for other repositories than the family's.
    pub(super) fn target_of(
        &self,
        registry: Registry,
        family: &Family,
        repositories: Vec<Repository>,
        target: &TargetRef,
    ) -> Result<Place, Failure> {
        let Some(folder) = target.layout() else {
            return Ok(Place::registry(registry));
        };
        let root = self.absolute(folder);
        refuse_inputs(family, target, &root)?;
        let layout = Layout::open(root, &target.to_string())?;
        Ok(Place::layout(registry, repositories, layout))
    }

    /// A path that is relative to the working folder, without `.` in it.
    pub(super) fn absolute(&self, path: &Utf8Path) -> PathBuf {
        self.environment.directory().join(path).components().collect()
    }

    /// The registries, with the user's credentials.
    pub(super) fn registry(&self, family: &Family, options: registry::Options) -> Registry {
        let credentials = Credentials::of(&self.environment, Some(family.repository.host()));
        let options = registry::Options {
            pace: self.pace(family),
            ..options
        };
        Registry::with_options(family.retry.clone(), credentials, self.observer(), options)
    }

    /// What all requests of this run share.
    pub(super) fn pace(&self, family: &Family) -> Pace {
        self.pace.get_or_init(|| Pace::of(&family.retry)).clone()
    }

    /// Warns of servers that will not answer many requests more.
    pub(super) fn tell_of_limits(&self) {
        for few in self.pace.get().map(Pace::few).unwrap_or_default() {
            self.warn(&few);
        }
    }

    /// Tells of retries.
    pub(super) fn observer(&self) -> Observer {
        let sink = self.sink();
        // What fails for one reason fails for many tags in the same moment, and is told once.
        let told: Mutex<HashMap<(u32, String), Instant>> = Mutex::default();
        let observer = move |notice: RetryNotice| {
            let (key, now) = ((notice.attempt, notice.reason.clone()), Instant::now());
            let before = told
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(key, now);
            if before.is_some_and(|before| now.duration_since(before) < SAME_MOMENT) {
                return;
            }
            let RetryNotice {
                attempted,
                attempt,
                of,
                reason,
                delay,
            } = notice;
            sink.event(&Event::Retry {
                step: None,
                attempted,
                attempt,
                of,
                reason,
                pause: delay,
            });
        };
        Arc::new(observer)
    }

    /// What asking version sources needs.
    pub(super) fn versions(&self, family: &Family) -> versions::Context {
        let sink = self.sink();
        let notice = move |message: String| sink.event(&Event::Warning { step: None, message });
        versions::Context::new(
            family.root.clone(),
            self.environment.clone(),
            family.retry.clone(),
            self.cancel.clone(),
            Arc::new(notice),
        )
        .with_pace(self.pace(family))
    }

    /// What gathering facts needs.
    pub(super) fn world<'a>(&'a self, family: &Family, target: &'a Place) -> World<'a, Place> {
        World {
            target,
            builder: self.builder(),
            engine: None,
            inspected: &self.inspected,
            environment: &self.children,
            versions: self.versions(family),
            cancel: self.cancel.clone(),
        }
    }

    /// The builder that was asked for: the flag, then buildx's own variable.
    pub(super) fn builder(&self) -> Option<&str> {
        self.global
            .builder
            .as_deref()
            .or_else(|| self.environment.get("BUILDX_BUILDER"))
    }

    /// Pins of the command line and of `variants.lock`.
    pub(super) fn pins(&self, family: &Family, re_resolve: bool) -> Result<Pins, Failure> {
        let path = family.root.join("variants.lock");
        let lock = Lock::read(path.as_std_path())
            .map_err(|error| Failure::from(crate::gather::GatherError::from(error)))?;
        Ok(Pins {
            set: self.global.sets.iter().cloned().collect(),
            plan: None,
            re_resolve,
            lock,
            locked: self.global.locked,
            period: None,
            today: self.global.today.unwrap_or_else(clock::today),
            digests: self.digests.clone(),
        })
    }

    /// `--variant` as options have it.
    pub(super) fn options(&self) -> Options {
        let variants = (!self.global.variants.is_empty()).then(|| self.global.variants.clone());
        Options {
            target: self.asked_target(),
            variants,
            ..Options::default()
        }
    }

    /// The version that was asked for, or the tag that was pushed.
    pub(super) fn version(&self, given: Option<Version>) -> Result<Option<Version>, Failure> {
        if given.is_some() || self.environment.get("GITHUB_REF_TYPE") != Some("tag") {
            return Ok(given);
        }
        let Some(tag) = self.environment.get("GITHUB_REF_NAME") else {
            return Ok(None);
        };
        tag.parse()
            .map(Some)
            .map_err(|error: crate::domain::InvalidText| {
                Failure::new(
                    ExitCode::Usage,
                    format!("take the version from the pushed tag: {error}"),
                )
                .hint("name the version on the command line")
            })
    }

    /// The repository's page, where the family has one.
    pub(super) fn page(&self, family: &Arc<Family>) -> Option<Page> {
        let page = || Page::new(Arc::clone(family), &self.environment).with_pace(self.pace(family));
        family.describe.as_ref().map(|_| page())
    }

    /// Tells a report: the table for people or the document, what failed, and what CI wants.
    pub(super) fn tell(&self, report: &Report, plan: &Plan) -> Result<ExitCode, Failure> {
        // Log, table and failures meet on a terminal only: there they stand apart.
        let apart = |there: bool| {
            if there && std::io::stdout().is_terminal() && std::io::stderr().is_terminal() {
                self.stderr.line("");
            }
        };
        apart(!plan.steps.is_empty() && !self.global.quiet);
        match self.global.output {
            OutputFormat::Json => self.json(report)?,
            OutputFormat::Human => self.stdout.write(&report::summary(report, self.global.verbose)),
        }
        apart(!report.failures.is_empty());
        self.stderr.write(&report::failures(report));
        let outputs = report::outputs_of_report(report, Some(plan));
        for error in report::publish(&self.environment, &outputs, Some(&report::markdown(report))) {
            self.warn(&error.to_string());
        }
        Ok(exit_code(report.exit_code))
    }

    /// Leaves for CI why a command came to nothing.
    pub(super) fn leave(&self, failure: &Failure) {
        let (outputs, summary) = failure.left();
        for error in report::publish(&self.environment, &outputs, Some(&summary)) {
            self.warn(&error.to_string());
        }
    }

    /// Writes a document to standard output.
    pub(super) fn json(&self, document: &impl serde::Serialize) -> Result<(), Failure> {
        self.shown.store(true, Ordering::Relaxed);
        let mut written = Ok(());
        self.stdout.write_with(|writer| {
            let mut writer = BufWriter::with_capacity(64 * 1024, writer);
            match serde_json::to_writer_pretty(&mut writer, document) {
                Ok(()) => {}
                Err(error) if error.is_io() => return Err(error.into()),
                Err(error) => {
                    written = Err(Failure::new(ExitCode::Failed, format!("write JSON: {error}")));
                }
            }
            writer.write_all(b"\n")?;
            writer.flush()
        });
        written
    }

    /// Whether a document was written to standard output.
    pub(super) fn has_shown(&self) -> bool {
        self.shown.load(Ordering::Relaxed)
    }

    pub(super) fn warn(&self, message: &str) {
        if !self.global.quiet {
            self.stderr.write(&report::warning(message));
        }
    }

    /// Says something that is neither a result nor odd.
    pub(super) fn note(&self, message: &str) {
        if !self.global.quiet {
            self.stderr.line(message);
        }
    }

    fn sink(&self) -> Arc<dyn Sink> {
        Arc::new(Forward(self.reporter.clone()))
    }

    pub(super) fn is_json(&self) -> bool {
        self.global.output == OutputFormat::Json
    }
}

/// A folder that is written to while images are built must not be one of their inputs.
fn refuse_inputs(family: &Family, target: &TargetRef, folder: &Path) -> Result<(), Failure> {
    for image in &family.images {
        let request = Request::new(&family.root, image);
        let reached = inputs::reached(&request, folder).map_err(|error| {
            let exit_code = error.exit_code();
            Failure::new(exit_code, format!("read the inputs of {}: {error}", image.id)).hint(error.hint())
        })?;
        if let Some((file, line)) = reached {
            let message = format!(
                "use `{target}` as target: it lies among the inputs of {}, and would be a part of what it holds",
                image.id
            );
            return Err(Failure::new(ExitCode::Usage, message)
                .hint(format!("add the line `{line}` to `{file}`"))
                .hint("or name a folder that is in no build context"));
        }
    }
    Ok(())
}

/// A reporter as the sink that it is.
struct Forward(Arc<dyn Reporter>);

impl Sink for Forward {
    fn event(&self, event: &Event) {
        self.0.event(event);
    }
}

pub(super) fn exit_code(code: u8) -> ExitCode {
    const ALL: [ExitCode; 10] = [
        ExitCode::Done,
        ExitCode::Failed,
        ExitCode::Usage,
        ExitCode::SmokeFailed,
        ExitCode::SomethingToDo,
        ExitCode::Unknown,
        ExitCode::PushFailed,
        ExitCode::Refused,
        ExitCode::CutOff,
        ExitCode::Interrupted,
    ];
    ALL.into_iter()
        .find(|known| known.code() == code)
        .unwrap_or(ExitCode::Failed)
}

#[expect(clippy::disallowed_methods, reason = "the log file that was asked for")]
fn create(path: &Utf8PathBuf) -> Result<std::fs::File, Failure> {
    std::fs::File::create(path)
        .map_err(|error| Failure::new(ExitCode::Usage, format!("write the log file `{path}`: {error}")))
}

/// Reads a file that the command line names; `-` is standard input.
#[expect(clippy::disallowed_methods, reason = "a file that the command line names")]
pub(super) fn read(path: &Utf8PathBuf) -> Result<Vec<u8>, Failure> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let read = if path == "-" {
        std::io::stdin().lock().read_to_end(&mut bytes).map(drop)
    } else {
        std::fs::read(path).map(|content| bytes = content)
    };
    read.map_err(|error| Failure::new(ExitCode::Usage, format!("read `{path}`: {error}")))?;
    Ok(bytes)
}

/// Writes a document to a file, whole or not at all.
pub(super) fn write(path: &Utf8PathBuf, document: &impl serde::Serialize) -> Result<(), Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::new(ExitCode::Failed, format!("write `{path}`: {error}"));
    let folder: PathBuf = match path.parent() {
        Some(parent) if !parent.as_str().is_empty() => parent.into(),
        _ => ".".into(),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(&error))?;
    serde_json::to_writer_pretty(&mut file, document).map_err(|error| failed(&error))?;
    file.persist(path).map_err(|error| failed(&error))?;
    Ok(())
}
