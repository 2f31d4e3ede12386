//! The JSON Schema of suites, made from the types of the format.

use super::format::Document;
use mpcheck_reports::schema_text;
use schemars::generate::SchemaSettings;

/// Where the schema is published. Editors may fetch it; nothing here does.
pub const SCHEMA_ID: &str = "https://raw.githubusercontent.com/mpcheck/mpcheck/main/suites/suite.schema.json";

/// The JSON Schema (draft 2020-12) of a suite file, indented, with a newline at its end.
///
/// `suites/suite.schema.json` is this text; `mpcheck schema suite` prints it.
#[must_use]
pub fn suite_schema() -> String {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Document>();
    schema_text(schema, SCHEMA_ID, "A suite of mpcheck")
}

#[cfg(test)]
mod tests {
    use super::super::Problem;
    use super::super::yaml::{documents, options};
    use super::*;
    use rstest::rstest;
    use serde_json::Value;
    use std::path::Path;

    fn schema() -> Value {
        serde_json::from_str(&suite_schema()).unwrap()
    }

    /// What the schema has against a suite.
    fn errors(yaml: &str) -> Vec<String> {
        let suite: Value = serde_saphyr::from_str_with_options(yaml, options()).unwrap();
        let validator = jsonschema::validator_for(&schema()).unwrap();
        validator.iter_errors(&suite).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    #[test]
    fn the_committed_schema_is_the_generated_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/suites/suite.schema.json");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == suite_schema(), "suites/suite.schema.json is not what the types say: run `make schema`");
    }

    #[test]
    fn it_says_what_it_is() {
        let schema = schema();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["$id"], SCHEMA_ID);
        assert_eq!(schema["title"], "A suite of mpcheck");
        assert!(jsonschema::meta::is_valid(&schema));
    }

    /// Editors show these, so each makes sense outside of Rust.
    #[test]
    fn every_key_is_described() {
        let schema = schema();
        let types = schema["$defs"].as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value));
        let mut keys = 0;
        for (name, definition) in types.chain([("Suite", &schema)]) {
            let own = definition["description"].as_str().unwrap_or_default();
            assert!(!own.is_empty() && !own.contains("[`"), "{name}: {own:?}");
            assert_eq!(definition["additionalProperties"], false, "{name}");
            for (key, value) in definition["properties"].as_object().into_iter().flatten() {
                let text = value["description"].as_str().unwrap_or_default();
                assert!(!text.is_empty() && !text.contains("[`"), "{name}.{key}: {text:?}");
                assert!(key.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{name}.{key}");
                keys += 1;
            }
        }
        assert!(keys > 50, "only {keys} keys were seen");
    }

    #[test]
    fn a_suite_with_every_key_fits_it() {
        assert_eq!(errors(include_str!("load/whole.yaml")), [""; 0]);
    }

    #[test]
    fn a_suite_with_every_key_of_a_build_fits_it() {
        assert_eq!(errors(include_str!("resolve/build/whole.yaml")), [""; 0]);
    }

    #[test]
    fn one_port_fits_it() {
        assert_eq!(errors("version: 1\nimages: [{image: a, metadata: {ports: 8080, not-ports: 53/udp}}]\n"), [""; 0]);
    }

    /// What reading refuses without knowing what texts mean, the schema refuses too.
    #[rstest]
    #[case("version: 2\nimages: [{image: a}]\n")]
    #[case("images: [{image: a}]\n")]
    #[case("version: 1\nimage: a\n")]
    #[case("version: 1\nimages: a\n")]
    #[case("version: 1\nimages: [a]\n")]
    #[case("version: 1\nimages: [{name: a}]\n")]
    #[case("version: 1\nimages: [{image: a, comand: b}]\n")]
    #[case("version: 1\nimages: [{image: {a: b}}]\n")]
    #[case("version: 1\nimages: [{image: a, exact: sure}]\n")]
    #[case("version: 1\nimages: [{image: a, fail-on: note}]\n")]
    #[case("version: 1\nimages: [{image: a, severities: {binary/malformed: fatal}}]\n")]
    #[case("version: 1\nimages: [{image: a, run: fast}]\n")]
    #[case("version: 1\nimages: [{image: a, run: {with: podman}}]\n")]
    #[case("version: 1\nimages: [{image: a, run: {commands: [{name: a}]}}]\n")]
    #[case("version: 1\nimages: [{image: a, run: {commands: [{command: a, exit: many}]}}]\n")]
    #[case("version: 1\nimages: [{image: a, run: {commands: [{command: a, stdout: 3.10}]}}]\n")]
    #[case("version: 1\nimages: [{image: a, allow-foreign: [{path: /a}]}]\n")]
    #[case("version: 1\nimages: [{image: a, files: [{path: /a, type: fifo}]}]\n")]
    #[case("version: 1\nimages: [{image: a, metadata: {env: {A: {match: b}}}}]\n")]
    #[case("version: 1\nhost: {severities: {}}\n")]
    #[case("version: 1\nbuilds: [a]\n")]
    #[case("version: 1\nbuilds: [{context: a, exact: true}]\n")]
    #[case("version: 1\nbuilds: [{context: a, options: --pull}]\n")]
    fn what_reading_refuses_does_not_fit_it(#[case] yaml: &str) {
        let refused: Result<_, Problem> = documents(Path::new("a.yaml"), yaml);
        let refused = refused.map(|documents| documents.iter().all(|document| document.unknown.is_empty()));
        assert!(!matches!(refused, Ok(true)), "it is read");
        assert!(!errors(yaml).is_empty(), "it fits");
    }
}
