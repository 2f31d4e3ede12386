//! Platforms: what is accepted is written in a form that is read as the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mpcheck::platform::{Platform, PlatformError, Selection};

fn check(parsed: Result<Platform, PlatformError>) {
    match parsed {
        Ok(platform) => {
            for text in [platform.specifier(), platform.to_string(), platform.raw().to_owned()] {
                assert!(text.bytes().all(|b| (b' '..=b'~').contains(&b)), "{text:?}");
            }
            assert_eq!(Platform::parse(&platform.specifier()).as_ref(), Ok(&platform));
            let short = Platform::parse(&platform.to_string()).expect("the canonical form is a platform");
            assert_eq!(short.to_string(), platform.to_string());
            assert!(platform.same_as(&platform) && platform.satisfies(&platform));
        }
        Err(error) => mpcheck_fuzz::assert_readable(&error.to_string()),
    }
}

fuzz_target!(|text: &str| {
    check(Platform::parse(text));
    let mut fields = text.split('/');
    let mut field = || fields.next().unwrap_or_default();
    let (os, architecture, variant, version) = (field(), field(), field(), field());
    let features: Vec<String> = fields.map(str::to_owned).collect();
    check(Platform::declared(os, architecture, variant, version, &features));
    match Selection::parse(text.split('\n')) {
        Ok(selection) => {
            for platform in selection.platforms() {
                assert!(selection.selects(platform));
            }
            assert!(selection.is_all() || !selection.platforms().is_empty());
        }
        Err(error) => mpcheck_fuzz::assert_readable(&error.to_string()),
    }
});
