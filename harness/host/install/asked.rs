//! Which architectures are asked for: as `--platform` takes them, and as qemu and its handlers call them.

use crate::image::reference::name::shown;
use crate::platform::{ARCHITECTURES, Architecture, Platform, PlatformError};
use crate::probe;

/// The architectures of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Which, in the table's order.
    pub rows: Vec<&'static Architecture>,
    /// Whether somebody said `all`: what cannot be had is left out then.
    pub all: bool,
}

/// Why a word is no architecture that can be installed, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct NotAsked {
    /// What is wrong.
    pub why: String,
    /// The next step; may be empty.
    pub hint: String,
}

/// Whether programs of an architecture are a machine's own: an emulator for them would only slow it down.
///
/// Not every 64-bit Arm processor runs 32-bit programs, so what those are is seen by trying.
#[must_use]
pub fn is_own(host: &Architecture, row: &Architecture) -> bool {
    row == host || row.name == "386" && host.executes(row)
}

impl Asked {
    /// Reads words with commas. With `all` it is everything but what is the machine's own.
    ///
    /// # Errors
    /// When a word names no architecture that qemu emulates and mpcheck can prove.
    pub fn parse(words: &[String], host: Option<&Architecture>) -> Result<Self, NotAsked> {
        let mut rows: Vec<&'static Architecture> = Vec::new();
        let mut all = false;
        for word in words.iter().flat_map(|word| word.split(',')).map(str::trim) {
            if word.eq_ignore_ascii_case("all") {
                all = true;
            } else {
                rows.push(named(word, host)?);
            }
        }
        let own = |row: &Architecture| host.is_some_and(|host| is_own(host, row));
        let wanted = |row: &&'static Architecture| rows.contains(row) || all && !own(row);
        Ok(Self { rows: installable().filter(wanted).collect(), all })
    }
}

/// What can be installed: there is an emulator, and a probe that proves it.
fn installable() -> impl Iterator<Item = &'static Architecture> {
    ARCHITECTURES.iter().filter(|row| row.emulator.is_some() && probe::probe(row).is_some())
}

fn named(word: &str, host: Option<&Architecture>) -> Result<&'static Architecture, NotAsked> {
    let found = match Platform::parse(word) {
        Ok(platform) if platform.os() == "linux" => platform.row(),
        // `arm/v7` reads as an operating system and an architecture.
        Ok(platform) => match Architecture::by_name(platform.os()) {
            Some(row) => Some(row),
            None => {
                let why = format!("{platform} is not emulated: qemu runs programs of Linux");
                return Err(NotAsked { why, hint: "write an architecture, such as arm64".to_owned() });
            }
        },
        Err(PlatformError::UnknownWord { .. }) => {
            let word = word.strip_prefix("qemu-").unwrap_or(word);
            let of_qemu = installable().find(|row| row.emulator.is_some_and(|emulator| emulator.name == word));
            of_qemu.or_else(|| Architecture::by_spelling(word))
        }
        Err(error) => {
            let hint = "write architectures as arm64,arm or linux/arm64, or all".to_owned();
            return Err(NotAsked { why: error.to_string(), hint });
        }
    };
    found.and_then(|row| installable().find(|known| *known == row)).ok_or_else(|| unknown(word, host))
}

fn unknown(word: &str, host: Option<&Architecture>) -> NotAsked {
    let shown = shown(word);
    // Comparing takes the product of both lengths.
    let typed = word.rsplit('/').next().unwrap_or(word).chars().take(24).collect::<String>().to_ascii_lowercase();
    let others = || installable().filter(|row| host.is_none_or(|host| !is_own(host, row)));
    let names = others().flat_map(|row| {
        let aliases = row.aliases.iter().map(|alias| alias.name);
        let qemu = row.emulator.map(|emulator| emulator.name);
        std::iter::once(row.name).chain(aliases).chain(qemu).map(move |name| (name, row.name))
    });
    let rated = names.map(|(name, row)| (strsim::damerau_levenshtein(&typed, name), row));
    // One mistake in three letters.
    let nearest = rated.filter(|(distance, _)| distance * 3 <= typed.chars().count()).min();
    let known: Vec<&str> = others().map(|row| row.name).collect();
    let hint = match nearest {
        Some((_, name)) => format!("did you mean `{name}`? There are {}", known.join(", ")),
        None => format!("there are {}, and all", known.join(", ")),
    };
    NotAsked { why: format!("`{shown}` is no architecture that can be installed"), hint }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn row(name: &str) -> &'static Architecture {
        Architecture::by_name(name).unwrap()
    }

    fn asked(words: &[&str]) -> Result<Asked, NotAsked> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Asked::parse(&words, Some(row("amd64")))
    }

    #[rstest]
    #[case("arm64", "arm64")]
    #[case("ARM64", "arm64")]
    #[case("aarch64", "arm64")]
    #[case("linux/arm64", "arm64")]
    #[case("linux/arm64/v8", "arm64")]
    #[case("arm/v7", "arm")]
    #[case("linux/arm/v6", "arm")]
    #[case("armhf", "arm")]
    #[case("qemu-aarch64", "arm64")]
    #[case("mips64el", "mips64le")]
    #[case("loongarch64", "loong64")]
    #[case("x86_64", "amd64")]
    fn a_word_is_an_architecture(#[case] word: &str, #[case] name: &str) {
        assert_eq!(asked(&[word]).unwrap(), Asked { rows: vec![row(name)], all: false });
    }

    #[test]
    fn lists_have_commas_and_repeats_and_each_once() {
        let found = asked(&["s390x, arm64", "arm64,linux/s390x"]).unwrap();
        let names: Vec<&str> = found.rows.iter().map(|row| row.name).collect();
        assert_eq!(names, ["arm64", "s390x"]);
    }

    #[test]
    fn all_leaves_out_what_is_the_machines_own() {
        let found = asked(&["all"]).unwrap();
        assert!(found.all && found.rows.contains(&row("arm64")), "{found:?}");
        assert!(!found.rows.contains(&row("amd64")) && !found.rows.contains(&row("386")), "{found:?}");
        // Who names one as well wants it.
        assert!(asked(&["all,amd64"]).unwrap().rows.contains(&row("amd64")));
    }

    #[rstest]
    #[case("amr64", "did you mean `arm64`?")]
    #[case("aarch46", "did you mean `arm64`?")]
    #[case("linux/s390", "did you mean `s390x`?")]
    #[case("vax", "there are ")]
    #[case("linux/sparc64", "there are ")]
    #[case("wasm", "there are ")]
    #[case("windows/amd64", "such as arm64")]
    #[case("", "arm64,arm")]
    #[case("arm64,,arm", "arm64,arm")]
    #[case("a\u{1b}[31m", "arm64")]
    fn what_is_none_is_told_with_what_may_be_meant(#[case] word: &str, #[case] hint: &str) {
        let error = asked(&[word]).unwrap_err();
        assert!(error.hint.contains(hint) && !error.why.contains('\u{1b}'), "{error:?}");
    }

    #[rstest]
    #[case("amd64", "amd64", true)]
    #[case("amd64", "386", true)]
    #[case("amd64", "arm", false)]
    #[case("arm64", "arm64", true)]
    #[case("arm64", "arm", false)]
    #[case("arm64", "amd64", false)]
    fn what_is_a_machines_own(#[case] host: &str, #[case] other: &str, #[case] own: bool) {
        assert_eq!(is_own(row(host), row(other)), own);
    }
}
