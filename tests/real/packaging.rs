//! The files of `packaging/` are valid, each to the program or the schema of whoever reads it.

use crate::parts::{done, part};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn packaging(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(file)
}

/// A program of the parts.
fn program(name: &str) -> Command {
    Command::new(Path::new(&part("MPCHECK_PARTS")).join("bin").join(name))
}

#[test]
fn units_are_valid() {
    let directory = tempfile::tempdir().unwrap();
    let mut verify = Command::new("systemd-analyze");
    verify.arg("verify");
    for unit in ["mpcheck-host.service", "mpcheck-host.timer"] {
        let text = fs::read_to_string(packaging("systemd").join(unit)).unwrap();
        // A unit whose program is not there is not valid.
        let text = text.replace("/usr/local/bin/mpcheck", env!("CARGO_BIN_EXE_mpcheck"));
        fs::write(directory.path().join(unit), text).unwrap();
        verify.arg(directory.path().join(unit));
    }
    let output = verify.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // What is wrong with units of the machine's own is said as well, and some of it does not change the exit code.
    assert!(output.status.success() && !said.contains("mpcheck-host"), "{said}");
}

#[test]
fn a_unit_with_a_mistake_is_not_valid() {
    let directory = tempfile::tempdir().unwrap();
    let unit = directory.path().join("mpcheck-host.timer");
    let text = fs::read_to_string(packaging("systemd/mpcheck-host.timer")).unwrap();
    fs::write(&unit, text.replace("OnCalendar=*-*-* 03:00", "OnCalendar=nightly")).unwrap();
    let output = Command::new("systemd-analyze").arg("verify").arg(&unit).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("calendar specification"), "{output:?}");
}

/// The words that follow `mpcheck host` in a file, as far as they are on that line.
fn commands(file: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(packaging(file)).unwrap().replace("\\\n", " ");
    let calls = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let calls = calls.filter_map(|line| line.split_once("mpcheck host --").map(|(_, rest)| format!("--{rest}")));
    let plain = |call: String| {
        let call = call.split(" 2>&1").next().unwrap().replace("$MPCHECK_HOST_OPTIONS", "--require linux/arm64");
        call.split_whitespace().map(str::to_owned).collect()
    };
    calls.map(plain).collect()
}

/// A wrong option is told before anything is looked at; what is right says that the directory is not there.
#[test]
fn their_commands_are_ones_that_mpcheck_knows() {
    let files = ["systemd/mpcheck-host.service", "cron/mpcheck-host", "github/host-health.yml"];
    for file in files {
        let commands = commands(file);
        assert_eq!(commands.len(), 1, "{file}: {commands:?}");
        let words: Vec<String> =
            commands[0].iter().map(|word| word.replace("/var/lib/mpcheck", "/nowhere/mpcheck")).collect();
        let directory = tempfile::tempdir().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_mpcheck"))
            .arg("host")
            .args(words.iter().map(|word| word.replace("=host.", "=/nowhere/host.")))
            .current_dir(directory.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains("there is no directory /nowhere"), "{file}: {said}");
    }
}

#[test]
fn the_crontab_is_valid() {
    done(Command::new("crontab").arg("-n").arg(packaging("cron/mpcheck-host")));
}

#[test]
fn the_workflow_is_valid() {
    done(
        program("check-jsonschema")
            .args(["--builtin-schema", "vendor.github-workflows"])
            .arg(packaging("github/host-health.yml")),
    );
}

#[test]
fn the_cron_job_is_valid() {
    done(program("kubernetes-validate").arg("--strict").arg(packaging("kubernetes/host-health.yaml")));
}

#[test]
fn the_alerts_are_valid_and_fire_when_they_should() {
    let directory = packaging("prometheus");
    done(program("promtool").args(["check", "rules", "mpcheck-host.rules.yml"]).current_dir(&directory));
    done(program("promtool").args(["test", "rules", "mpcheck-host.test.yml"]).current_dir(&directory));
}

/// The metrics of this machine, as Prometheus reads them, have every metric that the alerts ask for.
#[test]
fn prometheus_reads_the_metrics() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("mpcheck.prom");
    let baseline = directory.path().join("host.json");
    let json = format!("json={}", baseline.display());
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mpcheck"));
        command.args(["host", "--host", "unix:///nowhere/docker.sock", "--repeat", "2", "--interval", "1ms"]);
        command.env("XDG_CACHE_HOME", directory.path()).arg("--baseline").arg(&baseline).args(["--report", &json]);
        done(command.arg("--report").arg(format!("prometheus={}", file.display())))
    };
    run();
    run();
    let metrics = fs::read_to_string(&file).unwrap();
    done(Command::new("sh").arg("-c").arg(format!(
        "{}/bin/promtool check metrics <{}",
        part("MPCHECK_PARTS"),
        file.display()
    )));
    let alerts = fs::read_to_string(packaging("prometheus/mpcheck-host.rules.yml")).unwrap();
    let named = alerts.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    for name in named.filter(|word| word.starts_with("mpcheck_host_") && *word != "mpcheck_host_findings") {
        assert!(metrics.contains(&format!("\n{name}")), "{name} is not in\n{metrics}");
    }
    assert!(metrics.contains("\nmpcheck_host_changes 0\n"), "{metrics}");
}
