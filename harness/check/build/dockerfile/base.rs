//! `build/single-platform-base`: a digest that is of one platform, or of an index that lacks one.
//!
//! Looked up is what the result is made of: the image at the end of the final stage's chain, and what COPY --from takes
//! files from. A stage that others copy from is left alone where it is for another platform on purpose (`--platform`),
//! or where it asks for the platform to build for: then it compiles for it, on whatever machine. So is what a mount of
//! RUN brings, as such files are mostly not kept.

use super::{Checked, Subject, View, listed};
use crate::build::dockerfile::{Base, Instruction, Source, shortened};
use crate::check::rule;
use crate::image::ImageFacts;
use crate::image::observe::Silent;
use crate::image::reader::{Depth, Reader};
use crate::image::reference::{ImageName, Location};
use crate::platform::{Platform, Selection};
use std::collections::{BTreeMap, BTreeSet};

/// So many base images are looked up.
const MAX_LOOKUPS: usize = 50;

/// A base image that is pinned by digest, with the place where it stands and the platforms that are made of it.
struct Pinned<'a> {
    name: String,
    platforms: Vec<&'a Platform>,
    /// Whether the result is FROM it; else it copies from it.
    is_from: bool,
}

pub(super) fn check(subject: &Subject<'_>, reader: &Reader, checked: &mut Checked) {
    let mut found: BTreeMap<(usize, String), (&Instruction, Pinned<'_>)> = BTreeMap::new();
    for view in &subject.views {
        for (instruction, name, is_from) in bases(view) {
            if let Base::Unknown(why) = &name {
                checked.undecided.push(subject.undecided(instruction, why));
            }
            let Base::Image(name) = name else { continue };
            if name.contains('@') {
                let new = || (instruction, Pinned { name: name.clone(), platforms: Vec::new(), is_from });
                found.entry((instruction.first, name.clone())).or_insert_with(new).1.platforms.push(view.platform);
            }
        }
    }
    for (number, (instruction, pinned)) in found.into_values().enumerate() {
        if number == MAX_LOOKUPS {
            let why = format!("more than {MAX_LOOKUPS} base images are pinned by digest: the rest was not looked up");
            checked.undecided.push(subject.undecided(instruction, &why));
            return;
        }
        match offered(&pinned.name, reader) {
            Ok(offered) => judge(subject, instruction, &pinned, &offered, checked),
            Err(why) => {
                let why = format!("which platforms the base image is of is not known: {why}");
                checked.undecided.push(subject.undecided(instruction, &why));
            }
        }
    }
}

/// What the result of a platform is made of.
fn bases<'a>(view: &View<'a>) -> Vec<(&'a Instruction, Base, bool)> {
    let dockerfile = view.built.dockerfile;
    let mut bases = Vec::new();
    let (mut seen, mut open) = (BTreeSet::new(), view.built.chain.clone());
    while let Some(index) = open.pop() {
        if !seen.insert(index) || view.is_for_another(index) {
            continue;
        }
        let Some(stage) = dockerfile.stages.get(index) else { continue };
        let in_chain = view.built.chain.contains(&index);
        match view.built.bases.get(index) {
            Some(Base::Stage(base)) => open.push(*base),
            Some(base) if in_chain || !view.states_platform(index) && !asks_for_target(view, index) => {
                bases.push((&stage.from, base.clone(), in_chain));
            }
            _ => {}
        }
        for instruction in stage.instructions.iter().filter(|instruction| instruction.is("COPY")) {
            for source in dockerfile.sources(index, instruction) {
                match source {
                    Source::Stage(stage) => open.push(stage),
                    Source::Image(name) => bases.push((instruction, Base::Image(name.to_owned()), false)),
                }
            }
        }
    }
    bases
}

/// Whether a stage, or one that is FROM it, knows which platform it builds for.
fn asks_for_target(view: &View<'_>, index: usize) -> bool {
    let dockerfile = view.built.dockerfile;
    view.built.reachable.iter().any(|&other| {
        let in_chain = view.built.chain_of(other).contains(&index);
        let stage = dockerfile.stages.get(other).filter(|_| in_chain);
        stage.is_some_and(|stage| stage.instructions.iter().any(|one| one.text().contains("TARGET")))
    })
}

/// The platforms of an image; without an index just one.
enum Offered {
    Index(Vec<Platform>),
    One(Platform),
}

fn offered(name: &str, reader: &Reader) -> Result<Offered, String> {
    let parsed = ImageName::parse(name).map_err(|error| format!("`{}`: {error}", shortened(name, 120)))?;
    let location = Location::Registry { name: parsed };
    // Nothing below the index is needed: of a manifest alone the config is read anyway.
    let facts: ImageFacts = match reader.read(&location, &Selection::none(), Depth::Documents, &Silent) {
        Ok((facts, _)) => facts,
        Err(error) => return Err(reader.told(name, &location, &error)),
    };
    let mut platforms: Vec<Platform> = facts.platforms.into_iter().map(|platform| platform.platform).collect();
    match (facts.is_index, platforms.pop()) {
        (_, None) => {
            let why = facts.unread.first().map(|(_, why)| why.clone());
            Err(why.unwrap_or_else(|| "it lists no platform".to_owned()))
        }
        (false, Some(one)) => Ok(Offered::One(one)),
        (true, Some(last)) => {
            platforms.push(last);
            Ok(Offered::Index(platforms))
        }
    }
}

fn judge(
    subject: &Subject<'_>,
    instruction: &Instruction,
    pinned: &Pinned<'_>,
    offered: &Offered,
    checked: &mut Checked,
) {
    let list = match offered {
        Offered::Index(list) => list.as_slice(),
        Offered::One(one) => std::slice::from_ref(one),
    };
    let lacks = |platform: &&&Platform| !list.iter().any(|offered| offered.runs_on(platform));
    let wrong: Vec<&Platform> = pinned.platforms.iter().filter(lacks).copied().collect();
    if wrong.is_empty() {
        return;
    }
    let what = if pinned.is_from { "the base image" } else { "an image that the result copies from" };
    let all = listed(&list.iter().collect::<Vec<_>>());
    let message = match offered {
        Offered::One(one) => {
            format!("{what} is pinned to the digest of {one} alone: the image for {} is made of {one}", listed(&wrong))
        }
        Offered::Index(_) => format!("{what} is pinned to an index that has no {}: its build fails", listed(&wrong)),
    };
    let short = pinned.name.split('@').next().unwrap_or_default();
    let hint = format!(
        "pin the digest of the index, which is of all platforms: `docker buildx imagetools inspect {}` prints it as \"Digest\" at the top",
        shortened(short, 120)
    );
    let draft = subject.draft(&rule::SINGLE_PLATFORM_BASE, instruction, message, hint);
    checked.findings.push(draft.instead(listed(&wrong), all).done());
}
