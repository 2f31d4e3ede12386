//! Why a foreign file may lie where it lies.
//!
//! Real images hold foreign code on purpose: cross toolchains, prebuilt modules
//! for every platform, firmware, test data. Its place tells. Each row has an example
//! that was found in published images; harness/README.md, "An explanation for a
//! foreign file", says where a new one belongs.

use super::judge::machine;
use crate::binary::{Content, ElfKind};
use crate::platform::{Architecture, Machine, Platform, names_os};

/// Directories under which nothing is started from, wherever they lie in the path.
const TREES: &[(&[&str], &str)] = &[
    (&["usr/share", "usr/local/share"], "shared data"),
    (&["lib/firmware", "usr/lib/firmware"], "firmware"),
    (&["usr/lib/debug", ".debug", ".build-id"], "a debug tree"),
    (&["lib/modules", "usr/lib/modules"], "kernel modules"),
    // /usr/lib/u-boot/BOARD/uboot.elf, /usr/lib/syslinux/modules/bios, /boot/vmlinux
    (&["boot", "usr/lib/u-boot", "usr/lib/syslinux", "usr/lib/grub", "usr/lib/ipxe", "usr/lib/shim"], "boot code"),
    (&["usr/lib/efi", "usr/lib/arm-trusted-firmware", "usr/lib/opensbi", "usr/lib/xen-4.17/boot"], "boot code"),
    // /usr/local/go/src/debug/elf/testdata, node_modules/*/test/fixtures
    (
        &[
            "testdata",
            "test-data",
            "test_data",
            "tests",
            "test",
            "fixtures",
            "__fixtures__",
            "testfiles",
            "corpus",
            "spec/fixtures",
        ],
        "test data",
    ),
    // node_modules/NAME/prebuilds/PLATFORM/NAME.node
    (&["prebuilds", "prebuilt", "prebuilts"], "prebuilt files for several platforms"),
    // node_modules/clipboardy/fallbacks/linux/xsel, for amd64 whatever the machine; the `serve` package brings it
    (&["fallbacks"], "what is used where a machine has no program of its own"),
    (&["gcc-cross", "cross"], "a cross toolchain"),
];

/// Packages that exist for one operating system only, and are installed elsewhere all the same.
const MACOS_PACKAGES: &[&str] = &["fsevents"];

/// Why a foreign file is no surprise at its place, in words; `None` where nothing explains it.
pub(super) fn explanation(path: &[u8], content: &Content, platform: &Platform) -> Option<String> {
    if let Some(tree) = tree(path) {
        return Some(format!("it lies in {tree}"));
    }
    match content {
        Content::Elf(elf) => {
            let machine = machine(elf);
            if machine.is_outside_containers() {
                return Some(format!("no container platform is a {machine}"));
            }
            if elf.kind == ElfKind::Relocatable {
                return Some("it is an object file or a kernel module, which nothing starts".to_owned());
            }
            if elf.kind == ElfKind::Core {
                return Some("it is a memory dump".to_owned());
            }
            if machine.is_named_in(path) {
                return Some(format!("its path names {machine}"));
            }
            // Android's, FreeBSD's and others' libraries beside Linux' own.
            let systems = names_os(path);
            let other = systems.iter().find(|os| !matches!(**os, "linux" | "windows"));
            other.map(|os| format!("its path names {os}"))
        }
        Content::Pe(pe) if platform.os() == "windows" => {
            let row = Architecture::of_pe(pe.machine)?;
            Machine::Architecture(row).is_named_in(path).then(|| format!("its path names {}", row.name))
        }
        // Wine, Mono, installers and Python's launchers: data to a Linux system.
        Content::Pe(_) => Some("it is a Windows file, which is data here".to_owned()),
        Content::MachO(_) if !matches!(platform.os(), "darwin" | "ios") => {
            let named = names_os(path).iter().any(|os| matches!(*os, "darwin" | "ios"));
            let package = parts(path).any(|part| MACOS_PACKAGES.iter().any(|name| part == name.as_bytes()));
            (named || package).then(|| "its path names macOS".to_owned())
        }
        _ => None,
    }
}

/// The name of the tree that a path lies in, if files there are never started.
pub(super) fn tree(path: &[u8]) -> Option<&'static str> {
    let parts: Vec<&[u8]> = parts(path).collect();
    let directories = parts.len().saturating_sub(1);
    TREES.iter().find_map(|(places, name)| {
        let inside = places.iter().any(|place| {
            let place: Vec<&[u8]> = place.split('/').map(str::as_bytes).collect();
            let within = |window: &[&[u8]]| window == place.as_slice();
            let directories = parts.get(..directories).unwrap_or_default();
            // A place with a slash is meant from the root, a single name anywhere.
            if place.len() > 1 || *place.concat() == *b"boot" {
                directories.get(..place.len()).is_some_and(within)
            } else {
                directories.windows(1).any(within)
            }
        });
        inside.then_some(*name)
    })
}

fn parts(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&b| b == b'/').filter(|part| !part.is_empty())
}
