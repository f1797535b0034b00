//! What commands print of texts that other machines and strangers' files have.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write as _};

use heapbeat_shared::text::single_line;

/// Prints a document, such as a response of the edge, on standard output.
pub(crate) fn print_document(text: &str) {
    let output = io::stdout();
    let is_terminal = output.is_terminal();
    let _ = output.lock().write_all(for_output(text, is_terminal).as_bytes());
}

/// Returns a document as it is written: a terminal gets no character that it would obey. Names of monitors may have some, and strings of
/// JSON as well, where only the first 32 have to be escaped.
fn for_output(text: &str, is_terminal: bool) -> Cow<'_, str> {
    if !is_terminal {
        return text.into();
    }
    text.lines().map(|line| single_line(line) + "\n").collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_no_character_that_it_would_obey() {
        let text = "name = \"a\u{9b}31m\u{202e}b\"\nurl = \"x\"\n";
        assert_eq!(for_output(text, false), text);
        assert_eq!(for_output(text, true), "name = \"a 31m b\"\nurl = \"x\"\n");
    }
}
