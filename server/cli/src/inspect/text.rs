//! Formats a snapshot as text, for a pipe, a log or a ticket.

use std::fmt::Write as _;

use heapbeat_shared::event::{Event, EventKind};
use heapbeat_shared::report::{InstanceReport, System};
use heapbeat_shared::text::single_line;
use heapbeat_shared::{Bytes, Exit, ExitKind, UnixMillis};

use super::advice::{Advice, Severity, advise, worst_severity};
use super::snapshot::{Detail, Snapshot};

/// Most events that are printed.
const MAX_EVENTS: usize = 8;

/// Most routes, and most functions, that are printed.
const MAX_ROUTES: usize = 5;

/// Most processes that are printed.
const MAX_PROCESSES: usize = 8;

/// Formats the snapshot, its severity and the advice as one JSON object, without a newline.
pub(crate) fn format_json(snapshot: &Snapshot) -> String {
    #[derive(serde::Serialize)]
    struct Inspection<'a> {
        severity: Severity,
        advice: Vec<Advice>,
        #[serde(flatten)]
        snapshot: &'a Snapshot,
    }
    let inspection = Inspection { severity: worst_severity(snapshot), advice: advise(snapshot), snapshot };
    serde_json::to_string(&inspection).expect("numbers, texts and fixed words always serialize")
}

/// Formats the snapshot as several lines for people.
pub(crate) fn format_report(snapshot: &Snapshot, color: bool) -> String {
    let mut out = String::new();
    let style = TextStyle { color };
    // Writing to a String cannot fail.
    let heading = format!("{}  {}", style.bold(&single_line(&snapshot.target)), headline(snapshot));
    let _ = writeln!(out, "{}\n", heading.trim_end());
    for (name, value) in figures(snapshot) {
        let _ = writeln!(out, "  {name:<14}{value}");
    }
    if !snapshot.routes.is_empty() {
        let _ = writeln!(out, "\n  {:<32}{:>12}{:>14}{:>14}", "route", "live", "growth/min", "per request");
        for route in snapshot.routes.iter().take(MAX_ROUTES) {
            let growth = route.growth_per_minute.map_or_else(|| "-".into(), signed);
            let _ = writeln!(
                out,
                "  {:<32}{:>12}{growth:>14}{:>14}",
                clip(&route.route, 31),
                route.live.to_string(),
                route.allocated_mean.to_string()
            );
        }
    }
    format_functions(&mut out, snapshot);
    format_traffic(&mut out, snapshot);
    format_instances(&mut out, snapshot);
    format_processes(&mut out, snapshot);
    if !snapshot.events.is_empty() {
        let _ = writeln!(out);
        for event in snapshot.events.iter().rev().take(MAX_EVENTS) {
            let _ = writeln!(out, "  {} ago  {}", ago(snapshot.at, event.at), describe_event(event));
        }
    }
    let _ = writeln!(out);
    for Advice { severity, text } in advise(snapshot) {
        let _ = writeln!(out, "{} {}", style.severity(severity), single_line(&text));
    }
    out
}

fn format_functions(out: &mut String, snapshot: &Snapshot) {
    if snapshot.functions.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n  {:<44}{:>12}{:>12}{:>14}", "function", "live", "growth", "within");
    for function in snapshot.functions.iter().take(MAX_ROUTES) {
        let _ = writeln!(
            out,
            "  {:<44}{:>12}{:>12}{:>14}",
            clip(&function.place(), 43),
            function.live.to_string(),
            function.growth.to_string(),
            span(function.duration_ms / 1000)
        );
    }
}

fn format_traffic(out: &mut String, snapshot: &Snapshot) {
    let Some(traffic) = &snapshot.traffic else { return };
    let _ = writeln!(
        out,
        "\n  requests: {} in flight, {} wait, {} ended, {} failed, {} shed",
        traffic.in_flight, traffic.waiting, traffic.requests, traffic.failed, traffic.shed
    );
}

fn format_instances(out: &mut String, snapshot: &Snapshot) {
    if snapshot.instances.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n  {:<44}{:>12}", "instance", "memory");
    for instance in &snapshot.instances {
        let _ = writeln!(
            out,
            "  {:<44}{:>12}",
            describe_instance(snapshot.at, instance),
            instance.memory.to_string()
        );
    }
}

/// Describes an instance: its number, its age, and that it gets no requests.
pub(crate) fn describe_instance(now: UnixMillis, instance: &InstanceReport) -> String {
    let idle = if instance.serves { "" } else { ", gets no requests" };
    format!("{}, up {}{idle}", instance.number, ago(now, instance.started))
}

fn format_processes(out: &mut String, snapshot: &Snapshot) {
    if snapshot.processes.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n  {:<44}{:>12}", "process", "memory");
    for process in snapshot.processes.iter().take(MAX_PROCESSES) {
        let name = clip(&format!("{} {}", process.pid, process.name), 43);
        let _ = writeln!(out, "  {name:<44}{:>12}", process.memory.to_string());
    }
    match snapshot.processes.len().saturating_sub(MAX_PROCESSES) {
        0 => {}
        more => {
            let _ = writeln!(out, "  and {more} more");
        }
    }
}

/// Returns status, version and uptime in one line.
pub(crate) fn headline(snapshot: &Snapshot) -> String {
    let status = match snapshot.status {
        _ if snapshot.starting => Some("starting".to_owned()),
        status => status.map(|status| status.as_str().to_owned()),
    };
    let version = snapshot.version.as_ref().map(|version| format!("version {}", single_line(version)));
    let uptime = snapshot.uptime.map(|seconds| format!("up {}", span(seconds)));
    [status, version, uptime].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Returns the known figures with their names.
pub(crate) fn figures(snapshot: &Snapshot) -> Vec<(&'static str, String)> {
    let (sample, system) = (&snapshot.sample, &snapshot.system);
    let limit =
        snapshot.limit.as_ref().map(|limit| format!("{} ({})", limit.bytes, single_line(&limit.origin)));
    let used = match snapshot.used_percent() {
        Some(percent) => format!("{} ({percent} of the limit)", sample.working_set),
        None => sample.working_set.to_string(),
    };
    let heap = if snapshot.heap_known {
        Some(format!("{} used, {} total", sample.heap_used, sample.heap_total))
    } else if let Some(total) = sample.heap_total.known() {
        // Python tells what its heap takes, but not what of it is used.
        Some(format!("used unknown, {total} total"))
    } else {
        (snapshot.detail != Detail::Kernel).then(|| "unknown".to_owned())
    };
    let external = snapshot.heap_known.then(|| sample.external().to_string());
    let bytes = |bytes: Option<Bytes>| bytes.map(|bytes| bytes.to_string());
    let rows = [
        ("memory", Some(used)),
        ("limit", limit),
        ("pressure", snapshot.pressure.map(|pressure| pressure.level.as_str().to_owned())),
        ("last exit", snapshot.previous_exit.as_ref().map(|exit| describe_exit(snapshot.at, exit))),
        ("rss", Some(sample.rss.to_string())),
        ("peak", system.peak.map(|peak| describe_peak(peak, snapshot))),
        ("heap", heap),
        ("external", external),
        ("swap", bytes(system.swap.filter(|swap| *swap > Bytes::ZERO))),
        ("threads", system.threads.map(|count| count.to_string())),
        ("open files", system.open_files.map(|count| count.to_string())),
        ("cpu", system.cpu_seconds.map(|seconds| format!("{seconds:.1} s"))),
        ("allocator", describe_allocator(system)),
        ("cgroup", describe_cgroup(system)),
        (
            "memory stall",
            memory_stall_percent(system).map(|percent| format!("{percent:.1} % of the last ten seconds")),
        ),
        ("runtime delay", system.runtime_delay_ms.map(|ms| format!("{ms} ms at most in the last minute"))),
    ];
    rows.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Describes the peak, which the kernel knows of the process alone, and not of those that it has started.
fn describe_peak(peak: Bytes, snapshot: &Snapshot) -> String {
    if snapshot.processes.is_empty() {
        peak.to_string()
    } else {
        format!("{peak} (of the first process alone)")
    }
}

/// Describes the exit of the previous instance in one line.
pub(crate) fn describe_exit(now: UnixMillis, exit: &Exit) -> String {
    let sure = if exit.sure || exit.kind == ExitKind::Unknown { "" } else { " probably" };
    let evidence = single_line(&exit.evidence_text());
    format!("{} ago:{sure} {}: {evidence}", ago(now, exit.at), exit.kind.as_str())
}

/// Returns the share of the last ten seconds in which tasks of the cgroup waited for memory, in percent; that of the machine if the
/// cgroup's is unknown.
pub(crate) fn memory_stall_percent(system: &System) -> Option<f64> {
    system.memory_stall_percent.or(system.machine_stall_percent)
}

/// Describes the memory that jemalloc has mapped.
fn describe_allocator(system: &System) -> Option<String> {
    let (mapped, retained) = (system.heap_mapped?, system.heap_retained?);
    Some(format!("{mapped} mapped, {retained} retained, {} metadata", system.heap_metadata?))
}

/// Describes the memory charged to the cgroup, and its events since it was created.
fn describe_cgroup(system: &System) -> Option<String> {
    let mut text = system.cgroup_usage?.to_string();
    for (count, what) in [
        (system.cgroup_high, "throttled"),
        (system.cgroup_max, "limit hits"),
        (system.cgroup_oom, "out of memory"),
        (system.oom_kills, "kills"),
    ] {
        if let Some(count) = count.filter(|count| *count > 0) {
            let _ = write!(text, ", {what} {count}");
        }
    }
    Some(text)
}

/// Describes an event.
pub(crate) fn describe_event(event: &Event) -> String {
    match &event.kind {
        EventKind::Started => "started".into(),
        EventKind::Pressure { from, to, memory } => {
            format!("{} to {} at {memory}", from.as_str(), to.as_str())
        }
        EventKind::Purge { before, after, duration_ms } => {
            format!(
                "purge returned {} in {duration_ms} ms ({before} to {after})",
                before.saturating_sub(*after)
            )
        }
        EventKind::Recycle { reason } => {
            format!("a replacement worker was requested: {}", single_line(reason))
        }
        EventKind::Shutdown => "finishing requests and exiting".into(),
        EventKind::Shed { refused, duration_ms } => {
            format!("refused {refused} requests within {duration_ms} ms")
        }
        EventKind::Panic { message } => format!("panic: {}", single_line(message)),
        EventKind::Limit { before, after } => format!("the limit changed from {before} to {after}"),
        EventKind::Growth { function, growth, duration_ms } => {
            format!("{} grew by {growth} within {}", single_line(function), span(duration_ms / 1000))
        }
        EventKind::Other => "an event of a newer version".to_owned(),
        EventKind::Stop { by } => format!("requested to stop by {}", single_line(by)),
    }
}

/// Cuts text to at most `width` characters, and marks the cut with an ellipsis.
pub(crate) fn clip(text: &str, width: usize) -> String {
    let text = single_line(text);
    if text.chars().count() <= width {
        return text;
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// Formats a size with its sign.
pub(crate) fn signed(amount: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates, and is not negative"
    )]
    let size = Bytes(amount.abs().round() as u64);
    if amount < 0.0 { format!("-{size}") } else { format!("+{size}") }
}

/// Formats a time in two units.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        s @ 0..60 => format!("{s} s"),
        s @ 60..3600 => format!("{} min {} s", s / 60, s % 60),
        s @ 3600..86_400 => format!("{} h {} min", s / 3600, s % 3600 / 60),
        s => format!("{} d {} h", s / 86_400, s % 86_400 / 3600),
    }
}

/// Formats the time between `then` and `now`.
pub(crate) fn ago(now: UnixMillis, then: UnixMillis) -> String {
    span(now.since(then).as_secs())
}

struct TextStyle {
    color: bool,
}

impl TextStyle {
    fn colored(&self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn bold(&self, text: &str) -> String {
        self.colored("1", text)
    }

    fn severity(&self, severity: Severity) -> String {
        match severity {
            Severity::Ok => self.colored("32", "ok      "),
            Severity::Warning => self.colored("33", "warning "),
            Severity::Critical => self.colored("31", "critical"),
        }
    }
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::report::FunctionReport;

    use super::*;
    use crate::inspect::advice::tests::steady;
    use crate::inspect::snapshot::MeasuredProcess;

    #[test]
    fn a_steady_process_takes_a_few_lines() {
        let expected = "\
http://x/health

  memory        100.0 MB (19.5 % of the limit)
  limit         512.0 MB (cgroup)
  rss           100.0 MB
  heap          60.0 MB used, 70.0 MB total
  external      20.0 MB

ok       Nothing to do.
ok       Memory is steady: its lowest values do not rise.
";
        assert_eq!(format_report(&steady(), false), expected);
        assert!(format_report(&steady(), true).contains("\x1b[32mok"));
    }

    #[test]
    fn functions_and_processes_are_listed_and_an_unknown_heap_is_not_zero() {
        let mut snapshot = steady();
        snapshot.heap_known = false;
        (snapshot.sample.heap_used, snapshot.sample.heap_total) = (Bytes::ZERO, Bytes::ZERO);
        snapshot.functions = vec![FunctionReport {
            function: "listOrders".into(),
            file: "/app/orders.js".into(),
            line: 12,
            live: Bytes::from_mb(132),
            growth: Bytes::from_mb(110),
            duration_ms: 83_000,
        }];
        let name = "npm start".to_owned();
        snapshot.system.peak = Some(Bytes::from_mb(70));
        snapshot.processes = (0..10)
            .map(|pid| MeasuredProcess { pid, name: name.clone(), memory: Bytes::from_mb(60) })
            .collect();
        let text = format_report(&snapshot, false);
        for line in [
            "  heap          unknown\n",
            "  peak          70.0 MB (of the first process alone)\n",
            "\n  function                                            live      growth        within\n",
            "\n  listOrders (orders.js:12)                       132.0 MB    110.0 MB    1 min 23 s\n",
            "\n  process                                           memory\n",
            "\n  7 npm start                                      60.0 MB\n  and 2 more\n",
            "\nwarning  listOrders (/app/orders.js:12) allocated 132.0 MB that are still held, 110.0 MB more than 1 min 23 s ago",
            "\nok       The heap is not known: the program is guarded from outside.",
        ] {
            assert!(text.contains(line), "{line:?} in {text}");
        }
        let mut python = snapshot.clone();
        python.sample.heap_total = Bytes::from_mb(129);
        let python = format_report(&python, false);
        // The words of the log's line of memory.
        for line in [
            "  heap          used unknown, 129.0 MB total\n",
            "\nok       What is used of the heap is not known",
        ] {
            assert!(python.contains(line), "{line:?} in {python}");
        }
        let value: serde_json::Value = serde_json::from_str(&format_json(&snapshot)).unwrap();
        assert_eq!(value["functions"][0]["line"], 12);
        assert_eq!((&value["heap_known"], &value["severity"]), (&false.into(), &"warning".into()));
    }

    #[test]
    fn json_has_the_verdict_and_every_figure() {
        let value: serde_json::Value = serde_json::from_str(&format_json(&steady())).unwrap();
        assert_eq!(value["severity"], "ok");
        assert_eq!(value["sample"]["rss"], 104_857_600);
        assert_eq!(value["advice"][0]["text"], "Nothing to do.");
        assert_eq!(value["forecast"]["limit_bytes"], 536_870_912);
        let mut unlimited = steady();
        (unlimited.limit, unlimited.forecast.limit) = (None, Bytes(u64::MAX));
        let value: serde_json::Value = serde_json::from_str(&format_json(&unlimited)).unwrap();
        assert!(value["forecast"]["limit_bytes"].is_null(), "{value}");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(single_line("a\x1b[2Jb\nc"), "a [2Jb c");
        assert_eq!(clip("POST /a/very/long/path", 10), "POST /a/v…");
    }

    #[test]
    fn times_have_two_units() {
        let cases = [(9, "9 s"), (250, "4 min 10 s"), (26_400, "7 h 20 min"), (1_047_600, "12 d 3 h")];
        for (seconds, text) in cases {
            assert_eq!(span(seconds), text);
        }
    }
}
