//! One instruction.

use super::shortened;
use super::words::{self, Quotes};

/// How much of an instruction is shown.
const SHOWN: usize = 200;

/// One instruction, with the lines on which it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// Its first line, from 1.
    pub first: usize,
    /// Its last line, here-documents included.
    pub last: usize,
    /// What it is, in upper case: `RUN`.
    pub keyword: String,
    /// Its flags without the dashes: `from=build`, `chmod=755`, `link`.
    pub flags: Vec<String>,
    /// Everything after the flags, continued lines joined.
    pub arguments: String,
    /// Its here-documents.
    pub heredocs: Vec<Heredoc>,
}

/// A here-document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heredoc {
    /// The word that ends it.
    pub name: String,
    /// Its lines; without their tabs where it is `<<-`.
    pub content: String,
}

impl Instruction {
    /// Reads what the joined lines say.
    pub(super) fn new(first: usize, last: usize, text: impl AsRef<str>) -> Self {
        let text = text.as_ref().trim();
        let (keyword, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let (flags, arguments) = words::flags(rest);
        Self {
            first,
            last,
            keyword: keyword.to_uppercase(),
            flags,
            arguments: arguments.trim().to_owned(),
            heredocs: Vec::new(),
        }
    }

    /// Whether it is this one; the keyword is upper-case.
    #[must_use]
    pub fn is(&self, keyword: &str) -> bool {
        self.keyword == keyword
    }

    /// The value of a flag; empty for one without a value.
    #[must_use]
    pub fn flag<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.values_of(name).next()
    }

    /// The values of a flag that may be repeated, as `RUN --mount`.
    pub fn values_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.flags.iter().filter_map(move |flag| match flag.split_once('=') {
            Some((given, value)) => (given == name).then_some(value),
            None => (flag == name).then_some(""),
        })
    }

    /// What it says, with flags and here-documents, on several lines where it has any.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.keyword.clone();
        for flag in &self.flags {
            text.push_str(" --");
            text.push_str(flag);
        }
        text.push(' ');
        text.push_str(&self.arguments);
        for heredoc in &self.heredocs {
            text.push('\n');
            text.push_str(&heredoc.content);
        }
        text
    }

    /// What it says, on one line, without control characters, and not too long.
    #[must_use]
    pub fn shown(&self) -> String {
        shortened(&self.text(), SHOWN)
    }

    /// The arguments, where they are a JSON array of strings (the exec form).
    #[must_use]
    pub fn json(&self) -> Option<Vec<String>> {
        self.arguments.starts_with('[').then(|| serde_json::from_str(&self.arguments).ok()).flatten()
    }

    /// The arguments as words, without quotes; those of the exec form as they are.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        self.json().unwrap_or_else(|| self.arguments.split_whitespace().map(str::to_owned).collect())
    }

    /// What ARG, ENV and LABEL set, each with its value as it is spelt; ARG may have none.
    #[must_use]
    pub fn pairs(&self, escape: char) -> Vec<(String, Option<String>)> {
        let words = words::split(&self.arguments, escape, Quotes::Kept)
            .unwrap_or_else(|| self.arguments.split_whitespace().map(str::to_owned).collect());
        // The old form, `ENV NAME all the rest`.
        if !self.is("ARG") && words.first().is_some_and(|word| !word.contains('=')) {
            let (name, value) = self.arguments.split_once(char::is_whitespace).unwrap_or((&self.arguments, ""));
            return vec![(name.to_owned(), Some(value.trim().to_owned()))];
        }
        let pair = |word: String| match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (word, None),
        };
        words.into_iter().map(pair).collect()
    }

    /// What an ONBUILD triggers; any other instruction itself.
    #[must_use]
    pub fn triggered(&self) -> Self {
        if !self.is("ONBUILD") {
            return self.clone();
        }
        Self { heredocs: self.heredocs.clone(), ..Self::new(self.first, self.last, &self.arguments) }
    }

    /// The images or stages that it takes files from: `COPY --from=`, and `from=` of `RUN --mount=`.
    #[must_use]
    pub fn takes_from(&self) -> Vec<&str> {
        if self.is("COPY") {
            return self.flag("from").into_iter().filter(|from| !from.is_empty()).collect();
        }
        let mounts = self.values_of("mount").filter(|_| self.is("RUN"));
        mounts.filter_map(|mount| mount.split(',').find_map(|part| part.trim().strip_prefix("from="))).collect()
    }
}
