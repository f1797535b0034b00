use super::*;

/// Limit of the heap in MB.
const LIMIT: u64 = 100;

/// A process whose used bytes are given second by second (MB), and whose collections leave `live` of them.
struct Timeline {
    watch: HeapWatch,
    begun: Instant,
    second: u64,
    answers: bool,
    /// Whether answers tell what was left.
    tells: bool,
    requests: Vec<u64>,
    full: Vec<u64>,
}

impl Timeline {
    fn new() -> Self {
        Timeline {
            watch: HeapWatch::default(),
            begun: Instant::now(),
            second: 0,
            answers: true,
            tells: true,
            requests: Vec::new(),
            full: Vec::new(),
        }
    }

    /// One second, at whose end `used` MB are used and `live` of them are live; returns whether a collection is requested.
    fn step(&mut self, used: u64, live: u64) -> bool {
        let now = self.begun + Duration::from_secs(self.second);
        let heap = ProcessHeap {
            pid: 7,
            runtime: "node".into(),
            used: Some(Bytes::from_mb(used)),
            total: None,
            external: None,
            limit: Some(Bytes::from_mb(LIMIT)),
            at: now,
            is_stale: false,
        };
        let (requests, full) = self.watch.step(&[heap], now);
        if full.is_some() {
            self.full.push(self.second);
        }
        if !requests.is_empty() {
            self.requests.push(self.second);
            if self.answers {
                let live = Some(Bytes::from_mb(live)).filter(|_| self.tells);
                self.watch.record_collection(7, live, now + Duration::from_millis(300));
            }
        }
        self.second += 1;
        !requests.is_empty()
    }

    /// Lets the heap follow `live`, with garbage of `garbage` MB a second that is collected above 95 MB, or on request.
    fn run(&mut self, seconds: u64, garbage: u64, live: impl Fn(u64) -> u64) {
        let mut used = 0;
        for second in 0..seconds {
            let live = live(second);
            used = (used + garbage).max(live);
            if used >= 95 {
                used = live;
            }
            if self.step(used, live) {
                used = live;
            }
        }
    }
}

#[test]
fn garbage_is_collected_and_not_taken_for_a_full_heap() {
    for (garbage, live) in [(1, 50), (9, 20), (30, 60), (3, 80)] {
        let mut timeline = Timeline::new();
        timeline.run(600, garbage, |_| live);
        assert_eq!(timeline.full, [0_u64; 0], "{garbage} MB of garbage a second, {live} MB live");
        // Collections become rare.
        assert!(timeline.requests.len() <= 12, "{:?}", timeline.requests);
    }
}

#[test]
fn a_heap_that_is_full_after_a_collection_is_reported_while_it_is() {
    let mut timeline = Timeline::new();
    timeline.run(120, 2, |second| (second / 2).min(90));
    // Collections find garbage until 85 MB are live, after 170 s; here the heap stays below.
    assert_eq!(timeline.full, [0_u64; 0]);
    for tells in [false, true] {
        let mut timeline = Timeline::new();
        timeline.tells = tells;
        timeline.run(300, 1, |second| (second / 2).min(90));
        let first = timeline.full[0];
        assert!((170..335).contains(&first), "{first}");
        assert_eq!(timeline.full, (first..300).collect::<Vec<_>>());
        // The program lets it go.
        timeline.step(30, 30);
        assert_eq!(timeline.full.last(), Some(&299));
    }
}

#[test]
fn a_heap_that_grows_fast_is_reported_in_time() {
    let mut timeline = Timeline::new();
    timeline.run(17, 0, |second| 6 * second);
    let first = timeline.full[0];
    assert!(6 * first <= 85, "reported at {} MB", 6 * first);
}

#[test]
fn a_process_that_does_not_answer_is_judged_by_its_last_figures() {
    let mut timeline = Timeline::new();
    timeline.answers = false;
    for _ in 0..20 {
        timeline.step(92, 92);
    }
    assert_eq!(timeline.full, (10..20).collect::<Vec<_>>());
}

#[test]
fn only_heaps_with_a_limit_count_and_the_fullest_is_named() {
    let now = Instant::now();
    let heap = |pid, limit, at| ProcessHeap {
        pid,
        runtime: "node".into(),
        used: Some(Bytes::from_mb(90)),
        total: None,
        external: None,
        limit,
        at,
        is_stale: false,
    };
    let mut watch = HeapWatch::default();
    let at = |second| now + Duration::from_secs(second);
    let heaps = |second| {
        let limit = |mb| Some(Bytes::from_mb(mb));
        let at = at(second);
        [heap(1, None, at), heap(2, limit(0), at), heap(3, limit(100), at), heap(4, limit(95), at)]
    };
    assert_eq!(watch.step(&heaps(0), at(0)), (vec![3, 4], None));
    for pid in [3, 4, 99] {
        watch.record_collection(pid, None, at(1));
    }
    let (requests, full) = watch.step(&heaps(2), at(2));
    assert!(requests.is_empty());
    let full = full.unwrap();
    assert_eq!(full.pid, 4);
    assert_eq!(
        full.describe(),
        "the heap of process 4 (node) has 90.0 MB of at most 95.0 MB in use after a full collection"
    );
    // A process that is gone is forgotten.
    assert_eq!(watch.step(&[], at(3)), (vec![], None));
}

#[test]
fn invented_figures_are_not_believed() {
    let mb = Bytes::from_mb;
    // Used, limit, what the process holds (MB), whether the figures can be true.
    let cases = [
        (100, 512, Some(5), true),
        (500, 512, Some(480), true),
        (500, 512, Some(390), true),
        (500, 512, Some(300), false),
        (500, 512, None, true),
        (30, 32, Some(12), true),
        (7, 7, Some(100), false),
    ];
    for (used, limit, held, expected) in cases {
        let heap = ProcessHeap {
            pid: 7,
            runtime: "node".into(),
            used: Some(mb(used)),
            total: None,
            external: None,
            limit: Some(mb(limit)),
            at: Instant::now(),
            is_stale: false,
        };
        assert_eq!(is_plausible(&heap, || held.map(mb)), expected, "{used} of {limit} in {held:?}");
        let unlimited = ProcessHeap { limit: None, ..heap };
        assert!(is_plausible(&unlimited, || Some(Bytes::ZERO)));
    }
}
