//! Which stage is built, what it is FROM, and what it copies from.

use super::expand::{ExpandError, Expanded, expand};
use super::scope::{Scope, Variables};
use super::{Dockerfile, DockerfileError, Instruction, Mistake, Stage, shortened};
use std::collections::BTreeSet;

/// What is built of a Dockerfile for one platform.
#[derive(Debug, Clone)]
pub struct Built<'a> {
    /// The file.
    pub dockerfile: &'a Dockerfile,
    /// The variables that FROM sees.
    pub globals: Variables,
    /// What each stage of the file is FROM.
    pub bases: Vec<Base>,
    /// The stage that is built, the one that it is FROM, and so on: these make the result's layers.
    pub chain: Vec<usize>,
    /// Every stage that is built for it.
    pub reachable: BTreeSet<usize>,
    /// For each stage of the chain its ONBUILDs: where it stands, and what it triggers.
    pub(super) triggers: Vec<Vec<(Instruction, Instruction)>>,
}

/// What a stage is FROM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// Nothing.
    Scratch,
    /// Another stage of the file, by its index.
    Stage(usize),
    /// An image.
    Image(String),
    /// It cannot be told from the file.
    Unknown(String),
}

/// Where a COPY or a mount takes its files from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source<'a> {
    /// Another stage of the file, by its index.
    Stage(usize),
    /// An image, or a context that is named in the command line of the build.
    Image(&'a str),
}

impl Built<'_> {
    /// The stage, the one that it is FROM, and so on; the last is FROM an image or scratch.
    #[must_use]
    pub fn chain_of(&self, stage: usize) -> Vec<usize> {
        chain(stage, &self.bases)
    }

    /// What a stage's own `--platform` expands to; `None` where it states none.
    ///
    /// # Errors
    /// When it cannot be expanded.
    pub fn platform_of(&self, stage: usize) -> Result<Option<Expanded>, ExpandError> {
        let stated = self.dockerfile.stages.get(stage).and_then(|stage| stage.platform.as_deref());
        stated.map(|text| expand(text, &self.globals, self.dockerfile.escape)).transpose()
    }
}

/// It ends, as a stage can only be FROM one above it.
fn chain(stage: usize, bases: &[Base]) -> Vec<usize> {
    let mut chain = vec![stage];
    let mut at = stage;
    while let Some(Base::Stage(base)) = bases.get(at).filter(|_| chain.len() <= bases.len()) {
        chain.push(*base);
        at = *base;
    }
    chain
}

impl Dockerfile {
    /// What is built for a platform, of the stage that is called so, or of the last.
    ///
    /// # Errors
    /// When no stage is called so.
    pub fn built(&self, target: Option<&str>, scope: &Scope<'_>) -> Result<Built<'_>, DockerfileError> {
        let target = self.target(target)?;
        let globals = self.global_variables(scope);
        let bases: Vec<Base> = (0..self.stages.len()).map(|index| self.base_of(index, &globals)).collect();
        let chain = chain(target, &bases);
        let reachable = self.reachable(target, &bases);
        let onbuild = |stage: &Stage| {
            let onbuild = stage.instructions.iter().filter(|instruction| instruction.is("ONBUILD"));
            onbuild.map(|instruction| (instruction.clone(), instruction.triggered())).collect()
        };
        let triggers = chain.iter().filter_map(|&index| self.stages.get(index)).map(onbuild).collect();
        Ok(Built { dockerfile: self, globals, bases, chain, reachable, triggers })
    }

    /// The stage that is built: the one that is called so, or the last.
    ///
    /// # Errors
    /// When no stage is called so.
    pub fn target(&self, name: Option<&str>) -> Result<usize, DockerfileError> {
        let Some(name) = name.filter(|name| !name.is_empty()) else { return Ok(self.stages.len().saturating_sub(1)) };
        self.earlier(name, self.stages.len())
            .or_else(|| name.parse().ok().filter(|&index: &usize| index < self.stages.len()))
            .ok_or_else(|| {
                let names = self.stages.iter().filter_map(|stage| stage.name.as_deref());
                let names = names.take(20).map(|name| shortened(name, 40)).collect();
                DockerfileError::of_file(Mistake::NoTarget { name: shortened(name, 40), names })
            })
    }

    /// The last stage of this name before the one of this index.
    fn earlier(&self, name: &str, before: usize) -> Option<usize> {
        let is_it = |stage: &Stage| stage.name.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name));
        self.stages.iter().take(before).rposition(is_it)
    }

    /// What a stage is FROM. `globals` are the variables that FROM sees.
    #[must_use]
    pub(super) fn base_of(&self, index: usize, globals: &Variables) -> Base {
        let Some(stage) = self.stages.get(index) else { return Base::Scratch };
        let unknown = |why: String| Base::Unknown(format!("what it is FROM cannot be told: {why}"));
        let name = match expand(&stage.base, globals, self.escape) {
            Ok(Expanded { text, unset, .. }) if text.is_empty() => {
                return unknown(format!("{} is not set", unset.join(", ")));
            }
            Ok(expanded) => expanded.text,
            Err(error) => return unknown(error.to_string()),
        };
        if name == "scratch" {
            return Base::Scratch;
        }
        self.earlier(&name, index).map_or_else(|| Base::Image(name), Base::Stage)
    }

    /// Where an instruction of a stage takes files from.
    pub fn sources<'a>(&self, index: usize, instruction: &'a Instruction) -> Vec<Source<'a>> {
        let source = |from: &'a str| {
            let numbered = || from.parse().ok().filter(|&number: &usize| number < index);
            self.earlier(from, index).or_else(numbered).map_or(Source::Image(from), Source::Stage)
        };
        instruction.takes_from().into_iter().map(source).collect()
    }

    /// Every stage that is built for this one: what it is FROM, what it copies from, and theirs.
    fn reachable(&self, index: usize, bases: &[Base]) -> BTreeSet<usize> {
        let mut reached = BTreeSet::new();
        let mut open = vec![index];
        while let Some(at) = open.pop() {
            if !reached.insert(at) {
                continue;
            }
            if let Some(Base::Stage(base)) = bases.get(at) {
                open.push(*base);
            }
            let instructions = self.stages.get(at).into_iter().flat_map(|stage| &stage.instructions);
            let sources = instructions.flat_map(|instruction| self.sources(at, instruction));
            open.extend(sources.filter_map(|source| match source {
                Source::Stage(stage) => Some(stage),
                Source::Image(_) => None,
            }));
        }
        reached
    }
}
