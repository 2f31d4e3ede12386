//! Each rule of the group, from facts written by hand: where it fires, and where something odd stays silent.

use super::healthy::*;
use super::*;
use crate::check::rule::{self, RULES, Rule};
use crate::host::binfmt::{Handler, RegistryState, Takes};
use crate::host::engine::{InEngine, NoEngine, Proof};
use crate::host::interpreter::Interpreter;
use crate::host::readiness::{Failure, Probed};
use crate::host::registration::Registered;
use crate::image::source::Store;
use crate::run::NotReady;
use mpcheck_reports::{HostStatus, Severity};
use rstest::rstest;
use std::collections::BTreeSet;

/// One change of a healthy host.
type Change = fn(&mut HostFacts);

/// Where each rule fires. `host/not-ready` is required s390x; the others fire whatever is required.
const FIRES: &[(Rule, Change)] = &[
    (rule::NOT_READY, nothing),
    (rule::NOT_READY, |facts| facts.platforms[1].empty_root = NOT_FOUND),
    (rule::EMULATION_BROKEN, |facts| {
        facts.platforms[1].direct = Ok(Probed::Failed(Failure::Otherwise("was ended by signal 11".to_owned())));
    }),
    (rule::EMULATION_BROKEN, |facts| {
        nothing(facts);
        facts.platforms[1].direct = Ok(Probed::Failed(Failure::Otherwise("did not end in time".to_owned())));
    }),
    // A dynamic emulator is no reason to fail on the host.
    (rule::EMULATION_BROKEN, |facts| {
        interpreter(facts, Interpreter::Dynamic);
        facts.platforms[1].direct = Ok(Probed::Failed(Failure::Otherwise("exited with 0".to_owned())));
        facts.platforms[1].empty_root = NOT_FOUND;
    }),
    (rule::FLAPPING, |facts| {
        facts.again = vec![facts.platforms.clone(), facts.platforms.clone()];
        facts.again[1][1].direct = EXEC_FORMAT;
    }),
    (rule::NO_FIX_BINARY, |facts| {
        flags(facts, "OC");
        facts.platforms[1].empty_root = NOT_FOUND;
    }),
    // Where an empty root could not be tried, the flag says it.
    (rule::NO_FIX_BINARY, |facts| {
        flags(facts, "OC");
        facts.platforms[1].empty_root = Err(NotReady::new("forbidden", ""));
    }),
    (rule::DYNAMIC_EMULATOR, |facts| {
        interpreter(facts, Interpreter::Dynamic);
        facts.platforms[1].empty_root = NOT_FOUND;
    }),
    (rule::EMULATOR_GONE, |facts| {
        interpreter(facts, Interpreter::Missing);
        flags(facts, "OC");
        facts.platforms[1].direct = NOT_FOUND;
    }),
    (rule::EMULATOR_GONE, |facts| interpreter(facts, Interpreter::Missing)),
    (rule::HANDLER_DISABLED, |facts| facts.registry.handlers[0].enabled = false),
    (rule::HANDLER_DISABLED, |facts| facts.registry.state = RegistryState::Disabled),
    (rule::BINFMT_UNAVAILABLE, |facts| {
        nothing(facts);
        facts.registry.state = RegistryState::NotMounted;
    }),
    (rule::BINFMT_UNAVAILABLE, |facts| facts.registry.state = RegistryState::Unsupported),
    (rule::BINFMT_UNAVAILABLE, |facts| facts.registry.state = RegistryState::Denied("EACCES".to_owned())),
    // The mark of the operating system, and the kind of file.
    (rule::WRONG_MASK, |facts| mask(facts, 7, 0xff)),
    (rule::WRONG_MASK, |facts| mask(facts, 17, 0xff)),
    // The machine is left out, and so the host's own programs are taken too: of one class and byte order on some hosts.
    (rule::WRONG_MASK, |facts| {
        facts.platforms.push(ready("ppc64", None));
        mask(facts, 18, 0);
        mask(facts, 19, 0);
    }),
    (rule::NATIVE_HANDLER, |facts| {
        let host = Platform::host();
        facts.registry.handlers.push(handler("native", host.architecture()));
    }),
    (rule::DUPLICATE_HANDLERS, |facts| {
        let other = Handler { interpreter: "/opt/qemu".to_owned(), ..handler("other", "s390x") };
        facts.registry.handlers.push(other);
    }),
    (rule::NOT_PERSISTED, |facts| facts.registrations.clear()),
    (rule::NOT_REGISTERED, |facts| {
        let registrations = facts.registrations.clone();
        nothing(facts);
        facts.registrations = registrations;
    }),
    (rule::EMULATOR_VERSION, |facts| facts.platforms[1].version = Some("qemu-s390x 9.2.0".to_owned())),
    (rule::NO_CREDENTIALS, |facts| flags(facts, "F")),
    (rule::ARGV0_LOST, |facts| {
        facts.platforms[1].direct = Ok(Probed::Ran { machine: "s390x".to_owned(), own_name: false });
    }),
    (rule::NO_SANDBOX, |facts| facts.namespaces = Err(NotReady::new("forbidden", "`sysctl`"))),
    (rule::NO_SANDBOX, |facts| {
        facts.platforms[1].sandbox = Err(NotReady::new(crate::run::sandbox::NOEXEC, "XDG_CACHE_HOME"));
    }),
    (rule::PAGE_SIZE, |facts| facts.system.page_size = 16384),
    (rule::HANDLER_NOT_LISTED, |facts| facts.registry.handlers.clear()),
    (rule::ENGINE_NOT_READY, |facts| there(facts, EXEC_FORMAT)),
    (rule::ENGINE_NOT_READY, |facts| there(facts, NOT_FOUND)),
    (rule::ENGINE_NOT_READY, |facts| {
        engine(facts).same_kernel = Some(false);
        there(facts, EXEC_FORMAT);
    }),
    // Required, and neither the one nor the other runs it: another kernel has its own reason.
    (rule::ENGINE_NOT_READY, |facts| {
        nothing(facts);
        engine(facts).same_kernel = None;
        there(facts, EXEC_FORMAT);
    }),
    (rule::ONLY_IN_ENGINE, |facts| {
        nothing(facts);
        engine(facts).same_kernel = Some(false);
    }),
    (rule::ENGINE_FAILED, |facts| facts.engine = Err(NoEngine::Silent(NotReady::new("it said nothing", "")))),
    (rule::ENGINE_FAILED, |facts| {
        facts.engine = Err(no_engine());
        facts.engine_named = true;
    }),
    (rule::ENGINE_FAILED, |facts| engine(facts).proof = Proof::Failed(NotReady::new("it broke off", ""))),
    (rule::ENGINE_FAILED, |facts| there(facts, Err(NotReady::new("it broke off", "")))),
    (rule::BUILDKIT_OFF, |facts| engine(facts).buildkit = Some(false)),
    (rule::BUILDKIT_OFF, |facts| facts.docker_buildkit = Some("0".to_owned())),
    (rule::BUILDKIT_OFF, |facts| facts.docker_buildkit = Some("yes".to_owned())),
    (rule::NO_BUILDX, |facts| facts.buildx = None),
    (rule::NO_BUILDX, |facts| facts.buildx.as_mut().unwrap().version = Err("said nothing".to_owned())),
    (rule::BUILDER_PLATFORM, |facts| {
        node(facts).forced = vec!["linux/s390x".to_owned()];
        there(facts, EXEC_FORMAT);
    }),
    (rule::BUILDER_PLATFORM, |facts| {
        node(facts).platforms.truncate(1);
    }),
    (rule::CLASSIC_STORE, |facts| facts.engine.as_mut().unwrap().store = Store::Classic),
    (rule::ENGINE_ARCHITECTURE, |facts| facts.engine.as_mut().unwrap().architecture = "mips".to_owned()),
    (rule::DEFAULT_PLATFORM, |facts| facts.default_platform = Some("linux/arm64".to_owned())),
];

/// What is odd and right.
const SILENT: &[(Rule, Change)] = &[
    (rule::NOT_READY, |facts| facts.platforms[1].empty_root = Err(NotReady::new("forbidden", ""))),
    (rule::NOT_READY, |facts| facts.platforms[1].direct = Err(NotReady::new("no memory", ""))),
    // It runs every time, or never.
    (rule::FLAPPING, |facts| facts.again = vec![facts.platforms.clone()]),
    (rule::FLAPPING, |facts| {
        nothing(facts);
        facts.again = vec![facts.platforms.clone()];
    }),
    // Nothing is there, so nothing is broken.
    (rule::EMULATION_BROKEN, nothing),
    // It is broken, and another rule says why.
    (rule::EMULATION_BROKEN, |facts| {
        flags(facts, "OC");
        facts.platforms[1].empty_root = NOT_FOUND;
    }),
    // Something makes it work all the same.
    (rule::NO_FIX_BINARY, |facts| flags(facts, "OC")),
    (rule::NO_FIX_BINARY, |facts| {
        flags(facts, "");
        facts.registry.handlers[0].enabled = false;
        facts.platforms[1].empty_root = NOT_FOUND;
    }),
    (rule::DYNAMIC_EMULATOR, |facts| interpreter(facts, Interpreter::Dynamic)),
    (rule::DYNAMIC_EMULATOR, |facts| {
        interpreter(facts, Interpreter::Dynamic);
        flags(facts, "OC");
        facts.platforms[1].empty_root = NOT_FOUND;
    }),
    (rule::EMULATOR_GONE, |facts| interpreter(facts, Interpreter::Unknown("a script".to_owned()))),
    // Another handler for the platform is switched on.
    (rule::HANDLER_DISABLED, |facts| {
        facts.registry.handlers.push(Handler { enabled: false, ..handler("other", "s390x") });
    }),
    (rule::BINFMT_UNAVAILABLE, |facts| facts.registry.handlers.clear()),
    (rule::HANDLER_NOT_LISTED, nothing),
    // What is seen from a container is not what the kernel uses.
    (rule::HANDLER_NOT_LISTED, |facts| {
        facts.registry.handlers.clear();
        facts.system.container = Some("docker".to_owned());
    }),
    (rule::HANDLER_NOT_LISTED, |facts| {
        facts.registry.handlers.clear();
        facts.registry.state = RegistryState::NotMounted;
    }),
    // It could not be tried, which another rule tells.
    (rule::ENGINE_NOT_READY, |facts| there(facts, Err(NotReady::new("it broke off", "")))),
    (rule::ENGINE_NOT_READY, |facts| facts.engine = Err(no_engine())),
    // One kernel, and one finding about it.
    (rule::ENGINE_NOT_READY, |facts| {
        nothing(facts);
        there(facts, EXEC_FORMAT);
    }),
    (rule::ENGINE_NOT_READY, |facts| {
        flags(facts, "OC");
        facts.platforms[1].empty_root = NOT_FOUND;
        there(facts, NOT_FOUND);
    }),
    (rule::ONLY_IN_ENGINE, |facts| facts.platforms[1].direct = Err(NotReady::new("no memory", ""))),
    (rule::ONLY_IN_ENGINE, |facts| {
        nothing(facts);
        there(facts, EXEC_FORMAT);
    }),
    (rule::ENGINE_FAILED, |facts| facts.engine = Err(no_engine())),
    (rule::ENGINE_FAILED, |facts| engine(facts).proof = Proof::NotTried(NotReady::new("Podman", ""))),
    (rule::BUILDKIT_OFF, |facts| {
        engine(facts).buildkit = Some(false);
        facts.docker_buildkit = Some("1".to_owned());
    }),
    (rule::BUILDKIT_OFF, |facts| engine(facts).buildkit = None),
    (rule::BUILDKIT_OFF, |facts| {
        engine(facts).store = Store::Podman;
        facts.docker_buildkit = Some("0".to_owned());
    }),
    (rule::NO_BUILDX, |facts| {
        facts.buildx = None;
        facts.engine = Err(no_engine());
    }),
    (rule::NO_BUILDX, |facts| facts.buildx.as_mut().unwrap().builders.clear()),
    // It runs, whoever said so.
    (rule::BUILDER_PLATFORM, |facts| node(facts).forced = vec!["linux/s390x".to_owned()]),
    // That is on another machine.
    (rule::BUILDER_PLATFORM, |facts| {
        node(facts).endpoint = "ssh://me@host".to_owned();
        node(facts).platforms.truncate(1);
    }),
    // One that was not started yet has looked for nothing.
    (rule::BUILDER_PLATFORM, |facts| {
        node(facts).status = "inactive".to_owned();
        node(facts).platforms.clear();
    }),
    (rule::BUILDER_PLATFORM, |facts| node(facts).forced = vec!["linux/mips".to_owned(), "nonsense".to_owned()]),
    // The bytes of padding are for nobody.
    (rule::WRONG_MASK, |facts| mask(facts, 12, 0)),
    // Two strict handlers that take everything together.
    (rule::WRONG_MASK, |facts| {
        mask(facts, 17, 0xff);
        let mut other = facts.registry.handlers[0].clone();
        let Takes::Magic { magic, .. } = &mut other.takes else { panic!() };
        magic[17] = 3;
        facts.registry.handlers.push(other);
    }),
    (rule::NATIVE_HANDLER, |facts| {
        let host = Platform::host();
        facts.registry.handlers.push(Handler { enabled: false, ..handler("native", host.architecture()) });
    }),
    (rule::NATIVE_HANDLER, |facts| {
        let takes = Takes::Extension("jar".to_owned());
        facts.registry.handlers.push(Handler { takes, ..handler("jar", "s390x") });
    }),
    (rule::DUPLICATE_HANDLERS, |facts| facts.registry.handlers.push(handler("the-same-twice", "s390x"))),
    (rule::DUPLICATE_HANDLERS, |facts| {
        let other = Handler { interpreter: "/opt/qemu".to_owned(), enabled: false, ..handler("other", "s390x") };
        facts.registry.handlers.push(other);
    }),
    // A container's files say nothing of the host.
    (rule::NOT_PERSISTED, |facts| {
        facts.registrations.clear();
        facts.system.container = Some("docker".to_owned());
    }),
    (rule::NOT_PERSISTED, |facts| facts.registrations[0].what = Registered::Name("qemu-s390x".to_owned())),
    (rule::NOT_REGISTERED, |facts| facts.registry.handlers[0].name = "under-another-name".to_owned()),
    (rule::NOT_REGISTERED, nothing),
    (rule::EMULATOR_VERSION, |facts| facts.platforms[1].version = Some("FEX 2509".to_owned())),
    (rule::NO_CREDENTIALS, |facts| flags(facts, "POCF")),
    // The host's own programs see what the host's loader does with names.
    (rule::ARGV0_LOST, |facts| {
        facts.platforms[0].direct = Ok(Probed::Ran { machine: "x86_64".to_owned(), own_name: false });
    }),
    (rule::NO_SANDBOX, |facts| facts.platforms[1].sandbox = Err(NotReady::new("no emulator", ""))),
    (rule::PAGE_SIZE, |facts| facts.system.kernel = "6.12.9-16k".to_owned()),
    (rule::CLASSIC_STORE, |facts| facts.engine.as_mut().unwrap().store = Store::Podman),
    (rule::CLASSIC_STORE, |facts| facts.engine = Err(no_engine())),
    // Another machine has another architecture, and that of a name nobody knows is not guessed.
    (rule::ENGINE_ARCHITECTURE, |facts| {
        let engine = facts.engine.as_mut().unwrap();
        engine.architecture = "mips".to_owned();
        engine.is_local = false;
    }),
    (rule::ENGINE_ARCHITECTURE, |facts| facts.engine.as_mut().unwrap().architecture = String::new()),
    (rule::DEFAULT_PLATFORM, |facts| facts.engine = Err(no_engine())),
];

pub(super) fn required() -> Vec<Platform> {
    vec![Platform::parse("linux/s390x").unwrap()]
}

fn after(change: Change) -> CheckedHost {
    let mut facts = healthy();
    change(&mut facts);
    host(&facts, &required(), None)
}

#[test]
fn a_healthy_host_has_no_findings() {
    let checked = host(&healthy(), &required(), None);
    assert_eq!(checked.findings, []);
    assert_eq!(checked.machine.ready(), 2);
}

#[test]
fn every_rule_fires_with_its_evidence_and_a_next_step() {
    for (number, (rule, change)) in FIRES.iter().enumerate() {
        let findings = after(*change).findings;
        let found: Vec<_> = findings.iter().filter(|finding| finding.rule == rule.name).collect();
        assert_eq!(found.len(), 1, "row {number}, {}: {findings:?}", rule.name);
        assert!(!found[0].hint.is_empty() && !found[0].message.is_empty(), "row {number}: {:?}", found[0]);
        assert!(found[0].image.is_empty() && found[0].severity >= rule.severity, "row {number}: {:?}", found[0]);
    }
}

#[test]
fn what_is_odd_and_right_stays_silent() {
    for (number, (rule, change)) in SILENT.iter().enumerate() {
        let findings = after(*change).findings;
        assert!(!findings.iter().any(|finding| finding.rule == rule.name), "row {number}, {}: {findings:?}", rule.name);
    }
}

#[test]
fn every_rule_of_the_group_has_rows_of_both_kinds() {
    let names = |rows: &[(Rule, Change)]| rows.iter().map(|(rule, _)| rule.name).collect::<BTreeSet<_>>();
    let of_host = RULES.iter().filter(|rule| rule.group() == "host");
    // That one needs an earlier report, and has its tests beside `change.rs`.
    let wanted: BTreeSet<_> = of_host.map(|rule| rule.name).filter(|name| *name != rule::LOST_READINESS.name).collect();
    assert_eq!(names(FIRES), wanted);
    assert_eq!(names(SILENT), wanted);
}

#[test]
fn without_a_requirement_nothing_is_an_error() {
    for (number, (_, change)) in FIRES.iter().enumerate() {
        let mut facts = healthy();
        change(&mut facts);
        let findings = host(&facts, &[], None).findings;
        assert!(findings.iter().all(|finding| finding.severity != Severity::Error), "row {number}: {findings:?}");
    }
}

#[rstest]
#[case::pinned(|facts: &mut HostFacts| interpreter(facts, Interpreter::Missing), rule::EMULATOR_GONE)]
#[case::seen_from_a_container(|facts: &mut HostFacts| {
    facts.registry.state = RegistryState::NotMounted;
    facts.system.container = Some("docker".to_owned());
}, rule::BINFMT_UNAVAILABLE)]
#[case::emulated_all_the_same(|facts: &mut HostFacts| facts.registry.state = RegistryState::NotMounted, rule::BINFMT_UNAVAILABLE)]
fn what_works_all_the_same_is_a_note(#[case] change: Change, #[case] rule: Rule) {
    let findings = after(change).findings;
    let found: Vec<_> = findings.iter().map(|finding| (finding.rule.as_str(), finding.severity)).collect();
    assert_eq!(found, [(rule.name, Severity::Note)]);
}

#[test]
fn a_platform_that_comes_and_goes_is_broken_and_fails_where_it_is_required() {
    let mut facts = healthy();
    facts.again = vec![facts.platforms.clone(), facts.platforms.clone()];
    facts.platforms[1].direct = EXEC_FORMAT;
    let checked = host(&facts, &required(), None);
    let row = checked.machine.platforms.iter().find(|row| row.platform == "linux/s390x").unwrap();
    assert_eq!((row.status, row.tries), (HostStatus::Broken, Some(mpcheck_reports::Tries { ran: 2, of: 3 })));
    let rules: Vec<_> = checked.findings.iter().map(|finding| (finding.rule.as_str(), finding.severity)).collect();
    assert_eq!(rules, [(rule::FLAPPING.name, Severity::Warning), (rule::NOT_READY.name, Severity::Error)]);
}

#[rstest]
#[case::silent(|facts: &mut HostFacts| facts.engine = Err(NoEngine::Silent(NotReady::new("nothing", ""))), true)]
#[case::broken_off(|facts: &mut HostFacts| engine(facts).proof = Proof::Failed(NotReady::new("it broke off", "")), true)]
#[case::named(|facts: &mut HostFacts| { facts.engine = Err(no_engine()); facts.engine_named = true; }, true)]
#[case::unnamed(|facts: &mut HostFacts| facts.engine = Err(no_engine()), false)]
#[case::the_required_one(|facts: &mut HostFacts| there(facts, Err(NotReady::new("it broke off", ""))), true)]
#[case::another_one(|facts: &mut HostFacts| {
    let Proof::Proved(proved) = &mut engine(facts).proof else { panic!() };
    proved[0].probed = Err(NotReady::new("it broke off", ""));
}, false)]
fn what_the_engine_does_not_tell_of_is_no_success_where_it_is_required(#[case] change: Change, #[case] fails: bool) {
    let of = |findings: Vec<Finding>| -> Vec<Severity> {
        let failed = findings.into_iter().filter(|finding| finding.rule == rule::ENGINE_FAILED.name);
        failed.map(|finding| finding.severity).collect()
    };
    assert_eq!(of(after(change).findings).contains(&Severity::Error), fails);
    let mut facts = healthy();
    change(&mut facts);
    assert!(!of(host(&facts, &[], None).findings).contains(&Severity::Error));
}

#[test]
fn whoever_requires_a_variant_requires_what_was_tried_of_its_architecture() {
    let mut facts = healthy();
    facts.platforms.push(ready("arm", None));
    let Proof::Proved(proved) = &mut engine(&mut facts).proof else { panic!() };
    let untried = InEngine { probed: Err(NotReady::new("it broke off", "")), ..in_engine("arm") };
    proved.push(untried);
    for (platform, wanted) in [("linux/arm/v6", Severity::Error), ("linux/s390x", Severity::Warning)] {
        let findings = host(&facts, &[Platform::parse(platform).unwrap()], None).findings;
        let found = findings.iter().find(|finding| finding.rule == rule::ENGINE_FAILED.name).unwrap();
        assert_eq!(found.severity, wanted, "{platform}");
    }
}

#[test]
fn what_comes_back_at_boot_is_said_of_the_handler_that_does() {
    let mut facts = healthy();
    facts.registry.handlers.push(Handler { interpreter: "/bin/true".to_owned(), ..handler("other", "s390x") });
    let back: Vec<_> = facts.registry.handlers.iter().map(|handler| facts.comes_back(handler)).collect();
    assert_eq!(back, [Some(true), Some(false)]);
    facts.system.container = Some("docker".to_owned());
    assert_eq!(facts.comes_back(&facts.registry.handlers[0]), None);
}

#[rstest]
#[case("linux/s390x", HostStatus::Emulated)]
#[case("linux/arm64/v9", HostStatus::Unknown)]
#[case("windows/amd64", HostStatus::Unknown)]
#[case("linux/sparc64", HostStatus::Unknown)]
fn what_is_required_has_a_row(#[case] platform: &str, #[case] wanted: HostStatus) {
    let mut facts = healthy();
    // Not the host's, whichever that is.
    facts.platforms.retain(|readiness| readiness.row.name == "s390x");
    let machine = host(&facts, &[Platform::parse(platform).unwrap()], None).machine;
    let row = machine.platforms.iter().find(|row| row.platform == platform).unwrap();
    assert!(row.required && row.status == wanted, "{row:?}");
    assert_eq!(machine.platforms.iter().filter(|row| row.required).count(), 1);
}

#[rstest]
#[case("linux/arm65", Some("linux/arm64"))]
#[case("linux/s390", Some("linux/s390x"))]
#[case("linux/arm64/v9", None)]
#[case("windows/amd64", None)]
#[case("linux/unheard-of", None)]
fn a_slip_of_the_finger_is_told(#[case] platform: &str, #[case] nearest: Option<&str>) {
    let machine = host(&healthy(), &[Platform::parse(platform).unwrap()], None).machine;
    let reason =
        machine.platforms.iter().find(|row| row.platform == platform).unwrap().reason.clone().unwrap_or_default();
    assert_eq!(
        reason.split_once("; did you mean ").map(|(_, nearest)| nearest.trim_end_matches('?')),
        nearest,
        "{reason}"
    );
}

#[test]
fn the_name_of_a_handler_is_quoted_in_a_command() {
    let mut facts = healthy();
    facts.registry.handlers[0].name = "a; rm -rf ~".to_owned();
    facts.registry.handlers[0].enabled = false;
    let findings = host(&facts, &[], None).findings;
    let hint = &findings.iter().find(|finding| finding.rule == rule::HANDLER_DISABLED.name).unwrap().hint;
    assert!(hint.ends_with("or `echo 1 > '/proc/sys/fs/binfmt_misc/a; rm -rf ~'`"), "{hint}");
}
