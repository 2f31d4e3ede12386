//! `binary/foreign-architecture` where the place of a file explains it, and where it only seems to.

use super::scratch;
use crate::checked::Given;
use mpcheck_kit::elf::{Elf, Kind};
use mpcheck_kit::image::Image;
use mpcheck_kit::layer::Layer;
use mpcheck_kit::macho;
use mpcheck_kit::pe::{self, Pe};
use rstest::rstest;

fn image(path: &str, bytes: impl AsRef<[u8]>) -> Image {
    scratch("linux/arm64").layer(Layer::new().file(path, 0o644, bytes))
}

fn amd64() -> Vec<u8> {
    Elf::program("amd64").build()
}

#[rstest]
#[case::triplet("usr/lib/x86_64-linux-gnu/liba.so", amd64(), "its path names amd64")]
#[case::triplet_of_a_toolchain("usr/x86_64-linux-gnu/lib/libc.so.6", amd64(), "its path names amd64")]
#[case::go_name("opt/plugins/linux_amd64/tool", amd64(), "its path names amd64")]
#[case::file_name("opt/bin/tool-linux-amd64", amd64(), "its path names amd64")]
#[case::node_name("srv/node_modules/esbuild-linux-x64/bin/esbuild", amd64(), "its path names amd64")]
#[case::rust_triple("opt/x86_64-unknown-linux-musl/tool", amd64(), "its path names amd64")]
#[case::dotnet("srv/runtimes/linux-x64/native/libe.so", amd64(), "its path names amd64")]
#[case::s390x("opt/agent/s390x/agent", Elf::program("s390x").build(), "its path names s390x")]
#[case::ppc64le("opt/agent/powerpc64le/agent", Elf::program("ppc64le").build(), "its path names ppc64le")]
#[case::x32("opt/libx32/liba.so", Elf::library("x32", "liba.so").build(), "its path names x32")]
#[case::prebuilds("srv/node_modules/a/prebuilds/any/a.node", amd64(), "prebuilt files for several platforms")]
#[case::clipboardy("srv/node_modules/clipboardy/fallbacks/linux/xsel", amd64(), "has no program of its own")]
#[case::gcc_cross("usr/lib/gcc-cross/any/14/cc1", amd64(), "a cross toolchain")]
#[case::shared_data("usr/share/qemu/bios.elf", amd64(), "shared data")]
#[case::local_shared_data("usr/local/share/tool/tool", amd64(), "shared data")]
#[case::firmware("lib/firmware/vendor/wifi.elf", amd64(), "firmware")]
#[case::merged_firmware("usr/lib/firmware/vendor/wifi.elf", amd64(), "firmware")]
#[case::debug_tree("usr/lib/debug/usr/bin/tool.debug", amd64(), "a debug tree")]
#[case::build_id("opt/.build-id/ab/cd", amd64(), "a debug tree")]
#[case::kernel("boot/vmlinux", amd64(), "boot code")]
#[case::go_testdata("usr/local/go/src/debug/elf/testdata/exec", amd64(), "test data")]
#[case::fixtures("srv/node_modules/elf/test/fixtures/a", amd64(), "test data")]
#[case::bpf("opt/probe", Elf::program("bpf").build(), "BPF")]
#[case::hexagon("opt/dsp", Elf::program("hexagon").build(), "Hexagon")]
#[case::graphics("opt/kernel.cubin", Elf::program("cuda").build(), "CUDA")]
#[case::object("opt/start.o", Elf::object("amd64").build(), "an object file or a kernel module")]
#[case::kernel_module("opt/falco.ko", Elf::object("amd64").build(), "an object file or a kernel module")]
#[case::memory_dump("var/core", Elf::program("amd64").kind(Kind::Core).build(), "a memory dump")]
#[case::android("opt/sdk/android/libmain.so", amd64(), "its path names android")]
#[case::launcher("usr/lib/python3/pip/t64.exe", Pe::program(pe::AMD64).build(), "a Windows file")]
#[case::macos("opt/tool-darwin/tool", macho::thin(macho::ARM64), "its path names macOS")]
#[case::fsevents(
    "srv/node_modules/fsevents/fsevents.node",
    macho::fat(&[macho::X86_64, macho::ARM64]),
    "its path names macOS"
)]
fn the_place_explains(#[case] path: &str, #[case] bytes: Vec<u8>, #[case] why: &str) {
    let checked = Given::from(image(path, bytes)).check();
    assert_eq!(
        crate::checked::lines(&checked.findings),
        [format!("note binary/foreign-architecture linux/arm64 /{path}")]
    );
    assert!(checked.findings[0].message.contains(why), "{}", checked.findings[0].message);
    assert_eq!(checked.findings[0].cause, None);
}

#[rstest]
#[case::other_triplet("usr/lib/s390x-linux-gnu/liba.so")]
#[case::own_triplet("usr/lib/aarch64-linux-gnu/liba.so")]
#[case::own_name("opt/linux-arm64/tool")]
#[case::part_of_a_word("opt/amd64ish/tool")]
#[case::usr_share_elsewhere("opt/usr/share/tool")]
#[case::share_alone("share/tool")]
#[case::firmware_elsewhere("opt/lib/firmware/tool")]
#[case::boot_elsewhere("opt/boot/tool")]
#[case::file_called_testdata("opt/testdata")]
#[case::file_called_prebuilds("opt/prebuilds")]
#[case::in_lib("usr/lib/liba.so")]
#[case::in_opt("opt/app/bin/tool")]
#[case::node_modules("srv/node_modules/a/build/Release/a.node")]
fn the_place_explains_nothing(#[case] path: &str) {
    let found = Given::from(image(path, amd64())).findings();
    assert_eq!(found, [format!("error binary/foreign-architecture linux/arm64 /{path}")]);
}

/// What starts is started, wherever it lies.
#[rstest]
#[case::shared_data("usr/share/app/tool")]
#[case::test_data("srv/test/tool")]
#[case::its_own_name("opt/linux-amd64/tool")]
#[case::prebuilds("opt/prebuilds/tool")]
fn no_place_explains_what_the_image_starts(#[case] path: &str) {
    let image = Image::new("linux/arm64").layer(Layer::new().program(path, amd64())).entrypoint(&[&format!("/{path}")]);
    let found = Given::from(image).findings();
    assert_eq!(found, [format!("error binary/foreign-architecture linux/arm64 /{path}")]);
}
