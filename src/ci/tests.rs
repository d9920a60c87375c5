use super::*;
use crate::config::{Overrides, parse};
use crate::environment::Environment;
use camino::Utf8Path;

const CONTAINER: &str = "registry.example.org/splitbase:0.1.0@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const ACTION: &str = "acme/splitbase@0123456789abcdef0123456789abcdef01234567";

fn family(repository: &str, platforms: &str, more: &str) -> Family {
    let text = format!(
        "schema = 1\n[family]\nname = \"fam\"\nrepository = \"{repository}\"\nplatforms = [{platforms}]\n\
         [base]\ndockerfile = \"Dockerfile\"\n[variants.base]\ntags = [\"{{version}}\"]\naliases = [\"latest\"]\n{more}"
    );
    let environment = Environment::of([("HOME", "/")]);
    let loaded = parse(
        &text,
        Utf8Path::new("variants.toml"),
        &environment,
        &Overrides::default(),
    );
    loaded
        .unwrap_or_else(|errors| panic!("{}", errors.render(false)))
        .family
}

fn settings(container: Option<&str>, action: Option<&str>) -> Settings {
    let given = |text: Option<&str>| text.map(str::to_owned);
    Settings::new(
        Utf8Path::new("variants.toml"),
        None,
        given(container),
        given(action),
        None,
    )
    .unwrap()
}

fn release(family: &Family, forge: Forge, settings: &Settings) -> String {
    workflows(family, forge, settings)[0].text.clone()
}

/// The lines that hold an expression, without their indentation.
fn expressions(text: &str) -> Vec<&str> {
    text.lines()
        .map(str::trim)
        .filter(|line| line.contains("${{"))
        .collect()
}

#[test]
fn the_registry_decides_what_the_job_logs_in_with() {
    let with = |repository: &str, forge| {
        let text = release(
            &family(repository, "\"linux/amd64\"", ""),
            forge,
            &settings(None, None),
        );
        let login: Vec<String> = expressions(&text)
            .into_iter()
            .filter(|line| line.starts_with("SPLITBASE_USERNAME") || line.starts_with("SPLITBASE_PASSWORD"))
            .map(str::to_owned)
            .collect();
        (login.join("; "), text.contains("packages: write"))
    };
    let secrets = |kind: &str| {
        format!(
            "SPLITBASE_USERNAME: ${{{{ secrets.{kind}_USERNAME }}}}; SPLITBASE_PASSWORD: ${{{{ secrets.{kind}_TOKEN }}}}"
        )
    };
    assert_eq!(with("acme/tiny", Forge::Github), (secrets("DOCKERHUB"), false));
    assert_eq!(
        with("git.example.org/acme/tiny", Forge::Gitea),
        (secrets("REGISTRY"), false)
    );
    assert_eq!(
        with("ghcr.io/acme/tiny", Forge::Gitea),
        (secrets("REGISTRY"), false)
    );
    let own = "SPLITBASE_USERNAME: ${{ github.actor }}; SPLITBASE_PASSWORD: ${{ github.token }}";
    assert_eq!(with("ghcr.io/acme/tiny", Forge::Github), (own.to_owned(), true));
    assert_eq!(
        with("localhost:5000/acme/tiny", Forge::Github),
        (String::new(), false)
    );
    assert_eq!(
        with("127.0.0.1:5000/acme/tiny", Forge::Gitea),
        (String::new(), false)
    );
}

#[test]
fn platforms_that_the_runner_is_not_are_emulated() {
    let emulated = |platforms: &str, runner: Option<&str>| {
        let family = family("acme/tiny", platforms, "");
        let settings = Settings::new(
            Utf8Path::new("variants.toml"),
            runner.map(str::to_owned),
            None,
            None,
            None,
        );
        let text = release(&family, Forge::Github, &settings.unwrap());
        let line = text
            .lines()
            .find(|line| line.contains(" --install "))
            .map(str::to_owned);
        line.map(|line| line.rsplit_once(' ').unwrap().1.to_owned())
    };
    let both = "\"linux/amd64\", \"linux/arm64\"";
    assert_eq!(emulated("\"linux/amd64\"", None), None);
    assert_eq!(emulated(both, None).as_deref(), Some("arm64"));
    assert_eq!(emulated(both, Some("ubuntu-24.04-arm")).as_deref(), Some("amd64"));
    assert_eq!(emulated("\"linux/arm64\"", Some("ubuntu-24.04-arm")), None);
    // A word of the label, not a part of one.
    assert_eq!(emulated(both, Some("farm-1")).as_deref(), Some("arm64"));
    assert_eq!(
        emulated(
            "\"linux/amd64\", \"linux/arm/v7\", \"linux/arm64\", \"linux/arm/v6\"",
            None
        )
        .as_deref(),
        Some("arm,arm64")
    );
}

#[test]
fn the_gate_gets_no_credentials_but_what_builds_ask_for() {
    let plain = family("acme/tiny", "\"linux/amd64\", \"linux/arm64\"", "");
    let [_, gate] = workflows(&plain, Forge::Github, &settings(None, None));
    assert_eq!(
        expressions(&gate.text),
        [
            "group: validate-fam-${{ github.ref }}",
            "GIT_TOKEN: ${{ github.token }}"
        ]
    );
    assert!(
        !gate.text.contains("--privileged"),
        "the native platform is enough"
    );

    let secret = "[build]\nsecrets = [{ id = \"npmrc\", env = \"NPM_TOKEN\" }, { id = \"ca\", file = \"{env.CA}\", optional = true }]\n";
    let family = family("acme/tiny", "\"linux/amd64\"", secret);
    for workflow in workflows(&family, Forge::Gitea, &settings(None, None)) {
        assert_eq!(
            workflow
                .text
                .matches("NPM_TOKEN: ${{ secrets.NPM_TOKEN }}")
                .count(),
            1
        );
    }
}

#[test]
fn scripts_hold_no_expression_and_jobs_no_more_rights_than_reading() {
    let family = family("acme/tiny", "\"linux/amd64\", \"linux/arm64\"", "");
    for forge in [Forge::Gitea, Forge::Github] {
        for (container, action) in [(None, None), (Some(CONTAINER), None), (None, Some(ACTION))] {
            for workflow in workflows(&family, forge, &settings(container, action)) {
                let text = &workflow.text;
                assert!(text.contains("\npermissions: {}\n"), "{text}");
                assert!(!text.contains(": write"), "{text}");
                for line in expressions(text) {
                    let (name, _) = line.split_once(": ").unwrap();
                    assert!(
                        name.chars().all(|c| c.is_ascii_uppercase() || c == '_') || name == "group",
                        "{line}"
                    );
                }
                let uses: Vec<&str> = text.lines().filter(|line| line.contains("uses:")).collect();
                assert_eq!(uses.is_empty(), action.is_none(), "{uses:?}");
                assert_eq!(
                    text.contains(&format!("    container: {CONTAINER}\n")),
                    container.is_some()
                );
            }
        }
    }
}

#[test]
fn every_family_of_a_repository_has_workflows_of_its_own() {
    let family = family("acme/tiny", "\"linux/amd64\"", "");
    let top = settings(None, None);
    assert_eq!(
        paths(&family, Forge::Gitea, &top),
        [".gitea/workflows/release.yml", ".gitea/workflows/validate.yml"]
    );
    assert!(!release(&family, Forge::Gitea, &top).contains("SPLITBASE_FILE"));
    let below = Settings::new(Utf8Path::new("images/fam/variants.toml"), None, None, None, None).unwrap();
    assert_eq!(
        paths(&family, Forge::Github, &below),
        [
            ".github/workflows/release-fam.yml",
            ".github/workflows/validate-fam.yml"
        ]
    );
    for workflow in workflows(&family, Forge::Github, &below) {
        assert!(
            workflow
                .text
                .contains("      SPLITBASE_FILE: images/fam/variants.toml\n")
        );
    }
}

#[test]
fn settings_are_kept_in_the_workflow() {
    let family = family("acme/tiny", "\"linux/amd64\"", "");
    let file = Utf8Path::new("variants.toml");
    let given = |text: &str| Some(text.to_owned());
    let first = Settings::new(file, given("builder-1"), given(CONTAINER), given(ACTION), None).unwrap();
    let text = release(&family, Forge::Gitea, &first);
    assert_eq!(Settings::new(file, None, None, None, Some(&text)).unwrap(), first);
    let second = Settings::new(file, given("other"), None, given(""), Some(&text)).unwrap();
    assert_eq!(
        (second.runner.as_str(), second.container.as_deref()),
        ("other", Some(CONTAINER))
    );
    assert_eq!(second.action, None, "an empty value takes it away");
}

#[test]
fn settings_that_cannot_stand_in_a_workflow_are_refused() {
    let refused = |runner: &str, container: &str, action: &str| {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let file = Utf8Path::new("variants.toml");
        Settings::new(file, given(runner), given(container), given(action), None)
            .unwrap_err()
            .to_string()
    };
    let character =
        |what: &str| format!("write workflows: {what} has a character that cannot stand in a workflow");
    assert_eq!(refused("${{ x }}", "", ""), character("the runner `${{ x }}`"));
    assert_eq!(refused("a: b", "", ""), character("the runner `a: b`"));
    assert_eq!(refused("a:", "", ""), character("the runner `a:`"));
    assert_eq!(refused("-a", "", ""), character("the runner `-a`"));
    assert_eq!(refused("", "a\nb", ""), character("the container `a\nb`"));
    assert_eq!(
        refused("", "acme/tool:1", ""),
        "write workflows: the container `acme/tool:1` is not pinned"
    );
    assert_eq!(
        refused("", "", "acme/tool@v1"),
        "write workflows: the action `acme/tool@v1` is not pinned"
    );
    assert_eq!(
        refused("", "", "acme/tool"),
        "write workflows: the action `acme/tool` is not pinned"
    );
    let path = Settings::new(Utf8Path::new("a b/variants.toml"), None, None, None, None);
    assert_eq!(
        path.unwrap_err().to_string(),
        character("the path `a b/variants.toml`")
    );
}

#[test]
fn what_was_changed_by_hand_is_known() {
    let family = family("acme/tiny", "\"linux/amd64\"", "");
    let text = release(&family, Forge::Gitea, &settings(None, None));
    let other = release(&family, Forge::Gitea, &settings(Some(CONTAINER), None));
    assert_eq!(Standing::of(None, &text), Standing::Absent);
    assert_eq!(Standing::of(Some(&text), &text), Standing::Same);
    assert_eq!(Standing::of(Some(&other), &text), Standing::Outdated);
    // As git leaves it on some machines: not what would be written, and not changed by a hand either.
    assert_eq!(
        Standing::of(Some(&text.replace('\n', "\r\n")), &text),
        Standing::Outdated
    );
    assert_eq!(
        Standing::of(Some(&text.replace("contents: read", "contents: write")), &text),
        Standing::Changed
    );
    assert_eq!(
        Standing::of(Some(&format!("{text}# more\n")), &text),
        Standing::Changed
    );
    let unmarked = text.split_once('\n').unwrap().1;
    assert_eq!(Standing::of(Some(unmarked), &text), Standing::Foreign);
    assert_eq!(Standing::of(Some(""), &text), Standing::Foreign);
    let ours = [Standing::Absent, Standing::Same, Standing::Outdated];
    assert!(ours.into_iter().all(Standing::is_ours));
    assert!(!Standing::Changed.is_ours() && !Standing::Foreign.is_ours());
}

#[test]
fn a_difference_is_shown_with_what_stands_around_it() {
    let numbers =
        |from: u32, to: u32| (from..=to).fold(String::new(), |text, n| text + &n.to_string() + "\n");
    let found = format!("{}x\n{}", numbers(1, 9), numbers(11, 20));
    insta::assert_snapshot!(diff(&found, &format!("{}21\n", numbers(1, 20))), @r"
    …
     8
     9
    -x
    +10
     11
     12
    …
     19
     20
    +21
    ");
    assert_eq!(diff("a\n", "a\n"), "");
    assert_eq!(diff("", "a\nb\n"), "+a\n+b\n");
    assert_eq!(diff("a\nb\n", ""), "-a\n-b\n");
}
