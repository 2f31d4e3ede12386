use super::*;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use rstest::rstest;

fn entries(blob: &Blob) -> Vec<(Vec<u8>, u64, Vec<u8>)> {
    let mut archive = tar::Archive::new(blob.tar.as_slice());
    let mut found = Vec::new();
    for entry in archive.entries().expect("a tar stream") {
        let mut entry = entry.expect("an entry");
        let mut body = Vec::new();
        let size = entry.size();
        entry.read_to_end(&mut body).expect("its body");
        let link = entry.link_name_bytes().map(std::borrow::Cow::into_owned).unwrap_or_default();
        found.push((entry.path_bytes().into_owned(), size, if link.is_empty() { body } else { link }));
    }
    found
}

#[rstest]
#[case(LongNames::Pax, 101)]
#[case(LongNames::Pax, 300)]
#[case(LongNames::Gnu, 101)]
#[case(LongNames::Gnu, 300)]
fn long_names_are_read_back(#[case] names: LongNames, #[case] length: usize) {
    let name = format!("{}/end", "n".repeat(length - 4));
    let target = format!("/{}", "t".repeat(length));
    let blob = Layer::new().long_names(names).file(&name, 0o644, "body").symlink("link", &target).build();
    let found = entries(&blob);
    assert_eq!(found[0], (name.into_bytes(), 4, b"body".to_vec()));
    assert_eq!(found[1].2, target.into_bytes());
}

#[test]
fn names_are_bytes() {
    let blob = Layer::new().file(b"caf\xe9", 0o644, "").dir("/abs", 0o755).file("../up", 0o644, "").build();
    let names: Vec<Vec<u8>> = entries(&blob).into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, [b"caf\xe9".to_vec(), b"/abs/".to_vec(), b"../up".to_vec()]);
}

#[test]
fn a_gnu_sparse_file_is_read_back() {
    let block = [b'x'; 512];
    let segments: Vec<(u64, &[u8])> = (0..30).map(|number| (number * 1024, block.as_slice())).collect();
    let blob = Layer::new().sparse_gnu("sparse", 0o644, 40_000, &segments).file("after", 0o644, "y").build();
    let found = entries(&blob);
    assert_eq!(found[0].1, 40_000);
    assert_eq!((found[0].2.len(), found[0].2[1535], found[0].2[1536]), (40_000, b'x', 0));
    assert_eq!(found[1].0, b"after");
}

#[rstest]
#[case::none(Compression::None)]
#[case::gzip(Compression::Gzip)]
#[case::members(Compression::GzipMembers)]
#[case::estargz(Compression::EStargz)]
#[case::zstd(Compression::Zstd)]
#[case::frames(Compression::ZstdFrames)]
#[case::chunked(Compression::ZstdChunked)]
fn compressed_forms_give_the_tar_back(#[case] compression: Compression) {
    let blob = Layer::new().dir("a", 0o755).file("a/b", 0o644, crate::filler(b"b", 5000)).compress(compression).build();
    let mut back = Vec::new();
    match compression.suffix() {
        "gzip" => MultiGzDecoder::new(blob.bytes.as_slice()).read_to_end(&mut back).expect("gzip"),
        "zstd" => zstd::Decoder::new(blob.bytes.as_slice()).expect("zstd").read_to_end(&mut back).expect("zstd"),
        _ => blob.bytes.as_slice().read_to_end(&mut back).expect("bytes"),
    };
    assert_eq!(back, *blob.tar);
    assert_eq!(sha256(&back), blob.diff_id);
    assert_eq!(sha256(&blob.bytes), blob.digest);
}

#[test]
fn a_huge_size_is_claimed() {
    let blob = Layer::new().lying_size("huge", 8 << 60, b"x").build();
    let mut archive = tar::Archive::new(blob.tar.as_slice());
    let entry = archive.entries().expect("a stream").next().expect("an entry").expect("a header");
    assert_eq!(entry.header().size().expect("a size"), 8 << 60);
}

#[test]
fn a_broken_checksum_is_broken() {
    let blob = Layer::new().raw_entry(&Header::new(b"x", b'0').checksum(1), b"").build();
    let mut archive = tar::Archive::new(blob.tar.as_slice());
    assert!(archive.entries().expect("a stream").next().expect("an entry").is_err());
}

#[rstest]
#[case(b"k", 3, "6 k=v\n")]
#[case(b"key", 93, "")]
fn the_length_of_a_record_counts_itself(#[case] key: &[u8], #[case] size: usize, #[case] expected: &str) {
    let value = if size == 3 { b"v".to_vec() } else { vec![b'v'; size] };
    let record = pax_record(std::str::from_utf8(key).expect("text"), &value);
    let said: usize =
        std::str::from_utf8(&record).expect("text").split(' ').next().expect("a length").parse().expect("a number");
    assert_eq!(said, record.len());
    assert!(expected.is_empty() || record == expected.as_bytes());
}
