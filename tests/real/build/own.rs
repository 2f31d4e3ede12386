//! Somebody's own Dockerfile, good and bad.

use super::{Build, Outcome, classic, containerd, left};
use crate::parts::{EngineImage, docker, done, real_image, script};
use mpcheck_kit::elf::Elf;
use rstest::rstest;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

const PLATFORMS: [&str; 2] = ["--platform", "linux/amd64,linux/arm64"];

/// A context with a program for each platform, busybox of each, and this Dockerfile.
fn context(dockerfile: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for platform in ["amd64", "arm64"] {
        let app = directory.path().join(format!("app-{platform}"));
        fs::write(&app, Elf::program(&format!("linux/{platform}")).build()).unwrap();
        fs::set_permissions(&app, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(directory.path().join("Dockerfile"), dockerfile).unwrap();
    directory
}

fn build(socket: &str, context: &Path, more: &[&str]) -> Outcome {
    Build::on(socket).with(&[context.to_str().unwrap()]).with(&PLATFORMS).with(&["--run", "never"]).with(more).run()
}

const GOOD: &str = "FROM scratch\nARG TARGETARCH\nCOPY app-$TARGETARCH /usr/bin/app\nENTRYPOINT [\"/usr/bin/app\"]\n";
/// The mistake that everybody makes once.
const LEAK: &str = "FROM scratch\nCOPY app-amd64 /usr/bin/app\nENTRYPOINT [\"/usr/bin/app\"]\n";

#[rstest]
#[case::at_once(containerd(), &["build"], 1)]
#[case::one_after_the_other(classic(), &["build/amd64", "build/arm64"], 2)]
fn a_good_dockerfile_passes(#[case] socket: String, #[case] steps: &[&str], #[case] images: usize) {
    let context = context(GOOD);
    let outcome = build(&socket, context.path(), &[]);
    outcome.assert_clean();
    assert_eq!(outcome.that("passed"), steps, "{}", outcome.all());
    assert_eq!(outcome.report["images"].as_array().unwrap().len(), images, "{}", outcome.all());
}

#[rstest]
#[case::at_once(containerd())]
#[case::one_after_the_other(classic())]
fn a_leak_is_found_with_its_instruction(#[case] socket: String) {
    let context = context(LEAK);
    let outcome = build(&socket, context.path(), &[]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.all());
    let finding = outcome.finding("binary/foreign-architecture");
    assert_eq!((&finding["platform"], &finding["path"]), (&"linux/arm64".into(), &"/usr/bin/app".into()));
    assert!(
        finding["instruction"].as_str().unwrap().contains("Dockerfile:2: COPY app-amd64 /usr/bin/app"),
        "{finding}"
    );
}

#[test]
fn a_dockerfile_for_one_platform_only_is_told() {
    let pinned = context(&LEAK.replace("FROM scratch", "FROM --platform=linux/amd64 scratch"));
    let outcome = build(&containerd(), pinned.path(), &[]);
    assert!(outcome.rules().contains(&"binary/foreign-architecture"), "{}", outcome.all());

    let refuses = context("FROM scratch\nARG TARGETARCH\nCOPY only-$TARGETARCH /usr/bin/app\n");
    fs::write(refuses.path().join("only-amd64"), Elf::program("linux/amd64").build()).unwrap();
    let outcome = build(&containerd(), refuses.path(), &[]);
    assert_eq!((outcome.code, outcome.rules()), (Some(1), vec!["build/failed"]), "{}", outcome.all());
    let finding = outcome.finding("build/failed");
    assert_eq!(finding["instruction"], "Dockerfile:3: COPY only-$TARGETARCH /usr/bin/app");
    let step = outcome.step("build");
    assert!(step["output"].as_str().unwrap().contains("only-arm64"), "{step}");
    assert!(fs::read_to_string(step["log"].as_str().unwrap()).unwrap().contains("only-arm64"), "the whole log is kept");
}

#[rstest]
#[case::with_buildkit("1")]
#[case::the_old_way("0")]
fn a_build_that_fails_is_told_with_its_last_lines(#[case] buildkit: &str) {
    let context = context("FROM scratch\nCOPY app-amd64 /app\nRUN [\"/nothing\"]\n");
    let run = Build::on(&classic()).set("DOCKER_BUILDKIT", buildkit).with(&[context.path()]);
    let outcome = run.with(&["--platform", "linux/amd64"]).run();
    assert_eq!((outcome.code, outcome.rules()), (Some(1), vec!["build/failed"]), "{}", outcome.all());
    assert!(outcome.step("build/amd64")["output"].as_str().unwrap().contains("/nothing"), "{}", outcome.all());
}

/// What there cannot be is not promised.
#[test]
fn no_image_is_kept_where_there_is_none_of_all_platforms() {
    let context = context(GOOD);
    let kept = context.path().join("kept.tar");
    let outcome = build(&classic(), context.path(), &["--output", kept.to_str().unwrap()]);
    assert_eq!(outcome.code, Some(2), "{}", outcome.all());
    assert!(
        outcome.stderr.contains("no image of all platforms") && outcome.stderr.contains("--builder"),
        "{}",
        outcome.all()
    );
}

/// Stages, a failing RUN, and a base that was there before: nothing without a name is left of it, and the base is.
#[test]
fn the_old_builder_leaves_nothing_and_the_base_stays() {
    let socket = classic();
    let base = EngineImage::named(&socket, "mpcheck-old-builder-base:1");
    done(script("load.sh").arg(&socket).arg(real_image("busybox")).args([&base.name, "linux/amd64"]));
    let failing = format!(
        "FROM {0} AS one\nRUN echo $$ >/a{1}\nFROM {0}\nCOPY --from=one /a{1} /a\nRUN false\n",
        base.name,
        std::process::id()
    );
    for (dockerfile, code) in [(failing.clone(), 1), (failing.replace("RUN false", "RUN true"), 0)] {
        let context = context(&dockerfile);
        let run = Build::on(&socket).set("DOCKER_BUILDKIT", "0").with(&[context.path()]);
        let outcome = run.with(&["--platform", "linux/amd64", "--run", "never"]).run();
        assert_eq!(outcome.code, Some(code), "{}", outcome.all());
    }
    let has = |words: &[&str]| done(docker(&socket).args(words));
    assert!(!has(&["image", "ls", "--quiet", &base.name]).trim().is_empty(), "the base is gone");
    let since = format!("since={}", base.name);
    let unnamed = has(&["image", "ls", "--quiet", "--filter", "dangling=true", "--filter", &since]);
    let histories = unnamed.split_whitespace().map(|id| has(&["image", "history", "--no-trunc", id]));
    let ours = histories.filter(|history| history.contains(&format!("/a{}", std::process::id()))).count();
    assert_eq!(ours, 0, "{unnamed}");
}

/// A program that only sleeps.
fn that_hangs() -> TempDir {
    let context = context("FROM scratch\nCOPY wait /bin/wait\nRUN [\"/bin/wait\"]\n");
    let row = mpcheck::platform::Architecture::by_name("amd64").unwrap();
    fs::write(context.path().join("wait"), mpcheck::probe::waiter(row, 100_000).unwrap()).unwrap();
    fs::set_permissions(context.path().join("wait"), fs::Permissions::from_mode(0o755)).unwrap();
    context
}

#[test]
fn a_build_that_hangs_is_stopped() {
    let context = that_hangs();
    let run =
        Build::on(&containerd()).with(&[context.path()]).with(&["--platform", "linux/amd64", "--step-timeout", "4s"]);
    let outcome = run.run();
    assert_eq!((outcome.code, outcome.rules()), (Some(1), vec!["build/timeout"]), "{}", outcome.all());
    let message = outcome.finding("build/timeout")["message"].as_str().unwrap();
    assert!(message.contains("not done after 4s"), "{message}");
}

#[test]
fn a_signal_stops_a_build() {
    let context = that_hangs();
    let mut build = Build::on(&classic()).with(&[context.path()]).with(&["--platform", "linux/amd64"]);
    let mut child = build.start();
    let log = |build: &Build| {
        let logs = fs::read_dir(build.site()?.join("logs")).ok()?;
        let texts = logs.filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok());
        texts.into_iter().find(|text| text.contains("RUN [\"/bin/wait\"]"))
    };
    while log(&build).is_none() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it hung");
        thread::sleep(Duration::from_millis(5));
    }
    let site = build.site().unwrap();
    let name = site.file_name().unwrap().to_string_lossy().to_lowercase();
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&output.status), Some(15));
    assert!(!site.exists() && left(&build.socket, &name).is_empty());
}

#[test]
fn arguments_target_and_further_options_reach_the_build_and_the_image_is_kept() {
    let dockerfile = format!("{GOOD}FROM scratch AS never\nCOPY nothing /\n")
        .replace("FROM scratch\nARG", "FROM scratch AS app\nARG WHAT\nLABEL what=$WHAT\nARG");
    let context = context(&dockerfile);
    let kept = context.path().join("kept.tar");
    let more = [
        "--target",
        "app",
        "--build-arg",
        "WHAT=this",
        "--output",
        kept.to_str().unwrap(),
        "--",
        "--label",
        "more=that",
    ];
    let outcome = build(&containerd(), context.path(), &more);
    outcome.assert_clean();
    let reference = format!("oci-archive:{}", kept.display());
    assert_eq!(outcome.report["images"][0]["reference"], reference);
    let inspected = crate::parts::done(std::process::Command::new("skopeo").args([
        "inspect",
        "--override-arch",
        "arm64",
        &reference,
    ]));
    let labels: serde_json::Value = serde_json::from_str::<serde_json::Value>(&inspected).unwrap()["Labels"].clone();
    assert_eq!(labels, serde_json::json!({ "what": "this", "more": "that" }));
}
