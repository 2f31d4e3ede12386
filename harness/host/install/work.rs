//! Plans, changes and proofs, one architecture after the other.

use super::asked::Asked;
use super::candidate::{Candidate, asked_version, is_same, only_roots};
use super::entry::{knows_argv0, taken};
use super::plan::{Plan, Situation};
use super::step::{Refused, Step, may_register};
use super::undo::put_back;
use super::{boot, is_own};
use crate::host::binfmt::{Handler, MOUNT, Registry, RegistryState};
use crate::host::interpreter::Interpreter;
use crate::host::readiness::{Probed, Readiness, State};
use crate::platform::{Architecture, Platform};
use crate::run::sandbox::{Sandbox, handler};
use crate::run::{Cpu, NotReady, Runner as _};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What is to be done.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    /// For which architectures.
    pub asked: &'a Asked,
    /// Where emulators are from.
    pub emulators: Emulators<'a>,
    /// Whether they are to be there after the next boot.
    pub persist: bool,
    /// Whether it is only told.
    pub dry_run: bool,
    /// Where the probe is run as in a container.
    pub sandbox: &'a Sandbox,
}

/// Where emulators are from.
#[derive(Clone, Copy)]
pub enum Emulators<'a> {
    /// The host's own.
    Host,
    /// An image's.
    Image {
        /// Its name.
        name: &'a str,
        /// Brings them here.
        fetch: &'a dyn Fn() -> Result<(), NotReady>,
    },
}

/// What became of one architecture.
#[derive(Debug)]
pub struct Done {
    /// Which.
    pub row: &'static Architecture,
    /// What became of it.
    pub outcome: Outcome,
    /// What was done, or is to be, as commands.
    pub commands: Vec<String>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

/// What became of it.
#[derive(Debug)]
pub enum Outcome {
    /// Its programs run: proved.
    Ready {
        /// What was done for it.
        change: Change,
        /// The emulator's name and version.
        emulator: String,
        /// The entry's flags, as the kernel says them.
        flags: String,
        /// The file that registers it at boot, and whether anybody reads that.
        boot: Option<(String, bool)>,
    },
    /// It runs on an engine's host; what was done there.
    OnEngine(String),
    /// The machine's own processor runs it.
    Native,
    /// Its entries and files are gone.
    Removed,
    /// There was nothing to remove.
    NotThere,
    /// It was not done, as it was asked to be told only.
    Planned,
    /// It was registered, does not run, and was taken away again; why.
    Broken(String),
    /// It could not be done; why.
    NotDone(NotReady),
    /// `all` leaves it out; why.
    LeftOut(String),
}

/// What was done for an architecture that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing: it ran.
    AlreadyThere,
    /// An entry was registered.
    Installed,
    /// The same, in place of this one, and what was wrong with that.
    Replaced(String),
    /// What was there was switched on.
    SwitchedOn,
}

/// Why nothing could be done at all.
#[derive(Debug)]
pub enum Stop {
    /// This user, or this container, may not; what it was, and the kernel's word.
    Denied(String),
    /// Anything else.
    NotReady(NotReady),
}

impl From<NotReady> for Stop {
    fn from(why: NotReady) -> Self {
        Self::NotReady(why)
    }
}

/// What is done, or only written down.
pub(super) struct Hand {
    pub(super) dry_run: bool,
    pub(super) commands: Vec<String>,
}

impl Hand {
    pub(super) fn take(&mut self, step: &Step) -> Result<(), Refused> {
        self.commands.push(step.to_string());
        if self.dry_run { Ok(()) } else { step.apply() }
    }
}

/// Why one architecture, or all of them, could not be done.
pub(super) enum Failed {
    One(NotReady),
    All(Stop),
}

impl From<Refused> for Failed {
    fn from(refused: Refused) -> Self {
        if refused.is_permission() {
            Self::All(Stop::Denied(format!("`{}`: {}", refused.step, refused.error)))
        } else {
            Self::One(refused.told())
        }
    }
}

impl From<NotReady> for Failed {
    fn from(why: NotReady) -> Self {
        Self::One(why)
    }
}

/// Registers emulators, and proves each.
///
/// # Errors
/// When nothing could be done at all; what became of each architecture is in the answer.
pub fn install(order: &Order<'_>) -> Result<Vec<Done>, Stop> {
    let first = opened(order.dry_run, true)?;
    let of_image = matches!(order.emulators, Emulators::Image { .. });
    if let (Emulators::Image { fetch, .. }, false) = (order.emulators, order.dry_run) {
        // Before anything is downloaded.
        allowed()?;
        fetch()?;
    }
    // What is registered cannot be tried before it is mounted and switched on.
    let untried = order.dry_run && !first.is_empty();
    let mut done = Vec::new();
    for row in &order.asked.rows {
        let hand = Hand { dry_run: order.dry_run, commands: Vec::new() };
        let mut work = Work { order, row, of_image, untried, hand, notes: Vec::new() };
        let outcome = match work.whole() {
            Ok(outcome) => outcome,
            Err(Failed::All(stop)) => return Err(stop),
            Err(Failed::One(why)) => Outcome::NotDone(why),
        };
        done.push(Done { row, outcome, commands: work.hand.commands, notes: work.notes });
    }
    let was_off = first.contains(&Step::SwitchOnAll.to_string());
    for one in &mut done {
        if let (Outcome::Ready { change: change @ Change::AlreadyThere, .. }, true) = (&mut one.outcome, was_off) {
            *change = Change::SwitchedOn;
        }
    }
    if let Some(one) = done.first_mut() {
        one.commands.splice(0..0, first);
    }
    Ok(done)
}

fn allowed() -> Result<(), Stop> {
    may_register().map_err(|error| Stop::Denied(format!("{MOUNT}/register: {error}")))
}

/// Has binfmt_misc mounted, and switched on; what was done for that, as commands.
pub(super) fn opened(dry_run: bool, switch_on: bool) -> Result<Vec<String>, Stop> {
    let mut hand = Hand { dry_run, commands: Vec::new() };
    let mut take = |step: &Step| {
        hand.take(step).map_err(|refused| match Failed::from(refused) {
            Failed::All(stop) => stop,
            Failed::One(why) => Stop::NotReady(why),
        })
    };
    let mut state = Registry::read(Path::new(MOUNT)).state;
    if state == RegistryState::NotMounted {
        take(&Step::Mount)?;
        state = if dry_run { RegistryState::Enabled } else { Registry::read(Path::new(MOUNT)).state };
    }
    match state {
        RegistryState::Enabled => {}
        RegistryState::Disabled if switch_on => take(&Step::SwitchOnAll)?,
        RegistryState::Disabled => {}
        RegistryState::Unsupported | RegistryState::NotMounted => {
            let hint = "as root: `modprobe binfmt_misc`, and try again; a kernel without CONFIG_BINFMT_MISC emulates \
                        nothing";
            return Err(NotReady::new("the kernel has no binfmt_misc now", hint).into());
        }
        RegistryState::Denied(why) => return Err(Stop::Denied(format!("{MOUNT}: {why}"))),
    }
    Ok(hand.commands)
}

/// One architecture that is installed.
struct Work<'a> {
    order: &'a Order<'a>,
    row: &'static Architecture,
    of_image: bool,
    untried: bool,
    hand: Hand,
    notes: Vec<String>,
}

impl Work<'_> {
    fn name(&self) -> &'static str {
        self.row.emulator.map_or(self.row.name, |emulator| emulator.name)
    }

    fn whole(&mut self) -> Result<Outcome, Failed> {
        let host = Platform::host();
        if host.row().is_some_and(|host| is_own(host, self.row)) {
            return Ok(Outcome::Native);
        }
        let registry = Registry::read(Path::new(MOUNT));
        let before = (!self.untried).then(|| Readiness::under_handlers(self.row, self.order.sandbox));
        let runs = before.as_ref().map(|readiness| readiness.state(&of(&registry, self.row)).is_ready());
        // An emulator that knows flag P is a reason to replace an entry without; it is looked for only then.
        let lacks = |handler: &&Handler| taken(handler).contains(&self.row) && !handler.has('P');
        let argv0 = runs != Some(true)
            && registry.handlers.iter().any(|handler| lacks(&handler))
            && self.candidate().is_ok_and(|candidate| candidate.argv0);
        let wanted = self.of_image.then(|| {
            let place = boot::place(self.name());
            let same = self.fetched().is_some_and(|fetched| is_same(&fetched, &place));
            (place, same)
        });
        let situation = Situation {
            row: self.row,
            handlers: &registry.handlers,
            unread: registry.unread.iter().map(|(name, _)| name.as_str()).collect(),
            interpreters: &interpreters(&registry, self.row),
            runs,
            wanted,
            argv0,
        };
        match situation.plan() {
            Plan::Native => Ok(Outcome::Native),
            Plan::Right(name) => {
                self.told_of_flags(&name, &registry);
                self.settled(before, Change::AlreadyThere)
            }
            Plan::SwitchOn(steps, otherwise) => self.switch_on(&steps, *otherwise, &registry),
            Plan::Register { name, first, replaces } => self.register(&name, &first, replaces, &registry),
            Plan::NoName(names) => {
                let why = format!("the registry has entries {names}, and they are no emulators of {}", self.row.name);
                Err(NotReady::new(why, format!("as root: `echo -1 > {MOUNT}/NAME` removes one, if it is not needed"))
                    .into())
            }
        }
    }

    /// What an entry that runs could have as well.
    fn told_of_flags(&mut self, name: &str, registry: &Registry) {
        let Some(handler) = registry.handlers.iter().find(|handler| handler.name == name) else { return };
        if handler.interpreter.contains("qemu") && !handler.has('C') {
            let row = self.row.name;
            self.notes.push(format!(
                "{name} has no flag C, so sudo and su fail in containers; where that matters: `mpcheck host uninstall {row}`, \
                 and install it again"
            ));
        }
    }

    /// Switches on what is there, and goes another way where that does not run.
    fn switch_on(&mut self, steps: &[Step], otherwise: Plan, registry: &Registry) -> Result<Outcome, Failed> {
        steps.iter().try_for_each(|step| self.hand.take(step))?;
        if self.order.dry_run {
            return self.settled(None, Change::SwitchedOn);
        }
        let proof = Readiness::under_handlers(self.row, self.order.sandbox);
        if failure(&proof).is_none() {
            return self.settled(Some(proof), Change::SwitchedOn);
        }
        for step in steps.iter().rev() {
            if let Step::SwitchOn(name) = step {
                self.hand.take(&Step::SwitchOff(name.clone()))?;
            }
        }
        self.notes.extend(put_back(&mut self.hand, steps, registry));
        match otherwise {
            Plan::Register { name, first, replaces } => self.register(&name, &first, replaces, registry),
            _ => self.settled(None, Change::SwitchedOn),
        }
    }

    /// The emulator out of the image as it was fetched.
    fn fetched(&self) -> Option<PathBuf> {
        self.order.sandbox.emulator_file(self.row, true).ok().filter(|_| !self.order.dry_run)
    }

    /// The emulator that would be registered.
    fn candidate(&self) -> Result<Candidate, NotReady> {
        let place = boot::place(self.name());
        if let (Emulators::Image { name, .. }, true) = (self.order.emulators, self.order.dry_run) {
            let step = Step::Place { from: None, to: place.clone(), image: name.to_owned() };
            return Ok(Candidate { path: place, place: Some(step), version: String::new(), argv0: true });
        }
        let file = self.order.sandbox.emulator_file(self.row, self.of_image)?;
        let version = asked_version(&file)?;
        let argv0 = knows_argv0(&version, &rustix::system::uname().release().to_string_lossy());
        let (path, step) = match self.order.emulators {
            Emulators::Host => {
                only_roots(&file)?;
                (file, None)
            }
            Emulators::Image { name, .. } => {
                let step = Step::Place { from: Some(file.clone()), to: place.clone(), image: name.to_owned() };
                let step = (!is_same(&file, &place)).then_some(step);
                (place, step)
            }
        };
        let text = path.to_string_lossy();
        if text.contains([':', '\n']) || path.to_str().is_none() {
            return Err(NotReady::new(
                format!("the kernel takes no emulator with such a path: {}", text.escape_debug()),
                "",
            ));
        }
        Ok(Candidate { path, place: step, version, argv0 })
    }

    fn line(&self, name: &str, candidate: &Candidate, argv0: bool) -> String {
        let (magic, mask) = self.row.emulator.map_or(([0; 20], [0xff; 20]), |emulator| (emulator.magic, emulator.mask));
        let flags = if argv0 { "FCP" } else { "FC" };
        handler::line(name, &magic, &mask, &candidate.path.to_string_lossy(), flags)
    }

    fn register(
        &mut self,
        name: &str,
        first: &[Step],
        replaces: Option<String>,
        registry: &Registry,
    ) -> Result<Outcome, Failed> {
        let candidate = match self.candidate() {
            Ok(candidate) => candidate,
            Err(why) if self.order.asked.all => return Ok(Outcome::LeftOut(why.why)),
            Err(why) => return Err(why.into()),
        };
        if !self.order.dry_run {
            allowed().map_err(Failed::All)?;
            self.tried_apart(&candidate)?;
        }
        let was_there = candidate.path.exists();
        if let Some(place) = &candidate.place {
            self.hand.take(place)?;
        }
        first.iter().try_for_each(|step| self.hand.take(step))?;
        if let Err(refused) = self.hand.take(&Step::Register(self.line(name, &candidate, candidate.argv0))) {
            self.notes.extend(put_back(&mut self.hand, first, registry));
            return Err(refused.into());
        }
        let change = replaces.map_or(Change::Installed, Change::Replaced);
        if self.order.dry_run {
            return self.settled(None, change);
        }
        let mut proof = Readiness::under_handlers(self.row, self.order.sandbox);
        let lost = |proof: &Readiness| !matches!(proof.direct, Ok(Probed::Ran { own_name: true, .. }));
        if candidate.argv0 && lost(&proof) {
            // Whatever it says of its version: the program sees one argument too many.
            self.hand.take(&Step::Remove(name.to_owned()))?;
            self.hand.take(&Step::Register(self.line(name, &candidate, false)))?;
            proof = Readiness::under_handlers(self.row, self.order.sandbox);
        }
        if let Some(why) = failure(&proof) {
            self.hand.take(&Step::Remove(name.to_owned()))?;
            self.notes.extend(put_back(&mut self.hand, first, registry));
            if candidate.place.is_some() && !was_there {
                self.hand.take(&Step::Delete(candidate.path.clone()))?;
                boot::tidy();
            }
            return Ok(Outcome::Broken(format!("{why}, under {} ({})", candidate.path.display(), candidate.version)));
        }
        self.settled(Some(proof), change)
    }

    /// Tries the emulator in the sandbox, with handlers that nobody else sees, before anything is taken away for it.
    fn tried_apart(&self, candidate: &Candidate) -> Result<(), Failed> {
        let offered = self.order.sandbox.offer(&self.row.platform(), Cpu::Max);
        match offered {
            Err(why) if why.why.starts_with("the probe for ") => Err(NotReady::new(
                format!("{} ({}) does not run programs: {}", candidate.path.display(), candidate.version, why.why),
                "use another, such as `--emulators tonistiigi/binfmt`",
            )
            .into()),
            // Where there can be no sandbox, the proof afterwards is the only one.
            _ => Ok(()),
        }
    }

    /// What runs now is written down for the next boot, where that is wanted, and told.
    fn settled(&mut self, proof: Option<Readiness>, change: Change) -> Result<Outcome, Failed> {
        if self.order.persist && boot::registered(self.row, true).is_none() {
            let candidate = self.candidate()?;
            let line = self.line(&format!("qemu-{}", self.name()), &candidate, candidate.argv0);
            if let Some(place) =
                candidate.place.as_ref().filter(|place| !self.hand.commands.contains(&place.to_string()))
            {
                self.hand.take(place)?;
            }
            if let Some(step) = boot::write(self.name(), &line)? {
                self.hand.take(&step)?;
            }
        }
        if self.order.dry_run {
            return Ok(Outcome::Planned);
        }
        let proof = proof.unwrap_or_else(|| Readiness::under_handlers(self.row, self.order.sandbox));
        let registry = Registry::read(Path::new(MOUNT));
        let handlers = of(&registry, self.row);
        match proof.state(&handlers) {
            State::Native | State::Emulated(_) => {}
            State::Broken(why) | State::Unknown(why) => return Ok(Outcome::Broken(why)),
            State::Nothing => return Ok(Outcome::Broken("nothing runs its programs".to_owned())),
        }
        let emulator = proof.version.clone().or_else(|| handlers.first().map(|handler| handler.interpreter.clone()));
        Ok(Outcome::Ready {
            change,
            emulator: emulator.unwrap_or_else(|| "an emulator that does not say its name".to_owned()),
            flags: handlers.first().map(|handler| handler.flags.clone()).unwrap_or_default(),
            boot: boot::registered(self.row, false).map(|file| {
                let read = !file.contains("/binfmt.d/") || boot::nobody_reads().is_none();
                (file, read)
            }),
        })
    }
}

/// Why the probe did not run; `None` where it did.
fn failure(proof: &Readiness) -> Option<String> {
    match proof.state(&[]) {
        State::Native | State::Emulated(_) => None,
        State::Broken(why) | State::Unknown(why) => Some(why),
        State::Nothing => Some("the kernel does not use it".to_owned()),
    }
}

/// The entries that the kernel uses for an architecture; those of it alone first.
fn of<'r>(registry: &'r Registry, row: &Architecture) -> Vec<&'r Handler> {
    let on = registry.is_enabled();
    let mut found: Vec<&Handler> =
        registry.handlers.iter().filter(|handler| on && handler.enabled && handler.is_for(row)).collect();
    found.sort_by_key(|handler| taken(handler).len());
    found
}

fn interpreters(registry: &Registry, row: &Architecture) -> BTreeMap<String, Interpreter> {
    let entries = registry.handlers.iter().filter(|handler| taken(handler).contains(&row));
    entries.map(|handler| (handler.interpreter.clone(), Interpreter::read(Path::new(&handler.interpreter)))).collect()
}

/// What is to be said where nobody reads at boot what was written for it.
#[must_use]
pub fn nobody_reads_at_boot() -> Option<String> {
    boot::nobody_reads()
}
