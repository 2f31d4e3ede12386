//! Compressed forms of a layer, the ordinary and the odd.

use std::io::Write;

use flate2::{Compression as Level, GzBuilder};

/// How a layer's tar stream is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// One gzip member.
    #[default]
    Gzip,
    /// One zstd frame.
    Zstd,
    /// Several gzip members, as pigz's and estargz's output has; together they are one stream (RFC 1952, 2.2).
    GzipMembers,
    /// As eStargz: a gzip member for each entry, and a last one that is empty and carries the offset of the table of
    /// contents in its extra field.
    EStargz,
    /// Several zstd frames.
    ZstdFrames,
    /// As zstd:chunked: a frame for each entry, then skippable frames (RFC 8878, 3.1.2) with its own table.
    ZstdChunked,
}

impl Compression {
    /// What a layer's media type ends with.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Compression::None => "",
            Compression::Gzip | Compression::GzipMembers | Compression::EStargz => "gzip",
            Compression::Zstd | Compression::ZstdFrames | Compression::ZstdChunked => "zstd",
        }
    }

    /// Compresses a tar stream, whose entries start at `starts`.
    pub(crate) fn apply(self, tar: &[u8], starts: &[usize]) -> Vec<u8> {
        match self {
            Compression::None => tar.to_vec(),
            Compression::Gzip => gzip(tar),
            Compression::Zstd => zstd(tar),
            Compression::GzipMembers => thirds(tar).flat_map(gzip).collect(),
            Compression::ZstdFrames => thirds(tar).flat_map(zstd).collect(),
            Compression::EStargz => {
                let mut out: Vec<u8> = pieces(tar, starts).flat_map(gzip).collect();
                out.extend(estargz_footer(out.len()));
                out
            }
            Compression::ZstdChunked => {
                let mut out: Vec<u8> = pieces(tar, starts).flat_map(zstd).collect();
                out.extend(skippable(br#"{"version":1,"entries":[]}"#));
                let mut footer = vec![0; 56];
                footer.extend(b"GNUlInUx");
                out.extend(skippable(&footer));
                out
            }
        }
    }
}

/// One gzip member, without time and name: the same bytes each time.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = GzBuilder::new().mtime(0).write(Vec::new(), Level::fast());
    writer.write_all(bytes).expect("a vector takes everything");
    writer.finish().expect("a vector takes everything")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ::zstd::bulk::compress(bytes, 1).expect("zstd compresses")
}

fn thirds(tar: &[u8]) -> impl Iterator<Item = &[u8]> {
    tar.chunks(tar.len().div_ceil(3).max(1))
}

fn pieces<'a>(tar: &'a [u8], starts: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let ends = starts.iter().skip(1).copied().chain([tar.len()]);
    starts.iter().zip(ends).map(|(start, end)| &tar[*start..end])
}

/// The estargz footer (stargz-snapshotter, docs/estargz.md): extra field "SG" with 16 hexadecimal digits and "STARGZ".
fn estargz_footer(offset: usize) -> Vec<u8> {
    let mut extra = b"SG\x16\0".to_vec();
    extra.extend(format!("{offset:016x}STARGZ").bytes());
    GzBuilder::new().mtime(0).extra(extra).write(Vec::new(), Level::none()).finish().expect("a vector takes everything")
}

fn skippable(bytes: &[u8]) -> Vec<u8> {
    let mut out = 0x184d_2a50_u32.to_le_bytes().to_vec();
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(bytes);
    out
}
