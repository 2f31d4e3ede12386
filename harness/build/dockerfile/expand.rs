//! Variables in an instruction, as BuildKit's `shell` package expands them.

use super::scope::Variables;

/// A value may have this many bytes once it is expanded.
const MAX_VALUE: usize = 4 << 10;
/// `${A:-${B:-...}}` may go this deep.
const MAX_DEPTH: usize = 16;

/// A text with its variables expanded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expanded {
    /// What it says, without quotes.
    pub text: String,
    /// The variables that stand in it and are not set: they count as empty.
    pub unset: Vec<String>,
    /// The variables that stand in it and are set.
    pub set: Vec<String>,
}

/// Why a text cannot be expanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// A quote or a brace does not end, or nothing stands in the braces.
    #[error("a quote or `${{` in it does not end")]
    Syntax,
    /// `${X#prefix}`, `${X/a/b}`, `${X:?message}`.
    #[error("it has a form of `${{...}}` that mpcheck does not evaluate")]
    Unsupported,
    /// Longer than any platform or name.
    #[error("it expands to more than {MAX_VALUE} bytes, or too deep")]
    TooLarge,
}

/// Expands all variables of a text.
///
/// # Errors
/// When it is not valid, or in a form that is not evaluated.
pub fn expand(text: &str, variables: &Variables, escape: char) -> Result<Expanded, ExpandError> {
    let mut walk = Walk { rest: text, variables, escape, found: Expanded::default() };
    walk.found.text = walk.until(None, 0)?;
    Ok(walk.found)
}

struct Walk<'a> {
    rest: &'a str,
    variables: &'a Variables,
    escape: char,
    found: Expanded,
}

impl Walk<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = self.rest.get(c.len_utf8()..).unwrap_or_default();
        Some(c)
    }

    /// Everything up to this character, or to the end where there is none.
    fn until(&mut self, stop: Option<char>, depth: usize) -> Result<String, ExpandError> {
        if depth > MAX_DEPTH {
            return Err(ExpandError::TooLarge);
        }
        let mut out = String::new();
        let mut doubly_quoted = false;
        while let Some(c) = self.next() {
            match c {
                _ if stop == Some(c) && !doubly_quoted => return Ok(out),
                '\'' if !doubly_quoted => out.push_str(self.single_quoted()?),
                '"' => doubly_quoted = !doubly_quoted,
                '$' => out.push_str(&self.variable(depth)?),
                c if c == self.escape => match self.next() {
                    // In double quotes it escapes only what means something there.
                    Some(next) if doubly_quoted && !matches!(next, '"' | '$') && next != self.escape => {
                        out.extend([c, next]);
                    }
                    next => out.extend(next),
                },
                c => out.push(c),
            }
            if out.len() > MAX_VALUE {
                return Err(ExpandError::TooLarge);
            }
        }
        if stop.is_some() || doubly_quoted { Err(ExpandError::Syntax) } else { Ok(out) }
    }

    fn single_quoted(&mut self) -> Result<&str, ExpandError> {
        let (inside, after) = self.rest.split_once('\'').ok_or(ExpandError::Syntax)?;
        self.rest = after;
        Ok(inside)
    }

    /// What stands after a `$`.
    fn variable(&mut self, depth: usize) -> Result<String, ExpandError> {
        let Some(braced) = self.rest.strip_prefix('{') else {
            let name = self.name();
            return Ok(if name.is_empty() { "$".to_owned() } else { self.value(&name).unwrap_or_default() });
        };
        self.rest = braced;
        let name = self.name();
        if name.is_empty() {
            return Err(ExpandError::Syntax);
        }
        let value = self.value(&name);
        let (value, form) = match self.next() {
            Some('}') => return Ok(value.unwrap_or_default()),
            Some(':') => (value.filter(|value| !value.is_empty()), self.next()),
            form => (value, form),
        };
        match form {
            Some('-') => self.until(Some('}'), depth + 1).map(|other| value.unwrap_or(other)),
            Some('+') => self.until(Some('}'), depth + 1).map(|other| value.map_or_else(String::new, |_| other)),
            Some(_) => Err(ExpandError::Unsupported),
            None => Err(ExpandError::Syntax),
        }
    }

    fn name(&mut self) -> String {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (name, after) = self.rest.split_at_checked(end).unwrap_or_default();
        self.rest = after;
        name.to_owned()
    }

    fn value(&mut self, name: &str) -> Option<String> {
        let value = self.variables.get(name).map(str::to_owned);
        let list = if value.is_some() { &mut self.found.set } else { &mut self.found.unset };
        if !list.iter().any(|known| known == name) {
            list.push(name.to_owned());
        }
        value
    }
}

/// Puts in what is known of `$X` and `${X}` and leaves everything else as it is: what a shell will see, roughly.
#[must_use]
pub fn substitute(text: &str, variables: &Variables) -> String {
    /// So much may come in addition, whatever the values.
    const MAX_ADDED: usize = 64 << 10;
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut added = 0;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let braced = after.strip_prefix('{');
        let body = braced.unwrap_or(after);
        let end = body.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(body.len());
        let (name, behind) = body.split_at_checked(end).unwrap_or_default();
        let behind = if braced.is_some() { behind.strip_prefix('}') } else { Some(behind) };
        match behind.and_then(|behind| Some((variables.get(name)?, behind))) {
            Some((value, behind)) if added + value.len() <= MAX_ADDED => {
                out.push_str(value);
                added += value.len();
                rest = behind;
            }
            _ => {
                out.push('$');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}
