//! What a suite says of files and of configs, against what is there.

use super::plan::{FileKind, FilePlan, MetadataPlan, ValuePlan};
use crate::check::draft::{Draft, shown_path};
use crate::check::rule;
use crate::image::PlatformFacts;
use crate::image::document::Config;
use crate::image::rootfs::{LookupError, Node, NodeKind, RootFs};
use mpcheck_reports::Finding;

/// How many characters of a value are shown.
const SHOWN: usize = 200;

/// What a file's content is asked of, where it is asked at all: its bytes, or why they cannot be had.
pub(super) type Content<'a> = &'a dyn Fn(&[u8]) -> Result<Vec<u8>, String>;

/// Judges one file on one platform. The error says why it could not be told.
pub(super) fn file(
    plan: &FilePlan,
    platform: &PlatformFacts,
    rootfs: &RootFs<'_>,
    content: Content<'_>,
) -> Result<Vec<Finding>, String> {
    let mut about = About { plan, platform, layer: None, found: Vec::new() };
    let path = plan.path.as_bytes();
    let (real, node) = match rootfs.lookup_itself(path) {
        Ok(found) => found,
        Err(error @ (LookupError::Missing(_) | LookupError::NotADirectory(_) | LookupError::Loop(_))) => {
            if plan.exists {
                about.wrong(format!("{} is not in the image: {error}", plan.path), "there", "missing");
            }
            return Ok(about.found);
        }
        Err(error @ LookupError::Exhausted) => return Err(error.to_string()),
    };
    about.layer = Some(node.layer);
    if !plan.exists {
        about.wrong(format!("{} is in the image, and should not be", plan.path), "missing", "there");
        return Ok(about.found);
    }
    about.itself(node);
    if plan.reads() {
        about.content(rootfs, &real, content)?;
    }
    Ok(about.found)
}

struct About<'a> {
    plan: &'a FilePlan,
    platform: &'a PlatformFacts,
    layer: Option<usize>,
    found: Vec<Finding>,
}

impl About<'_> {
    fn wrong(&mut self, message: String, expected: impl Into<String>, observed: impl Into<String>) {
        let hint =
            "compare the platforms: the instruction that brings it there does not do so, or differently, on this one";
        let mut draft = Draft::new(&rule::FILE_MISMATCH, message, hint)
            .on(self.platform)
            .path(self.plan.path.trim_start_matches('/').as_bytes())
            .instead(expected, observed);
        if let Some(layer) = self.layer {
            draft = draft.layer(self.platform, layer);
        }
        self.found.push(draft.done());
    }

    /// Everything but the content: of a link, what the link itself is.
    fn itself(&mut self, node: &Node<'_>) {
        let path = &self.plan.path;
        let is = match node.kind {
            NodeKind::Directory => "a directory",
            NodeKind::File(_) => "a file",
            NodeKind::Symlink(_) => "a symbolic link",
            NodeKind::Special => "a device, FIFO or socket",
        };
        if let Some(kind) = self.plan.kind {
            let (fits, wanted) = match kind {
                FileKind::File => (matches!(node.kind, NodeKind::File(_)), "a file"),
                FileKind::Directory => (node.kind == NodeKind::Directory, "a directory"),
                FileKind::Symlink => (matches!(node.kind, NodeKind::Symlink(_)), "a symbolic link"),
            };
            if !fits {
                self.wrong(format!("{path} is {is}, and should be {wanted}"), wanted, is);
            }
        }
        if let Some(mode) = self.plan.mode.filter(|mode| *mode != node.mode) {
            let (wanted, has) = (format!("{mode:04o}"), format!("{:04o}", node.mode));
            self.wrong(format!("{path} has the mode {has}, and should have {wanted}"), wanted, has);
        }
        for (what, wanted, has) in [("user", self.plan.user, node.user), ("group", self.plan.group, node.group)] {
            if let Some(wanted) = wanted.filter(|wanted| *wanted != has) {
                let message = format!("{path} belongs to the {what} {has}, and should to {wanted}");
                self.wrong(message, wanted.to_string(), has.to_string());
            }
        }
        if let Some(wanted) = self.plan.executable.filter(|wanted| *wanted != node.is_executable()) {
            let has = format!("mode {:04o}", node.mode);
            match wanted {
                true => self.wrong(format!("{path} cannot be executed, and should be"), "executable", has),
                false => self.wrong(format!("{path} can be executed, and should not be"), "not executable", has),
            }
        }
        if let Some(wanted) = &self.plan.target {
            match node.kind {
                NodeKind::Symlink(target) if target == wanted.as_bytes() => {}
                NodeKind::Symlink(target) => {
                    let target = shown(&String::from_utf8_lossy(target));
                    self.wrong(format!("{path} leads to {target}, and should to {wanted}"), wanted, target);
                }
                _ => self.wrong(format!("{path} is {is}, and should be a link to {wanted}"), wanted, is),
            }
        }
    }

    fn content(&mut self, rootfs: &RootFs<'_>, real: &[u8], content: Content<'_>) -> Result<(), String> {
        let path = &self.plan.path;
        let (target, node) = match rootfs.lookup(real) {
            Ok(found) => found,
            Err(error) => {
                self.wrong(format!("{path} leads nowhere: {error}"), "a file", "a link to nothing");
                return Ok(());
            }
        };
        if !matches!(node.kind, NodeKind::File(_)) {
            self.wrong(format!("{path} is no file that has content"), "a file", "something else");
            return Ok(());
        }
        let bytes = content(&target).map_err(|why| format!("{} could not be read: {why}", shown_path(&target)))?;
        for pattern in self.plan.content.iter().filter(|pattern| !pattern.is_match(&bytes)) {
            let message = format!("nothing in {path} matches `{pattern}`");
            self.wrong(message, pattern.as_str(), beginning(&bytes));
        }
        for pattern in &self.plan.not_content {
            if let Some(found) = pattern.find(&bytes) {
                let message = format!("something in {path} matches `{pattern}`, and nothing should");
                self.wrong(
                    message,
                    format!("nothing that matches {pattern}"),
                    beginning(bytes.get(found).unwrap_or_default()),
                );
            }
        }
        Ok(())
    }
}

fn beginning(bytes: &[u8]) -> String {
    let head = bytes.get(..SHOWN * 4).unwrap_or(bytes);
    if head.is_empty() { "nothing".to_owned() } else { shown(&String::from_utf8_lossy(head)) }
}

/// A text of the image in a message: cut, and without control characters.
fn shown(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN).collect();
    let dots = if cut.len() < text.len() { "…" } else { "" };
    format!("{}{dots}", cut.escape_debug().to_string().replace("\\'", "'").replace("\\\"", "\""))
}

/// Judges the config of one platform.
pub(super) fn metadata(plan: &MetadataPlan, platform: &PlatformFacts, config: &Config) -> Vec<Finding> {
    let mut about = Said { platform, found: Vec::new() };
    let lists = [("entrypoint", &plan.entrypoint, &config.entrypoint), ("command", &plan.command, &config.command)];
    for (what, wanted, has) in lists {
        if let Some(wanted) = wanted.as_ref().filter(|wanted| *wanted != has) {
            about.wrong(what, &list(wanted), &list(has));
        }
    }
    let texts =
        [("user", &plan.user, &config.user), ("working directory", &plan.working_directory, &config.working_directory)];
    for (what, wanted, has) in texts {
        if let Some(wanted) = wanted.as_ref().filter(|wanted| *wanted != has) {
            about.wrong(what, &text(wanted), &text(has));
        }
    }
    for (name, wanted) in &plan.environment {
        about.value(&format!("variable {name}"), wanted, config.variable(name));
    }
    for (name, wanted) in &plan.labels {
        about.value(&format!("label {name}"), wanted, config.labels.get(name).map(String::as_str));
    }
    let sets = [
        ("port", &plan.ports, &plan.not_ports, &config.ports),
        ("volume", &plan.volumes, &plan.not_volumes, &config.volumes),
    ];
    for (what, wanted, unwanted, has) in sets {
        let same =
            |one: &str, other: &str| one == other || what == "port" && with_protocol(one) == with_protocol(other);
        let is_there = |name: &&String| has.iter().any(|there| same(there, name));
        for name in wanted.iter().filter(|name| !is_there(name)) {
            about.wrong(&format!("{what} {name}"), "declared", "not declared");
        }
        for name in unwanted.iter().filter(is_there) {
            about.wrong(&format!("{what} {name}"), "not declared", "declared");
        }
    }
    about.found
}

/// A port without a protocol is TCP's (OCI image spec, `config.md`, "ExposedPorts").
fn with_protocol(port: &str) -> String {
    if port.contains('/') { port.to_ascii_lowercase() } else { format!("{port}/tcp") }
}

struct Said<'a> {
    platform: &'a PlatformFacts,
    found: Vec<Finding>,
}

impl Said<'_> {
    fn wrong(&mut self, what: &str, wanted: &str, has: &str) {
        let (what, wanted, has) = (shown(what), shown(wanted), shown(has));
        let message = format!("the {what} is {has}, and should be {wanted}");
        let hint = "set it in the Dockerfile's last stage, and build all platforms in one run";
        let draft = Draft::new(&rule::METADATA_MISMATCH, message, hint).on(self.platform).instead(wanted, has);
        self.found.push(draft.done());
    }

    fn value(&mut self, what: &str, wanted: &ValuePlan, has: Option<&str>) {
        let has_text = has.map_or_else(|| "not set".to_owned(), text);
        match (wanted, has) {
            (ValuePlan::Exact(wanted), has) if has != Some(wanted) => self.wrong(what, &text(wanted), &has_text),
            (ValuePlan::Matches(pattern), has) if !has.is_some_and(|has| pattern.is_match(has)) => {
                self.wrong(what, &format!("something that matches `{pattern}`"), &has_text);
            }
            (ValuePlan::Absent, Some(_)) => self.wrong(what, "not set", &has_text),
            _ => {}
        }
    }
}

fn list(words: &[String]) -> String {
    if words.is_empty() { "empty".to_owned() } else { format!("{words:?}") }
}

fn text(text: &str) -> String {
    if text.is_empty() { "empty".to_owned() } else { format!("`{text}`") }
}
