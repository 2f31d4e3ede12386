use super::super::pattern::{Pattern, text};
use super::*;
use rstest::rstest;

fn is_in(pattern: &str, text: &str) -> bool {
    Pattern::new(pattern.to_owned(), None).is_in(text).unwrap()
}

/// Patterns, texts that they match, and texts that they do not. tests/real/structure.rs asks container-structure-test the
/// same.
#[rstest]
// Ends of the text and of lines.
#[case("b", &["abc"], &["ac"])]
#[case("^a$", &["a"], &["a\n", "b\na", "ba"])]
#[case("(?m)^a$", &["b\na\nc", "a\n"], &["ba"])]
#[case("a\\z", &["ba"], &["a\n"])]
#[case("\\Aa", &["ab"], &["ba", "b\na"])]
#[case("(?m)a\\z", &["a"], &["a\nb"])]
#[case("a.b", &["a b", "aéb"], &["a\nb", "ab"])]
#[case("(?s)a.b", &["a\nb"], &["ab"])]
#[case("(?s-s)a.b", &["a-b"], &["a\nb"])]
// Classes are ASCII.
#[case("^\\d$", &["1"], &["a", "١"])]
#[case("^\\D$", &["a", "١"], &["1"])]
#[case("^\\w$", &["a", "_", "9"], &["é", "-"])]
#[case("^\\W$", &["é", "-"], &["a"])]
#[case("^\\s$", &[" ", "\t", "\n", "\u{c}"], &["\u{b}", "\u{a0}", "\u{85}"])]
#[case("^\\S$", &["\u{b}", "x"], &[" "])]
#[case("\\bé", &["aé"], &["é", " é"])]
#[case("a\\b", &["aé", "a"], &["ab"])]
#[case("a\\B", &["ab"], &["a", "aé"])]
// Within brackets.
#[case("^[[]$", &["["], &["]"])]
#[case("^[]a]$", &["]", "a"], &["["])]
#[case("^[^]a]$", &["["], &["]", "a"])]
#[case("^[a&&b]$", &["&", "a", "b"], &["c"])]
#[case("^[+--]$", &[",", "-", "+"], &["."])]
#[case("^[a~~b]$", &["~", "a"], &["c"])]
#[case("^[a-c-e]$", &["b", "-", "e"], &["d"])]
#[case("^[-a]$", &["-", "a"], &["b"])]
#[case("^[a-]$", &["-", "a"], &["b"])]
#[case("^[\\d-]$", &["-", "1"], &["a"])]
#[case("^[\\d-z]$", &["-", "1", "z"], &["a"])]
#[case("^[\\w.]$", &["a", "."], &["é"])]
#[case("^[^\\w]$", &["é", "-"], &["a"])]
#[case("^[\\W_]$", &["-", "_"], &["a"])]
#[case("^[[:alpha:]_]$", &["a", "_"], &["1", "é"])]
#[case("^[[:^alpha:]]$", &["1", "é"], &["a"])]
#[case("^[^[:space:]]$", &["a"], &["\u{b}", " "])]
#[case("^[[:word:]]$", &["_"], &["é"])]
#[case("^[[:punct:]]$", &["!", "~", "\\"], &["a", "¡"])]
#[case("^[[:alpha]$", &[":", "[", "a"], &["b"])]
#[case("^[\\]\\\\]$", &["]", "\\"], &["["])]
#[case("^[\\x41-\\x{43}\\n]$", &["A", "C", "\n"], &["D"])]
#[case("^[\\pL\\p{Nd}]$", &["é", "٣"], &["-"])]
#[case("^[\\PL]$", &["-"], &["é"])]
#[case("^[a b#]$", &[" ", "#"], &["c"])]
// Unicode.
#[case("^\\pN$", &["1", "½", "٣"], &["a"])]
#[case("^\\p{Greek}$", &["α"], &["a"])]
#[case("^\\P{Greek}$", &["a"], &["α"])]
#[case("^\\p{^Greek}$", &["a"], &["α"])]
#[case("^\\P{^Greek}$", &["α"], &["a"])]
#[case("^\\p{Any}$", &["a", "\n"], &["ab"])]
#[case("^\\pC$", &["\u{7}", "\u{ad}"], &["\u{378}", "a"])]
#[case("(?i)^\\p{Lu}$", &["a", "A"], &["1"])]
#[case("(?i)^\\P{Lu}$", &["1"], &["a", "A"])]
// Case.
#[case("(?i)k", &["K", "k", "\u{212a}"], &["c"])]
#[case("(?i)^[a-z]$", &["Q", "\u{17f}"], &["1"])]
#[case("(?i)^[^k]$", &["c"], &["K", "\u{212a}"])]
#[case("(?i)^\\w$", &["\u{17f}"], &["é"])]
#[case("(?i)^\\W$", &["é"], &["\u{17f}"])]
#[case("(?i)^[[:upper:]]$", &["a"], &["1"])]
#[case("(?i:a)b", &["Ab"], &["AB"])]
#[case("a(?i)b|c", &["aB", "C"], &["AB"])]
#[case("(a(?i)b)c", &["aBc"], &["aBC", "ABc"])]
#[case("(?i)straße", &["STRAßE", "STRAẞE"], &["STRASSE"])]
// Quoting and escapes.
#[case("^\\Qa.b*\\E+$", &["a.b*", "a.b**"], &["aab*"])]
#[case("^\\Q(", &["("], &["a"])]
#[case("^\\Q\\E$", &[""], &["a"])]
#[case("^\\Q\\d\\E$", &["\\d"], &["1"])]
#[case("^\\x41\\x{42}\\103\\0$", &["ABC\0"], &["ABC"])]
#[case("^\\377$", &["ÿ"], &["\u{fffd}"])]
#[case("^\\a\\f\\t\\n\\r\\v$", &["\u{7}\u{c}\t\n\r\u{b}"], &[""])]
#[case("^\\_\\-\\/\\\"$", &["_-/\""], &["a"])]
#[case("^a#b c$", &["a#b c"], &["a"])]
// Repetition.
#[case("^a{2}$", &["aa"], &["a", "aaa"])]
#[case("^a{2,}$", &["aa", "aaaa"], &["a"])]
#[case("^a{1,2}$", &["a", "aa"], &["aaa"])]
#[case("^a{,2}$", &["a{,2}"], &["a"])]
#[case("^a{01}$", &["a{01}"], &["a"])]
#[case("^a{x}$", &["a{x}"], &["a"])]
#[case("^{$", &["{"], &["}"])]
#[case("^a{$", &["a{"], &["a"])]
#[case("^a{0}$", &[""], &["a"])]
#[case("^a*?$", &["", "aa"], &["b"])]
#[case("^ab*$", &["a", "abb"], &["abab"])]
#[case("^a(?i)*$", &["aa", ""], &["A"])]
#[case("^a+(?i)?$", &["aa", ""], &["A"])]
#[case("^a{2}(?i){2}$", &["aaaa"], &["aa"])]
#[case("^*a", &["a", "ba"], &["b"])]
#[case("(?U)^a+$", &["aa"], &["b"])]
#[case("^(?:a|b)+$", &["abab"], &["c"])]
#[case("^(|a)b$", &["b", "ab"], &["c"])]
#[case("^()$", &[""], &["a"])]
#[case("^a||b$", &["", "c"], &[])]
#[case("^(?P<x>a)(?<y1>b)(?P<1z>c)$", &["abc"], &["a"])]
#[case("^(?)a(?:)b$", &["ab"], &["a"])]
#[case("^é+$", &["éé"], &["e"])]
#[case("^\u{fffd}\u{fffd}x$", &["\u{fffd}\u{fffd}x"], &["x"])]
fn it_matches_what_go_matches(#[case] pattern: &str, #[case] matching: &[&str], #[case] others: &[&str]) {
    for text in matching {
        assert!(is_in(pattern, text), "{pattern} in {text:?}: {}", translate(pattern).unwrap());
    }
    for text in others {
        assert!(!is_in(pattern, text), "{pattern} in {text:?}: {}", translate(pattern).unwrap());
    }
}

#[rstest]
#[case("(", "is not closed", 2)]
#[case("a)", "has no `(`", 2)]
#[case("[a", "is not closed", 1)]
#[case("[", "is not closed", 1)]
#[case("[]", "is not closed", 1)]
#[case("[^]", "is not closed", 1)]
#[case("a**", "follows a repetition", 3)]
#[case("a*{2}", "follows a repetition", 3)]
#[case("a??+", "follows a repetition", 4)]
#[case("*a", "nothing to repeat", 1)]
#[case("(*a)", "nothing to repeat", 2)]
#[case("a|*", "nothing to repeat", 3)]
#[case("(?i)*", "nothing to repeat", 5)]
#[case("a{1001}", "more than 1000", 2)]
#[case("a{2,1}", "the wrong way round", 2)]
#[case("a{99999999999}", "more than 1000", 2)]
#[case("(a{100}){11}", "within each other", 9)]
#[case("((a{10}){10}){11}", "within each other", 14)]
#[case("[b-a]", "the wrong way round", 2)]
#[case("[a--]", "the wrong way round", 2)]
#[case("[a-\\d]", "no such escape", 4)]
#[case("[[:nope:]]", "is called so", 2)]
#[case("[\\b]", "no such escape", 2)]
#[case("[\\Qa\\E]", "no such escape", 2)]
#[case("\\C", "one byte", 1)]
#[case("\\", "ends with a backslash", 1)]
#[case("a\\1", "no such escape", 2)]
#[case("\\8", "no such escape", 1)]
#[case("\\E", "no such escape", 1)]
#[case("\\Z", "no such escape", 1)]
#[case("\\é", "no such escape", 1)]
#[case("\\x1", "no such escape", 1)]
#[case("\\x{110000}", "no such escape", 1)]
#[case("\\x{}", "no such escape", 1)]
#[case("\\p{greek}", "is called so", 1)]
#[case("\\p{L", "is not closed", 1)]
#[case("\\p", "no name", 1)]
#[case("\\pX", "is called so", 1)]
#[case("(?=a)", "none of Go's flags", 1)]
#[case("(?!a)", "none of Go's flags", 1)]
#[case("(?<=a)", "not closed", 1)]
#[case("(?<=a>)", "looks around", 1)]
#[case("(?x)a", "none of Go's flags", 1)]
#[case("(?i", "none of Go's flags", 1)]
#[case("(?-)", "none of Go's flags", 1)]
#[case("(?i-)a", "none of Go's flags", 1)]
#[case("(?P=x)", "none of Go's flags", 1)]
#[case("(?P<a>x)(?P<a>y)", "one name", 9)]
#[case("(?P<a-b>x)", "has a name that is none", 1)]
#[case("(?P<>x)", "has a name that is none", 1)]
#[case("(?#c)", "none of Go's flags", 1)]
fn what_go_refuses_is_refused_in_its_place(#[case] pattern: &str, #[case] why: &str, #[case] at: usize) {
    let refused = translate(pattern).unwrap_err();
    assert!(refused.why.contains(why), "{refused}");
    assert_eq!(refused.at, at, "{refused}");
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
