//! Host readiness: which platforms this machine runs, proved by running the probe, and what the machine is.
//!
//! Here are facts alone; what is wrong with them is said in `check/host`. Whatever the kernel, a file or an engine says
//! is read with a bound and may be anything.
//!
//! | file | what |
//! |---|---|
//! | `binfmt.rs` | binfmt_misc: its state and its handlers, and which architectures' programs a handler takes |
//! | `registration.rs` | what registers handlers again at the next boot |
//! | `install/` | registering emulators, and removing them: the one part that changes the host |
//! | `interpreter.rs` | an emulator's file: there or not, static or not |
//! | `direct.rs` | the probe, started on the host as any program is |
//! | `readiness.rs` | what came of the probe of one architecture, in each way |
//! | `system.rs` | the kernel, its pages, the container around |
//! | `engine.rs` | the Docker engine, and what was proved there |
//! | `buildx.rs` | buildx and its builders |
//! | `command.rs` | another program, asked something |

pub mod binfmt;
pub mod buildx;
mod command;
mod direct;
pub mod engine;
pub mod install;
pub mod interpreter;
pub mod readiness;
pub mod registration;
pub mod system;

use crate::image::source::EngineOptions;
use crate::platform::{ARCHITECTURES, Architecture};
use crate::probe;
use crate::run::NotReady;
use crate::run::sandbox::Sandbox;
use binfmt::{Handler, Registry};
use buildx::{Buildx, Places};
use engine::{EngineFacts, NoEngine};
use interpreter::Interpreter;
use readiness::Readiness;
use registration::Registration;
use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::Duration;
use system::System;

/// Everything that is known of a host.
#[derive(Debug, Clone)]
pub struct HostFacts {
    /// The kernel and what is around it.
    pub system: System,
    /// binfmt_misc.
    pub registry: Registry,
    /// The files of the handlers' interpreters, by path.
    pub interpreters: BTreeMap<String, Interpreter>,
    /// What registers handlers at the next boot.
    pub registrations: Vec<Registration>,
    /// What came of the probes, a row of the architecture table each, in its order.
    pub platforms: Vec<Readiness>,
    /// Whether the sandbox's namespaces can be had, or what forbids them.
    pub namespaces: Result<(), NotReady>,
    /// The Docker engine, or why there is none.
    pub engine: Result<EngineFacts, NoEngine>,
    /// Whether somebody said which engine (`--host`, `DOCKER_HOST`): then there is to be one.
    pub engine_named: bool,
    /// The platforms again, for each time that they were tried once more.
    pub again: Vec<Vec<Readiness>>,
    /// buildx, where it is installed. Its builders are asked for where there is an engine.
    pub buildx: Option<Buildx>,
    /// The value of `DOCKER_BUILDKIT`, where it is set and not empty.
    pub docker_buildkit: Option<String>,
    /// The value of `DOCKER_DEFAULT_PLATFORM`, where it is set and not empty.
    pub default_platform: Option<String>,
}

impl HostFacts {
    /// The handlers that take programs of an architecture, whether or not they are enabled.
    pub fn handlers_of(&self, row: &Architecture) -> Vec<&Handler> {
        self.registry.handlers.iter().filter(|handler| handler.is_for(row)).collect()
    }

    /// Whether a handler is registered again at the next boot: by a file that names it, or its emulator. `None` in a
    /// container, whose files say nothing of the host's next boot.
    #[must_use]
    pub fn comes_back(&self, handler: &Handler) -> Option<bool> {
        if self.system.container.is_some() {
            return None;
        }
        Some(self.registrations.iter().any(|registration| match &registration.what {
            registration::Registered::Handler(later) => {
                later.interpreter == handler.interpreter || later.name == handler.name && later.takes == handler.takes
            }
            registration::Registered::Name(name) => *name == handler.name,
        }))
    }

    /// The handlers of an architecture that the kernel uses now.
    pub fn live_handlers_of(&self, row: &Architecture) -> Vec<&Handler> {
        let on = self.registry.is_enabled();
        self.handlers_of(row).into_iter().filter(|handler| on && handler.enabled).collect()
    }

    /// What runs an architecture's programs in the engine, in words; `None` for its processor, and where nothing does.
    #[must_use]
    pub fn emulated_in_engine_by(&self, row: &Architecture) -> Option<String> {
        let engine = self.engine.as_ref().ok()?;
        // Another kernel's handlers are not known.
        let same = engine.same_kernel == Some(true);
        let handlers = if same { self.live_handlers_of(row) } else { Vec::new() };
        engine.proved(row)?.emulated_by(engine, &handlers)
    }
}

/// How often platforms are tried: a handler that somebody registers and removes is there at one time and not at another.
#[derive(Debug, Clone, Copy)]
pub struct Repeat {
    /// How often, at least once.
    pub times: u32,
    /// How long to wait before the next time.
    pub interval: Duration,
}

impl Default for Repeat {
    fn default() -> Self {
        Self { times: 1, interval: Duration::ZERO }
    }
}

/// Looks at the host: the probe of every architecture, in every way, all at the same time.
///
/// `sandbox` is the runner, or why it could not be made; `engine` says which engine is asked; `variable` gives those of
/// the environment.
#[must_use]
pub fn gather(
    sandbox: Result<&Sandbox, &NotReady>,
    engine: &EngineOptions,
    repeat: Repeat,
    variable: &dyn Fn(&str) -> Option<String>,
) -> HostFacts {
    let system = System::read();
    let places = Places::new(engine, variable);
    let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    let rows: Vec<&'static Architecture> = ARCHITECTURES.iter().filter(|row| probe::probe(row).is_some()).collect();
    let registry = Registry::read(Path::new(binfmt::MOUNT));
    let (platforms, asked) = thread::scope(|scope| {
        let asked = scope.spawn(|| {
            let found = engine::ask(engine, &rows, &system.kernel);
            let buildx = buildx::look(&places, found.is_ok());
            (found, buildx)
        });
        (Readiness::prove_all(&rows, sandbox), asked.join().ok())
    });
    let (found, buildx) = asked.unwrap_or_else(|| {
        (Err(NoEngine::Silent(NotReady::new("asking the engine was given up by a fault of mpcheck", ""))), None)
    });
    let interpreters = registry.handlers.iter().map(|handler| handler.interpreter.clone());
    HostFacts {
        system,
        interpreters: interpreters.map(|path| (path.clone(), Interpreter::read(Path::new(&path)))).collect(),
        registry,
        registrations: registration::read(Path::new("/")),
        namespaces: namespaces(&platforms),
        platforms,
        again: again(&rows, sandbox, repeat),
        engine: found,
        engine_named: engine.host.is_some() || set("DOCKER_HOST").is_some(),
        buildx,
        docker_buildkit: set("DOCKER_BUILDKIT"),
        default_platform: set("DOCKER_DEFAULT_PLATFORM"),
    }
}

/// The second time and the rest. What is around the platforms is looked at once, in the beginning.
fn again(rows: &[&'static Architecture], sandbox: Result<&Sandbox, &NotReady>, repeat: Repeat) -> Vec<Vec<Readiness>> {
    let once = |_| {
        thread::sleep(repeat.interval);
        Readiness::prove_all(rows, sandbox)
    };
    (1..repeat.times).map(once).collect()
}

/// Whether the namespaces of a sandbox can be had: what the tries in an empty root said.
fn namespaces(platforms: &[Readiness]) -> Result<(), NotReady> {
    let mut refused = None;
    for readiness in platforms {
        match &readiness.empty_root {
            Ok(_) => return Ok(()),
            Err(why) => refused = refused.or(Some(why)),
        }
    }
    refused.map_or(Ok(()), |why| Err(why.clone()))
}
