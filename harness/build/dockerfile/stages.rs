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

impl Dockerfile {
    /// What is built for a platform, of the stage that is called so, or of the last.
    ///
    /// # Errors
    /// When no stage is called so.
    pub fn built(&self, target: Option<&str>, scope: &Scope<'_>) -> Result<Built<'_>, DockerfileError> {
        let target = self.target(target)?;
        let globals = self.global_variables(scope);
        let chain = self.chain(target, &globals);
        let reachable = self.reachable(target, &globals);
        let onbuild = |stage: &Stage| {
            let onbuild = stage.instructions.iter().filter(|instruction| instruction.is("ONBUILD"));
            onbuild.map(|instruction| (instruction.clone(), instruction.triggered())).collect()
        };
        let triggers = chain.iter().filter_map(|&index| self.stages.get(index)).map(onbuild).collect();
        Ok(Built { dockerfile: self, globals, chain, reachable, triggers })
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
    pub fn base_of(&self, index: usize, globals: &Variables) -> Base {
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

    /// The stage, the one that it is FROM, and so on; the last is FROM an image or scratch. It ends, as a stage can
    /// only be FROM one above it.
    #[must_use]
    pub fn chain(&self, index: usize, globals: &Variables) -> Vec<usize> {
        let mut chain = vec![index];
        let mut at = index;
        while let Base::Stage(base) = self.base_of(at, globals) {
            chain.push(base);
            at = base;
        }
        chain
    }

    /// What a stage's platform expands to; `None` where it states none.
    ///
    /// # Errors
    /// When it cannot be expanded.
    pub fn platform_of(&self, index: usize, globals: &Variables) -> Result<Option<Expanded>, ExpandError> {
        let stated = self.stages.get(index).and_then(|stage| stage.platform.as_deref());
        stated.map(|text| expand(text, globals, self.escape)).transpose()
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
    #[must_use]
    pub fn reachable(&self, index: usize, globals: &Variables) -> BTreeSet<usize> {
        let mut reached = BTreeSet::new();
        let mut open = vec![index];
        while let Some(at) = open.pop() {
            if !reached.insert(at) {
                continue;
            }
            if let Base::Stage(base) = self.base_of(at, globals) {
                open.push(base);
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
