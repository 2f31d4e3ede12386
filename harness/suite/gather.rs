//! Everything that was named on a command line, as one set of suites.

use super::case::TestNames;
use super::error::Problem;
use super::plan::Suite;
use super::{SuiteError, load};
use crate::check::date::Date;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Suites, with the tests of the files that they name.
#[derive(Debug, Default)]
pub struct Gathered {
    /// The suites, whose names are all different.
    pub suites: Vec<Suite>,
    /// The tests of container-structure-test's files.
    pub tests: TestNames,
}

/// Loads files and directories, in their order, with the environment of this process and as of today.
///
/// # Errors
/// All that is wrong with the first file that is wrong; two suites of one name.
pub fn gather(paths: &[PathBuf]) -> Result<Gathered, SuiteError> {
    let variable = |name: &str| std::env::var(name).ok();
    let today = Date::of(SystemTime::now());
    let mut gathered = Gathered::default();
    let mut names: BTreeMap<String, PathBuf> = BTreeMap::new();
    for path in paths {
        for suite in load(path, &variable, today)? {
            if let Some(other) = names.insert(suite.name.clone(), suite.file.clone()) {
                return Err(SuiteError::Wrong(vec![named_twice(&suite, &other)]));
            }
            gathered.suites.push(suite);
        }
    }
    Ok(gathered)
}

fn named_twice(suite: &Suite, other: &Path) -> Problem {
    if suite.file == *other {
        let message = format!("the suite `{}` is named twice", suite.name);
        return Problem::new(&suite.file, message, "name each file once");
    }
    let message = format!("two suites are called `{}`: this one, and one of {}", suite.name, other.display());
    Problem::new(&suite.file, message, "give one of them another `name:`")
}
