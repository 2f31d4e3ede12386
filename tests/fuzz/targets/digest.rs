//! Digests: what is accepted stands for itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mpcheck::image::digest::{Digest, Hasher};

fuzz_target!(|text: &str| {
    match Digest::parse(text) {
        Ok(digest) => {
            assert_eq!(digest.as_str(), text);
            assert_eq!(digest.to_string(), text);
            assert_eq!(format!("{}:{}", digest.algorithm().name(), digest.hex()), text);
            assert!(digest.short().len() < text.len());
            assert!(digest.hex().bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase()));
            let computed = Hasher::new(digest.algorithm()).finish();
            assert_eq!(computed.hex().len(), digest.hex().len());
        }
        Err(error) => mpcheck_fuzz::assert_readable(&error.to_string()),
    }
    let own = Digest::of(text.as_bytes());
    assert_eq!(Digest::parse(own.as_str()).as_ref(), Ok(&own));
});
