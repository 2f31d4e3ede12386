//! What a sandbox leaves behind: nothing, however it ends.

use super::*;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// mpcheck in the middle of a command, with a directory for its temporary files and another for its cache.
struct Started {
    mpcheck: Child,
    directory: tempfile::TempDir,
    _image: Place,
    mark: String,
}

impl Started {
    fn new() -> Started {
        let (mark, directory) = (unique(), tempfile::tempdir().unwrap());
        let place = Place::with(&Index::new().images(["linux/amd64", "linux/arm64"].map(|p| image(p, []))).forge());
        let mpcheck = Command::new(env!("CARGO_BIN_EXE_mpcheck"))
            .args(["--run", "sandbox", "--no-cache", "--command", &format!("sleep {mark}")])
            .arg(place.path())
            .env("TMPDIR", directory.path())
            .env("HOME", directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let started = Started { mpcheck, directory, _image: place, mark };
        started.until("both platforms sleep", |started| running(&started.mark) >= 2);
        started
    }

    fn until(&self, what: &str, done: impl Fn(&Started) -> bool) {
        let begun = Instant::now();
        while !done(self) {
            assert!(begun.elapsed() < Duration::from_secs(60), "this did not come: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.mpcheck.kill();
        let _ = self.mpcheck.wait();
    }
}

#[rstest]
#[case("INT", 2)]
#[case("TERM", 15)]
#[case("HUP", 1)]
#[case("KILL", 9)]
fn nothing_is_left_after_a_signal(#[case] name: &str, #[case] number: i32) {
    use std::os::unix::process::ExitStatusExt as _;
    let mut started = Started::new();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let kill = Command::new("kill").args([&format!("-{name}"), &started.mpcheck.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(started.mpcheck.wait().unwrap().signal(), Some(number));
    started.until("no process is left", |started| running(&started.mark) == 0);
    started.until("no directory is left", |started| std::fs::read_dir(started.directory.path()).unwrap().count() == 0);
    assert_eq!(std::fs::read_to_string("/proc/self/mountinfo").unwrap(), mounts);
}

#[rstest]
#[case::without_a_cache("TERM", true)]
#[case::with_a_cache("INT", false)]
#[case::killed("KILL", false)]
fn nothing_is_left_of_layers_that_were_being_unpacked(#[case] signal: &str, #[case] no_cache: bool) {
    let directory = tempfile::tempdir().unwrap();
    // Enough files that it takes a while.
    let files = (0..60_000).fold(Layer::new(), |layer, n| layer.file(format!("f/{}/{n}", n % 100), 0o644, "x"));
    let place = Place::with(&Index::new().image(image("linux/amd64", [files])).forge());
    let mut command = Command::new(env!("CARGO_BIN_EXE_mpcheck"));
    command.args(["--run", "sandbox"]).arg(place.path()).env("TMPDIR", directory.path()).env("HOME", directory.path());
    command.env_remove("XDG_CACHE_HOME").stdout(Stdio::null()).stderr(Stdio::null());
    if no_cache {
        command.arg("--no-cache");
    }
    let mut mpcheck = command.spawn().unwrap();
    // What goes while it looks makes it fail, and is none of what it prints.
    let found = |name: &str| {
        let output = Command::new("find").arg(directory.path()).args(["-name", name]).output().unwrap();
        output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).count()
    };
    let begun = Instant::now();
    while found(".unpacking-*") == 0 && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(2));
    }
    let _ = Command::new("kill").args([&format!("-{signal}"), &mpcheck.id().to_string()]).status().unwrap();
    assert_eq!(mpcheck.wait().unwrap().code(), None, "it was over before it was killed");
    let begun = Instant::now();
    while found(".unpacking-*") + found(".removing-*") + found("mpcheck-*") > 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "something is left");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_ignores_sigterm_is_killed_when_its_time_is_over() {
    let mark = unique();
    let command = format!("sh -c 'trap \"\" TERM INT HUP; sleep {mark} & sleep {mark}; sleep {mark}'");
    let outcome = run("linux/arm64", [], &["--timeout", "1s", "--command", &command, "--command", "true"]);
    assert_eq!(rules(&outcome), ["run/timeout"], "{}", outcome.all());
    assert_eq!(running(&mark), 0);
}

#[test]
fn a_fork_bomb_ends_with_its_command() {
    let mark = unique();
    let bomb = format!("sh -c 'f() {{ sleep {mark} & f | f & }}; f; sleep {mark}'");
    let outcome = run("linux/amd64", [], &["--timeout", "3s", "--command", &bomb, "--command", "true"]);
    assert!(rules(&outcome).iter().all(|rule| matches!(rule.as_str(), "run/timeout" | "run/command-failed")));
    assert_eq!(rules(&outcome).len(), 1, "{}", outcome.all());
    assert_eq!(running(&mark), 0);
}

#[test]
fn nothing_of_one_command_is_left_for_the_next() {
    let mark = unique();
    let leaves = format!("sh -c 'sleep {mark} & exit 0'");
    let counts = "sh -c 'test $(busybox grep -ls sleep /proc/[0-9]*/comm | busybox wc -l) = 0'";
    assert_ran(&run("linux/amd64", [], &["--command", &leaves, "--command", counts]));
}

/// How many processes of this machine have this word among their arguments, mpcheck's own aside.
pub(super) fn running(mark: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| std::fs::read(process.path().join("cmdline")).ok())
        .filter(|line| line.split(|&byte| byte == 0).any(|word| word == mark.as_bytes()))
        .count()
}

/// A number that no other process has in its arguments.
pub(super) fn unique() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("9{}{:03}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
