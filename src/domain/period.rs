//! Refresh periods: weeks and months, as they are named.

use super::{InvalidText, string_serde};
use jiff::civil::{Date, ISOWeekDate, Weekday};
use std::fmt;
use std::str::FromStr;

const EXPECTED: &str = "a refresh period: an ISO week like `2026-W47`, or a month like `2026-11`";

/// A week or month in which an image that is to be refreshed is built once. All of it in UTC, whatever the machine's time zone is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// A week of ISO 8601, from Monday to Sunday: `2026-W47`. Its year is that of its Thursday.
    Week {
        /// Year of the week, which is not always that of the day.
        year: i16,
        /// From 1 to 53.
        week: i8,
    },
    /// A month: `2026-11`.
    Month {
        /// Year.
        year: i16,
        /// From 1 to 12.
        month: i8,
    },
}

impl Period {
    /// The week that this day is in.
    #[must_use]
    pub fn week_of(day: Date) -> Self {
        let date = day.iso_week_date();
        Self::Week {
            year: date.year(),
            week: date.week(),
        }
    }

    /// The month that this day is in.
    #[must_use]
    pub fn month_of(day: Date) -> Self {
        Self::Month {
            year: day.year(),
            month: day.month(),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Week { year, week } => write!(f, "{year:04}-W{week:02}"),
            Self::Month { year, month } => write!(f, "{year:04}-{month:02}"),
        }
    }
}

impl FromStr for Period {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidText::new(text, EXPECTED);
        let (year, rest) = text.split_once('-').ok_or_else(invalid)?;
        let year: i16 = year.parse().map_err(|_| invalid())?;
        let period = if let Some(week) = rest.strip_prefix('W') {
            let week = week.parse().map_err(|_| invalid())?;
            let date = ISOWeekDate::new(year, week, Weekday::Monday).map_err(|_| invalid())?;
            Self::week_of(date.date())
        } else {
            let month = rest.parse().map_err(|_| invalid())?;
            Self::month_of(Date::new(year, month, 1).map_err(|_| invalid())?)
        };
        // One way to write each: `2026-W7` and `+2026-11` would be other inputs for the same time.
        (period.to_string() == text).then_some(period).ok_or_else(invalid)
    }
}

string_serde!(Period);

#[cfg(test)]
mod tests {
    use super::*;

    /// Days around the ends of years, as `date -d DAY +%G-W%V` has them.
    #[test]
    fn weeks_are_those_of_iso_8601() {
        for (day, week, month) in [
            ("2026-11-21", "2026-W47", "2026-11"),
            ("2026-11-22", "2026-W47", "2026-11"),
            ("2026-11-23", "2026-W48", "2026-11"),
            ("2026-11-30", "2026-W49", "2026-11"),
            ("2026-12-01", "2026-W49", "2026-12"),
            ("2026-12-31", "2026-W53", "2026-12"),
            ("2027-01-03", "2026-W53", "2027-01"),
            ("2027-01-04", "2027-W01", "2027-01"),
            ("2024-12-30", "2025-W01", "2024-12"),
            ("2023-01-01", "2022-W52", "2023-01"),
        ] {
            let day: Date = day.parse().unwrap();
            assert_eq!(Period::week_of(day).to_string(), week, "{day}");
            assert_eq!(Period::month_of(day).to_string(), month, "{day}");
            for text in [week, month] {
                assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
            }
        }
        let order: Vec<Period> = ["2026-W09", "2026-W10", "2027-W01"]
            .map(|text| text.parse().unwrap())
            .into();
        assert!(order.is_sorted());
    }

    #[test]
    fn what_is_no_period() {
        for text in [
            "",
            "2026",
            "2026-W",
            "2026-W00",
            "2026-W54",
            "2025-W53",
            "2026-W7",
            "2026-w07",
            "2026-13",
            "2026-00",
            "2026-1",
            "2026-11-21",
            "+2026-11",
            "26-11",
            "2026-W-1",
            "99999-01",
        ] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }
}
