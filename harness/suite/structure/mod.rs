//! Files of container-structure-test, as they are: schemas 2.0.0 and 1.0.0, YAML and JSON.
//!
//! [`parse`] reads a file into tests; each [`Kind`] of them judges what an image has, and says what is wrong, a sentence
//! for each fault and nothing where it passed. What they mean is what container-structure-test 1.19.1 does with its
//! `docker` driver: its code in `pkg/types`, `pkg/drivers` and `pkg/utils`, and what it said to the files in
//! `tests/real/structure.rs`.
//!
//! What it does wrong is not copied. The departures, one in a line:
//! - containers have no network unless the suite asks for one (there, always), and no capabilities unless
//!   `containerRunOptions` names some (there, always Docker's own set);
//! - `containerRunOptions` with `envVars` or `envFile`: a test's own `envVars` count too (there, they are lost); where both
//!   set a variable, the options' value counts, as there;
//! - `containerRunOptions.envVars` that the caller has not, or has empty, are left out (there, no container starts);
//! - `capabilities` are given, besides Docker's own set (there, they are read and forgotten);
//! - with `allocateTty` the output is read (there, it cannot be, or is empty);
//! - links are followed within the image's own root, relative ones from where they lie (there, from the root);
//! - what an engine adds to every container (`/etc/hosts`, `/.dockerenv`, mount points of volumes) is not in the image;
//! - ports with a protocol (`53/udp`) are compared with it (there, they never match);
//! - a test with `permissions` and `shouldExist: false` passes where there is no such file (there, the program crashes);
//! - schema 1.0.0: a test without a name, a command or a path fails (there, it is passed over or fails in the engine), and
//!   so does one whose setup cannot be started (there, it is passed over);
//! - a second YAML document, and a key that is twice in a map of JSON, are errors (there, they are passed over);
//! - a map's own keys win over those that `<<` brings (there, whichever comes later);
//! - a test that is not valid, or whose setup fails, has the name that it would have had (there, the bare one);
//! - a command is not its container's first process (there, it is, and signals that it sends itself do nothing);
//! - commands end in the time that they have (there, they are waited for without end);
//! - groups within each other are bounded to 50 in patterns (there, 1000), and what a pattern becomes to 16 MiB.

mod assemble;
mod command;
mod document;
mod dotenv;
mod existence;
mod expand;
mod files;
mod json;
mod license;
mod metadata;
mod pattern;
mod re2;
mod read;
mod unicode_names;

pub use command::{CommandTest, Plan, Start};
pub use existence::ExistenceTest;
pub use files::{ContentTest, ReadFile};
pub use license::LicenseTest;
pub use metadata::MetadataTest;
pub use pattern::Pattern;
pub use read::MAX_FILE_BYTES;

use super::error::Problem;
use super::located::Place;
use std::io::Read as _;
use std::path::Path;

/// One test of a file.
#[derive(Debug, Clone)]
pub struct Test {
    /// As container-structure-test calls it: `Command Test: NAME`. Two tests of a file may be called the same; license
    /// tests have no other name.
    pub name: String,
    /// Where it stands; JSON does not tell.
    pub place: Option<Place>,
    /// What it asks.
    pub kind: Kind,
}

/// What a test asks, and of what.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "there are some hundreds, and most are commands")]
pub enum Kind {
    /// Of a command, run in a fresh container.
    Command(CommandTest),
    /// Of a file's entry.
    Existence(ExistenceTest),
    /// Of what is in a file.
    Content(ContentTest),
    /// Of the image's config.
    Metadata(MetadataTest),
    /// Of the texts of licenses.
    License(LicenseTest),
    /// Nothing that can be asked: it fails, for these reasons.
    Invalid(Vec<String>),
}

impl Test {
    /// What is wrong with the test itself, to be told when its file is read. It fails, too.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let of = |patterns: Vec<&Pattern>| patterns.into_iter().filter_map(Pattern::fault).collect();
        match &self.kind {
            Kind::Command(test) => of(test.patterns().collect()),
            Kind::Content(test) => of(test.patterns().collect()),
            Kind::Metadata(test) => of(test.patterns().collect()),
            Kind::Existence(_) | Kind::License(_) => Vec::new(),
            Kind::Invalid(reasons) => reasons.clone(),
        }
    }
}

/// The two versions of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Schema {
    V1,
    V2,
}

/// The two languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Yaml,
    Json,
}

/// What a file takes from whoever runs the program.
pub struct Caller<'a> {
    /// A variable of the environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// A file's text, by a path relative to where the program runs; or why it cannot be had.
    pub file: &'a dyn Fn(&str) -> Result<String, String>,
}

/// Reads the tests of a file, in the order in which container-structure-test runs them.
///
/// # Errors
/// Where the file is none of its files: what is wrong, and where.
pub fn parse(file: &Path, text: &str) -> Result<Vec<Test>, Problem> {
    let caller = Caller { variable: &|name| std::env::var(name).ok(), file: &text_of };
    parse_for(file, text, &caller)
}

/// [`parse`] without the process's own environment.
///
/// # Errors
/// As of [`parse`].
pub fn parse_for(file: &Path, text: &str, caller: &Caller<'_>) -> Result<Vec<Test>, Problem> {
    let format = read::format(file)?;
    let (schema, document) = read::read(file, text, format)?;
    Ok(assemble::tests(document, schema, format, caller))
}

fn text_of(path: &str) -> Result<String, String> {
    let mut text = String::new();
    let open = std::fs::File::open(path).map_err(|error| error.to_string())?;
    open.take(MAX_FILE_BYTES as u64 + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() > MAX_FILE_BYTES { Err(format!("it has more than {MAX_FILE_BYTES} bytes")) } else { Ok(text) }
}

#[cfg(test)]
mod tests;
