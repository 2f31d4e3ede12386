//! Against servers that are no proper engine: they answer wrongly, too early, or not at all.

use super::*;
use crate::image::descriptor::{Descriptor, media_type};
use crate::image::digest::Digest;
use crate::image::document::Manifest;
use crate::image::reference::Location;
use crate::image::source::{EngineEnvironment, Root, Source};
use crate::image::{PlatformFacts, document};
use crate::run::{Command, Limits};
use rstest::rstest;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// More than all buffers on the way together.
const LAYER: u64 = 64 << 20;

/// Answers each request by its first line, and reads no body that has no length.
fn serve(directory: &Path, answer: impl Fn(&str) -> String + Send + Clone + 'static) -> Docker {
    let options = EngineOptions {
        host: Some(format!("unix://{}", listen(directory, answer).display())),
        environment: EngineEnvironment::default(),
        temporary: directory.into(),
    };
    Docker::new(options, CredentialEnvironment::default())
}

/// The socket of such a server.
pub(super) fn listen(directory: &Path, answer: impl Fn(&str) -> String + Send + Clone + 'static) -> std::path::PathBuf {
    let socket = directory.join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, answer) = (stream.unwrap(), answer.clone());
            std::thread::spawn(move || talk(stream, &answer));
        }
    });
    socket
}

fn talk(mut stream: UnixStream, answer: &impl Fn(&str) -> String) -> Option<()> {
    loop {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).ok()?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let line = head.lines().next().unwrap();
        let mut length =
            head.lines().filter_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        io::copy(&mut Read::by_ref(&mut stream).take(length.next_back().unwrap_or(0)), &mut io::sink()).ok()?;
        let answer = answer(line);
        stream.write_all(answer.as_bytes()).ok()?;
        if head.contains("chunked") {
            // The rest of the body stays where it is, and the connection open.
            std::thread::sleep(Duration::from_secs(3600));
        }
    }
}

pub(super) fn respond(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
}

const NOT_THERE: &str = r#"{"message":"No such image"}"#;

/// An engine with nothing in it; `other` answers what it is asked beyond that.
fn empty_engine(line: &str, other: &str) -> String {
    if line.contains("/version") {
        respond("200 OK", r#"{"Version":"1","ApiVersion":"1.41","Os":"linux","Arch":"amd64"}"#)
    } else if line.contains("/info") {
        respond("200 OK", "{}")
    } else if line.starts_with("GET /images/") || line.starts_with("DELETE") {
        respond("404 Not Found", NOT_THERE)
    } else {
        other.to_owned()
    }
}

/// An image with one layer of zeros.
struct Zeros;

impl Source for Zeros {
    fn name(&self) -> String {
        "test".to_owned()
    }

    fn root(&self) -> Result<Root, SourceError> {
        unreachable!()
    }

    fn open(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, SourceError> {
        Ok(match descriptor.media_type.as_str() {
            media_type::OCI_LAYER => Box::new(io::repeat(0).take(LAYER)),
            _ => Box::new(io::Cursor::new(b"{}")),
        })
    }
}

fn run(docker: &Docker) -> Result<Ran, NotReady> {
    let small = |media_type: &str| Descriptor::new(media_type, Digest::of(b"{}"), 2);
    let manifest = Manifest {
        media_type: media_type::OCI_MANIFEST.to_owned(),
        artifact_type: None,
        config: small(media_type::OCI_CONFIG),
        layers: vec![Descriptor::new(media_type::OCI_LAYER, Digest::of(b"zeros"), LAYER)],
        annotations: Default::default(),
    };
    let config = document::Config::default();
    let facts = PlatformFacts {
        descriptor: small(media_type::OCI_MANIFEST),
        platform: Platform::parse("linux/amd64").unwrap(),
        selected: true,
        manifest: Ok(manifest),
        config: Ok(config.clone()),
        layers: Vec::new(),
        artifact: None,
    };
    let commands = [Command::new(vec!["true".to_owned()], Duration::from_secs(1))];
    docker.run(&Task {
        platform: &facts,
        config: &config,
        source: &Zeros,
        location: &Location::Layout { path: "x".into(), selector: None },
        cpu: Cpu::Max,
        commands: &commands,
        limits: Limits::default(),
        user: None,
        freedom: Freedom::none(),
    })
}

/// The connection stays open, and nobody reads what is still to be sent.
#[test]
fn an_engine_that_refuses_an_image_before_it_has_read_it_is_believed() {
    let directory = tempfile::tempdir().unwrap();
    let full = respond("500 Internal Server Error", r#"{"message":"no space left on device"}"#);
    let error = run(&serve(directory.path(), move |line| empty_engine(line, &full))).unwrap_err();
    assert!(error.why.contains("no space left on device"), "{error:?}");
}

#[rstest]
#[case("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnot json!", "could not be")]
#[case("", "")]
#[case("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "has none with the digest")]
fn an_engine_that_answers_wrongly_is_told(#[case] answer: &'static str, #[case] words: &str) {
    let directory = tempfile::tempdir().unwrap();
    let docker = serve(directory.path(), move |line| match answer {
        "" => respond("200 OK", "[]"),
        answer => empty_engine(line, answer),
    });
    let error = run(&docker).unwrap_err();
    assert!(error.why.contains(words), "{error:?}");
}

#[rstest]
#[case("windows", "linux/amd64", "runs windows containers")]
#[case("linux", "windows/amd64", "only Linux programs")]
#[case("linux", "linux/sparc64", "no probe program")]
#[case("", "linux/amd64", "runs no known containers")]
fn what_can_be_told_without_a_run_is_told(#[case] os: &'static str, #[case] platform: &str, #[case] words: &str) {
    let directory = tempfile::tempdir().unwrap();
    let docker = serve(directory.path(), move |line| match line.contains("/version") {
        true => respond("200 OK", &format!(r#"{{"Version":"1","Os":"{os}","Arch":"amd64"}}"#)),
        false => respond("200 OK", "{}"),
    });
    let error = docker.offer(&Platform::parse(platform).unwrap(), Cpu::Max).unwrap_err();
    assert!(error.why.contains(words), "{error:?}");
}

#[test]
fn the_engine_s_own_processor_is_not_taken_back_to_the_baseline() {
    let directory = tempfile::tempdir().unwrap();
    let docker = serve(directory.path(), |line| empty_engine(line, ""));
    let offer = |platform: &str, cpu: Cpu| docker.offer(&Platform::parse(platform).unwrap(), cpu);
    for platform in ["linux/amd64", "linux/386"] {
        assert_eq!(offer(platform, Cpu::Max), Ok(Offer { emulator: None }));
        let error = offer(platform, Cpu::Baseline).unwrap_err();
        assert!(error.hint.contains("--run sandbox"), "{error:?}");
    }
    assert_eq!(offer("linux/arm64", Cpu::Baseline), Ok(Offer { emulator: None }));
}

#[rstest]
#[case("short", "short")]
#[case("a\u{1b}[2Jb\n", "a\\u{1b}[2Jb\\n")]
fn words_of_an_engine_are_fit_for_a_message(#[case] said: &str, #[case] shown: &str) {
    assert_eq!(cut(said), shown);
    assert_eq!(cut(&"x".repeat(5000)).chars().count(), MAX_SAID + 1);
}
