//! Which image of an OCI layout is meant.
//!
//! Source: OCI image spec, `image-layout.md` and `annotations.md`
//! (`org.opencontainers.image.ref.name`); containerd's `io.containerd.image.name`,
//! which BuildKit and `docker save` write too.

use crate::image::descriptor::DeclaredPlatform;
use crate::image::digest::Digest;
use crate::image::reference::name::shown;
use crate::image::reference::{ImageName, Selector};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

const REF_NAME: &str = "org.opencontainers.image.ref.name";
const CONTAINERD_NAME: &str = "io.containerd.image.name";
/// How many names an error lists.
const MAX_LISTED: usize = 20;

/// What is read of `index.json` for choosing, with `null` as absent, as Go's decoder has it; checking it as an image's index comes later, elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct LayoutIndex {
    #[serde(rename = "mediaType", default)]
    pub(super) media_type: Option<String>,
    #[serde(default)]
    manifests: Option<Vec<Entry>>,
}

/// One descriptor of `index.json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Entry {
    #[serde(rename = "mediaType", default)]
    pub(super) media_type: Option<String>,
    pub(super) digest: Digest,
    #[serde(default)]
    platform: Option<EntryPlatform>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, Option<String>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct EntryPlatform {
    #[serde(default)]
    os: Option<String>,
    #[serde(default)]
    architecture: Option<String>,
    #[serde(default)]
    variant: Option<String>,
    #[serde(rename = "os.version", default)]
    os_version: Option<String>,
    #[serde(rename = "os.features", default)]
    os_features: Option<Vec<String>>,
}

impl Entry {
    fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(key)?.as_deref().filter(|v| !v.is_empty())
    }

    fn first_name(&self) -> Option<&str> {
        self.names().next()
    }

    /// What the image is called: the short name, then the full one.
    fn names(&self) -> impl Iterator<Item = &str> {
        [self.annotation(REF_NAME), self.annotation(CONTAINERD_NAME)].into_iter().flatten()
    }

    /// The platform that the layout says of the image.
    pub(super) fn declared_platform(&self) -> Option<DeclaredPlatform> {
        self.platform.clone().map(|p| DeclaredPlatform {
            os: p.os.unwrap_or_default(),
            architecture: p.architecture.unwrap_or_default(),
            variant: p.variant.unwrap_or_default(),
            os_version: p.os_version.unwrap_or_default(),
            os_features: p.os_features.unwrap_or_default(),
        })
    }
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Choice {
    /// `index.json` is itself the image's index.
    Whole,
    /// One of its descriptors.
    Entry(Entry),
    /// A blob that no descriptor of it names.
    Blob(Digest),
}

/// Why nothing was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ChoiceError {
    /// There is no image at all.
    Empty,
    /// None is called so; what there is.
    NoSuch { wanted: String, there: Vec<String> },
    /// So many are; what to choose from, as selectors.
    Several { images: usize, there: Vec<String> },
}

impl LayoutIndex {
    fn entries(&self) -> &[Entry] {
        self.manifests.as_deref().unwrap_or_default()
    }

    /// Chooses the image that the selector names; without one, the only image.
    ///
    /// Several descriptors without names and with platforms are one image, whose
    /// index is `index.json` itself: crane, ko and regclient write layouts like that.
    pub(super) fn choose(&self, selector: Option<&Selector>) -> Result<Choice, ChoiceError> {
        let all: Vec<&Entry> = self.entries().iter().collect();
        let Some(first) = all.first() else { return Err(ChoiceError::Empty) };
        match selector {
            Some(Selector::Digest(digest)) => Ok(match all.iter().find(|e| e.digest == *digest) {
                Some(entry) => Choice::Entry((*entry).clone()),
                None => Choice::Blob(digest.clone()),
            }),
            Some(Selector::Position(position)) => match all.get(*position) {
                Some(entry) => Ok(Choice::Entry((*entry).clone())),
                None => Err(ChoiceError::NoSuch {
                    wanted: format!("@{position}"),
                    there: (0..all.len().min(MAX_LISTED)).map(|i| format!("@{i}")).collect(),
                }),
            },
            Some(Selector::Name(wanted)) => self.choose_name(wanted),
            None if all.iter().all(|e| e.digest == first.digest) => Ok(Choice::Entry((*first).clone())),
            None => self.choose_unnamed(&all),
        }
    }

    fn choose_name(&self, wanted: &str) -> Result<Choice, ChoiceError> {
        let full = ImageName::parse(wanted).ok();
        let is_exact = |e: &Entry| e.names().any(|n| n == wanted);
        let is_same_name = |e: &Entry| full.is_some() && e.names().any(|n| ImageName::parse(n).ok() == full);
        let has_tag = |e: &Entry| e.names().any(|n| tag_of(n).as_deref() == Some(wanted));
        let tests: [&dyn Fn(&Entry) -> bool; 3] = [&is_exact, &is_same_name, &has_tag];
        for test in tests {
            let matching: Vec<&Entry> = self.entries().iter().filter(|e| test(e)).collect();
            let Some(first) = matching.first() else { continue };
            if matching.iter().all(|e| e.digest == first.digest) {
                return Ok(Choice::Entry((*first).clone()));
            }
            if matching.len() == self.entries().len() && matching.iter().all(|e| e.platform.is_some()) {
                return Ok(Choice::Whole);
            }
            return Err(self.several(&matching));
        }
        Err(ChoiceError::NoSuch { wanted: shown(wanted), there: self.selectors(self.entries().iter()) })
    }

    fn choose_unnamed(&self, all: &[&Entry]) -> Result<Choice, ChoiceError> {
        let named: Vec<&Entry> = all.iter().copied().filter(|e| e.first_name().is_some()).collect();
        let names: BTreeSet<_> = named.iter().map(|e| e.names().collect::<Vec<_>>()).collect();
        let uniform = named.is_empty() || names.len() == 1 && named.len() == all.len();
        if uniform && all.iter().any(|e| e.platform.is_some()) {
            return Ok(Choice::Whole);
        }
        // Beside the one image with a name there may be signatures and other referrers without one.
        match named.first() {
            Some(first) if named.iter().all(|e| e.digest == first.digest) => Ok(Choice::Entry((*first).clone())),
            _ => Err(self.several(all)),
        }
    }

    fn several(&self, entries: &[&Entry]) -> ChoiceError {
        let images = entries.iter().map(|e| &e.digest).collect::<BTreeSet<_>>().len();
        ChoiceError::Several { images, there: self.selectors(entries.iter().copied()) }
    }

    /// What selects each of the images, as one would type it: its name where no other image has that, or its digest.
    fn selectors<'a>(&self, entries: impl Iterator<Item = &'a Entry>) -> Vec<String> {
        let is_its_own = |entry: &Entry, name: &str| {
            self.entries().iter().all(|e| e.digest == entry.digest || e.names().all(|n| n != name))
        };
        let selector = |entry: &Entry| match entry.names().find(|name| is_its_own(entry, name)) {
            Some(name) => shown(
                &ImageName::parse(name)
                    .ok()
                    .filter(|_| has_repository(name))
                    .map_or_else(|| name.to_owned(), |n| n.familiar()),
            ),
            None => format!("@{}", entry.digest),
        };
        entries.take(MAX_LISTED).map(selector).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// Whether a name is more than a tag: `app:1`, `registry.example/app`.
fn has_repository(name: &str) -> bool {
    name.contains(['/', ':'])
}

fn tag_of(name: &str) -> Option<String> {
    ImageName::parse(name).ok().filter(|_| has_repository(name))?.tag
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn digest(n: u8) -> Digest {
        Digest::parse(&format!("sha256:{}", format!("{n:02x}").repeat(32))).unwrap()
    }

    /// An index of entries `DIGIT [NAME] [/PLATFORM]`, separated by commas.
    fn index(entries: &str) -> LayoutIndex {
        let entry = |text: &str| {
            let mut parts = text.split_whitespace();
            let mut entry = serde_json::json!({ "digest": digest(parts.next().unwrap().parse().unwrap()) });
            for part in parts {
                match part.split_once('=') {
                    Some(("containerd", name)) => entry["annotations"][CONTAINERD_NAME] = name.into(),
                    Some((_, name)) => entry["annotations"][REF_NAME] = name.into(),
                    None => entry["platform"] = serde_json::json!({ "os": "linux", "architecture": part }),
                }
            }
            entry
        };
        let manifests: Vec<_> = entries.split(',').filter(|e| !e.trim().is_empty()).map(entry).collect();
        serde_json::from_value(serde_json::json!({ "manifests": manifests })).unwrap()
    }

    /// `N` for the entry of that digest, `whole`, `blob N`, or the error in short.
    fn chosen(index: &LayoutIndex, selector: Option<&Selector>) -> String {
        let number = |d: &Digest| u8::from_str_radix(&d.hex()[..2], 16).unwrap();
        match index.choose(selector) {
            Ok(Choice::Whole) => "whole".into(),
            Ok(Choice::Entry(entry)) => number(&entry.digest).to_string(),
            Ok(Choice::Blob(digest)) => format!("blob {}", number(&digest)),
            Err(ChoiceError::Empty) => "empty".into(),
            Err(ChoiceError::NoSuch { there, .. }) => format!("none of {}", there.join(" ")),
            Err(ChoiceError::Several { images, there }) => {
                let short = |t: &String| if t.starts_with('@') { t[..10].to_owned() } else { t.clone() };
                format!("{images}: {}", there.iter().map(short).collect::<Vec<_>>().join(" "))
            }
        }
    }

    #[rstest]
    #[case("", "empty")]
    #[case("1", "1")]
    #[case("1 amd64", "1")]
    #[case("1 ref=v1", "1")]
    // Two tags of one image.
    #[case("1 ref=v1, 1 ref=v2", "1")]
    #[case("1 ref=v1, 2 ref=v2", "2: v1 v2")]
    #[case("1 ref=v1 amd64, 2 ref=v2 arm64", "2: v1 v2")]
    #[case("1 amd64, 2 arm64", "whole")]
    #[case("1 ref=v1 amd64, 2 ref=v1 arm64", "whole")]
    // A broken index is still the image, so that the rules see what is wrong with it.
    #[case("1 amd64, 2", "whole")]
    #[case("1, 2", "2: @sha256:01 @sha256:02")]
    #[case("1 ref=v1, 2 ref=v2, 1 ref=v3", "2: v1 v2 v3")]
    // As `docker save app:1 other:1` has it.
    #[case(
        "1 containerd=docker.io/library/app:1 ref=1, 2 containerd=r.example/other:1 ref=1",
        "2: app:1 r.example/other:1"
    )]
    // A signature beside the image.
    #[case("1 ref=v1, 2", "1")]
    #[case("1 ref=v1 amd64, 2 arm64", "1")]
    fn without_a_selector(#[case] entries: &str, #[case] expected: &str) {
        assert_eq!(chosen(&index(entries), None), expected);
    }

    #[rstest]
    #[case("1 ref=v1, 2 ref=v2", "v2", "2")]
    #[case("1 ref=v1, 2 ref=v2", "v3", "none of v1 v2")]
    #[case("1 containerd=docker.io/library/app:1 ref=1, 2 ref=2", "app:1", "1")]
    #[case("1 containerd=docker.io/library/app:1, 2 ref=2", "1", "1")]
    #[case("1 containerd=docker.io/library/app:1, 2 ref=2", "docker.io/library/app:1", "1")]
    #[case("1 ref=registry.example/app:1, 2 ref=2", "registry.example/app:1", "1")]
    #[case("1 ref=1, 2 ref=2", "latest", "none of 1 2")]
    #[case(
        "1 containerd=docker.io/library/app:1 ref=1, 2 containerd=r.example/other:1 ref=1",
        "other:1",
        "none of app:1 r.example/other:1"
    )]
    #[case("1 containerd=docker.io/library/app:1 ref=1, 2 containerd=r.example/other:1 ref=1", "app:1", "1")]
    #[case(
        "1 containerd=docker.io/library/app:1 ref=1, 2 containerd=r.example/other:1 ref=1",
        "1",
        "2: app:1 r.example/other:1"
    )]
    // The exact name wins over one whose tag is the same.
    #[case("1 ref=registry.example/app:1, 2 ref=1", "1", "2")]
    #[case("1 ref=a.example/app:1, 2 ref=b.example/app:1", "1", "2: a.example/app:1 b.example/app:1")]
    #[case("1 ref=v1 amd64, 2 ref=v1 arm64", "v1", "whole")]
    #[case("1 ref=v1, 2 ref=v1", "v1", "2: @sha256:01 @sha256:02")]
    #[case("1, 2 ref=v1", "x", "none of @sha256:0101010101010101010101010101010101010101010101010101010101010101 v1")]
    #[case("", "v1", "empty")]
    fn by_name(#[case] entries: &str, #[case] name: &str, #[case] expected: &str) {
        assert_eq!(chosen(&index(entries), Some(&Selector::Name(name.into()))), expected);
    }

    #[test]
    fn by_digest_and_position() {
        let index = index("1 ref=v1, 2 ref=v2");
        assert_eq!(chosen(&index, Some(&Selector::Digest(digest(2)))), "2");
        assert_eq!(chosen(&index, Some(&Selector::Digest(digest(3)))), "blob 3");
        assert_eq!(chosen(&index, Some(&Selector::Position(1))), "2");
        assert_eq!(chosen(&index, Some(&Selector::Position(2))), "none of @0 @1");
    }

    #[test]
    fn a_name_with_control_characters_is_listed_escaped() {
        let index = index("1 ref=a\u{1b}[0m, 2 ref=b");
        assert_eq!(chosen(&index, None), "2: a\\u{1b}[0m b");
    }
}
