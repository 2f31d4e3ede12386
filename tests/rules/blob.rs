//! The rules of the group `blob`.

use super::{app, beside, scratch};
use mpcheck_kit::digest::base64;
use mpcheck_kit::image::Image;
use mpcheck_kit::index::Index;
use mpcheck_kit::layer::{Blob, Layer};
use mpcheck_kit::store::Forged;
use serde_json::json;

const MISSING: &str = "error blob/missing linux/arm64";
const DIGEST: &str = "error blob/digest-mismatch linux/arm64";
const SIZE: &str = "error blob/size-mismatch linux/arm64";

fn good() -> Forged {
    beside(scratch("linux/arm64")).forge()
}

fn layer(forged: &Forged) -> String {
    forged.layers_of("linux/arm64").remove(0)
}

fn config(forged: &Forged) -> String {
    forged.config_of("linux/arm64")
}

fn manifest(forged: &Forged) -> String {
    forged.manifest_of("linux/arm64")
}

/// The good image without one of its blobs.
fn without(blob: impl Fn(&Forged) -> String) -> Forged {
    let forged = good();
    let digest = blob(&forged);
    forged.drop_blob(&digest)
}

/// The good image with one byte of a blob changed.
fn changed(blob: impl Fn(&Forged) -> String) -> Forged {
    let forged = good();
    let digest = blob(&forged);
    forged.corrupt_blob(&digest)
}

/// The good image with other bytes in place of a blob.
fn replaced(blob: impl Fn(&Forged) -> String, bytes: &[u8]) -> Forged {
    let forged = good();
    let digest = blob(&forged);
    forged.replace_blob(&digest, bytes)
}

/// A layer of both platforms, which the store lost.
fn shared_and_lost() -> Forged {
    let blob: Blob = Layer::new().file("shared", 0o644, "x").into();
    let image = |platform: &str| scratch(platform).layer(&blob);
    Index::new().images(["linux/amd64", "linux/arm64"].map(image)).forge().drop_blob(&blob.digest)
}

/// A layer that must not be pushed, and was not.
fn not_distributed() -> Forged {
    let blob: Blob = app("linux/arm64").into();
    let image = Image::new("linux/arm64").layer(&blob).edit_layer(0, |layer| {
        layer["mediaType"] = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip".into();
        layer["urls"] = json!(["https://example.com/layer"]);
    });
    beside(image).forge().drop_blob(&blob.digest)
}

/// A manifest that says this size of its layer, given the right one.
fn layer_size(size: impl Fn(u64) -> u64 + Send + Sync + 'static) -> Index {
    beside(scratch("linux/arm64").edit_layer(0, move |layer| {
        layer["size"] = size(layer["size"].as_u64().unwrap()).into();
    }))
}

fn config_size(size: impl Fn(u64) -> u64 + Send + Sync + 'static) -> Index {
    beside(scratch("linux/arm64").edit_manifest(move |manifest| {
        manifest["config"]["size"] = size(manifest["config"]["size"].as_u64().unwrap()).into();
    }))
}

/// A config whose bytes are in its descriptor, and nowhere else.
fn embedded(change: impl Fn(Vec<u8>) -> Vec<u8> + Send + Sync + 'static) -> Forged {
    let plain = scratch("linux/arm64").forge();
    let digest = plain.config_of("linux/arm64");
    let data = base64(&change(plain.blobs[&digest].clone()));
    let image = scratch("linux/arm64").edit_manifest(move |manifest| manifest["config"]["data"] = data.clone().into());
    beside(image).forge().drop_blob(&digest)
}

rows! {
    BLOB_MISSING {
        layer_gone: without(layer) => [MISSING];
        config_gone: without(config) => [MISSING];
        manifest_gone: without(manifest) => [MISSING];
        shared_layer_gone: shared_and_lost() => ["error blob/missing linux/amd64", MISSING];
        nested_index_gone: {
            let inner = Index::new().image(scratch("linux/s390x"));
            let digest = inner.forge().root.digest;
            beside(scratch("linux/arm64")).nested(inner).forge().drop_blob(&digest)
        } => ["error blob/missing -"];
        layer_that_may_not_be_distributed: not_distributed() => [];
        config_in_its_descriptor: embedded(|bytes| bytes) => [];
        statement_of_an_attestation: {
            let index = beside(scratch("linux/arm64")).attestation();
            let digest = index.last_digest();
            index.forge().drop_blob(&digest)
        } => [];
        all_there: good() => [];
    }
    BLOB_DIGEST_MISMATCH {
        layer_changed: changed(layer) => [DIGEST];
        config_changed: changed(config) => [DIGEST];
        manifest_changed: changed(manifest) => [DIGEST];
        root_changed: {
            let (one, other) = (good(), Index::new().image(scratch("linux/amd64")).forge());
            one.clone().replace_blob(&one.root.digest, &other.root.bytes)
        } => ["error blob/digest-mismatch -"];
        embedded_bytes_changed: embedded(|mut bytes| { bytes[0] ^= 1; bytes }) => [DIGEST];
        as_listed: good() => [];
    }
    BLOB_SIZE_MISMATCH {
        layer_shorter: replaced(layer, b"short") => [SIZE];
        layer_longer: replaced(layer, &[0; 1 << 20]) => [SIZE];
        layer_empty: replaced(layer, b"") => [SIZE];
        config_shorter: replaced(config, b"{}") => [SIZE];
        manifest_empty: replaced(manifest, b"") => [SIZE];
        layer_listed_shorter: layer_size(|size| size - 1) => [SIZE];
        layer_listed_longer: layer_size(|size| size + 1) => [SIZE];
        layer_listed_huge: layer_size(|_| i64::MAX as u64) => [SIZE];
        layer_listed_empty: layer_size(|_| 0) => [SIZE];
        config_listed_longer: config_size(|size| size + 1) => [SIZE];
        config_listed_shorter: config_size(|size| size - 1) => [SIZE];
        manifest_listed_longer: beside(scratch("linux/arm64").edit_descriptor(|descriptor| {
            descriptor["size"] = (descriptor["size"].as_u64().unwrap() + 1).into();
        })) => [SIZE];
        listed_right: layer_size(|size| size) => [];
    }
}
