use super::*;
use ExitKind::{Crash, Deploy, Hang, OomKill, Panic, Platform, Recycle, Stop, Unknown};

fn observed(exit: ProcessExit, change: impl FnOnce(&mut ExitFacts)) -> ExitFacts {
    let mut facts = ExitFacts { exit: Some(exit), oom: OomCount::Group(0), ..ExitFacts::default() };
    change(&mut facts);
    facts
}

fn unobserved(change: impl FnOnce(&mut ExitFacts)) -> ExitFacts {
    let mut facts = ExitFacts::default();
    change(&mut facts);
    facts
}

#[test]
fn facts_are_classified_or_the_exit_is_unknown() {
    use ProcessExit::{Code, Signal};
    let note = |text: &str| Some(text.to_owned());
    let cases: Vec<(&str, ExitFacts, ExitKind, bool)> = vec![
        ("asked, and it went", observed(Code(0), |f| f.asked = Some(StopReason::Stop)), Stop, true),
        ("asked, and too slow", observed(Signal(9), |f| f.asked = Some(StopReason::Stop)), Stop, true),
        (
            "asked before it could listen",
            observed(Signal(15), |f| f.asked = Some(StopReason::Stop)),
            Stop,
            true,
        ),
        (
            "asked, but it crashed instead",
            observed(Signal(11), |f| f.asked = Some(StopReason::Stop)),
            Crash,
            true,
        ),
        ("asked, but exit code 3", observed(Code(3), |f| f.asked = Some(StopReason::Recycle)), Crash, true),
        (
            "asked, and another version follows",
            observed(Code(0), |f| (f.asked, f.version_changed) = (Some(StopReason::Stop), true)),
            Deploy,
            true,
        ),
        ("replaced", observed(Code(0), |f| f.asked = Some(StopReason::Recycle)), Recycle, true),
        (
            "replaced by another version is still the guard's doing",
            observed(Code(0), |f| (f.asked, f.version_changed) = (Some(StopReason::Recycle), true)),
            Recycle,
            true,
        ),
        (
            "replaced, but the kernel was faster",
            observed(Signal(9), |f| (f.asked, f.oom) = (Some(StopReason::Recycle), OomCount::Group(1))),
            OomKill,
            true,
        ),
        ("asked by somebody else", observed(Code(0), |f| f.noted_stop = note("SIGTERM")), Stop, true),
        ("not requested", observed(Code(0), |_| ()), Unknown, false),
        ("killed for memory", observed(Signal(9), |f| f.oom = OomCount::Group(1)), OomKill, true),
        ("kill -9", observed(Signal(9), |_| ()), Crash, true),
        ("kill -9 on a bare machine", observed(Signal(9), |f| f.oom = OomCount::Machine(0)), Crash, true),
        (
            "somebody on the machine was killed, and this was full",
            observed(Signal(9), |f| (f.oom, f.full) = (OomCount::Machine(1), Some(97))),
            OomKill,
            false,
        ),
        (
            "somebody on the machine was killed, and this was not full",
            observed(Signal(9), |f| (f.oom, f.full) = (OomCount::Machine(1), Some(20))),
            Unknown,
            false,
        ),
        (
            "killed, and no counter to be read, however full",
            observed(Signal(9), |f| (f.oom, f.full) = (OomCount::Unreadable, Some(99))),
            Unknown,
            false,
        ),
        ("a panic", observed(Signal(6), |f| f.panic = note("panicked at x: y")), Panic, true),
        ("an abort without a panic", observed(Signal(6), |_| ()), Crash, true),
        (
            "a panic, but the kernel was faster",
            observed(Signal(9), |f| (f.panic, f.oom) = (note("p"), OomCount::Group(1))),
            OomKill,
            true,
        ),
        ("a segmentation fault", observed(Signal(11), |_| ()), Crash, true),
        ("an exit code", observed(Code(3), |_| ()), Crash, true),
        ("hung", observed(Signal(9), |f| f.asked = Some(StopReason::Hung)), Hang, true),
        (
            "hung, and the kernel was at it too",
            observed(Signal(9), |f| (f.asked, f.oom) = (Some(StopReason::Hung), OomCount::Group(1))),
            Hang,
            false,
        ),
        (
            "unseen, finished",
            unobserved(|f| (f.noted_stop, f.noted_finished) = (note("INT"), true)),
            Stop,
            true,
        ),
        ("unseen, asked", unobserved(|f| f.noted_stop = note("SIGTERM")), Stop, false),
        ("unseen panic", unobserved(|f| f.panic = note("p")), Panic, true),
        ("unseen, another boot", unobserved(|f| f.rebooted = Some(true)), Platform, false),
        ("unseen, same boot", unobserved(|f| f.rebooted = Some(false)), Unknown, false),
        ("nothing known at all", unobserved(|_| ()), Unknown, false),
    ];
    for (name, facts, kind, sure) in cases {
        let result = classify(&facts);
        assert_eq!((result.kind, result.sure), (kind, sure), "{name}: {result:?}");
        assert!(!result.evidence.is_empty(), "{name}: no evidence");
        assert!(result.kind != Unknown || !result.sure, "{name}: sure of not knowing");
    }
}

#[test]
fn an_exit_by_the_signal_that_was_sent_is_orderly() {
    use ExitKind::{Crash, Finish, Recycle, Stop};
    use ProcessExit::{Code, Signal};
    let cases = [
        ("143 without a request", observed(Code(143), |_| ()), Crash, true),
        ("a JVM's 143 when asked", observed(Code(143), |f| f.asked = Some(StopReason::Stop)), Stop, true),
        (
            "a shell's 130 when replaced",
            observed(Code(130), |f| f.asked = Some(StopReason::Recycle)),
            Recycle,
            true,
        ),
        ("another code when asked", observed(Code(139), |f| f.asked = Some(StopReason::Stop)), Crash, true),
        (
            "its own stop signal",
            observed(Signal(3), |f| (f.asked, f.stop_signal) = (Some(StopReason::Stop), Some(3))),
            Stop,
            true,
        ),
        ("finished", observed(Code(0), |f| f.may_finish = true), Finish, true),
    ];
    for (name, facts, kind, sure) in cases {
        let result = classify(&facts);
        assert_eq!((result.kind, result.sure), (kind, sure), "{name}: {result:?}");
    }
}

#[test]
fn a_runtime_that_ran_out_of_memory_explains_an_exit_that_nothing_stronger_does() {
    use ExitKind::{Crash, OomKill, OutOfMemory, Recycle, Stop};
    use ProcessExit::{Code, Signal};
    let oom = |by_its_exit| {
        Some(RuntimeOutOfMemory {
            message: "JavaScript heap out of memory".into(),
            by_its_exit,
            heap: Some(Bytes(500 << 20)),
            setting: Some("NODE_OPTIONS=--max-old-space-size=576".into()),
        })
    };
    let with = |exit, by_its_exit, change: fn(&mut ExitFacts)| {
        observed(exit, |f| {
            f.runtime_oom = oom(by_its_exit);
            change(f);
        })
    };
    let cases = [
        ("V8's abort", with(Signal(6), true, |_| ()), OutOfMemory, true),
        ("behind a wrapper", with(Code(1), false, |_| ()), OutOfMemory, false),
        (
            "while it drained",
            with(Signal(6), true, |f| f.asked = Some(StopReason::Recycle)),
            OutOfMemory,
            true,
        ),
        (
            "it said so earlier, and was stopped",
            with(Signal(15), false, |f| f.asked = Some(StopReason::Stop)),
            Stop,
            true,
        ),
        ("it was replaced", with(Code(0), false, |f| f.asked = Some(StopReason::Recycle)), Recycle, true),
        ("the kernel was faster", with(Signal(9), false, |f| f.oom = OomCount::Group(1)), OomKill, true),
        ("kill -9", with(Signal(9), false, |_| ()), Crash, true),
    ];
    for (name, facts, kind, sure) in cases {
        let result = classify(&facts);
        assert_eq!((result.kind, result.sure), (kind, sure), "{name}: {result:?}");
    }
    let facts = with(Signal(6), true, |f| {
        (f.full, f.heap) = (Some(95), Some((Bytes(490 << 20), Bytes(560 << 20))));
    });
    let texts: Vec<_> = classify(&facts).evidence.iter().map(|it| it.statement().text).collect();
    assert_eq!(
        texts,
        [
            "it was terminated by SIGABRT",
            "its runtime reported: JavaScript heap out of memory",
            "its heap held 500.0 MB after the last collection",
            "its heap was limited by NODE_OPTIONS=--max-old-space-size=576",
            "memory was at 95 % of the limit when last seen"
        ],
        "one figure for the heap: the runtime's own is the latest"
    );
    let silent = ExitFacts {
        runtime_oom: facts.runtime_oom.clone().map(|oom| RuntimeOutOfMemory { heap: None, ..oom }),
        ..facts
    };
    let texts: Vec<_> = classify(&silent).evidence.iter().map(|it| it.statement().text).collect();
    let seen = "its heap held 490.0 MB when last seen; the runtime gives up at 560.0 MB".to_owned();
    assert!(texts.contains(&seen), "{texts:?}");
}

#[test]
fn a_kill_after_a_request_to_stop_says_whether_there_was_time() {
    let cases = [
        (Some(SupervisorKill::TimedOut), "it did not stop in time and was killed"),
        (Some(SupervisorKill::AtOnce), "it was killed without waiting for it to stop"),
        (None, "the supervisor asked it to stop"),
    ];
    for (kill, expected) in cases {
        let facts = observed(ProcessExit::Signal(9), |f| (f.asked, f.kill) = (Some(StopReason::Stop), kill));
        let result = classify(&facts);
        assert_eq!((result.kind, result.sure), (ExitKind::Stop, true), "{kill:?}");
        assert_eq!(result.evidence[1].statement().text, expected, "{kill:?}");
    }
}

#[test]
fn the_evidence_begins_with_the_wait_status() {
    let result = classify(&observed(ProcessExit::Signal(9), |f| {
        (f.oom, f.full) = (OomCount::Group(1), Some(99));
    }));
    let texts = |result: &ExitClassification| -> Vec<String> {
        result.evidence.iter().map(|piece| piece.statement().text).collect()
    };
    assert_eq!(
        texts(&result),
        [
            "it was terminated by SIGKILL",
            "the OOM kill count of its control group rose by 1",
            "memory was at 99 % of the limit when last seen"
        ]
    );
    let unnamed = classify(&observed(ProcessExit::Signal(34), |_| ()));
    assert_eq!(texts(&unnamed)[0], "it was terminated by signal 34");
}
