//! What an entry of the registry is, and what is wrong with it.

use crate::host::binfmt::{Handler, Programs};
use crate::host::interpreter::Interpreter;
use crate::platform::{ARCHITECTURES, Architecture};

/// The architectures whose programs an entry takes: none for what is no emulator's, such as a script's or wine's.
pub(super) fn taken(handler: &Handler) -> Vec<&'static Architecture> {
    ARCHITECTURES.iter().filter(|row| handler.is_for(row)).collect()
}

/// Why an entry that takes programs of an architecture does not do, whether or not it is enabled; as half a sentence.
/// `argv0`: whether its emulator knows flag P.
pub(super) fn fault(handler: &Handler, row: &Architecture, file: &Interpreter, argv0: bool) -> Option<String> {
    // Rosetta and others know what they need; these flags are qemu's business.
    let lacks = |flag: char| handler.interpreter.contains("qemu") && !handler.has(flag);
    broken(handler, row, file).or_else(|| {
        let lacking = [('C', true), ('P', argv0)].into_iter().find(|(flag, wanted)| *wanted && lacks(*flag));
        lacking.map(|(flag, _)| format!("it has no flag {flag}"))
    })
}

/// Why an entry that takes programs of an architecture cannot run all of them in containers.
pub(super) fn broken(handler: &Handler, row: &Architecture, file: &Interpreter) -> Option<String> {
    let programs = Programs::of(row);
    let missed: Vec<&str> =
        programs.iter().filter(|program| !program.taken_by(handler)).map(|program| program.kind).collect();
    if !missed.is_empty() {
        return Some(format!("its mask does not take {}", missed.join(", ")));
    }
    if taken(handler).len() > 1 {
        return Some("its mask takes programs of several architectures".to_owned());
    }
    if !handler.has('F') {
        return Some("it has no flag F".to_owned());
    }
    (*file == Interpreter::Dynamic).then(|| "its emulator is dynamically linked".to_owned())
}

/// Whether an emulator of this version, as it says it (`qemu-arm 7.2.22 (Debian ..)`), is told by the kernel of this release
/// whether it was given the program's own `argv[0]` (flag P): the kernel since 5.12 (`AT_FLAGS_PRESERVE_ARGV0`), qemu since
/// 5.2. Without it one too many argument reaches the program.
pub(super) fn knows_argv0(version: &str, kernel: &str) -> bool {
    let number = |text: &str| -> Option<(u32, u32)> {
        let digits: String = text.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        let mut parts = digits.split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    let emulator = version.split_whitespace().nth(1).and_then(number);
    version.starts_with("qemu-") && emulator >= Some((5, 2)) && number(kernel) >= Some((5, 12))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::host::binfmt::Takes;
    use rstest::rstest;

    pub(in super::super) fn row(name: &str) -> &'static Architecture {
        Architecture::by_name(name).unwrap()
    }

    /// An entry for an architecture, with the table's magic and mask.
    pub(in super::super) fn entry(name: &str, architecture: &str, flags: &str) -> Handler {
        let emulator = row(architecture).emulator.unwrap();
        Handler {
            name: name.to_owned(),
            enabled: true,
            interpreter: format!("/usr/bin/qemu-{}-static", emulator.name),
            flags: flags.to_owned(),
            takes: Takes::Magic { offset: 0, magic: emulator.magic.to_vec(), mask: emulator.mask.to_vec() },
        }
    }

    fn masked(change: fn(&mut Vec<u8>)) -> Handler {
        let mut entry = entry("qemu-aarch64", "arm64", "POCF");
        if let Takes::Magic { mask, .. } = &mut entry.takes {
            change(mask);
        }
        entry
    }

    #[rstest]
    #[case::right(entry("qemu-aarch64", "arm64", "POCF"), Interpreter::Static, None)]
    #[case::pinned(entry("qemu-aarch64", "arm64", "POCF"), Interpreter::Missing, None)]
    #[case::no_fix_binary(entry("qemu-aarch64", "arm64", "POC"), Interpreter::Static, Some("no flag F"))]
    #[case::no_credentials(entry("qemu-aarch64", "arm64", "PF"), Interpreter::Static, Some("no flag C"))]
    #[case::no_argv0(entry("qemu-aarch64", "arm64", "OCF"), Interpreter::Static, Some("no flag P"))]
    #[case::debians(Handler { interpreter: "/usr/libexec/qemu-binfmt/aarch64-binfmt-P".to_owned(), ..entry("qemu-aarch64", "arm64", "OPF") },
        Interpreter::Static, Some("no flag C"))]
    #[case::dynamic(entry("qemu-aarch64", "arm64", "POCF"), Interpreter::Dynamic, Some("dynamically"))]
    #[case::strict(masked(|mask| mask[7] = 0xff), Interpreter::Static, Some("does not take"))]
    #[case::wide(masked(|mask| mask[18] = 0), Interpreter::Static, Some("several architectures"))]
    #[case::rosetta(Handler { interpreter: "/mnt/rosetta".to_owned(), ..entry("rosetta", "amd64", "F") },
        Interpreter::Static, None)]
    fn what_is_wrong(#[case] handler: Handler, #[case] file: Interpreter, #[case] wanted: Option<&str>) {
        let found = taken(&handler).first().and_then(|row| fault(&handler, row, &file, true));
        assert_eq!(found.is_some(), wanted.is_some(), "{found:?}");
        assert!(wanted.is_none_or(|part| found.as_deref().unwrap_or_default().contains(part)), "{found:?}");
    }

    #[test]
    fn what_takes_no_program_of_the_table_is_no_emulators() {
        let script = Handler { takes: Takes::Extension("py".to_owned()), ..entry("python", "arm64", "") };
        let windows = Takes::Magic { offset: 0, magic: b"MZ".to_vec(), mask: vec![0xff, 0xff] };
        let wine = Handler { takes: windows, ..entry("qemu-arm64", "arm64", "") };
        let java = Takes::Magic { offset: 0, magic: vec![0xca, 0xfe, 0xba, 0xbe], mask: vec![0xff; 4] };
        let java = Handler { takes: java, ..entry("java", "arm64", "") };
        // AppImages are ELF programs with marks where others have zeros.
        let mut marks = b"\x7fELF\0\0\0\0AI\x02".to_vec();
        marks.resize(11, 0);
        let mask = [[0xff; 4].as_slice(), &[0; 4], &[0xff; 3]].concat();
        let image = Handler { takes: Takes::Magic { offset: 0, magic: marks, mask }, ..entry("appimage", "arm64", "") };
        for handler in [script, wine, java, image] {
            assert_eq!(taken(&handler), Vec::<&Architecture>::new(), "{}", handler.name);
        }
        assert_eq!(taken(&entry("anything", "s390x", "")), [row("s390x")]);
    }

    #[rstest]
    #[case("qemu-aarch64 7.2.22 (Debian 1:7.2)", "6.18.44-fc", true)]
    #[case("qemu-aarch64 5.2.0", "5.12.0", true)]
    #[case("qemu-aarch64 10.0.2", "6.1.0-9-amd64", true)]
    #[case("qemu-aarch64 5.1.0", "6.1.0", false)]
    #[case("qemu-aarch64 3.1.0", "6.1.0", false)]
    #[case("qemu-aarch64 7.2.0", "5.10.0-9-amd64", false)]
    #[case("FEX 7.2.0", "6.1.0", false)]
    #[case("qemu-aarch64", "6.1.0", false)]
    #[case("", "", false)]
    fn old_ones_do_not_know_the_flag(#[case] version: &str, #[case] kernel: &str, #[case] knows: bool) {
        assert_eq!(knows_argv0(version, kernel), knows);
    }
}
