//! `mpcheck host` under real handlers, registered in a user namespace of the test's own: the host's stay as they are.
//!
//! Needs Linux 6.7, user namespaces, and qemu-s390x-static.

use mpcheck::platform::Architecture;
use rstest::rstest;
use serde_json::Value;
use std::process::Command;

/// The platform that handlers are registered for; native on no machine that this is tested on.
const FOREIGN: &str = "linux/s390x";
const EMULATOR: &str = "/usr/bin/qemu-s390x-static";

/// A line for binfmt_misc in a shell's words: the table's magic and mask, changed by `change`.
fn register(interpreter: &str, flags: &str, change: fn(&mut [u8; 20])) -> String {
    let emulator = Architecture::by_name("s390x").unwrap().emulator.unwrap();
    let mut mask = emulator.mask;
    change(&mut mask);
    let escaped = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
    let line = format!(":test:M:0:{}:{}:{interpreter}:{flags}", escaped(&emulator.magic), escaped(&mask));
    format!("echo '{line}' > $R/register")
}

/// Runs these commands of a shell in a namespace with an empty binfmt_misc, and then `mpcheck host`.
fn host_after(commands: &str) -> Value {
    let directory = tempfile::tempdir().unwrap();
    let script = format!(
        "set -e; R=/proc/sys/fs/binfmt_misc; mount -t binfmt_misc binfmt_misc $R; cd \"$1\"; {commands}; exec \"$2\" host --format json"
    );
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "bash", "-c", &script, "bash"])
        .arg(directory.path())
        .arg(env!("CARGO_BIN_EXE_mpcheck"))
        .env("XDG_CACHE_HOME", directory.path().join("cache"))
        // The engines are another test's business.
        .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// What was said of the platform: its state, and the rules that are broken there or on the whole host.
fn said(report: &Value) -> (String, Vec<(String, String)>) {
    let platforms = report["host"]["platforms"].as_array().unwrap();
    let row = platforms.iter().find(|row| row["platform"] == FOREIGN).unwrap();
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    let about = |finding: &&Value| finding["platform"] == FOREIGN || finding["rule"] == "host/binfmt-unavailable";
    let rules = findings.filter(about).map(|finding| (word(&finding["rule"]), word(&finding["severity"])));
    // What the test's machine has in binfmt.d is not this test's business.
    let of_boot = |rule: &str| ["host/not-persisted", "host/not-registered"].contains(&rule);
    (word(&row["status"]), rules.filter(|(rule, _)| !of_boot(rule)).collect())
}

const AS_IT_IS: fn(&mut [u8; 20]) = |_| {};

#[rstest]
#[case::nothing("true".to_owned(), "none", &[])]
#[case::right(register(EMULATOR, "PFC", AS_IT_IS), "emulated", &[])]
#[case::no_credentials(register(EMULATOR, "PF", AS_IT_IS), "emulated", &[("host/no-credentials", "note")])]
#[case::no_argv0(register(EMULATOR, "FC", AS_IT_IS), "emulated", &[("host/argv0-lost", "note")])]
#[case::no_fix_binary(register(EMULATOR, "PC", AS_IT_IS), "broken", &[("host/no-fix-binary", "warning")])]
#[case::gone_and_pinned(
    format!("cp {EMULATOR} e; {}; rm e", register("'$PWD'/e", "PFC", AS_IT_IS)),
    "emulated",
    &[("host/emulator-gone", "note")]
)]
#[case::gone(
    register("/nowhere/emulator", "PC", AS_IT_IS),
    "broken",
    &[("host/emulator-gone", "warning"), ("host/no-fix-binary", "warning")]
)]
#[case::too_strict(register(EMULATOR, "PFC", |mask| mask[7] = 0xff), "emulated", &[("host/wrong-mask", "warning")])]
#[case::switched_off(
    format!("{}; echo 0 > $R/test", register(EMULATOR, "PFC", AS_IT_IS)),
    "none",
    &[("host/handler-disabled", "warning")]
)]
#[case::no_emulator_at_all(
    register("/bin/false", "PFC", AS_IT_IS),
    "broken",
    &[("host/dynamic-emulator", "warning"), ("host/emulation-broken", "warning")]
)]
fn what_is_wrong_with_a_handler_is_seen(
    #[case] commands: String,
    #[case] status: &str,
    #[case] rules: &[(&str, &str)],
) {
    let (found, broken) = said(&host_after(&commands));
    let broken: Vec<(&str, &str)> = broken.iter().map(|(rule, severity)| (rule.as_str(), severity.as_str())).collect();
    assert_eq!((found.as_str(), broken.as_slice()), (status, rules));
}

/// A program for this machine that lies in the directory of the commands, in place of an emulator.
fn program(name: &str) -> Vec<u8> {
    let host = mpcheck::platform::Platform::host();
    let row = host.row().unwrap();
    match name {
        "hanging" => mpcheck::probe::waiter(row, 600).unwrap(),
        "crashing" => {
            let mut program = mpcheck::probe::probe(row).unwrap();
            // e_entry of 64-bit programs: nothing is mapped there.
            program[24..32].fill(0);
            program
        }
        other => panic!("{other}"),
    }
}

#[rstest]
#[case("crashing", "was ended by signal 11")]
#[case("hanging", "did not end in time")]
fn an_emulator_that_does_not_do_is_told_with_what_it_did(#[case] name: &str, #[case] observed: &str) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, program(name)).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let report = host_after(&register(path.to_str().unwrap(), "PFC", AS_IT_IS));
    let (status, rules) = said(&report);
    let rules: Vec<&str> = rules.iter().map(|(rule, _)| rule.as_str()).collect();
    assert_eq!((status.as_str(), rules.as_slice()), ("broken", ["host/emulation-broken"].as_slice()), "{report:#}");
    let findings = report["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["rule"] == "host/emulation-broken").unwrap();
    assert!(found["observed"].as_str().unwrap().contains(observed), "{found:#}");
}

#[test]
fn all_switched_off_is_one_finding() {
    let report = host_after(&format!("{}; echo 0 > $R/status", register(EMULATOR, "PFC", AS_IT_IS)));
    assert_eq!(report["host"]["binfmt_misc"]["state"], "disabled");
    assert_eq!(said(&report).0, "none");
    let disabled = report["findings"].as_array().unwrap().iter();
    assert_eq!(disabled.filter(|finding| finding["rule"] == "host/handler-disabled").count(), 1);
}

#[test]
fn what_is_not_mounted_is_told_and_emulates_all_the_same() {
    let hide = "mount -t tmpfs none $R";
    let report = host_after(&format!("{}; {hide}", register(EMULATOR, "PFC", AS_IT_IS)));
    assert_eq!(report["host"]["binfmt_misc"]["state"], "not mounted");
    let (status, rules) = said(&report);
    assert_eq!(status, "emulated");
    assert_eq!(rules, [("host/binfmt-unavailable".to_owned(), "note".to_owned())]);
}

/// A handler for the host's own programs, as far as they are at a fixed address: the probe is, and mpcheck, the shell and
/// the emulator are not, so that these go on as they are. One for all of them takes its own emulator too, and then
/// nothing can be started any more.
#[test]
fn a_handler_for_the_hosts_own_programs_is_seen() {
    let host = mpcheck::platform::Platform::host();
    let emulator = host.row().unwrap().emulator.unwrap();
    let mut mask = emulator.mask;
    mask[16..18].copy_from_slice(&[0xff, 0xff]);
    let escaped = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
    let interpreter = format!("/usr/bin/qemu-{}-static", emulator.name);
    let line = format!(":own:M:0:{}:{}:{interpreter}:PFC", escaped(&emulator.magic), escaped(&mask));
    let report = host_after(&format!("echo '{line}' > $R/register"));
    let platforms = report["host"]["platforms"].as_array().unwrap();
    let own = platforms.iter().find(|row| row["platform"] == host.to_string()).unwrap();
    assert_eq!(own["status"], "emulated", "{own:#}");
    assert!(own["emulator"].as_str().unwrap().starts_with(&format!("qemu-{} ", emulator.name)), "{own:#}");
    let findings = report["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["rule"] == "host/native-handler").unwrap();
    assert_eq!((&found["platform"], &found["observed"]), (&host.to_string().into(), &interpreter.into()));
}
