//! Images that are broken as published ones were, one for each cause that can be seen without running anything.
//!
//! Each names the rules that a checker has to break it under, so that a test can go over all of them.

use crate::elf::Elf;
use crate::files;
use crate::image::Image;
use crate::index::Index;
use crate::layer::Layer;
use crate::pe::{self, Pe};
use crate::rootfs::{PATH, SEVEN, debian};
use crate::store::Forged;

/// A forged image and what a checker has to say about it.
#[derive(Clone, Debug)]
pub struct Case {
    /// In kebab-case; also the directory that the forge writes it to.
    pub name: &'static str,
    /// The image.
    pub forged: Forged,
    /// An earlier release that it has to be compared with for its findings.
    pub baseline: Option<Forged>,
    /// Findings that it has to give; none where nothing is wrong.
    pub expected: Vec<Expected>,
}

/// One finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// `group/name`.
    pub rule: &'static str,
    /// The platform, or nothing where the index itself is wrong.
    pub platform: &'static str,
    /// The file in the image, or nothing.
    pub path: &'static str,
}

/// A finding about a file.
pub(crate) const fn file(rule: &'static str, platform: &'static str, path: &'static str) -> Expected {
    Expected { rule, platform, path }
}

const FOREIGN: &str = "binary/foreign-architecture";

fn case(name: &'static str, forged: Forged, expected: &[Expected]) -> Case {
    Case { name, forged, baseline: None, expected: expected.to_vec() }
}

/// All broken ones.
#[must_use]
pub fn all() -> Vec<Case> {
    vec![
        whole_rootfs_of_wrong_architecture(),
        everything_shared(),
        base_pinned_to_digest(),
        application_of_other_architecture(),
        helper_downloaded(),
        native_module(),
        config_mismatch(),
        duplicate_platform(),
        wrong_variant_in_config(),
        same_manifest_twice(),
        emulator_left_behind(),
        orphan_attestation(),
        html_as_program(),
        archive_as_program(),
        empty_program(),
        amd64_in_386(),
        x32_in_386(),
        windows_of_wrong_machine(),
        entrypoint_missing(),
        entrypoint_not_executable(),
        malformed_program(),
        platform_unknown(),
        lost_platform(),
    ]
}

/// An image of Debian with a program in `/usr/local/bin/app`: what all broken ones start from.
#[must_use]
pub fn application(platform: &str) -> Image {
    on(platform, platform, platform)
}

/// An image for `platform` with the base of one architecture and the program of another.
fn on(platform: &str, base: &str, program: &str) -> Image {
    finished(Image::new(platform).layer(debian(base)).layer(app(program)))
}

fn app(platform: &str) -> Layer {
    Layer::new().program("usr/local/bin/app", Elf::program(platform).salt("app").build())
}

fn finished(image: Image) -> Image {
    let entrypoint = r#"ENTRYPOINT ["/usr/local/bin/app"]"#;
    image.env(PATH).history(entrypoint, true).entrypoint(&["/usr/local/bin/app"])
}

fn two(arm64: Image) -> Index {
    Index::new().image(application("linux/amd64")).image(arm64)
}

/// Seven platforms, all as they should be: base, entrypoint, library, script; an attestation for each.
#[must_use]
pub fn good() -> Forged {
    SEVEN.iter().fold(Index::new(), |index, platform| index.image(good_platform(platform)).attestation()).forge()
}

/// One platform of the good image.
#[must_use]
pub fn good_platform(platform: &str) -> Image {
    let row = crate::arch::arch(platform);
    let content = Layer::new()
        .dirs(&["usr/local/bin", "usr/local/lib", "usr/local/share"])
        .program("usr/local/bin/app", Elf::glibc(platform).needed(&["libapp.so.1"]).runpath("/usr/local/lib").build())
        .file("usr/local/lib/libapp.so.1", 0o644, Elf::library(platform, "libapp.so.1").needed(&["libc.so.6"]).build())
        .program("usr/local/bin/docker-entrypoint.sh", files::script("/bin/sh", "exec \"$@\""))
        .program("usr/local/bin/report", files::script("/usr/bin/env sh", "uname -m"))
        .file("usr/local/share/target", 0o644, format!("{}\n", row.triplet));
    Image::new(platform)
        .layer(debian(platform))
        .history("# debian.sh --arch out/ trixie", false)
        .history(r#"CMD ["bash"]"#, true)
        .env(PATH)
        .layer(content)
        .history("COPY /out/ /usr/local/ # buildkit", false)
        .history(r#"ENTRYPOINT ["docker-entrypoint.sh"]"#, true)
        .entrypoint(&["docker-entrypoint.sh"])
        .cmd(&["app"])
        .workdir("/var")
        .user("nobody")
}

/// Everything in arm64 is amd64: the last stage was built with `FROM --platform=$BUILDPLATFORM`.
#[must_use]
pub fn whole_rootfs_of_wrong_architecture() -> Case {
    // A file of the build makes the layers differ, so that only the binaries tell.
    let other = Layer::new().file("etc/build", 0o644, "linux/arm64\n");
    let forged = two(on("linux/arm64", "linux/amd64", "linux/amd64").layer(other)).forge();
    let wrong = ["/usr/local/bin/app", "/usr/bin/dash"].map(|path| file(FOREIGN, "linux/arm64", path));
    case("whole-rootfs-of-wrong-architecture", forged, &wrong)
}

/// Two platforms with the very same layers.
#[must_use]
pub fn everything_shared() -> Case {
    let forged = two(on("linux/arm64", "linux/amd64", "linux/amd64")).forge();
    let wrong =
        [file("manifest/identical-content", "linux/arm64", ""), file(FOREIGN, "linux/arm64", "/usr/local/bin/app")];
    case("everything-shared", forged, &wrong)
}

/// The base was named by the digest of its amd64 manifest; only the program is of the right architecture.
#[must_use]
pub fn base_pinned_to_digest() -> Case {
    let base = Image::new("linux/amd64").layer(debian("linux/amd64")).forge().root.digest;
    let arm64 = on("linux/arm64", "linux/amd64", "linux/arm64").edit_manifest(move |manifest| {
        manifest["annotations"] = serde_json::json!({
            "org.opencontainers.image.base.name": "docker.io/library/debian:trixie",
            "org.opencontainers.image.base.digest": base,
        });
    });
    case("base-pinned-to-digest", two(arm64).forge(), &[file(FOREIGN, "linux/arm64", "/usr/bin/dash")])
}

/// The program of amd64 was copied into arm64.
#[must_use]
pub fn application_of_other_architecture() -> Case {
    let forged = two(on("linux/arm64", "linux/arm64", "linux/amd64")).forge();
    case("application-of-other-architecture", forged, &[file(FOREIGN, "linux/arm64", "/usr/local/bin/app")])
}

/// tini was downloaded for amd64 on every platform.
#[must_use]
pub fn helper_downloaded() -> Case {
    let image = |platform: &str| {
        let tini = Layer::new().program("usr/bin/tini", Elf::program("amd64").salt("tini").build());
        Image::new(platform)
            .layer(debian(platform))
            .layer(tini)
            .history("RUN /bin/sh -c curl -fsSLo /usr/bin/tini https://github.com/krallin/tini/releases/download/v0.19.0/tini-amd64 && chmod +x /usr/bin/tini # buildkit", false)
            .layer(app(platform))
            .env(PATH)
            .entrypoint(&["tini", "--"])
            .cmd(&["app"])
    };
    let forged = Index::new().image(image("linux/amd64")).image(image("linux/arm64")).forge();
    case("helper-downloaded", forged, &[file(FOREIGN, "linux/arm64", "/usr/bin/tini")])
}

/// `node_modules` was installed on the build machine.
#[must_use]
pub fn native_module() -> Case {
    const MODULE: &str = "app/node_modules/better-sqlite3/build/Release/better_sqlite3.node";
    let image = |platform: &str| {
        let module = Elf::library("amd64", "better_sqlite3.node").needed(&["libc.so.6"]).build();
        let content = Layer::new()
            .file("app/server.js", 0o644, "require('better-sqlite3')\n")
            .file("app/node_modules/better-sqlite3/package.json", 0o644, "{\"name\":\"better-sqlite3\"}")
            .program(MODULE, module);
        let node = Layer::new().program("usr/local/bin/node", Elf::glibc(platform).salt("node").build());
        Image::new(platform)
            .layer(debian(platform))
            .layer(node)
            .layer(content)
            .history("COPY . /app # buildkit", false)
            .env(PATH)
            .workdir("/app")
            .entrypoint(&["node", "server.js"])
    };
    let forged = Index::new().image(image("linux/amd64")).image(image("linux/arm64")).forge();
    let path = "/app/node_modules/better-sqlite3/build/Release/better_sqlite3.node";
    case("native-module", forged, &[file(FOREIGN, "linux/arm64", path)])
}

/// The config says amd64; index and content say arm64.
#[must_use]
pub fn config_mismatch() -> Case {
    let forged = two(application("linux/arm64").config_platform("linux/amd64")).forge();
    case("config-mismatch", forged, &[file("manifest/config-mismatch", "linux/arm64", "")])
}

/// The config says arm/v6 where the index says arm/v7.
#[must_use]
pub fn wrong_variant_in_config() -> Case {
    let forged = two(application("linux/arm/v7").config_platform("linux/arm/v6")).forge();
    case("wrong-variant-in-config", forged, &[file("manifest/config-mismatch", "linux/arm/v7", "")])
}

/// Two different images both say linux/amd64.
#[must_use]
pub fn duplicate_platform() -> Case {
    let second = application("linux/arm64").config_platform("linux/amd64").descriptor_platform("linux/amd64");
    let wrong =
        [file("manifest/duplicate-platform", "linux/amd64", ""), file(FOREIGN, "linux/amd64", "/usr/local/bin/app")];
    case("duplicate-platform", two(second).forge(), &wrong)
}

/// One manifest listed for two architectures.
#[must_use]
pub fn same_manifest_twice() -> Case {
    let index = Index::new().image(application("linux/amd64")).repeated();
    let index = index.edit_last(|descriptor| descriptor["platform"]["architecture"] = "arm64".into());
    let wrong =
        [file("manifest/identical-content", "linux/arm64", ""), file("manifest/config-mismatch", "linux/arm64", "")];
    case("same-manifest-twice", index.forge(), &wrong)
}

/// The release before had three platforms; this one has lost arm64.
#[must_use]
pub fn lost_platform() -> Case {
    let images = |platforms: &[&str]| Index::new().images(platforms.iter().map(|name| application(name))).forge();
    let now = images(&["linux/amd64", "linux/arm/v7"]);
    let lost = case("lost-platform", now, &[file("manifest/lost-platform", "linux/arm64", "")]);
    Case { baseline: Some(images(&["linux/amd64", "linux/arm64", "linux/arm/v7"])), ..lost }
}

/// `qemu-arm-static` of the build machine in an arm image.
#[must_use]
pub fn emulator_left_behind() -> Case {
    let qemu = Elf::program("amd64").salt("qemu-user (qemu-arm) version 7.2.0 linux-user/main.c").build();
    let layer = Layer::new().program("usr/bin/qemu-arm-static", qemu);
    let forged = two(application("linux/arm/v7").layer(layer)).forge();
    let found = file("binary/emulator-left-behind", "linux/arm/v7", "/usr/bin/qemu-arm-static");
    case("emulator-left-behind", forged, &[found])
}

/// Attestations as BuildKit adds them, one for each image.
#[must_use]
pub fn attestations() -> Case {
    let index = Index::new().image(application("linux/amd64")).attestation();
    case("attestations", index.image(application("linux/arm64")).attestation().forge(), &[])
}

/// An attestation for an image that is no longer in the index.
#[must_use]
pub fn orphan_attestation() -> Case {
    let gone = format!("sha256:{}", "12".repeat(32));
    let forged = two(application("linux/arm64")).attestation().orphan_attestation(&gone).forge();
    case("orphan-attestation", forged, &[file("manifest/orphan-attestation", "", "")])
}

/// An entry whose platform is empty, and that is no attestation.
#[must_use]
pub fn platform_unknown() -> Case {
    let lost = application("linux/arm64").descriptor_platform("unknown/unknown").config_platform("/");
    case("platform-unknown", two(lost).forge(), &[file("manifest/unknown-platform", "", "")])
}

/// The answer "404 Not Found" was saved as tini.
#[must_use]
pub fn html_as_program() -> Case {
    not_a_program("html-as-program", &files::html_page())
}

/// A release archive was saved as tini and never unpacked.
#[must_use]
pub fn archive_as_program() -> Case {
    not_a_program("archive-as-program", &files::gzip(b"tini"))
}

/// The download of tini failed and left an empty file.
#[must_use]
pub fn empty_program() -> Case {
    not_a_program("empty-program", b"")
}

fn not_a_program(name: &'static str, bytes: &[u8]) -> Case {
    let image = Image::new("linux/arm64")
        .layer(debian("linux/arm64"))
        .layer(Layer::new().program("usr/local/bin/tini", bytes))
        .history("RUN /bin/sh -c wget -O /usr/local/bin/tini https://example.com/tini; chmod +x /usr/local/bin/tini # buildkit", false)
        .layer(app("linux/arm64"));
    let image = image.env(PATH).entrypoint(&["/usr/local/bin/tini", "--", "app"]);
    case(name, two(image).forge(), &[file("binary/not-a-program", "linux/arm64", "/usr/local/bin/tini")])
}

/// A 64-bit program in linux/386.
#[must_use]
pub fn amd64_in_386() -> Case {
    let forged = two(on("linux/386", "linux/386", "linux/amd64")).forge();
    case("amd64-in-386", forged, &[file(FOREIGN, "linux/386", "/usr/local/bin/app")])
}

/// A 32-bit file that a class check takes for i386, and whose machine is x86-64.
#[must_use]
pub fn x32_in_386() -> Case {
    let forged = two(on("linux/386", "linux/386", "x32")).forge();
    case("x32-in-386", forged, &[file(FOREIGN, "linux/386", "/usr/local/bin/app")])
}

/// A Windows image for arm64 with a program for amd64.
#[must_use]
pub fn windows_of_wrong_machine() -> Case {
    let forged =
        Index::new().image(windows("windows/amd64", pe::AMD64)).image(windows("windows/arm64", pe::AMD64)).forge();
    case("windows-of-wrong-machine", forged, &[file(FOREIGN, "windows/arm64", "/Files/app/app.exe")])
}

/// A Windows image with one program in the layout that its layers have: `Files` is the drive.
#[must_use]
pub fn windows(platform: &str, machine: u16) -> Image {
    let layer = Layer::new()
        .dirs(&["Files", "Files/Windows", "Files/Windows/System32", "Files/app", "Hives"])
        .file("Files/Windows/System32/cmd.exe", 0o755, Pe::program(arm64_or(platform)).salt("cmd").build())
        .file("Files/app/app.exe", 0o755, Pe::program(machine).salt("app").build());
    let version = "10.0.20348.2402";
    Image::new(platform)
        .layer(layer)
        .env(r"PATH=C:\Windows\system32;C:\Windows;C:\app")
        .entrypoint(&[r"C:\app\app.exe"])
        .edit_config(move |config| config["os.version"] = version.into())
        .edit_descriptor(move |descriptor| descriptor["platform"]["os.version"] = version.into())
}

fn arm64_or(platform: &str) -> u16 {
    if platform.ends_with("arm64") { pe::ARM64 } else { pe::AMD64 }
}

/// The entrypoint names a file that no layer has.
#[must_use]
pub fn entrypoint_missing() -> Case {
    let arm64 = application("linux/arm64").entrypoint(&["/usr/local/bin/apps"]);
    let found = file("binary/entrypoint-missing", "linux/arm64", "/usr/local/bin/apps");
    case("entrypoint-missing", two(arm64).forge(), &[found])
}

/// The entrypoint was copied without its mode.
#[must_use]
pub fn entrypoint_not_executable() -> Case {
    let plain = Layer::new().file("usr/local/bin/app", 0o644, Elf::program("arm64").salt("app").build());
    let arm64 = finished(Image::new("linux/arm64").layer(debian("linux/arm64")).layer(plain));
    let found = file("binary/entrypoint-not-executable", "linux/arm64", "/usr/local/bin/app");
    case("entrypoint-not-executable", two(arm64).forge(), &[found])
}

/// ELF magic and then nonsense.
#[must_use]
pub fn malformed_program() -> Case {
    let broken = Layer::new().program("usr/local/bin/app", Elf::program("arm64").truncate(30).build());
    let arm64 = finished(Image::new("linux/arm64").layer(debian("linux/arm64")).layer(broken));
    let found = file("binary/malformed", "linux/arm64", "/usr/local/bin/app");
    case("malformed-program", two(arm64).forge(), &[found])
}

/// A good and a broken image for a first try: the broken one has the program of another architecture, and one whole
/// platform that is another.
#[must_use]
pub fn demo() -> (Forged, Forged) {
    let built = Layer::new().file("etc/build", 0o644, "linux/riscv64\n");
    let broken = Index::new()
        .image(application("linux/amd64"))
        .image(on("linux/arm64", "linux/arm64", "linux/amd64"))
        .image(on("linux/riscv64", "linux/amd64", "linux/amd64").layer(built));
    (good(), broken.forge())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_kebab_case() {
        let mut names: Vec<&str> = all().iter().chain(&crate::legitimate::all()).map(|case| case.name).collect();
        assert!(names.iter().all(|name| name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))));
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn each_broken_one_has_its_findings() {
        assert!(all().iter().all(|case| !case.expected.is_empty()));
        assert!(crate::legitimate::all().iter().all(|case| case.expected.is_empty()));
    }

    #[test]
    fn forging_is_deterministic() {
        assert_eq!(good().root, good().root);
        assert_eq!(good().members().len(), 7);
    }

    #[test]
    fn every_blob_of_every_case_is_what_its_digest_says() {
        for case in all().iter().chain(&crate::legitimate::all()) {
            assert!(!case.forged.members().is_empty(), "{}", case.name);
            for (digest, bytes) in &case.forged.blobs {
                assert_eq!(*digest, crate::digest::sha256(bytes), "{}", case.name);
            }
        }
    }
}
