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
    use crate::platform::Platform;

    /// The first bytes of a shell, which has a loader on every system that this is tested on.
    fn shell() -> Vec<u8> {
        let mut bytes = std::fs::read("/bin/sh").unwrap();
        bytes.truncate(PROGRAM_HEAD_BYTES);
        bytes
    }

    #[test]
    fn a_program_with_a_loader_says_so_and_one_without_does_not() {
        let machine = Platform::host().row().unwrap().elf.unwrap().machine;
        let mut bytes = shell();
        assert_eq!(Program::of(&bytes), Some(Program { machine, needs_loader: true }));
        // e_phoff of 64-bit programs; the segment's type becomes PT_NULL.
        let table = usize::try_from(u64::from_le_bytes(bytes[32..40].try_into().unwrap())).unwrap();
        let segments = (table..).step_by(56).take(usize::from(bytes[56]));
        let interpreter = segments.into_iter().find(|at| bytes[*at] == PT_INTERP as u8).unwrap();
        bytes[interpreter] = 0;
        assert_eq!(Program::of(&bytes), Some(Program { machine, needs_loader: false }));
        assert_eq!(Program::of(b"#!/bin/sh\n"), None);
    }

    #[test]
    fn whatever_the_bytes_are_nothing_is_made_up() {
        let whole = shell();
        for length in 0..300 {
            assert_eq!(Program::of(&whole[..length]), None, "the first {length} bytes");
        }
        for at in 0..64 {
            let mut broken = whole.clone();
            broken[at] = 0xff;
            let _ = Program::of(&broken);
        }
    }
}
