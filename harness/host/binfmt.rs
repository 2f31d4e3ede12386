//! binfmt_misc: what the kernel says of it (`Documentation/admin-guide/binfmt-misc.rst`, `entry_status` in
//! `fs/binfmt_misc.c`).

use crate::platform::{Architecture, Data};
use crate::probe;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

/// Where binfmt_misc is mounted.
pub const MOUNT: &str = "/proc/sys/fs/binfmt_misc";

/// The most bytes that are read of one entry: a page, which is what the kernel writes it into.
const MAX_ENTRY: u64 = 4096;
/// The most entries that are read. The kernel has no limit.
const MAX_ENTRIES: usize = 4096;
/// How many bytes of a file handlers can look at (`BINPRM_BUF_SIZE` in the kernel's `binfmts.h`).
const LOOKED_AT: usize = 256;
/// `BINFMTFS_MAGIC` of the kernel's `magic.h`.
const BINFMTFS_MAGIC: u64 = 0x4249_4e4d;

/// Whether handlers are used at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryState {
    /// They are.
    Enabled,
    /// All of them are switched off.
    Disabled,
    /// The kernel has binfmt_misc, and it is not mounted where everybody looks for it.
    NotMounted,
    /// The kernel has no binfmt_misc, or not loaded it as a module.
    Unsupported,
    /// It is there and may not be read; why, in words.
    Denied(String),
}

/// binfmt_misc as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// Whether it is used.
    pub state: RegistryState,
    /// Its handlers, by name.
    pub handlers: Vec<Handler>,
    /// Entries that could not be read or understood, and why.
    pub unread: Vec<(String, String)>,
}

/// One handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handler {
    /// Its name: the file's.
    pub name: String,
    /// Whether it is used.
    pub enabled: bool,
    /// The program that is started in place of what it takes.
    pub interpreter: String,
    /// `P`, `O`, `C`, `F`, in the kernel's order.
    pub flags: String,
    /// What it takes.
    pub takes: Takes,
}

/// What a handler takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Takes {
    /// Files with these bytes at an offset, as far as the mask has bits.
    Magic {
        /// Where.
        offset: usize,
        /// Which bytes.
        magic: Vec<u8>,
        /// Which bits of them count; as long as the magic.
        mask: Vec<u8>,
    },
    /// Files whose name ends so.
    Extension(String),
}

impl Handler {
    /// Reads what the kernel says of a handler.
    ///
    /// # Errors
    /// What is missing or cannot be read, as half a sentence.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        let enabled = match lines.next() {
            Some("enabled") => true,
            Some("disabled") => false,
            _ => return Err("it does not begin with enabled or disabled".to_owned()),
        };
        let (mut interpreter, mut flags, mut offset) = (None, String::new(), 0);
        let (mut magic, mut mask, mut extension) = (None, None, None);
        for line in lines {
            // The last of two counts: a newline in the interpreter's path could forge lines, but only before the true ones.
            match line.split_once(' ').unwrap_or((line, "")) {
                ("interpreter", path) => interpreter = Some(path.to_owned()),
                ("flags:", given) => given.trim().clone_into(&mut flags),
                ("offset", number) => {
                    offset = number.parse::<usize>().map_err(|_| "its offset is no number".to_owned())?;
                }
                ("magic", digits) => magic = Some(bytes(digits).ok_or("its magic is not hexadecimal")?),
                ("mask", digits) => mask = Some(bytes(digits).ok_or("its mask is not hexadecimal")?),
                ("extension", ending) => extension = Some(ending.trim_start_matches('.').to_owned()),
                _ => {}
            }
        }
        let takes = match (magic, extension) {
            (Some(magic), _) => Takes::magic(offset, magic, mask)?,
            (None, Some(extension)) => Takes::Extension(extension),
            (None, None) => return Err("it has neither a magic nor an extension".to_owned()),
        };
        let interpreter = interpreter.filter(|path| !path.is_empty()).ok_or("it has no interpreter")?;
        Ok(Self { name: name.to_owned(), enabled, interpreter, flags, takes })
    }

    /// The emulator that it starts, for people: Rosetta has one name, whatever its path in a virtual machine is.
    #[must_use]
    pub fn emulator(&self) -> String {
        let rosetta = |text: &str| text.to_lowercase().contains("rosetta");
        if rosetta(&self.name) || rosetta(&self.interpreter) { "Rosetta".to_owned() } else { self.interpreter.clone() }
    }

    /// Whether it has a flag.
    #[must_use]
    pub fn has(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }

    /// Whether it takes a file that starts with these bytes.
    #[must_use]
    pub fn takes(&self, start: &[u8]) -> bool {
        let Takes::Magic { offset, magic, mask } = &self.takes else { return false };
        // The kernel compares with what is beyond the end of a short file as zeros.
        let at = |index: usize| start.get(index).copied().unwrap_or(0);
        offset.checked_add(magic.len()).is_some_and(|end| end <= LOOKED_AT)
            && magic.iter().zip(mask).enumerate().all(|(i, (magic, mask))| (at(offset + i) ^ magic) & mask == 0)
    }
}

impl Handler {
    /// Whether it takes programs of an architecture: some kind of them, if not all.
    #[must_use]
    pub fn is_for(&self, row: &Architecture) -> bool {
        Programs::of(row).iter().any(|program| program.taken_by(self))
    }
}

impl Takes {
    /// A magic and its mask, which is all ones where there is none.
    ///
    /// # Errors
    /// When the two are not of one length, as half a sentence.
    pub(super) fn magic(offset: usize, magic: Vec<u8>, mask: Option<Vec<u8>>) -> Result<Self, String> {
        if magic.is_empty() {
            return Err("its magic is empty".to_owned());
        }
        let mask = mask.unwrap_or_else(|| vec![0xff; magic.len()]);
        if mask.len() != magic.len() {
            return Err("its magic and its mask are not of one length".to_owned());
        }
        Ok(Self::Magic { offset, magic, mask })
    }
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.trim().as_bytes();
    if !digits.len().is_multiple_of(2) || digits.len() > 2 * LOOKED_AT {
        return None;
    }
    let nibble = |digit: &u8| char::from(*digit).to_digit(16);
    digits
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(nibble(high)? << 4 | nibble(low)?).ok(),
            _ => None,
        })
        .collect()
}

/// What compilers make for an architecture that handlers could tell apart.
#[derive(Debug, Clone)]
pub struct Programs {
    /// What kind of programs, in words.
    pub kind: &'static str,
    start: Vec<u8>,
}

impl Programs {
    /// The kinds of programs of an architecture: with either operating system's mark that Linux programs bear
    /// (`ELFOSABI_NONE`; `ELFOSABI_GNU` since a program has an indirect function), and at a fixed address or not.
    #[must_use]
    pub fn of(row: &Architecture) -> Vec<Self> {
        let (Some(elf), Some(program)) = (row.elf, probe::probe(row)) else { return Vec::new() };
        let kinds = [
            ("programs at a fixed address", 0, 2_u16),
            ("position-independent programs", 0, 3),
            ("programs at a fixed address with the mark of GNU/Linux", 3, 2),
            ("position-independent programs with the mark of GNU/Linux", 3, 3),
        ];
        let made = |(kind, system, ty): (&'static str, u8, u16)| {
            let mut start: Vec<u8> = program.iter().copied().take(LOOKED_AT).collect();
            let ty = if elf.data == Data::Little { ty.to_le_bytes() } else { ty.to_be_bytes() };
            start.iter_mut().skip(7).take(1).for_each(|byte| *byte = system);
            start.iter_mut().skip(16).zip(ty).for_each(|(to, byte)| *to = byte);
            Self { kind, start }
        };
        kinds.into_iter().map(made).collect()
    }

    /// Whether a handler takes them.
    #[must_use]
    pub fn taken_by(&self, handler: &Handler) -> bool {
        handler.takes(&self.start)
    }
}

impl Registry {
    /// A registry of which nothing can be seen.
    fn without(state: RegistryState) -> Self {
        Self { state, handlers: Vec::new(), unread: Vec::new() }
    }

    /// Whether the kernel uses handlers.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.state == RegistryState::Enabled
    }

    /// Reads binfmt_misc where it is mounted.
    #[must_use]
    pub fn read(mount: &Path) -> Self {
        // The first look at a file in it has systemd mount it, where that waits for somebody to ask (autofs).
        let status = match limited(&mount.join("status")) {
            Ok(status) => status,
            Err(error) => return Self::without(absent(mount, &error)),
        };
        let state = if status.trim() == "disabled" { RegistryState::Disabled } else { RegistryState::Enabled };
        let mut registry = Self::without(state);
        let names = fs::read_dir(mount).map(|entries| {
            let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).take(MAX_ENTRIES).collect();
            names.sort();
            names
        });
        let names = match names {
            Ok(names) => names,
            Err(error) => return Self::without(RegistryState::Denied(error.to_string())),
        };
        for name in names.into_iter().filter(|name| name != "status" && name != "register") {
            let shown = name.to_string_lossy().into_owned();
            // By another name than its own nobody could switch it off or remove it.
            let read = match name.to_str() {
                Some(_) => limited(&mount.join(&name)).map_err(|error| error.to_string()),
                None => Err("its name is no text".to_owned()),
            };
            match read.and_then(|text| Handler::parse(&shown, &text)) {
                Ok(handler) => registry.handlers.push(handler),
                Err(why) => registry.unread.push((shown, why)),
            }
        }
        registry
    }
}

/// Why nothing can be read there.
fn absent(mount: &Path, error: &io::Error) -> RegistryState {
    if matches!(error.kind(), io::ErrorKind::PermissionDenied) {
        return RegistryState::Denied(error.to_string());
    }
    // `f_type` has another sign on each architecture.
    #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast)]
    let mounted = rustix::fs::statfs(mount).is_ok_and(|stat| stat.f_type as u64 & 0xffff_ffff == BINFMTFS_MAGIC);
    if mounted {
        return RegistryState::Denied(error.to_string());
    }
    let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let known = known.lines().any(|line| line.split_whitespace().last() == Some("binfmt_misc"));
    if known { RegistryState::NotMounted } else { RegistryState::Unsupported }
}

/// A small file as text; bytes that are no text are shown as replaced.
fn limited(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_ENTRY).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
#[path = "binfmt_tests.rs"]
mod tests;
