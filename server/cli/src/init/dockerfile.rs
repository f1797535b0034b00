//! The instruction of a Dockerfile that starts the program.

use super::command::Command;

/// An instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    /// `CMD` or `ENTRYPOINT`.
    pub(super) name: &'static str,
    pub(super) command: Command,
    /// The byte at which its line begins.
    pub(super) at: usize,
    /// Its line, without the end of the line.
    pub(super) line: String,
}

/// Finds what has to start heapbeat: the last `ENTRYPOINT`, behind which `CMD` is its arguments, or else the last `CMD`.
///
/// # Errors
///
/// The line that has a form which is not changed here.
pub(super) fn find_start(text: &str) -> Result<Option<Instruction>, String> {
    let mut found: [Option<(usize, &str)>; 2] = [None, None];
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_end();
        for (slot, name) in NAMES.iter().enumerate() {
            if strip_name(trimmed, name).is_some() {
                found[slot] = Some((at, trimmed));
            }
        }
        // What the stages before the last one start does not matter.
        if strip_name(trimmed, "FROM").is_some() {
            found = [None, None];
        }
        at += line.len();
    }
    let Some((slot, (at, line))) = found.into_iter().enumerate().find_map(|(slot, it)| Some((slot, it?)))
    else {
        return Ok(None);
    };
    let name = NAMES[slot];
    let rest = strip_name(line, name).unwrap_or_default();
    if rest.ends_with('\\') || rest.starts_with("<<") {
        return Err(format!("{name} of Dockerfile goes on in the next line"));
    }
    let command = match serde_json::from_str::<Vec<String>>(rest) {
        Ok(words) => Command::List(words),
        Err(_) => Command::Shell(rest.to_owned()),
    };
    Ok(Some(Instruction { name, command, at, line: line.to_owned() }))
}

/// The instructions that start something, the one that counts first.
const NAMES: [&str; 2] = ["ENTRYPOINT", "CMD"];

/// Returns what follows the name of an instruction, which is written in any case.
fn strip_name<'line>(line: &'line str, name: &str) -> Option<&'line str> {
    let line = line.trim_start();
    let (found, rest) = line.split_once(char::is_whitespace)?;
    found.eq_ignore_ascii_case(name).then(|| rest.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instruction_that_starts_the_program_is_found() {
        let list = |words: &[&str]| Command::List(words.iter().map(|word| (*word).to_owned()).collect());
        let cases = [
            ("FROM a\nCMD [\"node\", \"a.js\"]\n", Some(("CMD", list(&["node", "a.js"])))),
            ("FROM a\nCMD node a.js\r\n", Some(("CMD", Command::Shell("node a.js".to_owned())))),
            ("FROM a\ncmd node a.js", Some(("CMD", Command::Shell("node a.js".to_owned())))),
            ("FROM a\nENTRYPOINT [\"node\"]\nCMD [\"a.js\"]", Some(("ENTRYPOINT", list(&["node"])))),
            ("FROM a\nENTRYPOINT [\"make\"]\nFROM b\nCMD [\"node\"]", Some(("CMD", list(&["node"])))),
            ("FROM a\nCMD [\"a\"]\nCMD [\"b\"]", Some(("CMD", list(&["b"])))),
            ("FROM a\n# CMD node a.js\nRUN echo CMD\n", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let found = find_start(text).unwrap();
            assert_eq!(found.as_ref().map(|it| (it.name, it.command.clone())), expected, "{text}");
            if let Some(it) = found {
                assert!(text[it.at..].starts_with(&it.line), "{text}");
            }
        }
        for text in ["FROM a\nCMD node \\\n  a.js", "FROM a\nENTRYPOINT <<END\na\nEND"] {
            find_start(text).unwrap_err();
        }
    }
}
