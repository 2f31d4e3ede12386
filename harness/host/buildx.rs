//! buildx, Docker's program that builds for several platforms, and its builders.
//!
//! Nothing is changed: a builder that was not started yet (`docker buildx inspect --bootstrap` starts one) stays so, and
//! buildx, which writes into its state directory whatever it is asked, gets a copy of that.
//! Where the program lies is what docker/cli documents of its plugins (`cli-plugins/manager`); what builders there
//! are, is in buildx's state directory (`store/store.go`: a file for each in `instances`); what they are, it says
//! itself.

use super::command::ask;
use crate::image::reference::name::shown;
use crate::image::source::{EngineEnvironment, EngineOptions};
use crate::run::cleanup::Guard;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The file that is a plugin of this name.
const PROGRAM: &str = "docker-buildx";
/// Where plugins of all users lie.
const SYSTEM: [&str; 4] = [
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
];
/// How long buildx may take: it asks each node of a builder.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long it may take to ask for all builders, the slow ones of a cluster among them.
const ALL_BUILDERS: Duration = Duration::from_secs(60);
/// The most builders that are asked for, and how many at a time.
const MAX_BUILDERS: usize = 32;
const AT_A_TIME: usize = 4;
/// The largest config.json that is read.
const MAX_CONFIG: u64 = 4 * 1024 * 1024;
/// The most nodes of a builder, platforms of a node, and characters of a word that are kept.
const MAX_NODES: usize = 64;
const MAX_PLATFORMS: usize = 256;
const MAX_WORD: usize = 200;

/// Where buildx is looked for.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// Docker's directory: `DOCKER_CONFIG`, or `.docker` in the home directory.
    pub config: Option<PathBuf>,
    /// buildx's own: `BUILDX_CONFIG`.
    pub state: Option<PathBuf>,
    /// Where plugins of all users lie.
    pub system: Vec<PathBuf>,
    /// Where a copy of the state may lie for a while.
    pub temporary: PathBuf,
    /// The address to be asked instead of what the environment names.
    pub host: Option<String>,
    /// What docker calls the engine that it takes: `default`, or a context's name.
    pub context: String,
}

/// buildx.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buildx {
    /// Where the program is.
    pub path: PathBuf,
    /// Its version, or why it does not say one.
    pub version: Result<String, String>,
    /// What it calls the engine that was asked, beside its address: `default`, or a context's name.
    pub context: String,
    /// Its builders; none where they were not asked for.
    pub builders: Vec<Builder>,
}

/// A builder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Builder {
    /// Its name.
    pub name: String,
    /// What it is: `docker`, `docker-container`, `kubernetes`, `remote`; empty where it did not say.
    pub driver: String,
    /// Whether it is the one that builds unless another is named.
    pub current: bool,
    /// Why it could not be asked, or what is wrong with it.
    pub error: Option<String>,
    /// Its nodes.
    pub nodes: Vec<Node>,
}

/// A node of a builder: one BuildKit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// The engine that it is in, as an address or the name of a context.
    pub endpoint: String,
    /// `running`, `inactive` where it was not started yet, `stopped`.
    pub status: String,
    /// Its version of BuildKit; empty where it did not say.
    pub version: String,
    /// The platforms that it found.
    pub platforms: Vec<String>,
    /// The platforms that somebody said it had (`docker buildx create --platform`), which nothing looked for.
    pub forced: Vec<String>,
    /// What is wrong with it.
    pub error: Option<String>,
}

impl Places {
    /// As the engine's options and the environment say it; `get` is usually [`std::env::var`].
    #[must_use]
    pub fn new(options: &EngineOptions, get: &dyn Fn(&str) -> Option<String>) -> Self {
        let environment = &options.environment;
        Self {
            config: environment.config.clone(),
            state: get("BUILDX_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from),
            system: SYSTEM.map(PathBuf::from).to_vec(),
            temporary: options.temporary.clone(),
            host: options.host.clone(),
            context: context(options.host.as_deref(), environment),
        }
    }

    /// Docker's order: the user's own, what the configuration adds, and everybody's.
    fn plugins(&self) -> Vec<PathBuf> {
        let own = self.config.iter().map(|config| config.join("cli-plugins"));
        let extra = self.config.iter().flat_map(|config| extra_plugins(config));
        own.chain(extra).chain(self.system.iter().cloned()).collect()
    }

    /// Where buildx keeps what it knows of its builders.
    fn state(&self) -> Option<PathBuf> {
        self.state.clone().or_else(|| Some(self.config.as_ref()?.join("buildx")))
    }
}

/// A copy of buildx's state, for the time of the questions.
struct State {
    directory: PathBuf,
    _guard: Guard,
}

impl State {
    fn copy(places: &Places) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("mpcheck-").tempdir_in(&places.temporary)?.keep();
        let removed = directory.clone();
        let guard = Guard::new(move || {
            let _ = fs::remove_dir_all(&removed);
        });
        let copy = Self { directory, _guard: guard };
        let Some(from) = places.state() else { return Ok(copy) };
        for part in ["instances", "defaults"] {
            fs::create_dir(copy.directory.join(part))?;
            let entries = fs::read_dir(from.join(part)).into_iter().flatten().flatten().take(MAX_BUILDERS);
            for entry in entries {
                copy_file(&entry.path(), &copy.directory.join(part).join(entry.file_name()));
            }
        }
        copy_file(&from.join("current"), &copy.directory.join("current"));
        Ok(copy)
    }
}

/// Copies a small file; one that cannot be read is left out, as it is for buildx.
fn copy_file(from: &Path, to: &Path) {
    if fs::metadata(from).is_ok_and(|meta| meta.is_file() && meta.len() <= MAX_CONFIG) {
        let _ = fs::copy(from, to);
    }
}

/// A named address is what docker calls `default`.
fn context(host: Option<&str>, environment: &EngineEnvironment) -> String {
    let default = || "default".to_owned();
    if host.is_some() || environment.host.is_some() {
        return default();
    }
    let current = || environment.config.as_ref().and_then(|config| configuration(config).current_context);
    environment.context.clone().or_else(current).filter(|name| !name.is_empty()).unwrap_or_else(default)
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Configuration {
    #[serde(rename = "cliPluginsExtraDirs")]
    plugins: Vec<PathBuf>,
    #[serde(rename = "currentContext")]
    current_context: Option<String>,
}

fn configuration(directory: &Path) -> Configuration {
    let mut bytes = Vec::new();
    let read = fs::File::open(directory.join("config.json"));
    let read = read.and_then(|file| file.take(MAX_CONFIG).read_to_end(&mut bytes));
    read.ok().and_then(|_| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn extra_plugins(config: &Path) -> Vec<PathBuf> {
    configuration(config).plugins
}

/// Looks for buildx, asks it for its version and, `with_builders`, for its builders.
#[must_use]
pub fn look(places: &Places, with_builders: bool) -> Option<Buildx> {
    let is_program =
        |path: &PathBuf| fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
    let path = places.plugins().into_iter().map(|directory| directory.join(PROGRAM)).find(is_program)?;
    let version = version(&path);
    let builders = if with_builders && version.is_ok() { builders(&path, places) } else { Vec::new() };
    Some(Buildx { path, version, context: places.context.clone(), builders })
}

fn version(path: &Path) -> Result<String, String> {
    let mut command = Command::new(path);
    command.arg("version");
    let said = ask(command, TIMEOUT)?;
    version_in(&said.stdout).filter(|_| said.well).ok_or_else(|| {
        let line = said.stderr.lines().chain(said.stdout.lines()).map(str::trim).find(|line| !line.is_empty());
        line.map_or_else(|| "said nothing".to_owned(), |line| format!("said \"{}\"", shown(line)))
    })
}

/// `github.com/docker/buildx v0.13.1 788433953af10f2a698f5c07611dddce2e08c7a0`.
fn version_in(said: &str) -> Option<String> {
    let mut words = said.lines().next()?.split_whitespace();
    words.next()?;
    words.next().map(shown)
}

/// The current builder, docker's own, and those that somebody made.
fn builders(path: &Path, places: &Places) -> Vec<Builder> {
    // Without a place for the copy nothing is asked.
    let Ok(state) = State::copy(places) else { return Vec::new() };
    let until = Instant::now() + ALL_BUILDERS;
    let asked = Asked { path, state: &state.directory, host: places.host.as_deref(), until };
    let current = asked.inspect(None);
    let mut names = instances(&state.directory.join("instances"));
    names.insert(places.context.clone());
    names.remove(&current.name);
    let names: Vec<String> = names.into_iter().filter(|name| is_name(name)).take(MAX_BUILDERS).collect();
    let found = Mutex::new(vec![Builder { current: true, ..current }]);
    let next = Mutex::new(names.into_iter());
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let name = next.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(name) = name else { return };
                    let builder = asked.inspect(Some(&name));
                    found.lock().unwrap_or_else(PoisonError::into_inner).push(builder);
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.retain(|builder| !builder.name.is_empty());
    found.sort_by(|left, right| left.name.cmp(&right.name));
    found
}

/// What buildx takes for a name (`store/util.go`), or docker for that of a context.
fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+'))
        && name.len() <= MAX_WORD
}

fn instances(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten().take(MAX_BUILDERS);
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// buildx, and what it is asked with.
struct Asked<'a> {
    path: &'a Path,
    state: &'a Path,
    host: Option<&'a str>,
    /// Until when all of them have to be asked.
    until: Instant,
}

impl Asked<'_> {
    /// Asks for one builder; without a name for the current one.
    fn inspect(&self, name: Option<&str>) -> Builder {
        let mut command = Command::new(self.path);
        command.arg("inspect").args(name).env("BUILDX_CONFIG", self.state);
        if let Some(host) = self.host {
            command.env("DOCKER_HOST", host).env_remove("DOCKER_CONTEXT");
        }
        let unnamed = || Builder { name: name.unwrap_or_default().to_owned(), ..Builder::default() };
        let left = self.until.saturating_duration_since(Instant::now());
        let said = match ask(command, left.min(TIMEOUT)) {
            Ok(said) => said,
            Err(error) => return Builder { error: Some(format!("`docker buildx inspect` {error}")), ..unnamed() },
        };
        let mut builder = parse(&said.stdout);
        if builder.name.is_empty() {
            builder = unnamed();
        }
        if !said.well && builder.error.is_none() {
            let line = said.stderr.lines().map(str::trim).find(|line| !line.is_empty());
            builder.error = Some(shown(line.unwrap_or("`docker buildx inspect` failed")));
        }
        builder
    }
}

/// What `docker buildx inspect` says: fields of the builder, a line `Nodes:`, and the fields of each node.
fn parse(said: &str) -> Builder {
    let mut builder = Builder::default();
    let mut in_nodes = false;
    for line in said.lines() {
        // What is indented belongs to a list of the field before, such as labels.
        if line.starts_with(char::is_whitespace) {
            continue;
        }
        let Some((field, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match (in_nodes, field) {
            (false, "Nodes") => in_nodes = true,
            (false, "Name") => builder.name = shown(value),
            (false, "Driver") => builder.driver = shown(value),
            (false, "Error") => builder.error = Some(shown(value)),
            (true, "Name") if builder.nodes.len() < MAX_NODES => {
                builder.nodes.push(Node { name: shown(value), ..Node::default() });
            }
            (true, _) => {
                if let Some(node) = builder.nodes.last_mut() {
                    field_of(node, field, value);
                }
            }
            (false, _) => {}
        }
    }
    builder
}

fn field_of(node: &mut Node, field: &str, value: &str) {
    match field {
        "Endpoint" => node.endpoint = shown(value),
        "Status" => node.status = shown(value),
        // buildx before 0.13 writes it without "version".
        "BuildKit version" | "BuildKit" | "Buildkit" => node.version = shown(value),
        "Error" => node.error = Some(shown(value)),
        "Platforms" => {
            for platform in value.split(',').map(str::trim).filter(|name| !name.is_empty()).take(MAX_PLATFORMS) {
                match platform.strip_suffix('*') {
                    Some(forced) => node.forced.push(shown(forced)),
                    None => node.platforms.push(shown(platform)),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
#[path = "buildx_tests.rs"]
mod tests;
