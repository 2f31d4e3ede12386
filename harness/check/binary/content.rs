//! `binary/not-a-program` and `binary/malformed`.

use super::reach::{Reach, Way};
use super::{Subject, place};
use crate::binary::{Content, Interpreter};
use crate::check::draft::{Draft, shown_path};
use crate::check::listing::Listing;
use crate::check::rule;
use crate::image::rootfs::{Node, NodeKind};
use mpcheck_reports::{Finding, Severity};

/// Endings of names under which an unknown format is taken for a program all the same.
const PROGRAM_ENDINGS: &[&str] = &["sh", "bash", "py", "pl", "rb", "js", "bin", "run", "exe", "out", "elf"];

/// Adds all findings of both rules.
pub(super) fn findings(subject: &Subject<'_>, reach: &Reach, found: &mut Listing) {
    for (path, way) in reach.iter() {
        let Some(node) = subject.rootfs.get(path) else { continue };
        let NodeKind::File(Some(content)) = node.kind else { continue };
        not_a_program(subject, path, node, content, way).into_iter().for_each(|finding| found.push(finding));
    }
    for (path, node) in subject.rootfs.iter() {
        if let NodeKind::File(Some(content)) = node.kind {
            malformed(subject, path, node, content, reach).into_iter().for_each(|finding| found.push(finding));
        }
    }
}

fn not_a_program(subject: &Subject<'_>, path: &[u8], node: &Node<'_>, content: &Content, way: &Way) -> Option<Finding> {
    let name = path.rsplit(|&b| b == b'/').next().unwrap_or_default();
    let ends = |ending: &str| {
        name.len() > ending.len()
            && name.get(name.len() - ending.len()..).is_some_and(|end| end.eq_ignore_ascii_case(ending.as_bytes()))
    };
    let (observed, hint) = match content {
        Content::Empty => {
            ("an empty file".to_owned(), "look at the instruction that made it: a download or a copy brought nothing")
        }
        Content::Archive(archive) if way.is_start || !archive.endings().iter().any(|e| ends(e)) => (
            archive.described().to_owned(),
            "unpack the download before it is installed (`tar -xzf`, `unzip`, `gunzip`)",
        ),
        Content::Markup if way.is_start || !is_data_name(name) => (
            "a web page or a server's error text".to_owned(),
            "the download failed and its error page was saved: use `curl -fSL` (or `wget`), which fail and follow redirects, and check a checksum",
        ),
        Content::Data if way.is_start || !is_data_name(name) => (
            "neither a program, nor a script, nor text".to_owned(),
            "look at how the file was made; a broken download or conversion is likely",
        ),
        Content::Wasm if subject.platform.platform.architecture() != "wasm" && (way.is_start || !ends(".wasm")) => {
            ("a WebAssembly module".to_owned(), "start it by a WebAssembly runtime, or declare the platform wasi/wasm")
        }
        // A kernel refuses it, where a shell would have run it.
        Content::Text if way.text.starts_with("entrypoint") || way.text.starts_with("command") => {
            return Some(text_without_shebang(subject, path, node, way));
        }
        _ => return None,
    };
    let message = format!("{} is executable and is {observed}", shown_path(path));
    Some(draft(subject, path, node, way, message, hint).instead("a program or a script", observed).done())
}

fn text_without_shebang(subject: &Subject<'_>, path: &[u8], node: &Node<'_>, way: &Way) -> Finding {
    let message = format!(
        "{} is text without a `#!` line, which a kernel refuses to start (exec format error)",
        shown_path(path)
    );
    let hint = "make `#!/bin/sh` its very first bytes: no blank line and no byte-order mark before it";
    draft(subject, path, node, way, message, hint)
        .severity(Severity::Warning)
        .instead("a program or a script", "text without `#!`")
        .done()
}

fn draft(subject: &Subject<'_>, path: &[u8], node: &Node<'_>, way: &Way, message: String, hint: &str) -> Draft {
    Draft::new(&rule::NOT_A_PROGRAM, message, hint)
        .on(subject.platform)
        .path(path)
        .layer(subject.platform, node.layer)
        .reached_by(Some(way.text.clone()))
}

/// Whether a name has an ending that no program has: data beside programs, made executable by a careless copy.
fn is_data_name(name: &[u8]) -> bool {
    let ending = name.iter().rposition(|&b| b == b'.').and_then(|at| name.get(at + 1..)).unwrap_or_default();
    let plausible =
        !ending.is_empty() && ending.iter().all(u8::is_ascii_alphanumeric) && !ending.iter().all(u8::is_ascii_digit);
    plausible && !PROGRAM_ENDINGS.iter().any(|program| ending.eq_ignore_ascii_case(program.as_bytes()))
}

fn malformed(subject: &Subject<'_>, path: &[u8], node: &Node<'_>, content: &Content, reach: &Reach) -> Option<Finding> {
    let why = match content {
        Content::MalformedElf(why) => why.clone(),
        Content::Elf(elf) if elf.is_truncated() => {
            format!("its segments end at byte {}, and the file has {} bytes", elf.needed_bytes, elf.file_bytes)
        }
        Content::Elf(elf) => match &elf.interpreter {
            Interpreter::Broken(why) => why.clone(),
            _ => return None,
        },
        _ => return None,
    };
    let way = reach.way(path);
    let name = path.rsplit(|&b| b == b'/').next().unwrap_or_default();
    // Separate debug files keep the segments of their program, without the content.
    let is_debug = name.ends_with(b".debug") || name.ends_with(b".dbg") || name.ends_with(b".dwp");
    let explained = way.is_none() && (is_debug || place::tree(path).is_some() || is_object_name(name));
    let message = format!("{} starts like an ELF file and is broken: {why}", shown_path(path));
    let hint = if explained {
        "nothing to do if it is meant to be there"
    } else {
        "the file was cut short or damaged when it was made, downloaded or copied: bring it again, and check its checksum"
    };
    let draft = Draft::new(&rule::MALFORMED, message, hint)
        .severity(if explained { Severity::Note } else { Severity::Error })
        .on(subject.platform)
        .path(path)
        .layer(subject.platform, node.layer)
        .observed(why)
        .reached_by(way.map(|way| way.text.clone()));
    Some(draft.done())
}

fn is_object_name(name: &[u8]) -> bool {
    [&b".o"[..], b".ko", b".obj", b".a"].iter().any(|ending| name.ends_with(ending))
}
