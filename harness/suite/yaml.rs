//! From the bytes of a file to its documents, and from what the YAML library says to what a person can mend.

use super::error::{Problem, listed, nearest, shown};
use super::format::{Document, VERSION};
use super::items::WRITE;
use super::located::{At, Place};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{Error, Options};
use std::fmt;
use std::path::Path;

/// The most bytes of one file: 10,000 commands with all that belongs to them.
pub const MAX_FILE_BYTES: u64 = 4 << 20;

/// The most values of one file.
const MAX_NODES: usize = 400_000;

/// The most values that aliases may become.
const MAX_REPLAYED: usize = 200_000;

/// The most bytes of all texts, those that aliases repeat included.
const MAX_SCALARS: usize = 16 << 20;

/// The most documents of one file.
const MAX_DOCUMENTS: usize = 256;

/// The most maps and lists within each other.
const MAX_DEPTH: usize = 24;

pub(super) fn options() -> Options {
    let budget = serde_saphyr::budget! {
        max_events: 4 * MAX_NODES,
        max_nodes: MAX_NODES,
        max_depth: MAX_DEPTH,
        max_documents: MAX_DOCUMENTS,
        max_recorded_anchor_events: MAX_REPLAYED,
        max_total_scalar_bytes: MAX_SCALARS,
    };
    let alias_limits = serde_saphyr::alias_limits! {
        max_total_replayed_events: MAX_REPLAYED,
        max_replay_stack_depth: MAX_DEPTH,
    };
    serde_saphyr::options! {
        budget: budget,
        alias_limits: alias_limits,
        // `no` is Norway and `off` is a severity.
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

/// Reads the documents of a file. The version comes first: of another one nothing else is said.
pub(super) fn documents(file: &Path, text: &str) -> Result<Vec<Document>, Problem> {
    let read = serde_saphyr::from_multiple_with_options::<Document>(text, options());
    if !matches!(&read, Ok(documents) if documents.iter().all(Document::is_of_this_version))
        && !matches!(&read, Err(Error::Budget { .. } | Error::AliasReplayLimitExceeded { .. }))
        && let Some(problem) = other_version(file, text)
    {
        return Err(problem);
    }
    read.map_err(|error| {
        let mut problem = told(file, &error);
        if is_unquoted_variable(text, problem.place) {
            problem.hint = "quote a variable within braces and brackets: '${NAME}'".to_owned();
        }
        problem
    })
}

/// Whether a `${` without quotes stands before a place within braces or brackets, where YAML takes its brace for a map's.
fn is_unquoted_variable(text: &str, place: Option<Place>) -> bool {
    let line = place.and_then(|place| text.lines().nth(usize::try_from(place.line.checked_sub(1)?).ok()?));
    let Some((before, _)) = line.and_then(|line| line.split_once("${")) else { return false };
    let quotes = |quote| before.matches(quote).count();
    before.contains(['{', '[']) && quotes('"') % 2 == 0 && quotes('\'') % 2 == 0
}

impl Document {
    fn is_of_this_version(&self) -> bool {
        self.version_is_first && self.version.as_ref().is_some_and(|version| version.value == VERSION)
    }
}

/// What is wrong with the version of the first document that has a wrong one.
fn other_version(file: &Path, text: &str) -> Option<Problem> {
    let heads = serde_saphyr::from_multiple_with_options::<Head>(text, options()).ok()?;
    heads.into_iter().find_map(|head| {
        let known = format!("this is mpcheck {}, which knows version {VERSION}", env!("CARGO_PKG_VERSION"));
        match head {
            Head::NoMap => None,
            Head::Version(Some(version)) if version.value == VERSION => None,
            Head::Version(Some(version)) => {
                let message = format!("version {} of the format is not known", shown(&version.value));
                let hint = format!("{known}: take an mpcheck that knows the other one, or write `version: {VERSION}`");
                Some(Problem::new(file, message, hint).at(version.place))
            }
            Head::Versionless(place) => {
                let hint = format!("begin with `version: {VERSION}`; {known}");
                Some(
                    Problem::new(file, "a suite says the version of its format first, and this one does not", hint)
                        .at(place),
                )
            }
            Head::Version(None) => None,
            Head::Late(key, line) => {
                let message = format!(
                    "a suite says the version of its format first, and this one says `{}` before it",
                    shown(&key.value)
                );
                let hint = format!("move `version: {VERSION}` from line {line} to the top");
                Some(Problem::new(file, message, hint).at(key.place))
            }
        }
    })
}

/// No more of a document than its version.
enum Head {
    Version(Option<At<String>>),
    Versionless(Place),
    /// The version comes later than this key, in this line.
    Late(At<String>, u64),
    NoMap,
}

impl<'de> Deserialize<'de> for Head {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HeadVisitor;

        impl<'de> Visitor<'de> for HeadVisitor {
            type Value = Head;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a suite")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Head, A::Error> {
                let (mut version, mut first, mut late) = (None, None, None);
                while let Some(key) = map.next_key::<At<String>>()? {
                    let first: &At<String> = first.get_or_insert_with(|| key.clone());
                    if key.value == "version" {
                        late = (first.place != key.place).then(|| Head::Late(first.clone(), key.place.line));
                        version = Some(map.next_value::<Option<At<String>>>()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                let start = first.map_or(Place::START, |key| key.place);
                Ok(match version {
                    Some(Some(version)) if version.value == VERSION => late.unwrap_or(Head::Version(Some(version))),
                    Some(version) => Head::Version(version),
                    None => Head::Versionless(start),
                })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Head, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Head::NoMap)
            }

            fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Head, E> {
                Ok(Head::NoMap)
            }
        }

        deserializer.deserialize_any(HeadVisitor)
    }
}

/// What the library found, in words for the person who wrote the file.
fn told(file: &Path, error: &Error) -> Problem {
    let (message, hint) = words(error);
    located(file, error, message, hint)
}

/// A problem at the place of an error of the library.
pub(super) fn located(file: &Path, error: &Error, message: String, hint: String) -> Problem {
    let problem = Problem::new(file, message, hint);
    // Where it is written, also where an alias brings it elsewhere.
    let place = error.locations().and_then(|locations| {
        Place::of(locations.defined_location).or_else(|| Place::of(locations.reference_location))
    });
    match place {
        Some(place) => problem.at(place),
        None => problem,
    }
}

fn words(error: &Error) -> (String, String) {
    match error {
        Error::WithSnippet { error, .. } | Error::AliasError { error, .. } => words(error),
        Error::SerdeUnknownField { field, expected, .. } => unknown_key(field, expected.iter().copied()),
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            let hint = match nearest(variant, expected.iter().copied()) {
                Some(word) => format!("write `{word}`; the words here are {}", listed(expected.iter().copied())),
                None => format!("write one of {}", listed(expected.iter().copied())),
            };
            (format!("`{}` is none of the words that can stand here", shown(variant)), hint)
        }
        Error::SerdeMissingField { field, .. } => {
            (format!("the key `{field}` is missing"), format!("add `{field}:` here"))
        }
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().map_or_else(|| "a key".to_owned(), |key| format!("the key `{}`", shown(key)));
            (format!("{key} is there twice in this map"), "leave one of them out".to_owned())
        }
        Error::SerdeInvalidType { unexpected, expected, .. }
        | Error::SerdeInvalidValue { unexpected, expected, .. } => wrong_type(unexpected, expected),
        Error::Unexpected { expected, .. } => wrong_type("", expected),
        Error::NullIntoString { .. } => (
            "nothing stands here, where a text should".to_owned(),
            "write the text, or \"\" for an empty one".to_owned(),
        ),
        Error::InvalidBooleanStrict { .. } => {
            ("true or false should stand here".to_owned(), "write true or false, without quotes".to_owned())
        }
        Error::InvalidScalar { ty, .. } => {
            (format!("what stands here is no {}", plain_type(ty)), format!("write {}", example_of(ty)))
        }
        Error::MergeValueNotMapOrSeqOfMaps { .. } => (
            "`<<` merges a map, or a list of maps, and something else stands here".to_owned(),
            "write `<<: *NAME`, with the anchor `&NAME` before a map".to_owned(),
        ),
        Error::UnknownAnchor { .. } => (
            "no anchor of this name stands before this alias".to_owned(),
            "write the anchor, `&NAME`, above; quote a text that begins with `*`".to_owned(),
        ),
        Error::UnsupportedTag { tag, .. } => (
            format!("the tag `{}` means nothing here", shown(tag)),
            "leave it out; quote a text that begins with `!`".to_owned(),
        ),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::RecursiveReferencesRequireWeakTypes { .. } => too_much(error),
        other => (
            format!("this is not YAML that can be read: {}", shown(&reason(other))),
            "mend it here or in the lines above: indentation, a quote or a bracket that is not closed, a tab"
                .to_owned(),
        ),
    }
}

pub(super) fn unknown_key<'a>(key: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> (String, String) {
    let all = listed(known.clone());
    let hint = match nearest(key, known) {
        Some(word) => format!("write `{word}`; the keys here are {all}"),
        None => format!("leave it out; the keys here are {all}"),
    };
    (format!("unknown key `{}`", shown(key)), hint)
}

/// What the library says without the place, which stands before the message already.
fn reason(error: &Error) -> String {
    let text = error.to_string();
    let text = text.lines().next().unwrap_or_default();
    let end = text.rfind(" at line ").or_else(|| text.rfind(" at byte "));
    text.get(..end.unwrap_or(text.len())).unwrap_or(text).trim_start_matches("error: ").to_owned()
}

fn too_much(error: &Error) -> (String, String) {
    let what = match error {
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            let hint = "a suite needs no more than ten: look for brackets that are not closed";
            return (format!("more than {MAX_DEPTH} maps and lists lie within each other"), hint.to_owned());
        }
        Error::Budget { breach: BudgetBreach::ScalarBytes { .. }, .. } => {
            format!("with what its aliases repeat, its texts have more than {} MiB", MAX_SCALARS >> 20)
        }
        Error::Budget { breach: BudgetBreach::Documents { .. }, .. } => {
            format!("it has more than {MAX_DOCUMENTS} documents")
        }
        Error::Budget { .. } => format!("with what its aliases repeat, it has more than {MAX_NODES} values"),
        Error::RecursiveReferencesRequireWeakTypes { .. } => "an alias is within what it stands for".to_owned(),
        _ => format!("its aliases become more than {MAX_REPLAYED} values"),
    };
    (what, "use fewer and smaller anchors, or make several files of it".to_owned())
}

fn wrong_type(unexpected: &str, expected: &str) -> (String, String) {
    let (expected, instead) = match expected.split_once(WRITE) {
        Some((expected, instead)) => (expected, Some(format!("write {}", shown(instead)))),
        None => (expected, None),
    };
    let wanted = match expected {
        "mapping start" | "a map" => "a map (`key: value`)",
        "sequence start" | "a sequence" => "a list (`- item`, or `[item, item]`)",
        "string scalar" | "a string" | "scalar" | "string" => "a text",
        other => other,
    };
    let wanted = wanted.strip_prefix("struct ").unwrap_or(wanted);
    let number =
        unexpected.starts_with("integer") || unexpected.starts_with("floating") || unexpected.starts_with("boolean");
    if number && wanted.contains("text") {
        let message =
            format!("without quotes this is no text but {}, and {wanted} should stand here", shown(unexpected));
        return (message, "put it in quotes".to_owned());
    }
    let found = if unexpected.is_empty() { String::new() } else { format!(", not {}", shown(unexpected)) };
    let hint = instead.unwrap_or_else(|| "see `mpcheck schema suite` for what each key takes".to_owned());
    (format!("{wanted} should stand here{found}"), hint)
}

fn plain_type(ty: &str) -> &str {
    match ty {
        "bool" => "true or false",
        _ if ty.starts_with(['i', 'u']) => "whole number",
        other => other,
    }
}

fn example_of(ty: &str) -> &'static str {
    match ty {
        "bool" => "true or false, without quotes",
        _ if ty.starts_with('u') => "a whole number, not below 0",
        _ => "a whole number",
    }
}
