//! Invariants of the table's rows, and facts measured from Debian's packages.

use super::*;
use crate::platform::{OTHER_ABIS, Platform};
use rstest::rstest;
use std::collections::HashSet;

fn row(name: &str) -> &'static Architecture {
    Architecture::by_name(name).unwrap_or_else(|| panic!("no row {name}"))
}

#[test]
fn names_and_aliases_are_unique_over_all_rows() {
    let mut seen = HashSet::new();
    for row in ARCHITECTURES {
        for name in row.aliases.iter().map(|alias| alias.name).chain([row.name]) {
            assert!(seen.insert(name), "{name} is there twice");
            assert_eq!(name, name.to_ascii_lowercase());
            assert_eq!(Architecture::by_name(&name.to_ascii_uppercase()), Some(row));
        }
    }
}

#[test]
fn spellings_are_unique_over_all_rows_and_begin_and_end_as_words() {
    let mut seen = HashSet::new();
    for row in ARCHITECTURES {
        assert!(row.spellings.contains(&row.name), "{} does not name itself", row.name);
        for spelling in row.spellings {
            assert!(seen.insert(spelling), "{spelling} is there twice");
            assert_eq!(*spelling, spelling.to_ascii_lowercase());
            assert!(spelling.starts_with(|c: char| c.is_ascii_alphanumeric()), "{spelling}");
            assert!(spelling.ends_with(|c: char| c.is_ascii_alphanumeric()), "{spelling}");
            assert_eq!(Architecture::by_spelling(spelling), Some(row));
        }
        for name in row.aliases.iter().map(|alias| alias.name).chain(row.debian.iter().map(|port| port.name)) {
            assert!(row.spellings.contains(&name), "{} is not named by {name}", row.name);
        }
    }
}

#[test]
fn every_variant_is_canonical() {
    for row in ARCHITECTURES {
        let default = row.default_variant;
        for variant in row.variants {
            let is_omitted = default == DefaultVariant::Omitted(variant.name);
            let expected = Some(variant.name).filter(|_| !is_omitted);
            for spelling in variant.spellings.iter().chain([&variant.name]) {
                let platform = Platform::parse(&format!("linux/{}/{spelling}", row.name)).unwrap();
                assert_eq!(platform.variant(), expected, "{platform} from {spelling}");
            }
        }
        let bare = Platform::parse(&format!("linux/{}", row.name)).unwrap();
        let written = match default {
            DefaultVariant::Written(name) => Some(name),
            DefaultVariant::Omitted(_) | DefaultVariant::Unnamed => None,
        };
        assert_eq!(bare.variant(), written);
        let named = row.debian.iter().filter_map(|port| port.variant);
        let named = named.chain(row.loaders.iter().flat_map(|loader| loader.variants.iter().copied()));
        let named = named.chain(default.name()).chain(row.lowest_variant);
        for name in named {
            assert!(row.variants.iter().any(|variant| variant.name == name), "{} has no {name}", row.name);
        }
        for alias in row.aliases {
            if let AliasVariant::Is(name) = alias.variant {
                assert!(row.variants.iter().any(|variant| variant.name == name), "{} has no {name}", row.name);
            }
        }
    }
}

#[test]
fn elf_headers_name_one_row() {
    for row in ARCHITECTURES {
        let Some(ElfIdentity { machine, class, data, flags }) = row.elf else { continue };
        assert_eq!(Architecture::of_elf(machine, class, data, flags.value), Some(row), "{}", row.name);
        let fitting = ARCHITECTURES
            .iter()
            .filter(|other| other.elf.is_some_and(|elf| elf.fits(machine, class, data, flags.value)))
            .count()
            + OTHER_ABIS.iter().filter(|abi| abi.elf.fits(machine, class, data, flags.value)).count();
        assert_eq!(fitting, 1, "{}", row.name);
    }
}

#[test]
fn every_row_with_elf_is_complete() {
    for row in ARCHITECTURES.iter().filter(|row| row.elf.is_some()) {
        assert!(!row.debian.is_empty(), "{}", row.name);
        assert!(row.emulator.is_some(), "{}", row.name);
        assert!(!row.uname.native.is_empty() && !row.uname.emulated.is_empty(), "{}", row.name);
        assert!(!row.uname.linux32.is_empty() && !row.rust.is_empty(), "{}", row.name);
        for libc in [Libc::Glibc, Libc::Musl] {
            assert!(row.loaders.iter().any(|loader| loader.libc == libc), "{} {libc:?}", row.name);
        }
        let paths = row.loaders.iter().map(|loader| loader.path).chain(row.library_directories.iter().copied());
        assert!(paths.into_iter().all(|path| path.starts_with('/')), "{}", row.name);
        for executes in row.executes {
            let other = Architecture::by_name(executes.architecture).unwrap();
            assert!(executes.variant.is_none() || other.variant(executes.variant).is_some());
        }
    }
}

#[test]
fn every_magic_is_the_header_of_its_row() {
    for row in ARCHITECTURES {
        let (Some(elf), Some(emulator)) = (row.elf, row.emulator) else { continue };
        let (class, data) = (elf.class as u8 + 1, elf.data as u8 + 1);
        let number = |value: u16| if elf.data == Data::Big { value.to_be_bytes() } else { value.to_le_bytes() };
        let ident = [0x7f, b'E', b'L', b'F', class, data, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(emulator.magic[..16], ident, "{}", row.name);
        assert_eq!(emulator.magic[18..], number(elf.machine), "{}", row.name);
        // Programs, position-independent ones too, and no others.
        for (kind, expected) in [(2, true), (3, true), (1, false), (4, false)] {
            let mut start = emulator.magic;
            start[16..18].copy_from_slice(&number(kind));
            assert_eq!(emulator.takes(&start), expected, "{} of type {kind}", row.name);
        }
        assert!(!emulator.takes(&emulator.magic[..19]));
        for other in ARCHITECTURES.iter().filter(|other| *other != row) {
            assert!(
                !emulator.takes(&other.emulator.map_or([0; 20], |other| other.magic)),
                "{} for {}",
                row.name,
                other.name
            );
        }
    }
}

/// From the headers of Debian 13's packages.
#[rstest]
#[case::amd64("amd64", "/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1", "x86_64-linux-gnu", "x86_64")]
#[case::i386("386", "/lib/ld-linux.so.2", "/lib/ld-musl-i386.so.1", "i386-linux-gnu", "i386")]
#[case::arm64("arm64", "/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-aarch64.so.1", "aarch64-linux-gnu", "aarch64")]
#[case::armv7("arm/v7", "/lib/ld-linux-armhf.so.3", "/lib/ld-musl-armhf.so.1", "arm-linux-gnueabihf", "arm")]
#[case::armv6("arm/v6", "/lib/ld-linux-armhf.so.3", "/lib/ld-musl-armhf.so.1", "arm-linux-gnueabihf", "arm")]
#[case::armv5("arm/v5", "/lib/ld-linux.so.3", "/lib/ld-musl-arm.so.1", "arm-linux-gnueabi", "arm")]
#[case::ppc64le("ppc64le", "/lib64/ld64.so.2", "/lib/ld-musl-powerpc64le.so.1", "powerpc64le-linux-gnu", "ppc64le")]
#[case::s390x("s390x", "/lib/ld64.so.1", "/lib/ld-musl-s390x.so.1", "s390x-linux-gnu", "s390x")]
#[case::riscv64(
    "riscv64",
    "/lib/ld-linux-riscv64-lp64d.so.1",
    "/lib/ld-musl-riscv64.so.1",
    "riscv64-linux-gnu",
    "riscv64"
)]
#[case::loong64(
    "loong64",
    "/lib64/ld-linux-loongarch-lp64d.so.1",
    "/lib/ld-musl-loongarch64.so.1",
    "loongarch64-linux-gnu",
    "loongarch64"
)]
#[case::mips64le("mips64le", "/lib64/ld.so.1", "/lib/ld-musl-mips64el.so.1", "mips64el-linux-gnuabi64", "mips64el")]
fn loaders_and_names_are_those_of_the_packages(
    #[case] platform: &str,
    #[case] glibc: &str,
    #[case] musl: &str,
    #[case] triplet: &str,
    #[case] emulator: &str,
) {
    let (name, variant) = platform.split_once('/').map_or((platform, None), |(name, variant)| (name, Some(variant)));
    let row = row(name);
    let first = |libc| row.loaders(variant).find(|loader| loader.libc == libc).map(|loader| loader.path);
    assert_eq!(first(Libc::Glibc), Some(glibc));
    assert_eq!(first(Libc::Musl), Some(musl));
    assert!(row.debian.iter().any(|port| port.triplet == triplet));
    assert_eq!(row.emulator.map(|emulator| emulator.name), Some(emulator));
}

#[rstest]
#[case("amd64", None, "x86_64", "x86_64", "i686")]
#[case("386", None, "i686", "x86_64", "i686")]
#[case("arm64", None, "aarch64", "aarch64", "armv8l")]
#[case("arm", None, "armv7l", "aarch64", "armv8l")]
#[case("arm", Some("v6"), "armv6l", "armv6l", "armv8l")]
#[case("arm", Some("v5"), "armv5tel", "aarch64", "armv8l")]
#[case("mips64le", None, "mips64", "mips64", "mips")]
#[case("riscv64", None, "riscv64", "riscv64", "riscv32")]
fn uname_depends_on_how_it_is_run(
    #[case] name: &str,
    #[case] variant: Option<&str>,
    #[case] emulated: &str,
    #[case] native: &str,
    #[case] linux32: &str,
) {
    let uname = row(name).uname(variant);
    assert!(uname.emulated.contains(&emulated));
    assert!(uname.native.contains(&native));
    assert!(uname.linux32.contains(&linux32));
    assert_eq!(uname.emulated.contains(&"x86_64"), name == "amd64");
}

#[rstest]
#[case("arm", Some("v5"), Some("arm926"))]
#[case("arm", Some("v6"), Some("arm1176"))]
#[case("arm", Some("v7"), Some("cortex-a7"))]
#[case("arm", None, Some("cortex-a7"))]
#[case("amd64", None, Some("qemu64"))]
#[case("amd64", Some("v2"), Some("Nehalem"))]
#[case("amd64", Some("v3"), Some("Haswell"))]
#[case("amd64", Some("v4"), None)]
#[case("ppc64le", None, Some("power8"))]
#[case("ppc64le", Some("power99"), None)]
#[case("riscv64", None, Some("rv64"))]
#[case("riscv64", Some("rva22u64"), None)]
#[case("s390x", None, None)]
fn emulated_cpus_have_no_more_than_the_variant(
    #[case] name: &str,
    #[case] variant: Option<&str>,
    #[case] expected: Option<&str>,
) {
    assert_eq!(row(name).qemu_cpu(variant), expected);
}

#[rstest]
#[case(0x8664, Some(("amd64", None)))]
#[case(0x014c, Some(("386", None)))]
#[case(0xaa64, Some(("arm64", None)))]
#[case(0x01c4, Some(("arm", None)))]
#[case(0x5064, Some(("riscv64", None)))]
#[case(0x6264, Some(("loong64", None)))]
#[case::dotnet_for_linux(0xfd1d, Some(("amd64", Some("linux"))))]
#[case::dotnet_for_linux_arm64(0xd11d, Some(("arm64", Some("linux"))))]
#[case::dotnet_for_macos(0xec20, Some(("arm64", Some("darwin"))))]
#[case::efi_byte_code(0x0ebc, None)]
#[case::itanium(0x0200, None)]
fn pe_machines_name_rows(#[case] machine: u16, #[case] expected: Option<(&str, Option<&str>)>) {
    assert_eq!(Architecture::of_pe_for(machine).map(|(row, os)| (row.name, os)), expected);
    assert_eq!(Architecture::of_pe(machine).map(|row| row.name), expected.map(|(name, _)| name));
}

#[test]
fn pe_and_macho_numbers_are_unique() {
    let mut seen = HashSet::new();
    for row in ARCHITECTURES {
        for number in row.pe {
            assert!(seen.insert(*number), "{number:#x} is there twice");
            for (os, mask) in PE_SYSTEMS {
                assert!(seen.insert(number ^ mask), "{number:#x} for {os} is there twice");
            }
        }
    }
    let mut seen = HashSet::new();
    assert!(ARCHITECTURES.iter().flat_map(|row| row.macho).all(|number| seen.insert(number)));
}

#[rstest]
#[case(0x0100_0007, Some("amd64"))]
#[case(7, Some("386"))]
#[case(0x0100_000c, Some("arm64"))]
#[case(0x0200_000c, Some("arm64"))]
#[case(12, Some("arm"))]
#[case(0x0100_0012, Some("ppc64"))]
#[case(18, None)]
fn macho_types_name_rows(#[case] cputype: u32, #[case] expected: Option<&str>) {
    assert_eq!(Architecture::of_macho(cputype).map(|row| row.name), expected);
}

#[rstest]
#[case("amd64", &["amd64", "386"])]
#[case("386", &["386"])]
#[case("arm64", &["arm", "arm64"])]
#[case("arm", &["arm"])]
#[case("mips64le", &["mips64le"])]
#[case("ppc64le", &["ppc64le"])]
fn machines_execute_only_what_is_sure(#[case] name: &str, #[case] expected: &[&str]) {
    let executed: HashSet<&str> =
        ARCHITECTURES.iter().filter(|other| row(name).executes(other)).map(|other| other.name).collect();
    assert_eq!(executed, expected.iter().copied().collect());
}

#[rstest]
#[case("arm", 0x0500_0400, &["EABI5", "hard-float"])]
#[case("arm", 0x0500_0200, &["EABI5", "soft-float"])]
#[case("arm", 0x0400_0400, &[])]
#[case("ppc64le", 2, &["ELFv2"])]
#[case("ppc64", 1, &["ELFv1"])]
#[case("riscv64", 5, &["RVC", "double-float"])]
#[case("loong64", 0x43, &["double-float", "OBJABI_V1"])]
#[case("amd64", 0, &[])]
fn flags_have_names(#[case] name: &str, #[case] flags: u32, #[case] expected: &[&str]) {
    assert_eq!(row(name).flag_names(flags).collect::<Vec<_>>(), expected);
}
