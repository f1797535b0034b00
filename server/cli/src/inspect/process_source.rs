//! Measures any process of this machine from outside, with all processes that it has started: the kernel's figures of them and of the
//! cgroup.

use std::path::{Path, PathBuf};

use heapbeat_forecast::{Forecaster, Heap};
use heapbeat_shared::report::{Limit, System};
use heapbeat_shared::{Bytes, Sample};

use super::snapshot::{Detail, MeasuredProcess, Snapshot, update_forecast};
use super::state_file::StateFile;
use super::target::TargetError;
use heapbeat::clock::Clock;
use heapbeat::sampling::{Cgroup, Process, managed_heap, physical_memory};
use heapbeat::supervisor::process_tree;
use heapbeat::supervisor::process_tree::ProcessTable;

/// A process of this machine.
#[derive(Debug)]
pub(super) struct ProcessSource {
    pid: u32,
    directory: PathBuf,
    process: Process,
    cgroup: Option<Cgroup>,
    limit: Option<Bytes>,
    forecaster: Forecaster,
    /// The measurements of earlier runs.
    state: Option<StateFile>,
    clock: Clock,
}

impl ProcessSource {
    pub(super) fn new(pid: u32, limit: Option<Bytes>, state: Option<&Path>) -> Result<Self, TargetError> {
        let directory = PathBuf::from(format!("/proc/{pid}"));
        if let Err(error) = std::fs::read(directory.join("status")) {
            return Err(match error.kind() {
                std::io::ErrorKind::NotFound => TargetError::NoProcess(pid),
                _ => TargetError::Process { pid, error },
            });
        }
        let process = Process::at(&directory).ok_or(TargetError::NoMemory(pid))?;
        let cgroup = Cgroup::find(&directory, Path::new("/"));
        let clock = Clock::of_this_process();
        let started = std::fs::read_to_string(directory.join("stat")).ok().as_deref().and_then(Times::parse);
        let started = started.map_or_else(String::new, |times| format!("{:.2}", times.started));
        let state = state.map(|path| StateFile::open(path, pid, &started)).transpose()?;
        let forecaster = Forecaster::new();
        Ok(ProcessSource { pid, directory, process, cgroup, limit, forecaster, state, clock })
    }

    pub(super) fn measure(&mut self) -> Result<Snapshot, TargetError> {
        let memory = self.process.read().ok_or(TargetError::Exited(self.pid))?;
        let processes = self.read_tree();
        // Pages that several processes share count once in the sum of proportional set sizes.
        let total = match &*processes {
            [] => memory.rss,
            processes => Bytes(processes.iter().map(|process| process.memory.0).sum()),
        };
        let times = self.read_file("stat").as_deref().and_then(Times::parse);
        let booted = self.read_file("uptime").as_deref().and_then(seconds_since_boot);
        let cgroup = self.cgroup.as_mut().and_then(Cgroup::read);
        let limited = cgroup.and_then(|cgroup| Some((cgroup, cgroup.limit?)));
        // The limit of a cgroup applies to all memory charged to it, a given limit to the memory of the process.
        let (limit, working_set) = match (self.limit, limited) {
            (Some(bytes), _) => (Some(Limit { bytes, origin: "--limit".into() }), total),
            (None, Some((cgroup, bytes))) => {
                (Some(Limit { bytes, origin: "cgroup".into() }), cgroup.working_set())
            }
            (None, None) => (None, total),
        };
        let memory_limit = limited.map(|(_, bytes)| bytes).or_else(physical_memory);
        let managed = managed_heap(&self.directory, memory_limit);
        self.forecaster.set_runtime_max(managed.map(|heap| heap.max));
        // A state file has one figure a measurement.
        let resident = managed.and_then(|heap| heap.resident).filter(|_| self.state.is_none());
        let heap_resident = resident.unwrap_or_default();
        let at = self.clock.now().wall;
        let sample = Sample { at, rss: total, working_set, heap_resident, ..Sample::default() };
        if let Some(state) = &mut self.state {
            if self.forecaster.is_empty() {
                let bytes = limit.as_ref().map_or(Bytes(u64::MAX), |limit| limit.bytes);
                state.replay(&mut self.forecaster, bytes);
            }
            state.record(sample.at, sample.working_set)?;
        }
        let forecast = update_forecast(
            &mut self.forecaster,
            &sample,
            resident.map(Heap::managed),
            limit.as_ref().map(|limit| limit.bytes),
        );
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
        let name = self.read_file("comm").unwrap_or_default();
        let others = match processes.len() {
            0 | 1 => String::new(),
            count => format!(" and {} processes that it started", count - 1),
        };
        let target = format!("pid {} ({}){others}", self.pid, name.trim_end());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates at 0")]
        let uptime = times.zip(booted).map(|(times, booted)| (booted - times.started) as u64);
        let bare = Snapshot::bare(target, Detail::Kernel, sample, limit, forecast);
        Ok(Snapshot { uptime, system, processes, ..bare })
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
    use std::process::Command;
    use std::time::{Duration, Instant};

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

    #[test]
    fn a_process_is_measured_from_outside() {
        let pid = std::process::id();
        let snapshot = ProcessSource::new(pid, Some(Bytes::from_mb(4096)), None).unwrap().measure().unwrap();
        assert!(snapshot.target.starts_with(&format!("pid {pid} (")), "{}", snapshot.target);
        assert!(
            snapshot.sample.rss > Bytes::from_mb(1) && snapshot.sample.working_set == snapshot.sample.rss
        );
        assert!(snapshot.system.threads >= Some(1) && snapshot.system.open_files >= Some(3), "{snapshot:?}");
        assert!(snapshot.system.cpu_seconds.is_some() && snapshot.uptime < Some(3600), "{snapshot:?}");
        assert!(!snapshot.heap_known && snapshot.pressure.is_none());
    }

    #[test]
    fn processes_that_it_has_started_count_as_well() {
        let mut shell = Command::new("sh").args(["-c", "sleep 60 & sleep 60"]).spawn().unwrap();
        let mut source = ProcessSource::new(shell.id(), None, None).unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        let snapshot = loop {
            let snapshot = source.measure().unwrap();
            // The shell executes nothing else; until then its children have its name.
            if snapshot.processes.iter().filter(|process| process.name == "sleep").count() == 2 {
                break snapshot;
            }
            assert!(Instant::now() < deadline, "{:?}", snapshot.processes);
        };
        for process in &snapshot.processes {
            let _ = Command::new("kill").arg(process.pid.to_string()).status();
        }
        let _ = shell.wait();
        let expected = format!("pid {} (sh) and 2 processes that it started", shell.id());
        assert_eq!(snapshot.target, expected);
        let sum: u64 = snapshot.processes.iter().map(|process| process.memory.0).sum();
        assert_eq!((snapshot.sample.rss, snapshot.sample.working_set), (Bytes(sum), Bytes(sum)));
        assert!(source.measure().is_err(), "the target is gone");
    }

    #[test]
    fn a_later_look_knows_the_earlier_ones() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.csv");
        let measure = |pid| ProcessSource::new(pid, None, Some(&path))?.measure();
        let pid = std::process::id();
        assert_eq!(measure(pid).unwrap().forecast.observed, Duration::ZERO);
        // The clock has milliseconds.
        let deadline = Instant::now() + Duration::from_secs(30);
        while measure(pid).unwrap().forecast.observed.is_zero() {
            assert!(Instant::now() < deadline, "no later look knows the first one");
        }
        let error = measure(1).unwrap_err().to_string();
        assert!(
            error.contains(&format!("process {pid}, started")) && error.contains("not of process 1"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_process_is_an_error() {
        // Above the kernel's highest possible id, 2^22.
        let error = ProcessSource::new(4_194_305, None, None).unwrap_err();
        assert_eq!(error.to_string(), "there is no process 4194305 on this machine");
    }
}
