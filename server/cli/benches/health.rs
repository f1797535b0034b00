//! Measures the cost of `/health` in the real program: `cargo bench -p heapbeat-cli --bench health [-- --idle SECONDS]`.
//!
//! - the resident memory of the process after its start;
//! - the CPU time of the sampler's thread while the server is idle, by the kernel's count;
//! - the throughput of `/health` and of a constant JSON route of the same process with 32 connections, in turns, so that other load
//!   on the machine affects both; and the server's CPU time per request, which does not depend on the speed of the load generator.
//!
//! With `--before PROGRAM`, the path of an earlier release build, it compares the two instead: memory at start, and both routes in turns.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const CONNECTIONS: usize = 32;
const ROUNDS: usize = 10;
const STARTS: usize = 5;
const ROUND: Duration = Duration::from_secs(1);
const ROUTES: [&str; 2] = ["/health", "/"];
/// Least throughput of `/health`, as a share of that of the constant route.
const GOAL: f64 = 0.95;

type Fallible<T> = Result<T, Box<dyn Error>>;

fn main() -> Fallible<()> {
    let program = env!("CARGO_BIN_EXE_heapbeat");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if let Some(before) = argument_of("--before") {
        return runtime.block_on(compare(&before, program));
    }
    let idle = argument_of("--idle").map(|text| text.parse()).transpose()?.unwrap_or(20);
    runtime.block_on(measure(&Server::start(program)?, Duration::from_secs(idle)))
}

/// Returns the argument after `option`. The other arguments are cargo's.
fn argument_of(option: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != option).nth(1)
}

/// Prints memory at start and throughput of two programs.
async fn compare(before: &str, after: &str) -> Fallible<()> {
    let mut at_start = [Vec::new(), Vec::new()];
    for _ in 0..STARTS {
        for (program, found) in [before, after].into_iter().zip(&mut at_start) {
            let server = Server::start(program)?;
            tokio::time::sleep(Duration::from_secs(2)).await;
            found.push(server.rss_mb()?);
        }
    }
    let [before_mb, after_mb] = at_start.map(median);
    println!(
        "rss at start              before {before_mb:.2} MB, after {after_mb:.2} MB, ratio {:.3}",
        after_mb / before_mb
    );
    let servers = [Server::start(before)?, Server::start(after)?];
    for route in ROUTES {
        let mut rates = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (server, found) in servers.iter().zip(&mut rates) {
                found.push(run_load(server.port, route, ROUND).await? / ROUND.as_secs_f64());
            }
        }
        let ratio = median(rates[0].iter().zip(&rates[1]).map(|(before, after)| after / before).collect());
        let [before, after] = rates.map(median);
        println!("{route:<25} before {before:.0} requests/s, after {after:.0}, ratio {ratio:.3}");
    }
    Ok(())
}

async fn measure(server: &Server, idle: Duration) -> Fallible<()> {
    tokio::time::sleep(Duration::from_secs(2)).await;
    println!("rss at start              {:8.2} MB", server.rss_mb()?);

    let before = server.sampler_cpu()?;
    tokio::time::sleep(idle).await;
    let share = server.sampler_cpu()?.saturating_sub(before).as_secs_f64() / idle.as_secs_f64();
    println!("sampler at 1 Hz           {:8.4} % of a core over {} s", share * 100.0, idle.as_secs());

    run_load(server.port, ROUTES[0], ROUND).await?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let mut round = [Figure::default(); 2];
        for (route, figure) in ROUTES.iter().zip(&mut round) {
            let cpu = server.cpu()?;
            let begun = Instant::now();
            let requests = run_load(server.port, route, ROUND).await?;
            *figure = Figure {
                rate: requests / begun.elapsed().as_secs_f64(),
                cpu: server.cpu()?.saturating_sub(cpu).as_secs_f64() * 1e6 / requests,
            };
        }
        rounds.push(round);
    }
    let median_of = |what: fn(&[Figure; 2]) -> f64| median(rounds.iter().map(what).collect());
    println!(
        "/health                   {:8.0} requests/s, {:.2} us of CPU each",
        median_of(|r| r[0].rate),
        median_of(|r| r[0].cpu)
    );
    println!(
        "constant JSON route       {:8.0} requests/s, {:.2} us of CPU each",
        median_of(|r| r[1].rate),
        median_of(|r| r[1].cpu)
    );
    let ratio = median_of(|r| r[0].rate / r[1].rate);
    println!(
        "/health to constant       {ratio:8.3} by throughput (goal {GOAL}), {:.3} by CPU",
        median_of(|r| r[1].cpu / r[0].cpu)
    );
    println!("rss after the load        {:8.2} MB", server.rss_mb()?);
    if ratio < GOAL {
        return Err(format!("/health reached {ratio:.3} of the constant route, less than {GOAL}").into());
    }
    Ok(())
}

#[derive(Clone, Copy, Default)]
struct Figure {
    /// Requests per second.
    rate: f64,
    /// Microseconds of the server's CPU per request.
    cpu: f64,
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Requests `path` on all connections for `time`, one request at a time on each. Returns the number of responses.
async fn run_load(port: u16, path: &'static str, time: Duration) -> Fallible<f64> {
    let until = Instant::now() + time;
    let mut clients = JoinSet::new();
    for _ in 0..CONNECTIONS {
        clients.spawn(async move { client(port, path, until).await });
    }
    let mut responses = 0;
    while let Some(client) = clients.join_next().await {
        responses += client??;
    }
    Ok(f64::from(responses))
}

async fn client(port: u16, path: &str, until: Instant) -> std::io::Result<u32> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let mut buffer = [0; 4096];
    let mut responses = 0;
    while Instant::now() < until {
        stream.write_all(request.as_bytes()).await?;
        // A response is shorter than a segment and is written at once, so one read must return one complete response.
        let read = stream.read(&mut buffer).await?;
        let complete = buffer[..read].starts_with(b"HTTP/1.1 200") && buffer[..read].ends_with(b"}");
        if !complete {
            return Err(std::io::Error::other(format!(
                "not a complete response: {}",
                buffer[..read].escape_ascii()
            )));
        }
        responses += 1;
    }
    Ok(responses)
}

struct Server {
    /// The process of the supervisor.
    child: Child,
    /// The process that serves, and is measured.
    worker: u32,
    port: u16,
}

impl Server {
    fn start(program: &str) -> Fallible<Self> {
        let mut child = Command::new(program)
            .args(["serve", "--port", "0", "--log-format", "json"])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = child.stderr.take().ok_or("no log")?;
        for line in BufReader::new(log).lines() {
            let event: Value = serde_json::from_str(&line?)?;
            if let Some(port) = event["server.port"].as_u64() {
                let worker = only_child(child.id())?;
                return Ok(Server { child, worker, port: u16::try_from(port)? });
            }
        }
        Err("the server did not start".into())
    }

    fn read_proc(&self, file: &str) -> Fallible<String> {
        Ok(fs::read_to_string(format!("/proc/{}/{file}", self.worker))?)
    }

    fn rss_mb(&self) -> Fallible<f64> {
        let status = self.read_proc("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
    }

    /// Returns the CPU time of all threads.
    fn cpu(&self) -> Fallible<Duration> {
        self.tasks()?.iter().map(|task| read_cpu_time(task)).sum()
    }

    /// Returns the CPU time of the sampler's thread.
    fn sampler_cpu(&self) -> Fallible<Duration> {
        for task in self.tasks()? {
            if fs::read_to_string(format!("{task}/comm"))?.starts_with("heapbeat-sample") {
                return read_cpu_time(&task);
            }
        }
        Err("the sampler's thread was not found".into())
    }

    fn tasks(&self) -> Fallible<Vec<String>> {
        let directory = format!("/proc/{}/task", self.worker);
        fs::read_dir(&directory)?.map(|entry| Ok(entry?.path().display().to_string())).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the id of the child process of `parent`.
fn only_child(parent: u32) -> Fallible<u32> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))?;
    Ok(children.split_whitespace().next().ok_or("the supervisor has no worker")?.parse()?)
}

/// Reads the CPU time of a thread, the first figure of `schedstat` in nanoseconds.
fn read_cpu_time(task: &str) -> Fallible<Duration> {
    let text = fs::read_to_string(format!("{task}/schedstat"))?;
    let nanoseconds = text.split(' ').next().ok_or("no schedstat")?.parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}
