//! For which machine an ELF file is, also where no container platform has it.

use super::architecture::Class::{Elf32, Elf64};
use super::architecture::Data::{Big, Little};
use super::architecture::{Architecture, Class, Data, ElfIdentity};
use super::place;
use super::table::EF_MIPS_ABI2;
use std::fmt;

/// An ABI of a machine that containers have, but which is no platform's.
///
/// Its programs start on the machines of [`on`](Self::on) only where the kernel was built for it and its own
/// libraries are there, so for a platform of that architecture they are foreign all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherAbi {
    /// Its name: `x32`.
    pub name: &'static str,
    /// The architecture on whose machines it runs, where that is one of [`ARCHITECTURES`](super::ARCHITECTURES).
    pub on: Option<&'static str>,
    /// Its ELF files.
    pub elf: ElfIdentity,
    /// Words by which paths name it.
    pub spellings: &'static [&'static str],
}

/// A machine that no container platform has: processors of devices, virtual machines, retired computers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherMachine {
    /// `e_machine`.
    pub machine: u16,
    /// What it is called.
    pub name: &'static str,
}

/// The ABIs that share a machine number with an architecture and are not it.
pub static OTHER_ABIS: &[OtherAbi] = &[
    // The x32 psABI: 64-bit registers, 32-bit pointers.
    abi("x32", Some("amd64"), ElfIdentity::new(62, Elf32, Little), &["x32", "libx32", "gnux32", "muslx32", "amd64p32"]),
    abi("arm64 ilp32", Some("arm64"), ElfIdentity::new(183, Elf32, Little), &["ilp32", "arm64ilp32", "gnu_ilp32"]),
    abi("arm64 big-endian", None, ElfIdentity::new(183, Elf64, Big), &["aarch64_be", "aarch64be", "arm64be"]),
    abi("arm big-endian", None, ElfIdentity::new(40, Elf32, Big), &["armeb", "armbe", "armv7b"]),
    abi(
        "mips n32 little-endian",
        Some("mips64le"),
        ElfIdentity::new(8, Elf32, Little).with_flags(EF_MIPS_ABI2, EF_MIPS_ABI2),
        &["mipsn32el", "mips64p32le", "gnuabin32", "n32"],
    ),
    abi(
        "mips n32",
        Some("mips64"),
        ElfIdentity::new(8, Elf32, Big).with_flags(EF_MIPS_ABI2, EF_MIPS_ABI2),
        &["mipsn32", "mips64p32", "gnuabin32", "n32"],
    ),
    abi("s390 31-bit", Some("s390x"), ElfIdentity::new(22, Elf32, Big), &["s390"]),
    abi("riscv32", None, ElfIdentity::new(243, Elf32, Little), &["riscv32", "riscv32imc", "rv32", "rv32imc", "rv32i"]),
    abi("loongarch32", None, ElfIdentity::new(258, Elf32, Little), &["loongarch32", "loong32"]),
];

const fn abi(
    name: &'static str,
    on: Option<&'static str>,
    elf: ElfIdentity,
    spellings: &'static [&'static str],
) -> OtherAbi {
    OtherAbi { name, on, elf, spellings }
}

const fn other(machine: u16, name: &'static str) -> OtherMachine {
    OtherMachine { machine, name }
}

/// Machine numbers that no container platform has, by number: glibc's `elf.h`, and the generic ABI's
/// registry for those after it.
pub static OTHER_MACHINES: &[OtherMachine] = &[
    // Files that only use ELF as a container: compiled Guile modules, for one.
    other(0, "no machine"),
    other(2, "SPARC"),
    other(4, "Motorola 68000"),
    other(6, "Intel MCU"),
    other(15, "PA-RISC"),
    other(18, "SPARC v8+"),
    other(20, "PowerPC (32-bit)"),
    other(23, "Cell SPU"),
    other(36, "NEC V800"),
    other(41, "Alpha"),
    other(42, "SuperH"),
    other(43, "SPARC v9"),
    other(44, "TriCore"),
    other(45, "ARC"),
    other(46, "H8/300"),
    other(50, "Itanium"),
    other(52, "ColdFire"),
    other(53, "68HC12"),
    other(57, "Denso NDR1"),
    other(63, "Sony DSP"),
    other(68, "ST7"),
    other(70, "68HC11"),
    other(75, "VAX"),
    other(76, "CRIS"),
    other(80, "MMIX"),
    other(83, "AVR"),
    other(84, "FR30"),
    other(87, "V850"),
    other(88, "M32R"),
    other(89, "MN10300"),
    other(92, "OpenRISC"),
    other(93, "ARC Compact"),
    other(94, "Xtensa"),
    other(95, "VideoCore"),
    other(105, "MSP430"),
    other(106, "Blackfin DSP"),
    other(113, "Nios II"),
    other(114, "CompactRISC CRX"),
    other(115, "XGATE"),
    other(118, "dsPIC30F"),
    other(120, "M32C"),
    other(133, "SHARC DSP"),
    other(137, "VideoCore III"),
    other(138, "LatticeMico32"),
    other(140, "TI C6000 DSP"),
    other(141, "TI C2000 DSP"),
    other(142, "TI C55x DSP"),
    other(143, "TI ARP32"),
    other(144, "TI PRU"),
    other(164, "Hexagon DSP"),
    other(165, "8051"),
    other(167, "NDS32"),
    other(173, "RX"),
    other(174, "Imagination META"),
    other(175, "Elbrus"),
    other(180, "Intel L10M"),
    other(181, "Intel K10M (Xeon Phi)"),
    other(185, "AVR32"),
    other(186, "STM8"),
    other(187, "TILE64"),
    other(188, "TILEPro"),
    other(189, "MicroBlaze"),
    other(190, "CUDA"),
    other(191, "TILE-Gx"),
    other(195, "ARCv2"),
    other(197, "RL78"),
    other(198, "VideoCore V"),
    other(203, "xCORE"),
    other(204, "PIC"),
    other(205, "Intel Graphics"),
    other(219, "CSR Kalimba"),
    other(220, "Z80"),
    other(221, "VISIUMcore"),
    other(222, "FT32"),
    other(223, "Moxie"),
    other(224, "AMD GPU"),
    other(244, "Lanai"),
    other(245, "CEVA DSP"),
    other(246, "CEVA X2 DSP"),
    other(247, "BPF"),
    other(248, "Graphcore IPU"),
    other(250, "Netronome flow processor"),
    other(251, "NEC VE"),
    other(252, "C-SKY"),
    other(253, "ARCv3 (64-bit)"),
    other(255, "ARCv3 (32-bit)"),
    other(256, "Kalray VLIW"),
    other(262, "56800EF DSP"),
    other(263, "Solana BPF"),
    other(264, "AMD AI Engine"),
    other(0x9026, "Alpha"),
    other(0xa390, "S/390 (before its number was assigned)"),
    other(0xbaab, "MicroBlaze (before its number was assigned)"),
];

/// For which machine an ELF file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// An architecture that container platforms name.
    Architecture(&'static Architecture),
    /// Another ABI of such a machine.
    Abi(&'static OtherAbi),
    /// A machine that no container platform has.
    Other(&'static OtherMachine),
    /// A number that is not in the tables, or one whose word size and byte order make no sense.
    Unlisted(u16),
}

impl Machine {
    /// What the header fields of an ELF file say.
    #[must_use]
    pub fn of_elf(machine: u16, class: Class, data: Data, flags: u32) -> Self {
        if let Some(row) = Architecture::of_elf(machine, class, data, flags) {
            return Self::Architecture(row);
        }
        if let Some(abi) = OTHER_ABIS.iter().find(|abi| abi.elf.fits(machine, class, data, flags)) {
            return Self::Abi(abi);
        }
        OTHER_MACHINES.iter().find(|other| other.machine == machine).map_or(Self::Unlisted(machine), Self::Other)
    }

    /// The architecture, where container platforms name it.
    #[must_use]
    pub const fn architecture(self) -> Option<&'static Architecture> {
        match self {
            Self::Architecture(row) => Some(row),
            _ => None,
        }
    }

    /// Whether the machine is a known one that no container platform has, so that no image can have got its
    /// file by a mix-up of platforms.
    #[must_use]
    pub const fn is_outside_containers(self) -> bool {
        matches!(self, Self::Other(_))
    }

    /// Whether a path names this machine, so that it explains why the file is there.
    #[must_use]
    pub fn is_named_in(self, path: &[u8]) -> bool {
        match self {
            Self::Architecture(row) => place::named_in(path).contains(&row),
            Self::Abi(abi) => place::names_any(path, abi.spellings),
            Self::Other(_) | Self::Unlisted(_) => false,
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Architecture(row) => f.write_str(row.name),
            Self::Abi(abi) => f.write_str(abi.name),
            Self::Other(other) => f.write_str(other.name),
            Self::Unlisted(number) => write!(f, "ELF machine {number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::ARCHITECTURES;
    use rstest::rstest;
    use std::collections::HashSet;

    #[rstest]
    #[case::amd64(62, Elf64, Little, 0, "amd64")]
    #[case::x32(62, Elf32, Little, 0, "x32")]
    #[case::i386(3, Elf32, Little, 0, "386")]
    #[case::armhf(40, Elf32, Little, 0x0500_0400, "arm")]
    #[case::armel(40, Elf32, Little, 0x0500_0200, "arm")]
    #[case::armeb(40, Elf32, Big, 0x0500_0000, "arm big-endian")]
    #[case::arm64(183, Elf64, Little, 0, "arm64")]
    #[case::ilp32(183, Elf32, Little, 0, "arm64 ilp32")]
    #[case::ppc64le(21, Elf64, Little, 2, "ppc64le")]
    #[case::ppc64(21, Elf64, Big, 1, "ppc64")]
    #[case::s390x(22, Elf64, Big, 0, "s390x")]
    #[case::s390(22, Elf32, Big, 0, "s390 31-bit")]
    #[case::riscv64(243, Elf64, Little, 5, "riscv64")]
    #[case::riscv32(243, Elf32, Little, 1, "riscv32")]
    #[case::loong64(258, Elf64, Little, 0x43, "loong64")]
    #[case::mips64el(8, Elf64, Little, 0x8000_0007, "mips64le")]
    #[case::mipsel(8, Elf32, Little, 0x7000_1007, "mipsle")]
    #[case::mips_n32(8, Elf32, Big, 0x6000_0020, "mips n32")]
    #[case::bpf(247, Elf64, Little, 0, "BPF")]
    #[case::guile(0, Elf64, Little, 0, "no machine")]
    #[case::amdgpu(224, Elf64, Little, 0x54c, "AMD GPU")]
    #[case::unlisted(51966, Elf64, Little, 0, "ELF machine 51966")]
    #[case::nonsense(62, Elf64, Big, 0, "ELF machine 62")]
    fn elf_headers_have_a_name(
        #[case] machine: u16,
        #[case] class: Class,
        #[case] data: Data,
        #[case] flags: u32,
        #[case] expected: &str,
    ) {
        let found = Machine::of_elf(machine, class, data, flags);
        assert_eq!(found.to_string(), expected);
        assert_eq!(found.architecture(), ARCHITECTURES.iter().find(|row| row.name == expected));
    }

    #[test]
    fn only_known_devices_are_outside_containers() {
        let is_outside = |machine| Machine::of_elf(machine, Elf64, Little, 0).is_outside_containers();
        assert!(is_outside(247) && is_outside(190) && is_outside(0));
        assert!(!is_outside(62) && !is_outside(183) && !is_outside(51966));
        assert!(!Machine::of_elf(62, Elf32, Little, 0).is_outside_containers(), "x32 can be a mix-up");
    }

    #[test]
    fn the_tables_do_not_overlap() {
        let mut numbers = HashSet::new();
        for other in OTHER_MACHINES {
            assert!(numbers.insert(other.machine), "{} is there twice", other.machine);
            assert!(
                ARCHITECTURES.iter().filter_map(|row| row.elf).all(|elf| elf.machine != other.machine),
                "{} is also an architecture",
                other.name
            );
        }
        assert!(OTHER_MACHINES.is_sorted_by_key(|other| other.machine));
        for abi in OTHER_ABIS {
            let ElfIdentity { machine, class, data, flags } = abi.elf;
            assert_eq!(Machine::of_elf(machine, class, data, flags.value), Machine::Abi(abi), "{}", abi.name);
            assert!(abi.on.is_none_or(|name| ARCHITECTURES.iter().any(|row| row.name == name)), "{}", abi.name);
            assert!(abi.spellings.iter().all(|word| *word == word.to_ascii_lowercase()), "{}", abi.name);
        }
    }

    #[rstest]
    #[case(62, Elf32, b"/usr/libx32/libc.so.6", true)]
    #[case(62, Elf32, b"/usr/lib/x86_64-linux-gnux32/libc.so.6", true)]
    #[case(62, Elf32, b"/usr/lib/x86_64-linux-gnu/libc.so.6", false)]
    #[case(62, Elf64, b"/usr/lib/x86_64-linux-gnu/libc.so.6", true)]
    #[case(183, Elf64, b"/usr/lib/x86_64-linux-gnu/libc.so.6", false)]
    #[case(247, Elf64, b"/usr/lib/bpf/probe.o", false)]
    fn paths_name_machines(#[case] machine: u16, #[case] class: Class, #[case] path: &[u8], #[case] expected: bool) {
        assert_eq!(Machine::of_elf(machine, class, Little, 0).is_named_in(path), expected);
    }
}
