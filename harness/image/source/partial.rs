//! Archives that leave platforms out by design.
//!
//! With Docker's containerd image store, `docker save` writes an image's whole
//! index, so that its digest stays, and only the blobs of the platforms that the
//! engine holds (<https://github.com/moby/moby/pull/46978>). A blob that is
//! not there is no fault of the image then, unless `manifest.json`, which lists
//! what was saved, names it.

use super::MAX_DOCUMENT_BYTES;
use super::Root;
use super::files::Files;
use super::layout::blob_name;
use crate::image::digest::Digest;
use crate::image::reference::name::shown;
use serde::Deserialize;
use std::collections::HashSet;
use std::sync::OnceLock;

/// How many platforms a reason lists.
const MAX_LISTED: usize = 20;

/// What an archive was meant to hold.
#[derive(Debug)]
pub(super) struct Partial {
    listed: HashSet<Digest>,
    holder: String,
    hint: String,
    held: OnceLock<String>,
}

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    digest: Digest,
    #[serde(default)]
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    variant: String,
}

#[derive(Deserialize)]
struct Manifest {
    config: Blob,
    #[serde(default)]
    layers: Vec<Blob>,
}

#[derive(Deserialize)]
struct Blob {
    digest: Digest,
}

impl Partial {
    /// `listed` are the blobs that the archive says to have; `holder` is who left the others out
    /// (`the engine`), `hint` what brings them.
    pub(super) fn new(listed: HashSet<Digest>, holder: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { listed, holder: holder.into(), hint: hint.into(), held: OnceLock::new() }
    }

    /// Whether the archive itself says that it has this blob.
    pub(super) fn is_listed(&self, digest: &Digest) -> bool {
        self.listed.contains(digest)
    }

    /// Why a blob is not there, with the platforms that are.
    pub(super) fn reason(&self, files: &dyn Files, root: Option<&Root>) -> String {
        let held = self.held.get_or_init(|| {
            let platforms = root.map(|r| held_platforms(files, &r.bytes)).unwrap_or_default();
            if platforms.is_empty() { "no whole platform".to_owned() } else { format!("only {}", platforms.join(", ")) }
        });
        format!("{} holds {held} of this image; {}", self.holder, self.hint)
    }
}

/// The platforms of an index whose manifest, config and layers are all there.
fn held_platforms(files: &dyn Files, index: &[u8]) -> Vec<String> {
    let Ok(index) = serde_json::from_slice::<Index>(index) else { return Vec::new() };
    let held = index.manifests.iter().filter(|entry| is_held(files, &entry.digest));
    let shown = held.filter_map(|entry| entry.platform.as_ref()).filter(|p| p.os != "unknown").map(|p| {
        let variant = if p.variant.is_empty() { String::new() } else { format!("/{}", p.variant) };
        shown(&format!("{}/{}{variant}", p.os, p.architecture))
    });
    shown.take(MAX_LISTED).collect()
}

fn is_held(files: &dyn Files, manifest: &Digest) -> bool {
    let Ok(bytes) = files.read(&blob_name(manifest), MAX_DOCUMENT_BYTES) else { return false };
    let Ok(manifest) = serde_json::from_slice::<Manifest>(&bytes) else { return false };
    std::iter::once(&manifest.config).chain(&manifest.layers).all(|blob| files.contains(&blob_name(&blob.digest)))
}
