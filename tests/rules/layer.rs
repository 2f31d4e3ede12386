//! The rules of the group `layer`.

use super::{app, scratch};
use crate::checked::{Given, given};
use mpcheck::image::layer::Limits;
use mpcheck_kit::compress::Compression;
use mpcheck_kit::elf::Elf;
use mpcheck_kit::header::Header;
use mpcheck_kit::image::Image;
use mpcheck_kit::layer::{Layer, LongNames};

const DIFF_ID: &str = "error layer/diff-id-mismatch linux/arm64";
const CORRUPT: &str = "error layer/corrupt linux/arm64";
const TOO_LARGE: &str = "error layer/too-large linux/arm64";

/// A layer with a file, to be broken.
fn data() -> Layer {
    Layer::new().file("data", 0o644, "hello\n".repeat(500))
}

/// The good program, in a layer of this compression.
fn compressed(compression: Compression) -> Image {
    Image::new("linux/arm64").layer(app("linux/arm64").compress(compression)).entrypoint(&["/app"])
}

fn right_diff_ids(layers: &[Layer]) -> Vec<String> {
    layers.iter().map(|layer| layer.build().diff_id).collect()
}

/// Two layers, with each other's diff_ids.
fn swapped() -> Image {
    let layers = [app("linux/arm64"), data()];
    let ids = right_diff_ids(&layers);
    let [app, data] = layers;
    Image::new("linux/arm64").layer(app).layer(data).diff_ids(&[&ids[1], &ids[0]])
}

fn is_gzip_of(level: usize) -> usize {
    data().build().bytes.len() - level
}

/// An extended header that says it is this long.
fn claimed_extension(kind: u8, size: u64) -> Layer {
    Layer::new().raw_entry(&Header::new(b"long", kind).size(size), b"19 path=overlong\n")
}

fn limited(layer: Layer, limits: Limits) -> Given {
    given(Image::new("linux/arm64").layer(layer)).within(limits)
}

fn bytes(bytes: u64) -> Limits {
    Limits { bytes, ..Limits::default() }
}

fn entries(entries: u64) -> Limits {
    Limits { entries, ..Limits::default() }
}

fn names(name_bytes: u64) -> Limits {
    Limits { name_bytes, ..Limits::default() }
}

/// `f0`, `f1` and so on.
fn files(count: usize) -> Layer {
    (0..count).fold(Layer::new(), |layer, n| layer.file(format!("f{n}"), 0o644, "x"))
}

const LONG: &str =
    "a-directory-with-a-name/of-more-than-one-hundred-bytes/that-does-not-fit/into-the-field-of-a-header/file";

rows! {
    LAYER_DIFF_ID_MISMATCH {
        other_diff_id: scratch("linux/arm64").diff_ids(&[&mpcheck_kit::digest::sha256(b"other")]) => [DIFF_ID];
        digest_of_the_blob_in_its_place: {
            let digest = app("linux/arm64").build().digest;
            scratch("linux/arm64").diff_ids(&[&digest])
        } => [DIFF_ID];
        swapped_layers: swapped() => [DIFF_ID, DIFF_ID];
        right_gzip: compressed(Compression::Gzip) => [];
        right_zstd: compressed(Compression::Zstd) => [];
        right_plain: compressed(Compression::None) => [];
        right_members: compressed(Compression::GzipMembers) => [];
        right_frames: compressed(Compression::ZstdFrames) => [];
        right_estargz: compressed(Compression::EStargz) => [];
        right_zstd_chunked: compressed(Compression::ZstdChunked) => [];
        right_with_bytes_after_the_end: data().trailing(&[0; 9000]) => [];
        right_and_empty: Layer::new() => [];
    }
    LAYER_CORRUPT {
        gzip_cut_short: data().truncate_blob(is_gzip_of(20)) => [CORRUPT];
        gzip_without_its_sum: data().truncate_blob(is_gzip_of(4)) => [CORRUPT];
        gzip_cut_in_its_header: data().truncate_blob(5) => [CORRUPT];
        gzip_with_junk_after_it: data().after_blob(b"junk after the end") => [CORRUPT];
        zstd_cut_short: data().compress(Compression::Zstd).truncate_blob(30) => [CORRUPT];
        zstd_with_junk_after_it: data().compress(Compression::Zstd).after_blob(b"junk") => [CORRUPT];
        tar_cut_short_in_a_file: data().truncate_tar(1000) => [CORRUPT];
        tar_cut_short_in_a_header: data().truncate_tar(200) => [CORRUPT];
        text_and_no_tar: Layer::new().compress(Compression::None).without_end().raw(&[b'x'; 2000]) => [CORRUPT];
        wrong_checksum: Layer::new().raw_entry(&Header::new(b"file", b'0').checksum(1), b"") => [CORRUPT];
        size_is_no_number: Layer::new().raw_entry(&Header::new(b"file", b'0').patch(124, b"0000000z000\0"), b"")
            => [CORRUPT];
        a_file_of_8_exabytes: data().lying_size("huge", i64::MAX as u64, b"only this") => [CORRUPT];
        a_file_of_16_exabytes: data().lying_size("huge", u64::MAX, b"only this") => [CORRUPT];
        name_out_of_the_root: data().file("../outside", 0o644, "x") => [CORRUPT];
        name_out_of_the_root_by_a_detour: data().file("a/../../outside", 0o644, "x") => [CORRUPT];
        hard_link_out_of_the_root: data().hardlink("passwd", "../../etc/passwd") => [CORRUPT];
        hard_link_to_nowhere: data().hardlink("link", "nowhere") => [CORRUPT];
        hard_link_before_its_target: Layer::new().hardlink("link", "late").file("late", 0o644, "x") => [CORRUPT];
        link_without_target: data().symlink("link", "") => [CORRUPT];
        file_below_a_file: data().file("data/below", 0o644, "x") => [CORRUPT];
        file_below_a_loop: Layer::new().symlink("a", "b").symlink("b", "a").file("a/x", 0o644, "x") => [CORRUPT];
        whiteout_of_nothing: data().file(".wh.", 0o644, "") => [CORRUPT];
        whiteout_of_the_parent: data().file("a/.wh...", 0o644, "") => [CORRUPT];
        pax_path_out_of_the_root: data().pax(&[("path", b"../../outside")]).file("inside", 0o644, "x") => [CORRUPT];
        pax_path_with_nul: data().pax(&[("path", b"a\0b")]).file("x", 0o644, "x") => [CORRUPT];
        pax_size_beyond_the_end: data().pax(&[("size", b"9223372036854775807")]).file("x", 0o644, "x") => [CORRUPT];
        pax_of_a_terabyte: claimed_extension(b'x', 1 << 40) => [CORRUPT];
        gnu_name_of_a_terabyte: claimed_extension(b'L', 1 << 40) => [CORRUPT];
        name_longer_than_a_path_may_be: data().file("x/".repeat(3000), 0o644, "x") => [CORRUPT];
        sparse_map_out_of_order: Layer::new().pax(&[
            ("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", b"sparse"), ("GNU.sparse.realsize", b"100"),
        ]).file("GNUSparseFile.0/sparse", 0o755, [b"2\n50\n1\n10\n1\n".as_slice(), &[0; 600]].concat()) => [CORRUPT];
        absolute_names: data().file("/etc/absolute", 0o644, "x").file("./dotted", 0o644, "x") => [];
        dots_within_the_root: data().file("usr/../etc/x", 0o644, "x").file("a//b", 0o644, "x") => [];
        links_out_of_the_root: data().symlink("up", "../../../../etc/passwd").symlink("absolute", "/nowhere") => [];
        hard_link_to_a_lower_layer: data().hardlink("again", "app") => [];
        hard_link_to_a_symbolic_link: data().symlink("s", "data").hardlink("h", "s") => [];
        no_end_mark: data().without_end() => [];
        bytes_after_the_end_mark: data().trailing(b"not zero") => [];
        long_pax_names: Layer::new().file(LONG, 0o644, "x").symlink("l", LONG) => [];
        long_gnu_names: Layer::new().long_names(LongNames::Gnu).file(LONG, 0o644, "x").symlink("l", LONG) => [];
        names_that_are_not_text: Layer::new().file(b"caf\xe9/\xff", 0o644, "x") => [];
        sparse_files: Layer::new()
            .sparse_gnu("gnu", 0o644, 1 << 40, &[(0, &[1; 512]), (1 << 30, b"end")])
            .sparse_pax("pax", 0o644, 1 << 40, &[(4096, b"middle")]) => [];
        devices_and_pipes: Layer::new().device("dev/null", 1, 3).block_device("dev/sda", 8, 0).fifo("run/pipe") => [];
        unknown_pax_records: data().pax(&[("SCHILY.xattr.user.x", b"\xff\0\xfe"), ("comment", b"")]).file("x", 0o644, "x")
            => [];
        global_pax_header: Layer::new().pax_global(&[("comment", b"0123abcd")]).file("x", 0o644, "x") => [];
        unknown_entry_type: data().raw_entry(&Header::new(b"vendor", b'Z'), b"") => [];
        whiteout_of_what_is_not_there: data().whiteout("usr/nothing").opaque("nowhere") => [];
        files_of_aufs: data().file(".wh..wh.plnk", 0o644, "").file(".wh..wh.orph/1", 0o644, "") => [];
    }
    LAYER_TOO_LARGE {
        too_many_bytes: limited(data(), bytes(1000)) => [TOO_LARGE];
        one_byte_too_many: limited(data(), bytes(data().build().tar.len() as u64 - 1)) => [TOO_LARGE];
        too_many_entries: limited(files(11), entries(10)) => [TOO_LARGE];
        too_many_bytes_of_names: limited(files(10), names(19)) => [TOO_LARGE];
        too_many_bytes_of_targets: limited(Layer::new().symlink("l", "0123456789"), names(10)) => [TOO_LARGE];
        as_many_bytes_as_allowed: limited(data(), bytes(data().build().tar.len() as u64)) => [];
        as_many_entries_as_allowed: limited(files(10), entries(10)) => [];
        as_many_bytes_of_names_as_allowed: limited(files(10), names(20)) => [];
    }
}

/// A hole costs nothing to claim: the program at the start of an enormous one is still seen.
#[test]
fn a_program_in_a_sparse_file_is_looked_at() {
    let program = Elf::program("amd64").build();
    let layer = Layer::new().sparse_pax("opt/tool", 0o755, 1 << 50, &[(0, &program)]);
    let found = given(layer).findings();
    assert_eq!(found, ["error binary/foreign-architecture linux/arm64 /opt/tool"]);
}
