use super::super::healthy::{healthy, nothing};
use super::super::tests::required;
use super::*;
use crate::check::host::host;
use crate::host::HostFacts;
use rstest::rstest;

/// A report of a healthy host.
fn report() -> Report {
    let machine = host(&healthy(), &[], None).machine;
    Report {
        schema: mpcheck_reports::SCHEMA.to_owned(),
        tool: mpcheck_reports::Tool { name: "mpcheck".to_owned(), version: "0".to_owned() },
        started: "2026-11-22T03:00:00Z".to_owned(),
        duration_ms: 1,
        verdict: mpcheck_reports::Verdict::Passed,
        images: Vec::new(),
        host: Some(machine),
        findings: Vec::new(),
        steps: Vec::new(),
        trials: Vec::new(),
        shard: None,
        timings: Vec::new(),
    }
}

fn since(facts: &HostFacts, earlier: &Report) -> Vec<(String, Option<String>, Option<String>)> {
    let since = host(facts, &[], Some(earlier)).machine.since.unwrap();
    assert_eq!(since.started, "2026-11-22T03:00:00Z");
    since.changes.into_iter().map(|change| (change.what, change.before, change.after)).collect()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn the_same_host_has_no_changes_whatever_is_required() {
    assert_eq!(since(&healthy(), &report()), []);
    let mut earlier = report();
    earlier.host = Some(host(&healthy(), &required(), None).machine);
    assert_eq!(since(&healthy(), &earlier), []);
    assert_eq!(host(&healthy(), &[], None).machine.since, None);
}

#[test]
fn what_differs_is_told_with_both_states() {
    let mut facts = healthy();
    facts.system.kernel = "6.13".to_owned();
    facts.registry.handlers[0].flags = "OC".to_owned();
    facts.platforms[1].version = Some("qemu-s390x 11.0.2".to_owned());
    facts.default_platform = Some("linux/arm64".to_owned());
    let handler = |flags: &str| {
        some(&format!("/usr/bin/qemu-s390x-static (static), flags \"{flags}\", enabled, comes back at boot"))
    };
    assert_eq!(
        since(&facts, &report()),
        [
            ("kernel".to_owned(), some("6.12.9-amd64"), some("6.13")),
            ("DOCKER_DEFAULT_PLATFORM".to_owned(), None, some("linux/arm64")),
            ("handler qemu-s390x".to_owned(), handler("OCF"), handler("OC")),
            (
                "platform linux/s390x".to_owned(),
                some("emulated by qemu-s390x 10.2.3"),
                some("emulated by qemu-s390x 11.0.2")
            ),
        ]
    );
}

#[rstest]
#[case::nobody_requires_it(&[], true)]
#[case::required(&required(), false)]
fn a_platform_that_was_lost_is_a_finding_once(#[case] required: &[crate::platform::Platform], #[case] told: bool) {
    let mut facts = healthy();
    nothing(&mut facts);
    let checked = host(&facts, required, Some(&report()));
    let lost: Vec<_> = checked.findings.iter().filter(|finding| finding.rule == rule::LOST_READINESS.name).collect();
    assert_eq!(lost.len(), usize::from(told), "{:?}", checked.findings);
    if let [lost] = lost.as_slice() {
        assert_eq!(lost.platform.as_deref(), Some("linux/s390x"));
        assert_eq!(lost.expected.as_deref(), Some("emulated by qemu-s390x 10.2.3"));
        assert_eq!(lost.observed.as_deref(), Some("nothing runs it"));
    }
    // Both the platform and its handler are gone.
    assert_eq!(checked.machine.since.unwrap().changes.len(), 2);
}

#[test]
fn what_could_not_be_tried_is_not_lost() {
    let mut facts = healthy();
    facts.platforms[1].direct = Err(crate::run::NotReady::new("no memory", ""));
    let findings = host(&facts, &[], Some(&report())).findings;
    assert!(!findings.iter().any(|finding| finding.rule == rule::LOST_READINESS.name), "{findings:?}");
}

#[test]
fn a_report_from_elsewhere_is_bounded_and_escaped() {
    let mut earlier = report();
    earlier.started = "2026-11-22T03:00:00Z".to_owned();
    let machine = earlier.host.as_mut().unwrap();
    machine.kernel = format!("\u{1b}[31m{}", "x".repeat(1 << 20));
    let handler = machine.binfmt_misc.handlers[0].clone();
    machine.binfmt_misc.handlers =
        (0..5000).map(|n| Handler { name: format!("\u{1b}{n}"), ..handler.clone() }).collect();
    let changes = since(&healthy(), &earlier);
    assert_eq!(changes.len(), MAX_CHANGES);
    assert!(changes.iter().all(|(what, before, _)| {
        !what.contains('\u{1b}')
            && before.as_ref().is_none_or(|before| before.len() < 400 && !before.contains('\u{1b}'))
    }));
}
