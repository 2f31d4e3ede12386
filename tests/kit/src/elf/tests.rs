use super::*;
use goblin::elf::Elf as Parsed;
use rstest::rstest;

#[test]
fn goblin_reads_every_architecture() {
    for row in crate::arch::ARCHES {
        let bytes = Elf::program(row.name).build();
        let parsed = Parsed::parse(&bytes).unwrap_or_else(|error| panic!("{}: {error}", row.name));
        assert_eq!(parsed.header.e_machine, row.machine, "{}", row.name);
        assert_eq!((parsed.is_64, parsed.little_endian), (row.wide, !row.big_endian), "{}", row.name);
        assert_eq!(parsed.header.e_flags, row.flags, "{}", row.name);
        assert_eq!(parsed.interpreter, None);
        let text = parsed.section_headers.iter().find(|section| section.sh_addr == parsed.entry).expect("entry");
        assert_eq!(bytes[text.sh_offset as usize..][..row.exit.len()], *row.exit, "{}", row.name);
    }
}

#[rstest]
#[case::ordinary(Elf::glibc("s390x"))]
#[case::at_end(Elf::glibc("s390x").at_end())]
#[case::narrow(Elf::glibc("386"))]
fn a_dynamic_program_says_what_it_needs(#[case] elf: Elf) {
    let bytes = elf.needed(&["libm.so.6"]).runpath("$ORIGIN/../lib").soname("own.so").build();
    let parsed = Parsed::parse(&bytes).expect("a valid file");
    assert_eq!(parsed.libraries, ["libc.so.6", "libm.so.6"]);
    assert_eq!(parsed.runpaths, ["$ORIGIN/../lib"]);
    assert_eq!(parsed.soname, Some("own.so"));
    assert!(parsed.interpreter.is_some_and(|path| path.starts_with("/lib/ld")));
}

#[test]
fn at_end_is_far_away() {
    let bytes = Elf::glibc("amd64").at_end().build();
    let parsed = Parsed::parse(&bytes).expect("a valid file");
    assert!(parsed.header.e_phoff > 100_000);
    let interpreter = parsed.program_headers.iter().find(|header| header.p_type == 3).expect("PT_INTERP");
    assert!(interpreter.p_offset > 100_000);
}

#[rstest]
#[case::class(Elf::program("amd64").class(7))]
#[case::magic_only(Elf::program("amd64").truncate(4))]
#[case::empty(Elf::program("amd64").truncate(0))]
#[case::half_a_header(Elf::program("amd64").truncate(40))]
#[case::program_headers(Elf::program("amd64").phoff(u64::MAX - 3))]
#[case::section_headers(Elf::program("amd64").shoff(1 << 60))]
fn goblin_refuses_broken_ones(#[case] elf: Elf) {
    assert!(Parsed::parse(&elf.build()).is_err());
}

// One test that writes all files first: a file still open for writing in a process being forked cannot be started.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn programs_of_this_machine_run() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().expect("a directory");
    let programs = [
        ("plain", Elf::program("amd64")),
        ("independent", Elf::program("amd64").kind(Kind::Dyn)),
        ("headers-far-away", Elf::program("amd64").at_end()),
    ];
    for (name, elf) in &programs {
        let path = directory.path().join(name);
        std::fs::write(&path, elf.build()).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("made executable");
    }
    for (name, _) in programs {
        let status = std::process::Command::new(directory.path().join(name)).status().expect("started");
        assert_eq!(status.code(), Some(0), "{name}");
    }
}
