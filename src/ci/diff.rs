//! Two short texts, line by line.

use std::fmt::Write as _;

/// How many equal lines are shown around what differs.
const CONTEXT: usize = 2;

/// What has to be done to `found` to make it `wanted`: lines with `-` and `+`, and a few equal ones around them.
///
/// Time and memory grow with the product of the numbers of lines: for files of a few hundred.
#[must_use]
#[expect(
    clippy::indexing_slicing,
    reason = "`i` and `j` are below the numbers of lines where a line is looked at, and the table has one row and one column more"
)]
pub fn diff(found: &str, wanted: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (found.lines().collect(), wanted.lines().collect());
    // The longest common subsequence of what remains after each pair of places.
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push((' ', old[i]));
            (i, j) = (i + 1, j + 1);
        } else if i < old.len() && (j == new.len() || common[i + 1][j] >= common[i][j + 1]) {
            lines.push(('-', old[i]));
            i += 1;
        } else {
            lines.push(('+', new[j]));
            j += 1;
        }
    }
    show(&lines)
}

fn show(lines: &[(char, &str)]) -> String {
    let mut text = String::new();
    let mut left_out = false;
    for (at, (sign, line)) in lines.iter().enumerate() {
        let from = at.saturating_sub(CONTEXT);
        let to = (at + CONTEXT + 1).min(lines.len());
        if lines.iter().take(to).skip(from).all(|(sign, _)| *sign == ' ') {
            left_out = true;
            continue;
        }
        if std::mem::take(&mut left_out) {
            text.push_str("…\n");
        }
        let _ = writeln!(text, "{sign}{line}");
    }
    text
}
