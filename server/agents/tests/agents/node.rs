//! The Node agent in real programs.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::{Duration, Instant};

use super::shapes::{NODE_HEALTHY, NODE_LEAKS};
use super::support::{
    Guard, assert_program_ends_in_time, find_on_path, is_near, nodes, plain_command, program, side_by_side,
    skipped,
};
use heapbeat_agents::pprof;
use heapbeat_agents::server::AgentEventKind;
use heapbeat_test_support::pprof::Profile;

#[test]
fn hello_and_samples_say_what_the_process_says_of_itself() {
    side_by_side(nodes(), |node| {
        let mut guard = Guard::new();
        let (pid, output) = guard.spawn_piped(guard.command(node, &[&program("figures.cjs")]));
        let reading = std::thread::spawn(move || BufReader::new(output).lines().nth(3).unwrap().unwrap());
        guard.wait_for("figures", |_| reading.is_finished().then_some(()));
        guard.wait_for_event("a sample", pid, |kind| matches!(kind, AgentEventKind::Sample(_)).then_some(()));
        let own: serde_json::Value = serde_json::from_str(&reading.join().unwrap()).unwrap();
        let process = guard.registry.process(pid).unwrap();
        assert_eq!(process.hello.runtime, "node");
        assert!(process.hello.program.ends_with("figures.cjs"), "{:?}", process.hello);
        let (sample, _) = process.sample.as_ref().unwrap();
        let figures = [
            ("heapUsed", sample.heap_used),
            ("heapTotal", sample.heap_total),
            ("external", sample.external),
            ("arrayBuffers", sample.array_buffers),
            ("rss", sample.rss),
            ("limit", sample.heap_limit),
        ];
        for (name, figure) in figures {
            let (figure, expected) = (figure.unwrap(), own[name].as_u64().unwrap());
            assert!(
                is_near(figure, expected, 0.02),
                "{node:?}: {name} is {expected}, the agent says {figure}"
            );
        }
        assert_eq!(sample.heap_limit, own["limit"].as_u64());
        assert_eq!(process.heap_limit(), process.hello.heap_limit);
    });
}

#[test]
fn a_purge_frees_garbage_once_in_five_seconds_and_leaves_no_function_behind() {
    side_by_side(nodes(), |node| {
        let mut guard = Guard::new();
        let pid = guard.spawn(guard.command(node, &[&program("garbage.cjs")]));
        guard.wait_for("garbage", |guard| {
            guard.registry.process(pid)?.sample.as_ref()?.0.heap_used.filter(|used| *used > 40 << 20)
        });
        // The garbage is dropped 0.6 s after the start.
        guard.serve_for(Duration::from_millis(1_500));
        let purge = |guard: &mut Guard| {
            assert!(guard.server.as_mut().unwrap().request_purge(pid));
            guard.wait_for_event("the answer", pid, |kind| match kind {
                AgentEventKind::Purged(answer) => Some(answer.clone()),
                _ => None,
            })
        };
        let first = purge(&mut guard);
        assert!(first.freed > 20 << 20 && first.ms > 0.0, "{node:?}: {first:?}");
        let second = purge(&mut guard);
        assert!(second.refused.is_some(), "{node:?}: {second:?}");
    });
}

#[test]
fn the_leaking_function_is_named_first() {
    side_by_side(nodes(), |node| {
        let mut guard = Guard::new();
        let mut pids = BTreeMap::new();
        for (shape, function) in NODE_LEAKS {
            let pid = guard.spawn(guard.command(node, &[&program("leaks.cjs"), shape]));
            pids.insert(pid, (shape, function));
        }
        while !pids.is_empty() {
            let (pid, named) = guard.wait_for("a growing function", |guard| {
                pids.keys().find_map(|pid| {
                    let growing = guard.registry.process(*pid)?.growing(Instant::now());
                    Some((*pid, growing.into_iter().next()?))
                })
            });
            let (shape, function) = pids.remove(&pid).unwrap();
            let (sample, _) = guard.registry.process(pid).unwrap().sample.as_ref().unwrap();
            let heap = (sample.heap_used.unwrap() + sample.array_buffers.unwrap()) >> 20;
            println!("{node:?} {shape}: {} at {heap} MB", named.function);
            assert!(named.function.ends_with(function), "{node:?} {shape}: {named:?}");
            assert!(named.file.ends_with("leaks.cjs") && named.line > 0, "{named:?}");
        }
    });
}

#[test]
fn a_guard_with_little_time_gets_the_reports_that_name_the_function() {
    side_by_side(nodes(), |node| {
        let mut guard = Guard::new();
        let mut command = guard.command(node, &[&program("leaks.cjs"), "array"]);
        // Unasked, reports would be fifty seconds apart, and it takes four of them: longer than the test waits.
        command.env("HEAPBEAT_AGENT_INTERVAL", "10000");
        let pid = guard.spawn(command);
        guard.wait_for_sample(pid);
        let mut requested: Option<Instant> = None;
        let named = guard.wait_for("a growing function", |guard| {
            // On a machine that is busy the first eight seconds may bring too few.
            if requested.is_none_or(|at| at.elapsed() > Duration::from_secs(10)) {
                assert!(guard.server.as_mut()?.request_holders(pid, 4));
                requested = Some(Instant::now());
            }
            guard.registry.process(pid)?.growing(Instant::now()).into_iter().next()
        });
        assert!(named.function.ends_with("listOrders"), "{node:?}: {named:?}");
    });
}

#[test]
fn under_a_cpu_quota_hurried_reports_interrupt_a_program_for_a_tenth_of_the_time() {
    side_by_side(nodes(), |node| {
        let mut guard = Guard::new();
        // Each report takes 0.3 s and no CPU time, as if the program had used its quota.
        let quota = guard.folder().join("quota.cjs");
        let code = "const nothing = new Int32Array(new SharedArrayBuffer(4));
            process.cpuUsage = (before) => {
              if (before) Atomics.wait(nothing, 0, 0, 300);
              return { user: 0, system: 0 };
            };";
        std::fs::write(&quota, code).unwrap();
        let mut command =
            guard.command(node, &["--require", quota.to_str().unwrap(), &program("leaks.cjs"), "array"]);
        command.env("HEAPBEAT_AGENT_INTERVAL", "10000");
        let pid = guard.spawn(command);
        guard.wait_for_sample(pid);
        let started = Instant::now();
        assert!(guard.server.as_mut().unwrap().request_holders(pid, 4));
        guard.serve_for(Duration::from_secs(8));
        let of_program = guard.events.iter().filter(|event| event.pid == pid);
        let reports = of_program
            .filter(
                |event| matches!(&event.kind, AgentEventKind::Holders(report) if !report.holders.is_empty()),
            )
            .count();
        // One at the start, and perhaps one before the request.
        let most = 2.0 + started.elapsed().as_secs_f64() / 3.0;
        assert!(reports > 0 && reports as f64 <= most, "{node:?}: {reports} reports, at most {most}");
    });
}

#[test]
fn healthy_programs_are_not_accused() {
    side_by_side(nodes(), |node| {
        let mut guard = Guard::new();
        let pids: Vec<(u32, &str)> = NODE_HEALTHY
            .iter()
            .map(|shape| (guard.spawn(guard.command(node, &[&program("healthy.cjs"), shape])), *shape))
            .collect();
        for (pid, _) in &pids {
            guard.wait_for_sample(*pid);
        }
        // Twelve rounds of requests; each program reports on its own besides.
        for _ in 0..12 {
            for (pid, _) in &pids {
                guard.server.as_mut().unwrap().request_holders(*pid, 1);
            }
            guard.serve_for(Duration::from_millis(700));
            for (pid, shape) in &pids {
                let process = guard.registry.process(*pid).unwrap();
                let growing = process.growing(Instant::now());
                assert!(growing.is_empty(), "{node:?} {shape}: {growing:#?}");
            }
        }
        for (pid, shape) in &pids {
            let reports = guard
                .events
                .iter()
                .filter(|event| event.pid == *pid && matches!(event.kind, AgentEventKind::Holders(_)));
            assert!(reports.count() >= 3, "{node:?} {shape} reported too rarely to be accused");
        }
    });
}

#[test]
fn a_profile_becomes_a_file_for_pprof() {
    side_by_side(nodes(), |node| {
        let mut guard = Guard::new();
        let pid = guard.spawn(guard.command(node, &[&program("leaks.cjs"), "array"]));
        guard.wait_for_sample(pid);
        for seconds in [0, 1] {
            if seconds == 0 {
                guard.serve_for(Duration::from_secs(1));
            }
            guard.server.as_mut().unwrap().request_profile(pid, seconds);
            let answer = guard.wait_for_event("the profile", pid, |kind| match kind {
                AgentEventKind::Profile(answer) => Some(answer.clone()),
                _ => None,
            });
            let hello = &guard.registry.process(pid).unwrap().hello;
            let read = Profile::decode_bytes(&pprof::encode(&answer, hello, 1));
            let largest = read.sample.iter().max_by_key(|sample| sample.value[1]).unwrap();
            assert_eq!(read.stack(largest)[0].0, "listOrders", "{node:?}: {answer:?}");
        }
    });
}

#[test]
fn behind_wrappers_the_program_itself_has_the_agent() {
    let file = program("idle.mjs");
    side_by_side(nodes(), |node| {
        let mut guard = Guard::new();
        let shell = format!("{} {file}; true", node.display());
        guard.spawn(guard.command(Path::new("/bin/sh"), &["-c", &shell]));
        guard.wait_for("the program behind the shell", |guard| (guard.connected().len() == 1).then_some(()));
        let (_, process) = guard.registry.processes().next().unwrap();
        assert_eq!(process.hello.program, file);
    });
    let Some(npm) = find_on_path("npm") else { return skipped("no npm on PATH") };
    let mut guard = Guard::new();
    let starter = guard.folder().join("node_modules/tsx/dist");
    std::fs::create_dir_all(&starter).unwrap();
    let code = format!(
        "import {{ spawn }} from 'node:child_process'; spawn(process.execPath, ['{file}']); setTimeout(() => process.exit(), 60_000)"
    );
    std::fs::write(starter.join("cli.mjs"), code).unwrap();
    let package =
        r#"{"name":"a","version":"1.0.0","scripts":{"start":"node node_modules/tsx/dist/cli.mjs"}}"#;
    std::fs::write(guard.folder().join("package.json"), package).unwrap();
    let mut command = guard.command(&npm, &["start"]);
    command.current_dir(guard.folder()).stdout(std::process::Stdio::null());
    guard.spawn(command);
    guard.wait_for("the program behind npm", |guard| (!guard.connected().is_empty()).then_some(()));
    guard.serve_for(Duration::from_secs(1));
    let programs: Vec<&str> = guard.registry.processes().map(|(_, it)| &*it.hello.program).collect();
    assert_eq!(programs, [&*file], "npm and the starter behind it have no agent");
    let pid = guard.connected()[0];
    let _ = rustix::process::kill_process(
        rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap(),
        rustix::process::Signal::KILL,
    );
}

#[test]
fn threads_share_one_agent_and_cluster_workers_have_their_own() {
    side_by_side(nodes(), |node| {
        let mut guard = Guard::new();
        let pid = guard.spawn(guard.command(node, &[&program("threads.cjs")]));
        guard.wait_for_sample(pid);
        // Node 18 does not tell of its threads.
        if !guard.registry.process(pid).unwrap().hello.version.starts_with("18.") {
            guard.wait_for("threads", |guard| {
                guard.registry.process(pid)?.sample.as_ref()?.0.threads.filter(|threads| *threads == 2)
            });
        }
        guard.serve_for(Duration::from_millis(500));
        assert_eq!(guard.connected(), [pid]);
        let threads_heap = |guard: &Guard| {
            let process = guard.registry.process(pid)?;
            process.sample.as_ref()?.0.threads_heap_used
        };
        if threads_heap(&guard).is_some() {
            guard.wait_for("the heaps of the threads", |guard| {
                threads_heap(guard).filter(|heap| *heap > 15 << 20)
            });
        }
        guard.spawn(guard.command(node, &[&program("cluster.cjs")]));
        guard.wait_for("the cluster's processes", |guard| (guard.connected().len() == 4).then_some(()));
    });
}

#[test]
fn an_agent_that_is_switched_off_does_not_connect() {
    side_by_side(nodes(), |node| {
        let mut guard = Guard::new();
        let code = "setTimeout(() => console.log('done'), 700)";
        let mut command = guard.command(node, &["-e", code]);
        command.env("HEAPBEAT_AGENT", "off");
        assert_eq!(guard.finish(command).stdout, "done\n");
        let command = guard.command_in(node, &["-e", code], &[("HEAPBEAT_AGENT", "off")]);
        assert!(command.get_envs().all(|(name, value)| name != "HEAPBEAT_AGENT_SOCKET" || value.is_none()));
        guard.finish(command);
        assert_eq!(guard.events, []);
    });
}

#[test]
fn an_agent_survives_its_guard_and_finds_the_next_one() {
    side_by_side(nodes(), |node| {
        let mut guard = Guard::new();
        let pid = guard.spawn(guard.command(node, &[&program("idle.mjs")]));
        guard.wait_for_sample(pid);
        guard.server = None;
        guard.registry = heapbeat_agents::registry::AgentRegistry::default();
        guard.listen();
        guard.wait_for_sample(pid);
    });
}

/// Programs whose output and end must not change.
const OBSERVED: [(&str, &str); 12] = [
    ("output", "console.log('out'); console.error('err'); setTimeout(() => console.log('later'), 400)"),
    ("an exception", "setTimeout(() => { throw new TypeError('broken') }, 300)"),
    ("a rejection", "setTimeout(() => Promise.reject(new Error('rejected')), 300)"),
    (
        "a handler",
        "process.on('uncaughtException', e => console.log('handled', e.message)); setTimeout(() => { throw new Error('x') }, 300)",
    ),
    ("an exit code", "setTimeout(() => process.exit(7), 300)"),
    ("process.exitCode", "process.exitCode = 9; setTimeout(() => {}, 300)"),
    ("a signal", "setTimeout(() => process.kill(process.pid, 'SIGTERM'), 300); setTimeout(() => {}, 60000)"),
    ("an abort", "setTimeout(() => process.abort(), 300)"),
    (
        "the last events",
        "process.on('beforeExit', () => console.log('before')); process.on('exit', c => console.log('exit', c)); setTimeout(() => {}, 400)",
    ),
    (
        "globals",
        "setTimeout(() => console.log(Object.keys(globalThis).join(), typeof gc, Buffer.alloc.name, Buffer.alloc.length, Error.stackTraceLimit, typeof Error.prepareStackTrace, process.listenerCount('uncaughtException'), process.listenerCount('exit'), process.execArgv.join()), 400)",
    ),
    (
        "growing Buffers",
        "const kept = []; setInterval(() => kept.push(Buffer.alloc(4 << 20)), 20).unref(); setTimeout(() => console.log(Buffer.alloc.name, Buffer.alloc.length, Buffer.from('x').toString(), Buffer.from.name), 900)",
    ),
    ("a short program", "console.log(1)"),
];

#[test]
fn output_exit_codes_and_signals_are_unchanged() {
    side_by_side(nodes(), |node| {
        let mut guard = Guard::new();
        for (what, code) in OBSERVED {
            // An abort names its process in a trace of native frames; only its end is compared.
            let without = guard.finish(plain_command(node, &["-e", code]));
            let with = guard.finish(guard.command(node, &["-e", code]));
            if what == "an abort" {
                assert_eq!(with.status, without.status);
            } else {
                assert_eq!(with, without, "{node:?}: {what}");
            }
        }
        let connected =
            guard.events.iter().filter(|it| matches!(it.kind, AgentEventKind::Connected(_))).count();
        assert!(connected >= 8, "the agent was there: {connected}");
        let exceptions = guard.events.iter().filter_map(|it| match &it.kind {
            AgentEventKind::UncaughtException(name) => Some(&**name),
            _ => None,
        });
        assert!(exceptions.collect::<Vec<_>>().contains(&"TypeError"));
    });
}

#[test]
fn a_program_ends_as_soon_as_it_would_with_any_guard() {
    side_by_side(nodes(), |node| {
        assert_program_ends_in_time(node, &["-e", "setTimeout(() => {}, 600)"]);
    });
}
