//! Dockerfiles: whatever is read has its lines, and every question about it has an answer that a person can read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mpcheck::build::dockerfile::{Dockerfile, Scope};
use mpcheck::check::build::dockerfile::{Wanted, check};
use mpcheck::image::reader::Reader;
use mpcheck::platform::Platform;
use std::collections::BTreeMap;

fn platforms() -> Vec<Platform> {
    let names = ["linux/amd64", "linux/arm/v7", "windows/arm64"];
    names.iter().map(|name| Platform::parse(name).expect("a platform")).collect()
}

fn assert_lines(dockerfile: &Dockerfile, count: usize) {
    let of_stages = dockerfile.stages.iter().flat_map(|stage| std::iter::once(&stage.from).chain(&stage.instructions));
    let mut last = 0;
    for instruction in dockerfile.globals.iter().chain(of_stages) {
        assert!(last < instruction.first && instruction.first <= instruction.last && instruction.last <= count);
        last = instruction.last;
        mpcheck_fuzz::assert_readable(&instruction.shown());
    }
}

// Seeds are lines, so the lines of a Dockerfile end there in another character.
fuzz_target!(|text: &str| {
    let text = text.replace('\u{2424}', "\n");
    let dockerfile = match Dockerfile::parse(text.as_bytes()) {
        Ok(dockerfile) => dockerfile,
        Err(error) => return mpcheck_fuzz::assert_readable(&error.told("Dockerfile")),
    };
    assert_lines(&dockerfile, text.split('\n').count());
    let build_args = BTreeMap::from([("A".to_owned(), "1".to_owned())]);
    let wanted = Wanted { platforms: platforms(), build_platform: platforms().remove(0), target: None, build_args };
    for target in &wanted.platforms {
        let scope = Scope { target, build: &wanted.build_platform, build_args: &wanted.build_args };
        let built = dockerfile.built(None, &scope).expect("there is a last stage");
        assert!(built.chain.iter().all(|stage| built.reachable.contains(stage)));
        let texts: Vec<String> = text.split('\n').map(str::to_owned).collect();
        let entries: Vec<&str> = texts.iter().map(String::as_str).collect();
        for line in built.lines_of(&entries).into_iter().flatten() {
            assert!((1..=texts.len()).contains(&line));
        }
    }
    // A digest would be looked up.
    if !text.contains('@') {
        let checked = check(&dockerfile, "Dockerfile", &wanted, &Reader::default());
        checked.undecided.iter().for_each(|why| mpcheck_fuzz::assert_readable(why));
        for finding in &checked.findings {
            mpcheck_fuzz::assert_readable(&finding.message);
            mpcheck_fuzz::assert_readable(&finding.hint);
            mpcheck_fuzz::assert_readable(finding.instruction.as_deref().expect("it is about one"));
        }
    }
});
