//! A Dockerfile, read as BuildKit reads it: facts, and no opinion.
//!
//! | file | knows |
//! |---|---|
//! | `lines.rs` | directives, comments, continued lines, here-documents: where an instruction begins and ends |
//! | `words.rs` | words, quotes and flags |
//! | `instruction.rs` | one instruction: keyword, flags, arguments |
//! | `expand.rs` | `$X`, `${X}`, `${X:-d}`, `${X:+d}` |
//! | `scope.rs` | the variables: platform ARGs, global ARGs, and those of a stage |
//! | `stages.rs` | which stage is built, what it is FROM, and what it copies from |
//! | `history.rs` | from an entry of a config's history back to the line |
//!
//! Sources: the [Dockerfile reference] and BuildKit's `frontend/dockerfile` (`parser`, `instructions`, `shell`,
//! `dockerfile2llb`). What BuildKit refuses for its content (an unknown instruction, a COPY without a destination) is
//! kept here as it stands: the build says it better, and a frontend of `# syntax=` may know it.
//!
//! Crates were looked at in 2026: `dockerfile-parser` 0.9 knows neither directives nor here-documents,
//! `dockerfile-parser-rs` 3.4 reads upper-case instructions only, here-documents that end in `EOF`, and keeps no lines.
//!
//! [Dockerfile reference]: https://docs.docker.com/reference/dockerfile/

mod expand;
mod history;
mod instruction;
mod lines;
mod scope;
mod stages;
mod words;

pub use expand::{ExpandError, Expanded, expand, substitute};
pub use instruction::{Heredoc, Instruction};
pub use scope::{Scope, Variables};
pub use stages::{Base, Built, Source};

use std::io::Read;
use std::path::Path;

/// A Dockerfile may have this many bytes.
pub const MAX_BYTES: usize = 1 << 20;
/// A line may have this many bytes: more, and BuildKit does not read it either (Go's `bufio.MaxScanTokenSize`).
pub const MAX_LINE: usize = (64 << 10) - 1;
/// A Dockerfile may have this many stages.
pub const MAX_STAGES: usize = 500;

/// A Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dockerfile {
    /// The character that continues lines and takes the meaning from the next: `\`, or what `# escape=` says.
    pub escape: char,
    /// The ARG instructions before the first FROM.
    pub globals: Vec<Instruction>,
    /// The stages, in their order; at least one.
    pub stages: Vec<Stage>,
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The FROM instruction.
    pub from: Instruction,
    /// What `--platform=` says, variables and all.
    pub platform: Option<String>,
    /// What it is FROM, variables and all.
    pub base: String,
    /// What it is called (`AS`).
    pub name: Option<String>,
    /// The instructions after FROM.
    pub instructions: Vec<Instruction>,
}

impl Stage {
    /// The stage as messages name it: `the stage "build"`, `the stage of line 7`.
    #[must_use]
    pub fn told(&self) -> String {
        match &self.name {
            Some(name) => format!("the stage {:?}", shortened(name, 60)),
            None => format!("the stage of line {}", self.from.first),
        }
    }
}

/// Why a file cannot be read as a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{mistake}", .line.map_or_else(String::new, |line| format!("line {line}: ")))]
pub struct DockerfileError {
    /// The line, from 1; `None` where the whole file is meant.
    pub line: Option<usize>,
    /// What is wrong.
    pub mistake: Mistake,
}

/// What is wrong with a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// Larger than [`MAX_BYTES`].
    #[error("it has more than {MAX_BYTES} bytes")]
    TooLarge,
    /// A line is longer than [`MAX_LINE`].
    #[error("a line of more than {MAX_LINE} bytes")]
    LongLine,
    /// UTF-16, as some editors of Windows save.
    #[error("it is UTF-16, and Dockerfiles are UTF-8")]
    Utf16,
    /// The escape directive names another character.
    #[error("`# escape={0}` is neither `\\` nor a backtick")]
    Escape(String),
    /// A directive twice.
    #[error("the directive `{0}` stands there twice")]
    Repeated(String),
    /// No end of a here-document.
    #[error("the here-document `{0}` has no end")]
    Heredoc(String),
    /// No FROM.
    #[error("there is no FROM in it")]
    NoStage,
    /// Something that is no ARG before the first FROM.
    #[error("{0} stands before the first FROM, where only ARG may")]
    BeforeFrom(String),
    /// FROM does not say what from.
    #[error("FROM is `FROM [--platform=PLATFORM] IMAGE [AS NAME]`, and this is `{0}`")]
    From(String),
    /// More than [`MAX_STAGES`].
    #[error("it has more than {MAX_STAGES} stages")]
    Stages,
    /// No such stage.
    #[error("no stage is called {name:?}{}", stage_names(.names))]
    NoTarget {
        /// What was asked for.
        name: String,
        /// What there is.
        names: Vec<String>,
    },
}

fn stage_names(names: &[String]) -> String {
    match names {
        [] => "; none has a name: write `FROM IMAGE AS NAME`".to_owned(),
        names => format!("; there are {}", names.join(", ")),
    }
}

impl DockerfileError {
    fn at(line: usize, mistake: Mistake) -> Self {
        Self { line: Some(line), mistake }
    }

    fn of_file(mistake: Mistake) -> Self {
        Self { line: None, mistake }
    }

    /// The error with the file's place and what to write instead: `Dockerfile:7: ...; write ...`.
    #[must_use]
    pub fn told(&self, name: &str) -> String {
        let line = self.line.map_or_else(String::new, |line| format!(":{line}"));
        format!("{name}{line}: {}; {}", self.mistake, self.mistake.hint())
    }
}

impl Mistake {
    /// The next step.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "name the Dockerfile by -f",
            Self::TooLarge => "is this the Dockerfile? name another by -f",
            Self::LongLine => "BuildKit reads no such line: end it by `\\` and go on in the next",
            Self::Utf16 => "save it as UTF-8",
            Self::Escape(_) => "write `# escape=\\` or `# escape=`` in the first line, or leave it out",
            Self::Repeated(_) => "take one of them out",
            Self::Heredoc(_) => "write the word after << alone on a line after the text",
            Self::NoStage => "write `FROM IMAGE` before everything but ARG",
            Self::BeforeFrom(_) => "move it below the first FROM",
            Self::From(_) => "write `FROM IMAGE` or `FROM IMAGE AS NAME`",
            Self::Stages => "build them from several Dockerfiles",
            Self::NoTarget { .. } => "name one of them by --target, or leave it out for the last",
        }
    }
}

impl Dockerfile {
    /// Reads a file, whose size is bounded.
    ///
    /// # Errors
    /// When it cannot be read, or is no Dockerfile.
    pub fn read(path: &Path) -> Result<Self, DockerfileError> {
        let unreadable = |error: std::io::Error| DockerfileError::of_file(Mistake::Unreadable(error.to_string()));
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(unreadable)?;
        file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        Self::parse(&bytes)
    }

    /// Reads a Dockerfile's bytes. What is not UTF-8 is replaced, as it can only be text.
    ///
    /// # Errors
    /// When it is none; the error says where and what to write.
    pub fn parse(bytes: &[u8]) -> Result<Self, DockerfileError> {
        if bytes.len() > MAX_BYTES {
            return Err(DockerfileError::of_file(Mistake::TooLarge));
        }
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            return Err(DockerfileError::of_file(Mistake::Utf16));
        }
        let text = String::from_utf8_lossy(bytes);
        let (escape, instructions) = lines::instructions(text.strip_prefix('\u{feff}').unwrap_or(&text))?;
        let (mut globals, mut stages) = (Vec::new(), Vec::<Stage>::new());
        for instruction in instructions {
            if instruction.is("FROM") {
                if stages.len() == MAX_STAGES {
                    return Err(DockerfileError::at(instruction.first, Mistake::Stages));
                }
                stages.push(stage(instruction)?);
            } else if let Some(stage) = stages.last_mut() {
                stage.instructions.push(instruction);
            } else if instruction.is("ARG") {
                globals.push(instruction);
            } else {
                let keyword = shortened(&instruction.keyword, 40);
                return Err(DockerfileError::at(instruction.first, Mistake::BeforeFrom(keyword)));
            }
        }
        if stages.is_empty() {
            return Err(DockerfileError::of_file(Mistake::NoStage));
        }
        Ok(Self { escape, globals, stages })
    }
}

fn stage(from: Instruction) -> Result<Stage, DockerfileError> {
    let words: Vec<&str> = from.arguments.split_whitespace().collect();
    let (base, name) = match words.as_slice() {
        [base] => ((*base).to_owned(), None),
        [base, word, name] if word.eq_ignore_ascii_case("as") => ((*base).to_owned(), Some((*name).to_owned())),
        _ => return Err(DockerfileError::at(from.first, Mistake::From(from.shown()))),
    };
    let platform = from.flag("platform").map(str::to_owned);
    Ok(Stage { platform, base, name, instructions: Vec::new(), from })
}

/// A text on one line, without control characters, cut to this many characters.
#[must_use]
pub(crate) fn shortened(text: &str, most: usize) -> String {
    let mut characters = text.split_whitespace().flat_map(|word| word.chars().chain([' ']));
    let mut short: String =
        characters.by_ref().take(most).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let cut = characters.next().is_some();
    short.truncate(short.trim_end().len());
    if cut {
        short.push_str("...");
    }
    short
}

#[cfg(test)]
mod tests;
