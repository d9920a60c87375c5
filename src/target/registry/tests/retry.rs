//! Only what can succeed is tried again (guarantee 9).

use super::*;
use crate::target::{FailureClass, Target as _};

#[tokio::test]
async fn registry_statuses_that_pass_are_retried_and_others_are_not() {
    for (status, requests) in [
        (408, 3),
        (429, 3),
        (499, 3),
        (500, 3),
        (502, 3),
        (503, 3),
        (504, 3),
        (522, 3),
        (400, 1),
        (405, 1),
        (501, 1),
    ] {
        let fake = Fake::start(move |_| answer(status, &[], "")).await;
        let (client, notices) = client_of(Credentials::anonymous());
        let error = unknown(client.resolve(&fake.repository(), &by_tag()).await);
        assert_eq!(error.status, Some(status));
        let asked = fake.lines();
        let asked: Vec<_> = asked.iter().filter(|line| line.starts_with("HEAD")).collect();
        assert_eq!(asked.len(), requests, "{status}");
        let notices = notices.lock().unwrap();
        assert_eq!(notices.len(), requests - 1, "{status}");
        for (notice, number) in notices.iter().zip(1..) {
            assert_eq!((notice.attempt, notice.of), (number, 3));
            assert!(notice.reason.starts_with(&status.to_string()), "{notice:?}");
            assert_eq!(notice.attempted, format!("read `v1` of `{}`", fake.repository()));
        }
    }
}

#[tokio::test]
async fn registry_denials_are_not_retried() {
    for status in [401, 403] {
        let fake = Fake::start(move |_| answer(status, &[], "")).await;
        client()
            .blob(&fake.repository(), &digest(), 10)
            .await
            .unwrap_err();
        assert_eq!(fake.lines().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn registry_second_try_can_succeed() {
    let fake = Fake::start(|seen| match seen.before {
        0 => answer(503, &[], ""),
        _ => manifest(),
    })
    .await;
    assert_eq!(
        present(client().resolve(&fake.repository(), &by_tag()).await),
        digest()
    );
}

#[tokio::test]
async fn registry_retry_after_is_waited() {
    let fake = Fake::start(|seen| match seen.before {
        0 => answer(429, &[("Retry-After", "1")], ""),
        _ => manifest(),
    })
    .await;
    let (client, notices) = client_of(Credentials::anonymous());
    let started = std::time::Instant::now();
    present(client.resolve(&fake.repository(), &by_tag()).await);
    assert!(started.elapsed() >= std::time::Duration::from_secs(1));
    assert_eq!(
        notices.lock().unwrap()[0].delay,
        std::time::Duration::from_secs(1)
    );
}

#[tokio::test]
async fn registry_that_is_not_running_is_said_to_be_so() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (client, notices) = client_of(Credentials::anonymous());
    let error = unknown(
        client
            .resolve(&format!("{address}/a/b").parse().unwrap(), &by_tag())
            .await,
    );
    assert_eq!(error.class, FailureClass::Transient);
    assert_eq!(
        error.reason,
        format!("connect to `{address}`: connection refused, 3 attempts")
    );
    assert_eq!(error.hints, [format!("is the registry at {address} running?")]);
    assert_eq!(notices.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn registry_that_stalls_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, notices) = client_with(Credentials::anonymous(), |options| {
        options.idle_timeout = std::time::Duration::from_millis(300);
    });
    let error = unknown(
        client
            .resolve(&format!("{address}/a/b").parse().unwrap(), &by_tag())
            .await,
    );
    assert!(error.reason.contains("did not answer in time"), "{error}");
    assert_eq!(notices.lock().unwrap().len(), 2);
    drop(listener);
}

#[tokio::test]
async fn registry_requests_at_the_same_time_are_bounded() {
    let running = Arc::new(Mutex::new((0_usize, 0_usize)));
    let counted = Arc::clone(&running);
    let fake = Fake::start(move |_| {
        let counted = Arc::clone(&counted);
        {
            let mut now = counted.lock().unwrap();
            now.0 += 1;
            now.1 = now.1.max(now.0);
        }
        let body = futures_util::stream::once(async move {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            counted.lock().unwrap().0 -= 1;
            Ok::<_, std::io::Error>(Bytes::from_static(b"x"))
        });
        answer(200, &[], Body::from_stream(body))
    })
    .await;
    let (client, repository, digest) = (client(), fake.repository(), Digest::of(b"x"));
    let blobs = (0..40).map(|_| client.blob(&repository, &digest, 10));
    assert!(
        futures_util::future::join_all(blobs)
            .await
            .iter()
            .all(Result::is_ok)
    );
    assert_eq!(running.lock().unwrap().1, 16);
}
