//! A process for each trial, started by a real nextest.
//!
//! It builds what it runs, as a user's does: with `--workspace` that is what is built already, since the same packages
//! are chosen and so the same features.

use super::{EXCEPTED, TRIALS, broken, example, good, layout, plain};
use crate::images::Layout;
use crate::parts::{part, real_image};
use mpcheck_kit::fault_registry::{FaultRegistry, Reply, Request};
use quick_junit::TestCaseStatus;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A run of nextest to be, with a cache and reports of its own.
pub(super) struct Nextest {
    pub(super) directory: TempDir,
}

impl Nextest {
    pub(super) fn new() -> Nextest {
        let directory = tempfile::tempdir().unwrap();
        let config = std::fs::read_to_string(example().join(".config/nextest.toml")).unwrap();
        let store = format!("{config}\n[store]\ndir = {:?}\n", directory.path().join("store"));
        std::fs::write(directory.path().join("nextest.toml"), store).unwrap();
        Nextest { directory }
    }

    /// `cargo nextest run` of the example's suite.
    pub(super) fn command(&self, image: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(Path::new(&part("MPCHECK_PARTS")).join("bin/cargo-nextest"));
        plain(&mut command);
        // What cargo says to its tests; some build scripts want to be run again when it changes.
        let of_cargo = |name: &str| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_BIN_") || name.starts_with("CARGO_MANIFEST_")
        };
        for (name, _) in std::env::vars().filter(|(name, _)| of_cargo(name)) {
            command.env_remove(name);
        }
        command.env("RELEASE_IMAGE", image).env("XDG_CACHE_HOME", self.directory.path().join("cache"));
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command.args(["nextest", "run", "--workspace", "--test", "release", "--locked", "--offline"]);
        command.arg("--config-file").arg(self.directory.path().join("nextest.toml")).args(["--color", "never"]);
        command.args(arguments);
        command
    }

    fn run(&self, image: &str, arguments: &[&str]) -> Output {
        self.command(image, &[&["--profile", "ci"], arguments].concat()).output().unwrap()
    }

    pub(super) fn junit(&self) -> PathBuf {
        self.directory.path().join("store/ci/junit.xml")
    }

    /// Each test of the JUnit file, and whether it passed; what failed has its output.
    fn results(&self) -> BTreeMap<String, Result<(), String>> {
        let text = std::fs::read_to_string(self.junit()).unwrap();
        let report = quick_junit::Report::deserialize_from_str(&text).unwrap();
        let cases = report.test_suites.iter().flat_map(|suite| &suite.test_cases);
        let result = |status: &TestCaseStatus| match status {
            TestCaseStatus::Success { .. } => Ok(()),
            _ => Err(text.clone()),
        };
        cases.map(|case| (case.name.as_str().to_owned(), result(&case.status))).collect()
    }
}

fn told(output: &Output) -> String {
    format!("{}\n{}{}", output.status, String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A registry that gives a layout under the name `app:1`.
fn serving(layout: PathBuf) -> FaultRegistry {
    let top: Value = serde_json::from_slice(&std::fs::read(layout.join("index.json")).unwrap()).unwrap();
    let root = top["manifests"][0]["digest"].as_str().unwrap().to_owned();
    FaultRegistry::start(move |request: &Request| {
        let last = request.target.rsplit('/').next().unwrap_or_default();
        let digest = if last == "1" { root.as_str() } else { last };
        match std::fs::read(layout.join("blobs").join(digest.replacen(':', "/", 1))) {
            _ if request.target == "/v2/" => Reply::ok("{}"),
            Err(_) => Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
            Ok(bytes) if request.target.contains("/manifests/") => {
                let document: Value = serde_json::from_slice(&bytes).unwrap();
                let media_type = document["mediaType"].as_str().unwrap().to_owned();
                Reply::ok(bytes).header("Content-Type", media_type).header("Docker-Content-Digest", digest)
            }
            Ok(bytes) => Reply::ranged(&bytes, request),
        }
    })
    .unwrap()
}

/// The digests of the layers of the suite's platforms.
fn layers() -> Vec<String> {
    let layout = Layout::copy_of(&real_image("userland"));
    let found = std::cell::RefCell::new(Vec::new());
    layout.edit(|_, platform, manifest, _| {
        if matches!(platform["architecture"].as_str(), Some("amd64" | "arm64")) {
            let layers = manifest["layers"].as_array().unwrap();
            found.borrow_mut().extend(layers.iter().map(|layer| layer["digest"].as_str().unwrap().to_owned()));
        }
    });
    found.into_inner()
}

#[test]
fn each_trial_is_a_process_and_each_layer_is_fetched_once() {
    let registry = serving(real_image("userland"));
    let nextest = Nextest::new();
    let output = nextest.run(&format!("{}/app:1", registry.host()), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let mut wanted: Vec<&str> = TRIALS.into_iter().filter(|name| *name != EXCEPTED).collect();
    wanted.sort_unstable();
    let results = nextest.results();
    assert!(results.values().all(Result::is_ok), "{results:?}");
    assert_eq!(results.keys().map(String::as_str).collect::<Vec<_>>(), wanted);
    let layers = layers();
    let mut fetched: BTreeMap<&String, usize> = layers.iter().map(|layer| (layer, 0)).collect();
    let requests = registry.requests();
    for request in requests.iter().filter(|request| request.method == "GET") {
        if let Some((_, count)) = fetched.iter_mut().find(|(layer, _)| request.target.ends_with(layer.as_str())) {
            *count += 1;
        }
    }
    assert_eq!(fetched.len(), 4);
    assert!(fetched.values().all(|count| *count == 1), "{fetched:#?}");
    // The documents are read by each.
    let indexes = requests.iter().filter(|request| request.target.ends_with("/manifests/1")).count();
    assert!(indexes >= wanted.len(), "{indexes} processes");
}

#[test]
fn a_failing_trial_stands_in_the_junit_file_with_what_was_found() {
    let broken = broken();
    let nextest = Nextest::new();
    let output = nextest.run(&layout(&broken), &["/binaries"]);
    assert_eq!(output.status.code(), Some(100), "{}", told(&output));
    let results = nextest.results();
    assert_eq!(results.len(), 2, "{results:?}");
    assert_eq!(results["release/app/linux-amd64/binaries"], Ok(()));
    let text = results["release/app/linux-arm64/binaries"].clone().unwrap_err();
    assert!(text.contains("binary/foreign-architecture") && text.contains("/usr/local/bin/tool"), "{text}");
}

#[test]
fn what_is_ignored_runs_when_it_is_asked_for() {
    let nextest = Nextest::new();
    let output = nextest.run(&good(), &["--run-ignored", "only"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert_eq!(nextest.results().into_iter().collect::<Vec<_>>(), [(EXCEPTED.to_owned(), Ok(()))]);
}
