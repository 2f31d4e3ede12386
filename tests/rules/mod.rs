//! For every rule what breaks it and what does not.
//!
//! A row is `name: IMAGE => [FINDINGS];` under its rule: a forged image and everything that is found in it, notes
//! included. Each row is a test of its own, and registers itself: a rule without a row that fires, or without one
//! that stays silent, fails `every_rule_fires_and_stays_silent`.

use crate::checked::Given;
use mpcheck::check::rule::RULES;
use mpcheck_kit::elf::Elf;
use mpcheck_kit::image::Image;
use mpcheck_kit::index::Index;
use mpcheck_kit::layer::Layer;

/// Makes a test of each row, and `registered()` of all of them.
macro_rules! rows {
    ($($rule:ident { $($name:ident: $image:expr => [$($found:expr),* $(,)?];)+ })+) => {
        #[rstest::rstest]
        $($(#[case::$name($image, &[$($found),*])])+)+
        fn row(#[case] image: impl Into<$crate::checked::Given>, #[case] expected: &[&str]) {
            $crate::rules::compare(&image.into(), expected);
        }

        /// Each row's rule, and whether it fires there.
        pub(super) fn registered() -> Vec<(&'static str, bool)> {
            vec![$($($crate::rules::register(mpcheck::check::rule::$rule.name, &[$($found),*])),+),+]
        }
    };
}

mod blob;
mod cause;
mod content;
mod emulator;
mod explained;
mod foreign;
mod layer;
mod manifest;
mod platforms;
mod reach;
mod run;
mod run_told;
mod start;

fn register(rule: &'static str, found: &[&str]) -> (&'static str, bool) {
    (rule, found.iter().any(|line| line.split(' ').nth(1) == Some(rule)))
}

fn compare(image: &Given, expected: &[&str]) {
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(image.findings(), expected);
}

#[test]
fn every_rule_fires_and_stays_silent() {
    let modules = [
        blob::registered(),
        content::registered(),
        emulator::registered(),
        foreign::registered(),
        layer::registered(),
        manifest::registered(),
        platforms::registered(),
        run::registered(),
        start::registered(),
    ];
    let rows = modules.concat();
    // A host is no image, and a suite's rules need a suite: theirs are in harness/check/host/tests.rs, with
    // a test like this one, and in tests/cli/suite.rs. Those of a Dockerfile are in harness/check/build/.
    for rule in RULES.iter().filter(|rule| !matches!(rule.group(), "host" | "suite" | "build")) {
        for fires in [true, false] {
            let what = if fires { "breaks it" } else { "leaves it whole" };
            assert!(rows.contains(&(rule.name, fires)), "{} has no row that {what}", rule.name);
        }
    }
}

/// One static program, and nothing else: nothing is wrong with it.
pub(crate) fn scratch(platform: &str) -> Image {
    Image::new(platform).layer(app(platform)).entrypoint(&["/app"])
}

fn app(platform: &str) -> Layer {
    Layer::new().program("app", Elf::program(platform).build())
}

/// A good linux/amd64 and another image.
fn beside(image: Image) -> Index {
    Index::new().image(scratch("linux/amd64")).image(image)
}
