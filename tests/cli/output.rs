//! What is written, and where.

use super::{Machine, broken, good};
use mpcheck_kit::incidents;
use rstest::rstest;
use serde_json::Value;

fn schema() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/suites/report.schema.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[track_caller]
pub(super) fn assert_valid(report: &Value) {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let errors: Vec<String> = validator.iter_errors(report).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{report:#}");
}

#[test]
fn every_report_is_as_the_schema_says() {
    let machine = Machine::new();
    for case in incidents::all() {
        machine.add(case.name, &case.forged);
    }
    let names: Vec<&str> = incidents::all().iter().map(|case| case.name).collect();
    assert_valid(&machine.report(&names));
    assert_valid(&machine.report(&[names[0], "--verbose", "--platform", "linux/amd64"]));
    machine.add("gone", &good().drop_blob(&good().root.digest));
    assert_valid(&machine.report(&["gone"]));
}

#[test]
fn a_report_says_what_ran_and_when() {
    let report = Machine::with(&broken()).report(&["image"]);
    assert_eq!(report["schema"], "mpcheck.report/v1");
    assert_eq!(report["tool"], serde_json::json!({ "name": "mpcheck", "version": env!("CARGO_PKG_VERSION") }));
    assert_eq!(report["verdict"], "failed");
    assert_eq!(report["host"], Value::Null);
    let image = &report["images"][0];
    assert_eq!(image["reference"], "image");
    assert_eq!(image["source"], "OCI layout image");
    assert_eq!(image["digest"], broken().root.digest);
    assert_eq!(image["media_type"], "application/vnd.oci.image.index.v1+json");
    assert_eq!(image["platforms"][1]["digest"], broken().manifest_of("linux/arm64"));
    assert_eq!(image["platforms"][1]["layers"], 2);
}

#[test]
fn two_runs_give_the_same_report() {
    let machine = Machine::with(&incidents::whole_rootfs_of_wrong_architecture().forged);
    let run = |options: &[&str]| {
        let mut report = machine.report(&[&["image", "--no-cache"], options].concat());
        for clock in ["started", "duration_ms"] {
            report.as_object_mut().unwrap().remove(clock).unwrap();
        }
        report
    };
    let first = run(&["--jobs", "1"]);
    assert_eq!(run(&["--jobs", "8"]), first);
    assert_eq!(run(&[]), first);
    let warm = machine.report(&["image"]);
    assert_eq!(machine.report(&["image"])["findings"], warm["findings"]);
    assert_eq!(warm["findings"], first["findings"]);
}

#[test]
fn a_pipe_gets_plain_text_and_no_progress() {
    let machine = Machine::with(&broken());
    let run = machine.run(&["image"]);
    assert_eq!(run.stderr, "");
    assert!(!run.stdout.contains('\u{1b}') && !run.stdout.contains('\r'), "{}", run.stdout);
    for part in [
        "error",
        "binary/foreign-architecture",
        "linux/arm64",
        "/usr/local/bin/app",
        "COPY app /usr/local/bin/app",
        r#"entrypoint ["/usr/local/bin/app"]"#,
        "the same file is in linux/amd64",
        "TARGETARCH",
    ] {
        assert!(run.stdout.contains(part), "{part:?} is not in\n{}", run.stdout);
    }
}

#[rstest]
#[case::in_a_pipe(&[], None, false)]
#[case::always(&["--color", "always"], None, true)]
#[case::never(&["--color", "never"], None, false)]
#[case::said_before_the_variable(&["--color", "always"], Some("1"), true)]
#[case::variable(&["--color", "auto"], Some("1"), false)]
fn colour(#[case] options: &[&str], #[case] no_color: Option<&str>, #[case] coloured: bool) {
    let mut machine = Machine::with(&broken());
    if let Some(value) = no_color {
        machine = machine.variable("NO_COLOR", value);
    }
    let run = machine.run(&[&["image"], options].concat());
    assert_eq!(run.stdout.contains("\u{1b}["), coloured, "{}", run.stdout);
    let json = machine.run(&[&["image", "--format", "json"], options].concat());
    assert!(!json.stdout.contains('\u{1b}'), "{}", json.stdout);
}

#[test]
fn reports_go_to_files_too() {
    let machine = Machine::with(&broken());
    std::fs::write(machine.path("report.json"), "of the last run").unwrap();
    let run =
        machine.run(&["image", "--report", "json=report.json", "--report", "text=report.txt", "--color", "always"]);
    assert_eq!(run.code, 1);
    let json: Value = serde_json::from_slice(&std::fs::read(machine.path("report.json")).unwrap()).unwrap();
    assert_valid(&json);
    assert_eq!(json["verdict"], "failed");
    let text = std::fs::read_to_string(machine.path("report.txt")).unwrap();
    assert!(text.contains("binary/foreign-architecture") && !text.contains('\u{1b}'), "{text}");
    let mut new: Vec<String> = std::fs::read_dir(machine.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    new.sort();
    assert_eq!(new, ["image", "report.json", "report.txt"]);
}

#[test]
fn a_run_that_does_not_begin_leaves_older_reports_alone() {
    let machine = Machine::with(&good());
    std::fs::write(machine.path("report.json"), "of the last run").unwrap();
    machine.run(&["image", "--baseline", "oci:gone", "--report", "json=report.json"]).says(3, &[]);
    assert_eq!(std::fs::read_to_string(machine.path("report.json")).unwrap(), "of the last run");
}

#[test]
fn nothing_is_written_but_the_cache() {
    let machine = Machine::with(&incidents::good());
    let before = machine.files();
    machine.run(&["image", "--verbose"]).says(0, &[]);
    machine.run(&["image", "--no-cache"]).says(0, &[]);
    machine.run(&["explain", "layer/corrupt"]).says(0, &[]);
    assert_eq!(machine.files(), before);
}

#[test]
fn verbose_says_where_the_time_went() {
    let machine = Machine::with(&good());
    let run = machine.run(&["image", "--verbose"]);
    for part in ["manifests and configs", "layer sha256:", "rules", "read"] {
        assert!(run.stdout.contains(part), "{part:?} is not in\n{}", run.stdout);
    }
    assert!(!machine.run(&["image"]).stdout.contains("manifests and configs"));
    let report = machine.report(&["image", "--verbose"]);
    let timings: Vec<&str> = report["timings"].as_array().unwrap().iter().filter_map(|t| t["what"].as_str()).collect();
    assert_eq!(timings.len(), 2 + 4, "{timings:?}");
    assert!(machine.report(&["image"]).get("timings").is_none());
}

/// Names of an image go to terminals and to log files.
#[test]
fn control_characters_of_an_image_are_escaped() {
    let path = b"opt/\x1b[2J\nerror: fake\xff\xc2\x9b";
    let layer = mpcheck_kit::layer::Layer::new().program(path, mpcheck_kit::elf::Elf::program("s390x").build());
    let image = incidents::application("linux/arm64").layer(layer).history("COPY \u{1b}[31m\u{202e} x", false);
    let machine = Machine::with(&image.forge());
    for options in [&["image"][..], &["image", "--verbose"], &["image", "--format", "json"]] {
        let run = machine.run(options);
        assert_eq!(run.code, 1);
        let raw = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!run.stdout.contains(raw) || options.contains(&"json"), "{}", run.stdout.escape_debug());
        assert!(!run.stdout.contains('\u{1b}'), "{}", run.stdout.escape_debug());
        assert!(!run.stdout.contains("\nerror: fake"), "{}", run.stdout);
    }
}
