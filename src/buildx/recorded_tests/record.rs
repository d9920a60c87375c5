//! How each failure is brought about on a real engine.

use super::engine::{Engine, Line};
use super::scene::Scene;
use crate::testing::faults::{Does, Faults};
use crate::testing::recorded::Recorded;
use crate::testing::tls::Tls;
use crate::testing::{TestRegistry, witness, write};
use std::time::Duration;

const PLAIN: &str = "FROM scratch\nCOPY unique /unique\n";
const JSON: &str = "Content-Type: application/json\r\n";

/// Answers of registries.
const UNKNOWN: &str = r#"{"errors":[{"code":"UNKNOWN","message":"unknown error"}]}"#;
const TOO_MANY: &str = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#;
const UNAUTHORIZED: &str = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
const DENIED: &str =
    r#"{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}"#;
const NO_NAME: &str =
    r#"{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}"#;
const NO_MANIFEST: &str = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
const NO_BLOB: &str = r#"{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry"}]}"#;
const PAGE: &str = "<html><head><title>400 Bad Request</title></head><body><center><h1>400 Bad Request</h1></center></body></html>";
const LARGE: &str = "<html><head><title>413 Request Entity Too Large</title></head></html>";

/// Brings it about, and returns what was said.
pub(super) async fn make(name: &str, about: &str) -> Recorded {
    match name.split_once('-').unwrap().0 {
        "push" => push(name, about).await,
        "base" => base(name, about).await,
        "cache" => cache(name, about).await,
        "engine" | "builder" | "disk" => engine(name, about).await,
        _ => step(name, about).await,
    }
}

async fn push(name: &str, about: &str) -> Recorded {
    let registry = TestRegistry::start();
    let on_manifest = |does: Does| {
        Faults::start(Some(registry.address()), move |method, path| {
            if method == "PUT" && path.contains("/manifests/") {
                does.clone()
            } else {
                Does::Pass
            }
        })
    };
    let answer = |status, headers, body| on_manifest(Does::Answer(status, headers, body));
    let faults = match name {
        "push-500" => answer(500, JSON, UNKNOWN),
        "push-503" => answer(
            503,
            "Content-Type: text/html\r\n",
            "<html>backend fetch failed</html>",
        ),
        "push-429" => answer(429, JSON, TOO_MANY),
        "push-429-retry-after" => answer(
            429,
            "Content-Type: application/json\r\nRetry-After: 7\r\n",
            TOO_MANY,
        ),
        "push-401" => answer(
            401,
            "Content-Type: application/json\r\nWWW-Authenticate: Basic realm=\"test\"\r\n",
            UNAUTHORIZED,
        ),
        "push-403" => answer(403, JSON, DENIED),
        "push-404" => answer(404, JSON, NO_NAME),
        "push-400-html" => answer(400, "Content-Type: text/html\r\n", PAGE),
        "push-child-unseen" => answer(404, JSON, NO_BLOB),
        "push-reset" => on_manifest(Does::Reset),
        "push-stall" => on_manifest(Does::Stall),
        "push-413" => Faults::start(Some(registry.address()), |method, path| {
            if matches!(method, "PUT" | "PATCH") && path.contains("/uploads/") {
                Does::Answer(413, "Content-Type: text/html\r\n", LARGE)
            } else {
                Does::Pass
            }
        }),
        "push-odd" => Faults::start(Some(registry.address()), |method, _| {
            if method == "POST" {
                Does::Answer(200, "", "")
            } else {
                Does::Pass
            }
        }),
        "push-token-500" => token(500, "", "the token server is away"),
        "push-token-401" => token(401, JSON, r#"{"details":"incorrect username or password"}"#),
        "push-token-garbled" => token(200, "Content-Type: text/html\r\n", "<html>sign in</html>"),
        _ => Faults::start(None, |_, _| Does::Pass),
    };
    let mut tls = None;
    let host = match name {
        "push-refused" => "localhost:1".to_owned(),
        "push-name" => "registry.invalid".to_owned(),
        // The engine takes this address for a foreign one, and wants TLS of it.
        "push-plain-http" => format!("0.0.0.0:{}", faults.port()),
        "push-certificate" => tls
            .insert(Tls::start("20200101000000Z", "20400101000000Z"))
            .host(),
        "push-certificate-date" => tls
            .insert(Tls::start("20380101000000Z", "20400101000000Z"))
            .host(),
        _ => faults.address(),
    };
    let mut scene = Scene::new(&host, PLAIN);
    if name == "push-stall" {
        scene.when = Some(("pushing manifest for", Box::new(|| {})));
        scene.ended_after = Some(Duration::from_secs(3));
    }
    scene.run(about).await
}

/// A registry that sends everybody to a token server, which answers so.
fn token(status: u16, headers: &'static str, body: &'static str) -> Faults {
    let port = Box::leak(Box::new(std::sync::OnceLock::new()));
    let (asked, header) = (&*port, Box::leak(Box::new(std::sync::OnceLock::<String>::new())));
    let header = &*header;
    let faults = Faults::start(None, move |_, path| {
        if path.starts_with("/token") {
            return Does::Answer(status, headers, body);
        }
        let text = header.get_or_init(|| {
            let port = asked.wait();
            format!(
                "{JSON}WWW-Authenticate: Bearer realm=\"http://localhost:{port}/token\",service=\"registry.test\"\r\n"
            )
        });
        Does::Answer(401, text, UNAUTHORIZED)
    });
    let _ = port.set(faults.port());
    faults
}

async fn base(name: &str, about: &str) -> Recorded {
    let registry = TestRegistry::start();
    // No engine has it: what one has read once, it does not ask for again.
    let reference = format!("{}/build/tiny:base", registry.address());
    let digest = unheard_of(&reference);
    let reads = |part: &'static str, does: Does| {
        Faults::start(Some(registry.address()), move |method, path| {
            if matches!(method, "GET" | "HEAD") && path.contains(part) {
                does.clone()
            } else {
                Does::Pass
            }
        })
    };
    let answer = |status, headers, body| reads("/build/tiny/manifests/", Does::Answer(status, headers, body));
    let faults = match name {
        "base-404" => answer(404, JSON, NO_MANIFEST),
        "base-401" => answer(
            401,
            "Content-Type: application/json\r\nWWW-Authenticate: Basic realm=\"test\"\r\n",
            UNAUTHORIZED,
        ),
        "base-403" => answer(403, JSON, DENIED),
        "base-500" => answer(500, JSON, UNKNOWN),
        "base-429" => answer(429, JSON, TOO_MANY),
        "base-reset" => reads("/build/tiny/manifests/", Does::Reset),
        "base-wrong-digest" => answer(
            200,
            "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n",
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[]}"#,
        ),
        "base-layer-503" | "base-layer-404" | "base-layer-damaged" => {
            let manifest: serde_json::Value =
                serde_json::from_str(&witness("crane", &["manifest", &reference], &[])).unwrap();
            let layer = manifest["layers"][0]["digest"].as_str().unwrap().to_owned();
            let size = manifest["layers"][0]["size"].as_u64().unwrap();
            let other: &'static str = String::leak("x".repeat(usize::try_from(size).unwrap()));
            let does = match name {
                "base-layer-503" => Does::Answer(503, "", "busy"),
                "base-layer-404" => Does::Answer(
                    404,
                    JSON,
                    r#"{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown to registry"}]}"#,
                ),
                _ => Does::Answer(200, "Content-Type: application/octet-stream\r\n", other),
            };
            reads(String::leak(format!("/blobs/{layer}")), does)
        }
        "base-token-500" => token(500, "", "the token server is away"),
        _ => Faults::start(Some(registry.address()), |_, _| Does::Pass),
    };
    let host = match name {
        "base-refused" => "localhost:1".to_owned(),
        "base-name" => "registry.invalid".to_owned(),
        _ => faults.address(),
    };
    let from = match name {
        "base-wrong-digest" | "base-layer-503" | "base-layer-404" | "base-layer-damaged" => {
            format!("{host}/build/tiny@{digest}")
        }
        _ => format!("{host}/build/tiny:base"),
    };
    let dockerfile = match name {
        "base-platform" => {
            format!("FROM --platform=linux/s390x {from}\nCOPY unique /other\n")
        }
        "base-frontend" => format!("# syntax={host}/build/none:1\nFROM scratch\nCOPY unique /unique\n"),
        _ => format!("FROM {from}\nCOPY unique /other\n"),
    };
    let mut scene = Scene::new(registry.address(), &dockerfile);
    scene.names(&host, "base.test:5000");
    scene.step.pull = true;
    scene.run(about).await
}

/// Puts an image there that no engine has ever seen; its digest.
fn unheard_of(reference: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let words: Vec<String> = (0..200)
        .map(|_| format!("{:?}", tempfile::tempdir().unwrap()))
        .collect();
    write(&folder.path().join("file"), words.join("\n"), false);
    let (layer, root) = (path("layer.tar"), folder.path().display().to_string());
    witness("tar", &["-C", &root, "-cf", &layer, "file"], &[]);
    witness(
        "crane",
        &[
            "append",
            "--oci-empty-base",
            "--new_layer",
            &layer,
            "--new_tag",
            reference,
        ],
        &[],
    );
    witness(
        "crane",
        &[
            "mutate",
            "--set-platform",
            "linux/amd64",
            "--tag",
            reference,
            reference,
        ],
        &[],
    );
    let digest = witness("crane", &["digest", reference], &[]).trim().to_owned();
    assert!(digest.starts_with("sha256:"), "{digest}");
    digest
}

/// Takes an image and its layers out of the engine.
fn forget(scene: &Scene, reference: &str) {
    witness("docker", &["image", "rm", reference], &[]);
    let usage = witness("docker", &["buildx", "du", "--verbose"], &[]);
    for record in usage
        .split("\n\n")
        .filter(|record| record.contains(&scene.unique()))
    {
        if let Some(id) = record.lines().find_map(|line| line.strip_prefix("ID:")) {
            let filter = format!("id={}", id.trim());
            witness(
                "docker",
                &["buildx", "prune", "--force", "--filter", &filter],
                &[],
            );
        }
    }
}

async fn cache(name: &str, about: &str) -> Recorded {
    let registry = TestRegistry::start();
    if name.starts_with("cache-export") {
        let does = match name {
            "cache-export-400" => Does::Answer(400, "Content-Type: text/html\r\n", PAGE),
            "cache-export-500" => Does::Answer(500, JSON, UNKNOWN),
            _ => Does::Stall,
        };
        let faults = Faults::start(Some(registry.address()), move |method, _| {
            if matches!(method, "PUT" | "POST" | "PATCH") {
                does.clone()
            } else {
                Does::Pass
            }
        });
        let mut scene = Scene::new(registry.address(), PLAIN);
        scene.names(&faults.address(), "cache.test:5000");
        scene.step.cache_to = Some(format!(
            "type=registry,ref={}/cache:c,mode=max,ignore-error=true",
            faults.address()
        ));
        if name == "cache-export-stall" {
            scene.when = Some(("exporting cache to registry", Box::new(|| {})));
            scene.ended_after = Some(Duration::from_secs(4));
        }
        return scene.run(about).await;
    }
    // As it happens: the cache was made elsewhere, and its layers are gone or cannot be had.
    let reference = format!("{}/cache:c", registry.address());
    let run = |what: &str, word: &str| {
        format!("RUN [\"/bin/busybox\", \"sh\", \"-c\", \"{what} >> /layer # {word}\"]\n")
    };
    let mut scene = Scene::with_busybox(registry.address(), "");
    let word = scene.unique();
    let dockerfile = format!(
        "FROM scratch\nCOPY busybox /bin/busybox\n{}ARG X=1\n{}",
        run("echo layer", &word),
        run("echo $X", &word)
    );
    write(&scene.context().join("Dockerfile"), dockerfile, false);
    scene.step.cache_to = Some(format!("type=registry,ref={reference},mode=max"));
    let made = scene.run("the cache").await;
    assert_eq!(made.exit(), Some(0), "{}", made.text());
    scene.step.cache_to = None;
    let image = scene.step.repository.with_tag(&scene.step.staging);
    witness("docker", &["image", "rm", &image], &[]);
    // A record goes only after its children: twice, in whichever order they are listed.
    forget(&scene, &image);
    forget(&scene, &image);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let does = match name {
        "cache-layer-503" => Does::Answer(503, "", "busy"),
        _ => Does::Answer(
            404,
            JSON,
            r#"{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown to registry"}]}"#,
        ),
    };
    let manifest: serde_json::Value =
        serde_json::from_str(&witness("crane", &["manifest", &reference], &[])).unwrap();
    let config = manifest["config"]["digest"].as_str().unwrap().to_owned();
    let faults = Faults::start(Some(registry.address()), move |_, path| {
        if path.contains("/blobs/sha256:") && !path.ends_with(&config) {
            does.clone()
        } else {
            Does::Pass
        }
    });
    scene.names(&faults.address(), "cache.test:5000");
    scene.step.cache_from = vec![format!("type=registry,ref={}/cache:c", faults.address())];
    scene.step.args = [("X".to_owned(), "2".to_owned())].into();
    scene.run(about).await
}

async fn engine(name: &str, about: &str) -> Recorded {
    let registry = TestRegistry::start();
    let sleep = "RUN [\"/bin/busybox\", \"sh\", \"-c\", \"echo begun; sleep 60\"]";
    match name {
        "engine-not-there" => {
            let mut scene = Scene::new(registry.address(), PLAIN);
            scene.env = vec![("DOCKER_HOST", "unix:///nonexistent/docker.sock".to_owned())];
            scene.run(about).await
        }
        "engine-permission" => {
            let mut scene = Scene::new(registry.address(), PLAIN);
            scene.as_nobody = true;
            scene.run(about).await
        }
        "engine-cut" => {
            let line = Line::start();
            let mut scene = Scene::with_busybox(registry.address(), sleep);
            scene.env = vec![("DOCKER_HOST", line.host())];
            scene.own.push((line.host(), "unix:///run/engine.sock"));
            scene.when = Some(("\"logs\":[", Box::new(line.scissors())));
            scene.run(about).await
        }
        "engine-killed" => {
            let engine = Engine::start("256m");
            let mut scene = Scene::with_busybox(registry.address(), sleep);
            scene.builds_on(&engine);
            scene.when = Some(("\"logs\":[", Box::new(engine.killer())));
            scene.run(about).await
        }
        "engine-layer-lost" => {
            let engine = Engine::start("256m");
            let mut scene = Scene::with_busybox(registry.address(), "");
            scene.builds_on(&engine);
            let made = scene.run("the layer").await;
            assert_eq!(made.exit(), Some(0), "{}", made.text());
            engine.loses_its_blobs();
            let elsewhere = TestRegistry::start();
            scene.pushes_to(elsewhere.address());
            scene.run(about).await
        }
        "disk-full-context" | "disk-full-layer" => {
            let engine = Engine::start("48m");
            let mut scene = Scene::with_busybox(registry.address(), "COPY large /large");
            let mebibytes = if name == "disk-full-context" { 96 } else { 30 };
            write(
                &scene.context().join("large"),
                vec![7; mebibytes * 1024 * 1024],
                false,
            );
            scene.builds_on(&engine);
            scene.run(about).await
        }
        _ => {
            let mut scene = Scene::new(registry.address(), PLAIN);
            scene.builder = Some("no-such-builder");
            scene.run(about).await
        }
    }
}

/// A `RUN`, a `COPY`, an `ADD`, or the Dockerfile itself.
async fn step(name: &str, about: &str) -> Recorded {
    let registry = TestRegistry::start();
    let sh = |script: &str| format!("RUN [\"/bin/busybox\", \"sh\", \"-c\", \"{script}\"]");
    let served = Faults::start(None, |_, path| match path {
        "/busy" => Does::Answer(503, "", "busy"),
        "/reset" => Does::Reset,
        _ => Does::Answer(404, "", "not here"),
    });
    let add = |path: &str| format!("ADD http://{}/{path} /fetched", served.address());
    let instructions = match name {
        "run-exit" => sh("echo why; echo it failed >&2; exit 1"),
        "run-killed" => sh("/bin/busybox sh -c 'kill -9 $$'; exit $?"),
        "run-no-space" => "RUN --mount=type=tmpfs,target=/small,size=1048576 [\"/bin/busybox\", \"dd\", \"if=/dev/zero\", \"of=/small/x\", \"bs=1M\", \"count=8\"]".to_owned(),
        "run-other-platform" => "COPY --chmod=755 unique /program\nRUN [\"/program\"]".to_owned(),
        "run-no-program" => "RUN [\"/no/such/program\"]".to_owned(),
        "source-missing" => "COPY not/there /".to_owned(),
        "source-missing-in-stage" => "FROM scratch\nCOPY --from=0 /not/there /".to_owned(),
        "add-404" => add("gone"),
        "add-503" => add("busy"),
        "add-reset" => add("reset"),
        "dockerfile-unknown-instruction" => "RUNN x".to_owned(),
        "dockerfile-syntax" => "COPY only-one".to_owned(),
        "dockerfile-flag" => "COPY --nonsense unique /x".to_owned(),
        "dockerfile-stage" => "COPY --from=9 /unique /x".to_owned(),
        "dockerfile-json" => "FROM".to_owned(),
        _ => String::new(),
    };
    let mut scene = Scene::with_busybox(registry.address(), &instructions);
    scene.names(&served.address(), "files.test:5000");
    match name {
        "dockerfile-missing" => scene.step.dockerfile = "context/none".into(),
        "dockerfile-target" => scene.step.target = Some("none".to_owned()),
        "dockerfile-empty" => write(&scene.context().join("Dockerfile"), "", false),
        "dockerfile-context" => scene.step.context = "none".into(),
        "flag-unknown" => scene.step.flags = vec!["--nonsense".to_owned()],
        "run-other-platform" => write(&scene.context().join("unique"), "\u{7f}no program\n", false),
        _ => {}
    }
    scene.run(about).await
}
