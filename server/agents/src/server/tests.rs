use super::*;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;

const HELLO: &[u8] = b"{\"hello\":{\"runtime\":\"node\",\"version\":\"22.1.0\",\"pid\":7}}\n";

struct Fixture {
    server: AgentServer,
    now: Instant,
    _directory: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = AgentServer::bind(&directory.path().join("agents")).unwrap();
        Fixture { server, now: Instant::now(), _directory: directory }
    }

    fn connect(&mut self, sent: &[u8]) -> UnixStream {
        let mut stream = UnixStream::connect(self.server.path()).unwrap();
        stream.write_all(sent).unwrap();
        stream
    }

    fn serve(&mut self) -> Vec<AgentEventKind> {
        self.server.serve(self.now).into_iter().map(|event| event.kind).collect()
    }
}

#[test]
fn the_socket_is_in_a_private_directory_that_is_removed_with_it() {
    let fixture = Fixture::new();
    let directory = fixture.server.path().parent().unwrap().to_owned();
    assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
    drop(fixture);
    assert!(!directory.exists());
}

#[test]
fn the_process_id_comes_from_the_credentials() {
    let mut fixture = Fixture::new();
    let _agent = fixture.connect(HELLO);
    let events = fixture.server.serve(fixture.now);
    assert_eq!(events[0].pid, std::process::id());
    assert!(matches!(&events[0].kind, AgentEventKind::Connected(hello) if hello.runtime == "node"));
}

#[test]
fn lines_may_arrive_in_pieces() {
    let mut fixture = Fixture::new();
    let mut agent = fixture.connect(&HELLO[..20]);
    assert_eq!(fixture.serve(), []);
    agent.write_all(&HELLO[20..]).unwrap();
    agent.write_all(b"{\"sample\":{\"at\":1,\"heap_used\":2}}\n{\"samp").unwrap();
    let events = fixture.serve();
    assert!(matches!(&events[..], [AgentEventKind::Connected(_), AgentEventKind::Sample(_)]), "{events:?}");
}

#[test]
fn requests_reach_the_agent_and_answers_come_back() {
    let mut fixture = Fixture::new();
    let mut agent = fixture.connect(HELLO);
    assert!(!fixture.server.request_purge(std::process::id()), "not connected yet");
    fixture.serve();
    assert!(fixture.server.request_purge(std::process::id()));
    let mut request = [0; 13];
    agent.read_exact(&mut request).unwrap();
    assert_eq!(&request, b"{\"purge\":{}}\n");
    agent.write_all(b"{\"purge\":{\"freed\":5,\"ms\":2}}\n").unwrap();
    let events = fixture.serve();
    assert!(matches!(&events[..], [AgentEventKind::Purged(answer)] if answer.freed == 5), "{events:?}");
}

#[test]
fn connections_that_break_the_protocol_are_closed() {
    let long = vec![b'x'; (64 << 10) + 1];
    let sample = b"{\"sample\":{\"at\":1}}\n";
    let flood = [HELLO.to_vec(), sample.repeat(300)].concat();
    let nested = [HELLO.to_vec(), b"{\"sample\":".repeat(500), b"\n".to_vec()].concat();
    let cases: [(&str, &[u8]); 6] = [
        ("garbage", b"\xff\xfe\x00garbage\n"),
        ("a long line", &long),
        ("no hello", sample),
        ("a flood", &flood),
        ("deep nesting", &nested),
        ("a wrong type", b"{\"hello\":3}\n"),
    ];
    for (case, sent) in cases {
        let mut fixture = Fixture::new();
        let _agent = fixture.connect(sent);
        fixture.serve();
        assert_eq!(fixture.server.connections.len(), 0, "{case}");
    }
}

#[test]
fn a_long_line_is_accepted_while_a_profile_is_expected() {
    let mut fixture = Fixture::new();
    let mut agent = fixture.connect(HELLO);
    fixture.serve();
    fixture.server.request_profile(std::process::id(), 1);
    let name = "f".repeat(100_000);
    let line = format!("{{\"profile\":{{\"frames\":[[\"{name}\",\"\",1]],\"stacks\":[]}}}}\n");
    agent.write_all(line.as_bytes()).unwrap();
    let events = fixture.serve();
    assert!(matches!(&events[..], [AgentEventKind::Profile(_)]), "{events:?}");
    agent.write_all(line.as_bytes()).unwrap();
    assert_eq!(
        fixture.serve(),
        [AgentEventKind::Disconnected],
        "a profile that nobody requested is too long"
    );
}

#[test]
fn a_silent_connection_is_closed_after_its_time() {
    let mut fixture = Fixture::new();
    let _silent = fixture.connect(b"");
    fixture.serve();
    assert_eq!(fixture.server.deadline(), Some(fixture.now + Duration::from_secs(5)));
    fixture.now += Duration::from_secs(5);
    assert_eq!(fixture.serve(), []);
    assert_eq!(fixture.server.connections.len(), 0);
}

#[test]
fn further_connections_wait_while_there_is_no_room() {
    let mut fixture = Fixture::new();
    fixture.server.per_process = usize::MAX;
    let mut agents = Vec::new();
    for _ in 0..MAX_CONNECTIONS + 10 {
        agents.push(fixture.connect(b""));
        fixture.serve();
    }
    assert_eq!(fixture.server.connections.len(), MAX_CONNECTIONS);
    assert_eq!(fixture.server.sockets().count(), MAX_CONNECTIONS, "the listener is not polled");
    agents.drain(..10);
    fixture.serve();
    fixture.serve();
    assert_eq!(fixture.server.connections.len(), MAX_CONNECTIONS);
}

#[test]
fn an_agent_that_leaves_is_reported_once() {
    let mut fixture = Fixture::new();
    drop(fixture.connect(HELLO));
    let events = fixture.serve();
    assert!(
        matches!(&events[..], [AgentEventKind::Connected(_), AgentEventKind::Disconnected]),
        "{events:?}"
    );
    assert_eq!(fixture.serve(), []);
}

#[test]
fn a_path_that_is_too_long_is_an_error_with_the_path() {
    let directory = tempfile::tempdir().unwrap();
    let error = AgentServer::bind(&directory.path().join("x".repeat(120))).unwrap_err();
    assert!(error.to_string().contains("cannot listen on the agents' socket"), "{error}");
}

#[test]
fn one_process_has_few_connections() {
    let mut fixture = Fixture::new();
    let mut agents: Vec<UnixStream> = (0..20).map(|_| fixture.connect(HELLO)).collect();
    fixture.serve();
    assert_eq!(fixture.server.connections.len(), MAX_PER_PROCESS);
    agents.clear();
    fixture.serve();
    let _next = fixture.connect(HELLO);
    fixture.serve();
    assert_eq!(fixture.server.connections.len(), 1);
}

#[test]
fn a_process_that_breaks_the_protocol_comes_back_later() {
    let mut fixture = Fixture::new();
    let _broken = fixture.connect(b"garbage\n");
    fixture.serve();
    let mut again = fixture.connect(HELLO);
    assert_eq!(fixture.serve(), []);
    assert!(matches!(again.read(&mut [0]), Ok(0) | Err(_)), "refused");
    fixture.now += BAN;
    let _later = fixture.connect(HELLO);
    assert!(matches!(&fixture.serve()[..], [AgentEventKind::Connected(_)]));
}

#[test]
fn what_one_call_reads_is_bounded_and_every_agent_has_its_turn() {
    let mut fixture = Fixture::new();
    fixture.server.per_process = usize::MAX;
    let line = format!("{{\"sample\":{{}},\"waste\":\"{}\"}}\n", "x".repeat(50_000));
    let mut agents = Vec::new();
    for _ in 0..12 {
        let mut agent = fixture.connect(HELLO);
        agent.set_nonblocking(true).unwrap();
        // As much as fits into the socket.
        while agent.write(line.as_bytes()).is_ok_and(|written| written == line.len()) {}
        agents.push(agent);
    }
    let mut served = std::collections::BTreeSet::new();
    for _ in 0..12 * MAX_BYTES_OF_ONE / MAX_BYTES {
        let before: usize = fixture.server.serve(fixture.now).len();
        assert!(before <= 12 + MAX_BYTES / 50_000, "{before} events in one call");
        served.extend(
            fixture
                .server
                .connections
                .iter()
                .filter(|it| it.hello.is_some())
                .map(|it| it.as_fd().as_raw_fd()),
        );
    }
    assert_eq!(served.len(), 12);
}

#[test]
fn bytes_are_limited_as_messages_are() {
    let mut fixture = Fixture::new();
    let mut agent = fixture.connect(HELLO);
    let line = format!("{{\"waste\":\"{}\"}}\n", "x".repeat(60_000));
    let mut closed_after = None;
    for number in 0..20 {
        if agent.write_all(line.as_bytes()).is_err() {
            break;
        }
        for _ in 0..3 {
            fixture.serve();
        }
        if fixture.server.connections.is_empty() {
            closed_after = Some(number);
            break;
        }
    }
    assert_eq!(closed_after, Some(4), "256 kB at once");
}
