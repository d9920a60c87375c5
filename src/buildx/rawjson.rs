//! Reads the lines of `--progress=rawjson`: `BuildKit`'s `SolveStatus` as JSON (`client/graph.go` in moby/buildkit).
//!
//! What is unknown or of another shape is passed over: a newer `BuildKit` must not break a build.

use base64::Engine as _;
use serde_json::Value;

/// One line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SolveStatus {
    pub(super) vertices: Vec<VertexUpdate>,
    pub(super) statuses: Vec<StatusUpdate>,
    pub(super) logs: Vec<LogUpdate>,
    pub(super) warnings: Vec<WarningUpdate>,
}

/// A vertex as it is now: each update replaces the one before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct VertexUpdate {
    pub(super) digest: String,
    pub(super) name: String,
    pub(super) started: Option<jiff::Timestamp>,
    pub(super) completed: Option<jiff::Timestamp>,
    pub(super) cached: bool,
    pub(super) error: Option<String>,
}

/// Something that a vertex does: `pushing layers`, `exporting manifest sha256:…`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct StatusUpdate {
    pub(super) vertex: String,
    pub(super) id: String,
    pub(super) completed: bool,
}

/// A piece of output, not always whole lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LogUpdate {
    pub(super) vertex: String,
    pub(super) stream: u64,
    pub(super) data: Vec<u8>,
}

/// What a frontend complains of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct WarningUpdate {
    pub(super) short: String,
}

/// One line taken apart; `None` when it is not a JSON object, so plain text.
pub(super) fn parse(line: &str) -> Option<SolveStatus> {
    if !line.starts_with('{') {
        return None;
    }
    let value: Value = serde_json::from_str(line).ok()?;
    let list = |name: &str| {
        value
            .get(name)
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default()
    };
    Some(SolveStatus {
        vertices: list("vertexes").iter().map(vertex).collect(),
        statuses: list("statuses").iter().map(status).collect(),
        logs: list("logs").iter().map(log).collect(),
        warnings: list("warnings").iter().map(warning).collect(),
    })
}

fn vertex(value: &Value) -> VertexUpdate {
    VertexUpdate {
        digest: text(value, "digest"),
        name: text(value, "name"),
        started: time(value, "started"),
        completed: time(value, "completed"),
        cached: value.get("cached").and_then(Value::as_bool).unwrap_or_default(),
        error: Some(text(value, "error")).filter(|error| !error.is_empty()),
    }
}

fn status(value: &Value) -> StatusUpdate {
    StatusUpdate {
        vertex: text(value, "vertex"),
        id: text(value, "id"),
        completed: value.get("completed").is_some_and(Value::is_string),
    }
}

fn log(value: &Value) -> LogUpdate {
    LogUpdate {
        vertex: text(value, "vertex"),
        stream: value.get("stream").and_then(Value::as_u64).unwrap_or_default(),
        data: bytes(value, "data"),
    }
}

fn warning(value: &Value) -> WarningUpdate {
    WarningUpdate {
        short: String::from_utf8_lossy(&bytes(value, "short")).into_owned(),
    }
}

fn text(value: &Value, name: &str) -> String {
    value
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn time(value: &Value, name: &str) -> Option<jiff::Timestamp> {
    value.get(name)?.as_str()?.parse().ok()
}

/// Go writes `[]byte` as base64.
fn bytes(value: &Value, name: &str) -> Vec<u8> {
    value
        .get(name)
        .and_then(Value::as_str)
        .and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_real_line() {
        let line = r#"{"vertexes":[{"digest":"sha256:a","inputs":["sha256:b"],"name":"[one 2/2] RUN x","started":"2026-11-20T22:06:13.811057306Z","cached":true,"error":"e"}],"statuses":[{"id":"pushing layers","vertex":"sha256:a","completed":"2026-11-20T22:06:13Z"}],"logs":[{"vertex":"sha256:a","stream":2,"data":"aGVsbG8K"}],"warnings":[{"vertex":"sha256:a","level":1,"short":"aGk="}]}"#;
        let status = parse(line).unwrap();
        assert!(status.vertices[0].cached && status.vertices[0].completed.is_none());
        assert!(status.vertices[0].started.is_some());
        assert_eq!(status.vertices[0].error.as_deref(), Some("e"));
        assert!(status.statuses[0].completed);
        assert_eq!(status.logs[0].data, b"hello\n");
        assert_eq!(status.warnings[0].short, "hi");
    }

    #[test]
    fn other_shapes_are_passed_over() {
        for line in [
            "{}",
            r#"{"vertexes":null}"#,
            r#"{"vertexes":[1,null,{"name":7,"started":"soon"}],"logs":{"data":"%%"},"new":1}"#,
        ] {
            assert!(parse(line).is_some(), "{line}");
        }
        for line in ["", "ERROR: failed", "{", "[]", "{\"vertexes\":"] {
            assert!(parse(line).is_none(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(line in ".*", key in "vertexes|statuses|logs|warnings", inner in "[\\[\\]{}\":a-z0-9,]*") {
            let _ = parse(&line);
            let _ = parse(&format!("{{\"{key}\":[{inner}]}}"));
        }
    }
}
