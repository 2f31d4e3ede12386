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

/// The file itself, its size, and when it was last written or its inode changed: the time of the latter
/// cannot be set back by a program.
pub(super) fn file_seal(metadata: &Metadata) -> String {
    use std::os::unix::fs::MetadataExt as _;
    let (m, c) = (metadata.mtime_nsec(), metadata.ctime_nsec());
    format!(
        "file {}:{} {} {}.{m:09} {}.{c:09}",
        metadata.dev(),
        metadata.ino(),
        metadata.len(),
        metadata.mtime(),
        metadata.ctime()
    )
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

    fn seal(&self, name: &str) -> Option<String> {
        self.look(name).ok().map(|(_, metadata)| file_seal(&metadata))
    }
}
