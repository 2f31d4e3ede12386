//! The cache of layer facts, by the digest of the layer's blob.
//!
//! An entry is a file of its own: a header with the version of the facts, the
//! digest and size of the blob that they were read from, and a checksum; then the
//! facts. What does not fit in every point is as good as absent. Only layers whose
//! blob was read whole and has the digest it should have are kept.
//!
//! What a blob holds and whether a place still has that blob are two questions: the
//! second is answered by a seal, which is noted when the bytes of one place were verified.
//! Without the fitting seal the blob is hashed again, and only its unpacking is saved.

use super::descriptor::Descriptor;
use super::digest::Digest;
use super::layer::LayerFacts;
use super::lock::{self, LOCKS, Lock};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Bumped whenever [`LayerFacts`] or anything in it changes its shape or its meaning.
const VERSION: u32 = 2;

/// The largest entry that is read, compressed and decompressed, in bytes.
const MAX_ENTRY_BYTES: u64 = 1 << 30;

/// Entries that nobody used for so long are removed.
const KEPT: Duration = Duration::from_secs(60 * 24 * 60 * 60);

/// A directory of layer facts.
#[derive(Debug, Clone)]
pub struct Cache {
    directory: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    digest: Digest,
    size: u64,
    /// SHA-256 of the facts' bytes: a file cut short or bent is noticed.
    checksum: Digest,
}

impl Cache {
    /// A cache in a directory, which is made when the first entry is stored.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// The user's cache directory, by the XDG base directory specification.
    ///
    /// `variable` looks up an environment variable.
    #[must_use]
    pub fn user_directory(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
        let absolute = |path: PathBuf| path.is_absolute().then_some(path);
        variable("XDG_CACHE_HOME")
            .and_then(absolute)
            .or_else(|| variable("HOME").and_then(absolute).map(|home| home.join(".cache")))
            .map(|cache| cache.join("mpcheck"))
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        // The digest is checked hexadecimal: it cannot name another directory.
        self.directory.join("layers").join(digest.algorithm().name()).join(digest.hex())
    }

    /// The facts of exactly this blob, if they are there and whole.
    #[must_use]
    pub fn load(&self, descriptor: &Descriptor) -> Option<LayerFacts> {
        let path = self.path(&descriptor.digest);
        let file = fs::File::open(&path).ok()?;
        if file.metadata().ok()?.len() > MAX_ENTRY_BYTES {
            return None;
        }
        let decoder = zstd::stream::read::Decoder::new(file).ok()?;
        let mut bytes = Vec::new();
        decoder.take(MAX_ENTRY_BYTES).read_to_end(&mut bytes).ok()?;
        let (header, facts) = postcard::take_from_bytes::<Header>(&bytes).ok()?;
        let fits = header.version == VERSION
            && header.digest == descriptor.digest
            && header.size == descriptor.size
            && header.checksum == Digest::of(facts);
        if !fits {
            return None;
        }
        let facts = postcard::from_bytes(facts).ok()?;
        // Marks the entry as used; a cache that cannot be written is still good to read.
        let _ = fs::File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
        Some(facts)
    }

    /// Keeps the facts of a blob that was read whole and verified.
    ///
    /// # Errors
    /// When the file cannot be written. The caller may go on without.
    pub fn store(&self, descriptor: &Descriptor, facts: &LayerFacts) -> io::Result<()> {
        let path = self.path(&descriptor.digest);
        let parent = path.parent().unwrap_or(&self.directory);
        fs::create_dir_all(parent)?;
        let facts = postcard::to_stdvec(facts).map_err(io::Error::other)?;
        let header = Header {
            version: VERSION,
            digest: descriptor.digest.clone(),
            size: descriptor.size,
            checksum: Digest::of(&facts),
        };
        let header = postcard::to_stdvec(&header).map_err(io::Error::other)?;
        // Written aside and renamed: a reader sees a whole entry or none, also when two runs write the same.
        let mut file = tempfile::NamedTempFile::new_in(parent)?;
        let mut encoder = zstd::stream::write::Encoder::new(&mut file, 1)?;
        encoder.write_all(&header)?;
        encoder.write_all(&facts)?;
        encoder.finish()?;
        file.persist(&path).map_err(|e| e.error)?;
        Ok(())
    }

    /// Waits until nobody else reads the blob of this digest, to ask the cache again then; `None` where that cannot be known.
    pub(super) fn lock(&self, descriptor: &Descriptor) -> Option<Lock> {
        lock::exclusive(&self.directory, &descriptor.digest)
    }

    /// Whether these bytes at this place were verified before, see [`super::source::Source::seal`].
    #[must_use]
    pub fn is_sealed(&self, descriptor: &Descriptor, seal: &str) -> bool {
        let path = self.seal_path(descriptor, seal);
        let Ok(file) = fs::File::open(path) else { return false };
        let _ = file.set_modified(SystemTime::now());
        true
    }

    /// Notes that these bytes at this place have their digest.
    ///
    /// # Errors
    /// When the file cannot be written. The caller may go on without.
    pub fn seal(&self, descriptor: &Descriptor, seal: &str) -> io::Result<()> {
        let path = self.seal_path(descriptor, seal);
        fs::create_dir_all(path.parent().unwrap_or(&self.directory))?;
        fs::File::create(path).map(drop)
    }

    fn seal_path(&self, descriptor: &Descriptor, seal: &str) -> PathBuf {
        let of = format!("{}\n{}\n{seal}", descriptor.digest, descriptor.size);
        self.directory.join("seals").join(Digest::of(of.as_bytes()).hex())
    }

    /// Removes entries that were not used for a long time.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn prune(&self, now: SystemTime) -> io::Result<()> {
        let layers = fs::read_dir(self.directory.join("layers"))?.map(|algorithm| algorithm.map(|a| a.path()));
        for directory in layers.chain(["seals", LOCKS].map(|name| Ok(self.directory.join(name)))) {
            for entry in fs::read_dir(directory?).into_iter().flatten() {
                let entry = entry?;
                let used = entry.metadata().and_then(|m| m.modified()).unwrap_or(now);
                if now.duration_since(used).is_ok_and(|age| age > KEPT) {
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
        Ok(())
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::layer::{Entry, EntryKind};

    fn facts() -> LayerFacts {
        let entry =
            Entry { path: (*b"usr/bin/env").into(), kind: EntryKind::Directory, mode: 0o755, user: 0, group: 50 };
        LayerFacts { diff_id: Digest::of(b"diff"), bytes: 4, entries: vec![entry] }
    }

    fn descriptor(of: &[u8]) -> Descriptor {
        Descriptor::new("layer", Digest::of(of), of.len() as u64)
    }

    #[test]
    fn what_is_stored_is_found_again() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::new(directory.path());
        assert_eq!(cache.load(&descriptor(b"a")), None);
        cache.store(&descriptor(b"a"), &facts()).unwrap();
        assert_eq!(cache.load(&descriptor(b"a")), Some(facts()));
    }

    #[test]
    fn an_entry_serves_no_other_digest_and_no_other_size() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::new(directory.path());
        let (a, b) = (descriptor(b"a"), descriptor(b"b"));
        cache.store(&a, &facts()).unwrap();
        fs::copy(cache.path(&a.digest), cache.path(&b.digest)).unwrap();
        assert_eq!(cache.load(&b), None);
        assert_eq!(cache.load(&Descriptor { size: 9, ..a }), None);
    }

    #[test]
    fn a_seal_is_for_one_blob_at_one_place() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::new(directory.path());
        let a = descriptor(b"a");
        assert!(!cache.is_sealed(&a, "here"));
        cache.seal(&a, "here").unwrap();
        assert!(cache.is_sealed(&a, "here"));
        assert!(!cache.is_sealed(&a, "there"));
        assert!(!cache.is_sealed(&descriptor(b"b"), "here"));
    }

    #[test]
    fn a_bent_or_cut_entry_is_absent() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::new(directory.path());
        let a = descriptor(b"a");
        cache.store(&a, &facts()).unwrap();
        let whole = fs::read(cache.path(&a.digest)).unwrap();
        for length in 0..whole.len() {
            fs::write(cache.path(&a.digest), &whole[..length]).unwrap();
            assert_eq!(cache.load(&a), None, "cut to {length}");
        }
        for at in 0..whole.len() {
            let mut bent = whole.clone();
            bent[at] ^= 0x55;
            fs::write(cache.path(&a.digest), &bent).unwrap();
            assert!(cache.load(&a).is_none_or(|found| found == facts()), "bent at {at}");
        }
    }

    #[test]
    fn old_entries_go_and_young_ones_stay() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::new(directory.path());
        cache.store(&descriptor(b"a"), &facts()).unwrap();
        cache.prune(SystemTime::now()).unwrap();
        assert!(cache.load(&descriptor(b"a")).is_some());
        cache.prune(SystemTime::now() + KEPT + Duration::from_secs(60)).unwrap();
        assert!(cache.load(&descriptor(b"a")).is_none());
    }
}
