//! `heapbeat doctor` asks a server that attacks it: nothing is read without a bound, nothing that is signed goes elsewhere, and no terminal obeys it.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;

use heapbeat_test_support::heapbeat_command;

/// The most that a hostile server sends, in bytes: more than each bound.
const MAX_SENT: usize = 64 << 20;

/// A server that answers every request with the same bytes, and then repeats others until the client has enough.
struct Server {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(answer: &str, repeated: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (answer, kept) = (answer.to_owned(), Arc::clone(&requests));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                kept.lock().unwrap().push(head.join("\n"));
                let mut sent = stream.write_all(answer.as_bytes()).is_ok();
                let mut left = if repeated.is_empty() { 0 } else { MAX_SENT / repeated.len() };
                while sent && left > 0 {
                    sent = stream.write_all(repeated).is_ok();
                    left -= 1;
                }
                let _ = stream.shutdown(Shutdown::Both);
            }
        });
        Server { address, requests }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// What `heapbeat doctor` prints of a server and of an edge at this address.
fn examine(server: &Server) -> String {
    let arguments = ["doctor", "--url", &server.address, "--edge", &server.address];
    let secret = [("HEAPBEAT_SECRET", "0123456789abcdef0123456789abcdef")];
    let output = heapbeat_command(&arguments, &secret).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_response_without_an_end_is_read_up_to_a_bound() {
    let repeat = |text: &str| -> &'static [u8] { text.repeat((1 << 16) / text.len()).leak().as_bytes() };
    let chunk = format!("40\r\n{}\r\n", " ".repeat(64));
    let cases = [
        ("HTTP/1.1 200 OK\r\n\r\n", repeat(" "), "larger than request limit"),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            repeat(&chunk),
            "larger than request limit",
        ),
        ("HTTP/1.1 200 OK\r\na: ", repeat("x"), "header is too big"),
    ];
    for (answer, repeated, reason) in cases {
        let said = examine(&Server::start(answer, repeated));
        assert_eq!(said.matches(reason).count(), 2, "{answer}: {said}");
    }
}

#[test]
fn no_redirect_is_followed() {
    let other = Server::start("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", b"");
    for target in [format!("{}/stolen", other.address), "file:///etc/passwd".to_owned()] {
        let answer = format!("HTTP/1.1 307 T\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n");
        let server = Server::start(&answer, b"");
        let said = examine(&server);
        assert_eq!(said.matches("answered 307").count(), 2, "{said}");
        let signed = server.requests().iter().filter(|head| head.contains("heapbeat-signature: ")).count();
        assert_eq!(signed, 1, "the report is asked for once");
    }
    assert_eq!(other.requests(), Vec::<String>::new());
}

#[test]
fn a_terminal_gets_nothing_that_it_obeys() {
    let body = "{\"reason\":\"\\u001b[2J\\u009b31m\\nok      all is well\\u202e\",\"detail\":\"\\u001b]0;x\\u0007\"}";
    let length = body.len();
    let said =
        examine(&Server::start(&format!("HTTP/1.1 503 S\r\ncontent-length: {length}\r\n\r\n{body}"), b""));
    assert!(said.contains("answered 503: [2J31mok      all is well"), "{said}");
    assert!(
        said.chars().all(|char| char == '\n' || !char.is_control()) && !said.contains('\u{202e}'),
        "{said:?}"
    );
    assert!(!said.contains("\nok "), "no finding is invented: {said}");
}
