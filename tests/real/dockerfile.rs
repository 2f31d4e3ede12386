//! What real builders make of a Dockerfile, held against what is read of it: which line made which entry of the
//! history, and which platform and which TARGETARCH an image gets.

use crate::parts::{EngineImage, classic, containerd, docker, done, part, real_image, registry, skopeo_copy};
use mpcheck::build::dockerfile::{Dockerfile, Scope};
use mpcheck::check::build::dockerfile::{Wanted, check};
use mpcheck::image::reader::Reader;
use mpcheck::platform::Platform;
use rstest::rstest;
use std::collections::BTreeMap;
use std::fs;
use tempfile::TempDir;

const DOCKERFILE: &str = r#"FROM BASE AS stage
ARG TARGETARCH=amd64
LABEL arch=$TARGETARCH
RUN echo twice
FROM stage
ENV A="x y" B=$TARGETARCH
RUN echo hi && \
    # a comment in between

    echo ho
RUN echo twice
WORKDIR srv
COPY a .
COPY --chmod=755 app-${TARGETARCH:-amd64} /usr/bin/
ADD a /b
RUN ["/bin/sh", "-c", "true"]
EXPOSE 80/tcp
VOLUME /data
SHELL ["/bin/sh", "-e", "-c"]
RUN echo e
USER root
CMD ["a", "b"]
ENTRYPOINT a b
"#;
/// The line of each entry of the history.
const LINES: [usize; 18] = [2, 3, 4, 6, 7, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23];

const HEREDOCS: &str = r#"RUN <<EOF
echo one
EOF
RUN <<SCRIPT
#!/bin/sh
echo two
SCRIPT
RUN cat <<X > /x
three
X
COPY <<"f" /etc/f
four
f
"#;
const HEREDOC_LINES: [usize; 4] = [24, 27, 31, 34];

fn old() -> String {
    part("MPCHECK_ENGINE_OLD")
}

/// A context with this Dockerfile, of which `BASE` is a real image in the registry.
fn context(dockerfile: &str, name: &str) -> (TempDir, String) {
    let base = format!("{}/dockerfile/{name}:1", registry());
    let mut copy = skopeo_copy();
    copy.arg("--dest-tls-verify=false").arg(format!("oci:{}:latest", real_image("busybox").display()));
    done(copy.arg(format!("docker://{base}")));
    let directory = tempfile::tempdir().unwrap();
    for name in ["a", "app-amd64", "app-arm64"] {
        fs::write(directory.path().join(name), "x\n").unwrap();
    }
    let dockerfile = dockerfile.replace("BASE", &base);
    fs::write(directory.path().join("Dockerfile"), &dockerfile).unwrap();
    (directory, dockerfile)
}

fn build(socket: &str, context: &TempDir, name: &str, buildkit: &str, arguments: &[&str]) -> EngineImage {
    let image = EngineImage::named(socket, name);
    let mut command = docker(socket);
    command.env("DOCKER_BUILDKIT", buildkit).args(["build", "--quiet", "--tag", name]).args(arguments);
    done(command.arg(context.path()));
    image
}

/// The history, the oldest first.
fn history(image: &EngineImage) -> Vec<String> {
    let format = "{{json .CreatedBy}}";
    let said = done(docker(&image.socket).args(["history", "--no-trunc", "--format", format, &image.name]));
    said.lines().rev().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[rstest]
#[case::buildkit(containerd, "1", "dockerfile-history-a", true)]
#[case::buildkit_and_the_classic_store(classic, "1", "dockerfile-history-b", true)]
#[case::classic_builder(classic, "0", "dockerfile-history-c", false)]
#[case::old_classic_builder(old, "0", "dockerfile-history-d", false)]
fn each_entry_of_a_real_history_has_its_line(
    #[case] engine: fn() -> String,
    #[case] buildkit: &str,
    #[case] name: &str,
    #[case] has_heredocs: bool,
) {
    let mut text = DOCKERFILE.to_owned();
    let mut lines = LINES.map(Some).to_vec();
    if has_heredocs {
        text.push_str(HEREDOCS);
        lines.extend(HEREDOC_LINES.map(Some));
    } else {
        // The classic builder has neither.
        text = text.replace("--chmod=755 ", "");
    }
    let (context, text) = context(&text, name);
    let image = build(&engine(), &context, name, buildkit, &[]);
    let history = history(&image);
    let entries: Vec<&str> = history.iter().map(String::as_str).collect();

    let platform = Platform::parse("linux/amd64").unwrap();
    let scope = Scope { target: &platform, build: &platform, build_args: &BTreeMap::new() };
    let dockerfile = Dockerfile::parse(text.as_bytes()).unwrap();
    let built = dockerfile.built(None, &scope).unwrap();
    let found = built.lines_of(&entries);
    let (of_base, own) = found.split_at(found.len() - lines.len());
    assert_eq!(own, lines, "{entries:#?}");
    assert!(!of_base.is_empty() && of_base.iter().all(Option::is_none), "{entries:#?}");
    // Alone, an entry has the same line or none; none is wrong.
    for (entry, line) in entries.iter().zip(&found) {
        let alone = built.line_of(entry);
        assert!(alone.is_none() || alone == *line, "{entry}: {alone:?} and not {line:?}");
        let is_told = entry.starts_with("COPY") || entry.contains("echo h") || entry.contains("ENTRYPOINT");
        assert!(alone.is_some() || !is_told || line.is_none(), "{entry}");
    }
}

/// What `pinned-stage` and `fixed-architecture` say of platforms and defaults is what BuildKit does.
#[rstest]
#[case::by_the_builder("FROM scratch\nARG TARGETARCH\nLABEL a=$TARGETARCH\nCOPY a /a", "arm64 arm64")]
#[case::a_default_wins("FROM scratch\nARG TARGETARCH=amd64\nLABEL a=$TARGETARCH\nCOPY a /a", "arm64 amd64")]
#[case::a_global_one_too(
    "ARG TARGETARCH=amd64\nFROM scratch\nARG TARGETARCH\nLABEL a=$TARGETARCH\nCOPY a /a",
    "arm64 amd64"
)]
#[case::scratch_has_none(
    "FROM --platform=$BUILDPLATFORM scratch\nARG TARGETARCH\nLABEL a=$TARGETARCH\nCOPY a /a",
    "arm64 arm64"
)]
#[case::the_stage_below_counts(
    "FROM BASE AS b\nFROM --platform=$BUILDPLATFORM b\nCOPY --from=b /bin/busybox /x\nLABEL a=x",
    "arm64 x"
)]
fn platforms_are_what_the_rules_take_them_for(#[case] text: &str, #[case] expected: &str) {
    let name = format!("dockerfile-platform-{}", text.len());
    let (context, text) = context(text, &name);
    let image = build(&containerd(), &context, &name, "1", &["--platform", "linux/arm64"]);
    let format = "{{.Architecture}} {{.Config.Labels.a}}";
    let said = done(docker(&image.socket).args(["image", "inspect", "--format", format, &image.name]));
    assert_eq!(said.trim(), expected);
    let found = checked(&text);
    let is_fixed = expected.ends_with("amd64");
    assert_eq!(found.iter().any(|rule| rule == "build/fixed-architecture"), is_fixed, "{found:?}");
    assert!(!found.iter().any(|rule| rule == "build/pinned-stage"), "{found:?}");
}

fn checked(text: &str) -> Vec<String> {
    let platforms = ["linux/amd64", "linux/arm64"].map(|platform| Platform::parse(platform).unwrap());
    let wanted = Wanted {
        build_platform: platforms[0].clone(),
        platforms: platforms.into(),
        target: None,
        build_args: BTreeMap::new(),
    };
    let checked = check(&Dockerfile::parse(text.as_bytes()).unwrap(), "Dockerfile", &wanted, &Reader::of_user());
    assert_eq!(checked.undecided, Vec::<String>::new());
    checked.findings.into_iter().map(|finding| finding.rule).collect()
}

/// A real registry: the digest of the index is right, that of one platform's manifest is found.
#[test]
fn a_digest_is_looked_up_in_a_real_registry() {
    let (_context, text) = context("FROM BASE", "digest");
    let base = text.strip_prefix("FROM ").unwrap();
    let digest = |raw: &str| mpcheck_kit::digest::sha256(raw.as_bytes());
    let inspect = |arguments: &[&str]| {
        let mut command = std::process::Command::new("skopeo");
        done(command.args(["--insecure-policy", "inspect", "--tls-verify=false"]).args(arguments))
    };
    let raw = inspect(&["--raw", &format!("docker://{base}")]);
    assert_eq!(checked(&format!("FROM {base}@{}", digest(&raw))), Vec::<String>::new());
    let index: serde_json::Value = serde_json::from_str(&raw).unwrap();
    let entries = index["manifests"].as_array().unwrap();
    let amd64 = entries.iter().find(|entry| entry["platform"]["architecture"] == "amd64").unwrap();
    let pinned = format!("FROM {base}@{}", amd64["digest"].as_str().unwrap());
    assert_eq!(checked(&pinned), ["build/single-platform-base"]);
}
