//! Measures any process of this machine from outside, with all processes that it has started.

use std::path::Path;

use heapbeat_forecast::{Forecaster, Heap};
use heapbeat_shared::report::{Limit, System};
use heapbeat_shared::{Bytes, Sample};

use super::snapshot::{Detail, FAST_GROWTH, GIVEN_LIMIT, MeasuredProcess, Snapshot, update_forecast};
use super::state_file::StateFile;
use super::target::TargetError;
use crate::clock::wall_time;

#[cfg(target_os = "linux")]
mod proc_files;
#[cfg(not(target_os = "linux"))]
mod process_list;

#[cfg(target_os = "linux")]
use proc_files::ObservedProcess;
#[cfg(not(target_os = "linux"))]
use process_list::ObservedProcess;

/// A process of this machine.
#[derive(Debug)]
pub(super) struct ProcessSource {
    pid: u32,
    process: ObservedProcess,
    limit: Option<Bytes>,
    forecaster: Forecaster,
    /// The measurements of earlier runs.
    state: Option<StateFile>,
}

/// What the operating system tells about a process and all that it has started.
#[derive(Debug)]
struct ProcessReading {
    /// The name of its program.
    name: String,
    /// Its resident memory, without that of others.
    rss: Bytes,
    /// The process and all that it has started, those with most memory first; none if it is alone.
    processes: Vec<MeasuredProcess>,
    /// The limit that the system sets.
    charged: Option<ChargedMemory>,
    /// The maximum of its runtime's heap.
    runtime_max: Option<Bytes>,
    /// The part of that heap that is resident.
    heap_resident: Option<Bytes>,
    /// Seconds since it started.
    uptime: Option<u64>,
    /// The other figures.
    system: System,
}

/// Memory that counts towards a limit of the system.
#[derive(Clone, Copy, Debug)]
struct ChargedMemory {
    /// All memory that is charged, also by other processes.
    working_set: Bytes,
    /// The limit.
    limit: Bytes,
}

impl ProcessSource {
    pub(super) fn new(pid: u32, limit: Option<Bytes>, state: Option<&Path>) -> Result<Self, TargetError> {
        let process = ObservedProcess::open(pid)?;
        let state = state.map(|path| StateFile::open(path, pid, &process.describe_start())).transpose()?;
        Ok(ProcessSource { pid, process, limit, forecaster: Forecaster::new(), state })
    }

    pub(super) fn measure(&mut self) -> Result<Snapshot, TargetError> {
        let reading = self.process.read().ok_or(TargetError::Exited(self.pid))?;
        let ProcessReading { name, rss, processes, charged, runtime_max, heap_resident, uptime, system } =
            reading;
        // Pages that several processes share count once in the sum of proportional set sizes, where these are known.
        let total = match &*processes {
            [] => rss,
            processes => Bytes(processes.iter().map(|process| process.memory.0).sum()),
        };
        // The limit of a cgroup applies to all memory charged to it, a given limit to the memory of the process.
        let (limit, working_set) = match (self.limit, charged) {
            (Some(bytes), _) => (Some(Limit { bytes, origin: GIVEN_LIMIT.into() }), total),
            (None, Some(ChargedMemory { working_set, limit: bytes })) => {
                (Some(Limit { bytes, origin: "cgroup".into() }), working_set)
            }
            (None, None) => (None, total),
        };
        self.forecaster.set_runtime_max(runtime_max);
        // A state file has one figure a measurement.
        let resident = heap_resident.filter(|_| self.state.is_none());
        let heap_resident = resident.unwrap_or_default();
        let sample = Sample { at: wall_time(), rss: total, working_set, heap_resident, ..Sample::default() };
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
        let others = match processes.len() {
            0 | 1 => String::new(),
            count => format!(" and {} processes that it started", count - 1),
        };
        let target = format!("pid {} ({name}){others}", self.pid);
        let reaches_limit_in =
            limit.as_ref().and_then(|limit| self.forecaster.time_to_limit_within(limit.bytes, FAST_GROWTH));
        let bare = Snapshot::bare(target, Detail::Kernel, sample, limit, forecast);
        Ok(Snapshot { uptime, system, processes, reaches_limit_in, ..bare })
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::*;

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
