//! The likely cause of a foreign binary, where the evidence allows one.

use super::foreign::foreign_code;
use super::judge::{Code, Fit, judge};
use super::{Subject, place};
use crate::binary::Content;
use crate::check::address::{addresses, names};
use crate::image::rootfs::{Node, NodeKind};
use crate::platform::Architecture;
use std::collections::BTreeMap;

/// How many binaries that decide something are needed before one speaks of the whole root filesystem.
const WHOLE: usize = 3;

/// What a root filesystem's machine code is for, counted.
#[derive(Debug, Default)]
pub(super) struct Census {
    fitting: usize,
    /// Unexplained foreign code, by what it is for.
    foreign: BTreeMap<String, usize>,
    all_foreign: usize,
}

impl Census {
    /// Counts once per platform.
    pub(super) fn of(subject: &Subject<'_>) -> Self {
        let mut census = Self::default();
        for (path, node) in subject.rootfs.iter() {
            let NodeKind::File(Some(content)) = node.kind else { continue };
            if matches!(judge(content, &subject.platform.platform), Fit::Native | Fit::Compatible(_)) {
                census.fitting += 1;
            } else if let Some((content, code)) = foreign_code(subject, path, node) {
                census.all_foreign += 1;
                // A multiarch directory explains nothing where every file is of its architecture.
                if place::tree(path).is_none() && matches!(content, Content::Elf(_)) {
                    *census.foreign.entry(code.name).or_default() += 1;
                }
            }
        }
        census
    }

    /// Whether all of the code, and not just a file or two, is of this one kind.
    fn is_all(&self, code: &Code) -> bool {
        let own = self.foreign.get(&code.name).copied().unwrap_or_default();
        self.fitting == 0 && self.foreign.len() == 1 && own >= WHOLE
    }
}

/// The likely cause: the whole root filesystem first, then the instruction, then the same file elsewhere.
pub(super) fn of(
    subject: &Subject<'_>,
    node: &Node<'_>,
    content: &Content,
    code: &Code,
    census: &Census,
    all: &[Subject<'_>],
) -> Option<String> {
    if census.is_all(code) {
        return Some(format!(
            "every binary of this root filesystem is for {}: the base image is pinned to one platform's digest, or the last stage is FROM --platform=$BUILDPLATFORM",
            code.name
        ));
    }
    let instruction = subject.config.instruction_of(node.layer).unwrap_or_default();
    from_instruction(subject, instruction, code).or_else(|| from_twin(subject, content, all))
}

/// The instruction downloads something whose address names the wrong architecture, and not the right one.
fn from_instruction(subject: &Subject<'_>, instruction: &str, code: &Code) -> Option<String> {
    let wrong = code.architecture.and_then(Architecture::by_name)?;
    let right = subject.platform.platform.row();
    let word = addresses(instruction).find(|word| names(wrong, word) && !right.is_some_and(|row| names(row, word)))?;
    let address: String = word.chars().take(200).collect();
    Some(format!("the instruction downloads for {} whatever the platform: {address}", wrong.name))
}

/// The same file is right in another platform: it was built once, for the machine that built it.
fn from_twin(subject: &Subject<'_>, content: &Content, all: &[Subject<'_>]) -> Option<String> {
    let fingerprint = content.fingerprint()?;
    let twin = all.iter().find(|other| {
        !std::ptr::eq(*other, subject)
            && judge(content, &other.platform.platform) == Fit::Native
            && other.fingerprints().contains(&fingerprint)
    })?;
    Some(format!(
        "the same file is in {}, where it is right: it was built or copied once, for one machine, and put into every platform",
        twin.platform.platform
    ))
}
