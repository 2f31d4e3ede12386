//! Image names: what is accepted is written in a form that is read as the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mpcheck::image::reference::{EngineImage, ImageName, Location, PathKind};
use std::path::Path;

/// A file system that is made up: each path is something, always the same.
fn kind(seed: u8, path: &Path) -> PathKind {
    let sum = path.as_os_str().as_encoded_bytes().iter().fold(seed, |sum, &b| sum.rotate_left(3) ^ b);
    match sum % 12 {
        0 => PathKind::Layout,
        1 => PathKind::Archive,
        2 => PathKind::Directory,
        3 => PathKind::Empty,
        4 => PathKind::File,
        5 => PathKind::Special,
        6 => PathKind::Unreadable("a made-up reason".to_owned()),
        _ => PathKind::Missing,
    }
}

fn same_again(name: &ImageName) {
    for text in [name.to_string(), name.familiar()] {
        assert!(text.is_ascii() && !text.contains(char::is_whitespace), "{text:?}");
        assert_eq!(ImageName::parse(&text).as_ref(), Ok(name), "{text:?}");
    }
}

fuzz_target!(|input: (u8, &str)| {
    let (seed, text) = input;
    for file_system in [&(|_: &Path| PathKind::Missing) as &dyn Fn(&Path) -> PathKind, &|path| kind(seed, path)] {
        match Location::parse_with(text, file_system) {
            Ok(Location::Registry { name } | Location::Engine { image: EngineImage::Name(name) }) => same_again(&name),
            Ok(Location::Engine { image: EngineImage::Id(id) }) => assert!(text.contains(id.hex())),
            Ok(Location::Layout { path, selector } | Location::Archive { path, selector, .. }) => {
                assert!(text.contains(path.to_str().expect("made of text")));
                selector.iter().for_each(|selector| mpcheck_fuzz::assert_readable(&selector.to_string()));
            }
            Err(error) => {
                mpcheck_fuzz::assert_readable(&error.to_string());
                mpcheck_fuzz::assert_readable(&error.hint());
            }
        }
    }
});
