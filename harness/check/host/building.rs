//! What is wrong with building for several platforms: BuildKit, buildx, its builders, and where images are kept.

use super::super::draft::Draft;
use super::super::rule;
use crate::host::HostFacts;
use crate::host::buildx::{Builder, Buildx, Node};
use crate::host::engine::EngineFacts;
use crate::host::readiness::Probed;
use crate::image::reference::name::shown;
use crate::image::source::Store;
use crate::platform::{Architecture, Platform};
use mpcheck_reports::{Finding, Severity};
use std::fs;

/// The architectures that every BuildKit looks for and lists by themselves (`util/archutil`). One of containerd's store
/// leaves out 386 beside amd64, and arm beside arm64, as what runs there anyway.
const LISTED: [&str; 5] = ["amd64", "arm64", "ppc64le", "riscv64", "s390x"];

/// What docker takes for no (Go's `strconv.ParseBool`), and for yes.
const NO: [&str; 6] = ["0", "f", "F", "false", "FALSE", "False"];
const YES: [&str; 6] = ["1", "t", "T", "true", "TRUE", "True"];

pub(super) fn findings(facts: &HostFacts) -> Vec<Finding> {
    let Ok(engine) = &facts.engine else { return Vec::new() };
    if engine.store == Store::Podman {
        return Vec::new();
    }
    let mut findings: Vec<Finding> =
        [buildkit_off(facts, engine), no_buildx(facts), classic_store(facts, engine)].into_iter().flatten().collect();
    let Some(buildx) = &facts.buildx else { return findings };
    for builder in &buildx.builders {
        for node in builder.nodes.iter().filter(|node| is_in(node, engine, buildx)) {
            findings.extend(forced(engine, builder, node));
            findings.extend(missed(engine, builder, node));
        }
    }
    findings
}

fn buildkit_off(facts: &HostFacts, engine: &EngineFacts) -> Option<Finding> {
    let follows = "docker build ignores what Dockerfiles need for several platforms (TARGETARCH, FROM \
                   --platform=$BUILDPLATFORM), and builds one at a time";
    let (message, hint, observed) = match facts.docker_buildkit.as_deref() {
        Some(set) if YES.contains(&set) => return None,
        Some(set) if NO.contains(&set) => (
            format!("DOCKER_BUILDKIT turns BuildKit off: {follows}"),
            "`unset DOCKER_BUILDKIT`".to_owned(),
            format!("DOCKER_BUILDKIT={set}"),
        ),
        Some(set) => (
            "docker build fails: DOCKER_BUILDKIT is neither true nor false".to_owned(),
            "`unset DOCKER_BUILDKIT`, or set it to 1".to_owned(),
            format!("DOCKER_BUILDKIT={}", shown(set)),
        ),
        None if engine.buildkit == Some(false) => (
            format!("this engine uses BuildKit only where it is asked to: {follows}"),
            "`export DOCKER_BUILDKIT=1`; or for all, as root, `{\"features\": {\"buildkit\": true}}` in \
             /etc/docker/daemon.json and a restart of Docker; version 23 and later has it on"
                .to_owned(),
            format!("Docker {}", engine.version),
        ),
        None => return None,
    };
    Some(Draft::new(&rule::BUILDKIT_OFF, message, hint).observed(observed).done())
}

fn no_buildx(facts: &HostFacts) -> Option<Finding> {
    let install = "as root: `apt-get install docker-buildx-plugin` from Docker's own packages, `apt-get install \
                   docker-buildx` from Debian's or Ubuntu's, `dnf install docker-buildx-plugin`; without root: its file \
                   of github.com/docker/buildx/releases as ~/.docker/cli-plugins/docker-buildx, executable";
    let (message, observed) = match &facts.buildx {
        None => (
            "docker buildx is not installed: nothing here builds for several platforms at once, and docker build falls \
             back to the old builder",
            "no docker-buildx among docker's plugins".to_owned(),
        ),
        Some(Buildx { version: Err(error), path, .. }) => {
            ("docker buildx is installed and does not run", format!("{} {error}", path.display()))
        }
        Some(Buildx { version: Ok(_), .. }) => return None,
    };
    Some(Draft::new(&rule::NO_BUILDX, message, install).observed(observed).done())
}

fn classic_store(facts: &HostFacts, engine: &EngineFacts) -> Option<Finding> {
    if engine.store != Store::Classic {
        return None;
    }
    let builders = facts.buildx.iter().flat_map(|buildx| &buildx.builders);
    let several: Vec<&str> = builders
        .filter(|builder| !builder.driver.is_empty() && builder.driver != "docker")
        .map(|builder| builder.name.as_str())
        .collect();
    let store = "as root: set `{\"features\": {\"containerd-snapshotter\": true}}` in /etc/docker/daemon.json and restart \
                 Docker";
    let (message, hint) = match several.first() {
        None => (
            "the engine's classic image store keeps one platform of a tag, and cannot build several at once".to_owned(),
            format!(
                "{store}; or without root: `docker buildx create --driver docker-container --bootstrap --use` to build"
            ),
        ),
        Some(first) => (
            "the engine's classic image store keeps one platform of a tag; another builder builds several at once, to be \
             pushed and not to be kept here"
                .to_owned(),
            format!("`docker buildx build --builder {first} --push`; to keep several platforms here, {store}"),
        ),
    };
    let observed = match several.is_empty() {
        true => format!("Docker {}", engine.version),
        false => format!("Docker {}, builders {}", engine.version, several.join(", ")),
    };
    Some(Draft::new(&rule::CLASSIC_STORE, message, hint).observed(observed).done())
}

/// Whether a node builds in the engine that was asked, and so under its kernel.
fn is_in(node: &Node, engine: &EngineFacts, buildx: &Buildx) -> bool {
    let file = |address: &str| address.strip_prefix("unix://").and_then(|path| fs::canonicalize(path).ok());
    node.endpoint == buildx.context
        || node.endpoint == engine.address
        || file(&node.endpoint).is_some_and(|path| Some(path) == file(&engine.address))
}

fn row(platform: &str) -> Option<&'static Architecture> {
    Platform::parse(platform).ok().filter(|platform| platform.os() == "linux")?.row()
}

fn forced(engine: &EngineFacts, builder: &Builder, node: &Node) -> Option<Finding> {
    let fails = |platform: &&String| {
        let proved = row(platform).and_then(|row| engine.proved(row));
        proved.is_some_and(|in_engine| matches!(in_engine.probed, Ok(Probed::Failed(_))))
    };
    let failing: Vec<&str> = node.forced.iter().filter(fails).map(String::as_str).collect();
    if failing.is_empty() {
        return None;
    }
    let message = format!(
        "the builder {} was told to build for platforms that do not run where it builds: what it lists is what somebody \
         wrote, and a RUN of theirs ends in \"exec format error\"",
        builder.name
    );
    let hint = format!(
        "register emulators on the engine's machine (host/engine-not-ready, host/not-ready), or make the builder anew \
         without --platform: `docker buildx rm {0}`, `docker buildx create --name {0} --driver {1}`",
        builder.name, builder.driver
    );
    let draft = Draft::new(&rule::BUILDER_PLATFORM, message, hint);
    Some(draft.observed(format!("forced in node {}: {}", node.name, failing.join(", "))).done())
}

fn missed(engine: &EngineFacts, builder: &Builder, node: &Node) -> Option<Finding> {
    if node.status != "running" || node.platforms.is_empty() || !node.forced.is_empty() {
        return None;
    }
    let listed: Vec<&Architecture> = node.platforms.iter().filter_map(|platform| row(platform)).collect();
    let runs = |row: &Architecture| {
        engine.proved(row).is_some_and(|in_engine| in_engine.probed.as_ref().is_ok_and(Probed::ran))
    };
    let rows = LISTED.iter().filter_map(|name| Architecture::by_name(name));
    let missed: Vec<String> =
        rows.filter(|row| runs(row) && !listed.contains(row)).map(|row| format!("linux/{}", row.name)).collect();
    if missed.is_empty() {
        return None;
    }
    let message = format!(
        "the builder {} does not list platforms that run in its engine: it looked for emulators when it was started, \
         before they were there",
        builder.name
    );
    let hint = match builder.driver.as_str() {
        "docker-container" => format!("`docker buildx stop {}`: its next build starts it again", builder.name),
        "docker" => "as root on the engine's machine: `systemctl restart docker`".to_owned(),
        _ => "restart its BuildKit".to_owned(),
    };
    // Steps for it run all the same; it is other programs that believe the list.
    let draft = Draft::new(&rule::BUILDER_PLATFORM, message, hint).severity(Severity::Note);
    Some(draft.observed(format!("node {} does not list {}", node.name, missed.join(", "))).done())
}
