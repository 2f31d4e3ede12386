//! PE: Windows' executables and libraries, and .NET assemblies on every system.
//!
//! Source: Microsoft, "PE Format".

use super::content::Fingerprint;
use serde::{Deserialize, Serialize};

/// What is known of a PE file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pe {
    /// The machine of the COFF header (`IMAGE_FILE_MACHINE_*`).
    pub machine: u16,
    /// Whether it has a CLR header: a .NET assembly, which a runtime for any architecture loads.
    pub managed: bool,
    /// Equal for equal files.
    pub fingerprint: Fingerprint,
}

/// Reads the headers out of a file's first bytes; `None` for a DOS stub or another file that starts with `MZ`.
pub(super) fn parse(head: &[u8], fingerprint: Fingerprint) -> Option<Pe> {
    let header = goblin::pe::header::Header::parse(head).ok()?;
    let managed = header
        .optional_header
        .and_then(|optional| optional.data_directories.get_clr_runtime_header().copied())
        .is_some_and(|directory| directory.virtual_address != 0);
    Some(Pe { machine: header.coff_header.machine, managed, fingerprint })
}
