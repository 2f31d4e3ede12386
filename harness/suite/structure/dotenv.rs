//! Files of variables, as the library godotenv 1.5.1 reads them, which container-structure-test uses for `envFile`.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// The variables of a file, or why it is none: then none of it counts.
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, String>, String> {
    let text = text.replace("\r\n", "\n");
    let mut chars = text.chars().peekable();
    let mut variables = BTreeMap::new();
    while start_of_statement(&mut chars) {
        let name = name(&mut chars)?;
        let value = value(&mut chars, &variables)?;
        variables.insert(name, value);
    }
    // Nothing can have it in its environment.
    variables.remove("");
    Ok(variables)
}

/// What is space within a line.
fn is_space(c: char) -> bool {
    matches!(c, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}')
}

/// Goes to the next statement; `false` where there is none.
fn start_of_statement(chars: &mut Peekable<Chars<'_>>) -> bool {
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        match chars.peek() {
            None => return false,
            Some('#') => while chars.next_if(|c| *c != '\n').is_some() {},
            Some(_) => return true,
        }
    }
}

fn name(chars: &mut Peekable<Chars<'_>>) -> Result<String, String> {
    let mut name = String::new();
    loop {
        match chars.next() {
            Some('=' | ':') => break,
            Some(c) if c == '_' || c == '.' || c.is_alphabetic() || c.is_numeric() || is_space(c) => name.push(c),
            Some(c) => return Err(format!("{c:?} stands in the name of a variable")),
            None => return Err("its last line has no `=`".to_owned()),
        }
    }
    let bare = name.strip_prefix("export").filter(|rest| rest.starts_with(is_space)).unwrap_or(&name);
    Ok(bare.trim_matches(is_space).to_owned())
}

fn value(chars: &mut Peekable<Chars<'_>>, variables: &BTreeMap<String, String>) -> Result<String, String> {
    while chars.next_if(|c| is_space(*c)).is_some() {}
    match chars.peek() {
        Some(&quote @ ('"' | '\'')) => {
            chars.next();
            let inside = quoted(chars, quote)?;
            Ok(if quote == '"' { put_in(&unescaped(&inside), variables) } else { inside })
        }
        _ => {
            let mut line = String::new();
            while let Some(c) = chars.next_if(|c| !matches!(c, '\n' | '\r')) {
                line.push(c);
            }
            Ok(put_in(without_comment(&line).trim_matches(is_space), variables))
        }
    }
}

/// Up to the quote that no backslash stands before.
fn quoted(chars: &mut Peekable<Chars<'_>>, quote: char) -> Result<String, String> {
    let mut inside = String::new();
    for c in chars {
        if c == quote && !inside.ends_with('\\') {
            return Ok(inside.trim_matches(quote).to_owned());
        }
        inside.push(c);
    }
    Err("a quote is not closed".to_owned())
}

/// The last `#` after a space begins a comment.
fn without_comment(line: &str) -> &str {
    let hashes = line.rmatch_indices('#').map(|(at, _)| line.get(..at).unwrap_or_default());
    hashes.into_iter().find(|before| before.ends_with(is_space)).unwrap_or(line)
}

/// `\n` and `\r`, and else the character itself; a dollar keeps its backslash.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('r')) => out.push('\r'),
            ('\\', Some('$')) => out.push_str("\\$"),
            ('\\', Some(other)) => out.push(other),
            (c, _) => out.push(c),
        }
    }
    out
}

/// `$NAME` and `${NAME}` of the variables above, in capital letters only.
fn put_in(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        if let Some(escaped) = before.strip_suffix('\\') {
            out.extend([escaped, "$"]);
            rest = after;
            continue;
        }
        out.push_str(before);
        let inside = after.strip_prefix('(').unwrap_or(after);
        let inside = inside.strip_prefix('{').unwrap_or(inside);
        let end = inside.bytes().position(|b| !matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b'_')).unwrap_or(inside.len());
        let (name, behind) = inside.split_at(end);
        if name.is_empty() {
            out.push('$');
            rest = after;
        } else {
            out.push_str(variables.get(name).map_or("", String::as_str));
            rest = behind.strip_prefix('}').unwrap_or(behind);
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// Each row is what container-structure-test 1.19.1 gave to a command, with A=1 above it.
    #[rstest]
    #[case("B=\"two words\"", "two words")]
    #[case("B=${A}x", "1x")]
    #[case("export B=4", "4")]
    #[case("B: five", "five")]
    #[case("B='$A'", "$A")]
    #[case("B=\"a\\nb\"", "a\nb")]
    #[case("B=x # comment", "x")]
    #[case("B=", "")]
    #[case("B=a b", "a b")]
    #[case("B=$GREETING", "")]
    #[case("B=\"$A y\"", "1 y")]
    #[case("B=a#b", "a#b")]
    #[case("B=  sp  ", "sp")]
    #[case("B=\"q # r\" # s", "q # r")]
    #[case("B=`x`", "`x`")]
    #[case("B=\\$A", "$A")]
    #[case("B=\"multi\nline\"", "multi\nline")]
    fn a_value_is_read(#[case] line: &str, #[case] wanted: &str) {
        let variables = parse(&format!("A=1\n# comment\n\n{line}\nC=2\n")).unwrap();
        assert_eq!(variables["B"], wanted);
        assert_eq!((variables["C"].as_str(), variables.len()), ("2", 3));
    }

    #[rstest]
    #[case("NOEQ\n")]
    #[case("A=\"unclosed\n")]
    #[case("A.B=x\nC-D=y\n")]
    fn what_is_none_is_said(#[case] text: &str) {
        parse(text).unwrap_err();
    }

    #[test]
    fn a_variable_without_a_name_is_left_out() {
        assert_eq!(parse("=x\n1A=x\n").unwrap().keys().collect::<Vec<_>>(), ["1A"]);
    }
}
