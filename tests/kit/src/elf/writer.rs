//! Numbers in the file's own byte order and width.

/// Bytes being written, with the class and byte order of the file.
pub(super) struct Writer {
    pub(super) bytes: Vec<u8>,
    wide: bool,
    big: bool,
}

/// One section header.
#[derive(Default)]
pub(super) struct Section {
    name: String,
    kind: u32,
    flags: u64,
    offset: u64,
    size: u64,
    address: u64,
    pub(super) link: u32,
    pub(super) entry_size: u64,
}

impl Section {
    /// A section in memory where it has flags, at `base` plus its offset.
    pub(super) fn new(name: &str, kind: u32, flags: u64, offset: u64, size: u64, base: u64) -> Section {
        let address = if flags == 0 { 0 } else { base + offset };
        Section { name: name.to_owned(), kind, flags, offset, size, address, link: 0, entry_size: 0 }
    }
}

impl Writer {
    pub(super) fn new(wide: bool, big: bool) -> Writer {
        Writer { bytes: Vec::new(), wide, big }
    }

    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    pub(super) fn file_header_size(&self) -> usize {
        if self.wide { 64 } else { 52 }
    }

    pub(super) fn program_header_size(&self) -> usize {
        if self.wide { 56 } else { 32 }
    }

    pub(super) fn section_header_size(&self) -> usize {
        if self.wide { 64 } else { 40 }
    }

    pub(super) fn symbol_size(&self) -> usize {
        if self.wide { 24 } else { 16 }
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn zeros(&mut self, count: usize) {
        self.bytes.resize(self.bytes.len() + count, 0);
    }

    pub(super) fn align(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    pub(super) fn half(&mut self, value: u16) {
        let bytes = if self.big { value.to_be_bytes() } else { value.to_le_bytes() };
        self.raw(&bytes);
    }

    pub(super) fn word(&mut self, value: u32) {
        let bytes = if self.big { value.to_be_bytes() } else { value.to_le_bytes() };
        self.raw(&bytes);
    }

    /// An address, offset or size: 4 or 8 bytes. A lie too large for four bytes loses its upper half.
    pub(super) fn address(&mut self, value: u64) {
        if self.wide {
            let bytes = if self.big { value.to_be_bytes() } else { value.to_le_bytes() };
            self.raw(&bytes);
        } else {
            self.word(value as u32);
        }
    }

    /// Writes a program header over the reserved room at `at`, which moves on.
    pub(super) fn program_header(
        &mut self,
        at: &mut u64,
        kind: u32,
        flags: u32,
        (offset, size): (u64, u64),
        base: u64,
        align: u64,
    ) {
        let mut header = Writer::new(self.wide, self.big);
        let address = base.wrapping_add(offset);
        header.word(kind);
        if self.wide {
            header.word(flags);
        }
        for value in [offset, address, address, size, size] {
            header.address(value);
        }
        if !self.wide {
            header.word(flags);
        }
        header.address(align);
        let start = *at as usize;
        self.bytes[start..start + header.bytes.len()].copy_from_slice(&header.bytes);
        *at += header.len();
    }

    /// Writes the sections' names and headers, the names' own section last; says where the headers are.
    pub(super) fn section_headers(&mut self, mut sections: Vec<Section>) -> u64 {
        let names = self.len();
        let mut starts = vec![0u32];
        self.raw(&[0]);
        sections.push(Section { name: ".shstrtab".to_owned(), kind: 3, offset: names, ..Section::default() });
        for section in sections.iter().skip(1) {
            starts.push((self.len() - names) as u32);
            self.raw(section.name.as_bytes());
            self.raw(&[0]);
        }
        let size = self.len() - names;
        if let Some(last) = sections.last_mut() {
            last.size = size;
        }
        self.align(8);
        let offset = self.len();
        for (section, name) in sections.iter().zip(starts) {
            self.word(name);
            self.word(section.kind);
            self.address(section.flags);
            self.address(section.address);
            self.address(section.offset);
            self.address(section.size);
            self.word(section.link);
            self.word(0);
            self.address(u64::from(section.kind != 0));
            self.address(section.entry_size);
        }
        offset
    }
}
