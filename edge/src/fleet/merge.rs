//! Merging the responses of all hubs into one. Pure.

use heapbeat_shared::Statement;
use heapbeat_shared::statement::Param;

use crate::domain::State;
use crate::domain::check::state::overall;
use crate::hub_api::HubResponse;
use crate::view::{
    ChannelsView, EdgeView, IncidentSummaryView, IncidentView, MaintenanceView, StatusPageView, StatusView,
    TranslationView,
};

/// Merges the statuses, or the data of the status page, of all hubs. The result has the kind of the first; `None` if there is none.
pub(crate) fn merge_statuses(responses: Vec<HubResponse>) -> Option<HubResponse> {
    responses.into_iter().reduce(|merged, response| match (merged, response) {
        (HubResponse::StatusPage(mut page), HubResponse::StatusPage(other)) => {
            merge_page(&mut page, other);
            HubResponse::StatusPage(page)
        }
        (HubResponse::StatusPage(mut page), HubResponse::Status(other)) => {
            merge_status(&mut page.status, other);
            HubResponse::StatusPage(page)
        }
        (HubResponse::Status(mut status), HubResponse::Status(other)) => {
            merge_status(&mut status, other);
            HubResponse::Status(status)
        }
        (merged, _) => merged,
    })
}

/// Merges the incidents of all hubs, newest first, and those of one second by the monitor's id.
pub(super) fn merge_incidents(lists: impl IntoIterator<Item = HubResponse>) -> Vec<IncidentView> {
    let mut all = Vec::new();
    for list in lists {
        if let HubResponse::Incidents(list) = list {
            all.extend(list);
        }
    }
    all.sort_by(|a, b| b.id.opened.cmp(&a.id.opened).then_with(|| a.monitor.cmp(&b.monitor)));
    all
}

/// Merges what all hubs say of the alert channels.
pub(super) fn merge_channels(lists: impl IntoIterator<Item = HubResponse>) -> ChannelsView {
    let mut merged = ChannelsView::default();
    for list in lists {
        let HubResponse::Channels(list) = list else { continue };
        for channel in list.channels {
            match merged.channels.iter_mut().find(|known| known.channel == channel.channel) {
                Some(known) => known.merge(channel),
                None => merged.channels.push(channel),
            }
        }
    }
    merged
}

/// Returns the status in place of a hub whose monitors are not known.
pub(super) fn unknown_status() -> StatusView {
    let notice = Statement::unknown_hub_unresponsive();
    StatusView {
        status: State::Unobserved,
        updated: None,
        monitors: Vec::new(),
        problems: Vec::new(),
        notice_statements: vec![TranslationView::from(&notice)],
        notices: vec![notice.text],
        maintenance: Vec::new(),
        edge: EdgeView { hubs: 1, silent_hubs: 1, ..EdgeView::default() },
    }
}

fn merge_page(page: &mut StatusPageView, other: StatusPageView) {
    page.now = page.now.max(other.now);
    page.memory_days.extend(other.memory_days);
    page.incidents.extend(other.incidents);
    let order = |a: &IncidentSummaryView, b: &IncidentSummaryView| b.opened.cmp(&a.opened);
    page.incidents.sort_by(order);
    merge_status(&mut page.status, other.status);
}

/// Adds the status of another hub: its monitors, the problems and notices that are new, the worst state, the latest instant.
fn merge_status(status: &mut StatusView, other: StatusView) {
    let both = [status.status, other.status];
    status.updated = status.updated.max(other.updated);
    status.monitors.extend(other.monitors);
    merge_edge(&mut status.edge, &other.edge);
    let is_unwatched = status.edge.silent_hubs > 0 || status.monitors.iter().any(|monitor| monitor.unwatched);
    status.status = overall(both, is_unwatched);
    add_new(&mut status.problems, other.problems);
    for (text, statement) in other.notices.into_iter().zip(other.notice_statements) {
        merge_notice(status, text, statement);
    }
    for window in other.maintenance {
        merge_maintenance(&mut status.maintenance, window);
    }
}

/// The notices that count monitors of one hub, and since when.
const COUNTED: [fn(u64, &str) -> Statement; 5] = [
    Statement::unwatched_requests,
    Statement::unwatched_time,
    Statement::unwatched_configuration,
    Statement::unwatched_platform,
    Statement::unwatched_no_tick,
];

/// Adds a notice of another hub. Notices that count monitors for the same reason become one, with the sum and the earlier time.
fn merge_notice(status: &mut StatusView, text: String, statement: TranslationView) {
    let known = status.notice_statements.iter().position(|known| known.code == statement.code);
    let both =
        known.and_then(|index| Some((index, add_counts(&status.notice_statements[index], &statement)?)));
    if let Some((index, sum)) = both {
        status.notice_statements[index] = TranslationView::from(&sum);
        status.notices[index] = sum.text;
    } else if !status.notices.contains(&text) {
        status.notices.push(text);
        status.notice_statements.push(statement);
    }
}

/// Returns the notice for the monitors of two; `None` if they count none.
fn add_counts(one: &TranslationView, other: &TranslationView) -> Option<Statement> {
    let read = |view: &TranslationView| match (view.params.get("count")?, view.params.get("since_time")?) {
        (Param::Number(count), Param::Text(since)) => Some((u64::try_from(*count).ok()?, since.clone())),
        _ => None,
    };
    let ((count, since), (more, then)) = (read(one)?, read(other)?);
    // Times of this form are ordered as texts.
    let sum = |make: &fn(u64, &str) -> Statement| make(count.saturating_add(more), since.as_str().min(&then));
    COUNTED.iter().map(sum).find(|sum| sum.code == one.code)
}

fn add_new<T: PartialEq>(list: &mut Vec<T>, more: Vec<T>) {
    for item in more {
        if !list.contains(&item) {
            list.push(item);
        }
    }
}

/// Adds announced maintenance. Each hub lists a window with its own monitors only, so windows with the same id and beginning are
/// one window with all of them.
fn merge_maintenance(list: &mut Vec<MaintenanceView>, window: MaintenanceView) {
    match list.iter_mut().find(|known| known.id == window.id && known.from == window.from) {
        Some(known) => {
            if let (Some(monitors), Some(more)) = (&mut known.monitors, window.monitors) {
                monitors.extend(more);
            }
        }
        None => list.push(window),
    }
}

fn merge_edge(edge: &mut EdgeView, other: &EdgeView) {
    *edge = EdgeView {
        day: edge.day.max(other.day),
        ticks: edge.ticks.max(other.ticks),
        ticks_missed: edge.ticks_missed.max(other.ticks_missed),
        max_tick_delay_ms: edge.max_tick_delay_ms.max(other.max_tick_delay_ms),
        requests: edge.requests.saturating_add(other.requests),
        reader_requests: edge.reader_requests.saturating_add(other.reader_requests),
        rows_read: edge.rows_read.saturating_add(other.rows_read),
        reader_rows_read: edge.reader_rows_read.saturating_add(other.reader_rows_read),
        rows_written: edge.rows_written.saturating_add(other.rows_written),
        subrequests: edge.subrequests.saturating_add(other.subrequests),
        active_seconds: edge.active_seconds.saturating_add(other.active_seconds),
        max_tick_subrequests: edge.max_tick_subrequests.max(other.max_tick_subrequests),
        min_interval_seconds: edge.min_interval_seconds.max(other.min_interval_seconds),
        hubs: edge.hubs.saturating_add(other.hubs),
        silent_hubs: edge.silent_hubs.saturating_add(other.silent_hubs),
        config_problems: edge.config_problems.saturating_add(other.config_problems),
        failing_channels: edge.failing_channels.max(other.failing_channels),
    };
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::UnixMillis;

    use super::*;
    use crate::domain::snapshot::{MonitorSnapshot, StatusSnapshot};
    use crate::monitor_config::ConfigProblem;
    use crate::view::{ChannelState, ChannelView, Timestamp};

    fn status(state: State, updated: Option<i64>, ids: &[&str], rows: u64, ticks: u64) -> StatusView {
        let monitor =
            |id: &&str| (&MonitorSnapshot { id: (*id).to_owned(), ..MonitorSnapshot::default() }).into();
        StatusView {
            status: state,
            updated: updated.map(|at| Timestamp(UnixMillis(at))),
            monitors: ids.iter().map(monitor).collect(),
            problems: vec![ConfigProblem { position: "ALERTS.ops".into(), reason: "refused".into() }],
            notices: if rows > 1 { vec!["a, b".into()] } else { vec![] },
            notice_statements: if rows > 1 { vec![TranslationView::default()] } else { vec![] },
            edge: EdgeView { ticks, rows_written: rows, hubs: 1, ..EdgeView::default() },
            ..StatusView::from(&StatusSnapshot::default())
        }
    }

    #[test]
    fn notices_that_count_monitors_are_summed_up_and_others_are_listed_once() {
        let noticed = |statements: &[Statement]| StatusView {
            notices: statements.iter().map(|it| it.text.clone()).collect(),
            notice_statements: statements.iter().map(TranslationView::from).collect(),
            ..status(State::Up, Some(60_000), &[], 0, 1)
        };
        let secret =
            |count, minute| Statement::unwatched_configuration(count, &format!("2026-01-31T12:{minute}:00Z"));
        let raised = Statement::interval_raised(5);
        let merged = merge_statuses(vec![
            HubResponse::Status(noticed(&[secret(4, "04"), raised.clone()])),
            HubResponse::Status(noticed(&[secret(4, "04"), raised.clone()])),
            HubResponse::Status(noticed(&[
                Statement::unwatched_time(1, "2026-01-31T12:00:00Z"),
                secret(2, "03"),
            ])),
        ]);
        let Some(HubResponse::Status(merged)) = merged else { panic!("{merged:?}") };
        let expected = [secret(10, "03"), raised, Statement::unwatched_time(1, "2026-01-31T12:00:00Z")];
        assert_eq!(merged.notices, expected.each_ref().map(|it| it.text.clone()));
        assert_eq!(merged.notice_statements, expected.each_ref().map(TranslationView::from));
    }

    #[test]
    fn the_statuses_of_three_hubs_are_merged() {
        let merged = merge_statuses(vec![
            HubResponse::Status(status(State::Up, Some(60_000), &["a", "b"], 3, 10)),
            HubResponse::Status(status(State::Down, Some(120_000), &["c"], 4, 12)),
            HubResponse::Status(status(State::Unobserved, None, &[], 0, 0)),
        ]);
        let Some(HubResponse::Status(merged)) = merged else { panic!("{merged:?}") };
        let ids: Vec<_> = merged.monitors.iter().map(|monitor| monitor.id.as_str()).collect();
        assert_eq!(ids, ["a", "b", "c"]);
        assert_eq!((merged.status, merged.updated), (State::Down, Some(Timestamp(UnixMillis(120_000)))));
        assert_eq!((merged.problems.len(), merged.notices.len(), merged.notice_statements.len()), (1, 1, 1));
        assert_eq!(merged.edge, EdgeView { ticks: 12, rows_written: 7, hubs: 3, ..EdgeView::default() });
        assert_eq!(merge_statuses(Vec::new()), None);
    }

    #[test]
    fn a_channel_is_listed_once_with_the_worst_that_a_hub_says_of_it() {
        let channel = |state, minute: Option<i64>, waiting| ChannelView {
            channel: "ops".into(),
            kind: "slack".into(),
            state,
            reason: minute.map(|minute| format!("status {minute}")),
            since: minute.map(|minute| Timestamp(UnixMillis(minute * 60_000))),
            failures: u32::from(minute.is_some()),
            next_attempt: minute.map(|minute| Timestamp(UnixMillis(minute * 60_000 + 20_000))),
            waiting,
        };
        let of_hub = |one| HubResponse::Channels(ChannelsView { channels: vec![one] });
        let merged = merge_channels([
            of_hub(channel(ChannelState::Working, None, 0)),
            of_hub(channel(ChannelState::Refusing, Some(9), 2)),
            of_hub(channel(ChannelState::Failing, Some(5), 1)),
        ]);
        let expected =
            ChannelView { reason: Some("status 9".into()), ..channel(ChannelState::Refusing, Some(5), 3) };
        assert_eq!(merged.channels, [expected]);
    }

    #[test]
    fn a_maintenance_window_is_listed_once_with_the_monitors_of_all_hubs() {
        let window = |id: &str, monitors: Option<&[&str]>, from: i64| MaintenanceView {
            id: id.parse().unwrap(),
            title: "a],b".into(),
            monitors: monitors.map(|ids| ids.iter().map(|id| id.parse().unwrap()).collect()),
            from: Timestamp(UnixMillis(from)),
            to: Timestamp(UnixMillis(from + 1000)),
        };
        let mut list = Vec::new();
        for added in [
            window("both", Some(&["a", "b"]), 1000),
            window("all", None, 1000),
            window("all", None, 1000),
            window("both", Some(&["c"]), 1000),
            window("both", Some(&["c"]), 2000),
        ] {
            merge_maintenance(&mut list, added);
        }
        let expected = [
            window("both", Some(&["a", "b", "c"]), 1000),
            window("all", None, 1000),
            window("both", Some(&["c"]), 2000),
        ];
        assert_eq!(list, expected);
    }
}
