//! Files of container-structure-test, by that program and by mpcheck, over one image in one engine: each test has the
//! same verdict. The files of structure/ have each kind of test, some that pass and some that fail.

use crate::images::Layout;
use crate::parts::{EngineImage, classic, containerd, docker, done, part, real_image, registry, skopeo_copy};
use mpcheck_kit::layer::Layer;
use rstest::rstest;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A test's name, and whether it passed.
type Verdicts = Vec<(String, bool)>;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/structure")
}

/// What the files ask for, on top of busybox.
fn layer() -> Layer {
    Layer::new()
        .dir("data", 0o755)
        .owner(10, 20)
        .file("data/file", 0o640, "alpha\nbeta\n")
        // Engines give the file the mode and owner that the link's entry has, which is the same in real layers.
        .file("data/linked", 0o755, "alpha\n")
        .hardlink("data/hard", "data/linked")
        .owner(0, 0)
        .file("data/suid", 0o4750, "suid")
        .file("data/sgid", 0o2755, "sgid")
        .dir("data/sticky", 0o1777)
        .file("data/stickyfile", 0o1644, "sticky")
        .file("data/binary", 0o644, b"\xff\xfeabc")
        .file("data/empty", 0o600, "")
        .symlink("data/abs", "/data/file")
        .symlink("data/dangling", "/data/nowhere")
        .symlink("data/dirlink", "sticky")
        .fifo("data/fifo")
        .file("licenses/good", 0o644, "GPL\n")
        .file("licenses/bad", 0o644, "the agpl\n")
        .file("usr/share/doc/package/copyright", 0o644, "MIT\n")
        .file("usr/share/doc/bad/copyright", 0o644, "Do What the Fuck, wtfpl\n")
}

/// One platform of an image, in a registry and in one engine.
struct Lab {
    name: String,
    socket: String,
    platform: String,
    home: tempfile::TempDir,
    _in_engine: EngineImage,
}

impl Lab {
    fn new(socket: &str, platform: &str, labels: &Value) -> Lab {
        let layout = Layout::copy_of(&real_image("busybox"));
        let blob = layer().build();
        layout.edit(|layout, _, manifest, config| {
            let mut descriptor = json!({ "mediaType": blob.media_type });
            layout.store(&mut descriptor, &blob.bytes);
            manifest["layers"].as_array_mut().unwrap().push(descriptor);
            config["rootfs"]["diff_ids"].as_array_mut().unwrap().push(blob.diff_id.clone().into());
            config["history"] = Value::Null;
            config["config"] = json!({
                "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "GREETING=hello", "EMPTY=", "DIRS=/data"],
                "Labels": labels, "ExposedPorts": {"80/tcp": {}, "53/udp": {}}, "Volumes": {"/vol": {}},
                "WorkingDir": "/data", "User": "0:0", "Entrypoint": ["/bin/sh", "-c"], "Cmd": ["echo hi"],
            });
        });
        let name = format!("{}/structure:{:016x}", registry(), RandomState::new().hash_one(socket));
        let path = format!("oci:{}:latest", layout.directory.path().display());
        done(skopeo_copy().arg("--dest-tls-verify=false").arg(path).arg(format!("docker://{name}")));
        let in_engine = EngineImage::named(socket, &name);
        done(docker(socket).args(["pull", "--quiet", "--platform", platform, &name]));
        let (socket, platform) = (socket.to_owned(), platform.to_owned());
        Lab { name, socket, platform, home: tempfile::tempdir().unwrap(), _in_engine: in_engine }
    }

    /// A program that sees the image's engine and a variable, and little else.
    fn program(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(directory()).env("DOCKER_HOST", &self.socket).env("CALLER", "called");
        command.env_remove("DOCKER_CONTEXT").env_remove("DOCKER_DEFAULT_PLATFORM").env_remove("XDG_CACHE_HOME");
        command.env("HOME", self.home.path()).env("DOCKER_CONFIG", self.home.path());
        command.args(["test", "--image", &self.name, "--platform", &self.platform]);
        command
    }

    /// What container-structure-test says to a file, and what it complains of.
    fn theirs(&self, file: &Path) -> (Value, String) {
        let program = Path::new(&part("MPCHECK_PARTS")).join("bin/container-structure-test");
        let output = self.program(&program).args(["--output", "json", "--config"]).arg(file).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let report = serde_json::from_slice(&output.stdout);
        (report.unwrap_or_else(|error| panic!("{error}: {}\n{said}", String::from_utf8_lossy(&output.stdout))), said)
    }

    /// What mpcheck says to it: its trials, by the last part of their names.
    fn ours(&self, file: &Path) -> BTreeMap<String, Value> {
        let mut command = self.program(Path::new(env!("CARGO_BIN_EXE_mpcheck")));
        let output = command.args(["--format", "json"]).arg(file).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        let last = |trial: &Value| trial["name"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        report["trials"].as_array().unwrap().iter().map(|trial| (last(trial), trial.clone())).collect()
    }

    /// Holds both against each other, test by test.
    fn compare(&self, file: &Path) -> Verdicts {
        let mut ours = self.ours(file);
        let (report, said) = self.theirs(file);
        let results = report["Results"].as_array().cloned().unwrap_or_default();
        let mut verdicts = Verdicts::new();
        let mut others = Vec::new();
        for result in &results {
            let (name, passed) = (result["Name"].as_str().unwrap(), result["Pass"] == true);
            let Some((called, trial)) = names(name).into_iter().find_map(|called| ours.remove_entry(&called)) else {
                panic!("{}: mpcheck has no {name:?}: {ours:#?}", file.display());
            };
            if trial["status"] != (if passed { "passed" } else { "failed" }) {
                others.push(format!("{trial:#}\n{result:#}"));
            }
            verdicts.push((called, passed));
        }
        assert!(others.is_empty(), "{}: {}\n{said}", file.display(), others.join("\n"));
        assert!(ours.is_empty(), "{}: {ours:#?}", file.display());
        verdicts
    }
}

const KINDS: [&str; 5] = ["Command-Test", "File-Content-Test", "File-Existence-Test", "License-Test", "Metadata-Test"];

/// What a test may be called in mpcheck. Tests that are not valid, or whose setup fails, have no kind before their name in
/// container-structure-test; two of one name have a number in mpcheck.
fn names(theirs: &str) -> Vec<String> {
    let fit = |text: &str| {
        let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        words.join("-")
    };
    let bare = if theirs.is_empty() { "no name" } else { theirs };
    let called = std::iter::once(fit(theirs)).chain(KINDS.map(|kind| format!("{kind}-{}", fit(bare))));
    called
        .flat_map(|called| (1..9).map(move |n| if n == 1 { called.clone() } else { format!("{called}-{n}") }))
        .collect()
}

#[rstest]
#[case::classic(classic(), "linux/amd64")]
#[case::containerd(containerd(), "linux/arm64")]
fn every_test_has_the_same_verdict(#[case] socket: String, #[case] platform: &str) {
    let lab = Lab::new(&socket, platform, &json!({ "a": "b", "org.x": "some value" }));
    let mut verdicts = Verdicts::new();
    for name in ["commands.yaml", "files.yaml", "options.yaml", "tests.json", "v1.yaml", "v1.json", "invalid.yaml"] {
        verdicts.extend(lab.compare(&directory().join(name)));
    }
    // One config, one fault at a time.
    let scratch = tempfile::tempdir().unwrap();
    for line in fs::read_to_string(directory().join("metadata.txt")).unwrap().lines() {
        let (about, test) = line.split_once(": ").unwrap();
        let file = scratch.path().join(format!("{about}.yml"));
        fs::write(&file, format!("schemaVersion: 2.0.0\n{test}\n")).unwrap();
        let verdict = lab.compare(&file);
        assert_eq!(verdict, [("Metadata-Test".to_owned(), false)], "{about}");
        verdicts.extend(verdict);
    }
    for kind in KINDS {
        for passed in [true, false] {
            let count = verdicts.iter().filter(|verdict| verdict.0.starts_with(kind) && verdict.1 == passed).count();
            assert!(count > 0, "no {kind} is {passed}");
        }
    }
    assert!(verdicts.len() > 130, "{}", verdicts.len());
}

/// The table of patterns that mpcheck's own tests go by, asked of Go: a label for each text.
#[test]
fn patterns_mean_what_they_mean_to_go() {
    let table: Value = serde_json::from_str(&fs::read_to_string(directory().join("patterns.json")).unwrap()).unwrap();
    let rows = |key: &str| table[key].as_array().unwrap().clone();
    let mut labels = json!({ "refused": "" });
    let mut tests = Vec::new();
    for (number, row) in rows("patterns").iter().enumerate() {
        for (list, letter) in [("matches", 'm'), ("others", 'o')] {
            for (at, text) in row[list].as_array().unwrap().iter().enumerate() {
                let key = format!("{number}{letter}{at}");
                labels[&key] = text.clone();
                tests.push(json!({ "key": key, "value": row["pattern"], "isRegex": true }));
            }
        }
    }
    let asked = tests.len();
    let refused = rows("refused");
    tests.extend(refused.iter().map(|row| json!({ "key": "refused", "value": row["pattern"], "isRegex": true })));
    let lab = Lab::new(&classic(), "linux/amd64", &labels);
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("patterns.json");
    fs::write(&file, json!({ "schemaVersion": "2.0.0", "metadataTest": { "labels": tests } }).to_string()).unwrap();
    let (report, said) = lab.theirs(&file);
    let errors = report["Results"][0]["Errors"].as_array().unwrap().clone();
    let is_wrong = |key: &str| errors.iter().any(|error| error.as_str().unwrap().starts_with(&format!("label {key} ")));
    for test in tests.iter().take(asked) {
        let key = test["key"].as_str().unwrap();
        assert_eq!(is_wrong(key), key.contains('o'), "{test}: {:?}", labels[key]);
    }
    // A pattern that is none is told apart from one that does not match.
    for row in &refused {
        let pattern = row["pattern"].as_str().unwrap().replace('\\', r"\\");
        assert!(said.contains(&format!("Error compiling regex {pattern} : ")), "{row}: {said}");
    }
    assert_eq!(said.matches("Error compiling regex").count(), refused.len(), "{said}");
    let trial = &lab.ours(&file)["Metadata-Test"];
    assert_eq!(trial["output"].as_str().unwrap().matches("error[suite/structure-test]").count(), errors.len());
    assert!(errors.len() > refused.len() + 80);
}
