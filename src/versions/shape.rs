//! The form that a version must have, whoever says it.

use super::error::Failure;
use super::redact;
use crate::config::VersionSource;
use regex::Regex;

/// The longest version.
const LONGEST: usize = 128;

/// Checks a version against the form that its source promises.
pub(super) fn check(source: &VersionSource, version: &str) -> Result<(), Failure> {
    text(version).map_err(|failure| match source {
        VersionSource::Value { .. } => failure.usage(),
        _ => failure,
    })?;
    match source {
        VersionSource::Npm { .. } => semver(version),
        VersionSource::Git { .. } => commit(version),
        VersionSource::Command { pattern, .. } => matches(pattern, version),
        VersionSource::Value { .. } => Ok(()),
    }
}

fn text(version: &str) -> Result<(), Failure> {
    let shown = redact::foreign(version, 60);
    if version.is_empty() {
        return Err(Failure::permanent("the version is empty"));
    }
    if version.chars().count() > LONGEST {
        return Err(Failure::permanent(format!(
            "`{shown}` is no version: it is longer than {LONGEST} characters"
        )));
    }
    // The replacement character stands for bytes that were not UTF-8.
    if version
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || c == char::REPLACEMENT_CHARACTER)
    {
        return Err(Failure::permanent(format!(
            "`{shown}` is no version: it holds white space, control characters or bytes that are not UTF-8"
        )));
    }
    Ok(())
}

fn semver(version: &str) -> Result<(), Failure> {
    let strict = nodejs_semver::Version::parse(version).is_ok_and(|parsed| parsed.to_string() == version);
    if strict {
        Ok(())
    } else {
        Err(Failure::permanent(format!(
            "`{}` is not a semantic version",
            redact::foreign(version, 60)
        )))
    }
}

/// Whether a text is a full commit.
pub(super) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn commit(version: &str) -> Result<(), Failure> {
    if is_commit(version) {
        Ok(())
    } else {
        Err(Failure::permanent(format!(
            "`{}` is not a commit of 40 hex digits",
            redact::foreign(version, 70)
        )))
    }
}

fn matches(pattern: &str, version: &str) -> Result<(), Failure> {
    let invalid = |error: regex::Error| {
        Failure::permanent(format!("`{pattern}` is not a regular expression: {error}")).usage()
    };
    // Alone first: what is wrong in it must not be mended by the brackets around it.
    Regex::new(pattern).map_err(invalid)?;
    let whole = Regex::new(&format!(r"\A(?:{pattern})\z")).map_err(invalid)?;
    if whole.is_match(version) {
        Ok(())
    } else {
        Err(Failure::permanent(format!(
            "`{}` does not match `{pattern}`",
            redact::foreign(version, 60)
        )))
    }
}
