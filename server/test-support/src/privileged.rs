//! Setups that need root. A test that cannot be set up prints so, and is counted as skipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::{until, within};

/// A memory cgroup (version 1), removed when dropped.
pub struct MemoryGroup(PathBuf);

/// A small file system, unmounted when dropped.
pub struct Mounted(PathBuf);

/// Reports that a test was skipped.
pub fn skipped(why: &str) {
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    eprintln!("SKIPPED {name}: {why}");
    if let Ok(file) = std::env::var("HEAPBEAT_SKIPPED") {
        let counted = fs::OpenOptions::new().append(true).create(true).open(file);
        let _ =
            counted.and_then(|mut file| std::io::Write::write_all(&mut file, format!("{name}\n").as_bytes()));
    }
}

/// Creates a memory cgroup with a limit in bytes.
pub fn memory_group(limit: u64) -> Option<MemoryGroup> {
    let root = Path::new("/sys/fs/cgroup/memory");
    // Below the test's own group, which is where containers let one make another.
    let own = fs::read_to_string("/proc/self/cgroup").ok().and_then(|text| {
        let path = text.lines().find_map(|line| line.split_once(":memory:"))?.1;
        Some(root.join(path.trim_start_matches('/')))
    });
    let parent = own.filter(|path| path.is_dir()).unwrap_or_else(|| root.to_owned());
    let thread = format!("{:?}", std::thread::current().id()).replace(|c: char| !c.is_alphanumeric(), "");
    let path = parent.join(format!("heapbeat-test-{}-{thread}", std::process::id()));
    let made =
        fs::create_dir(&path).and_then(|()| fs::write(path.join("memory.limit_in_bytes"), limit.to_string()));
    match made {
        Ok(()) => Some(MemoryGroup(path)),
        Err(error) => {
            let _ = fs::remove_dir(&path);
            skipped(&format!("no memory group can be made in {}: {error}", parent.display()));
            None
        }
    }
}

/// Mounts a file system in memory of the given size.
pub fn small_file_system(directory: &Path, size: &str) -> Option<Mounted> {
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", &format!("size={size},mode=700"), "tmpfs"])
        .arg(directory)
        .output();
    match mounted {
        Ok(output) if output.status.success() => Some(Mounted(directory.to_owned())),
        other => {
            skipped(&format!("nothing can be mounted: {other:?}"));
            None
        }
    }
}

impl Mounted {
    /// From now on nothing can be written to it. Nobody may have a file open for writing; the first thread of a process that
    /// was killed can be gone while the others still hold its files, so that is waited for.
    pub fn make_read_only(&self) {
        until("the file system to be let go", || {
            let done = Command::new("mount").args(["-o", "remount,ro"]).arg(&self.0).output().unwrap();
            done.status.success().then_some(())
        });
    }
}

/// Whether PID namespaces can be created.
pub fn own_process_ids() -> bool {
    let tried = Command::new("unshare").args(["--pid", "--fork", "--mount-proc", "true"]).output();
    let can = tried.as_ref().is_ok_and(|output| output.status.success());
    if !can {
        skipped(&format!("no PID namespace can be made: {tried:?}"));
    }
    can
}

impl MemoryGroup {
    /// The directory of the group.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // Busy until the last process is gone.
        let _ = within(Duration::from_secs(10), || fs::remove_dir(&self.0).ok());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
