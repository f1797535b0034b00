//! One column of differences as groups of Rice codes.
//!
//! Memory rests for minutes and then jumps, so one parameter for a whole column would suit neither. Every group of
//! [`GROUP`] differences says how it is coded: not at all (it is all zeros, or it follows the column before it
//! exactly), or with a Rice parameter, of the differences themselves or of what they differ from the leader's.

use super::bits::{BitReader, BitWriter};
use super::{SeriesError, unzigzag, zigzag};

/// Differences in a group: long enough that the six bits of its header do not count, short enough to follow a
/// change of weather.
const GROUP: usize = 64;

/// Longest run of ones in a code; a number that would need more is written whole after it.
const ESCAPE: u32 = 20;

/// Header of a group that has no bits of its own.
const ALL_ZERO: u64 = 31;

/// Largest Rice parameter: what is larger escapes.
const MAX_PARAMETER: u32 = 30;

pub(super) fn encode(bits: &mut BitWriter, deltas: &[i64], leader: &[i64]) {
    for (index, group) in deltas.chunks(GROUP).enumerate() {
        let own: Vec<u64> = group.iter().map(|delta| zigzag(*delta)).collect();
        let guide = leader.get(index * GROUP..index * GROUP + group.len());
        let followed: Option<Vec<u64>> =
            guide.map(|by| group.iter().zip(by).map(|(d, l)| zigzag(d.wrapping_sub(*l))).collect());
        let alone = choose(&own);
        match followed.map(|codes| (choose(&codes), codes)) {
            Some((together, codes)) if together.cost < alone.cost => {
                write_group(bits, true, together, &codes);
            }
            _ => write_group(bits, false, alone, &own),
        }
    }
}

pub(super) fn decode(bits: &mut BitReader, count: usize, leader: &[i64]) -> Result<Vec<i64>, SeriesError> {
    let mut deltas = Vec::with_capacity(count);
    while deltas.len() < count {
        let led = bits.take(1)? == 1;
        let header = bits.take(5)?;
        let parameter = u32::try_from(header).ok().filter(|_| header != ALL_ZERO);
        let group = GROUP.min(count - deltas.len());
        if led && leader.len() != count {
            return Err(SeriesError::Damaged);
        }
        for _ in 0..group {
            let code = parameter.map_or(Ok(0), |parameter| read_code(bits, parameter))?;
            let base = if led { leader[deltas.len()] } else { 0 };
            deltas.push(unzigzag(code).wrapping_add(base));
        }
    }
    Ok(deltas)
}

#[derive(Clone, Copy)]
struct Plan {
    /// Rice parameter, or `None` where every code is zero.
    parameter: Option<u32>,
    /// Bits that it takes.
    cost: u64,
}

/// The cheapest way to write `codes`. The best parameter is near the logarithm of their mean; its neighbours are
/// tried as well, because escapes bend the curve.
fn choose(codes: &[u64]) -> Plan {
    if codes.iter().all(|code| *code == 0) {
        return Plan { parameter: None, cost: 0 };
    }
    let mean = codes.iter().fold(0u64, |sum, code| sum.saturating_add(*code)) / codes.len() as u64;
    let guess = mean.checked_ilog2().unwrap_or(0).min(MAX_PARAMETER);
    let near = guess.saturating_sub(3)..=(guess + 1).min(MAX_PARAMETER);
    near.map(|parameter| Plan {
        parameter: Some(parameter),
        cost: codes.iter().map(|code| code_length(*code, parameter)).sum(),
    })
    .min_by_key(|plan| plan.cost)
    .expect("at least one parameter was tried")
}

fn code_length(code: u64, parameter: u32) -> u64 {
    match code >> parameter {
        ones if ones < u64::from(ESCAPE) => ones + 1 + u64::from(parameter),
        _ => u64::from(ESCAPE) + 64,
    }
}

fn write_group(bits: &mut BitWriter, led: bool, plan: Plan, codes: &[u64]) {
    bits.put(u64::from(led), 1);
    let Some(parameter) = plan.parameter else {
        bits.put(ALL_ZERO, 5);
        return;
    };
    bits.put(u64::from(parameter), 5);
    for code in codes {
        match u32::try_from(code >> parameter) {
            Ok(ones) if ones < ESCAPE => {
                bits.put((1 << (ones + 1)) - 2, ones + 1);
                bits.put(*code, parameter);
            }
            _ => {
                bits.put((1 << ESCAPE) - 1, ESCAPE);
                bits.put_word(*code);
            }
        }
    }
}

fn read_code(bits: &mut BitReader, parameter: u32) -> Result<u64, SeriesError> {
    match bits.take_unary(ESCAPE)? {
        ESCAPE => bits.take_word(),
        ones => Ok((u64::from(ones) << parameter) | bits.take(parameter)?),
    }
}
