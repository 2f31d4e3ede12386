//! The store of unpacked layers: what the sandbox mounts, by the digest of the layer's blob.
//!
//! A layer is written under a name of its own and renamed when its blob was read whole and has its
//! digests, so what bears a digest's name is whole. Who uses layers holds a lock on each, and what
//! nobody holds may be removed: what was not used for long, and the oldest beyond a size.

use super::descriptor::Descriptor;
use super::layer::Unpacking;
use super::layer::unpack::{Owner, remove_tree};
use super::lock::{self, Lock};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{self, FlockOperation, Mode, OFlags};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The most bytes of the files of one layer.
pub const MAX_UNPACKED_BYTES: u64 = 16 << 30;

/// What stays free of the file system that the store is in, whatever is unpacked.
const KEPT_FREE_BYTES: u64 = 1 << 30;

/// The most bytes that layers which nobody uses may take together.
pub const MAX_STORE_BYTES: u64 = 20 << 30;

/// Layers that nobody used for so long are removed.
const KEPT: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// A directory of unpacked layers.
#[derive(Debug, Clone)]
pub struct Store {
    directory: PathBuf,
    owner: Owner,
}

/// A layer that is being unpacked.
#[derive(Debug)]
pub struct Pending {
    /// Where its files are written.
    pub unpacking: Unpacking,
    temporary: PathBuf,
    place: PathBuf,
    /// Tells other processes that this is no leftover.
    _lock: OwnedFd,
}

/// A layer that stays in the store as long as this lives.
#[derive(Debug)]
pub struct Held {
    /// The directory with its files, relative to [`Store::directory`].
    pub files: String,
    _lock: OwnedFd,
}

impl Store {
    /// Opens a store, and makes it where it is missing. `owner` shall own the files.
    ///
    /// # Errors
    /// When the directory cannot be made, or belongs to another user.
    pub fn open(directory: impl Into<PathBuf>, owner: Owner) -> io::Result<Self> {
        let directory = directory.into();
        std::fs::create_dir_all(directory.join("layers"))?;
        for made in [directory.clone(), directory.join("layers")] {
            if let Some((user, group)) = owner {
                std::os::unix::fs::lchown(&made, Some(user), Some(group))?;
            }
            let found = std::os::unix::fs::MetadataExt::uid(&std::fs::symlink_metadata(&made)?);
            let wanted = owner.map_or_else(|| rustix::process::geteuid().as_raw(), |(user, _)| user);
            if found != wanted {
                let why = format!("{} belongs to user {found}", made.display());
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
            }
        }
        Ok(Self { directory, owner })
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Who owns the files.
    #[must_use]
    pub const fn owner(&self) -> Owner {
        self.owner
    }

    fn name(descriptor: &Descriptor) -> String {
        // The digest is checked hexadecimal: it cannot name another directory.
        format!("{}-{}", descriptor.digest.algorithm().name(), descriptor.digest.hex())
    }

    /// Whether the layer is there.
    #[must_use]
    pub fn has(&self, descriptor: &Descriptor) -> bool {
        self.directory.join("layers").join(Self::name(descriptor)).is_dir()
    }

    /// Keeps the layer in the store as long as the result lives; `None` where it is not there.
    ///
    /// # Errors
    /// When it is there and cannot be opened.
    pub fn hold(&self, descriptor: &Descriptor) -> io::Result<Option<Held>> {
        let name = format!("layers/{}", Self::name(descriptor));
        let directory = match File::open(self.directory.join(&name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        fs::flock(&directory, FlockOperation::LockShared)?;
        // Marks it as used. It may have been removed just before the lock was had.
        let now = SystemTime::now();
        let _ = directory.set_modified(now);
        let still = self.directory.join(&name).is_dir();
        Ok(still.then(|| Held { files: format!("{name}/files"), _lock: directory.into() }))
    }

    /// Waits until nobody else unpacks this layer; `None` where that cannot be known.
    pub(super) fn lock(&self, descriptor: &Descriptor) -> Option<Lock> {
        lock::exclusive(&self.directory, &descriptor.digest)
    }

    /// Begins to unpack a layer.
    ///
    /// # Errors
    /// When its directory cannot be made.
    pub fn begin(&self, descriptor: &Descriptor) -> io::Result<Pending> {
        let layers = self.directory.join("layers");
        let temporary = tempfile::Builder::new().prefix(".unpacking-").tempdir_in(&layers)?.keep();
        let made = || -> io::Result<Pending> {
            let lock = File::open(&temporary)?;
            fs::flock(&lock, FlockOperation::LockExclusive)?;
            // tempfile's is for its user alone; the sandbox's user must get through.
            std::fs::set_permissions(&temporary, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
            let files = temporary.join("files");
            std::fs::create_dir(&files)?;
            if let Some((user, group)) = self.owner {
                std::os::unix::fs::chown(&temporary, Some(user), Some(group))?;
                std::os::unix::fs::chown(&files, Some(user), Some(group))?;
            }
            let root = fs::open(&files, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
            Ok(Pending {
                unpacking: Unpacking::new(root, self.owner, self.room().min(MAX_UNPACKED_BYTES)),
                place: layers.join(Self::name(descriptor)),
                temporary: temporary.clone(),
                _lock: lock.into(),
            })
        };
        made().inspect_err(|_| remove(&temporary))
    }

    /// How many bytes one layer may take: a part of what is free, since several are unpacked at a time.
    fn room(&self) -> u64 {
        let free = fs::statvfs(&self.directory).map_or(u64::MAX, |of| of.f_bavail.saturating_mul(of.f_frsize));
        free.saturating_sub(KEPT_FREE_BYTES) / 4
    }

    /// Removes what was left behind by who was killed while unpacking.
    pub fn remove_leftovers(&self) {
        for entry in std::fs::read_dir(self.directory.join("layers")).into_iter().flatten().flatten() {
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                remove_unheld(&entry.path());
            }
        }
    }

    /// Removes what was left behind, what was not used for long, and the oldest beyond `most` bytes; never what
    /// somebody holds.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn prune(&self, now: SystemTime, most: u64) -> io::Result<()> {
        let mut layers = Vec::new();
        for entry in std::fs::read_dir(self.directory.join("layers"))? {
            let entry = entry?;
            let used = entry.metadata().and_then(|m| m.modified()).unwrap_or(now);
            let pending = entry.file_name().as_encoded_bytes().starts_with(b".");
            layers.push((used, entry.path(), pending));
        }
        layers.sort_by_key(|(used, ..)| std::cmp::Reverse(*used));
        let mut total = 0_u64;
        for (used, path, pending) in layers {
            total = total.saturating_add(if pending { 0 } else { size(&path) });
            let old = now.duration_since(used).is_ok_and(|age| age > KEPT);
            if pending || old || total > most {
                remove_unheld(&path);
            }
        }
        Ok(())
    }
}

impl Pending {
    /// Gives the layer its name: its blob was read whole and is the right one.
    ///
    /// # Errors
    /// When something could not be written.
    pub fn commit(self) -> io::Result<()> {
        let Self { unpacking, temporary, place, _lock } = self;
        let bytes = unpacking.written();
        let done = unpacking.finish().and_then(|()| std::fs::write(temporary.join("bytes"), bytes.to_string()));
        if let Err(error) = done {
            remove(&temporary);
            return Err(error);
        }
        match std::fs::rename(&temporary, &place) {
            // Another process was faster, with the same content.
            Err(_) if place.is_dir() => {
                remove(&temporary);
                Ok(())
            }
            other => other,
        }
    }

    /// Removes what was written.
    pub fn discard(self) {
        remove(&self.temporary);
    }
}

/// How many bytes a layer's files have, as noted when it was written.
fn size(layer: &Path) -> u64 {
    std::fs::read_to_string(layer.join("bytes")).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Removes a layer unless somebody holds it.
fn remove_unheld(path: &Path) {
    let Ok(directory) = File::open(path) else { return };
    if fs::flock(&directory, FlockOperation::NonBlockingLockExclusive).is_ok() {
        take_away(path);
    }
}

/// Removes a directory, as far as that can be done; never through a link.
pub fn remove(path: &Path) {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return };
    if let Ok(parent) = fs::open(parent, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
        let _ = remove_tree(parent.as_fd(), name.as_encoded_bytes());
    }
}

/// Removes a layer of the store.
fn take_away(path: &Path) {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return };
    // First its name goes, so that nobody takes half of it for the whole. One that has no name yet is left as it is.
    let aside = parent.join(format!(".removing-{}-{}", std::process::id(), name.to_string_lossy()));
    if name.as_encoded_bytes().starts_with(b".") || std::fs::rename(path, &aside).is_err() {
        remove(path);
    } else {
        remove(&aside);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::digest::Digest;

    fn descriptor(of: &[u8]) -> Descriptor {
        Descriptor::new("layer", Digest::of(of), of.len() as u64)
    }

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), None).unwrap();
        (directory, store)
    }

    /// Puts a layer of so many bytes into the store, last used so many days ago.
    fn put(store: &Store, name: &[u8], bytes: u64, days: u64) {
        let pending = store.begin(&descriptor(name)).unwrap();
        std::fs::write(pending.temporary.join("files/file"), name).unwrap();
        pending.commit().unwrap();
        let layer = store.directory().join("layers").join(Store::name(&descriptor(name)));
        std::fs::write(layer.join("bytes"), bytes.to_string()).unwrap();
        let used = SystemTime::now() - Duration::from_secs(days * 24 * 60 * 60);
        File::open(layer).unwrap().set_modified(used).unwrap();
    }

    #[test]
    fn a_layer_has_its_name_when_it_is_whole() {
        let (_directory, store) = store();
        let pending = store.begin(&descriptor(b"a")).unwrap();
        assert!(!store.has(&descriptor(b"a")));
        assert!(store.hold(&descriptor(b"a")).unwrap().is_none());
        pending.commit().unwrap();
        assert!(store.has(&descriptor(b"a")) && !store.has(&descriptor(b"b")));
        let held = store.hold(&descriptor(b"a")).unwrap().unwrap();
        assert!(store.directory().join(held.files).is_dir());
    }

    #[test]
    fn two_who_unpack_the_same_both_succeed() {
        let (_directory, store) = store();
        let (first, second) = (store.begin(&descriptor(b"a")).unwrap(), store.begin(&descriptor(b"a")).unwrap());
        first.commit().unwrap();
        second.commit().unwrap();
        let left = std::fs::read_dir(store.directory().join("layers")).unwrap().count();
        assert!(store.has(&descriptor(b"a")) && left == 1);
    }

    #[test]
    fn what_is_discarded_is_gone() {
        let (_directory, store) = store();
        store.begin(&descriptor(b"a")).unwrap().discard();
        assert_eq!(std::fs::read_dir(store.directory().join("layers")).unwrap().count(), 0);
    }

    #[test]
    fn old_layers_and_those_beyond_the_size_go_and_held_ones_stay() {
        let (_directory, store) = store();
        for (name, bytes, days) in [(b"old", 1, 30), (b"mid", 60, 2), (b"new", 60, 0), (b"use", 1, 31)] {
            put(&store, name, bytes, days);
        }
        let held = store.hold(&descriptor(b"use")).unwrap();
        // Holding marks it as used; made old again, it is held all the same.
        put_back(&store, b"use", 40);
        store.prune(SystemTime::now(), 100).unwrap();
        let has = [b"old", b"mid", b"new", b"use"].map(|name| store.has(&descriptor(name)));
        assert_eq!(has, [false, false, true, true]);
        drop(held);
        store.prune(SystemTime::now(), 100).unwrap();
        assert!(!store.has(&descriptor(b"use")));
    }

    fn put_back(store: &Store, name: &[u8], days: u64) {
        let layer = store.directory().join("layers").join(Store::name(&descriptor(name)));
        let used = SystemTime::now() - Duration::from_secs(days * 24 * 60 * 60);
        File::open(layer).unwrap().set_modified(used).unwrap();
    }

    #[test]
    fn leftovers_go_and_what_is_being_unpacked_stays() {
        let (_directory, store) = store();
        let leftover = store.directory().join("layers/.unpacking-left");
        std::fs::create_dir_all(leftover.join("files/a")).unwrap();
        let pending = store.begin(&descriptor(b"a")).unwrap();
        store.prune(SystemTime::now(), u64::MAX).unwrap();
        assert!(!leftover.exists());
        pending.commit().unwrap();
        assert!(store.has(&descriptor(b"a")));
    }
}
