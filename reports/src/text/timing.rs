//! Where the time went.

use super::page::{Ink, Page};
use super::table::{Lean, Table};
use crate::model::{Report, Timing};

/// Shows what took how long, the longest first.
pub(super) fn show(page: &mut Page, report: &Report) {
    if report.timings.is_empty() {
        return;
    }
    page.blank();
    let title = page.paint(Ink::Strong, "where the time went");
    page.line(&format!("{title} (what ran side by side adds up to more than the whole)"));
    let mut timings: Vec<&Timing> = report.timings.iter().collect();
    timings.sort_by(|left, right| {
        right.duration_ms.cmp(&left.duration_ms).then_with(|| (&left.what, left.bytes).cmp(&(&right.what, right.bytes)))
    });
    let rows = timings.iter().map(|timing| {
        let size = timing.bytes.map(bytes).unwrap_or_default();
        let rate = timing.bytes.and_then(|bytes| rate(bytes, timing.duration_ms)).unwrap_or_default();
        let how = page.clean(timing.how.as_deref().unwrap_or_default());
        [duration(timing.duration_ms), size, rate, page.clean(&timing.what), how].map(|text| (Ink::Plain, text)).into()
    });
    let columns = vec![Lean::Right, Lean::Right, Lean::Right, Lean::Left, Lean::Left];
    let table = Table { columns, rows: rows.collect() };
    table.show(page, 2);
}

/// `850 ms`, `12.3 s`, `2 min 5 s`
pub(super) fn duration(milliseconds: u64) -> String {
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{}.{} s", milliseconds / 1_000, milliseconds % 1_000 / 100),
        _ => format!("{} min {} s", milliseconds / 60_000, milliseconds % 60_000 / 1_000),
    }
}

/// `512 B`, `1.5 MiB`
fn bytes(count: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.iter().find(|(_, power)| count >> power > 0) {
        // In integers: a tenth of a unit is exact enough, and never rounds up to a thousand.
        Some((unit, power)) => {
            let tenths = (count >> (power - 10)) * 10 / 1024;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{count} B"),
    }
}

/// Bytes over time; nothing where the time is too short to divide by.
fn rate(count: u64, milliseconds: u64) -> Option<String> {
    let per_second = u128::from(count) * 1_000 / u128::from((milliseconds > 0).then_some(milliseconds)?);
    Some(format!("{}/s", bytes(u64::try_from(per_second).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(0, "0 ms")]
    #[case(999, "999 ms")]
    #[case(1_000, "1.0 s")]
    #[case(59_999, "59.9 s")]
    #[case(60_000, "1 min 0 s")]
    #[case(u64::MAX, "307445734561825 min 51 s")]
    fn durations(#[case] milliseconds: u64, #[case] wanted: &str) {
        assert_eq!(duration(milliseconds), wanted);
    }

    #[rstest]
    #[case(0, "0 B")]
    #[case(1023, "1023 B")]
    #[case(1024, "1.0 KiB")]
    #[case(1536 << 10, "1.5 MiB")]
    #[case((1 << 30) - 1, "1023.9 MiB")]
    #[case(u64::MAX, "17179869183.9 GiB")]
    fn sizes(#[case] count: u64, #[case] wanted: &str) {
        assert_eq!(bytes(count), wanted);
    }

    #[rstest]
    #[case(40 << 20, 800, Some("50.0 MiB/s"))]
    #[case(40 << 20, 0, None)]
    #[case(u64::MAX, 1, None)]
    fn rates(#[case] count: u64, #[case] milliseconds: u64, #[case] wanted: Option<&str>) {
        assert_eq!(rate(count, milliseconds).as_deref(), wanted);
    }
}
