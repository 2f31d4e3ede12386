//! The report for a person: a table per image, findings as rustc shows them, and one last line.
//!
//! What an image says is hostile: every string of the report goes through
//! [`page::Page::clean`] before it is put on the page. What is left out for the
//! sake of the reader (paths that are alike, notes, the end of a long
//! instruction) is counted in place, and is in the JSON form in full.

mod escape;
mod finding;
mod fold;
mod host;
#[cfg(test)]
mod host_tests;
mod image;
mod page;
mod ran;
mod steps;
mod summary;
mod table;
#[cfg(test)]
mod tests;
mod timing;
mod trials;

use std::collections::HashSet;

use crate::model::{Finding, Report};
use page::Page;

/// How the text is to look. None of it is looked up here: the caller knows the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextOptions {
    /// Whether to use ANSI colours.
    pub color: bool,
    /// How many columns a line may have; 0 is no limit. Names that a reader may
    /// want to copy (paths, digests, quoted commands) are never broken.
    pub width: u16,
    /// Whether the reader's terminal shows more than ASCII. Without it, every
    /// other character is written as an escape.
    pub unicode: bool,
    /// Everything, rather than the first few of what is alike, and where the time went.
    pub verbose: bool,
}

/// The report as text. It ends with a newline; equal reports give equal text.
pub fn to_text(report: &Report, options: &TextOptions) -> String {
    let mut page = Page::new(*options);
    let mut shown = HashSet::new();
    if let Some(machine) = &report.host {
        host::show(&mut page, machine);
        page.blank();
    }
    steps::show(&mut page, &report.steps);
    trials::show(&mut page, &report.trials);
    // What is wrong with the images of a suite stands at its trials.
    let of_suites = |image: &&crate::model::Image| {
        !report.trials.is_empty() && image.platforms.iter().all(|of| of.checks.is_empty())
    };
    for image in report.images.iter().filter(of_suites) {
        shown.insert(image.reference.as_str());
    }
    for image in report.images.iter().filter(|image| !of_suites(image)) {
        image::show(&mut page, image);
        page.blank();
        // An image that was named twice has its findings once.
        if shown.insert(image.reference.as_str()) {
            let findings: Vec<&Finding> = report.findings.iter().filter(|f| f.image == image.reference).collect();
            finding::show(&mut page, &findings, image.platforms.len());
        }
    }
    let others: Vec<&Finding> = report.findings.iter().filter(|f| !shown.contains(f.image.as_str())).collect();
    finding::show(&mut page, &others, 0);
    if options.verbose {
        timing::show(&mut page, report);
    }
    summary::show(&mut page, report);
    page.finish()
}
