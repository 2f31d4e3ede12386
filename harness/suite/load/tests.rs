use super::*;
use crate::check::policy::Level;
use crate::image::reference::Location;
use crate::run::choose::How;
use crate::suite::plan::{FileKind, ValuePlan};
use rstest::rstest;
use std::time::Duration;
use tempfile::TempDir;

const TODAY: &str = "2026-11-23";

/// A directory with these files.
fn directory(files: &[(&str, &[u8])]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(directory.path().join(name), bytes).unwrap();
    }
    directory
}

fn environment(name: &str) -> Option<String> {
    match name {
        "TAG" => Some("3.20".to_owned()),
        "BAD_PLATFORM" => Some("linux/arm65".to_owned()),
        "EMPTY" => Some(String::new()),
        "KEY" => Some("A".to_owned()),
        "YAML" => Some("x: [&a *a".to_owned()),
        _ => None,
    }
}

fn loaded(text: &str) -> Result<Vec<Suite>, SuiteError> {
    let directory = directory(&[("release.yaml", text.as_bytes())]);
    load(&directory.path().join("release.yaml"), &environment, TODAY.parse().unwrap())
}

fn only(text: &str) -> Suite {
    let mut suites = loaded(text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(suites.len(), 1);
    suites.remove(0)
}

/// A suite of one image with these lines.
fn image(lines: &str) -> String {
    format!("version: 1\nimages:\n  - image: alpine\n    platforms: [linux/amd64]\n{lines}")
}

/// What is wrong, as `LINE:COLUMN message`, and the next steps.
fn wrong(text: &str) -> (Vec<String>, Vec<String>) {
    let error = loaded(text).expect_err("it was taken");
    let problems = error.problems();
    let told = problems.iter().map(|problem| match problem.place {
        Some(place) => format!("{}:{} {}", place.line, place.column, problem.message),
        None => problem.message.clone(),
    });
    (told.collect(), problems.iter().map(|problem| problem.hint.clone()).collect())
}

#[test]
fn a_whole_suite_is_resolved() {
    let suite = only(include_str!("whole.yaml"));
    assert_eq!(suite.name, "nightly");
    assert_eq!(suite.host.as_ref().unwrap().require[0].to_string(), "linux/arm64");
    assert_eq!(suite.host.unwrap().severities.get("host/page-size"), Some(&Level::Note));
    let names: Vec<&str> = suite.images.iter().map(|image| image.name.as_str()).collect();
    assert_eq!(names, ["app", "alpine-3.20", "alpine-3.21", "out"]);
    let app = &suite.images[0];
    assert_eq!(app.reference, "docker.io/library/app:3.20");
    assert_eq!(app.line, 32);
    assert!(app.exact);
    assert_eq!(app.platforms.iter().map(ToString::to_string).collect::<Vec<_>>(), ["linux/amd64", "linux/arm/v7"]);
    assert_eq!(app.baseline.as_ref().unwrap().0, "app:old");
    assert_eq!(app.fail_on, mpcheck_reports::FailOn::Warning);
    let allowed = &app.policy.allowed[0];
    assert!(allowed.covers(b"opt/probes/a/b", Some("amd64")));
    assert_eq!(allowed.expires.unwrap().to_string(), "2027-06-30");
    // Merged key by key: one of the defaults, one of its own, and one of both.
    let severities: Vec<_> = app.policy.severities.iter().map(|(rule, level)| (*rule, *level)).collect();
    let wanted = [
        ("binary/emulator-left-behind", Level::Off),
        ("binary/not-a-program", Level::Warning),
        ("manifest/orphan-attestation", Level::Error),
    ];
    assert_eq!(severities, wanted);
    assert_eq!(app.run.how, How::Sandbox);
    assert!(app.run.required);
    assert_eq!((app.run.limits.memory, app.run.limits.processes), (4 << 30, 64));
    assert_eq!(app.run.limits.temporary, crate::run::Limits::default().temporary);
    let commands: Vec<&str> = app.run.commands.iter().map(|command| command.name.as_str()).collect();
    assert_eq!(commands, ["python", "sh-c-echo-HOME", "sleep-1", "sleep-1-2"]);
    let python = &app.run.commands[0];
    assert_eq!(python.words, ["python3", "--version"]);
    assert_eq!(python.timeout, Duration::from_secs(5));
    assert_eq!(python.expect.code, 3);
    assert_eq!(python.expect.stdout[0].as_str(), "^Python 3\\.1$");
    assert_eq!(python.expect.not_stderr.len(), 2);
    assert_eq!(python.environment, [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "${TAG}".to_owned())]);
    assert_eq!(python.user.as_deref(), Some("1000"));
    assert!(python.writable && python.network);
    assert_eq!(python.platforms.len(), 1);
    assert_eq!(python.exceptions[0].reason, "qemu 7 has no such instruction");
    assert_eq!(python.exceptions[0].expires.unwrap().to_string(), TODAY);
    assert_eq!(app.run.commands[1].words, ["sh", "-c", "echo $HOME"]);
    assert_eq!(app.run.commands[1].timeout, Duration::from_secs(30));
}

#[test]
fn files_metadata_and_defaults_are_resolved() {
    let suite = only(include_str!("whole.yaml"));
    let app = &suite.images[0];
    let file = &app.files[0];
    assert_eq!((file.name.as_str(), file.path.as_str(), file.exists), ("usr-bin-app", "/usr/bin/app", true));
    assert_eq!((file.mode, file.user, file.group, file.executable), (Some(0o4755), Some(0), Some(10), Some(true)));
    assert_eq!(file.kind, Some(FileKind::File));
    assert!(file.content[0].is_match(b"\x7fELF\xff"));
    assert_eq!((app.files[1].kind, app.files[1].target.as_deref()), (Some(FileKind::Symlink), Some("app")));
    assert!(!app.files[2].exists);
    let metadata = app.metadata.as_ref().unwrap();
    assert_eq!(metadata.entrypoint.as_deref().unwrap(), ["/usr/bin/app"]);
    assert_eq!(metadata.command.as_deref().unwrap(), [""; 0]);
    let values: Vec<String> = metadata
        .environment
        .iter()
        .map(|(name, value)| match value {
            ValuePlan::Exact(text) => format!("{name}={text}"),
            ValuePlan::Matches(pattern) => format!("{name}~{pattern}"),
            ValuePlan::Absent => format!("{name} absent"),
        })
        .collect();
    assert_eq!(values, ["A=b", "C~^x", "D absent", "E=absent"]);
    assert_eq!(metadata.ports, ["8080/tcp", "53/udp"]);
    assert_eq!(metadata.not_volumes, ["/data"]);
    // Without anything of its own, an image has the defaults.
    let alpine = &suite.images[1];
    assert_eq!(alpine.platforms.len(), 2);
    assert_eq!(alpine.run.how, How::Auto);
    assert_eq!(alpine.run.commands.len(), 1);
    assert!(alpine.metadata.is_none());
    // Paths are relative to the file, whether they are there or not.
    let out = &suite.images[3];
    let Location::Layout { path, selector } = &out.location else { panic!("{:?}", out.location) };
    assert!(path.is_absolute() && path.ends_with("out"), "{}", path.display());
    assert_eq!(selector.as_ref().unwrap().to_string(), "1.2");
    assert!(out.structure[0].0.ends_with("old/structure.yaml") && out.structure[0].0.is_absolute());
}

/// Of the structure of a file one thing is told at a time.
#[rstest]
#[case::unknown_key(
    image("    run:\n      commands:\n        - comand: x\n"),
    "7:11 unknown key `comand`",
    "write `command`; the keys here are `command`, `name`, `exit`"
)]
#[case::no_key_like_it(image("    colour: x\n"), "5:5 unknown key `colour`", "leave it out; the keys here are `image`")]
#[case::a_missing_key(
    image("    run:\n      commands:\n        - name: a\n"),
    "7:11 the key `command` is missing",
    "add `command:`"
)]
#[case::a_key_twice(
    image("    exact: true\n    exact: false\n"),
    "6:5 the key `exact` is there twice",
    "leave one of them out"
)]
#[case::a_list_wanted(image("    run:\n      commands: fast\n"), "6:7 a list (", "write `- command: fast`")]
#[case::a_list_of_lists_wanted(image("    allow-foreign: fast\n"), "5:20 a list (", "mpcheck schema suite")]
#[case::a_command_that_is_a_text(
    image("    run:\n      commands: [python3 --version]\n"),
    "6:18 a map (",
    "write `- command: python3 --version`"
)]
#[case::a_file_that_is_a_text(image("    files:\n      - /etc/passwd\n"), "6:9 a map (", "write `- path: /etc/passwd`")]
#[case::an_image_that_is_a_text("version: 1\nimages: [alpine]\n".to_owned(), "2:10 a map (", "write `- image: alpine`")]
#[case::images_that_are_a_text("version: 1\nimages: alpine\n".to_owned(), "2:1 a list (", "write `- image: alpine`")]
#[case::an_entrypoint_that_is_a_text(
    image("    metadata:\n      entrypoint: /bin/sh\n"),
    "6:7 a list (",
    "write `[/bin/sh]`"
)]
#[case::a_variable_in_braces("version: 1\nimages:\n  - {image: ${IMAGE}, platforms: arm64}\n".to_owned(), "3:", "quote a variable within braces and brackets: '${NAME}'")]
#[case::a_variable_in_brackets("version: 1\nimages:\n  - image: a\n    platforms: [${P}]\n".to_owned(), "4:", "quote a variable within braces and brackets: '${NAME}'")]
#[case::a_version_that_comes_later("name: x\nimages: [{image: a, platforms: arm64}]\nversion: 1\n".to_owned(), "1:1 a suite says the version of its format first, and this one says `name` before it", "move `version: 1` from line 3 to the top")]
#[case::a_version_that_comes_later_below("version: 1\nimages: []\n---\nname: x\nversion: 1\n".to_owned(), "4:1 a suite says the version of its format first", "from line 5")]
#[case::a_map_wanted(image("    run: fast\n"), "5:10 a map (", "mpcheck schema suite")]
#[case::a_text_wanted(image("    baseline: [a]\n"), "5:15 a text should stand here", "")]
#[case::a_boolean_wanted(image("    exact: yes\n"), "5:12 true or false should stand here", "without quotes")]
#[case::a_number_wanted(
    image("    run: {commands: [{command: a, exit: three}]}\n"),
    "5:41 what stands here is no whole number",
    ""
)]
#[case::a_number_is_no_pattern(
    image("    run: {commands: [{command: a, stdout: 3.10}]}\n"),
    "5:35 without quotes this is no text",
    "put it in quotes"
)]
#[case::a_word_of_a_set(image("    run: {with: sanbox}\n"), "5:17 `sanbox` is none of the words", "write `sandbox`")]
#[case::a_severity(
    image("    severities: {binary/malformed: fatal}\n"),
    "5:36 `fatal` is none of the words",
    "`error`, `warning`, `note` and `off`"
)]
#[case::a_value_of_an_environment(
    image("    metadata: {env: {A: {match: x}}}\n"),
    "5:26 unknown key `match`",
    "write `matches`"
)]
#[case::another_version("version: 2\nimages: {new: format}\n".to_owned(), "1:10 version 2 of the format is not known", "knows version 1")]
#[case::another_version_below("version: 1\nimages: [{image: a, platforms: arm64}]\n---\nversion: 3\n".to_owned(), "4:10 version 3", "")]
#[case::no_version("imges: []\n".to_owned(), "1:1 a suite says the version of its format first", "begin with `version: 1`")]
#[case::no_map("- a\n".to_owned(), "1:1 a map (", "")]
#[case::no_yaml("version: 1\nimages: [\n".to_owned(), "2:9 this is not YAML that can be read: unclosed bracket", "indentation, a quote or a bracket")]
#[case::a_tab("version: 1\nimages:\n\t- a\n".to_owned(), "3:2 this is not YAML that can be read: tabs", "")]
#[case::an_unknown_alias("version: 1\nname: *nope\n".to_owned(), "2:7 no anchor of this name", "quote a text that begins with `*`")]
#[case::a_tag("version: 1\nname: !x y\n".to_owned(), "2:10 the tag `!x` means nothing", "quote a text that begins with `!`")]
#[case::no_map_to_merge(image("    run: {<<: 3}\n"), "5:15 `<<` merges a map", "<<: *NAME")]
#[case::in_another_document("version: 1\nimages: [{image: a, platforms: arm64}]\n---\nversion: 1\nimages: [{image: a, platfrms: arm64}]\n".to_owned(), "5:21 unknown key `platfrms`", "write `platforms`")]
#[case::an_alias_of_itself("version: 1\nx-a: &a [*a]\n".to_owned(), "2:10 an alias is within", "")]
#[case::brackets(format!("version: 1\nx-a: {}{}\n", "[".repeat(60), "]".repeat(60)), "2:29 more than 24 maps and lists", "not closed")]
#[case::very_many_brackets(format!("version: 1\nx-a: {}\n", "[".repeat(100_000)), "2:261 ", "")]
#[case::a_bomb_of_texts(format!("version: 1\nx-a: &a {}\nx-b: [{}]\n", "x".repeat(1_000_000), "*a, ".repeat(5000)), "2:9 with what its aliases repeat, its texts have more than 16 MiB", "fewer and smaller anchors")]
fn what_is_wrong_with_the_structure_has_its_place(#[case] text: String, #[case] message: &str, #[case] next: &str) {
    let (problems, hints) = wrong(&text);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with(message), "{problems:?}");
    assert!(hints[0].contains(next), "{hints:?}");
}

/// Of the values all that is wrong is told at once.
#[rstest]
#[case::platforms("version: 1\nimages:\n  - image: a\n    platforms:\n      - linux/arm65\n      - linux/arm64\n      - linux/aarch64\n".to_owned(),
    &["5:9 `linux/arm65` does not exist", "7:9 linux/arm64 is named twice: here, and in line 6"], "write `linux/arm64`")]
#[case::where_an_anchor_is("version: 1\nx-p: &p\n  - linux/arm65\nimages:\n  - image: a\n    platforms: *p\n".to_owned(),
    &["3:5 `linux/arm65` does not exist"], "")]
#[case::where_a_variable_is("version: 1\nimages:\n  - image: a\n    platforms: ['${BAD_PLATFORM}']\n".to_owned(),
    &["4:17 `linux/arm65` does not exist"], "")]
#[case::variables("version: 1\nimages:\n  - image: a:${NONE}\n    platforms: ['${NADA}']\n".to_owned(),
    &["3:12 the variable NONE is not set", "4:17 the variable NADA is not set"], "`${NONE:-VALUE}`")]
#[case::a_value_is_no_yaml("version: 1\nname: ${YAML}\nimages: [{image: a, platforms: arm64}]\n".to_owned(),
    &["2:7 `x: [&a *a` has `:`"], "write `x-a-a`")]
#[case::patterns(image("    run:\n      commands:\n        - command: a\n          stdout: ['^ok$', 'a(b']\n          not-stderr: '[z-a]'\n"),
    &["8:28 `a(b` is no regular expression: unclosed group at character 2, `(b`", "9:23 `[z-a]` is no"], "mend it there")]
#[case::expired(image("    allow-foreign: [{path: /a, reason: b, expires: 2020-01-01}]\n    files: [{path: /a, exceptions: [{platforms: amd64, reason: x, expires: 2026-11-22}]}]\n"),
    &["5:52 this permission expired: its last day was 2020-01-01, and today is 2026-11-23", "6:76 this exception expired"], "look whether its reason still holds")]
#[case::no_day(image("    allow-foreign: [{path: /a, reason: b, expires: 2027-02-29}]\n"), &["5:52 `2027-02-29` is no day"], "2027-01-31")]
#[case::no_reason(image("    allow-foreign: [{path: /a, reason: ' '}]\n"), &["5:40 the reason is empty"], "write why")]
#[case::images_of_one_name(image("    name: x\n  - image: b\n    name: x\n    platforms: arm64\n"), &["7:11 two images are called `x`: this one, and the one in line 5"], "another `name:`")]
#[case::one_image_twice("version: 1\nimages:\n  - image: [a, b, a]\n    platforms: arm64\n".to_owned(), &["3:19 two images are called `docker.io-library-a-latest`"], "")]
#[case::one_name_for_two("version: 1\nimages:\n  - image: [a, b]\n    name: c\n    platforms: arm64\n".to_owned(), &["4:11 one name, `c`, for 2 images"], "")]
#[case::commands_of_one_name(image("    run:\n      commands:\n        - {command: a, name: x}\n        - {command: b, name: x}\n"), &["8:30 two commands of an image are called `x`: this one, and the one in line 7"], "")]
#[case::suites_of_one_name("version: 1\nname: a\nhost: {require: arm64}\n---\nversion: 1\nname: a\nhost: {require: arm64}\n".to_owned(), &["6:7 two suites are called `a`: this one, and the one in line 2"], "")]
#[case::rules(image("    severities: {binary/not-a-programm: off, host/page-size: note}\n"),
    &["5:18 no rule is called `binary/not-a-programm`", "5:46 host/page-size is a rule of the host"], "write `binary/not-a-program`")]
#[case::keys_at_the_top("version: 1\nimage: x\nplatfroms: []\n".to_owned(), &["2:1 unknown key `image`", "3:1 unknown key `platfroms`"], "write `images`")]
#[case::references("version: 1\nimages:\n  - image: Alpine:3\n    platforms: arm64\n  - image: ./gone\n    platforms: arm64\n".to_owned(),
    &["3:12 `Alpine:3` is no image name", "5:12 ./gone does not exist"], "")]
#[case::no_platforms("version: 1\nimages:\n  - image: alpine\n".to_owned(), &["3:12 `alpine` names no platforms"], "below `defaults:`")]
#[case::never_and_required(image("    run: {with: never, required: true}\n"), &["3:12 this image is never run"], "")]
#[case::commands(image("    run:\n      commands:\n        - command: \"sh -c 'a\"\n        - command: []\n        - {command: a, exit: 300}\n        - {command: a, timeout: 5}\n        - {command: a, env: {\"A=\": b}}\n"),
    &["7:20 a quote in `sh -c 'a` is not closed", "8:20 the command names no program", "9:30 300 is no exit code", "10:33 `5` is no time", "11:30 `A=` is no name"], "")]
#[case::files(image("    files:\n      - {path: usr/bin/a}\n      - {path: /a, mode: 999}\n      - {path: /b, owner: root}\n      - {path: /c, exists: false, mode: '0755'}\n      - {path: /d, type: file, target: x}\n"),
    &["6:16 `usr/bin/a` is no absolute path", "7:26 `999` is no mode", "8:27 `root` is no owner", "9:28 a file that should not be there", "10:40 only a symlink has a target"], "write `/usr/bin/a`")]
#[case::metadata(image("    metadata: {env: {A: {}}, ports: [80/http], volumes: data}\n"), &["5:22 `A` says not what it should be", "5:38 `80/http` is no port", "5:57 `data` is no absolute path"], "")]
#[case::platforms_that_it_has_not(image("    run:\n      commands:\n        - command: a\n          platforms: [linux/amd64, linux/s390x]\n          exceptions: [{platforms: linux/arm64, reason: x}]\n    files: [{path: /a, platforms: linux/amd64/v2}]\n"),
    &["8:36 linux/s390x is none of this image's platforms (linux/amd64)", "9:36 linux/arm64 is none of", "10:35 linux/amd64/v2 is none of"], "nothing would be done with it")]
#[case::platforms_that_no_image_has("version: 1\ndefaults:\n  files: [{path: /a, platforms: s390x}]\nimages:\n  - {image: a, platforms: [amd64, arm64]}\n  - {image: b, platforms: arm64}\n".to_owned(),
    &["3:33 linux/s390x is none of this image's platforms (linux/amd64, linux/arm64)"], "")]
#[case::empty_variables("version: 1\nimages:\n  - image: a${EMPTY}\n    platforms: arm64\n".to_owned(), &["3:12 the variable EMPTY is empty"], "`${EMPTY:-VALUE}`")]
#[case::patterns_of_nothing(image("    run: {commands: [{command: a, stdout: '', stderr: [a, ''], not-stdout: []}]}\n    files: [{path: /a, content: ''}]\n    metadata: {env: {A: {matches: ''}}}\n"),
    &["5:43 an empty pattern matches everything", "5:59 an empty pattern", "5:76 a list of no patterns", "6:33 an empty pattern", "7:35 an empty pattern"], "write `^$`")]
#[case::metadata_of_nothing(image("    metadata: {}\n"), &["5:15 nothing is said here of the image's config"], "leave `metadata:` out")]
#[case::metadata_of_empty_things(image("    metadata: {env: {}, ports: []}\n"), &["5:15 nothing is said here of"], "")]
#[case::keys_with_variables(image("    run: {commands: [{command: a, env: {A: x, '${KEY}': y}}]}\n    metadata: {labels: {'${NONE}': x, A: y, '${KEY}': z}}\n"),
    &["5:47 `A` is there twice: here, and in line 5", "6:25 the variable NONE is not set", "6:45 `A` is there twice"], "leave one of them out")]
#[case::an_image_called_host("version: 1\nhost: {require: arm64}\nimages:\n  - {image: a, name: host, platforms: arm64}\n".to_owned(), &["4:22 no image can be called `host` here"], "another `name:`")]
#[case::an_image_that_is_host("version: 1\nhost: {require: arm64}\nimages:\n  - {image: team/host, platforms: arm64}\n".to_owned(), &["4:13 no image can be called `host` here"], "another `name:`")]
#[case::sizes(image("    run: {memory: much, temporary: 1.5GiB, processes: 0}\n"), &["5:19 `much` is no size", "5:36 `1.5GiB` is no size", "5:55 0 is no number of processes"], "")]
fn what_is_wrong_with_the_values_is_told_at_once(#[case] text: String, #[case] wanted: &[&str], #[case] next: &str) {
    let (problems, hints) = wrong(&text);
    let starts = problems.iter().zip(wanted).all(|(problem, wanted)| problem.starts_with(wanted));
    assert!(problems.len() == wanted.len() && starts, "{problems:#?}");
    assert!(hints[0].contains(next), "{hints:?}");
}

/// What images have in common may be about a platform that not each of them has.
#[test]
fn defaults_may_be_about_some_images_only() {
    let text = "version: 1\ndefaults:\n  files: [{path: /a, exceptions: [{platforms: s390x, reason: x}]}]\nimages:\n  - \
                {image: a, platforms: arm64}\n  - {image: b, platforms: [arm64, s390x]}\n";
    assert_eq!(only(text).images[0].files.len(), 1);
}

#[test]
fn an_empty_variable_is_as_good_as_none() {
    let text = "version: 1\nvariables: {EMPTY: '3'}\nimages: [{image: 'a:${EMPTY}', platforms: arm64}]\n";
    assert_eq!(only(text).images[0].reference, "a:3");
    let text = "version: 1\nvariables: {NONE: ''}\nimages: [{image: 'a${NONE}', platforms: arm64}]\n";
    assert_eq!(only(text).images[0].reference, "a");
}

#[test]
fn keys_have_variables() {
    let lines = "    run: {commands: [{command: a, env: {'${KEY}': x}}]}\n    metadata: {labels: {'x.${KEY}': y}}\n";
    let suite = only(&image(lines));
    assert_eq!(suite.images[0].run.commands[0].environment, [("A".to_owned(), "x".to_owned())]);
    assert_eq!(suite.images[0].metadata.as_ref().unwrap().labels[0].0, "x.A");
}

#[rstest]
#[case("ports: 8080", &["8080/tcp"])]
#[case("ports: 53/udp", &["53/udp"])]
#[case("ports: [8080]", &["8080/tcp"])]
fn one_port_needs_no_list(#[case] written: &str, #[case] wanted: &[&str]) {
    let suite = only(&image(&format!("    metadata: {{{written}}}\n")));
    assert_eq!(suite.images[0].metadata.as_ref().unwrap().ports, wanted);
}

#[test]
fn images_that_are_called_alike_are_told_apart_by_their_repository() {
    let names = |images: &str| {
        let suite = only(&format!("version: 1\nimages:\n  - image: {images}\n    platforms: arm64\n"));
        suite.images.into_iter().map(|image| image.name).collect::<Vec<_>>()
    };
    assert_eq!(names("[b/a:1, c/a:1]"), ["b-a", "c-a"]);
    assert_eq!(names("[b/a:1, c/a:1, a:2]"), ["b-a", "c-a", "a-2"]);
    assert_eq!(names("[b/a:1, b/a:2, c/a:1, c/a:2]"), ["b-a-1", "b-a-2", "c-a-1", "c-a-2"]);
    assert_eq!(names("[r.example/b/a:1, s.example/b/a:1]"), ["r.example-b-a", "s.example-b-a"]);
    assert_eq!(names("[oci:x/out, oci:y/out]"), ["x-out", "y-out"]);
}

/// Only beside a `host:` are there trials of that name.
#[test]
fn an_image_may_be_called_host_without_one() {
    assert_eq!(only("version: 1\nimages: [{image: team/host, platforms: arm64}]\n").images[0].name, "host");
}

#[test]
fn an_empty_command_has_no_program() {
    let (problems, _) = wrong(&image("    run:\n      commands:\n        - command: \"\"\n"));
    assert_eq!(problems, ["7:20 the command names no program"]);
}

#[rstest]
#[case("")]
#[case("# nothing\n")]
#[case("---\n---\n")]
#[case("version: 1\n")]
#[case("version: 1\nimages: []\n")]
#[case("version: 1\nimages:\n")]
fn an_empty_suite_is_an_error_of_its_own(#[case] text: &str) {
    let error = loaded(text).expect_err("it was taken");
    assert!(matches!(error, SuiteError::Empty(_)), "{error}");
    assert_eq!(error.exit_code(), 4);
}

#[rstest]
#[case::bomb(&b"version: 1\nx-a: &a [l,l,l,l,l,l,l,l,l]\nx-b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nx-c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nx-d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\nx-e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nx-f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"[..], "with what its aliases repeat, it has more than")]
#[case::latin1(b"version: 1\nname: gr\xfc\xdf\n", "a.yaml:2:9: this is not UTF-8: the byte 0xfc")]
#[case::utf16(b"\xff\xfev\0e\0", "a.yaml:1:1: this is not UTF-8: the byte 0xff stands here, as UTF-16 begins")]
#[case::a_program(b"\x7fELF\x02\x01\x01\0\0", "not YAML that can be read")]
#[case::structure_test(b"schemaVersion: 2.0.0\ncommandTests: []\n", "a file of container-structure-test")]
#[case::structure_test_in_json(b"{ \"schemaVersion\": \"2.0.0\" }", "a file of container-structure-test")]
fn what_is_no_suite_is_told(#[case] bytes: &[u8], #[case] wanted: &str) {
    let directory = directory(&[("a.yaml", bytes)]);
    let error = load(&directory.path().join("a.yaml"), &environment, TODAY.parse().unwrap()).unwrap_err();
    assert!(error.to_string().contains(wanted), "{error}");
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn a_file_may_be_large_and_not_larger() {
    let comment = vec![b'#'; usize::try_from(MAX_FILE_BYTES).unwrap() + 1];
    let directory = directory(&[("large.yaml", &comment)]);
    let error = load(&directory.path().join("large.yaml"), &environment, TODAY.parse().unwrap()).unwrap_err();
    assert!(error.to_string().contains("it has more than 4 MiB"), "{error}");
    let commands = (0..10_000).map(|n| format!("        - {{command: [app{n}, --version], stdout: '^app{n} \\d'}}\n"));
    let suite = only(&image(&format!("    run:\n      commands:\n{}", commands.collect::<String>())));
    assert_eq!(suite.images[0].run.commands.len(), 10_000);
}

/// Little text becomes much only up to a limit.
#[test]
fn defaults_of_very_many_images_have_an_end() {
    let commands = (0..2000).map(|n| format!("      - command: c{n}\n")).collect::<String>();
    let images = (0..20_000).map(|n| format!("  - image: i{n}\n")).collect::<String>();
    let text = format!("version: 1\ndefaults:\n  platforms: arm64\n  run:\n    commands:\n{commands}images:\n{images}");
    let (problems, _) = wrong(&text);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].contains("this suite is too large"), "{problems:?}");
}

#[test]
fn a_directory_is_its_suites_in_their_order() {
    let one = b"version: 1\nimages: [{image: a, platforms: arm64}]\n---\nversion: 1\nimages: [{image: b, platforms: arm64}]\n";
    let directory = directory(&[
        ("b.yaml", one),
        ("a.yml", one),
        ("c.txt", b"no suite"),
        ("structure.yaml", b"---\nschemaVersion: '2.0.0'\n"),
    ]);
    let load = || load(directory.path(), &environment, TODAY.parse().unwrap());
    let names: Vec<String> = load().unwrap().into_iter().map(|suite| suite.name).collect();
    assert_eq!(names, ["a", "a-2", "b", "b-2"]);
    fs::write(directory.path().join("b.yml"), one).unwrap();
    let error = load().unwrap_err().to_string();
    assert!(
        error.contains("b.yml:1:1: two suites are called `b`: this one, and ") && error.contains("b.yaml:1"),
        "{error}"
    );
    fs::write(directory.path().join("b.yml"), "version: 1\nimage: x\n").unwrap();
    assert!(load().unwrap_err().to_string().contains("b.yml:2:1: unknown key"), "{:?}", load());
}

#[test]
fn a_directory_without_suites_is_empty() {
    let directory = directory(&[("structure.yaml", b"schemaVersion: 2.0.0\n")]);
    let error = load(directory.path(), &environment, TODAY.parse().unwrap()).unwrap_err();
    assert_eq!(error.exit_code(), 4);
}

#[rstest]
#[case::missing("gone.yaml")]
#[case::a_device("/dev/zero")]
fn a_file_that_cannot_be_read_is_told(#[case] path: &str) {
    let error = load(Path::new(path), &environment, TODAY.parse().unwrap()).unwrap_err();
    assert!(error.to_string().starts_with(&format!("{path}: it ")), "{error}");
    assert_eq!(error.exit_code(), 2);
}

#[rstest]
#[case("schemaVersion: 2.0.0\n", Kind::StructureTest)]
#[case("# a\n---\n'schemaVersion' : \"2.0.0\"\n", Kind::StructureTest)]
#[case("{\"commandTests\": [], \"SchemaVersion\": \"2.0.0\"}", Kind::StructureTest)]
#[case("version: 1\nx-a:\n  schemaVersion: 1\n", Kind::Suite)]
#[case("schemaVersionOf: 1\n", Kind::Suite)]
#[case("{version: 1}", Kind::Suite)]
#[case("{version: 1, x-note: schemaVersion}", Kind::Suite)]
#[case("# a\n---\n{version: 1, x-note: {schemaVersion: 2.0.0}}", Kind::Suite)]
#[case("{version: 1, images: [schemaVersion\n", Kind::Suite)]
#[case("version: 1\nschemaVersion: 2.0.0\n", Kind::Suite)]
#[case("--- {commandTests: [], 'schemaVersion': 2.0.0}", Kind::StructureTest)]
#[case("commandTests: []\n\"schemaVersion\": 2.0.0\n", Kind::StructureTest)]
#[case("\t{\n\t\"schemaVersion\": \"2.0.0\"\n\t}", Kind::StructureTest)]
#[case("", Kind::Suite)]
fn structure_tests_are_told_from_suites(#[case] text: &str, #[case] wanted: Kind) {
    assert_eq!(kind_of(text), wanted);
}
