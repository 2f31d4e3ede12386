//! What was forged: blobs by digest under one root, and the places it can be written to.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::digest::sha256;
use crate::layer::Layer;

/// The index or manifest that everything hangs from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// Its JSON.
    pub bytes: Vec<u8>,
    /// Its media type.
    pub media_type: String,
    /// Its digest.
    pub digest: String,
}

impl Root {
    /// Media type, digest and size.
    #[must_use]
    pub fn descriptor(&self) -> Value {
        json!({ "mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len() })
    }
}

/// A forged image with all its blobs.
#[derive(Clone, Debug)]
pub struct Forged {
    /// Where it starts.
    pub root: Root,
    /// Every blob by the digest under which it is kept; the bytes need not agree.
    pub blobs: BTreeMap<String, Vec<u8>>,
    /// Layers' tar streams by the digest of the layer.
    pub(crate) tars: BTreeMap<String, Arc<Vec<u8>>>,
}

/// One image within what was forged.
#[derive(Clone, Debug)]
pub struct Member {
    /// The descriptor by which it was reached.
    pub descriptor: Value,
    /// Its manifest.
    pub manifest: Value,
    /// Its config.
    pub config: Value,
}

impl Forged {
    /// No blobs, and an empty root.
    #[must_use]
    pub fn nothing() -> Forged {
        let root = Root { bytes: Vec::new(), media_type: String::new(), digest: sha256(b"") };
        Forged { root, blobs: BTreeMap::new(), tars: BTreeMap::new() }
    }

    /// Loses a blob.
    #[must_use]
    pub fn drop_blob(mut self, digest: &str) -> Forged {
        self.blobs.remove(digest).expect("a blob that is there");
        self
    }

    /// Keeps other bytes under this digest: the same number, one of them changed.
    #[must_use]
    pub fn corrupt_blob(mut self, digest: &str) -> Forged {
        let bytes = self.blobs.get_mut(digest).expect("a blob that is there");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x20;
        self
    }

    /// Keeps these bytes under this digest.
    #[must_use]
    pub fn replace_blob(mut self, digest: &str, bytes: &[u8]) -> Forged {
        self.blobs.insert(digest.to_owned(), bytes.to_vec());
        self
    }

    /// Every image of a kept manifest, in the order of the index, nested ones included; no attestations or artifacts.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        let mut found = Vec::new();
        self.collect(&self.root.descriptor(), 0, &mut found);
        found
    }

    /// The manifest digest of the first image of this platform, as its descriptor or else its config spells it.
    ///
    /// # Panics
    /// Where there is no such image.
    #[must_use]
    pub fn manifest_of(&self, platform: &str) -> String {
        self.member(platform).descriptor["digest"].as_str().unwrap_or_default().to_owned()
    }

    /// The layer digests of the first image of this platform.
    ///
    /// # Panics
    /// Where there is no such image.
    #[must_use]
    pub fn layers_of(&self, platform: &str) -> Vec<String> {
        let layers = self.member(platform).manifest["layers"].as_array().cloned().unwrap_or_default();
        layers.iter().filter_map(|layer| layer["digest"].as_str().map(str::to_owned)).collect()
    }

    /// The config digest of the first image of this platform.
    ///
    /// # Panics
    /// Where there is no such image.
    #[must_use]
    pub fn config_of(&self, platform: &str) -> String {
        self.member(platform).manifest["config"]["digest"].as_str().unwrap_or_default().to_owned()
    }

    fn member(&self, platform: &str) -> Member {
        let wanted = crate::image::platform(platform);
        let says = |object: &Value| ["os", "architecture", "variant"].iter().all(|part| object[*part] == wanted[*part]);
        let all = self.members();
        let by_descriptor = all.iter().find(|member| says(&member.descriptor["platform"]));
        by_descriptor
            .or_else(|| all.iter().find(|member| says(&member.config)))
            .cloned()
            .unwrap_or_else(|| panic!("no image for {platform} was forged"))
    }

    fn collect(&self, descriptor: &Value, depth: usize, found: &mut Vec<Member>) {
        let Some(manifest) = self.json(&descriptor["digest"]) else { return };
        if let (Some(entries), true) = (manifest["manifests"].as_array(), depth < 8) {
            entries.iter().for_each(|entry| self.collect(entry, depth + 1, found));
            return;
        }
        let attests = !descriptor["annotations"]["vnd.docker.reference.type"].is_null();
        let config = self.json(&manifest["config"]["digest"]);
        if let (Some(config), false, true) = (config, attests, manifest["artifactType"].is_null()) {
            found.push(Member { descriptor: descriptor.clone(), manifest, config });
        }
    }

    fn json(&self, digest: &Value) -> Option<Value> {
        serde_json::from_slice(self.blobs.get(digest.as_str()?)?).ok()
    }

    /// Writes an OCI image layout; the tag becomes the annotation `org.opencontainers.image.ref.name`.
    ///
    /// # Errors
    /// Where the directory cannot be written.
    pub fn write_layout(&self, directory: &Path, tag: Option<&str>) -> io::Result<()> {
        for (path, bytes) in self.layout_files(tag) {
            let file = directory.join(path);
            fs::create_dir_all(file.parent().unwrap_or(directory))?;
            fs::write(file, bytes)?;
        }
        Ok(())
    }

    /// Writes a tar file of the OCI image layout.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write_oci_archive(&self, file: &Path, tag: Option<&str>) -> io::Result<()> {
        let layer = self
            .layout_files(tag)
            .into_iter()
            .fold(Layer::new(), |layer, (path, bytes)| layer.file(path, 0o644, bytes));
        fs::write(file, layer.build().tar.as_slice())
    }

    /// The files of the layout by path.
    pub(crate) fn layout_files(&self, tag: Option<&str>) -> BTreeMap<String, Vec<u8>> {
        let mut descriptor = self.root.descriptor();
        if let Some(tag) = tag {
            descriptor["annotations"] = json!({ "org.opencontainers.image.ref.name": tag });
        }
        self.layout_files_with(&[descriptor])
    }

    /// The files of a layout whose `index.json` has these entries.
    pub(crate) fn layout_files_with(&self, entries: &[Value]) -> BTreeMap<String, Vec<u8>> {
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": entries,
        });
        let mut files = BTreeMap::from([
            ("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
            ("index.json".to_owned(), index.to_string().into_bytes()),
        ]);
        for (digest, bytes) in &self.blobs {
            files.insert(blob_path(digest), bytes.clone());
        }
        files
    }
}

/// Where a layout keeps a blob.
pub(crate) fn blob_path(digest: &str) -> String {
    format!("blobs/{}", digest.replacen(':', "/", 1))
}
