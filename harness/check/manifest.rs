//! The group `manifest`: which platforms an image declares, and whether its documents agree.

use super::draft::Draft;
use super::policy::Policy;
use super::rule;
use crate::image::descriptor::DeclaredPlatform;
use crate::image::document::Config;
use crate::image::fetch::Unread;
use crate::image::layer::Fault;
use crate::image::{ImageFacts, PlatformFacts};
use crate::platform::Platform;
use mpcheck_reports::{Finding, Severity};

/// What is required of an image's platforms.
#[derive(Debug, Clone, Default)]
pub struct Requirements {
    /// Platforms that were asked for by name (`--platform`), whether the image has them or not.
    pub selected: Vec<Platform>,
    /// Platforms that it must have.
    pub required: Vec<Platform>,
    /// Whether it may have no others.
    pub exact: bool,
    /// The baseline's name and platforms: none of them may have got lost.
    pub baseline: Option<(String, Vec<Platform>)>,
    /// What was decided about its findings.
    pub policy: Policy,
}

/// All findings of the group, but `identical-content`, which needs the root filesystems.
pub(super) fn findings(image: &ImageFacts, requirements: &Requirements) -> Vec<Finding> {
    let mut found = Vec::new();
    missing(image, requirements, &mut found);
    unexpected(image, requirements, &mut found);
    lost(image, requirements, &mut found);
    duplicates(image, &mut found);
    unknown(image, &mut found);
    orphans(image, &mut found);
    for (digest, fault) in &image.faults {
        if let Fault::Invalid(why) = fault {
            found.push(invalid(why).observed(digest.to_string()).done());
        }
    }
    for platform in image.platforms.iter().filter(|p| p.selected) {
        documents(platform, &mut found);
    }
    found
}

fn list(platforms: impl IntoIterator<Item = impl ToString>) -> String {
    let names: Vec<String> = platforms.into_iter().map(|p| p.to_string()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn declared(image: &ImageFacts) -> impl Iterator<Item = &Platform> {
    image.platforms.iter().map(|p| &p.platform)
}

/// The platforms of a list that the image has not.
pub(super) fn absent<'a>(image: &ImageFacts, wanted: &'a [Platform]) -> impl Iterator<Item = &'a Platform> {
    let offered: Vec<Platform> = declared(image).cloned().collect();
    wanted.iter().filter(move |wanted| !offered.iter().any(|offered| offered.satisfies(wanted)))
}

fn missing(image: &ImageFacts, requirements: &Requirements, found: &mut Vec<Finding>) {
    // What a source with one platform lacks, the published image may have: that is undecided, see `outcome`.
    if image.one_platform.is_some() {
        return;
    }
    for required in absent(image, &requirements.required) {
        let message = format!("{required} is required and is not in the image");
        let hint = format!(
            "add it to the build (`docker buildx build --platform …,{required}`), or push its manifest and put it into the index (`docker buildx imagetools create`)"
        );
        let draft = Draft::new(&rule::MISSING_PLATFORM, message, hint);
        found.push(draft.instead(required.to_string(), list(declared(image))).done());
    }
}

fn unexpected(image: &ImageFacts, requirements: &Requirements, found: &mut Vec<Finding>) {
    if !requirements.exact {
        return;
    }
    for platform in &image.platforms {
        if !requirements.required.iter().any(|required| platform.platform.satisfies(required)) {
            let message = format!("{} is in the image and is none of the exact platforms", platform.platform);
            let hint = "add it to --require, or leave it out of the build";
            let draft = Draft::new(&rule::UNEXPECTED_PLATFORM, message, hint).on(platform);
            found.push(draft.instead(list(&requirements.required), platform.platform.to_string()).done());
        }
    }
}

fn lost(image: &ImageFacts, requirements: &Requirements, found: &mut Vec<Finding>) {
    let (Some((name, platforms)), None) = (&requirements.baseline, &image.one_platform) else { return };
    for platform in absent(image, platforms) {
        let message = format!("{platform} is in the baseline {name} and is lost here");
        let hint = "a job of one platform may have overwritten the tag: build all platforms and push one index again, or announce that the platform is dropped and change the baseline";
        let draft = Draft::new(&rule::LOST_PLATFORM, message, hint);
        found.push(draft.instead(platform.to_string(), list(declared(image))).done());
    }
}

fn duplicates(image: &ImageFacts, found: &mut Vec<Finding>) {
    for (i, platform) in image.platforms.iter().enumerate() {
        let Some(first) = image.platforms.iter().take(i).find(|p| p.platform == platform.platform) else { continue };
        let same = first.descriptor.digest == platform.descriptor.digest;
        let message = if same {
            format!("the index lists {} twice, with the same manifest", platform.platform)
        } else {
            format!("the index has two different images for {}", platform.platform)
        };
        let hint = "a client takes one of them, and which is not defined: list each platform once (mind spellings such as arm64 and arm64/v8, which are one platform)";
        let draft = Draft::new(&rule::DUPLICATE_PLATFORM, message, hint).on(platform);
        // Whichever a client takes, it gets the same image.
        let severity = if same { Severity::Warning } else { Severity::Error };
        let observed = format!("{} ({})", platform.descriptor.digest, platform.platform.raw());
        let expected = format!("{} ({})", first.descriptor.digest, first.platform.raw());
        found.push(draft.severity(severity).instead(expected, observed).done());
    }
}

fn unknown(image: &ImageFacts, found: &mut Vec<Finding>) {
    for entry in &image.unknown {
        let message = format!("the index entry {} can be chosen for no platform: {}", entry.digest.short(), entry.why);
        let hint = "give the entry `os` and `architecture`, or take it out of the index (`docker buildx imagetools create` writes both)";
        let spelling = entry.declared.as_ref().map_or_else(|| "no platform".to_owned(), spelling);
        let draft = Draft::new(&rule::UNKNOWN_PLATFORM, message, hint);
        found.push(draft.instead("a platform", format!("{spelling}, {}", entry.digest)).done());
    }
}

fn spelling(declared: &DeclaredPlatform) -> String {
    let parts = [&declared.os, &declared.architecture, &declared.variant];
    let text: Vec<&str> = parts.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    text.join("/")
}

fn orphans(image: &ImageFacts, found: &mut Vec<Finding>) {
    for attestation in &image.attestations {
        let subject = attestation.subject.as_deref();
        if subject.is_some_and(|subject| image.listed.iter().any(|digest| digest.as_str() == subject)) {
            continue;
        }
        let message = match subject {
            Some(subject) => {
                format!("the attestation {} is about {subject}, which is not in the index", attestation.digest.short())
            }
            None => format!("the attestation {} does not say what it is about", attestation.digest.short()),
        };
        let hint = "the index was put together from parts of two builds: create it again from the manifests and attestations of one build";
        let draft = Draft::new(&rule::ORPHAN_ATTESTATION, message, hint);
        found.push(draft.instead("the digest of a sibling", subject.unwrap_or("none")).done());
    }
}

fn invalid(why: &str) -> Draft {
    let hint = "build and push the image again with a current tool; `mpcheck explain manifest/invalid` names what the specification asks for";
    Draft::new(&rule::MANIFEST_INVALID, why, hint)
}

fn documents(platform: &PlatformFacts, found: &mut Vec<Finding>) {
    for unread in [platform.manifest.as_ref().err(), platform.config.as_ref().err()].into_iter().flatten() {
        if let Unread::Fault(Fault::Invalid(why)) = unread {
            found.push(invalid(why).on(platform).observed(platform.descriptor.digest.to_string()).done());
        }
    }
    for (index, layer) in platform.layers.iter().enumerate() {
        for fault in &layer.faults {
            if let Fault::Invalid(why) = fault {
                found.push(invalid(why).on(platform).layer(platform, index).done());
            }
        }
    }
    let (Ok(manifest), Ok(config)) = (&platform.manifest, &platform.config) else { return };
    if manifest.layers.len() != config.diff_ids.len() {
        let message = format!(
            "the manifest lists {} layers and the config {} diff_ids",
            manifest.layers.len(),
            config.diff_ids.len()
        );
        found.push(invalid(&message).on(platform).observed(manifest.config.digest.to_string()).done());
    }
    if platform.descriptor.platform.is_some() {
        config_mismatch(platform, config, found);
    }
}

/// The index and the config must name one platform.
///
/// A variant that only the entry states is no contradiction: many builders leave
/// it out of the config. One that the config states must be the entry's.
fn config_mismatch(platform: &PlatformFacts, config: &Config, found: &mut Vec<Finding>) {
    let own = &config.platform;
    let declared = Platform::declared(&own.os, &own.architecture, &own.variant, &own.os_version, &own.os_features);
    let declared = match declared {
        Ok(declared) => declared,
        Err(error) => {
            found.push(invalid(&format!("the config declares no usable platform: {error}")).on(platform).done());
            return;
        }
    };
    let entry = &platform.platform;
    let same_machine = declared.os() == entry.os() && declared.architecture() == entry.architecture();
    if declared.same_as(entry) || (same_machine && own.variant.is_empty()) {
        return;
    }
    let message = format!("the index says {entry}, the image's own config says {declared}");
    let hint = "the platform's manifest was built for another platform, or built without --platform: build it again with `docker buildx build --platform`, which writes both";
    let draft = Draft::new(&rule::CONFIG_MISMATCH, message, hint).on(platform);
    found.push(draft.instead(entry.to_string(), declared.raw()).done());
}
