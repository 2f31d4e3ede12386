//! The part of the report that is about the host: what `mpcheck host` learnt.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Check, Status};

/// What was learnt about the host: which platforms it runs, and what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Machine {
    /// The kernel's release, `6.12.9-amd64`.
    pub kernel: String,
    /// What `uname -m` says.
    pub machine: String,
    /// The size of a page of memory in bytes.
    pub page_size: u64,
    /// The container that mpcheck ran in (`docker`, `podman`, `lxc`); `null` where none was seen.
    pub container: Option<String>,
    /// The kernel's table of handlers.
    pub binfmt_misc: BinfmtMisc,
    /// Why the sandbox of mpcheck cannot be had; `null` where it can.
    pub no_sandbox: Option<String>,
    /// The Docker engine; `null` where none answered.
    pub engine: Option<Engine>,
    /// Why there is no engine; `null` where there is one.
    pub no_engine: Option<String>,
    /// The program that builds for several platforms; `null` where it is not installed.
    pub buildx: Option<Buildx>,
    /// The builders of buildx, by name. They are asked for where an engine answered; none is started for it.
    #[serde(default)]
    pub builders: Vec<Builder>,
    /// The value of `DOCKER_DEFAULT_PLATFORM`; `null` where it is not set.
    pub default_platform: Option<String>,
    /// One entry per architecture that mpcheck has a probe for, and per required platform, sorted.
    pub platforms: Vec<HostPlatform>,
    /// What is not as it was in an earlier report; absent where there was none to compare with (`--baseline`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
}

/// A comparison with an earlier report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Since {
    /// When the earlier one was started.
    pub started: String,
    /// What differs, in the order of the report; empty where nothing does.
    pub changes: Vec<Change>,
}

/// One thing that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// What: `kernel`, `handler qemu-aarch64`, `platform linux/arm64`.
    pub what: String,
    /// What it was; `null` where it was not there.
    pub before: Option<String>,
    /// What it is; `null` where it is gone.
    pub after: Option<String>,
}

/// How often a platform was tried, and how often it ran (`--repeat`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tries {
    /// How often it ran.
    pub ran: u64,
    /// How often it was tried.
    pub of: u64,
}

/// The kernel's table of handlers, binfmt_misc.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BinfmtMisc {
    /// `enabled`, `disabled`, `not mounted`, `not in the kernel`, or `denied`.
    pub state: String,
    /// The handlers that could be read, by name.
    pub handlers: Vec<Handler>,
}

/// One handler of binfmt_misc.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Handler {
    /// Its name, which is its file's below `/proc/sys/fs/binfmt_misc`.
    pub name: String,
    /// Whether it is used.
    pub enabled: bool,
    /// The program that it starts.
    pub interpreter: String,
    /// What that file is: `static`, `dynamic`, `missing`, or `unknown`.
    pub interpreter_file: String,
    /// Its flags, `OCF`.
    pub flags: String,
    /// The platforms whose programs it takes; empty for other formats.
    pub platforms: Vec<String>,
    /// Whether something registers it again at the next boot, as far as can be seen; `null` in a container, whose files say
    /// nothing of that.
    pub persistent: Option<bool>,
}

/// The Docker engine, or Podman's socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Engine {
    /// Its address, `unix:///run/docker.sock`.
    pub address: String,
    /// Its version.
    pub version: String,
    /// The newest version of its API.
    pub api: String,
    /// How it stores images: `classic`, `containerd` or `podman`.
    pub store: String,
    /// The platform that it was built for, `linux/amd64`.
    pub platform: String,
    /// The oldest version of its API that it still speaks; empty where it does not say.
    #[serde(default)]
    pub oldest_api: String,
    /// The release of its kernel; empty where it does not say.
    #[serde(default)]
    pub kernel: String,
    /// Whether that kernel is this host's: `true` where a process of its container was seen here, `false` where its
    /// release is another; `null` where neither tells.
    pub same_kernel: Option<bool>,
    /// Whether it builds with BuildKit unless the client says otherwise; `null` where nothing tells.
    pub buildkit: Option<bool>,
    /// Why no platform was proved in it; `null` where they were.
    pub not_proved: Option<String>,
}

/// buildx, Docker's program that builds for several platforms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Buildx {
    /// Where it is.
    pub path: String,
    /// Its version, as it says it itself; `null` where it does not run.
    pub version: Option<String>,
    /// Why it does not run; `null` where it does.
    pub error: Option<String>,
}

/// A builder of buildx.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Builder {
    /// Its name.
    pub name: String,
    /// What it is: `docker`, `docker-container`, `kubernetes`, `remote`; empty where it did not say.
    pub driver: String,
    /// Whether it is the one that builds unless another is named.
    pub current: bool,
    /// Why it could not be asked; `null` where it could.
    pub error: Option<String>,
    /// Its nodes.
    pub nodes: Vec<BuilderNode>,
}

/// A node of a builder: one BuildKit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BuilderNode {
    /// Its name.
    pub name: String,
    /// The engine that it is in: an address, or the name of a context.
    pub endpoint: String,
    /// `running`; `inactive` where it was never started; or `stopped`.
    pub status: String,
    /// Its version of BuildKit; empty where it did not say.
    pub buildkit: String,
    /// The platforms that it found when it was started.
    pub platforms: Vec<String>,
    /// The platforms that somebody said it had (`docker buildx create --platform`), which nothing looked for.
    pub forced: Vec<String>,
    /// What is wrong with it; `null` where nothing is.
    pub error: Option<String>,
}

/// Whether a platform runs on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HostStatus {
    /// On the host's own processor.
    Native,
    /// Under an emulator.
    Emulated,
    /// Something is there to run it, and the probe did not run.
    Broken,
    /// Nothing runs it.
    None,
    /// It could not be tried.
    Unknown,
}

impl HostStatus {
    /// Whether the platform's programs run.
    pub fn is_ready(self) -> bool {
        matches!(self, Self::Native | Self::Emulated)
    }
}

/// One platform on the host, proved by running a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostPlatform {
    /// The canonical platform, `linux/arm/v7`.
    pub platform: String,
    /// Whether it was required (`--require`).
    pub required: bool,
    /// Whether it runs.
    pub status: HostStatus,
    /// The emulator with its version, as it says them itself; `null` on the host's own processor.
    pub emulator: Option<String>,
    /// What the probe was told by `uname(2)`; `null` where it did not run.
    pub machine: Option<String>,
    /// Why it does not run; `null` where it does.
    pub reason: Option<String>,
    /// How often it ran, where it was tried more than once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tries: Option<Tries>,
    /// What became of the probe in each way: `direct`, as any program of the host; `container`, in an empty root under
    /// the host's handlers; `sandbox`, in mpcheck's own sandbox, which registers handlers of its own; `engine`, in a
    /// container of the Docker engine, whose kernel may be another machine's.
    pub ways: Vec<Check>,
    /// What ran it in the Docker engine; `null` where it did not run there.
    pub engine: Option<InEngine>,
}

/// What runs a platform in the Docker engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InEngine {
    /// What the probe was told there by `uname(2)`.
    pub machine: String,
    /// The emulator with its version, as it says them itself; `null` on the processor of the engine's host.
    pub emulator: Option<String>,
}

impl HostPlatform {
    /// What it means for the verdict: a platform that nobody requires may be missing.
    pub fn outcome(&self) -> Status {
        match (self.status, self.required) {
            (HostStatus::Native | HostStatus::Emulated, _) => Status::Passed,
            (_, false) => Status::Skipped,
            (HostStatus::Unknown, true) => Status::Error,
            (HostStatus::Broken | HostStatus::None, true) => Status::Failed,
        }
    }
}

impl Machine {
    /// How many of its platforms run.
    pub fn ready(&self) -> usize {
        self.platforms.iter().filter(|platform| platform.status.is_ready()).count()
    }
}
