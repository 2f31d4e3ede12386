//! Running the commands of an image's trials: as few containers as what they ask for allows.

use super::super::case::{Case, Kind};
use super::super::plan::CommandPlan;
use super::Outcome;
use super::image::Work;
use crate::check::policy;
use crate::check::run::{Attempt, CommandOutcome, Smoke, SmokeKind, Wish, attempt, each};
use crate::image::PlatformFacts;
use crate::image::parallel::in_parallel;
use crate::image::rootfs::RootFs;
use crate::image::source::Source;
use crate::run::choose::How;
use crate::run::{Command, Ended, Freedom, NotReady};
use mpcheck_reports::Status;
use std::collections::BTreeMap;

/// How much of a failing command's output is shown, of each stream, in bytes.
const SHOWN_BYTES: usize = 16 << 10;

/// Commands that one container can run: of one user, with one freedom.
struct Batch<'a> {
    /// The platform, by its place in the plan.
    place: usize,
    user: Option<&'a str>,
    freedom: Freedom,
    /// Whether the platform's machine is asked as well.
    machine: bool,
    /// The cases, and the command of each.
    members: Vec<(usize, &'a CommandPlan)>,
}

/// What came of a batch.
pub(super) struct Ran {
    pub(super) place: usize,
    pub(super) attempt: Attempt,
    /// The case that asks for the machine, where this batch has it.
    machine: Option<usize>,
    /// The cases of the commands, in their order.
    members: Vec<usize>,
}

/// Runs everything that the cases ask for, several platforms at a time.
pub(super) fn run(work: &Work<'_>, platforms: &[(usize, &PlatformFacts)], source: &dyn Source) -> Vec<Ran> {
    let batches: Vec<(Batch<'_>, &PlatformFacts)> = platforms
        .iter()
        .flat_map(|(place, platform)| batches(work, *place).into_iter().map(move |batch| (batch, *platform)))
        .collect();
    let plan = work.plan;
    in_parallel(&batches, work.session.reader.jobs, |(batch, platform)| {
        let how = plan.run.how;
        let attempt = if how == How::Never {
            Attempt::NotRun(NotReady::new("the suite says that nothing is run (run.with: never)", ""))
        } else {
            let runners = work.session.runners().runners(how, plan.run.cpu, &batch.freedom);
            let wish = Wish {
                machine: batch.machine,
                commands: batch.members.iter().map(|(_, command)| smoke(command)).collect(),
                timeout: plan.run.timeout,
                limits: plan.run.limits,
                user: batch.user.map(str::to_owned),
                ..Wish::default()
            };
            attempt(&runners, &wish, platform, source, &plan.location)
        };
        let is_machine = |(_, case): &&(usize, &Case)| case.kind == Kind::Machine && is_on(case, batch.place);
        Ran {
            place: batch.place,
            attempt,
            machine: work.cases.iter().find(is_machine).filter(|_| batch.machine).map(|(at, _)| *at),
            members: batch.members.iter().map(|(at, _)| *at).collect(),
        }
    })
}

fn is_on(case: &Case, place: usize) -> bool {
    matches!(case.subject, super::Subject::Platform(_, platform) if platform == place)
}

fn batches<'a>(work: &Work<'a>, place: usize) -> Vec<Batch<'a>> {
    let mut batches: Vec<Batch<'a>> = Vec::new();
    for (at, case) in work.cases.iter().filter(|(_, case)| is_on(case, place)) {
        match case.kind {
            Kind::Machine => batch_for(&mut batches, place, None, Freedom::default()).machine = true,
            Kind::Command(command) => {
                let Some(command) = work.plan.run.commands.get(command) else { continue };
                let batch = batch_for(&mut batches, place, command.user.as_deref(), freedom(command));
                batch.members.push((*at, command));
            }
            _ => {}
        }
    }
    batches
}

/// What a command asks for beyond what each may.
pub(super) fn freedom(plan: &CommandPlan) -> Freedom {
    Freedom { writable: plan.writable, network: plan.network, ..Freedom::default() }
}

fn batch_for<'b, 'a>(
    batches: &'b mut Vec<Batch<'a>>,
    place: usize,
    user: Option<&'a str>,
    freedom: Freedom,
) -> &'b mut Batch<'a> {
    let found = batches.iter().position(|batch| batch.user == user && batch.freedom == freedom);
    let at = found.unwrap_or_else(|| {
        batches.push(Batch { place, user, freedom, machine: false, members: Vec::new() });
        batches.len() - 1
    });
    #[expect(clippy::indexing_slicing, reason = "it was found there, or has just been pushed")]
    &mut batches[at]
}

fn smoke(plan: &CommandPlan) -> Smoke {
    let command = Command {
        environment: plan.environment.clone(),
        // What one wrote is not there for the next.
        fresh: plan.writable,
        ..Command::new(plan.words.clone(), plan.timeout)
    };
    Smoke { command, expect: plan.expect.clone(), kind: SmokeKind::Asked }
}

impl Ran {
    /// How many commands were asked for.
    pub(super) fn asked(&self) -> usize {
        self.members.len()
    }

    /// Judges each command of the batch.
    pub(super) fn judge(
        &self,
        work: &Work<'_>,
        platform: &PlatformFacts,
        rootfs: Option<&RootFs<'_>>,
        outcomes: &mut BTreeMap<usize, Outcome>,
    ) {
        let required = work.plan.run.required.then_some("run.required");
        let each = each(platform, rootfs, &self.attempt, self.asked(), required);
        let outcome = |part: CommandOutcome, wrote: Option<&Ended>| {
            let mut findings = part.findings;
            policy::apply(&work.plan.policy.severities, &mut findings);
            let mut outcome = Outcome::of(findings, (part.status, part.reason), work.plan.fail_on);
            if let Some(ended) = wrote {
                outcome.took = ended.took;
                outcome.wrote = Some(ended).filter(|_| outcome.status == Status::Failed).and_then(wrote_by);
            }
            outcome
        };
        // A batch without the machine's case may still tell that its platform is another.
        let machine = outcome(each.machine, None);
        if let Some(at) = self.machine {
            outcomes.insert(at, machine.clone());
        }
        let ended: Vec<&Ended> = match &self.attempt {
            Attempt::Ran { ran, smokes, .. } => {
                let asked = smokes.iter().zip(&ran.ended).filter(|(smoke, _)| smoke.kind == SmokeKind::Asked);
                asked.map(|(_, ended)| ended).collect()
            }
            Attempt::Skipped(_) | Attempt::NotRun(_) => Vec::new(),
        };
        for (place, (at, part)) in self.members.iter().zip(each.commands).enumerate() {
            let mut of_command = outcome(part, ended.get(place).copied());
            // On another machine than the platform's, what it did says nothing.
            if machine.status == Status::Failed && of_command.status == Status::Passed {
                (of_command.status, of_command.reason) = (Status::Failed, machine.reason.clone());
                of_command.findings.extend(machine.findings.iter().cloned());
            }
            outcomes.insert(*at, of_command);
        }
    }
}

/// What a command wrote, as far as it is shown: the end of it, control characters escaped.
fn wrote_by(ended: &Ended) -> Option<String> {
    let streams = [("standard output", &ended.stdout), ("standard error", &ended.stderr)];
    let shown = streams.into_iter().filter(|(_, output)| output.total > 0).map(|(name, output)| {
        let text = String::from_utf8_lossy(&output.bytes);
        let mut from = text.len().saturating_sub(SHOWN_BYTES);
        while !text.is_char_boundary(from) {
            from += 1;
        }
        let lines: Vec<String> =
            text.get(from..).unwrap_or_default().lines().map(|line| format!("  {}", line.escape_debug())).collect();
        let cut = if from > 0 { ", its end" } else { "" };
        format!("{name}{cut}:\n{}", lines.join("\n"))
    });
    let shown: Vec<String> = shown.collect();
    (!shown.is_empty()).then(|| shown.join("\n"))
}
