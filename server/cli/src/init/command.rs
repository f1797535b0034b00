//! Start commands, and how `heapbeat run` comes before one.

/// What only a shell understands. A line that ends is one as well.
const OPERATORS: [&str; 8] = ["&", ";", "|", "$(", "`", ">", "<", "\n"];

/// Options whose value is a port or an address with one, in the programs that people start: `next start -p 3000`, `gunicorn -b :8000`.
const PORT_OPTIONS: [&str; 6] = ["-p", "--port", "-b", "--bind", "-l", "--listen"];

/// How a command is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// By a shell, which expands variables.
    Shell(String),
    /// As a list of arguments, which stay as they are.
    List(Vec<String>),
}

impl Command {
    /// Returns the command for people.
    pub(super) fn text(&self) -> String {
        match self {
            Command::Shell(text) => text.clone(),
            Command::List(words) => words.join(" "),
        }
    }

    /// Returns whether the command is guarded already.
    pub(super) fn is_guarded(&self) -> bool {
        match self {
            Command::Shell(text) => text.contains("heapbeat run"),
            Command::List(words) => {
                words.iter().any(|word| word.ends_with("heapbeat") || word.contains("heapbeat run"))
            }
        }
    }

    /// Returns the name of the package manager's script that the command runs, such as `start` of `npm start`.
    pub(super) fn script(&self) -> Option<String> {
        let text = self.text();
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["npm" | "yarn" | "pnpm" | "bun", "run", script] | ["yarn" | "pnpm", script] => {
                Some((*script).to_owned())
            }
            ["npm", "start"] => Some("start".to_owned()),
            _ => None,
        }
    }

    /// Returns the port that the command fixes, so that the program does not listen on the `PORT` that heapbeat gives it: `PORT=3000 …`,
    /// `--port 3000`, `-Dserver.port=3000`, `-b 0.0.0.0:8000`.
    pub(super) fn fixed_port(&self) -> Option<u16> {
        let text = self.text();
        let words: Vec<&str> = text.split_whitespace().map(|word| word.trim_matches(['\'', '"'])).collect();
        let of_word = words.iter().find_map(|word| {
            let (name, value) = word.split_once('=')?;
            let is_port = name.to_ascii_lowercase().ends_with("port") || PORT_OPTIONS.contains(&name);
            is_port.then(|| parse_port(value)).flatten()
        });
        let of_option = || {
            words
                .windows(2)
                .find_map(|pair| PORT_OPTIONS.contains(&pair[0]).then(|| parse_port(pair[1])).flatten())
        };
        of_word.or_else(of_option)
    }

    /// Puts `program run --` before the command, with `--upstream` if it fixes its port.
    ///
    /// `$PORT` has to be expanded behind heapbeat, which gives the program another port than its own. So a command with a variable or an
    /// operator gets a shell of its own. What has to be done before the program starts (`npm run build && …`) stays before heapbeat, as it
    /// would be done with each replacement otherwise.
    pub(super) fn guard(&self, program: &str) -> Command {
        self.guard_after(program, "")
    }

    /// The same where heapbeat takes the place of the shell that reads the command, and so gets its signals.
    pub(super) fn guard_in_place(&self, program: &str) -> Command {
        self.guard_after(program, "exec ")
    }

    /// Puts `exec`, if it is given, and `program run --` before the command.
    fn guard_after(&self, program: &str, exec: &str) -> Command {
        let mut before = vec![program.to_owned(), "run".to_owned()];
        before.extend(self.fixed_port().map(|port| format!("--upstream={port}")));
        before.push("--".to_owned());
        match self {
            Command::List(words) => Command::List([before, words.clone()].concat()),
            Command::Shell(text) => {
                let (preparation, command) = split_preparation(text.trim());
                let exec = if preparation.is_empty() { exec } else { " exec " };
                Command::Shell(format!("{preparation}{exec}{} {}", before.join(" "), for_exec(command)))
            }
        }
    }
}

/// Returns what a shell's command does before it starts the program, with its last `&&`, and the command that starts it; nothing and all of
/// it where that is not plain. A change of the folder stays with the program, as heapbeat's own path may be a relative one.
fn split_preparation(command: &str) -> (&str, &str) {
    let is_plain = !command.contains(['\'', '"', '\\', '(', '{', ';', '|', '`', '<', '>', '\n'])
        && !command.replace("&&", "").contains('&');
    match command.rsplit_once("&&") {
        Some((before, program)) if is_plain && !program.trim().is_empty() && stays_in_folder(before) => {
            (&command[..before.len() + 2], program.trim())
        }
        _ => ("", command),
    }
}

/// Returns whether commands joined by `&&` are complete, and none of them changes the folder.
fn stays_in_folder(commands: &str) -> bool {
    let mut words = commands.split("&&").map(|command| command.split_whitespace().next());
    words.all(|word| word.is_some_and(|word| word != "cd" && word != "pushd"))
}

/// Returns a shell's command as words that a program can be started by.
fn for_exec(command: &str) -> String {
    let has_operator = OPERATORS.iter().any(|operator| command.contains(operator));
    let starts_with_variable =
        command.split_whitespace().next().is_some_and(|word| word.contains('=') && !word.starts_with('-'));
    if !has_operator && !command.contains('$') && !starts_with_variable {
        // `exec` is a word of the shell, and no program.
        return command.strip_prefix("exec ").map_or(command, str::trim_start).to_owned();
    }
    // `exec` replaces the shell by the program, if it is the only one.
    let is_single = !has_operator && !starts_with_variable;
    let exec = if is_single && !command.starts_with("exec ") { "exec " } else { "" };
    format!("sh -c '{exec}{}'", command.replace('\'', r"'\''"))
}

/// Returns the port of `3000`, `:3000`, `0.0.0.0:3000` or `tcp://0.0.0.0:3000`.
fn parse_port(text: &str) -> Option<u16> {
    let port = text.rsplit_once(':').map_or(text, |(_, port)| port);
    port.parse().ok().filter(|port| *port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(text: &str) -> Command {
        Command::Shell(text.to_owned())
    }

    #[test]
    fn a_variable_is_expanded_behind_heapbeat() {
        let cases = [
            ("node server.js", "h run -- node server.js"),
            ("node server.js --port=$PORT", "h run -- sh -c 'exec node server.js --port=$PORT'"),
            ("A=1 node server.js", "h run -- sh -c 'A=1 node server.js'"),
            ("migrate && node server.js", "migrate && exec h run -- node server.js"),
            ("npm run build&&A=1 node a.js $X", "npm run build&& exec h run -- sh -c 'A=1 node a.js $X'"),
            ("a && b && exec node c.js", "a && b && exec h run -- node c.js"),
            ("cd app && node server.js", "h run -- sh -c 'cd app && node server.js'"),
            ("echo 'a && b'", r"h run -- sh -c 'echo '\''a && b'\'''"),
            ("a || b && node c.js", "h run -- sh -c 'a || b && node c.js'"),
            ("a & b && node c.js", "h run -- sh -c 'a & b && node c.js'"),
            ("&& node c.js", "h run -- sh -c '&& node c.js'"),
            ("exec  node server.js", "h run -- node server.js"),
            ("node worker.js & node server.js", "h run -- sh -c 'node worker.js & node server.js'"),
            ("node a.js\nnode b.js", "h run -- sh -c 'node a.js\nnode b.js'"),
            ("exec ./api $PORT", "h run -- sh -c 'exec ./api $PORT'"),
            ("./api --name 'a b' $PORT", r"h run -- sh -c 'exec ./api --name '\''a b'\'' $PORT'"),
        ];
        for (command, expected) in cases {
            assert_eq!(shell(command).guard("h"), shell(expected));
            let in_place = if expected.contains("exec h run") {
                expected.to_owned()
            } else {
                format!("exec {expected}")
            };
            assert_eq!(shell(command).guard_in_place("h"), shell(&in_place));
        }
    }

    #[test]
    fn the_words_of_a_list_stay_as_they_are() {
        let words =
            ["sh", "-c", "npx prisma migrate deploy && node dist/main.js"].map(str::to_owned).to_vec();
        let Command::List(guarded) = Command::List(words.clone()).guard("heapbeat") else {
            panic!("it became a shell's")
        };
        assert_eq!(guarded[..3], ["heapbeat", "run", "--"]);
        assert_eq!(guarded[3..], words);
    }

    #[test]
    fn a_fixed_port_is_recognized() {
        let cases = [
            ("PORT=3000 node server.js", Some(3000)),
            ("cross-env PORT=3000 node server.js", Some(3000)),
            ("next start -p 3001", Some(3001)),
            ("uvicorn app:app --host 0.0.0.0 --port 8000", Some(8000)),
            ("uvicorn app:app --port=8000", Some(8000)),
            ("java -Dserver.port=9000 -jar app.jar", Some(9000)),
            ("gunicorn -b 0.0.0.0:8000 app:app", Some(8000)),
            ("gunicorn --bind=:8000 app:app", Some(8000)),
            ("sh -c 'PORT=3000 node server.js'", Some(3000)),
            ("next start -p $PORT", None),
            ("gunicorn -b :$PORT app:app", None),
            ("gunicorn -b unix:/tmp/app.sock app:app", None),
            ("node -p 1+1", None),
            ("./api --port 0", None),
            ("./api --port 70000", None),
            ("node server.js", None),
        ];
        for (command, expected) in cases {
            assert_eq!(shell(command).fixed_port(), expected, "{command}");
        }
        assert_eq!(
            shell("PORT=3000 node server.js").guard("h"),
            shell("h run --upstream=3000 -- sh -c 'PORT=3000 node server.js'")
        );
    }
}
