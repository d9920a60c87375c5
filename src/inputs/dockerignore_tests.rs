use super::*;
use crate::inputs::ignore_pattern::shape_and_regexp;
use proptest::prelude::*;

fn parsed(lines: &[String]) -> Result<Dockerignore, BadPattern> {
    Dockerignore::parse(lines.join("\n"))
}

/// See the head of that file.
#[test]
fn the_table_of_cases() {
    let mut counts = std::collections::BTreeMap::new();
    for line in include_str!("dockerignore_cases.txt").lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let case: Vec<String> = serde_json::from_str(line).unwrap();
        let [verdict, subject, lines @ ..] = &case[..] else {
            panic!("{line}")
        };
        *counts.entry(verdict.clone()).or_insert(0) += 1;
        match verdict.as_str() {
            "in" | "out" => {
                let rules = parsed(lines).unwrap_or_else(|bad| panic!("{bad:?}: {line}"));
                assert_eq!(rules.ignores(subject), verdict == "out", "{line}");
                assert_eq!(rules.line_for(subject).is_some(), verdict == "out", "{line}");
            }
            "bad" => assert!(parsed(lines).is_err(), "{line}"),
            shape => {
                let (found, regexp) = shape_and_regexp(&lines[0]);
                assert_eq!(found, shape, "{line}");
                assert!(found != "regexp" || regexp == *subject, "{regexp}: {line}");
            }
        }
    }
    assert!(
        counts["in"] > 130 && counts["out"] > 220 && counts["bad"] > 30,
        "{counts:?}"
    );
    assert_eq!(
        counts["exact"] + counts["prefix"] + counts["suffix"] + counts["regexp"],
        21
    );
}

#[test]
fn malformed_lines_are_named() {
    let long = format!("a\n{}", "x".repeat(64 * 1024));
    for (text, line) in [
        ("!", 1),
        ("a\n\n! ", 3),
        ("[", 1),
        ("a[", 1),
        ("[^bc", 1),
        ("# [\r\n[b-a]", 2),
        ("ok\n\\", 2),
        ("ok\nbin\\yes", 2),
        (&long, 2),
    ] {
        let bad = Dockerignore::parse(text).unwrap_err();
        assert_eq!(bad.line, line, "{text:?}");
        assert!(bad.text.len() <= 80, "{text:?}");
    }
    assert!(Dockerignore::parse(&long[..long.len() - 1]).is_ok());
}

#[test]
fn bytes_that_are_no_text_stand_for_themselves_each() {
    let ignore = Dockerignore::parse(b"# Gr\xf6\xdfe\nb\xe4h\n\xff\xfe?\n").unwrap();
    assert!(ignore.ignores("b\u{fffd}h") && ignore.ignores("\u{fffd}\u{fffd}x"));
    assert!(!ignore.ignores("bah"));
}

#[test]
fn the_line_that_keeps_out_is_known() {
    let ignore = Dockerignore::parse("# x\n*.md\nrootfs\n!rootfs/a\n!c/*/**\nc\n").unwrap();
    assert_eq!(ignore.line_for("rootfs/etc"), Some(3));
    assert_eq!(ignore.line_for("rootfs/a"), None);
    assert_eq!(ignore.line_for("src"), None);
    assert_eq!(ignore.line_for("c/d/e"), Some(6));
}

/// BuildKit asks for the content of a file by another way through the rules, and sends none where that keeps out the file.
#[test]
fn what_arrives_empty() {
    for (lines, path, expected) in [
        ("a\n!a/c\na", "a/c", Some(3)),
        ("a\n!a/c\na", "a/d", None),
        ("*\n!a\n**/b\n!a/b/c\n!x\n", "a/b/c", None),
        ("*\n!a/b\na/b\n", "a/b", None),
        ("a/**\n!a/c/d\na/**\n", "a/c/d", None),
        ("*\n!a/b\na\n", "a/b", Some(3)),
        ("*\n!a/b\n", "a/b", None),
    ] {
        let ignore = Dockerignore::parse(lines).unwrap();
        assert_eq!(ignore.empties(path), expected, "{lines:?} {path}");
        assert!(expected.is_none() || !ignore.ignores(path), "{lines:?} {path}");
    }
}

#[test]
fn long_patterns_take_no_exponential_time() {
    let ignore =
        Dockerignore::parse(format!("{}\n{}", "a*".repeat(60) + "c", "**/a".repeat(40) + "c")).unwrap();
    assert!(!ignore.ignores(&("a".repeat(3000) + "b")));
    assert!(!ignore.ignores(&format!("{}b", "b/a/".repeat(300))));
}

/// What the rules mean, told as plainly and slowly as possible. Of patterns it knows letters, `*`, `?`, `**`, `\` before a sign, and `[…]` of single
/// characters and ranges.
mod reference {
    /// `text` as the characters that the pattern must be followed by.
    pub(super) fn glob(pattern: &[char], text: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['*', '*', rest @ ..] => {
                let rest = rest.strip_prefix(&['/']).unwrap_or(rest);
                // At the end: anything. Elsewhere: nothing, or anything that ends with a slash.
                rest.is_empty()
                    || glob(rest, text)
                    || (0..text.len()).any(|at| text[at] == '/' && glob(rest, &text[at + 1..]))
            }
            ['*', rest @ ..] => {
                glob(rest, text) || text.first().is_some_and(|char| *char != '/') && glob(pattern, &text[1..])
            }
            ['?', rest @ ..] => text.first().is_some_and(|char| *char != '/') && glob(rest, &text[1..]),
            ['[', rest @ ..] => {
                let end = rest.iter().position(|char| *char == ']').unwrap();
                let (negated, mut class) = match &rest[..end] {
                    ['^', class @ ..] => (true, class),
                    class => (false, class),
                };
                let Some(char) = text.first() else { return false };
                let mut inside = false;
                while let [low, more @ ..] = class {
                    class = more;
                    let mut high = low;
                    if let ['-', to, more @ ..] = class {
                        (high, class) = (to, more);
                    }
                    inside |= low <= char && char <= high;
                }
                inside != negated && glob(&rest[end + 1..], &text[1..])
            }
            ['\\', char, rest @ ..] | [char, rest @ ..] => {
                text.first() == Some(char) && glob(rest, &text[1..])
            }
        }
    }

    /// `**` before plain text is the one accident in here: then it need not end with a slash.
    pub(super) fn matches(pattern: &str, path: &str) -> bool {
        let plain = |text: &str| !text.contains(['*', '?', '[', '\\']);
        if let Some(end) = pattern.strip_prefix("**").filter(|rest| plain(rest)) {
            return path.ends_with(end) || end.strip_prefix('/') == Some(path);
        }
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        glob(&chars(pattern), &chars(path))
    }

    /// Whether each line, up to this one, was found to match the path: by itself, or by the folder.
    fn found(lines: &[(bool, &str)], path: &str) -> Vec<bool> {
        let above = path.rsplit_once('/').map(|(folder, _)| found(lines, folder));
        let mut found = Vec::new();
        for (at, (exception, pattern)) in lines.iter().enumerate() {
            let inherited = above.as_ref().is_some_and(|above| above[at]);
            // A line is asked only if it could change what the lines before it say.
            let asked = kept_out(lines, &found) == *exception;
            found.push(inherited || asked && matches(pattern, path));
        }
        found
    }

    fn kept_out(lines: &[(bool, &str)], found: &[bool]) -> bool {
        let last = (0..found.len()).rfind(|&at| found[at]);
        last.is_some_and(|at| !lines[at].0)
    }

    /// Whether BuildKit does not look into a folder that is kept out.
    fn passed_over(lines: &[(bool, &str)], folder: &str) -> bool {
        let exceptions = lines.iter().filter(|(exception, _)| *exception);
        let stems: Vec<&str> = exceptions
            .map(|(_, pattern)| {
                let pattern = pattern.strip_suffix("/**").unwrap_or(pattern);
                pattern.strip_suffix("/*").unwrap_or(pattern)
            })
            .collect();
        let vague = stems
            .iter()
            .any(|stem| stem.contains(['*', '?', '[', ']', '^', '\\']));
        let leads = |stem: &&str| **stem == *folder || stem.starts_with(&format!("{folder}/"));
        !vague && !stems.iter().any(leads)
    }

    /// `lines`: whether it is an exception, and its pattern, tidied up.
    pub(super) fn ignores(lines: &[(bool, &str)], path: &str) -> bool {
        let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
        let kept_out = |path: &str| kept_out(lines, &found(lines, path));
        kept_out(path)
            || folders
                .into_iter()
                .any(|folder| kept_out(folder) && passed_over(lines, folder))
    }
}

/// Patterns of which the reference knows all, built of few letters, so that they meet paths often.
fn pattern() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "a", "b", "ab", ".b", "é", "*", "?", "a*", "*b", "?b", "[ab]", "[^a]", "[a-b]*", "[^é-ü]", "\\*",
        "\\[a", "a\\?", "**", "a**", "**b", "a**b", "x y",
    ]);
    prop::collection::vec(part, 1..4).prop_map(|parts| parts.join("/"))
}

/// Patterns that seem to lead to one place, for which folders are passed over.
fn plain_pattern() -> impl Strategy<Value = String> {
    "(a|b|ab)(/(a|b))?(/\\*)?(/\\*\\*)?"
}

/// Whether each is an exception, and its pattern, as lines.
fn text_of<'a>(lines: impl Iterator<Item = (bool, &'a str)>) -> String {
    let lines = lines.flat_map(|(exception, pattern)| [if exception { "!" } else { "" }, pattern, "\n"]);
    lines.collect()
}

fn path() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "a", "b", "ab", "ba", "aab", ".b", "é", "*", "[a", "a?", "x y", "c",
    ]);
    prop::collection::vec(name, 1..5).prop_map(|names| names.join("/"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn the_same_as_the_slow_reference(
        lines in prop_oneof![
            3 => prop::collection::vec((any::<bool>(), pattern()), 1..6),
            1 => prop::collection::vec((any::<bool>(), plain_pattern()), 1..4),
        ],
        star in any::<bool>(),
        path in path(),
    ) {
        let mut lines: Vec<(bool, &str)> = lines.iter().map(|(exception, pattern)| (*exception, pattern.as_str())).collect();
        if star {
            lines.insert(0, (false, "*"));
        }
        let text = text_of(lines.iter().copied());
        let ours = Dockerignore::parse(&text).unwrap();
        prop_assert_eq!(ours.ignores(&path), reference::ignores(&lines, &path), "{:?} {:?}", text, path);
        for (_, pattern) in &lines {
            let alone = IgnorePattern::new(pattern).unwrap();
            prop_assert_eq!(alone.matches(&path), reference::matches(pattern, &path), "{:?} {:?}", pattern, path);
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// How a pattern is written makes no difference: spaces around it, `/` before or behind it, `.` and `..` in it, how lines end, what stands between them.
    #[test]
    fn the_same_however_it_is_written(
        lines in prop::collection::vec((any::<bool>(), pattern(), 0..8), 1..5),
        crlf in any::<bool>(),
        path in path(),
    ) {
        let (mut plain, mut other) = (String::new(), "\u{feff}# first\n".to_owned());
        for (exception, pattern, way) in lines {
            let mark = if exception { "!" } else { "" };
            plain += &text_of([(exception, pattern.as_str())].into_iter());
            let written = match way {
                0 => format!("  {mark}{pattern}\t \n"),
                1 => format!("{mark}/{pattern}\n"),
                2 => format!("{mark}{pattern}/\n"),
                3 => format!("{mark}./{pattern}\n"),
                4 => format!("{mark}z/..//{pattern}/.\n"),
                5 => format!("{mark} \t{pattern}\n"),
                6 => format!("\n#{mark}{pattern}\n \t\n{mark}{pattern}\n"),
                _ => format!("{mark}../{pattern}\n{mark}{pattern}\n"),
            };
            other += &written;
        }
        if crlf {
            other = other.replace('\n', "\r\n");
        }
        let (plain, other) = (Dockerignore::parse(plain).unwrap(), Dockerignore::parse(&other).unwrap());
        prop_assert_eq!(plain.ignores(&path), other.ignores(&path));
    }

    /// Nothing that could come to lie in a folder is let through where that is said.
    #[test]
    fn what_is_ignored_as_a_whole_is(lines in prop::collection::vec((any::<bool>(), pattern()), 1..6), path in path()) {
        let text = text_of(lines.iter().map(|(exception, pattern)| (*exception, pattern.as_str())));
        let ignore = Dockerignore::parse(&text).unwrap();
        for (at, _) in path.match_indices('/') {
            if ignore.ignores_all_of(&path[..at]) {
                prop_assert!(ignore.ignores(&path), "{:?} {} {}", text, &path[..at], path);
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[a-c!*?\\[\\]\\\\^|{}0-9,/ \n#QEdpxé:-]{0,24}", path in "[a-c*.]{1,5}(/[a-c]{1,3}){0,3}") {
        if let Ok(ignore) = Dockerignore::parse(&text) {
            let _ = ignore.ignores(&path);
        }
    }
}
