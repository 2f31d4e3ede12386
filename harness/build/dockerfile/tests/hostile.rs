//! Files that nobody wrote by hand: they end in an error or are read, and never hang or fill the memory.

use super::parsed;
use crate::build::dockerfile::*;
use crate::platform::Platform;
use rstest::rstest;
use std::collections::BTreeMap;

#[rstest]
#[case::long_line(format!("FROM a\nRUN {}", "x".repeat(MAX_LINE)), Some((Some(2), Mistake::LongLine)))]
#[case::long_heredoc_line(format!("FROM a\nRUN <<E\n{}\nE", "x".repeat(MAX_LINE + 1)), Some((Some(3), Mistake::LongLine)))]
#[case::too_large("# x\n".repeat(MAX_BYTES / 4 + 1), Some((None, Mistake::TooLarge)))]
#[case::stages("FROM a\n".repeat(MAX_STAGES + 1), Some((Some(MAX_STAGES + 1), Mistake::Stages)))]
#[case::endless_continuation(format!("FROM a\nRUN x \\\n{}", "y \\\n".repeat(100_000)), None)]
#[case::continuation_without_text(format!("FROM a\n{}", "\\\n".repeat(100_000)), None)]
#[case::flags(format!("FROM a\nRUN {}", "--a ".repeat(16_000)), None)]
#[case::quotes(format!("FROM a\nRUN <<E {}", "'".repeat(60_000)), Some((Some(2), Mistake::Heredoc("E".into()))))]
#[case::heredocs(format!("FROM a\nRUN {}", "<<E ".repeat(10_000)), Some((Some(2), Mistake::Heredoc("E".into()))))]
#[case::words(format!("FROM {}", "a ".repeat(30_000)), Some((Some(1), Mistake::From(String::new()))))]
#[case::nul("FROM a\0b\nRUN \0\n".to_owned(), None)]
fn it_is_read_or_refused(#[case] text: String, #[case] wanted: Option<(Option<usize>, Mistake)>) {
    match (Dockerfile::parse(text.as_bytes()), wanted) {
        (Ok(_), None) => {}
        (Err(error), Some((line, mistake))) => {
            assert_eq!(error.line, line);
            assert_eq!(std::mem::discriminant(&error.mistake), std::mem::discriminant(&mistake), "{error}");
            assert!(error.told("D").len() < 1000);
        }
        (other, wanted) => panic!("{:?} and not {wanted:?}", other.map(|file| file.stages.len())),
    }
}

#[test]
fn what_is_no_utf_8_is_replaced() {
    let dockerfile = Dockerfile::parse(b"# caf\xe9\nFROM a\nLABEL x=\xff\xfe\n").unwrap();
    assert_eq!(dockerfile.stages[0].instructions[0].arguments, "x=\u{fffd}\u{fffd}");
    assert!(Dockerfile::parse(b"\xff\xff\xff").is_err());
}

#[test]
fn what_is_shown_is_short_and_on_one_line() {
    let dockerfile = parsed("FROM a\nRUN <<E\n\x1b[31mred\x07\n\u{202e}\nE\n");
    assert_eq!(dockerfile.stages[0].instructions[0].shown(), "RUN <<E \u{fffd}[31mred\u{fffd} \u{202e}");
    let long = parsed(&format!("FROM a\nRUN {}", "x ".repeat(10_000)));
    assert!(long.stages[0].instructions[0].shown().len() < 250);
}

#[rstest]
#[case::deep("${A:-".repeat(10_000))]
#[case::deep_and_closed(format!("{}{}", "${A:-".repeat(5_000), "}".repeat(5_000)))]
#[case::braces("${".repeat(30_000))]
#[case::wide("$A".repeat(20_000))]
fn deep_and_wide_variables_end(#[case] text: String) {
    let mut variables = Variables::default();
    variables.set("A", "x".repeat(1000));
    let expanded = expand(&text, &variables, '\\');
    assert!(matches!(expanded, Err(ExpandError::TooLarge | ExpandError::Syntax)), "{expanded:?}");
    assert!(substitute(&text, &variables).len() <= text.len() + (64 << 10));
}

#[test]
fn values_that_double_end() {
    let mut text = "FROM a\nENV A0=xxxxxxxxxxxxxxxx\n".to_owned();
    for number in 1..20_000 {
        text.push_str(&format!("ENV A{number}=$A{0}$A{0}\n", number - 1));
    }
    let dockerfile = parsed(&text);
    let (platform, build_args) = (Platform::parse("linux/amd64").unwrap(), BTreeMap::new());
    let scope = Scope { target: &platform, build: &platform, build_args: &build_args };
    let built = dockerfile.built(None, &scope).unwrap();
    let variables = super::variables_after(&built, &scope);
    assert_eq!(variables.get("A1").map(str::len), Some(32));
    assert_eq!(variables.get("A19999"), None);
}
