//! No text makes loading panic, and every place lies in its file.

use super::{example, parsed};
use crate::config::render_all;
use proptest::prelude::*;

fn check(text: &str) {
    let problems = match parsed(text) {
        Ok(loaded) => loaded.warnings,
        Err(errors) => {
            assert!(!errors.problems.is_empty(), "refused without a reason:\n{text}");
            errors.problems
        }
    };
    let lines = text.split('\n').count();
    for place in problems.iter().filter_map(|problem| problem.place.as_ref()) {
        assert!((1..=lines).contains(&place.line), "{place:?}");
        let end = place.column - 1 + place.length;
        // One behind the end is where something is missing.
        assert!(
            place.column >= 1 && end <= place.text.chars().count() + 2,
            "{place:?}"
        );
    }
    let starts: Vec<_> = problems
        .iter()
        .map(|problem| problem.place.as_ref().map(|place| (place.line, place.column)))
        .collect();
    assert!(starts.is_sorted(), "{starts:?}");
    assert!(render_all(&problems, true).is_empty() == problems.is_empty());
}

/// A piece of text put in the place of another.
fn edit() -> impl Strategy<Value = (prop::sample::Index, usize, String)> {
    let piece = prop_oneof![
        "[\\[\\]{}=\",'#\\n. ]{0,3}",
        "\\PC{0,4}",
        Just("\u{0}\u{1b}\r\n\t".to_owned()),
        Just("[[variants]]\n".to_owned()),
        Just("漢\u{200b}é".to_owned()),
        Just("{version}".to_owned()),
        Just("\"\"\"".to_owned()),
        Just("\u{feff}".to_owned()),
    ];
    (any::<prop::sample::Index>(), 0usize..12, piece)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn edited_files(edits in prop::collection::vec(edit(), 1..6)) {
        let mut characters: Vec<char> = example().chars().collect();
        for (at, removed, piece) in edits {
            let at = at.index(characters.len() + 1);
            let end = (at + removed).min(characters.len());
            characters.splice(at..end, piece.chars());
        }
        check(&characters.into_iter().collect::<String>());
    }

    #[test]
    fn files_cut_off(at in any::<prop::sample::Index>()) {
        let characters: Vec<char> = example().chars().collect();
        check(&characters[..at.index(characters.len())].iter().collect::<String>());
    }

    #[test]
    fn lines_left_out(keep in prop::collection::vec(prop::bool::weighted(0.8), 83)) {
        let text = example();
        let lines = text.lines().zip(keep).filter(|(_, keep)| *keep).map(|(line, _)| format!("{line}\n"));
        check(&lines.collect::<String>());
    }

    #[test]
    fn any_text(text in "\\PC{0,200}") {
        check(&text);
    }
}

#[test]
fn marks_at_the_start_and_ends_of_lines() {
    for text in [
        "",
        "\n",
        "\u{feff}schema = 2",
        "schema = 1\r\nx = 1\r\n",
        "a = [[[[",
        "x.y.z = 1",
        "\u{feff}",
    ] {
        check(text);
    }
    let deep = format!("a = {}", "[".repeat(500));
    check(&deep);
}
