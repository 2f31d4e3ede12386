//! What is read again, and what is not.

use super::{Machine, broken, found, good};
use mpcheck_kit::store::Forged;
use serde_json::Value;
use std::path::PathBuf;

/// How each layer was come by, in the order of the report.
fn ways(report: &Value) -> Vec<String> {
    let timings = report["timings"].as_array().unwrap().iter();
    timings.filter_map(|timing| Some(timing["how"].as_str()?.to_owned())).collect()
}

fn blob(machine: &Machine, digest: &str) -> PathBuf {
    machine.path("image/blobs").join(digest.replacen(':', "/", 1))
}

fn layers(forged: &Forged) -> Vec<String> {
    ["linux/amd64", "linux/arm64"].iter().flat_map(|platform| forged.layers_of(platform)).collect()
}

/// Puts other bytes of the same number in place of every layer.
fn spoil(machine: &Machine, forged: &Forged) {
    for digest in layers(forged) {
        let path = blob(machine, &digest);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(path, vec![0x55; bytes.len()]).unwrap();
    }
}

#[test]
fn a_second_run_reads_no_layer() {
    let machine = Machine::with(&broken());
    let first = machine.report(&["image", "--verbose"]);
    // Both platforms have one of the three.
    assert_eq!(ways(&first), ["read"; 3]);
    let second = machine.report(&["image", "--verbose"]);
    assert_eq!(ways(&second), ["from the cache"; 3]);
    assert_eq!(second["findings"], first["findings"]);
    assert_eq!(second["images"], first["images"]);
}

#[test]
fn what_changed_at_its_place_is_read_again_and_found() {
    let machine = Machine::with(&good());
    machine.run(&["image"]).says(0, &[]);
    // Other bytes of the same number, under the names that the cache knows.
    spoil(&machine, &good());
    let report = machine.report(&["image"]);
    assert_eq!(found(&report).len(), 4, "{report:#}");
    assert!(found(&report).iter().all(|[rule, ..]| rule == "blob/digest-mismatch"), "{report:#}");
}

#[test]
fn without_the_cache_everything_is_read() {
    let machine = Machine::with(&good());
    machine.run(&["image"]).says(0, &[]);
    spoil(&machine, &good());
    let report = machine.report(&["image", "--no-cache"]);
    assert_eq!(found(&report).len(), 4, "{report:#}");
    assert!(found(&report).iter().all(|[rule, ..]| rule == "blob/digest-mismatch"), "{report:#}");
}

#[test]
fn no_cache_keeps_nothing() {
    let machine = Machine::with(&good());
    machine.run(&["image", "--no-cache"]).says(0, &[]);
    assert_eq!(ways(&machine.report(&["image", "--verbose"])), ["read"; 4]);
}

#[test]
fn a_blob_that_is_gone_is_missed_all_the_same() {
    let machine = Machine::with(&good());
    machine.run(&["image"]).says(0, &[]);
    let digest = good().layers_of("linux/arm64").remove(1);
    std::fs::remove_file(blob(&machine, &digest)).unwrap();
    let report = machine.report(&["image"]);
    assert_eq!(found(&report), [["blob/missing", "linux/arm64", ""].map(str::to_owned)]);
}

#[test]
fn broken_layers_are_not_kept() {
    let digest = good().layers_of("linux/arm64").remove(1);
    let machine = Machine::with(&good().corrupt_blob(&digest));
    machine.run(&["image"]).says(1, &["blob/digest-mismatch"]);
    machine.run(&["image"]).says(1, &["blob/digest-mismatch"]);
    // Repaired, it is read and found whole.
    std::fs::write(blob(&machine, &digest), &good().blobs[&digest]).unwrap();
    machine.run(&["image"]).says(0, &[]);
}

#[test]
fn the_same_layers_at_another_place_are_verified_and_not_unpacked() {
    let machine = Machine::with(&good());
    machine.run(&["image"]).says(0, &[]);
    machine.add("other", &good());
    assert_eq!(ways(&machine.report(&["other", "--verbose"])), ["verified, the rest from the cache"; 4]);
    assert_eq!(ways(&machine.report(&["other", "--verbose"])), ["from the cache"; 4]);
}

#[test]
fn limits_hold_for_what_is_in_the_cache() {
    let machine = Machine::with(&good());
    machine.run(&["image"]).says(0, &[]);
    machine.run(&["image", "--max-layer-entries", "3"]).says(1, &["layer/too-large"]);
    machine.run(&["image", "--max-layer-bytes", "1000"]).says(1, &["layer/too-large"]);
}

#[test]
fn a_damaged_cache_is_no_cache() {
    let machine = Machine::with(&broken());
    let first = machine.report(&["image"]);
    let cache = machine.path("../cache");
    let mut damaged = 0;
    let mut todo = vec![cache];
    while let Some(directory) = todo.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else {
                std::fs::write(path, "nonsense").unwrap();
                damaged += 1;
            }
        }
    }
    // What the three layers hold, that the place has them, and their locks.
    assert_eq!(damaged, 9);
    assert_eq!(machine.report(&["image"])["findings"], first["findings"]);
}

#[test]
fn a_cache_that_cannot_be_written_is_said_once_and_changes_nothing() {
    let machine = Machine::with(&good());
    let home = machine.path("a-file");
    std::fs::write(&home, "").unwrap();
    let machine = machine.variable("XDG_CACHE_HOME", home.to_str().unwrap());
    let run = machine.run(&["image"]);
    run.says(0, &["passed"]);
    assert_eq!(run.stderr.matches("cannot be written").count(), 1, "{}", run.stderr);
    assert_eq!(machine.run(&["image", "--quiet"]).stderr, "");
}

#[test]
fn without_a_home_there_is_no_cache() {
    let machine = Machine::with(&good());
    let output = machine.command(&["image"]).env_remove("HOME").env_remove("XDG_CACHE_HOME").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(ways(&machine.report(&["image", "--verbose"])), ["read"; 4]);
}
