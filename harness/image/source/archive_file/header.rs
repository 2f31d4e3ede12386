//! The headers of a tar, one after the other.
//!
//! Source: POSIX.1-2024 `pax` ("ustar Interchange Format", "pax Extended
//! Header") and GNU tar's manual, "Basic Tar Format" (types `L`, `K`, `S`).

use super::{BLOCK, TarError, normal};
use crate::image::archive_format::is_tar_header;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The most bytes of one long name. Linux's limit for a path is 4096.
const MAX_NAME: u64 = 64 * 1024;
/// The most bytes of one pax extended header; Linux takes 64 KiB for one attribute.
const MAX_PAX: u64 = 1024 * 1024;

/// What a member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Member {
    /// Bytes in the archive.
    File { offset: u64, size: u64 },
    /// Another member's bytes, named from the archive's root.
    HardLink { target: Box<str> },
    /// Another member's bytes, named from this one's directory.
    Symlink { target: Box<str> },
    /// A file of which only a part is stored.
    Sparse,
    /// A directory, device or FIFO.
    Other,
}

impl Member {
    pub(super) fn link_length(&self) -> usize {
        match self {
            Self::HardLink { target } | Self::Symlink { target } => target.len(),
            Self::File { .. } | Self::Sparse | Self::Other => 0,
        }
    }
}

/// A member with its name, where that is one inside the archive.
pub(super) type Named = (Option<Box<str>>, Member);

/// What the headers before a member say of it.
#[derive(Default)]
struct Extended {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
}

/// Walks over the headers of a tar file.
pub(super) struct Headers<'a> {
    file: &'a File,
    at: u64,
    end: u64,
    marked: bool,
}

impl<'a> Headers<'a> {
    pub(super) const fn new(file: &'a File, end: u64) -> Self {
        Self { file, at: 0, end, marked: false }
    }

    /// Whether the walk ended at a block of zeros.
    pub(super) const fn ended_with_mark(&self) -> bool {
        self.marked
    }

    /// The next member, with its name where that is one inside the archive; `None` at the end.
    ///
    /// The end is the first block of zeros, or the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<Named>, TarError> {
        let mut extended = Extended::default();
        loop {
            let Some((at, header)) = self.header()? else { return Ok(None) };
            let claimed = header.entry_size().map_err(|_| TarError::BadHeader { at, why: "its size is no number" })?;
            match header.entry_type().as_byte() {
                b'L' => extended.name = Some(until_nul(self.content(claimed, MAX_NAME, "a long name")?)),
                b'K' => extended.link = Some(until_nul(self.content(claimed, MAX_NAME, "a long link name")?)),
                b'x' => {
                    let records = self.content(claimed, MAX_PAX, "an extended header")?;
                    read_pax(&records, &mut extended)
                        .ok_or(TarError::BadHeader { at, why: "its pax records are broken" })?;
                }
                b'g' => drop(self.content(claimed, MAX_PAX, "a global extended header")?),
                kind => return self.member(&header, kind, claimed, extended).map(Some),
            }
        }
    }

    fn header(&mut self) -> Result<Option<(u64, tar::Header)>, TarError> {
        let at = self.at;
        if at >= self.end {
            return Ok(None);
        }
        let mut block = [0; BLOCK as usize];
        if self.end - at < BLOCK {
            return Err(TarError::Truncated { name: "a header".to_owned(), size: BLOCK, at, end: self.end });
        }
        self.file.read_exact_at(&mut block, at).map_err(|e| read_error(at, &e))?;
        if block.iter().all(|b| *b == 0) {
            self.marked = true;
            return Ok(None);
        }
        if !is_tar_header(&block) {
            return Err(TarError::NoHeader { at });
        }
        self.at = at + BLOCK;
        Ok(Some((at, tar::Header::from_byte_slice(&block).clone())))
    }

    /// Reads the content of a header that describes the next member, and steps over it.
    fn content(&mut self, size: u64, limit: u64, what: &'static str) -> Result<Vec<u8>, TarError> {
        let at = self.at;
        if size > limit {
            return Err(TarError::BadHeader { at, why: "an extended header is larger than any real one" });
        }
        self.step_over(size, || what.to_owned())?;
        let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
        self.file.read_exact_at(&mut bytes, at).map_err(|e| read_error(at, &e))?;
        Ok(bytes)
    }

    fn step_over(&mut self, size: u64, name: impl FnOnce() -> String) -> Result<(), TarError> {
        let at = self.at;
        match at.checked_add(size) {
            Some(after) if after <= self.end => {
                self.at = after.checked_next_multiple_of(BLOCK).unwrap_or(after);
                Ok(())
            }
            _ => Err(TarError::Truncated { name: name(), size, at, end: self.end }),
        }
    }

    fn member(&mut self, header: &tar::Header, kind: u8, claimed: u64, extended: Extended) -> Result<Named, TarError> {
        let raw_name = extended.name.unwrap_or_else(|| header.path_bytes().into_owned());
        let text = String::from_utf8(raw_name).ok();
        let link = || {
            let raw = extended.link.clone().or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned));
            raw.and_then(|raw| String::from_utf8(raw).ok())
        };
        let is_link = matches!(kind, b'1' | b'2');
        // POSIX lets a hard link have a size and no content; no archiver of images stores any.
        let size = if is_link { 0 } else { extended.size.unwrap_or(claimed) };
        let offset = self.at;
        if kind == b'S' {
            self.step_over_sparse_maps(header)?;
        }
        self.step_over(size, || {
            crate::image::reference::name::shown(text.as_deref().unwrap_or("a member with a name that is not UTF-8"))
        })?;
        let directory = text.as_deref().is_some_and(|t| t.ends_with('/'));
        let member = match kind {
            b'S' => Member::Sparse,
            _ if extended.sparse => Member::Sparse,
            b'0' | b'\0' | b'7' if !directory => Member::File { offset, size },
            b'1' => link().map_or(Member::Other, |target| Member::HardLink { target: target.into() }),
            b'2' => link().map_or(Member::Other, |target| Member::Symlink { target: target.into() }),
            _ => Member::Other,
        };
        let name = text.as_deref().and_then(normal).filter(|n| !n.is_empty());
        Ok((name.map(Into::into), member))
    }

    /// GNU's sparse headers go on in further blocks, which the size does not count.
    fn step_over_sparse_maps(&mut self, header: &tar::Header) -> Result<(), TarError> {
        let mut more = header.as_gnu().is_some_and(tar::GnuHeader::is_extended);
        while more {
            let mut map = tar::GnuExtSparseHeader::new();
            let at = self.at;
            self.step_over(BLOCK, || "a map of a sparse file".to_owned())?;
            self.file.read_exact_at(map.as_mut_bytes(), at).map_err(|e| read_error(at, &e))?;
            more = map.is_extended();
        }
        Ok(())
    }
}

fn read_error(at: u64, error: &io::Error) -> TarError {
    TarError::Read { at, why: error.to_string() }
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(nul) = bytes.iter().position(|b| *b == 0) {
        bytes.truncate(nul);
    }
    bytes
}

/// Reads the records `LENGTH KEY=VALUE\n`; `None` where they are broken.
fn read_pax(mut records: &[u8], extended: &mut Extended) -> Option<()> {
    while !records.is_empty() {
        let space = records.iter().position(|b| *b == b' ')?;
        let length: usize = std::str::from_utf8(records.get(..space)?).ok()?.parse().ok()?;
        let record = records.get(space + 1..length)?.strip_suffix(b"\n")?;
        records = records.get(length..)?;
        let equals = record.iter().position(|b| *b == b'=')?;
        let (key, value) = (record.get(..equals)?, record.get(equals + 1..)?);
        match key {
            b"path" => extended.name = Some(value.to_vec()),
            b"linkpath" => extended.link = Some(value.to_vec()),
            b"size" => extended.size = Some(std::str::from_utf8(value).ok()?.parse().ok()?),
            _ if key.starts_with(b"GNU.sparse.") => extended.sparse = true,
            _ => {}
        }
    }
    Some(())
}
