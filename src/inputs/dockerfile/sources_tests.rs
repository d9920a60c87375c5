//! What of a context a build takes.

use super::*;
use crate::domain::Platform;
use std::collections::BTreeMap;

const PATHS: [&str; 16] = [
    "Dockerfile",
    "a-b",
    "a/1.txt",
    "a/2.md",
    "a/x/3.txt",
    "b/1.txt",
    "b/x/y/4.txt",
    "bin-amd64",
    "bin-arm64",
    "c[0].txt",
    "d/link",
    "link",
    "linked",
    "one two",
    "top.md",
    "top.txt",
];

fn of(text: &str, scope: &Scope<'_>) -> Vec<String> {
    let paths = PATHS.map(str::to_owned);
    let links = [("link", "a/x"), ("d/link", "../b/x/"), ("linked", "/link/3.txt")];
    let links = links.map(|(link, target)| (link.to_owned(), target.to_owned()));
    let links = BTreeMap::from(links);
    let context = Context {
        paths: &paths,
        links: Some(&links),
    };
    taken(&Dockerfile::parse(text), scope, context)
        .into_iter()
        .collect()
}

fn all() -> Vec<String> {
    PATHS.map(str::to_owned).to_vec()
}

#[test]
fn of_one_instruction() {
    for (line, expected) in [
        ("COPY a /", &["a/1.txt", "a/2.md", "a/x/3.txt"][..]),
        (
            "COPY ./a/x/../1.txt /a/2* /../top.md /",
            &["a/1.txt", "a/2.md", "top.md"],
        ),
        ("COPY [\"one two\", \"/\"]", &["one two"]),
        ("COPY one\\ two /", &[]),
        ("COPY \"top.txt\" '/top.md' /", &["top.md", "top.txt"]),
        ("COPY */1.txt /", &["a/1.txt", "b/1.txt"]),
        ("COPY ** /", &PATHS),
        ("COPY **/*.txt /", &["a/1.txt", "b/1.txt"]),
        ("COPY c[[]0].txt /", &["c[0].txt"]),
        ("COPY c\\[0].txt /", &[]),
        ("COPY t*.[a-m]* /", &["top.md"]),
        ("COPY --exclude=*.md --exclude=x a /", &["a/1.txt"]),
        ("COPY --exclude=** --exclude=!x/*.txt a /", &["a/x/3.txt"]),
        ("COPY --parents a/**/*.txt /", &["a/1.txt", "a/x/3.txt"]),
        ("COPY --parents ./b/./x /", &["b/x/y/4.txt"]),
        ("COPY --parents=false a/x /", &["a/x/3.txt"]),
        ("COPY link /", &["a/x/3.txt", "link"]),
        ("COPY linked /", &["a/x/3.txt", "link", "linked"]),
        ("COPY d/link/y /", &["b/x/y/4.txt", "d/link"]),
        ("COPY d /", &["d/link"]),
        ("COPY l*k /", &["a/x/3.txt", "link"]),
        ("COPY <<X top.md /\nX", &["top.md"]),
        (
            "ADD https://example.org/top.md git@example.org:a/b.git ssh://h/x top.md /",
            &["top.md"],
        ),
        ("ENV U=https://example.org/a\nADD $U top.md /", &["top.md"]),
        ("COPY --from=x a /", &[]),
        ("RUN --mount=source=a/x,target=/y z", &["a/x/3.txt"]),
        (
            "RUN --mount=type=bind,src=/top.md,target=/y --mount=type=tmpfs,target=/x z",
            &["top.md"],
        ),
        ("RUN --mount=target=. z", &PATHS),
        (
            "RUN --mount=type=cache,source=a,target=/y --mount=type=secret,id=a,source=b z",
            &[],
        ),
        ("RUN --mount=type=bind,from=x,source=a,target=/y z", &[]),
        ("ENV A=a B=b\nENV A=b B=$A/1.txt\nCOPY $B /", &["a/1.txt"]),
        ("ARG A=a\nARG B=$A/x\nCOPY ${B%/x}/1.txt /", &["a/1.txt"]),
        ("COPY $NOWHERE/a /", &["a/1.txt", "a/2.md", "a/x/3.txt"]),
        ("ONBUILD COPY a /", &[]),
    ] {
        assert_eq!(
            of(&format!("FROM scratch\n{line}\n"), &Scope::default()),
            expected,
            "{line}"
        );
    }
    // What the base may have set can be anything.
    assert_eq!(
        of("FROM x\nCOPY $NOWHERE/1.txt /", &Scope::default()),
        ["a/1.txt", "b/1.txt"]
    );
}

#[test]
fn of_what_the_target_needs() {
    let text = "FROM scratch AS one\nCOPY a /\nFROM scratch AS two\nCOPY b /\nFROM scratch AS three\nCOPY top.md /\n\
                FROM one AS last\nCOPY --from=TWO / /\nRUN --mount=from=2,target=/x y\n";
    let with = |target| Scope {
        target,
        ..Scope::default()
    };
    let both = ["a/1.txt", "a/2.md", "a/x/3.txt", "b/1.txt", "b/x/y/4.txt"];
    assert_eq!(of(text, &with(None)), both);
    assert_eq!(of(text, &with(Some("THREE"))), ["top.md"]);
    assert_eq!(of(text, &with(Some("2"))), ["top.md"]);
    // A mount knows stages by name only, a copy by number too.
    assert_eq!(
        of(&(text.to_owned() + "COPY --from=2 / /\n"), &with(None)).len(),
        6
    );
    // A named context takes the place of a stage.
    let replaced = Scope {
        contexts: &["two"],
        ..Scope::default()
    };
    assert_eq!(of(text, &replaced), both[..3]);
}

#[test]
fn of_triggers() {
    let text = "FROM scratch AS a\nONBUILD ARG D=a\nONBUILD COPY ${D}/x /\nONBUILD COPY --from=b / /\nFROM scratch AS b\nCOPY top.md /\nFROM a\n";
    assert_eq!(of(text, &Scope::default()), ["a/x/3.txt", "top.md"]);
    let base =
        Dockerfile::parse("FROM x AS y\nONBUILD COPY a/x /\nFROM scratch\nONBUILD RUN --mount=target=/x y\n");
    let (of_last, of_y) = (triggers(&base, None), triggers(&base, Some("y")));
    let with = |triggers| Scope {
        base_arg: Some("BASE_IMAGE"),
        triggers,
        ..Scope::default()
    };
    let variant = "ARG BASE_IMAGE\nFROM $BASE_IMAGE\n";
    assert_eq!(of(variant, &with(&of_last)), all());
    assert_eq!(of(variant, &with(&of_y)), ["a/x/3.txt"]);
}

#[test]
fn of_each_platform() {
    let platforms: Vec<Platform> = ["linux/amd64", "linux/arm64"]
        .map(|p| p.parse().unwrap())
        .to_vec();
    let scope = Scope {
        platforms: &platforms,
        ..Scope::default()
    };
    let text = "FROM scratch\nARG TARGETARCH\nCOPY bin-$TARGETARCH /\n";
    assert_eq!(of(text, &scope), ["bin-amd64", "bin-arm64"]);
    // Without its `ARG` the variable is empty.
    assert_eq!(of("FROM scratch\nCOPY bin-$TARGETARCH /\n", &scope), [""; 0]);
}
