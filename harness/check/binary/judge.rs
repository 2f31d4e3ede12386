//! Can a platform execute this code?

use crate::binary::{Content, Elf, MachO, Pe};
use crate::platform::{Architecture, Class, Data, Machine, Platform};

/// Whether a platform can execute a piece of code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::check) enum Fit {
    /// The platform's own.
    Native,
    /// For no architecture in particular: scripts, managed code, other files.
    Portable,
    /// Another architecture whose code the platform's machines run as well.
    Compatible(Code),
    /// Not executable there.
    Foreign(Code),
    /// The architecture table has no row for the platform.
    Unknown,
}

/// What a piece of code is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::check) struct Code {
    /// As a person reads it: `linux/amd64`, `386`, `BPF`, `Windows on amd64`.
    pub(in crate::check) name: String,
    /// The architecture, where container platforms name it.
    pub(in crate::check) architecture: Option<&'static str>,
    /// Whether it is for the platform's operating system, so that only the architecture is wrong.
    pub(in crate::check) same_os: bool,
}

/// The machine of an ELF file.
pub(in crate::check) fn machine(elf: &Elf) -> Machine {
    let class = if elf.is_64_bit { Class::Elf64 } else { Class::Elf32 };
    let data = if elf.is_big_endian { Data::Big } else { Data::Little };
    Machine::of_elf(elf.machine, class, data, elf.flags)
}

/// Judges a file's content.
pub(in crate::check) fn judge(content: &Content, platform: &Platform) -> Fit {
    match content {
        Content::Elf(elf) => judge_elf(elf, platform),
        Content::Pe(pe) => judge_pe(pe, platform),
        Content::MachO(macho) => judge_macho(macho, platform),
        _ => Fit::Portable,
    }
}

fn judge_elf(elf: &Elf, platform: &Platform) -> Fit {
    let machine = machine(elf);
    let architecture = machine.architecture().map(|row| row.name);
    if matches!(platform.os(), "windows" | "darwin" | "ios" | "wasip1" | "wasi" | "js") {
        let name = format!("Unix (ELF) on {machine}");
        return Fit::Foreign(Code { name, architecture, same_os: false });
    }
    let Some(row) = platform.row() else { return Fit::Unknown };
    let name = match machine {
        Machine::Architecture(own) if own.name == row.name => return Fit::Native,
        Machine::Architecture(other) => format!("{}/{}", platform.os(), other.name),
        Machine::Abi(_) | Machine::Other(_) | Machine::Unlisted(_) => machine.to_string(),
    };
    fit(row, machine.architecture(), Code { name, architecture, same_os: true })
}

fn fit(row: &'static Architecture, other: Option<&'static Architecture>, code: Code) -> Fit {
    if other.is_some_and(|other| row.executes(other)) { Fit::Compatible(code) } else { Fit::Foreign(code) }
}

/// .NET assemblies are for the runtime, which exists for every platform; native PE is Windows'.
fn judge_pe(pe: &Pe, platform: &Platform) -> Fit {
    if pe.managed {
        return Fit::Portable;
    }
    let code = Architecture::of_pe(pe.machine);
    let architecture = code.map(|row| row.name);
    let machine = architecture.map_or_else(|| format!("PE machine {:#06x}", pe.machine), str::to_owned);
    if platform.os() != "windows" {
        let name = format!("Windows on {machine}");
        return Fit::Foreign(Code { name, architecture, same_os: false });
    }
    let Some(row) = platform.row() else { return Fit::Unknown };
    let compatible = match (row.name, architecture) {
        (own, Some(other)) if own == other => return Fit::Native,
        // WOW64 runs 32-bit x86 everywhere, and Windows on Arm emulates x86 and x64
        // (Microsoft, "How emulation works on Arm").
        ("amd64", Some("386")) | ("arm64", Some("386" | "amd64" | "arm")) => true,
        _ => false,
    };
    let code = Code { name: format!("windows/{machine}"), architecture, same_os: true };
    if compatible { Fit::Compatible(code) } else { Fit::Foreign(code) }
}

fn judge_macho(macho: &MachO, platform: &Platform) -> Fit {
    let rows: Vec<&str> =
        macho.cpu_types.iter().filter_map(|&cpu| Architecture::of_macho(cpu)).map(|row| row.name).collect();
    let machine = if rows.is_empty() { "an unknown processor".to_owned() } else { rows.join(" and ") };
    let architecture = rows.first().copied();
    if !matches!(platform.os(), "darwin" | "ios") {
        let name = format!("macOS on {machine}");
        return Fit::Foreign(Code { name, architecture, same_os: false });
    }
    if rows.contains(&platform.architecture()) {
        return Fit::Native;
    }
    Fit::Foreign(Code { name: format!("{}/{machine}", platform.os()), architecture, same_os: true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binary::Scanner;
    use mpcheck_kit::{elf, macho, pe};
    use rstest::rstest;

    /// "NAME is for CODE, the platform is P" is a sentence whatever the file is.
    #[rstest]
    #[case(elf::Elf::program("amd64").build(), "linux/arm64", "linux/amd64")]
    #[case(elf::Elf::program("amd64").build(), "windows/amd64", "Unix (ELF) on amd64")]
    #[case(pe::Pe::program(pe::AMD64).build(), "linux/amd64", "Windows on amd64")]
    #[case(pe::Pe::program(pe::ARM64).build(), "windows/amd64", "windows/arm64")]
    #[case(macho::thin(macho::ARM64), "linux/arm64", "macOS on arm64")]
    #[case(macho::fat(&[macho::X86_64, macho::ARM64]), "linux/amd64", "macOS on amd64 and arm64")]
    #[case(macho::thin(macho::ARM64), "darwin/amd64", "darwin/arm64")]
    fn foreign_code_is_named_by_what_it_is_for(#[case] file: Vec<u8>, #[case] platform: &str, #[case] name: &str) {
        let mut scanner = Scanner::new(file.len() as u64, Vec::new());
        scanner.feed(&file);
        let content = scanner.finish().0;
        let Fit::Foreign(code) = judge(&content, &Platform::parse(platform).unwrap()) else { panic!("{content:?}") };
        assert_eq!(code.name, name);
    }
}
