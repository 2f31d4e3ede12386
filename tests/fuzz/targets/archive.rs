//! The tar walk. Every mutation is made to a valid archive again: the checksums of its
//! headers are set right, else hardly one would get past the first header.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use mpcheck_fuzz::tree;

const BLOCK: usize = 512;

fuzz_target!(|archive: &[u8]| {
    // Not taken for a compressed layer: that is the target `layer`.
    if archive.len() < BLOCK {
        return;
    }
    let Some(facts) = tree::read(archive) else { return };
    tree::merge(&[&facts]);
    // The second half over the first, in two layers.
    let mut above = facts.clone();
    let mut below = facts;
    above.entries.drain(..above.entries.len() / 2);
    below.entries.truncate(below.entries.len() - above.entries.len());
    tree::merge(&[&below, &above]);
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, _seed: u32| {
    let size = fuzzer_mutate(data, size, max_size);
    seal(&mut data[..size]);
    size
});

/// Sets the checksum of each header (POSIX, `pax`, "ustar Interchange Format").
fn seal(archive: &mut [u8]) {
    let mut at = 0;
    while let Some(header) = archive.get_mut(at..at + BLOCK) {
        if header.iter().all(|&b| b == 0) {
            return;
        }
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|&b| u32::from(b)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let digits: String =
            header[124..136].iter().take_while(|b| b.is_ascii_digit()).map(|&b| char::from(b)).collect();
        let size = usize::from_str_radix(&digits, 8).unwrap_or_default();
        at += BLOCK + size.div_ceil(BLOCK).saturating_mul(BLOCK).min(archive.len());
    }
}
