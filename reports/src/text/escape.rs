//! Makes text from an image harmless on a terminal.
//!
//! A file name, a label or a Dockerfile instruction is whatever its author
//! wanted. Shown raw it can move the cursor, recolour the screen, answer for
//! the terminal, start a second line that looks like one of ours, or reorder
//! what stands beside it.

use std::borrow::Cow;
use std::fmt::Write;

/// The text with every character that a terminal would act upon, or would not
/// show, written as `\n`, `\x1b` or `\u{202e}`. With `ascii`, so is everything
/// beyond ASCII: on a terminal that is not UTF-8 its bytes may be controls.
///
/// A backslash stays as it is: paths come with `\xNN` for bytes that are not UTF-8.
pub(super) fn escape(text: &str, ascii: bool) -> Cow<'_, str> {
    let acts = |c: char| c.is_control() || is_invisible(c) || (ascii && !c.is_ascii());
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if !acts(c) => out.push(c),
            // Writing to a String cannot fail.
            c if c.is_ascii() => drop(write!(out, "\\x{:02x}", u32::from(c))),
            c => drop(write!(out, "\\u{{{:x}}}", u32::from(c))),
        }
    }
    Cow::Owned(out)
}

/// Characters that are not controls and yet are not seen: Unicode's general
/// categories Cf (format: the bidirectional embeddings, overrides and isolates,
/// zero-width characters, tags), Zl and Zp (line and paragraph separator), and
/// the letters that are blank.
/// <https://www.unicode.org/Public/16.0.0/ucd/extracted/DerivedGeneralCategory.txt>
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
        | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{110bd}'
        | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain("/usr/bin/app", "/usr/bin/app")]
    #[case::spaces("/a b", "/a b")]
    #[case::other_scripts("/größe/文件/файл/🙂", "/größe/文件/файл/🙂")]
    #[case::already_escaped(r"/caf\xe9", r"/caf\xe9")]
    #[case::colour("/a\u{1b}[31mb", r"/a\x1b[31mb")]
    #[case::title("\u{1b}]0;pwned\u{7}", r"\x1b]0;pwned\x07")]
    #[case::c1_csi("a\u{9b}31mb", r"a\u{9b}31mb")]
    #[case::newline("a\nok: all passed", r"a\nok: all passed")]
    #[case::carriage_return("a\rb", r"a\rb")]
    #[case::tab("a\tb", r"a\tb")]
    #[case::nul_and_delete("\0\u{7f}", r"\x00\x7f")]
    #[case::bidi_override("gpj\u{202e}exe", r"gpj\u{202e}exe")]
    #[case::bidi_isolate("\u{2066}a\u{2069}", r"\u{2066}a\u{2069}")]
    #[case::zero_width("a\u{200b}b\u{feff}", r"a\u{200b}b\u{feff}")]
    #[case::line_separator("a\u{2028}b", r"a\u{2028}b")]
    #[case::tag("a\u{e0041}", r"a\u{e0041}")]
    fn unseen_characters_are_written_out(#[case] text: &str, #[case] wanted: &str) {
        assert_eq!(escape(text, false), wanted);
    }

    #[rstest]
    #[case("/größe", r"/gr\u{f6}\u{df}e")]
    #[case("a\nb", r"a\nb")]
    fn ascii_only_writes_out_the_rest_too(#[case] text: &str, #[case] wanted: &str) {
        assert_eq!(escape(text, true), wanted);
    }

    #[test]
    fn nothing_that_is_left_is_a_control_and_harmless_text_is_not_copied() {
        let all: String = (0..=0x10_ffff).filter_map(char::from_u32).collect();
        assert!(!escape(&all, false).chars().any(|c| c.is_control() || is_invisible(c)));
        assert!(escape(&all, true).is_ascii());
        assert!(matches!(escape("/usr/bin/app", true), Cow::Borrowed(_)));
    }
}
