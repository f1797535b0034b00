//! Requests a replacement worker from a running supervisor and waits for it: `heapbeat recycle`.
//!
//! A supervisor is found through its workers, whose environment contains its process id. No file is needed that could be stale or
//! belong to another user.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::family::MARKER;
use super::machine::WorkerNumber;
use super::process::WORKER;

/// Time for the replacement worker to start.
const START_TIME: Duration = Duration::from_secs(5);

/// Time for the replacement worker to take over and for the old one to exit.
const TAKEOVER_TIME: Duration = Duration::from_secs(90);

/// Time between two polls.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Why the recycle failed.
#[derive(Debug, thiserror::Error)]
pub enum RecycleError {
    /// No supervisor of this user was found.
    #[error("no supervised server of this user is running; name its process with --pid")]
    NoSupervisor,
    /// The process guards another program.
    #[error(
        "process {0} guards a program with `heapbeat run`, which SIGUSR2 asks for a replacement: kill -USR2 {0}; its log says what follows"
    )]
    GuardsProgram(u32),
    /// There are several supervisors.
    #[error("several supervised servers are running (process ids {0}); choose one with --pid")]
    SeveralSupervisors(String),
    /// The process has no workers.
    #[error("process {0} is no supervisor of this user")]
    NotASupervisor(u32),
    /// The signal could not be sent.
    #[error("cannot send a signal to process {0}: {1}")]
    Signal(u32, #[source] io::Error),
    /// The supervisor did not start a worker.
    #[error("process {0} did not start a replacement worker; see its log")]
    Refused(u32),
    /// The replacement worker exited.
    #[error(
        "the replacement worker did not get ready and the old one keeps serving; see the log of process {0}"
    )]
    Failed(u32),
    /// The old worker did not exit in time.
    #[error("the old worker of process {0} did not exit within {1:?}; see its log")]
    TimedOut(u32, Duration),
}

/// Requests a recycle from the supervisor `pid`, or from the only one that runs. Returns its process id and the time until the old
/// worker exited.
pub fn request_recycle(pid: Option<u32>) -> Result<(u32, Duration), RecycleError> {
    let all = workers();
    let supervisor = match (pid, all.len()) {
        (Some(pid), _) if all.contains_key(&pid) => pid,
        (Some(pid), _) if guards().contains(&pid) => return Err(RecycleError::GuardsProgram(pid)),
        (Some(pid), _) => return Err(RecycleError::NotASupervisor(pid)),
        (None, 0) => {
            return Err(guards()
                .first()
                .map_or(RecycleError::NoSupervisor, |pid| RecycleError::GuardsProgram(*pid)));
        }
        (None, 1) => *all.keys().next().ok_or(RecycleError::NoSupervisor)?,
        (None, _) => {
            let names: Vec<String> = all.keys().map(u32::to_string).collect();
            return Err(RecycleError::SeveralSupervisors(names.join(", ")));
        }
    };
    let before = all.get(&supervisor).and_then(|numbers| numbers.iter().max()).copied().unwrap_or(0);
    let begun = Instant::now();
    send_signal(supervisor).map_err(|error| RecycleError::Signal(supervisor, error))?;
    let mut appeared = false;
    loop {
        pause();
        let current = workers().remove(&supervisor).unwrap_or_default();
        let (old, new) =
            (current.iter().any(|number| *number <= before), current.iter().any(|number| *number > before));
        appeared |= new;
        match (old, new, begun.elapsed()) {
            (false, true, took) => return Ok((supervisor, took)),
            (true, false, _) if appeared => return Err(RecycleError::Failed(supervisor)),
            (_, _, took) if !appeared && took > START_TIME => return Err(RecycleError::Refused(supervisor)),
            (_, _, took) if took > TAKEOVER_TIME => {
                return Err(RecycleError::TimedOut(supervisor, TAKEOVER_TIME));
            }
            _ => {}
        }
    }
}

fn send_signal(pid: u32) -> io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(kill_process(pid, Signal::USR2)?)
}

/// Returns the workers of each supervisor.
fn workers() -> BTreeMap<u32, Vec<WorkerNumber>> {
    let mut all = BTreeMap::<u32, Vec<WorkerNumber>>::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(environment) = fs::read(entry.path().join("environ")) else { continue };
        let Some((number, supervisor)) = parse_worker(&environment) else { continue };
        // A program that a worker has started inherits its environment, but not its parent.
        if parent(&entry.path().join("stat")) == Some(supervisor) {
            all.entry(supervisor).or_default().push(number);
        }
    }
    all
}

/// Returns the processes that guard a program with `heapbeat run`.
fn guards() -> BTreeSet<u32> {
    let mut guards = BTreeSet::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(environment) = fs::read(entry.path().join("environ")) else { continue };
        // The program's other processes inherit the environment, but not the parent.
        guards.extend(
            guard_in(&environment).filter(|guard| parent(&entry.path().join("stat")) == Some(*guard)),
        );
    }
    guards
}

/// Parses the guard of a program from the environment of one of its processes.
fn guard_in(environment: &[u8]) -> Option<u32> {
    let value = environment
        .split(|byte| *byte == 0)
        .find_map(|variable| std::str::from_utf8(variable).ok()?.strip_prefix(MARKER)?.strip_prefix('='))?;
    value.split_once('.')?.0.parse().ok()
}

/// Parses a worker's number and its supervisor from its environment.
fn parse_worker(environment: &[u8]) -> Option<(WorkerNumber, u32)> {
    let value = environment
        .split(|byte| *byte == 0)
        .find_map(|variable| std::str::from_utf8(variable).ok()?.strip_prefix(WORKER)?.strip_prefix('='))?;
    let (number, supervisor) = value.split_once(' ')?;
    Some((number.parse().ok()?, supervisor.parse().ok()?))
}

/// Returns the parent's process id, field 4 of `/proc/<pid>/stat`.
fn parent(stat: &std::path::Path) -> Option<u32> {
    let stat = fs::read_to_string(stat).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

#[expect(clippy::disallowed_methods, reason = "a command line that waits for another process")]
fn pause() {
    std::thread::sleep(POLL_INTERVAL);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_recognized_by_its_environment() {
        let cases: [(&[u8], _); 5] = [
            (b"PATH=/bin\0_HEAPBEAT_WORKER=3 4242\0X=\xff\0", Some((3, 4242))),
            (b"_HEAPBEAT_WORKER=3\0", None),
            (b"_HEAPBEAT_WORKERS=3 4\0", None),
            (b"\xff=_HEAPBEAT_WORKER=3 4\0", None),
            (b"", None),
        ];
        for (environment, expected) in cases {
            assert_eq!(parse_worker(environment), expected);
        }
    }
}
