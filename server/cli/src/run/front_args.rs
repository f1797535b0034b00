//! The flags of the front.

use std::path::PathBuf;
use std::time::Duration;

use heapbeat_front::{ForwardedTrust, FrontConfig, FrontLimits, FrontMode, HoldLimits, Priorities, Priority};
use heapbeat_shared::Bytes;
use heapbeat_shared::units::parse_duration;

/// What comes in at the public port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum FrontKind {
    /// HTTP/1.1 requests, which heapbeat forwards to the program
    #[default]
    Http,
    /// Connections, whose bytes heapbeat forwards to the program
    Tcp,
    /// Nothing: the program opens the port itself
    Off,
}

/// Where the program takes requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UpstreamChoice {
    /// At a port that is chosen for each instance, and given to it as `PORT`.
    Free,
    /// At this port.
    Port(u16),
    /// At this Unix socket.
    Unix(PathBuf),
    /// Nowhere.
    None,
}

/// The flags of the front.
#[derive(Debug, clap::Args)]
pub(crate) struct FrontArgs {
    /// What heapbeat takes at PORT and forwards to the program, which gets another PORT; `off` leaves PORT to the program
    #[arg(long, value_enum, value_name = "KIND")]
    front: Option<FrontKind>,
    /// Port of the front; 0 takes a free one [env: PORT] [default: 8080]
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<String>,
    /// Where the program takes requests if it does not read PORT: a port, or `unix:/path`
    #[arg(long, value_name = "ADDRESS", value_parser = parse_upstream)]
    upstream: Option<UpstreamChoice>,
    /// The program takes no requests (a queue worker, a bot): it counts as ready after --ready-after
    #[arg(long, conflicts_with = "upstream")]
    no_listen: bool,
    /// Path that the program answers with a status below 500 once it is ready [default: --health-path, else /]
    #[arg(long, value_name = "PATH", value_parser = parse_path)]
    ready_path: Option<String>,
    /// Time in which an instance has to be ready
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_ready_timeout)]
    pub(crate) ready_timeout: Duration,
    /// Longest time that a request waits for an instance; then it is answered with 503
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = |text: &str| parse_duration(text))]
    pub(crate) hold: Duration,
    /// Least bytes a second that a client sends of a body, or takes of a response, while heapbeat waits for it; 0 allows any
    #[arg(long, value_name = "BYTES", default_value_t = FrontLimits::default().least_rate, allow_negative_numbers = true,
          value_parser = parse_rate)]
    client_rate: u64,
    /// Memory for the requests that heapbeat forwards at the same time: 40MB are enough for some 800; further ones wait. heapbeat needs at
    /// most 30 MB besides
    #[arg(long, value_name = "SIZE", default_value = "40MB", value_parser = parse_front_memory)]
    front_memory: Bytes,
    /// Peers whose X-Forwarded-For, Forwarded and the like reach the program: `auto` are those with a private address, as the routers of
    /// platforms; on, off, or the number of proxies before heapbeat
    #[arg(long, value_name = "TRUST", default_value = "auto", value_parser = |text: &str| text.parse::<ForwardedTrust>())]
    trust_forwarded: ForwardedTrust,
    /// Time in which an instance sends nothing although requests wait for it, and does not answer its --ready-path, until it counts as hung
    /// and is killed; `0s` switches that off
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = |text: &str| parse_duration(text))]
    hang_timeout: Duration,
    /// Two instances must never run at the same time; requests wait while one replaces the other
    #[arg(long)]
    single: bool,
    /// Number of instances that serve at the same time and share the memory limit; a request goes to the one with the fewest in flight
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = parse_instances, allow_negative_numbers = true)]
    instances: u32,
    /// Which requests are refused first when memory is short: `/reports/{*rest}=low`, normal, high or critical; repeatable
    #[arg(long, value_name = "PATTERN=PRIORITY", value_parser = parse_priority)]
    priority: Vec<(String, Priority)>,
}

/// An option that was given and does nothing beside the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UselessOption {
    /// The option, as it is written.
    pub(crate) flag: &'static str,
    /// Why it does nothing.
    pub(crate) why: &'static str,
}

/// Time after which an instance is hung, and time in which it has to be ready, as clap reads them.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

const WITHOUT_FRONT: &str = "without the front, as heapbeat forwards nothing to the program";
const WITHOUT_HTTP: &str = "with --front tcp, which does not look into what it forwards";
const WITHOUT_REQUESTS: &str = "with --no-listen, as the program takes no requests";
const WITH_SOCKET: &str = "with --listen, as the program's socket is open from the start";
const OWN_PORT: &str = "without the front, as the program opens its port itself: give it PORT";

fn parse_rate(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "the rate is a number of bytes a second, such as 1024; 0 allows any".to_owned())
}

/// Most instances that serve at the same time.
const MAX_INSTANCES: u32 = 64;

fn parse_instances(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (1..=MAX_INSTANCES).contains(number));
    number.ok_or_else(|| format!("it is a number from 1 to {MAX_INSTANCES}"))
}

fn parse_ready_timeout(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(time) if time.is_zero() => {
            Err("no program is ready at once; a program that takes no requests needs --no-listen".to_owned())
        }
        parsed => parsed.map_err(|error| error.to_string()),
    }
}

/// Least memory for requests: what some twenty take.
const LEAST_MEMORY: Bytes = Bytes(1 << 20);

fn parse_front_memory(text: &str) -> Result<Bytes, String> {
    let memory: Bytes = text.parse().map_err(|error| format!("{error}"))?;
    if memory < LEAST_MEMORY {
        return Err(format!(
            "{memory} are less than one request may need; it has to be {LEAST_MEMORY} at least"
        ));
    }
    Ok(memory)
}

impl FrontArgs {
    /// Returns what comes in at the public port; with a socket that is passed to the program (`--listen`), nothing.
    ///
    /// # Errors
    /// Returns a description of options that contradict each other.
    pub(crate) fn kind(&self, passes_socket: bool) -> Result<FrontKind, String> {
        let contradiction = match (self.front, passes_socket, self.no_listen) {
            (_, true, true) => {
                "--listen passes a socket to the program, which takes no requests with --no-listen; leave one of them away"
            }
            (Some(FrontKind::Http | FrontKind::Tcp), true, false) => {
                "--listen passes the socket to the program, so there is no front; leave --front or --listen away"
            }
            (Some(FrontKind::Tcp), false, true) => {
                "--front tcp forwards connections to the program, which takes none with --no-listen; leave one of them away"
            }
            (_, true, false) => return Ok(FrontKind::Off),
            (kind, false, _) => return Ok(kind.unwrap_or_default()),
        };
        Err(contradiction.to_owned())
    }

    /// Returns the options that were given and have no effect beside the others. One that was given as it is by default is not known from
    /// one that was not given.
    pub(crate) fn options_without_effect(&self, kind: FrontKind, passes_socket: bool) -> Vec<UselessOption> {
        let default = FrontLimits::default();
        let memory = usize::try_from(self.front_memory.0).unwrap_or(usize::MAX);
        // Needs a front, needs one that speaks HTTP, needs a program that takes requests.
        let (front, http, requests) = (
            (kind == FrontKind::Off).then_some(WITHOUT_FRONT),
            (kind == FrontKind::Tcp).then_some(WITHOUT_HTTP),
            (self.no_listen && kind != FrontKind::Off).then_some(WITHOUT_REQUESTS),
        );
        let (forwarding, http) = (front.or(requests), front.or(http).or(requests));
        // Whether it was given, and why it does nothing.
        let options = [
            ("--port", self.port.is_some(), front.map(|_| OWN_PORT)),
            ("--upstream", self.upstream.is_some(), forwarding),
            ("--hold", self.hold != HoldLimits::default().time, forwarding),
            ("--front-memory", memory != default.memory, forwarding),
            ("--ready-path", self.ready_path.is_some(), http),
            (
                "--ready-timeout",
                self.ready_timeout != DEFAULT_TIMEOUT,
                requests.or(passes_socket.then_some(WITH_SOCKET)),
            ),
            ("--hang-timeout", self.hang_timeout != DEFAULT_TIMEOUT, http),
            ("--priority", !self.priority.is_empty(), http),
            ("--trust-forwarded", self.trust_forwarded != ForwardedTrust::default(), http),
            ("--client-rate", self.client_rate != default.least_rate, http),
        ];
        let given = options.into_iter().filter(|(_, is_given, _)| *is_given);
        given.filter_map(|(flag, _, why)| Some(UselessOption { flag, why: why? })).collect()
    }

    /// Whether the program takes requests.
    pub(crate) fn takes_requests(&self) -> bool {
        !self.no_listen
    }

    /// Returns where the program takes requests.
    pub(crate) fn upstream(&self) -> UpstreamChoice {
        match &self.upstream {
            _ if self.no_listen => UpstreamChoice::None,
            Some(upstream) => upstream.clone(),
            None => UpstreamChoice::Free,
        }
    }

    /// Returns the number of instances that serve at the same time.
    ///
    /// # Errors
    /// Returns a description of what keeps several from serving.
    pub(crate) fn instances(&self, kind: FrontKind) -> Result<u32, String> {
        let obstacle = if kind == FrontKind::Off {
            "needs the front, which passes requests on to them"
        } else if self.upstream.is_some() {
            "needs a port for each instance, so the program has to read PORT; leave --upstream away"
        } else if self.single {
            "and --single exclude each other"
        } else {
            return Ok(self.instances);
        };
        if self.instances == 1 { Ok(1) } else { Err(format!("--instances {} {obstacle}", self.instances)) }
    }

    /// Whether two instances must never run at the same time: at a fixed address the second one could not listen.
    pub(crate) fn single(&self) -> bool {
        self.single || self.upstream.is_some()
    }

    /// Returns the path that is asked for readiness: by default that of the program's own health check; `None` if a connection is enough.
    pub(crate) fn ready_path(&self, kind: FrontKind, health_path: Option<&str>) -> Option<String> {
        let path = self.ready_path.as_deref().or(health_path).unwrap_or("/");
        (kind == FrontKind::Http).then(|| path.to_owned())
    }

    /// Returns the time without a sign of life after which an instance is hung; `None`: never.
    pub(crate) fn hang_timeout(&self) -> Option<Duration> {
        Some(self.hang_timeout).filter(|timeout| !timeout.is_zero())
    }

    /// Returns the configuration of the front.
    ///
    /// # Errors
    /// Returns a description of a pattern of `--priority` that cannot work.
    pub(crate) fn config(&self, kind: FrontKind) -> Result<FrontConfig, String> {
        let mut priorities = Priorities::default();
        for (pattern, priority) in &self.priority {
            priorities.add(pattern, *priority).map_err(|error| format!("--priority {error}"))?;
        }
        let time = if self.no_listen { Duration::ZERO } else { self.hold };
        Ok(FrontConfig {
            mode: if kind == FrontKind::Tcp { FrontMode::Tcp } else { FrontMode::Http },
            limits: FrontLimits {
                least_rate: self.client_rate,
                memory: usize::try_from(self.front_memory.0).unwrap_or(usize::MAX),
                ..FrontLimits::default()
            },
            trust: self.trust_forwarded,
            hold: HoldLimits { time, ..HoldLimits::default() },
            priorities,
            ..FrontConfig::default()
        })
    }
}

fn parse_upstream(text: &str) -> Result<UpstreamChoice, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        return if path.starts_with('/') {
            Ok(UpstreamChoice::Unix(path.into()))
        } else {
            Err("the path of the socket begins with `/`, such as unix:/run/app.sock".to_owned())
        };
    }
    match text.parse() {
        Ok(port @ 1..) => Ok(UpstreamChoice::Port(port)),
        _ => Err("the address is a port of this machine from 1 to 65535, or unix:/path".to_owned()),
    }
}

pub(super) fn parse_path(text: &str) -> Result<String, String> {
    if text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("a path begins with `/` and has no spaces".to_owned())
    }
}

fn parse_priority(text: &str) -> Result<(String, Priority), String> {
    let (pattern, name) = text.rsplit_once('=').unwrap_or((text, ""));
    let priority = match name {
        "low" => Priority::Low,
        "normal" => Priority::Normal,
        "high" => Priority::High,
        "critical" => Priority::Critical,
        _ => return Err("the form is PATTERN=PRIORITY, with low, normal, high or critical".to_owned()),
    };
    parse_path(pattern).map(|pattern| (pattern, priority))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_ports_and_unix_sockets() {
        assert_eq!(parse_upstream("3000"), Ok(UpstreamChoice::Port(3000)));
        assert_eq!(parse_upstream("unix:/tmp/a.sock"), Ok(UpstreamChoice::Unix("/tmp/a.sock".into())));
        for text in ["", "0", "65536", "localhost:3000", "unix:", "unix:app.sock", "-1"] {
            assert!(parse_upstream(text).is_err(), "{text:?}");
        }
    }

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        front: FrontArgs,
    }

    #[test]
    fn options_that_do_nothing_beside_the_others_are_named() {
        const HTTP: &str =
            "--ready-path /x --priority /x=low --trust-forwarded 2 --client-rate 0 --hang-timeout 9s";
        const ANY: &str = "--hold 3s --front-memory 9MB --ready-timeout 9s --port 1";
        const HTTP_FLAGS: &str = "--ready-path --hang-timeout --priority --trust-forwarded --client-rate";
        // The kind, further options, whether `--listen` is given, and what does nothing.
        let cases = [
            ("--front off --single --no-listen", "--ready-timeout 9s", false, ""),
            ("--front off", "--port 1 --upstream 3000", false, "--port --upstream"),
            ("--front off", HTTP, false, HTTP_FLAGS),
            ("--front off", ANY, false, "--port --hold --front-memory"),
            ("--single", HTTP, true, HTTP_FLAGS),
            ("--single", ANY, true, "--port --hold --front-memory --ready-timeout"),
            ("--front tcp --upstream 3000", HTTP, false, HTTP_FLAGS),
            ("--front tcp --upstream 3000", ANY, false, ""),
            ("--no-listen --single", HTTP, false, HTTP_FLAGS),
            ("--no-listen --single", ANY, false, "--hold --front-memory --ready-timeout"),
            ("--upstream 3000", HTTP, false, ""),
            ("--instances 2", ANY, false, ""),
        ];
        for (kind, options, passes_socket, expected) in cases {
            let words = ["x"].into_iter().chain(kind.split(' ')).chain(options.split(' '));
            let front = <Line as clap::Parser>::parse_from(words).front;
            let found = front.options_without_effect(front.kind(passes_socket).unwrap(), passes_socket);
            let flags: Vec<&str> = found.iter().map(|it| it.flag).collect();
            assert_eq!(flags.join(" "), expected, "{kind} {options} {passes_socket}");
        }
    }

    #[test]
    fn options_that_contradict_each_other_are_refused() {
        let cases = [
            ("--no-listen", true, "--listen passes a socket"),
            ("--no-listen --front off", true, "--listen passes a socket"),
            ("--front http", true, "so there is no front"),
            ("--front tcp", true, "so there is no front"),
            ("--front tcp --no-listen", false, "takes none with --no-listen"),
        ];
        for (line, passes_socket, expected) in cases {
            let front = <Line as clap::Parser>::parse_from(["x"].into_iter().chain(line.split(' '))).front;
            let refused = front.kind(passes_socket).unwrap_err();
            assert!(refused.contains(expected), "{line}: {refused}");
        }
    }

    #[test]
    fn priorities_are_a_pattern_and_a_name() {
        let parsed = parse_priority("/a/{id}=high");
        assert_eq!(parsed, Ok(("/a/{id}".to_owned(), Priority::High)));
        for text in ["/a", "/a=", "/a=urgent", "=low", "a=low"] {
            assert!(parse_priority(text).is_err(), "{text:?}");
        }
    }
}
