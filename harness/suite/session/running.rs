//! Running the commands of an image's trials: as few containers as what they ask for allows.

use super::super::case::{Case, Kind};
use super::super::plan::{CommandPlan, ImagePlan};
use super::super::structure::{self, CommandTest, Test};
use super::image::{Work, finding};
use super::{Outcome, Subject};
use crate::check::run::output::escaped;
use crate::check::run::{Attempt, CommandOutcome, Expectation, Smoke, SmokeKind, Wish, attempt, each};
use crate::check::{policy, rule};
use crate::image::PlatformFacts;
use crate::image::document::Config;
use crate::image::parallel::in_parallel;
use crate::image::rootfs::RootFs;
use crate::image::source::Source;
use crate::run::choose::How;
use crate::run::{Command, Ended, Freedom, NotReady};
use mpcheck_reports::{Finding, Status};
use std::collections::BTreeMap;
use std::ops::Range;

/// How much of a failing command's output is shown, of each stream, in bytes.
const SHOWN_BYTES: usize = 16 << 10;

/// Commands that one container can run: of one user, with one freedom.
struct Batch<'a> {
    /// The platform, by its place in the plan.
    place: usize,
    user: Option<String>,
    freedom: Freedom,
    /// Whether the platform's machine is asked as well.
    machine: bool,
    smokes: Vec<Smoke>,
    members: Vec<Member<'a>>,
}

/// The commands of one case in a batch.
struct Member<'a> {
    case: usize,
    /// The test of a structure file, where the case is one.
    test: Option<&'a CommandTest>,
    /// Its commands among those of the batch: a test's setup comes before it.
    commands: Range<usize>,
}

/// What came of a batch.
pub(super) struct Ran<'a> {
    pub(super) place: usize,
    pub(super) attempt: Attempt,
    /// The case that asks for the machine, where this batch has it.
    machine: Option<usize>,
    members: Vec<Member<'a>>,
    asked: usize,
}

/// Runs everything that the cases ask for, several platforms at a time.
pub(super) fn run<'a>(work: &Work<'a>, platforms: &[(usize, &PlatformFacts)], source: &dyn Source) -> Vec<Ran<'a>> {
    let batches: Vec<(Batch<'a>, &PlatformFacts)> = platforms
        .iter()
        .flat_map(|(place, platform)| {
            batches(work, *place, platform.config.as_ref().ok()).into_iter().map(move |batch| (batch, *platform))
        })
        .collect();
    let attempts = in_parallel(&batches, work.session.reader.jobs, |(batch, platform)| {
        let plan = work.plan;
        let runners = work.session.runners().runners(plan.run.how, plan.run.cpu, &batch.freedom);
        let wish = Wish {
            machine: batch.machine,
            commands: batch.smokes.clone(),
            timeout: plan.run.timeout,
            limits: plan.run.limits,
            user: batch.user.clone(),
            ..Wish::default()
        };
        match plan.run.how {
            How::Never => Attempt::NotRun(NotReady::new(
                "running was not asked for (`with: never` in the suite, or --run never)",
                "",
            )),
            _ => attempt(&runners, &wish, platform, source, &plan.location),
        }
    });
    let ran = batches.into_iter().zip(attempts).map(|((batch, _), attempt)| {
        let is_machine = |(_, case): &&(usize, &Case)| case.kind == Kind::Machine && is_on(case, batch.place);
        Ran {
            place: batch.place,
            attempt,
            machine: work.cases.iter().find(is_machine).filter(|_| batch.machine).map(|(at, _)| *at),
            members: batch.members,
            asked: batch.smokes.len(),
        }
    });
    ran.collect()
}

fn is_on(case: &Case, place: usize) -> bool {
    matches!(case.subject, Subject::Platform(_, platform) if platform == place)
}

fn batches<'a>(work: &Work<'a>, place: usize, config: Option<&Config>) -> Vec<Batch<'a>> {
    let mut batches: Vec<Batch<'a>> = Vec::new();
    let nothing = Config::default();
    for (at, case) in work.cases.iter().filter(|(_, case)| is_on(case, place)) {
        match case.kind {
            Kind::Machine => batch_for(&mut batches, place, None, Freedom::default()).machine = true,
            Kind::Command(command) => {
                let Some(command) = work.plan.run.commands.get(command) else { continue };
                let batch = batch_for(&mut batches, place, command.user.clone(), freedom(command));
                batch.add(*at, None, vec![smoke(command)]);
            }
            Kind::Structure(..) => {
                let Some(Test { kind: structure::Kind::Command(test), .. }) = work.session.test(case) else { continue };
                let started = test.plan(config.unwrap_or(&nothing));
                let freedom = freely(started.freedom, work.plan);
                let commands = started.setup.into_iter().chain([started.command]).enumerate();
                let smokes = commands.map(|(number, start)| {
                    let command = Command {
                        environment: start.environment,
                        fresh: number == 0,
                        ..Command::new(start.words, work.plan.run.timeout)
                    };
                    Smoke { command, expect: Expectation::default(), kind: SmokeKind::Asked }
                });
                batch_for(&mut batches, place, started.user, freedom).add(*at, Some(test), smokes.collect());
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

/// The same of a test of a structure file; `None` where it runs nothing.
pub(super) fn freedom_of_test(test: &Test, plan: &ImagePlan) -> Option<Freedom> {
    match &test.kind {
        structure::Kind::Command(test) => Some(freely(test.plan(&Config::default()).freedom, plan)),
        _ => None,
    }
}

fn freely(freedom: Freedom, plan: &ImagePlan) -> Freedom {
    Freedom { network: freedom.network || plan.run.network, ..freedom }
}

fn batch_for<'b, 'a>(
    batches: &'b mut Vec<Batch<'a>>,
    place: usize,
    user: Option<String>,
    freedom: Freedom,
) -> &'b mut Batch<'a> {
    let found = batches.iter().position(|batch| batch.user == user && batch.freedom == freedom);
    let at = found.unwrap_or_else(|| {
        batches.push(Batch { place, user, freedom, machine: false, smokes: Vec::new(), members: Vec::new() });
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

impl<'a> Batch<'a> {
    fn add(&mut self, case: usize, test: Option<&'a CommandTest>, smokes: Vec<Smoke>) {
        let from = self.smokes.len();
        self.smokes.extend(smokes);
        self.members.push(Member { case, test, commands: from..self.smokes.len() });
    }
}

impl Ran<'_> {
    /// How many commands were asked for.
    pub(super) fn asked(&self) -> usize {
        self.asked
    }

    /// Judges each case of the batch.
    pub(super) fn judge(
        &self,
        work: &Work<'_>,
        platform: &PlatformFacts,
        rootfs: Option<&RootFs<'_>>,
        outcomes: &mut BTreeMap<usize, Outcome>,
    ) {
        let required = work.plan.run.required.then_some("`required: true` in the suite, or --require-run");
        let each = each(platform, rootfs, &self.attempt, self.asked, required);
        let outcome = |part: CommandOutcome| {
            let mut findings = part.findings;
            policy::apply(&work.plan.policy.severities, &mut findings);
            Outcome::of(findings, (part.status, part.reason), work.plan.fail_on)
        };
        // A batch without the machine's case may still tell that its platform is another.
        let machine = outcome(each.machine);
        if let Some(at) = self.machine {
            outcomes.insert(at, machine.clone());
        }
        let (ended, emulated) = self.ended();
        for member in &self.members {
            let parts = each.commands.get(member.commands.clone()).unwrap_or_default();
            let ended: Vec<Ended> =
                ended.get(member.commands.clone()).unwrap_or_default().iter().map(|ended| (*ended).clone()).collect();
            let part = match member.test {
                None => parts.first().cloned(),
                Some(test) => of_test(test, parts, &ended, emulated, platform),
            };
            let Some(part) = part else { continue };
            let mut of_case = outcome(part);
            of_case.took = ended.iter().map(|ended| ended.took).sum();
            of_case.wrote = ended.last().filter(|_| of_case.status == Status::Failed).and_then(wrote_by);
            // On another machine than the platform's, what it did says nothing.
            if machine.status == Status::Failed && of_case.status == Status::Passed {
                (of_case.status, of_case.reason) = (Status::Failed, machine.reason.clone());
                of_case.findings.extend(machine.findings.iter().cloned());
            }
            outcomes.insert(member.case, of_case);
        }
    }

    /// How the commands ended that were asked for, and whether an emulator ran them.
    fn ended(&self) -> (Vec<&Ended>, bool) {
        match &self.attempt {
            Attempt::Ran { ran, smokes, .. } => {
                let asked = smokes.iter().zip(&ran.ended).filter(|(smoke, _)| smoke.kind == SmokeKind::Asked);
                (asked.map(|(_, ended)| ended).collect(), ran.emulator.is_some())
            }
            Attempt::Skipped(_) | Attempt::NotRun(_) => (Vec::new(), false),
        }
    }
}

/// What is said of a test of a structure file: its own judgement, unless a program of the host was started, or an
/// emulator or processor stood in the way.
fn of_test(
    test: &CommandTest,
    parts: &[CommandOutcome],
    ended: &[Ended],
    emulated: bool,
    platform: &PlatformFacts,
) -> Option<CommandOutcome> {
    let last = parts.last()?;
    if let Some(undecided) = parts.iter().find(|part| part.status != Status::Passed) {
        return Some(undecided.clone());
    }
    let leaks = parts.iter().flat_map(|part| &part.findings).filter(|found| found.rule == rule::NATIVE_LEAK.name);
    let mut findings: Vec<Finding> = leaks.cloned().collect();
    findings.extend(test.judge(ended, emulated).into_iter().map(|why| finding(platform, why)));
    Some(CommandOutcome { findings, status: last.status, reason: None })
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
            text.get(from..).unwrap_or_default().lines().map(|line| format!("  {}", escaped(line))).collect();
        let cut = if from > 0 { ", its end" } else { "" };
        format!("{name}{cut}:\n{}", lines.join("\n"))
    });
    let shown: Vec<String> = shown.collect();
    (!shown.is_empty()).then(|| shown.join("\n"))
}
