//! Spellings: containerd's table of `Parse` and `Normalize`, and what differs from it on purpose.

use super::*;
use rstest::rstest;
use std::collections::HashSet;

fn parse(text: &str) -> Platform {
    Platform::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Each row of containerd's `TestParseSelector`, `TestFormatAllEncoding` and of the switch in `database.go`
/// that does not ask the host.
#[rstest]
#[case("linux/arm64", "linux/arm64")]
#[case("linux/aarch64", "linux/arm64")]
#[case("linux/aarch64/v8", "linux/arm64")]
#[case("linux/arm64/v8", "linux/arm64")]
#[case("linux/arm64/8", "linux/arm64")]
#[case("linux/arm64/v8.0", "linux/arm64")]
#[case("linux/arm64/8.0", "linux/arm64")]
#[case("linux/arm64/v8.1", "linux/arm64/v8.1")]
#[case("linux/arm64/v9", "linux/arm64/v9")]
#[case("linux/arm64/9", "linux/arm64/v9")]
#[case("linux/arm64/9.0", "linux/arm64/v9")]
#[case("linux/arm64/v9.0", "linux/arm64/v9")]
#[case("linux/arm64/v9.2", "linux/arm64/v9.2")]
#[case("linux/arm", "linux/arm/v7")]
#[case("linux/armhf", "linux/arm/v7")]
#[case("linux/armhf/v6", "linux/arm/v7")]
#[case("linux/arm/7", "linux/arm/v7")]
#[case("linux/arm/v7", "linux/arm/v7")]
#[case("linux/arm/V7", "linux/arm/v7")]
#[case("linux/arm/v6", "linux/arm/v6")]
#[case("linux/arm/6", "linux/arm/v6")]
#[case("linux/armel", "linux/arm/v6")]
#[case("linux/arm/5", "linux/arm/v5")]
#[case("linux/arm/v5", "linux/arm/v5")]
#[case("linux/arm/8", "linux/arm/v8")]
#[case("linux/arm/v4", "linux/arm/v4")]
#[case("linux/arm/foo", "linux/arm/foo")]
#[case("linux/amd64", "linux/amd64")]
#[case("linux/amd64/v1", "linux/amd64")]
#[case("linux/amd64/v2", "linux/amd64/v2")]
#[case("linux/x86_64", "linux/amd64")]
#[case("linux/x86-64", "linux/amd64")]
#[case("linux/x86_64/v3", "linux/amd64/v3")]
#[case("Linux/x86_64", "linux/amd64")]
#[case("LINUX/AMD64/V2", "linux/amd64/v2")]
#[case("linux/i386", "linux/386")]
#[case("linux/i386/v1", "linux/386")]
#[case("linux/386", "linux/386")]
#[case("linux/386/sse2", "linux/386/sse2")]
#[case("linux/s390x", "linux/s390x")]
#[case("linux/ppc64le/power9", "linux/ppc64le/power9")]
#[case("linux/riscv64/rva22u64", "linux/riscv64/rva22u64")]
#[case("macOS/arm64", "darwin/arm64")]
#[case("windows()/amd64", "windows/amd64")]
#[case("windows(10.0.17763)/amd64", "windows(10.0.17763)/amd64")]
#[case("windows(10.0.17763+win32k)/amd64", "windows(10.0.17763+win32k)/amd64")]
#[case("linux(+gpu)/amd64", "linux(+gpu)/amd64")]
#[case("linux(+gpu+simd)/amd64", "linux(+gpu+simd)/amd64")]
#[case("linux(+unsorted+erofs)/amd64", "linux(+erofs+unsorted)/amd64")]
#[case("linux(+gpu+gpu)/amd64", "linux(+gpu)/amd64")]
#[case("linux(++gpu+)/amd64", "linux(+gpu)/amd64")]
#[case("windows(10.0.17763%2Bbuild.42)/amd64", "windows(10.0.17763%2Bbuild.42)/amd64")]
#[case("windows(10.0.17763%2bbuild.42+win32k)/amd64", "windows(10.0.17763%2Bbuild.42+win32k)/amd64")]
#[case("windows(50%25done)/amd64", "windows(50%25done)/amd64")]
#[case("windows(1.0%28beta%29)/amd64", "windows(1.0%28beta%29)/amd64")]
#[case("windows(a%2Fb)/amd64", "windows(a%2Fb)/amd64")]
#[case("linux(+feat%2Bv2)/amd64", "linux(+feat%2Bv2)/amd64")]
#[case("linux(+100%25gpu)/amd64", "linux(+100%25gpu)/amd64")]
// Of pairs, nothing need be known.
#[case("templeos/m68k", "templeos/m68k")]
#[case("linux/ppc64el", "linux/ppc64el")]
// One word: containerd takes the operating system from the host, which is Linux in most of its tests.
#[case("arm", "linux/arm/v7")]
#[case("armel", "linux/arm/v6")]
#[case("armhf", "linux/arm/v7")]
#[case("Aarch64", "linux/arm64")]
#[case("x86_64", "linux/amd64")]
#[case("x86-64", "linux/amd64")]
#[case("i386", "linux/386")]
#[case("s390x", "linux/s390x")]
#[case("sparc64", "linux/sparc64")]
#[case("wasm", "linux/wasm")]
// crane.
#[case("windows/amd64:10.0.17763", "windows(10.0.17763)/amd64")]
#[case("linux/arm/v6:1.2+3", "linux(1.2%2B3)/arm/v6")]
#[case("windows(+win32k)/amd64:10.0.17763", "windows(10.0.17763+win32k)/amd64")]
fn spellings_have_one_canonical_form(#[case] text: &str, #[case] expected: &str) {
    let platform = parse(text);
    assert_eq!(platform.specifier(), expected);
    assert_eq!(platform.raw(), text);
    assert_eq!(parse(&platform.specifier()), platform, "the specifier reads back");
    let short = parse(&platform.to_string());
    assert!(short.same_as(&platform), "the short form reads back");
    assert_eq!(short.to_string(), platform.to_string());
}

#[rstest]
#[case("", "no platform is given: write os/architecture, for example linux/arm64")]
#[case("*", "`*` is no platform: there are no wildcards; list the platforms, or write `all`")]
#[case("linux/*", "`linux/*` is no platform: there are no wildcards")]
#[case("*/arm64", "`*/arm64` is no platform: there are no wildcards")]
#[case("linux", "`linux` names no architecture: write for example linux/amd64")]
#[case("macOS", "`macOS` names no architecture: write for example darwin/amd64")]
#[case("windows(10.0.17763)", "`windows(10.0.17763)` names no architecture: write for example windows/amd64")]
#[case("windows:10.0.17763", "`windows:10.0.17763` names no architecture")]
#[case("amd46", "`amd46` is no known operating system or architecture: write os/architecture")]
#[case("ppc64el", "`ppc64el` is no known operating system or architecture: container platforms call it linux/ppc64le")]
#[case("loongarch64", "container platforms call it linux/loong64")]
#[case(
    "arm64(1.0)",
    "has a version or feature, but no operating system: write os/architecture, as windows(10.0.17763)/arm64"
)]
#[case("arm64:1.0", "has a version or feature, but no operating system")]
#[case("/linux/arm", "`/linux/arm` has an empty part")]
#[case("linux/arm/", "`linux/arm/` has an empty part")]
#[case("linux//arm", "`linux//arm` has an empty part")]
#[case("linux/", "`linux/` has an empty part")]
#[case("/", "`/` has an empty part")]
#[case("linux/amd64:", "`linux/amd64:` has an empty part")]
#[case("linux/arm/foo/bar", "`linux/arm/foo/bar` has too many parts")]
#[case("linux /arm", "`linux ` in `linux /arm` is no operating system")]
#[case(" ", "` ` in ` ` is no operating system")]
#[case("linux/&arm", "`&arm` in `linux/&arm` is no architecture")]
#[case("linux/arm/v 7", "`v 7` in `linux/arm/v 7` is no variant")]
#[case("linux/../..", "`..` in `linux/../..` is no architecture")]
#[case("li.nux/arm", "`li.nux` in `li.nux/arm` is no operating system")]
#[case("windows(10/amd64", "`windows(10` in `windows(10/amd64` is no operating system")]
#[case("windows(10)x/amd64", "`windows(10)x` in `windows(10)x/amd64` is no operating system")]
#[case("windows((10))/amd64", "`(10)` in `windows((10))/amd64` is no version or feature")]
#[case("windows(1%2)/amd64", "`1%2` in `windows(1%2)/amd64` is no version or feature")]
#[case("windows(1%+2)/amd64", "`1%` in `windows(1%+2)/amd64` is no version or feature")]
#[case("windows(%0a)/amd64", "`%0a` in `windows(%0a)/amd64` is no version or feature")]
#[case("windows(%ff)/amd64", "`%ff` in `windows(%ff)/amd64` is no version or feature")]
#[case("windows(10)/amd64:11", "`windows(10)/amd64:11` gives the operating system's version twice")]
#[case("linux/amd64:1/2", "`1/2` in `linux/amd64:1/2` is no version or feature")]
#[case("linux/ämd64", "`ämd64` in `linux/ämd64` is no architecture")]
#[case("linux/\u{1b}[31m", "`\\u{1b}[31m` in `linux/\\u{1b}[31m` is no architecture")]
#[case("unknown/unknown", "`unknown/unknown` is no usable platform: its operating system is unknown")]
#[case("linux/Unknown", "`linux/Unknown` is no usable platform: its architecture is unknown")]
fn other_spellings_are_errors(#[case] text: &str, #[case] expected: &str) {
    let error = Platform::parse(text).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn long_spellings_are_errors_with_short_messages() {
    let long = [
        "a".repeat(5000),
        format!("linux/{}", "a".repeat(65)),
        format!("linux/arm/{}", "é".repeat(500)),
        format!("{}/arm", "x".repeat(4000)),
        format!("windows({})/", "%41".repeat(1000)),
    ];
    for text in long {
        let error = Platform::parse(&text).unwrap_err().to_string();
        assert!(error.len() < 600, "{}: {error}", error.len());
    }
    assert_eq!(parse(&format!("linux(+{})/arm64", "F".repeat(4000))).os_features()[0].len(), 4000);
}

#[rstest]
#[case(["linux", "amd64", "", ""], "linux/amd64", "linux/amd64", false)]
#[case(["linux", "arm64", "v8", ""], "linux/arm64", "linux/arm64/v8", true)]
#[case(["linux", "arm", "", ""], "linux/arm/v7", "linux/arm", false)]
#[case(["linux", "armhf", "", ""], "linux/arm/v7", "linux/armhf", true)]
#[case(["Linux", "X86_64", "V3", ""], "linux/amd64/v3", "Linux/X86_64/V3", true)]
#[case(["linux", "i386", "v1", ""], "linux/386", "linux/i386/v1", false)]
#[case(["windows", "amd64", "", "10.0.17763.1"], "windows(10.0.17763.1)/amd64", "windows(10.0.17763.1)/amd64", false)]
#[case(["windows", "amd64", "", "a/b"], "windows(a%2Fb)/amd64", "windows(a%2Fb)/amd64", false)]
#[case(["linux", "quantum", "q2", ""], "linux/quantum/q2", "linux/quantum/q2", true)]
fn declared_fields_are_normalised(
    #[case] fields: [&str; 4],
    #[case] expected: &str,
    #[case] raw: &str,
    #[case] states_variant: bool,
) {
    let [os, architecture, variant, version] = fields;
    let platform = Platform::declared(os, architecture, variant, version, &[]).unwrap();
    assert_eq!(platform.specifier(), expected);
    assert_eq!(platform.raw(), raw);
    assert_eq!(platform.states_variant(), states_variant);
}

#[test]
fn declared_features_are_sorted_and_counted_once() {
    let features = ["b", "", "a", "b"].map(str::to_owned);
    let platform = Platform::declared("linux", "amd64", "", "", &features).unwrap();
    assert_eq!(platform.os_features(), ["a", "b"]);
    assert_eq!(platform, parse("linux(+a+b)/amd64"));
}

#[rstest]
#[case(["", "", "", ""], "its operating system is missing")]
#[case(["", "amd64", "", ""], "its operating system is missing")]
#[case(["linux", "", "", ""], "its architecture is missing")]
#[case(["unknown", "unknown", "", ""], "its operating system is unknown")]
#[case(["linux", "unknown", "", ""], "its architecture is unknown")]
#[case(["linux", "amd/64", "", ""], "`amd/64` in `linux/amd/64` is no architecture")]
#[case(["linux", "amd64\n", "", ""], "`amd64\\n` in `linux/amd64\\n` is no architecture")]
#[case(["linux", "amd64", "../x", ""], "`../x` in `linux/amd64/../x` is no variant")]
#[case(["linux(1)", "amd64", "", ""], "`linux(1)` in `linux(1)/amd64` is no operating system")]
#[case(["windows", "amd64", "", "10\u{202e}"], "is no version or feature of an operating system")]
#[case(["windows", "amd64", "", "1 0"], "`1 0` in `windows(1%200)/amd64` is no version")]
fn unusable_declarations_are_errors(#[case] fields: [&str; 4], #[case] expected: &str) {
    let [os, architecture, variant, version] = fields;
    let error = Platform::declared(os, architecture, variant, version, &[]).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn spellings_of_one_platform_are_equal_and_sort_alike() {
    let same: HashSet<Platform> = ["linux/arm", "linux/arm/v7", "linux/armhf", "arm"].map(parse).into();
    assert_eq!(same.len(), 1);
    assert_ne!(parse("windows(1)/amd64"), parse("windows/amd64"));
    assert_ne!(parse("windows(+a)/amd64"), parse("windows/amd64"));
    let mut platforms = ["windows/amd64", "linux/arm/v7", "linux/amd64/v2", "linux/arm/v6", "linux/amd64"].map(parse);
    platforms.sort();
    assert_eq!(
        platforms.map(|platform| platform.to_string()),
        ["linux/amd64", "linux/amd64/v2", "linux/arm/v6", "linux/arm/v7", "windows/amd64"]
    );
}

#[test]
fn the_host_is_a_platform_of_the_table() {
    let host = Platform::host();
    assert!(host.row().is_some(), "{host}");
    assert_eq!(parse(host.raw()), host);
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        assert_eq!(host.to_string(), "linux/amd64");
    }
}

/// Pieces that spellings are made of, right and wrong; strings of up to four of them, and random bytes.
#[test]
fn no_spelling_panics_and_every_platform_reads_back() {
    const PIECES: &[&str] = &[
        "", "linux", "Windows", "macos", "arm", "ARMHF", "arm64", "x86_64", "v7", "8.0", "/", "//", "(", ")", "(1.0",
        "+gpu", "%", "%2", "%2B", "%00", "%C3", ":", ":1.0", "*", ",", "=", ".", "..", "é", "\u{202e}", "\0", "\n",
        " ", "unknown",
    ];
    let mut texts: Vec<String> = Vec::new();
    for first in PIECES {
        for second in PIECES {
            for third in PIECES {
                texts.push([*first, *second, *third].concat());
                texts.push(format!("{first}/{second}/{third}"));
                texts.push(format!("linux({first}{second})/{third}"));
            }
        }
    }
    // A linear congruential generator (Knuth's MMIX constants): the same strings on every run.
    let mut state: u64 = 1;
    for length in (0..40).cycle().take(2_000) {
        let bytes: Vec<u8> = (0..length)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                state.to_be_bytes()[0]
            })
            .collect();
        texts.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    let mut platforms = 0;
    for text in &texts {
        match Platform::parse(text) {
            Ok(platform) => {
                platforms += 1;
                assert_eq!(platform.raw(), text);
                assert!(platform.raw().bytes().all(|byte| byte.is_ascii_graphic()), "{text:?}");
                assert_eq!(parse(&platform.specifier()), platform, "{text:?}");
                assert!(parse(&platform.to_string()).same_as(&platform), "{text:?}");
            }
            Err(error) => assert!(error.to_string().chars().all(|c| !c.is_control()), "{error}"),
        }
        let fields: Vec<&str> = text.split('/').collect();
        if let [os, architecture, variant] = fields.as_slice()
            && let Ok(platform) = Platform::declared(os, architecture, variant, "", &[])
        {
            assert_eq!(parse(&platform.specifier()), platform, "{text:?}");
        }
    }
    assert!(platforms > 500, "only {platforms} of the strings are platforms: the test tries nothing");
}
