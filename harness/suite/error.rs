//! What is wrong with a suite, where, and what to write instead.

use super::located::Place;
use std::fmt;
use std::path::{Path, PathBuf};

/// How many problems of one file are told; with the first mended, the others may be gone.
const MAX_TOLD: usize = 20;

/// How many characters of a text from the file a message shows.
const SHOWN: usize = 80;

/// Why suites could not be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SuiteError {
    /// The files are wrong, or cannot be read: exit code 2.
    #[error("{}", joined(.0))]
    Wrong(Vec<Problem>),
    /// There is nothing in them to check: exit code 4.
    #[error("{}", .0.whole())]
    Empty(Problem),
}

impl SuiteError {
    /// What is wrong, in the order of the files; at least one.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Wrong(problems) => problems,
            Self::Empty(problem) => std::slice::from_ref(problem),
        }
    }

    /// The exit code of the program.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Wrong(_) => 2,
            Self::Empty(_) => 4,
        }
    }

    /// Of everything that is wrong with one file as much as is worth reading at once.
    pub(super) fn wrong(mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|left, right| (left.place, &left.message).cmp(&(right.place, &right.message)));
        problems.dedup();
        let more = problems.len().saturating_sub(MAX_TOLD);
        problems.truncate(MAX_TOLD);
        if let (1.., Some(last)) = (more, problems.last_mut()) {
            last.message.push_str(&format!(" (and {more} more in this file)"));
        }
        Self::Wrong(problems)
    }
}

/// All problems with their next steps, as the program shows one of its own.
fn joined(problems: &[Problem]) -> String {
    problems.iter().map(Problem::whole).collect::<Vec<_>>().join("\nerror: ")
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, or the directory.
    pub file: PathBuf,
    /// Where in it; `None` where it is about the whole.
    pub place: Option<Place>,
    /// What is wrong, in half a sentence.
    pub message: String,
    /// The next step, in half a sentence; empty where there is none.
    pub hint: String,
}

impl Problem {
    pub(super) fn new(file: &Path, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { file: file.to_owned(), place: None, message: message.into(), hint: hint.into() }
    }

    pub(super) fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// What is wrong, and on a line of its own the next step.
    fn whole(&self) -> String {
        if self.hint.is_empty() { self.to_string() } else { format!("{self}\n hint: {}", self.hint) }
    }
}

impl fmt::Display for Problem {
    /// `suites/release.yaml:14:9: unknown key`, without the next step.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display().to_string().escape_debug())?;
        if let Some(place) = self.place {
            write!(f, "{}:{}:", place.line, place.column)?;
        }
        write!(f, " {}", self.message)
    }
}

/// A text of the file for a message: on one line, escaped and cut.
pub(super) fn shown(text: &str) -> String {
    let mut start = String::new();
    for c in text.chars().take(SHOWN) {
        // What a terminal would obey, or would show as something else.
        if c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            start.extend(c.escape_default());
        } else {
            start.push(c);
        }
    }
    if text.chars().nth(SHOWN).is_some() {
        start.push('…');
    }
    start
}

/// The one of these that was probably meant.
pub(super) fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Below this, two words have little in common but their letters.
    const ALIKE: f64 = 0.6;
    // Comparing takes the product of both lengths.
    let text: String = text.chars().take(64).collect::<String>().to_lowercase();
    let likeness = |word: &str| strsim::normalized_damerau_levenshtein(&text, word);
    let rated = known.into_iter().map(|word| (word, likeness(word))).filter(|(_, likeness)| *likeness >= ALIKE);
    // The first of equals wins.
    rated.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(word, _)| word)
}

/// "`a`, `b` and `c`".
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn a_problem_names_its_place() {
        let problem = Problem::new(Path::new("a.yaml"), "it is wrong", "mend it");
        assert_eq!(problem.to_string(), "a.yaml: it is wrong");
        assert_eq!(problem.at(Place { line: 3, column: 14 }).to_string(), "a.yaml:3:14: it is wrong");
    }

    #[test]
    fn not_more_are_told_than_are_read() {
        let at = |line| Problem::new(Path::new("a"), format!("p{line:02}"), "mend it").at(Place { line, column: 1 });
        let error = SuiteError::wrong((1..=30).rev().map(at).collect());
        assert_eq!(error.problems().len(), MAX_TOLD);
        assert!(error.to_string().starts_with("a:1:1: p01\n hint: mend it\nerror: a:2:1: p02\n"), "{error}");
        assert!(error.to_string().ends_with("p20 (and 10 more in this file)\n hint: mend it"), "{error}");
    }

    #[rstest]
    #[case("comand", Some("command"))]
    #[case("Command", Some("command"))]
    #[case("not_stdout", Some("not-stdout"))]
    #[case("zzz", None)]
    fn the_nearest_word_is_found(#[case] text: &str, #[case] wanted: Option<&str>) {
        assert_eq!(nearest(text, ["command", "name", "stdout", "not-stdout"]), wanted);
    }

    #[test]
    fn hostile_text_is_escaped_and_cut() {
        assert_eq!(shown("a\u{1b}[31m\n\u{202e}é"), "a\\u{1b}[31m\\n\\u{202e}é");
        assert_eq!(shown(&"é".repeat(500)).chars().count(), SHOWN + 1);
    }
}
