//! Runs the real program and sends requests to it over real sockets.
//!
//! The server listens on a port that the system chooses and reads it from the log, so tests never race for a port. Tests wait for
//! conditions, up to a deadline that a slow machine does not reach.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

pub mod load;
pub mod openmetrics;
pub mod owner;
pub mod pprof;
pub mod privileged;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Deadline of a condition, much longer than it takes on a slow machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A running `heapbeat serve --demo`; killed when dropped.
pub struct Server {
    child: Child,
    /// The port that it listens on.
    pub port: u16,
    /// Whether the process is a supervisor whose child serves.
    guarded: bool,
    /// Open sockets of the server without clients.
    own_sockets: usize,
    log: Arc<Mutex<Vec<Value>>>,
}

/// A response.
#[derive(Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, without its framing.
    pub body: Vec<u8>,
}

/// Path of the program under test: `HEAPBEAT_BIN`, or the program that cargo built for this test, which is in the directory above that
/// of the test.
pub fn binary() -> String {
    std::env::var("HEAPBEAT_BIN").unwrap_or_else(|_| {
        let test = std::env::current_exe().unwrap();
        let built = test.ancestors().nth(2).unwrap().join("heapbeat");
        built.to_str().unwrap().to_owned()
    })
}

/// The program with an environment of `variables` only.
pub fn heapbeat(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    command(&binary(), arguments, variables)
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
        Self::start_by(&[], variables)
    }

    /// Starts a server through another program, which gets the command as its last arguments.
    pub fn start_by(starter: &[&str], variables: &[(&str, &str)]) -> Self {
        let binary = binary();
        let whole: Vec<&str> =
            starter.iter().copied().chain([&*binary, "serve", "--demo", "--port", "0"]).collect();
        Self::up(command(whole[0], &whole[1..], variables))
    }

    /// Runs a command, and waits until it logs its port; with several ports, that of `/health`.
    pub fn up(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (listening, port) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let kept = Arc::clone(&log);
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let Ok(event) = serde_json::from_str::<Value>(&line) else { continue };
                if let Some(port) = event["server.port"].as_u64() {
                    let _ = listening.send(u16::try_from(port).unwrap());
                }
                kept.lock().unwrap().push(event);
            }
        });
        match port.recv_timeout(PATIENCE).ok() {
            Some(port) => {
                // Whoever listens is there: its parent, or the process itself.
                let worker = newest_child(child.id());
                let own_sockets = sockets(worker.unwrap_or(child.id()));
                Server { child, port, guarded: worker.is_some(), own_sockets, log }
            }
            None => panic!("the server did not come up: {:?} {:?}", child.wait(), log.lock().unwrap()),
        }
    }

    /// Id of the started process: the supervisor, if there is one.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Id of the process that serves: the supervisor's newest child, or the started process. Waits for a child if there is none.
    pub fn worker(&self) -> u32 {
        if !self.guarded {
            return self.pid();
        }
        until("a worker", || newest_child(self.pid()))
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), self.port)
    }

    /// Opens a connection to it.
    pub fn connect(&self) -> TcpStream {
        connect(self.address())
    }

    /// Sends a GET on a connection of its own.
    pub fn get(&self, path: &str) -> Reply {
        self.ask("GET", path)
    }

    /// Sends a request without a body on a connection of its own.
    pub fn ask(&self, method: &str, path: &str) -> Reply {
        let request = format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        ask(self.connect(), method, request.as_bytes())
    }

    /// The parsed body of `/health`.
    pub fn health(&self) -> Value {
        serde_json::from_slice(&self.get("/health").body).unwrap()
    }

    /// Sends a signal to the process that was started.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Exits logged so far, as `kind`, or `probably kind`, oldest first.
    pub fn exits(&self) -> Vec<String> {
        let log = self.log.lock().unwrap();
        let told = log.iter().filter_map(|event| Some((event["heapbeat.exit.kind"].as_str()?, event)));
        told.map(|(kind, event)| {
            let sure = event["heapbeat.exit.sure"] == true || kind == "unknown";
            if sure { kind.to_owned() } else { format!("probably {kind}") }
        })
        .collect()
    }

    /// Waits for the `n`th exit, and returns its line in the log.
    pub fn exit(&self, n: usize) -> Value {
        until("an exit", || {
            let log = self.log.lock().unwrap();
            log.iter().filter(|event| event["heapbeat.exit.kind"].is_string()).nth(n).cloned()
        })
    }

    /// Kills supervisor and worker at the same time, as a container runtime does.
    pub fn kill_whole(&mut self) {
        let worker = self.worker();
        signal(worker, "STOP");
        self.signal("KILL");
        self.wait();
        signal(worker, "KILL");
        until("the worker to end", || (!lives(worker)).then_some(()));
    }

    /// Waits for the exit of the started process.
    pub fn wait(&mut self) -> ExitStatus {
        until("the server to end", || self.child.try_wait().unwrap())
    }

    /// Whether the process that was started is still there.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Asks for a fresh worker until one is started. A single signal could come too early: a supervisor learns a moment after
    /// everybody else that its worker is ready.
    pub fn recycle(&self) {
        let counts = || ["starting a fresh worker", "is still starting"].map(|text| self.logged(text).len());
        until("a fresh worker", || {
            let before = counts();
            self.signal("USR2");
            until("an answer", || (counts() != before).then_some(()));
            (counts()[0] > before[0]).then_some(())
        });
    }

    /// Events logged so far whose message contains `text`.
    pub fn logged(&self, text: &str) -> Vec<Value> {
        let log = self.log.lock().unwrap();
        log.iter()
            .filter(|event| event["message"].as_str().is_some_and(|m| m.contains(text)))
            .cloned()
            .collect()
    }

    /// Waits for an event whose message contains `text`. A response over a socket may arrive before its log line.
    pub fn said(&self, text: &str) -> Value {
        until(text, || self.logged(text).pop())
    }

    /// Number of open connections of clients.
    pub fn clients(&self) -> usize {
        sockets(self.worker()) - self.own_sockets
    }

    /// A line of the worker's `/proc/<pid>/status`, in bytes.
    pub fn kernel(&self, key: &str) -> u64 {
        // A worker may have ended a moment ago; then there is another, or will be.
        until("a worker", || {
            let status = std::fs::read_to_string(format!("/proc/{}/status", self.worker())).ok()?;
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

impl Reply {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// Opens a connection whose reads and writes time out after [`PATIENCE`].
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends a request and reads its response.
pub fn ask(mut stream: TcpStream, method: &str, request: &[u8]) -> Reply {
    stream.write_all(request).unwrap();
    reply(&mut BufReader::new(stream), method).unwrap()
}

/// Reads a response: its head, and its body by the content length. `None` if the connection ends before a response.
pub fn reply(stream: &mut impl BufRead, method: &str) -> Option<Reply> {
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
    let mut reply = Reply { status, headers, body: Vec::new() };
    let length: u64 = reply.header("content-length").map_or(0, |length| length.parse().unwrap());
    if method != "HEAD" {
        stream.take(length).read_to_end(&mut reply.body).unwrap();
        assert_eq!(reply.body.len() as u64, length, "the answer broke off");
    }
    Some(reply)
}

/// Polls `question` until it returns a value. Panics after [`PATIENCE`].
pub fn until<T>(what: &str, question: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, question).unwrap_or_else(|| panic!("waited {PATIENCE:?} in vain for {what}"))
}

/// Polls `question` for at most `time`.
pub fn within<T>(time: Duration, mut question: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + time;
    loop {
        if let Some(answer) = question() {
            return Some(answer);
        }
        if Instant::now() >= deadline {
            return None;
        }
        pause();
    }
}

/// Waits between two polls; no test depends on the duration.
#[expect(clippy::disallowed_methods, reason = "a poll that does not spin")]
fn pause() {
    thread::sleep(Duration::from_millis(10));
}

/// Sends a signal with the program `kill`.
pub fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args(["-s", name, &pid.to_string()]).status().unwrap();
    assert!(status.success());
}

/// Whether a process runs, and is not a zombie.
pub fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Ids of the child processes of `pid`.
pub fn children(pid: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap();
    let names = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    names.filter(|child| parent(*child) == Some(pid)).collect()
}

/// The child that started last, by its start time: process ids wrap around.
fn newest_child(pid: u32) -> Option<u32> {
    children(pid).into_iter().max_by_key(|child| stat(*child, 22))
}

fn parent(pid: u32) -> Option<u32> {
    u32::try_from(stat(pid, 4)?).ok()
}

/// A field of `/proc/<pid>/stat`, numbered as in proc(5); the second is a name in parentheses.
fn stat(pid: u32, field: usize) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(field - 3)?.parse().ok()
}

/// CPU time of a process without its children, in seconds.
pub fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / rustix::param::clock_ticks_per_second() as f64
}

/// Number of open sockets of a process.
fn sockets(pid: u32) -> usize {
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let targets = descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}
