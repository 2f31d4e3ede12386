//! The page that the report is written on: cleaning, colours, wrapping, shortening.

use anstyle::{AnsiColor, Color, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::TextOptions;
use super::escape::escape;

/// The narrowest page that is still laid out; a narrower terminal breaks the lines itself.
const NARROWEST: usize = 40;

/// How many characters one string of the report may have in the text. An image
/// can hold megabytes in one label, and the JSON form has it in full.
const LONGEST: usize = 4000;

/// What a piece of text is, and so its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Error,
    Warning,
    Note,
    Good,
    /// Arrows and bars around a finding.
    Frame,
    Strong,
    Faint,
    Plain,
}

impl Ink {
    fn style(self) -> Style {
        let bold = |color: AnsiColor| Style::new().bold().fg_color(Some(Color::Ansi(color)));
        match self {
            Self::Error => bold(AnsiColor::Red),
            Self::Warning => bold(AnsiColor::Yellow),
            Self::Note => bold(AnsiColor::Cyan),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Frame => bold(AnsiColor::Blue),
            Self::Strong => Style::new().bold(),
            Self::Faint => Style::new().dimmed(),
            Self::Plain => Style::new(),
        }
    }
}

/// The text as it grows.
#[derive(Debug)]
pub(super) struct Page {
    options: TextOptions,
    out: String,
}

impl Page {
    pub(super) fn new(options: TextOptions) -> Self {
        Self { options, out: String::new() }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    pub(super) fn options(&self) -> &TextOptions {
        &self.options
    }

    /// A string of the report, fit to be shown.
    pub(super) fn clean(&self, text: &str) -> String {
        // Cut before escaping: at most LONGEST characters are ever looked at.
        match text.char_indices().nth(LONGEST) {
            None => escape(text, !self.options.unicode).into_owned(),
            Some((end, _)) => {
                let head = text.get(..end).unwrap_or_default();
                format!("{}{}", escape(head, !self.options.unicode), self.ellipsis())
            }
        }
    }

    /// The first digits of a digest; all of them with `--verbose`.
    pub(super) fn digest(&self, digest: &str) -> String {
        let short = match digest.split_once(':') {
            Some((algorithm, hex)) if !self.options.verbose => {
                format!("{algorithm}:{}", hex.chars().take(12).collect::<String>())
            }
            _ => digest.to_owned(),
        };
        self.clean(&short)
    }

    pub(super) fn paint(&self, ink: Ink, text: &str) -> String {
        if self.options.color && ink != Ink::Plain && !text.is_empty() {
            let style = ink.style();
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    /// One line, as it is.
    pub(super) fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    /// An empty line, but never two, and none at the top.
    pub(super) fn blank(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// A label and its text; the lines after the first begin `indent` columns in.
    pub(super) fn paragraph(&mut self, label: &[(Ink, &str)], indent: usize, ink: Ink, text: &str) {
        let mut line: String = label.iter().map(|(ink, text)| self.paint(*ink, text)).collect();
        let used = label.iter().map(|(_, text)| text.width()).sum();
        for (number, part) in wrap(text, used, indent, self.columns()).iter().enumerate() {
            if number > 0 {
                self.line(&line);
                line = " ".repeat(indent);
            }
            line.push_str(&self.paint(ink, part));
        }
        self.line(&line);
    }

    /// The text, cut to what is left of a line of which `used` columns are taken. Whole with `--verbose`.
    pub(super) fn rest_of_line(&self, used: usize, text: &str) -> String {
        match self.columns() {
            Some(columns) if !self.options.verbose => shorten(text, columns.saturating_sub(used), self.ellipsis()),
            _ => text.to_owned(),
        }
    }

    /// How wide the page is; `None` for a page without an edge.
    pub(super) fn columns(&self) -> Option<usize> {
        (self.options.width > 0).then(|| usize::from(self.options.width).max(NARROWEST))
    }

    fn ellipsis(&self) -> &'static str {
        if self.options.unicode { "…" } else { "..." }
    }
}

/// Breaks a text at spaces, so that no line is wider than `columns` where that
/// can be had: a word, and what stands between backticks, stays whole.
fn wrap(text: &str, used: usize, indent: usize, columns: Option<usize>) -> Vec<String> {
    let Some(columns) = columns else { return vec![text.to_owned()] };
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut filled = used;
    for (number, word) in words(text).into_iter().enumerate() {
        let width = word.width();
        if number > 0 && filled + 1 + width > columns {
            lines.push(std::mem::take(&mut line));
            filled = indent;
        } else if number > 0 {
            line.push(' ');
            filled += 1;
        }
        line.push_str(word);
        filled += width;
    }
    lines.push(line);
    lines
}

/// The text cut at its spaces, those between a pair of backticks excepted.
fn words(text: &str) -> Vec<&str> {
    let mut quoted = false;
    // A lone backtick quotes nothing: it would glue the rest together.
    let mut ticks = text.matches('`').count();
    text.split(|c: char| {
        if c == '`' {
            quoted = !quoted && ticks > 1;
            ticks -= 1;
        }
        c == ' ' && !quoted
    })
    .collect()
}

/// The beginning of a text, at most `columns` wide, with an ellipsis where something is missing.
fn shorten(text: &str, columns: usize, ellipsis: &str) -> String {
    // Marks that take no column are cut too: any number of them would fit.
    if text.width() <= columns && text.chars().count() <= columns.saturating_mul(4) {
        return text.to_owned();
    }
    let room = columns.saturating_sub(ellipsis.width());
    let mut filled = 0;
    let mut out = String::new();
    for c in text.chars().take(room.saturating_mul(4)) {
        filled += c.width().unwrap_or(0);
        if filled > room {
            break;
        }
        out.push(c);
    }
    out.truncate(out.trim_end().len());
    out.push_str(ellipsis);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("short", 10, "short")]
    #[case("exactly ten", 11, "exactly ten")]
    #[case("one more than fits", 10, "one more…")]
    #[case::wide("文件文件文件", 7, "文件文…")]
    #[case::wide_that_would_straddle("文件文件文件", 6, "文件…")]
    #[case::no_room("abc", 0, "…")]
    fn shortening_counts_columns(#[case] text: &str, #[case] columns: usize, #[case] wanted: &str) {
        assert_eq!(shorten(text, columns, "…"), wanted);
    }

    #[test]
    fn marks_without_a_width_do_not_escape_the_limit() {
        let zalgo = format!("a{}", "\u{301}".repeat(10_000));
        assert!(shorten(&zalgo, 20, "…").chars().count() <= 81);
    }

    #[rstest]
    #[case("a bb ccc", None, &["a bb ccc"])]
    #[case("aaaa bbbb cccc dddd", Some(16), &["aaaa", "bbbb cccc", "dddd"])]
    #[case::a_long_word_stays_whole("a /very/long/path/name b", Some(12), &["a", "/very/long/path/name", "b"])]
    #[case::quoted("run `a b c d e f` now", Some(16), &["run", "`a b c d e f`", "now"])]
    #[case::lone_backtick("a ` b c d", Some(13), &["a `", "b c d"])]
    #[case::spaces_are_kept("a  b", Some(40), &["a  b"])]
    #[case::empty("", Some(40), &[""])]
    fn wrapping_breaks_at_spaces_only(#[case] text: &str, #[case] columns: Option<usize>, #[case] wanted: &[&str]) {
        assert_eq!(wrap(text, 10, 4, columns), wanted);
    }
}
