//! The direction of the imports between the rooms.
//!
//! DESIGN, "The rooms": cli -> suite -> check -> { run, host, build, image, binary } -> platform; `image` may use
//! `binary`, everything may use `mpcheck-reports`, and that uses none of them.

use std::fs;
use std::path::{Path, PathBuf};

/// What each room may import, itself aside.
const ROOMS: &[(&str, &[&str])] = &[
    ("cli", &["suite", "check", "run", "host", "build", "image", "binary", "probe", "platform"]),
    ("suite", &["check", "run", "host", "build", "image", "binary", "probe", "platform"]),
    ("check", &["run", "host", "build", "image", "binary", "probe", "platform"]),
    ("host", &["run", "image", "binary", "probe", "platform"]),
    ("build", &["run", "image", "probe", "platform"]),
    ("run", &["image", "binary", "probe", "platform"]),
    ("probe", &["platform"]),
    ("image", &["binary", "platform"]),
    ("binary", &["platform"]),
    ("platform", &[]),
];

/// The rooms that one source file names as `crate::ROOM`, or within braces behind `crate::`.
fn named(source: &str) -> Vec<String> {
    let code: Vec<&str> = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let mut rooms = Vec::new();
    for (at, prefix) in code.match_indices("crate::") {
        // `some_crate::x` is another name.
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(list) => rooms.extend(heads(list)),
            None => rooms.push(word(rest)),
        }
    }
    rooms
}

/// The first word of each item of a list in braces, whatever braces are in the items.
fn heads(list: &str) -> Vec<String> {
    let (mut depth, mut heads, mut is_start) = (0, Vec::new(), true);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => is_start = true,
            c if is_start && !c.is_whitespace() => {
                heads.push(word(&list[at..]));
                is_start = false;
            }
            _ => {}
        }
    }
    heads
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The arrows of a file that go up, or to where no room is.
fn wrong(path: &str, source: &str) -> Vec<String> {
    // The program's first file is above all rooms.
    let room = path.split('/').next().unwrap_or_default();
    if room.ends_with(".rs") {
        return Vec::new();
    }
    let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
        return vec![format!("harness/{path}: {room} is no room of DESIGN's")];
    };
    let up = |other: &String| other != room && !allowed.contains(&other.as_str());
    named(source).into_iter().filter(up).map(|other| format!("harness/{path}: {room} imports {other}")).collect()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn no_arrow_goes_up() {
    let harness = Path::new(env!("CARGO_MANIFEST_DIR")).join("harness");
    let files = files(&harness);
    assert!(files.len() > 50, "only {} files were found", files.len());
    let wrong: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let path = file.strip_prefix(&harness).unwrap().to_str().unwrap();
            wrong(path, &fs::read_to_string(file).unwrap())
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reports_know_nothing_of_the_checks() {
    let reports = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports");
    let manifest = fs::read_to_string(reports.join("Cargo.toml")).unwrap();
    let is_dependency = |line: &&str| {
        let name = line.split(['=', '.', ' ']).next().unwrap_or_default();
        matches!(name, "mpcheck" | "mpcheck-kit") || line.contains("\"mpcheck\"") || line.contains("path = \"..")
    };
    assert_eq!(manifest.lines().find(is_dependency), None);
    for file in files(&reports) {
        let source = fs::read_to_string(&file).unwrap();
        assert!(!source.contains("mpcheck::"), "{} names the program's crate", file.display());
    }
}

/// The check itself, on lines made up for it.
#[test]
fn an_arrow_that_goes_up_is_seen() {
    let up = |path: &str, line: &str| wrong(path, line).len();
    assert_eq!(up("image/examine.rs", "use crate::check::rule;"), 1);
    assert_eq!(up("platform/mod.rs", "use crate::image::digest::Digest;"), 1);
    assert_eq!(up("binary/elf.rs", "use crate::{image::digest::{self, Digest}, platform::Platform, cli};"), 2);
    assert_eq!(up("run/docker.rs", "fn f(x: &crate::host::Handler) {}"), 1);
    assert_eq!(up("host/mod.rs", "pub(crate) use crate::suite;"), 1);
    assert_eq!(up("kitchen/mod.rs", ""), 1);
    assert_eq!(up("check/mod.rs", "use crate::{\n    binary::Elf,\n    cli::run,\n};"), 1);
    assert_eq!(up("check/mod.rs", "use crate::image::{cli, suite};\nuse crate::check::rule;"), 0);
    assert_eq!(
        up("image/examine.rs", "use crate::binary::Content;\n// use crate::check::rule;\nuse other_crate::check;"),
        0
    );
    assert_eq!(up("main.rs", "use crate::cli;"), 0);
}
