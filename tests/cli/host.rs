//! `mpcheck host` on the machine that runs the tests: its own platform runs, and no more is known of it.

use super::Machine;
use super::output::assert_valid;
use mpcheck::platform::Platform;
use rstest::rstest;
use serde_json::Value;

#[test]
fn the_hosts_own_platform_is_proved_and_the_report_is_as_the_schema_says() {
    let machine = Machine::new();
    let report = machine.report(&["host"]);
    assert_valid(&report);
    assert_eq!((&report["verdict"], &report["images"]), (&Value::from("passed"), &Value::Array(Vec::new())));
    let host = Platform::host().to_string();
    let row = report["host"]["platforms"].as_array().unwrap().iter().find(|row| row["platform"] == host).unwrap();
    assert_eq!((&row["ways"][0]["name"], &row["ways"][0]["status"]), (&"direct".into(), &"passed".into()), "{row:#}");
    assert!(row["machine"].is_string(), "{row:#}");
    assert_eq!(machine.files(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn text_is_a_table_and_a_last_line() {
    let host = Platform::host().to_string();
    Machine::new().run(&["host", "--require", &host]).says(0, &["this host (Linux ", &host, "platforms run here"]);
}

#[rstest]
#[case::no_probe("windows/amd64", 3, "no probe for windows/amd64")]
#[case::no_such_architecture("linux/sparc64", 3, "no probe for linux/sparc64")]
#[case::all("all", 2, "`all` names no platform")]
#[case::nonsense("linux/", 2, "--require: ")]
fn what_is_required_decides(#[case] platform: &str, #[case] code: i32, #[case] said: &str) {
    Machine::new().run(&["host", "--require", platform]).says(code, &[said]);
}

#[test]
fn the_environment_is_told() {
    let machine = Machine::new().variable("DOCKER_DEFAULT_PLATFORM", "linux/s390x");
    let report = machine.report(&["host"]);
    assert_eq!(report["host"]["default_platform"], "linux/s390x");
    let rules: Vec<&str> =
        report["findings"].as_array().unwrap().iter().filter_map(|finding| finding["rule"].as_str()).collect();
    assert!(rules.contains(&"host/default-platform"), "{rules:?}");
}

#[test]
fn an_engine_that_is_not_there_fails_nothing() {
    let report = Machine::new().report(&["host", "--host", "unix:///nowhere/docker.sock"]);
    assert_eq!(report["host"]["engine"], Value::Null);
    assert!(report["host"]["no_engine"].as_str().unwrap().contains("/nowhere/docker.sock"));
}
