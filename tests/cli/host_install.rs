//! `mpcheck host install` and `uninstall`: what is typed wrongly, and what is only told. Nothing is registered here.

use super::Machine;
use mpcheck::platform::Platform;
use mpcheck_kit::incidents::application;
use rstest::rstest;

#[rstest]
#[case::nothing(&["install"], "Usage: mpcheck host install")]
#[case::unknown(&["install", "vax"], "`vax` is no architecture that can be installed")]
#[case::misspelt(&["install", "arm64,s390y"], "did you mean `s390x`?")]
#[case::misspelt_to_remove(&["uninstall", "risvc64"], "did you mean `riscv64`?")]
#[case::another_system(&["install", "windows/amd64"], "qemu runs programs of Linux")]
#[case::no_image(&["install", "s390x", "--emulators", "UPPER CASE"], "--emulators: ")]
#[case::persistent_on_an_engine(&["install", "s390x", "--engine", "--persist"], "--persist is not for --engine")]
#[case::removing_needs_no_image(&["uninstall", "s390x", "--emulators", "app"], "--engine")]
#[case::options_of_the_host(&["--require", "s390x", "install", "s390x"], "cannot be used with")]
fn what_is_typed_wrongly_is_told_before_anything_is_done(#[case] words: &[&str], #[case] said: &str) {
    let machine = Machine::new();
    let run = machine.run(&[&["host"], words].concat());
    run.says(2, &[said]);
    assert_eq!(machine.files(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn the_hosts_own_architecture_is_no_emulators() {
    let own = Platform::host().architecture().to_owned();
    Machine::new().run(&["host", "install", &own, "--dry-run"]).says(2, &["this machine's own", "write all"]);
}

#[rstest]
#[case(&["install", "all"], "--install all\n")]
#[case(&["install", "arm/v7,arm64"], "--install arm,arm64\n")]
#[case(&["uninstall", "mips64le"], "--uninstall qemu-mips64el\n")]
fn an_engines_command_is_told_without_an_engine(#[case] words: &[&str], #[case] arguments: &str) {
    let run = Machine::new().run(&[&["host"], words, &["--engine", "--dry-run"]].concat());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:#?}");
    assert_eq!(run.stdout, format!("docker run --privileged --rm tonistiigi/binfmt:latest {arguments}"));
}

#[rstest]
#[case("install", &["--persist", "--engine", "--emulators", "--dry-run", "Exit codes: 0 all of them run", "Examples:"])]
#[case("uninstall", &["--engine", "--dry-run", "`all` leaves out", "Exit codes: "])]
fn help_says_what_is_done(#[case] command: &str, #[case] parts: &[&str]) {
    Machine::new().run(&["host", command, "--help"]).says(0, parts);
}

#[test]
fn an_engine_runs_no_layout() {
    let machine = Machine::with(&application("linux/arm64").forge());
    let run = machine.run(&["host", "install", "s390x", "--engine", "--emulators", "oci:image"]);
    run.says(2, &["an engine runs images of its own", "write docker-daemon:NAME"]);
}

#[test]
fn completions_know_them() {
    let run = Machine::new().run(&["completions", "bash"]);
    run.says(0, &["uninstall", "--persist"]);
}
