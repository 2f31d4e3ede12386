//! Several platforms under one name, and whatever else an index may list.

use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::digest::{base64, sha256};
use crate::image::{Edit, Image, Types};
use crate::layer::Layer;
use crate::store::{Forged, Root};

/// An index to be, its entries in the order of the calls.
#[derive(Clone)]
pub struct Index {
    entries: Vec<(Value, Forged)>,
    types: Types,
    edits: Vec<Edit>,
}

impl fmt::Debug for Index {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Index({} entries)", self.entries.len())
    }
}

impl Default for Index {
    fn default() -> Index {
        Index::new()
    }
}

impl Index {
    /// An index without entries.
    #[must_use]
    pub fn new() -> Index {
        Index { entries: Vec::new(), types: Types::Oci, edits: Vec::new() }
    }

    /// Adds an image.
    #[must_use]
    #[allow(clippy::needless_pass_by_value, reason = "calls read as a list of images")]
    pub fn image(mut self, image: Image) -> Index {
        let forged = image.forge();
        self.entries.push((image.descriptor(&forged), forged));
        self
    }

    /// Adds several images.
    #[must_use]
    pub fn images(self, images: impl IntoIterator<Item = Image>) -> Index {
        images.into_iter().fold(self, Index::image)
    }

    /// Adds an image and says nothing about its platform here.
    #[must_use]
    pub fn entry_without_platform(self, image: Image) -> Index {
        self.image(image.without_descriptor_platform())
    }

    /// Adds an attestation for the last entry, as BuildKit does.
    #[must_use]
    pub fn attestation(self) -> Index {
        let subject = self.last("digest").as_str().unwrap_or_default().to_owned();
        self.orphan_attestation(&subject)
    }

    /// Adds an attestation for this digest, which need not be there.
    #[must_use]
    pub fn orphan_attestation(self, subject: &str) -> Index {
        let owned = subject.to_owned();
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": "https://slsa.dev/provenance/v0.2",
            "subject": [{ "name": "_", "digest": { "sha256": subject.trim_start_matches("sha256:") } }],
        });
        let blob = artifact_blob("application/vnd.in-toto+json", statement.to_string().as_bytes());
        let image = Image::new("unknown/unknown").layer(&blob).without_history();
        self.image(
            image
                .edit_layer(0, |layer| {
                    layer["annotations"] = json!({ "in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2" });
                })
                .edit_descriptor(move |descriptor| {
                    descriptor["annotations"] = json!({
                        "vnd.docker.reference.type": "attestation-manifest",
                        "vnd.docker.reference.digest": owned,
                    });
                }),
        )
    }

    /// Adds an artifact that is no image (OCI image specification 1.1, "Guidelines for Artifact Usage"): one file
    /// and the empty config. A cosign signature has the type `application/vnd.dev.cosign.artifact.sig.v1+json`.
    #[must_use]
    pub fn artifact(self, artifact_type: &str) -> Index {
        let (kind, in_descriptor) = (artifact_type.to_owned(), artifact_type.to_owned());
        let blob = artifact_blob("application/octet-stream", artifact_type.as_bytes());
        let image = Image::new("unknown/unknown").layer(&blob).raw_config(b"{}").without_descriptor_platform();
        self.image(
            image
                .edit_manifest(move |manifest| {
                    manifest["artifactType"] = kind.clone().into();
                    manifest["config"]["mediaType"] = "application/vnd.oci.empty.v1+json".into();
                    manifest["config"]["data"] = "e30=".into();
                })
                .edit_descriptor(move |descriptor| descriptor["artifactType"] = in_descriptor.clone().into()),
        )
    }

    /// Adds an index within this one.
    #[must_use]
    #[allow(clippy::needless_pass_by_value, reason = "calls read as a list of entries")]
    pub fn nested(mut self, index: Index) -> Index {
        let forged = index.forge();
        self.entries.push((forged.root.descriptor(), forged));
        self
    }

    /// Adds a descriptor of something that the store need not have.
    #[must_use]
    pub fn entry(mut self, descriptor: Value) -> Index {
        self.entries.push((descriptor, Forged::nothing()));
        self
    }

    /// Adds the last entry once more.
    #[must_use]
    pub fn repeated(mut self) -> Index {
        self.entries.extend(self.entries.last().cloned());
        self
    }

    /// Changes the last entry's descriptor.
    #[must_use]
    pub fn edit_last(mut self, edit: impl Fn(&mut Value)) -> Index {
        if let Some((descriptor, _)) = self.entries.last_mut() {
            edit(descriptor);
        }
        self
    }

    /// Embeds the last entry's bytes in its descriptor (`data`).
    #[must_use]
    pub fn embedded_data(self) -> Index {
        let bytes = self.entries.last().map(|(_, forged)| base64(&forged.root.bytes)).unwrap_or_default();
        self.edit_last(|descriptor| descriptor["data"] = bytes.clone().into())
    }

    /// Makes it a manifest list of Docker's; its images keep their own types.
    #[must_use]
    pub fn docker(mut self) -> Index {
        self.types = Types::Docker;
        self
    }

    /// Changes the index.
    #[must_use]
    pub fn edit(mut self, edit: impl Fn(&mut Value) + Send + Sync + 'static) -> Index {
        self.edits.push(Arc::new(edit));
        self
    }

    /// The digest of the last entry as its descriptor says it.
    #[must_use]
    pub fn last_digest(&self) -> String {
        self.last("digest").as_str().unwrap_or_default().to_owned()
    }

    /// The finished index with everything below it.
    #[must_use]
    pub fn forge(&self) -> Forged {
        let media_type = match self.types {
            Types::Oci => "application/vnd.oci.image.index.v1+json",
            Types::Docker => "application/vnd.docker.distribution.manifest.list.v2+json",
        };
        let manifests: Vec<&Value> = self.entries.iter().map(|(descriptor, _)| descriptor).collect();
        let mut index = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": manifests });
        self.edits.iter().for_each(|edit| edit(&mut index));
        Forged::over(index.to_string().as_bytes(), media_type, self.entries.iter().map(|(_, forged)| forged))
    }

    fn last(&self, member: &str) -> Value {
        self.entries.last().map(|(descriptor, _)| descriptor[member].clone()).unwrap_or_default()
    }
}

/// A file that an artifact's manifest lists where an image has a layer.
fn artifact_blob(media_type: &str, bytes: &[u8]) -> crate::layer::Blob {
    let mut blob = Layer::new().build();
    blob.bytes = Arc::new(bytes.to_vec());
    blob.digest = sha256(bytes);
    blob.diff_id = sha256(bytes);
    blob.media_type = media_type.to_owned();
    blob
}

impl Forged {
    /// A root of these bytes over everything that the children hold.
    #[must_use]
    pub fn over<'a>(bytes: &[u8], media_type: &str, children: impl IntoIterator<Item = &'a Forged>) -> Forged {
        let root = Root { digest: sha256(bytes), media_type: media_type.to_owned(), bytes: bytes.to_vec() };
        let mut all = Forged::nothing();
        for child in children {
            all.blobs.extend(child.blobs.clone());
            all.tars.extend(child.tars.clone());
        }
        all.blobs.insert(root.digest.clone(), root.bytes.clone());
        all.root = root;
        all
    }
}
