//! Suites that build what they check, and rehearsals in suites, with a real docker.

use crate::parts::{classic, containerd, docker, done, part};
use mpcheck_kit::elf::Elf;
use rstest::rstest;
use serde_json::Value;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Two platforms of an image without a base, so that the build needs nothing from outside.
const DOCKERFILE: &str = r#"FROM scratch
ARG TARGETARCH
COPY --chmod=755 app-$TARGETARCH /usr/bin/app
COPY data /srv/data
ENTRYPOINT ["/usr/bin/app"]
"#;

/// A directory with contexts and a suite about them: `NAME` builds well, in `twin` the program of arm64 is one for amd64,
/// and `broken` copies what is not there.
struct Place {
    directory: TempDir,
    socket: String,
}

struct Outcome {
    code: i32,
    /// `NAME STATUS`.
    trials: Vec<String>,
    report: Value,
    all: String,
}

impl Place {
    fn new(socket: &str, builds: &str) -> Place {
        let directory = tempfile::tempdir().unwrap();
        for (context, arm64) in [("good", "linux/arm64"), ("twin", "linux/amd64")] {
            let path = directory.path().join(context);
            fs::create_dir(&path).unwrap();
            fs::write(path.join("Dockerfile"), DOCKERFILE).unwrap();
            for (name, platform) in [("app-amd64", "linux/amd64"), ("app-arm64", arm64)] {
                fs::write(path.join(name), Elf::program(platform).build()).unwrap();
            }
            // No other test has what this one builds.
            fs::write(path.join("data"), format!("{:016x}\n", RandomState::new().hash_one(0))).unwrap();
        }
        fs::create_dir(directory.path().join("broken")).unwrap();
        fs::write(directory.path().join("broken/Dockerfile"), "FROM scratch\nCOPY nothing-is-here /\n").unwrap();
        fs::create_dir(directory.path().join("tmp")).unwrap();
        let suite = format!("version: 1\ndefaults:\n  platforms: [linux/amd64, linux/arm64]\nbuilds:\n{builds}");
        fs::write(directory.path().join("s.yaml"), suite).unwrap();
        Place { directory, socket: socket.to_owned() }
    }

    fn test(&self, arguments: &[&str]) -> Outcome {
        self.test_of(&self.directory.path().join("s.yaml"), arguments)
    }

    fn test_of(&self, suite: &Path, arguments: &[&str]) -> Outcome {
        let parts = part("MPCHECK_PARTS");
        let path = format!("{parts}/bin:{}", std::env::var("PATH").unwrap());
        let place = |name: &str| self.directory.path().join(name);
        let mut command = Command::new(env!("CARGO_BIN_EXE_mpcheck"));
        for name in ["DOCKER_CONTEXT", "DOCKER_DEFAULT_PLATFORM", "DOCKER_BUILDKIT", "BUILDX_BUILDER"] {
            command.env_remove(name);
        }
        command.env("DOCKER_HOST", &self.socket).env("PATH", path);
        command.env("DOCKER_CONFIG", format!("{parts}/docker-config")).env("TMPDIR", place("tmp"));
        command.env("XDG_CACHE_HOME", place("cache"));
        command.arg("test").arg(suite).args(["--format", "json"]).args(arguments);
        let output = command.output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let text = |trial: &Value, field: &str| trial[field].as_str().unwrap_or_default().to_owned();
        let trials = report["trials"].as_array().cloned().unwrap_or_default();
        Outcome {
            code: output.status.code().unwrap_or(-1),
            trials: trials.iter().map(|trial| format!("{} {}", text(trial, "name"), text(trial, "status"))).collect(),
            all: format!("{}\n{report:#}", String::from_utf8_lossy(&output.stderr)),
            report,
        }
    }

    /// What is left of builds: their directories, and what the engine has of their names, which stand in the commands.
    fn left(&self, outcome: &Outcome) -> Vec<String> {
        let directories = fs::read_dir(self.directory.path().join("tmp")).unwrap();
        let directories = directories.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        let all = done(docker(&self.socket).args(["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]));
        let is_ours = |image: &&str| image.starts_with("mpcheck-build-") && outcome.all.contains(*image);
        let images = all.lines().filter(is_ours).map(str::to_owned);
        directories.filter(|name| name.starts_with("mpcheck-build-")).chain(images).collect()
    }
}

impl Outcome {
    fn trial(&self, name: &str) -> &Value {
        let found = self.report["trials"].as_array().unwrap().iter().find(|trial| trial["name"] == name);
        found.unwrap_or_else(|| panic!("no {name}: {}", self.all))
    }

    fn output(&self, name: &str) -> &str {
        self.trial(name)["output"].as_str().unwrap_or_default()
    }

    fn not_passed(&self) -> Vec<&str> {
        self.trials.iter().map(String::as_str).filter(|trial| !trial.ends_with(" passed")).collect()
    }
}

/// At once where the store has room for it, else one platform after the other.
#[rstest]
fn what_a_suite_builds_is_checked_on_every_platform(#[values("classic", "containerd")] store: &str) {
    let socket = if store == "classic" { classic() } else { containerd() };
    let place = Place::new(&socket, "  - context: good\n  - context: twin\n");
    let outcome = place.test(&["--run", "never"]);
    assert_eq!(outcome.code, 1, "{}", outcome.all);
    assert_eq!(outcome.trials.len(), 20, "{}", outcome.all);
    assert_eq!(outcome.not_passed(), ["s/twin/linux-arm64/binaries failed"], "{}", outcome.all);
    let finding = &outcome.report["findings"][0];
    assert_eq!(finding["rule"], "binary/foreign-architecture", "{finding:#}");
    assert_eq!((&finding["platform"], &finding["path"]), (&"linux/arm64".into(), &"/usr/bin/app".into()));
    assert!(finding["instruction"].as_str().unwrap_or_default().contains("app-arm64 /usr/bin/app"), "{finding:#}");
    assert!(finding["instruction"].as_str().unwrap_or_default().contains("twin/Dockerfile:3: COPY "), "{finding:#}");
    // Once for all trials, with the commands to repeat it.
    let builds = outcome.output("s/good/build").matches("  $ docker ").count();
    assert_eq!(builds, if store == "classic" { 2 } else { 1 }, "{}", outcome.output("s/good/build"));
    assert!(outcome.report["steps"].as_array().is_none_or(Vec::is_empty), "they stand with the trials");
    assert_eq!(place.left(&outcome), [""; 0]);
}

/// The programs of the kit end with 0 and say nothing.
#[test]
fn what_a_suite_builds_is_run() {
    let build = "  - context: good\n    args: {UNUSED: 1}\n    target: release\n    run:\n      required: true\n      \
                 commands: [{command: [/usr/bin/app], name: app}]\n    metadata: {entrypoint: [/usr/bin/app]}\n";
    let place = Place::new(&containerd(), build);
    fs::write(
        place.directory.path().join("good/Dockerfile"),
        format!("{}FROM scratch\n", DOCKERFILE.replace("FROM scratch", "FROM scratch AS release")),
    )
    .unwrap();
    let outcome = place.test(&["--platform", "linux/amd64"]);
    assert_eq!((outcome.code, outcome.not_passed()), (0, Vec::new()), "{}", outcome.all);
    let wanted = ["binaries", "blobs", "layers", "manifest", "metadata", "run", "run/app"];
    assert_eq!(outcome.trials, wanted.map(|name| format!("s/good/linux-amd64/{name} passed")), "{}", outcome.all);
}

#[rstest]
fn a_dockerfile_that_fails_is_told_once_and_nothing_of_it_passes(#[values("classic", "containerd")] store: &str) {
    let socket = if store == "classic" { classic() } else { containerd() };
    let place = Place::new(&socket, "  - context: broken\n");
    let outcome = place.test(&["--run", "never"]);
    assert_eq!(outcome.code, 1, "{}", outcome.all);
    assert!(outcome.trials.iter().all(|trial| !trial.ends_with(" passed")), "{:?}", outcome.trials);
    assert_eq!(outcome.trial("s/broken/build")["status"], "failed");
    for words in
        ["error[build/failed]", "FAILED: the build failed (exit code 1)", "  $ docker ", "nothing-is-here", "log: "]
    {
        assert!(outcome.output("s/broken/build").contains(words), "{words}: {}", outcome.all);
    }
    let reason = outcome.trial("s/broken/linux-arm64/binaries")["reason"].as_str().unwrap();
    assert!(reason.starts_with("it was not built: the build failed"), "{reason}");
    assert!(outcome.all.contains("the files of the build and its logs are kept in "), "{}", outcome.all);
    // Asked for alone, the platform says itself what is wrong.
    let alone = place.test(&["--run", "never", "--", "linux-arm64/binaries"]);
    assert_eq!((alone.code, alone.trials.as_slice()), (1, &["s/broken/linux-arm64/binaries failed".to_owned()][..]));
    assert!(alone.output("s/broken/linux-arm64/binaries").contains("error[build/failed]"), "{}", alone.all);
}

#[test]
fn only_what_is_asked_for_is_built() {
    let place = Place::new(&containerd(), "  - context: good\n  - context: broken\n  - context: twin\n");
    let amd64 = place.test(&["--run", "never", "--platform", "linux/amd64", "--skip", "broken"]);
    assert_eq!((amd64.code, amd64.not_passed()), (0, Vec::new()), "{}", amd64.all);
    assert_eq!(amd64.trials.len(), 8, "{:?}", amd64.trials);
    let images = amd64.report["images"].as_array().unwrap();
    let platforms: Vec<&Value> = images.iter().flat_map(|image| image["platforms"].as_array().unwrap()).collect();
    assert!(platforms.iter().all(|platform| platform["platform"] == "linux/amd64"), "{}", amd64.all);
}

#[test]
fn an_engine_that_is_not_there_leaves_it_undecided() {
    let place = Place::new("unix:///nowhere/docker.sock", "  - context: good\n  - name: rehearsal\n");
    let outcome = place.test(&["--run", "never"]);
    assert_eq!(outcome.code, 3, "{}", outcome.all);
    assert!(outcome.trials.iter().all(|trial| trial.ends_with(" error")), "{:?}", outcome.trials);
    assert_eq!(fs::read_dir(place.directory.path().join("tmp")).unwrap().count(), 0);
}

/// The suite that ships, which rehearses both platforms.
#[test]
fn a_rehearsal_is_a_trial_whose_output_has_every_step() {
    let place = Place::new(&containerd(), "  - name: unused\n");
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("suites/walkthrough/build.yaml");
    let outcome = place.test_of(&suite, &[]);
    let name = "walkthrough-build/rehearsal/build";
    assert_eq!(outcome.trials, [format!("{name} passed")], "{}", outcome.all);
    assert_eq!(outcome.code, 0, "{}", outcome.all);
    let output = outcome.output(name);
    for words in [
        "step tools: passed: docker ",
        "step emulated/amd64: passed",
        "step emulated/arm64: passed",
        "  $ docker build ",
    ] {
        assert!(output.contains(words), "{words}: {output}");
    }
    assert!(outcome.report["steps"].as_array().is_none_or(Vec::is_empty), "they stand with the trial");
    assert_eq!(place.left(&outcome), [""; 0]);
}

#[test]
fn a_builder_that_is_not_there_fails_the_rehearsal() {
    let place = Place::new(&containerd(), "  - {name: r, platforms: linux/amd64, builder: mpcheck-no-such-builder}\n");
    let outcome = place.test(&[]);
    assert_eq!(outcome.trials, ["s/r/build failed"], "{}", outcome.all);
    assert_eq!(outcome.code, 1, "{}", outcome.all);
    assert!(outcome.output("s/r/build").contains("error[build/builder-failed]"), "{}", outcome.all);
}
