//! An attempt to run one platform: what is started, and what came of it.

use crate::check::pattern::Pattern;
use crate::image::PlatformFacts;
use crate::image::document::Config;
use crate::image::reference::Location;
use crate::image::source::Source;
use crate::run::choose::{How, Runners};
use crate::run::{Command, Cpu, Limits, NotReady, Ran, Task};
use std::time::Duration;

/// What shall be run on every platform.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Whether `uname -m` is asked before all others.
    pub machine: bool,
    /// Commands, besides that.
    pub commands: Vec<Smoke>,
    /// An argument with which the image's own entrypoint is started as well: `--help`, `--version`.
    pub entrypoint_with: Option<String>,
    /// What it should do then.
    pub entrypoint_expect: Expectation,
    /// How long each may take.
    pub timeout: Duration,
    /// What a container may use.
    pub limits: Limits,
    /// Whom commands run as, instead of the image's user.
    pub user: Option<String>,
}

/// A command and what it should do.
#[derive(Debug, Clone)]
pub struct Smoke {
    /// The command.
    pub command: Command,
    /// What it should do.
    pub expect: Expectation,
    /// Whose idea it was.
    pub kind: SmokeKind,
}

/// Whose idea a command was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmokeKind {
    /// Ours: `uname -m`. An image without it is asked by the probe.
    Machine,
    /// The user's.
    Asked,
}

/// What a command should do.
#[derive(Debug, Clone, Default)]
pub struct Expectation {
    /// The exit code.
    pub code: i32,
    /// What standard output should have in it, each somewhere.
    pub stdout: Vec<Pattern>,
    /// The same of standard error.
    pub stderr: Vec<Pattern>,
    /// What standard output should have nowhere in it.
    pub not_stdout: Vec<Pattern>,
    /// The same of standard error.
    pub not_stderr: Vec<Pattern>,
}

/// What came of one platform.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // there is one for each platform, and most are the large one
pub enum Attempt {
    /// It was not asked for, or does not apply: why.
    Skipped(String),
    /// It could not be run here.
    NotRun(NotReady),
    /// It was run.
    Ran {
        /// The runner's name.
        runner: &'static str,
        /// Why that one; empty where it was asked for by name.
        why: String,
        /// What happened.
        ran: Ran,
        /// The commands, in the order of `ran.ended`.
        smokes: Vec<Smoke>,
        /// Which processor it was given.
        cpu: Cpu,
    },
}

/// Runs one platform of an image that was read.
#[must_use]
pub fn attempt(
    runners: &Runners<'_>,
    wish: &Wish,
    platform: &PlatformFacts,
    source: &dyn Source,
    location: &Location,
) -> Attempt {
    if runners.how == How::Never {
        return Attempt::Skipped("running was not asked for (--run never)".to_owned());
    }
    if !platform.selected {
        return Attempt::Skipped("this platform was not asked for".to_owned());
    }
    if platform.artifact.is_some() {
        return Attempt::Skipped("this is no container image".to_owned());
    }
    let could_not = |why: &str| Attempt::NotRun(NotReady::new(why, ""));
    let Ok(config) = &platform.config else {
        return could_not("its config could not be read");
    };
    if !platform.has_whole_rootfs() {
        return could_not("its layers could not all be read");
    }
    let smokes = smokes(wish, config);
    let smokes = match smokes {
        Ok(smokes) => smokes,
        Err(why) => return Attempt::NotRun(NotReady::new(why, "give the command yourself, with --command")),
    };
    let commands: Vec<Command> = smokes.iter().map(|smoke| smoke.command.clone()).collect();
    let task = Task {
        platform,
        config,
        source,
        location,
        cpu: runners.cpu,
        commands: &commands,
        limits: wish.limits,
        user: wish.user.as_deref(),
        freedom: runners.freedom,
    };
    let choice = match runners.choose(&platform.platform) {
        Ok(choice) => choice,
        Err(not_ready) => return Attempt::NotRun(not_ready),
    };
    let done = |runner: &'static str, why: String, ran| Attempt::Ran {
        runner,
        why,
        ran,
        smokes: smokes.clone(),
        cpu: runners.cpu,
    };
    match choice.runner.run(&task) {
        Ok(ran) => done(choice.runner.name(), choice.why, ran),
        // It seemed to work, and did not for this image.
        Err(failed) if runners.how == How::Auto && choice.runner.name() == "sandbox" => {
            match runners.docker_because(&failed, &platform.platform) {
                Ok(second) => match second.runner.run(&task) {
                    Ok(ran) => done(second.runner.name(), second.why, ran),
                    Err(docker) => Attempt::NotRun(NotReady::new(
                        format!("neither the sandbox ({}) nor Docker ({}) could run it", failed.why, docker.why),
                        failed.hint,
                    )),
                },
                Err(_) => Attempt::NotRun(failed),
            }
        }
        Err(failed) => Attempt::NotRun(failed),
    }
}

/// The commands of one platform.
fn smokes(wish: &Wish, config: &Config) -> Result<Vec<Smoke>, String> {
    let uname = Command::new(vec!["uname".to_owned(), "-m".to_owned()], wish.timeout);
    let uname = Smoke { command: uname, expect: Expectation::default(), kind: SmokeKind::Machine };
    let mut smokes = if wish.machine { vec![uname] } else { Vec::new() };
    smokes.extend(wish.commands.iter().cloned());
    if let Some(argument) = &wish.entrypoint_with {
        let words = entrypoint(config, argument)?;
        let command = Command::new(words, wish.timeout);
        smokes.push(Smoke { command, expect: wish.entrypoint_expect.clone(), kind: SmokeKind::Asked });
    }
    Ok(smokes)
}

/// The entrypoint with one argument, or the command's program where there is no entrypoint.
fn entrypoint(config: &Config, argument: &str) -> Result<Vec<String>, String> {
    let mut words = match (config.entrypoint.as_slice(), config.command.first()) {
        ([], None) => return Err("the image has neither entrypoint nor command to start".to_owned()),
        ([], Some(program)) => vec![program.clone()],
        (entrypoint, _) => entrypoint.to_vec(),
    };
    // What a shell is given after its text is not an argument of the program in the text.
    if let [shell, flags, _, ..] = words.as_slice()
        && shell.rsplit('/').next().is_some_and(|name| name.ends_with("sh"))
        && flags.starts_with('-')
        && flags.ends_with('c')
    {
        return Err(format!("the image's entrypoint is a text for {shell}, which takes no {argument}"));
    }
    words.push(argument.to_owned());
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::document::parse_config;
    use rstest::rstest;

    #[rstest]
    #[case(r#"["/app"]"#, r#"["serve"]"#, Ok(vec!["/app", "--version"]))]
    #[case(r#"["tini", "--", "/app"]"#, "null", Ok(vec!["tini", "--", "/app", "--version"]))]
    #[case("null", r#"["nginx", "-g", "daemon off;"]"#, Ok(vec!["nginx", "--version"]))]
    #[case("null", "null", Err("neither entrypoint nor command"))]
    #[case(r#"["/bin/sh", "-c", "exec app"]"#, "null", Err("text for /bin/sh"))]
    fn the_entrypoint_gets_one_argument(
        #[case] entrypoint_json: &str,
        #[case] command: &str,
        #[case] wanted: Result<Vec<&str>, &str>,
    ) {
        let json = format!(
            r#"{{"os":"linux","architecture":"amd64","rootfs":{{"type":"layers","diff_ids":[]}},
                "config":{{"Entrypoint":{entrypoint_json},"Cmd":{command}}}}}"#
        );
        let config = parse_config(json.as_bytes()).unwrap();
        match (entrypoint(&config, "--version"), wanted) {
            (Ok(words), Ok(wanted)) => assert_eq!(words, wanted),
            (Err(why), Err(wanted)) => assert!(why.contains(wanted), "{why}"),
            (got, wanted) => panic!("{got:?} instead of {wanted:?}"),
        }
    }
}
