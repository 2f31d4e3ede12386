//! Reads an image: documents first, then every layer once, in parallel.

mod layers;

use super::cache::Cache;
use super::descriptor::{Descriptor, media_type};
use super::digest::Digest;
use super::document::{self, Config, Document, Index, Manifest};
use super::facts::{Attestation, ImageFacts, PlatformFacts, UnknownEntry};
use super::fetch::{self, Unread};
use super::layer::{Fault, Limits};
use super::observe::Observer;
use super::parallel::in_parallel;
use super::source::{Source, SourceError};
use super::store::Store;
use crate::platform::{Platform, Selection};
use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

/// How deep indexes may lie in indexes. BuildKit and others never go below 2.
pub const MAX_INDEX_DEPTH: usize = 4;

/// How many entries all indexes of one image may have together.
pub const MAX_INDEX_ENTRIES: usize = 10_000;

/// How much memory the facts of all layers of one image may take, in bytes: several
/// times what the largest published images need.
const MAX_FACTS_BYTES: u64 = 2 << 30;

/// The annotation with which BuildKit marks attestations, and the one that names their subject
/// (BuildKit, `docs/attestations/attestation-storage.md`).
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";
const REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";

/// How to read an image.
#[derive(Debug)]
pub struct Options<'a> {
    /// The platforms to look at.
    pub selection: &'a Selection,
    /// Limits on each layer.
    pub limits: Limits,
    /// How many layers are read at a time.
    pub jobs: usize,
    /// The cache of layer facts, where there is one.
    pub cache: Option<&'a Cache>,
    /// Whether layers are read at all.
    pub layers: bool,
    /// Where layers are also unpacked to, in the same reading, and of which platforms.
    pub unpack: Option<Unpack<'a>>,
}

/// Which layers are unpacked while they are read.
#[derive(Clone, Copy)]
pub struct Unpack<'a> {
    /// Where to.
    pub store: &'a Store,
    /// Whether a platform's layers are wanted.
    pub of: &'a (dyn Fn(&Platform) -> bool + Sync),
}

impl std::fmt::Debug for Unpack<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unpack").field("store", &self.store).finish_non_exhaustive()
    }
}

/// Why an image could not be examined at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExamineError {
    /// The root document could not be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// There is something, and it is no container image.
    #[error("this is no container image but an artifact of the type `{0}`")]
    Artifact(String),
}

/// Reads an image as far as the options ask.
///
/// # Errors
/// When there is no image to speak of. Whatever is wrong or missing below the
/// root document is in the facts.
pub fn examine(
    source: &dyn Source,
    options: &Options<'_>,
    observer: &dyn Observer,
) -> Result<ImageFacts, ExamineError> {
    let begun = Instant::now();
    let root = source.root()?;
    let digest = root.digest.as_ref().map_or_else(
        || Digest::of(&root.bytes),
        |claimed| {
            let mut hasher = super::digest::Hasher::new(claimed.algorithm());
            hasher.update(&root.bytes);
            hasher.finish()
        },
    );
    let mut reading = Reading::new(source, options);
    if let Some(claimed) = root.digest.filter(|claimed| *claimed != digest) {
        reading.faults.push((claimed, Fault::Digest { observed: digest.clone() }));
    }
    let (root_type, is_index) = match document::parse(&root.bytes, root.media_type.as_deref()) {
        Ok(Document::Index(index)) => {
            let media_type = index.media_type.clone();
            if index.manifests.is_empty() {
                reading.faults.push((digest.clone(), Fault::Invalid("the index lists no manifests".to_owned())));
            }
            reading.index(&index, 0);
            (media_type, true)
        }
        Ok(Document::Manifest(manifest)) => {
            let media_type = manifest.media_type.clone();
            let mut descriptor = Descriptor::new(&*media_type, digest.clone(), root.bytes.len() as u64);
            descriptor.platform = root.platform;
            reading.single(descriptor, *manifest)?;
            (media_type, false)
        }
        Err(error) => {
            reading.faults.push((digest.clone(), Fault::Invalid(format!("the root document {error}"))));
            (root.media_type.unwrap_or_default(), false)
        }
    };
    reading.documents();
    let documents_took = begun.elapsed();
    let layers = if options.layers { reading.layers(observer) } else { Vec::new() };
    reading.platforms.sort_by(|a, b| (&a.platform, &a.descriptor.digest).cmp(&(&b.platform, &b.descriptor.digest)));
    Ok(ImageFacts {
        source: source.name(),
        digest,
        media_type: root_type,
        is_index,
        one_platform: source.one_platform(),
        warnings: source.warnings(),
        faults: reading.faults,
        unread: reading.unread,
        platforms: reading.platforms,
        attestations: reading.attestations,
        unknown: reading.unknown,
        listed: reading.listed,
        documents_took,
        layers,
    })
}

struct Reading<'a> {
    source: &'a dyn Source,
    options: &'a Options<'a>,
    faults: Vec<(Digest, Fault)>,
    unread: Vec<(Digest, String)>,
    platforms: Vec<PlatformFacts>,
    attestations: Vec<Attestation>,
    unknown: Vec<UnknownEntry>,
    listed: BTreeSet<Digest>,
    entries: usize,
    weight: AtomicU64,
}

/// A manifest and its config, or what came of the attempt.
type Documents = (Result<Manifest, Unread>, Result<Config, Unread>);

impl<'a> Reading<'a> {
    fn new(source: &'a dyn Source, options: &'a Options<'a>) -> Self {
        Self {
            source,
            options,
            faults: Vec::new(),
            unread: Vec::new(),
            platforms: Vec::new(),
            attestations: Vec::new(),
            unknown: Vec::new(),
            listed: BTreeSet::new(),
            entries: 0,
            weight: AtomicU64::new(0),
        }
    }

    /// Sorts the entries of an index by what they are; indexes in it are followed.
    fn index(&mut self, index: &Index, depth: usize) {
        for entry in &index.manifests {
            self.entries += 1;
            if self.entries > MAX_INDEX_ENTRIES {
                let why = format!("the index lists more than {MAX_INDEX_ENTRIES} entries");
                self.faults.push((entry.digest.clone(), Fault::Invalid(why)));
                return;
            }
            let first = self.listed.insert(entry.digest.clone());
            if media_type::is_index(&entry.media_type) {
                // An index that was followed already brings nothing new, also where it lists itself.
                if first {
                    self.nested(entry, depth + 1);
                }
            } else {
                self.entry(entry);
            }
        }
    }

    fn nested(&mut self, entry: &Descriptor, depth: usize) {
        if depth > MAX_INDEX_DEPTH {
            let why = format!("indexes lie more than {MAX_INDEX_DEPTH} deep in each other");
            self.faults.push((entry.digest.clone(), Fault::Invalid(why)));
            return;
        }
        match fetch::document(self.source, entry) {
            Ok(bytes) => match document::parse(&bytes, Some(&entry.media_type)) {
                Ok(Document::Index(index)) => self.index(&index, depth),
                Ok(Document::Manifest(_)) => {
                    let why = "it is listed as an index and is a manifest".to_owned();
                    self.faults.push((entry.digest.clone(), Fault::Invalid(why)));
                }
                Err(error) => {
                    self.faults.push((entry.digest.clone(), Fault::Invalid(format!("the index {error}"))));
                }
            },
            Err(Unread::Fault(fault)) => self.faults.push((entry.digest.clone(), fault)),
            Err(Unread::NotHeld(why) | Unread::Undecided(why)) => self.unread.push((entry.digest.clone(), why)),
        }
    }

    fn entry(&mut self, entry: &Descriptor) {
        if entry.annotations.get(REFERENCE_TYPE).is_some_and(|kind| kind == "attestation-manifest") {
            let subject = entry.annotations.get(REFERENCE_DIGEST).cloned();
            self.attestations.push(Attestation { digest: entry.digest.clone(), subject });
            return;
        }
        let declared = entry
            .platform
            .as_ref()
            .map(|p| Platform::declared(&p.os, &p.architecture, &p.variant, &p.os_version, &p.os_features));
        match declared {
            Some(Ok(platform)) => self.platforms.push(PlatformFacts {
                descriptor: entry.clone(),
                selected: self.options.selection.selects(&platform),
                platform,
                manifest: Err(Unread::NotHeld("it was not asked for".to_owned())),
                config: Err(Unread::NotHeld("it was not asked for".to_owned())),
                layers: Vec::new(),
                artifact: None,
            }),
            other => self.without_platform(entry, other.and_then(Result::err).map(|e| e.to_string())),
        }
    }

    /// An entry that no client can choose by platform: an artifact, or a mistake.
    fn without_platform(&mut self, entry: &Descriptor, why: Option<String>) {
        if entry.artifact_type.is_some() {
            return;
        }
        let is_artifact = fetch::document(self.source, entry)
            .ok()
            .and_then(|bytes| document::parse(&bytes, Some(&entry.media_type)).ok())
            .is_some_and(|document| matches!(document, Document::Manifest(m) if m.artifact().is_some()));
        if !is_artifact {
            self.unknown.push(UnknownEntry {
                digest: entry.digest.clone(),
                declared: entry.platform.clone(),
                why: why.unwrap_or_else(|| "it declares no platform".to_owned()),
            });
        }
    }

    /// An image without an index: its platform is the config's.
    fn single(&mut self, descriptor: Descriptor, manifest: Manifest) -> Result<(), ExamineError> {
        if let Some(kind) = manifest.artifact() {
            return Err(ExamineError::Artifact(kind.chars().take(120).collect::<String>().escape_debug().to_string()));
        }
        let config = config(self.source, &manifest);
        let declared = match &config {
            Ok(config) => {
                let p = descriptor.platform.as_ref().unwrap_or(&config.platform);
                Platform::declared(&p.os, &p.architecture, &p.variant, &p.os_version, &p.os_features)
            }
            Err(Unread::Fault(fault)) => {
                self.faults.push((manifest.config.digest.clone(), fault.clone()));
                return Ok(());
            }
            Err(Unread::NotHeld(why) | Unread::Undecided(why)) => {
                self.unread.push((manifest.config.digest.clone(), why.clone()));
                return Ok(());
            }
        };
        match declared {
            Ok(platform) => self.platforms.push(PlatformFacts {
                descriptor,
                selected: self.options.selection.selects(&platform),
                platform,
                manifest: Ok(manifest),
                config,
                layers: Vec::new(),
                artifact: None,
            }),
            Err(error) => {
                let why = format!("the image declares no usable platform: {error}");
                self.faults.push((manifest.config.digest, Fault::Invalid(why)));
            }
        }
        Ok(())
    }

    /// Reads the manifests and configs of the selected platforms, several at a time.
    fn documents(&mut self) {
        let wanted: Vec<usize> = (0..self.platforms.len())
            .filter(|&i| self.platforms.get(i).is_some_and(|p| p.selected && p.manifest.is_err()))
            .collect();
        let descriptors: Vec<&Descriptor> =
            wanted.iter().filter_map(|&i| self.platforms.get(i)).map(|p| &p.descriptor).collect();
        let source = self.source;
        let read = in_parallel(&descriptors, self.options.jobs.max(4), |descriptor| documents(source, descriptor));
        for (i, (manifest, config)) in wanted.into_iter().zip(read) {
            if let Some(platform) = self.platforms.get_mut(i) {
                platform.artifact = manifest.as_ref().ok().and_then(Manifest::artifact).map(str::to_owned);
                platform.manifest = manifest;
                platform.config = config;
            }
        }
    }
}

fn documents(source: &dyn Source, descriptor: &Descriptor) -> Documents {
    let invalid = |why: String| Unread::Fault(Fault::Invalid(why));
    let manifest = fetch::document(source, descriptor).and_then(|bytes| {
        match document::parse(&bytes, Some(&descriptor.media_type)) {
            Ok(Document::Manifest(manifest)) => Ok(*manifest),
            Ok(Document::Index(_)) => Err(invalid("it is listed as a manifest and is an index".to_owned())),
            Err(error) => Err(invalid(format!("the manifest {error}"))),
        }
    });
    let config = match &manifest {
        Ok(manifest) if manifest.artifact().is_none() => config(source, manifest),
        Ok(_) => Err(Unread::NotHeld("this is no container image".to_owned())),
        Err(_) => Err(Unread::NotHeld("the manifest could not be read".to_owned())),
    };
    (manifest, config)
}

fn config(source: &dyn Source, manifest: &Manifest) -> Result<Config, Unread> {
    let bytes = fetch::document(source, &manifest.config)?;
    document::parse_config(&bytes).map_err(|e| Unread::Fault(Fault::Invalid(format!("the config {e}"))))
}
