//! The suite file as it is written: version 1 of the format. `mpcheck schema suite` prints what these types accept, with
//! what is said here of each.
//!
//! Whatever is text may have variables in it, which are put in after the file was read (`variable.rs`); so text is kept
//! with its place, and what it means is found out in `resolve.rs`.

mod build;
mod value;

pub(super) use build::Build;
pub(super) use value::{Told, Value};

use super::items::{ItemsSeed, Keyed, PlacedItemsSeed, items, words};
use super::located::{At, NumbersToo, Pairs, Place, Texts, numbers_too};
use crate::check::rule;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// The version of the format that this program knows.
pub(super) const VERSION: &str = "1";

/// The keys of a suite. Those that start with `x-` are anybody's: a place for anchors.
pub(super) const KEYS: [&str; 7] = ["version", "name", "variables", "defaults", "host", "images", "builds"];

/// What images should be on every platform. A file may have several suites, as YAML documents with `---` between them.
#[derive(Debug, Clone, Default, JsonSchema)]
#[schemars(rename = "Suite", rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(extend("patternProperties" = {
    "^x-": { "description": "Anything: a place for anchors that are used elsewhere." }
}))]
pub(super) struct Document {
    /// The version of this format: 1. It comes first.
    #[schemars(required, with = "Version")]
    pub(super) version: Option<At<String>>,
    /// What the suite is called in the names of its tests. Without it that is the file's name.
    #[schemars(example = &"release")]
    pub(super) name: Option<At<String>>,
    /// Values for variables that the environment does not have, or has empty: ${NAME} in any text below, or
    /// ${NAME:-VALUE}. Where ${ is meant itself, $${ is written; any other dollar is one.
    #[schemars(with = "Option<Pairs<Scalar>>", example = &[("TAG", "3")].into_iter().collect::<std::collections::BTreeMap<_, _>>())]
    pub(super) variables: Option<Pairs<At<String>>>,
    /// What every image has that does not say otherwise. Maps are merged key by key; a list in an image replaces the one
    /// here.
    pub(super) defaults: Option<Settings>,
    /// What is asked of the machine that runs this.
    pub(super) host: Option<Host>,
    /// The images.
    pub(super) images: Option<Vec<Image>>,
    /// What is built by this host's docker to be checked, and rehearsals of building and publishing on it.
    pub(super) builds: Option<Vec<At<Build>>>,
    /// Whether that is so.
    #[schemars(skip)]
    pub(super) version_is_first: bool,
    /// Keys that are none, for all of them to be told.
    #[schemars(skip)]
    pub(super) unknown: Vec<At<String>>,
    /// Where the document begins.
    #[schemars(skip)]
    pub(super) place: Option<Place>,
}

/// The version, for the schema.
struct Version;

impl JsonSchema for Version {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Version".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "const": 1 })
    }
}

/// A text that may be written as a number or as true and false, without quotes.
pub(super) struct Scalar;

impl JsonSchema for Scalar {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DocumentVisitor;

        impl<'de> Visitor<'de> for DocumentVisitor {
            type Value = Document;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a suite: a map with `version` and `images`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
                let mut document = Document::default();
                while let Some(key) = map.next_key::<At<String>>()? {
                    document.version_is_first |= document.place.is_none() && key.value == "version";
                    document.place.get_or_insert(key.place);
                    match key.value.as_str() {
                        "version" => document.version = Some(map.next_value()?),
                        "name" => document.name = map.next_value()?,
                        "variables" => document.variables = map.next_value()?,
                        "defaults" => document.defaults = map.next_value()?,
                        "host" => document.host = map.next_value()?,
                        "images" => document.images = map.next_value_seed(ItemsSeed(PhantomData))?,
                        "builds" => document.builds = map.next_value_seed(PlacedItemsSeed(PhantomData))?,
                        other => {
                            let is_extension = other.starts_with("x-");
                            map.next_value::<IgnoredAny>()?;
                            if !is_extension {
                                document.unknown.push(key);
                            }
                        }
                    }
                }
                Ok(document)
            }
        }

        deserializer.deserialize_map(DocumentVisitor)
    }
}

/// Makes `Settings`, what images have in common, and `Image`, the same with its name: serde's own way to share fields
/// (`flatten`) would lose their places.
macro_rules! settings {
    ($($(#[$attribute:meta])* $field:ident: $type:ty,)*) => {
        /// What every image has that does not say otherwise.
        #[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        #[schemars(rename = "Defaults")]
        pub(super) struct Settings {
            $($(#[$attribute])* pub(super) $field: $type,)*
        }

        /// An image and what it should be.
        #[derive(Debug, Clone, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        pub(super) struct Image {
            /// The image as on the command line: a name in a registry, docker-daemon:NAME, oci:DIRECTORY,
            /// oci-archive:FILE, docker-archive:FILE; or a list of images for which all of this holds. Paths are relative
            /// to this file.
            #[schemars(example = &"${REGISTRY:-docker.io/library}/alpine:3")]
            image: Texts,
            /// What it is called in the names of its tests. Without it that is the last part of its name, without the tag.
            #[schemars(example = &"alpine")]
            name: Option<At<String>>,
            $($(#[$attribute])* $field: $type,)*
        }

        impl Image {
            /// The image, its name, and the rest.
            pub(super) fn parts(self) -> (Texts, Option<At<String>>, Settings) {
                (self.image, self.name, Settings { $($field: self.$field,)* })
            }
        }
    };
}

settings! {
    /// The platforms that it must have; these are checked.
    #[schemars(example = ["linux/amd64", "linux/arm64"])]
    platforms: Option<Texts>,
    /// Whether it may have no other platforms. Without it, it may.
    exact: Option<bool>,
    /// An earlier image: no platform of it may be missing here.
    baseline: Option<At<String>>,
    /// From which severity on a finding fails: error (without it) or warning.
    fail_on: Option<FailLevel>,
    /// Files for another architecture that are meant to be there.
    allow_foreign: Option<Vec<AllowForeign>>,
    /// How bad a broken rule is: the name of a rule (`mpcheck rules` lists them), and error, warning, note or off.
    #[schemars(extend("propertyNames" = { "enum": rules(false) }))]
    severities: Option<Pairs<RuleLevel>>,
    /// How it is run, and with which commands.
    run: Option<Run>,
    /// What its files should be.
    #[serde(default, deserialize_with = "items")]
    files: Option<Vec<File>>,
    /// What its config should say.
    metadata: Option<At<Metadata>>,
    /// Files of container-structure-test to run on every platform, relative to this file.
    structure: Option<Texts>,
}

/// The names of the rules of hosts, or of images, which editors offer.
fn rules(of_host: bool) -> Vec<&'static str> {
    rule::RULES.iter().map(|rule| rule.name).filter(|name| name.starts_with("host/") == of_host).collect()
}

/// From which severity on a finding fails.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum FailLevel {
    Error,
    Warning,
}

/// How bad a broken rule is. Quoted or not, `off` is a text here and no boolean.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum RuleLevel {
    Error,
    Warning,
    Note,
    Off,
}

/// Files for another architecture that are meant to be there.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct AllowForeign {
    /// Their absolute paths: * is of one directory, ** of all below, {a,b} is one of these.
    #[schemars(example = &"/opt/probes/**")]
    pub(super) path: At<String>,
    /// The architecture that they may be for. Without it, any.
    #[schemars(example = &"amd64")]
    pub(super) architecture: Option<At<String>>,
    /// Why they are there.
    pub(super) reason: At<String>,
    /// The last day on which they may be: YEAR-MONTH-DAY.
    #[schemars(example = &"2027-06-30")]
    pub(super) expires: Option<At<String>>,
}

/// What is asked of the machine that runs this.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Host {
    /// Platforms that must run on it.
    #[schemars(example = ["linux/arm64"])]
    pub(super) require: Texts,
    /// How bad a broken rule of the group host is.
    #[schemars(extend("propertyNames" = { "enum": rules(true) }))]
    pub(super) severities: Option<Pairs<RuleLevel>>,
}

/// How an image is run.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Run {
    /// By what: auto (the sandbox where it works, else Docker; without it that), sandbox, docker, or never.
    pub(super) with: Option<With>,
    /// On which processor: max (the host's own, or all that the emulator has; without it that), or baseline (what every
    /// machine of the platform has and no more).
    pub(super) cpu: Option<Processor>,
    /// Whether a platform that cannot be run here is an error. Without it, it is skipped.
    pub(super) required: Option<bool>,
    /// How long each command may take that does not say otherwise. Without it, 60s.
    #[schemars(example = &"30s")]
    pub(super) timeout: Option<At<String>>,
    /// The most memory of all processes together, in K, M, G or KiB, MiB, GiB. Without it, 2GiB.
    #[schemars(example = &"4GiB")]
    pub(super) memory: Option<At<String>>,
    /// The most processes and threads at a time. Without it, 512.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(super) processes: Option<At<u64>>,
    /// The size of /tmp. Without it, 64MiB.
    #[schemars(example = &"256MiB")]
    pub(super) temporary: Option<At<String>>,
    /// Whether commands, and tests of structure files, have a network, which needs Docker. Without it, they have none.
    pub(super) network: Option<bool>,
    /// The commands. `uname -m` is always asked as well.
    #[serde(default, deserialize_with = "items")]
    pub(super) commands: Option<Vec<Command>>,
}

/// By what an image is run.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum With {
    Auto,
    Sandbox,
    Docker,
    Never,
}

/// On which processor.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum Processor {
    Max,
    Baseline,
}

/// A command and what it should do.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Command {
    /// The program and its arguments: a list, or one text with words as in a shell. There is no shell: write
    /// [sh, -c, ...] for one.
    #[schemars(example = ["python3", "--version"])]
    pub(super) command: Texts,
    /// What it is called in the names of its tests. Without it that is made of its words.
    pub(super) name: Option<At<String>>,
    /// The exit code that it should have. Without it, 0.
    #[schemars(range(min = 0, max = 255))]
    pub(super) exit: Option<At<i64>>,
    /// A regular expression, or several, that should match somewhere in its standard output.
    #[schemars(example = &r"^Python 3\.")]
    pub(super) stdout: Option<Texts>,
    /// The same of standard error.
    pub(super) stderr: Option<Texts>,
    /// A regular expression, or several, that should match nowhere in its standard output.
    pub(super) not_stdout: Option<Texts>,
    /// The same of standard error.
    pub(super) not_stderr: Option<Texts>,
    /// How long it may take.
    #[schemars(example = &"30s")]
    pub(super) timeout: Option<At<String>>,
    /// Variables of its environment, besides the image's own.
    #[schemars(with = "Option<Pairs<Scalar>>")]
    pub(super) env: Option<Pairs<At<String>>>,
    /// The user instead of the image's own: a name or a number, and perhaps :GROUP.
    #[schemars(with = "Option<Scalar>")]
    pub(super) user: Option<At<String>>,
    /// Whether it may write to the root filesystem. Without it, it may not.
    pub(super) writable: Option<bool>,
    /// Whether it has a network, which needs Docker. Without it, what `run:` says of all.
    pub(super) network: Option<bool>,
    /// The platforms that it is for. Without it, all of the image's.
    pub(super) platforms: Option<Texts>,
    /// Platforms on which it is known to fail.
    pub(super) exceptions: Option<Vec<Exception>>,
}

/// Platforms on which something is known to fail: it is ignored there.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Exception {
    /// The platforms.
    #[schemars(example = ["linux/arm/v7"])]
    pub(super) platforms: Texts,
    /// Why.
    pub(super) reason: At<String>,
    /// The last day on which this counts: YEAR-MONTH-DAY. From the next day on the suite is refused until somebody has
    /// looked.
    #[schemars(example = &"2027-01-31")]
    pub(super) expires: Option<At<String>>,
}

/// A file and what it should be.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct File {
    /// Its absolute path.
    #[schemars(example = &"/usr/bin/app")]
    pub(super) path: At<String>,
    /// What it is called in the names of its tests. Without it that is made of its path.
    pub(super) name: Option<At<String>>,
    /// Whether it should be there. Without it, it should.
    pub(super) exists: Option<At<bool>>,
    /// What it should be: file, directory or symlink.
    #[serde(rename = "type")]
    pub(super) kind: Option<Kind>,
    /// Its permissions, octal and in quotes.
    #[schemars(example = &"0755")]
    pub(super) mode: Option<At<String>>,
    /// Its owner and its group, as numbers.
    #[schemars(example = &"0:0")]
    pub(super) owner: Option<At<String>>,
    /// Whether anybody may execute it.
    pub(super) executable: Option<bool>,
    /// What a link should lead to, as the link has it.
    pub(super) target: Option<At<String>>,
    /// A regular expression, or several, that should match somewhere in it.
    pub(super) content: Option<Texts>,
    /// A regular expression, or several, that should match nowhere in it.
    pub(super) not_content: Option<Texts>,
    /// The platforms that this is about. Without it, all of the image's.
    pub(super) platforms: Option<Texts>,
    /// Platforms on which it is known to be wrong.
    pub(super) exceptions: Option<Vec<Exception>>,
}

impl Keyed for Image {
    const KEY: &str = "image";
}

impl Keyed for Command {
    const KEY: &str = "command";
}

impl Keyed for File {
    const KEY: &str = "path";
}

/// What a file is.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(super) enum Kind {
    File,
    Directory,
    Symlink,
}

/// What the config of each platform should say. What is not named is not looked at.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Metadata {
    /// The entrypoint, word by word; an empty list where there should be none.
    #[schemars(example = ["/usr/bin/app"])]
    #[serde(default, deserialize_with = "words")]
    pub(super) entrypoint: Option<Vec<At<String>>>,
    /// The command, word by word; an empty list where there should be none.
    #[serde(default, deserialize_with = "words")]
    pub(super) command: Option<Vec<At<String>>>,
    /// Variables of the environment: a text, {matches: REGEX}, or absent.
    pub(super) env: Option<Pairs<Value>>,
    /// Labels: a text, {matches: REGEX}, or absent.
    pub(super) labels: Option<Pairs<Value>>,
    /// The user; empty where none should be set.
    #[schemars(with = "Option<Scalar>")]
    pub(super) user: Option<At<String>>,
    /// The working directory.
    pub(super) workdir: Option<At<String>>,
    /// Ports that should be exposed; without a protocol that is tcp.
    #[schemars(example = ["8080", "53/udp"])]
    #[serde(default, deserialize_with = "numbers_too")]
    #[schemars(with = "Option<NumbersToo>")]
    pub(super) ports: Option<Texts>,
    /// Ports that should not be exposed.
    #[serde(default, deserialize_with = "numbers_too")]
    #[schemars(with = "Option<NumbersToo>")]
    pub(super) not_ports: Option<Texts>,
    /// Paths that should be volumes.
    pub(super) volumes: Option<Texts>,
    /// Paths that should not be volumes.
    pub(super) not_volumes: Option<Texts>,
}
