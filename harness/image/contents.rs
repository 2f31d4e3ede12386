//! What is in one regular file of a platform's merged tree, out of the store of unpacked layers.
//!
//! The tree says which layer brought the file, and under which name. The file is opened below that layer's directory and
//! through no link at all (`RESOLVE_NO_SYMLINKS` of openat2(2)): what a link leads to was decided when the tree was made.

use super::PlatformFacts;
use super::rootfs::{Node, NodeKind, RootFs};
use super::source::Source;
use super::store::Store;
use super::unpacked;
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
use std::fs::File;
use std::io::Read as _;

/// The largest file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 64 << 20;

/// Why there is nothing to read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentsError {
    /// There is nothing at this path.
    #[error("`{}` does not exist", shown(.0))]
    Missing(Vec<u8>),
    /// It is something else: what, in words.
    #[error("`{}` is no regular file but {}", shown(.0), .1)]
    NotAFile(Vec<u8>, &'static str),
    /// It is larger than what is read.
    #[error("`{}` has {} bytes, more than the {MAX_FILE_BYTES} that are read of a file", shown(.0), .1)]
    TooLarge(Vec<u8>, u64),
    /// Its layer cannot be had, counted from 0, or the file in it cannot be read. This says nothing about the image.
    #[error("layer {}, which has `{}`, could not be unpacked: {}", .layer, shown(.path), .why)]
    Unread {
        /// The file.
        path: Vec<u8>,
        /// The layer.
        layer: usize,
        /// Why not.
        why: String,
    },
}

fn shown(path: &[u8]) -> String {
    match path.get(..200) {
        Some(start) => format!("/{}…", start.escape_ascii()),
        None => format!("/{}", path.escape_ascii()),
    }
}

/// The bytes of a regular file, by its real path in the tree (see [`RootFs::lookup`]).
///
/// `tree` is the platform's, with its layers counted as in [`PlatformFacts::layers`]. A layer that is not in the store is
/// unpacked into it, from `source`.
///
/// # Errors
/// When there is no such file, or it is none, or too large, or cannot be had.
pub fn contents(
    path: &[u8],
    tree: &RootFs<'_>,
    platform: &PlatformFacts,
    store: &Store,
    source: &dyn Source,
) -> Result<Vec<u8>, ContentsError> {
    let not_a_file = |what| Err(ContentsError::NotAFile(path.to_vec(), what));
    let Some(node) = tree.get(path) else {
        // The root itself is in no layer, as far as a tree knows.
        return if path.is_empty() { not_a_file("a directory") } else { Err(ContentsError::Missing(path.to_vec())) };
    };
    match node.kind {
        NodeKind::File(_) => {}
        NodeKind::Directory => return not_a_file("a directory"),
        NodeKind::Symlink(_) => return not_a_file("a symbolic link"),
        NodeKind::Special => return not_a_file("a device, a FIFO or a socket"),
    }
    let origin = node.origin;
    let unread = |why: String| ContentsError::Unread { path: path.to_vec(), layer: origin.layer, why };
    let layer = platform.layers.get(origin.layer).ok_or_else(|| unread("there is none".to_owned()))?;
    let held = unpacked::hold(store, layer, source).map_err(unread)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = open(store.directory().join(&held.files), flags, Mode::empty());
    let root = root.map_err(|errno| unread(errno.to_string()))?;
    let file = open_file(&root, path, node, tree).map_err(|errno| unread(errno.to_string()))?;
    read(File::from(file), path, unread)
}

/// Opens the file under the name that it has in its layer.
///
/// Where the entry's parents were links of its own layer, it was written where they led; where they were of a lower layer,
/// which the writing does not see, under the entry's own name.
fn open_file(root: &OwnedFd, real: &[u8], node: &Node<'_>, tree: &RootFs<'_>) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let at = |path: &[u8]| openat2(root, path, flags, Mode::empty(), resolve);
    let origin = node.origin;
    // A hard link into a lower layer: what that one has at this link's path is another file.
    if node.layer != origin.layer {
        return at(origin.path);
    }
    // Another entry of the same name came there later.
    let replaced = |other: &Node<'_>| other.layer == node.layer && !std::ptr::eq(other.origin.path, origin.path);
    if tree.get(origin.path).is_some_and(replaced) {
        return at(real);
    }
    at(origin.path).or_else(|_| at(real))
}

fn read(file: File, path: &[u8], unread: impl Fn(String) -> ContentsError) -> Result<Vec<u8>, ContentsError> {
    let found = file.metadata().map_err(|error| unread(error.to_string()))?;
    if !found.is_file() {
        return Err(unread("there is another kind of file in the store".to_owned()));
    }
    let mut bytes = Vec::new();
    let too_large = |bytes| Err(ContentsError::TooLarge(path.to_vec(), bytes));
    if found.len() > MAX_FILE_BYTES {
        return too_large(found.len());
    }
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unread(error.to_string()))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return too_large(bytes.len() as u64);
    }
    Ok(bytes)
}

#[cfg(test)]
#[path = "contents_tests.rs"]
mod tests;
