//! `mpcheck host`: is this machine ready?

use super::arguments::{Color, Format, HostArguments};
use super::check::{milliseconds, required};
use super::console;
use super::failure::Failure;
use super::output::{self, ReportFile};
use crate::check::host::{CheckedHost, host};
use crate::host::{self, Repeat};
use crate::image::cache::Cache;
use crate::image::source::{EngineOptions, SourceOptions};
use crate::run::cleanup;
use mpcheck_reports::{self as reports, Report, Tool, Verdict};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::{Instant, SystemTime};

/// Looks at the host, prints what it is and gives the exit code.
pub(super) fn run(arguments: &HostArguments, color: Color) -> Result<u8, Failure> {
    if let Some(command) = &arguments.command {
        return super::install::run(command, color);
    }
    let (started, begun) = (SystemTime::now(), Instant::now());
    let required = required(&arguments.require, "name the platforms that must run here")?;
    let earlier = earlier(arguments, color)?;
    let files = arguments.result.report.iter().map(|(format, path)| ReportFile::prepare(*format, path));
    let files = files.collect::<Result<Vec<_>, _>>()?;
    cleanup::on_signal().map_err(|error| Failure::unexamined(format!("signals cannot be caught: {error}")))?;
    let facts = {
        let cache = Cache::user_directory(|name| std::env::var_os(name).map(Into::into)).map(Cache::new);
        let mut temporary = None;
        let sandbox = crate::run::set::sandbox(cache.as_ref(), false, &mut temporary);
        let variable = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        let repeat = Repeat { times: arguments.repeat, interval: arguments.interval };
        host::gather(sandbox.as_ref(), &engine(arguments), repeat, &variable)
    };
    let CheckedHost { machine, findings } = host(&facts, &required, earlier.as_ref());
    let mut report = Report {
        schema: reports::SCHEMA.to_owned(),
        tool: Tool { name: "mpcheck".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        started: humantime::format_rfc3339_millis(started).to_string(),
        duration_ms: milliseconds(begun.elapsed()),
        verdict: Verdict::Error,
        images: Vec::new(),
        host: Some(machine),
        findings,
        steps: Vec::new(),
        trials: Vec::new(),
        shard: None,
        timings: Vec::new(),
    };
    report.verdict = reports::verdict(&report, arguments.result.fail_on);
    report.sort();
    for file in files {
        file.write(&report, arguments.result.fail_on, arguments.verbose)?;
    }
    output::to_stdout(&report, &arguments.result, arguments.verbose, color)?;
    Ok(reports::exit_code(&report, arguments.result.fail_on))
}

/// The most bytes of an earlier report: one of a host has some ten thousand.
const MAX_BASELINE: u64 = 64 << 20;

/// The report to compare with. It may be the file that this run writes, which is not there the first time.
fn earlier(arguments: &HostArguments, color: Color) -> Result<Option<Report>, Failure> {
    let Some(path) = &arguments.baseline else { return Ok(None) };
    let cannot = |why: String| Failure::usage(format!("--baseline: {} {why}", path.display()));
    let mut text = String::new();
    match File::open(path).and_then(|file| file.take(MAX_BASELINE).read_to_string(&mut text)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_written(arguments, path) => {
            console::warn(
                &format!("{} is not there yet: this is the first report, and nothing is compared", path.display()),
                color,
            );
            return Ok(None);
        }
        Err(error) => {
            let hint = "write one with `mpcheck host --report json=FILE`; where --baseline and --report name the same file, it \
                        may be missing the first time";
            return Err(cannot(format!("cannot be read: {error}")).hint(hint));
        }
    }
    let read = reports::from_json(&text).map_err(|error| format!("is no report: {error}"));
    let read = read.and_then(|report| match report.host {
        Some(_) => Ok(report),
        None => Err("is a report of images, and not of a host".to_owned()),
    });
    match read {
        Ok(report) => Ok(Some(report)),
        // A power loss in the night before is no reason to check nothing from then on.
        Err(why) if is_written(arguments, path) => {
            let text = format!("{} {why}: nothing is compared, and it is written again", path.display());
            console::warn(&text, color);
            Ok(None)
        }
        Err(why) => Err(cannot(why).hint("`mpcheck host --report json=FILE` writes one")),
    }
}

/// Whether this run writes that file as JSON.
fn is_written(arguments: &HostArguments, path: &Path) -> bool {
    arguments.result.report.iter().any(|(format, written)| *format == Format::Json && written == path)
}

fn engine(arguments: &HostArguments) -> EngineOptions {
    SourceOptions { engine: arguments.host.clone(), ..SourceOptions::default() }.for_engine()
}
