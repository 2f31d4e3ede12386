//! What came of the probe of one architecture, in each way in which it was started.

use super::binfmt::Handler;
use super::direct;
use crate::image::parallel::in_parallel;
use crate::image::reference::name::shown;
use crate::platform::{Architecture, Platform};
use crate::probe;
use crate::run::sandbox::Sandbox;
use crate::run::{Ended, Exit, NotReady, Offer, StartError};
use std::num::NonZero;
use std::thread;
use std::time::Duration;

/// How long the probe may take: it makes four system calls, and this machine may be under load.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What became of the probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probed {
    /// It ran.
    Ran {
        /// What the kernel, or the emulator, says of the machine.
        machine: String,
        /// Whether it saw the name that it was started under, and not its path.
        own_name: bool,
    },
    /// It did not.
    Failed(Failure),
}

/// Why the probe did not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The kernel knows nobody who runs it.
    ExecFormat,
    /// Whoever should run it is not there.
    NotFound,
    /// Anything else, as what completes "the probe".
    Otherwise(String),
}

impl Probed {
    /// What an end means. `name` is the name that it was started under.
    #[must_use]
    pub fn of(ended: &Ended, name: &str) -> Self {
        let told = String::from_utf8_lossy(&ended.stdout.bytes);
        let mut lines = told.lines();
        Self::Failed(match &ended.exit {
            Exit::Code(probe::PROBE_EXIT) => match lines.next().filter(|machine| !machine.is_empty()) {
                Some(machine) => {
                    return Self::Ran { machine: shown(machine), own_name: lines.next() == Some(name) };
                }
                None => Failure::Otherwise("ran and said nothing".to_owned()),
            },
            Exit::Code(code) => {
                Failure::Otherwise(format!("exited with {code}, and should with {}", probe::PROBE_EXIT))
            }
            Exit::Signal(signal) => Failure::Otherwise(format!("was ended by signal {signal}")),
            Exit::TimedOut => Failure::Otherwise("did not end in time".to_owned()),
            Exit::OutOfMemory => Failure::Otherwise("took too much memory".to_owned()),
            Exit::NotStarted(StartError::ExecFormat) => Failure::ExecFormat,
            Exit::NotStarted(StartError::NotFound) => Failure::NotFound,
            Exit::NotStarted(error) => Failure::Otherwise(format!("could not be started: {error}")),
        })
    }

    /// Whether it ran.
    #[must_use]
    pub const fn ran(&self) -> bool {
        matches!(self, Self::Ran { .. })
    }
}

impl std::fmt::Display for Failure {
    /// What completes "the probe".
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ExecFormat => f.write_str("could not be started: exec format error"),
            Self::NotFound => f.write_str("could not be started: its emulator, or the loader of that, is not there"),
            Self::Otherwise(what) => f.write_str(what),
        }
    }
}

/// One architecture on this host.
#[derive(Debug, Clone)]
pub struct Readiness {
    /// The architecture.
    pub row: &'static Architecture,
    /// Started as any program of the host is, or why that could not be tried.
    pub direct: Result<Probed, NotReady>,
    /// Started in an empty root under the host's handlers, as a container's program is.
    pub empty_root: Result<Probed, NotReady>,
    /// What the sandbox offers, with handlers of its own.
    pub sandbox: Result<Offer, NotReady>,
    /// The emulator's name and version, as it says them itself.
    pub version: Option<String>,
}

/// Whether a platform runs here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// On the host's own processor.
    Native,
    /// By this emulator.
    Emulated(String),
    /// Something is there to run it, and does not; why.
    Broken(String),
    /// Nothing runs it.
    Nothing,
    /// It could not be tried; why.
    Unknown(String),
}

impl State {
    /// Whether programs of the platform run.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        matches!(self, Self::Native | Self::Emulated(_))
    }
}

impl Readiness {
    /// Runs the probe of one architecture in every way.
    #[must_use]
    pub fn prove(row: &'static Architecture, sandbox: Result<&Sandbox, &NotReady>) -> Option<Self> {
        Self::prove_all(&[row], sandbox).pop()
    }

    /// Runs the probe of each architecture in every way, at the same time.
    #[must_use]
    pub fn prove_all(rows: &[&'static Architecture], sandbox: Result<&Sandbox, &NotReady>) -> Vec<Self> {
        let jobs = thread::available_parallelism().map_or(1, NonZero::get);
        let refused = |why: &NotReady| rows.iter().map(|_| Err(why.clone())).collect();
        let (spoken, empty_roots, sandboxes) = thread::scope(|scope| {
            let empty_roots = scope.spawn(|| match sandbox {
                Ok(sandbox) => sandbox.under_host_handlers(rows, direct::NAME),
                Err(why) => refused(why),
            });
            let sandboxes = scope.spawn(|| match sandbox {
                Ok(sandbox) => sandbox.under_own_handlers(rows),
                Err(why) => rows.iter().map(|_| Err(why.clone())).collect(),
            });
            let spoken = in_parallel(rows, jobs, |row| Spoken::of(row));
            (spoken, empty_roots.join(), sandboxes.join())
        });
        // A panic of the other thread is one here as well.
        let given_up = || NotReady::new("the proof was given up", "");
        let mut empty_roots = empty_roots.unwrap_or_default().into_iter();
        let mut sandboxes = sandboxes.unwrap_or_default().into_iter();
        let together = rows.iter().zip(spoken).map(|(row, spoken)| {
            let empty_root = empty_roots.next().unwrap_or_else(|| Err(given_up()));
            let empty_root = empty_root.map(|ended| Probed::of(&ended, direct::NAME));
            (*row, spoken, empty_root, sandboxes.next().unwrap_or_else(|| Err(given_up())))
        });
        let together: Vec<_> = together.collect();
        in_parallel(&together, jobs, |(row, spoken, empty_root, sandbox)| Self {
            row,
            direct: spoken.direct(row, empty_root.as_ref().ok()),
            empty_root: empty_root.clone(),
            sandbox: sandbox.clone(),
            version: spoken.version.clone(),
        })
    }

    /// Runs the probe under the host's handlers alone, and in an empty root only where it runs at all: one under which it
    /// hangs is waited for once.
    pub(super) fn under_handlers(row: &'static Architecture, sandbox: &Sandbox) -> Self {
        let not_asked = NotReady::new("it was not asked for", "");
        let spoken = Spoken::of(row);
        let direct = spoken.direct(row, None);
        let empty_root = if direct.as_ref().is_ok_and(Probed::ran) {
            let ended =
                sandbox.under_host_handlers(&[row], direct::NAME).pop().unwrap_or_else(|| Err(not_asked.clone()));
            ended.map(|ended| Probed::of(&ended, direct::NAME))
        } else {
            Err(not_asked.clone())
        };
        Self { row, direct, empty_root, sandbox: Err(not_asked), version: spoken.version }
    }

    /// The platform: the architecture on Linux, without a variant that nobody named.
    #[must_use]
    pub fn platform(&self) -> Platform {
        self.row.platform()
    }

    /// Whether programs of it run here. `handlers` are those that the kernel uses for them, as far as they can be seen.
    #[must_use]
    pub fn state(&self, handlers: &[&Handler]) -> State {
        let direct = match &self.direct {
            Ok(direct) => direct,
            Err(why) => return State::Unknown(why.why.clone()),
        };
        let failure = match direct {
            Probed::Ran { .. } => match &self.empty_root {
                Ok(Probed::Failed(failure)) => {
                    return State::Broken(format!(
                        "it runs on the host, but in a container, with none of the host's files, the probe {failure}"
                    ));
                }
                _ => return self.ready(handlers),
            },
            Probed::Failed(failure) => failure,
        };
        match (failure, handlers.first()) {
            (Failure::ExecFormat, None) => State::Nothing,
            (failure, None) => State::Broken(format!("the probe {failure}")),
            (failure, Some(handler)) => State::Broken(format!("the probe {failure}, under {}", handler.interpreter)),
        }
    }

    fn ready(&self, handlers: &[&Handler]) -> State {
        let native = Platform::host().row().is_some_and(|host| host.executes(self.row));
        match (&self.version, handlers.first()) {
            (Some(version), _) => State::Emulated(version.clone()),
            (None, Some(handler)) => State::Emulated(handler.emulator()),
            (None, None) if native => State::Native,
            // Its handler cannot be seen from here, and it does not know QEMU_VERSION: Rosetta in a virtual machine's container.
            (None, None) => State::Emulated("an emulator that does not say its name".to_owned()),
        }
    }
}

/// The first start of a probe on the host, with the question that qemu answers in place of running anything.
///
/// Who is not qemu does not know the question, so then this is the proof.
#[derive(Debug, Clone)]
struct Spoken {
    version: Option<String>,
    ended: Result<Ended, NotReady>,
}

impl Spoken {
    fn of(row: &Architecture) -> Self {
        let ended = run(row, &[("QEMU_VERSION", "1")]);
        let version = ended.as_ref().ok().and_then(|ended| version_in(&String::from_utf8_lossy(&ended.stdout.bytes)));
        Self { version, ended }
    }

    /// What comes of the probe on the host.
    ///
    /// An emulator that answered there, and ran the probe in an empty root under the same handler, is not started for it
    /// a second time: an emulator's start is all that this costs.
    fn direct(&self, row: &Architecture, empty_root: Option<&Probed>) -> Result<Probed, NotReady> {
        let ended = match (&self.version, empty_root) {
            (Some(_), Some(probed @ Probed::Ran { .. })) => return Ok(probed.clone()),
            (Some(_), _) => run(row, &[]),
            (None, _) => self.ended.clone(),
        };
        ended.map(|ended| Probed::of(&ended, direct::NAME))
    }
}

/// Starts the probe as any program of the host is.
fn run(row: &Architecture, environment: &[(&str, &str)]) -> Result<Ended, NotReady> {
    let program = probe::probe(row).unwrap_or_default();
    direct::run(&program, environment, TIMEOUT)
        .map_err(|error| NotReady::new(format!("the probe could not be put into memory: {error}"), "see `ulimit -a`"))
}

/// "qemu-aarch64 version 7.2.9 (Debian 1:7.2+dfsg-7+deb12u5)", as a name and a version.
pub(super) fn version_in(told: &str) -> Option<String> {
    let (name, version) = told.lines().next()?.trim().split_once(" version ")?;
    Some(shown(&format!("{name} {version}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::binfmt::Takes;
    use crate::run::Output;
    use rstest::rstest;

    fn ended(exit: Exit, stdout: &str) -> Ended {
        let stdout = Output { bytes: stdout.as_bytes().to_vec(), total: stdout.len() as u64 };
        Ended { exit, stdout, stderr: Output::default(), took: Duration::ZERO }
    }

    fn ran() -> Probed {
        Probed::Ran { machine: "aarch64".to_owned(), own_name: true }
    }

    fn failed(failure: Failure) -> Probed {
        Probed::Failed(failure)
    }

    #[rstest]
    #[case(Exit::Code(42), "aarch64\nme\n", ran())]
    #[case(Exit::Code(42), "aarch64\n/proc/self/fd/3\n", Probed::Ran { machine: "aarch64".to_owned(), own_name: false })]
    #[case(Exit::Code(42), "", failed(Failure::Otherwise("ran and said nothing".to_owned())))]
    #[case(Exit::Code(0), "aarch64\nme\n", failed(Failure::Otherwise("exited with 0, and should with 42".to_owned())))]
    #[case(Exit::Signal(11), "", failed(Failure::Otherwise("was ended by signal 11".to_owned())))]
    #[case(Exit::TimedOut, "", failed(Failure::Otherwise("did not end in time".to_owned())))]
    #[case(Exit::NotStarted(StartError::ExecFormat), "", failed(Failure::ExecFormat))]
    #[case(Exit::NotStarted(StartError::NotFound), "", failed(Failure::NotFound))]
    fn an_end_is_told(#[case] exit: Exit, #[case] stdout: &str, #[case] wanted: Probed) {
        assert_eq!(Probed::of(&ended(exit, stdout), "me"), wanted);
    }

    #[test]
    fn what_a_hostile_emulator_says_is_cut_and_escaped() {
        let told = format!("\x1b[31m{}\n", "x".repeat(100_000));
        let Probed::Ran { machine, .. } = Probed::of(&ended(Exit::Code(42), &told), "") else { panic!() };
        assert!(machine.len() < 200 && !machine.contains('\x1b'), "{machine}");
        assert_eq!(version_in(&format!("a version {told}")).map(|version| version.contains('\x1b')), Some(false));
    }

    #[rstest]
    #[case("qemu-arm version 7.2.9 (Debian 1:7.2)\nCopyright", Some("qemu-arm 7.2.9 (Debian 1:7.2)"))]
    #[case("aarch64\n", None)]
    #[case("", None)]
    fn an_emulator_says_its_version(#[case] told: &str, #[case] wanted: Option<&str>) {
        assert_eq!(version_in(told).as_deref(), wanted);
    }

    fn handler() -> Handler {
        let takes = Takes::Extension("x".to_owned());
        Handler { name: "q".to_owned(), enabled: true, interpreter: "/q".to_owned(), flags: String::new(), takes }
    }

    /// s390x is native on no machine that this is tested on but its own.
    #[rstest]
    #[case::emulated(Ok(ran()), Ok(ran()), Some("qemu 9"), true, State::Emulated("qemu 9".to_owned()))]
    #[case::without_a_version(Ok(ran()), Ok(ran()), None, true, State::Emulated("/q".to_owned()))]
    #[case::no_namespaces(Ok(ran()), Err("forbidden"), Some("qemu 9"), true, State::Emulated("qemu 9".to_owned()))]
    #[case::no_file_of_the_host(Ok(ran()), Ok(failed(Failure::NotFound)), Some("qemu 9"), true,
        State::Broken("it runs on the host, but in a container, with none of the host's files, the probe could not be \
                       started: its emulator, or the loader of that, is not there".to_owned()))]
    #[case::nothing(Ok(failed(Failure::ExecFormat)), Ok(failed(Failure::ExecFormat)), None, false, State::Nothing)]
    #[case::gone(Ok(failed(Failure::NotFound)), Ok(failed(Failure::NotFound)), None, true,
        State::Broken("the probe could not be started: its emulator, or the loader of that, is not there, under /q".to_owned()))]
    #[case::crash(Ok(failed(Failure::Otherwise("was ended by signal 11".to_owned()))), Err("forbidden"), None, false,
        State::Broken("the probe was ended by signal 11".to_owned()))]
    #[case::untried(Err("no memory"), Err("forbidden"), None, false, State::Unknown("no memory".to_owned()))]
    fn what_was_proved_is_a_state(
        #[case] direct: Result<Probed, &str>,
        #[case] empty_root: Result<Probed, &str>,
        #[case] version: Option<&str>,
        #[case] handled: bool,
        #[case] wanted: State,
    ) {
        let not = |why: &str| NotReady::new(why, "");
        let readiness = Readiness {
            row: Architecture::by_name("s390x").unwrap(),
            direct: direct.map_err(not),
            empty_root: empty_root.map_err(not),
            sandbox: Err(not("")),
            version: version.map(str::to_owned),
        };
        let handler = handler();
        let handlers = if handled { vec![&handler] } else { Vec::new() };
        assert_eq!(readiness.state(&handlers), wanted);
    }

    #[test]
    fn the_hosts_own_architecture_is_native() {
        let not = || NotReady::new("", "");
        let readiness = Readiness {
            row: Platform::host().row().unwrap(),
            direct: Ok(ran()),
            empty_root: Ok(ran()),
            sandbox: Err(not()),
            version: None,
        };
        assert_eq!(readiness.state(&[]), State::Native);
        // Where a handler takes the host's own programs, even those are emulated.
        assert_eq!(readiness.state(&[&handler()]), State::Emulated("/q".to_owned()));
        // It does not say its version, and its path says little.
        let named = Handler { name: "rosetta".to_owned(), interpreter: "/mnt/translate".to_owned(), ..handler() };
        let lying_there = Handler { interpreter: "/media/psf/RosettaLinux/rosetta".to_owned(), ..handler() };
        for rosetta in [named, lying_there] {
            assert_eq!(readiness.state(&[&rosetta]), State::Emulated("Rosetta".to_owned()));
        }
    }
}
