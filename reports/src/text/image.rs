//! One image: what it is called, the table of its platforms and checks, and why something was not checked.

use super::finding::on_platforms;
use super::fold::grouped;
use super::page::{Ink, Page};
use super::ran;
use super::table::{Cell, Lean, Table};
use crate::model::{Check, Image, Platform, Status};
use crate::order::group_order;

/// Shows everything about an image but its findings.
pub(super) fn show(page: &mut Page, image: &Image) {
    page.blank();
    show_name(page, image);
    if let Some(error) = &image.error {
        let error = page.clean(error);
        page.paragraph(&[(Ink::Plain, "  "), (Ink::Error, "could not be examined: ")], 4, Ink::Plain, &error);
    }
    if image.platforms.is_empty() {
        if image.error.is_none() {
            page.line("  no platform of it was checked");
        }
        return;
    }
    page.blank();
    show_table(page, &image.platforms);
    ran::show(page, &image.platforms);
    show_reasons(page, &image.platforms);
}

/// `registry.example/app:1 (registry registry.example, index sha256:0123456789ab)`
fn show_name(page: &mut Page, image: &Image) {
    let reference = page.clean(&image.reference);
    let mut about = page.clean(&image.source);
    if let Some(digest) = &image.digest {
        let is_index = |name: &str| name.contains("image.index") || name.contains("manifest.list");
        let kind = if image.media_type.as_deref().is_some_and(is_index) { "index" } else { "manifest" };
        about = format!("{about}, {kind} {}", page.digest(digest));
    }
    page.paragraph(&[(Ink::Strong, &reference)], 4, Ink::Faint, &format!(" ({about})"));
}

/// The table; where it is too wide without the counts, which the last line sums up; and where that is, a list.
fn show_table(page: &mut Page, platforms: &[Platform]) {
    let groups = shown_groups(platforms);
    let fits = |table: &Table| page.columns().is_none_or(|columns| table.width() + 2 <= columns);
    let tables = [true, false].map(|counts| table(page, platforms, &groups, counts));
    match tables.into_iter().find(fits) {
        Some(table) => table.show(page, 2),
        None => show_list(page, platforms, &groups),
    }
}

fn table(page: &Page, platforms: &[Platform], groups: &[&str], counts: bool) -> Table {
    let heading = |text: &str| (Ink::Faint, text.to_owned());
    let mut columns = vec![Lean::Left];
    let mut header = vec![heading("Platform")];
    for group in groups {
        columns.push(Lean::Left);
        header.push(heading(&page.clean(&capitalized(group))));
    }
    if counts {
        columns.extend([Lean::Right, Lean::Right]);
        header.extend(["Binaries", "Layers"].map(heading));
    }
    let rows = platforms.iter().map(|platform| row(page, platform, groups, counts));
    Table { columns, rows: std::iter::once(header).chain(rows).collect() }
}

fn row(page: &Page, platform: &Platform, groups: &[&str], counts: bool) -> Vec<Cell> {
    let mut row = vec![(Ink::Plain, page.clean(&platform.platform))];
    row.extend(groups.iter().map(|group| cell(page, platform, group)));
    if counts {
        row.extend([platform.binaries, platform.layers].map(|count| (Ink::Plain, count.to_string())));
    }
    row
}

/// The table for a narrow page: a line per platform.
fn show_list(page: &mut Page, platforms: &[Platform], groups: &[&str]) {
    for platform in platforms {
        let name = page.clean(&platform.platform);
        let states = groups.iter().map(|group| {
            let check = platform.checks.iter().find(|check| check.name == *group);
            format!("{} {}", page.clean(group), check.map_or("-", |check| state(check.status).2))
        });
        let mut text = states.collect::<Vec<_>>().join(", ");
        text = format!("{text}; {} binaries, {} layers", platform.binaries, platform.layers);
        page.paragraph(&[(Ink::Plain, "  "), (Ink::Strong, &name), (Ink::Plain, ": ")], 4, Ink::Plain, &text);
    }
}

fn cell(page: &Page, platform: &Platform, group: &str) -> Cell {
    let Some(check) = platform.checks.iter().find(|check| check.name == group) else {
        return (Ink::Faint, "-".to_owned());
    };
    let (ink, symbol, word) = state(check.status);
    (ink, if page.options().unicode { format!("{symbol} {word}") } else { word.to_owned() })
}

/// The colour, the symbol and the word of an outcome. The word says it all: colours and symbols may be missing.
fn state(status: Status) -> (Ink, char, &'static str) {
    match status {
        Status::Passed => (Ink::Good, '✓', "passed"),
        Status::Failed => (Ink::Error, '✗', "FAILED"),
        Status::Skipped => (Ink::Faint, '-', "skipped"),
        Status::Error => (Ink::Warning, '!', "error"),
    }
}

/// The groups that get a column: those that are not skipped everywhere for one
/// and the same reason, which is said once below the table.
fn shown_groups(platforms: &[Platform]) -> Vec<&str> {
    let mut groups: Vec<&str> =
        platforms.iter().flat_map(|platform| &platform.checks).map(|check| check.name.as_str()).collect();
    groups.sort_by(|left, right| group_order(left, right));
    groups.dedup();
    groups.retain(|group| {
        let checks: Vec<_> = platforms.iter().map(|p| p.checks.iter().find(|check| check.name == *group)).collect();
        let first = checks.first().copied().flatten();
        let same = |check: &Option<&Check>| {
            check.zip(first).is_some_and(|(check, first)| {
                check.status == Status::Skipped && first.status == Status::Skipped && check.reason == first.reason
            })
        };
        !checks.iter().all(same)
    });
    groups
}

/// Says once, for whatever shares a reason, why it was skipped or undecided.
fn show_reasons(page: &mut Page, platforms: &[Platform]) {
    let unchecked = platforms.iter().flat_map(|platform| platform.checks.iter().map(move |check| (platform, check)));
    let unchecked = unchecked.filter(|(_, check)| matches!(check.status, Status::Skipped | Status::Error));
    // First the platforms of one group with one reason, then the groups of the same platforms.
    let per_group = grouped(unchecked, |(_, check)| (&check.name, check.status, &check.reason));
    let reasons = grouped(per_group, |members| {
        let check = members.first().map(|(_, check)| (check.status, &check.reason));
        (check, members.iter().map(|(platform, _)| platform.platform.as_str()).collect::<Vec<_>>())
    });
    if !reasons.is_empty() && platforms.iter().all(|platform| platform.run.is_none()) {
        page.blank();
    }
    let mut reasons = reasons.iter().peekable();
    while let Some(groups) = reasons.next() {
        let Some(check) = check_of(groups) else { continue };
        let names: Vec<&str> =
            groups.iter().filter_map(|members| members.first()).map(|(_, check)| check.name.as_str()).collect();
        let on: Vec<&str> =
            groups.first().into_iter().flatten().map(|(platform, _)| platform.platform.as_str()).collect();
        let (why, next_step) = in_two(check);
        show_reason(page, check.status, why, &names, &on, platforms.len());
        // What has the same next step has it once.
        let following = reasons.peek().and_then(|groups| check_of(groups)).and_then(|check| in_two(check).1);
        if let Some(next_step) = next_step.filter(|next_step| following != Some(*next_step)) {
            let text = page.clean(next_step);
            page.paragraph(&[(Ink::Plain, "    "), (Ink::Strong, "hint: ")], 6, Ink::Plain, &text);
        }
    }
}

/// A check of these groups, all of which have one reason.
fn check_of<'r>(groups: &[Vec<(&Platform, &'r Check)>]) -> Option<&'r Check> {
    groups.first().and_then(|members| members.first()).map(|(_, check)| *check)
}

/// The reason, and the next step that follows it after a semicolon, outside of parentheses and quotes.
fn in_two(check: &Check) -> (&str, Option<&str>) {
    let Some(reason) = check.reason.as_deref() else { return ("no reason was given", None) };
    let (mut depth, mut quoted) = (0_usize, false);
    for (place, c) in reason.char_indices() {
        match c {
            '`' => quoted = !quoted,
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ';' if depth == 0 && !quoted => {
                let (why, rest) = reason.split_at(place);
                if let Some(next_step) = rest.strip_prefix("; ") {
                    return (why, Some(next_step));
                }
            }
            _ => {}
        }
    }
    (reason, None)
}

fn show_reason(page: &mut Page, status: Status, why: &str, groups: &[&str], on: &[&str], all: usize) {
    let (ink, outcome) = match (status, groups.len()) {
        (Status::Error, _) => (Ink::Warning, "could not be decided"),
        (_, 1) => (Ink::Faint, "was skipped"),
        _ => (Ink::Faint, "were skipped"),
    };
    let on = match (on.len(), all) {
        (_, 1) => String::new(),
        (some, all) if some == all => " on every platform".to_owned(),
        _ => format!(" on {}", on_platforms(on, all)),
    };
    let what = page.clean(&and(groups));
    let outcome = format!("{outcome}{}: ", page.clean(&on));
    let reason = page.clean(why);
    let label = [(Ink::Plain, "  "), (Ink::Strong, what.as_str()), (Ink::Plain, " "), (ink, outcome.as_str())];
    page.paragraph(&label, 4, Ink::Plain, &reason);
}

/// `a, b and c`
pub(super) fn and(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn capitalized(name: &str) -> String {
    let mut rest = name.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}
