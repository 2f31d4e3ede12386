//! The Docker engine, or Podman's socket: what it is, and which architectures its kernel runs.
//!
//! An engine's kernel need not be this machine's: it may be that of another machine, or of a virtual one (Docker
//! Desktop, Colima). So what it runs is proved in a container there, and never read from this machine's files.

mod builder_version;

use super::binfmt::Handler;
use super::readiness::Probed;
use crate::image::reference::name::shown;
use crate::image::source::engine::{self, Endpoint, Engine, locate};
use crate::image::source::{EngineOptions, Store};
use crate::platform::Architecture;
use crate::run::NotReady;
use crate::run::docker::{Patience, Tried, prove};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long an engine may take to say what it is: one that is busy does so in far less.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The oldest API by which another platform can be asked for (`platform` of the container's creation).
const PLATFORM_API: (u32, u32) = (1, 41);
/// The first version of Docker that builds with BuildKit unless it is told otherwise.
const BUILDKIT_VERSION: u32 = 23;

/// What an engine says of itself, and what was proved there.
#[derive(Debug, Clone)]
pub struct EngineFacts {
    /// Where it is: `unix:///run/docker.sock`.
    pub address: String,
    /// Whether it is on this machine, as far as its address tells.
    pub is_local: bool,
    /// Its version.
    pub version: String,
    /// The newest version of its API; empty where it does not say.
    pub api: String,
    /// The oldest version of its API that it still speaks; empty where it does not say.
    pub oldest_api: String,
    /// How it stores images.
    pub store: Store,
    /// The operating system of its containers, as `GOOS`.
    pub os: String,
    /// The architecture that it was built for, as `GOARCH`.
    pub architecture: String,
    /// The release of its host's kernel; empty where it does not say.
    pub kernel: String,
    /// Whether that kernel is this machine's; `None` where nothing told.
    pub same_kernel: Option<bool>,
    /// Whether it builds with BuildKit unless it is told otherwise; `None` where nothing told.
    pub buildkit: Option<bool>,
    /// What was proved there.
    pub proof: Proof,
}

/// What was proved in an engine.
#[derive(Debug, Clone)]
pub enum Proof {
    /// What became of the probe of each architecture.
    Proved(Vec<InEngine>),
    /// It was not tried; why.
    NotTried(NotReady),
    /// The engine did not do what engines do; how.
    Failed(NotReady),
}

/// One architecture in an engine.
#[derive(Debug, Clone)]
pub struct InEngine {
    /// The architecture.
    pub row: &'static Architecture,
    /// What became of the probe, or why it could not be tried.
    pub probed: Result<Probed, NotReady>,
    /// The emulator's name and version, as it says them itself.
    pub emulator: Option<String>,
}

/// Why there is no engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoEngine {
    /// There is none, or it lets nobody in.
    Unreachable(NotReady),
    /// Something accepts connections, and does not answer as an engine does.
    Silent(NotReady),
}

impl NoEngine {
    /// Why.
    #[must_use]
    pub const fn why(&self) -> &NotReady {
        match self {
            Self::Unreachable(why) | Self::Silent(why) => why,
        }
    }
}

impl EngineFacts {
    /// What became of the probe of an architecture; `None` where none was tried.
    #[must_use]
    pub fn proved(&self, row: &Architecture) -> Option<&InEngine> {
        match &self.proof {
            Proof::Proved(proved) => proved.iter().find(|in_engine| in_engine.row == row),
            Proof::NotTried(_) | Proof::Failed(_) => None,
        }
    }
}

impl InEngine {
    /// What runs the architecture's programs there, in words; `None` for the processor itself, and where nothing does.
    ///
    /// `handlers` are those of the engine's kernel, as far as they are known.
    #[must_use]
    pub fn emulated_by(&self, engine: &EngineFacts, handlers: &[&Handler]) -> Option<String> {
        if !self.probed.as_ref().is_ok_and(Probed::ran) {
            return None;
        }
        let native = Architecture::by_name(&engine.architecture).is_some_and(|host| host.executes(self.row));
        let known = handlers.first().map(|handler| handler.emulator());
        match (&self.emulator, known) {
            (Some(emulator), _) => Some(emulator.clone()),
            (None, Some(emulator)) => Some(emulator),
            (None, None) if native => None,
            (None, None) => Some("an emulator that does not say its name".to_owned()),
        }
    }
}

/// Asks the engine that the options name what it is, and has it start the probes of these architectures.
///
/// `kernel` is the release of this machine's.
///
/// # Errors
/// Why none answered, and what to do.
pub fn ask(options: &EngineOptions, rows: &[&'static Architecture], kernel: &str) -> Result<EngineFacts, NoEngine> {
    let engine = find(options)?;
    let (proof, seen_here) = match not_tried(&engine) {
        Some(why) => (Proof::NotTried(why), false),
        None => proved(&engine, rows),
    };
    Ok(EngineFacts {
        address: engine.endpoint.to_string(),
        is_local: matches!(engine.endpoint, Endpoint::Unix(_)),
        version: shown(&engine.version),
        api: shown(&engine.api),
        oldest_api: shown(&engine.oldest_api),
        store: engine.store,
        os: shown(&engine.os),
        architecture: shown(&engine.architecture),
        kernel: shown(&engine.kernel),
        same_kernel: same_kernel(seen_here, &engine.kernel, kernel),
        buildkit: buildkit(&engine),
        proof,
    })
}

/// Its process among this machine's is a proof; another release one of the contrary. The same release may be that of
/// another machine of the same kind.
fn same_kernel(seen_here: bool, of_engine: &str, of_host: &str) -> Option<bool> {
    match (seen_here, of_engine) {
        (true, _) => Some(true),
        (false, "") => None,
        (false, other) => (other != of_host).then_some(false),
    }
}

/// Whether the engine that the options name answers, within a time that has an end.
///
/// # Errors
/// Why none answered.
pub fn reached(options: &EngineOptions) -> Result<(), NoEngine> {
    find(options).map(drop)
}

fn find(options: &EngineOptions) -> Result<Engine, NoEngine> {
    let told =
        |error: &crate::image::source::SourceError| NotReady::new(error.to_string(), error.hint().unwrap_or_default());
    let (sender, receiver) = mpsc::channel();
    let options = options.clone();
    // A thread that an engine keeps waiting ends with this program.
    thread::spawn(move || {
        let found = locate(&options, "do without one")
            .map_err(|error| NoEngine::Unreachable(told(&error)))
            .and_then(|endpoint| engine::ask(&endpoint).map_err(|error| NoEngine::Silent(told(&error))));
        let _ = sender.send(found);
    });
    receiver.recv_timeout(TIMEOUT).unwrap_or_else(|_| {
        let why = format!("the engine accepted a connection and said nothing for {} seconds", TIMEOUT.as_secs());
        Err(NoEngine::Silent(NotReady::new(why, "look at its log: `journalctl -u docker`")))
    })
}

/// Why an engine is not asked to start anything.
fn not_tried(engine: &Engine) -> Option<NotReady> {
    let not = |why: String| Some(NotReady::new(why, ""));
    if engine.store == Store::Podman {
        return not("it is not tried through Podman's socket, which starts containers as any program of its host does"
            .to_owned());
    }
    if engine.os != "linux" {
        return not(format!(
            "the engine runs {} containers",
            if engine.os.is_empty() { "no known" } else { &engine.os }
        ));
    }
    match version(&engine.api) {
        Some(api) if api < PLATFORM_API => {
            not(format!("the engine's API {} knows no platforms (1.41, Docker 20.10, does)", engine.api))
        }
        _ => None,
    }
}

fn version(text: &str) -> Option<(u32, u32)> {
    let (major, rest) = text.split_once('.')?;
    Some((major.parse().ok()?, rest.split('.').next()?.parse().ok()?))
}

fn proved(engine: &Engine, rows: &[&'static Architecture]) -> (Proof, bool) {
    match prove(engine, rows, Patience::default()) {
        Ok(proved) => (Proof::Proved(proved.tries.into_iter().map(in_engine).collect()), proved.seen_here),
        Err(why) => (Proof::Failed(why), false),
    }
}

fn in_engine(tried: Tried) -> InEngine {
    // It is started there by its path, which is then its name.
    InEngine { row: tried.row, probed: tried.ended.map(|ended| Probed::of(&ended, "")), emulator: tried.emulator }
}

/// What Docker's command line makes of an engine's answer to a ping; where that cannot be read, its version.
fn buildkit(engine: &Engine) -> Option<bool> {
    if engine.store == Store::Podman {
        return None;
    }
    match builder_version::read(&engine.endpoint) {
        Some(version) => Some(version == "2"),
        // A newer one has it on; in an older one somebody may have turned it on.
        None => version(&engine.version).filter(|(major, _)| *major >= BUILDKIT_VERSION).map(|_| true),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::host::readiness::Failure;
    use crate::image::source::EngineEnvironment;
    use rstest::rstest;

    #[test]
    fn no_engine_is_told_with_a_next_step() {
        let directory = tempfile::tempdir().unwrap();
        let options = EngineOptions {
            host: Some(format!("unix://{}/none.sock", directory.path().display())),
            environment: EngineEnvironment::default(),
            temporary: directory.path().to_owned(),
        };
        let error = ask(&options, &[], "6.1").unwrap_err();
        let NoEngine::Unreachable(why) = error else { panic!("{error:?}") };
        assert!(!why.why.is_empty() && !why.hint.is_empty(), "{why:?}");
    }

    #[rstest]
    #[case::its_process_is_seen(true, "6.1", Some(true))]
    // An engine in a container may say what it likes.
    #[case::seen_whatever_it_says(true, "6.2", Some(true))]
    #[case::another(false, "6.2", Some(false))]
    #[case::alike(false, "6.1", None)]
    #[case::unsaid(false, "", None)]
    fn whose_kernel_it_is(#[case] seen: bool, #[case] said: &str, #[case] wanted: Option<bool>) {
        assert_eq!(same_kernel(seen, said, "6.1"), wanted);
    }

    /// An engine for amd64, of which nothing is known but what was proved there.
    pub(in crate::host) fn of_nobody(proof: Proof) -> EngineFacts {
        EngineFacts {
            address: String::new(),
            is_local: false,
            version: String::new(),
            api: String::new(),
            oldest_api: String::new(),
            store: Store::Classic,
            os: "linux".to_owned(),
            architecture: "amd64".to_owned(),
            kernel: String::new(),
            same_kernel: None,
            buildkit: None,
            proof,
        }
    }

    fn engine() -> Engine {
        Engine {
            endpoint: Endpoint::Unix("/nowhere/docker.sock".into()),
            version: "29.1.0".to_owned(),
            api: "1.52".to_owned(),
            oldest_api: "1.44".to_owned(),
            kernel: "6.1".to_owned(),
            store: Store::Containerd,
            os: "linux".to_owned(),
            architecture: "amd64".to_owned(),
        }
    }

    #[rstest]
    #[case(|_: &mut Engine| (), None)]
    #[case(|engine: &mut Engine| engine.api = "1.41".to_owned(), None)]
    #[case(|engine: &mut Engine| engine.api = "1.40".to_owned(), Some("API 1.40 knows no platforms"))]
    #[case(|engine: &mut Engine| engine.api = "1.5".to_owned(), Some("API 1.5 knows"))]
    #[case(|engine: &mut Engine| engine.api = String::new(), None)]
    #[case(|engine: &mut Engine| engine.os = "windows".to_owned(), Some("runs windows containers"))]
    #[case(|engine: &mut Engine| engine.os = String::new(), Some("no known containers"))]
    #[case(|engine: &mut Engine| engine.store = Store::Podman, Some("Podman"))]
    fn what_is_not_tried_has_its_reason(#[case] change: fn(&mut Engine), #[case] wanted: Option<&str>) {
        let mut engine = engine();
        change(&mut engine);
        match (not_tried(&engine), wanted) {
            (None, None) => {}
            (Some(why), Some(words)) => assert!(why.why.contains(words), "{why:?}"),
            other => panic!("{other:?}"),
        }
    }

    /// Where the ping cannot be read.
    #[rstest]
    #[case("29.1.0", Some(true))]
    #[case("23.0.0", Some(true))]
    #[case("20.10.24+dfsg1", None)]
    #[case("of unknown version", None)]
    fn a_version_tells_of_buildkit(#[case] version: &str, #[case] wanted: Option<bool>) {
        assert_eq!(buildkit(&Engine { version: version.to_owned(), ..engine() }), wanted);
    }

    #[rstest]
    #[case("amd64", ran(), None, None)]
    #[case("386", ran(), None, None)]
    #[case("arm64", ran(), Some("qemu-aarch64 9.1"), Some("qemu-aarch64 9.1"))]
    #[case("arm64", ran(), None, Some("an emulator that does not say its name"))]
    #[case("arm64", Ok(Probed::Failed(Failure::ExecFormat)), None, None)]
    #[case("arm64", Err(NotReady::new("", "")), None, None)]
    fn what_runs_it_there(
        #[case] name: &str,
        #[case] probed: Result<Probed, NotReady>,
        #[case] emulator: Option<&str>,
        #[case] wanted: Option<&str>,
    ) {
        let facts = of_nobody(Proof::Proved(Vec::new()));
        let row = Architecture::by_name(name).unwrap();
        let in_engine = InEngine { row, probed, emulator: emulator.map(str::to_owned) };
        assert_eq!(in_engine.emulated_by(&facts, &[]).as_deref(), wanted);
    }

    fn ran() -> Result<Probed, NotReady> {
        Ok(Probed::Ran { machine: "m".to_owned(), own_name: true })
    }
}
