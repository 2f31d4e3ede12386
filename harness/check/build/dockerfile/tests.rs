//! Dockerfiles as projects have them, which are right, and what becomes of each where one line is wrong.

mod downloads;
mod projects;
mod registry;

use super::*;
use crate::build::dockerfile::Dockerfile;
use rstest::rstest;

/// linux/amd64 builds for linux/amd64 and linux/arm64.
pub(super) fn wanted(platforms: &[&str]) -> Wanted {
    Wanted {
        platforms: platforms.iter().map(|platform| Platform::parse(platform).unwrap()).collect(),
        build_platform: Platform::parse("linux/amd64").unwrap(),
        target: None,
        build_args: BTreeMap::new(),
    }
}

pub(super) fn check_for(text: &str, wanted: &Wanted) -> Checked {
    check(&Dockerfile::parse(text.as_bytes()).unwrap(), "Dockerfile", wanted, &Reader::default())
}

/// `rule line: expected instead`, with what is not decided.
pub(super) fn told(checked: &Checked) -> Vec<String> {
    let told = |finding: &Finding| {
        let name = finding.rule.strip_prefix("build/").unwrap();
        let line = finding.path.as_deref().unwrap().rsplit(':').next().unwrap();
        match (&finding.expected, &finding.observed) {
            (Some(expected), Some(observed)) => format!("{name} {line}: {expected}, {observed}"),
            _ => format!("{name} {line}"),
        }
    };
    let undecided = checked.undecided.iter().map(|why| format!("undecided {why}"));
    checked.findings.iter().map(told).chain(undecided).collect()
}

pub(super) fn found(text: &str, platforms: &[&str]) -> Vec<String> {
    told(&check_for(text, &wanted(platforms)))
}

pub(super) const BOTH: &[&str] = &["linux/amd64", "linux/arm64"];

#[rstest]
#[case::build_platform("FROM --platform=$BUILDPLATFORM a", BOTH, &["pinned-stage 1: linux/arm64, linux/amd64"])]
#[case::build_platform_alone("FROM --platform=$BUILDPLATFORM a", &["linux/amd64"], &[])]
#[case::braces("FROM --platform=${BUILDPLATFORM} a", BOTH, &["pinned-stage 1: linux/arm64, linux/amd64"])]
#[case::default("FROM --platform=${BUILDPLATFORM:-linux/amd64} a", BOTH, &["pinned-stage 1: linux/arm64, linux/amd64"])]
#[case::target("FROM --platform=$TARGETPLATFORM a", BOTH, &[])]
#[case::parts("FROM --platform=$TARGETOS/$TARGETARCH a", BOTH, &[])]
#[case::parts_with_variant("FROM --platform=linux/${TARGETARCH}${TARGETVARIANT:+/$TARGETVARIANT} a", &["linux/arm/v6", "linux/amd64"], &[])]
#[case::none("FROM a", BOTH, &[])]
#[case::constant("FROM --platform=linux/amd64 a", BOTH, &["pinned-stage 1: linux/arm64, linux/amd64"])]
#[case::constant_that_is_wanted("FROM --platform=linux/amd64 a", &["linux/amd64"], &[])]
#[case::constant_in_another_spelling("FROM --platform=linux/x86_64 a", &["linux/amd64"], &[])]
#[case::constant_that_is_not_wanted("FROM --platform=linux/s390x a", BOTH, &["pinned-stage 1: linux/amd64 and linux/arm64, linux/s390x"])]
#[case::lower_variant("FROM --platform=linux/arm/v6 a", &["linux/arm/v7"], &[])]
#[case::higher_variant("FROM --platform=linux/arm/v7 a", &["linux/arm/v6"], &["pinned-stage 1: linux/arm/v6, linux/arm/v7"])]
#[case::by_a_global_arg("ARG P=linux/amd64\nFROM --platform=$P a", BOTH, &["pinned-stage 2: linux/arm64, linux/amd64"])]
#[case::scratch("FROM --platform=$BUILDPLATFORM scratch", BOTH, &[])]
#[case::build_stage("FROM --platform=$BUILDPLATFORM a AS b\nFROM c\nCOPY --from=b /x /x", BOTH, &[])]
#[case::from_a_pinned_stage("FROM --platform=$BUILDPLATFORM a AS b\nFROM b", BOTH, &["pinned-stage 1: linux/arm64, linux/amd64"])]
#[case::the_base_counts("FROM a AS b\nFROM --platform=$BUILDPLATFORM b", BOTH, &[])]
#[case::by_the_platform("FROM --platform=linux/amd64 a AS x-amd64\nFROM --platform=linux/arm64 a AS x-arm64\nFROM x-$TARGETARCH", BOTH, &[])]
#[case::a_global_default_replaces_it("ARG BUILDPLATFORM=linux/arm64\nFROM --platform=$BUILDPLATFORM a", &["linux/arm64"], &[])]
#[case::not_set("FROM --platform=$NO a", BOTH, &["undecided Dockerfile:1: the platform of the final stage cannot be told: NO is not set, give it by --build-arg"])]
#[case::no_platform("FROM --platform=linux/amd64/v2/x a", BOTH, &["undecided Dockerfile:1: the platform of the final stage cannot be told: "])]
#[case::not_evaluated("FROM --platform=${X#y} a", BOTH, &["undecided Dockerfile:1: the platform of the final stage cannot be told: it has a form of `${...}` that mpcheck does not evaluate"])]
#[case::base_not_set("FROM $NO", BOTH, &["undecided Dockerfile:1: what it is FROM cannot be told: NO is not set"])]
fn the_platform_of_the_final_stage(#[case] text: &str, #[case] platforms: &[&str], #[case] expected: &[&str]) {
    let found = found(text, platforms);
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}");
    }
}

#[test]
fn a_target_and_build_args_count() {
    let text = "ARG P=linux/amd64\nFROM --platform=$P a AS one\nFROM b";
    let mut wanted = wanted(BOTH);
    assert_eq!(told(&check_for(text, &wanted)), Vec::<String>::new());
    wanted.target = Some("one".to_owned());
    assert_eq!(told(&check_for(text, &wanted)), ["pinned-stage 2: linux/arm64, linux/amd64"]);
    wanted.build_args = BTreeMap::from([("P".to_owned(), "linux/arm64".to_owned())]);
    assert_eq!(told(&check_for(text, &wanted)), ["pinned-stage 2: linux/amd64, linux/arm64"]);
    wanted.target = Some("two".to_owned());
    let undecided = &check_for(text, &wanted).undecided;
    assert_eq!(
        undecided,
        &[
            "Dockerfile: no stage is called \"two\"; there are one; name one of them by --target, or leave it out for the last"
        ]
    );
}

#[test]
fn a_finding_says_where_what_and_the_next_step() {
    let text = "FROM --platform=$BUILDPLATFORM golang AS build\nRUN make\n\nFROM \\\n  --platform=$BUILDPLATFORM \\\n  debian\nCOPY --from=build /a /a\n";
    let checked = check_for(text, &wanted(BOTH));
    let [finding] = checked.findings.as_slice() else { panic!("{checked:?}") };
    assert_eq!(finding.rule, "build/pinned-stage");
    assert_eq!(finding.severity, mpcheck_reports::Severity::Warning);
    assert_eq!(finding.path.as_deref(), Some("Dockerfile:4"));
    assert_eq!(finding.instruction.as_deref(), Some("FROM --platform=$BUILDPLATFORM debian"));
    assert_eq!((finding.expected.as_deref(), finding.observed.as_deref()), (Some("linux/arm64"), Some("linux/amd64")));
    assert_eq!(
        finding.message,
        "the final stage is of the build machine's platform: the image for linux/arm64 is made of linux/amd64"
    );
    assert!(finding.hint.starts_with("take --platform=$BUILDPLATFORM out of line 4: "), "{}", finding.hint);
    assert_eq!((finding.platform.as_ref(), finding.layer.as_ref(), &*finding.image), (None, None, ""));
}

#[rstest]
#[case::unused("FROM a\nARG TARGETARCH\nRUN go build", BOTH, &["unused-targetarch 2"])]
#[case::platform("FROM a\nARG TARGETPLATFORM\nRUN apt-get update && apt-get install -y x", BOTH, &["unused-targetarch 2"])]
#[case::no_run("FROM a\nARG TARGETARCH\nCOPY app /app", BOTH, &["unused-targetarch 2"])]
#[case::several("FROM a\nARG TARGETOS TARGETARCH\nRUN go build", BOTH, &["unused-targetarch 2"])]
#[case::once_for_a_stage("FROM a\nARG TARGETOS\nARG TARGETARCH\nARG TARGETPLATFORM\nRUN go build", BOTH, &["unused-targetarch 3"])]
#[case::only_the_build_machine("FROM a\nARG TARGETARCH\nRUN go build", &["linux/amd64"], &[])]
#[case::another_alone("FROM a\nARG TARGETARCH\nRUN go build", &["linux/arm64"], &["unused-targetarch 2"])]
#[case::used("FROM a\nARG TARGETARCH\nRUN GOARCH=$TARGETARCH go build", BOTH, &[])]
#[case::used_in_braces("FROM a\nARG TARGETARCH\nRUN GOARCH=${TARGETARCH} go build", BOTH, &[])]
#[case::used_by_another("FROM a\nARG TARGETARCH\nARG A=$TARGETARCH\nRUN go build", BOTH, &[])]
#[case::used_in_env("FROM a\nARG TARGETARCH\nENV GOARCH=$TARGETARCH\nRUN go build", BOTH, &[])]
#[case::used_in_copy("FROM a\nARG TARGETARCH\nCOPY app-$TARGETARCH /app", BOTH, &[])]
#[case::used_in_a_heredoc("FROM a\nARG TARGETARCH\nRUN <<E\ngo build -o $TARGETARCH\nE", BOTH, &[])]
#[case::used_by_a_sibling("FROM a\nARG TARGETARCH TARGETVARIANT\nRUN echo $TARGETVARIANT", BOTH, &[])]
#[case::used_before_only("FROM a\nRUN echo $TARGETARCH\nARG TARGETARCH\nRUN go build", BOTH, &["unused-targetarch 3"])]
#[case::used_in_an_heir("FROM a AS b\nARG TARGETARCH\nFROM b\nRUN GOARCH=$TARGETARCH go build", BOTH, &[])]
#[case::used_in_another_stage("FROM a AS b\nARG TARGETARCH\nRUN go build\nFROM c\nARG TARGETARCH\nRUN echo $TARGETARCH\nCOPY --from=b x y", BOTH, &["unused-targetarch 2"])]
#[case::a_script_may_read_it("FROM a\nARG TARGETARCH\nRUN ./build.sh", BOTH, &[])]
#[case::so_may_make("FROM a\nARG TARGETARCH\nRUN make", BOTH, &[])]
#[case::so_may_npm("FROM a\nARG TARGETARCH\nRUN npm ci", BOTH, &[])]
#[case::so_may_xx("FROM a\nARG TARGETPLATFORM\nRUN xx-go build", BOTH, &[])]
#[case::so_may_a_part("FROM a\nARG TARGETARCH\nRUN apt-get update && ./x.sh", BOTH, &[])]
#[case::so_may_what_is_computed("FROM a\nARG TARGETARCH\nRUN echo $(./x)", BOTH, &[])]
#[case::so_may_a_branch("FROM a\nARG TARGETARCH\nRUN if true; then ./x; fi", BOTH, &[])]
#[case::so_may_exec("FROM a\nARG TARGETARCH\nRUN [\"./x\"]", BOTH, &[])]
#[case::so_may_go_run("FROM a\nARG TARGETARCH\nRUN go run ./build", BOTH, &[])]
#[case::so_may_a_heredoc("FROM a\nARG TARGETARCH\nRUN <<E\n./x\nE", BOTH, &[])]
#[case::so_may_a_program_with_one("FROM a\nARG TARGETARCH\nRUN python3 <<E\nimport os\nE", BOTH, &[])]
#[case::so_may_a_shell("FROM a\nARG TARGETARCH\nSHELL [\"/own\", \"-c\"]\nRUN echo x", BOTH, &[])]
#[case::so_may_onbuild("FROM a\nARG TARGETARCH\nONBUILD RUN ./x $TARGETARCH", BOTH, &[])]
#[case::not_a_plain_heredoc("FROM a\nARG TARGETARCH\nRUN <<E\n#!/bin/sh\n# a comment\nset -e\nCGO_ENABLED=0 go build\nE", BOTH, &["unused-targetarch 2"])]
#[case::not_exec("FROM a\nARG TARGETARCH\nRUN [\"go\", \"build\"]", BOTH, &["unused-targetarch 2"])]
#[case::not_in_a_stage_that_nobody_needs("FROM a\nARG TARGETARCH\nRUN go build\nFROM b", BOTH, &[])]
#[case::global("ARG TARGETARCH\nFROM a", BOTH, &[])]
fn an_architecture_that_is_asked_for(#[case] text: &str, #[case] platforms: &[&str], #[case] expected: &[&str]) {
    assert_eq!(found(text, platforms), expected);
}

/// Written by nobody: each rule has an end, whatever is in the file.
#[rstest]
#[case::stages((0..500).map(|n| format!("FROM {} AS s{n}\nARG TARGETARCH\nENV A{n}=$A\n", if n == 0 { "a".to_owned() } else { format!("s{}", n - 1) })).collect())]
#[case::copies(format!("FROM --platform=$BUILDPLATFORM a AS b\nRUN curl -o /x https://example.org/t-amd64\nFROM c\n{}", "COPY --from=b /y /y\n".repeat(20_000)))]
#[case::downloads(format!("FROM a\n{}", "ADD https://example.org/t-amd64 /\n".repeat(20_000)))]
#[case::variables(format!("FROM a\n{}", (0..20_000).map(|n| format!("ENV GOARCH=amd64 A{n}=$GOARCH\n")).collect::<String>()))]
#[case::commands(format!("FROM a\nARG TARGETARCH\n{}", "RUN echo x && true; ls | sort\n".repeat(20_000)))]
fn a_file_that_nobody_wrote_has_an_end(#[case] text: String) {
    let checked = check_for(&text, &wanted(&["linux/amd64", "linux/arm64", "linux/s390x"]));
    assert!(checked.findings.len() <= 600, "{}", checked.findings.len());
}
