//! The shell in which npm, pnpm and yarn run a script.
//!
//! It waits for its command instead of becoming it, where it is dash (Debian) or the ash of busybox (Alpine). At SIGTERM it ends at once, and
//! with it the package manager, whatever its command is doing. In a container nothing can be done about that from here, as the container ends
//! with its first process; elsewhere heapbeat would go on with nobody above it.

use std::fs;

use rustix::process::{Signal, getpid, getppid, kill_process, set_parent_process_death_signal};

/// Shells as the kernel names them.
const SHELLS: [&str; 6] = ["sh", "dash", "ash", "bash", "busybox", "zsh"];

/// Lets this process stop when the shell ends in which a package manager has started it, and says what is better.
pub(super) fn follow_shell() {
    let (Some(script), Some(shell)) = (std::env::var_os("npm_lifecycle_event"), getppid()) else { return };
    // A person types that, and nobody can begin it with exec.
    if script == "npx" {
        return;
    }
    let name = fs::read_to_string(format!("/proc/{}/comm", shell.as_raw_nonzero())).unwrap_or_default();
    let name = name.trim();
    if !SHELLS.contains(&name) {
        return;
    }
    match set_parent_process_death_signal(Some(Signal::TERM)) {
        // It may have ended before.
        Ok(()) if getppid() != Some(shell) => drop(kill_process(getpid(), Signal::TERM)),
        Ok(()) => {}
        Err(error) => {
            tracing::debug!("the end of the shell that started heapbeat will not be noticed: {error}");
        }
    }
    tracing::warn!(
        "the script \"{}\" of package.json runs in {name}, which does not pass SIGTERM on: a platform's stop may cut requests off; \
         begin the script with exec: \"exec heapbeat run …\"",
        script.display()
    );
}
