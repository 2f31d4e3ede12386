//! Forges container images and executables byte by byte: right ones, odd but legitimate ones, and broken ones.
//!
//! It shares nothing with the tool that it tests, not even a table: each builder says in its own words what a file
//! format, a registry or an image is, so a misunderstanding shows as a disagreement. Everything is deterministic:
//! the same calls give the same bytes and digests.
//!
//! From small to large: [`elf`], [`pe`], [`macho`] and [`files`] make files, [`layer`] puts them into a layer,
//! [`image`] makes a manifest and config of layers, [`index`] several platforms of these, and [`store`] holds the
//! result and writes it as an OCI layout, as an archive, or into a registry. [`incidents`] and [`legitimate`] are
//! ready-made images.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the forge serves tests alone: a slip in a test's own data should stop that test"
)]

pub mod arch;
pub mod compress;
pub mod digest;
pub mod elf;
pub mod fault_registry;
pub mod files;
pub mod header;
pub mod image;
pub mod incidents;
pub mod index;
pub mod layer;
pub mod legitimate;
pub mod macho;
pub mod pe;
pub mod registry;
pub mod rootfs;
pub mod store;

mod archive;

/// Deterministic bytes that hardly compress, different for each seed.
#[must_use]
pub fn filler(seed: &[u8], size: usize) -> Vec<u8> {
    let mut state = seed
        .iter()
        .fold(0x9e37_79b9_7f4a_7c15_u64, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}
