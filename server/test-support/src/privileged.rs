//! Test setups that need root. A test without the privilege prints `SKIPPED` with the reason, and is counted as skipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::{poll_for, wait_for};

/// A memory cgroup (version 1). Dropping it removes it.
pub struct MemoryCgroup(PathBuf);

/// A mounted tmpfs. Dropping it unmounts it.
pub struct TmpfsMount(PathBuf);

/// Prints that the current test was skipped, and appends its name to the file `HEAPBEAT_SKIPPED` if that is set.
pub fn report_skipped(reason: &str) {
    let name = std::thread::current().name().unwrap_or("unnamed test").to_owned();
    eprintln!("SKIPPED {name}: {reason}");
    if let Ok(file) = std::env::var("HEAPBEAT_SKIPPED") {
        let opened = fs::OpenOptions::new().append(true).create(true).open(file);
        let _ =
            opened.and_then(|mut file| std::io::Write::write_all(&mut file, format!("{name}\n").as_bytes()));
    }
}

/// Creates a memory cgroup with a limit in bytes. Returns `None`, and reports the test as skipped, without the privilege.
pub fn create_memory_cgroup(limit: u64) -> Option<MemoryCgroup> {
    let root = Path::new("/sys/fs/cgroup/memory");
    // The group is created below the test's own one, as containers allow it only there.
    let own = fs::read_to_string("/proc/self/cgroup").ok().and_then(|text| {
        let path = text.lines().find_map(|line| line.split_once(":memory:"))?.1;
        Some(root.join(path.trim_start_matches('/')))
    });
    let parent = own.filter(|path| path.is_dir()).unwrap_or_else(|| root.to_owned());
    let thread = format!("{:?}", std::thread::current().id()).replace(|c: char| !c.is_alphanumeric(), "");
    let path = parent.join(format!("heapbeat-test-{}-{thread}", std::process::id()));
    let created =
        fs::create_dir(&path).and_then(|()| fs::write(path.join("memory.limit_in_bytes"), limit.to_string()));
    match created {
        Ok(()) => Some(MemoryCgroup(path)),
        Err(error) => {
            let _ = fs::remove_dir(&path);
            report_skipped(&format!("cannot create a memory cgroup in {}: {error}", parent.display()));
            None
        }
    }
}

/// Mounts a tmpfs of the given size. Returns `None`, and reports the test as skipped, without the privilege.
pub fn mount_tmpfs(directory: &Path, size: &str) -> Option<TmpfsMount> {
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", &format!("size={size},mode=700"), "tmpfs"])
        .arg(directory)
        .output();
    match mounted {
        Ok(output) if output.status.success() => Some(TmpfsMount(directory.to_owned())),
        other => {
            report_skipped(&format!("cannot mount a tmpfs: {other:?}"));
            None
        }
    }
}

impl TmpfsMount {
    /// Remounts the file system read-only. This waits until no file is open for writing, as the threads of a killed process may hold
    /// its files a little longer than the process is visible.
    pub fn make_read_only(&self) {
        wait_for("the last writer to close its files", || {
            let done = Command::new("mount").args(["-o", "remount,ro"]).arg(&self.0).output().unwrap();
            done.status.success().then_some(())
        });
    }
}

/// Returns whether PID namespaces can be created, and reports the test as skipped if not.
pub fn can_create_pid_namespace() -> bool {
    let tried = Command::new("unshare").args(["--pid", "--fork", "--mount-proc", "true"]).output();
    let allowed = tried.as_ref().is_ok_and(|output| output.status.success());
    if !allowed {
        report_skipped(&format!("cannot create a PID namespace: {tried:?}"));
    }
    allowed
}

impl MemoryCgroup {
    /// Returns the directory of the group.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for MemoryCgroup {
    fn drop(&mut self) {
        // The kernel refuses to remove the group until its last process has exited.
        let _ = poll_for(Duration::from_secs(10), || fs::remove_dir(&self.0).ok());
    }
}

impl Drop for TmpfsMount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
