//! The version of this build.

use std::sync::OnceLock;

/// Returns the version, and the commit if the build was given one (`HEAPBEAT_COMMIT`, or Render's `RENDER_GIT_COMMIT`).
pub(crate) fn version() -> &'static str {
    const COMMIT: Option<&str> = match option_env!("HEAPBEAT_COMMIT") {
        Some(commit) => Some(commit),
        None => option_env!("RENDER_GIT_COMMIT"),
    };
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| match COMMIT.filter(|commit| !commit.is_empty()) {
        Some(commit) => format!("{} ({commit})", env!("CARGO_PKG_VERSION")),
        None => env!("CARGO_PKG_VERSION").to_owned(),
    })
}
