//! One tar header block (POSIX.1-2024 pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format").

/// 512 bytes that describe an entry, each field free to lie.
#[derive(Clone, Debug)]
pub struct Header {
    /// The block itself, without its checksum until it is written.
    pub bytes: [u8; 512],
    checksum: Option<u32>,
}

/// 2023-11-14: one fixed time keeps layers deterministic.
const MODIFIED: u64 = 1_700_000_000;

impl Header {
    /// A header with this name (at most 100 bytes of it) and type: `b'0'` a file, `b'5'` a directory.
    #[must_use]
    pub fn new(name: &[u8], kind: u8) -> Header {
        let mut header = Header { bytes: [0; 512], checksum: None };
        header.text(0, 100, name);
        header.bytes[156] = kind;
        header.bytes[257..265].copy_from_slice(b"ustar\x0000");
        header.number(136, 12, MODIFIED);
        header.mode(0o644).owner(0, 0).size(0).device(0, 0)
    }

    /// Permission bits.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Header {
        self.number(100, 8, u64::from(mode));
        self
    }

    /// Numbers of user and group.
    #[must_use]
    pub fn owner(mut self, user: u64, group: u64) -> Header {
        self.number(108, 8, user);
        self.number(116, 8, group);
        self
    }

    /// Size of what follows; from 8 GiB on in GNU's base-256 form.
    #[must_use]
    pub fn size(mut self, size: u64) -> Header {
        self.number(124, 12, size);
        self
    }

    /// Where a link leads (at most 100 bytes of it).
    #[must_use]
    pub fn link(mut self, target: &[u8]) -> Header {
        self.text(157, 100, target);
        self
    }

    /// Major and minor number of a device.
    #[must_use]
    pub fn device(mut self, major: u64, minor: u64) -> Header {
        self.number(329, 8, major);
        self.number(337, 8, minor);
        self
    }

    /// Overwrites bytes of the block before the checksum is computed.
    #[must_use]
    pub fn patch(mut self, offset: usize, bytes: &[u8]) -> Header {
        self.bytes[offset..offset + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// GNU's magic in place of POSIX's.
    #[must_use]
    pub fn gnu(self) -> Header {
        self.patch(257, b"ustar  \0")
    }

    /// Writes this checksum in place of the right one.
    #[must_use]
    pub fn checksum(mut self, checksum: u32) -> Header {
        self.checksum = Some(checksum);
        self
    }

    /// The block with its checksum.
    #[must_use]
    pub fn seal(&self) -> [u8; 512] {
        let mut block = self.bytes;
        block[148..156].fill(b' ');
        let sum = self.checksum.unwrap_or_else(|| block.iter().map(|byte| u32::from(*byte)).sum());
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }

    fn text(&mut self, at: usize, room: usize, text: &[u8]) {
        let text = &text[..text.len().min(room)];
        self.bytes[at..at + room].fill(0);
        self.bytes[at..at + text.len()].copy_from_slice(text);
    }

    fn number(&mut self, at: usize, room: usize, value: u64) {
        number(&mut self.bytes[at..at + room], value);
    }
}

/// Octal digits and a NUL, or where they do not suffice base-256 with the first bit set.
pub(crate) fn number(field: &mut [u8], value: u64) {
    let digits = field.len() - 1;
    let octal = format!("{value:0digits$o}");
    if octal.len() <= digits {
        field[..digits].copy_from_slice(octal.as_bytes());
        field[digits] = 0;
        return;
    }
    field.fill(0);
    let bytes = value.to_be_bytes();
    let room = field.len().min(8);
    let start = field.len() - room;
    field[start..].copy_from_slice(&bytes[8 - room..]);
    field[0] |= 0x80;
}
