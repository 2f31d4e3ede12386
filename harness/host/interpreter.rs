//! The file of a handler's interpreter.

use crate::binary::{PROGRAM_HEAD_BYTES, Program};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

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
        match File::open(path).and_then(|file| file.take(PROGRAM_HEAD_BYTES as u64).read_to_end(&mut head)) {
            Ok(_) => Self::of(&head),
            Err(error) => Self::Unknown(error.to_string()),
        }
    }

    /// The same by the first bytes of the file.
    #[must_use]
    pub fn of(head: &[u8]) -> Self {
        match Program::of(head) {
            Some(program) if program.needs_loader => Self::Dynamic,
            Some(_) => Self::Static,
            None => Self::Unknown("it is no ELF program".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Platform;

    #[test]
    fn a_probe_is_static_and_a_shell_is_not() {
        let probe = crate::probe::probe(Platform::host().row().unwrap()).unwrap();
        assert_eq!(Interpreter::of(&probe), Interpreter::Static);
        assert_eq!(Interpreter::read(Path::new("/bin/sh")), Interpreter::Dynamic);
        assert_eq!(Interpreter::read(Path::new("/no/such/emulator")), Interpreter::Missing);
        assert!(matches!(Interpreter::read(Path::new("/")), Interpreter::Unknown(_)));
        assert!(matches!(Interpreter::read(Path::new("/dev/zero")), Interpreter::Unknown(_)));
    }
}
