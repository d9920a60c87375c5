//! Sizes and times as people write them.

use super::{InvalidText, string_serde};
use std::fmt;
use std::iter::Sum;
use std::str::FromStr;

const EXPECTED_SIZE: &str =
    "a size: a number and one of `B kB KB MB GB TB KiB MiB GiB TiB`, for example `2.5GB`";
const EXPECTED_DURATION: &str = "a time: whole numbers with `ms s m h d`, for example `90s` or `1h30m`";

/// A number of bytes, written `2.5GB` (decimal) or `512MiB` (binary).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

impl FromStr for ByteSize {
    type Err = InvalidText;

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be in range first"
    )]
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidText::new(text, EXPECTED_SIZE);
        let split = text
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .ok_or_else(invalid)?;
        let (number, unit) = text.split_at(split);
        let number: f64 = number.parse().map_err(|_| invalid())?;
        let factor: f64 = match unit.trim() {
            "B" => 1.0,
            "kB" | "KB" => 1e3,
            "MB" => 1e6,
            "GB" => 1e9,
            "TB" => 1e12,
            "KiB" => 1024.0,
            "MiB" => 1024.0 * 1024.0,
            "GiB" => 1024.0 * 1024.0 * 1024.0,
            "TiB" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
            _ => return Err(invalid()),
        };
        let bytes = (number * factor).round();
        if bytes.is_finite() && (0.0..9e18).contains(&bytes) {
            Ok(Self(bytes as u64))
        } else {
            Err(invalid())
        }
    }
}

/// Sizes that others tell may be of any number: the sum goes as far as a number goes.
impl Sum<u64> for ByteSize {
    fn sum<I: Iterator<Item = u64>>(sizes: I) -> Self {
        Self(sizes.fold(0, u64::saturating_add))
    }
}

impl fmt::Display for ByteSize {
    #[expect(clippy::cast_precision_loss, reason = "shown with two decimals")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0;
        for (unit, factor) in [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)] {
            if bytes >= factor {
                let text = format!("{:.2}", bytes as f64 / factor as f64);
                let text = text.trim_end_matches('0').trim_end_matches('.');
                return write!(f, "{text}{unit}");
            }
        }
        write!(f, "{bytes}B")
    }
}

string_serde!(ByteSize);

/// A span of time, written `15s`, `1h30m`, `250ms`. Millisecond resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(pub std::time::Duration);

impl Duration {
    /// A duration of whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }
}

impl FromStr for Duration {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidText::new(text, EXPECTED_DURATION);
        let mut rest = text;
        let mut total: u64 = 0;
        if rest.is_empty() {
            return Err(invalid());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(invalid)?;
            let (number, tail) = rest.split_at(digits);
            let unit_end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(unit_end);
            let factor = match unit {
                "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return Err(invalid()),
            };
            let number: u64 = number.parse().map_err(|_| invalid())?;
            total = number
                .checked_mul(factor)
                .and_then(|ms| total.checked_add(ms))
                .ok_or_else(invalid)?;
            rest = tail;
        }
        Ok(Self(std::time::Duration::from_millis(total)))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ms = self.0.as_millis();
        if ms == 0 {
            return f.write_str("0s");
        }
        for (unit, factor) in [
            ("d", 86_400_000),
            ("h", 3_600_000),
            ("m", 60_000),
            ("s", 1_000),
            ("ms", 1),
        ] {
            if ms >= factor {
                write!(f, "{}{unit}", ms / factor)?;
                ms %= factor;
            }
        }
        Ok(())
    }
}

string_serde!(Duration);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes, shown) in [
            ("2.5GB", 2_500_000_000, "2.5GB"),
            ("1KiB", 1024, "1.02kB"),
            ("10B", 10, "10B"),
        ] {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!((size.0, size.to_string().as_str()), (bytes, shown));
        }
        for text in ["", "5", "GB", "-1GB", "1.2.3GB", "1XB", "99999999999TB"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
        assert_eq!([u64::MAX, 1].into_iter().sum::<ByteSize>(), ByteSize(u64::MAX));
    }

    #[test]
    fn durations() {
        for (text, ms, shown) in [
            ("15s", 15_000, "15s"),
            ("1h30m", 5_400_000, "1h30m"),
            ("90s", 90_000, "1m30s"),
            ("0s", 0, "0s"),
        ] {
            let time: Duration = text.parse().unwrap();
            assert_eq!((time.0.as_millis(), time.to_string().as_str()), (ms, shown));
        }
        for text in ["", "5", "s", "1x", "1.5s", "99999999999999999999s"] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
    }
}
