//! Recognizes servers that renew their workers on a signal while they serve. Pure.
//!
//! Only the process that heapbeat starts gets the signal, so a server behind a shell or npm is not recognized. Sources: gunicorn's
//! "Signal Handling", puma's `docs/signals.md`, uvicorn's multiprocess supervisor, "Managing the uWSGI server", `php-fpm(8)`, unicorn's
//! `SIGNALS`.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// A server that renews its workers on a signal.
struct RenewableServer {
    /// Name of its program, or of its module behind `python -m`.
    name: &'static str,
    /// Signal that renews the workers, as `--recycle-signal` takes it.
    signal: &'static str,
    /// Arguments of which one shows that it has workers to renew; none if it always has.
    with_workers: &'static [&'static str],
    /// Variable that gives the number of workers.
    variable: Option<&'static str>,
    /// Argument with which a signal renews nothing, as the workers are copies of a process that stays.
    not_with: Option<&'static str>,
}

const SERVERS: &[RenewableServer] = &[
    RenewableServer { name: "gunicorn", signal: "HUP", with_workers: &[], variable: None, not_with: None },
    RenewableServer {
        name: "puma",
        signal: "USR1",
        with_workers: &["-w", "--workers"],
        variable: Some("WEB_CONCURRENCY"),
        // Without preloading a phased restart is possible; with it only a restart of everything is.
        not_with: Some("--preload"),
    },
    RenewableServer {
        name: "uvicorn",
        signal: "HUP",
        with_workers: &["--workers"],
        variable: Some("WEB_CONCURRENCY"),
        not_with: None,
    },
    RenewableServer {
        name: "uwsgi",
        signal: "HUP",
        with_workers: &["--master", "-M"],
        variable: None,
        not_with: None,
    },
    RenewableServer { name: "unicorn", signal: "HUP", with_workers: &[], variable: None, not_with: None },
    RenewableServer { name: "php-fpm", signal: "USR2", with_workers: &[], variable: None, not_with: None },
];

/// Returns what the log says about a command and the signal of `--recycle-signal`, if a server was recognized that could make more of it.
pub(super) fn propose_renewal(
    command: &[OsString],
    signal: Option<i32>,
    given: impl Fn(&str) -> Option<OsString>,
) -> Option<String> {
    let (server, arguments) = recognize(command)?;
    let has = |names: &[&str]| {
        arguments.iter().any(|argument| {
            names.iter().any(|name| {
                // `-w4` and `--workers=4` as well.
                argument == name
                    || argument.strip_prefix(name).is_some_and(|rest| {
                        rest.starts_with('=') || (!name.starts_with("--") && rest.parse::<u16>().is_ok())
                    })
            })
        })
    };
    let several =
        |value: OsString| value.to_str().and_then(|it| it.parse::<u32>().ok()).is_some_and(|it| it > 0);
    let has_workers = server.with_workers.is_empty()
        || has(server.with_workers)
        || server.variable.and_then(given).is_some_and(several);
    if !has_workers || server.not_with.is_some_and(|name| has(&[name])) {
        return None;
    }
    let RenewableServer { name, signal: right, .. } = server;
    match signal {
        None => Some(format!(
            "{name} can renew its workers while it serves: with --recycle-signal {right} it is asked to, before it is replaced"
        )),
        Some(number) if Some(number) != signal_number(right) => Some(format!(
            "the signal that makes {name} renew its workers is {right}: use --recycle-signal {right}"
        )),
        Some(_) => None,
    }
}

/// Returns the server that a command starts without a process between, and its arguments.
fn recognize(command: &[OsString]) -> Option<(&'static RenewableServer, Vec<&str>)> {
    let name = |word: &OsString| Path::new(word).file_name().and_then(OsStr::to_str).map(str::to_owned);
    let mut rest = command;
    loop {
        let (first, others) = rest.split_first()?;
        let first = name(first)?;
        let find = |name: &str| SERVERS.iter().find(|server| server.name == name);
        if let Some(server) = find(&first) {
            return Some((server, others.iter().filter_map(|it| it.to_str()).collect()));
        }
        // These become the program that they start.
        let skipped = match first.as_str() {
            "bundle" if others.first().is_some_and(|it| it == "exec") => 1,
            python if python.starts_with("python") => match others.first()?.to_str()? {
                "-m" => 1,
                script if find(&name(&OsString::from(script))?).is_some() => 0,
                _ => return None,
            },
            _ => return None,
        };
        rest = &others[skipped..];
    }
}

fn signal_number(name: &str) -> Option<i32> {
    match name {
        "HUP" => Some(1),
        "USR1" => Some(10),
        "USR2" => Some(12),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Command, `WEB_CONCURRENCY`, signal that is given, a part of the proposal.
    type Case = (&'static str, Option<&'static str>, Option<i32>, Option<&'static str>);

    #[test]
    fn servers_with_workers_are_recognized() {
        let cases: &[Case] = &[
            ("gunicorn app:app", None, None, Some("--recycle-signal HUP")),
            ("/app/venv/bin/gunicorn -w 4 --preload app:app", None, None, Some("gunicorn can renew")),
            ("python3 -m gunicorn app:app", None, None, Some("--recycle-signal HUP")),
            ("venv/bin/python venv/bin/gunicorn app:app", None, None, Some("--recycle-signal HUP")),
            ("gunicorn app:app", None, Some(1), None),
            ("gunicorn app:app", None, Some(10), Some("use --recycle-signal HUP")),
            ("uvicorn app:app", None, None, None),
            ("uvicorn --workers 2 app:app", None, None, Some("--recycle-signal HUP")),
            ("uvicorn --workers=2 app:app", None, None, Some("--recycle-signal HUP")),
            ("uvicorn app:app", Some("3"), None, Some("--recycle-signal HUP")),
            ("puma", None, None, None),
            ("bundle exec puma -w 2", None, None, Some("--recycle-signal USR1")),
            ("puma -w2", None, None, Some("--recycle-signal USR1")),
            ("puma -w2 --preload", None, None, None),
            ("puma", Some("2"), None, Some("--recycle-signal USR1")),
            ("php-fpm -F", None, None, Some("--recycle-signal USR2")),
            ("sh -c gunicorn", None, None, None),
            ("npm start", None, None, None),
            ("python3 app.py", None, None, None),
            ("python3", None, None, None),
            ("bundle install", None, None, None),
            ("puma -work", None, None, None),
        ];
        for (command, concurrency, signal, expected) in cases {
            let words: Vec<OsString> = command.split(' ').map(OsString::from).collect();
            let given = |name: &str| concurrency.filter(|_| name == "WEB_CONCURRENCY").map(OsString::from);
            let proposal = propose_renewal(&words, *signal, given);
            match expected {
                Some(part) => {
                    assert!(proposal.as_ref().is_some_and(|it| it.contains(part)), "{command}: {proposal:?}");
                }
                None => assert_eq!(proposal, None, "{command}"),
            }
        }
    }
}
