//! A registry to push to: the user's, or a throw-away one on loopback.

use super::site::{Leftovers, Site};
use super::step::{Stop, Work};
use crate::run::cleanup::{self, Guard};
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The image of a registry (distribution/distribution).
pub(super) const IMAGE: &str = "registry:3";
/// The program, as Debian and as its own releases call it.
const PROGRAMS: [&str; 2] = ["docker-registry", "registry"];
/// How long it may take until it answers.
const START: Duration = Duration::from_secs(30);
/// How often it is asked.
const PAUSE: Duration = Duration::from_millis(20);
/// How many characters of a reason are told, the last ones.
const LAST_WORDS: usize = 160;
/// How often another port is tried where somebody else was faster.
const PORTS: u32 = 3;

/// A registry, for the time of a rehearsal.
#[derive(Debug)]
pub(super) struct Registry {
    /// `HOST/NAME`, to which a tag is added.
    pub(super) repository: String,
    /// What every tag begins with.
    prefix: String,
    /// Whether it speaks plain HTTP on loopback, which `docker manifest` has to be told.
    pub(super) insecure: bool,
    /// Whether it is somebody's, who keeps what is pushed to it.
    pub(super) is_users: bool,
    _program: Option<Program>,
}

/// A registry's process.
#[derive(Debug)]
struct Program {
    child: Child,
    guard: Option<Guard>,
}

impl Drop for Program {
    fn drop(&mut self) {
        // Killed before it is waited for: its number may be another's after that.
        drop(self.guard.take());
        let _ = self.child.wait();
    }
}

impl Registry {
    /// One that is there: `HOST/NAME`. `name` is the rehearsal's, which every tag begins with: others may have theirs there.
    pub(super) fn given(repository: &str, name: &str, insecure: bool) -> Self {
        let host = repository.split('/').next().unwrap_or_default();
        Self {
            repository: repository.trim_end_matches('/').to_owned(),
            prefix: format!("{name}-"),
            insecure: insecure || is_loopback(host),
            is_users: true,
            _program: None,
        }
    }

    /// Starts one on loopback: in a container where the image is to be had, else as a program.
    pub(super) fn start(work: &mut Work<'_>, site: &Site, leftovers: &Leftovers) -> Result<(Self, String), Stop> {
        let no_container = match in_container(work, site, leftovers) {
            Ok(address) => return Ok((Self::on(address, None, site), format!("{IMAGE} in a container, {address}"))),
            Err(why) => why,
        };
        let Some(path) = PROGRAMS.iter().find_map(|name| in_path(name)) else {
            return Err(Stop::skipped(format!(
                "no registry can be started ({no_container}; and there is no program docker-registry): install Debian's \
                 docker-registry, or name a registry that you may push to by --registry HOST/NAME"
            )));
        };
        let mut failed = String::new();
        for _ in 0..PORTS {
            match as_program(&path, site) {
                Ok((address, program)) => {
                    let command = format!("{} serve {}", path.display(), config(site).display());
                    let told = format!("{address}, by `{command}` ({no_container})");
                    return Ok((Self::on(address, Some(program), site), told));
                }
                Err(error) => failed = error.to_string(),
            }
        }
        Err(Stop::Undecided(format!("{} did not start: {failed}", path.display())))
    }

    fn on(address: SocketAddr, program: Option<Program>, site: &Site) -> Self {
        let repository = format!("{address}/{}", site.name);
        Self { repository, prefix: String::new(), insecure: true, is_users: false, _program: program }
    }

    /// A name in it.
    pub(super) fn name(&self, tag: &str) -> String {
        format!("{}:{}{tag}", self.repository, self.prefix)
    }
}

fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, port)| if port.ends_with(']') { host } else { name });
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    name == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Starts the registry's image, which is fetched where it is not there.
fn in_container(work: &mut Work<'_>, site: &Site, leftovers: &Leftovers) -> Result<SocketAddr, String> {
    if !work.tools.is_local {
        return Err("the engine is on another machine, whose loopback is not this one's".to_owned());
    }
    obtain(work, IMAGE, leftovers)?;
    let name = format!("{}-registry", site.name);
    leftovers.container(&name);
    let started = work.docker(&["run", "--detach", "--rm", "--name", &name, "--publish", "127.0.0.1::5000", IMAGE]);
    if !started.is_well() {
        return Err(format!("{IMAGE} does not start: {}", last_line(&started.said)));
    }
    let published = work.docker(&["port", &name, "5000/tcp"]);
    let address = published.stdout.lines().find_map(|line| line.trim().parse().ok());
    let address: SocketAddr = address.ok_or_else(|| format!("{IMAGE} has no port: {}", last_line(&published.said)))?;
    answers(address, &mut || None).map_err(|error| format!("{IMAGE} at {address} does not answer: {error}"))?;
    Ok(address)
}

/// Makes sure that an image is in the engine. One that was not there before is removed afterwards.
pub(super) fn obtain(work: &mut Work<'_>, image: &str, leftovers: &Leftovers) -> Result<(), String> {
    if work.docker(&["image", "inspect", "--format", "{{.Id}}", image]).is_well() {
        return Ok(());
    }
    leftovers.image(image);
    let pulled = work.docker(&["pull", "--quiet", image]);
    if pulled.is_well() { Ok(()) } else { Err(format!("{image} cannot be had: {}", last_line(&pulled.said))) }
}

fn last_line(said: &str) -> String {
    let line = said.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it said nothing");
    // What is wrong stands at the end of a long chain.
    let long = line.chars().count().saturating_sub(LAST_WORDS);
    let end: String = line.chars().skip(long).flat_map(char::escape_debug).collect();
    if long > 0 { format!("…{end}") } else { end }
}

fn in_path(name: &str) -> Option<PathBuf> {
    let is_program =
        |path: &PathBuf| fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(is_program)
}

/// Where its settings are.
fn config(site: &Site) -> PathBuf {
    site.file("registry.json")
}

/// Starts the program with a store of its own.
fn as_program(path: &PathBuf, site: &Site) -> io::Result<(SocketAddr, Program)> {
    let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
    let (config, store) = (config(site), site.file("registry"));
    // JSON is YAML, and needs no writer that escapes.
    let settings = serde_json::json!({
        "version": "0.1",
        "log": { "level": "warn" },
        "storage": { "filesystem": { "rootdirectory": store }, "delete": { "enabled": true } },
        "http": { "addr": address.to_string() },
    });
    fs::write(&config, settings.to_string())?;
    let log = fs::File::create(site.logs().join("registry.log"))?;
    let mut command = Command::new(path);
    command.arg("serve").arg(&config).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    // What the user has set for a registry of their own is not for this one.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("REGISTRY_")) {
        command.env_remove(name);
    }
    let (child, guard) = cleanup::start(&mut command)?;
    let mut program = Program { child, guard: Some(guard) };
    answers(address, &mut || program.child.try_wait().ok().flatten().map(|status| status.to_string()))?;
    Ok((address, program))
}

/// Waits until a registry answers there; `ended` says how it ended, if it did.
fn answers(address: SocketAddr, ended: &mut dyn FnMut() -> Option<String>) -> io::Result<()> {
    let until = Instant::now() + START;
    loop {
        if let Some(how) = ended() {
            return Err(io::Error::other(format!("it ended: {how}")));
        }
        match asked(address) {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() >= until => return Err(error),
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

/// The base of the API: distribution-spec, "Determining Support".
fn asked(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, START)?;
    stream.set_read_timeout(Some(START))?;
    stream.write_all(format!("GET /v2/ HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    if answer.starts_with(b"HTTP/1.") { Ok(()) } else { Err(io::Error::other("it speaks no HTTP")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("127.0.0.1:5000/a", "127.0.0.1:5000/a", true)]
    #[case("localhost:5000/a/b/", "localhost:5000/a/b", true)]
    #[case("localhost/a", "localhost/a", true)]
    #[case("[::1]:5000/a", "[::1]:5000/a", true)]
    #[case("ghcr.io/me/a", "ghcr.io/me/a", false)]
    #[case("127.example:5000/a", "127.example:5000/a", false)]
    fn a_given_registry_keeps_its_name(#[case] given: &str, #[case] repository: &str, #[case] insecure: bool) {
        let registry = Registry::given(given, "mpcheck-build-abc", false);
        let name = format!("{repository}:mpcheck-build-abc-x");
        assert_eq!((registry.name("x"), registry.insecure), (name, insecure));
        assert!(Registry::given(given, "n", true).insecure);
        assert!(registry.is_users);
    }

    #[test]
    fn somebody_who_speaks_no_http_is_no_registry() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let served = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").unwrap();
        });
        assert_eq!(asked(address).unwrap_err().to_string(), "it speaks no HTTP");
        served.join().unwrap();
    }
}
