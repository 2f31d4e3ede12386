//! The command line: arguments in, results on standard output, everything else on standard error.

mod arguments;
mod build;
mod check;
mod console;
mod failure;
mod first_word;
mod host;
mod init;
mod install;

mod output;
mod progress;
mod quantity;
mod report;
mod run;
mod test;

use arguments::{Color, Command, CommandLine};
use clap::{CommandFactory as _, Parser as _};
use failure::Failure;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the program with the arguments of a process, the program's name first.
///
/// The exit code is the contract's: 0 passed, 1 findings, 2 usage, 3 could not be
/// examined, 4 nothing was checked.
pub fn run<I: IntoIterator<Item = OsString>>(arguments: I) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
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
        None => match first_word::mistaken(&command_line.check.images, std::path::Path::exists) {
            Some(failure) => Err(failure),
            None => check::run(&command_line.check, color),
        },
        Some(Command::Check(check)) => check::run(&check, color),
        Some(Command::Test(test)) => test::run(&test, color),
        Some(Command::Report { command }) => report::run(&command, color),
        Some(Command::Init(init)) => init::run(&init, color),
        Some(Command::Build(build)) => build::run(&build, color),
        Some(Command::Host(host)) => host::run(&host, color),
        Some(Command::Explain { rule }) => explain(&rule),
        Some(Command::Rules) => console::print(&crate::check::rule::list()),
        Some(Command::Schema { what: arguments::Schema::Suite }) => {
            console::print(&crate::suite::schema::suite_schema())
        }
        Some(Command::Schema { what: arguments::Schema::Report }) => console::print(&mpcheck_reports::report_schema()),
        Some(Command::Completions { shell }) => completions(shell),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) => ended(&failure, color),
    }
}

fn ended(failure: &Failure, color: Color) -> ExitCode {
    console::complain(failure, color);
    ExitCode::from(failure.exit_code())
}

fn explain(name: &str) -> Result<u8, Failure> {
    if let Some(list) = crate::check::rule::list_of(name) {
        return console::print(&list);
    }
    let rule = crate::check::rule::find(name).map_err(|e| Failure::usage(e.to_string()))?;
    console::print(&rule.page())
}

fn completions(shell: clap_complete::Shell) -> Result<u8, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), "mpcheck", &mut text);
    console::print(&String::from_utf8_lossy(&text))
}
