//! What was probably meant by arguments that the command line refuses.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::http_client::suggest_address;

/// Two options that exclude each other, and what to do instead.
const CONFLICTS: [(&str, &str, &str); 5] = [
    (
        "--no-listen",
        "--upstream",
        "leave --no-listen away if the program takes requests at that address, else --upstream",
    ),
    (
        "--shrink-signal",
        "--shrink-command",
        "give one of them; a command can send the signal as well: --shrink-command 'kill -USR1 $HEAPBEAT_PID'",
    ),
    (
        "--url",
        "--pid",
        "--url asks a heapbeat server, --pid measures a process from outside; give one of them",
    ),
    ("--state", "--reachable", "--reachable asks only whether the target answers; leave --state away"),
    ("--json", "--reachable", "--reachable prints nothing, its exit code is the answer; leave --json away"),
];

/// Returns a hint for a refused command line; `command` is the subcommand that was given.
pub(crate) fn hint(error: &clap::Error, command: &str) -> Option<String> {
    let words = |kind| match error.get(kind) {
        Some(ContextValue::String(word)) => vec![word.clone()],
        Some(ContextValue::Strings(words)) => words.clone(),
        _ => Vec::new(),
    };
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let word = words(ContextKind::InvalidArg).into_iter().next()?;
            if word.starts_with('-') { None } else { describe_positional(command, &word) }
        }
        ErrorKind::InvalidSubcommand if error.get(ContextKind::SuggestedSubcommand).is_none() => {
            let word = words(ContextKind::InvalidSubcommand).into_iter().next()?;
            (word == command).then(|| describe_unknown_command(&word))
        }
        ErrorKind::ArgumentConflict => {
            let given: Vec<String> =
                words(ContextKind::InvalidArg).into_iter().chain(words(ContextKind::PriorArg)).collect();
            let is_given = |flag: &str| given.iter().any(|word| word.split(' ').next() == Some(flag));
            let found = CONFLICTS.iter().find(|(one, other, _)| is_given(one) && is_given(other));
            found.map(|(_, _, advice)| (*advice).to_owned())
        }
        _ => None,
    }
}

/// Describes where an argument without an option belongs.
fn describe_positional(command: &str, word: &str) -> Option<String> {
    let is_number = word.parse::<u32>().is_ok();
    let url = || if word.contains("://") { Some(word.to_owned()) } else { suggest_address(word) };
    let usage = |text: String| Some(format!("{text}; `heapbeat {command} --help` lists the options"));
    match command {
        "run" => Some(format!("write `--` before the program: heapbeat run -- {word} …")),
        "serve" if is_number => Some(format!("a port is given with --port: heapbeat serve --port {word}")),
        "recycle" if is_number => {
            Some(format!("a process is given with --pid: heapbeat recycle --pid {word}"))
        }
        "recycle" => usage("recycle asks a server of this machine by the --pid of its supervisor".to_owned()),
        "check-memory" if is_number => Some(format!(
            "a process is given with --pid {word}, a server on this port with --url http://127.0.0.1:{word}"
        )),
        "check-memory" => {
            Some(format!("an address is given with --url: heapbeat check-memory --url {}", url()?))
        }
        "doctor" => Some(format!(
            "an address is given with --url (a server) or --edge (a status page): heapbeat doctor --url {}",
            url()?
        )),
        "alerts" => Some(format!("an address is given with --url: heapbeat alerts test --url {}", url()?)),
        "apply" if word.contains("://") => {
            Some(format!("the address of the edge is given with --url: heapbeat apply --url {} FILE", url()?))
        }
        "forecast" if word.parse::<heapbeat_shared::Bytes>().is_ok() => {
            Some(format!("a limit is given with --limit: heapbeat forecast --limit {word} FILE"))
        }
        "init" => usage("init takes one folder, and finds the start command in the files there".to_owned()),
        _ => None,
    }
}

/// Describes what a word may be that is no subcommand.
fn describe_unknown_command(word: &str) -> String {
    if word.contains("://") {
        return format!(
            "to check a server: heapbeat doctor --url {word}, or heapbeat check-memory --url {word}"
        );
    }
    format!("to guard a program: heapbeat run -- {word} …")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Cli;

    /// Returns the hint for a line, if it is refused with one.
    fn hint_for(line: &[&str]) -> Option<String> {
        let words = ["heapbeat"].into_iter().chain(line.iter().copied());
        let error = Cli::command().try_get_matches_from(words).unwrap_err();
        hint(&error, line[0])
    }

    #[test]
    fn an_argument_without_its_option_is_told_which_one() {
        let cases: [(&[&str], &str); 11] = [
            (&["check-memory", "http://x"], "heapbeat check-memory --url http://x"),
            (&["check-memory", "localhost:80", "--once"], "heapbeat check-memory --url http://localhost:80"),
            (&["check-memory", "4242"], "--pid 4242"),
            (&["doctor", "https://x"], "heapbeat doctor --url https://x"),
            (&["doctor", "--url", "https://x", "https://y"], "or --edge (a status page)"),
            (&["alerts", "test", "https://x"], "heapbeat alerts test --url https://x"),
            (&["apply", "a.toml", "https://x"], "heapbeat apply --url https://x FILE"),
            (&["forecast", "a.csv", "512MB"], "heapbeat forecast --limit 512MB FILE"),
            (&["init", "node", "server.js"], "init takes one folder"),
            (&["node", "server.js"], "to guard a program: heapbeat run -- node …"),
            (&["http://x"], "heapbeat doctor --url http://x"),
        ];
        for (line, expected) in cases {
            let hint = hint_for(line).unwrap_or_default();
            assert!(hint.contains(expected), "{line:?}: {hint}");
        }
        for line in [&["check-memory", "--nosuch"][..], &["dcotor"], &["convert"], &["doctor", "a b"]] {
            assert_eq!(hint_for(line), None, "{line:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_argument_of_a_guard_is_told_its_option() {
        let cases: [(&[&str], &str); 4] = [
            (&["run", "--limit", "256MB", "node", "a.js"], "heapbeat run -- node …"),
            (&["serve", "8080"], "heapbeat serve --port 8080"),
            (&["recycle", "42"], "heapbeat recycle --pid 42"),
            (&["recycle", "http://x"], "--pid of its supervisor"),
        ];
        for (line, expected) in cases {
            let hint = hint_for(line).unwrap_or_default();
            assert!(hint.contains(expected), "{line:?}: {hint}");
        }
    }

    /// Every pair of options that exclude each other, in any subcommand, has advice.
    #[test]
    fn options_that_exclude_each_other_are_told_what_to_do_instead() {
        let mut pairs = 0;
        for command in Cli::command().get_subcommands() {
            for argument in command.get_arguments() {
                for other in command.get_arg_conflicts_with(argument) {
                    let flags = [argument, other].map(|it| format!("--{}", it.get_long().unwrap()));
                    pairs += 1;
                    let has_advice =
                        CONFLICTS.iter().any(|(a, b, _)| flags.iter().all(|flag| flag == a || flag == b));
                    assert!(has_advice, "{} {flags:?}", command.get_name());
                }
            }
        }
        assert!(pairs > 0);
        let given: [&[&str]; 2] = [
            &["check-memory", "--url", "http://x", "--pid", "1"],
            &["check-memory", "--json", "--reachable"],
        ];
        for line in given {
            assert!(hint_for(line).is_some(), "{line:?}");
        }
        #[cfg(target_os = "linux")]
        for options in [
            "--no-listen --upstream 3000",
            "--shrink-command x --shrink-signal HUP",
            "--shrink-signal HUP --shrink-command x",
        ] {
            let line: Vec<&str> = ["run"].into_iter().chain(options.split(' ')).chain(["--", "x"]).collect();
            assert!(hint_for(&line).is_some(), "{line:?}");
        }
    }
}
