//! `mpcheck build` as far as it goes without an engine: wrong words, and Dockerfiles that are only looked at.

use super::Machine;
use rstest::rstest;
use serde_json::Value;
use std::fs;

fn machine(dockerfile: &str) -> Machine {
    let machine = Machine::new();
    fs::create_dir(machine.path("app")).unwrap();
    fs::write(machine.path("app/Dockerfile"), dockerfile).unwrap();
    machine
}

const BOTH: &str = "linux/amd64,linux/arm64";

#[rstest]
#[case::no_platform(&["app"], "--platform is missing", "--platform linux/amd64,linux/arm64")]
#[case::all(&["app", "--platform", "all"], "`all` names no platform", "linux/arm64")]
#[case::no_platform_at_all(&["app", "--platform", "//"], "--platform: ", "linux/arm/v7")]
#[case::no_directory(&["ap", "--platform", BOTH], "there is no directory ap to build", "`mpcheck IMAGE`")]
#[case::no_dockerfile(&["app", "-f", "Dockerfile", "--platform", BOTH], "there is no Dockerfile Dockerfile", "from here")]
#[case::standard_input(&["-", "--platform", BOTH], "standard input", "unpack it")]
#[case::a_tag(&["--registry", "ghcr.io/me/app:1"], "without a tag or digest", "ghcr.io/me/app")]
#[case::no_repository(&["--registry", "UPPER"], "--registry: ", "ghcr.io/me/rehearsal")]
#[case::only_a_host(&["--registry", "ghcr.io"], "both are needed", "ghcr.io/rehearsal")]
#[case::scratch(&["--base", "scratch"], "scratch is no image", "leave out --base")]
#[case::command_of_a_rehearsal(&["--run", "sandbox", "--command", "true"], "for a Dockerfile of yours", "name its directory")]
#[case::output_nowhere(&["app", "-o", "none/a.tar", "--platform", BOTH], "there is no directory none", "name a file")]
#[case::output_is_a_directory(&["app", "-o", "app", "--platform", BOTH], "it is a directory", "name a file")]
#[case::no_base(&["--base", "a b"], "--base: ", "alpine:latest")]
#[case::an_address(&["https://example.org/a.git", "--check-dockerfile", "--platform", BOTH], "is not here", "check the repository out")]
#[case::only_checked(&["app", "--no-build", "--platform", BOTH], "--check-dockerfile", "")]
#[case::of_a_rehearsal(&["app", "--base", "alpine", "--platform", BOTH], "cannot be used with", "")]
#[case::of_a_build(&["--target", "x"], "CONTEXT", "")]
#[case::metrics(&["--format", "prometheus"], "prometheus is a format of `mpcheck host`", "json or junit")]
#[case::contradiction(&["app", "--platform", BOTH, "--run", "never", "--require-run"], "--run never", "--require-run")]
fn wrong_words_are_told_with_the_way_out(#[case] words: &[&str], #[case] message: &str, #[case] hint: &str) {
    let run = machine("FROM scratch\n").run(&[&["build"], words].concat());
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{}", run.stderr);
    assert!(run.stderr.contains(message) && run.stderr.contains(hint), "{}", run.stderr);
}

#[test]
fn without_docker_there_is_nothing_to_build_with() {
    let machine = machine("FROM scratch\n");
    fs::create_dir(machine.path("empty")).unwrap();
    let mut command = machine.command(&["build"]);
    let output = command.env("PATH", machine.path("empty")).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("there is no docker program in PATH") && stderr.contains("docker-cli"), "{stderr}");
}

/// Needs no docker, and so can stand in a hook.
#[test]
fn a_dockerfile_is_checked_without_docker() {
    let machine =
        machine("FROM golang AS build\nRUN GOARCH=amd64 go build -o /app\nFROM scratch\nCOPY --from=build /app /app\n");
    fs::create_dir(machine.path("empty")).unwrap();
    let check = |more: &[&str]| {
        let words = ["build", "app", "--platform", BOTH, "--check-dockerfile", "--no-build", "--format", "json"];
        let mut command = machine.command(&[&words[..], more].concat());
        command.env("PATH", machine.path("empty")).output().unwrap()
    };
    let output = check(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["steps"][0]["name"], &report["steps"][0]["status"]), (&"dockerfile".into(), &"passed".into()));
    let finding = &report["findings"][0];
    assert_eq!((&finding["rule"], &finding["severity"]), (&"build/fixed-architecture".into(), &"warning".into()));
    assert_eq!(finding["path"], "app/Dockerfile:2");
    assert_eq!(check(&["--fail-on", "warning"]).status.code(), Some(1));
    assert_eq!(check(&["--fail-on", "warning", "--target", "nobody"]).status.code(), Some(3));
}

#[test]
fn a_dockerfile_that_is_none_is_told_with_its_line() {
    let machine = machine("FROM scratch\nRUN <<EOF\nnever ends\n");
    let run = machine.run(&["build", "app", "--platform", BOTH, "--check-dockerfile", "--no-build"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("app/Dockerfile:2: "), "{}", run.stderr);
}
