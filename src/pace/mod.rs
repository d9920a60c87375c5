//! The manners of a run towards servers, shared by all its requests, whoever makes them: how long it may pause altogether before it tries
//! again, which hosts have asked to be left alone, how often Docker Hub is asked, and what the limits of servers leave.
//!
//! It sends nothing. Who does asks [`Pace::ready`] before each request, tells [`Pace::heard`] what was answered, and asks [`Pace::again`] after
//! a failure. There is one for a run; clones share it.

mod allowance;
mod budget;
mod headers;
mod often;
#[cfg(test)]
mod tests;

pub use headers::{http_date, retry_after};

use crate::config::Retry;
use allowance::Allowance;
use budget::Budget;
use often::Often;
use reqwest::header::HeaderMap;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// Longest time that a server may ask to be left alone. One that asks for more is not asked again in this run: it would be for nothing.
const LONGEST: Duration = Duration::from_secs(300);
/// Most that is added to a pause, so that what failed at once is not tried again at once.
const MOST_JITTER: Duration = Duration::from_secs(10);

/// What a run allows itself. The defaults serve; tests make them smaller.
#[derive(Debug, Clone)]
pub struct Limits {
    /// All pauses before further attempts together; those at the same time count once.
    pub budget: Duration,
    /// Part of a fifth that is added to each pause: 0 to 1.
    pub jitter: fn() -> f64,
    /// Hosts that are asked less often than the others, with all below them.
    pub scarce: Vec<String>,
    /// Most requests to these, all together, in any span of [`Limits::span`].
    pub most: usize,
    /// See [`Limits::most`].
    pub span: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            budget: Retry::default().budget.0,
            jitter: random,
            scarce: vec!["docker.io".to_owned(), "hub.docker.com".to_owned()],
            most: 300,
            span: Duration::from_secs(60),
        }
    }
}

/// Between 0 and 1.
fn random() -> f64 {
    let number = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(number >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

/// What is to be done after an attempt that failed in passing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Again {
    /// Another attempt, after this pause.
    After(Duration),
    /// No attempt is left.
    No,
    /// An attempt is left, and is not made, because of this.
    Refused(String),
}

/// What a request counts as where servers count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// A pull: Docker Hub limits these, and nothing else.
    AsPull,
    /// A request as any other.
    AsAny,
}

/// Why a host is not to be asked.
#[derive(Debug, Clone, Copy)]
enum Hold {
    Asked,
    Drained(Allowance),
}

/// See [the module](self).
#[derive(Clone)]
pub struct Pace(Arc<Inner>);

struct Inner {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    budget: Budget,
    /// Hosts that asked to be left alone, and until when.
    held: HashMap<String, Instant>,
    /// Hosts whose limit leaves nothing, and until when they are left alone for that.
    drained: HashMap<String, (Instant, Allowance)>,
    often: Often,
    allowances: BTreeMap<String, Allowance>,
}

impl Default for Pace {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pace")
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}

impl Pace {
    /// With these limits; nothing is spent yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Inner {
            limits,
            state: Mutex::default(),
        }))
    }

    /// That of a run with this policy.
    #[must_use]
    pub fn of(policy: &Retry) -> Self {
        Self::new(Limits {
            budget: policy.budget.0,
            ..Limits::default()
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether attempt number `attempt` (from 1) that failed in passing is followed by another one. `asked` is how long the server asked to
    /// wait. The pause is spent, so whoever asks has to make it.
    #[must_use]
    pub fn again(&self, policy: &Retry, attempt: u32, asked: Option<Duration>) -> Again {
        let Some(planned) = policy.pause_after(attempt) else {
            return Again::No;
        };
        let asked = asked.unwrap_or_default();
        if asked > LONGEST {
            return Again::Refused(format!(
                "it asks to wait {}, and nobody waits longer than {} for one",
                shown(asked),
                shown(LONGEST)
            ));
        }
        let pause = self.varied(planned.max(asked));
        if self.spend(pause) {
            Again::After(pause)
        } else {
            Again::Refused(self.spent())
        }
    }

    /// A pause with the part of a fifth that is added to it.
    #[must_use]
    pub fn varied(&self, pause: Duration) -> Duration {
        pause + self.jitter(pause)
    }

    /// In tenths of a second, where the pause is none itself: people read it.
    fn jitter(&self, pause: Duration) -> Duration {
        let most = (pause / 5).min(MOST_JITTER);
        let jitter = most.mul_f64((self.0.limits.jitter)().clamp(0.0, 1.0));
        if pause < Duration::from_secs(1) {
            return jitter;
        }
        let tenths = jitter.as_millis() / 100;
        Duration::from_millis(u64::try_from(tenths * 100).unwrap_or(0))
    }

    /// Takes a pause from now on out of the budget; false, and nothing is taken, where too little of it is left.
    #[must_use]
    pub fn spend(&self, pause: Duration) -> bool {
        let now = Instant::now();
        self.state().budget.take(now, now + pause, self.0.limits.budget)
    }

    fn spent(&self) -> String {
        format!(
            "the {} of pauses that a run may make are spent",
            shown(self.0.limits.budget)
        )
    }

    /// Waits until this address may be asked: as long as its host has asked to be left alone, and as long as it was asked as often as it may be.
    ///
    /// # Errors
    /// Why it is not waited so long.
    pub async fn ready(&self, address: &Url, counts: Counts) -> Result<(), String> {
        self.rested(address, counts).await?;
        let Some(turn) = self.turn(address) else {
            return Ok(());
        };
        tokio::time::sleep_until(turn).await;
        // Meanwhile another answer may have told to wait.
        self.rested(address, counts).await
    }

    async fn rested(&self, address: &Url, counts: Counts) -> Result<(), String> {
        while let Some((until, hold)) = self.hold(address, counts) {
            let wait = until.saturating_duration_since(Instant::now());
            if !self.spend(wait) {
                let why = match hold {
                    Hold::Asked => format!("has asked to wait {} more", shown(wait)),
                    Hold::Drained(allowance) => {
                        format!("has to be left alone for {} more, for {allowance}", shown(wait))
                    }
                };
                return Err(format!("`{}` {why}: {}", authority(address), self.spent()));
            }
            tokio::time::sleep_until(until).await;
        }
        Ok(())
    }

    /// Until when the host of this address is not to be asked; `None` where it may be.
    #[must_use]
    pub fn held(&self, address: &Url, counts: Counts) -> Option<Instant> {
        self.hold(address, counts).map(|(until, _)| until)
    }

    fn hold(&self, address: &Url, counts: Counts) -> Option<(Instant, Hold)> {
        let (host, state) = (authority(address), self.state());
        let asked = state.held.get(&host).map(|until| (*until, Hold::Asked));
        let limited = counts == Counts::AsPull || !self.is_scarce(address);
        let drained = state.drained.get(&host).filter(|_| limited);
        let drained = drained.map(|(until, allowance)| (*until, Hold::Drained(*allowance)));
        let longest = asked.into_iter().chain(drained).max_by_key(|(until, _)| *until);
        longest.filter(|(until, _)| *until > Instant::now())
    }

    /// When it is this request's turn; `None` for hosts that are asked as often as one likes.
    fn turn(&self, address: &Url) -> Option<Instant> {
        let limits = &self.0.limits;
        self.is_scarce(address)
            .then(|| self.state().often.next(Instant::now(), limits.most, limits.span))
    }

    fn is_scarce(&self, address: &Url) -> bool {
        let host = address.host_str().unwrap_or_default();
        self.0.limits.scarce.iter().any(|scarce| {
            let below = host.strip_suffix(scarce.as_str());
            below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }

    /// Takes down what an answer tells of limits. After a 429 that says how long to wait, nobody asks its host before; where a limit leaves nothing, nobody
    /// makes a request that counts until one more may be allowed.
    pub fn heard(&self, address: &Url, status: u16, headers: &HeaderMap) {
        if let Some(allowance) = Allowance::read(headers) {
            let name = if self.is_scarce(address) {
                "Docker Hub".to_owned()
            } else {
                authority(address)
            };
            let mut state = self.state();
            state.allowances.insert(name, allowance);
            match allowance.rest() {
                Some(rest) => state
                    .drained
                    .insert(authority(address), (Instant::now() + rest, allowance)),
                None => state.drained.remove(&authority(address)),
            };
        }
        let asked = retry_after(headers).filter(|asked| status == 429 && *asked <= LONGEST);
        if let Some(asked) = asked {
            let until = Instant::now() + asked;
            let mut state = self.state();
            let held = state.held.entry(authority(address)).or_insert(until);
            *held = until.max(*held);
        }
    }

    /// A line for each server whose limit leaves few requests.
    #[must_use]
    pub fn few(&self) -> Vec<String> {
        let state = self.state();
        let few = state
            .allowances
            .iter()
            .filter(|(_, allowance)| allowance.is_few());
        few.map(|(name, allowance)| format!("{name}: {allowance}"))
            .collect()
    }
}

/// `HOST[:PORT]` of an address.
fn authority(address: &Url) -> String {
    let port = address.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}", address.host_str().unwrap_or_default())
}

/// `1h30m`; in whole seconds, where there are any.
fn shown(time: Duration) -> crate::domain::Duration {
    if time < Duration::from_secs(1) {
        return crate::domain::Duration(time);
    }
    crate::domain::Duration::from_secs(time.as_secs())
}
