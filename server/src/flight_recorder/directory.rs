//! Where recorders' files are: a directory of one server's own, or memory that a supervisor holds where there is none.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use heapbeat_shared::Exit;
use rustix::fs::{FallocateFlags, MemfdFlags, OFlags, fallocate, memfd_create};

use super::layout::SIZE;
use super::orphaned_samples;
use super::orphaned_samples::OrphanedSamples;
use super::reader::Recording;

/// Recorders at the same time, at most: a worker that serves, one that follows, and some that finish.
const SLOTS: usize = 16;

/// The last exit, for a supervisor to come.
const KEPT: &str = "last-exit.json";

/// The last samples, for a supervisor to come.
const SAMPLES: &str = "last-samples.jsonl";

/// Longest file with an exit that is read.
const LONGEST_EXIT: u64 = 64 << 10;

/// Where to keep recorders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RecorderLocation {
    /// In memory: they outlive a worker, but not the supervisor.
    Memory,
    /// In this directory.
    Directory(PathBuf),
}

/// The recorders of one supervisor.
#[derive(Debug)]
pub(crate) struct RecorderDirectory {
    directory: Option<PathBuf>,
    /// Memory that stands in for files.
    memory: Vec<(PathBuf, OwnedFd)>,
    told: bool,
    remnants: OrphanedSamples,
}

impl RecorderDirectory {
    /// Opens the place, or says what is lost without it.
    pub(crate) fn open(place: &RecorderLocation) -> Self {
        let directory = match place {
            RecorderLocation::Memory => None,
            RecorderLocation::Directory(directory) => match prepare(directory) {
                Ok(()) => Some(directory.clone()),
                Err(error) => {
                    tracing::warn!(
                        "no flight recorder in {}: {error}; how this server ended will not be known if it ends \
                         together with its supervisor or its machine",
                        directory.display()
                    );
                    None
                }
            },
        };
        RecorderDirectory { directory, memory: Vec::new(), told: false, remnants: OrphanedSamples::default() }
    }

    /// The last samples of those whose stories were told.
    pub(crate) fn remnants(&self) -> &OrphanedSamples {
        &self.remnants
    }

    /// What earlier supervisors left: stories whose end nobody has told yet, and the last exit that was told. Each is
    /// told once. What they left of samples is kept on.
    pub(crate) fn leftovers(&mut self) -> (Vec<Recording>, Option<Exit>) {
        let Some(directory) = self.directory.clone() else { return (Vec::new(), None) };
        let files = (0..SLOTS).map(|slot| directory.join(name(slot))).filter(|path| path.exists());
        let mut stories: Vec<Recording> = files
            .map(|path| {
                let story = read(&path);
                let _ = fs::remove_file(&path);
                story
            })
            .collect();
        let text = bytes(&directory.join(SAMPLES), orphaned_samples::LONGEST_TEXT as u64).unwrap_or_default();
        self.remnants = OrphanedSamples::parse(&String::from_utf8_lossy(&text));
        stories.sort_by_key(Recording::last_sign);
        self.remember(&stories);
        (stories, kept(&directory.join(KEPT)))
    }

    /// A fresh file for a recorder beside those `in_use`; `None` when there can be none, which is said once.
    pub(crate) fn take(&mut self, in_use: &[&Path]) -> Option<PathBuf> {
        if let Some(directory) = &self.directory {
            let path = (0..SLOTS)
                .map(|slot| directory.join(name(slot)))
                .find(|path| !in_use.contains(&path.as_path()));
            match path
                .map_or_else(|| Err(io::Error::other("all are in use")), |path| create(&path).map(|()| path))
            {
                Ok(path) => return Some(path),
                Err(error) if !self.told => {
                    self.told = true;
                    tracing::warn!(
                        "no flight recorder in {}: {error}; it is kept in memory instead, and lost with the supervisor",
                        directory.display()
                    );
                }
                Err(_) => {}
            }
        }
        match in_memory() {
            Ok((path, file)) => {
                self.memory.retain(|(path, _)| in_use.contains(&path.as_path()));
                self.memory.push((path.clone(), file));
                Some(path)
            }
            Err(error) => {
                tracing::warn!(
                    "no flight recorder at all: {error}; how the worker ends will be known by its exit alone"
                );
                None
            }
        }
    }

    /// The story of a recorder whose process is gone; its file is gone as well afterwards.
    pub(crate) fn story(&mut self, path: &Path) -> Recording {
        let story = read(path);
        if let Some(index) = self.memory.iter().position(|(held, _)| held == path) {
            self.memory.remove(index);
        } else {
            let _ = fs::remove_file(path);
        }
        self.remember(std::slice::from_ref(&story));
        story
    }

    /// Keeps an exit for a supervisor to come.
    pub(crate) fn keep(&self, exit: &Exit) {
        if let Ok(json) = serde_json::to_vec(exit) {
            self.write(KEPT, &json);
        }
    }

    /// Keeps the samples of stories, here and for a supervisor to come.
    fn remember(&mut self, stories: &[Recording]) {
        let mut left = stories.iter().filter_map(orphaned_samples::of).peekable();
        if left.peek().is_some() {
            left.for_each(|it| self.remnants.add(it));
            self.write(SAMPLES, self.remnants.to_text().as_bytes());
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let Some(directory) = &self.directory else { return };
        let (new, path) = (directory.join("last.new"), directory.join(name));
        let written = options(true)
            .open(&new)
            .and_then(|mut file| file.write_all(bytes))
            .and_then(|()| fs::rename(&new, &path));
        if let Err(error) = written {
            tracing::debug!("{} is not kept: {error}", path.display());
        }
    }
}

fn name(slot: usize) -> String {
    format!("flight-{slot}")
}

/// Makes the directory, or makes sure that it is nobody else's: what is mapped from it must not be cut short.
fn prepare(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let found = fs::symlink_metadata(directory)?;
    let own = found.is_dir() && found.uid() == rustix::process::geteuid().as_raw();
    if !own || found.mode() & 0o022 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it is somebody else's, or others may write to it",
        ));
    }
    Ok(())
}

/// For files that are this user's alone, and never a link to another's.
fn options(truncate: bool) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(truncate).mode(0o600);
    options.custom_flags(i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0));
    options
}

/// A file of zeros whose blocks are allocated, so that storing to its pages cannot fail later.
fn create(path: &Path) -> io::Result<()> {
    let _ = fs::remove_file(path);
    let made = options(true).open(path).and_then(|file| fill(&file));
    if made.is_err() {
        let _ = fs::remove_file(path);
    }
    made
}

fn fill(mut file: &File) -> io::Result<()> {
    // Not every file system can; writing finds out as well, if later.
    if let Err(error) = fallocate(file, FallocateFlags::empty(), 0, SIZE as u64)
        && error == rustix::io::Errno::NOSPC
    {
        return Err(error.into());
    }
    file.write_all(&vec![0; SIZE])
}

/// Memory without a name, that another process of the same user can open by way of this one.
fn in_memory() -> io::Result<(PathBuf, OwnedFd)> {
    let file = memfd_create("heapbeat-flight", MemfdFlags::CLOEXEC)?;
    let file = File::from(file);
    fill(&file)?;
    let path = PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()));
    Ok((path, file.into()))
}

fn read(path: &Path) -> Recording {
    // One byte more than there should be, to see that there is too much.
    match bytes(path, SIZE as u64 + 1) {
        Ok(file) => Recording::read(&file),
        Err(error) => Recording::unreadable(format!("the flight recorder cannot be read: {error}")),
    }
}

/// The first so many bytes of a file.
fn bytes(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn kept(path: &Path) -> Option<Exit> {
    let json = bytes(path, LONGEST_EXIT).ok()?;
    serde_json::from_slice::<Exit>(&json).ok().map(Exit::bounded)
}
