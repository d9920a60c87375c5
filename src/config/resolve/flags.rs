//! `build.flags`: any flag of `docker buildx build`, but those that splitbase sets itself.

use super::Resolver;
use crate::config::document::Placed;

/// Flags that splitbase sets, and what to use instead.
const OWNED: [(&[&str], &str); 22] = [
    (&["--platform"], "use `platforms`"),
    (&["--tag", "-t"], "use `tags` and `aliases`"),
    (
        &["--push", "--load"],
        "leave it out; where images go is the release's target",
    ),
    (
        &["--output", "-o"],
        "leave it out; where images go is the release's target",
    ),
    (
        &["--metadata-file", "--progress", "--iidfile", "--quiet", "-q"],
        "leave it out; splitbase reads them itself",
    ),
    (&["--builder"], "use the flag `--builder`"),
    (&["--file", "-f"], "use `dockerfile`"),
    (&["--build-arg"], "use `args`"),
    (&["--build-context"], "use `contexts`"),
    (&["--label"], "use `labels`"),
    (&["--secret"], "use `secrets`"),
    (&["--ssh"], "use `ssh`"),
    (&["--target"], "use `target`"),
    (&["--network"], "use `network`"),
    (&["--shm-size"], "use `shm-size`"),
    (
        &["--cache-from", "--cache-to"],
        "use `[cache] from` and `[cache] to`",
    ),
    (&["--provenance", "--attest"], "use `provenance` and `sbom`"),
    (&["--sbom"], "use `sbom`"),
    (
        &["--annotation"],
        "leave it out; splitbase writes the annotations",
    ),
    (&["--no-cache"], "use the flag `--rebuild`"),
    (&["--pull"], "use `upstream`"),
    (
        &["--call", "--check", "--print", "--help", "-h", "--"],
        "leave it out; it does not build",
    ),
];

/// What to use instead of a flag that splitbase sets.
fn owned(flag: &str) -> Option<&'static str> {
    let name = flag.split('=').next().unwrap_or(flag);
    let short = |known: &str| !known.starts_with("--") && flag.starts_with(known) && !flag.starts_with("--");
    OWNED
        .iter()
        .find(|(flags, _)| flags.iter().any(|known| *known == name || short(known)))
        .map(|(_, hint)| *hint)
}

impl Resolver<'_, '_> {
    /// The flags of one layer that may stand.
    pub(super) fn check_flags(&mut self, flags: &[Placed<String>]) -> Vec<String> {
        let mut takes_value = false;
        for flag in flags {
            let (text, label) = (&flag.value, &flag.label);
            if text.starts_with('-') {
                if let Some(hint) = owned(text) {
                    let name = text.split('=').next().unwrap_or(text);
                    self.error(
                        &flag.span,
                        format!("{label}: splitbase sets `{name}` itself"),
                        hint.to_owned(),
                    );
                }
                takes_value = !text.contains('=');
            } else if takes_value {
                takes_value = false;
            } else {
                let message = format!("{label}: `{text}` is neither a flag nor the value of one");
                self.error(
                    &flag.span,
                    message,
                    "every flag and its value is one string each".to_owned(),
                );
            }
        }
        flags.iter().map(|flag| flag.value.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_owned_flag() {
        for flag in [
            "--tag",
            "--tag=x",
            "-t",
            "-tx",
            "-t=x",
            "-f",
            "--no-cache",
            "--sbom=true",
            "--pull",
            "-oX",
        ] {
            assert!(owned(flag).is_some(), "{flag}");
        }
        for flag in [
            "--ulimit",
            "--no-cache-filter=x",
            "--add-host",
            "--allow=network.host",
            "-D",
            "--tags",
        ] {
            assert!(owned(flag).is_none(), "{flag}");
        }
    }
}
