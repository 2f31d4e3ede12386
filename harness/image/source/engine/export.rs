//! Reading an image out of an engine: `GET /images/NAME/get`.

use super::endpoint::{Endpoint, resolve};
use super::reach::{client, reach};
use super::{EngineOptions, Store};
use crate::image::reference::EngineImage;
use crate::image::reference::name::shown;
use crate::image::source::SourceError;
use crate::image::source::spool::{MAX_SPOOLED_BYTES, Spool};
use bollard::Docker;
use bollard::errors::Error;
use futures_util::StreamExt;
use std::fmt;
use std::fs::File;
use std::time::Duration;

/// How long an engine may be silent in the middle of an export.
const SILENCE: Duration = Duration::from_secs(120);

/// What to do where no engine answers that has the image.
const WITHOUT_ENGINE: &str = "leave `docker-daemon:` away to read the image from its registry";

/// How long a question that only improves a message may take.
const BRIEF: Duration = Duration::from_secs(2);

/// An engine that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Engine {
    pub(crate) endpoint: Endpoint,
    pub(crate) version: String,
    /// The newest version of its API; empty where it does not say.
    pub(crate) api: String,
    /// The oldest version of its API that it still speaks; empty where it does not say.
    pub(crate) oldest_api: String,
    /// The release of its host's kernel; empty where it does not say.
    pub(crate) kernel: String,
    pub(crate) store: Store,
    /// The operating system of its containers, as `GOOS`; empty where it does not say.
    pub(crate) os: String,
    /// The architecture of its host, as `GOARCH`; empty where it does not say.
    pub(crate) architecture: String,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.store == Store::Podman { "Podman" } else { "Docker engine" };
        write!(f, "{kind} {} at {} ({})", self.version, self.endpoint, self.store.name())
    }
}

/// What came out.
pub(super) struct Export {
    pub(super) engine: Engine,
    pub(super) file: File,
}

/// Finds the engine and writes its export of the image to a temporary file.
pub(super) fn export(image: &EngineImage, options: &EngineOptions) -> Result<Export, SourceError> {
    let endpoints = resolve(options.host.as_deref(), &options.environment)?;
    let endpoint = reach(&endpoints, WITHOUT_ENGINE)?.clone();
    runtime()?.block_on(async {
        let docker = client(&endpoint).map_err(|e| silent(&endpoint, &e))?;
        let engine = describe(&docker, endpoint.clone()).await.map_err(|e| silent(&endpoint, &e))?;
        let file = spool(&docker, &engine, image, options).await?;
        Ok(Export { engine, file })
    })
}

/// The engine that the options name, asked what it is.
pub(crate) fn find(options: &EngineOptions, otherwise: &str) -> Result<Engine, SourceError> {
    ask(&locate(options, otherwise)?)
}

/// Where the engine that the options name accepts connections.
pub(crate) fn locate(options: &EngineOptions, otherwise: &str) -> Result<Endpoint, SourceError> {
    let endpoints = resolve(options.host.as_deref(), &options.environment)?;
    reach(&endpoints, otherwise).cloned()
}

/// What the engine there says that it is.
pub(crate) fn ask(endpoint: &Endpoint) -> Result<Engine, SourceError> {
    runtime()?.block_on(async {
        let docker = client(endpoint).map_err(|e| silent(endpoint, &e))?;
        describe(&docker, endpoint.clone()).await.map_err(|e| silent(endpoint, &e))
    })
}

/// What waits for an engine's answers on the caller's own thread.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, SourceError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| SourceError::Invalid {
        what: "this process".to_owned(),
        why: format!("it cannot wait for a connection: {e}"),
        hint: "look at its limits: `ulimit -a`".to_owned(),
    })
}

/// Whether an engine is there and knows the image.
pub(super) fn holds(image: &EngineImage, options: &EngineOptions) -> bool {
    let asked = || -> Option<bool> {
        let endpoints = resolve(options.host.as_deref(), &options.environment).ok()?;
        let endpoint = reach(&endpoints, WITHOUT_ENGINE).ok()?;
        runtime().ok()?.block_on(async {
            let docker = client(endpoint).ok()?;
            let name = image.to_string();
            let inspected = docker.inspect_image(&name);
            Some(tokio::time::timeout(BRIEF, inspected).await.ok()?.is_ok())
        })
    };
    asked().unwrap_or(false)
}

/// An engine that accepts a connection and does not answer as one.
fn silent(endpoint: &Endpoint, error: &Error) -> SourceError {
    let hint = match endpoint {
        Endpoint::Unix(_) => "look at its log: `journalctl -u docker`",
        Endpoint::Tcp { tls: None, .. } => {
            "is that an engine's port, and without TLS? For TLS set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH"
        }
        Endpoint::Tcp { .. } => "check ca.pem, cert.pem and key.pem in DOCKER_CERT_PATH, and that the port speaks TLS",
    };
    SourceError::Unreachable {
        what: format!("the Docker engine at {endpoint}"),
        why: shown(&chain(error)),
        hint: hint.to_owned(),
    }
}

/// An error with its causes: the outermost alone says only that something failed.
pub(crate) fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

async fn describe(docker: &Docker, endpoint: Endpoint) -> Result<Engine, Error> {
    let version = docker.version().await?;
    let components = version.components.unwrap_or_default();
    let podman = components.iter().any(|c| c.name.starts_with("Podman"));
    let store = if podman {
        Store::Podman
    } else {
        let status = docker.info().await?.driver_status.unwrap_or_default();
        let containerd = status.iter().flatten().any(|value| value.starts_with("io.containerd.snapshotter"));
        if containerd { Store::Containerd } else { Store::Classic }
    };
    Ok(Engine {
        endpoint,
        version: shown(&version.version.unwrap_or_else(|| "of unknown version".to_owned())),
        api: shown(&version.api_version.unwrap_or_default()),
        oldest_api: shown(&version.min_api_version.unwrap_or_default()),
        kernel: shown(&version.kernel_version.unwrap_or_default()),
        store,
        os: version.os.unwrap_or_default(),
        architecture: version.arch.unwrap_or_default(),
    })
}

/// What the engine knows the image by. Of a tag and a digest the digest wins,
/// and old engines do not take both.
fn api_name(image: &EngineImage) -> String {
    match image {
        EngineImage::Id(id) => id.to_string(),
        EngineImage::Name(name) if name.digest.is_some() => {
            let mut name = name.clone();
            name.tag = None;
            name.familiar()
        }
        EngineImage::Name(name) => name.familiar(),
    }
}

async fn spool(
    docker: &Docker,
    engine: &Engine,
    image: &EngineImage,
    options: &EngineOptions,
) -> Result<File, SourceError> {
    let name = api_name(image);
    let mut stream = Box::pin(docker.export_image(&name));
    let mut spool: Option<Spool> = None;
    loop {
        // The first piece waits for the client's own time-out: an export begins with work.
        let next = match spool {
            None => stream.next().await,
            Some(_) => tokio::time::timeout(SILENCE, stream.next()).await.map_err(|_| SourceError::Unreachable {
                what: engine.to_string(),
                why: format!("it sent nothing for {} seconds in the middle of the export", SILENCE.as_secs()),
                hint: "look at its log and its disk, and run this again".to_owned(),
            })?,
        };
        let piece = match next {
            None => break,
            Some(piece) => piece.map_err(|e| export_error(&e, engine, &name))?,
        };
        let target = match &mut spool {
            Some(target) => target,
            None => {
                let what = format!("the export of {name}");
                spool.insert(Spool::new(&options.temporary, what, MAX_SPOOLED_BYTES)?)
            }
        };
        target.write(&piece)?;
    }
    spool.map(Spool::finish).ok_or_else(|| SourceError::Invalid {
        what: format!("the export of {name} from the {engine}"),
        why: "it is empty".to_owned(),
        hint: "look at the engine's log".to_owned(),
    })
}

/// What an engine's refusal means.
///
/// Docker's containerd store answers 404 also for an image that it has: where it
/// holds no platform of its own machine, it fails to write `manifest.json`
/// (<https://github.com/moby/moby/issues/50173>).
fn export_error(error: &Error, engine: &Engine, name: &str) -> SourceError {
    let Error::DockerResponseServerError { status_code, message } = error else {
        return SourceError::Unreachable {
            what: engine.to_string(),
            why: format!("the export of {name} broke off: {}", shown(&chain(error))),
            hint: "look at its log, and run this again".to_owned(),
        };
    };
    let said = shown(message);
    let cannot_write = ["unable to create manifests file", "no suitable export target"];
    if cannot_write.iter().any(|m| message.contains(m)) {
        return SourceError::Invalid {
            what: format!("{name} in the {engine}"),
            why: format!("the engine cannot save an image whose own machine's platform it does not hold (\"{said}\")"),
            hint: format!(
                "`docker pull {name}` brings that platform too; or check the registry's image, without `docker-daemon:`"
            ),
        };
    }
    match status_code {
        404 => SourceError::NotFound {
            what: format!("the image {name}"),
            why: format!("the {engine} has none of that name (\"{said}\")"),
            hint: format!(
                "`docker images` lists what it has; `docker pull {name}` brings it, or leave `docker-daemon:` away to read it from its registry"
            ),
        },
        401 | 403 => SourceError::Unauthorized {
            what: format!("the export of {name} from the {engine}"),
            why: said,
            hint: "a plugin or proxy before the engine refuses it: ask who runs it".to_owned(),
        },
        status => SourceError::Invalid {
            what: format!("{name} in the {engine}"),
            why: format!("the engine cannot export it: {status} \"{said}\""),
            hint: format!("try `docker save {name} >/dev/null`; the engine's log says more"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::reference::ImageName;
    use rstest::rstest;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn engine() -> Engine {
        Engine {
            endpoint: Endpoint::Unix("/run/docker.sock".into()),
            api: "1.52".to_owned(),
            oldest_api: "1.44".to_owned(),
            kernel: "6.12.9".to_owned(),
            version: "26.1.5".into(),
            store: Store::Classic,
            os: "linux".into(),
            architecture: "amd64".into(),
        }
    }

    #[rstest]
    #[case("app", "app:latest")]
    #[case("docker.io/library/app:1", "app:1")]
    #[case("localhost:5000/app:1", "localhost:5000/app:1")]
    #[case(&format!("app:1@sha256:{HEX}"), &format!("app@sha256:{HEX}"))]
    fn engines_are_asked_by_familiar_names(#[case] name: &str, #[case] asked: &str) {
        assert_eq!(api_name(&EngineImage::Name(ImageName::parse(name).unwrap())), asked);
    }

    #[rstest]
    // What Docker 20.10 and 26.1 answer with either store, and Podman.
    #[case(404, "reference does not exist", "the image app:1 was not found", "docker pull app:1")]
    #[case(404, "No such image: app:1", "has none of that name", "from its registry")]
    #[case(404, "app:1: image not known", "has none of that name", "from its registry")]
    #[case(
        404,
        "unable to create manifests file: content digest sha256:00: not found",
        "own machine's platform",
        "`docker pull app:1` brings that platform"
    )]
    #[case(500, "no suitable export target found", "own machine's platform", "check the registry's image")]
    #[case(403, "authorization denied by plugin", "not authorised for the export", "plugin")]
    #[case(
        500,
        "input/output\u{1b}[0m error",
        "cannot export it: 500 \"input/output\\u{1b}[0m error\"",
        "docker save app:1"
    )]
    fn a_refusal_is_told_by_what_it_means(
        #[case] status_code: u16,
        #[case] message: &str,
        #[case] text: &str,
        #[case] hint: &str,
    ) {
        let error = Error::DockerResponseServerError { status_code, message: message.into() };
        let error = export_error(&error, &engine(), "app:1");
        assert!(error.to_string().contains(text), "{error}");
        assert!(error.hint().unwrap().contains(hint), "{:?}", error.hint());
    }

    #[test]
    fn a_server_that_is_no_engine_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("socket");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        // It accepts, and hangs up: the first time for the look whether anything is there.
        let server = std::thread::spawn(move || drop((listener.accept(), listener.accept())));
        let options = EngineOptions {
            host: Some(format!("unix://{}", socket.display())),
            environment: super::super::EngineEnvironment::default(),
            temporary: dir.path().into(),
        };
        let image = EngineImage::Name(ImageName::parse("app").unwrap());
        let error = export(&image, &options).map(drop).unwrap_err();
        server.join().unwrap();
        assert!(matches!(error, SourceError::Unreachable { .. }), "{error}");
        assert!(error.hint().unwrap().contains("log"));
    }
}
