//! The signed reports of the server.

use heapbeat_edge::domain::report::verification::VerifiedReport;
use heapbeat_shared::exit::{Exit, ExitKind};
use heapbeat_shared::forecast::Assessment;
use heapbeat_shared::report::{Block, EarlierInstances, Limit, PressureState, Report, System};
use heapbeat_shared::series::Series;
use heapbeat_shared::{Bytes, InstanceId, Pressure, Sample, Status, UnixMillis};

use crate::script::{ExitPlan, START, Script, TickPlan};

/// The limit of the server's memory.
pub(crate) const MEMORY_LIMIT: Bytes = Bytes(512 << 20);

/// The exits of earlier instances that a report names.
const EARLIER: usize = 5;

/// The report of the instance that serves at a tick.
pub(crate) fn signed_report(script: &Script, tick: &TickPlan, forecast: Assessment) -> VerifiedReport {
    let (memory, now) = (Bytes::from_mb(100), UnixMillis(tick.at));
    let started = |instance: usize| {
        let ended = instance.checked_sub(1).map(|before| script.exits[before].0 + 5000);
        UnixMillis(ended.unwrap_or(START - 3_600_000))
    };
    let exit = |instance: usize| {
        let (at, kind) = script.exits[instance];
        let kind = match kind {
            ExitPlan::OutOfMemory => ExitKind::OomKill,
            ExitPlan::Crash => ExitKind::Crash,
            ExitPlan::Deploy => ExitKind::Deploy,
        };
        Exit {
            kind,
            sure: true,
            at: UnixMillis(at),
            instance: Some(InstanceId(instance as u64)),
            started: Some(started(instance)),
            ..Exit::default()
        }
    };
    let latest = Sample {
        at: now,
        rss: memory,
        heap_used: memory,
        heap_total: memory,
        heap_resident: memory,
        working_set: memory,
    };
    let uptime = u64::try_from((tick.at - started(tick.instance).0) / 1000).unwrap();
    let series = Series { first: uptime, samples: vec![latest] };
    let level = if tick.short_of_memory { Pressure::Alert } else { Pressure::Calm };
    let earlier = tick.instance.saturating_sub(EARLIER)..tick.instance.saturating_sub(1);
    let report = Report {
        status: Status::Healthy,
        memory: latest.to_health_memory(),
        uptime,
        instance: InstanceId(tick.instance as u64),
        version: "1".into(),
        started: started(tick.instance),
        now,
        limit: Limit { bytes: MEMORY_LIMIT, origin: String::new() },
        pressure: PressureState { level, since: now, shed: 0 },
        latest,
        system: System::default(),
        events: Vec::new(),
        routes: Vec::new(),
        functions: Vec::new(),
        forecast,
        samples: Block::of(&series, 0),
        unavailable_sources: Vec::new(),
        previous_exit: tick.instance.checked_sub(1).map(exit),
        earlier: EarlierInstances { running: 0, exits: earlier.map(exit).collect() },
        last_samples: None,
        instances: Vec::new(),
        traffic: None,
    };
    VerifiedReport { report, series }
}
