//! What a container may do beyond the confinement that each has by default, where somebody asks for it.

use super::NotReady;

/// What commands get that a container of this program has not by default. By default all of it is off.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Freedom {
    /// The root can be written, and nothing of it survives the container. In the sandbox up to
    /// [`Limits::root`](super::Limits::root), and as everything belongs to one user there, what a mode forbids the owner is
    /// all that is refused; an engine has no such limit, and knows all owners.
    pub writable: bool,
    /// The engine's default network.
    pub network: bool,
    /// All that `docker run --privileged` gives: every capability, every device.
    pub privileged: bool,
    /// Capabilities by their names, beside which there are none. With them, new privileges can be gained as well: by
    /// programs that bear the set-user-ID bit, or capabilities of their own.
    pub capabilities: Vec<String>,
    /// Directories and files of the engine's host, each `SOURCE:TARGET[:OPTIONS]` as for `docker run --volume`, with an
    /// absolute source: a volume with a name would stay behind.
    pub mounts: Vec<String>,
    /// A terminal, whose output is standard output and standard error in one, with the line ends of a terminal.
    pub terminal: bool,
}

impl Freedom {
    /// None: the confinement of every container.
    #[must_use]
    pub fn none() -> &'static Self {
        static NONE: Freedom = Freedom {
            writable: false,
            network: false,
            privileged: false,
            capabilities: Vec::new(),
            mounts: Vec::new(),
            terminal: false,
        };
        &NONE
    }

    /// Whether the sandbox can give all of this.
    ///
    /// # Errors
    /// What it cannot give.
    pub(super) fn of_sandbox(&self) -> Result<(), NotReady> {
        let lacks: Vec<&str> = [
            (self.network, "no network"),
            (self.privileged, "no privileged mode"),
            (!self.capabilities.is_empty(), "no capabilities"),
            (!self.mounts.is_empty(), "nothing of the host to mount"),
            (self.terminal, "no terminal"),
        ]
        .into_iter()
        .filter_map(|(asked, words)| asked.then_some(words))
        .collect();
        match lacks.as_slice() {
            [] => Ok(()),
            lacks => {
                let why = format!("the sandbox has {}, which was asked for", lacks.join(" and "));
                Err(NotReady::new(why, "use `--run docker`, or ask for none of that"))
            }
        }
    }

    /// Whether an engine can give all of this.
    ///
    /// # Errors
    /// What it cannot give.
    pub(super) fn of_engine(&self) -> Result<(), NotReady> {
        for mount in &self.mounts {
            let shown = || mount.chars().take(200).flat_map(char::escape_debug).collect::<String>();
            let hint = "write /SOURCE:/TARGET, or /SOURCE:/TARGET:ro";
            match parts(mount) {
                None => return Err(NotReady::new(format!("the mount `{}` has no source and target", shown()), hint)),
                Some((source, _)) if !source.starts_with('/') => {
                    let why =
                        format!("the mount `{}` has no absolute source; a named volume would stay behind", shown());
                    return Err(NotReady::new(why, hint));
                }
                Some((_, target)) if !target.starts_with('/') => {
                    return Err(NotReady::new(format!("the mount `{}` has no absolute target", shown()), hint));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Whether something of the host is mounted at exactly this place.
    pub(super) fn mounts_at(&self, target: &str) -> bool {
        self.mounts.iter().filter_map(|mount| parts(mount)).any(|(_, at)| at.trim_end_matches('/') == target)
    }
}

/// Source and target of a mount.
fn parts(mount: &str) -> Option<(&str, &str)> {
    let (source, rest) = mount.split_once(':')?;
    Some((source, rest.split(':').next().unwrap_or(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn by_default_there_is_none() {
        assert_eq!(Freedom::none(), &Freedom::default());
        assert_eq!(Freedom::none().of_sandbox(), Ok(()));
        assert_eq!(Freedom::none().of_engine(), Ok(()));
    }

    #[rstest]
    #[case(Freedom { writable: true, ..Freedom::default() }, None)]
    #[case(Freedom { network: true, ..Freedom::default() }, Some("the sandbox has no network, which was asked for"))]
    #[case(Freedom { privileged: true, ..Freedom::default() }, Some("no privileged mode"))]
    #[case(Freedom { capabilities: vec!["NET_RAW".to_owned()], ..Freedom::default() }, Some("no capabilities"))]
    #[case(Freedom { mounts: vec!["/a:/b".to_owned()], ..Freedom::default() }, Some("nothing of the host to mount"))]
    #[case(
        Freedom { terminal: true, network: true, ..Freedom::default() },
        Some("has no network and no terminal, which")
    )]
    fn the_sandbox_says_what_it_lacks(#[case] freedom: Freedom, #[case] words: Option<&str>) {
        match (freedom.of_sandbox(), words) {
            (Ok(()), None) => {}
            (Err(error), Some(words)) => {
                assert!(error.why.contains(words) && error.hint.contains("--run docker"), "{error:?}");
            }
            (got, words) => panic!("{got:?} instead of {words:?}"),
        }
    }

    #[rstest]
    #[case("/a:/b", None)]
    #[case("/a:/b:ro,rshared", None)]
    #[case("/a", Some("`/a` has no source and target"))]
    #[case("data:/b", Some("`data:/b` has no absolute source"))]
    #[case(":/b", Some("has no absolute source"))]
    #[case("/a:b", Some("has no absolute target"))]
    #[case("\u{1b}[2J", Some("`\\u{1b}[2J` has no"))]
    fn mounts_that_an_engine_would_not_do_are_told(#[case] mount: &str, #[case] words: Option<&str>) {
        let freedom = Freedom { mounts: vec![mount.to_owned()], ..Freedom::default() };
        let error = freedom.of_engine().err().map(|error| error.why);
        assert_eq!(error.is_some(), words.is_some(), "{error:?}");
        assert!(error.unwrap_or_default().contains(words.unwrap_or_default()));
    }

    #[test]
    fn a_mounts_target_is_known() {
        let freedom = Freedom { mounts: vec!["/a:/tmp/:ro".to_owned()], ..Freedom::default() };
        assert!(freedom.mounts_at("/tmp") && !freedom.mounts_at("/a"));
    }
}
