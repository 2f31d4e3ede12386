//! What a container can be expected to start or load.
//!
//! From entrypoint, command and PATH to the interpreters of scripts and programs.
//! The closure of the libraries that these need joins here with the loader's rules.

use super::judge::{Fit, judge};
use super::start::{Found, Start, path_directories, quoted};
use crate::binary::{Content, Interpreter};
use crate::check::draft::shown_path;
use crate::image::document::Config;
use crate::image::rootfs::{NodeKind, RootFs};
use crate::platform::Platform;
use std::collections::{BTreeMap, BTreeSet};

/// How a file is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    /// In words: `entrypoint ["/app"]`, `PATH /usr/local/bin`, `interpreter of /usr/bin/tool`.
    pub(super) text: String,
    /// Whether entrypoint or command lead here.
    pub(super) is_start: bool,
}

/// All files that are reached, by their real path.
#[derive(Debug, Default)]
pub(super) struct Reach {
    ways: BTreeMap<Vec<u8>, Way>,
}

impl Reach {
    /// How a file is reached; `None` where nothing leads to it.
    pub(super) fn way(&self, path: &[u8]) -> Option<&Way> {
        self.ways.get(path)
    }

    /// All that is reached, sorted by path.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &Way)> {
        self.ways.iter().map(|(path, way)| (path.as_slice(), way))
    }

    /// Follows everything that a container can be expected to start.
    pub(super) fn of(platform: &Platform, config: &Config, rootfs: &RootFs<'_>, starts: &[Start]) -> Self {
        let mut reach = Self::default();
        let mut todo = Vec::new();
        for start in starts {
            if let Found::Program(real) = &start.found {
                let named = (shown_path(real) != start.name).then(|| format!(", as `{}`", start.name));
                let text = format!("{}{}", start.place, named.unwrap_or_default());
                reach.add(real.clone(), Way { text, is_start: true }, &mut todo);
            }
        }
        let directories = path_directories(config);
        let mut listed = BTreeSet::new();
        for directory in &directories {
            let Ok((real, _)) = rootfs.lookup(directory.as_bytes()) else { continue };
            // Another name of a directory brings no other programs.
            if !listed.insert(real.clone()) {
                continue;
            }
            let directory = quoted(directory);
            for (path, name) in rootfs.children(&real) {
                let Ok((program, node)) = rootfs.lookup(path) else { continue };
                if matches!(node.kind, NodeKind::File(_)) && node.is_executable() {
                    let link = (program != path).then(|| format!(", as `{}`", name.escape_ascii()));
                    let text = format!("PATH {directory}{}", link.unwrap_or_default());
                    reach.add(program, Way { text, is_start: false }, &mut todo);
                }
            }
        }
        while let Some(path) = todo.pop() {
            let is_start = reach.way(&path).is_some_and(|way| way.is_start);
            for interpreter in interpreters(platform, &directories, rootfs, &path) {
                let text = format!("interpreter of {}", shown_path(&path));
                reach.add(interpreter, Way { text, is_start }, &mut todo);
            }
        }
        reach
    }

    /// Adds what entrypoint or command name, without following it.
    pub(super) fn start(&mut self, path: Vec<u8>, way: Way) {
        self.ways.entry(path).or_insert(way);
    }

    fn add(&mut self, path: Vec<u8>, way: Way, todo: &mut Vec<Vec<u8>>) {
        // The first way counts: entrypoint and command come before PATH.
        if let std::collections::btree_map::Entry::Vacant(entry) = self.ways.entry(path.clone()) {
            entry.insert(way);
            todo.push(path);
        }
    }
}

/// The programs that start a program: its shebang's or its loader, and what `env` finds.
fn interpreters(platform: &Platform, directories: &[&str], rootfs: &RootFs<'_>, path: &[u8]) -> Vec<Vec<u8>> {
    let Some(NodeKind::File(Some(content))) = rootfs.get(path).map(|node| node.kind) else { return Vec::new() };
    let mut names: Vec<Vec<u8>> = Vec::new();
    match content {
        Content::Script(script) => {
            names.push(script.interpreter.clone());
            if let Some(program) = script.program_of_env() {
                names.extend(directories.iter().map(|d| [d.as_bytes(), b"/", program].concat()));
            }
        }
        Content::Elf(elf) => {
            // The loader of a foreign program is not the platform's business.
            if let (Interpreter::Path(loader), Fit::Native | Fit::Compatible(_)) =
                (&elf.interpreter, judge(content, platform))
            {
                names.push(loader.clone());
            }
        }
        _ => {}
    }
    let found = names.iter().filter(|name| !name.is_empty()).filter_map(|name| rootfs.lookup(name).ok());
    found.filter(|(_, node)| matches!(node.kind, NodeKind::File(_))).map(|(real, _)| real).collect()
}
