//! What is done to the machine, each a command that a person could type.

use crate::host::binfmt::MOUNT;
use crate::run::NotReady;
use rustix::mount::{MountFlags, mount};
use std::borrow::Cow;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// How systemd mounts it (its unit `proc-sys-fs-binfmt_misc.mount`).
const AS_SYSTEMD_DOES: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Mounts binfmt_misc.
    Mount,
    /// Switches all handlers on.
    SwitchOnAll,
    /// Switches one handler on.
    SwitchOn(String),
    /// Switches one off; it stays registered.
    SwitchOff(String),
    /// Removes one.
    Remove(String),
    /// Registers one, by the kernel's line.
    Register(String),
    /// Puts an emulator out of an image into its place.
    Place {
        /// What is copied; `None` where it was not fetched.
        from: Option<PathBuf>,
        to: PathBuf,
        /// Where it is from, in words.
        image: String,
    },
    /// Writes a file of binfmt.d.
    Write { file: PathBuf, lines: Vec<String> },
    /// Removes a file of ours.
    Delete(PathBuf),
}

impl Step {
    /// Does it. What is gone already is no error.
    pub(super) fn apply(&self) -> Result<(), Refused> {
        let refused = |error: io::Error| Refused { step: self.clone(), error };
        match self {
            Self::Mount => {
                mount("binfmt_misc", MOUNT, "binfmt_misc", AS_SYSTEMD_DOES, None).map_err(|errno| refused(errno.into()))
            }
            Self::SwitchOnAll => tell("status", b"1").map_err(refused),
            Self::SwitchOn(name) => tell(name, b"1").map_err(refused),
            Self::SwitchOff(name) => gone_is_well(tell(name, b"0")).map_err(refused),
            Self::Remove(name) => gone_is_well(tell(name, b"-1")).map_err(refused),
            Self::Register(line) => tell("register", line.as_bytes()).map_err(refused),
            Self::Place { from: None, .. } => Ok(()),
            Self::Place { from: Some(from), to, .. } => {
                fs::read(from).and_then(|bytes| put(to, &bytes, 0o755)).map_err(refused)
            }
            Self::Write { file, lines } => {
                put(file, format!("{}\n", lines.join("\n")).as_bytes(), 0o644).map_err(refused)
            }
            Self::Delete(file) => gone_is_well(fs::remove_file(file)).map_err(refused),
        }
    }
}

/// Whether this process may change the registry: nothing is changed by asking.
pub(super) fn may_register() -> io::Result<()> {
    OpenOptions::new().write(true).open(Path::new(MOUNT).join("register")).map(drop)
}

/// Writes to one of the kernel's files, in one call: each is a command.
fn tell(name: &str, what: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).open(Path::new(MOUNT).join(name))?.write_all(what)
}

fn gone_is_well(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Makes a directory, and those above it, for everybody to read: an umask may not take that away.
fn made(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    directory.parent().map_or(Ok(()), made)?;
    fs::DirBuilder::new().mode(0o755).create(directory)?;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755))
}

/// Writes a file whole or not at all, its directory too, readable by everybody whatever the umask.
fn put(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let directory = path.parent().ok_or_else(|| io::Error::other("it has no directory"))?;
    made(directory)?;
    let mut file = tempfile::Builder::new().prefix(".mpcheck-").tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    // Closed before it gets its name: what is open for writing cannot be an interpreter (ETXTBSY).
    file.into_temp_path().persist(path).map_err(|error| error.error)
}

impl fmt::Display for Step {
    /// A command for a shell.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = |name: &str| quoted(&format!("{MOUNT}/{name}")).into_owned();
        let path = |path: &Path| quoted(&path.to_string_lossy()).into_owned();
        match self {
            Self::Mount => write!(f, "mount -t binfmt_misc -o nosuid,nodev,noexec binfmt_misc {MOUNT}"),
            Self::SwitchOnAll => write!(f, "echo 1 > {MOUNT}/status"),
            Self::SwitchOn(name) => write!(f, "echo 1 > {}", entry(name)),
            Self::SwitchOff(name) => write!(f, "echo 0 > {}", entry(name)),
            Self::Remove(name) => write!(f, "echo -1 > {}", entry(name)),
            // Not echo: dash's reads the escapes, and the kernel would see a mask's zero bytes as the end.
            Self::Register(line) => write!(f, "printf %s {} > {MOUNT}/register", quoted(line)),
            Self::Place { to, image, .. } => {
                let name = to.file_name().unwrap_or_default().to_string_lossy();
                write!(f, "# usr/bin/{name} of the image {image} is copied to {}, root's, mode 0755", to.display())
            }
            Self::Write { file, lines } => {
                let lines: Vec<Cow<'_, str>> = lines.iter().map(|line| quoted(line)).collect();
                write!(f, "printf '%s\\n' {} > {}", lines.join(" "), path(file))
            }
            Self::Delete(file) => write!(f, "rm -f {}", path(file)),
        }
    }
}

/// A word for a shell. One with a zero byte is none, and stays as it is.
fn quoted(word: &str) -> Cow<'_, str> {
    // What a terminal would obey, as bash writes it.
    if word.chars().any(char::is_control) && !word.contains('\0') {
        let shown: String = word
            .chars()
            .map(|c| match c {
                '\'' | '\\' => format!("\\{c}"),
                c if c.is_control() => c.to_string().bytes().map(|byte| format!("\\x{byte:02x}")).collect(),
                c => c.to_string(),
            })
            .collect();
        return Cow::Owned(format!("$'{shown}'"));
    }
    // shlex puts a line with backslashes between double quotes, and doubles them.
    if word.contains('\\') && !word.contains(['\'', '\0']) {
        return Cow::Owned(format!("'{word}'"));
    }
    shlex::try_quote(word).unwrap_or(Cow::Borrowed(word))
}

/// A step that the machine did not let happen.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) step: Step,
    pub(super) error: io::Error,
}

impl Refused {
    /// Whether others may do it.
    pub(super) fn is_permission(&self) -> bool {
        match self.error.kind() {
            io::ErrorKind::PermissionDenied => !matches!(self.step, Step::Register(_)),
            // Of /usr it is a matter of the system, and of /proc one of the container.
            io::ErrorKind::ReadOnlyFilesystem => {
                !matches!(self.step, Step::Place { .. } | Step::Write { .. } | Step::Delete(_))
            }
            _ => false,
        }
    }

    /// What it means for an architecture.
    pub(super) fn told(&self) -> NotReady {
        let error = &self.error;
        let (why, hint) = match &self.step {
            Step::Mount => (format!("binfmt_misc could not be mounted: {error}"), String::new()),
            Step::Register(line) => {
                let interpreter = line.rsplit(':').nth(1).unwrap_or_default();
                let hint = match error.raw_os_error() {
                    Some(libc::EACCES) => format!(
                        "is {interpreter} on a file system that is mounted noexec? See `findmnt -T {interpreter}`"
                    ),
                    Some(libc::EEXIST) => "somebody else registered it at the same time; try again".to_owned(),
                    _ => format!("`{}` says the same; see `dmesg`", self.step),
                };
                (format!("the kernel did not take {interpreter} as an emulator: {error}"), hint)
            }
            Step::Place { to, .. } => (format!("{} could not be written: {error}", to.display()), String::new()),
            Step::Write { file, .. } => (format!("{} could not be written: {error}", file.display()), String::new()),
            Step::Delete(file) => (format!("{} could not be removed: {error}", file.display()), String::new()),
            step => (format!("`{step}` failed: {error}"), String::new()),
        };
        NotReady::new(why, hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(Step::Mount, "mount -t binfmt_misc -o nosuid,nodev,noexec binfmt_misc /proc/sys/fs/binfmt_misc")]
    #[case(Step::SwitchOnAll, "echo 1 > /proc/sys/fs/binfmt_misc/status")]
    #[case(Step::Remove("a b".to_owned()), "echo -1 > '/proc/sys/fs/binfmt_misc/a b'")]
    #[case(Step::Remove("q\u{1b}[31m'".to_owned()), r"echo -1 > $'/proc/sys/fs/binfmt_misc/q\x1b[31m\''")]
    #[case(Step::SwitchOff("q".to_owned()), "echo 0 > /proc/sys/fs/binfmt_misc/q")]
    #[case(Step::Register(r":q:M:0:\x7f:\xff:/q:FPC".to_owned()),
        r"printf %s ':q:M:0:\x7f:\xff:/q:FPC' > /proc/sys/fs/binfmt_misc/register")]
    #[case(Step::Write { file: "/etc/x".into(), lines: vec!["# it's".to_owned(), "b".to_owned()] },
        r##"printf '%s\n' "# it's" b > /etc/x"##)]
    #[case(Step::Delete("/etc/x".into()), "rm -f /etc/x")]
    fn a_step_is_a_command(#[case] step: Step, #[case] command: &str) {
        assert_eq!(step.to_string(), command);
    }

    #[test]
    fn a_file_is_written_whole_with_its_directory_and_its_mode() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("etc/binfmt.d/x.conf");
        let step = Step::Write { file: file.clone(), lines: vec!["a".to_owned(), "b".to_owned()] };
        step.apply().unwrap();
        step.apply().unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "a\nb\n");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
        // Twice: what is gone is no error.
        Step::Delete(file.clone()).apply().unwrap();
        Step::Delete(file.clone()).apply().unwrap();
        assert!(!file.exists());
    }

    #[test]
    fn an_emulator_is_copied_and_everybody_may_start_it() {
        let root = tempfile::tempdir().unwrap();
        let (from, to) = (root.path().join("from"), root.path().join("lib/qemu-arm"));
        fs::write(&from, "program").unwrap();
        Step::Place { from: Some(from), to: to.clone(), image: String::new() }.apply().unwrap();
        assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(fs::read_to_string(&to).unwrap(), "program");
    }
}
