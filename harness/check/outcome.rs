//! An image's part of the report: findings, and what became of each check.

use super::binary::{self, Subject};
use super::manifest::{self, Requirements};
use super::run::{self, Attempt};
use super::{blob, identical, policy};
use crate::image::fetch::Unread;
use crate::image::layer::Fault;
use crate::image::reference::Location;
use crate::image::rootfs::{NodeKind, RootFs};
use crate::image::{ImageFacts, PlatformFacts};
use crate::platform::Platform;
use mpcheck_reports as reports;
use mpcheck_reports::{Check, Finding, Severity, Status};
use std::collections::BTreeMap;

/// How many entries of layers the root filesystems of one image are made of, all platforms together.
///
/// Ten thousand platforms may share one layer of a million files, which is read once
/// and merged for each.
const MAX_ENTRIES: usize = 10_000_000;

/// An image, checked.
#[derive(Debug)]
pub struct Checked {
    /// The image's entry in the report.
    pub image: reports::Image,
    /// Its findings.
    pub findings: Vec<Finding>,
}

/// What came of running an image.
#[derive(Debug, Default)]
pub struct Runs {
    /// One for each platform, in the order of [`ImageFacts::platforms`]; none at all where nothing was to be run.
    pub attempts: Vec<Attempt>,
    /// Whether a platform that could not be run is an error (`--require-run`).
    pub required: bool,
}

/// Checks what was read of an image, and what came of running it. `reference` is its name as the user gave it.
#[must_use]
pub fn image(facts: &ImageFacts, reference: &str, requirements: &Requirements, runs: &Runs) -> Checked {
    let mut left = MAX_ENTRIES;
    let rootfs: Vec<Option<RootFs<'_>>> = facts.platforms.iter().map(|platform| merged(platform, &mut left)).collect();
    let subjects: Vec<Subject<'_>> = facts
        .platforms
        .iter()
        .zip(&rootfs)
        .filter_map(|(platform, rootfs)| Some(Subject::new(platform, platform.config.as_ref().ok()?, rootfs.as_ref()?)))
        .collect();
    let mut findings = manifest::findings(facts, requirements);
    findings.extend(identical::findings(&subjects));
    findings.extend(blob::of_image(facts));
    for (platform, rootfs) in facts.platforms.iter().zip(&rootfs).filter(|(platform, _)| platform.selected) {
        // What only a missing layer leaves dangling is no fault of the others.
        let whole = rootfs.as_ref().filter(|_| platform.has_whole_rootfs());
        findings.extend(blob::of_platform(platform, whole));
    }
    for subject in &subjects {
        findings.extend(binary::findings(subject, &subjects, &requirements.policy));
    }
    let mut ran = ran(facts, &rootfs, runs);
    for outcome in &mut ran {
        findings.append(&mut outcome.findings);
    }
    policy::apply(&requirements.policy.severities, &mut findings);
    for finding in &mut findings {
        reference.clone_into(&mut finding.image);
    }
    let broken = Broken::of(&findings);
    let platforms = facts.platforms.iter().zip(&rootfs).zip(ran);
    let mut platforms: Vec<reports::Platform> = platforms
        .map(|((platform, rootfs), ran)| {
            let mut row = row(platform, rootfs.as_ref(), ran, &broken);
            if platform.selected && requirements.required.iter().any(|required| platform.platform.satisfies(required)) {
                must_be_decided(&mut row);
            }
            row
        })
        .collect();
    platforms.extend(absent(facts, requirements));
    let image = reports::Image {
        reference: reference.to_owned(),
        source: facts.source.clone(),
        digest: Some(facts.digest.to_string()),
        media_type: Some(facts.media_type.clone()).filter(|t| !t.is_empty()),
        error: undecided(facts),
        platforms,
    };
    Checked { image, findings }
}

/// The entry of an image that could not be read: why, and what to do.
#[must_use]
pub fn unread(reference: &str, location: &Location, why: String) -> reports::Image {
    let source = match location {
        Location::Registry { name } => format!("registry {name}"),
        Location::Engine { image } => format!("Docker engine, {image}"),
        Location::Layout { path, .. } => format!("OCI layout {}", path.display()),
        Location::Archive { path, .. } => format!("archive {}", path.display()),
    };
    reports::Image {
        reference: reference.to_owned(),
        source,
        digest: None,
        media_type: None,
        error: Some(why),
        platforms: Vec::new(),
    }
}

/// What running says of each platform.
fn ran(facts: &ImageFacts, rootfs: &[Option<RootFs<'_>>], runs: &Runs) -> Vec<run::Outcome> {
    let never = Attempt::Skipped("running was not asked for (--run never)".to_owned());
    let platforms = facts.platforms.iter().zip(rootfs).enumerate();
    platforms
        .map(|(index, (platform, rootfs))| {
            let attempt = runs.attempts.get(index).unwrap_or(&never);
            run::outcome(platform, rootfs.as_ref(), attempt, runs.required)
        })
        .collect()
}

/// What is required and was not looked at is undecided, not passed over.
fn must_be_decided(row: &mut reports::Platform) {
    for check in row.checks.iter_mut().filter(|check| check.name == "manifest" && check.status == Status::Skipped) {
        check.status = Status::Error;
        let why = check.reason.take().unwrap_or_default();
        check.reason = Some(format!("this platform is required and could not be checked: {why}"));
    }
}

/// Rows for platforms that somebody asked for and that are not there.
///
/// A required platform that is missing is a finding, unless this source cannot
/// have more than one platform: then nobody can tell from here.
fn absent(facts: &ImageFacts, requirements: &Requirements) -> Vec<reports::Platform> {
    let mut rows: Vec<reports::Platform> = Vec::new();
    if let Some(why) = &facts.one_platform {
        let baseline = requirements.baseline.iter().flat_map(|(_, platforms)| platforms);
        let wanted: Vec<Platform> = requirements.required.iter().chain(baseline).cloned().collect();
        rows.extend(manifest::absent(facts, &wanted).map(|platform| empty_row(platform, Status::Error, why)));
    }
    let has: Vec<String> = facts.platforms.iter().map(|platform| platform.platform.to_string()).collect();
    let has = if has.is_empty() { "none".to_owned() } else { has.join(", ") };
    let why = format!("it was asked for and is not in the image, which has {has}");
    rows.extend(
        manifest::absent(facts, &requirements.selected).map(|platform| empty_row(platform, Status::Skipped, &why)),
    );
    rows.sort_by(|a, b| a.platform.cmp(&b.platform));
    rows.dedup_by(|a, b| a.platform == b.platform);
    rows
}

/// A platform of which there is nothing to look at.
fn empty_row(platform: &Platform, status: Status, why: &str) -> reports::Platform {
    let check = |name: &str, status| Check { name: name.to_owned(), status, reason: Some(why.to_owned()) };
    let others = ["blob", "layer", "binary", "run"].map(|name| check(name, Status::Skipped));
    reports::Platform {
        platform: platform.to_string(),
        declared: platform.raw().to_owned(),
        digest: String::new(),
        binaries: 0,
        layers: 0,
        run: None,
        checks: std::iter::once(check("manifest", status)).chain(others).collect(),
    }
}

/// The root filesystem, as far as the layers could be read and are within what is `left` of the entries.
fn merged<'a>(platform: &'a PlatformFacts, left: &mut usize) -> Option<RootFs<'a>> {
    let is_image = platform.selected && platform.artifact.is_none() && platform.manifest.is_ok();
    let layers = platform.layers.iter().enumerate().filter_map(|(i, layer)| Some((i, layer.facts.as_deref()?)));
    if !is_image {
        return None;
    }
    *left = left.checked_sub(layers.clone().map(|(_, facts)| facts.entries.len()).sum())?;
    Some(RootFs::merge(layers))
}

fn undecided(facts: &ImageFacts) -> Option<String> {
    let (digest, why) = facts.unread.first()?;
    Some(format!("{} could not be read: {why}", digest.short()))
}

fn row(
    platform: &PlatformFacts,
    rootfs: Option<&RootFs<'_>>,
    ran: run::Outcome,
    broken: &Broken<'_>,
) -> reports::Platform {
    let is_binary = |kind: NodeKind<'_>| matches!(kind, NodeKind::File(Some(content)) if content.is_binary());
    let binaries = rootfs.map_or(0, |rootfs| rootfs.iter().filter(|(_, node)| is_binary(node.kind)).count());
    reports::Platform {
        platform: platform.platform.to_string(),
        declared: platform.platform.raw().to_owned(),
        digest: platform.descriptor.digest.to_string(),
        binaries: binaries as u64,
        layers: platform.manifest.as_ref().map_or(0, |manifest| manifest.layers.len() as u64),
        run: ran.summary,
        checks: checks(platform, rootfs, ran.state, broken),
    }
}

/// The errors of each check on each platform: how many, and what the first of them says.
#[derive(Default)]
struct Broken<'a>(BTreeMap<(&'a str, &'a str), (usize, &'a str)>);

impl<'a> Broken<'a> {
    /// Counts once, however many platforms a hostile index lists.
    fn of(findings: &'a [Finding]) -> Self {
        let mut broken = Self::default();
        for finding in findings.iter().filter(|finding| finding.severity == Severity::Error) {
            let (Some(platform), Some((group, _))) = (&finding.platform, finding.rule.split_once('/')) else {
                continue;
            };
            broken.0.entry((platform, group)).or_insert((0, &finding.message)).0 += 1;
        }
        broken
    }
}

fn checks(platform: &PlatformFacts, rootfs: Option<&RootFs<'_>>, ran: State, broken: &Broken<'_>) -> Vec<Check> {
    let name = platform.platform.to_string();
    let states = [
        ("manifest", document_state(platform)),
        ("blob", blob_state(platform)),
        ("layer", layer_state(platform)),
        ("binary", binary_state(platform, rootfs)),
        ("run", ran),
    ];
    let check = |(group, (status, reason)): (&'static str, (Status, Option<String>))| {
        let (status, reason) = match broken.0.get(&(name.as_str(), group)) {
            None => (status, reason),
            Some((1, message)) => (Status::Failed, Some((*message).to_owned())),
            Some((n, _)) => (Status::Failed, Some(format!("{n} errors"))),
        };
        Check { name: group.to_owned(), status, reason }
    };
    states.into_iter().map(check).collect()
}

/// What can be said of a check that has no findings.
pub(super) type State = (Status, Option<String>);

const PASSED: State = (Status::Passed, None);

fn not_looked_at(platform: &PlatformFacts) -> Option<State> {
    if !platform.selected {
        return Some((Status::Skipped, Some("this platform was not asked for".to_owned())));
    }
    platform.artifact.as_ref().map(|kind| {
        let kind: String = kind.chars().take(120).collect();
        (Status::Skipped, Some(format!("this is no container image but an artifact of the type `{kind}`")))
    })
}

fn of_unread(what: &str, unread: &Unread) -> State {
    match unread {
        Unread::NotHeld(why) => (Status::Skipped, Some(why.clone())),
        Unread::Undecided(why) => (Status::Error, Some(format!("{what} could not be read: {why}"))),
        Unread::Fault(_) => (Status::Error, Some(format!("{what} is broken, see the findings"))),
    }
}

fn document_state(platform: &PlatformFacts) -> State {
    if let Some(state) = not_looked_at(platform) {
        return state;
    }
    match (&platform.manifest, &platform.config) {
        (Err(unread), _) => of_unread("the manifest", unread),
        (_, Err(unread)) => of_unread("the config", unread),
        _ => PASSED,
    }
}

fn blob_state(platform: &PlatformFacts) -> State {
    let documents = document_state(platform);
    if documents.0 != Status::Passed {
        return documents;
    }
    layers_state(platform)
}

/// The worst of what kept layers from being read, if anything did.
fn layers_state(platform: &PlatformFacts) -> State {
    let mut state = PASSED;
    for (index, layer) in platform.layers.iter().enumerate() {
        if let Some(unread) = &layer.unread {
            let this = of_unread(&format!("layer {index}"), unread);
            if state.0 == Status::Passed || this.0 == Status::Error {
                state = this;
            }
        }
    }
    let listed = platform.manifest.as_ref().map_or(0, |manifest| manifest.layers.len());
    if platform.layers.len() < listed {
        return (Status::Skipped, Some("the layers were not asked for".to_owned()));
    }
    state
}

fn layer_state(platform: &PlatformFacts) -> State {
    let blobs = blob_state(platform);
    if blobs.0 != Status::Passed {
        return blobs;
    }
    let broken = platform.layers.iter().position(|layer| {
        layer.facts.is_none()
            || layer.faults.iter().any(|fault| !matches!(fault, Fault::Corrupt(_) | Fault::TooLarge(_)))
    });
    match broken {
        Some(index) => (Status::Error, Some(format!("layer {index} could not be read to its end, see the findings"))),
        None => PASSED,
    }
}

fn binary_state(platform: &PlatformFacts, rootfs: Option<&RootFs<'_>>) -> State {
    let layers = layer_state(platform);
    if layers.0 != Status::Passed {
        return layers;
    }
    if platform.platform.row().is_none() {
        let why = format!("the architecture table does not know {}", platform.platform);
        return (Status::Error, Some(why));
    }
    if rootfs.is_none() {
        let why =
            format!("the image's platforms have more than {MAX_ENTRIES} files together; name this one with --platform");
        return (Status::Error, Some(why));
    }
    if rootfs.is_some_and(RootFs::is_exhausted) {
        let why = "the root filesystem has more directories and symbolic links than are followed".to_owned();
        return (Status::Error, Some(why));
    }
    PASSED
}
