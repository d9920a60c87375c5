//! Mirrors and signing.

use super::{environment, family, file, report};
use crate::config::{Overrides, Sign, parse};

#[test]
fn mirrors_are_repositories_on_any_registry() {
    let family = family(
        "[family]\nname = \"devbox\"\nrepository = \"acme/devbox\"\nmirrors = [\"ghcr.io/acme/devbox\", \"{env.REGISTRY}/devbox\"]",
    );
    let mirrors: Vec<_> = family.mirrors.iter().map(ToString::to_string).collect();
    assert_eq!(mirrors, ["ghcr.io/acme/devbox", "registry.example.org/devbox"]);
}

#[test]
fn mirrors_that_cannot_be() {
    let report = report(
        "[family]\nname = \"devbox\"\nrepository = \"acme/devbox\"\nmirrors = [\"docker.io/acme/devbox\", \"ghcr.io/a/b\", \"ghcr.io/a/b\", \"Big/x\"]",
    );
    for said in [
        "`docker.io/acme/devbox` gets every release already",
        "`ghcr.io/a/b` gets every release already",
        "`Big/x` is not a repository",
        "3 problems in",
    ] {
        assert!(report.contains(said), "{said}\n{report}");
    }
}

#[test]
fn mirrors_get_nothing_of_what_is_tried_elsewhere() {
    let text = file(
        "[family]\nname = \"devbox\"\nrepository = \"acme/devbox\"\nmirrors = [\"ghcr.io/acme/devbox\"]",
    );
    let overrides = Overrides {
        repository: "localhost:5000/try".parse().ok(),
        platforms: None,
    };
    let loaded = parse(&text, "variants.toml".into(), &environment(), &overrides).unwrap();
    assert!(loaded.family.mirrors.is_empty());
    assert!(
        loaded.warnings[0]
            .message
            .contains("are not used: `--repository`")
    );
}

#[test]
fn signing_is_arguments_of_cosign() {
    let both = family("[sign]\ncosign = [\"--key\", \"k\"]\nverify = [\"--key=p\"]");
    let strings = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        both.sign,
        Some(Sign {
            cosign: strings(&["--key", "k"]),
            verify: Some(strings(&["--key=p"])),
        })
    );
    assert_eq!(
        family("[sign]\ncosign = []").sign.map(|sign| sign.cosign),
        Some(Vec::new())
    );
    assert_eq!(family("").sign, None);
}

#[test]
fn signing_refuses_what_everybody_would_see() {
    for (arg, said) in [
        ("--registry-password=x", "cosign uses the login of docker"),
        ("--identity-token=ey", "SIGSTORE_ID_TOKEN"),
        ("-y", "splitbase sets it"),
        ("--", "it does not sign"),
        ("sign", "write only the flags"),
    ] {
        let report = report(&format!("[sign]\ncosign = [\"{arg}\"]"));
        assert!(report.contains(said), "{arg}\n{report}");
        let report = self::report(&format!("[sign]\ncosign = []\nverify = [\"{arg}\"]"));
        assert!(report.contains(said), "{arg}\n{report}");
    }
    assert!(report("[sign]").contains("`[sign] cosign` is missing"));
    let file = family("[sign]\ncosign = [\"--identity-token=/run/token\"]");
    assert!(file.sign.is_some());
}
