use super::*;
use crate::buildx::Redactor;
use crate::buildx::Retry;
use crate::domain::ExitCode;
use crate::testing::build_step;

fn failure(name: &str, error: &str, log: &str, said: &str) -> BuildFailure {
    full(name, error, log, said, true, None)
}

fn full(
    name: &str,
    error: &str,
    log: &str,
    said: &str,
    had_cache_from: bool,
    there: Option<bool>,
) -> BuildFailure {
    use base64::Engine as _;
    let mut progress = Progress::new(Redactor::default());
    if !name.is_empty() {
        let vertex = serde_json::json!({"vertexes": [{"digest": "v", "name": name, "error": error}],
            "logs": [{"vertex": "v", "data": base64::engine::general_purpose::STANDARD.encode(log)}]});
        progress.feed(&vertex.to_string(), &mut |_| {});
    }
    progress.feed(said, &mut |_| {});
    classify(&Evidence {
        step: &build_step("localhost:5000/acme/tiny"),
        progress: &progress,
        exit_code: Some(1),
        had_cache_from,
        in_context: &|_| there,
    })
}

#[test]
fn a_failed_run() {
    let got = failure(
        "[linux/arm64 stage-0 2/3] RUN npm ci",
        "process \"/bin/sh -c npm ci\" did not complete successfully: exit code: 7",
        "npm error 503 Service Unavailable\n",
        "ERROR: failed to build: failed to solve: process …",
    );
    let run = FailedRun {
        command: "RUN npm ci".into(),
        exit_code: Some(7),
    };
    assert_eq!((got.kind, got.retry), (FailureKind::RunFailed, Retry::Never));
    assert_eq!(got.run, Some(run));
    assert_eq!(got.reason, "`RUN npm ci` failed: exit code 7");
    assert_eq!(got.output, ["npm error 503 Service Unavailable"]);
    assert_eq!(got.exit_code(), ExitCode::Failed);
}

#[test]
fn runs_that_fail_for_another_reason() {
    let run = |log: &str, code: i32| {
        failure(
            "[2/3] RUN x",
            &format!("process \"x\" did not complete successfully: exit code: {code}"),
            log,
            "",
        )
    };
    assert_eq!(
        run("dd: writing: No space left on device\n", 1).what(),
        (FailureKind::DiskFull, FailureClass::Permanent)
    );
    assert!(run("exec /bin/sh: exec format error\n", 255).hints[0].contains("emulation"));
    assert!(run("Killed\n", 137).hints[0].contains("memory"));
}

#[test]
fn the_table() {
    const PUSH: &str = "exporting to image";
    const META: &str = "[internal] load metadata for docker.io/library/debian:12";
    for (name, error, class) in [
        (
            PUSH,
            "failed to push x: unexpected status from PUT request to https://r/v2/x: 500 Internal Server Error",
            (FailureKind::Push, FailureClass::Transient),
        ),
        (
            PUSH,
            "failed to push x: unexpected status from HEAD request to https://r/v2/x: 401 Unauthorized",
            (FailureKind::Push, FailureClass::Permanent),
        ),
        (
            PUSH,
            "failed to push x: unexpected status: 413 Request Entity Too Large",
            (FailureKind::Push, FailureClass::Permanent),
        ),
        (
            PUSH,
            "failed to push x: unexpected status from POST request to http://r: 400 Bad Request",
            (FailureKind::Push, FailureClass::Permanent),
        ),
        (
            PUSH,
            "toomanyrequests: slow down",
            (FailureKind::Push, FailureClass::Transient),
        ),
        (
            PUSH,
            "failed to push x: denied: requested access to the resource is denied",
            (FailureKind::Push, FailureClass::Permanent),
        ),
        (
            PUSH,
            "push access denied, repository does not exist or may require authorization: server message: insufficient_scope",
            (FailureKind::Push, FailureClass::Permanent),
        ),
        (
            PUSH,
            "failed to authorize: failed to fetch anonymous token: unexpected status: 503 Service Unavailable",
            (FailureKind::Push, FailureClass::Transient),
        ),
        (
            PUSH,
            "failed to do request: Head \"https://localhost:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused",
            (FailureKind::Push, FailureClass::Transient),
        ),
        (
            PUSH,
            "failed to do request: Put \"https://r/\": read: connection reset by peer",
            (FailureKind::Push, FailureClass::Transient),
        ),
        // Written to a registry, and not read from a cache.
        (
            PUSH,
            "failed to push x: failed to copy: failed to do request: Put \"https://r/v2/x/blobs/uploads/1\": read: connection reset by peer",
            (FailureKind::Push, FailureClass::Transient),
        ),
        (
            PUSH,
            "unknown: something new",
            (FailureKind::Unknown, FailureClass::Unknown),
        ),
        (
            PUSH,
            "image \"localhost:5000/acme/tiny:base-staging\": already exists",
            (FailureKind::Push, FailureClass::Transient),
        ),
        (
            PUSH,
            "tag invalid: The image tag \"v1\" already exists in the repository and cannot be overwritten",
            (FailureKind::Unknown, FailureClass::Unknown),
        ),
        (
            PUSH,
            "write /x: no space left on device",
            (FailureKind::DiskFull, FailureClass::Permanent),
        ),
        (
            META,
            "docker.io/library/debian:12: not found",
            (FailureKind::Base, FailureClass::Permanent),
        ),
        (
            META,
            "pull access denied, repository does not exist or may require authorization",
            (FailureKind::Base, FailureClass::Permanent),
        ),
        (
            META,
            "unexpected status from HEAD request to https://r: 503 Service Unavailable",
            (FailureKind::Base, FailureClass::Transient),
        ),
        (
            META,
            "failed to do request: Head \"x\": dial tcp: lookup r: i/o timeout",
            (FailureKind::Base, FailureClass::Transient),
        ),
        (
            META,
            "no match for platform in manifest: not found",
            (FailureKind::Base, FailureClass::Permanent),
        ),
        (
            "[2/2] RUN x",
            "failed to copy: httpReadSeeker: failed open: unexpected status code 503 Service Unavailable",
            (FailureKind::CacheBroken, FailureClass::Transient),
        ),
        (
            PUSH,
            "failed to copy: httpReadSeeker: failed open: could not fetch content: not found",
            (FailureKind::CacheBroken, FailureClass::Transient),
        ),
        (
            "[2/2] RUN x",
            "failed to prepare x: parent snapshot y does not exist: not found",
            (FailureKind::CacheEvicted, FailureClass::Transient),
        ),
        (
            "[2/2] RUN x",
            "context canceled",
            (FailureKind::Cancelled, FailureClass::Permanent),
        ),
        (
            "[2/2] RUN x",
            "rpc error: code = Unavailable desc = error reading from server: EOF",
            (FailureKind::EngineLost, FailureClass::Transient),
        ),
    ] {
        let got = failure(name, error, "", "");
        assert_eq!(got.what(), class, "{name}: {error}: {got:?}");
    }
    for (said, class) in [
        (
            "ERROR: failed to build: failed to solve: dockerfile parse error on line 1: unknown instruction: FROMM (did you mean FROM?)",
            (FailureKind::Frontend, FailureClass::Permanent),
        ),
        (
            "ERROR: failed to build: failed to solve: failed to read dockerfile: open nofile: no such file or directory",
            (FailureKind::Frontend, FailureClass::Permanent),
        ),
        (
            "ERROR: Cannot connect to the Docker daemon at unix:///nosock. Is the docker daemon running?",
            (FailureKind::EngineLost, FailureClass::Permanent),
        ),
        (
            "ERROR: no builder \"nosuch\" found",
            (FailureKind::EngineLost, FailureClass::Permanent),
        ),
        ("ERROR: who knows", (FailureKind::Unknown, FailureClass::Unknown)),
        ("", (FailureKind::Unknown, FailureClass::Unknown)),
    ] {
        assert_eq!(failure("", "", "", said).what(), class, "{said}");
    }
}

#[test]
fn a_status_that_only_the_log_has() {
    let push = |log: &str, error: &str| failure("exporting to image", error, log, "");
    let line = "error: failed commit on ref \"x\": unexpected status from PUT request to http://r/v2/x/manifests/t: 500 Internal Server Error\n";
    let got = push(line, "failed to push r/x:t: unknown: unknown error");
    assert_eq!(got.what(), (FailureKind::Push, FailureClass::Transient));
    assert!(
        got.reason.ends_with("unknown: unknown error (status 500)"),
        "{got:?}"
    );
    assert_eq!(
        push("", "failed to push r/x:t: unknown: unknown error").what(),
        (FailureKind::Unknown, FailureClass::Unknown)
    );
    assert_eq!(
        push(line, "failed to push r/x:t: denied: no").what(),
        (FailureKind::Push, FailureClass::Permanent)
    );
}

#[test]
fn a_pinned_base_is_a_base() {
    let name = "[context debian:13] docker.io/library/debian:13@sha256:0123";
    let got = failure(
        name,
        "unexpected status from GET request to http://r/v2/x: 503 Busy",
        "",
        "",
    );
    assert_eq!(got.what(), (FailureKind::Base, FailureClass::Transient));
}

#[test]
fn a_broken_layer_without_cache_is_the_base() {
    let text = "failed to copy: httpReadSeeker: failed open: unexpected status code https://r/x: 503 Service Unavailable";
    let got = full("[1/2] FROM x", text, "", "", false, None);
    assert_eq!(got.what(), (FailureKind::Base, FailureClass::Transient));
    let got = full("[1/2] FROM x", text, "", "", true, None);
    assert_eq!(got.retry, Retry::WithoutCacheFrom);
}

#[test]
fn a_missing_source_is_told_from_a_lost_cache() {
    let text = "failed to calculate checksum of ref a::b: \"/etc/x\": not found";
    let copy = "[1/2] COPY etc/x /";
    assert_eq!(
        failure(copy, text, "", "").what(),
        (FailureKind::MissingSource, FailureClass::Permanent)
    );
    assert_eq!(
        full(copy, text, "", "", true, Some(false)).what(),
        (FailureKind::MissingSource, FailureClass::Permanent)
    );
    let lost = full(copy, text, "", "", true, Some(true));
    assert_eq!(
        (lost.what(), lost.retry),
        (
            (FailureKind::CacheEvicted, FailureClass::Transient),
            Retry::Transient
        )
    );
    let lost = failure(
        copy,
        "failed to calculate checksum of ref a::b: snapshot x does not exist: not found",
        "",
        "",
    );
    assert_eq!(lost.what(), (FailureKind::CacheEvicted, FailureClass::Transient));
    let stage = full("[1/2] COPY --from=one /x /", text, "", "", true, Some(true));
    assert_eq!(
        stage.what(),
        (FailureKind::MissingSource, FailureClass::Permanent)
    );
}

#[test]
fn what_is_not_known_is_shown_and_not_tried_again() {
    let said: Vec<String> = (0..30).map(|line| format!("line {line}")).collect();
    let mut progress = Progress::new(Redactor::default());
    for line in &said {
        progress.feed(line, &mut |_| {});
    }
    progress.feed(
        "ERROR: failed to build: the moon is in the wrong quarter",
        &mut |_| {},
    );
    let got = classify(&Evidence {
        step: &build_step("localhost:5000/acme/tiny"),
        progress: &progress,
        exit_code: Some(1),
        had_cache_from: true,
        in_context: &|_| None,
    });
    assert_eq!(got.what(), (FailureKind::Unknown, FailureClass::Unknown));
    assert_eq!((got.rule, got.retry), ("unknown", Retry::Never));
    assert_eq!(got.reason, "the moon is in the wrong quarter");
    assert_eq!(got.output.last().unwrap(), "line 29");
    assert_eq!(got.output.len(), 19);
    assert!(got.hints[0].contains("was not tried again"), "{got:?}");
}

#[test]
fn status_code_and_request_are_kept_without_the_query() {
    let text = "failed to push r/x:t: unexpected status from PATCH request to http://r/v2/x/blobs/uploads/1?_state=s3cret: 503 Busy";
    let got = failure("exporting to image", text, "", "");
    assert_eq!(got.status, Some(503));
    assert_eq!(
        got.request.as_deref(),
        Some("PATCH http://r/v2/x/blobs/uploads/1")
    );
    assert!(!format!("{got:?}").contains("s3cret"), "{got:?}");
    let got = failure("exporting to image", "failed to push r/x:t: denied: no", "", "");
    assert_eq!((got.code, got.status), (Some("DENIED"), None));
}
