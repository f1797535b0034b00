//! Priorities of requests: which are shed first.

/// Priority of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Refused twice as often as normal requests: reports, exports, crawlers.
    Low,
    /// The default.
    #[default]
    Normal,
    /// Refused only if more than half of all requests must be.
    High,
    /// Never refused: health checks, administration.
    Critical,
}

impl Priority {
    /// Returns the share of requests of this priority to refuse if `share` thousandths of all must be.
    pub(super) fn share(self, share: u16) -> u16 {
        match self {
            Priority::Low => share.saturating_mul(2).min(1000),
            Priority::Normal => share.min(1000),
            Priority::High => share.saturating_mul(2).saturating_sub(1000).min(1000),
            Priority::Critical => 0,
        }
    }
}

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
    fn higher_priorities_are_refused_later() {
        // Share of all requests, then the shares of low, normal, high and critical.
        let cases = [
            (0, [0, 0, 0, 0]),
            (250, [500, 250, 0, 0]),
            (500, [1000, 500, 0, 0]),
            (750, [1000, 750, 500, 0]),
            (1000, [1000, 1000, 1000, 0]),
        ];
        for (share, expected) in cases {
            let shares =
                [Priority::Low, Priority::Normal, Priority::High, Priority::Critical].map(|p| p.share(share));
            assert_eq!(shares, expected, "{share}");
        }
    }

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
