//! The JSON Schema of suites, made from the types of the format.

use super::format::Document;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

/// Where the schema is published. Editors may fetch it; nothing here does.
pub const SCHEMA_ID: &str = "https://raw.githubusercontent.com/mpcheck/mpcheck/main/suites/suite.schema.json";

/// The JSON Schema (draft 2020-12) of a suite file, indented, with a newline at its end.
///
/// `suites/suite.schema.json` is this text; `mpcheck schema suite` prints it.
#[must_use]
pub fn suite_schema() -> String {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Document>();
    schema.insert("$id".to_owned(), SCHEMA_ID.into());
    schema.insert("title".to_owned(), "A suite of mpcheck".into());
    format!("{:#}\n", in_order(schema.into()))
}

/// The same value with the keys of every object sorted: whether `serde_json` sorts them itself hangs on a feature that
/// any crate of a build may turn on.
fn in_order(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<(String, Value)> = fields.into_iter().collect();
            fields.sort_by(|left, right| left.0.cmp(&right.0));
            Value::Object(fields.into_iter().map(|(key, value)| (key, in_order(value))).collect::<Map<_, _>>())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(in_order).collect()),
        other => other,
    }
}
