//! `mpcheck init`: a suite from an image, which the program then takes. What it writes of an image is tested beside
//! `harness/suite/draft.rs`.

use super::{Machine, broken, good};
use std::fs;

#[test]
fn a_suite_is_written_and_taken() {
    let machine = Machine::with(&good());
    let run = machine.run(&["init", "./image", "--run", "never", "--output", "suite.yaml"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.stdout, "");
    assert!(run.stderr.contains("wrote suite.yaml"), "{}", run.stderr);
    let text = fs::read_to_string(machine.path("suite.yaml")).unwrap();
    assert!(text.starts_with("# yaml-language-server: $schema=https://"), "{text}");
    assert!(text.contains("\nversion: 1\n") && text.contains("    exact: true\n"), "{text}");
    let listed = machine.run(&["test", "suite.yaml", "--list"]);
    assert_eq!(listed.code, 0, "{}", listed.stderr);
    assert!(listed.stdout.contains("suite/image/linux-arm64/"), "{}", listed.stdout);
    // What an image is today, it is today.
    let tested = machine.run(&["test", "suite.yaml", "--run", "never", "--quiet"]);
    assert_eq!(tested.code, 0, "{}{}", tested.stdout, tested.stderr);
}

#[test]
fn without_a_file_it_is_printed() {
    let machine = Machine::with(&good());
    let run = machine.run(&["init", "./image", "--run", "never"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("  - image: \"./image\"\n"), "{}", run.stdout);
}

#[test]
fn a_file_elsewhere_names_the_image_by_its_whole_path() {
    let machine = Machine::with(&good());
    fs::create_dir(machine.path("suites")).unwrap();
    let run = machine.run(&["init", "oci:image", "--run", "never", "--quiet", "--output", "suites/app.yaml"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let tested = machine.run(&["test", "suites", "--run", "never", "--quiet"]);
    assert_eq!(tested.code, 0, "{}{}", tested.stdout, tested.stderr);
}

#[test]
fn what_is_there_is_not_written_over() {
    let machine = Machine::with(&broken());
    fs::write(machine.path("suite.yaml"), "mine").unwrap();
    let run = machine.run(&["init", "./image", "--run", "never", "--output", "suite.yaml"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.starts_with("error: suite.yaml is there already, and is not written over\n"), "{}", run.stderr);
    assert_eq!(fs::read_to_string(machine.path("suite.yaml")).unwrap(), "mine");
}

#[test]
fn an_image_that_is_not_there_leaves_no_file() {
    let machine = Machine::with(&good());
    let run = machine.run(&["init", "oci:image:gone", "--run", "never", "--output", "suite.yaml"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(!machine.path("suite.yaml").exists());
}
