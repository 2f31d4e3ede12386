//! The program `mpcheck`: see `mpcheck --help`, and `harness/README.md` for the code.

use std::process::ExitCode;

fn main() -> ExitCode {
    mpcheck::cli::run(std::env::args_os())
}
