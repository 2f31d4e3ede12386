//! The executable around the machine code: a static ELF file that any kernel or emulator of its architecture loads.
//!
//! The whole file is mapped twice: where its code can be executed and, 128 KiB higher, where its data can be
//! written, followed by zeroed memory for buffers. Both places are the same on all architectures, so the code knows
//! its addresses, and they are multiples of 64 KiB, the largest page of Linux.

use crate::platform::{Class, Data, ElfIdentity};

/// Where the file is mapped with its code.
const CODE_SEGMENT: u32 = 0x40_0000;

/// Where it is mapped with its data.
const DATA_SEGMENT: u32 = 0x42_0000;

/// Where the program's data are in the file: behind the largest headers.
const DATA_OFFSET: u32 = 0x100;

/// Where the program finds its data.
pub(super) const DATA: u32 = DATA_SEGMENT + DATA_OFFSET;

/// Where in the data segment the zeroed memory for buffers begins. The file is shorter.
const BUFFER_OFFSET: u32 = 0x1000;

/// Where the program finds this memory.
pub(super) const BUFFER: u32 = DATA_SEGMENT + BUFFER_OFFSET;

/// Its size: what `getcwd(2)` can fill.
const BUFFER_SIZE: u32 = 0x1000;

/// The largest page of Linux, and so the alignment of segments.
const PAGE: u32 = 0x1_0000;

/// Instructions as the source has them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Instructions {
    /// As bytes, where they have several lengths.
    Bytes(&'static [u8]),
    /// As words of 32 bits, to be stored in the byte order of the architecture.
    Words(&'static [u32]),
}

/// Fields of a class and byte order, one behind the other.
#[derive(Debug)]
pub(super) struct Fields {
    class: Class,
    order: Data,
    bytes: Vec<u8>,
}

impl Fields {
    /// Bytes as they are.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// 16 bits: `Elf32_Half`, `Elf64_Half`.
    fn half(&mut self, value: u16) -> &mut Self {
        let bytes = match self.order {
            Data::Little => value.to_le_bytes(),
            Data::Big => value.to_be_bytes(),
        };
        self.bytes(&bytes)
    }

    /// 32 bits: `Elf32_Word`, `Elf64_Word`.
    fn word32(&mut self, value: u32) -> &mut Self {
        let bytes = match self.order {
            Data::Little => value.to_le_bytes(),
            Data::Big => value.to_be_bytes(),
        };
        self.bytes(&bytes)
    }

    /// As many bits as the class says: addresses, offsets, C's `long` and `size_t`.
    pub(super) fn word(&mut self, value: u32) -> &mut Self {
        match (self.class, self.order) {
            (Class::Elf32, _) => self.word32(value),
            (Class::Elf64, Data::Little) => self.word32(value).word32(0),
            (Class::Elf64, Data::Big) => self.word32(0).word32(value),
        }
    }

    fn length(&self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap_or(u32::MAX)
    }

    /// Zeros up to this length.
    fn pad(&mut self, length: u32) {
        let missing = length.saturating_sub(self.length());
        for _ in 0..missing {
            self.bytes.push(0);
        }
    }
}

/// A segment: a row of the program header table.
struct Segment {
    kind: u32,
    flags: u32,
    address: u32,
    file_size: u32,
    memory_size: u32,
    align: u32,
}

/// An executable in the making.
pub(super) struct Forge {
    identity: ElfIdentity,
    flags: u32,
    data: Fields,
}

impl Forge {
    /// For an architecture, with the `e_flags` that its ABI wants.
    pub(super) fn new(identity: ElfIdentity, flags: u32) -> Self {
        let data = Fields { class: identity.class, order: identity.data, bytes: Vec::new() };
        Self { identity, flags, data }
    }

    /// Its word size.
    pub(super) fn class(&self) -> Class {
        self.identity.class
    }

    /// The data that the program finds at [`DATA`], and may overwrite.
    pub(super) fn data(&mut self) -> &mut Fields {
        &mut self.data
    }

    /// The file: headers, data, code.
    pub(super) fn program(&self, code: Instructions) -> Vec<u8> {
        // Aligned for every instruction set.
        let entry = (DATA_OFFSET + self.data.length()).next_multiple_of(16);
        let mut text = Fields { class: self.identity.class, order: self.identity.data, bytes: Vec::new() };
        match code {
            Instructions::Bytes(bytes) => {
                text.bytes(bytes);
            }
            Instructions::Words(words) => {
                for word in words {
                    text.word32(*word);
                }
            }
        }
        let size = entry + text.length();
        let mut file = self.header(CODE_SEGMENT + entry);
        for segment in segments(size) {
            self.segment(&mut file, &segment);
        }
        file.pad(DATA_OFFSET);
        file.bytes(&self.data.bytes).pad(entry);
        file.bytes(&text.bytes);
        file.bytes
    }

    /// `Elf32_Ehdr`, `Elf64_Ehdr`: System V ABI, chapter 4, "ELF Header".
    fn header(&self, entry: u32) -> Fields {
        const ET_EXEC: u16 = 2;
        const EV_CURRENT: u8 = 1;
        let (class, header_size, segment_size): (u8, u16, u16) = match self.identity.class {
            Class::Elf32 => (1, 52, 32),
            Class::Elf64 => (2, 64, 56),
        };
        let order = match self.identity.data {
            Data::Little => 1,
            Data::Big => 2,
        };
        let mut header = Fields { class: self.identity.class, order: self.identity.data, bytes: Vec::new() };
        header.bytes(b"\x7fELF").bytes(&[class, order, EV_CURRENT]).pad(16);
        header.half(ET_EXEC).half(self.identity.machine).word32(EV_CURRENT.into());
        // Program headers follow this header; there are no section headers.
        header.word(entry).word(header_size.into()).word(0).word32(self.flags);
        header.half(header_size).half(segment_size).half(SEGMENTS).half(0).half(0).half(0);
        header
    }

    /// `Elf32_Phdr`, `Elf64_Phdr`: chapter 5, "Program Header". The flags have another place in each.
    fn segment(&self, file: &mut Fields, segment: &Segment) {
        file.word32(segment.kind);
        if self.identity.class == Class::Elf64 {
            file.word32(segment.flags);
        }
        // From the start of the file; p_paddr means nothing here.
        file.word(0).word(segment.address).word(segment.address).word(segment.file_size).word(segment.memory_size);
        if self.identity.class == Class::Elf32 {
            file.word32(segment.flags);
        }
        file.word(segment.align);
    }
}

/// How many [`segments`] there are.
const SEGMENTS: u16 = 3;

/// The segments of a file of this size.
fn segments(size: u32) -> [Segment; SEGMENTS as usize] {
    const PT_LOAD: u32 = 1;
    const PT_GNU_STACK: u32 = 0x6474_e551;
    const EXECUTE: u32 = 1;
    const WRITE: u32 = 2;
    const READ: u32 = 4;
    let flags = READ | EXECUTE;
    let code = Segment { kind: PT_LOAD, flags, address: CODE_SEGMENT, file_size: size, memory_size: size, align: PAGE };
    let memory_size = BUFFER_OFFSET + BUFFER_SIZE;
    let data = Segment { flags: READ | WRITE, address: DATA_SEGMENT, memory_size, ..code };
    // Without it some kernels make the stack executable.
    let stack =
        Segment { kind: PT_GNU_STACK, flags: READ | WRITE, address: 0, file_size: 0, memory_size: 0, align: 16 };
    [code, data, stack]
}
