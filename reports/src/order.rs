//! The order of a report: the same image gives the same report, whatever finished first.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::model::{Check, Finding, Platform, Report, Severity};

/// The groups of rules in the order in which a person reads them. Any other group comes after these.
const GROUPS: [&str; 8] = ["manifest", "blob", "layer", "binary", "run", "suite", "host", "build"];

/// Where a group stands among the others: by [`GROUPS`], then by name.
pub(crate) fn group_order(left: &str, right: &str) -> Ordering {
    let place = |name: &str| GROUPS.iter().position(|group| *group == name).unwrap_or(GROUPS.len());
    place(left).cmp(&place(right)).then_with(|| left.cmp(right))
}

impl Report {
    /// Brings platforms, checks and findings into the order that the format promises.
    ///
    /// Images keep the order in which they were asked for; findings go by image,
    /// severity, platform, rule and path, and then by everything else that they
    /// say, so that no two different findings can change places.
    pub fn sort(&mut self) {
        for image in &mut self.images {
            image.platforms.sort_by(|left, right| platform_key(left).cmp(&platform_key(right)));
            for platform in &mut image.platforms {
                platform.checks.sort_by(|left: &Check, right: &Check| group_order(&left.name, &right.name));
            }
        }
        if let Some(host) = &mut self.host {
            host.platforms.sort_by(|left, right| left.platform.cmp(&right.platform));
        }
        self.trials.sort_by(|left, right| left.name.cmp(&right.name));
        let mut places: HashMap<String, usize> = HashMap::new();
        for (place, image) in self.images.iter().enumerate() {
            places.entry(image.reference.clone()).or_insert(place);
        }
        // A finding of an image that is not listed comes last, rather than nowhere.
        let place = |finding: &Finding| places.get(&finding.image).copied().unwrap_or(usize::MAX);
        self.findings.sort_by(|left, right| place(left).cmp(&place(right)).then_with(|| finding_order(left, right)));
    }

    /// The worst severity among the findings; `None` where there is no finding.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).min()
    }

    /// How many findings have this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// How many platforms the images have, together.
    pub fn platforms(&self) -> usize {
        self.images.iter().map(|image| image.platforms.len()).sum()
    }

    /// How many binaries the platforms have, together.
    pub fn binaries(&self) -> u64 {
        let binaries = self.images.iter().flat_map(|image| &image.platforms).map(|platform| platform.binaries);
        binaries.fold(0, u64::saturating_add)
    }
}

fn platform_key(platform: &Platform) -> (&str, &str, &str) {
    (&platform.platform, &platform.declared, &platform.digest)
}

fn finding_order(left: &Finding, right: &Finding) -> Ordering {
    finding_key(left).cmp(&finding_key(right)).then_with(|| finding_rest(left).cmp(&finding_rest(right)))
}

/// What the order is promised by.
fn finding_key(finding: &Finding) -> impl Ord + '_ {
    (&finding.image, finding.severity, &finding.platform, &finding.rule, &finding.path)
}

/// What only makes the order total.
fn finding_rest(finding: &Finding) -> impl Ord + '_ {
    (
        (&finding.layer, &finding.instruction, &finding.message, &finding.hint),
        (&finding.expected, &finding.observed, &finding.reached_by, &finding.cause),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn finding(image: &str, severity: Severity, platform: Option<&str>, rule: &str, path: Option<&str>) -> Finding {
        Finding {
            image: image.into(),
            severity,
            platform: platform.map(Into::into),
            rule: rule.into(),
            path: path.map(Into::into),
            ..sample::finding()
        }
    }

    #[test]
    fn findings_go_by_image_severity_platform_rule_and_path() {
        use Severity::{Error, Note, Warning};
        let wanted = vec![
            finding("z", Error, None, "manifest/invalid", None),
            finding("z", Error, Some("linux/amd64"), "binary/a", Some("/a")),
            finding("z", Error, Some("linux/amd64"), "binary/a", Some("/b")),
            finding("z", Error, Some("linux/amd64"), "binary/b", Some("/a")),
            finding("z", Error, Some("linux/arm64"), "binary/a", Some("/a")),
            finding("z", Warning, None, "manifest/orphan-attestation", None),
            finding("z", Note, Some("linux/amd64"), "binary/a", Some("/a")),
            finding("a", Error, None, "manifest/invalid", None),
            finding("not-listed", Error, None, "manifest/invalid", None),
        ];
        let mut report = sample::passed();
        report.images = vec![sample::image("z"), sample::image("a")];
        for turn in 0..wanted.len() {
            report.findings = wanted.clone();
            report.findings.rotate_left(turn);
            report.findings.reverse();
            report.sort();
            assert_eq!(report.findings, wanted, "turned by {turn}");
        }
    }

    #[test]
    fn two_findings_that_differ_only_in_their_message_have_one_order() {
        let mut report = sample::passed();
        let one = Finding { message: "one".into(), ..sample::finding() };
        let two = Finding { message: "two".into(), ..sample::finding() };
        report.findings = vec![two.clone(), one.clone()];
        report.sort();
        assert_eq!(report.findings, [one, two]);
    }

    #[test]
    fn platforms_and_their_checks_are_sorted_and_images_are_not() {
        let mut report = sample::passed();
        report.images = vec![sample::image("z"), sample::image("a")];
        report.images[0].platforms =
            ["linux/s390x", "linux/arm64", "linux/arm/v7", "linux/amd64"].map(sample::platform).into();
        report.images[0].platforms[0].checks.reverse();
        report.sort();
        let order: Vec<_> = report.images[0].platforms.iter().map(|p| p.platform.as_str()).collect();
        assert_eq!(order, ["linux/amd64", "linux/arm/v7", "linux/arm64", "linux/s390x"]);
        let checks: Vec<_> = report.images[0].platforms[3].checks.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(checks, ["manifest", "blob", "layer", "binary", "run"]);
        assert_eq!([&*report.images[0].reference, &*report.images[1].reference], ["z", "a"]);
    }

    #[test]
    fn the_worst_is_the_most_severe_and_each_severity_is_counted() {
        let mut report = sample::passed();
        assert_eq!(report.worst(), None);
        for (severity, worst) in [
            (Severity::Note, Severity::Note),
            (Severity::Warning, Severity::Warning),
            (Severity::Note, Severity::Warning),
            (Severity::Error, Severity::Error),
            (Severity::Note, Severity::Error),
        ] {
            report.findings.push(Finding { severity, ..sample::finding() });
            assert_eq!(report.worst(), Some(worst));
        }
        assert_eq!([Severity::Error, Severity::Warning, Severity::Note].map(|s| report.count(s)), [1, 1, 3]);
        assert_eq!((report.platforms(), report.binaries()), (2, 1000));
    }
}
