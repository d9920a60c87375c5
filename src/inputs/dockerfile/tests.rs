use super::*;
use crate::domain::Platform;
use camino::{Utf8Path, Utf8PathBuf};

fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn instructions_with_their_lines() {
    let file = Dockerfile::parse(
        "# syntax=docker/dockerfile:1\n# escape=\\\n\n# escape=`\nfrom debian as one\nRUN a \\\n  # comment\n\n  b \\  \n  c\n\
         RUN <<EOF cat > x\nCOPY not an instruction\nEOF\n\
         COPY --chown=1:2 --from=one <<-\"A\" <<B /dest/\nx\n\tA\ny\nB\n\
         COPY [\"a b\", \"c\"]\nRUN echo $((1<<2)) <<<x\nCMD ends\\\\\nUSER x",
    );
    assert_eq!(file.syntax.as_deref(), Some("docker/dockerfile:1"));
    let lines: Vec<_> = file
        .instructions
        .iter()
        .map(|i| (i.line, i.keyword.as_str()))
        .collect();
    assert_eq!(
        lines,
        [
            (5, "FROM"),
            (6, "RUN"),
            (11, "RUN"),
            (14, "COPY"),
            (19, "COPY"),
            (20, "RUN"),
            (21, "CMD"),
            (22, "USER")
        ]
    );
    assert_eq!(file.instructions[1].words(), ["a", "b", "c"]);
    let names = |at: usize| -> Vec<_> {
        let heredocs = file.instructions[at].heredocs.iter();
        heredocs.map(|heredoc| heredoc.name.as_str()).collect()
    };
    assert_eq!(names(2), ["EOF"]);
    assert_eq!(names(3), ["A", "B"]);
    assert_eq!(file.instructions[3].flag("from"), Some("one"));
    assert_eq!(file.instructions[4].words(), ["a b", "c"]);
}

#[test]
fn another_escape() {
    let file = Dockerfile::parse("# escape=`\r\nRUN a `\r\n b\r\nCOPY c:\\ d\\\r\nUSER x\r\n");
    assert_eq!(file.escape, '`');
    assert_eq!(
        file.instructions.iter().map(|i| i.line).collect::<Vec<_>>(),
        [2, 4, 5]
    );
}

#[test]
fn expanded() {
    let known = variables(&[("A", "1"), ("EMPTY", ""), ("B", "two")]);
    for (word, expected) in [
        ("$A-${B}", Some("1-two")),
        ("${X:-d}", Some("d")),
        ("${X:-${B}}", Some("two")),
        ("${EMPTY:-d}", Some("d")),
        ("${EMPTY-d}", Some("")),
        ("${A:+yes}${X:+no}", Some("yes")),
        ("\"$A\"'$A'", Some("1$A")),
        ("\\$A", Some("$A")),
        ("$", Some("$")),
        ("${A", None),
        ("${A^^}", None),
        ("${X:?no}", None),
    ] {
        assert_eq!(expand(word, '\\', &known).as_deref(), expected, "{word}");
    }
}

#[test]
fn references_to_images_from_outside() {
    let file = Dockerfile::parse(
        "ARG BASE_IMAGE\nARG DEBIAN=bookworm\nARG REGISTRY=docker.io\n\
         FROM --platform=$BUILDPLATFORM ${REGISTRY}/library/golang:1.25 AS Build\n\
         FROM build AS tools-amd64\nFROM debian:$DEBIAN AS tools-arm64\nFROM tools-${TARGETARCH} AS tools\n\
         FROM scratch AS nothing\nFROM node:22 AS assets\nFROM pinned@sha256:00\n\
         COPY --from=0 /a /a\nCOPY --from=tools /a /a\nCOPY --from=ghcr.io/acme/tool:1 /a /a\nCOPY --from=extra /a /a\n\
         RUN --mount=type=bind,from=busybox:1,target=/x --mount=type=cache,target=/y true\n\
         FROM ${BASE_IMAGE}\nFROM $NOWHERE\n",
    );
    let args = variables(&[("DEBIAN", "trixie"), ("NOWHERE", "not declared")]);
    let platforms: Vec<Platform> = ["linux/amd64", "linux/arm64"]
        .iter()
        .map(|p| p.parse().unwrap())
        .collect();
    let scope = Scope {
        args: Some(&args),
        platforms: &platforms,
        contexts: &["extra", "assets", "unused"],
        base_arg: Some("BASE_IMAGE"),
        ..Scope::default()
    };
    let found = references(&file, &scope);
    let external: Vec<_> = found
        .external
        .iter()
        .map(|r| (r.image.as_str(), r.line, r.role, r.is_pinned()))
        .collect();
    assert_eq!(
        external,
        [
            ("busybox:1", 15, Role::Mount, false),
            ("debian:trixie", 6, Role::From, false),
            ("docker.io/library/golang:1.25", 4, Role::From, false),
            ("ghcr.io/acme/tool:1", 13, Role::Copy, false),
            ("pinned@sha256:00", 10, Role::From, true),
        ]
    );
    assert_eq!(found.base.iter().copied().collect::<Vec<_>>(), [16]);
    assert_eq!(
        found.contexts.iter().map(String::as_str).collect::<Vec<_>>(),
        ["assets", "extra"]
    );
    assert_eq!(
        found.unclear.iter().cloned().collect::<Vec<_>>(),
        [(17, false, "$NOWHERE".to_owned())]
    );
    assert!(found.declares_base);
}

#[test]
fn what_waits_for_a_value_is_open_and_never_its_default() {
    let file = Dockerfile::parse(
        "ARG TAG=1\nARG SLIM=${TAG}-slim\nARG FIXED=${TAG}\nARG FIXED=7\nARG GIVEN=${TAG}\nARG NONE\n\
         FROM debian:${TAG} AS a\nFROM debian:$SLIM AS b\nFROM debian:${FIXED}\nFROM debian:$GIVEN\nFROM debian:${NONE}\n\
         FROM ${BASE_IMAGE}\nFROM a\n",
    );
    let args = variables(&[("GIVEN", "8")]);
    let open = ["TAG".to_owned(), "NONE".to_owned(), "BASE_IMAGE".to_owned()];
    let scope = Scope {
        args: Some(&args),
        open: &open,
        base_arg: Some("BASE_IMAGE"),
        ..Scope::default()
    };
    let found = references(&file, &scope);
    let texts: Vec<_> = found.open.iter().map(String::as_str).collect();
    assert_eq!(texts, ["debian:$SLIM", "debian:${NONE}", "debian:${TAG}"]);
    let external: Vec<_> = found.external.iter().map(|r| r.image.as_str()).collect();
    assert_eq!(external, ["debian:7", "debian:8"]);
    assert!(found.unclear.is_empty(), "{:?}", found.unclear);

    let args = variables(&[("GIVEN", "8"), ("TAG", "2"), ("NONE", "3")]);
    let scope = Scope {
        args: Some(&args),
        open: &[],
        ..scope
    };
    let found = references(&file, &scope);
    assert!(found.open.is_empty());
    let external: Vec<_> = found.external.iter().map(|r| r.image.as_str()).collect();
    assert_eq!(
        external,
        ["debian:2", "debian:2-slim", "debian:3", "debian:7", "debian:8"]
    );
}

#[test]
fn a_context_takes_the_place_of_an_image_however_it_is_written() {
    let file = Dockerfile::parse("FROM debian\n");
    for context in ["debian", "docker.io/library/debian:latest"] {
        let contexts = [context];
        let found = references(
            &file,
            &Scope {
                contexts: &contexts,
                ..Scope::default()
            },
        );
        assert!(
            found.external.is_empty() && found.contexts.contains(context),
            "{context}"
        );
    }
}

/// Problems as `line: message`, for a Dockerfile in a context with these files.
fn problems(text: &str, inputs: Option<&[&str]>, scope: Scope<'_>) -> Vec<String> {
    let paths = [
        "Dockerfile",
        "app/main.rs",
        "app/old.rs",
        "assets-amd64/x",
        "assets-arm64/x",
        "rootfs/etc/motd",
        "run.sh",
    ];
    let paths: Vec<String> = paths.map(str::to_owned).to_vec();
    let inputs: Option<Vec<Utf8PathBuf>> =
        inputs.map(|inputs| inputs.iter().map(Utf8PathBuf::from).collect());
    let checks = Checks {
        name: Utf8Path::new("Dockerfile"),
        file: &Dockerfile::parse(text),
        base: Some(Utf8Path::new("Dockerfile.base")),
        scope,
        versions: &["KNOWN_VERSION".to_owned()],
        inputs: inputs.as_deref(),
        context: Context {
            paths: &paths,
            links: None,
        },
    };
    let found = check(&checks);
    assert!(found.iter().all(|problem| !problem.hint.is_empty()));
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn floating_defaults_are_named() {
    let args = variables(&[("GIVEN", "1")]);
    let scope = Scope {
        args: Some(&args),
        ..Scope::default()
    };
    let text = "ARG A_REF=main\nFROM scratch\nARG B=\"latest\" C=1.0 D\nARG KNOWN_VERSION=latest\nARG GIVEN=latest\nARG E=HEAD\nARG F=mainline\n";
    let found = problems(text, None, scope);
    assert_eq!(
        found,
        [
            "Dockerfile:1: `ARG A_REF` floats: its default is `main`, and nothing resolves it",
            "Dockerfile:3: `ARG B` floats: its default is `latest`, and nothing resolves it",
            "Dockerfile:6: `ARG E` floats: its default is `HEAD`, and nothing resolves it",
        ]
    );
}

#[test]
fn sources_that_no_input_covers() {
    let check = |line: &str, inputs: &[&str]| {
        problems(&format!("FROM scratch\n{line}\n"), Some(inputs), Scope::default())
    };
    let rootfs = &["rootfs", "run.sh"][..];
    for line in [
        "COPY rootfs/ /",
        "COPY ./rootfs/etc/ ../run.sh /",
        "COPY [\"run.sh\", \"/\"]",
        "COPY *.sh /",
        "COPY Dockerfile /",
        "COPY --from=busybox /app /app",
        "COPY <<EOF /x\nEOF",
        "ADD https://example.org/x git@example.org:x.git /",
        "RUN --mount=type=cache,target=/app true",
        "RUN --mount=type=bind,source=rootfs,target=/app true",
    ] {
        assert_eq!(check(line, rootfs), [""; 0], "{line}");
    }
    for (line, path) in [
        ("COPY app /app", "app/main.rs"),
        ("COPY . /", "app/main.rs"),
        ("ADD rootfs r*/ /a* /", "app/main.rs"),
        ("COPY --chown=1 a*/*.rs /", "app/main.rs"),
        ("COPY ${FROM_BASE}/ /", "app/main.rs"),
        ("ENV DIR=app\nCOPY $DIR /", "app/main.rs"),
        ("ARG DIR=app\nCOPY $DIR /", "app/main.rs"),
        ("RUN --mount=target=/x true", "app/main.rs"),
        ("RUN --mount=type=bind,src=/app,target=/x true", "app/main.rs"),
    ] {
        let found = check(line, rootfs);
        assert_eq!(found.len(), 1, "{line} {found:?}");
        assert!(
            found[0].contains(&format!("takes `{path}`, which no input covers")),
            "{line} {found:?}"
        );
        assert_eq!(check(line, &["."]), [""; 0], "{line}");
    }
    assert_eq!(
        check("COPY app /app", &["app/main.rs"]),
        ["Dockerfile:2: `COPY` takes `app/old.rs`, which no input covers: a change of it would go unseen"]
    );
    let platforms: Vec<Platform> = ["linux/amd64", "linux/arm64"]
        .iter()
        .map(|p| p.parse().unwrap())
        .collect();
    let scope = Scope {
        platforms: &platforms,
        ..Scope::default()
    };
    let text = "FROM scratch AS a\nARG TARGETARCH\nFROM a\nCOPY assets-${TARGETARCH} /\n";
    let found = problems(text, Some(&["assets-amd64"]), scope);
    assert_eq!(
        found,
        [
            "Dockerfile:4: `COPY` takes `assets-arm64/x`, which no input covers: a change of it would go unseen"
        ]
    );
}

#[test]
fn sources_that_match_nothing() {
    for inputs in [None, Some(&["."][..])] {
        let found = problems(
            "FROM scratch\nCOPY run.sh gone* /\nADD ap /\nCOPY app/*.rs /\n",
            inputs,
            Scope::default(),
        );
        assert_eq!(
            found,
            [
                "Dockerfile:2: `COPY` wildcard `gone*` matches nothing in the build context, and BuildKit would go on without it",
                "Dockerfile:3: `ADD` source `ap` is not in the build context",
            ]
        );
    }
}

#[test]
fn contexts_and_base_that_nothing_uses() {
    let scope = Scope {
        contexts: &["assets"],
        base_arg: Some("BASE_IMAGE"),
        ..Scope::default()
    };
    let found = problems("FROM debian\n", None, scope);
    assert_eq!(
        found,
        [
            "Dockerfile: no stage is built `FROM ${BASE_IMAGE}`, so the image does not stand on the base",
            "Dockerfile: nothing refers to the named context `assets`, and BuildKit would pass over it in silence",
        ]
    );
    let text = "FROM debian\nARG BASE_IMAGE\nFROM ${BASE_IMAGE:-x}\nCOPY --from=assets / /\n";
    let found = problems(text, None, scope);
    assert_eq!(
        found,
        ["Dockerfile:3: `BASE_IMAGE` is empty here: no `ARG BASE_IMAGE` comes before the first `FROM`"]
    );
    assert_eq!(
        problems(
            "ARG BASE_IMAGE=latest\nFROM $BASE_IMAGE\nCOPY --from=assets / /",
            None,
            scope
        ),
        [""; 0]
    );
}

/// Of the `ONBUILD` instructions of a stage and of the base, all that they name and take is that of the image which carries them out.
#[test]
fn triggers_name_images_too() {
    let external = |text: &str, scope: &Scope<'_>| -> Vec<(String, usize, bool, bool)> {
        let found = references(&Dockerfile::parse(text), scope).external.into_iter();
        found
            .map(|found| (found.image, found.line, found.of_base, found.reached))
            .collect()
    };
    let triggers = "ONBUILD COPY --from=tool:1 / /\nONBUILD RUN --mount=from=data:2,target=/x true\n";
    let own = format!("FROM scratch AS a\n{triggers}");
    assert_eq!(
        external(&own, &Scope::default()),
        [],
        "nothing is built on it here"
    );
    let at = |image: &str, line, of_base, reached| (image.to_owned(), line, of_base, reached);
    assert_eq!(
        external(&format!("{own}FROM a\n"), &Scope::default()),
        [at("data:2", 3, false, true), at("tool:1", 2, false, true)]
    );
    assert_eq!(
        external(&format!("{own}FROM a AS b\nFROM scratch\n"), &Scope::default()),
        [at("data:2", 3, false, false), at("tool:1", 2, false, false)],
        "named, but not carried out"
    );
    let base = Dockerfile::parse(&format!(
        "FROM scratch\n{triggers}ONBUILD COPY --from=assets / /\n"
    ));
    let found = crate::inputs::dockerfile::triggers(&base, None);
    let scope = Scope {
        base_arg: Some("BASE_IMAGE"),
        contexts: &["assets"],
        triggers: &found,
        ..Scope::default()
    };
    let variant = "ARG BASE_IMAGE\nFROM scratch AS data\nFROM $BASE_IMAGE\n";
    assert_eq!(
        external(variant, &scope),
        [at("data:2", 3, true, true), at("tool:1", 2, true, true)]
    );
    assert_eq!(problems(variant, None, scope), [""; 0], "and the context is used");
}

#[test]
fn problems_of_triggers_name_the_bases_dockerfile() {
    let base = Dockerfile::parse(
        "FROM scratch\nONBUILD COPY app /\nONBUILD ARG DB_PASSWORD\nONBUILD COPY --from=$TOOL / /\n",
    );
    let found = crate::inputs::dockerfile::triggers(&base, None);
    let scope = Scope {
        base_arg: Some("BASE_IMAGE"),
        triggers: &found,
        ..Scope::default()
    };
    let text = "ARG BASE_IMAGE\nFROM $BASE_IMAGE\nCOPY rootfs /\n";
    let carried = "(`ONBUILD`, which the build of `Dockerfile` carries out)";
    assert_eq!(
        problems(text, Some(&["run.sh"]), scope),
        [
            format!(
                "Dockerfile.base:2: `COPY` takes `app/main.rs`, which no input covers: a change of it would go unseen {carried}"
            ),
            format!(
                "Dockerfile.base:3: `ARG DB_PASSWORD` looks like a secret, and can be read in the image {carried}"
            ),
            "Dockerfile:3: `COPY` takes `rootfs/etc/motd`, which no input covers: a change of it would go unseen"
                .to_owned(),
            format!(
                "Dockerfile.base:4: what `$TOOL` refers to does not follow from the Dockerfile and its build arguments {carried}"
            ),
        ]
    );
}
