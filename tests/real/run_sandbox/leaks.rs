//! Programs of another architecture than the platform's: refused and reported, or not startable, or fine.

use super::*;

#[rstest]
#[case::amd64_in_arm64("linux/arm64", "linux/amd64")]
#[case::i386_in_arm64("linux/arm64", "linux/386")]
#[case::amd64_in_s390x("linux/s390x", "linux/amd64")]
#[case::amd64_in_386("linux/386", "linux/amd64")]
fn a_leaked_program_is_refused_and_reported_and_the_shell_goes_on(#[case] platform: &str, #[case] leak: &str) {
    let layer = Layer::new().dirs(&["usr/local/bin"]).program("usr/local/bin/tool", busybox(leak));
    let outcome = run(platform, [layer], &["--command", "sh -c 'tool true; echo went on'"]);
    let findings = run_findings(&outcome);
    let [(rule, path, message)] = findings.as_slice() else { panic!("{}", outcome.all()) };
    assert_eq!((rule.as_str(), path.as_str()), ("run/native-leak", "/usr/local/bin/tool"));
    assert!(message.contains(platform), "{message}");
    assert_eq!(outcome.code, 1);
    let findings = outcome.report["findings"].as_array().unwrap();
    let leak = findings.iter().find(|finding| finding["rule"] == "run/native-leak").unwrap();
    assert_eq!(leak["layer"]["index"], 1, "{leak:#}");
    // The machine was asked before, by the image's own uname.
    assert_eq!(outcome.platforms()[0]["checks"][0]["status"], "passed");
}

#[test]
fn a_leaked_uname_is_found_by_the_default_command() {
    let leaked = Layer::new().program("bin/busybox", busybox("linux/amd64"));
    let outcome = run("linux/arm64", [leaked], &[]);
    let found: Vec<(String, String)> = run_findings(&outcome).into_iter().map(|(rule, path, _)| (rule, path)).collect();
    assert_eq!(found, [("run/native-leak".to_owned(), "/bin/uname".to_owned())], "{}", outcome.all());
}

#[test]
fn a_leak_that_is_started_by_a_relative_path_has_its_whole_path() {
    let layer = Layer::new().dirs(&["srv"]).program("srv/tool", busybox("linux/amd64"));
    let outcome = run("linux/arm64", [layer], &["--command", "sh -c 'cd /srv; ./tool true'"]);
    assert_eq!(run_findings(&outcome)[0].1, "/srv/./tool", "{}", outcome.all());
}

#[test]
fn a_leak_with_something_in_its_padding_is_refused_too() {
    // AppImages have `AI` and a number there.
    let mut program = busybox("linux/amd64");
    program[8..11].copy_from_slice(b"AI\x02");
    let layer = Layer::new().program("usr/local/bin/tool", program);
    let outcome = run("linux/arm64", [layer], &["--command", "sh -c 'tool true'"]);
    assert_eq!(rules(&outcome), ["run/native-leak"], "{}", outcome.all());
}

#[test]
fn many_leaks_are_not_blamed_on_the_next_command() {
    let layer = Layer::new().program("usr/local/bin/tool", busybox("linux/amd64"));
    let many = "sh -c 'i=0; while test $i -lt 2000; do tool true; i=$((i+1)); done 2>/dev/null; exit 0'";
    let outcome = run("linux/s390x", [layer], &["--command", many, "--command", "echo x"]);
    let paths: Vec<String> = run_findings(&outcome).into_iter().map(|(_, path, _)| path).collect();
    assert_eq!(paths, ["/usr/local/bin/tool"], "{}", outcome.all());
}

#[test]
fn native_and_compatible_programs_run_on_their_own_platform() {
    // Under a name that begins so, busybox takes its first argument for what it shall be.
    let layer = Layer::new().program("usr/local/bin/busybox386", busybox("linux/386"));
    assert_ran(&run("linux/amd64", [layer], &["--command", "busybox386 true"]));
}

#[test]
fn a_program_of_a_third_architecture_is_an_exec_format_error() {
    let layer = Layer::new().dirs(&["usr/local/bin"]).program("usr/local/bin/tool", busybox("linux/riscv64"));
    let outcome = run("linux/arm64", [layer], &["--command", "tool true"]);
    assert_eq!(rules(&outcome), ["run/exec-format-error"], "{}", outcome.all());
}
