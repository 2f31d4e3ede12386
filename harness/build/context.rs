//! What is built in a rehearsal: programs that mpcheck makes itself, and a Dockerfile for each thing to be shown.
//!
//! The programs are the probe, which says what machine the kernel says it is, and one that only starts and ends well,
//! for RUN. So an image needs no base, and the rehearsal no network.

use crate::platform::{ARCHITECTURES, Architecture, Platform};
use crate::probe;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// The Dockerfile whose RUN is emulated.
pub(super) const EMULATED: &str = "Dockerfile";
/// The one that builds on the machine's own platform for the others.
pub(super) const CROSS: &str = "Dockerfile.cross";
/// The same, with the mistake that the checks must find.
pub(super) const TWIN: &str = "Dockerfile.twin";

/// What the images are made of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Base<'a> {
    /// Nothing.
    Scratch,
    /// An image with a shell and `uname`.
    Image(&'a str),
}

impl Base<'_> {
    /// What a container of the image is asked with; nothing where its entrypoint is the probe.
    pub(super) const fn question(self) -> &'static [&'static str] {
        match self {
            Self::Scratch => &[],
            Self::Image(_) => &["uname", "-m"],
        }
    }

    /// The exit code of a container that answered.
    pub(super) const fn exit(self) -> i32 {
        match self {
            Self::Scratch => probe::PROBE_EXIT,
            Self::Image(_) => 0,
        }
    }
}

/// Writes programs and Dockerfiles into a directory.
///
/// `name` is this rehearsal's: without it a RUN of an earlier one would be taken out of the builder's cache, and nothing be
/// run at all.
///
/// # Errors
/// When they cannot be written.
pub(super) fn write(directory: &Path, base: Base<'_>, name: &str) -> io::Result<()> {
    fs::write(directory.join("rehearsal"), name)?;
    for row in ARCHITECTURES {
        let programs = [("probe", probe::probe(row)), ("start", probe::waiter(row, 0))];
        for (name, program) in programs.into_iter().filter_map(|(name, program)| Some((name, program?))) {
            let path = directory.join(format!("{name}-{}", row.name));
            fs::write(&path, program)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
    }
    for row in ARCHITECTURES {
        fs::write(
            directory.join(without_arguments(row.name)),
            emulated(base).replace("$TARGETARCH", row.name).replace("ARG TARGETARCH\n", ""),
        )?;
    }
    for (name, text) in [(EMULATED, emulated(base)), (CROSS, cross(base, true)), (TWIN, cross(base, false))] {
        fs::write(directory.join(name), text)?;
    }
    Ok(())
}

/// The same for one architecture, without ARG: the old builder makes an image of its own platform of an ARG that comes
/// first in FROM scratch, and then wants it to be of another ("does not match the specified platform").
pub(super) fn without_arguments(architecture: &str) -> String {
    format!("{EMULATED}.{architecture}")
}

/// Whether a platform can be rehearsed: there is a program for it.
pub(super) fn has_program(platform: &Platform) -> bool {
    platform.os() == "linux" && platform.row().is_some_and(|row: &Architecture| probe::probe(row).is_some())
}

fn emulated(base: Base<'_>) -> String {
    match base {
        Base::Scratch => "FROM scratch\n\
             ARG TARGETARCH\n\
             COPY rehearsal /rehearsal\n\
             COPY start-$TARGETARCH /bin/start\n\
             RUN [\"/bin/start\"]\n\
             COPY probe-$TARGETARCH /bin/probe\n\
             ENTRYPOINT [\"/bin/probe\"]\n"
            .to_owned(),
        Base::Image(name) => format!("FROM {name}\nCOPY rehearsal /rehearsal\nRUN uname -m > /built-on\n"),
    }
}

/// The twin has its last stage on the build's platform: what is in it is that platform's, whatever it is called.
fn cross(base: Base<'_>, right: bool) -> String {
    let last = if right { "" } else { "--platform=$BUILDPLATFORM " };
    let arch = if right { "TARGETARCH" } else { "BUILDARCH" };
    match base {
        Base::Scratch => format!(
            "FROM --platform=$BUILDPLATFORM scratch AS build\n\
             ARG BUILDARCH\n\
             ARG {arch}\n\
             COPY rehearsal /rehearsal\n\
             COPY start-$BUILDARCH /bin/start\n\
             RUN [\"/bin/start\"]\n\
             COPY probe-${arch} /out/probe\n\
             FROM {last}scratch\n\
             COPY --from=build /out/probe /bin/probe\n\
             ENTRYPOINT [\"/bin/probe\"]\n"
        ),
        Base::Image(name) => format!(
            "FROM --platform=$BUILDPLATFORM {name} AS build\n\
             ARG TARGETARCH\n\
             COPY rehearsal /rehearsal\n\
             RUN uname -m && echo built for $TARGETARCH > /built-for\n\
             FROM {last}{name}\n\
             COPY --from=build /built-for /built-for\n"
        ),
    }
}
