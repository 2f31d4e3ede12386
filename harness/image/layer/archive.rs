//! The walk over a layer's archive.
//!
//! Sources: OCI image spec, `layer.md` (whiteouts, opaque directories); POSIX
//! `pax`; GNU tar's own extensions. Reading is the crate `tar`'s; what the
//! entries mean for a root filesystem is decided here.

use super::guard::{Allowance, Guard};
use super::sparse::Expanded;
use super::unpack::{Attributes, Unpacking};
use super::{Entry, EntryKind, Fault, Limits, MAX_EXTENSION_BYTES, MAX_NAME_BYTES, NO_OWNER};
use crate::binary::{Content, Scanner, is_binary_magic};
use std::io::{self, Read};
use tar::EntryType;

/// Bytes that are read of a file at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// The most bytes of a sparse file that are looked at: its holes cost nothing to claim.
const SPARSE_BYTES: u64 = 1 << 30;

/// The size of a tar block.
const BLOCK: u64 = 512;

/// Walks over an archive and collects its entries.
///
/// # Errors
/// [`Fault::Corrupt`] where the archive is broken, [`Fault::TooLarge`] beyond a limit.
pub(super) fn walk(reader: impl Read, limits: &Limits, unpacking: Option<&mut Unpacking>) -> Result<Vec<Entry>, Fault> {
    let allowance = Allowance::default();
    let mut archive = tar::Archive::new(Guard::new(reader, allowance.clone()));
    let mut walk = Walk {
        limits,
        unpacking,
        entries: Vec::new(),
        name_bytes: 0,
        expanded_bytes: 0,
        chunk: vec![0; CHUNK_BYTES],
        head: Vec::new(),
    };
    let entries = archive.entries().map_err(|e| corrupt(&e))?;
    allowance.grant(MAX_EXTENSION_BYTES);
    for entry in entries {
        let mut entry = entry.map_err(|e| corrupt(&e))?;
        let stored = if entry.header().entry_type().is_gnu_sparse() {
            entry.header().entry_size().map_err(|e| corrupt(&e))?
        } else {
            entry.size()
        };
        let padded = stored.div_ceil(BLOCK).saturating_mul(BLOCK);
        allowance.grant(padded);
        walk.take(&mut entry)?;
        // What was not read of the entry is skipped by the next step, which may read the next headers besides.
        allowance.grant(allowance.left().saturating_add(MAX_EXTENSION_BYTES));
    }
    walk.entries.shrink_to_fit();
    Ok(walk.entries)
}

struct Walk<'a> {
    limits: &'a Limits,
    /// Where its files are written to as well.
    unpacking: Option<&'a mut Unpacking>,
    entries: Vec<Entry>,
    name_bytes: u64,
    /// What sparse files expand to, as far as it is looked at.
    expanded_bytes: u64,
    chunk: Vec<u8>,
    head: Vec<u8>,
}

impl Walk<'_> {
    fn take(&mut self, entry: &mut tar::Entry<'_, impl Read>) -> Result<(), Fault> {
        let kind = entry.header().entry_type();
        if kind.is_pax_global_extensions() {
            return Ok(());
        }
        let sparse = SparseRecords::of(entry)?;
        let raw = sparse.name.clone().unwrap_or_else(|| entry.path_bytes().into_owned());
        let path = clean(&raw)?;
        let mode = u16::try_from(entry.header().mode().unwrap_or_default() & 0o7777).unwrap_or_default();
        // The records `uid` and `gid` of PAX are in the header by now: the reader puts them there.
        let (user, group) = (owner(entry.header().uid()), owner(entry.header().gid()));
        if kind.is_gnu_sparse() || sparse.expanded_size.is_some() {
            self.expand(sparse.expanded_size.unwrap_or_else(|| entry.size()))?;
        }
        let kind = match whiteout(&path)? {
            Some(Whiteout::Ignored) => return Ok(()),
            Some(Whiteout::Of(path)) => return self.hide(path, EntryKind::Whiteout),
            Some(Whiteout::Opaque(path)) => return self.hide(path, EntryKind::Opaque),
            None => match kind {
                EntryType::Directory => EntryKind::Directory,
                // Archives from before POSIX mark directories by a slash alone.
                EntryType::Regular if raw.ends_with(b"/") => EntryKind::Directory,
                EntryType::Symlink => EntryKind::Symlink(target(entry, &raw)?.into()),
                EntryType::Link => EntryKind::Hardlink(clean(&target(entry, &raw)?)?),
                EntryType::Char | EntryType::Block | EntryType::Fifo => EntryKind::Special,
                EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                    EntryKind::File(self.file(entry, &sparse, &path, mode).map_err(|e| corrupt(&e))?)
                }
                // Vendors' own types carry nothing of the root filesystem.
                _ => return Ok(()),
            },
        };
        self.unpack(&path, &kind, mode);
        self.push(Entry { path, kind, mode, user, group })
    }

    fn hide(&mut self, path: Box<[u8]>, kind: EntryKind) -> Result<(), Fault> {
        self.unpack(&path, &kind, 0);
        self.push(Entry { path, kind, mode: 0, user: 0, group: 0 })
    }

    /// Writes what is no regular file. Those are written while they are read.
    fn unpack(&mut self, path: &[u8], kind: &EntryKind, mode: u16) {
        let Some(unpacking) = &mut self.unpacking else { return };
        match kind {
            EntryKind::Directory => unpacking.directory(path, Attributes { mode, modified: 0 }),
            EntryKind::Symlink(target) => unpacking.symlink(path, target),
            EntryKind::Hardlink(target) => unpacking.hardlink(path, target),
            EntryKind::Whiteout => unpacking.whiteout(path),
            EntryKind::Opaque => unpacking.opaque(path),
            // Devices are the sandbox's own; a FIFO in an image leads nowhere.
            EntryKind::File(_) | EntryKind::Special => {}
        }
    }

    /// Counts a sparse file: its holes take no bytes in the archive, and time all the same.
    fn expand(&mut self, size: u64) -> Result<(), Fault> {
        self.expanded_bytes = self.expanded_bytes.saturating_add(size.min(SPARSE_BYTES));
        if self.expanded_bytes > self.limits.bytes {
            return Err(Fault::TooLarge(format!("its sparse files expand to more than {} bytes", self.limits.bytes)));
        }
        Ok(())
    }

    fn push(&mut self, entry: Entry) -> Result<(), Fault> {
        self.name_bytes += entry.name_bytes() as u64;
        if self.entries.len() as u64 >= self.limits.entries {
            return Err(Fault::TooLarge(format!("it has more than {} entries", self.limits.entries)));
        }
        if self.name_bytes > self.limits.name_bytes {
            return Err(Fault::TooLarge(format!("its names have more than {} bytes", self.limits.name_bytes)));
        }
        self.entries.push(entry);
        Ok(())
    }

    /// What a regular file holds, where it is a binary or executable. It is written on the way.
    fn file(
        &mut self,
        entry: &mut tar::Entry<'_, impl Read>,
        sparse: &SparseRecords,
        path: &[u8],
        mode: u16,
    ) -> io::Result<Option<Box<Content>>> {
        let attributes = Attributes { mode, modified: entry.header().mtime().unwrap_or_default() };
        if let Some(unpacking) = &mut self.unpacking {
            unpacking.begin_file(path, attributes);
        }
        let content = self.content(entry, sparse, mode & 0o111 != 0)?;
        if let Some(unpacking) = &mut self.unpacking {
            unpacking.end_file(path, attributes);
        }
        Ok(content)
    }

    fn content(
        &mut self,
        entry: &mut tar::Entry<'_, impl Read>,
        sparse: &SparseRecords,
        executable: bool,
    ) -> io::Result<Option<Box<Content>>> {
        match sparse.expanded_size {
            Some(size) => {
                let expanded = Expanded::new(entry, size)?;
                self.scan(expanded.take(SPARSE_BYTES), size, executable)
            }
            None => {
                let size = entry.size();
                let most = if entry.header().entry_type().is_gnu_sparse() { SPARSE_BYTES } else { u64::MAX };
                self.scan(entry.take(most), size, executable)
            }
        }
    }

    fn scan(&mut self, mut file: impl Read, size: u64, executable: bool) -> io::Result<Option<Box<Content>>> {
        let mut filled = 0;
        // A first read may end anywhere; the magic needs four bytes.
        while filled < 4 {
            match file.read(self.chunk.get_mut(filled..).unwrap_or_default())? {
                0 => break,
                n => filled += n,
            }
        }
        let first = self.chunk.get(..filled).unwrap_or_default();
        if !executable && !is_binary_magic(first) {
            self.write_rest(filled, file)?;
            return Ok(None);
        }
        let mut scanner = Scanner::new(size, std::mem::take(&mut self.head));
        while filled > 0 && scanner.feed(self.chunk.get(..filled).unwrap_or_default()) {
            if let Some(unpacking) = &mut self.unpacking {
                unpacking.write(self.chunk.get(..filled).unwrap_or_default());
            }
            filled = file.read(&mut self.chunk)?;
        }
        self.write_rest(filled, file)?;
        let (content, head) = scanner.finish();
        self.head = head;
        let keep = executable || content.is_binary();
        Ok(keep.then(|| Box::new(content)))
    }
}

impl Walk<'_> {
    /// Writes what is in hand and the rest of a file. Without somebody who wants it, it is not read.
    fn write_rest(&mut self, mut filled: usize, mut file: impl Read) -> io::Result<()> {
        let Some(unpacking) = &mut self.unpacking else { return Ok(()) };
        while filled > 0 {
            unpacking.write(self.chunk.get(..filled).unwrap_or_default());
            filled = file.read(&mut self.chunk)?;
        }
        Ok(())
    }
}

/// The PAX records of a sparse file, in the formats 0.1 and 1.0.
#[derive(Default)]
struct SparseRecords {
    name: Option<Vec<u8>>,
    expanded_size: Option<u64>,
}

impl SparseRecords {
    fn of(entry: &mut tar::Entry<'_, impl Read>) -> Result<Self, Fault> {
        let mut records = Self::default();
        let (mut major, mut size) = (None, None);
        // Values of other records may hold any byte; what cannot be read is none of these.
        for record in entry.pax_extensions().map_err(|e| corrupt(&e))?.into_iter().flatten().flatten() {
            match record.key_bytes() {
                b"GNU.sparse.name" => records.name = Some(record.value_bytes().to_vec()),
                b"GNU.sparse.major" => major = Some(record.value_bytes().to_vec()),
                b"GNU.sparse.realsize" => size = record.value().ok().and_then(|v| v.parse().ok()),
                _ => {}
            }
        }
        if major.as_deref() == Some(b"1") {
            let size = size.ok_or_else(|| Fault::Corrupt("a sparse file has no size".to_owned()))?;
            records.expanded_size = Some(size);
        }
        Ok(records)
    }
}

fn target(entry: &tar::Entry<'_, impl Read>, path: &[u8]) -> Result<Vec<u8>, Fault> {
    let target = entry.link_name_bytes().map(std::borrow::Cow::into_owned).unwrap_or_default();
    if target.is_empty() || target.len() > MAX_NAME_BYTES || target.contains(&0) {
        return Err(Fault::Corrupt(format!("the link `{}` has no usable target", shown(path))));
    }
    Ok(target)
}

/// The number of a user or group. Old archives leave the field blank, which reads as an error and means root's.
fn owner(number: io::Result<u64>) -> u32 {
    number.map_or(0, |number| u32::try_from(number).unwrap_or(NO_OWNER))
}

/// A path within the root filesystem: no slash at either end, no `.`, no `..`.
fn clean(raw: &[u8]) -> Result<Box<[u8]>, Fault> {
    if raw.len() > MAX_NAME_BYTES {
        return Err(Fault::Corrupt(format!("the name `{}` is longer than {MAX_NAME_BYTES} bytes", shown(raw))));
    }
    if raw.contains(&0) {
        return Err(Fault::Corrupt(format!("the name `{}` holds a NUL byte", shown(raw))));
    }
    let mut path: Vec<u8> = Vec::with_capacity(raw.len());
    for part in raw.split(|&b| b == b'/') {
        match part {
            b"" | b"." => {}
            b".." if path.is_empty() => {
                return Err(Fault::Corrupt(format!("the name `{}` leads out of the root filesystem", shown(raw))));
            }
            b".." => path.truncate(path.iter().rposition(|&b| b == b'/').unwrap_or(0)),
            part => {
                if !path.is_empty() {
                    path.push(b'/');
                }
                path.extend_from_slice(part);
            }
        }
    }
    Ok(path.into())
}

enum Whiteout {
    Of(Box<[u8]>),
    Opaque(Box<[u8]>),
    /// AUFS' own files (`.wh..wh.plnk`, `.wh..wh.orph`, `.wh..wh.aufs`), which old engines wrote into layers.
    Ignored,
}

fn whiteout(path: &[u8]) -> Result<Option<Whiteout>, Fault> {
    let (parent, name) = match path.iter().rposition(|&b| b == b'/') {
        Some(at) => (path.get(..at).unwrap_or_default(), path.get(at + 1..).unwrap_or_default()),
        None => (&[][..], path),
    };
    let Some(hidden) = name.strip_prefix(b".wh.") else {
        // AUFS kept its files in directories of this kind; nothing below them is the image's.
        let aufs = path.split(|&b| b == b'/').any(|part| part.starts_with(b".wh..wh."));
        return Ok(aufs.then_some(Whiteout::Ignored));
    };
    Ok(Some(match hidden {
        b".wh..opq" => Whiteout::Opaque(parent.into()),
        _ if hidden.starts_with(b".wh.") => Whiteout::Ignored,
        b"" | b"." | b".." => {
            return Err(Fault::Corrupt(format!("the whiteout `{}` hides no name", shown(path))));
        }
        _ if parent.is_empty() => Whiteout::Of(hidden.into()),
        _ => Whiteout::Of([parent, b"/", hidden].concat().into()),
    }))
}

fn corrupt(error: &io::Error) -> Fault {
    let text: String = error.to_string().chars().take(300).collect();
    Fault::Corrupt(text.escape_debug().to_string())
}

/// A name for a message: what is not plain is escaped, what is long is cut.
fn shown(name: &[u8]) -> String {
    name.get(..120).unwrap_or(name).escape_ascii().to_string()
}
