//! On an engine's host, by a privileged container. The image is a stand-in (tests/parts/installer.sh) for tonistiigi/binfmt,
//! which cannot be had here; the engines are real, and share this machine's kernel and registry.

use super::machine::Registry;
use super::{Ended, REGISTRY};
use crate::parts::{EngineImage, classic, containerd, docker, done, part, registry, script};
use mpcheck::platform::Architecture;
use rstest::rstest;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

/// An image in an engine, gone when the test ends.
fn image(socket: &str, name: &str) -> EngineImage {
    let image = EngineImage::named(socket, name);
    let probes = tempfile::tempdir().unwrap();
    for architecture in ["loong64", "arm64"] {
        let path = probes.path().join(architecture);
        fs::write(&path, mpcheck::probe::probe(Architecture::by_name(architecture).unwrap()).unwrap()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut make = script("installer-image.sh");
    done(make.args([socket, name]).arg(probes.path()).arg("loongarch64"));
    image
}

fn host(socket: &str, words: &[&str]) -> Ended {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mpcheck"));
    command.arg("host").args(words).args(["--engine", "--host", socket]);
    command.env("HOME", home.path()).env("XDG_CACHE_HOME", home.path()).env_remove("DOCKER_CONFIG");
    Ended::of(&mut command)
}

/// Containers of `install` that are still there.
fn containers(socket: &str) -> String {
    done(docker(socket).args(["ps", "--all", "--quiet", "--filter", "name=mpcheck-install-"]))
}

fn has(socket: &str, name: &str) -> bool {
    docker(socket).args(["image", "inspect", name]).output().unwrap().status.success()
}

fn is_there() -> bool {
    Path::new(REGISTRY).join("qemu-loongarch64").exists()
}

/// Whether this machine has all capabilities that its kernel knows: Docker 20.10 gives a privileged container all of them,
/// and cannot start it where one is not there to be given, as in some virtual machines.
fn has_all_capabilities() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let bounding = status.lines().find_map(|line| line.strip_prefix("CapBnd:")).unwrap();
    let last: u32 = fs::read_to_string("/proc/sys/kernel/cap_last_cap").unwrap().trim().parse().unwrap();
    u64::from_str_radix(bounding.trim(), 16).unwrap().count_ones() == last + 1
}

#[rstest]
fn an_image_of_the_engine_installs_and_removes_and_stays(
    #[values(("classic", classic()), ("containerd", containerd()), ("old", part("MPCHECK_ENGINE_OLD")))] engine: (
        &str,
        String,
    ),
) {
    let _registry = Registry::new();
    let (kind, socket) = engine;
    let name = format!("mpcheck-installer-{kind}:kept");
    let _image = image(&socket, &name);
    let from = format!("docker-daemon:{name}");
    if kind == "old" && !has_all_capabilities() {
        let refused = host(&socket, &["install", "loong64", "--emulators", &from]);
        refused.says(3, &[]).complains(&["could not be asked to start a privileged container", "unable to apply caps"]);
        assert!(has(&socket, &name) && containers(&socket).is_empty() && !is_there());
        return;
    }
    let installed = host(&socket, &["install", "loong64", "--emulators", &from]);
    installed.says(0, &["linux/loong64 ✓ installed on the engine's host, and runs there"]);
    assert!(is_there());
    host(&socket, &["install", "linux/loong64", "--emulators", &from])
        .says(0, &["✓ already there on the engine's host"]);
    host(&socket, &["uninstall", "loong64", "--emulators", &from]).says(0, &["linux/loong64 ✓ removed\n"]);
    assert!(!is_there());
    host(&socket, &["uninstall", "loong64", "--emulators", &from]).says(0, &["linux/loong64 ✓ was not there\n"]);
    // What the image does not know, and what it cannot do.
    host(&socket, &["install", "mips", "--emulators", &from])
        .says(3, &["linux/mips ✗ ", "unsupported architecture: mips"]);
    host(&socket, &["install", "mips64", "--emulators", &from]).says(3, &["linux/mips64 ✗ ", "cannot register"]);
    assert!(has(&socket, &name) && containers(&socket).is_empty());
}

#[test]
fn an_image_of_a_registry_is_pulled_and_goes_again() {
    let _registry = Registry::new();
    let socket = classic();
    let name = format!("{}/installer:pulled", registry());
    {
        let image = image(&socket, &name);
        done(docker(&socket).args(["push", "--quiet", &image.name]));
    }
    assert!(!has(&socket, &name));
    let installed = host(&socket, &["install", "loong64", "--emulators", &name]);
    installed.says(0, &["linux/loong64 ✓ installed"]).complains(&["note: the engine pulls ", "removed afterwards"]);
    let removed = host(&socket, &["uninstall", "loong64", "--emulators", &name, "--quiet"]);
    removed.says(0, &["✓ removed"]);
    assert_eq!(removed.stderr, "");
    assert!(!has(&socket, &name) && containers(&socket).is_empty() && !is_there());
}

#[test]
fn an_image_of_another_kind_and_one_that_is_not_there_are_told() {
    // Alone, as the others are: it looks for their containers too.
    let _registry = Registry::new();
    let socket = classic();
    let busybox = EngineImage::named(&socket, "mpcheck-not-an-installer:1");
    done(script("registry-image.sh").args([&socket, &busybox.name]));
    let from = format!("docker-daemon:{}", busybox.name);
    host(&socket, &["install", "loong64", "--emulators", &from])
        .says(3, &[])
        .complains(&["did nothing", "images of its kind"]);
    let missing = format!("{}/no-such-installer:1", registry());
    let told = host(&socket, &["install", "loong64", "--emulators", &missing]);
    told.says(3, &[]).complains(&["could not be asked to pull the image", "`docker pull ", "--emulators IMAGE"]);
    let own = mpcheck::platform::Platform::host().architecture().to_owned();
    host(&socket, &["install", &own]).says(3, &[]).complains(&["runs itself"]);
    assert!(containers(&socket).is_empty());
}

#[test]
fn no_engine_is_told_and_a_dry_run_needs_none() {
    let nowhere = "unix:///nowhere/docker.sock";
    host(nowhere, &["install", "arm64"]).says(3, &[]).complains(&["there is no such socket"]);
    let planned = host(nowhere, &["install", "arm64,arm", "--dry-run"]);
    let command = "docker --host unix:///nowhere/docker.sock run --privileged --rm tonistiigi/binfmt:latest --install arm,arm64\n";
    assert_eq!((planned.code, planned.stdout.as_str()), (0, command), "{planned:#?}");
    // Not by a pattern: that would take entries that are no emulators' too.
    let planned = host(nowhere, &["uninstall", "all", "--dry-run"]);
    assert!(planned.stdout.contains("--uninstall qemu-") && !planned.stdout.contains('*'), "{planned:#?}");
    assert!(planned.stdout.contains("qemu-aarch64,") && planned.stdout.contains("qemu-s390x"), "{planned:#?}");
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("docker.sock");
    drop(UnixListener::bind(&socket).unwrap());
    let dead = format!("unix://{}", socket.display());
    host(&dead, &["uninstall", "arm64"]).says(3, &[]).complains(&["nothing listens there"]);
}
