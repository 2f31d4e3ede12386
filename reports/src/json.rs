//! The report as JSON, and back.

use serde::Deserialize;

use crate::model::{Report, SCHEMA};

/// Why a text is not a report that can be read.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// It is not JSON, or lacks what every report has.
    #[error("not a report of mpcheck: {0}")]
    Shape(#[from] serde_json::Error),
    /// It is a report in another version of the format.
    #[error("the report has the schema {found:?}, and {SCHEMA:?} is wanted; use the version of mpcheck that wrote it")]
    Version {
        /// What stands in its field `schema`.
        found: String,
    },
}

/// The report as indented JSON that ends with a newline. Equal reports give equal bytes.
#[expect(clippy::expect_used, reason = "plain data with string keys always has a JSON form; only I/O could fail here")]
pub fn to_json(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(report).expect("a report is plain data");
    text.push('\n');
    text
}

/// Reads what [`to_json`] wrote.
///
/// The version comes first: a report of another version says so, rather than
/// which of its fields is unknown here. Unknown fields are ignored.
pub fn from_json(text: &str) -> Result<Report, JsonError> {
    #[derive(Deserialize)]
    struct Version {
        schema: String,
    }
    let Version { schema } = serde_json::from_str(text)?;
    if schema != SCHEMA {
        return Err(JsonError::Version { found: schema });
    }
    Ok(serde_json::from_str(text)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use rstest::rstest;

    #[rstest]
    #[case(sample::passed())]
    #[case(sample::failed())]
    #[case(sample::unreachable())]
    #[case(Report { host: Some(sample::host()), ..sample::passed() })]
    fn what_is_written_is_read_back(#[case] report: Report) {
        let text = to_json(&report);
        assert!(text.ends_with("}\n"));
        assert_eq!(from_json(&text).unwrap(), report);
        assert_eq!(to_json(&from_json(&text).unwrap()), text);
    }

    #[test]
    fn fields_come_in_the_documented_order_and_absent_values_are_null() {
        let mut report = sample::passed();
        report.images.clear();
        let wanted = r#"{
  "schema": "mpcheck.report/v1",
  "tool": {
    "name": "mpcheck",
    "version": "0.1.0"
  },
  "started": "2026-11-23T07:18:00Z",
  "duration_ms": 1234,
  "verdict": "passed",
  "images": [],
  "host": null,
  "findings": []
}
"#;
        assert_eq!(to_json(&report), wanted);
    }

    #[rstest]
    #[case("", "not a report of mpcheck: EOF while parsing a value at line 1 column 0")]
    #[case("[1]", "not a report of mpcheck: invalid type: integer `1`, expected a string at line 1 column 2")]
    #[case("{}", "not a report of mpcheck: missing field `schema` at line 1 column 2")]
    #[case(
        r#"{"schema":"mpcheck.report/v9"}"#,
        "the report has the schema \"mpcheck.report/v9\", and \"mpcheck.report/v1\" is wanted; use the version of mpcheck that wrote it"
    )]
    #[case(r#"{"schema":"mpcheck.report/v1"}"#, "not a report of mpcheck: missing field `tool` at line 1 column 30")]
    fn what_is_no_report_is_named(#[case] text: &str, #[case] wanted: &str) {
        assert_eq!(from_json(text).unwrap_err().to_string(), wanted);
    }
}
