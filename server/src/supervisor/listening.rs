//! The ports on which processes listen, read from `/proc`.

use std::collections::BTreeSet;
use std::fs;

/// Maximum number of processes that are looked at.
const MAX_PROCESSES: usize = 256;

/// Returns the TCP ports on which any of these processes listens. Processes of other users show nothing.
pub(super) fn listening_ports(processes: &[u32]) -> BTreeSet<u16> {
    let mut ports = BTreeSet::new();
    for pid in processes.iter().take(MAX_PROCESSES) {
        let sockets = sockets_of(*pid);
        for table in ["tcp", "tcp6"] {
            let table = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
            let listening = table.lines().filter_map(parse_listener);
            ports.extend(listening.filter(|(_, inode)| sockets.contains(inode)).map(|(port, _)| port));
        }
    }
    ports
}

/// Whether any of these processes has the socket with this inode.
pub(super) fn has_socket(processes: &[u32], inode: u64) -> bool {
    processes.iter().take(MAX_PROCESSES).any(|pid| sockets_of(*pid).contains(&inode))
}

/// Returns the inodes of a process's sockets.
fn sockets_of(pid: u32) -> BTreeSet<u64> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let targets = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
    targets
        .filter_map(|target| target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok())
        .collect()
}

/// Parses a line of `/proc/net/tcp` (`proc_net(5)`); returns port and inode of a socket that listens.
fn parse_listener(line: &str) -> Option<(u16, u64)> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (_, port) = fields.get(1)?.rsplit_once(':')?;
    if *fields.get(3)? != LISTEN {
        return None;
    }
    Some((u16::from_str_radix(port, 16).ok()?, fields.get(9)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn the_ports_of_this_process_are_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(listening_ports(&[std::process::id()]).contains(&port));
        assert!(!listening_ports(&[1 << 30]).contains(&port));
        let inode = rustix::fs::fstat(listener.as_fd()).unwrap().st_ino;
        assert!(has_socket(&[std::process::id()], inode) && !has_socket(&[1 << 30], inode));
    }

    #[test]
    fn only_sockets_that_listen_count() {
        let listening = "   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 4242 1 0 100 0 0 10 0";
        assert_eq!(parse_listener(listening), Some((3000, 4242)));
        assert_eq!(parse_listener(&listening.replace(" 0A ", " 01 ")), None);
        assert_eq!(parse_listener("  sl  local_address rem_address   st tx_queue"), None);
    }
}
