//! The steps of building and publishing: what each shows, what became of it, and the commands to repeat it by hand.

use super::page::{Ink, Page};
use super::summary::counted;
use super::timing::duration;
use super::trials::{by_status, told};
use crate::model::{Status, Step};

/// Shows all steps in the order in which they were done.
pub(super) fn show(page: &mut Page, steps: &[Step]) {
    for step in steps {
        show_one(page, step);
    }
    if !steps.is_empty() {
        page.blank();
    }
}

fn show_one(page: &mut Page, step: &Step) {
    let (ink, word) = told(step.status);
    let name = page.clean(&step.name);
    let took = match step.status {
        Status::Skipped => String::new(),
        _ => format!("  {}", duration(step.duration_ms)),
    };
    page.paragraph(&[(ink, word), (Ink::Plain, "  "), (Ink::Strong, &name)], 4, Ink::Faint, &took);
    let title = page.clean(&step.title);
    page.paragraph(&[(Ink::Plain, "    ")], 4, Ink::Plain, &title);
    if let Some(reason) = &step.reason {
        let reason = page.clean(reason);
        page.paragraph(&[(Ink::Plain, "    = ")], 6, Ink::Plain, &reason);
    }
    // A command stands on one line however long it is: it is there to be copied.
    for command in &step.commands {
        let line = page.clean(&command.line);
        let ended = match command.exit {
            Some(0) => String::new(),
            Some(code) => format!(", exit code {code}"),
            None => ", ended before its time".to_owned(),
        };
        let took = page.paint(Ink::Faint, &format!("# {}{ended}", duration(command.duration_ms)));
        page.line(&format!("    $ {line}  {took}"));
    }
    for line in step.output.iter().flat_map(|output| output.lines()) {
        let line = page.clean(line);
        page.line(&format!("      | {line}"));
    }
    if let Some(log) = &step.log {
        let log = page.clean(log);
        page.line(&format!("    = log: {log}"));
    }
}

/// `8 steps passed, 1 skipped`: the last line's part.
pub(super) fn counts(steps: &[Step]) -> String {
    format!("{}: {}", counted(steps.len() as u64, "step", "steps"), by_status(&steps.iter().map(|step| step.status)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::plain;
    use crate::model::{Report, Status, Verdict};
    use crate::sample;

    fn report(statuses: &[(&str, Status)]) -> Report {
        let mut report = sample::passed();
        report.images.clear();
        report.steps = statuses.iter().map(|(name, status)| sample::step(name, *status)).collect();
        report
    }

    #[test]
    fn a_step_is_told_with_its_time_and_its_commands() {
        let mut report = report(&[("emulated", Status::Passed), ("several", Status::Skipped)]);
        report.verdict = Verdict::Passed;
        let text = plain(&report);
        let wanted = "passed  emulated  800 ms\n    a build\n    $ docker build --tag 'a b' .  # 700 ms\n";
        assert!(text.contains(wanted), "{text}");
        assert!(text.contains("skipped  several\n    a build\n    = the classic store\n"), "{text}");
        let last = text.lines().last().unwrap();
        assert_eq!(last, "passed: 2 steps: 1 skipped, 1 passed; 0 errors, 0 warnings, 0 notes; 1.2 s");
    }

    #[test]
    fn a_step_that_failed_has_its_reason_exit_code_and_log() {
        let mut report = report(&[("emulated", Status::Failed)]);
        report.verdict = Verdict::Failed;
        report.steps[0].commands[0].exit = Some(17);
        report.steps[0].log = Some("/tmp/logs/emulated.log".to_owned());
        report.steps[0].output = Some("first\nsecond".to_owned());
        let text = plain(&report);
        assert!(text.contains("      | first\n      | second\n"), "{text}");
        for words in ["FAILED  emulated", "= the classic store", "exit code 17", "= log: /tmp/logs/emulated.log"] {
            assert!(text.contains(words), "{words}: {text}");
        }
        report.steps[0].commands[0].exit = None;
        assert!(plain(&report).contains("ended before its time"));
    }

    #[test]
    fn hostile_commands_are_escaped() {
        let mut report = report(&[("emulated", Status::Passed)]);
        report.steps[0].commands[0].line = "docker \u{1b}[2J\nbuild".to_owned();
        let text = plain(&report);
        assert!(!text.contains('\u{1b}') && !text.contains("\nbuild"), "{text}");
    }
}
