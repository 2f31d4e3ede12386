//! `mpcheck test` on forged images: names, filters, what becomes of each trial, reports, shards. Nothing is run here: what
//! a host can run is tried in `tests/real`.

use super::{Machine, broken, found, good};
use crate::rules::scratch;
use mpcheck_kit::elf::Elf;
use mpcheck_kit::image::Image;
use mpcheck_kit::index::Index;
use mpcheck_kit::layer::Layer;
use mpcheck_kit::store::Forged;
use rstest::rstest;
use serde_json::Value;
use std::fs;

/// A machine with an image, and with a suite for it: these lines below its name.
fn machine(forged: &Forged, more: &str) -> Machine {
    let machine = Machine::with(forged);
    suite(&machine, "release.yaml", more);
    machine
}

fn suite(machine: &Machine, name: &str, more: &str) {
    let text = format!("version: 1\nimages:\n  - image: oci:image\n    platforms: [linux/amd64, linux/arm64]\n{more}");
    fs::write(machine.path(name), text).unwrap();
}

/// `NAME STATUS` of each trial of a report.
fn trials(report: &Value) -> Vec<String> {
    let text = |trial: &Value, field: &str| trial[field].as_str().unwrap().to_owned();
    let all = report["trials"].as_array().unwrap_or_else(|| panic!("{report:#}"));
    all.iter().map(|trial| format!("{} {}", text(trial, "name"), text(trial, "status"))).collect()
}

fn not_passed(report: &Value) -> Vec<String> {
    trials(report).into_iter().filter(|trial| !trial.ends_with(" passed")).collect()
}

fn reason<'a>(report: &'a Value, name: &str) -> &'a str {
    let trial = report["trials"].as_array().unwrap().iter().find(|trial| trial["name"] == name);
    trial.unwrap_or_else(|| panic!("no {name} in {report:#}"))["reason"].as_str().unwrap()
}

#[test]
fn a_good_image_passes_every_trial() {
    let machine = machine(&good(), "");
    let wanted = [
        "release/image/linux-amd64/binaries passed",
        "release/image/linux-amd64/blobs passed",
        "release/image/linux-amd64/layers passed",
        "release/image/linux-amd64/manifest passed",
        "release/image/linux-arm64/binaries passed",
        "release/image/linux-arm64/blobs passed",
        "release/image/linux-arm64/layers passed",
        "release/image/linux-arm64/manifest passed",
        "release/image/platforms passed",
    ];
    let report = machine.report(&["test", "release.yaml"]);
    assert_eq!(trials(&report), wanted);
    assert_eq!(report["verdict"], "passed");
    machine
        .run(&["test", "release.yaml"])
        .says(0, &["release/image/linux-arm64  oci:image", "passed: 9 passed; 1 image"]);
}

#[test]
fn an_amd64_program_in_an_arm64_image_fails_its_trial_and_no_other() {
    let machine = machine(&broken(), "");
    let report = machine.report(&["test", "release.yaml"]);
    assert_eq!(not_passed(&report), ["release/image/linux-arm64/binaries failed"]);
    assert_eq!(found(&report)[0][..2], ["binary/foreign-architecture", "linux/arm64"]);
    let words =
        ["FAILED  binaries", "error[binary/foreign-architecture]", "brought by: ", "FAILED: 1 failed, 8 passed"];
    machine.run(&["test", "release.yaml"]).says(1, &words);
}

#[test]
fn filters_choose_as_cargo_test_does_and_nothing_else_is_done() {
    let machine = machine(&broken(), "");
    let listed = |options: &[&str]| {
        let run = machine.run(&[&["test", "release.yaml", "--list"], options].concat());
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{options:?}");
        run.stdout.lines().map(|line| line.strip_suffix(": test").unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(listed(&[]).len(), 9);
    assert_eq!(listed(&["--", "arm64/b"]), ["release/image/linux-arm64/blobs", "release/image/linux-arm64/binaries"]);
    assert_eq!(listed(&["--skip", "linux", "--"]), ["release/image/platforms"]);
    assert_eq!(listed(&["--exact", "--", "release/image/platforms"]), ["release/image/platforms"]);
    assert_eq!(listed(&["--platform", "arm64", "--", "manifest"]), ["release/image/linux-arm64/manifest"]);
    // What is broken was not asked for.
    machine.run(&["test", "release.yaml", "--", "amd64"]).says(0, &["passed: 4 passed"]);
    machine.run(&["test", "release.yaml", "--", "nothing"]).says(4, &["none of the 9 trials was asked for"]);
}

#[test]
fn listing_reads_nothing_but_the_suite() {
    let machine = Machine::new();
    let text = "version: 1\nimages:\n  - image: registry.invalid/app:1\n    platforms: [linux/arm/v7]\n";
    fs::write(machine.path("s.yaml"), text).unwrap();
    machine.run(&["test", "s.yaml", "--list"]).says(0, &["s/app/linux-arm-v7/binaries: test\n"]);
}

#[test]
fn a_platform_of_the_environment_narrows_and_says_so() {
    let machine = machine(&broken(), "").variable("DOCKER_DEFAULT_PLATFORM", "linux/amd64");
    machine
        .run(&["test", "release.yaml"])
        .says(0, &["only the platforms of DOCKER_DEFAULT_PLATFORM are run", "4 passed"]);
    machine.run(&["test", "release.yaml", "--platform", "all"]).says(1, &["1 failed, 8 passed"]);
}

#[test]
fn a_platform_that_the_image_has_not_fails_every_trial_of_it() {
    let machine = machine(&Index::new().image(mpcheck_kit::incidents::application("linux/amd64")).forge(), "");
    let report = machine.report(&["test", "release.yaml"]);
    let wanted = ["binaries", "blobs", "layers", "manifest"].map(|n| format!("release/image/linux-arm64/{n} failed"));
    let wanted: Vec<String> = wanted.into_iter().chain(["release/image/platforms failed".to_owned()]).collect();
    assert_eq!(not_passed(&report), wanted);
    assert_eq!(
        reason(&report, "release/image/linux-arm64/binaries"),
        "linux/arm64 is not in the image, which has linux/amd64"
    );
    // Nor does a filter hide it.
    machine.run(&["test", "release.yaml", "--", "arm64/binaries"]).says(1, &["linux/arm64 is not in the image"]);
}

#[test]
fn what_cannot_be_read_is_undecided() {
    let machine = machine(&good(), "");
    fs::remove_dir_all(machine.path("image")).unwrap();
    let run = machine.run(&["test", "release.yaml"]);
    run.says(3, &["could not be decided  binaries", "9 could not be decided; 1 image"]);
}

#[rstest]
#[case::exact("    exact: true\n", "release/image/platforms failed")]
#[case::lost("    baseline: oci:baseline\n", "release/image/platforms failed")]
fn the_set_of_platforms_is_a_trial(#[case] more: &str, #[case] wanted: &str) {
    let application = mpcheck_kit::incidents::application;
    let (amd64, arm64) = ("linux/amd64", "linux/arm64");
    let three = Index::new().images([amd64, arm64, "linux/s390x"].map(application)).forge();
    let (image, baseline) = if more.contains("exact") { (three, good()) } else { (good(), three) };
    let machine = machine(&image, more);
    machine.add("baseline", &baseline);
    assert_eq!(not_passed(&machine.report(&["test", "release.yaml"])), [wanted]);
}

#[rstest]
#[case::by_path("    allow-foreign: [{path: /usr/**, architecture: amd64, reason: a probe}]\n", 0)]
#[case::another_path("    allow-foreign: [{path: /srv/**, architecture: amd64, reason: a probe}]\n", 1)]
#[case::another_architecture("    allow-foreign: [{path: /usr/**, architecture: s390x, reason: a probe}]\n", 1)]
#[case::severity("    severities: {binary/foreign-architecture: warning}\n", 0)]
#[case::severity_that_fails("    severities: {binary/foreign-architecture: warning}\n    fail-on: warning\n", 1)]
#[case::off("    severities: {binary/foreign-architecture: off}\n    fail-on: warning\n", 0)]
fn what_a_suite_decides_about_findings_counts(#[case] more: &str, #[case] code: i32) {
    let machine = machine(&broken(), more);
    let report = machine.report(&["test", "release.yaml", "--", "arm64/binaries"]);
    let wanted = if code == 0 { "passed" } else { "failed" };
    assert_eq!(trials(&report), [format!("release/image/linux-arm64/binaries {wanted}")], "{report:#}");
    assert_eq!(machine.run(&["test", "release.yaml", "--", "arm64/binaries"]).code, code);
}

/// What commands would say is not asked; that nothing was run is told, and is no success alone.
#[test]
fn what_is_not_run_is_skipped_with_its_reason_unless_required() {
    let commands = "    run:\n      commands: [{command: [app, --version], name: version}]\n";
    let machine = machine(&good(), commands);
    let report = machine.report(&["test", "release.yaml"]);
    let skipped: Vec<String> = not_passed(&report);
    assert_eq!(skipped, ["amd64", "arm64"].map(|n| format!("release/image/linux-{n}/run/version skipped")));
    assert!(reason(&report, "release/image/linux-arm64/run/version").contains("never"), "{report:#}");
    machine.run(&["test", "release.yaml", "--", "run/version"]).says(4, &["NOTHING WAS CHECKED: 2 skipped"]);
    let machine = machine.variable("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let required = machine.run(&["test", "release.yaml", "--run", "docker", "--require-run"]);
    required.says(3, &["could not be decided  run/version", "had to be run"]);
}

#[test]
fn an_exception_is_skipped_with_its_reason_until_it_is_asked_for() {
    let exceptions = "    files:\n      - path: /nothing\n        exceptions: [{platforms: [linux/arm64], reason: not \
                      packaged, expires: 9999-12-31}]\n";
    let machine = machine(&good(), exceptions);
    let report = machine.report(&["test", "release.yaml"]);
    let wanted = ["release/image/linux-amd64/files/nothing failed", "release/image/linux-arm64/files/nothing skipped"];
    assert_eq!(not_passed(&report), wanted);
    assert_eq!(reason(&report, "release/image/linux-arm64/files/nothing"), "not packaged (until 9999-12-31)");
    let report = machine.report(&["test", "release.yaml", "--ignored"]);
    assert_eq!(trials(&report), ["release/image/linux-arm64/files/nothing failed"]);
    assert_eq!(not_passed(&machine.report(&["test", "release.yaml", "--include-ignored"])).len(), 2);
}

fn with_files() -> Forged {
    let image = |platform: &str| {
        let layer = Layer::new()
            .dirs(&["etc", "usr", "usr/bin"])
            .program("usr/bin/app", Elf::program(platform).build())
            .file("etc/app.conf", 0o640, "port = 8080\nhost = \u{e9}\n")
            .owner(7, 8)
            .symlink("etc/link", "app.conf");
        Image::new(platform)
            .layer(layer)
            .entrypoint(&["/usr/bin/app", "serve"])
            .env("MODE=fast")
            .user("7:8")
            .workdir("/srv")
            .volume("/data")
            .setting("Labels", serde_json::json!({"version": "1.2.3"}))
            .setting("ExposedPorts", serde_json::json!({"8080/tcp": {}, "53/udp": {}}))
    };
    Index::new().image(image("linux/amd64")).image(image("linux/arm64")).forge()
}

#[rstest]
#[case::all_of_it("{path: /usr/bin/app, type: file, mode: \"0755\", executable: true}", None)]
#[case::content("{path: /etc/app.conf, content: '(?m)^port = \\d+$', not-content: secret}", None)]
#[case::content_through_a_link("{path: /etc/link, type: symlink, target: app.conf, content: port}", None)]
#[case::absent("{path: /etc/nothing, exists: false}", None)]
#[case::there("{path: /etc/app.conf, exists: false}", Some("should not be"))]
#[case::missing("{path: /etc/nothing}", Some("is not in the image"))]
#[case::mode("{path: /etc/app.conf, mode: \"0644\"}", Some("has the mode 0640, and should have 0644"))]
#[case::owner("{path: /etc/link, owner: \"0:8\"}", Some("belongs to the user 7, and should to 0"))]
#[case::kind("{path: /etc, type: file}", Some("is a directory, and should be a file"))]
#[case::target("{path: /etc/link, target: other}", Some("leads to app.conf, and should to other"))]
#[case::executable("{path: /usr/bin/app, executable: false}", Some("can be executed"))]
#[case::no_such_content("{path: /etc/app.conf, content: 'port = 9'}", Some("nothing in /etc/app.conf matches"))]
#[case::unwanted_content("{path: /etc/app.conf, not-content: host}", Some("and nothing should"))]
fn files_are_what_the_suite_says(#[case] file: &str, #[case] wrong: Option<&str>) {
    let machine = machine(&with_files(), &format!("    files: [{file}]\n"));
    let report = machine.report(&["test", "release.yaml", "--", "files/"]);
    let trials = report["trials"].as_array().unwrap();
    assert_eq!(trials.len(), 2);
    for trial in trials {
        match wrong {
            None => assert_eq!(trial["status"], "passed", "{trial:#}"),
            Some(why) => {
                assert_eq!(trial["status"], "failed", "{trial:#}");
                assert!(trial["reason"].as_str().unwrap().contains(why), "{trial:#}");
            }
        }
    }
    assert!(found(&report).iter().all(|[rule, ..]| rule == "suite/file-mismatch"));
}

#[rstest]
#[case::all_of_it(
    "{entrypoint: [/usr/bin/app, serve], command: [], env: {MODE: fast, OTHER: absent}, labels: {version: {matches: \
     '^1\\.'}}, user: \"7:8\", workdir: /srv, ports: [8080, 53/udp], volumes: [/data]}",
    None
)]
#[case::entrypoint(
    "{entrypoint: [/usr/bin/app]}",
    Some("the entrypoint is [\"/usr/bin/app\", \"serve\"], and should be")
)]
#[case::variable("{env: {MODE: slow}}", Some("the variable MODE is `fast`, and should be `slow`"))]
#[case::variable_that_is_missing("{env: {OTHER: a}}", Some("the variable OTHER is not set"))]
#[case::variable_that_is_there("{env: {MODE: absent}}", Some("and should be not set"))]
#[case::label("{labels: {version: {matches: '^2'}}}", Some("something that matches `^2`"))]
#[case::user("{user: root}", Some("the user is `7:8`, and should be `root`"))]
#[case::port("{ports: [53]}", Some("the port 53/tcp is not declared"))]
fn metadata_is_what_the_suite_says(#[case] metadata: &str, #[case] wrong: Option<&str>) {
    let machine = machine(&with_files(), &format!("    metadata: {metadata}\n"));
    let report = machine.report(&["test", "release.yaml", "--", "metadata"]);
    let (status, why) = wrong.map_or(("passed", ""), |why| ("failed", why));
    for trial in report["trials"].as_array().unwrap() {
        assert_eq!(trial["status"], status, "{trial:#}");
        assert!(trial["reason"].as_str().unwrap_or_default().contains(why), "{trial:#}");
    }
    assert!(found(&report).iter().all(|[rule, ..]| rule == "suite/metadata-mismatch"));
}

const STRUCTURE: &str = "schemaVersion: 2.0.0\nfileExistenceTests:\n  - {name: app, path: /usr/bin/app}\n  - {name: gone, \
                         path: /gone}\n  - {name: app, path: /etc, shouldExist: true}\n";

#[test]
fn structure_tests_run_on_every_platform_of_an_image() {
    let machine = Machine::with(&with_files());
    fs::write(machine.path("old.yaml"), STRUCTURE).unwrap();
    let report = machine.report(&["test", "old.yaml", "--image", "oci:image"]);
    let of = |platform: &str| {
        [("app", "passed"), ("app-2", "passed"), ("gone", "failed")]
            .map(|(name, status)| format!("old/image/{platform}/structure/old/File-Existence-Test-{name} {status}"))
    };
    assert_eq!(trials(&report), [of("linux-amd64"), of("linux-arm64")].concat());
    assert_eq!(found(&report).len(), 2);
    assert_eq!(found(&report)[0][0], "suite/structure-test");
    let narrowed = machine.report(&["test", "old.yaml", "--image", "oci:image", "--platform", "arm64"]);
    assert_eq!(trials(&narrowed), of("linux-arm64"));
    // And as a part of a suite, beside its other trials.
    suite(&machine, "release.yaml", "    structure: [old.yaml]\n");
    assert_eq!(trials(&machine.report(&["test", "release.yaml"])).len(), 9 + 6);
}

#[test]
fn an_image_and_a_file_of_tests_belong_together() {
    let machine = machine(&good(), "");
    fs::write(machine.path("old.yaml"), STRUCTURE).unwrap();
    machine.run(&["test", "old.yaml"]).says(2, &["old.yaml is a file of container-structure-test", "--image"]);
    machine.run(&["test", "release.yaml", "--image", "oci:image"]).says(2, &["a suite names its images itself"]);
    machine.run(&["test", "old.yaml", "--image", "oci:nowhere"]).says(3, &["nowhere does not exist"]);
}

#[test]
fn a_junit_file_has_a_suite_for_each_image_and_platform() {
    let machine = machine(&broken(), "    run:\n      commands: [{command: 'true', name: start}]\n");
    assert_eq!(machine.run(&["test", "release.yaml", "--report", "junit=junit.xml"]).code, 1);
    let text = fs::read_to_string(machine.path("junit.xml")).unwrap();
    let parsed = quick_junit::Report::deserialize_from_str(&text).unwrap();
    let suites: Vec<&str> = parsed.test_suites.iter().map(|suite| suite.name.as_str()).collect();
    assert_eq!(suites, ["release/image/linux-amd64", "release/image/linux-arm64", "release/image"]);
    let arm64 = &parsed.test_suites[1];
    assert_eq!((arm64.tests, arm64.failures), (5, 1));
    let skipped = |case: &&quick_junit::TestCase| matches!(case.status, quick_junit::TestCaseStatus::Skipped { .. });
    assert_eq!(arm64.test_cases.iter().filter(skipped).count(), 1);
    assert!(text.contains("<skipped message=") && text.contains("binary/foreign-architecture"), "{text}");
}

#[test]
fn shards_share_the_trials_and_their_reports_make_one() {
    let machine = machine(&broken(), "");
    let whole = machine.report(&["test", "release.yaml"]);
    let mut all = Vec::new();
    let mut files = Vec::new();
    for number in 1..=4 {
        let (shard, file) = (format!("{number}/4"), format!("{number}.json"));
        let run = machine.run(&["test", "release.yaml", "--shard", &shard, "--report", &format!("json={file}")]);
        assert!(matches!(run.code, 0 | 1), "{run:#?}");
        let report: Value = serde_json::from_str(&fs::read_to_string(machine.path(&file)).unwrap()).unwrap();
        assert_eq!(report["shard"], serde_json::json!({"number": number, "of": 4}));
        if report["trials"].is_null() {
            assert!(run.code == 0 && run.stderr.contains("this shard has none of the trials"), "{run:#?}");
        } else {
            all.extend(trials(&report));
        }
        files.push(file);
    }
    all.sort();
    assert_eq!(all, trials(&whole));
    let words: Vec<&str> = ["report", "merge"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let merged = machine.merged(&words);
    // One machine died.
    machine.run(&words[..words.len() - 1]).says(3, &["shard 4 of 4 is not among the reports"]);
    assert_eq!((trials(&merged), found(&merged)), (trials(&whole), found(&whole)));
    assert_eq!((&merged["verdict"], &merged["images"]), (&whole["verdict"], &whole["images"]));
}

#[rstest]
#[case::no_report("release.yaml", "release.yaml is no report")]
#[case::no_file("nothing.json", "nothing.json is no report: No such file")]
fn what_is_no_report_cannot_be_merged(#[case] file: &str, #[case] why: &str) {
    let machine = machine(&good(), "");
    let run = machine.command(&["report", "merge", file]).output().unwrap();
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(2), "{said}");
    assert!(said.contains(why), "{said}");
}

#[test]
fn two_suites_of_one_name_are_refused() {
    let machine = machine(&good(), "");
    fs::create_dir(machine.path("other")).unwrap();
    fs::copy(machine.path("release.yaml"), machine.path("other/release.yaml")).unwrap();
    machine.run(&["test", "release.yaml", "other"]).says(2, &["two suites are called `release`"]);
    machine.run(&["test", "release.yaml", "release.yaml"]).says(2, &["named twice"]);
}

/// Trials of an image read it once, whatever their number.
#[test]
fn ten_thousand_trials_are_listed() {
    use std::fmt::Write as _;
    let machine = Machine::new();
    let mut text =
        "version: 1\nimages:\n  - image: registry.invalid/app\n    platforms: [amd64, arm64]\n    run:\n      \
                    commands:\n"
            .to_owned();
    for number in 0..5000 {
        writeln!(text, "        - {{command: [app, \"{number}\"], stdout: \"^{number}\"}}").unwrap();
    }
    fs::write(machine.path("large.yaml"), text).unwrap();
    let run = machine.run(&["test", "large.yaml", "--run", "auto", "--list"]);
    assert_eq!((run.code, run.stdout.lines().count()), (0, 2 * 5000 + 2 * 5 + 1));
}

/// The suite that the README shows is one.
#[test]
fn the_readme_s_suite_is_read() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, after) = readme.split_once("```yaml\n").unwrap();
    let (text, _) = after.split_once("```").unwrap();
    let machine = Machine::new();
    fs::create_dir(machine.path("tests")).unwrap();
    fs::write(machine.path("tests/structure.yaml"), STRUCTURE).unwrap();
    fs::write(machine.path("release.yaml"), text).unwrap();
    let run = machine.run(&["test", "release.yaml", "--run", "auto", "--list"]);
    let names = ["run/app-self-test", "files/etc-app.conf", "metadata", "structure/structure/File-Existence-Test-app"];
    run.says(0, &names.map(|name| format!("release/app/linux-arm64/{name}: test\n")).each_ref().map(String::as_str));
}

/// Which of several platforms is wrong is told by the trial that reads them all, however the others are filtered.
#[test]
fn identical_platforms_are_told_by_the_trial_of_the_image() {
    let same = |platform: &str| scratch("linux/amd64").config_platform(platform).descriptor_platform(platform);
    let machine = machine(&Index::new().image(same("linux/amd64")).image(same("linux/arm64")).forge(), "");
    for filter in ["release", "release/image/platforms"] {
        let report = machine.report(&["test", "release.yaml", "--", filter]);
        assert!(not_passed(&report).contains(&"release/image/platforms failed".to_owned()), "{report:#}");
    }
    let manifests = machine.report(&["test", "release.yaml", "--", "manifest"]);
    assert_eq!(not_passed(&manifests), [""; 0]);
}

#[rstest]
#[case::by_option("", &["--require-run"], "--require-run")]
#[case::by_the_suite("    run: {required: true}\n", &[], "`required: true`")]
fn what_has_to_run_cannot_be_left_out(#[case] more: &str, #[case] options: &[&str], #[case] who: &str) {
    let machine = machine(&good(), more);
    machine.run(&[&["test", "release.yaml", "--run", "never"], options].concat()).says(2, &["--run never", who]);
}

#[test]
fn structure_tests_of_one_name_are_told_apart() {
    let machine = Machine::with(&good());
    let names = ["a", "a", "a-2"].map(|name| format!("  - {{name: {name}, path: /}}\n")).concat();
    fs::write(machine.path("t.yaml"), format!("schemaVersion: 2.0.0\nfileExistenceTests:\n{names}")).unwrap();
    let run = machine.run(&["test", "t.yaml", "--image", "oci:image", "--platform", "amd64", "--list"]);
    let listed: Vec<&str> = run.stdout.lines().filter_map(|line| line.rsplit("Test-").next()).collect();
    assert_eq!(listed, ["a: test", "a-2: test", "a-2-2: test"], "{run:#?}");
}
