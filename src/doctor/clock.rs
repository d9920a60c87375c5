//! This machine's clock against the registry's.

use super::check::{Check, Kind};

/// More seconds than this apart, tokens and certificates begin to fail, and times in records mislead.
const MOST: i64 = 300;

/// The verdict; `ahead` is how many seconds the registry's clock is ahead of ours.
pub(super) fn judge(ahead: Option<i64>) -> Check {
    match ahead {
        None => Check::skipped(Kind::Clock, "the registry's answer has no time (`Date`)"),
        Some(ahead) if ahead.abs() > MOST => {
            let way = if ahead > 0 { "behind" } else { "ahead of" };
            let message = format!("this machine's clock is {} s {way} the registry's", ahead.abs());
            Check::warning(Kind::Clock, message)
                .mend("set it, or turn on its synchronisation: `timedatectl set-ntp true`")
        }
        Some(_) => Check::ok(Kind::Clock, "agrees with the registry's"),
    }
}
