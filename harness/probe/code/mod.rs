//! The machine code of the programs, and how the rows of the architecture table come to it.
//!
//! Each file has the same three programs, written in one way, so that who has read one has read all. In C:
//!
//! ```c
//! // probe. UTSNAME is in zeroed memory, each of its fields has 65 bytes, and `machine` is the fifth.
//! uname(UTSNAME);
//! for (s = UTSNAME.machine;; s = argv[0] ? argv[0] : (char *)&argc) { // without arguments, argc is 0 and an empty string
//!     for (n = 0; s[n]; n++);
//!     s[n] = '\n';
//!     write(1, s, n + 1);
//!     if (s != UTSNAME.machine) exit(42);
//! }
//!
//! // waiter. TIME is a timespec in the data.
//! do r = nanosleep(&TIME, &TIME); while (r == -EINTR);
//! exit(r);
//!
//! // refuser. RECORD and MESSAGE are three iovecs each, and FILE a string; `RECORD[2]` is a NUL.
//! path = argc >= 2 ? argv[1] : RECORD[2].iov_base;
//! for (n = 0; n != 4095 && path[n]; n++);
//! RECORD[1] = MESSAGE[1] = { path, n };
//! fd = openat(AT_FDCWD, FILE, O_WRONLY | O_APPEND);
//! if (fd >= 0) {
//!     r = getcwd(DIRECTORY, 4096); // its length with the NUL, or an error
//!     RECORD[0].iov_len = r > 0 ? r : 1;
//!     writev(fd, RECORD, 3);
//!     close(fd);
//! }
//! writev(2, MESSAGE, 3);
//! exit(126);
//! ```
//!
//! A program starts with its stack pointer at `argc`, with `argv` behind it (System V ABI, "Process Initialization").
//! The addresses are those of `elf.rs`: 0x420100 is TIME, or RECORD, MESSAGE and FILE in this order; 0x421000 is
//! UTSNAME or DIRECTORY, and 0x421104 UTSNAME's `machine`. System calls have the numbers of the architecture's
//! `asm/unistd.h`, and their conventions are in syscall(2).

mod amd64;
mod arm;
mod arm64;
mod i386;
mod loong64;
mod mips;
mod mips64;
mod ppc64;
mod riscv64;
mod s390x;

use super::elf::Instructions;
use crate::platform::Architecture;

/// The programs of an architecture.
#[derive(Debug)]
pub(super) struct Code {
    /// The `e_flags` of its files.
    pub(super) flags: u32,
    /// Prints the machine's name and its own.
    pub(super) probe: Instructions,
    /// Sleeps.
    pub(super) waiter: Instructions,
    /// Says that a program was refused; for architectures that the sandbox's hosts have.
    pub(super) refuser: Option<Instructions>,
}

impl Code {
    /// The programs for a row of the architecture table.
    pub(super) fn of(row: &Architecture) -> Option<&'static Self> {
        Some(match row.name {
            "amd64" => &amd64::CODE,
            "386" => &i386::CODE,
            "arm" => &arm::CODE,
            "arm64" => &arm64::CODE,
            "ppc64le" | "ppc64" => &ppc64::CODE,
            "s390x" => &s390x::CODE,
            "riscv64" => &riscv64::CODE,
            "loong64" => &loong64::CODE,
            "mips64le" | "mips64" => &mips64::CODE,
            "mipsle" | "mips" => &mips::CODE,
            _ => return None,
        })
    }
}
