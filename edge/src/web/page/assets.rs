//! Files that a browser fetches besides the page. The platform serves them from `edge/assets`, without the Worker.

use crate::domain::fnv::fnv1a;

/// Of the style sheet's content: only this is compiled in.
const STYLESHEET_HASH: u64 = fnv1a(include_bytes!("../../../assets/style.css"));

/// Where the style sheet is. It may be kept for ever under this address, as another content has another one.
pub(super) fn stylesheet() -> String {
    format!("/style.css?{STYLESHEET_HASH:016x}")
}

/// Of the script's.
const SCRIPT_HASH: u64 = fnv1a(include_bytes!("../../../assets/page.js"));

/// Where the script is.
pub(super) fn script() -> String {
    format!("/page.js?{SCRIPT_HASH:016x}")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::domain::State;
    use crate::web::page::sparkline;

    fn colour(state: State) -> &'static str {
        match state {
            State::Up => "#1a7f4b",
            State::Degraded => "#9a6700",
            State::Down => "#c93434",
            State::Waking | State::Maintenance => "#3b6fd4",
            State::Unobserved => "#6b7280",
        }
    }

    #[test]
    fn what_is_named_is_there() {
        let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
        for path in [stylesheet(), script()] {
            assert!(assets.join(path.split('?').next().unwrap().trim_start_matches('/')).is_file(), "{path}");
        }
        for state in State::ALL {
            let colour = colour(state);
            let state = state.as_str();
            let file = std::fs::read_to_string(assets.join(format!("icons/{state}.svg"))).unwrap();
            let mut icon = String::new();
            sparkline::icon(state, &mut icon);
            let path = icon.split(" d=").nth(1).unwrap().split('/').next().unwrap();
            assert!(file.contains(path) && file.contains(colour), "the icon of {state} is another");
        }
    }
}
