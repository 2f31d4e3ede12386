//! Suites that are wrong: where, what to write instead, and the right exit code. What can be wrong is listed in
//! `harness/suite/load/tests.rs`; here is what the program makes of it.

use super::Machine;
use rstest::rstest;
use std::fs;

fn told(name: &str, text: &str) -> super::Run {
    let machine = Machine::new();
    fs::write(machine.path(name), text).unwrap();
    machine.run(&["test", name, "--list"])
}

#[rstest]
#[case::unknown_key(
    "version: 1\nimages:\n  - image: a\n    platfroms: [linux/arm64]\n",
    2,
    "error: release.yaml:4:5: unknown key `platfroms`\n hint: write `platforms`; the keys here are `image`, "
)]
#[case::a_platform(
    "version: 1\nimages:\n  - image: a\n    platforms: [linux/arm65]\n",
    2,
    "error: release.yaml:4:17: `linux/arm65` does not exist: no architecture is called `arm65`\n hint: write `linux/arm64`\n"
)]
#[case::two_problems(
    "version: 1\nimages:\n  - image: a:${NOT_SET}\n    platforms: [linux/arm65]\n",
    2,
    "error: release.yaml:3:12: the variable NOT_SET is not set\n hint: set it, or give it a value here, \
     `${NOT_SET:-VALUE}`, or below `variables:` at the top\nerror: release.yaml:4:17: "
)]
#[case::empty(
    "version: 1\nimages: []\n",
    4,
    "error: release.yaml:1:1: the suite `release` has no images, so nothing would be checked\n hint: add `images:`"
)]
#[case::no_yaml("version: 1\nimages: [\n", 2, "error: release.yaml:2:9: this is not YAML that can be read: ")]
#[case::hostile("version: 1\n\"a\\e[31m\": 1\n", 2, "error: release.yaml:2:1: unknown key `a\\u{1b}[31m`\n")]
fn a_wrong_suite_is_told_with_its_place(#[case] text: &str, #[case] code: i32, #[case] wanted: &str) {
    let run = told("release.yaml", text);
    assert!(run.stderr.starts_with(wanted), "{}", run.stderr);
    assert_eq!(run.code, code);
    assert_eq!(run.stdout, "");
}

#[test]
fn an_exception_that_is_over_stops_the_suite() {
    let text = "version: 1\nimages:\n  - image: a\n    platforms: [linux/arm64]\n    run:\n      commands:\n        - \
                command: b\n          exceptions: [{platforms: arm64, reason: c, expires: 2020-01-31}]\n";
    let run = told("release.yaml", text);
    let wanted = "error: release.yaml:8:63: this exception expired: its last day was 2020-01-31, and today is 20";
    assert!(run.stderr.starts_with(wanted), "{}", run.stderr);
    assert_eq!(run.code, 2);
}

/// A file that the suite names is told in the suite's own line.
#[rstest]
#[case::missing(
    None,
    2,
    "error: s/release.yaml:5:17: the structure file s/old.yaml cannot be read: No such file",
    "hint: its path is relative to the directory of the suite, s\n"
)]
#[case::wrong(
    Some("schemaVersion: 2.0.0\ncomandTests: []\n"),
    2,
    "error: s/release.yaml:5:17: the structure file s/old.yaml:2:1: unknown key `comandTests`\n",
    "hint: write `commandTests`"
)]
#[case::empty(
    Some("schemaVersion: 2.0.0\n"),
    4,
    "error: s/release.yaml:5:17: the structure file s/old.yaml: there is no test in this file\n",
    "hint: write one"
)]
fn a_structure_file_is_told_where_it_is_named(
    #[case] structure: Option<&str>,
    #[case] code: i32,
    #[case] message: &str,
    #[case] hint: &str,
) {
    let machine = Machine::new();
    fs::create_dir(machine.path("s")).unwrap();
    let suite = "version: 1\nimages:\n  - image: a\n    platforms: arm64\n    structure: [old.yaml]\n";
    fs::write(machine.path("s/release.yaml"), suite).unwrap();
    if let Some(text) = structure {
        fs::write(machine.path("s/old.yaml"), text).unwrap();
    }
    let run = machine.run(&["test", "s/release.yaml", "--list"]);
    assert!(run.stderr.starts_with(message), "{}", run.stderr);
    assert!(run.stderr.contains(hint), "{}", run.stderr);
    assert_eq!(run.code, code, "{}", run.stderr);
}

#[test]
fn variables_come_from_the_environment() {
    let machine = Machine::new().variable("APP_IMAGE", "registry.example/team/app:1");
    fs::write(machine.path("s.yaml"), "version: 1\nimages: [{image: '${APP_IMAGE}', platforms: [linux/arm64]}]\n")
        .unwrap();
    let run = machine.run(&["test", "s.yaml", "--list"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.starts_with("s/app/"), "{}", run.stdout);
}

#[test]
fn the_schema_in_the_repository_is_the_programs() {
    let run = Machine::new().run(&["schema", "suite"]);
    let kept = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/suites/suite.schema.json")).unwrap();
    assert!(run.stdout == kept, "suites/suite.schema.json is not the program's: run `make schema`");
}
