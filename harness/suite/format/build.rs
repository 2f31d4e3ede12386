//! What is built: somebody's Dockerfile, or, without a context, the rehearsal of this host.

use super::super::items::{Keyed, words};
use super::super::located::{At, Pairs, Texts};
use super::{AllowForeign, FailLevel, File, Metadata, RuleLevel, Run, Scalar, Settings, items, rules};
use schemars::JsonSchema;
use serde::Deserialize;

/// A Dockerfile that is built by this host's docker, so that what comes out is checked like any image; without a context,
/// a rehearsal of all ways to build and publish on this host.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::suite) struct Build {
    /// The directory whose Dockerfile is built, relative to this file, or the address of a repository. Without it, the
    /// host is rehearsed.
    #[schemars(example = &"../app")]
    pub(in crate::suite) context: Option<At<String>>,
    /// What it is called in the names of its tests. Without it that is made of the context's name, or is rehearsal.
    pub(in crate::suite) name: Option<At<String>>,
    /// The Dockerfile, relative to this file, or to the repository. Without it, Dockerfile in the context.
    pub(in crate::suite) file: Option<At<String>>,
    /// The platforms that are built.
    #[schemars(example = ["linux/amd64", "linux/arm64"])]
    pub(in crate::suite) platforms: Option<Texts>,
    /// Values of the Dockerfile's ARGs.
    #[schemars(with = "Option<Pairs<Scalar>>")]
    pub(in crate::suite) args: Option<Pairs<At<String>>>,
    /// The stage that is built. Without it, the last one.
    pub(in crate::suite) target: Option<At<String>>,
    /// The builder of buildx that builds. Without it, the current one; a rehearsal makes one.
    pub(in crate::suite) builder: Option<At<String>>,
    /// Further options of docker buildx build, word by word.
    #[schemars(example = ["--secret", "id=token"])]
    #[serde(default, deserialize_with = "words")]
    pub(in crate::suite) options: Option<Vec<At<String>>>,
    /// Whether the Dockerfile itself is checked for what leads to wrong platforms. Without it, it is not.
    pub(in crate::suite) check_dockerfile: Option<At<bool>>,
    /// How long each command that builds or pushes may take. Without it, 10m.
    #[schemars(example = &"30m")]
    pub(in crate::suite) timeout: Option<At<String>>,
    /// Of a rehearsal: the base image, which has a shell. Without it, none is needed.
    #[schemars(example = &"alpine:latest")]
    pub(in crate::suite) base: Option<At<String>>,
    /// Of a rehearsal: the image of BuildKit for the builder that it makes. Without it, buildx's own.
    #[schemars(example = &"moby/buildkit:v0.15.2")]
    pub(in crate::suite) buildkit: Option<At<String>>,
    /// Of a rehearsal: the repository that is pushed to, with the login of whoever runs this. Without it, a registry is
    /// started for it.
    #[schemars(example = &"ghcr.io/me/rehearsal")]
    pub(in crate::suite) registry: Option<At<String>>,
    /// From which severity on a finding fails: error (without it) or warning.
    pub(in crate::suite) fail_on: Option<FailLevel>,
    /// Files for another architecture that are meant to be there.
    pub(in crate::suite) allow_foreign: Option<At<Vec<AllowForeign>>>,
    /// How bad a broken rule is: the name of a rule (`mpcheck rules` lists them), and error, warning, note or off.
    #[schemars(extend("propertyNames" = { "enum": rules(false) }))]
    pub(in crate::suite) severities: Option<Pairs<RuleLevel>>,
    /// How what was built is run, and with which commands.
    pub(in crate::suite) run: Option<At<Run>>,
    /// What its files should be.
    #[serde(default, deserialize_with = "items")]
    pub(in crate::suite) files: Option<Vec<File>>,
    /// What its config should say.
    pub(in crate::suite) metadata: Option<At<Metadata>>,
    /// Files of container-structure-test to run on every platform, relative to this file.
    pub(in crate::suite) structure: Option<Texts>,
}

impl Keyed for Build {
    const KEY: &str = "context";
}

impl Build {
    /// What it has in common with images, over what the defaults have for all. What is built is for its platforms and no
    /// others, so that neither `exact` nor a baseline is asked of it.
    pub(in crate::suite) fn settings(&self, defaults: &Settings) -> Settings {
        let own = Settings {
            platforms: self.platforms.clone(),
            exact: None,
            baseline: None,
            fail_on: self.fail_on,
            allow_foreign: self.allow_foreign.as_ref().map(|allowed| allowed.value.clone()),
            severities: self.severities.clone(),
            run: self.run.as_ref().map(|run| run.value.clone()),
            files: self.files.clone(),
            metadata: self.metadata.clone(),
            structure: self.structure.clone(),
        };
        Settings { exact: None, baseline: None, ..own.over(defaults) }
    }
}
