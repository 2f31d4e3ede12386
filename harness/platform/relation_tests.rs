//! The truth tables of the relations.

use super::*;
use rstest::rstest;

fn parse(text: &str) -> Platform {
    Platform::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[rstest]
#[case("linux/amd64", "linux/amd64/v1", true)]
#[case("linux/amd64", "linux/x86_64", true)]
#[case("linux/amd64", "linux/amd64/v2", false)]
#[case("linux/amd64", "linux/386", false)]
#[case("linux/amd64", "windows/amd64", false)]
#[case("linux/arm64", "linux/arm64/v8", true)]
#[case("linux/arm64", "linux/arm64/v9", false)]
#[case("linux/arm", "linux/arm/v7", true)]
#[case("linux/arm", "linux/arm/v6", false)]
#[case("windows(10.0.17763)/amd64", "windows(10.0.20348)/amd64", true)]
#[case("windows(10.0.17763+win32k)/amd64", "windows/amd64", true)]
fn same_as(#[case] one: &str, #[case] other: &str, #[case] expected: bool) {
    assert_eq!(parse(one).same_as(&parse(other)), expected);
    assert_eq!(parse(other).same_as(&parse(one)), expected);
}

/// containerd's `TestOnlyStrict`: for each requirement what satisfies it and what does not.
#[rstest]
#[case(
    "linux/amd64",
    "linux/amd64 linux/amd64/v1",
    "linux/amd64/v2 linux/amd64/v3 linux/386 linux/arm/v7 linux/arm64 windows/amd64 windows/arm"
)]
#[case("linux/amd64/v3", "linux/amd64/v3", "linux/amd64 linux/amd64/v2 linux/amd64/v4 linux/386")]
#[case("linux/386", "linux/386 linux/i386", "linux/amd64 linux/arm/v7 linux/arm64 windows/amd64 windows/arm")]
#[case("windows/amd64", "windows/amd64 windows(10.0.17763)/amd64", "linux/amd64 linux/arm/v7 linux/arm64 windows/arm")]
#[case(
    "windows(10.0.17763)/amd64",
    "windows/amd64 windows(10.0.17763)/amd64 windows(10.0.17763.1339)/amd64",
    "windows(10.0.20348)/amd64 windows(10.0.177631)/amd64 windows(10.0)/amd64 linux/amd64 linux/arm/v7 windows/arm"
)]
#[case(
    "windows(10.0.17763.1)/amd64",
    "windows(10.0.17763.1)/amd64",
    "windows(10.0.17763.10)/amd64 windows(10.0.17763)/amd64"
)]
#[case("linux(5.10)/amd64", "linux(6.1)/amd64 linux/amd64", "linux/386")]
#[case(
    "linux/arm/v8",
    "linux/arm/v8",
    "linux/arm linux/arm/v5 linux/arm/v6 linux/arm/v7 linux/amd64 linux/arm/v4 linux/arm64 windows/amd64 windows/arm"
)]
#[case(
    "linux/arm/v7",
    "linux/arm linux/arm/v7 linux/armhf",
    "linux/arm/v5 linux/arm/v6 linux/amd64 linux/arm/v4 linux/arm/v8 linux/arm64 windows/amd64 windows/arm"
)]
#[case(
    "linux/arm/v6",
    "linux/arm/v6 linux/armel",
    "linux/arm/v5 linux/amd64 linux/arm linux/arm/v4 linux/arm/v7 linux/arm/v8 linux/arm64 windows/arm"
)]
#[case(
    "linux/arm/v5",
    "linux/arm/v5",
    "linux/amd64 linux/arm linux/arm/v4 linux/arm/v6 linux/arm/v7 linux/arm/v8 linux/arm64 windows/arm"
)]
#[case(
    "linux/arm/v4",
    "linux/arm/v4",
    "linux/amd64 linux/arm linux/arm/v5 linux/arm/v6 linux/arm/v7 linux/arm/v8 linux/arm64 windows/arm"
)]
#[case(
    "linux/arm64/v9",
    "linux/arm64/v9 linux/arm64/v9.0",
    "linux/arm linux/arm/v5 linux/arm/v8 linux/amd64 linux/arm/v9 linux/arm64/v8 linux/arm64/v8.1 windows/arm"
)]
#[case(
    "linux/arm64/v8.1",
    "linux/arm64/v8.1",
    "linux/arm linux/arm/v7 linux/arm/v8 linux/amd64 linux/arm/v9 linux/arm64/v8 linux/arm64/v9 windows/arm"
)]
#[case(
    "linux/arm64",
    "linux/arm64 linux/arm64/v8",
    "linux/arm linux/arm/v5 linux/arm/v6 linux/arm/v7 linux/arm/v8 linux/amd64 linux/arm/v4 linux/arm64/v9 windows/amd64 windows/arm"
)]
#[case("linux/arm64/v8", "linux/arm64 linux/arm64/v8", "linux/arm64/v9 linux/arm/v8")]
#[case("linux(+gpu)/amd64", "linux/amd64 linux(+gpu)/amd64", "linux(+gpu+simd)/amd64")]
#[case("linux/amd64", "linux/amd64", "linux(+gpu)/amd64")]
#[case("windows/amd64", "windows(+win32k)/amd64", "windows(+other)/amd64")]
fn satisfies(#[case] required: &str, #[case] by: &str, #[case] not_by: &str) {
    for (offers, expected) in [(by, true), (not_by, false)] {
        for offered in offers.split(' ') {
            assert_eq!(parse(offered).satisfies(&parse(required)), expected, "{offered} for {required}");
        }
    }
}

/// containerd's `TestOnly`, `TestGenericVariantMatch` and `TestArm64VariantMatch`: what runs on each host.
#[rstest]
#[case("linux/amd64", "linux/amd64 linux/386", "linux/amd64/v2 linux/arm/v7 linux/arm64 windows/amd64 windows/arm")]
#[case(
    "linux/amd64/v2",
    "linux/amd64 linux/amd64/v1 linux/amd64/v2 linux/386",
    "linux/amd64/v3 linux/amd64/v4 linux/arm/v7 linux/arm64 windows/amd64"
)]
#[case(
    "linux/amd64/v3",
    "linux/amd64 linux/amd64/v2 linux/amd64/v3 linux/386",
    "linux/amd64/v4 linux/amd64/x3 linux/amd64/v0"
)]
#[case("linux/386", "linux/386", "linux/amd64 linux/arm/v7 linux/arm64 windows/amd64 windows/arm")]
#[case(
    "linux/arm/v8",
    "linux/arm linux/arm/v5 linux/arm/v6 linux/arm/v7 linux/arm/v8",
    "linux/amd64 linux/arm/v4 linux/arm64 windows/arm"
)]
#[case(
    "linux/arm/v7",
    "linux/arm linux/arm/v5 linux/arm/v6 linux/arm/v7",
    "linux/arm/v4 linux/arm/v8 linux/arm64 windows/arm"
)]
#[case("linux/arm/v6", "linux/arm/v5 linux/arm/v6", "linux/arm linux/arm/v4 linux/arm/v7 linux/arm/v8 linux/arm64")]
#[case("linux/arm/v5", "linux/arm/v5", "linux/arm linux/arm/v4 linux/arm/v6 linux/arm/v7 linux/arm/v8 linux/arm64")]
#[case("linux/arm/v4", "linux/arm/v4", "linux/arm linux/arm/v5 linux/arm/v6 linux/arm64")]
#[case(
    "linux/arm64",
    "linux/arm linux/arm/v5 linux/arm/v6 linux/arm/v7 linux/arm/v8 linux/arm64 linux/arm64/v8",
    "linux/amd64 linux/arm/v4 linux/arm/v9 linux/arm64/v9 windows/arm"
)]
#[case(
    "linux/arm64/v8.1",
    "linux/arm linux/arm/v5 linux/arm/v8 linux/arm64 linux/arm64/v8 linux/arm64/v8.1",
    "linux/arm/v4 linux/arm/v9 linux/arm64/v9 linux/arm64/v8.2"
)]
#[case(
    "linux/arm64/v9",
    "linux/arm linux/arm/v8 linux/arm64 linux/arm64/v8.1 linux/arm64/v8.5 linux/arm64/v9 linux/arm64/v9.0",
    "linux/arm/v4 linux/arm64/v8.6 linux/arm64/v9.1 windows/arm"
)]
#[case(
    "linux/arm64/v9.6",
    "linux/arm64/v8.9 linux/arm64/v9.5",
    "linux/arm64/v8.10 linux/arm64/v8.9.1 linux/arm64/v9.7 linux/arm64/x8.1"
)]
#[case("linux/ppc64le", "linux/ppc64le", "linux/ppc64le/power8 linux/ppc64")]
#[case(
    "linux/ppc64le/power10",
    "linux/ppc64le linux/ppc64le/power8 linux/ppc64le/power10",
    "linux/ppc64le/power11 linux/ppc64le/rva20u64"
)]
#[case(
    "linux/riscv64/rva23u64",
    "linux/riscv64 linux/riscv64/rva20u64",
    "linux/riscv64/rva20s64 linux/riscv64/rva25u64"
)]
#[case("linux/mips64le", "linux/mips64le", "linux/mipsle linux/mips64")]
#[case("linux/s390x", "linux/s390x", "linux/s390x/z15 linux/amd64")]
#[case("linux/quantum/v2", "linux/quantum linux/quantum/v1 linux/quantum/v2", "linux/quantum/v3 linux/amd64")]
#[case(
    "windows/amd64",
    "windows/amd64 windows(10.0.17763)/amd64 windows/386 windows(+win32k)/amd64",
    "linux/amd64 windows/arm64"
)]
#[case(
    "windows(10.0.17763.9)/amd64",
    "windows/amd64 windows(10.0.17763.1)/amd64",
    "windows(10.0.17764)/amd64 windows(10.0.17134)/amd64 windows(10.0.20348)/amd64"
)]
#[case(
    "windows(10.0.20348)/amd64",
    "windows(10.0.20348.3)/amd64",
    "windows(10.0.17763)/amd64 windows(10.0.22621)/amd64"
)]
#[case(
    "windows(10.0.22621)/amd64",
    "windows(10.0.20348)/amd64 windows(10.0.22621)/amd64",
    "windows(10.0.17763)/amd64 windows(6.3.20348)/amd64"
)]
#[case("linux(+gpu)/amd64", "linux/amd64 linux(+gpu)/amd64", "linux(+simd)/amd64")]
fn runs_on(#[case] host: &str, #[case] runs: &str, #[case] does_not: &str) {
    for (images, expected) in [(runs, true), (does_not, false)] {
        for image in images.split(' ') {
            assert_eq!(parse(image).runs_on(&parse(host)), expected, "{image} on {host}");
        }
    }
}

#[test]
fn numbers_of_any_size_are_compared_at_once() {
    assert!(parse("linux/amd64/v999999999").runs_on(&parse("linux/amd64/v1000000000")));
    assert!(!parse("linux/amd64/v99999999999999999999").runs_on(&parse("linux/amd64/v3")));
}

#[test]
fn what_satisfies_also_runs() {
    let texts =
        ["linux/amd64", "linux/amd64/v3", "linux/386", "linux/arm/v5", "linux/arm64", "linux/arm64/v9", "linux/s390x"];
    for offered in texts {
        for required in texts {
            let (offered, required) = (parse(offered), parse(required));
            assert!(!offered.satisfies(&required) || offered.runs_on(&required), "{offered} for {required}");
        }
        assert!(parse(offered).satisfies(&parse(offered)));
    }
}
