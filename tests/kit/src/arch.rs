//! The forge's own small table of architectures, written down apart from the tool's so that a slip in one of the two
//! shows as a failing test.

/// What the forge knows about one architecture.
#[derive(Debug)]
pub struct Arch {
    /// The name in a platform, without the operating system: `arm/v7`.
    pub name: &'static str,
    /// ELF `e_machine`.
    pub machine: u16,
    /// ELFCLASS64.
    pub wide: bool,
    /// ELFDATA2MSB.
    pub big_endian: bool,
    /// ELF `e_flags` as Debian's programs have them.
    pub flags: u32,
    /// glibc's program interpreter, empty where there is none.
    pub glibc: &'static str,
    /// musl's program interpreter, empty where there is none.
    pub musl: &'static str,
    /// Debian's multiarch directory.
    pub triplet: &'static str,
    /// Instructions that exit with status 0.
    pub exit: &'static [u8],
}

/// Looks an architecture up by its name in a platform; `linux/arm64` and `arm64` are the same row.
///
/// # Panics
/// On a name that has no row: a typing error in a test.
#[must_use]
pub fn arch(name: &str) -> &'static Arch {
    let short = name.strip_prefix("linux/").unwrap_or(name);
    let short = if short == "arm64/v8" { "arm64" } else { short };
    ARCHES.iter().find(|row| row.name == short).unwrap_or_else(|| panic!("no architecture {name} in the forge"))
}

/// All rows.
pub static ARCHES: &[Arch] = &[
    Arch {
        name: "amd64",
        machine: 62,
        wide: true,
        big_endian: false,
        flags: 0,
        glibc: "/lib64/ld-linux-x86-64.so.2",
        musl: "/lib/ld-musl-x86_64.so.1",
        triplet: "x86_64-linux-gnu",
        // mov $60,%eax; xor %edi,%edi; syscall
        exit: &[0xb8, 0x3c, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05],
    },
    Arch {
        name: "386",
        machine: 3,
        wide: false,
        big_endian: false,
        flags: 0,
        glibc: "/lib/ld-linux.so.2",
        musl: "/lib/ld-musl-i386.so.1",
        triplet: "i386-linux-gnu",
        // mov $1,%eax; xor %ebx,%ebx; int $0x80
        exit: &[0xb8, 1, 0, 0, 0, 0x31, 0xdb, 0xcd, 0x80],
    },
    Arch {
        // x86-64 code with 32-bit pointers: EM_X86_64 in ELFCLASS32. Its system calls carry bit 30.
        name: "x32",
        machine: 62,
        wide: false,
        big_endian: false,
        flags: 0,
        glibc: "/libx32/ld-linux-x32.so.2",
        musl: "/lib/ld-musl-x32.so.1",
        triplet: "x86_64-linux-gnux32",
        exit: &[0xb8, 0x3c, 0, 0, 0x40, 0x31, 0xff, 0x0f, 0x05],
    },
    Arch {
        name: "arm64",
        machine: 183,
        wide: true,
        big_endian: false,
        flags: 0,
        glibc: "/lib/ld-linux-aarch64.so.1",
        musl: "/lib/ld-musl-aarch64.so.1",
        triplet: "aarch64-linux-gnu",
        // mov x8,#93; mov x0,#0; svc #0
        exit: &[0xa8, 0x0b, 0x80, 0xd2, 0, 0, 0x80, 0xd2, 0x01, 0, 0, 0xd4],
    },
    Arch {
        name: "arm/v7",
        machine: 40,
        wide: false,
        big_endian: false,
        flags: 0x0500_0400,
        glibc: "/lib/ld-linux-armhf.so.3",
        musl: "/lib/ld-musl-armhf.so.1",
        triplet: "arm-linux-gnueabihf",
        exit: ARM_EXIT,
    },
    Arch {
        name: "arm/v6",
        machine: 40,
        wide: false,
        big_endian: false,
        flags: 0x0500_0400,
        glibc: "/lib/ld-linux-armhf.so.3",
        musl: "/lib/ld-musl-armhf.so.1",
        triplet: "arm-linux-gnueabihf",
        exit: ARM_EXIT,
    },
    Arch {
        name: "arm/v5",
        machine: 40,
        wide: false,
        big_endian: false,
        flags: 0x0500_0200,
        glibc: "/lib/ld-linux.so.3",
        musl: "/lib/ld-musl-arm.so.1",
        triplet: "arm-linux-gnueabi",
        exit: ARM_EXIT,
    },
    Arch {
        name: "ppc64le",
        machine: 21,
        wide: true,
        big_endian: false,
        flags: 2,
        glibc: "/lib64/ld64.so.2",
        musl: "/lib/ld-musl-powerpc64le.so.1",
        triplet: "powerpc64le-linux-gnu",
        // li r0,1; li r3,0; sc
        exit: &[0x01, 0, 0, 0x38, 0, 0, 0x60, 0x38, 0x02, 0, 0, 0x44],
    },
    Arch {
        name: "ppc64",
        machine: 21,
        wide: true,
        big_endian: true,
        // ABI v2, where the entry point is code and not a function descriptor.
        flags: 2,
        glibc: "/lib64/ld64.so.1",
        musl: "/lib/ld-musl-powerpc64.so.1",
        triplet: "powerpc64-linux-gnu",
        exit: &[0x38, 0, 0, 0x01, 0x38, 0x60, 0, 0, 0x44, 0, 0, 0x02],
    },
    Arch {
        name: "s390x",
        machine: 22,
        wide: true,
        big_endian: true,
        flags: 0,
        glibc: "/lib/ld64.so.1",
        musl: "/lib/ld-musl-s390x.so.1",
        triplet: "s390x-linux-gnu",
        // lghi %r2,0; svc 1
        exit: &[0xa7, 0x29, 0, 0, 0x0a, 0x01],
    },
    Arch {
        name: "riscv64",
        machine: 243,
        wide: true,
        big_endian: false,
        flags: 5,
        glibc: "/lib/ld-linux-riscv64-lp64d.so.1",
        musl: "/lib/ld-musl-riscv64.so.1",
        triplet: "riscv64-linux-gnu",
        // li a7,93; li a0,0; ecall
        exit: &[0x93, 0x08, 0xd0, 0x05, 0x13, 0x05, 0, 0, 0x73, 0, 0, 0],
    },
    Arch {
        name: "loong64",
        machine: 258,
        wide: true,
        big_endian: false,
        flags: 0x43,
        glibc: "/lib64/ld-linux-loongarch-lp64d.so.1",
        musl: "/lib/ld-musl-loongarch64.so.1",
        triplet: "loongarch64-linux-gnu",
        // ori $a7,$zero,93; or $a0,$zero,$zero; syscall 0
        exit: &[0x0b, 0x74, 0x81, 0x03, 0x04, 0, 0x15, 0, 0, 0, 0x2b, 0],
    },
    Arch {
        name: "mips64le",
        machine: 8,
        wide: true,
        big_endian: false,
        // noreorder, pic, cpic, mips64r2
        flags: 0x8000_0007,
        glibc: "/lib64/ld.so.1",
        musl: "/lib/ld-musl-mips64el.so.1",
        triplet: "mips64el-linux-gnuabi64",
        // li $v0,5058; move $a0,$zero; syscall
        exit: &[0xc2, 0x13, 0x02, 0x24, 0x25, 0x20, 0, 0, 0x0c, 0, 0, 0],
    },
    Arch {
        name: "mips64",
        machine: 8,
        wide: true,
        big_endian: true,
        flags: 0x8000_0007,
        glibc: "/lib64/ld.so.1",
        musl: "/lib/ld-musl-mips64.so.1",
        triplet: "mips64-linux-gnuabi64",
        exit: &[0x24, 0x02, 0x13, 0xc2, 0, 0, 0x20, 0x25, 0, 0, 0, 0x0c],
    },
    bare("bpf", 247, true),
    bare("hexagon", 164, false),
    bare("xtensa", 94, false),
    bare("avr", 83, false),
    bare("cuda", 190, true),
    bare("amdgpu", 224, true),
];

// mov r7,#1; mov r0,#0; svc #0
const ARM_EXIT: &[u8] = &[0x01, 0x70, 0xa0, 0xe3, 0, 0, 0xa0, 0xe3, 0, 0, 0, 0xef];

/// A machine that no container platform has: firmware cores, kernel bytecode, graphics processors.
const fn bare(name: &'static str, machine: u16, wide: bool) -> Arch {
    Arch { name, machine, wide, big_endian: false, flags: 0, glibc: "", musl: "", triplet: "", exit: &[0; 8] }
}
