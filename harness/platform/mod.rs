//! Platforms, and the one table of the architectures that they name.
//!
//! A platform is `os/architecture[/variant]`, as the OCI image spec and containerd spell it. Everything
//! else in the crate takes a [`Platform`] or an [`Architecture`] from here and never compares spellings
//! itself. This room reads no file, asks no network and depends on no other room.
//!
//! # Spelling
//!
//! [`Platform::parse`] reads what people write, and [`Platform::declared`] the fields of an index entry or
//! a config. Both end in the same canonical form, which is the one of [containerd's platforms package]
//! (`Parse`, then `Normalize`):
//!
//! | written | canonical |
//! |---|---|
//! | `Linux/X86_64`, `linux/x86-64`, `linux/amd64/v1` | `linux/amd64` |
//! | `linux/i386`, `linux/i386/anything` | `linux/386` |
//! | `linux/aarch64`, `linux/arm64/v8`, `/8`, `/8.0`, `/v8.0` | `linux/arm64` |
//! | `linux/arm64/9`, `/9.0`, `/v9.0` | `linux/arm64/v9` |
//! | `linux/arm`, `linux/arm/7`, `linux/armhf` | `linux/arm/v7` |
//! | `linux/armel`, `linux/arm/6` | `linux/arm/v6` |
//! | `macos/arm64` | `darwin/arm64` |
//! | `windows(10.0.17763+win32k)/amd64` | `windows/amd64`, its version and features beside it |
//! | `windows/amd64:10.0.17763` (as `crane` writes it) | the same, without the feature |
//!
//! Architectures and variants that the table does not have are kept, in lower case.
//!
//! There are three differences from containerd, all on purpose:
//!
//! - **Nothing is filled in from the host.** containerd completes `arm64` with the host's operating system
//!   and `linux` with the host's architecture, so the same words mean different platforms on two machines,
//!   and a gate that passes here fails there. Here `arm64` is `linux/arm64`, because a container is a Linux
//!   container unless somebody says otherwise, and `linux` alone is an error.
//! - **An unusable platform is no platform.** `unknown/unknown`, which BuildKit writes on attestations, and
//!   parts without a letter or digit are errors.
//! - **The canonical form shows arm's variant.** `linux/arm` and `linux/arm/v7` are equal, so they are also
//!   shown alike. [`Platform::raw`] keeps the spelling, [`Platform::states_variant`] whether one was given.
//!
//! # Relations
//!
//! Platforms are never just "matched". Each relation has its name and its truth table in `relation.rs`:
//!
//! | relation | question | containerd |
//! |---|---|---|
//! | [`Platform::same_as`] | do both say the same, whatever the system's version? | `Normalize`, equal |
//! | [`Platform::satisfies`] | is this offer what was required, not just something that runs? | `OnlyStrict` |
//! | [`Platform::runs_on`] | can a machine that is this host run it, without an emulator? | `Only` |
//!
//! [`Selection`] is what `--platform` and `--require` say.
//!
//! # Architectures
//!
//! [`ARCHITECTURES`] has one row for each architecture that container platforms name, and the row is all
//! that a new one needs: names, variants, what its binaries look like as ELF, PE and Mach-O, its loaders,
//! its emulator, what `uname -m` says, and the words by which paths name it. [`Machine`] says what the
//! header of an ELF file is for, also where that is no container architecture.
//!
//! [containerd's platforms package]: https://github.com/containerd/platforms

mod architecture;
mod error;
mod machine;
mod place;
mod relation;
mod selection;
mod spelling;
mod table;

pub use architecture::{
    Alias, AliasVariant, Architecture, Class, Data, DebianPort, DefaultVariant, ElfFlag, ElfIdentity, Emulator,
    Executes, FlagBits, Libc, Loader, Uname, Variant,
};
pub use error::PlatformError;
pub use machine::{Machine, OTHER_ABIS, OTHER_MACHINES, OtherAbi, OtherMachine};
pub use place::{named_in, names_os};
pub use selection::Selection;
pub use table::ARCHITECTURES;

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

/// An operating system, an architecture and perhaps a variant, in canonical form.
///
/// Two platforms are equal when their canonical fields are; the spelling they came from does not count.
#[derive(Debug, Clone)]
pub struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
    os_version: Option<String>,
    os_features: Vec<String>,
    states_variant: bool,
    raw: String,
}

impl Platform {
    /// The operating system, as Go's `GOOS` names it: `linux`, `windows`, `darwin`.
    #[must_use]
    pub fn os(&self) -> &str {
        &self.os
    }

    /// The architecture, as Go's `GOARCH` names it: `amd64`, `arm64`, `ppc64le`.
    #[must_use]
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// The canonical variant: `v7` for every arm platform that names none, and nothing for arm64's `v8` and
    /// amd64's `v1`, which are what these architectures are anyway.
    #[must_use]
    pub fn variant(&self) -> Option<&str> {
        self.variant.as_deref()
    }

    /// The operating system's version; in practice the build of Windows.
    #[must_use]
    pub fn os_version(&self) -> Option<&str> {
        self.os_version.as_deref()
    }

    /// What the image wants of the operating system (`win32k`), sorted and without repeats.
    #[must_use]
    pub fn os_features(&self) -> &[String] {
        &self.os_features
    }

    /// The spelling as it was given, for messages. It is printable ASCII, whatever it was given in.
    #[must_use]
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// Whether the spelling named a variant, also by its architecture (`armhf`).
    ///
    /// Many published images leave arm's variant out of the config while the index has it, so "nothing said"
    /// and "said v7" are worth telling apart although both are `arm/v7`.
    #[must_use]
    pub const fn states_variant(&self) -> bool {
        self.states_variant
    }

    /// The row of [`ARCHITECTURES`] for this platform, if it has one.
    #[must_use]
    pub fn row(&self) -> Option<&'static Architecture> {
        Architecture::by_name(&self.architecture)
    }

    fn key(&self) -> (&str, &str, Option<&str>, Option<&str>, &[String]) {
        (&self.os, &self.architecture, self.variant(), self.os_version(), &self.os_features)
    }
}

impl PartialEq for Platform {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Platform {}

impl Ord for Platform {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Platform {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Platform {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}
