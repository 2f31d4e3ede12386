use super::super::archive_file::ArchiveFile;
use super::*;
use rstest::rstest;
use std::io::Write;

/// `docker save`'s archive of members; a content of `-> TARGET` is a symbolic link.
fn archive(members: &[(&str, Vec<u8>)]) -> ArchiveFile {
    let mut tar = tar::Builder::new(tempfile::tempfile().unwrap());
    for (name, content) in members {
        let mut header = tar::Header::new_ustar();
        if let Some(target) = content.strip_prefix(b"-> ") {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            tar.append_link(&mut header, name, std::str::from_utf8(target).unwrap()).unwrap();
        } else {
            header.set_size(content.len() as u64);
            tar.append_data(&mut header, name, content.as_slice()).unwrap();
        }
    }
    ArchiveFile::scan(tar.into_inner().unwrap()).unwrap()
}

fn layer(content: &str) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    tar.append_data(&mut header, "file", content.as_bytes()).unwrap();
    tar.into_inner().unwrap()
}

fn config(layers: &[&[u8]]) -> Vec<u8> {
    let diff_ids: Vec<String> = layers.iter().map(|l| Digest::of(l).to_string()).collect();
    serde_json::json!({ "os": "linux", "architecture": "arm64", "rootfs": { "type": "layers", "diff_ids": diff_ids } })
        .to_string()
        .into_bytes()
}

fn manifest(json: &serde_json::Value) -> (&'static str, Vec<u8>) {
    ("manifest.json", json.to_string().into_bytes())
}

fn place() -> Place {
    Place { name: "archive app.tar".into(), address: Some("docker-archive:app.tar".into()) }
}

fn open(members: &[(&str, Vec<u8>)], selector: Option<&Selector>) -> Result<DockerArchive, SourceError> {
    DockerArchive::open(archive(members), place(), selector)
}

fn bytes(source: &DockerArchive, digest: &str) -> Vec<u8> {
    let descriptor = Descriptor::new("", Digest::parse(digest).unwrap(), 0);
    let mut bytes = Vec::new();
    source.open(&descriptor).unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(source.probe(&descriptor), Ok(()));
    bytes
}

#[test]
fn a_manifest_is_made_up_from_the_config() {
    let (one, two) = (layer("one"), layer("two"));
    let config = config(&[&one, &two, &one]);
    let name = format!("{}.json", Digest::of(&config).hex());
    // As Docker 20.10 does: the shared layer is a link, which comes before its target.
    let members = [
        (name.as_str(), config.clone()),
        ("c/layer.tar", b"-> ../a/layer.tar".to_vec()),
        ("a/layer.tar", one.clone()),
        ("b/layer.tar", two.clone()),
        manifest(
            &serde_json::json!([{ "Config": name, "RepoTags": ["app:1"], "Layers": ["a/layer.tar", "b/layer.tar", "c/layer.tar"] }]),
        ),
        ("repositories", b"not json".to_vec()),
    ];
    let source = open(&members, None).unwrap();
    let root = source.root().unwrap();
    assert_eq!(root.media_type.as_deref(), Some(media_type::DOCKER_MANIFEST));
    assert_eq!((root.digest, root.platform), (None, None));
    let manifest: serde_json::Value = serde_json::from_slice(&root.bytes).unwrap();
    assert_eq!(manifest["schemaVersion"], 2);
    assert_eq!(manifest["config"]["mediaType"], media_type::DOCKER_CONFIG);
    assert_eq!(manifest["config"]["size"], config.len());
    assert_eq!(bytes(&source, manifest["config"]["digest"].as_str().unwrap()), config);
    for (i, content) in [&one, &two, &one].into_iter().enumerate() {
        let descriptor = &manifest["layers"][i];
        assert_eq!(descriptor["mediaType"], media_type::DOCKER_LAYER);
        assert_eq!(descriptor["size"], content.len());
        assert_eq!(descriptor["digest"], Digest::of(content).as_str());
        assert_eq!(&bytes(&source, descriptor["digest"].as_str().unwrap()), content);
    }
    assert_eq!(source.name(), "archive app.tar");
    assert!(source.one_platform().is_some());
}

#[rstest]
#[case::gzip(media_type::DOCKER_LAYER_GZIP)]
#[case::zstd("application/vnd.oci.image.layer.v1.tar+zstd")]
fn a_compressed_layer_has_the_digest_of_its_compressed_bytes(#[case] media_type: &str) {
    let plain = layer("content");
    let compressed = if media_type.ends_with("zstd") {
        zstd::encode_all(plain.as_slice(), 1).unwrap()
    } else {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&plain).unwrap();
        encoder.finish().unwrap()
    };
    let json = serde_json::json!([{ "Config": "config", "RepoTags": null, "Layers": ["l", "l"] }]);
    let members = [("config", config(&[&plain, &plain])), ("l", compressed.clone()), manifest(&json)];
    let source = open(&members, None).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&source.root().unwrap().bytes).unwrap();
    for descriptor in manifest["layers"].as_array().unwrap() {
        assert_eq!(descriptor["mediaType"], media_type);
        assert_eq!(descriptor["size"], compressed.len());
        assert_eq!(bytes(&source, descriptor["digest"].as_str().unwrap()), compressed);
    }
}

/// Two images, of which the second has two names.
fn two_images() -> Vec<(&'static str, Vec<u8>)> {
    let json = serde_json::json!([
        { "Config": "one", "RepoTags": ["app:1"], "Layers": [] },
        { "Config": "two", "RepoTags": ["app:2", "registry.example:5000/app:latest"], "Layers": [] },
    ]);
    vec![("one", config(&[])), ("two", [&config(&[])[..], b" "].concat()), manifest(&json)]
}

#[rstest]
#[case(Selector::Name("app:1".into()), 0)]
#[case(Selector::Name("docker.io/library/app:1".into()), 0)]
#[case(Selector::Name("app:2".into()), 1)]
#[case(Selector::Name("registry.example:5000/app".into()), 1)]
#[case(Selector::Position(1), 1)]
fn a_selector_takes_the_image_of_that_name(#[case] selector: Selector, #[case] image: usize) {
    let members = two_images();
    let manifest: serde_json::Value =
        serde_json::from_slice(&open(&members, Some(&selector)).unwrap().root().unwrap().bytes).unwrap();
    assert_eq!(manifest["config"]["digest"], Digest::of(&members[image].1).as_str());
}

#[test]
fn several_images_and_no_selector_is_an_error_that_lists_them() {
    let error = open(&two_images(), None).map(drop).unwrap_err();
    assert_eq!(
        error.to_string(),
        "archive app.tar is not usable: it has 2 images that this could mean, and none was chosen"
    );
    let there = "app:1, app:2, registry.example:5000/app:latest";
    assert_eq!(error.hint().unwrap(), format!("choose one of them, like `docker-archive:app.tar:app:1`: {there}"));
    let error = open(&two_images(), Some(&Selector::Name("app:3".into()))).map(drop).unwrap_err();
    assert!(matches!(error, SourceError::NotFound { .. }), "{error}");
    assert!(error.hint().unwrap().ends_with(there));
}

#[test]
fn a_layer_that_is_not_there_is_a_missing_blob() {
    let json = serde_json::json!([{ "Config": "config", "Layers": ["gone"] }]);
    let source = open(&[("config", config(&[b"x"])), manifest(&json)], None).unwrap();
    let descriptor = Descriptor::new("", Digest::of(b"x"), 0);
    let error = source.open(&descriptor).map(drop).unwrap_err();
    assert!(matches!(&error, SourceError::BlobMissing { why, .. } if why.contains("`gone`")), "{error}");
    assert_eq!(source.probe(&descriptor), Err(error));
}

#[rstest]
#[case(serde_json::json!([]), "its manifest.json lists no image")]
#[case(serde_json::json!({}), "its manifest.json is not valid: invalid type: map")]
#[case(serde_json::json!([{ "Layers": [] }]), "missing field `Config`")]
#[case(serde_json::json!([{ "Config": "gone", "Layers": [] }]), "its config `gone` is not in it")]
#[case(serde_json::json!([{ "Config": "../../etc/passwd", "Layers": [] }]), "its config `../../etc/passwd` is not in it")]
#[case(serde_json::json!([{ "Config": "page", "Layers": [] }]), "its config `page` is not valid: expected value")]
#[case(serde_json::json!([{ "Config": "config", "Layers": ["a", "b"] }]), "its config has 1 diff_ids, and manifest.json lists 2 layers")]
#[case(serde_json::json!([{ "Config": "config" }]), "its config has 1 diff_ids, and manifest.json lists 0 layers")]
#[case(serde_json::json!([{ "Config": "odd", "Layers": ["a"] }]), "`sha256:xyz` is no digest")]
fn an_archive_of_the_wrong_shape_is_named(#[case] json: serde_json::Value, #[case] why: &str) {
    let odd = br#"{"rootfs":{"diff_ids":["sha256:xyz"]}}"#.to_vec();
    let members = [("config", config(&[b"x"])), ("page", b"<html>".to_vec()), ("odd", odd), manifest(&json)];
    let error = open(&members, None).map(drop).unwrap_err();
    assert!(error.to_string().contains(why), "{error}");
    assert!(matches!(error, SourceError::Invalid { .. }));
}
