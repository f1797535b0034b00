//! A cache of the rendered metrics, so that frequent scrapes do not render them each time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use heapbeat_shared::openmetrics::Format;
use tokio::time::Instant;

/// Time for which rendered metrics are served again.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// The metrics that were rendered last.
#[derive(Debug, Default)]
pub(super) struct MetricsCache(Mutex<Option<(Instant, Format, Bytes)>>);

impl MetricsCache {
    /// Returns the cached text if it is fresh and has this format, else renders it. The cache is locked meanwhile, so that concurrent
    /// requests wait and get the same text.
    pub(super) fn get_or_render(&self, format: Format, render: impl FnOnce() -> String) -> Bytes {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some((at, written, body)) = &*last
            && *written == format
            && now.saturating_duration_since(*at) < FRESH_FOR
        {
            return body.clone();
        }
        let body = Bytes::from(render());
        *last = Some((now, format, body.clone()));
        body
    }
}
