//! mpcheck itself in a container: sandboxes where that allows user namespaces, and Docker where it does not.

use super::leaving::unique;
use super::*;
use crate::parts::{EngineImage, classic, docker, done, script};

/// mpcheck and what it needs, in a container of Debian's userland with these options; its exit code and all it said.
fn inside_a_container(run: &str, options: &[&str]) -> (i32, String) {
    let socket = classic();
    let image = EngineImage::named(&socket, &format!("mpcheck-sandbox-{}:1", unique()));
    done(script("load.sh").args([&socket]).arg(real_image("userland")).args([&image.name, "linux/amd64"]));
    let directory = tempfile::tempdir().unwrap();
    let m = directory.path().join("m");
    std::fs::create_dir(&m).unwrap();
    std::fs::set_permissions(&m, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_mpcheck"), m.join("mpcheck")).unwrap();
    std::fs::copy(qemu_aarch64(), m.join("qemu-aarch64-static")).unwrap();
    done(Command::new("cp").arg("-a").arg(real_image("busybox")).arg(m.join("busybox")));
    let container = done(
        docker(&socket)
            .args(["create", "--network", "none", "--env", "HOME=/tmp", "--env", "PATH=/m:/bin"])
            .args(options)
            .arg(&image.name)
            .args(["/m/mpcheck", "/m/busybox", "--run", run, "--require-run"])
            .args(["--platform", "linux/amd64,linux/arm64", "--command", "cat /proc/self/status"]),
    );
    let container = container.trim();
    done(docker(&socket).arg("cp").arg(&m).arg(format!("{container}:/")));
    let output = docker(&socket).args(["start", "--attach", container]).output().unwrap();
    done(docker(&socket).args(["rm", "--force", container]));
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.code().unwrap_or(-1), said)
}

#[rstest]
// The engine masks parts of /proc, so that no fresh one may be mounted: the sandbox takes the container's.
#[case::root(&[])]
#[case::a_user(&["--user", "1000"])]
#[case::the_whole_proc(&["--security-opt", "systempaths=unconfined"])]
fn a_container_that_allows_user_namespaces_can_have_sandboxes(#[case] options: &[&str]) {
    let allowed = ["--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"];
    let (code, said) = inside_a_container("sandbox", &[&allowed, options].concat());
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("aarch64"), "{said}");
}

#[test]
fn a_container_that_forbids_user_namespaces_is_said_to_do_so() {
    let (code, said) = inside_a_container("sandbox", &[]);
    assert_eq!(code, 3, "{said}");
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("user namespaces are forbidden by the container that mpcheck runs in"), "{said}");
    assert!(said.contains("--security-opt seccomp=unconfined"), "{said}");
}

#[test]
fn docker_is_taken_where_there_is_no_sandbox_and_the_report_says_why() {
    // Where the engine's own socket is, as it sees its files.
    let (code, said) = inside_a_container("auto", &["--volume", "/run/engine/docker.sock:/var/run/docker.sock"]);
    assert_eq!(code, 0, "{said}");
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("ran in Docker under qemu"), "{said}");
    assert!(said.contains("the sandbox does not do here: user namespaces are forbidden"), "{said}");
}
