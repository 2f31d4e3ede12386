//! The options of running: what they accept, and what becomes of platforms that cannot be run.
//!
//! Nothing is run here: what a host can run is tried in `tests/real`.

use super::{Machine, good, statuses};
use rstest::rstest;

#[rstest]
#[case::a_runner(&["--run", "podman"], "[possible values: auto, docker, sandbox, never]")]
#[case::an_open_quote(&["--command", "sh -c 'exit"], "a quote is not closed")]
#[case::an_empty_command(&["--command", " "], "it is empty")]
#[case::a_regex_for_output(&["--command", "a", "--expect-stdout", "a(b"], "unclosed group")]
#[case::a_regex_for_errors(&["--command", "a", "--expect-stderr", "*"], "repetition operator missing expression")]
#[case::a_code(&["--command", "a", "--expect-exit", "256"], "256 is not in 0..=255")]
#[case::a_code_of_nothing(&["--expect-exit", "1"], "--command <COMMAND>")]
#[case::output_of_nothing(&["--expect-stdout", "a"], "--command <COMMAND>")]
#[case::errors_of_nothing(&["--expect-stderr", "a"], "--command <COMMAND>")]
#[case::no_time(&["--timeout", "0s"], "it is between 1ms and 1day")]
#[case::too_much_time(&["--timeout", "2days"], "it is between 1ms and 1day")]
#[case::time_without_a_unit(&["--timeout", "30"], "such as 30s or 2m")]
#[case::a_processor(&["--cpu", "host"], "[possible values: max, baseline]")]
#[case::an_argument(&["--entrypoint", "-v"], "--entrypoint")]
#[case::emulators_of_nowhere(&["--run", "sandbox", "--emulators", "oci:"], "--emulators")]
#[case::a_command_for_nothing(&["--run", "never", "--command", "a"], "--run never runs nothing")]
#[case::an_entrypoint_for_nothing(&["--run", "never", "--entrypoint", "help"], "leave out --run never")]
#[case::baseline_and_never(&["--run", "never", "--cpu", "baseline"], "on no processor")]
#[case::emulators_and_docker(&["--run", "docker", "--emulators", "tonistiigi/binfmt"], "--emulators is for the sandbox")]
#[case::required_and_never(&["--run", "never", "--require-run"], "an option asks for running")]
fn what_is_typed_wrongly_is_told_before_anything_is_read(#[case] options: &[&str], #[case] why: &str) {
    // The image is not there: usage comes first.
    Machine::new().run(&[&["oci:nowhere"], options].concat()).says(2, &[why]);
}

#[test]
fn never_is_skipped_with_that_reason_and_not_passed() {
    let machine = Machine::with(&good());
    let report = machine.report(&["image", "--run", "never"]);
    let ran: Vec<String> = statuses(&report).into_iter().filter(|line| line.contains(" run ")).collect();
    assert_eq!(ran, ["linux/amd64 run skipped", "linux/arm64 run skipped"]);
    let platform = &report["images"][0]["platforms"][0];
    assert_eq!(platform["checks"][4]["reason"], "running was not asked for (--run never)");
    assert!(platform["run"].is_null());
    let words = ["run was skipped on every platform: running was not asked for (--run never)", "not checked: run"];
    machine.run(&["image", "--run", "never"]).says(0, &words);
}

fn without_engine() -> Machine {
    Machine::with(&good()).variable("DOCKER_HOST", "unix:///nowhere/docker.sock")
}

#[test]
fn what_cannot_be_run_is_skipped_with_its_reason() {
    let words = ["run was skipped on every platform: ", "/nowhere/docker.sock", "hint: ", "not checked: run", "passed"];
    without_engine().run(&["image", "--run", "docker"]).says(0, &words);
}

#[test]
fn what_had_to_be_run_and_could_not_be_is_no_success() {
    let words = ["run could not be decided on every platform: ", "(--require-run)", "/nowhere/docker.sock"];
    let machine = without_engine();
    machine.run(&["image", "--run", "docker", "--require-run"]).says(3, &words);
    // What was not asked for is not required.
    let report = machine.report(&["image", "--run", "docker", "--require-run", "--platform", "linux/amd64"]);
    let ran: Vec<String> = statuses(&report).into_iter().filter(|line| line.contains(" run ")).collect();
    assert_eq!(ran, ["linux/amd64 run error", "linux/arm64 run skipped"]);
}

#[rstest]
#[case(&["--help"])]
#[case(&["check", "--help"])]
fn help_names_the_runners_the_limits_and_the_timeout(#[case] arguments: &[&str]) {
    let run = Machine::new().run(arguments);
    assert_eq!(run.code, 0);
    let help = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let limits = "may use 512 processes, 2 GiB of memory and 64 MiB of /tmp; it has no network, a read-only root";
    for part in
        [limits, "Of each output 1 MiB", "[default: 60s]", "no Docker, no root; needs Linux 6.7", "[default: auto]"]
    {
        assert!(help.contains(part), "{part:?} is not in {help}");
    }
}
