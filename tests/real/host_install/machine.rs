//! On this machine, as root: for loong64, which no other test here emulates, one test at a time, and its entries are
//! afterwards as they were.

use super::{AS_IT_IS, Ended, REGISTRY, line};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The machine's registry is one, and so is the test that changes it.
static ONE: Mutex<()> = Mutex::new(());

/// The machine's registry, for the time of a test. What was registered meanwhile for loong64 goes, also after a panic.
pub(super) struct Registry {
    before: BTreeMap<String, String>,
    _one: MutexGuard<'static, ()>,
}

impl Registry {
    pub(super) fn new() -> Self {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(Path::new(REGISTRY).join("register").exists(), "tests/parts/run.sh mounts {REGISTRY}");
        Self { before: entries(), _one: one }
    }

    /// Nothing was changed, but by this test.
    fn assert_as_before(&self) {
        assert_eq!(entries(), self.before);
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        for name in entries().into_keys().filter(|name| !self.before.contains_key(name)) {
            let _ = fs::write(Path::new(REGISTRY).join(name), "-1");
        }
    }
}

/// An entry of this machine, for the time of a test.
pub(super) struct Entry {
    _registry: Registry,
}

impl Entry {
    pub(super) fn new(architecture: &str, name: &str, interpreter: &str, flags: &str) -> Self {
        let registry = Registry::new();
        fs::write(Path::new(REGISTRY).join("register"), line(architecture, name, interpreter, flags, AS_IT_IS))
            .unwrap();
        Self { _registry: registry }
    }
}

/// All entries for loong64: those of other tests come and go.
fn entries() -> BTreeMap<String, String> {
    let magic = "magic 7f454c4602010100000000000000000002000201";
    let entry = |path: PathBuf| Some((path.file_name()?.to_str()?.to_owned(), fs::read_to_string(path).ok()?));
    let all = fs::read_dir(REGISTRY).unwrap().filter_map(|found| entry(found.ok()?.path()));
    all.filter(|(_, text)| text.contains(magic)).collect()
}

fn mpcheck(words: &[&str]) -> Ended {
    let cache = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mpcheck"));
    Ended::of(command.arg("host").args(words).env("XDG_CACHE_HOME", cache.path()))
}

#[test]
fn root_installs_and_removes_on_the_machine_itself() {
    let registry = Registry::new();
    assert!(registry.before.is_empty(), "somebody emulates loong64 here: {:?}", registry.before);
    mpcheck(&["install", "loong64"]).says(0, &["linux/loong64 ✓ installed, qemu-loongarch64 ", "(F, C, P)"]);
    let text = entries().remove("qemu-loongarch64").unwrap();
    assert!(text.contains("flags: POCF") && text.starts_with("enabled\n"), "{text}");
    mpcheck(&["install", "linux/loong64"]).says(0, &["linux/loong64 ✓ already there"]);
    assert_eq!(entries().remove("qemu-loongarch64").unwrap(), text);
    mpcheck(&["uninstall", "loongarch64", "--dry-run"])
        .says(0, &["echo -1 > /proc/sys/fs/binfmt_misc/qemu-loongarch64\n"]);
    assert_eq!(entries().len(), 1);
    mpcheck(&["uninstall", "loong64", "--quiet"]).says(0, &["linux/loong64 ✓ removed\n"]);
    registry.assert_as_before();
    mpcheck(&["uninstall", "loong64", "--quiet"]).says(0, &["linux/loong64 ✓ was not there\n"]);
}

/// Whoever can write to it could have set-user-ID programs do anything.
#[test]
fn an_emulator_that_others_can_change_is_refused() {
    let registry = Registry::new();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("qemu-loongarch64-static");
    fs::copy("/usr/bin/qemu-loongarch64-static", &file).unwrap();
    std::os::unix::fs::chown(&file, Some(super::NOBODY), None).unwrap();
    let path = format!("{}:/usr/bin:/bin", directory.path().display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_mpcheck"));
    command.args(["host", "install", "loong64"]).env("PATH", path).env("XDG_CACHE_HOME", directory.path());
    Ended::of(&mut command).says(3, &["linux/loong64 ✗ others than root may write to "]);
    registry.assert_as_before();
}
