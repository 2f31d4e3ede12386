//! What became of each step, as rows of the report and as findings.

use crate::build::fault::{Cause, Doing, Fault};
use crate::build::{Outcome, Step, Wrong};
use crate::check::draft::Draft;
use crate::check::rule::{self, Rule};
use mpcheck_reports as reports;
use mpcheck_reports::{Finding, Status, StepCommand};
use std::time::Duration;

/// The part of a report that is about building.
#[derive(Debug, Default)]
pub struct Told {
    /// The steps.
    pub steps: Vec<reports::Step>,
    /// What did not work.
    pub findings: Vec<Finding>,
}

/// Tells of steps, and of what could not be removed after them.
#[must_use]
pub fn told(steps: &[Step], left: &[String]) -> Told {
    let mut findings: Vec<Finding> = steps.iter().filter_map(finding).collect();
    if !left.is_empty() {
        let message = format!("not everything could be removed: {}", left.join(", "));
        let hint = "remove it by hand; nothing else uses these names";
        findings.push(Draft::new(&rule::LEFT_BEHIND, message, hint).done());
    }
    Told { steps: steps.iter().map(row).collect(), findings }
}

fn row(step: &Step) -> reports::Step {
    let (status, reason, output) = match &step.outcome {
        Outcome::Passed(told) => (Status::Passed, told.clone(), None),
        Outcome::Skipped(why) => (Status::Skipped, Some(why.clone()), None),
        Outcome::Failed(fault) => (Status::Failed, Some(fault.told()), Some(fault.said.clone())),
        Outcome::Wrong(Wrong::Image(why) | Wrong::Differs(why)) => (Status::Failed, Some(why.clone()), None),
        Outcome::Undecided(why) => (Status::Error, Some(why.clone()), None),
    };
    let commands = step.commands.iter().map(|done| StepCommand {
        line: done.line.clone(),
        exit: done.exit(),
        duration_ms: milliseconds(done.took),
    });
    reports::Step {
        name: step.name.clone(),
        title: step.title.clone(),
        platform: step.platform.as_ref().map(ToString::to_string),
        status,
        reason,
        commands: commands.collect(),
        output: output.filter(|output| !output.is_empty()),
        log: step.log.as_ref().map(|path| path.display().to_string()),
        duration_ms: milliseconds(step.took),
    }
}

fn milliseconds(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

fn finding(step: &Step) -> Option<Finding> {
    match &step.outcome {
        Outcome::Failed(fault) => Some(of_fault(step, fault)),
        Outcome::Wrong(Wrong::Differs(why)) => {
            let hint =
                "build from the same files and bases for each way, without cache (--no-cache), and compare again";
            Some(Draft::new(&rule::DIFFERENT_RESULTS, why.clone(), hint).done())
        }
        // The image's own findings say it.
        Outcome::Wrong(Wrong::Image(_)) | Outcome::Passed(_) | Outcome::Skipped(_) | Outcome::Undecided(_) => None,
    }
}

fn of_fault(step: &Step, fault: &Fault) -> Finding {
    let (rule, hint) = rule_and_hint(fault);
    let on = fault.platform.as_ref().map(|platform| format!(" for {platform}")).unwrap_or_default();
    let mut draft = Draft::new(rule, format!("step `{}`{on}: {}", step.name, fault.told()), hint);
    if let Some(platform) = &fault.platform {
        draft = draft.named(platform);
    }
    if let Some(instruction) = &fault.instruction {
        draft = draft.instruction(instruction);
    }
    // The rest of what it said stands with the step.
    let telling = |line: &&str| line.starts_with("ERROR") || line.contains("unknown flag");
    match fault.said.lines().rfind(telling).or_else(|| fault.said.lines().last()) {
        Some(last) => draft.observed(last).done(),
        None => draft.done(),
    }
}

fn rule_and_hint(fault: &Fault) -> (&'static Rule, String) {
    let architecture = fault.platform.as_ref().map_or("ARCH", |platform| platform.architecture());
    match (&fault.cause, fault.doing) {
        (Cause::NoEmulator, _) => (
            &rule::NO_EMULATOR,
            format!(
                "as root: `mpcheck host install {architecture}`; a builder in a container or on another machine needs it \
                 there: `docker run --privileged --rm tonistiigi/binfmt --install {architecture}`"
            ),
        ),
        (Cause::TimedOut, _) => (
            &rule::BUILD_TIMEOUT,
            "look at the end of its log for what it waits for; where it is only slow, give it more: --step-timeout 30m".to_owned(),
        ),
        (Cause::NoBase | Cause::BaseLacksPlatform, _) => (
            &rule::BASE_MISSING,
            "see which platforms it has: `docker buildx imagetools inspect BASE`; take another base or tag, or leave the \
             platform out"
                .to_owned(),
        ),
        (Cause::WrongMachine, _) | (Cause::Other, Doing::Run) => (
            &rule::WRONG_RESULT,
            "`mpcheck host` says what runs this platform here; then repeat the step's commands by hand".to_owned(),
        ),
        (Cause::NoBuilder, _) | (Cause::Other, Doing::Builder) => (
            &rule::BUILDER_FAILED,
            "`docker buildx ls` lists all builders with what is wrong with them; `docker logs buildx_buildkit_NAME0` is \
             the builder's own log"
                .to_owned(),
        ),
        (Cause::IsList, _) => (
            &rule::MANIFEST_LIST,
            "push with --provenance=false --sbom=false, or join them with `docker buildx imagetools create`".to_owned(),
        ),
        (Cause::Refused, _) => (
            &rule::PUSH_FAILED,
            "`docker login HOST` as somebody who may push there; a registry may also want the repository to be made first"
                .to_owned(),
        ),
        (Cause::Unreachable, _) => (
            &rule::PUSH_FAILED,
            "`curl -v https://HOST/v2/` from here; an engine or a builder in a container has another loopback and other \
             names than this machine"
                .to_owned(),
        ),
        (Cause::PlainHttp, _) => (
            &rule::PUSH_FAILED,
            "add HOST to insecure-registries in daemon.json, or give the registry a certificate; `docker manifest` needs \
             --insecure"
                .to_owned(),
        ),
        (Cause::Other, Doing::Push) => {
            (&rule::PUSH_FAILED, "the step's log has all that was said, and the registry's log its side".to_owned())
        }
        (Cause::Other, Doing::Build) => (
            &rule::BUILD_FAILED,
            "repeat the step's command by hand; its log has all that the build said".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Platform;
    use mpcheck_reports::Severity;
    use rstest::rstest;

    fn step(outcome: Outcome) -> Step {
        Step {
            name: "emulated/arm64".to_owned(),
            title: "Build".to_owned(),
            platform: None,
            outcome,
            commands: Vec::new(),
            log: None,
            took: Duration::from_millis(1500),
        }
    }

    fn fault(doing: Doing, cause: Cause) -> Outcome {
        Outcome::Failed(Box::new(Fault {
            doing,
            cause,
            platform: Platform::parse("linux/arm64").ok(),
            line: "docker build .".to_owned(),
            ended: "exit code 1".to_owned(),
            instruction: Some("Dockerfile:3: RUN make".to_owned()),
            said: "first\nlast".to_owned(),
        }))
    }

    #[rstest]
    #[case(Doing::Build, Cause::Other, "build/failed", "log")]
    #[case(Doing::Build, Cause::NoEmulator, "build/no-emulator", "mpcheck host install arm64")]
    #[case(Doing::Run, Cause::NoEmulator, "build/no-emulator", "mpcheck host install arm64")]
    #[case(Doing::Build, Cause::TimedOut, "build/timeout", "--step-timeout")]
    #[case(Doing::Push, Cause::TimedOut, "build/timeout", "--step-timeout")]
    #[case(Doing::Build, Cause::NoBase, "build/base-missing", "imagetools inspect")]
    #[case(Doing::Build, Cause::BaseLacksPlatform, "build/base-missing", "imagetools inspect")]
    #[case(Doing::Run, Cause::WrongMachine, "build/wrong-result", "mpcheck host")]
    #[case(Doing::Run, Cause::Other, "build/wrong-result", "mpcheck host")]
    #[case(Doing::Build, Cause::NoBuilder, "build/builder-failed", "docker buildx ls")]
    #[case(Doing::Builder, Cause::Other, "build/builder-failed", "docker buildx ls")]
    #[case(Doing::Push, Cause::IsList, "build/manifest-list", "--provenance=false")]
    #[case(Doing::Push, Cause::Refused, "build/push-failed", "docker login")]
    #[case(Doing::Push, Cause::Unreachable, "build/push-failed", "curl -v")]
    #[case(Doing::Push, Cause::PlainHttp, "build/push-failed", "insecure-registries")]
    #[case(Doing::Push, Cause::Other, "build/push-failed", "log")]
    fn a_fault_has_its_rule_and_its_next_step(
        #[case] doing: Doing,
        #[case] cause: Cause,
        #[case] rule: &str,
        #[case] hint: &str,
    ) {
        let told = told(&[step(fault(doing, cause))], &[]);
        let [finding] = &told.findings[..] else { panic!("{told:?}") };
        assert_eq!((finding.rule.as_str(), finding.severity), (rule, Severity::Error));
        assert!(finding.hint.contains(hint) && finding.message.contains("step `emulated/arm64`"), "{finding:?}");
        assert_eq!(finding.platform.as_deref(), Some("linux/arm64"));
        assert_eq!(finding.instruction.as_deref(), Some("Dockerfile:3: RUN make"));
        assert_eq!(finding.observed.as_deref(), Some("last"));
        let [row] = &told.steps[..] else { panic!("{told:?}") };
        assert_eq!((row.status, row.output.as_deref(), row.duration_ms), (Status::Failed, Some("first\nlast"), 1500));
    }

    #[test]
    fn what_differs_and_what_is_left_are_findings() {
        let told =
            told(&[step(Outcome::Wrong(Wrong::Differs("a and b".to_owned())))], &["docker image rm x".to_owned()]);
        let rules: Vec<&str> = told.findings.iter().map(|finding| finding.rule.as_str()).collect();
        assert_eq!(rules, ["build/different-results", "build/left-behind"]);
        assert!(told.findings[1].message.contains("docker image rm x"), "{told:?}");
    }

    #[rstest]
    #[case(Outcome::Passed(None), Status::Passed)]
    #[case(Outcome::Skipped("why".to_owned()), Status::Skipped)]
    #[case(Outcome::Undecided("why".to_owned()), Status::Error)]
    // The image's own findings say what is wrong with it.
    #[case(Outcome::Wrong(Wrong::Image("why".to_owned())), Status::Failed)]
    fn other_outcomes_are_no_findings(#[case] outcome: Outcome, #[case] status: Status) {
        let told = told(&[step(outcome)], &[]);
        assert_eq!((told.findings.len(), told.steps[0].status), (0, status));
    }
}
