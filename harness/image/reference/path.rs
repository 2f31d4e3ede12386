//! What lies at a path: an OCI layout, an image archive, or neither.

use super::{ImageName, ReferenceError};
use crate::image::archive_format::{ArchiveFormat, SNIFFED_BYTES};
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

/// What lies at a path, as far as a first look tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathKind {
    /// Nothing.
    Missing,
    /// A directory with an `oci-layout` file.
    Layout,
    /// Another directory.
    Directory,
    /// A tar file, or a compressed file that may be one.
    Archive,
    /// An empty file.
    Empty,
    /// A regular file of another kind.
    File,
    /// A device, socket or FIFO, which is never opened.
    Special,
    /// It cannot be looked at, with the reason.
    Unreadable(String),
}

impl PathKind {
    /// Looks at a path. Symbolic links are followed; a FIFO is not opened, so this never waits.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            // NotADirectory: `out.tar/x`; InvalidInput: a NUL in the name; InvalidFilename: longer than a path may be.
            Err(e)
                if matches!(
                    e.kind(),
                    ErrorKind::NotFound
                        | ErrorKind::NotADirectory
                        | ErrorKind::InvalidInput
                        | ErrorKind::InvalidFilename
                ) =>
            {
                return Self::Missing;
            }
            Err(e) => return Self::Unreadable(e.to_string()),
        };
        if metadata.is_dir() {
            return if path.join("oci-layout").is_file() { Self::Layout } else { Self::Directory };
        }
        if !metadata.is_file() {
            return Self::Special;
        }
        let mut start = Vec::with_capacity(SNIFFED_BYTES);
        let read = File::open(path).and_then(|f| f.take(SNIFFED_BYTES as u64).read_to_end(&mut start));
        match (read, ArchiveFormat::of(&start)) {
            (Err(e), _) => Self::Unreadable(e.to_string()),
            (Ok(0), _) => Self::Empty,
            (Ok(_), Some(_)) => Self::Archive,
            (Ok(_), None) => Self::File,
        }
    }

    /// The error for a path of this kind where an image was expected.
    pub(super) fn not_an_image(&self, path: String) -> ReferenceError {
        // A path that is no name (/etc/passwd) is not what a registry's image is called either.
        let registry = match ImageName::parse(&path) {
            Ok(_) => format!("; where a registry's image is meant, write `docker://{path}`"),
            Err(_) => String::new(),
        };
        let (what, hint) = match self {
            Self::Missing => return ReferenceError::NoSuchFile { path },
            Self::Unreadable(why) => return ReferenceError::Unreadable { path, why: why.clone() },
            Self::Directory => (
                "a directory without an `oci-layout` file".to_owned(),
                format!(
                    "an OCI layout comes from `docker buildx build --output type=oci,tar=false,dest=DIR` or `skopeo copy --all docker://NAME oci:DIR`{registry}"
                ),
            ),
            Self::Empty => (
                "an empty file".to_owned(),
                "whatever should have written it was interrupted or failed: make it again".to_owned(),
            ),
            Self::File => (
                "a file, and no tar".to_owned(),
                format!(
                    "an image archive comes from `docker save` or `docker buildx build --output type=oci,dest=FILE`{registry}"
                ),
            ),
            Self::Special => (
                "a device, socket or FIFO".to_owned(),
                "an image archive is read out of order, so it has to be a regular file: save it to one".to_owned(),
            ),
            Self::Layout | Self::Archive => ("of another kind".to_owned(), "leave the transport away".to_owned()),
        };
        ReferenceError::NotAnImage { path, what, hint }
    }
}
