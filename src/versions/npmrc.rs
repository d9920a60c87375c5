//! npm's settings, as far as a look-up needs them: which registry, and what to show it.
//!
//! As npm does it: variables `npm_config_*` win over the project's `.npmrc`, that over the user's, that over the global one.

use crate::environment::Environment;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use url::Url;

/// The registry that is asked when no other is set.
const DEFAULT_REGISTRY: &str = "https://registry.npmjs.org/";
const PREFIX: &str = "npm_config_";

/// The settings of all places, merged. `Debug` shows no values, since some are secret.
#[derive(Clone, Default)]
pub struct Settings {
    values: BTreeMap<String, Value>,
}

#[derive(Clone)]
struct Value {
    text: String,
    /// Variables that it names and that are not set.
    missing: Vec<String>,
    /// Where it was set, for messages.
    place: String,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.values.keys()).finish()
    }
}

impl Settings {
    /// Reads the settings that hold for the project in `root`.
    ///
    /// # Errors
    /// A file is there but cannot be read.
    pub fn load(root: &Path, environment: &Environment) -> Result<Self, String> {
        let variables = variables(environment);
        let global = variables.get("globalconfig").map(|(_, path)| PathBuf::from(path));
        let user = variables
            .get("userconfig")
            .map(|(_, path)| PathBuf::from(path))
            .or_else(|| environment.home().map(|home| home.join(".npmrc")));
        let mut settings = Self::default();
        for path in [global, user, Some(root.join(".npmrc"))].into_iter().flatten() {
            if let Some(text) = read(&environment.directory().join(&path))? {
                settings.add_file(&text, &path.display().to_string(), environment);
            }
        }
        for (key, (variable, value)) in variables {
            settings.add(&key, &value, &variable, environment);
        }
        Ok(settings)
    }

    /// Adds what an `.npmrc` says; it wins over what is there.
    pub(super) fn add_file(&mut self, text: &str, place: &str, environment: &Environment) {
        for line in text.trim_start_matches('\u{feff}').lines().map(str::trim) {
            if line.starts_with('[') && line.ends_with(']') {
                // What stands in a section is not a setting of npm's.
                return;
            }
            if line.is_empty() || line.starts_with([';', '#']) {
                continue;
            }
            if let Some((key, value)) = line.split_once('=') {
                self.add(&unquote(key), &unquote(value), place, environment);
            }
        }
    }

    fn add(&mut self, key: &str, value: &str, place: &str, environment: &Environment) {
        let (key, _) = expand(key, environment);
        let (text, missing) = expand(value, environment);
        let value = Value {
            text,
            missing,
            place: place.to_owned(),
        };
        self.values.insert(key, value);
    }

    /// The registry of a package: that of its scope, or else the general one.
    ///
    /// # Errors
    /// What is set there is not a URL.
    pub fn registry(&self, package: &str) -> Result<Url, String> {
        let scope = package
            .split_once('/')
            .map(|(scope, _)| format!("{scope}:registry"))
            .filter(|key| key.starts_with('@'));
        let set = scope
            .and_then(|key| self.values.get_key_value(&key))
            .or_else(|| self.values.get_key_value("registry"));
        let Some((key, value)) = set else {
            return parse(DEFAULT_REGISTRY).ok_or_else(|| format!("parse `{DEFAULT_REGISTRY}`"));
        };
        if let Some(variable) = value.missing.first() {
            return Err(format!(
                "`{key}` in {} names the variable `{variable}`, which is not set",
                value.place
            ));
        }
        parse(&value.text).ok_or_else(|| {
            format!(
                "`{key}` in {} is not a URL that starts with http:// or https://",
                value.place
            )
        })
    }

    /// The `Authorization` that belongs to an address: that of the longest `//host/path/` that it lies under, and of no other.
    #[must_use]
    pub fn authorization(&self, address: &Url) -> Option<HeaderValue> {
        match self.found(address)? {
            (_, Credentials::Sent(header)) => Some(header),
            (_, Credentials::Withheld) => None,
        }
    }

    /// Why no credentials go to an address although some are set for it.
    pub(super) fn withheld(&self, address: &Url) -> Option<String> {
        let (key, Credentials::Withheld) = self.found(address)? else {
            return None;
        };
        let missing = self
            .values
            .iter()
            .filter(|(name, _)| name.starts_with(&format!("{key}:")))
            .find_map(|(_, value)| value.missing.first().map(|variable| (variable, &value.place)));
        Some(match missing {
            Some((variable, place)) => format!(
                "the credentials for {key} in {place} were not sent: they name the variable `{variable}`, which is not set"
            ),
            None => format!("the credentials for {key} were not sent: they cannot stand in a header"),
        })
    }

    /// Whether credentials are set that are bound to no host, which npm has refused since version 9.
    pub(super) fn has_unbound_credentials(&self) -> bool {
        ["_authToken", "_auth", "_password"]
            .iter()
            .any(|key| self.values.contains_key(*key))
    }

    /// The longest key that an address lies under and that has credentials, and these.
    fn found(&self, address: &Url) -> Option<(String, Credentials)> {
        let host = address.host_str()?;
        let port = address.port().map(|port| format!(":{port}")).unwrap_or_default();
        let mut key = format!("//{host}{port}{}", address.path());
        // Away goes what stands behind the last slash, or else that slash, until only `//` is left.
        while key.len() > 2 {
            if let Some(header) = self.credentials(&key) {
                return Some((key, header));
            }
            let keep = match key.rfind('/') {
                Some(slash) if slash + 1 == key.len() => slash,
                Some(slash) => slash + 1,
                None => 0,
            };
            key.truncate(keep);
        }
        None
    }

    /// The credentials under one key.
    fn credentials(&self, key: &str) -> Option<Credentials> {
        let get = |name: &str| {
            self.values
                .get(&format!("{key}:{name}"))
                .filter(|value| !value.text.is_empty())
        };
        let as_they_are = |kind: &str, value: &Value| {
            let text = format!("{kind} {}", value.text);
            let header = value.missing.is_empty().then(|| header(&text)).flatten();
            header.map_or(Credentials::Withheld, Credentials::Sent)
        };
        if let Some(token) = get("_authToken") {
            return Some(as_they_are("Bearer", token));
        }
        if let Some(basic) = get("_auth") {
            return Some(as_they_are("Basic", basic));
        }
        let (user, password) = (get("username")?, get("_password")?);
        let header = STANDARD
            .decode(password.text.trim())
            .ok()
            .filter(|_| user.missing.is_empty() && password.missing.is_empty())
            .map(|secret| [user.text.as_bytes(), b":", &secret].concat())
            .and_then(|pair| header(&format!("Basic {}", STANDARD.encode(pair))));
        Some(header.map_or(Credentials::Withheld, Credentials::Sent))
    }
}

/// Credentials that are set.
enum Credentials {
    Sent(HeaderValue),
    /// They name a variable that is not set, or cannot stand in a header.
    Withheld,
}

fn header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A registry's URL, with the slash at its end that joining needs.
fn parse(text: &str) -> Option<Url> {
    let mut address = Url::parse(text.trim()).ok()?;
    if !matches!(address.scheme(), "http" | "https") || address.host_str().is_none() {
        return None;
    }
    if !address.path().ends_with('/') {
        let path = format!("{}/", address.path());
        address.set_path(&path);
    }
    address.set_query(None);
    address.set_fragment(None);
    Some(address)
}

/// The settings among the variables: key, then variable and value. Of two spellings the one in small letters wins.
fn variables(environment: &Environment) -> BTreeMap<String, (String, String)> {
    let mut found = BTreeMap::new();
    for (variable, value) in environment.iter() {
        let setting = variable.split_at_checked(PREFIX.len());
        let setting = setting.filter(|(start, _)| start.eq_ignore_ascii_case(PREFIX));
        let Some((_, name)) = setting.filter(|_| !value.is_empty()) else {
            continue;
        };
        let key = if name.starts_with("//") {
            name.to_owned()
        } else {
            // An underscore at the start belongs to the name.
            let (first, rest) = name.split_at(name.chars().next().map_or(0, char::len_utf8));
            format!("{first}{}", rest.replace('_', "-")).to_lowercase()
        };
        found.insert(key, (variable.to_owned(), value.to_owned()));
    }
    found
}

#[expect(clippy::disallowed_methods, reason = "`versions` reads npm's settings")]
fn read(path: &Path) -> Result<Option<String>, String> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("read {}: {error}", path.display())),
    }
}

/// A key or value as npm's INI files write it: quoted, or up to a comment with `\` before what would start one.
fn unquote(text: &str) -> String {
    let text = text.trim();
    if let Some(inner) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return inner.to_owned();
    }
    if text.len() > 1 && text.starts_with('"') && text.ends_with('"') {
        return serde_json::from_str(text).unwrap_or_else(|_| text.to_owned());
    }
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            ';' | '#' => break,
            '\\' => match letters.next_if(|next| matches!(next, ';' | '#' | '\\')) {
                Some(escaped) => plain.push(escaped),
                None => plain.push('\\'),
            },
            other => plain.push(other),
        }
    }
    plain.trim().to_owned()
}

/// Fills in `${NAME}` (`${NAME?}` may be unset, `\${NAME}` is meant as it stands). Also says which variables are not set.
fn expand(text: &str, environment: &Environment) -> (String, Vec<String>) {
    let mut filled = String::with_capacity(text.len());
    let mut missing = Vec::new();
    let mut rest = text;
    while let Some((before, body)) = rest.split_once("${") {
        let name = body.split(['$', '{', '}']).next().unwrap_or(body);
        let behind = body
            .strip_prefix(name)
            .and_then(|behind| behind.strip_prefix('}'));
        let Some(behind) = behind.filter(|_| !name.is_empty()) else {
            filled.push_str(before);
            filled.push_str("${");
            rest = body;
            continue;
        };
        let plain = before.trim_end_matches('\\');
        let backslashes = before.len() - plain.len();
        filled.push_str(plain);
        filled.push_str(&"\\".repeat(backslashes / 2));
        let whole = format!("${{{name}}}");
        let optional = name.strip_suffix('?');
        match environment.get(optional.unwrap_or(name)) {
            _ if backslashes % 2 == 1 => filled.push_str(&whole),
            Some(value) => filled.push_str(value),
            None if optional.is_some() => {}
            None => {
                missing.push(name.to_owned());
                filled.push_str(&whole);
            }
        }
        rest = behind;
    }
    filled.push_str(rest);
    (filled, missing)
}
