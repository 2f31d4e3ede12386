//! The archives that an engine is sent: an image to load, and the programs of a container.

use crate::image::descriptor::{Descriptor, media_type};
use crate::image::digest::HashingReader;
use crate::image::document::Manifest;
use crate::image::source::Source;
use bytes::Bytes;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use tokio::sync::mpsc::Sender;

/// Bytes of a piece on its way to the engine.
const PIECE: usize = 128 * 1024;

/// One platform of an image, as it is sent to an engine.
pub(super) struct Image<'a> {
    /// The name that it gets there.
    pub(super) name: &'a str,
    /// The manifest as an index would list it.
    pub(super) descriptor: &'a Descriptor,
    /// The manifest's bytes, verified.
    pub(super) manifest_bytes: &'a [u8],
    /// The manifest, parsed.
    pub(super) manifest: &'a Manifest,
    /// The config's bytes, verified.
    pub(super) config: &'a [u8],
}

impl Image<'_> {
    /// Writes the image as an archive that all engines load: an OCI layout, which those with containerd's store
    /// read, and beside it the `manifest.json` of `docker save`, which the classic store reads (before Docker 25
    /// it knows nothing else).
    ///
    /// Without a source the layers are left out: containerd's store may have them already.
    ///
    /// # Errors
    /// When a layer cannot be read, or is not what its descriptor says.
    pub(super) fn write(&self, target: impl Write, layers: Option<&dyn Source>) -> io::Result<()> {
        let mut archive = tar::Builder::new(target);
        add(&mut archive, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        add(&mut archive, "index.json", &self.index())?;
        add(&mut archive, &blob(self.descriptor), self.manifest_bytes)?;
        add(&mut archive, &blob(&self.manifest.config), self.config)?;
        let mut written = BTreeSet::new();
        for layer in &self.manifest.layers {
            if let Some(source) = layers
                && written.insert(&layer.digest)
            {
                add_blob(&mut archive, source, layer)?;
            }
        }
        add(&mut archive, "manifest.json", &self.docker_manifest())?;
        archive.into_inner()?.flush()
    }

    fn index(&self) -> Vec<u8> {
        let tag = self.name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
        let index = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_INDEX,
            "manifests": [{
                "mediaType": self.manifest.media_type,
                "digest": self.descriptor.digest.as_str(),
                "size": self.descriptor.size,
                // The first is containerd's name for it (`images/annotations.go`), the second the OCI image
                // layout's.
                "annotations": { "io.containerd.image.name": self.name, "org.opencontainers.image.ref.name": tag },
            }],
        });
        index.to_string().into_bytes()
    }

    fn docker_manifest(&self) -> Vec<u8> {
        let layers: Vec<String> = self.manifest.layers.iter().map(blob).collect();
        let manifest = json!([{ "Config": blob(&self.manifest.config), "RepoTags": [self.name], "Layers": layers }]);
        manifest.to_string().into_bytes()
    }
}

fn blob(descriptor: &Descriptor) -> String {
    format!("blobs/{}/{}", descriptor.digest.algorithm().name(), descriptor.digest.hex())
}

fn header(size: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(mode);
    header.set_entry_type(tar::EntryType::Regular);
    header
}

fn add<W: Write>(archive: &mut tar::Builder<W>, path: &str, bytes: &[u8]) -> io::Result<()> {
    archive.append_data(&mut header(bytes.len() as u64, 0o644), path, bytes)
}

/// Adds a layer piece by piece. One that turns out to be another ends the archive in the middle, so that the engine
/// does not take it.
fn add_blob<W: Write>(archive: &mut tar::Builder<W>, source: &dyn Source, layer: &Descriptor) -> io::Result<()> {
    let opened = source.open(layer).map_err(io::Error::other)?;
    let mut reader = HashingReader::new(opened.take(layer.size), layer.digest.algorithm());
    archive.append_data(&mut header(layer.size, 0o644), blob(layer), &mut reader)?;
    let (digest, size) = reader.finish();
    if size != layer.size || digest != layer.digest {
        return Err(io::Error::other(format!("the layer {} has other bytes than its digest says", layer.digest)));
    }
    Ok(())
}

/// The programs that a container gets, in a directory that its own programs cannot write to.
///
/// The directory is a volume, since engines copy nothing into a container with a read-only root but into its volumes;
/// without an owner of its own it would be root's, and root could fill the disk of the engine's host. The entry for
/// the directory is called `../NAME`, as engines pass over one that is called `.`.
pub(super) fn programs(directory: &str, owner: u64, programs: &[(&str, &[u8])]) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in programs {
        let mut header = header(bytes.len() as u64, 0o555);
        header.set_uid(owner);
        header.set_gid(owner);
        archive.append_data(&mut header, name, *bytes)?;
    }
    let mut header = header(0, 0o555);
    header.set_entry_type(tar::EntryType::Directory);
    header.set_uid(owner);
    header.set_gid(owner);
    let name = format!("../{directory}");
    // `set_path` refuses it, for good reasons elsewhere.
    for (to, from) in header.as_old_mut().name.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    header.set_cksum();
    archive.append(&header, io::empty())?;
    archive.into_inner()
}

/// Sends what is written to it to another thread, and waits where that is slower.
pub(super) struct Pieces {
    to: Sender<io::Result<Bytes>>,
    buffer: Vec<u8>,
}

impl Pieces {
    pub(super) fn new(to: Sender<io::Result<Bytes>>) -> Self {
        Self { to, buffer: Vec::with_capacity(PIECE) }
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE));
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the engine takes no more");
        self.to.blocking_send(Ok(piece.into())).map_err(gone)
    }
}
