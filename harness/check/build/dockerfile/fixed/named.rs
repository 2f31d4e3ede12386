//! The places of an instruction that name one architecture, and mean that it is taken.

use crate::build::dockerfile::{Instruction, Variables, expand, shortened, substitute};
use crate::check::address::{addresses, only_named};
use crate::platform::{Architecture, Platform, names_os};
use std::collections::BTreeSet;

/// What an instruction says where it looks at the platform itself. In a shell's text; the case counts.
const CHOOSES: [&str; 27] = [
    "TARGETARCH",
    "TARGETPLATFORM",
    "TARGETVARIANT",
    "BUILDARCH",
    "BUILDPLATFORM",
    "uname",
    "--print-architecture",
    "--print-arch",
    "dpkg-architecture",
    "$(arch)",
    "`arch`",
    "%{_arch}",
    "%_arch",
    "%{_target_cpu}",
    "process.arch",
    "os.arch",
    "platform.machine",
    "GOHOSTARCH",
    "go env GOARCH",
    "rustc -vV",
    "rustc -Vv",
    "HOSTTYPE",
    "MACHTYPE",
    "LONG_BIT",
    "gcc -dumpmachine",
    "case ",
    "xx-",
];

/// Variables that say what is built for.
const OF_TARGET: [&str; 2] = ["TARGETARCH", "TARGETPLATFORM"];
/// Variables that name an architecture or a triple, and what of.
pub(super) const OF_COMPILERS: [&str; 4] = ["GOARCH", "CARGO_BUILD_TARGET", "CC", "CXX"];
/// Flags that do; the first one's value is a triple.
const FLAGS: [&str; 3] = ["--target", "--platform", "--arch"];

/// Where an architecture is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A default of TARGETARCH, which replaces what the builder sets.
    Target,
    /// GOARCH.
    Go,
    /// A variable that names a triple: `CC=aarch64-linux-gnu-gcc`.
    Compiler,
    /// A flag: `--target x86_64-unknown-linux-musl`.
    Flag,
    /// An address that is downloaded.
    Download,
}

/// One place.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) kind: Kind,
    pub(super) row: &'static Architecture,
    /// The variable's name; empty where there is none.
    pub(super) name: String,
    /// What stands there: `GOARCH=amd64`, the address.
    pub(super) word: String,
    /// Where a download goes, where that can be told.
    destinations: Vec<String>,
}

impl Named {
    fn new(kind: Kind, row: &'static Architecture, name: &str, word: &str) -> Self {
        Self { kind, row, name: name.to_owned(), word: shortened(word, 160), destinations: Vec::new() }
    }

    /// Whether the address is of files for another operating system, which no Linux runs: they are data there.
    pub(super) fn is_for_another_system(&self, platform: &Platform) -> bool {
        let systems = if self.kind == Kind::Download { names_os(self.word.as_bytes()) } else { Vec::new() };
        !systems.is_empty() && !systems.contains(&platform.os())
    }

    /// Whether this path is that of the download, or of a directory that it is in.
    pub(super) fn is_within(&self, path: &str) -> bool {
        let clean = |path: &str| path.trim_start_matches("./").trim_matches('/').to_owned();
        let source = clean(path);
        self.destinations.iter().map(|own| clean(own)).any(|own| {
            let is_inside = own.strip_prefix(&source).is_some_and(|rest| source.is_empty() || rest.starts_with('/'));
            own == source || is_inside || source.strip_suffix(&own).is_some_and(|rest| rest.ends_with('/'))
        })
    }

    /// What is wrong, in one sentence.
    pub(super) fn message(&self, platforms: &str) -> String {
        let (word, own) = (&self.word, self.row.name);
        match self.kind {
            Kind::Target => format!("`ARG {word}` replaces what is built for: {platforms} is built as {own}"),
            Kind::Go | Kind::Compiler | Kind::Flag => {
                format!("`{word}` builds for {own} also where {platforms} is built")
            }
            Kind::Download => format!("it downloads what is for {own} also where {platforms} is built: {word}"),
        }
    }

    /// What to write.
    pub(super) fn hint(&self) -> String {
        let by_case =
            "`ARG TARGETARCH` in the stage, and in RUN a `case $TARGETARCH in amd64) ... ;; arm64) ... ;; esac`";
        match self.kind {
            Kind::Target => {
                let name = &self.name;
                format!("write `ARG {name}` without a value: the builder sets it, and a default wins over that")
            }
            Kind::Go => "write `ARG TARGETARCH` in the stage, and `GOARCH=$TARGETARCH`".to_owned(),
            Kind::Compiler | Kind::Flag => format!("choose it by the platform: {by_case}"),
            Kind::Download => format!(
                "put the architecture into the address: `ARG TARGETARCH` in the stage and ${{TARGETARCH}} in place of {}, or, where the project spells it otherwise, {by_case}",
                self.row.name
            ),
        }
    }
}

/// All places of an instruction that name one architecture.
pub(super) fn named(instruction: &Instruction, variables: &Variables, escape: char) -> Vec<Named> {
    match &*instruction.keyword {
        "ARG" | "ENV" => instruction
            .pairs(escape)
            .into_iter()
            .filter_map(|(name, value)| {
                let value = expand(&value?, variables, escape).ok().filter(|value| value.unset.is_empty())?;
                of_variable(&name, &value.text, instruction.is("ARG"))
            })
            .collect(),
        "RUN" | "ADD" => {
            let text = instruction.text();
            if CHOOSES.iter().any(|word| text.contains(word)) {
                return Vec::new();
            }
            let text = substitute(&text, variables);
            let found = if instruction.is("ADD") { of_add(&text) } else { of_run(&text) };
            if found.is_empty() || names_several(&text) { Vec::new() } else { found }
        }
        _ => Vec::new(),
    }
}

fn of_variable(name: &str, value: &str, is_arg: bool) -> Option<Named> {
    let word = format!("{name}={value}");
    if is_arg && OF_TARGET.contains(&name) {
        let row =
            if name == "TARGETARCH" { Architecture::by_name(value)? } else { Platform::parse(value).ok()?.row()? };
        return Some(Named::new(Kind::Target, row, name, &word));
    }
    if !OF_COMPILERS.contains(&name) {
        return None;
    }
    if name == "GOARCH" {
        return Some(Named::new(Kind::Go, Architecture::by_name(value)?, name, &word));
    }
    Some(Named::new(Kind::Compiler, only_named(value)?, name, &word))
}

fn of_add(text: &str) -> Vec<Named> {
    let destination = text.split_whitespace().last().unwrap_or_default();
    let mut found = downloads(text);
    for named in &mut found {
        named.destinations = saved_as(destination, &named.word);
    }
    found
}

fn of_run(text: &str) -> Vec<Named> {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '`' | ';' | '|' | '&' | '(' | ')');
    let plain = text.replace(['"', '\''], "");
    let words: Vec<&str> = plain.split(is_end).filter(|word| !word.is_empty()).collect();
    let mut found = downloads(text);
    for named in &mut found {
        let outputs = words.iter().zip(words.iter().skip(1)).filter(|(flag, _)| is_output(flag));
        let places = outputs.map(|(_, path)| *path).chain(["./"]);
        named.destinations = places.flat_map(|place| saved_as(place, &named.word)).collect();
    }
    for (position, word) in words.iter().enumerate() {
        if let Some(named) = word.split_once('=').and_then(|(name, value)| of_variable(name, value, false)) {
            found.push(named);
        }
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value)),
            None => (*word, words.get(position + 1).copied()),
        };
        if let Some(value) = value.filter(|_| FLAGS.contains(&flag) && !text.contains("configure")) {
            let is_meant = flag != "--target" || ["linux", "musl", "gnu"].iter().any(|part| value.contains(part));
            if let Some(row) = only_named(value).filter(|_| is_meant) {
                found.push(Named::new(Kind::Flag, row, "", &format!("{flag} {value}")));
            }
        }
    }
    found
}

/// `-o`, `-fsSLo`, `-O`, `--output`, `>`: the file comes after it.
fn is_output(word: &str) -> bool {
    let is_short = word.starts_with('-') && !word.starts_with("--") && word.ends_with(['o', 'O']);
    is_short || matches!(word, ">" | "--output" | "--output-document")
}

/// Addresses that name one architecture.
fn downloads(text: &str) -> Vec<Named> {
    let is_source = |address: &&str| address.ends_with(".git") || address.contains(".git#");
    let is_open = |address: &&str| {
        let variables = address.split('$').skip(1).map(str::to_ascii_uppercase);
        variables.into_iter().any(|name| {
            ["ARCH", "PLATFORM", "TARGET", "TRIPLE", "MACHINE", "CPU"].iter().any(|word| name.contains(word))
        })
    };
    let addresses = addresses(text).filter(|address| !is_source(address) && !is_open(address));
    addresses.filter_map(|address| Some(Named::new(Kind::Download, only_named(address)?, "", address))).collect()
}

/// The paths that a download may have: this one, or its own name in it.
fn saved_as(path: &str, address: &str) -> Vec<String> {
    let own = address.rsplit('/').next().unwrap_or_default();
    vec![path.to_owned(), format!("{}/{own}", path.trim_end_matches('/'))]
}

/// Whether the text has clear names of several architectures.
fn names_several(text: &str) -> bool {
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '|'));
    let rows: BTreeSet<&str> = words.filter_map(only_named).map(|row| row.name).collect();
    rows.len() > 1
}
