//! What single texts of a suite mean: platforms, patterns, times, sizes, permissions. Each says what is wrong with the
//! text and what to write instead.

use super::error::{nearest, shown};
use crate::check::pattern::PatternError;
use crate::platform::{ARCHITECTURES, Architecture, Platform};
use globset::{GlobBuilder, GlobMatcher};
use std::time::Duration;

/// The operating systems that containers have.
const SYSTEMS: [&str; 6] = ["linux", "windows", "freebsd", "darwin", "wasi", "wasip1"];

/// The longest time that a command may take.
const MAX_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// What is wrong, and what to write instead.
pub(super) type Wrong = (String, String);

/// A platform that exists: unlike elsewhere, an architecture or a variant that nobody knows is a mistake here.
pub(super) fn platform(text: &str) -> Result<Platform, Wrong> {
    let hint = || match near_platform(text) {
        Some(near) => format!("write `{near}`"),
        None => "platforms are written os/architecture[/variant]: linux/arm64, linux/arm/v7".to_owned(),
    };
    if matches!(text, "all" | "native") {
        let hint = "name the platforms, so that one that is lost is seen: [linux/amd64, linux/arm64]";
        return Err((format!("`{text}` names no platform"), hint.to_owned()));
    }
    if text.contains(',') {
        return Err((format!("`{}` is more than one platform", shown(text)), "make a list of it: [a, b]".to_owned()));
    }
    let platform = Platform::parse(text).map_err(|error| (error.to_string(), hint()))?;
    let unknown = |what: &str, part: &str| {
        Err((format!("`{}` does not exist: no {what} is called `{}`", shown(text), shown(part)), hint()))
    };
    let Some(row) = platform.row() else { return unknown("architecture", platform.architecture()) };
    if !SYSTEMS.contains(&platform.os()) {
        return unknown("operating system of containers", platform.os());
    }
    match platform.variant() {
        Some(variant) if !row.variants.iter().any(|known| known.name == variant) => {
            unknown(&format!("variant of {}", row.name), variant)
        }
        _ => Ok(platform),
    }
}

/// The platform that was probably meant.
fn near_platform(text: &str) -> Option<String> {
    let mut known = Vec::new();
    for row in ARCHITECTURES.iter().filter(|row| row.elf.is_some()) {
        known.push(row.name.to_owned());
        known.extend(row.aliases.iter().map(|alias| alias.name.to_owned()));
        known.extend(row.variants.iter().map(|variant| format!("{}/{}", row.name, variant.name)));
    }
    let known = || known.iter().map(String::as_str);
    // Each half alone: with the same `linux/` before them, all are alike.
    let (os, rest) = text.split_once('/')?;
    let os = nearest(os, SYSTEMS)?;
    let rest = known().find(|known| *known == rest).or_else(|| nearest(rest, known()))?;
    // What is near may be one of many spellings of a platform: `linux/arm64/v8`.
    Platform::parse(&format!("{os}/{rest}")).ok().map(|platform| platform.to_string())
}

/// An architecture, by its name or another spelling of it.
pub(super) fn architecture(text: &str) -> Result<&'static Architecture, Wrong> {
    let lower = text.to_lowercase();
    let alias = || ARCHITECTURES.iter().find(|row| row.aliases.iter().any(|alias| alias.name == lower));
    Architecture::by_name(&lower).or_else(alias).ok_or_else(|| {
        let hint = match nearest(text, ARCHITECTURES.iter().map(|row| row.name)) {
            Some(name) => format!("write `{name}`"),
            None => "write it as in platforms: amd64, arm64, s390x".to_owned(),
        };
        (format!("no architecture is called `{}`", shown(text)), hint)
    })
}

/// A pattern that is one.
pub(super) fn pattern<P>(text: &str, made: Result<P, PatternError>) -> Result<P, Wrong> {
    if text.is_empty() {
        let hint = "for no output at all, or an empty file, write `^$`";
        return Err(("an empty pattern matches everything".to_owned(), hint.to_owned()));
    }
    made.map_err(|error| {
        let message = format!("`{}` is no regular expression: {}", shown(text), shown(&error.to_string()));
        let hint = match error {
            PatternError::Syntax { .. } => "mend it there; a `\\` before a character takes it as it is",
            PatternError::Large => "repeat less",
        };
        (message, hint.to_owned())
    })
}

/// A glob of absolute paths.
pub(super) fn glob(text: &str) -> Result<GlobMatcher, Wrong> {
    absolute(text)?;
    match GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build() {
        Ok(glob) => Ok(glob.compile_matcher()),
        Err(error) => Err((
            format!("`{}` is no glob: {}", shown(text), shown(&error.kind().to_string())),
            "`*` is of one directory, `**` of all below, `[ab]` and `{a,b}` are one of these".to_owned(),
        )),
    }
}

/// An absolute path of an image.
pub(super) fn absolute(text: &str) -> Result<(), Wrong> {
    if text.contains('\0') {
        return Err((format!("`{}` has a NUL, and no path has", shown(text)), "leave it out".to_owned()));
    }
    if text.split('/').any(|part| part == "..") {
        return Err((format!("`{}` goes up with `..`", shown(text)), "write the path that it leads to".to_owned()));
    }
    if text.starts_with('/') {
        return Ok(());
    }
    let hint = format!("write `/{}`", shown(text.trim_start_matches("./")));
    Err((format!("`{}` is no absolute path", shown(text)), hint))
}

/// A time that a command may take.
pub(super) fn time(text: &str) -> Result<Duration, Wrong> {
    let wrong = |why: &str| (format!("`{}` is no time: {why}", shown(text)), "write for example 30s or 2m".to_owned());
    let time = humantime::parse_duration(text).map_err(|_| wrong("it is a number and a unit"))?;
    if time.is_zero() || time > MAX_TIME { Err(wrong("it is between 1ms and 1day")) } else { Ok(time) }
}

/// A number of bytes: `4GiB`, `64Mi`, `500MB`.
pub(super) fn bytes(text: &str) -> Result<u64, Wrong> {
    let wrong = || (format!("`{}` is no size", shown(text)), "write for example 512MiB or 4GiB".to_owned());
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let unit: u64 = match unit.trim_start().trim_end_matches('B') {
        "" => 1,
        "K" | "k" => 1000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        _ => return Err(wrong()),
    };
    digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).filter(|bytes| *bytes > 0).ok_or_else(wrong)
}

/// Permission bits: `0755`, `4755`, `0o644`.
pub(super) fn mode(text: &str) -> Result<u16, Wrong> {
    let digits = text.strip_prefix("0o").unwrap_or(text);
    let octal = !digits.is_empty() && digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    u16::from_str_radix(digits, 8).ok().filter(|mode| octal && *mode <= 0o7777).ok_or_else(|| {
        (
            format!("`{}` is no mode of a file", shown(text)),
            "write three or four octal digits in quotes: \"0755\"".to_owned(),
        )
    })
}

/// An owner and perhaps a group, in numbers.
pub(super) fn owner(text: &str) -> Result<(u32, Option<u32>), Wrong> {
    let wrong = || {
        let hint = "write UID or UID:GID, in quotes: \"0:0\"; names are those of /etc/passwd, and are not looked up";
        (format!("`{}` is no owner in numbers", shown(text)), hint.to_owned())
    };
    let number = |text: &str| text.parse::<u32>().ok().filter(|_| !text.starts_with('+')).ok_or_else(wrong);
    match text.split_once(':') {
        Some((user, group)) => Ok((number(user)?, Some(number(group)?))),
        None => Ok((number(text)?, None)),
    }
}

/// A port with its protocol, tcp where none is named.
pub(super) fn port(text: &str) -> Result<String, Wrong> {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let known = matches!(protocol, "tcp" | "udp" | "sctp");
    match number.parse::<u16>().ok().filter(|number| *number > 0 && known) {
        Some(number) => Ok(format!("{number}/{protocol}")),
        None => Err((
            format!("`{}` is no port", shown(text)),
            "write its number, and perhaps the protocol: 8080, 53/udp".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("linux/arm64", "linux/arm64")]
    #[case("arm64", "linux/arm64")]
    #[case("linux/arm64/v8", "linux/arm64")]
    #[case("linux/aarch64", "linux/arm64")]
    #[case("linux/arm/v6", "linux/arm/v6")]
    #[case("linux/amd64/v3", "linux/amd64/v3")]
    #[case("windows/amd64", "windows/amd64")]
    #[case("wasi/wasm", "wasi/wasm")]
    fn platforms_that_exist_are_taken(#[case] text: &str, #[case] wanted: &str) {
        assert_eq!(platform(text).unwrap().to_string(), wanted);
    }

    #[rstest]
    #[case("linux/arm65", "architecture is called `arm65`", "write `linux/arm64`")]
    #[case("linux/x86_65", "architecture is called `x86_65`", "write `linux/amd64`")]
    #[case("linux/quantum", "architecture is called `quantum`", "os/architecture")]
    #[case("linux/arm/v9", "variant of arm is called `v9`", "write `linux/arm/v")]
    #[case("linus/arm64", "operating system of containers is called `linus`", "write `linux/arm64`")]
    #[case("linux", "names no architecture", "os/architecture")]
    #[case("linux/s390", "no architecture is called `s390`", "write `linux/s390x`")]
    #[case("linux/ppc64el", "no architecture is called `ppc64el`", "write `linux/ppc64le`")]
    #[case("all", "names no platform", "name the platforms")]
    #[case("linux/amd64,linux/arm64", "more than one", "make a list")]
    #[case("", "no platform is given", "os/architecture")]
    fn a_platform_that_does_not_exist_names_the_nearest(#[case] text: &str, #[case] why: &str, #[case] next: &str) {
        let (message, hint) = platform(text).unwrap_err();
        assert!(message.contains(why), "{message}");
        assert!(hint.contains(next), "{hint}");
    }

    #[rstest]
    #[case("4GiB", Some(4 << 30))]
    #[case("4Gi", Some(4 << 30))]
    #[case("512 MiB", Some(512 << 20))]
    #[case("500MB", Some(500_000_000))]
    #[case("1024", Some(1024))]
    #[case("0", None)]
    #[case("-1", None)]
    #[case("1.5GiB", None)]
    #[case("99999999TiB", None)]
    #[case("", None)]
    #[case("much", None)]
    fn sizes_have_units(#[case] text: &str, #[case] wanted: Option<u64>) {
        assert_eq!(bytes(text).ok(), wanted);
    }

    #[rstest]
    #[case("0755", Some(0o755))]
    #[case("755", Some(0o755))]
    #[case("0o644", Some(0o644))]
    #[case("6755", Some(0o6755))]
    #[case("0", Some(0))]
    #[case("10000", None)]
    #[case("0855", None)]
    #[case("+755", None)]
    #[case("-rwxr-xr-x", None)]
    #[case("", None)]
    fn modes_are_octal(#[case] text: &str, #[case] wanted: Option<u16>) {
        assert_eq!(mode(text).ok(), wanted);
    }

    #[rstest]
    #[case("0:0", Some((0, Some(0))))]
    #[case("1000", Some((1000, None)))]
    #[case("root:root", None)]
    #[case("0:", None)]
    #[case(":0", None)]
    #[case("4294967296", None)]
    #[case("+0:0", None)]
    fn owners_are_numbers(#[case] text: &str, #[case] wanted: Option<(u32, Option<u32>)>) {
        assert_eq!(owner(text).ok(), wanted);
    }

    #[rstest]
    #[case("80", Some("80/tcp"))]
    #[case("53/udp", Some("53/udp"))]
    #[case("0", None)]
    #[case("65536", None)]
    #[case("80/http", None)]
    #[case("8000-8010", None)]
    fn ports_have_protocols(#[case] text: &str, #[case] wanted: Option<&str>) {
        assert_eq!(port(text).ok().as_deref(), wanted);
    }

    #[rstest]
    #[case("30s", Some(30_000))]
    #[case("1m 500ms", Some(60_500))]
    #[case("0s", None)]
    #[case("2days", None)]
    #[case("30", None)]
    fn times_have_units(#[case] text: &str, #[case] wanted: Option<u64>) {
        assert_eq!(time(text).ok(), wanted.map(Duration::from_millis));
    }

    #[rstest]
    #[case("/a/**", true)]
    #[case("/a/{b,c}/*.so", true)]
    #[case("a/**", false)]
    #[case("/a/../b", false)]
    #[case("/a/[", false)]
    #[case("/a/{b", false)]
    fn globs_are_of_absolute_paths(#[case] text: &str, #[case] is_right: bool) {
        assert_eq!(glob(text).is_ok(), is_right);
    }

    #[rstest]
    #[case("amd64", Some("amd64"))]
    #[case("x86_64", Some("amd64"))]
    #[case("aarch64", Some("arm64"))]
    #[case("amd46", None)]
    fn architectures_have_spellings(#[case] text: &str, #[case] wanted: Option<&str>) {
        assert_eq!(architecture(text).ok().map(|row| row.name), wanted);
    }
}
