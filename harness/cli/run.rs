//! What the options of running mean, and the runners that they call for.

use super::arguments::{EntrypointWith, Processor, Run, RunArguments};
use super::failure::Failure;
use crate::check::run::{Attempt, Expectation, Smoke, SmokeKind, Wish, attempt};
use crate::image::ImageFacts;
use crate::image::parallel::in_parallel;
use crate::image::reader::Reader;
use crate::image::reference::Location;
use crate::image::source::Source;
use crate::image::store::Store;
use crate::platform::Platform;
use crate::run::choose::How;
use crate::run::set::{RunnerSet, fetch_emulators};
use crate::run::{Command, Cpu, Freedom};

/// What contradicts itself in the options of running, told before anything is read.
pub(super) fn check_usage(given: &RunArguments) -> Result<(), Failure> {
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
    set: RunnerSet,
}

impl Running {
    /// Makes the runners ready.
    pub(super) fn new(given: &RunArguments, reader: &Reader) -> Result<Self, Failure> {
        let how = given.run.into();
        let expect = Expectation {
            code: i32::from(given.expect_exit),
            stdout: given.expect_stdout.iter().cloned().map(Into::into).collect(),
            stderr: given.expect_stderr.iter().cloned().map(Into::into).collect(),
            ..Expectation::default()
        };
        let smoke = |words: &super::arguments::Words| Smoke {
            command: Command::new(words.0.clone(), given.timeout),
            expect: expect.clone(),
            kind: SmokeKind::Asked,
        };
        let wish = Wish {
            machine: true,
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
        let set = RunnerSet::new(&[how], reader, given.emulators.is_some());
        if let (Some(image), Some(sandbox)) = (&given.emulators, set.sandbox()) {
            let location = emulators_location(image)?;
            fetch_emulators(sandbox, image, &location, &reader.sources)
                .map_err(|not_ready| Failure::unexamined(format!("--emulators {image}: {not_ready}")))?;
        }
        Ok(Self { how, cpu: given.cpu.into(), wish, required: given.require_run, set })
    }

    /// Whether a platform will be run in the sandbox, so that its layers are unpacked while they are read.
    pub(super) fn wants_unpacked(&self, platform: &Platform) -> bool {
        self.set.wants_unpacked(self.how, self.cpu, platform)
    }

    /// Where layers are unpacked to.
    pub(super) fn store(&self) -> Option<&Store> {
        self.set.store().filter(|_| self.how != How::Never)
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
        let runners = self.set.runners(self.how, self.cpu, Freedom::none());
        in_parallel(&facts.platforms, jobs, |platform| attempt(&runners, &self.wish, platform, source, location))
    }
}

impl From<Run> for How {
    fn from(run: Run) -> Self {
        match run {
            Run::Auto => Self::Auto,
            Run::Docker => Self::Docker,
            Run::Sandbox => Self::Sandbox,
            Run::Never => Self::Never,
        }
    }
}

impl From<Processor> for Cpu {
    fn from(processor: Processor) -> Self {
        match processor {
            Processor::Max => Self::Max,
            Processor::Baseline => Self::Baseline,
        }
    }
}
