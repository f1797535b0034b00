//! Listening sockets, for IPv4 and IPv6 at once if the machine has both.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Length of the kernel's queue of connections; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 1024;

/// Why a socket cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another program has the port.
    #[error(
        "port {port} is taken: another program listens on it; choose another with {setting} (0 takes a free one)"
    )]
    Taken {
        /// The port.
        port: u16,
        /// The settings of the port.
        setting: &'static str,
    },
    /// The port is reserved for the superuser.
    #[error(
        "port {port} needs privileges that this process does not have; choose one above 1023 with {setting}"
    )]
    Forbidden {
        /// The port.
        port: u16,
        /// The settings of the port.
        setting: &'static str,
    },
    /// The address is not one of this machine's.
    #[error(
        "{0} is not an address of this machine; choose one with HEAPBEAT_HOST or --host, or `any` for all of them"
    )]
    NotHere(IpAddr),
    /// Something else.
    #[error("cannot listen on {0}: {1}")]
    Other(SocketAddr, #[source] io::Error),
}

impl ListenError {
    /// Names the setting that the port was given with.
    #[must_use]
    pub fn with_setting(self, setting: &'static str) -> Self {
        match self {
            ListenError::Taken { port, .. } => ListenError::Taken { port, setting },
            ListenError::Forbidden { port, .. } => ListenError::Forbidden { port, setting },
            error => error,
        }
    }
}

/// The settings of the port of the server.
const PORT_SETTINGS: &str = "PORT or --port";

/// Opens a listening, non-blocking socket on `host`; `None` for all addresses, IPv6 and IPv4, or only IPv4 if the machine has no
/// IPv6.
pub fn bind(host: Option<IpAddr>, port: u16) -> Result<TcpListener, ListenError> {
    let Some(host) = host else {
        let everywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        return match socket(everywhere, true) {
            Ok(listener) => Ok(listener),
            Err(error) if lacks_ipv6(&error) => bind(Some(Ipv4Addr::UNSPECIFIED.into()), port),
            Err(error) => Err(explain(everywhere, error)),
        };
    };
    let address = SocketAddr::new(host, port);
    socket(address, false).map_err(|error| explain(address, error))
}

fn socket(address: SocketAddr, both_families: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!both_families)?;
    }
    // The port can be bound at once after a restart, although the kernel still holds connections of the last run.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Whether the error means that the machine has no IPv6.
fn lacks_ipv6(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(
        Errno::from_io_error(error),
        Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL | Errno::PROTONOSUPPORT)
    )
}

fn explain(address: SocketAddr, error: io::Error) -> ListenError {
    match error.kind() {
        io::ErrorKind::AddrInUse => ListenError::Taken { port: address.port(), setting: PORT_SETTINGS },
        io::ErrorKind::PermissionDenied => {
            ListenError::Forbidden { port: address.port(), setting: PORT_SETTINGS }
        }
        io::ErrorKind::AddrNotAvailable => ListenError::NotHere(address.ip()),
        _ => ListenError::Other(address, error),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn one_socket_accepts_both_families() {
        let listener = bind(None, 0).unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)] {
            let client = TcpStream::connect((host, port)).unwrap();
            assert_eq!(client.peer_addr().unwrap(), SocketAddr::new(host, port));
        }
    }

    #[test]
    fn an_error_names_the_port_and_the_settings() {
        let taken = bind(None, 0).unwrap();
        let port = taken.local_addr().unwrap().port();
        let message = bind(None, port).unwrap_err().to_string();
        assert!(
            message.starts_with(&format!("port {port} is taken")) && message.contains("PORT or --port"),
            "{message}"
        );
        let elsewhere: IpAddr = "192.0.2.1".parse().unwrap();
        assert!(matches!(bind(Some(elsewhere), 0), Err(ListenError::NotHere(ip)) if ip == elsewhere));
    }
}
