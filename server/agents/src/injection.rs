//! Puts the agents into a program's environment. Variables are extended, never replaced.

use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const NODE_AGENT: &str = include_str!("../node/heapbeat-agent.cjs");
const PYTHON_AGENT: &str = include_str!("../python/heapbeat_agent.py");
const PYTHON_LOADER: &str = include_str!("../python/sitecustomize.py");

/// The agents' files below the directory of [`write_agents`].
const FILES: [(&str, &str, &str); 3] = [
    ("node", "heapbeat-agent.cjs", NODE_AGENT),
    ("python", "heapbeat_agent.py", PYTHON_AGENT),
    ("python", "sitecustomize.py", PYTHON_LOADER),
];

/// Names with which commands of Python and Ruby begin. Their threads make glibc keep an arena each.
const ARENA_COMMANDS: [&str; 17] = [
    "python",
    "gunicorn",
    "uvicorn",
    "hypercorn",
    "daphne",
    "granian",
    "celery",
    "flask",
    "django-admin",
    "manage.py",
    "uwsgi",
    "poetry",
    "pipenv",
    "ruby",
    "puma",
    "rails",
    "bundle",
];

/// Writes the agents' files, mode 0644, into subdirectories of a directory, which is created if it is missing. Any user can read
/// them, as the program may give up its privileges.
pub fn write_agents(directory: &Path) -> io::Result<()> {
    for (folder, name, text) in FILES {
        let folder = directory.join(folder);
        fs::create_dir_all(&folder)?;
        for created in [directory, &folder] {
            fs::set_permissions(created, Permissions::from_mode(0o755))?;
        }
        // A program that starts meanwhile sees the old file or the new one.
        let temporary = folder.join(format!(".{name}.{}", std::process::id()));
        let mut file = fs::File::create(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.set_permissions(Permissions::from_mode(0o644))?;
        fs::rename(&temporary, folder.join(name))?;
    }
    Ok(())
}

/// Returns the variables to set for a program, in addition to the environment that it inherits. `agent_directory` is the one of
/// [`write_agents`]. None are returned with `HEAPBEAT_AGENT=off`.
///
/// `MALLOC_ARENA_MAX` is among them only for commands of Python and Ruby, and only if nothing sets the number of arenas; the guard
/// says so in its log.
pub fn inject(
    command: &[OsString],
    environment: impl Fn(&str) -> Option<OsString>,
    agent_directory: &Path,
    socket: &Path,
) -> Vec<(&'static str, OsString)> {
    if environment("HEAPBEAT_AGENT").is_some_and(|value| is_off(&value)) {
        return Vec::new();
    }
    let mut variables = vec![("HEAPBEAT_AGENT_SOCKET", socket.as_os_str().to_owned())];
    let node = agent_directory.join("node/heapbeat-agent.cjs");
    variables.push(("NODE_OPTIONS", node_options(environment("NODE_OPTIONS"), &node)));
    let python = agent_directory.join("python");
    if let Some(path) = python_path(environment("PYTHONPATH"), &python) {
        variables.push(("PYTHONPATH", path));
    }
    let tunables = environment("GLIBC_TUNABLES").unwrap_or_default();
    let arenas_are_set = environment("MALLOC_ARENA_MAX").is_some()
        || tunables.to_string_lossy().contains("glibc.malloc.arena_max");
    if !arenas_are_set && has_many_arenas(command) {
        variables.push(("MALLOC_ARENA_MAX", "2".into()));
    }
    variables
}

/// Whether a value of `HEAPBEAT_AGENT` switches the agents off.
pub fn is_off(value: &OsStr) -> bool {
    ["off", "0", "false"].iter().any(|off| value.eq_ignore_ascii_case(off))
}

/// Whether a value of `HEAPBEAT_AGENT` is one that means nothing. The agents themselves take it for on.
pub fn is_invalid(value: &OsStr) -> bool {
    !is_off(value) && !["", "on", "1", "true"].iter().any(|on| value.eq_ignore_ascii_case(on))
}

/// Appends the agent to `NODE_OPTIONS`. Node splits them at spaces, except in double quotes, in which a backslash escapes.
fn node_options(present: Option<OsString>, agent: &Path) -> OsString {
    let mut option = b"--require \"".to_vec();
    for byte in agent.as_os_str().as_bytes() {
        if matches!(byte, b'"' | b'\\') {
            option.push(b'\\');
        }
        option.push(*byte);
    }
    option.push(b'"');
    let mut options = present.unwrap_or_default().into_vec();
    if options.windows(option.len()).any(|part| part == option) {
        return OsString::from_vec(options);
    }
    if !options.is_empty() {
        options.push(b' ');
    }
    options.extend(option);
    OsString::from_vec(options)
}

/// Puts the agent's directory in front of `PYTHONPATH`; none if the directory's path cannot be written there.
fn python_path(present: Option<OsString>, directory: &Path) -> Option<OsString> {
    let directory = directory.as_os_str().as_bytes();
    if directory.contains(&b':') {
        return None;
    }
    let mut path = directory.to_vec();
    if let Some(present) = present.filter(|present| !present.is_empty()) {
        if present.as_bytes().split(|byte| *byte == b':').any(|entry| entry == directory) {
            return Some(present);
        }
        path.push(b':');
        path.extend(present.as_bytes());
    }
    Some(OsString::from_vec(path))
}

/// Whether a command, or one that its arguments name, runs on Python or Ruby.
fn has_many_arenas(command: &[OsString]) -> bool {
    let words = command.iter().flat_map(|argument| argument.as_bytes().split(u8::is_ascii_whitespace));
    words.filter_map(|word| word.rsplit(|byte| *byte == b'/').next()).any(|name| {
        ARENA_COMMANDS.iter().any(|command| {
            let rest = name.strip_prefix(command.as_bytes());
            rest.is_some_and(|rest| rest.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.'))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn injected(command: &[&str], environment: &[(&str, &str)], directory: &str) -> Vec<(String, String)> {
        let command: Vec<OsString> = command.iter().map(OsString::from).collect();
        let find = |name: &str| environment.iter().find(|(it, _)| *it == name).map(|(_, value)| value.into());
        inject(&command, find, Path::new(directory), Path::new("/run/h/agent.sock"))
            .into_iter()
            .map(|(name, value)| (name.into(), value.into_string().unwrap()))
            .collect()
    }

    fn value(variables: &[(String, String)], name: &str) -> Option<String> {
        variables.iter().find(|(it, _)| it == name).map(|(_, value)| value.clone())
    }

    #[test]
    fn variables_are_extended_and_not_replaced() {
        let environment = [("NODE_OPTIONS", "--max-old-space-size=200"), ("PYTHONPATH", "/app:/lib")];
        let variables = injected(&["npm", "start"], &environment, "/opt/h");
        assert_eq!(value(&variables, "HEAPBEAT_AGENT_SOCKET").unwrap(), "/run/h/agent.sock");
        assert_eq!(
            value(&variables, "NODE_OPTIONS").unwrap(),
            r#"--max-old-space-size=200 --require "/opt/h/node/heapbeat-agent.cjs""#
        );
        assert_eq!(value(&variables, "PYTHONPATH").unwrap(), "/opt/h/python:/app:/lib");
        assert_eq!(value(&variables, "MALLOC_ARENA_MAX"), None);
    }

    #[test]
    fn an_injection_is_not_repeated() {
        let first = injected(&["node"], &[], "/opt/h");
        let environment: Vec<(&str, &str)> = first.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(injected(&["node"], &environment, "/opt/h"), first);
    }

    #[test]
    fn paths_with_spaces_and_quotes_are_quoted() {
        let variables = injected(&["node"], &[], r#"/my "h\"#);
        assert_eq!(
            value(&variables, "NODE_OPTIONS").unwrap(),
            r#"--require "/my \"h\\/node/heapbeat-agent.cjs""#
        );
        assert_eq!(value(&injected(&["node"], &[], "/a:b"), "PYTHONPATH"), None);
    }

    #[test]
    fn nothing_is_injected_where_agents_are_switched_off() {
        for off in ["off", "OFF", "0", "false"] {
            assert_eq!(injected(&["python3", "app.py"], &[("HEAPBEAT_AGENT", off)], "/opt/h"), []);
        }
        assert!(!injected(&["node"], &[("HEAPBEAT_AGENT", "on")], "/opt/h").is_empty());
        for (value, invalid) in [("of", true), ("no", true), ("Off", false), ("on", false), ("", false)] {
            assert_eq!(is_invalid(OsStr::new(value)), invalid, "{value}");
        }
    }

    #[test]
    fn arenas_are_limited_for_python_and_ruby_unless_something_sets_them() {
        let arenas = |command: &[&str], environment: &[(&str, &str)]| {
            value(&injected(command, environment, "/opt/h"), "MALLOC_ARENA_MAX")
        };
        for command in [
            &["python3.12", "app.py"][..],
            &["/venv/bin/gunicorn", "app:app"],
            &["sh", "-c", "exec /venv/bin/uvicorn app:app"],
            &["bundle", "exec", "puma"],
        ] {
            assert_eq!(arenas(command, &[]).as_deref(), Some("2"), "{command:?}");
        }
        for command in [&["node", "server.js"][..], &["java", "-jar", "a.jar"], &["/srv/pythonic"]] {
            assert_eq!(arenas(command, &[]), None, "{command:?}");
        }
        assert_eq!(arenas(&["python3"], &[("MALLOC_ARENA_MAX", "4")]), None);
        assert_eq!(arenas(&["python3"], &[("GLIBC_TUNABLES", "glibc.malloc.arena_max=1")]), None);
    }

    #[test]
    fn every_user_can_read_the_files_whatever_the_mask() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("agents");
        write_agents(&target).unwrap();
        write_agents(&target).unwrap();
        for (folder, name, text) in FILES {
            let path = target.join(folder).join(name);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o755);
        }
    }
}
