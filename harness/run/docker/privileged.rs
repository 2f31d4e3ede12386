//! A container with all rights on an engine's host, for the one thing that needs them: an image that registers emulators
//! in that host's kernel.
//!
//! It is started only where somebody asked for exactly that. The image is pulled where the engine has it not, and goes
//! again then; the container goes in any case.

use super::container::random;
use super::leftovers::{Leftovers, Thing};
use super::link::Link;
use super::{Docker, cut, refused};
use crate::image::reference::{EngineImage, ImageName};
use crate::image::source::registry::look_up;
use crate::run::cleanup::Guard;
use crate::run::{NotReady, Output};
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, CreateImageOptionsBuilder, InspectContainerOptions,
    StartContainerOptions,
};
use futures_util::StreamExt as _;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// How long its program may take: it writes some lines, and tries whether programs start.
const TIMEOUT: Duration = Duration::from_secs(120);
/// How much of what it writes is kept, of each stream.
const KEPT: usize = 64 * 1024;

/// What the container's program said.
#[derive(Debug, Clone)]
pub struct Said {
    /// On its standard output.
    pub stdout: String,
    /// On its standard error.
    pub stderr: String,
    /// Its exit code.
    pub code: i64,
}

/// An engine that an image is run on.
struct Host<'a> {
    docker: &'a Docker,
    link: Link<'a>,
}

impl Docker {
    /// What the engine is, in words, and its architecture.
    ///
    /// # Errors
    /// When none answers, or it does not run Linux.
    pub fn described(&self) -> Result<(String, String), NotReady> {
        let engine = self.engine()?;
        if engine.os != "linux" {
            return Err(NotReady::new(
                format!("the {engine} does not run Linux containers"),
                "name another by DOCKER_HOST",
            ));
        }
        Ok((engine.to_string(), engine.architecture.clone()))
    }

    /// Runs an image with these arguments and all rights on the engine's host. `pulling` is told the name of an image that
    /// the engine has to pull.
    ///
    /// # Errors
    /// When it could not be run. What its program said and how it ended is no error.
    pub fn privileged(
        &self,
        image: &EngineImage,
        arguments: &[String],
        pulling: &dyn Fn(&str),
    ) -> Result<Said, NotReady> {
        let engine = self.engine()?;
        let leftovers = Arc::new(Leftovers::new(engine.endpoint.clone()));
        let removal = Arc::clone(&leftovers);
        // It outlives the runtime, and so whatever is on its way to the engine.
        let _guard = Guard::new(move || removal.remove());
        let host = Host { docker: self, link: Link::new(engine, &leftovers)? };
        let id = host.image(image, pulling)?;
        host.run(&id, arguments)
    }
}

impl Host<'_> {
    /// Has the image in the engine, and says what the engine calls it.
    fn image(&self, image: &EngineImage, pulling: &dyn Fn(&str)) -> Result<String, NotReady> {
        let name = match image {
            EngineImage::Id(id) => id.to_string(),
            EngineImage::Name(name) => whole(name).to_string(),
        };
        match self.link.wait(self.link.client.inspect_image(&name))? {
            Ok(_) => return Ok(name),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => {}
            Err(error) => return Err(refused(self.link.engine, "asked for the image", &error)),
        }
        let EngineImage::Name(wanted) = image else {
            return Err(NotReady::new(format!("the {} has no image {name}", self.link.engine), "name it instead"));
        };
        pulling(&wanted.familiar());
        let options = CreateImageOptionsBuilder::default().from_image(&name).build();
        let credentials = look_up(&self.docker.credentials, &wanted.registry, &wanted.repository).found;
        let credentials = credentials.map(|(found, _)| super::image::for_engine(found, &wanted.registry));
        let pulled = self.link.noted(&Thing::Image(name.clone()), || {
            let stream = self.link.client.create_image(Some(options), None, credentials);
            self.link.ask("asked to pull the image", super::image::ended(stream))
        });
        let hint = format!(
            "bring it there (`docker pull {0}`, `docker load`), or name another: `--emulators IMAGE`",
            wanted.familiar()
        );
        pulled.map(|()| name).map_err(|error| NotReady::new(error.why, hint))
    }

    fn run(&self, image: &str, arguments: &[String]) -> Result<Said, NotReady> {
        let name = format!("mpcheck-install-{}", random());
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            cmd: Some(arguments.to_vec()),
            labels: Some(HashMap::from([("mpcheck".to_owned(), "1".to_owned())])),
            host_config: Some(HostConfig {
                privileged: Some(true),
                network_mode: Some("none".to_owned()),
                log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        let created = self.link.client.create_container(Some(options), body);
        self.link.noted(&Thing::Container(name.clone()), || self.link.ask("asked for a container", created))?;
        let options = AttachContainerOptionsBuilder::default().stream(true).stdout(true).stderr(true).build();
        let attached =
            self.link.ask("attached to a container", self.link.client.attach_container(&name, Some(options)))?;
        let started = self.link.client.start_container(&name, None::<StartContainerOptions>);
        self.link.ask("asked to start a privileged container", started)?;
        let (mut stdout, mut stderr) = (Output::default(), Output::default());
        let mut output = attached.output;
        let read = async {
            while let Some(piece) = output.next().await {
                match piece? {
                    LogOutput::StdErr { message } => stderr.add(&message, KEPT),
                    other => stdout.add(&other.into_bytes(), KEPT),
                }
            }
            Ok::<(), Error>(())
        };
        // Not outside of the runtime, which keeps the time.
        let ended = self.link.wait(async { tokio::time::timeout(TIMEOUT, read).await })?;
        match ended {
            Ok(result) => {
                result.map_err(|error| refused(self.link.engine, "followed to the container's end", &error))?;
            }
            Err(_) => {
                let said = cut(&format!("{}{}", stderr.text(), stdout.text()));
                let why = format!("the container did not end in {} seconds (\"{}\")", TIMEOUT.as_secs(), said.trim());
                return Err(NotReady::new(why, "is that an image that registers emulators?"));
            }
        }
        let code = self.code(&name)?;
        Ok(Said { stdout: stdout.text(), stderr: stderr.text(), code })
    }

    /// The exit code. The output may end a moment before its program.
    fn code(&self, name: &str) -> Result<i64, NotReady> {
        let asked = async {
            loop {
                let seen = self.link.client.inspect_container(name, None::<InspectContainerOptions>).await?;
                let state = seen.state.unwrap_or_default();
                if state.running != Some(true) {
                    return Ok(state.exit_code.unwrap_or_default());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let code = self.link.wait(async { tokio::time::timeout(TIMEOUT, asked).await })?;
        let silent = NotReady::new("the container's program closed its output and did not end", "");
        code.map_err(|_| silent)?.map_err(|error| refused(self.link.engine, "asked how the container ended", &error))
    }
}

/// A name as an engine pulls one image of: without a tag it would pull all, and with a digest old ones take no tag.
fn whole(name: &ImageName) -> ImageName {
    let tag = match (&name.tag, &name.digest) {
        (_, Some(_)) => None,
        (None, None) => Some("latest".to_owned()),
        (tag, None) => tag.clone(),
    };
    ImageName { tag, ..name.clone() }
}
