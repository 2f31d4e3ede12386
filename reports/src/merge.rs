//! Several reports made one: what machines found that each had a part of the work.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Check, Image, Platform, Report, Shard, Status, Step, Tool, Trial};
use crate::verdict::{FailOn, verdict};

/// Why reports cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// There is none.
    #[error("there is no report to merge")]
    Nothing,
    /// The machines did not look at the same image.
    #[error("{image} is {one} in {in_one} and {other} in {in_other}")]
    AnotherImage {
        /// Its name.
        image: String,
        /// A digest.
        one: String,
        /// The report with that digest.
        in_one: String,
        /// Another digest.
        other: String,
        /// The report with that one.
        in_other: String,
    },
    /// A machine's part of the work is not there: nobody knows what came of it.
    #[error("{} of {of} {} not among the reports", listed(.missing), if .missing.len() == 1 { "is" } else { "are" })]
    MissingShards {
        /// Which.
        missing: Vec<u64>,
        /// Of how many.
        of: u64,
    },
    /// Parts of different divisions.
    #[error("{0} is of {1} shards, and {2} of {3}")]
    OtherShards(String, u64, String, u64),
    /// A report has room for one host.
    #[error("{0} and {1} are both about a host, and a report is about one")]
    TwoHosts(String, String),
}

/// Makes one report of several, each with the name that messages call it by.
///
/// What is there twice counts once, with the worst that became of it; but what one machine did is not undone by
/// another that skipped it. It took as long as the longest of them.
///
/// # Errors
/// When they are not about the same images, or about two hosts.
pub fn merge(reports: Vec<(String, Report)>, tool: Tool, fail_on: FailOn) -> Result<Report, MergeError> {
    all_shards(&reports)?;
    let has_trials = reports.iter().all(|(_, report)| report.host.is_none() || !report.trials.is_empty());
    let mut rest = reports.into_iter();
    let (first_name, mut merged) = rest.next().ok_or(MergeError::Nothing)?;
    let mut host_of = merged.host.is_some().then(|| first_name.clone());
    let mut trials: BTreeMap<String, Trial> = BTreeMap::new();
    let mut places: BTreeMap<(String, String), (usize, String)> = BTreeMap::new();
    add_trials(&mut trials, std::mem::take(&mut merged.trials));
    let mut images = Vec::new();
    for image in std::mem::take(&mut merged.images) {
        add_image(&mut images, &mut places, image, &first_name)?;
    }
    for (name, report) in rest {
        merged.started = merged.started.min(report.started);
        merged.duration_ms = merged.duration_ms.max(report.duration_ms);
        match (&host_of, report.host) {
            (_, None) => {}
            (Some(_), Some(host)) if merged.host.as_ref() == Some(&host) => {}
            // What a suite asked of each of several hosts are trials.
            (Some(_), Some(_)) if has_trials => merged.host = None,
            (Some(other), Some(_)) => return Err(MergeError::TwoHosts(other.clone(), name)),
            (None, Some(host)) => {
                merged.host = Some(host);
                host_of = Some(name.clone());
            }
        }
        for image in report.images {
            add_image(&mut images, &mut places, image, &name)?;
        }
        add_trials(&mut trials, report.trials);
        add_steps(&mut merged.steps, report.steps);
        merged.findings.extend(report.findings);
        merged.timings.extend(report.timings);
    }
    merged.images = images;
    merged.trials = trials.into_values().collect();
    merged.tool = tool;
    merged.shard = None;
    merged.sort();
    // Sorted, and the order is total: equal findings stand side by side.
    merged.findings.dedup();
    merged.verdict = verdict(&merged, fail_on);
    Ok(merged)
}

/// `shard 2`, `shards 2, 3`.
fn listed(numbers: &[u64]) -> String {
    let names: Vec<String> = numbers.iter().take(20).map(ToString::to_string).collect();
    let more = if numbers.len() > 20 { ", .." } else { "" };
    format!("shard{} {}{more}", if numbers.len() == 1 { "" } else { "s" }, names.join(", "))
}

/// A machine that died left no report, and its silence must not look like success.
fn all_shards(reports: &[(String, Report)]) -> Result<(), MergeError> {
    let mut shards = reports.iter().filter_map(|(name, report)| Some((name, report.shard?)));
    let Some((first, Shard { of, .. })) = shards.clone().next() else { return Ok(()) };
    if let Some((name, other)) = shards.find(|(_, shard)| shard.of != of) {
        return Err(MergeError::OtherShards(first.clone(), of, name.clone(), other.of));
    }
    let there: BTreeSet<u64> = reports.iter().filter_map(|(_, report)| Some(report.shard?.number)).collect();
    let missing: Vec<u64> = (1..=of.min(MAX_SHARDS)).filter(|number| !there.contains(number)).collect();
    if missing.is_empty() { Ok(()) } else { Err(MergeError::MissingShards { missing, of }) }
}

/// More shards than this are not counted: a report is somebody's file.
const MAX_SHARDS: u64 = 100_000;

/// The worse of two outcomes; skipped is no outcome.
fn is_worse(one: Status, than: Status) -> bool {
    let weight = |status| match status {
        Status::Skipped => 0,
        Status::Passed => 1,
        Status::Error => 2,
        Status::Failed => 3,
    };
    weight(one) > weight(than)
}

fn add_trials(all: &mut BTreeMap<String, Trial>, trials: Vec<Trial>) {
    for trial in trials {
        match all.entry(trial.name.clone()) {
            Entry::Vacant(place) => {
                place.insert(trial);
            }
            Entry::Occupied(mut place) if is_worse(trial.status, place.get().status) => {
                place.insert(trial);
            }
            Entry::Occupied(_) => {}
        }
    }
}

fn add_steps(all: &mut Vec<Step>, steps: Vec<Step>) {
    for step in steps {
        // Builds of other contexts and hosts have steps of the same name.
        if !all.contains(&step) {
            all.push(step);
        }
    }
}

/// `places`: where the image of a name stands, and which report told its digest.
fn add_image(
    images: &mut Vec<Image>,
    places: &mut BTreeMap<(String, String), (usize, String)>,
    image: Image,
    of: &str,
) -> Result<(), MergeError> {
    // The same words may name two layouts, seen from two directories.
    let key = (image.reference.clone(), image.source.clone());
    let Some((place, by)) = places.get_mut(&key) else {
        places.insert(key, (images.len(), of.to_owned()));
        images.push(image);
        return Ok(());
    };
    let Some(known) = images.get_mut(*place) else { return Ok(()) };
    match (&known.digest, &image.digest) {
        (Some(one), Some(other)) if one != other => {
            return Err(MergeError::AnotherImage {
                image: image.reference,
                one: one.clone(),
                in_one: by.clone(),
                other: other.clone(),
                in_other: of.to_owned(),
            });
        }
        (None, Some(_)) => {
            of.clone_into(by);
            (known.digest, known.media_type) = (image.digest, image.media_type);
        }
        _ => {}
    }
    known.error = known.error.take().or(image.error);
    for platform in image.platforms {
        add_platform(known, platform);
    }
    Ok(())
}

fn add_platform(image: &mut Image, platform: Platform) {
    let same = |known: &&mut Platform| known.platform == platform.platform && known.digest == platform.digest;
    let Some(known) = image.platforms.iter_mut().find(same) else {
        image.platforms.push(platform);
        return;
    };
    known.binaries = known.binaries.max(platform.binaries);
    known.layers = known.layers.max(platform.layers);
    known.run = known.run.take().or(platform.run);
    for check in platform.checks {
        add_check(&mut known.checks, check);
    }
}

fn add_check(checks: &mut Vec<Check>, check: Check) {
    match checks.iter_mut().find(|known| known.name == check.name) {
        None => checks.push(check),
        Some(known) if is_worse(check.status, known.status) => *known = check,
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Verdict;
    use crate::sample;
    use rstest::rstest;

    fn merged(reports: Vec<Report>) -> Result<Report, MergeError> {
        let named = reports.into_iter().enumerate().map(|(n, report)| (format!("{n}.json"), report)).collect();
        merge(named, Tool { name: "mpcheck".to_owned(), version: "9".to_owned() }, FailOn::Error)
    }

    #[test]
    fn a_report_with_itself_is_itself() {
        for report in [sample::passed(), sample::failed(), sample::ran()] {
            let mut wanted = report.clone();
            wanted.tool.version = "9".to_owned();
            let got = merged(vec![report.clone(), report]).unwrap();
            wanted.timings = got.timings.clone();
            wanted.sort();
            assert_eq!(got, wanted);
        }
    }

    #[test]
    fn steps_of_one_name_are_of_different_builds() {
        let of = |status| {
            let mut report = sample::passed();
            report.steps = vec![sample::step("build", status), sample::step("same", Status::Passed)];
            report
        };
        let got = merged(vec![of(Status::Passed), of(Status::Failed)]).unwrap();
        let steps: Vec<(&str, Status)> = got.steps.iter().map(|step| (step.name.as_str(), step.status)).collect();
        assert_eq!(steps, [("build", Status::Passed), ("same", Status::Passed), ("build", Status::Failed)]);
        assert_eq!(got.verdict, Verdict::Failed);
    }

    #[test]
    fn platforms_of_two_machines_stand_in_one_image() {
        let (mut one, mut other) = (sample::passed(), sample::failed());
        one.images[0].platforms.truncate(1);
        other.images[0].platforms.remove(0);
        (one.started, other.duration_ms) = ("2026-11-22T00:00:00Z".to_owned(), 99_000);
        let got = merged(vec![other, one]).unwrap();
        let platforms: Vec<&str> = got.images[0].platforms.iter().map(|of| of.platform.as_str()).collect();
        assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
        assert_eq!((got.verdict, got.findings.len()), (Verdict::Failed, 1));
        assert_eq!((got.started.as_str(), got.duration_ms), ("2026-11-22T00:00:00Z", 99_000));
    }

    #[rstest]
    #[case(Status::Passed, Status::Skipped, Status::Passed)]
    #[case(Status::Passed, Status::Failed, Status::Failed)]
    #[case(Status::Error, Status::Passed, Status::Error)]
    #[case(Status::Error, Status::Failed, Status::Failed)]
    #[case(Status::Skipped, Status::Skipped, Status::Skipped)]
    fn the_worst_counts_and_skipped_is_no_outcome(#[case] one: Status, #[case] other: Status, #[case] wanted: Status) {
        for (one, other) in [(one, other), (other, one)] {
            let report = |status| {
                let mut report = sample::passed();
                report.trials = vec![sample::trial("run", status)];
                report.images[0].platforms[0].checks[0].status = status;
                report
            };
            let got = merged(vec![report(one), report(other)]).unwrap();
            assert_eq!(got.trials.iter().map(|trial| trial.status).collect::<Vec<_>>(), [wanted]);
            assert_eq!(got.images[0].platforms[0].checks[0].status, wanted);
        }
    }

    #[test]
    fn an_image_that_one_machine_could_not_read_stays_undecided() {
        let mut one = sample::passed();
        one.images[0].digest = None;
        one.images[0].error = Some("connection refused".to_owned());
        let got = merged(vec![one, sample::passed()]).unwrap();
        assert_eq!(got.verdict, Verdict::Error);
        assert!(got.images[0].digest.is_some());
    }

    #[test]
    fn a_shard_that_is_missing_is_no_success() {
        let part = |number, of| {
            let mut report = sample::passed();
            report.shard = Some(Shard { number, of });
            report
        };
        assert_eq!(merged(vec![part(2, 2), part(1, 2), sample::passed()]).unwrap().shard, None);
        let error = merged(vec![part(2, 4), part(3, 4)]).unwrap_err();
        assert_eq!(error.to_string(), "shards 1, 4 of 4 are not among the reports");
        assert_eq!(merged(vec![part(1, 2)]).unwrap_err().to_string(), "shard 2 of 2 is not among the reports");
        let error = merged(vec![part(1, 2), part(2, 3)]).unwrap_err();
        assert_eq!(error.to_string(), "0.json is of 2 shards, and 1.json of 3");
    }

    #[test]
    fn a_tag_that_moved_and_two_hosts_are_refused() {
        let mut moved = sample::passed();
        moved.images[0].digest = Some(sample::digest(0x99));
        let error = merged(vec![sample::passed(), moved]).unwrap_err().to_string();
        assert!(error.contains("registry.example/app:1 is sha256:1111") && error.contains("in 1.json"), "{error}");
        let host = |platform: &str| {
            let mut report = sample::passed();
            report.host = Some(sample::host());
            report.host.as_mut().unwrap().platforms[0].platform = platform.to_owned();
            report
        };
        assert!(merged(vec![host("linux/amd64"), sample::passed(), host("linux/amd64")]).is_ok());
        let error = merged(vec![host("linux/amd64"), sample::passed(), host("linux/arm64")]).unwrap_err();
        assert_eq!(error, MergeError::TwoHosts("0.json".to_owned(), "2.json".to_owned()));
        assert_eq!(merged(Vec::new()), Err(MergeError::Nothing));
        let with_trials = |platform: &str| {
            let mut report = host(platform);
            report.trials = vec![sample::trial("run", Status::Passed)];
            report
        };
        assert_eq!(merged(vec![with_trials("linux/amd64"), with_trials("linux/arm64")]).unwrap().host, None);
        let mut elsewhere = sample::passed();
        elsewhere.images[0].source = "OCI layout /other".to_owned();
        elsewhere.images[0].digest = Some(sample::digest(0x99));
        assert_eq!(merged(vec![sample::passed(), elsewhere]).unwrap().images.len(), 2);
    }
}
