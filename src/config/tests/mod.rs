//! Tests of the whole way from text to family.

mod builds;
mod forms;
mod loading;
mod placeholders;
mod publishing;
mod repositories;
mod robustness;
mod schema;
mod scope;
mod syntax;
mod values;

use super::{ConfigErrors, Family, Loaded, Overrides, parse};
use crate::environment::Environment;

/// The example of the design, with the keys that come with later versions.
const DESIGN: &str = include_str!("design.toml");

/// The same without them.
fn example() -> String {
    let text = DESIGN.replace(", min-age = \"24h\"", "");
    let lines = text.lines().filter(|line| !line.starts_with("max-growth"));
    lines.collect::<Vec<_>>().join("\n")
}

/// A file: these tables, and the smallest possible of those that are needed and not among them.
fn file(tables: &str) -> String {
    let mut text = format!("schema = 1\n{tables}\n");
    for (mark, table) in [
        (
            "[family]",
            "[family]\nname = \"devbox\"\nrepository = \"acme/devbox\"\n",
        ),
        ("[base", "[base]\n"),
        ("[variants", "[variants.full]\n"),
    ] {
        if !tables.contains(mark) {
            text.push_str(table);
        }
    }
    text
}

fn environment() -> Environment {
    Environment::of([("REGISTRY", "registry.example.org"), ("EMPTY", "")])
}

fn parsed(text: &str) -> Result<Loaded, ConfigErrors> {
    parse(
        text,
        "dir/variants.toml".into(),
        &environment(),
        &Overrides::default(),
    )
}

/// The family of a file that is good, made with [`file()`].
fn family(tables: &str) -> Family {
    let loaded = parsed(&file(tables)).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(loaded.warnings, []);
    loaded.family
}

/// What is wrong with a file that is made with [`file()`], as people see it.
fn report(tables: &str) -> String {
    match parsed(&file(tables)) {
        Ok(loaded) if loaded.warnings.is_empty() => "nothing".to_owned(),
        Ok(loaded) => super::render_all(&loaded.warnings, false),
        Err(errors) => errors.to_string(),
    }
}
