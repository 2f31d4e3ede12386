//! The last lines: the verdict, the counts, and what the verdict rests on.

use super::fold::grouped;
use super::image::and;
use super::page::{Ink, Page};
use super::steps;
use super::timing::duration;
use super::trials::counts;
use crate::model::{Report, Severity, Status, Verdict};
use crate::order::group_order;

/// Shows what was checked and what was not, and the verdict as the very last line.
pub(super) fn show(page: &mut Page, report: &Report) {
    page.blank();
    if report.trials.is_empty() {
        show_coverage(page, report);
    }
    show_explain(page, report);
    let (ink, word) = verdict(report);
    if !report.trials.is_empty() {
        let images = counted(report.images.len() as u64, "image", "images");
        let word = page.paint(ink, word);
        page.line(&format!("{word}: {}; {images}; {}", counts(&report.trials), duration(report.duration_ms)));
        return;
    }
    let found = [
        counted(report.count(Severity::Error) as u64, "error", "errors"),
        counted(report.count(Severity::Warning) as u64, "warning", "warnings"),
        counted(report.count(Severity::Note) as u64, "note", "notes"),
    ];
    let mut seen = Vec::new();
    if let Some(host) = &report.host {
        seen.push(format!("{} of {} platforms run here", host.ready(), host.platforms.len()));
    }
    let of_images = report.host.is_none() && report.steps.is_empty();
    if report.images.len() > 1 || of_images && report.images.is_empty() {
        seen.push(counted(report.images.len() as u64, "image", "images"));
    }
    if of_images || !report.images.is_empty() {
        seen.push(counted(report.platforms() as u64, "platform", "platforms"));
        seen.push(counted(report.binaries(), "binary", "binaries"));
    }
    let word = page.paint(ink, word);
    // One line however narrow the page: it is what scripts and people look for.
    let steps = (!report.steps.is_empty()).then(|| steps::counts(&report.steps));
    let parts = [steps, Some(found.join(", ")), Some(seen.join(", ")).filter(|seen| !seen.is_empty())];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    page.line(&format!("{word}: {}; {}", parts.join("; "), duration(report.duration_ms)));
}

/// Where to read on, for the worst of what was found.
fn show_explain(page: &mut Page, report: &Report) {
    let worst = report.findings.iter().filter(|finding| finding.severity != Severity::Note);
    if let Some(finding) = worst.min_by_key(|finding| finding.severity) {
        let rule = page.clean(&finding.rule);
        let text = format!("`mpcheck explain {rule}` says what it means, why it matters and how to fix it");
        page.paragraph(&[], 2, Ink::Plain, &text);
    }
}

fn verdict(report: &Report) -> (Ink, &'static str) {
    match report.verdict {
        Verdict::Passed => (Ink::Good, "passed"),
        Verdict::Failed => (Ink::Error, "FAILED"),
        Verdict::Error if nothing_was_tried(report) => (Ink::Warning, "NOTHING WAS CHECKED"),
        Verdict::Error => (Ink::Warning, "COULD NOT BE DECIDED"),
    }
}

fn nothing_was_tried(report: &Report) -> bool {
    let mut checks = report.images.iter().flat_map(|image| &image.platforms).flat_map(|platform| &platform.checks);
    let mut host = report.host.iter().flat_map(|host| &host.platforms);
    let tried = host.any(|platform| platform.outcome() != Status::Skipped);
    !tried
        && report.trials.iter().all(|trial| trial.status == Status::Skipped)
        && report.steps.iter().all(|step| step.status == Status::Skipped)
        && report.images.iter().all(|image| image.error.is_none())
        && checks.all(|check| check.status == Status::Skipped)
}

/// A group of checks, and on how many platforms it came to an end.
struct Coverage<'r> {
    group: &'r str,
    checked: usize,
}

/// What the verdict rests on. A group counts where it passed or failed; what was
/// skipped or undecided is named as not checked.
fn show_coverage(page: &mut Page, report: &Report) {
    let all = report.platforms();
    for (checked, groups) in coverage(report) {
        let names = page.clean(&and(&groups));
        let (ink, label) = match checked {
            0 => (Ink::Warning, "not checked: ".to_owned()),
            some if some == all => (Ink::Plain, "checked: ".to_owned()),
            some => (Ink::Warning, format!("checked on {some} of {all} platforms: ")),
        };
        page.paragraph(&[(ink, &label)], 2, Ink::Plain, &names);
    }
    for image in report.images.iter().filter(|image| image.error.is_some()) {
        let reference = page.clean(&image.reference);
        page.paragraph(&[(Ink::Warning, "not examined: ")], 2, Ink::Plain, &reference);
    }
}

/// The groups by how many platforms they were checked on, the widest first.
fn coverage(report: &Report) -> Vec<(usize, Vec<&str>)> {
    let checks = report.images.iter().flat_map(|image| &image.platforms).flat_map(|platform| &platform.checks);
    let mut groups: Vec<Coverage<'_>> = grouped(checks, |check| check.name.as_str())
        .into_iter()
        .filter_map(|checks| {
            let decided = checks.iter().filter(|check| matches!(check.status, Status::Passed | Status::Failed));
            Some(Coverage { group: checks.first()?.name.as_str(), checked: decided.count() })
        })
        .collect();
    groups.sort_by(|l, r| r.checked.cmp(&l.checked).then_with(|| group_order(l.group, r.group)));
    let alike = grouped(groups, |group| group.checked);
    alike
        .into_iter()
        .filter_map(|alike| Some((alike.first()?.checked, alike.iter().map(|group| group.group).collect())))
        .collect()
}

pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
