//! `binary/emulator-left-behind`.

use super::scratch;
use mpcheck_kit::elf::Elf;
use mpcheck_kit::files::script;
use mpcheck_kit::image::Image;
use mpcheck_kit::layer::Layer;

/// A file in an image for linux/arm/v7.
fn at(path: &str, bytes: impl AsRef<[u8]>) -> Image {
    scratch("linux/arm/v7").layer(Layer::new().program(path, bytes))
}

fn plain() -> Vec<u8> {
    Elf::program("amd64").build()
}

/// What only qemu-user has in it: the name of a variable that it reads.
fn marked(architecture: &str) -> Vec<u8> {
    Elf::program(architecture).salt("QEMU_LD_PREFIX").filler(100_000).build()
}

const QEMU: &str = "note binary/emulator-left-behind linux/arm/v7 /usr/bin/qemu-arm-static";

rows! {
    EMULATOR_LEFT_BEHIND {
        by_name: at("usr/bin/qemu-arm-static", plain()) => [QEMU];
        by_name_of_the_native_machine: at("usr/bin/qemu-arm-static", Elf::program("arm/v7").build()) => [QEMU];
        by_name_for_another_guest: at("usr/bin/qemu-s390x-static", plain())
            => ["note binary/emulator-left-behind linux/arm/v7 /usr/bin/qemu-s390x-static"];
        dynamic: at("usr/bin/qemu-aarch64", plain())
            => ["note binary/emulator-left-behind linux/arm/v7 /usr/bin/qemu-aarch64"];
        by_content: at("opt/interp", marked("amd64")) => ["note binary/emulator-left-behind linux/arm/v7 /opt/interp"];
        by_content_of_the_native_machine: at("opt/interp", marked("arm/v7"))
            => ["note binary/emulator-left-behind linux/arm/v7 /opt/interp"];
        by_both: at("usr/bin/qemu-arm-static", marked("amd64")) => [QEMU];
        script_of_its_name: at("usr/bin/qemu-arm-static", script("/bin/sh", "")) => [];
        name_of_a_tool: at("usr/bin/qemu-img", Elf::program("arm/v7").build()) => [];
        whole_system: at("usr/bin/qemu-system-arm", Elf::program("arm/v7").build()) => [];
        its_name_in_a_script: at("usr/bin/tool", script("/bin/sh", "QEMU_LD_PREFIX=/x qemu-arm-static")) => [];
        nothing_of_it: scratch("linux/arm/v7") => [];
    }
}
