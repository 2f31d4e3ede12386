//! The trials of what is built: once, by the first of them, and then what came out is checked like any image.
//!
//! The steps stand in the output of the trial, and not among the report's steps: those are of a report about building
//! alone, and count for its verdict whatever a suite decided about severities.

use super::super::case::{Case, Kind, Subject};
use super::super::plan::{BuildPlan, ImagePlan, RehearsalPlan, TIMEOUT};
use super::image::{self, Work};
use super::{Outcome, Results, Session, dockerfile};
use crate::build::own::{self, Built, Request};
use crate::build::rehearsal::{Rehearsed, rehearse};
use crate::build::{Made, Site, Tools};
use crate::check::build::{Inspection, Told, told};
use crate::check::policy::{self, Severities};
use crate::check::run::Wish;
use crate::platform::Platform;
use mpcheck_reports as reports;
use mpcheck_reports::{FailOn, Finding, Status};
use std::fmt::Write as _;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// The step of a rehearsal that shows nothing by itself.
const TOOLS: &str = "tools";

/// The trials of an image that is built first.
pub(super) fn of_image(session: &Session, plan: &ImagePlan, build: &BuildPlan, cases: &[(usize, &Case)]) -> Results {
    let mut results = Results::default();
    let (of_file, others): (Vec<_>, Vec<_>) = cases.iter().partition(|(_, case)| case.kind == Kind::Dockerfile);
    results.outcomes.extend(of_file.iter().map(|(at, _)| (*at, dockerfile::outcome(session, plan, build))));
    if others.is_empty() {
        return results;
    }
    let work = Building { session, plan, build, cases: &others };
    match work.built() {
        Ok(came) => work.checked(came, &mut results),
        Err(why) => {
            results.outcomes.extend(others.iter().map(|(at, _)| (*at, Outcome::new(Status::Error, why.clone()))));
        }
    }
    results
}

/// The directory and the tools of a build.
fn workshop(session: &Session, timeout: Duration) -> Result<(Site, Tools), String> {
    let parent = std::env::temp_dir();
    let site = Site::new(&parent)
        .map_err(|error| format!("no directory can be made in {}: {error}; set TMPDIR", parent.display()))?;
    let tools = Tools::find(&session.reader.sources.for_engine(), &site.logs(), timeout);
    let tools = tools.map_err(|not_ready| match not_ready.hint.as_str() {
        "" => not_ready.why,
        hint => format!("{}; {hint}", not_ready.why),
    })?;
    Ok((site, tools))
}

/// What came of a build.
struct Came {
    site: Site,
    built: Built,
    /// The platform that built.
    native: Platform,
    took: Duration,
}

/// What is done for one image that is built.
struct Building<'a> {
    session: &'a Session,
    plan: &'a ImagePlan,
    build: &'a BuildPlan,
    cases: &'a [(usize, &'a Case)],
}

impl Building<'_> {
    /// The platforms that something is asked of, by their places; all of them for what is asked of the whole.
    fn places(&self) -> Vec<usize> {
        let work = Work { session: self.session, plan: self.plan, cases: self.cases };
        work.platforms().into_iter().collect()
    }

    fn built(&self) -> Result<Came, String> {
        // One after the other: each has the machine for itself, and the time that it may take.
        let _alone = self.session.building.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = Instant::now();
        let (site, tools) = workshop(self.session, self.build.timeout)?;
        let platforms = self.places().into_iter().filter_map(|place| self.plan.platforms.get(place).cloned());
        let request = Request { platforms: platforms.collect(), ..self.build.request.clone() };
        let built = own::build(&tools, &site, &request, self.session.watch.as_ref());
        Ok(Came { site, built, native: tools.native, took: begun.elapsed() })
    }

    /// Checks what came out, says what became of the build, and removes it all.
    fn checked(&self, Came { site, built, native, took }: Came, results: &mut Results) {
        let Told { steps, findings } = told(&built.steps, &[]);
        let Some(first) = built.images.first() else {
            let found = Found { plan: self.plan, steps: &steps, findings: &findings };
            self.not_built(&found, &self.places(), results);
            return self.end(site, &found, &built.remove(), took, results);
        };
        if built.images.len() == 1 && first.platforms.len() == self.places().len() {
            let plan = ImagePlan { location: first.location.clone(), ..self.plan.clone() };
            let cases: Vec<_> = self.cases.iter().filter(|(_, case)| case.kind != Kind::Build).copied().collect();
            if !cases.is_empty() {
                results.add(image::results(self.session, &plan, &cases));
            }
        } else {
            built.images.iter().for_each(|made| self.one_platform(made, results));
        }
        for outcome in results.outcomes.values_mut() {
            dockerfile::placed(&mut outcome.findings, self.plan, self.build, &native);
        }
        let found = Found { plan: self.plan, steps: &steps, findings: &findings };
        let is_there = |platform: &Platform| built.images.iter().any(|made| made.platforms.contains(platform));
        let lacking = self.places().into_iter();
        let lacking = lacking.filter(|place| !self.plan.platforms.get(*place).is_some_and(is_there));
        self.not_built(&found, &lacking.collect::<Vec<_>>(), results);
        self.end(site, &found, &built.remove(), took, results);
    }

    /// One of the images where each platform was built by itself: as if it were the only one of the plan.
    fn one_platform(&self, made: &Made, results: &mut Results) {
        let Some(platform) = made.platforms.first() else { return };
        let Some(place) = self.plan.platforms.iter().position(|other| other == platform) else { return };
        let plan = ImagePlan {
            reference: format!("{} for {platform}", self.plan.reference),
            location: made.location.clone(),
            platforms: vec![platform.clone()],
            ..self.plan.clone()
        };
        let cases = self.cases.iter().filter_map(|(at, case)| {
            let subject = match (case.subject, case.kind) {
                (_, Kind::Build) => return None,
                (Subject::Platform(image, of), _) if of == place => Subject::Platform(image, 0),
                (Subject::Image(image), _) => Subject::Image(image),
                _ => return None,
            };
            Some((*at, Case { subject, ..(*case).clone() }))
        });
        let cases: Vec<(usize, Case)> = cases.collect();
        let cases: Vec<(usize, &Case)> = cases.iter().map(|(at, case)| (*at, case)).collect();
        if !cases.is_empty() {
            results.add(image::results(self.session, &plan, &cases));
        }
    }

    /// Platforms, by their places, that nothing came out for.
    fn not_built(&self, found: &Found<'_>, places: &[usize], results: &mut Results) {
        if places.is_empty() {
            return;
        }
        for (at, case) in self.cases {
            let platform = match case.subject {
                Subject::Platform(_, place) if places.contains(&place) => self.plan.platforms.get(place),
                Subject::Image(_) => None,
                _ => continue,
            };
            let mut outcome = found.outcome(platform, false);
            if self.cases.iter().any(|(_, case)| case.kind == Kind::Build) {
                // Where the build is a trial itself, that one has all that is known of it.
                let why = found.why_not(platform);
                outcome = Outcome::new(outcome.status, why);
            }
            results.outcomes.insert(*at, outcome);
        }
    }

    /// What became of the build itself; then nothing of it is left.
    fn end(&self, site: Site, found: &Found<'_>, left: &[String], took: Duration, results: &mut Results) {
        let all = [found.findings, &told(&[], left).findings].concat();
        let found = Found { findings: &all, ..*found };
        for (at, _) in self.cases.iter().filter(|(_, case)| case.kind == Kind::Build) {
            let is_built = found.steps.iter().all(|step| step.status == Status::Passed);
            let mut outcome = found.outcome(None, is_built);
            outcome.wrote = Some(listed(found.steps));
            outcome.took = took;
            results.outcomes.insert(*at, outcome);
        }
        results.warnings.extend(kept(site, found.steps));
    }
}

/// What became of a build.
#[derive(Clone, Copy)]
struct Found<'a> {
    plan: &'a ImagePlan,
    steps: &'a [reports::Step],
    findings: &'a [Finding],
}

impl Found<'_> {
    /// What a trial says that needs a platform, or all of them: nothing can be right of what was not built.
    fn outcome(&self, platform: Option<&Platform>, is_built: bool) -> Outcome {
        let name = platform.map(ToString::to_string);
        let of = |finding: &&Finding| name.is_none() || finding.platform.is_none() || finding.platform == name;
        let mut findings: Vec<Finding> = self.findings.iter().filter(of).cloned().collect();
        findings.iter_mut().for_each(|finding| self.plan.reference.clone_into(&mut finding.image));
        policy::apply(&self.plan.policy.severities, &mut findings);
        // What says why it fails has said it all.
        let is_told = findings.iter().any(|finding| self.plan.fail_on.reached_by(finding.severity));
        let state =
            if is_built || is_told { (Status::Passed, None) } else { (Status::Error, Some(self.why_not(platform))) };
        Outcome::of(findings, state, self.plan.fail_on)
    }

    fn why_not(&self, platform: Option<&Platform>) -> String {
        let name = platform.map(ToString::to_string);
        let of = |step: &&reports::Step| name.is_none() || step.platform.is_none() || step.platform == name;
        let step = self.steps.iter().filter(of).find(|step| step.status != Status::Passed);
        let why = step.and_then(|step| step.reason.as_deref()).unwrap_or("nothing came out");
        format!("it was not built: {why}")
    }
}

/// The trials of a rehearsal.
pub(super) fn of_rehearsal(session: &Session, plan: &RehearsalPlan, cases: &[(usize, &Case)]) -> Results {
    let begun = Instant::now();
    let mut results = Results::default();
    let mut outcome = match rehearsed(session, plan, &mut results.warnings) {
        Ok((steps, findings)) => of_steps(&steps, findings, &plan.severities, plan.fail_on),
        Err(why) => Outcome::new(Status::Error, why),
    };
    outcome.took = begun.elapsed();
    results.outcomes.extend(cases.iter().map(|(at, _)| (*at, outcome.clone())));
    results
}

fn rehearsed(
    session: &Session,
    plan: &RehearsalPlan,
    warnings: &mut Vec<String>,
) -> Result<(Vec<reports::Step>, Vec<Finding>), String> {
    let _alone = session.building.lock().unwrap_or_else(PoisonError::into_inner);
    let (site, tools) = workshop(session, plan.timeout)?;
    let wish = Wish { machine: true, timeout: TIMEOUT, ..Wish::default() };
    let inspection = Inspection::new(&session.reader, session.runners(), plan.how, wish);
    let rehearsed = rehearse(&tools, &site, &plan.plan, &inspection, session.watch.as_ref());
    let Rehearsed { steps, left } =
        rehearsed.map_err(|error| format!("the files of the rehearsal cannot be written: {error}; set TMPDIR"))?;
    let Told { steps, mut findings } = told(&steps, &left);
    findings.extend(inspection.into_found().findings);
    warnings.extend(kept(site, &steps));
    Ok((steps, findings))
}

/// One outcome of all steps. Where nothing but the tools was found to work nothing was shown.
fn of_steps(steps: &[reports::Step], mut findings: Vec<Finding>, severities: &Severities, fail_on: FailOn) -> Outcome {
    policy::apply(severities, &mut findings);
    let told = |status: Status| {
        let steps = steps.iter().filter(move |step| step.status == status);
        steps.map(|step| format!("{}: {}", step.name, step.reason.as_deref().unwrap_or_default()))
    };
    let shown = steps.iter().any(|step| step.name != TOOLS && matches!(step.status, Status::Passed | Status::Failed));
    let undecided: Vec<String> = told(Status::Error).collect();
    let state = if !undecided.is_empty() {
        (Status::Error, Some(undecided.join("; ")))
    } else if shown {
        (Status::Passed, None)
    } else {
        let why: Vec<String> = told(Status::Skipped).collect();
        (Status::Skipped, Some(format!("nothing can be rehearsed here: {}", why.join("; "))))
    };
    let mut outcome = Outcome::of(findings, state, fail_on);
    outcome.wrote = Some(listed(steps));
    outcome
}

/// The steps in lines: what became of each, its commands, and what a failing one said last.
fn listed(steps: &[reports::Step]) -> String {
    let mut text = String::new();
    for step in steps {
        let status = match step.status {
            Status::Passed => "passed",
            Status::Failed => "FAILED",
            Status::Skipped => "skipped",
            Status::Error => "could not be decided",
        };
        let reason = step.reason.as_deref().map(|reason| format!(": {}", escaped(reason))).unwrap_or_default();
        // Writing to a text cannot fail.
        let _ = writeln!(text, "step {}: {status}{reason}", escaped(&step.name));
        for command in &step.commands {
            let ended = match command.exit {
                Some(0) => String::new(),
                Some(code) => format!("  # exit code {code}"),
                None => "  # ended before its time".to_owned(),
            };
            let _ = writeln!(text, "  $ {}{ended}", escaped(&command.line));
        }
        for line in step.output.iter().flat_map(|output| output.lines()) {
            let _ = writeln!(text, "  | {}", escaped(line));
        }
        if let Some(log) = &step.log {
            let _ = writeln!(text, "  log: {}", escaped(log));
        }
    }
    text.truncate(text.trim_end().len());
    text
}

/// What a terminal would obey is shown; all else stays, so that commands can be copied.
fn escaped(text: &str) -> String {
    let shown = |c: char| if c.is_control() { c.escape_default().collect() } else { vec![c] };
    text.chars().flat_map(shown).collect()
}

/// The directory is kept where a step has a log: what to say of that.
fn kept(site: Site, steps: &[reports::Step]) -> Option<String> {
    let is_kept = steps.iter().any(|step| step.log.is_some());
    is_kept.then(|| format!("the files of the build and its logs are kept in {}", site.keep().display()))
}

#[cfg(test)]
mod tests;
