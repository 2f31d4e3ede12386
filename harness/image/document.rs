//! Indexes, manifests and configs: JSON into facts.
//!
//! Sources: OCI image spec, `image-index.md`, `manifest.md`, `config.md`; Docker's
//! "Image Manifest Version 2, Schema 2". `null` counts as absent everywhere, as
//! in Go's decoder, which all engines use. Nothing is filled in.

use super::descriptor::{DeclaredPlatform, Descriptor, media_type};
use super::digest::Digest;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The most layers that a manifest may have. Overlay file systems take 500 (Linux,
/// `fs/overlayfs/params.h`, `OVL_MAX_STACK`), and engines fewer.
pub const MAX_LAYERS: usize = 1000;

/// The most entries that a list of a config may have: a history, an argument list, an
/// environment. A kernel starts no program with nearly as many words.
const MAX_CONFIG_ENTRIES: usize = 20_000;

/// The most bytes of an instruction that a finding shows.
const MAX_INSTRUCTION_BYTES: usize = 4096;

/// Why a document is not what it should be. The text follows the document's name: "the manifest …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Not JSON, or not of the right shape.
    #[error("is not valid: {0}")]
    Shape(String),
    /// A required field is missing or has a value that it must not have.
    #[error("is not valid: {0}")]
    Field(String),
    /// A media type that nobody uses for images any more, or never did.
    #[error("{0}")]
    Unsupported(String),
}

/// The first document of an image, or an entry of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// An index or manifest list.
    Index(Index),
    /// The manifest of one image or artifact.
    Manifest(Box<Manifest>),
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Its media type, from the document or, if that has none, from its content.
    pub media_type: String,
    /// Its entries, in order.
    pub manifests: Vec<Descriptor>,
}

/// A manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its media type, from the document or, if that has none, from its content.
    pub media_type: String,
    /// The type of artifact, where it says one.
    pub artifact_type: Option<String>,
    /// The config.
    pub config: Descriptor,
    /// The layers, the lowest first.
    pub layers: Vec<Descriptor>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// What this is, where it is no container image: the type of the artifact.
    ///
    /// An artifact is known by its config's media type (OCI image spec,
    /// `manifest.md`, "Guidelines for Artifact Usage").
    #[must_use]
    pub fn artifact(&self) -> Option<&str> {
        if media_type::is_image_config(&self.config.media_type) {
            // BuildKit gives its attestations an image's config; their layers tell.
            let attestation = self.layers.iter().find(|layer| layer.media_type.starts_with("application/vnd.in-toto"));
            return attestation.map(|layer| layer.media_type.as_str());
        }
        Some(self.artifact_type.as_deref().unwrap_or(&self.config.media_type))
    }
}

/// An image config.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// The platform that it declares.
    pub platform: DeclaredPlatform,
    /// `config.Entrypoint`.
    pub entrypoint: Vec<String>,
    /// `config.Cmd`.
    pub command: Vec<String>,
    /// `config.Env`, each `NAME=VALUE`.
    pub environment: Vec<String>,
    /// `config.WorkingDir`, empty where there is none.
    pub working_directory: String,
    /// `config.User`, empty where there is none.
    pub user: String,
    /// `config.Volumes`' keys.
    pub volumes: Vec<String>,
    /// `config.Labels`.
    pub labels: BTreeMap<String, String>,
    /// `config.ExposedPorts`' keys as they are spelt (`80/tcp`, `53`), sorted.
    pub ports: Vec<String>,
    /// `rootfs.diff_ids`, the lowest layer's first.
    pub diff_ids: Vec<Digest>,
    /// `history`, the oldest first.
    pub history: Vec<History>,
}

/// One entry of a config's history.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// The command that made the layer.
    pub created_by: String,
    /// Whether it made no layer.
    pub is_empty_layer: bool,
}

/// The PATH of an image that sets none (moby, `oci/defaults.go`).
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Config {
    /// The value of a variable in the environment; the last one counts.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.iter().rev().find_map(|entry| entry.strip_prefix(name)?.strip_prefix('='))
    }

    /// The Dockerfile instruction that made a layer, as the history tells it.
    ///
    /// `None` where the history does not fit the layers (squashed or hand-made images).
    #[must_use]
    pub fn instruction_of(&self, layer: usize) -> Option<&str> {
        let mut made = self.history.iter().filter(|h| !h.is_empty_layer);
        if made.clone().count() != self.diff_ids.len() {
            return None;
        }
        let text = made.nth(layer).map(|h| readable_instruction(&h.created_by)).filter(|text| !text.is_empty())?;
        // Each finding of the layer repeats it.
        let end = (0..=MAX_INSTRUCTION_BYTES.min(text.len())).rev().find(|&at| text.is_char_boundary(at));
        text.get(..end.unwrap_or_default()).map(str::trim_end)
    }
}

/// Drops what the builders put around an instruction.
///
/// The classic builder writes `/bin/sh -c #(nop) COPY …` for instructions that
/// run nothing, and `/bin/sh -c …` for RUN; BuildKit ends its own with `# buildkit`.
fn readable_instruction(created_by: &str) -> &str {
    let text = created_by.trim();
    let text = text.strip_prefix("/bin/sh -c #(nop)").unwrap_or(text).trim();
    text.strip_suffix("# buildkit").unwrap_or(text).trim_end()
}

/// Reads an index or a manifest.
///
/// `stated` is the media type that a descriptor or a `Content-Type` gives it;
/// the document's own comes first, its content decides where both are silent.
///
/// # Errors
/// When it is neither, or not valid.
pub fn parse(bytes: &[u8], stated: Option<&str>) -> Result<Document, DocumentError> {
    let raw: RawDocument = from_json(bytes)?;
    let own = raw.media_type.clone().filter(|t| !t.is_empty());
    let own = own.as_deref();
    let kind = |t: &str| media_type::is_index(t) || media_type::is_manifest(t);
    if raw.schema_version == Some(1) || own.or(stated).is_some_and(is_schema1) {
        return Err(DocumentError::Unsupported(
            "is of Docker's schema 1, which has no platforms and which registries dropped; push the image again with a current tool"
                .to_owned(),
        ));
    }
    if raw.manifests.is_some() && (raw.layers.is_some() || raw.config.is_some()) {
        // CVE-2021-41190: two readers could take the same bytes for two different things.
        return Err(DocumentError::Field("it has the fields of an index and of a manifest at once".to_owned()));
    }
    if raw.schema_version != Some(2) {
        let found = raw.schema_version.map_or("missing".to_owned(), |v| v.to_string());
        return Err(DocumentError::Field(format!("schemaVersion must be 2 and is {found}")));
    }
    if let (Some(own), Some(stated)) = (own, stated)
        && own != stated
        && kind(stated)
    {
        return Err(DocumentError::Field(format!(
            "it calls itself `{}` and is listed as `{}`",
            shortened(own),
            shortened(stated)
        )));
    }
    let media_type = own.or(stated.filter(|t| kind(t)));
    let is_index = media_type.map_or(raw.manifests.is_some(), media_type::is_index);
    if let Some(unknown) = own.filter(|t| !kind(t)) {
        return Err(DocumentError::Unsupported(format!(
            "has the media type `{}`, which is no index and no image manifest",
            shortened(unknown)
        )));
    }
    if is_index {
        index(raw, media_type).map(Document::Index)
    } else {
        manifest(raw, media_type).map(|manifest| Document::Manifest(Box::new(manifest)))
    }
}

fn is_schema1(t: &str) -> bool {
    t == media_type::DOCKER_SCHEMA1 || t == media_type::DOCKER_SCHEMA1_SIGNED
}

fn index(raw: RawDocument, media_type: Option<&str>) -> Result<Index, DocumentError> {
    let manifests = raw.manifests.ok_or_else(|| DocumentError::Field("`manifests` is missing".to_owned()))?;
    let manifests = manifests
        .into_iter()
        .enumerate()
        .map(|(i, d)| d.into_descriptor(&format!("manifests[{i}]")))
        .collect::<Result<_, _>>()?;
    Ok(Index { media_type: media_type.unwrap_or(media_type::OCI_INDEX).to_owned(), manifests })
}

fn manifest(raw: RawDocument, media_type: Option<&str>) -> Result<Manifest, DocumentError> {
    let Some(config) = raw.config else {
        return Err(DocumentError::Field("`config` is missing: it is neither an index nor a manifest".to_owned()));
    };
    let layers = raw.layers.unwrap_or_default();
    if layers.len() > MAX_LAYERS {
        let why = format!("it lists {} layers, and no engine can stack more than {MAX_LAYERS}", layers.len());
        return Err(DocumentError::Field(why));
    }
    let layers = layers
        .into_iter()
        .enumerate()
        .map(|(i, d)| d.into_descriptor(&format!("layers[{i}]")))
        .collect::<Result<_, _>>()?;
    Ok(Manifest {
        media_type: media_type.unwrap_or(media_type::OCI_MANIFEST).to_owned(),
        artifact_type: raw.artifact_type.filter(|t| !t.is_empty()),
        config: config.into_descriptor("config")?,
        layers,
        annotations: raw.annotations.unwrap_or_default(),
    })
}

/// Reads an image config.
///
/// # Errors
/// When it is no JSON object of the right shape. Missing platform fields are no
/// error here: they are compared with what the index says.
pub fn parse_config(bytes: &[u8]) -> Result<Config, DocumentError> {
    let raw: RawConfig = from_json(bytes)?;
    let platform = RawPlatform {
        os: raw.os,
        architecture: raw.architecture,
        variant: raw.variant,
        os_version: raw.os_version,
        os_features: raw.os_features,
    };
    let platform = platform.into_declared();
    let run = raw.config.unwrap_or_default();
    let diff_ids = raw.rootfs.and_then(|r| r.diff_ids).unwrap_or_default();
    let length = |list: &Option<Vec<String>>| list.as_ref().map_or(0, Vec::len);
    let lists = [
        ("config.Entrypoint", length(&run.entrypoint)),
        ("config.Cmd", length(&run.cmd)),
        ("config.Env", length(&run.env)),
        ("config.Volumes", run.volumes.as_ref().map_or(0, BTreeMap::len)),
        ("config.Labels", run.labels.as_ref().map_or(0, BTreeMap::len)),
        ("config.ExposedPorts", run.exposed_ports.as_ref().map_or(0, BTreeMap::len)),
        ("rootfs.diff_ids", diff_ids.len()),
        ("history", raw.history.as_ref().map_or(0, Vec::len)),
    ];
    if let Some((name, length)) = lists.into_iter().find(|(_, length)| *length > MAX_CONFIG_ENTRIES) {
        let why = format!("`{name}` has {length} entries, more than the {MAX_CONFIG_ENTRIES} that are read");
        return Err(DocumentError::Field(why));
    }
    let diff_ids = diff_ids
        .iter()
        .enumerate()
        .map(|(i, text)| Digest::parse(text).map_err(|e| DocumentError::Field(format!("rootfs.diff_ids[{i}]: {e}"))))
        .collect::<Result<_, _>>()?;
    let labels = run.labels.unwrap_or_default();
    let history = raw.history.unwrap_or_default().into_iter().map(|h| History {
        created_by: h.created_by.unwrap_or_default(),
        is_empty_layer: h.empty_layer.unwrap_or_default(),
    });
    Ok(Config {
        platform,
        entrypoint: run.entrypoint.unwrap_or_default(),
        command: run.cmd.unwrap_or_default(),
        environment: run.env.unwrap_or_default(),
        working_directory: run.working_dir.unwrap_or_default(),
        user: run.user.unwrap_or_default(),
        volumes: run.volumes.unwrap_or_default().into_keys().collect(),
        // As in Go, a label that is `null` is an empty one.
        labels: labels.into_iter().map(|(name, value)| (name, value.unwrap_or_default())).collect(),
        ports: run.exposed_ports.unwrap_or_default().into_keys().collect(),
        diff_ids,
        history: history.collect(),
    })
}

fn from_json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, DocumentError> {
    serde_json::from_slice(bytes).map_err(|e| {
        let start = bytes.trim_ascii_start();
        if start.is_empty() {
            DocumentError::Shape("it is empty".to_owned())
        } else if start.starts_with(b"<") {
            DocumentError::Shape(
                "it is an HTML or XML page, not JSON; a proxy or a login page may have answered".to_owned(),
            )
        } else {
            DocumentError::Shape(shortened(&e.to_string()))
        }
    })
}

/// Text from an image, safe and short enough for a message.
fn shortened(text: &str) -> String {
    text.chars().take(200).collect::<String>().escape_debug().to_string()
}

#[derive(Deserialize)]
struct RawDocument {
    #[serde(rename = "schemaVersion")]
    schema_version: Option<i64>,
    #[serde(rename = "mediaType")]
    media_type: Option<String>,
    #[serde(rename = "artifactType")]
    artifact_type: Option<String>,
    manifests: Option<Vec<RawDescriptor>>,
    config: Option<RawDescriptor>,
    layers: Option<Vec<RawDescriptor>>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct RawDescriptor {
    #[serde(rename = "mediaType")]
    media_type: Option<String>,
    digest: Option<String>,
    size: Option<i64>,
    platform: Option<RawPlatform>,
    annotations: Option<BTreeMap<String, String>>,
    urls: Option<Vec<String>>,
    data: Option<String>,
    #[serde(rename = "artifactType")]
    artifact_type: Option<String>,
}

impl RawDescriptor {
    fn into_descriptor(self, place: &str) -> Result<Descriptor, DocumentError> {
        let field = |name: &str, why: String| DocumentError::Field(format!("{place}.{name} {why}"));
        let digest = self.digest.ok_or_else(|| field("digest", "is missing".to_owned()))?;
        let digest = Digest::parse(&digest).map_err(|e| field("digest", format!("is wrong: {e}")))?;
        let size = self.size.ok_or_else(|| field("size", "is missing".to_owned()))?;
        let size = u64::try_from(size).map_err(|_| field("size", format!("is {size}, less than nothing")))?;
        let media_type = self.media_type.filter(|t| !t.is_empty());
        let media_type = media_type.ok_or_else(|| field("mediaType", "is missing".to_owned()))?;
        let data = self.data.filter(|d| !d.is_empty());
        let data = data.map(|d| base64(&d).ok_or_else(|| field("data", "is not base64".to_owned()))).transpose()?;
        Ok(Descriptor {
            media_type,
            digest,
            size,
            platform: self.platform.map(RawPlatform::into_declared),
            annotations: self.annotations.unwrap_or_default(),
            urls: self.urls.unwrap_or_default(),
            data,
            artifact_type: self.artifact_type.filter(|t| !t.is_empty()),
        })
    }
}

#[derive(Deserialize, Default)]
struct RawPlatform {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
    #[serde(rename = "os.version")]
    os_version: Option<String>,
    #[serde(rename = "os.features")]
    os_features: Option<Vec<String>>,
}

impl RawPlatform {
    fn into_declared(self) -> DeclaredPlatform {
        DeclaredPlatform {
            os: self.os.unwrap_or_default(),
            architecture: self.architecture.unwrap_or_default(),
            variant: self.variant.unwrap_or_default(),
            os_version: self.os_version.unwrap_or_default(),
            os_features: self.os_features.unwrap_or_default(),
        }
    }
}

/// The platform's fields are spelt out: serde's `flatten` would keep every unknown field in memory first.
#[derive(Deserialize)]
struct RawConfig {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
    #[serde(rename = "os.version")]
    os_version: Option<String>,
    #[serde(rename = "os.features")]
    os_features: Option<Vec<String>>,
    config: Option<RawRunConfig>,
    rootfs: Option<RawRootFs>,
    history: Option<Vec<RawHistory>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct RawRunConfig {
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    working_dir: Option<String>,
    user: Option<String>,
    volumes: Option<BTreeMap<String, serde::de::IgnoredAny>>,
    labels: Option<BTreeMap<String, Option<String>>>,
    exposed_ports: Option<BTreeMap<String, serde::de::IgnoredAny>>,
}

#[derive(Deserialize)]
struct RawRootFs {
    diff_ids: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct RawHistory {
    created_by: Option<String>,
    empty_layer: Option<bool>,
}

/// Decodes RFC 4648 base64 with padding, as Go's `encoding/json` writes bytes.
fn base64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
