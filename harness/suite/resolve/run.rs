//! How images are run, and their commands.

use super::super::error::shown;
use super::super::format::{Command, Processor, Run, With};
use super::super::located::{At, Place, Texts};
use super::super::name::{Wish, made_of};
use super::super::plan::{CommandPlan, RunPlan, TIMEOUT};
use super::super::value;
use super::Resolver;
use crate::check::run::Expectation;
use crate::run::choose::How;
use crate::run::{Cpu, Limits};
use std::time::Duration;

/// The most processes that may be asked for: the kernel's own limit is 4 million (`PID_MAX_LIMIT`).
const MAX_PROCESSES: u64 = 1_000_000;

impl Resolver<'_> {
    /// How the image that is named here is run.
    pub(super) fn run(&mut self, run: Option<&Run>, image: Place) -> RunPlan {
        let nothing = Run::default();
        let run = run.unwrap_or(&nothing);
        let how = match run.with {
            Some(With::Sandbox) => How::Sandbox,
            Some(With::Docker) => How::Docker,
            Some(With::Never) => How::Never,
            Some(With::Auto) | None => How::Auto,
        };
        let required = run.required.unwrap_or(false);
        if how == How::Never && required {
            let message = "this image is never run (`with: never`), and has to be (`required: true`)";
            self.wrong(image, message, "leave out one of them, here or below `defaults:`");
        }
        let mut limits = Limits::default();
        limits.memory = self.one(run.memory.as_ref(), value::bytes).unwrap_or(limits.memory);
        limits.temporary = self.one(run.temporary.as_ref(), value::bytes).unwrap_or(limits.temporary);
        if let Some(processes) = &run.processes {
            if (1..=MAX_PROCESSES).contains(&processes.value) {
                limits.processes = processes.value;
            } else {
                let message = format!("{} is no number of processes", processes.value);
                self.wrong(processes.place, message, format!("write a number from 1 to {MAX_PROCESSES}"));
            }
        }
        let timeout = self.one(run.timeout.as_ref(), value::time).unwrap_or(TIMEOUT);
        let cpu = match run.cpu {
            Some(Processor::Baseline) => Cpu::Baseline,
            Some(Processor::Max) | None => Cpu::Max,
        };
        let network = run.network.unwrap_or(false);
        let commands = self.commands(run.commands.as_deref().unwrap_or_default(), timeout, network);
        RunPlan { how, cpu, required, timeout, limits, network, commands }
    }

    fn commands(&mut self, commands: &[Command], timeout: Duration, network: bool) -> Vec<CommandPlan> {
        let mut plans = Vec::with_capacity(commands.len());
        let mut wishes = Vec::with_capacity(commands.len());
        for command in commands {
            let place = command.command.place();
            let words = self.words(&command.command);
            let made = vec![made_of(&words.join(" "))];
            wishes.push(Wish { given: self.name(command.name.as_ref()), made, place });
            plans.push(self.command(command, words, place.line, timeout, network));
        }
        let names = self.distinct("commands of an image", &wishes, true);
        for (plan, name) in plans.iter_mut().zip(names) {
            plan.name = name;
        }
        plans
    }

    fn command(
        &mut self,
        command: &Command,
        words: Vec<String>,
        line: u64,
        timeout: Duration,
        network: bool,
    ) -> CommandPlan {
        let expect = Expectation {
            code: self.exit(command.exit.as_ref()),
            stdout: self.patterns(command.stdout.as_ref()),
            stderr: self.patterns(command.stderr.as_ref()),
            not_stdout: self.patterns(command.not_stdout.as_ref()),
            not_stderr: self.patterns(command.not_stderr.as_ref()),
        };
        let user = self.one(command.user.as_ref(), |user| {
            let empty = || ("the user is empty".to_owned(), "leave `user:` out for the image's own".to_owned());
            if user.is_empty() { Err(empty()) } else { Ok(user.to_owned()) }
        });
        CommandPlan {
            name: String::new(),
            words,
            expect,
            environment: self.environment_of(command),
            user,
            timeout: self.one(command.timeout.as_ref(), value::time).unwrap_or(timeout),
            writable: command.writable.unwrap_or(false),
            network: command.network.unwrap_or(network),
            platforms: self.platforms_of_image(command.platforms.as_ref()),
            exceptions: self.exceptions(command.exceptions.as_ref()),
            line,
        }
    }

    /// The words of a command. A text is split before its variables are put in, so that a value stays one word.
    fn words(&mut self, command: &Texts) -> Vec<String> {
        let texts = match command {
            Texts::List(words) => words.value.clone(),
            Texts::One(text) => match shlex::split(&text.value) {
                Some(words) => words.into_iter().map(|value| At { value, place: text.place }).collect(),
                None => {
                    let message = format!("a quote in `{}` is not closed", shown(&text.value));
                    self.wrong(text.place, message, "close it, or write a list: [sh, -c, 'echo \"a\"']");
                    return Vec::new();
                }
            },
        };
        let place = command.place();
        if texts.first().is_none_or(|program| program.value.is_empty()) {
            self.wrong(place, "the command names no program", "write it and its arguments: [python3, --version]");
        }
        let words: Vec<At<String>> = texts.iter().filter_map(|word| self.text(word)).collect();
        if let Some(word) = words.iter().find(|word| word.value.contains('\0')) {
            self.wrong(word.place, "a word of the command has a NUL, and no argument has", "leave it out");
        }
        words.into_iter().map(|word| word.value).collect()
    }

    fn exit(&mut self, exit: Option<&At<i64>>) -> i32 {
        let Some(exit) = exit else { return 0 };
        match u8::try_from(exit.value) {
            Ok(code) => i32::from(code),
            Err(_) => {
                let message = format!("{} is no exit code", exit.value);
                self.wrong(exit.place, message, "write a number from 0 to 255; a signal's is 128 and its number");
                0
            }
        }
    }

    fn environment_of(&mut self, command: &Command) -> Vec<(String, String)> {
        let mut environment = Vec::new();
        for (key, value) in self.keyed(command.env.as_ref()) {
            self.variable_name(&key);
            let Some(value) = self.text(value) else { continue };
            if value.value.contains('\0') {
                self.wrong(value.place, "this value has a NUL, and no variable's has", "leave it out");
            }
            environment.push((key.value, value.value));
        }
        environment
    }

    /// The name of a variable in an environment: anything that a process can be given.
    pub(super) fn variable_name(&mut self, key: &At<String>) {
        if key.value.is_empty() || key.value.contains(['=', '\0']) {
            let message = format!("`{}` is no name of a variable", shown(&key.value));
            self.wrong(key.place, message, "write NAME: VALUE");
        }
    }
}
