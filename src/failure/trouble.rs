//! What kept an answer from coming, or from being used.

use std::error::Error as _;
use std::io::ErrorKind;

/// What kept an answer from coming, or from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// Nobody listens there.
    Refused,
    /// The connection was reset.
    Reset,
    /// The connection ended before the answer did.
    Ended,
    /// No connection in time.
    Unreached,
    /// No answer, or not all of it, in time.
    TimedOut,
    /// The host's name could not be looked up.
    Name,
    /// The server's certificate is not trusted, not its own, or not valid today.
    Certificate,
    /// The request could not even be made: an address or header that is none.
    NotSent,
    /// Something else on the line.
    Line,
    /// The answer is of another form than was asked for.
    Garbled,
    /// The answer leads elsewhere, endlessly or to where nobody may follow.
    Redirect,
    /// The answer is longer than anything that is read.
    TooLarge,
    /// The source contradicts itself: it names what it does not list, or not yet.
    Behind,
    /// The source does not have what is wanted.
    Absent,
    /// What is asked for has no meaning.
    Meaningless,
    /// The program that asks could not be started.
    NoProgram,
    /// The run was interrupted.
    Interrupted,
}

impl Trouble {
    /// What the HTTP client's error is.
    #[must_use]
    pub fn of(error: &reqwest::Error) -> Self {
        let mut kind = None;
        let mut words = String::new();
        let mut source = error.source();
        while let Some(inner) = source {
            if let Some(io) = inner.downcast_ref::<std::io::Error>() {
                kind = Some(io.kind());
            }
            words.push_str(&inner.to_string().to_lowercase());
            words.push('\n');
            source = inner.source();
        }
        if error.is_builder() {
            return Self::NotSent;
        }
        if words.contains("certificate") {
            return Self::Certificate;
        }
        match kind {
            Some(ErrorKind::ConnectionRefused) => Self::Refused,
            Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => Self::Reset,
            Some(ErrorKind::UnexpectedEof) => Self::Ended,
            _ if error.is_timeout() && error.is_connect() => Self::Unreached,
            _ if error.is_timeout() => Self::TimedOut,
            _ if words.contains("dns error") || words.contains("failed to lookup") => Self::Name,
            _ if error.is_redirect() => Self::Redirect,
            _ => Self::Line,
        }
    }

    /// What the reference calls it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Refused => "connection refused",
            Self::Reset => "connection reset",
            Self::Ended => "connection ended early",
            Self::Unreached => "no connection in time",
            Self::TimedOut => "no answer in time",
            Self::Name => "name not found",
            Self::Certificate => "certificate",
            Self::NotSent => "no such request can be made",
            Self::Line => "anything else on the line",
            Self::Garbled => "answer of another form",
            Self::Redirect => "redirects that are not followed",
            Self::TooLarge => "answer too long",
            Self::Behind => "not listed yet",
            Self::Absent => "not there",
            Self::Meaningless => "no such thing can be asked for",
            Self::NoProgram => "program not there",
            Self::Interrupted => "interrupted",
        }
    }
}
