//! Incidents: `GET /api/v1/incidents` and `GET /api/v1/incidents/{id}`.

use heapbeat_shared::{InstanceId, Params, Statement};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::memory::sample_columns;
use super::statement::split_statements;
use super::{SampleRow, Timestamp, TranslationView, schema};
use crate::domain::incident::id::IncidentId;
use crate::domain::incident::phase::PhaseState;
use crate::domain::incident::{Incident, Severity, TimelineEntry};
use crate::domain::report::last_report::SampleRun;
use crate::monitor_config::MonitorId;

/// An incident of one monitor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Incident")]
pub struct IncidentView {
    /// The id of the incident.
    pub id: IncidentId,
    /// The monitor's id.
    #[schemars(with = "schema::MonitorId")]
    pub monitor: MonitorId,
    /// The worst severity so far.
    pub severity: Severity,
    /// The severity of what is so now; `null` if all is well at the moment, or it is resolved.
    pub current: Option<Severity>,
    /// When it began.
    pub opened: Timestamp,
    /// When it was resolved; `null` while it is open.
    pub closed: Option<Timestamp>,
    /// How long each state held, the worst first; of an open incident until the state of now began.
    pub durations: Vec<StateDurationView>,
    /// The cause as far as it is known, in a sentence: of what is so now, or of the worst if all is well or it is resolved.
    pub cause: String,
    /// The stable name of the cause, by which it can be translated.
    #[serde(default)]
    pub cause_code: String,
    /// The values in the cause by name.
    #[serde(default)]
    #[schemars(with = "schema::Params")]
    pub cause_params: Params,
    /// The evidence for the cause.
    pub evidence: Vec<String>,
    /// The code and the values of each piece of evidence.
    #[serde(default)]
    pub evidence_statements: Vec<TranslationView>,
    /// Whether somebody on call has acknowledged it.
    pub acknowledged: bool,
    /// The monitor on which this one depends and whose outage explains this incident; `null` without one.
    #[schemars(with = "Option<schema::MonitorId>")]
    pub inhibited_by: Option<MonitorId>,
    /// What happened, oldest first.
    pub timeline: Vec<TimelineEntryView>,
}

impl IncidentView {
    /// The severity that its cause belongs to: that of now, or the worst if all is well or it is resolved.
    pub fn headline_severity(&self) -> Severity {
        self.current.unwrap_or(self.severity)
    }
}

impl From<&Incident> for IncidentView {
    fn from(incident: &Incident) -> Self {
        let cause = incident.headline().1.statement();
        let (evidence, evidence_statements) = split_statements(incident.headline_evidence());
        IncidentView {
            id: incident.id(),
            monitor: incident.monitor.clone(),
            severity: incident.severity,
            current: incident.current,
            opened: Timestamp(incident.opened),
            closed: incident.closed.map(Timestamp),
            durations: StateDurationView::list(incident),
            cause: cause.text,
            cause_code: cause.code,
            cause_params: cause.params,
            evidence,
            evidence_statements,
            acknowledged: incident.acknowledged,
            inhibited_by: incident.inhibited_by.clone(),
            timeline: incident.timeline.iter().map(TimelineEntryView::from).collect(),
        }
    }
}

/// How long a state held during an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "StateDuration")]
pub struct StateDurationView {
    /// The state: a severity, `up` while all was well, or `unobserved`.
    pub state: PhaseState,
    /// The time in this state, in seconds.
    pub seconds: u64,
}

impl StateDurationView {
    /// Lists how long each state of `incident` held. The state of now is left out while the incident is open, as it goes on.
    pub(super) fn list(incident: &Incident) -> Vec<StateDurationView> {
        let since = incident.phases.last().map_or(incident.opened, |last| last.since);
        let durations = incident.durations(since).into_iter();
        let durations = durations.map(|(state, millis)| StateDurationView { state, seconds: millis / 1000 });
        durations.filter(|it| it.seconds > 0).collect()
    }
}

/// One entry of a timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "TimelineEntry")]
pub struct TimelineEntryView {
    /// When it happened.
    pub at: Timestamp,
    /// What happened; it may contain shortened text of the server.
    pub message: String,
    /// The stable name of what happened, by which it can be translated.
    #[serde(default)]
    pub message_code: String,
    /// The values in it by name.
    #[serde(default)]
    #[schemars(with = "schema::Params")]
    pub message_params: Params,
}

impl From<&TimelineEntry> for TimelineEntryView {
    fn from(entry: &TimelineEntry) -> Self {
        let Statement { code, params, text, .. } = entry.message.clone();
        TimelineEntryView {
            at: Timestamp(entry.at),
            message: text,
            message_code: code,
            message_params: params,
        }
    }
}

/// One incident with the samples around it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "IncidentWithRecording")]
pub struct IncidentDetailView {
    /// The incident.
    #[serde(flatten)]
    pub incident: IncidentView,
    /// The samples from an hour before it until a quarter of an hour after its end, by instance: every one if they are few and recent,
    /// or else the peaks of minutes or hours.
    pub recording: Vec<RecordingView>,
}

impl IncidentDetailView {
    /// Combines an incident and its recording.
    pub fn new(incident: &Incident, runs: &[SampleRun]) -> Self {
        IncidentDetailView {
            incident: IncidentView::from(incident),
            recording: runs.iter().map(RecordingView::from).collect(),
        }
    }
}

/// Samples of one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Recording")]
pub struct RecordingView {
    /// The instance's id.
    #[schemars(with = "String", regex(pattern = "^[0-9a-f]{16}$"))]
    pub instance: InstanceId,
    /// The names of the columns of `samples`; figures of memory are bytes, those of latency milliseconds.
    #[schemars(schema_with = "schema::sample_columns")]
    pub columns: Vec<String>,
    /// The samples, oldest first.
    pub samples: Vec<SampleRow>,
}

impl From<&SampleRun> for RecordingView {
    fn from(run: &SampleRun) -> Self {
        RecordingView {
            instance: run.instance,
            columns: sample_columns(),
            samples: run.series.samples.iter().map(SampleRow::from).collect(),
        }
    }
}

/// A page of incidents, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "IncidentsPage")]
pub struct IncidentListView {
    /// The incidents.
    pub incidents: Vec<IncidentView>,
    /// The path of the next page; `null` on the last one.
    pub next: Option<String>,
}

impl IncidentListView {
    /// Builds a page of the first `limit` of `incidents`, which are newest first. The path of the next page names the last incident of
    /// this page, so that an incident that opens meanwhile does not shift the pages.
    pub fn page(mut incidents: Vec<IncidentView>, limit: usize) -> Self {
        let more = incidents.len() > limit;
        incidents.truncate(limit);
        let next = incidents.last().filter(|_| more).map(|last| next_page_path(limit, &last.id));
        IncidentListView { incidents, next }
    }
}

/// Returns the path of the page that follows the incident `last`.
pub fn next_page_path(limit: usize, last: &IncidentId) -> String {
    format!("/api/v1/incidents?limit={limit}&before={last}")
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::UnixMillis;

    use super::*;

    #[test]
    fn a_page_has_the_path_of_the_next_one() {
        let incident = |id: &str| IncidentView {
            id: id.parse().unwrap(),
            monitor: "api".parse().unwrap(),
            severity: Severity::Down,
            current: Some(Severity::Down),
            durations: Vec::new(),
            opened: Timestamp(UnixMillis(0)),
            closed: None,
            cause: String::new(),
            cause_code: String::new(),
            cause_params: Params::new(),
            evidence: Vec::new(),
            evidence_statements: Vec::new(),
            acknowledged: false,
            inhibited_by: None,
            timeline: Vec::new(),
        };
        let all = || ["api-30", "api-20", "web-20", "api-10"].map(incident).to_vec();
        let page = IncidentListView::page(all(), 2);
        assert_eq!(page.incidents, [incident("api-30"), incident("api-20")]);
        assert_eq!(page.next.as_deref(), Some("/api/v1/incidents?limit=2&before=api-20"));
        assert_eq!(IncidentListView::page(all(), 4).next, None);
        let empty = serde_json::to_string(&IncidentListView::page(Vec::new(), 50)).unwrap();
        assert_eq!(empty, r#"{"incidents":[],"next":null}"#);
    }
}
