//! What registers an emulator at the next boot: a file of binfmt.d(5), which systemd-binfmt reads, and OpenRC's service
//! binfmt.

use super::entry::{broken, fault};
use super::step::Step;
use crate::host::interpreter::Interpreter;
use crate::host::registration::{self, Registered, Registration};
use crate::platform::Architecture;
use crate::run::NotReady;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Where our files are. Of all directories of binfmt.d the files are read in the order of their names, and what comes
/// later is asked first: ours come after a distribution's.
const DIRECTORY: &str = "/etc/binfmt.d";
/// The first line of each, by which they are known again.
const MARK: &str = "# Written by `mpcheck host install --persist`; `mpcheck host uninstall` removes it.";
/// Where emulators out of an image lie: the path has to be there at the next boot, and nobody but root may write it.
const EMULATORS: &str = "/usr/local/lib/mpcheck/emulators";

/// Where an emulator out of an image lies.
pub(super) fn place(emulator: &str) -> PathBuf {
    Path::new(EMULATORS).join(format!("qemu-{emulator}"))
}

fn file(emulator: &str) -> PathBuf {
    Path::new(DIRECTORY).join(format!("zz-mpcheck-qemu-{emulator}.conf"))
}

/// The file that registers programs of an architecture at boot, so that they run in containers, if there is one; `whole`:
/// also with the flags that `install` gives.
pub(super) fn registered(row: &Architecture, whole: bool) -> Option<String> {
    let is_sound = |registration: &Registration| match &registration.what {
        Registered::Handler(handler) => {
            let file = Interpreter::read(Path::new(&handler.interpreter));
            let fault = if whole { fault(handler, row, &file, false) } else { broken(handler, row, &file) };
            // Unlike what is registered now, what is to be opened at boot has to be there.
            file == Interpreter::Static && fault.is_none()
        }
        Registered::Name(_) => true,
    };
    let mut all = registration::read(Path::new("/"));
    all.retain(|registration| registration.is_for(row) && is_sound(registration));
    all.pop().map(|registration| registration.file)
}

/// Writes the file for an entry, unless it is there.
///
/// # Errors
/// When a file of that name is somebody else's.
pub(super) fn write(emulator: &str, line: &str) -> Result<Option<Step>, NotReady> {
    let file = file(emulator);
    let lines = vec![MARK.to_owned(), line.to_owned()];
    match is_ours(&file) {
        Some(text) if text.lines().eq(lines.iter().map(String::as_str)) => Ok(None),
        None if fs::symlink_metadata(&file).is_ok() => {
            let why = format!("{} is there, and mpcheck did not write it", file.display());
            Err(NotReady::new(why, "move it away, and try again"))
        }
        _ => Ok(Some(Step::Write { file, lines })),
    }
}

/// Removes what was written for an architecture.
pub(super) fn remove(emulator: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let file = file(emulator);
    if is_ours(&file).is_some() {
        steps.push(Step::Delete(file));
    }
    let place = place(emulator);
    // Whatever lies there: the directory is ours, and a link is not followed.
    if fs::symlink_metadata(&place).is_ok_and(|meta| !meta.is_dir()) {
        steps.push(Step::Delete(place));
    }
    steps
}

/// Takes away directories of ours that are empty now.
pub(super) fn tidy() {
    let own = Path::new(EMULATORS);
    for directory in [Some(own), own.parent()].into_iter().flatten() {
        // One that has something in it stays.
        let _ = fs::remove_dir(directory);
    }
}

/// The text of a file, if it is one of ours.
fn is_ours(file: &Path) -> Option<String> {
    let meta = fs::symlink_metadata(file).ok().filter(fs::Metadata::is_file)?;
    let mut text = String::new();
    fs::File::open(file).ok()?.take(meta.len().min(64 * 1024)).read_to_string(&mut text).ok()?;
    text.starts_with(MARK).then_some(text)
}

/// What is to be said where nobody reads our files at boot.
pub(super) fn nobody_reads() -> Option<String> {
    let exists = |path: &str| Path::new(path).exists();
    let systemd = exists("/run/systemd/system");
    let binfmt = exists("/usr/lib/systemd/systemd-binfmt") || exists("/lib/systemd/systemd-binfmt");
    reader(systemd, binfmt, exists("/etc/init.d/binfmt"))
}

fn reader(systemd: bool, systemd_binfmt: bool, openrc: bool) -> Option<String> {
    let otherwise = "run `mpcheck host install` at each boot, from a unit or from cron's @reboot";
    match (systemd, systemd_binfmt, openrc) {
        (true, true, _) => None,
        (true, false, _) => {
            Some(format!("systemd has no systemd-binfmt here, so nothing reads {DIRECTORY} at boot: {otherwise}"))
        }
        (false, _, true) => Some(format!(
            "systemd does not run here; OpenRC's service reads {DIRECTORY} once it is switched on: `rc-update add binfmt boot`"
        )),
        (false, _, false) => {
            Some(format!("systemd does not run here, so nothing reads {DIRECTORY} at boot: {otherwise}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(true, true, false, None)]
    #[case(true, false, false, Some("no systemd-binfmt"))]
    #[case(false, false, true, Some("rc-update add binfmt boot"))]
    #[case(false, true, false, Some("@reboot"))]
    fn where_nobody_reads_them_is_told(
        #[case] systemd: bool,
        #[case] binfmt: bool,
        #[case] openrc: bool,
        #[case] wanted: Option<&str>,
    ) {
        let found = reader(systemd, binfmt, openrc);
        assert_eq!(found.is_some(), wanted.is_some(), "{found:?}");
        assert!(wanted.is_none_or(|part| found.unwrap_or_default().contains(part)));
    }

    #[test]
    fn only_a_file_with_our_mark_is_ours() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.conf");
        assert_eq!(is_ours(&path), None);
        fs::write(&path, ":qemu-arm:M::x::/q:F\n").unwrap();
        assert_eq!(is_ours(&path), None);
        fs::write(&path, format!("{MARK}\n:qemu-arm:M::x::/q:F\n")).unwrap();
        assert!(is_ours(&path).is_some());
        let link = root.path().join("b.conf");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(is_ours(&link), None);
    }

    #[test]
    fn ours_are_read_after_a_distributions_of_the_same_emulator() {
        assert!(file("aarch64").file_name().unwrap() > Path::new("qemu-aarch64.conf").as_os_str());
    }
}
