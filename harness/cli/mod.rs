//! The command line: arguments in, results on standard output, everything else on standard error.

mod arguments;
mod check;
mod console;
mod failure;
mod output;
mod progress;

use arguments::{Command, CommandLine};
use clap::{CommandFactory as _, Parser as _};
use failure::Failure;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the program with the arguments of a process, the program's name first.
///
/// The exit code is the contract's: 0 passed, 1 findings, 2 usage, 3 could not be
/// examined, 4 nothing was checked.
pub fn run<I: IntoIterator<Item = OsString>>(arguments: I) -> ExitCode {
    let command_line = match CommandLine::try_parse_from(arguments) {
        Ok(command_line) => command_line,
        Err(error) => {
            // Help and version are no errors, and clap knows where each belongs.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let color = command_line.color;
    let result = match command_line.command {
        None => check::run(&command_line.check, color),
        Some(Command::Check(check)) => check::run(&check, color),
        Some(Command::Explain { rule }) => explain(&rule),
        Some(Command::Rules) => console::print(&crate::check::rule::list()),
        Some(Command::Schema { what: arguments::Schema::Report }) => console::print(&mpcheck_reports::report_schema()),
        Some(Command::Completions { shell }) => completions(shell),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            console::complain(&failure, color);
            ExitCode::from(failure.exit_code())
        }
    }
}

fn explain(name: &str) -> Result<u8, Failure> {
    let rule = crate::check::rule::find(name).map_err(|e| Failure::usage(e.to_string()))?;
    console::print(&rule.page())
}

fn completions(shell: clap_complete::Shell) -> Result<u8, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), "mpcheck", &mut text);
    console::print(&String::from_utf8_lossy(&text))
}
