//! Findings as rustc shows them: what, where, why, and the next step.

use std::collections::HashMap;

use unicode_width::UnicodeWidthStr;

use super::fold::{self, Occurrence};
use super::page::{Ink, Page};
use crate::model::{Finding, Severity};

/// How many paths of one block are shown without `--verbose`.
const PATHS_SHOWN: usize = 5;

/// How many blocks of one rule are shown without `--verbose`.
const BLOCKS_SHOWN: usize = 20;

/// Shows the findings of one image, which has this many platforms.
pub(super) fn show(page: &mut Page, findings: &[&Finding], platforms: usize) {
    let (notes, others): (Vec<_>, Vec<_>) =
        fold::across_platforms(findings).into_iter().partition(|o| fold::is_note(o) && !page.options().verbose);
    let blocks = fold::into_blocks(others);
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for block in &blocks {
        let Some(rule) = block.first().map(|first| first.finding.rule.as_str()) else { continue };
        let number = seen.entry(rule).and_modify(|number| *number += 1).or_insert(1);
        if *number <= BLOCKS_SHOWN || page.options().verbose {
            show_block(page, block, platforms);
        }
    }
    show_left_out(page, &blocks);
    let notes = fold::into_notes(notes);
    for alike in &notes {
        show_note(page, alike, platforms);
    }
    if !notes.is_empty() {
        page.blank();
    }
}

fn ink(severity: Severity) -> (Ink, &'static str) {
    match severity {
        Severity::Error => (Ink::Error, "error"),
        Severity::Warning => (Ink::Warning, "warning"),
        Severity::Note => (Ink::Note, "note"),
    }
}

fn show_block(page: &mut Page, block: &[Occurrence<'_>], platforms: usize) {
    let Some((lead, others)) = block.split_first() else { return };
    let finding = lead.finding;
    show_headline(page, finding, &page.clean(&finding.message));
    show_place(page, lead, others, platforms);
    show_layer(page, lead);
    let fields = [
        ("expected", &finding.expected),
        ("observed", &finding.observed),
        ("reached by", &finding.reached_by),
        ("cause", &finding.cause),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            show_field(page, name, value);
        }
    }
    if !finding.hint.is_empty() {
        show_field(page, "hint", &finding.hint);
    }
    page.blank();
}

fn show_headline(page: &mut Page, finding: &Finding, message: &str) {
    let (ink, severity) = ink(finding.severity);
    let name = format!("{severity}[{}]", page.clean(&finding.rule));
    page.paragraph(&[(ink, &name), (Ink::Strong, ": ")], 4, Ink::Strong, message);
}

/// `  --> linux/arm64 /usr/local/bin/app`, and below it the paths that are alike.
fn show_place(page: &mut Page, lead: &Occurrence<'_>, others: &[Occurrence<'_>], platforms: usize) {
    let mut place = Vec::new();
    if !lead.platforms.is_empty() {
        place.push(page.clean(&on_platforms(&lead.platforms, platforms)));
    }
    if let Some(path) = &lead.finding.path {
        place.push(page.clean(path));
    }
    if place.is_empty() {
        let whole = if lead.finding.image.is_empty() { "this host" } else { &lead.finding.image };
        place.push(page.clean(whole));
    }
    let arrow = page.paint(Ink::Frame, "-->");
    page.line(&format!("  {arrow} {}", place.join(" ")));
    let shown = if page.options().verbose { others.len() } else { others.len().min(PATHS_SHOWN - 1) };
    for other in others.iter().take(shown) {
        let line = path_line(page, lead.finding, other.finding);
        page.line(&format!("      {line}"));
    }
    if others.len() > shown {
        let more = format!("and {} more like this (--verbose shows all)", others.len() - shown);
        let more = page.paint(Ink::Faint, &more);
        page.line(&format!("      {more}"));
    }
}

/// A further path, with what sets it apart from the one that leads the block.
fn path_line(page: &Page, lead: &Finding, other: &Finding) -> String {
    let mut apart = Vec::new();
    if other.observed != lead.observed {
        apart.extend(other.observed.clone());
    }
    if other.reached_by != lead.reached_by {
        apart.extend(other.reached_by.as_ref().map(|way| format!("reached by {way}")));
    }
    let path = page.clean(other.path.as_deref().unwrap_or_default());
    if apart.is_empty() { path } else { format!("{path} ({})", page.clean(&apart.join(", "))) }
}

fn show_layer(page: &mut Page, lead: &Occurrence<'_>) {
    let Some(layer) = &lead.finding.layer else {
        if let Some(instruction) = &lead.finding.instruction {
            show_one_line(page, "instruction", instruction);
        }
        return;
    };
    let name = match lead.layer_digest() {
        Some(digest) => format!("layer {} {}", layer.index, page.digest(digest)),
        None => format!("layer {}", layer.index),
    };
    match &lead.finding.instruction {
        Some(instruction) => show_one_line(page, &name, instruction),
        None => {
            let (bar, name) = (page.paint(Ink::Frame, "="), page.paint(Ink::Strong, &name));
            page.line(&format!("   {bar} {name}"));
        }
    }
}

/// A field that is cut rather than wrapped: an instruction may be a whole script.
fn show_one_line(page: &mut Page, name: &str, value: &str) {
    let used = "   = : ".len() + name.width();
    let value = page.rest_of_line(used, &page.clean(value));
    let (bar, name) = (page.paint(Ink::Frame, "="), page.paint(Ink::Strong, &format!("{name}:")));
    page.line(&format!("   {bar} {name} {value}"));
}

fn show_field(page: &mut Page, name: &str, value: &str) {
    let name = format!("{name}: ");
    let value = page.clean(value);
    page.paragraph(&[(Ink::Plain, "   "), (Ink::Frame, "= "), (Ink::Strong, &name)], 5, Ink::Plain, &value);
}

fn show_note(page: &mut Page, alike: &[Occurrence<'_>], platforms: usize) {
    let Some((lead, others)) = alike.split_first() else { return };
    let mut about = Vec::new();
    if !lead.platforms.is_empty() {
        about.push(on_platforms(&lead.platforms, platforms));
    }
    about.extend(lead.finding.layer.as_ref().map(|layer| format!("layer {}", layer.index)));
    let mut about = about.join(", ");
    if !others.is_empty() {
        let divider = if about.is_empty() { "" } else { "; " };
        about = format!("{about}{divider}{} more like this", others.len());
    }
    let message = page.clean(&lead.finding.message);
    let message = if about.is_empty() { message } else { format!("{message} ({})", page.clean(&about)) };
    show_headline(page, lead.finding, &message);
}

/// One line per rule of which blocks were left out.
fn show_left_out(page: &mut Page, blocks: &[Vec<Occurrence<'_>>]) {
    if page.options().verbose {
        return;
    }
    let rules = fold::grouped(blocks, |block: &&Vec<Occurrence<'_>>| {
        block.first().map(|first| (first.finding.severity, first.finding.rule.clone()))
    });
    for rule in rules {
        let left_out: usize = rule.iter().skip(BLOCKS_SHOWN).map(|block| block.len()).sum();
        let Some(first) = rule.first().and_then(|block| block.first()).filter(|_| left_out > 0) else { continue };
        let noun = if left_out == 1 { "finding" } else { "findings" };
        show_headline(page, first.finding, &format!("{left_out} more {noun} of this rule (--verbose shows all)"));
        page.blank();
    }
}

/// `linux/amd64, linux/arm64`, or the number of them where it is all of many.
pub(super) fn on_platforms(names: &[&str], all: usize) -> String {
    if names.len() == all && all > 3 { format!("all {all} platforms") } else { names.join(", ") }
}
