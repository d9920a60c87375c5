//! One run of a plan.

use super::account::Account;
use super::effects::{Effects, Told};
use super::event::{Event, Failure, Report, Sink, StepOutcome};
use super::failure::StepFailure;
use super::interrupt::{self, Interrupt};
use super::scheduler::{self, Bounds, Ended, Lane};
use super::state::State;
use super::steps;
use crate::config::Retry;
use crate::domain::{ExitCode, ImageId};
use crate::plan::{Action, Plan, Step, StepId};
use crate::target::artifact::Artifacts;
use futures_util::FutureExt as _;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

/// Longest time that an interrupted run takes to say in its record that it ended.
pub(super) const LAST_WORD: Duration = Duration::from_secs(1);

/// How a plan is run.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How many builds run at once, and half as many tests beside them; at least 1.
    pub parallel: usize,
    /// Whether the first failure stops everything.
    pub fail_fast: bool,
    /// Whether images that were pulled or loaded for tests stay in the engine. For the effects.
    pub keep_images: bool,
}

/// What a step came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) message: String,
    pub(super) adopted: bool,
    pub(super) cached: u32,
    pub(super) run: u32,
}

impl Done {
    pub(super) fn of(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            adopted: false,
            cached: 0,
            run: 0,
        }
    }
}

/// How a step ended, for the report.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    pub(super) outcome: StepOutcome,
    pub(super) took: Duration,
}

/// One run of a plan, shared by its steps.
pub(super) struct Run<E> {
    pub(super) plan: Arc<Plan>,
    pub(super) effects: Arc<E>,
    pub(super) retry: Retry,
    pub(super) state: State,
    pub(super) cancel: CancellationToken,
    pub(super) interrupt: Interrupt,
    pub(super) account: Account,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) endings: Mutex<BTreeMap<StepId, Ending>>,
    pub(super) failures: Mutex<Vec<Failure>>,
    pub(super) running: Mutex<Vec<StepId>>,
    pub(super) tags_checked: OnceCell<Result<(), StepFailure>>,
    /// What was looked at once more after signing.
    pub(super) tags_looked: OnceCell<Result<(), StepFailure>>,
    /// What was looked at once more before the first alias.
    pub(super) aliases_looked: OnceCell<Result<(), StepFailure>>,
    /// What publishes the lists of inputs, beside the steps.
    pub(super) lists: Mutex<BTreeMap<ImageId, tokio::task::JoinHandle<()>>>,
    pub(super) artifacts: Artifacts,
}

impl<E> Run<E> {
    /// Says something odd that belongs to no step.
    pub(super) fn warn(&self, message: String) {
        self.state.lock().warnings.push(message.clone());
        self.sink.event(&Event::Warning { step: None, message });
    }

    /// Whether every step that counts was done.
    pub(super) fn all_well(&self) -> bool {
        let endings = lock(&self.endings);
        let well = |step: &Step| {
            // A step that panicked has no ending.
            let ending = endings.get(&step.id);
            ending.is_some_and(|ending| matches!(ending.outcome, StepOutcome::Done | StepOutcome::Adopted))
        };
        self.plan
            .steps
            .iter()
            .all(|step| step.never_fails() || well(step))
    }
}

/// Tells of one step.
pub(super) struct Teller<E> {
    run: Arc<Run<E>>,
    step: StepId,
}

impl<E> Clone for Teller<E> {
    fn clone(&self) -> Self {
        Self {
            run: self.run.clone(),
            step: self.step.clone(),
        }
    }
}

impl<E: Effects> Teller<E> {
    pub(super) fn tell(&self, told: Told) {
        let step = self.step.clone();
        self.run.sink.event(&match told {
            Told::Progress { stage, cached, run } => Event::Progress {
                step,
                stage,
                cached,
                run,
            },
            Told::Line(line) => Event::Output { step, line },
        });
    }

    pub(super) fn warn(&self, message: String) {
        self.run
            .state
            .lock()
            .warnings
            .push(format!("{}: {message}", self.step));
        self.run.sink.event(&Event::Warning {
            step: Some(self.step.clone()),
            message,
        });
    }

    pub(super) fn retry(&self, attempted: String, attempt: u32, of: u32, reason: String, pause: Duration) {
        let step = Some(self.step.clone());
        self.run.sink.event(&Event::Retry {
            step,
            attempted,
            attempt,
            of,
            reason,
            pause,
        });
    }
}

/// Runs `plan` to its end and reports on it. The interrupt stops it: nothing more is started, what runs is stopped, and the report is there 4.1 s later,
/// however slow the registry is. `account` is told what users see meanwhile.
pub async fn execute<E: Effects>(
    plan: Arc<Plan>,
    effects: Arc<E>,
    settings: Settings,
    sink: Arc<dyn Sink>,
    interrupt: impl Into<Interrupt>,
    account: Account,
) -> Report {
    let began = Instant::now();
    // Failing fast stops the children of this run, which is not an interrupt by a person.
    let interrupt = interrupt.into();
    let stop = interrupt.token().child_token();
    let run = Arc::new(Run {
        state: State::of(&plan),
        retry: plan.retry.clone(),
        effects,
        cancel: stop.clone(),
        interrupt: interrupt.clone(),
        account,
        sink,
        endings: Mutex::default(),
        failures: Mutex::default(),
        running: Mutex::default(),
        tags_checked: OnceCell::new(),
        tags_looked: OnceCell::new(),
        aliases_looked: OnceCell::new(),
        lists: Mutex::default(),
        artifacts: Artifacts::default(),
        plan: plan.clone(),
    });
    run.sink.event(&Event::Planned {
        plan: plan.clone(),
        steps: plan.steps.len(),
    });
    for message in &plan.warnings {
        run.state.lock().warnings.push(message.clone());
        run.sink.event(&Event::Warning {
            step: None,
            message: message.clone(),
        });
    }
    let watcher = tokio::spawn(watch(run.clone()));
    let bounds = Bounds {
        parallel: settings.parallel.max(1),
        fail_fast: settings.fail_fast,
    };
    let lane = |step: &Step| match step.action {
        Action::Build(_) => Lane::Build,
        Action::Smoke(_) => Lane::Test,
        _ => Lane::Light,
    };
    let start = |step: &Step| one(run.clone(), step.clone());
    let skipped = |step: &Step, cause: Option<&StepId>| skip(&run, step, cause);
    scheduler::run(&plan.steps, bounds, &stop, lane, start, skipped).await;
    steps::inputs::end(&run).await;
    let interrupted = interrupt.token().is_cancelled();
    if interrupted {
        // It has something to say, however quickly all ended.
        let _ = watcher.await;
    } else {
        watcher.abort();
    }
    let published = run.state.lock().published;
    let all_well = run.all_well();
    let last_word = async {
        if all_well {
            run.account.close();
        } else if published {
            steps::record::cut_off(&run).await;
        } else {
            let _ = tokio::time::timeout(LAST_WORD, steps::record::give_up(&run)).await;
        }
    };
    tokio::select! {
        () = last_word => {}
        () = interrupt.after(interrupt::RECORD) => {}
    }
    super::summary::report(&run, interrupted, began.elapsed())
}

/// Says what is being stopped as soon as the interrupt comes.
async fn watch<E: Effects>(run: Arc<Run<E>>) {
    run.interrupt.after(Duration::ZERO).await;
    let running = lock(&run.running).clone();
    run.sink.event(&Event::Interrupting { running });
}

async fn one<E: Effects>(run: Arc<Run<E>>, step: Step) -> Ended {
    let began = Instant::now();
    run.sink.event(&Event::Started {
        step: step.id.clone(),
        why: step.why.clone(),
    });
    lock(&run.running).push(step.id.clone());
    let teller = Teller {
        run: run.clone(),
        step: step.id.clone(),
    };
    let work = AssertUnwindSafe(act(&run, &step, &teller)).catch_unwind();
    let result = tokio::select! {
        result = work => result.unwrap_or_else(|_| Err(StepFailure::panicked(&step.id))),
        () = run.interrupt.after(share(&step.action)) => Err(cut(&run, &step, &teller)),
    };
    lock(&run.running).retain(|running| *running != step.id);
    // The release is done without it.
    let result = match result {
        Err(failure) if step.never_fails() => {
            teller.warn([vec![failure.message], failure.hints].concat().join("; "));
            Ok(Done::of("not done"))
        }
        result => result,
    };
    let took = began.elapsed();
    let (outcome, message, cached, ran, ended) = match result {
        Ok(done) => {
            let outcome = if done.adopted {
                StepOutcome::Adopted
            } else {
                StepOutcome::Done
            };
            (outcome, done.message, done.cached, done.run, Ended::Well)
        }
        Err(failure) if failure.exit_code == ExitCode::Interrupted => {
            (StepOutcome::Interrupted, failure.message, 0, 0, Ended::Badly)
        }
        Err(failure) => {
            let message = failure.message.clone();
            let StepFailure {
                message: why,
                output,
                hints,
                exit_code,
            } = failure;
            let failure = Failure {
                step: step.id.clone(),
                message: why,
                output,
                hints,
                exit_code,
            };
            lock(&run.failures).push(failure);
            (StepOutcome::Failed, message, 0, 0, Ended::Badly)
        }
    };
    lock(&run.endings).insert(
        step.id.clone(),
        Ending {
            outcome: outcome.clone(),
            took,
        },
    );
    run.sink.event(&Event::Finished {
        step: step.id,
        outcome,
        message,
        took,
        cached,
        run: ran,
    });
    ended
}

/// How long a step may go on after the interrupt.
const fn share(action: &Action) -> Duration {
    match action {
        Action::Build(_) | Action::Smoke(_) | Action::Sign(_) => interrupt::CHILDREN,
        _ => interrupt::REQUESTS,
    }
}

/// A step that did not end in time after the interrupt. A tag that it was just writing may stand or not, and that is said.
fn cut<E: Effects>(run: &Run<E>, step: &Step, teller: &Teller<E>) -> StepFailure {
    let tag = match &step.action {
        Action::Tag(step) => &step.tag,
        Action::Alias(step) => &step.alias,
        Action::Move(step) => &step.tag,
        _ => return StepFailure::interrupted(),
    };
    if run.account.is_open(tag) {
        teller.warn(format!(
            "`{tag}` was written, and the registry had not answered when the run was interrupted: it may stand or not"
        ));
    }
    StepFailure::interrupted()
}

async fn act<E: Effects>(run: &Arc<Run<E>>, step: &Step, teller: &Teller<E>) -> Result<Done, StepFailure> {
    match &step.action {
        Action::Build(build) => steps::inputs::begin(run, &build.image, teller),
        Action::Assemble(assemble) => steps::inputs::begin(run, &assemble.image, teller),
        _ => {}
    }
    match &step.action {
        Action::Build(build) => steps::build::build(run, build, teller).await,
        Action::Smoke(smoke) => steps::smoke::smoke(run, smoke, teller).await,
        Action::Assemble(assemble) => steps::assemble::assemble(run, assemble).await,
        Action::Sign(sign) => steps::sign::sign(run, sign).await,
        Action::Tag(tag) => steps::publish::tag(run, tag).await,
        Action::Alias(alias) => steps::publish::alias(run, alias).await,
        Action::Move(step) => steps::publish::moving(run, step).await,
        Action::Record(record) => steps::record::record(run, record).await,
        Action::Describe(describe) => steps::describe::describe(run, describe, teller).await,
    }
}

fn skip<E: Effects>(run: &Run<E>, step: &Step, cause: Option<&StepId>) {
    let (outcome, message) = match cause {
        Some(cause) => (StepOutcome::Skipped, format!("it needs {cause}")),
        None => (StepOutcome::Interrupted, "not started".to_owned()),
    };
    let took = Duration::ZERO;
    lock(&run.endings).insert(
        step.id.clone(),
        Ending {
            outcome: outcome.clone(),
            took,
        },
    );
    run.sink.event(&Event::Finished {
        step: step.id.clone(),
        outcome,
        message,
        took,
        cached: 0,
        run: 0,
    });
}

/// The guard of a mutex; each change behind it is one assignment, so a panicked step leaves nothing half done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
