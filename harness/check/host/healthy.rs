//! Facts of a host, written by hand for the tests: one with nothing wrong, and what makes it wrong.

use crate::host::HostFacts;
use crate::host::binfmt::{Handler, Registry, RegistryState, Takes};
use crate::host::buildx::{Builder, Buildx, Node};
use crate::host::engine::{EngineFacts, InEngine, NoEngine, Proof};
use crate::host::interpreter::Interpreter;
use crate::host::readiness::{Failure, Probed, Readiness};
use crate::host::registration::{Registered, Registration};
use crate::host::system::System;
use crate::image::source::Store;
use crate::platform::{Architecture, Platform};
use crate::run::{NotReady, Offer};
use std::collections::BTreeMap;

pub(super) const EMULATOR: &str = "/usr/bin/qemu-s390x-static";

pub(super) fn row(name: &str) -> &'static Architecture {
    Architecture::by_name(name).unwrap()
}

pub(super) fn handler(name: &str, of: &str) -> Handler {
    let emulator = row(of).emulator.unwrap();
    Handler {
        name: name.to_owned(),
        enabled: true,
        interpreter: EMULATOR.to_owned(),
        flags: "OCF".to_owned(),
        takes: Takes::Magic { offset: 0, magic: emulator.magic.to_vec(), mask: emulator.mask.to_vec() },
    }
}

pub(super) fn ran(machine: &str) -> Result<Probed, NotReady> {
    Ok(Probed::Ran { machine: machine.to_owned(), own_name: true })
}

pub(super) const NOT_FOUND: Result<Probed, NotReady> = Ok(Probed::Failed(Failure::NotFound));
pub(super) const EXEC_FORMAT: Result<Probed, NotReady> = Ok(Probed::Failed(Failure::ExecFormat));

pub(super) fn ready(name: &str, version: Option<&str>) -> Readiness {
    Readiness {
        row: row(name),
        direct: ran(name),
        empty_root: ran(name),
        sandbox: Ok(Offer { emulator: None }),
        version: version.map(str::to_owned),
    }
}

pub(super) fn in_engine(name: &str) -> InEngine {
    InEngine { row: row(name), probed: ran(name), emulator: None }
}

/// A builder in the engine, which runs and lists all that runs there.
pub(super) fn builder(name: &str, driver: &str) -> Builder {
    let node = Node {
        name: name.to_owned(),
        endpoint: "default".to_owned(),
        status: "running".to_owned(),
        platforms: vec![Platform::host().to_string(), "linux/s390x".to_owned()],
        ..Node::default()
    };
    Builder { name: name.to_owned(), driver: driver.to_owned(), nodes: vec![node], ..Builder::default() }
}

/// A host with nothing wrong: its own platform, and s390x under a static emulator that comes back at boot.
pub(super) fn healthy() -> HostFacts {
    let host = Platform::host();
    let host = host.row().unwrap();
    HostFacts {
        system: System {
            kernel: "6.12.9-amd64".to_owned(),
            machine: host.uname.native[0].to_owned(),
            page_size: 4096,
            container: None,
        },
        registry: Registry {
            state: RegistryState::Enabled,
            handlers: vec![handler("qemu-s390x", "s390x")],
            unread: Vec::new(),
        },
        interpreters: BTreeMap::from([(EMULATOR.to_owned(), Interpreter::Static)]),
        registrations: vec![Registration {
            file: "/usr/lib/binfmt.d/qemu-s390x.conf".to_owned(),
            what: Registered::Handler(handler("qemu-s390x", "s390x")),
        }],
        platforms: vec![ready(host.name, None), ready("s390x", Some("qemu-s390x 10.2.3"))],
        namespaces: Ok(()),
        engine: Ok(EngineFacts {
            address: "unix:///run/docker.sock".to_owned(),
            is_local: true,
            version: "29.1.0".to_owned(),
            api: "1.52".to_owned(),
            store: Store::Containerd,
            os: "linux".to_owned(),
            architecture: host.name.to_owned(),
            oldest_api: "1.44".to_owned(),
            kernel: "6.12.9-amd64".to_owned(),
            same_kernel: Some(true),
            buildkit: Some(true),
            proof: Proof::Proved(vec![in_engine(host.name), in_engine("s390x")]),
        }),
        buildx: Some(Buildx {
            path: "/usr/libexec/docker/cli-plugins/docker-buildx".into(),
            version: Ok("v0.29.1".to_owned()),
            context: "default".to_owned(),
            builders: vec![builder("default", "docker")],
        }),
        docker_buildkit: None,
        engine_named: false,
        again: Vec::new(),
        default_platform: None,
    }
}

/// A host on which the handler and the emulator of s390x are gone.
pub(super) fn nothing(facts: &mut HostFacts) {
    facts.registry.handlers.clear();
    facts.registrations.clear();
    facts.platforms[1].direct = EXEC_FORMAT;
    facts.platforms[1].empty_root = EXEC_FORMAT;
    facts.platforms[1].version = None;
}

pub(super) fn flags(facts: &mut HostFacts, flags: &str) {
    facts.registry.handlers[0].flags = flags.to_owned();
}

pub(super) fn interpreter(facts: &mut HostFacts, is: Interpreter) {
    facts.interpreters.insert(EMULATOR.to_owned(), is);
}

pub(super) fn mask(facts: &mut HostFacts, at: usize, byte: u8) {
    let Takes::Magic { mask, .. } = &mut facts.registry.handlers[0].takes else { panic!() };
    mask[at] = byte;
}

pub(super) fn engine(facts: &mut HostFacts) -> &mut EngineFacts {
    facts.engine.as_mut().unwrap()
}

/// What became of the probe of s390x in the engine.
pub(super) fn there(facts: &mut HostFacts, probed: Result<Probed, NotReady>) {
    let Proof::Proved(proved) = &mut engine(facts).proof else { panic!() };
    proved[1].probed = probed;
}

/// The first node of the first builder.
pub(super) fn node(facts: &mut HostFacts) -> &mut Node {
    &mut facts.buildx.as_mut().unwrap().builders[0].nodes[0]
}

pub(super) fn no_engine() -> NoEngine {
    NoEngine::Unreachable(NotReady::new("no engine", ""))
}
