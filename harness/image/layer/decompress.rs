//! Decompression, by the layer's own first bytes.
//!
//! Engines do the same (containerd, `archive/compression/compression.go`):
//! published images exist whose media type names another compression than they have.

use std::io::{self, BufRead as _, BufReader, Read};

/// Bytes of a zstd frame that are held at most, as a power of two: what
/// `zstd --ultra -22` needs, and the decoder's own default limit.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// Wraps a compressed or uncompressed layer so that it reads as an archive.
///
/// # Errors
/// When the first bytes cannot be read or the decoder cannot be made.
pub(super) fn reader<'a, R: Read + 'a>(compressed: R) -> io::Result<Box<dyn Read + 'a>> {
    let mut compressed = BufReader::with_capacity(64 * 1024, compressed);
    let head = compressed.fill_buf()?;
    if head.starts_with(b"\x1f\x8b") {
        // All members of the file (RFC 1952, 2.2), as engines read it.
        return Ok(Box::new(flate2::bufread::MultiGzDecoder::new(compressed)));
    }
    if is_zstd(head) {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(compressed)?;
        decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
        return Ok(Box::new(decoder));
    }
    for (magic, name) in [(&b"BZh"[..], "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"\x04\x22\x4d\x18", "lz4")] {
        if head.starts_with(magic) {
            return Err(io::Error::other(format!(
                "it is compressed with {name}, which the OCI image spec does not have; rebuild it with gzip or zstd"
            )));
        }
    }
    Ok(Box::new(compressed))
}

/// A zstd frame, or a skippable frame as zstd:chunked puts before it (RFC 8878, 3.1).
fn is_zstd(head: &[u8]) -> bool {
    head.starts_with(b"\x28\xb5\x2f\xfd") || matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::io::Write;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd_frame(text: &[u8]) -> Vec<u8> {
        zstd::encode_all(text, 1).unwrap()
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        reader(bytes)?.read_to_end(&mut out)?;
        Ok(out)
    }

    #[rstest]
    #[case::plain(b"hello".to_vec())]
    #[case::gzip(gzip(b"hello"))]
    #[case::gzip_members([gzip(b"hel"), gzip(b"lo")].concat())]
    #[case::zstd(zstd_frame(b"hello"))]
    #[case::zstd_frames([zstd_frame(b"hel"), zstd_frame(b"lo")].concat())]
    #[case::skippable_first([&b"\x50\x2a\x4d\x18\x03\0\0\0abc"[..], &zstd_frame(b"hello")].concat())]
    #[case::skippable_last([&zstd_frame(b"hello")[..], b"\x5f\x2a\x4d\x18\x03\0\0\0abc"].concat())]
    fn content_comes_out(#[case] bytes: Vec<u8>) {
        assert_eq!(read(&bytes).unwrap(), b"hello");
    }

    #[rstest]
    #[case::gzip_cut(gzip(&[7; 9000])[..20].to_vec())]
    #[case::gzip_trailing_junk([gzip(b"hello"), b"junk".to_vec()].concat())]
    #[case::gzip_bad_sum({ let mut g = gzip(b"hello"); let at = g.len() - 8; g[at] ^= 1; g })]
    #[case::zstd_cut(zstd_frame(&[7; 9000])[..8].to_vec())]
    #[case::xz(b"\xfd7zXZ\0\0\0".to_vec())]
    fn broken_streams_are_errors(#[case] bytes: Vec<u8>) {
        assert!(read(&bytes).is_err());
    }
}
