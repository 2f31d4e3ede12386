//! The likely cause of a foreign binary.

use super::{beside, scratch};
use crate::checked::Given;
use mpcheck_kit::elf::Elf;
use mpcheck_kit::image::Image;
use mpcheck_kit::index::Index;
use mpcheck_kit::layer::{Blob, Layer};
use mpcheck_kit::rootfs::debian;
use mpcheck_reports::Severity;
use rstest::rstest;

fn tool(architecture: &str) -> Layer {
    Layer::new().program("opt/tool", Elf::program(architecture).salt("tool").build())
}

/// A tool for amd64 that this instruction brought.
fn by(instruction: &str) -> Image {
    scratch("linux/arm64").layer(tool("amd64")).history(instruction, false)
}

/// All of one base, of another architecture, beside a whole good image.
fn whole_rootfs() -> Index {
    let other = Layer::new().file("etc/other", 0o644, "x");
    beside(Image::new("linux/arm64").layer(debian("linux/amd64")).layer(other))
}

#[rstest]
#[case::whole_root_filesystem(whole_rootfs(), "every binary of this root filesystem is for linux/amd64")]
#[case::same_file_in_another_platform(
    Index::new().image(scratch("linux/amd64").layer(tool("amd64"))).image(scratch("linux/arm64").layer(tool("amd64"))),
    "the same file is in linux/amd64, where it is right"
)]
#[case::same_file_under_another_name(
    Index::new()
        .image(scratch("linux/amd64").layer(Layer::new().program("usr/bin/t", Elf::program("amd64").salt("tool").build())))
        .image(scratch("linux/arm64").layer(tool("amd64"))),
    "the same file is in linux/amd64, where it is right"
)]
#[case::download(
    beside(by("RUN /bin/sh -c curl -fsSLo /opt/tool https://example.com/v1/tool-linux-amd64 # buildkit")),
    "the instruction downloads for amd64 whatever the platform: https://example.com/v1/tool-linux-amd64"
)]
#[case::download_by_add(
    beside(by("ADD https://example.com/tool_x86_64.bin /opt/tool # buildkit")),
    "https://example.com/tool_x86_64.bin"
)]
#[case::download_before_the_twin(
    Index::new().image(scratch("linux/amd64").layer(tool("amd64"))).image(by("ADD https://example.com/amd64/tool /opt/ # buildkit")),
    "https://example.com/amd64/tool"
)]
fn a_cause_is_named(#[case] index: Index, #[case] cause: &str) {
    let checked = Given::from(index).check();
    let errors: Vec<_> = checked.findings.iter().filter(|f| f.severity == Severity::Error).collect();
    assert!(!errors.is_empty() && errors.iter().all(|f| f.platform.as_deref() == Some("linux/arm64")));
    for error in errors {
        let found = error.cause.as_deref().unwrap_or_default();
        assert!(found.contains(cause), "{}: {found:?}", error.path.as_deref().unwrap_or_default());
    }
}

#[rstest]
#[case::no_evidence(beside(scratch("linux/arm64").layer(tool("amd64"))))]
#[case::address_without_architecture(beside(by("ADD https://example.com/tool /opt/ # buildkit")))]
#[case::address_of_the_right_architecture(beside(by("ADD https://example.com/arm64/tool /opt/ # buildkit")))]
#[case::address_of_both(beside(by("ADD https://example.com/arm64-amd64/tool /opt/ # buildkit")))]
#[case::architecture_outside_of_the_address(beside(by("RUN /bin/sh -c curl https://example.com/tool # not amd64")))]
#[case::other_file_of_the_same_name(
    Index::new()
        .image(scratch("linux/amd64").layer(Layer::new().program("opt/tool", Elf::program("amd64").salt("other").build())))
        .image(scratch("linux/arm64").layer(tool("amd64")))
)]
#[case::single_platform(Index::new().image(scratch("linux/arm64").layer(tool("amd64"))))]
fn no_cause_is_made_up(#[case] index: Index) {
    let checked = Given::from(index).check();
    let [error] = checked.findings.as_slice() else { panic!("{:#?}", checked.findings) };
    assert_eq!(error.cause, None);
}

/// A few files of another architecture are not the whole root filesystem.
#[test]
fn two_foreign_files_are_not_a_root_filesystem() {
    let layer: Blob = Layer::new()
        .program("a", Elf::program("amd64").salt("a").build())
        .program("b", Elf::program("amd64").salt("b").build())
        .into();
    let checked = Given::from(Image::new("linux/arm64").layer(&layer)).check();
    assert_eq!(checked.findings.len(), 2);
    assert!(checked.findings.iter().all(|finding| finding.cause.is_none()));
}
