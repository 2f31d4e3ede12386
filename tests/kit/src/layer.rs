//! Layers: tar streams, right and wrong, and their compressed form.
//!
//! Paths are written as they are given, so `/x`, `../x` and `./x` stay what they are; `bin/app` is what builders write.

use std::sync::Arc;

use crate::compress::Compression;
use crate::digest::sha256;
use crate::header::{Header, number};

/// How a name that does not fit into a header is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LongNames {
    /// PAX records `path` and `linkpath`.
    #[default]
    Pax,
    /// GNU's entries of type `L` and `K`.
    Gnu,
}

/// A layer to be: entries in the order of the calls.
#[derive(Clone, Debug)]
pub struct Layer {
    tar: Vec<u8>,
    starts: Vec<usize>,
    first_file: Option<String>,
    owner: (u64, u64),
    names: LongNames,
    compression: Compression,
    ended: bool,
    tail: Vec<u8>,
    cut_tar: Option<usize>,
    cut_blob: Option<usize>,
    after_blob: Vec<u8>,
}

/// A finished layer.
#[derive(Clone, Debug)]
pub struct Blob {
    /// As it is stored and transferred.
    pub bytes: Arc<Vec<u8>>,
    /// The tar stream itself.
    pub tar: Arc<Vec<u8>>,
    /// Digest of the bytes.
    pub digest: String,
    /// Digest of the tar stream.
    pub diff_id: String,
    /// OCI media type; an image with Docker's types writes Docker's.
    pub media_type: String,
    /// What a Dockerfile instruction would say of it.
    pub instruction: String,
}

impl Default for Layer {
    fn default() -> Layer {
        Layer::new()
    }
}

impl Layer {
    /// A layer without entries, to be compressed with gzip.
    #[must_use]
    pub fn new() -> Layer {
        Layer {
            tar: Vec::new(),
            starts: Vec::new(),
            first_file: None,
            owner: (0, 0),
            names: LongNames::default(),
            compression: Compression::default(),
            ended: true,
            tail: Vec::new(),
            cut_tar: None,
            cut_blob: None,
            after_blob: Vec::new(),
        }
    }

    /// A directory.
    #[must_use]
    pub fn dir(self, path: impl AsRef<[u8]>, mode: u32) -> Layer {
        let mut path = path.as_ref().to_vec();
        if !path.ends_with(b"/") {
            path.push(b'/');
        }
        let header = Header::new(&path, b'5').mode(mode);
        self.entry(&path, b"", header, b"")
    }

    /// Several directories of mode 755.
    #[must_use]
    pub fn dirs(self, paths: &[&str]) -> Layer {
        paths.iter().fold(self, |layer, path| layer.dir(path, 0o755))
    }

    /// A regular file.
    #[must_use]
    pub fn file(mut self, path: impl AsRef<[u8]>, mode: u32, bytes: impl AsRef<[u8]>) -> Layer {
        let (path, bytes) = (path.as_ref(), bytes.as_ref());
        self.first_file.get_or_insert_with(|| String::from_utf8_lossy(path).into_owned());
        let header = Header::new(path, b'0').mode(mode).size(bytes.len() as u64);
        self.entry(path, b"", header, bytes)
    }

    /// An executable file, mode 755.
    #[must_use]
    pub fn program(self, path: impl AsRef<[u8]>, bytes: impl AsRef<[u8]>) -> Layer {
        self.file(path, 0o755, bytes)
    }

    /// A symbolic link.
    #[must_use]
    pub fn symlink(self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Layer {
        let (path, target) = (path.as_ref(), target.as_ref());
        let header = Header::new(path, b'2').mode(0o777).link(target);
        self.entry(path, target, header, b"")
    }

    /// A hard link to a file of this or of a lower layer.
    #[must_use]
    pub fn hardlink(self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Layer {
        let (path, target) = (path.as_ref(), target.as_ref());
        let header = Header::new(path, b'1').mode(0o755).link(target);
        self.entry(path, target, header, b"")
    }

    /// A whiteout: this path of the lower layers is gone.
    #[must_use]
    pub fn whiteout(self, path: &str) -> Layer {
        let (parent, name) = path.rsplit_once('/').map_or(("", path), |(parent, name)| (parent, name));
        let marker = if parent.is_empty() { format!(".wh.{name}") } else { format!("{parent}/.wh.{name}") };
        let header = Header::new(marker.as_bytes(), b'0').mode(0);
        self.entry(marker.as_bytes(), b"", header, b"")
    }

    /// An opaque directory: what lower layers have in it is gone.
    #[must_use]
    pub fn opaque(self, directory: &str) -> Layer {
        let marker = format!("{directory}/.wh..wh..opq");
        let header = Header::new(marker.as_bytes(), b'0').mode(0);
        self.entry(marker.as_bytes(), b"", header, b"")
    }

    /// A character device.
    #[must_use]
    pub fn device(self, path: &str, major: u64, minor: u64) -> Layer {
        let header = Header::new(path.as_bytes(), b'3').mode(0o666).device(major, minor);
        self.entry(path.as_bytes(), b"", header, b"")
    }

    /// A block device.
    #[must_use]
    pub fn block_device(self, path: &str, major: u64, minor: u64) -> Layer {
        let header = Header::new(path.as_bytes(), b'4').mode(0o660).device(major, minor);
        self.entry(path.as_bytes(), b"", header, b"")
    }

    /// A named pipe.
    #[must_use]
    pub fn fifo(self, path: &str) -> Layer {
        self.entry(path.as_bytes(), b"", Header::new(path.as_bytes(), b'6'), b"")
    }

    /// User and group of the entries that follow.
    #[must_use]
    pub fn owner(mut self, user: u64, group: u64) -> Layer {
        self.owner = (user, group);
        self
    }

    /// How long names of the entries that follow are written.
    #[must_use]
    pub fn long_names(mut self, names: LongNames) -> Layer {
        self.names = names;
        self
    }

    /// PAX records for the next entry: `SCHILY.xattr.security.capability`, `size`, `path` ...
    #[must_use]
    pub fn pax(self, records: &[(&str, &[u8])]) -> Layer {
        self.pax_raw(&records.iter().flat_map(|(key, value)| pax_record(key, value)).collect::<Vec<u8>>())
    }

    /// An extended header for the next entry with these bytes as its records.
    #[must_use]
    pub fn pax_raw(self, records: &[u8]) -> Layer {
        self.raw_entry(&Header::new(b"PaxHeaders/next", b'x').size(records.len() as u64), records)
    }

    /// A global extended header, as `git archive` writes one.
    #[must_use]
    pub fn pax_global(self, records: &[(&str, &[u8])]) -> Layer {
        let body: Vec<u8> = records.iter().flat_map(|(key, value)| pax_record(key, value)).collect();
        self.raw_entry(&Header::new(b"pax_global_header", b'g').size(body.len() as u64), &body)
    }

    /// A sparse file in GNU's own format: `real_size` bytes, zero but for the segments, each of which but
    /// the last is a multiple of 512 bytes.
    #[must_use]
    pub fn sparse_gnu(self, path: &str, mode: u32, real_size: u64, segments: &[(u64, &[u8])]) -> Layer {
        let map = sparse_map(segments, real_size);
        let body: Vec<u8> = segments.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
        let mut header = Header::new(path.as_bytes(), b'S').gnu().mode(mode).size(body.len() as u64);
        sparse_slots(&mut header.bytes[386..482], &map);
        number(&mut header.bytes[483..495], real_size);
        let mut rest = map.get(4..).unwrap_or_default();
        header.bytes[482] = u8::from(!rest.is_empty());
        let mut extension = Vec::new();
        while !rest.is_empty() {
            let mut block = [0u8; 512];
            sparse_slots(&mut block[..504], rest);
            rest = rest.get(21..).unwrap_or_default();
            block[504] = u8::from(!rest.is_empty());
            extension.extend(block);
        }
        let mut layer = self.raw_bytes_at_entry(&header.seal());
        layer.tar.extend(extension);
        layer.append_body(&body);
        layer
    }

    /// A sparse file in PAX format 1.0: its map comes before the data.
    #[must_use]
    pub fn sparse_pax(self, path: &str, mode: u32, real_size: u64, segments: &[(u64, &[u8])]) -> Layer {
        let map = sparse_map(segments, real_size);
        let mut body = format!("{}\n", map.len()).into_bytes();
        for (offset, size) in map {
            body.extend(format!("{offset}\n{size}\n").bytes());
        }
        body.resize(body.len().next_multiple_of(512), 0);
        body.extend(segments.iter().flat_map(|(_, bytes)| bytes.iter()));
        let size = real_size.to_string();
        let name = format!("GNUSparseFile.0/{}", path.rsplit('/').next().unwrap_or_default());
        let header = Header::new(name.as_bytes(), b'0').mode(mode).size(body.len() as u64);
        self.pax(&[
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", path.as_bytes()),
            ("GNU.sparse.realsize", size.as_bytes()),
        ])
        .raw_entry(&header, &body)
    }

    /// A file whose header says another size than follows: nothing is padded to what it claims.
    #[must_use]
    pub fn lying_size(self, path: &str, claimed: u64, bytes: &[u8]) -> Layer {
        self.raw_entry(&Header::new(path.as_bytes(), b'0').mode(0o755).size(claimed), bytes)
    }

    /// Any header with any body.
    #[must_use]
    pub fn raw_entry(self, header: &Header, body: &[u8]) -> Layer {
        let mut layer = self.raw_bytes_at_entry(&header.seal());
        layer.append_body(body);
        layer
    }

    /// Bytes as they are, in the midst of the stream.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Layer {
        self.tar.extend_from_slice(bytes);
        self
    }

    /// Leaves out the two blocks of zeros that end an archive.
    #[must_use]
    pub fn without_end(mut self) -> Layer {
        self.ended = false;
        self
    }

    /// Bytes behind the end of the archive.
    #[must_use]
    pub fn trailing(mut self, bytes: &[u8]) -> Layer {
        self.tail = bytes.to_vec();
        self
    }

    /// Cuts the tar stream off after this many bytes, before it is compressed.
    #[must_use]
    pub fn truncate_tar(mut self, size: usize) -> Layer {
        self.cut_tar = Some(size);
        self
    }

    /// Cuts the compressed blob off after this many bytes.
    #[must_use]
    pub fn truncate_blob(mut self, size: usize) -> Layer {
        self.cut_blob = Some(size);
        self
    }

    /// Bytes behind the compressed stream.
    #[must_use]
    pub fn after_blob(mut self, bytes: &[u8]) -> Layer {
        self.after_blob = bytes.to_vec();
        self
    }

    /// Compresses it so; gzip where nothing is said.
    #[must_use]
    pub fn compress(mut self, compression: Compression) -> Layer {
        self.compression = compression;
        self
    }

    /// The finished layer.
    #[must_use]
    pub fn build(&self) -> Blob {
        let mut tar = self.tar.clone();
        let mut starts = self.starts.clone();
        starts.push(tar.len());
        if self.ended {
            tar.resize(tar.len() + 1024, 0);
        }
        tar.extend(&self.tail);
        if let Some(size) = self.cut_tar {
            tar.truncate(size);
            starts.retain(|start| *start < size);
        }
        if starts.first() != Some(&0) {
            starts.insert(0, 0);
        }
        let mut bytes = self.compression.apply(&tar, &starts);
        bytes.truncate(self.cut_blob.unwrap_or(usize::MAX));
        bytes.extend(&self.after_blob);
        let suffix = self.compression.suffix();
        let plus = if suffix.is_empty() { "" } else { "+" };
        Blob {
            digest: sha256(&bytes),
            diff_id: sha256(&tar),
            media_type: format!("application/vnd.oci.image.layer.v1.tar{plus}{suffix}"),
            instruction: self.instruction(),
            bytes: Arc::new(bytes),
            tar: Arc::new(tar),
        }
    }

    /// What BuildKit would write into the history for such a layer.
    fn instruction(&self) -> String {
        let Some(path) = &self.first_file else { return "RUN /bin/sh -c true # buildkit".to_owned() };
        if path.starts_with("etc/") {
            return "ADD rootfs.tar.xz / # buildkit".to_owned();
        }
        format!("COPY {} /{} # buildkit", path.rsplit('/').next().unwrap_or(path), path.trim_start_matches('/'))
    }

    fn entry(mut self, path: &[u8], link: &[u8], header: Header, body: &[u8]) -> Layer {
        let header = header.owner(self.owner.0, self.owner.1);
        let (long_path, long_link) = (path.len() > 100, link.len() > 100);
        match self.names {
            LongNames::Pax => {
                let mut records = Vec::new();
                records.extend(if long_path { pax_record("path", path) } else { Vec::new() });
                records.extend(if long_link { pax_record("linkpath", link) } else { Vec::new() });
                if !records.is_empty() {
                    self = self.pax_raw(&records);
                }
                self.raw_entry(&header, body)
            }
            LongNames::Gnu => {
                for (kind, name) in [(b'K', link), (b'L', path)] {
                    if name.len() > 100 {
                        let named: Vec<u8> = name.iter().copied().chain([0]).collect();
                        self =
                            self.raw_entry(&Header::new(b"././@LongLink", kind).gnu().size(named.len() as u64), &named);
                    }
                }
                self.raw_entry(&header.gnu(), body)
            }
        }
    }

    fn raw_bytes_at_entry(mut self, bytes: &[u8]) -> Layer {
        self.starts.push(self.tar.len());
        self.tar.extend_from_slice(bytes);
        self
    }

    fn append_body(&mut self, body: &[u8]) {
        self.tar.extend_from_slice(body);
        self.tar.resize(self.tar.len().next_multiple_of(512), 0);
    }
}

impl From<Layer> for Blob {
    fn from(layer: Layer) -> Blob {
        layer.build()
    }
}

impl From<&Layer> for Blob {
    fn from(layer: &Layer) -> Blob {
        layer.build()
    }
}

impl From<&Blob> for Blob {
    fn from(blob: &Blob) -> Blob {
        blob.clone()
    }
}

/// `LENGTH KEY=VALUE\n`, where the length counts itself.
fn pax_record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    let mut record = format!("{length} {key}=").into_bytes();
    record.extend_from_slice(value);
    record.push(b'\n');
    record
}

/// Offsets and sizes; GNU tar ends the map of a file that ends in a hole with an empty segment.
fn sparse_map(segments: &[(u64, &[u8])], real_size: u64) -> Vec<(u64, u64)> {
    let mut map: Vec<(u64, u64)> = segments.iter().map(|(offset, bytes)| (*offset, bytes.len() as u64)).collect();
    if map.last().is_some_and(|(offset, size)| offset + size < real_size) {
        map.push((real_size, 0));
    }
    map
}

/// Offsets and sizes of a GNU sparse map, as many as there is room for.
fn sparse_slots(room: &mut [u8], map: &[(u64, u64)]) {
    for (slot, (offset, size)) in room.chunks_exact_mut(24).zip(map) {
        number(&mut slot[..12], *offset);
        number(&mut slot[12..], *size);
    }
}

#[cfg(test)]
mod tests;
