//! Runs the real program and sends requests to it over real sockets.
//!
//! The server listens on a port that the system chooses and reads it from the log, so tests never race for a port. Tests wait for
//! conditions, up to a deadline that a slow machine does not reach.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

pub mod guarded_node;
pub mod load;
pub mod openmetrics;
pub mod owner;
pub mod pprof;
pub mod privileged;
pub mod programs;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Deadline of a condition, much longer than it takes on a slow machine.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// A running `heapbeat serve --demo`. Dropping it kills the process.
pub struct Server {
    child: Child,
    /// The port that it listens on.
    pub port: u16,
    /// Whether the process is a supervisor, whose child process serves.
    supervised: bool,
    /// Number of sockets that the server has open before any client connects.
    own_sockets: usize,
    log: Arc<Mutex<Vec<Value>>>,
}

/// An HTTP response.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names, in lower case, and values of the headers.
    pub headers: Vec<(String, String)>,
    /// The body, without its framing.
    pub body: Vec<u8>,
}

/// Returns the path of the program under test: `HEAPBEAT_BIN`, or the program that cargo built for this test, which is in the
/// directory above that of the test.
pub fn binary_path() -> String {
    std::env::var("HEAPBEAT_BIN").unwrap_or_else(|_| {
        let test = std::env::current_exe().unwrap();
        let built = test.ancestors().nth(2).unwrap().join("heapbeat");
        built.to_str().unwrap().to_owned()
    })
}

/// Returns a command that runs the program with an environment of only `variables`.
pub fn heapbeat_command(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    command(&binary_path(), arguments, variables)
}

fn command(program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(variables.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Server {
    /// Starts a server with these variables, and waits until it listens.
    pub fn start(variables: &[(&str, &str)]) -> Self {
        Self::start_through(&[], variables)
    }

    /// Starts a server through another program, such as `sh` or `unshare`, which gets the command line as its last arguments.
    pub fn start_through(starter: &[&str], variables: &[(&str, &str)]) -> Self {
        let binary = binary_path();
        let arguments: Vec<&str> =
            starter.iter().copied().chain([&*binary, "serve", "--demo", "--port", "0"]).collect();
        Self::spawn(command(arguments[0], &arguments[1..], variables))
    }

    /// Runs a command, and waits until it logs its port. If it logs several ports, the port of `/health` comes first.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (listening, port) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let events = Arc::clone(&log);
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let Ok(event) = serde_json::from_str::<Value>(&line) else { continue };
                if let Some(port) = event["server.port"].as_u64() {
                    let _ = listening.send(u16::try_from(port).unwrap());
                }
                events.lock().unwrap().push(event);
            }
        });
        match port.recv_timeout(DEADLINE).ok() {
            Some(port) => {
                // The process that listens has started by now: a child, or the process itself.
                let worker = newest_child_pid(child.id());
                let own_sockets = count_sockets(worker.unwrap_or(child.id()));
                Server { child, port, supervised: worker.is_some(), own_sockets, log }
            }
            None => panic!("the server did not start: {:?} {:?}", child.wait(), log.lock().unwrap()),
        }
    }

    /// Returns the id of the started process: the supervisor, if there is one.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the id of the process that serves: the supervisor's newest child, or the started process. Waits if there is no child.
    pub fn worker_pid(&self) -> u32 {
        if !self.supervised {
            return self.pid();
        }
        wait_for("a worker", || newest_child_pid(self.pid()))
    }

    /// Returns the address that the server listens on.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), self.port)
    }

    /// Opens a connection to the server.
    pub fn connect(&self) -> TcpStream {
        connect(self.address())
    }

    /// Sends a GET on a connection of its own.
    pub fn get(&self, path: &str) -> Response {
        self.request("GET", path)
    }

    /// Sends a request without a body on a connection of its own.
    pub fn request(&self, method: &str, path: &str) -> Response {
        let request = format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        send_request(self.connect(), method, request.as_bytes())
    }

    /// Requests `/health` and parses its body.
    pub fn health(&self) -> Value {
        serde_json::from_slice(&self.get("/health").body).unwrap()
    }

    /// Sends a signal to the process that was started.
    pub fn send_signal(&self, name: &str) {
        send_signal(self.pid(), name);
    }

    /// Returns the exits logged so far, oldest first, as `kind`, or `probably kind` if the kind is not certain.
    pub fn exit_kinds(&self) -> Vec<String> {
        let log = self.log.lock().unwrap();
        let exits = log.iter().filter_map(|event| Some((event["heapbeat.exit.kind"].as_str()?, event)));
        exits
            .map(|(kind, event)| {
                let sure = event["heapbeat.exit.sure"] == true || kind == "unknown";
                if sure { kind.to_owned() } else { format!("probably {kind}") }
            })
            .collect()
    }

    /// Waits for the `n`th exit, counted from 0, and returns its event in the log.
    pub fn wait_for_exit(&self, n: usize) -> Value {
        wait_for("an exit", || {
            let log = self.log.lock().unwrap();
            log.iter().filter(|event| event["heapbeat.exit.kind"].is_string()).nth(n).cloned()
        })
    }

    /// Kills the supervisor and its worker at the same time, as a container runtime does.
    pub fn kill_all(&mut self) {
        let worker = self.worker_pid();
        send_signal(worker, "STOP");
        self.send_signal("KILL");
        self.wait();
        send_signal(worker, "KILL");
        wait_for("the worker to exit", || (!is_alive(worker)).then_some(()));
    }

    /// Waits until the started process exits.
    pub fn wait(&mut self) -> ExitStatus {
        wait_for("the server to exit", || self.child.try_wait().unwrap())
    }

    /// Returns whether the started process is still running.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Requests a recycle until a replacement worker is started. One signal may be too early, as the supervisor learns that its worker is
    /// ready a moment after clients do.
    pub fn recycle(&self) {
        let counts =
            || ["starting a replacement worker", "is still starting"].map(|text| self.log_events(text).len());
        wait_for("a replacement worker", || {
            let before = counts();
            self.send_signal("USR2");
            wait_for("a reaction to the signal", || (counts() != before).then_some(()));
            (counts()[0] > before[0]).then_some(())
        });
    }

    /// Returns the events logged so far whose message contains `text`.
    pub fn log_events(&self, text: &str) -> Vec<Value> {
        let log = self.log.lock().unwrap();
        log.iter()
            .filter(|event| event["message"].as_str().is_some_and(|m| m.contains(text)))
            .cloned()
            .collect()
    }

    /// Waits for an event whose message contains `text`, and returns the latest. A response may arrive before its log line.
    pub fn wait_for_log(&self, text: &str) -> Value {
        wait_for(text, || self.log_events(text).pop())
    }

    /// Returns the number of open connections of clients.
    pub fn client_connections(&self) -> usize {
        count_sockets(self.worker_pid()) - self.own_sockets
    }

    /// Returns a value of the worker's `/proc/<pid>/status`, such as `VmRSS`, in bytes.
    pub fn proc_status(&self, key: &str) -> u64 {
        // If the worker has just exited, another one follows.
        wait_for("a worker", || {
            let status = std::fs::read_to_string(format!("/proc/{}/status", self.worker_pid())).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
            Some(line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024)
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = self.log.lock().map(|log| log.clone()).unwrap_or_default();
            for event in log {
                eprintln!("{} {} {}", event["timestamp"], event["level"], event["message"]);
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Response {
    /// Returns the value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns the body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// Opens a connection whose reads and writes time out after [`DEADLINE`].
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// Sends a request and reads its response.
pub fn send_request(mut stream: TcpStream, method: &str, request: &[u8]) -> Response {
    stream.write_all(request).unwrap();
    read_response(&mut BufReader::new(stream), method).unwrap()
}

/// Reads a response: its head, and as much body as `content-length` gives. Returns `None` if the connection is closed before a
/// response.
pub fn read_response(stream: &mut impl BufRead, method: &str) -> Option<Response> {
    let mut line = String::new();
    if !matches!(stream.read_line(&mut line), Ok(read) if read > 0) {
        return None;
    }
    let status = line.split(' ').nth(1).unwrap().parse().unwrap();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let mut response = Response { status, headers, body: Vec::new() };
    let length: u64 = response.header("content-length").map_or(0, |length| length.parse().unwrap());
    if method != "HEAD" {
        stream.take(length).read_to_end(&mut response.body).unwrap();
        assert_eq!(response.body.len() as u64, length, "the body ended early");
    }
    Some(response)
}

/// Polls `condition` until it returns a value. Panics after [`DEADLINE`] with a message that contains `awaited`.
pub fn wait_for<T>(awaited: &str, condition: impl FnMut() -> Option<T>) -> T {
    poll_for(DEADLINE, condition)
        .unwrap_or_else(|| panic!("timed out after {DEADLINE:?} waiting for {awaited}"))
}

/// Polls `condition` until it returns a value, for at most `time`.
pub fn poll_for<T>(time: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + time;
    loop {
        if let Some(value) = condition() {
            return Some(value);
        }
        if Instant::now() >= deadline {
            return None;
        }
        pause();
    }
}

/// Waits between two polls. No test depends on the duration.
#[expect(clippy::disallowed_methods, reason = "a poll must not spin")]
fn pause() {
    thread::sleep(Duration::from_millis(10));
}

/// Sends a signal with the program `kill`.
pub fn send_signal(pid: u32, name: &str) {
    let status = Command::new("kill").args(["-s", name, &pid.to_string()]).status().unwrap();
    assert!(status.success());
}

/// Returns whether a process exists and is not a zombie.
pub fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Returns the ids of the child processes of `pid`, without the watchdog of `heapbeat run`.
pub fn child_pids(pid: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap();
    let names = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let is_watchdog = |child: &u32| {
        let line = std::fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).nth(1) == Some(b"__watchdog")
    };
    names.filter(|child| parent_pid(*child) == Some(pid) && !is_watchdog(child)).collect()
}

/// Returns the child process that started last, by its start time, as process ids wrap around.
fn newest_child_pid(pid: u32) -> Option<u32> {
    child_pids(pid).into_iter().max_by_key(|child| stat(*child, 22))
}

fn parent_pid(pid: u32) -> Option<u32> {
    u32::try_from(stat(pid, 4)?).ok()
}

/// Returns a field of `/proc/<pid>/stat`, numbered as in proc(5). The second field is a name in parentheses.
fn stat(pid: u32, field: usize) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(field - 3)?.parse().ok()
}

/// Returns the CPU time of a process without its children, in seconds.
pub fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / rustix::param::clock_ticks_per_second() as f64
}

/// Returns the number of open sockets of a process.
fn count_sockets(pid: u32) -> usize {
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let targets = descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}
