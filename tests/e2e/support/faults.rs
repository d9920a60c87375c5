//! Schedules of faults: which request fails, and how. A schedule is text, and comes of its seed: the same seed, the same schedule.

use super::proxy::{Fault, Request};
use super::wire::Wire;
use regex::Regex;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

const JSON: &str = "Content-Type: application/json\r\n";
const HTML: &str = "Content-Type: text/html\r\n";
const SLOW_DOWN: &str =
    r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"a fault of the test: slow down"}]}"#;
const UNKNOWN: &str = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"a fault of the test"}]}"#;

/// A way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind(usize);

/// What a client must make of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nature {
    /// Another attempt succeeds.
    Passes,
    /// The server says no, or lies: to stop is right, and so is to find out the truth.
    Stays,
}

/// All ways, with the names that tables and schedules have for them.
static KINDS: [(&str, Nature, Fault); 25] = {
    use Nature::{Passes, Stays};
    [
        ("429", Passes, Fault::Status(429)),
        (
            "429-retry-after",
            Passes,
            Fault::Answer(
                429,
                "Content-Type: application/json\r\nRetry-After: 1\r\n",
                SLOW_DOWN,
            ),
        ),
        ("500", Passes, Fault::Status(500)),
        (
            "502",
            Passes,
            Fault::Answer(502, HTML, "<html><title>502 Bad Gateway</title></html>"),
        ),
        ("503", Passes, Fault::Status(503)),
        ("401", Stays, Fault::Status(401)),
        ("403", Stays, Fault::Status(403)),
        ("404", Stays, Fault::Answer(404, HTML, "<html>404</html>")),
        ("404-unknown", Stays, Fault::Answer(404, JSON, UNKNOWN)),
        (
            "400-html",
            Stays,
            Fault::Answer(400, HTML, "<html><title>400 Bad request</title></html>"),
        ),
        (
            "200-html",
            Stays,
            Fault::Answer(200, HTML, "<html>Please log in</html>"),
        ),
        ("reset-before", Passes, Fault::Reset),
        ("reset-in-request", Passes, Fault::Wire(Wire::ResetInRequest)),
        ("reset-unanswered", Passes, Fault::Wire(Wire::ResetUnanswered)),
        ("reset-in-answer", Passes, Fault::Wire(Wire::ResetInAnswer)),
        ("reset-after-answer", Passes, Fault::Wire(Wire::ResetAfterAnswer)),
        ("stall", Passes, Fault::Stall),
        ("stall-in-answer", Passes, Fault::Wire(Wire::StallInAnswer)),
        ("cut-answer", Passes, Fault::Wire(Wire::CutAnswer)),
        ("latency", Passes, Fault::Delay(Duration::from_millis(700))),
        ("bandwidth", Passes, Fault::Wire(Wire::Slow)),
        ("short-answer", Stays, Fault::Wire(Wire::ShortAnswer)),
        ("corrupt-answer", Stays, Fault::Wire(Wire::CorruptAnswer)),
        ("corrupt-digest", Stays, Fault::Wire(Wire::CorruptDigest)),
        ("corrupt-request", Stays, Fault::Wire(Wire::CorruptRequest)),
    ]
};

impl Kind {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..KINDS.len()).map(Self)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        KINDS[self.0].0
    }

    /// Whether what meets it once must succeed.
    pub fn passes(self) -> bool {
        KINDS[self.0].1 == Nature::Passes
    }

    /// Whether nothing comes until somebody loses patience.
    pub fn stalls(self) -> bool {
        matches!(self.fault(), Fault::Stall | Fault::Wire(Wire::StallInAnswer))
    }

    /// Whether it changes what is written, behind the back of who writes it.
    pub fn corrupts_writes(self) -> bool {
        matches!(self.fault(), Fault::Wire(Wire::CorruptRequest))
    }

    /// Whether it makes a difference to such a request.
    pub fn is_for(self, key: &Key) -> bool {
        match self.fault() {
            Fault::Wire(Wire::ResetInRequest | Wire::CorruptRequest) => key.sends,
            Fault::Wire(Wire::ShortAnswer | Wire::CorruptAnswer) => key.reads(),
            Fault::Wire(Wire::CorruptDigest) => key.names_manifest,
            _ => true,
        }
    }

    fn fault(self) -> &'static Fault {
        &KINDS[self.0].2
    }
}

/// What requests that look the same have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Whether `splitbase` makes them, and not a build.
    pub ours: bool,
    pub method: String,
    /// See [`plain`]; `*` stands for anything.
    pub path: String,
    sends: bool,
    names_manifest: bool,
}

impl Key {
    /// That of a request.
    pub fn of(request: &Request) -> Self {
        let path = plain(&request.path);
        Self {
            ours: request.is_ours(),
            method: request.method.clone(),
            names_manifest: path.starts_with("manifests/"),
            path,
            sends: request.size > 1,
        }
    }

    /// That of requests for what an npm registry has.
    pub fn npm(method: &str, path: &str) -> Self {
        Self {
            ours: true,
            method: method.to_owned(),
            path: path.to_owned(),
            sends: false,
            names_manifest: false,
        }
    }

    /// That of requests that git makes itself.
    pub fn git(method: &str, path: &str) -> Self {
        Self {
            ours: false,
            sends: method == "POST",
            ..Self::npm(method, path)
        }
    }

    fn reads(&self) -> bool {
        self.method == "GET"
    }

    fn is(&self, request: &Request) -> bool {
        let path = plain(&request.path);
        let like = match self.path.split_once('*') {
            Some((start, end)) => {
                path.len() >= start.len() + end.len() && path.starts_with(start) && path.ends_with(end)
            }
            None => path == self.path,
        };
        self.ours == request.is_ours() && self.method == request.method && like
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = if self.ours {
            "splitbase"
        } else if self.path.contains(".git/") {
            "git"
        } else {
            "buildx"
        };
        write!(f, "{who} {} {}", self.method, self.path)
    }
}

/// A path without what differs from family to family: behind the repository, without digests, identities and numbers of uploads.
fn plain(path: &str) -> String {
    static ENDS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new("sha256:[0-9a-f]{64}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\\b[0-9a-f]{12}\\b")
            .unwrap()
    });
    let path = path.split_once("/e2e/fam/").map_or(path, |(_, rest)| rest);
    ENDS.replace_all(path, "X").into_owned()
}

/// These requests fail in this way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub key: Key,
    /// The first that fails, from 1.
    pub first: usize,
    /// How many in a row do.
    pub times: usize,
    pub kind: Kind,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.first, self.first + self.times - 1);
        write!(f, "{} #{first}", self.key)?;
        if last > first {
            write!(f, "-{last}")?;
        }
        write!(f, ": {}", self.kind.name())
    }
}

/// What fails while something runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(pub Vec<Rule>);

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&rules.join("; "))
    }
}

/// What a schedule of a release chooses from: who, method, path, and up to which number.
const CHOICES: [(bool, &str, &str, usize); 22] = [
    (true, "HEAD", "manifests/*", 30),
    (true, "GET", "manifests/*", 30),
    (true, "GET", "blobs/*", 6),
    (true, "HEAD", "manifests/_release*", 8),
    (true, "PUT", "manifests/_release*", 6),
    (true, "HEAD", "manifests/latest*", 6),
    (true, "PUT", "manifests/latest*", 2),
    (true, "PUT", "manifests/base-latest", 1),
    (true, "PUT", "manifests/v1.1.0*", 2),
    (true, "HEAD", "manifests/v1.1.0*", 6),
    (true, "HEAD", "manifests/variant-*", 8),
    (true, "HEAD", "manifests/base-*", 8),
    (true, "PUT", "manifests/*", 12),
    (true, "HEAD", "blobs/*", 3),
    (true, "POST", "blobs/uploads/", 3),
    (true, "PUT", "blobs/uploads/*", 3),
    (false, "HEAD", "*", 8),
    (false, "GET", "*", 4),
    (false, "POST", "blobs/uploads/", 4),
    (false, "PUT", "blobs/uploads/*", 4),
    (false, "PUT", "manifests/*-staging", 2),
    (false, "PUT", "manifests/*", 6),
];

impl Schedule {
    /// The schedule of this seed: two to five rules, each of which fails one to three requests.
    pub fn of(seed: u64) -> Self {
        let (mut random, mut stalls) = (Random(seed), false);
        let rules = (0..2 + random.below(4)).map(|_| {
            let (ours, method, path, most) = CHOICES[random.below(CHOICES.len())];
            let key = Key {
                ours,
                method: method.to_owned(),
                path: path.to_owned(),
                sends: method == "PUT",
                names_manifest: path.starts_with("manifests/"),
            };
            let kinds: Vec<_> = Kind::all().filter(|kind| kind.is_for(&key)).collect();
            let mut kind = kinds[random.below(kinds.len())];
            // What stalls is waited for: one of them in a run is enough.
            if kind.stalls() && std::mem::replace(&mut stalls, true) {
                kind = Kind::all().next().unwrap();
            }
            let first = 1 + random.below(most);
            let times = if kind.stalls() { 1 } else { 1 + random.below(3) };
            Rule {
                key,
                first,
                times,
                kind,
            }
        });
        Self(rules.collect())
    }

    /// The schedule of this seed of two or three rules about these requests, of kinds that are `fit`.
    pub fn among(seed: u64, keys: &[Key], fit: impl Fn(Kind) -> bool) -> Self {
        let mut random = Random(seed);
        let rules = (0..2 + random.below(2)).map(|_| {
            let key = keys[random.below(keys.len())].clone();
            let kinds: Vec<_> = Kind::all()
                .filter(|kind| kind.is_for(&key) && fit(*kind) && !kind.stalls())
                .collect();
            Rule {
                key,
                first: 1 + random.below(3),
                times: 1 + random.below(2),
                kind: kinds[random.below(kinds.len())],
            }
        });
        Self(rules.collect())
    }

    /// A schedule of one fault; of the same one, `times` in a row.
    pub fn of_one(key: Key, times: usize, kind: Kind) -> Self {
        Self(vec![Rule {
            key,
            first: 1,
            times,
            kind,
        }])
    }

    /// A schedule of one fault, at the request of this number.
    pub fn once(key: Key, first: usize, kind: Kind) -> Self {
        Self(vec![Rule {
            key,
            first,
            times: 1,
            kind,
        }])
    }
}

/// `SplitMix64` (Steele, Lea, Flood 2014): the same numbers everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }
}

/// Lets requests fail as a schedule says.
pub struct Injector {
    schedule: Schedule,
    /// Of each rule: how many requests it was about so far.
    counts: Mutex<Vec<usize>>,
    hits: Mutex<Vec<Rule>>,
    /// The names that manifests were put under whose bytes were changed on the way.
    corrupted: Mutex<BTreeSet<String>>,
    over: AtomicBool,
}

impl Injector {
    /// By this schedule.
    pub fn new(schedule: Schedule) -> Self {
        let counts = Mutex::new(vec![0; schedule.0.len()]);
        Self {
            schedule,
            counts,
            hits: Mutex::default(),
            corrupted: Mutex::default(),
            over: AtomicBool::new(false),
        }
    }

    /// What happens to a request. Where two rules are about it, the first one counts.
    pub fn fault(&self, request: &Request) -> Fault {
        if self.over.load(Ordering::SeqCst) {
            return Fault::Reset;
        }
        let mut chosen = None;
        let mut counts = self.counts.lock().unwrap();
        for (rule, count) in self.schedule.0.iter().zip(counts.iter_mut()) {
            if !rule.key.is(request) {
                continue;
            }
            *count += 1;
            if (rule.first..rule.first + rule.times).contains(count) {
                chosen.get_or_insert(rule);
            }
        }
        drop(counts);
        let Some(rule) = chosen else { return Fault::Pass };
        self.hits.lock().unwrap().push(rule.clone());
        if let (true, Some((_, name))) = (
            rule.kind.corrupts_writes(),
            request.path.rsplit_once("/manifests/"),
        ) {
            self.corrupted.lock().unwrap().insert(name.to_owned());
        }
        rule.kind.fault().clone()
    }

    /// From now on nothing reaches the registry: what is left of a run that has ended, its builds for instance.
    pub fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    /// The names that manifests were put under whose bytes were changed on the way.
    pub fn corrupted(&self) -> BTreeSet<String> {
        self.corrupted.lock().unwrap().clone()
    }

    /// The rules that were about a request that came, once for each.
    pub fn hits(&self) -> Vec<Rule> {
        self.hits.lock().unwrap().clone()
    }
}

#[test]
fn e2e_faults_of_a_seed_are_always_the_same() {
    assert_eq!(Schedule::of(7), Schedule::of(7));
    assert_ne!(Schedule::of(7), Schedule::of(8));
    assert_eq!(
        plain("/v2/e2e/fam/manifests/variant-omos-0123456789ab-amd64-ok-ba9876543210"),
        "manifests/variant-omos-X-amd64-ok-X"
    );
    assert_eq!(
        plain("/v2/e2e/fam/blobs/uploads/63a2a4ba-5a1e-4dd5-b4f9-a5d07e33ae5f"),
        "blobs/uploads/X"
    );
    // As text, so that a failing one can be told apart from others.
    assert_eq!(
        Schedule::of(7).to_string(),
        "splitbase HEAD manifests/* #4-5: 429; splitbase PUT manifests/base-latest #1-3: corrupt-request; \
         buildx PUT blobs/uploads/* #1: reset-before; splitbase PUT manifests/* #1-2: latency; \
         buildx PUT blobs/uploads/* #1-2: 400-html"
    );
}
