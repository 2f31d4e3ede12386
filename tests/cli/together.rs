//! Several processes at once on one image, as test runners start them: what one reads, the others find.

use super::registry::holding;
use super::{Machine, found, good};
use mpcheck_kit::fault_registry::{FaultRegistry, Reply, Request};
use mpcheck_kit::store::Forged;
use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::sync::{Condvar, Mutex, mpsc};
use std::time::Duration;

/// However slow a machine is.
const PATIENCE: Duration = Duration::from_secs(120);

const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64"];

fn digests(of: impl Fn(&str) -> Vec<String>) -> Vec<String> {
    PLATFORMS.iter().flat_map(|platform| of(platform)).collect()
}

fn layers(forged: &Forged) -> Vec<String> {
    digests(|platform| forged.layers_of(platform))
}

fn asks_for(request: &Request, digests: &[String]) -> bool {
    request.method == "GET" && digests.iter().any(|digest| request.target.ends_with(digest.as_str()))
}

fn start(machine: &Machine, registry: &FaultRegistry) -> Child {
    let mut command = machine.command(&[&format!("{}/app:1", registry.host()), "--format", "json"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// # Panics
/// Unless it ended well.
fn end(process: Child) -> serde_json::Value {
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn processes_that_start_together_read_each_layer_once() {
    const PROCESSES: usize = 6;
    let image = good();
    let (layers, configs) = (layers(&image), digests(|platform| vec![image.config_of(platform)]));
    let all = layers.clone();
    let serve = holding(image);
    let (asked, changed) = (Mutex::new(0), Condvar::new());
    // No layer is given before all processes have read the documents: each would read every layer then.
    let registry = FaultRegistry::start(move |request| {
        if asks_for(request, &configs) {
            *asked.lock().unwrap() += 1;
            changed.notify_all();
        } else if asks_for(request, &layers) {
            let missing = |asked: &mut usize| *asked < PROCESSES * configs.len();
            let waited = changed.wait_timeout_while(asked.lock().unwrap(), PATIENCE, missing).unwrap().1;
            assert!(!waited.timed_out(), "not all processes came as far");
        }
        serve(request)
    })
    .unwrap();
    let machine = Machine::new();
    let processes: Vec<Child> = (0..PROCESSES).map(|_| start(&machine, &registry)).collect();
    for process in processes {
        assert_eq!(found(&end(process)), Vec::<[String; 3]>::new());
    }
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for request in registry.requests().into_iter().filter(|request| asks_for(request, &all)) {
        *counted.entry(request.target).or_default() += 1;
    }
    assert!(!counted.is_empty() && counted.values().all(|count| *count == 1), "{counted:#?}");
}

/// The kernel takes its locks back.
#[test]
fn a_process_that_is_killed_while_it_reads_is_not_waited_for() {
    let image = good();
    let layers = layers(&image);
    let serve = holding(image);
    let (told, first) = mpsc::channel();
    let (go_on, held) = mpsc::channel::<()>();
    let held = Mutex::new(Some(held));
    let registry = FaultRegistry::start(move |request| {
        // In a statement of its own, so that the mutex is free while this one waits.
        let first = if asks_for(request, &layers) { held.lock().unwrap().take() } else { None };
        if let Some(held) = first {
            told.send(()).unwrap();
            let _ = held.recv_timeout(PATIENCE);
            return Reply::raw("");
        }
        serve(request)
    })
    .unwrap();
    let machine = Machine::new();
    let mut killed = start(&machine, &registry);
    first.recv_timeout(PATIENCE).unwrap();
    let other = start(&machine, &registry);
    killed.kill().unwrap();
    killed.wait().unwrap();
    end(other);
    drop(go_on);
}

/// Where nothing can be locked, everybody reads for themselves.
#[test]
fn a_cache_without_room_for_locks_is_used_all_the_same() {
    let machine = Machine::with(&good());
    machine.run(&["image"]).says(0, &[]);
    let locks = machine.cache().join("mpcheck/locks");
    assert!(std::fs::read_dir(&locks).unwrap().count() > 0);
    std::fs::remove_dir_all(machine.cache().join("mpcheck")).unwrap();
    std::fs::create_dir(machine.cache().join("mpcheck")).unwrap();
    std::fs::write(&locks, "no directory").unwrap();
    machine.run(&["image"]).says(0, &[]);
    let second = machine.report(&["image", "--verbose"]);
    let ways: Vec<&str> = second["timings"].as_array().unwrap().iter().filter_map(|one| one["how"].as_str()).collect();
    assert!(!ways.is_empty() && ways.iter().all(|way| *way == "from the cache"), "{ways:?}");
}
