//! Images broken as published ones were, and odd images with nothing wrong in them.

use crate::checked::{Given, lines};
use mpcheck_kit::incidents::{self, Case};
use mpcheck_kit::legitimate;
use mpcheck_reports::{Finding, Severity, Status};

/// Checks a case against its baseline, whose platforms are read off its own index.
fn findings(case: &Case) -> Vec<Finding> {
    checked(case).check().findings
}

fn checked(case: &Case) -> Given {
    let given = Given::from(case.forged.clone());
    match &case.baseline {
        None => given,
        Some(baseline) => {
            let name = |platform: &serde_json::Value| {
                let part = |key: &str| platform[key].as_str().map(|text| format!("/{text}")).unwrap_or_default();
                format!("{}{}{}", platform["os"].as_str().unwrap(), part("architecture"), part("variant"))
            };
            let platforms: Vec<String> =
                baseline.members().iter().map(|member| name(&member.descriptor["platform"])).collect();
            given.after(&platforms.join(","))
        }
    }
}

#[test]
fn every_published_fault_is_found() {
    let mut missed = Vec::new();
    for case in incidents::all() {
        let found = findings(&case);
        for expected in &case.expected {
            let is_it = |finding: &&Finding| {
                finding.rule == expected.rule
                    && names(finding, finding.platform.as_deref(), expected.platform)
                    && names(finding, finding.path.as_deref(), expected.path)
            };
            if !found.iter().any(|finding| is_it(&finding)) {
                missed.push(format!("{}: {expected:?} is not among {:#?}", case.name, lines(&found)));
            }
        }
        // Only these two are no reason to reject an image.
        let is_mild = ["emulator-left-behind", "orphan-attestation"].contains(&case.name);
        if is_mild == found.iter().any(|finding| finding.severity == Severity::Error) {
            missed.push(format!("{}: the severities are wrong: {:#?}", case.name, lines(&found)));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// What is not there has neither a path nor a platform of its own: the message names it.
fn names(finding: &Finding, field: Option<&str>, expected: &str) -> bool {
    field.map_or_else(|| finding.message.contains(expected), |field| field == expected)
}

#[test]
fn nothing_is_wrong_with_what_is_only_odd() {
    let mut alarms = Vec::new();
    for case in legitimate::all() {
        let checked = Given::from(case.forged.clone()).check();
        let loud: Vec<Finding> =
            checked.findings.iter().filter(|finding| finding.severity != Severity::Note).cloned().collect();
        if !loud.is_empty() {
            alarms.push(format!("{}: {:#?}", case.name, lines(&loud)));
        }
        assert!(!checked.image.platforms.is_empty(), "{}", case.name);
        assert_eq!(checked.image.error, None, "{}", case.name);
        for platform in &checked.image.platforms {
            for check in platform.checks.iter().filter(|check| check.name != "run" && check.status != Status::Passed) {
                alarms.push(format!("{}: {}: {check:?}", case.name, platform.platform));
            }
        }
    }
    assert!(alarms.is_empty(), "{}", alarms.join("\n"));
}
