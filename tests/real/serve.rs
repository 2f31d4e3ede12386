//! Puts a forged image into each of the places that images are read from.

use crate::check::Check;
use crate::container::ContainerRegistry;
use crate::parts::{EngineImage, classic, containerd, docker, done, part, registry, skopeo_copy};
use mpcheck_kit::registry::Registry;
use mpcheck_kit::store::{Forged, Member};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

/// User and password of the registry that asks for them, as registry.sh made it.
const USER: (&str, &str) = ("mpcheck", "secret");
/// The two as `auths` has them: base64 of `mpcheck:secret`.
const AUTH: &str = "bXBjaGVjazpzZWNyZXQ=";

/// An image in its place, as long as this value lives.
pub(crate) struct Served {
    image: String,
    engine: Option<String>,
    credentials: Option<PathBuf>,
    directory: TempDir,
    /// Taken away with it.
    loaded: Vec<EngineImage>,
    container: Option<ContainerRegistry>,
}

impl Served {
    fn at(directory: TempDir, image: String) -> Served {
        Served { image, engine: None, credentials: None, directory, loaded: Vec::new(), container: None }
    }

    pub(crate) fn check(&self) -> Check {
        let mut check = Check::of(&self.image);
        if let Some(engine) = &self.engine {
            check = check.with(&["--host", engine]);
        }
        match &self.credentials {
            Some(directory) => check.credentials(directory),
            None => check,
        }
    }
}

fn file(directory: &TempDir, name: &str) -> PathBuf {
    directory.path().join(name)
}

fn new() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A name that nothing else has: tests run side by side, and each takes away what it made.
fn name(place: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("{place}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn layout(forged: &Forged) -> Served {
    let directory = new();
    forged.write_layout(&file(&directory, "layout"), Some("1")).unwrap();
    let image = format!("oci:{}:1", file(&directory, "layout").display());
    Served::at(directory, image)
}

pub(crate) fn oci_archive(forged: &Forged) -> Served {
    let directory = new();
    forged.write_oci_archive(&file(&directory, "image.tar"), Some("1")).unwrap();
    let image = format!("oci-archive:{}:1", file(&directory, "image.tar").display());
    Served::at(directory, image)
}

pub(crate) fn docker25_archive(forged: &Forged) -> Served {
    let directory = new();
    forged.write_docker25_archive(&file(&directory, "image.tar"), &["app:1"]).unwrap();
    let image = format!("docker-archive:{}:app:1", file(&directory, "image.tar").display());
    Served::at(directory, image)
}

pub(crate) fn registry_filled_by_the_kit(forged: &Forged) -> Served {
    let name = name("kit");
    forged.put_into_registry(&registry(), &name, "1").unwrap();
    Served::at(new(), format!("{}/{name}:1", registry()))
}

pub(crate) fn registry_filled_by_skopeo(forged: &Forged) -> Served {
    let from = layout(forged);
    let address = format!("{}/{}:1", registry(), name("skopeo"));
    let mut copy = skopeo_copy();
    done(copy.args(["--preserve-digests", "--dest-tls-verify=false", &from.image, &format!("docker://{address}")]));
    Served::at(new(), format!("docker://{address}"))
}

pub(crate) fn registry_with_password(forged: &Forged) -> Served {
    let (host, name) = (part("MPCHECK_REGISTRY_BASIC"), name("basic"));
    Registry::at(&host).basic_auth(USER.0, USER.1).push(forged, &name, "1").unwrap();
    let mut served = Served::at(new(), format!("{host}/{name}:1"));
    let config = format!(r#"{{"auths":{{"{host}":{{"auth":"{AUTH}"}}}}}}"#);
    fs::write(file(&served.directory, "config.json"), config).unwrap();
    served.credentials = Some(served.directory.path().to_owned());
    served
}

pub(crate) fn registry_in_a_container(forged: &Forged) -> Served {
    let registry = ContainerRegistry::start();
    forged.put_into_registry(&registry.address, "team/app", "1").unwrap();
    let mut served = Served::at(new(), format!("{}/team/app:1", registry.address));
    served.container = Some(registry);
    served
}

pub(crate) fn containerd_store(forged: &Forged) -> Served {
    let name = format!("{}:1", name("store"));
    let directory = new();
    forged.write_docker25_archive(&file(&directory, "image.tar"), &[&name]).unwrap();
    loaded(directory, &containerd(), std::slice::from_ref(&name), &name)
}

/// The old form says nothing of an index: each platform's image has a tag of its own.
pub(crate) fn docker_archive(forged: &Forged, platform: &str) -> Served {
    let directory = new();
    let (archive, name) = (file(&directory, "image.tar"), name("platforms"));
    forged.write_docker_archive(&archive, &borrowed(&platform_tags(forged, &name))).unwrap();
    let image = format!("docker-archive:{}:{}", archive.display(), platform_tag(&name, platform));
    Served::at(directory, image)
}

pub(crate) fn classic_store(forged: &Forged, platform: &str) -> Served {
    let (directory, name) = (new(), name("platforms"));
    let tags = platform_tags(forged, &name);
    forged.write_docker_archive(&file(&directory, "image.tar"), &borrowed(&tags)).unwrap();
    loaded(directory, &classic(), &tags, &platform_tag(&name, platform))
}

fn platform_tags(forged: &Forged, name: &str) -> Vec<String> {
    let platform = |member: &Member| {
        let platform = &member.descriptor["platform"];
        let parts = ["os", "architecture", "variant"].iter().filter_map(|&part| platform[part].as_str());
        parts.collect::<Vec<_>>().join("/")
    };
    forged.members().iter().map(|member| platform_tag(name, &platform(member))).collect()
}

fn platform_tag(name: &str, platform: &str) -> String {
    format!("{name}:{}", platform.replace('/', "-"))
}

fn borrowed(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// Loads `image.tar`, which holds images of these names, and serves one of them.
fn loaded(directory: TempDir, socket: &str, names: &[String], served: &str) -> Served {
    let archive = file(&directory, "image.tar");
    let mut served = Served::at(directory, format!("docker-daemon:{served}"));
    served.engine = Some(socket.to_owned());
    served.loaded = names.iter().map(|name| EngineImage::named(socket, name)).collect();
    done(docker(socket).args(["load", "--input"]).arg(archive));
    served
}
