//! What a command may ask for beyond the image's: variables, a user, a fresh container, and freedom.

use super::{Examined, classic, command, containerd, lines, old, output, random, runner};
use crate::images::Layout;
use crate::parts::real_image;
use mpcheck::run::{Command, Ended, Exit, Freedom, NotReady, Ran, Runner as _, StartError, Task};
use rstest::rstest;
use serde_json::json;
use std::fs;

/// Runs these commands of the real busybox, natively, and sees that nothing stays.
fn run(examined: &Examined, socket: &str, freedom: &Freedom, commands: &[Command]) -> Result<Ran, NotReady> {
    let ran = runner(socket).run(&Task { freedom, ..examined.task("linux/amd64", commands) });
    examined.assert_nothing_in(socket);
    ran
}

/// What becomes of one command with this freedom.
fn one(socket: &str, freedom: &Freedom, line: &str) -> Ended {
    run(&Examined::real("busybox"), socket, freedom, &lines(&[line])).unwrap().ended.remove(0)
}

fn fresh(line: &str) -> Command {
    Command { fresh: true, ..command(line) }
}

#[rstest]
fn variables_are_the_commands_own(#[values(classic(), containerd(), old())] socket: String) {
    let layout = Layout::copy_of(&real_image("busybox"));
    let mark = random();
    layout.edit(|_, _, _, config| {
        config["config"] =
            json!({ "Labels": { super::LABEL: mark }, "Env": ["PATH=/usr/bin:/bin", "A=image", "B=image"] });
    });
    let examined = Examined::at(mark, layout.directory);
    let mut commands = lines(&["sh -c echo $A/$B/$C", "sh -c echo $A/$B/$C", "sh -c echo no"]);
    let set =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    commands[0].environment = set(&[("A", "x=y z"), ("C", "")]);
    // The program is looked for in the command's own PATH.
    commands[2].environment = set(&[("PATH", "/nowhere")]);
    let ran = run(&examined, &socket, Freedom::none(), &commands).unwrap();
    assert_eq!(output(&ran.ended[0]), "x=y z/image/\n");
    assert_eq!(output(&ran.ended[1]), "image/image/\n");
    assert_eq!(ran.ended[2].exit, Exit::NotStarted(StartError::NotFound));
}

#[rstest]
fn a_task_s_user_comes_before_the_image_s(#[values(classic(), containerd(), old())] socket: String) {
    let layout = Layout::copy_of(&real_image("busybox"));
    let mark = random();
    layout
        .edit(|_, _, _, config| config["config"] = json!({ "Labels": { super::LABEL: mark }, "User": "nobody-here" }));
    let examined = Examined::at(mark, layout.directory);
    let commands = lines(&["sh -c echo $(id -u):$(id -g)"]);
    for (user, wanted) in [("1234:2345", "1234:2345\n"), ("0", "0:0\n"), ("", "0:0\n")] {
        let task = Task { user: Some(user), ..examined.task("linux/amd64", &commands) };
        let ran = runner(&socket).run(&task).unwrap();
        assert_eq!(output(&ran.ended[0]), wanted, "{user}");
    }
}

/// With a read-only root it is `/tmp` that tells.
#[rstest]
fn a_fresh_container_has_nothing_of_earlier_commands(
    #[values(classic(), containerd(), old())] socket: String,
    #[values(true, false)] writable: bool,
) {
    let layout = Layout::copy_of(&real_image("busybox"));
    let mark = random();
    // A volume goes with its container as well.
    layout.edit(|_, _, _, config| {
        config["config"] = json!({ "Labels": { super::LABEL: mark }, "Volumes": { "/data": {} } });
    });
    let examined = Examined::at(mark, layout.directory);
    let freedom = Freedom { writable, ..Freedom::default() };
    let directories = if writable { "/tmp /data /etc" } else { "/tmp" };
    let write = format!("sh -c for d in {directories}; do echo x >$d/written || exit 1; done; sleep 1000 &");
    let look = format!("sh -c for d in {directories}; do cat $d/written; done; ps | grep -c [s]leep");
    let mut commands = vec![command(&write), command(&look), fresh(&look), fresh(&write), command(&look), fresh(&look)];
    commands[0].fresh = true;
    let ran = run(&examined, &socket, &freedom, &commands).unwrap();
    let there = format!("{}1\n", "x\n".repeat(directories.split(' ').count()));
    let told: Vec<&str> = ran.ended.iter().map(output).collect();
    assert_eq!(told, ["", &there, "0\n", "", &there, "0\n"]);
}

#[rstest]
fn after_a_command_that_took_too_long_the_rest_still_runs(#[values(classic(), containerd(), old())] socket: String) {
    let examined = Examined::real("busybox");
    let mut commands = vec![command("sleep 1000"), command("echo a"), fresh("sleep 1000"), fresh("echo b")];
    commands[0].timeout = std::time::Duration::from_secs(1);
    commands[2].timeout = std::time::Duration::from_secs(1);
    let ran = run(&examined, &socket, Freedom::none(), &commands).unwrap();
    let exits: Vec<&Exit> = ran.ended.iter().map(|ended| &ended.exit).collect();
    assert_eq!(exits, [&Exit::TimedOut, &Exit::Code(0), &Exit::TimedOut, &Exit::Code(0)]);
    assert_eq!((output(&ran.ended[1]), output(&ran.ended[3])), ("a\n", "b\n"));
}

#[rstest]
fn a_network_is_the_engine_s(#[values(classic(), containerd(), old())] socket: String) {
    let look = "sh -c ls /sys/class/net";
    assert_eq!(output(&one(&socket, Freedom::none(), look)), "lo\n");
    let with = one(&socket, &Freedom { network: true, ..Freedom::default() }, look);
    assert!(output(&with).lines().any(|name| name.starts_with("eth")), "{with:?}");
}

#[rstest]
fn capabilities_are_those_that_were_asked_for(#[values(classic(), containerd(), old())] socket: String) {
    let look = "grep -E CapEff|CapBnd|NoNewPrivs /proc/self/status";
    let some = Freedom { capabilities: vec!["NET_RAW".to_owned(), "CAP_SYS_TIME".to_owned()], ..Freedom::default() };
    // Numbers 13 and 25 (linux/capability.h).
    let expected = "CapEff:\t0000000002002000\nCapBnd:\t0000000002002000\nNoNewPrivs:\t0\n";
    assert_eq!(output(&one(&socket, &some, look)), expected);
    let unknown = Freedom { capabilities: vec!["NO_SUCH".to_owned()], ..Freedom::default() };
    let error = run(&Examined::real("busybox"), &socket, &unknown, &lines(&["true"])).unwrap_err();
    assert!(error.why.contains("NO_SUCH"), "{error:?}");
}

/// Docker 20.10 gives all capabilities that the kernel has, and fails where its own process lacks one.
#[rstest]
fn a_privileged_container_may_mount(#[values(classic(), containerd())] socket: String) {
    let freedom = Freedom { privileged: true, ..Freedom::default() };
    let ended = one(&socket, &freedom, "sh -c mount -t tmpfs x /tmp && touch /tmp/x");
    assert_eq!(ended.exit, Exit::Code(0), "{ended:?}");
}

#[rstest]
fn what_is_mounted_is_there_as_it_was_asked_for(#[values(classic(), containerd(), old())] socket: String) {
    // These engines share /dev with the machine, and not /tmp.
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    fs::write(directory.path().join("given"), "by the host\n").unwrap();
    let source = directory.path().display();
    let mounts = vec![format!("{source}:/tmp"), format!("{source}:/mnt/given:ro")];
    let freedom = Freedom { mounts, ..Freedom::default() };
    let examined = Examined::real("busybox");
    let commands =
        [command("sh -c cat /mnt/given/given; echo x >/tmp/x"), fresh("sh -c cat /tmp/x; echo y >/mnt/given/y")];
    let ran = run(&examined, &socket, &freedom, &commands).unwrap();
    assert_eq!((output(&ran.ended[0]), output(&ran.ended[1])), ("by the host\n", "x\n"));
    assert_ne!(ran.ended[1].exit, Exit::Code(0));
    assert_eq!(fs::read_to_string(directory.path().join("x")).unwrap(), "x\n");
    let named = Freedom { mounts: vec!["data:/data".to_owned()], ..Freedom::default() };
    let error = run(&examined, &socket, &named, &commands).unwrap_err();
    assert!(error.why.contains("a named volume would stay"), "{error:?}");
}

#[rstest]
fn a_terminal_has_one_output(#[values(classic(), containerd(), old())] socket: String) {
    let freedom = Freedom { terminal: true, ..Freedom::default() };
    // What begins with such bytes could be taken for a frame of the engine's.
    let script = r"sh -c test -t 1 && printf '\001\000\000\000\377\377\377\377'; echo out; echo err >&2; exit 3";
    let ended = one(&socket, &freedom, script);
    assert_eq!(ended.stdout.bytes, b"\x01\0\0\0\xff\xff\xff\xffout\r\nerr\r\n");
    assert_eq!((ended.stderr.total, ended.exit), (0, Exit::Code(3)));
    let ended = one(&socket, &freedom, "/no/such/program");
    assert_eq!(ended.exit, Exit::NotStarted(StartError::NotFound));
}
