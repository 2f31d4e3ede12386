//! A day of the calendar, as exceptions name the one on which they end.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

/// A day, without a time and a zone: `2027-01-31`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// A day; `None` where the calendar has none of that name.
    #[must_use]
    pub const fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        if year <= 9999 && day >= 1 && day <= days_in(year, month) { Some(Self { year, month, day }) } else { None }
    }

    /// The day that it is in UTC at this time, so that a suite means the same in every zone.
    #[must_use]
    pub fn of(time: SystemTime) -> Self {
        let text = humantime::format_rfc3339_seconds(time).to_string();
        // `2018-02-14T00:28:07Z`; times that it cannot write are further away than any exception.
        text.get(..10).and_then(|day| day.parse().ok()).unwrap_or(Self { year: 9999, month: 12, day: 31 })
    }
}

/// How many days a month of the Gregorian calendar has; 0 where there is no such month.
const fn days_in(year: u16, month: u8) -> u8 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    }
}

/// Why a text is no day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DateError {
    /// Not four, two and two digits.
    #[error("a day is written YEAR-MONTH-DAY, such as 2027-01-31")]
    Form,
    /// No such day.
    #[error("the calendar has no such day")]
    NoSuchDay,
}

impl FromStr for Date {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, DateError> {
        let number = |text: Option<&str>, digits: usize| {
            let text = text.filter(|text| text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit()));
            text.and_then(|text| text.parse::<u16>().ok()).ok_or(DateError::Form)
        };
        let mut parts = text.split('-');
        let (year, month, day) = (number(parts.next(), 4)?, number(parts.next(), 2)?, number(parts.next(), 2)?);
        if parts.next().is_some() {
            return Err(DateError::Form);
        }
        let small = |number: u16| u8::try_from(number).map_err(|_| DateError::NoSuchDay);
        Self::new(year, small(month)?, small(day)?).ok_or(DateError::NoSuchDay)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::time::Duration;

    #[rstest]
    #[case("2027-01-31")]
    #[case("2028-02-29")]
    #[case("2000-02-29")]
    #[case("0001-12-31")]
    fn days_are_read_and_written(#[case] text: &str) {
        assert_eq!(text.parse::<Date>().unwrap().to_string(), text);
    }

    #[rstest]
    #[case("2027-02-29", DateError::NoSuchDay)]
    #[case("2100-02-29", DateError::NoSuchDay)]
    #[case("2027-13-01", DateError::NoSuchDay)]
    #[case("2027-04-31", DateError::NoSuchDay)]
    #[case("2027-00-10", DateError::NoSuchDay)]
    #[case("2027-01-00", DateError::NoSuchDay)]
    #[case("2027-1-31", DateError::Form)]
    #[case("31.01.2027", DateError::Form)]
    #[case("2027-01-31T00:00:00Z", DateError::Form)]
    #[case("2027-01-31-", DateError::Form)]
    #[case("+027-01-31", DateError::Form)]
    #[case("٢027-01-31", DateError::Form)]
    #[case("soon", DateError::Form)]
    #[case("", DateError::Form)]
    fn what_is_no_day_is_refused(#[case] text: &str, #[case] error: DateError) {
        assert_eq!(text.parse::<Date>(), Err(error));
    }

    #[rstest]
    #[case(0, "1970-01-01")]
    #[case(86_399, "1970-01-01")]
    #[case(86_400, "1970-01-02")]
    #[case(1_951_782_399, "2031-11-07")]
    fn a_time_is_on_a_day(#[case] seconds: u64, #[case] day: &str) {
        assert_eq!(Date::of(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).to_string(), day);
    }

    #[test]
    fn days_are_in_their_order() {
        let mut days: Vec<Date> = ["2027-02-01", "2026-12-31", "2027-01-31"].map(|day| day.parse().unwrap()).to_vec();
        days.sort();
        assert_eq!(
            days.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["2026-12-31", "2027-01-31", "2027-02-01"]
        );
    }
}
