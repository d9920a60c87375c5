//! What the real git said when it could not list refs, and what the table makes of it.

use super::super::git;
use super::World;
use crate::failure::FailureClass::{self, Permanent, Transient};
use crate::process::{self, Ended};
use crate::testing::faults::{Does, Faults};
use crate::testing::recorded::{self, Recorded};
use crate::testing::tls::Tls;
use std::collections::BTreeSet;
use tokio_util::sync::CancellationToken;

struct Case {
    name: &'static str,
    about: &'static str,
    rule: &'static str,
    class: FailureClass,
    status: Option<u16>,
    mend: &'static str,
}

const fn case(
    name: &'static str,
    about: &'static str,
    rule: &'static str,
    class: FailureClass,
    status: Option<u16>,
    mend: &'static str,
) -> Case {
    Case {
        name,
        about,
        rule,
        class,
        status,
        mend,
    }
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    case("404", "the server answers 404", "git-no-repository", Permanent, None, "private repository"),
    case("401", "the server answers 401 to a request without credentials", "git-denied", Permanent, None, "git never asks"),
    case("401-credentials", "the server answers 401 to credentials", "git-denied", Permanent, None, "git never asks"),
    case("403", "the server answers 403", "git-denied-by-status", Permanent, Some(403), "git never asks"),
    case("429", "the server answers 429", "version-rate-limit", Transient, Some(429), "limits the rate"),
    case("500", "the server answers 500", "version-busy", Transient, Some(500), "--set TOOL"),
    case("503", "the server answers 503", "version-busy", Transient, Some(503), "--set TOOL"),
    // To git it is a repository without refs.
    case("html", "the server answers with an HTML page", "git-no-ref", Permanent, None, "40 hex digits"),
    case("reset", "the server resets the connection", "git-line", Transient, None, "--set TOOL"),
    case("refused", "nobody listens", "git-line", Transient, None, "--set TOOL"),
    case("no-tls", "TLS is wanted of a server that speaks none", "git-tls", Permanent, None, "TLS"),
    case("certificate", "the server's certificate is of no known authority", "git-certificate", Permanent, None, "http.sslCAInfo"),
    case("option", "an address that looks like an option", "git-no-repository", Permanent, None, "private repository"),
    case("no-folder", "a folder that is not there", "git-no-repository", Permanent, None, "private repository"),
    case("no-ref", "a ref that the repository has not", "git-no-ref", Permanent, None, "40 hex digits"),
    case("name", "a name that is in no DNS", "git-line", Transient, None, "--set TOOL"),
];

fn untrusted() -> Tls {
    Tls::start("20200101000000Z", "20400101000000Z")
}

async fn make(case: &Case) -> Recorded {
    let world = World::new("", &[]);
    let answer = |status, headers, body| Faults::start(None, move |_, _| Does::Answer(status, headers, body));
    let basic = "WWW-Authenticate: Basic realm=\"test\"\r\n";
    let faults = match case.name {
        "401" | "401-credentials" => answer(401, basic, "who are you?"),
        "403" => answer(403, "", "not you"),
        "429" => answer(429, "Retry-After: 7\r\n", "slow down"),
        "500" => answer(500, "", "oh"),
        "503" => answer(503, "", "busy"),
        "html" => answer(200, "Content-Type: text/html\r\n", "<html>sign in</html>"),
        "reset" => Faults::start(None, |_, _| Does::Reset),
        _ => Faults::start(None, |_, _| Does::Pass),
    };
    let mut tls = None;
    let url = match case.name {
        "401-credentials" => format!("http://me:hunter22@{}/acme/toolkit", faults.address()),
        "refused" => "http://localhost:1/acme/toolkit".to_owned(),
        "name" => "http://git.invalid/acme/toolkit".to_owned(),
        "no-tls" => format!("https://{}/acme/toolkit", faults.address()),
        "no-folder" => "missing.git".to_owned(),
        "option" => "--upload-pack=touch owned".to_owned(),
        "certificate" => format!("https://{}/acme/toolkit", tls.insert(untrusted()).host()),
        "no-ref" => {
            let init = process::Command::new("git")
                .args(["init", "-q", "--bare", "there.git"])
                .dir(world.root());
            let done = process::output(&init, None, &CancellationToken::new())
                .await
                .unwrap();
            assert_eq!(done.ended, Ended::Exited(0), "{}", done.stderr);
            "there.git".to_owned()
        }
        _ => format!("http://{}/acme/toolkit", faults.address()),
    };
    let command = git::command(&url, "main", &world.context);
    let output = process::output(&command, None, &CancellationToken::new())
        .await
        .unwrap();
    let Ended::Exited(code) = output.ended else {
        panic!("{:?}", output.ended)
    };
    let lines = output.stderr.lines().map(str::to_owned).collect();
    Recorded::of(case.about, Some(code), lines).normalized(&[
        (faults.address(), "git.test"),
        (format!("localhost port {}", faults.port()), "git.test port 80"),
        (world.root().display().to_string(), "/family"),
        (
            tls.as_ref().map_or_else(|| "no host".to_owned(), Tls::host),
            "git.test",
        ),
    ])
}

fn check(case: &Case, recorded: &Recorded) {
    let error =
        git::failed(&recorded.text(), recorded.exit(), "git ended").named("TOOL", "git".to_owned(), 1);
    let shown = format!("{}: {error:?}\n{}", case.name, recorded.text());
    assert_eq!(
        (error.rule, error.class, error.status),
        (case.rule, case.class, case.status),
        "{shown}"
    );
    assert!(error.hints.join("\n").contains(case.mend), "{shown}");
    assert!(!shown.contains("hunter22"), "{shown}");
}

#[test]
fn recorded_answers_of_git_are_classified() {
    let all = recorded::all("git");
    let mut names: BTreeSet<&str> = all.keys().map(String::as_str).collect();
    for case in CASES {
        names.remove(case.name);
        assert!(all[case.name].facts.contains_key("git"), "{}", case.name);
        check(case, &all[case.name]);
    }
    assert!(names.is_empty(), "nobody says what these are: {names:?}");
}

/// All of them once more; with `SPLITBASE_RECORD` they are kept.
#[tokio::test]
async fn failures_of_git_recorded_anew() {
    let versions = recorded::versions_of(&["git"]);
    for case in CASES {
        // What a machine's resolver says is its own affair, and not every machine has openssl.
        if matches!(case.name, "name" | "certificate") && !recorded::recording() {
            continue;
        }
        let mut recorded = make(case).await;
        if recorded::recording() {
            recorded.facts.extend(versions.clone());
            recorded.keep("git", case.name);
        } else {
            check(case, &recorded);
        }
    }
}
