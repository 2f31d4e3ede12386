//! `mpcheck build`: does this host build and publish for several platforms, and is what comes out right?

use super::arguments::{Color, ReadingArguments, ResultArguments, RunArguments, SourceArguments};
use super::check::{milliseconds, not_of_a_host, reader};
use super::console;
use super::failure::Failure;
use super::output::{self, ReportFile};
use super::progress::Progress;
use super::run::Running;
use crate::build::dockerfile::Dockerfile;
use crate::build::own::{self, Request};
use crate::build::rehearsal::{Plan, rehearse};
use crate::build::{Made, Site, Tools};

use crate::check::build::dockerfile::{self, Wanted};
use crate::check::build::{Inspection, Told, place, told};
use crate::check::run::Wish;
use crate::check::{self, Requirements, Runs};
use crate::image::examine::Unpack;
use crate::image::reader::{Depth, Reader};
use crate::image::reference::ImageName;
use crate::platform::{Platform, Selection};
use crate::run::choose::How;
use crate::run::cleanup;
use crate::run::set::RunnerSet;
use mpcheck_reports::{self as reports, Finding, Report, Status, Tool, Verdict};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// What a rehearsal is for where nobody says it.
const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64"];

pub(super) const AFTER_HELP: &str = "\
Without CONTEXT every way to build and publish is rehearsed with the host's own docker and buildx: one build for each \
platform under emulation, one build of several, a builder in a container, cross compilation and its broken twin, an index \
pushed at once, images joined by docker manifest and by imagetools. It needs no image from anywhere, and removes all \
that it makes. With CONTEXT your own Dockerfile is built and what comes out is checked like any image.

Examples:
  mpcheck build
  mpcheck build --platform linux/amd64,linux/arm64,linux/s390x --registry ghcr.io/me/rehearsal
  mpcheck build . --platform linux/amd64,linux/arm64 --check-dockerfile
  mpcheck build . -f docker/Dockerfile --build-arg VERSION=1.2 --output oci.tar -- --secret id=token

Exit codes: 0 all that is possible here works; 1 something does not; 2 wrong usage; 3 there is nothing to build with, or \
something could not be told; 4 nothing could be tried.";

#[derive(Debug, clap::Args)]
pub(super) struct BuildArguments {
    /// The directory (or the address of a repository) whose Dockerfile is built; without it, a rehearsal
    #[arg(value_name = "CONTEXT")]
    context: Option<String>,

    /// The Dockerfile [default: Dockerfile in CONTEXT]
    #[arg(long, short, value_name = "FILE", requires = "context")]
    file: Option<PathBuf>,

    /// The platforms [default of a rehearsal: linux/amd64,linux/arm64]
    #[arg(long, value_name = "PLATFORM,..")]
    platform: Vec<String>,

    /// A value of an ARG, NAME=VALUE, or NAME for that of the environment; may be repeated
    #[arg(long, value_name = "NAME=VALUE", requires = "context")]
    build_arg: Vec<String>,

    /// The stage to build, instead of the last one
    #[arg(long, value_name = "STAGE", requires = "context")]
    target: Option<String>,

    /// Before building, warn of what in the Dockerfile leads to a wrong image: a last stage of one platform, a base whose
    /// digest is of one platform (looked up in its registry), an architecture that is written out
    #[arg(long, requires = "context")]
    check_dockerfile: bool,

    /// Check the Dockerfile only: no docker is needed
    #[arg(long, requires = "check_dockerfile")]
    no_build: bool,

    /// Keep the image as this OCI archive
    #[arg(long, short, value_name = "FILE", requires = "context")]
    output: Option<PathBuf>,

    /// The builder of buildx that builds; in a rehearsal, instead of one that is made
    #[arg(long, value_name = "NAME")]
    builder: Option<String>,

    /// Rehearse with this base image, which has a shell, instead of none
    #[arg(long, value_name = "IMAGE", conflicts_with = "context")]
    base: Option<String>,

    /// The image of BuildKit for the builder that is made, where Docker Hub's cannot be had [default:
    /// moby/buildkit:buildx-stable-1]
    #[arg(long, value_name = "IMAGE", conflicts_with_all = ["context", "builder"])]
    buildkit: Option<String>,

    /// Rehearse pushing to this repository, with your login, instead of a registry that is started for it; what is
    /// pushed stays there
    #[arg(long, value_name = "HOST/NAME", conflicts_with = "context")]
    registry: Option<String>,

    /// Keep the directory of contexts and Dockerfiles, so that commands can be repeated; it is kept anyway where a step
    /// fails, with that step's log
    #[arg(long)]
    keep: bool,

    /// How long each command that builds or pushes may take: 30s, 10m
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = super::arguments::timeout)]
    step_timeout: Duration,

    #[command(flatten)]
    result: ResultArguments,

    /// Show all paths
    #[arg(long, short, conflicts_with = "quiet")]
    verbose: bool,

    /// No progress and no warnings on standard error
    #[arg(long, short)]
    quiet: bool,

    #[command(flatten, next_help_heading = "Running")]
    running: RunArguments,

    #[command(flatten, next_help_heading = "Reading")]
    reading: ReadingArguments,

    #[command(flatten, next_help_heading = "Registries and engines")]
    source: SourceArguments,

    /// Options for `docker buildx build`, behind --: --secret id=token --pull
    #[arg(last = true, value_name = "OPTION", requires = "context")]
    more: Vec<String>,
}

/// What a report of building is made of.
#[derive(Default)]
struct Parts {
    told: Told,
    images: Vec<reports::Image>,
    findings: Vec<Finding>,
}

/// Rehearses, or builds; prints the result and gives the exit code.
pub(super) fn run(arguments: &BuildArguments, color: Color) -> Result<u8, Failure> {
    not_of_a_host(&arguments.result)?;
    let (started, begun) = (SystemTime::now(), Instant::now());
    let platforms = platforms(arguments)?;
    super::run::check_usage(&arguments.running)?;
    check_words(arguments)?;
    let files = arguments.result.report.iter().map(|(format, path)| ReportFile::prepare(*format, path));
    let files = files.collect::<Result<Vec<_>, _>>()?;
    cleanup::on_signal().map_err(|error| Failure::unexamined(format!("signals cannot be caught: {error}")))?;
    let reader = reader(&arguments.reading, &arguments.source);
    let site = Site::new(&std::env::temp_dir()).map_err(|error| {
        Failure::unexamined(format!("no directory can be made in {}: {error}", std::env::temp_dir().display()))
            .hint("set TMPDIR to one that can be written")
    })?;
    let dockerfile = Own::read(arguments, &platforms)?;
    if let (true, Some(own)) = (arguments.no_build, &dockerfile) {
        let parts = own.checked(&Platform::host(), &reader);
        return told_all(arguments, parts, (started, begun), files, color);
    }
    let tools = Tools::find(&reader.sources.for_engine(), &site.logs(), arguments.step_timeout)
        .map_err(|not_ready| Failure::unexamined(not_ready.why).hint(not_ready.hint))?;
    let work = Work { arguments, reader: &reader, site: &site, tools: &tools, color };
    let parts = match &arguments.context {
        None => work.rehearsal(platforms)?,
        Some(context) => work.own(context, platforms, dockerfile.as_ref())?,
    };
    if arguments.keep || parts.told.steps.iter().any(|step| step.log.is_some()) {
        let path = site.keep();
        console::warn(&format!("the files of the build and its logs are kept in {}", path.display()), color);
    }
    told_all(arguments, parts, (started, begun), files, color)
}

/// Makes the report of it, writes it where it was asked for, and gives the exit code.
fn told_all(
    arguments: &BuildArguments,
    parts: Parts,
    (started, begun): (SystemTime, Instant),
    files: Vec<ReportFile>,
    color: Color,
) -> Result<u8, Failure> {
    let mut report = report(parts, started, begun.elapsed());
    report.verdict = reports::verdict(&report, arguments.result.fail_on);
    report.sort();
    for file in files {
        file.write(&report, arguments.result.fail_on, arguments.verbose)?;
    }
    output::to_stdout(&report, &arguments.result, arguments.verbose, color)?;
    Ok(reports::exit_code(&report, arguments.result.fail_on))
}

/// The platforms that are asked for.
fn platforms(arguments: &BuildArguments) -> Result<Vec<Platform>, Failure> {
    let hint = "platforms are written os/architecture[/variant]: linux/arm64, linux/arm/v7";
    let given = arguments.platform.iter().map(String::as_str);
    let selection = match (arguments.platform.is_empty(), &arguments.context) {
        (true, Some(_)) => {
            return Err(Failure::usage("--platform is missing: the platforms that the Dockerfile is built for")
                .hint("such as --platform linux/amd64,linux/arm64"));
        }
        (true, None) => Selection::parse(PLATFORMS),
        (false, _) => Selection::parse(given),
    };
    let selection = selection.map_err(|error| Failure::usage(format!("--platform: {error}")).hint(hint))?;
    if selection.is_all() {
        return Err(Failure::usage("--platform: `all` names no platform").hint(hint));
    }
    Ok(selection.platforms().to_vec())
}

/// What can be told to be wrong before anything is made.
fn check_words(arguments: &BuildArguments) -> Result<(), Failure> {
    if let Some(registry) = &arguments.registry {
        let name = ImageName::parse(registry)
            .map_err(|error| Failure::usage(format!("--registry: {error}")).hint("such as ghcr.io/me/rehearsal"))?;
        if !registry.contains('/') {
            return Err(Failure::usage(format!("--registry: `{registry}` is a host or a name, and both are needed"))
                .hint(format!("such as {registry}/rehearsal")));
        }
        if registry.contains('@') || registry.rsplit('/').next().is_some_and(|last| last.contains(':')) {
            return Err(Failure::usage("--registry: it is a repository, without a tag or digest")
                .hint(format!("such as {}/{}", name.registry, name.repository)));
        }
    }
    let images =
        [("--base", &arguments.base, "alpine:latest"), ("--buildkit", &arguments.buildkit, "moby/buildkit:v0.15.2")];
    for (option, given, example) in images {
        if let Some(Err(error)) = given.as_deref().map(ImageName::parse) {
            return Err(Failure::usage(format!("{option}: {error}")).hint(format!("such as {example}")));
        }
    }
    if arguments.base.as_deref() == Some("scratch") {
        return Err(Failure::usage("--base: scratch is no image").hint("leave out --base: a rehearsal is FROM scratch"));
    }
    let running = &arguments.running;
    if arguments.context.is_none()
        && (!running.command.is_empty() || running.entrypoint.is_some() || running.emulators.is_some())
    {
        return Err(Failure::usage("--command, --entrypoint and --emulators are for a Dockerfile of yours")
            .hint("name its directory; what a rehearsal builds has no program but mpcheck's"));
    }
    check_output(arguments.output.as_deref())?;
    if let Some(context) = &arguments.context {
        check_context(context, arguments.file.as_deref())?;
    }
    Ok(())
}

/// A file in a directory that is there.
fn check_output(output: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = output else { return Ok(()) };
    let cannot = |why: String| {
        let failure = Failure::usage(format!("--output: {} cannot be written: {why}", path.display()));
        Err(failure.hint("name a file in a directory that exists and can be written"))
    };
    if path.is_dir() {
        return cannot("it is a directory".to_owned());
    }
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) if !parent.is_dir() => cannot(format!("there is no directory {}", parent.display())),
        _ => Ok(()),
    }
}

/// Whether docker fetches it from elsewhere.
fn is_address(context: &str) -> bool {
    context.contains("://") || context.starts_with("git@") || context.starts_with("github.com/")
}

/// A directory has to be there; an address is docker's business.
fn check_context(context: &str, file: Option<&Path>) -> Result<(), Failure> {
    if context == "-" {
        return Err(Failure::usage(
            "a context from standard input cannot be built for several platforms one after the other",
        )
        .hint("unpack it into a directory, and name that"));
    }
    if is_address(context) {
        return Ok(());
    }
    if !Path::new(context).is_dir() {
        return Err(Failure::usage(format!("there is no directory {context} to build"))
            .hint("name the build's context, as for docker build; an image is checked by `mpcheck IMAGE`"));
    }
    let dockerfile = file.map_or_else(|| Path::new(context).join("Dockerfile"), Path::to_owned);
    if !dockerfile.is_file() {
        return Err(Failure::usage(format!("there is no Dockerfile {}", dockerfile.display()))
            .hint("name it by --file, as for docker build: the path is from here, not from the context"));
    }
    Ok(())
}

/// The Dockerfile of a build.
struct Own {
    name: String,
    dockerfile: Dockerfile,
    platforms: Vec<Platform>,
    target: Option<String>,
    build_args: BTreeMap<String, String>,
}

impl Own {
    /// Reads it, where it is a file here. One that cannot be understood fails where it is to be checked; otherwise docker
    /// says what it thinks of it.
    fn read(arguments: &BuildArguments, platforms: &[Platform]) -> Result<Option<Self>, Failure> {
        let Some(context) = &arguments.context else { return Ok(None) };
        if is_address(context) {
            let why = "--check-dockerfile: the Dockerfile of a repository's address is not here";
            let hint = "check the repository out, and name its directory";
            return if arguments.check_dockerfile { Err(Failure::usage(why).hint(hint)) } else { Ok(None) };
        }
        let path = arguments.file.clone().unwrap_or_else(|| Path::new(context).join("Dockerfile"));
        let name = path.display().to_string();
        let dockerfile = match Dockerfile::read(&path) {
            Ok(dockerfile) => dockerfile,
            Err(error) if arguments.check_dockerfile => return Err(Failure::usage(error.told(&name))),
            Err(_) => return Ok(None),
        };
        let argument = |given: &String| match given.split_once('=') {
            Some((name, value)) => Some((name.to_owned(), value.to_owned())),
            None => Some((given.clone(), std::env::var(given).ok()?)),
        };
        Ok(Some(Self {
            name,
            dockerfile,
            platforms: platforms.to_vec(),
            target: arguments.target.clone(),
            build_args: arguments.build_arg.iter().filter_map(argument).collect(),
        }))
    }

    fn wanted(&self, build_platform: &Platform) -> Wanted {
        Wanted {
            platforms: self.platforms.clone(),
            build_platform: build_platform.clone(),
            target: self.target.clone(),
            build_args: self.build_args.clone(),
        }
    }

    /// What is wrong with it, as a step of its own.
    fn checked(&self, build_platform: &Platform, reader: &Reader) -> Parts {
        let begun = Instant::now();
        let checked = dockerfile::check(&self.dockerfile, &self.name, &self.wanted(build_platform), reader);
        let (status, reason) = match checked.undecided.as_slice() {
            [] => (Status::Passed, None),
            undecided => (Status::Error, Some(undecided.join("; "))),
        };
        let step = reports::Step {
            name: "dockerfile".to_owned(),
            title: format!("Check {} before it is built", self.name),
            platform: None,
            status,
            reason,
            commands: Vec::new(),
            output: None,
            log: None,
            duration_ms: milliseconds(begun.elapsed()),
        };
        Parts { told: Told { steps: vec![step], findings: checked.findings }, ..Parts::default() }
    }
}

struct Work<'a> {
    arguments: &'a BuildArguments,
    reader: &'a Reader,
    site: &'a Site,
    tools: &'a Tools,
    color: Color,
}

impl Work<'_> {
    fn how(&self) -> How {
        self.arguments.running.run.into()
    }

    fn rehearsal(&self, platforms: Vec<Platform>) -> Result<Parts, Failure> {
        let arguments = self.arguments;
        let plan = Plan {
            platforms,
            base: arguments.base.clone(),
            builder: arguments.builder.clone(),
            buildkit: arguments.buildkit.clone(),
            insecure: arguments.source.plain_http || arguments.source.insecure,
            registry: arguments.registry.clone(),
        };
        if let Some(platform) = plan.impossible().first() {
            return Err(Failure::usage(format!(
                "--platform: {platform} cannot be rehearsed: there is no program for it"
            ))
            .hint("Linux platforms of `mpcheck host`'s list can"));
        }
        let runners = RunnerSet::new(&[self.how()], self.reader, false);
        let wish = Wish { machine: true, timeout: arguments.running.timeout, ..Wish::default() };
        let inspection = Inspection::new(self.reader, &runners, self.how(), wish)
            .demanding(arguments.running.cpu.into(), arguments.running.require_run);
        let progress = Progress::new(arguments.quiet);
        let rehearsed = rehearse(self.tools, self.site, &plan, &inspection, &|title| progress.doing(title));
        progress.finish();
        let rehearsed = rehearsed.map_err(|error| {
            Failure::unexamined(format!("the files of the rehearsal cannot be written: {error}")).hint("set TMPDIR")
        })?;
        let found = inspection.into_found();
        Ok(Parts { told: told(&rehearsed.steps, &rehearsed.left), images: found.images, findings: found.findings })
    }

    fn own(&self, context: &str, platforms: Vec<Platform>, dockerfile: Option<&Own>) -> Result<Parts, Failure> {
        let arguments = self.arguments;
        let checked = dockerfile.filter(|_| arguments.check_dockerfile);
        let mut parts = checked.map_or_else(Parts::default, |own| own.checked(&self.tools.native, self.reader));
        let request = Request {
            context: context.to_owned(),
            dockerfile: arguments.file.clone(),
            platforms,
            build_args: arguments.build_arg.clone(),
            target: arguments.target.clone(),
            builder: arguments.builder.clone(),
            more: arguments.more.clone(),
            output: arguments.output.clone(),
        };
        if let (Some(_), Some(why)) = (&request.output, own::one_at_a_time(self.tools, self.site, &request)) {
            let failure =
                Failure::usage(format!("--output: there will be no image of all platforms to be kept: {why}"));
            return Err(failure.hint("leave it out, or name a builder in a container by --builder"));
        }
        let running = Running::new(&arguments.running, self.reader)?;
        let progress = Progress::new(arguments.quiet);
        let built = own::build(self.tools, self.site, &request, &|title| progress.doing(title));
        progress.finish();
        let before = parts.findings.len();
        for made in &built.images {
            self.check(made, &running, &mut parts);
        }
        if let (Some(own), Some(found)) = (dockerfile, parts.findings.get_mut(before..)) {
            place(found, &own.dockerfile, &own.name, &own.wanted(&self.tools.native));
        }
        let steps = built.steps.clone();
        let done = told(&steps, &built.remove());
        parts.told.steps.extend(done.steps);
        parts.told.findings.extend(done.findings);
        Ok(parts)
    }

    /// All that is checked of any image.
    fn check(&self, made: &Made, running: &Running, parts: &mut Parts) {
        let progress = Progress::new(self.arguments.quiet);
        let wanted = |platform: &Platform| running.wants_unpacked(platform);
        let unpack = running.store().map(|store| Unpack { store, of: &wanted });
        let read = self.reader.read(&made.location, &Selection::all(), Depth::Layers(unpack), &progress);
        let (facts, source) = match read {
            Ok(read) => read,
            Err(error) => {
                progress.finish();
                let why = self.reader.told(&made.reference, &made.location, &error);
                return parts.images.push(check::unread(&made.reference, &made.location, why));
            }
        };
        progress.running(facts.platforms.len());
        let attempts = running.attempts(&facts, source.as_ref(), &made.location, self.reader.jobs);
        let warnings = progress.finish();
        if !self.arguments.quiet {
            warnings.iter().chain(&facts.warnings).for_each(|warning| console::warn(warning, self.color));
        }
        let requirements = Requirements { required: made.platforms.clone(), ..Requirements::default() };
        let runs = Runs { attempts, required: running.required };
        let checked = check::image(&facts, &made.reference, &requirements, &runs);
        parts.images.push(checked.image);
        parts.findings.extend(checked.findings);
    }
}

fn report(parts: Parts, started: SystemTime, took: Duration) -> Report {
    let mut findings = parts.findings;
    findings.extend(parts.told.findings);
    Report {
        schema: reports::SCHEMA.to_owned(),
        tool: Tool { name: "mpcheck".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        started: humantime::format_rfc3339_millis(started).to_string(),
        duration_ms: milliseconds(took),
        verdict: Verdict::Error,
        images: parts.images,
        host: None,
        findings,
        steps: parts.told.steps,
        trials: Vec::new(),
        shard: None,
        timings: Vec::new(),
    }
}
