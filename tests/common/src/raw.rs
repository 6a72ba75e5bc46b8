//! A peer written by hand on a bare TCP stream, for everything that no well-behaved peer does.

use std::net::SocketAddr;
use std::time::Duration;

use purezmq::Endpoint;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::within;

/// The 64 bytes with which a ZMTP 3.1 peer with the NULL mechanism opens (RFC 37, "Greeting").
pub fn greeting() -> [u8; 64] {
    let mut greeting = [0; 64];
    greeting[0] = 0xff;
    greeting[9] = 0x7f;
    greeting[10] = 3;
    greeting[11] = 1;
    greeting[12..16].copy_from_slice(b"NULL");
    greeting
}

/// The READY command of a socket of type `kind` (RFC 37, "The NULL Security Mechanism").
pub fn ready(kind: &str) -> Vec<u8> {
    let mut body = b"\x05READY\x0bSocket-Type".to_vec();
    body.extend((kind.len() as u32).to_be_bytes());
    body.extend(kind.as_bytes());
    let mut command = vec![0x04, body.len() as u8];
    command.extend(body);
    command
}

/// A message of one frame of less than 256 bytes.
pub fn short_frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x00, u8::try_from(payload.len()).expect("a short frame")];
    frame.extend(payload);
    frame
}

/// A TCP connection under the test's full control.
pub struct RawPeer {
    pub stream: TcpStream,
}

impl RawPeer {
    /// Connects to a `tcp` endpoint that one of our sockets is bound to.
    pub async fn connect(endpoint: &Endpoint) -> RawPeer {
        let address = socket_address(endpoint);
        let stream = within("raw connect", TcpStream::connect(address))
            .await
            .expect("connect");
        RawPeer { stream }
    }

    /// Takes the part of a socket of type `kind` up to the point where messages may flow.
    pub async fn shake_hands(&mut self, kind: &str) {
        self.send(&greeting()).await;
        self.send(&ready(kind)).await;
        self.receive(64).await;
        let head = self.receive(2).await;
        assert_eq!(head[0], 0x04, "READY is a short command");
        let command = self.receive(usize::from(head[1])).await;
        assert_eq!(command[..6], *b"\x05READY");
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        within("raw write", self.stream.write_all(bytes))
            .await
            .expect("raw write");
    }

    /// Like [`send`](Self::send), to a peer that may have closed already.
    pub async fn try_send(&mut self, bytes: &[u8]) {
        drop(within("raw write", self.stream.write_all(bytes)).await);
    }

    pub async fn receive(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        within("raw read", self.stream.read_exact(&mut bytes))
            .await
            .expect("raw read");
        bytes
    }

    /// Reads and forgets until the other side closes, in good order or with a reset.
    pub async fn await_close(&mut self) {
        let mut bytes = [0; 4096];
        while !matches!(
            within("the other side closes", self.stream.read(&mut bytes)).await,
            Ok(0) | Err(_)
        ) {}
    }

    /// Closes with a reset (RST) instead of an end of the stream.
    pub fn reset(self) {
        SockRef::from(&self.stream)
            .set_linger(Some(Duration::ZERO))
            .expect("SO_LINGER");
    }
}

/// The address behind a resolved `tcp` endpoint.
pub fn socket_address(endpoint: &Endpoint) -> SocketAddr {
    let text = endpoint.to_string();
    let address = text.strip_prefix("tcp://").expect("a tcp endpoint");
    address
        .parse()
        .expect("a resolved endpoint is an address and a port")
}
