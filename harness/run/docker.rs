//! The runner `docker`: commands in a container of an engine.
//!
//! One run: the image's platform is found in the engine by digest, or brought there under a name of the run's
//! own (`image`); a container is made that waits and does nothing (`container`); the probe and then each command
//! are started in it (`exec`), up to one that wants a fresh container. Whatever the run brings or makes is written down before (`leftovers`), and removed
//! at the end of the run, however it ends.

mod archive;
mod container;
mod exec;
mod image;
mod leftovers;
mod link;
mod privileged;
mod proof;

pub(crate) use proof::{Patience, Tried, prove};

use super::cleanup::Guard;
use super::{Command, Cpu, Ended, Exit, Freedom, NotReady, Offer, Ran, Runner, Task};
use crate::image::source::engine::{Engine, chain, find};
use crate::image::source::registry::CredentialEnvironment;
use crate::image::source::{EngineOptions, SourceError, Store};
use crate::platform::{Architecture, Platform};
use crate::probe;
use bollard::errors::Error;
use container::Container;
use exec::{End, Executed, Order};
use image::Held;
use leftovers::{Leftovers, Thing, remove};
use link::Link;
pub use privileged::Said;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What to do where there is no engine to run anything.
const WITHOUT_ENGINE: &str = "use `--run sandbox`, which needs none";
/// How long the probe may take: it does nothing, so this is for machines under load.
const PROBE_TIMEOUT: Duration = Duration::from_secs(60);
/// How much of what the engine says is shown.
const MAX_SAID: usize = 400;

/// Runs commands in containers of a Docker engine, or of Podman's socket.
#[derive(Debug)]
pub struct Docker {
    options: EngineOptions,
    credentials: CredentialEnvironment,
    found: OnceLock<Result<Engine, NotReady>>,
}

impl Docker {
    /// The engine that the options name; it is not contacted yet. `credentials` are for images that the engine
    /// has to pull.
    #[must_use]
    pub const fn new(options: EngineOptions, credentials: CredentialEnvironment) -> Self {
        Self { options, credentials, found: OnceLock::new() }
    }

    fn engine(&self) -> Result<&Engine, NotReady> {
        self.found
            .get_or_init(|| find(&self.options, WITHOUT_ENGINE).map_err(|e| unread(&e)))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// The engine, and what is known of the platform on it without a run.
    fn stage(&self, platform: &Platform, cpu: Cpu) -> Result<Stage<'_>, NotReady> {
        let engine = self.engine()?;
        if engine.os != "linux" {
            return Err(NotReady::new(
                format!("the {engine} runs {} containers", quoted(&engine.os)),
                format!("switch it to Linux containers, name another engine by DOCKER_HOST, or {WITHOUT_ENGINE}"),
            ));
        }
        if platform.os() != "linux" {
            return Err(NotReady::new(format!("only Linux programs are run, and the platform is {platform}"), ""));
        }
        let unknown = || NotReady::new(format!("there is no probe program for {platform}"), "");
        let row = platform.row().ok_or_else(unknown)?;
        let probe = probe::probe(row).ok_or_else(unknown)?;
        let host = Architecture::by_name(&engine.architecture);
        let foreign = host.is_none_or(|host| !host.executes(row));
        if cpu == Cpu::Baseline && !foreign {
            return Err(NotReady::new(
                format!(
                    "the engine's host runs {platform} on its own processor, which an engine cannot take back to the baseline"
                ),
                "use `--run sandbox` for a baseline processor",
            ));
        }
        Ok(Stage { engine, row, probe, foreign })
    }
}

/// Where a platform runs.
struct Stage<'a> {
    engine: &'a Engine,
    row: &'static Architecture,
    probe: Vec<u8>,
    /// Whether the engine's host needs an emulator for it.
    foreign: bool,
}

impl Runner for Docker {
    fn name(&self) -> &'static str {
        "docker"
    }

    fn offer(&self, platform: &Platform, cpu: Cpu) -> Result<Offer, NotReady> {
        // Whether the engine's host has an emulator is seen when something runs there, and not before.
        self.stage(platform, cpu).map(|_| Offer { emulator: None })
    }

    fn grants(&self, freedom: &Freedom) -> Result<(), NotReady> {
        freedom.of_engine()
    }

    fn run(&self, task: &Task<'_>) -> Result<Ran, NotReady> {
        self.grants(task.freedom)?;
        let stage = self.stage(&task.platform.platform, task.cpu)?;
        let leftovers = Arc::new(Leftovers::new(stage.engine.endpoint.clone()));
        let removal = Arc::clone(&leftovers);
        // It outlives the runtime, and so whatever is on its way to the engine.
        let _guard = Guard::new(move || removal.remove());
        let run = Run { link: Link::new(stage.engine, &leftovers)?, credentials: &self.credentials, stage, task };
        run.whole()
    }
}

/// One run.
struct Run<'a> {
    stage: Stage<'a>,
    task: &'a Task<'a>,
    credentials: &'a CredentialEnvironment,
    link: Link<'a>,
}

impl Run<'_> {
    /// The image in the engine, and a container of it.
    fn open(&self) -> Result<(Held, Container), NotReady> {
        let image = self.hold()?;
        let error = match self.start(&image) {
            Ok(container) => return Ok((image, container)),
            Err(error) => error,
        };
        let image = match self.complete(&image) {
            Some(completed) if !self.link.leftovers.is_stopped() => completed?,
            _ => return Err(error),
        };
        let container = self.start(&image)?;
        Ok((image, container))
    }

    fn whole(&self) -> Result<Ran, NotReady> {
        let (image, mut container) = self.open()?;
        let (machine, emulator) = self.prove(&mut container)?;
        let mut ended = Vec::new();
        let mut spoilt = false;
        for (at, command) in self.task.commands.iter().enumerate() {
            if spoilt || command.fresh && at > 0 {
                container = self.start_after(&image, container)?;
            }
            let one = self.one(&mut container, command)?;
            // What it started lives as long as its container does, and so does the mark of an exhausted memory.
            spoilt = matches!(one.exit, Exit::TimedOut | Exit::OutOfMemory);
            ended.push(one);
        }
        Ok(Ran { machine, emulator, started: image.started, ended, refused: Vec::new(), interrupted: None })
    }

    fn one(&self, container: &mut Container, command: &Command) -> Result<Ended, NotReady> {
        // The user is given here and not to the container: where the image has no such user, it is the command that
        // fails.
        let user = Some(self.task.user()).filter(|user| !user.is_empty());
        let environment: Vec<String> = command.variables().collect();
        let Freedom { privileged, terminal, .. } = *self.task.freedom;
        let (words, timeout) = (command.words.as_slice(), command.timeout);
        let order = Order { words, environment: &environment, user, timeout, privileged, terminal, ..self.order() };
        let before = container.before.take().map(Thing::Container);
        let removed = async {
            match &before {
                Some(before) => remove(&self.link.client, before, false).await,
                None => false,
            }
        };
        let executed = exec::execute(&self.link.client, &container.name, &order);
        let (executed, removed) = self.link.wait(async { tokio::join!(executed, removed) })?;
        if let Some(before) = before.filter(|_| removed) {
            self.link.leftovers.gone(&before);
        }
        let executed = executed.map_err(|error| refused(self.stage.engine, "asked to start a program", &error))?;
        self.judge(container, executed)
    }

    fn order(&self) -> Order<'static> {
        Order {
            words: &[],
            environment: &[],
            user: None,
            timeout: PROBE_TIMEOUT,
            keep: self.task.limits.output,
            privileged: false,
            terminal: false,
            numbered: self.stage.engine.store != Store::Podman,
        }
    }

    fn execute(&self, container: &Container, order: &Order<'_>) -> Result<Executed, NotReady> {
        self.link.ask("asked to start a program", exec::execute(&self.link.client, &container.name, order))
    }

    /// Runs the probe: the platform's proof, before any program of the image.
    fn prove(&self, container: &mut Container) -> Result<(String, Option<String>), NotReady> {
        let words = [container::PROBE.to_owned()];
        let probe = Order { words: &words, ..self.order() };
        let executed = self.execute(container, &probe);
        let machine = executed.as_ref().ok().and_then(Executed::machine);
        let Some(machine) = machine else { return Err(self.unproved(container, executed)) };
        if !self.stage.foreign {
            return Ok((machine, None));
        }
        let environment = ["QEMU_VERSION=1".to_owned()];
        let asked = self.execute(container, &Order { environment: &environment, ..probe });
        Ok((machine, Some(asked.ok().and_then(|e| e.emulator()).unwrap_or_else(|| "an emulator".to_owned()))))
    }

    /// Why the probe did not run.
    fn unproved(&self, container: &mut Container, executed: Result<Executed, NotReady>) -> NotReady {
        let platform = &self.task.platform.platform;
        let last_words = self.link.wait(container.last_words()).unwrap_or_default();
        let said = match &executed {
            Ok(executed) => format!("{}{}", executed.text(), last_words),
            Err(_) => last_words,
        };
        if said.to_lowercase().contains("exec format error") {
            return NotReady::new(
                format!("the engine's host has no emulator for {platform} (\"{}\")", cut(said.trim())),
                format!(
                    "`docker run --privileged --rm tonistiigi/binfmt --install {}` registers one there; or {WITHOUT_ENGINE}",
                    self.stage.row.name
                ),
            );
        }
        match executed {
            Err(error) if said.trim().is_empty() => error,
            Err(error) => NotReady::new(format!("{} (\"{}\")", error.why, cut(said.trim())), error.hint),
            Ok(executed) => NotReady::new(
                format!("the probe for {platform} did not run as it should: {}", cut(&executed.told())),
                "look at the engine's log, and whether its emulators are of a current version",
            ),
        }
    }

    /// What became of a command, and with the engine's help of one that was killed.
    fn judge(&self, container: &Container, executed: Executed) -> Result<Ended, NotReady> {
        let mut exit = executed.exit();
        if exit == Exit::Signal(libc::SIGKILL) && self.link.wait(container.ran_out_of_memory(&self.link.client))? {
            exit = Exit::OutOfMemory;
        }
        // The engine's own message is no output of the command.
        let stdout = match executed.end {
            End::Exited { .. } | End::TimedOut => executed.stdout,
            End::Refused { .. } => super::Output::default(),
        };
        Ok(Ended { exit, stdout, stderr: executed.stderr, took: executed.took })
    }
}

/// What the reading of something means for a run.
fn unread(error: &SourceError) -> NotReady {
    NotReady::new(error.to_string(), error.hint().unwrap_or_default())
}

/// What an engine did not do; `what` completes "it could not be".
fn refused(engine: &Engine, what: &str, error: &Error) -> NotReady {
    let said = match error {
        Error::DockerResponseServerError { message, .. } => message.clone(),
        other => chain(other),
    };
    NotReady::new(
        format!("the {engine} could not be {what}: {}", cut(&said)),
        "the engine's log says more: `journalctl -u docker`",
    )
}

/// Text from elsewhere, fit for a message: an engine's reason comes at the end of a long chain.
fn cut(text: &str) -> String {
    let escaped = text.chars().flat_map(|c| if c.is_control() { c.escape_debug().collect() } else { vec![c] });
    let mut cut: String = escaped.take(MAX_SAID).collect();
    if cut.len() >= MAX_SAID && text.chars().nth(MAX_SAID).is_some() {
        cut.push('…');
    }
    cut
}

fn quoted(text: &str) -> String {
    if text.is_empty() { "no known".to_owned() } else { cut(text) }
}

#[cfg(test)]
mod proof_tests;
#[cfg(test)]
mod tests;
