//! Commands in the form that the kernel wants, with the environment that an engine would give them.

use super::super::{Command, NotReady, Task};
use super::prepared::{Pointers, PreparedCommand};
use super::user;
use crate::image::document::DEFAULT_PATH;
use crate::image::store::Held;
use std::ffi::CString;
use std::io::Read as _;
use std::path::Path;

/// The largest `/etc/passwd` or `/etc/group` that is read.
const MAX_ACCOUNTS: u64 = 1 << 20;

/// The environment of one command, or where there is none of the probe, as an engine makes it.
pub(super) fn environment(
    task: &Task<'_>,
    user: &user::User,
    cpu: Option<&str>,
    command: Option<&Command>,
) -> Vec<String> {
    let mut environment = task.config.environment.clone();
    let mut add = |name: &str, value: &str| {
        if task.config.variable(name).is_none() {
            environment.push(format!("{name}={value}"));
        }
    };
    add("PATH", DEFAULT_PATH);
    add("HOME", &user.home);
    add("HOSTNAME", "mpcheck");
    if let Some(cpu) = cpu {
        environment.retain(|entry| !entry.starts_with("QEMU_CPU="));
        environment.push(format!("QEMU_CPU={cpu}"));
    }
    for (name, value) in command.iter().flat_map(|command| &command.environment) {
        // One of a name: which of two counts is for the program to say.
        environment.retain(|entry| entry.strip_prefix(name.as_str()).is_none_or(|rest| !rest.starts_with('=')));
        environment.push(format!("{name}={value}"));
    }
    environment
}

/// The `PATH` of an environment, in which a program is looked for.
pub(super) fn search_path(environment: &[String]) -> &str {
    environment.iter().rev().find_map(|entry| entry.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH)
}

/// A command with the paths at which its program may be.
pub(super) fn prepared_command<S: AsRef<str>>(
    words: &[S],
    environment: &[String],
    path: &str,
) -> Result<PreparedCommand, NotReady> {
    let program = words.first().map(AsRef::as_ref).unwrap_or_default();
    let paths = if program.contains('/') {
        vec![c_string(program.as_bytes())?]
    } else {
        // An empty directory of PATH is the working directory (POSIX, "Environment Variables").
        let at = |directory: &str| match directory {
            "" => program.to_owned(),
            directory => format!("{}/{program}", directory.trim_end_matches('/')),
        };
        path.split(':').map(|directory| c_string(at(directory).as_bytes())).collect::<Result<_, _>>()?
    };
    let strings = |texts: &mut dyn Iterator<Item = &str>| -> Result<Vec<CString>, NotReady> {
        texts.map(|text| c_string(text.as_bytes())).collect()
    };
    Ok(PreparedCommand {
        paths,
        arguments: Pointers::new(strings(&mut words.iter().map(AsRef::as_ref))?),
        environment: Pointers::new(strings(&mut environment.iter().map(String::as_str))?),
    })
}

/// A program without an environment, started under a name that is not its path.
pub(super) fn program(path: &str, name: &str) -> Result<PreparedCommand, NotReady> {
    Ok(PreparedCommand {
        paths: vec![c_string(path.as_bytes())?],
        arguments: Pointers::new(vec![c_string(name.as_bytes())?]),
        environment: Pointers::new(Vec::new()),
    })
}

pub(super) fn c_string(bytes: &[u8]) -> Result<CString, NotReady> {
    CString::new(bytes).map_err(|_| NotReady::new("a name or command holds a NUL byte", ""))
}

/// A file of accounts, from the topmost layer that has it.
pub(super) fn accounts(store: &Path, held: &[Held], name: &str) -> String {
    use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
    for layer in held {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(root) = open(store.join(&layer.files), flags, Mode::empty()) else { continue };
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        match openat2(&root, name, flags, Mode::empty(), resolve) {
            Ok(file) => {
                let file = std::fs::File::from(file);
                // A whiteout is a device: the file was removed.
                if !file.metadata().is_ok_and(|meta| meta.is_file()) {
                    return String::new();
                }
                let mut bytes = Vec::new();
                let _ = file.take(MAX_ACCOUNTS).read_to_end(&mut bytes);
                return String::from_utf8_lossy(&bytes).into_owned();
            }
            // Another layer may have it. A whiteout cannot be opened: it says ENXIO.
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => {}
            Err(_) => return String::new(),
        }
    }
    String::new()
}
