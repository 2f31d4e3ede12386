//! The half of a sandbox that stays outside: it starts the first process, gives orders and reads what comes.

#![allow(unsafe_code)]

use super::super::{Ended, Exit, Limits, Output, StartError};
use super::memory;
use super::namespace::{self, Ends, GO, KILL};
use super::prepared::{Message, Prepared, Step};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, kill_process};
use std::io;
use std::time::{Duration, Instant};

/// How often the memory of a running command is looked at.
const TICK: Duration = Duration::from_millis(100);

/// How long killing may take before the whole sandbox is ended.
const KILLED_WITHIN: Duration = Duration::from_secs(10);

/// Which user and group of the host the sandbox's one user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) user: u32,
    pub(super) group: u32,
}

/// Why there is no sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Broken {
    /// The namespaces could not be made.
    Namespaces(Errno),
    /// The user could not be mapped.
    Map(Errno),
    /// A step inside failed.
    Step(Step, Errno),
    /// It ended without a word.
    Gone,
}

/// A sandbox that waits for orders. When this is dropped, everything in it is killed, and its mounts and handlers go.
#[derive(Debug)]
pub(super) struct Running {
    pid: Pid,
    namespace: Option<memory::Namespace>,
    control: OwnedFd,
    status: OwnedFd,
    stdout: OwnedFd,
    stderr: OwnedFd,
    reports: OwnedFd,
}

impl Running {
    /// Starts it, and waits until it is made.
    pub(super) fn start(prepared: &Prepared, host: Host) -> Result<Self, Broken> {
        let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(|errno| Broken::Step(Step::Control, errno));
        let (control_in, control) = pipe()?;
        let (status, status_out) = pipe()?;
        let (stdout, stdout_in) = pipe()?;
        let (stderr, stderr_in) = pipe()?;
        let (reports, reports_in) = pipe()?;
        for read in [&stdout, &stderr, &reports] {
            fcntl_setfl(read, OFlags::NONBLOCK).map_err(|errno| Broken::Step(Step::Control, errno))?;
        }
        let ends = Ends {
            control: control_in.as_fd(),
            status: status_out.as_fd(),
            stdout: stdout_in.as_fd(),
            stderr: stderr_in.as_fd(),
            reports: reports_in.as_fd(),
        };
        // SAFETY: the new process goes on in `first_process` alone, which only makes system calls.
        let pid = match unsafe { namespace::clone_into_namespaces() } {
            Ok(Some(pid)) => pid,
            Ok(None) => namespace::first_process(prepared, &ends),
            Err(errno) => return Err(Broken::Namespaces(errno)),
        };
        let Some(pid) = Pid::from_raw(pid) else { return Err(Broken::Gone) };
        let mut running = Self { pid, namespace: None, control, status, stdout, stderr, reports };
        drop((control_in, status_out, stdout_in, stderr_in, reports_in));
        running.map(host).map_err(Broken::Map)?;
        running.namespace = memory::Namespace::of(pid);
        running.order(GO).map_err(|_| Broken::Gone)?;
        match running.message() {
            Some(Message::Ready) => Ok(running),
            Some(Message::Failed(step, errno)) => Err(Broken::Step(step, Errno::from_raw_os_error(errno))),
            _ => Err(Broken::Gone),
        }
    }

    /// Says who root, the one user of the namespace, is outside (user_namespaces(7), "User and group ID mappings").
    fn map(&self, host: Host) -> Result<(), Errno> {
        let write = |name: &str, text: &str| {
            let path = format!("/proc/{}/{name}", self.pid.as_raw_nonzero());
            std::fs::write(path, text).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
        };
        // Without this an unprivileged user may map no group.
        write("setgroups", "deny")?;
        write("gid_map", &format!("0 {} 1\n", host.group))?;
        write("uid_map", &format!("0 {} 1\n", host.user))
    }

    fn order(&self, order: u32) -> rustix::io::Result<()> {
        rustix::io::retry_on_intr(|| rustix::io::write(&self.control, &order.to_ne_bytes())).map(drop)
    }

    /// The next message; `None` when there will be none.
    fn message(&self) -> Option<Message> {
        let mut bytes = [0; Message::BYTES];
        let read = rustix::io::retry_on_intr(|| rustix::io::read(&self.status, &mut bytes)).ok()?;
        (read == bytes.len()).then(|| Message::from_bytes(bytes)).flatten()
    }

    /// Runs a prepared command to its end.
    ///
    /// # Errors
    /// When the sandbox itself came to its end.
    pub(super) fn run(&self, index: usize, timeout: Duration, limits: &Limits) -> Result<Ended, Broken> {
        let begun = Instant::now();
        let mut watch = Watch {
            limits,
            stdout: Output::default(),
            stderr: Output::default(),
            killed: None,
            not_started: None,
            counted: begun,
        };
        self.order(u32::try_from(index).map_err(|_| Broken::Gone)?).map_err(|_| Broken::Gone)?;
        let status = loop {
            let until = match &watch.killed {
                None => begun + timeout,
                Some((at, _)) => *at + KILLED_WITHIN,
            };
            let left = until.saturating_duration_since(Instant::now());
            let ready = self.wait(left.min(TICK)).map_err(|_| Broken::Gone)?;
            watch.drain(self);
            if ready {
                match self.message() {
                    Some(Message::NotStarted(errno)) => watch.not_started = Some(Errno::from_raw_os_error(errno)),
                    Some(Message::Ended(status)) => break status,
                    Some(Message::Failed(step, errno)) => {
                        return Err(Broken::Step(step, Errno::from_raw_os_error(errno)));
                    }
                    _ => return Err(Broken::Gone),
                }
            } else if left.is_zero() {
                if watch.killed.is_some() {
                    return Err(Broken::Gone);
                }
                self.kill(&mut watch, Exit::TimedOut);
            } else if watch.killed.is_none() && watch.counts() && self.memory() > limits.memory {
                self.kill(&mut watch, Exit::OutOfMemory);
            }
        };
        // All that wrote is gone, so what is in the pipes is all there is.
        watch.drain(self);
        let exit = match (watch.killed, watch.not_started) {
            (Some((_, why)), _) => why,
            (None, Some(errno)) => Exit::NotStarted(start_error(errno)),
            (None, None) => exit(status),
        };
        Ok(Ended { exit, stdout: watch.stdout, stderr: watch.stderr, took: begun.elapsed() })
    }

    /// What the refuser reported during the command that ran last.
    pub(super) fn reports(&self) -> Vec<u8> {
        let mut reports = Output::default();
        take(&self.reports, &mut reports, namespace::MAX_REPORTS);
        reports.bytes
    }

    fn kill(&self, watch: &mut Watch<'_>, why: Exit) {
        watch.killed = Some((Instant::now(), why));
        // Where the order cannot be given, the sandbox is gone, and the next message says so.
        let _ = self.order(KILL);
    }

    fn memory(&self) -> u64 {
        self.namespace.as_ref().map_or(0, memory::Namespace::resident)
    }

    /// Waits for a message or output; whether there is a message.
    fn wait(&self, most: Duration) -> io::Result<bool> {
        let mut waiting = [
            PollFd::new(&self.status, PollFlags::IN),
            PollFd::new(&self.stdout, PollFlags::IN),
            PollFd::new(&self.stderr, PollFlags::IN),
        ];
        let most = most.try_into().map_err(io::Error::other)?;
        match poll(&mut waiting, Some(&most)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let [status, ..] = &waiting;
        Ok(!status.revents().is_empty())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Killing process 1 kills its namespace; it is waited for, so that nothing of it is left when this returns.
        let _ = kill_process(self.pid, Signal::KILL);
        let _ = rustix::process::waitpid(Some(self.pid), rustix::process::WaitOptions::empty());
    }
}

/// What is known of a running command.
struct Watch<'a> {
    limits: &'a Limits,
    stdout: Output,
    stderr: Output,
    killed: Option<(Instant, Exit)>,
    not_started: Option<Errno>,
    /// When memory was counted last.
    counted: Instant,
}

impl Watch<'_> {
    /// Whether it is time to count the memory: output may wake this much more often.
    fn counts(&mut self) -> bool {
        let due = self.counted.elapsed() >= TICK;
        if due {
            self.counted = Instant::now();
        }
        due
    }

    /// Takes what is in the pipes, so that whoever writes can go on.
    fn drain(&mut self, running: &Running) {
        take(&running.stdout, &mut self.stdout, self.limits.output);
        take(&running.stderr, &mut self.stderr, self.limits.output);
    }
}

fn take(pipe: &OwnedFd, output: &mut Output, most: usize) {
    let mut buffer = [0; 64 * 1024];
    // Somebody who writes for ever must not keep the clock from being looked at.
    for _ in 0..64 {
        let Ok(read @ 1..) = rustix::io::retry_on_intr(|| rustix::io::read(pipe, &mut buffer)) else { return };
        output.total = output.total.saturating_add(read as u64);
        let kept = read.min(most.saturating_sub(output.bytes.len()));
        output.bytes.extend_from_slice(buffer.get(..kept).unwrap_or_default());
    }
}

/// How a wait status ended (wait(2)).
fn exit(status: i32) -> Exit {
    if libc::WIFSIGNALED(status) { Exit::Signal(libc::WTERMSIG(status)) } else { Exit::Code(libc::WEXITSTATUS(status)) }
}

fn start_error(errno: Errno) -> StartError {
    match errno {
        Errno::NOENT | Errno::NOTDIR => StartError::NotFound,
        Errno::ACCESS => StartError::NotExecutable,
        Errno::NOEXEC => StartError::ExecFormat,
        other => StartError::Other(io::Error::from(other).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(0, Exit::Code(0))]
    #[case(0x2a00, Exit::Code(42))]
    #[case(0xff00, Exit::Code(255))]
    #[case(libc::SIGILL, Exit::Signal(libc::SIGILL))]
    #[case(libc::SIGSEGV | 0x80, Exit::Signal(libc::SIGSEGV))]
    fn wait_statuses_are_read(#[case] status: i32, #[case] wanted: Exit) {
        assert_eq!(exit(status), wanted);
    }

    #[test]
    fn output_beyond_the_limit_is_counted_and_dropped() {
        let (read, write) = pipe_with(PipeFlags::NONBLOCK).unwrap();
        let written = rustix::io::write(&write, &[b'x'; 5000]).unwrap();
        let mut output = Output::default();
        take(&read, &mut output, 100);
        assert_eq!((output.bytes, output.total), (vec![b'x'; 100], written as u64));
    }
}
