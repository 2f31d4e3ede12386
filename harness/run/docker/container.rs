//! The container of a run: it waits and does nothing, and commands are started in it.

use super::image::Held;
use super::leftovers::{Thing, remove};
use super::{Run, archive, cut};
use crate::image::document::Config;
use crate::platform::Architecture;
use crate::probe;
use crate::run::{Command, Cpu, Limits, NotReady};
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
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::pin::Pin;
use std::time::Duration;

/// Where the probe lies.
pub(super) const PROBE: &str = "/.mpcheck/probe";
const WAITER: &str = "/.mpcheck/wait";
const DIRECTORY: &str = ".mpcheck";
/// By this label what is left behind is found: `docker ps --all --filter label=mpcheck`.
const LABEL: &str = "mpcheck";
/// How long the container outlives its commands' timeouts: the engine takes its time too, under load seconds.
const SLACK: Duration = Duration::from_secs(120);
/// The same for each command.
const SLACK_EACH: Duration = Duration::from_secs(10);
/// The most volumes that an image may declare.
const MAX_VOLUMES: usize = 64;
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
    /// What its own process writes. Its input is kept too, since an engine takes a closed one for the end.
    attached: AttachContainerResults,
}

impl Run<'_> {
    /// Makes and starts a container of the image that lives long enough for these commands.
    pub(super) fn start(&self, image: &Held, commands: &[Command]) -> Result<Container, NotReady> {
        let name = format!("mpcheck-run-{}", random());
        let volumes = volumes(self.task.config).ok_or_else(|| {
            NotReady::new(format!("the image declares more than {MAX_VOLUMES} volumes"), "use `--run sandbox`")
        })?;
        let volumes = volumes.into_iter().enumerate().map(|(n, target)| (format!("{name}-{n}"), target));
        let volumes: Vec<(String, String)> = volumes.collect();
        let things = volumes.iter().map(|(volume, _)| Thing::Volume(volume.clone()));
        let things: Vec<Thing> = things.chain([Thing::Container(name.clone())]).collect();
        let body = self.body(&image.id, volumes);
        let mut options = CreateContainerOptionsBuilder::default().name(&name);
        if let Some(platform) = &image.platform {
            options = options.platform(platform);
        }
        let options = options.build();
        self.noted(&things, || self.ask("asked for a container", self.client.create_container(Some(options), body)))?;
        self.give_programs(&name, commands)?;
        let options = AttachContainerOptionsBuilder::default().stream(true).stdout(true).stderr(true).build();
        let attached = self.ask("attached to a container", self.client.attach_container(&name, Some(options)))?;
        let started = self.client.start_container(&name, None::<StartContainerOptions>);
        self.ask("asked to start a container", started)?;
        Ok(Container { name, attached })
    }

    /// Kills everything in a container.
    pub(super) fn discard(&self, container: &Container) -> Result<(), NotReady> {
        let thing = Thing::Container(container.name.clone());
        if self.wait(remove(&self.client, &thing, false))? {
            self.leftovers.gone(&thing);
        }
        Ok(())
    }

    fn give_programs(&self, name: &str, commands: &[Command]) -> Result<(), NotReady> {
        let life = commands.iter().map(|command| command.timeout.saturating_add(SLACK_EACH));
        let life = life.fold(SLACK, Duration::saturating_add);
        let seconds = u32::try_from(life.as_secs()).unwrap_or(u32::MAX);
        let waiter = probe::waiter(self.stage.row, seconds)
            .ok_or_else(|| NotReady::new(format!("there is no waiting program for {}", self.stage.row.name), ""))?;
        // Nobody in the image is likely to have this number, and no program there can know it.
        let owner = 60_000 + RandomState::new().build_hasher().finish() % 5_000;
        let programs = [("wait", waiter.as_slice()), ("probe", &self.stage.probe)];
        let archive = archive::programs(DIRECTORY, owner, &programs)
            .map_err(|e| NotReady::new(format!("the probe could not be packed: {e}"), ""))?;
        let options = UploadToContainerOptionsBuilder::default().path(&format!("/{DIRECTORY}")).build();
        let upload = self.client.upload_to_container(name, Some(options), bollard::body_full(archive.into()));
        self.ask("given the probe", upload)
    }

    fn body(&self, image: &str, volumes: Vec<(String, String)>) -> ContainerCreateBody {
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
            labels: Some(label()),
            host_config: Some(host_config(self.task.limits, volumes)),
            ..ContainerCreateBody::default()
        }
    }
}

impl Container {
    /// What its own process wrote, where it ended.
    pub(super) async fn last_words(&mut self) -> String {
        let mut text = String::new();
        let read = read_text(&mut self.attached.output, &mut text);
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

/// Sixteen digits that no two runs share: `RandomState` is seeded by the system.
pub(super) fn random() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

fn label() -> HashMap<String, String> {
    HashMap::from([(LABEL.to_owned(), "1".to_owned())])
}

/// The emulator's processor; qemu's own where no machine of it is that old.
fn baseline(row: &Architecture, variant: Option<&str>) -> Vec<String> {
    row.qemu_cpu(variant).map(|cpu| format!("QEMU_CPU={cpu}")).into_iter().collect()
}

/// DESIGN, "Safety".
fn host_config(limits: Limits, volumes: Vec<(String, String)>) -> HostConfig {
    let bytes = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let mut mounts: Vec<Mount> = volumes.into_iter().map(read_only_volume).collect();
    mounts.push(Mount {
        target: Some(format!("/{DIRECTORY}")),
        typ: Some(MountType::VOLUME),
        volume_options: Some(MountVolumeOptions { no_copy: Some(true), ..MountVolumeOptions::default() }),
        ..Mount::default()
    });
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
        mounts: Some(mounts),
        // With its volumes.
        auto_remove: Some(true),
        init: Some(false),
        ..HostConfig::default()
    }
}

/// Where the image's volumes are. `None` where there are too many.
fn volumes(config: &Config) -> Option<BTreeSet<String>> {
    let mut targets = BTreeSet::new();
    for volume in &config.volumes {
        // As Docker does: what is relative is relative to the root, and dots are resolved.
        let mut parts: Vec<&str> = Vec::new();
        for part in volume.split('/').filter(|part| !matches!(*part, "" | ".")) {
            match part {
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        // `/tmp` is writable already.
        if !parts.is_empty() && parts != ["tmp"] && parts != [DIRECTORY] {
            targets.insert(format!("/{}", parts.join("/")));
        }
    }
    (targets.len() <= MAX_VOLUMES).then_some(targets)
}

/// A volume of the image, with what the image has there. It is read-only, else it would be a place on the disk of the
/// engine's host that has no limit; and has a name, since engines take no read-only one without.
fn read_only_volume((name, target): (String, String)) -> Mount {
    Mount {
        source: Some(name),
        target: Some(target),
        typ: Some(MountType::VOLUME),
        read_only: Some(true),
        volume_options: Some(MountVolumeOptions { labels: Some(label()), ..MountVolumeOptions::default() }),
        ..Mount::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(&["/data", "/var/lib/app/"], &["/data", "/var/lib/app"])]
    #[case(&["data", "./data", "/x/../data", "//data/."], &["/data"])]
    // They are there already, or cannot be.
    #[case(&["/", "/tmp", "tmp/", "/.mpcheck", "..", ""], &[])]
    fn volumes_are_where_docker_takes_them_to_be(#[case] declared: &[&str], #[case] expected: &[&str]) {
        let config = Config { volumes: declared.iter().map(|v| (*v).to_owned()).collect(), ..Config::default() };
        let targets = volumes(&config).unwrap();
        assert_eq!(targets.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn more_volumes_than_are_made_are_refused() {
        let of = |n: usize| Config { volumes: (0..n).map(|n| format!("/{n}")).collect(), ..Config::default() };
        assert!(volumes(&of(MAX_VOLUMES)).is_some());
        assert!(volumes(&of(MAX_VOLUMES + 1)).is_none());
    }

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
        let config = host_config(limits, Vec::new());
        assert_eq!((config.pids_limit, config.memory), (Some(i64::MAX), Some(i64::MAX)));
    }
}
