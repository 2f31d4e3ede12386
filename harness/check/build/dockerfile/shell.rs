//! Whether a RUN can be seen through: which programs it starts.

use crate::build::dockerfile::Instruction;

/// Programs that do not look at the variables of a build: what they do is in their arguments.
///
/// Not here: shells, `make`, package managers of languages with scripts of their own (npm, pip), and whatever comes
/// with the context.
const PROGRAMS: [&str; 70] = [
    ":",
    "[",
    "addgroup",
    "adduser",
    "apk",
    "apt",
    "apt-cache",
    "apt-get",
    "ar",
    "basename",
    "cat",
    "cd",
    "chgrp",
    "chmod",
    "chown",
    "cp",
    "curl",
    "cut",
    "date",
    "dirname",
    "dnf",
    "dpkg",
    "du",
    "echo",
    "export",
    "false",
    "file",
    "find",
    "gcc",
    "git",
    "go",
    "gpg",
    "grep",
    "groupadd",
    "gunzip",
    "gzip",
    "head",
    "id",
    "install",
    "ld",
    "ldconfig",
    "ln",
    "ls",
    "microdnf",
    "mkdir",
    "mktemp",
    "mv",
    "printf",
    "pwd",
    "rm",
    "rmdir",
    "sed",
    "set",
    "sha256sum",
    "sort",
    "strip",
    "tail",
    "tar",
    "tee",
    "test",
    "touch",
    "true",
    "tzdata",
    "unzip",
    "update-ca-certificates",
    "useradd",
    "wget",
    "xz",
    "yum",
    "zypper",
];

/// What of `go` runs programs of the context.
const GO_RUNS: [&str; 4] = ["generate", "run", "tool", "test"];

/// Whether everything that a RUN starts is known, and looks at no variable of the build.
pub(super) fn is_plain(run: &Instruction) -> bool {
    if let Some(words) = run.json() {
        return is_plain_command(&words.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let mut scripts: Vec<&str> = run.heredocs.iter().map(|heredoc| heredoc.content.as_str()).collect();
    scripts.push(&run.arguments);
    // `RUN <<EOF` starts nothing but the script; `RUN python3 <<EOF` starts python3.
    scripts.iter().all(|script| is_plain_script(script))
}

fn is_plain_script(script: &str) -> bool {
    if script.contains(['`', '(', ')', '{']) && !script.contains("${") || script.contains("$(") {
        return false;
    }
    let commands = script.split(['\n', ';', '|', '&']).map(|command| command.split_whitespace().collect::<Vec<_>>());
    commands.into_iter().all(|command| is_plain_command(&command))
}

fn is_plain_command(words: &[&str]) -> bool {
    let is_before = |word: &&&str| {
        let name = word.split_once('=').map(|(name, _)| name);
        **word == "!"
            || word.starts_with("<<")
            || name.is_some_and(|name| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
    };
    let mut words = words.iter().skip_while(is_before);
    let Some(program) = words.next() else { return true };
    // A comment of a here-document, or its `#!/bin/sh`.
    if let Some(rest) = program.strip_prefix('#') {
        return !rest.starts_with('!') || rest.ends_with("sh");
    }
    let name = ["/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/", "/usr/local/go/bin/"]
        .iter()
        .find_map(|place| program.strip_prefix(place))
        .unwrap_or(program);
    PROGRAMS.contains(&name) && !(name == "go" && words.any(|word| GO_RUNS.contains(word)))
}
