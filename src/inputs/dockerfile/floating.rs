//! What a Dockerfile fetches that means something else tomorrow: tags, URLs, and packages without a version.
//!
//! Only what surely floats is told. A word that holds a variable is not: `[versions]` or an `ARG` pins it.

use super::check::{Checks, Problem, floats, sorted};
use super::expand::Variables;
use super::fetches::{Finding, fetches, floating_url, git_url_floats, shown};
use super::parse::Instruction;
use super::references::references;
use super::shell::{Command, commands, is_shell};
use super::sources::{is_remote, local_words};
use super::stages::{Base, Stage, stages};
use crate::domain::Platform;

/// All that floats in what the build of the target carries out, sorted by line.
#[must_use]
pub fn floating(checks: &Checks<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let native = Platform::native();
    let platform = checks.scope.platforms.first().unwrap_or(&native);
    let stages = stages(checks.file, &checks.scope, Some(platform));
    images(checks, &mut problems);
    let mut ends: Vec<Shell> = Vec::new();
    for stage in &stages {
        let handed_on = match stage.base {
            Base::Stage(at) => ends.get(at).cloned(),
            _ => None,
        };
        let mut shell = handed_on.unwrap_or_default();
        if stage.reached {
            of_stage(checks, stage, &mut shell, &mut problems);
        }
        ends.push(shell);
    }
    sorted(problems)
}

/// What a stage hands on to those that are built on it.
#[derive(Clone, Default)]
struct Shell {
    variables: Variables,
    /// `SHELL` names something that is not read here.
    other: bool,
}

fn images(checks: &Checks<'_>, problems: &mut Vec<Problem>) {
    if let Some(frontend) = &checks.file.syntax {
        let line = Some(checks.file.syntax_line);
        problems.extend(floating_image(frontend).map(|(message, hint)| checks.problem(line, message, hint)));
    }
    for reference in references(checks.file, &checks.scope).external {
        let told = floating_image(&reference.image).filter(|_| reference.reached);
        let at = (reference.line, reference.of_base);
        problems.extend(told.map(|(message, hint)| checks.problem(at, message, hint)));
    }
}

/// What is said of an image whose tag means something else tomorrow, and how it is mended.
fn floating_image(image: &str) -> Option<(String, String)> {
    if image.contains('@') {
        return None;
    }
    let name = image.rsplit('/').next().unwrap_or_default();
    let (message, image) = match name.rsplit_once(':') {
        None => (
            format!("`{image}` has no tag, and so is `latest`: another version at any time"),
            image,
        ),
        Some((_, tag)) if floats(tag) => (
            format!("`{image}` floats: another version at any time"),
            image.rsplit_once(':').map_or(image, |(name, _)| name),
        ),
        Some(_) => return None,
    };
    Some((message, format!("name a version: `{image}:VERSION`, or a digest")))
}

fn of_stage(checks: &Checks<'_>, stage: &Stage<'_>, shell: &mut Shell, problems: &mut Vec<Problem>) {
    // A clone is settled by what a later command checks out.
    let mut clones: Vec<((usize, bool), Finding)> = Vec::new();
    for instruction in &stage.commands {
        match instruction.keyword.as_str() {
            "ENV" => {
                let plain = instruction.pairs().into_iter().map(|(name, value)| {
                    let value = value.trim_matches(['"', '\'']).to_owned();
                    (name, value)
                });
                shell
                    .variables
                    .extend(plain.filter(|(_, value)| !value.contains('$')));
            }
            // What a build is given is pinned elsewhere.
            "ARG" => {
                for word in instruction.words() {
                    shell.variables.remove(super::references::declared(&word).0);
                }
            }
            "SHELL" => {
                let words = instruction.json().unwrap_or_default();
                let program = words.first().map(String::as_str).unwrap_or_default();
                shell.other = !is_shell(program.rsplit('/').next().unwrap_or(program));
            }
            "ADD" => added(checks, instruction, problems),
            "RUN" if !shell.other || instruction.json().is_some() => {
                for (line, command) in run(instruction, &shell.variables) {
                    if checks_out(&command) {
                        clones.clear();
                    }
                    for finding in fetches(&command) {
                        if finding.is_clone {
                            clones.push(((line, instruction.of_base), finding));
                        } else {
                            problems.push(checks.problem(
                                (line, instruction.of_base),
                                finding.message,
                                finding.hint,
                            ));
                        }
                    }
                }
            }
            _ => {}
        }
    }
    let clones = clones.into_iter();
    problems.extend(clones.map(|(at, finding)| checks.problem(at, finding.message, finding.hint)));
}

fn added(checks: &Checks<'_>, instruction: &Instruction, problems: &mut Vec<Problem>) {
    if instruction.flag("checksum").is_some() {
        return;
    }
    for word in local_words(instruction).iter().filter(|word| is_remote(word)) {
        let path = shown(word);
        let is_git = !path.starts_with("http") || path.strip_suffix(".git").is_some();
        if is_git && git_url_floats(word) {
            problems.push(checks.problem(
                instruction,
                format!("`ADD` takes whatever `{path}` holds at the moment"),
                format!("name a commit: `{path}#COMMIT`"),
            ));
        } else if !is_git && floating_url(word) {
            problems.push(checks.problem(
                instruction,
                format!("`ADD {path}` takes another version at any time"),
                "name a version in the URL, and `--checksum`".to_owned(),
            ));
        }
    }
}

/// The commands of a `RUN`, each with its line.
fn run(instruction: &Instruction, variables: &Variables) -> Vec<(usize, Command)> {
    if let Some(words) = instruction.json() {
        let quoted = words
            .iter()
            .map(|word| format!("'{}'", word.replace('\'', "'\\''")));
        let text = quoted.collect::<Vec<_>>().join(" ");
        let all = commands(&text, variables).into_iter();
        return all.map(|command| (instruction.line, command)).collect();
    }
    let mut found: Vec<(usize, Command)> = commands(&instruction.text, variables)
        .into_iter()
        .map(|command| (instruction.line_at(command.at), command))
        .collect();
    // What a shell reads is a script; what another program reads is its own affair.
    let scripts = found
        .iter()
        .all(|(_, command)| is_shell(command.program()) && command.words.len() <= 2);
    for heredoc in instruction.heredocs.iter().filter(|_| scripts) {
        let body = heredoc.text();
        let program = body
            .strip_prefix("#!")
            .map(|rest| rest.lines().next().unwrap_or_default());
        let other = program.is_some_and(|program| {
            let mut words = program
                .split_whitespace()
                .filter_map(|word| word.rsplit('/').next());
            !words.any(is_shell)
        });
        if other {
            continue;
        }
        let starts: Vec<usize> = body.match_indices('\n').map(|(at, _)| at).collect();
        found.extend(commands(&body, variables).into_iter().map(|command| {
            let line = heredoc.line + starts.partition_point(|at| *at < command.at);
            (line, command)
        }));
    }
    found
}

/// Whether a command of git goes to a certain commit or tag, or to what a variable says.
fn checks_out(command: &Command) -> bool {
    if command.program() != "git" {
        return false;
    }
    let does = |word: &String| matches!(word.as_str(), "checkout" | "reset" | "switch");
    let Some(at) = command.words.iter().position(does) else {
        return false;
    };
    let rest = command.words.get(at + 1..).unwrap_or_default();
    // A new branch is at whatever is there.
    if rest
        .iter()
        .any(|word| matches!(word.as_str(), "-b" | "-B" | "-c" | "-C"))
    {
        return false;
    }
    rest.iter()
        .any(|word| !word.starts_with('-') && !floats(word) && word != "." && word != "FETCH_HEAD")
}
