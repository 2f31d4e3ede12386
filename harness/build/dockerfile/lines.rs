//! Where an instruction begins and ends: directives, comments, continued lines, here-documents.

use super::instruction::{Heredoc, Instruction};
use super::words::{self, Quotes};
use super::{DockerfileError, MAX_LINE, Mistake, shortened};
use std::iter::Peekable;

/// The directives that BuildKit knows (`parser/directives.go`); after any other line there are none.
const DIRECTIVES: [&str; 3] = ["syntax", "escape", "check"];

/// The lines with their numbers, without their ends.
struct Lines<I: Iterator> {
    rest: Peekable<I>,
    number: usize,
}

impl<'a, I: Iterator<Item = &'a str>> Lines<I> {
    fn next(&mut self) -> Result<Option<&'a str>, DockerfileError> {
        let Some(line) = self.rest.next() else { return Ok(None) };
        self.number += 1;
        if line.len() > MAX_LINE {
            return Err(DockerfileError::at(self.number, Mistake::LongLine));
        }
        Ok(Some(line.trim_end_matches('\r')))
    }
}

/// The escape character and all instructions.
pub(super) fn instructions(text: &str) -> Result<(char, Vec<Instruction>), DockerfileError> {
    let escape = directives(text)?;
    let mut lines = Lines { rest: text.split('\n').peekable(), number: 0 };
    let mut instructions = Vec::new();
    while let Some(line) = lines.next()? {
        let first = lines.number;
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let text = continued(line, &mut lines, escape)?;
        if text.trim().is_empty() {
            continue;
        }
        let mut instruction = Instruction::new(first, lines.number, text);
        heredocs(&mut instruction, &mut lines)?;
        instruction.last = lines.number;
        instructions.push(instruction);
    }
    Ok((escape, instructions))
}

/// The escape character, as the directives at the top of the file say it.
fn directives(text: &str) -> Result<char, DockerfileError> {
    let mut seen: Vec<String> = Vec::new();
    let mut escape = '\\';
    for (number, line) in text.lines().enumerate() {
        let directive = line.trim_start().strip_prefix('#').and_then(|rest| rest.split_once('='));
        let Some((name, value)) = directive else { break };
        let (name, value) = (name.trim().to_lowercase(), value.trim());
        if !DIRECTIVES.contains(&name.as_str()) || value.is_empty() {
            break;
        }
        if seen.contains(&name) {
            return Err(DockerfileError::at(number + 1, Mistake::Repeated(name)));
        }
        if name == "escape" {
            escape = match value {
                "\\" => '\\',
                "`" => '`',
                other => return Err(DockerfileError::at(number + 1, Mistake::Escape(shortened(other, 20)))),
            };
        }
        seen.push(name);
    }
    Ok(escape)
}

/// The line with those that continue it. Comments and empty lines in between are left out.
fn continued<'a, I: Iterator<Item = &'a str>>(
    line: &str,
    lines: &mut Lines<I>,
    escape: char,
) -> Result<String, DockerfileError> {
    let (start, mut goes_on) = without_continuation(line, escape);
    let mut text = start.to_owned();
    while goes_on {
        let Some(line) = lines.next()? else { break };
        let start = line.trim_start();
        if start.is_empty() || start.starts_with('#') {
            continue;
        }
        let (line, more) = without_continuation(line, escape);
        text.push_str(line);
        goes_on = more;
    }
    Ok(text)
}

/// A line without the escape at its end, and whether there is one. A doubled one is no continuation.
fn without_continuation(line: &str, escape: char) -> (&str, bool) {
    match line.trim_end_matches([' ', '\t']).strip_suffix(escape) {
        Some(before) if !before.ends_with(escape) => (before, true),
        _ => (line, false),
    }
}

/// Reads the here-documents that the instruction announces.
fn heredocs<'a, I: Iterator<Item = &'a str>>(
    instruction: &mut Instruction,
    lines: &mut Lines<I>,
) -> Result<(), DockerfileError> {
    for (name, chomps) in announced(instruction) {
        let mut content = String::new();
        loop {
            let Some(line) = lines.next()? else {
                return Err(DockerfileError::at(instruction.first, Mistake::Heredoc(shortened(&name, 40))));
            };
            let bare = if chomps { line.trim_start_matches('\t') } else { line };
            if bare == name {
                break;
            }
            content.push_str(bare);
            content.push('\n');
        }
        instruction.heredocs.push(Heredoc { name, content });
    }
    Ok(())
}

/// The here-documents of an instruction: each one's word, and whether tabs are taken off (`<<-`).
fn announced(instruction: &Instruction) -> Vec<(String, bool)> {
    let inner = instruction.triggered();
    let may = ["ADD", "COPY", "RUN"].iter().any(|keyword| inner.is(keyword));
    if !may || !inner.arguments.contains("<<") || inner.json().is_some() {
        return Vec::new();
    }
    // Quotes that do not end: BuildKit looks for no here-document there.
    let Some(words) = words::split(&inner.arguments, '\\', Quotes::Kept) else { return Vec::new() };
    words.iter().filter_map(|word| announcement(word)).collect()
}

/// `<<EOF`, `<<-"EOF"`, `3<<EOF`.
fn announcement(word: &str) -> Option<(String, bool)> {
    let rest = word.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix("<<")?;
    let (rest, chomps) = rest.strip_prefix('-').map_or((rest, false), |rest| (rest, true));
    if rest.is_empty() || rest.contains('<') {
        return None;
    }
    let name = words::split(rest, '\\', Quotes::Removed)?.into_iter().next()?;
    (!name.is_empty()).then_some((name, chomps))
}
