//! Bombs, and a great many entries: bounded memory, and an end.

use super::{Machine, found, good};
use flate2::Compression;
use flate2::write::GzEncoder;
use mpcheck_kit::digest::sha256;
use mpcheck_kit::header::Header;
use mpcheck_kit::image::Image;
use mpcheck_kit::layer::{Blob, Layer};
use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// The most memory that the program may have, in KiB: what issue and design promise.
const MAX_RESIDENT: u64 = 96 << 10;

const GIB: u64 = 1 << 30;

/// Bytes of zeros in one gzip member of a bomb.
const MEMBER: usize = 64 << 20;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A layer with one file of so many zeros, of which the blob has a thousandth: the same member again and again.
fn bomb(size: u64) -> Blob {
    let mut bytes = gzip(&Header::new(b"zeros", b'0').mode(0o755).size(size).seal());
    let member = gzip(&vec![0; MEMBER]);
    for _ in 0..size / MEMBER as u64 {
        bytes.extend(&member);
    }
    bytes.extend(gzip(&[0; 1024]));
    let mut blob = Layer::new().build();
    blob.digest = sha256(&bytes);
    // Not what it decompresses to, so that the end of the reading shows.
    blob.diff_id = sha256(b"other");
    blob.bytes = Arc::new(bytes);
    blob
}

/// Runs the program, and watches the most memory that it ever had.
fn watched(machine: &Machine, arguments: &[&str]) -> (serde_json::Value, u64) {
    let arguments = [arguments, &["--format", "json"]].concat();
    let mut child = machine.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        peak = resident(&child).unwrap_or(peak);
        std::thread::sleep(Duration::from_millis(2));
    }
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(peak > 0, "the program was over before it could be watched");
    (serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")), peak)
}

/// The kernel's own high-water mark, so that no moment between two looks is missed but the last.
fn resident(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[test]
fn a_bomb_is_read_in_bounded_memory() {
    let machine = Machine::with(&Image::new("linux/arm64").layer(bomb(2 * GIB)).forge());
    let (report, peak) = watched(&machine, &["image"]);
    assert_eq!(found(&report), [["layer/diff-id-mismatch", "linux/arm64", ""].map(str::to_owned)]);
    assert!(peak < MAX_RESIDENT, "{peak} KiB");
}

#[test]
fn a_bomb_of_ten_gigabytes_ends_at_the_limit() {
    let blob = bomb(10 * GIB);
    assert!(blob.bytes.len() < 12 << 20, "{}", blob.bytes.len());
    let machine = Machine::with(&Image::new("linux/arm64").layer(&blob).forge());
    let (report, peak) = watched(&machine, &["image", "--max-layer-bytes", "200000000"]);
    assert_eq!(found(&report), [["layer/too-large", "linux/arm64", ""].map(str::to_owned)]);
    assert!(peak < MAX_RESIDENT, "{peak} KiB");
}

#[test]
fn two_hundred_thousand_entries_are_read() {
    let mut layer = Layer::new();
    for directory in 0..200 {
        layer = layer.dir(format!("usr/lib/d{directory}"), 0o755);
        for file in 0..1000 {
            layer = layer.file(format!("usr/lib/d{directory}/file-{file}"), 0o644, "");
        }
    }
    let layer: Blob = layer.into();
    let machine = Machine::with(&mpcheck_kit::incidents::application("linux/arm64").layer(&layer).forge());
    let (report, peak) = watched(&machine, &["image"]);
    assert_eq!(report["verdict"], "passed", "{report:#}");
    assert!(peak < MAX_RESIDENT, "{peak} KiB");
    // The facts of so many entries come back from the cache as well.
    assert_eq!(machine.report(&["image"])["verdict"], "passed");
}

/// What is more than ten thousand entries of an index is not looked at, and said.
#[test]
fn ten_thousand_entries_of_an_index_are_enough() {
    let index = mpcheck_kit::index::Index::new().image(mpcheck_kit::incidents::application("linux/amd64"));
    let index = index.edit(|index| {
        let entry = index["manifests"][0].clone();
        index["manifests"].as_array_mut().unwrap().extend(std::iter::repeat_n(entry, 10_001));
    });
    let machine = Machine::with(&index.forge());
    machine.run(&["image", "--platform", "linux/s390x"]).says(1, &["10000 entries"]);
}

/// Memory does not grow with a file's size.
#[test]
fn a_large_program_needs_no_more_memory() {
    let program = mpcheck_kit::elf::Elf::program("arm64").filler(150 << 20).build();
    let layer: Blob =
        Layer::new().program("usr/local/bin/large", program).compress(mpcheck_kit::compress::Compression::Zstd).into();
    let machine = Machine::with(&mpcheck_kit::incidents::application("linux/arm64").layer(&layer).forge());
    let (report, peak) = watched(&machine, &["image"]);
    assert_eq!(report["verdict"], "passed", "{report:#}");
    assert!(peak < MAX_RESIDENT, "{peak} KiB");
    let (_, small) = watched(&Machine::with(&good()), &["image"]);
    assert!(peak < small + (16 << 10), "{peak} KiB, and {small} KiB without the program");
}
