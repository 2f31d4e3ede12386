//! Classes of characters: brackets, `\d`, `\p{..}` and POSIX's names.

use super::super::unicode_names::{CATEGORIES, SCRIPTS};
use super::{Refused, Translation};
use std::fmt::Write as _;

impl Translation<'_> {
    /// `\d` and the like, all ASCII.
    pub(super) fn perl_class(&mut self) -> Option<&'static str> {
        let classes = [
            (r"\d", "[0-9]"),
            (r"\D", "[^0-9]"),
            (r"\s", r"[\t\n\x0C\r\x20]"),
            (r"\S", r"[^\t\n\x0C\r\x20]"),
            (r"\w", "[0-9A-Za-z_]"),
            (r"\W", "[^0-9A-Za-z_]"),
        ];
        classes.into_iter().find_map(|(go, ours)| self.take(go).then_some(ours))
    }

    /// `\pN`, `\p{Greek}`, `\P{^L}`: an item of a class.
    pub(super) fn unicode_class(&mut self) -> Result<Option<String>, Refused> {
        if !self.rest.starts_with(r"\p") && !self.rest.starts_with(r"\P") {
            return Ok(None);
        }
        let mut negated = self.rest.starts_with(r"\P");
        let after = self.rest.get(2..).unwrap_or_default();
        let (mut name, rest) = match after.strip_prefix('{') {
            Some(braced) => match braced.split_once('}') {
                Some(parts) => parts,
                None => return self.refuse("the name of a class of characters is not closed"),
            },
            None => match after.chars().next() {
                Some(c) => after.split_at(c.len_utf8()),
                None => return self.refuse(r"`\p` has no name"),
            },
        };
        if let Some(bare) = name.strip_prefix('^') {
            (name, negated) = (bare, !negated);
        }
        let items = match name {
            "Any" => r"\x{0}-\x{10FFFF}".to_owned(),
            // Without what is not assigned, which Go leaves out.
            "C" => r"\p{gc=Cc}\p{gc=Cf}\p{gc=Co}".to_owned(),
            // Surrogates, of which no text has any.
            "Cs" => r"[^\x{0}-\x{10FFFF}]".to_owned(),
            _ if CATEGORIES.contains(&name) => format!(r"\p{{gc={name}}}"),
            _ if SCRIPTS.contains(&name) => format!(r"\p{{sc={name}}}"),
            _ => return self.refuse("no class of characters is called so"),
        };
        self.rest = rest;
        Ok(Some(if negated { format!("[^{items}]") } else { items }))
    }

    /// `[..]`.
    pub(super) fn class(&mut self) -> Result<String, Refused> {
        let before = self.rest;
        self.take("[");
        let mut class = String::from("[");
        if self.take("^") {
            class.push('^');
        }
        let mut first = true;
        loop {
            if self.rest.is_empty() {
                self.rest = before;
                return self.refuse("a `[` is not closed");
            }
            if !first && self.take("]") {
                class.push(']');
                return Ok(class);
            }
            first = false;
            self.class_item(&mut class)?;
        }
    }

    fn class_item(&mut self, class: &mut String) -> Result<(), Refused> {
        if let Some(named) = self.rest.strip_prefix("[:").and_then(|rest| rest.split_once(":]")) {
            let (name, rest) = named;
            let Some(posix) = posix_class(name.trim_start_matches('^')).filter(|_| !name.starts_with("^^")) else {
                return self.refuse("no class of characters is called so");
            };
            let negation = if name.starts_with('^') { "^" } else { "" };
            class.extend(["[", negation, posix, "]"]);
            self.rest = rest;
            return Ok(());
        }
        if let Some(item) = self.unicode_class()? {
            class.push_str(&item);
            return Ok(());
        }
        if let Some(item) = self.perl_class() {
            class.push_str(item);
            return Ok(());
        }
        let before = self.rest;
        let low = self.class_char()?;
        let mut high = low;
        if self.rest.starts_with('-') && !self.rest.starts_with("-]") && self.rest.len() > 1 {
            self.take("-");
            high = self.class_char()?;
            if high < low {
                self.rest = before;
                return self.refuse("a range of characters is the wrong way round");
            }
        }
        let _ = write!(class, r"\x{{{:X}}}-\x{{{:X}}}", u32::from(low), u32::from(high));
        Ok(())
    }

    fn class_char(&mut self) -> Result<char, Refused> {
        if self.rest.starts_with('\\') {
            return self.escaped_char();
        }
        match self.take_char() {
            Some(c) => Ok(c),
            None => self.refuse("a `[` is not closed"),
        }
    }
}

/// What is in one of POSIX's classes, ASCII all of them.
fn posix_class(name: &str) -> Option<&'static str> {
    Some(match name {
        "alnum" => "0-9A-Za-z",
        "alpha" => "A-Za-z",
        "ascii" => r"\x00-\x7F",
        "blank" => r"\t\x20",
        "cntrl" => r"\x00-\x1F\x7F",
        "digit" => "0-9",
        "graph" => r"\x21-\x7E",
        "lower" => "a-z",
        "print" => r"\x20-\x7E",
        "punct" => r"\x21-\x2F\x3A-\x40\x5B-\x60\x7B-\x7E",
        "space" => r"\t\n\x0B\x0C\r\x20",
        "upper" => "A-Z",
        "word" => "0-9A-Za-z_",
        "xdigit" => "0-9A-Fa-f",
        _ => return None,
    })
}
