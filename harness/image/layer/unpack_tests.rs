//! Layers are forged, read as any other, and looked at where they were written.

use super::*;
use crate::image::descriptor::Descriptor;
use crate::image::digest::Digest;
use crate::image::layer::{Limits, read};
use mpcheck_kit::layer::Layer;
use rstest::rstest;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

/// Unpacks a layer; what came of the writing, and whether the reading had facts.
fn unpack(layer: &Layer, limit: u64) -> (tempfile::TempDir, io::Result<()>, bool) {
    let directory = tempfile::tempdir().unwrap();
    let root = super::fs::open(directory.path(), OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
    let blob = layer.build();
    let mut unpacking = Unpacking::new(root, None, limit);
    let descriptor = Descriptor::new("layer", Digest::of(&blob.bytes), blob.bytes.len() as u64);
    let bytes = io::Cursor::new(blob.bytes.to_vec());
    let result = read(&descriptor, Box::new(bytes), &Limits::default(), Some(&mut unpacking), &|_| {});
    (directory, unpacking.finish(), result.facts.is_some() && result.faults.is_empty())
}

/// Unpacks a layer that can be.
fn unpacked(layer: &Layer) -> tempfile::TempDir {
    let (directory, written, has_facts) = unpack(layer, 1 << 30);
    written.unwrap();
    assert!(has_facts);
    directory
}

fn text(root: &tempfile::TempDir, path: &str) -> String {
    fs::read_to_string(root.path().join(path)).unwrap()
}

#[test]
fn files_have_their_bytes_modes_and_times() {
    let big: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let root = unpacked(
        &Layer::new()
            .file("etc/motd", 0o644, "hello")
            .program("usr/bin/tool", &big)
            .file("empty", 0o600, "")
            .file("none", 0, "x"),
    );
    assert_eq!(text(&root, "etc/motd"), "hello");
    assert_eq!(fs::read(root.path().join("usr/bin/tool")).unwrap(), big);
    let mode = |path: &str| fs::metadata(root.path().join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("etc/motd"), mode("usr/bin/tool"), mode("empty")), (0o644, 0o755, 0o600));
    // Its owner must be able to read it, as root elsewhere is.
    assert_eq!(mode("none"), 0o400);
    assert_eq!(fs::metadata(root.path().join("empty")).unwrap().len(), 0);
    let same = |path: &str| fs::metadata(root.path().join(path)).unwrap().mtime();
    assert_eq!(same("etc/motd"), same("empty"));
    assert!(same("etc/motd") < 2_000_000_000);
}

#[test]
fn privileged_bits_and_devices_are_left_out() {
    let layer = Layer::new().file("su", 0o4755, "x").dir("tmp", 0o1777).device("dev/null", 1, 3).fifo("pipe");
    let root = unpacked(&layer);
    let mode = |path: &str| fs::metadata(root.path().join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("su"), mode("tmp")), (0o755, 0o777));
    assert!(!root.path().join("dev/null").exists() && !root.path().join("pipe").exists());
}

#[test]
fn zeros_take_no_room_and_are_there() {
    let mut bytes = vec![0; 1 << 20];
    bytes[5] = 1;
    bytes.extend(vec![0; 1 << 20]);
    let root = unpacked(&Layer::new().file("sparse", 0o644, &bytes));
    assert_eq!(fs::read(root.path().join("sparse")).unwrap(), bytes);
    assert!(fs::metadata(root.path().join("sparse")).unwrap().blocks() < 1 << 10);
}

#[test]
fn links_are_made_as_they_stand() {
    let layer = Layer::new()
        .file("bin/busybox", 0o755, "b")
        .hardlink("bin/sh", "bin/busybox")
        .symlink("bin/ls", "busybox")
        .symlink("dangling", "/nowhere");
    let root = unpacked(&layer);
    let of = |path: &str| fs::symlink_metadata(root.path().join(path)).unwrap();
    assert_eq!(of("bin/sh").ino(), of("bin/busybox").ino());
    assert_eq!(fs::read_link(root.path().join("bin/ls")).unwrap(), Path::new("busybox"));
    assert_eq!(fs::read_link(root.path().join("dangling")).unwrap(), Path::new("/nowhere"));
}

#[test]
fn whiteouts_are_what_overlayfs_takes_for_them() {
    let root = unpacked(&Layer::new().dirs(&["etc"]).whiteout("etc/gone").whiteout("top").opaque("etc"));
    for name in ["etc/gone", "top"] {
        let meta = fs::symlink_metadata(root.path().join(name)).unwrap();
        assert!(meta.file_type().is_char_device() && meta.rdev() == 0, "{name}");
    }
    let mut value = [0; 8];
    let length = super::fs::getxattr(root.path().join("etc"), "user.overlay.opaque", &mut value).unwrap();
    assert_eq!(&value[..length], b"y");
}

#[rstest]
#[case::file_over_file(Layer::new().file("x", 0o644, "1").file("x", 0o644, "2"))]
#[case::file_over_directory(Layer::new().file("x/a/b", 0o644, "1").file("x", 0o644, "2"))]
#[case::file_over_link(Layer::new().file("y", 0o644, "1").symlink("x", "y").file("x", 0o644, "2"))]
#[case::file_beside_its_whiteout(Layer::new().file("x", 0o644, "2").whiteout("x"))]
#[case::file_after_its_whiteout(Layer::new().whiteout("x").file("x", 0o644, "2"))]
fn the_last_entry_of_a_name_counts(#[case] layer: Layer) {
    let root = unpacked(&layer);
    assert_eq!(text(&root, "x"), "2");
    assert!(!root.path().join("y").exists() || text(&root, "y") == "1");
}

#[test]
fn a_directory_takes_the_place_of_a_file() {
    let root = unpacked(&Layer::new().file("x", 0o644, "1").dir("x", 0o755).file("x/y", 0o644, "2"));
    assert_eq!(text(&root, "x/y"), "2");
}

#[rstest]
#[case::absolute("OUT")]
#[case::upwards("../../../../../../../../../../../../OUT")]
fn links_lead_no_further_than_the_layers_top(#[case] target: &str) {
    let outside = tempfile::tempdir().unwrap();
    let out = outside.path().to_str().unwrap();
    let target = target.replace("OUT", if target == "OUT" { out } else { out.trim_start_matches('/') });
    let layer = Layer::new()
        .symlink("a", &target)
        .file("a/evil", 0o644, "x")
        .dir("a/directory", 0o755)
        .symlink("a/link", "x")
        .whiteout("a/gone")
        .opaque("a");
    let root = unpacked(&layer);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    // What the link names was made below the layer's top.
    assert_eq!(text(&root, &format!("{}/evil", out.trim_start_matches('/'))), "x");
}

#[test]
fn a_loop_of_links_ends_the_writing_and_not_the_reading() {
    let layer = Layer::new().symlink("a", "b").symlink("b", "a").file("a/x", 0o644, "x").file("later", 0o644, "y");
    let (root, written, has_facts) = unpack(&layer, 1 << 30);
    let error = written.unwrap_err().to_string();
    assert!(error.contains("a/x"), "{error}");
    assert!(has_facts);
    assert!(!root.path().join("later").exists());
}

#[test]
fn a_limit_ends_the_writing_and_not_the_reading() {
    let layer = Layer::new().file("a", 0o644, vec![b'a'; 5000]).file("b", 0o644, vec![b'b'; 6000]);
    let (_root, written, has_facts) = unpack(&layer, 10_000);
    assert!(written.is_err() && has_facts);
    assert!(unpack(&layer, 11_000).1.is_ok());
}

#[test]
fn a_tree_is_removed_without_following_its_links() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("kept"), "x").unwrap();
    let root =
        unpacked(&Layer::new().symlink("tree/link", outside.path().to_str().unwrap()).file("tree/a/b", 0o644, "x"));
    let directory = super::fs::open(root.path(), OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
    remove_tree(directory.as_fd(), b"tree").unwrap();
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    assert!(outside.path().join("kept").exists());
}

#[test]
fn a_deep_tree_is_removed_with_few_descriptors() {
    let deep = "d/".repeat(1500) + "file";
    let root = unpacked(&Layer::new().file(&deep, 0o644, "x").file("d/d/beside", 0o644, "y"));
    let directory = super::fs::open(root.path(), OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
    remove_tree(directory.as_fd(), b"d").unwrap();
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn hard_links_to_nothing_here_and_to_themselves_are_no_trouble() {
    let root = unpacked(&Layer::new().hardlink("new", "bin/lower").file("same", 0o644, "x").hardlink("same", "same"));
    assert_eq!(fs::read_link(root.path().join("new")).unwrap(), Path::new("/bin/lower"));
    assert_eq!(text(&root, "same"), "x");
}
