//! `mpcheck test`: suites, run here.

use super::arguments::{Color, Format, ReadingArguments, ResultArguments, Run, SourceArguments};
use super::check::{located, milliseconds, not_of_a_host, reader, selection};
use super::console;
use super::failure::Failure;
use super::output::{self, ReportFile};
use super::progress::Progress;
use crate::image::observe::Silent;
use crate::image::parallel::in_parallel;
use crate::image::reader::{Depth, Reader};
use crate::image::source::registry::check_ca_file;
use crate::platform::Selection;
use crate::run::cleanup;
use crate::suite::case::{Case, Subject};
use crate::suite::filter::{Filter, Shard};
use crate::suite::plan::Suite;
use crate::suite::session::{Outcome, Session};
use crate::suite::{About, Gathered, SuiteError, gather, is_structure};
use clap::Args;
use mpcheck_reports::{self as reports, FailOn, Report, Tool, Verdict};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// What stands below the options in its help.
pub(super) const AFTER_HELP: &str = "\
A trial is called SUITE/IMAGE/PLATFORM/CHECK, such as release/app/linux-arm64/binaries; filters look at the whole name, as \
those of `cargo test` do. An image is read once, and each of its platforms run once, whatever the number of trials.

Examples:
  mpcheck test suites/release.yaml --report junit=junit.xml
  mpcheck test suites -- linux-arm64 --skip /run/
  mpcheck test suites/release.yaml --shard 3/16 --report json=part-3.json
  mpcheck test structure.yaml --image app:1.2

Exit codes: 0 passed; 1 a trial failed; 2 wrong usage, or a suite that is wrong; 3 something could not be decided; \
4 there was nothing to run.";

/// What `mpcheck test` takes.
#[derive(Debug, Args)]
pub(super) struct TestArguments {
    /// Suites, or directories with suites; with --image also files of container-structure-test
    #[arg(required = true, value_name = "SUITE")]
    pub(super) suites: Vec<PathBuf>,

    /// Run only trials with one of these in their names
    #[arg(last = true, value_name = "FILTER")]
    pub(super) filters: Vec<String>,

    /// Filters, and what is skipped, are whole names
    #[arg(long)]
    pub(super) exact: bool,

    /// Skip trials with this in their names; may be repeated
    #[arg(long, value_name = "FILTER")]
    pub(super) skip: Vec<String>,

    /// List the trials and run none; nothing but the suites is read
    #[arg(long)]
    pub(super) list: bool,

    /// Run only what exceptions would ignore
    #[arg(long, conflicts_with = "include_ignored")]
    pub(super) ignored: bool,

    /// Run what exceptions would ignore as well
    #[arg(long)]
    pub(super) include_ignored: bool,

    /// Run one part of the trials, by a hash of image and platform that never changes: 3/16
    #[arg(long, value_name = "N/COUNT")]
    pub(super) shard: Option<Shard>,

    /// Run only trials of these platforms, and those of whole images only where all are run
    /// [environment: DOCKER_DEFAULT_PLATFORM]
    #[arg(long, value_name = "PLATFORM,..")]
    pub(super) platform: Vec<String>,

    /// The image that files of container-structure-test are about, on all of its platforms or those of --platform
    #[arg(long, value_name = "IMAGE")]
    pub(super) image: Option<String>,

    /// How platforms are run, instead of what the suites say
    #[arg(long, value_name = "HOW")]
    pub(super) run: Option<Run>,

    /// A platform that cannot be run fails its trials, where they would be skipped
    #[arg(long)]
    pub(super) require_run: bool,

    #[command(flatten)]
    pub(super) result: ResultArguments,

    /// Name every trial, and show all of what failing ones wrote
    #[arg(long, short, conflicts_with = "quiet")]
    pub(super) verbose: bool,

    /// No progress and no warnings on standard error
    #[arg(long, short)]
    pub(super) quiet: bool,

    #[command(flatten, next_help_heading = "Reading")]
    pub(super) reading: ReadingArguments,

    #[command(flatten, next_help_heading = "Registries and engines")]
    pub(super) source: SourceArguments,
}

/// Runs suites, prints the result and gives the exit code.
pub(super) fn run(arguments: &TestArguments, color: Color) -> Result<u8, Failure> {
    not_of_a_host(&arguments.result)?;
    let (started, begun) = (SystemTime::now(), Instant::now());
    if let Some(file) = &arguments.source.ca_cert {
        check_ca_file(file).map_err(|error| Failure::usage(format!("--ca-cert: {error}")))?;
    }
    let variable = std::env::var_os("DOCKER_DEFAULT_PLATFORM").map(|value| value.to_string_lossy().into_owned());
    let (platforms, from_environment) = selection(&arguments.platform, variable.as_deref())?;
    if from_environment && !arguments.quiet {
        let text = "only the platforms of DOCKER_DEFAULT_PLATFORM are run; --platform all runs every one";
        console::warn(text, color);
    }
    let reader = reader(&arguments.reading, &arguments.source);
    let about = about(arguments, &reader, &platforms)?;
    let mut gathered = gather(&arguments.suites, about.as_ref()).map_err(|error| failure(&error))?;
    contradiction(&gathered.suites, arguments)?;
    gathered.suites.iter_mut().for_each(|suite| change(suite, arguments));
    let (mut session, has_any) = session(gathered, reader, arguments, &platforms);
    if arguments.list {
        return list(&session);
    }
    let wanted: Vec<usize> = session.wanted().collect();
    // Another shard has what this one has not.
    let is_empty_shard = wanted.is_empty() && arguments.shard.is_some() && has_any;
    if wanted.is_empty() && !is_empty_shard {
        console::complain(&nothing_to_run(&session), color);
        return Ok(4);
    }
    let files = arguments.result.report.iter().map(|(format, path)| ReportFile::prepare(*format, path));
    let files = files.collect::<Result<Vec<_>, _>>()?;
    cleanup::on_signal().map_err(|error| Failure::unexamined(format!("signals cannot be caught: {error}")))?;
    let progress = Arc::new(Progress::new(arguments.quiet));
    session.watched_by(Arc::<Progress>::clone(&progress));
    let told = Arc::clone(&progress);
    session.steps_watched_by(Arc::new(move |step| told.doing(step)));
    let jobs = arguments.reading.jobs.map_or_else(crate::image::reader::default_jobs, usize::from);
    let outcomes = in_parallel(&wanted, jobs, |at| session.outcome(*at));
    let mut warnings = progress.finish();
    let mut report = report(&session, &wanted, outcomes, started, &mut warnings);
    if !arguments.quiet {
        warnings.iter().for_each(|warning| console::warn(warning, color));
    }
    if let Some(cache) = session.cache() {
        // What is left behind does no harm; the next run tries again.
        let _ = cache.prune(started);
    }
    report.shard = arguments.shard.map(|shard| reports::Shard { number: shard.number(), of: shard.of() });
    report.duration_ms = milliseconds(begun.elapsed());
    report.verdict = reports::verdict(&report, arguments.result.fail_on);
    report.sort();
    for file in files {
        file.write(&report, arguments.result.fail_on, arguments.verbose)?;
    }
    if is_empty_shard {
        let text = "this shard has none of the trials: there is nothing to do, and its report says so";
        console::note(text, color);
        if arguments.result.format != Format::Text {
            output::to_stdout(&report, &arguments.result, arguments.verbose, color)?;
        }
        return Ok(0);
    }
    output::to_stdout(&report, &arguments.result, arguments.verbose, color)?;
    Ok(reports::exit_code(&report, arguments.result.fail_on))
}

/// The image that files of container-structure-test are about, with the platforms that were asked for, or all that it has.
fn about(arguments: &TestArguments, reader: &Reader, platforms: &Selection) -> Result<Option<About>, Failure> {
    let files: Vec<&PathBuf> = arguments.suites.iter().filter(|path| is_structure(path)).collect();
    let (reference, file) = match (&arguments.image, files.first()) {
        (None, None) => return Ok(None),
        (Some(_), None) => {
            return Err(Failure::usage("--image is for files of container-structure-test, and none is named")
                .hint("a suite names its images itself"));
        }
        (None, Some(file)) => {
            let why = format!("{} is a file of container-structure-test, which names no image", file.display());
            return Err(
                Failure::usage(why).hint("name one with --image, or name the file in a suite, below `structure:`")
            );
        }
        (Some(reference), Some(file)) => (reference, file),
    };
    let location = located(reference)?;
    let platforms = if platforms.is_all() {
        let read = reader.read(&location, &Selection::none(), Depth::Documents, &Silent);
        let (facts, _) = read.map_err(|error| {
            let failure = Failure::unexamined(format!("the image {reference} could not be examined: {error}"));
            match reader.next_step(reference, &location, &error) {
                Some(step) => failure.hint(step),
                None => failure,
            }
        })?;
        facts.platforms.into_iter().map(|platform| platform.platform).collect()
    } else {
        platforms.platforms().to_vec()
    };
    if platforms.is_empty() {
        return Err(Failure::unexamined(format!(
            "the image {reference} has no platform to test with {}",
            file.display()
        )));
    }
    Ok(Some(About { reference: reference.clone(), location, platforms }))
}

/// What is wrong with a suite. The first problem's next step is the hint; the others stand in the text.
pub(super) fn failure(error: &SuiteError) -> Failure {
    Failure::of_suite(error.to_string(), error.exit_code())
}

/// What has to be run cannot be left out at the same time.
fn contradiction(suites: &[Suite], arguments: &TestArguments) -> Result<(), Failure> {
    if arguments.run != Some(Run::Never) {
        return Ok(());
    }
    let required = suites.iter().flat_map(|suite| suite.images.iter().map(move |image| (suite, image)));
    let by = match required.into_iter().find(|(_, image)| image.run.required) {
        _ if arguments.require_run => "--require-run".to_owned(),
        Some((suite, image)) => format!("`required: true` of {} in {}", image.name, suite.file.display()),
        None => return Ok(()),
    };
    Err(Failure::usage(format!("--run never runs nothing, and {by} asks for running"))
        .hint("leave out one of them; filters and --skip choose what is done"))
}

/// What the command line says comes before what the suite says.
fn change(suite: &mut Suite, arguments: &TestArguments) {
    if let Some(host) = suite.host.as_mut().filter(|_| arguments.result.fail_on == FailOn::Warning) {
        host.fail_on = FailOn::Warning;
    }
    for rehearsal in &mut suite.rehearsals {
        if let Some(run) = arguments.run {
            rehearsal.how = run.into();
        }
        if arguments.result.fail_on == FailOn::Warning {
            rehearsal.fail_on = FailOn::Warning;
        }
    }
    for image in &mut suite.images {
        if let Some(run) = arguments.run {
            image.run.how = run.into();
        }
        image.run.required |= arguments.require_run;
        if arguments.result.fail_on == FailOn::Warning {
            image.fail_on = FailOn::Warning;
        }
    }
}

/// The session with what is asked for, and whether that was anything before it was divided into shards.
fn session(gathered: Gathered, reader: Reader, arguments: &TestArguments, platforms: &Selection) -> (Session, bool) {
    let Gathered { suites, tests } = gathered;
    let mut session = Session::new(suites, tests, reader);
    let filter = Filter { filters: arguments.filters.clone(), exact: arguments.exact, skip: arguments.skip.clone() };
    if arguments.ignored || arguments.include_ignored {
        session.include_ignored(arguments.ignored);
    }
    session.want(|case| filter.takes(&case.name));
    if !platforms.is_all() {
        let takes: Vec<bool> = session.cases().iter().map(|case| of_platforms(&session, case, platforms)).collect();
        let mut takes = takes.into_iter();
        session.want(|_| takes.next().unwrap_or(false));
    }
    let has_any = session.wanted().next().is_some();
    if let Some(shard) = arguments.shard {
        session.want(|case| shard.has(case.group()));
    }
    (session, has_any)
}

/// Whether a case is of one of the platforms.
fn of_platforms(session: &Session, case: &Case, platforms: &Selection) -> bool {
    let Subject::Platform(image, platform) = case.subject else { return false };
    let image = session.suite(case).and_then(|suite| suite.images.get(image));
    let platform = image.and_then(|image| image.platforms.get(platform));
    platform.is_some_and(|platform| platforms.platforms().iter().any(|wanted| platform.satisfies(wanted)))
}

/// A line for each trial, as `cargo test -- --list --format terse` prints it.
fn list(session: &Session) -> Result<u8, Failure> {
    let names = session.wanted().filter_map(|at| session.cases().get(at));
    let mut text = Vec::new();
    for case in names {
        // Writing to a vector cannot fail.
        let _ = writeln!(text, "{}: test", case.name);
    }
    console::print(&String::from_utf8_lossy(&text))
}

fn nothing_to_run(session: &Session) -> Failure {
    let all = session.cases().len();
    Failure::unexamined(format!("nothing to run: none of the {all} trials was asked for"))
        .hint("--list shows their names; filters, --skip, --platform and --shard choose among them")
}

fn report(
    session: &Session,
    wanted: &[usize],
    outcomes: Vec<Outcome>,
    started: SystemTime,
    warnings: &mut Vec<String>,
) -> Report {
    let (images, host, more) = session.seen();
    warnings.extend(more);
    warnings.sort();
    warnings.dedup();
    let trials = wanted.iter().zip(&outcomes).filter_map(|(at, outcome)| session.trial(*at, outcome)).collect();
    let mut findings: Vec<reports::Finding> = outcomes.into_iter().flat_map(|outcome| outcome.findings).collect();
    // What is wrong with the machine may stand with several commands.
    findings.sort_by(|left, right| {
        (&left.image, &left.rule, &left.message).cmp(&(&right.image, &right.rule, &right.message))
    });
    findings.dedup();
    Report {
        schema: reports::SCHEMA.to_owned(),
        tool: Tool { name: "mpcheck".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        started: humantime::format_rfc3339_millis(started).to_string(),
        duration_ms: 0,
        verdict: Verdict::Error,
        images,
        host,
        findings,
        steps: Vec::new(),
        trials,
        shard: None,
        timings: Vec::new(),
    }
}
