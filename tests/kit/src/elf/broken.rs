//! Nonsense in the headers.

use super::Elf;

/// Headers that lie, applied last.
#[derive(Clone, Debug, Default)]
pub(super) struct Broken {
    pub(super) phoff: Option<u64>,
    pub(super) phnum: Option<u16>,
    pub(super) phentsize: Option<u16>,
    pub(super) shoff: Option<u64>,
    pub(super) shnum: Option<u16>,
    pub(super) interpreter_at: Option<(u64, u64)>,
    pub(super) no_nul: bool,
    pub(super) patches: Vec<(usize, Vec<u8>)>,
    pub(super) truncate: Option<usize>,
}

impl Elf {
    /// Cuts the file off after this many bytes: 0 leaves nothing, 4 only the magic.
    #[must_use]
    pub fn truncate(mut self, size: usize) -> Elf {
        self.broken.truncate = Some(size);
        self
    }

    /// Lies about where the program headers are.
    #[must_use]
    pub fn phoff(mut self, offset: u64) -> Elf {
        self.broken.phoff = Some(offset);
        self
    }

    /// Lies about how many program headers there are.
    #[must_use]
    pub fn phnum(mut self, count: u16) -> Elf {
        self.broken.phnum = Some(count);
        self
    }

    /// Lies about the size of a program header.
    #[must_use]
    pub fn phentsize(mut self, size: u16) -> Elf {
        self.broken.phentsize = Some(size);
        self
    }

    /// Lies about where the section headers are.
    #[must_use]
    pub fn shoff(mut self, offset: u64) -> Elf {
        self.broken.shoff = Some(offset);
        self
    }

    /// Lies about how many section headers there are.
    #[must_use]
    pub fn shnum(mut self, count: u16) -> Elf {
        self.broken.shnum = Some(count);
        self
    }

    /// Writes this `EI_CLASS`; 1 and 2 are the valid ones.
    #[must_use]
    pub fn class(self, class: u8) -> Elf {
        self.patch(4, &[class])
    }

    /// Writes this `EI_DATA`; 1 and 2 are the valid ones.
    #[must_use]
    pub fn data(self, data: u8) -> Elf {
        self.patch(5, &[data])
    }

    /// Writes this `EI_VERSION` and `e_version`, of which only 1 is valid.
    #[must_use]
    pub fn version(self, version: u8) -> Elf {
        let wide = if self.big { [0, 0, 0, version] } else { [version, 0, 0, 0] };
        self.patch(6, &[version]).patch(20, &wide)
    }

    /// Lies about where the interpreter's path is and how long it is.
    #[must_use]
    pub fn interpreter_at(mut self, offset: u64, size: u64) -> Elf {
        self.broken.interpreter_at = Some((offset, size));
        self
    }

    /// Writes the interpreter's path without its final NUL.
    #[must_use]
    pub fn interpreter_without_nul(mut self) -> Elf {
        self.broken.no_nul = true;
        self
    }

    /// Lets program and section headers lie over the file header.
    #[must_use]
    pub fn overlapping(self) -> Elf {
        self.phoff(4).shoff(4)
    }

    /// Overwrites bytes of the finished file, which grows where it is too short.
    #[must_use]
    pub fn patch(mut self, offset: usize, bytes: &[u8]) -> Elf {
        self.broken.patches.push((offset, bytes.to_vec()));
        self
    }
}
