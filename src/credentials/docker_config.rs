//! Docker's `config.json` as a value: which credential, or which helper, it has for a registry. Reads no file and runs nothing.
//!
//! The rules are those of docker/cli: `credHelpers` before `credsStore` before `auths`, a helper before what stands in the file; keys of `auths`
//! may have a scheme and a path (`cli/config/configfile`, `cli/config/credentials`).

use super::secret::Credential;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// The key of Docker Hub, for historical reasons a URL.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// Shorter texts in the place of secrets are none, in bytes.
const SHORTEST: usize = 5;

/// Where docker looks for a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// Nowhere: anonymous.
    Nobody,
    /// It stands in the file.
    Credential(Credential),
    /// A helper is asked.
    Helper {
        /// The program without `docker-credential-`.
        name: String,
        /// What it is asked for.
        server: String,
    },
}

/// The configuration.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct DockerConfig(Map<String, Value>);

impl DockerConfig {
    /// Reads the text of a `config.json`; blank text is an empty one, as docker takes it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        // serde_json's own words may hold a piece of the text, so only the place is told.
        let config = serde_json::from_str(text).map(Self).map_err(|error| {
            format!(
                "is not valid JSON: line {}, column {}",
                error.line(),
                error.column()
            )
        })?;
        config.check()?;
        Ok(config)
    }

    /// Whether what is read of it has the form that docker wants. What is told is the place alone.
    fn check(&self) -> Result<(), String> {
        let wrong = |place: &str, wanted: &str| Err(format!("is damaged: `{place}` is no {wanted}"));
        match self.0.get("credsStore") {
            None | Some(Value::String(_) | Value::Null) => {}
            Some(_) => return wrong("credsStore", "text"),
        }
        for (table, wanted) in [("auths", "table"), ("credHelpers", "text")] {
            let entries = match self.0.get(table) {
                None | Some(Value::Null) => continue,
                Some(Value::Object(entries)) => entries,
                Some(_) => return wrong(table, "table"),
            };
            for (host, entry) in entries {
                let good = match wanted {
                    "text" => entry.is_string(),
                    _ => entry.is_object(),
                };
                if !good {
                    return wrong(&format!("{table}.{}", hostname(host).escape_debug()), wanted);
                }
            }
        }
        Ok(())
    }

    /// Reads the file; one that is not there is an empty one.
    #[expect(
        clippy::disallowed_methods,
        reason = "docker's login state is this module's to read"
    )]
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).map_err(|reason| format!("`{}` {reason}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("read `{}`: {error}", path.display())),
        }
    }

    /// What it has for a host.
    pub(super) fn find(&self, host: &str) -> Result<Found, String> {
        let keys = keys(host);
        let helpers = self.0.get("credHelpers").and_then(Value::as_object);
        let own = keys.iter().find_map(|key| {
            let name = helpers?.get(*key)?.as_str()?;
            Some((name, *key))
        });
        let common = || Some((self.0.get("credsStore")?.as_str()?, *keys.first()?));
        // A helper of an empty name is none, and keeps the common one away.
        if let Some((name, server)) = own.or_else(common).filter(|(name, _)| !name.is_empty()) {
            return Ok(Found::Helper {
                name: name.to_owned(),
                server: server.to_owned(),
            });
        }
        match self.entry(&keys) {
            Some(entry) => credential(entry)
                .map(|found| found.map_or(Found::Nobody, Found::Credential))
                .map_err(|reason| format!("{reason} in `auths` for `{host}`")),
            None => Ok(Found::Nobody),
        }
    }

    /// Everything secret that stands in it, as it stands there and as it is meant.
    pub(super) fn secrets(&self) -> Vec<String> {
        let auths = self.0.get("auths").and_then(Value::as_object);
        let mut secrets = Vec::new();
        for entry in auths.into_iter().flat_map(Map::values) {
            let texts = ["auth", "password", "identitytoken", "registrytoken"];
            let texts = texts.iter().filter_map(|key| entry.get(*key)?.as_str());
            secrets.extend(texts.map(str::to_owned));
            if let Ok(Some(credential)) = credential(entry) {
                secrets.push(credential.secret().expose().to_owned());
            }
        }
        // `Og==` is `:`, which stands for nobody.
        secrets.retain(|secret| secret.len() >= SHORTEST);
        secrets
    }

    /// The entry of `auths`: under its very key, else under one that names the same host.
    fn entry(&self, keys: &[&str]) -> Option<&Value> {
        let auths = self.0.get("auths")?.as_object()?;
        let exact = keys.iter().find_map(|key| auths.get(*key));
        exact.or_else(|| {
            let same = |key: &&String| keys.iter().any(|known| *known == hostname(key).to_lowercase());
            auths.get(auths.keys().find(same)?)
        })
    }

    /// The same, with this credential for this host, standing in the file, and everything else as it was.
    pub(super) fn with_credential(mut self, host: &str, credential: &Credential) -> Self {
        let keys = keys(host);
        let key = keys.first().copied().unwrap_or(host);
        let entry = match credential {
            Credential::Password { username, password } => {
                serde_json::json!({"auth": STANDARD.encode(format!("{username}:{}", password.expose()))})
            }
            Credential::IdentityToken(token) => {
                serde_json::json!({"auth": STANDARD.encode("<token>:"), "identitytoken": token.expose()})
            }
        };
        let mut auths = self.take("auths");
        auths.retain(|known, _| !keys.contains(&hostname(known).to_lowercase().as_str()));
        auths.insert(key.to_owned(), entry);
        self.0.insert("auths".to_owned(), Value::Object(auths));
        let mut helpers = self.take("credHelpers");
        helpers.retain(|known, _| !keys.contains(&known.as_str()));
        if self.0.contains_key("credsStore") {
            // An empty name means the file: the common store keeps all other hosts.
            helpers.insert(key.to_owned(), Value::from(""));
        }
        if !helpers.is_empty() {
            self.0.insert("credHelpers".to_owned(), Value::Object(helpers));
        }
        self
    }

    /// The same without anything in `auths` for this host; `None` where it has nothing anyway.
    pub(super) fn without_host(mut self, host: &str) -> Option<Self> {
        let keys = keys(host);
        let mut auths = self.take("auths");
        let before = auths.len();
        auths.retain(|known, _| !keys.contains(&hostname(known).to_lowercase().as_str()));
        let fewer = auths.len() < before;
        self.0.insert("auths".to_owned(), Value::Object(auths));
        fewer.then_some(self)
    }

    /// Its text.
    pub(super) fn text(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    /// Takes a table out; what stands there and is none, docker would refuse too.
    fn take(&mut self, key: &str) -> Map<String, Value> {
        match self.0.remove(key) {
            Some(Value::Object(table)) => table,
            _ => Map::new(),
        }
    }
}

/// The credential of an entry of `auths`; an entry without one is left behind by helpers.
fn credential(entry: &Value) -> Result<Option<Credential>, String> {
    let text = |key: &str| {
        entry
            .get(key)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    if let Some(token) = text("identitytoken") {
        return Ok(Some(Credential::IdentityToken(super::Secret::new(token))));
    }
    let Some(auth) = text("auth") else {
        let password = text("password").unwrap_or_default();
        return Ok(text("username").map(|username| Credential::new(username, password)));
    };
    let wrong = || "`auth` is not base64 of `USER:PASSWORD`".to_owned();
    let bytes = STANDARD.decode(auth.trim()).map_err(|_| wrong())?;
    let decoded = String::from_utf8(bytes).map_err(|_| wrong())?;
    let (username, password) = decoded.split_once(':').ok_or_else(wrong)?;
    let password = password.trim_matches('\0');
    Ok((!username.is_empty()).then(|| Credential::new(username, password)))
}

/// The names under which docker keeps a host, the usual one first.
fn keys(host: &str) -> Vec<&str> {
    match host {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => {
            vec![
                DOCKER_HUB_KEY,
                "index.docker.io",
                "docker.io",
                "registry-1.docker.io",
            ]
        }
        host => vec![host],
    }
}

/// The host of a key: without scheme and path.
fn hostname(key: &str) -> &str {
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| key.strip_prefix(scheme))
        .unwrap_or(key);
    rest.split_once('/').map_or(rest, |(host, _)| host)
}

/// The folder of docker's configuration: `$DOCKER_CONFIG`, else `~/.docker`.
pub(super) fn folder(environment: &crate::environment::Environment) -> Option<PathBuf> {
    environment
        .get("DOCKER_CONFIG")
        .map(|folder| environment.directory().join(folder))
        .or_else(|| environment.home().map(|home| home.join(".docker")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(config: &str, host: &str) -> Result<Found, String> {
        DockerConfig::parse(config).unwrap().find(host)
    }

    fn password(username: &str, password: &str) -> Found {
        Found::Credential(Credential::new(username, password))
    }

    fn helper(name: &str, server: &str) -> Found {
        Found::Helper {
            name: name.to_owned(),
            server: server.to_owned(),
        }
    }

    #[test]
    fn credentials_in_auths_under_any_name_of_the_host() {
        // "alice:hunter2", "bob:pw:d\0"
        let config = r#"{"auths":{"https://index.docker.io/v1/":{"auth":"YWxpY2U6aHVudGVyMg=="},
            "registry.example":{"auth":"Ym9iOnB3OmQA"},
            "https://Old.example:5000/v1/":{"auth":"YWxpY2U6aHVudGVyMg=="},
            "plain.example":{"username":"carol","password":"secret"},
            "azure.example":{"auth":"Og==","identitytoken":"refresh"},
            "marker.example":{}, "none.example":{"auth":"Og=="}}}"#;
        for (host, found) in [
            ("docker.io", password("alice", "hunter2")),
            ("registry-1.docker.io", password("alice", "hunter2")),
            ("registry.example", password("bob", "pw:d")),
            ("old.example:5000", password("alice", "hunter2")),
            ("plain.example", password("carol", "secret")),
            (
                "azure.example",
                Found::Credential(Credential::IdentityToken(super::super::Secret::new("refresh"))),
            ),
            ("marker.example", Found::Nobody),
            ("none.example", Found::Nobody),
            ("other.example", Found::Nobody),
            ("old.example", Found::Nobody),
        ] {
            assert_eq!(find(config, host), Ok(found), "{host}");
        }
        let secrets = DockerConfig::parse(config).unwrap().secrets();
        for secret in ["hunter2", "YWxpY2U6aHVudGVyMg==", "refresh", "secret"] {
            assert!(
                secrets.iter().any(|known| known == secret),
                "{secret}: {secrets:?}"
            );
        }
        assert!(!secrets.iter().any(|known| known == "Og=="));
    }

    #[test]
    fn credentials_helpers_come_first_and_their_own_before_the_common_one() {
        let config = r#"{"auths":{"a.example":{"auth":"YWxpY2U6aHVudGVyMg=="},"c.example":{"auth":"YWxpY2U6aHVudGVyMg=="}},
            "credsStore":"common","credHelpers":{"b.example":"own","docker.io":"hub","c.example":""}}"#;
        assert_eq!(find(config, "a.example"), Ok(helper("common", "a.example")));
        assert_eq!(find(config, "b.example"), Ok(helper("own", "b.example")));
        assert_eq!(find(config, "docker.io"), Ok(helper("hub", "docker.io")));
        assert_eq!(find(config, "c.example"), Ok(password("alice", "hunter2")));
        let config = r#"{"credsStore":"common"}"#;
        assert_eq!(find(config, "docker.io"), Ok(helper("common", DOCKER_HUB_KEY)));
    }

    #[test]
    fn credentials_of_a_damaged_file_are_an_error_that_shows_nothing_of_it() {
        assert_eq!(DockerConfig::parse(" \n"), Ok(DockerConfig::default()));
        for damaged in ["{", "[]", "hunter2", r#"{"auths":hunter2}"#] {
            let error = DockerConfig::parse(damaged).unwrap_err();
            assert!(error.contains("line 1") && !error.contains("hunter2"), "{error}");
        }
        for auth in ["hunter2", "aHVudGVyMg=="] {
            let config = format!(r#"{{"auths":{{"a.example":{{"auth":"{auth}"}}}}}}"#);
            let error = find(&config, "a.example").unwrap_err();
            assert!(
                error.contains("base64") && error.contains("`a.example`") && !error.contains("hunter2"),
                "{error}"
            );
        }
        for (config, place) in [
            (r#"{"auths":"hunter2"}"#, "`auths` is no table"),
            (
                r#"{"auths":{"https://a.example/v1/":"hunter2"}}"#,
                "`auths.a.example` is no table",
            ),
            (r#"{"credsStore":{"hunter2":1}}"#, "`credsStore` is no text"),
            (r#"{"credHelpers":["hunter2"]}"#, "`credHelpers` is no table"),
            (
                r#"{"credHelpers":{"a.example":7}}"#,
                "`credHelpers.a.example` is no text",
            ),
        ] {
            let error = DockerConfig::parse(config).unwrap_err();
            assert!(error.contains(place) && !error.contains("hunter2"), "{error}");
        }
        assert!(
            DockerConfig::parse(r#"{"auths":null,"credHelpers":null,"credsStore":null,"x":[1]}"#).is_ok()
        );
    }

    #[test]
    fn credentials_that_are_put_in_win_over_everything_for_that_host_alone() {
        let config = r#"{"auths":{"https://a.example/v1/":{"auth":"YWxpY2U6aHVudGVyMg=="},"b.example":{"auth":"YWxpY2U6aHVudGVyMg=="}},
            "credsStore":"common","credHelpers":{"a.example":"own","c.example":"other"},
            "currentContext":"far","proxies":{"default":{"httpProxy":"http://proxy"}}}"#;
        let config = DockerConfig::parse(config).unwrap();
        let given = Credential::new("user", "word");
        let with = config.with_credential("a.example", &given);
        assert_eq!(with.find("a.example"), Ok(password("user", "word")));
        assert_eq!(with.find("b.example"), Ok(helper("common", "b.example")));
        assert_eq!(with.find("c.example"), Ok(helper("other", "c.example")));
        let text = with.text();
        assert!(
            text.contains(r#""currentContext":"far""#) && text.contains("http://proxy"),
            "{text}"
        );
        assert!(!text.contains("https://a.example/v1/"), "{text}");

        let with = DockerConfig::default().with_credential("docker.io", &given);
        assert_eq!(
            with.text(),
            r#"{"auths":{"https://index.docker.io/v1/":{"auth":"dXNlcjp3b3Jk"}}}"#
        );
        let token = Credential::new("<token>", "refresh");
        let with = DockerConfig::default().with_credential("a.example", &token);
        assert_eq!(with.find("a.example"), Ok(Found::Credential(token)));
        assert_eq!(with.clone().without_host("b.example"), None);
        assert_eq!(with.without_host("a.example").unwrap().text(), r#"{"auths":{}}"#);
    }
}
