//! What `docker save` writes: the old form, and that of Docker 25 and later, which is an OCI layout as well.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

use crate::digest::sha256;
use crate::layer::Layer;
use crate::store::{Forged, Member, blob_path};

impl Forged {
    /// Writes the form before Docker 25: one item of `manifest.json` for each image, uncompressed layers in
    /// directories of their own. The first image has the first name, and so on; the rest have none.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write_docker_archive(&self, file: &Path, names: &[&str]) -> io::Result<()> {
        let mut archive = Layer::new();
        let mut items = Vec::new();
        let mut repositories = BTreeMap::new();
        let mut first_place = BTreeMap::<String, String>::new();
        for (position, member) in self.members().iter().enumerate() {
            let name = names.get(position).copied();
            let mut paths = Vec::new();
            let mut parent = text(&member.manifest["config"]["digest"]);
            for layer in layer_digests(member) {
                let id = sha256(format!("{parent} {layer}").as_bytes()).trim_start_matches("sha256:").to_owned();
                let path = format!("{id}/layer.tar");
                archive = archive.dir(&id, 0o755).file(format!("{id}/VERSION"), 0o644, "1.0");
                archive = archive.file(format!("{id}/json"), 0o644, json!({ "id": id }).to_string());
                // A layer that several images share is written once, and linked to after that.
                archive = match first_place.get(&layer) {
                    Some(place) => archive.symlink(&path, format!("../{place}")),
                    None => {
                        archive.file(&path, 0o644, self.tars.get(&layer).map(|tar| tar.as_slice()).unwrap_or_default())
                    }
                };
                first_place.entry(layer).or_insert_with(|| path.clone());
                paths.push(path);
                parent = id;
            }
            let config = text(&member.manifest["config"]["digest"]);
            let config_path = format!("{}.json", config.trim_start_matches("sha256:"));
            archive = archive.file(&config_path, 0o644, self.blobs.get(&config).cloned().unwrap_or_default());
            if let Some((repository, tag)) = name.and_then(|name| name.rsplit_once(':')) {
                repositories.insert(repository.to_owned(), json!({ tag: parent }));
            }
            items.push(item(&config_path, name, &paths));
        }
        archive = archive.file("manifest.json", 0o644, Value::from(items).to_string());
        archive = archive.file("repositories", 0o644, json!(repositories).to_string());
        fs::write(file, archive.build().tar.as_slice())
    }

    /// Writes the form of Docker 25 and later: an OCI layout with `manifest.json` and `repositories` besides.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write_docker25_archive(&self, file: &Path, names: &[&str]) -> io::Result<()> {
        let mut entries = Vec::new();
        for name in names {
            let mut descriptor = self.root.descriptor();
            let tag = name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
            descriptor["annotations"] = json!({
                "io.containerd.image.name": format!("docker.io/library/{name}"),
                "org.opencontainers.image.ref.name": tag,
            });
            entries.push(descriptor);
        }
        if entries.is_empty() {
            entries.push(self.root.descriptor());
        }
        let mut files = self.layout_files_with(&entries);
        let mut items = Vec::new();
        let mut seen = BTreeSet::new();
        for member in self.members() {
            let paths: Vec<String> = layer_digests(&member).iter().map(|digest| blob_path(digest)).collect();
            let config = blob_path(&text(&member.manifest["config"]["digest"]));
            if seen.insert(config.clone()) {
                items.push(item(&config, names.first().copied(), &paths));
            }
        }
        files.insert("manifest.json".to_owned(), Value::from(items).to_string().into_bytes());
        let layer = files
            .into_iter()
            .fold(Layer::new().dirs(&["blobs", "blobs/sha256"]), |layer, (path, bytes)| layer.file(path, 0o644, bytes));
        fs::write(file, layer.build().tar.as_slice())
    }
}

fn item(config: &str, name: Option<&str>, layers: &[String]) -> Value {
    let tags: Vec<&str> = name.into_iter().collect();
    json!({ "Config": config, "RepoTags": if tags.is_empty() { Value::Null } else { json!(tags) }, "Layers": layers })
}

fn layer_digests(member: &Member) -> Vec<String> {
    let layers = member.manifest["layers"].as_array().cloned().unwrap_or_default();
    layers.iter().map(|layer| text(&layer["digest"])).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
