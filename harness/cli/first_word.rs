//! A first word that was meant as a command, and would be looked up as an image.

use super::arguments::CommandLine;
use super::failure::Failure;
use crate::image::reference::ImageName;
use clap::CommandFactory as _;
use std::path::Path;

/// Why the first word is no image's name, if it is none.
///
/// `exists` says whether something lies at a path; `words` are all that was typed beside options.
pub(super) fn mistaken(words: &[String], exists: impl Fn(&Path) -> bool) -> Option<Failure> {
    let (word, others) = words.split_first()?;
    if !word.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-') || exists(Path::new(word)) {
        return None;
    }
    // `Check` is no image's name either.
    let image = ImageName::parse(word).ok().map(|_| format!("an image of that name is `docker://{word}`"));
    let (command, takes_words) = nearest(word)?;
    if others.is_empty() && takes_words {
        // `mpcheck chekc` alone is as good an image as any.
        return None;
    }
    if command == *word {
        let failure = Failure::usage(format!("`{word}` is a command, and stands before all options but --color"));
        let written = format!("write `mpcheck {word} …`");
        return Some(failure.hint([written].into_iter().chain(image).collect::<Vec<_>>().join("; ")));
    }
    let rest = if others.is_empty() { "" } else { " …" };
    let failure = Failure::usage(format!("`{word}` is no command; did you mean `mpcheck {command}{rest}`?"));
    Some(match image {
        Some(image) => failure.hint(image),
        None => failure,
    })
}

/// The command that a word nearly is, and whether it takes further words.
fn nearest(word: &str) -> Option<(String, bool)> {
    // No command is longer, and comparing takes the product of both lengths.
    let word: String = word.chars().take(24).collect::<String>().to_ascii_lowercase();
    let commands = CommandLine::command();
    let rated = commands.get_subcommands().map(|command| {
        let name = command.get_name();
        (strsim::damerau_levenshtein(&word, name), name, command.get_positionals().next().is_some())
    });
    // One mistake in three letters: `chekc` is check, and `helm` or `chef` is nothing. None in a short name: `ghost` is an
    // image that many have, and one letter away from `host`.
    let meant =
        |(distance, name, _): &(usize, &str, bool)| *distance == 0 || name.len() > 4 && distance * 3 <= name.len();
    let (_, name, takes_words) = rated.filter(meant).min()?;
    Some((name.to_owned(), takes_words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn told(words: &[&str]) -> Option<(String, String)> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let failure = mistaken(&words, |path| path == Path::new("chek"))?;
        assert_eq!(failure.exit_code(), 2);
        Some((failure.to_string(), failure.next_step().unwrap().to_owned()))
    }

    #[rstest]
    #[case(&["chekc", "alpine"], "`mpcheck check …`")]
    #[case(&["cheek", "alpine"], "`mpcheck check …`")]
    #[case(&["explan", "binary/malformed"], "`mpcheck explain …`")]
    #[case(&["exlpian", "manifest"], "`mpcheck explain …`")]
    #[case(&["completion", "bash"], "`mpcheck completions …`")]
    #[case(&["schemas", "report"], "`mpcheck schema …`")]
    // `rules` stands alone.
    #[case(&["rule"], "`mpcheck rules`")]
    #[case(&["ruels"], "`mpcheck rules`")]
    fn a_command_that_is_misspelt_is_suggested(#[case] words: &[&str], #[case] command: &str) {
        let (message, hint) = told(words).unwrap();
        assert!(message.ends_with(&format!("did you mean {command}?")), "{message}");
        assert_eq!(hint, format!("an image of that name is `docker://{}`", words[0]));
    }

    #[test]
    fn what_can_be_no_image_is_not_told_how_to_be_one() {
        let failure = mistaken(&["Check".to_owned(), "alpine".to_owned()], |_| false).unwrap();
        assert_eq!(failure.to_string(), "`Check` is no command; did you mean `mpcheck check …`?");
        assert_eq!(failure.next_step(), None);
    }

    #[test]
    fn a_command_behind_options_is_told_its_place() {
        let (message, hint) = told(&["check", "alpine"]).unwrap();
        assert!(message.contains("before all options"), "{message}");
        assert!(hint.contains("`mpcheck check …`"), "{hint}");
    }

    #[rstest]
    #[case(&[])]
    #[case(&["alpine"])]
    #[case(&["chekc"])]
    #[case(&["ghost", "nginx"])]
    #[case(&["ghost"])]
    #[case(&["hosts"])]
    #[case(&["helm", "alpine"])]
    #[case(&["chef", "alpine"])]
    #[case(&["chess", "alpine"])]
    #[case(&["hosts", "alpine"])]
    #[case(&["chekc:1", "alpine"])]
    #[case(&["team/chekc", "alpine"])]
    #[case(&["docker://chekc", "alpine"])]
    #[case(&["./test"])]
    #[case(&["test:1"])]
    // What lies here is meant.
    #[case(&["chek", "alpine"])]
    #[case(&["alpine", "check"])]
    fn other_words_are_images(#[case] words: &[&str]) {
        assert_eq!(told(words), None);
    }
}
