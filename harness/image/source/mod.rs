//! Sources: where an image is read from.
//!
//! A source answers three questions and verifies nothing: what it is called,
//! which bytes its root descriptor has, and what a blob's bytes are. Digests,
//! sizes, parsing, decompression and caching are done once for all of them,
//! above. [`open_image`] makes the source that a [`Location`](super::reference::Location) names.

mod archive;
mod archive_file;
mod directory;
mod docker_archive;
pub(crate) mod engine;
mod files;
mod layout;
mod open;
mod partial;
pub mod registry;
mod selection;
mod spool;

pub use engine::{EngineEnvironment, EngineOptions, EngineSource, Store};
pub use open::{SourceOptions, open_image};
pub use spool::MAX_SPOOLED_BYTES;

use super::descriptor::{DeclaredPlatform, Descriptor};
use super::digest::Digest;
use std::io::Read;

/// The largest index, manifest or config that is read, in bytes.
///
/// Registries refuse manifests above 4 MiB (OCI distribution spec, "Pushing
/// Manifests"); configs have no stated limit and stay far below this one.
pub const MAX_DOCUMENT_BYTES: u64 = 16 * 1024 * 1024;

/// The first document of an image: an index or a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// The document's bytes, at most [`MAX_DOCUMENT_BYTES`].
    pub bytes: Vec<u8>,
    /// Its media type as the source states it (a `Content-Type`, a descriptor);
    /// `None` where only the document itself can say.
    pub media_type: Option<String>,
    /// The digest that the source, or the user's reference, claims for it; `None`
    /// where there is no claim. Not yet verified.
    pub digest: Option<Digest>,
    /// The platform that whatever points at the document says of it: the entry of a
    /// layout's `index.json`. `None` where nothing says one, as with registries.
    pub platform: Option<DeclaredPlatform>,
}

/// Where an image is read from.
///
/// Every method may be called from several threads at once.
pub trait Source: Send + Sync {
    /// What it is called, in words and without secrets: `registry registry.example/app:1`, `OCI layout ./out`.
    fn name(&self) -> String;

    /// The root descriptor's bytes.
    ///
    /// # Errors
    /// When there is no such image or it cannot be read.
    fn root(&self) -> Result<Root, SourceError>;

    /// Opens a blob (or a manifest, by its media type) for one reading from start to end.
    ///
    /// An error in the middle, after all retries, comes as an [`std::io::Error`]
    /// from the reader; its inner error ([`std::io::Error::get_ref`]) may be a
    /// [`SourceError`]. A source that ends early without an error ends the reader
    /// early: the caller compares the size.
    ///
    /// # Errors
    /// [`SourceError::BlobMissing`] where the source is sure that it has no such
    /// blob, [`SourceError::NotHeld`] where that says nothing about the image,
    /// and others where it cannot be read.
    fn open(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, SourceError>;

    /// Whether the blob is there, as far as can be told without reading it.
    ///
    /// # Errors
    /// As [`Source::open`].
    fn probe(&self, descriptor: &Descriptor) -> Result<(), SourceError> {
        self.open(descriptor).map(drop)
    }

    /// Something that stays the same exactly as long as the blob's bytes at this
    /// place do, so that they need not be read again to be trusted; `None` where
    /// nothing can promise that.
    fn seal(&self, _descriptor: &Descriptor) -> Option<String> {
        None
    }

    /// What went wrong on the way and changes no result, each in a sentence:
    /// credentials that could not be read, a helper that failed.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Why this source has one platform of the image, whatever the published image
    /// has; `None` where it can have all. Asked after [`Source::root`].
    fn one_platform(&self) -> Option<String> {
        None
    }
}

/// Why something could not be read from a source.
///
/// `why` and `hint` are fragments for a person, which follow a `: ` and a `; `;
/// nothing in them is a secret (no credentials, no signed URLs' queries).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// There is no such image, tag or file.
    #[error("{what} was not found: {why}")]
    NotFound {
        /// What was looked for.
        what: String,
        /// How that is known.
        why: String,
        /// The next step.
        hint: String,
    },
    /// The source is reachable and has no blob of this digest.
    #[error("{digest} is missing: {why}")]
    BlobMissing {
        /// The blob.
        digest: Digest,
        /// How that is known.
        why: String,
    },
    /// The source cannot have this blob, which says nothing about the image: an
    /// engine that holds one platform of several, a layer that may not be distributed.
    #[error("{digest} is not held here: {why}")]
    NotHeld {
        /// The blob.
        digest: Digest,
        /// Why not.
        why: String,
    },
    /// Credentials are missing, wrong or not sufficient.
    #[error("not authorised for {what}: {why}")]
    Unauthorized {
        /// The image.
        what: String,
        /// What the other side said.
        why: String,
        /// The next step.
        hint: String,
    },
    /// The other side cannot be reached, or gave up, after all retries.
    #[error("{what} could not be reached: {why}")]
    Unreachable {
        /// The host, socket or address.
        what: String,
        /// What happened.
        why: String,
        /// The next step.
        hint: String,
    },
    /// The other side, or a file, is not what it should be.
    #[error("{what} is not usable: {why}")]
    Invalid {
        /// The file or address.
        what: String,
        /// What is wrong with it.
        why: String,
        /// The next step.
        hint: String,
    },
}

impl SourceError {
    /// The next step for the person who reads the message, where there is one to name.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::NotFound { hint, .. }
            | Self::Unauthorized { hint, .. }
            | Self::Unreachable { hint, .. }
            | Self::Invalid { hint, .. } => Some(hint),
            Self::BlobMissing { .. } | Self::NotHeld { .. } => None,
        }
    }
}
