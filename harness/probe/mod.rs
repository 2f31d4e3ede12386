//! Tiny static programs, forged from the architecture table: no compiler makes them and no binary is kept.
//!
//! There are three, each for one row of the table:
//!
//! | program | what for |
//! |---|---|
//! | [`probe`] | proves that a platform runs: it says what the kernel says of the machine |
//! | [`waiter`] | keeps a container alive, in images that have no `sleep` |
//! | [`refuser`] | is started in place of programs for the host's own processor, and reports them |
//!
//! Their machine code is in `code/`, one file for each instruction set, with its assembly beside it; `elf.rs` puts
//! an executable around it. The code uses the oldest instructions of its architecture, so that a program also runs
//! on a baseline CPU, and calls nothing but the kernel.

mod code;
mod elf;

#[cfg(test)]
mod tests;

use crate::platform::{Architecture, Class};
use code::Code;
use elf::{Fields, Forge};

/// Where the sandbox gathers what the refuser reports.
pub const REFUSALS: &str = "/dev/mpcheck/refused";

/// The exit code of the probe.
pub const PROBE_EXIT: i32 = 42;

/// The exit code of the refuser: what shells say of a program that they found and could not start.
pub const REFUSED_EXIT: i32 = 126;

/// What [`marked`] writes into the padding of an ELF header, `e_ident[9..16]`.
///
/// The kernel's ELF loader does not look there (`fs/binfmt_elf.c` compares the magic alone), and every compiler
/// leaves zeros, which is what the masks of handlers ask for. So a marked program starts where a handler catches
/// all others of its architecture. The last byte has all bits set, so that handlers for each bit that is not set catch
/// everything else, whatever it has in its padding.
pub const MARK: [u8; 7] = *b"mpchec\xff";

/// A program that prints the kernel's machine name and its own `argv[0]`, a line each, and exits with [`PROBE_EXIT`].
///
/// The first line is empty where the kernel refuses `uname(2)`, the second where there is no `argv[0]`. `None` for
/// architectures that have no ELF programs.
#[must_use]
pub fn probe(row: &Architecture) -> Option<Vec<u8>> {
    let code = Code::of(row)?;
    Some(Forge::new(row.elf?, code.flags).program(code.probe))
}

/// A program that sleeps for so many seconds and exits with 0. As the first process of a container it keeps it alive.
///
/// It handles no signal, so there only SIGKILL ends it early: the kernel shields a container's first process from
/// all that it does not handle. Architectures of 32 bits count at most 2^31 - 1 seconds. `None` as for [`probe`].
#[must_use]
pub fn waiter(row: &Architecture, seconds: u32) -> Option<Vec<u8>> {
    let code = Code::of(row)?;
    let mut forge = Forge::new(row.elf?, code.flags);
    let seconds = match forge.class() {
        Class::Elf32 => seconds.min(i32::MAX.unsigned_abs()),
        Class::Elf64 => seconds,
    };
    // struct timespec: tv_sec, tv_nsec. The kernel writes what remains over it.
    forge.data().word(seconds).word(0);
    Some(forge.program(code.waiter))
}

/// A program that says that a program for the host's own processor was refused, and exits with [`REFUSED_EXIT`].
/// It is [marked].
///
/// It is made to be a handler's interpreter with the flags `F` and `P`, so that its arguments are its own name, the
/// path of the program as it was given to `execve(2)`, the program's own `argv[0]`, and the rest. Where [`REFUSALS`]
/// can be opened, it appends a record to it in one call: its working directory, NUL, the path, NUL; each of at most
/// 4096 bytes with its NUL. The directory is empty where the kernel does not give it. `None` for architectures that
/// are no host of the sandbox.
#[must_use]
pub fn refuser(row: &Architecture) -> Option<Vec<u8>> {
    let code = Code::of(row)?;
    let mut forge = Forge::new(row.elf?, code.flags);
    write_lines(forge.data())?;
    let mut program = forge.program(code.refuser?);
    marked(&mut program).then_some(program)
}

/// What the refuser prints around the path.
const REFUSED: [&str; 2] = [
    "mpcheck: refused ",
    ": it is a program for this machine's own processor, and a machine of this platform would not run it\n",
];

/// What the refuser writes, as `struct iovec`s of `writev(2)`; it fills in the fields that are 0.
fn write_lines(data: &mut Fields) -> Option<()> {
    /// Where the texts begin: behind six iovecs of 16 bytes.
    const TEXTS: u32 = elf::DATA + 96;
    let [before, after] = REFUSED;
    let path = u32::try_from(REFUSALS.len()).ok()?;
    let before_length = u32::try_from(before.len()).ok()?;
    let before_address = TEXTS + path + 1;
    let after_length = u32::try_from(after.len()).ok()?;
    // The record: directory with its NUL, path, and a NUL, which the name of the file ends in.
    data.word(elf::BUFFER).word(0).word(0).word(0).word(TEXTS + path).word(1);
    // The message.
    data.word(before_address)
        .word(before_length)
        .word(0)
        .word(0)
        .word(before_address + before_length)
        .word(after_length);
    data.bytes(REFUSALS.as_bytes()).bytes(&[0]).bytes(before.as_bytes()).bytes(after.as_bytes());
    Some(())
}

/// Marks a program with [`MARK`], so that no handler catches it whose mask asks for zero padding. Returns whether
/// it is an ELF file; anything else is left as it is.
#[must_use = "what is no ELF file is not marked"]
pub fn marked(program: &mut [u8]) -> bool {
    match program {
        [0x7f, b'E', b'L', b'F', _, _, _, _, _, padding @ ..] => match padding.first_chunk_mut() {
            Some(padding) => {
                *padding = MARK;
                true
            }
            None => false,
        },
        _ => false,
    }
}
