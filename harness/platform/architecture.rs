//! What a row of the architecture table is made of, and how rows are found.

use super::table::ARCHITECTURES;

/// Word size of an ELF file: `e_ident[EI_CLASS]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// `ELFCLASS32`.
    Elf32,
    /// `ELFCLASS64`.
    Elf64,
}

/// Byte order of an ELF file: `e_ident[EI_DATA]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Data {
    /// `ELFDATA2LSB`.
    Little,
    /// `ELFDATA2MSB`.
    Big,
}

/// Bits of `e_flags` that must have one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlagBits {
    /// Which bits.
    pub mask: u32,
    /// Their value.
    pub value: u32,
}

impl FlagBits {
    /// No bit matters.
    pub const ANY: Self = Self { mask: 0, value: 0 };

    /// Whether these flags have the value.
    #[must_use]
    pub const fn fit(self, flags: u32) -> bool {
        flags & self.mask == self.value
    }
}

/// The fields of an ELF header that tell for which machine and ABI a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ElfIdentity {
    /// `e_machine`.
    pub machine: u16,
    /// Word size.
    pub class: Class,
    /// Byte order.
    pub data: Data,
    /// The bits of `e_flags` that tell this ABI from another one of the same machine, class and order.
    pub flags: FlagBits,
}

impl ElfIdentity {
    pub(super) const fn new(machine: u16, class: Class, data: Data) -> Self {
        Self { machine, class, data, flags: FlagBits::ANY }
    }

    pub(super) const fn with_flags(self, mask: u32, value: u32) -> Self {
        Self { flags: FlagBits { mask, value }, ..self }
    }

    /// Whether a header with these fields is of this kind.
    #[must_use]
    pub fn fits(&self, machine: u16, class: Class, data: Data, flags: u32) -> bool {
        self.machine == machine && self.class == class && self.data == data && self.flags.fit(flags)
    }
}

/// A name for bits of `e_flags`, to say what a file was built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ElfFlag {
    /// Which bits, and their value.
    pub bits: FlagBits,
    /// What they mean: `hard-float`, `ELFv2`.
    pub name: &'static str,
}

/// Another spelling of an architecture in a platform, as containerd normalises it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alias {
    /// The spelling, in lower case.
    pub name: &'static str,
    /// What becomes of the variant.
    pub variant: AliasVariant,
}

/// What an alias makes of the variant that stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AliasVariant {
    /// It stays.
    AsGiven,
    /// It is dropped (`i386`).
    Dropped,
    /// It is this one, whatever was written (`armhf`, `armel`).
    Is(&'static str),
}

/// Which variant a platform has that names none, and whether the canonical form shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultVariant {
    /// None: no variant says nothing.
    Unnamed,
    /// This one, and the canonical form leaves it out (amd64 `v1`, arm64 `v8`).
    Omitted(&'static str),
    /// This one, and the canonical form has it (arm `v7`).
    Written(&'static str),
}

impl DefaultVariant {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Unnamed => None,
            Self::Omitted(name) | Self::Written(name) => Some(name),
        }
    }
}

/// A variant of an architecture: a level of its instruction set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant {
    /// Its name: `v7`, `power9`.
    pub name: &'static str,
    /// Other spellings that mean it.
    pub spellings: &'static [&'static str],
    /// The CPU model for `QEMU_CPU` that has this level and no more, where qemu has one.
    pub qemu_cpu: Option<&'static str>,
    /// What `uname -m` says, where it differs from the architecture's.
    pub uname: Option<Uname>,
}

/// The machine names that `uname -m` may print, by how the program is run.
///
/// Only the kernel decides: 386 programs on a 64-bit kernel see `x86_64`, and arm programs `aarch64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uname {
    /// Under qemu-user.
    pub emulated: &'static [&'static str],
    /// On a kernel for this machine, 64-bit or its own.
    pub native: &'static [&'static str],
    /// On a 64-bit kernel under the personality `PER_LINUX32` (`COMPAT_UTS_MACHINE` of the kernel's
    /// `arch/*/include/asm/compat.h`).
    pub linux32: &'static [&'static str],
}

/// A Debian architecture, whose names other tools use too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DebianPort {
    /// What `dpkg --print-architecture` says.
    pub name: &'static str,
    /// The variant that its packages are built for, where the name implies one.
    pub variant: Option<&'static str>,
    /// The multiarch triplet: `/lib/TRIPLET` and `/usr/lib/TRIPLET` hold its libraries.
    pub triplet: &'static str,
}

/// A C library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Libc {
    /// The GNU C library.
    Glibc,
    /// musl.
    Musl,
}

/// A program interpreter: what `PT_INTERP` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loader {
    /// Whose it is.
    pub libc: Libc,
    /// Where it is.
    pub path: &'static str,
    /// The variants that use it; all of them if empty.
    pub variants: &'static [&'static str],
}

/// How qemu-user runs an architecture's programs, and how binfmt_misc recognises them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Emulator {
    /// qemu's name: the program is `qemu-NAME`, the handler too.
    pub name: &'static str,
    /// The first bytes of a program.
    pub magic: [u8; 20],
    /// Which bits of them count.
    pub mask: [u8; 20],
    /// The CPU model for `QEMU_CPU` that has only what every platform of the architecture has, where no
    /// variant says so.
    pub baseline_cpu: Option<&'static str>,
    /// Whether it says "uncaught target signal" of a program that a signal ended, before the same signal ends itself: it
    /// does where it can write a core file (`USE_ELF_CORE_DUMP` in qemu's `linux-user/elfload.c`).
    pub announces_signals: bool,
}

impl Emulator {
    /// Whether the kernel would give a file that starts with these bytes to this emulator.
    #[must_use]
    pub fn takes(&self, start: &[u8]) -> bool {
        start.len() >= self.magic.len()
            && start.iter().zip(self.magic).zip(self.mask).all(|((byte, magic), mask)| byte & mask == magic & mask)
    }
}

/// Another architecture whose programs a machine runs without an emulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Executes {
    /// The other architecture.
    pub architecture: &'static str,
    /// The highest variant of it, where it has ordered ones.
    pub variant: Option<&'static str>,
}

/// One architecture: a row of [`ARCHITECTURES`].
#[derive(Debug, Clone)]
pub struct Architecture {
    /// The OCI name, which is Go's `GOARCH`.
    pub name: &'static str,
    /// containerd's other spellings of it.
    pub aliases: &'static [Alias],
    /// The known variants, lowest first.
    pub variants: &'static [Variant],
    /// What no variant means.
    pub default_variant: DefaultVariant,
    /// The lowest variant that hosts of a higher one are taken to run (containerd's `Only`).
    pub lowest_variant: Option<&'static str>,
    /// Other architectures whose programs its machines run.
    pub executes: &'static [Executes],
    /// Its Debian architectures.
    pub debian: &'static [DebianPort],
    /// Its ELF files, if it has any.
    pub elf: Option<ElfIdentity>,
    /// Names for bits of `e_flags`.
    pub elf_flags: &'static [ElfFlag],
    /// Its machine numbers in PE files.
    pub pe: &'static [u16],
    /// Its CPU types in Mach-O files.
    pub macho: &'static [u32],
    /// Its loaders.
    pub loaders: &'static [Loader],
    /// Where its loaders look for libraries besides `/lib`, `/usr/lib` and the multiarch directories.
    pub library_directories: &'static [&'static str],
    /// How it is emulated.
    pub emulator: Option<Emulator>,
    /// What `uname -m` says.
    pub uname: Uname,
    /// What Rust calls it in `std::env::consts::ARCH`, which leaves out the byte order.
    pub rust: &'static str,
    /// Words by which paths name it, in lower case; see [`named_in`](super::named_in).
    pub spellings: &'static [&'static str],
}

impl Architecture {
    /// A row with nothing in it, for rows to start from.
    pub(super) const BLANK: Self = Self {
        name: "",
        aliases: &[],
        variants: &[],
        default_variant: DefaultVariant::Unnamed,
        lowest_variant: None,
        executes: &[],
        debian: &[],
        elf: None,
        elf_flags: &[],
        pe: &[],
        macho: &[],
        loaders: &[],
        library_directories: &[],
        emulator: None,
        uname: Uname { emulated: &[], native: &[], linux32: &[] },
        rust: "",
        spellings: &[],
    };

    /// The row with this OCI name or containerd alias, in any case.
    #[must_use]
    pub fn by_name(name: &str) -> Option<&'static Self> {
        ARCHITECTURES.iter().find(|row| row.name.eq_ignore_ascii_case(name) || row.alias(name).is_some())
    }

    /// The row that a word from a path or a file name means, as `loongarch64`.
    #[must_use]
    pub fn by_spelling(word: &str) -> Option<&'static Self> {
        ARCHITECTURES.iter().find(|row| row.spellings.iter().any(|known| known.eq_ignore_ascii_case(word)))
    }

    /// The row for which an ELF file with these header fields is.
    ///
    /// `None` for other machines and for ABIs that are no platform's, such as x32:
    /// [`Machine::of_elf`](super::Machine::of_elf) names these.
    #[must_use]
    pub fn of_elf(machine: u16, class: Class, data: Data, flags: u32) -> Option<&'static Self> {
        ARCHITECTURES.iter().find(|row| row.elf.is_some_and(|elf| elf.fits(machine, class, data, flags)))
    }

    /// The row for which a PE file with this machine number is.
    ///
    /// Numbers that .NET made for one operating system count too; [`Self::of_pe_for`] has that.
    /// A .NET assembly for any CPU says 0x14c as well: its CLR header tells.
    #[must_use]
    pub fn of_pe(machine: u16) -> Option<&'static Self> {
        Self::of_pe_for(machine).map(|(row, _)| row)
    }

    /// The row and, where .NET compiled ahead of time for one operating system, that system.
    ///
    /// Such a file has the machine number XOR a number for the system, so that Windows does not load it
    /// (`IMAGE_FILE_MACHINE_OS_MASK_*` in .NET's `pedecoder.h`): 0xfd1d is amd64 for Linux.
    #[must_use]
    pub fn of_pe_for(machine: u16) -> Option<(&'static Self, Option<&'static str>)> {
        let row = |number: u16| ARCHITECTURES.iter().find(|row| row.pe.contains(&number));
        row(machine)
            .map(|found| (found, None))
            .or_else(|| PE_SYSTEMS.iter().find_map(|(os, mask)| row(machine ^ mask).map(|found| (found, Some(*os)))))
    }

    /// The row for which a Mach-O file (or slice) with this CPU type is.
    #[must_use]
    pub fn of_macho(cputype: u32) -> Option<&'static Self> {
        ARCHITECTURES.iter().find(|row| row.macho.contains(&cputype))
    }

    /// The architecture's platform on Linux, without a variant that nobody named.
    #[must_use]
    pub fn platform(&self) -> super::Platform {
        // A row's name is a platform's; the host is what there is instead of a panic.
        super::Platform::parse(&format!("linux/{}", self.name)).unwrap_or_else(|_| super::Platform::host())
    }

    /// Whether its machines run programs for the other architecture, without an emulator.
    #[must_use]
    pub fn executes(&self, other: &Self) -> bool {
        self == other || self.executes.iter().any(|executes| executes.architecture == other.name)
    }

    /// The alias of this spelling, in any case.
    pub(super) fn alias(&self, name: &str) -> Option<&'static Alias> {
        self.aliases.iter().find(|alias| alias.name.eq_ignore_ascii_case(name))
    }

    /// The known variant of this name or spelling; without a name, the default one.
    #[must_use]
    pub fn variant(&self, name: Option<&str>) -> Option<&'static Variant> {
        let name = name.or(self.default_variant.name())?;
        self.variants.iter().find(|variant| variant.name == name || variant.spellings.contains(&name))
    }

    /// What `uname -m` says on a platform of this variant.
    #[must_use]
    pub fn uname(&self, variant: Option<&str>) -> Uname {
        self.variant(variant).and_then(|variant| variant.uname).unwrap_or(self.uname)
    }

    /// The CPU model for `QEMU_CPU` that has what the variant promises and no more, where qemu has one.
    #[must_use]
    pub fn qemu_cpu(&self, variant: Option<&str>) -> Option<&'static str> {
        match self.variant(variant) {
            Some(known) => known.qemu_cpu,
            None if variant.is_none() => self.emulator.and_then(|emulator| emulator.baseline_cpu),
            None => None,
        }
    }

    /// The loaders that programs of this variant may ask for; all, if the variant is not known.
    pub fn loaders(&self, variant: Option<&str>) -> impl Iterator<Item = &'static Loader> + use<> {
        let variant = self.variant(variant).map(|known| known.name);
        self.loaders.iter().filter(move |loader| {
            loader.variants.is_empty() || variant.is_none_or(|variant| loader.variants.contains(&variant))
        })
    }

    /// What these `e_flags` mean.
    pub fn flag_names(&self, flags: u32) -> impl Iterator<Item = &'static str> + use<> {
        self.elf_flags.iter().filter(move |flag| flag.bits.fit(flags)).map(|flag| flag.name)
    }
}

impl PartialEq for Architecture {
    /// Rows are told apart by their names, which are unique.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Architecture {}

/// What .NET XORs the PE machine number with, by operating system.
pub(super) const PE_SYSTEMS: &[(&str, u16)] =
    &[("linux", 0x7b79), ("darwin", 0x4644), ("freebsd", 0xadc4), ("netbsd", 0x1993), ("solaris", 0x1992)];

#[cfg(test)]
#[path = "architecture_tests.rs"]
mod tests;
