//! The steps of a rehearsal or a build: what each shows, the commands that it took, and what became of it.

use super::command::{Done, End, Log, Order};
use super::fault::{Cause, Doing, Fault};
use super::site::List;
use super::tools::Tools;
use crate::image::reference::Location;
use crate::platform::Platform;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It worked; with what is worth knowing about it.
    Passed(Option<String>),
    /// It is not possible here, or was not asked for; why.
    Skipped(String),
    /// It did not work.
    Failed(Box<Fault>),
    /// What came out is not what it should be: in words, and by which of the results.
    Wrong(Wrong),
    /// It could not be told; why.
    Undecided(String),
}

/// What came out is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// The checks of the image found something; it stands among the findings.
    Image(String),
    /// Two ways to publish the same gave different images.
    Differs(String),
}

/// A step that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name, `push/index`: it stays the same between versions.
    pub name: String,
    /// What it shows, in half a sentence.
    pub title: String,
    /// The platform, where it is about one.
    pub platform: Option<Platform>,
    /// What became of it.
    pub outcome: Outcome,
    /// Its commands.
    pub commands: Vec<Done>,
    /// The log of a step that did not work.
    pub log: Option<PathBuf>,
    /// How long it took.
    pub took: Duration,
}

/// An image that was made, to be looked at.
#[derive(Debug, Clone)]
pub struct Made {
    /// What it is called in reports.
    pub reference: String,
    /// Where it is.
    pub location: Location,
    /// The platforms that it must have.
    pub platforms: Vec<Platform>,
}

/// The programs of each platform, by their paths, with the fingerprint of their content.
pub type Content = BTreeMap<String, BTreeMap<Vec<u8>, String>>;

/// What the checks say of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspected {
    /// What is wrong with it, each in a line; empty where nothing is.
    pub faults: Vec<String>,
    /// The rules that are broken, with the platform.
    pub broken: Vec<(String, Option<String>)>,
    /// Why something could not be told.
    pub undecided: Option<String>,
    /// What was not done, each with its reason.
    pub skipped: Vec<String>,
    /// The platforms that were checked.
    pub platforms: Vec<String>,
    /// Its programs.
    pub content: Content,
}

/// Whoever looks at images: the checks, of which this room knows nothing.
pub trait Inspector {
    /// Looks at an image that was made. What is wrong with one that is `meant` to be wrong is not reported.
    fn inspect(&self, made: &Made, meant: bool) -> Inspected;
}

/// Why a step ends before its end.
#[derive(Debug)]
pub(super) enum Stop {
    Skipped(String),
    Failed(Box<Fault>),
    Wrong(Wrong),
    Undecided(String),
}

impl Stop {
    pub(super) fn skipped(why: impl Into<String>) -> Self {
        Self::Skipped(why.into())
    }
}

/// What a step comes to: something worth knowing, or why it ended early.
pub(super) type Ended = Result<Option<String>, Stop>;

/// A step that is being done.
pub(super) struct Work<'a> {
    pub(super) tools: &'a Tools,
    inspector: &'a dyn Inspector,
    log: Log,
    commands: Vec<Done>,
    list: &'a List,
}

impl Work<'_> {
    /// Runs a command of docker's, whatever comes of it.
    pub(super) fn docker<S: AsRef<str>>(&mut self, words: &[S]) -> Done {
        let order = self.tools.docker(words);
        self.run(&order)
    }

    fn run(&mut self, order: &Order) -> Done {
        let done = self.log.run(order);
        // The old builder leaves images without a name, of a build that fails and of stages.
        for thing in made_by_the_old_builder(&done.said) {
            match thing {
                Unnamed::Image(id) => self.list.image(id),
                Unnamed::Container(id) => self.list.container(id),
            }
        }
        self.commands.push(done.clone());
        done
    }

    /// Runs one that must work.
    pub(super) fn must<S: AsRef<str>>(
        &mut self,
        doing: Doing,
        platform: Option<&Platform>,
        words: &[S],
    ) -> Result<Done, Stop> {
        let done = self.docker(words);
        self.well(doing, platform, done)
    }

    /// One that must have worked.
    pub(super) fn well(&self, doing: Doing, platform: Option<&Platform>, done: Done) -> Result<Done, Stop> {
        if done.is_well() {
            return Ok(done);
        }
        if let End::NotStarted(why) = &done.end {
            return Err(Stop::Undecided(format!("docker {why}")));
        }
        Err(Stop::Failed(Box::new(Fault::of(&done, doing, platform))))
    }

    /// Pushes, again where the registry itself stumbled: that says nothing of the host.
    ///
    /// `name` is what the registry has afterwards.
    pub(super) fn push<S: AsRef<str>>(&mut self, words: &[S], name: &str) -> Result<Done, Stop> {
        let mut done = self.docker(words);
        for _ in 1..PUSHES {
            if done.is_well() || !STUMBLES.iter().any(|words| done.said.contains(words)) {
                break;
            }
            done = self.docker(words);
        }
        if done.is_well() {
            self.list.sent(name);
        }
        // One command may build and push: what means something of a build is of the build.
        let of_build = Fault::of(&done, Doing::Build, None);
        let builds = words.iter().any(|word| word.as_ref() == "build") && is_of_build(&of_build.cause);
        self.well(if builds { Doing::Build } else { Doing::Push }, None, done)
    }

    /// Has an image checked that must be right, and tells what of it was not looked at.
    pub(super) fn passes(&self, made: &Made) -> Result<(Inspected, Option<String>), Stop> {
        let inspected = self.right(made)?;
        let told = (!inspected.skipped.is_empty()).then(|| format!("not run: {}", inspected.skipped.join("; ")));
        Ok((inspected, told))
    }

    /// Has an image checked that must be right.
    pub(super) fn right(&self, made: &Made) -> Result<Inspected, Stop> {
        let inspected = self.inspector.inspect(made, false);
        if !inspected.faults.is_empty() {
            return Err(Stop::Wrong(Wrong::Image(format!("{}: {}", made.reference, inspected.faults.join("; ")))));
        }
        match &inspected.undecided {
            Some(why) => Err(Stop::Undecided(format!("{}: {why}", made.reference))),
            None => Ok(inspected),
        }
    }

    /// Has an image looked at that is meant to be wrong.
    pub(super) fn inspect_wrong(&self, made: &Made) -> Inspected {
        self.inspector.inspect(made, true)
    }
}

/// Whether this can only be a build's fault; registries without TLS are met by both.
const fn is_of_build(cause: &Cause) -> bool {
    matches!(cause, Cause::NoEmulator | Cause::BaseLacksPlatform | Cause::NoBuilder)
}

/// How often it is pushed in all.
const PUSHES: u32 = 3;
/// What registries answer that are asked for a tag while it is written (distribution empties a tag's file before it
/// writes it), and for blobs that just came.
const STUMBLES: [&str; 4] =
    ["500 Internal Server Error", "502 Bad Gateway", "503 Service Unavailable", "blob unknown to registry"];

/// Something that the old builder made and gave no name.
#[derive(Debug, PartialEq, Eq)]
enum Unnamed<'a> {
    Image(&'a str),
    Container(&'a str),
}

/// What the old builder says that it made: ` ---> Running in ID` for the container of an instruction, ` ---> ID` for its
/// image. That of a FROM is the base, and one from the cache was there before: neither is ours.
fn made_by_the_old_builder(said: &str) -> Vec<Unnamed<'_>> {
    let is_id = |word: &str| word.len() == 12 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let (mut made, mut is_ours) = (Vec::new(), false);
    for line in said.lines().map(str::trim) {
        if let Some((_, instruction)) = line.strip_prefix("Step ").and_then(|step| step.split_once(" : ")) {
            is_ours = !instruction.to_ascii_uppercase().starts_with("FROM");
        } else if line == "---> Using cache" {
            is_ours = false;
        } else if let Some(container) = line.strip_prefix("---> Running in ").filter(|id| is_ours && is_id(id)) {
            made.push(Unnamed::Container(container));
        } else if let Some(image) = line.strip_prefix("---> ").filter(|id| is_ours && is_id(id)) {
            made.push(Unnamed::Image(image));
        }
    }
    made
}

/// The steps as they are done.
pub(super) struct Recorder<'a> {
    pub(super) tools: &'a Tools,
    inspector: &'a dyn Inspector,
    /// Told of each step before it is begun.
    watch: &'a dyn Fn(&str),
    logs: &'a Path,
    list: List,
    pub(super) steps: Vec<Step>,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(
        tools: &'a Tools,
        inspector: &'a dyn Inspector,
        watch: &'a dyn Fn(&str),
        logs: &'a Path,
        list: List,
    ) -> Self {
        Self { tools, inspector, watch, logs, list, steps: Vec::new() }
    }

    /// Does a step; `true` where it worked.
    pub(super) fn step(
        &mut self,
        name: &str,
        title: &str,
        platform: Option<&Platform>,
        body: impl FnOnce(&mut Work<'_>) -> Ended,
    ) -> bool {
        (self.watch)(title);
        let begun = Instant::now();
        let path = self.logs.join(format!("{:02}-{}.log", self.steps.len() + 1, name.replace(['/', ' '], "-")));
        let (outcome, commands) = match Log::new(&path) {
            Err(error) => {
                (Outcome::Undecided(format!("the log {} could not be made: {error}", path.display())), Vec::new())
            }
            Ok(log) => {
                let mut work =
                    Work { tools: self.tools, inspector: self.inspector, log, commands: Vec::new(), list: &self.list };
                let outcome = match body(&mut work) {
                    Ok(told) => Outcome::Passed(told),
                    Err(Stop::Skipped(why)) => Outcome::Skipped(why),
                    Err(Stop::Failed(fault)) => Outcome::Failed(fault),
                    Err(Stop::Wrong(wrong)) => Outcome::Wrong(wrong),
                    Err(Stop::Undecided(why)) => Outcome::Undecided(why),
                };
                (outcome, work.commands)
            }
        };
        let worked = matches!(outcome, Outcome::Passed(_));
        let kept = !worked && !matches!(outcome, Outcome::Skipped(_)) && !commands.is_empty();
        if !kept {
            // One that worked, or is not possible here, has nothing to tell but that.
            let _ = std::fs::remove_file(&path);
        }
        self.steps.push(Step {
            name: name.to_owned(),
            title: title.to_owned(),
            platform: platform.cloned(),
            outcome,
            commands,
            log: kept.then_some(path),
            took: begun.elapsed(),
        });
        worked
    }

    /// A step that is not done.
    pub(super) fn skip(&mut self, name: &str, title: &str, platform: Option<&Platform>, why: &str) {
        self.step(name, title, platform, |_| Err(Stop::skipped(why)));
    }
}

impl Fault {
    /// The fault as one line.
    #[must_use]
    pub fn told(&self) -> String {
        let what = match (&self.cause, self.doing) {
            (Cause::NoEmulator, _) => "no emulator: a program for this platform could not be started",
            (Cause::TimedOut, _) => "it took too long and was stopped",
            (Cause::NoBase, _) => "the base image cannot be had",
            (Cause::BaseLacksPlatform, _) => "the base image is not there for this platform",
            (Cause::Refused, _) => "the registry refuses it",
            (Cause::Unreachable, _) => "the registry cannot be reached, or broke the connection",
            (Cause::PlainHttp, _) => "the registry speaks plain HTTP, and HTTPS was tried",
            (Cause::IsList, _) => "one of the images is a list of images already",
            (Cause::NoBuilder, _) => "there is no builder of that name",
            (Cause::WrongMachine, _) => "what was built runs as another machine",
            (Cause::Other, Doing::Build) => "the build failed",
            (Cause::Other, Doing::Run) => "what was built does not run",
            (Cause::Other, Doing::Builder) => "the builder failed",
            (Cause::Other, Doing::Push) => "it could not be published",
        };
        format!("{what} ({})", self.ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_builder_tells_what_it_made() {
        let said = "Step 1/4 : FROM debian\n ---> 111111111111\nStep 2/4 : ARG X\n ---> Using cache\n ---> 222222222222\n\
                    Step 3/4 : COPY a b\n ---> 333333333333\nStep 4/4 : RUN c\n ---> Running in 444444444444\nfailed";
        let wanted = [Unnamed::Image("333333333333"), Unnamed::Container("444444444444")];
        assert_eq!(made_by_the_old_builder(said), wanted, "the base and what was cached are not ours");
        assert_eq!(made_by_the_old_builder("Step 1/1 : from debian\n ---> 111111111111\n"), []);
        assert_eq!(made_by_the_old_builder("#8 ---> 333333333333\n ---> 333333333333\n"), []);
    }
}
