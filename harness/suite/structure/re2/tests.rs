use super::super::pattern::{Pattern, text};
use super::*;
use serde::Deserialize;

fn is_in(pattern: &str, text: &str) -> bool {
    Pattern::new(pattern.to_owned(), None).is_in(text).unwrap()
}

/// Patterns, what they match and what not, and what is none: tests/real/structure.rs asks container-structure-test itself
/// the same.
#[derive(Deserialize)]
struct Table {
    patterns: Vec<Row>,
    refused: Vec<RefusedRow>,
}

#[derive(Deserialize)]
struct Row {
    about: String,
    pattern: String,
    matches: Vec<String>,
    others: Vec<String>,
}

#[derive(Deserialize)]
struct RefusedRow {
    pattern: String,
    why: String,
    at: usize,
}

fn table() -> Table {
    serde_json::from_str(include_str!("../../../../tests/real/structure/patterns.json")).unwrap()
}

#[test]
fn they_match_what_go_matches() {
    let rows = table().patterns;
    assert!(rows.len() > 90);
    let wrong: Vec<String> = rows
        .iter()
        .flat_map(|row| {
            let asked = row.matches.iter().map(|text| (text, true)).chain(row.others.iter().map(|text| (text, false)));
            let wrong = asked.filter(|(text, wanted)| is_in(&row.pattern, text) != *wanted);
            let ours = translate(&row.pattern).unwrap();
            wrong.map(move |(text, _)| format!("{}: {} in {text:?}, as {ours}", row.about, row.pattern))
        })
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn what_go_refuses_is_refused_in_its_place() {
    for row in table().refused {
        let refused = translate(&row.pattern).unwrap_err();
        assert!(refused.why.contains(&row.why), "{}: {refused}", row.pattern);
        assert_eq!(refused.at, row.at, "{}: {refused}", row.pattern);
    }
}

#[test]
fn deep_and_large_patterns_are_bounded() {
    assert!(is_in(&format!("{}a{}", "(".repeat(MAX_DEPTH), ")*".repeat(MAX_DEPTH)), ""));
    let deeper = format!("{}a{}", "(".repeat(MAX_DEPTH + 1), ")".repeat(MAX_DEPTH + 1));
    assert!(translate(&deeper).unwrap_err().why.contains("lie within each other"));
    let large = r"\pL{1000}".repeat(4);
    assert!(Pattern::new(large, None).is_in("a").unwrap_err().contains("MiB"));
    assert!(is_in(r"(?:.{100}){10}", &"é".repeat(1000)));
}

#[test]
fn bytes_that_are_no_text_are_characters_of_their_own() {
    assert_eq!(text(b"\xff\xfeabc"), "\u{fffd}\u{fffd}abc");
    assert_eq!(text(b"\xe2\x82x"), "\u{fffd}\u{fffd}x");
    assert_eq!(text(b"\xed\xa0\x80"), "\u{fffd}\u{fffd}\u{fffd}");
    assert_eq!(text("é".as_bytes()), "é");
}
