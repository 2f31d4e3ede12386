//! What `--platform` and `--require` say.

use super::error::shown;
use super::{Platform, PlatformError};

/// The words for every platform there is.
const ALL: &str = "all";

/// The words for the platform of this machine: ours, and regctl's and buildx's.
const NATIVE: [&str; 2] = ["native", "local"];

/// A set of platforms that somebody asked for, or all.
///
/// It is made of values of a flag that may be repeated, each a list with commas:
///
/// - a platform, in each spelling of [`Platform::parse`];
/// - `all`: everything there is, whatever stands beside it;
/// - `native` or `local`: the platform of this machine, the one place where the machine is asked;
/// - `osver=VERSION` (also `osversion=`), as regctl writes it: the version of the operating system of the
///   platform before it, as in `windows/amd64,osver=10.0.17763`.
///
/// A platform that is named twice, in whatever spellings, is there once. What a platform selects is decided
/// by [`Platform::satisfies`]: `linux/arm` means `linux/arm/v7`, as in containerd, and does not select
/// `linux/arm/v6`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    // None: all.
    platforms: Option<Vec<Platform>>,
}

impl Selection {
    /// Everything there is.
    #[must_use]
    pub const fn all() -> Self {
        Self { platforms: None }
    }

    /// Nothing at all: for whoever wants to know what is declared, and to read none of it.
    #[must_use]
    pub const fn none() -> Self {
        Self { platforms: Some(Vec::new()) }
    }

    /// Reads the values of a flag.
    ///
    /// # Errors
    /// When one of them is no platform and no word above, or when there is none at all: a flag that was not
    /// given is the caller's to decide.
    pub fn parse<'a, I>(values: I) -> Result<Self, PlatformError>
    where
        I: IntoIterator<Item = &'a str>,
    {
        let mut chosen: Vec<Platform> = Vec::new();
        let mut is_all = false;
        let mut is_empty = true;
        for list in values {
            is_empty = false;
            let mut of_list: Vec<Platform> = Vec::new();
            for item in list.split(',').map(str::trim) {
                if item.eq_ignore_ascii_case(ALL) {
                    is_all = true;
                } else if let Some((key, value)) = item.split_once('=') {
                    let platform = of_list.pop().ok_or_else(|| stray(item, list))?;
                    of_list.push(with_option(platform, key, value, list)?);
                } else if NATIVE.iter().any(|word| item.eq_ignore_ascii_case(word)) {
                    of_list.push(Platform::host().spelled(item));
                } else {
                    of_list.push(Platform::parse(item)?);
                }
            }
            chosen.append(&mut of_list);
        }
        if is_empty {
            return Err(PlatformError::Empty);
        }
        let mut platforms: Vec<Platform> = Vec::new();
        for platform in chosen {
            if !platforms.contains(&platform) {
                platforms.push(platform);
            }
        }
        Ok(Self { platforms: (!is_all).then_some(platforms) })
    }

    /// Whether it is everything.
    #[must_use]
    pub const fn is_all(&self) -> bool {
        self.platforms.is_none()
    }

    /// The platforms that were named, in their order; none if it is everything.
    #[must_use]
    pub fn platforms(&self) -> &[Platform] {
        self.platforms.as_deref().unwrap_or_default()
    }

    /// Whether it selects a platform of an image.
    #[must_use]
    pub fn selects(&self, offered: &Platform) -> bool {
        self.is_all() || self.platforms().iter().any(|required| offered.satisfies(required))
    }
}

fn with_option(platform: Platform, key: &str, value: &str, list: &str) -> Result<Platform, PlatformError> {
    let (key, value) = (key.trim(), value.trim());
    if !["osver", "osversion"].iter().any(|known| key.eq_ignore_ascii_case(known)) || value.is_empty() {
        return Err(PlatformError::ListOption {
            option: shown(&format!("{key}={value}")),
            list: shown(list),
            advice: "the only option is osver=VERSION, as in windows/amd64,osver=10.0.17763",
        });
    }
    let raw = format!("{},osver={value}", platform.raw());
    platform.with_os_version(value, raw)
}

fn stray(item: &str, list: &str) -> PlatformError {
    PlatformError::ListOption {
        option: shown(item),
        list: shown(list),
        advice: "there is no platform before it; write it as in windows/amd64,osver=10.0.17763",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn specifiers(selection: &Selection) -> Vec<String> {
        selection.platforms().iter().map(Platform::specifier).collect()
    }

    #[rstest]
    #[case::one(&["linux/amd64"], &["linux/amd64"])]
    #[case::commas(&["linux/amd64,linux/arm64"], &["linux/amd64", "linux/arm64"])]
    #[case::repeated(&["linux/arm64", "linux/amd64"], &["linux/arm64", "linux/amd64"])]
    #[case::both(&["linux/arm64,s390x", "linux/amd64"], &["linux/arm64", "linux/s390x", "linux/amd64"])]
    #[case::spaces(&[" linux/amd64 , arm64 "], &["linux/amd64", "linux/arm64"])]
    #[case::twice(&["linux/arm,arm", "linux/armhf"], &["linux/arm/v7"])]
    #[case::containerd(&["windows(10.0.17763)/amd64,linux/amd64"], &["windows(10.0.17763)/amd64", "linux/amd64"])]
    #[case::crane(&["windows/amd64:10.0.17763"], &["windows(10.0.17763)/amd64"])]
    #[case::regctl(&["windows/amd64,osver=10.0.17763"], &["windows(10.0.17763)/amd64"])]
    #[case::regctl_in_a_list(
        &["linux/amd64,windows/amd64,osver=10.0.17763,windows/amd64,osversion=10.0.20348,linux/arm64"],
        &["linux/amd64", "windows(10.0.17763)/amd64", "windows(10.0.20348)/amd64", "linux/arm64"]
    )]
    fn lists_are_read(#[case] values: &[&str], #[case] expected: &[&str]) {
        let selection = Selection::parse(values.iter().copied()).unwrap();
        assert!(!selection.is_all());
        assert_eq!(specifiers(&selection), expected);
    }

    #[rstest]
    #[case(&["all"])]
    #[case(&["ALL"])]
    #[case(&["linux/amd64,all"])]
    #[case(&["linux/amd64", "all"])]
    fn all_is_everything(#[case] values: &[&str]) {
        let selection = Selection::parse(values.iter().copied()).unwrap();
        assert_eq!(selection, Selection::all());
        assert!(selection.is_all() && selection.platforms().is_empty());
        assert!(selection.selects(&Platform::parse("plan9/386").unwrap()));
    }

    #[rstest]
    #[case("native")]
    #[case("local")]
    #[case("Native")]
    fn native_is_this_machine(#[case] word: &str) {
        let selection = Selection::parse([word]).unwrap();
        assert_eq!(selection.platforms(), [Platform::host()]);
        assert_eq!(selection.platforms()[0].raw(), word);
    }

    #[rstest]
    #[case::nothing(&[], "no platform is given")]
    #[case::empty(&[""], "no platform is given")]
    #[case::trailing_comma(&["linux/amd64,"], "no platform is given")]
    #[case::wildcard(&["linux/*"], "there are no wildcards")]
    #[case::one_is_wrong(&["linux/amd64,linux"], "`linux` names no architecture")]
    #[case::all_does_not_hide_errors(&["all,lunix"], "`lunix` is no known operating system")]
    #[case::stray_option(&["osver=10.0.17763"], "there is no platform before it")]
    #[case::stray_in_the_next_value(&["windows/amd64", "osver=10"], "there is no platform before it")]
    #[case::other_option(&["windows/amd64,prefer=x"], "the only option is osver=VERSION")]
    #[case::empty_option(&["windows/amd64,osver="], "the only option is osver=VERSION")]
    #[case::two_versions(&["windows(10)/amd64,osver=10"], "gives the operating system's version twice")]
    #[case::bad_version(&["windows/amd64,osver=1 0"], "`1 0` in `windows/amd64,osver=1 0` is no version")]
    fn errors_say_what_is_wrong(#[case] values: &[&str], #[case] expected: &str) {
        let error = Selection::parse(values.iter().copied()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[rstest]
    #[case("linux/amd64", "linux/amd64", true)]
    #[case("linux/amd64", "linux/386", false)]
    #[case("linux/amd64", "linux/amd64/v3", false)]
    #[case("linux/arm64", "linux/arm64/v8", true)]
    #[case("linux/arm", "linux/arm/v7", true)]
    #[case("linux/arm", "linux/arm/v6", false)]
    #[case("linux/amd64,linux/arm/v6", "linux/arm/v6", true)]
    #[case("windows/amd64", "windows(10.0.17763.1)/amd64", true)]
    #[case("windows/amd64,osver=10.0.17763", "windows(10.0.17763.1)/amd64", true)]
    #[case("windows/amd64,osver=10.0.17763", "windows(10.0.20348.1)/amd64", false)]
    fn it_selects_what_satisfies(#[case] list: &str, #[case] offered: &str, #[case] expected: bool) {
        let offered = Platform::parse(offered).unwrap();
        assert_eq!(Selection::parse([list]).unwrap().selects(&offered), expected);
    }
}
