//! What a command may ask for beyond the image's: variables, a user, a fresh sandbox, a root that can be written.

use super::{Place, image};
use mpcheck::image::ImageFacts;
use mpcheck::image::examine::{Options, Unpack, examine};
use mpcheck::image::layer::Limits as LayerLimits;
use mpcheck::image::observe::Silent;
use mpcheck::image::reference::Location;
use mpcheck::image::source::{Source, SourceOptions, open_image};
use mpcheck::platform::Selection;
use mpcheck::run::sandbox::Sandbox;
use mpcheck::run::{Command, Cpu, Ended, Exit, Freedom, Limits, NotReady, Ran, Runner as _, StartError, Task};
use mpcheck_kit::image::Image;
use mpcheck_kit::index::Index;
use mpcheck_kit::layer::Layer;
use rstest::rstest;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

/// A forged image, examined, with a sandbox whose store is empty.
struct Examined {
    sandbox: Sandbox,
    location: Location,
    source: Box<dyn Source>,
    facts: ImageFacts,
    _store: tempfile::TempDir,
    _place: Place,
}

impl Examined {
    fn of(image: Image) -> Examined {
        let place = Place::with(&Index::new().image(image).forge());
        let store = tempfile::tempdir().unwrap();
        // Whoever the sandbox's user is must get through.
        std::fs::set_permissions(store.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let sandbox = Sandbox::new(store.path(), false).unwrap();
        let location = Location::parse(place.path().to_str().unwrap()).unwrap();
        let source = open_image(&location, &SourceOptions::default()).unwrap();
        let options = Options {
            selection: &Selection::all(),
            limits: LayerLimits::default(),
            jobs: 1,
            cache: None,
            layers: true,
            unpack: Some(Unpack { store: sandbox.store(), of: &|_| true }),
        };
        let facts = examine(source.as_ref(), &options, &Silent).unwrap();
        Examined { sandbox, location, source, facts, _store: store, _place: place }
    }

    fn task<'a>(&'a self, commands: &'a [Command]) -> Task<'a> {
        let [platform] = self.facts.platforms.as_slice() else { panic!("{:?}", self.facts.platforms) };
        Task {
            platform,
            config: platform.config.as_ref().unwrap(),
            source: self.source.as_ref(),
            location: &self.location,
            cpu: Cpu::Max,
            commands,
            limits: Limits::default(),
            user: None,
            freedom: Freedom::none(),
        }
    }

    fn run(&self, freedom: &Freedom, commands: &[Command]) -> Result<Ran, NotReady> {
        self.sandbox.run(&Task { freedom, ..self.task(commands) })
    }
}

fn shell(script: &str) -> Command {
    Command::new(["sh", "-c", script].map(str::to_owned).to_vec(), Duration::from_secs(120))
}

fn fresh(script: &str) -> Command {
    Command { fresh: true, ..shell(script) }
}

fn output(ended: &Ended) -> &str {
    std::str::from_utf8(&ended.stdout.bytes).unwrap()
}

fn outputs(ran: &Ran) -> Vec<&str> {
    assert_eq!(ran.interrupted, None);
    ran.ended.iter().map(output).collect()
}

#[rstest]
fn variables_are_the_commands_own(#[values("linux/amd64", "linux/arm64")] platform: &str) {
    let examined = Examined::of(image(platform, []).env("A=image").env("B=image"));
    let mut commands = [shell("echo $A/$B/$C"), shell("echo $A/$B/$C"), shell("echo no")];
    let set =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    commands[0].environment = set(&[("A", "x=y z"), ("C", "")]);
    // The program is looked for in the command's own PATH.
    commands[2].environment = set(&[("PATH", "/nowhere")]);
    let ran = examined.run(Freedom::none(), &commands).unwrap();
    assert_eq!(outputs(&ran), ["x=y z/image/\n", "image/image/\n", ""]);
    assert_eq!(ran.ended[2].exit, Exit::NotStarted(StartError::NotFound));
}

#[test]
fn a_task_s_user_comes_before_the_images() {
    let accounts = Layer::new().file("etc/passwd", 0o644, "app:x:1234:99::/srv/app:/bin/sh\n");
    let examined = Examined::of(image("linux/amd64", [accounts]).user("nobody-here"));
    let commands = [shell("echo $(id -u):$(id -g):$HOME")];
    for (user, wanted) in [("app", "1234:99:/srv/app\n"), ("0", "0:0:/\n"), ("5:6", "5:6:/\n"), ("", "0:0:/\n")] {
        let ran = examined.sandbox.run(&Task { user: Some(user), ..examined.task(&commands) }).unwrap();
        assert_eq!(outputs(&ran), [wanted], "{user}");
    }
    // Nothing is started as a user who is not there.
    let ran = examined.run(Freedom::none(), &commands).unwrap();
    let exits: Vec<&Exit> = ran.ended.iter().map(|ended| &ended.exit).collect();
    let [Exit::NotStarted(StartError::Other(why))] = exits[..] else { panic!("{exits:?}") };
    assert!(why.contains("user `nobody-here` is not in the image's /etc/passwd"), "{why}");
}

#[rstest]
#[case::writable(true, "/tmp /etc / /made", 4)]
#[case::read_only(false, "/tmp /dev/shm", 2)]
fn a_fresh_sandbox_has_nothing_of_earlier_commands(
    #[values("linux/amd64", "linux/arm64")] platform: &str,
    #[case] writable: bool,
    #[case] directories: &str,
    #[case] count: usize,
) {
    let examined = Examined::of(image(platform, [Layer::new().dir("made", 0o700)]));
    let freedom = Freedom { writable, ..Freedom::default() };
    let write = format!("for d in {directories}; do echo x >$d/written || exit 1; done; sleep 1000 &");
    let look = format!("for d in {directories}; do cat $d/written; done; ls -d /proc/[0-9]* | grep -c .");
    let commands = [fresh(&write), shell(&look), fresh(&look), shell(&write), shell(&look), fresh(&look)];
    let ran = examined.run(&freedom, &commands).unwrap();
    let lines: Vec<usize> = outputs(&ran).iter().map(|told| told.matches("x\n").count()).collect();
    assert_eq!(lines, [0, count, 0, 0, count, 0], "{ran:?}");
    assert_eq!(ran.ended[0].exit, Exit::Code(0), "{ran:?}");
}

/// All that the union of layers must do: change, remove, replace, link, and tell whoever reads afterwards.
#[rstest]
#[case::a_file_of_a_layer("echo new >/etc/old && cat /etc/old", "new\n")]
#[case::appended("echo more >>/etc/old && cat /etc/old", "old\nmore\n")]
#[case::removed("rm /etc/old && ls /etc", "sub\n")]
#[case::a_directory_removed("rm -r /etc/sub && ls /etc", "old\n")]
#[case::removed_and_made_again("rm -r /etc/sub && mkdir /etc/sub && ls -A /etc/sub", "")]
#[case::renamed("mv /etc/old /etc/other && cat /etc/other", "old\n")]
#[case::a_mode("chmod 600 /etc/old && stat -c %a /etc/old", "600\n")]
#[case::a_link("ln -s old /etc/link && cat /etc/link", "old\n")]
#[case::a_program("cp /bin/busybox /busybox && /busybox true && echo ran", "ran\n")]
fn a_root_that_can_be_written_is_like_any_other(#[case] script: &str, #[case] wanted: &str) {
    let layers = [
        Layer::new().file("etc/old", 0o644, "old\n").file("etc/sub/file", 0o644, "x"),
        ["rm", "mv", "mkdir", "chmod", "stat", "ln", "cp"]
            .into_iter()
            .fold(Layer::new(), |layer, name| layer.symlink(format!("bin/{name}"), "busybox")),
    ];
    let examined = Examined::of(image("linux/amd64", layers).user("1000:1000"));
    let freedom = Freedom { writable: true, ..Freedom::default() };
    let ran = examined.run(&freedom, &[shell(script)]).unwrap();
    assert_eq!((output(&ran.ended[0]), &ran.ended[0].exit), (wanted, &Exit::Code(0)), "{ran:?}");
    // The layers in the store are as they were.
    let ran = examined.run(&freedom, &[shell("cat /etc/old /etc/sub/file; ls /etc")]).unwrap();
    assert_eq!(outputs(&ran), ["old\nxold\nsub\n"]);
}

#[test]
fn what_is_written_is_bounded() {
    let examined = Examined::of(image("linux/amd64", []));
    let freedom = Freedom { writable: true, ..Freedom::default() };
    let commands = [shell("dd if=/dev/zero of=/x bs=1M count=20"), fresh("dd if=/dev/zero of=/x bs=1M count=5")];
    let task = Task { freedom: &freedom, ..examined.task(&commands) };
    let limits = Limits { root: 10 << 20, ..Limits::default() };
    let ran = examined.sandbox.run(&Task { limits, ..task }).unwrap();
    assert!(String::from_utf8_lossy(&ran.ended[0].stderr.bytes).contains("No space left"), "{ran:?}");
    assert_eq!(ran.ended[1].exit, Exit::Code(0), "{ran:?}");
}

#[test]
fn what_only_an_engine_gives_is_refused_with_its_reason() {
    let examined = Examined::of(image("linux/amd64", []));
    let freedom = Freedom { network: true, writable: true, ..Freedom::default() };
    let error = examined.run(&freedom, &[shell("true")]).unwrap_err();
    assert_eq!(error.why, "the sandbox has no network, which was asked for");
    assert!(error.hint.contains("--run docker"), "{error:?}");
}
