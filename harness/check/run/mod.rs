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
use crate::run::NotReady;
use mpcheck_reports::{Finding, RunHow, RunSummary, Status};

/// What came of running one platform.
pub(super) struct Outcome {
    pub(super) findings: Vec<Finding>,
    /// The state of the check where no finding says otherwise.
    pub(super) state: State,
    pub(super) summary: Option<RunSummary>,
}

/// Judges an attempt. `required`: what could not be run is an error then, not skipped.
pub(super) fn outcome(
    platform: &PlatformFacts,
    rootfs: Option<&RootFs<'_>>,
    attempt: &Attempt,
    required: bool,
) -> Outcome {
    let not_run = |why: String| {
        if required {
            (Status::Error, Some(format!("this platform had to be run (--require-run) and could not be: {why}")))
        } else {
            (Status::Skipped, Some(why))
        }
    };
    let whole = |not_ready: &NotReady| match not_ready.hint.as_str() {
        "" => not_ready.why.clone(),
        hint => format!("{}; {hint}", not_ready.why),
    };
    match attempt {
        Attempt::Skipped(why) => {
            Outcome { findings: Vec::new(), state: (Status::Skipped, Some(why.clone())), summary: None }
        }
        Attempt::NotRun(not_ready) => Outcome { findings: Vec::new(), state: not_run(whole(not_ready)), summary: None },
        Attempt::Ran { runner, why, ran, smokes, cpu } => {
            let judged = judge::judge(platform, rootfs, ran, smokes, *cpu);
            let summary = RunSummary {
                runner: (*runner).to_owned(),
                how: if ran.emulator.is_some() { RunHow::Emulated } else { RunHow::Native },
                emulator: ran.emulator.clone(),
                machine: Some(judged.machine),
                reason: Some(why.clone()).filter(|why| !why.is_empty()),
            };
            let state = match &ran.interrupted {
                // It began, so the image may be what ended it.
                Some(broken) => (Status::Error, Some(format!("not all commands could be run: {}", whole(broken)))),
                None => judged.undecided.map_or((Status::Passed, None), not_run),
            };
            Outcome { findings: judged.findings, state, summary: Some(summary) }
        }
    }
}
