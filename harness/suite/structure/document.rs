//! What can be written into a file of container-structure-test: one type for each map, in both of its schemas.
//!
//! An empty value (`key:`) is the type's zero, as in Go.

use serde::de::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

/// No more than the version, which comes first.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Head {
    #[serde(deserialize_with = "zero")]
    pub(super) schema_version: String,
}

/// A file of schema 2.0.0.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct V2 {
    #[serde(deserialize_with = "zero")]
    #[allow(dead_code, reason = "it was read as the head")]
    pub(super) schema_version: String,
    #[serde(deserialize_with = "list")]
    pub(super) global_env_vars: Vec<Variable>,
    #[serde(deserialize_with = "list")]
    pub(super) command_tests: Vec<Command>,
    #[serde(deserialize_with = "list")]
    pub(super) file_existence_tests: Vec<Existence>,
    #[serde(deserialize_with = "list")]
    pub(super) file_content_tests: Vec<Content>,
    #[serde(deserialize_with = "zero")]
    pub(super) metadata_test: Metadata,
    #[serde(deserialize_with = "list")]
    pub(super) license_tests: Vec<License>,
    #[serde(deserialize_with = "zero")]
    pub(super) container_run_options: RunOptions,
}

/// A file of schema 1.0.0.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct V1 {
    #[serde(deserialize_with = "zero")]
    #[allow(dead_code, reason = "it was read as the head")]
    pub(super) schema_version: String,
    #[serde(deserialize_with = "list")]
    pub(super) global_env_vars: Vec<Variable>,
    #[serde(deserialize_with = "list")]
    pub(super) command_tests: Vec<CommandV1>,
    #[serde(deserialize_with = "list")]
    pub(super) file_existence_tests: Vec<ExistenceV1>,
    #[serde(deserialize_with = "list")]
    pub(super) file_content_tests: Vec<Content>,
    #[serde(deserialize_with = "list")]
    pub(super) license_tests: Vec<License>,
}

/// A name, and the place of it: that of its test.
pub(super) type Name = Option<Spanned<String>>;

/// A pattern and its place; `None` is the empty one.
pub(super) type Text = Option<Spanned<String>>;

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Command {
    pub(super) name: Name,
    #[serde(deserialize_with = "list")]
    pub(super) setup: Vec<Words>,
    #[serde(deserialize_with = "list")]
    pub(super) teardown: Vec<Words>,
    #[serde(deserialize_with = "list")]
    pub(super) env_vars: Vec<Variable>,
    #[serde(deserialize_with = "zero")]
    pub(super) exit_code: i64,
    #[serde(deserialize_with = "zero")]
    pub(super) command: String,
    #[serde(deserialize_with = "list")]
    pub(super) args: Vec<String>,
    #[serde(deserialize_with = "zero")]
    pub(super) expected_output: Vec<Text>,
    #[serde(deserialize_with = "zero")]
    pub(super) excluded_output: Vec<Text>,
    #[serde(deserialize_with = "zero")]
    pub(super) expected_error: Vec<Text>,
    #[serde(deserialize_with = "zero")]
    pub(super) excluded_error: Vec<Text>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct CommandV1 {
    pub(super) name: Name,
    #[serde(deserialize_with = "list")]
    pub(super) setup: Vec<Words>,
    #[serde(deserialize_with = "list")]
    pub(super) teardown: Vec<Words>,
    #[serde(deserialize_with = "list")]
    pub(super) env_vars: Vec<Variable>,
    #[serde(deserialize_with = "zero")]
    pub(super) exit_code: i64,
    #[serde(deserialize_with = "list")]
    pub(super) command: Vec<String>,
    #[serde(deserialize_with = "zero")]
    pub(super) expected_output: Vec<Text>,
    #[serde(deserialize_with = "zero")]
    pub(super) excluded_output: Vec<Text>,
    #[serde(deserialize_with = "zero")]
    pub(super) expected_error: Vec<Text>,
    #[serde(deserialize_with = "zero")]
    pub(super) excluded_error: Vec<Text>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Existence {
    pub(super) name: Name,
    #[serde(deserialize_with = "zero")]
    pub(super) path: String,
    #[serde(deserialize_with = "given")]
    pub(super) should_exist: Option<bool>,
    #[serde(deserialize_with = "zero")]
    pub(super) permissions: String,
    #[serde(deserialize_with = "given")]
    pub(super) uid: Option<i64>,
    #[serde(deserialize_with = "given")]
    pub(super) gid: Option<i64>,
    #[serde(deserialize_with = "zero")]
    pub(super) is_executable_by: String,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct ExistenceV1 {
    pub(super) name: Name,
    #[serde(deserialize_with = "zero")]
    pub(super) path: String,
    #[serde(deserialize_with = "given")]
    pub(super) should_exist: Option<bool>,
    #[serde(deserialize_with = "zero")]
    pub(super) permissions: String,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Content {
    pub(super) name: Name,
    #[serde(deserialize_with = "zero")]
    pub(super) path: String,
    #[serde(deserialize_with = "zero")]
    pub(super) expected_contents: Vec<Text>,
    #[serde(deserialize_with = "zero")]
    pub(super) excluded_contents: Vec<Text>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Metadata {
    #[serde(deserialize_with = "list")]
    pub(super) env_vars: Vec<Variable>,
    #[serde(deserialize_with = "list")]
    pub(super) unbound_env_vars: Vec<Variable>,
    #[serde(deserialize_with = "list")]
    pub(super) labels: Vec<Variable>,
    pub(super) entrypoint: Option<Words>,
    pub(super) cmd: Option<Words>,
    #[serde(deserialize_with = "list")]
    pub(super) exposed_ports: Vec<String>,
    #[serde(deserialize_with = "list")]
    pub(super) unexposed_ports: Vec<String>,
    #[serde(deserialize_with = "list")]
    pub(super) volumes: Vec<String>,
    #[serde(deserialize_with = "list")]
    pub(super) unmounted_volumes: Vec<String>,
    #[serde(deserialize_with = "zero")]
    pub(super) workdir: String,
    #[serde(deserialize_with = "zero")]
    pub(super) user: String,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct License {
    #[serde(deserialize_with = "zero")]
    pub(super) debian: bool,
    #[serde(deserialize_with = "list")]
    pub(super) files: Vec<String>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct RunOptions {
    #[serde(deserialize_with = "zero")]
    pub(super) user: String,
    #[serde(deserialize_with = "zero")]
    pub(super) privileged: bool,
    /// In JSON it is called `tty`.
    #[serde(deserialize_with = "zero")]
    pub(super) allocate_tty: bool,
    #[serde(deserialize_with = "zero")]
    pub(super) env_file: String,
    #[serde(deserialize_with = "list")]
    pub(super) env_vars: Vec<String>,
    #[serde(deserialize_with = "list")]
    pub(super) capabilities: Vec<String>,
    #[serde(deserialize_with = "list")]
    pub(super) bind_mounts: Vec<String>,
}

/// A variable or a label.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Variable {
    #[serde(deserialize_with = "zero")]
    pub(super) key: String,
    pub(super) value: Text,
    #[serde(deserialize_with = "zero")]
    pub(super) is_regex: bool,
}

/// A command's words.
#[derive(Debug, Default)]
pub(super) struct Words(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        list(deserializer).map(Self)
    }
}

/// An empty value is zero.
fn zero<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// The same of a value that has another default where its key is not there.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<Option<T>, D::Error> {
    zero(deserializer).map(Some)
}

/// The same of a list and its items.
fn list<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let items: Vec<Option<T>> = zero(deserializer)?;
    Ok(items.into_iter().map(Option::unwrap_or_default).collect())
}

impl From<V1> for V2 {
    fn from(file: V1) -> Self {
        Self {
            schema_version: file.schema_version,
            global_env_vars: file.global_env_vars,
            command_tests: file.command_tests.into_iter().map(Command::from).collect(),
            file_existence_tests: file.file_existence_tests.into_iter().map(Existence::from).collect(),
            file_content_tests: file.file_content_tests,
            license_tests: file.license_tests,
            ..Self::default()
        }
    }
}

impl From<CommandV1> for Command {
    fn from(test: CommandV1) -> Self {
        let mut words = test.command.into_iter();
        Self {
            name: test.name,
            setup: test.setup,
            teardown: test.teardown,
            env_vars: test.env_vars,
            exit_code: test.exit_code,
            command: words.next().unwrap_or_default(),
            args: words.collect(),
            expected_output: test.expected_output,
            excluded_output: test.excluded_output,
            expected_error: test.expected_error,
            excluded_error: test.excluded_error,
        }
    }
}

impl From<ExistenceV1> for Existence {
    fn from(test: ExistenceV1) -> Self {
        Self {
            name: test.name,
            path: test.path,
            should_exist: test.should_exist,
            permissions: test.permissions,
            // It does not know of owners: unchecked, also in JSON.
            uid: Some(-1),
            gid: Some(-1),
            is_executable_by: String::new(),
        }
    }
}
