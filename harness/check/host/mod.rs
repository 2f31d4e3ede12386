//! The group `host`: from what is known of a host to findings, and to its part of the report.
//!
//! | file | what |
//! |---|---|
//! | `handlers.rs` | what is wrong with handlers and their emulators |
//! | `surroundings.rs` | what is wrong around them: binfmt_misc itself, the sandbox, pages |
//! | `engine.rs` | what is wrong with the Docker engine: what it runs, and how it differs from the host |
//! | `building.rs` | what is wrong with BuildKit, buildx and its builders |
//! | `known.rs` | emulators with a bad name |
//! | `mend.rs` | the commands that mend |
//! | `change.rs` | what is not as it was in an earlier report |
//! | `machine.rs` | the host's part of the report |

mod building;
mod change;
mod engine;
mod handlers;
#[cfg(test)]
mod healthy;
mod known;
mod machine;
mod mend;
mod surroundings;
#[cfg(test)]
mod tests;

use super::draft::Draft;
use super::rule;
use crate::host::HostFacts;
use crate::host::readiness::{Readiness, State};
use crate::platform::Platform;
use mpcheck_reports::{Finding, Machine, Report, Tries};

/// A host, checked.
#[derive(Debug)]
pub struct CheckedHost {
    /// The host's part of the report.
    pub machine: Machine,
    /// Its findings.
    pub findings: Vec<Finding>,
}

/// Checks what is known of a host. Only the platforms in `required` can fail it. `earlier` is a report to compare with.
#[must_use]
pub fn host(facts: &HostFacts, required: &[Platform], earlier: Option<&Report>) -> CheckedHost {
    let mut findings = handlers::findings(facts);
    findings.extend(surroundings::findings(facts));
    findings.extend(engine::findings(facts, required));
    findings.extend(building::findings(facts));
    for platform in required {
        findings.extend(not_ready(facts, platform));
    }
    let mut machine = machine::machine(facts, required);
    findings.extend(earlier.into_iter().flat_map(|earlier| change::compare(earlier, &mut machine)));
    CheckedHost { machine, findings }
}

/// What was proved for a platform; `None` for those that mpcheck has no probe for.
///
/// What is proved is the architecture: a variant's instructions are not tried.
fn readiness<'f>(facts: &'f HostFacts, platform: &Platform) -> Option<&'f Readiness> {
    let row = platform.row().filter(|_| platform.os() == "linux")?;
    facts.platforms.iter().find(|readiness| readiness.row == row)
}

/// What was proved, all tries together: what does not run every time is broken.
fn state(facts: &HostFacts, readiness: &Readiness) -> State {
    let state = once(facts, readiness);
    match tries(facts, readiness) {
        Some(tries) if tries.ran > 0 && tries.ran < tries.of => {
            State::Broken(format!("it runs at one time and not at another: {} of {} tries", tries.ran, tries.of))
        }
        _ => state,
    }
}

fn once(facts: &HostFacts, readiness: &Readiness) -> State {
    readiness.state(&facts.live_handlers_of(readiness.row))
}

/// How often a platform ran; `None` where it was tried once.
fn tries(facts: &HostFacts, readiness: &Readiness) -> Option<Tries> {
    let same = |other: &&Readiness| other.row == readiness.row;
    let others = facts.again.iter().filter_map(|again| again.iter().find(same));
    let all: Vec<&Readiness> = std::iter::once(readiness).chain(others).collect();
    let ran = all.iter().filter(|readiness| once(facts, readiness).is_ready()).count();
    (all.len() > 1).then_some(Tries { ran: ran as u64, of: all.len() as u64 })
}

fn not_ready(facts: &HostFacts, platform: &Platform) -> Option<Finding> {
    let readiness = readiness(facts, platform)?;
    let why = match state(facts, readiness) {
        State::Broken(why) => why,
        State::Nothing => "nothing runs its programs".to_owned(),
        // What could not be tried is undecided, and no finding.
        State::Native | State::Emulated(_) | State::Unknown(_) => return None,
    };
    let mut hint = mend::install(readiness.row);
    if readiness.sandbox.is_ok() {
        hint.push_str("; `mpcheck IMAGE --run sandbox` runs it without any of that");
    }
    if engine::runs(facts, readiness.row) {
        hint.push_str("; containers of the Docker engine do run it");
    }
    let message = format!("{platform} is required, and its programs do not run on this host");
    Some(Draft::new(&rule::NOT_READY, message, hint).named(platform).observed(why).done())
}
