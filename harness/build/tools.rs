//! The host's own tools: docker, its engine, and buildx.

use super::command::{Done, Log, Order};
use crate::image::reference::name::shown;
use crate::image::source::engine::{Endpoint, ask, locate};
use crate::image::source::{EngineOptions, Store};
use crate::platform::Platform;
use crate::run::NotReady;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a question may take that builds nothing.
const QUESTION: Duration = Duration::from_secs(60);
/// How often it is looked whether one that undoes something ended.
const PAUSE: Duration = Duration::from_millis(5);

/// The tools, as they were found.
#[derive(Debug, Clone)]
pub struct Tools {
    /// Docker's version, of the command line.
    pub docker: String,
    /// The engine's version.
    pub engine: String,
    /// How the engine stores images.
    pub store: Store,
    /// The platform of the engine's machine.
    pub native: Platform,
    /// Whether the engine is on this machine, as far as a socket tells.
    pub is_local: bool,
    /// buildx's version, or why there is none.
    pub buildx: Result<String, String>,
    /// Whether `docker build` builds with BuildKit; why not.
    pub buildkit: Result<(), String>,
    /// The driver of the builder that builds unless another is named; `None` where it could not be told.
    pub driver: Option<String>,
    /// The engine's own builder, by its name: that of the context.
    pub own_builder: String,
    /// The address to be asked instead of what the environment names.
    host: Option<String>,
    /// How long a command may take that builds or pushes.
    timeout: Duration,
}

impl Tools {
    /// Looks for the tools. `logs` is a directory for what they say; `timeout` is for each later command.
    ///
    /// # Errors
    /// Why nothing can be built here at all.
    pub fn find(options: &EngineOptions, logs: &Path, timeout: Duration) -> Result<Self, NotReady> {
        let not_ready = |error: &crate::image::source::SourceError| {
            NotReady::new(error.to_string(), error.hint().unwrap_or_default())
        };
        let log = Log::new(&logs.join("00-tools.log"))
            .map_err(|error| NotReady::new(format!("{} cannot be written: {error}", logs.display()), "set TMPDIR"))?;
        let ask_docker = |words: &[&str]| log.run(&order(options.host.as_deref(), words, QUESTION));
        let said = ask_docker(&["version", "--format", "{{.Client.Version}}"]);
        if matches!(said.end, super::command::End::NotStarted(_)) {
            return Err(NotReady::new(
                "there is no docker program in PATH",
                "install Docker's command line (docker-ce-cli, or Debian's docker-cli), or build where there is one",
            ));
        }
        let endpoint = locate(options, "build where there is an engine").map_err(|error| not_ready(&error))?;
        let engine = ask(&endpoint).map_err(|error| not_ready(&error))?;
        if engine.os != "linux" {
            return Err(NotReady::new(
                format!("the engine builds {} images", shown(&engine.os)),
                "switch it to Linux containers, or name another by DOCKER_HOST",
            ));
        }
        let native = Platform::parse(&format!("linux/{}", engine.architecture))
            .map_err(|error| NotReady::new(format!("the engine's architecture is none: {error}"), ""))?;
        let buildx = buildx(&ask_docker(&["buildx", "version"]));
        let buildkit = buildkit(&ask_docker(&["build", "--help"]));
        let driver = buildx.is_ok().then(|| driver(&ask_docker(&["buildx", "inspect"]))).flatten();
        let context = ask_docker(&["context", "show"]);
        let context = Some(context.stdout.trim()).filter(|name| context.is_well() && !name.is_empty());
        Ok(Self {
            own_builder: context.unwrap_or("default").to_owned(),
            docker: shown(said.stdout.lines().next().unwrap_or_default().trim()),
            engine: shown(&engine.version),
            store: engine.store,
            native,
            is_local: matches!(endpoint, Endpoint::Unix(_)),
            buildx,
            buildkit,
            driver,
            host: options.host.clone(),
            timeout,
        })
    }

    /// A command of docker's.
    pub(super) fn docker<S: AsRef<str>>(&self, words: &[S]) -> Order {
        order(self.host.as_deref(), words, self.timeout)
    }

    /// Runs a command of docker's that undoes something, whatever comes of it: also while this process is being ended,
    /// when nothing else is started any more.
    pub(super) fn undo<S: AsRef<str>>(&self, words: &[S]) -> bool {
        let order = self.docker(words);
        let mut words = order.words.iter();
        let Some(program) = words.next() else { return false };
        let mut command = std::process::Command::new(program);
        command.args(words).envs(order.environment.iter().map(|(name, value)| (name, value)));
        let quiet = std::process::Stdio::null;
        command.stdin(quiet()).stdout(quiet()).stderr(quiet());
        // Ctrl-C is for the group in front.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let Ok(mut child) = command.spawn() else { return false };
        let until = Instant::now() + QUESTION;
        // An engine that answers no more keeps nobody from the result.
        while Instant::now() < until {
            match child.try_wait() {
                Ok(Some(status)) => return status.success(),
                Ok(None) => std::thread::sleep(PAUSE),
                Err(_) => return false,
            }
        }
        let _ = child.kill();
        let _ = child.wait();
        false
    }

    /// What they are, in a line.
    #[must_use]
    pub fn told(&self) -> String {
        let store = match self.store {
            Store::Classic => "the classic image store",
            Store::Containerd => "the containerd image store",
            Store::Podman => "Podman's store",
        };
        let buildx = match &self.buildx {
            Ok(version) => format!("buildx {version}"),
            Err(why) => format!("no buildx ({why})"),
        };
        let buildkit = match &self.buildkit {
            Ok(()) => "builds with BuildKit".to_owned(),
            Err(why) => format!("builds without BuildKit ({why})"),
        };
        format!("docker {}, engine {} with {store}, {buildx}; `docker build` {buildkit}", self.docker, self.engine)
    }

    /// Whether one build of the engine's own builder may be of several platforms; why not.
    ///
    /// # Errors
    /// Why not, as half a sentence.
    pub fn builds_several(&self) -> Result<(), String> {
        if let Err(why) = &self.buildx {
            return Err(format!("there is no buildx: {why}"));
        }
        match self.store {
            Store::Containerd => Ok(()),
            Store::Classic => {
                Err("the engine's classic image store holds one platform for each tag, and its own builder \
                                   builds one at a time; the containerd image store builds several \
                                   ({\"features\":{\"containerd-snapshotter\":true}} in daemon.json)"
                    .to_owned())
            }
            Store::Podman => Err("Podman's socket has no builder that builds several platforms at once".to_owned()),
        }
    }
}

fn order<S: AsRef<str>>(host: Option<&str>, words: &[S], timeout: Duration) -> Order {
    let words = std::iter::once("docker").chain(words.iter().map(AsRef::as_ref));
    let mut order = Order::new(words, timeout);
    if let Some(host) = host {
        order.environment.push(("DOCKER_HOST".to_owned(), host.to_owned()));
    }
    order
}

/// `github.com/docker/buildx v0.13.1 788433953af10f2a698f5c07611dddce2e08c7a0`.
fn buildx(said: &Done) -> Result<String, String> {
    let version = said.stdout.lines().next().and_then(|line| line.split_whitespace().nth(1));
    if let (true, Some(version)) = (said.is_well(), version) {
        return Ok(shown(version.trim_start_matches('v')));
    }
    let line = said.said.lines().map(str::trim).find(|line| !line.is_empty());
    Err(line.map_or_else(|| "docker says nothing of it".to_owned(), |line| format!("docker says \"{}\"", shown(line))))
}

/// Docker 23 and later build with BuildKit where buildx is there and nobody switched it off (docker/cli,
/// `cmd/docker/builder.go`), and then the help is buildx's, which has attestations.
fn buildkit(said: &Done) -> Result<(), String> {
    if said.stdout.contains("--provenance") {
        return Ok(());
    }
    Err(match std::env::var("DOCKER_BUILDKIT") {
        Ok(value) if matches!(value.as_str(), "0" | "false") => {
            format!("DOCKER_BUILDKIT={value} switches it off")
        }
        _ => "without buildx, docker takes its old builder".to_owned(),
    })
}

/// The line `Driver: docker-container` of `docker buildx inspect`.
pub(super) fn driver(said: &Done) -> Option<String> {
    let driver = said.stdout.lines().find_map(|line| line.strip_prefix("Driver:"))?.trim();
    (said.is_well() && !driver.is_empty()).then(|| shown(driver))
}
