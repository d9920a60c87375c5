//! The table: what each failure means. Lines of data, and nothing else; the first that fits decides, so the order counts.
//!
//! `docs/reference/failures.md` is rendered from it, and `tests/recorded/` holds what real programs said.

mod build;
mod registry;
mod versions;

use super::class::FailureClass;
use super::kind::FailureKind;
use super::rule::Rule;

/// All rules, in the order in which they are asked.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    let build = build::RULES.into_iter().flatten();
    registry::RULES.iter().chain(build).chain(versions::RULES)
}

/// What no rule knows.
pub(super) const UNKNOWN: Rule = Rule {
    name: "unknown",
    at: &[],
    signs: &[],
    kind: FailureKind::Unknown,
    class: FailureClass::Unknown,
    mend: "this failure is not known, so it was not tried again; the same command goes on where this one stopped",
};

/// Statuses that pass, besides 429: a time-out, a client or server that gave up, a gateway or backend that is away (520 and above are those
/// of content networks). 501 and 505 do not.
const PASSING_STATUS: &[(u16, u16)] = &[(408, 408), (425, 425), (499, 500), (502, 504), (506, 599)];

/// Statuses of a server that cannot do what was asked for.
const IMPOSSIBLE_STATUS: &[(u16, u16)] = &[(501, 501), (505, 505)];

const NO_SPACE: &[&str] = &["no space left on device", "disk quota exceeded"];

/// Texts of Go programs about a connection or a server that fails in a way that passes.
const PASSING: &[&str] = &[
    "toomanyrequests",
    "too many requests",
    "rate limit",
    "connection reset",
    "connection refused",
    "broken pipe",
    "unexpected eof",
    ": eof",
    "i/o timeout",
    "handshake timeout",
    "deadline exceeded",
    "client.timeout",
    "no such host",
    "server misbehaving",
    "temporary failure",
    "network is unreachable",
    "no route to host",
    "internal server error",
    "bad gateway",
    "service unavailable",
    "gateway timeout",
    "use of closed network connection",
    "http2: server sent goaway",
    "stream error",
];
