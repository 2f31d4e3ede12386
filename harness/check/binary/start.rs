//! What a container starts: entrypoint and command, found as a runtime finds them.
//!
//! Sources: OCI image spec, `config.md`; runc, `libcontainer/init_linux.go`, which
//! looks a name without a slash up in the container's PATH, and takes one with a
//! slash from the working directory; Docker, which has a PATH of its own for
//! images without one (`DefaultPathEnv`).

use crate::image::document::{Config, DEFAULT_PATH};
use crate::image::rootfs::{LookupError, NodeKind, RootFs};
use std::collections::BTreeSet;

/// Programs that start the program after their own options, which take no value but for those listed.
const WRAPPERS: &[(&str, &[&str])] = &[
    ("tini", &["-p", "-e"]),
    ("tini-static", &["-p", "-e"]),
    ("dumb-init", &["-r", "--rewrite"]),
    ("catatonit", &[]),
    ("docker-init", &["-p", "-e"]),
];

const SHELLS: &[&str] = &["sh", "bash", "ash", "dash", "zsh", "ksh"];

/// How far wrappers are followed.
const MAX_WRAPPERS: usize = 4;

/// How many directories of PATH, and how many words of a command line, are looked at.
/// Real ones have ten; a hostile config could have hundreds of thousands of both.
const MAX_DIRECTORIES: usize = 1000;
const MAX_WORDS: usize = 1000;

/// How much of an image's own text a message quotes, in characters.
const QUOTED: usize = 300;

/// One program that a container is told to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Start {
    /// The name as it is written.
    pub(super) name: String,
    /// Where the name stands: `entrypoint ["/app"]`.
    pub(super) place: String,
    /// Whether the container cannot start, or fails at once, without it.
    pub(super) is_certain: bool,
    /// What was found under the name.
    pub(super) found: Found,
}

/// What a name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// An executable file, by its real path.
    Program(Vec<u8>),
    /// Something that cannot be executed, by its real path, and why.
    NotExecutable(Vec<u8>, String),
    /// Nothing: why, and where it was looked for.
    Missing(String),
}

/// The directories of the image's PATH, in order, each once.
pub(in crate::check) fn path_directories(config: &Config) -> Vec<&str> {
    let path = config.variable("PATH").filter(|path| !path.is_empty()).unwrap_or(DEFAULT_PATH);
    let mut seen = BTreeSet::new();
    let directories = path.split(':').filter(|directory| directory.starts_with('/'));
    directories.filter(|directory| seen.insert(*directory)).take(MAX_DIRECTORIES).collect()
}

/// The start of a text that is as long as its image wants.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Everything that entrypoint and command name.
pub(super) fn starts(config: &Config, rootfs: &RootFs<'_>) -> Vec<Start> {
    let finder = Finder { config, rootfs, directories: path_directories(config) };
    let whole: Vec<&str> = config.entrypoint.iter().chain(&config.command).map(String::as_str).collect();
    let place = if config.entrypoint.is_empty() {
        quoted(&format!("command {:?}", config.command))
    } else {
        quoted(&format!("entrypoint {:?}", config.entrypoint))
    };
    let mut starts = Vec::new();
    finder.chain(&whole, &place, &mut starts);
    // An entrypoint script often ends in `exec "$@"`: the command is a program then, or else an argument.
    if let (false, Some(command)) = (config.entrypoint.is_empty(), config.command.first()) {
        finder.perhaps(command, &quoted(&format!("command {:?}", config.command)), &mut starts);
    }
    for argument in whole.iter().skip(1).take(MAX_WORDS) {
        finder.perhaps(argument, &place, &mut starts);
    }
    starts
}

struct Finder<'a> {
    config: &'a Config,
    rootfs: &'a RootFs<'a>,
    directories: Vec<&'a str>,
}

impl Finder<'_> {
    /// The first word, and what it starts in turn where that is known.
    fn chain(&self, words: &[&str], place: &str, starts: &mut Vec<Start>) {
        let mut rest = words;
        for _ in 0..MAX_WRAPPERS {
            let Some((&name, arguments)) = rest.split_first() else { return };
            if name.is_empty() {
                return;
            }
            self.add(name, place, true, starts);
            let base = name.rsplit('/').next().unwrap_or(name);
            if let Some((_, with_value)) = WRAPPERS.iter().find(|(wrapper, _)| *wrapper == base) {
                rest = after_options(arguments, with_value);
            } else if SHELLS.contains(&base) {
                self.shell(arguments, place, starts);
                return;
            } else {
                return;
            }
        }
    }

    /// `sh -c TEXT`: a text of plain words starts its first word; of others only
    /// what is certainly a program is taken.
    fn shell(&self, arguments: &[&str], place: &str, starts: &mut Vec<Start>) {
        let [flags, text, ..] = arguments else { return };
        if !flags.starts_with('-') || !flags.ends_with('c') {
            return;
        }
        let is_special = |c: char| "$`();&|<>*?~\"'\\{}[]#!=\n".contains(c);
        if text.contains(is_special) {
            let words = text.split(|c: char| c.is_whitespace() || is_special(c));
            for word in words.filter(|word| !word.is_empty()).take(MAX_WORDS) {
                self.perhaps(word, place, starts);
            }
            return;
        }
        let words: Vec<&str> = text.split_whitespace().skip_while(|word| *word == "exec").collect();
        match words.first() {
            // A name without a slash may be the shell's own: `cd`, `exec`, `while`.
            Some(first) if first.contains('/') => self.chain(&words, place, starts),
            Some(first) => self.perhaps(first, place, starts),
            None => {}
        }
    }

    /// A word that is a program if it names one, and else an argument of no interest.
    fn perhaps(&self, word: &str, place: &str, starts: &mut Vec<Start>) {
        if word.is_empty() || word.starts_with('-') || starts.iter().any(|start| start.name == word) {
            return;
        }
        if matches!(self.find(word), Found::Program(_)) {
            self.add(word, place, false, starts);
        }
    }

    fn add(&self, name: &str, place: &str, is_certain: bool, starts: &mut Vec<Start>) {
        let found = self.find(name);
        starts.push(Start { name: name.to_owned(), place: place.to_owned(), is_certain, found });
    }

    fn find(&self, name: &str) -> Found {
        if name.contains('/') {
            let path = if name.starts_with('/') {
                name.to_owned()
            } else {
                format!("{}/{name}", self.config.working_directory)
            };
            return self.at(&path).unwrap_or_else(|error| Found::Missing(error.to_string()));
        }
        let mut not_executable = None;
        for directory in &self.directories {
            match self.at(&format!("{directory}/{name}")) {
                Ok(found @ Found::Program(_)) => return found,
                Ok(found) => not_executable = not_executable.or(Some(found)),
                Err(_) => {}
            }
        }
        not_executable.unwrap_or_else(|| {
            let searched = quoted(&self.directories.join(":"));
            Found::Missing(format!("it is in none of the directories of PATH ({searched})"))
        })
    }

    fn at(&self, path: &str) -> Result<Found, LookupError> {
        let (real, node) = self.rootfs.lookup(path.as_bytes())?;
        Ok(match node.kind {
            NodeKind::File(_) if node.is_executable() => Found::Program(real),
            NodeKind::File(_) => {
                Found::NotExecutable(real, format!("its mode is {:04o}, which lets nobody execute it", node.mode))
            }
            NodeKind::Directory => Found::NotExecutable(real, "it is a directory".to_owned()),
            NodeKind::Symlink(_) | NodeKind::Special => Found::NotExecutable(real, "it is no regular file".to_owned()),
        })
    }
}

/// What follows a wrapper's own options.
fn after_options<'a, 'b>(arguments: &'a [&'b str], with_value: &[&str]) -> &'a [&'b str] {
    let mut rest = arguments;
    while let Some((first, after)) = rest.split_first() {
        if *first == "--" {
            return after;
        }
        if !first.starts_with('-') {
            return rest;
        }
        rest = if with_value.contains(first) { after.get(1..).unwrap_or_default() } else { after };
    }
    rest
}

/// Whether a path lies in a volume, which may bring the file when the container is run.
pub(super) fn in_volume(config: &Config, path: &str) -> bool {
    let absolute = if path.starts_with('/') { path.to_owned() } else { format!("{}/{path}", config.working_directory) };
    config.volumes.iter().any(|volume| {
        let volume = volume.trim_end_matches('/');
        !volume.is_empty() && absolute.strip_prefix(volume).is_some_and(|rest| rest.starts_with('/'))
    })
}
