//! The probe, started on the host as any program is.

use crate::run::cleanup::{self, Guard};
use crate::run::{Ended, Exit, Output, StartError};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::MemfdFlags;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The name that the probe is started under, which is not its path: whether it sees it tells whether `argv[0]` is kept.
pub(super) const NAME: &str = "mpcheck-probe";

/// The most bytes of its output: what a pipe holds.
const MAX_OUTPUT: u64 = 64 * 1024;

/// Runs a program to its end, with this environment and no other.
///
/// It lies in memory alone, so that no directory's mount option (`noexec`) is taken for an answer of the kernel's.
///
/// # Errors
/// When there could be no such file. What became of the program is no error.
pub(super) fn run(program: &[u8], environment: &[(&str, &str)], timeout: Duration) -> io::Result<Ended> {
    // Without CLOEXEC: an emulator opens the program by the path that it is given, which is this descriptor's.
    let mut file = File::from(in_memory()?);
    file.write_all(program)?;
    let begun = Instant::now();
    let mut command = Command::new(format!("/proc/self/fd/{}", file.as_raw_fd()));
    command.arg0(NAME).env_clear().envs(environment.iter().copied());
    // Nothing can be written there, no core file either.
    command.current_dir("/proc");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let (mut child, guard) = match cleanup::start(&mut command) {
        Ok(started) => started,
        Err(error) => return Ok(ended(Exit::NotStarted(start_error(&error)), Output::default(), begun)),
    };
    let exit = wait(&mut child, guard, timeout)?;
    Ok(ended(exit, output(&mut child), begun))
}

/// A file in memory that may be executed. Where `vm.memfd_noexec` is 1 that has to be said (memfd_create(2)); kernels before
/// 6.3 do not know the flag.
fn in_memory() -> rustix::io::Result<rustix::fd::OwnedFd> {
    match rustix::fs::memfd_create(NAME, MemfdFlags::EXEC) {
        Err(Errno::INVAL) => rustix::fs::memfd_create(NAME, MemfdFlags::empty()),
        other => other,
    }
}

fn ended(exit: Exit, stdout: Output, begun: Instant) -> Ended {
    Ended { exit, stdout, stderr: Output::default(), took: begun.elapsed() }
}

fn start_error(error: &io::Error) -> StartError {
    match error.raw_os_error() {
        Some(libc::ENOEXEC) => StartError::ExecFormat,
        Some(libc::ENOENT) => StartError::NotFound,
        Some(libc::EACCES) => StartError::NotExecutable,
        _ => StartError::Other(error.to_string()),
    }
}

/// Waits for the end, and kills what takes longer, with all that it started.
fn wait(child: &mut Child, guard: Guard, timeout: Duration) -> io::Result<Exit> {
    let in_time = ends_within(child, timeout);
    drop(guard);
    let status = child.wait()?;
    if !in_time? {
        return Ok(Exit::TimedOut);
    }
    Ok(match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal.unwrap_or_default()),
    })
}

/// Whether a child ends in time. Its descriptor is readable when it has (pidfd_open(2)).
fn ends_within(child: &Child, timeout: Duration) -> io::Result<bool> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    let ended = pidfd_open(pid, PidfdFlags::empty())?;
    let until = Instant::now() + timeout;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match poll(&mut [PollFd::new(&ended, PollFlags::IN)], Some(&left.try_into().map_err(io::Error::other)?)) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// What is in the pipe now: whatever it started may keep the other end open for ever.
fn output(child: &mut Child) -> Output {
    let mut bytes = Vec::new();
    if let Some(stdout) = child.stdout.take().filter(|stdout| rustix::io::ioctl_fionbio(stdout, true).is_ok()) {
        let _ = stdout.take(MAX_OUTPUT).read_to_end(&mut bytes);
    }
    let total = bytes.len() as u64;
    Output { bytes, total }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Platform;
    use crate::probe::{PROBE_EXIT, probe, waiter};

    #[test]
    fn the_hosts_own_probe_says_its_machine_and_its_name() {
        let program = probe(Platform::host().row().unwrap()).unwrap();
        let ended = run(&program, &[], Duration::from_secs(60)).unwrap();
        assert_eq!(ended.exit, Exit::Code(PROBE_EXIT));
        let told = String::from_utf8(ended.stdout.bytes).unwrap();
        assert_eq!(told.lines().nth(1), Some(NAME), "{told}");
    }

    #[test]
    fn what_does_not_end_is_killed() {
        let program = waiter(Platform::host().row().unwrap(), 1000).unwrap();
        let ended = run(&program, &[], Duration::from_millis(20)).unwrap();
        assert_eq!(ended.exit, Exit::TimedOut);
    }

    #[test]
    fn what_is_no_program_is_not_started() {
        let ended = run(b"\x7fELF of nothing", &[], Duration::from_secs(60)).unwrap();
        assert_eq!(ended.exit, Exit::NotStarted(StartError::ExecFormat));
    }
}
