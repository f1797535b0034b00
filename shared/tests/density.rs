//! Bounds the encoded size of a sample on a recorded, typical run.
//!
//! `data/typical-run.csv`: a quarter of an hour of `heapbeat serve --demo` at one sample per second that holds 40 MB, with eight
//! clients that send small requests (12 kB and 4 kB in the median) at a rate that varies over five minutes, on a busy machine. The figures
//! are in pages of 4,096 bytes.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use heapbeat_shared::series;
use heapbeat_shared::series::PAGE;
use heapbeat_shared::{Bytes, Sample, UnixMillis};

fn typical_run() -> Vec<Sample> {
    let lines = include_str!("data/typical-run.csv").lines().skip(1);
    let sample = |line: &str| {
        let fields: Vec<i64> = line.split(',').map(|field| field.parse().unwrap()).collect();
        let [at, heap_used, heap_total, heap_resident, rss, working_set] = fields[..] else {
            panic!("{line}")
        };
        let bytes = |pages: i64| Bytes(pages.cast_unsigned() * PAGE);
        Sample {
            at: UnixMillis(at),
            rss: bytes(rss),
            heap_used: bytes(heap_used),
            heap_total: bytes(heap_total),
            heap_resident: bytes(heap_resident),
            working_set: bytes(working_set),
        }
    };
    lines.map(sample).collect()
}

#[test]
fn a_sample_of_a_typical_run_takes_at_most_four_bytes() {
    let samples = typical_run();
    assert_eq!(samples.len(), 877);
    let block = series::encode(0, &samples);
    assert_eq!(series::decode(&block).unwrap().samples, samples, "to the page");
    let each = |bytes: usize, count: usize| bytes as f64 / count as f64;
    let minute = samples.chunks_exact(60).map(|chunk| series::encode(0, chunk).len());
    println!(
        "{:.2} bytes a sample in one block, {:.2} in blocks of a minute",
        each(block.len(), samples.len()),
        each(minute.sum(), samples.len())
    );
    assert!(each(block.len(), samples.len()) <= 4.0, "{} bytes for {}", block.len(), samples.len());
}
