//! The same for those who prefer cases in code: image by platform.

use mpcheck::suite::{Fault, check};
use rstest::rstest;

/// The image that is to be released.
fn release_image() -> String {
    std::env::var("RELEASE_IMAGE").ok().filter(|image| !image.is_empty()).unwrap_or_else(|| "oci:image".to_owned())
}

#[rstest]
fn the_image_is_what_it_says(#[values("linux/amd64", "linux/arm64")] platform: &str) -> Result<(), Fault> {
    let checked = check(&release_image(), platform)?;
    // A machine that cannot run the platform is no reason against the image; but nobody shall take it for a run.
    for (check, why) in checked.skipped() {
        println!("skipped: {check}: {why}");
    }
    Ok(())
}
