//! Files that a torn write, a broken disk or somebody else has made anything: thousands of damages of real files, with fixed seeds.
//!
//! Whatever the bytes, what is read is bounded, nothing panics, and an exit says what was recorded or less, never something else.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use fastrand::Rng;
use heapbeat_shared::event::EventKind;
use heapbeat_shared::{Exit, ExitKind};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::layout::{
    EVENTS, FINISHED, HANG, HEAD, LATEST, PANIC, PREFIX_BYTES, RecordField, RecordSeal, SAMPLES, SIZE, STOP,
};
use super::*;
use crate::supervisor::leftover_exit;

const NOW: UnixMillis = UnixMillis(2_000_000_000_000);

/// Most bytes of an exit as JSON: what the next supervisor reads of one.
const MAX_EXIT: usize = 64 << 10;

/// How an instance of the test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Killed,
    Stopped,
    Panicked,
    Hung,
    JustBegun,
}

const ENDINGS: [Ending; 5] =
    [Ending::Killed, Ending::Stopped, Ending::Panicked, Ending::Hung, Ending::JustBegun];

fn header(instance: u64) -> RecordingHeader {
    let version = format!("version-{instance}");
    RecordingHeader { instance: InstanceId(instance), version, started: UnixMillis(1000), boot: boot_id() }
}

fn sample(instance: u64, second: u64) -> Sample {
    let figure = |factor: u64| Bytes((instance * 1_000_000 + second) * factor);
    Sample {
        at: UnixMillis((instance * 1_000_000 + second).cast_signed() * 1000),
        rss: figure(5),
        working_set: figure(7),
        ..Sample::default()
    }
}

fn note(instance: u64, what: &str) -> RecordedNote {
    RecordedNote { at: UnixMillis(5000), text: format!("{what} of {instance}"), stack: "a\nb\n".repeat(50) }
}

/// Writes the file of an instance, and returns its bytes.
fn record(directory: &Path, instance: u64, ending: Ending) -> Vec<u8> {
    let path = directory.join("real");
    fs::write(&path, vec![0; SIZE]).unwrap();
    let recorder = open_recorder(&path, &header(instance)).unwrap();
    if ending != Ending::JustBegun {
        for second in 0..700 {
            let slot = SampleSlot { sequence: second, highest: second % 7 != 0 };
            recorder.sample(&sample(instance, second), slot, Pressure::Alert, Bytes::from_mb(512));
        }
        for number in 0..80 {
            recorder.event(&Event { at: UnixMillis(number), kind: EventKind::Started });
        }
        recorder.request_started(3, || "GET /a");
        recorder.request_started(9, || "POST /b");
    }
    match ending {
        Ending::Killed | Ending::JustBegun => {}
        Ending::Stopped => {
            recorder.note(STOP, &note(instance, "stop"));
            recorder.note(FINISHED, &note(instance, "finish"));
        }
        Ending::Panicked => recorder.note(PANIC, &note(instance, "panic")),
        Ending::Hung => recorder.note(HANG, &note(instance, "hang")),
    }
    drop(recorder);
    fs::read(path).unwrap()
}

/// The places of all records.
fn places() -> impl Iterator<Item = RecordField> {
    let rings = [SAMPLES, EVENTS].into_iter().flat_map(|ring| (0..ring.count).map(move |n| ring.place(n)));
    [HEAD, STOP, FINISHED, LATEST, PANIC, HANG].into_iter().chain(rings)
}

/// A range of the file: whole pages, whole records, or any bytes.
fn range(rng: &mut Rng) -> std::ops::Range<usize> {
    let unit = [1, 64, 512, 4096][rng.usize(..4)];
    let begin = rng.usize(..SIZE / unit) * unit;
    begin..(begin + unit * rng.usize(1..9)).min(SIZE)
}

/// Damages a file a few times, with parts of another one.
fn damage(rng: &mut Rng, file: &mut Vec<u8>, other: &[u8]) {
    for _ in 0..rng.usize(1..5) {
        file.resize(SIZE, 0);
        let (part, target) = (range(rng), range(rng));
        let length = part.len().min(target.len());
        let (part, target) = (part.start..part.start + length, target.start..target.start + length);
        match rng.u8(..7) {
            0 => file[part].iter_mut().for_each(|byte| *byte ^= 1 << rng.u8(..8)),
            1 => file[part].fill(0),
            2 => file[part].iter_mut().for_each(|byte| *byte = rng.u8(..)),
            // A part of the file at another place, or at the same place of another file.
            3 => file.copy_within(part, target.start),
            4 => file[part.clone()].copy_from_slice(&other[part]),
            5 => {
                let (from, to) = (file[part.clone()].to_vec(), file[target.clone()].to_vec());
                if part.end <= target.start || target.end <= part.start {
                    file[target].copy_from_slice(&from);
                    file[part].copy_from_slice(&to);
                }
            }
            _ => {
                let bit = rng.usize(..SIZE * 8);
                file[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }
    match rng.u8(..20) {
        0 => file.truncate(rng.usize(..SIZE)),
        1 => file.extend(std::iter::repeat_n(7, rng.usize(1..5000))),
        _ => {}
    }
}

/// Damages the payloads of records, and gives them right checksums: what only somebody with the program's rights can do.
fn forge(rng: &mut Rng, file: &mut [u8]) {
    let seal = RecordSeal::read(file);
    for field in places() {
        let place = &mut file[field.at..field.at + field.size];
        if place.iter().all(|byte| *byte == 0) || rng.u8(..3) == 0 {
            continue;
        }
        let length = u32::from_le_bytes(place[4..8].try_into().unwrap()) as usize;
        let end = (PREFIX_BYTES + length).min(field.size);
        for _ in 0..rng.usize(..4) {
            let at = rng.usize(PREFIX_BYTES..end.max(PREFIX_BYTES + 1));
            place[at] = match rng.u8(..3) {
                // Digits keep JSON what it is, with other numbers.
                0 if place[at].is_ascii_digit() => b"0123456789"[rng.usize(..10)],
                1 => b"9-[{\"\\,u"[rng.usize(..8)],
                _ => rng.u8(..),
            };
        }
        seal.write_checksum(&mut place[..end], field);
    }
}

/// Reads bytes as a supervisor does that finds them, and checks what holds for any bytes.
fn read(bytes: &[u8]) -> (Recording, Exit) {
    let recording = Recording::read(bytes);
    assert!(recording.samples.samples.len() <= SAMPLES.count && recording.events.len() <= EVENTS.count);
    let mut kept = OrphanedSamples::default();
    if let Some(samples) = orphaned_samples::samples_of(&recording) {
        assert!(fits_one_message(&samples));
        kept.add(samples);
    }
    assert_eq!(OrphanedSamples::parse(&kept.to_text()), kept);
    let exit = leftover_exit(&recording, NOW);
    assert!(exit.at <= NOW, "{:?}", exit.at);
    let json = serde_json::to_string(&exit).unwrap();
    assert!(json.len() <= MAX_EXIT && exit.to_string().len() <= MAX_EXIT, "{}", json.len());
    assert!(serde_json::from_str::<Exit>(&json).is_ok());
    (recording, exit)
}

/// Checks that what was read of a file is what was recorded, or less. `any` has the instances of which parts are in the file.
fn check_truth(recording: &Recording, exit: &Exit, any: &[(u64, Ending)]) {
    let Some(header_read) = &recording.header else {
        // Without a header, everything else still belongs to one of the instances.
        assert_eq!(exit.instance, None);
        return check_one(recording, exit, any);
    };
    let of: Vec<(u64, Ending)> =
        any.iter().copied().filter(|(instance, _)| *header_read == header(*instance)).collect();
    assert!(!of.is_empty(), "{header_read:?}");
    check_one(recording, exit, &of);
}

fn check_one(recording: &Recording, exit: &Exit, any: &[(u64, Ending)]) {
    let fits = |(instance, ending): &(u64, Ending)| {
        let noted = |found: &Option<RecordedNote>, what: &str, expected: Ending| {
            found.is_none() || (*ending == expected && *found == Some(note(*instance, what)))
        };
        noted(&recording.stopping, "stop", Ending::Stopped)
            && noted(&recording.finished, "finish", Ending::Stopped)
            && noted(&recording.panic, "panic", Ending::Panicked)
            && noted(&recording.hang, "hang", Ending::Hung)
            && recording.last.is_none_or(|last| {
                (0..700).any(|second| last.sample == sample(*instance, second))
                    && *ending != Ending::JustBegun
            })
            && (recording.samples.first..)
                .zip(&recording.samples.samples)
                .all(|(second, found)| *found == sample(*instance, second))
    };
    assert!(any.iter().any(fits), "{any:?} {recording:?}");
    let recorded = |ending| any.iter().any(|(_, it)| *it == ending);
    let made_up = match exit.kind {
        ExitKind::Unknown => false,
        ExitKind::Panic => !recorded(Ending::Panicked),
        ExitKind::Stop => !recorded(Ending::Stopped),
        _ => true,
    };
    assert!(!made_up, "{any:?} {exit:?}");
}

#[test]
fn no_damage_of_real_files_panics_or_makes_up_an_exit() {
    let directory = tempfile::tempdir().unwrap();
    let real: Vec<(u64, Ending, Vec<u8>)> =
        (1..).zip(ENDINGS).map(|(id, ending)| (id, ending, record(directory.path(), id, ending))).collect();
    for (id, ending, file) in &real {
        let (recording, exit) = read(file);
        check_truth(&recording, &exit, &[(*id, *ending)]);
        assert_eq!((recording.torn, exit.instance), (0, Some(InstanceId(*id))), "{ending:?}");
        assert_eq!(recording.last.is_some(), *ending != Ending::JustBegun);
    }
    let mut rng = Rng::with_seed(16);
    let mut damaged = 0;
    for _ in 0..2000 {
        let (id, ending, file) = &real[rng.usize(..real.len())];
        let (other_id, other_ending, other) = &real[rng.usize(..real.len())];
        let mut file = file.clone();
        damage(&mut rng, &mut file, other);
        let (recording, exit) = read(&file);
        damaged += usize::from(recording.torn > 0 || recording.unreadable.is_some());
        check_truth(&recording, &exit, &[(*id, *ending), (*other_id, *other_ending)]);
    }
    assert!(damaged > 700, "{damaged} of 2000 files had damage that was noticed");
}

#[test]
fn forged_records_are_bounded_whatever_they_say() {
    let directory = tempfile::tempdir().unwrap();
    let real: Vec<Vec<u8>> =
        (1..).zip(ENDINGS).map(|(id, ending)| record(directory.path(), id, ending)).collect();
    let mut rng = Rng::with_seed(17);
    let mut read_whole = 0;
    for _ in 0..300 {
        let mut file = real[rng.usize(..real.len())].clone();
        forge(&mut rng, &mut file);
        let (recording, _) = read(&file);
        read_whole += usize::from(recording.header.is_some());
    }
    assert!(read_whole > 30, "{read_whole}");
}

#[test]
fn damaged_files_of_an_earlier_supervisor_are_ignored() {
    let directory = tempfile::tempdir().unwrap();
    let shelf = directory.path().join("shelf");
    let mut recorders = RecorderDirectory::open(&RecorderLocation::Directory(shelf.clone()));
    let real = record(directory.path(), 1, Ending::Panicked);
    let (recording, exit) = read(&real);
    recorders.write_last_exit(&exit);
    recorders.keep_history(orphaned_samples::samples_of(&recording).unwrap());
    let files = ["last-exit.json", "last-samples.jsonl"].map(|name| shelf.join(name));
    let originals = [0, 1].map(|index: usize| fs::read(&files[index]).unwrap());
    let mut rng = Rng::with_seed(18);
    for _ in 0..500 {
        for (path, original) in files.iter().zip(&originals) {
            let mut bytes = original.clone();
            for _ in 0..rng.usize(1..6) {
                let at = rng.usize(..bytes.len());
                match rng.u8(..5) {
                    0 => bytes.truncate(at + 1),
                    1 => bytes[at] = rng.u8(..),
                    2 => bytes[at] = b"0123456789-[]{}\",:e"[rng.usize(..19)],
                    3 => bytes.extend_from_within(at..),
                    _ => bytes.splice(at..at, vec![b'['; rng.usize(1..3000)]).for_each(drop),
                }
            }
            fs::write(path, bytes).unwrap();
        }
        let mut recorders = RecorderDirectory::open(&RecorderLocation::Directory(shelf.clone()));
        let (recordings, last) = recorders.take_leftovers();
        assert_eq!(recordings, []);
        if let Some(last) = last {
            assert!(serde_json::to_string(&last).unwrap().len() <= MAX_EXIT);
        }
        for held in recorders.orphaned().iter() {
            assert!(fits_one_message(held));
            let _ = held.samples.series();
        }
    }
}

fn make_pipe(path: PathBuf) {
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
}

#[test]
fn whatever_lies_in_the_directory_neither_stops_nor_feeds_a_supervisor() {
    let directory = tempfile::tempdir().unwrap();
    let shelf = directory.path().join("shelf");
    let location = RecorderLocation::Directory(shelf.clone());
    RecorderDirectory::open(&location);
    let elsewhere = directory.path().join("elsewhere");
    fs::write(&elsewhere, record(directory.path(), 9, Ending::Panicked)).unwrap();
    let link = |target: &Path, name: &str| std::os::unix::fs::symlink(target, shelf.join(name)).unwrap();
    make_pipe(shelf.join("flight-0"));
    link(&elsewhere, "flight-1");
    link(Path::new("/dev/zero"), "flight-2");
    fs::create_dir(shelf.join("flight-3")).unwrap();
    // A sparse file of a terabyte.
    fs::File::create(shelf.join("flight-4")).unwrap().set_len(1 << 40).unwrap();
    fs::write(shelf.join("flight-5"), record(directory.path(), 5, Ending::Stopped)).unwrap();
    link(&shelf.join("flight-7"), "flight-7");
    make_pipe(shelf.join("last-exit.json"));
    fs::File::create(shelf.join("last-samples.jsonl")).unwrap().set_len(1 << 40).unwrap();
    make_pipe(shelf.join("last.new"));

    let (done, result) = mpsc::channel();
    std::thread::spawn(move || {
        let mut recorders = RecorderDirectory::open(&location);
        let (recordings, last) = recorders.take_leftovers();
        recorders.write_last_exit(&Exit { kind: ExitKind::Crash, ..Exit::default() });
        let path = recorders.create_recorder(&[]).unwrap();
        let _ = done.send((recordings, last, path, RecorderDirectory::open(&location).take_leftovers()));
    });
    let (recordings, last, path, again) = result
        .recv_timeout(Duration::from_secs(20))
        .expect("the supervisor waits for something in the directory");
    let found: Vec<_> = recordings.iter().map(|it| it.header.as_ref().map(|it| it.instance.0)).collect();
    assert_eq!(found, [None, Some(5)], "the one that is too large, and the one that is real");
    assert!(recordings[0].unreadable.as_ref().is_some_and(|why| why.contains("bytes instead of")));
    assert_eq!(last, None);
    assert_eq!(path, shelf.join("flight-0"), "the pipe was removed");
    assert_eq!(again.1.map(|exit| exit.kind), Some(ExitKind::Crash));
    assert!(elsewhere.exists() && fs::metadata(&elsewhere).unwrap().len() == SIZE as u64);
}
