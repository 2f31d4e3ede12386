//! The form for Prometheus, of a host: for the textfile collector of node_exporter.
//!
//! One metric says one thing, and a platform that could not be tried is not ready. What is text (a version, a reason)
//! is a label of an `_info` metric, whose value is always 1. What to alert on is in the README of `packaging/`.

use crate::machine::{HostPlatform, HostStatus, Machine};
use crate::model::{Report, Severity, Status, Verdict};
use prometheus::{GaugeVec, Opts, Registry, TextEncoder};
use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

/// Writes the metrics of the report's host in the text format of Prometheus; nothing where there is no host.
///
/// Source of the format: <https://prometheus.io/docs/instrumenting/exposition_formats/>.
pub fn to_prometheus(report: &Report) -> String {
    let Some(host) = &report.host else { return String::new() };
    let registry = Registry::new();
    let families = [of_run(report), of_findings(report), of_host(host), of_platforms(host)];
    for family in families.into_iter().flatten().filter(|family| !family.samples.is_empty()) {
        // A name or label that Prometheus would refuse is a mistake of this file's, which its test finds.
        let Ok(gauge) = GaugeVec::new(Opts::new(family.name, family.help), family.labels) else { continue };
        for (labels, value) in &family.samples {
            let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
            if let Ok(gauge) = gauge.get_metric_with_label_values(&labels) {
                gauge.set(*value);
            }
        }
        let _ = registry.register(Box::new(gauge));
    }
    TextEncoder::new().encode_to_string(&registry.gather()).unwrap_or_default()
}

/// One metric with all of its values.
struct Family {
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
    samples: Vec<(Vec<String>, f64)>,
}

impl Family {
    fn one(name: &'static str, help: &'static str, value: f64) -> Self {
        Self { name, help, labels: &[], samples: vec![(Vec::new(), value)] }
    }
}

/// A count as Prometheus has numbers: exact up to 2^53.
#[allow(clippy::cast_precision_loss)]
const fn number(value: u64) -> f64 {
    value as f64
}

fn truth(value: bool) -> f64 {
    f64::from(u8::from(value))
}

fn of_run(report: &Report) -> Vec<Family> {
    let started = humantime::parse_rfc3339(&report.started).ok();
    let started = started.and_then(|started| started.duration_since(UNIX_EPOCH).ok());
    let verdicts = [("passed", Verdict::Passed), ("failed", Verdict::Failed), ("error", Verdict::Error)];
    vec![
        Family::one(
            "mpcheck_host_check_timestamp_seconds",
            "When the host was checked, in seconds since 1970.",
            started.map_or(0.0, |started| started.as_secs_f64()),
        ),
        Family::one(
            "mpcheck_host_check_duration_seconds",
            "How long the check took.",
            number(report.duration_ms) / 1000.0,
        ),
        Family {
            name: "mpcheck_host_verdict",
            help: "1 for what came of the check: passed, failed, or error (it could not be decided).",
            labels: &["verdict"],
            samples: verdicts.map(|(name, verdict)| (vec![name.to_owned()], truth(report.verdict == verdict))).to_vec(),
        },
    ]
}

fn of_findings(report: &Report) -> Vec<Family> {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for finding in &report.findings {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        *counts.entry((finding.rule.as_str(), severity)).or_default() += 1;
    }
    vec![Family {
        name: "mpcheck_host_findings",
        help: "How many findings there are of a rule; `mpcheck explain RULE` says what it means.",
        labels: &["rule", "severity"],
        samples: counts
            .into_iter()
            .map(|((rule, severity), count)| (vec![rule.to_owned(), severity.to_owned()], number(count)))
            .collect(),
    }]
}

fn of_host(host: &Machine) -> Vec<Family> {
    let handlers = &host.binfmt_misc.handlers;
    let mut families = vec![
        Family {
            name: "mpcheck_host_info",
            help: "The host: its kernel, its processor's machine, the state of binfmt_misc.",
            labels: &["kernel", "machine", "binfmt_misc"],
            samples: vec![(vec![host.kernel.clone(), host.machine.clone(), host.binfmt_misc.state.clone()], 1.0)],
        },
        Family::one("mpcheck_host_engine_reachable", "Whether a Docker engine answered.", truth(host.engine.is_some())),
        Family {
            name: "mpcheck_host_engine_info",
            help: "The Docker engine: its version and its image store.",
            labels: &["version", "api", "store"],
            samples: host
                .engine
                .iter()
                .map(|engine| (vec![engine.version.clone(), engine.api.clone(), engine.store.clone()], 1.0))
                .collect(),
        },
        Family {
            name: "mpcheck_host_handler_enabled",
            help: "Whether a handler of binfmt_misc that takes a platform's programs is switched on.",
            labels: &["handler", "interpreter", "flags"],
            samples: handlers
                .iter()
                .filter(|handler| !handler.platforms.is_empty())
                .map(|handler| {
                    let labels = vec![handler.name.clone(), handler.interpreter.clone(), handler.flags.clone()];
                    (labels, truth(handler.enabled))
                })
                .collect(),
        },
        Family {
            name: "mpcheck_host_handler_persistent",
            help: "Whether a handler is registered again at the next boot, as far as can be seen.",
            labels: &["handler"],
            samples: handlers
                .iter()
                .filter(|handler| !handler.platforms.is_empty())
                .filter_map(|handler| Some((vec![handler.name.clone()], truth(handler.persistent?))))
                .collect(),
        },
    ];
    if let Some(since) = &host.since {
        families.push(Family::one(
            "mpcheck_host_changes",
            "How many things are not as they were in the report that was compared with.",
            number(since.changes.len() as u64),
        ));
    }
    families
}

fn of_platforms(host: &Machine) -> Vec<Family> {
    let each = |value: fn(&HostPlatform) -> f64| -> Vec<(Vec<String>, f64)> {
        host.platforms.iter().map(|platform| (vec![platform.platform.clone()], value(platform))).collect()
    };
    let tried = |of: fn(&crate::machine::Tries) -> u64| -> Vec<(Vec<String>, f64)> {
        let tries = host.platforms.iter().filter_map(|platform| Some((platform, platform.tries.as_ref()?)));
        tries.map(|(platform, tries)| (vec![platform.platform.clone()], number(of(tries)))).collect()
    };
    vec![
        Family {
            name: "mpcheck_host_platform_ready",
            help: "Whether the platform's programs run on the host, proved by running one.",
            labels: &["platform"],
            samples: each(|platform| truth(platform.status.is_ready())),
        },
        Family {
            name: "mpcheck_host_platform_required",
            help: "Whether the platform was required.",
            labels: &["platform"],
            samples: each(|platform| truth(platform.required)),
        },
        Family {
            name: "mpcheck_host_platform_info",
            help: "How the platform runs: native, emulated, broken, none, or unknown; and by which emulator.",
            labels: &["platform", "status", "emulator"],
            samples: host
                .platforms
                .iter()
                .map(|platform| {
                    let emulator = platform.emulator.clone().unwrap_or_default();
                    (vec![platform.platform.clone(), word(platform.status).to_owned(), emulator], 1.0)
                })
                .collect(),
        },
        Family {
            name: "mpcheck_host_platform_way_ready",
            help: "Whether the probe ran in one way: direct, container, sandbox, engine. Absent where it was not tried.",
            labels: &["platform", "way"],
            samples: ways(host),
        },
        Family {
            name: "mpcheck_host_platform_tries",
            help: "How often the platform was tried, where that was more than once.",
            labels: &["platform"],
            samples: tried(|tries| tries.of),
        },
        Family {
            name: "mpcheck_host_platform_tries_ready",
            help: "How often it ran when it was tried more than once.",
            labels: &["platform"],
            samples: tried(|tries| tries.ran),
        },
    ]
}

fn ways(host: &Machine) -> Vec<(Vec<String>, f64)> {
    let mut samples = Vec::new();
    for platform in &host.platforms {
        for way in &platform.ways {
            let ran = match way.status {
                Status::Passed => true,
                Status::Failed | Status::Error => false,
                Status::Skipped => continue,
            };
            samples.push((vec![platform.platform.clone(), way.name.clone()], truth(ran)));
        }
    }
    samples
}

const fn word(status: HostStatus) -> &'static str {
    match status {
        HostStatus::Native => "native",
        HostStatus::Emulated => "emulated",
        HostStatus::Broken => "broken",
        HostStatus::None => "none",
        HostStatus::Unknown => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Change, Since, Tries};
    use crate::sample;

    fn written() -> String {
        let mut report = sample::failed();
        let mut host = sample::host();
        host.kernel = "6.12\"\\\nx".to_owned();
        host.since = Some(Since {
            started: "2026-01-01T00:00:00Z".to_owned(),
            changes: vec![Change { what: "kernel".to_owned(), before: None, after: None }],
        });
        if let Some(platform) = host.platforms.last_mut() {
            platform.tries = Some(Tries { ran: 2, of: 3 });
        }
        report.host = Some(host);
        to_prometheus(&report)
    }

    #[test]
    fn every_platform_is_a_sample_and_text_is_escaped() {
        let text = written();
        for line in [
            "# TYPE mpcheck_host_platform_ready gauge",
            r#"mpcheck_host_platform_ready{platform="linux/arm64"} 1"#,
            r#"mpcheck_host_platform_ready{platform="linux/s390x"} 0"#,
            r#"mpcheck_host_platform_required{platform="linux/arm64"} 1"#,
            r#"mpcheck_host_platform_way_ready{platform="linux/s390x",way="container"} 0"#,
            r#"mpcheck_host_platform_tries{platform="linux/s390x"} 3"#,
            r#"mpcheck_host_platform_tries_ready{platform="linux/s390x"} 2"#,
            "mpcheck_host_changes 1",
            "mpcheck_host_engine_reachable 1",
            r#"mpcheck_host_info{binfmt_misc="enabled",kernel="6.12\"\\\nx",machine="x86_64"} 1"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        // What was not tried is neither 0 nor 1.
        assert!(!text.contains(r#"platform="linux/s390x",way="sandbox""#), "{text}");
    }

    #[test]
    fn every_family_is_written() {
        let text = written();
        let mut report = sample::failed();
        report.host = Some(sample::host());
        let host = report.host.clone().unwrap();
        let families = [of_run(&report), of_findings(&report), of_host(&host), of_platforms(&host)];
        for family in families.into_iter().flatten().filter(|family| !family.samples.is_empty()) {
            assert!(text.contains(&format!("# HELP {} ", family.name)), "{}", family.name);
            assert!(text.contains(&format!("# TYPE {} gauge", family.name)), "{}", family.name);
        }
    }

    #[test]
    fn a_report_of_images_alone_has_no_metrics() {
        assert_eq!(to_prometheus(&sample::failed()), "");
    }

    #[test]
    fn the_time_of_the_check_is_in_seconds() {
        let mut report = sample::failed();
        report.host = Some(sample::host());
        report.started = "1970-01-02T00:00:00.500Z".to_owned();
        assert!(to_prometheus(&report).contains("\nmpcheck_host_check_timestamp_seconds 86400.5\n"));
    }
}
