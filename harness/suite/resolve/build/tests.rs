use crate::build::own::Request;
use crate::check::policy::Level;
use crate::run::choose::How;
use crate::suite::plan::{BUILD_TIMEOUT, Suite};
use crate::suite::{SuiteError, load};
use mpcheck_reports::FailOn;
use rstest::rstest;
use std::fs;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// A suite beside two contexts; one of them has no Dockerfile of the usual name.
fn loaded(text: &str) -> (Result<Vec<Suite>, SuiteError>, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    for (file, text) in [
        ("release.yaml", text),
        ("Dockerfile", ""),
        ("app/Dockerfile", ""),
        ("app/other.Dockerfile", ""),
        ("bare/other.Dockerfile", ""),
    ] {
        let path = directory.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let suites = load(&directory.path().join("release.yaml"), &|_| None, "2026-11-23".parse().unwrap());
    (suites, directory)
}

fn only(text: &str) -> (Suite, TempDir) {
    let (suites, directory) = loaded(text);
    let mut suites = suites.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(suites.len(), 1);
    (suites.remove(0), directory)
}

#[test]
fn a_build_with_every_key_is_resolved() {
    let (suite, directory) = only(include_str!("whole.yaml"));
    let own = &suite.images[1];
    assert_eq!((own.name.as_str(), own.line), ("own", 12));
    assert_eq!(own.reference, "the build of app, app/other.Dockerfile, stage release");
    let build = own.build.as_ref().unwrap();
    let path = |name: &str| directory.path().join(name);
    let wanted = Request {
        context: path("app").to_string_lossy().into_owned(),
        dockerfile: Some(path("app/other.Dockerfile")),
        platforms: Vec::new(),
        build_args: ["VERSION=1.20", "DEBUG=1", "EMPTY="].map(String::from).to_vec(),
        target: Some("release".to_owned()),
        builder: Some("farm".to_owned()),
        more: ["--secret", "id=token,src=a b"].map(String::from).to_vec(),
        output: None,
    };
    assert_eq!(build.request, wanted);
    assert!(build.check_dockerfile);
    assert_eq!(build.timeout, Duration::from_secs(1800));
    assert_eq!(own.platforms.iter().map(ToString::to_string).collect::<Vec<_>>(), ["linux/arm64"]);
    // What images have, it has as well, and the defaults besides.
    assert_eq!((own.run.how, own.run.timeout, own.run.commands.len()), (How::Docker, Duration::from_secs(5), 1));
    assert_eq!((own.files.len(), own.structure.len(), own.metadata.is_some()), (1, 1, true));
    assert_eq!(own.policy.allowed.len(), 1);
    assert_eq!(own.fail_on, FailOn::Warning);
    let severities: Vec<_> = own.policy.severities.iter().map(|(rule, level)| (*rule, *level)).collect();
    assert_eq!(severities, [("binary/not-a-program", Level::Note), ("build/left-behind", Level::Error)]);
    // What is built has the platforms that it is built for: these two are asked of images alone.
    assert!(suite.images[0].exact && !own.exact);
    assert!(suite.images[0].baseline.is_some() && own.baseline.is_none());
}

#[test]
fn a_build_has_defaults_and_a_name_of_its_own() {
    let (suite, directory) = only(include_str!("whole.yaml"));
    let names: Vec<&str> = suite.images.iter().map(|image| image.name.as_str()).collect();
    // `app` is an image already.
    assert_eq!(names, ["app", "own", "app-build", "app-release", "build", "service"]);
    let build = |at: usize| suite.images[at].build.as_ref().unwrap();
    assert_eq!((build(2).timeout, build(2).check_dockerfile), (BUILD_TIMEOUT, false));
    assert_eq!(build(2).request.dockerfile, None);
    assert_eq!(suite.images[2].platforms.len(), 2);
    assert_eq!(Path::new(&build(3).request.context), directory.path().join("app/"));
    assert_eq!(Path::new(&build(4).request.context), directory.path().join("."));
    assert_eq!(build(5).request.context, "https://git.example/team/service.git#main");
    assert_eq!(build(5).request.dockerfile.as_deref(), Some(Path::new("docker/Dockerfile")));
    assert!(suite.images[0].build.is_none());
}

#[test]
fn without_a_context_it_is_a_rehearsal() {
    let (suite, _directory) = only(include_str!("whole.yaml"));
    let [here, other] = &suite.rehearsals[..] else { panic!("{:?}", suite.rehearsals) };
    let platforms: Vec<String> = here.plan.platforms.iter().map(ToString::to_string).collect();
    assert_eq!((here.name.as_str(), here.line), ("here", 33));
    assert_eq!(platforms, ["linux/amd64", "linux/s390x"]);
    assert_eq!(here.plan.base.as_deref(), Some("alpine:latest"));
    assert_eq!(here.plan.builder.as_deref(), Some("farm"));
    assert_eq!(here.plan.buildkit.as_deref(), Some("moby/buildkit:v0.15.2"));
    assert_eq!(here.plan.registry.as_deref(), Some("ghcr.io/me/rehearsal"));
    assert_eq!((here.timeout, here.fail_on), (Duration::from_secs(3600), FailOn::Warning));
    assert_eq!(here.severities.get("build/left-behind"), Some(&Level::Note));
    assert_eq!((other.name.as_str(), other.plan.platforms.len(), other.timeout), ("rehearsal", 2, BUILD_TIMEOUT));
    assert_eq!((other.plan.base.as_ref(), other.plan.builder.as_ref()), (None, None));
    assert_eq!(other.severities.get("build/left-behind"), Some(&Level::Error));
}

#[test]
fn rehearsals_alone_are_a_suite() {
    let (suite, _directory) = only("version: 1\nbuilds: [{platforms: arm64}]\n");
    assert_eq!((suite.images.len(), suite.rehearsals.len()), (0, 1));
}

#[test]
fn a_context_is_no_option_to_docker() {
    assert_eq!(super::from_here("-x".to_owned()), "./-x");
    assert_eq!(super::from_here("x".to_owned()), "x");
}

/// A suite of one build with these keys.
fn build(keys: &str) -> String {
    format!("version: 1\nbuilds:\n  - {keys}\n")
}

#[rstest]
#[case::a_text("version: 1\nbuilds: [app]\n".to_owned(), &["2:10 a map ("], "write `- context: app`")]
#[case::no_list("version: 1\nbuilds: app\n".to_owned(), &["2:1 a list ("], "write `- context: app`")]
#[case::unknown_key(build("{context: app, dockerfile: x}"), &["3:20 unknown key `dockerfile`"], "the keys here are `context`, `name`, `file`")]
#[case::no_platforms(build("context: app"), &["3:14 `the build of app` names no platforms"], "add `platforms: [linux/amd64, linux/arm64]`")]
#[case::no_platforms_of_a_rehearsal(build("name: x"), &["3:5 this rehearsal names no platforms"], "below `defaults:`")]
#[case::no_directory(build("{context: ap, platforms: arm64}"), &["3:15 there is no directory "], "relative to the directory of the suite, ")]
#[case::no_dockerfile(build("{context: bare, platforms: arm64}"), &["3:15 there is no Dockerfile "], "name it by `file:`")]
#[case::no_such_dockerfile(build("{context: bare, file: other.Dockerfile, platforms: arm64}"), &["3:27 there is no Dockerfile "], "relative to the directory of the suite, ")]
#[case::standard_input(build("{context: '-', platforms: arm64}"), &["3:15 `-` is no directory that can be built"], "`context: .` is its own")]
#[case::nothing(build("{context: '', platforms: arm64}"), &["3:15 `` is no directory"], "`context: .`")]
#[case::both(build("{context: app, platforms: arm64, base: alpine, registry: a.b/c}"),
    &["3:44 `base` is for a rehearsal of the host, and this build has a `context`", "3:62 `registry` is for a rehearsal"], "leave one of them out")]
#[case::keys_of_a_build(build("{platforms: arm64, file: a, target: b, args: {C: d}, options: [e], check-dockerfile: true}"),
    &["3:30 `file` is for a build with a `context`; without one, the host is rehearsed", "3:41 `target` is", "3:51 `args` is", "3:68 `options` is", "3:90 `check-dockerfile` is"],
    "add `context: DIRECTORY`, or leave `file` out")]
#[case::keys_of_an_image(build("{platforms: arm64, allow-foreign: [], run: {with: docker}, files: [{path: /a}], metadata: {user: a}, structure: b}"),
    &["3:39 `allow-foreign` is for a build", "3:48 `run` is", "3:79 `files` is", "3:95 `metadata` is", "3:117 `structure` is"], "leave `allow-foreign` out")]
#[case::of_one_name(build("{context: app, name: x, platforms: arm64}\n  - {name: x, platforms: arm64}"), &["4:12 two builds are called `x`: this one, and the one in line 3"], "another `name:`")]
#[case::an_image_of_that_name("version: 1\nimages: [{image: x, platforms: arm64}]\nbuilds:\n  - {name: x, platforms: arm64}\n".to_owned(),
    &["4:12 this build is called `x`, and so is the image in line 2"], "another `name:`")]
#[case::called_host("version: 1\nhost: {require: arm64}\nbuilds:\n  - {name: host, platforms: arm64}\n".to_owned(), &["4:12 no build can be called `host` here"], "another `name:`")]
#[case::bad_name(build("{name: a/b, platforms: arm64}"), &["3:12 `a/b` has `/`"], "write `a-b`")]
#[case::a_target(build("{context: app, platforms: arm64, target: -x}"), &["3:46 `-x` is no name of a stage or a builder"], "leave the key out")]
#[case::a_builder(build("{platforms: arm64, builder: a b}"), &["3:33 `a b` is no name of a stage or a builder"], "")]
#[case::args(build("{context: app, platforms: arm64, args: {'A=': b, C: '${NONE}'}}"), &["3:45 `A=` is no name", "3:57 the variable NONE is not set"], "")]
#[case::options(build("{context: app, platforms: arm64, options: [--push, '--platform=linux/amd64', -t, x]}"),
    &["3:48 `--push` cannot be among the options", "3:56 `--platform` cannot be", "3:82 `-t` cannot be"], "mpcheck decides where the image goes")]
#[case::options_that_are_a_text(build("{context: app, platforms: arm64, options: --pull}"), &["3:38 a list ("], "write `[--pull]`")]
#[case::a_time(build("{platforms: arm64, timeout: 10}"), &["3:33 `10` is no time"], "")]
#[case::a_base(build("{platforms: arm64, base: Alpine}"), &["3:30 "], "such as alpine:latest")]
#[case::a_buildkit(build("{platforms: arm64, buildkit: Moby}"), &["3:34 "], "such as moby/buildkit:v0.15.2")]
#[case::a_dockerfile_elsewhere(build("{context: https://git.example/a.git, platforms: arm64, check-dockerfile: true}"),
    &["3:78 the Dockerfile of a repository's address is not here to be checked"], "check the repository out")]
#[case::only_a_host(build("{platforms: arm64, registry: ghcr.io}"), &["3:34 `ghcr.io` is a host or a name"], "such as ghcr.io/me/rehearsal")]
#[case::scratch(build("{platforms: arm64, base: scratch}"), &["3:30 scratch is no image"], "leave the key out")]
#[case::a_registry(build("{platforms: arm64, registry: ghcr.io/me/a:1}"), &["3:34 `ghcr.io/me/a:1` is an image"], "such as ghcr.io/me/rehearsal")]
#[case::no_program(build("{platforms: windows/amd64}"), &["3:17 windows/amd64 cannot be rehearsed"], "leave it out")]
#[case::a_rule_of_hosts(build("{platforms: arm64, severities: {host/page-size: off}}"), &["3:37 host/page-size is a rule of the host"], "")]
fn what_is_wrong_has_its_place_and_its_next_step(#[case] text: String, #[case] wanted: &[&str], #[case] next: &str) {
    let error = loaded(&text).0.expect_err("it was taken");
    let problems = error.problems();
    let told: Vec<String> = problems
        .iter()
        .map(|problem| {
            problem.place.map(|at| format!("{}:{} ", at.line, at.column)).unwrap_or_default() + &problem.message
        })
        .collect();
    let starts = told.iter().zip(wanted).all(|(told, wanted)| told.starts_with(wanted));
    assert!(told.len() == wanted.len() && starts, "{told:#?}");
    assert!(problems[0].hint.contains(next), "{}", problems[0].hint);
}

#[test]
fn a_great_many_builds_with_large_defaults_are_refused() {
    let commands = "{command: [aaaaaaaaaaaaaaaaaaaa, b, c, d]}, ".repeat(2000);
    let text = format!(
        "version: 1\ndefaults: {{platforms: arm64, run: {{commands: [{commands}]}}}}\nbuilds:\n{}",
        "  - {context: app}\n".repeat(500)
    );
    let error = loaded(&text).0.expect_err("it was taken").to_string();
    assert!(error.contains("with the defaults that all builds have in common, this suite is too large"), "{error}");
}
