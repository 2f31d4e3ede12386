//! Limits on what a layer leaves behind and on what it costs, beyond the sizes in its headers.

use super::{Fault, Limits, MAX_NAME_BYTES, read};
use crate::image::descriptor::{Descriptor, media_type};
use crate::image::digest::Digest;
use mpcheck_kit::compress::Compression;
use mpcheck_kit::elf::Elf;
use mpcheck_kit::layer::Layer;
use std::io::Cursor;

fn faults(layer: Layer, limits: &Limits) -> Vec<Fault> {
    let blob = layer.compress(Compression::None).build();
    let descriptor =
        Descriptor::new(media_type::OCI_LAYER, Digest::parse(&blob.digest).unwrap(), blob.bytes.len() as u64);
    read(&descriptor, Box::new(Cursor::new(blob.bytes.to_vec())), limits, None, &|_| {}).faults
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
