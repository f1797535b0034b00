//! Variables whose names look like that of a setting: a variable that is misspelled would have no effect, and nobody would say so.

use crate::monitor_config::ConfigProblem;

/// The names that the Worker reads, its bindings included.
const KNOWN: &[&str] = &[
    super::MONITORS,
    super::ALERTS,
    super::PAGE,
    super::STATUS_URL,
    super::REFERENCES,
    super::CACHE_TTL,
    super::SUBSCRIPTIONS,
    super::MONITOR_SECRETS,
    super::PLAN,
    super::RDAP,
    super::ALLOW_PRIVATE_TARGETS,
    super::ADMIN_TOKEN,
    super::HEARTBEAT_TOKEN,
    super::MAINTENANCE,
    super::DEFAULT_SECRET,
];

/// Returns a problem for each variable whose name is nearly that of a setting, and not the name of a secret in `used`.
pub(super) fn find_misspelled(names: &[String], used: &[&str]) -> Vec<ConfigProblem> {
    let is_known = |name: &str| {
        KNOWN.contains(&name)
            || super::VARIABLES.contains(&name)
            || used.contains(&name)
            // Secrets of jobs, and of applied monitors.
            || name.strip_prefix(super::HEARTBEAT_TOKEN).is_some_and(|rest| rest.starts_with('_'))
            || name.starts_with(super::APPLIED_PREFIX)
    };
    let problem = |name: &String| {
        let meant = nearest(name)?;
        let reason = format!("is no setting of the edge, so it has no effect; did you mean `{meant}`?");
        Some(ConfigProblem { position: name.clone(), reason })
    };
    names.iter().filter(|name| !is_known(name)).filter_map(problem).collect()
}

/// Returns the setting whose name differs in at most two letters, and in at most a third of them. Case and `-` do not count.
fn nearest(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_uppercase().replace('-', "_");
    let distances = KNOWN.iter().map(|known| (strsim::levenshtein(&name, known), *known));
    let (distance, known) = distances.min()?;
    (distance <= (known.len() / 3).min(2)).then_some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_variable_is_recognized() {
        let cases = [
            ("MONITOR", Some("MONITORS")),
            ("monitors", Some("MONITORS")),
            ("ALERT", Some("ALERTS")),
            ("MAINTENACE", Some("MAINTENANCE")),
            ("STATUS-URL", Some("STATUS_URL")),
            ("Page", Some("PAGE")),
            ("HEARTBEAT_SECRET", Some("HEAPBEAT_SECRET")),
            ("HEARTBEAT_TOKEN_A", None),
            ("MONITOR_A", None),
            ("MONITORS", None),
            ("VAPID_SUBJECT", None),
            ("HUB", None),
            ("SLACK_URL", None),
            // The name of a secret that a channel uses.
            ("PAGER", None),
        ];
        for (name, expected) in cases {
            let found = find_misspelled(&[name.to_owned()], &["PAGER"]);
            let meant = expected.map(|meant| {
                let reason =
                    format!("is no setting of the edge, so it has no effect; did you mean `{meant}`?");
                ConfigProblem { position: name.to_owned(), reason }
            });
            assert_eq!(found, Vec::from_iter(meant), "{name}");
        }
    }
}
