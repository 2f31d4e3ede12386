//! What a sandbox's root is made of: handlers, layers, `/proc`, `/dev`, `/tmp`. Made by the first process of the
//! namespaces, under the rules of `namespace.rs`: no memory is taken, and nothing panics.

// A socket and its request; the use says why it is sound.
#![allow(unsafe_code)]

use super::namespace::{At, Failed};
use super::prepared::{Prepared, Step};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{self, CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};
use rustix::process;
use std::ffi::CStr;

/// Gives the user namespace its own binfmt_misc, and registers the handlers there.
///
/// The result keeps the file system, and with it the handlers, for as long as it is open. Without a binfmt_misc of its
/// own, a namespace has the one of the nearest namespace above it (`load_binfmt_misc` in the kernel's `fs/binfmt_misc.c`).
pub(super) fn register(prepared: &Prepared) -> Result<Option<OwnedFd>, Failed> {
    let Some(handlers) = &prepared.handlers else { return Ok(None) };
    let context = fsopen(c"binfmt_misc", FsOpenFlags::FSOPEN_CLOEXEC).at(Step::BinfmtMisc)?;
    fsconfig_create(&context).at(Step::BinfmtMisc)?;
    let directory = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).at(Step::BinfmtMisc)?;
    for line in handlers {
        let register =
            fs::openat(&directory, c"register", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()).at(Step::Handler)?;
        // One write is one handler.
        retry_while_busy(|| rustix::io::write(&register, line)).at(Step::Handler)?;
    }
    Ok(Some(directory))
}

/// Tries again while a program is still open for writing (`ETXTBSY`): a process that mpcheck cloned for another
/// platform, just when the emulator's copy was written, has that descriptor until it closes what it does not need.
fn retry_while_busy<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    /// Together a second.
    const TRIES: usize = 200;
    let pause = rustix::event::Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
    for _ in 1..TRIES {
        match call() {
            Err(Errno::TXTBSY) => {
                let _ = rustix::event::poll(&mut [], Some(&pause));
            }
            other => return other,
        }
    }
    call()
}

/// Makes the layers the root, with the host's root still mounted over it, and mounts `/proc` and `/dev`.
pub(super) fn enter(prepared: &Prepared) -> Result<(), Failed> {
    let context = fsopen(c"overlay", FsOpenFlags::FSOPEN_CLOEXEC).at(Step::Overlay)?;
    for layer in &prepared.layers {
        fsconfig_set_string(&context, c"lowerdir+", &**layer).at(Step::Overlay)?;
    }
    fsconfig_set_flag(&context, c"userxattr").at(Step::Overlay)?;
    let mut attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    match &prepared.writable {
        None => attributes |= MountAttrFlags::MOUNT_ATTR_RDONLY,
        Some(size) => {
            upper(size)?;
            fsconfig_set_string(&context, c"upperdir", c"upper/root").at(Step::Overlay)?;
            fsconfig_set_string(&context, c"workdir", c"upper/work").at(Step::Overlay)?;
        }
    }
    fsconfig_create(&context).at(Step::Overlay)?;
    let root = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).at(Step::Overlay)?;
    // These are the host's; taken before it is left.
    let devices = Devices::open()?;
    let proc = proc()?;
    move_mount(&root, c"", CWD, c".", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).at(Step::Pivot)?;
    process::fchdir(&root).at(Step::Pivot)?;
    process::pivot_root(c".", c".").at(Step::Pivot)?;
    // From here on an absolute path leads into the image, links included.
    attach(proc.as_fd(), c"/proc", Step::Proc)?;
    let dev = tmpfs(c"1048576", c"0755", MountAttrFlags::MOUNT_ATTR_NOSUID)?;
    attach(dev.as_fd(), c"/dev", Step::Dev)?;
    devices.attach()
}

/// Where what is written to the root goes: memory, mounted over an empty directory of the store for this namespace alone.
fn upper(size: &CStr) -> Result<(), Failed> {
    let memory = tmpfs(size, c"0755", MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV)?;
    attach(memory.as_fd(), c"upper", Step::Tmpfs)?;
    for directory in [c"upper/root", c"upper/work"] {
        fs::mkdir(directory, Mode::from_raw_mode(0o755)).at(Step::Tmpfs)?;
        // The umask took bits away. This one is the root's mode.
        fs::chmod(directory, Mode::from_raw_mode(0o755)).at(Step::Tmpfs)?;
    }
    Ok(())
}

fn attach(mount: BorrowedFd<'_>, place: &CStr, step: Step) -> Result<(), Failed> {
    move_mount(mount, c"", CWD, place, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).at(step)
}

/// A fresh `/proc`; where the host forbids one (its own is masked, as in a container), the host's.
fn proc() -> Result<OwnedFd, Failed> {
    let attributes =
        MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let fresh = || {
        let context = fsopen(c"proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_create(&context)?;
        fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
    };
    match fresh() {
        Err(Errno::PERM | Errno::ACCESS) => clone_tree(c"/proc").at(Step::Proc),
        other => other.at(Step::Proc),
    }
}

fn clone_tree(path: &CStr) -> rustix::io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    open_tree(CWD, path, flags)
}

fn tmpfs(size: &CStr, mode: &CStr, attributes: MountAttrFlags) -> Result<OwnedFd, Failed> {
    let context = fsopen(c"tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).at(Step::Tmpfs)?;
    fsconfig_set_string(&context, c"size", size).at(Step::Tmpfs)?;
    // Each file takes kernel memory, however small it is.
    fsconfig_set_string(&context, c"nr_inodes", c"65536").at(Step::Tmpfs)?;
    fsconfig_set_string(&context, c"mode", mode).at(Step::Tmpfs)?;
    fsconfig_create(&context).at(Step::Tmpfs)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).at(Step::Tmpfs)
}

/// The devices that every container has (OCI runtime spec, config-linux.md, "Default Devices").
const DEVICES: [&CStr; 6] = [c"/dev/null", c"/dev/zero", c"/dev/full", c"/dev/random", c"/dev/urandom", c"/dev/tty"];

/// The host's device nodes: a user namespace may bind them, and make none.
struct Devices([Option<OwnedFd>; DEVICES.len()]);

impl Devices {
    fn open() -> Result<Self, Failed> {
        let mut trees = [const { None }; DEVICES.len()];
        for (tree, path) in trees.iter_mut().zip(DEVICES) {
            match clone_tree(path) {
                Ok(device) => *tree = Some(device),
                // A host without /dev/tty or /dev/full; without /dev/null nothing works.
                Err(Errno::NOENT) if path != c"/dev/null" => {}
                Err(errno) => return Err((Step::Dev, errno)),
            }
        }
        Ok(Self(trees))
    }

    fn attach(self) -> Result<(), Failed> {
        for (tree, path) in self.0.into_iter().zip(DEVICES) {
            let Some(tree) = tree else { continue };
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
            drop(fs::open(path, flags, Mode::from_raw_mode(0o666)).at(Step::Dev)?);
            attach(tree.as_fd(), path, Step::Dev)?;
        }
        Ok(())
    }
}

/// The rest of what a container finds: `/dev`'s links, `/tmp`, mpcheck's own programs.
pub(super) fn furnish(prepared: &Prepared) -> Result<(), Failed> {
    let links = [
        (c"/proc/self/fd", c"/dev/fd"),
        (c"/proc/self/fd/0", c"/dev/stdin"),
        (c"/proc/self/fd/1", c"/dev/stdout"),
        (c"/proc/self/fd/2", c"/dev/stderr"),
        (c"pts/ptmx", c"/dev/ptmx"),
    ];
    for (target, link) in links {
        fs::symlink(target, link).at(Step::Dev)?;
    }
    let nosuid = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    for (place, size) in [(c"/dev/shm", c"67108864"), (c"/tmp", &*prepared.temporary)] {
        // /tmp is the image's or the skeleton's; /dev/shm is made here.
        let _ = fs::mkdir(place, Mode::from_raw_mode(0o777));
        let mount = tmpfs(size, c"1777", nosuid)?;
        attach(mount.as_fd(), place, Step::Tmpfs)?;
    }
    pseudoterminals();
    fs::mkdir(c"/dev/mpcheck", Mode::from_raw_mode(0o755)).at(Step::Dev)?;
    for file in &prepared.files {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let to = fs::open(&*file.path, flags, Mode::from_raw_mode(file.mode)).at(Step::Dev)?;
        // The umask took bits away, and chmod gives them.
        fs::fchmod(&to, Mode::from_raw_mode(file.mode)).at(Step::Dev)?;
        let mut left = &*file.bytes;
        while !left.is_empty() {
            let written = rustix::io::write(&to, left).at(Step::Dev)?;
            left = left.get(written..).unwrap_or_default();
        }
    }
    let _ = rustix::system::sethostname(b"mpcheck");
    loopback();
    // Whatever the kernel must kill for want of memory, it is not mpcheck.
    write_to(c"/proc/self/oom_score_adj", b"1000");
    Ok(())
}

/// Pseudoterminals, where the kernel lets a namespace have them. No command is given one.
fn pseudoterminals() {
    let mount = || {
        fs::mkdir(c"/dev/pts", Mode::from_raw_mode(0o755))?;
        let context = fsopen(c"devpts", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_set_string(&context, c"ptmxmode", c"0666")?;
        fsconfig_create(&context)?;
        let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        let mount = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
        move_mount(&mount, c"", CWD, c"/dev/pts", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
    };
    let _ = mount();
}

/// Containers without a network have their loopback up.
fn loopback() {
    // SAFETY: a socket of our own, and a request on the stack whose name and flags are set.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        if socket < 0 {
            return;
        }
        let mut request = std::mem::zeroed::<libc::ifreq>();
        for (to, from) in request.ifr_name.iter_mut().zip(c"lo".to_bytes()) {
            *to = from.cast_signed() as libc::c_char;
        }
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        libc::ioctl(socket, libc::SIOCSIFFLAGS, &raw const request);
        libc::close(socket);
    }
}

pub(super) fn write_to(path: &CStr, text: &[u8]) {
    if let Ok(file) = fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()) {
        let _ = rustix::io::write(&file, text);
    }
}
