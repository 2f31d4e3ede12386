//! An empty root under the host's own handlers: what a container's programs meet on this host.

use super::{DEFAULT_PATH, PROBE, PROBE_TIMEOUT, Running, Sandbox, c_string, forbidden, prepared_command, user};
use crate::platform::Architecture;
use crate::probe;
use crate::run::{Ended, Limits, NotReady};

impl Sandbox {
    /// Runs the probe of an architecture in an empty root, with no handlers but the host's.
    ///
    /// There is nothing in that root but the probe, so a handler that does not hold its emulator open (flag `F`), or
    /// whose emulator needs a loader, fails there as it does in a container.
    ///
    /// # Errors
    /// When there is no probe, or the host allows no namespaces. What became of the probe is no error.
    pub fn under_host_handlers(&self, row: &Architecture) -> Result<Ended, NotReady> {
        let program =
            probe::probe(row).ok_or_else(|| NotReady::new(format!("mpcheck has no probe for {}", row.name), ""))?;
        let root = ["skeleton", "empty"].map(String::from).to_vec();
        let who = user::User { user: 0, group: 0, home: "/".to_owned() };
        let limits = Limits::default();
        let commands = vec![prepared_command(&[PROBE], &[], DEFAULT_PATH)?];
        let prepared = self.prepared(&root, &who, None, program, c_string(b"/")?, commands, limits)?;
        let running = Running::start(&prepared, self.host).map_err(|broken| forbidden::why(&broken))?;
        running.run(0, PROBE_TIMEOUT, &limits).map_err(|broken| forbidden::why(&broken))
    }
}
