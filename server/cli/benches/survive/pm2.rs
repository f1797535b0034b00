//! The same leak in a Node program under PM2, which is installed in a temporary folder.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use super::super::{LEAK, pause, seconds};
use heapbeat_test_support::load::Load;
use heapbeat_test_support::wait_for;

const VERSION: &str = "7.0.4";

const APP: &str = r"
const kept = [];
require('node:http').createServer((request, response) => {
  if (request.url.startsWith('/demo/leak')) {
    kept.push(Buffer.alloc(1 << 20, 1));
    response.end('{}');
  } else {
    setTimeout(() => response.end('{}'), 5);
  }
}).listen(process.env.PORT, '127.0.0.1');
";

pub(crate) fn leak() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    fs::write(path.join("app.js"), APP).unwrap();
    let npm = |arguments: &[&str]| {
        Command::new("npm").args(arguments).current_dir(path).env("PM2_HOME", path).output().unwrap()
    };
    let installed = npm(&["install", "--no-audit", "--no-fund", &format!("pm2@{VERSION}")]);
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let pm2 = |arguments: &[&str]| {
        let mut command = Command::new(path.join("node_modules/.bin/pm2"));
        command
            .args(arguments)
            .current_dir(path)
            .env("PM2_HOME", path.join("home"))
            .env("PORT", port.to_string());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    pm2(&["start", "app.js", "--name", "app", "--max-memory-restart", "200M"]);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    wait_for("the program to listen", || std::net::TcpStream::connect(address).ok());
    let load = Load::start(address, LEAK);
    pause(seconds());
    let counts = load.stop();
    let list = pm2(&["jlist"]);
    let restarts = list.split("\"restart_time\":").nth(1).and_then(|rest| rest.split([',', '}']).next());
    println!(
        "PM2 {VERSION}, {} s: {counts:?}, restarts {}",
        seconds().as_secs(),
        restarts.unwrap_or("unknown")
    );
    pm2(&["kill"]);
}
