//! What is said of a Dockerfile that a suite builds: by itself, and as the place of what its instructions brought.

use super::super::plan::{BuildPlan, ImagePlan};
use super::{Outcome, Session};
use crate::build::dockerfile::Dockerfile;
use crate::check::build::dockerfile::{Wanted, check};
use crate::check::build::place;
use crate::check::policy;
use crate::platform::Platform;
use mpcheck_reports::{Finding, Status};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Where it is, from where this program runs. The suite refuses to check one that is at a repository's address.
fn path(build: &BuildPlan) -> PathBuf {
    let request = &build.request;
    request.dockerfile.clone().unwrap_or_else(|| Path::new(&request.context).join("Dockerfile"))
}

fn wanted(plan: &ImagePlan, build: &BuildPlan, build_platform: &Platform) -> Wanted {
    let arguments = build.request.build_args.iter().filter_map(|argument| argument.split_once('='));
    Wanted {
        platforms: plan.platforms.clone(),
        build_platform: build_platform.clone(),
        target: build.request.target.clone(),
        build_args: arguments.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
    }
}

/// What in it leads to an image that is not what it says. Nothing is built for that, and no docker is asked.
pub(super) fn outcome(session: &Session, plan: &ImagePlan, build: &BuildPlan) -> Outcome {
    let begun = Instant::now();
    let path = path(build);
    let name = path.display().to_string();
    let dockerfile = match Dockerfile::read(&path) {
        Ok(dockerfile) => dockerfile,
        Err(error) => return Outcome::new(Status::Error, error.told(&name)),
    };
    let checked = check(&dockerfile, &name, &wanted(plan, build, &Platform::host()), &session.reader);
    let mut findings = checked.findings;
    findings.iter_mut().for_each(|finding| plan.reference.clone_into(&mut finding.image));
    policy::apply(&plan.policy.severities, &mut findings);
    let state = match checked.undecided.as_slice() {
        [] => (Status::Passed, None),
        undecided => (Status::Error, Some(undecided.join("; "))),
    };
    let mut outcome = Outcome::of(findings, state, plan.fail_on);
    outcome.took = begun.elapsed();
    outcome
}

/// Says which lines brought what was found in an image that was built for this platform's machine.
pub(super) fn placed(findings: &mut [Finding], plan: &ImagePlan, build: &BuildPlan, build_platform: &Platform) {
    let path = path(build);
    // Docker has understood it, whatever this program thinks of it.
    if let Ok(dockerfile) = Dockerfile::read(&path) {
        place(findings, &dockerfile, &path.display().to_string(), &wanted(plan, build, build_platform));
    }
}
