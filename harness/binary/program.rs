//! Whether a program of a host needs a loader, by the first bytes of its file.
//!
//! A [`Scanner`](super::Scanner) reads a whole file to say what is in it; an emulator has many megabytes, and this
//! question is answered by its program headers (System V ABI, chapter 5, "Program Header").

use goblin::container::Ctx;
use goblin::elf::program_header::{PT_INTERP, ProgramHeader};

/// How many of a file's first bytes are enough: program headers come first in every program that a linker makes.
pub const PROGRAM_HEAD_BYTES: usize = 64 * 1024;

/// What the first bytes of an ELF program say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    /// `e_machine`.
    pub machine: u16,
    /// Whether the kernel starts a loader for it (it has a segment `PT_INTERP`), which must then be where it runs.
    pub needs_loader: bool,
}

impl Program {
    /// Reads them; `None` where they are no ELF program's, or its headers are not among them.
    #[must_use]
    pub fn of(head: &[u8]) -> Option<Self> {
        let header = goblin::elf::Elf::parse_header(head).ok()?;
        let ctx = Ctx::new(header.container().ok()?, header.endianness().ok()?);
        let (start, count) = (usize::try_from(header.e_phoff).ok()?, usize::from(header.e_phnum));
        let size = usize::from(header.e_phentsize);
        // Nothing is taken for a number that the file does not have room for.
        start.checked_add(count.checked_mul(size)?).filter(|end| *end <= head.len())?;
        let segments = ProgramHeader::parse(head, start, count, ctx).ok()?;
        let needs_loader = segments.iter().any(|segment| segment.p_type == PT_INTERP);
        Some(Self { machine: header.e_machine, needs_loader })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{ARCHITECTURES, Platform};

    #[test]
    fn a_probe_needs_no_loader_and_a_shell_does() {
        let host = Platform::host();
        let row = host.row().unwrap();
        let machine = row.elf.unwrap().machine;
        let probe = crate::probe::probe(row).unwrap();
        assert_eq!(Program::of(&probe), Some(Program { machine, needs_loader: false }));
        let shell = std::fs::read("/bin/sh").unwrap();
        let head = &shell[..shell.len().min(PROGRAM_HEAD_BYTES)];
        assert_eq!(Program::of(head), Some(Program { machine, needs_loader: true }));
        assert_eq!(Program::of(b"#!/bin/sh\n"), None);
    }

    #[test]
    fn whatever_the_bytes_are_nothing_is_made_up() {
        for row in ARCHITECTURES {
            let Some(program) = crate::probe::probe(row) else { continue };
            for length in 0..program.len().min(120) {
                assert!(Program::of(&program[..length]).is_none_or(|program| !program.needs_loader));
            }
            for at in 0..64 {
                let mut broken = program.clone();
                broken[at] = 0xff;
                let _ = Program::of(&broken);
            }
        }
    }
}
