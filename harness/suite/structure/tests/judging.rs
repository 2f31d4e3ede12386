use super::*;
use crate::image::digest::Digest;
use crate::image::layer::{Entry, EntryKind, LayerFacts};
use crate::image::rootfs::RootFs;
use crate::run::{Ended, Exit, Output, StartError};
use std::time::Duration;

/// `KIND MODE USER GROUP PATH [TARGET]`, a line each; a file's content is its path's.
fn layer() -> LayerFacts {
    let text = "
        d 755 0 0 data
        f 640 10 20 data/file
        f 4755 0 0 data/suid
        f 2755 0 0 data/sgid
        d 1777 0 0 data/sticky
        f 1644 0 0 data/stickyfile
        f 100 0 0 data/mine
        l 644 3 4 data/abs /data/file
        l 777 0 0 data/rel file
        l 777 0 0 data/up ../../../data/file
        l 777 0 0 data/dangling nowhere
        l 777 0 0 data/dirlink sticky
        l 777 0 0 data/loop loop
        h 640 10 20 data/hard data/file
        s 666 0 0 data/fifo
        f 644 0 0 data/binary
        f 644 0 0 usr/share/doc/good/copyright
        f 644 0 0 usr/share/doc/bad/copyright
        f 644 0 0 usr/share/doc/libgnutls30/copyright
        l 777 0 0 usr/share/doc/linked good
        f 644 0 0 usr/share/doc/file";
    let entry = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let target = || words[5].as_bytes().into();
        let kind = match words[0] {
            "d" => EntryKind::Directory,
            "f" => EntryKind::File(None),
            "l" => EntryKind::Symlink(target()),
            "h" => EntryKind::Hardlink(target()),
            _ => EntryKind::Special,
        };
        let mode = u16::from_str_radix(words[1], 8).unwrap();
        let (user, group) = (words[2].parse().unwrap(), words[3].parse().unwrap());
        Entry { path: words[4].as_bytes().into(), kind, mode, user, group }
    };
    let entries = text.lines().filter(|line| !line.trim().is_empty()).map(entry).collect();
    LayerFacts { diff_id: Digest::of(b""), bytes: 0, entries }
}

fn content(path: &[u8]) -> Result<Vec<u8>, String> {
    Ok(match path {
        b"data/file" | b"data/hard" => b"alpha\nbeta\n".to_vec(),
        b"data/binary" => b"\xff\xfeabc\x1b[31m".to_vec(),
        b"data/suid" => return Err("it is too large".to_owned()),
        b"usr/share/doc/good/copyright" => b"GPL".to_vec(),
        b"usr/share/doc/bad/copyright" => b"the \xff agpl".to_vec(),
        b"usr/share/doc/libgnutls30/copyright" => b"wtfpl".to_vec(),
        other => panic!("{}", other.escape_ascii()),
    })
}

/// What is wrong with the only test of a file.
fn wrong_in(name: &str, text: &str) -> Vec<String> {
    let facts = layer();
    let rootfs = RootFs::merge([(0, &facts)]);
    let tests = read(name, text).unwrap();
    let [test] = tests.as_slice() else { panic!("{tests:?}") };
    let config = Config {
        environment: ["GREETING=hello", "EMPTY=", "DIRS=/data"].map(str::to_owned).to_vec(),
        entrypoint: ["/bin/sh", "-c"].map(str::to_owned).to_vec(),
        user: "1000".to_owned(),
        working_directory: "/data".to_owned(),
        volumes: vec!["/vol".to_owned()],
        ports: ["53/udp", "80/tcp", "81"].map(str::to_owned).to_vec(),
        labels: [("a".to_owned(), "b c".to_owned())].into(),
        ..Config::default()
    };
    match &test.kind {
        Kind::Existence(test) => test.judge(&rootfs, &config),
        Kind::Content(test) => test.judge(&rootfs, &content),
        Kind::License(test) => test.judge(&rootfs, &content),
        Kind::Metadata(test) => test.judge(&config),
        other => panic!("{other:?}"),
    }
}

fn wrong(text: &str) -> Vec<String> {
    wrong_in("a.yaml", &format!("schemaVersion: 2.0.0\n{text}"))
}

#[rstest]
#[case("path: /data/file", &[])]
#[case("path: /data/file, permissions: '-rw-r-----', uid: 10, gid: 20", &[])]
#[case("path: /data/file, permissions: '-rw-r--r--', uid: 1, gid: 2, isExecutableBy: owner", &[
    "`/data/file` has the permissions -rw-r----- instead of -rw-r--r--",
    "`/data/file` should be executable by owner, and its permissions are -rw-r-----",
    "`/data/file` belongs to the user 10 instead of 1",
    "`/data/file` belongs to the group 20 instead of 2",
])]
#[case("path: data/file", &[])]
#[case("path: $DIRS/file", &[])]
#[case("path: '${NOTHING}/data/file'", &[])]
#[case("path: /data/suid, permissions: urwxr-xr-x, isExecutableBy: other", &[])]
#[case("path: /data/sgid, permissions: grwxr-xr-x", &[])]
#[case("path: /data/sticky, permissions: dtrwxrwxrwx", &[])]
#[case("path: /data/sticky/, permissions: dtrwxrwxrwx", &[])]
#[case("path: /data/stickyfile, permissions: trw-r--r--", &[])]
#[case("path: /data/mine, isExecutableBy: any", &[])]
#[case("path: /data/mine, isExecutableBy: group", &["`/data/mine` should be executable by group, and its permissions are ---x------"])]
#[case("path: /data/abs, permissions: Lrwxrwxrwx, uid: 3, gid: 4, isExecutableBy: group", &[])]
#[case("path: /data/dirlink, permissions: Lrwxrwxrwx", &[])]
#[case("path: /data/dirlink/, permissions: dtrwxrwxrwx", &[])]
#[case("path: /data/dirlink/., permissions: dtrwxrwxrwx", &[])]
#[case("path: /data/dangling, permissions: Lrwxrwxrwx", &[])]
#[case("path: /data/dangling/", &["`/data/dangling/` should exist: `/data/nowhere` does not exist"])]
#[case("path: /data/hard, permissions: '-rw-r-----', uid: 10", &[])]
#[case("path: /, permissions: drwxr-xr-x", &[])]
#[case("path: /usr, permissions: drwxr-xr-x, uid: 0", &[])]
#[case("path: /data/fifo", &["`/data/fifo` should exist: it is a device, a FIFO or a socket, which does not count"])]
#[case("path: /data/fifo, shouldExist: false", &[])]
#[case("path: /data/file/", &["`/data/file/` should exist: it is not a directory"])]
#[case("path: /data/file/x", &["`/data/file/x` should exist: `/data/file` is not a directory"])]
#[case("path: /data/file/x, shouldExist: false", &[])]
#[case("path: /data/dirlink/../file", &[])]
#[case("path: /missing", &["`/missing` should exist: `/missing` does not exist"])]
#[case("path: /missing, shouldExist: no, permissions: x, uid: 3, isExecutableBy: x", &[])]
#[case("path: /data/file, shouldExist: false, uid: 3", &[
    "`/data/file` should not exist, and it does",
    "`/data/file` belongs to the user 10 instead of 3",
])]
#[case("path: /data/file, shouldExist: ~", &["`/data/file` should not exist, and it does"])]
#[case("path: /data/dangling, shouldExist: false", &["`/data/dangling` should not exist, and it does"])]
#[case("path: /data/file, isExecutableBy: everyone", &["`everyone` is no value of `isExecutableBy`: write owner, group, other or any"])]
#[case(r#"path: "/data/\u001b[31m""#, &["`/data/\\u{1b}[31m` should exist: `/data/\\x1b[31m` does not exist"])]
fn entries_are_looked_at_as_they_lie(#[case] test: &str, #[case] expected: &[&str]) {
    assert_eq!(wrong(&format!("fileExistenceTests: [{{name: a, {test}}}]")), expected);
}

#[test]
fn json_asks_for_what_it_does_not_say() {
    let json = |test: &str| {
        let text = format!(r#"{{"schemaVersion": "2.0.0", "fileExistenceTests": [{{"name": "a", {test}}}]}}"#);
        wrong_in("a.json", &text)
    };
    let why = "`/data/file` should not exist, and it does (in JSON, `shouldExist` is false where it is not written)";
    assert_eq!(json(r#""path": "/data/file", "uid": 10, "gid": 20"#), [why]);
    let root =
        ["`/data/file` belongs to the user 10 instead of 0", "`/data/file` belongs to the group 20 instead of 0"];
    assert_eq!(json(r#""path": "/data/file", "shouldExist": true"#), root);
    assert!(json(r#""path": "/data/file", "shouldExist": true, "uid": -1, "gid": -1"#).is_empty());
    assert!(json(r#""path": "/missing""#).is_empty());
}

#[test]
fn schema_1_puts_no_variables_into_paths_and_knows_no_owners() {
    let test = |path: &str, name: &str| {
        let json = format!(
            r#"{{"schemaVersion": "1.0.0", "fileExistenceTests": [{{"name": "a", "path": "{path}", "shouldExist": true}}]}}"#
        );
        wrong_in(name, &json)
    };
    assert_eq!(test("$DIRS/file", "a.yaml"), ["`$DIRS/file` should exist: `/$DIRS` does not exist"]);
    assert!(test("/data/file", "a.json").is_empty());
}

#[rstest]
#[case("path: /data/file, expectedContents: ['^alpha\\nbeta\\n$', beta], excludedContents: [gamma]", &[])]
#[case("path: /data/file, expectedContents: [^beta, '('], excludedContents: [alp.a]", &[
    "nothing in `/data/file` matches `^beta`: it is `alpha\\nbeta`",
    "`(` in line 2 is no pattern that Go's regexp takes: a `(` is not closed, at its character 2",
    "`/data/file` matches `alp.a`, and must not: it is `alpha\\nbeta`",
])]
#[case("path: /data/file, excludedContents: ['(']", &["`(` in line 2 is no pattern that Go's regexp takes: a `(` is not closed, at its character 2"])]
#[case("path: data/file, expectedContents: [alpha]", &[])]
#[case("path: /data/abs, expectedContents: [alpha]", &[])]
#[case("path: /data/rel, expectedContents: [alpha]", &[])]
#[case("path: /data/up, expectedContents: [alpha]", &[])]
#[case("path: /data/hard, expectedContents: [alpha]", &[])]
#[case("path: /data/binary, expectedContents: ['^..abc', '\\x{fffd}{2}'], excludedContents: ['\\xff']", &[])]
#[case("path: /data/binary, expectedContents: [q]", &["nothing in `/data/binary` matches `q`: it is `\u{fffd}\u{fffd}abc\\u{1b}[31m`"])]
#[case("path: $DIRS/file", &["$DIRS"])]
#[case("path: /data/sticky", &["`/data/sticky` is a directory, not a file"])]
#[case("path: /data/file/", &["`/data/file/` is not a directory"])]
#[case("path: /data/dangling", &["`/data/nowhere` does not exist"])]
#[case("path: /data/loop", &["`/data/loop` leads through more than 40 symbolic links"])]
#[case("path: /data/fifo", &["`/data/fifo` is no regular file"])]
#[case("path: /data/suid", &["`/data/suid` could not be read: it is too large"])]
#[case("path: missing, excludedContents: [a]", &["`missing`: `/missing` does not exist"])]
fn contents_are_searched(#[case] test: &str, #[case] expected: &[&str]) {
    let wrong = wrong(&format!("fileContentTests: [{{name: a, {test}}}]"));
    if expected == ["$DIRS"] {
        assert_eq!(wrong, ["`$DIRS/file`: `/$DIRS` does not exist"]);
    } else {
        assert_eq!(wrong, expected);
    }
}

#[rstest]
#[case("2.0.0", "{}", &[])]
#[case("2.0.0", "debian: false, files: [/usr/share/doc/good/copyright]", &[])]
#[case("2.0.0", "files: [/usr/share/doc/bad/copyright, /missing]", &[
    "the license `/usr/share/doc/bad/copyright` names AGPL",
    "a license cannot be read: `/missing` does not exist",
])]
#[case("2.0.0", "debian: true", &["the license `/usr/share/doc/bad/copyright` names AGPL"])]
#[case("1.0.0", "debian: true", &[
    "the license `/usr/share/doc/bad/copyright` names AGPL",
    "the license `/usr/share/doc/libgnutls30/copyright` names WTFPL",
])]
fn licenses_are_read(#[case] schema: &str, #[case] test: &str, #[case] expected: &[&str]) {
    let test = if test == "{}" { "" } else { test };
    assert_eq!(wrong_in("a.yaml", &format!("schemaVersion: {schema}\nlicenseTests: [{{{test}}}]")), expected);
}

#[rstest]
#[case("envVars: [{key: GREETING, value: hello}, {key: GREETING, value: el, isRegex: true}, {key: EMPTY, value: ''}]", &[])]
#[case("envVars: [{key: GREETING, value: el}, {key: NONE, value: ''}, {key: GREETING, value: ^el, isRegex: true}]", &[
    "the variable `GREETING` is `hello` instead of `el`",
    "there is no variable `NONE`",
    "the variable `GREETING` is `hello` which `^el` does not match",
])]
#[case("envVars: [{key: GREETING, value: '(', isRegex: true}]", &["`(` in line 2 is no pattern that Go's regexp takes: a `(` is not closed, at its character 2"])]
#[case("unboundEnvVars: [{key: NONE}, {key: EMPTY}]", &["the variable `EMPTY` is set, and should not be"])]
#[case("labels: [{key: a, value: b c}, {key: a, value: c$, isRegex: true}]", &[])]
#[case("labels: [{key: a, value: b}, {key: b}]", &["the label `a` is `b c` instead of `b`", "there is no label `b`"])]
#[case("entrypoint: [/bin/sh, -c], cmd: []", &[])]
#[case("entrypoint: [], cmd: [a b]", &["the command is empty instead of `'a b'`", "the entrypoint is `/bin/sh -c` instead of empty"])]
#[case("workdir: /data, user: 1000", &[])]
#[case("workdir: /data/, user: 0", &["the working directory is `/data` instead of `/data/`", "the user is `1000` instead of `0`"])]
#[case("exposedPorts: [80, 53, 81, 53/udp, 80/tcp, 81/tcp], unexposedPorts: [82, 80/udp]", &[])]
#[case("exposedPorts: [82, 80/udp], unexposedPorts: [53, 53/udp]", &[
    "the port `82` is not exposed",
    "the port `80/udp` is not exposed",
    "the port `53` is exposed, and should not be",
    "the port `53/udp` is exposed, and should not be",
])]
#[case("volumes: [/vol], unmountedVolumes: [/vo]", &[])]
#[case("volumes: [/vo], unmountedVolumes: [/vol]", &["the volume `/vo` is not declared", "the volume `/vol` is declared, and should not be"])]
fn the_config_is_compared(#[case] test: &str, #[case] expected: &[&str]) {
    assert_eq!(wrong(&format!("metadataTest: {{{test}}}")), expected);
}

fn ended(exit: Exit, stdout: &str, stderr: &str) -> Ended {
    let output = |text: &str| Output { bytes: text.as_bytes().to_vec(), total: text.len() as u64 };
    Ended { exit, stdout: output(stdout), stderr: output(stderr), took: Duration::ZERO }
}

fn judged(test: &str, ended: &[Ended], emulated: bool) -> Vec<String> {
    let tests = v2(&format!("commandTests: [{{name: a, command: x, {test}}}]"));
    match &tests[0].kind {
        Kind::Command(test) => test.judge(ended, emulated),
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case("", Exit::Code(0), &[])]
#[case("exitCode: 3", Exit::Code(3), &[])]
#[case("", Exit::Code(3), &["it exited with 3 instead of 0: it is `err`"])]
#[case("exitCode: 137", Exit::Signal(9), &[])]
#[case("exitCode: 010", Exit::Code(8), &[])]
#[case("", Exit::Signal(9), &["it exited with 137 instead of 0: it is `err`"])]
#[case("expectedOutput: ['^out\\n$'], expectedError: [err], excludedOutput: [err], excludedError: [out]", Exit::Code(0), &[])]
#[case("expectedOutput: [OUT], expectedError: [ERR], excludedOutput: [out], excludedError: [err]", Exit::Code(0), &[
    "nothing in its standard error matches `ERR`: it is `err`",
    "its standard error matches `err`, and must not: it is `err`",
    "nothing in its standard output matches `OUT`: it is `out`",
    "its standard output matches `out`, and must not: it is `out`",
])]
#[case("", Exit::TimedOut, &["the command `x` did not end in time"])]
#[case("", Exit::OutOfMemory, &["the command `x` took more memory than it may"])]
#[case("exitCode: 127", Exit::NotStarted(StartError::NotFound), &["the command `x` could not be started: there is no such program"])]
fn a_command_is_judged(#[case] test: &str, #[case] exit: Exit, #[case] expected: &[&str]) {
    assert_eq!(judged(test, &[ended(exit, "out\n", "err\n")], false), expected);
}

#[test]
fn a_setup_may_fail_but_has_to_start() {
    let test = "setup: [[a], [b, c]], expectedOutput: [out]";
    let good = || ended(Exit::Code(0), "out", "");
    assert!(judged(test, &[ended(Exit::Code(1), "", ""), ended(Exit::Signal(9), "", ""), good()], false).is_empty());
    let lost = ended(Exit::NotStarted(StartError::NotExecutable), "", "");
    let wrong = judged(test, &[good(), lost, good()], false);
    assert_eq!(wrong, ["the setup `b c` could not be started: it may not be executed"]);
    assert_eq!(judged(test, &[good(), good()], false), ["it was not run"]);
    assert_eq!(judged(test, &[], false), ["it was not run"]);
}

#[test]
fn what_qemu_warns_of_is_not_the_commands() {
    let said = ended(Exit::Code(0), "", "qemu-x86_64: warning: TCG doesn't support it\nerr\n");
    assert!(
        judged("expectedError: ['^err\\n$'], excludedError: [warning]", std::slice::from_ref(&said), true).is_empty()
    );
    assert_eq!(judged("excludedError: [warning]", &[said], false).len(), 1);
}

#[test]
fn output_that_was_not_kept_whole_is_not_taken_for_the_whole() {
    let mut long = ended(Exit::Code(0), "out", "");
    long.stdout.total = 1 << 30;
    let wrong = "its standard output has 1073741824 bytes, of which only the first 3 were kept and looked at";
    assert_eq!(judged("excludedOutput: [x]", std::slice::from_ref(&long), false), [wrong]);
    assert_eq!(judged("excludedError: [x]", &[long], false), Vec::<String>::new());
}

#[test]
fn an_env_file_that_cannot_be_read_is_told_where_a_test_fails() {
    for file in ["missing.txt", "broken.txt"] {
        let tests = v2(&format!("containerRunOptions: {{envFile: {file}}}\ncommandTests: [{{name: a, command: x}}]"));
        let Kind::Command(test) = &tests[0].kind else { panic!() };
        assert!(test.judge(&[ended(Exit::Code(0), "", "")], false).is_empty());
        let wrong = test.judge(&[ended(Exit::Code(1), "", "")], false);
        assert!(wrong[1].starts_with(&format!("the `envFile` {file} could not be read: ")), "{wrong:?}");
    }
}
