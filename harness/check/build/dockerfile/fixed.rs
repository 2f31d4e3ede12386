//! `build/fixed-architecture`: an instruction that takes one architecture, whatever is built for.
//!
//! For each wanted platform the instructions of the stages that are built for it are read with that platform's
//! variables. One is reported where it names an architecture that the platform cannot execute, in one of the places
//! that [`named`](super::fixed::named) knows. It is not where
//! - it looks at the platform itself (TARGETARCH, `uname`, `dpkg --print-architecture`, a `case`), or names several
//!   architectures: then it chooses, and whether it chooses well is for the build's check to see;
//! - the same is done elsewhere in the build for another architecture: then all are made, and a COPY chooses;
//! - it downloads in a stage for the build machine, and what it downloads is not copied out of it: a tool.

use super::{Checked, Subject, View, listed};
use crate::build::dockerfile::{Instruction, Source, Variables};
use crate::check::rule;
use crate::platform::{Architecture, Platform};
use named::{Kind, Named};
use std::collections::BTreeMap;

mod named;

/// One instruction that names one architecture, in a stage.
struct Candidate<'a> {
    instruction: &'a Instruction,
    named: Named,
}

pub(super) fn check(subject: &Subject<'_>, checked: &mut Checked) {
    let mut wrong: BTreeMap<(usize, String), (Candidate<'_>, Vec<&Platform>)> = BTreeMap::new();
    for view in &subject.views {
        for candidate in candidates(subject, view) {
            let key = (candidate.instruction.first, candidate.named.word.clone());
            wrong.entry(key).or_insert_with(|| (candidate, Vec::new())).1.push(view.platform);
        }
    }
    for (Candidate { instruction, named }, platforms) in wrong.into_values() {
        let (message, hint) = (named.message(&listed(&platforms)), named.hint());
        let draft = subject.draft(&rule::FIXED_ARCHITECTURE, instruction, message, hint);
        checked.findings.push(draft.instead(listed(&platforms), named.row.name).done());
    }
}

/// What is wrong for one platform.
fn candidates<'a>(subject: &'a Subject<'_>, view: &View<'a>) -> Vec<Candidate<'a>> {
    let Some(row) = view.platform.row() else { return Vec::new() };
    let mut all = Vec::new();
    for instruction in &subject.dockerfile.globals {
        of_instruction(subject, view, None, instruction, &Variables::default(), &mut all);
    }
    for &index in &view.built.reachable {
        of_stage(subject, view, index, &mut all);
    }
    // Several architectures in one kind of place: all of them are made.
    let rows = |kind: Kind| all.iter().filter(move |one| one.named.kind == kind).map(|one| one.named.row.name);
    let is_fixed = |one: &Candidate<'_>| rows(one.named.kind).all(|name| name == one.named.row.name);
    let fixed: Vec<bool> = all.iter().map(|one| is_fixed(one) && !executes(row, one.named.row)).collect();
    all.into_iter().zip(fixed).filter_map(|(one, fixed)| fixed.then_some(one)).collect()
}

fn of_stage<'a>(subject: &'a Subject<'_>, view: &View<'a>, index: usize, all: &mut Vec<Candidate<'a>>) {
    let Some(stage) = subject.dockerfile.stages.get(index) else { return };
    let globals = &view.built.globals;
    let chain = subject.dockerfile.chain(index, globals);
    let mut variables = subject.dockerfile.variables_after(chain.get(1..).unwrap_or_default(), &view.scope, globals);
    for instruction in &stage.instructions {
        of_instruction(subject, view, Some(index), instruction, &variables, all);
        subject.dockerfile.apply(instruction, &view.scope, globals, &mut variables);
    }
}

fn of_instruction<'a>(
    subject: &Subject<'_>,
    view: &View<'_>,
    stage: Option<usize>,
    instruction: &'a Instruction,
    variables: &Variables,
    all: &mut Vec<Candidate<'a>>,
) {
    let found = named::named(instruction, variables, subject.dockerfile.escape);
    for named in found {
        // What was typed is meant.
        let is_typed = instruction.is("ARG") && subject.wanted.build_args.contains_key(&named.name);
        let is_other = named.is_for_another_system(view.platform);
        let is_set_later = stage.is_some_and(|stage| is_set_from_variable(subject, stage, instruction, &named.name));
        let is_tool = stage.is_some_and(|stage| {
            named.kind == Kind::Download && !is_of_result(view, stage) && !is_copied(view, stage, &named)
        });
        if !is_typed && !is_other && !is_set_later && !is_tool {
            all.push(Candidate { instruction, named });
        }
    }
}

/// Whether programs for one architecture run on another one's platform.
fn executes(platform: &Architecture, row: &Architecture) -> bool {
    platform.name == row.name || platform.executes.iter().any(|other| other.architecture == row.name)
}

/// Whether a RUN of the stage sets the variable that an ARG or ENV sets from another one: `GOARCH=$TARGETARCH`.
fn is_set_from_variable(subject: &Subject<'_>, stage: usize, instruction: &Instruction, name: &str) -> bool {
    if name.is_empty() || instruction.is("RUN") {
        return false;
    }
    let set = [format!("{name}=$"), format!("{name}=\"$")];
    let instructions = subject.dockerfile.stages.get(stage).into_iter().flat_map(|stage| &stage.instructions);
    instructions.map(Instruction::text).any(|text| set.iter().any(|set| text.contains(set)))
}

/// Whether a stage is for the platform that is built for, and not one of the build machine.
fn is_of_result(view: &View<'_>, stage: usize) -> bool {
    view.built.chain.contains(&stage) || !view.states_platform(stage)
}

/// Whether a stage that is for the wanted platform copies what was downloaded.
fn is_copied(view: &View<'_>, stage: usize, named: &Named) -> bool {
    let dockerfile = view.built.dockerfile;
    let for_target = view.built.reachable.iter().filter(|&&other| is_of_result(view, other));
    for_target.filter_map(|&other| Some((other, dockerfile.stages.get(other)?))).any(|(other, reader)| {
        let copies = reader.instructions.iter().filter(|instruction| instruction.is("COPY"));
        copies
            .filter(|copy| {
                dockerfile.sources(other, copy).into_iter().any(|source| match source {
                    Source::Stage(from) => dockerfile.chain(from, &view.built.globals).contains(&stage),
                    Source::Image(_) => false,
                })
            })
            .any(|copy| {
                let words = copy.words();
                let sources = words.split_last().map(|(_, sources)| sources).unwrap_or_default();
                sources.iter().any(|source| named.is_within(source))
            })
    })
}
