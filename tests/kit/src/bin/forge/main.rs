//! `mpcheck-forge`: writes forged images as OCI layouts.

mod demo;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use mpcheck_kit::incidents::{self, Case};
use mpcheck_kit::legitimate;

const USAGE: &str =
    "usage: mpcheck-forge demo DIR    the layouts DIR/good, DIR/broken and DIR/too-new, whose programs run
       mpcheck-forge all DIR     every image, each as a layout DIR/NAME
       mpcheck-forge list        their names, and the findings that each has to give
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["demo", directory] => demo::write(Path::new(directory)),
        ["all", directory] => all(Path::new(directory)),
        ["list"] => list(),
        _ => {
            let _ = io::stderr().write_all(USAGE.as_bytes());
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "mpcheck-forge: {error}");
            ExitCode::FAILURE
        }
    }
}

fn cases() -> Vec<Case> {
    legitimate::all().into_iter().chain(incidents::all()).collect()
}

fn all(directory: &Path) -> io::Result<()> {
    for case in cases() {
        case.forged.write_layout(&directory.join(case.name), Some("latest"))?;
        if let Some(baseline) = case.baseline {
            baseline.write_layout(&directory.join(format!("{}-baseline", case.name)), Some("latest"))?;
        }
    }
    Ok(())
}

fn list() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for case in cases() {
        writeln!(out, "{}", case.name)?;
        for found in &case.expected {
            writeln!(out, "    {} {} {}", found.rule, found.platform, found.path)?;
        }
    }
    Ok(())
}
