//! The table of rules: everything that can be wrong with an image, each with its page.
//!
//! A rule is a row here and a page under `rules/`, named after the rule. The
//! row makes the constant that the checks refer to, so a rule without a row
//! does not compile, and neither does a row without a page.

use mpcheck_reports::Severity;

/// One thing that can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The name, `group/name`: what users filter by, so it never changes its meaning.
    pub name: &'static str,
    /// How bad a finding of it is, where the check has no reason to see it milder.
    pub severity: Severity,
    /// What is wrong where it is broken, in half a sentence.
    pub summary: &'static str,
    /// The page under `rules/`, as it stands there.
    text: &'static str,
}

/// The headings of every page, in their order.
const HEADINGS: [&str; 5] = ["What it means", "Why it matters", "How it happens", "How to fix it", "When it is meant"];

/// Makes a constant of each row, and [`RULES`] of all of them: no rule can be missing there.
macro_rules! rules {
    ($($constant:ident = $name:literal, $severity:ident, $summary:literal;)*) => {
        $(
            #[doc = concat!("`", $name, "`: ", $summary, ".")]
            pub const $constant: Rule = Rule {
                name: $name,
                severity: Severity::$severity,
                summary: $summary,
                text: include_str!(concat!("rules/", $name, ".md")),
            };
        )*
        /// Every rule, in the order in which they are listed.
        pub static RULES: &[Rule] = &[$($constant),*];
    };
}

// The constant is the part after the slash, with the group before it where that
// part alone says too little. Rows are grouped as the groups are checked.
rules! {
    MISSING_PLATFORM = "manifest/missing-platform", Error,
        "a required platform is not in the image";
    UNEXPECTED_PLATFORM = "manifest/unexpected-platform", Error,
        "the platforms were said to be exact, and there is one more";
    LOST_PLATFORM = "manifest/lost-platform", Error,
        "a platform of the baseline image is not in this image";
    CONFIG_MISMATCH = "manifest/config-mismatch", Error,
        "the index and the image's own config name different platforms";
    DUPLICATE_PLATFORM = "manifest/duplicate-platform", Error,
        "two entries of the index are for one platform";
    IDENTICAL_CONTENT = "manifest/identical-content", Error,
        "platforms of different architecture have the same content";
    UNKNOWN_PLATFORM = "manifest/unknown-platform", Error,
        "an entry of the index has no usable platform and is no attestation";
    ORPHAN_ATTESTATION = "manifest/orphan-attestation", Warning,
        "an attestation is about an image that is not in the index";
    MANIFEST_INVALID = "manifest/invalid", Error,
        "an index, manifest or config is not what the specification asks for";

    BLOB_MISSING = "blob/missing", Error,
        "a blob that the image refers to is not there";
    BLOB_DIGEST_MISMATCH = "blob/digest-mismatch", Error,
        "a blob does not have the digest under which it is listed";
    BLOB_SIZE_MISMATCH = "blob/size-mismatch", Error,
        "a blob does not have the size with which it is listed";

    LAYER_DIFF_ID_MISMATCH = "layer/diff-id-mismatch", Error,
        "a layer does not decompress to what the config lists";
    LAYER_CORRUPT = "layer/corrupt", Error,
        "a layer cannot be decompressed or unpacked";
    LAYER_TOO_LARGE = "layer/too-large", Error,
        "a layer exceeds a limit and was not read to its end";

    FOREIGN_ARCHITECTURE = "binary/foreign-architecture", Error,
        "a program or library is for another architecture than the platform";
    ENTRYPOINT_MISSING = "binary/entrypoint-missing", Error,
        "what the image starts is not in it";
    ENTRYPOINT_NOT_EXECUTABLE = "binary/entrypoint-not-executable", Error,
        "what the image starts cannot be executed";
    NOT_A_PROGRAM = "binary/not-a-program", Error,
        "an executable is an archive, a web page or empty";
    // Rows for interpreters, libraries, symbol versions, variants and the float ABI go here.
    MALFORMED = "binary/malformed", Error,
        "a binary has headers that cannot be read";
    EMULATOR_LEFT_BEHIND = "binary/emulator-left-behind", Note,
        "a qemu-user emulator is in the image";

    WRONG_MACHINE = "run/wrong-machine", Error,
        "the platform's programs see a machine that the platform is not";
    NATIVE_LEAK = "run/native-leak", Error,
        "a program for the host's own processor was started on a foreign platform";
    EXEC_FORMAT_ERROR = "run/exec-format-error", Error,
        "a command is no program that the platform's kernel can start";
    COMMAND_FAILED = "run/command-failed", Error,
        "a command did not exit as it should";
    OUTPUT_MISMATCH = "run/output-mismatch", Error,
        "a command did not write what it should";
    TIMEOUT = "run/timeout", Error,
        "a command did not end in time";
    ILLEGAL_INSTRUCTION = "run/illegal-instruction", Error,
        "a program has instructions that the platform's processors lack";
    EMULATOR_CRASHED = "run/emulator-crashed", Warning,
        "the emulator itself died";

    FILE_MISMATCH = "suite/file-mismatch", Error,
        "a file is not what a suite says of it";
    METADATA_MISMATCH = "suite/metadata-mismatch", Error,
        "an image's config is not what a suite says of it";
    STRUCTURE_TEST = "suite/structure-test", Error,
        "a test of a container-structure-test file fails";

    NOT_READY = "host/not-ready", Error,
        "a required platform does not run on this host";
    LOST_READINESS = "host/lost-readiness", Warning,
        "a platform ran at the time of the baseline report, and does not now";
    FLAPPING = "host/flapping", Warning,
        "a platform runs at one time and not at another";
    EMULATION_BROKEN = "host/emulation-broken", Warning,
        "a platform has a handler or an emulator, and its programs do not run";
    NO_FIX_BINARY = "host/no-fix-binary", Warning,
        "a handler works on the host and not in containers (no flag F)";
    DYNAMIC_EMULATOR = "host/dynamic-emulator", Warning,
        "an emulator needs a loader that containers do not have";
    EMULATOR_GONE = "host/emulator-gone", Warning,
        "the emulator of a handler is not where it was";
    HANDLER_DISABLED = "host/handler-disabled", Warning,
        "a handler, or all of them, are switched off";
    BINFMT_UNAVAILABLE = "host/binfmt-unavailable", Warning,
        "binfmt_misc is not mounted, not in the kernel, or may not be read";
    WRONG_MASK = "host/wrong-mask", Warning,
        "a handler takes too few programs, or those of another architecture";
    NATIVE_HANDLER = "host/native-handler", Warning,
        "a handler takes the programs of the host's own processor";
    DUPLICATE_HANDLERS = "host/duplicate-handlers", Warning,
        "two different handlers take the programs of one platform";
    NOT_PERSISTED = "host/not-persisted", Warning,
        "a handler is gone at the next boot";
    NOT_REGISTERED = "host/not-registered", Warning,
        "a handler should have been registered at boot, and is not there";
    EMULATOR_VERSION = "host/emulator-version", Warning,
        "an emulator has a version that is known to crash";
    NO_CREDENTIALS = "host/no-credentials", Note,
        "a handler takes set-user-ID away from programs (no flag C)";
    ARGV0_LOST = "host/argv0-lost", Note,
        "emulated programs do not see the name that they were started under";
    NO_SANDBOX = "host/no-sandbox", Note,
        "the sandbox of mpcheck cannot be had";
    PAGE_SIZE = "host/page-size", Note,
        "the kernel has larger pages than programs of some platforms expect";
    HANDLER_NOT_LISTED = "host/handler-not-listed", Note,
        "a platform is emulated, and the list of handlers does not show it";
    ENGINE_NOT_READY = "host/engine-not-ready", Error,
        "a platform does not run in the engine, and is required or runs here";
    ONLY_IN_ENGINE = "host/only-in-engine", Note,
        "a platform runs in the Docker engine and not on this host";
    ENGINE_FAILED = "host/engine-failed", Error,
        "what should be a Docker engine does not answer as one";
    BUILDKIT_OFF = "host/buildkit-off", Note,
        "docker build does not use BuildKit";
    NO_BUILDX = "host/no-buildx", Note,
        "docker buildx is not installed, or does not run";
    BUILDER_PLATFORM = "host/builder-platform", Warning,
        "a builder's list of platforms is not what runs where it builds";
    CLASSIC_STORE = "host/classic-store", Note,
        "the engine keeps one platform of an image";
    ENGINE_ARCHITECTURE = "host/engine-architecture", Warning,
        "the engine on this host was built for another architecture";
    DEFAULT_PLATFORM = "host/default-platform", Note,
        "the environment names a platform that docker pulls, builds and runs";

    PINNED_STAGE = "build/pinned-stage", Warning,
        "the final stage is of one platform, whatever is built for";
    SINGLE_PLATFORM_BASE = "build/single-platform-base", Warning,
        "a base image's digest is not of every wanted platform";
    FIXED_ARCHITECTURE = "build/fixed-architecture", Warning,
        "an instruction takes one architecture, whatever is built for";
    UNUSED_TARGETARCH = "build/unused-targetarch", Warning,
        "the architecture to build for is asked for, and nothing uses it";
    BUILD_FAILED = "build/failed", Error,
        "a build ended with an error";
    NO_EMULATOR = "build/no-emulator", Error,
        "a program of another architecture could not be started in a build";
    BASE_MISSING = "build/base-missing", Error,
        "a base image cannot be had, or not for a platform";
    BUILD_TIMEOUT = "build/timeout", Error,
        "a step of building or publishing took too long";
    WRONG_RESULT = "build/wrong-result", Error,
        "what was built does not run, or says that it is another platform";
    BUILDER_FAILED = "build/builder-failed", Error,
        "a builder could not be made, started or asked";
    PUSH_FAILED = "build/push-failed", Error,
        "an image could not be pushed, joined or read back";
    MANIFEST_LIST = "build/manifest-list", Error,
        "docker manifest create was given an image that is a list already";
    DIFFERENT_RESULTS = "build/different-results", Error,
        "two ways of publishing the same build gave different images";
    LEFT_BEHIND = "build/left-behind", Warning,
        "something that a rehearsal or a build made is still there";
}

impl Rule {
    /// The part of the name before the slash: the check that the rule belongs to.
    pub fn group(&self) -> &'static str {
        self.name.split_once('/').map_or("", |(group, _)| group)
    }

    /// What the rule says, and when it is broken.
    pub fn meaning(&self) -> &'static str {
        self.section("What it means")
    }

    /// What comes of it, with reports of published images.
    pub fn why(&self) -> &'static str {
        self.section("Why it matters")
    }

    /// What to do, with the lines to write.
    pub fn fix(&self) -> &'static str {
        self.section("How to fix it")
    }

    /// What `mpcheck explain` prints: the rule, its severity, and its page.
    pub fn page(&self) -> String {
        let mut page = format!("{} ({})\n{}\n", self.name, severity(self.severity), self.summary);
        for heading in HEADINGS {
            page.push_str(&format!("\n{}\n\n{}\n", heading.to_uppercase(), self.section(heading)));
        }
        page
    }

    /// The text below one heading of the page, without empty lines around it.
    fn section(&self, heading: &str) -> &'static str {
        let text = self.text;
        text.split("\n## ")
            .filter_map(|section| section.split_once('\n'))
            .find(|(name, _)| *name == heading)
            // The first line of a section may be an indented one, whose indent counts.
            .map_or("", |(_, body)| body.trim_end().trim_start_matches('\n'))
    }
}

/// There is no rule of this name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("no rule is called {given:?}{}; `mpcheck rules` lists them", .nearest.map_or(String::new(), |name| format!(", but {name:?} is one")))]
pub struct UnknownRule {
    given: String,
    nearest: Option<&'static str>,
}

/// The rule of this name; `None` where there is none.
pub fn explain(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.name == name)
}

/// The rule that is called so, in whatever case, or whose part after the slash is, or the error that names the nearest one.
pub fn find(name: &str) -> Result<&'static Rule, UnknownRule> {
    let typed = spelled(name);
    let mut halves = RULES.iter().filter(|rule| short(rule.name) == typed);
    // A half that two groups have means neither of them.
    let half = halves.next().filter(|_| halves.next().is_none());
    explain(&typed)
        .or(half)
        .ok_or_else(|| UnknownRule { given: name.to_owned(), nearest: nearest(name).map(|rule| rule.name) })
}

/// A name as rules are spelled, as far as one is compared: no rule's is longer.
fn spelled(name: &str) -> String {
    name.chars().take(64).collect::<String>().to_lowercase().replace('_', "-")
}

/// The rule that was probably meant by a name that is none.
///
/// The part after the slash is enough: that is the half of
/// `blob/digest-mismatch` that a person remembers.
pub fn nearest(name: &str) -> Option<&'static Rule> {
    /// Below this, two names have little in common but their letters.
    const ALIKE: f64 = 0.75;
    // Comparing takes the product of both lengths, so it is good that this one has an end.
    let name = spelled(name);
    let likeness = |rule: &Rule| {
        strsim::normalized_damerau_levenshtein(&name, rule.name)
            .max(strsim::normalized_damerau_levenshtein(short(&name), short(rule.name)))
    };
    let rated = RULES.iter().map(|rule| (rule, likeness(rule))).filter(|(_, likeness)| *likeness >= ALIKE);
    // The first of equals wins, so that the suggestion hangs on the table alone.
    rated.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(rule, _)| rule)
}

/// The part of a name after the slash.
fn short(name: &str) -> &str {
    name.split_once('/').map_or(name, |(_, short)| short)
}

/// What `mpcheck rules` prints: a line per rule, with a line before each group.
pub fn list() -> String {
    listed(RULES.iter())
}

/// What `mpcheck explain GROUP` prints; `None` where no group is called so.
pub fn list_of(group: &str) -> Option<String> {
    let typed = spelled(group);
    let group = typed.strip_suffix('/').unwrap_or(&typed);
    let rules = RULES.iter().filter(|rule| rule.group() == group);
    rules.clone().next().is_some().then(|| listed(rules))
}

fn listed<'a>(rules: impl Iterator<Item = &'a Rule>) -> String {
    let width = RULES.iter().map(|rule| rule.name.len()).max().unwrap_or(0);
    let mut out = String::new();
    let mut group = "";
    for rule in rules {
        if rule.group() != group {
            group = rule.group();
            out.push_str(&format!("{}{group}\n", if out.is_empty() { "" } else { "\n" }));
        }
        out.push_str(&format!("  {:width$}  {:7}  {}\n", rule.name, severity(rule.severity), rule.summary));
    }
    out.push_str("\n`mpcheck explain RULE` says what a rule means, why it matters and how to fix it.\n");
    out
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

#[cfg(test)]
mod tests;
