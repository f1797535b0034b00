//! The nonces that this server has spent, in files beside the flight recorder: a request that one worker has answered cannot be replayed
//! at its replacement, nor at a worker that is still draining.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use heapbeat_shared::UnixMillis;
use heapbeat_shared::signing::{CLOCK_TOLERANCE, Nonce, NonceError};

use crate::flight_recorder::directory::{RecorderLocation, prepare_directory};

/// What the name of a file begins with.
const PREFIX: &str = "nonce-";

/// How long a file is kept: twice as long as a signature is valid, and a reserve for clocks that differ.
const KEPT: Duration = Duration::from_secs(3 * CLOCK_TOLERANCE.as_secs());

/// The directory of the files.
#[derive(Debug)]
pub(crate) struct SpentNonces {
    directory: Option<PathBuf>,
    /// When files are removed next, in Unix milliseconds.
    next_removal: AtomicI64,
    warned: AtomicBool,
}

impl SpentNonces {
    /// Opens the files of the server whose flight recorder is at `location`. Without a directory, a nonce is spent in this process only.
    pub(crate) fn open(location: &RecorderLocation) -> Self {
        let directory = match location {
            RecorderLocation::Memory => None,
            // The supervisor logs why a directory cannot be used.
            RecorderLocation::Directory(directory) => {
                prepare_directory(directory).is_ok().then(|| directory.clone())
            }
        };
        SpentNonces { directory, next_removal: AtomicI64::new(0), warned: AtomicBool::new(false) }
    }

    /// Spends a nonce for all processes of this server. The file is created by one of them only.
    pub(crate) fn spend(&self, nonce: Nonce, now: UnixMillis) -> Result<(), NonceError> {
        let Some(directory) = &self.directory else { return Ok(()) };
        let path = directory.join(format!("{PREFIX}{nonce}"));
        let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        match created {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(NonceError::Replayed),
            Err(error) => {
                if !self.warned.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "cannot record a nonce in {}: {error}; a signed request could be repeated at the next worker for a minute",
                        directory.display()
                    );
                }
            }
        }
        self.remove_expired(directory, now);
        Ok(())
    }

    /// Removes the files of signatures that are no longer valid, at most once a minute.
    fn remove_expired(&self, directory: &PathBuf, now: UnixMillis) {
        if now.0 < self.next_removal.load(Ordering::Relaxed) {
            return;
        }
        self.next_removal.store(now.plus(CLOCK_TOLERANCE).0, Ordering::Relaxed);
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let is_nonce = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
            let age =
                entry.metadata().and_then(|found| found.modified()).ok().and_then(|at| at.elapsed().ok());
            if is_nonce && age.is_some_and(|age| age > KEPT) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::FileTimes;
    use std::time::SystemTime;

    use heapbeat_shared::signing::NONCE_BYTES;

    use super::*;

    #[test]
    fn a_nonce_is_spent_for_every_process_of_the_server() {
        let directory = tempfile::tempdir().unwrap();
        let location = RecorderLocation::Directory(directory.path().join("server"));
        let (one, other) = (SpentNonces::open(&location), SpentNonces::open(&location));
        let (nonce, now) = (|byte| Nonce([byte; NONCE_BYTES]), UnixMillis(1_800_000_000_000));
        assert_eq!(one.spend(nonce(1), now), Ok(()));
        for store in [&one, &other, &SpentNonces::open(&location)] {
            assert_eq!(store.spend(nonce(1), now), Err(NonceError::Replayed));
        }
        assert_eq!(other.spend(nonce(2), now), Ok(()));
        let in_memory = SpentNonces::open(&RecorderLocation::Memory);
        assert_eq!(in_memory.spend(nonce(1), now), Ok(()));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the times of files are those of the machine")]
    fn files_are_removed_once_their_signatures_have_expired() {
        let directory = tempfile::tempdir().unwrap();
        let store = SpentNonces::open(&RecorderLocation::Directory(directory.path().to_owned()));
        let old = directory.path().join("nonce-old");
        let long_ago = SystemTime::now() - KEPT - Duration::from_secs(1);
        fs::File::create(&old).unwrap().set_times(FileTimes::new().set_modified(long_ago)).unwrap();
        fs::write(directory.path().join("last-exit.json"), "{}").unwrap();
        store.spend(Nonce([1; NONCE_BYTES]), UnixMillis(1_800_000_000_000)).unwrap();
        let names = || fs::read_dir(directory.path()).unwrap().count();
        assert!(!old.exists());
        assert_eq!(names(), 2, "the new one, and what is not a nonce");
    }
}
