//! Layers and root filesystems: what holds of each, whatever the bytes were.

use mpcheck::image::descriptor::Descriptor;
use mpcheck::image::digest::Digest;
use mpcheck::image::layer::{self, Entry, EntryKind, LayerFacts, Limits, MAX_NAME_BYTES};
use mpcheck::image::rootfs::{NodeKind, RootFs};
use std::io::Cursor;

/// Small, so that they are met.
pub const LIMITS: Limits = Limits { bytes: 1 << 20, entries: 300, name_bytes: 32 << 10 };

/// Reads a blob as a layer under its own digest, and checks what comes out.
pub fn read(blob: &[u8]) -> Option<LayerFacts> {
    let descriptor = Descriptor::new("application/vnd.oci.image.layer.v1.tar", Digest::of(blob), blob.len() as u64);
    let read = layer::read(&descriptor, Box::new(Cursor::new(blob.to_vec())), &LIMITS, None, &|_| {});
    assert_eq!(read.undecided, None, "a source that never fails");
    assert_eq!(read.facts.is_none(), !read.faults.is_empty(), "neither facts nor a fault, or both");
    for fault in &read.faults {
        match fault {
            layer::Fault::Corrupt(why) | layer::Fault::TooLarge(why) => super::assert_readable(why),
            other => panic!("the blob is what its descriptor says, and this is {other:?}"),
        }
    }
    let facts = read.facts?;
    check(&facts);
    Some(facts)
}

fn check(facts: &LayerFacts) {
    assert!(facts.bytes <= LIMITS.bytes);
    assert!(facts.entries.len() as u64 <= LIMITS.entries);
    assert!(facts.entries.iter().map(name_bytes).sum::<u64>() <= LIMITS.name_bytes);
    for entry in &facts.entries {
        assert_real(&entry.path);
        assert_eq!(entry.mode & !0o7777, 0);
        match &entry.kind {
            EntryKind::Hardlink(target) => assert_real(target),
            EntryKind::Symlink(target) => assert!(!target.is_empty() && target.len() <= MAX_NAME_BYTES),
            EntryKind::Whiteout => assert!(!entry.path.is_empty(), "the root itself cannot be hidden"),
            _ => {}
        }
    }
    // The cache gives back what it was given.
    let stored = postcard::to_stdvec(facts).expect("facts can be stored");
    assert_eq!(postcard::from_bytes::<LayerFacts>(&stored).expect("stored facts can be read"), *facts);
}

fn name_bytes(entry: &Entry) -> u64 {
    let target = match &entry.kind {
        EntryKind::Symlink(target) | EntryKind::Hardlink(target) => target.len(),
        _ => 0,
    };
    (entry.path.len() + target) as u64
}

/// A path without anything that leads elsewhere. The root is the empty path.
fn assert_real(path: &[u8]) {
    assert!(path.len() <= MAX_NAME_BYTES);
    assert!(!path.contains(&0));
    let is_name = |part: &[u8]| !matches!(part, b"" | b"." | b"..");
    assert!(path.is_empty() || path.split(|&b| b == b'/').all(is_name), "{}", path.escape_ascii());
}

/// Merges layers and checks the tree: every file in a real directory, every path findable.
pub fn merge(layers: &[&LayerFacts]) {
    let tree = RootFs::merge(layers.iter().copied().enumerate());
    for problem in tree.problems() {
        assert!(problem.layer < layers.len());
        assert!(!problem.why.contains(char::is_control), "{:?}", problem.why);
    }
    for (path, node) in tree.iter() {
        assert!(node.layer < layers.len());
        let is_name = |part: &[u8]| !matches!(part, b"" | b"." | b"..");
        assert!(path.split(|&b| b == b'/').all(is_name), "{}", path.escape_ascii());
        if let Some(at) = path.iter().rposition(|&b| b == b'/') {
            let parent = tree.get(&path[..at]).map(|parent| parent.kind);
            assert_eq!(parent, Some(NodeKind::Directory), "{} lies in no directory", path.escape_ascii());
            assert!(tree.children(&path[..at]).any(|(child, _)| child == path), "{} is no child", path.escape_ascii());
        }
        match tree.lookup(path) {
            Ok((real, found)) => {
                assert_eq!(tree.get(&real).unwrap_or(found), found);
                assert!(!matches!(found.kind, NodeKind::Symlink(_)), "a link is not followed");
                assert!(matches!(node.kind, NodeKind::Symlink(_)) || real == path, "a real path leads elsewhere");
            }
            Err(_) => assert!(matches!(node.kind, NodeKind::Symlink(_)), "{} is not found", path.escape_ascii()),
        }
    }
}
