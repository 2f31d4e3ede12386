//! Base layers: what Debian and Alpine images hold, cut down to what a checker looks at.

use crate::arch::arch;
use crate::elf::Elf;
use crate::files;
use crate::layer::Layer;

/// The PATH that base images set.
pub const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The seven platforms that Debian's image has.
pub const SEVEN: [&str; 7] =
    ["linux/amd64", "linux/386", "linux/arm64", "linux/arm/v7", "linux/ppc64le", "linux/s390x", "linux/riscv64"];

/// Debian 13: merged /usr, glibc in its multiarch directory, the interpreter at the place that programs name.
#[must_use]
pub fn debian(platform: &str) -> Layer {
    let row = arch(platform);
    let libraries = format!("usr/lib/{}", row.triplet);
    let mut layer = Layer::new()
        .dirs(&["etc", "tmp", "usr", "usr/bin", "usr/sbin", "usr/lib", "usr/local", "usr/local/bin", "var", &libraries])
        .file("etc/os-release", 0o644, "ID=debian\nVERSION_ID=\"13\"\nPRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\n")
        .file("etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/usr/sbin/nologin\n")
        .symlink("bin", "usr/bin")
        .symlink("sbin", "usr/sbin")
        .symlink("lib", "usr/lib");
    for tool in ["dash", "cat", "ls", "uname", "env", "id"] {
        layer = layer.program(format!("usr/bin/{tool}"), Elf::glibc(platform).salt(tool).build());
    }
    layer = layer.symlink("usr/bin/sh", "dash");
    layer = layer.program("usr/bin/ldd", files::script("/bin/sh", "exec /bin/cat \"$1\""));
    layer = layer.file(format!("{libraries}/libc.so.6"), 0o755, libc(platform).build());
    let loader = row.glibc.rsplit('/').next().unwrap_or_default();
    layer = layer.program(format!("{libraries}/{loader}"), Elf::library(platform, loader).build());
    match row.glibc.trim_start_matches('/').rsplit_once('/') {
        // lib is a link already; lib64 is one too, with a link of its own inside it.
        Some(("lib", _)) => layer.symlink(format!("usr/lib/{loader}"), format!("{}/{loader}", row.triplet)),
        Some((directory, _)) => layer
            .dir(format!("usr/{directory}"), 0o755)
            .symlink(directory, format!("usr/{directory}"))
            .symlink(format!("usr/{directory}/{loader}"), format!("../lib/{}/{loader}", row.triplet)),
        None => layer,
    }
}

/// Alpine: busybox with its applets as links, musl as interpreter and libc in one.
#[must_use]
pub fn alpine(platform: &str) -> Layer {
    let row = arch(platform);
    let interpreter = row.musl.trim_start_matches('/');
    let loader = interpreter.trim_start_matches("lib/");
    let libc = loader.replace("ld-musl-", "libc.musl-");
    let mut layer = Layer::new()
        .dirs(&["bin", "etc", "lib", "sbin", "tmp", "usr", "usr/bin", "usr/lib", "usr/local", "usr/local/bin", "var"])
        .file("etc/os-release", 0o644, "ID=alpine\nVERSION_ID=3.22.1\nPRETTY_NAME=\"Alpine Linux v3.22\"\n")
        .file("etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\n")
        .program(interpreter, Elf::library(platform, &libc).build())
        .symlink(format!("lib/{libc}"), loader)
        .program("bin/busybox", Elf::musl(platform).salt("busybox").build());
    for applet in ["bin/sh", "bin/cat", "bin/ls", "bin/uname", "sbin/init", "usr/bin/env", "usr/bin/id"] {
        layer = layer.symlink(applet, "/bin/busybox");
    }
    layer
}

/// glibc's library: it names the interpreter as what it needs.
fn libc(platform: &str) -> Elf {
    let loader = arch(platform).glibc.rsplit('/').next().unwrap_or_default();
    Elf::library(platform, "libc.so.6").needed(&[loader])
}
