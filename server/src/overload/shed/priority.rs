//! Priorities of requests: which are shed first.

pub use heapbeat_connection::Priority;

/// Priorities by path prefix; the longest matching prefix wins.
#[derive(Clone, Debug)]
pub struct Priorities {
    /// Longest prefix first.
    prefixes: Vec<(String, Priority)>,
}

impl Default for Priorities {
    /// `/health` and all paths below it are critical, all others normal.
    fn default() -> Self {
        Priorities { prefixes: Vec::new() }.with("/health", Priority::Critical)
    }
}

impl Priorities {
    /// Sets the priority of a prefix of whole path segments: `/admin` covers `/admin` and `/admin/x`, but not `/administer`.
    #[must_use]
    pub fn with(mut self, prefix: &str, priority: Priority) -> Self {
        let prefix = prefix.trim_end_matches('/').to_owned();
        self.prefixes.retain(|(known, _)| *known != prefix);
        self.prefixes.push((prefix, priority));
        self.prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        self
    }

    /// Returns the priority of a request for `path`.
    pub fn of(&self, path: &str) -> Priority {
        let below = |prefix: &str| {
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.prefixes
            .iter()
            .find(|(prefix, _)| below(prefix))
            .map_or(Priority::Normal, |(_, priority)| *priority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_of_whole_segments_wins() {
        let priorities = Priorities::default()
            .with("/api", Priority::High)
            .with("/api/export/", Priority::Low)
            .with("/", Priority::Normal);
        let cases = [
            ("/health", Priority::Critical),
            ("/health/live", Priority::Critical),
            ("/healthy", Priority::Normal),
            ("/api", Priority::High),
            ("/api/users", Priority::High),
            ("/apis", Priority::Normal),
            ("/api/export", Priority::Low),
            ("/api/export/7", Priority::Low),
            ("/", Priority::Normal),
        ];
        for (path, priority) in cases {
            assert_eq!(priorities.of(path), priority, "{path}");
        }
    }
}
