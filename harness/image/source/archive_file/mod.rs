//! A tar file whose members are read in any order, by several threads at once.
//!
//! One pass over the headers notes where each member lies; members are read
//! with `pread` after that, so that readers share no position. Nothing is
//! unpacked. An image archive is hostile input: the number of members, the
//! length of names and extended headers, and every size are bounded.

mod header;

use super::files::{FileError, Files, OpenFile};
use crate::image::archive_format::SNIFFED_BYTES;
use header::{Headers, Member};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// The most members that an image archive may have. `docker save` of a hundred images has a few thousand.
pub(super) const MAX_MEMBERS: usize = 100_000;
/// The most bytes that the names of all members may have together.
const MAX_NAMES: usize = 64 * 1024 * 1024;
/// Links inside an archive are followed this often, as in Linux's path walk (`MAXSYMLINKS`).
const MAX_LINKS: usize = 40;

/// Why a file cannot be used as a tar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum TarError {
    /// Reading failed.
    #[error("reading it failed at byte {at}: {why}")]
    Read {
        /// Where.
        at: u64,
        /// The system's reason.
        why: String,
    },
    /// What should be a header is none.
    #[error("there is no tar header at byte {at}, where one should be")]
    NoHeader {
        /// Where.
        at: u64,
    },
    /// A header whose fields make no sense.
    #[error("the tar header at byte {at} is broken: {why}")]
    BadHeader {
        /// Where.
        at: u64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The file ends inside a header or a member.
    #[error("it is cut short: {name} should have {size} bytes from byte {at}, and the file ends at {end}")]
    Truncated {
        /// The member.
        name: String,
        /// Its size as the header claims it.
        size: u64,
        /// Where it starts.
        at: u64,
        /// Where the file ends.
        end: u64,
    },
    /// More than any image archive has.
    #[error("it has more than {MAX_MEMBERS} members, or names of more than 64 MiB: this is no image archive")]
    TooMany,
}

/// The members of a tar file, by name.
#[derive(Debug)]
pub(super) struct ArchiveFile {
    file: Arc<File>,
    members: HashMap<Box<str>, Member>,
    ends: bool,
}

impl ArchiveFile {
    /// Notes where each member lies.
    ///
    /// # Errors
    /// When the file is no tar, or a broken, truncated or oversized one.
    pub(super) fn scan(file: File) -> Result<Self, TarError> {
        Self::scan_at_most(file, MAX_MEMBERS)
    }

    fn scan_at_most(file: File, max_members: usize) -> Result<Self, TarError> {
        let end = file.metadata().map_err(|e| TarError::Read { at: 0, why: e.to_string() })?.len();
        let mut members = HashMap::new();
        let mut seen = 0;
        let mut name_bytes = 0;
        let mut headers = Headers::new(&file, end);
        while let Some((name, member)) = headers.next()? {
            seen += 1;
            name_bytes += name.as_ref().map_or(0, |n| n.len()) + member.link_length();
            if seen > max_members || name_bytes > MAX_NAMES {
                return Err(TarError::TooMany);
            }
            // A name that is not UTF-8, or leads out of the archive, is none that an image has.
            // Of two members with one name the later counts, as when unpacking.
            if let Some(name) = name {
                members.insert(name, member);
            }
        }
        let ends = headers.ended_with_mark();
        Ok(Self { file: Arc::new(file), members, ends })
    }

    /// How many members there are.
    /// Whether the end mark of a tar was there; some writers leave it out, and so does a copy that was interrupted.
    pub(super) fn has_end_mark(&self) -> bool {
        self.ends
    }

    pub(super) fn count(&self) -> usize {
        self.members.len()
    }

    /// Where a member's bytes lie, links followed. Docker's archives before 25
    /// have `ID/layer.tar` as a symbolic link to another image's.
    fn find(&self, name: &str) -> Result<(u64, u64), FileError> {
        let mut at = normal(name).ok_or(FileError::Absent)?;
        for _ in 0..=MAX_LINKS {
            match self.members.get(at.as_str()) {
                None => return Err(FileError::Absent),
                Some(Member::File { offset, size }) => return Ok((*offset, *size)),
                Some(Member::HardLink { target }) => at = normal(target).ok_or(FileError::Absent)?,
                Some(Member::Symlink { target }) => at = relative(&at, target).ok_or(FileError::Absent)?,
                Some(Member::Sparse) => {
                    return Err(FileError::Unusable(
                        "it is stored as a sparse file; make the archive again without `tar --sparse`".to_owned(),
                    ));
                }
                Some(Member::Other) => return Err(FileError::Unusable("it is no regular file".to_owned())),
            }
        }
        Err(FileError::Unusable("it is a loop of links".to_owned()))
    }
}

impl Files for ArchiveFile {
    fn open(&self, name: &str) -> Result<OpenFile, FileError> {
        let (offset, size) = self.find(name)?;
        let reader = MemberReader { file: Arc::clone(&self.file), at: offset, left: size };
        Ok(OpenFile { size, reader: Box::new(reader) })
    }

    fn size(&self, name: &str) -> Result<u64, FileError> {
        self.find(name).map(|(_, size)| size)
    }
}

/// Reads one member without moving the file's position.
#[derive(Debug)]
struct MemberReader {
    file: Arc<File>,
    at: u64,
    left: u64,
}

impl Read for MemberReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let Some(part) = buffer.get_mut(..wanted) else { return Ok(0) };
        if part.is_empty() {
            return Ok(0);
        }
        let n = self.file.read_at(part, self.at)?;
        self.at += n as u64;
        self.left -= n as u64;
        Ok(n)
    }
}

/// A member's name without `./`, leading and double slashes; `None` where it leads out of the archive.
fn normal(name: &str) -> Option<String> {
    relative("", name)
}

/// What a link at `from` points at.
fn relative(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    if !target.starts_with('/') {
        parts = from.split('/').collect();
        parts.pop();
    }
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

const BLOCK: u64 = SNIFFED_BYTES as u64;

#[cfg(test)]
mod tests;
