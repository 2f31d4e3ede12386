//! Layers: what one pass over a layer's bytes leaves behind.
//!
//! A layer is read once, by [`read`]. Checks look at its [`LayerFacts`] and never
//! open it again; the facts are what the cache keeps.

mod archive;
mod decompress;
mod guard;
mod pass;
mod sparse;
pub mod unpack;

pub use pass::{LayerRead, read, verify};
pub use unpack::Unpacking;

use super::digest::Digest;
use crate::binary::Content;
use serde::{Deserialize, Serialize};

/// Limits on one layer. What exceeds one of them is reported as `layer/too-large`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the decompressed layer.
    pub bytes: u64,
    /// Entries of its archive.
    pub entries: u64,
    /// Bytes of all its names and link targets together.
    pub name_bytes: u64,
}

impl Limits {
    /// 256 GiB: several times the largest images that are published.
    pub const BYTES: u64 = 256 << 30;
    /// A million entries in one layer.
    pub const ENTRIES: u64 = 1_000_000;
    /// 256 MiB of names.
    pub const NAME_BYTES: u64 = 256 << 20;

    /// Whether a layer with these facts is within all of them.
    #[must_use]
    pub fn allow(&self, facts: &LayerFacts) -> bool {
        let name_bytes: usize = facts.entries.iter().map(Entry::name_bytes).sum();
        facts.bytes <= self.bytes && facts.entries.len() as u64 <= self.entries && name_bytes as u64 <= self.name_bytes
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: Self::BYTES, entries: Self::ENTRIES, name_bytes: Self::NAME_BYTES }
    }
}

/// The longest name or link target of an entry, in bytes (Linux' `PATH_MAX`).
pub const MAX_NAME_BYTES: usize = 4096;

/// The owner of an entry whose number is larger than any user's: the one number that nobody can have (chown(2)).
pub const NO_OWNER: u32 = u32::MAX;

/// The most bytes of extension headers (long names, PAX records, sparse maps) before one entry.
pub const MAX_EXTENSION_BYTES: u64 = 1 << 20;

/// What one pass over a layer found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerFacts {
    /// The digest of the decompressed bytes.
    pub diff_id: Digest,
    /// How many bytes the layer has when decompressed.
    pub bytes: u64,
    /// What its archive holds, in the archive's order.
    pub entries: Vec<Entry>,
}

impl LayerFacts {
    /// How much memory the facts take, roughly: what a program leaves besides its path is some 200 bytes.
    pub(crate) fn weight(&self) -> u64 {
        let of = |entry: &Entry| {
            let kind = match &entry.kind {
                EntryKind::Symlink(target) | EntryKind::Hardlink(target) => target.len(),
                EntryKind::File(Some(content)) => 200 + content.kept_bytes(),
                _ => 0,
            };
            (size_of::<Entry>() + entry.path.len() + kind) as u64
        };
        self.entries.iter().map(of).sum()
    }
}

/// One entry of a layer's archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where it lies: `usr/bin/env`, without a leading slash, `.` and `..` resolved.
    /// Empty for the root itself.
    pub path: Box<[u8]>,
    /// What it is.
    pub kind: EntryKind,
    /// The permission bits, with set-user-ID, set-group-ID and sticky.
    pub mode: u16,
    /// The number of the user who owns it; [`NO_OWNER`] beyond what a kernel counts. `0` of whiteouts.
    pub user: u32,
    /// The same of the group.
    pub group: u32,
}

impl Entry {
    /// How many bytes its name and its link target have together.
    #[must_use]
    pub fn name_bytes(&self) -> usize {
        let target = match &self.kind {
            EntryKind::Symlink(target) | EntryKind::Hardlink(target) => target.len(),
            // As long as the file wants: a program may name an interpreter of 4096 bytes.
            EntryKind::File(Some(content)) => content.kept_bytes(),
            _ => 0,
        };
        self.path.len() + target
    }
}

/// What an entry of a layer is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A regular file: its content where it is a binary or executable.
    File(Option<Box<Content>>),
    /// A symbolic link and its target, as it stands.
    Symlink(Box<[u8]>),
    /// A hard link to another path of the root filesystem, in the form of [`Entry::path`].
    Hardlink(Box<[u8]>),
    /// A device, a FIFO or a socket.
    Special,
    /// Removes what the layers below have at this path (`.wh.NAME`).
    Whiteout,
    /// Removes all that the layers below have in this directory (`.wh..wh..opq`).
    Opaque,
}

/// How a layer's blob or content differs from what its descriptor and config say.
///
/// Data for findings of the groups `blob` and `layer`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The source has no such blob.
    Missing(String),
    /// The bytes have another digest.
    Digest {
        /// The digest that they have.
        observed: Digest,
    },
    /// There are fewer or more bytes than the descriptor says.
    Size {
        /// The number of bytes that were read; reading stops at one too many.
        observed: u64,
        /// Whether there would have been more.
        more: bool,
    },
    /// The layer does not decompress, or its archive is broken.
    Corrupt(String),
    /// A limit was exceeded: which one, in words.
    TooLarge(String),
    /// The document is not valid: why.
    Invalid(String),
}

#[cfg(test)]
mod tests;
