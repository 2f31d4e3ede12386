//! Which runner a platform gets, and why.

use super::{Cpu, Freedom, NotReady, Runner};
use crate::platform::Platform;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum How {
    /// The sandbox where it works, else Docker.
    #[default]
    Auto,
    /// Docker only.
    Docker,
    /// The sandbox only.
    Sandbox,
    /// Nothing is run.
    Never,
}

/// The runners that there are.
#[derive(Clone, Copy)]
pub struct Runners<'a> {
    /// What was asked for.
    pub how: How,
    /// Which processor emulated platforms get.
    pub cpu: Cpu,
    /// What the containers shall be free to do.
    pub freedom: &'a Freedom,
    /// The sandbox, or why there is none.
    pub sandbox: Result<&'a dyn Runner, &'a NotReady>,
    /// Docker, or why there is none.
    pub docker: Result<&'a dyn Runner, &'a NotReady>,
}

/// A runner for a platform.
#[derive(Clone)]
pub struct Choice<'a> {
    /// The runner.
    pub runner: &'a dyn Runner,
    /// Why this one, as half a sentence; empty where it was asked for by name.
    pub why: String,
}

impl<'a> Runners<'a> {
    /// The runner for a platform.
    ///
    /// # Errors
    /// Why none can run it, with what to do.
    pub fn choose(&self, platform: &Platform) -> Result<Choice<'a>, NotReady> {
        let offer = |runner| self.offer(runner, platform);
        match self.how {
            How::Never => Err(NotReady::new("running was not asked for (--run never)", "")),
            How::Sandbox => offer(self.sandbox).map(|runner| Choice { runner, why: String::new() }),
            How::Docker => offer(self.docker).map(|runner| Choice { runner, why: String::new() }),
            How::Auto => match offer(self.sandbox) {
                Ok(runner) => Ok(Choice { runner, why: "the sandbox works here".to_owned() }),
                Err(first) => self.docker_because(&first, platform),
            },
        }
    }

    fn offer(
        &self,
        runner: Result<&'a dyn Runner, &'a NotReady>,
        platform: &Platform,
    ) -> Result<&'a dyn Runner, NotReady> {
        let runner = runner.map_err(Clone::clone)?;
        // First, as it costs nothing.
        runner.grants(self.freedom)?;
        runner.offer(platform, self.cpu).map(|_| runner)
    }

    /// Docker, where the sandbox did not do.
    ///
    /// # Errors
    /// Both reasons.
    pub fn docker_because(&self, sandbox: &NotReady, platform: &Platform) -> Result<Choice<'a>, NotReady> {
        match self.offer(self.docker, platform) {
            Ok(runner) => Ok(Choice { runner, why: format!("the sandbox does not do here: {}", sandbox.why) }),
            Err(docker) => Err(NotReady::new(
                format!("neither the sandbox ({}) nor Docker ({}) can run it", sandbox.why, docker.why),
                if sandbox.hint.is_empty() { docker.hint } else { sandbox.hint.clone() },
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Offer, Ran, Task};
    use super::*;
    use rstest::rstest;

    /// A runner that does, or does not, offer to run.
    struct Only(&'static str, Result<(), &'static str>);

    impl Runner for Only {
        fn name(&self) -> &'static str {
            self.0
        }

        fn offer(&self, _: &Platform, _: Cpu) -> Result<Offer, NotReady> {
            self.1.map(|()| Offer { emulator: None }).map_err(|why| NotReady::new(why, format!("mend {}", self.0)))
        }

        fn grants(&self, freedom: &Freedom) -> Result<(), NotReady> {
            if self.0 == "sandbox" { freedom.of_sandbox() } else { freedom.of_engine() }
        }

        fn run(&self, _: &Task<'_>) -> Result<Ran, NotReady> {
            Err(NotReady::new("this one only offers", ""))
        }
    }

    const YES: Result<(), &str> = Ok(());
    const NO: Result<(), &str> = Err("broken");

    #[rstest]
    #[case(How::Auto, YES, YES, Ok("sandbox"))]
    #[case(How::Auto, YES, NO, Ok("sandbox"))]
    #[case(How::Auto, NO, YES, Ok("docker"))]
    #[case(How::Auto, NO, NO, Err("neither the sandbox (broken) nor Docker (broken) can run it"))]
    #[case(How::Docker, YES, YES, Ok("docker"))]
    #[case(How::Docker, YES, NO, Err("broken"))]
    #[case(How::Sandbox, YES, YES, Ok("sandbox"))]
    #[case(How::Sandbox, NO, YES, Err("broken"))]
    #[case(How::Never, YES, YES, Err("running was not asked for (--run never)"))]
    fn one_is_chosen_or_all_reasons_are_given(
        #[case] how: How,
        #[case] sandbox: Result<(), &'static str>,
        #[case] docker: Result<(), &'static str>,
        #[case] wanted: Result<&str, &str>,
    ) {
        let (sandbox, docker) = (Only("sandbox", sandbox), Only("docker", docker));
        let runners =
            Runners { how, cpu: Cpu::Max, freedom: Freedom::none(), sandbox: Ok(&sandbox), docker: Ok(&docker) };
        let chosen = runners.choose(&Platform::parse("linux/arm64").unwrap());
        let got = chosen.map(|choice| choice.runner.name()).map_err(|error| error.why);
        assert_eq!(got.as_ref().map_err(String::as_str), wanted.as_ref().map_err(|why| *why));
    }

    #[test]
    fn a_fallback_says_why() {
        let (sandbox, docker) = (Only("sandbox", NO), Only("docker", YES));
        let runners = Runners {
            how: How::Auto,
            cpu: Cpu::Max,
            freedom: Freedom::none(),
            sandbox: Ok(&sandbox),
            docker: Ok(&docker),
        };
        let choice = runners.choose(&Platform::parse("linux/arm64").unwrap()).map_err(|error| error.why).unwrap();
        assert_eq!(choice.why, "the sandbox does not do here: broken");
    }

    #[rstest]
    #[case(How::Auto, Ok("docker"))]
    #[case(How::Docker, Ok("docker"))]
    #[case(How::Sandbox, Err("the sandbox has no network, which was asked for"))]
    fn what_the_sandbox_cannot_give_is_dockers(#[case] how: How, #[case] wanted: Result<&str, &str>) {
        let (sandbox, docker) = (Only("sandbox", YES), Only("docker", YES));
        let freedom = Freedom { network: true, ..Freedom::default() };
        let runners = Runners { how, cpu: Cpu::Max, freedom: &freedom, sandbox: Ok(&sandbox), docker: Ok(&docker) };
        let chosen = runners.choose(&Platform::parse("linux/arm64").unwrap());
        let got = chosen.map(|choice| choice.runner.name()).map_err(|error| error.why);
        assert_eq!(got.as_ref().map_err(String::as_str), wanted.as_ref().map_err(|why| *why));
    }
}
