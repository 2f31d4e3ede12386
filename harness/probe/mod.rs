//! Tiny static programs, forged from the architecture table: no compiler makes them and no binary is kept.

use crate::platform::Architecture;

/// Where the sandbox gathers what the refuser reports.
pub const REFUSALS: &str = "/dev/mpcheck/refused";

/// The exit code of the probe.
pub const PROBE_EXIT: i32 = 42;

/// A program that prints the kernel's machine name and its own `argv[0]`, a line each, and exits with [`PROBE_EXIT`].
#[must_use]
pub fn probe(_row: &Architecture) -> Option<Vec<u8>> {
    None
}
