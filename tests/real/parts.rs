//! Where the real parts are, and commands that make and remove things in them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What `tests/parts/run.sh` says under this name.
///
/// # Panics
/// Where it says nothing: a test that lacks a part fails, so that nobody takes silence for success.
pub(crate) fn part(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set, so this test has no real part to run against: run `make test`, or tests/parts/run.sh COMMAND")
    })
}

/// The engine with Docker's classic image store.
pub(crate) fn classic() -> String {
    part("MPCHECK_ENGINE_CLASSIC")
}

/// The engine with containerd's image store.
pub(crate) fn containerd() -> String {
    part("MPCHECK_ENGINE_CONTAINERD")
}

/// The registry that lets everybody in, `HOST:PORT`.
pub(crate) fn registry() -> String {
    part("MPCHECK_REGISTRY")
}

/// An image made of real packages, an OCI layout with the tag `latest`.
pub(crate) fn real_image(name: &str) -> PathBuf {
    Path::new(&part("MPCHECK_IMAGES")).join(name)
}

/// One of the scripts of `tests/parts`.
pub(crate) fn script(name: &str) -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parts").join(name))
}

/// The command line of the engine at this socket, `unix:///PATH`.
pub(crate) fn docker(socket: &str) -> Command {
    let mut command = Command::new(Path::new(&part("MPCHECK_PARTS")).join("bin/docker"));
    command.env_remove("DOCKER_CONTEXT").env_remove("DOCKER_DEFAULT_PLATFORM").args(["--host", socket]);
    command
}

/// `skopeo copy`, whatever this machine's policy for signatures is.
pub(crate) fn skopeo_copy() -> Command {
    let mut command = Command::new("skopeo");
    command.args(["--insecure-policy", "copy", "--quiet", "--all"]);
    command
}

/// What Debian's docker-registry says now and then of a manifest whose blobs it has just taken, where several tests upload
/// the same blobs at once. The upload is right, and the next one passes.
const REGISTRY_LOST_IT: &str = "blob unknown to registry";

/// Runs a command to its end and gives what it printed. An upload that the registry lost is made again.
///
/// # Panics
/// Where it cannot be started or fails; with all that it said.
pub(crate) fn done(command: &mut Command) -> String {
    let mut run = || command.output();
    let lost = |output: &std::process::Output| {
        !output.status.success() && String::from_utf8_lossy(&output.stderr).contains(REGISTRY_LOST_IT)
    };
    let mut output = run();
    for _ in 0..3 {
        if output.as_ref().is_ok_and(lost) {
            output = run();
        }
    }
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{said}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

/// A name in an engine, taken away when the test ends, however it ends.
pub(crate) struct EngineImage {
    pub(crate) socket: String,
    pub(crate) name: String,
}

impl EngineImage {
    /// A name that something is going to be loaded, pulled or built under.
    pub(crate) fn named(socket: &str, name: &str) -> EngineImage {
        EngineImage { socket: socket.to_owned(), name: name.to_owned() }
    }
}

impl Drop for EngineImage {
    fn drop(&mut self) {
        // Nothing is there where the test failed before it was.
        let _ = docker(&self.socket).args(["image", "rm", "--force", &self.name]).output();
    }
}
