//! The trials of a host.

use super::super::case::{Case, Kind};
use super::super::plan::{HostPlan, Suite};
use super::{Outcome, Results, Session};
use crate::check::host::{CheckedHost, host};
use crate::check::policy;
use crate::host::{Repeat, gather};
use crate::platform::Platform;
use crate::run::set;
use mpcheck_reports::{Finding, HostPlatform, Machine, Status};
use std::time::{Duration, Instant};

/// Looks at the host once, for all of its trials.
pub(super) fn results(session: &Session, suite: &Suite, cases: &[(usize, &Case)]) -> Results {
    let Some(plan) = &suite.host else { return Results::default() };
    let begun = Instant::now();
    let CheckedHost { machine, mut findings } = checked(session, plan);
    let told: Vec<String> = findings.iter().filter_map(|finding| finding.platform.clone()).collect();
    policy::apply(&plan.severities, &mut findings);
    let mut results = Results::default();
    for (at, case) in cases {
        let outcome = match case.kind {
            Kind::Ready(place) => {
                plan.require.get(place).map(|platform| ready(plan, platform, &machine, &findings, &told))
            }
            _ => Some(health(plan, &findings)),
        };
        results.outcomes.extend(outcome.map(|outcome| (*at, outcome)));
    }
    if let Some(first) = results.outcomes.values_mut().next() {
        first.took = begun.elapsed();
    }
    results.host = Some(machine);
    results
}

fn checked(session: &Session, plan: &HostPlan) -> CheckedHost {
    let mut temporary = None;
    let sandbox = set::sandbox(session.reader.cache.as_ref(), false, &mut temporary);
    let variable = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    let once = Repeat { times: 1, interval: Duration::ZERO };
    let facts = gather(sandbox.as_ref(), &session.reader.sources.for_engine(), once, &variable);
    host(&facts, &plan.require, None)
}

/// Whether a required platform runs. `told` are the platforms of all findings, whatever was decided of these.
fn ready(plan: &HostPlan, platform: &Platform, machine: &Machine, findings: &[Finding], told: &[String]) -> Outcome {
    let name = platform.to_string();
    let own = findings.iter().filter(|finding| finding.platform.as_ref() == Some(&name)).cloned().collect();
    let row = machine.platforms.iter().find(|row| row.platform == name);
    let state = match row.map(HostPlatform::outcome) {
        Some(Status::Passed) => (Status::Passed, None),
        // By the findings, whose severities may be the suite's own; without one it stays what it is.
        Some(Status::Failed) if told.contains(&name) => (Status::Passed, None),
        Some(status) => (status, row.and_then(|row| row.reason.clone())),
        None => (Status::Error, Some(format!("mpcheck has no probe for {platform}"))),
    };
    Outcome::of(own, state, plan.fail_on)
}

/// What is wrong with the host beside its required platforms.
fn health(plan: &HostPlan, findings: &[Finding]) -> Outcome {
    let required: Vec<String> = plan.require.iter().map(ToString::to_string).collect();
    let others = findings.iter().filter(|finding| !finding.platform.as_ref().is_some_and(|of| required.contains(of)));
    Outcome::of(others.cloned().collect(), (Status::Passed, None), plan.fail_on)
}
