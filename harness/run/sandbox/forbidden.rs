//! Why this host allows no sandbox, in words. The one honest test is to try; this reads what stood in the way.

use super::super::NotReady;
use super::prepared::Step;
use super::spawn::Broken;
use rustix::io::Errno;
use std::io;

/// What to do where the sandbox cannot be had at all.
const INSTEAD: &str = "or use `--run docker`";

/// What it means that the kernel may not open an emulator for execution: the copies are mpcheck's own, and executable.
pub const NOEXEC: &str = "the sandbox's emulators cannot be executed: the directory for unpacked layers is on a file \
                          system that is mounted noexec";

/// What a failure means.
pub(super) fn why(broken: &Broken) -> NotReady {
    match broken {
        Broken::Namespaces(errno) | Broken::Map(errno) => namespaces(*errno),
        Broken::Step(Step::BinfmtMisc, errno) => binfmt(*errno),
        Broken::Step(Step::Handler, Errno::ACCESS) => {
            NotReady::new(NOEXEC, format!("set XDG_CACHE_HOME to a directory elsewhere, {INSTEAD}"))
        }
        // The first thing that needs a capability in the namespace.
        Broken::Step(Step::User | Step::Mounts, errno @ (Errno::PERM | Errno::ACCESS)) => namespaces(*errno),
        Broken::Step(step, errno) => {
            let error = io::Error::from(*errno);
            NotReady::new(format!("the sandbox could not {}: {error}", step.words()), "use `--run docker`")
        }
        Broken::Gone => NotReady::new(
            "the sandbox came to an end without a word; perhaps the kernel killed it for want of memory",
            "see `dmesg`",
        ),
    }
}

/// Who forbids user namespaces: the settings that do, in the order in which they are met.
fn namespaces(errno: Errno) -> NotReady {
    let setting = |path: &str| std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let is = |path: &str, value: &str| setting(path).is_some_and(|found| found == value);
    let (why, hint) = if is("/proc/sys/user/max_user_namespaces", "0") {
        ("by user.max_user_namespaces = 0", "`sysctl -w user.max_user_namespaces=15000` as root allows them")
    } else if is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        (
            "by kernel.unprivileged_userns_clone = 0",
            "`sysctl -w kernel.unprivileged_userns_clone=1` as root allows them",
        )
    } else if is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") {
        (
            "by AppArmor (kernel.apparmor_restrict_unprivileged_userns = 1)",
            "`sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` as root allows them",
        )
    } else if in_container() {
        (
            "by the container that mpcheck runs in",
            "start that one with `--security-opt seccomp=unconfined --security-opt apparmor=unconfined`",
        )
    } else {
        ("by this host", "see `sysctl user kernel` for what limits namespaces")
    };
    let error = io::Error::from(errno);
    NotReady::new(format!("user namespaces are forbidden {why} ({error})"), format!("{hint}, {INSTEAD}"))
}

/// Whether a seccomp filter is on this process, as engines put on containers.
fn in_container() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let filtered = status.lines().any(|line| line.strip_prefix("Seccomp:").is_some_and(|mode| mode.trim() == "2"));
    filtered || std::path::Path::new("/.dockerenv").exists() || std::path::Path::new("/run/.containerenv").exists()
}

fn binfmt(errno: Errno) -> NotReady {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    if is_older(&release, (6, 7)) {
        return NotReady::new(
            format!("this kernel, {release}, has one binfmt_misc for all; the sandbox needs Linux 6.7 or later"),
            "use `--run docker`",
        );
    }
    let error = io::Error::from(errno);
    NotReady::new(
        format!("the sandbox could not mount a binfmt_misc of its own: {error}"),
        format!("`modprobe binfmt_misc` as root, where the kernel has it as a module, {INSTEAD}"),
    )
}

/// Whether a kernel's release is older than this version.
fn is_older(release: &str, than: (u32, u32)) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < than
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("6.1.0-18-amd64", true)]
    #[case("6.6.87.2-microsoft-standard-WSL2", true)]
    #[case("6.7.0", false)]
    #[case("6.18.44", false)]
    #[case("7.0.0-rc1", false)]
    #[case("5.15.0-1", true)]
    fn kernels_are_compared_by_number(#[case] release: &str, #[case] older: bool) {
        assert_eq!(is_older(release, (6, 7)), older);
    }

    #[test]
    fn every_failure_has_a_reason_and_a_next_step() {
        let all = [
            Broken::Namespaces(Errno::PERM),
            Broken::Map(Errno::PERM),
            Broken::Step(Step::BinfmtMisc, Errno::PERM),
            Broken::Step(Step::Overlay, Errno::INVAL),
            Broken::Step(Step::Handler, Errno::ACCESS),
            Broken::Gone,
        ];
        for broken in all {
            let found = why(&broken);
            assert!(!found.why.is_empty() && !found.hint.is_empty(), "{broken:?}: {found:?}");
        }
    }
}
