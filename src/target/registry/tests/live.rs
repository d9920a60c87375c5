//! Against the real registry (Debian package `docker-registry`): `SPLITBASE_TEST_REGISTRY_BIN`, else `docker-registry` on PATH.

use super::*;
use crate::environment::Environment;
use crate::process::{Command, run};
use crate::target::{RawManifest, Target as _};
use std::io::Write as _;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread")]
async fn e2e_registry_tags_and_blobs_go_there_and_back() {
    let program = Environment::of_process()
        .get("SPLITBASE_TEST_REGISTRY_BIN")
        .unwrap_or("docker-registry")
        .to_owned();
    let folder = tempfile::tempdir().unwrap();
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let mut config = tempfile::NamedTempFile::new().unwrap();
    let root = folder.path().display();
    write!(
        config,
        "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {root}\nhttp:\n  addr: {address}\n"
    )
    .unwrap();
    let command = Command::new(&program).arg("serve").arg(config.path());
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let server = tokio::spawn(async move { run(&command, None, &stopped, |_, _| {}).await });
    for _ in 0..100 {
        if tokio::net::TcpStream::connect(address).await.is_ok() {
            break;
        }
        assert!(
            !server.is_finished(),
            "`{program}` cannot be run: install the Debian package docker-registry"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let client = client();
    let repository: Repository = format!("{address}/acme/devbox").parse().unwrap();
    assert!(matches!(
        client.resolve(&repository, &by_tag()).await,
        Presence::Absent
    ));
    assert!(matches!(
        client.manifest(&repository, &digest().into()).await,
        Presence::Absent
    ));
    assert_eq!(client.may_push(&repository).await, Ok(true));

    let config = client
        .put_blob(&repository, Bytes::from_static(b"{}"))
        .await
        .unwrap();
    assert_eq!(
        client.put_blob(&repository, Bytes::from_static(b"{}")).await,
        Ok(config)
    );
    assert_eq!(
        client.blob(&repository, &config, 2).await,
        Ok(Bytes::from_static(b"{}"))
    );
    let tar = Bytes::from(vec![0_u8; 10_240]);
    let descriptor = layer(&tar, "application/vnd.oci.image.layer.v1.tar");
    client.put_blob(&repository, tar).await.unwrap();
    assert_eq!(
        client.uncompressed_size(&repository, &descriptor).await,
        Ok(10_240)
    );

    let image = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":2}},"layers":[{{"mediaType":"{}","digest":"{}","size":{}}}]}}"#,
        oci::MANIFEST,
        descriptor.media_type,
        descriptor.digest,
        descriptor.size
    );
    let image = RawManifest::new(image).unwrap();
    client.put_manifest(&repository, &tag(), &image).await.unwrap();
    assert_eq!(
        present(client.resolve(&repository, &by_tag()).await),
        image.digest
    );
    assert_eq!(present(client.manifest(&repository, &by_tag()).await), image);
    // Moved, and read back at once.
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{}","size":{},"platform":{{"architecture":"amd64","os":"linux"}}}}]}}"#,
        oci::INDEX,
        oci::MANIFEST,
        image.digest,
        image.bytes.len()
    );
    let index = RawManifest::new(index).unwrap();
    client.put_manifest(&repository, &tag(), &index).await.unwrap();
    assert_eq!(
        present(client.manifest(&repository, &by_tag()).await).digest,
        index.digest
    );
    assert_eq!(
        present(client.resolve(&repository, &image.digest.into()).await),
        image.digest
    );

    stop.cancel();
    let _ = server.await;
}
