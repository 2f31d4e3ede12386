//! The sandbox: a runner without Docker, without root, and with nothing registered on the host.
//!
//! Each platform gets user, mount, PID, network, IPC, UTS and control group namespaces of its own, and in them:
//! - a binfmt_misc of its own, which the kernel has allowed since 6.7 and which hides the host's handlers: it has the
//!   platform's emulator, and no other;
//! - where the platform is foreign, a handler for the host's own programs that *refuses and reports* them, as the
//!   platform's real machine would (`handler.rs`);
//! - the image's layers as a read-only overlay, straight from the [`Store`] of unpacked layers; where it was asked to be
//!   writable, with a tmpfs on top of them.
//!
//! There is one user in it, the image's, who owns all files and has no capabilities. So a program that would fail
//! elsewhere because a file belongs to another user does not fail here; that needs `--run docker`.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | the runner: which platforms, with which handlers |
//! | `prepared.rs`, `namespace.rs`, `furnish.rs`, `spawn.rs` | what is prepared; what happens in the namespaces, and what is mounted there; the half that stays outside |
//! | `command.rs`, `user.rs` | a command's paths, arguments and environment; the image's user |
//! | `emulator.rs`, `handler.rs` | qemu, and how the kernel is told of it |
//! | `proof.rs` | every architecture's probe in an empty root, under the host's handlers and under its own |
//! | `memory.rs` | how much memory everything in it takes |
//! | `forbidden.rs` | why a host allows no sandbox |

mod command;
mod emulator;
mod forbidden;
mod furnish;
pub(crate) mod handler;
mod memory;
mod namespace;
mod prepared;
mod proof;
mod spawn;
mod user;

use super::{
    Cpu, Ended, Exit, Freedom, Limits, NotReady, Offer, Ran, Refused, Runner, StartError, Task, emulator_version,
};
use crate::image::digest::Digest;
use crate::image::document::DEFAULT_PATH;
use crate::image::layer;
use crate::image::store::{Held, Store};
use crate::image::{LayerState, PlatformFacts, unpacked};
use crate::platform::{Architecture, Platform};
use crate::probe;
use command::{accounts, c_string, environment, prepared_command, search_path};
use emulator::{Emulator, Emulators};
pub use forbidden::NOEXEC;
use prepared::{Prepared, PreparedCommand, PreparedFile};
use spawn::{Host, Running};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The user and group of the host that a sandbox's user is where root runs mpcheck: numbers that nobody has.
///
/// Root itself would be exempt from the limit on processes (`copy_process` in the kernel's `kernel/fork.c`), and could
/// write what root can.
const NOBODY: u32 = 1_836_086_123;

/// Where the probe lies in a sandbox.
const PROBE: &str = "/dev/mpcheck/probe";

/// How long the probe may take: it makes four system calls.
const PROBE_TIMEOUT: Duration = Duration::from_secs(20);

/// Runs platforms in sandboxes.
#[derive(Debug)]
pub struct Sandbox {
    store: Store,
    emulators: Emulators,
    host: Host,
    /// What came of trying each platform in an empty root.
    tried: Mutex<BTreeMap<(String, Cpu), Result<Ready, NotReady>>>,
}

/// A platform that runs here: proved.
#[derive(Debug, Clone)]
struct Ready {
    handlers: Vec<Vec<u8>>,
    /// The emulator with its version, and where it is from.
    emulator: Option<(String, String)>,
    /// `QEMU_CPU`.
    cpu: Option<&'static str>,
}

impl Sandbox {
    /// A sandbox whose layers and emulators are kept in this directory.
    ///
    /// `prefer_fetched`: emulators that were taken out of an image come before the host's.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn new(directory: &Path, prefer_fetched: bool) -> std::io::Result<Self> {
        let owner = can_be_anybody().then_some((NOBODY, NOBODY));
        let (user, group) = owner.unwrap_or((rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()));
        // Root's is apart from that of a user who has the same cache directory: the files belong to others.
        let directory = if owner.is_some() { directory.join("root") } else { directory.join("user") };
        let store = Store::open(directory, owner)?;
        for skeleton in ["skeleton", "skeleton/proc", "skeleton/dev", "skeleton/tmp", "skeleton/sys", "empty", "upper"]
        {
            std::fs::create_dir_all(store.directory().join(skeleton))?;
            if let Some((user, group)) = owner {
                std::os::unix::fs::lchown(store.directory().join(skeleton), Some(user), Some(group))?;
            }
        }
        let emulators = Emulators::new(store.directory(), owner, std::env::var_os("PATH").as_deref(), prefer_fetched);
        Ok(Self { store, emulators, host: Host { user, group }, tried: Mutex::default() })
    }

    /// The store of unpacked layers.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Whether the emulators of this image, by its name, are here already.
    #[must_use]
    pub fn has_emulators_of(&self, image: &str) -> bool {
        self.emulators.origin().is_some_and(|origin| origin.rsplit_once('@').is_some_and(|(name, _)| name == image))
    }

    /// Takes the emulators out of an image whose layers are in the store. `origin` names it, with its digest.
    ///
    /// # Errors
    /// When a layer is not there, or there is no emulator in it.
    pub fn take_emulators(&self, platform: &PlatformFacts, origin: &str) -> Result<usize, NotReady> {
        let mut layers = Vec::new();
        for layer in platform.layers.iter().rev() {
            let held = self.store.hold(&layer.descriptor).ok().flatten();
            let held = held.ok_or_else(|| NotReady::new(format!("{origin} could not be unpacked"), ""))?;
            layers.push((self.store.directory().join(&held.files), held));
        }
        let directories: Vec<PathBuf> = layers.iter().map(|(path, _)| path.clone()).collect();
        match self.emulators.take(&directories, origin) {
            Ok(0) => Err(NotReady::new(
                format!("there is no static emulator in {origin} (looked for /usr/bin/qemu-ARCH)"),
                "tonistiigi/binfmt has them",
            )),
            Ok(taken) => Ok(taken),
            Err(error) => Err(NotReady::new(format!("the emulators of {origin} could not be kept: {error}"), "")),
        }
    }

    /// The static emulator of an architecture as a file: out of the image whose emulators were taken, or the host's.
    ///
    /// # Errors
    /// When there is none, and how to get one.
    pub fn emulator_file(&self, row: &Architecture, of_image: bool) -> Result<PathBuf, NotReady> {
        self.emulators.file(row, of_image)
    }

    /// Whether a platform runs here, proved by running the probe in an empty root.
    fn ready(&self, platform: &Platform, cpu: Cpu) -> Result<Ready, NotReady> {
        let key = (platform.to_string(), cpu);
        let known = self.tried.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known {
            return known;
        }
        let result = self.prove(platform, cpu);
        self.tried.lock().unwrap_or_else(PoisonError::into_inner).insert(key, result.clone());
        result
    }

    fn prove(&self, platform: &Platform, cpu: Cpu) -> Result<Ready, NotReady> {
        if platform.os() != "linux" {
            return Err(NotReady::new(format!("the sandbox runs Linux, and this is {}", platform.os()), ""));
        }
        let Some(row) = platform.row() else {
            return Err(NotReady::new(format!("the architecture table does not know {platform}"), ""));
        };
        // A higher level of the same architecture is tried: what the processor has is only known to itself.
        let native = cpu == Cpu::Max && (same_architecture(platform) || platform.runs_on(&Platform::host()));
        let first = self.tried_as(platform, row, cpu, !native);
        // arm64 hosts may or may not have 32-bit instructions; only trying tells.
        match first {
            Err(_) if native && !same_architecture(platform) => self.tried_as(platform, row, cpu, true),
            other => other,
        }
    }

    fn tried_as(&self, platform: &Platform, row: &Architecture, cpu: Cpu, emulate: bool) -> Result<Ready, NotReady> {
        let program = probe::probe(row)
            .ok_or_else(|| NotReady::new(format!("mpcheck has no probe for {}", row.name), "use `--run docker`"))?;
        let emulator = emulate.then(|| self.emulators.find(row)).transpose()?;
        let model = model(platform, row, cpu)?;
        let handlers = self.handlers(row, emulator.as_ref())?;
        let asked = |words: &[&str], environment: &[String]| prepared_command(words, environment, DEFAULT_PATH);
        let environment: Vec<String> = model.iter().map(|model| format!("QEMU_CPU={model}")).collect();
        let mut commands = vec![asked(&[PROBE], &environment)?];
        let known = emulator.as_ref().and_then(|emulator| self.emulators.version(emulator));
        if emulator.is_some() && known.is_none() {
            commands.push(asked(&[PROBE], &["QEMU_VERSION=1".to_owned()])?);
        }
        let root = ["skeleton", "empty"].map(String::from).to_vec();
        let who = user::User { user: 0, group: 0, home: "/".to_owned() };
        let limits = Limits::default();
        let files = vec![prepared_file(PROBE, program)?];
        let prepared = self.prepared(&root, &who, Some(handlers.clone()), files, c"/".to_owned(), commands, limits)?;
        let running = Running::start(&prepared, self.host).map_err(|broken| forbidden::why(&broken))?;
        let probed = running.run(0, PROBE_TIMEOUT, &limits).map_err(|broken| forbidden::why(&broken))?;
        machine(&probed, platform, emulator.as_ref())?;
        let version = match (&emulator, known) {
            (None, _) => None,
            (Some(found), Some(known)) => Some((known, found.origin.clone())),
            (Some(found), None) => {
                let told = running.run(1, PROBE_TIMEOUT, &limits).map_err(|broken| forbidden::why(&broken))?;
                let told = emulator_version(&told.stdout.bytes);
                if let Some(version) = &told {
                    self.emulators.remember(found, version);
                }
                let name = row.emulator.map_or("qemu", |emulator| emulator.name);
                Some((told.unwrap_or_else(|| format!("qemu-{name}")), found.origin.clone()))
            }
        };
        Ok(Ready { handlers, emulator: version, cpu: model })
    }

    /// What the namespace's binfmt_misc is given: the platform's emulators, and refusers for the host's own programs.
    fn handlers(&self, row: &Architecture, emulator: Option<&Emulator>) -> Result<Vec<Vec<u8>>, NotReady> {
        let mut handlers = Vec::new();
        let mut emulated = BTreeSet::new();
        if let Some(emulator) = emulator {
            handlers.extend(handler::emulate(row, &emulator.interpreter));
            emulated.insert(row.name);
            // What the platform's machines run as well: 386 on amd64. Where there is no emulator for it, it fails.
            for other in row.executes.iter().filter_map(|other| Architecture::by_name(other.architecture)) {
                if let Ok(found) = self.emulators.find(other) {
                    handlers.extend(handler::emulate(other, &found.interpreter));
                    emulated.insert(other.name);
                }
            }
        }
        let host = Platform::host();
        let Some(host) = host.row() else { return Ok(handlers) };
        let native = std::iter::once(host)
            .chain(host.executes.iter().filter_map(|other| Architecture::by_name(other.architecture)));
        for other in native.filter(|other| !row.executes(other) && !emulated.contains(other.name)) {
            let refuser = self.emulators.refuser(host)?;
            // Last, so that no handler of an emulator comes before them.
            handlers.extend(handler::refuse(other, &refuser));
        }
        Ok(handlers)
    }

    #[allow(clippy::too_many_arguments)] // each is a part of one sandbox, named at its one use
    fn prepared(
        &self,
        layers: &[String],
        user: &user::User,
        handlers: Option<Vec<Vec<u8>>>,
        mut files: Vec<PreparedFile>,
        directory: CString,
        commands: Vec<PreparedCommand>,
        limits: Limits,
    ) -> Result<Prepared, NotReady> {
        // Whatever user a program runs as, its refusal can be added.
        files.push(PreparedFile { path: c_string(probe::REFUSALS.as_bytes())?, bytes: Vec::new(), mode: 0o622 });
        Ok(Prepared {
            user_map: c_string(format!("{} 0 1", user.user).as_bytes())?,
            group_map: c_string(format!("{} 0 1", user.group).as_bytes())?,
            store: c_string(self.store.directory().as_os_str().as_encoded_bytes())?,
            layers: layers.iter().map(|layer| c_string(layer.as_bytes())).collect::<Result<_, _>>()?,
            writable: None,
            handlers,
            files,
            temporary: c_string(limits.temporary.to_string().as_bytes())?,
            directory,
            commands,
            limits,
        })
    }

    /// The layers of a platform in the store, the topmost first; those that are missing are unpacked.
    fn layers(&self, task: &Task<'_>) -> Result<Vec<Held>, NotReady> {
        let mut seen: BTreeSet<&Digest> = BTreeSet::new();
        let mut held = Vec::new();
        for (index, layer) in task.platform.layers.iter().enumerate().rev() {
            // A layer that comes twice is hidden below itself, and overlayfs refuses it.
            if !seen.insert(&layer.descriptor.digest) {
                continue;
            }
            let failed = |why: String| NotReady::new(format!("layer {index} could not be unpacked: {why}"), "");
            held.push(unpacked::hold(&self.store, layer, task.source).map_err(failed)?);
            // overlayfs does not look at the attribute of a root.
            if hides_all_below(layer) {
                break;
            }
        }
        Ok(held)
    }
}

impl Runner for Sandbox {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    fn offer(&self, platform: &Platform, cpu: Cpu) -> Result<Offer, NotReady> {
        let ready = self.ready(platform, cpu)?;
        Ok(Offer { emulator: ready.emulator.map(|(version, origin)| format!("{version} from {origin}")) })
    }

    fn grants(&self, freedom: &Freedom) -> Result<(), NotReady> {
        freedom.of_sandbox()
    }

    fn run(&self, task: &Task<'_>) -> Result<Ran, NotReady> {
        self.grants(task.freedom)?;
        let platform = &task.platform.platform;
        let ready = self.ready(platform, task.cpu)?;
        let held = self.layers(task)?;
        let accounts = |name| accounts(self.store.directory(), &held, name);
        let user = user::find(task.user(), &accounts("etc/passwd"), &accounts("etc/group"));
        // An engine starts nothing as a user who is not there: neither is anything here, but the probe.
        let (user, unknown) = match user {
            Ok(user) => (user, None),
            Err(why) => (user::User { user: 0, group: 0, home: "/".to_owned() }, Some(why)),
        };
        // The skeleton is on top: directories merge, and what the image has instead of one (a link, a whiteout), or has
        // not, gives way to it.
        let mut layers = vec!["skeleton".to_owned()];
        layers.extend(held.iter().map(|held| held.files.clone()));
        if layers.len() < 2 {
            layers.push("empty".to_owned());
        }
        let mut commands = vec![prepared_command(&[PROBE], &environment(task, &user, ready.cpu, None), DEFAULT_PATH)?];
        for command in task.commands {
            let environment = environment(task, &user, ready.cpu, Some(command));
            commands.push(prepared_command(&command.words, &environment, search_path(&environment))?);
        }
        let directory = match task.config.working_directory.as_str() {
            "" => c"/".to_owned(),
            directory => c_string(format!("/{}", directory.trim_start_matches('/')).as_bytes())?,
        };
        let files = vec![prepared_file(PROBE, platform.row().and_then(probe::probe).unwrap_or_default())?];
        let handlers = Some(ready.handlers);
        let mut prepared = self.prepared(&layers, &user, handlers, files, directory, commands, task.limits)?;
        if task.freedom.writable {
            prepared.writable = Some(c_string(task.limits.root.to_string().as_bytes())?);
        }
        let broken = |broken| forbidden::why(&broken);
        let start = || Running::start(&prepared, self.host).map_err(broken);
        let mut running = start()?;
        let probed = running.run(0, PROBE_TIMEOUT, &task.limits).map_err(broken)?;
        let machine = machine(&probed, platform, None)?;
        let mut ended = Vec::new();
        let mut refused = Vec::new();
        let mut interrupted = None;
        if let Some(why) = &unknown {
            ended.extend(task.commands.iter().map(|_| Ended::not_started(StartError::Other(why.clone()))));
        }
        for (index, command) in task.commands.iter().enumerate().filter(|_| unknown.is_none()) {
            let mut run = || -> Result<Ended, NotReady> {
                if command.fresh && index > 0 {
                    running = start()?;
                }
                running.run(index + 1, command.timeout, &task.limits).map_err(broken)
            };
            match run() {
                Ok(end) => ended.push(end),
                // What was seen so far stands.
                Err(failed) => {
                    interrupted = Some(failed);
                    break;
                }
            }
            refused.extend(refusals(&running.reports(), index));
        }
        Ok(Ran {
            machine,
            emulator: ready.emulator.map(|(version, _)| version),
            started: Some(platform.clone()),
            ended,
            refused,
            interrupted,
        })
    }
}

/// Whether this process may map any user and give files away, [`NOBODY`] among them: root, and not in a container that
/// keeps that from it.
fn can_be_anybody() -> bool {
    use rustix::thread::CapabilitySet;
    let needed = CapabilitySet::SETUID | CapabilitySet::SETGID | CapabilitySet::CHOWN | CapabilitySet::FOWNER;
    let has = rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(needed));
    let known = |map: &str| {
        let map = std::fs::read_to_string(map).unwrap_or_default();
        // "inside outside count", a line each: user_namespaces(7).
        map.lines().any(|line| {
            let mut numbers = line.split_whitespace().map(|number| number.parse::<u64>().unwrap_or(0));
            let (from, _, count) = (numbers.next().unwrap_or(0), numbers.next(), numbers.next().unwrap_or(0));
            (from..from.saturating_add(count)).contains(&u64::from(NOBODY))
        })
    };
    has && known("/proc/self/uid_map") && known("/proc/self/gid_map")
}

/// Whether a layer hides all that is below it: an opaque mark in its root.
fn hides_all_below(layer: &LayerState) -> bool {
    let entries = layer.facts.iter().flat_map(|facts| &facts.entries);
    entries.into_iter().any(|entry| entry.path.is_empty() && entry.kind == layer::EntryKind::Opaque)
}

/// A program in the sandbox.
fn prepared_file(path: &str, bytes: Vec<u8>) -> Result<PreparedFile, NotReady> {
    Ok(PreparedFile { path: c_string(path.as_bytes())?, bytes, mode: 0o755 })
}

fn same_architecture(platform: &Platform) -> bool {
    platform.architecture() == Platform::host().architecture()
}

/// The value of `QEMU_CPU`, where the platform is to run on a processor that is it and no more.
fn model(platform: &Platform, row: &Architecture, cpu: Cpu) -> Result<Option<&'static str>, NotReady> {
    if cpu == Cpu::Max {
        return Ok(None);
    }
    let model = row.qemu_cpu(platform.variant());
    // Of s390x and others no levels are known, so there is nothing to go back to.
    if model.is_none() && (!row.variants.is_empty() || row.emulator.is_none()) {
        let why = format!("qemu has no processor that is {platform} and no more");
        return Err(NotReady::new(why, "use `--cpu max`"));
    }
    Ok(model)
}

/// What the probe said of the machine, or why it said nothing.
fn machine(probed: &Ended, platform: &Platform, emulator: Option<&Emulator>) -> Result<String, NotReady> {
    let with = emulator.map_or_else(String::new, |emulator| format!(" under {}", emulator.origin));
    let told = String::from_utf8_lossy(&probed.stdout.bytes).into_owned();
    let failed = |what: String| {
        NotReady::new(
            format!("the probe for {platform} {what}{with}"),
            "try other emulators, such as `--emulators tonistiigi/binfmt`",
        )
    };
    match &probed.exit {
        Exit::Code(probe::PROBE_EXIT) => {
            told.lines().next().map(str::to_owned).ok_or_else(|| failed("said nothing".to_owned()))
        }
        Exit::Code(code) => Err(failed(format!("exited with {code}"))),
        Exit::Signal(signal) => Err(failed(format!("was ended by signal {signal}"))),
        Exit::TimedOut => Err(failed("did not end".to_owned())),
        Exit::OutOfMemory => Err(failed("took too much memory".to_owned())),
        Exit::NotStarted(error) => Err(failed(format!("could not be started: {error}"))),
    }
}

/// The programs that a command's reports name: pairs of a working directory and a path, each ended by a NUL.
fn refusals(reports: &[u8], command: usize) -> Vec<Refused> {
    // A record that was cut off is none.
    let whole = reports.iter().rposition(|&byte| byte == 0).map_or(0, |end| end + 1);
    let mut fields = reports.get(..whole).unwrap_or_default().split(|&byte| byte == 0);
    let mut refused = BTreeSet::new();
    while let (Some(directory), Some(path)) = (fields.next(), fields.next()) {
        let path = match path {
            b"" => continue,
            absolute @ [b'/', ..] => absolute.to_vec(),
            relative => [directory, b"/", relative].concat(),
        };
        refused.insert(Refused { path, command });
    }
    refused.into_iter().collect()
}
