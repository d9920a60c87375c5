//! The JSON Schema is up to date, and says the same as the reader.

use super::{example, parsed};
use crate::config::json_schema;
use serde_json::{Value, json};

const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/variants.schema.json");
const REFERENCE: &str = include_str!("../../../docs/reference/variants-toml.md");

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the one test that can write the file it checks"
)]
fn the_kept_schema_is_up_to_date() {
    let schema = format!("{}\n", serde_json::to_string_pretty(&json_schema()).unwrap());
    if std::env::var_os("SPLITBASE_UPDATE_SCHEMA").is_some() {
        std::fs::write(KEPT, &schema).unwrap();
    }
    let kept = std::fs::read_to_string(KEPT).unwrap();
    assert!(
        kept == schema,
        "run the tests once with SPLITBASE_UPDATE_SCHEMA=1"
    );
}

/// Whether a value is as a schema asks; only the words that the schema uses are known.
fn fits(schema: &Value, value: &Value, root: &Value) -> bool {
    let Some(words) = schema.as_object() else {
        return schema != &json!(false);
    };
    words.iter().all(|(word, wanted)| match word.as_str() {
        "$ref" => {
            let path = wanted.as_str().unwrap().trim_start_matches('#');
            fits(root.pointer(path).unwrap(), value, root)
        }
        "type" => match wanted {
            Value::Array(wanted) => wanted.iter().any(|wanted| is_a(wanted, value)),
            wanted => is_a(wanted, value),
        },
        "properties" => wanted
            .as_object()
            .unwrap()
            .iter()
            .all(|(key, wanted)| value.get(key).is_none_or(|value| fits(wanted, value, root))),
        "additionalProperties" => value.as_object().is_none_or(|object| {
            let known = |key| schema["properties"].get(key).is_some();
            object
                .iter()
                .all(|(key, value)| known(key) || fits(wanted, value, root))
        }),
        "required" => wanted
            .as_array()
            .unwrap()
            .iter()
            .all(|key| value.get(key.as_str().unwrap()).is_some()),
        "items" => value
            .as_array()
            .is_none_or(|items| items.iter().all(|item| fits(wanted, item, root))),
        "enum" => wanted.as_array().unwrap().contains(value),
        "const" => wanted == value,
        "anyOf" => wanted
            .as_array()
            .unwrap()
            .iter()
            .any(|wanted| fits(wanted, value, root)),
        "oneOf" => {
            wanted
                .as_array()
                .unwrap()
                .iter()
                .filter(|wanted| fits(wanted, value, root))
                .count()
                == 1
        }
        "minimum" => value
            .as_f64()
            .is_none_or(|value| value >= wanted.as_f64().unwrap()),
        "maximum" => value
            .as_f64()
            .is_none_or(|value| value <= wanted.as_f64().unwrap()),
        "minLength" => value.as_str().is_none_or(|value| !value.is_empty()),
        "pattern" | "examples" | "description" | "title" | "$schema" | "$defs" => true,
        other => panic!("`{other}` is not known to this test"),
    })
}

fn is_a(wanted: &Value, value: &Value) -> bool {
    match wanted.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64(),
        other => panic!("`{other}` is not known to this test"),
    }
}

fn example_json() -> Value {
    serde_json::to_value(toml::from_str::<toml::Table>(&example()).unwrap()).unwrap()
}

fn read(value: &Value) -> bool {
    parsed(&toml::to_string(value).unwrap()).is_ok()
}

/// Pointers to every value of a document.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(object) => object
            .iter()
            .for_each(|(key, value)| pointers(value, &format!("{at}/{}", escaped(key)), found)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, value)| pointers(value, &format!("{at}/{index}"), found)),
        _ => {}
    }
}

#[test]
fn both_take_the_example() {
    let (schema, example) = (json_schema(), example_json());
    assert!(fits(&schema, &example, &schema));
    assert!(read(&example));
}

#[test]
fn both_refuse_the_same() {
    let (schema, example) = (json_schema(), example_json());
    let mut found = Vec::new();
    pointers(&example, "", &mut found);
    assert!(found.len() > 80, "{found:?}");
    for pointer in &found {
        // Nothing in the file is a number with a fraction.
        if !pointer.is_empty() {
            let mut changed = example.clone();
            *changed.pointer_mut(pointer).unwrap() = json!(1.5);
            assert!(
                !fits(&schema, &changed, &schema),
                "the schema takes 1.5 at {pointer}"
            );
            assert!(!read(&changed), "the reader takes 1.5 at {pointer}");
        }
        let mut changed = example.clone();
        if let Some(object) = changed.pointer_mut(pointer).unwrap().as_object_mut() {
            object.insert("Zzz".to_owned(), json!(1.5));
            assert!(
                !fits(&schema, &changed, &schema),
                "the schema takes a strange key at {pointer}"
            );
            assert!(!read(&changed), "the reader takes a strange key at {pointer}");
        }
    }
}

#[test]
fn both_need_the_same() {
    let (schema, example) = (json_schema(), example_json());
    for (table, key) in [
        ("", "schema"),
        ("", "family"),
        ("", "variants"),
        ("/family", "name"),
        ("/versions/TOOL_VERSION", "pattern"),
        ("/versions/TOOL_VERSION", "command"),
        ("/versions/TOOLKIT_REF", "git"),
        ("/build/secrets/0", "id"),
    ] {
        let mut changed = example.clone();
        let object = changed.pointer_mut(table).unwrap().as_object_mut().unwrap();
        object.remove(key).unwrap();
        assert!(
            !fits(&schema, &changed, &schema),
            "the schema does without `{key}`"
        );
        assert!(!read(&changed), "the reader does without `{key}`");
    }
}

/// Every key that the schema knows is told of in the reference.
#[test]
fn every_key_is_documented() {
    fn keys(schema: &Value, found: &mut Vec<String>) {
        match schema {
            Value::Object(object) => {
                for (word, value) in object {
                    if word == "properties" {
                        found.extend(value.as_object().unwrap().keys().cloned());
                    }
                    keys(value, found);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    keys(&json_schema(), &mut found);
    assert!(found.len() > 60);
    for key in found {
        let told = REFERENCE.contains(&format!("`{key}`")) || REFERENCE.contains(&format!("`[{key}]`"));
        assert!(told, "`{key}` is not in the reference");
    }
}
