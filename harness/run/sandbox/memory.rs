//! How much memory the processes of a PID namespace take together.
//!
//! Limits of the kernel are per process (`RLIMIT_DATA`); a control group would count them all, and an
//! unprivileged user seldom has one. So they are counted from outside, by proc(5).

use rustix::process::Pid;
use std::ffi::OsString;
use std::fs;

/// A PID namespace, by the name that the kernel gives it.
#[derive(Debug)]
pub(super) struct Namespace(OsString);

impl Namespace {
    /// The namespace that a process is in.
    pub(super) fn of(pid: Pid) -> Option<Self> {
        Some(Self(fs::read_link(format!("/proc/{}/ns/pid", pid.as_raw_nonzero())).ok()?.into_os_string()))
    }

    /// The bytes of memory that its processes have: their own, their parts of what they share, and what was swapped out,
    /// but not what can be read again from files.
    pub(super) fn resident(&self) -> u64 {
        let Ok(processes) = fs::read_dir("/proc") else { return 0 };
        processes
            .flatten()
            .filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit))
            .map(|entry| entry.path())
            .filter(|path| fs::read_link(path.join("ns/pid")).is_ok_and(|name| name.as_os_str() == self.0))
            .filter_map(|path| Some(anonymous(&fs::read_to_string(path.join("smaps_rollup")).ok()?)))
            .sum()
    }
}

/// The anonymous, shared and swapped bytes of a `smaps_rollup` (proc_pid_smaps(5)), each proportional.
fn anonymous(rollup: &str) -> u64 {
    let of = |line: &str| {
        let (name, value) = line.split_once(':')?;
        let counts = matches!(name, "Pss_Anon" | "Pss_Shmem" | "SwapPss");
        counts.then(|| value.trim().strip_suffix(" kB")?.parse::<u64>().ok())?
    };
    rollup.lines().filter_map(of).sum::<u64>().saturating_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anonymous_shared_and_swapped_memory_counts_and_files_do_not() {
        let rollup = "5500-7ff0 ---p 00000000 00:00 0    [rollup]\nRss:   900 kB\nPss:   800 kB\nPss_Anon:   10 kB\n\
                      Pss_File:   700 kB\nPss_Shmem:   20 kB\nSwap:   90 kB\nSwapPss:   3 kB\n";
        assert_eq!(anonymous(rollup), 33 * 1024);
        assert_eq!(anonymous(""), 0);
    }

    #[test]
    fn this_process_counts_in_its_namespace() {
        let own = Namespace::of(rustix::process::getpid()).unwrap();
        assert!(own.resident() > 1 << 20);
    }
}
