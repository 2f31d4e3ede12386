//! The host: which platforms it runs, and what it is.

use super::page::{Ink, Page};
use super::table::{Cell, Lean, Table};
use crate::machine::{Builder, Engine, HostPlatform, HostStatus, Machine};
use crate::model::{Check, Status};

/// The ways in which a platform was tried, by their names in the report and above their columns.
const WAYS: [(&str, &str); 4] =
    [("direct", "Direct"), ("container", "Container"), ("engine", "Docker"), ("sandbox", "Sandbox")];
/// Those that say most, where there is no room for all.
const FEW_WAYS: [(&str, &str); 2] = [("direct", "Direct"), ("engine", "Docker")];

/// Shows everything about a host but its findings.
pub(super) fn show(page: &mut Page, host: &Machine) {
    let around = host.container.as_ref().map_or_else(String::new, |name| format!(", in a container ({name})"));
    let about = format!(" (Linux {}, {}{around})", host.kernel, host.machine);
    let about = page.clean(&about);
    page.paragraph(&[(Ink::Strong, "this host")], 4, Ink::Faint, &about);
    page.blank();
    show_table(page, &host.platforms);
    page.blank();
    for platform in &host.platforms {
        show_reason(page, platform);
    }
    if page.options().verbose {
        show_sandbox(page, &host.platforms);
        show_handlers(page, host);
    }
    show_next_step(page, host);
    show_facts(page, host);
    show_changes(page, host);
}

/// The table; where it is too wide, with fewer ways, or none; and where that is, a line per platform.
fn show_table(page: &mut Page, platforms: &[HostPlatform]) {
    let fits = |table: &Table| page.columns().is_none_or(|columns| table.width() + 2 <= columns);
    let tables = [WAYS.as_slice(), &FEW_WAYS, &[]].map(|ways| table(page, platforms, ways));
    match tables.into_iter().find(fits) {
        Some(table) => table.show(page, 2),
        None => {
            for platform in platforms {
                let name = format!("{}: ", page.clean(&platform.platform));
                let by = by(page, platform).1;
                page.paragraph(&[(Ink::Plain, "  "), (Ink::Strong, &name)], 4, Ink::Plain, &by);
            }
        }
    }
}

fn table(page: &Page, platforms: &[HostPlatform], ways: &[(&str, &str)]) -> Table {
    let heading = |text: &str| (Ink::Faint, text.to_owned());
    let header = ["Platform", "Runs"].into_iter().chain(ways.iter().map(|(_, heading)| *heading)).map(heading);
    let row = |platform: &HostPlatform| {
        let mark = if platform.required { " (required)" } else { "" };
        let mut row = vec![(Ink::Plain, format!("{}{mark}", page.clean(&platform.platform))), by(page, platform)];
        row.extend(ways.iter().map(|(way, _)| cell(page, platform.ways.iter().find(|check| check.name == *way))));
        row
    };
    Table {
        columns: vec![Lean::Left; 2 + ways.len()],
        rows: std::iter::once(header.collect()).chain(platforms.iter().map(row)).collect(),
    }
}

/// What a platform runs by. The distribution's version of an emulator is in the JSON form.
fn by(page: &Page, platform: &HostPlatform) -> Cell {
    let words = |ink, text: &str| (ink, text.to_owned());
    match platform.status {
        HostStatus::Native => words(Ink::Good, "natively"),
        HostStatus::Emulated => {
            let emulator = platform.emulator.as_deref().unwrap_or("an emulator");
            let short = emulator.split_once(" (").map_or(emulator, |(short, _)| short);
            (Ink::Good, page.clean(if page.options().verbose { emulator } else { short }))
        }
        HostStatus::Broken => words(Ink::Error, "BROKEN"),
        HostStatus::None if platform.required => words(Ink::Error, "NO"),
        HostStatus::None => words(Ink::Faint, "no"),
        HostStatus::Unknown => words(Ink::Warning, "not known"),
    }
}

fn cell(page: &Page, check: Option<&Check>) -> Cell {
    let (ink, symbol, word) = match check.map(|check| check.status) {
        Some(Status::Passed) => (Ink::Good, '✓', "ran"),
        Some(Status::Failed) => (Ink::Error, '✗', "failed"),
        Some(Status::Error) => (Ink::Warning, '!', "error"),
        Some(Status::Skipped) | None => return (Ink::Faint, "-".to_owned()),
    };
    (ink, if page.options().unicode { format!("{symbol} {word}") } else { word.to_owned() })
}

/// Why a platform does not run, where somebody will ask.
fn show_reason(page: &mut Page, platform: &HostPlatform) {
    let (ink, word) = match platform.status {
        HostStatus::Broken => (Ink::Error, " is broken: "),
        HostStatus::Unknown => (Ink::Warning, " could not be decided: "),
        HostStatus::None if platform.required => (Ink::Error, " does not run: "),
        HostStatus::None | HostStatus::Native | HostStatus::Emulated => return,
    };
    let (name, reason) = (page.clean(&platform.platform), page.clean(platform.reason.as_deref().unwrap_or_default()));
    page.paragraph(&[(Ink::Plain, "  "), (Ink::Strong, &name), (ink, word)], 4, Ink::Plain, &reason);
}

fn show_sandbox(page: &mut Page, platforms: &[HostPlatform]) {
    for platform in platforms {
        let way = platform.ways.iter().find(|check| check.name == "sandbox");
        let Some(reason) = way.and_then(|check| check.reason.as_ref()) else { continue };
        let (name, reason) = (page.clean(&platform.platform), page.clean(reason));
        let label = [(Ink::Plain, "  "), (Ink::Strong, name.as_str()), (Ink::Faint, " not in the sandbox: ")];
        page.paragraph(&label, 4, Ink::Plain, &reason);
    }
}

fn show_handlers(page: &mut Page, host: &Machine) {
    for handler in &host.binfmt_misc.handlers {
        let off = if handler.enabled { "" } else { ", disabled" };
        let kept = match handler.persistent {
            Some(true) => ", comes back at boot",
            Some(false) => ", gone at the next boot",
            None => "",
        };
        let text = format!(
            "{} ({}), flags {}, for {}{kept}{off}",
            handler.interpreter,
            handler.interpreter_file,
            if handler.flags.is_empty() { "none" } else { &handler.flags },
            if handler.platforms.is_empty() { "no platform".to_owned() } else { handler.platforms.join(", ") },
        );
        let (name, text) = (page.clean(&format!("handler {}: ", handler.name)), page.clean(&text));
        page.paragraph(&[(Ink::Plain, "  "), (Ink::Strong, &name)], 4, Ink::Plain, &text);
    }
}

fn show_facts(page: &mut Page, host: &Machine) {
    let engine = host.engine.as_ref().map_or_else(
        || format!("none: {}", host.no_engine.as_deref().unwrap_or("it was not asked")),
        |engine| about_engine(page, engine),
    );
    let handlers = host.binfmt_misc.handlers.len();
    let mut facts = vec![
        (
            "binfmt_misc: ",
            match handlers {
                0 => host.binfmt_misc.state.clone(),
                1 => format!("{}, 1 handler", host.binfmt_misc.state),
                some => format!("{}, {some} handlers", host.binfmt_misc.state),
            },
        ),
        ("pages: ", format!("{} KiB", host.page_size / 1024)),
        ("sandbox: ", host.no_sandbox.clone().unwrap_or_else(|| "can be had".to_owned())),
        ("engine: ", engine),
    ];
    if let Some(why) = host.engine.as_ref().and_then(|engine| engine.not_proved.as_ref()) {
        facts.push(("not proved in the engine: ", why.clone()));
    }
    if let Some(buildx) = &host.buildx {
        let version = buildx.version.as_deref().unwrap_or("does not run");
        facts.push(("buildx: ", format!("{version} at {}", buildx.path)));
    }
    facts.extend(host.builders.iter().map(|builder| ("builder ", about_builder(builder))));
    for (name, text) in facts {
        let text = page.clean(&text);
        page.paragraph(&[(Ink::Plain, "  "), (Ink::Faint, name)], 4, Ink::Plain, &text);
    }
}

fn about_engine(page: &Page, engine: &Engine) -> String {
    let kernel = match engine.same_kernel {
        Some(true) => "this host's kernel".to_owned(),
        _ if engine.kernel.is_empty() => "a kernel that it does not name".to_owned(),
        Some(false) => format!("another kernel ({})", engine.kernel),
        None => format!("this host's kernel or another of the same release ({})", engine.kernel),
    };
    let buildkit = match engine.buildkit {
        Some(true) => ", BuildKit",
        Some(false) => ", BuildKit where it is asked for",
        None => "",
    };
    let oldest = match engine.oldest_api.is_empty() || !page.options().verbose {
        true => String::new(),
        false => format!("{} to ", engine.oldest_api),
    };
    format!(
        "{} for {} at {}, API {oldest}{}, {} image store{buildkit}, {kernel}",
        engine.version, engine.platform, engine.address, engine.api, engine.store
    )
}

/// A builder after the word: `default (docker, current): running, linux/amd64, linux/arm64*`.
fn about_builder(builder: &Builder) -> String {
    let driver = if builder.driver.is_empty() { "driver unknown" } else { &builder.driver };
    let current = if builder.current { ", current" } else { "" };
    let nodes = builder.nodes.iter().map(|node| {
        let forced = node.forced.iter().map(|platform| format!("{platform}*"));
        let mut words = vec![match (&node.error, node.status.as_str()) {
            (Some(error), _) => error.clone(),
            (None, "inactive") => "not started yet".to_owned(),
            (None, status) => status.to_owned(),
        }];
        words.extend(node.platforms.iter().cloned().chain(forced));
        words.join(", ")
    });
    let nodes: Vec<String> = builder.error.iter().cloned().chain(nodes).collect();
    let forced = builder.nodes.iter().any(|node| !node.forced.is_empty());
    let note = if forced { " (* by order, and not found)" } else { "" };
    format!("{} ({driver}{current}): {}{note}", builder.name, nodes.join("; "))
}

/// What changed since an earlier report.
fn show_changes(page: &mut Page, host: &Machine) {
    let Some(since) = &host.since else { return };
    page.blank();
    let started = page.clean(&since.started);
    if since.changes.is_empty() {
        page.paragraph(&[(Ink::Plain, "  ")], 4, Ink::Faint, &format!("nothing changed since {started}"));
        return;
    }
    page.paragraph(&[(Ink::Plain, "  ")], 4, Ink::Plain, &format!("changed since {started}:"));
    for change in &since.changes {
        let text = match (&change.before, &change.after) {
            (Some(before), Some(after)) => format!("{before} -> {after}"),
            (None, Some(after)) => format!("new: {after}"),
            (Some(before), None) => format!("gone: {before}"),
            (None, None) => continue,
        };
        let (name, text) = (page.clean(&format!("{}: ", change.what)), page.clean(&text));
        page.paragraph(&[(Ink::Plain, "    "), (Ink::Strong, &name)], 6, Ink::Plain, &text);
    }
}

/// What brings the platforms that nothing runs: the question with which somebody comes here.
fn show_next_step(page: &mut Page, host: &Machine) {
    let missing = host.platforms.iter().filter(|platform| platform.status == HostStatus::None).count();
    if missing == 0 {
        return;
    }
    let them = if missing == 1 { "it" } else { "them" };
    let text = format!(
        "nothing runs {missing} of these platforms; as root: `mpcheck host install all` brings {them}, `mpcheck host install \
         arm64` one; `--dry-run` shows how"
    );
    page.paragraph(&[(Ink::Plain, "  ")], 4, Ink::Faint, &text);
    page.blank();
}
