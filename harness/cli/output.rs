//! The finished report, in the formats and places that were asked for.

use super::arguments::{Color, Format, ResultArguments};
use super::console;
use super::failure::Failure;
use mpcheck_reports::{FailOn, Report, TextOptions, to_json, to_junit, to_prometheus, to_text};
use std::io::{self, IsTerminal, Write as _};
use std::path::{Path, PathBuf};

/// The width of text that goes into a file or a pipe: none, so that lines can be searched.
const NO_LIMIT: u16 = 0;

/// A file that the report will be written to, made ready before any work is done.
#[derive(Debug)]
pub(super) struct ReportFile {
    format: Format,
    path: PathBuf,
    /// Beside the path, to be put in its place; `None` for a device or pipe (/dev/stderr), which is written to.
    file: Option<tempfile::NamedTempFile>,
}

impl ReportFile {
    /// Makes sure that the file can be written, without touching what is there yet.
    pub(super) fn prepare(format: Format, path: &Path) -> Result<Self, Failure> {
        let cannot = |why: String| {
            Failure::usage(format!("--report: {} cannot be written: {why}", path.display()))
                .hint("name a file in a directory that exists and can be written")
        };
        if path.is_dir() {
            return Err(cannot("it is a directory".to_owned()));
        }
        if std::fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
            return Ok(Self { format, path: path.to_owned(), file: None });
        }
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        if !parent.is_dir() {
            return Err(cannot(format!("there is no directory {}", parent.display())));
        }
        // The error itself names the temporary file, of which nobody has heard.
        let file = tempfile::Builder::new()
            .permissions(readable())
            .tempfile_in(parent)
            .map_err(|e| cannot(format!("{} in {}", e.kind(), parent.display())))?;
        Ok(Self { format, path: path.to_owned(), file: Some(file) })
    }

    /// Writes the report and puts it in its place.
    pub(super) fn write(self, report: &Report, fail_on: FailOn, verbose: bool) -> Result<(), Failure> {
        let options = TextOptions { color: false, width: NO_LIMIT, unicode: true, verbose };
        let text = render(report, self.format, fail_on, &options);
        let written = match self.file {
            None => std::fs::write(&self.path, text),
            // A file is replaced as a whole.
            Some(mut file) => file
                .write_all(text.as_bytes())
                .and_then(|()| file.as_file().sync_all())
                .and_then(|()| file.persist(&self.path).map(drop).map_err(|e| e.error)),
        };
        written.map_err(|e| Failure::unexamined(format!("--report: {} cannot be written: {e}", self.path.display())))
    }
}

/// Reports are for others to read, unlike temporary files.
#[cfg(unix)]
fn readable() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::Permissions::from_mode(0o644)
}

/// Writes the report to standard output.
pub(super) fn to_stdout(report: &Report, result: &ResultArguments, verbose: bool, color: Color) -> Result<u8, Failure> {
    let is_terminal = io::stdout().is_terminal();
    let width = if is_terminal { terminal_size::terminal_size().map_or(80, |(width, _)| width.0) } else { NO_LIMIT };
    let unicode = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .is_none_or(|locale| locale.to_lowercase().replace('-', "").contains("utf8"));
    let options = TextOptions { color: console::wants_color(color, is_terminal), width, unicode, verbose };
    console::print(&render(report, result.format, result.fail_on, &options))
}

fn render(report: &Report, format: Format, fail_on: FailOn, options: &TextOptions) -> String {
    match format {
        Format::Text => to_text(report, options),
        Format::Json => to_json(report),
        Format::Junit => to_junit(report, fail_on),
        Format::Prometheus => to_prometheus(report),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("none/report.json", "there is no directory DIR/none")]
    #[case("file/report.json", "there is no directory DIR/file")]
    #[case("", "it is a directory")]
    fn a_file_that_cannot_be_written_is_named_before_any_work(#[case] name: &str, #[case] why: &str) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("file"), "").unwrap();
        let path = directory.path().join(name);
        let failure = ReportFile::prepare(Format::Json, &path).unwrap_err();
        let why = why.replace("DIR", &directory.path().display().to_string());
        assert_eq!(failure.to_string(), format!("--report: {} cannot be written: {why}", path.display()));
        assert_eq!(failure.exit_code(), 2);
    }

    #[test]
    fn a_file_that_is_there_stays_until_the_report_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.json");
        std::fs::write(&path, "old").unwrap();
        drop(ReportFile::prepare(Format::Json, &path).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_device_is_written_to_and_not_replaced() {
        let file = ReportFile::prepare(Format::Text, Path::new("/dev/null")).unwrap();
        assert!(file.file.is_none());
    }
}
