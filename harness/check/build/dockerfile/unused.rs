//! `build/unused-targetarch`: a stage asks for the architecture to build for, and nothing in it uses it.
//!
//! An ARG is in the environment of every RUN after it, also in those of the stages that are FROM this one. So a program
//! that comes with the context may read it without a word in the Dockerfile, and nothing is said unless every program
//! that could is [known](super::shell) not to. One use of any of the platform ARGs is enough: who declares five of them
//! and uses one has thought of it.

use super::{Checked, Subject, View, shell};
use crate::build::dockerfile::Instruction;
use crate::check::rule;
use std::collections::BTreeSet;

/// The ARGs that are asked about, and those whose use counts.
const ASKED: [&str; 2] = ["TARGETARCH", "TARGETPLATFORM"];
const USED: [&str; 4] = ["TARGETARCH", "TARGETPLATFORM", "TARGETVARIANT", "TARGETOS"];

pub(super) fn check(subject: &Subject<'_>, checked: &mut Checked) {
    // Where only the build machine's own platform is wanted, nothing comes of it.
    if subject.wanted.platforms.iter().all(|platform| platform.same_as(&subject.wanted.build_platform)) {
        return;
    }
    let reachable: BTreeSet<usize> =
        subject.views.iter().flat_map(|view| view.built.reachable.iter().copied()).collect();
    let chains = chains(subject);
    for index in reachable {
        let Some(stage) = subject.dockerfile.stages.get(index) else { continue };
        let declared = stage.instructions.iter().enumerate().find_map(|(position, instruction)| {
            asked_by(instruction, subject.dockerfile.escape).map(|name| (position, instruction, name))
        });
        let Some((position, instruction, name)) = declared else { continue };
        let own = stage.instructions.iter().skip(position);
        let heirs = heirs(&chains, index);
        let heirs = heirs.iter().filter_map(|&heir| subject.dockerfile.stages.get(heir));
        let later = own.chain(heirs.flat_map(|heir| &heir.instructions));
        if later.clone().all(|later| leaves_alone(later, subject.dockerfile.escape)) {
            let runs = later.filter(|later| later.is("RUN")).count();
            let message = format!(
                "{} asks for {name} and nothing uses it: {}",
                stage.told(),
                if runs == 0 { "no command follows" } else { "what it builds is the same for every platform" }
            );
            let hint = format!(
                "use it where the program is built or downloaded (Go: `GOARCH=${name}`), or take line {} out",
                instruction.first
            );
            checked.findings.push(subject.draft(&rule::UNUSED_TARGETARCH, instruction, message, hint).done());
        }
    }
}

/// The name that an ARG asks for, without a default of its own.
fn asked_by(instruction: &Instruction, escape: char) -> Option<&'static str> {
    let pairs = if instruction.is("ARG") { instruction.pairs(escape) } else { Vec::new() };
    ASKED.into_iter().find(|asked| pairs.iter().any(|(name, value)| name == asked && value.is_none()))
}

/// For each platform and stage what it is FROM, itself first.
fn chains(subject: &Subject<'_>) -> Vec<Vec<usize>> {
    let stages = 0..subject.dockerfile.stages.len();
    let of_view = |view: &View<'_>| stages.clone().map(|stage| view.built.chain_of(stage)).collect::<Vec<_>>();
    subject.views.iter().flat_map(of_view).collect()
}

/// The stages that are FROM this one.
fn heirs(chains: &[Vec<usize>], index: usize) -> BTreeSet<usize> {
    let heirs = chains.iter().filter_map(|chain| chain.split_first());
    heirs.filter(|(_, below)| below.contains(&index)).map(|(heir, _)| *heir).collect()
}

/// Whether an instruction neither uses one of the ARGs nor starts a program that might.
fn leaves_alone(instruction: &Instruction, escape: char) -> bool {
    if instruction.is("SHELL") {
        return false;
    }
    if instruction.is("RUN") && !shell::is_plain(instruction) {
        return false;
    }
    if instruction.is("ARG") {
        let uses = |(_, value): (String, Option<String>)| {
            value.is_some_and(|value| USED.iter().any(|name| value.contains(name)))
        };
        return !instruction.pairs(escape).into_iter().any(uses);
    }
    let text = instruction.text();
    !USED.iter().any(|name| text.contains(name))
}
