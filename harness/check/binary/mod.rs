//! The group `binary`: whether what an image would start or load fits its platform.

mod cause;
mod content;
mod foreign;
mod judge;
mod place;
mod reach;
mod start;
mod starting;
mod windows;

pub(super) use start::path_directories;

use super::listing::Listing;
use super::policy::Policy;
use crate::binary::content::Fingerprint;
use crate::image::PlatformFacts;
use crate::image::document::Config;
use crate::image::rootfs::{NodeKind, RootFs};
use mpcheck_reports::Finding;
use reach::Reach;
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// One platform with its root filesystem.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    /// The platform.
    pub(super) platform: &'a PlatformFacts,
    /// Its config.
    pub(super) config: &'a Config,
    /// Its merged root filesystem, as far as its layers could be read.
    pub(super) rootfs: &'a RootFs<'a>,
    fingerprints: OnceLock<BTreeSet<Fingerprint>>,
}

impl<'a> Subject<'a> {
    pub(super) fn new(platform: &'a PlatformFacts, config: &'a Config, rootfs: &'a RootFs<'a>) -> Self {
        Self { platform, config, rootfs, fingerprints: OnceLock::new() }
    }

    /// The fingerprints of all machine code of the platform, collected when they are first asked for.
    fn fingerprints(&self) -> &BTreeSet<Fingerprint> {
        self.fingerprints.get_or_init(|| {
            let of = |kind| if let NodeKind::File(Some(content)) = kind { content.fingerprint() } else { None };
            self.rootfs.iter().filter_map(|(_, node)| of(node.kind)).collect()
        })
    }
}

/// All findings of the group on one platform. `all` are all platforms of the image, for likely causes.
pub(super) fn findings(subject: &Subject<'_>, all: &[Subject<'_>], policy: &Policy) -> Vec<Finding> {
    let is_windows = subject.platform.platform.os() == "windows";
    // Whether a name leads anywhere is not decided for Windows: too much of it is in the registry hive.
    let starts = if is_windows { Vec::new() } else { start::starts(subject.config, subject.rootfs) };
    let reach = if is_windows {
        windows::reach(subject.config, subject.rootfs)
    } else {
        Reach::of(&subject.platform.platform, subject.config, subject.rootfs, &starts)
    };
    let mut found = Listing::default();
    foreign::findings(subject, &reach, all, policy, &mut found);
    content::findings(subject, &reach, &mut found);
    // What was not found in a tree that was given up may be there.
    if subject.platform.has_whole_rootfs() && !subject.rootfs.is_exhausted() {
        starting::findings(subject, &starts).into_iter().for_each(|finding| found.push(finding));
    }
    found.into_findings()
}

/// Whether a platform's root filesystem has machine code that the platform cannot
/// execute and that nothing explains.
pub(super) fn has_unexplained_foreign_code(subject: &Subject<'_>) -> bool {
    subject.rootfs.iter().any(|(path, node)| {
        foreign::foreign_code(subject, path, node)
            .is_some_and(|(content, _)| place::explanation(path, content, &subject.platform.platform).is_none())
    })
}
