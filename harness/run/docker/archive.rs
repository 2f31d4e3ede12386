//! The archives that an engine is sent: an image to load, and the programs of a container.

use crate::image::descriptor::{Descriptor, media_type};
use crate::image::digest::HashingReader;
use crate::image::document::Manifest;
use crate::image::source::Source;
use bytes::Bytes;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::path::Path;
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

/// The programs that a container gets, in this directory; without one they lie at the top.
pub(super) fn programs(directory: &str, programs: &[(&str, &[u8])]) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let directory = Path::new(directory.trim_start_matches('/'));
    if directory != Path::new("") {
        let mut header = header(0, 0o755);
        header.set_entry_type(tar::EntryType::Directory);
        archive.append_data(&mut header, directory, io::empty())?;
    }
    for (name, bytes) in programs {
        archive.append_data(&mut header(bytes.len() as u64, 0o555), directory.join(name), *bytes)?;
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::digest::Digest;
    use crate::image::source::{Root, SourceError};
    use std::collections::BTreeMap;

    const CONFIG: &[u8] = b"{}";

    /// Layers by their content; `lie` is what is read instead of each.
    struct Layers {
        blobs: BTreeMap<Digest, Vec<u8>>,
        lie: Option<Vec<u8>>,
    }

    impl Source for Layers {
        fn name(&self) -> String {
            "test".to_owned()
        }

        fn root(&self) -> Result<Root, SourceError> {
            unreachable!()
        }

        fn open(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, SourceError> {
            let bytes = self.lie.clone().unwrap_or_else(|| self.blobs[&descriptor.digest].clone());
            Ok(Box::new(io::Cursor::new(bytes)))
        }
    }

    fn descriptor(media_type: &str, bytes: &[u8]) -> Descriptor {
        Descriptor::new(media_type, Digest::of(bytes), bytes.len() as u64)
    }

    /// Writes an image of these layers.
    fn written(layers: &[&[u8]], lie: Option<&[u8]>, with_layers: bool) -> io::Result<Vec<u8>> {
        let blobs = layers.iter().map(|layer| (Digest::of(layer), layer.to_vec())).collect();
        let source = Layers { blobs, lie: lie.map(<[u8]>::to_vec) };
        let manifest = Manifest {
            media_type: media_type::OCI_MANIFEST.to_owned(),
            artifact_type: None,
            config: descriptor(media_type::OCI_CONFIG, CONFIG),
            layers: layers.iter().map(|layer| descriptor(media_type::OCI_LAYER, layer)).collect(),
            annotations: BTreeMap::new(),
        };
        let image = Image {
            name: "mpcheck.invalid/run-1:abc",
            descriptor: &descriptor(media_type::OCI_MANIFEST, b"manifest"),
            manifest_bytes: b"manifest",
            manifest: &manifest,
            config: CONFIG,
        };
        let mut target = Vec::new();
        image.write(&mut target, with_layers.then_some(&source as &dyn Source))?;
        Ok(target)
    }

    fn members(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut archive = tar::Archive::new(archive);
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (String::from_utf8(entry.path_bytes().into_owned()).unwrap(), bytes)
        });
        entries.collect()
    }

    fn path(bytes: &[u8]) -> String {
        format!("blobs/sha256/{}", Digest::of(bytes).hex())
    }

    #[test]
    fn an_image_is_written_once_for_both_kinds_of_engine() {
        let members = members(&written(&[b"one", b"two", b"one"], None, true).unwrap());
        let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
        let (manifest, config, one, two) = (path(b"manifest"), path(CONFIG), path(b"one"), path(b"two"));
        assert_eq!(names, ["oci-layout", "index.json", &manifest, &config, &one, &two, "manifest.json"]);
        let json = |name: &str| -> serde_json::Value {
            serde_json::from_slice(&members.iter().find(|member| member.0 == name).unwrap().1).unwrap()
        };
        let entry = &json("index.json")["manifests"][0];
        assert_eq!(entry["digest"], Digest::of(b"manifest").as_str());
        assert_eq!(entry["annotations"]["io.containerd.image.name"], "mpcheck.invalid/run-1:abc");
        let expected = json!([{
            "Config": config, "RepoTags": ["mpcheck.invalid/run-1:abc"], "Layers": [one, two, one],
        }]);
        assert_eq!(json("manifest.json"), expected);
    }

    #[test]
    fn without_a_source_all_but_the_layers_is_written() {
        let members = members(&written(&[b"one"], None, false).unwrap());
        assert!(members.iter().all(|(name, _)| *name != path(b"one")));
        assert_eq!(members.last().unwrap().0, "manifest.json");
    }

    #[test]
    fn a_layer_of_other_bytes_ends_the_archive() {
        for lie in [&b"two"[..], b"on", b""] {
            let error = written(&[b"one"], Some(lie), true).unwrap_err();
            assert!(error.to_string().contains("other bytes than its digest"), "{error}");
        }
        // What is too much is not read.
        assert_eq!(written(&[b"one"], Some(b"one more"), true).unwrap(), written(&[b"one"], None, true).unwrap());
    }

    #[test]
    fn programs_are_executable() {
        let archive = programs("", &[("probe", b"code"), ("wait", b"more")]).unwrap();
        let names: Vec<String> = members(&archive).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["probe", "wait"]);
        let mut archive = tar::Archive::new(archive.as_slice());
        let modes: Vec<u32> = archive.entries().unwrap().map(|e| e.unwrap().header().mode().unwrap()).collect();
        assert_eq!(modes, [0o555, 0o555]);
        let names: Vec<String> =
            members(&programs("/.at", &[("probe", b"code")]).unwrap()).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, [".at", ".at/probe"]);
    }
}
