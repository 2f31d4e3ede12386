//! What was there before and does not do, or is nobody's business.

use super::{AS_IT_IS, Place, line, register};
use mpcheck::platform::{Architecture, Platform};
use mpcheck::probe::probe;
use rstest::rstest;
use std::fs;

const QEMU: &str = "/usr/bin/qemu-s390x-static";

/// `name` is that of the entry; afterwards the platform runs by an entry `qemu-s390x`, whose predecessor is gone.
#[rstest]
#[case::no_fix_binary(register(&line("s390x", "qemu-s390x", QEMU, "POC", AS_IT_IS)), "in place of qemu-s390x: it has no flag F")]
#[case::too_strict(
    register(&line("s390x", "qemu-s390x", QEMU, "POCF", |mask| mask[7] = 0xff)),
    "in place of qemu-s390x: its mask does not take"
)]
#[case::dynamic(register(&line("s390x", "qemu-s390x", "/bin/false", "POCF", AS_IT_IS)), "its emulator is dynamically linked")]
#[case::gone(register(&line("s390x", "qemu-s390x", "/nowhere/qemu", "POC", AS_IT_IS)), "it has no flag F")]
#[case::a_script(
    format!("printf '#!/bin/sh\\nexit 0\\n' > e; chmod +x e; {}",
        register(&line("s390x", "qemu-s390x", "'$PWD'/e", "POCF", AS_IT_IS))),
    "its emulator does not run programs"
)]
#[case::switched_off(
    format!("{}; echo 0 > $R/qemu-s390x", register(&line("s390x", "qemu-s390x", QEMU, "POCF", AS_IT_IS))),
    "✓ switched on"
)]
#[case::all_switched_off(
    format!("{}; echo 0 > $R/status", register(&line("s390x", "qemu-s390x", QEMU, "POCF", AS_IT_IS))),
    "✓ switched on"
)]
#[case::not_mounted("mount -t tmpfs none $R".to_owned(), "✓ installed")]
#[case::another_machines_emulator(
    register(&line("s390x", "qemu-s390x", "/usr/bin/qemu-ppc64le-static", "POCF", AS_IT_IS)),
    "its emulator does not run programs"
)]
fn what_does_not_do_is_mended(#[case] before: String, #[case] told: &str) {
    let ended = Place::new().in_namespace(&format!(
        "{before}; $M host install s390x || exit; $M host install s390x || exit; cat $R/qemu-s390x; ls $R"
    ));
    let again = "linux/s390x ✓ already there, qemu-s390x ";
    ended.says(0, &[told, again, "\nenabled\ninterpreter /usr/bin/qemu-s390x-static\nflags: POCF\n"]);
    assert!(ended.stdout.ends_with("\nqemu-s390x\nregister\nstatus\n"), "{ended:#?}");
}

/// What somebody registered under another name is switched off, and there for whoever made it.
#[test]
fn an_emulator_of_another_name_is_switched_off() {
    let other = line("s390x", "s390x-of-somebody", QEMU, "POC", AS_IT_IS);
    let ended = Place::new().in_namespace(&format!(
        "{}; $M host install s390x; head -1 $R/s390x-of-somebody $R/qemu-s390x; $M host install s390x; echo code $?",
        register(&other)
    ));
    ended.says(
        0,
        &[
            "installed in place of s390x-of-somebody: it has no flag F",
            "s390x-of-somebody <==\ndisabled",
            "qemu-s390x <==\nenabled",
            "already there",
            "code 0",
        ],
    );
}

/// An entry of another name that does is left as it is.
#[test]
fn an_emulator_of_another_name_that_runs_is_enough() {
    let other = line("s390x", "s390x-of-somebody", QEMU, "POCF", AS_IT_IS);
    let ended = Place::new().in_namespace(&format!("{}; $M host install s390x; ls $R", register(&other)));
    ended.says(0, &["linux/s390x ✓ already there"]);
    assert!(ended.stdout.ends_with("\nregister\ns390x-of-somebody\nstatus\n"), "{ended:#?}");
}

/// Scripts, wine, a script under an emulator's name: all are there afterwards as they were.
#[test]
fn entries_that_are_no_emulators_are_left_alone() {
    let others = "printf %s ':python:E::py::/usr/bin/python3:' > $R/register
                  printf %s ':wine:M::MZ::/usr/bin/wine:' > $R/register
                  printf %s ':jar:M::PK\\x03\\x04::/usr/bin/jexec:' > $R/register
                  printf %s ':qemu-s390x:E::s390::/usr/bin/true:P' > $R/register";
    let ended = Place::new().in_namespace(&format!(
        "{others}; before=$(cat $R/{{python,wine,jar,qemu-s390x}}); $M host install s390x; echo code $?; ls $R
         $M host uninstall all --quiet; [ \"$before\" = \"$(cat $R/{{python,wine,jar,qemu-s390x}})\" ] && echo unchanged; ls $R"
    ));
    ended.says(
        0,
        &["linux/s390x ✓ installed", "code 0", "\njar\nmpcheck-qemu-s390x\npython\n", "unchanged\njar\npython\n"],
    );
}

/// What takes the programs of all architectures stays, but for who removes all of those.
#[test]
fn an_entry_of_several_architectures_is_not_removed_for_one_of_them() {
    let wide = r"printf %s ':wide:M::\x7fELF\x02\x02\x01::/usr/bin/false:F' > $R/register";
    let ended = Place::new().in_namespace(&format!(
        "{wide}; $M host install s390x; echo code $?; $M host uninstall s390x; ls $R; $M host uninstall s390x,mips64,ppc64; ls $R"
    ));
    ended.says(0, &["linux/s390x ✓ installed in place of wide: its mask takes programs of several", "code 0"]);
    ended.complains(&["wide stays, as it takes programs of "]);
    assert!(ended.stdout.ends_with("\nregister\nstatus\n") && ended.stdout.contains("\nstatus\nwide\n"), "{ended:#?}");
}

/// Flags that it could have as well are no reason to take away what runs.
#[rstest]
#[case::no_credentials("PF", &["has no flag C"])]
#[case::no_argv0("FC", &[])]
fn what_runs_is_left_as_it_is(#[case] flags: &str, #[case] told: &[&str]) {
    let before = register(&line("s390x", "of-somebody", QEMU, flags, AS_IT_IS));
    let ended = Place::new().in_namespace(&format!("{before}; $M host install s390x; head -3 $R/of-somebody; ls $R"));
    ended.says(0, &["✓ already there", "\nenabled\n"]).complains(told);
    assert!(ended.stdout.ends_with("\nof-somebody\nregister\nstatus\n"), "{ended:#?}");
}

/// What there was runs again where its successor does not: one that is switched on, and one that is registered.
#[test]
fn what_was_there_is_put_back() {
    let place = Place::new();
    let mut crashing = probe(host()).unwrap();
    // e_entry of 64-bit programs: nothing is mapped there.
    crashing[24..32].fill(0);
    place.program("own/broken", &crashing);
    let wide = |mask: &mut [u8; 20]| mask[7] = 0xff;
    let before = [
        register(&line("s390x", "qemu-s390x", "'$PWD'/broken", "POCF", AS_IT_IS)),
        "echo 0 > $R/qemu-s390x".to_owned(),
        register(&line("s390x", "of-somebody", QEMU, "PF", wide)),
    ];
    // The broken one is tried, and then the host's own emulator.
    let ended = place.in_namespace(&format!("{}; $M host install s390x; ls $R", before.join("; ")));
    ended.says(0, &["✓ installed in place of "]);
    // And where the host has none that runs programs, all is as it was.
    let place = Place::new();
    place.program("bin/qemu-s390x-static", &fs::read("/usr/bin/qemu-ppc64le-static").unwrap());
    let before = register(&line("s390x", "qemu-s390x", QEMU, "PF", wide));
    let ended = place.in_namespace(&format!(
        "{before}; PATH=$PWD/../bin:$PATH; $M host install s390x --quiet; cat $R/qemu-s390x; $M host --format json >j
         grep -A3 '\"platform\": \"linux/s390x\"' j"
    ));
    assert!(ended.stdout.contains(&format!("\nenabled\ninterpreter {QEMU}\nflags: PF\n")), "{ended:#?}");
    assert!(ended.stdout.contains("\"status\": \"emulated\""), "{ended:#?}");
}

/// An emulator that hangs, is none, or one of another machine is found out before anything is changed.
#[rstest]
#[case::hanging(waiter(), 3, "does not end when it is asked for its version")]
#[case::none(probe(host()).unwrap(), 3, "does not say its version")]
#[case::of_another_machine(
    fs::read("/usr/bin/qemu-ppc64le-static").unwrap(), 3, "does not run programs: the probe for linux/s390x exited with "
)]
fn a_bad_emulator_is_not_left_behind(#[case] emulator: Vec<u8>, #[case] code: i32, #[case] told: &str) {
    let place = Place::new();
    place.program("bin/qemu-s390x-static", &emulator);
    let other = register(&line("s390x", "of-somebody", QEMU, "POC", AS_IT_IS));
    let ended = place.in_namespace(&format!(
        "{other}; PATH=$PWD/../bin:$PATH; $M host install s390x --persist --quiet; code=$?; head -1 $R/of-somebody
         ls $R /etc/binfmt.d; exit $code"
    ));
    ended.says(code, &[told]);
    assert!(
        ended
            .stdout
            .ends_with("\nenabled\n/etc/binfmt.d:\n\n/proc/sys/fs/binfmt_misc:\nof-somebody\nregister\nstatus\n"),
        "{ended:#?}"
    );
}

/// A handler under which programs hang is waited for once, and replaced.
#[test]
fn a_hanging_handler_is_replaced() {
    let place = Place::new();
    place.program("own/waiter", &waiter());
    let hanging = register(&line("s390x", "qemu-s390x", "'$PWD'/waiter", "POCF", AS_IT_IS));
    let ended = place.in_namespace(&format!("{hanging}; $M host install s390x"));
    ended.says(0, &["installed in place of qemu-s390x: its emulator does not run programs"]);
}

fn host() -> &'static Architecture {
    Platform::host().row().unwrap()
}

fn waiter() -> Vec<u8> {
    mpcheck::probe::waiter(host(), 1000).unwrap()
}

#[test]
fn the_hosts_own_architecture_is_refused() {
    let own = Platform::host().architecture().to_owned();
    let ended = Place::new().in_namespace(&format!("$M host install arm64,{own}; code=$?; ls $R; exit $code"));
    ended.says(2, &["register\nstatus\n"]).complains(&["this machine's own", "many times slower"]);
    assert!(!ended.stdout.contains("qemu"), "{ended:#?}");
    // One that is there is removed by its name. It takes programs at a fixed address, which those that are used here are not.
    let there = line(&own, "native-of-somebody", "/usr/bin/true", "POCF", |mask| mask[16] = 0xff);
    let ended = Place::new().in_namespace(&format!(
        "{}; $M host uninstall all --quiet; ls $R; $M host uninstall {own}; ls $R",
        register(&there)
    ));
    ended.says(0, &["native-of-somebody\n", "✓ removed"]);
    assert!(ended.stdout.ends_with("✓ removed\nregister\nstatus\n"), "{ended:#?}");
}
