//! The memory history of an hour, one sample a second, is stored in at most four bytes a sample.

#![allow(clippy::unwrap_used)]

use heapbeat_edge::domain::history::rollup::merge_runs;
use heapbeat_edge::domain::report::last_report::SampleRun;
use heapbeat_edge::store::{pack_runs, unpack_runs};
use heapbeat_shared::series::Series;
use heapbeat_shared::{Bytes, InstanceId, Sample, UnixMillis, series};

fn sample_of_pages(second: i64, pages: u64) -> Sample {
    let figure = |n: u64| Bytes(n * series::PAGE);
    Sample {
        at: UnixMillis(second * 1000),
        rss: figure(pages + 2000),
        heap_used: figure(pages),
        heap_total: figure(pages + 300),
        heap_resident: figure(pages + 700),
        working_set: figure(pages + 1500),
    }
}

fn run(first: u64, samples: Vec<Sample>) -> SampleRun {
    SampleRun { instance: InstanceId(1), series: Series { first, samples } }
}

#[test]
fn an_hour_at_one_second_costs_at_most_four_bytes_a_sample() {
    // A busy heap: a slow drift, a wave, noise of a hundred pages, and some noise of each figure.
    let mut state = 1u64;
    let mut noise = |most: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % most
    };
    let samples: Vec<_> = (0..3600u64)
        .map(|n| {
            let base = 20_000 + n + (n % 194).abs_diff(97) * 10;
            let mut sample = sample_of_pages(n.cast_signed(), base + noise(100));
            sample.at = UnixMillis(sample.at.0 + noise(3).cast_signed());
            let Sample { heap_total, heap_resident, rss, working_set, .. } = &mut sample;
            for figure in [heap_total, heap_resident, rss, working_set] {
                figure.0 += noise(8) * series::PAGE;
            }
            sample
        })
        .collect();
    let reports: Vec<_> =
        samples.chunks(60).zip(0u64..).map(|(part, n)| run(n * 60, part.to_vec())).collect();
    let blob = pack_runs(&merge_runs(reports));
    let bytes = blob.len() as f64 / 3600.0;
    assert!(bytes <= 4.0, "{bytes} bytes a sample");
    let back = unpack_runs(&blob).unwrap();
    assert_eq!(back, [run(0, samples)], "and is read back as it was");
}
