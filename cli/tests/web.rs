//! `pzmq web`, started as a person would: it says where, serves the page, and lets no other page look.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// Ends the process with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ask(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("{request}\r\nHost: {address}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let kind = match request.contains("Upgrade:") {
        true => "Upgrade",
        false => "close",
    };
    let end = format!("Connection: {kind}\r\n\r\n");
    stream.write_all(end.as_bytes()).unwrap();
    let mut answer = String::new();
    // A connection that becomes a WebSocket stays open: its first bytes are enough.
    let mut bytes = [0; 1024];
    loop {
        match stream.read(&mut bytes) {
            Ok(read @ 1..) => answer.push_str(&String::from_utf8_lossy(&bytes[..read])),
            _ => return answer,
        }
        if answer.starts_with("HTTP/1.1 101") || answer.ends_with("another page's\n") {
            return answer;
        }
    }
}

#[test]
fn it_serves_its_page_to_itself() {
    let pzmq = Command::new(assert_cmd::cargo::cargo_bin("pzmq"))
        .args([
            "web",
            "ipc:///tmp/nobody-is-there",
            "--listen",
            "127.0.0.1:0",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .expect("pzmq starts");
    let mut running = Running(pzmq);
    let mut said = String::new();
    let mut output = BufReader::new(running.0.stdout.take().unwrap());
    output.read_line(&mut said).unwrap();
    let address = said
        .trim()
        .strip_prefix("http://")
        .and_then(|rest| rest.strip_suffix('/'));
    let address = address.expect("it says where");

    for (path, kind) in [
        ("/", "text/html"),
        ("/page.js", "text/javascript"),
        ("/page.css", "text/css"),
    ] {
        let answer = ask(address, &format!("GET {path} HTTP/1.1"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(
            answer.contains(kind) && answer.contains("default-src 'self'"),
            "{answer}"
        );
    }
    let socket = "GET /live HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    for origin in ["http://evil.example", "null"] {
        let answer = ask(address, &format!("{socket}\r\nOrigin: {origin}"));
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    }
    let answer = ask(address, &format!("{socket}\r\nOrigin: http://{address}"));
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    assert!(ask(address, "GET /elsewhere HTTP/1.1").starts_with("HTTP/1.1 404"));

    let pid = running.0.id().to_string();
    assert!(Command::new("kill").arg(&pid).status().unwrap().success());
    assert_eq!(running.0.wait().unwrap().code(), Some(143));
}
