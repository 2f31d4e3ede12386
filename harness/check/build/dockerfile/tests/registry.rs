//! Digests, looked up in a registry of the test's own.

use super::{BOTH, check, told, wanted};
use crate::build::dockerfile::Dockerfile;
use crate::image::reader::Reader;
use mpcheck_kit::fault_registry::{FaultRegistry, Reply, Request};
use mpcheck_kit::image::Image;
use mpcheck_kit::index::Index;
use mpcheck_kit::store::Forged;
use rstest::rstest;

/// A registry that has these images under every name.
fn holding(images: Vec<Forged>) -> FaultRegistry {
    FaultRegistry::start(move |request: &Request| {
        if request.target == "/v2/" {
            return Reply::ok("{}");
        }
        let digest = request.target.rsplit('/').next().unwrap_or_default();
        match images.iter().find_map(|image| image.blobs.get(digest)) {
            None => Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
            Some(bytes) if request.target.contains("/manifests/") => {
                let document: serde_json::Value = serde_json::from_slice(bytes).unwrap();
                Reply::ok(bytes.clone())
                    .header("Content-Type", document["mediaType"].as_str().unwrap())
                    .header("Docker-Content-Digest", digest)
            }
            Some(bytes) => Reply::ranged(bytes, request),
        }
    })
    .unwrap()
}

fn index(platforms: &[&str]) -> Forged {
    Index::new().images(platforms.iter().map(|platform| Image::new(platform))).forge()
}

/// What is found where `AMD64`, `ARM64`, `INDEX` and `PART` (an index without arm64) are digests in the registry `HOST`.
fn found(text: &str) -> Vec<String> {
    let images = [
        ("AMD64", Image::new("linux/amd64").forge()),
        ("ARM64", Image::new("linux/arm64").forge()),
        ("INDEX", index(BOTH)),
        ("PART", index(&["linux/amd64", "linux/s390x"])),
    ];
    let registry = holding(images.iter().map(|(_, image)| image.clone()).collect());
    let mut text = text.replace("HOST", &registry.host());
    for (name, image) in &images {
        text = text.replace(&format!("@{name}"), &format!("@{}", image.root.digest));
    }
    let dockerfile = Dockerfile::parse(text.as_bytes()).unwrap();
    told(&check(&dockerfile, "Dockerfile", &wanted(BOTH), &Reader::default()))
}

#[rstest]
#[case::one("FROM HOST/a@AMD64", &["single-platform-base 1: linux/arm64, linux/amd64"])]
#[case::with_a_tag("FROM HOST/a:1@ARM64", &["single-platform-base 1: linux/amd64, linux/arm64"])]
#[case::index("FROM HOST/a@INDEX", &[])]
#[case::index_that_lacks_one("FROM HOST/a@PART", &["single-platform-base 1: linux/arm64, linux/amd64 and linux/s390x"])]
#[case::tag_only("FROM HOST/a:1", &[])]
#[case::below_a_stage("FROM HOST/a@AMD64 AS b\nRUN x\nFROM b\nRUN y", &["single-platform-base 1: linux/arm64, linux/amd64"])]
#[case::by_an_arg("ARG BASE=HOST/a@AMD64\nFROM $BASE", &["single-platform-base 2: linux/arm64, linux/amd64"])]
#[case::one_for_each("FROM HOST/a@AMD64 AS b-amd64\nFROM HOST/a@ARM64 AS b-arm64\nFROM b-$TARGETARCH", &[])]
#[case::mixed_up("FROM HOST/a@ARM64 AS b-amd64\nFROM HOST/a@ARM64 AS b-arm64\nFROM b-$TARGETARCH", &["single-platform-base 1: linux/amd64, linux/arm64"])]
#[case::compiles_on_the_build_machine("FROM --platform=$BUILDPLATFORM HOST/a@AMD64 AS b\nFROM HOST/c@INDEX\nCOPY --from=b /x /x", &[])]
#[case::compiles_for_the_target("FROM HOST/a@AMD64 AS b\nARG TARGETARCH\nRUN GOARCH=$TARGETARCH go build\nFROM HOST/c@INDEX\nCOPY --from=b /x /x", &[])]
#[case::compiles_for_itself("FROM HOST/a@AMD64 AS b\nRUN go build\nFROM HOST/c@INDEX\nCOPY --from=b /x /x", &["single-platform-base 1: linux/arm64, linux/amd64"])]
#[case::not_needed("FROM HOST/a@AMD64 AS b\nRUN go build\nFROM HOST/c@INDEX", &[])]
#[case::copied_from_an_image("FROM HOST/c@INDEX\nCOPY --from=HOST/uv@AMD64 /uv /bin/", &["single-platform-base 2: linux/arm64, linux/amd64"])]
#[case::copied_from_an_index("FROM scratch\nCOPY --from=HOST/uv@INDEX /uv /bin/", &[])]
#[case::mounted("FROM HOST/c@INDEX\nRUN --mount=type=bind,from=HOST/uv@AMD64,target=/t x", &[])]
#[case::pinned_twice("FROM --platform=linux/amd64 HOST/a@AMD64", &["pinned-stage 1: linux/arm64, linux/amd64"])]
fn digests_are_looked_up(#[case] text: &str, #[case] expected: &[&str]) {
    assert_eq!(found(text), expected);
}

#[rstest]
#[case::not_there(
    "FROM HOST/a@sha256:0000000000000000000000000000000000000000000000000000000000000000",
    "which platforms the base image is of is not known: "
)]
#[case::no_digest("FROM HOST/a@sha256:0", "which platforms the base image is of is not known: `")]
#[case::no_name("FROM HOST/A@INDEX", "which platforms the base image is of is not known: `")]
fn what_cannot_be_looked_up_is_undecided_with_its_reason(#[case] text: &str, #[case] said: &str) {
    let found = found(text);
    let [undecided] = found.as_slice() else { panic!("{found:?}") };
    assert!(undecided.starts_with(&format!("undecided Dockerfile:1: {said}")), "{undecided}");
}

#[test]
fn a_registry_that_is_not_there_is_undecided() {
    let digest = "sha256:".to_owned() + &"0".repeat(64);
    let dockerfile = Dockerfile::parse(format!("FROM 127.0.0.1:1/a@{digest}").as_bytes()).unwrap();
    let checked = check(&dockerfile, "D", &wanted(BOTH), &Reader::default());
    assert_eq!((checked.findings.len(), checked.undecided.len()), (0, 1), "{checked:?}");
    assert!(
        checked.undecided[0].starts_with("D:1: which platforms the base image is of is not known: "),
        "{checked:?}"
    );
}

#[test]
fn nothing_but_documents_is_read_and_each_once() {
    let image = Image::new("linux/amd64").forge();
    let digest = image.root.digest.clone();
    let registry = holding(vec![image]);
    let text = format!("FROM {0}/a@{digest}\nCOPY --from={0}/a@{digest} /x /x\nFROM {0}/a@{digest}", registry.host());
    let dockerfile = Dockerfile::parse(text.as_bytes()).unwrap();
    let checked = check(&dockerfile, "Dockerfile", &wanted(BOTH), &Reader::default());
    assert_eq!(told(&checked), ["single-platform-base 3: linux/arm64, linux/amd64"]);
    let hint = &checked.findings[0].hint;
    assert!(hint.contains(&format!("`docker buildx imagetools inspect {}/a`", registry.host())), "{hint}");
    let gets = registry.requests().iter().filter(|request| request.target.contains("/manifests/")).count();
    assert!(gets <= 2, "{gets}");
}
