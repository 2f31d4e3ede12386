//! What a path says of the architecture and operating system of the file at its end.
//!
//! A file for another machine is no surprise under `/opt/app/prebuilds/darwin-arm64/` or
//! `/usr/lib/x86_64-linux-gnu/`: the path says so. It is one at `/usr/local/bin/app`.
//!
//! A path names an architecture where one of the architecture's spellings stands as a whole word in it.
//! Words are what is between characters that are no ASCII letters or digits, and spellings that contain such
//! characters (`x86_64`, `arm64-v8a`) are looked for first, the longest ones before the others. So `x86_64`
//! is not read as `x86`, and `aarch64_be` not as `aarch64`. Case does not matter.
//!
//! Some words are vague, and here that speaks for the file, because a path that could explain it is no proof
//! of a mistake, and a reachable foreign program is an error wherever it lies:
//!
//! - `x86` strictly is 32-bit, and in many trees it is the whole family (`linux-x86/bin64`): 386 and amd64.
//! - `arm`, `mips`, `mips64`, `ppc64`, `powerpc64` name the family too: all of theirs.
//! - `linux64`, `win64`, `lib64` and a lone `64` name no architecture. They once meant amd64 and are still
//!   given to whatever is inside: `chromedriver-linux64` in an arm64 image is a mistake that was really made.

use super::architecture::Architecture;
use super::machine::OTHER_ABIS;
use super::table::ARCHITECTURES;

/// Words that may mean several architectures, and which.
const FAMILIES: &[(&str, &[&str])] = &[
    ("x86", &["386", "amd64"]),
    ("arm", &["arm", "arm64"]),
    ("mips", &["mips", "mipsle", "mips64", "mips64le"]),
    ("mips64", &["mips64", "mips64le"]),
    ("ppc64", &["ppc64", "ppc64le"]),
    ("powerpc64", &["ppc64", "ppc64le"]),
    ("powerpc", &["ppc64", "ppc64le"]),
    ("ppc", &["ppc64", "ppc64le"]),
];

/// Words that name an operating system, without digits at their end (`win32` is `win`, `darwin20` `darwin`).
const SYSTEMS: &[(&str, &[&str])] = &[
    ("linux", &["linux", "manylinux", "musllinux", "gnulinux"]),
    ("darwin", &["darwin", "macos", "macosx", "osx", "apple", "mac", "dylib"]),
    ("ios", &["ios", "iphoneos", "iphonesimulator"]),
    ("windows", &["windows", "win", "mingw", "msvc", "cygwin", "msys", "uwp", "exe", "dll", "pyd"]),
    ("android", &["android", "androideabi"]),
    ("freebsd", &["freebsd"]),
    ("netbsd", &["netbsd"]),
    ("openbsd", &["openbsd"]),
    ("dragonfly", &["dragonfly", "dragonflybsd"]),
    ("solaris", &["solaris", "sunos"]),
    ("illumos", &["illumos"]),
    ("aix", &["aix"]),
];

/// The architectures that a path names, in the order of the table.
#[must_use]
pub fn named_in(path: &[u8]) -> Vec<&'static Architecture> {
    let words: Vec<&[u8]> = words(path).collect();
    let said = |spelling: &str| words.iter().any(|word| word.eq_ignore_ascii_case(spelling.as_bytes()));
    ARCHITECTURES
        .iter()
        .filter(|row| {
            row.spellings.iter().any(|spelling| said(spelling))
                || FAMILIES.iter().any(|(word, members)| members.contains(&row.name) && said(word))
        })
        .collect()
}

/// The operating systems that a path names, which explains PE and Mach-O files in a Linux image.
#[must_use]
pub fn names_os(path: &[u8]) -> Vec<&'static str> {
    let words: Vec<&[u8]> = words(path).map(without_version).collect();
    SYSTEMS
        .iter()
        .filter(|(_, names)| {
            names.iter().any(|name| words.iter().any(|word| word.eq_ignore_ascii_case(name.as_bytes())))
        })
        .map(|(os, _)| *os)
        .collect()
}

/// Whether one of these spellings is a word of the path.
pub(super) fn names_any(path: &[u8], spellings: &[&str]) -> bool {
    words(path).any(|word| spellings.iter().any(|spelling| word.eq_ignore_ascii_case(spelling.as_bytes())))
}

/// The words of a path, spellings with `-` or `_` in them as one.
fn words(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = path;
    std::iter::from_fn(move || {
        let start = rest.iter().position(u8::is_ascii_alphanumeric)?;
        let text = rest.get(start..)?;
        let length = joined_spelling(text).unwrap_or_else(|| word_length(text));
        let (word, after) = text.split_at_checked(length)?;
        rest = after;
        Some(word)
    })
}

fn word_length(text: &[u8]) -> usize {
    text.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(text.len())
}

/// The length of the longest spelling with a `-` or `_` that the text starts with, as whole words.
fn joined_spelling(text: &[u8]) -> Option<usize> {
    let of_architectures = ARCHITECTURES.iter().flat_map(|row| row.spellings);
    let of_abis = OTHER_ABIS.iter().flat_map(|abi| abi.spellings);
    of_architectures
        .chain(of_abis)
        .filter(|spelling| spelling.bytes().any(|byte| !byte.is_ascii_alphanumeric()))
        .filter(|spelling| {
            text.split_at_checked(spelling.len()).is_some_and(|(start, after)| {
                start.eq_ignore_ascii_case(spelling.as_bytes()) && !after.first().is_some_and(u8::is_ascii_alphanumeric)
            })
        })
        .map(|spelling| spelling.len())
        .max()
}

/// A word without the digits at its end.
fn without_version(word: &[u8]) -> &[u8] {
    let end = word.iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |last| last + 1);
    word.get(..end).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    // Debian's multiarch directories and GNU triplets.
    #[case("/usr/lib/x86_64-linux-gnu/libc.so.6", &["amd64"])]
    #[case("/usr/lib/aarch64-linux-gnu/libc.so.6", &["arm64"])]
    #[case("/usr/lib/arm-linux-gnueabihf/libc.so.6", &["arm", "arm64"])]
    #[case("/usr/lib/i386-linux-gnu/libc.so.6", &["386"])]
    #[case("/usr/lib/powerpc64le-linux-gnu/libc.so.6", &["ppc64le"])]
    #[case("/usr/lib/mips64el-linux-gnuabi64/libc.so.6", &["mips64le"])]
    #[case("/usr/lib/loongarch64-linux-gnu/libc.so.6", &["loong64"])]
    #[case("/usr/lib/gcc-cross/riscv64-linux-gnu/12/cc1", &["riscv64"])]
    #[case("/usr/s390x-linux-gnu/lib/libc.so.6", &["s390x"])]
    // Go.
    #[case("/go/bin/linux_arm64/app", &["arm64"])]
    #[case("/app/dist/app_linux_amd64_v1/app", &["amd64"])]
    #[case("/app/dist/app_linux_386/app", &["386"])]
    #[case("/app/terraform-provider-x_v1.2.3_linux_arm", &["arm", "arm64"])]
    // npm.
    #[case("/app/node_modules/@esbuild/linux-x64/bin/esbuild", &["amd64"])]
    #[case("/app/node_modules/x/prebuilds/linux-arm64/node.napi.musl.node", &["arm64"])]
    #[case("/app/node_modules/x/x.linux-arm64-musl.node", &["arm64"])]
    #[case("/app/prebuilds/win32-ia32/x.node", &["386"])]
    #[case("/app/prebuilds/darwin-x64+arm64/x.node", &["amd64", "arm64"])]
    // Python.
    #[case("/usr/lib/python3.11/lib-dynload/_x.cpython-311-x86_64-linux-gnu.so", &["amd64"])]
    #[case("/w/numpy-2.0-cp311-cp311-manylinux_2_17_aarch64.manylinux2014_aarch64.whl", &["arm64"])]
    // Rust.
    #[case("/root/.rustup/toolchains/stable-x86_64-unknown-linux-gnu/bin/rustc", &["amd64"])]
    #[case("/t/lib/rustlib/armv7-unknown-linux-gnueabihf/lib/libstd.so", &["arm"])]
    #[case("/t/lib/rustlib/riscv64gc-unknown-linux-gnu/lib/libstd.so", &["riscv64"])]
    // Android, .NET, and others.
    #[case("/apk/lib/arm64-v8a/libx.so", &["arm64"])]
    #[case("/apk/lib/armeabi-v7a/libx.so", &["arm"])]
    #[case("/app/runtimes/linux-musl-arm64/native/libx.so", &["arm64"])]
    #[case("/app/runtimes/win-x86/native/x.dll", &["amd64", "386"])]
    #[case("/opt/libfoo-x86_64.so", &["amd64"])]
    #[case("/opt/libfoo-X86-64.SO", &["amd64"])]
    #[case("/opt/AArch64/foo", &["arm64"])]
    #[case("/opt/arm64v8/foo", &["arm64"])]
    #[case("/usr/bin/qemu-ppc64le-static", &["ppc64le"])]
    #[case("/opt/linux-x86/bin/cc", &["amd64", "386"])]
    #[case("/opt/ppc64el/foo", &["ppc64le"])]
    fn paths_name_architectures(#[case] path: &str, #[case] expected: &[&str]) {
        let names: Vec<&str> = named_in(path.as_bytes()).iter().map(|row| row.name).collect();
        assert_eq!(names, expected);
    }

    #[rstest]
    #[case("/usr/local/bin/app")]
    #[case("/usr/lib64/libc.so.6")]
    #[case("/opt/chromedriver-linux64/chromedriver")]
    #[case("/usr/lib/charm/farm/alarm")]
    #[case("/usr/lib/amd64ish/xx86_64")]
    #[case("/opt/aarch64_be/lib.so")]
    #[case("/opt/arm64x/lib.so")]
    #[case("/opt/x1386/lib.so")]
    #[case("")]
    #[case("///___---")]
    fn other_paths_name_none(#[case] path: &str) {
        let names: Vec<&str> = named_in(path.as_bytes()).iter().map(|row| row.name).collect();
        assert_eq!(names, Vec::<&str>::new());
    }

    #[test]
    fn bytes_that_are_no_text_separate_words() {
        assert_eq!(named_in(b"/opt/\xff\xfearm64\x80/x").first().map(|row| row.name), Some("arm64"));
        assert!(named_in(b"\xff\xff").is_empty());
    }

    #[rstest]
    #[case("/app/prebuilds/darwin-arm64/x.node", &["darwin"])]
    #[case("/app/x-x86_64-apple-darwin20.6.0.dylib", &["darwin"])]
    #[case("/app/macosx_11_0_arm64/x.so", &["darwin"])]
    #[case("/app/prebuilds/win32-x64/x.node", &["windows"])]
    #[case("/app/runtimes/win10-x64/native/x.node", &["windows"])]
    #[case("/usr/x86_64-w64-mingw32/lib/x", &["windows"])]
    #[case("/usr/lib/python3/dist-packages/setuptools/cli-arm64.exe", &["windows"])]
    #[case("/app/bin/Release/App.dll", &["windows"])]
    #[case("/app/manylinux2014_x86_64/x.so", &["linux"])]
    #[case("/opt/linux64/x", &["linux"])]
    #[case("/app/freebsd13/x", &["freebsd"])]
    #[case("/usr/bin/winner", &[])]
    #[case("/usr/bin/app64", &[])]
    #[case("/12345/67", &[])]
    fn paths_name_operating_systems(#[case] path: &str, #[case] expected: &[&str]) {
        assert_eq!(names_os(path.as_bytes()), expected);
    }

    #[test]
    fn families_name_rows_that_exist() {
        for (word, members) in FAMILIES {
            for member in *members {
                assert!(ARCHITECTURES.iter().any(|row| row.name == *member), "{word} names {member}");
            }
        }
    }
}
