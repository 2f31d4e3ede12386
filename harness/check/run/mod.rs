//! The group `run`: what came of starting commands of the image.
//!
//! A [`Runner`](crate::run::Runner) says what happened; here is decided what it means. What the runner could not do, and
//! what an emulator did wrong, says nothing about the image and makes no error.

mod attempt;
mod judge;
pub(crate) mod output;

pub use attempt::{Attempt, Expectation, Smoke, SmokeKind, Wish, attempt};

use super::outcome::State;
use crate::image::PlatformFacts;
use crate::image::rootfs::RootFs;
use crate::run::{NotReady, Ran};
use mpcheck_reports::{Finding, RunHow, RunSummary, Status};

/// What came of running one platform.
pub(super) struct Outcome {
    pub(super) findings: Vec<Finding>,
    /// The state of the check where no finding says otherwise.
    pub(super) state: State,
    pub(super) summary: Option<RunSummary>,
}

/// What came of one command, or of the platform itself.
#[derive(Debug, Clone)]
pub struct CommandOutcome {
    /// What it found.
    pub findings: Vec<Finding>,
    /// What can be said where no finding says otherwise.
    pub status: Status,
    /// Why, where that is not [`Status::Passed`].
    pub reason: Option<String>,
}

impl CommandOutcome {
    fn new(findings: Vec<Finding>, (status, reason): State) -> Self {
        Self { findings, status, reason }
    }
}

/// What came of running one platform, command by command.
#[derive(Debug, Clone)]
pub struct EachOutcome {
    /// Whether the platform runs, and says the right machine.
    pub machine: CommandOutcome,
    /// The commands that were asked for, in their order.
    pub commands: Vec<CommandOutcome>,
    /// How it was run; `None` where it was not.
    pub summary: Option<RunSummary>,
}

/// Judges an attempt at running `asked` commands, each apart. `required` is by what it had to be run, where it had to:
/// what could not be run is an error then, not skipped.
#[must_use]
pub fn each(
    platform: &PlatformFacts,
    rootfs: Option<&RootFs<'_>>,
    attempt: &Attempt,
    asked: usize,
    required: Option<&str>,
) -> EachOutcome {
    let not_run = |why: String| match required {
        Some(by) => (Status::Error, Some(format!("this platform had to be run ({by}) and could not be: {why}"))),
        None => (Status::Skipped, Some(why)),
    };
    let all = |state: State| EachOutcome {
        machine: CommandOutcome::new(Vec::new(), state.clone()),
        commands: vec![CommandOutcome::new(Vec::new(), state); asked],
        summary: None,
    };
    let (runner, why, ran, smokes, cpu) = match attempt {
        Attempt::Skipped(why) => return all((Status::Skipped, Some(why.clone()))),
        Attempt::NotRun(not_ready) => return all(not_run(whole(not_ready))),
        Attempt::Ran { runner, why, ran, smokes, cpu } => (*runner, why, ran, smokes, *cpu),
    };
    let judged = judge::judge(platform, rootfs, ran, smokes, cpu);
    let part =
        |part: judge::Part| CommandOutcome::new(part.findings, part.undecided.map_or((Status::Passed, None), not_run));
    let mut commands: Vec<CommandOutcome> = judged.asked.into_iter().map(part).collect();
    // It began, so the image may be what ended it.
    let broken = ran.interrupted.as_ref().map(told_interrupted);
    let missed = (Status::Error, broken.or(Some("it was not started".to_owned())));
    commands.resize(asked.max(commands.len()), CommandOutcome::new(Vec::new(), missed.clone()));
    let mut machine = part(judged.platform);
    if smokes.iter().skip(ran.ended.len()).any(|smoke| smoke.kind == SmokeKind::Machine) {
        (machine.status, machine.reason) = missed;
    }
    let summary = RunSummary {
        runner: runner.to_owned(),
        how: if ran.emulator.is_some() { RunHow::Emulated } else { RunHow::Native },
        emulator: ran.emulator.clone(),
        machine: Some(judged.machine),
        reason: Some(why.clone()).filter(|why| !why.is_empty()),
    };
    EachOutcome { machine, commands, summary: Some(summary) }
}

fn whole(not_ready: &NotReady) -> String {
    match not_ready.hint.as_str() {
        "" => not_ready.why.clone(),
        hint => format!("{}; {hint}", not_ready.why),
    }
}

/// Judges an attempt as a whole.
pub(super) fn outcome(
    platform: &PlatformFacts,
    rootfs: Option<&RootFs<'_>>,
    attempt: &Attempt,
    required: bool,
) -> Outcome {
    let asked = match attempt {
        Attempt::Ran { smokes, .. } => smokes.iter().filter(|smoke| smoke.kind == SmokeKind::Asked).count(),
        Attempt::Skipped(_) | Attempt::NotRun(_) => 0,
    };
    let each = each(platform, rootfs, attempt, asked, required.then_some("--require-run"));
    let mut state = (Status::Passed, None);
    let mut findings = Vec::new();
    for outcome in std::iter::once(each.machine).chain(each.commands) {
        findings.extend(outcome.findings);
        // What was not started weighs more than what could not be told.
        if state.0 == Status::Passed || state.0 == Status::Skipped && outcome.status == Status::Error {
            state = (outcome.status, outcome.reason);
        }
    }
    if let Attempt::Ran { ran: Ran { interrupted: Some(broken), .. }, .. } = attempt {
        state = (Status::Error, Some(told_interrupted(broken)));
    }
    Outcome { findings, state, summary: each.summary }
}

fn told_interrupted(broken: &NotReady) -> String {
    format!("not all commands could be run: {}", whole(broken))
}
