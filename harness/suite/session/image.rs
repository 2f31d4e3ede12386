//! The trials of one image.

use super::super::case::{Case, Kind, Subject};
use super::super::judge;
use super::super::plan::{FilePlan, ImagePlan};
use super::super::structure::{self, Test};
use super::running::{Ran, run};
use super::{Outcome, Results, Session};
use crate::check::draft::Draft;
use crate::check::{self, Checked, Requirements, Runs, policy, rule};
use crate::image::contents::contents;
use crate::image::examine::Unpack;
use crate::image::observe::Silent;
use crate::image::reader::Depth;
use crate::image::rootfs::RootFs;
use crate::image::source::Source;
use crate::image::{ImageFacts, PlatformFacts};
use crate::platform::{Platform, Selection};
use crate::run::choose::How;
use mpcheck_reports::{self as reports, Finding, Status};
use std::collections::BTreeSet;
use std::time::Instant;

/// Reads the image as far as these cases need it, and judges each.
pub(super) fn results(session: &Session, plan: &ImagePlan, cases: &[(usize, &Case)]) -> Results {
    let begun = Instant::now();
    let work = Work { session, plan, cases };
    let mut results = match work.read() {
        Ok((facts, source)) => work.judged(&facts, source.as_ref()),
        Err(why) => work.unread(&why),
    };
    if let Some(first) = results.outcomes.values_mut().next() {
        first.took = first.took.max(begun.elapsed());
    }
    results
}

/// What is done for one image.
pub(super) struct Work<'a> {
    pub(super) session: &'a Session,
    pub(super) plan: &'a ImagePlan,
    pub(super) cases: &'a [(usize, &'a Case)],
}

impl Work<'_> {
    fn has(&self, is: impl Fn(Kind) -> bool) -> bool {
        self.cases.iter().any(|(_, case)| is(case.kind))
    }

    /// The same, and where other processes share what is read, also of what they are asked for.
    fn anybody_has(&self, is: impl Fn(Kind) -> bool) -> bool {
        let Some((_, one)) = self.cases.first().filter(|_| self.session.shares) else { return self.has(is) };
        let same = |case: &&Case| case.suite == one.suite && case.subject.image() == one.subject.image();
        self.session.cases.iter().filter(same).any(|case| case.ignored.is_none() && is(case.kind))
    }

    /// The platforms of the plan, by their places, that something is asked of.
    pub(super) fn platforms(&self) -> BTreeSet<usize> {
        let all = self.cases.iter().any(|(_, case)| matches!(case.subject, Subject::Image(_)));
        let asked = |at: &usize| {
            self.cases.iter().any(|(_, case)| matches!(case.subject, Subject::Platform(_, platform) if platform == *at))
        };
        (0..self.plan.platforms.len()).filter(|at| all || asked(at)).collect()
    }

    fn read(&self) -> Result<(ImageFacts, Box<dyn Source>), String> {
        let places = self.platforms();
        let names = places.iter().filter_map(|at| self.plan.platforms.get(*at)).map(ToString::to_string);
        let names: Vec<String> = names.collect();
        let selection = Selection::parse(names.iter().map(String::as_str)).map_err(|error| error.to_string())?;
        let needs_layers = self.has(|kind| !matches!(kind, Kind::Metadata | Kind::Group("manifest")));
        let runs = self.anybody_has(|kind| matches!(kind, Kind::Machine | Kind::Command(_) | Kind::Structure(..)));
        let run = &self.plan.run;
        let wanted = |platform: &Platform| {
            runs && self.session.runners().wants_unpacked(run.how, run.cpu, platform) || self.reads_files()
        };
        let store = (runs && run.how != How::Never || self.reads_files()).then(|| self.session.runners().store());
        let unpack = store.flatten().map(|store| Unpack { store, of: &wanted });
        let depth = if needs_layers { Depth::Layers(unpack) } else { Depth::Documents };
        let reader = &self.session.reader;
        reader
            .read(&self.plan.location, &selection, depth, self.session.observer.as_ref())
            .map_err(|error| reader.told(&self.plan.reference, &self.plan.location, &error))
    }

    /// Whether the content of files is asked for.
    fn reads_files(&self) -> bool {
        self.anybody_has(|kind| match kind {
            Kind::File(at) => self.plan.files.get(at).is_some_and(FilePlan::reads),
            Kind::Structure(..) => true,
            _ => false,
        })
    }

    /// Nothing could be read: nothing could be told.
    fn unread(&self, why: &str) -> Results {
        let outcomes = self.cases.iter().map(|(at, _)| (*at, Outcome::new(Status::Error, why))).collect();
        let image = check::unread(&self.plan.reference, &self.plan.location, why.to_owned());
        Results { outcomes, images: vec![image], ..Results::default() }
    }

    fn judged(&self, facts: &ImageFacts, source: &dyn Source) -> Results {
        let mut results = Results { warnings: facts.warnings.clone(), ..Results::default() };
        let baseline = if self.has(|kind| kind == Kind::Platforms) { self.baseline() } else { Ok(None) };
        let requirements = Requirements {
            selected: Vec::new(),
            required: self.plan.platforms.clone(),
            exact: self.plan.exact,
            baseline: baseline.clone().unwrap_or_default(),
            policy: self.plan.policy.clone(),
        };
        let mut checked = check::image(facts, &self.plan.reference, &requirements, &Runs::default());
        for (at, _) in self.cases.iter().filter(|(_, case)| case.kind == Kind::Platforms) {
            results.outcomes.insert(*at, self.whole(facts, &checked, baseline.as_ref().err()));
        }
        let found: Vec<(usize, &PlatformFacts)> = self
            .platforms()
            .into_iter()
            .filter_map(|place| Some((place, platform_of(facts, self.plan.platforms.get(place)?)?)))
            .collect();
        let ran = run(self, &found, source);
        for place in self.platforms() {
            let of_place = found.iter().find(|(at, _)| *at == place).map(|(_, platform)| *platform);
            match of_place {
                Some(platform) => {
                    let ran: Vec<&Ran<'_>> = ran.iter().filter(|ran| ran.place == place).collect();
                    self.platform(place, platform, &checked, &ran, source, &mut results);
                }
                None => self.missing(place, facts, &mut results),
            }
        }
        for finding in results.outcomes.values_mut().flat_map(|outcome| &mut outcome.findings) {
            self.plan.reference.clone_into(&mut finding.image);
        }
        for row in &mut checked.image.platforms {
            // What was checked stands with the trials.
            row.checks.clear();
            let place = found.iter().find(|(_, platform)| platform.platform.to_string() == row.platform);
            row.run = place.and_then(|place| {
                let ran = ran.iter().find(|ran| ran.place == place.0)?;
                check::run::each(place.1, None, &ran.attempt, ran.asked(), None).summary
            });
        }
        results.images.push(checked.image);
        results
    }

    /// The platforms of the baseline.
    fn baseline(&self) -> Result<Option<(String, Vec<Platform>)>, String> {
        let Some((name, location)) = &self.plan.baseline else { return Ok(None) };
        let reader = &self.session.reader;
        let read = reader.read(location, &Selection::none(), Depth::Documents, &Silent);
        let (facts, _) = read.map_err(|error| {
            format!("the baseline {name} could not be examined: {}", reader.told(name, location, &error))
        })?;
        let platforms: Vec<Platform> = facts.platforms.into_iter().map(|platform| platform.platform).collect();
        if platforms.is_empty() {
            return Err(format!("the baseline {name} has no platforms to compare with"));
        }
        Ok(Some((name.clone(), platforms)))
    }

    /// What is said of the image as a whole.
    fn whole(&self, facts: &ImageFacts, checked: &Checked, baseline: Option<&String>) -> Outcome {
        // What is said of a platform that nobody asked for is said of the image.
        let asked = self.plan.platforms.iter().filter_map(|wanted| platform_of(facts, wanted));
        let has: Vec<String> = asked.map(|platform| platform.platform.to_string()).collect();
        let is_whole = |finding: &&Finding| {
            compares_platforms(finding) || finding.platform.as_ref().is_none_or(|of| !has.contains(of))
        };
        let findings = checked.findings.iter().filter(is_whole).cloned().collect();
        let lacks = self.plan.platforms.iter().find(|wanted| platform_of(facts, wanted).is_none());
        let state = match (baseline, &checked.image.error, &facts.one_platform, lacks) {
            (Some(why), ..) | (_, Some(why), ..) => (Status::Error, Some(why.clone())),
            (_, _, Some(why), Some(lacks)) => (Status::Error, Some(format!("{lacks} could not be told: {why}"))),
            _ => (Status::Passed, None),
        };
        Outcome::of(findings, state, self.plan.fail_on)
    }

    /// A platform that the image has not: nothing of it can be right.
    fn missing(&self, place: usize, facts: &ImageFacts, results: &mut Results) {
        let Some(wanted) = self.plan.platforms.get(place) else { return };
        let has: Vec<String> = facts.platforms.iter().map(|platform| platform.platform.to_string()).collect();
        let has = if has.is_empty() { "none".to_owned() } else { has.join(", ") };
        let outcome = match &facts.one_platform {
            Some(why) => Outcome::new(Status::Error, format!("{wanted} could not be told: {why}")),
            None => Outcome::new(Status::Failed, format!("{wanted} is not in the image, which has {has}")),
        };
        for (at, _) in self.of_place(place) {
            results.outcomes.insert(at, outcome.clone());
        }
    }

    fn of_place(&self, place: usize) -> impl Iterator<Item = (usize, &Case)> {
        let of = move |case: &Case| matches!(case.subject, Subject::Platform(_, platform) if platform == place);
        self.cases.iter().filter(move |(_, case)| of(case)).map(|(at, case)| (*at, *case))
    }

    fn platform(
        &self,
        place: usize,
        platform: &PlatformFacts,
        checked: &Checked,
        ran: &[&Ran<'_>],
        source: &dyn Source,
        results: &mut Results,
    ) {
        let name = platform.platform.to_string();
        let rootfs = platform.has_whole_rootfs().then(|| {
            let layers = platform.layers.iter().enumerate();
            RootFs::merge(layers.filter_map(|(index, layer)| Some((index, layer.facts.as_deref()?))))
        });
        let row = checked.image.platforms.iter().find(|row| row.platform == name);
        let about = Platformed { work: self, platform, rootfs: rootfs.as_ref(), source };
        for ran in ran {
            ran.judge(self, platform, rootfs.as_ref(), &mut results.outcomes);
        }
        for (at, case) in self.of_place(place) {
            let outcome = match case.kind {
                Kind::Group(group) => Some(self.group(group, &name, row, &checked.findings)),
                Kind::File(file) => Some(about.file(file)),
                Kind::Metadata => Some(about.metadata()),
                Kind::Structure(..) => self.session.test(case).and_then(|test| about.structure(test)),
                _ => None,
            };
            results.outcomes.extend(outcome.map(|outcome| (at, outcome)));
        }
    }

    /// A group of rules on a platform.
    fn group(&self, group: &str, platform: &str, row: Option<&reports::Platform>, all: &[Finding]) -> Outcome {
        let is_of = |finding: &&Finding| {
            finding.platform.as_deref() == Some(platform) && finding.rule.split('/').next() == Some(group)
        };
        let any = all.iter().any(|finding| is_of(&finding));
        let findings = all.iter().filter(is_of).filter(|finding| !compares_platforms(finding)).cloned().collect();
        let check = row.and_then(|row| row.checks.iter().find(|check| check.name == group));
        let state = match check.map(|check| (check.status, check.reason.clone())) {
            None => (Status::Error, Some("it was not checked".to_owned())),
            // By the findings, whose severities may be the suite's own; without one it stays what it is.
            Some((Status::Failed, _)) if any => (Status::Passed, None),
            // What is asked for by name has to be decided.
            Some((Status::Skipped, reason)) => (Status::Error, reason),
            Some(state) => state,
        };
        Outcome::of(findings, state, self.plan.fail_on)
    }
}

/// Whether a finding rests on several platforms: only the trial of the whole image reads them all, whatever is filtered.
fn compares_platforms(finding: &Finding) -> bool {
    finding.rule == rule::IDENTICAL_CONTENT.name
}

/// The image's platform that is meant by one of the plan.
fn platform_of<'a>(facts: &'a ImageFacts, wanted: &Platform) -> Option<&'a PlatformFacts> {
    facts.platforms.iter().find(|platform| platform.selected && platform.platform.satisfies(wanted))
}

/// A finding of a test of a structure file.
pub(super) fn finding(platform: &PlatformFacts, why: String) -> Finding {
    let hint = "where the test is right, the image is not: `mpcheck explain suite/structure-test`";
    Draft::new(&rule::STRUCTURE_TEST, why, hint).on(platform).done()
}

/// One platform with its tree.
struct Platformed<'a> {
    work: &'a Work<'a>,
    platform: &'a PlatformFacts,
    rootfs: Option<&'a RootFs<'a>>,
    source: &'a dyn Source,
}

impl Platformed<'_> {
    fn outcome(&self, mut findings: Vec<Finding>) -> Outcome {
        policy::apply(&self.work.plan.policy.severities, &mut findings);
        Outcome::of(findings, (Status::Passed, None), self.work.plan.fail_on)
    }

    fn file(&self, at: usize) -> Outcome {
        let (Some(plan), Some(rootfs)) = (self.work.plan.files.get(at), self.rootfs) else {
            return Outcome::new(Status::Error, "its layers could not all be read");
        };
        match judge::file(plan, self.platform, rootfs, &|path| self.contents(path)) {
            Ok(findings) => self.outcome(findings),
            Err(why) => Outcome::new(Status::Error, why),
        }
    }

    fn metadata(&self) -> Outcome {
        match (&self.work.plan.metadata, &self.platform.config) {
            (Some(plan), Ok(config)) => self.outcome(judge::metadata(plan, self.platform, config)),
            _ => Outcome::new(Status::Error, "its config could not be read"),
        }
    }

    /// A test of a structure file that runs nothing; `None` for one that does.
    fn structure(&self, test: &Test) -> Option<Outcome> {
        let (Some(rootfs), Ok(config)) = (self.rootfs, &self.platform.config) else {
            let is_command = matches!(test.kind, structure::Kind::Command(_));
            return (!is_command).then(|| Outcome::new(Status::Error, "its layers could not all be read"));
        };
        let wrong = match &test.kind {
            structure::Kind::Command(_) => return None,
            structure::Kind::Existence(test) => test.judge(rootfs, config),
            structure::Kind::Content(test) => test.judge(rootfs, &|path| self.contents(path)),
            structure::Kind::License(test) => test.judge(rootfs, &|path| self.contents(path)),
            structure::Kind::Metadata(test) => test.judge(config),
            structure::Kind::Invalid(reasons) => reasons.clone(),
        };
        Some(self.outcome(wrong.into_iter().map(|why| finding(self.platform, why)).collect()))
    }

    /// What is in a file, by its real path.
    fn contents(&self, path: &[u8]) -> Result<Vec<u8>, String> {
        let (Some(store), Some(rootfs)) = (self.work.session.runners().store(), self.rootfs) else {
            return Err("there is no directory to unpack layers to".to_owned());
        };
        contents(path, rootfs, self.platform, store, self.source).map_err(|error| error.to_string())
    }
}
