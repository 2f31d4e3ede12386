//! Numbers as people write them: `64Gi`, `2M`.

use std::fmt;
use std::str::FromStr;

/// Suffixes and what they stand for: powers of 1024 (IEC 80000-13) and of 1000 (SI), the largest of each first.
const SUFFIXES: [(&str, u64); 8] = [
    ("Ti", 1 << 40),
    ("Gi", 1 << 30),
    ("Mi", 1 << 20),
    ("Ki", 1 << 10),
    ("T", 1_000_000_000_000),
    ("G", 1_000_000_000),
    ("M", 1_000_000),
    ("K", 1_000),
];

/// A number, read and shown with a suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quantity(pub(super) u64);

impl fmt::Display for Quantity {
    /// With the suffix that leaves the shortest number without a remainder.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = SUFFIXES.iter().filter(|(_, unit)| self.0 >= *unit && self.0.is_multiple_of(*unit));
        match whole.max_by_key(|(_, unit)| *unit) {
            Some((suffix, unit)) => write!(f, "{}{suffix}", self.0 / unit),
            None => write!(f, "{}", self.0),
        }
    }
}

/// Why a text is no number with a suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum QuantityError {
    /// Not digits, then perhaps a suffix.
    #[error(
        "a whole number is wanted, alone or with K, M, G, T (powers of 1000) or Ki, Mi, Gi, Ti (of 1024), such as 64Gi"
    )]
    Form,
    /// More than 64 bits hold.
    #[error("it is larger than any number here can be ({})", u64::MAX)]
    Large,
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, suffix) = text.split_at(end);
        let unit = match SUFFIXES.iter().find(|(name, _)| *name == suffix) {
            Some((_, unit)) => *unit,
            None if suffix.is_empty() => 1,
            None => return Err(QuantityError::Form),
        };
        if digits.is_empty() {
            return Err(QuantityError::Form);
        }
        // Digits alone fail to parse only where there are too many of them.
        let number: u64 = digits.parse().map_err(|_| QuantityError::Large)?;
        number.checked_mul(unit).map(Self).ok_or(QuantityError::Large)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("0", 0)]
    #[case("4096", 4096)]
    #[case("2K", 2_000)]
    #[case("3M", 3_000_000)]
    #[case("4G", 4_000_000_000)]
    #[case("5T", 5_000_000_000_000)]
    #[case("2Ki", 2 << 10)]
    #[case("3Mi", 3 << 20)]
    #[case("256Gi", 256 << 30)]
    #[case("5Ti", 5 << 40)]
    #[case("18446744073709551615", u64::MAX)]
    fn numbers_have_suffixes(#[case] text: &str, #[case] number: u64) {
        assert_eq!(text.parse(), Ok(Quantity(number)));
        assert_eq!(Quantity(number).to_string().parse(), Ok(Quantity(number)));
    }

    #[rstest]
    #[case("", QuantityError::Form)]
    #[case("Gi", QuantityError::Form)]
    #[case("1.5G", QuantityError::Form)]
    #[case("-1", QuantityError::Form)]
    #[case("+1", QuantityError::Form)]
    #[case(" 1", QuantityError::Form)]
    #[case("1 G", QuantityError::Form)]
    #[case("1GB", QuantityError::Form)]
    #[case("1gi", QuantityError::Form)]
    #[case("1٣", QuantityError::Form)]
    #[case("18446744073709551616", QuantityError::Large)]
    #[case("16777216Ti", QuantityError::Large)]
    fn anything_else_is_refused(#[case] text: &str, #[case] error: QuantityError) {
        assert_eq!(text.parse::<Quantity>(), Err(error));
    }

    #[rstest]
    #[case(256 << 30, "256Gi")]
    #[case(1_000_000, "1M")]
    #[case(1 << 20, "1Mi")]
    #[case(1_024_000, "1000Ki")]
    #[case(1_500, "1500")]
    #[case(0, "0")]
    fn numbers_are_shown_short(#[case] number: u64, #[case] text: &str) {
        assert_eq!(Quantity(number).to_string(), text);
    }
}
