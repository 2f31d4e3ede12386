//! Regular expressions that are compiled when they are first asked.
//!
//! A suite may have ten thousand, and whoever lists it, or runs one of its cases, asks none or one of them: compiling
//! takes some ten microseconds and some ten kilobytes each.

use regex::{Regex, RegexBuilder, bytes};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// The most bytes of a compiled pattern that came from a suite.
const MAX_COMPILED: usize = 1 << 20;

/// Without a repetition that is counted, a pattern of so many bytes stays far below what a compiled one may have: the
/// largest of its items, `\w`, takes 3 bytes and becomes less than 20 KiB.
const SURELY_SMALL: usize = 120;

/// Why a pattern is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It breaks the grammar.
    #[error("{why} {}", where_in(.text, *.at))]
    Syntax {
        /// The pattern.
        text: String,
        /// What is wrong.
        why: String,
        /// The byte at which it is.
        at: usize,
    },
    /// It becomes too much.
    #[error("it becomes more than {} KiB when it is compiled", MAX_COMPILED >> 10)]
    Large,
}

fn where_in(text: &str, at: usize) -> String {
    let character = text.get(..at).unwrap_or_default().chars().count() + 1;
    match text.get(at..).filter(|rest| !rest.is_empty()) {
        Some(rest) => {
            let rest: String = rest.chars().take(40).collect();
            format!("at character {character}, `{}`", rest.escape_debug().to_string().replace("\\\\", "\\"))
        }
        None => "at its end".to_owned(),
    }
}

fn check(text: &str, utf8: bool) -> Result<(), PatternError> {
    use regex_syntax::{Error, ParserBuilder};
    let (why, at) = match ParserBuilder::new().utf8(utf8).build().parse(text) {
        Ok(_) => return Ok(()),
        Err(Error::Parse(error)) => (error.kind().to_string(), error.span().start.offset),
        Err(Error::Translate(error)) => (error.kind().to_string(), error.span().start.offset),
        Err(error) => (error.to_string(), 0),
    };
    Err(PatternError::Syntax { text: text.to_owned(), why, at })
}

fn is_surely_small(text: &str) -> bool {
    text.len() <= SURELY_SMALL && !text.contains('{')
}

macro_rules! pattern {
    ($(#[$attribute:meta])* $name:ident, $regex:ty, $builder:ty, $haystack:ty, $utf8:literal) => {
        $(#[$attribute])*
        #[derive(Debug, Clone)]
        pub struct $name(Arc<(String, OnceLock<Option<$regex>>)>);

        impl $name {
            /// Looks at a pattern, and compiles it now only where it may be too large.
            ///
            /// # Errors
            /// What is wrong with it, and where in it.
            pub fn new(text: &str) -> Result<Self, PatternError> {
                check(text, $utf8)?;
                let regex = OnceLock::new();
                if !is_surely_small(text) {
                    let compiled = <$builder>::new(text).size_limit(MAX_COMPILED).build();
                    let _ = regex.set(Some(compiled.map_err(|_| PatternError::Large)?));
                }
                Ok(Self(Arc::new((text.to_owned(), regex))))
            }

            fn regex(&self) -> Option<&$regex> {
                self.0.1.get_or_init(|| <$regex>::new(&self.0.0).ok()).as_ref()
            }

            /// The pattern as it was written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0.0
            }

            /// Whether it matches somewhere.
            #[must_use]
            pub fn is_match(&self, text: &$haystack) -> bool {
                self.regex().is_some_and(|regex| regex.is_match(text))
            }

            /// Where it matches first.
            #[must_use]
            pub fn find(&self, text: &$haystack) -> Option<Range<usize>> {
                self.regex()?.find(text).map(|found| found.range())
            }
        }

        impl From<$regex> for $name {
            fn from(regex: $regex) -> Self {
                Self(Arc::new((regex.as_str().to_owned(), OnceLock::from(Some(regex)))))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pattern! {
    /// A pattern for text.
    Pattern, Regex, RegexBuilder, str, true
}

pattern! {
    /// A pattern for bytes, as files have them.
    BytePattern, bytes::Regex, bytes::RegexBuilder, [u8], false
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("a(b", "unclosed group at character 2, `(b`")]
    #[case("[z-a]", "invalid character class range")]
    #[case("é*+**(", "at character 6, `(`")]
    #[case(r"\pX", r"at character 1, `\pX`")]
    #[case("a{5,2}", "at character 2")]
    #[case("(?=a)", "look-around")]
    #[case("(a{1000}){1000}", "more than 1024 KiB")]
    #[case(r"\w{200}", "more than 1024 KiB")]
    fn a_bad_pattern_says_where(#[case] text: &str, #[case] why: &str) {
        let error = Pattern::new(text).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn bytes_that_are_no_text_are_for_files_only() {
        assert!(Pattern::new(r"(?-u)\xff").is_err());
        assert_eq!(BytePattern::new(r"(?-u)\xff").unwrap().find(b"ab\xff"), Some(2..3));
    }

    /// What is compiled late must not fail then.
    #[rstest]
    #[case(r"\w".repeat(SURELY_SMALL / 2))]
    #[case("(?i)".to_owned() + &r"\W".repeat(58))]
    #[case("[^a]".repeat(SURELY_SMALL / 4))]
    #[case(r"(?i)(\w+|\d*)?".repeat(8))]
    fn what_is_surely_small_compiles(#[case] text: String) {
        assert!(is_surely_small(&text), "{}", text.len());
        assert!(Pattern::new(&text).unwrap().regex().is_some());
        assert!(BytePattern::new(&text).unwrap().regex().is_some());
    }

    #[test]
    fn a_pattern_matches_anywhere() {
        let pattern = Pattern::new(r"^v\d+$").unwrap();
        assert!(pattern.is_match("v12") && !pattern.is_match("v12\n"));
        assert_eq!(Pattern::from(Regex::new("b").unwrap()).find("abc"), Some(1..2));
        assert_eq!(pattern.to_string(), r"^v\d+$");
    }
}
