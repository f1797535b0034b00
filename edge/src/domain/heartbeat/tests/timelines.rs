//! Random timelines of a job, its reports and the ticks, against a model that judges each tick from the whole past.

use proptest::prelude::*;

use super::*;

/// A schedule that can be listed: an interval, or the minutes of an hour.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Times {
    Every(i64),
    Minutes(&'static str, &'static [i64]),
}

const TIMES: [Times; 6] = [
    Times::Every(60),
    Times::Every(7),
    Times::Minutes("*/10 * * * *", &[0, 10, 20, 30, 40, 50]),
    Times::Minutes("0 * * * *", &[0]),
    Times::Minutes("7,37 * * * *", &[7, 37]),
    Times::Minutes("58,1 * * * *", &[1, 58]),
];

/// Seconds since the beginning of the timeline.
type Second = i64;

/// A tick: its time, and whether the job is under maintenance or has not been heard of.
#[derive(Clone, Copy, Debug)]
struct TickFact {
    at: Second,
    maintenance: bool,
    unheard: bool,
}

/// The model: what the reports since the job was added or rescheduled say, and all ticks.
#[derive(Debug)]
struct Model {
    times: Times,
    grace: Second,
    longest: Option<Second>,
    ticks: Vec<TickFact>,
    runs: Vec<Run>,
    /// Up to when due times are reported; `None` before the first report.
    reported: Option<Second>,
    /// When the first report came.
    first_report: Option<Second>,
    /// When the last run ended, with its exit code if it failed.
    last_end: Option<(Second, Result<(), Option<u16>>)>,
}

/// A run of the model.
#[derive(Clone, Copy, Debug)]
struct Run {
    started: Second,
    counted: Second,
    is_open: bool,
}

impl Model {
    /// The due times after `from` up to `to`.
    fn dues(&self, from: Second, to: Second) -> Vec<Second> {
        match self.times {
            Times::Every(minutes) => {
                (1..=(to - from) / (minutes * 60)).map(|count| from + count * minutes * 60).collect()
            }
            Times::Minutes(_, minutes) => (from.div_euclid(60) + 1..=to.div_euclid(60))
                .filter(|minute| minutes.contains(&minute.rem_euclid(60)))
                .map(|minute| minute * 60)
                .collect(),
        }
    }

    fn counts_for(&self, report: Second) -> Second {
        if let Times::Every(_) = self.times {
            return report;
        }
        let near = self.dues(report - 4000, report + 4000);
        let nearest = near.into_iter().min_by_key(|due| ((due - report).abs(), *due)).unwrap();
        if nearest > report && nearest - report <= 300 { nearest } else { report }
    }

    fn report(&mut self, at: Second, signal: JobSignal) {
        self.first_report.get_or_insert(at);
        let counted = self.counts_for(at);
        let result = match signal {
            Start => {
                self.reported = self.reported.max(Some(counted));
                if !self.runs.iter().any(|run| run.is_open && at - run.started < 10) {
                    self.runs.push(Run { started: at, counted, is_open: true });
                }
                return;
            }
            Success => Ok(()),
            Fail(exit) => Err(exit),
        };
        self.last_end = Some((at, result));
        let in_time = self.runs.iter().position(|run| run.is_open && self.limit(run) >= at);
        let chosen = in_time.or_else(|| self.runs.iter().rposition(|run| run.is_open));
        let own = chosen.map(|index| self.runs[index].counted);
        let own = own.filter(|_| matches!(self.times, Times::Minutes(..)));
        self.reported = self.reported.max(Some(own.unwrap_or(counted)));
        if let Some(index) = chosen {
            self.runs[..=index].iter_mut().for_each(|run| run.is_open = false);
        }
    }

    /// The last second at which a run may end.
    fn limit(&self, run: &Run) -> Second {
        if let Some(longest) = self.longest {
            return run.started + longest;
        }
        let next = self.dues(run.counted, run.counted + 4000)[0];
        let tolerance = if let Times::Every(minutes) = self.times { 300.min(minutes * 30) } else { 0 };
        let open = self.runs.iter().filter(|other| other.is_open);
        let follower =
            open.filter(|other| other.counted + tolerance >= next).map(|other| other.started).min();
        follower.unwrap_or(i64::MAX).min(next + self.grace)
    }

    /// The spans up to the tick of `now` in which nobody watched, each with whether that was announced.
    fn spans(&self, now: Second) -> Vec<(Second, Second, bool)> {
        let mut spans = Vec::new();
        let ends = self.ticks.iter().skip(1).map(|tick| tick.at).chain([now]);
        for (tick, end) in self.ticks.iter().zip(ends) {
            if tick.maintenance {
                spans.push((tick.at, end.min(tick.at + 90), true));
            }
            if tick.unheard || end - tick.at > 90 {
                spans.push((tick.at, end, false));
            }
        }
        spans
    }

    fn judge(&self, now: Second) -> Option<ProbeError> {
        let Some(reported) = self.reported else { return Some(ProbeSkipped::NoHeartbeatYet.into()) };
        let spans = self.spans(now);
        let is_interrupted =
            |from: Second, to: Second| spans.iter().any(|span| span.0 <= to && from < span.1);
        // That a job was not heard of before its first report is no absence of the edge.
        let first_report = self.first_report.unwrap_or(now);
        let is_absence =
            |span: &&(Second, Second, bool)| span.2 || span.0 >= first_report || span.1 - first_report > 90;
        let is_late = |run: &Run| {
            let limit = self.limit(run);
            let mut absences = spans.iter().filter(is_absence);
            run.is_open && limit < now && !absences.any(|span| span.0 <= limit && run.started < span.1)
        };
        if self.runs.iter().any(is_late) {
            return UNFINISHED;
        }
        if let Some((at, Err(exit))) = self.last_end
            && !spans.iter().any(|span| span.2 && span.0 <= at && at < span.1)
        {
            return Some(failed(exit));
        }
        let is_missed = |due: &Second| {
            let is_watched = !spans.iter().any(|span| span.0 <= *due && *due < span.1);
            // The grace passed without an interruption, from the due time on or from the end of an interruption.
            let mut begins = spans.iter().map(|span| span.1).filter(|end| end > due).chain([*due]);
            is_watched
                && begins.any(|begin| begin + self.grace < now && !is_interrupted(begin, begin + self.grace))
        };
        if self.dues(reported, now).iter().any(is_missed) { MISSED } else { None }
    }
}

/// What a job does when it is due, and how many seconds late it is.
#[derive(Clone, Debug)]
struct Behavior {
    signals: Vec<(Second, JobSignal)>,
    skew: Second,
}

fn behavior() -> impl Strategy<Value = Behavior> {
    let signals = prop_oneof![
        4 => Just(vec![(0, Success)]),
        2 => Just(vec![(0, Start), (95, Success)]),
        1 => Just(vec![(0, Start), (1500, Success)]),
        1 => Just(vec![(0, Start), (3, Start), (95, Success)]),
        1 => Just(vec![(0, Start), (200, Fail(Some(3)))]),
        1 => Just(vec![(0, Success), (2, Success)]),
        2 => Just(vec![(0, Start)]),
        2 => Just(vec![]),
    ];
    let skew = prop_oneof![3 => 0..5_i64, 2 => -70..70_i64, 1 => -400..900_i64];
    (signals, skew).prop_map(|(signals, skew)| Behavior { signals, skew })
}

#[derive(Clone, Debug)]
struct Timeline {
    times: [Times; 2],
    grace: Second,
    longest: Option<Second>,
    behaviors: Vec<Behavior>,
    extra: Vec<(Second, JobSignal)>,
    /// Minutes without ticks or under maintenance: the first, the length, and whether it is maintenance.
    spans: Vec<(i64, i64, bool)>,
    /// For each minute whether its tick comes.
    ticks: Vec<bool>,
    /// In which minute the job is rescheduled or added again.
    edit: Option<i64>,
}

const MINUTES: i64 = 300;

fn timeline() -> impl Strategy<Value = Timeline> {
    let extra = (0..MINUTES * 60, prop_oneof![Just(Start), Just(Success), Just(Fail(None))]);
    (
        [prop::sample::select(&TIMES[..]), prop::sample::select(&TIMES[..])],
        prop::sample::select(vec![0, 60, 300, 900]),
        prop::option::of(prop::sample::select(vec![60, 600, 2400, 5400])),
        prop::collection::vec(behavior(), 60),
        prop::collection::vec(extra, 0..4),
        prop::collection::vec((0..MINUTES, 1..40_i64, any::<bool>()), 0..5),
        prop::collection::vec(prop::bool::weighted(0.97), usize::try_from(MINUTES).unwrap()),
        prop::option::weighted(0.3, 1..MINUTES),
    )
        .prop_map(|(times, grace, longest, behaviors, extra, spans, ticks, edit)| Timeline {
            times,
            grace,
            longest,
            behaviors,
            extra,
            spans,
            ticks,
            edit,
        })
}

fn job_of(times: Times, timeline: &Timeline) -> Heartbeat {
    let seconds = |seconds: Second| SECOND * u32::try_from(seconds).unwrap();
    let schedule = match times {
        Times::Every(minutes) => HeartbeatSchedule::Every(seconds(minutes * 60)),
        Times::Minutes(text, _) => HeartbeatSchedule::Cron(Schedule::new(text, "UTC").unwrap()),
    };
    Heartbeat { schedule, grace: seconds(timeline.grace), max_runtime: timeline.longest.map(seconds) }
}

/// The reports of a timeline in order, the first at its beginning.
fn reports_of(timeline: &Timeline, model: &Model) -> Vec<(Second, JobSignal)> {
    let dues = model.dues(0, MINUTES * 60).into_iter().zip(&timeline.behaviors);
    let reports = dues.flat_map(|(due, behavior)| {
        behavior.signals.iter().map(move |(after, signal)| (due + behavior.skew + after, *signal))
    });
    let mut reports: Vec<_> =
        reports.chain(timeline.extra.iter().copied()).filter(|(at, _)| *at > 0).collect();
    reports.sort_by_key(|(at, _)| *at);
    reports.insert(0, (0, Success));
    reports
}

/// Runs a timeline through the engine, and compares each tick with the model.
fn run(timeline: &Timeline) -> Result<(), TestCaseError> {
    let entry = r#"[{"id":"job","kind":"heartbeat","interval":"1h"}]"#;
    let config = MonitorConfig::parse(Some(entry), false);
    let instant = |second: Second| UnixMillis(at(0).0 + second * 1000);
    let id: MonitorId = "job".parse().unwrap();
    let [times, other_times] = timeline.times;
    let model = |times| Model {
        times,
        grace: timeline.grace,
        longest: timeline.longest,
        ticks: Vec::new(),
        runs: Vec::new(),
        reported: None,
        first_report: None,
        last_end: None,
    };
    let (mut engine, mut state, mut job) = (Engine::default(), None, job_of(times, timeline));
    let mut model_now = model(times);
    let mut reports = reports_of(timeline, &model_now).into_iter().peekable();
    for minute in 0..MINUTES {
        let tick = minute * 60;
        let within = |span: &&(i64, i64, bool)| (span.0..span.0 + span.1).contains(&minute);
        let is_away = timeline.spans.iter().filter(within).any(|span| !span.2);
        let maintenance = timeline.spans.iter().filter(within).any(|span| span.2);
        if timeline.edit == Some(minute) {
            // The job is rescheduled, or removed and added again with the same schedule.
            state = state.filter(|_| other_times != times);
            job = job_of(other_times, timeline);
            let ticks = std::mem::take(&mut model_now.ticks);
            model_now = Model { ticks, ..model(other_times) };
        }
        // A tick comes up to half a minute late, and finds the reports of that time.
        let late = (minute * 17) % 30;
        while let Some((second, signal)) = reports.next_if(|(second, _)| *second <= tick + late) {
            state = Some(JobState::after_signal(state.as_ref(), &job, signal, instant(second), |_| 0));
            model_now.report(second, signal);
        }
        if minute > 0 && (is_away || !timeline.ticks[usize::try_from(minute).unwrap()]) {
            continue;
        }
        let unwatched = || engine.unwatched_spans(&id, instant(tick));
        let result = check_job(state.as_ref(), &job, instant(tick), |_| 0, unwatched);
        let expected = model_now.judge(tick);
        prop_assert_eq!(
            result.as_ref().err().copied(),
            expected,
            "at {} s: {:?}\n{:?}",
            tick,
            state,
            model_now
        );
        let probe = ProbeResult { monitor: id.clone(), received: instant(tick), result };
        let unheard = expected == Some(ProbeSkipped::NoHeartbeatYet.into());
        engine.set_maintenance(if maintenance { vec![id.clone()] } else { Vec::new() });
        engine.apply_tick(&config, Tick { at: instant(tick), received: instant(tick + late) }, &[probe]);
        model_now.ticks.push(TickFact { at: tick, maintenance, unheard });
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn every_tick_of_a_random_timeline_is_judged_as_the_model_does(timeline in timeline()) {
        run(&timeline)?;
    }
}
