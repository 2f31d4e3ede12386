//! What an engine can and cannot tell of an image.

use crate::check::{Check, Outcome};
use crate::parts::{EngineImage, classic, containerd, docker, done, registry};
use mpcheck_kit::incidents;
use rstest::rstest;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;

/// Puts the good image into the registry, and pulls these platforms of it into an engine.
fn pulled(socket: &str, repository: &str, platforms: &[&str]) -> EngineImage {
    let name = format!("{}/{repository}:1", registry());
    incidents::good().put_into_registry(&registry(), repository, "1").unwrap();
    let image = EngineImage::named(socket, &name);
    for platform in platforms {
        done(docker(socket).args(["pull", "--quiet", "--platform", platform, &name]));
    }
    image
}

fn check(image: &EngineImage) -> Check {
    Check::of(format!("docker-daemon:{}", image.name)).with(&["--host", &image.socket])
}

/// Every platform with the reason of its first skipped check but `run`.
fn skipped(outcome: &Outcome) -> Vec<(String, String)> {
    let reason = |platform: &Value| {
        let checks = platform["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["name"] != "run" && check["status"] == "skipped")?;
        Some((platform["platform"].as_str().unwrap().to_owned(), check["reason"].as_str().unwrap().to_owned()))
    };
    outcome.platforms().iter().filter_map(reason).collect()
}

#[test]
fn the_classic_store_cannot_tell_of_other_platforms() {
    let image = pulled(&classic(), "classic-require", &["linux/amd64"]);
    check(&image).run().assert_clean(1);
    let outcome = check(&image).with(&["--require", "linux/amd64,linux/arm64"]).run();
    assert_eq!(outcome.code, 3, "{}", outcome.all());
    assert!(outcome.said().contains("classic image store keeps one platform"), "{}", outcome.all());
    assert_eq!(outcome.faults(), Vec::<String>::new(), "what cannot be told is no finding");
}

#[test]
fn the_containerd_store_has_the_platforms_that_were_pulled() {
    let image = pulled(&containerd(), "pulled-native", &["linux/amd64"]);
    let outcome = check(&image).run();
    assert_eq!(outcome.code, 0, "{}", outcome.all());
    assert_eq!(outcome.passed_platforms(), ["linux/amd64"]);
    assert_eq!(outcome.faults(), Vec::<String>::new());
    let skipped = skipped(&outcome);
    assert_eq!(skipped.len(), 6, "{}", outcome.all());
    for (platform, reason) in skipped {
        assert!(reason.contains("the engine holds only linux/amd64 of this image"), "{platform}: {reason}");
    }
}

/// The index of that store tells that the image has the platform, though not whether that is in order.
#[test]
fn a_required_platform_that_was_not_pulled_is_undecided_and_one_that_the_index_lacks_is_missing() {
    let image = pulled(&containerd(), "pulled-require", &["linux/amd64"]);
    let outcome = check(&image).with(&["--require", "linux/arm64"]).run();
    assert_eq!(outcome.code, 3, "{}", outcome.all());
    assert!(outcome.said().contains("the engine holds only linux/amd64 of this image"), "{}", outcome.all());
    assert_eq!(outcome.faults(), Vec::<String>::new());
    let outcome = check(&image).with(&["--require", "linux/loong64"]).run();
    assert_eq!(outcome.code, 1, "{}", outcome.all());
    assert_eq!(outcome.faults(), ["error manifest/missing-platform - -"]);
}

#[test]
fn two_platforms_of_the_containerd_store_are_both_read() {
    let image = pulled(&containerd(), "pulled-two", &["linux/amd64", "linux/arm64"]);
    let outcome = check(&image).run();
    assert_eq!(outcome.passed_platforms(), ["linux/amd64", "linux/arm64"], "{}", outcome.all());
    assert_eq!(skipped(&outcome).len(), 5, "{}", outcome.all());
}

/// The engine answers 404 here though it has the image.
#[test]
fn a_foreign_platform_alone_cannot_be_exported_and_the_message_says_what_helps() {
    let image = pulled(&containerd(), "pulled-foreign", &["linux/arm64"]);
    let outcome = check(&image).run();
    assert_eq!(outcome.code, 3, "{}", outcome.all());
    for words in ["cannot save an image whose own machine's platform it does not hold", "docker pull"] {
        assert!(outcome.said().contains(words), "{}", outcome.all());
    }
}

#[rstest]
#[case(classic())]
#[case(containerd())]
fn an_engine_without_the_image_is_said_to_have_none(#[case] socket: String) {
    let outcome = Check::of("docker-daemon:no-such-image:1").with(&["--host", &socket]).run();
    assert_eq!(outcome.code, 3, "{}", outcome.all());
    for words in ["no-such-image:1", "has none of that name", "docker images"] {
        assert!(outcome.said().contains(words), "{}", outcome.all());
    }
}

#[test]
fn an_image_is_found_by_its_id() {
    let image = pulled(&classic(), "by-id", &["linux/amd64"]);
    let id = done(docker(&image.socket).args(["image", "inspect", "--format", "{{.Id}}", &image.name]));
    let outcome = Check::of(format!("docker-daemon:{}", id.trim())).with(&["--host", &image.socket]).run();
    outcome.assert_clean(1);
}

#[test]
fn no_engine_is_said_with_its_reason() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("docker.sock");
    let run = || {
        let host = format!("unix://{}", socket.display());
        let outcome = Check::of("docker-daemon:app:1").with(&["--host", &host]).run();
        assert_eq!(outcome.code, 3, "{}", outcome.all());
        assert!(outcome.said().contains(&host), "{}", outcome.all());
        outcome.said()
    };
    let missing = run();
    assert!(missing.contains("there is no such socket"), "{missing}");
    drop(UnixListener::bind(&socket).unwrap());
    let refused = run();
    assert!(refused.contains("nothing listens there"), "{refused}");
}

/// As somebody who is not in the socket's group.
#[test]
fn a_socket_that_one_may_not_open_is_said_to_be_forbidden() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = directory.path().join("mpcheck");
    fs::copy(env!("CARGO_BIN_EXE_mpcheck"), &program).unwrap();
    let socket = directory.path().join("docker.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).unwrap();
    let host = format!("unix://{}", socket.display());
    let mut command = std::process::Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
    command.args(["docker-daemon:app:1", "--host", &host]).env_clear().env("HOME", "/nonexistent");
    let output = command.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("permission denied") && said.contains("usermod -aG docker"), "{said}");
}

#[test]
fn a_name_that_only_the_engine_has_is_pointed_to() {
    let image = pulled(&classic(), "only-in-engine-source", &["linux/amd64"]);
    let name = EngineImage::named(&image.socket, &format!("{}/only-in-engine:1", registry()));
    done(docker(&image.socket).args(["tag", &image.name, &name.name]));
    let outcome = Check::of(&name.name).with(&["--host", &image.socket]).run();
    assert_eq!(outcome.code, 3, "{}", outcome.all());
    assert!(outcome.said().contains(&format!("docker-daemon:{}", name.name)), "{}", outcome.all());
}
