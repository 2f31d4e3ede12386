//! What happens inside of the namespaces, between `clone` and `execve`.
//!
//! The process is cloned from a program with many threads, any of which may hold a lock of the C library or of
//! Rust's. So nothing here allocates, prints or panics: everything was made ready before ([`Prepared`]), and
//! only system calls are made (rustix's, which keep no state; libc's for what that lacks).
//!
//! The first process is number 1 of its own PID namespace. It mounts, registers, waits for orders, and starts the
//! commands; when it ends, the kernel kills whatever is left and drops the mounts and handlers with it.
//!
//! Sources: user_namespaces(7), pivot_root(2) ("pivot_root(\".\", \".\")"), the kernel's
//! `Documentation/admin-guide/binfmt-misc.rst`, `Documentation/filesystems/overlayfs.rst`, capabilities(7).

// `clone` and `execve` of prepared arrays; each use says why it is sound.
#![allow(unsafe_code)]

use super::furnish::{enter, furnish, register, write_to};
use super::prepared::{Message, Prepared, PreparedCommand, Step};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount};
use rustix::process::{self, DumpableBehavior, Resource, Rlimit, Signal};
use rustix::thread::{self, CapabilitySet, CapabilitySets, Gid, Uid};
use std::ffi::CStr;
use std::os::fd::AsRawFd as _;

pub(super) type Failed = (Step, Errno);

/// Names the step that an error belongs to.
pub(super) trait At<T> {
    fn at(self, step: Step) -> Result<T, Failed>;
}

impl<T> At<T> for rustix::io::Result<T> {
    fn at(self, step: Step) -> Result<T, Failed> {
        self.map_err(|errno| (step, errno))
    }
}

/// The ends of the pipes that the first process keeps.
pub(super) struct Ends<'a> {
    /// Orders: see `spawn.rs`. Its end of file means that mpcheck is gone.
    pub(super) control: BorrowedFd<'a>,
    /// Where [`Message`]s go.
    pub(super) status: BorrowedFd<'a>,
    /// Standard output of the commands.
    pub(super) stdout: BorrowedFd<'a>,
    /// Standard error of the commands.
    pub(super) stderr: BorrowedFd<'a>,
    /// What the refuser reported, after each command and before its end is told.
    pub(super) reports: BorrowedFd<'a>,
}

/// Clones this process into new namespaces; `None` in the new one.
///
/// # Safety
/// The new process has only this thread, with all locks as they were: it must go on without allocating.
pub(super) unsafe fn clone_into_namespaces() -> rustix::io::Result<Option<i32>> {
    let flags = libc::CLONE_NEWUSER
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWCGROUP
        | libc::SIGCHLD;
    // SAFETY: no CLONE_VM, so the new process has its own copy of the memory.
    unsafe { clone(flags) }
}

unsafe fn clone(flags: i32) -> rustix::io::Result<Option<i32>> {
    // The raw call, for glibc's wrapper wants a stack; s390x has the first two arguments the other way round.
    let (first, second) = if cfg!(target_arch = "s390x") { (0, flags) } else { (flags, 0) };
    // SAFETY: without CLONE_VM a null stack means a copy of this one.
    let pid = unsafe { libc::syscall(libc::SYS_clone, i64::from(first), i64::from(second), 0_i64, 0_i64, 0_i64) };
    match i32::try_from(pid) {
        Ok(0) => Ok(None),
        Ok(pid) if pid > 0 => Ok(Some(pid)),
        // SAFETY: the address of this thread's errno.
        _ => Err(Errno::from_raw_os_error(unsafe { *libc::__errno_location() })),
    }
}

/// The first process of the namespaces. It never returns.
pub(super) fn first_process(prepared: &Prepared, ends: &Ends<'_>) -> ! {
    let code = match live(prepared, ends) {
        Ok(()) => 0,
        Err((step, errno)) => {
            tell(ends, Message::Failed(step, errno.raw_os_error()));
            1
        }
    };
    // SAFETY: ends this process without running anything else.
    unsafe { libc::_exit(code) }
}

fn live(prepared: &Prepared, ends: &Ends<'_>) -> Result<(), Failed> {
    // Out of the terminal's process group: Ctrl-C is for mpcheck, which then closes the pipe.
    let _ = process::setsid();
    reset_signals();
    close_others(ends);
    // The caller's keys stay outside (keyctl(2), KEYCTL_JOIN_SESSION_KEYRING with no name makes a new keyring).
    // SAFETY: takes numbers. A kernel without keyrings has nothing to leak.
    unsafe { libc::syscall(libc::SYS_keyctl, 1, 0) };
    // mpcheck writes the maps of user and group meanwhile, and then one byte.
    if order(ends)? != Some(GO) {
        return Ok(());
    }
    process::chdir(&*prepared.store).at(Step::Store)?;
    become_root()?;
    let handlers = register(prepared)?;
    enter(prepared)?;
    furnish(prepared)?;
    // Nothing of the host's tree is left to see.
    unmount(c".", UnmountFlags::DETACH).at(Step::Pivot)?;
    process::chdir(c"/").at(Step::Pivot)?;
    let refusals = fs::open(REFUSALS, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).at(Step::Dev)?;
    protect();
    tell(ends, Message::Ready);
    while let Some(index) = order(ends)? {
        if index == KILL {
            // It ended by itself while the order was on its way.
            continue;
        }
        let Some(command) = prepared.commands.get(index as usize) else { return Ok(()) };
        let status = run(prepared, command, ends)?;
        let Some(status) = status else { return Ok(()) };
        pass_on(&refusals, ends);
        tell(ends, Message::Ended(status));
    }
    drop(handlers);
    Ok(())
}

/// The order that lets the first process begin.
pub(super) const GO: u32 = u32::MAX;

/// The most bytes of reports after one command: half of what a pipe holds.
pub(super) const MAX_REPORTS: usize = 32 * 1024;

/// [`crate::probe::REFUSALS`], as a path that needs no memory.
const REFUSALS: &CStr = c"/dev/mpcheck/refused";

/// The order that kills what runs.
pub(super) const KILL: u32 = u32::MAX - 1;

/// Waits for the next order; `None` when mpcheck is gone.
fn order(ends: &Ends<'_>) -> Result<Option<u32>, Failed> {
    let mut order = [0; 4];
    match rustix::io::retry_on_intr(|| rustix::io::read(ends.control, &mut order)).at(Step::Control)? {
        // Four bytes are written at once, and a pipe keeps them together.
        4 => Ok(Some(u32::from_ne_bytes(order))),
        _ => Ok(None),
    }
}

fn tell(ends: &Ends<'_>, message: Message) {
    let _ = rustix::io::retry_on_intr(|| rustix::io::write(ends.status, &message.to_bytes()));
}

/// Closes what this process inherited and does not need: the pipes of other sandboxes, whose end of file would not
/// be seen otherwise, and the files and connections of mpcheck.
fn close_others(ends: &Ends<'_>) {
    let mut kept = [ends.control, ends.status, ends.stdout, ends.stderr, ends.reports].map(|end| end.as_raw_fd());
    close_all_but(&mut kept);
}

/// Closes all descriptors but the three standard ones and these.
fn close_all_but(kept: &mut [i32]) {
    kept.sort_unstable();
    let mut from = 3;
    for fd in kept.iter().copied().chain([i32::MAX]) {
        if fd > from {
            // SAFETY: nothing in this process uses these again.
            unsafe { libc::syscall(libc::SYS_close_range, from, fd - 1, 0) };
        }
        from = from.max(fd.saturating_add(1));
    }
}

/// Handlers of mpcheck would run here on a copy of its memory.
fn reset_signals() {
    for signal in 1..=64 {
        // SAFETY: the default actions are no code of this program.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: an empty set on the stack. SIGCHLD alone stays blocked: it is read from a descriptor.
    unsafe {
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
    }
}

/// Becomes root of the namespace, whom binfmt_misc wants: elsewhere nobody in particular.
fn become_root() -> Result<(), Failed> {
    let (user, group) = (Uid::ROOT, Gid::ROOT);
    thread::set_thread_res_gid(group, group, group).at(Step::User)?;
    thread::set_thread_res_uid(user, user, user).at(Step::User)?;
    // Set after the identity changed, which clears it. The pipe tells the same; this one cannot be missed.
    process::set_parent_process_death_signal(Some(Signal::KILL)).at(Step::User)?;
    mount_change(c"/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE).at(Step::Mounts)
}

/// What this process still has in its memory and its descriptors is not for those that it starts.
fn protect() {
    let _ = process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Runs one command to its end, and kills what it leaves running.
///
/// Its wait status; `None` when mpcheck is gone.
fn run(prepared: &Prepared, command: &PreparedCommand, ends: &Ends<'_>) -> Result<Option<i32>, Failed> {
    // SAFETY: the new process only makes system calls, see `start`.
    let Some(pid) = unsafe { clone(libc::SIGCHLD) }.at(Step::Fork)? else { start(prepared, command, ends) };
    let children = child_signals().at(Step::Fork)?;
    let mut status = None;
    while status.is_none() {
        let mut waiting = [PollFd::new(&ends.control, PollFlags::IN), PollFd::new(&children, PollFlags::IN)];
        rustix::io::retry_on_intr(|| poll(&mut waiting, None)).at(Step::Control)?;
        let [control, _] = &waiting;
        if !control.revents().is_empty() {
            match order(ends)? {
                Some(KILL) => kill_all(),
                // mpcheck is gone; ending kills the rest.
                _ => return Ok(None),
            }
        }
        let mut information = [0; 128];
        let _ = rustix::io::read(&children, &mut information);
        while let Some((dead, code)) = reap(libc::WNOHANG) {
            if dead == pid {
                status = Some(code);
            }
        }
    }
    kill_all();
    while reap(0).is_some() {}
    Ok(status)
}

/// Passes on what the refuser wrote since the last command.
///
/// No more than the pipe holds: nobody reads it before the end is told.
fn pass_on(refusals: &OwnedFd, ends: &Ends<'_>) {
    let mut buffer = [0; 4096];
    for _ in 0..MAX_REPORTS / 4096 {
        match rustix::io::read(refusals, &mut buffer) {
            Ok(read @ 1..) => {
                let _ = rustix::io::write(ends.reports, buffer.get(..read).unwrap_or_default());
            }
            _ => break,
        }
    }
    // What is beyond is left out: it is not the next command's.
    let _ = fs::seek(refusals, fs::SeekFrom::End(0));
}

fn kill_all() {
    // SAFETY: process 1 of a PID namespace signals all others of it, and nobody outside.
    unsafe { libc::kill(-1, libc::SIGKILL) };
}

/// A dead child and its wait status; `None` where there is none.
fn reap(flags: i32) -> Option<(i32, i32)> {
    let mut status = 0;
    // SAFETY: the status is on the stack.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, flags) };
    (pid > 0).then_some((pid, status))
}

/// A descriptor that is readable when a child died. SIGCHLD is blocked in this process.
fn child_signals() -> rustix::io::Result<OwnedFd> {
    // SAFETY: a set on the stack; the descriptor is new and owned by the result.
    unsafe {
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        let fd = libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if fd < 0 {
            return Err(Errno::from_raw_os_error(*libc::__errno_location()));
        }
        Ok(std::os::fd::FromRawFd::from_raw_fd(fd))
    }
}

/// The process of a command, up to its `execve`.
fn start(prepared: &Prepared, command: &PreparedCommand, ends: &Ends<'_>) -> ! {
    let errno = match become_command(prepared, ends) {
        Ok(()) => execute(command),
        Err(errno) => errno,
    };
    tell(ends, Message::NotStarted(errno.raw_os_error()));
    // SAFETY: ends this process without running anything else.
    unsafe { libc::_exit(127) }
}

fn become_command(prepared: &Prepared, ends: &Ends<'_>) -> rustix::io::Result<()> {
    let _ = process::setsid();
    // SAFETY: an empty set on the stack.
    unsafe {
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
    }
    let null = fs::open(c"/dev/null", OFlags::RDONLY, Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(ends.stdout)?;
    rustix::stdio::dup2_stderr(ends.stderr)?;
    // Closed here, by its owner: below it would be closed behind its back.
    drop(null);
    // Before anything follows a path of the image: its working directory could be one of these, by /proc/self/fd.
    close_all_but(&mut [ends.status.as_raw_fd()]);
    // An engine would make a missing working directory; here the root is read-only.
    match process::chdir(&*prepared.directory) {
        Err(Errno::NOENT) => process::chdir(c"/")?,
        other => other?,
    }
    let limit = |resource, most: u64| process::setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    limit(Resource::Core, 0)?;
    limit(Resource::Nproc, prepared.limits.processes)?;
    limit(Resource::Data, prepared.limits.memory)?;
    // Files here are memory: those of memfd_create(2) are in no file system that has a size.
    limit(Resource::Fsize, prepared.limits.memory / 2)?;
    become_user(prepared)?;
    without_privileges()
}

/// Becomes the image's user, in a user namespace below the one of the first process: so it has nothing to say there,
/// whatever its number is. The handlers are inherited.
fn become_user(prepared: &Prepared) -> rustix::io::Result<()> {
    // SAFETY: this process has one thread, and shares no memory or files with another.
    unsafe { thread::unshare_unsafe(thread::UnshareFlags::NEWUSER) }?;
    // Its own files in /proc are root's otherwise.
    process::set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    for (path, text) in [
        (c"/proc/self/setgroups", c"deny"),
        (c"/proc/self/gid_map", &*prepared.group_map),
        (c"/proc/self/uid_map", &*prepared.user_map),
    ] {
        let file = fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::io::write(&file, text.to_bytes())?;
    }
    // A namespace of its own, made by a command, would have an empty binfmt_misc and all capabilities there.
    write_to(c"/proc/sys/user/max_user_namespaces", b"0");
    Ok(())
}

/// No capabilities, now and after any `execve`, whoever the user is.
fn without_privileges() -> rustix::io::Result<()> {
    for number in 0..64 {
        // SAFETY: takes a number. The kernel says which are no capabilities.
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, number, 0, 0, 0) };
    }
    let _ = thread::clear_ambient_capability_set();
    let none = CapabilitySet::empty();
    thread::set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    thread::set_no_new_privs(true)
}

/// Tries the paths at which the program may be, as execvp(3) does; the error that says most.
fn execute(command: &PreparedCommand) -> Errno {
    let mut worst = Errno::NOENT;
    for path in &command.paths {
        // SAFETY: the arrays end in a null pointer and point into strings that `command` owns.
        unsafe { libc::execve(path.as_ptr(), command.arguments.as_ptr(), command.environment.as_ptr()) };
        // SAFETY: the address of this thread's errno.
        match Errno::from_raw_os_error(unsafe { *libc::__errno_location() }) {
            Errno::NOENT | Errno::NOTDIR => {}
            Errno::ACCESS => worst = Errno::ACCESS,
            other => return other,
        }
    }
    worst
}
