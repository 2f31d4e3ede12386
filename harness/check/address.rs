//! Addresses in the text of an instruction, and the architectures that they name.

use crate::platform::{Architecture, Machine, named_in};

/// The words of an instruction that are addresses.
pub(crate) fn addresses(text: &str) -> impl Iterator<Item = &str> {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';' | '(' | ')');
    text.split(is_end).filter(|word| word.contains("://"))
}

/// Whether a text names an architecture, also by a word that is vague.
pub(crate) fn names(row: &'static Architecture, text: &str) -> bool {
    Machine::Architecture(row).is_named_in(text.as_bytes())
}

/// The one architecture that a text names; `None` where it names none, several, or is vague (`x86`, `arm`).
///
/// A lone `386` is a number as often as it is an architecture: it counts beside `linux` only.
pub(crate) fn only_named(text: &str) -> Option<&'static Architecture> {
    let named = named_in(text.as_bytes());
    let [row] = named.as_slice() else { return None };
    let words = || text.split(|c: char| !c.is_ascii_alphanumeric());
    let is_said = |spelling: &&&str| words().any(|word| word.eq_ignore_ascii_case(spelling));
    let is_number = row.name == "386" && row.spellings.iter().filter(is_said).all(|spelling| *spelling == "386");
    (!is_number || words().any(|word| word.eq_ignore_ascii_case("linux"))).then_some(*row)
}
