//! From a file's text to what is written in it.

use super::super::error::{Problem, listed, nearest, shown};
use super::super::located::Place;
use super::super::yaml::located;
use super::document::{Head, V1, V2};
use super::{Format, Schema, json};
use serde::Deserialize;
use serde_saphyr::options::AliasLimits;
use serde_saphyr::{Budget, Error, Options};
use std::path::Path;

/// The most bytes of one file.
pub const MAX_FILE_BYTES: usize = 1 << 20;

/// The most values that aliases may become.
const MAX_REPLAYED: usize = 100_000;

/// The versions of the format, and what they are called.
const SCHEMAS: [(&str, Schema); 2] = [("2.0.0", Schema::V2), ("1.0.0", Schema::V1)];

fn options() -> Options {
    let budget: Option<Budget> = serde_saphyr::budget! { max_recorded_anchor_events: MAX_REPLAYED };
    let alias_limits: AliasLimits = serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPLAYED };
    serde_saphyr::options! {
        budget: budget,
        alias_limits: alias_limits,
        // YAML 1.1, as Go's yaml.v2 reads it: 010 is 8, and `yes` is true where a bool is wanted.
        legacy_octal_numbers: true,
        with_snippet: false,
    }
}

/// Which of the two a file's name says it is.
pub(super) fn format(file: &Path) -> Result<Format, Problem> {
    match file.extension().and_then(|ending| ending.to_str()) {
        Some("yaml" | "yml") => Ok(Format::Yaml),
        Some("json") => Ok(Format::Json),
        _ => Err(Problem::new(
            file,
            "the name of a file of container-structure-test ends in .yaml, .yml or .json, and this one does not",
            "rename it",
        )),
    }
}

/// Reads a file, the version first.
pub(super) fn read(file: &Path, text: &str, format: Format) -> Result<(Schema, V2), Problem> {
    if text.len() > MAX_FILE_BYTES {
        let message = format!("it has {} bytes, and {MAX_FILE_BYTES} are read", text.len());
        return Err(Problem::new(file, message, "make several files of it"));
    }
    let head: Head = one(file, text, format)?;
    let schema = match SCHEMAS.iter().find(|(name, _)| *name == head.schema_version) {
        Some((_, schema)) => *schema,
        None => return Err(unknown_schema(file, &head.schema_version)),
    };
    let read = match schema {
        Schema::V2 => one(file, text, format)?,
        Schema::V1 => one::<V1>(file, text, format)?.into(),
    };
    Ok((schema, read))
}

fn unknown_schema(file: &Path, version: &str) -> Problem {
    let (message, hint) = match version {
        "" => ("it has no `schemaVersion`".to_owned(), "begin it with `schemaVersion: \"2.0.0\"`"),
        other => (
            format!("its `schemaVersion` is `{}`, which is none of container-structure-test's", shown(other)),
            "write `schemaVersion: \"2.0.0\"`, or \"1.0.0\"",
        ),
    };
    Problem::new(file, message, hint)
}

fn one<'de, T: Deserialize<'de>>(file: &Path, text: &'de str, format: Format) -> Result<T, Problem> {
    match format {
        Format::Yaml => serde_saphyr::from_str_with_options(text, options()).map_err(|error| told(file, &error)),
        Format::Json => json::from_str(text).map_err(|error| {
            let text = error.to_string();
            let end = text.rfind(" at line ").unwrap_or(text.len());
            let message = format!("this cannot be read: {}", shown(text.get(..end).unwrap_or(&text)));
            let place = Place { line: error.line() as u64, column: (error.column() as u64).max(1) };
            Problem::new(file, message, "mend it here or just before").at(place)
        }),
    }
}

/// What the library found, in words for the person who wrote the file.
fn told(file: &Path, error: &Error) -> Problem {
    let (message, hint) = words(error);
    located(file, error, message, hint)
}

fn words(error: &Error) -> (String, String) {
    match error {
        Error::WithSnippet { error, .. } | Error::AliasError { error, .. } => words(error),
        Error::SerdeUnknownField { field, expected, .. } => {
            let all = listed(expected.iter().copied());
            let hint = match nearest(field, expected.iter().copied()) {
                Some(word) => format!("write `{word}`; the keys here are {all}"),
                None => format!("leave it out; the keys here are {all}"),
            };
            (format!("unknown key `{}`", shown(field)), hint)
        }
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().map_or_else(|| "a key".to_owned(), |key| format!("the key `{}`", shown(key)));
            (format!("{key} is there twice in this map"), "leave one of them out".to_owned())
        }
        Error::MultipleDocuments { .. } => (
            "a second document begins here, which container-structure-test would pass over in silence".to_owned(),
            "make a file of its own of it".to_owned(),
        ),
        other => {
            let text = other.to_string();
            let text = text.lines().next().unwrap_or_default();
            let end = text.rfind(" at line ").or_else(|| text.rfind(" at byte ")).unwrap_or(text.len());
            let reason = text.get(..end).unwrap_or(text).trim_start_matches("error: ");
            (format!("this cannot be read: {}", shown(reason)), "mend it here or in the lines above".to_owned())
        }
    }
}
