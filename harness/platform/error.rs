//! Why a spelling is no platform.

/// How many characters of a spelling a message shows; the spelling may come from an image.
const SHOWN: usize = 80;

/// Why a spelling is no platform, or a value of `--platform` no selection.
///
/// Spellings in it are escaped and shortened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlatformError {
    /// Nothing was given.
    #[error("no platform is given: write os/architecture, for example linux/arm64")]
    Empty,
    /// More bytes than any platform has.
    #[error("`{spelling}` is no platform: it has {length} bytes, and {limit} are allowed")]
    TooLong {
        /// Its beginning.
        spelling: String,
        /// Its length.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// A `*`.
    #[error("`{0}` is no platform: there are no wildcards; list the platforms, or write `all`")]
    Wildcard(String),
    /// An operating system alone.
    #[error("`{spelling}` names no architecture: write for example {os}/amd64 (nothing is taken from this machine)")]
    NoArchitecture {
        /// What was given.
        spelling: String,
        /// The operating system in it.
        os: String,
    },
    /// One word that is neither an operating system nor an architecture.
    #[error("`{spelling}` is no known operating system or architecture: {advice}")]
    UnknownWord {
        /// What was given.
        spelling: String,
        /// What may have been meant.
        advice: String,
    },
    /// More than `os/architecture/variant`.
    #[error("`{0}` has too many parts: a platform is os/architecture or os/architecture/variant")]
    TooManyParts(String),
    /// Two slashes in a row, or one at an end.
    #[error("`{0}` has an empty part: a platform is os/architecture or os/architecture/variant")]
    EmptyPart(String),
    /// An operating system with characters that none has.
    #[error(
        "`{part}` in `{spelling}` is no operating system: letters, digits, `-` and `_`, then perhaps \
         (VERSION+FEATURE), for example windows(10.0.17763)"
    )]
    Os {
        /// The part.
        part: String,
        /// The whole.
        spelling: String,
    },
    /// An architecture or a variant with characters that none has, or far too long.
    #[error("`{part}` in `{spelling}` is no {what}: up to {limit} letters, digits, `-`, `_` and `.` are allowed")]
    Part {
        /// Which part: architecture or variant.
        what: &'static str,
        /// The part.
        part: String,
        /// The whole.
        spelling: String,
        /// How many characters one may have.
        limit: usize,
    },
    /// A version or feature of the operating system that cannot be read.
    #[error("`{option}` in `{spelling}` is no version or feature of an operating system")]
    OsOption {
        /// The version or feature.
        option: String,
        /// The whole.
        spelling: String,
    },
    /// The operating system's version given in two ways.
    #[error("`{0}` gives the operating system's version twice")]
    TwoOsVersions(String),
    /// A version or feature of an operating system that is not named.
    #[error("`{spelling}` has a version or feature, but no operating system: write os/architecture, as {example}")]
    OsOptionWithoutOs {
        /// What was given.
        spelling: String,
        /// How to write it.
        example: String,
    },
    /// `unknown` for an operating system or architecture, or none.
    #[error("`{spelling}` is no usable platform: its {what} is {problem}")]
    Unusable {
        /// Which part: operating system or architecture.
        what: &'static str,
        /// Missing or unknown.
        problem: &'static str,
        /// The whole.
        spelling: String,
    },
    /// `key=value` in a list, with a key that is not known or no platform before it.
    #[error("`{option}` in `{list}` is no platform: {advice}")]
    ListOption {
        /// The `key=value`.
        option: String,
        /// The whole list.
        list: String,
        /// What would be right.
        advice: &'static str,
    },
}

/// A spelling for a message: escaped and shortened.
pub(super) fn shown(text: &str) -> String {
    let mut start: String = text.chars().take(SHOWN).collect::<String>().escape_debug().to_string();
    if text.chars().nth(SHOWN).is_some() {
        start.push('…');
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("linux/amd64", "linux/amd64")]
    #[case("a\nb\u{1b}[31m", "a\\nb\\u{1b}[31m")]
    #[case("\u{202e}gnp", "\\u{202e}gnp")]
    fn hostile_text_is_escaped(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(shown(text), expected);
    }

    #[test]
    fn long_text_is_cut() {
        let cut = shown(&"é".repeat(5000));
        assert_eq!(cut.chars().count(), SHOWN + 1);
        assert!(cut.ends_with('…'));
    }
}
