//! The file of a handler's interpreter.

use goblin::container::Ctx;
use goblin::elf::program_header::{PT_INTERP, ProgramHeader};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

/// Program headers come first in every program that a linker makes.
const HEAD: u64 = 64 * 1024;

/// What is at the path of an interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interpreter {
    /// A program that needs nothing but the kernel.
    Static,
    /// A program that needs the loader at this path, which a container has in another version or not at all.
    Dynamic,
    /// Nothing.
    Missing,
    /// Something that is no program of this machine's form (a script), or that may not be read; why.
    Unknown(String),
}

impl Interpreter {
    /// Looks at the file.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        // A FIFO or a device would be waited for.
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::Missing,
            Err(error) => return Self::Unknown(error.to_string()),
            Ok(meta) if !meta.is_file() => return Self::Unknown("it is no file".to_owned()),
            Ok(_) => {}
        }
        let mut head = Vec::new();
        match File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head)) {
            Ok(_) => Self::of(&head),
            Err(error) => Self::Unknown(error.to_string()),
        }
    }

    /// The same by the first bytes of the file.
    #[must_use]
    pub fn of(head: &[u8]) -> Self {
        match segments(head) {
            Some(segments) if segments.iter().any(|segment| segment.p_type == PT_INTERP) => Self::Dynamic,
            Some(_) => Self::Static,
            None => Self::Unknown("it is no ELF program".to_owned()),
        }
    }
}

fn segments(head: &[u8]) -> Option<Vec<ProgramHeader>> {
    let header = goblin::elf::Elf::parse_header(head).ok()?;
    let ctx = Ctx::new(header.container().ok()?, header.endianness().ok()?);
    let (start, count) = (usize::try_from(header.e_phoff).ok()?, usize::from(header.e_phnum));
    let size = usize::from(header.e_phentsize);
    // Nothing is taken for a number that the file does not have room for.
    start.checked_add(count.checked_mul(size)?).filter(|end| *end <= head.len())?;
    ProgramHeader::parse(head, start, count, ctx).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{ARCHITECTURES, Platform};

    #[test]
    fn a_probe_is_static_and_a_shell_is_not() {
        let probe = crate::probe::probe(Platform::host().row().unwrap()).unwrap();
        assert_eq!(Interpreter::of(&probe), Interpreter::Static);
        assert_eq!(Interpreter::read(Path::new("/bin/sh")), Interpreter::Dynamic);
        assert_eq!(Interpreter::read(Path::new("/no/such/emulator")), Interpreter::Missing);
        assert!(matches!(Interpreter::read(Path::new("/")), Interpreter::Unknown(_)));
        assert!(matches!(Interpreter::read(Path::new("/dev/zero")), Interpreter::Unknown(_)));
    }

    #[test]
    fn whatever_the_file_holds_something_is_said() {
        for row in ARCHITECTURES {
            let Some(program) = crate::probe::probe(row) else { continue };
            for length in 0..program.len().min(120) {
                assert_ne!(Interpreter::of(&program[..length]), Interpreter::Dynamic);
            }
            for at in 0..64 {
                let mut broken = program.clone();
                broken[at] = 0xff;
                let _ = Interpreter::of(&broken);
            }
        }
    }
}
