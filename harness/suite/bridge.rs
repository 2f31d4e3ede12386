//! Suites as `cargo test` and `cargo nextest run`: each trial is a test of its own.

use super::case::Case;
use super::filter::Filter;
use super::session::{Outcome, Session};
use super::{Gathered, SuiteError, gather};
use crate::image::reader::Reader;
use crate::run::cleanup;
use libtest_mimic::{Arguments, Completion, Conclusion, Failed, Trial};
use mpcheck_reports::Status;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

/// Runs suites as tests, with the arguments of this process: the whole of a test with `harness = false`.
///
/// ```no_run
/// fn main() -> std::process::ExitCode {
///     mpcheck::suite::main(["suites/release.yaml"])
/// }
/// ```
///
/// `suites` are files, or directories with files, relative to where the test runs: with cargo and nextest the directory of
/// the package. Every option of libtest that libtest-mimic knows works: a filter, `--exact`, `--skip`, `--list`,
/// `--ignored`, `--include-ignored`, `--test-threads`, `--format`. Listing reads the suites and nothing else.
///
/// What cannot be run here (no emulator, no engine, no user namespaces) is ignored with its reason, unless the suite
/// requires it (`run: {required: true}`). nextest learns of it from the list of ignored tests; what turns out only while a
/// test runs fails there, since nextest would count it as passed.
///
/// Standard error has what is wrong with a suite, and the exit code is 2 then; it is 101, libtest's own, when a test fails,
/// and 4 where the suites have no test at all.
pub fn main<I>(suites: I) -> ExitCode
where
    I: IntoIterator,
    I::Item: AsRef<Path>,
{
    let arguments = Arguments::from_args();
    let files: Vec<PathBuf> = suites.into_iter().map(|file| file.as_ref().to_owned()).collect();
    match tests(&files, &arguments) {
        Ok(conclusion) => conclusion.exit_code(),
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(error.exit_code())
        }
    }
}

fn tests(files: &[PathBuf], arguments: &Arguments) -> Result<Conclusion, SuiteError> {
    let Gathered { suites, tests } = gather(files, None)?;
    let started = SystemTime::now();
    let mut session = Session::new(suites, tests, Reader::of_user());
    let ignored: Vec<bool> = (0..session.cases().len()).map(|at| is_ignored(&session, at, arguments)).collect();
    if arguments.include_ignored || arguments.ignored {
        session.include_ignored(arguments.ignored);
    }
    let filter = Filter {
        filters: arguments.filter.iter().cloned().collect(),
        exact: arguments.exact,
        skip: arguments.skip.clone(),
    };
    session.want(|case| filter.takes(&case.name));
    // nextest says so to each of the processes that it starts, one for a test.
    let nextest = std::env::var_os("NEXTEST").is_some();
    if nextest {
        session.share();
    }
    if !arguments.list
        && let Err(error) = cleanup::on_signal()
    {
        complain(&format!("signals cannot be caught, so what is started may be left behind: {error}"));
    }
    let session = Arc::new(session);
    let trials = session.cases().iter().zip(ignored).enumerate();
    let trials = trials.map(|(at, (case, ignored))| trial(&session, at, case, ignored, nextest)).collect();
    let conclusion = libtest_mimic::run(arguments, trials);
    for warning in session.seen().2 {
        complain(&warning);
    }
    if let Some(cache) = session.cache().filter(|_| !arguments.list) {
        // What is left behind does no harm; the next run tries again.
        let _ = cache.prune(started);
    }
    Ok(conclusion)
}

/// Whether libtest-mimic shall know beforehand that a trial is ignored.
///
/// It prints no reason for those, so in a plain run the trial says it itself. But who lists the ignored ones decides by
/// that what to start at all, and takes whatever ends well for passed: nextest, which starts a process for each trial. So
/// there what cannot be run on this host counts as well.
fn is_ignored(session: &Session, at: usize, arguments: &Arguments) -> bool {
    let is_excepted = session.cases().get(at).is_some_and(|case| case.ignored.is_some());
    match (arguments.list && arguments.ignored, arguments.list || arguments.ignored || arguments.include_ignored) {
        (true, _) => is_excepted || session.cannot_be_run(at).is_some(),
        (false, asked) => is_excepted && asked,
    }
}

fn trial(session: &Arc<Session>, at: usize, case: &Case, ignored: bool, nextest: bool) -> Trial {
    let mine = Arc::clone(session);
    let test = Trial::ignorable_test(case.name.clone(), move || completion(&mine.outcome(at), nextest));
    test.with_ignored_flag(ignored)
}

/// Under `nextest` a process that ends well has passed, whatever it prints. What could be told beforehand is not started
/// there ([`is_ignored`]); what only turns out now is not to look like success.
fn completion(outcome: &Outcome, nextest: bool) -> Result<Completion, Failed> {
    let reason = outcome.reason.clone().unwrap_or_default();
    match outcome.status {
        Status::Passed => Ok(Completion::Completed),
        Status::Skipped if nextest => {
            let why = format!("could not be run here, which nextest has no word for while a test runs: {reason}");
            Err(Failed::from(told(&why, outcome)))
        }
        Status::Skipped => Ok(Completion::ignored_with(reason)),
        Status::Failed => Err(Failed::from(told(&reason, outcome))),
        Status::Error => Err(Failed::from(told(&format!("could not be decided: {reason}"), outcome))),
    }
}

fn told(reason: &str, outcome: &Outcome) -> String {
    match outcome.output() {
        Some(output) => format!("{reason}\n{output}"),
        None => reason.to_owned(),
    }
}

#[expect(clippy::print_stderr, reason = "a test's main function has no other way to say it")]
fn complain(text: &str) {
    eprintln!("mpcheck: {text}");
}
