//! npm's settings: precedence, expansion, and whose credentials are whose.

use super::super::NpmSettings;
use super::write;
use crate::environment::Environment;
use std::path::Path;
use url::Url;

fn load(root: &Path, variables: &[(&str, &str)]) -> NpmSettings {
    NpmSettings::load(root, &Environment::of(variables.iter().copied())).unwrap()
}

fn settings(npmrc: &str, variables: &[(&str, &str)]) -> NpmSettings {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join(".npmrc"), npmrc);
    load(folder.path(), variables)
}

fn registry(settings: &NpmSettings, package: &str) -> String {
    settings.registry(package).unwrap().to_string()
}

fn authorization(settings: &NpmSettings, address: &str) -> Option<String> {
    let header = settings.authorization(&Url::parse(address).unwrap())?;
    assert!(header.is_sensitive());
    Some(header.to_str().unwrap().to_owned())
}

#[test]
fn the_nearest_place_wins() {
    let folder = tempfile::tempdir().unwrap();
    let (root, home, other) = (
        folder.path().join("root"),
        folder.path().join("home"),
        folder.path().join("other"),
    );
    write(&root.join("x"), "");
    let home_text = home.display().to_string();
    let variables = [("HOME", home_text.as_str())];
    assert_eq!(
        registry(&load(&root, &variables), "a"),
        "https://registry.npmjs.org/"
    );
    write(
        &home.join(".npmrc"),
        "registry=https://user/\n@s:registry=https://user-scope/",
    );
    assert_eq!(registry(&load(&root, &variables), "a"), "https://user/");
    let other_text = other.join("rc").display().to_string();
    write(&other.join("rc"), "registry=https://other/");
    let with_other = [variables[0], ("NPM_CONFIG_USERCONFIG", &other_text)];
    assert_eq!(registry(&load(&root, &with_other), "a"), "https://other/");
    write(&root.join(".npmrc"), "registry=https://project/path");
    assert_eq!(registry(&load(&root, &variables), "a"), "https://project/path/");
    assert_eq!(registry(&load(&root, &variables), "@s/a"), "https://user-scope/");
    for name in [
        "NPM_CONFIG_REGISTRY",
        "npm_config_registry",
        "Npm_Config_Registry",
    ] {
        let with_variable = [variables[0], (name, "https://variable")];
        assert_eq!(registry(&load(&root, &with_variable), "a"), "https://variable/");
        assert_eq!(
            registry(&load(&root, &with_variable), "@s/a"),
            "https://user-scope/"
        );
    }
    let empty = [variables[0], ("NPM_CONFIG_REGISTRY", "")];
    assert_eq!(registry(&load(&root, &empty), "a"), "https://project/path/");
}

#[test]
fn credentials_belong_to_the_longest_prefix_of_whole_segments() {
    let settings = settings(
        "//h/:_authToken=all\n//h/team/:_authToken=team\n//h:8080/:_authToken=port\n\
         //b/:_auth=dTpw\n//p/:username=me\n//p/:_password=aHVudGVyMg==\n//bare:_authToken=bare\n_authToken=unbound",
        &[],
    );
    for (address, expected) in [
        ("https://h/x", Some("Bearer all")),
        ("https://h/team/x/y", Some("Bearer team")),
        ("https://h/teams/x", Some("Bearer all")),
        ("https://h:8080/team/x", Some("Bearer port")),
        ("https://b/x", Some("Basic dTpw")),
        ("https://p/x", Some("Basic bWU6aHVudGVyMg==")),
        ("https://bare/x", Some("Bearer bare")),
        ("https://h.example.org/x", None),
        ("https://xh/x", None),
        ("https://other/h/team/", None),
    ] {
        assert_eq!(
            authorization(&settings, address).as_deref(),
            expected,
            "{address}"
        );
    }
    assert!(settings.has_unbound_credentials());
    assert!(!format!("{settings:?}").contains("team\": \"team"));
}

#[test]
fn variables_are_filled_in_as_npm_does() {
    let variables = [
        ("HOST", "h"),
        ("T", "tok"),
        ("NPM_CONFIG_//v/:_authToken", "byvar"),
    ];
    let settings = settings(
        "registry=https://${HOST}/${NONE?}\n//${HOST}/:_authToken=${T}\n//u/:_authToken=${NONE}\n\
         //e/:_authToken=a\\${T}b\n@bad:registry=https://${NONE}/\n@worse:registry=ftp://x/",
        &variables,
    );
    assert_eq!(registry(&settings, "a"), "https://h/");
    assert_eq!(
        authorization(&settings, "https://h/a").as_deref(),
        Some("Bearer tok")
    );
    assert_eq!(
        authorization(&settings, "https://e/a").as_deref(),
        Some("Bearer a${T}b")
    );
    assert_eq!(
        authorization(&settings, "https://v/a").as_deref(),
        Some("Bearer byvar")
    );
    assert_eq!(authorization(&settings, "https://u/a"), None);
    let withheld = settings.withheld(&Url::parse("https://u/a").unwrap()).unwrap();
    assert!(withheld.contains("`NONE`"), "{withheld}");
    let error = settings.registry("@bad/a").unwrap_err();
    assert!(
        error.starts_with("`@bad:registry` in ") && error.ends_with("`NONE`, which is not set"),
        "{error}"
    );
    assert!(
        settings
            .registry("@worse/a")
            .unwrap_err()
            .contains("is not a URL")
    );
}

#[test]
fn the_file_is_read_as_npm_reads_it() {
    let settings = settings(
        "\u{feff}; comment\n# comment\r\n  registry = \"https://q/\" \r\n//c/:_authToken = a\\;b;rest\n\
         '//s/:_authToken'='it''s'\nflag\n[section]\nregistry=https://section/\n",
        &[],
    );
    assert_eq!(registry(&settings, "a"), "https://q/");
    assert_eq!(
        authorization(&settings, "https://c/").as_deref(),
        Some("Bearer a;b")
    );
    assert_eq!(
        authorization(&settings, "https://s/").as_deref(),
        Some("Bearer it''s")
    );
}

#[test]
fn a_file_that_cannot_be_read_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join(".npmrc/x"), "");
    let error = NpmSettings::load(folder.path(), &Environment::default()).unwrap_err();
    assert!(
        error.starts_with("read ") && error.contains(".npmrc: "),
        "{error}"
    );
}
