//! Whoever builds has what came out looked at by all the checks of an image.

use crate::build::{Inspected, Inspector, Made};
use crate::check::run::{Wish, attempt};
use crate::check::{Requirements, Runs, image, unread};
use crate::image::examine::Unpack;
use crate::image::observe::Silent;
use crate::image::reader::{Depth, Reader};
use crate::image::rootfs::{NodeKind, RootFs};
use crate::image::{ImageFacts, PlatformFacts};
use crate::platform::{Platform, Selection};
use crate::run::choose::How;
use crate::run::set::RunnerSet;
use crate::run::{Cpu, Freedom};
use mpcheck_reports as reports;
use mpcheck_reports::{Finding, Severity, Status};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// The checks, for what is built.
pub struct Inspection<'a> {
    reader: &'a Reader,
    runners: &'a RunnerSet,
    how: How,
    cpu: Cpu,
    required: bool,
    wish: Wish,
    found: RefCell<Found>,
}

/// What was found in images that are not right.
#[derive(Debug, Default)]
pub struct Found {
    /// The images.
    pub images: Vec<reports::Image>,
    /// What is wrong with them.
    pub findings: Vec<Finding>,
}

impl<'a> Inspection<'a> {
    /// The checks with these runners; `wish` is what is run of an image.
    #[must_use]
    pub fn new(reader: &'a Reader, runners: &'a RunnerSet, how: How, wish: Wish) -> Self {
        Self { reader, runners, how, cpu: Cpu::Max, required: false, wish, found: RefCell::default() }
    }

    /// On this processor, and whether a platform that cannot be run is an error.
    #[must_use]
    pub fn demanding(self, cpu: Cpu, required: bool) -> Self {
        Self { cpu, required, ..self }
    }

    /// The images that are not right, or could not be told to be.
    #[must_use]
    pub fn into_found(self) -> Found {
        self.found.into_inner()
    }

    fn looked_at(&self, made: &Made) -> Result<(crate::check::Checked, ImageFacts), String> {
        let (runners, how, cpu) = (self.runners, self.how, self.cpu);
        let wanted = |platform: &Platform| runners.wants_unpacked(how, cpu, platform);
        let unpack = self.runners.store().map(|store| Unpack { store, of: &wanted });
        let read = self.reader.read(&made.location, &Selection::all(), Depth::Layers(unpack), &Silent);
        let (facts, source) = read.map_err(|error| self.reader.told(&made.reference, &made.location, &error))?;
        let runners = self.runners.runners(self.how, self.cpu, Freedom::none());
        let each = facts.platforms.iter();
        let attempts = each.map(|of| attempt(&runners, &self.wish, of, source.as_ref(), &made.location)).collect();
        let requirements = Requirements { required: made.platforms.clone(), exact: true, ..Requirements::default() };
        let checked = image(&facts, &made.reference, &requirements, &Runs { attempts, required: self.required });
        Ok((checked, facts))
    }
}

impl Inspector for Inspection<'_> {
    fn inspect(&self, made: &Made, meant: bool) -> Inspected {
        let (checked, facts) = match self.looked_at(made) {
            Ok(checked) => checked,
            Err(why) => {
                if !meant {
                    self.found.borrow_mut().images.push(unread(&made.reference, &made.location, why.clone()));
                }
                return Inspected { undecided: Some(why), ..Inspected::default() };
            }
        };
        let inspected = inspected(&checked, &facts);
        if !meant && (!inspected.faults.is_empty() || inspected.undecided.is_some()) {
            let mut found = self.found.borrow_mut();
            found.images.push(checked.image);
            found.findings.extend(checked.findings);
        }
        inspected
    }
}

fn inspected(checked: &crate::check::Checked, facts: &ImageFacts) -> Inspected {
    let errors = checked.findings.iter().filter(|finding| finding.severity == Severity::Error);
    let faults = errors.clone().map(|finding| {
        let on = finding.platform.as_ref().map(|platform| format!(" on {platform}")).unwrap_or_default();
        format!("{}{on}: {}", finding.rule, finding.message)
    });
    let undecided = checked.image.platforms.iter().flat_map(|platform| {
        let errors = platform.checks.iter().filter(|check| check.status == Status::Error);
        errors.map(move |check| {
            format!("{} {}: {}", platform.platform, check.name, check.reason.as_deref().unwrap_or(""))
        })
    });
    let skipped = checked.image.platforms.iter().flat_map(|platform| {
        let skipped = platform.checks.iter().filter(|check| check.status == Status::Skipped);
        skipped.map(move |check| format!("{}: {}", platform.platform, check.reason.as_deref().unwrap_or("")))
    });
    Inspected {
        skipped: skipped.collect(),
        faults: faults.collect(),
        broken: errors.map(|finding| (finding.rule.clone(), finding.platform.clone())).collect(),
        undecided: checked.image.error.clone().or_else(|| undecided.into_iter().next()),
        platforms: checked.image.platforms.iter().map(|platform| platform.platform.clone()).collect(),
        content: facts.platforms.iter().map(|platform| (platform.platform.to_string(), programs(platform))).collect(),
    }
}

/// Every program of a platform, by its path, with its fingerprint.
fn programs(platform: &PlatformFacts) -> BTreeMap<Vec<u8>, String> {
    let layers = platform.layers.iter().enumerate();
    let tree = RootFs::merge(layers.filter_map(|(at, layer)| Some((at, layer.facts.as_deref()?))));
    let fingerprint = |kind: NodeKind<'_>| match kind {
        NodeKind::File(Some(content)) => content.fingerprint().map(|fingerprint| format!("{fingerprint:?}")),
        _ => None,
    };
    tree.iter().filter_map(|(path, node)| Some((path.to_vec(), fingerprint(node.kind)?))).collect()
}
