//! The catalog: every statement that heapbeat makes, with its code, the values in it and its English text.
//!
//! This is the only place where a statement with a code is made, so a code cannot be used without being listed in [`CATALOG`]. A
//! test of the edge compares the list with the messages of the status page in each language.

use super::Statement;
use crate::pressure::Pressure;
use crate::units::Bytes;

/// One statement of the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CatalogEntry {
    /// The code of the statement.
    pub code: &'static str,
    /// The names of the values in it.
    pub params: &'static [&'static str],
}

/// Defines one constructor for each statement, and the list of all.
macro_rules! catalog {
    ($($name:ident($($param:ident: $type:ty),*) = $code:literal, $text:literal;)*) => {
        /// Every statement that has a code.
        pub const CATALOG: &[CatalogEntry] =
            &[$(CatalogEntry { code: $code, params: &[$(stringify!($param)),*] }),*];

        impl Statement {
            $(
                #[doc = concat!("The statement `", $code, "`: “", $text, "”.")]
                pub fn $name($($param: $type),*) -> Statement {
                    Statement::with_code($code, format!($text))$(.with(stringify!($param), $param))*
                }
            )*
        }
    };
}

// Why a probe failed.
catalog! {
    dns_failed() = "dns-failed", "DNS lookup failed";
    connection_refused() = "connection-refused", "connection refused";
    network_unreachable() = "network-unreachable", "network unreachable";
    tls_failed() = "tls-failed", "TLS connection failed";
    connect_timeout() = "connect-timeout", "connection timed out";
    response_timeout() = "response-timeout", "response timed out";
    body_timeout() = "body-timeout", "response timed out before it was complete";
    connection_lost() = "connection-lost", "connection lost before the response was complete";
    not_http() = "not-http", "response is not HTTP";
    redirect_loop() = "redirect-loop", "redirect loop";
    too_many_redirects() = "too-many-redirects", "too many redirects";
    invalid_redirect() = "invalid-redirect", "redirect to something other than an http or https address";
    private_address() = "private-address", "address is private";
    http_status(status: u16) = "http-status", "HTTP status {status}";
    not_json() = "not-json", "response is not JSON";
    not_health() = "not-health", "response is JSON, but not a health report";
    response_too_large() = "response-too-large", "response too large";
    body_undecodable(encoding: &str) = "body-undecodable",
        "response body is encoded as {encoding}, which cannot be decoded";
    body_encoding_unknown() = "body-encoding-unknown", "response body has an encoding that cannot be decoded";
    body_charset_unknown() = "body-charset-unknown", "response body has a character set that cannot be decoded";
    response_slow(duration_ms: u32) = "response-slow", "response took {duration_ms} ms";
    condition_failed(condition: &str) = "condition-failed", "condition failed: {condition}";
    connection_failed() = "connection-failed", "connection failed";
    signature_rejected(clock_tolerance_s: u32) = "signature-rejected",
        "signature rejected by the server: wrong secret, or clocks more than {clock_tolerance_s} s apart";
    response_unsigned() = "response-unsigned",
        "response not signed: it came from a cache or not from the server";
    response_signature_invalid() = "response-signature-invalid",
        "response signature invalid: outdated or altered response, or wrong secret";
    report_unreadable() = "report-unreadable", "signed report that this version cannot read";
    heartbeat_missed() = "heartbeat-missed", "no heartbeat in time";
    job_timed_out() = "job-timed-out", "job not finished in time";
    job_failed() = "job-failed", "job reported a failure";
    job_exit_code(exit_code: u16) = "job-exit-code", "job failed with exit code {exit_code}";

    // Why there is no data.
    skipped_budget() = "skipped-budget", "not checked: request limit reached";
    skipped_time() = "skipped-time", "not checked: other checks took too long";
    skipped_platform() = "skipped-platform", "not checked: the check could not run";
    skipped_edge() = "skipped-edge",
        "no data: monitoring is interrupted, as all checks failed at the same time";
    skipped_no_heartbeat() = "skipped-no-heartbeat", "no heartbeat received yet";
    skipped_configuration() = "skipped-configuration", "not checked: the check is not configured completely";
    skipped_own_zone(status: u16) = "skipped-own-zone",
        "not checked: Cloudflare answered at once with {status} in the target's place, as for a zone of the same account";
    skipped_forbidden() = "skipped-forbidden",
        "not checked: the platform does not let a Worker connect to this address (Cloudflare's own, or private)";
    no_recent_data() = "no-recent-data", "no recent data";
    under_maintenance() = "under-maintenance", "scheduled maintenance in progress";
    flapping() = "flapping", "flapping: the state changes repeatedly";

    // What caused an incident.
    cause_unknown() = "cause-unknown", "cause unknown";
    memory_growing() = "memory-growing", "memory is growing towards its limit";
    memory_high() = "memory-high", "memory is close to its limit";
    out_of_memory() = "out-of-memory", "out of memory";
    instance_stop() = "instance-stop", "instance was stopped on request";
    instance_deploy() = "instance-deploy", "instance was replaced by another version";
    instance_recycle() = "instance-recycle", "instance was recycled by heapbeat";
    instance_oom_kill() = "instance-oom-kill",
        "instance ran out of memory and was killed by the kernel (OOM)";
    instance_out_of_memory() = "instance-out-of-memory",
        "instance ran out of memory and was ended by its runtime";
    instance_panic() = "instance-panic", "instance panicked";
    instance_crash() = "instance-crash", "instance crashed";
    instance_hang() = "instance-hang", "instance hung and was stopped";
    instance_platform() = "instance-platform", "instance disappeared with its host";
    instance_finish() = "instance-finish", "instance finished by itself";
    instance_spin_down() = "instance-spin-down", "instance was suspended while idle";
    instance_unknown() = "instance-unknown", "instance exited for an unknown reason";

    // What happened during an incident.
    instance_started() = "instance-started", "instance started";
    pressure_changed(from_pressure: Pressure, to_pressure: Pressure, memory_bytes: Bytes) = "pressure-changed",
        "memory pressure changed from {from_pressure} to {to_pressure} at {memory_bytes}";
    purged(before_bytes: Bytes, after_bytes: Bytes, duration_ms: u32) = "purged",
        "purge reduced memory from {before_bytes} to {after_bytes} in {duration_ms} ms";
    replacement_requested(reason: &str) = "replacement-requested",
        "the guard requested a replacement worker: {reason}";
    shut_down() = "shut-down", "the guard shut the instance down";
    requests_rejected(count: u64, duration_s: u64) = "requests-rejected",
        "{count} requests rejected within {duration_s} s";
    request_panicked(message: &str) = "request-panicked", "a request panicked: {message}";
    limit_changed(before_bytes: Bytes, after_bytes: Bytes) = "limit-changed",
        "memory limit changed from {before_bytes} to {after_bytes}";
    function_growing(function: &str, growth_bytes: Bytes, duration_s: u64) = "function-growing",
        "memory held by {function} grew by {growth_bytes} within {duration_s} s";
    unknown_event() = "unknown-event", "event of a newer version of heapbeat";
    stop_requested(by: &str) = "stop-requested", "shutdown requested by {by}";
    recurred() = "recurred", "the problem recurred";
    recovered() = "recovered", "all checks pass again";
    improved_to_degraded() = "improved-to-degraded", "improved: degraded performance";
    improved_to_warning() = "improved-to-warning", "improved: all checks pass, but memory is running out";
    other_instance() = "other-instance", "another instance responds";
    note(note: &str) = "note", "note: {note}";
    acknowledged() = "acknowledged", "acknowledged";
    resolved() = "resolved", "resolved manually";
    maintenance_began() = "maintenance-began", "scheduled maintenance began";
    monitor_removed() = "monitor-removed", "monitor removed from the configuration";
    incident_superseded() = "incident-superseded", "continued by a later incident";
    job_rescheduled() = "job-rescheduled", "job is new or has another schedule, and has not reported since";
    limit_forecast(limit_bytes: Bytes, earliest: &str, latest: &str) = "limit-forecast",
        "memory is expected to reach {limit_bytes} between {earliest} and {latest}";

    // Evidence of how an instance exited.
    exited_with_code(exit_code: i32) = "exited-with-code", "it exited with code {exit_code}";
    killed_by_signal(signal: &str) = "killed-by-signal", "it was terminated by {signal}";
    memory_when_last_seen(percent: u8) = "memory-when-last-seen",
        "memory was at {percent} % of the limit when last seen";
    unresponsive() = "unresponsive", "it gave no sign of life and was killed for that";
    panic_recorded(message: &str) = "panic-recorded", "it recorded a panic: {message}";
    cgroup_oom_count(count: u64) = "cgroup-oom-count",
        "the OOM kill count of its control group rose by {count}";
    machine_oom_count(count: u64) = "machine-oom-count", "the OOM kill count of the machine rose by {count}";
    stop_timed_out() = "stop-timed-out", "it did not stop in time and was killed";
    killed_at_once() = "killed-at-once", "it was killed without waiting for it to stop";
    oom_count_unreadable() = "oom-count-unreadable", "no OOM kill count can be read here";
    no_oom_kill() = "no-oom-kill", "the kernel counted no OOM kill";
    requests_in_flight(requests: u64) = "requests-in-flight", "requests in flight when it ended: {requests}";
    stop_recorded(by: &str) = "stop-recorded", "it recorded that it was asked to stop: {by}";
    stopped_early() = "stopped-early", "it was asked to stop before it could record that";
    exit_unexplained() = "exit-unexplained", "no request to stop is known";
    exit_unobserved() = "exit-unobserved", "no process observed its exit";
    exit_completed() = "exit-completed", "it recorded an orderly shutdown";
    host_rebooted() = "host-rebooted", "the host was restarted since its last sign of life";
    host_not_rebooted() = "host-not-rebooted", "the host has been up all the time";
    supervisor_stop() = "supervisor-stop", "the supervisor asked it to stop";
    supervisor_recycle() = "supervisor-recycle",
        "the supervisor asked it to hand over to a new instance";
    version_followed(version: &str) = "version-followed", "version {version} followed";
    version_changed(from: &str, to: &str) = "version-changed", "version {from} was followed by {to}";
    guard_replaced(reason: &str) = "guard-replaced", "the guard replaced it: {reason}";
    guard_shut_down() = "guard-shut-down", "the guard shut it down because memory ran out";
    last_sample(memory_bytes: Bytes, limit_bytes: Bytes, pressure: Pressure) = "last-sample",
        "last sample: {memory_bytes} of {limit_bytes}, memory pressure {pressure}";
    no_stop_announced() = "no-stop-announced", "it did not announce a shutdown";
    hang_report(report: &str) = "hang-report", "last report before it hung: {report}";
    runtime_out_of_memory(message: &str) = "runtime-out-of-memory", "its runtime reported: {message}";
    heap_after_last_collection(heap_bytes: Bytes) = "heap-after-last-collection",
        "its heap held {heap_bytes} after the last collection";
    heap_when_last_seen(heap_bytes: Bytes, limit_bytes: Bytes) = "heap-when-last-seen",
        "its heap held {heap_bytes} when last seen; the runtime gives up at {limit_bytes}";
    heap_limited_by(setting: &str) = "heap-limited-by", "its heap was limited by {setting}";
    live_memory_grew(function: &str) = "live-memory-grew", "its live memory grew most in {function}";
    process_oom_killed(name: &str, pid: u32) = "process-oom-killed",
        "the kernel killed its process {pid} ({name}) because memory ran out; the program itself still runs";
    process_out_of_memory(name: &str, pid: u32) = "process-out-of-memory",
        "the runtime of its process {pid} ({name}) ran out of memory and ended it; the program itself still runs";

    // Notices about the monitoring itself.
    monitoring_interrupted(since_time: &str) = "monitoring-interrupted",
        "Monitoring has been interrupted since {since_time}: all checks failed at the same time, so no results are recorded.";
    hub_unresponsive(count: u64) = "hub-unresponsive",
        "No data for {count} monitors: the hub that checks them does not respond.";
    unknown_hub_unresponsive() = "unknown-hub-unresponsive",
        "No data for some monitors: the hub that checks them does not respond.";
    unwatched_requests(count: u64, since_time: &str) = "unwatched-requests",
        "No data for {count} monitors since {since_time}: their checks need more requests than one round may send.";
    unwatched_time(count: u64, since_time: &str) = "unwatched-time",
        "No data for {count} monitors since {since_time}: other checks take too long.";
    unwatched_configuration(count: u64, since_time: &str) = "unwatched-configuration",
        "No data for {count} monitors since {since_time}: their checks are not configured completely.";
    unwatched_platform(count: u64, since_time: &str) = "unwatched-platform",
        "No data for {count} monitors since {since_time}: their checks could not run.";
    unwatched_no_tick(count: u64, since_time: &str) = "unwatched-no-tick",
        "No data for {count} monitors since {since_time}: the scheduled checks did not run.";
    interval_raised(minutes: u64) = "interval-raised",
        "The daily quota is nearly used: until midnight UTC each monitor is checked at most every {minutes} min.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_in_kebab_case() {
        let codes: BTreeSet<_> = CATALOG.iter().map(|entry| entry.code).collect();
        assert_eq!(codes.len(), CATALOG.len());
        assert!(codes.iter().all(|code| code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
    }

    #[test]
    fn a_statement_carries_the_values_that_the_catalog_lists() {
        let forecast = Statement::limit_forecast(Bytes(512 << 20), "12:03 UTC", "12:10 UTC");
        let text = "memory is expected to reach 512.0 MB between 12:03 UTC and 12:10 UTC";
        assert_eq!(forecast.text, text);
        let entry = CATALOG.iter().find(|entry| entry.code == forecast.code).unwrap();
        let listed: BTreeSet<_> = entry.params.iter().copied().collect();
        assert_eq!(forecast.params.keys().map(String::as_str).collect::<BTreeSet<_>>(), listed);
        let pressure = Statement::pressure_changed(Pressure::Calm, Pressure::Alert, Bytes(1 << 20));
        assert_eq!(pressure.text, "memory pressure changed from calm to alert at 1.0 MB");
    }
}
