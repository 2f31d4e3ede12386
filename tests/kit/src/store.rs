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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incidents;
    use std::collections::BTreeSet;
    use std::io::Read;

    fn archived(file: &Path) -> BTreeMap<String, Vec<u8>> {
        let mut archive = tar::Archive::new(fs::File::open(file).expect("the file"));
        let mut files = BTreeMap::new();
        for entry in archive.entries().expect("a tar stream") {
            let mut entry = entry.expect("an entry");
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("its bytes");
            let link = entry.link_name().expect("text").map(|link| link.display().to_string());
            files.insert(entry.path().expect("a path").display().to_string(), link.map_or(bytes, String::into_bytes));
        }
        files
    }

    #[test]
    fn a_layout_has_every_blob_and_names_its_root() {
        let directory = tempfile::tempdir().expect("a directory");
        let forged = incidents::good();
        forged.write_layout(directory.path(), Some("latest")).expect("written");
        let index: Value =
            serde_json::from_slice(&fs::read(directory.path().join("index.json")).expect("read")).expect("JSON");
        assert_eq!(index["manifests"][0]["digest"], forged.root.digest);
        assert_eq!(index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"], "latest");
        let kept: BTreeSet<String> = fs::read_dir(directory.path().join("blobs/sha256"))
            .expect("a directory")
            .map(|entry| format!("sha256:{}", entry.expect("an entry").file_name().display()))
            .collect();
        assert_eq!(kept, forged.blobs.keys().cloned().collect());
    }

    #[test]
    fn docker_archives_hold_the_layers_in_both_forms() {
        let directory = tempfile::tempdir().expect("a directory");
        let forged = incidents::everything_shared().forged;
        let (old, new) = (directory.path().join("old.tar"), directory.path().join("new.tar"));
        forged.write_docker_archive(&old, &["app:1"]).expect("written");
        forged.write_docker25_archive(&new, &["app:1"]).expect("written");
        for (file, compressed) in [(old, false), (new, true)] {
            let files = archived(&file);
            let manifest: Value = serde_json::from_slice(&files["manifest.json"]).expect("JSON");
            assert_eq!(manifest[0]["RepoTags"][0], "app:1");
            for (item, member) in manifest.as_array().expect("items").iter().zip(forged.members()) {
                let config: Value =
                    serde_json::from_slice(&files[item["Config"].as_str().expect("a path")]).expect("JSON");
                assert_eq!(config, member.config);
                let path = item["Layers"][0].as_str().expect("a path");
                // The second image's layers are links to the first's in the old form.
                let bytes = match std::str::from_utf8(&files[path]).ok().and_then(|link| link.strip_prefix("../")) {
                    Some(target) => &files[target],
                    None => &files[path],
                };
                let expected =
                    if compressed { &member.manifest["layers"][0]["digest"] } else { &config["rootfs"]["diff_ids"][0] };
                assert_eq!(*expected, sha256(bytes));
            }
        }
    }

    #[test]
    fn blobs_are_lost_and_corrupted() {
        let forged = incidents::good();
        let layer = forged.layers_of("linux/arm/v7").remove(0);
        assert!(!forged.clone().drop_blob(&layer).blobs.contains_key(&layer));
        let corrupt = forged.clone().corrupt_blob(&layer);
        assert_ne!(sha256(&corrupt.blobs[&layer]), layer);
        assert_eq!(corrupt.blobs[&layer].len(), forged.blobs[&layer].len());
    }
}
