//! The JSON Schema of the report, made from the types of [`crate::model`].

use schemars::Schema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::model::Report;

/// Where the schema is published. It names the format and is not fetched by anything here.
pub const SCHEMA_ID: &str = "https://raw.githubusercontent.com/mpcheck/mpcheck/main/suites/report.schema.json";

/// The JSON Schema (draft 2020-12) of a written report, indented, with a newline at its end.
///
/// `suites/report.schema.json` is this text; `mpcheck schema report` prints it.
pub fn report_schema() -> String {
    // For what is written, not for what is accepted: a reader wants to know
    // which fields are always there, also where their value is null.
    let schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Report>();
    schema_text(schema, SCHEMA_ID, "The report of mpcheck")
}

/// A generated schema as it is published: with its address and title, indented, a newline at its end, and the same
/// whatever crates are built with it.
pub fn schema_text(mut schema: Schema, id: &str, title: &str) -> String {
    schema.insert("$id".to_owned(), id.into());
    schema.insert("title".to_owned(), title.into());
    // `{:#}` is the indented form, and unlike `to_string_pretty` has no error to handle.
    format!("{:#}\n", in_order(schema.into()))
}

/// The same value with the keys of every object sorted: whether `serde_json`
/// sorts them itself hangs on a feature that any crate of a build may turn on.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{sample, to_json};
    use rstest::rstest;
    use serde_json::json;

    fn schema() -> Value {
        serde_json::from_str(&report_schema()).unwrap()
    }

    #[test]
    fn the_committed_schema_is_the_generated_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../suites/report.schema.json");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == report_schema(),
            "suites/report.schema.json is not what the types say; write it anew with\n\
             \n    mpcheck schema report > suites/report.schema.json\n\
             \nand raise the version in SCHEMA if a reader of reports could notice the change. Wanted:\n{}",
            report_schema()
        );
    }

    #[test]
    fn it_says_what_it_is() {
        let schema = schema();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["$id"], SCHEMA_ID);
        assert_eq!(schema["title"], "The report of mpcheck");
        assert_eq!(schema["properties"]["schema"]["const"], crate::SCHEMA);
        assert!(jsonschema::meta::is_valid(&schema));
    }

    /// Every field of every type is described, in words that make sense outside of Rust.
    #[test]
    fn every_field_is_described() {
        let schema = schema();
        let mut fields = 0;
        let types = schema["$defs"].as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value));
        for (name, definition) in types.chain([("Report", &schema)]) {
            let own = definition["description"].as_str().unwrap_or_default();
            assert!(!own.is_empty() && !own.contains("[`"), "{name}: {own:?}");
            for (field, value) in definition["properties"].as_object().into_iter().flatten() {
                let text = value["description"].as_str().unwrap_or_default();
                assert!(!text.is_empty() && !text.contains("[`"), "{name}.{field}: {text:?}");
                fields += 1;
            }
        }
        assert!(fields > 30, "only {fields} fields were seen");
    }

    #[rstest]
    #[case(sample::passed())]
    #[case(sample::failed())]
    #[case(sample::unreachable())]
    fn a_report_fits_it(#[case] report: crate::Report) {
        let report: Value = serde_json::from_str(&to_json(&report)).unwrap();
        let validator = jsonschema::validator_for(&schema()).unwrap();
        let errors: Vec<_> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
        assert_eq!(errors, [""; 0]);
    }

    #[rstest]
    #[case("/schema", json!("mpcheck.report/v2"))]
    #[case("/verdict", json!("fine"))]
    #[case("/duration_ms", json!(-1))]
    #[case("/images/0/platforms/0/checks/0/status", json!("ok"))]
    #[case("/findings/0/severity", json!("fatal"))]
    #[case("/findings/0/message", json!(null))]
    #[case("/findings/0/layer/index", json!("3"))]
    fn a_wrong_value_does_not_fit_it(#[case] place: &str, #[case] wrong: Value) {
        let mut report: Value = serde_json::from_str(&to_json(&sample::failed())).unwrap();
        *report.pointer_mut(place).unwrap() = wrong;
        assert!(!jsonschema::validator_for(&schema()).unwrap().is_valid(&report), "{place}");
    }

    #[test]
    fn a_field_that_is_null_must_still_be_there() {
        let mut report: Value = serde_json::from_str(&to_json(&sample::failed())).unwrap();
        report["findings"][0].as_object_mut().unwrap().remove("cause").unwrap();
        assert!(!jsonschema::validator_for(&schema()).unwrap().is_valid(&report));
    }

    #[test]
    fn keys_are_sorted_at_every_depth() {
        let value = in_order(json!({"b": [{"d": 1, "c": 2}], "a": {"f": 1, "e": 2}}));
        assert_eq!(value.to_string(), r#"{"a":{"e":2,"f":1},"b":[{"c":2,"d":1}]}"#);
    }
}
