//! The dynamic section: what the loader reads.

use super::writer::{Section, Writer};

/// What `.dynamic` says.
#[derive(Clone, Debug, Default)]
pub(super) struct Entries {
    pub(super) needed: Vec<String>,
    pub(super) soname: Option<String>,
    pub(super) rpath: Option<String>,
    pub(super) runpath: Option<String>,
    /// `DT_HASH` in place of `DT_GNU_HASH`.
    pub(super) sysv_hash: bool,
}

const GNU_HASH: u64 = 0x6fff_fef5;

impl Entries {
    /// Writes symbol table (of the null symbol alone), hash table, strings and `.dynamic`; says where the last is.
    pub(super) fn write(&self, out: &mut Writer, base: u64, machine: u16, sections: &mut Vec<Section>) -> (u64, u64) {
        let mut strings = vec![0u8];
        let mut tags: Vec<(u64, u64)> = Vec::new();
        for library in &self.needed {
            tags.push((1, add(&mut strings, library)));
        }
        for (tag, value) in [(14, &self.soname), (15, &self.rpath), (29, &self.runpath)] {
            if let Some(value) = value {
                tags.push((tag, add(&mut strings, value)));
            }
        }
        out.align(8);
        let symbols = out.len();
        out.zeros(out.symbol_size());
        let hash = out.len();
        let (hash_tag, hash_word) =
            if self.sysv_hash { (4, sysv_hash(out, machine)) } else { (GNU_HASH, gnu_hash(out)) };
        let hash_size = out.len() - hash;
        let names = out.len();
        out.raw(&strings);
        out.align(8);
        tags.extend([(hash_tag, base + hash), (5, base + names), (6, base + symbols)]);
        tags.extend([(10, strings.len() as u64), (11, out.symbol_size() as u64), (0, 0)]);
        let offset = out.len();
        for (tag, value) in tags {
            out.address(tag);
            out.address(value);
        }
        let size = out.len() - offset;
        let string_section = sections.len() as u32 + 1;
        let mut push = |name, kind, at, size, link, entry_size| {
            let mut section = Section::new(name, kind, 2, at, size, base);
            (section.link, section.entry_size) = (link, entry_size);
            sections.push(section);
        };
        push(".dynsym", 11, symbols, out.symbol_size() as u64, string_section, out.symbol_size() as u64);
        push(".dynstr", 3, names, strings.len() as u64, 0, 0);
        let (name, kind) = if self.sysv_hash { (".hash", 5) } else { (".gnu.hash", 0x6fff_fff6) };
        push(name, kind, hash, hash_size, string_section - 1, hash_word);
        push(".dynamic", 6, offset, size, string_section, if out.symbol_size() == 24 { 16 } else { 8 });
        (offset, size)
    }
}

/// One bucket and one chain entry, both empty; the size of a word. On 64-bit s390 that is 8 (s390x ELF ABI, "Hash Table").
fn sysv_hash(out: &mut Writer, machine: u16) -> u64 {
    let wide = machine == 22 && out.symbol_size() == 24;
    for word in [1, 1, 0, 0] {
        if wide { out.address(word) } else { out.word(word as u32) }
    }
    if wide { 8 } else { 4 }
}

/// One bucket, hashed symbols from the first on, of which there are none; a Bloom filter of one empty word.
fn gnu_hash(out: &mut Writer) -> u64 {
    for word in [1, 1, 1, 0] {
        out.word(word);
    }
    out.address(0);
    out.word(0);
    0
}

fn add(strings: &mut Vec<u8>, text: &str) -> u64 {
    let at = strings.len() as u64;
    strings.extend_from_slice(text.as_bytes());
    strings.push(0);
    at
}
