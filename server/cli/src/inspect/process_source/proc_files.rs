//! Reads a process from `/proc`, and its control group.

use std::path::{Path, PathBuf};

use heapbeat::sampling::{Cgroup, Process, managed_heap, physical_memory};
use heapbeat::supervisor::process_tree;
use heapbeat::supervisor::process_tree::ProcessTable;
use heapbeat_shared::Bytes;
use heapbeat_shared::report::System;

use super::super::snapshot::MeasuredProcess;
use super::super::target::TargetError;
use super::{ChargedMemory, ProcessReading};

/// A process of this machine.
#[derive(Debug)]
pub(super) struct ObservedProcess {
    pid: u32,
    directory: PathBuf,
    process: Process,
    cgroup: Option<Cgroup>,
}

impl ObservedProcess {
    pub(super) fn open(pid: u32) -> Result<Self, TargetError> {
        let directory = PathBuf::from(format!("/proc/{pid}"));
        if let Err(error) = std::fs::read(directory.join("status")) {
            return Err(match error.kind() {
                std::io::ErrorKind::NotFound => TargetError::NoProcess(pid),
                _ => TargetError::Process { pid, error },
            });
        }
        let process = Process::at(&directory).ok_or(TargetError::NoMemory(pid))?;
        let cgroup = Cgroup::find(&directory, Path::new("/"));
        Ok(ObservedProcess { pid, directory, process, cgroup })
    }

    /// Describes when the process started, which distinguishes it from others that get its id.
    pub(super) fn describe_start(&self) -> String {
        self.read_times().map_or_else(String::new, |times| format!("{:.2} s after boot", times.started))
    }

    /// Reads the figures; `None` if the process has exited.
    pub(super) fn read(&mut self) -> Option<ProcessReading> {
        let memory = self.process.read()?;
        let times = self.read_times();
        let booted = self.read_file("uptime").as_deref().and_then(seconds_since_boot);
        let cgroup = self.cgroup.as_mut().and_then(Cgroup::read);
        let limit = cgroup.and_then(|cgroup| cgroup.limit);
        let system = System {
            threads: Some(memory.threads.into()),
            open_files: memory.descriptors.map(Into::into).or_else(|| self.count_descriptors()),
            cpu_seconds: times.map(|times| times.cpu),
            anon: Some(memory.anon),
            file: Some(Bytes(memory.file.0.saturating_add(memory.shmem.0))),
            swap: Some(memory.swap),
            peak: Some(memory.peak),
            cgroup_usage: cgroup.map(|cgroup| cgroup.usage),
            oom_kills: cgroup.map(|cgroup| cgroup.events.oom_kill),
            ..System::default()
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates at 0")]
        let uptime = times.zip(booted).map(|(times, booted)| (booted - times.started) as u64);
        let managed = managed_heap(&self.directory, limit.or_else(physical_memory));
        Some(ProcessReading {
            name: self.read_file("comm").unwrap_or_default().trim_end().to_owned(),
            rss: memory.rss,
            processes: self.read_tree(),
            charged: cgroup
                .zip(limit)
                .map(|(cgroup, limit)| ChargedMemory { working_set: cgroup.working_set(), limit }),
            runtime_max: managed.map(|heap| heap.max),
            heap_resident: managed.and_then(|heap| heap.resident),
            uptime,
            system,
        })
    }

    fn read_times(&self) -> Option<Times> {
        Times::parse(&self.read_file("stat")?)
    }

    /// Returns the process and all that it has started, those with most memory first; none if it is alone.
    fn read_tree(&self) -> Vec<MeasuredProcess> {
        let pids = ProcessTable::read().descendants([self.pid]);
        if pids.len() < 2 {
            return Vec::new();
        }
        let measure = |pid: u32| {
            let name = std::fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
            let name = String::from_utf8_lossy(&name).trim_end().to_owned();
            MeasuredProcess { pid, name, memory: process_tree::memory(&[pid]) }
        };
        let mut processes: Vec<MeasuredProcess> = pids.into_iter().map(measure).collect();
        processes.sort_by_key(|process| std::cmp::Reverse(process.memory));
        processes
    }

    /// Reads a file of the process, or `uptime` of the machine.
    fn read_file(&self, name: &str) -> Option<String> {
        let path =
            if name == "uptime" { Path::new("/proc/uptime").into() } else { self.directory.join(name) };
        let bytes = std::fs::read(path).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Counts descriptors one by one, for kernels before 6.2; `None` for another user's process.
    fn count_descriptors(&self) -> Option<u64> {
        Some(std::fs::read_dir(self.directory.join("fd")).ok()?.count() as u64)
    }
}

/// Times of `/proc/<pid>/stat`, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Times {
    /// CPU time, user and system: fields 14 and 15.
    cpu: f64,
    /// Start, since boot: field 22.
    started: f64,
}

impl Times {
    fn parse(stat: &str) -> Option<Self> {
        Self::of_ticks(stat, rustix::param::clock_ticks_per_second())
    }

    /// Parses the file. The name in parentheses may contain anything, so the fields are counted from its end, behind which the third
    /// field begins.
    fn of_ticks(stat: &str, per_second: u64) -> Option<Self> {
        let (_, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let seconds = |field: usize| Some(fields.get(field - 3)?.parse::<f64>().ok()? / per_second as f64);
        Some(Times { cpu: seconds(14)? + seconds(15)?, started: seconds(22)? })
    }
}

fn seconds_since_boot(uptime: &str) -> Option<f64> {
    uptime.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_parsed_whatever_the_process_name() {
        let rest = "S 1 2 3 4 5 6 7 8 9 10 250 50 13 14 15 16 17 18 4200 20 21";
        for name in ["node", "a b", "a) (b", ""] {
            let times = Times::of_ticks(&format!("77 ({name}) {rest}"), 100);
            assert_eq!(times, Some(Times { cpu: 3.0, started: 42.0 }), "{name:?}");
        }
        assert_eq!(Times::of_ticks("77 (x) S 1 2", 100), None);
        assert_eq!(seconds_since_boot("350735.47 234388.90\n"), Some(350_735.47));
        assert_eq!(seconds_since_boot(""), None);
    }
}
