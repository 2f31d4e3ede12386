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
use crate::build::dockerfile::{Instruction, Source, Stage, Variables};
use crate::check::rule;
use crate::platform::{Architecture, Platform};
use named::{Kind, Named};
use std::collections::BTreeMap;

mod named;

/// So many places are told of one file.
const MAX_CANDIDATES: usize = 200;

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
    let outside = Within { subject, view, stage: None, set: Vec::new() };
    for instruction in &subject.dockerfile.globals {
        outside.look(instruction, &Variables::default(), &mut all);
    }
    // The variables after each stage. A stage is FROM one above it, so that one was there before.
    let mut after: BTreeMap<usize, Variables> = BTreeMap::new();
    for &index in &view.built.reachable {
        let Some(stage) = subject.dockerfile.stages.get(index) else { continue };
        let base = view.built.chain_of(index).get(1).copied();
        let mut variables = base.and_then(|base| after.get(&base)).cloned().unwrap_or_default();
        let within = Within { subject, view, stage: Some(index), set: set_from_variables(stage) };
        for instruction in &stage.instructions {
            within.look(instruction, &variables, &mut all);
            subject.dockerfile.apply(instruction, &view.scope, &view.built.globals, &mut variables);
        }
        after.insert(index, variables);
    }
    // Several architectures in one kind of place: all of them are made.
    let mut rows: Vec<(Kind, &str)> = all.iter().map(|one| (one.named.kind, one.named.row.name)).collect();
    rows.sort_unstable();
    rows.dedup();
    let is_fixed = |kind: Kind| rows.iter().filter(|(other, _)| *other == kind).count() == 1;
    all.into_iter().filter(|one| is_fixed(one.named.kind) && !executes(row, one.named.row)).collect()
}

/// The stage that is looked at.
struct Within<'a, 'b> {
    subject: &'b Subject<'b>,
    view: &'b View<'a>,
    /// Its index; `None` before the first.
    stage: Option<usize>,
    /// The variables that a RUN of it sets from others: `GOARCH=$TARGETARCH`.
    set: Vec<&'static str>,
}

impl Within<'_, '_> {
    fn look<'a>(&self, instruction: &'a Instruction, variables: &Variables, all: &mut Vec<Candidate<'a>>) {
        if all.len() >= MAX_CANDIDATES {
            return;
        }
        for named in named::named(instruction, variables, self.subject.dockerfile.escape) {
            // What was typed is meant.
            let is_typed = instruction.is("ARG") && self.subject.wanted.build_args.contains_key(&named.name);
            let is_set_later = !instruction.is("RUN") && self.set.contains(&named.name.as_str());
            if is_typed || is_set_later || named.is_for_another_system(self.view.platform) {
                continue;
            }
            if !self.is_tool(&named) {
                all.push(Candidate { instruction, named });
            }
        }
    }

    /// Whether it is downloaded in a stage of the build machine, and stays there.
    fn is_tool(&self, named: &Named) -> bool {
        let is_download = named.kind == Kind::Download;
        self.stage
            .is_some_and(|stage| is_download && !is_of_result(self.view, stage) && !is_copied(self.view, stage, named))
    }
}

/// The variables that a stage sets from others.
fn set_from_variables(stage: &Stage) -> Vec<&'static str> {
    let is_set = |name: &str| {
        let set = [format!("{name}=$"), format!("{name}=\"$")];
        stage.instructions.iter().map(Instruction::text).any(|text| set.iter().any(|set| text.contains(set)))
    };
    named::OF_COMPILERS.into_iter().filter(|name| is_set(name)).collect()
}

/// Whether programs for one architecture run on another one's platform.
fn executes(platform: &Architecture, row: &Architecture) -> bool {
    platform.name == row.name || platform.executes.iter().any(|other| other.architecture == row.name)
}

/// Whether a stage is for the platform that is built for, and not one of the build machine.
fn is_of_result(view: &View<'_>, stage: usize) -> bool {
    view.built.chain.contains(&stage) || !view.states_platform(stage)
}

/// Whether a stage that is for the wanted platform copies what was downloaded.
fn is_copied(view: &View<'_>, stage: usize, named: &Named) -> bool {
    let dockerfile = view.built.dockerfile;
    let is_from_it = |source: Source<'_>| match source {
        Source::Stage(from) => view.built.chain_of(from).contains(&stage),
        Source::Image(_) => false,
    };
    let copies = |other: usize, copy: &Instruction| {
        let words = copy.words();
        let sources = words.split_last().map(|(_, sources)| sources).unwrap_or_default();
        sources.iter().any(|source| named.is_within(source))
            && dockerfile.sources(other, copy).into_iter().any(is_from_it)
    };
    let for_target = view.built.reachable.iter().filter(|&&other| is_of_result(view, other));
    for_target.filter_map(|&other| Some((other, dockerfile.stages.get(other)?))).any(|(other, stage)| {
        stage.instructions.iter().any(|instruction| instruction.is("COPY") && copies(other, instruction))
    })
}
