//! The Python agent in real programs, with each version of Python that is installed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use super::shapes::{PYTHON_HEALTHY, PYTHON_LEAKS};
use super::support::{
    Guard, assert_program_ends_in_time, is_near, plain_command, program, pythons, side_by_side, skipped,
};
use heapbeat_agents::pprof;
use heapbeat_agents::server::{AgentEvent, AgentEventKind};
use heapbeat_test_support::pprof::Profile;

/// Held by tests of which one fills the processors, and the other one has to get its share.
static PROCESSORS: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Seconds of a recording that names a function.
const RECORDING: u32 = 4;

#[test]
fn hello_and_samples_say_what_the_kernel_says() {
    side_by_side(pythons(), |python| {
        let mut guard = Guard::new();
        let (pid, output) = guard.spawn_piped(guard.command(python, &[&program("figures.py")]));
        let reading = std::thread::spawn(move || BufReader::new(output).lines().nth(3).unwrap().unwrap());
        guard.wait_for("figures", |_| reading.is_finished().then_some(()));
        guard.wait_for_event("a sample", pid, |kind| matches!(kind, AgentEventKind::Sample(_)).then_some(()));
        let own: u64 = reading.join().unwrap().parse().unwrap();
        let process = guard.registry.process(pid).unwrap();
        assert_eq!((&*process.hello.runtime, process.hello.heap_limit), ("python", None));
        assert!(process.hello.program.ends_with("figures.py"), "{:?}", process.hello);
        let (sample, _) = process.sample.as_ref().unwrap();
        assert!(is_near(sample.rss.unwrap(), own << 10, 0.02), "{python:?}: {own} kB, {sample:?}");
        let parts = [sample.rss_anon, sample.rss_file, sample.rss_shmem].map(Option::unwrap);
        assert_eq!(sample.rss.unwrap(), parts.iter().sum::<u64>());
        assert!(sample.allocated_blocks.unwrap() > 50_000);
    });
}

#[test]
fn a_purge_collects_cycles_and_returns_memory_to_the_kernel() {
    side_by_side(pythons(), |python| {
        let mut guard = Guard::new();
        let pid = guard.spawn(guard.command(python, &[&program("garbage.py")]));
        let mut last = 0;
        guard.wait_for("garbage", |guard| {
            let rss = guard.registry.process(pid)?.sample.as_ref()?.0.rss?;
            let is_stable = rss > 60 << 20 && rss == last;
            last = rss;
            is_stable.then_some(())
        });
        let purge = |guard: &mut Guard| {
            assert!(guard.server.as_mut().unwrap().request_purge(pid));
            guard.wait_for_event("the answer", pid, |kind| match kind {
                AgentEventKind::Purged(answer) => Some(answer.clone()),
                _ => None,
            })
        };
        let first = purge(&mut guard);
        assert!(first.freed > 30 << 20, "{python:?}: {first:?}");
        assert!(purge(&mut guard).refused.is_some());
    });
}

#[test]
fn the_leaking_function_is_named_first() {
    let _alone = PROCESSORS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for python in pythons() {
        let mut guard = Guard::new();
        let mut pids = BTreeMap::new();
        for (shape, function) in PYTHON_LEAKS {
            let pid = guard.spawn(guard.command(&python, &[&program("leaks.py"), shape]));
            guard.wait_for_sample(pid);
            guard.server.as_mut().unwrap().request_holders(pid, RECORDING);
            pids.insert(pid, (shape, function));
        }
        let mut seen = 0;
        while !pids.is_empty() {
            let (pid, named) = guard.wait_for("a growing function", |guard| {
                let is_recording = |event: &&AgentEvent| matches!(event.kind, AgentEventKind::Holders(_));
                let recorded: Vec<u32> =
                    guard.events[seen..].iter().filter(is_recording).map(|event| event.pid).collect();
                seen = guard.events.len();
                // On a machine that is busy otherwise a recording ends early, and may have too little to name a function.
                for pid in recorded.iter().filter(|pid| pids.contains_key(pid)) {
                    guard.server.as_mut().unwrap().request_holders(*pid, RECORDING);
                }
                pids.keys().find_map(|pid| {
                    let growing = guard.registry.process(*pid)?.growing(Instant::now());
                    Some((*pid, growing.into_iter().next()?))
                })
            });
            let (shape, function) = pids.remove(&pid).unwrap();
            println!(
                "{python:?} {shape}: {} by {} kB in {:?}",
                named.function,
                named.growth >> 10,
                named.span
            );
            assert_eq!(named.function, function, "{python:?} {shape}");
            assert!(named.file.ends_with("leaks.py") && named.line > 1, "{named:?}");
        }
    }
}

#[test]
fn healthy_programs_are_not_accused() {
    let pythons = pythons();
    let middle = pythons.get(pythons.len() / 2).cloned();
    side_by_side(pythons, |python| {
        // All of them in one version, and those that come and go most in the others.
        let shapes =
            if Some(python) == middle.as_ref() { &PYTHON_HEALTHY[..] } else { &PYTHON_HEALTHY[1..4] };
        for shape in shapes {
            let mut guard = Guard::new();
            let pid = guard.spawn(guard.command(python, &[&program("healthy.py"), shape]));
            guard.wait_until_loaded(&[pid]);
            guard.server.as_mut().unwrap().request_holders(pid, 2);
            guard.wait_for_event("holders", pid, |kind| {
                matches!(kind, AgentEventKind::Holders(_)).then_some(())
            });
            let growing = guard.registry.process(pid).unwrap().growing(Instant::now());
            assert!(growing.is_empty(), "{python:?} {shape}: {growing:#?}");
        }
    });
}

#[test]
fn a_program_whose_requests_would_wait_for_the_recording_is_traced_for_a_moment_only() {
    let _alone = PROCESSORS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    side_by_side(pythons(), |python| {
        let mut guard = Guard::new();
        let pid = guard.spawn(guard.command(python, &[&program("busy.py")]));
        guard.wait_for_sample(pid);
        guard.server.as_mut().unwrap().request_holders(pid, 20);
        let report = guard.wait_for_event("holders", pid, |kind| match kind {
            AgentEventKind::Holders(report) => Some(report.clone()),
            _ => None,
        });
        let traced = report.seconds.unwrap();
        assert!(traced < 10.0, "{python:?}: traced for {traced} s of 20 s");
        assert_eq!(report.holders[0].function, "work", "{python:?}: {report:?}");
    });
}

#[test]
fn recordings_follow_each_other() {
    side_by_side(pythons(), |python| {
        let mut guard = Guard::new();
        let pid = guard.spawn(guard.command(python, &[&program("leaks.py"), "list"]));
        guard.wait_for_sample(pid);
        for _ in 0..3 {
            assert!(guard.server.as_mut().unwrap().request_holders(pid, 1));
            guard.wait_for_event("holders", pid, |kind| match kind {
                AgentEventKind::Holders(report) => report.seconds,
                _ => None,
            });
        }
        guard.wait_for_event("a sample", pid, |kind| matches!(kind, AgentEventKind::Sample(_)).then_some(()));
    });
}

#[test]
fn what_comes_and_goes_within_a_recording_is_not_taken_for_growth() {
    let Some(python) = pythons().pop() else { return };
    let agent = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
    let mut command = plain_command(&python, &[&program("recording.py")]);
    let output = command.arg(agent).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "held\n", "{output:?}");
}

#[test]
fn a_profile_becomes_a_file_for_pprof() {
    side_by_side(pythons(), |python| {
        let mut guard = Guard::new();
        let pid = guard.spawn(guard.command(python, &[&program("leaks.py"), "list"]));
        guard.wait_for("the leak", |guard| (guard.resident(pid) > 30 << 20).then_some(()));
        guard.server.as_mut().unwrap().request_profile(pid, 1);
        let answer = guard.wait_for_event("the profile", pid, |kind| match kind {
            AgentEventKind::Profile(answer) => Some(answer.clone()),
            _ => None,
        });
        let hello = &guard.registry.process(pid).unwrap().hello;
        let read = Profile::decode_bytes(&pprof::encode(&answer, hello, 1));
        let largest = read.sample.iter().max_by_key(|sample| sample.value[1]).unwrap();
        assert_eq!(read.stack(largest)[0].0, "list_orders", "{python:?}");
    });
}

#[test]
fn forked_workers_have_connections_of_their_own_and_the_interpreter_does_not_warn() {
    side_by_side(pythons(), |python| {
        let mut guard = Guard::new();
        let outcome = guard.finish(guard.command(python, &[&program("fork.py"), "1.5"]));
        assert_eq!(outcome.stdout, "[5, 5] 30\n", "{python:?}: {outcome:?}");
        assert_eq!(outcome.stderr, "", "{python:?}");
        let pids =
            guard.events.iter().filter(|it| matches!(it.kind, AgentEventKind::Connected(_))).map(|it| it.pid);
        let pids: std::collections::BTreeSet<u32> = pids.collect();
        // The parent may fork and wait before its own connection is due.
        assert!(pids.len() >= 2, "{python:?}: {pids:?}");
    });
}

#[test]
fn the_own_sitecustomize_runs_as_if_nothing_were_in_front_of_it() {
    let code = "import sys, sitecustomize; print(sitecustomize.__file__, sitecustomize.GREETING, \
                [p for p in sys.path if 'agents' in p], sys.argv, 'threading' in sys.modules)";
    side_by_side(pythons(), |python| {
        let mut guard = Guard::new();
        let own = guard.folder().join("own");
        std::fs::create_dir(&own).unwrap();
        let variables = [("PYTHONPATH", own.to_str().unwrap())];
        let compare = |guard: &mut Guard, text: &str| {
            std::fs::write(own.join("sitecustomize.py"), text).unwrap();
            let mut plain = plain_command(python, &["-c", code, "x"]);
            plain.envs(variables);
            let without = guard.finish(plain);
            let with = guard.finish(guard.command_in(python, &["-c", code, "x"], &variables));
            assert_eq!(with, without, "{python:?}");
            without
        };
        let outcome = compare(&mut guard, "GREETING = 'hello'\n");
        assert!(outcome.stdout.contains("own/sitecustomize.py hello"), "{outcome:?}");
        let broken = compare(&mut guard, "raise RuntimeError('broken')\n");
        assert!(broken.stderr.contains("RuntimeError: broken"), "{broken:?}");
        compare(&mut guard, "import nothing_of_this_name\n");
    });
}

/// Programs whose output and end must not change.
const OBSERVED: [(&str, &str); 10] = [
    (
        "output",
        "import sys, time; print('out'); print('err', file=sys.stderr); time.sleep(0.4); print('later')",
    ),
    ("an exception", "import time; time.sleep(0.3); raise TypeError('broken')"),
    ("an exit code", "import sys, time; time.sleep(0.3); sys.exit(7)"),
    (
        "a signal",
        "import os, signal, time; time.sleep(0.3); os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)",
    ),
    (
        "an interrupt",
        "import os, signal, time; time.sleep(0.3); os.kill(os.getpid(), signal.SIGINT); time.sleep(60)",
    ),
    (
        "a signal handler",
        "import os, signal, time; signal.signal(signal.SIGUSR1, lambda *_: print('handled')); time.sleep(0.3); os.kill(os.getpid(), signal.SIGUSR1); time.sleep(0.1)",
    ),
    ("exit handlers", "import atexit, time; atexit.register(print, 'bye'); time.sleep(0.4)"),
    (
        "modules",
        "import sys, time; time.sleep(0.4); print([m for m in ('threading', 'socket', 'json', 'ctypes', 'logging') if m in sys.modules], sys.path[1:], sys.flags)",
    ),
    (
        "threads",
        "import threading, time; time.sleep(0.4); print(threading.active_count(), threading.enumerate())",
    ),
    ("a short program", "print(1)"),
];

#[test]
fn output_exit_codes_and_signals_are_unchanged() {
    side_by_side(pythons(), |python| {
        let mut guard = Guard::new();
        for (what, code) in OBSERVED {
            // Addresses of objects differ in each run.
            let command = |mut command: Command| {
                command.args(["-W", "always", "-c", code]);
                command
            };
            let without = guard.finish(command(plain_command(python, &[])));
            let with = guard.finish(command(guard.command(python, &[])));
            let text = |outcome: &super::support::Outcome| {
                let stdout = outcome.stdout.split("started ").next().unwrap().to_owned();
                (stdout, outcome.stderr.clone(), outcome.status)
            };
            assert_eq!(text(&with), text(&without), "{python:?}: {what}");
        }
        let connected =
            guard.events.iter().filter(|it| matches!(it.kind, AgentEventKind::Connected(_))).count();
        assert!(connected >= 8, "the agent was there: {connected}");
    });
}

#[test]
fn package_tools_have_no_agent() {
    side_by_side(pythons(), |python| {
        let mut guard = Guard::new();
        let target = guard.folder().join("venv");
        let mut commands = vec![guard.command(python, &["-m", "pip", "--version"])];
        commands.push(guard.command(python, &["-m", "venv", "--without-pip", target.to_str().unwrap()]));
        for mut command in commands {
            command.env("HEAPBEAT_AGENT_INTERVAL", "50");
            guard.finish(command);
        }
        assert_eq!(guard.events, [], "{python:?}");
    });
}

#[test]
fn an_agent_that_is_switched_off_does_not_connect() {
    side_by_side(pythons(), |python| {
        let mut guard = Guard::new();
        let mut command = guard.command(python, &["-c", "import time; time.sleep(0.7); print('done')"]);
        command.env("HEAPBEAT_AGENT", "off");
        assert_eq!(guard.finish(command).stdout, "done\n");
        assert_eq!(guard.events, []);
    });
}

#[test]
fn an_agent_survives_its_guard_and_finds_the_next_one() {
    side_by_side(pythons(), |python| {
        let mut guard = Guard::new();
        let pid = guard.spawn(guard.command(python, &["-c", "import time; time.sleep(60)"]));
        guard.wait_for_sample(pid);
        guard.server = None;
        guard.registry = heapbeat_agents::registry::AgentRegistry::default();
        guard.listen();
        guard.wait_for_sample(pid);
    });
}

#[test]
fn a_program_ends_as_soon_as_it_would_with_any_guard() {
    side_by_side(pythons(), |python| {
        assert_program_ends_in_time(python, &["-c", "import time; time.sleep(0.6)"]);
    });
}

#[test]
fn workers_of_gunicorn_have_agents_with_and_without_preload() {
    let servers = std::env::var("HEAPBEAT_TEST_PYTHON_SERVERS").unwrap_or_default();
    let servers: Vec<&Path> = servers.split(':').filter(|it| !it.is_empty()).map(Path::new).collect();
    if servers.is_empty() {
        skipped("HEAPBEAT_TEST_PYTHON_SERVERS names no folder with gunicorn and uvicorn");
    }
    for folder in servers {
        for arguments in [
            &["gunicorn", "-w", "2"][..],
            &["gunicorn", "-w", "2", "--preload"],
            &["uvicorn", "--workers", "2"],
        ] {
            let mut guard = Guard::new();
            let application = "async def a(*_): pass\ndef application(environ, respond): respond('200 OK', []); return [b'']\n";
            std::fs::write(guard.folder().join("served.py"), application).unwrap();
            let socket = guard.folder().join("served.sock");
            let (bind, target) = match arguments[0] {
                "gunicorn" => {
                    (vec!["--bind".into(), format!("unix:{}", socket.display())], "served:application")
                }
                _ => (
                    vec!["--uds".into(), socket.display().to_string(), "--lifespan".into(), "off".into()],
                    "served:a",
                ),
            };
            let all: Vec<&str> = arguments[1..]
                .iter()
                .copied()
                .chain(bind.iter().map(String::as_str))
                .chain([target])
                .collect();
            let mut command = guard.command(&folder.join(arguments[0]), &all);
            command.current_dir(guard.folder());
            let pid = guard.spawn(command);
            guard.wait_for(&format!("{arguments:?}"), |guard| (guard.connected().len() >= 3).then_some(()));
            let raw = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
            rustix::process::kill_process(raw, rustix::process::Signal::TERM).unwrap();
            guard.wait_for("the end of all", |guard| guard.connected().is_empty().then_some(()));
        }
    }
}
