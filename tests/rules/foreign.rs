//! `binary/foreign-architecture`: what is foreign, and what is not.

use super::scratch;
use crate::checked::Given;
use mpcheck_kit::elf::{Elf, Kind};
use mpcheck_kit::image::Image;
use mpcheck_kit::layer::Layer;
use mpcheck_kit::pe::Pe;
use mpcheck_kit::{files, macho, pe};
use rstest::rstest;

const TOOL: &str = "error binary/foreign-architecture linux/arm64 /opt/tool";

/// A file at a place that explains nothing, in a good image for this platform.
fn on(platform: &str, bytes: Vec<u8>) -> Image {
    scratch(platform).layer(Layer::new().program("opt/tool", bytes))
}

fn in_arm64(elf: &Elf) -> Image {
    on("linux/arm64", elf.build())
}

/// A Windows image with one more program.
fn in_windows(machine: u16, bytes: Vec<u8>) -> Image {
    let name = if machine == pe::ARM64 { "windows/arm64" } else { "windows/amd64" };
    mpcheck_kit::incidents::windows(name, machine).layer(Layer::new().program("Files/opt/tool.exe", bytes))
}

fn in_darwin(bytes: Vec<u8>) -> Image {
    Image::new("darwin/arm64").layer(Layer::new().program("opt/tool", bytes))
}

rows! {
    FOREIGN_ARCHITECTURE {
        program: in_arm64(&Elf::program("amd64")) => [TOOL];
        independent_program: in_arm64(&Elf::glibc("amd64")) => [TOOL];
        library: in_arm64(&Elf::library("amd64", "libx.so")) => [TOOL];
        library_that_is_not_executable:
            scratch("linux/arm64").layer(Layer::new().file("opt/tool", 0o644, Elf::library("amd64", "x").build()))
                => [TOOL];
        headers_far_into_the_file: in_arm64(&Elf::glibc("amd64").at_end()) => [TOOL];
        of_freebsd: in_arm64(&Elf::program("amd64").osabi(9)) => [TOOL];
        big_endian: in_arm64(&Elf::program("arm64").big_endian()) => [TOOL];
        ilp32: in_arm64(&Elf::program("arm64").class32()) => [TOOL];
        x32_in_amd64: on("linux/amd64", Elf::program("x32").build())
            => ["error binary/foreign-architecture linux/amd64 /opt/tool"];
        amd64_in_386: on("linux/386", Elf::program("amd64").build())
            => ["error binary/foreign-architecture linux/386 /opt/tool"];
        arm64_in_arm: on("linux/arm/v7", Elf::program("arm64").build())
            => ["error binary/foreign-architecture linux/arm/v7 /opt/tool"];
        ppc64_in_ppc64le: on("linux/ppc64le", Elf::program("ppc64le").big_endian().flags(1).build())
            => ["error binary/foreign-architecture linux/ppc64le /opt/tool"];
        mips_of_the_other_end: on("linux/mips64le", Elf::program("mips64").build())
            => ["error binary/foreign-architecture linux/mips64le /opt/tool"];
        of_macos: on("linux/arm64", macho::thin(macho::ARM64)) => [TOOL];
        of_macos_for_two_machines: on("linux/arm64", macho::fat(&[macho::X86_64, macho::ARM64])) => [TOOL];
        amd64_exe_in_386_windows: Image::new("windows/386").layer(Layer::new().program("Files/tool.exe", Pe::program(pe::AMD64).build()))
            => ["error binary/foreign-architecture windows/386 /Files/tool.exe"];
        arm64_exe_in_amd64_windows: in_windows(pe::AMD64, Pe::program(pe::ARM64).build())
            => ["error binary/foreign-architecture windows/amd64 /Files/opt/tool.exe"];
        elf_in_windows: in_windows(pe::AMD64, Elf::program("amd64").build())
            => ["error binary/foreign-architecture windows/amd64 /Files/opt/tool.exe"];
        intel_in_darwin: in_darwin(macho::thin(macho::X86_64))
            => ["error binary/foreign-architecture darwin/arm64 /opt/tool"];
        several: scratch("linux/arm64").layer(Layer::new()
            .program("opt/a", Elf::program("amd64").build())
            .program("opt/b", Elf::program("s390x").build()))

            => ["error binary/foreign-architecture linux/arm64 /opt/a", "error binary/foreign-architecture linux/arm64 /opt/b"];
        name_that_is_not_text: scratch("linux/arm64").layer(Layer::new().program(b"opt/caf\xe9", Elf::program("amd64").build()))
            => ["error binary/foreign-architecture linux/arm64 /opt/caf\\xe9"];
        hard_linked: scratch("linux/arm64").layer(Layer::new()
            .program("opt/tool", Elf::program("amd64").build()).hardlink("opt/again", "opt/tool"))
            => [TOOL, "error binary/foreign-architecture linux/arm64 /opt/again"];
        put_back_above_a_whiteout: scratch("linux/arm64").layer(Layer::new().program("opt/tool", Elf::program("s390x").build()))
            .layer(Layer::new().whiteout("opt/tool")).layer(Layer::new().program("opt/tool", Elf::program("amd64").build()))
                => [TOOL];
        through_a_linked_directory: scratch("linux/arm64").layer(Layer::new().dirs(&["opt"]).symlink("alias", "opt"))
            .layer(Layer::new().program("alias/tool", Elf::program("amd64").build())) => [TOOL];

        i386_in_amd64: on("linux/amd64", Elf::program("386").build())
            => ["note binary/foreign-architecture linux/amd64 /opt/tool"];
        arm_in_arm64: in_arm64(&Elf::program("arm/v7")) => ["note binary/foreign-architecture linux/arm64 /opt/tool"];
        exe_in_linux: on("linux/arm64", Pe::program(pe::AMD64).build())
            => ["note binary/foreign-architecture linux/arm64 /opt/tool"];
        i386_exe_in_windows: in_windows(pe::AMD64, Pe::program(pe::I386).build())
            => ["note binary/foreign-architecture windows/amd64 /Files/opt/tool.exe"];

        native: in_arm64(&Elf::program("arm64")) => [];
        native_library: in_arm64(&Elf::library("arm64", "libx.so")) => [];
        native_in_windows: in_windows(pe::ARM64, Pe::program(pe::ARM64).salt("tool").build()) => [];
        native_in_darwin: in_darwin(macho::fat(&[macho::X86_64, macho::ARM64])) => [];
        gnu_osabi: in_arm64(&Elf::program("arm64").osabi(3)) => [];
        managed_code: on("linux/arm64", Pe::any_cpu().build()) => [];
        java_class: on("linux/arm64", files::java_class(61)) => [];
        old_java_class: on("linux/arm64", files::java_class(45)) => [];
        script: on("linux/arm64", files::script("/bin/sh", "")) => [];
        static_library: on("linux/arm64", files::static_library("amd64")) => [];
        native_library_in_a_foreign_place: scratch("linux/arm64").layer(Layer::new()
            .file("usr/lib/x86_64-linux-gnu/liba.so", 0o644, Elf::library("arm64", "liba.so").build())) => [];
        replaced_in_a_later_layer: in_arm64(&Elf::program("amd64"))
            .layer(Layer::new().program("opt/tool", Elf::program("arm64").build())) => [];
        removed_in_a_later_layer: in_arm64(&Elf::program("amd64")).layer(Layer::new().whiteout("opt/tool")) => [];
        hidden_by_an_opaque_directory: in_arm64(&Elf::program("amd64")).layer(Layer::new().opaque("opt")) => [];
        removed_with_its_directory: in_arm64(&Elf::program("amd64")).layer(Layer::new().whiteout("opt")) => [];
        replaced_by_a_link: in_arm64(&Elf::program("amd64")).layer(Layer::new().symlink("opt/tool", "/app")) => [];
    }
}

/// Every architecture's program is at home on its platform, and foreign on one that cannot execute it.
#[rstest]
fn each_architecture_is_at_home_only_at_home(
    #[values(
        "linux/amd64",
        "linux/386",
        "linux/arm64",
        "linux/arm/v5",
        "linux/arm/v6",
        "linux/arm/v7",
        "linux/ppc64le",
        "linux/s390x",
        "linux/riscv64",
        "linux/loong64",
        "linux/mips64le",
        "linux/mips64"
    )]
    platform: &str,
    #[values(Kind::Exec, Kind::Dyn)] kind: Kind,
) {
    let program = Elf::program(platform).kind(kind).salt("tool").build();
    assert_eq!(Given::from(on(platform, program.clone())).findings(), Vec::<String>::new());
    let other = if platform == "linux/s390x" { "linux/riscv64" } else { "linux/s390x" };
    let expected = format!("error binary/foreign-architecture {other} /opt/tool");
    assert_eq!(Given::from(on(other, program)).findings(), [expected]);
}

/// The finding says which layer and which instruction brought the file, counted past instructions without a layer.
#[test]
fn layer_and_instruction_are_the_files() {
    let image = scratch("linux/arm64")
        .history("ENV A=1", true)
        .layer(Layer::new().file("etc/config", 0o644, "x"))
        .layer(Layer::new().program("opt/tool", Elf::program("amd64").build()))
        .history("COPY tool /opt/tool # buildkit", false)
        .layer(Layer::new().file("etc/last", 0o644, "x"));
    let digest = image.forge().layers_of("linux/arm64").remove(2);
    let checked = Given::from(image).check();
    let [finding] = checked.findings.as_slice() else { panic!("{:#?}", checked.findings) };
    let layer = finding.layer.as_ref().unwrap();
    assert_eq!((layer.index, &layer.digest), (2, &digest));
    assert_eq!(finding.instruction.as_deref(), Some("COPY tool /opt/tool"));
    assert_eq!(finding.expected.as_deref(), Some("linux/arm64"));
    assert_eq!(finding.observed.as_deref(), Some("linux/amd64"));
    assert_eq!(finding.reached_by, None);
    assert!(finding.message.contains("/opt/tool") && finding.hint.contains("TARGETARCH"), "{finding:#?}");
}

/// A history that does not fit the layers names no instruction, and certainly no wrong one.
#[rstest]
#[case::none(scratch("linux/arm64").without_history())]
#[case::too_short(
    scratch("linux/arm64").edit_config(|config| { config["history"].as_array_mut().unwrap().remove(0); })
)]
fn an_instruction_is_not_guessed(#[case] image: Image) {
    let image = image.layer(Layer::new().program("opt/tool", Elf::program("amd64").build()));
    let checked = Given::from(image).check();
    let [finding] = checked.findings.as_slice() else { panic!("{:#?}", checked.findings) };
    assert_eq!(finding.instruction, None);
    assert_eq!(finding.layer.as_ref().unwrap().index, 1);
}
