//! What a registry asks for in `WWW-Authenticate` (RFC 9110, section 11.6.1), read generously: registries in the wild send lower-case
//! schemes, values without quotes, several challenges in one header or several headers.

/// A way to authenticate that a registry offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A token from the token server at `realm` (distribution's token authentication).
    Bearer {
        /// URL of the token server, or a path on the registry itself.
        realm: String,
        /// The name by which the token server knows the registry.
        service: Option<String>,
    },
    /// User name and password with each request.
    Basic,
}

const KNOWN: [&str; 5] = ["basic", "bearer", "digest", "negotiate", "ntlm"];

/// All usable challenges of these header values, in their order. Schemes that are not known are left out.
pub(super) fn parse<'a>(values: impl IntoIterator<Item = &'a str>) -> Vec<Challenge> {
    let mut challenges = Vec::new();
    for value in values {
        let mut open: Option<(String, Vec<(String, String)>)> = None;
        let mut scanner = Scanner(value);
        while let Some(token) = scanner.token() {
            if let Some(text) = scanner.value() {
                if let Some((_, parameters)) = &mut open {
                    parameters.push((token.to_ascii_lowercase(), text));
                }
                continue;
            }
            let scheme = token.to_ascii_lowercase();
            // A bare word may also be the rest of an unquoted value (`scope=repository:a:pull,push`).
            if KNOWN.contains(&scheme.as_str()) || open.is_none() {
                challenges.extend(open.take().and_then(usable));
                open = Some((scheme, Vec::new()));
            }
        }
        challenges.extend(open.and_then(usable));
    }
    challenges
}

fn usable((scheme, parameters): (String, Vec<(String, String)>)) -> Option<Challenge> {
    let get = |name: &str| {
        parameters
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.clone())
    };
    match scheme.as_str() {
        "basic" => Some(Challenge::Basic),
        "bearer" => Some(Challenge::Bearer {
            realm: get("realm")?,
            service: get("service"),
        }),
        _ => None,
    }
}

struct Scanner<'a>(&'a str);

impl<'a> Scanner<'a> {
    /// The next word: a scheme, or the name of a parameter.
    fn token(&mut self) -> Option<&'a str> {
        self.0 = self
            .0
            .trim_start_matches(|c: char| c.is_whitespace() || matches!(c, ',' | '=' | '"'));
        let end = self
            .0
            .find(|c: char| c.is_whitespace() || matches!(c, ',' | '=' | '"'))
            .unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        (!token.is_empty()).then_some(token)
    }

    /// The value of a parameter whose name was just read; `None` when no `=` follows.
    fn value(&mut self) -> Option<String> {
        let rest = self.0.trim_start().strip_prefix('=')?.trim_start();
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut value = String::new();
            let mut characters = quoted.chars();
            while let Some(character) = characters.next() {
                match character {
                    '"' => {
                        self.0 = characters.as_str();
                        return Some(value);
                    }
                    '\\' => value.extend(characters.next()),
                    character => value.push(character),
                }
            }
            self.0 = "";
            return Some(value);
        }
        let end = rest
            .find(|c: char| c.is_whitespace() || c == ',')
            .unwrap_or(rest.len());
        let (value, rest) = rest.split_at(end);
        self.0 = rest;
        Some(value.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>) -> Challenge {
        Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
        }
    }

    #[test]
    fn registry_challenges_in_all_their_forms() {
        let hub = bearer("https://auth.docker.io/token", Some("registry.docker.io"));
        for (values, expected) in [
            (
                vec![
                    r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push",error="insufficient_scope""#,
                ],
                vec![hub.clone()],
            ),
            (vec!["basic realm=/v2/acme/devbox"], vec![Challenge::Basic]),
            (vec!["Basic"], vec![Challenge::Basic]),
            (
                vec!["bearer realm=/v2/auth , Service = x"],
                vec![bearer("/v2/auth", Some("x"))],
            ),
            (
                vec![r#"Basic realm="a, Bearer realm=b", BEARER REALM="c\"d""#],
                vec![Challenge::Basic, bearer("c\"d", None)],
            ),
            (
                vec!["Negotiate", r#"Bearer service="s",realm="r""#, "Basic realm=x"],
                vec![bearer("r", Some("s")), Challenge::Basic],
            ),
            (
                vec!["Bearer realm=https://a/t,scope=repository:a/b:pull,push,service=y"],
                vec![bearer("https://a/t", Some("y"))],
            ),
            (
                vec!["Negotiate YWJj==, Basic realm=\"r\""],
                vec![Challenge::Basic],
            ),
            (vec!["Bearer service=x"], vec![]),
            (vec!["Bearer realm=\"unclosed"], vec![bearer("unclosed", None)]),
            (vec!["", ",,", "=", "\"", "Digest qop=\"auth\""], vec![]),
        ] {
            assert_eq!(parse(values.iter().copied()), expected, "{values:?}");
        }
    }
}
