//! A host as a reader sees it.

use super::tests::{PLAIN, plain};
use crate::model::Finding;
use crate::{Change, Machine, Since, TextOptions, sample, to_text};

#[test]
fn a_host_is_a_table_its_reasons_and_its_facts() {
    let mut report = sample::passed();
    report.images.clear();
    report.host = Some(sample::host());
    let wanted = "\
this host (Linux 6.12.9-amd64, x86_64)

  Platform                Runs                 Direct  Container  Docker    Sandbox
  linux/amd64             natively             ✓ ran   ✓ ran      ✓ ran     ✓ ran
  linux/arm64 (required)  qemu-aarch64 7.2.22  ✓ ran   ✓ ran      ✓ ran     ✓ ran
  linux/s390x             BROKEN               ✓ ran   ✗ failed   ✗ failed  -

  linux/s390x is broken: it runs on the host, but in a container the probe could not be started
  binfmt_misc: enabled, 1 handler
  pages: 4 KiB
  sandbox: can be had
  engine: 28.2.2 for linux/amd64 at unix:///run/docker.sock, API 1.50, containerd image store, BuildKit, this host's kernel
  buildx: v0.29.1 at /usr/libexec/docker/cli-plugins/docker-buildx
  builder default (docker, current): running, linux/amd64, linux/arm64, linux/mips* (* by order, and not found)

passed: 0 errors, 0 warnings, 0 notes; 2 of 3 platforms run here; 1.2 s
";
    assert_eq!(to_text(&report, &TextOptions { width: 0, ..PLAIN }), wanted);
    // A narrow page leaves out the ways, and then the table.
    let page = plain(&report);
    assert!(page.contains("  Direct  Docker\n") && page.contains("  ✗ failed\n"), "{page}");
    assert!(to_text(&report, &TextOptions { width: 90, ..PLAIN }).contains("  Docker    Sandbox\n"));
    let narrow = to_text(&report, &TextOptions { width: 60, ..PLAIN });
    assert!(narrow.contains("\n  linux/s390x             BROKEN\n") && !narrow.contains("Container"), "{narrow}");
    let list = to_text(&report, &TextOptions { width: 40, ..PLAIN });
    assert!(list.contains("\n  linux/amd64: natively\n"), "{list}");
}

#[test]
fn what_changed_since_an_earlier_report_is_told() {
    let change = |what: &str, before: Option<&str>, after: Option<&str>| Change {
        what: what.to_owned(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
    };
    let shown = |changes: Vec<Change>| {
        let mut report = sample::passed();
        report.images.clear();
        let since = Some(Since { started: "2026-11-22T03:00:00Z".to_owned(), changes });
        report.host = Some(Machine { since, ..sample::host() });
        to_text(&report, &TextOptions { width: 0, ..PLAIN })
    };
    assert!(shown(Vec::new()).contains("\n  nothing changed since 2026-11-22T03:00:00Z\n"));
    let text = shown(vec![
        change("kernel", Some("6.12"), Some("6.13")),
        change("handler a", None, Some("/q")),
        change("handler b", Some("/\u{1b}q"), None),
    ]);
    let wanted = "
  changed since 2026-11-22T03:00:00Z:
    kernel: 6.12 -> 6.13
    handler a: new: /q
    handler b: gone: /\\x1bq
";
    assert!(text.contains(wanted), "{text}");
}

#[test]
fn a_finding_about_the_host_says_so() {
    let mut report = sample::passed();
    report.images.clear();
    report.host = Some(sample::host());
    report.findings = vec![Finding {
        image: String::new(),
        platform: None,
        path: None,
        layer: None,
        instruction: None,
        ..sample::finding()
    }];
    assert!(plain(&report).contains("\n  --> this host\n"));
}
