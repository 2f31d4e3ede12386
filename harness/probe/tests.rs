use super::*;
use crate::platform::{ARCHITECTURES, Data};
use goblin::elf::Elf;
use goblin::elf::program_header::{PF_R, PF_W, PF_X, PT_GNU_STACK, PT_LOAD};
use rstest::rstest;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

/// The architectures that the sandbox's hosts have.
const HOSTS: [&str; 5] = ["amd64", "arm64", "riscv64", "ppc64le", "s390x"];

/// A way to forge a program.
type Forging = fn(&Architecture) -> Option<Vec<u8>>;

fn row(name: &str) -> &'static Architecture {
    Architecture::by_name(name).unwrap()
}

fn hour(row: &Architecture) -> Option<Vec<u8>> {
    waiter(row, 3600)
}

/// Every architecture that has ELF programs, with each of its programs.
fn programs() -> Vec<(&'static Architecture, &'static str, Vec<u8>)> {
    let kinds: [(&str, Forging); 3] = [("probe", probe), ("waiter", hour), ("refuser", refuser)];
    let mut all = Vec::new();
    for row in ARCHITECTURES {
        for (kind, forge) in kinds {
            all.extend(forge(row).map(|program| (row, kind, program)));
        }
    }
    all
}

#[test]
fn every_architecture_with_elf_programs_has_a_probe_and_a_waiter() {
    for row in ARCHITECTURES {
        assert_eq!(probe(row).is_some(), row.elf.is_some(), "{}", row.name);
        assert_eq!(waiter(row, 1).is_some(), row.elf.is_some(), "{}", row.name);
    }
}

#[test]
fn the_hosts_of_the_sandbox_have_a_refuser() {
    let with: Vec<&str> = ARCHITECTURES.iter().filter(|row| refuser(row).is_some()).map(|row| row.name).collect();
    for host in HOSTS {
        assert!(with.contains(&host), "{host} is not in {with:?}");
    }
}

#[test]
fn a_program_is_of_its_architecture() {
    for (row, kind, program) in programs() {
        let elf = Elf::parse(&program).unwrap();
        let class = if elf.is_64 { Class::Elf64 } else { Class::Elf32 };
        let data = if elf.little_endian { Data::Little } else { Data::Big };
        let found = Architecture::of_elf(elf.header.e_machine, class, data, elf.header.e_flags);
        assert_eq!(found, Some(row), "the {kind} of {}", row.name);
    }
}

/// What the kernel asks of a segment is said in `fs/binfmt_elf.c`, and elf(5).
#[test]
fn a_program_can_be_loaded() {
    for (row, kind, program) in programs() {
        let what = format!("the {kind} of {}", row.name);
        let elf = Elf::parse(&program).unwrap();
        assert!(program.len() < 1024, "{what} has {} bytes", program.len());
        assert_eq!((elf.interpreter, elf.dynamic.is_some(), elf.header.e_shnum), (None, false, 0), "{what}");
        let flags: Vec<(u32, u32)> = elf.program_headers.iter().map(|header| (header.p_type, header.p_flags)).collect();
        assert_eq!(flags, [(PT_LOAD, PF_R | PF_X), (PT_LOAD, PF_R | PF_W), (PT_GNU_STACK, PF_R | PF_W)], "{what}");
        let [code, data] = [0, 1].map(|place| &elf.program_headers[place]);
        for segment in [code, data] {
            assert_eq!(segment.p_align, 0x1_0000, "{what}");
            assert_eq!(segment.p_vaddr % segment.p_align, segment.p_offset % segment.p_align, "{what}");
            assert_eq!(segment.p_filesz, u64::try_from(program.len()).unwrap(), "{what}");
            assert!(segment.p_memsz >= segment.p_filesz, "{what}");
        }
        assert!(code.p_vaddr + code.p_memsz <= data.p_vaddr / data.p_align * data.p_align, "{what} overlaps itself");
        assert!((code.p_vaddr..code.p_vaddr + code.p_filesz).contains(&elf.entry), "{what}");
    }
}

#[test]
fn only_the_refuser_is_marked_and_handlers_take_what_is_not() {
    for (row, kind, mut program) in programs() {
        let what = format!("the {kind} of {}", row.name);
        let emulator = row.emulator.unwrap();
        if kind != "refuser" {
            assert_eq!(program[9..16], [0; 7], "{what}");
            assert!(emulator.takes(&program), "{what}");
            assert!(marked(&mut program), "{what}");
        }
        assert_eq!(program[9..16], MARK, "{what}");
        assert!(!emulator.takes(&program), "{what}");
    }
}

#[test]
fn a_mark_has_no_zero() {
    assert!(!MARK.contains(&0));
}

#[test]
fn a_mark_changes_nothing_else() {
    let plain = probe(row("amd64")).unwrap();
    let mut program = plain.clone();
    assert!(marked(&mut program));
    assert_eq!((&program[..9], &program[16..]), (&plain[..9], &plain[16..]));
}

#[rstest]
#[case::empty(b"")]
#[case::magic_alone(b"\x7fELF")]
#[case::header_cut_in_the_padding(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0")]
#[case::script(b"#!/bin/sh\necho a script that is long enough\n")]
#[case::mach_o(b"\xcf\xfa\xed\xfe\x07\0\0\x01\x03\0\0\0\x02\0\0\0\x10\0\0\0")]
fn what_is_no_elf_file_is_left_as_it_is(#[case] bytes: &[u8]) {
    let mut program = bytes.to_vec();
    assert!(!marked(&mut program));
    assert_eq!(program, bytes);
}

#[rstest]
#[case::more_than_32_bits_count("arm", u32::MAX, &0x7fff_ffff_u32.to_le_bytes())]
#[case::big_endian("mips", 7, &7_u32.to_be_bytes())]
#[case::all_of_64_bits("amd64", u32::MAX, &0xffff_ffff_u64.to_le_bytes())]
#[case::big_endian_64_bits("s390x", 7, &7_u64.to_be_bytes())]
fn a_waiter_has_its_seconds(#[case] name: &str, #[case] seconds: u32, #[case] expected: &[u8]) {
    let program = waiter(row(name), seconds).unwrap();
    assert_eq!(&program[0x100..0x100 + expected.len()], expected);
}

/// A program in a file of its own, to be started.
struct Started {
    directory: tempfile::TempDir,
}

impl Started {
    fn new(program: &[u8]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o755).open(directory.path().join("program")).unwrap();
        file.write_all(program).unwrap();
        Self { directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("program")
    }

    /// Another test that forks while the file is open for writing makes the kernel say ETXTBSY for a moment.
    fn run(&self, arg0: &str, arguments: &[&str]) -> Output {
        loop {
            match Command::new(self.path()).arg0(arg0).args(arguments).output() {
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
                done => return done.unwrap(),
            }
        }
    }
}

/// The architecture that these tests were built for, which is one that the host runs.
fn own() -> &'static Architecture {
    let (class, order) = (cfg!(target_pointer_width = "64"), cfg!(target_endian = "little"));
    ARCHITECTURES
        .iter()
        .find(|row| {
            row.rust == std::env::consts::ARCH
                && row
                    .elf
                    .is_some_and(|elf| ((elf.class == Class::Elf64), (elf.data == Data::Little)) == (class, order))
        })
        .unwrap()
}

#[rstest]
#[case::name("probe")]
#[case::path("/bin/uname")]
#[case::nothing("")]
#[case::longer_than_the_kernels_names(&"long/".repeat(200))]
fn the_probe_says_machine_and_own_name(#[case] arg0: &str) {
    let kernel = rustix::system::uname();
    let machine = kernel.machine().to_str().unwrap();
    let output = Started::new(&probe(own()).unwrap()).run(arg0, &["ignored"]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{machine}\n{arg0}\n"));
    assert_eq!((output.status.code(), output.stderr), (Some(PROBE_EXIT), Vec::new()));
}

#[rstest]
#[case::at_once(0)]
#[case::after_a_second(1)]
fn the_waiter_ends_well(#[case] seconds: u32) {
    let output = Started::new(&waiter(own(), seconds).unwrap()).run("waiter", &[]);
    assert_eq!((output.status.code(), output.stdout, output.stderr), (Some(0), Vec::new(), Vec::new()));
}

#[test]
fn a_marked_program_runs() {
    let mut program = probe(own()).unwrap();
    assert!(marked(&mut program));
    assert_eq!(Started::new(&program).run("probe", &[]).status.code(), Some(PROBE_EXIT));
}

/// Outside of the sandbox there is no file for the record; its tests read that.
#[rstest]
#[case::path(&["/usr/bin/leaked", "leaked", "argument"], "/usr/bin/leaked")]
#[case::relative_path(&["./leaked"], "./leaked")]
#[case::no_path(&[], "")]
fn the_refuser_says_what_it_refused(#[case] arguments: &[&str], #[case] path: &str) {
    let output = Started::new(&refuser(own()).unwrap()).run("refuser", arguments);
    let [before, after] = REFUSED;
    assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("{before}{path}{after}"));
    assert_eq!((output.status.code(), output.stdout), (Some(REFUSED_EXIT), Vec::new()));
}

#[test]
fn the_refuser_cuts_a_path_that_no_kernel_gives() {
    let output = Started::new(&refuser(own()).unwrap()).run("refuser", &[&"x".repeat(5000)]);
    let [before, after] = REFUSED;
    assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("{before}{}{after}", "x".repeat(4095)));
}
