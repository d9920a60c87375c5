//! The one module that reads the clock.

/// Now, to the second, in UTC: RFC 3339 as text.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one module that reads the clock")]
pub fn now() -> jiff::Timestamp {
    let now = jiff::Timestamp::now();
    jiff::Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// The day that it is in UTC.
#[must_use]
pub fn today() -> jiff::civil::Date {
    jiff::tz::TimeZone::UTC.to_datetime(now()).date()
}

/// Now, as exactly as the system tells.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one module that reads the clock")]
pub fn now_exactly() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
