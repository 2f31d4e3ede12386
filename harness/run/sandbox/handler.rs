//! The lines that binfmt_misc is given (the kernel's `Documentation/admin-guide/binfmt-misc.rst`).

use crate::platform::{Architecture, Class, Data};

/// Bytes of the header that handlers look at: up to and with `e_machine`.
const LENGTH: usize = 20;

/// Gives the programs of an architecture to an interpreter, a path without a colon.
///
/// The flags: F opens the interpreter now, so that it needs no place in the image; P tells it the program's own
/// `argv[0]`; C has set-user-ID and the like decided by the program.
pub(super) fn emulate(row: &Architecture, interpreter: &str) -> Option<Vec<u8>> {
    let emulator = row.emulator?;
    Some(line(&format!("mpcheck-{}", emulator.name), &emulator.magic, &emulator.mask, interpreter, "FPC").into_bytes())
}

/// The byte of `e_ident` by which programs of ours are told: the last of the padding.
const MARKED_AT: usize = 15;

/// Gives the programs of an architecture to the refuser, unless they bear the mark: a last byte of padding with all bits
/// set.
///
/// A handler can ask for equal bits only, so there is one for each bit that is not set. Whatever else stands in the
/// padding does not matter (AppImages have `AI` there).
pub(super) fn refuse(row: &Architecture, interpreter: &str) -> Vec<Vec<u8>> {
    let Some(elf) = row.elf else { return Vec::new() };
    let class = if elf.class == Class::Elf64 { 2 } else { 1 };
    let data = if elf.data == Data::Little { 1 } else { 2 };
    let half = |value: u16| if elf.data == Data::Little { value.to_le_bytes() } else { value.to_be_bytes() };
    let mut magic = [0; LENGTH];
    let mut mask = [0; LENGTH];
    let mut set = |at: usize, bytes: &[u8], bits: &[u8]| {
        magic.iter_mut().skip(at).zip(bytes).for_each(|(to, byte)| *to = *byte);
        mask.iter_mut().skip(at).zip(bits).for_each(|(to, bits)| *to = *bits);
    };
    set(0, b"\x7fELF", &[0xff; 4]);
    set(4, &[class, data, 1], &[0xff; 3]);
    // ET_EXEC is 2 and ET_DYN is 3.
    set(16, &half(2), &half(0xfffe));
    set(18, &half(elf.machine), &[0xff; 2]);
    let one = |bit: u8| {
        let mut mask = mask;
        mask.iter_mut().skip(MARKED_AT).take(1).for_each(|byte| *byte = 1 << bit);
        line(&format!("mpcheck-refuse-{}-{bit}", row.name), &magic, &mask, interpreter, "FP").into_bytes()
    };
    (0..8).map(one).collect()
}

/// A handler as one line, which binfmt.d(5) has too. Neither name nor interpreter may have a colon.
pub(crate) fn line(name: &str, magic: &[u8], mask: &[u8], interpreter: &str, flags: &str) -> String {
    let escaped = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
    format!(":{name}:M:0:{}:{}:{interpreter}:{flags}", escaped(magic), escaped(mask))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str) -> &'static Architecture {
        Architecture::by_name(name).unwrap()
    }

    #[test]
    fn a_handler_is_one_line_of_the_kernels_form() {
        let line = String::from_utf8(emulate(row("s390x"), "emulators/q").unwrap()).unwrap();
        assert_eq!(
            line,
            concat!(
                r":mpcheck-s390x:M:0:\x7f\x45\x4c\x46\x02\x02\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x16",
                r":\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff:emulators/q:FPC"
            )
        );
    }

    #[test]
    fn there_is_a_refuser_for_each_bit_of_the_mark_that_is_missing() {
        let lines: Vec<String> =
            refuse(row("amd64"), "r").into_iter().map(|line| String::from_utf8(line).unwrap()).collect();
        assert_eq!(lines.len(), 8);
        assert_eq!(
            lines[6],
            concat!(
                r":mpcheck-refuse-amd64-6:M:0:",
                r"\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x3e\x00",
                r":\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x40\xfe\xff\xff\xff:r:FP"
            )
        );
        assert_eq!(crate::probe::MARK.last(), Some(&0xff));
    }
}
