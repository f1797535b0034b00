//! A port of this machine that an instance of the program can listen on.
//!
//! Between the choice and the program's `listen` no process holds the port. The kernel gives outgoing connections ports of its ephemeral
//! range, so the choice is made outside of it; then only another program that opens this very port could take it.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

/// Ports that may be chosen: above the ones that programs have by default.
const CHOICE: std::ops::RangeInclusive<u16> = 20_000..=60_999;

/// Number of random ports that are tried before the kernel is asked for one.
const ATTEMPTS: usize = 200;

/// Returns a port without a listener, which no outgoing connection gets.
pub(super) fn choose_port() -> io::Result<u16> {
    let ephemeral = ephemeral_range(
        &std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default(),
    );
    let candidates = (0..ATTEMPTS).filter_map(|_| {
        let random = getrandom::u32().ok()?;
        let count = u32::from(CHOICE.end() - CHOICE.start()) + 1;
        u16::try_from(u32::from(*CHOICE.start()) + random % count).ok()
    });
    let outside = |port: &u16| !ephemeral.contains(port);
    if let Some(port) = candidates.filter(outside).find(|port| is_free(*port)) {
        return Ok(port);
    }
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Whether a program can listen on the port, on all addresses or on one of the machine's own.
fn is_free(port: u16) -> bool {
    let can_listen = |address: SocketAddr| match TcpListener::bind(address) {
        Ok(_) => true,
        // A machine may have no IPv6.
        Err(error) => {
            error.kind() != io::ErrorKind::AddrInUse && error.kind() != io::ErrorKind::PermissionDenied
        }
    };
    can_listen((Ipv4Addr::LOCALHOST, port).into())
        && can_listen((Ipv6Addr::LOCALHOST, port).into())
        && can_listen((Ipv6Addr::UNSPECIFIED, port).into())
        && can_listen((Ipv4Addr::UNSPECIFIED, port).into())
}

/// Parses the kernel's range of ports for outgoing connections.
fn ephemeral_range(text: &str) -> std::ops::RangeInclusive<u16> {
    let mut bounds = text.split_whitespace().filter_map(|word| word.parse().ok());
    bounds.next().unwrap_or(32_768)..=bounds.next().unwrap_or(60_999)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_port_is_free() {
        let port = choose_port().unwrap();
        assert!(is_free(port));
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        assert!(!is_free(port), "also for a program that listens on all addresses");
    }

    #[test]
    fn the_ephemeral_range_is_read_or_assumed() {
        assert_eq!(ephemeral_range("1024\t65535\n"), 1024..=65_535);
        assert_eq!(ephemeral_range(""), 32_768..=60_999);
    }
}
