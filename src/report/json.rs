//! Events as JSON lines: `--progress json`, and `--log-file`. The format is described in `docs/reference/events.md`.

use super::output::Output;
use super::progress::{Clock, Reporter};
use crate::execute::{Event, Sink};
use serde::Serialize;
use std::io::Write;

/// Version of the format of the lines.
pub const EVENT_SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Line<'a> {
    schema: u32,
    time: String,
    #[serde(flatten)]
    event: &'a Event,
}

/// One event per line, each line written whole.
#[derive(Debug)]
pub struct JsonLines {
    output: Output,
    clock: Clock,
    name: &'static str,
}

impl JsonLines {
    /// Lines to `output`.
    #[must_use]
    pub const fn new(output: Output, clock: Clock) -> Self {
        Self {
            output,
            clock,
            name: "the progress",
        }
    }

    /// Lines to the file of `--log-file`.
    #[must_use]
    pub fn log_file(writer: Box<dyn Write + Send>, clock: Clock) -> Self {
        Self {
            name: "the log file",
            ..Self::new(Output::new(writer, false), clock)
        }
    }
}

impl Sink for JsonLines {
    fn event(&self, event: &Event) {
        let line = Line {
            schema: EVENT_SCHEMA,
            time: format!("{:.3}", (self.clock)()),
            event,
        };
        // Events are made of text and numbers: there is nothing in them that JSON could not say.
        if let Ok(mut line) = serde_json::to_vec(&line) {
            line.push(b'\n');
            self.output.write_raw(&line);
        }
    }
}

impl Reporter for JsonLines {
    fn finish(&self) -> Vec<String> {
        let trouble = self.output.trouble();
        trouble
            .map(|error| format!("could not write {} to its end: {error}", self.name))
            .into_iter()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn keys_are_stable() {
        let buffer = fixture::Buffer::default();
        let lines = JsonLines::new(Output::new(buffer.writer(), true), fixture::clock);
        for event in fixture::run() {
            lines.event(&event);
        }
        assert!(lines.finish().is_empty());
        insta::assert_snapshot!(buffer.text(), @r#"
        {"schema":1,"time":"2026-11-20T12:00:01.250Z","event":"planned","steps":6}
        {"schema":1,"time":"2026-11-20T12:00:01.250Z","event":"started","step":"build/base/linux-amd64","why":"absent"}
        {"schema":1,"time":"2026-11-20T12:00:01.250Z","event":"started","step":"build/base/linux-arm64","why":"absent"}
        {"schema":1,"time":"2026-11-20T12:00:01.250Z","event":"progress","step":"build/base/linux-amd64","stage":"[1/3] FROM debian:13","cached":1,"run":0}
        {"schema":1,"time":"2026-11-20T12:00:01.250Z","event":"progress","step":"build/base/linux-arm64","stage":"[1/3] FROM debian:13","cached":0,"run":0}
        {"schema":1,"time":"2026-11-20T12:00:01.250Z","event":"progress","step":"build/base/linux-amd64","stage":"[2/3] RUN apt-get update","cached":2,"run":0}
        {"schema":1,"time":"2026-11-20T12:00:01.250Z","event":"output","step":"build/base/linux-amd64","line":"\u001b[32mGet:1\u001b[0m http://deb.example.org"}
        {"schema":1,"time":"2026-11-20T12:00:01.250Z","event":"output","step":"build/base/linux-amd64","line":"::set-output name=x::y ##[add-mask]z"}
        {"schema":1,"time":"2026-11-20T12:00:01.250Z","event":"progress","step":"build/base/linux-amd64","stage":"[1/3] FROM debian:13","cached":2,"run":1}
        {"schema":1,"time":"2026-11-20T12:00:01.250Z","event":"retry","step":"build/base/linux-amd64","attempted":"push `base-aaaaaaaaaaaa-amd64-staging`","attempt":1,"of":3,"reason":"503 service unavailable","pause":15.0}
        {"schema":1,"time":"2026-11-20T12:00:01.250Z","event":"finished","step":"build/base/linux-amd64","outcome":"done","message":"","took":3.21,"cached":2,"run":5}
        {"schema":1,"time":"2026-11-20T12:00:01.250Z","event":"warning","step":"build/base/linux-arm64","message":"build cache was not exported: 100% full, retry later"}
        {"schema":1,"time":"2026-11-20T12:00:01.250Z","event":"started","step":"build/variant/omos/linux-amd64","why":"a build argument changed"}
        {"schema":1,"time":"2026-11-20T12:00:01.250Z","event":"finished","step":"build/base/linux-arm64","outcome":"adopted","message":"somebody else was first","took":65.0,"cached":0,"run":7}
        {"schema":1,"time":"2026-11-20T12:00:01.250Z","event":"output","step":"build/variant/omos/linux-amd64","line":"npm error 404"}
        {"schema":1,"time":"2026-11-20T12:00:01.250Z","event":"finished","step":"build/variant/omos/linux-amd64","outcome":"failed","message":"`RUN npm ci` ended with 1","took":12.3,"cached":1,"run":1}
        {"schema":1,"time":"2026-11-20T12:00:01.250Z","event":"finished","step":"smoke/variant/omos/linux-amd64","outcome":"skipped","message":"build/variant/omos/linux-amd64 failed","took":0.0,"cached":0,"run":0}
        {"schema":1,"time":"2026-11-20T12:00:01.250Z","event":"finished","step":"tag/v1.2.3-omos","outcome":"skipped","message":"","took":0.0,"cached":0,"run":0}
        {"schema":1,"time":"2026-11-20T12:00:01.250Z","event":"started","step":"build/variant/omos/linux-arm64","why":"absent"}
        {"schema":1,"time":"2026-11-20T12:00:01.250Z","event":"interrupting","running":["build/variant/omos/linux-arm64"]}
        {"schema":1,"time":"2026-11-20T12:00:01.250Z","event":"finished","step":"build/variant/omos/linux-arm64","outcome":"interrupted","message":"","took":0.5,"cached":0,"run":0}
        "#);
    }

    #[test]
    fn a_log_that_cannot_be_written_is_a_warning() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let lines = JsonLines::log_file(Box::new(Full), fixture::clock);
        lines.event(&fixture::warning("odd"));
        insta::assert_snapshot!(lines.finish().join("\n"), @"could not write the log file to its end: no storage space");
    }
}
