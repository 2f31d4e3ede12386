//! How platforms were run: natively or emulated, by what, and as which machine.

use super::fold::grouped;
use super::page::{Ink, Page};
use crate::model::{Platform, RunHow, RunSummary};

/// Shows one line for all platforms that were run alike. Seven platforms under one qemu are one thing to know.
pub(super) fn show(page: &mut Page, platforms: &[Platform]) {
    let verbose = page.options().verbose;
    let ran = platforms.iter().filter_map(|platform| Some((platform, platform.run.as_ref()?)));
    let alike = grouped(ran, |(_, run)| (under(run, verbose), run.runner.as_str(), reason(run, verbose)));
    if !alike.is_empty() {
        page.blank();
    }
    for members in alike {
        let Some((_, run)) = members.first() else { continue };
        let place = match run.runner.as_str() {
            "sandbox" => "the sandbox",
            "docker" => "Docker",
            other => other,
        };
        let how = page.clean(&format!("in {place} {}: ", under(run, verbose)));
        let names: Vec<String> = members.iter().map(|(platform, run)| name(platform, run)).collect();
        let mut text = names.join(", ");
        if let Some(reason) = reason(run, verbose) {
            text = format!("{text}; {reason}");
        }
        let label = [(Ink::Plain, "  "), (Ink::Strong, "ran"), (Ink::Plain, " "), (Ink::Plain, how.as_str())];
        let text = page.clean(&text);
        page.paragraph(&label, 4, Ink::Plain, &text);
    }
}

/// `linux/arm64 (aarch64)`: the platform, and what it says of its machine.
fn name(platform: &Platform, run: &RunSummary) -> String {
    match &run.machine {
        Some(machine) => format!("{} ({machine})", platform.platform),
        None => platform.platform.clone(),
    }
}

/// `natively`, or `under qemu 7.2.22`: which of its programs it was follows from the platform. With `--verbose` all
/// that is known of it.
fn under(run: &RunSummary, verbose: bool) -> String {
    match (&run.emulator, run.how) {
        (_, RunHow::Native) => "natively".to_owned(),
        (None, RunHow::Emulated) => "under an emulator".to_owned(),
        (Some(emulator), RunHow::Emulated) if verbose => format!("under {emulator}"),
        (Some(emulator), RunHow::Emulated) => format!("under {}", without_program(emulator)),
    }
}

/// `qemu 7.2.22` of `qemu-aarch64 7.2.22 (Debian 1:7.2+dfsg-7)`; anything else stays as it is.
fn without_program(emulator: &str) -> String {
    let (program, rest) = emulator.split_once(' ').unwrap_or((emulator, ""));
    match program.strip_prefix("qemu-") {
        Some(_) => format!("qemu {}", rest.split(" (").next().unwrap_or_default()).trim_end().to_owned(),
        None => emulator.to_owned(),
    }
}

/// Why this runner: told without `--verbose` only where it is the second choice.
fn reason(run: &RunSummary, verbose: bool) -> Option<&str> {
    run.reason.as_deref().filter(|_| verbose || run.runner != "sandbox")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RunSummary;
    use crate::{TextOptions, sample};
    use rstest::rstest;

    fn ran(name: &str, emulator: Option<&str>, machine: &str) -> Platform {
        let run = RunSummary {
            runner: "sandbox".into(),
            how: if emulator.is_some() { RunHow::Emulated } else { RunHow::Native },
            emulator: emulator.map(str::to_owned),
            machine: Some(machine.into()),
            reason: Some("the sandbox works here".into()),
        };
        Platform { run: Some(run), ..sample::platform(name) }
    }

    fn seven() -> Vec<Platform> {
        let qemu = |name: &str| format!("qemu-{name} 7.2.22 (Debian 1:7.2+dfsg-7)");
        vec![
            ran("linux/386", None, "x86_64"),
            ran("linux/amd64", None, "x86_64"),
            ran("linux/arm/v7", Some(&qemu("arm")), "armv7l"),
            ran("linux/arm64", Some(&qemu("aarch64")), "aarch64"),
            ran("linux/riscv64", Some(&qemu("riscv64")), "riscv64"),
        ]
    }

    fn shown(platforms: &[Platform], verbose: bool) -> String {
        let width = if verbose { 0 } else { 100 };
        let mut page = Page::new(TextOptions { color: false, width, unicode: true, verbose });
        show(&mut page, platforms);
        page.finish()
    }

    #[test]
    fn platforms_that_were_run_alike_are_one_line() {
        let wanted = "  ran in the sandbox natively: linux/386 (x86_64), linux/amd64 (x86_64)\n  \
                      ran in the sandbox under qemu 7.2.22: linux/arm/v7 (armv7l), linux/arm64 (aarch64), linux/riscv64\n    \
                      (riscv64)\n";
        assert_eq!(shown(&seven(), false), wanted);
    }

    #[test]
    fn verbose_names_each_emulator_and_the_reason() {
        let text = shown(&seven(), true);
        assert_eq!(text.matches("; the sandbox works here").count(), 4, "{text}");
        assert!(text.contains("under qemu-arm 7.2.22 (Debian 1:7.2+dfsg-7): linux/arm/v7 (armv7l);"), "{text}");
    }

    #[test]
    fn a_second_choice_says_why_and_stands_apart() {
        let mut platforms = seven();
        platforms.truncate(2);
        let run = platforms[1].run.as_mut().unwrap();
        run.runner = "docker".into();
        run.reason = Some("the sandbox does not do here: user namespaces are forbidden".into());
        let wanted = "  ran in the sandbox natively: linux/386 (x86_64)\n  \
                      ran in Docker natively: linux/amd64 (x86_64); the sandbox does not do here: user namespaces are\n    \
                      forbidden\n";
        assert_eq!(shown(&platforms, false), wanted);
    }

    #[test]
    fn what_was_not_run_is_not_named() {
        assert_eq!(shown(&[sample::platform("linux/arm64")], false), "");
    }

    #[rstest]
    #[case("qemu-aarch64 7.2.22 (Debian 1:7.2)", "qemu 7.2.22")]
    #[case("qemu-arm 10.0.50", "qemu 10.0.50")]
    #[case("qemu-arm", "qemu")]
    #[case("Rosetta 2", "Rosetta 2")]
    fn an_emulator_is_named_by_kind_and_version(#[case] emulator: &str, #[case] wanted: &str) {
        assert_eq!(without_program(emulator), wanted);
    }
}
