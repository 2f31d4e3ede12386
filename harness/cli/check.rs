//! `mpcheck check`: images, read and checked one after the other.

use super::arguments::{CheckArguments, Color};
use super::console;
use super::failure::Failure;
use super::output::{self, ReportFile};
use super::progress::Progress;
use crate::check::{self, Requirements};
use crate::image::cache::Cache;
use crate::image::examine::{self, ExamineError};
use crate::image::layer::Limits;
use crate::image::reference::{EngineImage, Location, ReferenceError};
use crate::image::source::{EngineOptions, EngineSource, SourceError, SourceOptions, open_image};
use crate::image::{ImageFacts, LayerState};
use crate::platform::{Platform, Selection};
use mpcheck_reports::{self as reports, Finding, Report, Timing, Tool, Verdict};
use std::time::{Duration, Instant, SystemTime};

/// Docker's variable for what `--platform` says.
const DEFAULT_PLATFORM: &str = "DOCKER_DEFAULT_PLATFORM";

/// Checks everything that was named, prints the result and gives the exit code.
pub(super) fn run(arguments: &CheckArguments, color: Color) -> Result<u8, Failure> {
    let started = SystemTime::now();
    let begun = Instant::now();
    let plan = Plan::new(arguments)?;
    let files = arguments.report.iter().map(|(format, path)| ReportFile::prepare(*format, path));
    let files = files.collect::<Result<Vec<_>, _>>()?;
    plan.announce(arguments, color);
    let baseline = plan.baseline()?;
    let mut parts = Parts::default();
    for (reference, location) in &plan.images {
        let requirements =
            Requirements { required: plan.required.clone(), exact: arguments.exact, baseline: baseline.clone() };
        let progress = Progress::new(arguments.quiet);
        let examined = plan.examine(location, &plan.selection, &progress, true);
        let warnings = progress.finish();
        if !arguments.quiet {
            warnings.iter().for_each(|warning| console::warn(warning, color));
        }
        match examined {
            Ok(facts) => parts.add(&facts, reference, &requirements, arguments.verbose),
            Err(error) => parts.fail(reference, &plan, location, &error),
        }
    }
    if let Some(cache) = &plan.cache {
        // What is left behind does no harm; the next run tries again.
        let _ = cache.prune(started);
    }
    let report = parts.into_report(started, begun.elapsed(), arguments.fail_on);
    for file in files {
        file.write(&report, arguments.verbose)?;
    }
    output::to_stdout(&report, arguments.format, arguments.verbose, color)?;
    Ok(reports::exit_code(&report, arguments.fail_on))
}

/// The arguments, after the world was looked at.
struct Plan {
    images: Vec<(String, Location)>,
    baseline: Option<(String, Location)>,
    selection: Selection,
    required: Vec<Platform>,
    sources: SourceOptions,
    limits: Limits,
    jobs: usize,
    cache: Option<Cache>,
}

impl Plan {
    fn new(arguments: &CheckArguments) -> Result<Self, Failure> {
        let platforms = |option: &str, values: &[String]| {
            Selection::parse(values.iter().map(String::as_str))
                .map_err(|e| Failure::usage(format!("{option}: {e}")).hint("platforms are written os/architecture[/variant]: linux/arm64, linux/arm/v7"))
        };
        // A variable that is set and empty is none, to Docker as well.
        let is_unset = |value: &String| value.is_empty() && std::env::var_os(DEFAULT_PLATFORM).is_some_and(|v| v.is_empty());
        let selection =
            if arguments.platform.iter().all(is_unset) { Selection::all() } else { platforms("--platform", &arguments.platform)? };
        let required = if arguments.require.is_empty() {
            Vec::new()
        } else {
            let required = platforms("--require", &arguments.require)?;
            if required.is_all() {
                return Err(Failure::usage("--require: `all` names no platform").hint("name the platforms that the image must have"));
            }
            required.platforms().to_vec()
        };
        let locate = |name: &String| located(name).map(|location| (name.clone(), location));
        let images = arguments.images.iter().map(locate).collect::<Result<_, _>>()?;
        let baseline = arguments.baseline.as_ref().map(locate).transpose()?;
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        let cache = Cache::user_directory(|name| std::env::var_os(name).map(Into::into)).map(Cache::new);
        Ok(Self {
            images,
            baseline,
            selection,
            required,
            sources: sources(arguments),
            limits: Limits {
                bytes: arguments.reading.max_layer_bytes,
                entries: arguments.reading.max_layer_entries,
                ..Limits::default()
            },
            jobs: arguments.reading.jobs.map_or(processors.max(2), usize::from),
            cache: cache.filter(|_| !arguments.reading.no_cache),
        })
    }

    /// Says what the environment changed, so that a narrowed check is no surprise.
    fn announce(&self, arguments: &CheckArguments, color: Color) {
        let from_environment = std::env::var(DEFAULT_PLATFORM)
            .is_ok_and(|value| !value.is_empty() && arguments.platform == [value.as_str()]);
        if from_environment && !arguments.quiet && !self.selection.is_all() {
            console::warn("only the platforms of DOCKER_DEFAULT_PLATFORM are checked; --platform all checks every one", color);
        }
    }

    fn examine(
        &self,
        location: &Location,
        selection: &Selection,
        progress: &Progress,
        layers: bool,
    ) -> Result<ImageFacts, ExamineError> {
        let source = open_image(location, &self.sources)?;
        let options = examine::Options { selection, limits: self.limits, jobs: self.jobs, cache: self.cache.as_ref(), layers };
        examine::examine(source.as_ref(), &options, progress)
    }

    /// The platforms of the baseline; without it there is nothing to compare, so its failure ends the run.
    fn baseline(&self) -> Result<Option<(String, Vec<Platform>)>, Failure> {
        let Some((name, location)) = &self.baseline else { return Ok(None) };
        let facts = self.examine(location, &Selection::none(), &Progress::new(true), false).map_err(|error| {
            let failure = Failure::unexamined(format!("the baseline {name} could not be examined: {error}"));
            match hint(&error) {
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

    /// Whether the engine has an image that the registry has not.
    fn engine_has(&self, location: &Location) -> Option<String> {
        let Location::Registry { name } = location else { return None };
        let image = EngineImage::Name(name.clone());
        let options = EngineOptions {
            host: self.sources.engine.clone(),
            environment: self.sources.environment.clone(),
            temporary: self.sources.temporary.clone(),
        };
        EngineSource::new(image, options).exists().then(|| format!("docker-daemon:{}", name.familiar()))
    }
}

fn located(name: &str) -> Result<Location, Failure> {
    Location::parse(name).map_err(|error: ReferenceError| {
        let failure =
            if error.is_usage() { Failure::usage(error.to_string()) } else { Failure::unexamined(error.to_string()) };
        failure.hint(error.hint())
    })
}

fn sources(arguments: &CheckArguments) -> SourceOptions {
    let mut sources = SourceOptions::default();
    sources.registry.plain_http = arguments.source.plain_http;
    sources.registry.insecure = arguments.source.insecure;
    sources.registry.ca_cert.clone_from(&arguments.source.ca_cert);
    sources.engine.clone_from(&arguments.source.host);
    sources
}

fn hint(error: &ExamineError) -> Option<String> {
    match error {
        ExamineError::Source(error) => error.hint().map(str::to_owned),
        ExamineError::Artifact(_) => Some("name an image; mpcheck checks nothing else".to_owned()),
    }
}

/// Where an image that could not be read was looked for, in words.
fn described(location: &Location) -> String {
    match location {
        Location::Registry { name } => format!("registry {name}"),
        Location::Engine { image } => format!("Docker engine, {image}"),
        Location::Layout { path, .. } => format!("OCI layout {}", path.display()),
        Location::Archive { path, .. } => format!("archive {}", path.display()),
    }
}

/// What the report is made of.
#[derive(Default)]
struct Parts {
    images: Vec<reports::Image>,
    findings: Vec<Finding>,
    timings: Vec<Timing>,
}

impl Parts {
    fn add(&mut self, facts: &ImageFacts, reference: &str, requirements: &Requirements, verbose: bool) {
        let begun = Instant::now();
        let checked = check::image(facts, reference, requirements);
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
        let mut text = error.to_string();
        let unread = matches!(error, ExamineError::Source(SourceError::NotFound { .. } | SourceError::Unauthorized { .. }));
        let elsewhere = unread.then(|| plan.engine_has(location)).flatten();
        if let Some(name) = elsewhere {
            text = format!("{text}; the Docker engine has it: `mpcheck {name}`");
        } else if let Some(hint) = hint(error) {
            text = format!("{text}; {hint}");
        }
        self.images.push(reports::Image {
            reference: reference.to_owned(),
            source: described(location),
            digest: None,
            media_type: None,
            error: Some(text),
            platforms: Vec::new(),
        });
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
            timings: self.timings,
        };
        report.verdict = reports::verdict(&report, fail_on);
        report.sort();
        report
    }
}

fn layer_timing(layer: &LayerState) -> Timing {
    let how = if layer.cached {
        "from the cache"
    } else if layer.facts.is_some() {
        "read"
    } else {
        "not read to its end"
    };
    let bytes = layer.facts.as_ref().map(|facts| facts.bytes);
    timing(&format!("layer {}", layer.descriptor.digest.short()), layer.took, bytes, Some(how))
}

fn timing(what: &str, took: Duration, bytes: Option<u64>, how: Option<&str>) -> Timing {
    Timing { what: what.to_owned(), duration_ms: milliseconds(took), bytes, how: how.map(str::to_owned) }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
