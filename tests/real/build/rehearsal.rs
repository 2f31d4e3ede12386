//! The rehearsal, on engines with both image stores and on an old one.

use super::{Build, Outcome, classic, containerd, left, old};
use crate::parts::{EngineImage, done, real_image, registry, script};
use rstest::rstest;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::thread;
use std::time::Duration;

fn line_of(outcome: &Outcome, step: &str, command: usize) -> String {
    outcome.step(step)["commands"][command]["line"].as_str().unwrap().to_owned()
}

#[test]
fn the_containerd_store_does_everything_but_what_needs_an_image_from_elsewhere() {
    let outcome = Build::on(&containerd()).run();
    outcome.assert_clean();
    assert_eq!(outcome.that("skipped"), ["builder"], "{}", outcome.all());
    let reason = outcome.reason("builder");
    assert!(reason.starts_with("moby/buildkit:buildx-stable-1 cannot be had: "), "{reason}");
    for (slug, machine) in [("amd64", "x86_64"), ("arm64", "aarch64")] {
        let reason = outcome.reason(&format!("emulated/{slug}")).to_owned();
        assert!(reason.starts_with(&format!("uname -m: {machine} ")), "{reason}");
    }
    assert!(outcome.reason("tools").contains("containerd image store, buildx 0."), "{}", outcome.all());
    assert_eq!(outcome.reason("cross/twin"), "found, by binary/foreign-architecture");
    assert!(outcome.reason("publish/provenance").contains("is a manifest list"), "{}", outcome.all());
    let same = "index, manifest, imagetools have the same programs in linux/amd64, linux/arm64";
    assert_eq!(outcome.reason("publish/compare"), same);
    let line = line_of(&outcome, "emulated/arm64", 0);
    assert!(line.starts_with("docker build --platform linux/arm64 --tag mpcheck-build-"), "{line}");
    for step in outcome.report["steps"].as_array().unwrap().iter().filter(|step| step["name"] != "tools") {
        let is_timed = step["commands"].as_array().unwrap().iter().all(|command| command["duration_ms"].is_u64());
        assert!(is_timed && step["duration_ms"].is_u64(), "{step}");
    }
}

#[rstest]
#[case::of_today(classic())]
#[case::of_docker_20_10(old())]
fn the_classic_store_skips_what_it_cannot_do_with_the_reason(#[case] socket: String) {
    let outcome = Build::on(&socket).run();
    outcome.assert_clean();
    assert_eq!(
        outcome.that("skipped"),
        ["builder", "publish/index", "publish/provenance", "several"],
        "{}",
        outcome.all()
    );
    for step in ["several", "publish/index"] {
        assert!(
            outcome.reason(step).contains("classic image store holds one platform for each tag"),
            "{}",
            outcome.all()
        );
    }
    assert!(outcome.reason("emulated/arm64").contains("the tag names the platform"), "{}", outcome.all());
    assert!(outcome.reason("publish/provenance").contains("keeps no attestations"), "{}", outcome.all());
    assert!(outcome.reason("publish/compare").starts_with("manifest, imagetools have the same"), "{}", outcome.all());
}

/// `--provenance` is BuildKit's, and so are the ARGs of platforms.
#[test]
fn without_buildkit_docker_builds_the_old_way() {
    let outcome =
        Build::on(&classic()).set("DOCKER_BUILDKIT", "0").with(&["--platform", "linux/arm64,linux/s390x"]).run();
    outcome.assert_clean();
    assert!(outcome.reason("tools").contains("DOCKER_BUILDKIT=0 switches it off"), "{}", outcome.all());
    assert!(outcome.reason("publish/provenance").contains("needs BuildKit: DOCKER_BUILDKIT=0"), "{}", outcome.all());
    assert!(line_of(&outcome, "emulated/s390x", 0).contains("Dockerfile.s390x"), "{}", outcome.all());
}

#[test]
fn without_buildx_what_needs_it_is_skipped() {
    let outcome = Build::without_buildx(&classic()).with(&["--platform", "linux/arm64"]).run();
    outcome.assert_clean();
    let skipped = [
        "builder",
        "cross/right",
        "cross/twin",
        "publish/compare",
        "publish/imagetools",
        "publish/index",
        "publish/provenance",
        "several",
    ];
    assert_eq!(outcome.that("skipped"), skipped, "{}", outcome.all());
    for step in ["builder", "cross/right", "several", "publish/imagetools"] {
        assert!(outcome.reason(step).contains("there is no buildx: docker says"), "{}", outcome.all());
    }
    assert_eq!(outcome.steps()["publish/manifest"], "passed");
}

#[test]
fn a_builder_that_is_there_is_taken_and_one_that_is_not_fails() {
    let outcome = Build::on(&containerd()).with(&["--builder", "default", "--platform", "linux/arm64"]).run();
    outcome.assert_clean();
    assert_eq!(outcome.steps()["builder"], "passed");
    assert!(line_of(&outcome, "publish/index", 0).contains("--builder default"), "{}", outcome.all());

    let outcome = Build::on(&classic()).with(&["--builder", "nobody", "--platform", "linux/arm64"]).run();
    assert_eq!((outcome.code, outcome.that("failed")), (Some(1), vec!["builder"]), "{}", outcome.all());
    assert_eq!(outcome.rules(), ["build/builder-failed"], "{}", outcome.all());
    let log = outcome.step("builder")["log"].as_str().unwrap().to_owned();
    assert!(fs::read_to_string(&log).unwrap().contains("nobody"), "{log}");
    assert!(outcome.stderr.contains("are kept in"), "{}", outcome.all());
}

/// What is in the image is no BuildKit: the builder is made, does not start, and is gone again.
#[test]
fn a_builder_that_does_not_start_is_told_and_removed() {
    let image = EngineImage::named(&containerd(), "mpcheck-no-buildkit:1");
    let layout = real_image("busybox");
    done(script("load.sh").arg(&image.socket).arg(layout).args([&image.name, "linux/amd64"]));
    let outcome = Build::on(&image.socket).with(&["--platform", "linux/arm64", "--buildkit", &image.name]).run();
    assert_eq!((outcome.code, outcome.that("failed")), (Some(1), vec!["builder"]), "{}", outcome.all());
    assert_eq!(outcome.rules(), ["build/builder-failed"], "{}", outcome.all());
    let line = line_of(&outcome, "builder", 1);
    assert!(
        line.contains("buildx create --name mpcheck-build-") && line.contains("image=mpcheck-no-buildkit:1"),
        "{line}"
    );
    assert_eq!(outcome.steps()["builder/remove"], "passed", "{}", outcome.all());
    assert_eq!(outcome.steps()["publish/index"], "passed", "the engine's own builder is there: {}", outcome.all());
    let containers = done(crate::parts::docker(&image.socket).args(["ps", "--all", "--format", "{{.Names}}"]));
    assert!(!containers.contains("buildx_buildkit_mpcheck-build-"), "{containers}");
}

/// An image of a real userland is the base, out of a registry.
#[test]
fn a_base_image_is_used_where_it_is_named() {
    let name = format!("{}/rehearsal-base:1", registry());
    done(script("push.sh").arg(real_image("userland")).arg(&name));
    let outcome = Build::on(&containerd()).with(&["--base", &name, "--platform", "linux/amd64,linux/arm64"]).run();
    outcome.assert_clean();
    assert_eq!(outcome.reason("emulated/arm64"), "uname -m: aarch64");
    assert_eq!(outcome.reason("cross/twin"), "found, by binary/foreign-architecture");

    let name = format!("{}/rehearsal-base:none", registry());
    let outcome = Build::on(&containerd()).with(&["--base", &name, "--platform", "linux/arm64"]).run();
    assert_eq!(outcome.code, Some(1), "{}", outcome.all());
    assert_eq!(outcome.rules(), ["build/base-missing"], "{}", outcome.all());
}

/// Where the image `registry:3` is to be had, the registry runs in a container.
#[test]
fn a_registry_in_a_container_comes_first() {
    let socket = old();
    done(script("registry-image.sh").args([&socket, "registry:3"]));
    let outcome = Build::on(&socket).with(&["--platform", "linux/arm64"]).run();
    outcome.assert_clean();
    assert!(outcome.reason("registry").starts_with("registry:3 in a container, 127.0.0.1:"), "{}", outcome.all());
    let kept = done(crate::parts::docker(&socket).args(["image", "ls", "--quiet", "registry:3"]));
    assert!(!kept.trim().is_empty(), "an image that was there before is not removed");
}

/// An architecture for which no handler is registered, as `host install` names it.
fn without_emulator() -> &'static str {
    let handlers = fs::read_dir("/proc/sys/fs/binfmt_misc").unwrap().map(|entry| entry.unwrap().file_name());
    let handlers: Vec<String> = handlers.map(|name| name.to_string_lossy().into_owned()).collect();
    let all = [("loong64", "loongarch64"), ("mips64le", "mips64el"), ("mips64", "mips64")];
    let free = all.iter().find(|(_, qemu)| !handlers.iter().any(|name| name.contains(qemu)));
    free.expect("this machine has handlers for everything").0
}

#[test]
fn a_platform_without_emulator_is_told_with_what_to_do() {
    let architecture = without_emulator();
    let platform = format!("linux/{architecture}");
    let outcome = Build::on(&classic()).with(&["--platform", &platform]).run();
    assert_eq!(outcome.code, Some(1), "{}", outcome.all());
    let finding = outcome.finding("build/no-emulator");
    assert!(finding["hint"].as_str().unwrap().contains(&format!("mpcheck host install {architecture}")), "{finding}");
    assert_eq!(finding["platform"], platform);
    assert_eq!(finding["instruction"], "Dockerfile:5: RUN [\"/bin/start\"]");
    assert_eq!(outcome.steps()["cross/right"], "passed", "cross compilation needs none: {}", outcome.all());
}

/// Ctrl-C in the middle, while images, a registry and a build are there.
#[test]
fn a_signal_takes_everything_away() {
    let mut build = Build::on(&classic());
    let mut child = build.start();
    let registry = loop {
        if let Some(config) = build.site().map(|site| site.join("registry.json"))
            && let Ok(text) = fs::read_to_string(&config)
            && !text.is_empty()
        {
            break config;
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended before there was a registry");
        thread::sleep(Duration::from_millis(5));
    };
    let site = registry.parent().unwrap().to_owned();
    let name = site.file_name().unwrap().to_string_lossy().to_lowercase();
    assert_ne!(left(&build.socket, &name), "", "nothing was there to be removed, so this proves nothing");
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(left(&build.socket, &name), "");
    assert!(!site.exists());
    let serves = fs::read_dir("/proc").unwrap().filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
    let registry = registry.to_string_lossy().into_owned();
    let ours = serves.filter(|line| String::from_utf8_lossy(line).contains(&registry)).count();
    assert_eq!(ours, 0, "its registry goes on");
}
