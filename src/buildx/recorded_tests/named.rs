//! Which error code and which request each recorded failure names, where it names one.

use regex::Regex;
use std::sync::LazyLock;

/// A request without what is another one each time: the registry's host and port, digests and tags, the number of an upload.
pub(super) fn plain(request: &str) -> String {
    static OTHER: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            "sha256:[0-9a-f]{64}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|//[A-Za-z0-9.%-]+(:[0-9]+)?",
        )
        .unwrap()
    });
    let plain = OTHER.replace_all(request, "X");
    // Recordings have another tag there.
    let name = plain.rsplit_once("/manifests/");
    name.map_or_else(
        || plain.clone().into_owned(),
        |(start, _)| format!("{start}/manifests/X"),
    )
}

/// Name of the recording, code, request. What is not listed names neither.
pub(super) const NAMED: &[(&str, Option<&str>, Option<&str>)] = &[
    ("add-reset", None, Some("GET http:X/reset")),
    ("base-401", None, Some("HEAD http:X/v2/build/tiny/manifests/X")),
    ("base-403", None, Some("HEAD http:X/v2/build/tiny/manifests/X")),
    ("base-429", None, Some("HEAD http:X/v2/build/tiny/manifests/X")),
    ("base-500", None, Some("HEAD http:X/v2/build/tiny/manifests/X")),
    ("base-layer-503", None, Some("GET http:X/v2/build/tiny/blobs/X")),
    ("base-name", None, Some("HEAD https:X/v2/build/tiny/manifests/X")),
    (
        "base-refused",
        None,
        Some("HEAD https:X/v2/build/tiny/manifests/X"),
    ),
    ("base-reset", None, Some("HEAD https:X/v2/build/tiny/manifests/X")),
    ("base-token-500", None, Some("GET http:X/token")),
    ("cache-layer-503", None, Some("GET http:X/v2/cache/blobs/X")),
    ("engine-cut", Some("UNAVAILABLE"), None),
    ("engine-permission", None, Some("HEAD http:X/_ping")),
    (
        "push-400-html",
        None,
        Some("PUT http:X/v2/build/tiny/manifests/X"),
    ),
    ("push-401", Some("UNAUTHORIZED"), None),
    ("push-403", Some("DENIED"), None),
    ("push-404", Some("UNKNOWN"), None),
    ("push-413", None, Some("PUT http:X/v2/build/tiny/blobs/uploads/X")),
    ("push-429", Some("TOOMANYREQUESTS"), None),
    ("push-429-retry-after", Some("TOOMANYREQUESTS"), None),
    (
        "push-500",
        Some("UNKNOWN"),
        Some("PUT http:X/v2/build/tiny/manifests/X"),
    ),
    ("push-503", None, Some("PUT http:X/v2/build/tiny/manifests/X")),
    (
        "push-certificate",
        None,
        Some("HEAD https:X/v2/build/tiny/blobs/X"),
    ),
    (
        "push-certificate-date",
        None,
        Some("HEAD https:X/v2/build/tiny/blobs/X"),
    ),
    ("push-child-unseen", Some("UNKNOWN"), None),
    ("push-name", None, Some("HEAD https:X/v2/build/tiny/blobs/X")),
    (
        "push-plain-http",
        None,
        Some("HEAD https:X/v2/build/tiny/blobs/X"),
    ),
    ("push-refused", None, Some("HEAD https:X/v2/build/tiny/blobs/X")),
    ("push-reset", None, Some("PUT https:X/v2/build/tiny/manifests/X")),
    ("push-token-401", None, Some("GET http:X/token")),
    ("push-token-500", None, Some("GET http:X/token")),
];
