//! A scripted program and a scripted client, which speak raw bytes.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use heapbeat_front::{
    Front, FrontConfig, FrontHandle, NoOperatorRoutes, OperatorRoutes, Upstream, UpstreamAddress,
};
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Longest wait for anything; a test that needs it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Completes with the output of `future`, or panics after a while.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} took longer than {PATIENCE:?}"))
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    soon(what, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// Returns a listener on a free port, with the queue that heapbeat's own listeners have.
fn listen() -> TcpListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(1024).unwrap();
    socket.into()
}

/// A front on a free port.
pub(crate) struct TestFront {
    front: Front,
    pub(crate) handle: FrontHandle,
    pub(crate) address: SocketAddr,
}

impl TestFront {
    pub(crate) fn start(config: FrontConfig) -> Self {
        Self::with_routes(config, Arc::new(NoOperatorRoutes))
    }

    pub(crate) fn with_routes(config: FrontConfig, routes: Arc<dyn OperatorRoutes>) -> Self {
        let listener = listen();
        let address = listener.local_addr().unwrap();
        let front = Front::start(config, vec![listener], routes).unwrap();
        TestFront { handle: front.handle(), front, address }
    }

    /// Starts a front with a program behind it.
    pub(crate) fn before(program: &Program) -> Self {
        let front = Self::start(FrontConfig::default());
        front.handle.activate(program.upstream(1));
        front
    }

    pub(crate) async fn connect(&self) -> Peer {
        Peer::new(TcpStream::connect(self.address).await.unwrap())
    }

    /// Sends a request on a connection of its own, and returns the response.
    pub(crate) async fn request(&self, request: &str) -> Message {
        let mut client = self.connect().await;
        client.send(request).await;
        client.response().await.unwrap_or_else(|| panic!("no response to {request:?}"))
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.front.is_stopped()
    }
}

/// A program on a runtime of its own, so that killing it closes all its sockets at once, as the kernel does.
pub(crate) struct Program {
    pub(crate) address: UpstreamAddress,
    pub(crate) accepted: Arc<AtomicUsize>,
    kill: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Program {
    /// Starts a program that handles each connection with `handle`.
    pub(crate) fn start<H, F>(handle: H) -> Self
    where
        H: Fn(Peer) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = listen();
        listener.set_nonblocking(true).unwrap();
        let address = UpstreamAddress::Tcp(listener.local_addr().unwrap());
        Self::run(address, move |accepted| async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                accepted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(handle(Peer::new(stream)));
            }
        })
    }

    /// Starts a program on a Unix socket.
    pub(crate) fn start_unix<H, F>(path: &Path, handle: H) -> Self
    where
        H: Fn(Peer) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = std::os::unix::net::UnixListener::bind(path).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self::run(UpstreamAddress::Unix(path.to_owned()), move |accepted| async move {
            let listener = tokio::net::UnixListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                accepted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(handle(Peer::new(stream)));
            }
        })
    }

    /// Starts a program that answers every request with `respond`.
    pub(crate) fn answering(respond: impl Fn(&Message) -> String + Send + Sync + 'static) -> Self {
        let respond = Arc::new(respond);
        Self::start(move |mut peer| {
            let respond = Arc::clone(&respond);
            async move {
                while let Some(request) = peer.request().await {
                    if !peer.try_send(respond(&request).as_bytes()).await {
                        return;
                    }
                }
            }
        })
    }

    /// Starts a program that answers every request with its own text.
    pub(crate) fn named(name: &'static str) -> Self {
        Self::answering(move |_| ok(name))
    }

    fn run<S, F>(address: UpstreamAddress, serve: S) -> Self
    where
        S: FnOnce(Arc<AtomicUsize>) -> F + Send + 'static,
        F: Future<Output = ()> + 'static,
    {
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let (kill, killed) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = serve(count) => {}
                    _ = killed => {}
                }
            });
        });
        Program { address, accepted, kill: Some(kill), thread: Some(thread) }
    }

    pub(crate) fn upstream(&self, id: u64) -> Upstream {
        Upstream { id, address: self.address.clone() }
    }

    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Closes all sockets at once.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.kill.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end();
    }
}

/// Returns a response of 200 with a text.
pub(crate) fn ok(text: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len())
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// One side of a connection.
pub(crate) struct Peer {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
}

/// A request or response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// The request or status line.
    pub(crate) start: String,
    /// Headers, with names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
}

impl Message {
    pub(crate) fn status(&self) -> u16 {
        self.start.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Peer {
    pub(crate) fn new(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        Peer { stream: Box::new(stream), buffer: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        assert!(self.try_send(bytes.as_ref()).await, "the other side does not read");
    }

    /// Sends bytes; false if the other side has gone.
    pub(crate) async fn try_send(&mut self, bytes: &[u8]) -> bool {
        soon("a write", self.stream.write_all(bytes)).await.is_ok()
    }

    /// Ends the direction to the other side.
    pub(crate) async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Reads more; false at the end or after an error.
    async fn fill(&mut self) -> bool {
        self.buffer.reserve(16 << 10);
        matches!(soon("a read", self.stream.read_buf(&mut self.buffer)).await, Ok(1..))
    }

    /// Reads this many bytes; `None` if the connection ends before.
    pub(crate) async fn exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < length {
            if !self.fill().await {
                return None;
            }
        }
        Some(self.buffer.drain(..length).collect())
    }

    /// Reads until a text, which is included.
    pub(crate) async fn through(&mut self, end: &str) -> Option<String> {
        loop {
            if let Some(at) = self.buffer.windows(end.len()).position(|window| window == end.as_bytes()) {
                let taken: Vec<u8> = self.buffer.drain(..at + end.len()).collect();
                // Headers are bytes; each is one character here.
                return Some(taken.into_iter().map(char::from).collect());
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// Reads until the end of the connection.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.fill().await {}
        std::mem::take(&mut self.buffer)
    }

    /// Reads a head.
    pub(crate) async fn head(&mut self) -> Option<Message> {
        let text = self.through("\r\n\r\n").await?;
        let mut lines = text.trim_end().split("\r\n");
        let start = lines.next()?.to_owned();
        Some(Message { start, headers: lines.map(field).collect(), ..Message::default() })
    }

    /// Reads a request.
    pub(crate) async fn request(&mut self) -> Option<Message> {
        let head = self.head().await?;
        self.body(head, false).await
    }

    /// Reads the response to a request other than HEAD.
    pub(crate) async fn response(&mut self) -> Option<Message> {
        loop {
            let head = self.head().await?;
            if head.status() != 100 {
                let empty = matches!(head.status(), 101 | 204 | 304);
                return if empty { Some(head) } else { self.body(head, true).await };
            }
        }
    }

    /// Reads a body; without a length, that of a response goes until the end of the connection.
    async fn body(&mut self, mut message: Message, response: bool) -> Option<Message> {
        if let Some(length) = message.header("content-length") {
            message.body = self.exactly(length.parse().unwrap()).await?;
        } else if message.header("transfer-encoding").is_some() {
            loop {
                let size = self.through("\r\n").await?;
                let size = usize::from_str_radix(size.trim(), 16).unwrap();
                if size == 0 {
                    break;
                }
                message.body.extend(self.exactly(size).await?);
                assert_eq!(self.exactly(2).await?, b"\r\n");
            }
            loop {
                let line = self.through("\r\n").await?;
                if line == "\r\n" {
                    break;
                }
                message.trailers.push(field(line.trim_end()));
            }
        } else if response {
            message.body = self.rest().await;
        }
        Some(message)
    }
}

fn field(line: &str) -> (String, String) {
    let (name, value) = line.split_once(':').unwrap_or((line, ""));
    (name.to_ascii_lowercase(), value.trim().to_owned())
}
