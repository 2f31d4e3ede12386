//! What is not as it was in an earlier report of the same host.

use super::super::draft::Draft;
use super::super::rule;
use crate::image::reference::name::shown;
use mpcheck_reports::{Change, Finding, Handler, HostPlatform, HostStatus, Machine, Report, Since};
use std::collections::BTreeMap;

/// The most differences that are told: a report from elsewhere could hold any number.
const MAX_CHANGES: usize = 1000;

/// Compares a host with an earlier report, which has one: fills in what changed, and gives the findings.
///
/// A platform that ran then and does not now is a finding, unless it is required: then it is one already.
pub(super) fn compare(earlier: &Report, now: &mut Machine) -> Vec<Finding> {
    let Some(then) = &earlier.host else { return Vec::new() };
    let mut changes = facts(then, now);
    changes.extend(handlers(then, now));
    changes.extend(platforms(then, now));
    changes.truncate(MAX_CHANGES);
    now.since = Some(Since { started: shown(&earlier.started), changes });
    let before: BTreeMap<&str, &HostPlatform> = by_name(then);
    let lost = now.platforms.iter().filter(|platform| {
        let ran = before.get(platform.platform.as_str()).is_some_and(|before| before.status.is_ready());
        ran && !platform.status.is_ready() && platform.status != HostStatus::Unknown && !platform.required
    });
    lost.map(|platform| lost_platform(platform, before.get(platform.platform.as_str()), earlier)).collect()
}

fn lost_platform(platform: &HostPlatform, before: Option<&&HostPlatform>, earlier: &Report) -> Finding {
    let message =
        format!("{} ran on this host on {}, and does not any more", platform.platform, shown(&earlier.started));
    let hint = "the other findings and what changed since then say why; `mpcheck host --require` makes it an error";
    let mut finding = Draft::new(&rule::LOST_READINESS, message, hint)
        .instead(before.map_or_else(String::new, |before| state(before)), state(platform))
        .done();
    finding.platform = Some(platform.platform.clone());
    finding
}

fn changed(what: &str, before: Option<String>, after: Option<String>) -> Option<Change> {
    let cut = |text: Option<String>| text.map(|text| shown(&text));
    (before != after).then(|| Change { what: what.to_owned(), before: cut(before), after: cut(after) })
}

/// The host as a whole. How `mpcheck` was called (`--require`) is no change of the host.
fn facts(then: &Machine, now: &Machine) -> Vec<Change> {
    let some = |text: &String| Some(text.clone());
    let engine = |host: &Machine| {
        host.engine.as_ref().map(|engine| format!("{} at {}, API {}", engine.version, engine.address, engine.api))
    };
    let store = |host: &Machine| host.engine.as_ref().map(|engine| engine.store.clone());
    let changes = [
        changed("kernel", some(&then.kernel), some(&now.kernel)),
        changed("machine", some(&then.machine), some(&now.machine)),
        changed("page size", Some(then.page_size.to_string()), Some(now.page_size.to_string())),
        changed("container", then.container.clone(), now.container.clone()),
        changed("binfmt_misc", some(&then.binfmt_misc.state), some(&now.binfmt_misc.state)),
        changed("sandbox", sandbox(then), sandbox(now)),
        changed("engine", engine(then), engine(now)),
        changed("image store", store(then), store(now)),
        changed("DOCKER_DEFAULT_PLATFORM", then.default_platform.clone(), now.default_platform.clone()),
    ];
    changes.into_iter().flatten().collect()
}

fn sandbox(host: &Machine) -> Option<String> {
    Some(host.no_sandbox.clone().unwrap_or_else(|| "can be had".to_owned()))
}

fn handlers(then: &Machine, now: &Machine) -> Vec<Change> {
    let by_name = |host: &Machine| -> BTreeMap<String, String> {
        host.binfmt_misc.handlers.iter().map(|handler| (handler.name.clone(), told(handler))).collect()
    };
    differences("handler", &by_name(then), &by_name(now))
}

fn told(handler: &Handler) -> String {
    format!(
        "{} ({}), flags \"{}\", {}{}",
        handler.interpreter,
        handler.interpreter_file,
        handler.flags,
        if handler.enabled { "enabled" } else { "disabled" },
        if handler.persistent == Some(true) { ", comes back at boot" } else { "" },
    )
}

fn platforms(then: &Machine, now: &Machine) -> Vec<Change> {
    let states = |host: &Machine| -> BTreeMap<String, String> {
        host.platforms.iter().map(|platform| (platform.platform.clone(), state(platform))).collect()
    };
    let (mut before, mut after) = (states(then), states(now));
    // A row that is there because it was required is in one of the two alone.
    before.retain(|name, _| after.contains_key(name));
    after.retain(|name, _| before.contains_key(name));
    differences("platform", &before, &after)
}

fn by_name(host: &Machine) -> BTreeMap<&str, &HostPlatform> {
    host.platforms.iter().map(|platform| (platform.platform.as_str(), platform)).collect()
}

/// How a platform runs, in words.
fn state(platform: &HostPlatform) -> String {
    let emulator = platform.emulator.as_deref().unwrap_or("an emulator");
    match platform.status {
        HostStatus::Native => "native".to_owned(),
        HostStatus::Emulated => format!("emulated by {emulator}"),
        HostStatus::Broken => format!("broken: {}", platform.reason.as_deref().unwrap_or_default()),
        HostStatus::None => "nothing runs it".to_owned(),
        HostStatus::Unknown => "not known".to_owned(),
    }
}

fn differences(kind: &str, then: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<Change> {
    let mut names: Vec<&String> = then.keys().chain(now.keys()).collect();
    names.sort();
    names.dedup();
    let one =
        |name: &String| changed(&format!("{kind} {}", shown(name)), then.get(name).cloned(), now.get(name).cloned());
    names.into_iter().filter_map(one).collect()
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
