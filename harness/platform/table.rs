//! The table of architectures: one row is all that a new one needs.
//!
//! Where the cells come from:
//! - names, aliases, variants: containerd's platforms package, `database.go` and `variant.go`;
//! - ELF: the processor supplements of the ELF ABI, with the numbers of glibc's `elf.h`;
//! - PE: Microsoft's "PE Format", section "Machine Types"; Mach-O: Apple's `mach/machine.h`;
//! - loaders and their directories: glibc's `sysdeps/unix/sysv/linux/*/` (`shlib-versions`, `configure`) and
//!   musl's `configure`;
//! - magic, mask: qemu's `scripts/qemu-binfmt-conf.sh`, of which the first 20 bytes;
//! - `uname -m`: qemu's `linux-user`, the kernel's `UTS_MACHINE` and `COMPAT_UTS_MACHINE`.

use super::architecture::Class::{Elf32, Elf64};
use super::architecture::Data::{Big, Little};
use super::architecture::{
    Alias, AliasVariant, Architecture, DebianPort, DefaultVariant, ElfFlag, ElfIdentity, Emulator, Executes, FlagBits,
    Libc, Loader, Uname, Variant,
};

/// The architectures that container platforms name.
pub static ARCHITECTURES: &[Architecture] = &[
    Architecture {
        name: "amd64",
        aliases: &[same("x86_64"), same("x86-64")],
        variants: &[
            level("v1", &[], Some("qemu64")),
            level("v2", &[], Some("Nehalem")),
            level("v3", &[], Some("Haswell")),
            // qemu emulates no AVX-512.
            level("v4", &[], None),
        ],
        default_variant: DefaultVariant::Omitted("v1"),
        lowest_variant: Some("v1"),
        // The kernel's CONFIG_IA32_EMULATION, which distributions have on.
        executes: &[Executes { architecture: "386", variant: None }],
        debian: &[port("amd64", None, "x86_64-linux-gnu")],
        // Class 32 of this machine is x32, which is another ABI: OTHER_ABIS.
        elf: Some(ElfIdentity::new(62, Elf64, Little)),
        pe: &[0x8664],
        macho: &[0x0100_0007],
        loaders: &[glibc("/lib64/ld-linux-x86-64.so.2"), musl("/lib/ld-musl-x86_64.so.1")],
        library_directories: &["/lib64", "/usr/lib64"],
        emulator: Some(Emulator {
            name: "x86_64",
            magic: bytes([0x7f45_4c46, 0x0201_0100, 0, 0, 0x0200_3e00]),
            mask: bytes([0xffff_ffff, 0xfffe_fe00, 0xffff_ffff, 0xffff_ffff, 0xfeff_ffff]),
            baseline_cpu: Some("qemu64"),
            announces_signals: true,
        }),
        uname: Uname { emulated: &["x86_64"], native: &["x86_64"], linux32: &["i686"] },
        rust: "x86_64",
        spellings: &["amd64", "x86_64", "x86-64", "x64", "amd64v1", "amd64v2", "amd64v3", "amd64v4", "em64t"],
        ..Architecture::BLANK
    },
    Architecture {
        name: "386",
        aliases: &[Alias { name: "i386", variant: AliasVariant::Dropped }],
        debian: &[port("i386", None, "i386-linux-gnu")],
        elf: Some(ElfIdentity::new(3, Elf32, Little)),
        pe: &[0x014c],
        macho: &[7],
        loaders: &[glibc("/lib/ld-linux.so.2"), musl("/lib/ld-musl-i386.so.1")],
        emulator: Some(Emulator {
            name: "i386",
            magic: bytes([0x7f45_4c46, 0x0101_0100, 0, 0, 0x0200_0300]),
            mask: bytes([0xffff_ffff, 0xfffe_fe00, 0xffff_ffff, 0xffff_ffff, 0xfeff_ffff]),
            baseline_cpu: Some("qemu32"),
            announces_signals: true,
        }),
        uname: Uname {
            emulated: &["i686", "i586", "i486", "i386"],
            native: &["x86_64", "i686", "i586", "i486", "i386"],
            linux32: &["i686"],
        },
        rust: "x86",
        spellings: &["386", "i386", "i486", "i586", "i686", "ia32", "x86_32", "x86-32"],
        ..Architecture::BLANK
    },
    Architecture {
        name: "arm",
        aliases: &[
            Alias { name: "armhf", variant: AliasVariant::Is("v7") },
            // Debian's armel is ARMv5; containerd reads it as v6, and so do we.
            Alias { name: "armel", variant: AliasVariant::Is("v6") },
        ],
        variants: &[
            Variant {
                uname: Some(Uname {
                    emulated: &["armv7l", "armv6l", "armv5tel"],
                    native: ARM_V5,
                    linux32: &["armv8l"],
                }),
                ..level("v5", &["5"], Some("arm926"))
            },
            Variant {
                uname: Some(Uname { emulated: &["armv7l", "armv6l"], native: ARM_V6, linux32: &["armv8l"] }),
                ..level("v6", &["6"], Some("arm1176"))
            },
            level("v7", &["7"], Some("cortex-a7")),
            // 32-bit code for ARMv8; qemu-arm's default CPU has it.
            level("v8", &["8"], Some("max")),
        ],
        default_variant: DefaultVariant::Written("v7"),
        lowest_variant: Some("v5"),
        debian: &[port("armhf", Some("v7"), "arm-linux-gnueabihf"), port("armel", Some("v5"), "arm-linux-gnueabi")],
        elf: Some(ElfIdentity::new(40, Elf32, Little)),
        // "ELF for the Arm Architecture", e_flags. The float bits mean that only under EABI5.
        elf_flags: &[
            flag(0xff00_0000, 0x0500_0000, "EABI5"),
            flag(0xff00_0400, 0x0500_0400, "hard-float"),
            flag(0xff00_0200, 0x0500_0200, "soft-float"),
        ],
        // ARM, Thumb, and ARMNT, which is what Windows ran.
        pe: &[0x01c0, 0x01c2, 0x01c4],
        macho: &[12],
        loaders: &[
            Loader { variants: &["v6", "v7", "v8"], ..glibc("/lib/ld-linux-armhf.so.3") },
            Loader { variants: &["v6", "v7", "v8"], ..musl("/lib/ld-musl-armhf.so.1") },
            // Soft float, which Debian's armel has; a v6 or v7 userland may be built so as well.
            glibc("/lib/ld-linux.so.3"),
            musl("/lib/ld-musl-arm.so.1"),
        ],
        emulator: Some(Emulator {
            name: "arm",
            magic: bytes([0x7f45_4c46, 0x0101_0100, 0, 0, 0x0200_2800]),
            mask: bytes([0xffff_ffff, 0xffff_ff00, 0xffff_ffff, 0xffff_ffff, 0xfeff_ffff]),
            baseline_cpu: Some("cortex-a7"),
            announces_signals: true,
        }),
        uname: Uname {
            emulated: &["armv7l", "armv8l"],
            native: &["aarch64", "armv8l", "armv7l"],
            linux32: &["armv8l"],
        },
        rust: "arm",
        spellings: &[
            "arm",
            "arm32",
            "armhf",
            "armel",
            "armv5",
            "armv5l",
            "armv5te",
            "armv5tel",
            "armv6",
            "armv6l",
            "armv6h",
            "armv6hf",
            "armv6hl",
            "armv7",
            "armv7a",
            "armv7-a",
            "armv7l",
            "armv7h",
            "armv7hf",
            "armv7hl",
            "armv7hnl",
            "armv8l",
            "armeabi",
            "armeabi-v7a",
            "arm-v5",
            "arm-v6",
            "arm-v7",
            "arm32v5",
            "arm32v6",
            "arm32v7",
            "arm5",
            "arm6",
            "arm7",
            "armhfp",
            "gnueabi",
            "gnueabihf",
            "musleabi",
            "musleabihf",
            "androideabi",
            "aarch32",
            "thumbv6m",
            "thumbv7m",
            "thumbv7em",
            "thumbv7neon",
            "thumbv8m",
        ],
        ..Architecture::BLANK
    },
    Architecture {
        name: "arm64",
        aliases: &[same("aarch64")],
        variants: &[
            level("v8", &["8", "8.0", "v8.0"], Some("cortex-a53")),
            level("v8.1", &[], None),
            level("v8.2", &[], None),
            level("v8.3", &[], None),
            level("v8.4", &[], None),
            level("v8.5", &[], None),
            level("v8.6", &[], None),
            level("v8.7", &[], None),
            level("v8.8", &[], None),
            level("v8.9", &[], None),
            level("v9", &["9", "9.0", "v9.0"], None),
            level("v9.1", &[], None),
            level("v9.2", &[], None),
            level("v9.3", &[], None),
            level("v9.4", &[], None),
            level("v9.5", &[], None),
            level("v9.6", &[], None),
        ],
        default_variant: DefaultVariant::Omitted("v8"),
        // CONFIG_COMPAT, where the CPU has AArch32; newer servers and Apple's do not.
        executes: &[Executes { architecture: "arm", variant: Some("v8") }],
        debian: &[port("arm64", None, "aarch64-linux-gnu")],
        elf: Some(ElfIdentity::new(183, Elf64, Little)),
        // ARM64, and the two mixed kinds of Windows 11: ARM64EC, ARM64X.
        pe: &[0xaa64, 0xa641, 0xa64e],
        // arm64, and watchOS's arm64_32.
        macho: &[0x0100_000c, 0x0200_000c],
        loaders: &[glibc("/lib/ld-linux-aarch64.so.1"), musl("/lib/ld-musl-aarch64.so.1")],
        library_directories: &["/lib64", "/usr/lib64"],
        emulator: Some(Emulator {
            name: "aarch64",
            magic: bytes([0x7f45_4c46, 0x0201_0100, 0, 0, 0x0200_b700]),
            mask: bytes([0xffff_ffff, 0xffff_ff00, 0xffff_ffff, 0xffff_ffff, 0xfeff_ffff]),
            baseline_cpu: Some("cortex-a53"),
            announces_signals: true,
        }),
        uname: Uname { emulated: &["aarch64"], native: &["aarch64"], linux32: &["armv8l"] },
        rust: "aarch64",
        spellings: &["arm64", "aarch64", "armv8", "armv8a", "armv8-a", "arm64-v8a", "arm64v8", "arm64e", "arm64ec"],
        ..Architecture::BLANK
    },
    Architecture {
        name: "ppc64le",
        variants: &[
            level("power8", &[], Some("power8")),
            level("power9", &[], Some("power9")),
            level("power10", &[], Some("power10")),
        ],
        debian: &[port("ppc64el", None, "powerpc64le-linux-gnu")],
        elf: Some(ElfIdentity::new(21, Elf64, Little)),
        elf_flags: POWER_ABI,
        loaders: &[glibc("/lib64/ld64.so.2"), musl("/lib/ld-musl-powerpc64le.so.1")],
        library_directories: &["/lib64", "/usr/lib64"],
        emulator: Some(Emulator {
            name: "ppc64le",
            magic: bytes([0x7f45_4c46, 0x0201_0100, 0, 0, 0x0200_1500]),
            mask: bytes([0xffff_ffff, 0xffff_ff00, 0xffff_ffff, 0xffff_ffff, 0xfeff_ff00]),
            baseline_cpu: Some("power8"),
            announces_signals: true,
        }),
        uname: Uname { emulated: &["ppc64le"], native: &["ppc64le"], linux32: &["ppcle"] },
        rust: "powerpc64",
        spellings: &["ppc64le", "ppc64el", "powerpc64le", "powerpc64el", "ppcle_64"],
        ..Architecture::BLANK
    },
    Architecture {
        name: "s390x",
        debian: &[port("s390x", None, "s390x-linux-gnu")],
        elf: Some(ElfIdentity::new(22, Elf64, Big)),
        loaders: &[glibc("/lib/ld64.so.1"), musl("/lib/ld-musl-s390x.so.1")],
        library_directories: &["/lib64", "/usr/lib64"],
        emulator: Some(Emulator {
            name: "s390x",
            magic: bytes([0x7f45_4c46, 0x0202_0100, 0, 0, 0x0002_0016]),
            mask: bytes([0xffff_ffff, 0xffff_ff00, 0xffff_ffff, 0xffff_ffff, 0xfffe_ffff]),
            baseline_cpu: None,
            announces_signals: true,
        }),
        uname: Uname { emulated: &["s390x"], native: &["s390x"], linux32: &["s390"] },
        rust: "s390x",
        spellings: &["s390x", "s390", "s390_64"],
        ..Architecture::BLANK
    },
    Architecture {
        name: "riscv64",
        variants: &[level("rva20u64", &[], None), level("rva22u64", &[], None), level("rva23u64", &[], None)],
        debian: &[port("riscv64", None, "riscv64-linux-gnu")],
        elf: Some(ElfIdentity::new(243, Elf64, Little)),
        // "RISC-V ELF psABI", e_flags.
        elf_flags: &[
            flag(1, 1, "RVC"),
            flag(6, 0, "soft-float"),
            flag(6, 2, "single-float"),
            flag(6, 4, "double-float"),
            flag(6, 6, "quad-float"),
        ],
        pe: &[0x5064],
        loaders: &[glibc("/lib/ld-linux-riscv64-lp64d.so.1"), musl("/lib/ld-musl-riscv64.so.1")],
        library_directories: &["/lib64/lp64d", "/usr/lib64/lp64d", "/lib64", "/usr/lib64"],
        emulator: Some(Emulator {
            name: "riscv64",
            magic: bytes([0x7f45_4c46, 0x0201_0100, 0, 0, 0x0200_f300]),
            mask: bytes([0xffff_ffff, 0xffff_ff00, 0xffff_ffff, 0xffff_ffff, 0xfeff_ffff]),
            baseline_cpu: Some("rv64"),
            announces_signals: false,
        }),
        uname: Uname { emulated: &["riscv64"], native: &["riscv64"], linux32: &["riscv32"] },
        rust: "riscv64",
        spellings: &["riscv64", "riscv64gc", "riscv", "rv64", "rv64gc"],
        ..Architecture::BLANK
    },
    Architecture {
        name: "loong64",
        debian: &[port("loong64", None, "loongarch64-linux-gnu")],
        elf: Some(ElfIdentity::new(258, Elf64, Little)),
        // "LoongArch ELF psABI", e_flags. Without OBJABI_V1 it is the ABI of before 2022, which nothing runs now.
        elf_flags: &[
            flag(7, 1, "soft-float"),
            flag(7, 2, "single-float"),
            flag(7, 3, "double-float"),
            flag(0xc0, 0x40, "OBJABI_V1"),
        ],
        pe: &[0x6264],
        loaders: &[glibc("/lib64/ld-linux-loongarch-lp64d.so.1"), musl("/lib/ld-musl-loongarch64.so.1")],
        library_directories: &["/lib64", "/usr/lib64"],
        emulator: Some(Emulator {
            name: "loongarch64",
            magic: bytes([0x7f45_4c46, 0x0201_0100, 0, 0, 0x0200_0201]),
            mask: bytes([0xffff_ffff, 0xffff_fffc, 0x00ff_ffff, 0xffff_ffff, 0xfeff_ffff]),
            baseline_cpu: None,
            announces_signals: true,
        }),
        uname: Uname { emulated: &["loongarch64"], native: &["loongarch64"], linux32: &["loongarch64"] },
        rust: "loongarch64",
        spellings: &["loong64", "loongarch64", "loongarch"],
        ..Architecture::BLANK
    },
    Architecture {
        name: "mips64le",
        debian: &[port("mips64el", None, "mips64el-linux-gnuabi64")],
        elf: Some(ElfIdentity::new(8, Elf64, Little)),
        loaders: &[glibc("/lib64/ld.so.1"), musl("/lib/ld-musl-mips64el.so.1")],
        library_directories: &["/lib64", "/usr/lib64"],
        emulator: Some(Emulator {
            name: "mips64el",
            magic: bytes([0x7f45_4c46, 0x0201_0100, 0, 0, 0x0200_0800]),
            mask: bytes([0xffff_ffff, 0xffff_ff00, 0x00ff_ffff, 0xffff_ffff, 0xfeff_ffff]),
            baseline_cpu: None,
            announces_signals: true,
        }),
        uname: Uname { emulated: &["mips64"], native: &["mips64"], linux32: &["mips"] },
        rust: "mips64",
        spellings: &["mips64le", "mips64el", "mips64r6el", "mipsisa64r6el"],
        ..Architecture::BLANK
    },
    Architecture {
        name: "mips64",
        debian: &[port("mips64", None, "mips64-linux-gnuabi64")],
        elf: Some(ElfIdentity::new(8, Elf64, Big)),
        loaders: &[glibc("/lib64/ld.so.1"), musl("/lib/ld-musl-mips64.so.1")],
        library_directories: &["/lib64", "/usr/lib64"],
        emulator: Some(Emulator {
            name: "mips64",
            magic: bytes([0x7f45_4c46, 0x0202_0100, 0, 0, 0x0002_0008]),
            mask: bytes([0xffff_ffff, 0xffff_ff00, 0x00ff_ffff, 0xffff_ffff, 0xfffe_ffff]),
            baseline_cpu: None,
            announces_signals: true,
        }),
        uname: Uname { emulated: &["mips64"], native: &["mips64"], linux32: &["mips"] },
        rust: "mips64",
        spellings: &["mips64", "mips64r6", "mipsisa64r6"],
        ..Architecture::BLANK
    },
    Architecture {
        name: "mipsle",
        debian: &[port("mipsel", None, "mipsel-linux-gnu")],
        elf: Some(ElfIdentity::new(8, Elf32, Little).with_flags(EF_MIPS_ABI2, 0)),
        loaders: &[glibc("/lib/ld.so.1"), glibc("/lib/ld-linux-mipsn8.so.1"), musl("/lib/ld-musl-mipsel.so.1")],
        // qemu tells o32 from n32 by the flags, which are behind these 20 bytes: take another look at them.
        emulator: Some(Emulator {
            name: "mipsel",
            magic: bytes([0x7f45_4c46, 0x0101_0100, 0, 0, 0x0200_0800]),
            mask: bytes([0xffff_ffff, 0xffff_ff00, 0x00ff_ffff, 0xffff_ffff, 0xfeff_ffff]),
            baseline_cpu: None,
            announces_signals: true,
        }),
        uname: Uname { emulated: &["mips"], native: &["mips", "mips64"], linux32: &["mips"] },
        rust: "mips",
        spellings: &["mipsle", "mipsel", "mips32el", "mipsr6el", "mipsisa32r6el"],
        ..Architecture::BLANK
    },
    Architecture {
        name: "mips",
        debian: &[port("mips", None, "mips-linux-gnu")],
        elf: Some(ElfIdentity::new(8, Elf32, Big).with_flags(EF_MIPS_ABI2, 0)),
        loaders: &[glibc("/lib/ld.so.1"), glibc("/lib/ld-linux-mipsn8.so.1"), musl("/lib/ld-musl-mips.so.1")],
        emulator: Some(Emulator {
            name: "mips",
            magic: bytes([0x7f45_4c46, 0x0102_0100, 0, 0, 0x0002_0008]),
            mask: bytes([0xffff_ffff, 0xffff_ff00, 0x00ff_ffff, 0xffff_ffff, 0xfffe_ffff]),
            baseline_cpu: None,
            announces_signals: true,
        }),
        uname: Uname { emulated: &["mips"], native: &["mips", "mips64"], linux32: &["mips"] },
        rust: "mips",
        spellings: &["mips", "mips32", "mipsr6", "mipsisa32r6"],
        ..Architecture::BLANK
    },
    Architecture {
        name: "ppc64",
        debian: &[port("ppc64", None, "powerpc64-linux-gnu")],
        elf: Some(ElfIdentity::new(21, Elf64, Big)),
        elf_flags: POWER_ABI,
        macho: &[0x0100_0012],
        loaders: &[glibc("/lib64/ld64.so.1"), glibc("/lib64/ld64.so.2"), musl("/lib/ld-musl-powerpc64.so.1")],
        library_directories: &["/lib64", "/usr/lib64"],
        emulator: Some(Emulator {
            name: "ppc64",
            magic: bytes([0x7f45_4c46, 0x0202_0100, 0, 0, 0x0002_0015]),
            mask: bytes([0xffff_ffff, 0xffff_ff00, 0xffff_ffff, 0xffff_ffff, 0xfffe_ffff]),
            baseline_cpu: None,
            announces_signals: true,
        }),
        uname: Uname { emulated: &["ppc64"], native: &["ppc64"], linux32: &["ppc"] },
        rust: "powerpc64",
        spellings: &["ppc64", "powerpc64", "ppc64be"],
        ..Architecture::BLANK
    },
    // No machine runs it, and its modules are no ELF files: a runtime inside the container engine does.
    Architecture { name: "wasm", rust: "wasm32", spellings: &["wasm", "wasm32", "wasm64"], ..Architecture::BLANK },
];

/// Set in `e_flags` of n32 programs, which are 32-bit files for 64-bit machines.
pub(super) const EF_MIPS_ABI2: u32 = 0x20;

/// "64-Bit ELF V2 ABI Specification", `e_flags`.
const POWER_ABI: &[ElfFlag] = &[flag(3, 1, "ELFv1"), flag(3, 2, "ELFv2")];

/// Native names for ARMv6 programs: also those of the newer machines that run them.
const ARM_V6: &[&str] = &["aarch64", "armv8l", "armv7l", "armv6l"];

/// The same for ARMv5.
const ARM_V5: &[&str] = &["aarch64", "armv8l", "armv7l", "armv6l", "armv5tel", "armv5tejl"];

const fn same(name: &'static str) -> Alias {
    Alias { name, variant: AliasVariant::AsGiven }
}

const fn level(name: &'static str, spellings: &'static [&'static str], qemu_cpu: Option<&'static str>) -> Variant {
    Variant { name, spellings, qemu_cpu, uname: None }
}

const fn port(name: &'static str, variant: Option<&'static str>, triplet: &'static str) -> DebianPort {
    DebianPort { name, variant, triplet }
}

const fn glibc(path: &'static str) -> Loader {
    Loader { libc: Libc::Glibc, path, variants: &[] }
}

const fn musl(path: &'static str) -> Loader {
    Loader { libc: Libc::Musl, path, variants: &[] }
}

const fn flag(mask: u32, value: u32, name: &'static str) -> ElfFlag {
    ElfFlag { bits: FlagBits { mask, value }, name }
}

/// Twenty bytes, written as five words, the way that hexdumps show them.
const fn bytes(words: [u32; 5]) -> [u8; 20] {
    let [first, second, third, fourth, fifth] = words;
    let [a, b, c, d] = first.to_be_bytes();
    let [e, f, g, h] = second.to_be_bytes();
    let [i, j, k, l] = third.to_be_bytes();
    let [m, n, o, p] = fourth.to_be_bytes();
    let [q, r, s, t] = fifth.to_be_bytes();
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t]
}
