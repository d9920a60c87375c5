//! Registries as they are: what else was met, and is not told elsewhere in these tests.

use super::*;
use crate::target::{FailureClass, RawManifest, Target as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const BASIC: (&str, &str) = ("WWW-Authenticate", "basic realm=/v2/acme/devbox");
const BEARER: (&str, &str) = ("WWW-Authenticate", "Bearer realm=/token");

fn written() -> RawManifest {
    RawManifest::new(MANIFEST).unwrap()
}

/// Whether a request came with credentials.
fn known(seen: &Seen) -> bool {
    !seen.header("authorization").is_empty()
}

#[tokio::test]
async fn registry_whose_root_needs_no_credentials_is_not_asked_there() {
    let fake = Fake::start(|seen| match seen.path.as_str() {
        "/v2/" | "/v2" => answer(200, &[], "{}"),
        _ if known(seen) => manifest(),
        _ => answer(401, &[BASIC], ""),
    })
    .await;
    present(alice(&fake).resolve(&fake.repository(), &by_tag()).await);
    assert_eq!(fake.lines(), ["HEAD manifests/v1"; 2]);
}

#[tokio::test]
async fn registry_denial_that_passes_does_not_fail_a_write() {
    // Its login is down for a moment, in the middle of a run: once for a request, and once for its token server.
    for challenge in [BASIC, BEARER] {
        let down = Arc::new(Mutex::new(0));
        let left = Arc::clone(&down);
        let fake = Fake::start(move |seen| {
            let is_token = seen.path == "/token";
            let mut left = left.lock().unwrap();
            if *left > 0 && (is_token || known(seen)) {
                *left -= 1;
                return answer(401, &[challenge], "upstream timed out");
            }
            match (is_token, seen.method.as_str()) {
                (true, _) => answer(200, &[], r#"{"token":"t"}"#),
                _ if !known(seen) => answer(401, &[challenge], ""),
                (_, "PUT") => answer(201, &[], ""),
                _ => manifest(),
            }
        })
        .await;
        let client = alice(&fake);
        present(client.resolve(&fake.repository(), &by_tag()).await);
        for times in [1, 1] {
            *down.lock().unwrap() = times;
            client
                .put_manifest(&fake.repository(), &tag(), &written())
                .await
                .unwrap();
        }
        // A password that was never good is tried once.
        *down.lock().unwrap() = 99;
        let client = alice(&fake);
        fake.log.lock().unwrap().clear();
        client
            .put_manifest(&fake.repository(), &tag(), &written())
            .await
            .unwrap_err();
        assert_eq!(fake.lines().len(), 2, "{:?}", fake.lines());
    }
}

#[tokio::test]
async fn registry_token_that_runs_out_within_an_upload_is_renewed() {
    // What was read to be sent cannot be sent twice: the upload begins anew.
    let fake = Fake::start(|seen| {
        let good = seen.header("authorization") == "Bearer token-1";
        match (seen.path.as_str(), seen.method.as_str()) {
            ("/token", _) => answer(200, &[], format!(r#"{{"token":"token-{}"}}"#, seen.before)),
            (_, "PUT") if !good => answer(401, &[BEARER], ""),
            _ if !known(seen) => answer(401, &[BEARER], ""),
            (_, "HEAD") => answer(404, &[], ""),
            (_, "POST") => answer(202, &[("Location", "/v2/acme/devbox/blobs/uploads/1?a=b")], ""),
            _ => answer(201, &[], ""),
        }
    })
    .await;
    let (client, repository) = (alice(&fake), fake.repository());
    let blob = layer(b"content", "application/vnd.oci.image.layer.v1.tar");
    let open = || async {
        let piece = futures_util::stream::iter([Ok(Bytes::from_static(b"content"))]);
        Ok(futures_util::StreamExt::boxed(piece))
    };
    client.carry_blob(&repository, &blob, None, open).await.unwrap();
    let last = fake.seen().pop().unwrap();
    assert_eq!(
        (last.method.as_str(), &last.body[..]),
        ("PUT", b"content".as_slice())
    );
    assert!(last.query.starts_with("a=b&digest=sha256"), "{}", last.query);
    assert_eq!(
        fake.lines().iter().filter(|line| *line == "GET /token").count(),
        2
    );
    // What is in memory is sent once more as it is.
    let fake = Fake::start(|seen| match (seen.path.as_str(), seen.header("authorization")) {
        ("/token", _) => answer(200, &[], format!(r#"{{"token":"token-{}"}}"#, seen.before)),
        (_, "Bearer token-2") if seen.method == "PUT" => answer(201, &[], ""),
        (_, token) if seen.method == "HEAD" && !token.is_empty() => manifest(),
        _ => answer(401, &[BEARER], ""),
    })
    .await;
    let client = alice(&fake);
    present(client.resolve(&fake.repository(), &by_tag()).await);
    client
        .put_manifest(&fake.repository(), &tag(), &written())
        .await
        .unwrap();
}

#[tokio::test]
async fn registry_redirect_that_leads_back_brings_no_credentials_back() {
    let back = Arc::new(Mutex::new(String::new()));
    let location = Arc::clone(&back);
    let store = Fake::start(move |_| answer(307, &[("Location", &*location.lock().unwrap())], "")).await;
    let away = format!("http://{}/away", store.address);
    let fake = Fake::start(move |seen| match seen.path.as_str() {
        "/back" => answer(200, &[], "content"),
        _ if known(seen) => answer(307, &[("Location", &away)], ""),
        _ => answer(401, &[BASIC], ""),
    })
    .await;
    *back.lock().unwrap() = format!("http://{}/back", fake.address);
    let blob = alice(&fake)
        .blob(&fake.repository(), &Digest::of(b"content"), 100)
        .await;
    assert_eq!(&blob.unwrap()[..], b"content");
    // Whoever stands between may have made the address.
    let came = fake.seen().pop().unwrap();
    assert_eq!((came.path.as_str(), known(&came)), ("/back", false));
    assert!(!known(&store.seen()[0]));
}

#[tokio::test]
async fn registry_redirect_that_asks_for_a_password_gets_none() {
    let store = Fake::start(|_| answer(401, &[BASIC], "")).await;
    let away = format!("http://{}/away", store.address);
    let fake = Fake::start(move |seen| {
        if known(seen) {
            answer(302, &[("Location", &away)], "")
        } else {
            answer(401, &[BASIC], "")
        }
    })
    .await;
    let error = alice(&fake)
        .blob(&fake.repository(), &digest(), 100)
        .await
        .unwrap_err();
    assert!(
        error.reason.starts_with("redirected to `127.0.0.1`: 401"),
        "{error}"
    );
    assert!(
        error.hints.is_empty(),
        "a password for it is not ours to ask for: {error:?}"
    );
    assert_eq!((store.seen().len(), known(&store.seen()[0])), (1, false));
}

#[tokio::test]
async fn registry_redirect_of_a_write_is_not_followed() {
    for status in [301, 302, 307, 308] {
        let store = Fake::start(|_| answer(201, &[], "")).await;
        let away = format!("http://{}/away", store.address);
        let fake = Fake::start(move |seen| match (seen.method.as_str(), known(seen)) {
            (_, false) => answer(401, &[BASIC], ""),
            ("HEAD", _) => answer(404, &[], ""),
            _ => answer(status, &[("Location", &away)], ""),
        })
        .await;
        let client = alice(&fake);
        let put = client.put_manifest(&fake.repository(), &tag(), &written()).await;
        let error = put.unwrap_err();
        assert_eq!(
            (error.status, error.exit_code()),
            (Some(status), crate::domain::ExitCode::PushFailed)
        );
        let put = client
            .put_blob(&fake.repository(), Bytes::from_static(b"{}"))
            .await;
        assert!(put.is_err());
        assert_eq!(store.lines(), [""; 0]);
    }
}

#[tokio::test]
async fn registry_upload_that_goes_on_elsewhere_gets_no_credentials_when_it_asks() {
    let store = Fake::start(|_| answer(401, &[BASIC], "")).await;
    let location = format!("http://{}/up?_state=a%2Bb", store.address);
    let fake = Fake::start(move |seen| match (seen.method.as_str(), known(seen)) {
        (_, false) => answer(401, &[BASIC], ""),
        ("HEAD", _) => answer(404, &[], ""),
        _ => answer(202, &[("Location", &location)], ""),
    })
    .await;
    let put = alice(&fake)
        .put_blob(&fake.repository(), Bytes::from_static(b"{}"))
        .await;
    assert_eq!(put.unwrap_err().status, Some(401));
    let seen = store.seen();
    assert_eq!((seen.len(), known(&seen[0])), (1, false));
    assert!(
        seen[0].query.starts_with("_state=a%2Bb&digest="),
        "{}",
        seen[0].query
    );
}

#[tokio::test]
async fn registry_page_of_html_is_told_in_a_line() {
    // As Docker Hub answered the export of a cache for days.
    let page = "<html>\r\n<head><title>400 Bad request</title></head>\r\n<body>long</body></html>";
    let fake = Fake::start(move |_| answer(400, &[("Content-Type", "text/html")], page)).await;
    let put = client()
        .put_manifest(&fake.repository(), &tag(), &written())
        .await;
    let error = put.unwrap_err();
    assert_eq!(
        (error.class, error.reason.as_str()),
        (FailureClass::Permanent, "400 Bad Request (400 Bad request)")
    );
    // The other request is whether this is a server that wants TLS.
    assert_eq!(fake.lines(), ["PUT manifests/v1", "GET /v2/"]);
}

/// A server that sends these bytes to each connection after its request, and breaks off.
async fn raw(answer: impl Into<Vec<u8>>) -> Repository {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, answer) = (listener.local_addr().unwrap(), answer.into());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(&answer).await;
        }
    });
    format!("{address}/acme/devbox").parse().unwrap()
}

#[tokio::test]
async fn registry_body_of_another_length_than_it_says_is_not_believed() {
    let (length, digest) = (MANIFEST.len(), digest());
    let of = |length: usize| {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{MANIFEST}")
    };
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{length:x}\r\n{}",
        &MANIFEST[..20]
    );
    let endless = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}",
        &MANIFEST[..length - 1]
    );
    for (answer, class) in [
        (of(length + 1), FailureClass::Transient),
        (chunked, FailureClass::Transient),
        (of(length - 1), FailureClass::Permanent),
        (of(0), FailureClass::Permanent),
        (endless, FailureClass::Permanent),
    ] {
        let repository = raw(answer.clone()).await;
        let error = unknown(client().manifest(&repository, &digest.into()).await);
        assert_eq!(error.class, class, "{error} {answer}");
        let error = client().blob(&repository, &digest, 10_000).await.unwrap_err();
        assert_eq!(error.class, class, "{error} {answer}");
    }
    let repository = raw(of(length)).await;
    present(client().manifest(&repository, &digest.into()).await);
}

#[tokio::test]
async fn registry_that_speaks_no_http_is_unknown() {
    for answer in [
        "",
        "SSH-2.0-OpenSSH_9\r\n",
        "HTTP/1.1 999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno header\r\n\r\n",
    ] {
        let repository = raw(answer).await;
        unknown(client().resolve(&repository, &by_tag()).await);
    }
    // Headers without end.
    let mut long = b"HTTP/1.1 200 OK\r\nX: ".to_vec();
    long.extend(vec![b'x'; 4 * 1024 * 1024]);
    unknown(client().resolve(&raw(long).await, &by_tag()).await);
}

#[tokio::test]
async fn registry_answers_without_end_are_not_read_to_it() {
    let endless = |status: u16| {
        let pieces =
            futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 64 * 1024])));
        answer(status, &[BEARER], Body::from_stream(pieces))
    };
    for status in [200, 401, 503] {
        let fake = Fake::start(move |seen| match seen.path.as_str() {
            "/token" => endless(status),
            _ => answer(401, &[BEARER], ""),
        })
        .await;
        alice(&fake)
            .blob(&fake.repository(), &digest(), 10)
            .await
            .unwrap_err();
    }
    for status in [200, 201, 400, 404, 500] {
        let fake = Fake::start(move |_| endless(status)).await;
        let (client, repository) = (client(), fake.repository());
        let tags = client.tags(&repository).await;
        assert!(tags.is_err(), "{status}");
        assert!(
            client
                .referrers(&repository, &digest())
                .await
                .is_ok_and(|found| found.is_none())
                == (status == 400 || status == 404)
        );
        unknown(client.manifest(&repository, &by_tag()).await);
        assert!(
            client
                .put_manifest(&repository, &tag(), &written())
                .await
                .is_err()
                || status < 300
        );
    }
}
