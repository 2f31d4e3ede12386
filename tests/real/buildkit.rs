//! What `docker buildx build` makes of several platforms: an index with attestations.

use crate::check::{Check, Outcome};
use crate::parts::{containerd, docker, done, registry};
use mpcheck_kit::elf::Elf;
use std::fs;
use tempfile::TempDir;

/// Two platforms of an image without a base, so that the build needs nothing from outside.
const DOCKERFILE: &str = r#"FROM scratch
ARG TARGETARCH
COPY --chmod=755 app-$TARGETARCH /usr/bin/app
COPY data /srv/data
ENTRYPOINT ["/usr/bin/app"]
"#;

/// What the registry answers where BuildKit asks for the tag, for one platform's manifest, in the very moment in which
/// it pushes another's under the same tag: the registry empties a tag's file before it writes it ("invalid checksum
/// digest format" in its log; 4 % of the requests where a tag is written all the time).
const REGISTRY_RACE: &str = "500 Internal Server Error";
const TRIES: u32 = 5;

/// The context; `arm64` says for which platform its program is.
fn context(arm64: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, platform) in [("app-amd64", "linux/amd64"), ("app-arm64", arm64)] {
        fs::write(directory.path().join(name), Elf::program(platform).build()).unwrap();
    }
    fs::write(directory.path().join("data"), "shared\n").unwrap();
    fs::write(directory.path().join("Dockerfile"), DOCKERFILE).unwrap();
    directory
}

fn build(context: &TempDir, output: &str) {
    for _ in 0..TRIES {
        let mut command = docker(&containerd());
        command.args(["buildx", "build", "--quiet", "--platform", "linux/amd64,linux/arm64", "--provenance=mode=max"]);
        let outcome = command.args(["--output", output]).arg(context.path()).output().unwrap();
        let said = String::from_utf8_lossy(&outcome.stderr);
        if outcome.status.success() {
            return;
        }
        assert!(said.contains(REGISTRY_RACE), "{command:?}: {}\n{said}", outcome.status);
    }
    panic!("{output}: the registry answered {REGISTRY_RACE} {TRIES} times");
}

fn assert_two_clean_platforms(outcome: &Outcome) {
    outcome.assert_clean(2);
    assert_eq!(outcome.passed_platforms(), ["linux/amd64", "linux/arm64"]);
}

#[test]
fn an_archive_with_provenance_has_no_fault() {
    let context = context("linux/arm64");
    let archive = context.path().join("out.tar");
    build(&context, &format!("type=oci,dest={}", archive.display()));
    let index =
        done(std::process::Command::new("sh").arg("-c").arg(format!(
            "tar -xOf {} --wildcards 'blobs/sha256/*' | grep -a -c attestation-manifest",
            archive.display()
        )));
    assert_ne!(index.trim(), "0", "the build made no attestations, so this proves nothing");
    assert_two_clean_platforms(&Check::of(format!("oci-archive:{}", archive.display())).run());
}

#[test]
fn a_pushed_build_has_no_fault_and_a_leak_in_it_is_found() {
    let good = format!("{}/buildkit:good", registry());
    build(&context("linux/arm64"), &format!("type=image,name={good},push=true"));
    assert_two_clean_platforms(&Check::of(&good).run());

    let bad = format!("{}/buildkit:bad", registry());
    build(&context("linux/amd64"), &format!("type=image,name={bad},push=true"));
    let outcome = Check::of(&bad).run();
    assert_eq!(outcome.code, 1, "{}", outcome.all());
    assert!(
        outcome.faults().contains(&"error binary/foreign-architecture linux/arm64 /usr/bin/app".to_owned()),
        "{}",
        outcome.all()
    );
    let finding = &outcome.report["findings"][0];
    assert!(finding["instruction"].as_str().unwrap_or_default().contains("app-arm64 /usr/bin/app"), "{finding:#}");
}
