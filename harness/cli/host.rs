//! `mpcheck host`: is this machine ready?

use super::arguments::{Color, HostArguments};
use super::check::{milliseconds, required};
use super::failure::Failure;
use super::output::{self, ReportFile};
use crate::check::host::{CheckedHost, host};
use crate::host;
use crate::image::cache::Cache;
use crate::image::source::{EngineOptions, SourceOptions};
use crate::run::cleanup;
use mpcheck_reports::{self as reports, Report, Tool, Verdict};
use std::time::{Instant, SystemTime};

/// Looks at the host, prints what it is and gives the exit code.
pub(super) fn run(arguments: &HostArguments, color: Color) -> Result<u8, Failure> {
    let (started, begun) = (SystemTime::now(), Instant::now());
    let required = required(&arguments.require, "name the platforms that must run here")?;
    let files = arguments.result.report.iter().map(|(format, path)| ReportFile::prepare(*format, path));
    let files = files.collect::<Result<Vec<_>, _>>()?;
    cleanup::on_signal().map_err(|error| Failure::unexamined(format!("signals cannot be caught: {error}")))?;
    let facts = {
        let cache = Cache::user_directory(|name| std::env::var_os(name).map(Into::into));
        let mut temporary = None;
        let sandbox = super::run::sandbox(cache, false, &mut temporary);
        let variable = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        host::gather(sandbox.as_ref(), &engine(arguments), &variable)
    };
    let CheckedHost { machine, findings } = host(&facts, &required);
    let mut report = Report {
        schema: reports::SCHEMA.to_owned(),
        tool: Tool { name: "mpcheck".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        started: humantime::format_rfc3339_millis(started).to_string(),
        duration_ms: milliseconds(begun.elapsed()),
        verdict: Verdict::Error,
        images: Vec::new(),
        host: Some(machine),
        findings,
        timings: Vec::new(),
    };
    report.verdict = reports::verdict(&report, arguments.result.fail_on);
    report.sort();
    for file in files {
        file.write(&report, arguments.verbose)?;
    }
    output::to_stdout(&report, arguments.result.format, arguments.verbose, color)?;
    Ok(reports::exit_code(&report, arguments.result.fail_on))
}

fn engine(arguments: &HostArguments) -> EngineOptions {
    let sources = SourceOptions::default();
    EngineOptions { host: arguments.host.clone(), environment: sources.environment, temporary: sources.temporary }
}
