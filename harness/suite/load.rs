//! From files and directories to suites.

use super::Place;
use super::error::{Problem, SuiteError, shown};
use super::plan::Suite;
use super::resolve::suites;
use super::yaml::{MAX_FILE_BYTES, documents, options};
use crate::check::date::Date;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// What a YAML or JSON file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A suite of this program, or something that wanted to be one.
    Suite,
    /// A file of container-structure-test.
    StructureTest,
}

/// What a file is, from its text: only container-structure-test's have a `schemaVersion` at the top. What begins with a
/// `version` is a suite, whatever else is in it.
#[must_use]
pub fn kind_of(text: &str) -> Kind {
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = text.lines().map(str::trim_end);
    let first = lines.find(|line| !(line.is_empty() || line.trim_start().starts_with('#') || *line == "---"));
    // JSON, or YAML in one pair of braces.
    let decides = if first.is_some_and(|line| line.trim_start_matches("---").trim_start().starts_with('{')) {
        top_keys(text).iter().find_map(|key| kind_by(key))
    } else {
        text.lines().find_map(|line| {
            let (key, _) = line.split_once(':')?;
            let key = key.trim_end();
            let bare = ['"', '\''].iter().find_map(|quote| key.strip_prefix(*quote)?.strip_suffix(*quote));
            kind_by(bare.unwrap_or(key))
        })
    };
    decides.unwrap_or(Kind::Suite)
}

/// What a file is that has this key at its top, where it decides. JSON's names are read whatever their case.
fn kind_by(key: &str) -> Option<Kind> {
    match key {
        "version" => Some(Kind::Suite),
        _ if key.eq_ignore_ascii_case("schemaVersion") => Some(Kind::StructureTest),
        _ => None,
    }
}

/// The keys at the top of the first document; none where it cannot be read.
fn top_keys(text: &str) -> Vec<String> {
    /// The keys of a map.
    struct Keys(Vec<String>);

    impl<'de> Deserialize<'de> for Keys {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct KeysVisitor;

            impl<'de> Visitor<'de> for KeysVisitor {
                type Value = Keys;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("a map")
                }

                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                    let mut keys = Vec::new();
                    while let Some((key, IgnoredAny)) = map.next_entry()? {
                        keys.push(key);
                    }
                    Ok(Keys(keys))
                }
            }

            deserializer.deserialize_map(KeysVisitor)
        }
    }

    let yaml = || serde_saphyr::from_multiple_with_options::<Keys>(text, options()).ok()?.into_iter().next();
    serde_json::from_str::<Keys>(text).ok().or_else(yaml).map(|Keys(keys)| keys).unwrap_or_default()
}

/// Loads a file's suites, or those of all `*.yaml` and `*.yml` files of a directory but container-structure-test's.
///
/// `environment` gives the values of `${NAME}`; `today` decides whether an exception has expired.
///
/// # Errors
/// All that is wrong with the first file that is wrong.
pub fn load(path: &Path, environment: &dyn Fn(&str) -> Option<String>, today: Date) -> Result<Vec<Suite>, SuiteError> {
    if !path.is_dir() {
        let written = read(path)?;
        if kind_of(&written) == Kind::StructureTest {
            let hint = "name it in a suite, below `structure:` of an image";
            let problem = Problem::new(path, "this is a file of container-structure-test and no suite", hint);
            return Err(SuiteError::Wrong(vec![problem]));
        }
        return text(path, &written, environment, today);
    }
    let mut all: Vec<Suite> = Vec::new();
    let mut first: HashMap<String, (PathBuf, Place)> = HashMap::new();
    for file in files(path)? {
        let text = read(&file)?;
        if kind_of(&text) == Kind::StructureTest {
            continue;
        }
        for (suite, place) in one(&file, &text, environment, today)? {
            if let Some((other, other_place)) = first.get(&suite.name) {
                let message = format!(
                    "two suites are called `{}`: this one, and {}:{}",
                    suite.name,
                    other.display(),
                    other_place.line
                );
                let problem = Problem::new(&file, message, "give one of them another `name:`").at(place);
                return Err(SuiteError::Wrong(vec![problem]));
            }
            first.insert(suite.name.clone(), (file.clone(), place));
            all.push(suite);
        }
    }
    if all.is_empty() {
        let hint = "name a directory with *.yaml or *.yml files; `mpcheck init IMAGE` writes one";
        return Err(SuiteError::Empty(Problem::new(path, "there is no suite in this directory", hint)));
    }
    Ok(all)
}

/// The suites of a text. `file` is what messages call it, and paths are relative to its directory.
pub(super) fn text(
    file: &Path,
    text: &str,
    environment: &dyn Fn(&str) -> Option<String>,
    today: Date,
) -> Result<Vec<Suite>, SuiteError> {
    Ok(one(file, text, environment, today)?.into_iter().map(|(suite, _)| suite).collect())
}

/// The suites of one file, and where each begins.
fn one(
    file: &Path,
    text: &str,
    environment: &dyn Fn(&str) -> Option<String>,
    today: Date,
) -> Result<Vec<(Suite, Place)>, SuiteError> {
    let documents = documents(file, text).map_err(|problem| SuiteError::Wrong(vec![problem]))?;
    if documents.is_empty() {
        let hint = "write one, or have one written: `mpcheck init IMAGE`";
        return Err(SuiteError::Empty(Problem::new(file, "the file is empty: there is no suite in it", hint)));
    }
    suites(file, documents, environment, today)
}

/// The files of a directory that may be suites, sorted.
fn files(directory: &Path) -> Result<Vec<PathBuf>, SuiteError> {
    let failed = |error: std::io::Error| {
        let message = format!("the directory cannot be read: {error}");
        SuiteError::Wrong(vec![Problem::new(directory, message, "check its permissions")])
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_yaml = path.extension().is_some_and(|suffix| suffix == "yaml" || suffix == "yml");
        if is_yaml && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The text of a file that is not too large.
pub(super) fn read(path: &Path) -> Result<String, SuiteError> {
    let wrong = |message: String, hint: &str| SuiteError::Wrong(vec![Problem::new(path, message, hint)]);
    let failed = |error: std::io::Error| wrong(format!("it cannot be read: {error}"), "check the path");
    // A FIFO would be waited for.
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(wrong("it is no regular file".to_owned(), "name a suite's file, or a directory of suites"));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let message = format!("it has more than {} MiB", MAX_FILE_BYTES >> 20);
        return Err(wrong(message, "make several files of it, and name their directory"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let right = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(error.as_bytes().get(..right).unwrap_or_default()).into_owned();
        let line = before.matches('\n').count() as u64 + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() as u64 + 1;
        let byte = error.as_bytes().get(right).copied().unwrap_or_default();
        let message = format!("this is not UTF-8: the byte 0x{byte:02x} stands here{}", utf16(error.as_bytes()));
        let problem = Problem::new(path, shown(&message), "save the file as UTF-8").at(Place { line, column });
        SuiteError::Wrong(vec![problem])
    })
}

/// What an editor of Windows may have made of it.
const fn utf16(bytes: &[u8]) -> &'static str {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => ", as UTF-16 begins",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
