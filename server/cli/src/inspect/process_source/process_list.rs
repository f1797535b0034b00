//! Reads a process from the system's list of processes, which has the same figures on macOS, Windows and others.
//!
//! The memory is the resident set (on Windows, the working set): pages that several processes share count in each of them.

use std::cmp::Reverse;
use std::io;

use heapbeat_shared::Bytes;
use heapbeat_shared::report::System as SystemFigures;
use sysinfo::{Pid, Process, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};

use super::super::snapshot::MeasuredProcess;
use super::super::target::TargetError;
use super::{ChargedMemory, ProcessReading};

/// A process of this machine.
#[derive(Debug)]
pub(super) struct ObservedProcess {
    pid: Pid,
    /// Seconds since 1970.
    started: u64,
    list: System,
}

impl ObservedProcess {
    pub(super) fn open(pid: u32) -> Result<Self, TargetError> {
        let mut list = System::new()
            .map_err(|error| TargetError::Process { pid, error: io::Error::other(error.to_string()) })?;
        refresh(&mut list);
        let process = list.process(Pid::from_u32(pid)).ok_or(TargetError::NoProcess(pid))?;
        if process.status() == ProcessStatus::Zombie {
            return Err(TargetError::NoMemory(pid));
        }
        if process.memory() == 0 {
            // The figures of another user's process are not shown.
            return Err(TargetError::Process { pid, error: io::ErrorKind::PermissionDenied.into() });
        }
        Ok(ObservedProcess { pid: process.pid(), started: process.start_time(), list })
    }

    /// Describes when the process started, which distinguishes it from others that get its id.
    pub(super) fn describe_start(&self) -> String {
        format!("{} s after 1970", self.started)
    }

    /// Reads the figures; `None` if the process has exited.
    pub(super) fn read(&mut self) -> Option<ProcessReading> {
        refresh(&mut self.list);
        let process = self.list.process(self.pid)?;
        if process.start_time() != self.started || process.memory() == 0 {
            return None;
        }
        let system = SystemFigures {
            cpu_seconds: Some(process.accumulated_cpu_time() as f64 / 1000.0),
            ..SystemFigures::default()
        };
        Some(ProcessReading {
            name: name_of(process),
            rss: Bytes(process.memory()),
            processes: read_tree(&self.list, process),
            charged: None::<ChargedMemory>,
            runtime_max: None,
            heap_resident: None,
            uptime: Some(process.run_time()),
            system,
        })
    }
}

/// Reads memory and CPU time of all processes.
fn refresh(list: &mut System) {
    let figures = ProcessRefreshKind::nothing().with_memory().with_cpu();
    list.refresh_processes_specifics(ProcessesToUpdate::All, true, figures);
}

fn name_of(process: &Process) -> String {
    process.name().to_string_lossy().into_owned()
}

/// Returns the process and all that it has started, those with most memory first; none if it is alone.
fn read_tree(list: &System, root: &Process) -> Vec<MeasuredProcess> {
    let mut tree = vec![root];
    let mut visited = 0;
    while let Some(&parent) = tree.get(visited) {
        visited += 1;
        // Windows keeps the id of a parent that has exited, which another process may get later.
        let children = list.processes().values().filter(|process| {
            process.parent() == Some(parent.pid())
                && process.pid() != parent.pid()
                && process.start_time() >= parent.start_time()
        });
        for child in children {
            if tree.iter().all(|process| process.pid() != child.pid()) {
                tree.push(child);
            }
        }
    }
    if tree.len() < 2 {
        return Vec::new();
    }
    let measure = |process: &&Process| MeasuredProcess {
        pid: process.pid().as_u32(),
        name: name_of(process),
        memory: Bytes(process.memory()),
    };
    let mut processes: Vec<MeasuredProcess> = tree.iter().map(measure).collect();
    processes.sort_by_key(|process| Reverse(process.memory));
    processes
}
