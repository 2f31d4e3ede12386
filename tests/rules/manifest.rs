//! The rules of the group `manifest` that hold documents against each other.

use super::{app, beside, scratch};
use mpcheck_kit::digest::sha256;
use mpcheck_kit::elf::Elf;
use mpcheck_kit::files;
use mpcheck_kit::image::Image;
use mpcheck_kit::index::Index;
use mpcheck_kit::layer::{Blob, Layer};
use mpcheck_kit::store::Forged;
use serde_json::{Value, json};

const MISMATCH: &str = "error manifest/config-mismatch linux/arm64";
const UNKNOWN: &str = "error manifest/unknown-platform -";
const ORPHAN: &str = "warning manifest/orphan-attestation -";
const INVALID: &str = "error manifest/invalid linux/arm64";
const INVALID_INDEX: &str = "error manifest/invalid -";
const IDENTICAL: &str = "error manifest/identical-content linux/arm64";

fn arm64() -> Image {
    scratch("linux/arm64")
}

/// The index says one platform, the config another.
fn says(index: &str, config: &str) -> Index {
    Index::new().image(Image::new(index).config_platform(config))
}

/// Two platforms of the very same layer.
fn shared(layer: Layer) -> Index {
    let blob: Blob = layer.into();
    Index::new().images(["linux/amd64", "linux/arm64"].map(|platform| Image::new(platform).layer(&blob)))
}

/// A library for each of two machines, in directories that name them.
fn both() -> Layer {
    Layer::new().file("opt/lib/x86_64-linux-gnu/liba.so", 0o644, Elf::library("amd64", "liba.so").build()).file(
        "opt/lib/aarch64-linux-gnu/liba.so",
        0o644,
        Elf::library("arm64", "liba.so").build(),
    )
}

const BOTH: [&str; 2] = [
    "note binary/foreign-architecture linux/amd64 /opt/lib/aarch64-linux-gnu/liba.so",
    "note binary/foreign-architecture linux/arm64 /opt/lib/x86_64-linux-gnu/liba.so",
];

/// A root of these bytes over a good image.
fn root(media_type: &str, document: &Value) -> Forged {
    Forged::over(document.to_string().as_bytes(), media_type, [&arm64().forge()])
}

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn edited(edit: impl Fn(&mut Value) + Send + Sync + 'static) -> Index {
    beside(arm64().edit_manifest(edit))
}

/// So many indexes in each other, and an image in the last.
fn nested(depth: usize) -> Index {
    (0..depth).fold(beside(arm64()), |inner, _| Index::new().nested(inner))
}

rows! {
    CONFIG_MISMATCH {
        architecture: says("linux/arm64", "linux/amd64") => [MISMATCH];
        system: says("linux/arm64", "windows/arm64") => [MISMATCH];
        other_variant: says("linux/arm/v7", "linux/arm/v6") => ["error manifest/config-mismatch linux/arm/v7"];
        variant_only_in_config: says("linux/arm", "linux/arm/v6") => ["error manifest/config-mismatch linux/arm/v7"];
        arm64_v9_in_config: says("linux/arm64", "linux/arm64/v9") => [MISMATCH];
        equal: says("linux/arm64", "linux/arm64") => [];
        v8_in_index: says("linux/arm64/v8", "linux/arm64") => [];
        v8_in_config: says("linux/arm64", "linux/arm64/v8") => [];
        no_variant_in_config: says("linux/arm/v6", "linux/arm") => [];
        v7_only_in_config: says("linux/arm", "linux/arm/v7") => [];
        amd64_variant_only_in_index: says("linux/amd64/v2", "linux/amd64") => [];
        alias_in_config: says("linux/amd64", "linux/x86_64") => [];
        single_manifest: arm64() => [];
    }
    UNKNOWN_PLATFORM {
        said_to_be_unknown: beside(arm64().descriptor_platform("unknown/unknown")) => [UNKNOWN];
        no_platform: beside(arm64()).entry_without_platform(scratch("linux/s390x")) => [UNKNOWN];
        empty_strings: beside(arm64()).image(scratch("linux/s390x").descriptor_platform("/")) => [UNKNOWN];
        architecture_alone: beside(arm64()).image(scratch("linux/s390x").descriptor_platform("/s390x")) => [UNKNOWN];
        system_alone: beside(arm64()).image(scratch("linux/s390x").descriptor_platform("linux/")) => [UNKNOWN];
        other_reference_type: beside(arm64().descriptor_platform("unknown/unknown").edit_descriptor(|descriptor| {
            descriptor["annotations"] = json!({ "vnd.docker.reference.type": "something-else" });
        })) => [UNKNOWN];
        attestation: beside(arm64()).attestation() => [];
        artifact: beside(arm64()).artifact("application/vnd.dev.cosign.artifact.sig.v1+json") => [];
        artifact_that_only_its_manifest_tells: beside(arm64()).artifact("application/spdx+json").edit_last(|descriptor| {
            descriptor.as_object_mut().unwrap().remove("artifactType");
        }) => [];
    }
    ORPHAN_ATTESTATION {
        subject_elsewhere: beside(arm64()).orphan_attestation(&sha256(b"gone")) => [ORPHAN];
        no_subject: beside(arm64()).attestation().edit_last(|descriptor| {
            descriptor["annotations"].as_object_mut().unwrap().remove("vnd.docker.reference.digest");
        }) => [ORPHAN];
        one_of_two: beside(arm64()).attestation().orphan_attestation(&sha256(b"gone")) => [ORPHAN];
        no_digest_at_all: beside(arm64()).orphan_attestation("latest") => [ORPHAN];
        of_a_sibling: beside(arm64()).attestation() => [];
        of_a_nested_sibling: {
            let inner = Index::new().image(arm64());
            let subject = inner.last_digest();
            Index::new().image(scratch("linux/amd64")).nested(inner).orphan_attestation(&subject)
        } => [];
    }
    IDENTICAL_CONTENT {
        same_layers: shared(app("linux/amd64")) => [IDENTICAL, "error binary/foreign-architecture linux/arm64 /app"];
        same_manifest: Index::new().image(scratch("linux/amd64")).repeated().edit_last(|descriptor| {
            descriptor["platform"]["architecture"] = "arm64".into();
        }) => [IDENTICAL, MISMATCH, "error binary/foreign-architecture linux/arm64 /app"];
        a_leak_beside_what_is_explained: shared(both().program("opt/tool", Elf::program("amd64").build()))
            => [IDENTICAL, BOTH[0], BOTH[1], "error binary/foreign-architecture linux/arm64 /opt/tool"];
        library_at_no_named_place: shared(Layer::new().file("app/addon.node", 0o644, Elf::library("amd64", "a").build()))
            => [IDENTICAL, "error binary/foreign-architecture linux/arm64 /app/addon.node"];
        three_alike: {
            let blob: Blob = app("linux/amd64").into();
            Index::new().images(["linux/amd64", "linux/arm64", "linux/s390x"].map(|name| Image::new(name).layer(&blob)))
        } => [
            IDENTICAL,
            "error manifest/identical-content linux/s390x",
            "error manifest/identical-content linux/s390x",
            "error binary/foreign-architecture linux/arm64 /app",
            "error binary/foreign-architecture linux/s390x /app",
        ];
        scripts: shared(Layer::new().program("run", files::script("/bin/sh", "echo"))) => [];
        data: shared(Layer::new().file("data.csv", 0o644, "a,b\n")) => [];
        builds_for_both_in_named_places: shared(both()) => [BOTH[0], BOTH[1]];
        no_layers: Index::new().images(["linux/amd64", "linux/arm64"].map(Image::new)) => [];
        one_more_layer: {
            let blob: Blob = Layer::new().file("shared", 0o644, "x").into();
            let image = |platform| scratch(platform).layer(&blob);
            Index::new().images(["linux/amd64", "linux/arm64"].map(image))
        } => [];
        variants_of_one_architecture: {
            let blob: Blob = app("linux/arm/v6").into();
            Index::new().images(["linux/arm/v6", "linux/arm/v7"].map(|platform| Image::new(platform).layer(&blob)))
        } => [];
    }
    MANIFEST_INVALID {
        index_without_manifests: Index::new() => [INVALID_INDEX];
        index_without_the_field: root(OCI_INDEX, &json!({ "schemaVersion": 2, "mediaType": OCI_INDEX }))
            => [INVALID_INDEX];
        index_and_manifest_at_once: arm64().edit_manifest(|manifest| manifest["manifests"] = json!([]))
            => [INVALID_INDEX];
        schema_version: edited(|manifest| manifest["schemaVersion"] = 3.into()) => [INVALID];
        schema_1: edited(|manifest| manifest["schemaVersion"] = 1.into()) => [INVALID];
        no_schema_version: edited(|manifest| { manifest.as_object_mut().unwrap().remove("schemaVersion"); })
            => [INVALID];
        no_config: edited(|manifest| { manifest.as_object_mut().unwrap().remove("config"); }) => [INVALID];
        config_without_digest: edited(|manifest| { manifest["config"].as_object_mut().unwrap().remove("digest"); })
            => [INVALID];
        digest_is_no_digest: edited(|manifest| manifest["layers"][0]["digest"] = "sha256:../../etc".into())
            => [INVALID];
        negative_size: edited(|manifest| manifest["layers"][0]["size"] = (-1).into()) => [INVALID];
        size_is_text: edited(|manifest| manifest["layers"][0]["size"] = "12".into()) => [INVALID];
        layers_are_an_object: edited(|manifest| manifest["layers"] = json!({})) => [INVALID];
        other_type_than_listed: edited(|manifest| manifest["mediaType"] = OCI_INDEX.into()) => [INVALID];
        layer_of_unknown_type: edited(|manifest| manifest["layers"][0]["mediaType"] = "application/x-tar".into())
            => [INVALID];
        not_json: beside(arm64().raw_manifest(b"{\"schemaVersion\": 2,")) => [INVALID];
        html: beside(arm64().raw_manifest(b"<!DOCTYPE html><html></html>")) => [INVALID];
        empty: beside(arm64().raw_manifest(b"")) => [INVALID];
        deep_json: beside(arm64().raw_manifest("[".repeat(100_000).as_bytes())) => [INVALID];
        config_is_no_json: beside(arm64().raw_config(b"hello")) => [INVALID];
        config_is_a_list: beside(arm64().raw_config(b"[]")) => [INVALID];
        config_without_platform: beside(arm64().config_platform("/")) => [INVALID];
        config_entrypoint_is_text: beside(arm64().edit_config(|config| config["config"]["Entrypoint"] = "/app".into()))
            => [INVALID];
        diff_id_is_no_digest: beside(arm64().diff_ids(&["sha256:1"])) => [INVALID];
        fewer_diff_ids_than_layers: beside(arm64().diff_ids(&[])) => [INVALID];
        manifest_listed_as_index: beside(arm64()).image(scratch("linux/s390x").edit_descriptor(|descriptor| {
            descriptor["mediaType"] = OCI_INDEX.into();
        })) => [INVALID_INDEX];
        index_listed_as_manifest: beside(arm64()).nested(Index::new().image(scratch("linux/s390x"))).edit_last(|descriptor| {
            descriptor["mediaType"] = OCI_MANIFEST.into();
            descriptor["platform"] = json!({ "os": "linux", "architecture": "s390x" });
        }) => ["error manifest/invalid linux/s390x"];
        said_to_be_huge: beside(arm64().descriptor_size(1 << 40)) => [INVALID];
        indexes_too_deep: nested(5) => [INVALID_INDEX];
        indexes_just_not_too_deep: nested(4) => [];
        docker_types: beside(arm64().docker()).docker() => [];
        null_is_absent: beside(arm64().edit_config(|config| {
            config["config"]["Cmd"] = Value::Null;
            config["config"]["Volumes"] = Value::Null;
            config["history"] = Value::Null;
        }).edit_manifest(|manifest| manifest["annotations"] = Value::Null)) => [];
        no_media_type_in_documents: edited(|manifest| { manifest.as_object_mut().unwrap().remove("mediaType"); })
            .edit(|index| { index.as_object_mut().unwrap().remove("mediaType"); }) => [];
        unknown_fields: edited(|manifest| manifest["x-vendor"] = json!({ "a": [1] })) => [];
        embedded_data: beside(arm64()).embedded_data() => [];
    }
}
