//! The flags of heapbeat's own endpoints.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use heapbeat::supervisor::program_status::EndpointPaths;

use super::front_args::{FrontKind, UselessOption};

/// The side port where the public port does not speak HTTP.
const DEFAULT_SIDE_PORT: u16 = 8090;

/// The flags of the endpoints.
#[derive(Debug, clap::Args)]
pub(crate) struct EndpointArgs {
    /// Another port for /health, /metrics and /exits, only for this machine unless an address or `HEAPBEAT_HOST` opens it: 0.0.0.0:8090; 0
    /// takes a free one, `off` opens none [default: off; 8090 with --front off, --front tcp or --listen]
    #[arg(long, value_name = "[ADDRESS:]PORT", value_parser = parse_side_port)]
    side_port: Option<SidePort>,
    /// What the paths of heapbeat's own endpoints begin with, if the program has a /health or a /metrics itself: `/heapbeat` moves them to
    /// /heapbeat/health and so on
    #[arg(long, value_name = "PATH", value_parser = parse_prefix)]
    health_prefix: Option<String>,
    /// Path of the program's own health check, such as /health: requests are the program's unless they are signed, and the signed report
    /// and /health/ready tell whether it passes
    #[arg(long, value_name = "PATH", value_parser = super::front_args::parse_path)]
    pub(super) health_path: Option<String>,
}

/// Where the side port is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SidePort {
    /// Nowhere.
    Off,
    /// At a port of `HEAPBEAT_HOST`, or without that of this machine alone.
    Port(u16),
    /// At this address and port.
    Address(SocketAddr),
}

impl EndpointArgs {
    /// Returns the address and port besides the public one. `host` is `HEAPBEAT_HOST`. What a program is measured by is nobody else's
    /// unless somebody says so: without an address, only this machine can reach it.
    pub(super) fn side_port(&self, kind: FrontKind, host: Option<IpAddr>) -> Option<(IpAddr, u16)> {
        let default = if kind == FrontKind::Http { SidePort::Off } else { SidePort::Port(DEFAULT_SIDE_PORT) };
        match self.side_port.unwrap_or(default) {
            SidePort::Off => None,
            SidePort::Port(port) => Some((host.unwrap_or(Ipv4Addr::LOCALHOST.into()), port)),
            SidePort::Address(address) => Some((address.ip(), address.port())),
        }
    }

    /// Refuses a path of the program's own health check where heapbeat could not ask for it.
    pub(super) fn check(&self, kind: FrontKind, takes_requests: bool) -> Result<(), String> {
        if self.health_path.is_none() || (kind == FrontKind::Http && takes_requests) {
            return Ok(());
        }
        let why = if kind == FrontKind::Http {
            "the program takes no requests with --no-listen"
        } else {
            "there is none"
        };
        Err(format!("--health-path is the path of a program behind the front, and {why}; leave it away"))
    }

    /// Returns the option that was given and has no effect beside the others.
    pub(super) fn option_without_effect(
        &self,
        kind: FrontKind,
        has_side_port: bool,
    ) -> Option<UselessOption> {
        let why = "with --side-port off, as heapbeat answers no requests then";
        let is_useless = self.health_prefix.is_some() && kind != FrontKind::Http && !has_side_port;
        is_useless.then_some(UselessOption { flag: "--health-prefix", why })
    }

    /// Returns the paths of the endpoints.
    pub(super) fn paths(&self) -> EndpointPaths {
        EndpointPaths {
            prefix: self.health_prefix.clone().unwrap_or_default(),
            program_health: self.health_path.clone(),
        }
    }
}

fn parse_side_port(text: &str) -> Result<SidePort, String> {
    if text == "off" {
        return Ok(SidePort::Off);
    }
    let (port, address) = (text.parse().map(SidePort::Port), text.parse().map(SidePort::Address));
    port.ok().or(address.ok()).ok_or_else(|| {
        "a port is a number from 1 to 65535, 0 for any free one, an address and a port as in 0.0.0.0:8090, or `off`".to_owned()
    })
}

fn parse_prefix(text: &str) -> Result<String, String> {
    let prefix = super::front_args::parse_path(text)?;
    match prefix.strip_suffix('/') {
        Some("") => Err("without a prefix, leave the flag away".to_owned()),
        Some(prefix) => Ok(prefix.to_owned()),
        None => Ok(prefix),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_port_is_opened_where_the_public_port_does_not_speak_http() {
        let args = |side_port| EndpointArgs { side_port, health_prefix: None, health_path: None };
        let cases = [
            (None, FrontKind::Http, None, None),
            (None, FrontKind::Tcp, None, Some("127.0.0.1:8090")),
            (None, FrontKind::Off, None, Some("127.0.0.1:8090")),
            (None, FrontKind::Off, Some("10.0.0.5"), Some("10.0.0.5:8090")),
            (Some("off"), FrontKind::Off, None, None),
            (Some("0"), FrontKind::Http, None, Some("127.0.0.1:0")),
            (Some("0.0.0.0:9000"), FrontKind::Off, None, Some("0.0.0.0:9000")),
            (Some("[::]:9000"), FrontKind::Off, Some("10.0.0.5"), Some("[::]:9000")),
        ];
        for (given, kind, host, expected) in cases {
            let given = given.map(|text| parse_side_port(text).unwrap());
            let found = args(given).side_port(kind, host.map(|host| host.parse().unwrap()));
            assert_eq!(
                found.map(|found| SocketAddr::from(found).to_string()).as_deref(),
                expected,
                "{given:?} {kind:?}"
            );
        }
        for text in ["", "on", "65536", "localhost:8090", "0.0.0.0"] {
            assert!(parse_side_port(text).is_err(), "{text}");
        }
    }

    #[test]
    fn endpoints_that_nobody_could_reach_are_noted_or_refused() {
        let args = |health_prefix: Option<&str>, health_path: Option<&str>| EndpointArgs {
            side_port: None,
            health_prefix: health_prefix.map(str::to_owned),
            health_path: health_path.map(str::to_owned),
        };
        // The kind, whether there is a side port, whether the prefix has an effect.
        let prefixes = [
            (FrontKind::Http, false, true),
            (FrontKind::Tcp, true, true),
            (FrontKind::Tcp, false, false),
            (FrontKind::Off, false, false),
        ];
        for (kind, has_side_port, has_effect) in prefixes {
            let found = args(Some("/x"), None).option_without_effect(kind, has_side_port);
            assert_eq!(found.is_none(), has_effect, "{kind:?} {has_side_port}");
            assert_eq!(args(None, None).option_without_effect(kind, has_side_port), None);
        }
        let paths = [
            (FrontKind::Http, true, None),
            (FrontKind::Http, false, Some("--no-listen")),
            (FrontKind::Tcp, true, Some("there is none")),
            (FrontKind::Off, true, Some("there is none")),
        ];
        for (kind, takes_requests, refusal) in paths {
            let checked = args(None, Some("/health")).check(kind, takes_requests);
            assert_eq!(checked.is_err(), refusal.is_some(), "{kind:?} {takes_requests}");
            assert!(checked.err().unwrap_or_default().contains(refusal.unwrap_or_default()));
            assert_eq!(args(None, None).check(kind, takes_requests), Ok(()));
        }
    }

    #[test]
    fn a_prefix_is_a_path_without_a_slash_at_its_end() {
        assert_eq!(parse_prefix("/heapbeat"), Ok("/heapbeat".to_owned()));
        assert_eq!(parse_prefix("/a/b/"), Ok("/a/b".to_owned()));
        for text in ["", "/", "heapbeat", "/a b"] {
            assert!(parse_prefix(text).is_err(), "{text:?}");
        }
    }
}
