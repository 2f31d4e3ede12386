//! Running: commands of an image, started on one platform.
//!
//! A [`Runner`] starts commands and says what became of each; what that means for the image is decided in
//! `check/run`. There are two: `docker` asks an engine, `sandbox` needs none, no root, and nothing
//! registered on the host. Both run all commands of a platform in one container, unless one asks for a fresh one
//! ([`Command::fresh`]), and restricted in the same way ([`Limits`]): no network, a read-only root with a small `/tmp`,
//! no capabilities, no new privileges. What somebody asks for beyond that is a [`Freedom`].

pub mod choose;
pub mod cleanup;
pub mod docker;
mod freedom;
pub mod sandbox;
pub mod set;

pub use freedom::Freedom;

use crate::image::PlatformFacts;
use crate::image::document::Config;
use crate::image::reference::Location;
use crate::image::source::Source;
use crate::platform::Platform;
use std::time::Duration;

/// Starts commands for a platform.
pub trait Runner: Send + Sync {
    /// What the report calls it: `docker` or `sandbox`.
    fn name(&self) -> &'static str;

    /// Whether it could run this platform, as far as can be told without the image, and how.
    ///
    /// # Errors
    /// Why not, and what to do about it.
    fn offer(&self, platform: &Platform, cpu: Cpu) -> Result<Offer, NotReady>;

    /// Whether its containers can have this freedom.
    ///
    /// # Errors
    /// Why not, and what to do about it.
    fn grants(&self, freedom: &Freedom) -> Result<(), NotReady>;

    /// Runs the commands one after the other and leaves nothing behind, however it ends.
    ///
    /// # Errors
    /// When the container could not be made or proved; then nothing can be said of the image.
    fn run(&self, task: &Task<'_>) -> Result<Ran, NotReady>;
}

/// How a platform would be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The emulator in words (`qemu-aarch64 from /usr/bin/qemu-aarch64-static`); `None` for the host's own processor,
    /// and where only the run itself can tell.
    pub emulator: Option<String>,
}

/// Which processor an emulated platform gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Cpu {
    /// The host's own, or all that the emulator has.
    #[default]
    Max,
    /// What every machine of the platform has and no more; the host's own architecture is emulated too.
    Baseline,
}

/// What a container may use. The defaults are what `--help` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Processes and threads at a time.
    pub processes: u64,
    /// Bytes of memory, all processes together.
    pub memory: u64,
    /// Bytes of `/tmp`.
    pub temporary: u64,
    /// Bytes that can be written to a root that can be ([`Freedom::writable`]), in the sandbox, where they are memory. An
    /// engine has no such limit.
    pub root: u64,
    /// Bytes of each output stream that are kept; what is beyond is counted and dropped.
    pub output: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { processes: 512, memory: 2 << 30, temporary: 64 << 20, root: 256 << 20, output: 1 << 20 }
    }
}

/// One command of the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments; a program without a slash is looked up in the image's `PATH`.
    pub words: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
    /// Variables for this command alone, names and values: added to the image's, which they replace.
    pub environment: Vec<(String, String)>,
    /// Whether it starts in a new container of the image, in which nothing is left of earlier commands, neither files nor
    /// processes. The first command always does.
    pub fresh: bool,
}

impl Command {
    /// A command in the container of the one before it, with the image's environment.
    #[must_use]
    pub const fn new(words: Vec<String>, timeout: Duration) -> Self {
        Self { words, timeout, environment: Vec::new(), fresh: false }
    }

    /// Its variables as environments have them, `NAME=VALUE`.
    pub(crate) fn variables(&self) -> impl Iterator<Item = String> {
        self.environment.iter().map(|(name, value)| format!("{name}={value}"))
    }
}

/// What is to be run.
pub struct Task<'a> {
    /// The platform: its manifest, its config and its layers.
    pub platform: &'a PlatformFacts,
    /// Its config: environment, working directory, user.
    pub config: &'a Config,
    /// Where the image was read from.
    pub source: &'a dyn Source,
    /// How the image is called there.
    pub location: &'a Location,
    /// The processor.
    pub cpu: Cpu,
    /// The commands, in their order.
    pub commands: &'a [Command],
    /// What the container may use.
    pub limits: Limits,
    /// Whom the commands run as, instead of the config's user and spelt like it; `None` for that one.
    pub user: Option<&'a str>,
    /// What the container may do beyond what each may.
    pub freedom: &'a Freedom,
}

impl Task<'_> {
    /// Whom the commands run as, as a config spells it; empty for the engine's default, root.
    pub(crate) fn user(&self) -> &str {
        self.user.unwrap_or(&self.config.user)
    }
}

/// What was run, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// What the probe said of the kernel's machine, before any command of the image: proof that the platform runs here.
    pub machine: String,
    /// The emulator and its version; `None` on the host's own processor.
    pub emulator: Option<String>,
    /// The platform that the runner says it started, where it says one.
    pub started: Option<Platform>,
    /// What became of each command, in their order.
    pub ended: Vec<Ended>,
    /// Programs for the host's own processor that were started in a foreign platform and refused.
    pub refused: Vec<Refused>,
    /// Why it came to an end before all commands had run; then `ended` has fewer than there are commands.
    pub interrupted: Option<NotReady>,
}

/// A program that the sandbox refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refused {
    /// The program as an absolute path in the root filesystem, not resolved.
    pub path: Vec<u8>,
    /// Which command started it, by its place in [`Task::commands`].
    pub command: usize,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How it ended.
    pub exit: Exit,
    /// Its standard output.
    pub stdout: Output,
    /// Its standard error.
    pub stderr: Output,
    /// How long it took.
    pub took: Duration,
}

impl Ended {
    /// A command that could not be started.
    fn not_started(why: StartError) -> Self {
        Self { exit: Exit::NotStarted(why), stdout: Output::default(), stderr: Output::default(), took: Duration::ZERO }
    }
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// It took longer than it may, and was killed with all that it had started.
    TimedOut,
    /// Its processes took more memory than they may together, and were killed.
    OutOfMemory,
    /// It could not be started.
    NotStarted(StartError),
}

/// Why a command could not be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// No such program, or it needs an interpreter that is not there (`ENOENT`).
    #[error("there is no such program")]
    NotFound,
    /// The program may not be executed (`EACCES`).
    #[error("it may not be executed")]
    NotExecutable,
    /// The kernel does not know what it is, or nothing runs its architecture (`ENOEXEC`).
    #[error("exec format error")]
    ExecFormat,
    /// Anything else, in words.
    #[error("{0}")]
    Other(String),
}

/// What a command wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Output {
    /// The first bytes of it, as many as [`Limits::output`] allows.
    pub bytes: Vec<u8>,
    /// How many it wrote in all.
    pub total: u64,
}

/// Why a platform could not be run here. It says nothing about the image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct NotReady {
    /// What stands in the way, as half a sentence.
    pub why: String,
    /// The next step, as half a sentence; empty where there is none.
    pub hint: String,
}

impl NotReady {
    /// With a reason and a next step.
    pub fn new(why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { why: why.into(), hint: hint.into() }
    }
}

/// The emulator and its version, as reports write them, from what qemu says under `QEMU_VERSION`; `None` where it is
/// not qemu that speaks.
///
/// Its first line is `qemu-aarch64 version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)` (qemu, `linux-user/main.c`).
pub(crate) fn emulator_version(said: &[u8]) -> Option<String> {
    let said = String::from_utf8_lossy(said.get(..200).unwrap_or(said)).into_owned();
    let (name, version) = said.lines().next()?.trim().split_once(" version ")?;
    name.starts_with("qemu").then(|| format!("{} {}", name.escape_debug(), version.escape_debug()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("qemu-arm version 7.2.22 (Debian 1:7.2)\nCopyright\n", Some("qemu-arm 7.2.22 (Debian 1:7.2)"))]
    #[case("qemu-s390x version 10.0.50\n", Some("qemu-s390x 10.0.50"))]
    #[case("armv7l\n/dev/mpcheck/probe\n", None)]
    #[case("bash version 5\n", None)]
    #[case("qemu-x version \u{1b}[31m\n", Some("qemu-x \\u{1b}[31m"))]
    #[case("", None)]
    fn an_emulators_version_is_read(#[case] said: &str, #[case] wanted: Option<&str>) {
        assert_eq!(emulator_version(said.as_bytes()).as_deref(), wanted);
    }
}
