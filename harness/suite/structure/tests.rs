use super::*;
use crate::image::document::Config;
use crate::run::Freedom;
use rstest::rstest;

mod judging;

/// The tests of a file, for a caller with `CALLER=called` and a file `env.txt`.
fn read(name: &str, text: &str) -> Result<Vec<Test>, String> {
    let caller = Caller {
        variable: &|name| match name {
            "CALLER" => Some("called".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        },
        file: &|path| match path {
            "env.txt" => Ok("A=file\nB=$A!\n".to_owned()),
            "broken.txt" => Ok("A".to_owned()),
            _ => Err("no such file".to_owned()),
        },
    };
    parse_for(Path::new(name), text, &caller).map_err(|problem| format!("{problem}; {}", problem.hint))
}

fn v2(text: &str) -> Vec<Test> {
    read("a.yaml", &format!("schemaVersion: \"2.0.0\"\n{text}")).unwrap()
}

/// Each test's name, and what is wrong with it.
fn told(tests: &[Test]) -> Vec<String> {
    tests.iter().map(|test| format!("{} {}", test.name, test.faults().join("; ")).trim_end().to_owned()).collect()
}

fn config() -> Config {
    let environment = ["PATH=/bin", "GREETING=hello", "X=", "TWICE=a", "TWICE=b", "NOVALUE"];
    Config { environment: environment.map(str::to_owned).to_vec(), ..Config::default() }
}

fn plan(test: &Test) -> Plan {
    match &test.kind {
        Kind::Command(test) => test.plan(&config()),
        other => panic!("{other:?}"),
    }
}

fn words(start: &Start) -> String {
    let environment = start.environment.iter().map(|(name, value)| format!("{name}={value} "));
    format!("{}{}", environment.collect::<String>(), start.words.join(" "))
}

#[test]
fn the_tests_of_a_file_come_in_the_order_of_container_structure_test() {
    let tests = v2("
metadataTest: {user: root}
licenseTests: [{debian: true}, {files: [/a]}]
fileExistenceTests: [{name: a, path: /a}]
fileContentTests: [{name: b, path: /b}]
commandTests: [{name: c d, command: x}]
");
    let names = ["Command Test: c d", "File Content Test: b", "File Existence Test: a", "License Test", "License Test"];
    assert_eq!(told(&tests), [&names[..], &["Metadata Test"]].concat());
    let places: Vec<_> = tests.iter().map(|test| test.place.map(|place| (place.line, place.column))).collect();
    assert_eq!(places[..3], [Some((7, 23)), Some((6, 27)), Some((5, 29))]);
}

#[rstest]
#[case::an_empty_file("", &[])]
#[case::nothing_in_it("commandTests:\nmetadataTest: ~\nlicenseTests: []", &[])]
#[case::an_empty_metadata_test("metadataTest: {entrypoint: ~, user: \"\", envVars: []}", &[])]
#[case::an_empty_entrypoint_is_asked_for("metadataTest: {entrypoint: []}", &["Metadata Test"])]
#[case::numbers_are_texts("commandTests: [{name: 5, command: true, args: [1.10, yes, ~, 2001-01-01]}]", &["Command Test: 5"])]
#[case::merged("fileExistenceTests: [&a {name: a, path: /a}, {<<: *a, name: b}]", &["File Existence Test: a", "File Existence Test: b"])]
#[case::no_name("commandTests: [{command: x}]", &["Command Test: (no name) it has no `name`"])]
#[case::nothing_at_all("commandTests: [~]", &["Command Test: (no name) it has no `name`; it has no `command`"])]
#[case::no_command("commandTests: [{name: a}]", &["Command Test: a it has no `command`"])]
#[case::no_command_but_args("commandTests: [{name: a, args: [b]}]", &["Command Test: a its `command` is empty"])]
#[case::empty_setup("commandTests: [{name: a, command: x, setup: [[]]}]", &["Command Test: a its `setup` has an empty command"])]
#[case::empty_teardown("commandTests: [{name: a, command: x, teardown: [[a], ~]}]", &["Command Test: a its `teardown` has an empty command"])]
#[case::empty_value("commandTests: [{name: a, command: x, envVars: [{key: A, value: \"\"}]}]", &["Command Test: a its `envVars` have an empty key or value"])]
#[case::no_path("fileExistenceTests: [{name: a}]\nfileContentTests: [{name: b}]", &["File Content Test: b it has no `path`", "File Existence Test: a it has no `path`"])]
#[case::empty_metadata(
    "metadataTest: {envVars: [{value: a}], labels: [{key: \"\"}], exposedPorts: [\"\"], volumes: [~], unexposedPorts: [\"\"]}",
    &["Metadata Test its `envVars` have an empty one; its `labels` have an empty one; its `exposedPorts` have an empty one; its `volumes` have an empty one"]
)]
#[case::a_bad_pattern(
    "fileContentTests:\n- name: a\n  path: /a\n  expectedContents: [a, '(']",
    &["File Content Test: a `(` in line 5 is no pattern that Go's regexp takes: a `(` is not closed, at its character 2"]
)]
#[case::a_bad_pattern_of_a_label(
    "metadataTest: {labels: [{key: a, value: '*', isRegex: true}, {key: b, value: '*'}]}",
    &["Metadata Test `*` in line 2 is no pattern that Go's regexp takes: there is nothing to repeat, at its character 1"]
)]
fn what_is_wrong_with_a_test_is_told_and_the_others_are_read(#[case] text: &str, #[case] wanted: &[&str]) {
    assert_eq!(told(&v2(text)), wanted);
}

#[rstest]
#[case::other_name("a.txt", "", "a.txt: the name of a file of container-structure-test ends in")]
#[case::no_version("a.yaml", "commandTests: []", "a.yaml: it has no `schemaVersion`; begin it with")]
#[case::nothing("a.yml", "", "a.yml: it has no `schemaVersion`")]
#[case::other_version("a.yaml", "schemaVersion: 3.0.0\nunknown: 1", "a.yaml: its `schemaVersion` is `3.0.0`")]
#[case::unknown_key(
    "a.yaml",
    "schemaVersion: 2.0.0\ncommandTests:\n- name: a\n  comand: b",
    "a.yaml:4:3: unknown key `comand`; write `command`; the keys here are `name`, `setup`"
)]
#[case::unknown_key_at_the_top(
    "a.yaml",
    "schemaVersion: 2.0.0\ncommandTest: []",
    "a.yaml:2:1: unknown key `commandTest`; write `commandTests`"
)]
#[case::not_of_this_version(
    "a.yaml",
    "schemaVersion: 1.0.0\nmetadataTest: {}",
    "a.yaml:2:1: unknown key `metadataTest`"
)]
#[case::nor_this(
    "a.yaml",
    "schemaVersion: 1.0.0\nfileExistenceTests: [{name: a, path: /a, uid: 1}]",
    "a.yaml:2:42: unknown key `uid`"
)]
#[case::duplicate_key(
    "a.yaml",
    "schemaVersion: 2.0.0\ncommandTests: []\ncommandTests: []",
    "a.yaml:3:1: the key `commandTests` is there twice"
)]
#[case::wrong_type(
    "a.yaml",
    "schemaVersion: 2.0.0\ncommandTests:\n- {name: a, command: [x]}",
    "a.yaml:3:22: this cannot be read"
)]
#[case::a_text_for_a_list(
    "a.yaml",
    "schemaVersion: 2.0.0\ncommandTests:\n- {name: a, command: x, args: y}",
    "a.yaml:3:31: this cannot be read"
)]
#[case::no_number(
    "a.yaml",
    "schemaVersion: 2.0.0\ncommandTests:\n- {name: a, command: x, exitCode: y}",
    "a.yaml:3:35: this cannot be read"
)]
#[case::no_yaml("a.yaml", "schemaVersion: 2.0.0\nx: [", "a.yaml:2:4: this cannot be read")]
#[case::two_documents(
    "a.yaml",
    "schemaVersion: 2.0.0\n---\nschemaVersion: 2.0.0",
    "a.yaml:3:1: a second document begins here"
)]
#[case::no_json("a.json", "{\"schemaVersion\": \"2.0.0\",\n \"commandTests\": [}", "a.json:2:19: this cannot be read")]
#[case::more_than_json("a.json", "{\"schemaVersion\": \"2.0.0\"} x", "a.json:1:28: this cannot be read")]
#[case::json_types(
    "a.json",
    "{\"schemaVersion\": \"2.0.0\",\n \"commandTests\": [{\"exitCode\": \"1\"}]}",
    "a.json:2:34: this cannot be read: invalid type: string"
)]
#[case::json_twice(
    "a.json",
    "{\"schemaVersion\": \"2.0.0\", \"commandTests\": [{\"name\": \"a\", \"Name\": \"b\"}]}",
    "a.json:1:64: this cannot be read: duplicate field"
)]
fn a_file_that_cannot_be_read_says_where_and_what_to_do(#[case] name: &str, #[case] text: &str, #[case] wanted: &str) {
    let problem = read(name, text).unwrap_err();
    assert!(problem.starts_with(wanted), "{problem}");
}

#[test]
fn files_and_their_aliases_are_bounded() {
    let text = format!("schemaVersion: 2.0.0\n# {}", "x".repeat(MAX_FILE_BYTES));
    assert!(read("a.yaml", &text).unwrap_err().contains("1048576 are read"));
    let mut bomb = "schemaVersion: 2.0.0\ncommandTests:\n- &a0 {name: a, command: b, args: [x, x, x, x]}\n".to_owned();
    for level in 1..12 {
        let list = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("- &a{level} [{list}]\n"));
    }
    read("a.yaml", &bomb).unwrap_err();
    let many = "- {name: a, command: \"true\", expectedOutput: [\"^a$\"]}\n".repeat(10_000);
    assert_eq!(v2(&format!("commandTests:\n{many}")).len(), 10_000);
    read("a.json", &format!("{}{}", "[".repeat(200_000), "]".repeat(200_000))).unwrap_err();
}

/// Go spells names in any case, and passes over those that it does not know.
#[test]
fn json_is_read_as_go_reads_it() {
    let text = r#"{"schemaversion": "2.0.0", "unknown": {"a": [1]}, "COMMANDTESTS": [
        {"NAME": "c", "command": "x", "ARGS": ["y"], "bogus": 3, "envVars": [{"KEY": "A", "Value": "b", "x": null}]},
        null],
        "metadataTest": {"env": [{"key": "A"}], "USER": "1000"},
        "containerRunOptions": {"tty": true, "allocateTty": false, "envVars": ["CALLER"], "user": null}}"#;
    let tests = read("a.json", text).unwrap();
    let names = ["Command Test: c", "Command Test: (no name) it has no `name`; it has no `command`", "Metadata Test"];
    assert_eq!(told(&tests), names);
    let plan = plan(&tests[0]);
    assert_eq!(words(&plan.command), "A=b CALLER=called x y");
    assert!(plan.freedom.terminal && plan.user.is_none());
}

#[test]
fn variables_of_the_image_are_put_into_the_command_and_not_into_the_setup() {
    let tests = v2("
globalEnvVars: [{key: GLOBAL, value: g-$GREETING}, {key: PATH, value: '/x:$PATH'}]
commandTests:
- name: a
  setup: [[sh, -c, 'echo $GREETING']]
  command: $GREETING
  args: [$GLOBAL, $LOCAL, '$TWICE', $NOVALUE, '$1$X.']
  envVars: [{key: LOCAL, value: l-$GLOBAL}, {key: GREETING, value: over}]
- {name: b, command: echo, args: [$LOCAL.], envVars: [{key: LOCAL, value: l}]}
");
    let first = plan(&tests[0]);
    let setup = "GLOBAL=g-hello GREETING=over LOCAL=l-g-hello PATH=/x:/bin sh -c echo $GREETING";
    assert_eq!(first.setup.iter().map(words).collect::<Vec<_>>(), [setup]);
    // What the setup had is in the image that it becomes.
    let command = "GLOBAL=g-hello GREETING=over LOCAL=l-$GLOBAL PATH=/x:/bin over g-hello l-g-hello b  .";
    assert_eq!(words(&first.command), command);
    assert_eq!(words(&plan(&tests[1]).command), "GLOBAL=g-hello LOCAL=l PATH=/x:/bin echo .");
    assert_eq!(first.freedom, Freedom { writable: true, ..Freedom::default() });
}

#[test]
fn schema_1_gives_global_variables_to_the_setup_alone() {
    let text = "
schemaVersion: \"1.0.0\"
globalEnvVars: [{key: GLOBAL, value: g-$GREETING}]
commandTests:
- {name: a, command: [echo, $GLOBAL.], envVars: [{key: LOCAL, value: l-$GREETING}]}
- {name: b, command: [echo, $GLOBAL.], setup: [[x]]}
- {name: c, command: []}
";
    let tests = read("a.yaml", text).unwrap();
    assert_eq!(words(&plan(&tests[0]).command), "LOCAL=l-$GREETING echo .");
    assert_eq!(words(&plan(&tests[1]).setup[0]), "GLOBAL=g-hello x");
    assert_eq!(words(&plan(&tests[1]).command), "GLOBAL=g-hello echo g-hello.");
    assert_eq!(told(&tests)[2], "Command Test: c it has no `command`");
}

#[test]
fn run_options_are_added_to_a_tests_own() {
    let tests = v2("
containerRunOptions:
  user: '12:13'
  privileged: true
  allocateTty: true
  capabilities: [NET_ADMIN]
  bindMounts: ['/a:/b:ro']
  envVars: [CALLER, EMPTY, UNSET, A]
  envFile: env.txt
commandTests: [{name: a, command: x, setup: [[y]], envVars: [{key: LOCAL, value: l}, {key: A, value: own}]}]
");
    let plan = plan(&tests[0]);
    assert_eq!(words(&plan.command), "A=file B=file! CALLER=called LOCAL=l x");
    assert_eq!(words(&plan.setup[0]), "A=own LOCAL=l y");
    assert_eq!(plan.user.as_deref(), Some("12:13"));
    let Freedom { writable, network, privileged, capabilities, mounts, terminal } = plan.freedom;
    assert_eq!((writable, network, privileged, terminal), (true, false, true, true));
    assert!(["NET_ADMIN", "CHOWN"].iter().all(|name| capabilities.iter().any(|given| given == name)));
    assert_eq!(mounts, ["/a:/b:ro"]);
}
