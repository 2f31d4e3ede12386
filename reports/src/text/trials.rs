//! The trials of a suite: a line for each group of them, and more of what did not pass.

use super::fold::grouped;
use super::page::{Ink, Page};
use super::summary::counted;
use super::timing::duration;
use crate::model::{Status, Trial};

/// The most lines of a trial's output without `--verbose`.
const SHOWN_LINES: usize = 24;

/// Shows all trials; those that passed are counted, and named with `--verbose`.
pub(super) fn show(page: &mut Page, trials: &[Trial]) {
    for group in grouped(trials, |trial| trial.group()) {
        let Some(first) = group.first() else { continue };
        page.blank();
        let name = page.clean(first.group());
        let about = first.image.as_deref().map(|image| format!("  {}", page.clean(image))).unwrap_or_default();
        page.paragraph(&[(Ink::Strong, &name)], 4, Ink::Faint, &about);
        let passed = group.iter().filter(|trial| trial.status == Status::Passed);
        if page.options().verbose {
            passed.for_each(|trial| show_passed(page, trial));
        } else if let count @ 1.. = passed.count() {
            page.paragraph(&[(Ink::Plain, "  "), (Ink::Good, "passed")], 4, Ink::Plain, &format!("  {count}"));
        }
        let others = group.iter().filter(|trial| trial.status != Status::Passed);
        others.for_each(|trial| show_other(page, trial));
    }
}

fn show_passed(page: &mut Page, trial: &Trial) {
    let check = page.clean(&trial.check);
    let text = format!("  {check}  {}", duration(trial.duration_ms));
    page.paragraph(&[(Ink::Plain, "  "), (Ink::Good, "passed")], 4, Ink::Plain, &text);
    for line in trial.output.iter().flat_map(|output| output.lines()) {
        let line = page.clean(line);
        page.line(&format!("      {line}"));
    }
}

fn show_other(page: &mut Page, trial: &Trial) {
    let (ink, word) = told(trial.status);
    let check = page.clean(&trial.check);
    let output = trial.output.as_deref().filter(|_| trial.status != Status::Skipped);
    // Mostly the first finding's message, which stands in the output with all else that is known of it.
    let is_told = |reason: &&str| output.is_none_or(|output| !output.contains(*reason));
    let reason = trial.reason.as_deref().filter(is_told);
    let reason = reason.map(|reason| format!(": {}", page.clean(reason))).unwrap_or_default();
    page.paragraph(&[(Ink::Plain, "  "), (ink, word)], 4, Ink::Plain, &format!("  {check}{reason}"));
    let Some(output) = output else { return };
    let lines: Vec<&str> = output.lines().collect();
    let shown = if page.options().verbose { lines.len() } else { SHOWN_LINES };
    for line in lines.iter().take(shown) {
        let line = page.clean(line);
        page.line(&format!("      {line}"));
    }
    if let more @ 1.. = lines.len().saturating_sub(shown) {
        let text = format!("and {}, with --verbose", counted(more as u64, "more line", "more lines"));
        page.paragraph(&[(Ink::Plain, "      ")], 6, Ink::Faint, &text);
    }
}

/// `1 failed, 2 could not be decided, 3 skipped, 40 passed`: the last line's part.
pub(super) fn counts(trials: &[Trial]) -> String {
    let told = by_status(&trials.iter().map(|trial| trial.status));
    if told.is_empty() { "no trial".to_owned() } else { told }
}

/// How many there are of each, the worst first; nothing where there is none.
pub(super) fn by_status(all: &(impl Iterator<Item = Status> + Clone)) -> String {
    let words = [
        (Status::Failed, "failed"),
        (Status::Error, "could not be decided"),
        (Status::Skipped, "skipped"),
        (Status::Passed, "passed"),
    ];
    let count = |status| all.clone().filter(|is| *is == status).count();
    let counted = words.map(|(status, word)| (count(status), word));
    let told: Vec<String> = counted.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    told.join(", ")
}

/// What became of it, in the ink of that.
pub(super) const fn told(status: Status) -> (Ink, &'static str) {
    match status {
        Status::Passed => (Ink::Good, "passed"),
        Status::Failed => (Ink::Error, "FAILED"),
        Status::Skipped => (Ink::Faint, "skipped"),
        Status::Error => (Ink::Warning, "could not be decided"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::plain;
    use crate::model::{Report, Status, Verdict};
    use crate::sample;

    fn report(statuses: &[(&str, Status)]) -> Report {
        let mut report = sample::passed();
        report.images.iter_mut().flat_map(|image| &mut image.platforms).for_each(|platform| platform.checks.clear());
        report.trials = statuses.iter().map(|(check, status)| sample::trial(check, *status)).collect();
        report
    }

    #[test]
    fn what_passed_is_counted_and_the_rest_is_told() {
        let mut report = report(&[
            ("binaries", Status::Passed),
            ("manifest", Status::Passed),
            ("run/a", Status::Failed),
            ("run/b", Status::Skipped),
        ]);
        report.verdict = Verdict::Failed;
        let text = plain(&report);
        assert!(text.starts_with("release/app/linux-arm64  registry.example/app:1\n  passed  2\n"), "{text}");
        assert!(text.contains("  FAILED  run/a: `app --version` failed"), "{text}");
        assert!(text.contains("      error[run/command-failed] linux/arm64: it failed\n"), "{text}");
        assert!(text.contains("  skipped  run/b: `app"), "{text}");
        let last = text.lines().last().unwrap();
        assert_eq!(last, "FAILED: 1 failed, 1 skipped, 2 passed; 1 image; 1.2 s");
        assert!(!text.contains("Platform"), "images of a suite have no table: {text}");
    }

    #[test]
    fn hostile_output_is_escaped() {
        let mut report = report(&[("run/a", Status::Failed)]);
        report.trials[0].output = Some("a\u{1b}[2Jb\nsecond".to_owned());
        let text = plain(&report);
        assert!(!text.contains('\u{1b}') && text.contains("      second\n"), "{text}");
    }
}
