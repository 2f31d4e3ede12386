use super::*;
use crate::platform::{ARCHITECTURES, Platform};
use rstest::rstest;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the kernel would say of the handler that the table wants for a row.
fn entry(row: &Architecture, flags: &str) -> Option<String> {
    let emulator = row.emulator?;
    Some(format!(
        "enabled\ninterpreter /usr/bin/qemu-{}\nflags: {flags}\noffset 0\nmagic {}\nmask {}\n",
        emulator.name,
        hex(&emulator.magic),
        hex(&emulator.mask)
    ))
}

#[test]
fn an_entry_is_read() {
    let row = Architecture::by_name("arm64").unwrap();
    let handler = Handler::parse("qemu-aarch64", &entry(row, "OCF").unwrap()).unwrap();
    assert!(handler.enabled && handler.has('F') && handler.has('C') && !handler.has('P'));
    assert_eq!(handler.interpreter, "/usr/bin/qemu-aarch64");
    let off = entry(row, "").unwrap().replace("enabled", "disabled");
    let off = Handler::parse("x", &off).unwrap();
    assert!(!off.enabled && off.flags.is_empty());
}

#[test]
fn an_extension_takes_no_program() {
    let handler = Handler::parse("jar", "enabled\ninterpreter /usr/bin/jexec\nflags: \nextension .jar\n").unwrap();
    assert_eq!(handler.takes, Takes::Extension("jar".to_owned()));
    assert!(!handler.takes(b"\x7fELF"));
}

/// The table's own magic takes all programs of its row, and none of another.
#[test]
fn each_rows_handler_takes_its_own_programs_and_no_others() {
    for row in ARCHITECTURES {
        let Some(text) = entry(row, "F") else { continue };
        let handler = Handler::parse(row.name, &text).unwrap();
        for other in ARCHITECTURES {
            for program in Programs::of(other) {
                assert_eq!(program.taken_by(&handler), other == row, "{} {} {}", row.name, other.name, program.kind);
            }
        }
    }
}

#[rstest]
#[case::the_table("ffffffffffffff00fffffffffffffffffeffffff", 4)]
#[case::only_system_v("fffffffffffffffffffffffffffffffffeffffff", 2)]
#[case::only_fixed_addresses("ffffffffffffff00ffffffffffffffffffffffff", 2)]
#[case::neither("ffffffffffffffffffffffffffffffffffffffff", 1)]
#[case::padding_too("ffffffffffffff0000000000000000fffeffffff", 4)]
fn a_strict_mask_misses_kinds_of_programs(#[case] mask: &str, #[case] taken: usize) {
    let text = format!(
        "enabled\ninterpreter /q\nflags: F\noffset 0\nmagic 7f454c460201010000000000000000000200b700\nmask {mask}\n"
    );
    let handler = Handler::parse("q", &text).unwrap();
    let programs = Programs::of(Architecture::by_name("arm64").unwrap());
    assert_eq!(programs.iter().filter(|program| program.taken_by(&handler)).count(), taken);
}

#[test]
fn a_mask_without_the_machine_takes_other_architectures() {
    let text = "enabled\ninterpreter /q\nflags: F\noffset 0\nmagic 7f454c46020101\n";
    let handler = Handler::parse("q", text).unwrap();
    for name in ["amd64", "arm64", "riscv64"] {
        assert!(Programs::of(Architecture::by_name(name).unwrap()).iter().all(|p| p.taken_by(&handler)), "{name}");
    }
}

#[rstest]
#[case::empty("", "enabled or disabled")]
#[case::another_file("0\n", "enabled or disabled")]
#[case::nothing_to_take("enabled\ninterpreter /q\nflags: \n", "neither a magic nor an extension")]
#[case::no_interpreter("enabled\nflags: \noffset 0\nmagic 7f\n", "no interpreter")]
#[case::an_empty_interpreter("enabled\ninterpreter \noffset 0\nmagic 7f\n", "no interpreter")]
#[case::odd_digits("enabled\ninterpreter /q\nmagic 7f4\n", "magic is not hexadecimal")]
#[case::no_digits("enabled\ninterpreter /q\nmagic zz\n", "magic is not hexadecimal")]
#[case::signed_digits("enabled\ninterpreter /q\nmagic +f\n", "magic is not hexadecimal")]
#[case::two_lengths("enabled\ninterpreter /q\nmagic 7f45\nmask ff\n", "not of one length")]
#[case::an_empty_magic("enabled\ninterpreter /q\nmagic \n", "its magic is empty")]
#[case::a_negative_offset("enabled\ninterpreter /q\noffset -1\nmagic 7f\n", "offset is no number")]
#[case::a_huge_offset("enabled\ninterpreter /q\noffset 99999999999999999999999\nmagic 7f\n", "offset is no number")]
fn what_is_no_entry_is_said_to_be_none(#[case] text: &str, #[case] why: &str) {
    let error = Handler::parse("x", text).unwrap_err();
    assert!(error.contains(why), "{error}");
}

#[test]
fn an_offset_beyond_what_the_kernel_reads_takes_nothing() {
    for offset in ["255", "256", "18446744073709551615"] {
        let handler = Handler::parse("x", &format!("enabled\ninterpreter /q\noffset {offset}\nmagic 0000\n")).unwrap();
        assert!(!handler.takes(&[0; 300]), "{offset}");
    }
}

/// The file's true lines come last.
#[test]
fn a_newline_in_a_path_forges_nothing() {
    let text = "enabled\ninterpreter /q\nmagic ffff\nflags: F\nflags: \noffset 0\nmagic 7f45\n";
    let handler = Handler::parse("x", text).unwrap();
    assert!(!handler.has('F') && handler.takes(b"\x7fELF"));
}

#[test]
fn a_long_magic_is_none() {
    let text = format!("enabled\ninterpreter /q\nmagic {}\n", "00".repeat(100_000));
    assert!(Handler::parse("x", &text).is_err());
}

#[test]
fn a_directory_is_read_and_what_cannot_be_is_told() {
    let mount = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| fs::write(mount.path().join(name), text).unwrap();
    put("status", "enabled\n");
    put("register", "");
    put("qemu-s390x", &entry(Architecture::by_name("s390x").unwrap(), "F").unwrap());
    put("odd", "?");
    let registry = Registry::read(mount.path());
    assert!(registry.is_enabled());
    assert_eq!(registry.handlers.iter().map(|handler| handler.name.as_str()).collect::<Vec<_>>(), ["qemu-s390x"]);
    assert_eq!(registry.unread.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["odd"]);
    put("status", "disabled\n");
    assert_eq!(Registry::read(mount.path()).state, RegistryState::Disabled);
}

#[test]
fn what_is_not_mounted_is_no_registry() {
    let empty = tempfile::tempdir().unwrap();
    let state = Registry::read(empty.path()).state;
    assert!(matches!(state, RegistryState::NotMounted | RegistryState::Unsupported), "{state:?}");
}

#[test]
fn programs_are_of_the_rows_that_have_a_probe() {
    assert_eq!(Programs::of(Platform::host().row().unwrap()).len(), 4);
}
