//! What a server's limit of requests leaves, as Docker Hub tells it: `ratelimit-limit: 100;w=21600`, `ratelimit-remaining: 76;w=21600`.

use super::LONGEST;
use reqwest::header::HeaderMap;
use std::fmt;
use std::time::Duration;

/// What is left of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowance {
    limit: u64,
    remaining: u64,
    /// The time that the limit is for, in seconds.
    window: Option<u64>,
}

impl Allowance {
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        let read = |name: &str| amount(headers.get(name)?.to_str().ok()?);
        let (limit, window) = read("ratelimit-limit")?;
        let (remaining, _) = read("ratelimit-remaining")?;
        (limit > 0).then_some(Self {
            limit,
            remaining,
            window,
        })
    }

    /// How long to leave the server alone where nothing is left: as long as it takes on average until one more request is allowed. When exactly that
    /// is, it does not tell. `None` where something is left, or it is not known what the limit is for.
    pub(super) fn rest(self) -> Option<Duration> {
        let window = self.window.filter(|_| self.remaining == 0)?;
        Some(Duration::from_secs(window.div_ceil(self.limit)).min(LONGEST))
    }

    /// Whether a fifth or less is left.
    pub(super) const fn is_few(self) -> bool {
        self.remaining <= self.limit / 5
    }
}

/// `NUMBER`, and the time of `w=SECONDS` behind it.
fn amount(text: &str) -> Option<(u64, Option<u64>)> {
    let mut parts = text.split(';').map(str::trim);
    let number = parts.next()?.parse().ok()?;
    let window = parts.find_map(|part| part.strip_prefix("w=")?.trim().parse().ok());
    Some((number, window))
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} requests are left", self.remaining, self.limit)?;
        match self.window {
            Some(window) => write!(
                f,
                " of what its limit allows in {}",
                crate::domain::Duration::from_secs(window)
            ),
            None => write!(f, " of what its limit allows"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowances_as_servers_tell_them() {
        let read = |limit: &str, remaining: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("ratelimit-limit", limit.parse().unwrap());
            headers.insert("ratelimit-remaining", remaining.parse().unwrap());
            Allowance::read(&headers).map(|read| (read.to_string(), read.is_few()))
        };
        let told = |text: &str, few| Some((text.to_owned(), few));
        assert_eq!(
            read("100;w=21600", "76;w=21600"),
            told(
                "76 of 100 requests are left of what its limit allows in 6h",
                false
            )
        );
        assert_eq!(
            read("100; w=21600", "20"),
            told("20 of 100 requests are left of what its limit allows in 6h", true)
        );
        assert_eq!(
            read("10", "0"),
            told("0 of 10 requests are left of what its limit allows", true)
        );
        for (limit, remaining) in [("", "1"), ("many", "1"), ("5", ""), ("0;w=1", "0"), ("-1", "1")] {
            assert_eq!(read(limit, remaining), None, "{limit} {remaining}");
        }
        assert_eq!(Allowance::read(&HeaderMap::new()), None);
    }
}
