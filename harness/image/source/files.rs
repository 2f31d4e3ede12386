//! Named files, in a directory or in an archive: what an OCI layout is made of.

use std::io::{self, Read};

/// A file that was opened.
pub(super) struct OpenFile {
    /// How many bytes it has.
    pub(super) size: u64,
    /// Its bytes.
    pub(super) reader: Box<dyn Read + Send>,
}

/// Why a named file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FileError {
    /// It is not there.
    Absent,
    /// It is there, and cannot be used.
    Unusable(String),
}

/// Named files. Names are relative, with `/` between their parts.
pub(super) trait Files: Send + Sync {
    /// Opens a regular file.
    fn open(&self, name: &str) -> Result<OpenFile, FileError>;

    /// How many bytes a regular file has.
    fn size(&self, name: &str) -> Result<u64, FileError>;

    /// What changes whenever a file does, see [`super::Source::seal`].
    fn seal(&self, _name: &str) -> Option<String> {
        None
    }

    /// Whether there is a regular file of this name.
    fn contains(&self, name: &str) -> bool {
        self.size(name).is_ok()
    }

    /// Reads a whole file of at most `limit` bytes.
    fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, FileError> {
        let file = self.open(name)?;
        let too_large = || FileError::Unusable(format!("it has {} bytes, and no real one has over {limit}", file.size));
        if file.size > limit {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        // A file may grow while it is read: the limit holds all the same.
        file.reader
            .take(limit + 1)
            .read_to_end(&mut bytes)
            .map_err(|e: io::Error| FileError::Unusable(e.to_string()))?;
        if bytes.len() as u64 > limit {
            return Err(FileError::Unusable(format!("it has over {limit} bytes, and no real one has")));
        }
        Ok(bytes)
    }
}
