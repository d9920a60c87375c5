//! Whether a folder that this program writes to would be an input itself.

use super::error::InputError;
use super::pattern::clean;
use super::request::{IgnoreFile, Request};
use camino::Utf8Path;
use std::path::{Path, PathBuf};

/// The ignore file that would have to keep `folder` (an absolute path, which need not be there) out of the inputs of an image, and the
/// line that does it. `None` where it is none of them.
///
/// # Errors
/// An ignore file cannot be read.
pub fn reached(request: &Request<'_>, folder: &Path) -> Result<Option<(String, String)>, InputError> {
    let folder = real(folder);
    let within = |context: &Utf8Path| -> Option<String> {
        let context = real(request.root.join(context).as_std_path());
        let inside = folder.strip_prefix(context).ok()?.to_str()?;
        (!inside.is_empty()).then(|| inside.to_owned())
    };
    let mut places = Vec::new();
    if let Some(inside) = within(request.context) {
        let counts = request.whole_context_counts()
            || request.inputs.unwrap_or_default().iter().any(|input| {
                let input = clean(input.as_str());
                input == "." || Path::new(&inside).starts_with(&input)
            });
        places.extend(counts.then(|| IgnoreFile::of_context(request).map(|ignore| (ignore, inside))));
    }
    for (_, context) in &request.contexts {
        if let Some(inside) = within(context) {
            let file = IgnoreFile::of_named_context(request.root, context);
            places.push(file.map(|file| (file, inside)));
        }
    }
    for place in places {
        let (ignore, inside) = place?;
        if !ignore.rules.ignores_all_of(&inside) {
            // The name of a folder that another line keeps out already would not be asked for, and not be inherited.
            let line = if ignore.rules.ignores(&inside) {
                format!("{inside}/**")
            } else {
                inside
            };
            return Ok(Some((ignore.name.to_string(), line)));
        }
    }
    Ok(None)
}

/// The path without symlinks and `..`, as far as it is there.
fn real(path: &Path) -> PathBuf {
    let mut missing = Vec::new();
    for place in path.ancestors() {
        if let Ok(place) = place.canonicalize() {
            return missing.iter().rev().fold(place, |path, name| path.join(name));
        }
        missing.extend(place.file_name());
    }
    path.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::write;
    use camino::Utf8PathBuf;

    #[test]
    fn a_folder_in_a_context_counts_unless_it_is_kept_out() {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(dir.path()).unwrap();
        let declared = [Utf8PathBuf::from("rootfs")];
        let at = |inputs, folder: &str| {
            let request = Request {
                root,
                context: Utf8Path::new("."),
                dockerfile: Utf8Path::new("Dockerfile"),
                inputs,
                contexts: vec![("assets", Utf8Path::new("assets"))],
                given: Vec::new(),
            };
            reached(&request, root.join(folder).as_std_path()).unwrap()
        };
        write(&dir.path().join("assets/x"), "", false);
        let line = |file: &str, line: &str| Some((file.to_owned(), line.to_owned()));
        assert_eq!(at(None, "a/out"), line(".dockerignore", "a/out"));
        assert_eq!(at(Some(&declared[..]), "a/out"), None);
        assert_eq!(
            at(Some(&declared[..]), "rootfs/out"),
            line(".dockerignore", "rootfs/out")
        );
        assert_eq!(
            at(Some(&declared[..]), "assets/out"),
            line("assets/.dockerignore", "out")
        );
        assert_eq!(at(None, "../elsewhere"), None);
        assert_eq!(at(None, "assets/../../elsewhere"), None);
        write(&dir.path().join(".dockerignore"), "a\nb\n!b/out/keep\n", false);
        assert_eq!(at(None, "a/out"), None);
        // With the line that it asks for, nothing is left to ask.
        for rules in ["a\nb\n!b/out/keep\n", "*\n!**/*.md\n", "!**/*.md\n"] {
            write(&dir.path().join(".dockerignore"), rules, false);
            let (file, line) = at(None, "b/out").unwrap();
            assert_eq!(file, ".dockerignore");
            write(
                &dir.path().join(".dockerignore"),
                format!("{rules}{line}\n"),
                false,
            );
            assert_eq!(at(None, "b/out"), None, "{rules}{line}");
        }
        write(&dir.path().join(".dockerignore"), "", false);
        write(&dir.path().join("assets/.dockerignore"), "out\n", false);
        assert_eq!(at(Some(&declared[..]), "assets/out"), None);
    }
}
