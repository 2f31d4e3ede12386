//! Findings of one platform, each rule's listed up to a number.
//!
//! An image may have a million files that break one rule. Nobody reads so many
//! findings, and in a report each takes two kilobytes.

use mpcheck_reports::Finding;
use std::collections::BTreeMap;

/// How many findings of one rule are listed of one platform.
const MAX_LISTED: usize = 10_000;

/// Findings, as they are found.
#[derive(Debug, Default)]
pub(super) struct Listing {
    findings: Vec<Finding>,
    rules: BTreeMap<String, Rest>,
}

/// What one rule has beyond the number.
#[derive(Debug, Default)]
struct Rest {
    listed: usize,
    more: usize,
    /// The worst of those that are not listed: it decides the outcome as if they were.
    worst: Option<Finding>,
}

impl Listing {
    /// Adds a finding.
    pub(super) fn push(&mut self, finding: Finding) {
        let rest = match self.rules.get_mut(&finding.rule) {
            Some(rest) => rest,
            None => self.rules.entry(finding.rule.clone()).or_default(),
        };
        if rest.listed < MAX_LISTED {
            rest.listed += 1;
            self.findings.push(finding);
            return;
        }
        rest.more += 1;
        if rest.worst.as_ref().is_none_or(|worst| finding.severity < worst.severity) {
            rest.worst = Some(finding);
        }
    }

    /// All that were listed, and for each rule with more one that says how many more.
    pub(super) fn into_findings(self) -> Vec<Finding> {
        let mut findings = self.findings;
        for rest in self.rules.into_values() {
            if let Some(mut worst) = rest.worst {
                worst.message = format!("{}; {} more like it are not listed", worst.message, rest.more - 1);
                findings.push(worst);
            }
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::{Listing, MAX_LISTED};
    use crate::check::draft::Draft;
    use crate::check::rule;
    use mpcheck_reports::{Finding, Severity};

    fn finding(number: usize, severity: Severity) -> Finding {
        Draft::new(&rule::MALFORMED, format!("file {number}"), "").severity(severity).done()
    }

    #[test]
    fn what_fits_is_listed_as_it_is() {
        let mut listing = Listing::default();
        (0..MAX_LISTED).for_each(|i| listing.push(finding(i, Severity::Note)));
        let found = listing.into_findings();
        assert_eq!(found.len(), MAX_LISTED);
        assert!(found.iter().enumerate().all(|(i, finding)| finding.message == format!("file {i}")));
    }

    #[test]
    fn the_worst_of_the_rest_is_listed_and_counts_the_others() {
        let mut listing = Listing::default();
        (0..MAX_LISTED + 3).for_each(|i| listing.push(finding(i, Severity::Note)));
        listing.push(finding(77_777, Severity::Error));
        listing.push(finding(88_888, Severity::Warning));
        let found = listing.into_findings();
        assert_eq!(found.len(), MAX_LISTED + 1);
        let last = found.last().unwrap();
        assert_eq!(last.severity, Severity::Error);
        assert_eq!(last.message, "file 77777; 4 more like it are not listed");
    }
}
