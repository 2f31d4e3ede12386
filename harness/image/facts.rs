//! What is known of an image once it was read: everything that the checks look at.

use super::descriptor::{DeclaredPlatform, Descriptor};
use super::digest::Digest;
use super::document::{Config, Manifest};
use super::fetch::Unread;
use super::layer::{Fault, LayerFacts};
use crate::platform::Platform;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// An image, read.
#[derive(Debug, Clone)]
pub struct ImageFacts {
    /// Where it was read from, in words.
    pub source: String,
    /// The digest of the root document, computed.
    pub digest: Digest,
    /// The media type of the root document.
    pub media_type: String,
    /// Whether the root is an index; else it is the manifest of one platform.
    pub is_index: bool,
    /// Why the source has one platform of the image, whatever was published; `None` where it has all.
    pub one_platform: Option<String>,
    /// What is wrong with the root or an index below it, each with the document's digest.
    pub faults: Vec<(Digest, Fault)>,
    /// Why parts of the index could not be read, each with the document's digest.
    pub unread: Vec<(Digest, String)>,
    /// The platforms, sorted by their canonical form.
    pub platforms: Vec<PlatformFacts>,
    /// Attestations.
    pub attestations: Vec<Attestation>,
    /// Entries of the index that have no usable platform and are no attestation.
    pub unknown: Vec<UnknownEntry>,
    /// The digests of all entries of all indexes.
    pub listed: BTreeSet<Digest>,
    /// What went wrong on the way to the image and changes nothing.
    pub warnings: Vec<String>,
    /// How long the documents took.
    pub documents_took: Duration,
    /// How each layer went, in the order in which they were read.
    pub layers: Vec<Arc<LayerState>>,
}

/// An attestation manifest, as BuildKit adds them to an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    /// The digest of the attestation's manifest.
    pub digest: Digest,
    /// The digest of the manifest that it speaks of, as it stands in the annotation.
    pub subject: Option<String>,
}

/// An entry of the index that nobody can choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownEntry {
    /// The digest of the entry's manifest.
    pub digest: Digest,
    /// The platform as it is spelt; `None` where there is none.
    pub declared: Option<DeclaredPlatform>,
    /// Why it is not usable.
    pub why: String,
}

/// One platform of an image.
#[derive(Debug, Clone)]
pub struct PlatformFacts {
    /// The entry of the index; for a single-platform image, the root.
    pub descriptor: Descriptor,
    /// The platform that it is for: the entry's, or the config's where there is no index.
    pub platform: Platform,
    /// Whether it was asked for; of what was not, nothing below was read.
    pub selected: bool,
    /// The manifest.
    pub manifest: Result<Manifest, Unread>,
    /// The config; an error without cause of its own where the manifest is one.
    pub config: Result<Config, Unread>,
    /// The layers, the lowest first; empty where the manifest could not be read.
    pub layers: Vec<Arc<LayerState>>,
    /// What this is, where it is an artifact and no container image.
    pub artifact: Option<String>,
}

/// What was done to know a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerHow {
    /// Its blob was read and unpacked, or an attempt was made.
    Read,
    /// Its blob was read and its digest compared; what it holds was known.
    Verified,
    /// These bytes at this place were verified before; only their presence was asked for.
    Cached,
}

/// One layer's blob, read once however many platforms share it.
#[derive(Debug, Clone)]
pub struct LayerState {
    /// The layer as the manifest lists it.
    pub descriptor: Descriptor,
    /// What is in it; `None` where that could not be learnt.
    pub facts: Option<Arc<LayerFacts>>,
    /// What is wrong with it.
    pub faults: Vec<Fault>,
    /// Why it was not read, where that is no fault of the image.
    pub unread: Option<Unread>,
    /// What was done to know it.
    pub how: LayerHow,
    /// How long it took.
    pub took: Duration,
}

impl PlatformFacts {
    /// Whether all layers were read, so that the root filesystem is known.
    #[must_use]
    pub fn has_whole_rootfs(&self) -> bool {
        self.manifest.is_ok() && self.artifact.is_none() && self.layers.iter().all(|layer| layer.facts.is_some())
    }
}
