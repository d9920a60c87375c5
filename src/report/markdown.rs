//! How a run ended, as Markdown: what `GITHUB_STEP_SUMMARY` shows on the page of a workflow's run.

use super::summary::{image_word, preposition, rows, run_word, smoke_word, subject, time};
use super::text;
use crate::execute::{ImageReport, Report};
use std::fmt::Write as _;

/// The table of image × platform, and what failed.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let (word, _) = run_word(report.outcome);
    let mut text = format!(
        "### {}: {word} {} {}\n\n",
        subject(report, "`"),
        preposition(report.outcome),
        text::seconds(text::duration(report.seconds))
    );
    let (rows, left_out) = rows(report, false);
    if !rows.is_empty() {
        text.push_str(
            "| image | platform | result | test | tags | time |\n| --- | --- | --- | --- | --- | ---: |\n",
        );
        for (image, platform) in rows {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} |",
                image.image,
                platform.platform,
                bold(image_word(platform.outcome).0),
                bold(smoke_word(platform.smoke).0),
                tags(image),
                time(platform.seconds)
            );
        }
    }
    if left_out > 0 {
        let more = text::count(left_out, "platform image", "platform images");
        let _ = writeln!(text, "\n… and {more} more");
    }
    for failure in &report.failures {
        let head = format!(
            "\n**`{}`**: {}\n",
            failure.step,
            escape(&text::clean(&failure.message))
        );
        text.push_str(&head);
        let lines: Vec<String> = failure
            .output
            .iter()
            .flat_map(|line| text::clean_lines(line))
            .collect();
        if !lines.is_empty() {
            // Indented by four, no text can end the block.
            text.push('\n');
            for line in lines {
                let _ = writeln!(text, "    {line}");
            }
        }
        for hint in &failure.hints {
            let _ = writeln!(text, "\n> {}", escape(&text::clean(hint)));
        }
    }
    for warning in &report.warnings {
        let _ = writeln!(text, "\nwarning: {}", escape(&text::clean(warning)));
    }
    text
}

fn bold(word: &str) -> String {
    if word == "failed" {
        format!("**{word}**")
    } else {
        word.to_owned()
    }
}

/// Foreign text in Markdown: nothing of it is a tag, a link or an image. Pairs of backticks stay: messages have them around commands, and
/// between them nothing means anything.
fn escape(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    let paired = parts.len() % 2 == 1 && !text.contains("``");
    let parts: Vec<String> = parts
        .iter()
        .enumerate()
        .map(|(index, part)| {
            if paired && index % 2 == 1 {
                return (*part).to_owned();
            }
            let mut escaped = String::with_capacity(part.len());
            for character in part.chars() {
                match character {
                    '&' => escaped.push_str("&amp;"),
                    '<' => escaped.push_str("&lt;"),
                    '\\' | '[' | ']' | '*' | '_' | '|' | '#' => escaped.extend(['\\', character]),
                    character => escaped.push(character),
                }
            }
            escaped
        })
        .collect();
    parts.join(if paired { "`" } else { "\\`" })
}

/// Release tags that stand, then aliases.
fn tags(image: &ImageReport) -> String {
    let tags = image.tags.iter().chain(&image.aliases);
    let tags: Vec<String> = tags.map(ToString::to_string).collect();
    tags.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn as_markdown() {
        insta::assert_snapshot!(markdown(&fixture::failed()), @r"
        ### release v1.2.3 of `docker.io/acme/devbox`: failed after 1m15s

        | image | platform | result | test | tags | time |
        | --- | --- | --- | --- | --- | ---: |
        | base | linux/amd64 | reused | not tested |  | - |
        | base | linux/arm64 | reused | not tested |  | - |
        | variant/omos | linux/amd64 | reused | passed before |  | - |
        | variant/omos | linux/arm64 | built | **failed** |  | 1m12s |

        **`smoke/variant/omos/linux-arm64`**: `scripts/smoke-test.sh --variant omos` ended with 1

            ok: node
            ::error::not ok: omos

        > the whole output is in `smoke-omos.log`

        > look inside: `docker run -it --rm --platform linux/arm64 docker.io/acme/devbox@sha256:…`
        ");
    }

    #[test]
    fn foreign_text_is_no_markup() {
        assert_eq!(
            escape("see <b>[x](y)</b> and `a < b [1]`"),
            "see &lt;b>\\[x\\](y)&lt;/b> and `a < b [1]`"
        );
        assert_eq!(escape("odd ` and <b>"), "odd \\` and &lt;b>");
    }
}
