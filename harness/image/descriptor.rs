//! Descriptors: what an index or manifest says of a blob.
//!
//! Source: OCI image spec, `descriptor.md`; Docker's "Image Manifest Version 2, Schema 2".

use super::digest::Digest;
use std::collections::BTreeMap;

/// The media types that this crate knows, by name.
pub mod media_type {
    /// An OCI image index.
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// An OCI image manifest.
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An OCI image config.
    pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// An OCI layer, uncompressed; `+gzip` and `+zstd` follow for the compressed ones.
    pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    /// A Docker manifest list.
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// A Docker image manifest, schema 2.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// A Docker image config.
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    /// A Docker layer, uncompressed (as in the archives of `docker save`).
    pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
    /// A Docker layer, gzip.
    pub const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    /// Docker's first manifest format, which no registry should serve any more.
    pub const DOCKER_SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+json";
    /// The same, signed.
    pub const DOCKER_SCHEMA1_SIGNED: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";

    /// Whether this is an index: a list of manifests.
    #[must_use]
    pub fn is_index(media_type: &str) -> bool {
        matches!(media_type, OCI_INDEX | DOCKER_LIST)
    }

    /// Whether this is the manifest of one image.
    #[must_use]
    pub fn is_manifest(media_type: &str) -> bool {
        matches!(media_type, OCI_MANIFEST | DOCKER_MANIFEST)
    }

    /// Whether this is the config of a container image (and not of some other artifact).
    #[must_use]
    pub fn is_image_config(media_type: &str) -> bool {
        matches!(media_type, OCI_CONFIG | DOCKER_CONFIG)
    }
}

/// A platform as an index or config spells it, untouched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeclaredPlatform {
    /// `os`.
    pub os: String,
    /// `architecture`.
    pub architecture: String,
    /// `variant`, empty where there is none.
    pub variant: String,
    /// `os.version`, empty where there is none.
    pub os_version: String,
    /// `os.features`.
    pub os_features: Vec<String>,
}

/// What an index or manifest says of a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// What the blob is.
    pub media_type: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// The number of its bytes.
    pub size: u64,
    /// The platform, on the entries of an index.
    pub platform: Option<DeclaredPlatform>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Other places to fetch the blob from (Windows' base layers have these).
    pub urls: Vec<String>,
    /// The blob itself, decoded, where it is embedded.
    pub data: Option<Vec<u8>>,
    /// The type of artifact that the manifest is, where it is none of an image.
    pub artifact_type: Option<String>,
}

impl Descriptor {
    /// A descriptor with nothing but the three required fields.
    #[must_use]
    pub fn new(media_type: impl Into<String>, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.into(),
            digest,
            size,
            platform: None,
            annotations: BTreeMap::new(),
            urls: Vec::new(),
            data: None,
            artifact_type: None,
        }
    }

    /// Whether this points at an index or a manifest, which registries serve at another address than blobs.
    #[must_use]
    pub fn is_manifest_or_index(&self) -> bool {
        media_type::is_index(&self.media_type) || media_type::is_manifest(&self.media_type)
    }
}
