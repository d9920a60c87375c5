//! Refs of a repository on disk.

use super::super::{Resolved, VersionError};
use super::World;
use crate::config::VersionSource;
use crate::domain::ExitCode;
use crate::failure::FailureClass;
use crate::process::{self, Command, Ended};
use std::path::{Path, PathBuf};
use tokio_util::sync::CancellationToken;

async fn git(folder: &Path, args: &[&str]) -> String {
    let command = Command::new("git")
        .args(args)
        .dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_AUTHOR_NAME", "a")
        .env("GIT_AUTHOR_EMAIL", "a@example.org")
        .env("GIT_COMMITTER_NAME", "a")
        .env("GIT_COMMITTER_EMAIL", "a@example.org");
    let output = process::output(&command, None, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(output.ended, Ended::Exited(0), "{}", output.stderr);
    output.stdout.trim().to_owned()
}

/// A bare repository with commits on `main` and `feature/main`, and an annotated tag `v1` on the first.
async fn repository(world: &World) -> (PathBuf, String, String) {
    let (work, bare) = (world.root().join("work"), world.root().join("bare.git"));
    git(world.root(), &["init", "-q", "-b", "main", "work"]).await;
    git(&work, &["commit", "-q", "--allow-empty", "-m", "one"]).await;
    let first = git(&work, &["rev-parse", "HEAD"]).await;
    git(&work, &["tag", "-a", "v1", "-m", "v1"]).await;
    git(&work, &["tag", "light"]).await;
    git(&work, &["checkout", "-q", "-b", "feature/main"]).await;
    git(&work, &["commit", "-q", "--allow-empty", "-m", "two"]).await;
    let second = git(&work, &["rev-parse", "HEAD"]).await;
    git(&work, &["checkout", "-q", "main"]).await;
    git(world.root(), &["clone", "-q", "--bare", "work", "bare.git"]).await;
    (bare, first, second)
}

async fn resolve(world: &World, url: &str, reference: &str) -> Result<Resolved, VersionError> {
    let source = VersionSource::Git {
        url: url.into(),
        reference: reference.into(),
    };
    world.resolve(&source).await
}

#[tokio::test]
async fn a_ref_is_the_commit_that_it_names_and_no_other() {
    let world = World::new("", &[]);
    let (bare, first, second) = repository(&world).await;
    let url = format!("file://{}", bare.display());
    for (reference, commit) in [
        ("main", &first),
        ("feature/main", &second),
        ("refs/heads/feature/main", &second),
        // The commit, not the tag object.
        ("v1", &first),
        ("refs/tags/v1", &first),
        ("light", &first),
        ("HEAD", &first),
    ] {
        let resolved = resolve(&world, &url, reference).await.unwrap();
        assert_eq!(resolved.version, *commit, "{reference}");
        assert_eq!(resolved.source, format!("git:{url}#{reference}"));
    }
    // `git ls-remote refs/heads/other` lists this one too.
    git(&bare, &["update-ref", "refs/pull/refs/heads/other", &second]).await;
    let error = resolve(&world, &url, "other").await.unwrap_err();
    assert_eq!(error.reason, "the repository has no ref `other`");
    // Relative to the family's folder.
    assert_eq!(resolve(&world, "bare.git", "main").await.unwrap().version, first);
    // `feature/main` and `heads/main` end in these words, but are not these refs.
    for reference in ["nope", "heads/main", "refs/main", &first[..12]] {
        let error = resolve(&world, &url, reference).await.unwrap_err();
        assert_eq!(error.reason, format!("the repository has no ref `{reference}`"));
        assert_eq!(
            (error.class, error.exit_code),
            (FailureClass::Permanent, ExitCode::Unknown)
        );
    }
}

#[tokio::test]
async fn a_name_that_is_both_a_branch_and_a_tag_is_ambiguous() {
    let world = World::new("", &[]);
    let (bare, first, second) = repository(&world).await;
    git(&bare, &["tag", "-a", "main", "-m", "x", &second]).await;
    let error = resolve(&world, "bare.git", "main").await.unwrap_err();
    assert_eq!(
        error.reason,
        format!(
            "`main` is ambiguous: refs/heads/main ({}) and refs/tags/main ({})",
            &first[..12],
            &second[..12]
        )
    );
    assert_eq!(
        resolve(&world, "bare.git", "refs/tags/main")
            .await
            .unwrap()
            .version,
        second
    );
}

#[tokio::test]
async fn a_commit_is_taken_as_it_is() {
    let world = World::new("", &[]);
    let commit = "0123456789ABCDEF0123456789abcdef01234567";
    let resolved = resolve(&world, "https://nowhere.invalid/x", commit)
        .await
        .unwrap();
    assert_eq!(resolved.version, commit.to_lowercase());
}

#[tokio::test]
async fn a_repository_that_is_not_there_is_an_error() {
    let world = World::new("", &[]);
    let error = resolve(&world, "missing.git", "main").await.unwrap_err();
    assert_eq!(
        (error.class, error.exit_code),
        (FailureClass::Permanent, ExitCode::Unknown)
    );
    assert!(error.reason.starts_with("git ended with 128: "), "{error}");
}

#[tokio::test]
async fn what_is_no_ref_never_reaches_git() {
    let world = World::new("", &[]);
    for reference in [
        "",
        "-x",
        "--upload-pack=touch x",
        "a*",
        "a..b",
        "a b",
        "a^{}",
        "a:b",
        "a@{1}",
    ] {
        let error = resolve(&world, "bare.git", reference).await.unwrap_err();
        assert_eq!(error.exit_code, ExitCode::Usage, "{reference}");
    }
}

#[tokio::test]
async fn a_url_that_looks_like_an_option_is_none() {
    let world = World::new("", &[]);
    let error = resolve(&world, "--upload-pack=touch owned", "main")
        .await
        .unwrap_err();
    assert_eq!(error.class, FailureClass::Permanent);
    assert!(!world.root().join("owned").exists());
}

#[tokio::test]
async fn credentials_of_a_url_go_into_a_header_and_nowhere_else() {
    let server = wiremock::MockServer::start().await;
    wiremock::Mock::given(wiremock::matchers::any())
        .respond_with(wiremock::ResponseTemplate::new(401))
        .mount(&server)
        .await;
    let world = World::new("", &[]);
    let url = format!("http://me:hunter%322@{}/toolkit", server.address());
    let error = resolve(&world, &url, "main").await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("hunter"), "{shown}");
    assert_eq!(error.class, FailureClass::Permanent, "{shown}");
    let asked = server.received_requests().await.unwrap();
    assert_eq!(asked[0].headers["authorization"], "Basic bWU6aHVudGVyMjI=");
    let command = super::super::git::command(&url, "main", &world.context);
    let line = format!("{:?}", command.args);
    assert!(!line.contains("hunter") && !line.contains("me:"), "{line}");
}

#[tokio::test]
async fn a_server_that_is_busy_is_asked_again() {
    let server = wiremock::MockServer::start().await;
    wiremock::Mock::given(wiremock::matchers::any())
        .respond_with(wiremock::ResponseTemplate::new(503))
        .mount(&server)
        .await;
    let world = World::new("", &[]);
    let error = resolve(&world, &server.uri(), "main").await.unwrap_err();
    assert_eq!(
        (error.class, error.attempts),
        (FailureClass::Transient, 3),
        "{error}"
    );
    assert_eq!(world.notices().len(), 2);
}
