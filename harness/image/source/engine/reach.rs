//! Finding the engine that answers, and saying why none does.

use super::endpoint::{Endpoint, Endpoints};
use crate::image::source::SourceError;
use bollard::{API_DEFAULT_VERSION, Docker};
use std::io::{self, ErrorKind};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an engine may take for the start of an answer, in seconds: an export begins with work.
const ANSWER_SECONDS: u64 = 300;

/// The first endpoint that accepts a connection; `otherwise` is what can be done without an engine.
pub(super) fn reach<'a>(endpoints: &'a Endpoints, otherwise: &str) -> Result<&'a Endpoint, SourceError> {
    let mut failures = Vec::new();
    for endpoint in &endpoints.candidates {
        match try_connect(endpoint) {
            Ok(()) => return Ok(endpoint),
            Err(e) => failures.push((endpoint, e)),
        }
    }
    // Of several usual sockets the one that exists says most.
    let telling = failures.iter().find(|(_, e)| e.kind() != ErrorKind::NotFound).or_else(|| failures.first());
    let Some((endpoint, error)) = telling else {
        return Err(SourceError::Invalid {
            what: "the Docker engine".to_owned(),
            why: "no address of one is known".to_owned(),
            hint: "set DOCKER_HOST=unix:///PATH".to_owned(),
        });
    };
    let what = match &endpoints.named_by {
        Some(by) => format!("the Docker engine at {endpoint} ({by})"),
        None => format!("the Docker engine at {endpoint}"),
    };
    Err(SourceError::Unreachable {
        what,
        why: reason(error),
        hint: hint(endpoint, error, endpoints.named_by.as_deref(), otherwise),
    })
}

fn try_connect(endpoint: &Endpoint) -> io::Result<()> {
    match endpoint {
        Endpoint::Unix(path) => UnixStream::connect(path).map(drop),
        Endpoint::Tcp { address, .. } => {
            let mut last = io::Error::new(ErrorKind::NotFound, "the host has no address");
            for address in address.to_socket_addrs()? {
                match TcpStream::connect_timeout(&address, CONNECT) {
                    Ok(_) => return Ok(()),
                    Err(e) => last = e,
                }
            }
            Err(last)
        }
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such socket".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        ErrorKind::ConnectionRefused => "the connection was refused: nothing listens there".to_owned(),
        _ => error.to_string(),
    }
}

fn hint(endpoint: &Endpoint, error: &io::Error, named_by: Option<&str>, otherwise: &str) -> String {
    let local = matches!(endpoint, Endpoint::Unix(_));
    let other = format!("or {otherwise}");
    match error.kind() {
        ErrorKind::PermissionDenied => format!(
            "join the socket's group (`sudo usermod -aG docker $USER`, then log in again) or run as its owner; {other}"
        ),
        ErrorKind::NotFound | ErrorKind::ConnectionRefused if local && named_by.is_none() => format!(
            "start an engine (`sudo systemctl start docker`, or `systemctl --user start podman.socket`), set DOCKER_HOST where it listens elsewhere, {other}"
        ),
        _ if local => format!("start the engine that listens there, correct the address, {other}"),
        _ => format!("check the address, the network and that the engine listens on TCP, {other}"),
    }
}

/// A client for an endpoint. Requests carry no API version, so the engine answers in its own.
pub(crate) fn client(endpoint: &Endpoint) -> Result<Docker, bollard::errors::Error> {
    match endpoint {
        Endpoint::Unix(path) => Docker::connect_with_unix(&path.to_string_lossy(), ANSWER_SECONDS, API_DEFAULT_VERSION),
        Endpoint::Tcp { address, tls: None } => Docker::connect_with_http(address, ANSWER_SECONDS, API_DEFAULT_VERSION),
        Endpoint::Tcp { address, tls: Some(directory) } => {
            // An error says that one is installed already, which does as well.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let file = |name: &str| Path::join(directory, name);
            Docker::connect_with_ssl(
                address,
                &file("key.pem"),
                &file("cert.pem"),
                &file("ca.pem"),
                ANSWER_SECONDS,
                API_DEFAULT_VERSION,
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;

    const OTHERWISE: &str = "do without";

    fn endpoints(paths: &[PathBuf], named_by: Option<&str>) -> Endpoints {
        let candidates = paths.iter().cloned().map(Endpoint::Unix).collect();
        Endpoints { candidates, named_by: named_by.map(str::to_owned) }
    }

    /// A directory with a socket that listens, one that nobody listens on any more, and none.
    fn sockets() -> (tempfile::TempDir, UnixListener, [PathBuf; 3]) {
        let dir = tempfile::tempdir().unwrap();
        let paths = ["live", "dead", "none"].map(|name| dir.path().join(name));
        let live = UnixListener::bind(&paths[0]).unwrap();
        drop(UnixListener::bind(&paths[1]).unwrap());
        (dir, live, paths)
    }

    #[test]
    fn the_first_that_accepts_is_taken() {
        let (_dir, _listener, [live, dead, none]) = sockets();
        assert_eq!(reach(&endpoints(&[none, dead, live.clone()], None), OTHERWISE).unwrap(), &Endpoint::Unix(live));
    }

    #[test]
    fn a_socket_that_nobody_listens_on_says_more_than_one_that_is_not_there() {
        let (_dir, _listener, [_, dead, none]) = sockets();
        let error = reach(&endpoints(&[none, dead.clone()], None), OTHERWISE).unwrap_err();
        let place = format!("the Docker engine at unix://{}", dead.display());
        assert_eq!(
            error.to_string(),
            format!("{place} could not be reached: the connection was refused: nothing listens there")
        );
        assert!(error.hint().unwrap().contains("systemctl start docker"));
    }

    #[test]
    fn a_named_socket_that_is_not_there_is_told_with_who_named_it() {
        let (_dir, _listener, [_, _, none]) = sockets();
        let error = reach(&endpoints(&[none], Some("DOCKER_HOST")), OTHERWISE).unwrap_err();
        assert!(
            error.to_string().ends_with("none (DOCKER_HOST) could not be reached: there is no such socket"),
            "{error}"
        );
        assert!(error.hint().unwrap().contains("correct the address"));
    }

    #[rstest]
    #[case(ErrorKind::PermissionDenied, "permission denied", "usermod -aG docker")]
    #[case(ErrorKind::NotFound, "no such socket", "systemctl start docker")]
    #[case(ErrorKind::ConnectionRefused, "refused", "podman.socket")]
    fn each_reason_has_its_own_next_step(#[case] kind: ErrorKind, #[case] why: &str, #[case] step: &str) {
        let error = io::Error::from(kind);
        assert!(reason(&error).contains(why));
        let said = hint(&Endpoint::Unix("/x".into()), &error, None, OTHERWISE);
        assert!(
            said.contains(step) && said.ends_with(", or do without") || said.ends_with("; or do without"),
            "{said}"
        );
    }

    #[test]
    fn a_tcp_port_that_nobody_listens_on_is_refused() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let endpoints = Endpoints { candidates: vec![Endpoint::Tcp { address, tls: None }], named_by: None };
        let error = reach(&endpoints, OTHERWISE).unwrap_err();
        assert!(error.to_string().contains("refused"), "{error}");
        assert!(error.hint().unwrap().contains("listens on TCP"));
    }
}
