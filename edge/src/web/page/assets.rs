//! The addresses of the style sheet and the script. The platform serves these files from `edge/assets`, without the Worker.

use heapbeat_shared::fnv::fnv1a;

/// The hash of the style sheet. Only the hash is compiled in.
const STYLESHEET_HASH: u64 = fnv1a(include_bytes!("../../../assets/style.css"));

/// Returns the address of the style sheet. It changes with the content, so browsers may cache it for ever.
pub(super) fn stylesheet() -> String {
    format!("/style.css?{STYLESHEET_HASH:016x}")
}

/// The hash of the script.
const SCRIPT_HASH: u64 = fnv1a(include_bytes!("../../../assets/page.js"));

/// Returns the address of the script.
pub(super) fn script() -> String {
    format!("/page.js?{SCRIPT_HASH:016x}")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::domain::State;
    use crate::web::page::sparkline;

    fn color(state: State) -> &'static str {
        match state {
            State::Up => "#1a7f4b",
            State::Degraded => "#9a6700",
            State::Down => "#c93434",
            State::Waking | State::Maintenance => "#3b6fd4",
            State::Unobserved => "#6b7280",
        }
    }

    #[test]
    fn every_file_exists_and_icons_have_the_shapes_and_colors_of_the_page() {
        let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
        for path in [stylesheet(), script()] {
            assert!(assets.join(path.split('?').next().unwrap().trim_start_matches('/')).is_file(), "{path}");
        }
        for state in State::ALL {
            let color = color(state);
            let name = state.as_str();
            let file = std::fs::read_to_string(assets.join(format!("icons/{name}.svg"))).unwrap();
            let icon = sparkline::icon(state).to_string();
            let path = icon.split(" d=").nth(1).unwrap().split('/').next().unwrap();
            assert!(file.contains(path) && file.contains(color), "the icon of {name} differs");
        }
    }
}
