//! The flags of heapbeat's own endpoints.

use heapbeat::supervisor::program_status::EndpointPaths;

use super::front_args::FrontKind;

/// The side port where the public port does not speak HTTP.
const DEFAULT_SIDE_PORT: u16 = 8090;

/// The flags of the endpoints.
#[derive(Debug, clap::Args)]
pub(crate) struct EndpointArgs {
    /// Another port for /health, /metrics and /exits; 0 takes a free one, `off` opens none [default: off; 8090 with --front off, --front
    /// tcp or --listen]
    #[arg(long, value_name = "PORT", value_parser = parse_side_port)]
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

/// A port; `None` opens none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SidePort(Option<u16>);

impl EndpointArgs {
    /// Returns the port besides the public one.
    pub(super) fn side_port(&self, kind: FrontKind) -> Option<u16> {
        let default = (kind != FrontKind::Http).then_some(DEFAULT_SIDE_PORT);
        self.side_port.map_or(default, |SidePort(port)| port)
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
        return Ok(SidePort(None));
    }
    let port = text.parse();
    let port =
        port.map_err(|_| "a port is a number from 1 to 65535, 0 for any free one, or `off`".to_owned())?;
    Ok(SidePort(Some(port)))
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
            (None, FrontKind::Http, None),
            (None, FrontKind::Tcp, Some(8090)),
            (None, FrontKind::Off, Some(8090)),
            (Some(SidePort(None)), FrontKind::Off, None),
            (Some(SidePort(Some(0))), FrontKind::Http, Some(0)),
        ];
        for (given, kind, expected) in cases {
            assert_eq!(args(given).side_port(kind), expected, "{given:?} {kind:?}");
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
