use proptest::prelude::*;

use super::*;

fn sample(at: i64, [rss, used, total, resident, working]: [u64; 5]) -> Sample {
    Sample {
        at: UnixMillis(at),
        rss: Bytes(rss * PAGE),
        heap_used: Bytes(used * PAGE),
        heap_total: Bytes(total * PAGE),
        heap_resident: Bytes(resident * PAGE),
        working_set: Bytes(working * PAGE),
    }
}

/// A small generator, so that runs are the same everywhere (Numerical Recipes' LCG constants).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// An hour of a backend at 1 s: a heap that breathes by up to a megabyte, a resident set that follows its peaks,
/// a clock that is a millisecond off now and then.
fn typical_hour() -> Vec<Sample> {
    let mut dice = Dice(7);
    let (mut rss, mut resident) = (40_000, 30_000);
    (0..3600)
        .map(|second| {
            let used = 25_000 + dice.below(256);
            let total = used + 900 + dice.below(8);
            if dice.below(20) == 0 {
                let step = dice.below(64);
                rss += step;
                resident += step;
            }
            sample(
                1_700_000_000_000 + second * 1000 + dice.below(2).cast_signed(),
                [rss, used, total, resident, rss + 512],
            )
        })
        .collect()
}

#[test]
fn a_typical_hour_takes_less_than_four_bytes_a_sample() {
    let hour = typical_hour();
    let block = encode(0, &hour);
    let each = block.len() as f64 / hour.len() as f64;
    println!("{} samples in {} bytes: {each:.2} bytes a sample", hour.len(), block.len());
    assert!(each < 4.0, "{each:.2} bytes a sample");
    assert_eq!(decode(&block).unwrap().samples, hour);
}

#[test]
fn an_idle_hour_is_small() {
    let hour: Vec<Sample> = (0..3600).map(|s| sample(s * 1000, [900, 500, 600, 700, 950])).collect();
    let block = encode(12, &hour);
    assert!(block.len() < 600, "{} bytes", block.len());
    assert_eq!(decode(&block).unwrap(), Series { first: 12, samples: hour });
}

#[test]
fn figures_are_rounded_to_the_nearest_page_and_then_stay() {
    let raw = Sample { heap_used: Bytes(PAGE * 3 + 2047), rss: Bytes(PAGE * 3 + 2048), ..Sample::default() };
    let kept = to_pages(raw);
    assert_eq!((kept.heap_used, kept.rss), (Bytes(PAGE * 3), Bytes(PAGE * 4)));
    assert_eq!(decode(&encode(0, &[raw])).unwrap().samples, [kept]);
    assert_eq!(to_pages(kept), kept);
}

#[test]
fn an_invalid_block_is_refused_with_the_reason() {
    let good = encode(5, &typical_hour()[..100]);
    let cases: [(&[u8], SeriesError); 6] = [
        (b"", SeriesError::Truncated),
        (b"{}", SeriesError::Version(b'{')),
        (&[1], SeriesError::Truncated),
        (&[1, 0, 0x81, 0x40], SeriesError::TooMany(8193)),
        (&[1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 1], SeriesError::Damaged),
        (&good[..good.len() - 1], SeriesError::Truncated),
    ];
    for (bytes, error) in cases {
        assert_eq!(decode(bytes), Err(error), "{:?}", &bytes[..bytes.len().min(12)]);
    }
}

fn any_sample() -> impl Strategy<Value = Sample> {
    // Mostly neighbours, sometimes the far end of what can be: both kinds of code are met.
    let figure = prop_oneof![8 => 0u64..300_000, 1 => 0..=u64::MAX / PAGE];
    (any::<i64>(), prop::array::uniform5(figure)).prop_map(|(at, figures)| sample(at, figures))
}

proptest! {
    #[test]
    fn an_encoded_series_round_trips(first in 0u64..1 << 60, samples in prop::collection::vec(any_sample(), 0..200)) {
        let block = encode(first, &samples);
        prop_assert_eq!(decode(&block).unwrap(), Series { first, samples });
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&bytes);
        if let Some(version) = bytes.first_mut() {
            *version = VERSION;
        }
        if let Ok(series) = decode(&bytes) {
            prop_assert!(series.samples.len() <= MAX_SAMPLES);
        }
    }
}
