//! Locks between processes: what one of them reads, others that want the same wait for, and find it.
//!
//! They are `flock`s on empty files (flock(2)), so the kernel takes them back however a process ends. Where there can be
//! none (a cache that is read-only, a file system without locks), everybody reads for themselves: a lock saves work and
//! decides nothing.

use super::digest::Digest;
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use std::fs::File;
use std::path::Path;
use std::time::SystemTime;

/// Where the files are, below a cache or a store.
pub(super) const LOCKS: &str = "locks";

/// A lock, until it is dropped.
#[derive(Debug)]
#[must_use = "it is given back when it is dropped"]
pub(super) struct Lock(#[allow(dead_code)] File); // it is there to be closed

/// Waits until nobody else has the lock of this digest in this directory. `None` where there can be none.
pub(super) fn exclusive(directory: &Path, digest: &Digest) -> Option<Lock> {
    let locks = directory.join(LOCKS);
    std::fs::create_dir_all(&locks).ok()?;
    // The digest is checked hexadecimal: it cannot name another directory.
    let path = locks.join(format!("{}-{}", digest.algorithm().name(), digest.hex()));
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(open(path, flags, Mode::RUSR | Mode::WUSR).ok()?);
    rustix::io::retry_on_intr(|| flock(&file, FlockOperation::LockExclusive)).ok()?;
    // Marks it as used.
    let _ = file.set_modified(SystemTime::now());
    Some(Lock(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn one_at_a_time_has_the_lock_of_a_digest() {
        let directory = tempfile::tempdir().unwrap();
        let digest = Digest::of(b"a");
        let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|threads| {
            for _ in 0..8 {
                threads.spawn(|| {
                    for _ in 0..50 {
                        let lock = exclusive(directory.path(), &digest).unwrap();
                        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(lock);
                    }
                });
            }
        });
        assert_eq!(most.into_inner(), 1);
    }

    #[test]
    fn digests_have_locks_of_their_own() {
        let directory = tempfile::tempdir().unwrap();
        let first = exclusive(directory.path(), &Digest::of(b"a"));
        // This would wait for ever.
        let second = exclusive(directory.path(), &Digest::of(b"b"));
        assert!(first.is_some() && second.is_some());
    }

    #[test]
    fn where_there_can_be_none_there_is_none() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(LOCKS), "").unwrap();
        assert!(exclusive(directory.path(), &Digest::of(b"a")).is_none());
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join(LOCKS)).unwrap();
        std::os::unix::fs::symlink(
            "/etc/hostname",
            directory.path().join(LOCKS).join(format!("sha256-{}", Digest::of(b"a").hex())),
        )
        .unwrap();
        assert!(exclusive(directory.path(), &Digest::of(b"a")).is_none());
        let mode = |mode| std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(directory.path(), mode(0o755)).unwrap();
    }
}
