//! Go's regular expressions (`regexp`, RE2's syntax with Perl's extensions), translated to those of the crate `regex`.
//!
//! Source: the syntax page of Go's `regexp/syntax`, and what container-structure-test 1.19.1 (Go 1.22) says to the
//! patterns in the tests. The two languages look alike and differ in what is quietly another thing: `\d`, `\s`, `\w` and
//! `\b` are ASCII, `&&`, `--` and `[` in a class are themselves, `\Q..\E` quotes, `\z` is the end and so is `$`. So every
//! piece is written anew, with its flags at the piece itself, and nothing of the pattern is passed through.
//!
//! Only whether a pattern matches is of interest: what is captured, and how greedily, is left out.

mod class;

/// How many groups may lie within each other. Go allows 1000.
const MAX_DEPTH: usize = 50;

/// How often a piece may be repeated, all repetitions around it multiplied (Go's `syntax.ErrInvalidRepeatSize`).
const MAX_REPEAT: u32 = 1000;

/// Why a pattern is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}, at its character {at}")]
pub(super) struct Refused {
    /// What is wrong, in half a sentence.
    pub(super) why: String,
    /// Which character of the pattern it is, from 1.
    pub(super) at: usize,
}

/// A pattern of Go in the language of the crate `regex`.
pub(super) fn translate(pattern: &str) -> Result<String, Refused> {
    let mut translation = Translation {
        whole: pattern,
        rest: pattern,
        out: String::with_capacity(pattern.len() + 16),
        flags: Flags::default(),
        groups: vec![Group { start: 0, flags: Flags::default(), product: 1 }],
        last: None,
        after_repeat: false,
    };
    translation.run()?;
    Ok(translation.out)
}

#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    fold: bool,
    lines: bool,
    dot_all: bool,
}

/// A group that is open.
struct Group {
    /// Where it begins in the output.
    start: usize,
    /// The flags around it.
    flags: Flags,
    /// The most that anything in it is repeated.
    product: u32,
}

/// What a repetition would repeat.
struct Atom {
    start: usize,
    product: u32,
    /// It is a repetition already, flags standing between.
    is_repetition: bool,
}

struct Translation<'p> {
    whole: &'p str,
    rest: &'p str,
    out: String,
    flags: Flags,
    groups: Vec<Group>,
    last: Option<Atom>,
    after_repeat: bool,
}

impl<'p> Translation<'p> {
    fn refuse<T>(&self, why: impl Into<String>) -> Result<T, Refused> {
        let read = self.whole.len().saturating_sub(self.rest.len());
        let at = self.whole.get(..read).map_or(0, |read| read.chars().count()) + 1;
        Err(Refused { why: why.into(), at })
    }

    /// Takes this off the rest, where it begins with it.
    fn take(&mut self, start: &str) -> bool {
        let rest = self.rest.strip_prefix(start);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn take_char(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = self.rest.get(c.len_utf8()..).unwrap_or_default();
        Some(c)
    }

    fn run(&mut self) -> Result<(), Refused> {
        while let Some(first) = self.rest.chars().next() {
            let after_repeat = std::mem::take(&mut self.after_repeat);
            match first {
                '(' => self.open()?,
                ')' => self.close()?,
                '|' => {
                    self.take_char();
                    self.settle();
                    self.out.push('|');
                }
                '*' | '+' | '?' => {
                    let before = self.rest;
                    self.take_char();
                    self.repeat(&first.to_string(), None, before, after_repeat)?;
                }
                '{' => self.counted(after_repeat)?,
                '[' => {
                    let class = self.class()?;
                    self.atom(&class, true);
                }
                '\\' => self.escape()?,
                '^' | '$' | '.' => {
                    self.take_char();
                    let text = match (first, self.flags) {
                        ('^', Flags { lines: true, .. }) => "(?m:^)",
                        ('^', _) => r"\A",
                        ('$', Flags { lines: true, .. }) => "(?m:$)",
                        ('$', _) => r"\z",
                        (_, Flags { dot_all: true, .. }) => "(?s:.)",
                        (..) => r"[^\n]",
                    };
                    self.atom(text, false);
                }
                literal => {
                    self.take_char();
                    self.literal(literal);
                }
            }
        }
        self.settle();
        if self.groups.len() > 1 { self.refuse("a `(` is not closed") } else { Ok(()) }
    }

    /// No repetition can reach what was written so far.
    fn settle(&mut self) {
        if let (Some(atom), Some(group)) = (self.last.take(), self.groups.last_mut()) {
            group.product = group.product.max(atom.product);
        }
    }

    fn atom(&mut self, text: &str, folds: bool) {
        self.settle();
        self.last = Some(Atom { start: self.out.len(), product: 1, is_repetition: false });
        if folds && self.flags.fold {
            self.out.extend(["(?i:", text, ")"]);
        } else {
            self.out.push_str(text);
        }
    }

    fn literal(&mut self, c: char) {
        self.atom(&regex::escape(c.encode_utf8(&mut [0; 4])), true);
    }

    fn open(&mut self) -> Result<(), Refused> {
        if self.rest.starts_with("(?P<") || self.rest.starts_with("(?<") {
            self.name()?;
        } else if self.rest.starts_with("(?") {
            return self.flags();
        } else {
            self.take("(");
        }
        self.begin(self.flags)
    }

    /// A group begins. `outside`: the flags to go back to.
    fn begin(&mut self, outside: Flags) -> Result<(), Refused> {
        if self.groups.len() > MAX_DEPTH {
            return self.refuse(format!("more than {MAX_DEPTH} groups lie within each other"));
        }
        self.settle();
        self.groups.push(Group { start: self.out.len(), flags: outside, product: 1 });
        self.out.push_str("(?:");
        Ok(())
    }

    fn close(&mut self) -> Result<(), Refused> {
        self.settle();
        if self.groups.len() < 2 {
            return self.refuse("a `)` has no `(`");
        }
        self.take(")");
        if let Some(group) = self.groups.pop() {
            self.out.push(')');
            self.flags = group.flags;
            self.last = Some(Atom { start: group.start, product: group.product, is_repetition: false });
        }
        Ok(())
    }

    /// `(?P<name>` and `(?<name>`: what is captured is of no interest, but the name has to be one. Two may have
    /// the same.
    fn name(&mut self) -> Result<(), Refused> {
        let Some((start, _)) = self.rest.split_once('>') else {
            return self.refuse("the name of a group is not closed");
        };
        let name = start.rsplit('<').next().unwrap_or_default();
        let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !is_name || start.matches('<').count() != 1 {
            return self.refuse("a group has a name that is none, or looks around, which Go's patterns cannot");
        }
        self.rest = self.rest.get(start.len() + 1..).unwrap_or_default();
        Ok(())
    }

    /// `(?flags)` and `(?flags:`.
    fn flags(&mut self) -> Result<(), Refused> {
        let outside = self.flags;
        let (mut flags, mut on, mut saw) = (self.flags, true, false);
        let mut rest = self.rest.get(2..).unwrap_or_default().chars();
        loop {
            match rest.next() {
                Some('i') => flags.fold = on,
                Some('m') => flags.lines = on,
                Some('s') => flags.dot_all = on,
                Some('U') => {}
                Some('-') if on => {
                    (on, saw) = (false, false);
                    continue;
                }
                Some(end @ (':' | ')')) if on || saw => {
                    self.flags = flags;
                    self.rest = rest.as_str();
                    return if end == ':' { self.begin(outside) } else { Ok(()) };
                }
                _ => return self.refuse("what follows `(?` is none of Go's flags, or no group"),
            }
            saw = true;
        }
    }

    /// `{2}`, `{2,}`, `{2,3}`; else the brace is itself.
    fn counted(&mut self, after_repeat: bool) -> Result<(), Refused> {
        let before = self.rest;
        let Some((min, max, rest)) = counts(before) else {
            self.take_char();
            self.literal('{');
            return Ok(());
        };
        if min > MAX_REPEAT || max.is_some_and(|max| max > MAX_REPEAT || min > max) {
            return self
                .refuse(format!("a repetition is more than {MAX_REPEAT}, or its bounds are the wrong way round"));
        }
        self.rest = rest;
        let text = match max {
            Some(max) => format!("{{{min},{max}}}"),
            None => format!("{{{min},}}"),
        };
        self.repeat(&text, Some((min, max)), before, after_repeat)
    }

    fn repeat(
        &mut self,
        text: &str,
        counts: Option<(u32, Option<u32>)>,
        before: &'p str,
        after_repeat: bool,
    ) -> Result<(), Refused> {
        self.take("?");
        let rest = std::mem::replace(&mut self.rest, before);
        if after_repeat {
            return self.refuse("a repetition follows a repetition");
        }
        let Some(atom) = &mut self.last else { return self.refuse("there is nothing to repeat") };
        if let Some((min, max)) = counts {
            let most = max.unwrap_or(min);
            atom.product = match (max, most) {
                (Some(0), _) => 0,
                (_, 0) => atom.product,
                (..) => atom.product.saturating_mul(most),
            };
            if most >= 2 && atom.product > MAX_REPEAT {
                return self.refuse(format!("repetitions within each other make more than {MAX_REPEAT}"));
            }
        }
        self.rest = rest;
        if atom.is_repetition {
            self.out.insert_str(atom.start, "(?:");
            self.out.push(')');
        }
        atom.is_repetition = true;
        self.out.push_str(text);
        self.after_repeat = true;
        Ok(())
    }

    /// A backslash outside of a class.
    fn escape(&mut self) -> Result<(), Refused> {
        let plain = [(r"\A", r"\A"), (r"\z", r"\z"), (r"\b", r"(?-u:\b)"), (r"\B", r"(?-u:\B)")];
        for (go, ours) in plain {
            if self.take(go) {
                self.atom(ours, false);
                return Ok(());
            }
        }
        if self.rest.starts_with(r"\C") {
            return self.refuse(r"`\C`, one byte, is not supported");
        }
        if self.take(r"\Q") {
            let (quoted, rest) = self.rest.split_once(r"\E").unwrap_or((self.rest, ""));
            self.rest = rest;
            for c in quoted.chars() {
                self.literal(c);
            }
            return Ok(());
        }
        if let Some(class) = self.unicode_class()? {
            self.atom(&format!("[{class}]"), true);
        } else if let Some(class) = self.perl_class() {
            self.atom(class, true);
        } else {
            let c = self.escaped_char()?;
            self.literal(c);
        }
        Ok(())
    }

    /// A backslash that stands for one character.
    fn escaped_char(&mut self) -> Result<char, Refused> {
        let before = self.rest;
        self.take_char();
        let Some(c) = self.take_char() else {
            self.rest = before;
            return self.refuse("it ends with a backslash");
        };
        let found = match c {
            'a' => Some('\u{7}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\u{b}'),
            'x' => self.hexadecimal(),
            // A single digit that is not 0 would refer back.
            '0' => Some(self.octal(0)),
            '1'..='7' if self.rest.starts_with(|c: char| ('0'..='7').contains(&c)) => {
                Some(self.octal(c.to_digit(8).unwrap_or_default()))
            }
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(c),
            _ => None,
        };
        match found {
            Some(c) => Ok(c),
            None => {
                self.rest = before;
                self.refuse("Go's patterns have no such escape")
            }
        }
    }

    /// `\012`: up to three digits in all.
    fn octal(&mut self, first: u32) -> char {
        let mut value = first;
        for _ in 0..2 {
            let Some(digit) = self.rest.chars().next().and_then(|c| c.to_digit(8)) else { break };
            self.take_char();
            value = value * 8 + digit;
        }
        char::from_u32(value).unwrap_or_default()
    }

    /// `\x7F` and `\x{10FFFF}`.
    fn hexadecimal(&mut self) -> Option<char> {
        let digits = if self.take("{") {
            let (digits, rest) = self.rest.split_once('}')?;
            self.rest = rest;
            digits
        } else {
            let (digits, rest) = self.rest.split_at_checked(2)?;
            self.rest = rest;
            digits
        };
        let are_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
        // Go takes a surrogate too, as a character that never comes.
        if are_digits { char::from_u32(u32::from_str_radix(digits, 16).ok()?) } else { None }
    }
}

/// The bounds at the start of this, and what follows them. A number that is far too large is still one.
fn counts(text: &str) -> Option<(u32, Option<u32>, &str)> {
    let (inside, rest) = text.strip_prefix('{')?.split_once('}')?;
    let number = |digits: &str| {
        let is_number = !digits.is_empty()
            && digits.bytes().all(|b| b.is_ascii_digit())
            && (digits.len() == 1 || !digits.starts_with('0'));
        is_number.then(|| digits.parse::<u32>().unwrap_or(u32::MAX))
    };
    let (min, max) = match inside.split_once(',') {
        None => (number(inside)?, Some(number(inside)?)),
        Some((min, "")) => (number(min)?, None),
        Some((min, max)) => (number(min)?, Some(number(max)?)),
    };
    Some((min, max, rest))
}

#[cfg(test)]
mod tests;
