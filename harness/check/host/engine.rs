//! What is wrong with the Docker engine: whether it answers, and where it runs other platforms than the host.

use super::super::draft::Draft;
use super::super::rule;
use super::{mend, readiness, state};
use crate::host::HostFacts;
use crate::host::engine::{EngineFacts, NoEngine, Proof};
use crate::host::readiness::{Failure, Probed, Readiness, State};
use crate::platform::{Architecture, Platform};
use crate::run::NotReady;
use mpcheck_reports::{Finding, Severity};

/// The next step where nothing better is known.
const LOOK: &str = "look at the engine's log: `journalctl -u docker`";

pub(super) fn findings(facts: &HostFacts, required: &[Platform]) -> Vec<Finding> {
    let mut findings = Vec::new();
    match &facts.engine {
        Ok(engine) => {
            findings.extend(failed(engine));
            for readiness in &facts.platforms {
                findings.extend(not_ready(facts, engine, readiness, required));
                findings.extend(only_there(facts, engine, readiness));
            }
        }
        Err(NoEngine::Silent(why)) => {
            let message = "something accepts connections where the Docker engine should be, and does not answer as one";
            findings.push(failure(message, why));
        }
        // One that nobody spoke of is a fact; one that was named is to be there.
        Err(NoEngine::Unreachable(why)) if facts.engine_named => {
            findings.push(failure("the Docker engine that was named (--host, DOCKER_HOST) cannot be reached", why));
        }
        Err(NoEngine::Unreachable(_)) => {}
    }
    // What is required has to run there too, and nothing is known of it.
    // A platform stands for its architecture here: whoever requires linux/arm/v6 requires what was tried as linux/arm.
    let is_required = |platform: &str| {
        let row = Platform::parse(platform).ok().and_then(|platform| platform.row());
        required.iter().any(|wanted| readiness(facts, wanted).map(|wanted| wanted.row) == row)
    };
    for finding in findings.iter_mut().filter(|finding| finding.rule == rule::ENGINE_FAILED.name) {
        if finding.platform.as_deref().map_or(!required.is_empty(), is_required) {
            finding.severity = Severity::Error;
        }
    }
    findings
}

/// Whether the architecture's programs were seen to run in the engine.
pub(super) fn runs(facts: &HostFacts, row: &Architecture) -> bool {
    let engine = facts.engine.as_ref().ok();
    let in_engine = engine.and_then(|engine| engine.proved(row));
    in_engine.is_some_and(|in_engine| in_engine.probed.as_ref().is_ok_and(Probed::ran))
}

fn failure(message: &str, why: &NotReady) -> Finding {
    let hint = if why.hint.is_empty() { LOOK } else { &why.hint };
    // An error where something is required, see above.
    Draft::new(&rule::ENGINE_FAILED, message, hint).severity(Severity::Warning).observed(why.why.clone()).done()
}

fn failed(engine: &EngineFacts) -> Vec<Finding> {
    match &engine.proof {
        Proof::NotTried(_) => Vec::new(),
        Proof::Failed(why) => {
            vec![failure("the Docker engine answers, and no platform could be proved in a container of it", why)]
        }
        Proof::Proved(proved) => {
            let message = "the Docker engine could not be asked to run the probe of every platform";
            let one = |(row, why): (&Architecture, &NotReady)| Finding {
                platform: Some(row.platform().to_string()),
                ..failure(message, why)
            };
            let untried = proved.iter().filter_map(|tried| Some((tried.row, tried.probed.as_ref().err()?)));
            untried.map(one).collect()
        }
    }
}

/// The platforms as which an architecture is required, and itself where it is not.
fn required_as(facts: &HostFacts, of: &Readiness, required: &[Platform]) -> Vec<Platform> {
    let is_it = |platform: &&Platform| readiness(facts, platform).is_some_and(|found| found.row == of.row);
    required.iter().filter(is_it).cloned().collect()
}

fn not_ready(facts: &HostFacts, engine: &EngineFacts, readiness: &Readiness, required: &[Platform]) -> Vec<Finding> {
    let Some(Ok(Probed::Failed(why))) = engine.proved(readiness.row).map(|in_engine| &in_engine.probed) else {
        return Vec::new();
    };
    let here = engine.same_kernel == Some(true);
    let required = required_as(facts, readiness, required);
    let on_host = match state(facts, readiness) {
        State::Native | State::Emulated(_) => true,
        // The host's own findings say what is wrong with the kernel that both have.
        State::Broken(_) | State::Nothing | State::Unknown(_) if here => return Vec::new(),
        _ => false,
    };
    if !on_host && required.is_empty() {
        return Vec::new();
    }
    let (severity, platforms) = match required.is_empty() {
        true => (Severity::Warning, vec![readiness.platform()]),
        false => (Severity::Error, required),
    };
    let message = match on_host {
        true => "the platform runs on this host and not in containers of the Docker engine",
        false => "the platform is required, and does not run in containers of the Docker engine",
    };
    let hint = hint(facts, engine, readiness, here);
    let cause = cause(engine, why, here);
    let finding = |platform: Platform| {
        let draft = Draft::new(&rule::ENGINE_NOT_READY, message, hint.clone()).severity(severity).named(&platform);
        draft.observed(format!("in {}, the probe {why}", name(engine))).cause(cause.clone()).done()
    };
    platforms.into_iter().map(finding).collect()
}

fn name(engine: &EngineFacts) -> String {
    format!("the engine at {}", engine.address)
}

fn cause(engine: &EngineFacts, why: &Failure, here: bool) -> Option<String> {
    let kernel = match engine.same_kernel {
        Some(true) => "the engine's kernel is this host's",
        Some(false) => "the engine has another kernel than this host, and handlers of its own",
        None => "the engine's kernel may be another machine's, with handlers of its own",
    };
    let what = match why {
        Failure::ExecFormat if here => "and the engine's containers do not get its handlers",
        Failure::ExecFormat => "none of them for this platform",
        Failure::NotFound => {
            "whose emulator is not there in containers: its handler lacks the flag F, or it is not static"
        }
        Failure::Otherwise(_) => return Some(kernel.to_owned()),
    };
    Some(format!("{kernel}, {what}"))
}

fn hint(facts: &HostFacts, engine: &EngineFacts, readiness: &Readiness, here: bool) -> String {
    let handlers = facts.live_handlers_of(readiness.row);
    match handlers.first().filter(|_| here) {
        Some(handler) => mend::replace(handler, readiness.row),
        None => mend::install_in_engine(&engine.address, readiness.row),
    }
}

fn only_there(facts: &HostFacts, engine: &EngineFacts, readiness: &Readiness) -> Option<Finding> {
    let tries = facts.again.iter().flatten().filter(|again| again.row == readiness.row);
    let ran_once = tries.chain([readiness]).any(|tried| !matches!(tried.direct, Ok(Probed::Failed(_))));
    if ran_once || !runs(facts, readiness.row) {
        return None;
    }
    let by = facts.emulated_in_engine_by(readiness.row).unwrap_or_else(|| "its own processor".to_owned());
    let message = "containers of the Docker engine run the platform, and this host's own programs do not: its kernel is \
                   another, or has other handlers";
    let hint =
        format!("for containers nothing has to be done; for programs of this host {}", mend::install(readiness.row));
    let draft = Draft::new(&rule::ONLY_IN_ENGINE, message, hint).named(&readiness.platform());
    Some(draft.observed(format!("in {}, under {by}", name(engine))).done())
}
