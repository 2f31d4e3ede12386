//! `mpcheck report`: what is done with the JSON reports of earlier runs.

use super::arguments::{Color, ResultArguments};
use super::check::not_of_a_host;
use super::failure::Failure;
use super::output::{self, ReportFile};
use clap::Subcommand;
use mpcheck_reports::{self as reports, MergeError, Report, Tool, from_json, merge};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The most bytes of one report.
const MAX_REPORT: u64 = 1 << 30;

/// What can be done.
#[derive(Debug, Subcommand)]
pub(super) enum ReportCommand {
    /// Make one report of those of several machines, such as the shards of a suite; its verdict is that of all
    #[command(arg_required_else_help = true, after_help = AFTER_MERGE)]
    Merge {
        /// JSON reports, as --report json=FILE writes them
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,

        #[command(flatten)]
        result: ResultArguments,

        /// Show everything
        #[arg(long, short)]
        verbose: bool,
    },
}

const AFTER_MERGE: &str = "\
A trial or check that is in several reports counts once, with the worst that came of it; what one machine skipped and \
another did is done. Reports of different images under one name are refused.

Examples:
  mpcheck report merge part-*.json --report junit=junit.xml
  mpcheck report merge amd64.json arm64.json --format json > all.json

Exit codes: those of the run as a whole: 0 passed; 1 findings; 2 wrong usage; 3 something could not be decided; 4 nothing \
was checked.";

/// Does it.
pub(super) fn run(command: &ReportCommand, color: Color) -> Result<u8, Failure> {
    let ReportCommand::Merge { files, result, verbose } = command;
    not_of_a_host(result)?;
    let outputs = result.report.iter().map(|(format, path)| ReportFile::prepare(*format, path));
    let outputs = outputs.collect::<Result<Vec<_>, _>>()?;
    let read = files.iter().map(|file| Ok((file.display().to_string(), read(file)?)));
    let tool = Tool { name: "mpcheck".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let merged = merge(read.collect::<Result<Vec<_>, _>>()?, tool, result.fail_on).map_err(|error| refused(&error))?;
    for output in outputs {
        output.write(&merged, result.fail_on, *verbose)?;
    }
    output::to_stdout(&merged, result, *verbose, color)?;
    Ok(reports::exit_code(&merged, result.fail_on))
}

fn refused(error: &MergeError) -> Failure {
    let message = format!("the reports cannot be made one: {error}");
    match error {
        MergeError::MissingShards { .. } => Failure::unexamined(message)
            .hint("look at the job of that shard, which left no report, and run it again; each shard writes one"),
        MergeError::OtherShards(..) => Failure::usage(message).hint("merge the shards of one run"),
        MergeError::AnotherImage { .. } => {
            Failure::usage(message).hint("name images by digest, so that no tag can move between the machines")
        }
        MergeError::TwoHosts(..) => {
            Failure::usage(message).hint("merge reports of images, or of suites; keep hosts apart")
        }
        MergeError::Nothing => Failure::usage(message).hint("name JSON reports"),
    }
}

fn read(file: &Path) -> Result<Report, Failure> {
    let wrong = |why: String| {
        Failure::usage(format!("{} is no report: {why}", file.display()))
            .hint("name files that `--report json=FILE` wrote")
    };
    let opened = std::fs::File::open(file).map_err(|error| wrong(error.to_string()))?;
    let mut text = String::new();
    let read = opened.take(MAX_REPORT + 1).read_to_string(&mut text).map_err(|error| wrong(error.to_string()))?;
    if read as u64 > MAX_REPORT {
        return Err(wrong(format!("it has more than {} MiB", MAX_REPORT >> 20)));
    }
    from_json(&text).map_err(|error| wrong(error.to_string()))
}
