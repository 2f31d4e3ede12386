//! Scripts: files that start with `#!`.
//!
//! Source: Linux, `fs/binfmt_script.c`: the line ends at the first newline (or
//! after 254 bytes), blanks around the interpreter are dropped, the rest of the
//! line is one argument.

use serde::{Deserialize, Serialize};

/// How much of the first line the kernel looks at, in bytes (`BINPRM_BUF_SIZE`).
const LINE_BYTES: usize = 256;

/// What is known of a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// The interpreter's path, as bytes; empty where the line names none.
    pub interpreter: Vec<u8>,
    /// The rest of the line, untouched: one argument, as the kernel passes it.
    pub argument: Option<Vec<u8>>,
}

/// Reads the first line of a file that starts with `#!`.
pub(super) fn parse(head: &[u8]) -> Script {
    let line = head.get(2..head.len().min(LINE_BYTES)).unwrap_or_default();
    let line = line.split(|&b| b == b'\n').next().unwrap_or_default();
    let blank = |b: &u8| *b == b' ' || *b == b'\t';
    let start = line.iter().position(|b| !blank(b)).unwrap_or(line.len());
    let line = line.get(start..).unwrap_or_default();
    let end = line.iter().position(|b| blank(b) || *b == 0).unwrap_or(line.len());
    let (interpreter, rest) = line.split_at(end);
    let argument = rest.iter().position(|b| !blank(b)).and_then(|at| rest.get(at..)).map(|rest| {
        let end = rest.iter().rposition(|b| !blank(b)).map_or(0, |last| last + 1);
        rest.get(..end).unwrap_or_default().to_vec()
    });
    Script { interpreter: interpreter.to_vec(), argument }
}

impl Script {
    /// The program that `env` is asked to find in PATH, where the interpreter is `env`.
    ///
    /// `env` takes options and `NAME=VALUE` words before the program; `-S` splits
    /// the kernel's one argument into words (GNU coreutils, FreeBSD).
    #[must_use]
    pub fn program_of_env(&self) -> Option<&[u8]> {
        if !self.interpreter.ends_with(b"/env") {
            return None;
        }
        let words = self.argument.as_deref()?.split(|b| matches!(b, b' ' | b'\t')).filter(|word| !word.is_empty());
        let words = words.map(|word| word.strip_prefix(b"-S").unwrap_or(word)).filter(|word| !word.is_empty());
        words.into_iter().find(|word| !word.starts_with(b"-") && !word.contains(&b'='))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain("#!/bin/sh\necho", "/bin/sh", None)]
    #[case::blank_before("#! /bin/sh\n", "/bin/sh", None)]
    #[case::argument("#!/usr/bin/env python3\n", "/usr/bin/env", Some("python3"))]
    #[case::one_argument("#!/usr/bin/awk -f  -v x \n", "/usr/bin/awk", Some("-f  -v x"))]
    #[case::no_newline("#!/bin/sh", "/bin/sh", None)]
    #[case::carriage_return("#!/bin/sh\r\n", "/bin/sh\r", None)]
    #[case::nothing("#!\n", "", None)]
    #[case::only_magic("#!", "", None)]
    fn first_lines_are_read_as_the_kernel_does(
        #[case] text: &str,
        #[case] interpreter: &str,
        #[case] argument: Option<&str>,
    ) {
        let script = parse(text.as_bytes());
        assert_eq!(script.interpreter, interpreter.as_bytes());
        assert_eq!(script.argument.as_deref(), argument.map(str::as_bytes));
    }

    #[test]
    fn a_line_without_end_is_cut_where_the_kernel_cuts_it() {
        let text = format!("#!/{}", "a".repeat(5000));
        assert_eq!(parse(text.as_bytes()).interpreter.len(), LINE_BYTES - 2);
    }

    #[rstest]
    #[case("#!/usr/bin/env python3\n", Some("python3"))]
    #[case("#!/usr/bin/env -S deno run --allow-net\n", Some("deno"))]
    #[case("#!/usr/bin/env -Snode --flag\n", Some("node"))]
    #[case("#!/usr/bin/env -S A=1 perl\n", Some("perl"))]
    #[case("#!/bin/sh -e\n", None)]
    #[case("#!/usr/bin/env\n", None)]
    fn env_names_its_program(#[case] text: &str, #[case] program: Option<&str>) {
        assert_eq!(parse(text.as_bytes()).program_of_env(), program.map(str::as_bytes));
    }
}
