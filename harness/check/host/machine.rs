//! The host's part of the report.

use super::{readiness, state};
use crate::host::HostFacts;
use crate::host::binfmt::{self, RegistryState};
use crate::host::buildx::{Builder, Buildx, Node};
use crate::host::engine::{EngineFacts, NoEngine, Proof};
use crate::host::interpreter::Interpreter;
use crate::host::readiness::{Failure, Probed, Readiness, State};
use crate::image::source::Store;
use crate::platform::{ARCHITECTURES, Platform};
use mpcheck_reports as reports;
use mpcheck_reports::{Check, HostPlatform, HostStatus, Machine, Status};

/// What was learnt, with a row for each architecture and for each platform that is required.
pub(super) fn machine(facts: &HostFacts, required: &[Platform]) -> Machine {
    let mut platforms: Vec<HostPlatform> =
        facts.platforms.iter().map(|readiness| row(facts, readiness, &readiness.platform(), required)).collect();
    for platform in required {
        if facts.platforms.iter().any(|readiness| readiness.platform().same_as(platform)) {
            continue;
        }
        platforms.push(match readiness(facts, platform) {
            Some(readiness) => row(facts, readiness, platform, required),
            None => unknown(platform),
        });
    }
    platforms.sort_by(|left, right| left.platform.cmp(&right.platform));
    platforms.dedup_by(|left, right| left.platform == right.platform);
    Machine {
        kernel: facts.system.kernel.clone(),
        machine: facts.system.machine.clone(),
        page_size: facts.system.page_size,
        container: facts.system.container.clone(),
        binfmt_misc: binfmt_misc(facts),
        no_sandbox: facts.namespaces.as_ref().err().map(|why| why.why.clone()),
        engine: facts.engine.as_ref().ok().map(engine),
        no_engine: facts.engine.as_ref().err().map(no_engine),
        buildx: facts.buildx.as_ref().map(buildx),
        builders: facts.buildx.iter().flat_map(|buildx| &buildx.builders).map(builder).collect(),
        default_platform: facts.default_platform.clone(),
        platforms,
        since: None,
    }
}

fn row(facts: &HostFacts, readiness: &Readiness, platform: &Platform, required: &[Platform]) -> HostPlatform {
    let (status, emulator, reason) = match state(facts, readiness) {
        State::Native => (HostStatus::Native, None, None),
        State::Emulated(emulator) => (HostStatus::Emulated, Some(emulator), None),
        State::Broken(why) => (HostStatus::Broken, readiness.version.clone(), Some(why)),
        State::Nothing => (HostStatus::None, None, Some("nothing runs its programs: exec format error".to_owned())),
        State::Unknown(why) => (HostStatus::Unknown, None, Some(why)),
    };
    let machine = match &readiness.direct {
        Ok(Probed::Ran { machine, .. }) => Some(machine.clone()),
        _ => None,
    };
    HostPlatform {
        platform: platform.to_string(),
        required: required.iter().any(|wanted| wanted.same_as(platform)),
        status,
        emulator,
        machine,
        reason,
        tries: super::tries(facts, readiness),
        ways: vec![
            way("direct", &readiness.direct, status),
            way("container", &readiness.empty_root, status),
            sandbox_way(readiness),
            engine_way(facts, readiness),
        ],
        engine: in_engine(facts, readiness),
    }
}

/// A way that nothing is there for was not tried in vain: it is skipped.
fn way(name: &str, probed: &Result<Probed, crate::run::NotReady>, status: HostStatus) -> Check {
    let (status, reason) = match probed {
        Ok(Probed::Ran { .. }) => (Status::Passed, None),
        Ok(Probed::Failed(failure)) => {
            let none = if status == HostStatus::None { Status::Skipped } else { Status::Failed };
            (none, Some(format!("the probe {failure}")))
        }
        Err(why) => (Status::Skipped, Some(why.why.clone())),
    };
    Check { name: name.to_owned(), status, reason }
}

fn sandbox_way(readiness: &Readiness) -> Check {
    let (status, reason) = match &readiness.sandbox {
        Ok(_) => (Status::Passed, None),
        Err(why) => (Status::Skipped, Some(why.why.clone())),
    };
    Check { name: "sandbox".to_owned(), status, reason }
}

fn engine_way(facts: &HostFacts, readiness: &Readiness) -> Check {
    let (status, reason) = match &facts.engine {
        Err(none) => (Status::Skipped, Some(none.why().why.clone())),
        Ok(engine) => match &engine.proof {
            Proof::NotTried(why) => (Status::Skipped, Some(why.why.clone())),
            Proof::Failed(why) => (Status::Error, Some(why.why.clone())),
            Proof::Proved(_) => match engine.proved(readiness.row).map(|in_engine| &in_engine.probed) {
                Some(Ok(Probed::Ran { .. })) => (Status::Passed, None),
                Some(Ok(Probed::Failed(failure))) => {
                    // Nothing is there for it, as on the host.
                    let on_host = readiness.direct.as_ref().is_ok_and(Probed::ran);
                    let skipped = *failure == Failure::ExecFormat && !on_host;
                    let status = if skipped { Status::Skipped } else { Status::Failed };
                    (status, Some(format!("the probe {failure}")))
                }
                Some(Err(why)) => (Status::Error, Some(why.why.clone())),
                None => (Status::Skipped, Some("it was not tried there".to_owned())),
            },
        },
    };
    Check { name: "engine".to_owned(), status, reason }
}

fn in_engine(facts: &HostFacts, readiness: &Readiness) -> Option<reports::InEngine> {
    match &facts.engine.as_ref().ok()?.proved(readiness.row)?.probed {
        Ok(Probed::Ran { machine, .. }) => {
            Some(reports::InEngine { machine: machine.clone(), emulator: facts.emulated_in_engine_by(readiness.row) })
        }
        _ => None,
    }
}

fn unknown(platform: &Platform) -> HostPlatform {
    HostPlatform {
        platform: platform.to_string(),
        required: true,
        status: HostStatus::Unknown,
        emulator: None,
        machine: None,
        reason: Some(format!(
            "mpcheck has no probe for {platform}: it proves Linux platforms of the architecture table{}",
            nearest(platform).map_or_else(String::new, |nearest| format!("; did you mean {nearest}?"))
        )),
        tries: None,
        ways: Vec::new(),
        engine: None,
    }
}

/// The platform that was probably meant by one of an architecture that nobody knows.
fn nearest(platform: &Platform) -> Option<String> {
    if platform.os() != "linux" || platform.row().is_some() {
        return None;
    }
    /// Below this, two names have little in common but their letters.
    const ALIKE: f64 = 0.7;
    // Comparing takes the product of both lengths.
    let name: String = platform.architecture().chars().take(32).collect();
    let rated = ARCHITECTURES.iter().map(|row| (row, strsim::normalized_damerau_levenshtein(&name, row.name)));
    let best =
        rated.filter(|(_, alike)| *alike >= ALIKE).reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map(|(row, _)| format!("linux/{}", row.name))
}

fn binfmt_misc(facts: &HostFacts) -> reports::BinfmtMisc {
    let state = match facts.registry.state {
        RegistryState::Enabled => "enabled",
        RegistryState::Disabled => "disabled",
        RegistryState::NotMounted => "not mounted",
        RegistryState::Unsupported => "not in the kernel",
        RegistryState::Denied(_) => "denied",
    };
    let handlers = facts.registry.handlers.iter().map(|handler| reported(facts, handler)).collect();
    reports::BinfmtMisc { state: state.to_owned(), handlers }
}

fn reported(facts: &HostFacts, handler: &binfmt::Handler) -> reports::Handler {
    let taken = facts.platforms.iter().filter(|readiness| handler.is_for(readiness.row));
    let file = match facts.interpreters.get(&handler.interpreter) {
        Some(Interpreter::Static) => "static",
        Some(Interpreter::Dynamic) => "dynamic",
        Some(Interpreter::Missing) => "missing",
        Some(Interpreter::Unknown(_)) | None => "unknown",
    };
    reports::Handler {
        name: handler.name.clone(),
        enabled: handler.enabled,
        interpreter: handler.interpreter.clone(),
        interpreter_file: file.to_owned(),
        flags: handler.flags.clone(),
        platforms: taken.map(|readiness| readiness.platform().to_string()).collect(),
        persistent: facts.comes_back(handler),
    }
}

fn engine(engine: &EngineFacts) -> reports::Engine {
    let store = match engine.store {
        Store::Classic => "classic",
        Store::Containerd => "containerd",
        Store::Podman => "podman",
    };
    reports::Engine {
        address: engine.address.clone(),
        version: engine.version.clone(),
        api: engine.api.clone(),
        store: store.to_owned(),
        platform: format!("{}/{}", engine.os, engine.architecture),
        oldest_api: engine.oldest_api.clone(),
        kernel: engine.kernel.clone(),
        same_kernel: engine.same_kernel,
        buildkit: engine.buildkit,
        not_proved: match &engine.proof {
            Proof::Proved(_) => None,
            Proof::NotTried(why) | Proof::Failed(why) => Some(why.why.clone()),
        },
    }
}

/// With the next step where the engine is there and lets nobody in: nothing else tells it.
fn no_engine(none: &NoEngine) -> String {
    match none {
        NoEngine::Unreachable(why) if why.why.contains("permission denied") => format!("{}; {}", why.why, why.hint),
        NoEngine::Unreachable(why) | NoEngine::Silent(why) => why.why.clone(),
    }
}

fn buildx(buildx: &Buildx) -> reports::Buildx {
    reports::Buildx {
        path: buildx.path.display().to_string(),
        version: buildx.version.as_ref().ok().cloned(),
        error: buildx.version.as_ref().err().cloned(),
    }
}

fn builder(builder: &Builder) -> reports::Builder {
    let node = |node: &Node| reports::BuilderNode {
        name: node.name.clone(),
        endpoint: node.endpoint.clone(),
        status: node.status.clone(),
        buildkit: node.version.clone(),
        platforms: node.platforms.clone(),
        forced: node.forced.clone(),
        error: node.error.clone(),
    };
    reports::Builder {
        name: builder.name.clone(),
        driver: builder.driver.clone(),
        current: builder.current,
        error: builder.error.clone(),
        nodes: builder.nodes.iter().map(node).collect(),
    }
}
