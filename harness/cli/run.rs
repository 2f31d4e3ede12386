//! What the options of running mean, and the runners that they call for.

use super::arguments::{CheckArguments, EntrypointWith, Processor, Run};
use super::failure::Failure;
use crate::check::run::{Attempt, Expectation, Smoke, SmokeKind, Wish, attempt};
use crate::image::ImageFacts;
use crate::image::examine::{self, Unpack};
use crate::image::layer::Limits;
use crate::image::observe::Silent;
use crate::image::parallel::in_parallel;
use crate::image::reference::Location;
use crate::image::source::{Source, SourceOptions, open_image};
use crate::image::store::MAX_STORE_BYTES;
use crate::platform::{Platform, Selection};
use crate::run::choose::{How, Runners};
use crate::run::cleanup::{Keeper, Temporary};
use crate::run::docker::Docker;
use crate::run::sandbox::Sandbox;
use crate::run::{Command, Cpu, Freedom, NotReady, Runner};
use std::path::PathBuf;
use std::time::SystemTime;

/// What contradicts itself in the options of running, told before anything is read.
pub(super) fn check_usage(arguments: &CheckArguments) -> Result<(), Failure> {
    let given = &arguments.running;
    let asks = !given.command.is_empty() || given.entrypoint.is_some() || given.require_run;
    if given.run == Run::Never && asks {
        return Err(Failure::usage("--run never runs nothing, and an option asks for running")
            .hint("leave out --run never, or --command, --entrypoint and --require-run"));
    }
    if given.run == Run::Never && given.cpu == Processor::Baseline {
        return Err(Failure::usage("--run never runs nothing, on no processor")
            .hint("leave out --run never, or --cpu baseline"));
    }
    if given.emulators.is_some() && matches!(given.run, Run::Never | Run::Docker) {
        return Err(Failure::usage("--emulators is for the sandbox, which --run leaves out")
            .hint("use --run sandbox or --run auto; an engine's host has emulators of its own"));
    }
    given.emulators.as_deref().map(emulators_location).transpose().map(|_| ())
}

pub(super) fn emulators_location(image: &str) -> Result<Location, Failure> {
    Location::parse(image).map_err(|error| Failure::usage(format!("--emulators: {error}")).hint(error.hint()))
}

/// How images are run, for all images of one call.
pub(super) struct Running {
    how: How,
    cpu: Cpu,
    wish: Wish,
    pub(super) required: bool,
    sandbox: Result<Sandbox, NotReady>,
    docker: Result<Docker, NotReady>,
    /// Where the store is when nothing may be kept.
    _temporary: Option<Temporary>,
    /// Removes what is half unpacked when this program is killed.
    _keeper: Option<Keeper>,
}

impl Running {
    /// Makes the runners ready. `cache` is the cache's directory; `None` where nothing shall be kept.
    pub(super) fn new(
        arguments: &CheckArguments,
        cache: Option<PathBuf>,
        sources: &SourceOptions,
    ) -> Result<Self, Failure> {
        let given = &arguments.running;
        let how = match given.run {
            Run::Auto => How::Auto,
            Run::Docker => How::Docker,
            Run::Sandbox => How::Sandbox,
            Run::Never => How::Never,
        };
        let expect = Expectation {
            code: i32::from(given.expect_exit),
            stdout: given.expect_stdout.clone(),
            stderr: given.expect_stderr.clone(),
        };
        let smoke = |words: &super::arguments::Words| Smoke {
            command: Command::new(words.0.clone(), given.timeout),
            expect: expect.clone(),
            kind: SmokeKind::Asked,
        };
        let wish = Wish {
            commands: given.command.iter().map(smoke).collect(),
            entrypoint_with: given.entrypoint.map(|with| match with {
                EntrypointWith::Help => "--help".to_owned(),
                EntrypointWith::Version => "--version".to_owned(),
            }),
            entrypoint_expect: expect.clone(),
            timeout: given.timeout,
            limits: crate::run::Limits::default(),
            user: None,
        };
        let not_asked = || NotReady::new("it was not asked for", "");
        let mut temporary = None;
        let sandbox = if matches!(how, How::Auto | How::Sandbox) {
            sandbox(cache, given.emulators.is_some(), &mut temporary)
        } else {
            Err(not_asked())
        };
        let docker = if matches!(how, How::Auto | How::Docker) { Ok(docker(sources)) } else { Err(not_asked()) };
        let cpu = match given.cpu {
            Processor::Max => Cpu::Max,
            Processor::Baseline => Cpu::Baseline,
        };
        let keeper = sandbox.as_ref().ok().filter(|_| temporary.is_none()).and_then(|sandbox| {
            let store = sandbox.store().clone();
            // What is being unpacked when this program is killed; the next run would remove it too.
            Keeper::new(move || store.remove_leftovers()).ok()
        });
        let running = Self {
            how,
            cpu,
            wish,
            required: given.require_run,
            sandbox,
            docker,
            _temporary: temporary,
            _keeper: keeper,
        };
        if let (Some(image), Ok(sandbox)) = (&given.emulators, &running.sandbox) {
            fetch_emulators(sandbox, image, sources)?;
        }
        Ok(running)
    }

    fn runners(&self) -> Runners<'_> {
        Runners {
            how: self.how,
            cpu: self.cpu,
            freedom: Freedom::none(),
            sandbox: self.sandbox.as_ref().map(|sandbox| sandbox as &dyn Runner),
            docker: self.docker.as_ref().map(|docker| docker as &dyn Runner),
        }
    }

    /// Whether a platform will be run in the sandbox, so that its layers are unpacked while they are read.
    pub(super) fn wants_unpacked(&self, platform: &Platform) -> bool {
        self.how != How::Never && self.runners().choose(platform).is_ok_and(|choice| choice.runner.name() == "sandbox")
    }

    /// Where layers are unpacked to.
    pub(super) fn store(&self) -> Option<&crate::image::store::Store> {
        self.sandbox.as_ref().ok().map(Sandbox::store).filter(|_| self.how != How::Never)
    }

    /// Runs all platforms of an image, `jobs` at a time.
    pub(super) fn attempts(
        &self,
        facts: &ImageFacts,
        source: &dyn Source,
        location: &Location,
        jobs: usize,
    ) -> Vec<Attempt> {
        if self.how == How::Never {
            return Vec::new();
        }
        let runners = self.runners();
        in_parallel(&facts.platforms, jobs, |platform| attempt(&runners, &self.wish, platform, source, location))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(store) = self.store() {
            // What is left does no harm; the next run tries again.
            let _ = store.prune(SystemTime::now(), MAX_STORE_BYTES);
        }
    }
}

pub(super) fn docker(sources: &SourceOptions) -> Docker {
    Docker::new(sources.for_engine(), sources.registry.credentials.clone())
}

/// The sandbox, with its store in the cache or in a directory that goes when this program does.
pub(super) fn sandbox(
    cache: Option<PathBuf>,
    prefer_fetched: bool,
    temporary: &mut Option<Temporary>,
) -> Result<Sandbox, NotReady> {
    let failed = |directory: &std::path::Path, error: std::io::Error| {
        NotReady::new(
            format!("the directory {} for unpacked layers cannot be made: {error}", directory.display()),
            "set XDG_CACHE_HOME to a directory that can be written",
        )
    };
    let directory = match cache {
        Some(cache) => cache.join("sandbox"),
        None => {
            let parent = std::env::temp_dir();
            let made = Temporary::new(&parent).map_err(|error| failed(&parent, error))?;
            let path = made.path().to_owned();
            *temporary = Some(made);
            path
        }
    };
    Sandbox::new(&directory, prefer_fetched).map_err(|error| failed(&directory, error))
}

/// Takes the emulators for this host out of an image; its digests are verified like those of any other.
pub(super) fn fetch_emulators(sandbox: &Sandbox, image: &str, sources: &SourceOptions) -> Result<(), Failure> {
    let failed = |why: String| Failure::unexamined(format!("--emulators {image}: {why}"));
    let location = emulators_location(image)?;
    if sandbox.has_emulators_of(image) {
        return Ok(());
    }
    let source = open_image(&location, sources).map_err(|error| failed(error.to_string()))?;
    let host = Platform::host();
    let selection = Selection::parse([host.to_string().as_str()]).map_err(|error| failed(error.to_string()))?;
    let options = examine::Options {
        selection: &selection,
        limits: Limits::default(),
        jobs: 2,
        cache: None,
        layers: true,
        unpack: Some(Unpack { store: sandbox.store(), of: &|_| true }),
    };
    let facts = examine::examine(source.as_ref(), &options, &Silent).map_err(|error| failed(error.to_string()))?;
    let platform = facts
        .platforms
        .iter()
        .find(|platform| platform.selected)
        .ok_or_else(|| failed(format!("it has nothing for {host}, this machine")))?;
    let origin = format!("{image}@{}", platform.descriptor.digest);
    sandbox.take_emulators(platform, &origin).map_err(|error| failed(error.why))?;
    Ok(())
}
