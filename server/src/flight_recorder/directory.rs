//! The files of the flight recorders: in a directory of one server, or in memory that the supervisor holds.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use heapbeat_shared::report::LastSamples;
use heapbeat_shared::{Exit, InstanceId};
use rustix::fs::{FallocateFlags, OFlags, fallocate};

use super::layout::SIZE;
use super::orphaned_samples;
use super::orphaned_samples::OrphanedSamples;
use super::reader::Recording;

/// Maximum number of recorders at a time: a worker that serves, its replacement, and some that are draining.
const SLOTS: usize = 16;

/// File with the last exit, for the next supervisor.
const LAST_EXIT: &str = "last-exit.json";

/// File with the last samples, for the next supervisor.
const SAMPLES: &str = "last-samples.jsonl";

/// Maximum length of the file with the last exit.
const MAX_EXIT_BYTES: u64 = 64 << 10;

/// Where recorders are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RecorderLocation {
    /// In memory; recordings outlive a worker, but not the supervisor.
    Memory,
    /// In a directory.
    Directory(PathBuf),
}

/// The recorders of one supervisor.
#[derive(Debug)]
pub(crate) struct RecorderDirectory {
    directory: Option<PathBuf>,
    /// Recorders in memory, used where no file can be created.
    memory: Vec<(PathBuf, OwnedFd)>,
    warned: bool,
    orphaned: OrphanedSamples,
}

impl RecorderDirectory {
    /// Opens the location. If a directory cannot be used, logs what is lost and keeps recorders in memory.
    pub(crate) fn open(place: &RecorderLocation) -> Self {
        let directory = match place {
            RecorderLocation::Memory => None,
            RecorderLocation::Directory(directory) => match prepare_directory(directory) {
                Ok(()) => Some(directory.clone()),
                Err(error) if is_foreign(directory) => {
                    tracing::error!(
                        "{} is another user's ({error}): recordings and spent nonces are kept in memory and lost with the process; set \
                         HEAPBEAT_FLIGHT_DIR to a directory of this user",
                        directory.display()
                    );
                    None
                }
                Err(error) => {
                    tracing::warn!(
                        "no flight recorder in {}: {error}; if the supervisor or the machine ends together with the worker, the \
                         cause of the exit will not be known",
                        directory.display()
                    );
                    None
                }
            },
        };
        RecorderDirectory {
            directory,
            memory: Vec::new(),
            warned: false,
            orphaned: OrphanedSamples::default(),
        }
    }

    /// The last samples of the instances whose recordings were read.
    pub(crate) fn orphaned(&self) -> &OrphanedSamples {
        &self.orphaned
    }

    /// Takes what earlier supervisors left: recordings that were not read yet, and the last exit. Each is returned once; their samples
    /// are kept.
    pub(crate) fn take_leftovers(&mut self) -> (Vec<Recording>, Option<Exit>) {
        let Some(directory) = self.directory.clone() else { return (Vec::new(), None) };
        let files = (0..SLOTS).map(|slot| directory.join(file_name(slot)));
        let files = files.filter(|path| match fs::symlink_metadata(path) {
            Ok(found) if found.is_file() => true,
            Ok(_) => {
                tracing::warn!("{} is no flight recorder, but something else: it is removed", path.display());
                let _ = fs::remove_file(path);
                false
            }
            Err(_) => false,
        });
        let mut recordings: Vec<Recording> = files
            .map(|path| {
                let recording = read_file(&path);
                let _ = fs::remove_file(&path);
                recording
            })
            .collect();
        let text = open_file(&directory.join(SAMPLES))
            .and_then(|file| read_bytes(file, orphaned_samples::MAX_TEXT_BYTES as u64));
        self.orphaned = OrphanedSamples::parse(&String::from_utf8_lossy(&text.unwrap_or_default()));
        recordings.sort_by_key(Recording::last_activity);
        self.keep_samples(&recordings);
        (recordings, read_last_exit(&directory.join(LAST_EXIT)))
    }

    /// Creates the file of a recorder beside those `in_use`; `None`, with a warning, if that fails.
    pub(crate) fn create_recorder(&mut self, in_use: &[&Path]) -> Option<PathBuf> {
        if let Some(directory) = &self.directory {
            let path = (0..SLOTS)
                .map(|slot| directory.join(file_name(slot)))
                .find(|path| !in_use.contains(&path.as_path()));
            match path.map_or_else(
                || Err(io::Error::other("all files are in use")),
                |path| create_file(&path).map(|()| path),
            ) {
                Ok(path) => return Some(path),
                Err(error) if !self.warned => {
                    self.warned = true;
                    tracing::warn!(
                        "no flight recorder in {}: {error}; it is kept in memory instead and lost with the supervisor",
                        directory.display()
                    );
                }
                Err(_) => {}
            }
        }
        match create_in_memory() {
            Ok((path, file)) => {
                self.memory.retain(|(path, _)| in_use.contains(&path.as_path()));
                self.memory.push((path.clone(), file));
                Some(path)
            }
            Err(error) => {
                tracing::warn!(
                    "no flight recorder: {error}; an exit of the worker will have no evidence besides its exit status"
                );
                None
            }
        }
    }

    /// Reads the recording of a process that has ended, and removes its file.
    pub(crate) fn read_recording(&mut self, path: &Path) -> Recording {
        let recording = self.read_own(path);
        if let Some(index) = self.memory.iter().position(|(held, _)| held == path) {
            self.memory.remove(index);
        } else {
            let _ = fs::remove_file(path);
        }
        self.keep_samples(std::slice::from_ref(&recording));
        recording
    }

    /// Keeps the samples that a process has recorded so far, for a successor that runs beside it.
    /// Returns the instance, if it is known.
    pub(crate) fn keep_samples_of_running(&mut self, path: &Path) -> Option<InstanceId> {
        let recording = self.read_own(path);
        self.keep_samples(std::slice::from_ref(&recording));
        recording.header.map(|header| header.instance)
    }

    /// Keeps the samples of an instance whose history this process has, which reaches further back than its recording.
    pub(crate) fn keep_history(&mut self, samples: LastSamples) {
        self.orphaned.add(samples);
        self.write(SAMPLES, self.orphaned.to_text().as_bytes());
    }

    /// Writes the last exit for the next supervisor.
    pub(crate) fn write_last_exit(&self, exit: &Exit) {
        if let Ok(json) = serde_json::to_vec(exit) {
            self.write(LAST_EXIT, &json);
        }
    }

    /// Reads a recording that this supervisor created.
    fn read_own(&self, path: &Path) -> Recording {
        match self.memory.iter().find(|(held, _)| held == path) {
            // The path is a link of the kernel's to what has no name.
            Some((path, _)) => read_recording(File::open(path)),
            None => read_file(path),
        }
    }

    /// Keeps the samples of recordings, in memory and for the next supervisor.
    fn keep_samples(&mut self, recordings: &[Recording]) {
        let mut left = recordings.iter().filter_map(orphaned_samples::samples_of).peekable();
        if left.peek().is_some() {
            left.for_each(|it| self.orphaned.add(it));
            self.write(SAMPLES, self.orphaned.to_text().as_bytes());
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let Some(directory) = &self.directory else { return };
        let (new, path) = (directory.join("last.new"), directory.join(name));
        // What lies there is not written to: a pipe would keep the supervisor waiting.
        let _ = fs::remove_file(&new);
        let written = private_file()
            .open(&new)
            .and_then(|mut file| file.write_all(bytes))
            .and_then(|()| fs::rename(&new, &path));
        if let Err(error) = written {
            tracing::debug!("cannot write {}: {error}", path.display());
        }
    }
}

fn file_name(slot: usize) -> String {
    format!("flight-{slot}")
}

/// Returns the directory of the recordings `name` unless the owner names one: in the directory that the system gives to this user
/// (`XDG_RUNTIME_DIR`), into which nobody else can write, or else in the one for temporary files, where the name has the user's number.
pub(crate) fn default_directory(name: &str, runtime: Option<&Path>, temporary: &Path) -> PathBuf {
    let is_own = |directory: &&Path| directory.is_absolute() && directory.is_dir() && !is_foreign(directory);
    match runtime.filter(is_own) {
        Some(runtime) => runtime.join(format!("heapbeat-{name}")),
        None => temporary.join(format!("heapbeat-{}-{name}", rustix::process::geteuid().as_raw())),
    }
}

/// Whether there is such a directory, and it belongs to another user, or others may write to it.
pub(crate) fn is_foreign(directory: &Path) -> bool {
    fs::symlink_metadata(directory).is_ok_and(|found| !is_private(&found))
}

fn is_private(found: &fs::Metadata) -> bool {
    found.is_dir() && found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o022 == 0
}

/// Creates the directory, or checks that only this user can write to it, as nobody else may truncate a mapped file.
pub(crate) fn prepare_directory(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    if !is_private(&fs::symlink_metadata(directory)?) {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it belongs to another user, or other users may write to it",
        ));
    }
    Ok(())
}

/// Returns options for a new file that only this user can access.
fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options
}

/// Creates a file of zeros with allocated blocks, so that a store to its pages cannot fail later.
fn create_file(path: &Path) -> io::Result<()> {
    remove_if_present(path)?;
    let made = private_file().open(path).and_then(|file| fill_with_zeros(&file));
    if made.is_err() {
        let _ = fs::remove_file(path);
    }
    made
}

/// Removes what an earlier run left. If that cannot be done, the reason is that of the file system, and not that something is there.
fn remove_if_present(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn fill_with_zeros(mut file: &File) -> io::Result<()> {
    // Not every file system supports this; the write below allocates the blocks as well.
    if let Err(error) = fallocate(file, FallocateFlags::empty(), 0, SIZE as u64)
        && error == rustix::io::Errno::NOSPC
    {
        return Err(error.into());
    }
    file.write_all(&vec![0; SIZE])
}

/// Creates anonymous memory that another process of the same user can open through `/proc`.
#[cfg(target_os = "linux")]
fn create_in_memory() -> io::Result<(PathBuf, OwnedFd)> {
    use rustix::fs::{MemfdFlags, memfd_create};
    use std::os::fd::AsRawFd;

    let file = memfd_create("heapbeat-flight", MemfdFlags::CLOEXEC)?;
    let file = File::from(file);
    fill_with_zeros(&file)?;
    let path = PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()));
    Ok((path, file.into()))
}

/// Reports that other processes cannot open anonymous memory here.
#[cfg(not(target_os = "linux"))]
fn create_in_memory() -> io::Result<(PathBuf, OwnedFd)> {
    Err(io::ErrorKind::Unsupported.into())
}

fn read_file(path: &Path) -> Recording {
    read_recording(open_file(path))
}

fn read_recording(opened: io::Result<File>) -> Recording {
    // One byte more than the size, to detect a file that is too long.
    match opened.and_then(|file| read_bytes(file, SIZE as u64 + 1)) {
        Ok(file) => Recording::read(&file),
        Err(error) => Recording::unreadable(format!("the flight recorder cannot be read: {error}")),
    }
}

/// Opens a file of the directory. What is no regular file is refused: a pipe would keep the supervisor waiting, a device may do anything,
/// and a symbolic link leads elsewhere.
fn open_file(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file =
        OpenOptions::new().read(true).custom_flags(i32::try_from(flags.bits()).unwrap_or(0)).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    Ok(file)
}

/// Reads at most `most` bytes of a file.
fn read_bytes(file: File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read_last_exit(path: &Path) -> Option<Exit> {
    let json = read_bytes(open_file(path).ok()?, MAX_EXIT_BYTES).ok()?;
    serde_json::from_slice::<Exit>(&json).ok().map(Exit::bounded)
}
