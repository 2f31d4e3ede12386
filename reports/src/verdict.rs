//! From what was found to one verdict, and to the exit code that says it to a script.

use std::fmt;
use std::str::FromStr;

use crate::machine::HostPlatform;
use crate::model::{Report, Severity, Status, Verdict};

/// From which severity on a finding fails the run. A note never does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailOn {
    /// Errors only.
    #[default]
    Error,
    /// Warnings too.
    Warning,
}

impl FailOn {
    /// Whether a finding of this severity fails the run.
    pub fn reached_by(self, severity: Severity) -> bool {
        match severity {
            Severity::Error => true,
            Severity::Warning => self == Self::Warning,
            Severity::Note => false,
        }
    }
}

impl fmt::Display for FailOn {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// A failing severity that is none.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{given:?} is no failing severity: it is `error` or `warning` (a note never fails a run)")]
pub struct UnknownFailOn {
    given: String,
}

impl FromStr for FailOn {
    type Err = UnknownFailOn;

    fn from_str(given: &str) -> Result<Self, Self::Err> {
        match given {
            "error" => Ok(Self::Error),
            "warning" => Ok(Self::Warning),
            _ => Err(UnknownFailOn { given: given.to_owned() }),
        }
    }
}

/// How a run ended: the verdict, with its two kinds of error told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Something was checked, everything that was tried could be decided, and no finding fails the run.
    Passed,
    /// At least one finding fails the run. It wins over what could not be decided: the image is known to be wrong.
    Failed,
    /// An image or a check could not be examined.
    Undecided,
    /// Every check was skipped, or there was none.
    NothingChecked,
}

impl Outcome {
    /// The outcome of a run, from its findings and the states of its checks.
    pub fn of(report: &Report, fail_on: FailOn) -> Self {
        let has = |status| checks(report).any(|found| found == status);
        // A failed check has a finding of severity error, which always fails the
        // run. Looking at both means that a lost finding cannot become "passed".
        if report.findings.iter().any(|finding| fail_on.reached_by(finding.severity)) || has(Status::Failed) {
            Self::Failed
        } else if report.images.iter().any(|image| image.error.is_some()) || has(Status::Error) {
            Self::Undecided
        } else if has(Status::Passed) {
            Self::Passed
        } else {
            Self::NothingChecked
        }
    }

    /// The verdict that the report carries.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Passed => Verdict::Passed,
            Self::Failed => Verdict::Failed,
            Self::Undecided | Self::NothingChecked => Verdict::Error,
        }
    }

    /// The exit code of the program. 2 is not among them: it is for a usage or
    /// configuration error, where there is no report.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::Undecided => 3,
            Self::NothingChecked => 4,
        }
    }
}

/// The verdict of a run: see [`Outcome::of`].
pub fn verdict(report: &Report, fail_on: FailOn) -> Verdict {
    Outcome::of(report, fail_on).verdict()
}

/// The exit code of a run.
///
/// | code | meaning |
/// |---|---|
/// | 0 | something was checked, and no finding is at the failing severity |
/// | 1 | a finding is at the failing severity, whatever else could not be decided |
/// | 3 | an image or a check could not be examined |
/// | 4 | nothing was checked |
pub fn exit_code(report: &Report, fail_on: FailOn) -> u8 {
    Outcome::of(report, fail_on).exit_code()
}

fn checks(report: &Report) -> impl Iterator<Item = Status> + '_ {
    let images = report.images.iter().flat_map(|image| &image.platforms).flat_map(|platform| &platform.checks);
    let host = report.host.iter().flat_map(|host| &host.platforms);
    let trials = report.trials.iter().map(|trial| trial.status);
    let steps = report.steps.iter().map(|step| step.status);
    images.map(|check| check.status).chain(host.map(HostPlatform::outcome)).chain(steps).chain(trials)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::HostStatus;
    use crate::model::{Check, Finding};
    use crate::sample;
    use rstest::rstest;

    /// One image with one platform with these checks.
    fn report(findings: &[Severity], checks: &[Status], error: bool) -> Report {
        let mut report = sample::passed();
        report.findings = findings.iter().map(|&severity| Finding { severity, ..sample::finding() }).collect();
        let mut image = sample::image("app");
        image.error = error.then(|| "connection refused".to_owned());
        image.platforms.truncate(1);
        image.platforms[0].checks =
            checks.iter().map(|&status| Check { name: "binary".into(), status, reason: None }).collect();
        report.images = vec![image];
        report
    }

    const E: Severity = Severity::Error;
    const W: Severity = Severity::Warning;
    const N: Severity = Severity::Note;
    const PASSED: Status = Status::Passed;
    const FAILED: Status = Status::Failed;
    const SKIPPED: Status = Status::Skipped;
    const ERROR: Status = Status::Error;

    #[rstest]
    // Findings.
    #[case(&[], &[PASSED], false, FailOn::Error, Outcome::Passed)]
    #[case(&[N], &[PASSED], false, FailOn::Error, Outcome::Passed)]
    #[case(&[N], &[PASSED], false, FailOn::Warning, Outcome::Passed)]
    #[case(&[W], &[PASSED], false, FailOn::Error, Outcome::Passed)]
    #[case(&[W], &[PASSED], false, FailOn::Warning, Outcome::Failed)]
    #[case(&[E], &[FAILED], false, FailOn::Error, Outcome::Failed)]
    #[case(&[E], &[FAILED], false, FailOn::Warning, Outcome::Failed)]
    #[case(&[N, W, E], &[FAILED], false, FailOn::Error, Outcome::Failed)]
    #[case(&[E], &[], false, FailOn::Error, Outcome::Failed)]
    #[case(&[], &[FAILED], false, FailOn::Error, Outcome::Failed)]
    // A finding wins over what could not be decided.
    #[case(&[E], &[FAILED, ERROR], false, FailOn::Error, Outcome::Failed)]
    #[case(&[E], &[], true, FailOn::Error, Outcome::Failed)]
    #[case(&[W], &[PASSED], true, FailOn::Warning, Outcome::Failed)]
    // What could not be decided wins over what passed.
    #[case(&[], &[PASSED, ERROR], false, FailOn::Error, Outcome::Undecided)]
    #[case(&[W], &[PASSED, ERROR], false, FailOn::Error, Outcome::Undecided)]
    #[case(&[], &[PASSED], true, FailOn::Error, Outcome::Undecided)]
    #[case(&[], &[], true, FailOn::Error, Outcome::Undecided)]
    #[case(&[], &[SKIPPED, ERROR], false, FailOn::Error, Outcome::Undecided)]
    // Skipped is never passed.
    #[case(&[], &[PASSED, SKIPPED], false, FailOn::Error, Outcome::Passed)]
    #[case(&[], &[SKIPPED], false, FailOn::Error, Outcome::NothingChecked)]
    #[case(&[], &[], false, FailOn::Error, Outcome::NothingChecked)]
    #[case(&[N], &[SKIPPED], false, FailOn::Error, Outcome::NothingChecked)]
    fn truth_table(
        #[case] findings: &[Severity],
        #[case] checks: &[Status],
        #[case] image_error: bool,
        #[case] fail_on: FailOn,
        #[case] wanted: Outcome,
    ) {
        assert_eq!(Outcome::of(&report(findings, checks, image_error), fail_on), wanted);
    }

    #[rstest]
    #[case(HostStatus::Native, false, Outcome::Passed)]
    #[case(HostStatus::Emulated, true, Outcome::Passed)]
    #[case(HostStatus::Broken, false, Outcome::NothingChecked)]
    #[case(HostStatus::None, false, Outcome::NothingChecked)]
    #[case(HostStatus::Unknown, false, Outcome::NothingChecked)]
    #[case(HostStatus::Broken, true, Outcome::Failed)]
    #[case(HostStatus::None, true, Outcome::Failed)]
    #[case(HostStatus::Unknown, true, Outcome::Undecided)]
    fn a_host_fails_by_what_is_required_alone(
        #[case] status: HostStatus,
        #[case] required: bool,
        #[case] wanted: Outcome,
    ) {
        let mut report = sample::passed();
        report.images.clear();
        let mut host = sample::host();
        host.platforms.truncate(1);
        host.platforms[0].status = status;
        host.platforms[0].required = required;
        report.host = Some(host);
        assert_eq!(Outcome::of(&report, FailOn::Error), wanted);
    }

    #[rstest]
    #[case(&[PASSED, SKIPPED], Outcome::Passed)]
    #[case(&[PASSED, FAILED, ERROR], Outcome::Failed)]
    #[case(&[PASSED, ERROR], Outcome::Undecided)]
    #[case(&[SKIPPED], Outcome::NothingChecked)]
    fn trials_count_like_checks(#[case] statuses: &[Status], #[case] wanted: Outcome) {
        let mut report = sample::passed();
        report.images.iter_mut().flat_map(|image| &mut image.platforms).for_each(|platform| platform.checks.clear());
        report.trials = statuses.iter().map(|&status| sample::trial("run/version", status)).collect();
        assert_eq!(Outcome::of(&report, FailOn::Error), wanted);
    }

    #[test]
    fn no_image_at_all_is_nothing_checked() {
        let mut empty = sample::passed();
        empty.images.clear();
        assert_eq!((verdict(&empty, FailOn::Error), exit_code(&empty, FailOn::Error)), (Verdict::Error, 4));
    }

    #[rstest]
    #[case(Outcome::Passed, Verdict::Passed, 0)]
    #[case(Outcome::Failed, Verdict::Failed, 1)]
    #[case(Outcome::Undecided, Verdict::Error, 3)]
    #[case(Outcome::NothingChecked, Verdict::Error, 4)]
    fn outcomes_in_words_and_numbers(#[case] outcome: Outcome, #[case] verdict: Verdict, #[case] code: u8) {
        assert_eq!((outcome.verdict(), outcome.exit_code()), (verdict, code));
    }

    #[rstest]
    #[case("error", Ok(FailOn::Error))]
    #[case("warning", Ok(FailOn::Warning))]
    #[case("note", Err("\"note\" is no failing severity: it is `error` or `warning` (a note never fails a run)"))]
    fn fail_on_is_read_and_shown(#[case] given: &str, #[case] wanted: Result<FailOn, &str>) {
        let read: Result<FailOn, _> = given.parse();
        assert_eq!(read.as_ref().map_err(ToString::to_string), wanted.as_ref().map_err(|text| (*text).to_owned()));
        if let Ok(read) = read {
            assert_eq!(read.to_string(), given);
        }
    }
}
