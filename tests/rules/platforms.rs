//! The rules of the group `manifest` that ask which platforms there are.

use super::scratch;
use crate::checked::given;
use mpcheck_kit::image::Image;
use mpcheck_kit::incidents::windows;
use mpcheck_kit::index::Index;
use mpcheck_kit::pe;

fn of(platforms: &[&str]) -> Index {
    Index::new().images(platforms.iter().map(|platform| scratch(platform)))
}

/// Images that differ from each other.
fn salted(image: Image, salt: &str) -> Image {
    image.env(&format!("SALT={salt}"))
}

fn windows_of(version: &'static str) -> Image {
    windows("windows/amd64", pe::AMD64)
        .edit_config(move |config| config["os.version"] = version.into())
        .edit_descriptor(move |descriptor| descriptor["platform"]["os.version"] = version.into())
}

const TWO: &[&str] = &["linux/amd64", "linux/arm64"];

rows! {
    MISSING_PLATFORM {
        absent: given(of(TWO)).require("linux/amd64,linux/s390x") => ["error manifest/missing-platform -"];
        each_absent_one: given(of(TWO)).require("linux/386,linux/s390x")
            => ["error manifest/missing-platform -", "error manifest/missing-platform -"];
        older_variant: given(of(&["linux/arm/v6"])).require("linux/arm/v7") => ["error manifest/missing-platform -"];
        arm_is_v7: given(of(&["linux/arm/v6"])).require("linux/arm") => ["error manifest/missing-platform -"];
        other_system: given(of(TWO)).require("windows/amd64") => ["error manifest/missing-platform -"];
        single_manifest: given(scratch("linux/arm64")).require("linux/amd64") => ["error manifest/missing-platform -"];
        attestations_are_no_platform: given(of(TWO).attestation()).require("linux/riscv64")
            => ["error manifest/missing-platform -"];
        there: given(of(TWO)).require("linux/amd64,linux/arm64") => [];
        spelt_otherwise: given(of(TWO)).require("x86_64,aarch64") => [];
        arm64_is_v8: given(of(TWO)).require("linux/arm64/v8") => [];
        nothing_required: of(TWO) => [];
        right_single_manifest: given(scratch("linux/arm64")).require("linux/arm64") => [];
    }
    UNEXPECTED_PLATFORM {
        one_more: given(of(TWO)).exactly("linux/amd64") => ["error manifest/unexpected-platform linux/arm64"];
        one_more_variant: given(of(&["linux/arm/v7", "linux/arm/v6"])).exactly("linux/arm/v7")
            => ["error manifest/unexpected-platform linux/arm/v6"];
        one_for_another: given(of(TWO)).exactly("linux/amd64,linux/s390x")
            => ["error manifest/missing-platform -", "error manifest/unexpected-platform linux/arm64"];
        exact: given(of(TWO)).exactly("linux/arm64,linux/amd64") => [];
        exact_in_other_spelling: given(of(TWO)).exactly("amd64,linux/arm64/v8") => [];
        not_said_to_be_exact: given(of(TWO)).require("linux/amd64") => [];
        beside_attestations: given(of(TWO).attestation()).exactly("linux/arm64,linux/amd64") => [];
    }
    LOST_PLATFORM {
        lost: given(of(TWO)).after("linux/amd64,linux/arm64,linux/386") => ["error manifest/lost-platform -"];
        all_lost: given(scratch("linux/amd64")).after("linux/arm64,linux/386")
            => ["error manifest/lost-platform -", "error manifest/lost-platform -"];
        lost_variant: given(of(&["linux/arm/v7"])).after("linux/arm/v6,linux/arm/v7")
            => ["error manifest/lost-platform -"];
        same: given(of(TWO)).after("linux/amd64,linux/arm64") => [];
        gained: given(of(TWO)).after("linux/arm64") => [];
        same_in_other_spelling: given(of(TWO)).after("linux/amd64,linux/arm64/v8") => [];
    }
    DUPLICATE_PLATFORM {
        different_images: of(TWO).image(salted(scratch("linux/arm64"), "b"))
            => ["error manifest/duplicate-platform linux/arm64"];
        same_image: of(TWO).repeated() => ["warning manifest/duplicate-platform linux/arm64"];
        thrice: of(&["linux/amd64"]).image(salted(scratch("linux/amd64"), "b")).image(salted(scratch("linux/amd64"), "c"))
            => ["error manifest/duplicate-platform linux/amd64", "error manifest/duplicate-platform linux/amd64"];
        in_two_spellings: of(TWO).image(salted(scratch("linux/arm64"), "b").descriptor_platform("linux/arm64/v8"))
            => ["error manifest/duplicate-platform linux/arm64"];
        by_alias: of(TWO).image(salted(scratch("linux/amd64"), "b").descriptor_platform("linux/x86_64"))
            => ["error manifest/duplicate-platform linux/amd64"];
        within_a_nested_index: of(TWO).nested(Index::new().image(salted(scratch("linux/amd64"), "b")))
            => ["error manifest/duplicate-platform linux/amd64"];
        windows_of_one_version: Index::new().image(windows_of("10.0.20348.1")).image(salted(windows_of("10.0.20348.1"), "b"))
            => ["error manifest/duplicate-platform windows/amd64"];
        windows_of_two_versions: Index::new().image(windows_of("10.0.17763.1")).image(windows_of("10.0.20348.1")) => [];
        variants: of(&["linux/arm/v5", "linux/arm/v6", "linux/arm/v7"]) => [];
        each_once: of(TWO) => [];
    }
}
