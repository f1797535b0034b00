//! Files that a browser fetches besides the page. The platform serves them from `edge/assets`, without the Worker.

use crate::watch::State;

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

/// Of the style sheet's content: only this is compiled in.
const STYLESHEET_HASH: u64 = fnv1a(include_bytes!("../../assets/style.css"));

/// Where the style sheet is. It may be kept for ever under this address, as another content has another one.
pub(super) fn stylesheet() -> String {
    format!("/style.css?{STYLESHEET_HASH:016x}")
}

/// Where the icon for a state is.
pub(super) fn favicon(state: State) -> String {
    format!("/icons/{}.svg", state.as_str())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::page::words;

    #[test]
    fn what_is_named_is_there() {
        let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
        assert!(assets.join(stylesheet().split('?').next().unwrap().trim_start_matches('/')).is_file());
        for state in State::ALL {
            let icon = std::fs::read_to_string(assets.join(favicon(state).trim_start_matches('/'))).unwrap();
            assert!(icon.contains(words::icon(state)), "the icon of {} is another", state.as_str());
        }
    }

    /// The published test vectors of FNV-1a.
    #[test]
    fn the_hash_is_fnv() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
