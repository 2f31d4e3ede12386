//! Everything that the processes in the namespaces need, made before they are cloned.

use super::super::Limits;
use std::ffi::{CString, c_char};

/// What is made ready for one sandbox.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The line that makes the namespace's root the image's user, and the same for the group.
    pub(super) user_map: CString,
    pub(super) group_map: CString,
    /// The directory that the layers' paths and the handlers' interpreters are relative to, absolute.
    pub(super) store: CString,
    /// The lower directories, the topmost first.
    pub(super) layers: Vec<CString>,
    /// How many bytes can be written to the root; `None` where it is read-only.
    pub(super) writable: Option<CString>,
    /// Lines for a binfmt_misc of its own; `None` leaves it the host's handlers.
    pub(super) handlers: Option<Vec<Vec<u8>>>,
    /// Files in `/dev/mpcheck`.
    pub(super) files: Vec<PreparedFile>,
    /// The size of `/tmp` in bytes.
    pub(super) temporary: CString,
    /// The working directory of the commands.
    pub(super) directory: CString,
    /// The commands, which are called by their index.
    pub(super) commands: Vec<PreparedCommand>,
    /// What each of them may use.
    pub(super) limits: Limits,
}

/// A file that is written into the sandbox.
#[derive(Debug)]
pub(super) struct PreparedFile {
    /// Its absolute path in there.
    pub(super) path: CString,
    /// What is in it.
    pub(super) bytes: Vec<u8>,
    /// Its permission bits.
    pub(super) mode: u32,
}

/// A command in the form that `execve` wants.
#[derive(Debug)]
pub(super) struct PreparedCommand {
    /// Where the program may be, in the order in which that is tried.
    pub(super) paths: Vec<CString>,
    /// `argv`.
    pub(super) arguments: Pointers,
    /// `envp`.
    pub(super) environment: Pointers,
}

/// Strings, and the array of pointers to them, which ends in a null pointer.
#[derive(Debug)]
pub(super) struct Pointers {
    _strings: Vec<CString>,
    pointers: Vec<*const c_char>,
}

impl Pointers {
    pub(super) fn new(strings: Vec<CString>) -> Self {
        // A CString's bytes stay where they are when the vector moves.
        let pointers = strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect();
        Self { _strings: strings, pointers }
    }

    pub(super) fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }
}

/// What the processes in the namespaces say, in twelve bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    /// The sandbox could not be made: at which step, and the error number.
    Failed(Step, i32),
    /// It is made.
    Ready,
    /// A command could not be started; its end follows.
    NotStarted(i32),
    /// A command ended with this wait status, and all that it started is gone.
    Ended(i32),
}

impl Message {
    /// How many bytes a message has. Less than `PIPE_BUF`, so it is never torn.
    pub(super) const BYTES: usize = 12;

    pub(super) fn to_bytes(self) -> [u8; Self::BYTES] {
        let (kind, a, b) = match self {
            Self::Failed(step, errno) => (0, step as i32, errno),
            Self::Ready => (1, 0, 0),
            Self::NotStarted(errno) => (2, errno, 0),
            Self::Ended(status) => (3, status, 0),
        };
        let mut bytes = [0; Self::BYTES];
        let words = [kind, a, b].into_iter().flat_map(i32::to_ne_bytes);
        bytes.iter_mut().zip(words).for_each(|(to, from)| *to = from);
        bytes
    }

    pub(super) fn from_bytes(bytes: [u8; Self::BYTES]) -> Option<Self> {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
        let word = |w| i32::from_ne_bytes(w);
        let (first, second) = (word([e, f, g, h]), word([i, j, k, l]));
        match word([a, b, c, d]) {
            0 => Some(Self::Failed(Step::ALL.into_iter().find(|step| *step as i32 == first)?, second)),
            1 => Some(Self::Ready),
            2 => Some(Self::NotStarted(first)),
            3 => Some(Self::Ended(first)),
            _ => None,
        }
    }
}

/// The steps of making a sandbox, to say which one failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Control,
    Store,
    User,
    Mounts,
    BinfmtMisc,
    Handler,
    Overlay,
    Pivot,
    Proc,
    Dev,
    Tmpfs,
    Fork,
}

impl Step {
    const ALL: [Self; 12] = [
        Self::Control,
        Self::Store,
        Self::User,
        Self::Mounts,
        Self::BinfmtMisc,
        Self::Handler,
        Self::Overlay,
        Self::Pivot,
        Self::Proc,
        Self::Dev,
        Self::Tmpfs,
        Self::Fork,
    ];

    /// What it does, after "could not".
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Control => "follow its orders",
            Self::Store => "enter the directory of unpacked layers",
            Self::User => "become the image's user",
            Self::Mounts => "detach its mounts from the host's",
            Self::BinfmtMisc => "mount a binfmt_misc of its own",
            Self::Handler => "register an emulator",
            Self::Overlay => "mount the layers",
            Self::Pivot => "make the layers its root",
            Self::Proc => "mount /proc",
            Self::Dev => "furnish /dev",
            Self::Tmpfs => "mount a tmpfs",
            Self::Fork => "start a process",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_as_they_were_sent() {
        let failed = Step::ALL.map(|step| Message::Failed(step, 22));
        let others = [Message::Ready, Message::NotStarted(8), Message::Ended(0x7f00), Message::Ended(-1)];
        for message in failed.into_iter().chain(others) {
            assert_eq!(Message::from_bytes(message.to_bytes()), Some(message));
        }
        assert_eq!(Message::from_bytes([0xff; Message::BYTES]), None);
    }
}
