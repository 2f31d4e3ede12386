//! One platform's image: manifest, config and layers, each able to lie.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::digest::sha256;
use crate::layer::Blob;
use crate::store::{Forged, Root};

/// Changes JSON before it is written.
pub(crate) type Edit = Arc<dyn Fn(&mut Value) + Send + Sync>;

/// Media types of a manifest and of what it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Types {
    /// OCI image specification 1.1.
    Oci,
    /// Docker's schema 2.
    Docker,
}

/// An image to be.
#[derive(Clone)]
pub struct Image {
    platform: Value,
    config_platform: Option<Value>,
    descriptor_platform: Option<Value>,
    layers: Vec<Blob>,
    history: Vec<(String, bool)>,
    with_history: bool,
    settings: serde_json::Map<String, Value>,
    types: Types,
    diff_ids: Option<Vec<String>>,
    raw_config: Option<Vec<u8>>,
    raw_manifest: Option<Vec<u8>>,
    edit_config: Vec<Edit>,
    edit_manifest: Vec<Edit>,
    edit_descriptor: Vec<Edit>,
}

impl fmt::Debug for Image {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Image({}, {} layers)", self.platform, self.layers.len())
    }
}

/// `os/architecture[/variant]` as the platform object of a descriptor; nothing is normalised.
#[must_use]
pub fn platform(text: &str) -> Value {
    let mut parts = text.splitn(3, '/');
    let mut object =
        json!({ "os": parts.next().unwrap_or_default(), "architecture": parts.next().unwrap_or_default() });
    if let Some(variant) = parts.next() {
        object["variant"] = variant.into();
    }
    object
}

impl Image {
    /// An image without layers whose config and descriptor both say this platform.
    #[must_use]
    pub fn new(text: &str) -> Image {
        Image {
            platform: platform(text),
            config_platform: None,
            descriptor_platform: None,
            layers: Vec::new(),
            history: Vec::new(),
            with_history: true,
            settings: serde_json::Map::new(),
            types: Types::Oci,
            diff_ids: None,
            raw_config: None,
            raw_manifest: None,
            edit_config: Vec::new(),
            edit_manifest: Vec::new(),
            edit_descriptor: Vec::new(),
        }
    }

    /// Adds a layer, with the instruction in the history that its first file suggests.
    #[must_use]
    pub fn layer(mut self, layer: impl Into<Blob>) -> Image {
        let blob = layer.into();
        self.history.push((blob.instruction.clone(), false));
        self.layers.push(blob);
        self
    }

    /// Adds an instruction to the history that made no layer; or, where `empty_layer` is false, says which instruction
    /// made the last layer.
    #[must_use]
    pub fn history(mut self, created_by: &str, empty_layer: bool) -> Image {
        if !empty_layer && let Some(last) = self.history.iter_mut().rev().find(|(_, empty)| !empty) {
            last.0 = created_by.to_owned();
        } else {
            self.history.push((created_by.to_owned(), empty_layer));
        }
        self
    }

    /// Leaves the history out of the config.
    #[must_use]
    pub fn without_history(mut self) -> Image {
        self.with_history = false;
        self
    }

    /// Sets `Entrypoint`.
    #[must_use]
    pub fn entrypoint(self, words: &[&str]) -> Image {
        self.setting("Entrypoint", json!(words))
    }

    /// Sets `Cmd`.
    #[must_use]
    pub fn cmd(self, words: &[&str]) -> Image {
        self.setting("Cmd", json!(words))
    }

    /// Adds a line `NAME=value` to `Env`.
    #[must_use]
    pub fn env(mut self, line: &str) -> Image {
        if let Value::Array(lines) = self.settings.entry("Env").or_insert_with(|| json!([])) {
            lines.push(line.into());
        }
        self
    }

    /// Sets `WorkingDir`.
    #[must_use]
    pub fn workdir(self, path: &str) -> Image {
        self.setting("WorkingDir", path.into())
    }

    /// Sets `User`.
    #[must_use]
    pub fn user(self, user: &str) -> Image {
        self.setting("User", user.into())
    }

    /// Adds a volume.
    #[must_use]
    pub fn volume(mut self, path: &str) -> Image {
        if let Value::Object(volumes) = self.settings.entry("Volumes").or_insert_with(|| json!({})) {
            volumes.insert(path.to_owned(), json!({}));
        }
        self
    }

    /// Sets any member of the config's `config`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: Value) -> Image {
        self.settings.insert(name.to_owned(), value);
        self
    }

    /// Uses these media types.
    #[must_use]
    pub fn types(mut self, types: Types) -> Image {
        self.types = types;
        self
    }

    /// Uses Docker's media types.
    #[must_use]
    pub fn docker(self) -> Image {
        self.types(Types::Docker)
    }

    /// What the config says, where that differs from the rest.
    #[must_use]
    pub fn config_platform(mut self, text: &str) -> Image {
        self.config_platform = Some(platform(text));
        self
    }

    /// What the index says, where that differs from the rest.
    #[must_use]
    pub fn descriptor_platform(mut self, text: &str) -> Image {
        self.descriptor_platform = Some(platform(text));
        self
    }

    /// Leaves the platform out of the index.
    #[must_use]
    pub fn without_descriptor_platform(mut self) -> Image {
        self.descriptor_platform = Some(Value::Null);
        self
    }

    /// Lies about the manifest's size in the index.
    #[must_use]
    pub fn descriptor_size(self, size: i64) -> Image {
        self.edit_descriptor(move |descriptor| descriptor["size"] = size.into())
    }

    /// Lies about the manifest's digest in the index.
    #[must_use]
    pub fn descriptor_digest(self, digest: &str) -> Image {
        let digest = digest.to_owned();
        self.edit_descriptor(move |descriptor| descriptor["digest"] = digest.clone().into())
    }

    /// Lies about the layers' diff_ids in the config.
    #[must_use]
    pub fn diff_ids(mut self, diff_ids: &[&str]) -> Image {
        self.diff_ids = Some(diff_ids.iter().map(|id| (*id).to_owned()).collect());
        self
    }

    /// Changes the config.
    #[must_use]
    pub fn edit_config(mut self, edit: impl Fn(&mut Value) + Send + Sync + 'static) -> Image {
        self.edit_config.push(Arc::new(edit));
        self
    }

    /// Changes the manifest.
    #[must_use]
    pub fn edit_manifest(mut self, edit: impl Fn(&mut Value) + Send + Sync + 'static) -> Image {
        self.edit_manifest.push(Arc::new(edit));
        self
    }

    /// Changes one layer's descriptor in the manifest.
    #[must_use]
    pub fn edit_layer(self, position: usize, edit: impl Fn(&mut Value) + Send + Sync + 'static) -> Image {
        self.edit_manifest(move |manifest| edit(&mut manifest["layers"][position]))
    }

    /// Changes the descriptor of this image in an index.
    #[must_use]
    pub fn edit_descriptor(mut self, edit: impl Fn(&mut Value) + Send + Sync + 'static) -> Image {
        self.edit_descriptor.push(Arc::new(edit));
        self
    }

    /// Writes these bytes as the config.
    #[must_use]
    pub fn raw_config(mut self, bytes: &[u8]) -> Image {
        self.raw_config = Some(bytes.to_vec());
        self
    }

    /// Writes these bytes as the manifest.
    #[must_use]
    pub fn raw_manifest(mut self, bytes: &[u8]) -> Image {
        self.raw_manifest = Some(bytes.to_vec());
        self
    }

    /// The image alone: its root is the manifest.
    #[must_use]
    pub fn forge(&self) -> Forged {
        let config = self.raw_config.clone().unwrap_or_else(|| self.config());
        let bytes = self.raw_manifest.clone().unwrap_or_else(|| self.manifest(&config));
        let mut blobs = BTreeMap::new();
        let mut tars = BTreeMap::new();
        for layer in &self.layers {
            blobs.insert(layer.digest.clone(), layer.bytes.to_vec());
            tars.insert(layer.digest.clone(), Arc::clone(&layer.tar));
        }
        blobs.insert(sha256(&config), config);
        let root = Root { digest: sha256(&bytes), media_type: self.manifest_type().to_owned(), bytes };
        blobs.insert(root.digest.clone(), root.bytes.clone());
        Forged { root, blobs, tars }
    }

    /// The descriptor by which an index names the forged image.
    #[must_use]
    pub fn descriptor(&self, forged: &Forged) -> Value {
        let mut descriptor = forged.root.descriptor();
        let platform = self.descriptor_platform.as_ref().unwrap_or(&self.platform);
        if !platform.is_null() {
            descriptor["platform"] = platform.clone();
        }
        self.edit_descriptor.iter().for_each(|edit| edit(&mut descriptor));
        descriptor
    }

    fn manifest_type(&self) -> &'static str {
        match self.types {
            Types::Oci => "application/vnd.oci.image.manifest.v1+json",
            Types::Docker => "application/vnd.docker.distribution.manifest.v2+json",
        }
    }

    fn config(&self) -> Vec<u8> {
        let diff_ids = self.diff_ids.clone();
        let diff_ids = diff_ids.unwrap_or_else(|| self.layers.iter().map(|layer| layer.diff_id.clone()).collect());
        let mut config = json!({
            "created": "2023-11-14T22:13:20Z",
            "config": self.settings,
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let said = self.config_platform.as_ref().unwrap_or(&self.platform);
        if let (Value::Object(config), Value::Object(said)) = (&mut config, said) {
            config.extend(said.clone());
        }
        if self.with_history {
            config["history"] = self
                .history
                .iter()
                .map(|(created_by, empty)| {
                    let mut entry = json!({
                        "created": "2023-11-14T22:13:20Z",
                        "created_by": created_by,
                        "comment": "buildkit.dockerfile.v0",
                    });
                    if *empty {
                        entry["empty_layer"] = true.into();
                    }
                    entry
                })
                .collect();
        }
        self.edit_config.iter().for_each(|edit| edit(&mut config));
        config.to_string().into_bytes()
    }

    fn manifest(&self, config: &[u8]) -> Vec<u8> {
        let docker = self.types == Types::Docker;
        let config_type = if docker {
            "application/vnd.docker.container.image.v1+json"
        } else {
            "application/vnd.oci.image.config.v1+json"
        };
        let layers: Vec<Value> = self
            .layers
            .iter()
            .map(|layer| {
                let kind = if docker { docker_layer_type(&layer.media_type) } else { layer.media_type.clone() };
                json!({ "mediaType": kind, "digest": layer.digest, "size": layer.bytes.len() })
            })
            .collect();
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": self.manifest_type(),
            "config": { "mediaType": config_type, "digest": sha256(config), "size": config.len() },
            "layers": layers,
        });
        self.edit_manifest.iter().for_each(|edit| edit(&mut manifest));
        manifest.to_string().into_bytes()
    }
}

/// Docker separates the compression with a dot where OCI has a plus.
fn docker_layer_type(oci: &str) -> String {
    let compression = oci.rsplit_once('+').map_or(String::new(), |(_, name)| format!(".{name}"));
    format!("application/vnd.docker.image.rootfs.diff.tar{compression}")
}
