//! A pattern of a file, and texts as Go sees them.

use super::super::error::shown;
use super::super::located::Place;
use super::re2::{Refused, translate};
use regex::{Regex, RegexBuilder};
use std::borrow::Cow;
use std::sync::OnceLock;

/// What a pattern may become, in bytes.
const MAX_COMPILED_BYTES: usize = 16 << 20;

/// Groups within each other, as they are after translation: see [`super::re2`].
const MAX_NESTING: u32 = 250;

/// A regular expression of Go, looked for anywhere in a text, `^` and `$` being the text's ends.
#[derive(Debug, Clone)]
pub struct Pattern {
    source: String,
    place: Option<Place>,
    translated: Result<String, Refused>,
    compiled: OnceLock<Result<Regex, String>>,
}

impl Pattern {
    pub(super) fn new(source: String, place: Option<Place>) -> Self {
        let translated = translate(&source);
        Self { source, place, translated, compiled: OnceLock::new() }
    }

    /// What is wrong with it, where it is none.
    pub(super) fn fault(&self) -> Option<String> {
        self.translated.as_ref().err().map(|refused| self.faulty(refused))
    }

    fn faulty(&self, why: &dyn std::fmt::Display) -> String {
        let line = self.place.map(|place| format!(" in line {}", place.line)).unwrap_or_default();
        format!("`{}`{line} is no pattern that Go's regexp takes: {why}", self.shown())
    }

    /// Where it stands in the file; JSON does not tell.
    #[must_use]
    pub const fn place(&self) -> Option<Place> {
        self.place
    }

    /// Itself, for a message.
    pub(super) fn shown(&self) -> String {
        shown(&self.source)
    }

    /// Whether it is somewhere in this text.
    ///
    /// # Errors
    /// Where it is no pattern, or one that becomes too large.
    pub(super) fn is_in(&self, text: &str) -> Result<bool, String> {
        let compiled = self.compiled.get_or_init(|| match &self.translated {
            Err(refused) => Err(self.faulty(refused)),
            Ok(pattern) => RegexBuilder::new(pattern)
                .size_limit(MAX_COMPILED_BYTES)
                .nest_limit(MAX_NESTING)
                .build()
                .map_err(|_| self.faulty(&format!("it becomes more than {} MiB", MAX_COMPILED_BYTES >> 20))),
        });
        compiled.as_ref().map(|regex| regex.is_match(text)).map_err(Clone::clone)
    }
}

/// Bytes as the characters that Go's patterns see: each byte that is no UTF-8 is a U+FFFD of its own.
pub(super) fn text(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(std::iter::repeat_n('\u{fffd}', chunk.invalid().len()));
    }
    Cow::Owned(text)
}
