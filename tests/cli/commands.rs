//! The commands beside `check`.

use super::Machine;
use mpcheck::check::rule::RULES;
use rstest::rstest;

#[test]
fn every_rule_is_explained() {
    let machine = Machine::new();
    for rule in RULES {
        let run = machine.run(&["explain", rule.name]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", rule.name);
        assert_eq!(run.stdout, rule.page());
    }
}

#[rstest]
#[case::typing("binary/foriegn-architecture", "binary/foreign-architecture")]
#[case::without_its_group("diff-id-mismatch", "layer/diff-id-mismatch")]
#[case::nonsense("kubernetes", "mpcheck rules")]
#[case::control_characters("\u{1b}[31m", "mpcheck rules")]
fn an_unknown_rule_is_answered_with_the_nearest(#[case] given: &str, #[case] said: &str) {
    let run = Machine::new().run(&["explain", given]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains(said) && !run.stderr.contains('\u{1b}'), "{}", run.stderr);
}

#[test]
fn all_rules_are_listed() {
    let run = Machine::new().run(&["rules"]);
    assert_eq!(run.code, 0);
    for rule in RULES {
        assert!(run.stdout.contains(rule.name) && run.stdout.contains(rule.summary), "{}", rule.name);
    }
}

#[test]
fn the_schema_in_the_repository_is_the_programs() {
    let run = Machine::new().run(&["schema", "report"]);
    let kept = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/suites/report.schema.json")).unwrap();
    assert_eq!(run.code, 0);
    assert!(run.stdout == kept, "suites/report.schema.json is not the program's: run `make schema`");
}

#[rstest]
fn completions_know_the_options(#[values("bash", "elvish", "fish", "powershell", "zsh")] shell: &str) {
    let run = Machine::new().run(&["completions", shell]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    for word in ["mpcheck", "explain", "platform", "baseline"] {
        assert!(run.stdout.contains(word), "{shell} does not know {word}");
    }
}

#[rstest]
#[case(&["completions", "tcsh"], "tcsh")]
#[case(&["completions"], "SHELL")]
#[case(&["schema", "everything"], "report")]
#[case(&["schema"], "WHAT")]
#[case(&["explain"], "RULE")]
#[case(&["rules", "binary"], "binary")]
fn wrong_usage_says_what_is_right(#[case] arguments: &[&str], #[case] said: &str) {
    let run = Machine::new().run(arguments);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains(said), "{}", run.stderr);
}

/// `mpcheck rules | head` closes the pipe before everything is written.
#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let machine = Machine::new();
    let mut child = machine
        .command(&["rules"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty());
}
