//! Writing a layer's files into a directory, in the same pass that reads it.
//!
//! The directory is one lower directory of an overlay mount, so whiteouts become what
//! overlayfs takes for them (the kernel's `Documentation/filesystems/overlayfs.rst`,
//! "whiteouts and opaque directories"): a character device 0:0, and the attribute
//! `user.overlay.opaque` under the mount option `userxattr`.
//!
//! Everything is opened relative to the directory with `openat2` and `RESOLVE_IN_ROOT`: an
//! absolute link or a `..` in a layer leads no further than the layer's own top. Owners, set-user-ID
//! bits, devices and extended attributes are left out: all files belong to whoever runs the sandbox, and
//! whatever runs in it is one user without capabilities.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{self, AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use std::io;

/// How often the way to a directory may lead through a link whose target is not there yet.
const MAX_DANGLING: usize = 16;

/// Who shall own what is written: a user and a group of the host; `None` for who writes it.
pub type Owner = Option<(u32, u32)>;

/// A layer that is being written.
///
/// The first failure ends the writing and nothing else: the layer is still read and checked.
#[derive(Debug)]
pub struct Unpacking {
    root: OwnedFd,
    owner: Option<(Uid, Gid)>,
    /// The directory that the last entry was in: most entries are in the same.
    parent: Option<(Box<[u8]>, OwnedFd)>,
    file: Option<OwnedFd>,
    /// How far the file in hand is written, in bytes.
    at: u64,
    /// How many bytes of files were written, holes included, and how many there may be.
    written: u64,
    limit: u64,
    failure: Option<io::Error>,
}

/// What is written of an entry besides its bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attributes {
    /// The permission bits; those above 0o777 are dropped.
    pub(super) mode: u16,
    /// Seconds since 1970: interpreters compare the times of sources and of what they compiled.
    pub(super) modified: u64,
}

impl Unpacking {
    /// Begins to write into a directory, which is empty. `limit` is the most bytes of all files.
    #[must_use]
    pub fn new(root: OwnedFd, owner: Owner, limit: u64) -> Self {
        let owner = owner.map(|(user, group)| (Uid::from_raw(user), Gid::from_raw(group)));
        Self { root, owner, parent: None, file: None, at: 0, written: 0, limit, failure: None }
    }

    /// How many bytes of files were written so far, holes included.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// Ends the writing.
    ///
    /// # Errors
    /// What went wrong first; the directory is then useless.
    pub fn finish(self) -> io::Result<()> {
        self.failure.map_or(Ok(()), Err)
    }

    fn step(&mut self, path: &[u8], work: impl FnOnce(&mut Self) -> rustix::io::Result<()>) {
        if self.failure.is_none()
            && let Err(error) = work(self)
        {
            let name: String = path.get(..200).unwrap_or(path).escape_ascii().to_string();
            let error = io::Error::from(error);
            self.failure = Some(io::Error::new(error.kind(), format!("`{name}`: {error}")));
        }
    }

    pub(super) fn directory(&mut self, path: &[u8], attributes: Attributes) {
        self.step(path, |this| {
            if path.is_empty() {
                return Ok(());
            }
            let (parent, name) = this.place(path)?;
            // What is no directory gives way; a directory that is there stays, with what is in it.
            match fs::statat(&parent, &*name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) if FileType::from_raw_mode(stat.st_mode).is_dir() => {}
                Ok(_) => {
                    fs::unlinkat(&parent, &*name, AtFlags::empty())?;
                    make_directory(parent.as_fd(), &name, this.owner)?;
                }
                Err(_) => make_directory(parent.as_fd(), &name, this.owner)?,
            }
            // Its owner must still be able to write into it, and later to remove it.
            fs::chmodat(&parent, &*name, mode(attributes.mode) | Mode::RWXU, AtFlags::empty())
        });
    }

    pub(super) fn symlink(&mut self, path: &[u8], target: &[u8]) {
        self.step(path, |this| {
            let (parent, name) = this.free_place(path)?;
            fs::symlinkat(target, &parent, &*name)?;
            this.give(parent.as_fd(), &name)
        });
    }

    /// A hard link to another file of the same layer. To one of a lower layer, which is not here, a symbolic link is made
    /// instead: it leads there when the layers are mounted.
    pub(super) fn hardlink(&mut self, path: &[u8], target: &[u8]) {
        if path == target {
            return;
        }
        self.step(path, |this| {
            let (parent, name) = this.free_place(path)?;
            let (target_parent, target_name) = this.place(target)?;
            match fs::linkat(&target_parent, &*target_name, &parent, &*name, AtFlags::empty()) {
                Err(Errno::NOENT) => {
                    fs::symlinkat([b"/", target].concat(), &parent, &*name)?;
                    this.give(parent.as_fd(), &name)
                }
                other => other,
            }
        });
    }

    pub(super) fn whiteout(&mut self, path: &[u8]) {
        self.step(path, |this| {
            let (parent, name) = this.place(path)?;
            // What the same layer brings under this name stays: a whiteout hides what is below the layer.
            match fs::mknodat(&parent, &*name, FileType::CharacterDevice, Mode::empty(), 0) {
                Ok(()) => this.give(parent.as_fd(), &name),
                Err(Errno::EXIST) => Ok(()),
                Err(error) => Err(error),
            }
        });
    }

    pub(super) fn opaque(&mut self, path: &[u8]) {
        self.step(path, |this| {
            let directory = this.walk(path, 0)?;
            let real = open_directory(directory.as_fd(), b".")?;
            fs::fsetxattr(&real, c"user.overlay.opaque", b"y", XattrFlags::empty())
        });
    }

    pub(super) fn begin_file(&mut self, path: &[u8], attributes: Attributes) {
        self.file = None;
        self.at = 0;
        self.step(path, |this| {
            let (parent, name) = this.free_place(path)?;
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = fs::openat(&parent, &*name, flags, Mode::RUSR | Mode::WUSR)?;
            if let Some((user, group)) = this.owner {
                fs::fchown(&file, Some(user), Some(group))?;
            }
            // Readable by its owner at least: elsewhere root could read it whatever its mode.
            fs::fchmod(&file, mode(attributes.mode) | Mode::RUSR)?;
            this.file = Some(file);
            Ok(())
        });
    }

    pub(super) fn write(&mut self, mut bytes: &[u8]) {
        self.step(b"", |this| {
            let Some(file) = &this.file else { return Ok(()) };
            let length = bytes.len() as u64;
            this.written = this.written.saturating_add(length);
            if this.written > this.limit {
                return Err(Errno::FBIG);
            }
            // Sparse files stay sparse: zeros are skipped over.
            if length >= 4096 && bytes.iter().all(|&byte| byte == 0) {
                this.at += length;
                return Ok(());
            }
            while !bytes.is_empty() {
                let written = rustix::io::retry_on_intr(|| rustix::io::pwrite(file, bytes, this.at))?;
                this.at += written as u64;
                bytes = bytes.get(written..).unwrap_or_default();
            }
            Ok(())
        });
    }

    pub(super) fn end_file(&mut self, path: &[u8], attributes: Attributes) {
        self.step(path, |this| {
            let Some(file) = this.file.take() else { return Ok(()) };
            // Only where it ends in skipped zeros does this change anything.
            fs::ftruncate(&file, this.at)?;
            let time = fs::Timespec { tv_sec: i64::try_from(attributes.modified).unwrap_or(0), tv_nsec: 0 };
            fs::futimens(&file, &Timestamps { last_access: time, last_modification: time })
        });
    }

    /// Where an entry goes: its directory, which is made where it is missing, and its name there.
    fn place<'p>(&mut self, path: &'p [u8]) -> rustix::io::Result<(OwnedFd, Box<[u8]>)> {
        let (parent, name): (&'p [u8], &'p [u8]) = match path.iter().rposition(|&b| b == b'/') {
            Some(at) => (path.get(..at).unwrap_or_default(), path.get(at + 1..).unwrap_or_default()),
            None => (b"", path),
        };
        if name.is_empty() {
            return Err(Errno::INVAL);
        }
        if let Some((known, directory)) = &self.parent
            && **known == *parent
        {
            return Ok((directory.try_clone().map_err(|_| Errno::MFILE)?, name.into()));
        }
        let directory = self.walk(parent, 0)?;
        self.parent = Some((parent.into(), directory.try_clone().map_err(|_| Errno::MFILE)?));
        Ok((directory, name.into()))
    }

    /// The same, with nothing at that name: the last entry of a name counts.
    fn free_place(&mut self, path: &[u8]) -> rustix::io::Result<(OwnedFd, Box<[u8]>)> {
        let (parent, name) = self.place(path)?;
        match fs::unlinkat(&parent, &*name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::ISDIR | Errno::PERM) => {
                self.parent = None;
                remove_tree(parent.as_fd(), &name)?;
            }
            Err(error) => return Err(error),
        }
        Ok((parent, name))
    }

    /// Opens a directory of the layer, and makes what is missing on the way.
    fn walk(&self, path: &[u8], dangling: usize) -> rustix::io::Result<OwnedFd> {
        match open_in(self.root.as_fd(), path) {
            Err(Errno::NOENT | Errno::NOTDIR) => {}
            other => return other,
        }
        let mut done = 0;
        for end in path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(i, _)| i).chain([path.len()]) {
            let parent = open_in(self.root.as_fd(), path.get(..done).unwrap_or_default())?;
            let name = path.get(done..end).unwrap_or_default();
            let name = name.strip_prefix(b"/").unwrap_or(name);
            self.ensure(parent.as_fd(), name, path.get(..done).unwrap_or_default(), dangling)?;
            done = end;
        }
        open_in(self.root.as_fd(), path)
    }

    /// Makes sure that a name leads to a directory.
    fn ensure(&self, parent: BorrowedFd<'_>, name: &[u8], above: &[u8], dangling: usize) -> rustix::io::Result<()> {
        let Ok(stat) = fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) else {
            return make_directory(parent, name, self.owner);
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind.is_dir() {
            return Ok(());
        }
        if !kind.is_symlink() {
            fs::unlinkat(parent, name, AtFlags::empty())?;
            return make_directory(parent, name, self.owner);
        }
        let whole = if above.is_empty() { name.to_vec() } else { [above, b"/", name].concat() };
        if open_in(self.root.as_fd(), &whole).is_ok() {
            return Ok(());
        }
        // A link to what a lower layer has: its target is made, and is merged with the lower one.
        if dangling >= MAX_DANGLING {
            return Err(Errno::LOOP);
        }
        let target = fs::readlinkat(parent, name, Vec::new())?;
        self.walk(&joined(above, target.as_bytes()), dangling + 1).map(drop)
    }

    fn give(&self, parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<()> {
        match self.owner {
            Some((user, group)) => fs::chownat(parent, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW),
            None => Ok(()),
        }
    }
}

/// A link's target as a path from the top, with its `..` taken off as far as there is something to take.
fn joined(above: &[u8], target: &[u8]) -> Vec<u8> {
    let from = if target.starts_with(b"/") { &b""[..] } else { above };
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in from.split(|&b| b == b'/').chain(target.split(|&b| b == b'/')) {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join(&b'/')
}

fn mode(bits: u16) -> Mode {
    Mode::from_raw_mode(u32::from(bits) & 0o777)
}

fn make_directory(parent: BorrowedFd<'_>, name: &[u8], owner: Option<(Uid, Gid)>) -> rustix::io::Result<()> {
    fs::mkdirat(parent, name, Mode::from_raw_mode(0o755))?;
    match owner {
        Some((user, group)) => fs::chownat(parent, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW),
        None => Ok(()),
    }
}

/// Opens a directory by its path within another, whatever links are on the way.
fn open_in(root: BorrowedFd<'_>, path: &[u8]) -> rustix::io::Result<OwnedFd> {
    let path = if path.is_empty() { &b"."[..] } else { path };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    fs::openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS)
}

fn open_directory(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    fs::openat(parent, name, flags, Mode::empty())
}

/// Removes a directory and all below it, never through a link.
///
/// # Errors
/// What could not be removed first.
pub(crate) fn remove_tree(parent: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<()> {
    /// More rounds than a path of 4096 bytes has parts, each of which takes away [`DEEPEST`] of them.
    const ROUNDS: usize = 1024;
    match fs::unlinkat(parent, name, AtFlags::empty()) {
        Err(Errno::ISDIR | Errno::PERM) => {}
        other => return other,
    }
    let top = open_directory(parent, name)?;
    // What lies deeper than descriptors are held open is moved to the top, and goes in the next round.
    let mut moved = 0;
    for _ in 0..ROUNDS {
        let before = moved;
        empty(top.as_fd(), top.as_fd(), 0, &mut moved)?;
        if moved == before {
            break;
        }
    }
    fs::unlinkat(parent, name, AtFlags::REMOVEDIR)
}

/// How many directories are held open at a time.
const DEEPEST: usize = 100;

fn empty(top: BorrowedFd<'_>, directory: BorrowedFd<'_>, depth: usize, moved: &mut usize) -> rustix::io::Result<()> {
    let mut names = Vec::new();
    for entry in fs::Dir::read_from(directory)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    for name in names {
        match fs::unlinkat(directory, &name, AtFlags::empty()) {
            Err(Errno::ISDIR | Errno::PERM) if depth >= DEEPEST => {
                loop {
                    *moved += 1;
                    match fs::renameat(directory, &name, top, format!(".deep-{moved}")) {
                        // The image chose that name too.
                        Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
                        other => break other?,
                    }
                }
            }
            Err(Errno::ISDIR | Errno::PERM) => {
                let inner = open_directory(directory, name.to_bytes())?;
                empty(top, inner.as_fd(), depth + 1, moved)?;
                drop(inner);
                fs::unlinkat(directory, &name, AtFlags::REMOVEDIR)?;
            }
            other => other?,
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "unpack_tests.rs"]
mod tests;
