//! Standard output and standard error.

use super::arguments::Color;
use super::failure::Failure;
use std::io::{self, IsTerminal, Write};

/// Writes a result. A reader that went away (`| head`) is no failure.
pub(super) fn print(text: &str) -> Result<u8, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::unexamined(format!("standard output cannot be written: {e}")))
        }
        _ => Ok(0),
    }
}

/// Whether to colour what goes to a stream.
pub(super) fn wants_color(color: Color, is_terminal: bool) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        // <https://no-color.org>: set and not empty.
        Color::Auto => {
            is_terminal
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
                && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
        }
    }
}

/// Writes why the run ended, and what to do.
pub(super) fn complain(failure: &Failure, color: Color) {
    let mut err = io::stderr().lock();
    let (red, cyan, off) = if wants_color(color, io::stderr().is_terminal()) {
        ("\x1b[1;31m", "\x1b[1;36m", "\x1b[0m")
    } else {
        ("", "", "")
    };
    // Nobody is left to be told where standard error is closed.
    let _ = writeln!(err, "{red}error{off}: {failure}");
    if let Some(hint) = failure.next_step() {
        let _ = writeln!(err, " {cyan}hint{off}: {hint}");
    }
}

/// Writes something worth knowing that changes no result.
pub(super) fn warn(text: &str, color: Color) {
    let (yellow, off) =
        if wants_color(color, io::stderr().is_terminal()) { ("\x1b[1;33m", "\x1b[0m") } else { ("", "") };
    let _ = writeln!(io::stderr().lock(), "{yellow}warning{off}: {text}");
}

/// Says what is going on, where that takes a while.
pub(super) fn note(text: &str, color: Color) {
    let (cyan, off) = if wants_color(color, io::stderr().is_terminal()) { ("\x1b[1;36m", "\x1b[0m") } else { ("", "") };
    let _ = writeln!(io::stderr().lock(), "{cyan}note{off}: {text}");
}
