//! What the readings of memory mean: the ladder, the forecast and the heaps of the instances that serve.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use heapbeat_forecast::{Forecaster, Heap, Point};
use heapbeat_shared::report::FunctionReport;
use heapbeat_shared::{Bytes, Pressure, UnixMillis};

use super::fast_leak::GrowthSoFar;
use super::{FULL_INTERVAL, ProgramMonitor, Serving};
use crate::overload::ladder::{Ladder, LadderRules, Observation, ReplacementStatus};
use crate::overload::sample_interval::GrowthTracker;
use crate::supervisor::agent_link::AgentLink;
use crate::supervisor::alert_cause::Judged;
use crate::supervisor::heap_monitor::HeapMonitor;
use crate::supervisor::machine::{MachineEvent, WorkerNumber};
use crate::supervisor::renewal::Renewal;

/// Horizon of the forecast from the growth of the last seconds.
const HORIZON: Duration = Duration::from_secs(60);

/// Time after an instance was ready in which its memory is not judged, as it is just being used for the first time. An instance that
/// cannot be asked has longer.
const GRACE: Duration = Duration::from_secs(1);
const GRACE_UNASKED: Duration = Duration::from_secs(5);

impl ProgramMonitor {
    /// Begins anew if other instances serve than before: nothing that was seen of the former ones counts for these. Of several, one is
    /// exchanged at a time, and the level goes on.
    pub(super) fn follow_change(&mut self, serving: &Serving<'_>, now: Instant) {
        let numbers: BTreeSet<WorkerNumber> = serving.instances.iter().map(|it| it.number).collect();
        if !self.judged.is_empty() && self.judged.is_disjoint(&numbers) {
            self.fast_leak.note_end(self.growth_so_far(now.duration_since(self.epoch)));
        }
        self.spans.retain(|number, _| numbers.contains(number));
        let grown = |number: &&WorkerNumber| {
            self.spans.get(number).map(|(lowest, memory)| memory.saturating_sub(*lowest))
        };
        self.number = numbers.iter().max_by_key(grown).copied().unwrap_or_default();
        if numbers == self.judged {
            return;
        }
        if self.judged.is_disjoint(&numbers) {
            let oldest = serving.instances.iter().max_by_key(|it| it.age);
            let (age, asked) = oldest.map_or((Duration::ZERO, false), |it| (it.age, it.ready.is_some()));
            self.epoch = now.checked_sub(age).unwrap_or(now);
            self.grace = if asked { age + GRACE } else { GRACE_UNASKED };
            let rules = LadderRules { grace: self.grace, shed_in_grace: false, ..LadderRules::default() };
            self.ladder = Ladder::new(rules);
        }
        (self.heap_monitor, self.renewal) = (self.heap_monitor.next(), Renewal::default());
        (self.forecaster, self.growth) = (Forecaster::new(), GrowthTracker::default());
        self.told_of_growth = false;
        self.judged = numbers;
    }

    pub(super) fn observe_heaps(
        &mut self,
        serving: &Serving<'_>,
        agents: Option<&mut (dyn AgentLink + 'static)>,
        now: Instant,
    ) {
        if let Some(agents) = agents {
            (self.heap, self.full_heap) = self.heap_monitor.observe(agents, &serving.family(), now);
        }
        let age = now.duration_since(self.epoch);
        if let Some(problem) = self.heap_monitor.check_limits(self.heap.as_ref(), age, self.levels.limit()) {
            tracing::warn!("{problem}");
        }
        if let Some(purge) = self.heap_monitor.finish_purge(now) {
            self.ladder.record_purge(purge);
        }
        if let Some(full) = &self.full_heap
            && let Some(instance) = serving.instances.iter().find(|it| it.family.contains(&full.pid))
        {
            self.number = instance.number;
        }
    }

    pub(super) fn apply_ladder(
        &mut self,
        serving: &Serving<'_>,
        mut agents: Option<&mut (dyn AgentLink + 'static)>,
        now: Instant,
    ) -> Option<MachineEvent> {
        let limit = self.levels.limit();
        let age = now.duration_since(self.epoch);
        let (growth, next) = self.growth.expect(age, serving.memory, &self.levels, FULL_INTERVAL);
        let at = UnixMillis(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let told = self.heap.filter(|heap| heap.used.is_some());
        let told = told.map(|heap| Heap { used: heap.used, resident: None, external: heap.external });
        let managed = self.judged().1.managed;
        let heap = told.or_else(|| managed?.resident.map(Heap::managed));
        self.forecaster.set_runtime_max(managed.map(|heap| heap.max));
        self.forecaster.push(Point { at, total: serving.memory, heap });
        // A full heap counts as memory at the recycle threshold.
        let recycle_at = self.full_heap.as_ref().map(|_| self.levels.enter(Pressure::Recycle));
        let expected = Bytes(serving.memory.0.saturating_add(growth.0));
        self.ladder.set_replacement_time(self.replacement_time.at(serving.memory));
        let observation = Observation {
            now: age,
            read: age,
            memory: expected.max(recycle_at.unwrap_or_default()),
            is_confirmed: self.full_heap.is_some(),
            levels: self.levels,
            reaches_limit_in: self.forecaster.time_to_limit_within(limit, HORIZON),
            replacement: Some(self.replacement_status),
        };
        let to_limit = observation.reaches_limit_in;
        self.look_for_fast_leak(serving, agents.as_deref_mut(), to_limit, now);
        let step = self.ladder.step(&observation);
        let forecast = self.forecaster.assess(limit);
        self.is_leaking = forecast.verdict.is_leak();
        if self.is_leaking && step.pressure == Pressure::Calm && !self.told_of_growth {
            self.warn_of_leak(serving, &forecast, agents.as_deref_mut(), now);
        }
        (self.pressure, self.shed) = (step.pressure, step.shed);
        self.quick.schedule(next, step.pressure, now);
        self.reason =
            step.reason.or(self.reason).filter(|_| step.pressure > Pressure::Calm || step.reason.is_some());
        self.asked_to_free &= step.pressure >= Pressure::Purge;
        let judged = Judged {
            expected,
            reason: self.reason,
            asked_to_free: self.asked_to_free,
            replaceable: self.replacement_status != ReplacementStatus::RateLimited && age >= self.grace,
        };
        self.act(serving, &step, judged, agents, now)
    }

    /// Has the agents look for the function that leaks if memory fills up so fast that there is no time for that after an alert.
    fn look_for_fast_leak(
        &mut self,
        serving: &Serving<'_>,
        agents: Option<&mut (dyn AgentLink + 'static)>,
        to_limit: Option<Duration>,
        now: Instant,
    ) {
        let Some(agents) = agents else { return };
        let growth = self.growth_so_far(now.duration_since(self.epoch));
        if let Some(left) = self.fast_leak.time_to_look(growth, to_limit, now) {
            HeapMonitor::look_ahead(agents, &serving.family(), left);
        }
        if self.fast_leak.is_repeated(growth) {
            self.heap_monitor.allow_naming(now);
        }
    }

    /// Returns how the instance has grown that has grown most.
    fn growth_so_far(&self, age: Duration) -> GrowthSoFar {
        let span = self.spans.get(&self.number);
        let grown = span.map_or(Bytes::ZERO, |(lowest, memory)| memory.saturating_sub(*lowest));
        GrowthSoFar { grown, limit: self.levels.limit(), age }
    }

    /// Returns the functions whose memory grows, while that is a concern: a program that loads its data looks like a leak until it is done.
    pub(in crate::supervisor) fn functions(&self) -> Vec<FunctionReport> {
        let is_concern = self.pressure >= Pressure::Alert || self.is_leaking;
        if is_concern { self.heap_monitor.functions() } else { Vec::new() }
    }

    /// Returns the function whose live memory grew most in an instance when it was judged last.
    pub(in crate::supervisor) fn growth(&self, number: WorkerNumber) -> Option<String> {
        let functions =
            if self.judged.contains(&number) { self.heap_monitor.functions() } else { Vec::new() };
        functions.first().map(FunctionReport::place)
    }
}
