//! `mpcheck-seeds`: writes what the fuzz targets start from, one directory per target.
//!
//! Forged here, so that no binary lies in the repository; what is text lies in `tests/fuzz/seeds`.
#![allow(clippy::expect_used, reason = "serves tests alone: a slip in the seeds should stop them")]

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use mpcheck_kit::compress::Compression;
use mpcheck_kit::elf::{Elf, Kind};
use mpcheck_kit::layer::{Layer, LongNames};
use mpcheck_kit::pe::{self, Pe};
use mpcheck_kit::{files, incidents, legitimate, macho, rootfs};

const USAGE: &str = "usage: mpcheck-seeds DIR TEXTS
       DIR/TARGET/NAME for each fuzz target; each line of TEXTS/TARGET.txt is a seed as well
";

/// Larger ones slow a fuzzer down and teach it nothing.
const MOST: usize = 64 * 1024;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [directory, texts] = words.as_slice() else {
        let _ = io::stderr().write_all(USAGE.as_bytes());
        return ExitCode::from(2);
    };
    match write(Path::new(directory), Path::new(texts)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "mpcheck-seeds: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(directory: &Path, texts: &Path) -> io::Result<()> {
    let forged: [(&str, Vec<Vec<u8>>); 5] = [
        ("elf", binaries()),
        ("layer", layers()),
        ("archive", archives()),
        ("document", documents()),
        ("image", images()),
    ];
    for (target, seeds) in forged {
        put(&directory.join(target), &seeds)?;
    }
    for entry in fs::read_dir(texts)? {
        let path = entry?.path();
        let target = path.file_stem().expect("a file has a name").to_owned();
        let lines: Vec<Vec<u8>> = fs::read_to_string(&path)?.lines().map(|line| line.as_bytes().to_vec()).collect();
        put(&directory.join(target), &lines)?;
    }
    Ok(())
}

fn put(directory: &Path, seeds: &[Vec<u8>]) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for (number, seed) in seeds.iter().enumerate().filter(|(_, seed)| seed.len() <= MOST) {
        fs::write(directory.join(format!("seed-{number:04}")), seed)?;
    }
    Ok(())
}

/// Files, each after the four bytes that say how it is cut.
fn binaries() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for platform in rootfs::SEVEN {
        found.push(Elf::program(platform).build());
        found.push(Elf::glibc(platform).build());
        found.push(Elf::library(platform, "libc.so.6").build());
        found.push(Elf::object(platform).build());
        found.push(Elf::glibc(platform).at_end().filler(20_000).build());
    }
    let amd64 = || Elf::glibc("linux/amd64");
    found.push(amd64().kind(Kind::Core).build());
    found.push(amd64().phnum(0xffff).build());
    found.push(amd64().phoff(u64::MAX).build());
    found.push(amd64().interpreter_at(u64::MAX, 5).build());
    found.push(amd64().interpreter_without_nul().build());
    found.push(amd64().section("QEMU_LD_PREFIX", 1, b"QEMU_LD_PREFIX").build());
    found.push(Pe::program(pe::AMD64).build());
    found.push(Pe::any_cpu().build());
    found.push(macho::thin(macho::ARM64));
    found.push(macho::fat(&[macho::ARM64, macho::X86_64]));
    found.push(files::script("/usr/bin/env -S A=1 perl", "1;"));
    found.push(files::script_crlf("/bin/sh", "exit"));
    found.push(files::html_page());
    found.push(files::gzip(b"text"));
    found.push(files::java_class(65));
    found.push(files::wasm());
    found.push(files::static_library("linux/arm64"));
    found.push(files::zip("a", b"b"));
    found.into_iter().map(|file| [b"\x07\x01\x00\x20", file.as_slice()].concat()).collect()
}

/// Layers with one of everything that a tar can say.
fn archive_layers() -> Vec<Layer> {
    let long = "d/".repeat(200) + "end";
    vec![
        rootfs::debian("linux/arm64"),
        rootfs::alpine("linux/amd64"),
        Layer::new().dirs(&["a", "a/b"]).symlink("l", "a").file("l/b/c", 0o755, "#!/bin/sh\n").hardlink("h", "l/b/c"),
        Layer::new().file("a", 0o644, "1").whiteout("a").opaque("b").whiteout("b/c").file("b/c/d", 0o4755, ""),
        Layer::new().symlink("a", "b").symlink("b", "a").symlink("c", "../../x").file("c/d", 0o755, "text"),
        Layer::new().device("dev/null", 1, 3).block_device("dev/sda", 8, 0).fifo("run/pipe"),
        Layer::new().long_names(LongNames::Pax).file(&long, 0o755, "text").symlink("l", &long),
        Layer::new().file(&long, 0o755, "text").symlink("l", &long).hardlink("h", &long),
        Layer::new().pax(&[("path", b"usr/bin/x"), ("mtime", b"1.5")]).file("y", 0o755, "text"),
        Layer::new().pax_global(&[("comment", b"x")]).file("y", 0o755, "text"),
        Layer::new().sparse_gnu("s", 0o755, 4096, &[(0, b"#!/bin/sh\n"), (2048, b"x")]),
        Layer::new().sparse_pax("s", 0o755, 4096, &[(0, b"#!/bin/sh\n"), (2048, b"x")]),
        Layer::new().lying_size("x", 1 << 33, b"short"),
        Layer::new().file("a/../b/./c//d", 0o755, "").without_end(),
    ]
}

fn archives() -> Vec<Vec<u8>> {
    archive_layers().iter().map(|layer| layer.build().tar.to_vec()).collect()
}

fn layers() -> Vec<Vec<u8>> {
    use Compression::{EStargz, Gzip, GzipMembers, None, Zstd, ZstdChunked, ZstdFrames};
    let every = [None, Gzip, GzipMembers, EStargz, Zstd, ZstdFrames, ZstdChunked];
    let small = || archive_layers().into_iter().skip(2);
    every.into_iter().flat_map(|how| small().map(move |layer| layer.compress(how).build().bytes.to_vec())).collect()
}

/// Every index, manifest and config of the ready-made images, after the byte that chooses the stated media type.
fn documents() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for case in legitimate::all().into_iter().chain(incidents::all()) {
        found.push(case.forged.root.bytes.clone());
        for member in case.forged.members() {
            found.push(member.manifest.to_string().into_bytes());
            found.push(member.config.to_string().into_bytes());
        }
    }
    found.sort();
    found.dedup();
    found.into_iter().map(|document| [&[0], document.as_slice()].concat()).collect()
}

/// Configs of the ready-made images over a small layer that has what they start.
fn images() -> Vec<Vec<u8>> {
    let layer = |platform: &str| {
        let program = Elf::glibc(platform).build();
        let loader = Elf::library(platform, "ld.so").build();
        Layer::new()
            .program("usr/local/bin/app", program)
            .program("usr/bin/sh", Elf::program(platform).build())
            .symlink("bin", "usr/bin")
            .program("lib/ld-linux-aarch64.so.1", loader)
            .program("usr/bin/run", files::script("/usr/bin/env sh", "exit"))
            .program("usr/bin/page", files::html_page())
            .build()
    };
    let tars = ["linux/arm64", "linux/amd64"].map(|platform| layer(platform).tar);
    let mut found = Vec::new();
    for case in legitimate::all().into_iter().chain(incidents::all()) {
        for member in case.forged.members().iter().take(1) {
            for tar in &tars {
                found.push([member.config.to_string().as_bytes(), b"\0", tar].concat());
            }
        }
    }
    found
}
