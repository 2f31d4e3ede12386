//! The source against a scripted registry on loopback.

mod authorization;
mod blobs;
mod manifests;

use super::*;
use crate::image::digest::Digest;
use mpcheck_kit::fault_registry::{FaultRegistry, Reply, Request};
use std::sync::Mutex;

/// A blob that is long enough for several pieces, and has no period that a wrong offset could hide in.
fn blob() -> Vec<u8> {
    (0..300_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn descriptor(bytes: &[u8]) -> Descriptor {
    Descriptor::new("application/vnd.oci.image.layer.v1.tar+gzip", Digest::of(bytes), bytes.len() as u64)
}

/// What the source waited between its attempts.
#[derive(Clone, Default)]
struct Delays(Arc<Mutex<Vec<Duration>>>);

impl Delays {
    fn all(&self) -> Vec<Duration> {
        self.0.lock().unwrap().clone()
    }
}

/// Options under which nothing sleeps, and nothing of this machine's configuration is seen.
fn options() -> (RegistryOptions, Delays) {
    let delays = Delays::default();
    let record = Arc::clone(&delays.0);
    let sleeper = Sleeper::instead(move |delay| record.lock().unwrap().push(delay));
    let options = RegistryOptions {
        credentials: CredentialEnvironment::default(),
        retry: RetryPolicy { sleeper, ..RetryPolicy::default() },
        ..RegistryOptions::default()
    };
    (options, delays)
}

fn name(text: &str) -> ImageName {
    ImageName::parse(text).unwrap()
}

fn open(image: &str, options: RegistryOptions) -> RegistrySource {
    RegistrySource::new(name(image), options).unwrap()
}

fn serve(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> FaultRegistry {
    FaultRegistry::start(script).unwrap()
}

fn source(registry: &FaultRegistry) -> (RegistrySource, Delays) {
    let (options, delays) = options();
    (open(&format!("{}/app:1", registry.host()), options), delays)
}

/// Opens a blob and reads it to its end.
fn read(source: &RegistrySource, descriptor: &Descriptor) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut reader = source.open(descriptor).map_err(|error| error.to_string())?;
    reader.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

#[test]
fn a_name_says_where_from_and_holds_the_digest() {
    let digest = Digest::of(b"x");
    let (options, _) = options();
    let source = open(&format!("ghcr.io/a/b:1@{digest}"), options);
    assert_eq!(source.name(), format!("registry ghcr.io/a/b:1@{digest}"));
}

#[test]
fn a_registry_that_is_not_there_is_unreachable_and_named() {
    let host = serve(|_| Reply::status(500)).host();
    let (options, delays) = options();
    let error = open(&format!("{host}/app"), options).root().unwrap_err();
    assert!(matches!(&error, SourceError::Unreachable { what, .. } if what.contains(&host)), "{error}");
    assert!(error.to_string().contains("tried 3 times"), "{error}");
    assert!(error.hint().unwrap().contains("check the port"), "{error:?}");
    assert_eq!(delays.all().len(), 2);
}

#[test]
fn https_asked_of_a_registry_that_speaks_http_names_the_flag() {
    let registry = serve(|_| Reply::ok("{}"));
    let (options, _) = options();
    let connection = Connection::new(Address::new(name(&format!("{}/app", registry.host()))), options);
    connection.speak_tls();
    let error = Executor::new().unwrap().block_on(connection.root()).unwrap_err();
    assert!(error.to_string().contains("does not speak it"), "{error}");
    assert!(error.hint().unwrap().contains("--plain-http"), "{error:?}");
}

#[test]
fn plain_http_asked_of_a_registry_that_speaks_tls_names_the_flag() {
    // What a TLS server sends to something that is no ClientHello: an alert.
    let registry = serve(|_| Reply::raw(b"\x15\x03\x01\x00\x02\x02\x0a".as_slice()));
    let (options, _) = options();
    let options = RegistryOptions { plain_http: true, ..options };
    let source = open(&format!("{}/app", registry.host()), options);
    let error = source.root().unwrap_err();
    assert!(error.to_string().contains("speaks HTTPS"), "{error}");
    assert_eq!(error.hint(), Some("leave out --plain-http"));
}

#[test]
fn a_file_of_ca_certificates_without_any_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pem");
    std::fs::write(&path, "nothing").unwrap();
    let (options, _) = options();
    let options = RegistryOptions { ca_cert: Some(path.clone()), ..options };
    let error = open("registry.invalid/app", options).root().unwrap_err();
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
}

#[test]
fn what_a_message_shows_is_short_and_harmless() {
    assert_eq!(shorten("a\u{1b}[0m\n\"b\"", 20), r#"a\u{1b}[0m\n"b""#);
    assert_eq!(shorten("aaaa", 3), "aaa…");
}
