//! Servers that stall, in each phase of a request: nobody waits for them for ever.

use super::*;
use crate::target::Target as _;
use std::time::Duration as Time;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What a server does with each connection.
#[derive(Debug, Clone, Copy)]
enum Stalls {
    /// Says nothing.
    AtOnce,
    /// Stops within the headers of its answer.
    InHeaders,
    /// Sends the headers, and no body.
    AfterHeaders,
    /// Sends the body so slowly that it never ends, and never pauses for long.
    Drips,
}

impl Stalls {
    async fn serve(self, mut stream: TcpStream) {
        let _ = stream.read(&mut [0; 4096]).await;
        let head: &[u8] = match self {
            Self::AtOnce => b"",
            Self::InHeaders => b"HTTP/1.1 200 OK\r\nContent-",
            Self::AfterHeaders | Self::Drips => b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{",
        };
        let _ = stream.write_all(head).await;
        while matches!(self, Self::Drips) && stream.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Time::from_millis(20)).await;
        }
        std::future::pending::<()>().await;
    }
}

async fn stalling(stalls: Stalls) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(stalls.serve(stream));
        }
    });
    address
}

/// Gives up soon. What drips is ended by the limit for the whole, and all else by that for a pause.
fn impatient() -> Registry {
    let (client, _) = client_with(Credentials::anonymous(), |options| {
        options.idle_timeout = Time::from_millis(250);
        options.request_timeout = Time::from_millis(350);
        options.read_back = Time::from_millis(300);
    });
    client
}

/// A machine that is busy is slow, and one that hangs never ends.
async fn ends<T>(what: &str, request: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(Time::from_secs(30), request).await;
    ended.unwrap_or_else(|_| panic!("{what} does not end"))
}

#[tokio::test]
async fn registry_that_stalls_anywhere_is_given_up() {
    let phases = [
        Stalls::AtOnce,
        Stalls::InHeaders,
        Stalls::AfterHeaders,
        Stalls::Drips,
    ];
    let all = phases.map(|stalls| async move {
        let repository: Repository = format!("{}/acme/devbox", stalling(stalls).await).parse().unwrap();
        let (client, what) = (impatient(), format!("{stalls:?}"));
        let heavy = layer(b"x", "application/vnd.oci.image.layer.v1.tar");
        let heavy = oci::Descriptor {
            size: 40_000,
            ..heavy
        };
        let (digest, tag) = (digest(), tag());
        let written = crate::target::RawManifest::new(MANIFEST).unwrap();
        let (blob, size, tags, written) = ends(
            &what,
            futures_util::future::join4(
                client.blob(&repository, &digest, 1_000_000),
                // Heavier requests have more time: a second for each 50,000 bytes.
                client.uncompressed_size(&repository, &heavy),
                client.tags(&repository),
                client.put_manifest(&repository, &tag, &written),
            ),
        )
        .await;
        for error in [blob.unwrap_err(), size.unwrap_err(), tags.unwrap_err()] {
            assert!(
                error.reason.ends_with("did not answer in time, 3 attempts"),
                "{what}: {error}"
            );
        }
        // The status alone says that it was taken; then it is not read back.
        assert!(written.is_err(), "{what}");
    });
    futures_util::future::join_all(all).await;
}

#[tokio::test]
async fn registry_whose_tls_never_begins_is_given_up() {
    let address = stalling(Stalls::AtOnce).await;
    let (client, _) = client_with(Credentials::anonymous(), |options| {
        options.connect_timeout = Time::from_millis(200);
    });
    client.0.http.speaks_tls(&address.to_string());
    let repository = format!("{address}/acme/devbox").parse().unwrap();
    let error = ends("TLS", client.blob(&repository, &digest(), 10))
        .await
        .unwrap_err();
    assert_eq!(
        error.reason,
        format!("connect to `{address}`: timed out, 3 attempts")
    );
}

#[tokio::test]
async fn registry_token_server_that_stalls_is_given_up() {
    let all = [Stalls::AtOnce, Stalls::AfterHeaders, Stalls::Drips].map(|stalls| async move {
        let challenge = format!("Bearer realm=http://{}/token", stalling(stalls).await);
        let fake = Fake::start(move |_| answer(401, &[("WWW-Authenticate", &challenge)], "")).await;
        let repository = fake.repository();
        let error = ends("the token server", impatient().blob(&repository, &digest(), 10))
            .await
            .unwrap_err();
        assert!(error.reason.starts_with("token server `127.0.0.1`: "), "{error}");
        assert!(
            error.reason.ends_with("did not answer in time, 3 attempts"),
            "{error}"
        );
    });
    futures_util::future::join_all(all).await;
}

#[tokio::test]
async fn registry_redirect_to_a_server_that_stalls_is_given_up() {
    let location = format!("http://{}/store", stalling(Stalls::Drips).await);
    let fake = Fake::start(move |_| answer(307, &[("Location", &location)], "")).await;
    let repository = fake.repository();
    let error = ends("the store", impatient().blob(&repository, &digest(), 1_000_000))
        .await
        .unwrap_err();
    assert!(error.reason.contains("did not answer in time"), "{error}");
}

/// A registry that opens uploads, and either stops reading them or reads them and never answers.
async fn swallowing(reads: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut request).await {
                    let answer: &[u8] = match &request[..length.min(4)] {
                        b"HEAD" => b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
                        b"POST" => b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nLocation: /up\r\n\r\n",
                        _ if reads => continue,
                        _ => std::future::pending().await,
                    };
                    let _ = stream.write_all(answer).await;
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn registry_that_stops_taking_an_upload_is_given_up() {
    // More than the buffers of two sockets hold.
    const PIECES: usize = 512;
    let piece = Bytes::from(vec![0; 64 * 1024]);
    let blob = oci::Descriptor {
        size: (PIECES * piece.len()) as u64,
        ..layer(b"x", "application/vnd.oci.image.layer.v1.tar")
    };
    let open = |piece: Bytes, pieces| {
        move || {
            let piece = piece.clone();
            let stream = futures_util::stream::iter((0..pieces).map(move |_| Ok(piece.clone())));
            async move { Ok(futures_util::StreamExt::boxed(stream)) }
        }
    };
    let repository = format!("{}/acme/devbox", swallowing(false).await)
        .parse()
        .unwrap();
    let client = impatient();
    let stops = client.carry_blob(&repository, &blob, None, open(piece, PIECES));
    // It has no more time than a small request: its answer never comes.
    let small = layer(b"1234", "application/vnd.oci.image.layer.v1.tar");
    let silent = format!("{}/acme/devbox", swallowing(true).await).parse().unwrap();
    let never = client.carry_blob(&silent, &small, None, open(Bytes::from_static(b"1234"), 1));
    let (stops, never) = ends("an upload", futures_util::future::join(stops, never)).await;
    let error = stops.unwrap_err();
    assert!(
        error
            .reason
            .contains("took no byte of the upload for 250ms, 3 attempts"),
        "{error}"
    );
    let error = never.unwrap_err();
    assert!(
        error.reason.ends_with("did not answer in time, 3 attempts"),
        "{error}"
    );
}
