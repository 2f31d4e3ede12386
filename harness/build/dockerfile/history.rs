//! From an entry of a config's history back to the line that made it.
//!
//! What builders write: BuildKit's `dockerfile2llb/convert.go` (`commitToHistory`, `runCommandString`) and
//! `convert_copy.go`; the classic builder's `builder/dockerfile/dispatchers.go` of moby (`#(nop)`). Variables are
//! expanded there, and which values they had is not asked here: each may stand for anything. So several instructions
//! may fit one entry, and then none is named: a wrong line costs more than no line.

use super::words;
use super::{Built, Instruction};
use std::path::Path;
use std::rc::Rc;

/// Whoever shows an instruction cuts it at 4096 bytes: a text of this length may be one of those.
const CUT: usize = 4080;

/// A path may have this many bytes (PATH_MAX).
const MAX_PATH: usize = 4096;

/// The programs that are shells.
const SHELLS: [&str; 10] = ["sh", "bash", "ash", "dash", "zsh", "busybox", "cmd", "powershell", "pwsh", "fish"];

/// How well an instruction fits an entry of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    No,
    /// It is the same kind of instruction, and no more can be told.
    Kind,
    /// Everything that it says fits; the longer its own text, the more that means.
    Whole(usize),
}

/// An instruction of the result.
struct Committed<'a> {
    /// Where it stands: itself, or the ONBUILD that triggers it.
    first: usize,
    instruction: &'a Instruction,
    /// The working directory; `None` where it is the base image's.
    directory: Option<Rc<str>>,
}

impl Built<'_> {
    /// The first line of the instruction that made an entry of the history; `None` where none fits, or several do.
    ///
    /// The entry may be as it stands in the config (`created_by`), or without what builders put around it
    /// (`image::document::Config::instruction_of`).
    #[must_use]
    pub fn line_of(&self, created_by: &str) -> Option<usize> {
        self.line_among(&self.committed(), created_by)
    }

    fn line_among(&self, all: &[Committed<'_>], created_by: &str) -> Option<usize> {
        let entry = Entry::of(created_by);
        let mut best: Option<(usize, usize)> = None;
        let mut is_alone = true;
        for committed in all {
            let Fit::Whole(length) = entry.fits(committed, self.dockerfile.escape) else { continue };
            match best {
                Some((longest, _)) if length < longest => {}
                Some((longest, _)) if length == longest => is_alone = false,
                _ => (best, is_alone) = (Some((length, committed.first)), true),
            }
        }
        best.filter(|_| is_alone).map(|(_, line)| line)
    }

    /// The line of each entry of a whole history, the oldest first.
    ///
    /// BuildKit writes one entry for each instruction, after those of the base image. Where the last entries are just
    /// these instructions, each has its line, also one that stands there twice, and the base image's have none. Where
    /// they are not (another builder, a squashed image), each entry is looked for [alone](Self::line_of).
    #[must_use]
    pub fn lines_of(&self, history: &[&str]) -> Vec<Option<usize>> {
        let all = self.committed();
        let own = history.len().checked_sub(all.len()).and_then(|start| history.split_at_checked(start));
        if let Some((of_base, own)) = own {
            let escape = self.dockerfile.escape;
            if own.iter().zip(&all).all(|(entry, committed)| Entry::of(entry).fits(committed, escape) != Fit::No) {
                return of_base.iter().map(|_| None).chain(all.iter().map(|one| Some(one.first))).collect();
            }
        }
        history.iter().map(|entry| self.line_among(&all, entry)).collect()
    }

    /// The instructions of the result in their order, what a stage's ONBUILD triggers in the one that is FROM it
    /// included.
    fn committed(&self) -> Vec<Committed<'_>> {
        let mut all: Vec<Committed<'_>> = Vec::new();
        let mut directory: Option<Rc<str>> = None;
        let mut triggers: &[(Instruction, Instruction)] = &[];
        for (index, own) in self.chain.iter().zip(&self.triggers).rev() {
            let Some(stage) = self.dockerfile.stages.get(*index) else { continue };
            let inherited = std::mem::replace(&mut triggers, own).iter().map(|(at, what)| (at.first, what));
            let own = stage.instructions.iter().filter(|instruction| !instruction.is("ONBUILD"));
            for (first, instruction) in inherited.chain(own.map(|instruction| (instruction.first, instruction))) {
                all.push(Committed { first, instruction, directory: directory.clone() });
                if instruction.is("WORKDIR") {
                    directory = within(directory.as_deref(), &instruction.arguments).map(Into::into);
                }
            }
        }
        all
    }
}

/// A path in a working directory; `None` where that is not known, or a variable is in it.
fn within(directory: Option<&str>, path: &str) -> Option<String> {
    let path = path.trim().trim_matches(['"', '\'']);
    if path.contains('$') || path.split('/').any(|part| part == "..") || path.len() > MAX_PATH {
        return None;
    }
    if path.starts_with('/') {
        return Some(path.trim_end_matches('/').to_owned());
    }
    let relative = path.split('/').filter(|part| !matches!(*part, "" | "."));
    let joined = relative.fold(directory?.to_owned(), |joined, part| format!("{joined}/{part}"));
    (joined.len() <= MAX_PATH).then_some(joined)
}

/// An entry, without what builders put around it.
struct Entry<'a> {
    text: &'a str,
    keyword: &'a str,
    rest: &'a str,
    /// The rest with single spaces.
    spaced: String,
}

impl<'a> Entry<'a> {
    fn of(created_by: &'a str) -> Self {
        let text = created_by.trim();
        let text = text.strip_suffix("# buildkit").unwrap_or(text).trim_end();
        let text = text.split_once("#(nop)").map_or(text, |(_, after)| after.trim());
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        // The classic builder writes no RUN: `/bin/sh -c make`, `|1 A=b /bin/sh -c make`.
        let is_keyword = !word.is_empty() && word.bytes().all(|b| b.is_ascii_uppercase());
        let (keyword, rest) = if is_keyword { (word, rest) } else { ("RUN", text) };
        Self { text, keyword, rest: rest.trim(), spaced: spaced(rest) }
    }

    fn fits(&self, committed: &Committed<'_>, escape: char) -> Fit {
        let instruction = committed.instruction;
        if self.keyword != instruction.keyword {
            return Fit::No;
        }
        let fits = match self.keyword {
            "RUN" => return self.fits_run(instruction),
            "COPY" | "ADD" => self.fits_copy(committed, escape),
            "CMD" | "ENTRYPOINT" => self.fits_command(instruction),
            "WORKDIR" => Pattern::of_path(&instruction.arguments, committed, escape).fits(self.rest),
            "USER" => Pattern::of(&instruction.arguments, escape).fits(self.rest),
            "ENV" => {
                let pairs = instruction.pairs(escape).into_iter();
                let pairs: Vec<String> =
                    pairs.map(|(name, value)| format!("{name}={}", value.unwrap_or_default())).collect();
                Pattern::of(&pairs.join(" "), escape).fits(self.rest)
            }
            "ARG" => {
                let name = instruction.pairs(escape).into_iter().next().map(|(name, _)| name).unwrap_or_default();
                self.rest.split('=').next() == Some(name.as_str())
            }
            _ => return Fit::Kind,
        };
        if fits { Fit::Whole(0) } else { Fit::No }
    }

    fn fits_run(&self, instruction: &Instruction) -> Fit {
        let entry = self.spaced.as_str();
        for command in commands(instruction) {
            let command = spaced(&command);
            let whole = entry.strip_suffix(&command);
            // Cut off somewhere in the command.
            let cut = || {
                let begins = |at: usize| entry.get(at..).is_some_and(|rest| command.starts_with(rest));
                let shell = entry.match_indices("-c ").map(|(at, found)| at + found.len()).find(|&at| begins(at));
                shell.filter(|_| self.text.len() >= CUT).and_then(|at| entry.get(..at))
            };
            let Some(before) = whole.or_else(cut) else { continue };
            let is_exec = instruction.json().is_some();
            let fits = if is_exec { before.is_empty() || is_arguments(before) } else { is_shell(before) };
            if fits && !command.is_empty() {
                return Fit::Whole(entry.len() - before.len());
            }
        }
        Fit::No
    }

    /// `--chmod=755 SOURCE... DESTINATION`, and `file:HASH in DESTINATION` of the classic builder.
    fn fits_copy(&self, committed: &Committed<'_>, escape: char) -> bool {
        let instruction = committed.instruction;
        let mut words = instruction.words();
        let is_hash = |hash: &str| ["file:", "dir:", "multi:"].iter().any(|kind| hash.starts_with(kind));
        if let Some((_, destination)) = self.rest.split_once(" in ").filter(|(hash, _)| is_hash(hash)) {
            let fits = |own: String| Pattern::of_path(&own, committed, escape).fits(destination.trim());
            return words.pop().is_some_and(fits);
        }
        // Sources that are here-documents come after the others, as `<<NAME`, and without quotes.
        if let Some(destination) = words.pop() {
            let (documents, mut others): (Vec<String>, Vec<String>) =
                words.into_iter().partition(|word| word.starts_with("<<"));
            others
                .extend(documents.iter().zip(&instruction.heredocs).map(|(_, heredoc)| format!("<<{}", heredoc.name)));
            others.push(destination);
            words = others;
        }
        let (_, rest) = words::flags(self.rest);
        Pattern::of(&words.join(" "), escape).fits(rest)
    }

    /// `["/bin/sh" "-c" "make"]`: Go's `%q` of the words.
    fn fits_command(&self, instruction: &Instruction) -> bool {
        let entry: Vec<String> = match serde_json::from_str(&self.rest.replace("\" \"", "\",\"")) {
            Ok(words) => words,
            Err(_) => return false,
        };
        match (instruction.json(), entry.split_last()) {
            (Some(words), _) => words == entry,
            (None, Some((command, shell))) => *command == instruction.arguments && is_shell(&shell.join(" ")),
            (None, None) => false,
        }
    }
}

/// What a RUN may look like in the history.
fn commands(instruction: &Instruction) -> Vec<String> {
    if let Some(words) = instruction.json() {
        return vec![words.join(" ")];
    }
    let mut commands = Vec::new();
    if let [heredoc] = instruction.heredocs.as_slice() {
        // A here-document alone is the script itself; one with its own `#!` is put into a file.
        if instruction.arguments.split_whitespace().count() == 1 {
            let is_own = heredoc.content.starts_with("#!");
            commands.push(if is_own { format!("/dev/pipes/{}", heredoc.name) } else { heredoc.content.clone() });
        }
    }
    let mut whole = instruction.arguments.clone();
    for heredoc in &instruction.heredocs {
        whole.push('\n');
        whole.push_str(&heredoc.content);
        whole.push_str(&heredoc.name);
    }
    commands.push(whole);
    commands
}

/// Spaces and line ends as single spaces: builders differ in them.
fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `|2 A=b C=d `: the ARGs that were set for it.
fn is_arguments(before: &str) -> bool {
    let count = before.strip_prefix('|').and_then(|rest| rest.split_once(' '));
    count.is_some_and(|(count, rest)| count.parse::<u32>().is_ok() && rest.contains('='))
}

/// `/bin/sh -c `, `/bin/bash -o pipefail -c `, `|1 A=b /bin/sh -c `: a shell that takes a command, and nothing else.
fn is_shell(before: &str) -> bool {
    let words: Vec<&str> = before.split_whitespace().collect();
    let shell = words.iter().rposition(|word| {
        let name = word.rsplit(['/', '\\']).next().unwrap_or_default().to_lowercase();
        SHELLS.contains(&name.strip_suffix(".exe").unwrap_or(&name))
    });
    let Some((given, flags)) = shell.and_then(|at| words.split_at_checked(at)) else { return false };
    let is_last = |word: &&str| word.starts_with(['-', '/']) && word.to_lowercase().ends_with(['c', 'd']);
    let is_option =
        |word: &&str| word.starts_with(['-', '/', '+', '$']) || word.bytes().all(|b| b.is_ascii_alphanumeric());
    flags.len() > 1
        && flags.last().is_some_and(is_last)
        && flags.iter().skip(1).all(|word| is_option(word) || word.ends_with(';'))
        && (given.is_empty() || is_arguments(&format!("{} ", given.join(" "))))
}

/// A text in which each variable may stand for anything: the pieces between the variables.
struct Pattern(Vec<String>);

impl Pattern {
    fn of(text: &str, escape: char) -> Self {
        let mut pieces = vec![String::new()];
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            let body = if let Some(braced) = after.strip_prefix('{') {
                let mut depth = 1_usize;
                let end = braced.find(|c| {
                    depth = if c == '{' { depth + 1 } else { depth - usize::from(c == '}') };
                    depth == 0
                });
                end.and_then(|end| braced.get(end + 1..)).unwrap_or_default()
            } else {
                after.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_')
            };
            if let Some(piece) = pieces.last_mut() {
                piece.push_str(before);
            }
            pieces.push(String::new());
            rest = body;
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push_str(rest);
        }
        let plain = |piece: &String| piece.chars().filter(|&c| c != '"' && c != '\'' && c != escape).collect();
        Self(pieces.iter().map(plain).collect())
    }

    /// A path that may be relative: then the working directory comes before it.
    fn of_path(text: &str, committed: &Committed<'_>, escape: char) -> Self {
        let path = text.trim().trim_matches(['"', '\'']);
        if Path::new(path).has_root() || path.starts_with('$') || path.contains(':') {
            let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
            return Self::of(path, escape);
        }
        if let Some(whole) = within(committed.directory.as_deref(), path) {
            return Self(vec![whole]);
        }
        let relative = path.trim_start_matches("./").trim_start_matches('.').trim_end_matches('/');
        let mut pattern = Self::of(relative, escape);
        pattern.0.insert(0, String::new());
        pattern
    }

    fn fits(&self, text: &str) -> bool {
        let text: String = text.chars().filter(|&c| c != '"' && c != '\'').collect();
        let Some((first, others)) = self.0.split_first() else { return false };
        let trimmed = if text.len() > 1 { text.trim_end_matches('/') } else { &text };
        [text.as_str(), trimmed].into_iter().any(|text| {
            let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
            let Some((last, middle)) = others.split_last() else { return rest.is_empty() };
            for piece in middle {
                match rest.split_once(piece.as_str()) {
                    Some((_, after)) => rest = after,
                    None if piece.is_empty() => {}
                    None => return false,
                }
            }
            rest.ends_with(last.as_str())
        })
    }
}
