//! The Docker engine, or Podman's socket.

use crate::image::source::engine::{Endpoint, find};
use crate::image::source::{EngineOptions, Store};
use crate::run::NotReady;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long an engine may take to say what it is: one that is busy does so in far less.
const TIMEOUT: Duration = Duration::from_secs(15);

/// What an engine says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineFacts {
    /// Where it is: `unix:///run/docker.sock`.
    pub address: String,
    /// Whether it is on this machine, as far as its address tells.
    pub is_local: bool,
    /// Its version.
    pub version: String,
    /// The newest version of its API; empty where it does not say.
    pub api: String,
    /// How it stores images.
    pub store: Store,
    /// The operating system of its containers, as `GOOS`.
    pub os: String,
    /// The architecture that it was built for, as `GOARCH`.
    pub architecture: String,
}

/// Asks the engine that the options name.
///
/// # Errors
/// Why none answered, and what to do.
pub fn ask(options: &EngineOptions) -> Result<EngineFacts, NotReady> {
    let (sender, receiver) = mpsc::channel();
    let options = options.clone();
    // A thread that an engine keeps waiting ends with this program.
    thread::spawn(move || {
        let found = find(&options, "platforms are proved without it, and containers need it");
        let _ = sender.send(found);
    });
    let found = receiver.recv_timeout(TIMEOUT).map_err(|_| {
        NotReady::new(
            format!("the engine accepted a connection and said nothing for {} seconds", TIMEOUT.as_secs()),
            "look at its log: `journalctl -u docker`",
        )
    })?;
    let engine = found.map_err(|error| NotReady::new(error.to_string(), error.hint().unwrap_or_default()))?;
    let shown = |text: &str| text.chars().take(80).flat_map(char::escape_debug).collect();
    Ok(EngineFacts {
        address: engine.endpoint.to_string(),
        is_local: matches!(engine.endpoint, Endpoint::Unix(_)),
        version: shown(&engine.version),
        api: shown(&engine.api),
        store: engine.store,
        os: shown(&engine.os),
        architecture: shown(&engine.architecture),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::source::EngineEnvironment;

    #[test]
    fn no_engine_is_told_with_a_next_step() {
        let directory = tempfile::tempdir().unwrap();
        let options = EngineOptions {
            host: Some(format!("unix://{}/none.sock", directory.path().display())),
            environment: EngineEnvironment::default(),
            temporary: directory.path().to_owned(),
        };
        let error = ask(&options).unwrap_err();
        assert!(!error.why.is_empty() && !error.hint.is_empty(), "{error:?}");
    }
}
