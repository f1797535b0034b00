//! A Node server behind the front of `heapbeat run`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tempfile::TempDir;

use crate::load::{Load, LoadPlan};
use crate::programs::{is_installed, start_in_directory};
use crate::{Server, connect, send_request, wait_for};

/// A guarded Node server.
pub struct GuardedNode {
    _directory: TempDir,
    /// Its guard.
    pub server: Server,
}

impl GuardedNode {
    /// Guards a server with this source; `None` if Node is not installed. The front has a free port and no drain window, and there is no
    /// agent.
    pub fn start(source: &str, options: &[&str], variables: &[(&str, &str)]) -> Option<Self> {
        if !is_installed("node") {
            return None;
        }
        let run: Vec<&str> =
            [&["run", "--side-port", "0", "--port", "0"], options, &["--", "node", "server.js"]].concat();
        let given = [("HEAPBEAT_DRAIN_WINDOW", "0s"), ("HEAPBEAT_AGENT", "off")];
        let (directory, server) =
            start_in_directory(&[("server.js", source)], &run, &[&given, variables].concat());
        Some(GuardedNode { _directory: directory, server })
    }

    /// Returns the address of the front, once it listens.
    pub fn address(&self) -> SocketAddr {
        front_address(&self.server)
    }

    /// Returns the body of the response to a GET.
    pub fn get(&self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nhost: t\r\n\r\n");
        send_request(connect(self.address()), "GET", request.as_bytes()).text().to_owned()
    }

    /// Requests a replacement until it begins; the guard learns that an instance is ready a moment after clients do.
    pub fn replace(&self) {
        let begun = |server: &Server| {
            server.log_events("starting a replacement").len()
                + server.log_events("draining the current").len()
        };
        let before = begun(&self.server);
        wait_for("the replacement to begin", || {
            self.server.send_signal("USR2");
            (begun(&self.server) > before).then_some(())
        });
    }

    /// Waits until so many instances have been replaced.
    pub fn wait_until_recycled(&self, times: usize) {
        wait_for("the replacement", || {
            (self.server.log_events("recycled: instance").len() >= times).then_some(())
        });
    }

    /// Sends GETs on kept connections until the load is stopped.
    pub fn load(&self) -> Load {
        Load::start(self.address(), LoadPlan { clients: 4, rate: 40, keep_alive: true, path: |_| "/" })
    }
}

/// Returns the address of a guard's front, once it listens.
pub fn front_address(server: &Server) -> SocketAddr {
    let port = server.wait_for_log("requests: listening")["heapbeat.front.port"].as_u64().unwrap();
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), u16::try_from(port).unwrap())
}
