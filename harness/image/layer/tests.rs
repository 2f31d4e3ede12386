//! Limits on what a layer leaves behind and on what it costs, beyond the sizes in its headers.

use super::{Fault, LayerFacts, Limits, MAX_NAME_BYTES, NO_OWNER, read};
use crate::image::descriptor::{Descriptor, media_type};
use crate::image::digest::Digest;
use mpcheck_kit::compress::Compression;
use mpcheck_kit::elf::Elf;
use mpcheck_kit::header::Header;
use mpcheck_kit::layer::Layer;
use rstest::rstest;
use std::io::Cursor;

fn faults(layer: Layer, limits: &Limits) -> Vec<Fault> {
    read_whole(layer, limits).1
}

fn read_whole(layer: Layer, limits: &Limits) -> (Option<LayerFacts>, Vec<Fault>) {
    let blob = layer.compress(Compression::None).build();
    let descriptor =
        Descriptor::new(media_type::OCI_LAYER, Digest::parse(&blob.digest).unwrap(), blob.bytes.len() as u64);
    let read = read(&descriptor, Box::new(Cursor::new(blob.bytes.to_vec())), limits, None, &|_| {});
    (read.facts, read.faults)
}

fn is_too_large(faults: &[Fault], why: &str) -> bool {
    matches!(faults, [Fault::TooLarge(said)] if said.contains(why))
}

#[test]
fn holes_of_sparse_files_count_as_bytes() {
    let limits = Limits { bytes: 3 << 20, ..Limits::default() };
    let sparse = |count: usize| {
        (0..count).fold(Layer::new(), |layer, i| match i % 2 {
            0 => layer.sparse_gnu(&format!("s{i}"), 0o755, 1 << 20, &[(0, b"#!/bin/sh\n")]),
            _ => layer.sparse_pax(&format!("s{i}"), 0o755, 1 << 20, &[(0, b"#!/bin/sh\n")]),
        })
    };
    assert_eq!(faults(sparse(3), &limits), []);
    let found = faults(sparse(4), &limits);
    assert!(is_too_large(&found, "its sparse files expand to more than 3145728 bytes"), "{found:?}");
}

#[test]
fn interpreters_that_programs_name_count_as_names() {
    let limits = Limits { name_bytes: 10 * MAX_NAME_BYTES as u64, ..Limits::default() };
    let programs = |count: usize| {
        let program = Elf::glibc("linux/amd64").interpreter("/x".repeat(2000)).build();
        (0..count).fold(Layer::new(), |layer, i| layer.program(format!("p{i}"), &program))
    };
    assert_eq!(faults(programs(10), &limits), []);
    let found = faults(programs(11), &limits);
    assert!(is_too_large(&found, "its names have more than"), "{found:?}");
}

#[rstest]
#[case::octal(Layer::new().owner(1000, 50), (1000, 50))]
// From 2097152 on, eight octal digits do not do.
#[case::base_256(Layer::new().owner(1_836_086_123, 4_294_967_294), (1_836_086_123, 4_294_967_294))]
#[case::beyond_what_a_kernel_counts(Layer::new().owner(1 << 32, u64::from(u32::MAX) + 1), (NO_OWNER, NO_OWNER))]
#[case::pax(Layer::new().owner(1, 2).pax(&[("uid", b"70000000"), ("gid", b"80000000")]), (70_000_000, 80_000_000))]
#[case::pax_of_one(Layer::new().owner(1, 2).pax(&[("gid", b"3")]), (1, 3))]
#[case::pax_beyond(Layer::new().pax(&[("uid", b"18446744073709551615"), ("gid", b"4294967296")]), (NO_OWNER, NO_OWNER))]
#[case::pax_that_is_no_number(Layer::new().owner(1, 2).pax(&[("uid", b"-1"), ("gid", b"x")]), (1, 2))]
fn owners_are_read(#[case] layer: Layer, #[case] owner: (u32, u32)) {
    let (facts, found) = read_whole(layer.file("f", 0o644, b"x"), &Limits::default());
    assert_eq!(found, []);
    let entry = &facts.unwrap().entries[0];
    assert_eq!((entry.user, entry.group), owner);
}

#[test]
fn a_blank_owner_is_root() {
    let header = Header::new(b"f", b'0').patch(108, &[b' '; 7]).patch(116, &[0; 8]);
    let (facts, found) = read_whole(Layer::new().raw_entry(&header, b""), &Limits::default());
    assert_eq!(found, []);
    let entry = &facts.unwrap().entries[0];
    assert_eq!((entry.user, entry.group), (0, 0));
}
