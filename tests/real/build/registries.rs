//! Publishing to registries that refuse, that want a login, and that die in the middle of a push.

use super::{Build, Outcome, classic, containerd};
use crate::parts::{part, registry};
use serde_json::json;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

fn push_to(socket: &str, registry: &str) -> Build {
    Build::on(socket).with(&["--platform", "linux/arm64", "--registry", registry])
}

fn assert_not_published(outcome: &Outcome, words: &str) {
    assert_eq!(outcome.code, Some(1), "{}", outcome.all());
    assert_eq!(
        outcome.that("failed"),
        ["publish/index", "publish/manifest", "publish/provenance"],
        "{}",
        outcome.all()
    );
    let rules: Vec<&str> = outcome.rules().into_iter().filter(|rule| *rule != "build/left-behind").collect();
    assert_eq!(rules, ["build/push-failed"], "{}", outcome.all());
    let finding = outcome.finding("build/push-failed");
    assert!(finding["hint"].as_str().unwrap().contains(words), "{finding:#}");
    assert_eq!(outcome.steps()["emulated/arm64"], "passed");
}

#[test]
fn what_is_pushed_to_somebodys_registry_stays_and_is_named() {
    let outcome = push_to(&classic(), &format!("{}/rehearsal", registry())).run();
    assert_eq!((outcome.code, outcome.rules()), (Some(0), vec!["build/left-behind"]), "{}", outcome.all());
    let message = outcome.finding("build/left-behind")["message"].as_str().unwrap();
    for tag in ["plain-arm64", "manifest", "imagetools"] {
        let is_named = |name: &str| {
            name.contains("/rehearsal:mpcheck-build-") && name.ends_with(&format!("-{tag} in the registry"))
        };
        assert!(message.split(", ").any(is_named), "{tag}: {message}");
    }
}

#[test]
fn a_registry_that_wants_a_login_is_told_and_with_one_it_works() {
    let name = format!("{}/rehearsal-login", part("MPCHECK_REGISTRY_BASIC"));
    let outcome = push_to(&containerd(), &name).run();
    assert_not_published(&outcome, "docker login");

    let run = push_to(&containerd(), &name);
    // base64 of mpcheck:secret, as registry.sh made the user.
    let config = json!({ "auths": { part("MPCHECK_REGISTRY_BASIC"): { "auth": "bXBjaGVjazpzZWNyZXQ=" } } });
    fs::write(run.home.path().join("config.json"), config.to_string()).unwrap();
    let outcome = run.run();
    assert_eq!((outcome.code, outcome.that("failed")), (Some(0), vec![]), "{}", outcome.all());
    assert_eq!(outcome.steps()["publish/compare"], "passed");
}

/// A real registry in its read-only mode, which answers 405 to every upload.
struct ReadOnly {
    child: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl ReadOnly {
    fn start() -> ReadOnly {
        let directory = tempfile::tempdir().unwrap();
        let address = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        let config = json!({
            "version": "0.1",
            "storage": {
                "filesystem": { "rootdirectory": directory.path() },
                "maintenance": { "readonly": { "enabled": true } },
            },
            "http": { "addr": address.to_string() },
        });
        let file = directory.path().join("config.json");
        fs::write(&file, config.to_string()).unwrap();
        let mut command = Command::new(Path::new(&part("MPCHECK_PARTS")).join("bin/docker-registry"));
        let child = command.arg("serve").arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut started = ReadOnly { child, address, _directory: directory };
        while TcpStream::connect(address).is_err() {
            assert!(started.child.try_wait().unwrap().is_none(), "the registry did not start");
            thread::sleep(Duration::from_millis(10));
        }
        started
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_registry_that_refuses_is_told() {
    let registry = ReadOnly::start();
    let outcome = push_to(&containerd(), &format!("{}/rehearsal", registry.address)).run();
    assert_not_published(&outcome, "docker login");
    assert!(outcome.step("publish/index")["output"].as_str().unwrap().contains("405"), "{}", outcome.all());
}

/// Passes everything on to a real registry until so many bytes were sent there, and from then on breaks every connection.
fn dies_after(bytes: usize) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let left = Arc::new(AtomicUsize::new(bytes));
    let real = registry();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(&real).unwrap();
            let (left, up, down) = (Arc::clone(&left), client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || pass(&up, &server, Some(&left)));
            thread::spawn(move || pass(&down, &client, None));
        }
    });
    address
}

fn pass(mut from: &TcpStream, mut to: &TcpStream, left: Option<&AtomicUsize>) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let spent = left.is_some_and(|left| {
            left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| Some(left.saturating_sub(read))).unwrap()
                < read
        });
        if spent || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

#[test]
fn a_registry_that_dies_in_the_middle_of_a_push_is_told() {
    let address = dies_after(3_000);
    let outcome = push_to(&classic(), &format!("{address}/rehearsal-dies")).run();
    assert_eq!(outcome.code, Some(1), "{}", outcome.all());
    assert_eq!(outcome.that("failed"), ["publish/manifest"], "{}", outcome.all());
    assert_eq!(outcome.rules(), ["build/push-failed"], "{}", outcome.all());
    let hint = outcome.finding("build/push-failed")["hint"].as_str().unwrap();
    assert!(hint.contains("curl -v"), "{}", outcome.all());
}
