//! Odd images with nothing wrong in them: a checker that complains about one cries wolf.

use crate::arch::arch;
use crate::elf::{Elf, Kind};
use crate::files;
use crate::image::Image;
use crate::incidents::{self, Case, application};
use crate::index::Index;
use crate::layer::Layer;
use crate::macho;
use crate::pe::{self, Pe};
use crate::rootfs::{PATH, alpine, debian};
use crate::store::Forged;

/// All of them, the good image first.
#[must_use]
pub fn all() -> Vec<Case> {
    let mut cases = vec![case("good", incidents::good()), case("good-alpine", good_alpine())];
    cases.push(incidents::attestations());
    cases.extend(odd_but_legitimate());
    cases
}

/// The odd ones.
#[must_use]
pub fn odd_but_legitimate() -> Vec<Case> {
    vec![
        case("cross-toolchain", cross_toolchain()),
        case("prebuilds", prebuilds()),
        case("multilib", multilib()),
        case("arm-in-arm64", arm_in_arm64()),
        case("firmware", firmware()),
        case("bpf", bpf()),
        case("kernel-modules", kernel_modules()),
        case("dotnet", dotnet()),
        case("distlib-launchers", distlib_launchers()),
        case("go-testdata", go_testdata()),
        case("scratch", scratch()),
        case("data-only", data_only()),
        case("no-entrypoint", no_entrypoint()),
        case("java", java()),
        case("debug-tree", debug_tree()),
        case("symlinked-entrypoint", symlinked_entrypoint()),
        case("relative-entrypoint", relative_entrypoint()),
        case("hardlinked-busybox", hardlinked_busybox()),
        case("empty-layers", empty_layers()),
        case("scripts-only", scripts_only()),
        case("headers-at-end", headers_at_end()),
        case("replaced-and-removed", replaced_and_removed()),
        case("static-libraries", static_libraries()),
        case("shell-form", shell_form()),
        case("unusual-identification", unusual_identification()),
        case("windows", windows()),
        case("artifact-beside", artifact_beside()),
        case("nested-index", nested_index()),
        case("docker-types", docker_types()),
        case("single-manifest", application("linux/arm64").forge()),
        case("arm64-v8", arm64_v8()),
        case("guest-firmware", guest_firmware()),
    ]
}

fn case(name: &'static str, forged: Forged) -> Case {
    Case { name, forged, baseline: None, expected: Vec::new() }
}

/// An index of two platforms, the application with one more layer each.
fn with(layer: impl Fn(&str) -> Layer) -> Forged {
    let image = |platform: &str| application(platform).layer(layer(platform));
    Index::new().image(image("linux/amd64")).image(image("linux/arm64")).forge()
}

fn good_alpine() -> Forged {
    let image = |platform: &str| {
        let app = Layer::new().program("usr/local/bin/app", Elf::musl(platform).salt("app").build());
        Image::new(platform).layer(alpine(platform)).layer(app).env(PATH).entrypoint(&["app"]).cmd(&["--help"])
    };
    Index::new().images(["linux/amd64", "linux/arm/v6", "linux/arm64", "linux/loong64"].map(image)).forge()
}

/// gcc for riscv64 with its libraries, in directories that say so; its own programs are the platform's.
fn cross_toolchain() -> Forged {
    with(|platform| {
        let libc = Elf::library("riscv64", "libc.so.6").build();
        Layer::new()
            .program("usr/bin/riscv64-linux-gnu-gcc", Elf::glibc(platform).salt("gcc").build())
            .program("usr/riscv64-linux-gnu/bin/ld", Elf::glibc(platform).salt("ld").build())
            .program("usr/riscv64-linux-gnu/lib/libc.so.6", &libc)
            .file("usr/riscv64-linux-gnu/lib/crt1.o", 0o644, Elf::object("riscv64").build())
            .file("usr/lib/gcc-cross/riscv64-linux-gnu/14/libgcc.a", 0o644, files::static_library("riscv64"))
            .program(
                "usr/lib/gcc-cross/riscv64-linux-gnu/14/libgcc_s.so.1",
                Elf::library("riscv64", "libgcc_s.so.1").build(),
            )
    })
}

/// An npm package that brings all its builds along.
fn prebuilds() -> Forged {
    with(|_| {
        let mut layer = Layer::new();
        for (directory, name) in
            [("linux-x64", "amd64"), ("linux-arm64", "arm64"), ("linux-arm", "arm/v7"), ("linux-ia32", "386")]
        {
            let module = Elf::library(name, "node.napi.node").build();
            layer = layer.file(
                format!("app/node_modules/utf-8-validate/prebuilds/{directory}/node.napi.node"),
                0o755,
                module,
            );
        }
        let prebuilds = "app/node_modules/utf-8-validate/prebuilds";
        layer
            .file(
                format!("{prebuilds}/darwin-x64+arm64/node.napi.node"),
                0o755,
                macho::fat(&[macho::X86_64, macho::ARM64]),
            )
            .file(format!("{prebuilds}/win32-x64/node.napi.node"), 0o755, Pe::program(pe::AMD64).dll().build())
    })
}

/// i386 libraries and programs in amd64, as wine and steam have them.
fn multilib() -> Forged {
    let layer = Layer::new()
        .file("usr/lib/i386-linux-gnu/libc.so.6", 0o755, Elf::library("386", "libc.so.6").build())
        .program("usr/lib/i386-linux-gnu/ld-linux.so.2", Elf::library("386", "ld-linux.so.2").build())
        .symlink("usr/lib/ld-linux.so.2", "i386-linux-gnu/ld-linux.so.2")
        .program("opt/game/launcher", Elf::glibc("386").salt("launcher").build());
    Index::new().image(application("linux/amd64").layer(layer)).forge()
}

/// A 32-bit program in arm64, which its kernels may run.
fn arm_in_arm64() -> Forged {
    let layer = Layer::new().program("opt/legacy/tool", Elf::program("arm/v7").salt("tool").build());
    Index::new().image(application("linux/arm64").layer(layer)).forge()
}

/// Firmware of cores that no container runs on.
fn firmware() -> Forged {
    with(|_| {
        Layer::new()
            .file("usr/lib/firmware/qcom/adsp.mbn", 0o644, Elf::program("hexagon").build())
            .file("usr/lib/firmware/vendor/wifi.elf", 0o644, Elf::program("arm/v7").without_attributes().build())
            .file("opt/esp/firmware.elf", 0o644, Elf::program("xtensa").build())
            .file("opt/board/main.elf", 0o755, Elf::program("avr").build())
            .file("opt/kernels/kernel.cubin", 0o644, Elf::program("cuda").build())
            .file("opt/kernels/kernel.hsaco", 0o644, Elf::library("amdgpu", "kernel").build())
    })
}

/// Bytecode for the kernel.
fn bpf() -> Forged {
    with(|_| {
        Layer::new()
            .file("var/lib/cilium/bpf/bpf_lxc.o", 0o644, Elf::object("bpf").build())
            .program("opt/probe/probe.bpf", Elf::object("bpf").salt("probe").build())
    })
}

/// Modules for the kernels of several machines.
fn kernel_modules() -> Forged {
    with(|_| {
        let module = |name: &str| Elf::object(name).salt("module").build();
        Layer::new()
            .file("usr/lib/modules/6.12.0/kernel/net/dummy.ko", 0o644, module("amd64"))
            .file("usr/lib/modules/6.12.0-arm64/kernel/net/dummy.ko", 0o644, module("arm64"))
            .file("opt/falco/falco.ko", 0o644, module("amd64"))
    })
}

/// A .NET application: assemblies for any machine, some compiled ahead for Linux, resources for Windows beside them.
fn dotnet() -> Forged {
    let image = |platform: &str| {
        let machine = if platform == "linux/amd64" { pe::AMD64 } else { pe::ARM64 };
        let framework = "usr/share/dotnet/shared/Microsoft.NETCore.App/8.0.4";
        let layer = Layer::new()
            .program("usr/share/dotnet/dotnet", Elf::glibc(platform).salt("dotnet").build())
            .symlink("usr/bin/dotnet", "/usr/share/dotnet/dotnet")
            .file(
                format!("{framework}/System.Private.CoreLib.dll"),
                0o644,
                Pe::program(machine ^ pe::LINUX_MASK).managed().dll().build(),
            )
            .file(
                format!("{framework}/libcoreclr.so"),
                0o755,
                Elf::library(platform, "libcoreclr.so").needed(&["libc.so.6"]).build(),
            )
            .file("app/app.dll", 0o644, Pe::any_cpu().salt("app").build())
            .file("app/Microsoft.Data.SqlClient.dll", 0o755, Pe::any_cpu().salt("sql").build())
            .file("app/runtimes/win-x64/native/sni.dll", 0o644, Pe::program(pe::AMD64).dll().build())
            .file(
                "app/runtimes/linux-arm64/native/libe_sqlite3.so",
                0o644,
                Elf::library("arm64", "libe_sqlite3.so").build(),
            )
            .file(
                "app/runtimes/linux-x64/native/libe_sqlite3.so",
                0o644,
                Elf::library("amd64", "libe_sqlite3.so").build(),
            )
            .file(
                "app/runtimes/linux-arm/native/libe_sqlite3.so",
                0o644,
                Elf::library("arm/v7", "libe_sqlite3.so").build(),
            )
            .file("app/runtimes/osx-arm64/native/libe_sqlite3.dylib", 0o644, macho::thin(macho::ARM64));
        Image::new(platform)
            .layer(debian(platform))
            .layer(layer)
            .history("COPY --from=build /app . # buildkit", false)
            .env(PATH)
            .workdir("/app")
            .entrypoint(&["dotnet", "app.dll"])
    };
    Index::new().images(["linux/amd64", "linux/arm64"].map(image)).forge()
}

/// pip's own launchers for Windows lie in every Python installation.
fn distlib_launchers() -> Forged {
    with(|platform| {
        let distlib = "usr/local/lib/python3.13/site-packages/pip/_vendor/distlib";
        let mut layer = Layer::new().program("usr/local/bin/python3.13", Elf::glibc(platform).salt("python").build());
        for (name, machine) in [
            ("t32", pe::I386),
            ("t64", pe::AMD64),
            ("t64-arm", pe::ARM64),
            ("w32", pe::I386),
            ("w64", pe::AMD64),
            ("w64-arm", pe::ARM64),
        ] {
            layer = layer.file(format!("{distlib}/{name}.exe"), 0o644, Pe::program(machine).salt(name).build());
        }
        layer
            .file(
                "usr/local/lib/python3.13/site-packages/setuptools/cli-64.exe",
                0o755,
                Pe::program(pe::AMD64).salt("cli").build(),
            )
            .program("usr/local/bin/pip", files::script("/usr/local/bin/python3.13", "import pip"))
            .symlink("usr/local/bin/python3", "python3.13")
    })
}

/// Go's source tree has executables of many machines as data of its tests.
fn go_testdata() -> Forged {
    with(|platform| {
        let testdata = "usr/local/go/src/debug/elf/testdata";
        Layer::new()
            .program("usr/local/go/bin/go", Elf::program(platform).salt("go").build())
            .file(format!("{testdata}/gcc-amd64-linux-exec"), 0o755, Elf::glibc("amd64").build())
            .file(format!("{testdata}/gcc-386-freebsd-exec"), 0o755, Elf::program("386").osabi(9).build())
            .file(format!("{testdata}/hello-world-core.gz"), 0o644, files::gzip(b"core"))
            .file("usr/local/go/src/debug/pe/testdata/gcc-amd64-mingw-exec", 0o644, Pe::program(pe::AMD64).build())
            .file(
                "usr/local/go/src/debug/macho/testdata/fat-gcc-386-amd64-darwin-exec",
                0o644,
                macho::fat(&[macho::I386, macho::X86_64]),
            )
            .file("usr/local/go/src/internal/trace/testdata/broken", 0o644, Elf::program("s390x").truncate(40).build())
    })
}

/// One static program and nothing else.
fn scratch() -> Forged {
    let image = |platform: &str| {
        let layer = Layer::new().program("app", Elf::program(platform).without_attributes().build());
        Image::new(platform).layer(layer).entrypoint(&["/app"])
    };
    Index::new().images(["linux/amd64", "linux/arm64", "linux/arm/v5", "linux/mips64le"].map(image)).forge()
}

/// Files that no one runs, the same in each platform.
fn data_only() -> Forged {
    let layer = Layer::new().dirs(&["data"]).file("data/table.csv", 0o644, "a,b\n1,2\n").build();
    let image = |platform: &str| Image::new(platform).layer(&layer).volume("/data");
    Index::new().images(["linux/amd64", "linux/arm64"].map(image)).forge()
}

/// A base image: nothing says what to run.
fn no_entrypoint() -> Forged {
    Index::new().images(["linux/amd64", "linux/s390x"].map(|name| Image::new(name).layer(debian(name)))).forge()
}

/// Class files and a jar, shared by all platforms over a Java runtime of their own.
fn java() -> Forged {
    let classes = Layer::new()
        .file("app/Main.class", 0o644, files::java_class(61))
        .file("app/old/Legacy.class", 0o755, files::java_class(45))
        .file("app/app.jar", 0o644, files::zip("Main.class", &files::java_class(65)))
        .build();
    let image = |platform: &str| {
        let runtime = Layer::new()
            .program("opt/java/openjdk/bin/java", Elf::glibc(platform).salt("java").build())
            .file("opt/java/openjdk/lib/server/libjvm.so", 0o755, Elf::library(platform, "libjvm.so").build());
        Image::new(platform)
            .layer(debian(platform))
            .layer(runtime)
            .layer(&classes)
            .env("PATH=/opt/java/openjdk/bin:/usr/local/bin:/usr/bin:/bin")
            .env("JAVA_HOME=/opt/java/openjdk")
            .entrypoint(&["java", "-cp", "/app", "Main"])
    };
    Index::new().images(["linux/amd64", "linux/arm64"].map(image)).forge()
}

/// Debug files of another machine, for a debugger.
fn debug_tree() -> Forged {
    with(|_| {
        Layer::new().file("usr/lib/debug/.build-id/ab/cdef.debug", 0o644, Elf::library("s390x", "x").build()).file(
            "opt/tool/.debug/tool",
            0o755,
            Elf::program("ppc64le").build(),
        )
    })
}

/// `/bin/app`, where `/bin` is a link, leads over an absolute and a relative link to the file.
fn symlinked_entrypoint() -> Forged {
    let image = |platform: &str| {
        let layer = Layer::new()
            .dirs(&["opt", "opt/app-1.2"])
            .program("opt/app-1.2/app", Elf::program(platform).salt("app").build())
            .symlink("opt/current", "app-1.2")
            .symlink("usr/bin/app", "/opt/current/app");
        Image::new(platform).layer(debian(platform)).layer(layer).env(PATH).entrypoint(&["/bin/app"])
    };
    Index::new().images(["linux/amd64", "linux/arm64"].map(image)).forge()
}

/// `./bin/app` below the working directory.
fn relative_entrypoint() -> Forged {
    let image = |platform: &str| {
        let layer = Layer::new().dirs(&["srv/bin"]).program("srv/bin/app", Elf::program(platform).salt("app").build());
        Image::new(platform).layer(debian(platform)).layer(layer).workdir("/srv").env(PATH).entrypoint(&["./bin/app"])
    };
    Index::new().images(["linux/amd64", "linux/arm64"].map(image)).forge()
}

/// The official busybox image: its applets are hard links, some of them made in a later layer.
fn hardlinked_busybox() -> Forged {
    let image = |platform: &str| {
        let base = Layer::new().dirs(&["bin", "etc"]).program("bin/[", Elf::program(platform).salt("busybox").build());
        let base =
            ["ls", "sh", "uname"].iter().fold(base, |layer, name| layer.hardlink(format!("bin/{name}"), "bin/["));
        let later = Layer::new().hardlink("bin/cat", "bin/ls");
        Image::new(platform).layer(base).layer(later).env(PATH).cmd(&["sh"])
    };
    Index::new().images(["linux/amd64", "linux/arm64", "linux/386"].map(image)).forge()
}

/// Layers without entries, and instructions that made none.
fn empty_layers() -> Forged {
    let image = |platform: &str| {
        application(platform)
            .layer(Layer::new())
            .history("WORKDIR /srv", false)
            .history("EXPOSE map[80/tcp:{}]", true)
            .layer(Layer::new())
            .layer(Layer::new().compress(crate::compress::Compression::None))
    };
    Index::new().images(["linux/amd64", "linux/arm64"].map(image)).forge()
}

/// All layers shared, and nothing in them that has an architecture.
fn scripts_only() -> Forged {
    let layer = Layer::new()
        .program("scripts/run.sh", files::script("/bin/sh", "echo run"))
        .program("scripts/noshebang", "echo run\n")
        .file("scripts/run.py", 0o644, "print('run')\n")
        .build();
    Index::new().images(["linux/amd64", "linux/arm64"].map(|name| Image::new(name).layer(&layer))).forge()
}

/// Programs that patchelf went over: headers and interpreter far into the file.
fn headers_at_end() -> Forged {
    with(|platform| {
        Layer::new().program("usr/local/bin/patched", Elf::glibc(platform).at_end().filler(1 << 20).build())
    })
}

/// A foreign program that a later layer replaces, one that is removed, and a directory that is hidden.
fn replaced_and_removed() -> Forged {
    let foreign = || Elf::program("mips64le").salt("foreign").build();
    let image = |platform: &str| {
        let first = Layer::new()
            .dirs(&["opt/old"])
            .program("usr/local/bin/tool", foreign())
            .program("usr/local/bin/gone", foreign())
            .program("opt/old/tool", foreign());
        let second = Layer::new()
            .program("usr/local/bin/tool", Elf::program(platform).salt("tool").build())
            .whiteout("usr/local/bin/gone")
            .dir("opt/old", 0o755)
            .opaque("opt/old")
            .file("opt/old/README", 0o644, "nothing left\n");
        application(platform).layer(first).layer(second)
    };
    Index::new().images(["linux/amd64", "linux/arm64"].map(image)).forge()
}

/// Objects and static libraries of other machines: a linker's input, which nothing executes.
fn static_libraries() -> Forged {
    with(|_| {
        Layer::new()
            .file("opt/sdk/lib/libsdk.a", 0o644, files::static_library("s390x"))
            .file("opt/sdk/lib/start.o", 0o644, Elf::object("s390x").build())
            .file("opt/sdk/module.wasm", 0o755, files::wasm())
    })
}

/// `CMD app --flag` in shell form, and a program of a name with a blank.
fn shell_form() -> Forged {
    let image = |platform: &str| {
        let app = Layer::new().program("usr/local/bin/app", Elf::program(platform).salt("app").build());
        Image::new(platform).layer(debian(platform)).layer(app).env(PATH).cmd(&[
            "/bin/sh",
            "-c",
            "app --flag && exit 0",
        ])
    };
    Index::new().images(["linux/amd64", "linux/arm64"].map(image)).forge()
}

/// Bytes in the identification that loaders ignore: an AppImage's mark, GNU's and FreeBSD's OSABI.
fn unusual_identification() -> Forged {
    with(|platform| {
        Layer::new()
            .program("opt/tool.AppImage", Elf::program(platform).patch(8, b"AI\x02").build())
            .program("usr/local/bin/gnu", Elf::program(platform).osabi(3).build())
            .program("usr/local/bin/pie", Elf::program(platform).kind(Kind::Dyn).salt("pie").build())
    })
}

/// Two Windows images beside a Linux one.
fn windows() -> Forged {
    Index::new()
        .image(application("linux/amd64"))
        .image(incidents::windows("windows/amd64", pe::AMD64))
        .image(incidents::windows("windows/arm64", pe::ARM64))
        .forge()
}

/// A signature and a bill of materials in the index of an image.
fn artifact_beside() -> Forged {
    Index::new()
        .image(application("linux/amd64"))
        .image(application("linux/arm64"))
        .artifact("application/vnd.dev.cosign.artifact.sig.v1+json")
        .artifact("application/spdx+json")
        .forge()
}

/// An index whose second entry is an index.
fn nested_index() -> Forged {
    let inner = Index::new().image(application("linux/arm64")).image(application("linux/s390x"));
    Index::new().image(application("linux/amd64")).nested(inner).forge()
}

/// Docker's manifest list and schema 2 types, and one entry that carries its manifest's bytes.
fn docker_types() -> Forged {
    Index::new()
        .docker()
        .image(application("linux/amd64").docker())
        .image(application("linux/arm64").docker())
        .embedded_data()
        .forge()
}

/// The index says arm64/v8, the config arm64: the same platform.
fn arm64_v8() -> Forged {
    let image = application("linux/arm64").descriptor_platform("linux/arm64/v8");
    Index::new().image(application("linux/amd64")).image(image).forge()
}

/// What a virtual machine boots: another machine's files under /usr/share.
fn guest_firmware() -> Forged {
    with(|platform| {
        let other = if arch(platform).name == "amd64" { "arm64" } else { "amd64" };
        let guest = format!("usr/share/qemu/firmware-{}.elf", arch(other).triplet);
        Layer::new()
            .file(guest, 0o644, Elf::program(other).build())
            .program("usr/local/bin/convert", Elf::program(platform).salt("convert").build())
    })
}
