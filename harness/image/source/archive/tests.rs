use super::*;
use crate::image::descriptor::Descriptor;
use crate::image::digest::Digest;
use rstest::rstest;
use std::io::Write;
use std::path::PathBuf;
use tempfile::TempDir;

const LAYOUT: (&str, &str) = ("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);

fn tar(members: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap()
}

/// The digest of a document and the name of its blob.
fn blob(content: &str) -> (Digest, String) {
    let digest = Digest::of(content.as_bytes());
    let name = format!("blobs/sha256/{}", digest.hex());
    (digest, name)
}

fn written(content: &[u8]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.tar");
    std::fs::write(&path, content).unwrap();
    (dir, path)
}

fn open(content: &[u8], form: ArchiveForm) -> Result<Box<dyn Source>, SourceError> {
    let (dir, path) = written(content);
    open_archive(&path, None, form, dir.path())
}

/// What Docker 26 writes with the containerd store and two platforms, of which it holds amd64; all of it is
/// what was seen, but for the sizes. The second digest is that of a blob which is not in it.
fn docker_save(listed: &str) -> (Vec<u8>, Digest, Digest) {
    let config = r#"{"os":"linux","architecture":"amd64","rootfs":{"diff_ids":[]}}"#;
    let (config_digest, config_name) = blob(config);
    let manifest = format!(r#"{{"config":{{"digest":"{config_digest}"}},"layers":[]}}"#);
    let (manifest_digest, manifest_name) = blob(&manifest);
    let absent = Digest::of(b"the manifest for arm64");
    let index = format!(
        r#"{{"manifests":[{{"digest":"{manifest_digest}","platform":{{"os":"linux","architecture":"amd64"}}}},
            {{"digest":"{absent}","platform":{{"os":"linux","architecture":"arm64","variant":"v8"}}}}]}}"#
    );
    let (index_digest, index_name) = blob(&index);
    let top = format!(
        r#"{{"manifests":[{{"digest":"{index_digest}","annotations":{{"io.containerd.image.name":"docker.io/library/app:1","org.opencontainers.image.ref.name":"1"}}}}]}}"#
    );
    let saved = format!(r#"[{{"Config":"{config_name}","RepoTags":["app:1"],"Layers":[{listed}]}}]"#);
    let members = [
        (config_name.as_str(), config),
        (&manifest_name, &manifest),
        (&index_name, &index),
        ("index.json", &top),
        ("manifest.json", &saved),
        LAYOUT,
    ];
    (tar(&members), index_digest, absent)
}

#[rstest]
#[case(ArchiveForm::Any)]
#[case(ArchiveForm::Oci)]
#[case(ArchiveForm::Docker)]
fn of_both_forms_the_layout_is_taken(#[case] form: ArchiveForm) {
    let (archive, index, _) = docker_save("");
    let source = open(&archive, form).unwrap();
    assert_eq!(source.root().unwrap().digest, Some(index));
    assert_eq!(source.one_platform(), None);
}

#[test]
fn a_name_of_either_spelling_selects_the_image() {
    let (archive, index, _) = docker_save("");
    let (dir, path) = written(&archive);
    for name in ["1", "app:1", "docker.io/library/app:1"] {
        let source = open_archive(&path, Some(&Selector::Name(name.into())), ArchiveForm::Docker, dir.path()).unwrap();
        assert_eq!(source.root().unwrap().digest.as_ref(), Some(&index), "{name}");
    }
}

#[test]
fn a_platform_that_docker_save_left_out_is_not_held() {
    let (archive, _, absent) = docker_save("");
    let error = open(&archive, ArchiveForm::Any).unwrap().open(&Descriptor::new("", absent, 1)).map(drop).unwrap_err();
    let SourceError::NotHeld { why, .. } = &error else { panic!("{error}") };
    assert!(why.contains("holds only linux/amd64 of this image"), "{why}");
}

#[test]
fn a_blob_that_manifest_json_lists_is_missing_and_not_merely_not_held() {
    let lost = Digest::of(b"a layer");
    let (archive, ..) = docker_save(&format!(r#""blobs/sha256/{}""#, lost.hex()));
    let error = open(&archive, ArchiveForm::Any).unwrap().probe(&Descriptor::new("", lost, 1)).unwrap_err();
    assert!(matches!(error, SourceError::BlobMissing { .. }), "{error}");
}

#[test]
fn a_layout_without_manifest_json_lacks_what_is_not_there() {
    let (digest, name) = blob("manifest");
    let index = format!(r#"{{"manifests":[{{"digest":"{digest}"}}]}}"#);
    let source = open(&tar(&[(&name, "manifest"), LAYOUT, ("index.json", &index)]), ArchiveForm::Any).unwrap();
    assert_eq!(source.root().unwrap().bytes, b"manifest");
    let error = source.probe(&Descriptor::new("", Digest::of(b"x"), 1)).unwrap_err();
    assert!(matches!(error, SourceError::BlobMissing { .. }), "{error}");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

#[rstest]
#[case(gzip)]
#[case(zstd)]
fn compressed_archives_are_unpacked_and_leave_nothing_behind(#[case] compress: fn(&[u8]) -> Vec<u8>) {
    let (archive, index, _) = docker_save("");
    let (dir, path) = written(&compress(&archive));
    let temporary = tempfile::tempdir().unwrap();
    let source = open_archive(&path, None, ArchiveForm::Any, temporary.path()).unwrap();
    assert_eq!(source.root().unwrap().digest, Some(index));
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
    drop(dir);
}

#[rstest]
#[case::xz(b"\xfd7zXZ\0rest".to_vec(), "it is compressed with xz, and gzip and zstd are read", "xz -dk ")]
#[case::bzip2(b"BZh91AY".to_vec(), "it is compressed with bzip2", "bzip2 -dk ")]
#[case::gzip_of_text(gzip(b"<html>"), "it cannot be unpacked: there is no tar in it", "save or copy")]
#[case::gzip_of_zeros(gzip(&[0; 100_000]), "it cannot be unpacked: there is no tar in it", "save or copy")]
#[case::gzip_truncated({ let mut g = gzip(&docker_save("").0); g.truncate(g.len() / 2); g }, "it cannot be unpacked: ", "save or copy")]
#[case::gzip_broken(b"\x1f\x8b\x08\0\0\0\0\0\0\0nonsense".to_vec(), "it cannot be unpacked: ", "save or copy")]
#[case::zstd_truncated({ let mut z = zstd(&docker_save("").0); z.truncate(z.len() / 2); z }, "it cannot be unpacked: ", "save or copy")]
#[case::tar_truncated({ let mut t = docker_save("").0; t.truncate(700); t }, "it is cut short", "interrupted")]
#[case::other_tar(tar(&[("etc/passwd", "root")]), "its 1 members have neither an oci-layout nor a manifest.json", "docker save")]
#[case::empty_tar(vec![0; 1024], "its 0 members have neither", "docker save")]
#[case::no_layout_file(tar(&[("index.json", "{}")]), "it has no file oci-layout", "again")]
fn what_is_no_archive_of_an_image_is_named(#[case] content: Vec<u8>, #[case] why: &str, #[case] hint: &str) {
    let error = open(&content, ArchiveForm::Any).map(drop).unwrap_err();
    assert!(error.to_string().contains(why), "{error}");
    assert!(error.hint().unwrap().contains(hint), "{:?}", error.hint());
}

#[test]
fn a_transport_that_does_not_fit_the_file_is_named_with_the_one_that_does() {
    let config = r#"{"rootfs":{"diff_ids":[]}}"#;
    let old = tar(&[("c", config), ("manifest.json", r#"[{"Config":"c","Layers":[]}]"#)]);
    assert!(open(&old, ArchiveForm::Any).unwrap().one_platform().is_some());
    assert!(open(&old, ArchiveForm::Docker).is_ok());
    let error = open(&old, ArchiveForm::Oci).map(drop).unwrap_err();
    assert!(error.to_string().ends_with("it has no oci-layout"), "{error}");
    assert!(error.hint().unwrap().starts_with("write `docker-archive:/"), "{:?}", error.hint());
    let layout = tar(&[LAYOUT, ("index.json", r#"{"manifests":[]}"#)]);
    let error = open(&layout, ArchiveForm::Docker).map(drop).unwrap_err();
    assert!(error.to_string().ends_with("it has no manifest.json"), "{error}");
    assert!(error.hint().unwrap().starts_with("write `oci-archive:/"), "{:?}", error.hint());
    let neither = tar(&[("etc/passwd", "root")]);
    assert!(open(&neither, ArchiveForm::Oci).map(drop).unwrap_err().hint().unwrap().contains("docker save"));
}
