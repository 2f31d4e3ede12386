//! Files of container-structure-test, by that program and by mpcheck, over one image in one engine: each test has the
//! same verdict. The files of structure/ have each kind of test, some that pass and some that fail.

use crate::images::Layout;
use crate::parts::{EngineImage, classic, containerd, docker, done, part, real_image, registry, skopeo_copy};
use mpcheck::image::contents::contents;
use mpcheck::image::examine::{Options, Unpack, examine};
use mpcheck::image::layer::Limits as LayerLimits;
use mpcheck::image::observe::Silent;
use mpcheck::image::reference::Location;
use mpcheck::image::rootfs::RootFs;
use mpcheck::image::source::{EngineEnvironment, EngineOptions, Source, SourceOptions, open_image};
use mpcheck::image::store::Store;
use mpcheck::image::{ImageFacts, PlatformFacts};
use mpcheck::platform::Selection;
use mpcheck::run::docker::Docker;
use mpcheck::run::sandbox::Sandbox;
use mpcheck::run::{Command, Cpu, Freedom, Limits, Runner, Task};
use mpcheck::suite::structure::{Caller, CommandTest, Kind, Test, parse_for};
use mpcheck_kit::layer::Layer;
use rstest::rstest;
use serde_json::{Value, json};
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::time::Duration;

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

/// One platform of an image, in a registry and in one engine, and unpacked.
struct Lab {
    name: String,
    socket: String,
    facts: ImageFacts,
    source: Box<dyn Source>,
    location: Location,
    sandbox: Sandbox,
    _in_engine: EngineImage,
    _places: (Layout, tempfile::TempDir),
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
        let store = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::new(store.path(), false).unwrap();
        let location = Location::parse(&name).unwrap();
        let source = open_image(&location, &sources()).unwrap();
        let selection = Selection::parse([platform]).unwrap();
        let options = Options {
            selection: &selection,
            limits: LayerLimits::default(),
            jobs: 1,
            cache: None,
            layers: true,
            unpack: Some(Unpack { store: sandbox.store(), of: &|_| true }),
        };
        let facts = examine(source.as_ref(), &options, &Silent).unwrap();
        let socket = socket.to_owned();
        Lab { name, socket, facts, source, location, sandbox, _in_engine: in_engine, _places: (layout, store) }
    }

    fn platform(&self) -> &PlatformFacts {
        self.facts.platforms.iter().find(|platform| platform.selected).unwrap()
    }

    /// What container-structure-test says to a file, and what it complains of.
    fn theirs(&self, file: &Path) -> (Value, String) {
        let program = Path::new(&part("MPCHECK_PARTS")).join("bin/container-structure-test");
        let mut command = Process::new(program);
        command.current_dir(directory()).env("DOCKER_HOST", &self.socket).env("CALLER", "called");
        command.args(["test", "--output", "json", "--image", &self.name]);
        let platform = self.platform().platform.to_string();
        let output = command.args(["--platform", &platform, "--config"]).arg(file).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let report = serde_json::from_slice(&output.stdout);
        (report.unwrap_or_else(|error| panic!("{error}: {}\n{said}", String::from_utf8_lossy(&output.stdout))), said)
    }

    /// What mpcheck says to it, with what is wrong.
    fn ours(&self, file: &Path, text: &str) -> Vec<(Test, Vec<String>)> {
        let caller = Caller {
            variable: &|name| (name == "CALLER").then(|| "called".to_owned()),
            file: &|path| fs::read_to_string(directory().join(path)).map_err(|error| error.to_string()),
        };
        let platform = self.platform();
        let config = platform.config.as_ref().unwrap();
        let layers = platform.layers.iter().enumerate();
        let rootfs = RootFs::merge(layers.map(|(index, layer)| (index, layer.facts.as_deref().unwrap())));
        let store: &Store = self.sandbox.store();
        let read = |path: &[u8]| {
            contents(path, &rootfs, platform, store, self.source.as_ref()).map_err(|error| error.to_string())
        };
        let tests = parse_for(file, text, &caller).unwrap();
        let judged = tests.into_iter().map(|test| {
            let wrong = match &test.kind {
                Kind::Command(command) => self.command(command),
                Kind::Existence(existence) => existence.judge(&rootfs, config),
                Kind::Content(content) => content.judge(&rootfs, &read),
                Kind::Metadata(metadata) => metadata.judge(config),
                Kind::License(license) => license.judge(&rootfs, &read),
                Kind::Invalid(reasons) => reasons.clone(),
            };
            (test, wrong)
        });
        judged.collect()
    }

    /// In the sandbox where it can be, else in the engine.
    fn command(&self, test: &CommandTest) -> Vec<String> {
        let platform = self.platform();
        let config = platform.config.as_ref().unwrap();
        let plan = test.plan(config);
        let starts = plan.setup.iter().chain([&plan.command]);
        let command = |start: &mpcheck::suite::structure::Start| Command {
            environment: start.environment.clone(),
            ..Command::new(start.words.clone(), Duration::from_secs(120))
        };
        let commands: Vec<Command> = starts.map(command).collect();
        let task = Task {
            platform,
            config,
            source: self.source.as_ref(),
            location: &self.location,
            cpu: Cpu::Max,
            commands: &commands,
            limits: Limits::default(),
            user: plan.user.as_deref(),
            freedom: &plan.freedom,
        };
        let sandboxed = Freedom { writable: true, ..Freedom::default() };
        let engine = EngineOptions { host: Some(self.socket.clone()), ..engine() };
        let ran = match plan.freedom == sandboxed && plan.user.is_none() {
            true => self.sandbox.run(&task),
            false => Docker::new(engine, Default::default()).run(&task),
        };
        let ran = ran.unwrap();
        test.judge(&ran.ended, ran.emulator.is_some())
    }

    /// Holds both against each other, test by test.
    fn compare(&self, file: &Path) -> Verdicts {
        let text = fs::read_to_string(file).unwrap();
        let ours = self.ours(file, &text);
        let (report, said) = self.theirs(file);
        let results = report["Results"].as_array().cloned().unwrap_or_default();
        let theirs: Verdicts = results
            .iter()
            .map(|result| (result["Name"].as_str().unwrap().to_owned(), result["Pass"] == true))
            .collect();
        let ours: Vec<(String, Vec<String>)> = ours.into_iter().map(|(test, wrong)| (test.name, wrong)).collect();
        assert_eq!(ours.len(), theirs.len(), "{}: {ours:#?}\n{report:#}\n{said}", file.display());
        let both = ours.iter().zip(&theirs).zip(&results);
        let others: Vec<String> = both
            .filter(|((ours, theirs), _)| !is_called(&ours.0, &theirs.0) || ours.1.is_empty() != theirs.1)
            .map(|((ours, _), result)| format!("{}: {}\n{result:#}", ours.0, ours.1.join("\n")))
            .collect();
        assert!(others.is_empty(), "{}: {}\n{said}", file.display(), others.join("\n"));
        ours.into_iter().map(|(name, wrong)| (name, wrong.is_empty())).collect()
    }
}

/// Tests that are not valid, or whose setup fails, have no kind before their name there.
fn is_called(ours: &str, theirs: &str) -> bool {
    let bare = ours.split_once(": ").map_or("", |(_, name)| name);
    ours == theirs || bare == theirs || (bare == "(no name)" && theirs.is_empty())
}

fn engine() -> EngineOptions {
    EngineOptions { host: None, environment: EngineEnvironment::default(), temporary: std::env::temp_dir() }
}

fn sources() -> SourceOptions {
    SourceOptions { environment: EngineEnvironment::default(), ..SourceOptions::default() }
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
        assert_eq!(verdict, [("Metadata Test".to_owned(), false)], "{about}");
        verdicts.extend(verdict);
    }
    for kind in ["Command Test: ", "File Existence Test: ", "File Content Test: ", "License Test", "Metadata Test"] {
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
    let text = json!({ "schemaVersion": "2.0.0", "metadataTest": { "labels": tests } }).to_string();
    fs::write(&file, &text).unwrap();
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
    let (_, wrong) = &lab.ours(&file, &text)[0];
    assert_eq!(wrong.len(), errors.len());
    assert!(errors.len() > refused.len() + 80);
}
