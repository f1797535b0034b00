//! Asks a running supervisor for a fresh worker, and watches what becomes of it: `heapbeat recycle`.
//!
//! A supervisor is found by its workers, whose environment names it. So there is no file to be kept, to be stale or to be
//! somebody else's.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::machine::WorkerNumber;
use super::process::WORKER;

/// Time for a worker to appear that was asked for.
const START_TIME: Duration = Duration::from_secs(5);

/// Time for it to get ready and for the old one to leave.
const TAKEOVER_TIME: Duration = Duration::from_secs(90);

/// Between two looks.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Why there is no fresh worker.
#[derive(Debug, thiserror::Error)]
pub enum RecycleError {
    /// No worker of this user names a supervisor.
    #[error("no supervised server of this user runs here; --pid names one")]
    NoSupervisor,
    /// There are several.
    #[error("several supervised servers run here (process ids {0}); --pid names the one that is meant")]
    SeveralSupervisors(String),
    /// No worker names this supervisor.
    #[error("process {0} is no supervisor of this user")]
    NotASupervisor(u32),
    /// It cannot be asked.
    #[error("cannot ask process {0}: {1}")]
    Signal(u32, #[source] io::Error),
    /// It was asked, and did nothing.
    #[error("process {0} did not start a fresh worker; its log says why")]
    Refused(u32),
    /// The fresh worker ended.
    #[error("the fresh worker did not get ready and the old one stays; the log of process {0} says why")]
    Failed(u32),
    /// It takes too long to be waited for.
    #[error("the old worker of process {0} has not left within {1:?}; its log says why")]
    TimedOut(u32, Duration),
}

/// Asks the supervisor `pid`, or the only one there is. Returns its process id and how long it took until the old
/// worker had left.
pub fn request_recycle(pid: Option<u32>) -> Result<(u32, Duration), RecycleError> {
    let all = workers();
    let supervisor = match (pid, all.len()) {
        (Some(pid), _) if all.contains_key(&pid) => pid,
        (Some(pid), _) => return Err(RecycleError::NotASupervisor(pid)),
        (None, 0) => return Err(RecycleError::NoSupervisor),
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

/// The workers that can be seen, by their supervisor.
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

/// The worker's number and its supervisor, as its environment names them.
fn parse_worker(environment: &[u8]) -> Option<(WorkerNumber, u32)> {
    let value = environment
        .split(|byte| *byte == 0)
        .find_map(|variable| std::str::from_utf8(variable).ok()?.strip_prefix(WORKER)?.strip_prefix('='))?;
    let (number, supervisor) = value.split_once(' ')?;
    Some((number.parse().ok()?, supervisor.parse().ok()?))
}

/// Field 4 of `/proc/<pid>/stat`.
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
    fn a_worker_is_known_by_its_environment() {
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
