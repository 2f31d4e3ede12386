//! The dynamic section: what the loader reads.

use super::writer::{Section, Writer};

/// What `.dynamic` says.
#[derive(Clone, Debug, Default)]
pub(super) struct Entries {
    pub(super) needed: Vec<String>,
    pub(super) soname: Option<String>,
    pub(super) rpath: Option<String>,
    pub(super) runpath: Option<String>,
}

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
        // One bucket, one chain entry, both empty. On 64-bit s390 these are 64-bit words (s390x ELF ABI, "Hash Table").
        let hash_word = if machine == 22 && out.symbol_size() == 24 { 8 } else { 4 };
        for word in [1, 1, 0, 0] {
            if hash_word == 8 { out.address(word) } else { out.word(word as u32) }
        }
        let names = out.len();
        out.raw(&strings);
        out.align(8);
        tags.extend([(4, base + hash), (5, base + names), (6, base + symbols)]);
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
        push(".hash", 5, hash, 4 * hash_word, string_section - 1, hash_word);
        push(".dynamic", 6, offset, size, string_section, if out.symbol_size() == 24 { 16 } else { 8 });
        (offset, size)
    }
}

fn add(strings: &mut Vec<u8>, text: &str) -> u64 {
    let at = strings.len() as u64;
    strings.extend_from_slice(text.as_bytes());
    strings.push(0);
    at
}
