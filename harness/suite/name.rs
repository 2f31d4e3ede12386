//! The names of suites, images, commands and files in the names of trials: `suite/image/linux-arm64/command`.

use super::error::shown;
use super::located::{At, Place};
use super::value::Wrong;
use std::collections::HashMap;

/// The most characters of a name.
const MAX_NAME: usize = 100;

/// The most characters of a name that is made of something.
const MAX_MADE: usize = 60;

/// Whether a name can have this: nothing that parts names, and nothing that a shell would want quoted.
fn fits(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '@' | '=')
}

/// A name made of a text.
pub(super) fn made_of(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars().take(4 * MAX_MADE) {
        if fits(c) && !(c == '-' && name.ends_with('-')) {
            name.push(c);
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    let short: String = name.trim_matches('-').chars().take(MAX_MADE).collect();
    let short = short.trim_end_matches('-');
    if short.is_empty() { "unnamed".to_owned() } else { short.to_owned() }
}

/// Whether a name that somebody gave is one.
pub(super) fn check(name: &str) -> Result<(), Wrong> {
    let length = name.chars().count();
    if length == 0 {
        return Err(("a name has at least one character".to_owned(), "write one, or leave the key out".to_owned()));
    }
    if length > MAX_NAME {
        return Err((
            format!("a name has at most {MAX_NAME} characters, and this one has {length}"),
            "shorten it".to_owned(),
        ));
    }
    match name.chars().find(|c| !fits(*c)) {
        None => Ok(()),
        Some(c) => Err((
            format!("`{}` has `{}`, which no name can have", shown(name), shown(&c.to_string())),
            format!("write `{}`; letters, digits and . _ - + @ = are possible", made_of(name)),
        )),
    }
}

/// A thing that wants a name.
pub(super) struct Wish {
    /// The name that somebody gave it.
    pub(super) given: Option<At<String>>,
    /// The names that could be made for it, the best first.
    pub(super) made: Vec<String>,
    /// Where it is.
    pub(super) place: Place,
}

/// Two things of one name: where the second is, and the line of the first.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Twice {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) first: Place,
}

/// A name for each, all different. Names that were made change where they are like another; `numbered`: with a number
/// where no other helps. Those that were given never do.
pub(super) fn distinct(wishes: &[Wish], numbered: bool) -> (Vec<String>, Vec<Twice>) {
    let mut taken: HashMap<String, Place> = HashMap::new();
    let mut twice = Vec::new();
    for given in wishes.iter().filter_map(|wish| wish.given.as_ref()) {
        take(&mut taken, &given.value, given.place, &mut twice);
    }
    let best_made = best_made(wishes, &taken);
    let mut last: HashMap<&str, usize> = HashMap::new();
    let mut names = Vec::with_capacity(wishes.len());
    for (wish, made) in wishes.iter().zip(best_made) {
        if let Some(given) = &wish.given {
            names.push(given.value.clone());
            continue;
        }
        let best = wish.made.first().map_or("unnamed", String::as_str);
        let mut name = made.to_owned();
        if numbered && taken.contains_key(&name) {
            let number = last.entry(best).or_insert(1);
            while taken.contains_key(&name) {
                *number += 1;
                name = format!("{best}-{number}");
            }
        }
        take(&mut taken, &name, wish.place, &mut twice);
        names.push(name);
    }
    (names, twice)
}

/// For each the first of its made names that no other takes, as far as there is one.
fn best_made<'a>(wishes: &'a [Wish], given: &HashMap<String, Place>) -> Vec<&'a str> {
    let mut levels = vec![0; wishes.len()];
    let made = |wish: &'a Wish, level: usize| wish.made.get(level).map_or("unnamed", String::as_str);
    // Each round takes at least one wish a step further, and each has few.
    loop {
        let mut wanted: HashMap<&str, usize> = HashMap::new();
        for (wish, level) in wishes.iter().zip(&levels).filter(|(wish, _)| wish.given.is_none()) {
            *wanted.entry(made(wish, *level)).or_default() += 1;
        }
        let mut moved = false;
        for (wish, level) in wishes.iter().zip(&mut levels).filter(|(wish, _)| wish.given.is_none()) {
            let name = made(wish, *level);
            let alone = wanted.get(name).is_none_or(|count| *count == 1) && !given.contains_key(name);
            if !alone && *level + 1 < wish.made.len() {
                *level += 1;
                moved = true;
            }
        }
        if !moved {
            return wishes.iter().zip(levels).map(|(wish, level)| made(wish, level)).collect();
        }
    }
}

fn take(taken: &mut HashMap<String, Place>, name: &str, place: Place, twice: &mut Vec<Twice>) {
    match taken.get(name) {
        Some(first) => twice.push(Twice { name: name.to_owned(), place, first: *first }),
        None => {
            taken.insert(name.to_owned(), place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("python3 --version", "python3-version")]
    #[case("/usr/bin/app", "usr-bin-app")]
    #[case("sh -c 'echo $PATH | wc -l'", "sh-c-echo-PATH-wc-l")]
    #[case("größe", "größe")]
    #[case("$(", "unnamed")]
    #[case("a\n\u{1b}[31m", "a-31m")]
    fn names_are_made_of_what_they_name(#[case] text: &str, #[case] wanted: &str) {
        let name = made_of(text);
        assert_eq!(name, wanted);
        assert_eq!(check(&name), Ok(()));
    }

    #[test]
    fn made_names_are_short() {
        assert_eq!(made_of(&"a ".repeat(5000)).chars().count(), MAX_MADE - 1);
    }

    #[rstest]
    #[case("two words", "write `two-words`")]
    #[case("a/b", "write `a-b`")]
    #[case("", "leave the key out")]
    #[case("a\tb", "write `a-b`")]
    fn a_bad_name_gets_a_better_one(#[case] name: &str, #[case] wanted: &str) {
        let (_, hint) = check(name).unwrap_err();
        assert!(hint.contains(wanted), "{hint}");
    }

    fn wish(given: Option<&str>, made: &[&str], line: u64) -> Wish {
        let place = Place { line, column: 1 };
        Wish {
            given: given.map(|name| At { value: name.to_owned(), place }),
            made: made.iter().map(|name| (*name).to_owned()).collect(),
            place,
        }
    }

    #[test]
    fn names_that_are_alike_get_longer_or_numbers() {
        let wishes = [
            wish(None, &["alpine", "alpine-3.20"], 1),
            wish(None, &["alpine", "alpine-3.21"], 2),
            wish(None, &["debian", "debian-12"], 3),
            wish(Some("ubuntu"), &["x", "x"], 4),
            wish(None, &["ubuntu", "ubuntu-24.04"], 5),
        ];
        let (names, twice) = distinct(&wishes, false);
        assert_eq!(names, ["alpine-3.20", "alpine-3.21", "debian", "ubuntu", "ubuntu-24.04"]);
        assert_eq!(twice, []);
        let made = ["a", "a-1", "b-a"];
        let wishes = [wish(None, &made, 1), wish(None, &["a", "a-1", "c-a"], 2), wish(Some("b-a"), &[], 3)];
        let (names, twice) = distinct(&wishes, false);
        assert_eq!((names.as_slice(), twice.len()), (["b-a", "c-a", "b-a"].map(String::from).as_slice(), 1));
        let wishes = [wish(None, &["true"], 1), wish(Some("true-2"), &["true"], 2), wish(None, &["true"], 3)];
        assert_eq!(distinct(&wishes, true).0, ["true", "true-2", "true-3"]);
    }

    #[test]
    fn names_that_cannot_differ_are_told_with_both_places() {
        let twice = |wishes: &[Wish], numbered| {
            let (_, twice) = distinct(wishes, numbered);
            twice.into_iter().map(|twice| (twice.name, twice.first.line, twice.place.line)).collect::<Vec<_>>()
        };
        let given = [wish(Some("a"), &[], 1), wish(Some("b"), &[], 2), wish(Some("a"), &[], 3)];
        assert_eq!(twice(&given, true), [("a".to_owned(), 1, 3)]);
        let made = [wish(None, &["app", "app-1"], 1), wish(None, &["app", "app-1"], 2)];
        assert_eq!(twice(&made, false), [("app-1".to_owned(), 1, 2)]);
    }
}
