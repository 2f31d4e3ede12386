//! One image on one platform, for tests that are written in code.

use super::SuiteError;
use super::case::Tests;
use super::load::text;
use super::session::Session;
use crate::check::date::Date;
use crate::image::reader::Reader;
use mpcheck_reports::{Status, Trial};
use std::fmt;
use std::path::Path;
use std::time::SystemTime;

/// What came of an image on a platform where nothing is wrong.
#[derive(Debug, Clone)]
pub struct Checked {
    trials: Vec<Trial>,
}

impl Checked {
    /// What was not checked and why, such as a platform that this machine cannot run: `("run", "no emulator ...")`.
    ///
    /// Nothing is wrong with the image for that, and nothing was found to be right. Whoever has to know that it ran asserts
    /// that there is nothing here.
    pub fn skipped(&self) -> impl Iterator<Item = (&str, &str)> {
        let skipped = self.trials.iter().filter(|trial| trial.status == Status::Skipped);
        skipped.map(|trial| (trial.check.as_str(), trial.reason.as_deref().unwrap_or_default()))
    }

    /// Everything that was asked, and what came of it.
    #[must_use]
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }
}

/// What is wrong with an image on a platform, or why that could not be told.
///
/// A test that returns it fails with its text: `Debug` says the same as `Display`, in lines.
#[derive(Clone, thiserror::Error)]
#[error("{0}")]
pub struct Fault(String);

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks an image on a platform as a suite without any more wishes does: its documents, blobs, layers and binaries, and
/// whether it runs here.
///
/// `image` is written as on the command line, and `platform` as in `linux/arm64`. Layers are read once for all tests and
/// processes, by the user's cache.
///
/// ```no_run
/// # fn main() -> Result<(), mpcheck::suite::Fault> {
/// let checked = mpcheck::suite::check("registry.example/team/app:1.2", "linux/arm64")?;
/// assert_eq!(checked.skipped().count(), 0, "it was not run here");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// What was found to be wrong; what could not be decided; a name or a platform that is none.
pub fn check(image: &str, platform: &str) -> Result<Checked, Fault> {
    let suite = suite(image, platform);
    let today = Date::of(SystemTime::now());
    let suites = text(Path::new("the case"), &suite, &|_| None, today).map_err(|error| unwritten(&error))?;
    let session = Session::new(suites, Tests::default(), Reader::of_user());
    let mut wrong: Vec<String> = Vec::new();
    let mut trials = Vec::new();
    for at in session.wanted() {
        let outcome = session.outcome(at);
        trials.extend(session.trial(at, &outcome));
        let check = session.cases().get(at).map(|case| case.check.as_str()).unwrap_or_default();
        let reason = outcome.reason.as_deref().unwrap_or_default();
        match outcome.status {
            Status::Failed => wrong.push(format!("{check}: {reason}\n{}", outcome.output().unwrap_or_default())),
            // The same reason of all of them is read once.
            Status::Error if !wrong.iter().any(|told| told.ends_with(reason)) => {
                wrong.push(format!("{check} could not be decided: {reason}"));
            }
            Status::Error | Status::Passed | Status::Skipped => {}
        }
    }
    if wrong.is_empty() { Ok(Checked { trials }) } else { Err(Fault(told(image, platform, &wrong))) }
}

/// The suite that says no more than this, in JSON: YAML reads it, and a text cannot become anything else.
fn suite(image: &str, platform: &str) -> String {
    let literal = |text: &str| text.replace("${", "$${");
    let image = serde_json::json!({ "image": literal(image), "name": "image", "platforms": [literal(platform)] });
    // The version comes first, and serde_json may sort keys.
    format!(r#"{{"version":1,"name":"case","images":[{image}]}}"#)
}

/// There is no file to look into.
fn unwritten(error: &SuiteError) -> Fault {
    let told = error.problems().iter().map(|problem| match problem.hint.as_str() {
        "" => problem.message.clone(),
        hint => format!("{}: {hint}", problem.message),
    });
    Fault(told.collect::<Vec<_>>().join("\n"))
}

fn told(image: &str, platform: &str, wrong: &[String]) -> String {
    let lines = wrong.iter().flat_map(|told| told.lines()).map(|line| format!("  {line}"));
    format!("{image} on {platform}:\n{}", lines.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mpcheck_kit::incidents;
    use rstest::rstest;

    #[rstest]
    #[case::a_platform("app:1", "linux/arm46", "write `linux/arm64`")]
    #[case::an_image("App:1", "linux/arm64", "App")]
    #[case::no_image("", "linux/arm64", "")]
    // It is no variable here.
    #[case::a_dollar("${HOME}:1", "linux/arm64", "${HOME}")]
    fn what_is_typed_wrongly_is_told(#[case] image: &str, #[case] platform: &str, #[case] wanted: &str) {
        let fault = check(image, platform).unwrap_err();
        assert!(fault.to_string().contains(wanted), "{fault}");
        assert!(!fault.to_string().contains("the case"), "there is no such file: {fault}");
        assert_eq!(format!("{fault:?}"), fault.to_string());
    }

    #[test]
    fn an_image_that_is_not_there_is_told_once() {
        let fault = check("oci:/nowhere/image", "linux/arm64").unwrap_err().to_string();
        assert_eq!(fault.matches("could not be decided").count(), 1, "{fault}");
        assert!(fault.contains("/nowhere/image"), "{fault}");
    }

    #[test]
    fn what_is_wrong_is_told_of_its_platform_alone() {
        let directory = tempfile::tempdir().unwrap();
        let layout = directory.path().join("it's $HOME \"image\"");
        incidents::application_of_other_architecture().forged.write_layout(&layout, Some("latest")).unwrap();
        let name = format!("oci:{}", layout.display());
        let fault = check(&name, "linux/arm64").unwrap_err().to_string();
        assert!(fault.contains("binaries: ") && fault.contains("binary/foreign-architecture"), "{fault}");
        // It has no program that says its machine: what came of running it is this host's business.
        let other = check(&name, "linux/amd64").map(|checked| checked.trials().len());
        assert!(!format!("{other:?}").contains("binary/foreign-architecture"), "{other:?}");
    }
}
