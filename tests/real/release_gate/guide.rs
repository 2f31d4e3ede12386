//! docs/release-gating.md: its commands run as they stand, and its files are valid to whoever reads them.

use super::nextest::Nextest;
use super::{Run, binary, cache, example, good, plain};
use crate::parts::{done, part};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A block of the guide between fences: its language, and its text.
fn blocks() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/release-gating.md");
    let text = fs::read_to_string(path).unwrap();
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String, String)> = None;
    for line in text.lines() {
        let fence = line.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (None, Some(language)) => {
                open = Some((line.len() - line.trim_start().len(), language.to_owned(), String::new()));
            }
            (Some(_), Some(_)) => blocks.extend(open.take().map(|(_, language, text)| (language, text))),
            (Some((indent, _, text)), None) => {
                text.push_str(line.get(*indent..).unwrap_or_default());
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

fn of(language: &str) -> Vec<String> {
    blocks().into_iter().filter(|(of, _)| of == language).map(|(_, text)| text).collect()
}

/// A file of the guide: a block whose first line is a comment with its name.
fn file(name: &str) -> String {
    let named = |text: &String| text.lines().next() == Some(&format!("# {name}"));
    of("yaml").into_iter().find(named).unwrap_or_else(|| panic!("the guide has no {name}"))
}

/// A copy of the example with the guide's files, and `mpcheck` and `cargo` on the PATH.
///
/// This `cargo` does what the other would in a user's crate, with what is built already: `install` finds the program there,
/// `test` starts the example's test binary with the arguments for it, `nextest` is a real one on the example.
struct Place {
    directory: TempDir,
    nextest: Nextest,
}

impl Place {
    fn new() -> Place {
        let directory = tempfile::tempdir().unwrap();
        let place = Place { directory, nextest: Nextest::new() };
        done(Command::new("cp").arg("--recursive").arg(example()).arg(place.crate_directory()));
        let program = place.directory.path().join("bin");
        fs::create_dir(&program).unwrap();
        symlink(env!("CARGO_BIN_EXE_mpcheck"), program.join("mpcheck")).unwrap();
        fs::write(program.join("cargo"), place.cargo()).unwrap();
        fs::set_permissions(program.join("cargo"), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["structure.yaml", "suites/exceptions.yaml", "suites/builds.yaml"] {
            fs::write(place.crate_directory().join(name), file(name)).unwrap();
        }
        // What the guide's suite builds.
        fs::write(place.crate_directory().join("Dockerfile"), "FROM scratch\nCOPY src /srv\n").unwrap();
        place
    }

    fn crate_directory(&self) -> PathBuf {
        self.directory.path().join("crate")
    }

    fn cargo(&self) -> String {
        let command = self.nextest.command(&good(), &[]);
        let quoted = |text: &std::ffi::OsStr| format!("'{}'", text.to_str().unwrap());
        let words: Vec<String> =
            command.get_args().map(quoted).filter(|word| !matches!(word.as_str(), "'--test'" | "'release'")).collect();
        format!(
            "#!/bin/sh\nset -eu\ncase \"$1 $2 $3\" in\n\
             'install --locked --git') ;;\n\
             'test --test release') shift 3; [ $# -eq 0 ] || shift; exec '{}' \"$@\" ;;\n\
             'nextest run --test') shift 2; cd '{}'; CARGO='{}' exec {} {} \"$@\" ;;\n\
             *) echo \"cargo $*: not what the guide's tests know\" >&2; exit 1 ;;\nesac\n",
            binary("release").display(),
            env!("CARGO_MANIFEST_DIR"),
            env!("CARGO"),
            quoted(command.get_program()),
            words.join(" "),
        )
    }

    fn run(&self, script: &str, variables: &[(&str, &str)]) -> Run {
        let mut command = Command::new("bash");
        plain(&mut command);
        let path = format!("{}:{}", self.directory.path().join("bin").display(), std::env::var("PATH").unwrap());
        command.env("PATH", path).env("XDG_CACHE_HOME", cache());
        command.env("RELEASE_IMAGE", good()).env("MPCHECK_REPOSITORY", "https://git.example/mpcheck");
        command.envs(variables.iter().copied());
        Run::of(command.current_dir(self.crate_directory()).args(["-euo", "pipefail", "-c", script]))
    }

    #[track_caller]
    fn works(&self, script: &str) {
        let run = self.run(script, &[]);
        assert_eq!(run.code, 0, "{script}\n{run:#?}");
    }
}

#[test]
fn every_command_works_as_it_stands() {
    let place = Place::new();
    let commands = of("sh");
    assert!(commands.len() > 10, "{commands:?}");
    for command in &commands {
        place.works(command);
    }
    for left in ["suites/draft.yaml", "shard-1.json", "junit.xml"] {
        assert!(place.crate_directory().join(left).exists(), "{left}");
    }
    assert!(place.nextest.junit().exists());
    // What the guide has written without a command for it.
    place.works("mpcheck test suites/exceptions.yaml");
    place.works("mpcheck test suites/draft.yaml --list");
}

#[test]
fn its_program_is_that_of_the_example() {
    let [program] = &of("rust")[..] else { panic!("one block") };
    assert!(fs::read_to_string(example().join("tests/release.rs")).unwrap().ends_with(program));
}

fn parsed(name: &str) -> Value {
    serde_saphyr::from_str(&file(name)).unwrap()
}

fn is_valid(name: &str, schema: &str) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file.yml");
    fs::write(&path, file(name)).unwrap();
    let program = Path::new(&part("MPCHECK_PARTS")).join("bin/check-jsonschema");
    done(Command::new(program).args(["--builtin-schema", schema]).arg(path));
}

#[test]
fn its_workflow_and_its_pipeline_are_valid() {
    is_valid(".github/workflows/release.yml", "vendor.github-workflows");
    is_valid(".gitlab-ci.yml", "vendor.gitlab-ci");
}

/// The `run:` steps of a job.
fn steps(workflow: &Value, job: &str) -> Vec<String> {
    let steps = workflow["jobs"][job]["steps"].as_array().unwrap();
    let steps: Vec<String> = steps.iter().filter_map(|step| step["run"].as_str().map(str::to_owned)).collect();
    assert!(!steps.is_empty(), "{job}");
    steps
}

#[test]
fn its_workflow_works() {
    let place = Place::new();
    let workflow = parsed(".github/workflows/release.yml");
    let machines = workflow["jobs"]["platform"]["strategy"]["matrix"]["include"].as_array().unwrap();
    assert_eq!(machines.len(), 2);
    for (number, machine) in machines.iter().enumerate() {
        for step in steps(&workflow, "platform") {
            place.works(&step.replace("${{ matrix.platform }}", machine["platform"].as_str().unwrap()));
        }
        // What upload-artifact and download-artifact do.
        place.works(&format!("mkdir -p parts/part-{number} && mv part.json parts/part-{number}"));
    }
    for step in steps(&workflow, "gate") {
        assert!(!step.contains("${{"), "{step}");
        place.works(&step);
    }
    assert_eq!(merged(&place), super::TRIALS.len(), "every trial, and each once");
}

#[test]
fn its_pipeline_works() {
    let place = Place::new();
    let pipeline = parsed(".gitlab-ci.yml");
    let script = |part: &Value| {
        let lines: Vec<&str> = part.as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
        lines.join("\n")
    };
    let before = script(&pipeline["default"]["before_script"]);
    let nodes = pipeline["check"]["parallel"].as_u64().unwrap();
    let allowed = pipeline["check"]["allow_failure"]["exit_codes"].as_i64().unwrap();
    for node in 1..=nodes {
        let (index, total) = (node.to_string(), nodes.to_string());
        let check = format!("{before}\n{}", script(&pipeline["check"]["script"]));
        let run = place.run(&check, &[("CI_NODE_INDEX", index.as_str()), ("CI_NODE_TOTAL", total.as_str())]);
        assert!(run.code == 0 || i64::from(run.code) == allowed, "{run:#?}");
    }
    place.works(&script(&pipeline["gate"]["script"]));
    assert_eq!(merged(&place), super::TRIALS.len(), "every trial, and each once");
}

/// How many trials the report of all has.
fn merged(place: &Place) -> usize {
    let report = fs::read(place.crate_directory().join("report.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["verdict"], "passed", "{report:#}");
    report["trials"].as_array().unwrap().len()
}
