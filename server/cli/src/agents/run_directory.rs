//! The directory of one guard's agents: their files, which the program's user must be able to read, and their socket, which is private.
//!
//! It is in the directory for temporary files, with a random name, and is removed with the guard. A guard that was killed leaves its
//! directory; the next one removes it if its socket has no listener any more, or if there has been no socket for a day.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use heapbeat_agents::injection::write_agents;

/// Longest path of the directory, so that the socket's path fits into a Unix address (107 bytes).
const MAX_PATH: usize = 80;

/// Where to put the directory if the path of the one for temporary files is too long.
const FALLBACK: &str = "/tmp";

/// Name of the socket's directory, and of the socket in it.
const SOCKET_DIRECTORY: &str = "socket";
const SOCKET: &str = "socket/agent.sock";

/// Age from which a directory without a socket is not that of a guard that is just starting.
const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 3600);

/// The directory, which is removed at the end.
#[derive(Debug)]
pub(super) struct RunDirectory(PathBuf);

impl RunDirectory {
    /// Creates the directory with the agents' files.
    pub(super) fn create() -> io::Result<Self> {
        let parent = std::env::temp_dir();
        let parent = if parent.as_os_str().len() > MAX_PATH / 2 { PathBuf::from(FALLBACK) } else { parent };
        Self::create_in(&parent)
    }

    fn create_in(parent: &Path) -> io::Result<Self> {
        let user = rustix::process::geteuid().as_raw();
        let prefix = format!("heapbeat-agents-{user}-");
        let random = getrandom::u64().map_err(io::Error::other)?;
        let path = parent.join(format!("{prefix}{random:016x}"));
        // It fails if something has this name already, such as a link of another user.
        DirBuilder::new().mode(0o755).create(&path)?;
        let directory = RunDirectory(path);
        // The new directory tells the time of the file system.
        let now = fs::metadata(&directory.0)?.modified()?;
        remove_abandoned(parent, &prefix, user, now);
        directory.write_files()?;
        Ok(directory)
    }

    /// Writes the agents' files. Programs that start meanwhile find the old or the new ones.
    pub(super) fn write_files(&self) -> io::Result<()> {
        write_agents(&self.0)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Path for the socket's directory.
    pub(super) fn socket_directory(&self) -> PathBuf {
        self.0.join(SOCKET_DIRECTORY)
    }
}

impl Drop for RunDirectory {
    fn drop(&mut self) {
        // Python may have added compiled files.
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::debug!("cannot remove {}: {error}", self.0.display());
        }
    }
}

/// Removes the directories of this user's guards that were killed.
fn remove_abandoned(parent: &Path, prefix: &str, user: u32, now: SystemTime) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_guards = entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix))
            && fs::symlink_metadata(&path).is_ok_and(|it| it.is_dir() && it.uid() == user);
        if is_guards && is_abandoned(&path, now) {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// Whether the guard of a directory was killed. One that is just starting has no socket yet.
fn is_abandoned(path: &Path, now: SystemTime) -> bool {
    let Err(error) = UnixStream::connect(path.join(SOCKET)) else { return false };
    let is_old = || {
        let modified = fs::metadata(path).and_then(|it| it.modified());
        modified.is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age > ABANDONED_AFTER))
    };
    match error.kind() {
        io::ErrorKind::ConnectionRefused => true,
        io::ErrorKind::NotFound => is_old(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use heapbeat_agents::server::AgentServer;

    use super::*;

    fn entries(parent: &Path) -> usize {
        fs::read_dir(parent).unwrap().count()
    }

    #[test]
    fn others_can_read_the_files_and_not_the_socket_and_all_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        let directory = RunDirectory::create_in(parent.path()).unwrap();
        let server = AgentServer::bind(&directory.socket_directory()).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(directory.path()), 0o755);
        assert_eq!(mode(&directory.path().join("node/heapbeat-agent.cjs")), 0o644);
        assert_eq!(mode(server.path().parent().unwrap()), 0o700);
        fs::create_dir(directory.path().join("python/__pycache__")).unwrap();
        fs::remove_dir_all(directory.path().join("node")).unwrap();
        directory.write_files().unwrap();
        assert_eq!(mode(&directory.path().join("node/heapbeat-agent.cjs")), 0o644);
        drop(server);
        drop(directory);
        assert_eq!(entries(parent.path()), 0);
    }

    #[test]
    fn what_a_killed_guard_left_is_removed_and_what_another_one_uses_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let running = RunDirectory::create_in(parent.path()).unwrap();
        let _server = AgentServer::bind(&running.socket_directory()).unwrap();
        let killed = RunDirectory::create_in(parent.path()).unwrap();
        fs::create_dir(killed.socket_directory()).unwrap();
        drop(std::os::unix::net::UnixListener::bind(killed.path().join(SOCKET)).unwrap());
        std::mem::forget(killed);
        let starting = RunDirectory::create_in(parent.path()).unwrap();
        assert_eq!(entries(parent.path()), 2);
        let without_socket = RunDirectory::create_in(parent.path()).unwrap();
        let long_ago = fs::metadata(without_socket.path()).unwrap().modified().unwrap() - 2 * ABANDONED_AFTER;
        fs::File::open(without_socket.path()).unwrap().set_modified(long_ago).unwrap();
        fs::File::open(running.path()).unwrap().set_modified(long_ago).unwrap();
        let _another = RunDirectory::create_in(parent.path()).unwrap();
        assert!(running.path().exists() && starting.path().exists());
        assert!(!without_socket.path().exists(), "it has had no socket for two days");
    }
}
