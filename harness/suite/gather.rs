//! Everything that was named on a command line, as one set of suites.

use super::case::Tests;
use super::error::Problem;
use super::load::{Kind, kind_of, read};
use super::plan::{ImagePlan, Suite};
use super::structure::{self, Test};
use super::{Place, SuiteError, load};
use crate::check::date::Date;
use crate::image::reference::Location;
use crate::platform::Platform;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Suites, with the tests of the files that they name.
#[derive(Debug, Default)]
pub struct Gathered {
    /// The suites, whose names are all different.
    pub suites: Vec<Suite>,
    /// The tests of container-structure-test's files.
    pub tests: Tests,
}

/// An image for files of container-structure-test, which name none.
#[derive(Debug, Clone)]
pub struct About {
    /// The image as it was typed.
    pub reference: String,
    /// Where it is read from.
    pub location: Location,
    /// On which platforms it is tested.
    pub platforms: Vec<Platform>,
}

/// Loads files and directories, in their order, with the environment of this process and as of today.
///
/// Files of container-structure-test may be named as well where an image is given that they are `about`.
///
/// # Errors
/// All that is wrong with the first file that is wrong; two suites of one name.
pub fn gather(paths: &[PathBuf], about: Option<&About>) -> Result<Gathered, SuiteError> {
    let mut gathered = Gathered::default();
    let mut names: BTreeMap<String, PathBuf> = BTreeMap::new();
    for path in paths {
        for suite in suites_of(path, about)? {
            if let Some(other) = names.insert(suite.name.clone(), suite.file.clone()) {
                return Err(SuiteError::Wrong(vec![named_twice(&suite, &other)]));
            }
            let of_image = |image: &ImagePlan| {
                let named = image.structure.iter();
                named.map(|(file, place)| tests_of(file).map_err(|error| blamed(&suite, file, *place, error))).collect()
            };
            let tests = suite.images.iter().map(of_image).collect::<Result<_, SuiteError>>()?;
            gathered.tests.push(tests);
            gathered.suites.push(suite);
        }
    }
    Ok(gathered)
}

/// Whether a path is a file of container-structure-test. What cannot be read is none; loading it says why.
#[must_use]
pub fn is_structure(path: &Path) -> bool {
    !path.is_dir() && read(path).is_ok_and(|text| kind_of(&text) == Kind::StructureTest)
}

fn suites_of(path: &Path, about: Option<&About>) -> Result<Vec<Suite>, SuiteError> {
    match about.filter(|_| is_structure(path)) {
        Some(about) => {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let About { reference, location, platforms } = about.clone();
            let image = ImagePlan::of_structure(&reference, location, platforms, path.to_owned());
            let name = super::name::made_of(&stem);
            Ok(vec![Suite { name, file: path.to_owned(), images: vec![image], rehearsals: Vec::new(), host: None }])
        }
        None => load(path, &|name| std::env::var(name).ok(), Date::of(SystemTime::now())),
    }
}

fn tests_of(file: &Path) -> Result<Vec<Test>, SuiteError> {
    let tests = structure::parse(file, &read(file)?).map_err(|problem| SuiteError::Wrong(vec![problem]))?;
    if tests.is_empty() {
        let problem = Problem::new(file, "there is no test in this file", "write one, or leave the file out");
        return Err(SuiteError::Empty(problem));
    }
    Ok(tests)
}

/// The same said of the line of the suite that names the file.
fn blamed(suite: &Suite, file: &Path, place: Place, error: SuiteError) -> SuiteError {
    if suite.file == file {
        return error;
    }
    let own = |problem: &Problem| {
        let message = match problem.message.strip_prefix("it ").filter(|_| problem.place.is_none()) {
            Some(is) => format!("the structure file {} {is}", file.display().to_string().escape_debug()),
            None => format!("the structure file {problem}"),
        };
        let mut hint = problem.hint.clone();
        if !file.exists() {
            let directory = suite.file.parent().filter(|directory| !directory.as_os_str().is_empty());
            let directory = directory.unwrap_or(Path::new("."));
            hint = format!("its path is relative to the directory of the suite, {}", directory.display());
        }
        Problem::new(&suite.file, message, hint).at(place)
    };
    match error {
        SuiteError::Wrong(problems) => SuiteError::Wrong(problems.iter().map(own).collect()),
        SuiteError::Empty(problem) => SuiteError::Empty(own(&problem)),
    }
}

fn named_twice(suite: &Suite, other: &Path) -> Problem {
    if suite.file == *other {
        let message = format!("the suite `{}` is named twice", suite.name);
        return Problem::new(&suite.file, message, "name each file once");
    }
    let message = format!("two suites are called `{}`: this one, and one of {}", suite.name, other.display());
    Problem::new(&suite.file, message, "give one of them another `name:`")
}
