//! `--listen`: notices that the program has not got the socket that was passed to it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Supervisor;
use crate::supervisor::listening::has_socket;
use crate::supervisor::machine::WorkerNumber;

/// Age of an instance at which its processes have started what they start.
const SETTLED: Duration = Duration::from_secs(5);

/// Starters that close the descriptors that they inherit, so that the server below them gets no socket.
const CLOSING_STARTERS: [&str; 4] = ["npm", "npx", "pnpm", "yarn"];

/// Warns if the command starts its program without the sockets that it inherits.
pub(in crate::supervisor) fn warn_of_closing_starter(command: &OsStr) {
    let name = Path::new(command).file_name().unwrap_or(command).to_string_lossy();
    if CLOSING_STARTERS.contains(&&*name) {
        tracing::warn!(
            "{name} closes the socket of --listen before it starts the program, whose `listen` then fails (EINVAL in Node); start the \
             program directly (node server.js), or leave --listen away: the front replaces it without a gap as well"
        );
    }
}

impl Supervisor {
    /// Warns once if no process of a program has the socket that was passed to it.
    pub(super) fn check_passed_socket(&mut self, families: &BTreeMap<WorkerNumber, Vec<u32>>, now: Instant) {
        let Some(listener) = self.listeners.first().filter(|_| !self.passed_socket_checked) else { return };
        let settled = self.live.iter().find(|live| now.duration_since(live.since) >= SETTLED);
        let Some(family) = settled.and_then(|live| families.get(&live.number)) else { return };
        let Ok(status) = rustix::fs::fstat(listener.as_fd()) else { return };
        self.passed_socket_checked = true;
        if !has_socket(family, status.st_ino) {
            tracing::warn!(
                "no process of the program has the socket of --listen (descriptor 3, LISTEN_FDS=1), so nobody answers there: the \
                 program, or what starts it, has closed it; leave --listen away to have requests forwarded instead"
            );
        }
    }
}
