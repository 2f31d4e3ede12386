use super::*;
use crate::check::policy::Level;
use crate::image::reference::Location;
use crate::run::choose::How;
use crate::suite::plan::{FileKind, ValuePlan};
use rstest::rstest;
use std::time::Duration;
use tempfile::TempDir;

const TODAY: &str = "2026-11-23";

/// A directory with these files.
fn directory(files: &[(&str, &[u8])]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(directory.path().join(name), bytes).unwrap();
    }
    directory
}

fn environment(name: &str) -> Option<String> {
    match name {
        "TAG" => Some("3.20".to_owned()),
        "BAD_PLATFORM" => Some("linux/arm65".to_owned()),
        "YAML" => Some("x: [&a *a".to_owned()),
        _ => None,
    }
}

fn loaded(text: &str) -> Result<Vec<Suite>, SuiteError> {
    let directory = directory(&[("release.yaml", text.as_bytes())]);
    load(&directory.path().join("release.yaml"), &environment, TODAY.parse().unwrap())
}

fn only(text: &str) -> Suite {
    let mut suites = loaded(text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(suites.len(), 1);
    suites.remove(0)
}

/// A suite of one image with these lines.
fn image(lines: &str) -> String {
    format!("version: 1\nimages:\n  - image: alpine\n    platforms: [linux/amd64]\n{lines}")
}

/// What is wrong, as `LINE:COLUMN message`, and the next steps.
fn wrong(text: &str) -> (Vec<String>, Vec<String>) {
    let error = loaded(text).expect_err("it was taken");
    let problems = error.problems();
    let told = problems.iter().map(|problem| match problem.place {
        Some(place) => format!("{}:{} {}", place.line, place.column, problem.message),
        None => problem.message.clone(),
    });
    (told.collect(), problems.iter().map(|problem| problem.hint.clone()).collect())
}

#[test]
fn a_whole_suite_is_resolved() {
    let suite = only(include_str!("whole.yaml"));
    assert_eq!(suite.name, "nightly");
    assert_eq!(suite.host.as_ref().unwrap().require[0].to_string(), "linux/arm64");
    assert_eq!(suite.host.unwrap().severities.get("host/page-size"), Some(&Level::Note));
    let names: Vec<&str> = suite.images.iter().map(|image| image.name.as_str()).collect();
    assert_eq!(names, ["app", "alpine-3.20", "alpine-3.21", "out"]);
    let app = &suite.images[0];
    assert_eq!(app.reference, "docker.io/library/app:3.20");
    assert_eq!(app.line, 32);
    assert!(app.exact);
    assert_eq!(app.platforms.iter().map(ToString::to_string).collect::<Vec<_>>(), ["linux/amd64", "linux/arm/v7"]);
    assert_eq!(app.baseline.as_ref().unwrap().0, "app:old");
    assert_eq!(app.fail_on, mpcheck_reports::FailOn::Warning);
    let allowed = &app.policy.allowed[0];
    assert!(allowed.covers(b"opt/probes/a/b", Some("amd64")));
    assert_eq!(allowed.expires.unwrap().to_string(), "2027-06-30");
    // Merged key by key: one of the defaults, one of its own, and one of both.
    let severities: Vec<_> = app.policy.severities.iter().map(|(rule, level)| (*rule, *level)).collect();
    let wanted = [
        ("binary/emulator-left-behind", Level::Off),
        ("binary/not-a-program", Level::Warning),
        ("manifest/orphan-attestation", Level::Error),
    ];
    assert_eq!(severities, wanted);
    assert_eq!(app.run.how, How::Sandbox);
    assert!(app.run.required);
    assert_eq!((app.run.limits.memory, app.run.limits.processes), (4 << 30, 64));
    assert_eq!(app.run.limits.temporary, crate::run::Limits::default().temporary);
    let commands: Vec<&str> = app.run.commands.iter().map(|command| command.name.as_str()).collect();
    assert_eq!(commands, ["python", "sh-c-echo-HOME", "sleep-1", "sleep-1-2"]);
    let python = &app.run.commands[0];
    assert_eq!(python.words, ["python3", "--version"]);
    assert_eq!(python.timeout, Duration::from_secs(5));
    assert_eq!(python.expect.code, 3);
    assert_eq!(python.expect.stdout[0].as_str(), "^Python 3\\.1$");
    assert_eq!(python.expect.not_stderr.len(), 2);
    assert_eq!(python.environment, [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "${TAG}".to_owned())]);
    assert_eq!(python.user.as_deref(), Some("1000"));
    assert!(python.writable && python.network);
    assert_eq!(python.platforms.len(), 1);
    assert_eq!(python.exceptions[0].reason, "qemu 7 has no such instruction");
    assert_eq!(python.exceptions[0].expires.unwrap().to_string(), TODAY);
    assert_eq!(app.run.commands[1].words, ["sh", "-c", "echo $HOME"]);
    assert_eq!(app.run.commands[1].timeout, Duration::from_secs(30));
}

#[test]
fn files_metadata_and_defaults_are_resolved() {
    let suite = only(include_str!("whole.yaml"));
    let app = &suite.images[0];
    let file = &app.files[0];
    assert_eq!((file.name.as_str(), file.path.as_str(), file.exists), ("usr-bin-app", "/usr/bin/app", true));
    assert_eq!((file.mode, file.user, file.group, file.executable), (Some(0o4755), Some(0), Some(10), Some(true)));
    assert_eq!(file.kind, Some(FileKind::File));
    assert!(file.content[0].is_match(b"\x7fELF\xff"));
    assert_eq!((app.files[1].kind, app.files[1].target.as_deref()), (Some(FileKind::Symlink), Some("app")));
    assert!(!app.files[2].exists);
    let metadata = app.metadata.as_ref().unwrap();
    assert_eq!(metadata.entrypoint.as_deref().unwrap(), ["/usr/bin/app"]);
    assert_eq!(metadata.command.as_deref().unwrap(), [""; 0]);
    let values: Vec<String> = metadata
        .environment
        .iter()
        .map(|(name, value)| match value {
            ValuePlan::Exact(text) => format!("{name}={text}"),
            ValuePlan::Matches(pattern) => format!("{name}~{pattern}"),
            ValuePlan::Absent => format!("{name} absent"),
        })
        .collect();
    assert_eq!(values, ["A=b", "C~^x", "D absent", "E=absent"]);
    assert_eq!(metadata.ports, ["8080/tcp", "53/udp"]);
    assert_eq!(metadata.not_volumes, ["/data"]);
    // Without anything of its own, an image has the defaults.
    let alpine = &suite.images[1];
    assert_eq!(alpine.platforms.len(), 2);
    assert_eq!(alpine.run.how, How::Auto);
    assert_eq!(alpine.run.commands.len(), 1);
    assert!(alpine.metadata.is_none());
    // Paths are relative to the file, whether they are there or not.
    let out = &suite.images[3];
    let Location::Layout { path, selector } = &out.location else { panic!("{:?}", out.location) };
    assert!(path.is_absolute() && path.ends_with("out"), "{}", path.display());
    assert_eq!(selector.as_ref().unwrap().to_string(), "1.2");
    assert!(out.structure[0].0.ends_with("old/structure.yaml") && out.structure[0].0.is_absolute());
}

#[rstest]
#[case::unknown_key("  comand: x\n", "5:3 unknown key", "write")]
fn placeholder(#[case] _lines: &str, #[case] _message: &str, #[case] _hint: &str) {}
