//! The files of a directory.

use super::files::{FileError, Files, OpenFile};
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::path::PathBuf;

/// A directory of an OCI layout.
///
/// Symbolic links are followed: layouts share blobs that way. The names come
/// from digests, so none can lead out of the directory by itself.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    path: PathBuf,
}

impl Directory {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Looks before anything is opened: opening a FIFO would wait for a writer for ever.
    fn look(&self, name: &str) -> Result<(PathBuf, Metadata), FileError> {
        let path = self.path.join(name);
        let metadata = fs::metadata(&path).map_err(|e| file_error(&e))?;
        if metadata.is_file() {
            Ok((path, metadata))
        } else {
            Err(FileError::Unusable("it is no regular file".to_owned()))
        }
    }
}

fn file_error(error: &io::Error) -> FileError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => FileError::Absent,
        _ => FileError::Unusable(error.to_string()),
    }
}

impl Files for Directory {
    fn open(&self, name: &str) -> Result<OpenFile, FileError> {
        let (path, metadata) = self.look(name)?;
        let file = File::open(path).map_err(|e| file_error(&e))?;
        Ok(OpenFile { size: metadata.len(), reader: Box::new(file) })
    }

    fn size(&self, name: &str) -> Result<u64, FileError> {
        self.look(name).map(|(_, metadata)| metadata.len())
    }
}
