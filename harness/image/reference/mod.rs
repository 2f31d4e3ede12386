//! What the user calls an image: which source it is read from, and its name there.
//!
//! The transports are those of containers-transports(5). Nothing is contacted
//! and nothing is read here: the only question to the world is what lies at a
//! path, and the caller may answer it.

pub mod name;
mod path;

pub use name::{ImageName, NameError};
pub use path::PathKind;

use super::digest::Digest;
use name::shown;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where an image is read from, and what it is called there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// `docker://NAME`, or a plain name.
    Registry {
        /// The name.
        name: ImageName,
    },
    /// `docker-daemon:NAME`.
    Engine {
        /// The name or id.
        image: EngineImage,
    },
    /// `oci:DIR`, or a plain directory with an `oci-layout` file.
    Layout {
        /// The directory.
        path: PathBuf,
        /// Which of its images.
        selector: Option<Selector>,
    },
    /// `oci-archive:FILE`, `docker-archive:FILE`, or a plain archive file.
    Archive {
        /// The file.
        path: PathBuf,
        /// Which of its images.
        selector: Option<Selector>,
        /// What the user said that it is.
        form: ArchiveForm,
    },
}

/// An image in an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineImage {
    /// By name.
    Name(ImageName),
    /// By id: the digest of the config, or with the containerd store of the index.
    Id(Digest),
}

impl fmt::Display for EngineImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(&name.familiar()),
            Self::Id(id) => id.fmt(f),
        }
    }
}

/// What an image archive is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveForm {
    /// Not said: whatever is in it, an OCI layout before a `manifest.json`.
    Any,
    /// `oci-archive:`, a layout in a tar.
    Oci,
    /// `docker-archive:`, what `docker save` writes. Since Docker 25 that is a
    /// layout too, which says more than the `manifest.json` beside it.
    Docker,
}

/// Which image of a layout or archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// By its tag or name.
    Name(String),
    /// By its digest.
    Digest(Digest),
    /// By its position, from 0: `@0`, the source index of containers-transports(5).
    Position(usize),
}

impl Selector {
    /// Reads what follows the path; nothing is no selector.
    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let bare = text.strip_prefix('@').unwrap_or(text);
        if let Ok(digest) = Digest::parse(bare) {
            return Some(Self::Digest(digest));
        }
        match text.strip_prefix('@').map(str::parse) {
            Some(Ok(position)) => Some(Self::Position(position)),
            _ => Some(Self::Name(text.to_owned())),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(&shown(name)),
            Self::Digest(digest) => digest.fmt(f),
            Self::Position(position) => write!(f, "@{position}"),
        }
    }
}

/// Why an argument names no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// The argument, or what follows its transport, is empty.
    #[error("an image name is missing{}", if .transport.is_empty() { String::new() } else { format!(" after `{transport}`") })]
    Empty {
        /// The transport, empty where there was none.
        transport: String,
    },
    /// A transport that others have and mpcheck has not.
    #[error("images are not read from `{transport}`")]
    Transport {
        /// The transport.
        transport: String,
        /// The next step.
        hint: &'static str,
    },
    /// Nearly a transport.
    #[error("`{transport}` is no transport; did you mean `{nearest}`?")]
    Misspelt {
        /// What was typed.
        transport: String,
        /// What was probably meant.
        nearest: &'static str,
    },
    /// An address instead of a name.
    #[error("`{text}` is an address, and registries are named without `https://`")]
    Address {
        /// What was typed.
        text: String,
    },
    /// No image name.
    #[error("`{text}` is no image name: {why}")]
    Name {
        /// What was typed.
        text: String,
        /// What is wrong with it.
        why: NameError,
    },
    /// There is no such file or directory.
    #[error("{path} does not exist")]
    NoSuchFile {
        /// The path.
        path: String,
    },
    /// It cannot be looked at.
    #[error("{path} cannot be read: {why}")]
    Unreadable {
        /// The path.
        path: String,
        /// The system's reason.
        why: String,
    },
    /// Something is there, and it is no image.
    #[error("{path} is no image: it is {what}")]
    NotAnImage {
        /// The path.
        path: String,
        /// What it is instead.
        what: String,
        /// The next step.
        hint: String,
    },
}

impl ReferenceError {
    /// Whether the argument itself is wrong (exit code 2), and not what it names missing or unreadable (3).
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        !matches!(self, Self::NoSuchFile { .. } | Self::Unreadable { .. })
    }

    /// The next step for the person who reads the message.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Empty { .. } => {
                "name an image: registry.example/app:1, docker-daemon:app:1, or the path of an OCI layout or archive"
                    .to_owned()
            }
            Self::Transport { hint, .. } => (*hint).to_owned(),
            Self::Misspelt { transport, nearest } => format!(
                "write `{nearest}…`; where a registry's image is really called that, write `docker://{transport}…`"
            ),
            Self::Address { text } => {
                let bare = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest);
                format!("write `{bare}`, and add --plain-http where the registry has no TLS")
            }
            Self::Name { .. } => {
                "a name is [HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]; a file or directory starts with `./` or `/`"
                    .to_owned()
            }
            Self::NoSuchFile { path } if ImageName::parse(path).is_ok() => {
                "check the path; where a registry's image is meant, put `docker://` before its name".to_owned()
            }
            Self::NoSuchFile { .. } => "check the path".to_owned(),
            Self::Unreadable { .. } => "check the permissions of the path and of the directories above it".to_owned(),
            Self::NotAnImage { hint, .. } => hint.clone(),
        }
    }
}

const REGISTRY: &str = "docker://";
const ENGINE: &str = "docker-daemon:";
const LAYOUT: &str = "oci:";
const OCI_ARCHIVE: &str = "oci-archive:";
const DOCKER_ARCHIVE: &str = "docker-archive:";
const TRANSPORTS: [&str; 5] = [REGISTRY, ENGINE, LAYOUT, OCI_ARCHIVE, DOCKER_ARCHIVE];

/// Transports of containers-transports(5), regclient and syft that mpcheck does not have, and what to do instead.
const OTHER_TRANSPORTS: [(&str, &str); 9] = [
    (
        "containers-storage:",
        "copy it to a layout first: `skopeo copy --all containers-storage:NAME oci:DIR`; or start Podman's socket (`systemctl --user start podman.socket`) and use `docker-daemon:NAME`",
    ),
    ("dir:", "copy it to a layout first: `skopeo copy --all dir:PATH oci:DIR`"),
    ("ostree:", "copy it to a layout first: `skopeo copy ostree:NAME oci:DIR`"),
    ("atomic:", "write the registry's own name: `docker://NAME`"),
    ("sif:", "a SIF file holds one file system and no platforms, so there is nothing to check"),
    ("tarball:", "a tar of files is no image: `docker import` makes one of it"),
    ("ocidir://", "write `oci:DIR:TAG`"),
    ("oci-dir:", "write `oci:DIR:TAG`"),
    ("file://", "write the path alone"),
];

impl Location {
    /// Reads an argument, and asks the file system what lies at its path.
    ///
    /// # Errors
    /// When the argument names no image that could be looked for.
    pub fn parse(argument: &str) -> Result<Self, ReferenceError> {
        Self::parse_with(argument, &PathKind::of)
    }

    /// Reads an argument; `kind` says what lies at a path.
    ///
    /// # Errors
    /// As [`Location::parse`].
    pub fn parse_with(argument: &str, kind: &dyn Fn(&Path) -> PathKind) -> Result<Self, ReferenceError> {
        if argument.trim().is_empty() {
            return Err(ReferenceError::Empty { transport: String::new() });
        }
        let lower = argument.to_ascii_lowercase();
        for transport in TRANSPORTS {
            let Some(rest) = lower.strip_prefix(transport).and_then(|r| argument.get(argument.len() - r.len()..))
            else {
                continue;
            };
            if rest.trim().is_empty() {
                return Err(ReferenceError::Empty { transport: transport.to_owned() });
            }
            return match transport {
                REGISTRY => registry(rest),
                ENGINE => engine(rest),
                LAYOUT => layout(rest, kind),
                OCI_ARCHIVE => archive(rest, ArchiveForm::Oci, kind),
                _ => archive(rest, ArchiveForm::Docker, kind),
            };
        }
        // `dir:latest` could be a registry's image; a slash after the colon could not.
        if let Some((transport, hint)) = OTHER_TRANSPORTS.iter().find(|(t, _)| lower.starts_with(t)) {
            return Err(ReferenceError::Transport { transport: (*transport).to_owned(), hint });
        }
        plain(argument, kind)
    }
}

fn registry(name: &str) -> Result<Location, ReferenceError> {
    if name.contains("://") {
        return Err(ReferenceError::Address { text: shown(name) });
    }
    let parsed = ImageName::parse(name).map_err(|why| ReferenceError::Name { text: shown(name), why })?;
    Ok(Location::Registry { name: parsed })
}

fn engine(name: &str) -> Result<Location, ReferenceError> {
    let bare = name.strip_prefix("//").unwrap_or(name);
    let id = Digest::parse(bare).or_else(|_| Digest::parse(&format!("sha256:{bare}")));
    let image = match id {
        Ok(id) => EngineImage::Id(id),
        Err(_) => {
            EngineImage::Name(ImageName::parse(bare).map_err(|why| ReferenceError::Name { text: shown(bare), why })?)
        }
    };
    Ok(Location::Engine { image })
}

/// Parts a path from the selector behind it.
///
/// The path ends at the first colon, as in containers-transports(5), unless a
/// longer one exists: `oci:/tmp/a:b:1` is the tag 1 of the directory `/tmp/a:b` where that is there.
fn split_path<'a>(text: &'a str, kind: &dyn Fn(&Path) -> PathKind) -> (&'a str, Option<Selector>) {
    if kind(Path::new(text)) != PathKind::Missing {
        return (text, None);
    }
    // `DIR@sha256:…`: the digest's own colon does not end the path.
    if let Some((path, digest)) = text.rsplit_once('@')
        && let Ok(digest) = Digest::parse(digest)
    {
        return (path.strip_suffix(':').unwrap_or(path), Some(Selector::Digest(digest)));
    }
    let at = |colon: usize| {
        let (path, rest) = text.split_at(colon);
        (path, Selector::parse(rest.get(1..).unwrap_or_default()))
    };
    let existing = text.rmatch_indices(':').find(|(i, _)| {
        text.get(..*i).is_some_and(|path| !path.is_empty() && kind(Path::new(path)) != PathKind::Missing)
    });
    match existing.map(|(i, _)| i).or_else(|| text.find(':')) {
        Some(colon) => at(colon),
        None => (text, None),
    }
}

fn layout(text: &str, kind: &dyn Fn(&Path) -> PathKind) -> Result<Location, ReferenceError> {
    let (path, selector) = split_path(text, kind);
    let shown = shown(path);
    match kind(Path::new(path)) {
        PathKind::Layout => Ok(Location::Layout { path: path.into(), selector }),
        PathKind::Missing => Err(ReferenceError::NoSuchFile { path: shown }),
        PathKind::Archive => Err(ReferenceError::NotAnImage {
            hint: format!("it is a file: write `oci-archive:{shown}`, or `{shown}` alone"),
            path: shown,
            what: "an archive, and `oci:` names a directory".to_owned(),
        }),
        other => Err(other.not_an_image(shown)),
    }
}

fn archive(text: &str, form: ArchiveForm, kind: &dyn Fn(&Path) -> PathKind) -> Result<Location, ReferenceError> {
    let (path, selector) = split_path(text, kind);
    let shown = shown(path);
    match kind(Path::new(path)) {
        PathKind::Archive => Ok(Location::Archive { path: path.into(), selector, form }),
        PathKind::Missing => Err(ReferenceError::NoSuchFile { path: shown }),
        PathKind::Layout => Err(ReferenceError::NotAnImage {
            hint: format!("write `oci:{shown}`, or `{shown}` alone"),
            path: shown,
            what: "an OCI layout directory, and an archive is a file".to_owned(),
        }),
        other => Err(other.not_an_image(shown)),
    }
}

fn plain(argument: &str, kind: &dyn Fn(&Path) -> PathKind) -> Result<Location, ReferenceError> {
    let is_path = is_path_like(argument) || has_file_before_colon(argument, kind);
    let (path, selector) = if is_path { split_path(argument, kind) } else { (argument, None) };
    match kind(Path::new(path)) {
        PathKind::Layout => return Ok(Location::Layout { path: path.into(), selector }),
        PathKind::Archive => return Ok(Location::Archive { path: path.into(), selector, form: ArchiveForm::Any }),
        PathKind::Missing if is_path_like(path) => return Err(ReferenceError::NoSuchFile { path: shown(path) }),
        PathKind::Missing => {}
        other => return Err(other.not_an_image(shown(path))),
    }
    if argument.starts_with("http://") || argument.starts_with("https://") {
        return Err(ReferenceError::Address { text: shown(argument) });
    }
    if let Some(error) = misspelt(argument) {
        return Err(error);
    }
    registry(argument)
}

/// Whether this is an archive's file name and a selector: `app.tar:v1`. A registry's `host.example/app.tar:v1` is not.
fn has_file_before_colon(argument: &str, kind: &dyn Fn(&Path) -> PathKind) -> bool {
    argument.split_once(':').is_some_and(|(path, _)| {
        is_path_like(path) && (!path.contains('/') || kind(Path::new(path)) != PathKind::Missing)
    })
}

/// Whether an argument can only be meant as a path.
fn is_path_like(argument: &str) -> bool {
    const ENDINGS: [&str; 8] = [".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz", ".tar.bz2", ".oci", "/"];
    let starts = ["/", "./", "../", "~"].iter().any(|s| argument.starts_with(s));
    starts || matches!(argument, "." | "..") || ENDINGS.iter().any(|e| argument.ends_with(e))
}

/// Whether what stands before the first colon is nearly a transport.
///
/// Only transports with a dash are compared: a short one like `oci` is near too many names of images.
fn misspelt(argument: &str) -> Option<ReferenceError> {
    let (typed, rest) = argument.split_once(':')?;
    if typed.contains('/') || rest.is_empty() {
        return None;
    }
    let nearest = TRANSPORTS
        .into_iter()
        .filter(|t| t.contains('-'))
        .map(|t| (strsim::damerau_levenshtein(&typed.to_ascii_lowercase(), t.trim_end_matches(':')), t))
        .min()?;
    let (distance, nearest) = nearest;
    (distance <= 2).then(|| ReferenceError::Misspelt { transport: format!("{}:", shown(typed)), nearest })
}

#[cfg(test)]
mod tests;
