//! How text becomes instructions, words and values: case by case what BuildKit's parser and lexer do.

use super::*;

fn variables(pairs: &[(&str, &str)]) -> Variables {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

#[test]
fn all_forms_of_variables() {
    let known = variables(&[("V", "v1.2.3-rc.1"), ("P", "a/b/c"), ("E", ""), ("U_1", "x")]);
    for (word, expected) in [
        ("${V#v}", Some("1.2.3-rc.1")),
        ("${V#*.}", Some("2.3-rc.1")),
        ("${V##*.}", Some("1")),
        ("${V%.*}", Some("v1.2.3-rc")),
        ("${V%%.*}", Some("v1")),
        ("${V%-*}/x", Some("v1.2.3/x")),
        ("${V%x}", Some("v1.2.3-rc.1")),
        ("${P/\\//-}", Some("a-b/c")),
        ("${P//\\//-}", Some("a-b-c")),
        ("${P//\\*/-}", Some("a/b/c")),
        ("${P/b?/-}", Some("a/-c")),
        ("${P##?/}", Some("b/c")),
        ("${V:#v}", None),
        ("${P/b}", None),
        ("${P#\\a}", None),
        ("${}", None),
        ("${:-x}", None),
        ("${{V}}", None),
        ("${V,,}", None),
        ("${N:-${E:-$U_1}}", Some("x")),
        ("${N-'a b'}", Some("a b")),
        ("${E:?empty}", None),
        ("${E?}", Some("")),
        ("$U_1$N.$", Some("x.$")),
        ("$1a", Some("a")),
        ("\"a\\\"b\\c\"", Some("a\"b\\c")),
        ("'a\\", None),
        ("\"$V", None),
        ("a\\*b\\ c\\", Some("a*b c")),
    ] {
        assert_eq!(expand(word, '\\', &known).as_deref(), expected, "{word}");
    }
    assert_eq!(expand("`$V\\$V", '`', &known).as_deref(), Some("$V\\v1.2.3-rc.1"));
    // Neither deep nor long nests take long, or all of the stack.
    assert_eq!(expand(&"${N:-".repeat(100_000), '\\', &known), None);
    assert_eq!(
        expand(&format!("${{P/{}/x}}", "*a".repeat(500)), '\\', &known).as_deref(),
        Some("a/b/c")
    );
}

#[test]
fn words_of_each_instruction() {
    let file = Dockerfile::parse(
        "FROM \"a b\"\nCOPY \"a b\" 'c'\\ d /\nARG A=\"x y\" B='1 2' C=a\\ b\nENV A=\"x y\" B=1\nENV OLD  a \"b  c\"\n\
         COPY [ \"a b\", \"c\" ]\nCOPY [a, b] /\nRUN --mount=type=bind,\"source=a b\" --network=none -- --x y\n\
         COPY --exclude='*.md' --exclude=\"a b\" --from=x\\ y . /",
    );
    let words = |at: usize| file.instructions[at].words();
    assert_eq!(words(0), ["\"a", "b\""]);
    assert_eq!(words(1), ["\"a", "b\"", "'c'\\", "d", "/"]);
    assert_eq!(words(2), ["A=\"x y\"", "B='1 2'", "C=a\\ b"]);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        file.instructions[3].pairs(),
        [pair("A", "\"x y\""), pair("B", "1")]
    );
    assert_eq!(file.instructions[4].pairs(), [pair("OLD", "a \"b  c\"")]);
    assert_eq!(words(5), ["a b", "c"]);
    assert_eq!(words(6), ["[a,", "b]", "/"]);
    assert_eq!(
        file.instructions[7].flags,
        [pair("mount", "type=bind,source=a b"), pair("network", "none")]
    );
    assert_eq!(file.instructions[7].text, "--x y");
    assert_eq!(
        file.instructions[8].flags,
        [
            pair("exclude", "*.md"),
            pair("exclude", "a b"),
            pair("from", "x y")
        ]
    );
}

/// Keywords with their lines, and the names of heredocs behind them.
fn shape(text: &str) -> String {
    let file = Dockerfile::parse(text);
    let one = |instruction: &Instruction| {
        let heredocs = instruction.heredocs.iter();
        let heredocs = heredocs.map(|doc| format!(" <{}@{} {:?}", doc.name, doc.line, doc.text()));
        let heredocs: Vec<String> = heredocs.collect();
        format!(
            "{}@{}{}",
            instruction.keyword,
            instruction.line,
            heredocs.concat()
        )
    };
    let all: Vec<String> = file.instructions.iter().map(one).collect();
    let odd: Vec<String> = file
        .odd
        .iter()
        .map(|(line, what)| format!("; {line}: {what}"))
        .collect();
    all.join(", ") + &odd.concat()
}

#[test]
fn heredocs_as_buildkit_finds_them() {
    for (text, expected) in [
        ("RUN <<EOF\na\nEOF\nUSER x", "RUN@1 <EOF@2 \"a\\n\", USER@4"),
        (
            "COPY <<-'A B' /x\n\ta\n\tA B\nUSER x",
            "COPY@1 <A B@2 \"a\\n\", USER@4",
        ),
        ("RUN 3<<X cat\nX\r\nUSER x", "RUN@1 <X@2 \"\", USER@3"),
        ("RUN cat << X > y\nX\nUSER x", "RUN@1 <X@2 \"\", USER@3"),
        // Nothing but a word ends the name.
        ("RUN cat <<X>y\nX>y\nUSER x", "RUN@1 <X>y@2 \"\", USER@3"),
        ("RUN echo $((1<<2))\nUSER x", "RUN@1, USER@2"),
        ("RUN echo a<<X\nUSER x", "RUN@1, USER@2"),
        // With a quote or a brace open there is none.
        ("RUN cat <<X && echo it's\nUSER x", "RUN@1, USER@2"),
        ("RUN cat <<X ${a^^}\nUSER x", "RUN@1, USER@2"),
        (
            "RUN [\"<<X\"]\nCMD <<X\nENV A=<<X\nUSER x",
            "RUN@1, CMD@2, ENV@3, USER@4",
        ),
        (
            "ONBUILD COPY <<X /x\nUSER\nX\nUSER x",
            "ONBUILD@1 <X@2 \"USER\\n\", USER@4",
        ),
        ("RUN a \\\n <<X\nX\nUSER x", "RUN@1 <X@3 \"\", USER@4"),
        (
            "RUN <<X\na",
            "RUN@1 <X@2 \"a\\n\"; 1: a heredoc that `X` never ends",
        ),
    ] {
        assert_eq!(shape(text), expected, "{text}");
    }
}

#[test]
fn directives_stand_first_and_once() {
    let syntax = |text: &str| {
        let file = Dockerfile::parse(text);
        (file.syntax, file.escape, file.odd.len())
    };
    let docker = Some("docker/dockerfile:1".to_owned());
    assert_eq!(
        syntax("# syntax=docker/dockerfile:1 x\n# escape = `\n"),
        (docker.clone(), '`', 0)
    );
    assert_eq!(
        syntax("#!/bin/x\n#syntax=docker/dockerfile:1\n# escape=`"),
        (docker, '\\', 0)
    );
    assert_eq!(syntax("# note\n# escape=`\n"), (None, '\\', 0));
    assert_eq!(syntax("# check=skip=all\n\n# escape=`\n"), (None, '\\', 0));
    assert_eq!(syntax("# escape=`\n# escape=\\\n"), (None, '\\', 1));
    assert_eq!(syntax("# escape=x\n"), (None, '\\', 1));
    assert_eq!(
        shape("\u{feff}# c\n \\\n\n # d \\\n FROM x\nRUN a \\\r\n\r\n# c\r\nb\\\\\nUSER \\"),
        "FROM@2, RUN@6, USER@10"
    );
}

#[test]
fn lines_within_an_instruction() {
    let file = Dockerfile::parse(
        "FROM x\nRUN --mount=type=tmpfs,target=/x \\\n  one \\\n  # no\n\n  two \\\n  three\n",
    );
    let run = &file.instructions[1];
    for (word, line) in [("one", 3), ("two", 6), ("three", 7)] {
        assert_eq!(run.line_at(run.text.find(word).unwrap()), line, "{word}");
    }
}

#[test]
fn what_cannot_be_known_is_said_with_its_line() {
    for (text, expected) in [
        ("FROM x\nCOPY a /", &[][..]),
        ("# syntax=docker/dockerfile:1.7-labs\nFROM x", &[]),
        (
            "# syntax=docker.io/docker/dockerfile-upstream:master@sha256:00\nFROM x",
            &[],
        ),
        (
            "# syntax=ghcr.io/acme/front\nFROM x",
            &["1: the frontend `ghcr.io/acme/front`, which may read it in its own way"],
        ),
        (
            "FROM x\nINCLUDE y\nONBUILD NEW x",
            &["2: the instruction `INCLUDE`", "3: the instruction `NEW`"],
        ),
        (
            "FROM x\nCOPY --new=1 a /\nHEALTHCHECK --interval=1s CMD x",
            &["2: `COPY --new`"],
        ),
        (
            "FROM x\nRUN --mount=type=image,source=a x",
            &["2: a mount of type `image`"],
        ),
        ("FROM x\nCOPY ${A^^} /", &["2: `${A^^}`, whose form is not known"]),
        (
            "FROM x\nCOPY $A ${B:?} /\nARG A",
            &[
                "2: `$A` in `$A`, which only the base could have set",
                "2: `$B` in `${B:?}`, which only the base could have set",
            ],
        ),
        (
            "FROM x AS y\nARG A=1\nENV B=1\nFROM y\nCOPY $A $B /\nFROM scratch\nCOPY $C /",
            &[],
        ),
        // An `ARG` that nothing gives a value leaves what the base has set.
        (
            "ARG ALL=1\nARG NONE\nFROM x\nARG ALL\nARG GIVEN\nARG NONE\nARG TARGETARCH\nARG TARGETSTAGE\nCOPY $ALL $GIVEN $TARGETARCH /\n\
             COPY $NONE /\nCOPY $TARGETSTAGE /",
            &[
                "10: `$NONE` in `$NONE`, which only the base could have set",
                "11: `$TARGETSTAGE` in `$TARGETSTAGE`, which only the base could have set",
            ],
        ),
        // Of a stage that hangs on the platform nothing is known, wherever this runs.
        (
            "FROM x AS y-amd64\nENV A=1\nFROM x AS y-arm64\nENV A=1\nFROM y-$TARGETARCH\nCOPY $A /",
            &["6: `$A` in `$A`, which only the base could have set"],
        ),
        (
            "FROM x\nRUN --mount=source=$D,target=/x y",
            &["2: `$D` in `$D`, which only the base could have set"],
        ),
        (
            "FROM x\nCOPY --from=y $A /\nRUN --mount=type=cache,source=$D,target=/x y",
            &[],
        ),
    ] {
        let found: Vec<String> = unclear(&Dockerfile::parse(text), &["GIVEN"])
            .iter()
            .map(|(line, what)| format!("{line}: {what}"))
            .collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn any_text_is_read_in_time_proportional_to_it() {
    let texts = [
        "\\\n".repeat(200_000),
        "RUN <<A\n".repeat(50_000),
        "RUN ".to_owned() + &"<<A ".repeat(50_000),
        "ONBUILD ".repeat(50_000),
        "COPY ".to_owned() + &"[".repeat(100_000),
        "FROM a AS a\n".repeat(3_000),
        "RUN a ${".repeat(50_000),
        "RUN $(".repeat(20_000),
        format!("RUN {}", "\"$(`".repeat(20_000)),
        "\u{feff}\u{a0}\u{2028} RUN \0".repeat(10_000),
    ];
    let started = std::time::Instant::now();
    for text in &texts {
        let file = Dockerfile::parse(text);
        let _ = unclear(&file, &[]);
        let checks = Checks {
            name: camino::Utf8Path::new("Dockerfile"),
            file: &file,
            base: None,
            scope: Scope::default(),
            versions: &[],
            inputs: None,
            context: Context::default(),
        };
        let _ = (floating(&checks), check(&checks));
    }
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}
