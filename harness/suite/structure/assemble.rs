//! From what is written in a file to its tests.

use super::super::located::Place;
use super::command::{CommandTest, Shared};
use super::document::{Command, Content, Existence, License, Metadata, Name, RunOptions, Text, V2, Variable, Words};
use super::existence::ExistenceTest;
use super::files::ContentTest;
use super::license::LicenseTest;
use super::metadata::{Entry, MetadataTest};
use super::pattern::Pattern;
use super::{Caller, Format, Kind, Schema, Test, dotenv};
use crate::run::Freedom;
use std::sync::Arc;

/// What a list of `envVars` becomes.
pub(super) type Variables = Vec<(String, String)>;

/// All tests of a file, in their order.
pub(super) fn tests(file: V2, schema: Schema, format: Format, caller: &Caller<'_>) -> Vec<Test> {
    let (environment, remark) = environment(&file.container_run_options, caller);
    let options = file.container_run_options;
    let shared = Arc::new(Shared {
        schema,
        global: variables(file.global_env_vars),
        environment,
        remark,
        user: Some(options.user).filter(|user| !user.is_empty()),
        freedom: Freedom {
            writable: true,
            network: false,
            privileged: options.privileged,
            capabilities: capabilities(options.capabilities),
            mounts: options.bind_mounts,
            terminal: options.allocate_tty,
        },
    });
    let mut tests = Vec::new();
    tests.extend(file.command_tests.into_iter().map(|test| command(test, &shared)));
    tests.extend(file.file_content_tests.into_iter().map(content));
    tests.extend(file.file_existence_tests.into_iter().map(|test| existence(test, schema, format)));
    tests.extend(file.license_tests.into_iter().map(|test| license(test, schema)));
    tests.extend(metadata(file.metadata_test));
    tests
}

/// Docker adds to the set that every container has (moby, `oci/caps/defaults.go`).
fn capabilities(asked: Vec<String>) -> Vec<String> {
    const DOCKERS: [&str; 14] = [
        "CHOWN",
        "DAC_OVERRIDE",
        "FSETID",
        "FOWNER",
        "MKNOD",
        "NET_RAW",
        "SETGID",
        "SETUID",
        "SETFCAP",
        "SETPCAP",
        "NET_BIND_SERVICE",
        "SYS_CHROOT",
        "KILL",
        "AUDIT_WRITE",
    ];
    if asked.is_empty() {
        return asked;
    }
    DOCKERS.map(str::to_owned).into_iter().chain(asked).collect()
}

/// What `envFile` and then `envVars` set, and what could not be read.
fn environment(options: &RunOptions, caller: &Caller<'_>) -> (Variables, Option<String>) {
    let mut all = Variables::new();
    let mut remark = None;
    if !options.env_file.is_empty() {
        match (caller.file)(&options.env_file).and_then(|text| dotenv::parse(&text)) {
            Ok(variables) => all.extend(variables),
            Err(why) => remark = Some(format!("the `envFile` {} could not be read: {why}", options.env_file)),
        }
    }
    let given = |name: &String| (caller.variable)(name).filter(|value| !value.is_empty());
    all.extend(options.env_vars.iter().filter_map(|name| Some((name.clone(), given(name)?))));
    (all, remark)
}

fn variables(variables: Vec<Variable>) -> Variables {
    let pairs = variables.into_iter().map(|variable| (variable.key, text(variable.value)));
    pairs.filter(|(name, _)| !name.is_empty()).collect()
}

fn text(text: Text) -> String {
    text.map(|text| text.value).unwrap_or_default()
}

fn pattern(text: Text) -> Pattern {
    match text {
        Some(text) => {
            let place = Place::of(text.defined).or_else(|| Place::of(text.referenced));
            Pattern::new(text.value, place)
        }
        None => Pattern::new(String::new(), None),
    }
}

fn patterns(texts: Vec<Text>) -> Vec<Pattern> {
    texts.into_iter().map(pattern).collect()
}

/// A test under its name, or what is wrong with it.
fn named(what: &str, name: Name, kind: impl FnOnce(String) -> Kind, mut faults: Vec<String>) -> Test {
    let place = name.as_ref().and_then(|name| Place::of(name.defined).or_else(|| Place::of(name.referenced)));
    let name = name.map(|name| name.value).unwrap_or_default();
    if name.is_empty() {
        faults.insert(0, "it has no `name`".to_owned());
    }
    let title = if name.is_empty() { format!("{what}: (no name)") } else { format!("{what}: {name}") };
    let kind = if faults.is_empty() { kind(name) } else { Kind::Invalid(faults) };
    Test { name: title, place, kind }
}

fn command(test: Command, shared: &Arc<Shared>) -> Test {
    let mut faults = Vec::new();
    let mut fault = |wrong: bool, why: &str| {
        if wrong {
            faults.push(why.to_owned());
        }
    };
    let is_empty = |commands: &[Words]| commands.iter().any(|words| words.0.is_empty());
    let has_nothing = |variable: &Variable| {
        variable.key.is_empty() || variable.value.as_ref().is_none_or(|value| value.value.is_empty())
    };
    fault(test.command.is_empty() && test.args.is_empty(), "it has no `command`");
    fault(test.command.is_empty() && !test.args.is_empty(), "its `command` is empty");
    fault(is_empty(&test.setup), "its `setup` has an empty command");
    fault(is_empty(&test.teardown), "its `teardown` has an empty command");
    fault(test.env_vars.iter().any(has_nothing), "its `envVars` have an empty key or value");
    let kind = |_| {
        let mut words = vec![test.command];
        words.extend(test.args);
        Kind::Command(CommandTest {
            setup: test.setup.into_iter().map(|words| words.0).collect(),
            words,
            environment: variables(test.env_vars),
            exit_code: test.exit_code,
            expected_output: patterns(test.expected_output),
            excluded_output: patterns(test.excluded_output),
            expected_error: patterns(test.expected_error),
            excluded_error: patterns(test.excluded_error),
            shared: Arc::clone(shared),
        })
    };
    named("Command Test", test.name, kind, faults)
}

fn content(test: Content) -> Test {
    let faults = no_path(&test.path);
    let kind = |_| {
        Kind::Content(ContentTest {
            path: test.path,
            expected: patterns(test.expected_contents),
            excluded: patterns(test.excluded_contents),
        })
    };
    named("File Content Test", test.name, kind, faults)
}

fn no_path(path: &str) -> Vec<String> {
    if path.is_empty() { vec!["it has no `path`".to_owned()] } else { Vec::new() }
}

fn existence(test: Existence, schema: Schema, format: Format) -> Test {
    let faults = no_path(&test.path);
    let is_json = format == Format::Json;
    // In Go, JSON leaves what is not there at zero; YAML has defaults.
    let owner = |id: Option<i64>| Some(id.unwrap_or(if is_json { 0 } else { -1 })).filter(|id| *id != -1);
    let kind = |_| {
        Kind::Existence(ExistenceTest {
            path: test.path,
            expands: schema == Schema::V2,
            exists: test.should_exist.unwrap_or(!is_json),
            by_default: is_json && test.should_exist.is_none(),
            permissions: Some(test.permissions).filter(|permissions| !permissions.is_empty()),
            user: owner(test.uid),
            group: owner(test.gid),
            executable_by: Some(test.is_executable_by).filter(|who| !who.is_empty()),
        })
    };
    named("File Existence Test", test.name, kind, faults)
}

fn license(test: License, schema: Schema) -> Test {
    let kind = Kind::License(LicenseTest { schema, debian: test.debian, files: test.files });
    Test { name: "License Test".to_owned(), place: None, kind }
}

/// `None`: there is no such test, or nothing in it.
fn metadata(test: Metadata) -> Option<Test> {
    let is_empty = test.env_vars.is_empty()
        && test.unbound_env_vars.is_empty()
        && test.labels.is_empty()
        && test.entrypoint.is_none()
        && test.cmd.is_none()
        && [&test.exposed_ports, &test.unexposed_ports, &test.volumes, &test.unmounted_volumes]
            .iter()
            .all(|list| list.is_empty())
        && test.workdir.is_empty()
        && test.user.is_empty();
    if is_empty {
        return None;
    }
    let mut faults = Vec::new();
    let mut fault = |wrong: bool, what: &str| {
        if wrong {
            faults.push(format!("its `{what}` have an empty one"));
        }
    };
    fault(test.env_vars.iter().any(|variable| variable.key.is_empty()), "envVars");
    fault(test.labels.iter().any(|label| label.key.is_empty()), "labels");
    fault(test.exposed_ports.iter().any(String::is_empty), "exposedPorts");
    fault(test.volumes.iter().any(String::is_empty), "volumes");
    let entries = |variables: Vec<Variable>| variables.into_iter().map(entry).collect();
    let kind = if faults.is_empty() {
        Kind::Metadata(MetadataTest {
            environment: entries(test.env_vars),
            not_environment: test.unbound_env_vars.into_iter().map(|variable| variable.key).collect(),
            labels: entries(test.labels),
            entrypoint: test.entrypoint.map(|words| words.0),
            command: test.cmd.map(|words| words.0),
            ports: test.exposed_ports,
            not_ports: test.unexposed_ports,
            volumes: test.volumes,
            not_volumes: test.unmounted_volumes,
            working_directory: Some(test.workdir).filter(|directory| !directory.is_empty()),
            user: Some(test.user).filter(|user| !user.is_empty()),
        })
    } else {
        Kind::Invalid(faults)
    };
    Some(Test { name: "Metadata Test".to_owned(), place: None, kind })
}

fn entry(variable: Variable) -> (String, Entry) {
    let value =
        if variable.is_regex { Entry::Matching(pattern(variable.value)) } else { Entry::Exactly(text(variable.value)) };
    (variable.key, value)
}
