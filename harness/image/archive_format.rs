//! What a file is, by its first bytes: a tar, or a compressed file that may hold one.

/// How many bytes from the start are needed to tell: one tar header.
pub const SNIFFED_BYTES: usize = 512;

/// The outermost format of an archive file, or of a layer in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveFormat {
    /// A plain tar.
    Tar,
    /// gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
    /// xz.
    Xz,
    /// bzip2.
    Bzip2,
}

impl ArchiveFormat {
    /// Tells the format from the first [`SNIFFED_BYTES`] bytes, or fewer at the end of a file.
    #[must_use]
    pub fn of(start: &[u8]) -> Option<Self> {
        const MAGIC: [(&[u8], ArchiveFormat); 5] = [
            (b"\x1f\x8b", ArchiveFormat::Gzip),
            (b"\x28\xb5\x2f\xfd", ArchiveFormat::Zstd),
            (b"\xfd7zXZ\0", ArchiveFormat::Xz),
            (b"BZh", ArchiveFormat::Bzip2),
            // eStargz and zstd:chunked files may start with a skippable frame (RFC 8878, 3.1.2).
            (b"\x50\x2a\x4d\x18", ArchiveFormat::Zstd),
        ];
        let compressed = MAGIC.into_iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, format)| format);
        compressed.or_else(|| is_tar_header(start).then_some(Self::Tar))
    }

    /// The name for messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tar => "tar",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Bzip2 => "bzip2",
        }
    }
}

/// Whether these bytes are a tar header: its checksum is right (POSIX ustar; v7 has it too, and no magic).
///
/// A tar without members starts with zeros, and counts.
#[must_use]
pub fn is_tar_header(block: &[u8]) -> bool {
    let Some(block) = block.get(..SNIFFED_BYTES) else { return false };
    if block.iter().all(|b| *b == 0) {
        return true;
    }
    // Historic tars summed signed bytes; GNU tar and libarchive accept both.
    let in_sum = |i: usize, b: u8| if (148..156).contains(&i) { b' ' } else { b };
    let unsigned: i64 = block.iter().enumerate().map(|(i, b)| i64::from(in_sum(i, *b))).sum();
    let signed: i64 = block.iter().enumerate().map(|(i, b)| i64::from(in_sum(i, *b).cast_signed())).sum();
    let header = tar::Header::from_byte_slice(block);
    header.cksum().is_ok_and(|sum| i64::from(sum) == unsigned || i64::from(sum) == signed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn header() -> Vec<u8> {
        let mut header = tar::Header::new_ustar();
        header.set_path("x").unwrap();
        header.set_size(0);
        header.set_cksum();
        header.as_bytes().to_vec()
    }

    #[rstest]
    #[case(header(), Some(ArchiveFormat::Tar))]
    #[case(vec![0; 512], Some(ArchiveFormat::Tar))]
    #[case(vec![0; 511], None)]
    #[case(header()[..511].to_vec(), None)]
    #[case({ let mut h = header(); h[0] ^= 1; h }, None)]
    #[case(b"\x1f\x8b\x08".to_vec(), Some(ArchiveFormat::Gzip))]
    #[case(b"\x28\xb5\x2f\xfd".to_vec(), Some(ArchiveFormat::Zstd))]
    #[case(b"\xfd7zXZ\0..".to_vec(), Some(ArchiveFormat::Xz))]
    #[case(b"BZh9".to_vec(), Some(ArchiveFormat::Bzip2))]
    #[case(b"<html>".repeat(100), None)]
    #[case(b"PK\x03\x04".repeat(200), None)]
    #[case(Vec::new(), None)]
    fn the_format_is_told_by_the_first_bytes(#[case] start: Vec<u8>, #[case] format: Option<ArchiveFormat>) {
        assert_eq!(ArchiveFormat::of(&start), format);
    }

    #[test]
    fn a_checksum_over_signed_bytes_counts_too() {
        let mut header = tar::Header::from_byte_slice(&header()).clone();
        header.as_mut_bytes()[0] = 0xe9;
        let signed: i64 = header
            .as_bytes()
            .iter()
            .enumerate()
            .map(|(i, b)| if (148..156).contains(&i) { 32 } else { i64::from(b.cast_signed()) })
            .sum();
        header.as_mut_bytes()[148..156].copy_from_slice(format!("{signed:06o}\0 ").as_bytes());
        assert!(is_tar_header(header.as_bytes()));
    }
}
