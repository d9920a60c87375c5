//! Credentials: docker's login state in all its forms, and the variables of this program, which docker gets through a private folder.

use crate::support::{Family, Registry, Running, Splitbase, docker, program, variable};
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const USER: &str = "user";
const PASSWORD: &str = "Tr0ub4dor-and-3-secrets";
/// Both, as `htpasswd -B` writes them.
const PASSWORDS: &str = "user:$2b$04$Rrvxkkcx2MzMoaZS4rCtMusRT3tCft8xzbwcevB9wQZSQGlAdwqt.\n";

fn encoded(password: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{password}"))
}

/// A registry that wants a password, and a family whose docker has no login.
fn locked() -> (Registry, Family) {
    let registry = Registry::with_passwords(PASSWORDS);
    let family = Family::new(&registry);
    family.write("docker/config.json", "{}").write("tmp/other", "");
    (registry, family)
}

/// The program with a docker folder and a folder for temporary files of its own.
fn splitbase(family: &Family) -> Splitbase {
    family
        .splitbase()
        .env("DOCKER_CONFIG", family.path("docker"))
        .env("TMPDIR", family.path("tmp"))
        .env("XDG_RUNTIME_DIR", "")
}

fn with_variables(family: &Family) -> Splitbase {
    splitbase(family)
        .env("SPLITBASE_USERNAME", USER)
        .env("SPLITBASE_PASSWORD", PASSWORD)
}

/// The path, with this folder of the family first.
fn path_with(family: &Family, folder: &str) -> String {
    format!("{}:{}", family.path(folder).display(), variable("PATH").unwrap())
}

/// Private folders that are there.
fn private(family: &Family) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(family.path("tmp")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.display().to_string().contains("/splitbase-login-"))
        .collect()
}

/// All files below a folder that hold this text; links are not followed.
fn holding(folder: &Path, text: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            holding(&entry.path(), text, found);
        } else if kind.is_file() {
            let bytes = std::fs::read(entry.path()).unwrap();
            if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                found.push(entry.path());
            }
        }
    }
}

#[test]
fn e2e_login_state_in_all_forms() {
    let (registry, family) = locked();
    let host = registry.address();
    family.write_script(
        "helpers/docker-credential-e2e",
        format!("#!/bin/sh\nread -r server || :\n[ \"$1 $server\" = 'get {host}' ] || {{ echo credentials not found in native keychain; exit 1; }}\nprintf '{{\"Username\":\"{USER}\",\"Secret\":\"{PASSWORD}\"}}'\n"),
    );
    family.write_script(
        "helpers/docker-credential-locked",
        "#!/bin/sh\necho locked >&2; exit 2\n",
    );
    let config = family.path("docker").display().to_string();
    let forms: [(&str, &dyn Fn()); 4] = [
        ("auths", &|| {
            let args = [
                "-c",
                "printf %s \"$3\" | docker --config \"$1\" login --username user --password-stdin \"$2\"",
                "sh",
            ];
            program("sh", &[args.as_slice(), &[&config, host, PASSWORD]].concat());
            assert!(family.read("docker/config.json").contains(&encoded(PASSWORD)));
        }),
        ("a URL", &|| {
            let auths = format!(
                r#"{{"auths":{{"https://{host}/v1/":{{"auth":"{}"}}}}}}"#,
                encoded(PASSWORD)
            );
            family.write("docker/config.json", auths);
        }),
        ("credHelpers", &|| {
            family.write(
                "docker/config.json",
                format!(r#"{{"credsStore":"locked","credHelpers":{{"{host}":"e2e"}}}}"#),
            );
        }),
        ("credsStore", &|| {
            family.write(
                "docker/config.json",
                format!(r#"{{"auths":{{"{host}":{{}}}},"credsStore":"e2e"}}"#),
            );
        }),
    ];
    for (number, (form, log_in)) in forms.into_iter().enumerate() {
        log_in();
        family.write("marker", format!("{form} {}\n", crate::support::unique()));
        let run = splitbase(&family)
            .env("PATH", path_with(&family, "helpers"))
            .ok(&["release", &format!("v1.0.{number}")]);
        assert!(!run.stderr.contains(PASSWORD), "{form}");
        assert!(
            family
                .public_tags(&registry)
                .contains_key(&format!("v1.0.{number}")),
            "{form}"
        );
    }

    for (name, needle) in [
        (
            "locked",
            "the credential helper `docker-credential-locked` failed: exit code 2",
        ),
        (
            "none-such",
            "run the credential helper `docker-credential-none-such`: there is no such program on PATH",
        ),
    ] {
        family.write("docker/config.json", format!(r#"{{"credsStore":"{name}"}}"#));
        let run = splitbase(&family)
            .env("PATH", path_with(&family, "helpers"))
            .run(&["release", "v1.1.0"])
            .expect(5);
        run.says(needle).says("hint: ");
        assert_eq!(run.builds(), [""; 0]);
    }
}

#[test]
fn e2e_variables_alone_push_and_pull_and_are_nowhere_afterwards() {
    let (registry, family) = locked();
    family.write_script(
        "bin/docker",
        format!(
            "#!/bin/sh\n{{ echo \"args $*\"; env; }} >>'{0}/children'\nif [ -n \"$DOCKER_CONFIG\" ]; then ls -la \"$DOCKER_CONFIG\" >>'{0}/children'; fi\nexec '{1}' \"$@\"\n",
            family.folder().display(),
            String::from_utf8(program("sh", &["-c", "command -v docker"])).unwrap().trim()
        ),
    );
    // A test is handed the login, and may be careless with it.
    family.smoke("env\ncat \"$DOCKER_CONFIG/config.json\"\ndocker run --rm \"$SPLITBASE_IMAGE\" cat /etc/marker\necho \"as $(base64 -d <<-E\n\t$(sed -E 's/.*\"auth\":\"([^\"]+)\".*/\\1/' \"$DOCKER_CONFIG/config.json\")\n\tE\n)\"");
    // What docker would take before any file.
    let elsewhere = format!(
        r#"{{"auths":{{"{}":{{"auth":"{}"}}}}}}"#,
        registry.address(),
        encoded("wrong")
    );
    let splitbase = with_variables(&family)
        .env("PATH", path_with(&family, "bin"))
        .env("DOCKER_AUTH_CONFIG", elsewhere);
    let plan = splitbase.ok(&[
        "plan",
        "v1.0.0",
        "--save",
        "plan.json",
        "--save-facts",
        "facts.json",
    ]);
    let run = splitbase.ok(&["release", "v1.0.0", "--progress", "plain", "-v"]);
    assert!(family.public_tags(&registry).contains_key("v1.0.0"));

    // Docker had what it needed, and where it should.
    let children = family.read("children");
    let builds = children.matches("args buildx build").count();
    assert_eq!(builds, 2, "{children}");
    assert!(children.contains("DOCKER_CONFIG=") && children.contains("/tmp/splitbase-login-"));
    assert!(children.contains("-rw------- "), "{children}");
    // The careless test's output is there, masked.
    let lines: Vec<_> = run.events.iter().map(ToString::to_string).collect();
    let lines = lines.join("\n");
    assert!(
        lines.contains("as user:***") && lines.contains("\\\"auth\\\":\\\"***\\\""),
        "{lines}"
    );

    assert_eq!(private(&family), [""; 0].map(PathBuf::from));
    for secret in [PASSWORD, &encoded(PASSWORD)] {
        for text in [&run.stdout, &run.stderr, &lines, &plan.stdout, &plan.stderr] {
            assert!(!text.contains(secret), "{text}");
        }
        let mut found = Vec::new();
        holding(family.folder(), secret, &mut found);
        assert_eq!(found, [""; 0].map(PathBuf::from));
        let in_registry = |blob: &Vec<u8>| {
            blob.windows(secret.len())
                .any(|window| window == secret.as_bytes())
        };
        assert!(!registry.blobs().iter().any(in_registry), "the registry holds it");
    }
    assert!(!children.contains("SPLITBASE_PASSWORD"), "{children}");
    // `docker login` state is as it was.
    assert_eq!(family.read("docker/config.json"), "{}");
}

#[test]
fn e2e_a_failed_test_keeps_no_password_in_its_log() {
    let (registry, family) = locked();
    family.smoke("cat \"$DOCKER_CONFIG/config.json\"; echo; exit 4");
    let run = with_variables(&family).run(&["release", "v1.0.0"]).expect(3);
    run.says("the whole output is in `");
    let mut found = Vec::new();
    holding(&family.path("tmp"), registry.address(), &mut found);
    assert_eq!(found.len(), 1, "the log of the test: {found:?}");
    holding(family.folder(), &encoded(PASSWORD), &mut found);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(private(&family), [""; 0].map(PathBuf::from));
}

#[test]
fn e2e_wrong_variables_are_told_by_name() {
    let (registry, family) = locked();
    let wrong = with_variables(&family).env("SPLITBASE_PASSWORD", "wr0ng-w0rd");
    let run = wrong.run(&["release", "v1.0.0"]).expect(5);
    run.says("error: read ")
        .says("401 Unauthorized")
        .says("hint: set `SPLITBASE_USERNAME` and `SPLITBASE_PASSWORD` to an account that may read `");
    assert!(!run.stderr.contains("wr0ng-w0rd"), "{}", run.stderr);
    let half = splitbase(&family).env("SPLITBASE_PASSWORD", PASSWORD);
    let run = half.run(&["release", "v1.0.0"]).expect(5);
    run.says("SPLITBASE_PASSWORD is set, SPLITBASE_USERNAME is not")
        .says("hint: set both");
    // What has an account but a damaged configuration beside it.
    family.write("docker/config.json", "{\"auths\"");
    let run = with_variables(&family).run(&["release", "v1.0.0"]).expect(1);
    run.says("error: make a private folder for docker's configuration: `")
        .says("is not valid JSON")
        .says("hint: mend the file");
    // Uploads are opened and cancelled to ask for the right to push.
    let written = registry.writes();
    assert!(
        !written.iter().any(|request| request.method == "PUT"),
        "{written:?}"
    );
    assert_eq!(run.builds(), [""; 0]);
}

/// A context of the user's own is the one that is current, and the builder of its name the one that builds. What the user made with
/// `docker buildx create`, and a plugin of the user's, are there too.
#[test]
fn e2e_contexts_and_builders_of_the_user_are_kept() {
    let (registry, family) = locked();
    let config = family.path("docker").display().to_string();
    let engine = docker(&["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]);
    let host = format!("host={engine}");
    docker(&[
        "--config", &config, "context", "create", "e2e-own", "--docker", &host,
    ]);
    docker(&["--config", &config, "context", "use", "e2e-own"]);
    assert!(family.read("docker/config.json").contains("e2e-own"));
    // It is not started: a container of that driver is an image from outside.
    let create = [
        "buildx",
        "create",
        "--name",
        "e2e-made",
        "--driver",
        "docker-container",
    ];
    docker(&[&["--config", config.as_str()][..], &create, &["e2e-own"]].concat());
    family.write_script(
        "docker/cli-plugins/docker-e2eplugin",
        "#!/bin/sh\nif [ \"$1\" = docker-cli-plugin-metadata ]; then\n\
         echo '{\"SchemaVersion\":\"0.1.0\",\"Vendor\":\"e2e\",\"Version\":\"1\"}'\nelse\necho \"the plugin is there\"\nfi\n",
    );
    family.smoke("docker context show\ndocker e2eplugin\ndocker buildx ls --format '{{.Name}} is a builder'\ndocker run --rm \"$SPLITBASE_IMAGE\" cat /etc/marker");
    let run = with_variables(&family).ok(&["release", "v1.0.0", "--builder", "e2e-own", "-v"]);
    assert!(
        run.builds().iter().all(|line| line.contains("--builder e2e-own")),
        "{:?}",
        run.builds()
    );
    let lines: Vec<_> = run.events.iter().map(ToString::to_string).collect();
    let lines = lines.join("\n");
    for words in [
        "\"e2e-own\"",
        "e2e-own is a builder",
        "e2e-made is a builder",
        "the plugin is there",
    ] {
        assert!(lines.contains(words), "{words}: {lines}");
    }
    assert!(family.public_tags(&registry).contains_key("v1.0.0"));
    // Its end took nothing of the user's along.
    let contexts = docker(&["--config", &config, "context", "ls", "--format", "{{.Name}}"]);
    assert!(contexts.contains("e2e-own"), "{contexts}");
}

/// A release whose build takes long, with the private folder in place.
fn building() -> (Registry, Family, Running, PathBuf) {
    let (registry, family) = locked();
    family.append("Dockerfile.base", "RUN [\"/bin/busybox\", \"sleep\", \"300\"]\n");
    let mut running = with_variables(&family).start(&["release", "v1.0.0"]);
    running.wait_for("the long RUN", |event| {
        event["event"] == "progress"
            && event["stage"]
                .as_str()
                .is_some_and(|stage| stage.contains("sleep"))
    });
    let folders = private(&family);
    assert_eq!(folders.len(), 1, "{folders:?}");
    let config = folders[0].join("config.json");
    assert_eq!(folders[0].metadata().unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(config.metadata().unwrap().mode() & 0o777, 0o600);
    assert!(
        std::fs::read_to_string(config)
            .unwrap()
            .contains(&encoded(PASSWORD))
    );
    let folder = folders[0].clone();
    (registry, family, running, folder)
}

#[test]
fn e2e_an_interrupt_takes_the_private_folder_along() {
    let (_registry, family, running, _) = building();
    running.signal(Signal::INT);
    running.wait().expect(130);
    assert_eq!(private(&family), [""; 0].map(PathBuf::from));
}

#[test]
fn e2e_a_kill_takes_the_private_folder_along() {
    let (_registry, _family, running, folder) = building();
    running.signal(Signal::KILL);
    running.wait().expect(137);
    let until = Instant::now() + Duration::from_secs(5);
    while folder.exists() {
        assert!(Instant::now() < until, "it is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The child that would remove this folder.
fn remover(folder: &Path) -> Pid {
    let name = folder.display().to_string();
    let entries = std::fs::read_dir("/proc").unwrap().map(Result::unwrap);
    let mut found = entries.filter_map(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let ours = line.starts_with(b"/bin/sh\0") && String::from_utf8_lossy(&line).contains(&name);
        ours.then(|| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
            .flatten()
    });
    found.next().expect("no child waits for the end")
}

#[test]
fn e2e_what_a_kill_of_everything_leaves_is_swept_away_by_the_next_run() {
    let (_registry, family, running, folder) = building();
    kill_process(remover(&folder), Signal::KILL).unwrap();
    running.signal(Signal::KILL);
    running.wait().expect(137);
    assert!(folder.join("config.json").exists());
    family.replace(
        "Dockerfile.base",
        "RUN [\"/bin/busybox\", \"sleep\", \"300\"]\n",
        "",
    );
    // One that lives keeps its own.
    let alive = family.path("tmp/splitbase-login-alive");
    std::fs::create_dir(&alive).unwrap();
    let lock = std::fs::File::open(&alive).unwrap();
    lock.try_lock().unwrap();
    with_variables(&family).ok(&["release", "v1.0.0"]);
    assert_eq!(private(&family), std::slice::from_ref(&alive));
    drop(lock);
    // A run that needs no login of its own does it too.
    with_variables(&family).ok(&["release", "v1.0.0"]);
    assert!(!alive.exists());
}
