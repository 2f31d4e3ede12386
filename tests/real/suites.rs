//! The suites that ship, against images of the names in them, which lie in a registry and are made of real packages.

use crate::images::Layout;
use crate::parts::{classic, containerd, done, real_image, registry, script};
use mpcheck_kit::layer::Layer;
use rstest::rstest;
use serde_json::Value;
use std::cell::RefCell;
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A suite that ships, and the images that it names: the directory of each among the parts, and its name.
struct Shipped {
    suite: &'static str,
    images: &'static [(&'static str, &'static str)],
}

const WALKTHROUGH: Shipped =
    Shipped { suite: "walkthrough/run.yaml", images: &[("alpine", "alpine"), ("ubuntu", "ubuntu")] };
const BASE: Shipped = Shipped { suite: "examples/distribution-base.yaml", images: &[("debian", "debian")] };
const GO: Shipped = Shipped { suite: "examples/go-service.yaml", images: &[("go-service", "go-service")] };
const PYTHON: Shipped =
    Shipped { suite: "examples/python-service.yaml", images: &[("python-service", "python-service")] };
const DISTROLESS: Shipped =
    Shipped { suite: "examples/distroless.yaml", images: &[("distroless", "python3-debian13")] };
/// It names none: `build_suites` tries it.
const BUILD: Shipped = Shipped { suite: "walkthrough/build.yaml", images: &[] };
const ALL: [Shipped; 6] = [WALKTHROUGH, BUILD, BASE, GO, PYTHON, DISTROLESS];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("suites")
}

/// Images in the registry, below a name of this test's own.
struct Published {
    suite: &'static str,
    namespace: String,
}

impl Shipped {
    fn published(&self) -> Published {
        self.published_with(|_, _| {})
    }

    /// The same with the first image changed.
    fn published_with(&self, change: impl FnOnce(&str, &Layout)) -> Published {
        let namespace = format!("{}/suites-{:016x}", registry(), RandomState::new().hash_one(0));
        let mut change = Some(change);
        for (image, name) in self.images {
            let layout = Layout::copy_of(&real_image(image));
            if let Some(change) = change.take() {
                change(image, &layout);
            }
            done(script("push.sh").arg(layout.directory.path()).arg(format!("{namespace}/{name}:latest")));
        }
        Published { suite: self.suite, namespace }
    }
}

/// What came of it.
struct Outcome {
    code: i32,
    /// `NAME STATUS`.
    trials: Vec<String>,
    all: String,
}

impl Published {
    /// `mpcheck test` with these arguments, on a machine where nobody has configured anything.
    fn test(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Outcome {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mpcheck"));
        for name in ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_DEFAULT_PLATFORM", "TAG", "NAME"] {
            command.env_remove(name);
        }
        command.env("HOME", home.path()).env("DOCKER_CONFIG", home.path()).env("XDG_CACHE_HOME", cache());
        command.env("REGISTRY", &self.namespace).envs(variables.iter().copied());
        command.arg("test").arg(directory().join(self.suite)).args(["--format", "json"]).args(arguments);
        let output = command.output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let text = |trial: &Value, field: &str| trial[field].as_str().unwrap_or_default().to_owned();
        let trials = report["trials"].as_array().cloned().unwrap_or_default();
        Outcome {
            code: output.status.code().unwrap_or(-1),
            trials: trials.iter().map(|trial| format!("{} {}", text(trial, "name"), text(trial, "status"))).collect(),
            all: format!("{}\n{report:#}", String::from_utf8_lossy(&output.stderr)),
        }
    }
}

impl Outcome {
    fn not_passed(&self) -> Vec<&str> {
        self.trials.iter().map(String::as_str).filter(|trial| !trial.ends_with(" passed")).collect()
    }

    #[track_caller]
    fn assert_all_passed(&self) {
        assert_eq!((self.code, self.not_passed()), (0, Vec::new()), "{}", self.all);
        assert!(!self.trials.is_empty());
    }
}

/// Unpacked layers are the same for all of these tests.
fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("suites-cache")
}

#[test]
fn every_suite_that_ships_is_tried_here() {
    let mut found: Vec<String> = Vec::new();
    for room in ["walkthrough", "examples"] {
        for entry in std::fs::read_dir(directory().join(room)).unwrap() {
            found.push(format!("{room}/{}", entry.unwrap().file_name().to_string_lossy()));
        }
    }
    found.sort();
    let mut known: Vec<&str> = ALL.iter().map(|shipped| shipped.suite).collect();
    known.sort_unstable();
    assert_eq!(found, known);
}

/// Editors show by it what is wrong while one writes.
#[test]
fn the_schema_takes_every_suite_that_ships() {
    let schema = std::fs::read_to_string(directory().join("suite.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let example = "../examples/release-gate/suites/release.yaml";
    for suite in ALL.iter().map(|shipped| shipped.suite).chain([example]) {
        let text = std::fs::read_to_string(directory().join(suite)).unwrap();
        let wrong: Vec<String> = match serde_saphyr::from_str::<Value>(&text) {
            Ok(suite) => schema.iter_errors(&suite).map(|error| error.to_string()).collect(),
            Err(error) => vec![error.to_string()],
        };
        assert_eq!(wrong, Vec::<String>::new(), "{suite}");
        let named = text.lines().next().unwrap().rsplit('=').next().unwrap();
        let place = directory().join(suite).parent().unwrap().join(named).canonicalize().unwrap();
        assert_eq!(place, directory().join("suite.schema.json"), "{suite}: an editor finds its schema");
    }
}

#[rstest]
fn a_suite_that_ships_is_passed_by_its_images(
    #[values(WALKTHROUGH, BASE, GO, PYTHON, DISTROLESS)] shipped: Shipped,
    #[values("sandbox", "classic", "containerd")] runner: &str,
) {
    let published = shipped.published();
    let engine = match runner {
        "classic" => classic(),
        "containerd" => containerd(),
        _ => "unix:///nowhere/docker.sock".to_owned(),
    };
    let run = if runner == "sandbox" { "sandbox" } else { "docker" };
    published.test(&["--run", run, "--host", &engine, "--require-run"], &[]).assert_all_passed();
}

/// By the option, and by the variable that Docker knows.
#[rstest]
fn a_platform_is_chosen(
    #[values("linux/amd64", "linux/arm64")] platform: &str,
    #[values(WALKTHROUGH, DISTROLESS)] shipped: Shipped,
) {
    let published = shipped.published();
    let option = published.test(&["--platform", platform, "--run", "sandbox"], &[]);
    let variable = published.test(&["--run", "sandbox"], &[("DOCKER_DEFAULT_PLATFORM", platform)]);
    for outcome in [&option, &variable] {
        outcome.assert_all_passed();
        let part = format!("/{}/", platform.replace('/', "-"));
        assert!(outcome.trials.iter().all(|trial| trial.contains(&part)), "{:?}", outcome.trials);
    }
    assert_eq!(option.trials, variable.trials);
}

#[test]
fn the_walk_through_has_its_two_answers() {
    let outcome = WALKTHROUGH.published().test(&["--run", "sandbox"], &[]);
    let asked = |end: &str| outcome.trials.iter().filter(|trial| trial.ends_with(end)).cloned().collect::<Vec<_>>();
    let of = |name: &str, platform: &str| {
        ["alpine", "ubuntu"].map(|image| format!("walkthrough/{image}/linux-{platform}/run/{name} passed"))
    };
    assert_eq!(asked("/run/x86_64 passed"), of("x86_64", "amd64"));
    assert_eq!(asked("/run/aarch64 passed"), of("aarch64", "arm64"));
}

/// linux/arm64 gets the layers of linux/amd64: the build forgot the target's platform.
fn all_of_amd64(layout: &Layout) {
    let amd64 = RefCell::new((Value::Null, Value::Null));
    layout.edit(|_, platform, manifest, config| match platform["architecture"].as_str() {
        Some("amd64") => *amd64.borrow_mut() = (manifest["layers"].clone(), config["rootfs"].clone()),
        _ => {
            let amd64 = amd64.borrow();
            assert!(amd64.0.is_array(), "amd64 comes first");
            manifest["layers"] = amd64.0.clone();
            config["rootfs"] = amd64.1.clone();
        }
    });
}

fn broken(image: &str, layout: &Layout) {
    match image {
        "alpine" | "go-service" => all_of_amd64(layout),
        "debian" => {
            layout.edit(|_, _, _, config| {
                config["config"]["Env"].as_array_mut().unwrap().push("http_proxy=http://x".into());
            });
        }
        "python-service" => layout.add_layer(
            "arm64",
            &Layer::new().file("srv/app/main.py", 0o644, "raise SystemExit(3)\n"),
            "COPY leaked /",
        ),
        "distroless" => layout.add_layer(
            "arm64",
            &Layer::new().file("usr/bin/bash", 0o755, "#!/usr/bin/python3\n"),
            "COPY leaked /",
        ),
        other => panic!("{other}"),
    }
}

#[rstest]
#[case(WALKTHROUGH, &[
    "walkthrough/alpine/linux-arm64/binaries", "walkthrough/alpine/linux-arm64/run",
    "walkthrough/alpine/linux-arm64/run/aarch64", "walkthrough/alpine/platforms",
])]
#[case(BASE, &["distribution-base/debian/linux-amd64/metadata", "distribution-base/debian/linux-arm64/metadata"])]
#[case(GO, &[
    "go-service/service/linux-arm64/binaries", "go-service/service/linux-arm64/run/built-for-arm64",
    "go-service/service/linux-arm64/run/version", "go-service/service/platforms",
])]
#[case(PYTHON, &["python-service/service/linux-arm64/run/ready"])]
#[case(DISTROLESS, &["distroless/python3/linux-arm64/files/bin-bash"])]
fn a_suite_that_ships_turns_red(#[case] shipped: Shipped, #[case] wanted: &[&str]) {
    let outcome = shipped.published_with(broken).test(&["--run", "sandbox", "--require-run"], &[]);
    let wanted: Vec<String> = wanted.iter().map(|name| format!("{name} failed")).collect();
    assert_eq!(outcome.code, 1, "{}", outcome.all);
    assert_eq!(outcome.not_passed(), wanted, "{}", outcome.all);
}
