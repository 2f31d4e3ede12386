//! Every architecture's probe in an empty root: what this host runs in a container, and what in a sandbox.
//!
//! To make a sandbox costs as much as to start an emulator, so one of them proves several architectures, one after the
//! other, and there are as many as there are processors.

use super::command::program;
use super::emulator::Emulator;
use super::{Running, Sandbox, c_string, forbidden, handler, machine, prepared_file, user};
use crate::image::parallel::in_parallel;
use crate::platform::{Architecture, Platform};
use crate::probe;
use crate::run::{Cpu, Ended, Limits, NotReady, Offer, Runner as _};
use std::time::Duration;

/// How long one probe may take: it makes four system calls, and this machine may be under load.
const TIMEOUT: Duration = Duration::from_secs(10);

/// An architecture whose emulator is known.
struct Candidate {
    row: &'static Architecture,
    /// `None` for the host's own processor.
    emulator: Option<Emulator>,
    /// What is offered where it runs.
    offer: Offer,
}

impl Sandbox {
    /// Runs the probe of each architecture in an empty root, under this name, with no handlers but the host's.
    ///
    /// There is nothing in that root but the probes, so a handler that does not hold its emulator open (flag `F`), or
    /// whose emulator needs a loader, fails there as it does in a container.
    ///
    /// A result for each architecture: what became of its probe, or an error where there is none, or the host allows no
    /// namespaces.
    pub fn under_host_handlers(&self, rows: &[&'static Architecture], name: &str) -> Vec<Result<Ended, NotReady>> {
        self.in_empty_roots(None, rows, name)
    }

    /// What [`offer`](crate::run::Runner::offer) says of each architecture's platform, proved for many of them at once.
    ///
    /// An emulator that ran its probe in a sandbox since this kernel was started is not started again: its start is all
    /// that this costs. One of them is, with all handlers registered, and the host's own processor.
    pub fn under_own_handlers(&self, rows: &[&'static Architecture]) -> Vec<Result<Offer, NotReady>> {
        let mut handlers = Vec::new();
        // What has to be asked for its version, and what is not found, is left to `offer`.
        let candidates: Vec<Option<Candidate>> = rows.iter().map(|row| self.candidate(row, &mut handlers)).collect();
        let known = |candidate: &Candidate| candidate.emulator.as_ref().is_some_and(|it| self.emulators.is_proved(it));
        let mut tried: Vec<&'static Architecture> = Vec::new();
        let mut is_one_there = false;
        for candidate in candidates.iter().flatten() {
            let skipped = known(candidate) && is_one_there;
            is_one_there |= candidate.emulator.is_some();
            if !skipped {
                tried.push(candidate.row);
            }
        }
        let ended = self.in_empty_roots(Some(&handlers), &tried, "probe");
        let ran = |row: &Architecture, ended: &Result<Ended, NotReady>| {
            ended.as_ref().is_ok_and(|ended| machine(ended, &row.platform(), None).is_ok())
        };
        let failed: Vec<&Architecture> =
            tried.iter().zip(&ended).filter(|(row, ended)| !ran(row, ended)).map(|(row, _)| *row).collect();
        let one = |(row, candidate): (&&'static Architecture, Option<Candidate>)| {
            let Some(candidate) = candidate else { return self.offer(&row.platform(), Cpu::Max) };
            let was_tried = tried.contains(row);
            // Where one fails, it may be the sandbox that cannot be had, and what is known of others says nothing.
            if failed.contains(row) || !was_tried && !failed.is_empty() {
                return self.offer(&row.platform(), Cpu::Max);
            }
            if let Some(emulator) = candidate.emulator.as_ref().filter(|_| was_tried) {
                self.emulators.remember_proof(emulator);
            }
            Ok(candidate.offer)
        };
        rows.iter().zip(candidates).map(one).collect()
    }

    /// What an architecture would run by; its emulator's handler is added. `None` where that is not known yet.
    fn candidate(&self, row: &'static Architecture, handlers: &mut Vec<Vec<u8>>) -> Option<Candidate> {
        if Platform::host().row().is_some_and(|host| host.executes(row)) {
            return Some(Candidate { row, emulator: None, offer: Offer { emulator: None } });
        }
        let found = self.emulators.find(row).ok()?;
        let version = self.emulators.version(&found)?;
        handlers.extend(handler::emulate(row, &found.interpreter));
        let offer = Offer { emulator: Some(format!("{version} from {}", found.origin)) };
        Some(Candidate { row, emulator: Some(found), offer })
    }

    /// Runs the probes, in as many sandboxes as there are processors.
    fn in_empty_roots(
        &self,
        handlers: Option<&Vec<Vec<u8>>>,
        rows: &[&'static Architecture],
        name: &str,
    ) -> Vec<Result<Ended, NotReady>> {
        let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let parts: Vec<&[&'static Architecture]> = rows.chunks(rows.len().div_ceil(jobs).max(1)).collect();
        let done = in_parallel(&parts, jobs, |rows| self.in_empty_root(handlers, rows, name));
        done.into_iter().flatten().collect()
    }

    fn in_empty_root(
        &self,
        handlers: Option<&Vec<Vec<u8>>>,
        rows: &[&'static Architecture],
        name: &str,
    ) -> Vec<Result<Ended, NotReady>> {
        let limits = Limits::default();
        let started = || {
            let mut files = Vec::new();
            let mut commands = Vec::new();
            for row in rows {
                let path = format!("/dev/mpcheck/{}", row.name);
                let bytes = probe::probe(row).unwrap_or_default();
                files.push(prepared_file(&path, bytes)?);
                commands.push(program(&path, name)?);
            }
            let root = ["skeleton", "empty"].map(String::from).to_vec();
            let who = user::User { user: 0, group: 0, home: "/".to_owned() };
            let prepared = self.prepared(&root, &who, handlers.cloned(), files, c_string(b"/")?, commands, limits)?;
            Running::start(&prepared, self.host).map_err(|broken| forbidden::why(&broken))
        };
        let running = match started() {
            Ok(running) => running,
            Err(why) => return rows.iter().map(|_| Err(why.clone())).collect(),
        };
        let run = |(index, row): (usize, &&'static Architecture)| {
            if probe::probe(row).is_none() {
                return Err(NotReady::new(format!("mpcheck has no probe for {}", row.name), ""));
            }
            running.run(index, TIMEOUT, &limits).map_err(|broken| forbidden::why(&broken))
        };
        rows.iter().enumerate().map(run).collect()
    }
}
