use std::fs;
use std::path::Path;

use heapbeat_shared::event::EventKind;
use heapbeat_shared::exit::{ExitKind, InFlight};
use heapbeat_shared::series::Series;
use heapbeat_shared::{Cursor, Exit};
use proptest::prelude::*;

use super::directory::{default_directory, is_foreign};
use super::layout::{EVENTS, HEAD, LATEST, SAMPLES, SIZE};
use super::*;

fn header() -> RecordingHeader {
    RecordingHeader {
        instance: InstanceId(7),
        version: "1a2b3c4".into(),
        started: UnixMillis(1000),
        boot: "b".into(),
    }
}

fn recorders(directory: &Path) -> RecorderDirectory {
    RecorderDirectory::open(&RecorderLocation::Directory(directory.join("shelf")))
}

fn write_recording(path: &Path) -> FlightRecorder {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    FlightRecorder::create(&file, &header()).unwrap()
}

fn sample(n: u64) -> Sample {
    Sample {
        at: UnixMillis(n.cast_signed() * 1000),
        // To the byte.
        rss: Bytes((n << 12) + 1),
        working_set: Bytes((n << 13) + 4095),
        ..Sample::default()
    }
}

fn event(n: i64) -> Event {
    Event { at: UnixMillis(n), kind: EventKind::Started }
}

/// Writes a file with all kinds of records.
fn full(path: &Path) {
    let recorder = write_recording(path);
    for n in 0_u64..1000 {
        let slot = SampleSlot { sequence: n, highest: true };
        recorder.sample(&sample(n), slot, Pressure::Alert, Bytes::from_mb(512));
    }
    for n in 0..100 {
        recorder.event(&event(n));
    }
    for (tag, requests) in [(3, 1), (9, 5)] {
        for _ in 0..requests {
            recorder.request_started(tag, || if tag == 3 { "GET /a" } else { "POST /b" });
        }
    }
    recorder.request_started(4, || "GET /done");
    recorder.request_ended(4);
    let note = RecordedNote { at: UnixMillis(5), text: "é".repeat(400), stack: "s".repeat(9000) };
    recorder.note(layout::PANIC, &note);
}

#[test]
fn a_recording_is_read_back_although_it_was_not_closed() {
    let directory = tempfile::tempdir().unwrap();
    let mut recorders = recorders(directory.path());
    let path = recorders.create_recorder(&[]).unwrap();
    full(&path);
    let recording = recorders.read_recording(&path);
    assert_eq!(recording.header, Some(header()));
    let last = recording.last.unwrap();
    assert_eq!((last.sample, last.pressure, last.limit), (sample(999), Pressure::Alert, Bytes::from_mb(512)));
    let samples = (488..1000).map(sample).collect();
    assert_eq!(recording.samples, Series { first: 488, samples });
    assert_eq!(recording.events, (36..100).map(event).collect::<Vec<_>>());
    let in_flight =
        [("POST /b", 5), ("GET /a", 1)].map(|(route, requests)| InFlight { route: route.into(), requests });
    assert_eq!(recording.in_flight, in_flight);
    let panic = recording.panic.clone().unwrap();
    assert_eq!((panic.text, panic.stack.len()), ("é".repeat(150), 4096));
    assert_eq!(
        (recording.torn, &recording.unreadable, &recording.stopping, &recording.hang),
        (0, &None, &None, &None)
    );
    assert_eq!(recording.last_activity(), Some(UnixMillis(999_000)));
    assert!(!path.exists(), "each recording is read once");
}

#[test]
fn memory_replaces_a_missing_directory() {
    let directory = tempfile::tempdir().unwrap();
    let occupied = directory.path().join("file");
    fs::write(&occupied, "x").unwrap();
    for place in [RecorderLocation::Memory, RecorderLocation::Directory(occupied.join("below"))] {
        let mut recorders = RecorderDirectory::open(&place);
        let path = recorders.create_recorder(&[]).unwrap();
        full(&path);
        assert_eq!(recorders.read_recording(&path).header, Some(header()));
        assert!(recorders.read_recording(&path).unreadable.is_some(), "its file was removed");
        recorders.write_last_exit(&Exit::default());
        assert_eq!(recorders.take_leftovers(), (vec![], None));
    }
}

#[test]
fn each_recorder_has_a_file_of_its_own_up_to_the_limit() {
    let directory = tempfile::tempdir().unwrap();
    let mut recorders = recorders(directory.path());
    let mut created = Vec::new();
    for _ in 0..20 {
        let in_use: Vec<&Path> = created.iter().map(std::path::PathBuf::as_path).collect();
        let path = recorders.create_recorder(&in_use).unwrap();
        assert!(!created.contains(&path));
        created.push(path);
    }
    assert_eq!(created.iter().filter(|path| path.starts_with("/proc")).count(), 4);
}

#[test]
fn recordings_of_an_earlier_supervisor_are_found_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = recorders(directory.path()).create_recorder(&[]).unwrap();
    full(&path);
    let exit = Exit { kind: ExitKind::Stop, ..Exit::default() };
    recorders(directory.path()).write_last_exit(&exit);
    let (recordings, kept) = recorders(directory.path()).take_leftovers();
    assert_eq!((recordings.len(), recordings[0].header.as_ref(), kept), (1, Some(&header()), Some(exit)));
    assert_eq!(recorders(directory.path()).take_leftovers().0.len(), 0);
}

#[test]
fn a_directory_that_others_may_write_to_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let open = directory.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let path =
        RecorderDirectory::open(&RecorderLocation::Directory(open.clone())).create_recorder(&[]).unwrap();
    assert!(path.starts_with("/proc"), "{}", path.display());
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(directory.path(), &link).unwrap();
    assert!(
        RecorderDirectory::open(&RecorderLocation::Directory(link))
            .create_recorder(&[])
            .unwrap()
            .starts_with("/proc")
    );
}

#[test]
fn the_default_directory_is_where_nobody_else_can_write() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let (own, open) = (directory.path().join("own"), directory.path().join("open"));
    for (path, mode) in [(&own, 0o700), (&open, 0o777)] {
        fs::create_dir(path).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let temporary = Path::new("/tmp");
    let user = rustix::process::geteuid().as_raw();
    let in_temporary = temporary.join(format!("heapbeat-{user}-run-8080"));
    let cases = [
        ("the user's", Some(own.as_path()), own.join("heapbeat-run-8080")),
        ("none", None, in_temporary.clone()),
        ("one that others may write to", Some(open.as_path()), in_temporary.clone()),
        ("one that is missing", Some(Path::new("/nowhere/at/all")), in_temporary.clone()),
        ("a relative one", Some(Path::new(".")), in_temporary),
    ];
    for (name, runtime, expected) in cases {
        assert_eq!(default_directory("run-8080", runtime, temporary), expected, "{name}");
    }
    assert!(is_foreign(&open) && !is_foreign(&own) && !is_foreign(Path::new("/nowhere/at/all")));
}

#[test]
fn foreign_and_empty_files_are_reported() {
    let mut older = vec![0; SIZE];
    older[..8].copy_from_slice(b"HBFLIGH\x01");
    let cases = [
        (older, "of another version"),
        (vec![], "0 bytes"),
        (vec![1; SIZE + 1], "131073 bytes"),
        (vec![0; SIZE], "is empty"),
        (vec![b'x'; SIZE], "is not a flight recorder"),
    ];
    for (file, reason) in cases {
        let why = Recording::read(&file).unreadable.unwrap();
        assert!(why.contains(reason), "{why}");
    }
}

#[test]
fn an_incomplete_record_is_skipped_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let mut recorders = recorders(directory.path());
    let path = recorders.create_recorder(&[]).unwrap();
    full(&path);
    let mut file = fs::read(&path).unwrap();
    // Sample 999 lies at 999 % 512, event 99 at 99 % 64.
    file[SAMPLES.place(999).at + 20] ^= 1;
    file[EVENTS.place(99).at + 10] ^= 1;
    file[HEAD.at + 9] ^= 1;
    let recording = Recording::read(&file);
    assert_eq!(recording.torn, 3);
    assert_eq!((recording.last.unwrap().sample, recording.events.last()), (sample(998), Some(&event(98))));
    assert_eq!((recording.samples.first, recording.samples.samples.len()), (488, 511));
    assert_eq!(recording.header, None);
    // One in the middle: the samples before it are not contiguous with the last one.
    file[SAMPLES.place(900).at + 20] ^= 1;
    let recording = Recording::read(&file);
    assert_eq!((recording.samples.first, recording.samples.samples.len()), (901, 98));
}

#[test]
fn the_last_samples_outlive_one_supervisor_after_the_other() {
    let directory = tempfile::tempdir().unwrap();
    let at = |sequence| Cursor { instance: InstanceId(7), sequence };
    let orphaned_after = |recorders: &RecorderDirectory| {
        recorders.orphaned().after(at(990)).map(|it| (it.samples.first, it.samples.count))
    };
    // Worker and supervisor end at once, so only the next supervisor reads the recording.
    let path = recorders(directory.path()).create_recorder(&[]).unwrap();
    full(&path);
    for generation in 0..3 {
        let mut recorders = recorders(directory.path());
        assert_eq!(orphaned_after(&recorders), None);
        let (recordings, _) = recorders.take_leftovers();
        assert_eq!(recordings.len(), usize::from(generation == 0));
        assert_eq!(orphaned_after(&recorders), Some((991, 9)), "generation {generation}");
        assert_eq!(recorders.orphaned().after(at(999)), None);
    }
    fs::write(directory.path().join("shelf/last-samples.jsonl"), vec![0xff; 300_000]).unwrap();
    let mut recorders = recorders(directory.path());
    recorders.take_leftovers();
    assert_eq!(orphaned_after(&recorders), None, "a damaged file is ignored");
}

#[test]
fn an_incomplete_sample_does_not_affect_others() {
    let directory = tempfile::tempdir().unwrap();
    let path = recorders(directory.path()).create_recorder(&[]).unwrap();
    let recorder = write_recording(&path);
    for (n, highest) in [(0, true), (1, true), (2, false)] {
        let slot = SampleSlot { sequence: n.min(1), highest };
        recorder.sample(&sample(n), slot, Pressure::Calm, Bytes::from_mb(512));
    }
    let mut file = fs::read(&path).unwrap();
    assert_eq!(Recording::read(&file).last.unwrap().sample, sample(2));
    for at in [LATEST.at + 9, SAMPLES.place(1).at + 30] {
        file[at] ^= 1;
    }
    let recording = Recording::read(&file);
    assert_eq!((recording.torn, recording.last.unwrap().sample), (2, sample(0)));
    assert_eq!(recording.samples.samples, [sample(0)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_damage_makes_the_reader_panic_or_return_false_data(hits in prop::collection::vec((0..SIZE, any::<u8>()), 1..200)) {
        let directory = tempfile::tempdir().unwrap();
        let path = recorders(directory.path()).create_recorder(&[]).unwrap();
        full(&path);
        let mut file = fs::read(&path).unwrap();
        for (at, byte) in hits {
            file[at] = byte;
        }
        let recording = Recording::read(&file);
        // A record that passed its checksum is what was written.
        prop_assert!(recording.header.is_none_or(|it| it == header()));
        prop_assert!(recording.last.is_none_or(|it| it.limit == Bytes::from_mb(512)));
        for (n, orphaned_after) in (recording.samples.first..).zip(&recording.samples.samples) {
            prop_assert_eq!(*orphaned_after, sample(n));
        }
        prop_assert!(recording.events.iter().all(|it| it.kind == EventKind::Started));
        prop_assert!(recording.in_flight.len() <= 16);
    }
}
