//! `mpcheck check`: images, read and checked one after the other.

use super::arguments::{CheckArguments, Color, Format, ReadingArguments, ResultArguments, SourceArguments};
use super::console;
use super::failure::Failure;
use super::output::{self, ReportFile};
use super::progress::Progress;
use super::run::Running;
use crate::check::policy::Policy;
use crate::check::{self, Requirements, Runs};
use crate::image::examine::{ExamineError, Unpack};
use crate::image::facts::LayerHow;
use crate::image::reader::{Depth, Reader};
use crate::image::reference::{Location, ReferenceError};
use crate::image::source::Source;
use crate::image::source::registry::check_ca_file;
use crate::image::{ImageFacts, LayerState};
use crate::platform::{Platform, Selection};
use crate::run::cleanup;
use mpcheck_reports::{self as reports, Finding, Report, Timing, Tool, Verdict};
use std::time::{Duration, Instant, SystemTime};

/// Checks everything that was named, prints the result and gives the exit code.
pub(super) fn run(arguments: &CheckArguments, color: Color) -> Result<u8, Failure> {
    not_of_a_host(&arguments.result)?;
    let started = SystemTime::now();
    let begun = Instant::now();
    let default_platform =
        std::env::var_os("DOCKER_DEFAULT_PLATFORM").map(|value| value.to_string_lossy().into_owned());
    super::run::check_usage(&arguments.running)?;
    let plan = Plan::new(arguments, default_platform.as_deref())?;
    let files = arguments.result.report.iter().map(|(format, path)| ReportFile::prepare(*format, path));
    let files = files.collect::<Result<Vec<_>, _>>()?;
    plan.announce(arguments, color);
    cleanup::on_signal().map_err(|error| Failure::unexamined(format!("signals cannot be caught: {error}")))?;
    let baseline = plan.baseline()?;
    let running = Running::new(&arguments.running, &plan.reader)?;
    let mut parts = Parts::default();
    for (reference, location) in &plan.images {
        let requirements = Requirements {
            selected: plan.selection.platforms().to_vec(),
            required: plan.required.clone(),
            exact: arguments.exact,
            baseline: baseline.clone(),
            policy: Policy::default(),
        };
        let progress = Progress::new(arguments.quiet);
        let examined = plan.examine(location, &plan.selection, &progress, Some(&running)).map(|(facts, source)| {
            progress.running(facts.platforms.iter().filter(|platform| platform.selected).count());
            let attempts = running.attempts(&facts, source.as_ref(), location, plan.reader.jobs);
            (facts, Runs { attempts, required: running.required })
        });
        let warnings = progress.finish();
        if !arguments.quiet {
            warnings.iter().for_each(|warning| console::warn(warning, color));
        }
        if let (Ok((facts, _)), false) = (&examined, arguments.quiet) {
            facts.warnings.iter().for_each(|warning| console::warn(warning, color));
        }
        match examined {
            Ok((facts, runs)) => parts.add(&facts, &runs, reference, &requirements, arguments.verbose),
            Err(error) => parts.fail(reference, &plan, location, &error),
        }
    }
    if let Some(cache) = &plan.reader.cache {
        // What is left behind does no harm; the next run tries again.
        let _ = cache.prune(started);
    }
    let report = parts.into_report(started, begun.elapsed(), arguments.result.fail_on);
    for file in files {
        file.write(&report, arguments.result.fail_on, arguments.verbose)?;
    }
    output::to_stdout(&report, &arguments.result, arguments.verbose, color)?;
    Ok(reports::exit_code(&report, arguments.result.fail_on))
}

/// Metrics are of a host: of an image there would be none, and silence looks like success.
pub(super) fn not_of_a_host(result: &ResultArguments) -> Result<(), Failure> {
    let formats = std::iter::once(result.format).chain(result.report.iter().map(|(format, _)| *format));
    if formats.into_iter().any(|format| format == Format::Prometheus) {
        return Err(Failure::usage("prometheus is a format of `mpcheck host`, and this checks an image")
            .hint("take json or junit"));
    }
    Ok(())
}

/// The arguments, after the world was looked at.
struct Plan {
    images: Vec<(String, Location)>,
    baseline: Option<(String, Location)>,
    selection: Selection,
    /// Whether nothing but `DOCKER_DEFAULT_PLATFORM` narrows the selection.
    from_environment: bool,
    required: Vec<Platform>,
    reader: Reader,
}

impl Plan {
    /// `default_platform` is the value of `DOCKER_DEFAULT_PLATFORM`.
    fn new(arguments: &CheckArguments, default_platform: Option<&str>) -> Result<Self, Failure> {
        if let Some(file) = &arguments.source.ca_cert {
            check_ca_file(file).map_err(|error| usage(format!("--ca-cert: {error}"), error.hint()))?;
        }
        let (selection, from_environment) = selection(&arguments.platform, default_platform)?;
        let required = required(&arguments.require, "name the platforms that the image must have")?;
        let locate = |name: &String| located(name).map(|location| (name.clone(), location));
        let images = arguments.images.iter().map(locate).collect::<Result<_, _>>()?;
        let baseline = arguments.baseline.as_ref().map(locate).transpose()?;
        Ok(Self {
            images,
            baseline,
            selection,
            from_environment,
            required,
            reader: reader(&arguments.reading, &arguments.source),
        })
    }

    /// Says what the environment changed, so that a narrowed check is no surprise.
    fn announce(&self, arguments: &CheckArguments, color: Color) {
        if self.from_environment && !arguments.quiet && !self.selection.is_all() {
            console::warn(
                "only the platforms of DOCKER_DEFAULT_PLATFORM are checked; --platform all checks every one",
                color,
            );
        }
    }

    fn examine(
        &self,
        location: &Location,
        selection: &Selection,
        progress: &Progress,
        running: Option<&Running>,
    ) -> Result<(ImageFacts, Box<dyn Source>), ExamineError> {
        let wanted = |platform: &Platform| running.is_some_and(|running| running.wants_unpacked(platform));
        let unpack = running.and_then(Running::store).map(|store| Unpack { store, of: &wanted });
        let depth = running.map_or(Depth::Documents, |_| Depth::Layers(unpack));
        self.reader.read(location, selection, depth, progress)
    }

    /// The platforms of the baseline; without it there is nothing to compare, so its failure ends the run.
    fn baseline(&self) -> Result<Option<(String, Vec<Platform>)>, Failure> {
        let Some((name, location)) = &self.baseline else { return Ok(None) };
        let (facts, _) = self.examine(location, &Selection::none(), &Progress::new(true), None).map_err(|error| {
            let failure = Failure::unexamined(format!("the baseline {name} could not be examined: {error}"));
            match self.reader.next_step(name, location, &error) {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        })?;
        let platforms: Vec<Platform> = facts.platforms.into_iter().map(|platform| platform.platform).collect();
        if platforms.is_empty() {
            return Err(Failure::unexamined(format!("the baseline {name} has no platforms to compare with")));
        }
        Ok(Some((name.clone(), platforms)))
    }
}

fn usage(message: String, hint: Option<&str>) -> Failure {
    let failure = Failure::usage(message);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// The platforms that an option or a variable names.
fn platforms<'a>(named_by: &str, values: impl IntoIterator<Item = &'a str>) -> Result<Selection, Failure> {
    Selection::parse(values).map_err(|e| {
        usage(
            format!("{named_by}: {e}"),
            Some("platforms are written os/architecture[/variant]: linux/arm64, linux/arm/v7"),
        )
    })
}

/// The platforms that `--require` names; `hint` says what to name in place of `all`.
pub(super) fn required(values: &[String], hint: &str) -> Result<Vec<Platform>, Failure> {
    if values.is_empty() {
        return Ok(Vec::new());
    }
    let required = platforms("--require", values.iter().map(String::as_str))?;
    if required.is_all() {
        return Err(Failure::usage("--require: `all` names no platform").hint(hint));
    }
    Ok(required.platforms().to_vec())
}

/// The platforms to check, and whether the environment named them. A variable that is empty counts as unset.
pub(super) fn selection(options: &[String], variable: Option<&str>) -> Result<(Selection, bool), Failure> {
    if !options.is_empty() {
        return Ok((platforms("--platform", options.iter().map(String::as_str))?, false));
    }
    match variable.filter(|value| !value.trim().is_empty()) {
        Some(value) => Ok((platforms("DOCKER_DEFAULT_PLATFORM", [value])?, true)),
        None => Ok((Selection::all(), false)),
    }
}

pub(super) fn located(name: &str) -> Result<Location, Failure> {
    Location::parse(name).map_err(|error: ReferenceError| {
        let failure =
            if error.is_usage() { Failure::usage(error.to_string()) } else { Failure::unexamined(error.to_string()) };
        failure.hint(error.hint())
    })
}

/// How images are read, by the options of reading and of sources.
pub(super) fn reader(reading: &ReadingArguments, source: &SourceArguments) -> Reader {
    let mut reader = Reader::of_user();
    reader.limits.bytes = reading.max_layer_bytes.0;
    reader.limits.entries = reading.max_layer_entries.0;
    reader.jobs = reading.jobs.map_or(reader.jobs, usize::from);
    reader.cache = reader.cache.filter(|_| !reading.no_cache);
    let registry = &mut reader.sources.registry;
    registry.plain_http = source.plain_http;
    registry.insecure = source.insecure;
    registry.ca_cert.clone_from(&source.ca_cert);
    reader.sources.engine.clone_from(&source.host);
    reader
}

/// What the report is made of.
#[derive(Default)]
struct Parts {
    images: Vec<reports::Image>,
    findings: Vec<Finding>,
    timings: Vec<Timing>,
}

impl Parts {
    fn add(&mut self, facts: &ImageFacts, runs: &Runs, reference: &str, requirements: &Requirements, verbose: bool) {
        let begun = Instant::now();
        let checked = check::image(facts, reference, requirements, runs);
        let took = begun.elapsed();
        self.images.push(checked.image);
        self.findings.extend(checked.findings);
        if verbose {
            self.timings.push(timing("manifests and configs", facts.documents_took, None, None));
            self.timings.extend(facts.layers.iter().map(|layer| layer_timing(layer)));
            self.timings.push(timing("rules", took, None, None));
        }
    }

    fn fail(&mut self, reference: &str, plan: &Plan, location: &Location, error: &ExamineError) {
        let why = plan.reader.told(reference, location, error);
        self.images.push(check::unread(reference, location, why));
    }

    fn into_report(self, started: SystemTime, took: Duration, fail_on: reports::FailOn) -> Report {
        let mut report = Report {
            schema: reports::SCHEMA.to_owned(),
            tool: Tool { name: "mpcheck".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
            started: humantime::format_rfc3339_millis(started).to_string(),
            duration_ms: milliseconds(took),
            verdict: Verdict::Error,
            images: self.images,
            host: None,
            findings: self.findings,
            steps: Vec::new(),
            trials: Vec::new(),
            shard: None,
            timings: self.timings,
        };
        report.verdict = reports::verdict(&report, fail_on);
        report.sort();
        report
    }
}

fn layer_timing(layer: &LayerState) -> Timing {
    let how = match layer.how {
        LayerHow::Cached => "from the cache",
        LayerHow::Verified => "verified, the rest from the cache",
        LayerHow::Read if layer.facts.is_some() => "read",
        LayerHow::Read => "not read to its end",
    };
    let bytes = layer.facts.as_ref().map(|facts| facts.bytes);
    timing(&format!("layer {}", layer.descriptor.digest.short()), layer.took, bytes, Some(how))
}

fn timing(what: &str, took: Duration, bytes: Option<u64>, how: Option<&str>) -> Timing {
    Timing { what: what.to_owned(), duration_ms: milliseconds(took), bytes, how: how.map(str::to_owned) }
}

pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::arguments::CommandLine;
    use clap::Parser as _;
    use rstest::rstest;

    fn plan(words: &[&str], default_platform: Option<&str>) -> Result<Plan, Failure> {
        let command_line = CommandLine::try_parse_from([&["mpcheck"], words].concat()).unwrap();
        Plan::new(&command_line.check, default_platform)
    }

    #[rstest]
    #[case::unset(&["app"], None, &[], false)]
    #[case::empty(&["app"], Some(""), &[], false)]
    #[case::blank(&["app"], Some(" "), &[], false)]
    #[case::used(&["app"], Some("linux/arm64"), &["linux/arm64"], true)]
    #[case::the_option_wins(&["app", "--platform", "linux/amd64"], Some("linux/arm64"), &["linux/amd64"], false)]
    #[case::the_same_in_both(&["app", "--platform", "linux/arm64"], Some("linux/arm64"), &["linux/arm64"], false)]
    #[case::all_wins(&["app", "--platform", "all"], Some("linux/arm64"), &[], false)]
    #[case::a_wrong_value_is_not_looked_at(&["app", "--platform", "all"], Some("//"), &[], false)]
    fn the_variable_counts_where_no_option_is_given(
        #[case] words: &[&str],
        #[case] variable: Option<&str>,
        #[case] platforms: &[&str],
        #[case] from_environment: bool,
    ) {
        let plan = plan(words, variable).unwrap();
        assert_eq!(plan.selection.platforms().iter().map(ToString::to_string).collect::<Vec<_>>(), platforms);
        assert_eq!(plan.selection.is_all(), platforms.is_empty());
        assert_eq!(plan.from_environment, from_environment);
    }

    #[test]
    fn what_is_wrong_with_the_variable_is_told_of_the_variable() {
        let failure = plan(&["app"], Some("linux/")).err().unwrap();
        assert!(failure.to_string().starts_with("DOCKER_DEFAULT_PLATFORM: "), "{failure}");
        assert_eq!(failure.exit_code(), 2);
    }

    #[rstest]
    #[case::absent("none.pem")]
    #[case::a_directory("")]
    #[case::no_certificate("empty.pem")]
    fn a_ca_file_is_looked_at_first(#[case] name: &str) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("empty.pem"), "nothing").unwrap();
        let file = directory.path().join(name).display().to_string();
        // The platform is wrong too, and so is the image.
        let failure = plan(&["./nothing", "--platform", "//", "--ca-cert", &file], None).err().unwrap();
        assert!(failure.to_string().starts_with(&format!("--ca-cert: the CA file {file} ")), "{failure}");
        assert_eq!(failure.exit_code(), 2);
    }
}
