//! The ports on which processes listen, and who listens at an address, read from `/proc`.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;

/// Maximum number of processes that are looked at.
const MAX_PROCESSES: usize = 256;

/// Returns the TCP ports on which any of these processes listens. Processes of other users show nothing.
pub(super) fn listening_ports(processes: &[u32]) -> BTreeSet<u16> {
    listeners_of(processes).into_iter().map(|it| it.address.port()).collect()
}

/// Returns an address at which any of these processes listens on `port` and that others than this machine reach.
pub(super) fn exposed_address(processes: &[u32], port: u16) -> Option<SocketAddr> {
    let listeners = listeners_of(processes).into_iter().map(|it| it.address);
    listeners.filter(|it| it.port() == port).find(|it| !it.ip().to_canonical().is_loopback())
}

/// Returns the sockets on which any of these processes listens.
fn listeners_of(processes: &[u32]) -> Vec<Listener> {
    let mut listeners = Vec::new();
    for pid in processes.iter().take(MAX_PROCESSES) {
        let sockets = sockets_of(*pid);
        for table in ["tcp", "tcp6"] {
            let table = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
            let listening = table.lines().filter_map(parse_listener);
            listeners.extend(listening.filter(|it| sockets.contains(&it.inode)));
        }
    }
    listeners
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

/// Returns the user of a socket that listens at `address` and belongs to none of these processes; `None` if all such sockets are theirs, or
/// nobody can tell. Root's sockets are nobody's: a container's port is often published by a process of root.
pub(super) fn stranger_at(address: SocketAddr, processes: &[u32]) -> Option<u32> {
    if processes.is_empty() || processes.len() > MAX_PROCESSES {
        return None;
    }
    let tables =
        ["tcp", "tcp6"].map(|it| fs::read_to_string(format!("/proc/self/net/{it}")).unwrap_or_default());
    let all: Vec<Listener> =
        tables.iter().flat_map(|table| table.lines().filter_map(parse_listener)).collect();
    let strangers =
        reached_by(&all, address).into_iter().filter(|it| !has_socket(processes, it.inode) && it.user != 0);
    // The descriptors of a process that has changed its user cannot be read, its user can.
    let hidden: BTreeSet<u32> = processes
        .iter()
        .filter(|pid| fs::read_dir(format!("/proc/{pid}/fd")).is_err())
        .filter_map(|pid| fs::metadata(format!("/proc/{pid}")).ok().map(|entry| entry.uid()))
        .collect();
    strangers.map(|it| it.user).find(|user| !hidden.contains(user))
}

/// Returns the sockets that may get a connection to `address`: those bound to it, else those bound to all addresses.
fn reached_by(all: &[Listener], address: SocketAddr) -> Vec<Listener> {
    let same_port = || all.iter().filter(|it| it.address.port() == address.port());
    let exact: Vec<Listener> = same_port()
        .filter(|it| it.address.ip().to_canonical() == address.ip().to_canonical())
        .copied()
        .collect();
    if !exact.is_empty() {
        return exact;
    }
    // A socket for all addresses of IPv6 may get connections of IPv4 as well.
    let covers =
        |it: IpAddr| it == Ipv6Addr::UNSPECIFIED || (it == Ipv4Addr::UNSPECIFIED && address.is_ipv4());
    same_port().filter(|it| covers(it.address.ip())).copied().collect()
}

/// A socket that listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Listener {
    address: SocketAddr,
    user: u32,
    inode: u64,
}

/// Parses a line of `/proc/net/tcp` or `/proc/net/tcp6` (`proc_net(5)`); returns the socket if it listens.
fn parse_listener(line: &str) -> Option<Listener> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (address, port) = fields.get(1)?.rsplit_once(':')?;
    if *fields.get(3)? != LISTEN {
        return None;
    }
    let port = u16::from_str_radix(port, 16).ok()?;
    let address = SocketAddr::new(parse_address(address)?, port);
    Some(Listener { address, user: fields.get(7)?.parse().ok()?, inode: fields.get(9)?.parse().ok()? })
}

/// Parses an address: words of 32 bits in hexadecimal digits, each in the byte order of the machine.
fn parse_address(text: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(text.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    match text.len() {
        8 => word(0).map(|bytes| Ipv4Addr::from(bytes).into()),
        32 => {
            let mut bytes = [0; 16];
            for (chunk, at) in bytes.chunks_exact_mut(4).zip([0, 8, 16, 24]) {
                chunk.copy_from_slice(&word(at)?);
            }
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
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
        assert_eq!(exposed_address(&[std::process::id()], port), None, "loopback");
        let open = TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap();
        assert_eq!(exposed_address(&[std::process::id()], open.port()), None, "it is closed again");
        let open = TcpListener::bind("0.0.0.0:0").unwrap();
        let address = open.local_addr().unwrap();
        assert_eq!(exposed_address(&[std::process::id()], address.port()), Some(address));
    }

    #[test]
    fn only_sockets_that_listen_count() {
        let listening = "   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 4242 1 0 100 0 0 10 0";
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 3000));
        assert_eq!(parse_listener(listening), Some(Listener { address, user: 0, inode: 4242 }));
        let listening_v6 = "   1: 00000000000000000000000001000000:0BB8 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 65534 0 7 1";
        let address = SocketAddr::from((Ipv6Addr::LOCALHOST, 3000));
        assert_eq!(parse_listener(listening_v6), Some(Listener { address, user: 65534, inode: 7 }));
        assert_eq!(parse_listener(&listening.replace(" 0A ", " 01 ")), None);
        assert_eq!(parse_listener("  sl  local_address rem_address   st tx_queue"), None);
    }

    #[test]
    fn a_connection_reaches_the_most_specific_socket() {
        let socket = |address: &str, inode| Listener { address: address.parse().unwrap(), user: 1, inode };
        let all = [
            socket("0.0.0.0:80", 1),
            socket("[::]:80", 2),
            socket("[::1]:80", 3),
            socket("127.0.0.1:81", 4),
            socket("[::ffff:127.0.0.1]:82", 5),
            socket("0.0.0.0:83", 6),
        ];
        // Address, inodes.
        let cases: [(&str, &[u64]); 6] = [
            ("127.0.0.1:80", &[1, 2]),
            ("[::1]:80", &[3]),
            ("127.0.0.1:81", &[4]),
            ("127.0.0.1:82", &[5]),
            ("[::1]:83", &[]),
            ("127.0.0.1:84", &[]),
        ];
        for (address, expected) in cases {
            let reached: Vec<u64> =
                reached_by(&all, address.parse().unwrap()).iter().map(|it| it.inode).collect();
            assert_eq!(reached, expected, "{address}");
        }
    }

    #[test]
    fn who_listens_is_known_by_the_socket() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(stranger_at(address, &[std::process::id()]), None);
        assert_eq!(stranger_at(address, &[]), None, "nobody can tell");
        // A process that does not have the socket. For root's sockets nobody can tell.
        let mut other = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let own = rustix::process::geteuid().as_raw();
        assert_eq!(stranger_at(address, &[other.id()]), (own != 0).then_some(own));
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
