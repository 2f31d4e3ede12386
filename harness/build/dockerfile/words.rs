//! Words, quotes and flags, as BuildKit's `parser` splits them.

/// What becomes of quotes and escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    /// They stay in the words.
    Kept,
    /// They are taken out.
    Removed,
}

/// The words of a text; `None` where a quote does not end.
pub(super) fn split(text: &str, escape: char, quotes: Quotes) -> Option<Vec<String>> {
    let kept = quotes == Quotes::Kept;
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        if quote.is_none() && c.is_whitespace() {
            words.extend(word.take());
            continue;
        }
        let word = word.get_or_insert_default();
        if c == escape && quote != Some('\'') {
            if kept {
                word.push(c);
            }
            word.extend(characters.next());
        } else if Some(c) == quote || quote.is_none() && matches!(c, '"' | '\'') {
            quote = if quote.is_some() { None } else { Some(c) };
            if kept {
                word.push(c);
            }
        } else {
            word.push(c);
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// The flags (`--chmod=755`) that an instruction begins with, and the rest.
pub(super) fn flags(arguments: &str) -> (Vec<String>, &str) {
    let mut flags = Vec::new();
    let mut rest = arguments.trim_start();
    while let Some(flag) = rest.strip_prefix("--") {
        let end = end_of_word(flag);
        let (word, after) = flag.split_at_checked(end).unwrap_or((flag, ""));
        rest = after.trim_start();
        if word.is_empty() {
            break;
        }
        // A quote that does not end: BuildKit takes all the rest.
        let word = split(word, '\\', Quotes::Removed).and_then(|words| words.into_iter().next());
        flags.extend(word);
    }
    (flags, rest.trim_end())
}

/// Where the first word ends, quotes being part of it.
fn end_of_word(text: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (_, '\\') => escaped = true,
            (None, c) if c.is_whitespace() => return at,
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    text.len()
}
