//! Blobs and layers: redirects, bounds, damage.

use super::*;
use crate::target::Target as _;
use std::io::Write as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const TAR_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

#[tokio::test]
async fn registry_redirect_does_not_take_credentials_along() {
    let store = Fake::start(|_| answer(200, &[], "content")).await;
    let location = format!("http://{}/store?sig=1", store.address);
    let fake = Fake::start(move |seen| {
        if seen.header("authorization").is_empty() {
            return answer(401, &[("WWW-Authenticate", "Basic realm=x")], "");
        }
        if seen.path == "/elsewhere" {
            return answer(307, &[("Location", &location)], "");
        }
        answer(302, &[("Location", "/elsewhere")], "")
    })
    .await;
    let blob = alice(&fake)
        .blob(&fake.repository(), &Digest::of(b"content"), 100)
        .await
        .unwrap();
    assert_eq!(&blob[..], b"content");
    // Kept on the same server, dropped on the other.
    assert!(!fake.seen().last().unwrap().header("authorization").is_empty());
    assert_eq!(fake.seen().last().unwrap().path, "/elsewhere");
    assert_eq!(store.seen()[0].header("authorization"), "");
    assert_eq!(store.seen()[0].query, "sig=1");
}

#[tokio::test]
async fn registry_redirects_end() {
    let fake = Fake::start(|_| answer(307, &[("Location", "/again")], "")).await;
    let error = client()
        .blob(&fake.repository(), &digest(), 100)
        .await
        .unwrap_err();
    assert!(error.reason.contains("more than 5"), "{error}");
    assert_eq!(fake.lines().len(), 6);
    let fake = Fake::start(|_| answer(307, &[("Location", "file:///etc/passwd")], "")).await;
    let error = client()
        .blob(&fake.repository(), &digest(), 100)
        .await
        .unwrap_err();
    assert!(error.reason.contains("scheme `file`"), "{error}");
}

#[tokio::test]
async fn registry_blob_is_proven_and_bounded() {
    let fake = Fake::start(|_| answer(200, &[], "damaged")).await;
    let error = client()
        .blob(&fake.repository(), &Digest::of(b"content"), 100)
        .await
        .unwrap_err();
    assert!(error.reason.contains("digest"), "{error}");
    let error = client()
        .blob(&fake.repository(), &Digest::of(b"damaged"), 6)
        .await
        .unwrap_err();
    assert!(error.reason.contains("longer than 6 bytes"), "{error}");
    assert!(
        client()
            .blob(&fake.repository(), &Digest::of(b"damaged"), 7)
            .await
            .is_ok()
    );
    let fake = Fake::start(|_| refuse(404, "BLOB_UNKNOWN")).await;
    let error = client().blob(&fake.repository(), &digest(), 7).await.unwrap_err();
    assert_eq!(
        (error.status, error.codes),
        (Some(404), vec!["BLOB_UNKNOWN".to_owned()])
    );
}

#[tokio::test]
async fn registry_endless_bodies_are_cut() {
    let endless = |status| {
        move |_: &Seen| {
            let pieces = futures_util::stream::repeat_with(|| {
                Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 64 * 1024]))
            });
            answer(status, &[], Body::from_stream(pieces))
        }
    };
    let fake = Fake::start(endless(200)).await;
    let error = unknown(client().manifest(&fake.repository(), &digest().into()).await);
    assert!(error.reason.contains("longer than 4194304 bytes"), "{error}");
    let error = client()
        .uncompressed_size(&fake.repository(), &layer(b"x", TAR_GZIP))
        .await
        .unwrap_err();
    assert!(
        error.reason.contains("descriptor") || error.reason.contains("decompressed"),
        "{error}"
    );
    let tar = layer(b"x", "application/vnd.oci.image.layer.v1.tar");
    let (client, repository) = (client(), fake.repository());
    let measured = client.uncompressed_size(&repository, &tar);
    let measured = tokio::time::timeout(std::time::Duration::from_secs(20), measured).await;
    let error = measured.expect("it ends").unwrap_err();
    assert!(error.reason.contains("the 1 bytes of its descriptor"), "{error}");
    let fake = Fake::start(endless(404)).await;
    unknown(
        self::client()
            .manifest(&fake.repository(), &digest().into())
            .await,
    );
}

/// A server that answers each connection with the next of these texts, and breaks off.
async fn raw(answers: Vec<String>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for text in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(text.as_bytes()).await;
        }
    });
    address
}

fn of_length(length: usize, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

/// Without its end a 404 does not say what is not there.
#[tokio::test]
async fn registry_404_that_breaks_off_is_asked_for_again() {
    let error = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"text"}]}"#;
    let absent = |body: &str| of_length(error.len(), body).replacen("200 OK", "404 Not Found", 1);
    let address = raw(vec![absent(""), absent(&error[..30]), absent(error)]).await;
    let repository = format!("{address}/acme/devbox").parse().unwrap();
    let (client, notices) = client_of(Credentials::anonymous());
    let found = client.resolve(&repository, &by_tag()).await;
    assert!(matches!(found, Presence::Absent), "{found:?}");
    assert_eq!(notices.lock().unwrap().len(), 1, "{notices:?}");
}

#[tokio::test]
async fn registry_body_that_breaks_off_is_read_again() {
    let content = "content";
    let address = raw(vec![String::new(), of_length(7, "con"), of_length(7, content)]).await;
    let repository = format!("{address}/acme/devbox").parse().unwrap();
    let (client, notices) = client_of(Credentials::anonymous());
    let blob = client
        .blob(&repository, &Digest::of(content.as_bytes()), 100)
        .await
        .unwrap();
    assert_eq!(&blob[..], content.as_bytes());
    assert_eq!(notices.lock().unwrap().len(), 2, "{notices:?}");

    let address = raw(vec![of_length(7, "con"), of_length(7, content)]).await;
    let repository = format!("{address}/acme/devbox").parse().unwrap();
    let tar = layer(content.as_bytes(), "application/vnd.oci.image.layer.v1.tar");
    assert_eq!(client.uncompressed_size(&repository, &tar).await, Ok(7));
}

#[tokio::test]
async fn registry_layer_is_measured_once_and_proven() {
    let data = vec![1_u8; 1_000_000];
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&data).unwrap();
    let body = encoder.finish().unwrap();
    let served = body.clone();
    let fake = Fake::start(move |_| answer(200, &[], served.clone())).await;
    let (client, repository) = (client(), fake.repository());
    let descriptor = layer(&body, TAR_GZIP);
    assert_eq!(
        client.uncompressed_size(&repository, &descriptor).await,
        Ok(1_000_000)
    );
    assert_eq!(
        client.uncompressed_size(&repository, &descriptor).await,
        Ok(1_000_000)
    );
    assert_eq!(fake.lines().len(), 1);

    let mut other = descriptor.clone();
    other.digest = digest();
    let error = client.uncompressed_size(&repository, &other).await.unwrap_err();
    assert!(error.reason.contains("digest"), "{error}");
    other.media_type = "application/vnd.oci.image.layer.v1.tar+zstd".to_owned();
    let error = client.uncompressed_size(&repository, &other).await.unwrap_err();
    assert!(error.reason.contains("cannot be decompressed"), "{error}");
    other.media_type = "application/vnd.in-toto+json".to_owned();
    client.uncompressed_size(&repository, &other).await.unwrap_err();
}
