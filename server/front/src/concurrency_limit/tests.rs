//! Timelines of simulated programs: a thousand requests have waited for a copy, and 200 more arrive each second.

use std::collections::VecDeque;

use super::*;

const ARRIVALS_PER_SECOND: u64 = 200;

/// What a program does with a request.
#[derive(Clone, Copy, Debug)]
struct Program {
    /// Microseconds of the only processor that each request needs, one after the other.
    processor: u64,
    /// Milliseconds that each request takes besides, at the same time as others.
    latency: u64,
    /// Requests that may be at it, say connections to a database.
    pool: usize,
    /// Of so many requests one takes 200 ms more; 0: none.
    slow: u64,
}

const FAST: Program = Program { processor: 1_000, latency: 0, pool: usize::MAX, slow: 0 };

/// The outcome of a simulation.
#[derive(Debug)]
struct Outcome {
    /// Most requests that the program has begun and not answered.
    most: usize,
    /// Milliseconds until none waits.
    drained: u64,
}

/// Passes requests on to `program` as the limit says, for at most 30 s.
fn simulate(program: Program, mut limit: ConcurrencyLimit, backlog: u64) -> Outcome {
    let start = Instant::now();
    let mut waiting = backlog;
    // Of each request: when it was begun, when it has its part of the processor, and when it is answered.
    let mut at_processor: VecDeque<(u64, u64)> = VecDeque::new();
    let mut at_pool: VecDeque<u64> = VecDeque::new();
    let mut in_pool: Vec<(u64, u64)> = Vec::new();
    let (mut free_at, mut begun, mut arrived, mut unanswered) = (0, 0, 0, 0);
    let mut outcome = Outcome { most: 0, drained: u64::MAX };
    for millis in 0..30_000_u64 {
        let now = start + Duration::from_millis(millis);
        let due = millis * ARRIVALS_PER_SECOND / 1000;
        waiting += due - std::mem::replace(&mut arrived, due);
        while waiting > 0 && unanswered < limit.limit() {
            (waiting, begun, unanswered) = (waiting - 1, begun + 1, unanswered + 1);
            limit.begin(true, unanswered >= limit.limit(), waiting > 0, now);
            free_at = free_at.max(millis * 1000) + program.processor;
            at_processor.push_back((millis, free_at));
        }
        outcome.most = outcome.most.max(unanswered);
        while at_processor.front().is_some_and(|(_, done)| *done <= millis * 1000) {
            at_pool.extend(at_processor.pop_front().map(|(since, _)| since));
        }
        while in_pool.len() < program.pool
            && let Some(since) = at_pool.pop_front()
        {
            let is_slow = program.slow > 0 && since % program.slow == 0;
            in_pool.push((since, millis + program.latency + if is_slow { 200 } else { 0 }));
        }
        in_pool.retain(|(since, done)| {
            if *done <= millis {
                unanswered -= 1;
                let latency = Duration::from_millis(millis - since);
                limit.end(true, Some(latency), waiting > 0, now);
            }
            *done > millis
        });
        if millis % 500 == 0 {
            limit.tick(unanswered >= limit.limit(), waiting > 0, now);
        }
        if waiting == 0 {
            outcome.drained = millis;
            return outcome;
        }
    }
    outcome
}

fn fresh() -> ConcurrencyLimit {
    ConcurrencyLimit::new(Instant::now())
}

#[test]
fn a_busy_program_gets_few_requests_and_answers_them_as_soon_as_if_it_had_all() {
    for processor in [500, 1_000, 2_000, 3_000] {
        for slow in [0, 10] {
            let program = Program { processor, slow, ..FAST };
            let limited = simulate(program, fresh(), 1000);
            assert!(limited.most <= LEAST * 9 / 4, "{program:?}: {limited:?}");
            // The last request is answered when the processor has worked on all of them, in any order.
            let ideal = 1000 * processor / (1000 - ARRIVALS_PER_SECOND * processor / 1000);
            assert!(limited.drained <= ideal * 11 / 10 + 200, "{program:?}: {limited:?}, ideal {ideal} ms");
        }
    }
}

#[test]
fn a_program_that_waits_for_others_gets_as_many_as_it_can_use() {
    // Latency in milliseconds, and milliseconds until none waits, at most: without a limit all pass at once.
    for (latency, most) in [(5, 300), (50, 1000), (100, 1500), (500, 3000), (1000, 5000), (5000, 12_000)] {
        let program = Program { processor: 100, latency, ..FAST };
        let limited = simulate(program, fresh(), 1000);
        assert!(limited.drained <= most, "{latency} ms: {limited:?}");
    }
}

#[test]
fn a_pool_inside_of_the_program_is_kept_busy_and_not_flooded() {
    let program = Program { processor: 100, latency: 20, pool: 50, ..FAST };
    let limited = simulate(program, fresh(), 2000);
    // 2,500 a second at most.
    assert!(limited.most <= 250 && limited.drained <= 1500, "{limited:?}");
}

#[test]
fn requests_that_get_no_answer_do_not_keep_others_waiting() {
    let silent = Program { latency: 60_000, ..FAST };
    let limited = simulate(silent, fresh(), 1000);
    assert!(limited.drained <= 5000, "{limited:?}");
}

/// Lets a program answer so many requests a second for a while, none of which wait.
fn serve(limit: &mut ConcurrencyLimit, now: &mut Instant, rate: u32, latency: Duration, time: Duration) {
    let until = *now + time;
    while *now < until {
        *now += Duration::from_secs(1) / rate;
        limit.begin(false, false, false, *now);
        limit.end(false, Some(latency), false, *now);
    }
}

#[test]
fn what_a_program_usually_works_on_is_what_it_gets_at_once() {
    let mut now = Instant::now();
    let mut limit = ConcurrencyLimit::new(now);
    serve(&mut limit, &mut now, 300, Duration::from_secs(1), Duration::from_secs(40));
    assert!((560..=600).contains(&limit.limit()), "{limit:?}");
    // While requests wait, nothing is learned: an outage of minutes says nothing about the program.
    limit.begin(false, false, true, now);
    now += Duration::from_secs(300);
    limit.end(false, None, true, now);
    limit.restart(now);
    limit.begin(true, false, true, now);
    assert!((560..=600).contains(&limit.limit()), "{limit:?}");
    assert!(simulate(Program { latency: 1000, processor: 100, ..FAST }, limit, 1000).drained <= 2500);
}

#[test]
fn what_a_program_has_because_it_cannot_keep_up_is_not_what_it_works_on() {
    let mut now = Instant::now();
    let mut limit = ConcurrencyLimit::new(now);
    let second = Duration::from_secs(1);
    serve(&mut limit, &mut now, 200, Duration::from_millis(20), 30 * second);
    // A thousand requests are inside of it, each for five seconds.
    serve(&mut limit, &mut now, 200, 5 * second, 20 * second);
    assert!(limit.limit() <= 1000, "{limit:?}");
    serve(&mut limit, &mut now, 200, Duration::from_millis(20), 20 * second);
    assert_eq!(limit.limit(), LEAST);
}

#[test]
fn a_rate_that_varies_by_chance_does_not_raise_the_limit() {
    let mut random = 7_u64;
    let mut now = Instant::now();
    let mut limit = ConcurrencyLimit::new(now);
    // 300 answers a second on average, as the processor has other work; always as many requests as allowed.
    let mut highest = 0;
    let mut sum = 0;
    for step in 0..30_000_u32 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        now += Duration::from_millis(1);
        limit.begin(true, true, true, now);
        // For 200 ms at a time it has a third, all or twice of its share.
        let share = [100, 300, 600][(u64::from(step / 200) * 2_654_435_761 % 3) as usize];
        let latency = Duration::from_secs_f64(limit.limit() as f64 / 300.0);
        let answered = (random >> 33) % 1000 < share;
        limit.end(true, answered.then_some(latency), true, now);
        highest = highest.max(limit.limit());
        sum += limit.limit();
    }
    assert!(highest <= 8 * LEAST && sum / 30_000 <= 3 * LEAST, "at most {highest}, mean {}", sum / 30_000);
}

#[test]
fn a_limit_that_was_raised_is_gone_when_none_wait() {
    let mut now = Instant::now();
    let mut limit = ConcurrencyLimit::new(now);
    limit.begin(true, true, true, now);
    for _ in 0..4 {
        now += SILENT;
        limit.tick(true, true, now);
    }
    assert_eq!(limit.limit(), LEAST * 16);
    limit.end(true, Some(Duration::from_secs(2)), false, now);
    limit.begin(false, false, false, now);
    assert_eq!(limit.limit(), LEAST);
}

#[test]
fn few_requests_are_with_a_program_that_is_short_of_memory_unless_it_can_use_more() {
    let now = Instant::now();
    let mut limit = fresh();
    limit.set_memory_short(true, now);
    assert_eq!(limit.limit(), LEAST / SHORT);
    let busy = simulate(Program { processor: 2_000, slow: 10, ..FAST }, limit, 1000);
    assert!(busy.most <= LEAST && busy.drained <= 4000, "{busy:?}");
    let mut limit = fresh();
    limit.set_memory_short(true, now);
    let waits = simulate(Program { processor: 100, latency: 100, ..FAST }, limit, 1000);
    assert!(waits.drained <= 7000, "{waits:?}");
    let mut limit = fresh();
    limit.set_memory_short(true, now);
    limit.set_memory_short(false, now);
    assert_eq!(limit.limit(), LEAST);
}

#[test]
fn the_limit_stays_within_its_bounds_whatever_happens() {
    let mut random = 1_u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) % below
    };
    let mut now = Instant::now();
    let mut limit = ConcurrencyLimit::new(now);
    for _ in 0..200_000 {
        now += Duration::from_micros(next(20_000));
        let (first, second) = (next(2) == 0, next(3) == 0);
        match next(8) {
            0..=2 => limit.begin(first, second, next(2) == 0, now),
            3..=5 => {
                let latency = (next(4) > 0).then(|| Duration::from_millis(next(5000)));
                limit.end(first, latency, second, now);
            }
            6 => limit.tick(first, second, now),
            _ if next(100) == 0 => limit.restart(now),
            _ => limit.forget_released(),
        }
        assert!((LEAST..=MOST).contains(&limit.limit()), "{limit:?}");
    }
}
