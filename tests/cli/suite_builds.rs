//! Suites with builds, as far as nothing is built: names, filters, what is wrong, and a machine without docker. Builds
//! themselves are tried in `tests/real`.

use super::Machine;
use rstest::rstest;
use serde_json::Value;
use std::fs;

const SUITE: &str = "\
version: 1
defaults:
  platforms: [linux/amd64, linux/arm64]
  run: {commands: [{command: [/app, --version], name: version}]}
builds:
  - context: app
    check-dockerfile: true
  - platforms: linux/arm64
";

/// A machine without docker, with a suite and what it builds.
fn machine(suite: &str) -> Machine {
    let machine = Machine::new().variable("PATH", "/nowhere");
    fs::create_dir(machine.path("app")).unwrap();
    fs::write(machine.path("app/Dockerfile"), "FROM scratch\n").unwrap();
    fs::write(machine.path("release.yaml"), suite).unwrap();
    machine
}

fn listed(machine: &Machine, options: &[&str]) -> Vec<String> {
    let run = machine.run(&[&["test", "release.yaml", "--list"], options].concat());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{options:?}");
    run.stdout.lines().map(|line| line.strip_suffix(": test").unwrap().to_owned()).collect()
}

#[test]
fn listing_needs_no_docker_and_builds_nothing() {
    let machine = machine(SUITE);
    let of = |platform: &str| {
        let names = ["manifest", "blobs", "layers", "binaries", "run/version"];
        names.map(|name| format!("release/app/{platform}/{name}")).to_vec()
    };
    // These tests run nothing: `--run never` leaves the machine's own question out.
    let whole = ["dockerfile", "build", "platforms"].map(|name| format!("release/app/{name}")).to_vec();
    let rehearsal = vec!["release/rehearsal/build".to_owned()];
    let all = [whole, of("linux-amd64"), of("linux-arm64"), rehearsal].concat();
    assert_eq!(listed(&machine, &[]), all);
    assert_eq!(listed(&machine, &["--", "/build"]), ["release/app/build", "release/rehearsal/build"]);
    // Neither is of one platform, whatever it builds for.
    assert_eq!(listed(&machine, &["--platform", "arm64"]), of("linux-arm64"));
    assert_eq!(listed(&machine, &["--ignored"]), [""; 0]);
    let files = machine.files();
    assert!(files.iter().all(|path| !path.to_string_lossy().contains("mpcheck-build")), "{files:?}");
}

#[test]
fn shards_take_all_of_a_build_and_none_twice() {
    let machine = machine(SUITE);
    let parts: Vec<Vec<String>> = (1..=4).map(|n| listed(&machine, &["--shard", &format!("{n}/4")])).collect();
    let mut all = parts.concat();
    all.sort();
    let mut wanted = listed(&machine, &[]);
    wanted.sort();
    assert_eq!(all, wanted);
    let with_build = parts.iter().find(|part| part.contains(&"release/app/build".to_owned())).unwrap();
    assert!(with_build.contains(&"release/app/platforms".to_owned()), "what is asked of the whole stays together");
}

#[test]
fn without_docker_nothing_can_be_decided() {
    let machine = machine(SUITE);
    let report = machine.report(&["test", "release.yaml"]);
    let trials = report["trials"].as_array().unwrap();
    for trial in trials.iter().filter(|trial| trial["check"] != "dockerfile") {
        assert_eq!(trial["status"], "error", "{trial:#}");
        assert!(
            trial["reason"].as_str().unwrap().starts_with("there is no docker program in PATH; install"),
            "{trial:#}"
        );
    }
    assert_eq!((trials.len(), &report["verdict"]), (14, &Value::from("error")));
    machine.run(&["test", "release.yaml"]).says(3, &["there is no docker program in PATH"]);
    let junit = machine.run(&["test", "release.yaml", "--format", "junit"]);
    assert!(
        junit.code == 3 && junit.stdout.contains("<error message=\"there is no docker program"),
        "{}",
        junit.stdout
    );
    let files = machine.files();
    assert!(files.iter().all(|path| !path.to_string_lossy().contains("mpcheck-build")), "{files:?}");
}

#[test]
fn a_dockerfile_is_checked_without_docker() {
    let machine = machine(SUITE);
    let name = ["test", "release.yaml", "--exact", "--", "release/app/dockerfile"];
    machine.run(&name).says(0, &["release/app  the build of app", "passed: 1 passed"]);
    let pinned = "FROM scratch\nFROM --platform=$BUILDPLATFORM alpine\nCOPY app /app\n";
    fs::write(machine.path("app/Dockerfile"), pinned).unwrap();
    machine.run(&name).says(0, &["warning[build/pinned-stage]", "app/Dockerfile"]);
    let words = ["FAILED  dockerfile", "warning[build/pinned-stage]"];
    machine.run(&[&["test", "release.yaml", "--fail-on", "warning"], &name[2..]].concat()).says(1, &words);
    fs::write(machine.path("app/Dockerfile"), "COPY app /app\n").unwrap();
    machine.run(&name).says(3, &["could not be decided  dockerfile: "]);
}

/// Where is wrong what, and what to write; `harness/suite/resolve/build/tests.rs` has the rest.
#[rstest]
#[case::directory(
    "  - context: ap\n    platforms: linux/arm64\n",
    "error: release.yaml:3:14: there is no directory ap\n hint: its path is relative to the directory of the suite, .\n"
)]
#[case::both(
    "  - context: app\n    platforms: linux/arm64\n    base: alpine\n",
    "error: release.yaml:5:11: `base` is for a rehearsal of the host, and this build has a `context`\n hint: leave one of \
     them out\n"
)]
#[case::of_a_build(
    "  - platforms: linux/arm64\n    file: Dockerfile\n",
    "error: release.yaml:4:11: `file` is for a build with a `context`; without one, the host is rehearsed\n hint: add \
     `context: DIRECTORY`, or leave `file` out\n"
)]
fn a_wrong_build_is_told_with_its_place(#[case] build: &str, #[case] wanted: &str) {
    let machine = machine(&format!("version: 1\nbuilds:\n{build}"));
    for arguments in [&["test", "release.yaml", "--list"][..], &["test", "release.yaml"]] {
        let run = machine.run(arguments);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""));
        assert!(run.stderr.starts_with(wanted), "{}", run.stderr);
    }
}
