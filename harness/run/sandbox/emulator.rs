//! The emulators: static qemu programs, of the host or out of an image, as marked copies.
//!
//! A handler with flag F has the kernel hold the emulator open, but a dynamic one would look for its own loader
//! inside the container, so only static ones will do. In a sandbox that refuses the host's own programs
//! the emulator is one of these itself, and gets through by its mark: see [`crate::probe::MARK`].

use super::super::NotReady;
use crate::binary::{PROGRAM_HEAD_BYTES, Program};
use crate::platform::Architecture;
use crate::probe;
use std::fs::{self, File};
use std::io::{self, Read, Seek as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where Debian, Fedora and the image tonistiigi/binfmt have them, besides `PATH`.
const DIRECTORIES: [&str; 4] = ["/usr/bin", "/usr/local/bin", "/usr/libexec/qemu-binfmt", "/bin"];

/// The largest emulator that is copied. Debian's have 4 to 20 MB.
const MAX_BYTES: u64 = 256 << 20;

/// The most bytes of a version that is remembered.
const MAX_VERSION: u64 = 1024;

/// Below the store: copies, and what was taken out of an image.
const COPIES: &str = "emulators";
const FETCHED: &str = "emulators/fetched";

/// What to do where there is no emulator.
const WITHOUT_EMULATOR: &str = "install one (Debian, Ubuntu: `apt-get install qemu-user-static`; Fedora: `dnf install \
                                qemu-user-static`), or let mpcheck take it out of an image: `--emulators tonistiigi/binfmt`";

/// The emulators that there are.
#[derive(Debug, Clone)]
pub(super) struct Emulators {
    /// The store's directory, which the interpreters' paths are relative to.
    store: PathBuf,
    owner: crate::image::layer::unpack::Owner,
    directories: Vec<PathBuf>,
    /// Those out of the image come first: somebody asked for them.
    prefer_fetched: bool,
}

/// An emulator that the kernel can be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Emulator {
    /// The marked copy, relative to the store's directory.
    pub(super) interpreter: String,
    /// Where it was found, in words.
    pub(super) origin: String,
}

impl Emulators {
    /// Looks in these directories, then where distributions have them. `path` is the variable `PATH`.
    pub(super) fn new(
        store: &Path,
        owner: crate::image::layer::unpack::Owner,
        path: Option<&std::ffi::OsStr>,
        prefer_fetched: bool,
    ) -> Self {
        let mut directories: Vec<PathBuf> = path.iter().flat_map(std::env::split_paths).collect();
        directories.extend(DIRECTORIES.map(PathBuf::from));
        directories.retain(|directory| directory.is_absolute());
        Self { store: store.to_owned(), owner, directories, prefer_fetched }
    }

    /// The emulator of an architecture.
    pub(super) fn find(&self, row: &Architecture) -> Result<Emulator, NotReady> {
        let Some(emulator) = row.emulator else {
            return Err(NotReady::new(format!("qemu emulates no {}", row.name), ""));
        };
        let fetched = || self.fetched(emulator.name);
        let found = if self.prefer_fetched {
            fetched().map_or_else(|| self.on_host(emulator.name), Ok)
        } else {
            self.on_host(emulator.name).or_else(|why| fetched().ok_or(why))
        };
        let (source, origin) = found.map_err(|why| NotReady::new(why, WITHOUT_EMULATOR))?;
        let interpreter = self.copy(&source).map_err(|error| {
            NotReady::new(format!("the emulator {} could not be copied: {error}", source.display()), "")
        })?;
        Ok(Emulator { interpreter, origin })
    }

    /// The file of an architecture's emulator itself, for the host's own registry: the host's, or that out of the image.
    pub(super) fn file(&self, row: &Architecture, of_image: bool) -> Result<PathBuf, NotReady> {
        let emulator = row.emulator.ok_or_else(|| NotReady::new(format!("qemu emulates no {}", row.name), ""))?;
        let found = if of_image {
            self.fetched(emulator.name).ok_or_else(|| {
                let image = self.origin().unwrap_or_default();
                format!("there is no static qemu-{} in the image {}", emulator.name, image.trim())
            })
        } else {
            self.on_host(emulator.name)
        };
        found.map(|(path, _)| path).map_err(|why| NotReady::new(why, WITHOUT_EMULATOR))
    }

    /// The refuser for the host's own processor, see [`crate::probe::refuser`].
    pub(super) fn refuser(&self, host: &Architecture) -> Result<String, NotReady> {
        let refuser = probe::refuser(host).ok_or_else(|| {
            NotReady::new(
                format!("on {} mpcheck cannot refuse the host's own programs", host.name),
                "use `--run docker`",
            )
        })?;
        let name = format!("{COPIES}/refuser-{}-{:016x}", host.name, xxhash_rust::xxh3::xxh3_64(&refuser));
        self.put(&name, &refuser)
            .map_err(|error| NotReady::new(format!("{} could not be written: {error}", self.store.display()), ""))?;
        Ok(name)
    }

    /// Where an emulator on the host is, or why none is usable.
    fn on_host(&self, name: &str) -> Result<(PathBuf, String), String> {
        let mut dynamic = None;
        for program in [format!("qemu-{name}-static"), format!("qemu-{name}")] {
            for directory in &self.directories {
                let path = directory.join(&program);
                match File::open(&path).and_then(|file| is_static(&file)) {
                    Ok(true) => return Ok((path.clone(), path.display().to_string())),
                    Ok(false) => dynamic = Some(path),
                    Err(_) => {}
                }
            }
        }
        Err(match dynamic {
            Some(path) => {
                format!("{} is dynamically linked, and would not find its loader in a container", path.display())
            }
            None => format!("there is no emulator qemu-{name} on this host"),
        })
    }

    fn fetched(&self, name: &str) -> Option<(PathBuf, String)> {
        let path = self.store.join(FETCHED).join(format!("qemu-{name}"));
        let origin = self.origin()?;
        path.is_file().then(|| (path, format!("the image {}", origin.trim())))
    }

    /// Which image the emulators that were taken are from: its name and digest.
    pub(super) fn origin(&self) -> Option<String> {
        fs::read_to_string(self.store.join(FETCHED).join("ORIGIN")).ok()
    }

    /// Takes the emulators out of a root filesystem's directories, the topmost first, and remembers whose they are.
    ///
    /// How many were taken.
    pub(super) fn take(&self, layers: &[PathBuf], origin: &str) -> io::Result<usize> {
        let into = self.store.join(FETCHED);
        fs::create_dir_all(&into)?;
        let mut taken = 0;
        for row in crate::platform::ARCHITECTURES {
            let Some(emulator) = row.emulator else { continue };
            let name = format!("qemu-{}", emulator.name);
            for layer in layers {
                // The image chose what is there: no link in it may lead to a file of the host.
                let Some(mut program) = program_in(layer, &format!("usr/bin/{name}")) else { continue };
                if is_static(&program).unwrap_or(false) {
                    program.rewind()?;
                    let mut copy = tempfile::NamedTempFile::new_in(&into)?;
                    io::copy(&mut program.take(MAX_BYTES), &mut copy)?;
                    copy.persist(into.join(&name)).map_err(|error| error.error)?;
                    taken += 1;
                    break;
                }
            }
        }
        fs::write(into.join("ORIGIN"), origin)?;
        Ok(taken)
    }

    /// The version that an emulator said when it was asked before. Its copy's name tells the state of the file, so what
    /// it said stays true of it.
    pub(super) fn version(&self, emulator: &Emulator) -> Option<String> {
        let mut said = String::new();
        let file = File::open(self.store.join(format!("{}.version", emulator.interpreter))).ok()?;
        file.take(MAX_VERSION).read_to_string(&mut said).ok()?;
        (!said.is_empty()).then_some(said)
    }

    /// Remembers what an emulator said. Where that cannot be written, it is asked again.
    pub(super) fn remember(&self, emulator: &Emulator, version: &str) {
        let _ = self.put(&format!("{}.version", emulator.interpreter), version.as_bytes());
    }

    /// Whether an emulator ran its probe in a sandbox since this kernel was started, as the file that it is now.
    pub(super) fn is_proved(&self, emulator: &Emulator) -> bool {
        let known = fs::read_to_string(self.proof(emulator)).unwrap_or_default();
        self.state(emulator).is_some_and(|state| known == state)
    }

    /// What a proof is true of: this start of the kernel, and the copy as it is.
    fn state(&self, emulator: &Emulator) -> Option<String> {
        let meta = fs::metadata(self.store.join(&emulator.interpreter)).ok()?;
        let (inode, size) = (meta.ino(), meta.size());
        Some(format!("{}{inode} {size} {}.{}\n", boot()?, meta.ctime(), meta.ctime_nsec()))
    }

    /// Remembers that it did. Where that cannot be written, it is proved again.
    pub(super) fn remember_proof(&self, emulator: &Emulator) {
        if let Some(state) = self.state(emulator) {
            let _ = self.write(&self.proof(emulator), state.as_bytes());
        }
    }

    fn proof(&self, emulator: &Emulator) -> PathBuf {
        self.store.join(format!("{}.proved", emulator.interpreter))
    }

    /// A marked copy; made once for each state of the file.
    fn copy(&self, source: &Path) -> io::Result<String> {
        let meta = fs::metadata(source)?;
        let state = format!(
            "{}\n{}\n{}\n{}\n{}.{}",
            source.display(),
            meta.dev(),
            meta.ino(),
            meta.size(),
            meta.mtime(),
            meta.mtime_nsec()
        );
        let name = source.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{COPIES}/{name}-{:016x}", xxhash_rust::xxh3::xxh3_64(state.as_bytes()));
        // One that was cut short by a loss of power is made again.
        let is_whole = |copy: fs::Metadata| copy.is_file() && copy.size() == meta.size();
        let copy = self.store.join(&name);
        if !fs::symlink_metadata(&copy).is_ok_and(is_whole) {
            let mut bytes = Vec::new();
            File::open(source)?.take(MAX_BYTES).read_to_end(&mut bytes)?;
            if !probe::marked(&mut bytes) {
                return Err(io::Error::other("it is no ELF file"));
            }
            self.write(&copy, &bytes)?;
        }
        Ok(name)
    }

    /// Writes a program of the store, whole or not at all.
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.store.join(name);
        if path.is_file() { Ok(()) } else { self.write(&path, bytes) }
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let directory = path.parent().unwrap_or(&self.store);
        fs::create_dir_all(directory)?;
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        io::Write::write_all(&mut file, bytes)?;
        fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        if let Some((user, group)) = self.owner {
            for made in [file.path(), directory] {
                std::os::unix::fs::chown(made, Some(user), Some(group))?;
            }
        }
        // A file that is open for writing cannot be executed (ETXTBSY), so it is closed before it gets its name.
        let path_of_it = file.into_temp_path();
        path_of_it.persist(path).map_err(|error| error.error)
    }
}

/// What tells this start of the kernel from all others (random(4), `/proc/sys/kernel/random/boot_id`).
fn boot() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().filter(|id| !id.trim().is_empty())
}

/// Whether a file is an ELF program for this machine that needs no loader.
fn is_static(file: &File) -> io::Result<bool> {
    let mut head = Vec::new();
    file.take(PROGRAM_HEAD_BYTES as u64).read_to_end(&mut head)?;
    let host = crate::platform::Platform::host();
    let own = host.row().and_then(|row| row.elf).map(|own| own.machine);
    match Program::of(&head) {
        None => Err(io::Error::other("it is no ELF file")),
        Some(program) if Some(program.machine) != own => Err(io::Error::other("it is for another machine")),
        Some(program) => Ok(!program.needs_loader),
    }
}

/// Opens a regular file of an unpacked layer, whatever links are on the way.
fn program_in(layer: &Path, path: &str) -> Option<File> {
    use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
    let root = open(layer, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let file = File::from(openat2(&root, path, flags, Mode::empty(), resolve).ok()?);
    file.metadata().is_ok_and(|meta| meta.is_file()).then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn row() -> &'static Architecture {
        Architecture::by_name("arm64").unwrap()
    }

    /// Emulators that look only into this directory.
    fn only(store: &Path, directory: &Path) -> Emulators {
        Emulators {
            store: store.to_owned(),
            owner: None,
            directories: vec![directory.to_owned()],
            prefer_fetched: false,
        }
    }

    #[test]
    fn a_static_emulator_is_copied_and_marked() {
        let (store, bin) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let host = crate::platform::Platform::host();
        let program = probe::probe(host.row().unwrap()).unwrap();
        fs::write(bin.path().join("qemu-aarch64-static"), &program).unwrap();
        let found = only(store.path(), bin.path()).find(row()).unwrap();
        assert!(found.origin.ends_with("/qemu-aarch64-static"), "{found:?}");
        let copy = store.path().join(&found.interpreter);
        let bytes = fs::read(&copy).unwrap();
        assert_eq!(bytes.len(), program.len());
        assert_eq!(&bytes[9..16], &probe::MARK);
        assert_eq!(bytes[..9], program[..9]);
        assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o755);
    }

    #[test]
    fn a_proof_holds_until_the_emulator_or_the_kernel_is_another() {
        let (store, bin) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let program = probe::probe(crate::platform::Platform::host().row().unwrap()).unwrap();
        fs::write(bin.path().join("qemu-aarch64-static"), &program).unwrap();
        let emulators = only(store.path(), bin.path());
        let found = emulators.find(row()).unwrap();
        assert!(!emulators.is_proved(&found));
        emulators.remember_proof(&found);
        assert!(emulators.is_proved(&found));
        // Another file of the same name, as an upgrade brings it.
        fs::remove_file(bin.path().join("qemu-aarch64-static")).unwrap();
        fs::write(bin.path().join("qemu-aarch64-static"), [&program[..], b"\0"].concat()).unwrap();
        let upgraded = emulators.find(row()).unwrap();
        assert!(!emulators.is_proved(&upgraded));
        // Another start of the kernel.
        let state = emulators.state(&found).unwrap();
        let other = format!("5f1b2c3d-0000-4000-8000-000000000000\n{}", state.split_once('\n').unwrap().1);
        fs::write(emulators.proof(&found), other).unwrap();
        assert!(!emulators.is_proved(&found));
        // Another copy, which is then made again.
        emulators.remember_proof(&upgraded);
        assert!(emulators.is_proved(&upgraded));
        let copy = store.path().join(&upgraded.interpreter);
        fs::write(&copy, &program[..10]).unwrap();
        assert!(!emulators.is_proved(&upgraded));
        assert_eq!(emulators.find(row()).unwrap(), upgraded);
        assert_eq!(fs::metadata(&copy).unwrap().len(), program.len() as u64 + 1);
    }

    #[test]
    fn a_dynamic_emulator_is_none_and_said_to_be_so() {
        let (store, bin) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::copy("/bin/true", bin.path().join("qemu-aarch64")).unwrap();
        let error = only(store.path(), bin.path()).find(row()).unwrap_err();
        assert!(error.why.contains("dynamically linked"), "{error:?}");
    }

    #[test]
    fn no_emulator_names_what_installs_it() {
        let empty = tempfile::tempdir().unwrap();
        let error = only(empty.path(), empty.path()).find(row()).unwrap_err();
        assert!(error.why.contains("no emulator qemu-aarch64"), "{error:?}");
        assert!(error.hint.contains("qemu-user-static") && error.hint.contains("--emulators"), "{error:?}");
    }

    #[test]
    fn emulators_of_an_image_are_taken_and_links_are_not_followed() {
        let (store, layer) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let bin = layer.path().join("usr/bin");
        fs::create_dir_all(&bin).unwrap();
        let program = probe::probe(crate::platform::Platform::host().row().unwrap()).unwrap();
        fs::write(bin.join("qemu-aarch64"), &program).unwrap();
        std::os::unix::fs::symlink(bin.join("qemu-aarch64"), bin.join("qemu-arm")).unwrap();
        let emulators = only(store.path(), Path::new("/nowhere"));
        assert_eq!(emulators.take(&[layer.path().to_owned()], "tonistiigi/binfmt@sha256:0").unwrap(), 1);
        assert_eq!(emulators.find(row()).unwrap().origin, "the image tonistiigi/binfmt@sha256:0");
        assert!(emulators.find(Architecture::by_name("arm").unwrap()).is_err());
    }
}
