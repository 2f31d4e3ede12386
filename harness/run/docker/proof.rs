//! Which architectures an engine's kernel runs: one container, and in it the probe of each.
//!
//! One container is enough. The kernel decides by a program's own bytes who runs it; the platform of an image only
//! says what the engine takes out of a registry. And a container has none of the host's files, whatever its image.
//! So one tiny image is forged, for the engine's own processor, with the probes of all architectures in it. Its
//! container waits, and each probe is started in it, all at the same time.

use super::archive::{Image, programs};
use super::container::{LABEL, confined, random};
use super::exec::{self, End, Executed, Order};
use super::leftovers::{Leftovers, Thing};
use super::{refused, unread};
use crate::image::descriptor::{Descriptor, media_type};
use crate::image::digest::Digest;
use crate::image::document::Manifest;
use crate::image::source::engine::{Engine, client, runtime};
use crate::image::source::{Root, Source, SourceError, Store};
use crate::platform::Architecture;
use crate::probe;
use crate::run::cleanup::Guard;
use crate::run::{Ended, Limits, NotReady, Output};
use bollard::Docker;
use bollard::errors::Error;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, ImportImageOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
};
use futures_util::TryStreamExt as _;
use futures_util::future::join_all;
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::future::Future;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

/// The image's name. No registry can have this host (RFC 2606).
const OWN: &str = "mpcheck.invalid/host-";
/// Where the programs lie.
const WAITER: &str = "/wait";
/// How many bytes of what a probe says are kept.
const KEEP: usize = 4096;
/// The most processes of this machine that are looked at to find the container's.
const MAX_PROCESSES: usize = 100_000;
/// The most bytes of a process's command line that are read.
const MAX_COMMAND_LINE: u64 = 4096;
/// What to do where an engine does not do what engines do.
const LOOK: &str = "look at the engine's log (`journalctl -u docker`), and at what may be left there: \
                    `docker ps --all --filter label=mpcheck`";

/// How long an engine may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For an answer. It has to start a container, and its machine may be under load.
    pub(crate) answer: Duration,
    /// For one program in the container.
    pub(crate) program: Duration,
    /// For all of it.
    pub(crate) whole: Duration,
    /// For the removal of what was made.
    pub(crate) removal: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { answer: seconds(45), program: seconds(45), whole: seconds(150), removal: seconds(20) }
    }
}

/// What an engine was seen to run.
#[derive(Debug)]
pub(crate) struct Proved {
    /// An entry for each architecture that was asked for.
    pub(crate) tries: Vec<Tried>,
    /// Whether the container's process was seen among this machine's: then its kernel is this one. Where it was not
    /// seen nothing follows, as whoever is in a container does not see the processes outside.
    pub(crate) seen_here: bool,
}

/// What became of the probe of one architecture.
#[derive(Debug)]
pub(crate) struct Tried {
    /// The architecture.
    pub(crate) row: &'static Architecture,
    /// How the probe ended, or why the engine could not be asked to start it.
    pub(crate) ended: Result<Ended, NotReady>,
    /// The emulator with its version, as it says them itself.
    pub(crate) emulator: Option<String>,
}

/// Starts the probes in a container of the engine, and removes everything again, however it ends.
///
/// # Errors
/// When the engine makes no container, or does not answer in time.
pub(crate) fn prove(engine: &Engine, rows: &[&'static Architecture], patience: Patience) -> Result<Proved, NotReady> {
    let own = Architecture::by_name(&engine.architecture);
    let forged = own.and_then(|own| Forged::new(own, rows, patience)).ok_or_else(|| {
        NotReady::new(
            format!("there is no probe program for the engine's own architecture, {}", engine.architecture),
            "",
        )
    })?;
    let leftovers = Arc::new(Leftovers::removed_within(engine.endpoint.clone(), patience.removal));
    let removal = Arc::clone(&leftovers);
    // It outlives the runtime, and so whatever is on its way to the engine.
    let _guard = Guard::new(move || removal.remove());
    let runtime = runtime().map_err(|e| unread(&e))?;
    let client = client(&engine.endpoint).map_err(|e| refused(engine, "spoken to", &e))?;
    let proof = Proof { engine, client, leftovers: &leftovers, patience };
    runtime.block_on(async {
        tokio::select! {
            proved = tokio::time::timeout(patience.whole, proof.whole(&forged, rows)) => {
                proved.unwrap_or_else(|_| Err(proof.silent("proved", patience.whole)))
            }
            () = leftovers.stopped() => Err(NotReady::new("the run was interrupted", "")),
        }
    })
}

struct Proof<'a> {
    engine: &'a Engine,
    client: Docker,
    leftovers: &'a Leftovers,
    patience: Patience,
}

impl Proof<'_> {
    async fn whole(&self, forged: &Forged, rows: &[&'static Architecture]) -> Result<Proved, NotReady> {
        self.load(forged).await?;
        let name = forged.container.as_str();
        let thing = Thing::Container(name.to_owned());
        let options = CreateContainerOptionsBuilder::default().name(name).build();
        let created = self.client.create_container(Some(options), forged.body());
        self.noted(&thing, self.answer("asked for a container", created)).await?;
        let started = self.client.start_container(name, None::<StartContainerOptions>);
        self.answer("asked to start a container", started).await?;
        let seen_here = seen_here(name);
        let tries = join_all(rows.iter().map(|row| self.attempt(name, row))).await;
        // At once, and not after its own time: an engine waits for a container's first process to end by itself.
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        let removed = self.answer("asked to remove a container", self.client.remove_container(name, Some(options)));
        if removed.await.is_ok() {
            self.leftovers.gone(&thing);
        }
        // One that was ended from outside proves nothing of any architecture.
        match tries.iter().all(|tried| tried.ended.is_err()) {
            true => tries
                .into_iter()
                .find_map(|tried| tried.ended.err())
                .map_or_else(|| Ok(Proved { tries: Vec::new(), seen_here }), Err),
            false => Ok(Proved { tries, seen_here }),
        }
    }

    async fn load(&self, forged: &Forged) -> Result<(), NotReady> {
        let options = ImportImageOptionsBuilder::default().quiet(true).build();
        let body = bollard::body_full(forged.archive.clone().into());
        let answers = self.client.import_image(options, body, None);
        let loaded = answers.try_for_each(|_| std::future::ready(Ok(())));
        self.noted(&Thing::Image(forged.image.clone()), self.answer("given an image", loaded)).await
    }

    /// Notes a thing before the engine is asked for it.
    async fn noted<T>(&self, thing: &Thing, asked: impl Future<Output = Result<T, NotReady>>) -> Result<T, NotReady> {
        self.leftovers.expect(thing.clone());
        let answer = asked.await;
        // Where no answer came it may still be on its way.
        if answer.is_ok() {
            self.leftovers.settled(thing);
        }
        answer
    }

    /// Waits for an answer; `what` completes "it could not be".
    async fn answer<T>(&self, what: &str, asked: impl Future<Output = Result<T, Error>>) -> Result<T, NotReady> {
        match tokio::time::timeout(self.patience.answer, asked).await {
            Ok(answer) => {
                answer.map_err(|error| NotReady { hint: LOOK.to_owned(), ..refused(self.engine, what, &error) })
            }
            Err(_) => Err(self.silent(what, self.patience.answer)),
        }
    }

    fn silent(&self, what: &str, waited: Duration) -> NotReady {
        let seconds = waited.as_secs_f32();
        NotReady::new(
            format!("the {} could not be {what}: it has not answered in {seconds:.0} seconds", self.engine),
            LOOK,
        )
    }

    async fn attempt(&self, container: &str, row: &'static Architecture) -> Tried {
        let executed = match self.execute(container, row, &[]).await {
            Ok(executed) => executed,
            Err(why) => return Tried { row, ended: Err(why), emulator: None },
        };
        let mut emulator = None;
        if executed.machine().is_some() {
            let asked = self.execute(container, row, &["QEMU_VERSION=1".to_owned()]).await;
            emulator = asked.ok().and_then(|executed| executed.emulator());
        }
        Tried { row, ended: Ok(ended(executed)), emulator }
    }

    async fn execute(&self, container: &str, row: &Architecture, environment: &[String]) -> Result<Executed, NotReady> {
        let words = [path(row)];
        let order = Order {
            words: &words,
            environment,
            user: None,
            privileged: false,
            terminal: false,
            timeout: self.patience.program,
            keep: KEEP,
            numbered: self.engine.store != Store::Podman,
        };
        // The order's time begins with the answer to the question for it, which has a time too.
        let executed = exec::execute(&self.client, container, &order);
        let within = self.patience.answer.saturating_add(self.patience.program);
        match tokio::time::timeout(within, executed).await {
            Ok(executed) => executed.map_err(|error| refused(self.engine, "asked to start a program", &error)),
            Err(_) => Err(self.silent("asked to start a program", within)),
        }
    }
}

fn ended(executed: Executed) -> Ended {
    let exit = executed.exit();
    // The engine's own message is no output of the program.
    let stdout = match executed.end {
        End::Exited { .. } | End::TimedOut => executed.stdout,
        End::Refused { .. } => Output::default(),
    };
    Ended { exit, stdout, stderr: executed.stderr, took: executed.took }
}

/// Where the probe of an architecture lies.
fn path(row: &Architecture) -> String {
    format!("/{}", row.name)
}

/// Whether one of this machine's processes bears the name of the container.
fn seen_here(name: &str) -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten().take(MAX_PROCESSES);
    let mut numbers = processes.filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok());
    let waiter = [WAITER.as_bytes(), b"\0", name.as_bytes(), b"\0"].concat();
    numbers.any(|entry| {
        let mut line = Vec::new();
        let file = fs::File::open(entry.path().join("cmdline"));
        file.is_ok_and(|file| file.take(MAX_COMMAND_LINE).read_to_end(&mut line).is_ok()) && line == waiter
    })
}

/// The image, and what is made of it.
struct Forged {
    image: String,
    container: String,
    archive: Vec<u8>,
}

impl Forged {
    /// `None` where there is no program for the engine's own architecture.
    fn new(own: &'static Architecture, rows: &[&'static Architecture], patience: Patience) -> Option<Self> {
        let mark = random();
        let life = u32::try_from(patience.whole.as_secs()).unwrap_or(u32::MAX).saturating_add(60);
        let waiter = probe::waiter(own, life)?;
        let probes: Vec<(&str, Vec<u8>)> = rows.iter().filter_map(|row| Some((row.name, probe::probe(row)?))).collect();
        // The mark is in it too, so that no two runs share an image: one would be removed from under the other.
        let mut files: Vec<(&str, &[u8])> = vec![("wait", &waiter), ("mark", mark.as_bytes())];
        files.extend(probes.iter().map(|(name, program)| (*name, program.as_slice())));
        let layer = programs("", &files).ok()?;
        let image = format!("{OWN}{mark}:probe");
        let archive = image_of(&image, own, layer).ok()?;
        Some(Self { image, container: format!("mpcheck-host-{mark}"), archive })
    }

    fn body(&self) -> ContainerCreateBody {
        ContainerCreateBody {
            image: Some(self.image.clone()),
            entrypoint: Some(vec![WAITER.to_owned()]),
            // It does nothing with it; it is there to be seen.
            cmd: Some(vec![self.container.clone()]),
            user: Some("0:0".to_owned()),
            labels: Some(HashMap::from([(LABEL.to_owned(), "1".to_owned())])),
            host_config: Some(confined(Limits::default())),
            ..ContainerCreateBody::default()
        }
    }
}

/// An archive with an image of one layer.
fn image_of(name: &str, own: &Architecture, layer: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut config = json!({
        "os": "linux",
        "architecture": own.name,
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": [Digest::of(&layer).as_str()] },
    });
    // Without a variant containerd takes it for v7, which smaller machines refuse; any runs v5.
    if own.name == "arm"
        && let Some(config) = config.as_object_mut()
    {
        config.insert("variant".to_owned(), "v5".into());
    }
    let config = config.to_string().into_bytes();
    let descriptor =
        |media_type: &str, bytes: &[u8]| Descriptor::new(media_type, Digest::of(bytes), bytes.len() as u64);
    let manifest = Manifest {
        media_type: media_type::OCI_MANIFEST.to_owned(),
        artifact_type: None,
        config: descriptor(media_type::OCI_CONFIG, &config),
        layers: vec![descriptor(media_type::OCI_LAYER, &layer)],
        annotations: BTreeMap::new(),
    };
    let of = |descriptor: &Descriptor| json!({ "mediaType": descriptor.media_type, "digest": descriptor.digest.as_str(), "size": descriptor.size });
    let layers: Vec<_> = manifest.layers.iter().map(of).collect();
    let bytes = json!({
        "schemaVersion": 2, "mediaType": manifest.media_type, "config": of(&manifest.config), "layers": layers,
    });
    let bytes = bytes.to_string().into_bytes();
    let image = Image {
        name,
        descriptor: &descriptor(media_type::OCI_MANIFEST, &bytes),
        manifest_bytes: &bytes,
        manifest: &manifest,
        config: &config,
    };
    let mut archive = Vec::new();
    image.write(&mut archive, Some(&Layer(layer) as &dyn Source))?;
    Ok(archive)
}

/// The one layer, as what an archive's layers are read from.
struct Layer(Vec<u8>);

impl Source for Layer {
    fn name(&self) -> String {
        "mpcheck".to_owned()
    }

    fn root(&self) -> Result<Root, SourceError> {
        Ok(Root { bytes: Vec::new(), media_type: None, digest: None, platform: None })
    }

    fn open(&self, _: &Descriptor) -> Result<Box<dyn Read + Send>, SourceError> {
        Ok(Box::new(io::Cursor::new(self.0.clone())))
    }
}
