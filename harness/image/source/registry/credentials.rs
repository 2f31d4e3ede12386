//! Credentials for a registry: Docker's `config.json`, then the containers tools' `auth.json`.
//!
//! Sources: Docker CLI, `docker login`, "Credential stores"; containers-auth.json(5).

use super::{helper, shorten};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The largest credential file that is read.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;
/// The name under which Docker keeps the credentials of Docker Hub.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";
/// `auth` entries are written with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What says where credentials are: the part of a process' environment that Docker and Podman look at.
///
/// The default is an environment without any of it: nothing is read and no helper found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CredentialEnvironment {
    /// `DOCKER_CONFIG`: the directory of `config.json`, instead of `~/.docker`.
    pub docker_config: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `REGISTRY_AUTH_FILE`: an `auth.json`, before the others of its kind.
    pub registry_auth_file: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`: the directory of `containers/auth.json` as `podman login` writes it.
    pub runtime_dir: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`, instead of `~/.config`.
    pub config_home: Option<PathBuf>,
    /// `PATH`: where credential helpers are.
    pub path: Option<OsString>,
    /// How long a helper may take. Some ask a server, some a person.
    pub helper_timeout: Duration,
}

impl CredentialEnvironment {
    /// This process' environment. Variables that are set and empty count as not set.
    #[must_use]
    pub fn from_process() -> Self {
        let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            docker_config: var("DOCKER_CONFIG").map(PathBuf::from),
            home: std::env::home_dir(),
            registry_auth_file: var("REGISTRY_AUTH_FILE").map(PathBuf::from),
            runtime_dir: var("XDG_RUNTIME_DIR").map(PathBuf::from),
            config_home: var("XDG_CONFIG_HOME").map(PathBuf::from),
            path: var("PATH"),
            helper_timeout: Duration::from_secs(30),
        }
    }

    /// The files to look at, in this order.
    fn files(&self) -> Vec<(Style, PathBuf)> {
        let home = |below: &str| self.home.as_ref().map(|home| home.join(below));
        let docker =
            self.docker_config.clone().or_else(|| home(".docker")).map(|directory| directory.join("config.json"));
        let runtime = self.runtime_dir.as_ref().map(|directory| directory.join("containers/auth.json"));
        let config = self.config_home.clone().or_else(|| home(".config")).map(|d| d.join("containers/auth.json"));
        let containers = [self.registry_auth_file.clone(), runtime, config];
        let containers = containers.into_iter().flatten().map(|path| (Style::Containers, path));
        docker.map(|path| (Style::Docker, path)).into_iter().chain(containers).collect()
    }
}

/// Whose file it is: they name Docker Hub differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Docker,
    Containers,
}

/// What proves who asks.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// A name and a password.
    Basic { username: String, password: String },
    /// A refresh token, to be exchanged for an access token.
    IdentityToken(String),
    /// An access token, sent as it is.
    RegistryToken(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.whose())
    }
}

impl Credentials {
    /// Whose they are, for messages: never the secret.
    pub(super) fn whose(&self) -> String {
        match self {
            Self::Basic { username, .. } => format!("the password of `{}`", shorten(username, 80)),
            Self::IdentityToken(_) => "an identity token".to_owned(),
            Self::RegistryToken(_) => "a registry token".to_owned(),
        }
    }
}

/// What a search for credentials brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lookup {
    /// The credentials, and where they are from.
    pub(crate) found: Option<(Credentials, String)>,
    /// Files and helpers that could not be asked, each in a sentence.
    pub(crate) problems: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ConfigFile {
    auths: Option<BTreeMap<String, Option<Entry>>>,
    creds_store: Option<String>,
    cred_helpers: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entry")
    }
}

/// Searches the credentials for a repository of a registry.
///
/// In each file a helper of the registry's own comes before the general one, and both before what the file itself
/// holds (Docker CLI, `cli/config/configfile`); the first file that has credentials ends the search. What cannot be
/// read is noted and passed over: most images need no credentials.
pub(crate) fn look_up(environment: &CredentialEnvironment, registry: &str, repository: &str) -> Lookup {
    let mut lookup = Lookup::default();
    for (style, path) in environment.files() {
        let shown = shorten(&path.display().to_string(), 300);
        let file = match read_file(&path) {
            Ok(Some(file)) => file,
            Ok(None) => continue,
            Err(why) => {
                lookup.problems.push(format!("{shown} {why}"));
                continue;
            }
        };
        if let Some(name) = file.helper(registry) {
            let server =
                if style == Style::Docker && canonical(registry) == "docker.io" { DOCKER_HUB_KEY } else { registry };
            match helper::ask(name, server, environment) {
                Ok(Some(found)) => {
                    let origin = format!("docker-credential-{}", shorten(name, 80));
                    lookup.found = Some((found, origin));
                    return lookup;
                }
                Ok(None) => {}
                Err(problem) => lookup.problems.push(format!("{problem} ({shown} names it)")),
            }
        }
        match file.entry(registry, repository).map(Entry::credentials) {
            Some(Ok(Some(found))) => {
                lookup.found = Some((found, shown));
                return lookup;
            }
            Some(Err(why)) => lookup.problems.push(format!("{shown} has an entry for {registry} {why}")),
            Some(Ok(None)) | None => {}
        }
    }
    lookup
}

/// `None` where there is no such file.
fn read_file(path: &Path) -> Result<Option<ConfigFile>, String> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(format!("cannot be read: {error}")),
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("is larger than {MAX_FILE_BYTES} bytes"));
    }
    // `podman logout` may leave an empty file.
    if bytes.trim_ascii().is_empty() {
        return Ok(None);
    }
    // serde's messages can quote a value, and a value here can be a secret: the place alone is told.
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| format!("is not valid at line {}, column {}", error.line(), error.column()))
}

impl ConfigFile {
    /// The helper for a registry; an empty name for it means the file itself.
    fn helper(&self, registry: &str) -> Option<&str> {
        let own = self.cred_helpers.as_ref().and_then(|helpers| {
            let exact = helpers.get(registry);
            exact
                .or_else(|| helpers.iter().find(|(key, _)| canonical(key) == canonical(registry)).map(|(_, name)| name))
        });
        own.or(self.creds_store.as_ref()).map(String::as_str).filter(|name| !name.is_empty())
    }

    /// The entry of the longest key: `HOST/NAMESPACE/REPOSITORY`, `HOST/NAMESPACE`, `HOST`, and then those forms of
    /// the host that Docker writes.
    fn entry(&self, registry: &str, repository: &str) -> Option<&Entry> {
        let auths = self.auths.as_ref()?;
        let get = |key: &str| auths.get(key).and_then(Option::as_ref);
        let mut key = format!("{registry}/{repository}");
        loop {
            if let Some(entry) = get(&key) {
                return Some(entry);
            }
            let Some(slash) = key.rfind('/') else { break };
            key.truncate(slash);
        }
        let hub = if canonical(registry) == "docker.io" { get(DOCKER_HUB_KEY) } else { None };
        let legacy = || auths.iter().find(|(key, _)| canonical(key) == canonical(registry));
        hub.or_else(|| legacy().and_then(|(_, entry)| entry.as_ref()))
    }
}

/// The host of a key, without a scheme and the API's path, in one form for all of Docker Hub's names.
///
/// A key with a namespace stays what it is, and so is no host.
fn canonical(key: &str) -> &str {
    let bare = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://"));
    let host = match bare {
        Some(url) => url.split('/').next().unwrap_or_default(),
        None => {
            let host = key.strip_suffix('/').unwrap_or(key);
            host.strip_suffix("/v1").or_else(|| host.strip_suffix("/v2")).unwrap_or(host)
        }
    };
    match host {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        _ => host,
    }
}

impl Entry {
    fn credentials(&self) -> Result<Option<Credentials>, &'static str> {
        let given = |field: &Option<String>| field.clone().filter(|value| !value.is_empty());
        if let Some(token) = given(&self.registrytoken) {
            return Ok(Some(Credentials::RegistryToken(token)));
        }
        if let Some(token) = given(&self.identitytoken) {
            return Ok(Some(Credentials::IdentityToken(token)));
        }
        if let Some(auth) = given(&self.auth) {
            let decoded = BASE64.decode(auth.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let decoded = decoded.ok_or("whose `auth` is not base64")?;
            let (username, password) = decoded.split_once(':').ok_or("whose `auth` has no colon")?;
            // As in Docker's `decodeAuth`.
            let password = password.trim_end_matches('\0').to_owned();
            return Ok(Some(Credentials::Basic { username: username.to_owned(), password }));
        }
        Ok(given(&self.username)
            .zip(given(&self.password))
            .map(|(username, password)| Credentials::Basic { username, password }))
    }
}

#[cfg(test)]
#[path = "credentials_tests.rs"]
mod tests;
