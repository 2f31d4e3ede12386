//! A temporary file for what has to be read out of order and comes as a stream.

use super::SourceError;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// The most bytes that an engine's export, or an unpacked archive, may have.
///
/// The largest public images (machine learning, all drivers) unpack to about 40 GB.
pub const MAX_SPOOLED_BYTES: u64 = 64 * 1024 * 1024 * 1024;

/// A file without a name: it is gone when it is closed, whatever happens.
#[derive(Debug)]
pub(super) struct Spool {
    file: File,
    directory: PathBuf,
    what: String,
    written: u64,
    limit: u64,
}

impl Spool {
    /// An empty one in `directory`, for `what`.
    pub(super) fn new(directory: &Path, what: impl Into<String>, limit: u64) -> Result<Self, SourceError> {
        let what = what.into();
        let file = tempfile::tempfile_in(directory).map_err(|e| SourceError::Invalid {
            what: format!("the directory {} for temporary files", directory.display()),
            why: e.to_string(),
            hint: format!("set TMPDIR to a directory that can be written to: {what} is read out of order, and is kept there for the time of the check"),
        })?;
        Ok(Self { file, directory: directory.to_owned(), what, written: 0, limit })
    }

    /// Adds bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), SourceError> {
        self.written += bytes.len() as u64;
        if self.written > self.limit {
            return Err(SourceError::Invalid {
                what: self.what.clone(),
                why: format!("it has over {} bytes", self.limit),
                hint: "no image has as many: look at what it is made of".to_owned(),
            });
        }
        self.file.write_all(bytes).map_err(|e| {
            let full = matches!(e.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
            SourceError::Invalid {
                what: format!("a temporary file in {}", self.directory.display()),
                why: if full {
                    format!("the disk was full after {} bytes of {}", self.written, self.what)
                } else {
                    e.to_string()
                },
                hint: "set TMPDIR to a directory with more space, and run it again".to_owned(),
            }
        })
    }

    /// Adds all that a reader has; `broken` makes the error of one that fails.
    pub(super) fn fill(
        mut self,
        reader: &mut dyn Read,
        broken: impl Fn(std::io::Error) -> SourceError,
    ) -> Result<File, SourceError> {
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(self.file),
                Ok(n) => self.write(buffer.get(..n).unwrap_or_default())?,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(broken(e)),
            }
        }
    }

    /// The file with all that was written, for reading by position.
    pub(super) fn finish(self) -> File {
        self.file
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    #[test]
    fn what_is_written_can_be_read_by_position_and_no_file_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(dir.path(), "it", 10).unwrap();
        spool.write(b"01234").unwrap();
        spool.write(b"56789").unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        let mut two = [0; 2];
        spool.finish().read_exact_at(&mut two, 4).unwrap();
        assert_eq!(&two, b"45");
    }

    #[test]
    fn the_limit_holds() {
        let spool = Spool::new(&std::env::temp_dir(), "the export", 1000).unwrap();
        let error = spool.fill(&mut std::io::repeat(7), |e| panic!("{e}")).unwrap_err();
        assert_eq!(error.to_string(), "the export is not usable: it has over 1000 bytes");
    }

    #[test]
    fn a_full_disk_is_named() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut spool =
            Spool { file: full, directory: "/dev".into(), what: "the export".into(), written: 0, limit: 1000 };
        let error = spool.write(b"x").unwrap_err();
        assert!(error.to_string().contains("the disk was full after 1 bytes of the export"), "{error}");
        assert!(error.hint().unwrap().contains("TMPDIR"));
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let error = Spool::new(Path::new("/nonexistent"), "the export", 1).unwrap_err();
        assert!(error.to_string().contains("/nonexistent"), "{error}");
    }
}
