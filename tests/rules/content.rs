//! `binary/not-a-program` and `binary/malformed`.

use super::scratch;
use mpcheck_kit::elf::{Elf, Kind};
use mpcheck_kit::files::{self, script};
use mpcheck_kit::image::Image;
use mpcheck_kit::layer::Layer;

/// The entrypoint is a file with these bytes.
fn entry(bytes: impl AsRef<[u8]>) -> Image {
    Image::new("linux/arm64").layer(Layer::new().program("entry", bytes)).entrypoint(&["/entry"])
}

/// A file in PATH of this name.
fn in_path(name: &str, bytes: impl AsRef<[u8]>) -> Image {
    scratch("linux/arm64").layer(Layer::new().program(format!("usr/local/bin/{name}"), bytes))
}

/// A file at a place that nothing leads to.
fn aside(path: &str, bytes: impl AsRef<[u8]>) -> Image {
    scratch("linux/arm64").layer(Layer::new().program(path, bytes))
}

fn elf() -> Elf {
    Elf::glibc("arm64")
}

fn html() -> Vec<u8> {
    files::html_page()
}

/// Bytes of no format at all.
fn noise() -> Vec<u8> {
    [&[0x93, 0, 0x01][..], &mpcheck_kit::filler(b"noise", 4000)].concat()
}

/// What `objcopy --only-keep-debug` leaves: program headers of bytes that are not in the file.
fn only_debug(elf: &Elf) -> Vec<u8> {
    let mut bytes = elf.build();
    assert_eq!(bytes[0x20], 64, "where the program headers begin");
    let count = usize::from(bytes[0x38]);
    for header in 0..count {
        // ELF-64: the table begins at 64, an entry has 56 bytes, p_filesz is at 32.
        bytes[64 + header * 56 + 32..][..8].fill(0);
    }
    bytes
}

const ENTRY: &str = "error binary/not-a-program linux/arm64 /entry";
const PATH: &str = "error binary/not-a-program linux/arm64 /usr/local/bin/tool";
const BROKEN: &str = "error binary/malformed linux/arm64 /opt/tool";

fn broken(elf: &Elf) -> Image {
    aside("opt/tool", elf.build())
}

rows! {
    NOT_A_PROGRAM {
        web_page: entry(html()) => [ENTRY];
        gzip: entry(files::gzip(b"x")) => [ENTRY];
        zip: entry(files::zip("a", b"x")) => [ENTRY];
        tar: entry(Layer::new().file("a", 0o644, "x").build().tar.as_slice()) => [ENTRY];
        static_library: entry(files::static_library("arm64")) => [ENTRY];
        empty: entry(b"") => [ENTRY];
        noise_at_the_entrypoint: entry(noise()) => [ENTRY];
        wasm: entry(files::wasm()) => [ENTRY];
        answer_of_a_server: entry(b"404: Not Found") => [ENTRY];
        web_page_in_path: in_path("tool", html()) => [PATH];
        gzip_in_path: in_path("tool", files::gzip(b"x")) => [PATH];
        empty_in_path: in_path("tool", b"") => [PATH];
        noise_in_path: in_path("tool", noise()) => [PATH];
        noise_called_a_program: in_path("tool.bin", noise())
            => ["error binary/not-a-program linux/arm64 /usr/local/bin/tool.bin"];
        noise_with_a_version: in_path("tool-1.2", noise())
            => ["error binary/not-a-program linux/arm64 /usr/local/bin/tool-1.2"];
        web_page_called_a_script: in_path("setup.sh", html())
            => ["error binary/not-a-program linux/arm64 /usr/local/bin/setup.sh"];
        interpreter: in_path("tool", script("/opt/python", "")).layer(Layer::new().program("opt/python", html()))
            => ["error binary/not-a-program linux/arm64 /opt/python"];
        archive_with_its_ending_at_the_entrypoint: Image::new("linux/arm64")
            .layer(Layer::new().program("app.jar", files::zip("A", b""))).entrypoint(&["/app.jar"])
            => ["error binary/not-a-program linux/arm64 /app.jar"];
        text_at_the_entrypoint: entry("echo hello\n") => ["warning binary/not-a-program linux/arm64 /entry"];
        script_after_a_blank_line: entry("\n#!/bin/sh\n") => ["warning binary/not-a-program linux/arm64 /entry"];
        script_after_a_byte_order_mark: entry("\u{feff}#!/bin/sh\n")
            => ["warning binary/not-a-program linux/arm64 /entry"];

        program: entry(Elf::program("arm64").build()) => [];
        a_script: entry(script("/bin/sh", "")) => [];
        text_in_path: in_path("tool", "echo hello\n") => [];
        jar_in_path: in_path("app.jar", files::zip("A", b"")) => [];
        archive_in_path: in_path("data.tar.gz", files::gzip(b"x")) => [];
        static_library_in_path: in_path("liba.a", files::static_library("arm64")) => [];
        icon_in_path: in_path("icon.png", noise()) => [];
        web_page_in_path_called_so: in_path("help.html", html()) => [];
        wasm_in_path_called_so: in_path("plugin.wasm", files::wasm()) => [];
        not_reached: aside("opt/tool", html()) => [];
        empty_and_not_reached: aside("opt/tool", b"") => [];
        not_executable: scratch("linux/arm64").layer(Layer::new().file("usr/local/bin/tool", 0o644, html())) => [];
        wasm_where_it_runs: Image::new("wasi/wasm").layer(Layer::new().program("entry", files::wasm())).entrypoint(&["/entry"])
            => [];
    }
    MALFORMED {
        magic_alone: broken(&elf().truncate(4)) => [BROKEN];
        half_a_header: broken(&elf().truncate(40)) => [BROKEN];
        header_alone: broken(&elf().truncate(64)) => [BROKEN];
        within_the_program_headers: broken(&elf().truncate(100)) => [BROKEN];
        cut_short: broken(&elf().filler(50_000).truncate(20_000)) => [BROKEN];
        cut_short_with_headers_at_the_end: broken(&elf().at_end().truncate(100_000)) => [BROKEN];
        class: broken(&elf().class(0)) => [BROKEN];
        byte_order: broken(&elf().data(3)) => [BROKEN];
        program_headers_beyond_the_end: broken(&elf().phoff(1 << 40)) => [BROKEN];
        program_headers_at_the_end_of_numbers: broken(&elf().phoff(u64::MAX - 8)) => [BROKEN];
        too_many_program_headers: broken(&elf().phnum(5000)) => [BROKEN];
        size_of_a_program_header: broken(&elf().phentsize(7)) => [BROKEN];
        interpreter_beyond_the_end: broken(&elf().interpreter_at(1 << 40, 20)) => [BROKEN];
        interpreter_of_a_gigabyte: broken(&elf().interpreter_at(64, 1 << 30)) => [BROKEN];
        interpreter_of_no_bytes: broken(&elf().interpreter_at(64, 0)) => [BROKEN];
        narrow: broken(&Elf::program("arm/v7").truncate(40)) => [BROKEN];
        at_the_entrypoint: entry(elf().truncate(30).build()) => ["error binary/malformed linux/arm64 /entry"];
        in_test_data_but_started: Image::new("linux/arm64").layer(Layer::new().program("srv/testdata/app", elf().truncate(30).build()))
            .entrypoint(&["/srv/testdata/app"]) => ["error binary/malformed linux/arm64 /srv/testdata/app"];
        debug_file: aside("opt/tool.debug", elf().filler(50_000).truncate(20_000).build())
            => ["note binary/malformed linux/arm64 /opt/tool.debug"];
        test_data: aside("usr/local/go/src/debug/elf/testdata/broken", elf().truncate(30).build())
            => ["note binary/malformed linux/arm64 /usr/local/go/src/debug/elf/testdata/broken"];
        object: aside("opt/start.o", Elf::object("arm64").truncate(30).build())
            => ["note binary/malformed linux/arm64 /opt/start.o"];

        whole: broken(&elf()) => [];
        whole_with_headers_at_the_end: broken(&elf().at_end()) => [];
        no_section_headers: broken(&elf().shoff(0).shnum(0)) => [];
        nonsense_in_section_headers: broken(&elf().shoff(1 << 50).shnum(900)) => [];
        nonsense_in_what_loaders_ignore: broken(&elf().padding([1, 2, 3, 4, 5, 6, 7])) => [];
        an_object: aside("opt/start.o", Elf::object("arm64").build()) => [];
        memory_dump: aside("var/core", Elf::program("arm64").kind(Kind::Core).truncate(3000).build()) => [];
        debug_file_of_any_name: aside("opt/tool.dbg", only_debug(&elf())) => [];
        only_the_first_three_bytes: aside("opt/tool", b"\x7fEL") => [];
    }
}
