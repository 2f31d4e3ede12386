//! Files out of forged layers, as the tree places them.

use super::*;
use crate::image::descriptor::{Descriptor, media_type};
use crate::image::digest::Digest;
use crate::image::facts::{LayerHow, LayerState};
use crate::image::fetch::Unread;
use crate::image::layer::{Limits, read as read_layer};
use crate::image::source::{Root, SourceError};
use crate::platform::Platform;
use mpcheck_kit::compress::Compression;
use mpcheck_kit::layer::Layer;
use rstest::rstest;
use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A source of layers alone, which counts how often one is opened.
struct Blobs {
    blobs: BTreeMap<String, Vec<u8>>,
    opened: AtomicUsize,
}

impl Source for Blobs {
    fn name(&self) -> String {
        "test".to_owned()
    }

    fn root(&self) -> Result<Root, SourceError> {
        unreachable!()
    }

    fn open(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, SourceError> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        match self.blobs.get(descriptor.digest.as_str()) {
            Some(bytes) => Ok(Box::new(std::io::Cursor::new(bytes.clone()))),
            None => Err(SourceError::BlobMissing { digest: descriptor.digest.clone(), why: "the test lost it".into() }),
        }
    }
}

struct Image {
    source: Blobs,
    platform: PlatformFacts,
    store: Store,
    _directory: tempfile::TempDir,
}

impl Image {
    fn of(layers: Vec<Layer>) -> Image {
        let mut source = Blobs { blobs: BTreeMap::new(), opened: AtomicUsize::new(0) };
        let states = layers.into_iter().map(|layer| {
            let blob = layer.compress(Compression::None).build();
            let digest = Digest::parse(&blob.digest).unwrap();
            let descriptor = Descriptor::new(media_type::OCI_LAYER, digest, blob.bytes.len() as u64);
            let opened = Box::new(std::io::Cursor::new(blob.bytes.to_vec()));
            let facts = read_layer(&descriptor, opened, &Limits::default(), None, &|_| {}).facts.map(Arc::new);
            source.blobs.insert(blob.digest.clone(), blob.bytes.to_vec());
            let (faults, unread, how, took) = (Vec::new(), None, LayerHow::Read, Duration::ZERO);
            Arc::new(LayerState { descriptor, facts, faults, unread, how, took })
        });
        let layers = states.collect();
        let unread = || Unread::NotHeld(String::new());
        let platform = PlatformFacts {
            descriptor: Descriptor::new(media_type::OCI_MANIFEST, Digest::of(b""), 0),
            platform: Platform::parse("linux/amd64").unwrap(),
            selected: true,
            manifest: Err(unread()),
            config: Err(unread()),
            layers,
            artifact: None,
        };
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), None).unwrap();
        Image { source, platform, store, _directory: directory }
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, ContentsError> {
        let facts = self.platform.layers.iter().map(|layer| layer.facts.as_deref().unwrap());
        let tree = RootFs::merge(facts.enumerate());
        contents(path.as_bytes(), &tree, &self.platform, &self.store, &self.source)
    }
}

#[rstest]
#[case::of_a_lower_layer(vec![Layer::new().file("a", 0o644, "1"), Layer::new().file("b", 0o644, "2")], "a", "1")]
#[case::of_the_upper_one(vec![Layer::new().file("a", 0o644, "1"), Layer::new().file("a", 0o644, "2")], "a", "2")]
#[case::nobody_may_read_it(vec![Layer::new().file("a", 0o000, "1")], "a", "1")]
#[case::empty(vec![Layer::new().file("a", 0o644, "")], "a", "")]
#[case::hard_link(vec![Layer::new().file("a", 0o644, "1").hardlink("b", "a")], "b", "1")]
#[case::hard_link_into_a_lower_layer(vec![Layer::new().file("d/a", 0o644, "1"), Layer::new().hardlink("b", "d/a")], "b", "1")]
#[case::hard_link_to_a_hard_link(
    vec![Layer::new().file("a", 0o644, "1"), Layer::new().hardlink("b", "a"), Layer::new().hardlink("c", "b").file("a", 0o644, "2")],
    "c", "1"
)]
#[case::hard_link_to_what_was_replaced(vec![Layer::new().file("a", 0o644, "1").hardlink("b", "a").file("a", 0o644, "2")], "b", "1")]
#[case::through_a_linked_parent(vec![Layer::new().dirs(&["usr/lib"]).symlink("lib", "usr/lib").file("lib/x", 0o644, "1")], "usr/lib/x", "1")]
#[case::through_a_lower_layers_link(
    vec![Layer::new().dirs(&["usr/lib"]).symlink("lib", "/usr/lib"), Layer::new().file("lib/x", 0o644, "1")],
    "usr/lib/x", "1"
)]
#[case::the_last_of_two_ways(
    vec![Layer::new().dirs(&["usr/lib"]).symlink("lib", "usr/lib"), Layer::new().file("usr/lib/x", 0o644, "1").file("lib/x", 0o644, "2")],
    "usr/lib/x", "2"
)]
#[case::a_link_that_changed_its_target(
    vec![Layer::new().file("d1/f", 0o644, "0").file("d2/f", 0o644, "2").symlink("a", "d1").file("a/f", 0o644, "1").symlink("a", "d2")],
    "d1/f", "1"
)]
#[case::a_link_that_became_a_directory(
    vec![Layer::new().dirs(&["d1"]).symlink("a", "d1").file("a/f", 0o644, "1").dir("a", 0o755).file("a/f", 0o644, "2")],
    "d1/f", "1"
)]
fn a_file_is_read_as_a_container_would(#[case] layers: Vec<Layer>, #[case] path: &str, #[case] wanted: &str) {
    let image = Image::of(layers);
    assert_eq!(image.read(path).map(|bytes| String::from_utf8(bytes).unwrap()), Ok(wanted.to_owned()));
}

#[rstest]
#[case("none", "`/none` does not exist")]
#[case("", "`/` is no regular file but a directory")]
#[case("d", "`/d` is no regular file but a directory")]
#[case("link", "`/link` is no regular file but a symbolic link")]
#[case("pipe", "`/pipe` is no regular file but a device, a FIFO or a socket")]
#[case("link/x", "`/link/x` does not exist")]
#[case("../a", "`/../a` does not exist")]
fn what_is_no_file_is_told(#[case] path: &str, #[case] why: &str) {
    let layer = Layer::new().file("a", 0o644, "1").dirs(&["d"]).symlink("link", "/etc").fifo("pipe");
    assert_eq!(Image::of(vec![layer]).read(path).unwrap_err().to_string(), why);
}

#[test]
fn what_is_too_large_is_told_and_not_read() {
    let most = MAX_FILE_BYTES;
    let layer =
        Layer::new().sparse_gnu("most", 0o644, most, &[(0, b"x")]).sparse_gnu("more", 0o644, most + 1, &[(0, b"x")]);
    let image = Image::of(vec![layer]);
    assert_eq!(image.read("most").map(|bytes| bytes.len() as u64), Ok(most));
    let error = image.read("more").unwrap_err();
    assert_eq!(error.to_string(), "`/more` has 67108865 bytes, more than the 67108864 that are read of a file");
}

#[test]
fn a_layer_is_unpacked_once_and_the_others_not_at_all() {
    let layers =
        [("a", "1"), ("b", "2")].map(|(name, text)| Layer::new().file(name, 0o644, text).file("c", 0o644, text));
    let image = Image::of(layers.to_vec());
    assert!(image.read("a").is_ok() && image.read("a").is_ok());
    assert_eq!(image.source.opened.load(Ordering::SeqCst), 1);
    assert!(image.read("c").is_ok() && image.read("b").is_ok());
    assert_eq!(image.source.opened.load(Ordering::SeqCst), 2);
}

#[test]
fn who_wants_a_layer_waits_for_who_unpacks_it() {
    let image = Image::of(vec![Layer::new().file("a", 0o644, "1")]);
    let barrier = std::sync::Barrier::new(8);
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                barrier.wait();
                assert_eq!(image.read("a"), Ok(b"1".to_vec()));
            });
        }
    });
    assert_eq!(image.source.opened.load(Ordering::SeqCst), 1);
}

#[test]
fn a_layer_that_cannot_be_had_is_told_with_the_file() {
    let mut image = Image::of(vec![Layer::new().file("a", 0o644, "1")]);
    image.source.blobs.clear();
    let error = image.read("a").unwrap_err().to_string();
    assert!(error.starts_with("layer 0, which has `/a`, could not be unpacked:"), "{error}");
    assert!(error.contains("the test lost it"), "{error}");
}

/// Whatever became of the store meanwhile.
#[test]
fn no_link_is_followed() {
    let image = Image::of(vec![Layer::new().file("d/a", 0o644, "1")]);
    assert!(image.read("d/a").is_ok());
    let held = image.store.hold(&image.platform.layers[0].descriptor).unwrap().unwrap();
    let files = image.store.directory().join(&held.files);
    std::fs::remove_dir_all(files.join("d")).unwrap();
    std::os::unix::fs::symlink("/etc", files.join("d")).unwrap();
    assert!(matches!(image.read("d/a"), Err(ContentsError::Unread { layer: 0, .. })));
}
