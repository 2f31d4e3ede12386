//! The container of a run: it waits and does nothing, and commands are started in it.

use super::image::Held;
use super::leftovers::{Thing, remove};
use super::{Run, archive, cut};
use crate::platform::Architecture;
use crate::probe;
use crate::run::{Cpu, Freedom, Limits, NotReady};
use bollard::Docker;
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::errors::Error;
use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountType, MountVolumeOptions,
    ResourcesUlimits,
};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, InspectContainerOptions, StartContainerOptions,
    UploadToContainerOptionsBuilder,
};
use futures_util::{Stream, StreamExt};
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::pin::Pin;
use std::time::Duration;

/// Where the probe lies.
pub(super) const PROBE: &str = "/.mpcheck/probe";
const WAITER: &str = "/.mpcheck/wait";
const DIRECTORY: &str = "/.mpcheck";
/// By this label what is left behind is found: `docker ps --all --filter label=mpcheck`.
pub(super) const LABEL: &str = "mpcheck";
/// How long the container outlives its commands' timeouts: the engine takes its time too, under load seconds.
const SLACK: Duration = Duration::from_secs(120);
/// The same for each command.
const SLACK_EACH: Duration = Duration::from_secs(10);
/// How long the last words of a container that ended are waited for.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How many bytes of them are read.
const MAX_LAST_WORDS: usize = 4096;
/// How often, and in which distance, the engine is asked whether the memory ran out: it learns of it on its own way.
const MEMORY_LOOKS: (u32, Duration) = (10, Duration::from_millis(50));

type Output = Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>;

/// A container that runs.
pub(super) struct Container {
    pub(super) name: String,
    /// What its own process writes, of the first container of a run. Its input is kept too, since an engine takes a
    /// closed one for the end.
    attached: Option<AttachContainerResults>,
    /// The container before it, which is still to be removed.
    pub(super) before: Option<String>,
}

impl Run<'_> {
    /// Makes and starts the first container of a run, which lives long enough for all its commands.
    ///
    /// What the image declares as volumes, and the probe, are in another container's: that one is never started,
    /// and this one sees them read-only. An engine copies nothing into a container with a read-only root but into its
    /// volumes, and volumes are places on the disk of the engine's host that have no limit. They go with whichever of
    /// the two is removed last.
    ///
    /// Where the root can be written, so can be what the image declares as volumes: each container has its own.
    pub(super) fn start(&self, image: &Held) -> Result<Container, NotReady> {
        let name = name();
        if self.task.freedom.writable {
            self.create_writable(image, &name)?;
            let attached = Some(self.attach(&name)?);
            self.go(&name)?;
            return Ok(Container { name, attached, before: None });
        }
        let files = format!("{name}-files");
        self.create(image, &files, self.body(&image.id, files_config()))?;
        self.give_programs(&files, DIRECTORY)?;
        self.create(image, &name, self.body(&image.id, self.host_config(Some(&files))))?;
        let attached = Some(self.attach(&name)?);
        self.go(&name)?;
        // Only now: until it runs it does not count as a user of the volumes (Docker 20.10 to 28.5).
        self.discard(&files)?;
        Ok(Container { name, attached, before: None })
    }

    /// Makes and starts one more container of the run. The one before it is removed while the first command runs, which is
    /// half of what a container costs.
    ///
    /// It sees that one's read-only files, which go with whichever of the two is removed last.
    pub(super) fn start_after(&self, image: &Held, before: Container) -> Result<Container, NotReady> {
        let name = name();
        let started = if self.task.freedom.writable {
            self.create_writable(image, &name).and_then(|()| self.go(&name))
        } else {
            let body = self.body(&image.id, self.host_config(Some(&before.name)));
            self.create(image, &name, body).and_then(|()| self.go(&name))
        };
        match started {
            Ok(()) => Ok(Container { name, attached: None, before: Some(before.name) }),
            Err(error) if self.link.leftovers.is_stopped() => Err(error),
            // The other one may have come to its end, and taken its files with it.
            Err(_) => {
                self.discard(&before.name)?;
                self.discard(&name)?;
                self.start(image)
            }
        }
    }

    fn create_writable(&self, image: &Held, name: &str) -> Result<(), NotReady> {
        self.create(image, name, self.body(&image.id, self.host_config(None)))?;
        self.give_programs(name, "/")
    }

    fn attach(&self, name: &str) -> Result<AttachContainerResults, NotReady> {
        let options = AttachContainerOptionsBuilder::default().stream(true).stdout(true).stderr(true).build();
        self.link.ask("attached to a container", self.link.client.attach_container(name, Some(options)))
    }

    fn go(&self, name: &str) -> Result<(), NotReady> {
        let started = self.link.client.start_container(name, None::<StartContainerOptions>);
        self.link.ask("asked to start a container", started)
    }

    /// What the run's containers may do; `files` is the container whose volumes they see.
    fn host_config(&self, files: Option<&str>) -> HostConfig {
        host_config(self.task.limits, self.task.freedom, files)
    }

    fn create(&self, image: &Held, name: &str, body: ContainerCreateBody) -> Result<(), NotReady> {
        let mut options = CreateContainerOptionsBuilder::default().name(name);
        if let Some(platform) = &image.platform {
            options = options.platform(platform);
        }
        let created = self.link.client.create_container(Some(options.build()), body);
        self.link
            .noted(&Thing::Container(name.to_owned()), || self.link.ask("asked for a container", created))
            .map(drop)
    }

    /// Removes a container and kills everything in it.
    pub(super) fn discard(&self, name: &str) -> Result<(), NotReady> {
        let thing = Thing::Container(name.to_owned());
        if self.link.wait(remove(&self.link.client, &thing, false))? {
            self.link.leftovers.gone(&thing);
        }
        Ok(())
    }

    /// Puts the programs into a container, whose root or whose volume this directory is.
    fn give_programs(&self, name: &str, into: &str) -> Result<(), NotReady> {
        let life = self.task.commands.iter().map(|command| command.timeout.saturating_add(SLACK_EACH));
        let life = life.fold(SLACK, Duration::saturating_add);
        let seconds = u32::try_from(life.as_secs()).unwrap_or(u32::MAX);
        let waiter = probe::waiter(self.stage.row, seconds)
            .ok_or_else(|| NotReady::new(format!("there is no waiting program for {}", self.stage.row.name), ""))?;
        let below = if into == DIRECTORY { "" } else { DIRECTORY };
        let archive = archive::programs(below, &[("wait", &waiter), ("probe", &self.stage.probe)])
            .map_err(|e| NotReady::new(format!("the probe could not be packed: {e}"), ""))?;
        let options = UploadToContainerOptionsBuilder::default().path(into).build();
        let upload = self.link.client.upload_to_container(name, Some(options), bollard::body_full(archive.into()));
        self.link.ask("given the probe", upload)
    }

    fn body(&self, image: &str, host_config: HostConfig) -> ContainerCreateBody {
        let environment = match self.task.cpu {
            Cpu::Max => Vec::new(),
            Cpu::Baseline => baseline(self.stage.row, self.task.platform.platform.variant()),
        };
        ContainerCreateBody {
            image: Some(image.to_owned()),
            entrypoint: Some(vec![WAITER.to_owned()]),
            cmd: Some(Vec::new()),
            env: Some(environment),
            // For the waiter alone: the image's programs cannot end it then, where they are not root's.
            user: Some("0:0".to_owned()),
            healthcheck: Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..HealthConfig::default() }),
            labels: Some(HashMap::from([(LABEL.to_owned(), "1".to_owned())])),
            host_config: Some(host_config),
            ..ContainerCreateBody::default()
        }
    }
}

impl Container {
    /// What its own process wrote, where it ended.
    pub(super) async fn last_words(&mut self) -> String {
        let mut text = String::new();
        let Some(attached) = &mut self.attached else { return text };
        let read = read_text(&mut attached.output, &mut text);
        let _ = tokio::time::timeout(LAST_WORDS, read).await;
        text
    }

    /// Whether the engine says that its memory ran out. Docker 20.10 does not tell for programs that were started
    /// in a container later.
    pub(super) async fn ran_out_of_memory(&self, docker: &Docker) -> bool {
        let (looks, pause) = MEMORY_LOOKS;
        for _ in 0..looks {
            let seen = docker.inspect_container(&self.name, None::<InspectContainerOptions>).await;
            if seen.ok().and_then(|seen| seen.state).and_then(|state| state.oom_killed) == Some(true) {
                return true;
            }
            tokio::time::sleep(pause).await;
        }
        false
    }
}

async fn read_text(output: &mut Output, text: &mut String) {
    while let Some(Ok(piece)) = output.next().await {
        text.push_str(&cut(&piece.to_string()));
        if text.len() > MAX_LAST_WORDS {
            return;
        }
    }
}

fn name() -> String {
    format!("mpcheck-run-{}", random())
}

/// Sixteen digits that no two runs share: `RandomState` is seeded by the system.
pub(super) fn random() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

/// The emulator's processor; qemu's own where no machine of it is that old.
fn baseline(row: &Architecture, variant: Option<&str>) -> Vec<String> {
    row.qemu_cpu(variant).map(|cpu| format!("QEMU_CPU={cpu}")).into_iter().collect()
}

/// For the container that only holds files.
fn files_config() -> HostConfig {
    let volume = Mount {
        target: Some(DIRECTORY.to_owned()),
        typ: Some(MountType::VOLUME),
        volume_options: Some(MountVolumeOptions { no_copy: Some(true), ..MountVolumeOptions::default() }),
        ..Mount::default()
    };
    HostConfig {
        network_mode: Some("none".to_owned()),
        readonly_rootfs: Some(true),
        cap_drop: Some(vec!["ALL".to_owned()]),
        mounts: Some(vec![volume]),
        ..HostConfig::default()
    }
}

/// For a container in which commands run: it sees the other's files.
fn host_config(limits: Limits, freedom: &Freedom, files: Option<&str>) -> HostConfig {
    let mut config = HostConfig { volumes_from: files.map(|files| vec![format!("{files}:ro")]), ..confined(limits) };
    if freedom.writable {
        config.readonly_rootfs = None;
    }
    if freedom.network {
        config.network_mode = None;
    }
    if !freedom.capabilities.is_empty() {
        config.cap_add = Some(freedom.capabilities.clone());
        config.security_opt = None;
    }
    if freedom.privileged {
        config.privileged = Some(true);
        config.cap_drop = None;
        config.security_opt = None;
    }
    if !freedom.mounts.is_empty() {
        config.binds = Some(freedom.mounts.clone());
    }
    // An engine refuses two mounts at one place.
    if freedom.mounts_at("/tmp") {
        config.tmpfs = None;
    }
    config
}

/// DESIGN, "Safety".
pub(super) fn confined(limits: Limits) -> HostConfig {
    let bytes = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let temporary = format!("rw,exec,nosuid,nodev,mode=1777,size={}", limits.temporary);
    HostConfig {
        network_mode: Some("none".to_owned()),
        readonly_rootfs: Some(true),
        tmpfs: Some(HashMap::from([("/tmp".to_owned(), temporary)])),
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        pids_limit: Some(bytes(limits.processes)),
        memory: Some(bytes(limits.memory)),
        // Memory and swap together: no swap.
        memory_swap: Some(bytes(limits.memory)),
        // A crash is no reason to fill a disk: the kernel may hand cores to a program of the host.
        ulimits: Some(vec![ResourcesUlimits { name: Some("core".to_owned()), soft: Some(0), hard: Some(0) }]),
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        // With its volumes.
        auto_remove: Some(true),
        init: Some(false),
        ..HostConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("arm", Some("v6"), &["QEMU_CPU=arm1176"])]
    #[case("amd64", Some("v3"), &["QEMU_CPU=Haswell"])]
    #[case("s390x", None, &[])]
    fn the_baseline_processor_is_the_table_s(
        #[case] architecture: &str,
        #[case] variant: Option<&str>,
        #[case] expected: &[&str],
    ) {
        assert_eq!(baseline(Architecture::by_name(architecture).unwrap(), variant), expected);
    }

    #[test]
    fn limits_that_no_engine_can_count_are_the_largest_that_it_can() {
        let limits = Limits { processes: u64::MAX, memory: u64::MAX, ..Limits::default() };
        let config = host_config(limits, Freedom::none(), Some("files"));
        assert_eq!((config.pids_limit, config.memory), (Some(i64::MAX), Some(i64::MAX)));
    }
}
