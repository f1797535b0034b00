use heapbeat_shared::series::Series;
use heapbeat_shared::{Bytes, Sample, UnixMillis};
use proptest::prelude::*;

use super::*;
use crate::domain::check::verdict::CheckVerdict;
use crate::domain::history::verdict_codec::decode_failure;
use crate::domain::{Failure, ProbeSkipped};

fn failure() -> impl Strategy<Value = Failure> {
    (0u8..27, any::<u16>()).prop_map(|(reason, number)| decode_failure(reason, number.into()).unwrap())
}

fn verdict() -> impl Strategy<Value = CheckVerdict> {
    prop_oneof![
        Just(CheckVerdict::Up),
        failure().prop_map(CheckVerdict::Degraded),
        failure().prop_map(CheckVerdict::Failed),
        Just(CheckVerdict::Skipped(ProbeSkipped::Budget)),
        Just(CheckVerdict::Skipped(ProbeSkipped::Platform)),
        Just(CheckVerdict::Skipped(ProbeSkipped::Secret)),
        Just(CheckVerdict::Skipped(ProbeSkipped::NoHeartbeatYet)),
    ]
}

fn health() -> impl Strategy<Value = Health> {
    (0usize..4, any::<[u64; 5]>()).prop_map(|(status, [rss, used, total, external, uptime])| Health {
        status: STATUSES[status],
        memory: HealthMemory {
            rss: Megabytes(rss),
            heap_used: Megabytes(used),
            heap_total: Megabytes(total),
            external: Megabytes(external),
        },
        uptime,
    })
}

fn run() -> impl Strategy<Value = SampleRun> {
    let samples = proptest::collection::vec((0i64..5000, any::<[u16; 5]>()), 1..70);
    (any::<u64>(), any::<u32>(), samples).prop_map(|(instance, first, steps)| {
        let mut at = UnixMillis(0);
        let pages = |n: u16| Bytes(u64::from(n) * series::PAGE);
        let samples = steps.into_iter().map(|(step, [rss, used, total, resident, set])| {
            at = UnixMillis(at.0 + step);
            Sample {
                at,
                rss: pages(rss),
                heap_used: pages(used),
                heap_total: pages(total),
                heap_resident: pages(resident),
                working_set: pages(set),
            }
        });
        let samples = samples.collect();
        SampleRun { instance: InstanceId(instance), series: Series { first: first.into(), samples } }
    })
}

/// A run of as many samples as a report may have, of figures that do not compress.
fn noise(first: u64) -> SampleRun {
    let mut state = first + 1;
    let mut pages = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Bytes((state >> 12) * series::PAGE)
    };
    let sample = |at: i64| Sample {
        at: UnixMillis(at * 1000),
        rss: pages(),
        heap_used: pages(),
        heap_total: pages(),
        heap_resident: pages(),
        working_set: pages(),
    };
    let most = i64::try_from(series::MAX_SAMPLES).unwrap();
    SampleRun { instance: InstanceId(1), series: Series { first, samples: (0..most).map(sample).collect() } }
}

#[test]
fn noise_or_equal_samples_of_one_server_do_not_fill_a_row() {
    let health = Some(Health::default());
    let evaluation = Evaluation { verdict: CheckVerdict::Up, latency_ms: None, health };
    let probe = |runs| ProbeRecord { monitor: "api".parse().unwrap(), evaluation, runs };
    for runs in [vec![noise(0)], vec![noise(0), noise(9000)]] {
        let packed = pack_tick(&[probe(runs), probe(Vec::new())], 0);
        assert!(packed.len() < 100, "{}", packed.len());
        assert_eq!(unpack_tick(&packed).unwrap(), [probe(Vec::new()), probe(Vec::new())]);
    }
    let hour: Vec<_> = (0..60).map(|tick| noise(tick * 10_000)).collect();
    let packed = pack_runs(&hour);
    assert!(packed.len() <= MAX_CHUNK_BYTES);
    let kept = unpack_runs(&packed).unwrap();
    assert_eq!(kept.last(), hour.last(), "the newest is kept");
    let recording = pack_recording(&hour);
    assert!(recording.len() <= MAX_RECORDING_BYTES);

    let equal = Sample { at: UnixMillis(60_000), ..Sample::default() };
    let run = |first| SampleRun {
        instance: InstanceId(1),
        series: Series { first, samples: vec![equal; series::MAX_SAMPLES] },
    };
    let kept = unpack_runs(&pack_runs(&(0..60).map(run).collect::<Vec<_>>())).unwrap();
    assert_eq!(kept.iter().map(|run| run.series.samples.len()).sum::<usize>(), MAX_CHUNK_SAMPLES);
}

fn reading() -> impl Strategy<Value = ProbeRecord> {
    let evaluation = (verdict(), any::<Option<u32>>(), proptest::option::of(health()));
    ("[a-z0-9]{1,40}", evaluation, proptest::collection::vec(run(), 0..3)).prop_map(
        |(id, (verdict, latency_ms, health), runs)| ProbeRecord {
            monitor: id.parse().unwrap(),
            evaluation: Evaluation { verdict, latency_ms, health },
            runs: if health.is_some() { runs } else { Vec::new() },
        },
    )
}

proptest! {
    #[test]
    fn a_tick_is_unpacked_as_it_was_packed(readings in proptest::collection::vec(reading(), 0..40)) {
        prop_assert_eq!(unpack_tick(&pack_tick(&readings, 0)).unwrap(), readings);
    }

    #[test]
    fn a_recording_is_unpacked_as_it_was_packed(runs in proptest::collection::vec(run(), 0..5)) {
        prop_assert_eq!(unpack_runs(&pack_runs(&runs)).unwrap(), runs);
    }

    #[test]
    fn no_blob_panics(blob in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = unpack_tick(&blob);
    }

    #[test]
    fn a_blob_cut_short_is_damaged_or_ends_between_two_probes(
        readings in proptest::collection::vec(reading(), 1..5), cut in any::<prop::sample::Index>(),
    ) {
        let blob = pack_tick(&readings, 0);
        let cut = cut.index(blob.len());
        match unpack_tick(&blob[..cut]) {
            Ok(fewer) => prop_assert_eq!(&readings[..fewer.len()], &fewer[..]),
            Err(error) => prop_assert_eq!(error, PackError::Damaged),
        }
    }
}

#[test]
fn the_layout_on_disk_does_not_change() {
    let readings = [
        ProbeRecord {
            monitor: "a".parse().unwrap(),
            evaluation: Evaluation {
                verdict: CheckVerdict::Up,
                latency_ms: Some(12),
                health: Some(Health {
                    status: Status::Healthy,
                    memory: HealthMemory {
                        rss: Megabytes(150),
                        heap_used: Megabytes(120),
                        heap_total: Megabytes(200),
                        external: Megabytes(30),
                    },
                    uptime: 3600,
                }),
            },
            runs: Vec::new(),
        },
        ProbeRecord {
            monitor: "bc".parse().unwrap(),
            evaluation: Evaluation {
                verdict: CheckVerdict::Failed(Failure::Status(500)),
                latency_ms: None,
                health: None,
            },
            runs: Vec::new(),
        },
    ];
    let expected =
        [1, 1, b'a', 0, 0, 0, 13, 1, 150, 1, 120, 200, 1, 30, 144, 28, 0, 2, b'b', b'c', 2, 13, 244, 3, 0, 0];
    assert_eq!(pack_tick(&readings, 0), expected);
    let [mut healthy, _] = readings;
    let run = |instance| SampleRun { instance: InstanceId(instance), series: Series::default() };
    // (runs, the version, what follows the probe)
    let with_runs: [(&[u64], u8, &[u8]); 2] = [
        (&[7], 1, &[11, 0, 0, 0, 0, 0, 0, 0, 7, 1, 0, 0]),
        (&[7, 8], 2, &[11, 0, 0, 0, 0, 0, 0, 0, 7, 1, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 8, 1, 0, 0, 0]),
    ];
    for (instances, version, packed) in with_runs {
        healthy.runs = instances.iter().copied().map(run).collect();
        let blob = [&[version], &expected[1..16], packed].concat();
        assert_eq!(pack_tick(std::slice::from_ref(&healthy), 0), blob);
        assert_eq!(unpack_tick(&blob).unwrap(), std::slice::from_ref(&healthy));
    }
    assert_eq!(unpack_tick(&[9]), Err(PackError::Version(9)));
    assert_eq!(unpack_tick(&[]), Err(PackError::Damaged));
}
