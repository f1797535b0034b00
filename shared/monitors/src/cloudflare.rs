//! The addresses of Cloudflare, to which a Worker may open no TCP connection.
//!
//! <https://www.cloudflare.com/ips-v4> and <https://www.cloudflare.com/ips-v6>, read in November 2026; they have not changed since 2021. A
//! range that is missing here is refused by the platform when it is probed, with a text that a port that refuses has as well
//! (<https://developers.cloudflare.com/workers/runtime-apis/tcp-sockets/>).

use std::net::{Ipv4Addr, Ipv6Addr};

const V4: [([u8; 4], u32); 15] = [
    ([173, 245, 48, 0], 20),
    ([103, 21, 244, 0], 22),
    ([103, 22, 200, 0], 22),
    ([103, 31, 4, 0], 22),
    ([141, 101, 64, 0], 18),
    ([108, 162, 192, 0], 18),
    ([190, 93, 240, 0], 20),
    ([188, 114, 96, 0], 20),
    ([197, 234, 240, 0], 22),
    ([198, 41, 128, 0], 17),
    ([162, 158, 0, 0], 15),
    ([104, 16, 0, 0], 13),
    ([104, 24, 0, 0], 14),
    ([172, 64, 0, 0], 13),
    ([131, 0, 72, 0], 22),
];

/// The first 32 bits of an address, and the length of the prefix.
const V6: [(u32, u32); 7] = [
    (0x2400_cb00, 32),
    (0x2606_4700, 32),
    (0x2803_f800, 32),
    (0x2405_b500, 32),
    (0x2405_8100, 32),
    (0x2a06_98c0, 29),
    (0x2c0f_f248, 32),
];

/// Returns whether a host is an address of Cloudflare; an IPv6 address has its brackets. A name is not resolved.
pub fn is_cloudflare_address(host: &str) -> bool {
    let has_prefix = |address: u32, (network, length): (u32, u32)| (address ^ network) >> (32 - length) == 0;
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        let network = |(bytes, length): ([u8; 4], u32)| (u32::from_be_bytes(bytes), length);
        return V4.into_iter().any(|range| has_prefix(address.to_bits(), network(range)));
    }
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let address = inner.and_then(|inner| inner.parse::<Ipv6Addr>().ok());
    address.is_some_and(|address| {
        let [a, b, ..] = address.segments();
        V6.into_iter().any(|range| has_prefix(u32::from(a) << 16 | u32::from(b), range))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_cloudflare_are_recognized() {
        for host in [
            "104.16.0.1",
            "104.23.255.255",
            "104.27.1.1",
            "172.64.0.0",
            "172.71.255.255",
            "162.159.0.1",
            "[2606:4700::1]",
            "[2a06:98c7::1]",
        ] {
            assert!(is_cloudflare_address(host), "{host}");
        }
        for host in [
            "104.28.0.1",
            "104.15.255.255",
            "172.72.0.1",
            "8.8.8.8",
            "[2001:4860::1]",
            "[2a06:98c8::1]",
            "a.example",
        ] {
            assert!(!is_cloudflare_address(host), "{host}");
        }
    }
}
