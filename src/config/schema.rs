//! The JSON Schema of `variants.toml`, for editors.

use super::raw::RawFile;
use schemars::generate::SchemaSettings;

/// The JSON Schema (draft 2020-12) of a `variants.toml`, made from the same declarations that read it.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    let mut schema = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<RawFile>();
    schema.insert("title".to_owned(), "variants.toml".into());
    schema.to_value()
}
