//! System calls that only Linux has. Elsewhere each is refused, as by a kernel that does not know it: an application that embeds the library
//! compiles and runs where it is developed, with less protection.

#[cfg(target_os = "linux")]
pub(super) use rustix::process::{set_child_subreaper, set_parent_process_death_signal};

#[cfg(not(target_os = "linux"))]
pub(super) use absent::{set_child_subreaper, set_parent_process_death_signal};

#[cfg(not(target_os = "linux"))]
mod absent {
    use rustix::io::{Errno, Result};
    use rustix::process::{Pid, Signal};

    pub(in crate::supervisor) fn set_child_subreaper(_process: Option<Pid>) -> Result<()> {
        Err(Errno::NOSYS)
    }

    pub(in crate::supervisor) fn set_parent_process_death_signal(_signal: Option<Signal>) -> Result<()> {
        Err(Errno::NOSYS)
    }
}
