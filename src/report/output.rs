//! A stream that is written to. A reader that went away is no error.

use super::style::ColorMode;
use crate::environment::Environment;
use std::fmt;
use std::io::{self, IsTerminal as _, Write};
use std::sync::{Mutex, PoisonError};

/// A stream for rendered text: takes the styles out where they are not wanted, and writes each text whole.
///
/// Writing never fails. A broken pipe is no error at all; of other errors the first is kept for [`Output::trouble`], and nothing is written
/// any more.
pub struct Output {
    inner: Mutex<Inner>,
    color: bool,
    guarded: bool,
}

struct Inner {
    writer: Box<dyn Write + Send>,
    closed: bool,
    trouble: Option<io::Error>,
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("color", &self.color)
            .field("guarded", &self.guarded)
            .finish_non_exhaustive()
    }
}

impl Output {
    /// Any writer.
    #[must_use]
    pub fn new(writer: Box<dyn Write + Send>, color: bool) -> Self {
        Self {
            inner: Mutex::new(Inner {
                writer,
                closed: false,
                trouble: None,
            }),
            color,
            guarded: false,
        }
    }

    /// Standard output: results, and nothing else.
    #[must_use]
    pub fn stdout(environment: &Environment, color: ColorMode) -> Self {
        let stream = io::stdout();
        let color = color.wants(environment, stream.is_terminal());
        Self::new(Box::new(stream), color)
    }

    /// Standard error: everything that is no result.
    #[must_use]
    pub fn stderr(environment: &Environment, color: ColorMode) -> Self {
        let stream = io::stderr();
        let color = color.wants(environment, stream.is_terminal());
        Self::new(Box::new(stream), color).guarded(environment.flag("GITHUB_ACTIONS"))
    }

    /// Whether `##[` is taken apart: a runner of Actions takes it as a command wherever in a line it stands, and what a build prints must
    /// not command the runner.
    #[must_use]
    pub fn guarded(mut self, guarded: bool) -> Self {
        self.guarded = guarded;
        self
    }

    /// Whether styles are kept.
    #[must_use]
    pub const fn color(&self) -> bool {
        self.color
    }

    /// Writes `text` as it is, but for styles that are not wanted.
    pub fn write(&self, text: &str) {
        if text.is_empty() {
            return;
        }
        let mut text = if self.color {
            text.to_owned()
        } else {
            anstream::adapter::strip_str(text).to_string()
        };
        if self.guarded && text.contains("##[") {
            text = text.replace("##[", "## [");
        }
        self.write_raw(text.as_bytes());
    }

    /// Writes `text` and a line break.
    pub fn line(&self, text: &str) {
        self.write(&format!("{text}\n"));
    }

    /// Writes bytes of a document as they are: JSON.
    pub fn write_raw(&self, bytes: &[u8]) {
        self.write_with(|writer| writer.write_all(bytes));
    }

    /// Writes a document that is made while it is written, so that a large one never is in memory whole. Nobody else writes meanwhile.
    pub fn write_with(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.closed {
            return;
        }
        let written = write(&mut inner.writer).and_then(|()| inner.writer.flush());
        if let Err(error) = written {
            inner.closed = true;
            if error.kind() != io::ErrorKind::BrokenPipe {
                inner.trouble = Some(error);
            }
        }
    }

    /// Why not all of it was written, where that was not because the reader went away. Tells it once.
    pub fn trouble(&self) -> Option<io::Error> {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .trouble
            .take()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Buffer;
    use super::*;

    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from(self.0))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn styles_only_where_wanted() {
        for (color, expected) in [(true, "\x1b[32mgood\x1b[0m\n"), (false, "good\n")] {
            let buffer = Buffer::default();
            let output = Output::new(buffer.writer(), color);
            output.line(&super::super::style::paint(super::super::style::GOOD, "good"));
            assert_eq!(buffer.text(), expected);
        }
    }

    #[test]
    fn a_runner_is_not_commanded() {
        let buffer = Buffer::default();
        let output = Output::new(buffer.writer(), false).guarded(true);
        output.line("npm says ##[add-mask]x");
        assert_eq!(buffer.text(), "npm says ## [add-mask]x\n");
    }

    #[test]
    fn a_broken_pipe_is_no_error_but_a_full_disk_is() {
        let output = Output::new(Box::new(Broken(io::ErrorKind::BrokenPipe)), false);
        output.line("x");
        assert!(output.trouble().is_none());
        let output = Output::new(Box::new(Broken(io::ErrorKind::StorageFull)), false);
        output.line("x");
        output.line("y");
        assert_eq!(
            output.trouble().map(|error| error.kind()),
            Some(io::ErrorKind::StorageFull)
        );
        assert!(output.trouble().is_none());
    }
}
