//! Which engine is meant, as Docker's own command line decides it.
//!
//! Order: an address given here, `DOCKER_HOST`, `DOCKER_CONTEXT`, the
//! `currentContext` of config.json, then the sockets that engines have. Docker's
//! reference pages say that `DOCKER_CONTEXT` overrides `DOCKER_HOST`; its command
//! line does the opposite (28.2: `DOCKER_HOST=… DOCKER_CONTEXT=x docker context show`
//! says `default`), and so does this.

use crate::image::digest::Digest;
use crate::image::reference::name::shown;
use crate::image::source::SourceError;
use serde::Deserialize;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest config.json or meta.json that is read.
const MAX_CONFIG: u64 = 4 * 1024 * 1024;

/// Docker's environment, looked up once by the caller. Empty variables count as unset, as they do to Docker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineEnvironment {
    /// `DOCKER_HOST`.
    pub host: Option<String>,
    /// `DOCKER_CONTEXT`.
    pub context: Option<String>,
    /// `DOCKER_CONFIG`, or `.docker` in the home directory.
    pub config: Option<PathBuf>,
    /// `DOCKER_TLS_VERIFY`.
    pub tls_verify: bool,
    /// `DOCKER_CERT_PATH`.
    pub certificates: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
}

impl EngineEnvironment {
    /// Reads the variables; `get` is usually [`std::env::var`].
    #[must_use]
    pub fn from_variables(get: &dyn Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| get(name).filter(|v| !v.is_empty());
        let home = get("HOME").map(PathBuf::from);
        Self {
            host: get("DOCKER_HOST"),
            context: get("DOCKER_CONTEXT"),
            config: get("DOCKER_CONFIG").map(PathBuf::from).or_else(|| home.as_ref().map(|h| h.join(".docker"))),
            tls_verify: get("DOCKER_TLS_VERIFY").is_some(),
            certificates: get("DOCKER_CERT_PATH").map(PathBuf::from),
            runtime: get("XDG_RUNTIME_DIR").map(PathBuf::from),
            home,
        }
    }

    /// Reads the variables of this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self::from_variables(&|name| std::env::var(name).ok())
    }
}

/// Where an engine listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A socket in the file system.
    Unix(PathBuf),
    /// HOST:PORT, with the directory of `ca.pem`, `cert.pem` and `key.pem` where it speaks TLS.
    Tcp { address: String, tls: Option<PathBuf> },
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", shown(&path.to_string_lossy())),
            Self::Tcp { address, .. } => write!(f, "tcp://{}", shown(address)),
        }
    }
}

/// The engines to try, the first that answers counts, and who named them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoints {
    pub(super) candidates: Vec<Endpoint>,
    /// `DOCKER_HOST`, `the context "desktop"`; `None` for the usual sockets.
    pub(super) named_by: Option<String>,
}

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(rename = "currentContext", default)]
    current_context: Option<String>,
}

#[derive(Deserialize)]
struct ContextMeta {
    #[serde(rename = "Endpoints", default)]
    endpoints: ContextEndpoints,
}

#[derive(Deserialize, Default)]
struct ContextEndpoints {
    docker: Option<ContextEndpoint>,
}

#[derive(Deserialize)]
struct ContextEndpoint {
    #[serde(rename = "Host", default)]
    host: String,
    #[serde(rename = "SkipTLSVerify", default)]
    skip_tls_verify: bool,
}

/// Decides which engine is meant. `host` is an address given on the command line.
pub(super) fn resolve(host: Option<&str>, environment: &EngineEnvironment) -> Result<Endpoints, SourceError> {
    if let Some(host) = host.filter(|h| !h.is_empty()) {
        return named(host, environment_tls(environment), "the given address");
    }
    if let Some(host) = &environment.host {
        return named(host, environment_tls(environment), "DOCKER_HOST");
    }
    let context = match &environment.context {
        Some(context) => Some((context.clone(), "DOCKER_CONTEXT")),
        None => current_context(environment)?.map(|context| (context, "config.json")),
    };
    match context {
        // The context of this name is not stored: it is what the environment says.
        Some((name, by)) if name != "default" => from_context(&name, by, environment),
        _ => Ok(Endpoints { candidates: usual_sockets(environment), named_by: None }),
    }
}

fn environment_tls(environment: &EngineEnvironment) -> Option<PathBuf> {
    environment.tls_verify.then(|| {
        let fallback = || environment.config.clone().unwrap_or_default();
        environment.certificates.clone().unwrap_or_else(fallback)
    })
}

fn named(host: &str, tls: Option<PathBuf>, by: &str) -> Result<Endpoints, SourceError> {
    let endpoint = parse_host(host, tls).map_err(|(why, hint)| SourceError::Invalid {
        what: format!("the engine's address `{}` ({by})", shown(host)),
        why,
        hint,
    })?;
    Ok(Endpoints { candidates: vec![endpoint], named_by: Some(by.to_owned()) })
}

/// Reads an address as `DOCKER_HOST` has it; an error is its reason and the next step.
fn parse_host(host: &str, tls: Option<PathBuf>) -> Result<Endpoint, (String, String)> {
    let (scheme, rest) = host.split_once("://").unwrap_or(("tcp", host));
    let known = "write unix:///PATH or tcp://HOST:PORT".to_owned();
    match scheme {
        "unix" if rest.starts_with('/') => Ok(Endpoint::Unix(rest.into())),
        "unix" => Err(("a socket's path starts with a slash".to_owned(), known)),
        "tcp" | "http" | "https" => {
            let address = rest.split('/').next().unwrap_or_default();
            if address.is_empty() {
                return Err(("it has no host".to_owned(), known));
            }
            let secure = tls.is_some() || scheme == "https";
            let port = if secure { 2376 } else { 2375 };
            let has_port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            let address = if has_port { address.to_owned() } else { format!("{address}:{port}") };
            Ok(Endpoint::Tcp { address, tls: tls.or_else(|| secure.then(PathBuf::new)) })
        }
        "ssh" => {
            let target = rest.split('/').next().unwrap_or_default();
            Err((
                "engines are not reached through ssh".to_owned(),
                format!(
                    "forward its socket, `ssh -nNT -L /tmp/engine.sock:/var/run/docker.sock {}`, and set DOCKER_HOST=unix:///tmp/engine.sock",
                    shown(target)
                ),
            ))
        }
        other => Err((format!("engines are not reached through `{}`", shown(other)), known)),
    }
}

fn current_context(environment: &EngineEnvironment) -> Result<Option<String>, SourceError> {
    let Some(path) = environment.config.as_ref().map(|c| c.join("config.json")) else { return Ok(None) };
    if !path.is_file() {
        return Ok(None);
    }
    let config: DockerConfig = read_json(&path).map_err(|why| SourceError::Invalid {
        what: shown(&path.to_string_lossy()),
        why,
        hint: "correct it, or name the engine by DOCKER_HOST".to_owned(),
    })?;
    Ok(config.current_context.filter(|c| !c.is_empty()))
}

/// Contexts are stored under the SHA-256 of their name (docker/cli, `cli/context/store`).
fn from_context(name: &str, by: &str, environment: &EngineEnvironment) -> Result<Endpoints, SourceError> {
    let invalid = |why: String| {
        SourceError::Invalid {
        what: format!("the Docker context \"{}\" ({by})", shown(name)),
        why,
        hint: "`docker context ls` lists those that there are; `docker context use default` or DOCKER_HOST names another engine"
            .to_owned(),
    }
    };
    let contexts = environment.config.clone().unwrap_or_default().join("contexts");
    let id = Digest::of(name.as_bytes());
    let meta_path = contexts.join("meta").join(id.hex()).join("meta.json");
    let meta: ContextMeta = read_json(&meta_path).map_err(invalid)?;
    let endpoint = meta.endpoints.docker.ok_or_else(|| invalid("it has no docker endpoint".to_owned()))?;
    let tls = Some(contexts.join("tls").join(id.hex()).join("docker")).filter(|tls| tls.is_dir());
    if endpoint.skip_tls_verify && tls.is_some() {
        return Err(invalid("it skips the verification of TLS certificates, which is not done here".to_owned()));
    }
    named(&endpoint.host, tls, &format!("the context \"{}\"", shown(name)))
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, String> {
    let path_shown = shown(&path.to_string_lossy());
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|e| format!("{path_shown}: {e}"))?;
    file.take(MAX_CONFIG).read_to_end(&mut bytes).map_err(|e| format!("{path_shown}: {e}"))?;
    serde_json::from_slice(&bytes).map_err(|e| format!("{path_shown} is not valid: {}", shown(&e.to_string())))
}

/// Docker's, rootless Docker's, Docker Desktop's, then Podman's for the user and for root.
fn usual_sockets(environment: &EngineEnvironment) -> Vec<Endpoint> {
    let runtime = |path: &str| environment.runtime.as_ref().map(|r| r.join(path));
    let home = |path: &str| environment.home.as_ref().map(|h| h.join(path));
    let paths = [
        Some("/var/run/docker.sock".into()),
        runtime("docker.sock"),
        home(".docker/run/docker.sock"),
        home(".docker/desktop/docker.sock"),
        runtime("podman/podman.sock"),
        Some("/run/podman/podman.sock".into()),
    ];
    paths.into_iter().flatten().map(Endpoint::Unix).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::fs;

    fn environment(variables: &[(&str, &str)]) -> EngineEnvironment {
        let get = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        EngineEnvironment::from_variables(&get)
    }

    /// The endpoint, or the first of several, and who named it.
    fn resolved(host: Option<&str>, environment: &EngineEnvironment) -> (String, Option<String>) {
        let endpoints = resolve(host, environment).unwrap();
        (endpoints.candidates[0].to_string(), endpoints.named_by)
    }

    #[rstest]
    #[case("unix:///run/x.sock", Endpoint::Unix("/run/x.sock".into()))]
    #[case("tcp://10.0.0.1:1234", Endpoint::Tcp { address: "10.0.0.1:1234".into(), tls: None })]
    #[case("tcp://host", Endpoint::Tcp { address: "host:2375".into(), tls: None })]
    #[case("tcp://[::1]:2375", Endpoint::Tcp { address: "[::1]:2375".into(), tls: None })]
    #[case("tcp://[::1]", Endpoint::Tcp { address: "[::1]:2375".into(), tls: None })]
    #[case("http://host:1/v1.40", Endpoint::Tcp { address: "host:1".into(), tls: None })]
    #[case("https://host", Endpoint::Tcp { address: "host:2376".into(), tls: Some(PathBuf::new()) })]
    #[case("host:2375", Endpoint::Tcp { address: "host:2375".into(), tls: None })]
    fn addresses(#[case] host: &str, #[case] endpoint: Endpoint) {
        assert_eq!(parse_host(host, None), Ok(endpoint));
    }

    #[rstest]
    #[case("unix://run/x.sock", "starts with a slash", "unix:///PATH")]
    #[case("tcp://", "no host", "tcp://HOST:PORT")]
    #[case("npipe:////./pipe/docker_engine", "not reached through `npipe`", "unix:///PATH")]
    #[case("ssh://me@host/run/x.sock", "not reached through ssh", "/var/run/docker.sock me@host`")]
    fn addresses_that_cannot_be_used(#[case] host: &str, #[case] why: &str, #[case] hint: &str) {
        let error = resolve(Some(host), &EngineEnvironment::default()).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
        assert!(error.hint().unwrap().contains(hint), "{:?}", error.hint());
    }

    /// A Docker configuration directory with the context `there`, and another with TLS.
    fn configured(config: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("config.json"), config).unwrap();
        for (name, meta) in [
            ("there", r#"{"Name":"there","Endpoints":{"docker":{"Host":"unix:///ctx.sock","SkipTLSVerify":false}}}"#),
            ("tls", r#"{"Name":"tls","Endpoints":{"docker":{"Host":"tcp://host"}}}"#),
            ("careless", r#"{"Name":"careless","Endpoints":{"docker":{"Host":"tcp://host","SkipTLSVerify":true}}}"#),
            ("kubernetes", r#"{"Name":"kubernetes","Endpoints":{}}"#),
            ("broken", "{"),
        ] {
            let id = Digest::of(name.as_bytes());
            let meta_dir = dir.path().join("contexts/meta").join(id.hex());
            fs::create_dir_all(&meta_dir).unwrap();
            fs::write(meta_dir.join("meta.json"), meta).unwrap();
            if matches!(name, "tls" | "careless") {
                fs::create_dir_all(dir.path().join("contexts/tls").join(id.hex()).join("docker")).unwrap();
            }
        }
        dir
    }

    #[rstest]
    #[case::given(Some("unix:///given.sock"), &[("DOCKER_HOST", "unix:///env.sock"), ("DOCKER_CONTEXT", "there")], "{}", "unix:///given.sock", Some("the given address"))]
    #[case::host(None, &[("DOCKER_HOST", "unix:///env.sock"), ("DOCKER_CONTEXT", "there")], "{}", "unix:///env.sock", Some("DOCKER_HOST"))]
    #[case::context(None, &[("DOCKER_CONTEXT", "there")], "{}", "unix:///ctx.sock", Some("the context \"there\""))]
    #[case::context_before_config(None, &[("DOCKER_CONTEXT", "there")], r#"{"currentContext":"none"}"#, "unix:///ctx.sock", Some("the context \"there\""))]
    #[case::config(None, &[], r#"{"currentContext":"there","auths":{}}"#, "unix:///ctx.sock", Some("the context \"there\""))]
    #[case::default_wins_over_config(None, &[("DOCKER_CONTEXT", "default")], r#"{"currentContext":"there"}"#, "unix:///var/run/docker.sock", None)]
    #[case::empty_is_unset(None, &[("DOCKER_HOST", ""), ("DOCKER_CONTEXT", "")], r#"{"currentContext":""}"#, "unix:///var/run/docker.sock", None)]
    #[case::config_null(None, &[], r#"{"currentContext":null}"#, "unix:///var/run/docker.sock", None)]
    fn the_order_is_dockers(
        #[case] host: Option<&str>,
        #[case] variables: &[(&str, &str)],
        #[case] config: &str,
        #[case] endpoint: &str,
        #[case] named_by: Option<&str>,
    ) {
        let dir = configured(config);
        let mut variables = variables.to_vec();
        variables.push(("DOCKER_CONFIG", dir.path().to_str().unwrap()));
        assert_eq!(resolved(host, &environment(&variables)), (endpoint.to_owned(), named_by.map(str::to_owned)));
    }

    #[rstest]
    #[case("none", "No such file")]
    #[case("broken", "meta.json is not valid")]
    #[case("kubernetes", "it has no docker endpoint")]
    #[case("careless", "skips the verification")]
    #[case("../../x", "No such file")]
    fn a_context_that_cannot_be_used_is_named(#[case] context: &str, #[case] why: &str) {
        let dir = configured("{}");
        let environment = environment(&[("DOCKER_CONTEXT", context), ("DOCKER_CONFIG", dir.path().to_str().unwrap())]);
        let error = resolve(None, &environment).unwrap_err();
        assert!(
            error.to_string().starts_with(&format!("the Docker context \"{context}\" (DOCKER_CONTEXT)")),
            "{error}"
        );
        assert!(error.to_string().contains(why), "{error}");
        assert!(error.hint().unwrap().contains("docker context ls"));
    }

    #[test]
    fn tls_comes_from_the_context_or_the_environment() {
        let dir = configured("{}");
        let config = dir.path().to_str().unwrap();
        let tls = |variables: &[(&str, &str)]| {
            let endpoints = resolve(None, &environment(variables)).unwrap();
            match &endpoints.candidates[0] {
                Endpoint::Tcp { address, tls } => (address.clone(), tls.clone()),
                other => panic!("{other}"),
            }
        };
        let id = Digest::of(b"tls");
        let stored = dir.path().join("contexts/tls").join(id.hex()).join("docker");
        assert_eq!(tls(&[("DOCKER_CONFIG", config), ("DOCKER_CONTEXT", "tls")]), ("host:2376".into(), Some(stored)));
        let host = ("DOCKER_HOST", "tcp://host:1");
        assert_eq!(tls(&[host]), ("host:1".into(), None));
        assert_eq!(tls(&[host, ("DOCKER_CERT_PATH", "/c")]), ("host:1".into(), None));
        let verify = ("DOCKER_TLS_VERIFY", "1");
        assert_eq!(tls(&[host, verify, ("DOCKER_CERT_PATH", "/c")]), ("host:1".into(), Some("/c".into())));
        assert_eq!(tls(&[host, verify, ("HOME", "/h")]), ("host:1".into(), Some("/h/.docker".into())));
    }

    #[test]
    fn a_broken_config_is_named_and_a_missing_one_is_none() {
        let dir = configured("<html>");
        let error = resolve(None, &environment(&[("DOCKER_CONFIG", dir.path().to_str().unwrap())])).unwrap_err();
        assert!(error.to_string().contains("config.json is not valid"), "{error}");
        assert!(resolve(None, &environment(&[("DOCKER_CONFIG", "/nonexistent")])).is_ok());
    }

    #[test]
    fn without_any_of_these_the_usual_sockets_are_tried() {
        let all = resolve(None, &environment(&[("HOME", "/h"), ("XDG_RUNTIME_DIR", "/r")])).unwrap().candidates;
        let shown: Vec<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "unix:///var/run/docker.sock",
                "unix:///r/docker.sock",
                "unix:///h/.docker/run/docker.sock",
                "unix:///h/.docker/desktop/docker.sock",
                "unix:///r/podman/podman.sock",
                "unix:///run/podman/podman.sock",
            ]
        );
    }
}
