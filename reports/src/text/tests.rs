//! Whole pages as a reader sees them.

use rstest::rstest;

use crate::model::{Check, Finding, LayerRef, Report, Severity, Status, Verdict};
use crate::{TextOptions, sample, to_text};

pub(super) const PLAIN: TextOptions = TextOptions { color: false, width: 80, unicode: true, verbose: false };
const VERBOSE: TextOptions = TextOptions { verbose: true, width: 0, ..PLAIN };

pub(super) fn plain(report: &Report) -> String {
    to_text(report, &PLAIN)
}

fn set(report: &mut Report, platform: usize, group: &str, status: Status, reason: &str) {
    let checks = &mut report.images[0].platforms[platform].checks;
    let check = checks.iter_mut().find(|check| check.name == group).unwrap();
    *check = Check { name: group.into(), status, reason: Some(reason.into()) };
}

/// A failed report with `extra` further files of the same layer that nothing reaches.
fn with_more_files(extra: usize) -> Report {
    let mut report = sample::failed();
    report.findings.extend((0..extra).map(|number| Finding {
        path: Some(format!("/opt/lib{number:03}.so")),
        message: format!("/opt/lib{number:03}.so is x86-64, the platform is linux/arm64"),
        reached_by: None,
        ..sample::finding()
    }));
    report.sort();
    report
}

fn note(path: &str, platform: &str, layer: u64) -> Finding {
    Finding {
        severity: Severity::Note,
        path: Some(path.into()),
        platform: Some(platform.into()),
        layer: Some(LayerRef { index: layer, digest: sample::digest(0x55) }),
        message: format!("{path} is i386, which {platform} does not need"),
        ..sample::finding()
    }
}

const PASSED: &str = "\
registry.example/app:1 (registry registry.example, index sha256:111111111111)

  Platform     Manifest  Blob      Layer     Binary    Binaries  Layers
  linux/amd64  ✓ passed  ✓ passed  ✓ passed  ✓ passed       500       7
  linux/arm64  ✓ passed  ✓ passed  ✓ passed  ✓ passed       500       7

  run was skipped on every platform: running was not asked for (--run never)

checked: manifest, blob, layer and binary
not checked: run
passed: 0 errors, 0 warnings, 0 notes; 2 platforms, 1000 binaries; 1.2 s
";

#[test]
fn nothing_wrong_says_what_was_checked_and_what_was_not() {
    assert_eq!(plain(&sample::passed()), PASSED);
}

const FAILED: &str = "\
registry.example/app:1 (registry registry.example, index sha256:111111111111)

  Platform     Manifest  Blob      Layer     Binary    Binaries  Layers
  linux/amd64  ✓ passed  ✓ passed  ✓ passed  ✓ passed       500       7
  linux/arm64  ✓ passed  ✓ passed  ✓ passed  ✗ FAILED       500       7

  run was skipped on every platform: running was not asked for (--run never)

error[binary/foreign-architecture]: /usr/local/bin/app is x86-64, the platform
    is linux/arm64
  --> linux/arm64 /usr/local/bin/app
      /opt/lib000.so
      /opt/lib001.so
      /opt/lib002.so
      /opt/lib003.so
      and 497 more like this (--verbose shows all)
   = layer 3 sha256:333333333333: COPY app /usr/local/bin/ # buildkit
   = expected: AArch64
   = observed: x86-64
   = reached by: entrypoint [\"app\"]
   = cause: the same file is in linux/amd64: it was built once, for the build
     machine
   = hint: build it for each platform: `ARG TARGETARCH` in the build stage,
     `GOARCH=$TARGETARCH` in its command

checked: manifest, blob, layer and binary
not checked: run
`mpcheck explain binary/foreign-architecture` says what it means, why it matters
  and how to fix it
FAILED: 502 errors, 0 warnings, 0 notes; 2 platforms, 1000 binaries; 1.2 s
";

#[test]
fn what_is_alike_is_told_once_with_what_the_container_starts_first() {
    assert_eq!(plain(&with_more_files(501)), FAILED);
}

#[test]
fn verbose_shows_every_path_every_digit_and_the_time() {
    let text = to_text(&with_more_files(501), &VERBOSE);
    for number in 0..501 {
        assert!(text.contains(&format!("\n      /opt/lib{number:03}.so\n")));
    }
    assert!(!text.contains("more like this"));
    assert!(text.contains(&format!("   = layer 3 {}: COPY app", sample::digest(0x33))));
    let time = "\
where the time went (what ran side by side adds up to more than the whole)
  800 ms  40.0 MiB  50.0 MiB/s  layer sha256:3333333333333333333333333333333333333333333333333333333333333333  read
   12 ms                        rules

checked: ";
    assert!(text.contains(time), "{text}");
}

const UNREACHABLE: &str = "\
registry.example/app:1 (registry registry.example)
  could not be examined: registry.example: connection refused

not examined: registry.example/app:1
COULD NOT BE DECIDED: 0 errors, 0 warnings, 0 notes; 0 platforms, 0 binaries; 1.2 s
";

#[test]
fn an_image_that_could_not_be_read_is_not_passed() {
    assert_eq!(plain(&sample::unreachable()), UNREACHABLE);
}

#[test]
fn nothing_checked_is_said_in_so_many_words() {
    let mut report = sample::passed();
    report.verdict = Verdict::Error;
    report.images[0].platforms.clear();
    let wanted = "\
registry.example/app:1 (registry registry.example, index sha256:111111111111)
  no platform of it was checked

NOTHING WAS CHECKED: 0 errors, 0 warnings, 0 notes; 0 platforms, 0 binaries; 1.2 s
";
    assert_eq!(plain(&report), wanted);
}

#[test]
fn a_reason_is_given_once_and_names_its_groups_and_platforms() {
    let mut report = sample::passed();
    report.verdict = Verdict::Error;
    for group in ["blob", "layer"] {
        set(&mut report, 1, group, Status::Skipped, "the engine holds only linux/amd64 of this tag");
    }
    set(&mut report, 0, "binary", Status::Error, "connection reset");
    set(&mut report, 1, "run", Status::Skipped, "no emulator for linux/arm64");
    let wanted = "\
  Platform     Manifest  Blob       Layer      Binary    Run        Binaries  Layers
  linux/amd64  ✓ passed  ✓ passed   ✓ passed   ! error   - skipped       500       7
  linux/arm64  ✓ passed  - skipped  - skipped  ✓ passed  - skipped       500       7

  binary could not be decided on linux/amd64: connection reset
  run was skipped on linux/amd64: running was not asked for (--run never)
  blob and layer were skipped on linux/arm64: the engine holds only linux/amd64 of this tag
  run was skipped on linux/arm64: no emulator for linux/arm64

checked: manifest
checked on 1 of 2 platforms: blob, layer and binary
not checked: run
COULD NOT BE DECIDED: 0 errors, 0 warnings, 0 notes; 2 platforms, 1000 binaries; 1.2 s
";
    let text = to_text(&report, &TextOptions { width: 100, ..PLAIN });
    assert!(text.ends_with(wanted), "{text}");
}

#[test]
fn a_next_step_that_several_reasons_share_is_given_once_and_last() {
    let mut report = sample::passed();
    let step = "install one (Debian: `apt-get install qemu; true`; Fedora: dnf), or take an image's";
    for (platform, name) in ["qemu-x86_64", "qemu-aarch64"].iter().enumerate() {
        let reason = format!("there is no emulator {name} (looked in a; b); {step}");
        set(&mut report, platform, "run", Status::Skipped, &reason);
    }
    let wanted = "
  run was skipped on linux/amd64: there is no emulator qemu-x86_64 (looked in a; b)
  run was skipped on linux/arm64: there is no emulator qemu-aarch64 (looked in a; b)
    hint: install one (Debian: `apt-get install qemu; true`; Fedora: dnf), or take an image's

";
    let text = to_text(&report, &TextOptions { width: 100, ..PLAIN });
    assert!(text.contains(wanted), "{text}");
}

#[test]
fn how_platforms_were_run_stands_below_the_table_and_above_what_was_not() {
    let mut report = sample::ran();
    set(&mut report, 0, "run", Status::Skipped, "qemu died");
    let wanted = "
  linux/arm64  ✓ passed  ✓ passed  ✓ passed  ✓ passed  ✓ passed        500       7

  ran in the sandbox natively: linux/amd64 (x86_64)
  ran in the sandbox under qemu 7.2.22: linux/arm64 (aarch64)
  run was skipped on linux/amd64: qemu died

checked: ";
    let text = to_text(&report, &TextOptions { width: 100, ..PLAIN });
    assert!(text.contains(wanted), "{text}");
}

#[test]
fn a_check_that_a_platform_does_not_have_is_neither_passed_nor_hidden() {
    let mut report = sample::passed();
    report.images[0].platforms[1].checks.truncate(3);
    let text = to_text(&report, &TextOptions { width: 100, ..PLAIN });
    let wanted = "\
  Platform     Manifest  Blob      Layer     Binary    Run        Binaries  Layers
  linux/amd64  ✓ passed  ✓ passed  ✓ passed  ✓ passed  - skipped       500       7
  linux/arm64  ✓ passed  ✓ passed  ✓ passed  -         -               500       7

  run was skipped on linux/amd64: running was not asked for (--run never)

checked: manifest, blob and layer
checked on 1 of 2 platforms: binary
not checked: run
";
    assert!(text.contains(wanted), "{text}");
}

#[test]
fn a_table_that_does_not_fit_loses_its_counts_first() {
    let mut report = sample::ran();
    set(&mut report, 0, "run", Status::Failed, "1 error");
    let wanted = "

  Platform     Manifest  Blob      Layer     Binary    Run
  linux/amd64  ✓ passed  ✓ passed  ✓ passed  ✓ passed  ✗ FAILED
  linux/arm64  ✓ passed  ✓ passed  ✓ passed  ✓ passed  ✓ passed

  ran in the sandbox natively: linux/amd64 (x86_64)
";
    assert!(plain(&report).contains(wanted), "{}", plain(&report));
}

#[test]
fn a_narrow_page_gets_a_list_for_its_table() {
    let text = to_text(&with_more_files(0), &TextOptions { width: 50, ..PLAIN });
    let wanted = "\
  linux/amd64: manifest passed, blob passed, layer
    passed, binary passed; 500 binaries, 7 layers
  linux/arm64: manifest passed, blob passed, layer
    passed, binary FAILED; 500 binaries, 7 layers
";
    assert!(text.contains(wanted), "{text}");
    assert!(text.contains("   = layer 3 sha256:333333333333: COPY app /usr/l…\n"), "{text}");
}

#[test]
fn notes_take_one_line_per_rule_platform_and_layer() {
    let mut report = sample::passed();
    report.findings = ["/a", "/b", "/c"].map(|path| note(path, "linux/amd64", 2)).into();
    report.findings.push(note("/d", "linux/amd64", 4));
    let wanted = "
note[binary/foreign-architecture]: /a is i386, which linux/amd64 does not need
    (linux/amd64, layer 2; 2 more like this)
note[binary/foreign-architecture]: /d is i386, which linux/amd64 does not need
    (linux/amd64, layer 4)

checked: ";
    assert!(plain(&report).contains(wanted), "{}", plain(&report));
    assert!(plain(&report).ends_with("passed: 0 errors, 0 warnings, 4 notes; 2 platforms, 1000 binaries; 1.2 s\n"));
    let verbose = to_text(&report, &VERBOSE);
    assert!(verbose.contains("\n  --> linux/amd64 /a\n      /b\n      /c\n   = layer 2 "), "{verbose}");
}

#[test]
fn the_same_finding_on_several_platforms_is_one_block_that_names_them() {
    let mut report = sample::failed();
    report.findings = ["linux/amd64", "linux/arm64"]
        .iter()
        .enumerate()
        .map(|(byte, platform)| Finding {
            rule: "binary/not-a-program".into(),
            platform: Some((*platform).into()),
            layer: Some(LayerRef { index: 3, digest: sample::digest(byte as u8) }),
            message: "/usr/bin/tini is a web page".into(),
            ..sample::finding()
        })
        .collect();
    let text = plain(&report);
    let wanted = "
error[binary/not-a-program]: /usr/bin/tini is a web page
  --> linux/amd64, linux/arm64 /usr/local/bin/app
   = layer 3: COPY app /usr/local/bin/ # buildkit
";
    assert!(text.contains(wanted), "{text}");
    assert_eq!(text.matches("error[").count(), 1);
}

#[test]
fn all_of_many_platforms_are_counted_rather_than_listed() {
    let mut report = sample::failed();
    let names = ["linux/386", "linux/amd64", "linux/arm64", "linux/s390x"];
    report.images[0].platforms = names.map(sample::platform).into();
    report.findings = names
        .iter()
        .map(|&name| Finding { platform: Some(name.into()), message: "it is broken".into(), ..sample::finding() })
        .collect();
    assert!(plain(&report).contains("\n  --> all 4 platforms /usr/local/bin/app\n"), "{}", plain(&report));
}

#[test]
fn what_differs_within_a_block_stands_beside_its_path() {
    let mut report = with_more_files(1);
    report.findings[0].observed = Some("s390x".into());
    report.findings[0].reached_by = Some("PATH".into());
    report.findings.rotate_left(1);
    assert!(
        plain(&report).contains("/usr/local/bin/app\n      /opt/lib000.so (s390x, reached by PATH)\n"),
        "{}",
        plain(&report)
    );
}

#[test]
fn a_rule_with_very_many_blocks_is_cut_and_counted() {
    let mut report = sample::failed();
    report.findings = (0..25)
        .map(|number| Finding {
            path: Some(format!("/{number}")),
            cause: Some(format!("cause {number}")),
            ..sample::finding()
        })
        .collect();
    let text = to_text(&report, &TextOptions { width: 100, ..PLAIN });
    assert_eq!(text.matches("\n  --> ").count(), 20);
    assert!(
        text.contains("error[binary/foreign-architecture]: 5 more findings of this rule (--verbose shows all)\n"),
        "{text}"
    );
    assert_eq!(to_text(&report, &VERBOSE).matches("\n  --> ").count(), 25);
}

#[test]
fn a_finding_about_the_whole_image_points_at_the_image() {
    let mut report = sample::failed();
    report.findings = vec![Finding {
        rule: "manifest/missing-platform".into(),
        image: report.images[0].reference.clone(),
        platform: None,
        path: None,
        layer: None,
        instruction: None,
        expected: Some("linux/riscv64".into()),
        observed: None,
        reached_by: None,
        cause: None,
        message: "linux/riscv64 is required and not in the index".into(),
        hint: String::new(),
        severity: Severity::Error,
    }];
    let wanted = "
error[manifest/missing-platform]: linux/riscv64 is required and not in the index
  --> registry.example/app:1
   = expected: linux/riscv64

checked: ";
    assert!(plain(&report).contains(wanted), "{}", plain(&report));
}

#[test]
fn each_image_has_its_own_findings_and_none_gets_lost() {
    let mut report = sample::failed();
    report.images = vec![sample::image("one"), sample::image("two"), sample::image("one")];
    report.findings = ["one", "two", "elsewhere"]
        .map(|image| Finding { image: image.into(), message: format!("wrong in {image}"), ..sample::finding() })
        .into();
    let text = plain(&report);
    let places: Vec<usize> =
        ["one (", ": wrong in one\n", "\ntwo (", ": wrong in two\n", "\none (", ": wrong in elsewhere\n"]
            .iter()
            .map(|part| text.find(part).unwrap_or_else(|| panic!("{part:?} is not in {text}")))
            .collect();
    assert!(places.is_sorted(), "{places:?}\n{text}");
    assert_eq!(text.matches("wrong in one").count(), 1);
    assert!(text.contains("; 3 images, 6 platforms, 3000 binaries;"), "{text}");
}

#[test]
fn colours_only_add_colours() {
    let report = with_more_files(9);
    let colored = to_text(&report, &TextOptions { color: true, ..PLAIN });
    assert!(colored.contains("\u{1b}[1m\u{1b}[31m✗ FAILED\u{1b}[0m"), "{colored}");
    assert!(colored.contains("\u{1b}[1m\u{1b}[31merror[binary/foreign-architecture]\u{1b}[0m"), "{colored}");
    let mut stripped = String::new();
    for (number, part) in colored.split('\u{1b}').enumerate() {
        stripped.push_str(if number == 0 { part } else { part.split_once('m').unwrap().1 });
    }
    // A painted cell may be followed by its padding.
    let stripped: Vec<_> = stripped.lines().map(str::trim_end).collect();
    assert_eq!(stripped.join("\n") + "\n", plain(&report));
}

#[rstest]
#[case(sample::passed())]
#[case(with_more_files(9))]
#[case(sample::unreachable())]
fn without_unicode_the_text_is_ascii(#[case] mut report: Report) {
    report.images[0].reference = "größe".into();
    let text = to_text(&report, &TextOptions { unicode: false, width: 60, ..PLAIN });
    assert!(text.is_ascii(), "{text}");
    assert!(text.contains(r"gr\u{f6}\u{df}e"), "{text}");
}

/// Every string of a report, replaced by one that attacks the terminal.
#[test]
fn no_string_of_a_report_reaches_the_terminal_raw() {
    let evil = "a\u{1b}]0;x\u{7}\n\rpassed: \u{202e}\u{9b}31m";
    let mut report: serde_json::Value = serde_json::to_value(sample::failed()).unwrap();
    let ran = serde_json::to_value(&sample::ran().images[0]).unwrap();
    report["images"].as_array_mut().unwrap().push(ran);
    report["findings"].as_array_mut().unwrap().push(serde_json::to_value(note("/a", "b", 1)).unwrap());
    report["images"].as_array_mut().unwrap().push(serde_json::to_value(&sample::unreachable().images[0]).unwrap());
    let mut replaced = 0;
    replace_strings(&mut report, evil, &mut replaced);
    assert!(replaced > 50, "only {replaced}");
    let report: Report = serde_json::from_value(report).unwrap();
    for verbose in [false, true] {
        for color in [false, true] {
            for width in [0, 40, 200] {
                let text = to_text(&report, &TextOptions { color, width, unicode: true, verbose });
                let text = if color { text.replace("\u{1b}[", "") } else { text };
                assert!(!text.chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}'), "{text:?}");
                assert_eq!(text.lines().filter(|line| line.starts_with("passed:")).count(), 0, "{text}");
            }
        }
    }
}

/// Replaces every string that is no word of the format itself.
fn replace_strings(value: &mut serde_json::Value, evil: &str, replaced: &mut usize) {
    const WORDS: [&str; 8] = ["passed", "failed", "skipped", "error", "warning", "note", "native", "emulated"];
    match value {
        serde_json::Value::String(text) if !WORDS.contains(&text.as_str()) => {
            *text = evil.to_owned();
            *replaced += 1;
        }
        serde_json::Value::Array(values) => values.iter_mut().for_each(|v| replace_strings(v, evil, replaced)),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(|v| replace_strings(v, evil, replaced)),
        _ => {}
    }
}

#[test]
fn a_megabyte_in_one_label_is_cut() {
    let mut report = sample::failed();
    report.findings[0].instruction = Some("\u{1b}".repeat(1 << 20));
    report.findings[0].message = "é".repeat(1 << 20);
    assert!(to_text(&report, &VERBOSE).len() < 64 << 10);
}
