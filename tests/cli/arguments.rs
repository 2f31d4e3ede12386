//! The forms of the command line, what they select and require, and how they end.

use super::{Machine, broken, found, good, statuses};
use mpcheck_kit::image::Image;
use mpcheck_kit::incidents::{self, application};
use mpcheck_kit::index::Index;
use mpcheck_kit::store::Forged;
use rstest::rstest;

#[rstest]
#[case::bare(&["image"])]
#[case::check(&["check", "image"])]
#[case::transport(&["oci:image"])]
#[case::transport_and_tag(&["oci:image:latest"])]
#[case::absolute_to_the_tag(&["./image"])]
#[case::twice(&["image", "oci:image"])]
#[case::option_first(&["--no-cache", "image"])]
#[case::never_run(&["image", "--run", "never"])]
#[case::one_job(&["image", "--jobs", "1"])]
#[case::by_digest_position(&["oci:image:@0"])]
fn a_good_image_passes(#[case] arguments: &[&str]) {
    Machine::with(&good()).run(arguments).says(0, &["linux/amd64", "linux/arm64", "passed"]);
}

#[test]
fn archives_are_read_by_their_names_and_by_their_transports() {
    let machine = Machine::new();
    good().write_oci_archive(&machine.path("oci.tar"), Some("latest")).unwrap();
    application("linux/arm64").forge().write_docker_archive(&machine.path("docker.tar"), &["app:1"]).unwrap();
    let oci = ["oci.tar", "./oci.tar", "oci-archive:oci.tar", "oci-archive:oci.tar:latest"];
    let docker = ["docker.tar", "docker-archive:docker.tar", "docker-archive:docker.tar:app:1"];
    for name in oci.into_iter().chain(docker) {
        machine.run(&[name]).says(0, &["linux/arm64"]);
    }
}

#[test]
fn several_images_are_checked_and_one_broken_fails_them_all() {
    let machine = Machine::with(&good());
    machine.add("broken", &broken());
    let report = machine.report(&["image", "broken"]);
    let names: Vec<_> = report["images"].as_array().unwrap().iter().map(|image| &image["reference"]).collect();
    assert_eq!(names, ["image", "broken"]);
    assert_eq!(report["verdict"], "failed");
    assert!(report["findings"].as_array().unwrap().iter().all(|finding| finding["image"] == "broken"));
    machine.run(&["image", "broken"]).says(1, &["binary/foreign-architecture", "/usr/local/bin/app"]);
}

#[test]
fn findings_win_over_an_image_that_cannot_be_read() {
    let machine = Machine::with(&broken());
    machine.add("gone", &good().drop_blob(&good().root.digest));
    machine.run(&["image", "gone"]).says(1, &["gone"]);
}

fn two_variants() -> Forged {
    let images = ["linux/amd64", "linux/arm64", "linux/arm/v6", "linux/arm/v7"];
    Index::new().images(images.map(application)).forge()
}

#[rstest]
#[case::one("linux/arm64", &["linux/arm64"])]
#[case::list("linux/arm64,linux/amd64", &["linux/amd64", "linux/arm64"])]
#[case::alias("aarch64", &["linux/arm64"])]
#[case::other_alias("x86_64", &["linux/amd64"])]
#[case::with_variant("linux/arm64/v8", &["linux/arm64"])]
#[case::arm_is_v7("linux/arm", &["linux/arm/v7"])]
#[case::v6("linux/arm/v6", &["linux/arm/v6"])]
#[case::armhf("armhf", &["linux/arm/v7"])]
#[case::all("all", &["linux/amd64", "linux/arm/v6", "linux/arm/v7", "linux/arm64"])]
#[case::blanks(" linux/arm64 , linux/amd64 ", &["linux/amd64", "linux/arm64"])]
#[case::upper_case("LINUX/ARM64", &["linux/arm64"])]
fn platform_selects(#[case] given: &str, #[case] expected: &[&str]) {
    let report = Machine::with(&two_variants()).report(&["image", "--platform", given]);
    assert_eq!(checked(&report), expected);
    assert_eq!(report["verdict"], "passed");
}

/// The platforms whose binaries were looked at; the others have to be skipped with a reason.
fn checked(report: &serde_json::Value) -> Vec<String> {
    for platform in report["images"][0]["platforms"].as_array().unwrap() {
        for check in platform["checks"].as_array().unwrap() {
            assert_eq!(check["status"] == "passed", check["reason"].is_null(), "{check}");
        }
    }
    statuses(report).iter().filter_map(|line| line.strip_suffix(" binary passed").map(str::to_owned)).collect()
}

#[test]
fn native_is_this_machine() {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "linux/amd64",
        "aarch64" => "linux/arm64",
        other => panic!("these tests know no machine {other}"),
    };
    let report = Machine::with(&good()).report(&["image", "--platform", "native"]);
    assert_eq!(checked(&report), [architecture]);
}

#[test]
fn what_was_not_asked_for_is_skipped_and_cannot_fail_the_run() {
    let machine = Machine::with(&broken());
    machine.run(&["image", "--platform", "linux/amd64"]).says(0, &["not asked for"]);
    machine.run(&["image", "--platform", "linux/arm64"]).says(1, &[]);
    let report = machine.report(&["image", "--platform", "linux/amd64"]);
    assert!(statuses(&report).contains(&"linux/arm64 binary skipped".to_owned()), "{report:#}");
}

#[test]
fn a_platform_that_is_not_there_leaves_nothing_to_check() {
    Machine::with(&good()).run(&["image", "--platform", "linux/s390x"]).says(4, &[]);
}

#[test]
fn repeats_add_up() {
    let arguments = ["image", "--platform", "linux/arm64", "--platform", "linux/arm/v6,linux/arm64"];
    let report = Machine::with(&two_variants()).report(&arguments);
    assert_eq!(checked(&report), ["linux/arm/v6", "linux/arm64"]);
}

#[test]
fn dockers_variable_selects_and_says_so() {
    let machine = Machine::with(&broken()).variable("DOCKER_DEFAULT_PLATFORM", "linux/amd64");
    machine.run(&["image"]).says(0, &["DOCKER_DEFAULT_PLATFORM"]);
    machine.run(&["image", "--platform", "all"]).says(1, &[]);
    machine.run(&["image", "--platform", "linux/arm64"]).says(1, &[]);
    let quiet = machine.run(&["image", "--quiet"]);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (0, ""));
}

#[test]
fn an_empty_variable_of_dockers_is_none() {
    let machine = Machine::with(&broken()).variable("DOCKER_DEFAULT_PLATFORM", "");
    machine.run(&["image"]).says(1, &[]);
}

#[rstest]
#[case::required(good(), &["--require", "linux/amd64,linux/arm64"], &[])]
#[case::required_and_absent(good(), &["--require", "linux/s390x"], &["manifest/missing-platform"])]
#[case::required_twice(
    good(),
    &["--require", "linux/s390x", "--require", "linux/386"],
    &["manifest/missing-platform", "manifest/missing-platform"]
)]
#[case::exact(good(), &["--require", "arm64,amd64", "--exact"], &[])]
#[case::one_too_many(good(), &["--require", "arm64", "--exact"], &["manifest/unexpected-platform"])]
#[case::not_selected_is_there_all_the_same(good(), &["--platform", "linux/amd64", "--require", "linux/arm64"], &[])]
#[case::single_platform(
    application("linux/arm64").forge(),
    &["--require", "linux/amd64"],
    &["manifest/missing-platform"]
)]
fn requirements(#[case] image: Forged, #[case] options: &[&str], #[case] rules: &[&str]) {
    let report = Machine::with(&image).report(&[&["image"], options].concat());
    let named: Vec<String> = found(&report).into_iter().map(|[rule, ..]| rule).collect();
    assert_eq!(named, rules);
    assert_eq!(report["verdict"], if rules.is_empty() { "passed" } else { "failed" });
}

#[test]
fn a_platform_of_the_baseline_must_not_get_lost() {
    let case = incidents::lost_platform();
    let machine = Machine::with(&case.forged);
    machine.add("before", &case.baseline.unwrap());
    machine.run(&["image", "--baseline", "before"]).says(1, &["manifest/lost-platform", "linux/arm64", "before"]);
    machine.run(&["before", "--baseline", "image"]).says(0, &[]);
    machine.run(&["image", "--baseline", "image"]).says(0, &[]);
    machine.run(&["image", "--baseline", "oci:gone"]).says(3, &["gone"]);
    machine.run(&["image", "--baseline", "https://example.com/x"]).says(2, &["hint"]);
    // Not what the baseline is like, only what it has.
    machine.add("broken", &broken());
    machine.run(&["image", "--platform", "linux/amd64", "--baseline", "broken"]).says(1, &["linux/arm64"]);
}

#[test]
fn a_warning_fails_only_where_it_is_said_to() {
    let machine = Machine::with(&incidents::orphan_attestation().forged);
    machine.run(&["image"]).says(0, &["manifest/orphan-attestation"]);
    machine.run(&["image", "--fail-on", "error"]).says(0, &[]);
    machine.run(&["image", "--fail-on", "warning"]).says(1, &[]);
    assert_eq!(machine.report(&["image", "--fail-on", "warning"])["verdict"], "failed");
}

#[test]
fn a_note_never_fails() {
    let machine = Machine::with(&incidents::emulator_left_behind().forged);
    machine.run(&["image", "--fail-on", "warning"]).says(0, &[]);
}

#[test]
fn limits_are_options() {
    let machine = Machine::with(&good());
    machine.run(&["image", "--max-layer-entries", "3"]).says(1, &["layer/too-large", "3 entries"]);
    machine.run(&["image", "--max-layer-bytes", "1000"]).says(1, &["layer/too-large", "1000 bytes"]);
}

#[rstest]
#[case::nothing(&[], "Usage")]
#[case::check_of_nothing(&["check"], "Usage")]
#[case::unknown_option(&["image", "--platfrom", "linux/arm64"], "--platform")]
#[case::garbage_as_platform(&["image", "--platform", "linux"], "linux")]
#[case::empty_platform(&["image", "--platform", ""], "--platform")]
#[case::too_many_parts(&["image", "--platform", "linux/arm/v7/x"], "linux/arm/v7/x")]
#[case::control_characters(&["image", "--platform", "linux/\u{1b}[31m"], "\\u{1b}")]
#[case::unknown_platform(&["image", "--platform", "unknown/unknown"], "unknown")]
#[case::all_required(&["image", "--require", "all"], "--require")]
#[case::garbage_required(&["image", "--require", "linux/"], "--require")]
#[case::exact_of_nothing(&["image", "--exact"], "--require")]
#[case::unknown_severity(&["image", "--fail-on", "note"], "note")]
#[case::unknown_format(&["image", "--format", "yaml"], "yaml")]
#[case::report_without_file(&["image", "--report", "json"], "FORMAT=FILE")]
#[case::report_without_name(&["image", "--report", "json="], "json=")]
#[case::report_of_unknown_format(&["image", "--report", "yaml=x"], "yaml")]
#[case::report_in_no_directory(&["image", "--report", "json=no/where/x.json"], "no/where/x.json")]
#[case::report_that_is_a_directory(&["image", "--report", "json=image"], "is a directory")]
#[case::no_jobs(&["image", "--jobs", "0"], "0")]
#[case::quiet_and_verbose(&["image", "--quiet", "--verbose"], "--verbose")]
#[case::empty_name(&[""], "name")]
#[case::empty_transport(&["oci:"], "oci:")]
#[case::unknown_transport(&["containers-storage:app"], "containers-storage:")]
#[case::misspelt_transport(&["docker-deamon:app"], "docker-daemon:")]
#[case::address(&["https://registry.example/app"], "https://")]
#[case::upper_case_name(&["Registry.example/App:1"], "App")]
#[case::bad_digest(&["registry.example/app@sha256:123"], "sha256:123")]
fn wrong_usage_ends_with_2(#[case] arguments: &[&str], #[case] said: &str) {
    let machine = Machine::with(&good());
    let before = machine.files();
    let run = machine.run(arguments);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run:#?}");
    assert!(run.stderr.contains(said), "{run:#?}");
    assert!(!run.stderr.contains('\u{1b}'), "{run:#?}");
    assert_eq!(machine.files(), before);
}

#[test]
fn help_and_version_go_to_standard_output() {
    for arguments in [&["--help"][..], &["-h"], &["check", "--help"], &["help"]] {
        let run = Machine::new().run(arguments);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{arguments:?}");
        assert!(run.stdout.contains("Usage: mpcheck"), "{}", run.stdout);
    }
    let version = Machine::new().run(&["--version"]).stdout;
    assert_eq!(version, format!("mpcheck {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn an_image_without_platforms_that_apply_is_nothing_checked() {
    let machine = Machine::with(&Index::new().artifact("application/spdx+json").forge());
    machine.run(&["image"]).says(4, &[]);
    let machine = Machine::with(&Index::new().image(Image::new("linux/amd64")).forge());
    machine.run(&["image"]).says(0, &[]);
}
