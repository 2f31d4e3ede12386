//! The contract of the sources: one image gives one report, wherever it lies.

use crate::check::{comparable, comparable_platform};
use crate::serve::{self, Served};
use mpcheck_kit::incidents;
use mpcheck_kit::store::Forged;
use rstest::rstest;

fn good() -> Forged {
    incidents::good()
}

fn broken() -> Forged {
    incidents::demo().1
}

/// What all others are held against: read from a plain directory, where there is the least between image and reader.
#[test]
fn the_two_images_are_what_the_contract_needs() {
    let good = serve::layout(&good()).check().run();
    good.assert_clean(7);
    let broken = serve::layout(&broken()).check().run();
    assert_eq!(broken.code, 1, "{}", broken.all());
    assert!(broken.faults().len() > 1, "{}", broken.all());
}

#[rstest]
fn every_source_of_several_platforms_gives_the_same_report(
    #[values(good, broken)] image: fn() -> Forged,
    #[values(
        serve::oci_archive,
        serve::docker25_archive,
        serve::registry_filled_by_the_kit,
        serve::registry_filled_by_skopeo,
        serve::registry_with_password,
        serve::registry_in_a_container,
        serve::containerd_store
    )]
    source: fn(&Forged) -> Served,
) {
    let forged = image();
    let expected = serve::layout(&forged).check().run();
    let outcome = source(&forged).check().run();
    assert_eq!(outcome.code, expected.code, "{}", outcome.all());
    assert_eq!(comparable(&outcome.report), comparable(&expected.report), "{}", outcome.stderr);
}

/// These keep one platform of a name, uncompressed layers and no manifest of the image's own.
#[rstest]
fn every_source_of_one_platform_gives_the_report_of_that_platform(
    #[values(good, broken)] image: fn() -> Forged,
    #[values("linux/amd64", "linux/arm64")] platform: &str,
    #[values(serve::docker_archive, serve::classic_store)] source: fn(&Forged, &str) -> Served,
) {
    let forged = image();
    let expected = serve::layout(&forged).check().with(&["--platform", platform]).run();
    let outcome = source(&forged, platform).check().run();
    assert_eq!(outcome.code, expected.code, "{}", outcome.all());
    assert_eq!(outcome.platforms().len(), 1, "{}", outcome.all());
    assert_eq!(
        comparable_platform(&outcome.report, platform),
        comparable_platform(&expected.report, platform),
        "{}",
        outcome.stderr
    );
}

/// A wrong password is neither an image without faults nor a missing image.
#[test]
fn a_registry_that_lets_nobody_in_is_said_to_be_so() {
    let served = serve::registry_with_password(&good());
    let nobody = tempfile::tempdir().unwrap();
    let outcome = served.check().credentials(nobody.path()).run();
    assert_eq!(outcome.code, 3, "{}", outcome.all());
    assert!(outcome.said().contains("not authorised") && outcome.said().contains("login"), "{}", outcome.all());
}
