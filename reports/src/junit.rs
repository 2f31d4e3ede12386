//! The JUnit form, as CI systems show it: a suite for each platform of an image, and one for a host.
//!
//! What did not apply or was not asked is skipped with its reason, and what could not be decided is an error: neither of
//! them is shown as passed.

use crate::machine::{HostPlatform, Machine};
use crate::model::{Check, Finding, Image, Report, Severity, Status, Trial};
use crate::verdict::FailOn;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use std::collections::BTreeMap;
use std::time::Duration;

/// The suite of a host.
const HOST: &str = "host";
/// The suite of building and publishing.
const BUILD: &str = "build";

/// Writes the report as JUnit XML. `fail_on` says which findings fail a test.
pub fn to_junit(report: &Report, fail_on: FailOn) -> String {
    let mut all = quick_junit::Report::new("mpcheck");
    all.set_time(Duration::from_millis(report.duration_ms));
    // The images of a suite have trials in place of checks.
    let checked = |image: &&Image| report.trials.is_empty() || image.platforms.iter().any(|of| !of.checks.is_empty());
    for image in report.images.iter().filter(checked) {
        all.add_test_suites(of_image(report, image, fail_on));
    }
    // What a suite asks of the host are trials.
    if let Some(host) = report.host.as_ref().filter(|_| report.trials.is_empty()) {
        all.add_test_suite(of_host(report, host, fail_on));
    }
    if !report.steps.is_empty() {
        all.add_test_suite(of_steps(report, fail_on));
    }
    all.add_test_suites(of_trials(&report.trials));
    all.to_string().unwrap_or_default()
}

fn of_image(report: &Report, image: &Image, fail_on: FailOn) -> Vec<TestSuite> {
    let of_image: Vec<&Finding> = report.findings.iter().filter(|found| found.image == image.reference).collect();
    let mut suites = Vec::new();
    let whole: Vec<&Finding> = of_image.iter().copied().filter(|finding| finding.platform.is_none()).collect();
    let name = image.reference.as_str();
    let mut suite = TestSuite::new(name);
    suite.add_test_case(match &image.error {
        Some(why) => case(name, "image", failure(NonSuccessKind::Error, why, why), &[]),
        None => judged(name, "image", Status::Passed, None, &whole, fail_on),
    });
    suites.push(suite);
    for platform in &image.platforms {
        let name = format!("{} {}", image.reference, platform.platform);
        let mut suite = TestSuite::new(name.as_str());
        for check in &platform.checks {
            let group = |finding: &&&Finding| {
                finding.platform.as_ref() == Some(&platform.platform) && group_of(finding) == check.name
            };
            let found: Vec<&Finding> = of_image.iter().filter(group).copied().collect();
            suite.add_test_case(judged(&name, &check.name, check.status, check.reason.as_deref(), &found, fail_on));
        }
        suites.push(suite);
    }
    suites
}

/// A suite for each image and platform, in the order of the trials.
fn of_trials(trials: &[Trial]) -> Vec<TestSuite> {
    let mut suites: Vec<TestSuite> = Vec::new();
    for trial in trials {
        let reason = trial.reason.as_deref().unwrap_or_default();
        let output = trial.output.as_deref().unwrap_or_default();
        let status = match trial.status {
            Status::Passed => TestCaseStatus::success(),
            Status::Failed => failure(NonSuccessKind::Failure, reason, output),
            Status::Error => failure(NonSuccessKind::Error, reason, output),
            Status::Skipped => skipped(reason),
        };
        let mut test = case(trial.group(), &trial.check, status, &[]);
        test.set_time(Duration::from_millis(trial.duration_ms));
        if let Some(output) = &trial.output {
            test.set_system_out(output.as_str());
        }
        // They are sorted by name, so those of one group stand together.
        match suites.last_mut().filter(|suite| suite.name.as_str() == trial.group()) {
            Some(suite) => drop(suite.add_test_case(test)),
            None => {
                let mut suite = TestSuite::new(trial.group());
                suite.add_test_case(test);
                suites.push(suite);
            }
        }
    }
    suites
}

/// The suite of building: a test for each step, and one for each rule of what is wrong with a Dockerfile or a build.
fn of_steps(report: &Report, fail_on: FailOn) -> TestSuite {
    let mut suite = TestSuite::new(BUILD);
    for step in &report.steps {
        let reason = match (&step.reason, &step.output) {
            (Some(reason), Some(output)) => Some(format!("{reason}\n{output}")),
            (reason, _) => reason.clone(),
        };
        let mut test = judged(BUILD, &step.name, step.status, reason.as_deref(), &[], fail_on);
        test.set_time(Duration::from_millis(step.duration_ms));
        let lines: Vec<String> = step.commands.iter().map(|command| format!("$ {}", command.line)).collect();
        if !lines.is_empty() {
            test.set_system_out(lines.join("\n"));
        }
        suite.add_test_case(test);
    }
    add_rules(&mut suite, report, fail_on);
    suite
}

/// A test for each rule of the suite's group that something was found by.
fn add_rules(suite: &mut TestSuite, report: &Report, fail_on: FailOn) {
    let group = suite.name.as_str().to_owned();
    let mut rules: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in report.findings.iter().filter(|finding| group_of(finding) == group) {
        rules.entry(&finding.rule).or_default().push(finding);
    }
    for (rule, findings) in rules {
        suite.add_test_case(judged(&group, rule, Status::Passed, None, &findings, fail_on));
    }
}

fn of_host(report: &Report, host: &Machine, fail_on: FailOn) -> TestSuite {
    let mut suite = TestSuite::new(HOST);
    for platform in &host.platforms {
        suite.add_test_case(of_platform(platform));
    }
    add_rules(&mut suite, report, fail_on);
    suite
}

/// A platform that nobody requires may be missing: then it is skipped.
fn of_platform(platform: &HostPlatform) -> TestCase {
    let check = Check {
        name: platform.platform.clone(),
        status: platform.outcome(),
        reason: platform.reason.clone().or_else(|| platform.emulator.clone()),
    };
    judged(HOST, &check.name, check.status, check.reason.as_deref(), &[], FailOn::default())
}

fn group_of(finding: &Finding) -> &str {
    finding.rule.split('/').next().unwrap_or_default()
}

/// A test by its status and by what was found.
fn judged(
    class: &str,
    name: &str,
    status: Status,
    reason: Option<&str>,
    findings: &[&Finding],
    fail_on: FailOn,
) -> TestCase {
    let failing: Vec<&&Finding> = findings.iter().filter(|finding| fail_on.reached_by(finding.severity)).collect();
    let reason = reason.unwrap_or_default();
    let status = match (failing.first(), status) {
        (Some(first), _) => {
            let told: Vec<String> = failing.iter().map(|finding| told(finding)).collect();
            failure(NonSuccessKind::Failure, &format!("{}: {}", first.rule, first.message), &told.join("\n"))
        }
        (None, Status::Passed) => TestCaseStatus::success(),
        (None, Status::Failed) => failure(NonSuccessKind::Failure, reason, reason),
        (None, Status::Error) => failure(NonSuccessKind::Error, reason, reason),
        (None, Status::Skipped) => skipped(reason),
    };
    case(class, name, status, findings)
}

fn skipped(reason: &str) -> TestCaseStatus {
    let mut skipped = TestCaseStatus::skipped();
    skipped.set_message(reason);
    skipped
}

fn failure(kind: NonSuccessKind, message: &str, told: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(message).set_description(told);
    status
}

/// A test; its output is everything that was found, whether or not that fails it.
fn case(class: &str, name: &str, status: TestCaseStatus, findings: &[&Finding]) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(class);
    if !findings.is_empty() {
        let lines: Vec<String> = findings.iter().map(|finding| told(finding)).collect();
        case.set_system_out(lines.join("\n"));
    }
    case
}

/// A finding in a few lines: where, what, and what to do.
pub fn told(finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let place = [&finding.platform, &finding.path].into_iter().flatten().map(String::as_str);
    let place: Vec<&str> = place.collect();
    let place = if place.is_empty() { String::new() } else { format!(" {}", place.join(" ")) };
    let mut lines = vec![format!("{severity}[{}]{place}: {}", finding.rule, finding.message)];
    let more = [
        ("expected", finding.expected.as_ref()),
        ("observed", finding.observed.as_ref()),
        ("brought by", finding.instruction.as_ref()),
        ("cause", finding.cause.as_ref()),
        ("to do", Some(&finding.hint)),
    ];
    let more = more.into_iter().filter_map(|(name, text)| Some((name, text.filter(|text| !text.is_empty())?)));
    lines.extend(more.map(|(name, text)| format!("  {name}: {text}")));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn parsed(report: &Report, fail_on: FailOn) -> quick_junit::Report {
        quick_junit::Report::deserialize_from_str(&to_junit(report, fail_on)).unwrap()
    }

    /// Suite, test and what became of it.
    fn tests(report: &Report, fail_on: FailOn) -> Vec<(String, String, &'static str)> {
        let parsed = parsed(report, fail_on);
        let all = parsed.test_suites.iter().flat_map(|suite| suite.test_cases.iter().map(move |case| (suite, case)));
        all.map(|(suite, case)| {
            let became = match &case.status {
                TestCaseStatus::Success { .. } => "passed",
                TestCaseStatus::NonSuccess { kind: NonSuccessKind::Failure, .. } => "failed",
                TestCaseStatus::NonSuccess { kind: NonSuccessKind::Error, .. } => "error",
                TestCaseStatus::Skipped { .. } => "skipped",
            };
            (suite.name.as_str().to_owned(), case.name.as_str().to_owned(), became)
        })
        .collect()
    }

    fn became(report: &Report, fail_on: FailOn, suite: &str, test: &str) -> &'static str {
        let tests = tests(report, fail_on);
        let found = tests.iter().find(|(of, name, _)| of == suite && name == test);
        found.unwrap_or_else(|| panic!("{suite} {test} is not in {tests:?}")).2
    }

    fn of_host() -> Report {
        let mut report = sample::failed();
        report.images.clear();
        report.findings.clear();
        report.host = Some(sample::host());
        report
    }

    #[test]
    fn a_platform_of_a_host_is_a_test_and_nobody_asked_is_skipped() {
        let mut report = of_host();
        assert_eq!(became(&report, FailOn::Error, "host", "linux/arm64"), "passed");
        assert_eq!(became(&report, FailOn::Error, "host", "linux/s390x"), "skipped");
        report.host.as_mut().unwrap().platforms[2].required = true;
        assert_eq!(became(&report, FailOn::Error, "host", "linux/s390x"), "failed");
        report.host.as_mut().unwrap().platforms[2].status = crate::machine::HostStatus::Unknown;
        assert_eq!(became(&report, FailOn::Error, "host", "linux/s390x"), "error");
    }

    #[test]
    fn a_rule_fails_by_its_severity() {
        let mut report = of_host();
        let mut finding = sample::finding();
        "host/no-fix-binary".clone_into(&mut finding.rule);
        finding.severity = Severity::Warning;
        report.findings = vec![finding];
        assert_eq!(became(&report, FailOn::Error, "host", "host/no-fix-binary"), "passed");
        assert_eq!(became(&report, FailOn::Warning, "host", "host/no-fix-binary"), "failed");
    }

    #[test]
    fn checks_of_an_image_stay_what_they_are() {
        let mut report = sample::failed();
        let (image, platform) = (report.images[0].reference.clone(), report.images[0].platforms[0].platform.clone());
        report.findings.clear();
        let suite = format!("{image} {platform}");
        assert_eq!(became(&report, FailOn::Error, &suite, "binary"), "passed");
        assert_eq!(became(&report, FailOn::Error, &suite, "run"), "skipped");
        report.images[0].platforms[0].checks[0].status = Status::Error;
        let name = report.images[0].platforms[0].checks[0].name.clone();
        assert_eq!(became(&report, FailOn::Error, &suite, &name), "error");
        let mut finding = sample::finding();
        "binary/foreign-architecture".clone_into(&mut finding.rule);
        (finding.image, finding.platform) = (image.clone(), Some(platform));
        report.findings = vec![finding];
        assert_eq!(became(&report, FailOn::Error, &suite, "binary"), "failed");
        report.images[0].error = Some("no such image".to_owned());
        assert_eq!(became(&report, FailOn::Error, &image, "image"), "error");
    }

    #[test]
    fn trials_are_tests_of_their_image_and_platform() {
        let mut report = sample::passed();
        report.images[0].platforms.iter_mut().for_each(|platform| platform.checks.clear());
        let statuses = [Status::Passed, Status::Failed, Status::Skipped, Status::Error];
        let named = statuses.into_iter().zip(["a", "b", "c", "d/e"]);
        report.trials = named.map(|(status, check)| sample::trial(check, status)).collect();
        let suite = "release/app/linux-arm64".to_owned();
        let wanted = [("a", "passed"), ("b", "failed"), ("c", "skipped"), ("d/e", "error")];
        let wanted: Vec<_> = wanted.map(|(check, became)| (suite.clone(), check.to_owned(), became)).into();
        assert_eq!(tests(&report, FailOn::Error), wanted);
        let text = to_junit(&report, FailOn::Error);
        assert!(text.contains("it exited with 1 instead of 0") && text.contains("error[run/command-failed]"), "{text}");
    }

    #[test]
    fn steps_are_tests_and_what_is_wrong_with_a_dockerfile_is_one_of_its_rule() {
        let mut report = sample::passed();
        report.images.clear();
        let statuses = [Status::Passed, Status::Failed, Status::Skipped, Status::Error];
        report.steps =
            statuses.into_iter().zip(["a", "b", "c", "d"]).map(|(is, name)| sample::step(name, is)).collect();
        let finding = || mpcheck_finding("build/fixed-architecture");
        report.findings = vec![finding(), finding()];
        for (name, wanted) in [("a", "passed"), ("b", "failed"), ("c", "skipped"), ("d", "error")] {
            assert_eq!(became(&report, FailOn::Error, "build", name), wanted);
        }
        assert_eq!(became(&report, FailOn::Error, "build", "build/fixed-architecture"), "passed");
        assert_eq!(became(&report, FailOn::Warning, "build", "build/fixed-architecture"), "failed");
        assert!(to_junit(&report, FailOn::Error).contains("$ docker build --tag"));
    }

    fn mpcheck_finding(rule: &str) -> Finding {
        let mut finding = sample::finding();
        rule.clone_into(&mut finding.rule);
        (finding.severity, finding.platform) = (Severity::Warning, None);
        finding.image.clear();
        finding
    }

    #[test]
    fn what_xml_cannot_hold_is_left_out() {
        let mut report = of_host();
        let mut finding = sample::finding();
        "host/no-fix-binary".clone_into(&mut finding.rule);
        finding.message = "a\u{1}<b>&\"]]>\u{1b}[31m".to_owned();
        report.findings = vec![finding];
        let text = to_junit(&report, FailOn::Error);
        assert!(!text.contains('\u{1}') && !text.contains('\u{1b}') && !text.contains("<b>"), "{text}");
        assert_eq!(became(&report, FailOn::Error, "host", "host/no-fix-binary"), "failed");
    }
}
