//! Files that a browser fetches besides the page, under names that change with their content.

use crate::watch::State;

const STYLESHEET: &[u8] = include_bytes!("../../assets/style.css");

/// A file for a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its media type.
    pub content_type: &'static str,
    /// Its content.
    pub body: Vec<u8>,
    /// What it may be kept for: for ever where the name has the content in it, else an hour.
    pub cache_control: &'static str,
}

/// FNV-1a in 64 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>), computed by the compiler.
const fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut index = 0;
    while index < bytes.len() {
        hash = (hash ^ bytes[index] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        index += 1;
    }
    hash
}

const STYLESHEET_HASH: u64 = fnv1a(STYLESHEET);

/// Where the style sheet is.
pub(super) fn stylesheet() -> String {
    format!("/assets/style-{STYLESHEET_HASH:016x}.css")
}

/// Where the icon for a state is.
pub(super) fn favicon(state: State) -> String {
    format!("/assets/{}.svg", state.as_str())
}

/// The file at `path`, if it is one of ours.
pub fn asset(path: &str) -> Option<Asset> {
    if path == stylesheet() {
        return Some(Asset {
            content_type: "text/css; charset=utf-8",
            body: STYLESHEET.to_vec(),
            cache_control: "public, max-age=31536000, immutable",
        });
    }
    let state = State::ALL.into_iter().find(|state| path == favicon(*state))?;
    Some(Asset {
        content_type: "image/svg+xml",
        body: icon(state).into_bytes(),
        cache_control: "public, max-age=3600",
    })
}

/// The state's shape in white on its colour.
fn icon(state: State) -> String {
    let colour = match state {
        State::Up => "#1a7f4b",
        State::Degraded => "#9a6700",
        State::Down => "#c93434",
        State::Waking | State::Maintenance => "#3b6fd4",
        State::Unobserved => "#6b7280",
    };
    let path = super::words::icon(state);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="-4 -4 24 24"><circle cx="8" cy="8" r="12" fill="{colour}"/><path d="{path}" fill="none" stroke="#fff" stroke-width="2.5" stroke-linecap="round" stroke-linejoin="round"/></svg>"##
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ours_are_served() {
        assert_eq!(asset(&stylesheet()).unwrap().content_type, "text/css; charset=utf-8");
        for state in State::ALL {
            assert!(asset(&favicon(state)).unwrap().body.starts_with(b"<svg"));
        }
        for path in [
            "/assets/",
            "/assets/style.css",
            "/assets/../status.html",
            "/assets/style-0000000000000000.css",
            "/",
        ] {
            assert_eq!(asset(path), None, "{path}");
        }
    }

    /// The published test vectors of FNV-1a.
    #[test]
    fn the_hash_is_fnv() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
