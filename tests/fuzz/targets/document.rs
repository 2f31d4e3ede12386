//! Indexes, manifests and configs.
//!
//! The first byte of the input chooses the media type that the document is listed with.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mpcheck::image::descriptor::{Descriptor, media_type};
use mpcheck::image::document::{self, Document};

const STATED: [Option<&str>; 7] = [
    None,
    Some(media_type::OCI_INDEX),
    Some(media_type::OCI_MANIFEST),
    Some(media_type::DOCKER_LIST),
    Some(media_type::DOCKER_MANIFEST),
    Some(media_type::DOCKER_SCHEMA1),
    Some("text/html"),
];

fn check(descriptor: &Descriptor) {
    assert!(!descriptor.media_type.is_empty());
    assert_eq!(descriptor.digest.as_str().matches(':').count(), 1);
}

fuzz_target!(|input: &[u8]| {
    let Some((&choice, bytes)) = input.split_first() else { return };
    let stated = STATED[usize::from(choice) % STATED.len()];
    match document::parse(bytes, stated) {
        Ok(Document::Index(index)) => {
            assert!(media_type::is_index(&index.media_type));
            index.manifests.iter().for_each(check);
        }
        Ok(Document::Manifest(manifest)) => {
            assert!(media_type::is_manifest(&manifest.media_type));
            let _ = manifest.artifact();
            check(&manifest.config);
            manifest.layers.iter().for_each(check);
        }
        Err(error) => mpcheck_fuzz::assert_readable(&error.to_string()),
    }
    match document::parse_config(bytes) {
        Ok(config) => {
            let _ = config.variable("PATH");
            for layer in 0..=config.diff_ids.len() {
                assert_ne!(config.instruction_of(layer), Some(""));
            }
        }
        Err(error) => mpcheck_fuzz::assert_readable(&error.to_string()),
    }
});
