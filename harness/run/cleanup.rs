//! What must not be left behind, also after Ctrl-C, SIGTERM or a panic.
//!
//! Whoever makes something that outlives the process (a container, a directory) registers how it is removed
//! *before* making it. The [`Guard`] removes it when it is dropped, which a panic does too; [`on_signal`]
//! removes what is registered when a signal ends the process.

use rustix::fd::OwnedFd;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

type Removal = Box<dyn FnOnce() + Send>;

struct Registry {
    next: u64,
    removals: BTreeMap<u64, Removal>,
    /// How many guards are removing their things at this moment.
    removing: usize,
}

/// Whether a signal came, and the process ends as soon as everything is removed.
static ENDING: AtomicBool = AtomicBool::new(false);
/// The thread that removes then.
const REMOVER: &str = "cleanup";

/// Told when a guard has removed its thing.
static REMOVED: Condvar = Condvar::new();

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { next: 0, removals: BTreeMap::new(), removing: 0 });

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes its thing when it is dropped, unless that was done already.
#[derive(Debug)]
#[must_use = "what it guards is removed when it is dropped"]
pub struct Guard(u64);

impl Guard {
    /// Registers how a thing is removed. `removal` must do no harm where the thing is not there (yet).
    pub fn new(removal: impl FnOnce() + Send + 'static) -> Self {
        let mut registry = registry();
        let key = registry.next;
        registry.next += 1;
        registry.removals.insert(key, Box::new(removal));
        Self(key)
    }

    /// Forgets the removal: the thing is gone, or somebody else's now.
    pub fn forget(self) {
        registry().removals.remove(&self.0);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Taken out first, so that no lock is held while it runs, and none runs twice.
        let removal = {
            let mut registry = registry();
            let removal = registry.removals.remove(&self.0);
            registry.removing += usize::from(removal.is_some());
            removal
        };
        if let Some(removal) = removal {
            let _done = Removing;
            removal();
        }
        // Whoever held this would go on, and perhaps end the process, while another thread still removes: a run
        // that was interrupted returns at once. The end comes by the signal.
        while ENDING.load(Ordering::SeqCst) && std::thread::current().name() != Some(REMOVER) {
            std::thread::park();
        }
    }
}

/// What is known of a child that is being started.
enum Group {
    Coming,
    Of(Option<Pid>),
    /// A signal came first.
    Never,
}

/// Starts a child in a process group of its own, which the guard kills with all that is in it: an emulator that hangs
/// would outlive this process otherwise. Drop the guard before the child is waited for: its number may be another's
/// after that.
///
/// # Errors
/// When it cannot be started, or a signal is ending this process.
pub fn start(command: &mut Command) -> io::Result<(Child, Guard)> {
    let group = Arc::new(Mutex::new(Group::Coming));
    let ours = Arc::clone(&group);
    let guard = Guard::new(move || {
        let mut group = group.lock().unwrap_or_else(PoisonError::into_inner);
        if let Group::Of(Some(number)) = *group {
            let _ = rustix::process::kill_process_group(number, rustix::process::Signal::KILL);
        }
        *group = Group::Never;
    });
    // Held over the start, so that a removal waits for the child's number.
    let mut held = ours.lock().unwrap_or_else(PoisonError::into_inner);
    // The removal begins after this is set: whoever sees it unset has registered in time.
    let started = match ENDING.load(Ordering::SeqCst) || matches!(*held, Group::Never) {
        true => Err(io::ErrorKind::Interrupted.into()),
        false => command.process_group(0).spawn(),
    };
    if let Ok(child) = &started {
        *held = Group::Of(i32::try_from(child.id()).ok().and_then(Pid::from_raw));
    }
    drop(held);
    started.map(|child| (child, guard))
}

/// Waits for a child's end, or the end of its time; `false` for the latter. It stays to be waited for, so that its number
/// is its own until its guard is dropped.
pub(crate) fn has_ended(child: &Child, deadline: Instant) -> bool {
    /// How often it is looked.
    const PAUSE: Duration = Duration::from_millis(2);
    let Some(number) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else { return false };
    let looked = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    loop {
        match waitid(WaitId::Pid(number), looked) {
            Ok(Some(_)) => return true,
            Ok(None) | Err(rustix::io::Errno::INTR) if Instant::now() < deadline => std::thread::sleep(PAUSE),
            Ok(None) | Err(_) => return false,
        }
    }
}

/// A guard that removes its thing: a signal's end waits for it.
struct Removing;

impl Drop for Removing {
    fn drop(&mut self) {
        registry().removing -= 1;
        REMOVED.notify_all();
    }
}

/// A process that does what is left to do when this one is gone, even if that was killed by SIGKILL.
///
/// It holds one end of a pipe, and sees the other close.
#[derive(Debug)]
pub struct Keeper {
    /// Closed by whatever ends this process.
    _alive: OwnedFd,
    pid: Pid,
}

impl Keeper {
    /// Starts it. `last` may only make system calls and take memory: it runs in a copy of this process that has no
    /// other threads, and all locks as they are now.
    ///
    /// # Errors
    /// When there can be no other process.
    #[allow(unsafe_code)] // fork: std can only start other programs, and which one this is, is not known in a library
    pub fn new(last: impl FnOnce()) -> io::Result<Self> {
        let (ended, alive) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        // SAFETY: the C library's fork, which leaves malloc usable in the new process; that takes no lock of this
        // program, and never returns.
        match unsafe { libc::fork() } {
            0 => {
                wait_for_end(&ended);
                last();
                // SAFETY: ends this process without running anything of the parent's.
                unsafe { libc::_exit(0) }
            }
            pid => {
                let pid = Pid::from_raw(pid).filter(|_| pid > 0).ok_or_else(io::Error::last_os_error)?;
                Ok(Self { _alive: alive, pid })
            }
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process(self.pid, rustix::process::Signal::KILL);
        let _ = rustix::process::waitpid(Some(self.pid), rustix::process::WaitOptions::empty());
    }
}

#[allow(unsafe_code)] // signal and close_range, which std has not
fn wait_for_end(ended: &OwnedFd) {
    // Ctrl-C is for the parent, whose end is seen here.
    let _ = rustix::process::setsid();
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGPIPE] {
        // SAFETY: ignoring runs no code.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    let kept = std::os::fd::AsRawFd::as_raw_fd(ended);
    // Everything else that was inherited, the other end of the pipe first of all.
    // SAFETY: nothing in this process uses these again.
    unsafe {
        libc::syscall(libc::SYS_close_range, 0, kept - 1, 0);
        libc::syscall(libc::SYS_close_range, kept + 1, i32::MAX, 0);
    }
    let mut end = [0; 1];
    while rustix::io::read(ended, &mut end) == Err(rustix::io::Errno::INTR) {}
}

/// A directory that is gone when this process is, however that ends.
#[derive(Debug)]
pub struct Temporary {
    path: PathBuf,
    guard: Option<Guard>,
    /// Removes what others of this process still wrote when it was ended.
    _keeper: Keeper,
}

impl Temporary {
    /// Makes a directory with a name of its own in this one, for this user and those whom it lets through.
    ///
    /// # Errors
    /// When it cannot be made, or nobody could look after it.
    pub fn new(parent: &Path) -> io::Result<Self> {
        let path = tempfile::Builder::new().prefix("mpcheck-").tempdir_in(parent)?.keep();
        let made = || -> io::Result<Self> {
            // A sandbox's user, who is another where root runs mpcheck, must get through.
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o711))?;
            let keeper = Keeper::new(|| crate::image::store::remove(&path))?;
            let removed = path.clone();
            let guard = Some(Guard::new(move || crate::image::store::remove(&removed)));
            Ok(Self { path: path.clone(), guard, _keeper: keeper })
        };
        made().inspect_err(|_| crate::image::store::remove(&path))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Before the keeper goes.
        drop(self.guard.take());
    }
}

/// From now on SIGINT, SIGTERM and SIGHUP remove what is registered, the youngest first, and then end the
/// process as the signal would have. A second signal ends it at once.
///
/// # Errors
/// When the signals cannot be caught.
pub fn on_signal() -> io::Result<()> {
    static INSTALLED: Once = Once::new();
    let mut result = Ok(());
    INSTALLED.call_once(|| result = watch());
    result
}

#[allow(unsafe_code)] // sigaction only asks here
fn is_ignored(signal: i32) -> bool {
    // SAFETY: without a new action this writes the old one to the stack.
    unsafe {
        let mut action = std::mem::zeroed::<libc::sigaction>();
        libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
    }
}

fn watch() -> io::Result<()> {
    // What was ignored when this process began stays so: nohup(1) does that, and shells to jobs in the background.
    let caught: Vec<i32> = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal)).collect();
    let mut signals = signal_hook::iterator::Signals::new(caught)?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut first = true;
        for signal in signals.forever() {
            if !std::mem::take(&mut first) {
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
            ENDING.store(true, Ordering::SeqCst);
            // On a thread of its own, so that a second signal finds somebody who listens.
            let removing = std::thread::Builder::new().name(REMOVER.to_owned()).spawn(move || {
                remove_all();
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            });
            if removing.is_err() {
                remove_all();
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
        }
    })?;
    Ok(())
}

/// Removes everything that is registered, the youngest first, and waits for what is being removed.
fn remove_all() {
    let mut registered = registry();
    loop {
        if let Some((_, removal)) = registered.removals.pop_last() {
            // A removal may take a while, and others may be dropped meanwhile: never hold the lock over it.
            drop(registered);
            removal();
            registered = registry();
        } else if registered.removing > 0 {
            registered = REMOVED.wait(registered).unwrap_or_else(PoisonError::into_inner);
        } else {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    fn counted() -> (Arc<AtomicUsize>, Guard) {
        let count = Arc::new(AtomicUsize::new(0));
        let counting = Arc::clone(&count);
        let guard = Guard::new(move || {
            counting.fetch_add(1, Ordering::SeqCst);
        });
        (count, guard)
    }

    #[test]
    fn a_guard_removes_once_when_it_is_dropped() {
        let (count, guard) = counted();
        assert_eq!(count.load(Ordering::SeqCst), 0);
        drop(guard);
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_panic_removes_too() {
        let (count, guard) = counted();
        let panicked = std::thread::spawn(move || {
            let _guard = guard;
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_child_is_killed_with_its_guard() {
        use std::os::unix::process::ExitStatusExt as _;
        let (mut child, guard) = start(Command::new("sleep").arg("1000")).unwrap();
        drop(guard);
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
        let error = start(&mut Command::new("/nowhere/program")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_is_forgotten_stays() {
        let (count, guard) = counted();
        guard.forget();
        assert_eq!(count.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_removal_may_make_and_drop_guards() {
        let (count, inner) = counted();
        drop(Guard::new(move || drop(inner)));
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_temporary_directory_goes_with_what_is_in_it() {
        let parent = tempfile::tempdir().unwrap();
        let temporary = Temporary::new(parent.path()).unwrap();
        std::fs::create_dir_all(temporary.path().join("a/b")).unwrap();
        std::os::unix::fs::symlink("/", temporary.path().join("a/root")).unwrap();
        drop(temporary);
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
        assert!(Path::new("/etc").is_dir());
    }
}
