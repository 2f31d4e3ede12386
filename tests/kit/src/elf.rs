//! ELF files, byte by byte: real small programs and libraries, and every kind of nonsense in their headers.
//!
//! One loadable segment maps the whole file, so an address is the base plus the offset in the file.

use crate::arch::{Arch, arch};
use crate::filler;

mod broken;
mod dynamic;
mod writer;

use broken::Broken;
use writer::Writer;

/// ELF `e_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `ET_REL`, a relocatable object: sections, no program headers.
    Rel = 1,
    /// `ET_EXEC`, a program at a fixed address.
    Exec = 2,
    /// `ET_DYN`, a shared library or position-independent program.
    Dyn = 3,
    /// `ET_CORE`, a memory dump.
    Core = 4,
}

/// One ELF file to be.
#[derive(Clone, Debug)]
pub struct Elf {
    arch: &'static Arch,
    kind: Kind,
    machine: u16,
    wide: bool,
    big: bool,
    flags: u32,
    osabi: u8,
    padding: [u8; 7],
    interpreter: Option<Vec<u8>>,
    dynamic: dynamic::Entries,
    sections: Vec<(String, u32, Vec<u8>)>,
    at_end: bool,
    size: usize,
    salt: String,
    broken: Broken,
}

impl Elf {
    /// A static program of this architecture (`amd64`, `linux/arm/v7`, `bpf` ...) that exits with status 0.
    #[must_use]
    pub fn program(name: &str) -> Elf {
        let arch = arch(name);
        let mut sections = Vec::new();
        // What tells ARM variants apart; a program made by Go has none: see `without_attributes`.
        if let Some((cpu, hard)) = match arch.name {
            "arm/v5" => Some((4, false)),
            "arm/v6" => Some((6, true)),
            "arm/v7" => Some((10, true)),
            _ => None,
        } {
            sections.push((".ARM.attributes".to_owned(), 0x7000_0003, arm_attributes(cpu, hard)));
        }
        Elf {
            arch,
            kind: Kind::Exec,
            machine: arch.machine,
            wide: arch.wide,
            big: arch.big_endian,
            flags: arch.flags,
            osabi: 0,
            padding: [0; 7],
            interpreter: None,
            dynamic: dynamic::Entries::default(),
            sections,
            at_end: false,
            size: 0,
            salt: String::new(),
            broken: Broken::default(),
        }
    }

    /// A position-independent program that needs glibc's interpreter and `libc.so.6`.
    #[must_use]
    pub fn glibc(name: &str) -> Elf {
        Elf::program(name).kind(Kind::Dyn).interpreter(arch(name).glibc).needed(&["libc.so.6"])
    }

    /// A position-independent program that needs musl's interpreter, which is its libc too.
    #[must_use]
    pub fn musl(name: &str) -> Elf {
        let row = arch(name);
        let machine = row.musl.trim_start_matches("/lib/ld-musl-").trim_end_matches(".so.1");
        let libc = format!("libc.musl-{machine}.so.1");
        Elf::program(name).kind(Kind::Dyn).interpreter(row.musl).needed(&[&libc])
    }

    /// A shared library with this name in `DT_SONAME`.
    #[must_use]
    pub fn library(name: &str, soname: &str) -> Elf {
        Elf::program(name).kind(Kind::Dyn).soname(soname)
    }

    /// A relocatable object, as the assembler writes it; kernel modules are these too.
    #[must_use]
    pub fn object(name: &str) -> Elf {
        Elf::program(name).kind(Kind::Rel)
    }

    /// Sets `e_type`.
    #[must_use]
    pub fn kind(mut self, kind: Kind) -> Elf {
        self.kind = kind;
        self
    }

    /// Sets `PT_INTERP`.
    #[must_use]
    pub fn interpreter(mut self, path: impl AsRef<[u8]>) -> Elf {
        self.interpreter = Some(path.as_ref().to_vec());
        self
    }

    /// Sets `e_machine` and nothing else.
    #[must_use]
    pub fn machine(mut self, machine: u16) -> Elf {
        self.machine = machine;
        self
    }

    /// Writes it as ELFCLASS32.
    #[must_use]
    pub fn class32(mut self) -> Elf {
        self.wide = false;
        self
    }

    /// Writes it as ELFCLASS64.
    #[must_use]
    pub fn class64(mut self) -> Elf {
        self.wide = true;
        self
    }

    /// Writes its headers with the most significant byte first.
    #[must_use]
    pub fn big_endian(mut self) -> Elf {
        self.big = true;
        self
    }

    /// Sets `e_flags`.
    #[must_use]
    pub fn flags(mut self, flags: u32) -> Elf {
        self.flags = flags;
        self
    }

    /// Sets `EI_OSABI`: 3 is GNU, 9 is FreeBSD.
    #[must_use]
    pub fn osabi(mut self, osabi: u8) -> Elf {
        self.osabi = osabi;
        self
    }

    /// Sets the last seven bytes of `e_ident`. AppImage writes `AI\x02` before them, in `EI_ABIVERSION`'s place.
    #[must_use]
    pub fn padding(mut self, padding: [u8; 7]) -> Elf {
        self.padding = padding;
        self
    }

    /// Adds `DT_NEEDED` libraries.
    #[must_use]
    pub fn needed(mut self, libraries: &[&str]) -> Elf {
        self.dynamic.needed.extend(libraries.iter().map(|name| (*name).to_owned()));
        self
    }

    /// Forgets the `DT_NEEDED` libraries so far.
    #[must_use]
    pub fn needs_nothing(mut self) -> Elf {
        self.dynamic.needed.clear();
        self
    }

    /// Sets `DT_SONAME`.
    #[must_use]
    pub fn soname(mut self, name: &str) -> Elf {
        self.dynamic.soname = Some(name.to_owned());
        self
    }

    /// Sets `DT_RPATH`.
    #[must_use]
    pub fn rpath(mut self, path: &str) -> Elf {
        self.dynamic.rpath = Some(path.to_owned());
        self
    }

    /// Sets `DT_RUNPATH`.
    #[must_use]
    pub fn runpath(mut self, path: &str) -> Elf {
        self.dynamic.runpath = Some(path.to_owned());
        self
    }

    /// Hashes its symbols in the old way alone (`DT_HASH`), as toolchains before 2006 did and some still do.
    #[must_use]
    pub fn sysv_hash(mut self) -> Elf {
        self.dynamic.sysv_hash = true;
        self
    }

    /// Adds a section with this `sh_type` (1 is `SHT_PROGBITS`, 7 is `SHT_NOTE`).
    #[must_use]
    pub fn section(mut self, name: &str, kind: u32, bytes: &[u8]) -> Elf {
        self.sections.push((name.to_owned(), kind, bytes.to_vec()));
        self
    }

    /// Replaces `.ARM.attributes`: `Tag_CPU_arch` (5TE 4, v6 6, v6KZ 7, v7 10, v8 14), hard-float arguments or not.
    #[must_use]
    pub fn arm_attributes(self, cpu_arch: u8, hard_float: bool) -> Elf {
        self.without_attributes().section(".ARM.attributes", 0x7000_0003, &arm_attributes(cpu_arch, hard_float))
    }

    /// Leaves `.ARM.attributes` out, as Go's linker does.
    #[must_use]
    pub fn without_attributes(mut self) -> Elf {
        self.sections.retain(|(name, ..)| name != ".ARM.attributes");
        self
    }

    /// Adds the property note `GNU_PROPERTY_X86_ISA_1_NEEDED`: bit 0 is the baseline, 1 v2, 2 v3, 3 v4 (x86-64 psABI).
    #[must_use]
    pub fn x86_isa_needed(self, bits: u32) -> Elf {
        let mut note = Vec::new();
        for word in [4, 16, 5] {
            note.extend_from_slice(&u32::to_le_bytes(word));
        }
        note.extend_from_slice(b"GNU\0");
        for word in [0xc000_8002, 4, bits, 0] {
            note.extend_from_slice(&u32::to_le_bytes(word));
        }
        self.section(".note.gnu.property", 7, &note)
    }

    /// Puts program headers and interpreter after more than 100 kB of other bytes, as patchelf may.
    #[must_use]
    pub fn at_end(mut self) -> Elf {
        self.at_end = true;
        self.size = self.size.max(128 * 1024);
        self
    }

    /// Makes the file at least this large.
    #[must_use]
    pub fn filler(mut self, size: usize) -> Elf {
        self.size = self.size.max(size);
        self
    }

    /// Writes a text into the file, so that two otherwise equal files differ.
    #[must_use]
    pub fn salt(mut self, salt: &str) -> Elf {
        self.salt = salt.to_owned();
        self
    }

    /// The bytes of the file.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        let mut file = self.assemble();
        for (offset, bytes) in &self.broken.patches {
            let end = offset + bytes.len();
            if file.len() < end {
                file.resize(end, 0);
            }
            file[*offset..end].copy_from_slice(bytes);
        }
        file.truncate(self.broken.truncate.unwrap_or(usize::MAX));
        file
    }

    fn base(&self) -> u64 {
        if self.kind == Kind::Exec { 0x40_0000 } else { 0 }
    }

    fn has_dynamic(&self) -> bool {
        matches!(self.kind, Kind::Exec | Kind::Dyn) && (self.interpreter.is_some() || self.kind == Kind::Dyn)
    }

    fn assemble(&self) -> Vec<u8> {
        let mut out = Writer::new(self.wide, self.big);
        out.zeros(out.file_header_size());
        let mut segments = Segments::default();
        if !self.at_end {
            self.reserve_segments(&mut out, &mut segments);
        }
        let mut sections = vec![writer::Section::default()];
        out.align(16);
        let text = out.len();
        out.raw(self.arch.exit);
        sections.push(writer::Section::new(".text", 1, 6, text, out.len() - text, self.base()));
        if self.has_dynamic() {
            segments.dynamic = Some(self.dynamic.write(&mut out, self.base(), self.machine, &mut sections));
        }
        for (name, kind, bytes) in &self.sections {
            out.align(8);
            let offset = out.len();
            out.raw(bytes);
            sections.push(writer::Section::new(name, *kind, 0, offset, bytes.len() as u64, 0));
        }
        out.raw(self.salt.as_bytes());
        let missing = self.size.saturating_sub(out.bytes.len());
        out.raw(&filler(self.salt.as_bytes(), missing));
        out.align(8);
        if self.at_end {
            self.reserve_segments(&mut out, &mut segments);
        }
        let shnum = u16::try_from(sections.len() + 1).expect("few sections");
        let shoff = out.section_headers(sections);
        self.write_segments(&mut out, &segments);
        let entry = if self.kind == Kind::Rel { 0 } else { self.base() + text };
        self.write_file_header(&mut out, entry, &segments, shoff, shnum);
        out.bytes
    }

    /// Leaves room for the program headers and writes the interpreter's path behind them.
    fn reserve_segments(&self, out: &mut Writer, segments: &mut Segments) {
        if self.kind == Kind::Rel {
            return;
        }
        // PT_LOAD, PT_GNU_STACK; PT_PHDR, PT_INTERP; PT_DYNAMIC.
        segments.count = 2 + if self.interpreter.is_some() { 2 } else { 0 } + u16::from(self.has_dynamic());
        segments.offset = out.len();
        out.zeros(usize::from(segments.count) * out.program_header_size());
        if let Some(path) = &self.interpreter {
            let offset = out.len();
            out.raw(path);
            if !self.broken.no_nul {
                out.raw(&[0]);
            }
            segments.interpreter = Some((offset, out.len() - offset));
            out.align(8);
        }
    }

    fn write_segments(&self, out: &mut Writer, segments: &Segments) {
        if segments.count == 0 {
            return;
        }
        let (total, base) = (out.len(), self.base());
        let size = u64::from(segments.count) * out.program_header_size() as u64;
        let mut at = segments.offset;
        if let Some(place) = segments.interpreter {
            // glibc's loader computes the base of a position-independent program from PT_PHDR, which comes first.
            out.program_header(&mut at, 6, 4, (segments.offset, size), base, 8);
            out.program_header(&mut at, 3, 4, self.broken.interpreter_at.unwrap_or(place), base, 1);
        }
        // Loaders before glibc 2.35 write into the dynamic section.
        let access = if segments.dynamic.is_some() { 7 } else { 5 };
        out.program_header(&mut at, 1, access, (0, total), base, 0x1_0000);
        if let Some(place) = segments.dynamic {
            out.program_header(&mut at, 2, 6, place, base, 8);
        }
        out.program_header(&mut at, 0x6474_e551, 6, (0, 0), 0, 16);
    }

    fn write_file_header(&self, out: &mut Writer, entry: u64, segments: &Segments, shoff: u64, shnum: u16) {
        let mut head = Writer::new(self.wide, self.big);
        head.raw(b"\x7fELF");
        head.raw(&[1 + u8::from(self.wide), 1 + u8::from(self.big), 1, self.osabi, 0]);
        head.raw(&self.padding);
        head.half(self.kind as u16);
        head.half(self.machine);
        head.word(1);
        head.address(entry);
        head.address(self.broken.phoff.unwrap_or(segments.offset));
        head.address(self.broken.shoff.unwrap_or(shoff));
        head.word(self.flags);
        head.half(head.file_header_size() as u16);
        let phentsize = if segments.count == 0 { 0 } else { head.program_header_size() as u16 };
        head.half(self.broken.phentsize.unwrap_or(phentsize));
        head.half(self.broken.phnum.unwrap_or(segments.count));
        head.half(head.section_header_size() as u16);
        head.half(self.broken.shnum.unwrap_or(shnum));
        head.half(shnum - 1);
        out.bytes[..head.bytes.len()].copy_from_slice(&head.bytes);
    }
}

/// Places in the file that program headers speak of: offset and size.
#[derive(Default)]
struct Segments {
    offset: u64,
    count: u16,
    interpreter: Option<(u64, u64)>,
    dynamic: Option<(u64, u64)>,
}

/// Build attributes of the "aeabi" vendor (Addenda to the ABI for the Arm Architecture, "Build attributes").
fn arm_attributes(cpu_arch: u8, hard_float: bool) -> Vec<u8> {
    let mut tags = vec![6, cpu_arch];
    if cpu_arch >= 10 {
        tags.extend([7, b'A']);
    }
    if hard_float {
        tags.extend([28, 1]);
    }
    let file_size = 1 + 4 + tags.len() as u32;
    let vendor_size = 4 + 6 + file_size;
    let mut bytes = vec![b'A'];
    bytes.extend(vendor_size.to_le_bytes());
    bytes.extend(b"aeabi\0\x01");
    bytes.extend(file_size.to_le_bytes());
    bytes.extend(tags);
    bytes
}

/// A static program of nothing but these instructions, which really runs; for little-endian architectures.
///
/// # Panics
/// On a name that the forge has no architecture for.
#[must_use]
pub fn instructions(name: &str, code: &[u8]) -> Vec<u8> {
    let arch = arch(name);
    let (base, header): (u64, u64) = (0x40_0000, if arch.wide { 120 } else { 84 });
    let size = header + code.len() as u64;
    let word = |value: u64| value.to_le_bytes().into_iter().take(if arch.wide { 8 } else { 4 });
    let mut file = vec![0x7f, b'E', b'L', b'F', if arch.wide { 2 } else { 1 }, 1, 1];
    file.resize(16, 0);
    // ET_EXEC, the machine, EV_CURRENT; entry, program headers, no section headers.
    file.extend([2, 0]);
    file.extend(arch.machine.to_le_bytes());
    file.extend(1_u32.to_le_bytes());
    for value in [base + header, if arch.wide { 64 } else { 52 }, 0] {
        file.extend(word(value));
    }
    file.extend(arch.flags.to_le_bytes());
    for half in if arch.wide { [64_u16, 56, 1, 0, 0, 0] } else { [52, 32, 1, 0, 0, 0] } {
        file.extend(half.to_le_bytes());
    }
    // PT_LOAD of the whole file, readable and executable; the flags stand elsewhere in the narrow form.
    file.extend(1_u32.to_le_bytes());
    if arch.wide {
        file.extend(5_u32.to_le_bytes());
    }
    for value in [0, base, base, size, size] {
        file.extend(word(value));
    }
    if !arch.wide {
        file.extend(5_u32.to_le_bytes());
    }
    file.extend(word(0x1000));
    file.extend(code);
    file
}

#[cfg(test)]
mod tests;
