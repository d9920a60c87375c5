//! Layouts in temporary folders: what is there, what is damaged, several writers.

#![expect(
    clippy::disallowed_methods,
    reason = "the tests damage and read files by themselves"
)]

use super::*;
use crate::domain::ExitCode;
use crate::target::FailureClass;
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

struct Bench {
    dir: tempfile::TempDir,
    layout: Layout,
    repository: Repository,
}

fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": Digest::of(bytes), "size": bytes.len()})
}

fn raw(value: &Value) -> RawManifest {
    RawManifest::new(value.to_string().into_bytes()).unwrap()
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::open(dir.path().join("out"), "oci:out").unwrap();
        Self {
            dir,
            layout,
            repository: "docker.io/acme/x".parse().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.layout.root().join(name)
    }

    fn blob(&self, digest: Digest) -> PathBuf {
        self.path(&format!("blobs/sha256/{}", digest.hex()))
    }

    /// The same folder, as another process has it.
    fn other(&self) -> Layout {
        Layout::open(self.dir.path().join("out"), "oci:out").unwrap()
    }

    /// An image of one layer, whose blobs are stored.
    async fn image(&self, layer: &[u8]) -> RawManifest {
        let config = json!({"architecture": "amd64", "os": "linux", "of": layer}).to_string();
        for bytes in [config.as_bytes(), layer] {
            let bytes = Bytes::copy_from_slice(bytes);
            self.layout.put_blob(&self.repository, bytes).await.unwrap();
        }
        raw(&json!({
            "schemaVersion": 2,
            "mediaType": oci::MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", config.as_bytes()),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
        }))
    }

    async fn put(&self, name: &str, manifest: &RawManifest) {
        let tag = tag(name);
        let put = self.layout.put_manifest(&self.repository, &tag, manifest);
        put.await.unwrap();
    }

    async fn found(&self, name: &str) -> Result<Option<Digest>, TargetError> {
        let reference = Reference::Tag(tag(name));
        match self.other().resolve(&self.repository, &reference).await {
            Presence::Present(digest) => Ok(Some(digest)),
            Presence::Absent => Ok(None),
            Presence::Unknown(error) => Err(error),
        }
    }
}

#[tokio::test]
async fn reading_writes_nothing_and_writing_makes_a_layout() {
    let bench = Bench::new();
    assert_eq!(bench.found("a").await, Ok(None));
    assert!(!bench.layout.root().exists());
    let image = bench.image(b"layer").await;
    bench.put("a", &image).await;
    bench.put("b", &image).await;
    assert_eq!(bench.found("a").await, Ok(Some(image.digest)));
    assert_eq!(bench.found("c").await, Ok(None));
    let by_digest = bench
        .layout
        .manifest(&bench.repository, &image.digest.into())
        .await;
    assert!(matches!(by_digest, Presence::Present(found) if found == image));
    let nowhere = Reference::Digest(Digest::of(b"nowhere"));
    assert!(matches!(
        bench.layout.resolve(&bench.repository, &nowhere).await,
        Presence::Absent
    ));
    let index: Value = serde_json::from_slice(&fs::read(bench.path("index.json")).unwrap()).unwrap();
    let entry = json!({
        "mediaType": oci::MANIFEST,
        "digest": image.digest,
        "size": image.bytes.len(),
        "annotations": {
            "io.containerd.image.name": "docker.io/acme/x:b",
            "org.opencontainers.image.ref.name": "b",
        },
    });
    assert_eq!(index["manifests"][1], entry);
    assert_eq!(
        fs::read(bench.path("oci-layout")).unwrap(),
        br#"{"imageLayoutVersion":"1.0.0"}"#
    );
    // Others read it too.
    let mode = fs::metadata(bench.path("index.json"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o044, 0o044);
    // The same once more writes nothing.
    let before = fs::metadata(bench.path("index.json"))
        .unwrap()
        .modified()
        .unwrap();
    bench.put("b", &image).await;
    assert_eq!(
        fs::metadata(bench.path("index.json"))
            .unwrap()
            .modified()
            .unwrap(),
        before
    );
}

#[tokio::test]
async fn a_folder_that_is_something_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    for (path, needle) in [
        (dir.path().to_owned(), "is not empty, and is no OCI layout"),
        (dir.path().join("file"), "is not a folder"),
        (dir.path().join("a:b"), "cannot take the path"),
        (dir.path().join("a@b"), "cannot take the path"),
    ] {
        let error = Layout::open(path, "oci:x").unwrap_err();
        assert!(error.to_string().contains(needle), "{error}");
        assert!(!error.hints.is_empty());
    }
    fs::remove_file(dir.path().join("file")).unwrap();
    Layout::open(dir.path().to_owned(), "oci:x").unwrap();
}

#[tokio::test]
async fn a_layout_whose_maker_was_killed_is_finished() {
    let bench = Bench::new();
    fs::create_dir_all(bench.path(".splitbase")).unwrap();
    assert_eq!(bench.found("a").await, Ok(None));
    fs::create_dir_all(bench.path("blobs/sha256")).unwrap();
    fs::write(bench.path("index.json"), r#"{"schemaVersion":2,"manifests":[]}"#).unwrap();
    assert_eq!(bench.found("a").await, Ok(None));
    let image = bench.image(b"layer").await;
    bench.put("a", &image).await;
    assert_eq!(bench.found("a").await, Ok(Some(image.digest)));
    assert!(bench.path("oci-layout").exists());
}

#[tokio::test]
async fn what_is_damaged_is_unknown_and_not_absent() {
    type Damage = fn(&Bench, &RawManifest);
    fn layer() -> Digest {
        Digest::of(b"layer")
    }
    let damages: [(&str, Damage); 10] = [
        ("`index.json` is not JSON", |bench, _| {
            fs::write(bench.path("index.json"), "{").unwrap();
        }),
        ("no `index.json`", |bench, _| {
            fs::remove_file(bench.path("index.json")).unwrap();
        }),
        ("no `oci-layout`", |bench, _| {
            fs::remove_file(bench.path("oci-layout")).unwrap();
        }),
        ("`oci-layout` does not say", |bench, _| {
            fs::write(bench.path("oci-layout"), r#"{"imageLayoutVersion":"2"}"#).unwrap();
        }),
        ("its bytes have the digest", |bench, image| {
            let text = String::from_utf8(image.bytes.to_vec()).unwrap();
            fs::write(
                bench.blob(image.digest),
                text.replace("linux", "LINUX").replace("tar", "TAR"),
            )
            .unwrap();
        }),
        ("which is not there", |bench, image| {
            fs::remove_file(bench.blob(image.digest)).unwrap();
        }),
        ("which is not there", |bench, _| {
            fs::remove_file(bench.blob(layer())).unwrap();
        }),
        ("is damaged: it has 3 bytes", |bench, _| {
            fs::write(bench.blob(layer()), "lay").unwrap();
        }),
        ("two entries `image`", |bench, _| {
            let text = String::from_utf8(fs::read(bench.path("index.json")).unwrap()).unwrap();
            fs::write(bench.path("index.json"), text.replace("\"other\"", "\"image\"")).unwrap();
        }),
        ("has not the size", |bench, image| {
            let text = String::from_utf8(fs::read(bench.path("index.json")).unwrap()).unwrap();
            let size = format!("\"size\":{}", image.bytes.len());
            fs::write(bench.path("index.json"), text.replace(&size, "\"size\":7")).unwrap();
        }),
    ];
    for (needle, damage) in damages {
        let bench = Bench::new();
        let image = bench.image(b"layer").await;
        let other = bench.image(b"another layer").await;
        bench.put("image", &image).await;
        bench.put("other", &other).await;
        assert_eq!(bench.found("image").await, Ok(Some(image.digest)));
        damage(&bench, &image);
        let error = bench.found("image").await.unwrap_err();
        assert!(error.to_string().contains(needle), "{needle}: {error}");
        assert!(error.attempted.contains("`image` of `oci:out`"), "{error}");
        assert_eq!(error.exit_code(), ExitCode::Unknown, "{needle}");
        assert!(error.hints[0].contains("the layout is damaged"), "{error:?}");
    }
}

#[tokio::test]
async fn an_index_is_read_with_its_children() {
    let bench = Bench::new();
    let image = bench.image(b"layer").await;
    bench.put("image", &image).await;
    let child = json!({"mediaType": image.media_type, "digest": image.digest, "size": image.bytes.len()});
    let index = raw(&json!({"schemaVersion": 2, "mediaType": oci::INDEX, "manifests": [child]}));
    bench.put("index", &index).await;
    assert_eq!(bench.found("index").await, Ok(Some(index.digest)));
    fs::remove_file(bench.blob(Digest::of(b"layer"))).unwrap();
    assert!(bench.found("index").await.is_err());
    fs::remove_file(bench.blob(image.digest)).unwrap();
    assert!(bench.found("index").await.is_err());
}

#[tokio::test]
async fn blobs_are_proven_and_mended() {
    let bench = Bench::new();
    let layer = vec![7; 10_000];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&layer).unwrap();
    let gzip = Bytes::from(gzip.finish().unwrap());
    let digest = bench
        .layout
        .put_blob(&bench.repository, gzip.clone())
        .await
        .unwrap();
    let layer = oci::Descriptor {
        media_type: "application/vnd.oci.image.layer.v1.tar+gzip".to_owned(),
        digest,
        size: gzip.len() as u64,
        platform: None,
        annotations: std::collections::BTreeMap::new(),
    };
    let size = || bench.layout.uncompressed_size(&bench.repository, &layer);
    let read = |limit| bench.layout.blob(&bench.repository, &digest, limit);
    assert_eq!(size().await, Ok(10_000));
    assert_eq!(read(gzip.len()).await, Ok(gzip.clone()));
    assert!(read(gzip.len() - 1).await.is_err());
    let mut damaged = gzip.to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    fs::write(bench.blob(digest), &damaged).unwrap();
    assert!(read(1000).await.is_err());
    assert!(size().await.is_err());
    bench
        .layout
        .put_blob(&bench.repository, gzip.clone())
        .await
        .unwrap();
    assert_eq!(read(1000).await, Ok(gzip));
}

#[tokio::test]
async fn a_tag_that_somebody_else_moved_is_not_overwritten() {
    let bench = Bench::new();
    let [a, b, c] = [
        bench.image(b"a").await,
        bench.image(b"b").await,
        bench.image(b"c").await,
    ];
    let put = |manifest: RawManifest, seen| {
        let other = bench.other();
        let repository = bench.repository.clone();
        async move {
            other
                .put_manifest_if(&repository, &tag("t"), &manifest, seen)
                .await
        }
    };
    put(a.clone(), None).await.unwrap();
    let error = put(b.clone(), None).await.unwrap_err();
    assert_eq!(
        (error.class, error.exit_code()),
        (FailureClass::Conflict, ExitCode::Refused)
    );
    assert!(error.reason.contains(&a.digest.to_string()), "{error}");
    assert_eq!(bench.found("t").await, Ok(Some(a.digest)));
    // What is there already need not be seen.
    put(a.clone(), None).await.unwrap();
    put(b.clone(), Some(a.digest)).await.unwrap();
    assert!(put(c.clone(), Some(a.digest)).await.is_err());
    assert_eq!(bench.found("t").await, Ok(Some(b.digest)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_at_once_lose_nothing() {
    let bench = Bench::new();
    let mut writers = tokio::task::JoinSet::new();
    let image = bench.image(b"layer").await;
    for writer in 0..4 {
        let (layout, repository, image) = (bench.other(), bench.repository.clone(), image.clone());
        writers.spawn(async move {
            for number in 0..15 {
                let tag = tag(&format!("{writer}-{number}"));
                layout.put_manifest(&repository, &tag, &image).await.unwrap();
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    for writer in 0..4 {
        for number in 0..15 {
            let name = format!("{writer}-{number}");
            assert_eq!(bench.found(&name).await, Ok(Some(image.digest)), "{name}");
        }
    }
}

/// What buildx would write into the folder of a build.
fn export(stage: &Stage, from: &Bench, image: &RawManifest) {
    let blobs = stage.path().join("blobs/sha256");
    for entry in fs::read_dir(from.path("blobs/sha256")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), blobs.join(entry.file_name())).unwrap();
    }
    fs::write(blobs.join(image.digest.hex()), &image.bytes).unwrap();
}

#[tokio::test]
async fn an_exported_image_is_moved_in_and_its_base_is_not_written_again() {
    let (bench, buildx) = (Bench::new(), Bench::new());
    let base = bench.image(b"base").await;
    bench.put("base", &base).await;
    let stage = bench.layout.stage(Some(base.digest)).await.unwrap();
    let linked = stage
        .path()
        .join(format!("blobs/sha256/{}", Digest::of(b"base").hex()));
    assert!(linked.exists(), "the base's layer is there before the build");
    let image = buildx.image(b"variant").await;
    export(&stage, &buildx, &image);
    let folder = stage.path();
    bench
        .layout
        .take_in(stage, image.digest, &bench.repository, &tag("t-staging"))
        .await
        .unwrap();
    assert_eq!(bench.found("t-staging").await, Ok(Some(image.digest)));
    assert_eq!(bench.found("base").await, Ok(Some(base.digest)));
    assert!(
        !folder.parent().unwrap().exists(),
        "the folder of the build is gone"
    );
}

#[tokio::test]
async fn an_export_that_is_not_whole_is_not_taken_in() {
    let (bench, buildx) = (Bench::new(), Bench::new());
    let image = buildx.image(b"variant").await;
    for damage in [true, false] {
        let stage = bench.layout.stage(None).await.unwrap();
        export(&stage, &buildx, &image);
        let layer = stage
            .path()
            .join(format!("blobs/sha256/{}", Digest::of(b"variant").hex()));
        if damage {
            fs::write(layer, "var").unwrap();
        } else {
            fs::remove_file(layer).unwrap();
        }
        let taken = bench
            .layout
            .take_in(stage, image.digest, &bench.repository, &tag("t"))
            .await;
        assert!(taken.unwrap_err().to_string().contains("buildx"));
        assert_eq!(bench.found("t").await, Ok(None));
    }
}

#[tokio::test]
async fn what_killed_processes_left_is_removed_and_nothing_else() {
    let bench = Bench::new();
    let alive = bench.layout.stage(None).await.unwrap();
    let killed = bench.path(".splitbase/build-killed/image/blobs");
    fs::create_dir_all(&killed).unwrap();
    fs::write(bench.path(".splitbase/build-killed/lock"), "").unwrap();
    fs::write(bench.path(".splitbase/new-killed"), "half").unwrap();
    let other = bench.other().stage(None).await.unwrap();
    assert!(alive.path().join("blobs").exists() && other.path().join("blobs").exists());
    assert!(!killed.exists());
    assert!(!bench.path(".splitbase/new-killed").exists());
    drop((alive, other));
    let left: Vec<_> = fs::read_dir(bench.path(".splitbase"))
        .unwrap()
        .flatten()
        .collect();
    assert_eq!(left.len(), 1, "only the lock is left: {left:?}");
}

#[tokio::test]
async fn an_archive_holds_one_image_and_proves_its_blobs() {
    let bench = Bench::new();
    let layer = vec![b'x'; 1000];
    let image = bench.image(&layer).await;
    bench.put("image", &image).await;
    let archive = bench.layout.archive(image.digest).await.unwrap();
    let mut bytes = Vec::new();
    archive.write("localhost/x:test", &mut bytes).unwrap();
    assert_eq!(bytes.len() % 512, 0);
    let file = bench.dir.path().join("archive.tar");
    fs::write(&file, &bytes).unwrap();
    let unpacked = tempfile::tempdir().unwrap();
    let (from, to) = (file.to_str().unwrap(), unpacked.path().to_str().unwrap());
    assert_eq!(crate::testing::witness("tar", &["-xf", from, "-C", to], &[]), "");
    let read = |name: &str| fs::read(unpacked.path().join(name)).unwrap();
    let index: Value = serde_json::from_slice(&read("index.json")).unwrap();
    assert_eq!(index["manifests"][0]["digest"], json!(image.digest));
    let saved: Value = serde_json::from_slice(&read("manifest.json")).unwrap();
    assert_eq!(saved[0]["RepoTags"], json!(["localhost/x:test"]));
    assert_eq!(
        saved[0]["Config"],
        json!(format!("blobs/sha256/{}", archive.config().hex()))
    );
    assert_eq!(read(saved[0]["Layers"][0].as_str().unwrap()), layer);
    assert_eq!(read(&format!("blobs/sha256/{}", image.digest.hex())), image.bytes);

    fs::write(bench.blob(Digest::of(&layer)), vec![b'y'; 1000]).unwrap();
    let error = archive
        .write("localhost/x:test", &mut std::io::sink())
        .unwrap_err();
    assert!(error.to_string().contains("is damaged"), "{error}");
    fs::write(bench.blob(Digest::of(&layer)), "x").unwrap();
    let error = archive
        .write("localhost/x:test", &mut std::io::sink())
        .unwrap_err();
    assert!(error.to_string().contains("too short"), "{error}");
    assert!(bench.layout.archive(Digest::of(b"nowhere")).await.is_err());
}

#[tokio::test]
async fn a_tag_is_deleted_from_where_it_was_seen_and_takes_nothing_along() {
    let bench = Bench::new();
    let image = bench.image(b"layer").await;
    bench.put("v1", &image).await;
    bench.put("latest", &image).await;
    let name = tag("v1");
    let delete = |seen| bench.layout.delete_tag(&bench.repository, &name, seen);
    let error = delete(Digest::of(b"other")).await.unwrap_err();
    assert_eq!(error.class, FailureClass::Conflict);
    assert!(delete(image.digest).await.unwrap());
    assert!(delete(image.digest).await.unwrap(), "twice is as once");
    assert_eq!(bench.found("v1").await.unwrap(), None);
    assert_eq!(bench.found("latest").await.unwrap(), Some(image.digest));
    assert_eq!(
        bench.layout.tags(&bench.repository).await.unwrap(),
        [tag("latest")]
    );
}

/// A blob that comes in these pieces.
fn coming(pieces: &[&'static [u8]]) -> crate::target::transfer::ByteStream {
    use futures_util::StreamExt as _;
    let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::from_static(piece))).collect();
    futures_util::stream::iter(pieces).boxed()
}

#[tokio::test]
async fn a_blob_that_comes_in_is_proven() {
    let bench = Bench::new();
    let wanted = oci::Descriptor {
        media_type: "application/vnd.oci.image.layer.v1.tar".to_owned(),
        digest: Digest::of(b"one two"),
        size: 7,
        platform: None,
        annotations: std::collections::BTreeMap::new(),
    };
    for pieces in [
        &[b"one ".as_slice(), b"tw0"][..],
        &[b"one "],
        &[b"one ", b"two", b"!"],
        &[],
    ] {
        let error = bench.layout.take_blob(&wanted, coming(pieces)).await.unwrap_err();
        assert!(error.reason.contains("must have 7"), "{error}");
        assert!(!bench.blob(wanted.digest).exists());
    }
    // A source that breaks off can be asked again.
    let broken = {
        use futures_util::StreamExt as _;
        let pieces = vec![Ok(Bytes::from_static(b"one ")), Err(std::io::Error::other("cut"))];
        futures_util::stream::iter(pieces).boxed()
    };
    let error = bench.layout.take_blob(&wanted, broken).await.unwrap_err();
    assert_eq!(
        (error.class, error.reason.as_str()),
        (FailureClass::Transient, "cut")
    );
    bench
        .layout
        .take_blob(&wanted, coming(&[b"one ", b"", b"two"]))
        .await
        .unwrap();
    assert_eq!(fs::read(bench.blob(wanted.digest)).unwrap(), b"one two");
    assert!(bench.layout.holds_blob(&wanted).await.unwrap());
    // Nothing of the tries is left.
    let left = fs::read_dir(bench.path(".splitbase")).unwrap().count();
    assert_eq!(left, 1, "the lock alone");
}
