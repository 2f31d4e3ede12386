//! The finished report, in the formats and places that were asked for.

use super::arguments::{Color, Format};
use super::console;
use super::failure::Failure;
use mpcheck_reports::{Report, TextOptions, to_json, to_text};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// The width of text that goes into a file or a pipe: none, so that lines can be searched.
const NO_LIMIT: u16 = 0;

/// A file that the report will be written to, made ready before any work is done.
#[derive(Debug)]
pub(super) struct ReportFile {
    format: Format,
    path: PathBuf,
    file: tempfile::NamedTempFile,
}

impl ReportFile {
    /// Makes sure that the file can be written, without touching what is there yet.
    pub(super) fn prepare(format: Format, path: &Path) -> Result<Self, Failure> {
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        if path.is_dir() {
            return Err(Failure::usage(format!("--report: {} is a directory", path.display())));
        }
        let file = tempfile::Builder::new().permissions(readable()).tempfile_in(parent).map_err(|e| {
            Failure::usage(format!("--report: {} cannot be written: {e}", path.display()))
                .hint("name a file in a directory that exists and can be written")
        })?;
        Ok(Self { format, path: path.to_owned(), file })
    }

    /// Writes the report and puts it in its place.
    pub(super) fn write(mut self, report: &Report, verbose: bool) -> Result<(), Failure> {
        let options = TextOptions { color: false, width: NO_LIMIT, unicode: true, verbose };
        let text = render(report, self.format, &options);
        let failed = |e: &io::Error, path: &Path| Failure::unexamined(format!("--report: {} cannot be written: {e}", path.display()));
        self.file.write_all(text.as_bytes()).map_err(|e| failed(&e, &self.path))?;
        // A device or pipe (/dev/stderr) is written to, a file is replaced as a whole.
        let is_special = std::fs::metadata(&self.path).is_ok_and(|meta| !meta.is_file());
        if is_special {
            return std::fs::write(&self.path, text).map_err(|e| failed(&e, &self.path));
        }
        self.file.persist(&self.path).map_err(|e| failed(&e.error, &self.path))?;
        Ok(())
    }
}

/// Reports are for others to read, unlike temporary files.
#[cfg(unix)]
fn readable() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::Permissions::from_mode(0o644)
}

/// Writes the report to standard output.
pub(super) fn to_stdout(report: &Report, format: Format, verbose: bool, color: Color) -> Result<u8, Failure> {
    let is_terminal = io::stdout().is_terminal();
    let width = if is_terminal { terminal_size::terminal_size().map_or(80, |(width, _)| width.0) } else { NO_LIMIT };
    let unicode = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .is_none_or(|locale| locale.to_lowercase().replace('-', "").contains("utf8"));
    let options = TextOptions { color: console::wants_color(color, is_terminal), width, unicode, verbose };
    console::print(&render(report, format, &options))
}

fn render(report: &Report, format: Format, options: &TextOptions) -> String {
    match format {
        Format::Text => to_text(report, options),
        Format::Json => to_json(report),
    }
}
