//! Running trials: an image is built and read once, and its platforms are run once, whatever the number of trials.
//!
//! The first trial of an image does the work for all that were asked for with it; the others wait for it and take their
//! part. So trials may be asked for from several threads, in any order, one or all.

mod building;
mod dockerfile;
mod image;
mod machine;
mod running;

use super::case::{Case, Kind, Subject, Tests, cases};
use super::plan::{FilePlan, ImagePlan, Suite};
use super::structure::Test;
use crate::image::cache::Cache;
use crate::image::observe::{Observer, Silent};
use crate::image::reader::Reader;
use crate::run::Freedom;
use crate::run::choose::How;
use crate::run::set::RunnerSet;
use mpcheck_reports::{self as reports, FailOn, Finding, Status, Trial, told};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

/// What came of a trial.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The outcome.
    pub status: Status,
    /// Why, for every outcome but [`Status::Passed`].
    pub reason: Option<String>,
    /// What was found, whether or not it fails the trial.
    pub findings: Vec<Finding>,
    /// The end of what a command wrote that failed.
    pub wrote: Option<String>,
    /// How long it took by itself.
    pub took: Duration,
}

impl Outcome {
    fn new(status: Status, reason: impl Into<String>) -> Self {
        Self { status, reason: Some(reason.into()), findings: Vec::new(), wrote: None, took: Duration::ZERO }
    }

    /// By what was found, and where that fails nothing by what else is known.
    fn of(findings: Vec<Finding>, (status, reason): (Status, Option<String>), fail_on: FailOn) -> Self {
        let failing: Vec<&Finding> = findings.iter().filter(|finding| fail_on.reached_by(finding.severity)).collect();
        // What could not be decided beside it is told as well.
        let beside = reason.as_ref().filter(|_| status == Status::Error).map(|why| format!("; beside that, {why}"));
        let failed = |why: String| (Status::Failed, Some(format!("{why}{}", beside.clone().unwrap_or_default())));
        let (status, reason) = match failing.as_slice() {
            [] => (status, reason.clone()),
            [one] => failed(one.message.clone()),
            [first, others @ ..] => failed(format!("{}; and {} more", first.message, others.len())),
        };
        Self { status, reason, findings, wrote: None, took: Duration::ZERO }
    }

    /// Both, where a case is about two: the worse one, with all that was found.
    fn and(self, other: Self) -> Self {
        let weight = |outcome: &Self| match outcome.status {
            Status::Passed => 0,
            Status::Skipped => 1,
            Status::Error => 2,
            Status::Failed => 3,
        };
        let (mut worse, better) = if weight(&other) > weight(&self) { (other, self) } else { (self, other) };
        worse.findings.extend(better.findings);
        worse.took += better.took;
        worse
    }

    /// Everything that there is to show, in lines.
    #[must_use]
    pub fn output(&self) -> Option<String> {
        let mut parts: Vec<String> = self.findings.iter().map(told).collect();
        parts.extend(self.wrote.clone());
        (!parts.is_empty()).then(|| parts.join("\n"))
    }
}

/// What came of the trials of one image, or of the host.
#[derive(Debug, Default)]
struct Results {
    /// By the place of the case.
    outcomes: BTreeMap<usize, Outcome>,
    /// The image's entry in the report; several, where each platform was built by itself.
    images: Vec<reports::Image>,
    /// The host's.
    host: Option<reports::Machine>,
    /// What is worth a warning.
    warnings: Vec<String>,
}

impl Results {
    /// Adds those of another part of the same image; of two outcomes of one case the worse one counts.
    fn add(&mut self, other: Self) {
        for (at, mut outcome) in other.outcomes {
            if let Some(known) = self.outcomes.remove(&at) {
                outcome = known.and(outcome);
            }
            self.outcomes.insert(at, outcome);
        }
        self.images.extend(other.images);
        self.warnings.extend(other.warnings);
    }
}

/// Suites that are being run.
pub struct Session {
    suites: Vec<Suite>,
    tests: Tests,
    cases: Vec<Case>,
    /// Which cases were asked for: what the first of an image does for all.
    wanted: Vec<bool>,
    /// Whether other processes are asked for the other cases.
    shares: bool,
    reader: Reader,
    runners: OnceLock<RunnerSet>,
    observer: Arc<dyn Observer + Send + Sync>,
    /// Told of each step of a build.
    watch: Arc<dyn Fn(&str) + Send + Sync>,
    /// Held by who builds.
    building: Mutex<()>,
    /// One for each image, for the host and for each rehearsal of each suite, in this order.
    results: Vec<Vec<OnceLock<Results>>>,
}

impl Session {
    /// Suites, of which nothing was run yet. All cases are asked for.
    #[must_use]
    pub fn new(suites: Vec<Suite>, tests: Tests, reader: Reader) -> Self {
        let cases = cases(&suites, &tests);
        let places = |suite: &Suite| suite.images.len() + 1 + suite.rehearsals.len();
        let results = suites.iter().map(|suite| (0..places(suite)).map(|_| OnceLock::new()).collect()).collect();
        let wanted = vec![true; cases.len()];
        Self {
            suites,
            tests,
            cases,
            wanted,
            shares: false,
            reader,
            runners: OnceLock::new(),
            observer: Arc::new(Silent),
            watch: Arc::new(|_| {}),
            building: Mutex::new(()),
            results,
        }
    }

    /// All cases, in the order of the suites.
    #[must_use]
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// Asks for some alone of the cases that are asked for, before the first is run: nothing is done for the others.
    pub fn want(&mut self, is_wanted: impl FnMut(&Case) -> bool) {
        let wanted = self.cases.iter().map(is_wanted);
        self.wanted.iter_mut().zip(wanted).for_each(|(wanted, is)| *wanted &= is);
    }

    /// Says that other processes run the other cases of these suites, with the same cache: what is read for a case is kept
    /// in the form that theirs need as well, so that they do not read it again.
    pub const fn share(&mut self) {
        self.shares = true;
    }

    /// Runs what exceptions would have ignored; nothing else, where that `only` is wanted.
    pub fn include_ignored(&mut self, only: bool) {
        let was_ignored = self.cases.iter_mut().map(|case| case.ignored.take().is_some());
        let wanted: Vec<bool> = was_ignored.map(|was_ignored| was_ignored || !only).collect();
        self.wanted.iter_mut().zip(wanted).for_each(|(wanted, is)| *wanted &= is);
    }

    /// The cache, where there is one.
    #[must_use]
    pub const fn cache(&self) -> Option<&Cache> {
        self.reader.cache.as_ref()
    }

    /// The places of the cases that are asked for.
    pub fn wanted(&self) -> impl Iterator<Item = usize> + '_ {
        self.wanted.iter().enumerate().filter_map(|(at, wanted)| wanted.then_some(at))
    }

    /// Lets somebody watch.
    pub fn watched_by(&mut self, observer: Arc<dyn Observer + Send + Sync>) {
        self.observer = observer;
    }

    /// Lets somebody be told of each step of a build before it is begun.
    pub fn steps_watched_by(&mut self, watch: Arc<dyn Fn(&str) + Send + Sync>) {
        self.watch = watch;
    }

    /// The suite of a case.
    #[must_use]
    pub fn suite(&self, case: &Case) -> Option<&Suite> {
        self.suites.get(case.suite)
    }

    /// The test of a structure file that a case is about.
    fn test(&self, case: &Case) -> Option<&Test> {
        let Kind::Structure(file, test) = case.kind else { return None };
        self.tests.get(case.suite)?.get(case.subject.image()?)?.get(file)?.get(test)
    }

    fn plan(&self, case: &Case) -> Option<&ImagePlan> {
        self.suite(case)?.images.get(case.subject.image()?)
    }

    /// Why a case that runs something cannot be run on this host, as far as that can be told without the image; `None` where
    /// it can, and where the suite wants that to be an error.
    #[must_use]
    pub fn cannot_be_run(&self, at: usize) -> Option<String> {
        let case = self.cases.get(at)?;
        let plan = self.plan(case)?;
        let freedom = match case.kind {
            Kind::Machine => Freedom::default(),
            Kind::Command(command) => plan.run.commands.get(command).map(running::freedom)?,
            Kind::Structure(..) => running::freedom_of_test(self.test(case)?, plan)?,
            _ => return None,
        };
        let Subject::Platform(_, platform) = case.subject else { return None };
        let runners = self.runners().runners(plan.run.how, plan.run.cpu, &freedom);
        let not_ready = runners.choose(plan.platforms.get(platform)?).err().filter(|_| !plan.run.required)?;
        Some(not_ready.why)
    }

    /// What came of a case; the first of an image does the work, the others wait for it.
    #[must_use]
    pub fn outcome(&self, at: usize) -> Outcome {
        let unknown = || Outcome::new(Status::Error, "there is no such trial");
        let Some(case) = self.cases.get(at) else { return unknown() };
        if let Some(why) = &case.ignored {
            return Outcome::new(Status::Skipped, why.clone());
        }
        let Some(results) = self.results_of(case) else { return unknown() };
        results.outcomes.get(&at).cloned().unwrap_or_else(|| Outcome::new(Status::Error, "it was not asked for"))
    }

    fn results_of(&self, case: &Case) -> Option<&Results> {
        let of_suite = self.results.get(case.suite)?;
        let suite = self.suites.get(case.suite)?;
        let place = |case: &Case| match case.subject {
            Subject::Image(image) | Subject::Platform(image, _) => image,
            Subject::Host => suite.images.len(),
            Subject::Rehearsal(rehearsal) => suite.images.len() + 1 + rehearsal,
        };
        let same = |other: &Case| other.suite == case.suite && place(other) == place(case);
        Some(of_suite.get(place(case))?.get_or_init(|| {
            let mine: Vec<(usize, &Case)> = self
                .wanted()
                .filter_map(|at| Some((at, self.cases.get(at)?)))
                .filter(|(_, other)| other.ignored.is_none() && same(other))
                .collect();
            match case.subject {
                Subject::Host => machine::results(self, suite, &mine),
                Subject::Image(image) | Subject::Platform(image, _) => match suite.images.get(image) {
                    Some(plan) => match &plan.build {
                        Some(build) => building::of_image(self, plan, build, &mine),
                        None => image::results(self, plan, &mine),
                    },
                    None => Results::default(),
                },
                Subject::Rehearsal(rehearsal) => match suite.rehearsals.get(rehearsal) {
                    Some(plan) => building::of_rehearsal(self, plan, &mine),
                    None => Results::default(),
                },
            }
        }))
    }

    /// The runners, made when the first platform is run.
    fn runners(&self) -> &RunnerSet {
        self.runners.get_or_init(|| {
            let images = || self.suites.iter().flat_map(|suite| &suite.images);
            let rehearsals = self.suites.iter().flat_map(|suite| &suite.rehearsals);
            let mut ways: Vec<How> =
                images().map(|image| image.run.how).chain(rehearsals.map(|rehearsal| rehearsal.how)).collect();
            // What files hold is read out of the sandbox's store of layers, whoever runs the image.
            if images().any(|image| !image.structure.is_empty() || image.files.iter().any(FilePlan::reads)) {
                ways.push(How::Sandbox);
            }
            RunnerSet::new(&ways, &self.reader, false)
        })
    }

    /// A case and what came of it, for the report.
    #[must_use]
    pub fn trial(&self, at: usize, outcome: &Outcome) -> Option<Trial> {
        let case = self.cases.get(at)?;
        let plan = self.plan(case);
        let platform = match (case.subject, case.kind) {
            (Subject::Platform(_, platform), _) => plan.and_then(|plan| plan.platforms.get(platform)),
            (_, Kind::Ready(place)) => self.suite(case)?.host.as_ref()?.require.get(place),
            _ => None,
        };
        Some(Trial {
            name: case.name.clone(),
            check: case.check.clone(),
            image: plan.map(|plan| plan.reference.clone()),
            platform: platform.map(ToString::to_string),
            status: outcome.status,
            reason: outcome.reason.clone(),
            output: outcome.output(),
            duration_ms: u64::try_from(outcome.took.as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// The images and the host that were looked at, and what is worth a warning.
    #[must_use]
    pub fn seen(&self) -> (Vec<reports::Image>, Option<reports::Machine>, Vec<String>) {
        let all = || self.results.iter().flatten().filter_map(OnceLock::get);
        let images = all().flat_map(|results| results.images.clone()).collect();
        let warnings = all().flat_map(|results| results.warnings.clone()).collect();
        (images, all().find_map(|results| results.host.clone()), warnings)
    }
}
