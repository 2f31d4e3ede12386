//! What the group `run` says: the report's row of the platform, and the messages.

use super::run::{INTERNAL, Told, UNCAUGHT, code, emulated, end, native, refused_to_start, signal, with_tini};
use crate::checked::Given;
use mpcheck::check::Checked;
use mpcheck::check::run::Attempt;
use mpcheck::run::{Ended, Exit, NotReady, Output, StartError};
use mpcheck_reports::{Check, Finding, RunHow, RunSummary, Status};
use rstest::rstest;

fn check(given: impl Into<Given>) -> Checked {
    given.into().check()
}

fn run_of(checked: &Checked) -> &Check {
    checked.image.platforms[0].checks.iter().find(|check| check.name == "run").unwrap()
}

fn only(told: Told) -> Finding {
    let mut findings = check(told).findings;
    findings.retain(|finding| finding.rule.starts_with("run/"));
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.remove(0)
}

#[test]
fn what_was_run_is_in_the_report() {
    let checked = check(emulated("linux/arm64"));
    let wanted = RunSummary {
        runner: "sandbox".to_owned(),
        how: RunHow::Emulated,
        emulator: Some("qemu-aarch64 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)".to_owned()),
        machine: Some("aarch64".to_owned()),
        reason: Some("the sandbox works here".to_owned()),
    };
    assert_eq!(checked.image.platforms[0].run, Some(wanted));
    assert_eq!(*run_of(&checked), Check { name: "run".to_owned(), status: Status::Passed, reason: None });
}

#[test]
fn natively_there_is_no_emulator_and_the_image_names_the_machine() {
    let told = native("linux/386", "x86_64").uname(end(Exit::Code(0), "i686\n", ""));
    let summary = check(told).image.platforms.remove(0).run.unwrap();
    assert_eq!((summary.how, summary.emulator, summary.machine.as_deref()), (RunHow::Native, None, Some("i686")));
}

#[rstest]
#[case::missing(refused_to_start(StartError::NotFound))]
#[case::silent(code(0))]
fn without_a_uname_the_probe_names_the_machine(#[case] ended: Ended) {
    let told = emulated("linux/arm64").image(super::scratch("linux/arm64"));
    let summary = check(told.uname(ended)).image.platforms.remove(0).run.unwrap();
    assert_eq!(summary.machine.as_deref(), Some("aarch64"));
}

#[rstest]
#[case::crashed(emulated("linux/arm64").app(signal(11)), "died of SIGSEGV")]
#[case::crashed_with_a_word(emulated("linux/riscv64").app(end(Exit::Signal(11), "", INTERNAL)), "died of SIGSEGV")]
#[case::illegal(emulated("linux/arm64").app(signal(4)), "has an instruction that the processor of qemu-aarch64")]
#[case::illegal_here(native("linux/amd64", "x86_64").app(signal(4)), "that this machine's processor does not have")]
fn what_an_emulator_or_processor_did_is_undecided(#[case] told: Told, #[case] why: &str) {
    let checked = check(told);
    let run = run_of(&checked);
    assert_eq!(run.status, Status::Skipped);
    assert!(run.reason.as_ref().unwrap().contains(why), "{run:?}");
}

#[test]
fn under_require_run_it_is_an_error_that_names_the_option() {
    let checked = check(emulated("linux/arm64").app(signal(11)).required());
    let run = run_of(&checked);
    assert_eq!(run.status, Status::Error);
    assert!(run.reason.as_ref().unwrap().starts_with("this platform had to be run (--require-run)"), "{run:?}");
}

#[test]
fn a_container_that_ended_in_the_middle_is_undecided_and_what_was_seen_stands() {
    let checked = check(emulated("linux/arm64").interrupted("the sandbox came to an end"));
    let run = run_of(&checked);
    assert_eq!(run.status, Status::Error);
    assert_eq!(run.reason.as_deref(), Some("not all commands could be run: the sandbox came to an end; see there"));
    let checked = check(emulated("linux/arm64").app(code(3)).interrupted("the sandbox came to an end"));
    assert_eq!(run_of(&checked).status, Status::Failed);
}

/// What was decided beside it is not taken back.
#[test]
fn a_failure_beside_a_crash_is_a_failure() {
    let told = emulated("linux/arm64").app(signal(11)).command(&["b"], code(1));
    assert_eq!(run_of(&check(told)).status, Status::Failed);
}

#[rstest]
#[case::skipped(false, Status::Skipped, "no emulator for arm64; install one")]
#[case::required(true, Status::Error, "could not be: no emulator for arm64; install one")]
fn what_could_not_be_run_has_its_reason_and_next_step(
    #[case] required: bool,
    #[case] status: Status,
    #[case] why: &str,
) {
    let attempt = Attempt::NotRun(NotReady::new("no emulator for arm64", "install one"));
    let given = Given::from(super::scratch("linux/arm64")).attempted(attempt);
    let checked = check(if required { given.run_required() } else { given });
    assert_eq!(run_of(&checked).status, status);
    assert!(run_of(&checked).reason.as_ref().unwrap().ends_with(why), "{:?}", run_of(&checked));
    assert_eq!(checked.image.platforms[0].run, None);
}

#[test]
fn what_was_not_asked_for_is_skipped_whatever_is_required() {
    let attempt = Attempt::Skipped("this platform was not asked for".to_owned());
    let checked = check(Given::from(super::scratch("linux/arm64")).attempted(attempt).run_required());
    assert_eq!(run_of(&checked).status, Status::Skipped);
}

#[test]
fn a_leak_names_the_command_the_file_its_layer_and_its_instruction() {
    let told = emulated("linux/arm64").image(with_tini()).command(&["sh", "-c", "tini -- app"], code(126));
    let leak = only(told.refused("/usr/share/tini"));
    assert_eq!(leak.path.as_deref(), Some("/usr/share/tini"));
    assert_eq!(leak.layer.as_ref().map(|layer| layer.index), Some(2));
    assert!(leak.instruction.as_ref().unwrap().contains("tini-amd64"), "{leak:?}");
    assert!(leak.message.starts_with("`sh -c 'tini -- app'` started /usr/share/tini, a program for"), "{leak:?}");
    assert!(leak.message.ends_with("no linux/arm64 machine can run"), "{leak:?}");
}

#[test]
fn one_command_can_leak_only_so_often() {
    let mut told = emulated("linux/arm64").app(code(0));
    for number in 0..1000 {
        told = told.refused(format!("/tmp/{number}"));
    }
    assert_eq!(check(told).findings.len(), 20);
}

#[test]
fn a_leak_of_a_strange_name_is_shown_without_loss() {
    let leak = only(emulated("linux/arm64").app(code(0)).refused(b"/tmp/a\xffb"));
    assert_eq!(leak.path.as_deref(), Some("/tmp/a\\xffb"));
}

#[rstest]
#[case::code(code(3), "`app --check` failed: it exited with 3 instead of 0")]
#[case::signal(signal(15), "`app --check` failed: it was ended by SIGTERM")]
#[case::unnamed_signal(signal(64), "`app --check` failed: it was ended by signal 64")]
#[case::memory(end(Exit::OutOfMemory, "", ""), "`app --check` failed: its processes took more memory than they may")]
#[case::missing(refused_to_start(StartError::NotFound), "`app --check` could not be started: there is no such program")]
#[case::timeout(end(Exit::TimedOut, "", ""), "`app --check` did not end within 1.5 s")]
#[case::program(end(Exit::Signal(11), "", UNCAUGHT), "`app --check` failed: it was ended by SIGSEGV")]
fn messages_say_how_it_ended(#[case] ended: Ended, #[case] wanted: &str) {
    let finding = only(emulated("linux/arm64").app(ended));
    assert_eq!(finding.message, wanted);
    assert!(!finding.hint.is_empty());
}

#[test]
fn a_wrong_machine_says_what_it_may_be() {
    let finding = only(native("linux/arm/v7", "aarch64").uname(end(Exit::Code(0), "x86_64\n", "")));
    assert_eq!(finding.message, "`uname -m` says that this is x86_64, which linux/arm/v7 is not");
    assert_eq!(finding.observed.as_deref(), Some("x86_64"));
    assert!(finding.expected.as_ref().unwrap().contains("armv7l"), "{finding:?}");
}

#[rstest]
#[case::errors_first("out\n", "err\n", "err")]
#[case::else_the_output("out\n", "", "out")]
#[case::nothing("", "", "no output")]
#[case::only_qemu_warned("out\n", "qemu-aarch64: warning: TCG doesn't support it\n", "out")]
#[case::controls("", "\u{1b}]0;x\u{7}a\nb", "\\u{1b}]0;x\\u{7}a\\nb")]
fn a_failure_shows_what_was_written(#[case] stdout: &str, #[case] stderr: &str, #[case] shown: &str) {
    let finding = only(emulated("linux/arm64").app(end(Exit::Code(1), stdout, stderr)));
    assert_eq!(finding.observed.as_deref(), Some(shown));
}

#[test]
fn invalid_utf8_is_shown_and_a_flood_is_cut_at_its_start() {
    let mut bytes = vec![0xff; 1 << 20];
    bytes.extend(b" the end\n");
    let observed = only(emulated("linux/arm64").app(end(Exit::Code(1), "", bytes))).observed.unwrap();
    assert!(observed.starts_with("…\u{fffd}") && observed.ends_with(" the end"), "{observed}");
    assert!(observed.len() < 1000, "{}", observed.len());
}

#[test]
fn a_long_command_is_cut_and_escaped() {
    let finding = only(emulated("linux/arm64").command(&[&"a".repeat(100_000), "\u{1b}"], code(1)));
    assert!(finding.message.len() < 300 && finding.message.contains("a…`"), "{}", finding.message);
    let finding = only(emulated("linux/arm64").command(&["echo", "\u{1b}[31m"], code(1)));
    assert!(!finding.message.contains('\u{1b}'), "{}", finding.message);
}

#[test]
fn a_hostile_machine_name_is_cut_and_escaped() {
    let told = emulated("linux/arm64").uname(end(Exit::Code(0), "\u{1b}".repeat(100_000), ""));
    let checked = check(told);
    assert!(checked.findings[0].message.len() < 1000);
    let machine = checked.image.platforms[0].run.clone().unwrap().machine.unwrap();
    assert!(machine.len() < 1000 && !machine.contains('\u{1b}'), "{machine}");
}

#[test]
fn a_pattern_that_was_not_met_in_a_cut_output_says_so() {
    let mut ended = code(0);
    ended.stdout = Output { bytes: b"0123456789".to_vec(), total: 1 << 30 };
    let finding = only(emulated("linux/arm64").app(ended).expecting(0, &["ready"], &[]));
    let wanted =
        "`app --check`: nothing on its standard output matches `ready`, of which the first 10 bytes were looked at";
    assert_eq!(finding.message, wanted);
    assert_eq!((finding.expected.as_deref(), finding.observed.as_deref()), (Some("ready"), Some("0123456789")));
}

/// What was not kept of the errors may be qemu's word about the program.
#[test]
fn a_crash_whose_errors_are_cut_is_the_programs() {
    let mut ended = signal(11);
    ended.stderr = Output { bytes: b"flood".to_vec(), total: 1 << 30 };
    assert_eq!(only(emulated("linux/arm64").app(ended)).rule, "run/command-failed");
}
