//! `mpcheck host` on the machine that runs the tests: its own platform runs, and no more is known of it.

use super::Machine;
use super::output::assert_valid;
use mpcheck::platform::Platform;
use rstest::rstest;
use serde_json::Value;

/// The emulators of the host are copied once for all of these tests: they have more than a hundred megabytes.
fn machine() -> Machine {
    Machine::new().variable("XDG_CACHE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/host-cache"))
}

#[test]
fn the_hosts_own_platform_is_proved_and_the_report_is_as_the_schema_says() {
    let machine = machine();
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
    machine().run(&["host", "--require", &host]).says(0, &["this host (Linux ", &host, "platforms run here"]);
}

#[rstest]
#[case::no_probe("windows/amd64", 3, "no probe for windows/amd64")]
#[case::no_such_architecture("linux/sparc64", 3, "no probe for linux/sparc64")]
#[case::all("all", 2, "`all` names no platform")]
#[case::nonsense("linux/", 2, "--require: ")]
fn what_is_required_decides(#[case] platform: &str, #[case] code: i32, #[case] said: &str) {
    machine().run(&["host", "--require", platform]).says(code, &[said]);
}

#[test]
fn the_environment_is_told() {
    let machine = machine().variable("DOCKER_DEFAULT_PLATFORM", "linux/s390x");
    let report = machine.report(&["host"]);
    assert_eq!(report["host"]["default_platform"], "linux/s390x");
    let rules: Vec<&str> =
        report["findings"].as_array().unwrap().iter().filter_map(|finding| finding["rule"].as_str()).collect();
    assert!(rules.contains(&"host/default-platform"), "{rules:?}");
}

#[test]
fn an_engine_that_is_not_there_fails_nothing() {
    let report = machine().report(&["host", "--host", "unix:///nowhere/docker.sock"]);
    assert_eq!(report["host"]["engine"], Value::Null);
    assert!(report["host"]["no_engine"].as_str().unwrap().contains("/nowhere/docker.sock"));
}

/// What there is to compare with, and where it is.
fn report_file(machine: &Machine, name: &str) -> String {
    let path = machine.path(name);
    let written = format!("json={}", path.display());
    machine.run(&["host", "--report", &written]).says(0, &[]);
    path.display().to_string()
}

#[test]
fn an_earlier_report_says_what_changed() {
    let machine = machine();
    let baseline = report_file(&machine, "host.json");
    let report = machine.report(&["host", "--baseline", &baseline]);
    assert_valid(&report);
    // Nothing else: somebody may register handlers on this machine in the same moment.
    assert!(report["host"]["since"]["changes"].is_array(), "{report:#}");
    let mut earlier: Value = serde_json::from_str(&std::fs::read_to_string(&baseline).unwrap()).unwrap();
    earlier["host"]["kernel"] = "1.2.3".into();
    std::fs::write(&baseline, earlier.to_string()).unwrap();
    machine.run(&["host", "--baseline", &baseline]).says(0, &["changed since", "kernel: 1.2.3 -> "]);
}

#[test]
fn the_first_report_of_a_series_has_none_before_it() {
    let machine = machine();
    let path = machine.path("host.json").display().to_string();
    let written = format!("json={path}");
    let words = ["host", "--baseline", &path, "--report", &written];
    machine.run(&words).says(0, &["this is the first report"]);
    machine.run(&words).says(0, &["changed since "]);
    // Nor does a damaged one stop the next nights.
    std::fs::write(&path, "").unwrap();
    machine.run(&words).says(0, &["is no report", "nothing is compared, and it is written again"]);
    machine.run(&words).says(0, &["changed since "]);
    // Where this run does not write it, a file that is missing is a mistake.
    machine.run(&["host", "--baseline", "/nowhere/host.json"]).says(2, &["/nowhere/host.json", "cannot be read"]);
}

#[rstest]
#[case::no_json("nonsense", "is no report")]
#[case::another_version(r#"{"schema": "mpcheck.report/v9"}"#, "mpcheck.report/v9")]
fn what_is_no_report_of_a_host_is_no_baseline(#[case] text: &str, #[case] said: &str) {
    let machine = machine();
    let path = machine.path("host.json");
    std::fs::write(&path, text).unwrap();
    machine.run(&["host", "--baseline", &path.display().to_string()]).says(2, &["--baseline: ", said]);
}

#[test]
fn a_platform_is_tried_as_often_as_asked() {
    let report = machine().report(&["host", "--repeat", "3", "--interval", "1ms"]);
    assert_valid(&report);
    let host = Platform::host().to_string();
    let row = report["host"]["platforms"].as_array().unwrap().iter().find(|row| row["platform"] == host).unwrap();
    assert_eq!(row["tries"], serde_json::json!({"ran": 3, "of": 3}));
}

#[test]
fn metrics_and_junit_are_formats_of_a_host() {
    let host = Platform::host().to_string();
    let ready = format!("mpcheck_host_platform_ready{{platform=\"{host}\"}} 1");
    machine().run(&["host", "--format", "prometheus"]).says(0, &[&ready]);
    let test = format!("<testcase name=\"{host}\" classname=\"host\"");
    machine().run(&["host", "--format", "junit"]).says(0, &["<testsuites name=\"mpcheck\"", &test]);
    machine()
        .run(&["image.tar", "--format", "prometheus"])
        .says(2, &["prometheus is a format of `mpcheck host`", "json or junit"]);
}
