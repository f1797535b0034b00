//! Requests full collections of Java virtual machines through `jcmd`, which a JDK has beside its `java`.
//!
//! With G1 a JVM returns memory to the system then: 185 MB fell to 45 MB after a program had dropped 150 MB (`OpenJDK` 17.0.15). With the
//! serial and the parallel collector the resident set stays, and only the heap has room again.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use heapbeat_shared::Bytes;

use super::family;

/// Room below the limit without which no collection is requested: `jcmd` is a JVM itself, and needs 41 MB.
const ROOM: Bytes = Bytes::from_mb(48);

/// Most JVMs of a program that are asked at once.
const MAX_JVMS: usize = 4;

/// Options that keep `jcmd` small.
const SMALL: [&str; 3] = ["-J-Xmx16m", "-J-XX:+UseSerialGC", "-J-XX:TieredStopAtLevel=1"];

/// Requests a collection from each JVM among `processes`, unless that needs more memory than there is. Returns how many are asked.
pub(super) fn request_collections(processes: &[u32], memory: Bytes, limit: Bytes) -> usize {
    let jvms: Vec<(u32, PathBuf)> = processes.iter().filter_map(|pid| Some((*pid, jcmd_of(*pid)?))).collect();
    let room = limit.saturating_sub(memory);
    let affordable = usize::try_from(room.0 / ROOM.0).unwrap_or(MAX_JVMS).min(MAX_JVMS);
    if affordable == 0 && !jvms.is_empty() {
        tracing::info!("no collection of the JVM is requested: jcmd needs up to {ROOM}, and {room} are left");
    }
    jvms.iter().take(affordable).filter(|(pid, jcmd)| start(jcmd, *pid)).count()
}

/// Returns the `jcmd` beside the executable of a process, if that is a `java`.
fn jcmd_of(pid: u32) -> Option<PathBuf> {
    let executable = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    beside(&executable).filter(|jcmd| jcmd.is_file())
}

fn beside(executable: &Path) -> Option<PathBuf> {
    (executable.file_name() == Some(OsStr::new("java"))).then(|| executable.with_file_name("jcmd"))
}

fn start(jcmd: &Path, pid: u32) -> bool {
    // It is reaped with all other children.
    let started = Command::new(jcmd)
        .args(SMALL)
        .args([pid.to_string().as_str(), "GC.run"])
        .env(family::MARKER, family::marker(std::process::id(), family::HELPER))
        .env_remove("JAVA_TOOL_OPTIONS")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match started {
        Ok(child) => {
            family::note_helper(child.id());
            tracing::info!("requested a full collection from process {pid} with {}", jcmd.display());
            true
        }
        Err(error) => {
            tracing::warn!("cannot start {}: {error}", jcmd.display());
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_jdk_has_a_jcmd() {
        let cases = [
            ("/usr/lib/jvm/java-17/bin/java", Some("/usr/lib/jvm/java-17/bin/jcmd")),
            ("/usr/bin/node", None),
            ("/opt/java/bin/javac", None),
        ];
        for (executable, expected) in cases {
            assert_eq!(beside(Path::new(executable)).as_deref(), expected.map(Path::new), "{executable}");
        }
        assert_eq!(jcmd_of(std::process::id()), None);
    }

    #[test]
    fn nothing_is_requested_without_room_for_it() {
        let processes = [std::process::id()];
        assert_eq!(request_collections(&processes, Bytes::from_mb(500), Bytes::from_mb(512)), 0);
        assert_eq!(request_collections(&[], Bytes(0), Bytes::from_mb(512)), 0);
    }
}
