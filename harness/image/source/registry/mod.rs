//! The registry source: images behind the OCI distribution API.
//!
//! A [`RegistrySource`] is synchronous outside and asynchronous inside. The parts, from the wire upwards:
//! `transport` sends one request and follows its redirects; `authority` answers a registry's challenge, with what
//! `credentials` and `helper` find; `refusal` reads what went wrong out of an answer; `retry` decides whether and when
//! to try again; `connection` makes the API's requests out of all these; `download` is a blob as a reader.

mod address;
mod authority;
mod connection;
mod credentials;
mod download;
mod executor;
mod helper;
mod refusal;
mod retry;
mod transport;

pub use address::is_loopback;
pub use credentials::CredentialEnvironment;
pub(crate) use credentials::{Credentials, look_up};
pub use retry::{RetryPolicy, Sleeper};
pub use transport::check_ca_file;

use super::{Root, Source, SourceError};
use crate::image::descriptor::Descriptor;
use crate::image::reference::ImageName;
use address::Address;
use connection::{Connection, Wanted};
use download::BlobReader;
use executor::Executor;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How a registry is talked to.
#[derive(Debug, Clone)]
pub struct RegistryOptions {
    /// Speak plain HTTP to a registry that is not on this machine.
    pub plain_http: bool,
    /// Accept any certificate.
    pub insecure: bool,
    /// A file of CA certificates, in PEM form, to trust beside the system's.
    pub ca_cert: Option<PathBuf>,
    /// Where credentials are.
    pub credentials: CredentialEnvironment,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long the other side may keep silent.
    pub read_timeout: Duration,
    /// When a request is tried again.
    pub retry: RetryPolicy,
    /// The `User-Agent`.
    pub user_agent: String,
}

impl Default for RegistryOptions {
    /// TLS with the system's certificates, and this process' credentials.
    fn default() -> Self {
        Self {
            plain_http: false,
            insecure: false,
            ca_cert: None,
            credentials: CredentialEnvironment::from_process(),
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(30),
            retry: RetryPolicy::default(),
            user_agent: concat!("mpcheck/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// An image in a registry.
///
/// Its methods wait for the network, and must not be called on an asynchronous runtime's own threads.
#[derive(Debug)]
pub struct RegistrySource {
    connection: Arc<Connection>,
    executor: Arc<Executor>,
}

impl RegistrySource {
    /// Names an image, whose digest wins over its tag; nothing is asked of the registry yet.
    ///
    /// Registries on this machine ([`is_loopback`]) are spoken to in plain HTTP, and in HTTPS where that is
    /// what they turn out to speak.
    ///
    /// # Errors
    /// When the system gives no threads for it.
    pub fn new(name: ImageName, options: RegistryOptions) -> Result<Self, SourceError> {
        let address = Address::new(name);
        Ok(Self { connection: Arc::new(Connection::new(address, options)), executor: Arc::new(Executor::new()?) })
    }

    /// Credential files and helpers that could not be asked, each in a sentence. They are no error as long as the
    /// registry asks for nothing that they could have given.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.executor.block_on(self.connection.problems())
    }
}

impl Source for RegistrySource {
    fn name(&self) -> String {
        format!("registry {}", self.connection.address)
    }

    fn root(&self) -> Result<Root, SourceError> {
        let (bytes, media_type) = self.executor.block_on(self.connection.root())?;
        Ok(Root { bytes, media_type, digest: self.connection.address.digest().cloned(), platform: None })
    }

    fn open(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, SourceError> {
        let wanted = Wanted::new(descriptor);
        let first = self.executor.block_on(self.connection.first(&wanted))?;
        Ok(Box::new(BlobReader::start(&self.executor, Arc::clone(&self.connection), wanted, first)))
    }

    fn probe(&self, descriptor: &Descriptor) -> Result<(), SourceError> {
        self.executor.block_on(self.connection.probe(&Wanted::new(descriptor)))
    }

    // A registry finds blobs by their digest; what it once served under one is what it has under it.
    fn seal(&self, _descriptor: &Descriptor) -> Option<String> {
        let address = &self.connection.address;
        Some(format!("registry {}/{}", address.registry(), address.repository()))
    }

    fn warnings(&self) -> Vec<String> {
        self.executor.block_on(self.connection.problems())
    }
}

/// A text from elsewhere as a message can show it: at most so many characters, and nothing that moves a terminal.
fn shorten(text: &str, max: usize) -> String {
    let mut shown = String::new();
    for (n, c) in text.chars().enumerate() {
        if n == max {
            shown.push('…');
            break;
        }
        match c {
            '"' | '\'' | '\\' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
    }
    shown
}

#[cfg(test)]
mod tests;
