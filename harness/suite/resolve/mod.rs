//! From documents to suites: variables and defaults are put in, texts get their meaning, names are made. What is wrong
//! is collected, so that one look at a file tells all of it.

mod build;
mod context;
mod expectation;
mod image;
mod merge;
mod run;

pub(super) use context::Resolver;

use super::error::{Problem, SuiteError, shown};
use super::format::{Document, KEYS};
use super::located::{At, Place};
use super::name::{self, Wish};
use super::plan::{HostPlan, Suite};
use super::variable::is_name;
use super::yaml::unknown_key;
use crate::check::date::Date;
use crate::image::reference::Location;
use mpcheck_reports::FailOn;
use std::collections::HashMap;
use std::path::Path;

/// What an image is called in the names of trials that nobody gave a name.
pub(super) fn image_name(location: &Location) -> String {
    image::made_names(location).into_iter().next().unwrap_or_default()
}

/// The suites of one file, with the places of their names.
pub(super) fn suites(
    file: &Path,
    documents: Vec<Document>,
    environment: &dyn Fn(&str) -> Option<String>,
    today: Date,
) -> Result<Vec<(Suite, Place)>, SuiteError> {
    let mut resolver = Resolver::new(file, environment, today);
    let places: Vec<Place> = documents.iter().map(|document| document.place.unwrap_or(Place::START)).collect();
    let names = suite_names(&mut resolver, file, &documents);
    let suites: Vec<Suite> =
        documents.into_iter().zip(names).map(|(document, name)| suite(&mut resolver, document, name)).collect();
    if !resolver.problems.is_empty() {
        return Err(SuiteError::wrong(resolver.problems));
    }
    for (suite, place) in suites.iter().zip(&places) {
        if suite.images.is_empty() && suite.rehearsals.is_empty() && suite.host.is_none() {
            let message = format!("the suite `{}` has no images, so nothing would be checked", shown(&suite.name));
            let problem = Problem::new(file, message, "add `images:` with at least one `- image: NAME`").at(*place);
            return Err(SuiteError::Empty(problem));
        }
    }
    Ok(suites.into_iter().zip(places).collect())
}

/// The names of the suites of a file: their own, or the file's.
fn suite_names(resolver: &mut Resolver<'_>, file: &Path, documents: &[Document]) -> Vec<String> {
    let stem = file.file_stem().map_or_else(|| "suite".to_owned(), |stem| name::made_of(&stem.to_string_lossy()));
    let wishes: Vec<Wish> = documents
        .iter()
        .map(|document| {
            resolver.variables(document);
            Wish {
                given: resolver.name(document.name.as_ref()),
                made: vec![stem.clone()],
                place: document.place.unwrap_or(Place::START),
            }
        })
        .collect();
    resolver.distinct("suites", &wishes, true)
}

fn suite(resolver: &mut Resolver<'_>, document: Document, name: String) -> Suite {
    resolver.variables(&document);
    for key in &document.unknown {
        let (message, hint) = unknown_key(&key.value, KEYS);
        resolver.wrong(key.place, message, format!("{hint}, and any that begin with `x-`"));
    }
    if let Some(variables) = &document.variables {
        for (key, _) in variables.0.iter().filter(|(key, _)| !is_name(&key.value)) {
            let message = format!("`{}` is no name of a variable", shown(&key.value));
            resolver.wrong(key.place, message, "write letters, digits and `_`, not a digit first");
        }
    }
    let host = document.host.as_ref().map(|host| {
        let require = resolver.platforms(Some(&host.require));
        let severities = resolver.severities(host.severities.as_ref(), true);
        let line = host.require.place().line;
        HostPlan { require, severities, fail_on: FailOn::default(), line }
    });
    let defaults = document.defaults.unwrap_or_default();
    let mut images = image::images(resolver, document.images.unwrap_or_default(), &defaults, host.is_some());
    let builds = document.builds.unwrap_or_default();
    let build::Builds { images: built, rehearsals } =
        build::builds(resolver, builds, &defaults, &images, host.is_some());
    images.extend(built);
    resolver.tell_unapplied();
    Suite { name, file: resolver.file.to_owned(), images, rehearsals, host }
}

impl Resolver<'_> {
    /// Takes the variables of a document.
    fn variables(&mut self, document: &Document) {
        let pairs = document.variables.iter().flat_map(|pairs| &pairs.0);
        self.variables = pairs.map(|(key, value)| (key.value.clone(), value.value.clone())).collect::<HashMap<_, _>>();
    }

    /// A name that was given, with its variables.
    pub(super) fn name(&mut self, name: Option<&At<String>>) -> Option<At<String>> {
        let text = self.text(name?)?;
        let checked = name::check(&text.value);
        self.right(text.place, checked)?;
        Some(text)
    }

    /// A name for each of these; `what` they are, in the plural.
    pub(super) fn distinct(&mut self, what: &str, wishes: &[Wish], numbered: bool) -> Vec<String> {
        let (names, twice) = name::distinct(wishes, numbered);
        for twice in twice {
            let message =
                format!("two {what} are called `{}`: this one, and the one in line {}", twice.name, twice.first.line);
            // In a list of images, none can have one.
            let hint =
                "leave one of them out, or give it another `name:`, which an image has that is written by itself";
            self.wrong(twice.place, message, if numbered { "give one of them another `name:`" } else { hint });
        }
        names
    }
}
