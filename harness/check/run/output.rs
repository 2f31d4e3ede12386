//! What commands wrote, as far as it is looked at and shown.

use crate::run::{Ended, Output};
use std::borrow::Cow;

/// How many bytes of an output are shown in a finding.
const SHOWN_BYTES: usize = 400;

/// How many characters of a command line are shown.
const SHOWN_COMMAND: usize = 200;

/// An output as text. Where qemu ran it, without what qemu itself warns of.
pub(super) fn text(output: &Output, emulated: bool) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(&output.bytes);
    if emulated { without_warnings_of_qemu(text) } else { text }
}

/// A text without what qemu itself warns of.
pub(crate) fn without_warnings_of_qemu(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.lines().any(is_warning_of_qemu) {
        return text;
    }
    Cow::Owned(text.split_inclusive('\n').filter(|line| !is_warning_of_qemu(line)).collect())
}

/// `qemu-x86_64-static: warning: TCG doesn't support requested feature: ...`: what a CPU model has and qemu has not.
/// The program's name is that of the file (`error_report` in qemu's `util/error-report.c`).
fn is_warning_of_qemu(line: &str) -> bool {
    let is_name = |name: &str| name.starts_with("qemu-") && name.len() < 80 && !name.contains([' ', '/']);
    line.split_once(": warning: ").is_some_and(|(name, _)| is_name(name))
}

/// Whether not all of it was kept.
pub(crate) fn is_cut(output: &Output) -> bool {
    output.total > output.bytes.len() as u64
}

/// The end of what a command said: of its errors, else of its output.
pub(super) fn tail(ended: &Ended, emulated: bool) -> String {
    let errors = text(&ended.stderr, emulated);
    if errors.trim().is_empty() { excerpt(&ended.stdout, false) } else { shown_end(&errors) }
}

/// The end of an output.
pub(super) fn excerpt(output: &Output, emulated: bool) -> String {
    let text = text(output, emulated);
    if text.is_empty() { "no output".to_owned() } else { shown_end(&text) }
}

/// A part of an output, and a little of what stands before it.
pub(super) fn around(text: &str, part: std::ops::Range<usize>) -> String {
    const BEFORE: usize = 80;
    let mut from = part.start.saturating_sub(BEFORE);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let mut until = part.end.min(part.start + SHOWN_BYTES);
    while !text.is_char_boundary(until) {
        until -= 1;
    }
    let (before, after) = (if from > 0 { "…" } else { "" }, if until < text.len() { "…" } else { "" });
    format!("{before}{}{after}", escaped(text.get(from..until).unwrap_or_default().trim()))
}

/// The end of a text, escaped.
pub(crate) fn shown_end(text: &str) -> String {
    let mut from = text.len().saturating_sub(SHOWN_BYTES);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let dots = if from > 0 { "…" } else { "" };
    format!("{dots}{}", escaped(text.get(from..).unwrap_or_default().trim()))
}

/// A command line for a message.
pub(crate) fn shown(words: &[String]) -> String {
    let quoted = shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "));
    match quoted.char_indices().nth(SHOWN_COMMAND) {
        Some((end, _)) => format!("{}…", escaped(quoted.get(..end).unwrap_or_default())),
        None => escaped(&quoted),
    }
}

/// Without control characters; quotes stay as they are.
pub(crate) fn escaped(text: &str) -> String {
    text.escape_debug().to_string().replace("\\'", "'").replace("\\\"", "\"")
}
