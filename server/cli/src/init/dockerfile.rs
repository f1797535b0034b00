//! The instruction of a Dockerfile that starts the program.

use std::collections::VecDeque;

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
    let escape = escape_character(text);
    let mut found: [Option<(usize, &str)>; 2] = [None, None];
    let mut is_continued = false;
    // The words that end the documents in the lines that follow.
    let mut documents: VecDeque<&str> = VecDeque::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let (trimmed, began) = (line.trim_end(), at);
        at += line.len();
        if let Some(end) = documents.front() {
            if trimmed.trim_start_matches('\t') == *end {
                documents.pop_front();
            }
            continue;
        }
        // A comment, or an empty line, ends no instruction.
        if trimmed.is_empty() || trimmed.trim_start().starts_with('#') {
            continue;
        }
        documents.extend(find_documents(trimmed, &text[at..]));
        // `HEALTHCHECK … \` is often followed by a line that begins with `CMD`.
        if std::mem::replace(&mut is_continued, trimmed.ends_with(escape)) {
            continue;
        }
        for (slot, name) in NAMES.iter().enumerate() {
            if strip_name(trimmed, name).is_some() {
                found[slot] = Some((began, trimmed));
            }
        }
        // What the stages before the last one start does not matter.
        if strip_name(trimmed, "FROM").is_some() {
            found = [None, None];
        }
    }
    let Some((slot, (at, line))) = found.into_iter().enumerate().find_map(|(slot, it)| Some((slot, it?)))
    else {
        return Ok(None);
    };
    let name = NAMES[slot];
    let rest = strip_name(line, name).unwrap_or_default();
    if rest.ends_with(escape) || rest.starts_with("<<") {
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

/// Returns the character at the end of a line that goes on in the next one, which a directive before the first instruction can set.
fn escape_character(text: &str) -> char {
    let directives = text.lines().map_while(|line| line.trim_start().strip_prefix('#'));
    let is_set = directives
        .filter_map(|line| line.split_once('='))
        .any(|(name, value)| name.trim().eq_ignore_ascii_case("escape") && value.trim() == "`");
    if is_set { '`' } else { '\\' }
}

/// Returns the words that end the documents (`RUN <<END`) of an instruction. One that ends nowhere in what follows begins no document.
fn find_documents<'text>(line: &'text str, following: &str) -> Vec<&'text str> {
    let ends = line.split_whitespace().filter_map(|word| {
        let end = word.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix("<<")?;
        let end = end.strip_prefix('-').unwrap_or(end).trim_matches(['"', '\'']);
        (!end.is_empty() && !end.contains('<')).then_some(end)
    });
    ends.filter(|end| following.lines().any(|line| line.trim_end().trim_start_matches('\t') == *end))
        .collect()
}

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
            (
                "FROM a\nCMD a\nHEALTHCHECK --interval=5s \\\n  # often\n\n  CMD curl localhost\n",
                Some(("CMD", Command::Shell("a".to_owned()))),
            ),
            (
                "FROM a\nHEALTHCHECK \\\n  CMD curl localhost\nCMD a",
                Some(("CMD", Command::Shell("a".to_owned()))),
            ),
            ("FROM a\nCMD a\nRUN <<-'END' sh\nCMD b\n\tEND\n", Some(("CMD", Command::Shell("a".to_owned())))),
            (
                "FROM a\nCOPY <<A <<B /\nCMD x\nA\nCMD y\nB\nCMD b",
                Some(("CMD", Command::Shell("b".to_owned()))),
            ),
            ("FROM a\nRUN echo $((1 <<2 ))\nCMD a", Some(("CMD", Command::Shell("a".to_owned())))),
            ("# escape=`\nFROM a\nRUN dir c:\\\nCMD a", Some(("CMD", Command::Shell("a".to_owned())))),
            ("FROM a\n# not continued \\\nCMD a", Some(("CMD", Command::Shell("a".to_owned())))),
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
