//! ELF: the headers that say what a file is for and what starts it.
//!
//! Sources: System V ABI, chapter "Object Files"; Linux, `fs/binfmt_elf.c`, for
//! what a kernel insists on before it starts a program.

use super::content::Fingerprint;
use goblin::container::Ctx;
use goblin::elf::header::{EI_CLASS, EI_DATA, EI_OSABI, ELFCLASS32, ELFCLASS64, ELFDATA2LSB, ELFDATA2MSB, Header};
use goblin::elf::program_header::{PF_X, PT_INTERP, PT_LOAD, ProgramHeader};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The most bytes that Linux reads of a program header table (`load_elf_phdrs`).
const MAX_PROGRAM_HEADER_BYTES: u64 = 65_536;

/// The longest interpreter path that Linux takes, its NUL included (`PATH_MAX`).
const MAX_INTERPRETER_BYTES: u64 = 4096;

/// `e_phnum` of a file with too many program headers for the field; only core files have it.
const PN_XNUM: u16 = 0xffff;

/// What is known of an ELF file.
///
/// What the loader needs beyond this (needed libraries, symbol versions, build
/// attributes) has its place here, and its wanted ranges in [`super::Scanner`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elf {
    /// `e_machine`.
    pub machine: u16,
    /// Whether the class is ELFCLASS64; else it is ELFCLASS32.
    pub is_64_bit: bool,
    /// Whether the data is big-endian (ELFDATA2MSB).
    pub is_big_endian: bool,
    /// `e_flags`.
    pub flags: u32,
    /// `e_ident[EI_OSABI]`.
    pub os_abi: u8,
    /// `e_type`.
    pub kind: ElfKind,
    /// The program interpreter.
    pub interpreter: Interpreter,
    /// How many bytes the loadable segments need the file to have.
    pub needed_bytes: u64,
    /// How many bytes the file has.
    pub file_bytes: u64,
    /// Whether it carries the name of an environment variable that only qemu-user reads.
    pub is_qemu_user: bool,
    /// Equal for equal files.
    pub fingerprint: Fingerprint,
}

/// `e_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ElfKind {
    /// ET_REL: an object file or a kernel module.
    Relocatable,
    /// ET_EXEC: a program at a fixed address.
    Executable,
    /// ET_DYN: a library, or a position-independent program.
    Shared,
    /// ET_CORE: a memory dump.
    Core,
    /// Anything else.
    Other(u16),
}

/// PT_INTERP, the path of the program that the kernel starts in the file's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Interpreter {
    /// None: a static program, a library, an object.
    None,
    /// Its path, without the NUL.
    Path(Vec<u8>),
    /// There is one, and the file does not hold its path where it says: why.
    Broken(String),
    /// There is one, in a part of the file that was not kept.
    Unknown,
}

impl Elf {
    /// The class, as `readelf` calls it without its prefix: 32 or 64.
    #[must_use]
    pub const fn bits(&self) -> u8 {
        if self.is_64_bit { 64 } else { 32 }
    }

    /// Whether the file ends before the segments that it says it has.
    #[must_use]
    pub const fn is_truncated(&self) -> bool {
        matches!(self.kind, ElfKind::Executable | ElfKind::Shared) && self.needed_bytes > self.file_bytes
    }
}

/// A header that was read, with what is needed to go on.
#[derive(Debug)]
pub(super) struct Start {
    header: Header,
    ctx: Ctx,
    file_bytes: u64,
}

/// What the program headers say.
#[derive(Debug, Default)]
pub(super) struct Segments {
    /// Where PT_INTERP's path lies in the file.
    pub(super) interpreter: Option<Range<u64>>,
    needed_bytes: u64,
    broken_interpreter: Option<String>,
}

impl Start {
    /// Reads the ELF header from a file's first bytes.
    ///
    /// The message of the error says what is wrong with the header.
    pub(super) fn parse(head: &[u8], file_bytes: u64) -> Result<Self, String> {
        let ident = |at: usize| head.get(at).copied().unwrap_or_default();
        if head.len() < 16 {
            return Err(format!("the file ends after {file_bytes} bytes, in the middle of its ELF header"));
        }
        if !matches!(ident(EI_CLASS), ELFCLASS32 | ELFCLASS64) {
            return Err(format!("its ELF class is {}, which is neither 32 nor 64 bits", ident(EI_CLASS)));
        }
        if !matches!(ident(EI_DATA), ELFDATA2LSB | ELFDATA2MSB) {
            return Err(format!("its ELF byte order is {}, which is neither little nor big endian", ident(EI_DATA)));
        }
        let needed = if ident(EI_CLASS) == ELFCLASS64 { 64 } else { 52 };
        if head.len() < needed {
            return Err(format!("the file ends after {file_bytes} bytes, in the middle of its ELF header"));
        }
        let header = goblin::elf::Elf::parse_header(head).map_err(|e| format!("its ELF header cannot be read: {e}"))?;
        let container = header.container().map_err(|e| format!("its ELF class cannot be read: {e}"))?;
        let endianness = header.endianness().map_err(|e| format!("its ELF byte order cannot be read: {e}"))?;
        Ok(Self { header, ctx: Ctx::new(container, endianness), file_bytes })
    }

    /// Where the program header table lies; `None` where there is none to read.
    pub(super) fn program_headers(&self) -> Result<Option<Range<u64>>, String> {
        let (count, entry) = (self.header.e_phnum, self.header.e_phentsize);
        if count == 0 || count == PN_XNUM || !self.is_loadable() {
            return Ok(None);
        }
        let expected = ProgramHeader::size(self.ctx);
        if usize::from(entry) != expected {
            return Err(format!("its program headers are said to have {entry} bytes each, and have {expected}"));
        }
        let length = u64::from(count) * u64::from(entry);
        if length > MAX_PROGRAM_HEADER_BYTES {
            return Err(format!("its {count} program headers are more than a kernel reads"));
        }
        let start = self.header.e_phoff;
        match start.checked_add(length) {
            Some(end) if end <= self.file_bytes => Ok(Some(start..end)),
            _ => Err(format!("its program headers lie at byte {start}, and the file has {} bytes", self.file_bytes)),
        }
    }

    /// Only programs and libraries are looked at beyond the header.
    const fn is_loadable(&self) -> bool {
        matches!(self.kind(), ElfKind::Executable | ElfKind::Shared)
    }

    const fn kind(&self) -> ElfKind {
        match self.header.e_type {
            1 => ElfKind::Relocatable,
            2 => ElfKind::Executable,
            3 => ElfKind::Shared,
            4 => ElfKind::Core,
            other => ElfKind::Other(other),
        }
    }

    /// Reads the program header table out of exactly its bytes.
    pub(super) fn segments(&self, table: &[u8]) -> Result<Segments, String> {
        let count = usize::from(self.header.e_phnum);
        let headers = ProgramHeader::parse(table, 0, count, self.ctx)
            .map_err(|e| format!("its program headers cannot be read: {e}"))?;
        let loads = headers.iter().filter(|h| h.p_type == PT_LOAD && h.p_filesz > 0);
        let needed_bytes = loads.map(|h| h.p_offset.saturating_add(h.p_filesz)).max().unwrap_or_default();
        let mut segments = Segments { needed_bytes, ..Segments::default() };
        // `objcopy --only-keep-debug` leaves the headers of what it takes away, the interpreter's path and the code.
        let code = |h: &&ProgramHeader| h.p_type == PT_LOAD && h.p_flags & PF_X != 0;
        let debug_only = headers.iter().any(|h| code(&h)) && headers.iter().filter(code).all(|h| h.p_filesz == 0);
        let interp = headers.iter().find(|h| h.p_type == PT_INTERP);
        if let Some(interp) = interp.filter(|interp| !(debug_only && interp.p_filesz == 0)) {
            match interp.p_offset.checked_add(interp.p_filesz) {
                Some(end) if end > self.file_bytes => {
                    segments.broken_interpreter = Some(format!(
                        "its interpreter's path lies at byte {}, and the file has {} bytes",
                        interp.p_offset, self.file_bytes
                    ));
                }
                Some(end) if (2..=MAX_INTERPRETER_BYTES).contains(&interp.p_filesz) => {
                    segments.interpreter = Some(interp.p_offset..end);
                }
                _ => {
                    segments.broken_interpreter =
                        Some(format!("its interpreter's path is said to have {} bytes", interp.p_filesz));
                }
            }
        }
        Ok(segments)
    }

    /// Puts the facts together. `path` is the content of the range that
    /// [`Segments::interpreter`] named, or `None` where it was not kept.
    pub(super) fn finish(
        &self,
        segments: Segments,
        path: Option<&[u8]>,
        is_qemu_user: bool,
        fingerprint: Fingerprint,
    ) -> Elf {
        let interpreter = match (segments.broken_interpreter, segments.interpreter, path) {
            (Some(why), ..) => Interpreter::Broken(why),
            (None, None, _) => Interpreter::None,
            (None, Some(_), None) => Interpreter::Unknown,
            (None, Some(_), Some(bytes)) => match bytes.split_last() {
                // The kernel wants the last byte to be the NUL, and takes the path up to the first one.
                Some((0, _)) => Interpreter::Path(bytes.split(|&b| b == 0).next().unwrap_or_default().to_vec()),
                _ => Interpreter::Broken("its interpreter's path does not end in a NUL".to_owned()),
            },
        };
        Elf {
            machine: self.header.e_machine,
            is_64_bit: self.ctx.is_big(),
            is_big_endian: !self.ctx.le.is_little(),
            flags: self.header.e_flags,
            os_abi: self.header.e_ident.get(EI_OSABI).copied().unwrap_or_default(),
            kind: self.kind(),
            interpreter,
            needed_bytes: segments.needed_bytes,
            file_bytes: self.file_bytes,
            is_qemu_user,
            fingerprint,
        }
    }
}
