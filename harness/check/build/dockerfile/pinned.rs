//! `build/pinned-stage`: the final stage is of one platform, whatever is built for.
//!
//! What counts is the stage at the end of the chain: where a stage is FROM another stage, BuildKit takes that one's
//! platform and drops its own (`dispatchState.init`). On scratch a platform means nothing.

use super::{Checked, Subject, View, listed};
use crate::build::dockerfile::Base;
use crate::check::rule;
use crate::platform::Platform;
use std::collections::BTreeMap;

pub(super) fn check(subject: &Subject<'_>, checked: &mut Checked) {
    // By the stage that is at fault: which platforms get which other one.
    let mut wrong: BTreeMap<usize, Vec<(&Platform, Platform)>> = BTreeMap::new();
    for view in &subject.views {
        let Some(&root) = view.built.chain.last() else { continue };
        match pinned(view, root) {
            Ok(Some(other)) => wrong.entry(root).or_default().push((view.platform, other)),
            Ok(None) => {}
            Err(why) => {
                let from = subject.dockerfile.stages.get(root).map(|stage| &stage.from);
                checked.undecided.extend(from.map(|from| subject.undecided(from, &why)));
            }
        }
    }
    for (root, wrong) in wrong {
        let Some(stage) = subject.dockerfile.stages.get(root) else { continue };
        let Some((_, other)) = wrong.first() else { continue };
        let platforms: Vec<&Platform> = wrong.iter().map(|(platform, _)| *platform).collect();
        let expression = stage.platform.as_deref().unwrap_or_default();
        let of_build = expression.contains("BUILD");
        let whose = if of_build { "the build machine's platform" } else { "one platform" };
        let is_target = subject.views.iter().all(|view| view.built.chain.first() == Some(&root));
        let which = if is_target {
            "the final stage".to_owned()
        } else {
            format!("{}, which the final stage is FROM,", stage.told())
        };
        let message = format!("{which} is of {whose}: the image for {} is made of {other}", listed(&platforms));
        let hint = format!(
            "take --platform={} out of line {}: the stage that makes the image is FROM the platform that it is for; only stages that compile stay pinned",
            crate::build::dockerfile::shortened(expression, 60),
            stage.from.first,
        );
        let draft = subject.draft(&rule::PINNED_STAGE, &stage.from, message, hint);
        checked.findings.push(draft.instead(listed(&platforms), other.to_string()).done());
    }
}

/// The platform that the stage is of, where that is not the one that is built for.
fn pinned(view: &View<'_>, root: usize) -> Result<Option<Platform>, String> {
    match view.built.bases.get(root) {
        Some(Base::Unknown(why)) => return Err(why.clone()),
        Some(Base::Scratch) => return Ok(None),
        _ => {}
    }
    let cannot = |why: String| format!("the platform of the final stage cannot be told: {why}");
    let Some(stated) = view.built.platform_of(root).map_err(|error| cannot(error.to_string()))? else {
        return Ok(None);
    };
    if stated.text.is_empty() {
        return Err(cannot(format!("{} is not set, give it by --build-arg", stated.unset.join(", "))));
    }
    let platform = Platform::parse(&stated.text).map_err(|error| cannot(error.to_string()))?;
    // A lower variant of the same architecture runs there.
    let fits = platform.architecture() == view.platform.architecture() && platform.runs_on(view.platform);
    Ok((!fits).then_some(platform))
}
