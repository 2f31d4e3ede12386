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

    /// The bytes of memory that its processes have for themselves; what they share with files is not counted.
    pub(super) fn resident(&self) -> u64 {
        let Ok(processes) = fs::read_dir("/proc") else { return 0 };
        processes
            .flatten()
            .filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit))
            .map(|entry| entry.path())
            .filter(|path| fs::read_link(path.join("ns/pid")).is_ok_and(|name| name.as_os_str() == self.0))
            .filter_map(|path| private(&fs::read_to_string(path.join("statm")).ok()?))
            .sum()
    }
}

/// Resident pages less the shared ones, in bytes.
fn private(statm: &str) -> Option<u64> {
    let mut fields = statm.split(' ').skip(1).map(|field| field.parse::<u64>().ok());
    let (resident, shared) = (fields.next()??, fields.next()??);
    Some(resident.saturating_sub(shared).saturating_mul(rustix::param::page_size() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_memory_is_resident_less_shared() {
        let page = rustix::param::page_size() as u64;
        assert_eq!(private("100 30 10 1 0 20 0"), Some(20 * page));
        assert_eq!(private("100 10 30 1 0 20 0"), Some(0));
        assert_eq!(private(""), None);
    }

    #[test]
    fn this_process_counts_in_its_namespace() {
        let own = Namespace::of(rustix::process::getpid()).unwrap();
        assert!(own.resident() > 1 << 20);
    }
}
