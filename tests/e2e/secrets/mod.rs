//! Secrets are planted in every place that a run reads, and looked for in everything that it writes and in all of its children.

mod children;
mod gate;

use crate::support::{Family, Npm, Registry, Splitbase, commit_all, program, unique, variable};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use children::Watch;
use gate::Gate;
use std::path::Path;

/// What a credential helper answers for the family's registry.
const HELPER: &str = "planted/helper&Xq7+Zk==";
/// In docker's `config.json`, for another registry.
const AUTHS: &str = "planted/auths&Wm3+Yy==";
/// A token that the registry's token server gives.
const TOKEN: &str = "planted.token-Xy9~Zz01234567890123";
/// In the query of where uploads go.
const SIGNATURE: &str = "plantedsignature0123456789abcdef";
/// In a variable that `.npmrc` names.
const NPM: &str = "planted-npm/Kk2+Qz==";
/// A build secret in a variable, and one in a file.
const BUILD: &str = "planted/build&Tt5+Rr==";
const FILE: &str = "planted/file&Pp8+Ss==";
/// In variables that look like secrets.
const FORGE: &str = "planted/forge&Gg4+Hh==";
const COSIGN: &str = "planted/cosign&Cc6+Vv==";
/// In the address of a git repository.
const USERINFO: &str = "planted-userinfo-Uu1Ii2Oo3";
/// A build argument that should have been a secret.
const ARGUMENT: &str = "planted-argument-Aa1Bb2Cc3";

const ALL: [&str; 11] = [
    HELPER, AUTHS, TOKEN, SIGNATURE, NPM, BUILD, FILE, FORGE, COSIGN, USERINFO, ARGUMENT,
];

/// What prints everything that it can get at, in several forms.
const BLAB: &str = "env; env | base64; cat \"$DOCKER_CONFIG/config.json\"; echo \"$GITHUB_TOKEN\" | base64";

fn percent(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A secret as it is, percent-encoded, and in base64 wherever in a text it stands.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned(), percent(secret), percent(secret).to_lowercase()];
    for engine in [&STANDARD, &URL_SAFE] {
        for (before, from) in [("", 0), ("x", 2), ("xx", 3)] {
            let encoded = engine.encode(format!("{before}{secret}"));
            let to = (before.len() + secret.len()) * 8 / 6;
            forms.push(encoded[from..to].to_owned());
        }
    }
    forms
}

/// What a careless server says of a request: all that it knows of who is asking.
fn repeated(authorization: &str) -> String {
    let pair = STANDARD.encode(format!("user:{HELPER}"));
    format!("{} {pair} {authorization}", percent(HELPER))
}

fn holds(bytes: &[u8], form: &str) -> bool {
    bytes.windows(form.len()).any(|window| window == form.as_bytes())
}

/// The secrets that these bytes hold.
fn found_in(bytes: &[u8]) -> Vec<&'static str> {
    let there = |secret: &&&str| forms(secret).iter().any(|form| holds(bytes, form));
    ALL.iter().filter(there).copied().collect()
}

/// A family with secrets everywhere, its registry behind a gate.
struct Planted {
    registry: Registry,
    gate: Gate,
    npm: Npm,
    family: Family,
}

/// Files in which secrets were planted, or in which this test writes down what it saw.
const SOURCES: [&str; 4] = [
    "docker/config.json",
    "bin/docker-credential-planted",
    "secret-file",
    "children",
];

impl Planted {
    fn new() -> Self {
        let registry = Registry::start();
        let gate = Gate::start(registry.address(), TOKEN, SIGNATURE);
        let npm = Npm::start();
        npm.publish("planted", "1.0.0", None);
        let family = Family::of(gate.address(), &["linux/amd64"], &["base"]);
        let auth = STANDARD.encode(format!("user:{AUTHS}"));
        family
            .write(
                "docker/config.json",
                format!(
                    r#"{{"auths":{{"other.example":{{"auth":"{auth}"}}}},"credHelpers":{{"{}":"planted"}}}}"#,
                    gate.address()
                ),
            )
            .write("secret-file", FILE)
            .write(
                ".npmrc",
                format!("{}/:_authToken=${{NPM_TOKEN}}\n", npm.address().trim_start_matches("http:")),
            )
            .write("tmp/other", "")
            .set(
                "build",
                "secrets = [{ id = \"built\", env = \"E2E_BUILT\" }, { id = \"filed\", file = \"secret-file\" }]\nprovenance = \"max\"",
            )
            .set("base", "versions = [\"TOOL_VERSION\"]")
            .set("versions", "TOOL_VERSION = { npm = \"planted\" }")
            .append(
                "Dockerfile.base",
                "ARG TOOL_VERSION\nRUN --mount=type=secret,id=built --mount=type=secret,id=filed \\\n  \
                 cat /run/secrets/built /run/secrets/filed; base64 /run/secrets/built; base64 /run/secrets/filed\n",
            )
            .smoke(&format!(
                "{BLAB}\ndocker run --rm --platform \"$SPLITBASE_PLATFORM\" \"$SPLITBASE_IMAGE\" cat /etc/marker"
            ));
        let log = family.path("children").display().to_string();
        family.write_script(
            "bin/docker-credential-planted",
            format!(
                "#!/bin/sh\n{}read -r server || :\nprintf '{{\"Username\":\"user\",\"Secret\":\"{HELPER}\"}}'\n",
                children::log_of("docker-credential-planted", &log)
            ),
        );
        for name in ["docker", "git"] {
            let real = program("sh", &["-c", &format!("command -v {name}")]);
            let real = String::from_utf8(real).unwrap();
            let script = format!(
                "#!/bin/sh\n{}exec '{}' \"$@\"\n",
                children::log_of(name, &log),
                real.trim()
            );
            family.write_script(&format!("bin/{name}"), script);
        }
        commit_all(family.folder());
        Self {
            registry,
            gate,
            npm,
            family,
        }
    }

    fn splitbase(&self) -> Splitbase {
        let path = |name: &str| self.family.path(name).display().to_string();
        self.family
            .splitbase()
            .env("PATH", format!("{}:{}", path("bin"), variable("PATH").unwrap()))
            .env("DOCKER_CONFIG", path("docker"))
            .env("TMPDIR", path("tmp"))
            .env("XDG_CACHE_HOME", path("cache"))
            .env("XDG_RUNTIME_DIR", "")
            .env("GITHUB_OUTPUT", path("outputs"))
            .env("GITHUB_STEP_SUMMARY", path("summary"))
            .env("NPM_CONFIG_REGISTRY", self.npm.address())
            .env("SPLITBASE_ALLOW_DIRTY", "true")
            .env("NPM_TOKEN", NPM)
            .env("E2E_BUILT", BUILD)
            .env("GITHUB_TOKEN", FORGE)
            .env("COSIGN_PASSWORD", COSIGN)
    }

    /// Runs it, and looks for secrets in everything that it prints, in its children, and in all files.
    fn run(&self, args: &[&str], code: i32) -> crate::support::Run {
        let running = self.splitbase().start(args);
        let watch = Watch::of(running.id());
        let run = running.wait();
        let seen = watch.end();
        assert!(
            run.code == code,
            "{args:?} ended with {}: {}\n{}",
            run.code,
            run.stdout,
            run.stderr
        );
        let events: Vec<_> = run.events.iter().map(ToString::to_string).collect();
        for (name, text) in [
            ("standard output", run.stdout.clone()),
            ("standard error", run.stderr.clone()),
            ("the log file", events.join("\n")),
        ] {
            let found = found_in(text.as_bytes());
            assert!(found.is_empty(), "{args:?}: {name} holds {found:?}:\n{text}");
        }
        for (line, environment) in seen {
            assert_eq!(found_in(line.as_bytes()), [""; 0], "{args:?}: arguments: {line}");
            children::check(&line, &environment, args);
        }
        self.nothing_is_left(args);
        run
    }

    /// No file that the runs wrote, and nothing in the registry, holds a secret.
    fn nothing_is_left(&self, args: &[&str]) {
        let mut folders = vec![self.family.folder().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
                let (kind, path) = (entry.file_type().unwrap(), entry.path());
                let name = path.strip_prefix(self.family.folder()).unwrap();
                if kind.is_dir() && name != Path::new(".git") {
                    folders.push(path.clone());
                } else if kind.is_file() && !SOURCES.iter().any(|source| name == Path::new(source)) {
                    let bytes = std::fs::read(&path).unwrap();
                    // The program and its image are large, and of the test's own making.
                    if name.starts_with("busybox-amd64") || name.starts_with("busybox-arm64") {
                        continue;
                    }
                    let found = found_in(&bytes);
                    assert!(found.is_empty(), "{args:?}: `{}` holds {found:?}", name.display());
                }
            }
        }
        for (line, environment) in children::logged(&self.family.read("children")) {
            assert_eq!(found_in(line.as_bytes()), [""; 0], "{args:?}: arguments: {line}");
            children::check(&line, &environment, args);
        }
    }
}

#[test]
fn e2e_secrets_are_nowhere_after_a_release() {
    let planted = Planted::new();
    planted.run(
        &[
            "plan",
            "v1.0.0",
            "--save",
            "plan.json",
            "--save-facts",
            "facts.json",
            "-v",
        ],
        0,
    );
    let run = planted.run(
        &["release", "v1.0.0", "--plan", "plan.json", "-v", "-o", "json"],
        0,
    );
    assert_eq!(run.json()["outcome"], "done");
    // The build and the test did print them.
    let lines: Vec<_> = run.events.iter().map(ToString::to_string).collect();
    let lines = lines.join("\n");
    assert!(
        lines.contains("******") && lines.contains("GITHUB_TOKEN=***"),
        "{lines}"
    );
    assert!(
        planted
            .family
            .public_tags(&planted.registry)
            .contains_key("v1.0.0")
    );
    planted.run(&["status", "-o", "json"], 0);
    let doctor = planted.run(&["doctor", "-v"], 0);
    doctor.shows("from `docker-credential-planted`");
    for blob in planted.registry.blobs() {
        let found = found_in(&blob);
        assert!(found.is_empty(), "a blob holds {found:?}");
    }
    // The children were seen, with what they were for.
    let log = planted.family.read("children");
    for name in [
        "docker buildx build",
        "docker-credential-planted get",
        "git describe",
    ] {
        assert!(log.contains(&format!("run {name}")), "{name} was not run:\n{log}");
    }
}

#[test]
fn e2e_secrets_are_nowhere_after_a_release_into_a_folder() {
    let planted = Planted::new();
    planted.run(&["release", "v1.0.0", "--to", "oci:out", "-v"], 0);
    assert!(planted.family.path("out/index.json").exists());
    planted.run(&["verify", "v1.0.0", "--to", "oci:out"], 0);
}

#[test]
fn e2e_secrets_are_nowhere_after_failures() {
    let planted = Planted::new();
    let (family, gate) = (&planted.family, &planted.gate);

    // A test that prints all it knows, whose log is kept.
    family.smoke(&format!("{BLAB}; exit 4"));
    let run = planted.run(&["release", "v1.0.0"], 3);
    run.says("the whole output is in `");

    // A build that prints its secrets in plain and in base64, and fails.
    let failing = "RUN --mount=type=secret,id=built echo \"it is $(cat /run/secrets/built)\"; \\\n  \
                   base64 /run/secrets/built; cat /run/secrets/built | tr '\\n' ' '; false\n";
    family.append("Dockerfile.base", failing);
    let run = planted.run(&["release", "v1.1.0"], 1);
    run.says("it is ***");
    family.replace("Dockerfile.base", failing, "");

    // A push and a read that are refused by a server that repeats what it was told.
    family.append("marker", &unique());
    gate.refuse(|method, path| (method == "PUT" && path.contains("/manifests/")).then_some(403));
    planted.run(&["release", "v1.2.0"], 6);
    assert!(
        gate.refused().iter().any(|line| line.starts_with("PUT")),
        "{:?}",
        gate.refused()
    );
    gate.refuse(|_, path| path.contains("/blobs/uploads/").then_some(400));
    planted.run(&["release", "v1.2.0", "-v"], 6);
    gate.refuse(|_, _| Some(401));
    let run = planted.run(&["release", "v1.2.0", "-o", "json"], 5);
    run.says("credentials used: from `docker-credential-planted`");
    gate.refuse(|_, _| None);

    // An address with a password is refused, and not shown. The file that it is in lies elsewhere.
    let port = crate::support::closed_port();
    let sources = tempfile::tempdir().unwrap();
    let text = family.read("variants.toml");
    let other = |from: &str, to: &str| {
        assert_eq!(text.matches(from).count(), 1, "{text}");
        let file = sources.path().join("variants.toml");
        for name in [
            "Dockerfile.base",
            "Dockerfile.variant",
            "marker",
            "secret-file",
            "scripts/smoke.sh",
        ] {
            std::fs::create_dir_all(sources.path().join("scripts")).unwrap();
            std::fs::copy(family.path(name), sources.path().join(name)).unwrap();
        }
        for name in ["busybox-amd64", "busybox-arm64", ".dockerignore"] {
            std::fs::copy(family.path(name), sources.path().join(name)).unwrap();
        }
        std::fs::write(&file, text.replace(from, to)).unwrap();
        file.display().to_string()
    };
    let npm = "{ npm = \"planted\" }";
    let git = format!("{{ git = \"http://user:{USERINFO}@127.0.0.1:{port}/x\", ref = \"main\" }}");
    let run = planted.run(&["plan", "v1.3.0", "--file", &other(npm, &git)], 2);
    run.says("holds a password");

    // A build argument that looks like a secret is refused, and not shown.
    let kind = "args = { KIND = \"base\" }";
    let token = format!("args = {{ KIND = \"base\", API_TOKEN = \"{ARGUMENT}\" }}");
    let run = planted.run(&["plan", "v1.3.0", "--file", &other(kind, &token)], 2);
    run.says("API_TOKEN").says("looks like a secret");
    let cache = format!("from = [\"type=s3,region=eu,secret_access_key={ARGUMENT}\"]\nto = \"none\"");
    let run = planted.run(&["plan", "v1.3.0", "--file", &other("to = \"none\"", &cache)], 2);
    run.says("this looks like a secret");
}
