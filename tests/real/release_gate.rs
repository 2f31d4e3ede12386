//! The example of release gating, `examples/release-gate`: what its test binaries say and how they end, by themselves as
//! `cargo test` starts them, and under a real `cargo nextest`; and the guide's commands.
//!
//! The binaries are those that cargo built with this one: with `--workspace` it builds all before it runs the first.

mod guide;
mod nextest;

use crate::images::Layout;
use crate::parts::real_image;
use mpcheck_kit::layer::Layer;
use rstest::rstest;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;
use tempfile::TempDir;

/// All trials of the example's suite, as they are listed.
const TRIALS: [&str; 19] = [
    "release/app/platforms",
    "release/app/linux-amd64/manifest",
    "release/app/linux-amd64/blobs",
    "release/app/linux-amd64/layers",
    "release/app/linux-amd64/binaries",
    "release/app/linux-amd64/run",
    "release/app/linux-amd64/run/version",
    "release/app/linux-amd64/run/modules",
    "release/app/linux-amd64/files/usr-local-bin-docker-entrypoint.sh",
    "release/app/linux-amd64/metadata",
    "release/app/linux-arm64/manifest",
    "release/app/linux-arm64/blobs",
    "release/app/linux-arm64/layers",
    "release/app/linux-arm64/binaries",
    "release/app/linux-arm64/run",
    "release/app/linux-arm64/run/version",
    "release/app/linux-arm64/run/modules",
    "release/app/linux-arm64/files/usr-local-bin-docker-entrypoint.sh",
    "release/app/linux-arm64/metadata",
];
/// The one that the suite excepts.
const EXCEPTED: &str = "release/app/linux-arm64/run/modules";

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/release-gate")
}

/// A test binary of the example: the newest of its name beside this one.
fn binary(name: &str) -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let is_of = |path: &PathBuf| {
        let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let mark = file.strip_prefix(name).and_then(|rest| rest.strip_prefix('-')).unwrap_or_default();
        mark.len() == 16 && mark.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let built =
        |path: &PathBuf| path.metadata().and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let all = std::fs::read_dir(this.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    all.filter(is_of)
        .max_by_key(built)
        .unwrap_or_else(|| panic!("no test {name} was built: run cargo test --workspace"))
}

/// The image that passes the example's suite.
fn good() -> String {
    format!("oci:{}:latest", real_image("userland").display())
}

/// What came of a run.
#[derive(Debug)]
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Run {
    fn of(command: &mut Command) -> Run {
        let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Run {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The names of the tests of which a line says this, sorted: they run side by side.
    fn that(&self, said: &str) -> Vec<&str> {
        let lines = self.stdout.lines().filter_map(|line| line.strip_prefix("test ")?.split_once(" ... "));
        let mut names: Vec<&str> =
            lines.filter(|(_, end)| end.starts_with(said)).map(|(name, _)| name.trim()).collect();
        names.sort_unstable();
        names
    }

    #[track_caller]
    fn says(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:#?}");
        for word in words {
            assert!(self.stdout.contains(word) || self.stderr.contains(word), "{word:?} is not said: {self:#?}");
        }
    }
}

/// A test binary of the example, as cargo starts it, on a machine where nobody has configured anything.
fn start(name: &str, image: Option<&str>, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary(name));
    command.current_dir(example()).args(arguments);
    plain(&mut command);
    command.env("XDG_CACHE_HOME", cache()).env_remove("RELEASE_IMAGE");
    command.envs(image.map(|image| ("RELEASE_IMAGE", image)));
    command
}

/// Takes away what this machine, and whoever started the tests, has set.
fn plain(command: &mut Command) {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("NEXTEST") || name.starts_with("CI_")) {
        command.env_remove(name);
    }
    for name in ["DOCKER_CONTEXT", "DOCKER_DEFAULT_PLATFORM", "DOCKER_CONFIG", "CI"] {
        command.env_remove(name);
    }
    command.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
}

/// Unpacked layers are the same for all of these tests.
fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("release-gate-cache")
}

fn run(image: &str, arguments: &[&str]) -> Run {
    Run::of(&mut start("release", Some(image), arguments))
}

/// A package whose `suites/release.yaml` is this text.
fn package(suite: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("suites")).unwrap();
    std::fs::write(directory.path().join("suites/release.yaml"), suite).unwrap();
    directory
}

fn terse<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("{name}: test\n")).collect()
}

#[test]
fn listing_needs_no_image() {
    let listed = run("oci:nowhere", &["--list", "--format", "terse"]);
    assert_eq!((listed.code, listed.stdout.as_str(), listed.stderr.as_str()), (0, terse(TRIALS).as_str(), ""));
}

#[test]
fn what_the_suite_excepts_is_listed_as_ignored() {
    let listed = run(&good(), &["--list", "--format", "terse", "--ignored"]);
    assert_eq!((listed.code, listed.stdout), (0, terse([EXCEPTED])));
}

#[test]
fn a_good_image_passes_and_an_exception_is_ignored_with_its_reason() {
    let ran = run(&good(), &[]);
    ran.says(0, &["running 19 tests", "18 passed; 0 failed; 1 ignored"]);
    assert_eq!(ran.that("ok").len(), TRIALS.len() - 1, "{ran:#?}");
    assert_eq!(ran.that("ignored (slow under qemu, tested by hand on a board (until 2099-12-31))"), [EXCEPTED]);
}

#[rstest]
#[case::a_filter(&["arm64/manifest"], &["release/app/linux-arm64/manifest"])]
#[case::part_of_a_name(&["manifest"], &["release/app/linux-amd64/manifest", "release/app/linux-arm64/manifest"])]
#[case::a_whole_name(&["--exact", "release/app/linux-arm64/run"], &["release/app/linux-arm64/run"])]
#[case::no_whole_name(&["--exact", "arm64/manifest"], &[])]
#[case::skip(&["--skip", "amd64", "--skip", "run", "--skip", "platforms", "meta", "--test-threads", "1"], &["release/app/linux-arm64/metadata"])]
#[case::ignored(&["--ignored"], &[EXCEPTED])]
#[case::include_ignored(&["--include-ignored", "modules"], &["release/app/linux-amd64/run/modules", EXCEPTED])]
fn arguments_are_those_of_libtest(#[case] arguments: &[&str], #[case] wanted: &[&str]) {
    let ran = run(&good(), arguments);
    assert_eq!((ran.code, ran.that("")), (0, wanted.to_vec()), "{ran:#?}");
    assert_eq!(ran.that("ok"), wanted, "{ran:#?}");
}

/// linux/arm64 has a program for linux/amd64.
fn broken() -> Layout {
    let layout = Layout::copy_of(&real_image("userland"));
    let layer = Layer::new().program("usr/local/bin/tool", layout.file("amd64", "usr/bin/dash"));
    layout.add_layer("arm64", &layer, "COPY --from=build /out/tool /usr/local/bin/");
    layout
}

fn layout(layout: &Layout) -> String {
    format!("oci:{}", layout.directory.path().display())
}

#[test]
fn a_failing_image_fails_that_test_with_what_was_found() {
    let ran = run(&layout(&broken()), &["binaries"]);
    ran.says(101, &["1 passed; 1 failed", "binary/foreign-architecture", "/usr/local/bin/tool", "to do: "]);
    assert_eq!(ran.that("FAILED"), ["release/app/linux-arm64/binaries"]);
}

#[test]
fn an_image_that_is_not_there_says_what_to_do() {
    let unset = Run::of(&mut start("release", None, &["arm64/manifest"]));
    unset.says(101, &["could not be decided: OCI layout suites/../image was not found: there is no such directory"]);
    let cases = Run::of(&mut start("cases", None, &["arm64"]));
    cases.says(101, &["oci:image on linux/arm64:", "there is no such directory"]);
}

const NOT_HERE: &str = "version: 1
images:
  - image: ${RELEASE_IMAGE}
    name: app
    platforms: linux/arm64
    run: {with: docker, commands: [{command: 'true', name: start}]}
";

#[test]
fn what_cannot_be_run_here_is_ignored_with_its_reason() {
    let package = package(NOT_HERE);
    let here = |arguments: &[&str]| Run::of(start("release", Some(&good()), arguments).current_dir(package.path()));
    let names = ["release/app/linux-arm64/run", "release/app/linux-arm64/run/start"];
    let ran = here(&["/run"]);
    ran.says(0, &["0 passed; 0 failed; 2 ignored", "/nowhere/docker.sock"]);
    assert_eq!(ran.that("ignored ("), names, "{ran:#?}");
    // nextest decides by this what to start.
    assert_eq!(here(&["--list", "--format", "terse", "--ignored"]).stdout, terse(names));
    // Where it is started all the same, nextest would take a good end for success.
    let started = Run::of(start("release", Some(&good()), &["/run"]).current_dir(package.path()).env("NEXTEST", "1"));
    started.says(101, &["could not be run here", "/nowhere/docker.sock"]);
    assert_eq!(started.that("FAILED"), names, "{started:#?}");
    // Unless it has to.
    let required = NOT_HERE.replace("with: docker,", "with: docker, required: true,");
    std::fs::write(package.path().join("suites/release.yaml"), required).unwrap();
    let ran = here(&["/run"]);
    ran.says(101, &["could not be decided: ", "/nowhere/docker.sock"]);
    assert_eq!(ran.that("FAILED"), names, "{ran:#?}");
    assert_eq!(here(&["--list", "--format", "terse", "--ignored"]).stdout, "");
}

#[rstest]
#[case::empty("", 4, "suites/release.yaml: the file is empty")]
#[case::without_images("version: 1\n", 4, "nothing would be checked")]
#[case::a_wrong_key("version: 1\nimages:\n  - imag: x\n", 2, "suites/release.yaml:3:5: ")]
#[case::a_variable(
    "version: 1\nimages:\n  - {image: '${NOT_SET_ANYWHERE}', platforms: linux/arm64}\n",
    2,
    "set it, or give it a value here"
)]
#[case::an_expired_exception(
    "version: 1\nimages:\n  - image: app\n    platforms: linux/arm64\n    run: {commands: [{command: x, exceptions: \
     [{platforms: linux/arm64, reason: r, expires: 2020-01-01}]}]}\n",
    2,
    "expired: its last day was 2020-01-01"
)]
fn a_suite_that_is_wrong_is_told(#[case] suite: &str, #[case] code: i32, #[case] words: &str) {
    let package = package(suite);
    for arguments in [&[] as &[&str], &["--list"]] {
        let ran = Run::of(start("release", Some("oci:nowhere"), arguments).current_dir(package.path()));
        ran.says(code, &[words, "hint: "]);
        assert_eq!(ran.stdout, "", "nothing that a test runner would take for tests");
    }
}

#[test]
fn cases_in_code_do_the_same() {
    let passed = Run::of(&mut start("cases", Some(&good()), &[]));
    passed.says(0, &["2 passed; 0 failed"]);
    let failed = Run::of(&mut start("cases", Some(&layout(&broken())), &[]));
    failed.says(101, &["1 passed; 1 failed", "on linux/arm64:", "binary/foreign-architecture", "/usr/local/bin/tool"]);
}
