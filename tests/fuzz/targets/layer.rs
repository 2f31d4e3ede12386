//! A layer's blob, compressed or not: read, merged over itself, stored and loaded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mpcheck_fuzz::tree;

fuzz_target!(|blob: &[u8]| {
    if let Some(facts) = tree::read(blob) {
        tree::merge(&[&facts, &facts]);
    }
});
