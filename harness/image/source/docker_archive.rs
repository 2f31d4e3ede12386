//! The form of `docker save` before Docker 25: a `manifest.json` that names a
//! config and tars of layers, and no manifest. Podman, skopeo and Bazel write it too.
//!
//! A manifest is made up here, so that everything above sees an image like any
//! other. Layers are uncompressed, so their digests are the config's `diff_ids`.
//!
//! Source: Docker image specification v1.2, "Combined Image JSON + Filesystem
//! Changeset Format"; moby `image/tarexport`.

use super::archive_file::ArchiveFile;
use super::files::{FileError, Files};
use super::layout::{Place, read_json};
use super::selection::ChoiceError;
use super::{MAX_DOCUMENT_BYTES, Root, Source, SourceError};
use crate::image::archive_format::{ArchiveFormat, SNIFFED_BYTES};
use crate::image::descriptor::{Descriptor, media_type};
use crate::image::digest::{Algorithm, Digest, HashingReader};
use crate::image::reference::name::shown;
use crate::image::reference::{ImageName, Selector};
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::{self, Read};

const HINT: &str = "save it again; an archive of `docker buildx build --output type=oci,dest=FILE` says more";

/// One image of `manifest.json`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct SavedImage {
    #[serde(rename = "Config")]
    config: String,
    #[serde(rename = "RepoTags", default)]
    repo_tags: Option<Vec<String>>,
    #[serde(rename = "Layers", default)]
    layers: Option<Vec<String>>,
}

impl SavedImage {
    fn tags(&self) -> &[String] {
        self.repo_tags.as_deref().unwrap_or_default()
    }

    fn layers(&self) -> &[String] {
        self.layers.as_deref().unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct Config {
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Option<Vec<Digest>>,
}

/// One image of an archive in the old form.
pub(super) struct DockerArchive {
    files: ArchiveFile,
    place: Place,
    manifest: Vec<u8>,
    blobs: HashMap<Digest, String>,
}

/// A layer as the made-up manifest describes it.
#[derive(Clone)]
struct Layer {
    media_type: &'static str,
    digest: Digest,
    size: u64,
}

/// The images that `manifest.json` lists.
pub(super) fn saved_images(files: &ArchiveFile, place: &Place) -> Result<Vec<SavedImage>, SourceError> {
    read_json(files, place, "manifest.json").map(|(_, images)| images)
}

/// The blobs that the images are said to have, in an archive that is an OCI layout too.
pub(super) fn listed_blobs(images: &[SavedImage]) -> HashSet<Digest> {
    let names = images.iter().flat_map(|i| std::iter::once(&i.config).chain(i.layers()));
    names.filter_map(|name| digest_of_name(name)).collect()
}

/// The digest that a file's name claims: `HEX.json`, `blobs/sha256/HEX`.
fn digest_of_name(name: &str) -> Option<Digest> {
    let last = name.rsplit('/').next()?;
    let hex = last.strip_suffix(".json").unwrap_or(last);
    Digest::parse(&format!("sha256:{hex}")).ok()
}

impl DockerArchive {
    /// Chooses the image and makes up its manifest.
    pub(super) fn open(files: ArchiveFile, place: Place, selector: Option<&Selector>) -> Result<Self, SourceError> {
        let images = saved_images(&files, &place)?;
        let image = choose(&images, selector).map_err(|e| place.archive_choice_error(e))?;
        let invalid = |why: String| SourceError::Invalid { what: place.name.clone(), why, hint: HINT.to_owned() };
        let config = files.read(&image.config, MAX_DOCUMENT_BYTES).map_err(|e| {
            invalid(match e {
                FileError::Absent => format!("its config `{}` is not in it", shown(&image.config)),
                FileError::Unusable(why) => format!("its config `{}` cannot be read: {why}", shown(&image.config)),
            })
        })?;
        let parsed: Config = serde_json::from_slice(&config).map_err(|e| {
            invalid(format!("its config `{}` is not valid: {}", shown(&image.config), shown(&e.to_string())))
        })?;
        let diff_ids = parsed.rootfs.diff_ids.unwrap_or_default();
        if diff_ids.len() != image.layers().len() {
            return Err(invalid(format!(
                "its config has {} diff_ids, and manifest.json lists {} layers",
                diff_ids.len(),
                image.layers().len()
            )));
        }
        let config_digest = digest_of_name(&image.config).unwrap_or_else(|| Digest::of(&config));
        let mut blobs = HashMap::from([(config_digest.clone(), image.config.clone())]);
        let mut known = HashMap::new();
        let mut layers = Vec::new();
        for (name, diff_id) in image.layers().iter().zip(diff_ids) {
            let layer = describe(&files, name, &diff_id, &mut known)
                .map_err(|e| invalid(format!("its layer `{}` cannot be read: {e}", shown(name))))?;
            blobs.insert(layer.digest.clone(), name.clone());
            layers.push(layer);
        }
        let manifest = made_up_manifest(&config_digest, config.len() as u64, &layers);
        Ok(Self { files, place, manifest, blobs })
    }

    fn blob_error(&self, digest: &Digest, name: &str, error: FileError) -> SourceError {
        match error {
            FileError::Absent => SourceError::BlobMissing {
                digest: digest.clone(),
                why: format!("{} has no file `{}`, which its manifest.json names", self.place.name, shown(name)),
            },
            FileError::Unusable(why) => SourceError::Invalid {
                what: format!("`{}` in {}", shown(name), self.place.name),
                why,
                hint: HINT.to_owned(),
            },
        }
    }

    fn member(&self, digest: &Digest) -> Result<&str, SourceError> {
        self.blobs.get(digest).map(String::as_str).ok_or_else(|| SourceError::BlobMissing {
            digest: digest.clone(),
            why: format!("{} has no such blob", self.place.name),
        })
    }
}

/// Media type, digest and size of a layer.
///
/// A compressed one, which the format does not foresee and some tools write, has
/// another digest than its diff_id: it is read once for that.
fn describe(
    files: &ArchiveFile,
    name: &str,
    diff_id: &Digest,
    known: &mut HashMap<String, Layer>,
) -> io::Result<Layer> {
    let plain = |size| Layer { media_type: media_type::DOCKER_LAYER, digest: diff_id.clone(), size };
    // What is missing or unusable is said when the layer is opened.
    let Ok(mut file) = files.open(name) else { return Ok(plain(0)) };
    let mut start = Vec::with_capacity(SNIFFED_BYTES);
    (&mut file.reader).take(SNIFFED_BYTES as u64).read_to_end(&mut start)?;
    let compressed = match ArchiveFormat::of(&start) {
        Some(ArchiveFormat::Gzip) => media_type::DOCKER_LAYER_GZIP,
        Some(ArchiveFormat::Zstd) => "application/vnd.oci.image.layer.v1.tar+zstd",
        _ => return Ok(plain(file.size)),
    };
    if let Some(layer) = known.get(name) {
        return Ok(layer.clone());
    }
    let mut hashing = HashingReader::new(start.as_slice().chain(file.reader), Algorithm::Sha256);
    io::copy(&mut hashing, &mut io::sink())?;
    let (digest, size) = hashing.finish();
    let layer = Layer { media_type: compressed, digest, size };
    known.insert(name.to_owned(), layer.clone());
    Ok(layer)
}

fn made_up_manifest(config: &Digest, config_size: u64, layers: &[Layer]) -> Vec<u8> {
    let descriptor = |media_type: &str, digest: &Digest, size: u64| serde_json::json!({ "mediaType": media_type, "digest": digest.as_str(), "size": size });
    let layers: Vec<_> = layers.iter().map(|l| descriptor(l.media_type, &l.digest, l.size)).collect();
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": media_type::DOCKER_MANIFEST,
        "config": descriptor(media_type::DOCKER_CONFIG, config, config_size),
        "layers": layers,
    });
    manifest.to_string().into_bytes()
}

fn choose<'a>(images: &'a [SavedImage], selector: Option<&Selector>) -> Result<&'a SavedImage, ChoiceError> {
    let first = images.first().ok_or(ChoiceError::Empty)?;
    let found = match selector {
        None if images.iter().all(|i| i.config == first.config) => Some(first),
        None => return Err(ChoiceError::Several { images: images.len(), there: selectors(images) }),
        Some(Selector::Position(position)) => images.get(*position),
        Some(Selector::Digest(digest)) => images.iter().find(|i| digest_of_name(&i.config).as_ref() == Some(digest)),
        Some(Selector::Name(wanted)) => {
            let full = ImageName::parse(wanted).ok();
            let is_it = |tag: &String| tag == wanted || full.is_some() && ImageName::parse(tag).ok() == full;
            images.iter().find(|i| i.tags().iter().any(is_it))
        }
    };
    found.ok_or_else(|| ChoiceError::NoSuch {
        wanted: selector.map(ToString::to_string).unwrap_or_default(),
        there: selectors(images),
    })
}

fn selectors(images: &[SavedImage]) -> Vec<String> {
    const MAX_LISTED: usize = 20;
    let all = images.iter().enumerate().flat_map(|(i, image)| match image.tags() {
        [] => vec![format!("@{i}")],
        tags => tags.iter().map(|t| shown(t)).collect(),
    });
    all.take(MAX_LISTED).collect::<BTreeSet<_>>().into_iter().collect()
}

impl Place {
    fn archive_choice_error(&self, error: ChoiceError) -> SourceError {
        match error {
            ChoiceError::Empty => SourceError::Invalid {
                what: self.name.clone(),
                why: "its manifest.json lists no image".to_owned(),
                hint: "whatever should have saved the image failed: look at its output".to_owned(),
            },
            other => self.choice_error(other),
        }
    }
}

impl Source for DockerArchive {
    fn name(&self) -> String {
        self.place.name.clone()
    }

    fn root(&self) -> Result<Root, SourceError> {
        Ok(Root {
            bytes: self.manifest.clone(),
            media_type: Some(media_type::DOCKER_MANIFEST.to_owned()),
            digest: None,
            platform: None,
        })
    }

    fn open(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, SourceError> {
        let name = self.member(&descriptor.digest)?;
        self.files.open(name).map(|file| file.reader).map_err(|e| self.blob_error(&descriptor.digest, name, e))
    }

    fn probe(&self, descriptor: &Descriptor) -> Result<(), SourceError> {
        let name = self.member(&descriptor.digest)?;
        self.files.size(name).map(drop).map_err(|e| self.blob_error(&descriptor.digest, name, e))
    }

    fn seal(&self, descriptor: &Descriptor) -> Option<String> {
        self.files.seal(self.member(&descriptor.digest).ok()?)
    }

    fn one_platform(&self) -> Option<String> {
        Some("an archive in the old form of `docker save` holds one platform of an image".to_owned())
    }
}

#[cfg(test)]
mod tests;
