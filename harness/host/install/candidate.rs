//! An emulator that can be registered: what it says of itself, and who can change it.

use super::step::Step;
use crate::host::direct;
use crate::host::readiness::version_in;
use crate::run::{Exit, NotReady};
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long an emulator may take to say its version.
const TIMEOUT: Duration = Duration::from_secs(10);

/// An emulator that can be registered.
pub(super) struct Candidate {
    /// Where the kernel will find it.
    pub(super) path: PathBuf,
    /// What has to be done for that.
    pub(super) place: Option<Step>,
    pub(super) version: String,
    /// Whether it knows flag P.
    pub(super) argv0: bool,
}

/// What an emulator says of its version, by which it also shows that it starts on this machine.
pub(super) fn asked_version(file: &Path) -> Result<String, NotReady> {
    let failed = |what: String| {
        NotReady::new(format!("{} {what}", file.display()), "use another, such as `--emulators tonistiigi/binfmt`")
    };
    let bytes = fs::read(file).map_err(|error| failed(format!("cannot be read: {error}")))?;
    let ended = direct::run(&bytes, &[("QEMU_VERSION", "1")], TIMEOUT).map_err(|error| failed(error.to_string()))?;
    match version_in(&String::from_utf8_lossy(&ended.stdout.bytes)) {
        Some(version) => Ok(version),
        None if ended.exit == Exit::TimedOut => Err(failed("does not end when it is asked for its version".to_owned())),
        None => Err(failed("does not say its version, and so is no qemu that works here".to_owned())),
    }
}

/// Whoever can write to an emulator can change what programs with set-user-ID do: they start with its credentials (flag C).
pub(super) fn only_roots(file: &Path) -> Result<(), NotReady> {
    let unknown = |error: io::Error| NotReady::new(format!("{}: {error}", file.display()), "");
    // Whoever can write to a directory on the way can put another file there.
    let whole = fs::canonicalize(file).map_err(unknown)?;
    let mut open = None;
    for path in whole.ancestors() {
        let meta = fs::metadata(path).map_err(unknown)?;
        if meta.uid() != rustix::process::geteuid().as_raw() || meta.permissions().mode() & 0o022 != 0 {
            open = Some(path);
        }
    }
    let Some(file) = open else { return Ok(()) };
    // Of another user's run nothing is registered, so the message about that comes first; and in a user namespace that has
    // not all users the owner cannot be seen, nor anybody be given more than that namespace has.
    let users = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    if !rustix::process::geteuid().is_root() || users.split_whitespace().ne(["0", "0", "4294967295"]) {
        return Ok(());
    }
    let why = format!("others than root may write to {}, which set-user-ID programs would run under", file.display());
    Err(NotReady::new(why, format!("`chown root: {0} && chmod 755 {0}`, or use another", file.display())))
}

/// Whether two files have the same bytes; a link has none.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    let read = |path: &Path| -> io::Result<Vec<u8>> {
        let meta = fs::symlink_metadata(path)?;
        if meta.is_file() { fs::read(path) } else { Err(io::ErrorKind::InvalidInput.into()) }
    };
    read(one).is_ok_and(|left| read(other).is_ok_and(|right| left == right))
}
