use super::super::directory::Directory;
use super::*;
use crate::image::descriptor::Descriptor;
use rstest::rstest;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const INDEX: &str = media_type::OCI_INDEX;
const MANIFEST: &str = media_type::OCI_MANIFEST;

struct Forged(TempDir);

impl Forged {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        fs::create_dir_all(dir.path().join("blobs/sha256")).unwrap();
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn blob(&self, content: &str) -> Digest {
        let digest = Digest::of(content.as_bytes());
        fs::write(self.path().join(blob_name(&digest)), content).unwrap();
        digest
    }

    fn index(&self, json: &str) -> &Self {
        fs::write(self.path().join("index.json"), json).unwrap();
        self
    }

    fn open(&self, selector: Option<&Selector>) -> Result<Layout<Directory>, SourceError> {
        let place = Place { name: "OCI layout ./out".into(), address: Some("oci:./out".into()) };
        Layout::open(Directory::new(self.path().into()), place, selector, None)
    }
}

fn text(mut reader: Box<dyn Read + Send>) -> String {
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn the_only_image_is_the_root_with_what_the_layout_says_of_it() {
    let forged = Forged::new();
    let digest = forged.blob("the manifest");
    forged.index(&format!(
        r#"{{"manifests":[{{"mediaType":"{MANIFEST}","digest":"{digest}","size":12,
            "platform":{{"os":"linux","architecture":"arm","variant":"v7","os.version":"1","os.features":["x"]}}}}]}}"#
    ));
    let layout = forged.open(None).unwrap();
    let root = layout.root().unwrap();
    assert_eq!(root.bytes, b"the manifest");
    assert_eq!(root.media_type.as_deref(), Some(MANIFEST));
    assert_eq!(root.digest, Some(digest.clone()));
    let platform = root.platform.unwrap();
    assert_eq!((&*platform.os, &*platform.architecture, &*platform.variant), ("linux", "arm", "v7"));
    assert_eq!((&*platform.os_version, &*platform.os_features), ("1", &["x".to_owned()][..]));
    assert_eq!(layout.name(), "OCI layout ./out");
    let descriptor = Descriptor::new(MANIFEST, digest, 12);
    assert_eq!(text(layout.open(&descriptor).unwrap()), "the manifest");
    assert_eq!(layout.probe(&descriptor), Ok(()));
}

#[test]
fn null_counts_as_absent() {
    let forged = Forged::new();
    let digest = forged.blob("the manifest");
    let platform = r#"{"os":"linux","architecture":"arm64","variant":null,"os.features":null}"#;
    forged.index(&format!(
        r#"{{"mediaType":null,"manifests":[{{"mediaType":null,"digest":"{digest}","annotations":{{"x":null}},"platform":{platform}}}]}}"#
    ));
    let root = forged.open(None).unwrap().root().unwrap();
    assert_eq!((root.media_type, root.platform.unwrap().variant), (None, String::new()));
}

#[test]
fn platforms_without_names_make_the_index_the_root() {
    let forged = Forged::new();
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[
            {{"mediaType":"{MANIFEST}","digest":"{}","platform":{{"os":"linux","architecture":"amd64"}}}},
            {{"mediaType":"{MANIFEST}","digest":"{}","platform":{{"os":"linux","architecture":"arm64"}}}}]}}"#,
        Digest::of(b"1"),
        Digest::of(b"2")
    );
    let root = forged.index(&index).open(None).unwrap().root().unwrap();
    assert_eq!(root, Root { bytes: index.into_bytes(), media_type: Some(INDEX.into()), digest: None, platform: None });
}

#[test]
fn a_selector_takes_the_image_of_that_tag_or_digest() {
    let forged = Forged::new();
    let (one, two, three) = (forged.blob("one"), forged.blob("two"), forged.blob("three"));
    let entry = |digest: &Digest, tag: &str| {
        format!(
            r#"{{"mediaType":"{INDEX}","digest":"{digest}","annotations":{{"org.opencontainers.image.ref.name":"{tag}"}}}}"#
        )
    };
    forged.index(&format!(r#"{{"manifests":[{},{}]}}"#, entry(&one, "v1"), entry(&two, "v2")));
    let bytes = |selector| forged.open(Some(&selector)).unwrap().root().unwrap().bytes;
    assert_eq!(bytes(Selector::Name("v2".into())), b"two");
    assert_eq!(bytes(Selector::Digest(one)), b"one");
    assert_eq!(bytes(Selector::Digest(three)), b"three");
    let error = forged.open(None).map(drop).unwrap_err();
    assert_eq!(
        error.to_string(),
        "OCI layout ./out is not usable: it has 2 images that this could mean, and none was chosen"
    );
    assert_eq!(error.hint(), Some("choose one of them, like `oci:./out:v1`: v1, v2"));
    let error = forged.open(Some(&Selector::Name("v3".into()))).map(drop).unwrap_err();
    assert_eq!(error.to_string(), "the image `v3` was not found: OCI layout ./out has none of that name");
    assert!(error.hint().unwrap().ends_with(": v1, v2"));
}

#[test]
fn a_root_that_is_not_there_is_not_found_and_a_lost_blob_is_missing() {
    let forged = Forged::new();
    let lost = Digest::of(b"lost");
    forged.index(&format!(r#"{{"manifests":[{{"digest":"{lost}"}}]}}"#));
    let layout = forged.open(None).unwrap();
    let Err(SourceError::NotFound { why, .. }) = layout.root() else { panic!("{:?}", layout.root()) };
    assert_eq!(why, format!("OCI layout ./out has no file {}", blob_name(&lost)));
    let descriptor = Descriptor::new(MANIFEST, lost.clone(), 4);
    for error in [layout.open(&descriptor).map(drop).unwrap_err(), layout.probe(&descriptor).unwrap_err()] {
        assert!(matches!(&error, SourceError::BlobMissing { digest, .. } if *digest == lost), "{error}");
    }
}

#[test]
fn a_fifo_for_a_blob_is_refused_and_a_link_is_followed() {
    let forged = Forged::new();
    let fifo = Digest::of(b"fifo");
    let path = forged.path().join(blob_name(&fifo));
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let linked = Digest::of(b"elsewhere");
    fs::write(forged.path().join("shared"), "elsewhere").unwrap();
    std::os::unix::fs::symlink("../../shared", forged.path().join(blob_name(&linked))).unwrap();
    forged.index(&format!(r#"{{"manifests":[{{"digest":"{fifo}"}}]}}"#));
    let layout = forged.open(None).unwrap();
    for error in [layout.root().unwrap_err(), layout.open(&Descriptor::new("", fifo, 4)).map(drop).unwrap_err()] {
        assert!(error.to_string().ends_with("it is no regular file"), "{error}");
    }
    assert_eq!(text(layout.open(&Descriptor::new("", linked, 9)).unwrap()), "elsewhere");
}

#[rstest]
#[case(r#"{"manifests":[]}"#, "its index.json lists no image")]
#[case("{}", "its index.json lists no image")]
#[case(r#"{"manifests":null}"#, "its index.json lists no image")]
#[case("", "its index.json is not valid: EOF while parsing")]
#[case("<html></html>", "its index.json is not valid: expected value")]
#[case("null", "its index.json is not valid: invalid type: null")]
#[case(r#"{"manifests":{}}"#, "its index.json is not valid: invalid type: map")]
#[case(
    r#"{"manifests":[{"digest":"../../etc/passwd"}]}"#,
    "its index.json is not valid: `../../etc/passwd` is no digest"
)]
#[case(r#"{"manifests":[{"digest":"sha256:../../../../../etc/passwd"}]}"#, "is no digest")]
#[case(r#"{"manifests":[{"digest":"\u001b[31m"}]}"#, r"`\u{1b}[31m` is no digest")]
#[case(&"[".repeat(100_000), "its index.json is not valid: ")]
fn an_index_of_the_wrong_shape_is_named(#[case] index: &str, #[case] why: &str) {
    let error = Forged::new().index(index).open(None).map(drop).unwrap_err();
    assert!(error.to_string().contains(why), "{error}");
    assert!(!error.to_string().contains('\u{1b}'), "{error}");
    assert!(matches!(error, SourceError::Invalid { .. }));
}

#[test]
fn an_index_larger_than_any_real_one_is_not_read() {
    let forged = Forged::new();
    fs::File::create(forged.path().join("index.json")).unwrap().set_len(100 * 1024 * 1024).unwrap();
    let error = forged.open(None).map(drop).unwrap_err();
    assert!(error.to_string().contains("its index.json cannot be read: it has 104857600 bytes"), "{error}");
}

#[rstest]
#[case(None, "it has no file oci-layout")]
#[case(Some("{}"), "its oci-layout is not valid: missing field `imageLayoutVersion`")]
#[case(Some(r#"{"imageLayoutVersion":"2.0.0"}"#), "its layout version is `2.0.0`")]
fn the_layout_file_is_checked(#[case] content: Option<&str>, #[case] why: &str) {
    let forged = Forged::new();
    forged.index("{}");
    match content {
        Some(content) => fs::write(forged.path().join("oci-layout"), content).unwrap(),
        None => fs::remove_file(forged.path().join("oci-layout")).unwrap(),
    }
    let error = forged.open(None).map(drop).unwrap_err();
    assert!(error.to_string().contains(why), "{error}");
}

#[test]
fn a_layout_without_an_index_is_named() {
    let error = Forged::new().open(None).map(drop).unwrap_err();
    assert!(error.to_string().ends_with("it has no file index.json"), "{error}");
}
