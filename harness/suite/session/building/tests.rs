use super::*;
use crate::check::policy::Level;
use crate::image::reference::Location;
use mpcheck_reports::{Severity, StepCommand};
use rstest::rstest;
use std::path::PathBuf;

const PASSED: Status = Status::Passed;
const FAILED: Status = Status::Failed;
const SKIPPED: Status = Status::Skipped;
const ERROR: Status = Status::Error;

fn step(name: &str, status: Status) -> reports::Step {
    reports::Step {
        name: name.to_owned(),
        title: "a step".to_owned(),
        platform: None,
        status,
        reason: (status != PASSED).then(|| format!("why {name}")),
        commands: vec![StepCommand { line: format!("docker {name}"), exit: Some(0), duration_ms: 1 }],
        output: None,
        log: None,
        duration_ms: 1,
    }
}

fn finding(platform: Option<&str>) -> Finding {
    let mut finding =
        crate::check::draft::Draft::new(&crate::check::rule::BUILD_FAILED, "the build failed", "look").done();
    finding.platform = platform.map(str::to_owned);
    finding
}

fn plan() -> ImagePlan {
    let nowhere = Location::Layout { path: PathBuf::new(), selector: None };
    let platforms = ["linux/amd64", "linux/arm64"].map(|name| Platform::parse(name).unwrap()).to_vec();
    ImagePlan::of_structure("the build of app", nowhere, platforms, PathBuf::new())
}

#[rstest]
#[case::all(&[("tools", PASSED), ("emulated/arm64", PASSED), ("several", SKIPPED)], 0, PASSED, "")]
#[case::nothing_but_the_tools(&[("tools", PASSED), ("emulated/arm64", SKIPPED), ("several", SKIPPED)], 0, SKIPPED,
    "nothing can be rehearsed here: emulated/arm64: why emulated/arm64; several: why several")]
#[case::undecided(&[("tools", PASSED), ("emulated/arm64", PASSED), ("several", ERROR)], 0, ERROR, "several: why several")]
#[case::failed(&[("tools", PASSED), ("emulated/arm64", FAILED)], 1, FAILED, "the build failed")]
#[case::failed_and_undecided(&[("tools", PASSED), ("a", FAILED), ("b", ERROR)], 1, FAILED, "the build failed; beside that, b: why b")]
#[case::left_behind_alone(&[("tools", PASSED)], 1, FAILED, "the build failed")]
fn a_rehearsal_is_what_its_steps_are(
    #[case] steps: &[(&str, Status)],
    #[case] findings: usize,
    #[case] wanted: Status,
    #[case] why: &str,
) {
    let steps: Vec<_> = steps.iter().map(|(name, status)| step(name, *status)).collect();
    let outcome = of_steps(&steps, vec![finding(None); findings], &Severities::new(), FailOn::Error);
    assert_eq!((outcome.status, outcome.reason.unwrap_or_default().as_str()), (wanted, why));
    let wrote = outcome.wrote.unwrap();
    assert!(steps.iter().all(|step| wrote.contains(&format!("  $ docker {}", step.name))), "{wrote}");
}

#[test]
fn severities_of_the_suite_count_for_a_rehearsal() {
    let steps = [step("tools", PASSED), step("emulated/arm64", FAILED)];
    let note = Severities::from([("build/failed", Level::Note)]);
    let outcome = of_steps(&steps, vec![finding(None)], &note, FailOn::Warning);
    assert_eq!((outcome.status, outcome.findings[0].severity), (PASSED, Severity::Note));
}

/// The status that a trial has of what was not built, with the findings that it shows.
#[rstest]
#[case::the_whole(None, FAILED, 1)]
#[case::the_one_that_failed(Some("linux/arm64"), FAILED, 1)]
#[case::the_other_one(Some("linux/amd64"), ERROR, 0)]
fn what_was_not_built_is_not_right(#[case] platform: Option<&str>, #[case] wanted: Status, #[case] findings: usize) {
    let (plan, steps, all) = (plan(), [step("build", FAILED)], [finding(Some("linux/arm64"))]);
    let found = Found { plan: &plan, steps: &steps, findings: &all };
    let platform = platform.map(|name| Platform::parse(name).unwrap());
    let outcome = found.outcome(platform.as_ref(), false);
    assert_eq!((outcome.status, outcome.findings.len()), (wanted, findings));
    assert!(outcome.findings.iter().all(|finding| finding.image == "the build of app"));
    assert_eq!(found.why_not(platform.as_ref()), "it was not built: why build");
}

/// A suite may see a failed build as a note, and still nothing was built.
#[test]
fn a_build_that_failed_is_never_passed() {
    let mut plan = plan();
    plan.policy.severities.insert("build/failed", Level::Off);
    let (steps, all) = ([step("build", FAILED)], [finding(None)]);
    let found = Found { plan: &plan, steps: &steps, findings: &all };
    let outcome = found.outcome(None, false);
    assert_eq!((outcome.status, outcome.reason.as_deref()), (ERROR, Some("it was not built: why build")));
}

#[test]
fn steps_are_lines_to_repeat_by_hand() {
    let mut failed = step("build/arm64", FAILED);
    failed.commands[0] =
        StepCommand { line: "docker build 'a\\b' \u{1b}[2J".to_owned(), exit: Some(17), duration_ms: 1 };
    failed.commands.push(StepCommand { line: "docker rm".to_owned(), exit: None, duration_ms: 1 });
    failed.output = Some("first\nsecond".to_owned());
    failed.log = Some("/tmp/log".to_owned());
    let wanted = "step build/arm64: FAILED: why build/arm64\n  $ docker build 'a\\b' \\u{1b}[2J  # exit code 17\n  \
                  $ docker rm  # ended before its time\n  | first\n  | second\n  log: /tmp/log\n\
                  step tools: passed\n  $ docker tools";
    assert_eq!(listed(&[failed, step("tools", PASSED)]), wanted);
}

#[test]
fn of_two_parts_the_worse_one_counts_with_all_that_was_found() {
    let of = |status, findings| Outcome { findings: vec![finding(None); findings], ..Outcome::new(status, "why") };
    for (one, other, wanted) in
        [(PASSED, FAILED, FAILED), (ERROR, PASSED, ERROR), (FAILED, ERROR, FAILED), (SKIPPED, PASSED, SKIPPED)]
    {
        let both = of(one, 1).and(of(other, 2));
        assert_eq!((both.status, both.findings.len()), (wanted, 3));
    }
}
