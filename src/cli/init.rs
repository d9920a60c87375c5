//! `init`: writes a family to start from.

use super::args::{FILE, InitArgs};
use super::failure::Failure;
use super::session::Session;
use crate::domain::{ExitCode, Platform, Repository, VariantName};
use crate::init::{self, Adopted, Answers, BASE, FAMILY, IGNORE, MOTD, NewFile, SMOKE, VARIANT};
use serde_json::json;
use std::fmt::Display;
use std::io::IsTerminal as _;
use std::path::Path;
use std::str::FromStr;

pub(super) async fn run(session: &Session, args: InitArgs) -> Result<ExitCode, Failure> {
    if session.global.file != FILE {
        return Err(Failure::new(
            ExitCode::Usage,
            "`init` writes `variants.toml`, and `--file` names another file",
        )
        .hint("leave `--file` out; the folder is named without a flag: `splitbase init DIR`"));
    }
    let folder = session.environment.directory().join(&args.dir);
    refuse_what_is_there(&folder)?;
    let adopted = adopt(&folder)?;
    let answers = answers(session, &args, &folder, adopted.as_ref()).await?;
    let (files, kept): (Vec<NewFile>, Vec<&str>) = match &adopted {
        None => (init::files(&answers), Vec::new()),
        Some(adopted) => {
            let kept = init::existing(&folder, [BASE, VARIANT, SMOKE, IGNORE]);
            let mut files = init::files_beside(&answers, adopted);
            files.retain(|file| !kept.contains(&file.path));
            (files, kept)
        }
    };
    init::write(&folder, &files).map_err(|error| {
        Failure::new(ExitCode::Failed, error.to_string())
            .hint("nothing was written; see whether the folder can be written to")
    })?;
    tell(session, &args, &answers, adopted.as_ref(), &files, &kept)?;
    Ok(ExitCode::Done)
}

/// What the Dockerfiles say that are there already, if both are.
#[expect(
    clippy::disallowed_methods,
    reason = "Dockerfiles of the folder that was named, read once"
)]
fn adopt(folder: &Path) -> Result<Option<Adopted>, Failure> {
    if init::existing(folder, [BASE, VARIANT]).len() < 2 {
        return Ok(None);
    }
    let read = |name: &str| {
        std::fs::read_to_string(folder.join(name))
            .map_err(|error| Failure::new(ExitCode::Usage, format!("read `{name}`: {error}")))
    };
    let smoke = std::fs::read_to_string(folder.join(SMOKE)).ok();
    Ok(Some(Adopted::read(
        &read(BASE)?,
        &read(VARIANT)?,
        smoke.as_deref(),
    )))
}

/// Nothing is ever overwritten: all that stands in the way is told at once, and nothing written. Two Dockerfiles without a family stand for one
/// that is to be taken over.
fn refuse_what_is_there(folder: &Path) -> Result<(), Failure> {
    let mut there = init::existing(folder, [IGNORE, BASE, VARIANT, MOTD, SMOKE, FAMILY]);
    let is_family = there.contains(&FAMILY);
    if there.is_empty() || (!is_family && there.contains(&BASE) && there.contains(&VARIANT)) {
        return Ok(());
    }
    there.sort_unstable();
    let message = format!("not overwritten, so nothing was written: {}", there.join(", "));
    let failure = Failure::new(ExitCode::Usage, message);
    Err(if is_family {
        failure.hint("this is a family already: `splitbase plan` says what a release of it would do")
    } else {
        failure.hint(format!(
            "move them away, or name another folder: `splitbase init DIR`; only where both `{BASE}` and `{VARIANT}` are there, they are used as they are"
        ))
    })
}

/// Flags, answers of a person at a terminal, defaults: in this order.
async fn answers(
    session: &Session,
    args: &InitArgs,
    folder: &Path,
    adopted: Option<&Adopted>,
) -> Result<Answers, Failure> {
    let global = &session.global;
    let told = args.name.is_some()
        || args.base_image.is_some()
        || global.repository.is_some()
        || !global.platforms.is_empty()
        || !global.variants.is_empty();
    let asks = !told
        && !session.is_json()
        && !global.quiet
        && !session.environment.flag("CI")
        && std::io::stdin().is_terminal()
        && std::io::stderr().is_terminal();
    let questions = Questions { session, asks };
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let named = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = args
        .name
        .clone()
        .unwrap_or_else(|| init::name(&named.unwrap_or_default()));
    let name = questions.ask("name of the family", name).await?;
    let repository = match &global.repository {
        Some(repository) => repository.clone(),
        None => suggested(session, &folder, &name).await?,
    };
    let repository = questions
        .ask("repository that its tags go to", repository)
        .await?;
    let platforms = if global.platforms.is_empty() {
        usual_platforms()
    } else {
        global.platforms.clone()
    };
    let platforms = questions.ask("platforms", List(platforms)).await?.0;
    let variants = match adopted {
        _ if !global.variants.is_empty() => global.variants.clone(),
        Some(adopted) => adopted.variants(),
        None => ["base", "extra"]
            .iter()
            .filter_map(|name| name.parse().ok())
            .collect(),
    };
    let variants = questions.ask("variants", List(variants)).await?.0;
    let base_image = args.base_image.clone().unwrap_or_default();
    let base_image = match adopted {
        // Its Dockerfile says so already.
        Some(_) => base_image,
        None => {
            questions
                .ask("image that the base is built from", base_image)
                .await?
        }
    };
    Ok(Answers {
        name,
        repository,
        platforms: once(platforms),
        variants: once(variants),
        base_image,
    })
}

fn usual_platforms() -> Vec<Platform> {
    ["linux/amd64", "linux/arm64"]
        .iter()
        .filter_map(|platform| platform.parse().ok())
        .collect()
}

async fn suggested(session: &Session, folder: &Path, name: &VariantName) -> Result<Repository, Failure> {
    let folder = folder
        .ancestors()
        .find(|folder| folder.is_dir())
        .unwrap_or(folder);
    init::repository(folder, name, &session.environment.for_children(), &session.cancel)
        .await
        .ok_or_else(|| {
            Failure::new(ExitCode::Usage, "no repository was named").hint("name one with `--repository`")
        })
}

/// Each once, in their order.
fn once<T: PartialEq>(values: Vec<T>) -> Vec<T> {
    let mut kept: Vec<T> = Vec::new();
    for value in values {
        if !kept.contains(&value) {
            kept.push(value);
        }
    }
    kept
}

/// Values with commas or blanks between them.
struct List<T>(Vec<T>);

impl<T: Display> Display for List<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let values: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&values.join(", "))
    }
}

impl<T: FromStr> FromStr for List<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words = text.split([',', ' ']).filter(|word| !word.is_empty());
        words.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

/// Asks a person, where there is one.
struct Questions<'a> {
    session: &'a Session,
    asks: bool,
}

impl Questions<'_> {
    /// Asks until the answer can be read; an empty one is the default.
    async fn ask<T: Display + FromStr<Err: Display>>(&self, what: &str, default: T) -> Result<T, Failure> {
        if !self.asks {
            return Ok(default);
        }
        loop {
            self.session.stderr.write(&format!("{what} [{default}]: "));
            let (sender, receiver) = tokio::sync::oneshot::channel();
            // A thread of its own: one of tokio's would be waited for at the end, and nobody may ever answer.
            std::thread::spawn(move || {
                let mut line = String::new();
                let read = std::io::stdin().read_line(&mut line);
                let _ = sender.send(read.map(|length| (length, line)));
            });
            let answer = tokio::select! {
                answer = receiver => answer,
                () = self.session.cancel.cancelled() => {
                    self.session.stderr.line("");
                    return Err(Failure::new(ExitCode::Interrupted, "interrupted").hint("nothing was written"));
                }
            };
            let (length, line) = match answer {
                Ok(Ok(read)) => read,
                _ => (0, String::new()),
            };
            let line = line.trim();
            if length == 0 {
                self.session.stderr.line("");
            }
            if line.is_empty() {
                return Ok(default);
            }
            match line.parse() {
                Ok(value) => return Ok(value),
                Err(error) => self.session.stderr.line(&error.to_string()),
            }
        }
    }
}

/// What was written, and what to do next.
fn tell(
    session: &Session,
    args: &InitArgs,
    answers: &Answers,
    adopted: Option<&Adopted>,
    files: &[NewFile],
    kept: &[&str],
) -> Result<(), Failure> {
    let written: Vec<&str> = files.iter().map(|file| file.path).collect();
    let floating: Vec<&str> = adopted
        .iter()
        .flat_map(|adopted| &adopted.floating)
        .map(|(name, _)| name.as_str())
        .collect();
    if session.is_json() {
        return session.json(&json!({
            "schema": 1,
            "directory": args.dir,
            "name": answers.name,
            "repository": answers.repository,
            "written": written,
            "kept": kept,
            "floating": floating,
        }));
    }
    let out = &session.stdout;
    let shown = |path: &str| match args.dir.as_str() {
        "." => path.to_owned(),
        dir => camino::Utf8Path::new(dir).join(path).into_string(),
    };
    for path in written {
        out.line(&format!("wrote  {}", shown(path)));
    }
    for path in kept {
        out.line(&format!("kept   {}", shown(path)));
    }
    if adopted.is_some() && args.base_image.is_some() {
        session.warn(&format!(
            "--base-image has no effect: `{BASE}` is there already, and is used as it is"
        ));
    }
    if let Some(adopted) = adopted {
        session.note(&format!(
            "`{BASE}` and `{VARIANT}` were there already: variants.toml is written for them, and they are used as they are"
        ));
        if adopted.base_inputs.is_none() || adopted.variant_inputs.is_none() {
            session.note("what a Dockerfile copies is not clear from its text, so its whole context counts: narrow it with `inputs`");
        }
        if !floating.is_empty() {
            session.note(&format!(
                "these build arguments float, and need a source in `[versions]` before a release: {}",
                floating.join(", ")
            ));
        }
    }
    out.line("");
    out.line("next:");
    if args.dir != "." {
        out.line(&format!("  cd {}", shell(args.dir.as_str())));
    }
    for (command, what) in [
        (
            "splitbase doctor",
            "see whether engine, emulation and registry are ready",
        ),
        ("splitbase plan v0.1.0", "see what a release would do, and why"),
        ("splitbase validate", "build and test it here, publishing nothing"),
        ("splitbase release v0.1.0", "build, test and publish it"),
    ] {
        out.line(&format!("  {command:26}{what}"));
    }
    if answers.repository.host() == "localhost:5000" {
        out.line("");
        out.line("Tags go to a registry on this machine. Start one, or set `repository` in variants.toml:");
        out.line("  docker run -d -p 127.0.0.1:5000:5000 registry:2");
    }
    Ok(())
}

fn shell(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), std::borrow::Cow::into_owned)
}
