//! Every path that there is, and what may be done there. Pure.
//!
//! One list, so that a 405 can say what is allowed, so that a path that looks like another is none, and so that a test can
//! hold the documented API against it.

/// What a path is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Route {
    /// The page.
    Page,
    /// A monitor's page.
    MonitorPage,
    /// An incident's page.
    IncidentPage,
    /// The picture that goes with a link to the page.
    Preview,
    /// Everything that holds now.
    Status,
    /// One monitor of it.
    Monitor,
    /// A monitor's uptime in a window.
    Uptime,
    /// A monitor's memory.
    Memory,
    /// How long its answers took.
    Latency,
    /// Its last ninety days.
    Days,
    /// Memory of the present version and of the one before.
    Versions,
    /// Incidents, newest first.
    Incidents,
    /// One incident and what was recorded before it.
    Incident,
    /// A badge.
    Badge,
    /// The same for shields.io.
    Shield,
    /// For Prometheus.
    Metrics,
    /// Incidents and announced work.
    Atom,
    /// The same.
    Rss,
    /// Announced work.
    Calendar,
    /// The status with what the public may not see.
    AdminStatus,
    /// The applied monitors.
    AdminMonitors,
    /// Announced work.
    AdminMaintenance,
    /// What somebody does to an incident.
    AdminIncident,
    /// The history, to be carried away.
    Export,
    /// And back.
    Import,
    /// A job tells.
    Heartbeat,
    /// Anybody wants to be told, or no more.
    Subscriptions,
    /// Who is told.
    AdminSubscriptions,
}

/// A method of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// `GET`, and `HEAD` with it.
    Get,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// `DELETE`.
    Delete,
}

/// A path: `{id}` stands for one id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    /// As it is written in the documentation.
    pub(crate) template: &'static str,
    /// What may be done there.
    pub(crate) verbs: &'static [Verb],
    /// What it is for.
    pub(crate) route: Route,
}

const fn read(template: &'static str, route: Route) -> Path {
    Path { template, verbs: &[Verb::Get], route }
}

const fn tell(template: &'static str, route: Route) -> Path {
    Path { template, verbs: &[Verb::Post], route }
}

const fn set(template: &'static str, route: Route) -> Path {
    Path { template, verbs: &[Verb::Get, Verb::Put], route }
}

/// Every path.
pub(crate) const PATHS: &[Path] = &[
    read("/", Route::Page),
    read("/monitors/{id}", Route::MonitorPage),
    read("/incidents/{id}", Route::IncidentPage),
    read("/preview.svg", Route::Preview),
    read("/api/v1/status", Route::Status),
    read("/api/v1/monitors/{id}", Route::Monitor),
    read("/api/v1/monitors/{id}/uptime", Route::Uptime),
    read("/api/v1/monitors/{id}/memory", Route::Memory),
    read("/api/v1/monitors/{id}/latency", Route::Latency),
    read("/api/v1/monitors/{id}/days", Route::Days),
    read("/api/v1/monitors/{id}/versions", Route::Versions),
    read("/api/v1/incidents", Route::Incidents),
    read("/api/v1/incidents/{id}", Route::Incident),
    read("/badge/{id}.svg", Route::Badge),
    read("/badge/{id}.json", Route::Shield),
    read("/metrics", Route::Metrics),
    read("/feed.atom", Route::Atom),
    read("/feed.rss", Route::Rss),
    read("/calendar.ics", Route::Calendar),
    read("/api/v1/admin/status", Route::AdminStatus),
    set("/api/v1/admin/monitors", Route::AdminMonitors),
    set("/api/v1/admin/maintenance", Route::AdminMaintenance),
    tell("/api/v1/admin/incidents/{id}", Route::AdminIncident),
    read("/api/v1/admin/export", Route::Export),
    tell("/api/v1/admin/import", Route::Import),
    tell("/api/v1/heartbeats/{id}", Route::Heartbeat),
    Path {
        template: "/api/v1/subscriptions",
        verbs: &[Verb::Post, Verb::Delete],
        route: Route::Subscriptions,
    },
    Path {
        template: "/api/v1/admin/subscriptions",
        verbs: &[Verb::Get, Verb::Delete],
        route: Route::AdminSubscriptions,
    },
];

impl Path {
    /// What stands for `{id}` in `path`, empty where there is none to stand for; `None` where this is another path.
    fn matches<'p>(&self, path: &'p str) -> Option<&'p str> {
        let Some((before, after)) = self.template.split_once("{id}") else {
            return (path == self.template).then_some("");
        };
        let id = path.strip_prefix(before)?.strip_suffix(after)?;
        is_id(id).then_some(id)
    }

    /// The value of `Allow`.
    pub(crate) fn allow(&self) -> &'static str {
        match self.verbs {
            [Verb::Get] => "GET, HEAD, OPTIONS",
            [Verb::Post] => "POST, OPTIONS",
            [Verb::Post, _] => "POST, DELETE, OPTIONS",
            [_, Verb::Delete] => "GET, HEAD, DELETE, OPTIONS",
            _ => "GET, HEAD, PUT, OPTIONS",
        }
    }

    /// Whether anybody may read it.
    pub(crate) fn is_public(&self) -> bool {
        self.verbs == [Verb::Get] && !self.template.starts_with("/api/v1/admin/")
    }
}

/// Whether this can be the id of a monitor or of an incident (a monitor's and a second). Nobody is asked for what cannot.
pub(super) fn is_id(text: &str) -> bool {
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=60).contains(&text.len()) && text.bytes().all(known)
}

/// The path, and the id in it.
pub(crate) fn find(path: &str) -> Option<(&'static Path, &str)> {
    PATHS.iter().find_map(|entry| Some((entry, entry.matches(path)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_what_is_none() {
        let cases = [
            ("/", Some((Route::Page, ""))),
            ("/api/v1/status", Some((Route::Status, ""))),
            ("/api/v1/monitors/api", Some((Route::Monitor, "api"))),
            ("/api/v1/monitors/api/uptime", Some((Route::Uptime, "api"))),
            ("/api/v1/incidents/api-1767225600", Some((Route::Incident, "api-1767225600"))),
            ("/monitors/uptime", Some((Route::MonitorPage, "uptime"))),
            ("/api/v1/status/", None),
            ("//", None),
            ("/api/v1//status", None),
            ("/api/v1/monitors/", None),
            ("/api/v1/monitors//uptime", None),
            ("/api/v1/monitors/API", None),
            ("/api/v1/monitors/a%2fb", None),
            ("/api/v1/monitors/..", None),
            ("/api/v1/monitors/é", None),
            ("/api/v1/monitors/a/b/uptime", None),
            ("/API/v1/status", None),
            ("", None),
        ];
        for (path, expected) in cases {
            assert_eq!(find(path).map(|(entry, id)| (entry.route, id)), expected, "{path}");
        }
        assert!(find(&format!("/monitors/{}", "a".repeat(61))).is_none());
    }

    #[test]
    fn what_is_allowed() {
        let allow = |path| find(path).map(|(entry, _)| (entry.allow(), entry.is_public())).unwrap();
        assert_eq!(allow("/api/v1/status"), ("GET, HEAD, OPTIONS", true));
        assert_eq!(allow("/api/v1/admin/status"), ("GET, HEAD, OPTIONS", false));
        assert_eq!(allow("/api/v1/admin/maintenance"), ("GET, HEAD, PUT, OPTIONS", false));
        assert_eq!(allow("/api/v1/heartbeats/a"), ("POST, OPTIONS", false));
        assert_eq!(allow("/api/v1/subscriptions"), ("POST, DELETE, OPTIONS", false));
        assert_eq!(allow("/api/v1/admin/subscriptions"), ("GET, HEAD, DELETE, OPTIONS", false));
    }
}
