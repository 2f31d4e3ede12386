//! What in a Dockerfile leads to an image that is not what it says, told before anything is built.
//!
//! | file | rule |
//! |---|---|
//! | `pinned.rs` | `build/pinned-stage` |
//! | `base.rs` | `build/single-platform-base` |
//! | `fixed.rs` | `build/fixed-architecture` |
//! | `unused.rs` | `build/unused-targetarch` |
//!
//! Everything is asked once for each wanted platform, with that platform's variables, and of the stages that are built
//! for it: a stage `build-amd64` that only linux/amd64 is FROM may fetch amd64's files. So a Dockerfile is judged by
//! what it does for the platforms that are wanted here, and not by how it looks. In doubt nothing is said: a build and
//! its check follow, and they see what came out.

mod base;
mod fixed;
mod pinned;
mod shell;
mod unused;

use super::super::draft::Draft;
use super::super::rule::Rule;
use crate::build::dockerfile::{Built, Dockerfile, Instruction, Scope};
use crate::image::reader::Reader;
use crate::platform::Platform;
use mpcheck_reports::Finding;
use std::collections::BTreeMap;

/// What is to be built.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The platforms.
    pub platforms: Vec<Platform>,
    /// The platform that builds.
    pub build_platform: Platform,
    /// `--target`.
    pub target: Option<String>,
    /// `--build-arg`.
    pub build_args: BTreeMap<String, String>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Where a rule is broken, in the order of the rules and then of the lines.
    pub findings: Vec<Finding>,
    /// What could not be decided, each with its place and reason.
    pub undecided: Vec<String>,
}

/// Checks a Dockerfile. `name` is what it is called in messages, as `Dockerfile` or `docker/app.Dockerfile`; the reader
/// asks registries about base images that are pinned by digest, and reads their documents only.
#[must_use]
pub fn check(dockerfile: &Dockerfile, name: &str, wanted: &Wanted, reader: &Reader) -> Checked {
    let mut views = Vec::new();
    for platform in &wanted.platforms {
        let scope = Scope { target: platform, build: &wanted.build_platform, build_args: &wanted.build_args };
        match dockerfile.built(wanted.target.as_deref(), &scope) {
            Ok(built) => views.push(View { platform, scope, built }),
            Err(error) => return Checked { undecided: vec![error.told(name)], ..Checked::default() },
        }
    }
    let subject = Subject { dockerfile, name, wanted, views };
    let mut checked = Checked::default();
    pinned::check(&subject, &mut checked);
    base::check(&subject, reader, &mut checked);
    fixed::check(&subject, &mut checked);
    unused::check(&subject, &mut checked);
    checked.undecided.dedup();
    checked
}

/// The file as it is built for one platform.
struct View<'a> {
    platform: &'a Platform,
    scope: Scope<'a>,
    built: Built<'a>,
}

/// What is checked.
struct Subject<'a> {
    dockerfile: &'a Dockerfile,
    name: &'a str,
    wanted: &'a Wanted,
    views: Vec<View<'a>>,
}

impl Subject<'_> {
    /// `Dockerfile:7`.
    fn place(&self, instruction: &Instruction) -> String {
        format!("{}:{}", self.name, instruction.first)
    }

    /// A finding about an instruction.
    fn draft(&self, rule: &Rule, instruction: &Instruction, message: String, hint: String) -> Draft {
        Draft::new(rule, message, hint).file(self.place(instruction)).instruction(instruction.shown())
    }

    fn undecided(&self, instruction: &Instruction, why: &str) -> String {
        format!("{}: {why}", self.place(instruction))
    }
}

impl View<'_> {
    /// The platform of the stage's base; `None` where that cannot be told, which `pinned.rs` tells.
    fn platform_of(&self, stage: usize) -> Option<Platform> {
        match self.built.platform_of(*self.built.chain_of(stage).last()?) {
            Ok(None) => Some(self.platform.clone()),
            Ok(Some(stated)) => Platform::parse(&stated.text).ok(),
            Err(_) => None,
        }
    }

    /// Whether the stage is said to be of a platform that is not the wanted one by its nature: whoever wrote that knows
    /// what it is of, mostly the build machine's.
    fn states_platform(&self, stage: usize) -> bool {
        let chain = self.built.chain_of(stage);
        let root = chain.last().and_then(|&root| self.built.dockerfile.stages.get(root));
        let stated = root.and_then(|root| root.platform.as_deref());
        stated.is_some_and(|expression| !expression.contains("TARGET"))
    }

    /// Whether the stage is for another platform than the one that is built for: the build machine's, mostly.
    fn is_for_another(&self, stage: usize) -> bool {
        self.platform_of(stage).is_some_and(|platform| !platform.same_as(self.platform))
    }
}

/// `linux/amd64 and linux/arm64`, `linux/386, linux/amd64 and 3 more`.
fn listed(platforms: &[&Platform]) -> String {
    let names: Vec<String> = platforms.iter().map(ToString::to_string).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first, second] => format!("{first} and {second}"),
        [first, second, rest @ ..] => format!("{first}, {second} and {} more", rest.len()),
    }
}

#[cfg(test)]
mod tests;
