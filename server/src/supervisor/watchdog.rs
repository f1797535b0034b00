//! A small process beside the supervisor of a guarded program, which stops the program if the supervisor is killed.
//!
//! The kernel's parent-death signal reaches only the program itself: not the server that npm or a shell has started, which would stay on
//! its port. The watchdog reads a pipe, on which the supervisor names each program that it starts, and whose end means that the
//! supervisor is gone. It then passes on what the program still writes to standard error, as the supervisor's thread did: without a
//! reader the program would fail on its next line.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use heapbeat_shared::units::parse_duration;
use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process};

use super::family::{self, HELPER, MARKER};
use super::process_tree::ProcessTable;
use super::stderr_tail::{PipeId, write_lines};
use super::stop_delivery::StopDelivery;
use super::trim_memory;

/// Subcommand that is the watchdog.
pub const WATCHDOG: &str = "__watchdog";

/// Time between two looks at the processes that are being stopped.
const PAUSE: Duration = Duration::from_millis(100);

/// The supervisor's side: a pipe to the watchdog.
#[derive(Debug)]
pub(super) struct Watchdog(ChildStdin);

impl Watchdog {
    /// Starts the watchdog of this process.
    pub(super) fn start(signal: Signal, drain: Duration) -> io::Result<Self> {
        let guard = std::process::id();
        let mut child = Command::new(std::env::current_exe()?)
            .arg(WATCHDOG)
            .args([guard.to_string(), signal.as_raw().to_string(), format!("{}ms", drain.as_millis())])
            .env(MARKER, family::marker(guard, HELPER))
            // Signals of a terminal are for the program.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        family::note_helper(child.id());
        // The handle is not waited for: the loop reaps all children.
        child.stdin.take().map(Watchdog).ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }

    /// Names a program that was started, and the pipe from which its standard error is read.
    pub(super) fn announce(&mut self, pid: Pid, stderr: Option<PipeId>) {
        let pipe = stderr.map(|pipe| format!(" {} {}", pipe.descriptor, pipe.inode)).unwrap_or_default();
        if let Err(error) = writeln!(self.0, "{}{pipe}", pid.as_raw_nonzero()) {
            tracing::debug!("the watchdog is gone: {error}");
        }
    }
}

/// Runs as the watchdog with the arguments that the supervisor gave, until nothing is left to stop.
pub fn run_watchdog(arguments: &[String]) -> u8 {
    let [guard, signal, drain] = arguments else { return 2 };
    let signal = signal.parse().ok().and_then(Signal::from_named_raw).unwrap_or(Signal::TERM);
    let (Ok(guard), Ok(drain)) = (guard.parse(), parse_duration(drain)) else { return 2 };
    let mut programs = BTreeMap::new();
    let mut pipes = BTreeMap::new();
    for line in BufReader::new(io::stdin()).lines().map_while(Result::ok) {
        let mut words = line.split_ascii_whitespace();
        let Some(Ok(pid)) = words.next().map(str::parse::<u32>) else { continue };
        let table = ProcessTable::read();
        programs.retain(|pid, started| table.get(*pid).is_some_and(|entry| entry.started == *started));
        pipes.retain(|pid, _| programs.contains_key(pid));
        programs.extend(table.get(pid).map(|entry| (pid, entry.started)));
        let pipe = (words.next().map(str::parse), words.next().map(str::parse));
        if let (Some(Ok(descriptor)), Some(Ok(inode))) = pipe {
            pipes.extend(open_pipe(guard, PipeId { descriptor, inode }).map(|pipe| (pid, pipe)));
        }
        // It has nothing to do for a long time now.
        trim_memory::release_clean_pages();
    }
    stop_all(guard, &programs, pipes.into_values().collect(), signal, drain);
    0
}

/// Opens the reading end of a pipe of the supervisor.
fn open_pipe(guard: u32, id: PipeId) -> Option<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).ok()?;
    let path = format!("/proc/{guard}/fd/{}", id.descriptor);
    let pipe = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    // The number may belong to something else by now.
    rustix::fs::fstat(&pipe).is_ok_and(|stat| stat.st_ino == id.inode).then_some(pipe)
}

/// Passes on what can be read from the pipes.
fn pass_on(pipes: &mut Vec<File>, output: &OwnedFd) {
    let mut chunk = vec![0; 4096];
    pipes.retain_mut(|pipe| {
        loop {
            match pipe.read(&mut chunk) {
                Ok(0) => return false,
                Ok(count) => drop(write_lines(output, &chunk[..count])),
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
    });
}

/// Stops everything that the supervisor has left behind: by the signal, and after the drain time by SIGKILL.
fn stop_all(
    guard: u32,
    programs: &BTreeMap<u32, u64>,
    mut pipes: Vec<File>,
    signal: Signal,
    drain: Duration,
) {
    let output = io::stderr().as_fd().try_clone_to_owned();
    let mut delivery = StopDelivery::new(signal);
    for (pid, started) in programs {
        // The kernel has sent it, as the parent is gone.
        delivery.note_delivered(*pid, *started);
    }
    let begun = Instant::now();
    loop {
        let table = ProcessTable::read();
        let left = left_behind(&table, guard, programs);
        if let Ok(output) = &output {
            pass_on(&mut pipes, output);
        }
        if left.is_empty() {
            return;
        }
        let elapsed = begun.elapsed();
        if elapsed < drain {
            delivery.deliver(&table, &left, elapsed > drain / 2);
        } else {
            for pid in left.iter().filter_map(|pid| Pid::from_raw(i32::try_from(*pid).ok()?)) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        #[expect(clippy::disallowed_methods, reason = "a process that has nothing else to do")]
        std::thread::sleep(PAUSE);
    }
}

/// Returns the processes of the programs of this supervisor.
fn left_behind(table: &ProcessTable, guard: u32, programs: &BTreeMap<u32, u64>) -> Vec<u32> {
    let is_program =
        |pid: u32| table.get(pid).is_some_and(|entry| programs.get(&pid) == Some(&entry.started));
    let belongs = |pid: u32, group: u32| {
        // A group has the id of the program that founded it, also after that program has exited.
        is_program(pid)
            || programs.contains_key(&group) && (is_program(group) || table.get(group).is_none())
            || family::read_marker(pid, guard).is_some()
    };
    // Everything that has the supervisor's marker but the watchdog itself, whatever it calls itself.
    let own = std::process::id();
    let others = table.iter().filter(|(pid, _)| *pid != own);
    let roots = others.filter(|(pid, entry)| belongs(*pid, entry.group)).map(|(pid, _)| pid);
    table.descendants(roots)
}
