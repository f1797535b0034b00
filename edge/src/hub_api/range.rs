//! Windows of time in requests.

use heapbeat_shared::UnixMillis;
use serde::{Deserialize, Serialize};

/// A window. The end is the present unless it is given; the default of the beginning depends on the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TimeRange {
    /// The first instant.
    pub from: Option<UnixMillis>,
    /// The end.
    pub to: Option<UnixMillis>,
}

/// The window of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PageRange {
    /// A window that ends now.
    Named(NamedRange),
    /// Any other window.
    Between {
        /// The first instant.
        from: UnixMillis,
        /// The end, which is later.
        to: UnixMillis,
    },
}

impl Default for PageRange {
    fn default() -> Self {
        PageRange::Named(NamedRange::Day)
    }
}

/// A window of a page that ends now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NamedRange {
    /// One hour.
    Hour,
    /// 24 hours.
    Day,
    /// 7 days.
    Week,
    /// 30 days.
    Month,
    /// 90 days.
    Quarter,
}

impl NamedRange {
    /// Every window, shortest first.
    pub const ALL: [NamedRange; 5] =
        [NamedRange::Hour, NamedRange::Day, NamedRange::Week, NamedRange::Month, NamedRange::Quarter];

    /// Returns the name in the query of a page.
    pub const fn as_str(self) -> &'static str {
        match self {
            NamedRange::Hour => "1h",
            NamedRange::Day => "24h",
            NamedRange::Week => "7d",
            NamedRange::Month => "30d",
            NamedRange::Quarter => "90d",
        }
    }

    /// Returns the window of this name.
    pub fn parse(name: &str) -> Option<Self> {
        NamedRange::ALL.into_iter().find(|range| range.as_str() == name)
    }

    /// Returns the length in hours.
    pub const fn hours(self) -> i64 {
        match self {
            NamedRange::Hour => 1,
            NamedRange::Day => 24,
            NamedRange::Week => 168,
            NamedRange::Month => 720,
            NamedRange::Quarter => 2160,
        }
    }
}
