//! Files and names that are no image: one clear message, and the right exit code.

use super::{Machine, good};
use mpcheck_kit::digest::sha256;
use mpcheck_kit::image::Image;
use mpcheck_kit::incidents::application;
use mpcheck_kit::index::Index;
use mpcheck_kit::layer::Layer;
use rstest::rstest;
use serde_json::json;
use std::fs::{self, File};

const HUGE: u64 = 100 << 20;

/// A working directory with one of each kind of thing that is no image.
fn machine() -> Machine {
    let machine = Machine::with(&good());
    let file = |name: &str, bytes: &[u8]| fs::write(machine.path(name), bytes).unwrap();
    file("empty", b"");
    file("text", b"hello\n");
    file("random", &mpcheck_kit::filler(b"random", 5000));
    file("random.tar", &mpcheck_kit::filler(b"random", 5000));
    file("files.tar", &Layer::new().file("a", 0o644, "x").build().tar);
    file("files.tar.gz", &Layer::new().file("a", 0o644, "x").build().bytes);
    file("program", &mpcheck_kit::elf::Elf::program("amd64").build());
    fs::create_dir(machine.path("directory")).unwrap();
    fs::create_dir(machine.path("full")).unwrap();
    file("full/Dockerfile", b"FROM scratch\n");
    good().write_oci_archive(&machine.path("whole.tar"), None).unwrap();
    let whole = fs::read(machine.path("whole.tar")).unwrap();
    file("cut.tar", &whole[..whole.len() / 2]);
    let docker = machine.path("docker.tar");
    application("linux/arm64").forge().write_docker_archive(&docker, &["app:1"]).unwrap();
    let docker = fs::read(docker).unwrap();
    file("docker-cut.tar", &docker[..docker.len() / 2]);
    layout(&machine, "old", br#"{"imageLayoutVersion":"0.5"}"#, br#"{"schemaVersion":2,"manifests":[]}"#);
    layout(&machine, "no-json", OCI, b"hello");
    layout(&machine, "list", OCI, b"[1, 2]");
    layout(&machine, "empty-list", OCI, br#"{"schemaVersion":2,"manifests":[]}"#);
    layout(&machine, "text-list", OCI, br#"{"schemaVersion":2,"manifests":"none"}"#);
    layout(&machine, "bad-digest", OCI, br#"{"schemaVersion":2,"manifests":[{"digest":"sha256:../../x","size":1}]}"#);
    layout(&machine, "no-blob", OCI, entry(&sha256(b"gone"), 4).as_bytes());
    layout(&machine, "two", OCI, two().as_bytes());
    layout(&machine, "huge-index", OCI, b"");
    File::options().write(true).open(machine.path("huge-index/index.json")).unwrap().set_len(HUGE).unwrap();
    let digest = sha256(b"huge");
    layout(&machine, "huge-manifest", OCI, entry(&digest, HUGE).as_bytes());
    let blobs = machine.path("huge-manifest/blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    File::create(blobs.join(&digest[7..])).unwrap().set_len(HUGE).unwrap();
    machine.add("artifact", &helm());
    machine
}

const OCI: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

fn layout(machine: &Machine, name: &str, version: &[u8], index: &[u8]) {
    fs::create_dir(machine.path(name)).unwrap();
    fs::write(machine.path(name).join("oci-layout"), version).unwrap();
    fs::write(machine.path(name).join("index.json"), index).unwrap();
}

fn entry(digest: &str, size: u64) -> String {
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    json!({ "schemaVersion": 2, "manifests": [{ "mediaType": media_type, "digest": digest, "size": size }] })
        .to_string()
}

fn two() -> String {
    let entry = |name: &str| {
        let annotations = json!({ "org.opencontainers.image.ref.name": name });
        json!({ "digest": sha256(name.as_bytes()), "size": 1, "annotations": annotations })
    };
    json!({ "schemaVersion": 2, "manifests": [entry("v1"), entry("v2")] }).to_string()
}

/// A Helm chart, as `helm push` stores one.
fn helm() -> mpcheck_kit::store::Forged {
    let image =
        Image::new("linux/amd64").layer(Layer::new().file("chart/Chart.yaml", 0o644, "name: x\n")).raw_config(b"{}");
    image
        .edit_manifest(|manifest| manifest["config"]["mediaType"] = "application/vnd.cncf.helm.config.v1+json".into())
        .forge()
}

#[rstest]
#[case::no_such_path("./gone", 3, "does not exist")]
#[case::no_such_layout("oci:gone", 3, "gone")]
#[case::no_such_archive("oci-archive:gone.tar", 3, "gone.tar")]
#[case::no_such_docker_archive("docker-archive:gone.tar", 3, "gone.tar")]
#[case::no_such_tag("oci:image:v9", 3, "v9")]
#[case::no_such_position("oci:image:@7", 3, "@7")]
#[case::no_such_digest(
    "oci:image:@sha256:0000000000000000000000000000000000000000000000000000000000000000",
    3,
    "sha256:0000"
)]
#[case::several_images("two", 3, "v1")]
#[case::one_of_two_that_has_no_blob("oci:two:v1", 3, "not found")]
#[case::empty_file("./empty", 2, "empty")]
#[case::text("./text", 2, "text is no image")]
#[case::random("./random", 2, "random is no image")]
#[case::random_called_tar("./random.tar", 2, "random.tar is no image")]
#[case::program("./program", 2, "program is no image")]
#[case::tar_of_files("./files.tar", 3, "manifest.json")]
#[case::compressed_tar_of_files("./files.tar.gz", 3, "manifest.json")]
#[case::empty_directory("./directory", 2, "directory is no image")]
#[case::directory_of_files("./full", 2, "full is no image")]
#[case::directory_as_layout("oci:full", 2, "full")]
#[case::device("/dev/null", 2, "/dev/null is no image")]
#[case::archive_cut_short("./cut.tar", 3, "cut short")]
#[case::docker_archive_cut_short("./docker-cut.tar", 3, "cut short")]
#[case::wrong_form("docker-archive:whole.tar", 3, "oci-archive")]
#[case::other_wrong_form("oci-archive:docker.tar", 3, "docker-archive")]
#[case::old_layout("old", 3, "0.5")]
#[case::index_is_no_json("no-json", 3, "index.json")]
#[case::index_is_a_list("list", 3, "index.json")]
#[case::index_of_the_wrong_shape("text-list", 3, "index.json")]
#[case::digest_that_leads_elsewhere("bad-digest", 3, "index.json")]
#[case::layout_without_images("empty-list", 3, "no image")]
#[case::layout_without_the_blob("no-blob", 3, "incomplete")]
#[case::index_of_100_megabytes("huge-index", 3, "104857600 bytes")]
#[case::manifest_of_100_megabytes("huge-manifest", 3, "104857600 bytes")]
#[case::artifact("artifact", 3, "application/vnd.cncf.helm.config.v1+json")]
fn what_is_no_image_is_said_once(#[case] name: &str, #[case] code: i32, #[case] said: &str) {
    let machine = machine();
    let before = machine.files();
    let run = machine.run(&[name, "--format", "json"]);
    assert_eq!(run.code, code, "{run:#?}");
    let message = match code {
        2 => {
            assert_eq!(run.stdout, "", "{run:#?}");
            assert_eq!(run.stderr.matches("error").count(), 1, "{run:#?}");
            assert!(run.stderr.contains("hint: "), "{run:#?}");
            run.stderr
        }
        // Either way to say it is clear: before there is a report, or in it.
        _ if run.stdout.is_empty() => run.stderr,
        _ => {
            let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
            assert_eq!(report["verdict"], "error");
            assert_eq!(run.stderr, "");
            report["images"][0]["error"].as_str().unwrap().to_owned()
        }
    };
    assert!(message.contains(said), "{said:?} is not in {message}");
    assert!(message.lines().all(|line| line.len() < 1000), "{message}");
    assert_eq!(machine.files(), before);
}

/// A document below the root is the image's fault, and found.
#[rstest]
#[case::index_without_manifests(Index::new(), "manifest/invalid")]
#[case::manifest_said_to_be_huge(
    Index::new().image(application("linux/arm64").descriptor_size(100 << 20)),
    "manifest/invalid"
)]
#[case::manifest_of_another_shape(
    Index::new().image(application("linux/arm64").raw_manifest(b"[[[]]]")),
    "manifest/invalid"
)]
#[case::html(Index::new().image(application("linux/arm64").raw_manifest(b"<html>")), "an HTML or XML page")]
fn what_is_wrong_below_the_root_is_a_finding(#[case] index: Index, #[case] said: &str) {
    Machine::with(&index.forge()).run(&["image"]).says(1, &[said]);
}

/// Opening a pipe waits for somebody to write: nothing may be opened before it was looked at.
#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for() {
    let machine = Machine::with(&good());
    let made = std::process::Command::new("mkfifo").arg(machine.path("pipe")).status().unwrap();
    assert!(made.success());
    machine.run(&["./pipe"]).says(2, &["pipe is no image"]);
    let blob = machine.path("image/blobs").join(good().config_of("linux/arm64").replacen(':', "/", 1));
    fs::remove_file(&blob).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&blob).status().unwrap().success());
    machine.run(&["image"]).says(3, &["no regular file"]);
}

/// A blob of a layout may be a link; a link in an archive's or layout's name leads nowhere else.
#[test]
fn a_layer_cannot_make_anything_be_written() {
    let layer = Layer::new()
        .symlink("escape", "/")
        .file("escape/tmp/written", 0o644, "x")
        .file("/etc/absolute", 0o644, "x")
        .symlink("up", "../../../..")
        .file("up/tmp/written", 0o644, "x");
    let machine = Machine::with(&application("linux/arm64").layer(layer).forge());
    let before = machine.files();
    machine.run(&["image"]).says(0, &[]);
    assert_eq!(machine.files(), before);
}
