//! All probes of one tick in one blob.
//!
//! One row per tick, instead of one per monitor, keeps the rows written far from the quota. A row contains the ids of its monitors,
//! so it can be read after the configuration has changed.
//!
//! The format is not CBOR, because a hub of forty monitors writes 1,440 of these rows a day and reads all of them when it starts: a
//! probe without a report takes about 12 bytes and its id.
//!
//! Layout: a byte for the version (1 or 2), then for each probe: a byte for the length of the id and the id; a byte for the kind of
//! verdict and one for its reason, a varint for the reason's number; a varint for the latency in ms plus 1, or 0; a byte for the
//! health status plus 1, or 0; and if that is not 0, varints for rss, heapUsed, heapTotal, external (MB) and uptime (s), and the
//! samples of the probe: a varint for their length, or 0, eight bytes for the instance and the block of `heapbeat_shared::series`.
//! Varints are LEB128: 7 bits per byte, lowest first. In version 2 some probe has samples of two instances: there each probe with a
//! health status has any number of sample blocks, ended by the length 0.

use heapbeat_shared::{Health, HealthMemory, InstanceId, Megabytes, Status, series};

use super::binary::{BlobReader, PackError, write_id, write_varint};
use crate::domain::check::verdict::Evaluation;
use crate::domain::engine::ProbeRecord;
use crate::domain::history::verdict_codec::{decode_verdict, encode_verdict};
use crate::domain::report::last_report::SampleRun;

/// The layout of nearly every tick.
const ONE_RUN: u8 = 1;

/// The layout of a tick that brought samples of two instances of one monitor.
const SEVERAL_RUNS: u8 = 2;

/// The most bytes of the row of a tick: the states of its monitors, and its probes. A row of the store has at most 2 MB, and a tick that
/// is not stored is lost for all monitors.
const MAX_ROW_BYTES: usize = 1_800_000;

/// The most bytes of the samples of one probe. The samples of a report take up to 30 kB, except those of a server that sends noise. If all
/// servers of a hub do so, each has an equal share of the row.
const MAX_PROBE_BYTES: usize = 32 * 1024;

/// The most bytes of a probe without its samples: the id, the verdict and the figures.
const MAX_FIGURE_BYTES: usize = 128;

/// The most bytes of the samples of one row with a chunk. An hour of a server takes 30 kB; only one that sends noise takes more, and at most
/// 150 MB with all of its history.
const MAX_CHUNK_BYTES: usize = 512 * 1024;

/// The most bytes of the recording before an incident, of which a server that holds its secret can cause many.
const MAX_RECORDING_BYTES: usize = 64 * 1024;

/// The most samples of one row. An hour of a server under the highest pressure has 72,000. Any number of equal samples fits into a row,
/// but not into the memory of the hub.
const MAX_CHUNK_SAMPLES: usize = 16 * series::MAX_SAMPLES;

/// The function that [`for_each_probe`] calls; its error ends the iteration.
pub(super) type ProbeVisitor<'v, 'b> =
    dyn FnMut(&'b str, Evaluation, Vec<&'b [u8]>) -> Result<(), PackError> + 'v;

/// Packs one tick, whose row has `states_bytes` besides.
pub fn pack_tick(readings: &[ProbeRecord], states_bytes: usize) -> Vec<u8> {
    let share = MAX_ROW_BYTES.saturating_sub(states_bytes) / readings.len().max(1);
    let max_bytes = share.saturating_sub(MAX_FIGURE_BYTES).min(MAX_PROBE_BYTES);
    let version = if readings.iter().any(|it| it.runs.len() > 1) { SEVERAL_RUNS } else { ONE_RUN };
    let mut out = vec![version];
    for ProbeRecord { monitor, evaluation, runs } in readings {
        write_id(&mut out, monitor);
        let (kind, reason, number) = encode_verdict(evaluation.verdict);
        out.extend_from_slice(&[kind, reason]);
        write_varint(&mut out, number);
        write_varint(&mut out, evaluation.latency_ms.map_or(0, |ms| u64::from(ms) + 1));
        let Some(health) = evaluation.health else {
            out.push(0);
            continue;
        };
        out.push(status_to_wire(health.status));
        let memory = health.memory;
        for figure in [memory.rss, memory.heap_used, memory.heap_total, memory.external] {
            write_varint(&mut out, figure.0);
        }
        write_varint(&mut out, health.uptime);
        let packed = pack_newest(runs, max_bytes);
        let ends = packed.is_empty() || version == SEVERAL_RUNS;
        out.extend(packed);
        if ends {
            out.push(0);
        }
    }
    out
}

/// Packs a chunk of the history: its runs one after the other, each as in a tick. The oldest runs that do not fit into a row are left out.
pub fn pack_runs(runs: &[SampleRun]) -> Vec<u8> {
    pack_newest(runs, MAX_CHUNK_BYTES)
}

/// Packs the recording before an incident in the same way.
pub(super) fn pack_recording(runs: &[SampleRun]) -> Vec<u8> {
    pack_newest(runs, MAX_RECORDING_BYTES)
}

/// Packs the newest runs that fit into `max_bytes` and [`MAX_CHUNK_SAMPLES`].
fn pack_newest(runs: &[SampleRun], max_bytes: usize) -> Vec<u8> {
    let (mut packed, mut bytes, mut samples) = (Vec::new(), 0, 0);
    for run in runs.iter().rev() {
        let block = pack_run(run);
        bytes += block.len();
        samples += run.series.samples.len();
        if bytes > max_bytes || samples > MAX_CHUNK_SAMPLES {
            break;
        }
        packed.push(block);
    }
    packed.reverse();
    packed.concat()
}

/// Unpacks what [`pack_runs`] or the packing of a recording made.
pub fn unpack_runs(blob: &[u8]) -> Result<Vec<SampleRun>, PackError> {
    let mut rest = BlobReader(blob);
    let mut runs = Vec::new();
    while !rest.0.is_empty() {
        if let Some(bytes) = read_packed_run(&mut rest)? {
            runs.push(unpack_run(bytes)?);
        }
    }
    Ok(runs)
}

fn pack_run(run: &SampleRun) -> Vec<u8> {
    let block = series::encode(run.series.first, &run.series.samples);
    let mut out = Vec::with_capacity(block.len() + 10);
    write_varint(&mut out, block.len() as u64 + 8);
    out.extend_from_slice(&run.instance.0.to_be_bytes());
    out.extend_from_slice(&block);
    out
}

/// Reads the bytes of a run; `None` for the length 0.
fn read_packed_run<'b>(rest: &mut BlobReader<'b>) -> Result<Option<&'b [u8]>, PackError> {
    match rest.read_varint()? {
        0 => Ok(None),
        length => rest.read_bytes(usize::try_from(length).map_err(|_| PackError::Damaged)?).map(Some),
    }
}

fn unpack_run(bytes: &[u8]) -> Result<SampleRun, PackError> {
    let (instance, block) = bytes.split_first_chunk::<8>().ok_or(PackError::Damaged)?;
    let series = series::decode(block).map_err(|_| PackError::Damaged)?;
    Ok(SampleRun { instance: InstanceId(u64::from_be_bytes(*instance)), series })
}

/// Unpacks the samples of one probe.
pub(super) fn unpack_packed_runs(packed: Vec<&[u8]>) -> Result<Vec<SampleRun>, PackError> {
    packed.into_iter().map(unpack_run).collect()
}

/// Unpacks one tick.
pub fn unpack_tick(blob: &[u8]) -> Result<Vec<ProbeRecord>, PackError> {
    let mut readings = Vec::new();
    for_each_probe(blob, &mut |id, evaluation, packed| {
        let monitor = id.parse().map_err(|_| PackError::Damaged)?;
        readings.push(ProbeRecord { monitor, evaluation, runs: unpack_packed_runs(packed)? });
        Ok(())
    })?;
    Ok(readings)
}

/// Calls `visit` for each probe in a blob with the monitor's id, the verdict and the samples, which are still packed: unpacking them
/// is nearly all of the work, and not every caller needs them.
pub(super) fn for_each_probe<'b>(blob: &'b [u8], visit: &mut ProbeVisitor<'_, 'b>) -> Result<(), PackError> {
    let mut rest = BlobReader(blob);
    let version = rest.read_byte()?;
    if !(ONE_RUN..=SEVERAL_RUNS).contains(&version) {
        return Err(PackError::Version(version));
    }
    while !rest.0.is_empty() {
        let id = rest.read_id()?;
        let (kind, reason) = (rest.read_byte()?, rest.read_byte()?);
        let verdict = decode_verdict((kind, reason, rest.read_varint()?)).ok_or(PackError::Damaged)?;
        let latency_ms = match rest.read_varint()? {
            0 => None,
            ms => Some(u32::try_from(ms - 1).map_err(|_| PackError::Damaged)?),
        };
        let health = match rest.read_byte()? {
            0 => None,
            status => Some(Health {
                status: *STATUSES.get(usize::from(status) - 1).ok_or(PackError::Damaged)?,
                memory: HealthMemory {
                    rss: Megabytes(rest.read_varint()?),
                    heap_used: Megabytes(rest.read_varint()?),
                    heap_total: Megabytes(rest.read_varint()?),
                    external: Megabytes(rest.read_varint()?),
                },
                uptime: rest.read_varint()?,
            }),
        };
        let mut runs = Vec::new();
        while health.is_some() {
            let Some(run) = read_packed_run(&mut rest)? else { break };
            runs.push(run);
            if version == ONE_RUN {
                break;
            }
        }
        visit(id, Evaluation { verdict, latency_ms, health }, runs)?;
    }
    Ok(())
}

/// The number of a status on disk; 0 stands for no response.
fn status_to_wire(status: Status) -> u8 {
    match status {
        Status::Healthy => 1,
        Status::Degraded => 2,
        Status::Critical => 3,
        Status::Draining => 4,
    }
}

/// The statuses in the order of their numbers on disk.
const STATUSES: [Status; 4] = [Status::Healthy, Status::Degraded, Status::Critical, Status::Draining];

#[cfg(test)]
mod tests;
