//! Which requests are refused first.

/// How dear a request is to the owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Refused twice as eagerly as the rest: reports, exports, crawlers.
    Low,
    /// What is not said otherwise.
    #[default]
    Normal,
    /// Refused only when more than half of all requests have to be.
    High,
    /// Never refused: health, admin.
    Vital,
}

impl Priority {
    /// The share of requests of this priority to refuse, when `share` thousandths of all are to be.
    pub(super) fn share(self, share: u16) -> u16 {
        match self {
            Priority::Low => share.saturating_mul(2).min(1000),
            Priority::Normal => share.min(1000),
            Priority::High => share.saturating_mul(2).saturating_sub(1000).min(1000),
            Priority::Vital => 0,
        }
    }
}

/// Priorities by path prefix; the longest prefix that fits wins.
#[derive(Clone, Debug)]
pub struct Priorities {
    /// Longest prefix first.
    prefixes: Vec<(String, Priority)>,
}

impl Default for Priorities {
    /// `/health` and what is below it is vital, the rest normal.
    fn default() -> Self {
        Priorities { prefixes: Vec::new() }.with("/health", Priority::Vital)
    }
}

impl Priorities {
    /// The same, and `prefix` (a whole path segment or more: `/admin` covers `/admin` and `/admin/x`, not
    /// `/administer`) has `priority`.
    #[must_use]
    pub fn with(mut self, prefix: &str, priority: Priority) -> Self {
        let prefix = prefix.trim_end_matches('/').to_owned();
        self.prefixes.retain(|(known, _)| *known != prefix);
        self.prefixes.push((prefix, priority));
        self.prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        self
    }

    /// The priority of a request for `path`.
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
    fn the_dear_are_refused_last() {
        // share, then what low, normal, high and vital make of it
        let cases = [
            (0, [0, 0, 0, 0]),
            (250, [500, 250, 0, 0]),
            (500, [1000, 500, 0, 0]),
            (750, [1000, 750, 500, 0]),
            (1000, [1000, 1000, 1000, 0]),
        ];
        for (share, expected) in cases {
            let shares =
                [Priority::Low, Priority::Normal, Priority::High, Priority::Vital].map(|p| p.share(share));
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
            ("/health", Priority::Vital),
            ("/health/live", Priority::Vital),
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
