use super::*;
use crate::image::digest::Digest;
use rstest::rstest;

/// A layer in shorthand: `d DIR`, `f FILE`, `x FILE` (executable), `l LINK TARGET`, `h LINK TARGET`,
/// `w PATH` (whiteout), `o DIR` (opaque).
fn layer(text: &str) -> LayerFacts {
    let entry = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let bytes = |i: usize| words[i].as_bytes().into();
        let (kind, mode) = match words[0] {
            "d" => (EntryKind::Directory, 0o755),
            "f" => (EntryKind::File(None), 0o644),
            "x" => (EntryKind::File(Some(Box::new(Content::Text))), 0o755),
            "l" => (EntryKind::Symlink(bytes(2)), 0o777),
            "h" => (EntryKind::Hardlink(bytes(2)), 0o644),
            "w" => (EntryKind::Whiteout, 0),
            "o" => (EntryKind::Opaque, 0),
            other => panic!("{other}"),
        };
        Entry { path: bytes(1), kind, mode, user: 0, group: 0 }
    };
    let entries = text.split(',').map(str::trim).filter(|line| !line.is_empty()).map(entry).collect();
    LayerFacts { diff_id: Digest::of(text.as_bytes()), bytes: 0, entries }
}

fn names(tree: &RootFs<'_>) -> String {
    let name = |(path, node): (&[u8], &Node<'_>)| {
        let mark = match node.kind {
            NodeKind::Directory => "/",
            NodeKind::Symlink(_) => "@",
            NodeKind::File(_) | NodeKind::Special => "",
        };
        format!("{}{mark}", path.escape_ascii())
    };
    tree.iter().map(name).collect::<Vec<_>>().join(" ")
}

#[rstest]
#[case::nothing(&[], "")]
#[case::parents_are_made(&["f a/b/c"], "a/ a/b/ a/b/c")]
#[case::a_whiteout_removes_below(&["d a, f a/b, f c", "w a"], "c")]
#[case::a_whiteout_spares_neighbours(&["f a/b, f a-b, f a.b, f ab", "w a"], "a-b a.b ab")]
#[case::a_whiteout_spares_its_own_layer(&["f a", "w a, f a"], "a")]
#[case::its_place_in_the_layer_does_not_matter(&["f a", "f a, w a"], "a")]
#[case::an_opaque_directory_hides_what_was_in_it(&["f a/b, f c", "d a, o a, f a/d"], "a/ a/d c")]
#[case::an_opaque_root(&["f a/b, f c", "o , f d"], "d")]
#[case::whiteout_of_nothing(&["f a", "w b"], "a")]
#[case::whiteout_through_a_link(&["d usr/lib, l lib usr/lib, f usr/lib/x", "w lib/x"], "lib@ usr/ usr/lib/")]
#[case::whiteout_of_a_link_keeps_its_target(&["d usr/lib, l lib usr/lib, f usr/lib/x", "w lib"], "usr/ usr/lib/ usr/lib/x")]
#[case::files_go_through_linked_parents(&["d usr/lib, l lib usr/lib", "f lib/x"], "lib@ usr/ usr/lib/ usr/lib/x")]
#[case::absolute_links_too(&["d usr/lib, l lib /usr/lib", "f lib/x"], "lib@ usr/ usr/lib/ usr/lib/x")]
#[case::a_directory_replaces_a_link(&["d usr/lib, l lib usr/lib", "d lib, f lib/x"], "lib/ lib/x usr/ usr/lib/")]
#[case::a_file_replaces_a_directory(&["f a/b", "f a"], "a")]
#[case::a_directory_replaces_a_file(&["f a", "d a, f a/b"], "a/ a/b")]
#[case::a_directory_keeps_its_content(&["f a/b", "d a"], "a/ a/b")]
#[case::a_link_replaces_a_directory(&["f a/b, d c", "l a c, f a/d"], "a@ c/ c/d")]
#[case::dangling_parents_are_made(&["l lib usr/lib, f lib/x"], "lib@ usr/ usr/lib/ usr/lib/x")]
#[case::links_do_not_leave_the_root(&["l a ../../b, d b", "f a/c"], "a@ b/ b/c")]
fn layers_are_applied_as_engines_do(#[case] layers: &[&str], #[case] expected: &str) {
    let layers: Vec<LayerFacts> = layers
        .iter()
        .map(|text| {
            if let Some(rest) = text.strip_prefix("o ,") {
                let mut facts = layer(rest);
                facts.entries.push(Entry { path: [].into(), kind: EntryKind::Opaque, mode: 0, user: 0, group: 0 });
                facts
            } else {
                layer(text)
            }
        })
        .collect();
    let tree = RootFs::merge(layers.iter().enumerate());
    assert_eq!(names(&tree), expected);
    assert_eq!(tree.problems(), []);
}

#[rstest]
#[case::hard_link_to_nothing(&["h a b"], 0, "points at `/b`: `/b` does not exist")]
#[case::below_a_file(&["f a", "f a/b"], 1, "`/a` is not a directory")]
#[case::below_a_loop(&["l a b, l b a, f a/c"], 0, "symbolic links")]
fn what_no_engine_can_apply_is_a_problem(#[case] layers: &[&str], #[case] index: usize, #[case] why: &str) {
    let layers: Vec<LayerFacts> = layers.iter().map(|text| layer(text)).collect();
    let tree = RootFs::merge(layers.iter().enumerate());
    assert_eq!(tree.problems().len(), 1);
    assert_eq!(tree.problems()[0].layer, index);
    assert!(tree.problems()[0].why.contains(why), "{}", tree.problems()[0].why);
}

#[test]
fn a_hard_link_is_the_file_and_belongs_to_its_own_layer() {
    let layers = [layer("x bin/busybox"), layer("h bin/sh bin/busybox, w bin/busybox")];
    let tree = RootFs::merge(layers.iter().enumerate());
    // The whiteout speaks of the layer below, and the link of what was there: engines link after they removed.
    assert_eq!(tree.problems().len(), 1);
    let layers = [layer("x bin/busybox"), layer("h bin/sh bin/busybox")];
    let tree = RootFs::merge(layers.iter().enumerate());
    let node = tree.get(b"bin/sh").unwrap();
    assert_eq!((node.layer, node.mode), (1, 0o755));
    assert_eq!(node.kind, tree.get(b"bin/busybox").unwrap().kind);
}

#[rstest]
#[case("/bin/sh", "usr/bin/dash")]
#[case("bin/../bin/sh", "usr/bin/dash")]
#[case("/../../bin/sh", "usr/bin/dash")]
#[case("//bin//./sh", "usr/bin/dash")]
#[case("/etc/alternatives/sh", "usr/bin/dash")]
#[case("/usr/bin", "usr/bin")]
#[case("/", "")]
#[case("/proc/..", "!`/proc` does not exist")]
#[case("/usr/bin/none", "!`/usr/bin/none` does not exist")]
#[case("/gone/x", "!`/nowhere` does not exist")]
#[case("/usr/bin/dash/x", "!`/usr/bin/dash` is not a directory")]
#[case("/loop", "!`/loop` leads through more than 40 symbolic links")]
fn paths_are_followed_as_a_kernel_does(#[case] path: &str, #[case] expected: &str) {
    let layers = [layer(
        "d usr/bin, l bin usr/bin, x usr/bin/dash, l usr/bin/sh dash, l etc/alternatives/sh ../../bin/sh, \
         l gone nowhere, l loop /pool, l pool loop",
    )];
    let tree = RootFs::merge(layers.iter().enumerate());
    let found = match tree.lookup(path.as_bytes()) {
        Ok((real, _)) => String::from_utf8(real).unwrap(),
        Err(error) => format!("!{error}"),
    };
    assert_eq!(found, expected);
}

#[test]
fn children_are_the_direct_ones() {
    let layers = [layer("f a/b/c, f a/d, f a-x, f ab")];
    let tree = RootFs::merge(layers.iter().enumerate());
    let of = |directory: &[u8]| -> Vec<String> {
        tree.children(directory).map(|(path, _)| String::from_utf8(path.to_vec()).unwrap()).collect()
    };
    assert_eq!(of(b"a"), ["a/b", "a/d"]);
    assert_eq!(of(b""), ["a", "a-x", "ab"]);
}

fn facts(entries: Vec<Entry>) -> LayerFacts {
    LayerFacts { diff_id: Digest::of(b""), bytes: 0, entries }
}

fn file(path: String) -> Entry {
    Entry { path: path.into_bytes().into(), kind: EntryKind::File(None), mode: 0o644, user: 0, group: 0 }
}

fn link(path: &str, target: String) -> Entry {
    Entry {
        path: path.as_bytes().into(),
        kind: EntryKind::Symlink(target.into_bytes().into()),
        mode: 0o777,
        user: 0,
        group: 0,
    }
}

const SMALL: Bounds = Bounds { steps: 1_000_000, made_bytes: 10 << 20 };

#[test]
fn parents_that_nobody_listed_are_made_within_bounds() {
    // Each entry of 4 KB asks for 2000 directories, with 4 MB of paths.
    let entries = (0..10).map(|i| file(format!("{i}{}/x", "/d".repeat(2000)))).collect();
    let facts = facts(entries);
    let tree = RootFs::merge_within(SMALL, [(0, &facts)]);
    assert!(tree.is_exhausted());
    assert!(tree.made_bytes <= SMALL.made_bytes + 4096);
    let last = tree.problems().last().expect("it is said");
    assert!(last.why.contains("more directories and symbolic links than are followed"), "{}", last.why);
}

#[test]
fn files_below_a_link_to_far_down_are_placed_within_bounds() {
    let deep = "d/".repeat(2000);
    let mut entries = vec![link("l", deep)];
    entries.extend((0..10_000).map(|i| file(format!("l/{i}"))));
    let facts = facts(entries);
    let tree = RootFs::merge_within(SMALL, [(0, &facts)]);
    assert!(tree.is_exhausted() && tree.made_bytes <= SMALL.made_bytes + 4096);
}

#[test]
fn links_that_lead_through_each_other_are_followed_within_bounds() {
    // 39 links of 2000 parts each, and hard links that go through all of them.
    let mut entries: Vec<Entry> =
        (1..39).map(|i| link(&format!("l{i}"), format!("{}l{}", "d/../".repeat(800), i - 1))).collect();
    entries.push(Entry { path: (*b"d").into(), kind: EntryKind::Directory, mode: 0o755, user: 0, group: 0 });
    entries.push(file("l0".to_owned()));
    for i in 0..1000 {
        let kind = EntryKind::Hardlink((*b"l38/x").into());
        entries.push(Entry { path: format!("h{i}").into_bytes().into(), kind, mode: 0o644, user: 0, group: 0 });
    }
    let facts = facts(entries);
    let tree = RootFs::merge_within(SMALL, [(0, &facts)]);
    assert!(tree.is_exhausted());
    assert!(tree.problems().len() <= MAX_PROBLEMS + 2);
}

#[test]
fn what_cannot_be_placed_is_told_so_often_and_no_more() {
    let entry = |i: usize| Entry {
        path: format!("h{i}").into_bytes().into(),
        kind: EntryKind::Hardlink((*b"none").into()),
        mode: 0o644,
        user: 0,
        group: 0,
    };
    let facts = facts((0..MAX_PROBLEMS + 7).map(entry).collect());
    let tree = RootFs::merge([(0, &facts)]);
    assert_eq!(tree.problems().len(), MAX_PROBLEMS + 1);
    assert_eq!(tree.problems()[MAX_PROBLEMS].why, "and 7 more entries cannot be placed either");
    assert!(!tree.is_exhausted());
}

#[rstest]
#[case::root("", "a a-b a.b b")]
#[case::inner("a", "a/b a/b-x a/b.y a/c")]
#[case::neighbours("a-b", "")]
#[case::deepest("a/b", "a/b/c a/b/d")]
#[case::missing("nothing", "")]
fn children_lie_directly_in_a_directory(#[case] directory: &str, #[case] expected: &str) {
    let facts = layer("f a/b/c/d, f a/b/d, f a/b-x, f a/b.y, f a/c/e, d a-b, f a.b/x, f b");
    let tree = RootFs::merge([(0, &facts)]);
    let found: Vec<String> =
        tree.children(directory.as_bytes()).map(|(path, _)| path.escape_ascii().to_string()).collect();
    assert_eq!(found.join(" "), expected);
}

#[test]
fn a_path_that_no_kernel_takes_leads_nowhere() {
    let facts = layer("f a/b");
    let tree = RootFs::merge([(0, &facts)]);
    assert!(tree.lookup(format!("{}a/b", "./".repeat(2000)).as_bytes()).is_ok());
    assert!(tree.lookup(format!("{}a/b", "./".repeat(2100)).as_bytes()).is_err());
}

#[test]
fn owners_are_those_of_the_entry_that_counts() {
    let owned = |entry: Entry, user, group| Entry { user, group, ..entry };
    let directory = |path: &str| Entry { kind: EntryKind::Directory, mode: 0o750, ..file(path.to_owned()) };
    let hard = Entry { kind: EntryKind::Hardlink((*b"made/f").into()), ..file("h".to_owned()) };
    let lower =
        vec![owned(file("made/f".to_owned()), 1, 2), owned(directory("d"), 3, 4), owned(file("d/f".to_owned()), 5, 6)];
    // The file's own entry counts, as for its mode.
    let upper = vec![owned(hard, 9, 9), owned(directory("d"), 7, 8)];
    let facts = |entries| LayerFacts { diff_id: Digest::of(b""), bytes: 0, entries };
    let (lower, upper) = (facts(lower), facts(upper));
    let tree = RootFs::merge([(0, &lower), (1, &upper)]);
    let owner = |path: &str| tree.get(path.as_bytes()).map(|node| (node.user, node.group)).unwrap();
    assert_eq!(["made", "made/f", "h", "d", "d/f"].map(owner), [(0, 0), (1, 2), (1, 2), (7, 8), (5, 6)]);
}
